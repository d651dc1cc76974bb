//! Transactions waiting for a block.
//!
//! Each account has a queue ordered by nonce, so a gap holds back only what is behind it. Across accounts the
//! order is that of arrival. Everything is bounded: transactions, their bytes, one account's share, and how
//! many blocks a transaction may wait.

use crate::transaction::Transaction;
use agon_runtime::{AccountId, Nonce};
use sp_core::H256;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashSet},
    sync::Arc,
};
use tokio::sync::oneshot;

/// The most transactions that may wait.
const MAX_TRANSACTIONS: usize = 8_192;
/// The most bytes that may wait.
const MAX_BYTES: usize = 32 << 20;
/// The most transactions of one account that may wait.
const MAX_PER_ACCOUNT: usize = 4_096;
/// The most blocks a transaction may wait, however long it stays valid.
pub const MAX_BLOCKS: u64 = 2_048;

/// Why the pool does not take a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The same bytes are waiting already.
    #[error("the transaction is in the pool already")]
    AlreadyImported,
    /// Another transaction of the account with the same nonce is waiting.
    #[error("another transaction with the same nonce is waiting")]
    NonceTaken,
    /// The pool, or the account's share of it, is full.
    #[error("the transaction pool is full")]
    Full,
}

/// How a transaction's wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It stands in this block, which is final.
    Included(H256),
    /// It can no longer stand in any block.
    Invalid,
}

struct Waiting {
    transaction: Arc<Transaction>,
    arrival: u64,
    watcher: oneshot::Sender<Fate>,
}

/// The waiting transactions.
#[derive(Default)]
pub struct Pool {
    queues: BTreeMap<AccountId, BTreeMap<Nonce, Waiting>>,
    hashes: HashSet<H256>,
    bytes: usize,
    arrivals: u64,
}

impl Pool {
    /// Whether there is room for a transaction. Cheap, so that it comes before the signature is judged.
    pub fn admit(&self, transaction: &Transaction) -> Result<(), Refusal> {
        if self.hashes.contains(&transaction.hash) {
            return Err(Refusal::AlreadyImported);
        }
        let queue = self.queues.get(&transaction.sender);
        if queue.is_some_and(|queue| queue.contains_key(&transaction.nonce)) {
            return Err(Refusal::NonceTaken);
        }
        if self.hashes.len() >= MAX_TRANSACTIONS
            || self.bytes + transaction.bytes.len() > MAX_BYTES
            || queue.is_some_and(|queue| queue.len() >= MAX_PER_ACCOUNT)
        {
            return Err(Refusal::Full);
        }
        Ok(())
    }

    /// Takes a transaction whose signature and nonce have been judged. The receiver learns how its wait ends; it
    /// errs when the node stops first.
    pub fn insert(&mut self, transaction: Transaction) -> Result<oneshot::Receiver<Fate>, Refusal> {
        self.admit(&transaction)?;
        let (watcher, fate) = oneshot::channel();
        self.hashes.insert(transaction.hash);
        self.bytes += transaction.bytes.len();
        self.arrivals += 1;
        let transaction = Arc::new(transaction);
        let queue = self.queues.entry(transaction.sender.clone()).or_default();
        queue.insert(
            transaction.nonce,
            Waiting {
                transaction,
                arrival: self.arrivals,
                watcher,
            },
        );
        Ok(fate)
    }

    /// The accounts with waiting transactions.
    pub fn senders(&self) -> Vec<AccountId> {
        self.queues.keys().cloned().collect()
    }

    /// Drops what has become stale or too old, and returns what could stand in block `number` in the order it
    /// should be tried. `nonces` are the accounts' next nonces; accounts not named are left alone.
    pub fn ready(
        &mut self,
        nonces: &BTreeMap<AccountId, Nonce>,
        number: u32,
    ) -> Vec<Arc<Transaction>> {
        self.drop_outdated(nonces, number);
        // The first runnable transaction of each account by arrival; taking one uncovers the account's next.
        let runnable = |account: &AccountId, nonce: Nonce| {
            let waiting = self.queues.get(account)?.get(&nonce)?;
            Some(Reverse((waiting.arrival, account.clone(), nonce)))
        };
        let mut front: BinaryHeap<_> = nonces
            .iter()
            .filter_map(|(account, nonce)| runnable(account, *nonce))
            .collect();
        let mut ready = Vec::new();
        while let Some(Reverse((_, account, nonce))) = front.pop() {
            if let Some(waiting) = self
                .queues
                .get(&account)
                .and_then(|queue| queue.get(&nonce))
            {
                ready.push(waiting.transaction.clone());
            }
            front.extend(
                nonce
                    .checked_add(1)
                    .and_then(|next| runnable(&account, next)),
            );
        }
        ready
    }

    fn drop_outdated(&mut self, nonces: &BTreeMap<AccountId, Nonce>, number: u32) {
        let outdated: Vec<Arc<Transaction>> = nonces
            .iter()
            .filter_map(|(account, next)| Some((self.queues.get(account)?, *next)))
            .flat_map(|(queue, next)| {
                queue
                    .values()
                    .map(|waiting| &waiting.transaction)
                    .filter(move |transaction| {
                        transaction.nonce < next || transaction.death <= u64::from(number)
                    })
            })
            .cloned()
            .collect();
        for transaction in outdated {
            self.remove(&transaction, Fate::Invalid);
        }
    }

    /// Ends a transaction's wait and tells its watcher.
    pub fn remove(&mut self, transaction: &Transaction, fate: Fate) {
        let Some(queue) = self.queues.get_mut(&transaction.sender) else {
            return;
        };
        let Some(waiting) = queue.remove(&transaction.nonce) else {
            return;
        };
        if queue.is_empty() {
            self.queues.remove(&transaction.sender);
        }
        self.hashes.remove(&transaction.hash);
        self.bytes -= transaction.bytes.len();
        // A submitter that does not watch has dropped its receiver.
        let _ = waiting.watcher.send(fate);
    }

    /// The first nonce from `next` on that no waiting transaction of `account` uses.
    pub fn next_nonce(&self, account: &AccountId, next: Nonce) -> Nonce {
        let queue = self.queues.get(account);
        (next..Nonce::MAX)
            .find(|nonce| !queue.is_some_and(|queue| queue.contains_key(nonce)))
            .unwrap_or(Nonce::MAX)
    }

    /// The bytes of every waiting transaction in order of arrival.
    pub fn pending(&self) -> Vec<Vec<u8>> {
        let mut waiting: Vec<&Waiting> = self.queues.values().flat_map(BTreeMap::values).collect();
        waiting.sort_unstable_by_key(|waiting| waiting.arrival);
        waiting
            .iter()
            .map(|waiting| waiting.transaction.bytes.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agon_runtime::{RuntimeCall, UncheckedExtrinsic};

    fn account(byte: u8) -> AccountId {
        AccountId::new([byte; 32])
    }

    /// A transaction as the pool sees it; what it calls is of no concern here.
    fn transaction(sender: u8, nonce: Nonce, size: usize, death: u64) -> Transaction {
        let call = RuntimeCall::System(frame_system::Call::remark { remark: vec![] });
        Transaction {
            hash: H256::from_low_u64_be(u64::from(sender) << 32 | u64::from(nonce)),
            sender: account(sender),
            nonce,
            death,
            bytes: vec![0; size],
            extrinsic: UncheckedExtrinsic::new_bare(call),
        }
    }

    fn ready(pool: &mut Pool, nonces: &[(u8, Nonce)], number: u32) -> Vec<(AccountId, Nonce)> {
        let nonces = nonces
            .iter()
            .map(|(sender, nonce)| (account(*sender), *nonce))
            .collect();
        let ready = pool.ready(&nonces, number);
        ready
            .iter()
            .map(|transaction| (transaction.sender.clone(), transaction.nonce))
            .collect()
    }

    #[test]
    fn the_order_is_that_of_arrival_as_far_as_nonces_allow() {
        let mut pool = Pool::default();
        for (sender, nonce) in [(9, 0), (3, 6), (9, 1), (3, 5), (1, 0), (9, 3)] {
            pool.insert(transaction(sender, nonce, 1, u64::MAX))
                .expect("there is room");
        }
        let order = ready(&mut pool, &[(1, 0), (3, 5), (9, 0)], 1);
        // 3's sixth came early but waits for its fifth; 9's third misses its second.
        let expected = [(9, 0), (9, 1), (3, 5), (3, 6), (1, 0)];
        assert_eq!(
            order,
            expected.map(|(sender, nonce)| (account(sender), nonce))
        );
        assert_eq!(pool.next_nonce(&account(9), 0), 2);
    }

    #[test]
    fn stale_and_expired_transactions_leave_and_make_room() {
        let mut pool = Pool::default();
        let stale = pool
            .insert(transaction(1, 0, 7, u64::MAX))
            .expect("there is room");
        let expired = pool
            .insert(transaction(1, 2, 7, 10))
            .expect("there is room");
        let mut waiting = pool
            .insert(transaction(1, 3, 7, 11))
            .expect("there is room");
        assert_eq!(ready(&mut pool, &[(1, 1)], 10), []);
        assert_eq!(stale.blocking_recv(), Ok(Fate::Invalid));
        assert_eq!(expired.blocking_recv(), Ok(Fate::Invalid));
        assert!(waiting.try_recv().is_err());
        assert_eq!(
            (pool.bytes, pool.hashes.len(), pool.pending().len()),
            (7, 1, 1)
        );
        pool.remove(&transaction(1, 3, 7, 11), Fate::Invalid);
        assert_eq!(
            (pool.bytes, pool.hashes.len(), pool.queues.len()),
            (0, 0, 0)
        );
    }

    #[test]
    fn every_cap_holds() {
        let mut pool = Pool::default();
        for nonce in 0..MAX_PER_ACCOUNT as Nonce {
            pool.insert(transaction(1, nonce, 1, u64::MAX))
                .expect("there is room");
        }
        let more = transaction(1, Nonce::MAX, 1, u64::MAX);
        assert_eq!(
            pool.insert(more).err(),
            Some(Refusal::Full),
            "one account's share"
        );
        assert_eq!(
            pool.insert(transaction(2, 0, MAX_BYTES, u64::MAX)).err(),
            Some(Refusal::Full),
            "bytes"
        );
        for nonce in 0..(MAX_TRANSACTIONS - MAX_PER_ACCOUNT) as Nonce {
            pool.insert(transaction(2, nonce, 1, u64::MAX))
                .expect("there is room");
        }
        assert_eq!(
            pool.insert(transaction(3, 0, 1, u64::MAX)).err(),
            Some(Refusal::Full),
            "transactions"
        );
        assert_eq!(
            pool.insert(transaction(1, 0, 1, u64::MAX)).err(),
            Some(Refusal::AlreadyImported)
        );
    }
}

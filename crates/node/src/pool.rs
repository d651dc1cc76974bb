//! Transactions waiting for a block.
//!
//! Each account has a queue ordered by nonce, so a gap holds back only what is behind it. Across accounts the
//! order is that of arrival. Everything is bounded: transactions, their bytes, one account's share, and how
//! many blocks a transaction may wait. Transactions behind a gap have small bounds of their own: they cost
//! their senders nothing, and must not keep out those that could stand in the next block.

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
/// The most transactions behind a gap.
const MAX_FUTURE: usize = 1_024;
/// The most bytes behind a gap.
const MAX_FUTURE_BYTES: usize = 4 << 20;
/// The most transactions of one account behind a gap.
const MAX_FUTURE_PER_ACCOUNT: usize = 128;
/// The most blocks a transaction may wait, however long it stays valid.
pub const MAX_BLOCKS: u64 = 2_048;

/// Why the pool does not take a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The same bytes are waiting already.
    #[error("the transaction is in the pool already")]
    AlreadyImported,
    /// Another transaction of the account with the same nonce is waiting. A tip changes nothing: as publicly, all signed
    /// transactions have one priority, and only a higher one could replace what waits.
    #[error("another transaction with the same nonce is waiting")]
    NonceTaken,
    /// The account has used the nonce.
    #[error("the nonce is used already")]
    Stale,
    /// The pool, or the account's share of it, is full.
    #[error("the transaction pool is full")]
    Full,
    /// An earlier nonce is missing, and there is no more room for transactions of this kind.
    #[error("too many transactions wait for an earlier nonce")]
    FutureFull,
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

/// One account's transactions. Every nonce from `next` to before `end` waits, none below `next`; what is above `end`
/// is behind a gap.
struct Queue {
    next: Nonce,
    end: Nonce,
    waiting: BTreeMap<Nonce, Waiting>,
    future_bytes: usize,
}

impl Queue {
    fn future(&self) -> usize {
        self.waiting.len() - (self.end - self.next) as usize
    }

    fn insert(&mut self, waiting: Waiting) {
        let nonce = waiting.transaction.nonce;
        self.future_bytes += waiting.transaction.bytes.len();
        self.waiting.insert(nonce, waiting);
        self.extend();
    }

    /// Moves `end` over what stands without a gap.
    fn extend(&mut self) {
        while let Some(waiting) = self.waiting.get(&self.end) {
            self.future_bytes -= waiting.transaction.bytes.len();
            self.end += 1;
        }
    }

    /// Takes one transaction out; what follows it without its nonce having been used is then behind a gap.
    fn remove(&mut self, nonce: Nonce) -> Option<Waiting> {
        let waiting = self.waiting.remove(&nonce)?;
        if nonce < self.end {
            let behind = self.waiting.range(nonce..self.end);
            self.future_bytes += bytes(behind.map(|(_, waiting)| waiting));
            self.end = nonce;
        } else {
            self.future_bytes -= waiting.transaction.bytes.len();
        }
        Some(waiting)
    }

    /// Learns the account's next nonce and takes out what it has passed.
    fn advance(&mut self, next: Nonce) -> Vec<Waiting> {
        if next < self.next {
            // The account was reaped and begins anew.
            self.next = next;
            self.end = next;
            self.future_bytes = bytes(self.waiting.values());
            self.extend();
        }
        let kept = self.waiting.split_off(&next);
        let passed = std::mem::replace(&mut self.waiting, kept);
        self.future_bytes -= bytes(
            passed
                .range(self.end.min(next)..)
                .map(|(_, waiting)| waiting),
        );
        self.next = next;
        self.end = self.end.max(next);
        self.extend();
        passed.into_values().collect()
    }
}

fn bytes<'a>(waiting: impl Iterator<Item = &'a Waiting>) -> usize {
    waiting.map(|waiting| waiting.transaction.bytes.len()).sum()
}

/// How much waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Transactions the next block may hold.
    pub ready: usize,
    /// Transactions behind a gap.
    pub future: usize,
    /// The bytes of both.
    pub bytes: usize,
}

/// The waiting transactions.
#[derive(Default)]
pub struct Pool {
    queues: BTreeMap<AccountId, Queue>,
    hashes: HashSet<H256>,
    bytes: usize,
    future: usize,
    future_bytes: usize,
    arrivals: u64,
}

impl Pool {
    /// Whether there is room for a transaction. Cheap, so that it comes before the signature is judged.
    pub fn admit(&self, transaction: &Transaction) -> Result<(), Refusal> {
        if self.hashes.contains(&transaction.hash) {
            return Err(Refusal::AlreadyImported);
        }
        let queue = self.queues.get(&transaction.sender);
        if queue.is_some_and(|queue| queue.waiting.contains_key(&transaction.nonce)) {
            return Err(Refusal::NonceTaken);
        }
        if self.hashes.len() >= MAX_TRANSACTIONS
            || self.bytes + transaction.bytes.len() > MAX_BYTES
            || queue.is_some_and(|queue| queue.waiting.len() >= MAX_PER_ACCOUNT)
        {
            return Err(Refusal::Full);
        }
        Ok(())
    }

    /// Takes a transaction whose signature and nonce have been judged; `next` is its sender's next nonce after the
    /// newest block. Says whether the next block may hold it; the receiver learns how its wait ends, and errs when the
    /// node stops first.
    pub fn insert(
        &mut self,
        transaction: Transaction,
        next: Nonce,
    ) -> Result<(bool, oneshot::Receiver<Fate>), Refusal> {
        self.admit(&transaction)?;
        let (sender, nonce, size) = (
            transaction.sender.clone(),
            transaction.nonce,
            transaction.bytes.len(),
        );
        self.change(&sender, Fate::Invalid, |queue| queue.advance(next));
        let queue = self.queues.get(&sender);
        let end = queue.map_or(next, |queue| queue.end);
        if nonce < next {
            return Err(Refusal::Stale);
        }
        if nonce > end
            && (self.future >= MAX_FUTURE
                || self.future_bytes + size > MAX_FUTURE_BYTES
                || queue.is_some_and(|queue| queue.future() >= MAX_FUTURE_PER_ACCOUNT))
        {
            return Err(Refusal::FutureFull);
        }
        let (watcher, fate) = oneshot::channel();
        self.hashes.insert(transaction.hash);
        self.bytes += size;
        self.arrivals += 1;
        let waiting = Waiting {
            transaction: Arc::new(transaction),
            arrival: self.arrivals,
            watcher,
        };
        self.queues.entry(sender.clone()).or_insert(Queue {
            next,
            end: next,
            waiting: BTreeMap::new(),
            future_bytes: 0,
        });
        self.change(&sender, Fate::Invalid, |queue| {
            queue.insert(waiting);
            Vec::new()
        });
        Ok((nonce == end, fate))
    }

    /// How much waits.
    pub fn load(&self) -> Load {
        Load {
            ready: self.hashes.len() - self.future,
            future: self.future,
            bytes: self.bytes,
        }
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
            let waiting = self.queues.get(account)?.waiting.get(&nonce)?;
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
                .and_then(|queue| queue.waiting.get(&nonce))
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
        for (account, next) in nonces {
            self.change(account, Fate::Invalid, |queue| {
                let mut outdated = queue.advance(*next);
                let transactions = queue.waiting.values().map(|waiting| &waiting.transaction);
                let expired: Vec<Nonce> = transactions
                    .filter(|transaction| transaction.death <= u64::from(number))
                    .map(|transaction| transaction.nonce)
                    .collect();
                outdated.extend(expired.into_iter().filter_map(|nonce| queue.remove(nonce)));
                outdated
            });
        }
    }

    /// Ends a transaction's wait and tells its watcher. Inclusion uses its nonce.
    pub fn remove(&mut self, transaction: &Transaction, fate: Fate) {
        let nonce = transaction.nonce;
        self.change(&transaction.sender, fate, |queue| match fate {
            Fate::Included(_) => queue.advance(nonce.saturating_add(1)),
            Fate::Invalid => queue.remove(nonce).into_iter().collect(),
        });
    }

    /// Changes one account's queue, ends the wait of what leaves it, and keeps the totals.
    fn change(
        &mut self,
        account: &AccountId,
        fate: Fate,
        f: impl FnOnce(&mut Queue) -> Vec<Waiting>,
    ) {
        let Some(queue) = self.queues.get_mut(account) else {
            return;
        };
        self.future -= queue.future();
        self.future_bytes -= queue.future_bytes;
        let leaving = f(queue);
        self.future += queue.future();
        self.future_bytes += queue.future_bytes;
        if queue.waiting.is_empty() {
            self.queues.remove(account);
        }
        for waiting in leaving {
            self.hashes.remove(&waiting.transaction.hash);
            self.bytes -= waiting.transaction.bytes.len();
            // A submitter that does not watch has dropped its receiver.
            let _ = waiting.watcher.send(fate);
        }
    }

    /// The first nonce from `next` on that no waiting transaction of `account` uses.
    pub fn next_nonce(&self, account: &AccountId, next: Nonce) -> Nonce {
        let queue = self.queues.get(account);
        (next..Nonce::MAX)
            .find(|nonce| !queue.is_some_and(|queue| queue.waiting.contains_key(nonce)))
            .unwrap_or(Nonce::MAX)
    }

    /// The bytes of every waiting transaction in order of arrival.
    pub fn pending(&self) -> Vec<Vec<u8>> {
        let queues = self.queues.values();
        let mut waiting: Vec<&Waiting> = queues.flat_map(|queue| queue.waiting.values()).collect();
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

    fn insert(pool: &mut Pool, transaction: Transaction) -> Result<bool, Refusal> {
        pool.insert(transaction, 0).map(|(ready, _)| ready)
    }

    #[test]
    fn the_order_is_that_of_arrival_as_far_as_nonces_allow() {
        let mut pool = Pool::default();
        for (sender, nonce) in [(9, 0), (3, 6), (9, 1), (3, 5), (1, 0), (9, 3)] {
            let next = if sender == 3 { 5 } else { 0 };
            pool.insert(transaction(sender, nonce, 1, u64::MAX), next)
                .expect("there is room");
        }
        let load = Load {
            ready: 5,
            future: 1,
            bytes: 6,
        };
        assert_eq!(pool.load(), load);
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
        let mut wait = |nonce, death| {
            let (_, fate) = pool
                .insert(transaction(1, nonce, 7, death), 0)
                .expect("there is room");
            fate
        };
        let stale = wait(0, u64::MAX);
        let expired = wait(2, 10);
        let mut waiting = wait(3, 11);
        assert_eq!(ready(&mut pool, &[(1, 1)], 10), []);
        assert_eq!(stale.blocking_recv(), Ok(Fate::Invalid));
        assert_eq!(expired.blocking_recv(), Ok(Fate::Invalid));
        assert!(waiting.try_recv().is_err());
        let load = Load {
            ready: 0,
            future: 1,
            bytes: 7,
        };
        assert_eq!((pool.load(), pool.pending().len()), (load, 1));
        let used = pool.insert(transaction(1, 0, 7, 99), 1);
        assert_eq!(used.err(), Some(Refusal::Stale));
        pool.remove(&transaction(1, 3, 7, 11), Fate::Invalid);
        assert_eq!((pool.load(), pool.queues.len()), (Load::default(), 0));
        assert_eq!(pool.future_bytes, 0);
    }

    #[test]
    fn inclusion_uses_the_nonce_and_failure_leaves_a_gap() {
        let mut pool = Pool::default();
        for nonce in 0..4 {
            assert_eq!(
                insert(&mut pool, transaction(1, nonce, 1, u64::MAX)),
                Ok(true)
            );
        }
        pool.remove(&transaction(1, 0, 1, 0), Fate::Included(H256::zero()));
        assert_eq!(
            pool.load(),
            Load {
                ready: 3,
                future: 0,
                bytes: 3
            }
        );
        pool.remove(&transaction(1, 2, 1, 0), Fate::Invalid);
        assert_eq!(
            pool.load(),
            Load {
                ready: 1,
                future: 1,
                bytes: 2
            }
        );
        // Another transaction closes the gap.
        let closing = pool.insert(transaction(1, 2, 1, u64::MAX), 1);
        assert!(closing.is_ok_and(|(ready, _)| ready));
        assert_eq!(
            pool.load(),
            Load {
                ready: 3,
                future: 0,
                bytes: 3
            }
        );
        // A reaped account begins anew.
        let anew = pool.insert(transaction(1, 0, 1, u64::MAX), 0);
        assert!(anew.is_ok_and(|(ready, _)| ready));
        assert_eq!(ready(&mut pool, &[(1, 0)], 1).len(), 4);
    }

    #[test]
    fn every_cap_holds() {
        let mut pool = Pool::default();
        for nonce in 0..MAX_PER_ACCOUNT as Nonce {
            assert_eq!(
                insert(&mut pool, transaction(1, nonce, 1, u64::MAX)),
                Ok(true)
            );
        }
        let more = transaction(1, MAX_PER_ACCOUNT as Nonce, 1, u64::MAX);
        assert_eq!(
            insert(&mut pool, more),
            Err(Refusal::Full),
            "one account's share"
        );
        let large = transaction(2, 0, MAX_BYTES, u64::MAX);
        assert_eq!(insert(&mut pool, large), Err(Refusal::Full), "bytes");
        for nonce in 0..(MAX_TRANSACTIONS - MAX_PER_ACCOUNT) as Nonce {
            assert_eq!(
                insert(&mut pool, transaction(2, nonce, 1, u64::MAX)),
                Ok(true)
            );
        }
        let more = transaction(3, 0, 1, u64::MAX);
        assert_eq!(insert(&mut pool, more), Err(Refusal::Full), "transactions");
        let again = transaction(1, 0, 1, u64::MAX);
        assert_eq!(insert(&mut pool, again), Err(Refusal::AlreadyImported));
    }

    #[test]
    fn what_is_behind_a_gap_leaves_room_for_what_is_not() {
        let mut pool = Pool::default();
        let mut sender = 0;
        while pool.load().future < MAX_FUTURE {
            sender += 1;
            for nonce in 1..=MAX_FUTURE_PER_ACCOUNT as Nonce {
                let future = transaction(sender, nonce, 1, u64::MAX);
                assert_eq!(insert(&mut pool, future), Ok(false));
            }
            let more = transaction(sender, 1_000_000, 1, u64::MAX);
            assert_eq!(insert(&mut pool, more), Err(Refusal::FutureFull));
        }
        let stranger = transaction(200, 1, 1, u64::MAX);
        assert_eq!(insert(&mut pool, stranger), Err(Refusal::FutureFull));
        assert_eq!(
            insert(&mut pool, transaction(200, 0, 1, u64::MAX)),
            Ok(true)
        );
        // What closes a gap is ready, and so is all behind it.
        assert_eq!(insert(&mut pool, transaction(1, 0, 1, u64::MAX)), Ok(true));
        assert_eq!(pool.load().future, MAX_FUTURE - MAX_FUTURE_PER_ACCOUNT);
        let large = transaction(201, 1, MAX_FUTURE_BYTES, u64::MAX);
        assert_eq!(insert(&mut pool, large), Err(Refusal::FutureFull));
    }
}

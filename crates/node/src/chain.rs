//! The chain as the author and the RPC server see it: blocks, states, the pool and the newest block.

use crate::{
    drand::Endpoint,
    engine::{self, BeginError, Draft, Engine, Panicked, ReadError, SealError, State},
    genesis::{self, DocumentError},
    measures,
    pool::{self, Fate, Load, Pool, Refusal},
    storage::{Storage, StorageError},
    transaction::{DecodeError, Transaction},
    workers::Workers,
};
use agon_runtime::{AccountId, Balance, Header, Nonce, genesis::Genesis};
use sp_core::H256;
use sp_runtime::transaction_validity::{
    InvalidTransaction, TransactionValidityError, UnknownTransaction,
};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Why a database cannot continue as the asked chain.
#[derive(Debug, thiserror::Error)]
pub enum ContinueError {
    /// The genesis state cannot be made.
    #[error(transparent)]
    Begin(#[from] BeginError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// What the database says of its genesis cannot be read.
    #[error("the chain database is damaged: its genesis cannot be read: {0}")]
    Genesis(#[from] DocumentError),
    /// The database holds another chain.
    #[error(
        "the database belongs to another chain: it was begun with another genesis (block 0 is {found:?}); \
         give the genesis it was begun with, or choose another path"
    )]
    OtherGenesis {
        /// The hash of the database's genesis block.
        found: H256,
    },
}

/// Why a transaction is not taken.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The bytes are not a transaction.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The runtime will never take it as things stand.
    #[error("invalid transaction: {0:?}")]
    Invalid(InvalidTransaction),
    /// The runtime cannot judge it.
    #[error("unknown transaction validity: {0:?}")]
    Unknown(UnknownTransaction),
    /// The pool has it already, or something in its place.
    #[error("{refusal}")]
    Refused {
        /// Why.
        refusal: Refusal,
        /// The transaction's hash.
        hash: H256,
    },
    /// The state could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A transaction the pool has taken.
pub struct Submitted {
    /// Its hash.
    pub hash: H256,
    /// Whether the next block may hold it; otherwise an earlier nonce is missing.
    pub ready: bool,
    /// How its wait ends. Errs when the node stops first.
    pub fate: oneshot::Receiver<Fate>,
}

/// The newest block.
#[derive(Debug, Clone)]
pub struct Head {
    /// Its hash.
    pub hash: H256,
    /// Its header.
    pub header: Header,
}

/// One chain. Readers run beside the author; only [`Chain::seal`] writes, and only the author calls it.
pub struct Chain {
    engine: Engine,
    pool: Mutex<Pool>,
    head: watch::Sender<Head>,
    // Dropped in this order: when the guard reports, the database file is closed.
    storage: Storage,
    _closed: DropGuard,
}

impl Chain {
    /// Continues the chain in `storage`, which must have begun with `genesis` if one is given, or begins it there
    /// with `genesis` or else the development network. `endpoint` gives the pulses of the chain's beacon unless the
    /// node makes them. `closed` is cancelled when the database has been closed.
    pub fn open(
        storage: Storage,
        genesis: Option<&Genesis>,
        workers: Arc<Workers>,
        endpoint: Option<Endpoint>,
        closed: CancellationToken,
    ) -> Result<Self, ContinueError> {
        let header = match storage.head()? {
            Some(head) => {
                // The inputs are compared, not the state they make: that changes with the runtime.
                if let (Some(asked), Some(stored)) = (genesis, storage.genesis()?)
                    && genesis::canonical(asked.clone()) != genesis::from_json(&stored)?
                {
                    let found = storage.header(0)?;
                    return Err(ContinueError::OtherGenesis {
                        found: found.map(|header| header.hash()).unwrap_or_default(),
                    });
                }
                head
            }
            None => {
                let genesis = genesis
                    .cloned()
                    .unwrap_or_else(|| genesis::development(&[]));
                let (first, nodes) = engine::begin(&genesis)?;
                storage.begin(&first, &nodes, &genesis::to_json(&genesis))?;
                first
            }
        };
        measures::height(header.number);
        Ok(Self {
            engine: Engine::new(workers, endpoint),
            pool: Mutex::default(),
            head: watch::Sender::new(Head {
                hash: header.hash(),
                header,
            }),
            storage,
            _closed: closed.drop_guard(),
        })
    }

    /// The newest block, which is final.
    pub fn head(&self) -> Head {
        self.head.borrow().clone()
    }

    /// Follows the newest block. A slow follower misses blocks in between, never the newest.
    pub fn heads(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    /// The header of block `number`; none of a block that is made but not durable yet.
    pub fn header(&self, number: u32) -> Result<Option<Header>, StorageError> {
        if number > self.head.borrow().header.number {
            return Ok(None);
        }
        self.storage.header(number)
    }

    /// The header of the block with this hash, the newest when no hash is given.
    pub fn header_at(&self, hash: Option<H256>) -> Result<Option<Header>, StorageError> {
        match hash {
            None => Ok(Some(self.head().header)),
            Some(hash) => self
                .storage
                .number(&hash)?
                .map_or(Ok(None), |number| self.header(number)),
        }
    }

    /// The extrinsics of block `number`.
    pub fn body(&self, number: u32) -> Result<Option<Vec<Vec<u8>>>, StorageError> {
        self.storage.body(number)
    }

    /// The state after the block with this hash, the newest when no hash is given.
    pub fn state_at(&self, hash: Option<H256>) -> Result<State, ReadError> {
        let header = self
            .header_at(hash)?
            .ok_or_else(|| ReadError::Discarded(hash.unwrap_or_default()))?;
        self.engine.state(&self.storage, &header)
    }

    /// Writes a copy of the whole chain, as it stands now, to a new file at `path`.
    pub fn copy_to(&self, path: &Path) -> Result<(), StorageError> {
        self.storage.copy_to(path)
    }

    /// The next nonce `account` can use, after the transactions that wait.
    pub fn next_nonce(&self, account: &AccountId) -> Result<Nonce, ReadError> {
        self.with_pool(account, |pool, nonce| pool.next_nonce(account, nonce))
    }

    /// How much waits.
    pub fn load(&self) -> Load {
        self.pool().load()
    }

    /// The bytes of every waiting transaction in order of arrival.
    pub fn pending(&self) -> Vec<Vec<u8>> {
        self.pool().pending()
    }

    /// Judges a transaction and puts it into the pool.
    pub async fn submit(self: &Arc<Self>, bytes: Vec<u8>) -> Result<Submitted, SubmitError> {
        let chain = self.clone();
        let judged = self.engine.workers().perform(move || chain.admit(bytes));
        let panicked = |payload| SubmitError::Read(Panicked::from(payload).into());
        judged
            .await
            .unwrap_or_else(|payload| Err(panicked(payload)))
    }

    /// As [`Chain::submit`], on this thread, which needs a deep stack.
    pub fn admit(&self, bytes: Vec<u8>) -> Result<Submitted, SubmitError> {
        let mut transaction = Transaction::decode(bytes)?;
        let hash = transaction.hash;
        let refused = |refusal| SubmitError::Refused { refusal, hash };
        self.pool().admit(&transaction).map_err(refused)?;

        let head = self.head();
        let state = self.engine.state(&self.storage, &head.header)?;
        let valid = state
            .validate(transaction.extrinsic.clone(), head.hash)?
            .map_err(|error| match error {
                TransactionValidityError::Invalid(reason) => SubmitError::Invalid(reason),
                TransactionValidityError::Unknown(reason) => SubmitError::Unknown(reason),
            })?;
        // Judged in the context of the next block, so its longevity counts from there.
        transaction.death =
            u64::from(head.header.number) + 1 + valid.longevity.min(pool::MAX_BLOCKS);

        let sender = transaction.sender.clone();
        let (ready, fate) = self
            .with_pool(&sender, |pool, next| pool.insert(transaction, next))?
            .map_err(|refusal| match refusal {
                Refusal::Stale => SubmitError::Invalid(InvalidTransaction::Stale),
                refusal => refused(refusal),
            })?;
        Ok(Submitted { hash, ready, fate })
    }

    /// Makes a block for each of `times` (milliseconds since 1970), the first with what waits and, if asked, with an
    /// account's balance set. When it returns they are final. Needs a thread with a deep stack.
    pub fn seal(
        &self,
        times: &[u64],
        set_balance: Option<&(AccountId, Balance)>,
    ) -> Result<Head, SealError> {
        let mut head = self.head();
        let mut ended = Vec::new();
        for (index, time) in times.iter().enumerate() {
            let (candidates, set_balance) = match index {
                0 => (self.candidates(&head.header)?, set_balance),
                // What the first block holds is in the pool until it is durable.
                _ => (Vec::new(), None),
            };
            let Draft { block, nodes } =
                self.engine
                    .draft(&self.storage, &head.header, *time, set_balance, &candidates)?;
            let durable = index + 1 == times.len();
            self.storage
                .append(&block.header, &block.body, &nodes, durable)?;
            head = Head {
                hash: block.header.hash(),
                header: block.header,
            };
            measures::sealed(block.included.len(), block.invalid.len());
            let included = block.included.into_iter();
            ended.extend(included.map(|transaction| (transaction, Fate::Included(head.hash))));
            let invalid = block.invalid.into_iter();
            ended.extend(invalid.map(|transaction| (transaction, Fate::Invalid)));
        }
        // The pool is held, so that nobody sees the new head with the old pool.
        let mut pool = self.pool();
        self.head.send_replace(head.clone());
        for (transaction, fate) in ended {
            pool.remove(&transaction, fate);
        }
        measures::height(head.header.number);
        measures::load(pool.load());
        Ok(head)
    }

    /// Judges `arrivals` as [`Chain::admit`] does, without the pool's bounds, and makes up to `count` blocks as
    /// [`Engine::rehearse`] does, the first with those that are valid; without any it makes none.
    #[cfg(feature = "fuzzing")]
    pub fn rehearse<R>(
        &self,
        arrivals: Vec<Vec<u8>>,
        count: u32,
        look: impl FnOnce() -> R,
    ) -> Result<(Vec<Arc<Transaction>>, R), SealError> {
        let head = self.head();
        let state = self.engine.state(&self.storage, &head.header)?;
        let mut valid = Vec::new();
        for bytes in arrivals {
            let Ok(transaction) = Transaction::decode(bytes) else {
                continue;
            };
            if state
                .validate(transaction.extrinsic.clone(), head.hash)?
                .is_ok()
            {
                valid.push(Arc::new(transaction));
            }
        }
        let count = if valid.is_empty() { 0 } else { count };
        self.engine
            .rehearse(&self.storage, &head.header, &valid, count, look)
    }

    fn candidates(&self, parent: &Header) -> Result<Vec<Arc<Transaction>>, ReadError> {
        let state = self.engine.state(&self.storage, parent)?;
        let senders = self.pool().senders();
        let nonces: BTreeMap<AccountId, Nonce> = senders
            .into_iter()
            .map(|sender| Ok((sender.clone(), state.nonce(&sender)?)))
            .collect::<Result<_, ReadError>>()?;
        Ok(self.pool().ready(&nonces, parent.number + 1))
    }

    /// Runs `f` on the pool and the next nonce of `account` after the newest block, the two of one moment.
    fn with_pool<R>(
        &self,
        account: &AccountId,
        f: impl FnOnce(&mut Pool, Nonce) -> R,
    ) -> Result<R, ReadError> {
        loop {
            let head = self.head();
            let nonce = self
                .engine
                .state(&self.storage, &head.header)?
                .nonce(account)?;
            let mut pool = self.pool();
            // A block sealed meanwhile has taken its transactions out of the pool.
            if self.head.borrow().hash == head.hash {
                return Ok(f(&mut pool, nonce));
            }
        }
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool
            .lock()
            .expect("nothing panics while it holds the pool")
    }
}

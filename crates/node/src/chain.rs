//! The chain as the author and the RPC server see it: blocks, states, the pool and the newest block.

use crate::{
    drand::Endpoint,
    engine::{self, BeginError, Engine, ReadError, SealError, State},
    pool::{self, Fate, Pool, Refusal},
    storage::{Storage, StorageError},
    transaction::{DecodeError, Transaction},
};
use agon_runtime::{AccountId, Header, Nonce, genesis::Genesis};
use sp_core::H256;
use sp_runtime::transaction_validity::{
    InvalidTransaction, TransactionValidityError, UnknownTransaction,
};
use std::sync::{Mutex, MutexGuard};
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
    /// The database holds another chain.
    #[error(
        "the database belongs to another chain: its genesis block is {found:?} and the one asked for is {expected:?}; \
         give the endowments it was created with, or choose another path"
    )]
    OtherGenesis {
        /// The genesis hash in the database.
        found: H256,
        /// The hash of the genesis that was asked for.
        expected: H256,
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
    /// Continues the chain in `storage`, or begins it there; `endpoint` gives the pulses of the chain's beacon unless
    /// the node makes them. `closed` is cancelled when the database has been closed.
    pub fn open(
        storage: Storage,
        genesis: &Genesis,
        endpoint: Option<Endpoint>,
        closed: CancellationToken,
    ) -> Result<Self, ContinueError> {
        let (first, nodes) = engine::begin(genesis)?;
        let header = match storage.head()? {
            Some(head) => {
                let found = storage
                    .header(0)?
                    .map(|header| header.hash())
                    .unwrap_or_default();
                if found != first.hash() {
                    return Err(ContinueError::OtherGenesis {
                        found,
                        expected: first.hash(),
                    });
                }
                head
            }
            None => {
                storage.append(&first, &[], &nodes)?;
                first
            }
        };
        Ok(Self {
            engine: Engine::new(endpoint),
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

    /// The header of block `number`.
    pub fn header(&self, number: u32) -> Result<Option<Header>, StorageError> {
        self.storage.header(number)
    }

    /// The header of the block with this hash, the newest when no hash is given.
    pub fn header_at(&self, hash: Option<H256>) -> Result<Option<Header>, StorageError> {
        match hash {
            None => Ok(Some(self.head().header)),
            Some(hash) => self
                .storage
                .number(&hash)?
                .map_or(Ok(None), |number| self.storage.header(number)),
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
            .ok_or_else(|| ReadError::UnknownBlock(hash.unwrap_or_default()))?;
        Ok(self.engine.state(&self.storage, &header)?)
    }

    /// The next nonce `account` can use, after the transactions that wait.
    pub fn next_nonce(&self, account: AccountId) -> Result<Nonce, ReadError> {
        let nonces = self.state_at(None)?.nonces(vec![account.clone()])?;
        Ok(self
            .pool()
            .next_nonce(&account, nonces.get(&account).copied().unwrap_or_default()))
    }

    /// The bytes of every waiting transaction in order of arrival.
    pub fn pending(&self) -> Vec<Vec<u8>> {
        self.pool().pending()
    }

    /// Judges a transaction and puts it into the pool.
    pub fn submit(&self, bytes: Vec<u8>) -> Result<Submitted, SubmitError> {
        let mut transaction = Transaction::decode(bytes)?;
        let (hash, sender, nonce) = (
            transaction.hash,
            transaction.sender.clone(),
            transaction.nonce,
        );
        let refused = |refusal| SubmitError::Refused { refusal, hash };
        self.pool().admit(&transaction).map_err(refused)?;

        let head = self.head();
        let state = self
            .engine
            .state(&self.storage, &head.header)
            .map_err(ReadError::from)?;
        let valid = state
            .validate(transaction.extrinsic.clone(), head.hash)?
            .map_err(|error| match error {
                TransactionValidityError::Invalid(reason) => SubmitError::Invalid(reason),
                TransactionValidityError::Unknown(reason) => SubmitError::Unknown(reason),
            })?;
        // Judged in the context of the next block, so its longevity counts from there.
        transaction.death =
            u64::from(head.header.number) + 1 + valid.longevity.min(pool::MAX_BLOCKS);

        let next = state
            .nonces(vec![sender.clone()])?
            .get(&sender)
            .copied()
            .unwrap_or_default();
        let mut pool = self.pool();
        let fate = pool.insert(transaction).map_err(refused)?;
        Ok(Submitted {
            hash,
            ready: pool.next_nonce(&sender, next) > nonce,
            fate,
        })
    }

    /// Makes and stores the next block at `time`, milliseconds since 1970. When it returns, the block is final.
    pub fn seal(&self, time: u64) -> Result<Head, SealError> {
        let parent = self.head().header;
        let senders = self.pool().senders();
        let nonces = self.engine.state(&self.storage, &parent)?.nonces(senders)?;
        let candidates = self.pool().ready(&nonces, parent.number + 1);

        let draft = self
            .engine
            .draft(&self.storage, &parent, time, &candidates)?;
        self.storage
            .append(&draft.header, &draft.body, &draft.nodes)?;

        let head = Head {
            hash: draft.header.hash(),
            header: draft.header,
        };
        self.head.send_replace(head.clone());
        let mut pool = self.pool();
        for transaction in draft.included {
            pool.remove(&transaction, Fate::Included(head.hash));
        }
        for transaction in draft.invalid {
            pool.remove(&transaction, Fate::Invalid);
        }
        Ok(head)
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool
            .lock()
            .expect("nothing panics while it holds the pool")
    }
}

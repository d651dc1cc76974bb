//! The runtime, run natively over a state.
//!
//! Every entry into the runtime is guarded: natively a runtime panics where WASM would trap, and no panic may
//! reach a lock or end the node. No lock is held while the runtime runs.

use crate::{
    beacon,
    drand::Endpoint,
    storage::{NewNodes, Nodes, Storage, StorageError},
    transaction::Transaction,
};
use agon_runtime::{
    AccountId, Executive, Header, Nonce, Runtime, RuntimeCall, System, UncheckedExtrinsic, api,
    genesis::{self, Genesis, GenesisError},
};
use codec::Encode;
use pallet_timestamp::{Call as TimestampCall, Now};
use sp_core::{Get, H256, storage::StateVersion};
use sp_runtime::{
    traits::{BlakeTwo256, Header as _},
    transaction_validity::{
        InvalidTransaction, TransactionSource, TransactionValidity, TransactionValidityError,
    },
};
use sp_state_machine::{
    Backend, Ext, InMemoryBackend, IterArgs, OverlayedChanges, TrieBackend, TrieBackendBuilder,
};
use sp_trie::cache::{CacheSize, LocalTrieCache, SharedTrieCache};
use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
};

/// Decoded trie nodes and values kept in memory.
const TRIE_CACHE_BYTES: usize = 32 << 20;

/// The stack a runtime call runs on: calls nested as deeply as FRAME allows need more than a thread's default.
const STACK_BYTES: usize = 16 << 20;

/// A runtime function that panicked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the runtime panicked: {0}")]
pub struct Panicked(String);

impl From<Box<dyn Any + Send>> for Panicked {
    fn from(payload: Box<dyn Any + Send>) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned());
        Self(
            text.or_else(|| payload.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "no message".into()),
        )
    }
}

/// Why a state cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There is no such block.
    #[error("UnknownBlock: State already discarded for {0:?}")]
    UnknownBlock(H256),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A trie node is missing or damaged.
    #[error("the state cannot be read: {0}")]
    Trie(String),
    /// The runtime panicked.
    #[error(transparent)]
    Runtime(#[from] Panicked),
}

/// Why a block cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The state before the block cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The runtime panicked outside of a transaction.
    #[error(transparent)]
    Runtime(#[from] Panicked),
    /// The runtime does not take the block's time.
    #[error("the runtime refused the block's timestamp {0}")]
    Timestamp(u64),
    /// The changes do not lead to the root the runtime computed.
    #[error("the state root of block {0} is not the one its header states")]
    Root(u32),
}

/// Why a chain cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The endowments are unusable.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The runtime panicked.
    #[error(transparent)]
    Runtime(#[from] Panicked),
    /// The changes cannot be collected.
    #[error("the genesis state cannot be computed: {0}")]
    Trie(String),
}

/// A block that is made but not yet stored.
pub struct Draft {
    /// Its header, the state root after it included.
    pub header: Header,
    /// Its extrinsics, each with its length prefix; the first sets the time, and the beacon's pulses may follow.
    pub body: Vec<Vec<u8>>,
    /// The trie nodes it adds.
    pub nodes: NewNodes,
    /// The transactions in it.
    pub included: Vec<Arc<Transaction>>,
    /// The transactions that can stand in no block.
    pub invalid: Vec<Arc<Transaction>>,
}

/// Makes states readable and blocks.
pub struct Engine {
    cache: SharedTrieCache<BlakeTwo256>,
    endpoint: Option<Endpoint>,
}

impl Engine {
    /// An engine with an empty cache; `endpoint` as [`beacon::due_pulses`] takes it.
    pub fn new(endpoint: Option<Endpoint>) -> Self {
        Self {
            cache: SharedTrieCache::new(CacheSize::new(TRIE_CACHE_BYTES), None),
            endpoint,
        }
    }

    /// The state after a block.
    pub fn state(&self, storage: &Storage, header: &Header) -> Result<State, StorageError> {
        Ok(State(
            TrieBackendBuilder::new(storage.nodes()?, header.state_root)
                .with_cache(self.cache.local_cache_untrusted())
                .build(),
        ))
    }

    /// Makes the block after `parent` at `time` (milliseconds since 1970, moved on where the chain's own time is
    /// later), trying `candidates` in order. A candidate that fails holds back the rest of its sender's.
    pub fn draft(
        &self,
        storage: &Storage,
        parent: &Header,
        time: u64,
        candidates: &[Arc<Transaction>],
    ) -> Result<Draft, SealError> {
        let state = self.state(storage, parent)?;
        on_deep_stack(|| draft(&state, parent, time, candidates, self.endpoint.as_ref()))?
    }
}

/// The state after one block.
pub struct State(TrieBackend<Nodes, BlakeTwo256, LocalTrieCache<BlakeTwo256>>);

impl State {
    /// The value under a storage key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.0.storage(key).map_err(ReadError::Trie)
    }

    /// At most `count` keys that begin with `prefix` and come after `start`, sorted.
    pub fn keys(
        &self,
        prefix: &[u8],
        start: Option<&[u8]>,
        count: usize,
    ) -> Result<Vec<Vec<u8>>, ReadError> {
        let mut arguments = IterArgs::default();
        arguments.prefix = Some(prefix);
        arguments.start_at = start;
        arguments.start_at_exclusive = true;
        let keys = self.0.keys(arguments).map_err(ReadError::Trie)?;
        keys.take(count)
            .collect::<Result<_, _>>()
            .map_err(ReadError::Trie)
    }

    /// Calls a runtime function, dropping what it writes; `None` when there is no such function.
    pub fn call(&self, function: &str, arguments: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.read(|| api::dispatch(function, arguments))
    }

    /// Judges a transaction as if it stood in the next block; `parent` is the block this state belongs to.
    pub fn validate(
        &self,
        extrinsic: UncheckedExtrinsic,
        parent: H256,
    ) -> Result<TransactionValidity, ReadError> {
        self.read(|| {
            Executive::validate_transaction(TransactionSource::External, extrinsic, parent)
        })
    }

    /// The next nonce of each account.
    pub fn nonces(
        &self,
        accounts: Vec<AccountId>,
    ) -> Result<BTreeMap<AccountId, Nonce>, ReadError> {
        self.read(|| {
            let nonce = |account| (System::account_nonce(&account), account);
            accounts
                .into_iter()
                .map(nonce)
                .map(|(nonce, account)| (account, nonce))
                .collect()
        })
    }

    fn read<R: Send>(&self, f: impl FnOnce() -> R + Send) -> Result<R, ReadError> {
        Ok(on_deep_stack(|| {
            enter(&mut OverlayedChanges::default(), &self.0, f)
        })??)
    }
}

/// The genesis block's header and the trie nodes of its state.
pub fn begin(genesis: &Genesis) -> Result<(Header, NewNodes), BeginError> {
    on_deep_stack(|| {
        let empty = InMemoryBackend::<BlakeTwo256>::default();
        let mut overlay = OverlayedChanges::default();
        enter(&mut overlay, &empty, || genesis::build(genesis))??;
        let (state_root, nodes) = changes(&mut overlay, &empty).map_err(BeginError::Trie)?;
        let no_extrinsics = sp_trie::empty_trie_root::<sp_trie::LayoutV1<BlakeTwo256>>();
        Ok((
            Header::new(
                0,
                no_extrinsics,
                state_root,
                H256::zero(),
                Default::default(),
            ),
            nodes,
        ))
    })?
}

fn draft(
    State(backend): &State,
    parent: &Header,
    time: u64,
    candidates: &[Arc<Transaction>],
    endpoint: Option<&Endpoint>,
) -> Result<Draft, SealError> {
    let mut overlay = OverlayedChanges::default();
    let number = parent.number + 1;
    let open = Header::new(
        number,
        H256::zero(),
        H256::zero(),
        parent.hash(),
        Default::default(),
    );
    let inherent = enter(&mut overlay, backend, || {
        Executive::initialize_block(&open);
        let period: u64 = <Runtime as pallet_timestamp::Config>::MinimumPeriod::get();
        let earliest = Now::<Runtime>::get().saturating_add(period);
        let now = time.max(earliest);
        let inherent =
            UncheckedExtrinsic::new_bare(RuntimeCall::Timestamp(TimestampCall::set { now }));
        let encoded = inherent.encode();
        match Executive::apply_extrinsic(inherent) {
            Ok(Ok(())) => Ok(encoded),
            _ => Err(SealError::Timestamp(now)),
        }
    })??;

    let mut body = vec![inherent];
    let pulses = enter(&mut overlay, backend, || beacon::due_pulses(endpoint))?;
    if let Some(pulses) = pulses {
        let bytes = pulses.encode();
        match attempt(&mut overlay, backend, || Executive::apply_extrinsic(pulses)) {
            Ok(Ok(outcome)) => {
                body.push(bytes);
                if let Err(error) = outcome {
                    tracing::error!(?error, "the beacon's pulses were refused");
                }
            }
            Ok(Err(error)) => tracing::error!(?error, "the beacon's pulses were left out"),
            Err(panicked) => tracing::error!(%panicked, "the beacon's pulses were left out"),
        }
    }
    let (mut included, mut invalid) = (Vec::new(), Vec::new());
    let mut held_back = BTreeSet::new();
    for candidate in candidates {
        if held_back.contains(&candidate.sender) {
            continue;
        }
        let outcome = attempt(&mut overlay, backend, || {
            Executive::apply_extrinsic(candidate.extrinsic.clone())
        });
        match outcome {
            Ok(Ok(_)) => {
                body.push(candidate.bytes.clone());
                included.push(candidate.clone());
                continue;
            }
            Ok(Err(TransactionValidityError::Invalid(InvalidTransaction::ExhaustsResources)))
                if !included.is_empty() =>
            {
                break; // the block is full; the rest waits for the next one
            }
            Ok(Err(error)) => {
                tracing::debug!(hash = ?candidate.hash, ?error, "transaction dropped")
            }
            Err(panicked) => {
                tracing::error!(hash = ?candidate.hash, %panicked, "transaction dropped")
            }
        }
        held_back.insert(candidate.sender.clone());
        invalid.push(candidate.clone());
    }

    let header = enter(&mut overlay, backend, Executive::finalize_block)?;
    let (root, nodes) = changes(&mut overlay, backend).map_err(ReadError::Trie)?;
    if root != header.state_root {
        return Err(SealError::Root(number));
    }
    Ok(Draft {
        header,
        body,
        nodes,
        included,
        invalid,
    })
}

/// Runs `f` in the runtime's externalities: reads come from `overlay` and below it `backend`, writes stay in `overlay`.
fn enter<B: Backend<BlakeTwo256>, R>(
    overlay: &mut OverlayedChanges<BlakeTwo256>,
    backend: &B,
    f: impl FnOnce() -> R,
) -> Result<R, Panicked> {
    let mut externalities = Ext::new(overlay, backend, None);
    catch_unwind(AssertUnwindSafe(|| {
        sp_externalities::set_and_run_with_externalities(&mut externalities, f)
    }))
    .map_err(Panicked::from)
}

/// Enters the runtime and keeps what `f` writes only when it succeeds.
fn attempt<B: Backend<BlakeTwo256>, R, E>(
    overlay: &mut OverlayedChanges<BlakeTwo256>,
    backend: &B,
    f: impl FnOnce() -> Result<R, E>,
) -> Result<Result<R, E>, Panicked> {
    overlay.start_transaction();
    let outcome = enter(overlay, backend, f);
    if let Ok(Ok(_)) = outcome {
        overlay
            .commit_transaction()
            .expect("opened above, and FRAME closes its own");
        return outcome;
    }
    // A panic leaves the runtime's own storage transactions open inside ours.
    while overlay.transaction_depth() > 0 {
        overlay
            .rollback_transaction()
            .expect("the depth says that one is open");
    }
    outcome
}

/// The root after the overlay's changes, and the trie nodes they add. Nodes they make obsolete are kept, for the past.
fn changes<B: Backend<BlakeTwo256>>(
    overlay: &mut OverlayedChanges<BlakeTwo256>,
    backend: &B,
) -> Result<(H256, NewNodes), String> {
    let mut changes = overlay.drain_storage_changes(backend, StateVersion::V1)?;
    let nodes = changes.transaction.drain().into_iter();
    let added = nodes
        .filter(|(_, (_, references))| *references > 0)
        .map(|(key, (node, _))| (key, node));
    Ok((changes.transaction_storage_root, added.collect()))
}

/// Runs `f` on a thread of its own with room for deep recursion; the stack's pages cost nothing until touched.
fn on_deep_stack<R: Send>(f: impl FnOnce() -> R + Send) -> Result<R, Panicked> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("runtime".into())
            .stack_size(STACK_BYTES);
        match thread.spawn_scoped(scope, f) {
            Ok(running) => running.join().map_err(Panicked::from),
            Err(error) => Err(Panicked(format!("it was not started: {error}"))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sp_io::storage;

    #[test]
    fn a_panic_leaves_no_trace_in_the_state() {
        let backend = InMemoryBackend::<BlakeTwo256>::default();
        let mut overlay = OverlayedChanges::default();
        let mut try_to = |f: fn() -> Result<(), ()>| attempt(&mut overlay, &backend, f);
        let kept = || {
            storage::set(b"kept", b"1");
            Ok(())
        };
        assert_eq!(try_to(kept), Ok(Ok(())));
        let panics = || {
            storage::set(b"kept", b"2");
            storage::start_transaction();
            storage::start_transaction();
            storage::set(b"lost", b"3");
            panic!("as a runtime may")
        };
        assert_eq!(try_to(panics), Err(Panicked("as a runtime may".into())));
        let fails = || {
            storage::set(b"lost", b"4");
            Err(())
        };
        assert_eq!(try_to(fails), Ok(Err(())));
        let read = || (storage::get(b"kept"), storage::get(b"lost"));
        let (kept, lost) = enter(&mut overlay, &backend, read).expect("reading does not panic");
        assert_eq!((kept.as_deref(), lost), (Some(&b"1"[..]), None));
        assert_eq!(overlay.transaction_depth(), 0);
    }
}

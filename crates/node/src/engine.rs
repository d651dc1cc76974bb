//! The runtime, run natively over a state.
//!
//! Every entry into the runtime is guarded: natively a runtime panics where WASM would trap, and no panic may
//! reach a lock or end the node. No lock is held while the runtime runs.

use crate::{
    beacon,
    drand::Endpoint,
    shield,
    storage::{NodeChanges, Nodes, Storage, StorageError},
    transaction::Transaction,
    workers::Workers,
};
use agon_runtime::{
    AccountId, Balance, Executive, Header, Nonce, Runtime, RuntimeCall, SubtensorModule,
    UncheckedExtrinsic, api,
    genesis::{self, Genesis, GenesisError, SetBalanceError},
    verified,
};
use codec::{Decode, Encode};
use pallet_timestamp::{Call as TimestampCall, Now};
use sp_core::{
    Get, H256,
    storage::StateVersion,
    traits::{ReadRuntimeVersion, ReadRuntimeVersionExt},
};
use sp_externalities::{Extensions, Externalities};
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
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// Decoded trie nodes and values kept in memory.
const TRIE_CACHE_BYTES: usize = 32 << 20;

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
    /// There is no such block, or its state is deleted. Clients match these words.
    #[error("UnknownBlock: State already discarded for {0:?}")]
    Discarded(H256),
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
    /// A balance cannot be set as asked. Nothing was made.
    #[error(transparent)]
    Balance(#[from] SetBalanceError),
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
    /// The block.
    pub block: Block,
    /// What it does to the trie.
    pub nodes: NodeChanges,
}

/// A block and what became of those who wanted to be in it.
pub struct Block {
    /// Its header, the state root after it included.
    pub header: Header,
    /// Its extrinsics, each with its length prefix: what sets the time, the beacon's pulses where they are due, then the
    /// transactions, each followed by what it shields.
    pub body: Vec<Vec<u8>>,
    /// The transactions in it that waited in the pool: not those that came in shielded.
    pub included: Vec<Arc<Transaction>>,
    /// The transactions that can stand in no block.
    pub invalid: Vec<Arc<Transaction>>,
}

/// Makes states readable and blocks.
pub struct Engine {
    cache: SharedTrieCache<BlakeTwo256>,
    workers: Arc<Workers>,
    endpoint: Option<Endpoint>,
}

impl Engine {
    /// The threads on which the runtime runs.
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// An engine with an empty cache; `endpoint` as [`beacon::due_pulses`] takes it.
    pub fn new(workers: Arc<Workers>, endpoint: Option<Endpoint>) -> Self {
        Self {
            cache: SharedTrieCache::new(CacheSize::new(TRIE_CACHE_BYTES), None),
            workers,
            endpoint,
        }
    }

    /// The state after a block.
    pub fn state(&self, storage: &Storage, header: &Header) -> Result<State, ReadError> {
        let nodes = storage.nodes(header.number)?;
        let nodes = nodes.ok_or_else(|| ReadError::Discarded(header.hash()))?;
        let backend = TrieBackendBuilder::new(nodes, header.state_root)
            .with_cache(self.cache.local_cache_untrusted())
            .build();
        Ok(State {
            backend: Arc::new(backend),
            workers: self.workers.clone(),
        })
    }

    /// Makes the block after `parent` at `time` (milliseconds since 1970, moved on where the chain's own time is
    /// later), first setting an account's balance if asked, then trying `candidates`, whose signatures have been judged,
    /// in order. A candidate that fails holds back the rest of its sender's. Needs a thread with a deep stack.
    pub fn draft(
        &self,
        storage: &Storage,
        parent: &Header,
        time: u64,
        set_balance: Option<&(AccountId, Balance)>,
        candidates: &[Arc<Transaction>],
    ) -> Result<Draft, SealError> {
        let state = self.state(storage, parent)?;
        let before = |overlay: &mut OverlayedChanges<BlakeTwo256>| {
            set_balance.map_or(Ok(()), |(account, balance)| {
                attempt(overlay, &*state.backend, || {
                    genesis::set_balance(account, *balance)
                })?
                .map_err(SealError::from)
            })
        };
        draft(
            &state.backend,
            parent,
            time,
            before,
            candidates,
            self.endpoint.as_ref(),
        )
    }
}

#[cfg(feature = "fuzzing")]
impl Engine {
    /// Makes `count` blocks twelve seconds apart upon `parent`, the first with `candidates`, and keeps none of them;
    /// only the first if it takes none of the candidates.
    /// Returns the transactions in the first, and what `look` finds in the state after the last. Needs a thread with
    /// a deep stack.
    pub fn rehearse<R>(
        &self,
        storage: &Storage,
        parent: &Header,
        candidates: &[Arc<Transaction>],
        count: u32,
        look: impl FnOnce() -> R,
    ) -> Result<(Vec<Arc<Transaction>>, R), SealError> {
        let state = self.state(storage, parent)?;
        let mut time = state.time()?;
        let mut overlay = OverlayedChanges::default();
        let (mut parent, mut included) = (parent.clone(), Vec::new());
        for index in 0..count {
            let candidates = if index == 0 { candidates } else { &[] };
            if index == 1 && included.is_empty() {
                break; // the blocks that follow are the same each time
            }
            time += 12_000;
            let nothing = |_: &mut OverlayedChanges<BlakeTwo256>| Ok(());
            let backend = &state.backend;
            let block = block(
                &mut overlay,
                backend,
                &parent,
                time,
                nothing,
                candidates,
                None,
            )?;
            included.extend(block.included);
            parent = block.header;
        }
        let found = enter(&mut overlay, &*state.backend, look)?;
        Ok((included, found))
    }
}

/// A state's trie.
type StateBackend = TrieBackend<Nodes, BlakeTwo256, LocalTrieCache<BlakeTwo256>>;

/// The state after one block.
pub struct State {
    backend: Arc<StateBackend>,
    workers: Arc<Workers>,
}

impl State {
    /// The value under a storage key.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.backend.storage(key).map_err(ReadError::Trie)
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
        let keys = self.backend.keys(arguments).map_err(ReadError::Trie)?;
        keys.take(count)
            .collect::<Result<_, _>>()
            .map_err(ReadError::Trie)
    }

    /// Calls a runtime function, dropping what it writes; `None` when there is no such function.
    pub fn call(&self, function: &str, arguments: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let (function, arguments) = (function.to_owned(), arguments.to_owned());
        self.read(move || api::dispatch(&function, &arguments))
    }

    /// Judges a transaction as if it stood in the next block; `parent` is the block this state belongs to. Needs a thread
    /// with a deep stack.
    pub fn validate(
        &self,
        extrinsic: UncheckedExtrinsic,
        parent: H256,
    ) -> Result<TransactionValidity, ReadError> {
        let judge =
            || Executive::validate_transaction(TransactionSource::External, extrinsic, parent);
        let mut overlay = OverlayedChanges::default();
        Ok(enter(&mut overlay, &*self.backend, judge)?)
    }

    /// The next nonce of an account. Reads the record itself: neither a thread nor the runtime is needed.
    pub fn nonce(&self, account: &AccountId) -> Result<Nonce, ReadError> {
        let record = self.get(&frame_system::Account::<Runtime>::hashed_key_for(account))?;
        let nonce = record.map(|record| Nonce::decode(&mut &record[..]));
        nonce
            .unwrap_or(Ok(0))
            .map_err(|error| ReadError::Trie(format!("the account record: {error}")))
    }

    /// The chain's own time, milliseconds since 1970; 0 after the genesis block.
    pub fn time(&self) -> Result<u64, ReadError> {
        let now = self.get(&Now::<Runtime>::hashed_key())?;
        let now = now.map(|now| u64::decode(&mut &now[..]));
        now.unwrap_or(Ok(0))
            .map_err(|error| ReadError::Trie(format!("the time: {error}")))
    }

    /// The block of a subnet's next epoch; none when it does not exist or has no epochs.
    pub fn next_epoch(&self, netuid: u16) -> Result<Option<u64>, ReadError> {
        self.read(move || SubtensorModule::next_epoch_start_block(netuid))
    }

    fn read<R: Send + 'static>(
        &self,
        f: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, ReadError> {
        let backend = self.backend.clone();
        let entered = self
            .workers
            .run(move || enter(&mut OverlayedChanges::default(), &*backend, f));
        Ok(entered.map_err(Panicked::from)??)
    }
}

/// The genesis block's header and the trie nodes of its state.
pub fn begin(genesis: &Genesis) -> Result<(Header, NodeChanges), BeginError> {
    let empty = InMemoryBackend::<BlakeTwo256>::default();
    let mut overlay = OverlayedChanges::default();
    enter(&mut overlay, &empty, || {
        shield::put_key();
        genesis::build(genesis)
    })??;
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
}

fn draft(
    backend: &StateBackend,
    parent: &Header,
    time: u64,
    before: impl FnOnce(&mut OverlayedChanges<BlakeTwo256>) -> Result<(), SealError>,
    candidates: &[Arc<Transaction>],
    endpoint: Option<&Endpoint>,
) -> Result<Draft, SealError> {
    let mut overlay = OverlayedChanges::default();
    let block = block(
        &mut overlay,
        backend,
        parent,
        time,
        before,
        candidates,
        endpoint,
    )?;
    let (root, nodes) = changes(&mut overlay, backend).map_err(ReadError::Trie)?;
    if root != block.header.state_root {
        return Err(SealError::Root(block.header.number));
    }
    Ok(Draft { block, nodes })
}

/// Makes a block upon a state; what it changes is left in `overlay`.
fn block(
    overlay: &mut OverlayedChanges<BlakeTwo256>,
    backend: &StateBackend,
    parent: &Header,
    time: u64,
    before: impl FnOnce(&mut OverlayedChanges<BlakeTwo256>) -> Result<(), SealError>,
    candidates: &[Arc<Transaction>],
    endpoint: Option<&Endpoint>,
) -> Result<Block, SealError> {
    let number = parent.number + 1;
    let open = Header::new(
        number,
        H256::zero(),
        H256::zero(),
        parent.hash(),
        Default::default(),
    );
    let inherent = enter(overlay, backend, || {
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

    before(overlay)?;
    let mut body = vec![inherent];
    if let Some(pulses) = enter(overlay, backend, || beacon::due_pulses(endpoint))? {
        let bytes = pulses.encode();
        match attempt(overlay, backend, || Executive::apply_extrinsic(pulses)) {
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
        let outcome = attempt(overlay, backend, || {
            verified::apply(candidate.extrinsic.clone(), candidate.bytes.clone())
        });
        match outcome {
            Ok(Ok(outcome)) => {
                body.push(candidate.bytes.clone());
                included.push(candidate.clone());
                if outcome.is_ok() {
                    body.extend(unshielded(overlay, backend, candidate));
                }
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

    let header = enter(overlay, backend, Executive::finalize_block)?;
    Ok(Block {
        header,
        body,
        included,
        invalid,
    })
}

/// Applies what a transaction in the block shields, and gives its bytes if it stands in the block too.
fn unshielded(
    overlay: &mut OverlayedChanges<BlakeTwo256>,
    backend: &StateBackend,
    outer: &Transaction,
) -> Option<Vec<u8>> {
    let left_out = |reason: &dyn std::error::Error| {
        tracing::info!(hash = ?outer.hash, %reason, "what a transaction shields was left out");
    };
    let panicked = |panicked: Panicked| {
        tracing::error!(hash = ?outer.hash, %panicked, "what a transaction shields was left out");
    };
    // Neither the cipher nor the codec should panic, but what they work on comes from outside.
    let inner = catch_unwind(|| shield::inner(&outer.extrinsic))
        .map_err(|payload| panicked(payload.into()))
        .ok()??
        .inspect_err(|error| left_out(error))
        .ok()?;
    attempt(overlay, backend, || {
        Executive::apply_extrinsic(inner.extrinsic.clone())
    })
    .map_err(panicked)
    .ok()?
    .inspect_err(|error| left_out(error))
    .ok()
    // With a call that failed it stands in the block as well.
    .map(|_| inner.bytes)
}

/// Runs `f` in the runtime's externalities: reads come from `overlay` and below it `backend`, writes stay in `overlay`.
fn enter<B: Backend<BlakeTwo256>, R>(
    overlay: &mut OverlayedChanges<BlakeTwo256>,
    backend: &B,
    f: impl FnOnce() -> R,
) -> Result<R, Panicked> {
    let mut extensions = Extensions::new();
    extensions.register(ReadRuntimeVersionExt::new(NoCode));
    let mut externalities = Ext::new(overlay, backend, Some(&mut extensions));
    catch_unwind(AssertUnwindSafe(|| {
        sp_externalities::set_and_run_with_externalities(&mut externalities, f)
    }))
    .map_err(Panicked::from)
}

/// Finds no version in any code: the program holds the one runtime there is. Whoever asks would panic without an
/// answer, and a call that brings code asks.
struct NoCode;

impl ReadRuntimeVersion for NoCode {
    fn read_runtime_version(&self, _: &[u8], _: &mut dyn Externalities) -> Result<Vec<u8>, String> {
        Err("the runtime is not replaced by code".into())
    }
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

/// The root after the overlay's changes, the trie nodes they add and those they make obsolete.
fn changes<B: Backend<BlakeTwo256>>(
    overlay: &mut OverlayedChanges<BlakeTwo256>,
    backend: &B,
) -> Result<(H256, NodeChanges), String> {
    let mut changes = overlay.drain_storage_changes(backend, StateVersion::V1)?;
    let mut nodes = NodeChanges::default();
    for (key, (node, references)) in changes.transaction.drain() {
        // A node's place is part of its key, so the count says only whether it comes, goes or stays.
        match references.signum() {
            1 => nodes.added.push((key, node)),
            -1 => nodes.removed.push(key),
            _ => {}
        }
    }
    Ok((changes.transaction_storage_root, nodes))
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

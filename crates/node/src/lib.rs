//! A chain node for one machine: runs the runtime natively, keeps every block and state in one database file, seals
//! a block each block time and serves the Substrate JSON-RPC over WebSocket and HTTP.
//!
//! A block is final as soon as it is durable. Every past state stays readable, unless the chain was begun to keep only
//! those of its newest blocks.
//!
//! What it refuses to do: it has no consensus, no peers and no keys; it knows the rules of the chain only through the
//! runtime's entry points; it never judges what a transaction means. A network of several machines is the public
//! chain's business.

mod author;
mod beacon;
mod chain;
mod drand;
mod engine;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod genesis;
pub mod measures;
mod pool;
mod rpc;
mod shield;
pub mod snapshot;
mod storage;
mod transaction;
mod workers;

pub use agon_runtime::genesis::Genesis;
pub use author::{BlockTime, MAX_ORDERED};
pub use chain::ContinueError;
pub use drand::BadUrl;
pub use engine::{BeginError, Panicked, ReadError};
pub use rpc::{Limits, Origins};
pub use storage::{OpenError, StorageError, Window};

use author::Author;
use chain::Chain;
use rpc::{Rpc, Serving};
use std::{
    future, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    thread,
};
use storage::Storage;
use tokio::{
    sync::watch,
    task::{JoinError, spawn_blocking},
};
use tokio_util::sync::CancellationToken;
use workers::Workers;

/// What a node is started with. [`NodeOptions::default`] names the rest.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// The database file, created when absent; `None` keeps the chain in memory.
    pub database: Option<PathBuf>,
    /// Where to serve. Port 0 takes any free port. Anything but a loopback address lets other machines in.
    pub listen: SocketAddr,
    /// When blocks are made.
    pub block_time: BlockTime,
    /// The first state: it must be the one the database was begun with. `None` continues whatever the database holds
    /// and begins the development network where it holds nothing.
    pub genesis: Option<Genesis>,
    /// How many newest blocks keep their state; `None` keeps every state. It cannot change from one to the other.
    pub pruning: Window,
    /// Whether `dev_*` is served, which can set balances and make blocks.
    pub development: bool,
    /// Which web pages may speak to the node.
    pub origins: Origins,
    /// Bounds on what clients may take.
    pub limits: Limits,
    /// Where the pulses of the chain's randomness beacon are fetched: the URL of a drand HTTP endpoint. On a chain that
    /// trusts the development beacon the node makes them itself.
    pub beacon_url: Option<String>,
}

impl Default for NodeOptions {
    /// An archive of the development network in memory, on any free port of this machine, with the public chain's
    /// block time.
    fn default() -> Self {
        Self {
            database: None,
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            block_time: BlockTime::Every(author::PUBLIC_BLOCK_TIME),
            genesis: None,
            pruning: None,
            development: false,
            origins: Origins::default(),
            limits: Limits::default(),
            beacon_url: None,
        }
    }
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database cannot be continued with these options.
    #[error(transparent)]
    Continue(#[from] ContinueError),
    /// The beacon's URL is unusable.
    #[error(transparent)]
    BeaconUrl(#[from] BadUrl),
    /// Something else listens there.
    #[error("{address} is in use by another program; stop it or choose another port")]
    AddressInUse {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The newest state cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The machine gives no thread.
    #[error("cannot start a thread: {0}; lower the load or raise the limit on processes")]
    Thread(io::Error),
    /// Opening the database panicked, or the tokio runtime is shutting down.
    #[error("the node was interrupted while it opened its database: {0}")]
    Interrupted(#[from] JoinError),
}

/// Why a running node gave up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("block {number} could not be sealed: {reason}")]
pub struct Failure {
    /// The block that was to be sealed.
    pub number: u32,
    /// What went wrong.
    pub reason: String,
}

/// A running node. Dropping it stops it without waiting; [`Node::stop`] waits.
pub struct Node {
    genesis: sp_core::H256,
    server: Rpc,
    author: Option<thread::JoinHandle<()>>,
    stop: StopOnDrop,
    failure: watch::Receiver<Option<Failure>>,
    closed: CancellationToken,
}

struct StopOnDrop(author::Handle);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Node {
    /// Opens or begins the chain, serves it and starts to seal. Call it on a tokio runtime.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(options: NodeOptions) -> Result<Self, StartError> {
        measures::describe();
        let NodeOptions {
            database,
            listen,
            block_time,
            genesis,
            pruning,
            development,
            origins,
            limits,
            beacon_url,
        } = options;
        let endpoint = beacon_url
            .map(|url| drand::Endpoint::new(&url))
            .transpose()?;
        let snapshots = database
            .as_ref()
            .map(|path| path.with_file_name("snapshots"));
        let closed = CancellationToken::new();
        let closing = closed.clone();
        let opened = spawn_blocking(move || {
            let storage = match database {
                Some(path) => Storage::open(&path, pruning)?,
                None => Storage::in_memory(pruning)?,
            };
            let workers = Arc::new(Workers::start().map_err(StartError::Thread)?);
            let chain = Chain::open(storage, genesis.as_ref(), workers, endpoint, closing)?;
            Ok::<_, StartError>(Arc::new(chain))
        });
        let chain = opened.await??;
        let (author, handle) = Author::new(chain.clone(), block_time)?;
        let first = chain.header(0).map_err(ContinueError::from)?;
        let genesis = first.map(|header| header.hash()).unwrap_or_default();
        let serving = Serving {
            listen,
            origins,
            limits,
            development,
            snapshots,
        };
        let server = Rpc::start(serving, chain.clone(), handle.clone())
            .await
            .map_err(|source| match source.kind() {
                io::ErrorKind::AddrInUse => StartError::AddressInUse { address: listen },
                _ => StartError::Listen {
                    address: listen,
                    source,
                },
            })?;
        let address = server.address();
        if !address.ip().is_loopback() {
            tracing::warn!(%address, development, "other machines can reach the node, and it admits everybody");
        }
        tracing::info!(%address, number = chain.head().header.number, "the node is serving");

        let (report, failure) = watch::channel(None);
        let stopping = server.handle();
        let give_up = move |failure| {
            report.send_replace(Some(failure));
            // Serving a chain that stands still would look like health.
            let _ = stopping.stop();
        };
        let author = author.start(give_up).map_err(StartError::Thread)?;
        Ok(Self {
            genesis,
            server,
            author: Some(author),
            stop: StopOnDrop(handle),
            failure,
            closed,
        })
    }

    /// The hash of the genesis block, which names the chain.
    pub fn genesis_hash(&self) -> sp_core::H256 {
        self.genesis
    }

    /// The address the node listens on, its real port included.
    pub fn local_address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Where a client on this machine connects: `ws://127.0.0.1:port`.
    pub fn url(&self) -> String {
        let host = match self.local_address().ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        format!(
            "ws://{}",
            SocketAddr::new(host, self.local_address().port())
        )
    }

    /// Waits until the node has given up sealing, for instance because the disk is full. It serves no longer then.
    pub async fn failed(&self) -> Failure {
        let mut failure = self.failure.clone();
        match failure.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(failure)) => failure.clone(),
            _ => future::pending().await,
        }
    }

    /// Stops sealing after the block under way, closes every connection, then the database: when this returns, the
    /// file can be opened again.
    pub async fn stop(mut self) {
        drop(self.stop);
        let author = self.author.take();
        let ended = spawn_blocking(move || author.map(thread::JoinHandle::join)).await;
        if !matches!(ended, Ok(Some(Ok(())))) {
            tracing::error!("the block author did not end well");
        }
        self.server.stop().await;
        self.closed.cancelled().await;
    }
}

//! A chain node for one machine: runs the runtime natively, keeps every block and state in one database file, seals
//! a block each block time and serves the Substrate JSON-RPC over WebSocket and HTTP.
//!
//! A block is final as soon as it is durable. Every past state stays readable.
//!
//! What it refuses to do: it has no consensus, no peers and no keys; it knows the rules of the chain only through the
//! runtime's entry points; it never judges what a transaction means. A network of several machines is the public
//! chain's business.

mod author;
mod beacon;
mod chain;
mod drand;
mod engine;
pub mod genesis;
mod pool;
mod rpc;
mod storage;
mod transaction;

pub use agon_runtime::genesis::Genesis;
pub use chain::ContinueError;
pub use drand::BadUrl;
pub use engine::{BeginError, Panicked};
pub use storage::{OpenError, StorageError};

use chain::Chain;
use jsonrpsee::server::ServerHandle;
use std::{
    future, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use storage::Storage;
use tokio::{
    sync::watch,
    task::{JoinError, JoinHandle, spawn_blocking},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// What a node is started with.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// The database file, created when absent; `None` keeps the chain in memory.
    pub database: Option<PathBuf>,
    /// Where to serve. Port 0 takes any free port. Anything but a loopback address lets other machines in.
    pub listen: SocketAddr,
    /// The time between two blocks, at least a millisecond.
    pub block_time: Duration,
    /// The first state. It must be the one the database was created with.
    pub genesis: Genesis,
    /// Where the pulses of the chain's randomness beacon are fetched: the URL of a drand HTTP endpoint. On a chain that
    /// trusts the development beacon the node makes them itself.
    pub beacon_url: Option<String>,
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
    address: SocketAddr,
    server: ServerHandle,
    author: JoinHandle<()>,
    stop: DropGuard,
    failure: watch::Receiver<Option<Failure>>,
    closed: CancellationToken,
}

impl Node {
    /// Opens or begins the chain, serves it and starts to seal. Call it on a tokio runtime.
    pub async fn start(options: NodeOptions) -> Result<Self, StartError> {
        let NodeOptions {
            database,
            listen,
            block_time,
            genesis,
            beacon_url,
        } = options;
        let endpoint = beacon_url
            .map(|url| drand::Endpoint::new(&url))
            .transpose()?;
        let closed = CancellationToken::new();
        let closing = closed.clone();
        let opened = spawn_blocking(move || {
            let storage = database.map_or_else(Storage::in_memory, |path| Storage::open(&path))?;
            Ok::<_, StartError>(Arc::new(Chain::open(storage, &genesis, endpoint, closing)?))
        });
        let chain = opened.await??;
        let (address, server) =
            rpc::serve(listen, chain.clone())
                .await
                .map_err(|source| match source.kind() {
                    io::ErrorKind::AddrInUse => StartError::AddressInUse { address: listen },
                    _ => StartError::Listen {
                        address: listen,
                        source,
                    },
                })?;
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "other machines can reach the node, and it admits everybody");
        }
        tracing::info!(%address, number = chain.head().header.number, "the node is serving");

        let stop = CancellationToken::new();
        let (report, failure) = watch::channel(None);
        let (stopping, handle) = (stop.clone(), server.clone());
        let author = tokio::spawn(async move {
            if let Err(failure) =
                author::run(chain, block_time.max(Duration::from_millis(1)), stopping).await
            {
                report.send_replace(Some(failure));
                // Serving a chain that stands still would look like health.
                let _ = handle.stop();
            }
        });
        Ok(Self {
            address,
            server,
            author,
            stop: stop.drop_guard(),
            failure,
            closed,
        })
    }

    /// The address the node listens on, its real port included.
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Where a client on this machine connects: `ws://127.0.0.1:port`.
    pub fn url(&self) -> String {
        let host = match self.address.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        format!("ws://{}", SocketAddr::new(host, self.address.port()))
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
    pub async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.author.await {
            tracing::error!(%error, "the block author did not end well");
        }
        // It errs when the node has failed and stopped by itself.
        let _ = self.server.stop();
        self.server.stopped().await;
        self.closed.cancelled().await;
    }
}

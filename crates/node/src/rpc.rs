//! The Substrate JSON-RPC, WebSocket and HTTP on one port.
//!
//! The classic methods only: clients use the `chainHead_v1` family as soon as `rpc_methods` names it, and none of
//! them needs it. A request that reads the state or the disk runs on a thread that may block.

mod author;
mod blocks;
mod development;
mod error;
mod origins;
mod state;
mod system;
mod traffic;

pub use origins::Origins;

use crate::{author::Handle, chain::Chain, measures::Open};
use jsonrpsee::{
    PendingSubscriptionSink, RpcModule, SubscriptionSink,
    core::{RegisterMethodError, middleware::RpcServiceBuilder},
    server::{
        BatchRequestConfig, PingConfig, RandomStringIdProvider, Server, ServerConfig, ServerHandle,
    },
};
use origins::OriginLayer;
use serde::Serialize;
use serde_json::{json, value::to_raw_value};
use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, thread, time::Duration};
use tokio::{
    runtime::{self, Runtime},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};
use traffic::Traffic;

/// Bounds on what clients may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Open connections; one more is refused with HTTP status 429.
    pub connections: u32,
    /// Subscriptions of one connection. The Rust client opens one for every transaction it submits.
    pub subscriptions_per_connection: u32,
    /// Subscriptions of all connections.
    pub subscriptions: u32,
    /// Bytes of a request.
    pub request_bytes: u32,
    /// Bytes of a response: a large subnet's neurons in hexadecimal are some.
    pub response_bytes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            subscriptions_per_connection: 4_096,
            subscriptions: 32_768,
            request_bytes: 8 << 20,
            response_bytes: 64 << 20,
        }
    }
}

const MAX_BATCH: u32 = 128;
/// Messages that wait for a slow reader before what makes them waits too.
const MESSAGE_BUFFER: u32 = 256;
/// How often a connection is asked whether it lives, and how long it may stay silent.
const PING: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(300));

/// How long a stop waits for clients to take their last answers.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

/// What the methods work on.
pub struct Api {
    chain: Arc<Chain>,
    author: Handle,
    /// Judging transactions is computation: as many at once as there are cores, in order of arrival.
    submissions: Semaphore,
    subscriptions: Arc<Semaphore>,
    snapshots: Option<PathBuf>,
}

type Module = RpcModule<Api>;

/// How to serve.
pub struct Serving {
    /// Where.
    pub listen: SocketAddr,
    /// Which web pages may ask.
    pub origins: Origins,
    /// How much.
    pub limits: Limits,
    /// Whether `dev_*` is served.
    pub development: bool,
    /// Where `dev_snapshot` writes; nowhere when the chain is in memory.
    pub snapshots: Option<PathBuf>,
}

/// A server that answers, on threads of its own: a client that does not read holds up what is sent to it for as long as
/// it likes, and these threads can be ended all the same.
pub struct Rpc {
    address: SocketAddr,
    handle: ServerHandle,
    threads: Threads,
}

struct Threads(Option<Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Rpc {
    /// Serves `chain` until [`Rpc::stop`] or until it is dropped, which does not wait.
    pub async fn start(serving: Serving, chain: Arc<Chain>, author: Handle) -> io::Result<Self> {
        let runtime = runtime::Builder::new_multi_thread()
            .thread_name("rpc")
            .enable_all()
            .build()?;
        let started = runtime.spawn(serve(serving, chain, author));
        let threads = Threads(Some(runtime));
        let (address, handle) = started
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))?;
        Ok(Self {
            address,
            handle,
            threads,
        })
    }

    /// The address that was bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What ends the server from elsewhere.
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Answers what was asked, if the clients take the answers soon, and closes every connection.
    pub async fn stop(mut self) {
        // It errs when the server has been stopped already.
        let _ = self.handle.stop();
        let stopped = self.handle.clone().stopped();
        if timeout(LAST_ANSWERS, stopped).await.is_err() {
            tracing::warn!("clients did not read their last answers; their connections are cut");
        }
        if let Some(runtime) = self.threads.0.take() {
            let ended = spawn_blocking(move || runtime.shutdown_timeout(LAST_ANSWERS)).await;
            ended.unwrap_or_else(|error| tracing::error!(%error, "the server did not end well"));
        }
    }
}

async fn serve(
    serving: Serving,
    chain: Arc<Chain>,
    author: Handle,
) -> io::Result<(SocketAddr, ServerHandle)> {
    let limits = serving.limits;
    let (every, silence) = PING;
    let configuration = ServerConfig::builder()
        .max_connections(limits.connections)
        .max_subscriptions_per_connection(limits.subscriptions_per_connection)
        .max_request_body_size(limits.request_bytes)
        .max_response_body_size(limits.response_bytes)
        .set_batch_request_config(BatchRequestConfig::Limit(MAX_BATCH))
        .set_message_buffer_capacity(MESSAGE_BUFFER)
        .enable_ws_ping(
            PingConfig::new()
                .ping_interval(every)
                .inactive_limit(silence),
        )
        // The Python clients expect subscription ids to be strings.
        .set_id_provider(RandomStringIdProvider::new(16))
        .build();
    let origins = OriginLayer(Arc::new(serving.origins));
    let server = Server::builder()
        .set_config(configuration)
        .set_http_middleware(tower::ServiceBuilder::new().layer(origins))
        .set_rpc_middleware(RpcServiceBuilder::new().layer_fn(Traffic::new))
        .build(serving.listen)
        .await?;
    let address = server.local_addr()?;
    let module = methods(
        chain,
        author,
        &limits,
        serving.development,
        serving.snapshots,
    );
    Ok((address, server.start(module)))
}

/// What is served, without a server.
pub fn methods(
    chain: Arc<Chain>,
    author: Handle,
    limits: &Limits,
    development: bool,
    snapshots: Option<PathBuf>,
) -> RpcModule<Api> {
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let api = Api {
        chain,
        author,
        submissions: Semaphore::new(cores.max(2)),
        subscriptions: Arc::new(Semaphore::new(limits.subscriptions as usize)),
        snapshots,
    };
    module(api, development).expect("every method name is registered once")
}

fn module(api: Api, development: bool) -> Result<Module, RegisterMethodError> {
    let mut module = RpcModule::new(api);
    author::register(&mut module)?;
    blocks::register(&mut module)?;
    state::register(&mut module)?;
    system::register(&mut module)?;
    if development {
        development::register(&mut module)?;
    }
    let mut names: Vec<&str> = module.method_names().chain(["rpc_methods"]).collect();
    names.sort_unstable();
    let methods = json!({ "methods": names });
    module.register_method("rpc_methods", move |_, _, _| methods.clone())?;
    Ok(module)
}

/// A subscription's place among those the node has room for.
struct Place {
    _permit: OwnedSemaphorePermit,
    _open: Open,
}

impl Api {
    /// A place for one more subscription, if there is one.
    fn place(&self) -> Option<Place> {
        let permit = self.subscriptions.clone().try_acquire_owned().ok()?;
        Some(Place {
            _permit: permit,
            _open: Open::subscription(),
        })
    }
}

/// Accepts a subscription; `None` when the client is gone or there is no room, which it is then told. The place is
/// taken as long as it lives.
async fn accept(pending: PendingSubscriptionSink, api: &Api) -> Option<(SubscriptionSink, Place)> {
    match api.place() {
        Some(place) => Some((pending.accept().await.ok()?, place)),
        None => {
            pending.reject(error::too_many_subscriptions()).await;
            None
        }
    }
}

/// Sends one notification; false when the client is gone.
async fn notify(sink: &SubscriptionSink, value: &impl Serialize) -> bool {
    let raw =
        to_raw_value(value).expect("headers, hashes and bytes have no key that is not a string");
    sink.send(raw).await.is_ok()
}

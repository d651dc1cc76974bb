//! The server's side of a neuron: an HTTP service that answers signed requests of either protocol.
//!
//! [`Axon`] is built from a hotkey, rules and handlers, and becomes a [`tower::Service`] that knows no socket;
//! [`serve`] gives it one. A handler gets its request as a type of its own, from somebody whose signature was good, and
//! whose turn it is.
//!
//! What it refuses to do: build anything from a body before its sender is proved; answer a request twice; run more
//! handlers at once than it was told to; tell a caller what went wrong inside.

pub(crate) mod answer;
pub mod gate;
pub mod policy;
pub mod queue;
pub mod replay;
mod serve;
mod service;

pub use gate::{Caller, Gate, Refusal, Window};
pub use policy::{Door, Rate, Rules, Standing};
pub use replay::Replay;
pub use serve::{Connections, Server, TlsError, serve, tls_from_pem};
pub use service::AxonService;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt};
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::Signer;

/// What of a body the signature of the header protocol must cover. `btauth/1` always covers every byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cover {
    /// These fields, in this order: the request type's `required_hash_fields`.
    Fields(Vec<String>),
    /// Nothing. Most Python requests are so: whoever stands between could change the body. Take it only where that does
    /// no harm.
    Nothing,
    /// Every byte: only `btauth/1` requests are taken.
    Everything,
}

impl Cover {
    /// These fields, in this order.
    pub fn fields<const N: usize>(names: [&str; N]) -> Self {
        Self::Fields(names.map(str::to_owned).into())
    }
}

/// What a handler is told beside its request.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who asks.
    pub caller: Caller,
    /// Until when the caller waits.
    pub deadline: Instant,
    /// Cancelled when nobody waits for the answer any more. Work that takes long looks at it.
    pub cancelled: CancellationToken,
}

/// Why a handler gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The request makes no sense; the caller is told this.
    #[error("{0}")]
    Request(String),
    /// The caller is told this, with a status.
    #[error("{message}")]
    Status {
        /// The status.
        status: StatusCode,
        /// What the caller is told.
        message: String,
    },
    /// The caller is told that something went wrong, and the log what.
    #[error(transparent)]
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

impl Failure {
    /// Something that only the log is told.
    pub fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }
}

/// A handler's answer.
enum Reply {
    /// A JSON object.
    Json(Vec<u8>),
    /// Bytes as they come.
    Stream(BoxStream<'static, Result<Bytes, Failure>>),
}

type Handler =
    Arc<dyn Fn(Bytes, Context) -> BoxFuture<'static, Result<Reply, Failure>> + Send + Sync>;

/// What is done with the requests of one name.
struct Route {
    cover: Cover,
    handler: Handler,
}

/// Bounds on what is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body.
    pub body_bytes: usize,
    /// How long a body may take to come.
    pub body_time: Duration,
    /// How long a request may take, however long its caller would wait.
    pub handler_time: Duration,
    /// Handlers that run at once.
    pub at_once: usize,
    /// Requests that wait for one.
    pub waiting: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 8 << 20,
            body_time: Duration::from_secs(10),
            handler_time: Duration::from_secs(60),
            at_once: 16,
            waiting: 256,
        }
    }
}

/// What a request costs: how much later than it came it is served, where requests wait for each other.
type Cost = Arc<dyn Fn(&Caller, usize) -> Duration + Send + Sync>;

/// Who has no stake is served as if it had come so much later than who has the most.
const NO_STAKE: Duration = Duration::from_secs(4);
/// And so much later for each mebibyte.
const MEBIBYTE: Duration = Duration::from_secs(1);

fn usual_cost(caller: &Caller, bytes: usize) -> Duration {
    let weight = caller.standing.map_or(0, |standing| standing.weight);
    let missing = 1.0 - f64::from(weight) / f64::from(u16::MAX);
    NO_STAKE.mul_f64(missing) + MEBIBYTE.mul_f64(bytes as f64 / f64::from(1 << 20))
}

/// A server of signed requests, in the making.
pub struct Axon {
    signer: Arc<dyn Signer>,
    gate: Gate,
    routes: BTreeMap<String, Route>,
    limits: Limits,
    cost: Cost,
}

impl Axon {
    /// A server that signs as `signer`, whose account `gate` must be of. It answers pings: requests named `Synapse`.
    pub fn new(signer: Arc<dyn Signer>, gate: Gate) -> Self {
        let axon = Self {
            signer,
            gate,
            routes: BTreeMap::new(),
            limits: Limits::default(),
            cost: Arc::new(usual_cost),
        };
        let ping = |_: serde::de::IgnoredAny, _| async { Ok(serde_json::Map::new()) };
        axon.route("Synapse", Cover::Nothing, ping)
    }

    /// Other bounds.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Another order of those who wait: a request that costs some time is served as if it had come so much later. It is
    /// told who asks and how many bytes.
    pub fn cost(
        mut self,
        cost: impl Fn(&Caller, usize) -> Duration + Send + Sync + 'static,
    ) -> Self {
        self.cost = Arc::new(cost);
        self
    }

    /// Answers requests named `name`. Question and answer are JSON objects; in the header protocol the answer's fields
    /// replace those of the question.
    pub fn route<Q, A, F, W>(mut self, name: &str, cover: Cover, handler: F) -> Self
    where
        Q: DeserializeOwned + Send + 'static,
        A: Serialize,
        F: Fn(Q, Context) -> W + Send + Sync + 'static,
        W: Future<Output = Result<A, Failure>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let handler = move |body: Bytes, context| {
            let handler = handler.clone();
            async move {
                let answer = handler(parse(&body)?, context).await?;
                let answer = serde_json::to_vec(&answer).map_err(Failure::internal)?;
                Ok(Reply::Json(answer))
            }
            .boxed()
        };
        self.add(name, cover, Arc::new(handler));
        self
    }

    /// Answers requests named `name` with bytes as they come.
    pub fn stream<Q, S, F, W>(mut self, name: &str, cover: Cover, handler: F) -> Self
    where
        Q: DeserializeOwned + Send + 'static,
        S: Stream<Item = Result<Bytes, Failure>> + Send + 'static,
        F: Fn(Q, Context) -> W + Send + Sync + 'static,
        W: Future<Output = Result<S, Failure>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let handler = move |body: Bytes, context| {
            let handler = handler.clone();
            async move {
                let answer = handler(parse(&body)?, context).await?;
                Ok(Reply::Stream(answer.boxed()))
            }
            .boxed()
        };
        self.add(name, cover, Arc::new(handler));
        self
    }

    fn add(&mut self, name: &str, cover: Cover, handler: Handler) {
        self.routes
            .insert(name.to_owned(), Route { cover, handler });
    }

    /// The service. Its requests carry the caller's [`std::net::SocketAddr`] as an extension.
    pub fn service(self) -> AxonService {
        AxonService::new(self)
    }
}

fn parse<Q: DeserializeOwned>(body: &[u8]) -> Result<Q, Failure> {
    // An empty body asks for nothing in particular.
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Failure::Request(format!("the body: {error}")))
}

//! One request from its headers to its answer.

use std::convert::Infallible;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::Instant;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use http::{Request, Response, StatusCode, header, request::Parts};
use http_body::Body as HttpBody;
use http_body_util::{BodyExt, Limited};
use tokio::time::{timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::answer::{Asked, Body, Fields, Pieces, merge};
use super::gate::Claim;
use super::queue::Queue;
use super::{Axon, Context, Cover, Failure, Gate, Refusal, Reply, Route};

/// The longest that a caller is taken to wait who does not say.
const USUAL_WAIT: std::time::Duration = std::time::Duration::from_secs(12);

/// An [`Axon`] as a service. Clones share everything.
#[derive(Clone)]
pub struct AxonService(Arc<Inner>);

struct Inner {
    axon: Axon,
    queue: Arc<Queue>,
    tally: Tally,
}

/// What became of requests.
#[derive(Default)]
struct Tally {
    answered: AtomicU64,
    refused: AtomicU64,
}

impl AxonService {
    pub(super) fn new(axon: Axon) -> Self {
        let queue = Queue::new(axon.limits.at_once, axon.limits.waiting);
        Self(Arc::new(Inner {
            axon,
            queue,
            tally: Tally::default(),
        }))
    }

    /// How many handlers run, and how many requests wait for one.
    pub fn load(&self) -> (usize, usize) {
        self.0.queue.load()
    }

    /// How many requests it has answered, and how many it has refused or failed in, for whatever reason.
    pub fn tally(&self) -> (u64, u64) {
        let Tally { answered, refused } = &self.0.tally;
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        (count(answered), count(refused))
    }

    /// What requests pass.
    pub fn gate(&self) -> &Gate {
        &self.0.axon.gate
    }
}

impl<B> tower::Service<Request<B>> for AxonService
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let inner = self.0.clone();
        async move { Ok(inner.answer(request).await) }.boxed()
    }
}

impl Inner {
    async fn answer<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (parts, body) = request.into_parts();
        let mut asked = Asked::of(&parts.headers);
        let served = self.serve(&parts, body, &mut asked).await;
        let count = match served {
            Ok(_) => &self.tally.answered,
            Err(_) => &self.tally.refused,
        };
        count.fetch_add(1, Ordering::Relaxed);
        match served {
            Ok(Served::Json(json)) => {
                metrics::counter!("agon_axon_requests", "outcome" => "served").increment(1);
                asked.served(json, &*self.axon.signer)
            }
            Ok(Served::Stream(bytes)) => {
                metrics::counter!("agon_axon_requests", "outcome" => "served").increment(1);
                asked.streaming(bytes)
            }
            Err(refusal) => {
                metrics::counter!("agon_axon_requests", "outcome" => refusal.kind).increment(1);
                tracing::debug!(kind = refusal.kind, message = refusal.message, "refused");
                asked.refused(&refusal)
            }
        }
    }

    async fn serve<B>(
        &self,
        parts: &Parts,
        body: B,
        asked: &mut Asked<'_>,
    ) -> Result<Served, Refusal>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let Axon {
            gate, limits, cost, ..
        } = &self.axon;
        let route = self.route(parts)?;
        self.check_length(parts)?;
        let claim = gate.look(&parts.headers)?;
        // From here on the answer knows which protocol it is to speak.
        let claim = &*asked.claim.insert(claim);
        let by_headers = match claim {
            Claim::Headers(_) if route.cover == Cover::Everything => {
                return Err(Refusal::new(
                    StatusCode::FORBIDDEN,
                    "protocol",
                    "this request must be signed with btauth/1, which covers the whole body",
                ));
            }
            Claim::Headers(claim) => Some(claim),
            Claim::BtAuth(_) => None,
        };
        let target = parts
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str());
        // Its signature covers no byte of the body, so the body is not even read for a forger.
        if by_headers.is_some() {
            gate.verify(claim, &parts.method, target, b"")?;
        }
        let body = match timeout(limits.body_time, collect(body, limits.body_bytes)).await {
            Ok(Ok(body)) => body,
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                return Err(self.too_large());
            }
            Ok(Err(_)) => {
                let message = "the body broke off";
                return Err(Refusal::new(StatusCode::BAD_REQUEST, "body", message));
            }
            Err(_) => {
                let message = "the body came too slowly";
                return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "slow", message));
            }
        };
        let fields = match by_headers {
            None => {
                gate.verify(claim, &parts.method, target, &body)?;
                None
            }
            Some(claim) => {
                let fields = fields(&body)?;
                if let Cover::Fields(names) = &route.cover {
                    let value = |name: &String| fields.get(name).map_or("null", |raw| raw.get());
                    gate.check_body_hash(claim, names.iter().map(value))?;
                }
                Some(fields)
            }
        };
        gate.take(claim).await?;
        let caller = gate.judge(claim.hotkey(), ip(parts))?;
        let wait = claim
            .timeout()
            .unwrap_or(USUAL_WAIT)
            .min(limits.handler_time);
        let cost = cost(&caller, body.len());
        let cancelled = CancellationToken::new();
        let context = Context {
            caller,
            deadline: Instant::now() + wait,
            cancelled: cancelled.clone(),
        };
        // However this ends, also when the caller is gone: nobody waits any more.
        let _nobody_waits = cancelled.drop_guard();
        let deadline = context.deadline.into();
        let work = self.run(route, body.clone(), context, cost);
        let reply = timeout_at(deadline, work).await.unwrap_or_else(|_| {
            let message = format!("Timeout after {:.1} seconds", wait.as_secs_f64());
            Err(Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                "timeout",
                message,
            ))
        })?;
        match (reply, fields) {
            (Reply::Json(answer), Some(fields)) => {
                let merged = merge(fields, &body, answer);
                merged.map(Served::Json).map_err(|error| internal(&error))
            }
            (Reply::Json(answer), None) => Ok(Served::Json(answer.into())),
            (Reply::Stream(bytes), _) => Ok(Served::Stream(bytes)),
        }
    }

    fn route(&self, parts: &Parts) -> Result<&Route, Refusal> {
        let name = parts.uri.path().strip_prefix('/').unwrap_or_default();
        if name.is_empty() {
            let message = "the path names no request, as in /Synapse";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "path", message));
        }
        self.axon.routes.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.axon.routes.keys().map(String::as_str).collect();
            let known = known.join(", ");
            let shown: String = name.chars().take(64).collect();
            let message = format!("Synapse name '{shown}' not found. Available: {known}");
            Refusal::new(StatusCode::NOT_FOUND, "unknown", message)
        })
    }

    /// Refuses a body that says itself that it is too long, before any of it is read.
    fn check_length(&self, parts: &Parts) -> Result<(), Refusal> {
        let length = parts.headers.get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        match length.is_some_and(|length| length > self.axon.limits.body_bytes as u64) {
            true => Err(self.too_large()),
            false => Ok(()),
        }
    }

    fn too_large(&self) -> Refusal {
        let most = self.axon.limits.body_bytes;
        let message = format!("the body has more than {most} bytes");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    }

    /// Waits for a turn and runs the handler.
    async fn run(
        &self,
        route: &Route,
        body: Bytes,
        context: Context,
        cost: std::time::Duration,
    ) -> Result<Reply, Refusal> {
        let turn = self.queue.turn(cost).await.map_err(|full| {
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "busy", full.to_string())
        })?;
        let done = AssertUnwindSafe((route.handler)(body, context))
            .catch_unwind()
            .await;
        drop(turn);
        match done {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(Failure::Request(message))) => {
                Err(Refusal::new(StatusCode::BAD_REQUEST, "request", message))
            }
            Ok(Err(Failure::Status { status, message })) => {
                Err(Refusal::new(status, "handler", message))
            }
            Ok(Err(Failure::Internal(error))) => Err(internal(&*error)),
            Err(_) => Err(internal(&Panicked)),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the handler panicked")]
struct Panicked;

/// Something that only the log is told; the caller gets a number to ask about.
fn internal(error: &(dyn Error + 'static)) -> Refusal {
    let mut number = [0; 8];
    let number = match getrandom::fill(&mut number) {
        Ok(()) => hex::encode(number),
        Err(_) => "unknown".to_owned(),
    };
    tracing::error!(number, error, "a request failed");
    let message = format!("Internal Server Error #{number}");
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
}

/// What goes back to somebody who was served.
enum Served {
    /// A JSON object.
    Json(Pieces),
    /// Bytes as they come.
    Stream(BoxStream<'static, Result<Bytes, Failure>>),
}

/// The whole body, up to so many bytes. Each part is copied at once, so that the connection uses its buffer again.
async fn collect<B>(body: B, most: usize) -> Result<Bytes, Box<dyn Error + Send + Sync>>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut body = pin!(Limited::new(body, most));
    // No more than what is allowed is ever believed to come.
    let expected = body.size_hint().exact().unwrap_or_default();
    let mut bytes = Vec::with_capacity(expected.min(most as u64) as usize);
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes.into())
}

fn fields(body: &Bytes) -> Result<Fields<'_>, Refusal> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| {
        let message = format!("the body is no JSON object: {error}");
        Refusal::new(StatusCode::BAD_REQUEST, "body", message)
    })
}

/// Where the request came from.
fn ip(parts: &Parts) -> IpAddr {
    let address = parts.extensions.get::<SocketAddr>();
    let ip = address.map_or(Ipv4Addr::UNSPECIFIED.into(), SocketAddr::ip);
    ip.to_canonical()
}

//! The client's side of a neuron: asks any number of servers one question, in the protocol that each speaks.
//!
//! Every peer has an outcome of its own: an answer with its latency, or one of the ways in which there was none. There
//! is one deadline for all, connections are kept for the next question, and what a peer sends is capped.
//!
//! What it refuses to do: ask twice what may have been asked already, unless that is said to do no harm; build anything
//! from an answer that is too long or whose signature is wrong; wait for anybody after the deadline.

mod outcome;
mod send;

pub use outcome::{Answer, AskError, Outcome};

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use agon_keys::AccountId;
use bytes::Bytes;
use futures::stream::FuturesUnordered;
use futures::{Stream, StreamExt};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use crate::axon::gate::now;
use crate::{Metagraph, Signer};

/// What a peer speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// The header protocol of SDK 7.2 to 10.x.
    #[default]
    Headers,
    /// `btauth/1` of SDK 11.
    BtAuth,
}

/// The version of the Python SDK from which on neurons speak `btauth/1`: 11.0.0.
const BTAUTH_VERSION: u32 = 11_000_000;

/// A server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its hotkey.
    pub hotkey: AccountId,
    /// Where it is.
    pub address: SocketAddr,
    /// What it speaks.
    pub protocol: Protocol,
}

impl Peer {
    /// The server of a neuron, if it has published one.
    pub fn of(metagraph: &Metagraph, uid: usize) -> Option<Self> {
        let axon = (*metagraph.axons.get(uid)?)?;
        Some(Self {
            hotkey: *metagraph.hotkeys.get(uid)?,
            address: SocketAddr::new(axon.ip, axon.port),
            protocol: match axon.version >= BTAUTH_VERSION {
                true => Protocol::BtAuth,
                false => Protocol::Headers,
            },
        })
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The request's name: its class in Python, the path in the address.
    pub name: String,
    /// Its fields.
    pub fields: Map<String, Value>,
    /// The fields that the header protocol's signature covers, in this order: the class's `required_hash_fields`.
    pub hashed: Vec<String>,
    /// How long all answers together may take.
    pub timeout: Duration,
    /// Whether asking twice does no harm, so that a broken connection may be tried again.
    pub idempotent: bool,
    /// Whether an answer must be signed. Servers of the Python SDK sign none.
    pub signed_answer: bool,
}

impl Question {
    /// A question with usual settings: twelve seconds, asked once.
    pub fn new(name: impl Into<String>, fields: Map<String, Value>) -> Self {
        Self {
            name: name.into(),
            fields,
            hashed: Vec::new(),
            timeout: Duration::from_secs(12),
            idempotent: false,
            signed_answer: false,
        }
    }
}

/// Bounds on asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Questions under way at once.
    pub at_once: usize,
    /// Bytes of an answer.
    pub answer_bytes: usize,
    /// How long a connection may take to be made.
    pub connect_time: Duration,
    /// How long a connection is kept for the next question.
    pub idle_time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            at_once: 256,
            answer_bytes: 8 << 20,
            connect_time: Duration::from_secs(4),
            idle_time: Duration::from_secs(60),
        }
    }
}

/// Asks servers as one hotkey. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Dendrite(Arc<Inner>);

struct Inner {
    client: Client<HttpConnector, Full<Bytes>>,
    signer: Arc<dyn Signer>,
    uuid: String,
    bounds: Bounds,
    places: Semaphore,
    last_nonce: AtomicU64,
}

impl Dendrite {
    /// Asks as `signer`.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn new(signer: Arc<dyn Signer>, bounds: Bounds) -> Result<Self, crate::NoRandomness> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(bounds.connect_time));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(bounds.idle_time)
            .build(connector);
        Ok(Self(Arc::new(Inner {
            client,
            signer,
            uuid: uuid(random),
            bounds,
            places: Semaphore::new(bounds.at_once.clamp(1, Semaphore::MAX_PERMITS)),
            last_nonce: AtomicU64::new(0),
        })))
    }

    /// Asks one server.
    pub async fn ask(&self, peer: Peer, question: &Question) -> Outcome {
        let begun = Instant::now();
        let deadline = begun + question.timeout;
        let result = self.0.ask(peer, question, deadline).await;
        Outcome {
            peer,
            latency: begun.elapsed(),
            result,
        }
    }

    /// Asks one server whose answer comes in parts; the deadline is for all of them.
    ///
    /// # Errors
    /// When there is no answer. Each part may fail as well.
    pub async fn ask_stream(
        &self,
        peer: Peer,
        question: &Question,
    ) -> Result<impl Stream<Item = Result<Bytes, AskError>> + use<>, AskError> {
        let deadline = Instant::now() + question.timeout;
        self.0.stream(peer, question, deadline).await
    }

    /// Asks all of `peers`; their outcomes in the same order, none later than the deadline.
    pub async fn ask_all(&self, peers: &[Peer], question: &Question) -> Vec<Outcome> {
        let all = peers.len();
        self.ask_some(peers, question, all, Duration::ZERO).await
    }

    /// Asks all of `peers` until `quorum` have answered, and then for `grace` more. Who has not answered by then is told
    /// apart from who was too slow for the deadline.
    pub async fn ask_some(
        &self,
        peers: &[Peer],
        question: &Question,
        quorum: usize,
        grace: Duration,
    ) -> Vec<Outcome> {
        let begun = Instant::now();
        let deadline = begun + question.timeout;
        let mut asking: FuturesUnordered<_> = peers
            .iter()
            .enumerate()
            .map(|(index, peer)| async move {
                let result = self.0.ask(*peer, question, deadline).await;
                (index, begun.elapsed(), result)
            })
            .collect();
        let mut outcomes: Vec<Option<Outcome>> = vec![None; peers.len()];
        let (mut answers, mut until, mut early) = (0, deadline, false);
        while !asking.is_empty() {
            let next = tokio::time::timeout_at(until.into(), asking.next()).await;
            let Ok(Some((index, latency, result))) = next else {
                break;
            };
            answers += usize::from(result.is_ok());
            if answers == quorum && answers < peers.len() && !early {
                until = deadline.min(Instant::now() + grace);
                early = true;
            }
            outcomes[index] = Some(Outcome {
                peer: peers[index],
                latency,
                result,
            });
        }
        let elapsed = begun.elapsed();
        let missing = match early && Instant::now() < deadline {
            true => AskError::NotAwaited,
            false => AskError::Timeout,
        };
        let outcomes = outcomes.into_iter().zip(peers);
        outcomes
            .map(|(outcome, peer)| {
                outcome.unwrap_or_else(|| Outcome {
                    peer: *peer,
                    latency: elapsed,
                    result: Err(missing.clone()),
                })
            })
            .collect()
    }
}

impl Inner {
    /// The time, and never the same one twice: two requests must not look like one.
    fn nonce(&self) -> u64 {
        let now = now();
        let next = |last: u64| now.max(last.saturating_add(1));
        let last = self
            .last_nonce
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(next(last))
            });
        next(last.unwrap_or_default())
    }
}

/// A random UUID (RFC 9562, version 4) as text.
fn uuid(mut random: [u8; 16]) -> String {
    random[6] = random[6] & 0x0f | 0x40;
    random[8] = random[8] & 0x3f | 0x80;
    let digits = hex::encode(random);
    let parts = [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ];
    parts.join("-")
}

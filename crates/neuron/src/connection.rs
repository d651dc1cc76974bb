//! One socket to a node, and the deadline over everything that is asked through it.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use subxt::OnlineClient;
use subxt::backend::LegacyBackend;
use subxt::config::RpcConfigFor;
use subxt::ext::jsonrpsee::client_transport::ws::{
    Url, WsHandshakeError, WsTransportClientBuilder,
};
use subxt::ext::jsonrpsee::core::client::Client as Socket;
use subxt::ext::jsonrpsee::core::client::async_client::PingConfig;
use subxt::rpcs::RpcClient;
use subxt::rpcs::methods::legacy::LegacyRpcMethods;
use tokio::time::timeout;

use crate::H256;

/// Substrate's usual types: 32-byte accounts and hashes, `MultiAddress`, `MultiSignature`.
pub(crate) type Config = subxt::SubstrateConfig;

/// How many storage entries one request asks for. A whole subnet of 256 uids is one page.
const PAGE: u32 = 512;

/// The most bytes of one answer: a full block of 10 MiB in hexadecimal, and some.
const MAX_ANSWER: u32 = 24 << 20;

/// How long each kind of waiting may last.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Opening the socket and learning which chain it is.
    pub connect: Duration,
    /// One answer of the node.
    pub request: Duration,
    /// The time without a new finalised block after which waiting for one is given up.
    pub silence: Duration,
    /// All of a submission: connecting, submitting, and the block being final.
    pub submit: Duration,
}

impl Default for Deadlines {
    /// Suits 12-second blocks that are final after a few more, over the internet.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            request: Duration::from_secs(30),
            silence: Duration::from_secs(60),
            submit: Duration::from_secs(120),
        }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address cannot be read.
    #[error("`{url}` is not the address of a node ({reason}); write it like ws://127.0.0.1:9944")]
    BadAddress {
        /// The address as given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody listens there.
    #[error(
        "nothing answers at {url} ({reason}); start a chain there with `agon up` or `agon node`, or give the address of another node"
    )]
    Unreachable {
        /// The address.
        url: String,
        /// What the system says.
        reason: String,
    },
    /// Somebody listens, but the connection was not ready in time.
    #[error(
        "{url} was not ready within {seconds:.1} s; is the node overloaded or behind a firewall?"
    )]
    Late {
        /// The address.
        url: String,
        /// The deadline.
        seconds: f64,
    },
    /// Somebody listens who is no node.
    #[error("what listens at {url} is not a node that speaks JSON-RPC over WebSocket: {reason}")]
    NotANode {
        /// The address.
        url: String,
        /// What was answered instead.
        reason: String,
    },
    /// Of several nodes none can be used.
    #[error("none of the nodes can be used: {0}")]
    None(String),
    /// After a reconnection there is another chain behind the address.
    #[error(
        "{url} is now another chain: its genesis is {found}, before it was {expected}; connect anew if this is meant"
    )]
    OtherChain {
        /// The address.
        url: String,
        /// The genesis hash of the first connection.
        expected: H256,
        /// The genesis hash found now.
        found: H256,
    },
}

impl ConnectError {
    pub(crate) fn late(url: &str, deadline: Duration) -> Self {
        Self::Late {
            url: url.to_owned(),
            seconds: deadline.as_secs_f64(),
        }
    }
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There was no connection and none could be made.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection broke. The next operation of the client connects again; a [`ChainState`]
    /// that was read through it does not come back.
    ///
    /// [`ChainState`]: crate::ChainState
    #[error("the connection to {url} was lost while asking for {what}")]
    Disconnected {
        /// The node's address.
        url: String,
        /// What was asked.
        what: String,
    },
    /// The node did not answer in time.
    #[error("{url} did not answer within {seconds:.1} s when asked for {what}")]
    Late {
        /// The node's address.
        url: String,
        /// What was asked.
        what: String,
        /// The deadline.
        seconds: f64,
    },
    /// The node answered with an error, or with something that cannot be understood.
    #[error("cannot read {what}: {reason}")]
    Refused {
        /// What was asked.
        what: String,
        /// The node's words, or what was not understood.
        reason: String,
    },
    /// The node has no such block, or no longer.
    #[error("the node does not have {what}; ask an archive node for old blocks")]
    NoSuchBlock {
        /// The block.
        what: String,
    },
    /// There are more entries than any honest chain has.
    #[error("{what} has more than {cap} entries, which no subnet should have")]
    TooMany {
        /// What was read.
        what: String,
        /// The limit.
        cap: usize,
    },
    /// The columns of a subnet contradict each other.
    #[error(transparent)]
    Inconsistent(#[from] crate::Inconsistent),
}

/// A socket and the views of it that are used. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) url: Arc<str>,
    pub(crate) deadlines: Deadlines,
    pub(crate) api: OnlineClient<Config>,
    pub(crate) methods: LegacyRpcMethods<RpcConfigFor<Config>>,
    pub(crate) rpc: RpcClient,
    socket: Arc<Socket>,
}

impl Connection {
    /// Opens a socket to the first of `urls` that can be used, in their order; to one of the chain with this genesis
    /// block if one is given.
    pub(crate) async fn open_any(
        urls: &[String],
        deadlines: Deadlines,
        genesis: Option<H256>,
    ) -> Result<Self, ConnectError> {
        let mut errors = Vec::new();
        for url in urls {
            let opened = Self::open(url, deadlines).await.and_then(|connection| {
                let found = connection.genesis();
                match genesis {
                    Some(expected) if expected != found => Err(ConnectError::OtherChain {
                        url: url.clone(),
                        expected,
                        found,
                    }),
                    _ => Ok(connection),
                }
            });
            match opened {
                Ok(connection) => return Ok(connection),
                Err(error) if urls.len() == 1 => return Err(error),
                Err(error) => {
                    tracing::info!(%error, "the next node is tried");
                    errors.push(error.to_string());
                }
            }
        }
        Err(ConnectError::None(errors.join("; ")))
    }

    /// Opens a socket to `url` and asks for the genesis hash.
    pub(crate) async fn open(url: &str, deadlines: Deadlines) -> Result<Self, ConnectError> {
        let bad = |reason: String| ConnectError::BadAddress {
            url: url.to_owned(),
            reason,
        };
        let parsed = Url::parse(url).map_err(|error| bad(error.to_string()))?;
        if !matches!(parsed.scheme(), "ws" | "wss") {
            return Err(bad("it must begin with ws:// or wss://".to_owned()));
        }
        timeout(deadlines.connect, Self::handshake(url, parsed, deadlines))
            .await
            .unwrap_or_else(|_| Err(ConnectError::late(url, deadlines.connect)))
    }

    async fn handshake(url: &str, parsed: Url, deadlines: Deadlines) -> Result<Self, ConnectError> {
        let not_a_node = |reason: String| ConnectError::NotANode {
            url: url.to_owned(),
            reason,
        };
        let (sender, receiver) = WsTransportClientBuilder::default()
            .connection_timeout(deadlines.connect)
            .max_response_size(MAX_ANSWER)
            .build(parsed)
            .await
            .map_err(|error| match error {
                WsHandshakeError::Io(_)
                | WsHandshakeError::ResolutionFailed(_)
                | WsHandshakeError::NoAddressFound(_) => ConnectError::Unreachable {
                    url: url.to_owned(),
                    reason: error.to_string(),
                },
                WsHandshakeError::Timeout(_) => ConnectError::late(url, deadlines.connect),
                other => not_a_node(other.to_string()),
            })?;
        // A peer that vanished without closing its socket is noticed by missing pings.
        let socket = Socket::builder()
            // The deadline is kept in `ask`; the library's own only must not come before it.
            .request_timeout(deadlines.request * 2)
            .enable_ws_ping(PingConfig::default())
            .build_with_tokio(sender, receiver);
        let socket = Arc::new(socket);
        // The old methods are the ones that every node has, public or embedded, and they keep
        // blocks readable by their hash for as long as the node has them.
        let rpc = RpcClient::new(socket.clone());
        let backend = LegacyBackend::builder()
            .storage_page_size(PAGE)
            .build(rpc.clone());
        let api = OnlineClient::from_backend(Arc::new(backend))
            .await
            .map_err(|error| not_a_node(error.to_string()))?;
        Ok(Self {
            url: url.into(),
            deadlines,
            api,
            methods: LegacyRpcMethods::new(rpc.clone()),
            rpc,
            socket,
        })
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.socket.is_connected()
    }

    pub(crate) fn genesis(&self) -> H256 {
        self.api.genesis_hash().into()
    }

    /// Waits for `answer` for as long as one answer may take, and says what went wrong if it does.
    pub(crate) async fn ask<T, E: Display>(
        &self,
        what: &str,
        answer: impl Future<Output = Result<T, E>>,
    ) -> Result<T, ReadError> {
        match timeout(self.deadlines.request, answer).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.failure(what, error)),
            Err(_) => Err(self.late(what, self.deadlines.request)),
        }
    }

    /// An error of the node's, or the loss of the connection that caused it.
    pub(crate) fn failure(&self, what: &str, error: impl Display) -> ReadError {
        if self.is_alive() {
            ReadError::Refused {
                what: what.to_owned(),
                reason: error.to_string(),
            }
        } else {
            self.disconnected(what)
        }
    }

    pub(crate) fn disconnected(&self, what: &str) -> ReadError {
        ReadError::Disconnected {
            url: self.url.to_string(),
            what: what.to_owned(),
        }
    }

    pub(crate) fn late(&self, what: &str, deadline: Duration) -> ReadError {
        ReadError::Late {
            url: self.url.to_string(),
            what: what.to_owned(),
            seconds: deadline.as_secs_f64(),
        }
    }
}

//! The way to a chain: connecting, finding finalised blocks, waiting for them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use agon_keys::AccountId;
use subxt::error::OnlineClientAtBlockError;
use subxt::rpcs::Error as RpcError;
use tokio::time::timeout;

use crate::commitments::Placements;
use crate::connection::{ConnectError, Connection, Deadlines, ReadError};
use crate::signed::Remembered;
use crate::{ChainState, H256};

/// A client of one chain. Clones share one connection, which is made again when it was lost: an
/// operation that is under way then fails, the next one connects, and refuses if there is another
/// chain behind the address by now.
#[derive(Clone)]
pub struct ChainClient {
    inner: Arc<Inner>,
}

/// Why an account was not given anything.
#[derive(Debug, thiserror::Error)]
pub enum GiveError {
    /// The node has no such method.
    #[error(
        "{url} is no node for development: it gives nothing away; start one with `agon node run --dev`"
    )]
    NotForDevelopment {
        /// The node's address.
        url: String,
    },
    /// The node could not be asked, or refused.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There was no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}

/// JSON-RPC's code for a method that is not there.
const METHOD_NOT_FOUND: i32 = -32601;

/// Any answer: the one to `dev_setBalance` says nothing.
type RawAnswer = serde::de::IgnoredAny;

struct Inner {
    urls: Vec<String>,
    deadlines: Deadlines,
    genesis: H256,
    connection: tokio::sync::Mutex<Connection>,
    placements: Mutex<Placements>,
    signed: Mutex<Remembered>,
}

impl ChainClient {
    /// Connects to the node at `url` (`ws://…` or `wss://…`) with the default [`Deadlines`].
    ///
    /// # Errors
    /// When the address is none, when nothing listens there, or when no node does.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::connect_with(url, Deadlines::default()).await
    }

    /// Connects with other deadlines than the default ones.
    ///
    /// # Errors
    /// As [`ChainClient::connect`].
    pub async fn connect_with(url: &str, deadlines: Deadlines) -> Result<Self, ConnectError> {
        Self::connect_any(vec![url.to_owned()], deadlines).await
    }

    /// Connects to the first of several nodes of one chain that can be used, in their order; again so whenever the
    /// connection was lost. Each may take [`Deadlines::connect`].
    ///
    /// # Errors
    /// As [`ChainClient::connect`], when there is none.
    pub async fn connect_any(
        urls: Vec<String>,
        deadlines: Deadlines,
    ) -> Result<Self, ConnectError> {
        let connection = Connection::open_any(&urls, deadlines, None).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                urls,
                deadlines,
                genesis: connection.genesis(),
                connection: tokio::sync::Mutex::new(connection),
                placements: Mutex::new(BTreeMap::new()),
                signed: Mutex::new(BTreeMap::new()),
            }),
        })
    }

    /// The address that was given, the first of several.
    pub fn url(&self) -> &str {
        self.inner.urls.first().map_or("", String::as_str)
    }

    /// How long this client waits.
    pub fn deadlines(&self) -> Deadlines {
        self.inner.deadlines
    }

    /// The hash of the chain's first block: the chain's name.
    pub fn genesis_hash(&self) -> H256 {
        self.inner.genesis
    }

    /// The chain at its newest finalised block.
    ///
    /// # Errors
    /// When the node cannot be reached or does not answer.
    pub async fn finalized(&self) -> Result<ChainState, ReadError> {
        let connection = self.connection().await?;
        let at = connection
            .ask(
                "the newest finalised block",
                connection.api.at_current_block(),
            )
            .await?;
        Ok(ChainState::new(self.clone(), connection, at))
    }

    /// The chain at the block with this hash. That it is final is the caller's knowledge.
    ///
    /// # Errors
    /// When the node does not have the block, cannot be reached or does not answer.
    pub async fn at(&self, hash: H256) -> Result<ChainState, ReadError> {
        let connection = self.connection().await?;
        let what = format!("block {hash}");
        let block = subxt::utils::H256::from(hash);
        // The absence of a block is an answer, so it passes through `ask` as one.
        let answer = async {
            match connection.api.at_block(block).await {
                Err(OnlineClientAtBlockError::BlockHeaderNotFound { .. }) => Ok(None),
                other => other.map(Some),
            }
        };
        let at = connection.ask(&what, answer).await?;
        let at = at.ok_or(ReadError::NoSuchBlock { what })?;
        Ok(ChainState::new(self.clone(), connection, at))
    }

    /// The hash of the finalised block with this number; `None` when there is none yet.
    ///
    /// # Errors
    /// When the node cannot be reached or does not answer.
    pub async fn block_hash(&self, number: u64) -> Result<Option<H256>, ReadError> {
        self.finalized().await?.block_hash(number).await
    }

    /// Waits until the block with this number is final and returns the chain at the newest
    /// finalised block, which may be a later one.
    ///
    /// There is no limit on the number of blocks waited for; drop the future to stop.
    ///
    /// # Errors
    /// When the connection is lost, or when no block becomes final within [`Deadlines::silence`].
    pub async fn wait_for_block(&self, number: u64) -> Result<ChainState, ReadError> {
        let connection = self.connection().await?;
        let what = format!("block {number} to be final");
        let mut heads = connection
            .ask(&what, connection.methods.chain_subscribe_finalized_heads())
            .await?;
        // Looked at after subscribing, so that no block can fall between the look and the wait.
        let state = self.finalized().await?;
        if state.number() >= number {
            return Ok(state);
        }
        let silence = self.inner.deadlines.silence;
        loop {
            let head = timeout(silence, heads.next())
                .await
                .map_err(|_| connection.late(&what, silence))?
                .ok_or_else(|| connection.disconnected(&what))?
                .map_err(|error| connection.failure(&what, error))?;
            if head.number >= number {
                return self.finalized().await;
            }
        }
    }

    /// Makes `rao` the free balance of an account, as only a development chain does
    /// (`dev_setBalance`), and waits a few blocks for it.
    ///
    /// # Errors
    /// When the node is none for development, or does not do it.
    pub async fn give(&self, account: AccountId, rao: u64) -> Result<ChainState, GiveError> {
        let connection = self.connection().await?;
        let params = subxt::rpcs::rpc_params![account.to_string(), rao];
        let answer = async {
            match connection.rpc.request("dev_setBalance", params).await {
                Err(RpcError::User(error)) if error.code == METHOD_NOT_FOUND => Ok(None),
                other => other.map(|_: RawAnswer| Some(())),
            }
        };
        let given = connection.ask("dev_setBalance", answer).await?;
        given.ok_or_else(|| GiveError::NotForDevelopment {
            url: self.url().to_owned(),
        })?;
        let mut state = self.finalized().await?;
        let last = state.number() + 3;
        while state.number() < last && state.balance(account).await? != rao {
            state = self.wait_for_block(state.number() + 1).await?;
        }
        Ok(state)
    }

    /// The living connection, made again if it was lost.
    pub(crate) async fn connection(&self) -> Result<Connection, ConnectError> {
        let nodes = self.inner.urls.len().try_into().unwrap_or(u32::MAX);
        let deadline = self.inner.deadlines.connect.saturating_mul(nodes);
        // Also over the wait for somebody else's attempt, or many callers would wait in a row.
        timeout(deadline, self.living_connection())
            .await
            .unwrap_or_else(|_| Err(ConnectError::late(self.url(), deadline)))
    }

    async fn living_connection(&self) -> Result<Connection, ConnectError> {
        let mut connection = self.inner.connection.lock().await;
        if !connection.is_alive() {
            tracing::info!(url = self.url(), "connecting again");
            let genesis = Some(self.inner.genesis);
            let Inner {
                urls, deadlines, ..
            } = &*self.inner;
            *connection = Connection::open_any(urls, *deadlines, genesis).await?;
        }
        Ok(connection.clone())
    }

    pub(crate) fn placements(&self) -> &Mutex<Placements> {
        &self.inner.placements
    }

    pub(crate) fn signed(&self) -> &Mutex<Remembered> {
        &self.inner.signed
    }
}

impl std::fmt::Debug for ChainClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChainClient")
            .field("urls", &self.inner.urls)
            .field("genesis", &self.inner.genesis)
            .finish_non_exhaustive()
    }
}

//! How the fuzz targets enter the node: past its sockets, its pool and its disk, and nothing else.

use crate::{
    Limits, StartError,
    author::{Author, BlockTime},
    chain::Chain,
    rpc,
    storage::Storage,
    workers::Workers,
};
use agon_runtime::genesis::Genesis;
use jsonrpsee::Methods;
use sp_core::H256;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A chain in memory.
pub struct Bench {
    chain: Arc<Chain>,
    workers: Arc<Workers>,
}

impl Bench {
    /// Begins a chain.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn begin(genesis: &Genesis) -> Result<Self, StartError> {
        let workers = Arc::new(Workers::start().map_err(StartError::Thread)?);
        let storage = Storage::in_memory(None)?;
        let closed = CancellationToken::new();
        let chain = Chain::open(storage, Some(genesis), workers.clone(), None, closed)?;
        Ok(Self {
            chain: Arc::new(chain),
            workers,
        })
    }

    /// The hash of the newest block; at first of the genesis block.
    pub fn head(&self) -> H256 {
        self.chain.head().hash
    }

    /// Submits transactions and makes the block that holds them, at `time` (milliseconds since 1970).
    ///
    /// # Panics
    /// When one is not taken, or no block can be made.
    pub fn seal(&self, transactions: Vec<Vec<u8>>, time: u64) {
        let chain = self.chain.clone();
        let sealed = self.workers.run(move || {
            for transaction in transactions {
                chain.admit(transaction).expect("it is taken");
            }
            chain.seal(&[time], None).expect("a block is made");
            assert_eq!(chain.load().ready, 0, "one stands in no block");
        });
        assert!(sealed.is_ok(), "the panic is told by its hook");
    }

    /// What becomes of bytes that arrive as transactions: makes `count` blocks upon the newest, of which the first
    /// holds those that are valid, and keeps none. Gives their number, and what `look` finds in the state after them.
    ///
    /// # Panics
    /// When no block can be made, which would end a node.
    pub fn rehearse<R: Send + 'static>(
        &self,
        arrivals: Vec<Vec<u8>>,
        count: u32,
        look: impl FnOnce() -> R + Send + 'static,
    ) -> (usize, R) {
        let chain = self.chain.clone();
        let rehearsed = self.workers.run(move || {
            let (included, found) = chain
                .rehearse(arrivals, count, look)
                .expect("blocks are made");
            (included.len(), found)
        });
        rehearsed.unwrap_or_else(|_| panic!("the panic is told by its hook"))
    }

    /// Every method a node with `dev_*` serves; blocks are made as soon as something waits. Its author ends with the
    /// last of the methods.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn methods(self) -> Result<Methods, StartError> {
        let (author, handle) = Author::new(self.chain.clone(), BlockTime::Instant)?;
        author
            .start(|failure| panic!("{failure}"))
            .map_err(StartError::Thread)?;
        Ok(rpc::methods(self.chain, handle, &Limits::default(), true, None).into())
    }
}

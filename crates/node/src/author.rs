//! The block author: one block each block time, whether or not anything waits, or one as soon as something waits.
//!
//! It has a thread of its own, started with the node, and is the only one who writes to the chain. On development
//! chains others may order blocks.

use crate::{
    Failure,
    chain::{Chain, Head},
    engine::{ReadError, SealError},
    measures,
    workers::STACK_BYTES,
};
use agon_runtime::{AccountId, Balance, genesis::SetBalanceError};
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::oneshot;

/// When blocks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockTime {
    /// One each time this has passed, at least a millisecond.
    Every(Duration),
    /// One as soon as a transaction waits.
    Instant,
}

impl From<Duration> for BlockTime {
    fn from(time: Duration) -> Self {
        Self::Every(time)
    }
}

/// The public chain's block time: what a jump lets pass for each block where none is set.
pub const PUBLIC_BLOCK_TIME: Duration = Duration::from_secs(12);

/// The most blocks one order may ask for.
pub const MAX_ORDERED: u32 = 10_000;

/// How many ordered blocks become durable together.
const BATCH: usize = 64;

/// What the author of a development chain can be told to do at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Make so many blocks now.
    Seal(u32),
    /// Make so many blocks and let their time pass on the chain.
    Jump(u32),
    /// Jump to the block of the next epoch of this subnet.
    JumpToEpoch(u16),
    /// Make a block in which an account's free balance becomes what is said, in rao.
    SetBalance(AccountId, Balance),
}

/// Why an order is not carried out.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// More blocks than [`MAX_ORDERED`], or none.
    #[error("{0} blocks asked for; from 1 to {MAX_ORDERED} are made at once")]
    Count(u64),
    /// There is no epoch to jump to.
    #[error("subnet {0} does not exist or has no epochs")]
    NoEpoch(u16),
    /// The balance cannot be set.
    #[error(transparent)]
    Balance(#[from] SetBalanceError),
    /// The state cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The node is stopping, or could not make a block and gave up.
    #[error("the node makes no more blocks")]
    Stopped,
}

enum Message {
    Order(Order, oneshot::Sender<Result<Head, OrderError>>),
    Wake,
    Stop,
}

#[derive(Default)]
struct Signals {
    /// A wake-up is on its way.
    woken: AtomicBool,
    stopping: AtomicBool,
}

/// Speaks to the author.
#[derive(Clone)]
pub struct Handle {
    messages: Sender<Message>,
    signals: Arc<Signals>,
    instant: bool,
}

impl Handle {
    /// Something waits that the next block may hold.
    pub fn wake(&self) {
        if self.instant && !self.signals.woken.swap(true, Ordering::AcqRel) {
            // It errs when the author has ended, and then nobody is to be woken.
            let _ = self.messages.send(Message::Wake);
        }
    }

    /// Has an order carried out; the newest block after it.
    pub async fn order(&self, order: Order) -> Result<Head, OrderError> {
        let (answer, result) = oneshot::channel();
        let sent = self.messages.send(Message::Order(order, answer));
        sent.map_err(|_| OrderError::Stopped)?;
        result.await.unwrap_or(Err(OrderError::Stopped))
    }

    /// Ends the author after the block under way.
    pub fn stop(&self) {
        self.signals.stopping.store(true, Ordering::Release);
        let _ = self.messages.send(Message::Stop);
    }
}

/// An author that has not begun.
pub struct Author {
    chain: Arc<Chain>,
    period: Option<Duration>,
    messages: Receiver<Message>,
    handle: Handle,
    /// How far the chain's clock is ahead of the machine's, after a jump.
    ahead: Duration,
}

impl Author {
    /// An author of `chain`, and who speaks to it.
    pub fn new(chain: Arc<Chain>, block_time: BlockTime) -> Result<(Self, Handle), ReadError> {
        let (sender, messages) = channel();
        let period = match block_time {
            BlockTime::Every(time) => Some(time.max(Duration::from_millis(1))),
            BlockTime::Instant => None,
        };
        let handle = Handle {
            messages: sender,
            signals: Arc::default(),
            instant: period.is_none(),
        };
        let last = Duration::from_millis(chain.state_at(None)?.time()?);
        let author = Self {
            chain,
            period,
            messages,
            handle: handle.clone(),
            ahead: last.saturating_sub(wall_clock()),
        };
        Ok((author, handle))
    }

    /// Seals blocks on a thread of its own until it is stopped, or until a block cannot be made: then `give_up` is
    /// told why.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        self,
        give_up: impl FnOnce(Failure) + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        let chain = self.chain.clone();
        let author = move || {
            let reason = match catch_unwind(AssertUnwindSafe(move || self.run())) {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "the block author panicked".into(),
            };
            let number = chain.head().header.number + 1;
            drop(chain);
            let failure = Failure { number, reason };
            tracing::error!(%failure, "no more blocks are made");
            give_up(failure);
        };
        thread::Builder::new()
            .name("author".into())
            .stack_size(STACK_BYTES)
            .spawn(author)
    }

    fn run(mut self) -> Result<(), SealError> {
        let mut due = self.period.map(|period| Instant::now() + period);
        loop {
            let message = match due {
                None => self
                    .messages
                    .recv()
                    .map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => {
                    let wait = due.saturating_duration_since(Instant::now());
                    self.messages.recv_timeout(wait)
                }
            };
            match message {
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Ok(Message::Order(order, answer)) => {
                    let outcome = match self.carry_out(&order) {
                        Ok(outcome) => outcome,
                        Err(error) => {
                            drop(answer);
                            return Err(error);
                        }
                    };
                    // Whoever asked may be gone.
                    let _ = answer.send(outcome);
                }
                Ok(Message::Wake) => {
                    self.handle.signals.woken.store(false, Ordering::Release);
                    self.seal(&[self.now()], None)?;
                    if self.chain.load().ready > 0 {
                        self.handle.wake(); // the block was full
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.seal(&[self.now()], None)?;
                    // After a long block the next one does not make up for it: a burst of empty blocks helps nobody.
                    let next = due.zip(self.period).map(|(due, period)| due + period);
                    due = next.map(|next| next.max(Instant::now()));
                }
            }
        }
    }

    /// The outer error ends the author, the inner one only the order.
    fn carry_out(&mut self, order: &Order) -> Result<Result<Head, OrderError>, SealError> {
        tracing::info!(?order, "ordered");
        let count = match order {
            Order::SetBalance(account, balance) => {
                let change = (account.clone(), *balance);
                return match self.seal(&[self.now()], Some(&change)) {
                    Ok(head) => Ok(Ok(head)),
                    Err(SealError::Balance(refusal)) => Ok(Err(refusal.into())),
                    Err(error) => Err(error),
                };
            }
            Order::Seal(count) | Order::Jump(count) => u64::from(*count),
            Order::JumpToEpoch(netuid) => match self.blocks_to_epoch(*netuid) {
                Ok(count) => count,
                Err(error) => return Ok(Err(error)),
            },
        };
        if count == 0 || count > u64::from(MAX_ORDERED) {
            return Ok(Err(OrderError::Count(count)));
        }
        let step = match order {
            Order::Seal(_) => Duration::ZERO,
            _ => self.period.unwrap_or(PUBLIC_BLOCK_TIME),
        };
        let mut left = count as usize; // at most MAX_ORDERED
        let mut head = self.chain.head();
        while left > 0 {
            if self.handle.signals.stopping.load(Ordering::Acquire) {
                return Ok(Err(OrderError::Stopped));
            }
            let mut times = Vec::new();
            for _ in 0..left.min(BATCH) {
                self.ahead += step;
                times.push(self.now());
            }
            head = self.seal(&times, None)?;
            left -= times.len();
        }
        Ok(Ok(head))
    }

    fn blocks_to_epoch(&self, netuid: u16) -> Result<u64, OrderError> {
        let next = self.chain.state_at(None)?.next_epoch(netuid)?;
        let next = next.ok_or(OrderError::NoEpoch(netuid))?;
        // One that is overdue runs in the next block.
        Ok(next
            .saturating_sub(self.chain.head().header.number.into())
            .max(1))
    }

    fn seal(
        &self,
        times: &[u64],
        set_balance: Option<&(AccountId, Balance)>,
    ) -> Result<Head, SealError> {
        let begun = Instant::now();
        let head = self.chain.seal(times, set_balance)?;
        measures::seal_time(begun.elapsed());
        tracing::debug!(number = head.header.number, hash = ?head.hash, "sealed");
        Ok(head)
    }

    fn now(&self) -> u64 {
        (wall_clock() + self.ahead).as_millis() as u64
    }
}

/// Since 1970; a clock before that reads 0, and the chain's own time moves on regardless.
fn wall_clock() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

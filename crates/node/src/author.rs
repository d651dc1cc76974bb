//! The block author: one block each block time, whether or not anything waits.

use crate::{Failure, chain::Chain};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    task::spawn_blocking,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_util::sync::CancellationToken;

/// Seals blocks until `stop` is cancelled, or until one cannot be made.
pub async fn run(
    chain: Arc<Chain>,
    block_time: Duration,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let mut tick = interval_at(Instant::now() + block_time, block_time);
    // After a long block the next one waits its whole time: a burst of empty blocks helps nobody.
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = tick.tick() => {}
        }
        let sealing = chain.clone();
        let reason = match spawn_blocking(move || sealing.seal(now())).await {
            Ok(Ok(head)) => {
                tracing::debug!(number = head.header.number, hash = ?head.hash, "sealed");
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        let failure = Failure {
            number: chain.head().header.number + 1,
            reason,
        };
        tracing::error!(%failure, "no more blocks are made");
        return Err(failure);
    }
}

/// Milliseconds since 1970; a clock before that reads 0, and the chain's own time moves on regardless.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

//! A metagraph that keeps up with its chain, whatever happens to the way there.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::{ChainClient, Metagraph, ReadError};

/// The first pause after a failure, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(30));

/// Keeps a subnet's [`Metagraph`] up to date until it is dropped.
///
/// While the chain is away the last one stays, and it is asked again after pauses that grow and are never quite the
/// same, so that many followers do not come all at once.
pub struct Follower {
    newest: watch::Receiver<Option<Metagraph>>,
    task: JoinHandle<()>,
}

impl Follower {
    /// Follows subnet `netuid`, reading it anew whenever `every` blocks have become final. `kept` is what is known from
    /// before, if anything.
    pub fn start(client: ChainClient, netuid: u16, every: u64, kept: Option<Metagraph>) -> Self {
        let (sender, newest) = watch::channel(kept);
        let task = tokio::spawn(follow(client, netuid, every.max(1), sender));
        Self { newest, task }
    }

    /// The newest metagraph; none before the first was read.
    pub fn newest(&self) -> Option<Metagraph> {
        self.newest.borrow().clone()
    }

    /// Follows the newest metagraph. Who is slow misses some in between, never the newest.
    pub fn watch(&self) -> watch::Receiver<Option<Metagraph>> {
        self.newest.clone()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(
    client: ChainClient,
    netuid: u16,
    every: u64,
    sender: watch::Sender<Option<Metagraph>>,
) {
    let mut pause = PAUSES.0;
    loop {
        match next(&client, netuid, every, &sender).await {
            Ok(metagraph) => {
                sender.send_replace(Some(metagraph));
                pause = PAUSES.0;
            }
            Err(error) => {
                tracing::warn!(netuid, %error, ?pause, "the metagraph is not up to date");
                sleep(jittered(pause)).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

/// The metagraph at the next block that is due, or at the newest if a later one is there.
async fn next(
    client: &ChainClient,
    netuid: u16,
    every: u64,
    sender: &watch::Sender<Option<Metagraph>>,
) -> Result<Metagraph, ReadError> {
    let before = sender.borrow().clone();
    let state = match &before {
        None => client.finalized().await?,
        Some(before) => {
            let newest = client.finalized().await?;
            // A chain that was set back to an earlier block would never reach the old one's next.
            let due = match newest.number() < before.block {
                true => newest.number(),
                false => before.block.saturating_add(every),
            };
            match newest.number() >= due {
                true => newest,
                false => client.wait_for_block(due).await?,
            }
        }
    };
    state.refreshed(netuid, before.as_ref()).await
}

/// Between half of a pause and all of it.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [128];
    // Without random bytes the pause is in the middle, which is as good.
    let _ = getrandom::fill(&mut byte);
    pause.mul_f64(0.5 + f64::from(byte[0]) / 512.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_differ_and_stay_within_bounds() {
        let pauses: Vec<_> = (0..100).map(|_| jittered(Duration::from_secs(8))).collect();
        let bounds = Duration::from_secs(4)..=Duration::from_secs(8);
        assert!(pauses.iter().all(|pause| bounds.contains(pause)));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}

//! Commitments to weights by their hash, and when they are revealed.

use agon_keys::AccountId;
use serde::Serialize;

use crate::state::SUBTENSOR;
use crate::{ChainState, Epoch, H256, ReadError};

/// A commitment to weights that the chain holds and that is not revealed yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WeightCommit {
    /// The hash of what will be revealed.
    pub hash: H256,
    /// The epoch in which it was made.
    pub epoch: u64,
    /// The block in which it was made.
    pub block: u64,
}

/// Where a commitment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RevealTime {
    /// It can be revealed after this many blocks.
    In(u64),
    /// It can be revealed in the next block.
    Now,
    /// Its epoch has passed.
    Over,
}

impl WeightCommit {
    /// When it can be revealed, for a subnet that stands at `epoch` after block `now` and reveals
    /// `period` epochs after the commitment.
    pub fn reveal_time(&self, epoch: &Epoch, now: u64, period: u64) -> RevealTime {
        let wanted = self.epoch.saturating_add(period).checked_sub(epoch.index);
        // What is sent now is at best in the next block.
        let block = now.saturating_add(1);
        let tempo = u64::from(epoch.tempo.max(1));
        // The chain counts an epoch that is due in a block as begun.
        let begun = match epoch.next_block {
            Some(next) if block >= next => (block - next) / tempo + 1,
            _ => 0,
        };
        match (wanted, epoch.next_block) {
            (Some(wanted), _) if wanted == begun => RevealTime::Now,
            (Some(wanted), Some(next)) if wanted > begun => {
                let first = next.saturating_add((wanted - 1).saturating_mul(tempo));
                RevealTime::In(first - block)
            }
            _ => RevealTime::Over,
        }
    }
}

/// Hash, epoch, block and something that is always 0.
type StoredCommit = ([u8; 32], u64, u64, u64);

impl ChainState {
    /// How many epochs after a commitment its weights are revealed.
    ///
    /// # Errors
    /// As every read.
    pub async fn reveal_period(&self, netuid: u16) -> Result<u64, ReadError> {
        self.of_subnet("RevealPeriodEpochs", netuid).await
    }

    /// A hotkey's commitments to weights that it has not revealed, oldest first.
    ///
    /// # Errors
    /// As every read.
    pub async fn weight_commits(
        &self,
        netuid: u16,
        hotkey: AccountId,
    ) -> Result<Vec<WeightCommit>, ReadError> {
        let stored: Option<Vec<StoredCommit>> = self
            .try_read(SUBTENSOR, "WeightCommits", (netuid, hotkey.0))
            .await?;
        let commits = stored.unwrap_or_default().into_iter();
        let commit = |(hash, epoch, block, _)| WeightCommit {
            hash: H256(hash),
            epoch,
            block,
        };
        Ok(commits.map(commit).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commitment_is_revealed_in_its_epoch() {
        let commit = WeightCommit {
            hash: H256::default(),
            epoch: 5,
            block: 100,
        };
        let at = |index| Epoch {
            index,
            last_block: 100,
            tempo: 10,
            next_block: Some(110),
        };
        assert_eq!(commit.reveal_time(&at(5), 103, 1), RevealTime::In(6));
        assert_eq!(commit.reveal_time(&at(5), 109, 1), RevealTime::Now);
        assert_eq!(commit.reveal_time(&at(6), 103, 1), RevealTime::Now);
        assert_eq!(commit.reveal_time(&at(6), 109, 1), RevealTime::Over);
        assert_eq!(commit.reveal_time(&at(7), 103, 1), RevealTime::Over);
        assert_eq!(commit.reveal_time(&at(5), 103, 3), RevealTime::In(26));
        // The epoch of the next block is due: the one after it comes a tempo later.
        assert_eq!(commit.reveal_time(&at(5), 109, 2), RevealTime::In(10));
    }
}

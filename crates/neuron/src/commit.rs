//! Committing weights so that nobody can copy them before they count.
//!
//! Where a subnet asks for it, weights are sealed to a round of a randomness beacon: the chain opens and sets them by
//! itself in the epoch that comes a reveal period after the commit. The older way commits a hash, and whoever
//! committed must reveal the weights in exactly that epoch.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use agon_keys::AccountId;
use agon_timelock::{Beacon, Ciphertext, PublicKey, Randomness, WeightsPlaintext, weights_hash};
use serde::{Deserialize, Serialize};
use subxt::ext::scale_decode::DecodeAsType;

use crate::{Call, ChainState, H256, ReadError};

/// The chain's own rule: after this many blocks without an epoch one runs.
const MAX_BLOCKS_SINCE_STEP: u64 = 50_400;

/// Blocks between the beginning of the reveal's epoch and the round, so that the round is not early.
const SECURITY_BLOCKS: u64 = 3;

/// The number of values in a salt.
const SALT: usize = 8;

/// When epochs of a subnet run, as the chain knew it at one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The block this was read at.
    pub block: u64,
    /// The block of the last epoch (`LastEpochBlock`).
    pub last_epoch_block: u64,
    /// A block in which an epoch is due besides; 0 is none (`PendingEpochAt`).
    pub pending_epoch_at: u64,
    /// Blocks from one epoch to the next; 0 means that none runs.
    pub tempo: u16,
    /// Blocks since the last epoch (`BlocksSinceLastStep`).
    pub blocks_since_last_step: u64,
    /// Epochs between commit and reveal (`RevealPeriodEpochs`).
    pub reveal_period_epochs: u64,
}

/// Weights that were committed as a hash, and what their reveal needs. Keep it: without it they cannot be revealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashedWeights {
    /// The subnet.
    pub netuid: u16,
    /// The uids that are weighed.
    pub uids: Vec<u16>,
    /// One weight a uid.
    pub weights: Vec<u16>,
    /// Keeps the weights from being guessed.
    pub salt: Vec<u16>,
    /// Not below the subnet's `WeightsVersionKey`.
    pub version_key: u64,
}

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes: {0}")]
pub struct NoRandomness(#[from] getrandom::Error);

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct BeaconConfiguration {
    public_key: Vec<u8>,
    period: u32,
    genesis_time: u64,
}

impl Schedule {
    /// The first block of the epoch in which a commit is revealed that stands in the next block. `None` without a tempo.
    pub fn reveal_block(&self) -> Option<u64> {
        if self.tempo == 0 {
            return None;
        }
        let next = self.block.saturating_add(1);
        let scheduled = self.last_epoch_block.saturating_add(self.tempo.into());
        let pending = match self.pending_epoch_at {
            0 => u64::MAX,
            pending => pending,
        };
        let left = (MAX_BLOCKS_SINCE_STEP + 1).saturating_sub(self.blocks_since_last_step);
        let overdue = next.saturating_add(left);
        let first = scheduled.min(pending).min(overdue).max(next);
        // An epoch that is due in the commit's own block counts as the commit's epoch.
        let epochs = self
            .reveal_period_epochs
            .saturating_add(u64::from(first == next));
        let further = epochs.saturating_sub(1);
        Some(first.saturating_add(further.saturating_mul(self.tempo.into())))
    }

    /// The beacon's round that weights are sealed to, when the commit stands in the next block and blocks come every
    /// `block_time` from `now` (since 1970) on. `None` without a tempo.
    ///
    /// It is the public clients' choice, and never a round that is published already.
    pub fn reveal_round(
        &self,
        beacon: &Beacon,
        now: Duration,
        block_time: Duration,
    ) -> Option<u64> {
        let blocks = self
            .reveal_block()?
            .saturating_add(SECURITY_BLOCKS)
            .saturating_sub(self.block);
        let wait = block_time.saturating_mul(u32::try_from(blocks).unwrap_or(u32::MAX));
        Some(round_after(beacon, now, wait))
    }
}

impl HashedWeights {
    /// Weights with a new salt.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn new(
        netuid: u16,
        uids: &[u16],
        weights: &[u16],
        version_key: u64,
    ) -> Result<Self, NoRandomness> {
        let mut bytes = [0; 2 * SALT];
        getrandom::fill(&mut bytes)?;
        let salt = bytes
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        Ok(Self {
            netuid,
            uids: uids.to_vec(),
            weights: weights.to_vec(),
            salt: salt.collect(),
            version_key,
        })
    }

    /// What `hotkey` commits to with these weights.
    pub fn hash(&self, hotkey: AccountId) -> H256 {
        // The first mechanism's storage index is the netuid.
        H256(weights_hash(
            &hotkey.0,
            self.netuid,
            &self.uids,
            &self.weights,
            &self.salt,
            self.version_key,
        ))
    }

    /// The commit. By `hotkey`.
    pub fn commit(&self, hotkey: AccountId) -> Call {
        Call::commit_weights(self.netuid, self.hash(hotkey).0)
    }

    /// The reveal, valid only in its epoch. By the hotkey that committed.
    pub fn reveal(&self) -> Call {
        Call::reveal_weights(
            self.netuid,
            &self.uids,
            &self.weights,
            &self.salt,
            self.version_key,
        )
    }
}

impl Call {
    /// Commits `hotkey`'s weights sealed to `round` of the beacon with `public_key`. By the hotkey.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn commit_sealed_weights(
        netuid: u16,
        hotkey: AccountId,
        uids: &[u16],
        weights: &[u16],
        version_key: u64,
        public_key: &PublicKey,
        round: u64,
    ) -> Result<Self, NoRandomness> {
        let text = WeightsPlaintext {
            hotkey: Some(hotkey.0),
            uids: uids.to_vec(),
            values: weights.to_vec(),
            version_key,
        };
        let sealed = seal(public_key, round, &text.to_bytes())?;
        Ok(Self::commit_timelocked_weights(
            netuid,
            &sealed.to_bytes(),
            round,
        ))
    }
}

/// The beacon's round that is published `wait` after `now` (since 1970), as the public clients choose it, and never one
/// that is published already.
pub(crate) fn round_after(beacon: &Beacon, now: Duration, wait: Duration) -> u64 {
    let due = now.saturating_add(wait).as_secs();
    let round = due.saturating_sub(beacon.genesis_time) / u64::from(beacon.period.max(1));
    round.max(beacon.round_at(now.as_secs()).saturating_add(1))
}

/// Time since 1970; a clock before that reads 0.
pub(crate) fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Seals `text` to `round` of the beacon with `public_key`.
pub(crate) fn seal(
    public_key: &PublicKey,
    round: u64,
    text: &[u8],
) -> Result<Ciphertext, NoRandomness> {
    let mut randomness = Randomness {
        key: [0; 32],
        sigma: [0; 32],
        nonce: [0; 12],
    };
    getrandom::fill(&mut randomness.key)?;
    getrandom::fill(&mut randomness.sigma)?;
    getrandom::fill(&mut randomness.nonce)?;
    Ok(Ciphertext::seal(public_key, round, text, &randomness))
}

impl ChainState {
    /// The randomness beacon that the chain trusts.
    ///
    /// # Errors
    /// As every read.
    pub async fn beacon(&self) -> Result<Beacon, ReadError> {
        let configuration: BeaconConfiguration = self.read("Drand", "BeaconConfig", ()).await?;
        let public_key = PublicKey::from_bytes(&configuration.public_key);
        Ok(Beacon {
            public_key: public_key.map_err(|error| ReadError::Refused {
                what: "the key of the chain's randomness beacon".to_owned(),
                reason: error.to_string(),
            })?,
            period: configuration.period,
            genesis_time: configuration.genesis_time,
        })
    }

    /// When epochs of a subnet run.
    ///
    /// # Errors
    /// As every read.
    pub async fn schedule(&self, netuid: u16) -> Result<Schedule, ReadError> {
        let (
            last_epoch_block,
            pending_epoch_at,
            tempo,
            blocks_since_last_step,
            reveal_period_epochs,
        ) = tokio::try_join!(
            self.of_subnet("LastEpochBlock", netuid),
            self.of_subnet("PendingEpochAt", netuid),
            self.tempo(netuid),
            self.of_subnet("BlocksSinceLastStep", netuid),
            self.of_subnet("RevealPeriodEpochs", netuid),
        )?;
        Ok(Schedule {
            block: self.number(),
            last_epoch_block,
            pending_epoch_at,
            tempo,
            blocks_since_last_step,
            reveal_period_epochs,
        })
    }

    /// The round to seal weights to that are committed now; `None` if the subnet has no epochs. `block_time` is the
    /// chain's.
    ///
    /// # Errors
    /// As every read.
    pub async fn reveal_round(
        &self,
        netuid: u16,
        beacon: &Beacon,
        block_time: Duration,
    ) -> Result<Option<u64>, ReadError> {
        let schedule = self.schedule(netuid).await?;
        Ok(schedule.reveal_round(beacon, now(), block_time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK_TIME: Duration = Duration::from_secs(12);

    fn schedule() -> Schedule {
        Schedule {
            block: 1010,
            last_epoch_block: 1000,
            pending_epoch_at: 0,
            tempo: 360,
            blocks_since_last_step: 10,
            reveal_period_epochs: 1,
        }
    }

    /// Each choice was recorded from the official client's own helper.
    #[test]
    fn the_reveal_comes_in_the_block_that_the_public_clients_choose() {
        let first = |change: &dyn Fn(&mut Schedule)| {
            let mut schedule = schedule();
            change(&mut schedule);
            schedule.reveal_block()
        };
        assert_eq!(first(&|_| ()), Some(1360));
        assert_eq!(first(&|s| s.block = 1358), Some(1360));
        assert_eq!(first(&|s| s.block = 1359), Some(1720));
        assert_eq!(first(&|s| s.block = 1360), Some(1721));
        assert_eq!(first(&|s| s.block = 1400), Some(1761));
        assert_eq!(first(&|s| s.pending_epoch_at = 1100), Some(1100));
        assert_eq!(first(&|s| s.pending_epoch_at = 1011), Some(1371));
        assert_eq!(first(&|s| s.pending_epoch_at = 1005), Some(1371));
        assert_eq!(first(&|s| s.reveal_period_epochs = 2), Some(1720));
        let both = |s: &mut Schedule| (s.reveal_period_epochs, s.pending_epoch_at) = (3, 1012);
        assert_eq!(first(&both), Some(1732));
        assert_eq!(first(&|s| s.blocks_since_last_step = 50_399), Some(1013));
        assert_eq!(first(&|s| s.blocks_since_last_step = 50_400), Some(1012));
        assert_eq!(first(&|s| s.blocks_since_last_step = 50_401), Some(1371));
        assert_eq!(first(&|s| s.tempo = 10), Some(1021));
        assert_eq!(first(&|s| s.tempo = 0), None);
    }

    #[test]
    fn the_round_is_published_after_the_epoch_has_begun() {
        let quicknet = Beacon::quicknet();
        let now = Duration::from_secs(quicknet.genesis_time + 30_000);
        // 353 blocks of 12 s are 1412 rounds.
        let round = schedule().reveal_round(&quicknet, now, BLOCK_TIME);
        assert_eq!(round, Some(10_000 + 1412));
        // On a fast chain the round would be over already; then it is the next one.
        let fast = schedule().reveal_round(&quicknet, now, Duration::from_millis(1));
        assert_eq!(fast, Some(10_002));
        let hostile = Schedule {
            reveal_period_epochs: u64::MAX,
            block: u64::MAX,
            ..schedule()
        };
        assert!(
            hostile
                .reveal_round(&quicknet, Duration::MAX, Duration::MAX)
                .is_some()
        );
    }
}

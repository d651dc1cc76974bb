//! Weights that are committed first and revealed later, so that nobody can copy them in time.
//!
//! There are two forms. A hash is committed and its author reveals the weights in a later transaction; or a cipher
//! text is committed that a round of the randomness beacon opens, and the block step reveals it. Both are revealed in
//! the epoch that comes `RevealPeriodEpochs` after the one they were committed in, and are dropped after it.
//!
//! "The current epoch" looks ahead: while an epoch is due and has not run, it counts already.

use super::pallet::*;
use crate::drand;
use agon_timelock::{Ciphertext, WeightsPlaintext, weights_hash};
use codec::Compact;
use frame_support::pallet_prelude::*;
use sp_core::H256;
use sp_runtime::AccountId32;
use sp_runtime::traits::{BlakeTwo256, Hash};

/// The most commits of a hotkey that wait: all of them as hashes, or those of one epoch as cipher texts.
const MAX_UNREVEALED: usize = 10;

/// What one reveal shows of a hash commit: uids, weights, salt, version key.
pub(crate) type Reveal = (Vec<u16>, Vec<u16>, Vec<u16>, u64);
/// A hash commit as it is stored: the hash, the epoch, the block, and a number that nothing uses.
type Commit = (H256, u64, u64, u64);

impl<T: Config> Pallet<T> {
    /// The number of the current epoch, looking ahead.
    pub(super) fn current_epoch(netuid: u16) -> u64 {
        SubnetEpochIndex::<T>::get(netuid).saturating_add(u64::from(Self::epoch_is_due(netuid)))
    }

    /// Commits the hash of weights.
    pub(super) fn do_commit_weights(
        hotkey: AccountId32,
        netuid: u16,
        mechanism: u8,
        hash: H256,
    ) -> DispatchResult {
        let index =
            Self::storage_index(netuid, mechanism).ok_or(Error::<T>::MechanismDoesNotExist)?;
        Self::ensure_commit_reveal(netuid)?;
        let uid = Self::committers_uid(&hotkey, netuid, index)?;
        let mut commits = WeightCommits::<T>::get(index, &hotkey).unwrap_or_default();
        commits.retain(|(_, epoch, _, _)| !Self::is_expired(netuid, *epoch));
        ensure!(
            commits.len() < MAX_UNREVEALED,
            Error::<T>::TooManyUnrevealedCommits
        );
        commits.push((hash, Self::current_epoch(netuid), Self::now(), 0));
        WeightCommits::<T>::insert(index, &hotkey, commits);
        Self::touch(index, uid);
        Self::deposit_event(Event::WeightsCommitted(hotkey, index, hash));
        Ok(())
    }

    /// Reveals weights whose hash was committed, and sets them.
    pub(super) fn do_reveal_weights(
        hotkey: AccountId32,
        netuid: u16,
        mechanism: u8,
        reveal: Reveal,
    ) -> DispatchResult {
        let index =
            Self::storage_index(netuid, mechanism).ok_or(Error::<T>::MechanismDoesNotExist)?;
        Self::ensure_commit_reveal(netuid)?;
        let (stored, mut commits) = Self::waiting(&hotkey, netuid, index)?;
        let hash = Self::hash_of(&hotkey, index, &reveal);
        let position = Self::revealable(netuid, &stored, &commits, hash)?;
        // What was committed before the revealed weights is superseded by them.
        commits.drain(..=position);
        Self::store_commits(index, &hotkey, commits);
        let (uids, values, _, version_key) = reveal;
        Self::do_set_weights(hotkey.clone(), netuid, mechanism, uids, values, version_key)?;
        Self::deposit_event(Event::WeightsRevealed(hotkey, index, hash));
        Ok(())
    }

    /// Reveals several commits of the first mechanism in the order given; all or none.
    pub(super) fn do_batch_reveal_weights(
        hotkey: AccountId32,
        netuid: u16,
        reveals: Vec<Reveal>,
    ) -> DispatchResult {
        const MECHANISM: u8 = 0;
        let index =
            Self::storage_index(netuid, MECHANISM).ok_or(Error::<T>::MechanismDoesNotExist)?;
        Self::ensure_commit_reveal(netuid)?;
        let (hashes, commits) = Self::match_reveals(&hotkey, netuid, index, &reveals)?;
        Self::store_commits(index, &hotkey, commits);
        for (uids, values, _, version_key) in reveals {
            Self::do_set_weights(hotkey.clone(), netuid, MECHANISM, uids, values, version_key)?;
        }
        Self::deposit_event(Event::WeightsBatchRevealed(hotkey, netuid, hashes));
        Ok(())
    }

    /// Commits one hash a subnet, each for itself: what fails is told in events.
    pub(super) fn do_batch_commit_weights(
        hotkey: AccountId32,
        netuids: Vec<Compact<u16>>,
        hashes: Vec<H256>,
    ) -> DispatchResult {
        ensure!(
            netuids.len() == hashes.len(),
            Error::<T>::InputLengthsUnequal
        );
        let commits = netuids.iter().zip(hashes);
        let outcomes = commits
            .map(|(netuid, hash)| {
                let outcome = Self::do_commit_weights(hotkey.clone(), netuid.0, 0, hash);
                (netuid.0, outcome)
            })
            .collect();
        Self::tell_batch(hotkey, netuids, outcomes);
        Ok(())
    }

    /// The events that end a batch of weights or commits.
    pub(super) fn tell_batch(
        hotkey: AccountId32,
        netuids: Vec<Compact<u16>>,
        outcomes: Vec<(u16, DispatchResult)>,
    ) {
        let failures: Vec<_> = outcomes
            .into_iter()
            .filter_map(|(netuid, outcome)| Some((netuid, outcome.err()?)))
            .collect();
        let is_complete = failures.is_empty();
        for (netuid, error) in failures {
            Self::deposit_event(Event::BatchWeightItemFailed(netuid, error));
        }
        Self::deposit_event(if is_complete {
            Event::BatchWeightsCompleted(netuids, hotkey)
        } else {
            Event::BatchCompletedWithErrors
        });
    }

    /// Commits weights as a cipher text that `round` of the beacon opens.
    pub(super) fn do_commit_timelocked_weights(
        hotkey: AccountId32,
        netuid: u16,
        mechanism: u8,
        commit: BoundedVec<u8, ConstU32<5000>>,
        round: u64,
        version: u16,
    ) -> DispatchResult {
        let index =
            Self::storage_index(netuid, mechanism).ok_or(Error::<T>::MechanismDoesNotExist)?;
        Self::ensure_commit_reveal(netuid)?;
        ensure!(
            version == CommitRevealWeightsVersion::<T>::get(),
            Error::<T>::IncorrectCommitRevealVersion
        );
        Self::check_round(round)?;
        let uid = Self::committers_uid(&hotkey, netuid, index)?;
        let epoch = Self::current_epoch(netuid);
        let mut commits = TimelockedWeightCommits::<T>::get(index, epoch);
        ensure!(
            commits.iter().filter(|(who, ..)| *who == hotkey).count() < MAX_UNREVEALED,
            Error::<T>::TooManyUnrevealedCommits
        );
        let hash = BlakeTwo256::hash(&commit);
        commits.push((hotkey.clone(), Self::now(), commit, round));
        TimelockedWeightCommits::<T>::insert(index, epoch, commits);
        Self::touch(index, uid);
        Self::deposit_event(Event::TimelockedWeightsCommitted(
            hotkey, index, hash, round,
        ));
        Ok(())
    }

    /// The block step's part: reveals what is due and can be opened, in subnets whose epoch is not put off.
    pub(super) fn reveal_timelocked_weights() {
        let mut room = MaxEpochsPerBlock::<T>::get();
        for netuid in Self::subnets() {
            if Self::epoch_is_due(netuid) {
                let Some(left) = room.checked_sub(1) else {
                    continue;
                };
                room = left;
            }
            for mechanism in 0..MechanismCountCurrent::<T>::get(netuid) {
                Self::reveal_mechanism(netuid, mechanism);
            }
        }
    }

    fn reveal_mechanism(netuid: u16, mechanism: u8) {
        let Some(index) = Self::storage_index(netuid, mechanism) else {
            return;
        };
        let expired: Vec<u64> = TimelockedWeightCommits::<T>::iter_key_prefix(index)
            .filter(|epoch| Self::is_expired(netuid, *epoch))
            .collect();
        for epoch in expired {
            TimelockedWeightCommits::<T>::remove(index, epoch);
        }
        let period = RevealPeriodEpochs::<T>::get(netuid);
        let Some(epoch) = Self::current_epoch(netuid).checked_sub(period) else {
            return;
        };
        let commits = TimelockedWeightCommits::<T>::get(index, epoch);
        let before = commits.len();
        let mut waiting = Vec::new();
        for commit in commits {
            let Some(signature) = drand::Pallet::<T>::signature_of(commit.3) else {
                waiting.push(commit);
                continue;
            };
            // Whatever does not open or may not be set is dropped: nobody is there to be told.
            let (hotkey, _, bytes, _) = commit;
            let opened = Ciphertext::from_bytes(&bytes)
                .ok()
                .and_then(|ciphertext| ciphertext.open(&signature).ok())
                .and_then(|text| WeightsPlaintext::from_bytes(&text));
            let Some(WeightsPlaintext {
                hotkey: named,
                uids,
                values,
                version_key,
            }) = opened
            else {
                continue;
            };
            let is_copied = named.is_some_and(|named| named != <[u8; 32]>::from(hotkey.clone()));
            if !is_copied
                && Self::do_set_weights(
                    hotkey.clone(),
                    netuid,
                    mechanism,
                    uids,
                    values,
                    version_key,
                )
                .is_ok()
            {
                Self::deposit_event(Event::TimelockedWeightsRevealed(index, hotkey));
            }
        }
        if waiting.is_empty() {
            TimelockedWeightCommits::<T>::remove(index, epoch);
        } else if waiting.len() < before {
            TimelockedWeightCommits::<T>::insert(index, epoch, waiting);
        }
    }

    /// For each hotkey the block of its earliest commit that can still be revealed; none where commit-reveal is off.
    pub(super) fn earliest_commits(
        netuid: u16,
        index: u16,
        hotkeys: &[AccountId32],
    ) -> Vec<Option<u64>> {
        if !CommitRevealWeightsEnabled::<T>::get(netuid) {
            return vec![None; hotkeys.len()];
        }
        let timelocked: Vec<(AccountId32, u64)> = TimelockedWeightCommits::<T>::iter_prefix(index)
            .filter(|(epoch, _)| !Self::is_expired(netuid, *epoch))
            .flat_map(|(_, commits)| commits)
            .map(|(hotkey, block, ..)| (hotkey, block))
            .collect();
        let earliest = |hotkey: &AccountId32| {
            let hashed = WeightCommits::<T>::get(index, hotkey).unwrap_or_default();
            let hashed = hashed
                .into_iter()
                .filter(|(_, epoch, _, _)| !Self::is_expired(netuid, *epoch))
                .map(|(_, _, block, _)| block);
            let own = timelocked.iter().filter(|(who, _)| who == hotkey);
            hashed.chain(own.map(|(_, block)| *block)).min()
        };
        hotkeys.iter().map(earliest).collect()
    }

    /// The rounds of the beacon that committed weights wait for.
    pub fn awaited_rounds() -> impl Iterator<Item = u64> {
        TimelockedWeightCommits::<T>::iter_values()
            .flatten()
            .map(|(_, _, _, round)| round)
    }

    fn ensure_commit_reveal(netuid: u16) -> DispatchResult {
        let is_on = CommitRevealWeightsEnabled::<T>::get(netuid);
        ensure!(is_on, Error::<T>::CommitRevealDisabled);
        Ok(())
    }

    /// The committer's uid, if it may commit again already.
    fn committers_uid(hotkey: &AccountId32, netuid: u16, index: u16) -> Result<u16, DispatchError> {
        let uid = Uids::<T>::get(netuid, hotkey).ok_or(Error::<T>::HotKeyNotRegisteredInSubNet)?;
        ensure!(
            Self::may_update(netuid, index, uid),
            Error::<T>::CommittingWeightsTooFast
        );
        Ok(uid)
    }

    fn is_expired(netuid: u16, commit_epoch: u64) -> bool {
        let last = commit_epoch.saturating_add(RevealPeriodEpochs::<T>::get(netuid));
        Self::current_epoch(netuid) > last
    }

    /// That a round of the beacon can still be waited for.
    pub(crate) fn check_round(round: u64) -> Result<(), Error<T>> {
        ensure!(
            round >= drand::LastStoredRound::<T>::get(),
            Error::<T>::InvalidRevealRound
        );
        Ok(())
    }

    /// That a hotkey has committed to all these weights of a mechanism and can reveal them now. Whether the subnet wants
    /// weights committed to at all is not looked at.
    pub(crate) fn check_reveals(
        hotkey: &AccountId32,
        netuid: u16,
        mechanism: u8,
        reveals: &[Reveal],
    ) -> Result<(), Error<T>> {
        let index =
            Self::storage_index(netuid, mechanism).ok_or(Error::<T>::NoWeightsCommitFound)?;
        Self::match_reveals(hotkey, netuid, index, reveals).map(|_| ())
    }

    /// The hashes of what is revealed, and the commits that wait besides.
    fn match_reveals(
        hotkey: &AccountId32,
        netuid: u16,
        index: u16,
        reveals: &[Reveal],
    ) -> Result<(Vec<H256>, Vec<Commit>), Error<T>> {
        let (stored, mut commits) = Self::waiting(hotkey, netuid, index)?;
        let mut hashes = Vec::new();
        for reveal in reveals {
            let hash = Self::hash_of(hotkey, index, reveal);
            let position = Self::revealable(netuid, &stored, &commits, hash)?;
            commits.remove(position);
            hashes.push(hash);
        }
        Ok((hashes, commits))
    }

    /// A hotkey's commits: all that are stored, and those of them that have not expired.
    fn waiting(
        hotkey: &AccountId32,
        netuid: u16,
        index: u16,
    ) -> Result<(Vec<Commit>, Vec<Commit>), Error<T>> {
        let stored =
            WeightCommits::<T>::get(index, hotkey).ok_or(Error::<T>::NoWeightsCommitFound)?;
        let mut commits = stored.clone();
        commits.retain(|(_, epoch, _, _)| !Self::is_expired(netuid, *epoch));
        Ok((stored, commits))
    }

    /// Where the commit with `hash` stands among those not expired, if it can be revealed now.
    fn revealable(
        netuid: u16,
        stored: &[Commit],
        commits: &[Commit],
        hash: H256,
    ) -> Result<usize, Error<T>> {
        let Some(position) = commits.iter().position(|commit| commit.0 == hash) else {
            let has_expired = stored
                .iter()
                .any(|(stored, epoch, ..)| *stored == hash && Self::is_expired(netuid, *epoch));
            return Err(if has_expired {
                Error::<T>::ExpiredWeightCommit
            } else if commits.is_empty() {
                Error::<T>::NoWeightsCommitFound
            } else {
                Error::<T>::InvalidRevealCommitHashNotMatch
            });
        };
        let due = commits[position]
            .1
            .saturating_add(RevealPeriodEpochs::<T>::get(netuid));
        if Self::current_epoch(netuid) != due {
            return Err(Error::<T>::RevealTooEarly);
        }
        Ok(position)
    }

    fn hash_of(hotkey: &AccountId32, index: u16, reveal: &Reveal) -> H256 {
        let (uids, values, salt, version_key) = reveal;
        let hotkey: &[u8; 32] = hotkey.as_ref();
        H256(weights_hash(
            hotkey,
            index,
            uids,
            values,
            salt,
            *version_key,
        ))
    }

    fn store_commits(index: u16, hotkey: &AccountId32, commits: Vec<Commit>) {
        if commits.is_empty() {
            WeightCommits::<T>::remove(index, hotkey);
        } else {
            WeightCommits::<T>::insert(index, hotkey, commits);
        }
    }
}

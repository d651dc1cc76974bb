//! When epochs run: the public chain's dynamic tempo, and what a subnet's owner may do about it.
//!
//! The bounds of the tempo hold for the owner alone: root sets any tempo through the admin pallet, because a
//! development network wants short epochs.

use super::pallet::*;
use super::{Hyperparameter, OwnerAction};
use frame_support::pallet_prelude::*;
use frame_system::pallet_prelude::*;
use sp_runtime::AccountId32;
use std::ops::RangeInclusive;

/// The tempos an owner may set: the public chain's `MinTempo` and `MaxTempo`.
const TEMPOS: RangeInclusive<u16> = 360..=50_400;
/// The activity cutoffs that can be set, in tempos over 1000: the public chain's `MinActivityCutoffFactorMilli` and
/// `MaxActivityCutoffFactorMilli`.
const CUTOFF_FACTORS: RangeInclusive<u32> = 1_000..=50_000;
/// The number of the owner's setting of the tempo in [`TransactionKeyLastBlock`]. The public chain's own number is not
/// published; no client reads it.
const TEMPO_UPDATE: u16 = 11;
/// After this many blocks without an epoch one runs whatever the tempo says.
const MAX_BLOCKS_SINCE_STEP: u64 = 50_400;

impl<T: Config> Pallet<T> {
    /// The block in which a subnet's next epoch starts; none without a tempo or without the subnet.
    pub fn next_epoch_start_block(netuid: u16) -> Option<u64> {
        let tempo = u64::from(Tempo::<T>::get(netuid));
        if tempo == 0 || !NetworksAdded::<T>::get(netuid) {
            return None;
        }
        let regular = LastEpochBlock::<T>::get(netuid).saturating_add(tempo);
        let pending = PendingEpochAt::<T>::get(netuid);
        Some(if pending > 0 {
            regular.min(pending)
        } else {
            regular
        })
    }

    /// Blocks without new weights after which a validator is inactive: the tempo times a factor in thousandths, at
    /// least 1.
    pub fn activity_cutoff(netuid: u16) -> u64 {
        let factor = u64::from(ActivityCutoffFactorMilli::<T>::get(netuid));
        (u64::from(Tempo::<T>::get(netuid)) * factor / 1000).max(1)
    }

    /// Whether a subnet's epoch runs in this block if there is room for it.
    pub(super) fn epoch_is_due(netuid: u16) -> bool {
        let is_late = BlocksSinceLastStep::<T>::get(netuid) > MAX_BLOCKS_SINCE_STEP;
        Self::next_epoch_start_block(netuid).is_some_and(|start| is_late || Self::now() >= start)
    }

    /// The block step's part: counts blocks and runs what is due, at most [`MaxEpochsPerBlock`].
    pub(super) fn run_due_epochs() {
        let block = Self::now();
        let mut room = MaxEpochsPerBlock::<T>::get();
        for netuid in Self::subnets() {
            BlocksSinceLastStep::<T>::mutate(netuid, |blocks| *blocks = blocks.saturating_add(1));
            if !Self::epoch_is_due(netuid) {
                continue;
            }
            if room == 0 {
                let next = block.saturating_add(1);
                PendingEpochAt::<T>::insert(netuid, next);
                Self::deposit_event(Event::EpochDeferred {
                    netuid,
                    from_block: block,
                    to_block: next,
                });
                continue;
            }
            room -= 1;
            BlocksSinceLastStep::<T>::insert(netuid, 0);
            LastEpochBlock::<T>::insert(netuid, block);
            PendingEpochAt::<T>::insert(netuid, 0);
            SubnetEpochIndex::<T>::mutate(netuid, |index| *index = index.saturating_add(1));
            if Self::run_epoch(netuid) {
                LastMechansimStepBlock::<T>::insert(netuid, block);
            } else {
                Self::deposit_event(Event::EpochSkipped { netuid, block });
            }
        }
    }

    /// The caller's account, which must own the subnet.
    fn ensure_owns(who: AccountId32, netuid: u16) -> Result<AccountId32, DispatchError> {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(
            SubnetOwner::<T>::get(netuid) == who,
            DispatchError::BadOrigin
        );
        Ok(who)
    }

    /// The owner's tempo, at most once in the least tempo's blocks.
    pub(super) fn do_set_tempo(who: AccountId32, netuid: u16, tempo: u16) -> DispatchResult {
        let owner = Self::ensure_owns(who, netuid)?;
        ensure!(TEMPOS.contains(&tempo), Error::<T>::TempoOutOfBounds);
        Self::ensure_not_frozen(netuid)?;
        let now = Self::now();
        let key = (&owner, netuid, TEMPO_UPDATE);
        let last = TransactionKeyLastBlock::<T>::get(key);
        ensure!(
            last == 0 || now.saturating_sub(last) >= u64::from(*TEMPOS.start()),
            Error::<T>::TxRateLimitExceeded
        );
        TransactionKeyLastBlock::<T>::insert(key, now);
        Tempo::<T>::insert(netuid, tempo);
        LastEpochBlock::<T>::insert(netuid, now);
        Self::deposit_event(Event::TempoSet(netuid, tempo));
        Ok(())
    }

    /// The activity cutoff; root is bound by its range only.
    pub(super) fn do_set_activity_cutoff_factor(
        origin: OriginFor<T>,
        netuid: u16,
        factor_milli: u32,
    ) -> DispatchResult {
        if let Some(who) = ensure_signed_or_root(origin)? {
            let owner = Self::ensure_owns(who, netuid)?;
            let rule = OwnerAction::Hyperparameter(Hyperparameter::ActivityCutoffFactorMilli);
            Self::note_owner_action(&owner, netuid, rule)?;
        }
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(
            CUTOFF_FACTORS.contains(&factor_milli),
            Error::<T>::ActivityCutoffFactorMilliOutOfBounds
        );
        ActivityCutoffFactorMilli::<T>::insert(netuid, factor_milli);
        Self::deposit_event(Event::ActivityCutoffFactorMilliSet {
            netuid,
            factor_milli,
        });
        Ok(())
    }

    /// An epoch besides the tempo, after the blocks in which the owner may not change rules.
    ///
    /// With commit-reveal on it is refused: time-locked weights are revealed by epochs, and one more epoch would leave
    /// those out whose time has not come.
    pub(super) fn do_trigger_epoch(who: AccountId32, netuid: u16) -> DispatchResult {
        let by = Self::ensure_owns(who, netuid)?;
        ensure!(
            !CommitRevealWeightsEnabled::<T>::get(netuid),
            Error::<T>::DynamicTempoBlockedByCommitReveal
        );
        ensure!(
            PendingEpochAt::<T>::get(netuid) == 0,
            Error::<T>::EpochTriggerAlreadyPending
        );
        let fires_at = Self::now().saturating_add(AdminFreezeWindow::<T>::get().into());
        ensure!(
            Self::next_epoch_start_block(netuid).is_none_or(|start| start > fires_at),
            Error::<T>::AutoEpochAlreadyImminent
        );
        Self::note_rule_change(netuid, Hyperparameter::TriggerEpoch)?;
        PendingEpochAt::<T>::insert(netuid, fires_at);
        Self::deposit_event(Event::EpochTriggered {
            netuid,
            by,
            fires_at,
        });
        Ok(())
    }
}

//! The rules of a subnet that are more than one value: its mechanisms, liquid alpha's bounds, the reveal period, the
//! owner's hotkey.

use super::MAX_UIDS;
use super::pallet::*;
use frame_support::pallet_prelude::*;
use sp_runtime::AccountId32;

/// The most mechanisms a subnet can be allowed: their storage indices share 16 bits with 4096 netuids.
const MOST_MECHANISMS: u8 = 16;
/// The least of liquid alpha's bounds, over 65535: a fortieth.
const LEAST_ALPHA: u16 = u16::MAX / 40;
/// The epochs there can be between commit and reveal.
const REVEAL_PERIODS: std::ops::RangeInclusive<u64> = 1..=100;

impl<T: Config> Pallet<T> {
    /// Sets the most mechanisms any subnet runs.
    ///
    /// # Errors
    /// `InvalidValue` for none and for more than 16.
    pub fn set_max_mechanism_count(most: u8) -> DispatchResult {
        ensure!(
            (1..=MOST_MECHANISMS).contains(&most),
            Error::<T>::InvalidValue
        );
        MaxMechanismCount::<T>::put(most);
        Ok(())
    }

    /// Passes a number of mechanisms if all their neurons together are not more than one mechanism can have.
    ///
    /// # Errors
    /// `TooManyUIDsPerMechanism`.
    pub fn ensure_mechanisms_have_room(mechanisms: u8, uids: u16) -> DispatchResult {
        ensure!(
            u16::from(mechanisms).saturating_mul(uids) <= MAX_UIDS,
            Error::<T>::TooManyUIDsPerMechanism
        );
        Ok(())
    }

    /// Sets how many mechanisms a subnet runs. What belongs to those that end is forgotten, and the emission is split
    /// equally again.
    ///
    /// # Errors
    /// `MechanismDoesNotExist` without the subnet, `InvalidValue` for none and for more than allowed,
    /// `TooManyUIDsPerMechanism`.
    pub fn set_mechanism_count(netuid: u16, count: u8) -> DispatchResult {
        ensure!(
            NetworksAdded::<T>::get(netuid),
            Error::<T>::MechanismDoesNotExist
        );
        ensure!(
            (1..=MaxMechanismCount::<T>::get()).contains(&count),
            Error::<T>::InvalidValue
        );
        Self::ensure_mechanisms_have_room(count, MaxAllowedUids::<T>::get(netuid))?;
        let before = MechanismCountCurrent::<T>::get(netuid);
        if count == before {
            return Ok(());
        }
        for ended in (count..before).filter_map(|mechanism| Self::storage_index(netuid, mechanism))
        {
            Self::forget_mechanism(ended);
        }
        MechanismCountCurrent::<T>::insert(netuid, count);
        MechanismEmissionSplit::<T>::remove(netuid);
        let n = usize::from(SubnetworkN::<T>::get(netuid));
        for new in (before..count).filter_map(|mechanism| Self::storage_index(netuid, mechanism)) {
            Incentive::<T>::insert(new, vec![0; n]);
            LastUpdate::<T>::insert(new, vec![Self::now(); n]);
        }
        Ok(())
    }

    /// Forgets what validators said in a mechanism and what came of it.
    pub(super) fn forget_mechanism(index: u16) {
        Incentive::<T>::remove(index);
        LastUpdate::<T>::remove(index);
        let _ = Weights::<T>::clear_prefix(index, u32::MAX, None);
        let _ = Bonds::<T>::clear_prefix(index, u32::MAX, None);
        let _ = WeightCommits::<T>::clear_prefix(index, u32::MAX, None);
        let _ = TimelockedWeightCommits::<T>::clear_prefix(index, u32::MAX, None);
    }

    /// Sets how the mechanisms share the emission.
    ///
    /// # Errors
    /// `MechanismDoesNotExist` without the subnet, `InvalidValue` unless there is at most one part a mechanism and all
    /// parts sum up to 65535.
    pub fn set_mechanism_emission_split(netuid: u16, split: Option<Vec<u16>>) -> DispatchResult {
        ensure!(
            NetworksAdded::<T>::get(netuid),
            Error::<T>::MechanismDoesNotExist
        );
        let Some(parts) = split else {
            MechanismEmissionSplit::<T>::remove(netuid);
            return Ok(());
        };
        let is_whole = parts.iter().copied().map(u64::from).sum::<u64>() == u64::from(u16::MAX);
        let count = usize::from(MechanismCountCurrent::<T>::get(netuid));
        ensure!(is_whole && parts.len() <= count, Error::<T>::InvalidValue);
        MechanismEmissionSplit::<T>::insert(netuid, parts);
        Ok(())
    }

    /// Sets liquid alpha's bounds, over 65535.
    ///
    /// # Errors
    /// `LiquidAlphaDisabled`, `AlphaHighTooLow`, `AlphaLowOutOfRange`.
    pub fn set_alpha_values(netuid: u16, low: u16, high: u16) -> DispatchResult {
        ensure!(
            LiquidAlphaOn::<T>::get(netuid),
            Error::<T>::LiquidAlphaDisabled
        );
        ensure!(high >= LEAST_ALPHA, Error::<T>::AlphaHighTooLow);
        ensure!(
            (LEAST_ALPHA..=high).contains(&low),
            Error::<T>::AlphaLowOutOfRange
        );
        AlphaValues::<T>::insert(netuid, (low, high));
        Ok(())
    }

    /// Sets the epochs between commit and reveal.
    ///
    /// # Errors
    /// `RevealPeriodTooLarge` above 100, `RevealPeriodTooSmall` for none.
    pub fn set_reveal_period(netuid: u16, epochs: u64) -> DispatchResult {
        ensure!(
            epochs <= *REVEAL_PERIODS.end(),
            Error::<T>::RevealPeriodTooLarge
        );
        ensure!(
            epochs >= *REVEAL_PERIODS.start(),
            Error::<T>::RevealPeriodTooSmall
        );
        RevealPeriodEpochs::<T>::insert(netuid, epochs);
        Self::deposit_event(Event::CommitRevealPeriodsSet(netuid, epochs));
        Ok(())
    }

    /// Names the hotkey the owner is paid on and that is never replaced.
    ///
    /// # Errors
    /// `HotKeyAccountNotExists` if nobody owns it, `NonAssociatedColdKey` if another coldkey does.
    pub fn set_owner_hotkey(netuid: u16, hotkey: AccountId32) -> DispatchResult {
        let owner = SubnetOwner::<T>::get(netuid);
        Self::check_ownership(&owner, &hotkey)?;
        SubnetOwnerHotkey::<T>::insert(netuid, &hotkey);
        Self::deposit_event(Event::SubnetOwnerHotkeySet(netuid, hotkey));
        Ok(())
    }
}

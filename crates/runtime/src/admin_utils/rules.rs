//! Who may set what, and the bounds that are more than a line.

use super::pallet::*;
use crate::subtensor::{self, MAX_UIDS, OwnerAction, ROOT};
use frame_support::pallet_prelude::*;
use frame_system::pallet_prelude::*;

/// The least registration price cannot be set to this or more, in rao.
const MIN_BURN_BOUND: u64 = 1_000_000_000;
/// The highest registration price cannot be set to this or less, in rao.
const MAX_BURN_BOUND: u64 = 100_000_000;
/// A registration multiplies the price by at least 1, with 64 fractional bits.
const LEAST_BURN_INCREASE: u128 = 1 << 64;
/// All of the old bonds, in millionths.
const WHOLE: u64 = 1_000_000;
/// How much of the old bonds an owner may have an epoch keep, in millionths.
const OWNERS_BONDS_BOUND: u64 = 975_000;
/// The most hotkeys of the owner that can be kept from replacement.
const MAX_KEPT_OWNER_UIDS: u16 = 10;

/// Who may make a call.
pub(super) enum Right {
    /// Nobody: the chain does not carry it out.
    Nobody,
    /// Root.
    Root,
    /// Root, for a subnet that exists.
    Subnet(u16),
    /// Root, or the subnet's owner as often as this action is allowed.
    Owner(u16, OwnerAction),
}

impl<T: Config> Pallet<T> {
    /// Checks a right. Whether the owner used it, and not root.
    ///
    /// What the owner did is noted for the limits at once: if the call fails afterwards, the note is undone with it.
    pub(super) fn ensure(origin: OriginFor<T>, right: Right) -> Result<bool, DispatchError> {
        match right {
            Right::Nobody => Err(T::NotHere::get()),
            Right::Root => ensure_root(origin).map(|()| false).map_err(Into::into),
            Right::Subnet(netuid) => {
                ensure_root(origin)?;
                Self::ensure_exists(netuid)?;
                Ok(false)
            }
            Right::Owner(netuid, action) => {
                let owner = subtensor::Pallet::<T>::ensure_owner_or_root(origin, netuid)?;
                Self::ensure_exists(netuid)?;
                if let Some(owner) = &owner {
                    subtensor::Pallet::<T>::note_owner_action(owner, netuid, action)?;
                }
                Ok(owner.is_some())
            }
        }
    }

    fn ensure_exists(netuid: u16) -> DispatchResult {
        let exists = subtensor::NetworksAdded::<T>::get(netuid);
        ensure!(exists, Error::<T>::SubnetDoesNotExist);
        Ok(())
    }

    /// Some rules mean nothing on the root network.
    pub(super) fn ensure_no_root(netuid: u16) -> DispatchResult {
        ensure!(netuid != ROOT, Error::<T>::NotPermittedOnRootSubnet);
        Ok(())
    }

    pub(super) fn tell(event: subtensor::Event<T>) {
        subtensor::Pallet::<T>::deposit_event(event);
    }

    pub(super) fn check_max_allowed_uids(netuid: u16, most: u16) -> DispatchResult {
        ensure!(
            most >= subtensor::MinAllowedUids::<T>::get(netuid),
            Error::<T>::MaxAllowedUidsLessThanMinAllowedUids
        );
        ensure!(
            most >= subtensor::SubnetworkN::<T>::get(netuid),
            Error::<T>::MaxAllowedUIdsLessThanCurrentUIds
        );
        ensure!(
            most <= MAX_UIDS,
            Error::<T>::MaxAllowedUidsGreaterThanDefaultMaxAllowedUids
        );
        let mechanisms = subtensor::MechanismCountCurrent::<T>::get(netuid);
        subtensor::Pallet::<T>::ensure_mechanisms_have_room(mechanisms, most)
    }

    pub(super) fn check_min_allowed_uids(netuid: u16, least: u16) -> DispatchResult {
        ensure!(
            least < subtensor::MaxAllowedUids::<T>::get(netuid),
            Error::<T>::MinAllowedUidsGreaterThanMaxAllowedUids
        );
        ensure!(
            least < subtensor::SubnetworkN::<T>::get(netuid),
            Error::<T>::MinAllowedUidsGreaterThanCurrentUids
        );
        Ok(())
    }

    pub(super) fn check_min_burn(netuid: u16, price: u64) -> DispatchResult {
        let bound = MIN_BURN_BOUND.min(subtensor::MaxBurn::<T>::get(netuid));
        ensure!(price < bound, Error::<T>::ValueNotInBounds);
        Ok(())
    }

    pub(super) fn check_max_burn(netuid: u16, price: u64) -> DispatchResult {
        let bound = MAX_BURN_BOUND.max(subtensor::MinBurn::<T>::get(netuid));
        ensure!(price > bound, Error::<T>::ValueNotInBounds);
        Ok(())
    }

    pub(super) fn check_burn_increase(bits: u128) -> DispatchResult {
        ensure!(bits >= LEAST_BURN_INCREASE, Error::<T>::ValueNotInBounds);
        Ok(())
    }

    pub(super) fn check_bonds_moving_average(millionths: u64, by_owner: bool) -> DispatchResult {
        let bound = if by_owner { OWNERS_BONDS_BOUND } else { WHOLE };
        ensure!(
            millionths <= bound,
            Error::<T>::BondsMovingAverageMaxReached
        );
        Ok(())
    }

    pub(super) fn check_kept_owner_uids(count: u16) -> DispatchResult {
        ensure!(
            (1..=MAX_KEPT_OWNER_UIDS).contains(&count),
            subtensor::Error::<T>::InvalidValue
        );
        Ok(())
    }

    /// Sets after how many blocks without weights a validator is inactive.
    ///
    /// The epoch knows this only in thousandths of the tempo, so both forms are stored.
    pub(super) fn set_activity_cutoff(netuid: u16, blocks: u16) -> DispatchResult {
        ensure!(
            blocks >= subtensor::MinActivityCutoff::<T>::get(),
            subtensor::Error::<T>::ActivityCutoffTooLow
        );
        subtensor::ActivityCutoff::<T>::insert(netuid, blocks);
        let tempo = u32::from(subtensor::Tempo::<T>::get(netuid));
        if tempo != 0 {
            let thousandths = (u32::from(blocks) * 1000).div_ceil(tempo);
            subtensor::ActivityCutoffFactorMilli::<T>::insert(netuid, thousandths);
        }
        Ok(())
    }
}

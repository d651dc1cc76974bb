//! Where a coldkey's miners' incentive is staked: to themselves, or to the one hotkey the coldkey chose.

use super::pallet::*;
use frame_support::pallet_prelude::*;
use sp_runtime::AccountId32;

impl<T: Config> Pallet<T> {
    pub(super) fn do_set_auto_stake(
        coldkey: AccountId32,
        netuid: u16,
        hotkey: AccountId32,
    ) -> DispatchResult {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(
            Uids::<T>::contains_key(netuid, &hotkey),
            Error::<T>::HotKeyNotRegisteredInSubNet
        );
        let previous = AutoStakeDestination::<T>::get(&coldkey, netuid);
        ensure!(
            previous.as_ref() != Some(&hotkey),
            Error::<T>::SameAutoStakeHotkeyAlreadySet
        );
        if let Some(previous) = previous {
            AutoStakeDestinationColdkeys::<T>::mutate(previous, netuid, |coldkeys| {
                coldkeys.retain(|other| *other != coldkey);
            });
        }
        AutoStakeDestinationColdkeys::<T>::mutate(&hotkey, netuid, |coldkeys| {
            coldkeys.push(coldkey.clone());
        });
        AutoStakeDestination::<T>::insert(&coldkey, netuid, &hotkey);
        Self::deposit_event(Event::AutoStakeDestinationSet {
            coldkey,
            netuid,
            hotkey,
        });
        Ok(())
    }

    /// Stakes what a miner earned for its owner.
    pub(super) fn pay_miner(miner: &AccountId32, netuid: u16, incentive: u64) {
        let owner = Owner::<T>::get(miner);
        let destination = AutoStakeDestination::<T>::get(&owner, netuid);
        Self::deposit_stake(
            destination.as_ref().unwrap_or(miner),
            &owner,
            netuid,
            incentive,
        );
        if let Some(destination) = destination.filter(|_| incentive != 0) {
            Self::deposit_event(Event::AutoStakeAdded {
                netuid,
                destination,
                hotkey: miner.clone(),
                owner,
                incentive,
            });
        }
    }
}

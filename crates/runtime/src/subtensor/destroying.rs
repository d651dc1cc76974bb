//! Destroying a subnet's token: its owner gives it up, and what backs it stays in the pool for all others.
//!
//! Recycled token no longer counts as existing, so it can be emitted again. Burned token still counts in
//! [`SubnetAlphaOut`], though nobody has it.

use super::ROOT;
use super::pallet::*;
use super::staking::PriceLimit;
use frame_support::pallet_prelude::*;
use sp_runtime::AccountId32;

impl<T: Config> Pallet<T> {
    pub(super) fn do_recycle_alpha(
        coldkey: AccountId32,
        hotkey: AccountId32,
        amount: u64,
        netuid: u16,
    ) -> DispatchResult {
        let amount = Self::give_up(&coldkey, &hotkey, amount, netuid)?;
        Self::forget_alpha(netuid, amount);
        Self::deposit_event(Event::AlphaRecycled(coldkey, hotkey, amount, netuid));
        Ok(())
    }

    pub(super) fn do_burn_alpha(
        coldkey: AccountId32,
        hotkey: AccountId32,
        amount: u64,
        netuid: u16,
    ) -> DispatchResult {
        let amount = Self::give_up(&coldkey, &hotkey, amount, netuid)?;
        Self::deposit_event(Event::AlphaBurned(coldkey, hotkey, amount, netuid));
        Ok(())
    }

    /// Buys a subnet's token, up to a price where one is given, and burns it.
    pub(super) fn do_add_stake_burn(
        coldkey: AccountId32,
        hotkey: AccountId32,
        netuid: u16,
        amount: u64,
        limit: Option<u64>,
    ) -> DispatchResult {
        let limit = limit.map(|price| PriceLimit::new(price, false));
        let alpha = Self::do_add_stake(coldkey.clone(), hotkey.clone(), netuid, amount, limit)?;
        // The shares of what was just staked may be worth a unit less, and that is burned then.
        Self::do_burn_alpha(coldkey, hotkey.clone(), alpha, netuid)?;
        Self::deposit_event(Event::AddStakeBurn {
            netuid,
            hotkey,
            amount,
            alpha,
        });
        Ok(())
    }

    /// Takes stake from a coldkey, as much as is there, and gives it to nobody. Returns what was taken.
    fn give_up(
        coldkey: &AccountId32,
        hotkey: &AccountId32,
        amount: u64,
        netuid: u16,
    ) -> Result<u64, DispatchError> {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(netuid != ROOT, Error::<T>::CannotBurnOrRecycleOnRootSubnet);
        Self::ensure_tradable(netuid)?;
        ensure!(
            Owner::<T>::contains_key(hotkey),
            Error::<T>::HotKeyAccountNotExists
        );
        let staked = Self::stake_of(hotkey, coldkey, netuid);
        ensure!(staked != 0, Error::<T>::NotEnoughStakeToWithdraw);
        // The transaction's fee may have been paid from it.
        let amount = amount.min(staked);
        ensure!(
            amount <= SubnetAlphaOut::<T>::get(netuid),
            Error::<T>::NotEnoughAlphaOutToRecycle
        );
        Self::withdraw_stake(hotkey, coldkey, netuid, amount);
        Ok(amount)
    }
}

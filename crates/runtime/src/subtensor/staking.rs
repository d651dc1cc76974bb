//! Moving TAO into and out of stake.

use super::pallet::*;
use super::{MIN_STAKE, ROOT};
use frame_support::pallet_prelude::*;
use frame_support::traits::fungible::{Inspect, Mutate};
use frame_support::traits::tokens::{Fortitude, Preservation};
use sp_runtime::AccountId32;

impl<T: Config> Pallet<T> {
    /// The stake that counts on a subnet: the token staked to the hotkey and, discounted, its stake on root.
    pub fn stake_weight(hotkey: &AccountId32, netuid: u16) -> u64 {
        let alpha = TotalHotkeyAlpha::<T>::get(hotkey, netuid);
        alpha.saturating_add(Self::weighed_root(TotalHotkeyAlpha::<T>::get(hotkey, ROOT)))
    }

    /// What rao on root weigh in a subnet.
    pub(super) fn weighed_root(rao: u64) -> u64 {
        (u128::from(rao) * u128::from(TaoWeight::<T>::get()) / u128::from(u64::MAX)) as u64
    }

    /// Whether a coldkey can spend an amount and keep its account.
    pub(crate) fn can_pay(coldkey: &AccountId32, amount: u64) -> bool {
        T::Currency::reducible_balance(coldkey, Preservation::Preserve, Fortitude::Polite) >= amount
    }

    /// Moves TAO from a coldkey into a subnet's pool.
    pub(super) fn pay_into_pool(coldkey: &AccountId32, netuid: u16, amount: u64) -> DispatchResult {
        let pool = Self::subnet_account(netuid);
        T::Currency::transfer(coldkey, &pool, amount, Preservation::Preserve)?;
        SubnetTAO::<T>::mutate(netuid, |tao| *tao = tao.saturating_add(amount));
        TotalStake::<T>::mutate(|total| *total = total.saturating_add(amount));
        Ok(())
    }

    /// Counts what was bought or sold.
    pub(super) fn count_trade(netuid: u16, amount: u64) {
        SubnetVolume::<T>::mutate(netuid, |volume| {
            *volume = volume.saturating_add(u128::from(amount));
        });
    }

    /// Makes a coldkey the owner of a hotkey nobody owns.
    pub(super) fn own_hotkey(coldkey: &AccountId32, hotkey: &AccountId32) {
        if !Owner::<T>::contains_key(hotkey) {
            // A hotkey sends transactions that cost nothing and need not own TAO, so its account
            // exists of itself.
            frame_system::Pallet::<T>::inc_sufficients(hotkey);
            Owner::<T>::insert(hotkey, coldkey);
            OwnedHotkeys::<T>::mutate(coldkey, |hotkeys| hotkeys.push(hotkey.clone()));
            StakingHotkeys::<T>::mutate(coldkey, |hotkeys| hotkeys.push(hotkey.clone()));
        }
    }

    pub(super) fn do_add_stake(
        coldkey: AccountId32,
        hotkey: AccountId32,
        netuid: u16,
        amount: u64,
    ) -> DispatchResult {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(
            SubtokenEnabled::<T>::get(netuid),
            Error::<T>::SubtokenDisabled
        );
        ensure!(amount >= MIN_STAKE, Error::<T>::AmountTooLow);
        ensure!(
            Self::can_pay(&coldkey, amount),
            Error::<T>::NotEnoughBalanceToStake
        );
        ensure!(
            Owner::<T>::contains_key(&hotkey),
            Error::<T>::HotKeyAccountNotExists
        );
        Self::pay_into_pool(&coldkey, netuid, amount)?;
        SubnetAlphaOut::<T>::mutate(netuid, |alpha| *alpha = alpha.saturating_add(amount));
        Self::count_trade(netuid, amount);
        Self::deposit_stake(&hotkey, &coldkey, netuid, amount);
        Self::deposit_event(Event::StakeAdded(
            coldkey, hotkey, amount, amount, netuid, 0,
        ));
        Ok(())
    }

    pub(super) fn do_remove_stake(
        coldkey: AccountId32,
        hotkey: AccountId32,
        netuid: u16,
        amount: u64,
    ) -> DispatchResult {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(
            SubtokenEnabled::<T>::get(netuid),
            Error::<T>::SubtokenDisabled
        );
        ensure!(
            Owner::<T>::contains_key(&hotkey),
            Error::<T>::HotKeyAccountNotExists
        );
        let staked = Self::stake_of(&hotkey, &coldkey, netuid);
        ensure!(amount != 0, Error::<T>::AmountTooLow);
        ensure!(amount <= staked, Error::<T>::NotEnoughStakeToWithdraw);
        ensure!(
            amount >= MIN_STAKE || amount == staked,
            Error::<T>::AmountTooLow
        );
        let pool = Self::subnet_account(netuid);
        T::Currency::transfer(&pool, &coldkey, amount, Preservation::Preserve)
            .map_err(|_| Error::<T>::InsufficientLiquidity)?;
        SubnetTAO::<T>::mutate(netuid, |tao| *tao = tao.saturating_sub(amount));
        TotalStake::<T>::mutate(|total| *total = total.saturating_sub(amount));
        Self::count_trade(netuid, amount);
        SubnetAlphaOut::<T>::mutate(netuid, |alpha| *alpha = alpha.saturating_sub(amount));
        Self::withdraw_stake(&hotkey, &coldkey, netuid, amount);
        Self::deposit_event(Event::StakeRemoved(
            coldkey, hotkey, amount, amount, netuid, 0,
        ));
        Ok(())
    }
}

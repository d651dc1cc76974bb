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

    /// Moves TAO from a coldkey to a subnet's account; the caller counts it in the pool.
    pub(super) fn pay_subnet(coldkey: &AccountId32, netuid: u16, amount: u64) -> DispatchResult {
        let account = Self::subnet_account(netuid);
        T::Currency::transfer(coldkey, &account, amount, Preservation::Preserve)?;
        Ok(())
    }

    /// Moves TAO from a subnet's account to a coldkey; the caller has taken it from the pool.
    fn pay_from_subnet(netuid: u16, coldkey: &AccountId32, amount: u64) -> DispatchResult {
        let account = Self::subnet_account(netuid);
        T::Currency::transfer(&account, coldkey, amount, Preservation::Preserve)
            .map_err(|_| Error::<T>::InsufficientLiquidity)?;
        Ok(())
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

    /// That a subnet exists and its token trades.
    pub(super) fn ensure_tradable(netuid: u16) -> Result<(), Error<T>> {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(
            SubtokenEnabled::<T>::get(netuid),
            Error::<T>::SubtokenDisabled
        );
        Ok(())
    }

    /// That an amount of rao buys at least something.
    pub(super) fn ensure_buys(netuid: u16, tao: u64) -> Result<(), Error<T>> {
        let buys = Self::quote_buy(netuid, tao).is_ok_and(|(alpha, _)| alpha != 0);
        ensure!(buys, Error::<T>::InsufficientLiquidity);
        Ok(())
    }

    /// Stakes a coldkey's TAO to a hotkey, and returns what it bought.
    pub(super) fn do_add_stake(
        coldkey: AccountId32,
        hotkey: AccountId32,
        netuid: u16,
        amount: u64,
        limit: Option<PriceLimit>,
    ) -> Result<u64, DispatchError> {
        let tradable = Self::check_add_stake(&coldkey, &hotkey, netuid, amount, limit)?;
        Self::stake(&coldkey, &hotkey, netuid, tradable)
    }

    /// What of its TAO a coldkey can stake to a hotkey now.
    ///
    /// # Errors
    /// Those of the call.
    pub(crate) fn check_add_stake(
        coldkey: &AccountId32,
        hotkey: &AccountId32,
        netuid: u16,
        amount: u64,
        limit: Option<PriceLimit>,
    ) -> Result<u64, Error<T>> {
        Self::ensure_tradable(netuid)?;
        let quote = Self::quote_buy(netuid, amount);
        let fee = quote.map_or(0, |(_, fee)| fee);
        ensure!(
            amount >= MIN_STAKE.saturating_add(fee),
            Error::<T>::AmountTooLow
        );
        let tradable = limit.map_or(Ok(amount), |limit| {
            limit.apply(amount, Self::most_to_buy(netuid, limit.price))
        })?;
        ensure!(
            Self::can_pay(coldkey, amount),
            Error::<T>::NotEnoughBalanceToStake
        );
        ensure!(
            Owner::<T>::contains_key(hotkey),
            Error::<T>::HotKeyAccountNotExists
        );
        Self::ensure_buys(netuid, tradable)?;
        Ok(tradable)
    }

    /// Buys and stakes, and returns what was bought. The caller has checked that it is possible.
    fn stake(
        coldkey: &AccountId32,
        hotkey: &AccountId32,
        netuid: u16,
        tao: u64,
    ) -> Result<u64, DispatchError> {
        Self::pay_subnet(coldkey, netuid, tao)?;
        let (alpha, fee) = Self::buy_alpha(netuid, tao)?;
        Self::count_inflow(netuid, tao);
        Self::deposit_stake(hotkey, coldkey, netuid, alpha);
        Self::deposit_event(Event::StakeAdded(
            coldkey.clone(),
            hotkey.clone(),
            tao,
            alpha,
            netuid,
            fee,
        ));
        Ok(alpha)
    }

    /// Withdraws a coldkey's stake, in the subnet's token, from a hotkey: as much as is there, because the
    /// transaction's fee may have been paid from it.
    pub(super) fn do_remove_stake(
        coldkey: AccountId32,
        hotkey: AccountId32,
        netuid: u16,
        amount: u64,
        limit: Option<PriceLimit>,
    ) -> DispatchResult {
        let amount = amount.min(Self::stake_of(&hotkey, &coldkey, netuid));
        let tradable = Self::check_remove_stake(&coldkey, &hotkey, netuid, amount, limit)?;
        Self::unstake(&coldkey, &hotkey, netuid, tradable)?;
        Ok(())
    }

    /// What of its stake with a hotkey a coldkey can withdraw now.
    ///
    /// # Errors
    /// Those of the call, and `NotEnoughStakeToWithdraw`.
    pub(crate) fn check_remove_stake(
        coldkey: &AccountId32,
        hotkey: &AccountId32,
        netuid: u16,
        amount: u64,
        limit: Option<PriceLimit>,
    ) -> Result<u64, Error<T>> {
        Self::ensure_tradable(netuid)?;
        ensure!(
            Owner::<T>::contains_key(hotkey),
            Error::<T>::HotKeyAccountNotExists
        );
        let staked = Self::stake_of(hotkey, coldkey, netuid);
        ensure!(amount != 0, Error::<T>::AmountTooLow);
        ensure!(amount <= staked, Error::<T>::NotEnoughStakeToWithdraw);
        let (tao, _) =
            Self::quote_sell(netuid, amount).map_err(|_| Error::<T>::InsufficientLiquidity)?;
        ensure!(
            tao >= MIN_STAKE || amount == staked,
            Error::<T>::AmountTooLow
        );
        limit.map_or(Ok(amount), |limit| {
            limit.apply(amount, Self::most_to_sell(netuid, limit.price))
        })
    }

    /// Withdraws and sells, and returns the rao. The caller has checked that there is as much.
    pub(super) fn unstake(
        coldkey: &AccountId32,
        hotkey: &AccountId32,
        netuid: u16,
        alpha: u64,
    ) -> Result<u64, DispatchError> {
        let (tao, fee) = Self::sell_alpha(netuid, alpha)?;
        Self::count_outflow(netuid, tao);
        Self::withdraw_stake(hotkey, coldkey, netuid, alpha);
        Self::pay_from_subnet(netuid, coldkey, tao)?;
        Self::deposit_event(Event::StakeRemoved(
            coldkey.clone(),
            hotkey.clone(),
            tao,
            alpha,
            netuid,
            fee,
        ));
        Ok(tao)
    }
}

/// The worst price an order may move the pool to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PriceLimit {
    /// Rao for a unit of the token.
    pub price: u64,
    allow_partial: bool,
}

impl PriceLimit {
    /// A limit in rao for a unit of the token; if partial, as much as is possible is traded instead of all.
    pub(crate) fn new(price: u64, allow_partial: bool) -> Self {
        Self {
            price,
            allow_partial,
        }
    }

    /// What of an amount may be traded when `most` keeps the limit.
    pub(super) fn apply<T: Config>(self, amount: u64, most: u64) -> Result<u64, Error<T>> {
        let is_possible = most != 0 && (self.allow_partial || amount <= most);
        if is_possible {
            Ok(amount.min(most))
        } else {
            Err(Error::SlippageTooHigh)
        }
    }
}

//! Moving stake: to another hotkey, to another coldkey, to another subnet, and out of all subnets at once.
//!
//! Within a subnet the token itself moves, at no cost. Between subnets it is sold and the rao buy the other subnet's
//! token, each at its pool's price and fee. Whoever asks for more than is there moves what is there, because the
//! transaction's fee may have been paid from it.

use super::pallet::*;
use super::staking::PriceLimit;
use super::{MIN_STAKE, ROOT};
use frame_support::pallet_prelude::*;
use frame_support::storage::with_storage_layer;
use frame_support::traits::fungible::Mutate;
use frame_support::traits::tokens::Preservation;
use sp_runtime::AccountId32;

/// Where stake stands: who owns it, with which hotkey, on which subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    coldkey: AccountId32,
    hotkey: AccountId32,
    netuid: u16,
}

/// A movement of stake from one place to another.
#[derive(Clone, Debug)]
pub(crate) struct Movement {
    places: [Place; 2],
    limit: Option<PriceLimit>,
    is_transfer: bool,
}

impl Movement {
    fn between(coldkeys: [&AccountId32; 2], hotkeys: [&AccountId32; 2], netuids: [u16; 2]) -> Self {
        let place = |at: usize| Place {
            coldkey: coldkeys[at].clone(),
            hotkey: hotkeys[at].clone(),
            netuid: netuids[at],
        };
        Self {
            places: [place(0), place(1)],
            limit: None,
            is_transfer: false,
        }
    }

    /// To another hotkey, on the same or another subnet.
    pub(crate) fn to_hotkey(
        coldkey: &AccountId32,
        hotkeys: [&AccountId32; 2],
        netuids: [u16; 2],
    ) -> Self {
        Self::between([coldkey, coldkey], hotkeys, netuids)
    }

    /// To another coldkey, on the same or another subnet.
    pub(crate) fn to_coldkey(
        coldkeys: [&AccountId32; 2],
        hotkey: &AccountId32,
        netuids: [u16; 2],
    ) -> Self {
        Self {
            is_transfer: true,
            ..Self::between(coldkeys, [hotkey, hotkey], netuids)
        }
    }

    /// To another subnet. A limit is the price of the first subnet's token in the second's, times 10^9.
    pub(crate) fn to_subnet(
        coldkey: &AccountId32,
        hotkey: &AccountId32,
        netuids: [u16; 2],
        limit: Option<PriceLimit>,
    ) -> Self {
        Self {
            limit,
            ..Self::between([coldkey, coldkey], [hotkey, hotkey], netuids)
        }
    }
}

impl<T: Config> Pallet<T> {
    /// Moves a coldkey's stake to another hotkey, on the same or another subnet.
    pub(super) fn do_move_stake(
        coldkey: AccountId32,
        hotkeys: [AccountId32; 2],
        netuids: [u16; 2],
        alpha: u64,
    ) -> DispatchResult {
        let [from, to] = netuids;
        let [origin, destination] = hotkeys;
        let movement = Movement::to_hotkey(&coldkey, [&origin, &destination], netuids);
        let tao = Self::carry_out(&movement, alpha)?;
        Self::deposit_event(Event::StakeMoved(
            coldkey,
            origin,
            from,
            destination,
            to,
            tao,
        ));
        Ok(())
    }

    /// Gives a coldkey's stake to another coldkey, where the subnets allow it.
    pub(super) fn do_transfer_stake(
        coldkeys: [AccountId32; 2],
        hotkey: AccountId32,
        netuids: [u16; 2],
        alpha: u64,
    ) -> DispatchResult {
        let [from, to] = netuids;
        let [origin, destination] = coldkeys;
        let movement = Movement::to_coldkey([&origin, &destination], &hotkey, netuids);
        let tao = Self::carry_out(&movement, alpha)?;
        Self::deposit_event(Event::StakeTransferred(
            origin,
            destination,
            hotkey,
            from,
            to,
            tao,
        ));
        Ok(())
    }

    /// Moves a coldkey's stake to another subnet.
    pub(super) fn do_swap_stake(
        coldkey: AccountId32,
        hotkey: AccountId32,
        netuids: [u16; 2],
        alpha: u64,
        limit: Option<PriceLimit>,
    ) -> DispatchResult {
        let [from, to] = netuids;
        let movement = Movement::to_subnet(&coldkey, &hotkey, netuids, limit);
        let tao = Self::carry_out(&movement, alpha)?;
        Self::deposit_event(Event::StakeSwapped(coldkey, hotkey, from, to, tao));
        Ok(())
    }

    /// Withdraws all that a coldkey has staked to a hotkey. What cannot be sold now stays.
    pub(super) fn do_unstake_all(coldkey: &AccountId32, hotkey: &AccountId32) -> DispatchResult {
        ensure!(
            Owner::<T>::contains_key(hotkey),
            Error::<T>::HotKeyAccountNotExists
        );
        for (netuid, staked) in Self::tradable_stake(coldkey, hotkey) {
            // Whoever cannot be sold is left as it was; the others go on.
            let _ = with_storage_layer(|| Self::unstake(coldkey, hotkey, netuid, staked));
        }
        Ok(())
    }

    /// Moves all that a coldkey has staked to a hotkey on subnets to root. What cannot be sold now stays.
    pub(super) fn do_unstake_all_alpha(
        coldkey: &AccountId32,
        hotkey: &AccountId32,
    ) -> DispatchResult {
        ensure!(
            Owner::<T>::contains_key(hotkey),
            Error::<T>::HotKeyAccountNotExists
        );
        let mut moved = 0u64;
        for (netuid, staked) in Self::tradable_stake(coldkey, hotkey) {
            if netuid == ROOT {
                continue;
            }
            let movement = Movement::to_subnet(coldkey, hotkey, [netuid, ROOT], None);
            let tao = with_storage_layer(|| Self::carry(&movement.places, staked)).unwrap_or(0);
            moved = moved.saturating_add(tao);
        }
        ensure!(moved != 0, Error::<T>::AmountTooLow);
        Ok(())
    }

    /// What a coldkey has staked to a hotkey where the token trades: root first, then by subnet.
    pub(crate) fn tradable_stake(coldkey: &AccountId32, hotkey: &AccountId32) -> Vec<(u16, u64)> {
        std::iter::once(ROOT)
            .chain(Self::subnets())
            .filter(|&netuid| Self::ensure_tradable(netuid).is_ok())
            .map(|netuid| (netuid, Self::stake_of(hotkey, coldkey, netuid)))
            .filter(|(_, staked)| *staked != 0)
            .collect()
    }

    /// Checks a movement and carries it out. Returns what was moved in rao.
    fn carry_out(movement: &Movement, alpha: u64) -> Result<u64, DispatchError> {
        let [from, _] = &movement.places;
        let alpha = alpha.min(Self::stake_of(&from.hotkey, &from.coldkey, from.netuid));
        let tradable = Self::check_movement(movement, alpha)?;
        Self::carry(&movement.places, tradable)
    }

    /// What of the stake can be moved now.
    ///
    /// # Errors
    /// Those of the calls, and `NotEnoughStakeToWithdraw`.
    pub(crate) fn check_movement(movement: &Movement, alpha: u64) -> Result<u64, Error<T>> {
        let places @ [from, to] = &movement.places;
        let netuids = [from.netuid, to.netuid];
        ensure!(from != to, Error::<T>::SameNetuid);
        for netuid in netuids {
            ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        }
        for netuid in netuids {
            Self::ensure_tradable(netuid)?;
        }
        for place in places {
            ensure!(
                Owner::<T>::contains_key(&place.hotkey),
                Error::<T>::HotKeyAccountNotExists
            );
        }
        ensure!(
            alpha <= Self::stake_of(&from.hotkey, &from.coldkey, from.netuid),
            Error::<T>::NotEnoughStakeToWithdraw
        );
        let tao = Self::worth(places, alpha)?;
        ensure!(tao >= MIN_STAKE, Error::<T>::AmountTooLow);
        if from.netuid != to.netuid {
            Self::ensure_buys(to.netuid, tao)?;
        }
        let tradable = movement.limit.map_or(Ok(alpha), |limit| {
            let most = Self::most_to_move(from.netuid, to.netuid, limit.price);
            limit.apply(alpha, most)
        })?;
        if movement.is_transfer {
            for netuid in netuids {
                ensure!(
                    TransferToggle::<T>::get(netuid),
                    Error::<T>::TransferDisallowed
                );
            }
        }
        Ok(tradable)
    }

    /// What a part of the stake is worth in rao where it goes: at the price within a subnet, or what it sells for.
    fn worth([from, to]: &[Place; 2], alpha: u64) -> Result<u64, Error<T>> {
        if from.netuid == to.netuid {
            let worth = (sp_core::U256::from(alpha)
                * sp_core::U256::from(Self::price_q64(from.netuid)))
                >> 64;
            return Ok(u64::try_from(worth).unwrap_or(u64::MAX));
        }
        let (tao, _) =
            Self::quote_sell(from.netuid, alpha).map_err(|_| Error::<T>::InsufficientLiquidity)?;
        Ok(tao)
    }

    /// Moves stake that is there. Returns its worth in rao.
    fn carry(places: &[Place; 2], alpha: u64) -> Result<u64, DispatchError> {
        let [from, to] = places;
        let (tao, bought, fees) = if from.netuid == to.netuid {
            (Self::worth(places, alpha)?, alpha, [0, 0])
        } else {
            let (tao, sold_fee) = Self::sell_alpha(from.netuid, alpha)?;
            let accounts = [from.netuid, to.netuid].map(Self::subnet_account);
            T::Currency::transfer(&accounts[0], &accounts[1], tao, Preservation::Preserve)
                .map_err(|_| Error::<T>::InsufficientLiquidity)?;
            Self::ensure_buys(to.netuid, tao)?;
            let (bought, bought_fee) = Self::buy_alpha(to.netuid, tao)?;
            Self::count_outflow(from.netuid, tao);
            Self::count_inflow(to.netuid, tao);
            (tao, bought, [sold_fee, bought_fee])
        };
        Self::withdraw_stake(&from.hotkey, &from.coldkey, from.netuid, alpha);
        Self::deposit_stake(&to.hotkey, &to.coldkey, to.netuid, bought);
        Self::deposit_event(Event::StakeRemoved(
            from.coldkey.clone(),
            from.hotkey.clone(),
            tao,
            alpha,
            from.netuid,
            fees[0],
        ));
        Self::deposit_event(Event::StakeAdded(
            to.coldkey.clone(),
            to.hotkey.clone(),
            tao,
            bought,
            to.netuid,
            fees[1],
        ));
        Ok(tao)
    }
}

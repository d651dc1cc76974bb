//! Trading a subnet's token: prices, purchases and sales.
//!
//! Root and subnets of mechanism 0 are one to one. A subnet of mechanism 1 has a pool ([`crate::swap::Pool`]), whose
//! reserves are [`SubnetTAO`] and [`SubnetAlphaIn`]. The public chain gives the fees to the block's author; there is
//! none here, so a fee stays in the pool's reserve of the side it was paid in, which raises what everybody's token
//! is worth.

use super::ROOT;
use super::pallet::*;
use crate::swap::{self, FeeRate, Pool, SimSwapResult, SubnetPrice, SwapBalancer};
use frame_support::pallet_prelude::*;

/// Mechanism 1: a pool with reserves. The other, 0, is one to one.
pub(super) const DYNAMIC: u16 = 1;
/// One TAO in rao.
const TAO: u64 = 1_000_000_000;

impl<T: Config> Pallet<T> {
    /// A subnet's pool; none where the token is one to one.
    fn pool(netuid: u16) -> Option<Pool> {
        (netuid != ROOT && SubnetMechanism::<T>::get(netuid) == DYNAMIC).then(|| Pool {
            tao: SubnetTAO::<T>::get(netuid),
            alpha: SubnetAlphaIn::<T>::get(netuid),
            quote: SwapBalancer::<T>::get(netuid).quote,
            fee_rate: FeeRate::<T>::get(netuid),
        })
    }

    /// The price of a subnet's token in TAO, with 64 fractional bits: 1 where the token is one to one.
    pub fn price_q64(netuid: u16) -> u128 {
        Self::pool(netuid).map_or(1 << 64, |pool| pool.price(1 << 64))
    }

    /// The price of a unit of a subnet's token in rao, rounded down.
    pub fn price_in_rao(netuid: u16) -> u64 {
        let price = Self::pool(netuid).map_or(u128::from(TAO), |pool| pool.price(TAO.into()));
        u64::try_from(price).unwrap_or(u64::MAX)
    }

    /// The prices of all networks, by number.
    pub fn all_prices() -> Vec<SubnetPrice> {
        std::iter::once(ROOT)
            .chain(Self::subnets())
            .map(|netuid| SubnetPrice {
                netuid,
                price: Self::price_in_rao(netuid),
            })
            .collect()
    }

    /// What rao would buy of a subnet's token, and the fee in rao.
    ///
    /// # Errors
    /// The swap pallet's, when the pool's limits forbid the trade.
    pub(super) fn quote_buy(netuid: u16, tao: u64) -> Result<(u64, u64), DispatchError> {
        let Some(pool) = Self::pool(netuid) else {
            return Ok((tao, 0));
        };
        let trade = pool.buy(tao).map_err(swap::Error::<T>::from)?;
        Ok((trade.output, trade.fee))
    }

    /// What a subnet's token would yield in rao, and the fee in the token.
    ///
    /// # Errors
    /// The swap pallet's when the pool's limits forbid the trade; `InsufficientLiquidity` when a one-to-one pool has
    /// not as much.
    pub(super) fn quote_sell(netuid: u16, alpha: u64) -> Result<(u64, u64), DispatchError> {
        Self::quote_sale(netuid, Self::pool(netuid), alpha)
    }

    /// What a subnet's token would yield in rao if the pool took no fee.
    ///
    /// # Errors
    /// As [`Self::quote_sell`].
    pub(super) fn quote_free_sale(netuid: u16, alpha: u64) -> Result<u64, DispatchError> {
        let pool = Self::pool(netuid).map(|pool| Pool {
            fee_rate: 0,
            ..pool
        });
        Self::quote_sale(netuid, pool, alpha).map(|(tao, _)| tao)
    }

    fn quote_sale(
        netuid: u16,
        pool: Option<Pool>,
        alpha: u64,
    ) -> Result<(u64, u64), DispatchError> {
        let Some(pool) = pool else {
            let has_it = alpha <= SubnetTAO::<T>::get(netuid);
            ensure!(has_it, Error::<T>::InsufficientLiquidity);
            return Ok((alpha, 0));
        };
        let trade = pool.sell(alpha).map_err(swap::Error::<T>::from)?;
        Ok((trade.output, trade.fee))
    }

    /// Buys a subnet's token with rao that stand on the subnet's account already: moves the reserves, the token
    /// outside the pool, the volume and the total stake, and no currency.
    ///
    /// Returns what was bought, which the caller must give to somebody or destroy, and the fee in rao, which stays
    /// in the pool.
    ///
    /// # Errors
    /// As [`Self::quote_buy`]; nothing has happened.
    pub(super) fn buy_alpha(netuid: u16, tao: u64) -> Result<(u64, u64), DispatchError> {
        let (alpha, fee) = Self::quote_buy(netuid, tao)?;
        if Self::pool(netuid).is_some() {
            SubnetAlphaIn::<T>::mutate(netuid, |reserve| *reserve = reserve.saturating_sub(alpha));
        }
        SubnetTAO::<T>::mutate(netuid, |reserve| *reserve = reserve.saturating_add(tao));
        SubnetAlphaOut::<T>::mutate(netuid, |out| *out = out.saturating_add(alpha));
        TotalStake::<T>::mutate(|total| *total = total.saturating_add(tao));
        Self::count_trade(netuid, tao);
        Ok((alpha, fee))
    }

    /// Sells a subnet's token that the caller took from somebody: moves what [`Self::buy_alpha`] moves.
    ///
    /// Returns the rao, which the caller must pay from the subnet's account, and the fee in the token, which stays
    /// in the pool.
    ///
    /// # Errors
    /// As [`Self::quote_sell`]; nothing has happened.
    pub(super) fn sell_alpha(netuid: u16, alpha: u64) -> Result<(u64, u64), DispatchError> {
        let (tao, fee) = Self::quote_sell(netuid, alpha)?;
        Self::book_sale(netuid, alpha, tao);
        Ok((tao, fee))
    }

    /// Moves what a sale moves, at whatever it yields.
    pub(super) fn book_sale(netuid: u16, alpha: u64, tao: u64) {
        if Self::pool(netuid).is_some() {
            SubnetAlphaIn::<T>::mutate(netuid, |reserve| *reserve = reserve.saturating_add(alpha));
        }
        SubnetTAO::<T>::mutate(netuid, |reserve| *reserve = reserve.saturating_sub(tao));
        SubnetAlphaOut::<T>::mutate(netuid, |out| *out = out.saturating_sub(alpha));
        TotalStake::<T>::mutate(|total| *total = total.saturating_sub(tao));
        Self::count_trade(netuid, tao);
    }

    fn count_trade(netuid: u16, rao: u64) {
        SubnetVolume::<T>::mutate(netuid, |volume| {
            *volume = volume.saturating_add(u128::from(rao));
        });
    }

    /// The most rao that can be given before the price is above a limit, in rao for a unit.
    pub(crate) fn most_to_buy(netuid: u16, limit_price: u64) -> u64 {
        match Self::pool(netuid) {
            Some(pool) => pool.most_to_buy(limit_price),
            None if limit_price >= TAO => u64::MAX,
            None => 0,
        }
    }

    /// The most of the token that can be given before the price is below a limit, in rao for a unit.
    pub(crate) fn most_to_sell(netuid: u16, limit_price: u64) -> u64 {
        match Self::pool(netuid) {
            Some(pool) => pool.most_to_sell(limit_price),
            None if limit_price <= TAO => u64::MAX,
            None => 0,
        }
    }

    /// The most of one subnet's token that can be changed into another's before the first one's price in the second,
    /// times 10^9, is below a limit.
    pub(crate) fn most_to_move(origin: u16, destination: u16, limit_price: u64) -> u64 {
        let price = |pool: Option<Pool>| pool.map_or(1 << 64, |pool| pool.price(1 << 64));
        swap::most(|alpha| {
            let (tao, origin) = match Self::pool(origin) {
                None => (alpha, None),
                Some(pool) => match pool.sell(alpha) {
                    Ok(trade) => (trade.output, Some(trade.after)),
                    Err(_) => return false,
                },
            };
            let destination = match Self::pool(destination) {
                None => None,
                Some(pool) => match pool.buy(tao) {
                    Ok(trade) => Some(trade.after),
                    Err(_) => return false,
                },
            };
            let wide = |number: u128| sp_core::U256::from(number);
            wide(price(origin)) * wide(TAO.into())
                >= wide(price(destination)) * wide(limit_price.into())
        })
    }

    /// What a purchase would yield.
    pub fn simulate_buy(netuid: u16, tao: u64) -> SimSwapResult {
        let Ok((alpha, fee)) = Self::quote_buy(netuid, tao) else {
            return SimSwapResult::default();
        };
        let paid = tao.saturating_sub(fee);
        let ideal = (u128::from(tao) << 64)
            .checked_div(Self::price_q64(netuid))
            .unwrap_or(0);
        SimSwapResult {
            tao_amount: paid,
            alpha_amount: alpha,
            tao_fee: fee,
            alpha_slippage: u64::try_from(ideal)
                .unwrap_or(u64::MAX)
                .saturating_sub(alpha),
            ..Default::default()
        }
    }

    /// What a sale would yield.
    pub fn simulate_sell(netuid: u16, alpha: u64) -> SimSwapResult {
        let Ok((tao, fee)) = Self::quote_sell(netuid, alpha) else {
            return SimSwapResult::default();
        };
        let ideal =
            (sp_core::U256::from(alpha) * sp_core::U256::from(Self::price_q64(netuid))) >> 64;
        SimSwapResult {
            tao_amount: tao,
            alpha_amount: alpha.saturating_sub(fee),
            alpha_fee: fee,
            tao_slippage: u64::try_from(ideal).unwrap_or(u64::MAX).saturating_sub(tao),
            ..Default::default()
        }
    }
}

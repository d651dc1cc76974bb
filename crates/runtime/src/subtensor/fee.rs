//! Paying a transaction's fee from stake, for those who have too little TAO.

use super::pallet::*;
use frame_support::pallet_prelude::*;
use frame_support::storage::with_storage_layer;
use frame_support::traits::fungible::Mutate;
use frame_support::traits::tokens::{Fortitude, Precision, Preservation};
use sp_core::U256;
use sp_runtime::AccountId32;

/// A fee in a subnet's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeInAlpha {
    /// The subnet.
    pub netuid: u16,
    /// What is taken from the payer, in the token.
    pub alpha: u64,
    /// What it sells for, in rao. That is less than the fee by as much as the sale lowers the price.
    pub tao: u64,
}

impl<T: Config> Pallet<T> {
    /// What a fee in rao costs in a subnet's token: as much as it is worth at the pool's price, rounded up. The pool
    /// takes no fee from it.
    ///
    /// # Errors
    /// Where the token does not trade now, and where the coldkey has less of it staked to the hotkey.
    pub fn fee_in_alpha(
        coldkey: &AccountId32,
        hotkey: &AccountId32,
        netuid: u16,
        fee: u64,
    ) -> Result<FeeInAlpha, DispatchError> {
        Self::ensure_tradable(netuid)?;
        let price = U256::from(Self::price_q64(netuid));
        ensure!(!price.is_zero(), Error::<T>::InsufficientLiquidity);
        let alpha = ((U256::from(fee) << 64) + price - 1) / price;
        ensure!(
            alpha <= Self::stake_of(hotkey, coldkey, netuid).into(),
            Error::<T>::NotEnoughStakeToWithdraw
        );
        // No more than is staked.
        let alpha = alpha.as_u64();
        let tao = Self::quote_free_sale(netuid, alpha)?;
        Ok(FeeInAlpha { netuid, alpha, tao })
    }

    /// Takes a fee from stake: sells it, and what it yields leaves circulation as fees in TAO do.
    ///
    /// # Errors
    /// As [`Self::fee_in_alpha`], and when the pool's account cannot pay; nothing has happened.
    pub fn pay_fee_in_alpha(
        coldkey: &AccountId32,
        hotkey: &AccountId32,
        netuid: u16,
        fee: u64,
    ) -> Result<FeeInAlpha, DispatchError> {
        let paid = Self::fee_in_alpha(coldkey, hotkey, netuid, fee)?;
        let FeeInAlpha { alpha, tao, .. } = paid;
        with_storage_layer(|| {
            let pool = Self::subnet_account(netuid);
            T::Currency::burn_from(
                &pool,
                tao,
                Preservation::Preserve,
                Precision::Exact,
                Fortitude::Polite,
            )?;
            Self::reduce_issuance(tao);
            Self::book_sale(netuid, alpha, tao);
            Self::withdraw_stake(hotkey, coldkey, netuid, alpha);
            Self::deposit_event(Event::StakeRemoved(
                coldkey.clone(),
                hotkey.clone(),
                tao,
                alpha,
                netuid,
                0,
            ));
            Ok(paid)
        })
    }
}

//! What a delegate takes of the dividends before its stakers.

use super::RateLimitKey;
use super::pallet::*;
use frame_support::pallet_prelude::*;
use sp_runtime::AccountId32;

impl<T: Config> Pallet<T> {
    /// Passes the coldkey that owns a hotkey.
    pub(crate) fn check_ownership(
        coldkey: &AccountId32,
        hotkey: &AccountId32,
    ) -> Result<(), Error<T>> {
        let owner = Owner::<T>::try_get(hotkey).map_err(|()| Error::<T>::HotKeyAccountNotExists)?;
        ensure!(owner == *coldkey, Error::<T>::NonAssociatedColdKey);
        Ok(())
    }

    /// Whether a take may be lowered to this. A hotkey that never chose a take may choose any.
    pub(crate) fn check_lower_take(
        coldkey: &AccountId32,
        hotkey: &AccountId32,
        take: u16,
    ) -> Result<(), Error<T>> {
        Self::check_ownership(coldkey, hotkey)?;
        let is_lower = Delegates::<T>::try_get(hotkey).map_or(true, |now| take < now);
        ensure!(
            is_lower && take >= MinDelegateTake::<T>::get(),
            Error::<T>::DelegateTakeTooLow
        );
        Ok(())
    }

    /// Whether a take may be raised to this now. A hotkey that never chose a take may choose any.
    pub(crate) fn check_higher_take(
        coldkey: &AccountId32,
        hotkey: &AccountId32,
        take: u16,
    ) -> Result<(), Error<T>> {
        Self::check_ownership(coldkey, hotkey)?;
        let is_higher = Delegates::<T>::try_get(hotkey).map_or(true, |now| take > now);
        ensure!(is_higher, Error::<T>::DelegateTakeTooLow);
        ensure!(
            take <= MaxDelegateTake::<T>::get(),
            Error::<T>::DelegateTakeTooHigh
        );
        let last =
            LastRateLimitedBlock::<T>::get(RateLimitKey::LastTxBlockDelegateTake(hotkey.clone()));
        let limit = TxDelegateTakeRateLimit::<T>::get();
        ensure!(
            limit == 0 || last == 0 || Self::now().saturating_sub(last) > limit,
            Error::<T>::DelegateTxRateLimitExceeded
        );
        Ok(())
    }

    pub(super) fn do_decrease_take(
        coldkey: AccountId32,
        hotkey: AccountId32,
        take: u16,
    ) -> DispatchResult {
        Self::check_lower_take(&coldkey, &hotkey, take)?;
        Self::set_take(&hotkey, take);
        Self::deposit_event(Event::TakeDecreased(coldkey, hotkey, take));
        Ok(())
    }

    pub(super) fn do_increase_take(
        coldkey: AccountId32,
        hotkey: AccountId32,
        take: u16,
    ) -> DispatchResult {
        Self::check_higher_take(&coldkey, &hotkey, take)?;
        Self::set_take(&hotkey, take);
        Self::deposit_event(Event::TakeIncreased(coldkey, hotkey, take));
        Ok(())
    }

    fn set_take(hotkey: &AccountId32, take: u16) {
        Delegates::<T>::insert(hotkey, take);
        LastRateLimitedBlock::<T>::insert(
            RateLimitKey::LastTxBlockDelegateTake(hotkey.clone()),
            Self::now(),
        );
    }
}

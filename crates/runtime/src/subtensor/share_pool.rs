//! Who owns which part of what is staked to a hotkey on a subnet.
//!
//! Each (hotkey, subnet) is a pool: its value is `TotalHotkeyAlpha`, and each coldkey's part of the value is its
//! shares (`AlphaV2`) over all shares (`TotalHotkeySharesV2`). Dividends raise the value and touch no share, so
//! paying them takes one write however many coldkeys stake.

use super::SafeFloat;
use super::pallet::*;
use sp_runtime::AccountId32;

impl<T: Config> Pallet<T> {
    /// What a coldkey has staked to a hotkey on a subnet, in the subnet's token, rounded down.
    pub fn stake_of(hotkey: &AccountId32, coldkey: &AccountId32, netuid: u16) -> u64 {
        let total = TotalHotkeyAlpha::<T>::get(hotkey, netuid);
        let all = TotalHotkeySharesV2::<T>::get(hotkey, netuid);
        let shares = AlphaV2::<T>::get((hotkey, coldkey, netuid));
        // Rounding of the shares must never let anybody own more than there is.
        SafeFloat::from(total)
            .times_over(shares, all)
            .floor()
            .min(total)
    }

    /// Adds to a coldkey's stake.
    pub(super) fn deposit_stake(
        hotkey: &AccountId32,
        coldkey: &AccountId32,
        netuid: u16,
        amount: u64,
    ) {
        if amount == 0 {
            return;
        }
        let total = TotalHotkeyAlpha::<T>::get(hotkey, netuid);
        let all = TotalHotkeySharesV2::<T>::get(hotkey, netuid);
        let new = if total == 0 || all.is_zero() {
            SafeFloat::from(amount)
        } else {
            SafeFloat::from(amount).times_over(all, SafeFloat::from(total))
        };
        TotalHotkeyAlpha::<T>::insert(hotkey, netuid, total.saturating_add(amount));
        TotalHotkeySharesV2::<T>::insert(hotkey, netuid, all.plus(new));
        AlphaV2::<T>::mutate((hotkey, coldkey, netuid), |shares| {
            *shares = shares.plus(new)
        });
        StakingHotkeys::<T>::mutate(coldkey, |hotkeys| {
            if !hotkeys.contains(hotkey) {
                hotkeys.push(hotkey.clone());
            }
        });
    }

    /// Takes from a coldkey's stake. The caller has checked that there is as much ([`Self::stake_of`]).
    pub(super) fn withdraw_stake(
        hotkey: &AccountId32,
        coldkey: &AccountId32,
        netuid: u16,
        amount: u64,
    ) {
        let owned = Self::stake_of(hotkey, coldkey, netuid);
        let amount = amount.min(owned);
        let total = TotalHotkeyAlpha::<T>::get(hotkey, netuid);
        let all = TotalHotkeySharesV2::<T>::get(hotkey, netuid);
        let shares = AlphaV2::<T>::get((hotkey, coldkey, netuid));
        let (sold, left) = if amount == owned {
            (shares, SafeFloat::ZERO)
        } else {
            let sold = SafeFloat::from(amount).times_over(all, SafeFloat::from(total));
            (sold, shares.minus(sold))
        };
        TotalHotkeyAlpha::<T>::insert(hotkey, netuid, total.saturating_sub(amount));
        let all = all.minus(sold);
        if all.is_zero() {
            TotalHotkeySharesV2::<T>::remove(hotkey, netuid);
        } else {
            TotalHotkeySharesV2::<T>::insert(hotkey, netuid, all);
        }
        if left.is_zero() {
            AlphaV2::<T>::remove((hotkey, coldkey, netuid));
        } else {
            AlphaV2::<T>::insert((hotkey, coldkey, netuid), left);
        }
    }

    /// Pays all who stake to a hotkey on a subnet, each by its part. Where nobody stakes, the owner is paid.
    pub(super) fn pay_stakers(hotkey: &AccountId32, netuid: u16, amount: u64) {
        if TotalHotkeySharesV2::<T>::get(hotkey, netuid).is_zero() {
            Self::deposit_stake(hotkey, &Owner::<T>::get(hotkey), netuid, amount);
        } else {
            TotalHotkeyAlpha::<T>::mutate(hotkey, netuid, |total| {
                *total = total.saturating_add(amount)
            });
        }
    }
}

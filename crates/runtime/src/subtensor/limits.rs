//! Who may change a subnet's rules, and how often.
//!
//! Owners are held to a limit for each rule and may change none shortly before an epoch, so that nobody is surprised
//! by rules that were not there when weights were made. Root is held to neither.

use super::pallet::*;
use super::{Hyperparameter, RateLimitKey};
use frame_support::pallet_prelude::*;
use frame_system::ensure_signed_or_root;
use frame_system::pallet_prelude::*;
use sp_runtime::AccountId32;

/// Blocks between two changes of the hotkey an owner is paid on.
const OWNER_HOTKEY_LIMIT: u64 = 50_400;
/// Blocks between two changes of a subnet's mechanisms, a day on the public chain.
const MECHANISM_LIMIT: u64 = 7_200;
/// Blocks between two trimmings of a subnet, thirty days on the public chain.
const TRIM_LIMIT: u64 = 216_000;

/// What the owner of a subnet does to it; each has a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerAction {
    /// Sets a rule.
    Hyperparameter(Hyperparameter),
    /// Sets the least version key of weights.
    WeightsVersionKey,
    /// Names the hotkey the owner is paid on.
    OwnerHotkey,
    /// Sets the number of mechanisms.
    MechanismCount,
    /// Sets how mechanisms share the emission.
    MechanismEmission,
    /// Takes neurons away.
    Trim,
}

/// Where the block of an action is stored.
enum Noted {
    /// In [`LastRateLimitedBlock`].
    Subnet(RateLimitKey),
    /// In [`TransactionKeyLastBlock`], under the public chain's number of the action.
    Account(u16),
}

impl<T: Config> Pallet<T> {
    /// Passes root (none) and the subnet's owner (its coldkey).
    ///
    /// # Errors
    /// `BadOrigin` for everybody else.
    pub fn ensure_owner_or_root(
        origin: OriginFor<T>,
        netuid: u16,
    ) -> Result<Option<AccountId32>, DispatchError> {
        let signer = ensure_signed_or_root(origin)?;
        let is_owner = |who: &AccountId32| SubnetOwner::<T>::try_get(netuid).as_ref() == Ok(who);
        ensure!(
            signer.as_ref().is_none_or(is_owner),
            DispatchError::BadOrigin
        );
        Ok(signer)
    }

    /// Notes that the owner did something, if it may.
    ///
    /// # Errors
    /// `AdminActionProhibitedDuringWeightsWindow` shortly before an epoch, `TxRateLimitExceeded` too soon after the
    /// last time.
    pub fn note_owner_action(
        owner: &AccountId32,
        netuid: u16,
        action: OwnerAction,
    ) -> DispatchResult {
        Self::ensure_not_frozen(netuid)?;
        let tempos = |count: u64| u64::from(Tempo::<T>::get(netuid)).saturating_mul(count);
        let (noted, limit) = match action {
            OwnerAction::Hyperparameter(rule) => return Self::note_rule_change(netuid, rule),
            OwnerAction::OwnerHotkey => (
                Noted::Subnet(RateLimitKey::SetSNOwnerHotkey(netuid)),
                OWNER_HOTKEY_LIMIT,
            ),
            OwnerAction::WeightsVersionKey => (
                Noted::Account(4),
                tempos(WeightsVersionKeyRateLimit::<T>::get()),
            ),
            OwnerAction::MechanismCount => (Noted::Account(7), MECHANISM_LIMIT),
            OwnerAction::MechanismEmission => (Noted::Account(8), MECHANISM_LIMIT),
            OwnerAction::Trim => (Noted::Account(9), TRIM_LIMIT),
        };
        let now = Self::now();
        let last = match &noted {
            Noted::Subnet(key) => LastRateLimitedBlock::<T>::get(key),
            Noted::Account(number) => TransactionKeyLastBlock::<T>::get((owner, netuid, number)),
        };
        ensure!(
            last == 0 || now.saturating_sub(last) >= limit,
            Error::<T>::TxRateLimitExceeded
        );
        match noted {
            Noted::Subnet(key) => LastRateLimitedBlock::<T>::insert(key, now),
            Noted::Account(number) => {
                TransactionKeyLastBlock::<T>::insert((owner, netuid, number), now);
            }
        }
        Ok(())
    }

    /// Notes that the owner changed a rule, which it may do once in some tempos.
    pub(super) fn note_rule_change(netuid: u16, rule: Hyperparameter) -> DispatchResult {
        let key = RateLimitKey::OwnerHyperparamUpdate(netuid, rule);
        let last = LastRateLimitedBlock::<T>::get(&key);
        let tempos = u64::from(OwnerHyperparamRateLimit::<T>::get());
        let limit = u64::from(Tempo::<T>::get(netuid)).saturating_mul(tempos);
        let now = Self::now();
        ensure!(
            last == 0 || now.saturating_sub(last) >= limit,
            Error::<T>::TxRateLimitExceeded
        );
        LastRateLimitedBlock::<T>::insert(key, now);
        Ok(())
    }

    /// Shortly before an epoch the owner may not change its rules.
    pub(super) fn ensure_not_frozen(netuid: u16) -> DispatchResult {
        let window = u64::from(AdminFreezeWindow::<T>::get());
        let is_open = Self::next_epoch_start_block(netuid)
            .is_none_or(|start| start.saturating_sub(Self::now()) >= window);
        ensure!(
            is_open,
            Error::<T>::AdminActionProhibitedDuringWeightsWindow
        );
        Ok(())
    }
}

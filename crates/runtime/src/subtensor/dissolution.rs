//! The end of a subnet: who is paid what, and what is forgotten.
//!
//! All TAO of the pool goes to those who hold the subnet's token staked, by what they hold; the units that rounding
//! leaves go to the largest remainders. Without stakers it leaves circulation, and so does what cannot be paid because
//! it is less than an account needs to exist. The token itself, staked or waiting, is worth nothing afterwards. The
//! owner is not paid back what it paid for the subnet: that is part of the pool.

use super::pallet::*;
use super::types::ForgetSubnet;
use super::{ROOT, RateLimitKey};
use crate::swap;
use frame_support::pallet_prelude::*;
use frame_support::traits::fungible::{Inspect, Mutate};
use frame_support::traits::tokens::{Fortitude, Precision, Preservation};
use sp_core::U256;
use sp_runtime::AccountId32;
use std::cmp::Reverse;
use std::collections::BTreeMap;

impl<T: Config> Pallet<T> {
    pub(super) fn do_dissolve_network(netuid: u16) -> DispatchResult {
        ensure!(
            netuid != ROOT && NetworksAdded::<T>::get(netuid),
            Error::<T>::SubnetNotExists
        );
        Self::dissolve(netuid);
        Ok(())
    }

    /// Which subnet a new one replaces when there are as many as allowed: of those past their immunity the one with the
    /// lowest moving price, the oldest of equals.
    pub fn subnet_to_replace() -> Option<u16> {
        let now = Self::now();
        let immunity = NetworkImmunityPeriod::<T>::get();
        Self::subnets()
            .into_iter()
            .map(|netuid| (NetworkRegisteredAt::<T>::get(netuid), netuid))
            .filter(|(founded, _)| now.saturating_sub(*founded) >= immunity)
            .map(|(founded, netuid)| (SubnetMovingPrice::<T>::get(netuid).bits, founded, netuid))
            .min()
            .map(|(_, _, netuid)| netuid)
    }

    /// Ends a subnet that exists.
    pub(super) fn dissolve(netuid: u16) {
        Self::pay_stakers_out(netuid);
        let mechanisms = Self::storage_indices(netuid);
        mechanisms.into_iter().for_each(Self::forget_mechanism);
        Self::forget_values(netuid);
        Self::forget_by_account(netuid);
        Self::forget_limits(netuid);
        T::Elsewhere::forget_subnet(netuid);
        TotalNetworks::<T>::mutate(|total| *total = total.saturating_sub(1));
        if SubnetIdentitiesV3::<T>::take(netuid).is_some() {
            Self::deposit_event(Event::SubnetIdentityRemoved(netuid));
        }
        Self::deposit_event(Event::NetworkRemoved(netuid));
    }

    fn pay_stakers_out(netuid: u16) {
        let mut held = BTreeMap::<AccountId32, u64>::new();
        let stakes: Vec<_> = AlphaV2::<T>::iter_keys()
            .filter(|(_, _, subnet)| *subnet == netuid)
            .collect();
        for (hotkey, coldkey, _) in stakes {
            let amount = Self::stake_of(&hotkey, &coldkey, netuid);
            AlphaV2::<T>::remove((&hotkey, &coldkey, netuid));
            let sum = held.entry(coldkey).or_default();
            *sum = sum.saturating_add(amount);
        }
        let pool = Self::subnet_account(netuid);
        let tao = SubnetTAO::<T>::take(netuid);
        TotalStake::<T>::mutate(|total| *total = total.saturating_sub(tao));
        let parts: Vec<u64> = held.values().copied().collect();
        for (coldkey, amount) in held.keys().zip(split_whole(tao, &parts)) {
            // What fails stays in the pool and is burned with the rest.
            let _ = T::Currency::transfer(&pool, coldkey, amount, Preservation::Expendable);
        }
        let left = T::Currency::total_balance(&pool);
        let burned = T::Currency::burn_from(
            &pool,
            left,
            Preservation::Expendable,
            Precision::BestEffort,
            Fortitude::Force,
        );
        Self::reduce_issuance(burned.unwrap_or(0));
    }

    /// Forgets what is stored under the netuid.
    fn forget_values(netuid: u16) {
        macro_rules! remove {
            ($($item:ident)*) => { $( $item::<T>::remove(netuid); )* };
        }
        macro_rules! clear {
            ($($item:ident)*) => { $( let _ = $item::<T>::clear_prefix(netuid, u32::MAX, None); )* };
        }
        remove! {
            NetworksAdded NetworkRegisteredAt SubnetOwner SubnetOwnerHotkey SubnetLocked TokenSymbol
            SubnetMechanism MechanismCountCurrent MechanismEmissionSplit SubtokenEnabled SubnetEmissionEnabled
            FirstEmissionBlockNumber OwnerCutEnabled
        }
        remove! {
            SubnetAlphaIn SubnetAlphaOut SubnetVolume SubnetTaoInEmission SubnetAlphaOutEmission
            SubnetAlphaInEmission SubnetExcessTao SubnetRootSellTao SubnetProtocolAlpha SubnetMovingPrice RootProp
            EMAPriceHalvingBlocks PendingServerEmission PendingValidatorEmission PendingOwnerCut
            PendingRootAlphaDivs MinerBurned SubnetTaoFlow SubnetEmaTaoFlow
        }
        remove! {
            Tempo LastEpochBlock PendingEpochAt SubnetEpochIndex BlocksSinceLastStep LastMechansimStepBlock
            MaxAllowedUids MaxAllowedValidators MinAllowedWeights MaxWeightsLimit ImmunityPeriod
            ActivityCutoffFactorMilli ActivityCutoff Kappa Rho AlphaSigmoidSteepness BondsMovingAverage BondsPenalty
            BondsResetOn LiquidAlphaOn AlphaValues Yuma3On WeightsVersionKey WeightsSetRateLimit
            CommitRevealWeightsEnabled RevealPeriodEpochs ServingRateLimit NetworkRegistrationAllowed
            NetworkPowRegistrationAllowed TransferToggle RecycleOrBurn
        }
        remove! {
            Burn MinBurn MaxBurn BurnHalfLife BurnIncreaseMult RegistrationsThisBlock MinNonImmuneUids
            ImmuneOwnerUidsLimit MinAllowedUids MaxRegistrationsPerBlock TargetRegistrationsPerInterval
            AdjustmentInterval AdjustmentAlpha Difficulty MinDifficulty MaxDifficulty RAORecycledForRegistration
        }
        remove! {
            SubnetworkN Active Emission Consensus Dividends ValidatorTrust ValidatorPermit StakeWeight
        }
        swap::FeeRate::<T>::remove(netuid);
        swap::SwapBalancer::<T>::remove(netuid);
        swap::PalSwapInitialized::<T>::remove(netuid);
        swap::ScrapReservoirAlpha::<T>::remove(netuid);
        clear! {
            Keys Uids BlockAtRegistration AlphaDividendsPerSubnet Axons NeuronCertificates Prometheus
        }
    }

    /// Forgets what is stored under an account first and then under the netuid.
    fn forget_by_account(netuid: u16) {
        macro_rules! remove {
            ($($item:ident)*) => { $(
                let keys = $item::<T>::iter_keys();
                let keys: Vec<_> = keys.filter(|(_, subnet)| *subnet == netuid).collect();
                for (account, _) in keys {
                    $item::<T>::remove(account, netuid);
                }
            )* };
        }
        remove! {
            IsNetworkMember TotalHotkeyAlpha TotalHotkeySharesV2 TotalHotkeyAlphaLastEpoch
            LastHotkeyEmissionOnNetuid AutoStakeDestination AutoStakeDestinationColdkeys
        }
    }

    /// The next owner of the number is not held to what the last one did.
    fn forget_limits(netuid: u16) {
        let limits: Vec<_> = LastRateLimitedBlock::<T>::iter_keys()
            .filter(|key| match key {
                RateLimitKey::SetSNOwnerHotkey(subnet)
                | RateLimitKey::OwnerHyperparamUpdate(subnet, _)
                | RateLimitKey::AddStakeBurn(subnet) => *subnet == netuid,
                _ => false,
            })
            .collect();
        for key in limits {
            LastRateLimitedBlock::<T>::remove(key);
        }
        let done: Vec<_> = TransactionKeyLastBlock::<T>::iter_keys()
            .filter(|(_, subnet, _)| *subnet == netuid)
            .collect();
        for key in done {
            TransactionKeyLastBlock::<T>::remove(key);
        }
    }
}

/// Splits an amount by parts without a rest: what rounding down leaves goes to the largest remainders, one unit each.
/// Nothing is split if all parts are zero.
fn split_whole(amount: u64, parts: &[u64]) -> Vec<u64> {
    let all: U256 = parts
        .iter()
        .fold(U256::zero(), |sum, &part| sum + U256::from(part));
    if all.is_zero() {
        return vec![0; parts.len()];
    }
    // Each part of the amount is at most the amount.
    let (mut shares, remainders): (Vec<u64>, Vec<U256>) = parts
        .iter()
        .map(|&part| {
            let (share, remainder) = (U256::from(amount) * U256::from(part)).div_mod(all);
            (share.as_u64(), remainder)
        })
        .unzip();
    let given: u64 = shares.iter().sum();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|&at| (Reverse(remainders[at]), at));
    let rest = usize::try_from(amount.saturating_sub(given)).unwrap_or(usize::MAX);
    for at in order.into_iter().take(rest) {
        shares[at] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_rest_goes_to_the_largest_remainders() {
        assert_eq!(split_whole(10, &[1, 1, 1]), [4, 3, 3]);
        assert_eq!(split_whole(10, &[1, 2, 4]), [1, 3, 6]);
        assert_eq!(split_whole(10, &[0, 0]), [0, 0]);
        assert_eq!(
            split_whole(u64::MAX, &[u64::MAX, u64::MAX]),
            [u64::MAX / 2 + 1, u64::MAX / 2]
        );
    }

    proptest! {
        #[test]
        fn nothing_is_left(amount: u64, parts in prop::collection::vec(any::<u64>(), 1..20)) {
            prop_assume!(parts.iter().any(|&part| part != 0));
            let shares = split_whole(amount, &parts);
            prop_assert_eq!(shares.iter().map(|&share| u128::from(share)).sum::<u128>(), u128::from(amount));
            for (share, part) in shares.iter().zip(&parts) {
                prop_assert!(*part != 0 || *share == 0);
            }
        }
    }
}

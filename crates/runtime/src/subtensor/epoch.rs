//! The epoch of a subnet: consensus over what validators said, and payment of what has waited.

use super::pallet::*;
use super::{FixedU128, ROOT};
use crate::yuma::{BondsUpdate, EpochInput, EpochOutput, LiquidAlpha, sparse};
use sp_runtime::AccountId32;

/// A subnet's only mechanism in this runtime.
const MECHANISM: u8 = 0;

impl<T: Config> Pallet<T> {
    /// Runs a subnet's epoch and pays. False, and nothing has happened, if the stored neurons contradict each other.
    pub(super) fn run_epoch(netuid: u16) -> bool {
        let n = SubnetworkN::<T>::get(netuid);
        let hotkeys: Vec<AccountId32> = (0..n).map(|uid| Keys::<T>::get(netuid, uid)).collect();
        let is_consistent = hotkeys
            .iter()
            .zip(0..)
            .all(|(hotkey, uid)| Uids::<T>::get(netuid, hotkey) == Some(uid));
        let Some(index) = Self::storage_index(netuid, MECHANISM).filter(|_| is_consistent) else {
            return false;
        };
        let miners = PendingServerEmission::<T>::get(netuid);
        let validators = PendingValidatorEmission::<T>::get(netuid);
        let input = Self::epoch_input(netuid, index, &hotkeys, miners.saturating_add(validators));
        let Ok(output) = sparse::epoch(&input) else {
            return false;
        };
        PendingServerEmission::<T>::remove(netuid);
        PendingValidatorEmission::<T>::remove(netuid);
        Self::pay_neurons(netuid, &hotkeys, &output, miners, validators);
        Self::pay_owner(netuid, PendingOwnerCut::<T>::take(netuid));
        Self::store_epoch(netuid, index, &hotkeys, output);
        true
    }

    fn epoch_input(
        netuid: u16,
        index: u16,
        hotkeys: &[AccountId32],
        rao_emission: u64,
    ) -> EpochInput {
        let n = SubnetworkN::<T>::get(netuid);
        let tempo = Tempo::<T>::get(netuid);
        let (low, high) = AlphaValues::<T>::get(netuid);
        let liquid = LiquidAlpha {
            low,
            high,
            steepness: AlphaSigmoidSteepness::<T>::get(netuid),
        };
        EpochInput {
            n,
            block: Self::now(),
            tempo,
            activity_cutoff: u64::from(ActivityCutoffFactorMilli::<T>::get(netuid))
                * u64::from(tempo)
                / 1000,
            last_mechanism_step_block: LastMechansimStepBlock::<T>::get(netuid),
            last_update: LastUpdate::<T>::get(index),
            block_at_registration: (0..n)
                .map(|uid| BlockAtRegistration::<T>::get(netuid, uid))
                .collect(),
            stake: hotkeys
                .iter()
                .map(|hotkey| Self::stake_weight(hotkey, netuid))
                .collect(),
            stake_threshold: StakeThreshold::<T>::get(),
            validator_permit: ValidatorPermit::<T>::get(netuid),
            max_allowed_validators: MaxAllowedValidators::<T>::get(netuid),
            weights: (0..n).map(|uid| Weights::<T>::get(index, uid)).collect(),
            bonds: (0..n).map(|uid| Bonds::<T>::get(index, uid)).collect(),
            // Weights cannot be committed in this runtime.
            earliest_commit: vec![None; usize::from(n)],
            kappa: Kappa::<T>::get(netuid),
            bonds_penalty: BondsPenalty::<T>::get(netuid),
            bonds_moving_average: BondsMovingAverage::<T>::get(netuid),
            liquid_alpha: LiquidAlphaOn::<T>::get(netuid).then_some(liquid),
            yuma3: Yuma3On::<T>::get(netuid),
            owner_uid: Uids::<T>::get(netuid, SubnetOwnerHotkey::<T>::get(netuid)),
            rao_emission,
        }
    }

    fn store_epoch(netuid: u16, index: u16, hotkeys: &[AccountId32], output: EpochOutput) {
        MinerBurned::<T>::insert(
            netuid,
            Self::owners_part(netuid, hotkeys, &output.incentive),
        );
        Active::<T>::insert(netuid, output.active);
        Emission::<T>::insert(netuid, output.emission);
        Consensus::<T>::insert(netuid, output.consensus);
        Incentive::<T>::insert(index, output.incentive);
        Dividends::<T>::insert(netuid, output.dividends);
        ValidatorTrust::<T>::insert(netuid, output.validator_trust);
        StakeWeight::<T>::insert(netuid, output.stake_weight);
        ValidatorPermit::<T>::insert(netuid, output.validator_permit);
        for (uid, update) in (0..).zip(output.bonds) {
            match update {
                BondsUpdate::Store(row) => Bonds::<T>::insert(index, uid, row),
                BondsUpdate::Remove => Bonds::<T>::remove(index, uid),
                BondsUpdate::Keep => {}
            }
        }
    }

    /// Whether a hotkey is the subnet owner's: what miners earn there is recycled.
    fn is_owners(netuid: u16, hotkey: &AccountId32) -> bool {
        SubnetOwnerHotkey::<T>::get(netuid) == *hotkey
            || Owner::<T>::get(hotkey) == SubnetOwner::<T>::get(netuid)
    }

    /// The part of the incentive that points at the owner's hotkeys.
    fn owners_part(netuid: u16, hotkeys: &[AccountId32], incentive: &[u16]) -> FixedU128 {
        let all: u128 = incentive.iter().copied().map(u128::from).sum();
        let owners: u128 = hotkeys
            .iter()
            .zip(incentive)
            .filter(|(hotkey, _)| Self::is_owners(netuid, hotkey))
            .map(|(_, &part)| u128::from(part))
            .sum();
        FixedU128 {
            bits: (owners << 64).checked_div(all).unwrap_or(0),
        }
    }

    fn pay_owner(netuid: u16, amount: u64) {
        Self::deposit_stake(
            &SubnetOwnerHotkey::<T>::get(netuid),
            &SubnetOwner::<T>::get(netuid),
            netuid,
            amount,
        );
    }

    /// Pays what has waited for miners and validators by the epoch's shares. What nobody earned is recycled, so that
    /// the token is always all accounted for.
    ///
    /// The public chain pays each miner the epoch's own rounded amount, which can differ from its part of what waited
    /// by some rao and so creates or loses them.
    fn pay_neurons(
        netuid: u16,
        hotkeys: &[AccountId32],
        output: &EpochOutput,
        miners: u64,
        validators: u64,
    ) {
        let waiting = miners.saturating_add(validators);
        // Without any incentive the validators receive all.
        let has_incentive = output.server_emission.iter().any(|&amount| amount != 0);
        let (miners, validators) = if has_incentive {
            (miners, validators)
        } else {
            (0, waiting)
        };

        // Dividends earned by stake on root are the root stakers', whose part never waited: only the rest counts here.
        let local: Vec<u64> = hotkeys
            .iter()
            .zip(&output.validator_emission)
            .map(|(hotkey, &amount)| {
                let alpha = u128::from(TotalHotkeyAlpha::<T>::get(hotkey, netuid));
                let root = u128::from(Self::weighed_root(TotalHotkeyAlpha::<T>::get(hotkey, ROOT)));
                (u128::from(amount) * alpha)
                    .checked_div(alpha + root)
                    .unwrap_or(0) as u64
            })
            .collect();
        let incentives = split(miners, &output.server_emission);
        let mut paid = 0u64;
        for (hotkey, &amount) in hotkeys.iter().zip(&incentives) {
            if !Self::is_owners(netuid, hotkey) {
                Self::pay_miner(hotkey, netuid, amount);
                paid = paid.saturating_add(amount);
            }
        }
        Self::deposit_event(Event::IncentiveAlphaEmittedToMiners {
            netuid,
            emissions: incentives,
        });

        let _ = AlphaDividendsPerSubnet::<T>::clear_prefix(netuid, u32::MAX, None);
        for (hotkey, amount) in hotkeys
            .iter()
            .zip(split(validators, &local))
            .filter(|(_, amount)| *amount != 0)
        {
            let take = u128::from(Delegates::<T>::get(hotkey));
            let take = (u128::from(amount) * take / u128::from(u16::MAX)) as u64;
            Self::deposit_stake(hotkey, &Owner::<T>::get(hotkey), netuid, take);
            Self::pay_stakers(hotkey, netuid, amount.saturating_sub(take));
            AlphaDividendsPerSubnet::<T>::insert(netuid, hotkey, amount);
            paid = paid.saturating_add(amount);
        }
        Self::forget_alpha(netuid, waiting.saturating_sub(paid));
    }
}

/// Splits an amount by parts, each rounded down.
fn split(amount: u64, parts: &[u64]) -> Vec<u64> {
    let all: u128 = parts.iter().copied().map(u128::from).sum();
    parts
        .iter()
        .map(|&part| {
            (u128::from(amount) * u128::from(part))
                .checked_div(all)
                .unwrap_or(0) as u64
        })
        .collect()
}

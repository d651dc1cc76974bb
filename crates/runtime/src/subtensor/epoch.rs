//! The epoch of a subnet: consensus over what validators said, and payment of what has waited.

use super::mechanisms::{self, Combined};
use super::pallet::*;
use super::{FixedU128, ROOT, RecycleOrBurnEnum};
use crate::yuma::{BondsUpdate, EpochInput, EpochOutput, LiquidAlpha, sparse};
use sp_runtime::AccountId32;

/// What has waited in a subnet for its epoch, in its token.
struct Waiting {
    miners: u64,
    validators: u64,
    root: u64,
}

impl<T: Config> Pallet<T> {
    /// Runs a subnet's epoch, all its mechanisms, and pays. False, and nothing has happened, if the stored neurons
    /// contradict each other.
    ///
    /// A mechanism whose own vectors do not fit the neurons has no result and no part in what is paid.
    pub(super) fn run_epoch(netuid: u16) -> bool {
        let n = SubnetworkN::<T>::get(netuid);
        let hotkeys: Vec<AccountId32> = (0..n).map(|uid| Keys::<T>::get(netuid, uid)).collect();
        let is_consistent = hotkeys
            .iter()
            .zip(0..)
            .all(|(hotkey, uid)| Uids::<T>::get(netuid, hotkey) == Some(uid));
        if !is_consistent {
            return false;
        }
        let waiting = Waiting {
            miners: PendingServerEmission::<T>::get(netuid),
            validators: PendingValidatorEmission::<T>::get(netuid),
            root: PendingRootAlphaDivs::<T>::get(netuid),
        };
        let total = waiting
            .miners
            .saturating_add(waiting.validators)
            .saturating_add(waiting.root);
        let parts = mechanisms::split_emission(
            total,
            MechanismCountCurrent::<T>::get(netuid),
            MechanismEmissionSplit::<T>::get(netuid).as_deref(),
        );
        let results: Vec<(u16, u64, EpochOutput)> = (0..)
            .zip(parts)
            .filter_map(|(mechanism, part)| {
                let index = Self::storage_index(netuid, mechanism)?;
                let input = Self::epoch_input(netuid, index, &hotkeys, part);
                Some((index, part, sparse::epoch(&input).ok()?))
            })
            .collect();
        if results.is_empty() {
            return false;
        }
        let of_each: Vec<(u64, &EpochOutput)> = results
            .iter()
            .map(|(_, part, output)| (*part, output))
            .collect();
        let combined = mechanisms::combine(n, total, &of_each);
        PendingServerEmission::<T>::remove(netuid);
        PendingValidatorEmission::<T>::remove(netuid);
        PendingRootAlphaDivs::<T>::remove(netuid);
        Self::pay_neurons(netuid, &hotkeys, &combined, &waiting);
        Self::pay_owner(netuid, PendingOwnerCut::<T>::take(netuid));
        for (index, _, output) in results {
            Self::store_mechanism(index, output);
        }
        Self::store_epoch(netuid, combined);
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
            activity_cutoff: Self::activity_cutoff(netuid),
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
            earliest_commit: Self::earliest_commits(netuid, index, hotkeys),
            kappa: Kappa::<T>::get(netuid),
            bonds_penalty: BondsPenalty::<T>::get(netuid),
            bonds_moving_average: BondsMovingAverage::<T>::get(netuid),
            liquid_alpha: LiquidAlphaOn::<T>::get(netuid).then_some(liquid),
            yuma3: Yuma3On::<T>::get(netuid),
            owner_uid: Uids::<T>::get(netuid, SubnetOwnerHotkey::<T>::get(netuid)),
            rao_emission,
        }
    }

    /// Removes all bonds towards a neuron, if its subnet allows that.
    pub fn reset_bonds(netuid: u16, hotkey: &AccountId32) {
        let Some(uid) = Uids::<T>::get(netuid, hotkey) else {
            return;
        };
        if !BondsResetOn::<T>::get(netuid) {
            return;
        }
        for mechanism in 0..MechanismCountCurrent::<T>::get(netuid) {
            let Some(index) = Self::storage_index(netuid, mechanism) else {
                continue;
            };
            let rows: Vec<u16> = Bonds::<T>::iter_key_prefix(index).collect();
            for from in rows {
                Bonds::<T>::mutate(index, from, |row| row.retain(|(to, _)| *to != uid));
            }
        }
    }

    /// Stores what each mechanism has of its own.
    fn store_mechanism(index: u16, output: EpochOutput) {
        Incentive::<T>::insert(index, output.incentive);
        for (uid, update) in (0..).zip(output.bonds) {
            match update {
                BondsUpdate::Store(row) => Bonds::<T>::insert(index, uid, row),
                BondsUpdate::Remove => Bonds::<T>::remove(index, uid),
                BondsUpdate::Keep => {}
            }
        }
    }

    /// Stores what the mechanisms have in common.
    fn store_epoch(netuid: u16, combined: Combined) {
        Active::<T>::insert(netuid, combined.active);
        Emission::<T>::insert(netuid, combined.emission);
        Consensus::<T>::insert(netuid, combined.consensus);
        Dividends::<T>::insert(netuid, combined.dividends);
        ValidatorTrust::<T>::insert(netuid, combined.validator_trust);
        StakeWeight::<T>::insert(netuid, combined.stake_weight);
        ValidatorPermit::<T>::insert(netuid, combined.validator_permit);
    }

    /// Whether a hotkey is the subnet owner's: what it earns as a miner is withheld.
    fn is_owners(netuid: u16, hotkey: &AccountId32) -> bool {
        SubnetOwnerHotkey::<T>::get(netuid) == *hotkey
            || Owner::<T>::get(hotkey) == SubnetOwner::<T>::get(netuid)
    }

    fn pay_owner(netuid: u16, amount: u64) {
        Self::deposit_stake(
            &SubnetOwnerHotkey::<T>::get(netuid),
            &SubnetOwner::<T>::get(netuid),
            netuid,
            amount,
        );
    }

    /// Pays what has waited for miners and validators by the epoch's shares. What nobody earned is recycled, and so
    /// is root's part, which nobody can claim: the token is always all accounted for. What the owner's hotkeys earned
    /// as miners is recycled or burned as the subnet has it; the burned token still counts as issued.
    ///
    /// The public chain pays each miner the epoch's own rounded amount, which can differ from its part of what waited
    /// by some rao and so creates or loses them.
    fn pay_neurons(netuid: u16, hotkeys: &[AccountId32], earned: &Combined, waiting: &Waiting) {
        let alpha = waiting.miners.saturating_add(waiting.validators);
        // Without any incentive the validators receive all.
        let has_incentive = earned.server_emission.iter().any(|&amount| amount != 0);
        let (miners, validators) = if has_incentive {
            (waiting.miners, waiting.validators)
        } else {
            (0, alpha)
        };
        let incentives = split(miners, &earned.server_emission);
        let dividends = split(validators, &Self::local_dividends(netuid, hotkeys, earned));

        let mut paid = 0u64;
        let mut withheld = 0u64;
        for (hotkey, &amount) in hotkeys.iter().zip(&incentives) {
            if Self::is_owners(netuid, hotkey) {
                withheld = withheld.saturating_add(amount);
                LastHotkeyEmissionOnNetuid::<T>::insert(hotkey, netuid, 0);
            } else {
                Self::pay_miner(hotkey, netuid, amount);
                paid = paid.saturating_add(amount);
                LastHotkeyEmissionOnNetuid::<T>::insert(hotkey, netuid, amount);
            }
        }
        MinerBurned::<T>::insert(
            netuid,
            FixedU128 {
                bits: (u128::from(withheld) << 32)
                    .checked_div(u128::from(paid) + u128::from(withheld))
                    .unwrap_or(0),
            },
        );
        if RecycleOrBurn::<T>::get(netuid) == RecycleOrBurnEnum::Burn {
            paid = paid.saturating_add(withheld);
        }
        Self::deposit_event(Event::IncentiveAlphaEmittedToMiners {
            netuid,
            emissions: incentives,
        });

        let _ = AlphaDividendsPerSubnet::<T>::clear_prefix(netuid, u32::MAX, None);
        for (hotkey, amount) in hotkeys
            .iter()
            .zip(dividends)
            .filter(|(_, amount)| *amount != 0)
        {
            let take = u128::from(Delegates::<T>::get(hotkey));
            let take = (u128::from(amount) * take / u128::from(u16::MAX)) as u64;
            let rest = amount.saturating_sub(take);
            Self::deposit_stake(hotkey, &Owner::<T>::get(hotkey), netuid, take);
            Self::pay_stakers(hotkey, netuid, rest);
            AlphaDividendsPerSubnet::<T>::insert(netuid, hotkey, rest);
            let staked = TotalHotkeyAlpha::<T>::get(hotkey, netuid);
            TotalHotkeyAlphaLastEpoch::<T>::insert(hotkey, netuid, staked);
            LastHotkeyEmissionOnNetuid::<T>::mutate(hotkey, netuid, |emission| {
                *emission = emission.saturating_add(amount)
            });
            paid = paid.saturating_add(amount);
        }
        let all = alpha.saturating_add(waiting.root);
        Self::forget_alpha(netuid, all.saturating_sub(paid));
    }

    /// The part of each neuron's dividends that its stake in the subnet's own token earned. The rest was earned by
    /// stake on root.
    fn local_dividends(netuid: u16, hotkeys: &[AccountId32], earned: &Combined) -> Vec<u64> {
        hotkeys
            .iter()
            .zip(&earned.validator_emission)
            .map(|(hotkey, &amount)| {
                let alpha = u128::from(TotalHotkeyAlpha::<T>::get(hotkey, netuid));
                let root = u128::from(Self::weighed_root(TotalHotkeyAlpha::<T>::get(hotkey, ROOT)));
                (u128::from(amount) * alpha)
                    .checked_div(alpha + root)
                    .unwrap_or(amount.into()) as u64
            })
            .collect()
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

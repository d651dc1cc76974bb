//! The pallet's calls as one table: index, name and arguments, who may make it, what it does.

use frame_support::pallet_macros::pallet_section;

/// Writes the pallet's calls. Each row becomes a call that checks the right behind `by` and then runs its block; with
/// `as name`, the block can ask whether the owner made the call.
macro_rules! calls {
    ($(
        $(#[doc = $doc:literal])*
        $index:literal: $name:ident($($argument:ident: $type:ty),*) by $right:expr
        $(, as $by_owner:ident)? => { $($body:tt)* }
    )*) => {
        /// The calls, at their public indices with their public argument names.
        #[pallet_section]
        mod calls {
            // Nothing here is benchmarked: the node runs on one machine that chooses what it includes.
            const CALL: Weight = Weight::from_parts(10_000_000, 0);

            #[pallet::call]
            impl<T: Config> Pallet<T> {
                $(
                    $(#[doc = $doc])*
                    #[pallet::call_index($index)]
                    #[pallet::weight(CALL)]
                    pub fn $name(origin: OriginFor<T>, $($argument: $type),*) -> DispatchResult {
                        let _by_owner = Self::ensure(origin, $right)?;
                        $(let $by_owner = _by_owner;)?
                        $($body)*
                        Ok(())
                    }
                )*
            }
        }
    };
}

calls! {
    /// Sets the highest take of a delegate, over 65535.
    1: sudo_set_default_take(default_take: u16) by Root => {
        subtensor::MaxDelegateTake::<T>::put(default_take);
        Self::tell(Told::MaxDelegateTakeSet(default_take));
    }

    /// Sets the blocks between an account's limited transactions.
    2: sudo_set_tx_rate_limit(tx_rate_limit: u64) by Root => {
        subtensor::TxRateLimit::<T>::put(tx_rate_limit);
        Self::tell(Told::TxRateLimitSet(tx_rate_limit));
    }

    /// Sets the blocks between two announcements of a neuron's address.
    3: sudo_set_serving_rate_limit(netuid: u16, serving_rate_limit: u64)
        by Owner(netuid, Rule(H::ServingRateLimit)) => {
        subtensor::ServingRateLimit::<T>::insert(netuid, serving_rate_limit);
        Self::tell(Told::ServingRateLimitSet(netuid, serving_rate_limit));
    }

    /// Sets the least difficulty of the former proof of work; only displayed.
    4: sudo_set_min_difficulty(netuid: u16, min_difficulty: u64) by Subnet(netuid) => {
        subtensor::MinDifficulty::<T>::insert(netuid, min_difficulty);
        Self::tell(Told::MinDifficultySet(netuid, min_difficulty));
    }

    /// Sets the highest difficulty of the former proof of work; only displayed.
    5: sudo_set_max_difficulty(netuid: u16, max_difficulty: u64) by Owner(netuid, Rule(H::MaxDifficulty)) => {
        subtensor::MaxDifficulty::<T>::insert(netuid, max_difficulty);
        Self::tell(Told::MaxDifficultySet(netuid, max_difficulty));
    }

    /// Sets the least version key of weights; 0 takes any.
    6: sudo_set_weights_version_key(netuid: u16, weights_version_key: u64) by Owner(netuid, WeightsVersionKey) => {
        subtensor::WeightsVersionKey::<T>::insert(netuid, weights_version_key);
        Self::tell(Told::WeightsVersionKeySet(netuid, weights_version_key));
    }

    /// Sets the blocks between two settings of weights.
    7: sudo_set_weights_set_rate_limit(netuid: u16, weights_set_rate_limit: u64) by Subnet(netuid) => {
        subtensor::WeightsSetRateLimit::<T>::insert(netuid, weights_set_rate_limit);
        Self::tell(Told::WeightsSetRateLimitSet(netuid, weights_set_rate_limit));
    }

    /// Sets the interval of former price adjustments; only displayed.
    8: sudo_set_adjustment_interval(netuid: u16, adjustment_interval: u16) by Subnet(netuid) => {
        subtensor::AdjustmentInterval::<T>::insert(netuid, adjustment_interval);
        Self::tell(Told::AdjustmentIntervalSet(netuid, adjustment_interval));
    }

    /// Sets the memory of former price adjustments; only displayed.
    9: sudo_set_adjustment_alpha(netuid: u16, adjustment_alpha: u64) by Owner(netuid, Rule(H::AdjustmentAlpha)) => {
        subtensor::AdjustmentAlpha::<T>::insert(netuid, adjustment_alpha);
        Self::tell(Told::AdjustmentAlphaSet(netuid, adjustment_alpha));
    }

    /// Sets the blocks for which a newcomer is not replaced.
    13: sudo_set_immunity_period(netuid: u16, immunity_period: u16) by Owner(netuid, Rule(H::ImmunityPeriod)) => {
        subtensor::ImmunityPeriod::<T>::insert(netuid, immunity_period);
        Self::tell(Told::ImmunityPeriodSet(netuid, immunity_period));
    }

    /// Sets the least number of weights a validator sets.
    14: sudo_set_min_allowed_weights(netuid: u16, min_allowed_weights: u16)
        by Owner(netuid, Rule(H::MinAllowedWeights)) => {
        subtensor::MinAllowedWeights::<T>::insert(netuid, min_allowed_weights);
        Self::tell(Told::MinAllowedWeightSet(netuid, min_allowed_weights));
    }

    /// Sets the most neurons a subnet has.
    15: sudo_set_max_allowed_uids(netuid: u16, max_allowed_uids: u16) by Owner(netuid, Rule(H::MaxAllowedUids)) => {
        Self::check_max_allowed_uids(netuid, max_allowed_uids)?;
        subtensor::MaxAllowedUids::<T>::insert(netuid, max_allowed_uids);
        Self::tell(Told::MaxAllowedUidsSet(netuid, max_allowed_uids));
    }

    /// Sets the majority consensus needs, over 65535.
    16: sudo_set_kappa(netuid: u16, kappa: u16) by Owner(netuid, Rule(H::Kappa)) => {
        subtensor::Kappa::<T>::insert(netuid, kappa);
        Self::tell(Told::KappaSet(netuid, kappa));
    }

    /// Sets a parameter of an older consensus; only displayed.
    17: sudo_set_rho(netuid: u16, rho: u16) by Owner(netuid, Rule(H::Rho)) => {
        subtensor::Rho::<T>::insert(netuid, rho);
        Self::tell(Told::RhoSet(netuid, rho));
    }

    /// Sets the blocks without weights after which a validator is inactive.
    18: sudo_set_activity_cutoff(netuid: u16, activity_cutoff: u16) by Owner(netuid, Rule(H::ActivityCutoff)) => {
        Self::set_activity_cutoff(netuid, activity_cutoff)?;
        Self::tell(Told::ActivityCutoffSet(netuid, activity_cutoff));
    }

    /// Opens or closes a subnet's registration; a closed subnet receives no emission.
    19: sudo_set_network_registration_allowed(netuid: u16, registration_allowed: bool) by Subnet(netuid) => {
        subtensor::NetworkRegistrationAllowed::<T>::insert(netuid, registration_allowed);
        Self::tell(Told::RegistrationAllowed(netuid, registration_allowed));
    }

    /// Closes registration by proof of work, which exists no more and cannot be opened.
    20: sudo_set_network_pow_registration_allowed(netuid: u16, registration_allowed: bool)
        by Owner(netuid, Rule(H::PowRegistrationAllowed)) => {
        ensure!(!registration_allowed, Error::<T>::POWRegistrationDisabled);
        subtensor::NetworkPowRegistrationAllowed::<T>::insert(netuid, registration_allowed);
        Self::tell(Told::PowRegistrationAllowed(netuid, registration_allowed));
    }

    /// Sets the aim of former price adjustments; only displayed.
    21: sudo_set_target_registrations_per_interval(netuid: u16, target_registrations_per_interval: u16)
        by Subnet(netuid) => {
        subtensor::TargetRegistrationsPerInterval::<T>::insert(netuid, target_registrations_per_interval);
        Self::tell(Told::RegistrationPerIntervalSet(netuid, target_registrations_per_interval));
    }

    /// Sets the least price of a registration, in rao.
    22: sudo_set_min_burn(netuid: u16, min_burn: u64) by Owner(netuid, Rule(H::MinBurn)) => {
        Self::check_min_burn(netuid, min_burn)?;
        subtensor::MinBurn::<T>::insert(netuid, min_burn);
        Self::tell(Told::MinBurnSet(netuid, min_burn));
    }

    /// Sets the highest price of a registration, in rao.
    23: sudo_set_max_burn(netuid: u16, max_burn: u64) by Owner(netuid, Rule(H::MaxBurn)) => {
        Self::check_max_burn(netuid, max_burn)?;
        subtensor::MaxBurn::<T>::insert(netuid, max_burn);
        Self::tell(Told::MaxBurnSet(netuid, max_burn));
    }

    /// Sets the difficulty of the former proof of work; only displayed.
    24: sudo_set_difficulty(netuid: u16, difficulty: u64) by Subnet(netuid) => {
        subtensor::Difficulty::<T>::insert(netuid, difficulty);
        Self::tell(Told::DifficultySet(netuid, difficulty));
    }

    /// Sets the most validators that get a permit.
    25: sudo_set_max_allowed_validators(netuid: u16, max_allowed_validators: u16) by Subnet(netuid) => {
        let most = subtensor::MaxAllowedUids::<T>::get(netuid);
        ensure!(max_allowed_validators <= most, Error::<T>::MaxValidatorsLargerThanMaxUIds);
        subtensor::MaxAllowedValidators::<T>::insert(netuid, max_allowed_validators);
        Self::tell(Told::MaxAllowedValidatorsSet(netuid, max_allowed_validators));
    }

    /// Sets how much of the old bonds an epoch keeps, in millionths.
    26: sudo_set_bonds_moving_average(netuid: u16, bonds_moving_average: u64)
        by Owner(netuid, Rule(H::BondsMovingAverage)), as by_owner => {
        Self::check_bonds_moving_average(bonds_moving_average, by_owner)?;
        subtensor::BondsMovingAverage::<T>::insert(netuid, bonds_moving_average);
        Self::tell(Told::BondsMovingAverageSet(netuid, bonds_moving_average));
    }

    /// Sets a former limit of registrations; only displayed.
    27: sudo_set_max_registrations_per_block(netuid: u16, max_registrations_per_block: u16) by Subnet(netuid) => {
        subtensor::MaxRegistrationsPerBlock::<T>::insert(netuid, max_registrations_per_block);
        Self::tell(Told::MaxRegistrationsPerBlockSet(netuid, max_registrations_per_block));
    }

    /// Sets the owners' part of the emission, over 65535.
    28: sudo_set_subnet_owner_cut(subnet_owner_cut: u16) by Root => {
        subtensor::SubnetOwnerCut::<T>::put(subnet_owner_cut);
        Self::tell(Told::SubnetOwnerCutSet(subnet_owner_cut));
    }

    /// Sets the blocks between foundings of subnets.
    29: sudo_set_network_rate_limit(rate_limit: u64) by Root => {
        subtensor::NetworkRateLimit::<T>::put(rate_limit);
        Self::tell(Told::NetworkRateLimitSet(rate_limit));
    }

    /// Sets the blocks between epochs; with 0 none runs.
    30: sudo_set_tempo(netuid: u16, tempo: u16) by Subnet(netuid) => {
        subtensor::Tempo::<T>::insert(netuid, tempo);
        Self::tell(Told::TempoSet(netuid, tempo));
    }

    /// Sets how many rao the emission believes to exist.
    33: sudo_set_total_issuance(total_issuance: u64) by Root => {
        subtensor::TotalIssuance::<T>::put(total_issuance);
    }

    /// Sets the blocks for which a new subnet is not dissolved for another.
    35: sudo_set_network_immunity_period(immunity_period: u64) by Root => {
        subtensor::NetworkImmunityPeriod::<T>::put(immunity_period);
        Self::tell(Told::NetworkImmunityPeriodSet(immunity_period));
    }

    /// Sets the least price of a subnet, in rao.
    36: sudo_set_network_min_lock_cost(lock_cost: u64) by Root => {
        subtensor::NetworkMinLockCost::<T>::put(lock_cost);
        Self::tell(Told::NetworkMinLockCostSet(lock_cost));
    }

    /// Sets the most subnets there can be.
    37: sudo_set_subnet_limit(max_subnets: u16) by Root => {
        subtensor::SubnetLimit::<T>::put(max_subnets);
        Self::tell(Told::SubnetLimitSet(max_subnets));
    }

    /// Sets the blocks in which the price of a subnet falls by what the last one cost.
    38: sudo_set_lock_reduction_interval(interval: u64) by Root => {
        subtensor::NetworkLockReductionInterval::<T>::put(interval);
        Self::tell(Told::NetworkLockCostReductionIntervalSet(interval));
    }

    /// Sets a former count of registrations' prices; only displayed.
    39: sudo_set_rao_recycled(netuid: u16, rao_recycled: u64) by Subnet(netuid) => {
        subtensor::RAORecycledForRegistration::<T>::insert(netuid, rao_recycled);
        Self::tell(Told::RAORecycledForRegistrationSet(netuid, rao_recycled));
    }

    /// Sets the stake weight a validator needs.
    42: sudo_set_stake_threshold(min_stake: u64) by Root => {
        subtensor::StakeThreshold::<T>::put(min_stake);
        Self::tell(Told::StakeThresholdSet(min_stake));
    }

    /// Sets the least stake with another's hotkey; only displayed.
    43: sudo_set_nominator_min_required_stake(min_stake: u64) by Root => {
        subtensor::NominatorMinRequiredStake::<T>::put(min_stake);
    }

    /// Sets the blocks between two rises of a delegate's take.
    45: sudo_set_tx_delegate_take_rate_limit(tx_rate_limit: u64) by Root => {
        subtensor::TxDelegateTakeRateLimit::<T>::put(tx_rate_limit);
        Self::tell(Told::TxDelegateTakeRateLimitSet(tx_rate_limit));
    }

    /// Sets the least take of a delegate, over 65535.
    46: sudo_set_min_delegate_take(take: u16) by Root => {
        subtensor::MinDelegateTake::<T>::put(take);
        Self::tell(Told::MinDelegateTakeSet(take));
    }

    /// Switches a subnet between setting weights openly and committing them first.
    49: sudo_set_commit_reveal_weights_enabled(netuid: u16, enabled: bool)
        by Owner(netuid, Rule(H::CommitRevealEnabled)) => {
        subtensor::CommitRevealWeightsEnabled::<T>::insert(netuid, enabled);
        Self::tell(Told::CommitRevealEnabled(netuid, enabled));
    }

    /// Switches liquid alpha: bonds that move faster where a validator disagrees.
    50: sudo_set_liquid_alpha_enabled(netuid: u16, enabled: bool) by Owner(netuid, Rule(H::LiquidAlphaEnabled)) => {
        subtensor::LiquidAlphaOn::<T>::insert(netuid, enabled);
    }

    /// Sets liquid alpha's bounds, over 65535.
    51: sudo_set_alpha_values(netuid: u16, alpha_low: u16, alpha_high: u16) by Owner(netuid, Rule(H::AlphaValues)) => {
        subtensor::Pallet::<T>::set_alpha_values(netuid, alpha_low, alpha_high)?;
    }

    /// Sets a former delay of dissolutions; only displayed.
    55: sudo_set_dissolve_network_schedule_duration(duration: u32) by Root => {
        subtensor::DissolveNetworkScheduleDuration::<T>::put(duration);
        Self::tell(Told::DissolveNetworkScheduleDurationSet(duration));
    }

    /// Sets the epochs between commit and reveal.
    57: sudo_set_commit_reveal_weights_interval(netuid: u16, interval: u64)
        by Owner(netuid, Rule(H::WeightCommitInterval)) => {
        subtensor::Pallet::<T>::set_reveal_period(netuid, interval)?;
    }

    /// Not carried out here.
    58: sudo_set_evm_chain_id(chain_id: u64) by Nobody => {
        let _ = (chain_id,);
    }

    /// Sets how far bonds are clipped by consensus, over 65535.
    60: sudo_set_bonds_penalty(netuid: u16, bonds_penalty: u16) by Owner(netuid, Rule(H::BondsPenalty)) => {
        subtensor::BondsPenalty::<T>::insert(netuid, bonds_penalty);
        Self::tell(Told::BondsPenaltySet(netuid, bonds_penalty));
    }

    /// Opens or closes the transfer of stake between coldkeys.
    61: sudo_set_toggle_transfer(netuid: u16, toggle: bool) by Owner(netuid, Rule(H::TransferEnabled)) => {
        subtensor::TransferToggle::<T>::insert(netuid, toggle);
        Self::tell(Told::TransferToggle(netuid, toggle));
    }

    /// Sets how fast the moving prices follow, with 32 fractional bits.
    63: sudo_set_subnet_moving_alpha(alpha: FixedI128) by Root => {
        subtensor::SubnetMovingAlpha::<T>::put(alpha);
    }

    /// Names the hotkey the owner is paid on; the older form.
    64: sudo_set_subnet_owner_hotkey(netuid: u16, hotkey: AccountId32) by Owner(netuid, OwnerHotkey) => {
        subtensor::Pallet::<T>::set_owner_hotkey(netuid, hotkey)?;
    }

    /// Sets in how many blocks a new subnet's moving price gets half its speed.
    65: sudo_set_ema_price_halving_period(netuid: u16, ema_halving: u64) by Subnet(netuid) => {
        subtensor::EMAPriceHalvingBlocks::<T>::insert(netuid, ema_halving);
    }

    /// Opens or closes the trade of a subnet's token.
    66: sudo_set_subtoken_enabled(netuid: u16, subtoken_enabled: bool) by Subnet(netuid) => {
        subtensor::SubtokenEnabled::<T>::insert(netuid, subtoken_enabled);
    }

    /// Names the hotkey the owner is paid on.
    67: sudo_set_sn_owner_hotkey(netuid: u16, hotkey: AccountId32) by Owner(netuid, OwnerHotkey) => {
        subtensor::Pallet::<T>::set_owner_hotkey(netuid, hotkey)?;
    }

    /// Sets how steep liquid alpha's sigmoid is.
    68: sudo_set_alpha_sigmoid_steepness(netuid: u16, steepness: i16)
        by Owner(netuid, Rule(H::AlphaSigmoidSteepness)), as by_owner => {
        ensure!(steepness >= 0 || !by_owner, Error::<T>::NegativeSigmoidSteepness);
        subtensor::AlphaSigmoidSteepness::<T>::insert(netuid, steepness);
        Self::tell(Told::AlphaSigmoidSteepnessSet(netuid, steepness));
    }

    /// Switches a subnet between the second and the third version of the bonds' rules.
    69: sudo_set_yuma3_enabled(netuid: u16, enabled: bool) by Owner(netuid, Rule(H::Yuma3Enabled)) => {
        subtensor::Yuma3On::<T>::insert(netuid, enabled);
        Self::deposit_event(Event::Yuma3EnableToggled { netuid, enabled });
    }

    /// Switches whether a commitment can reset a validator's bonds.
    70: sudo_set_bonds_reset_enabled(netuid: u16, enabled: bool) by Owner(netuid, Rule(H::BondsResetEnabled)) => {
        subtensor::BondsResetOn::<T>::insert(netuid, enabled);
        Self::tell(Told::BondsResetOnSet(netuid, enabled));
        Self::deposit_event(Event::BondsResetToggled { netuid, enabled });
    }

    /// Sets the version of time-locked commits that is taken.
    71: sudo_set_commit_reveal_version(version: u16) by Root => {
        subtensor::CommitRevealWeightsVersion::<T>::put(version);
        Self::tell(Told::CommitRevealVersionSet(version));
    }

    /// Sets how many of the owner's hotkeys are never replaced.
    72: sudo_set_owner_immune_neuron_limit(netuid: u16, immune_neurons: u16)
        by Owner(netuid, Rule(H::ImmuneNeuronLimit)) => {
        Self::check_kept_owner_uids(immune_neurons)?;
        subtensor::ImmuneOwnerUidsLimit::<T>::insert(netuid, immune_neurons);
    }

    /// Not carried out here.
    73: sudo_set_ck_burn(burn: u64) by Nobody => {
        let _ = (burn,);
    }

    /// Sets the blocks before an epoch in which owners may not change rules.
    74: sudo_set_admin_freeze_window(window: u16) by Root => {
        subtensor::AdminFreezeWindow::<T>::put(window);
        Self::tell(Told::AdminFreezeWindowSet(window));
    }

    /// Sets the tempos between two changes of a rule by the owner.
    75: sudo_set_owner_hparam_rate_limit(epochs: u16) by Root => {
        subtensor::OwnerHyperparamRateLimit::<T>::put(epochs);
        Self::tell(Told::OwnerHyperparamRateLimitSet(epochs));
    }

    /// Sets how many incentive mechanisms a subnet runs.
    76: sudo_set_mechanism_count(netuid: u16, mechanism_count: u8) by Owner(netuid, MechanismCount) => {
        subtensor::Pallet::<T>::set_mechanism_count(netuid, mechanism_count)?;
    }

    /// Sets how the mechanisms share the emission, over 65535; none is equally.
    77: sudo_set_mechanism_emission_split(netuid: u16, maybe_split: Option<Vec<u16>>)
        by Owner(netuid, MechanismEmission) => {
        subtensor::Pallet::<T>::set_mechanism_emission_split(netuid, maybe_split)?;
    }

    /// Takes the neurons that earned least away until so many are left, which is then the most allowed.
    78: sudo_trim_to_max_allowed_uids(netuid: u16, max_n: u16) by Owner(netuid, Trim) => {
        subtensor::Pallet::<T>::trim(netuid, max_n)?;
    }

    /// Sets the least that the most neurons can be set to.
    79: sudo_set_min_allowed_uids(netuid: u16, min_allowed_uids: u16) by Subnet(netuid) => {
        Self::check_min_allowed_uids(netuid, min_allowed_uids)?;
        subtensor::MinAllowedUids::<T>::insert(netuid, min_allowed_uids);
        Self::tell(Told::MinAllowedUidsSet(netuid, min_allowed_uids));
    }

    /// Sets what becomes of the token nobody earned.
    80: sudo_set_recycle_or_burn(netuid: u16, recycle_or_burn: RecycleOrBurnEnum)
        by Owner(netuid, Rule(H::RecycleOrBurn)) => {
        subtensor::RecycleOrBurn::<T>::insert(netuid, recycle_or_burn);
    }

    /// Not carried out here.
    81: sudo_set_tao_flow_cutoff(flow_cutoff: FixedI128) by Nobody => {
        let _ = (flow_cutoff,);
    }

    /// Not carried out here.
    82: sudo_set_tao_flow_normalization_exponent(exponent: FixedU128) by Nobody => {
        let _ = (exponent,);
    }

    /// Not carried out here.
    83: sudo_set_tao_flow_smoothing_factor(smoothing_factor: u64) by Nobody => {
        let _ = (smoothing_factor,);
    }

    /// Sets below how many neurons past their immunity the immune are replaced.
    84: sudo_set_min_non_immune_uids(netuid: u16, min: u16) by Subnet(netuid) => {
        subtensor::MinNonImmuneUids::<T>::insert(netuid, min);
        Self::tell(Told::MinNonImmuneUidsSet(netuid, min));
    }

    /// Sets the blocks a subnet must exist before it can be started.
    85: sudo_set_start_call_delay(delay: u64) by Root => {
        subtensor::StartCallDelay::<T>::put(delay);
        Self::tell(Told::StartCallDelaySet(delay));
    }

    /// Not carried out here.
    86: sudo_set_coldkey_swap_announcement_delay(duration: u32) by Nobody => {
        let _ = (duration,);
    }

    /// Not carried out here.
    87: sudo_set_coldkey_swap_reannouncement_delay(duration: u32) by Nobody => {
        let _ = (duration,);
    }

    /// Sets the most mechanisms any subnet runs.
    88: sudo_set_max_mechanism_count(max_mechanism_count: u8) by Root => {
        subtensor::Pallet::<T>::set_max_mechanism_count(max_mechanism_count)?;
    }

    /// Sets the blocks in which the price of a registration halves; with 0 it does not fall.
    89: sudo_set_burn_half_life(netuid: u16, burn_half_life: u16) by Owner(netuid, Rule(H::BurnHalfLife)) => {
        Self::ensure_no_root(netuid)?;
        subtensor::BurnHalfLife::<T>::insert(netuid, burn_half_life);
        Self::deposit_event(Event::BurnHalfLifeSet { netuid, burn_half_life });
    }

    /// Sets what a registration multiplies the price by: at least 1.
    90: sudo_set_burn_increase_mult(netuid: u16, burn_increase_mult: FixedU128)
        by Owner(netuid, Rule(H::BurnIncreaseMult)) => {
        Self::ensure_no_root(netuid)?;
        Self::check_burn_increase(burn_increase_mult.bits)?;
        subtensor::BurnIncreaseMult::<T>::insert(netuid, burn_increase_mult);
        Self::deposit_event(Event::BurnIncreaseMultSet { netuid, burn_increase_mult });
    }

    /// Not carried out here.
    91: sudo_set_net_tao_flow_enabled(enabled: bool) by Nobody => {
        let _ = (enabled,);
    }

    /// Switches the owner's part of a subnet's emission.
    92: sudo_set_owner_cut_enabled(netuid: u16, enabled: bool) by Subnet(netuid) => {
        subtensor::OwnerCutEnabled::<T>::insert(netuid, enabled);
    }

    /// Not carried out here.
    93: sudo_set_min_childkey_take_per_subnet(netuid: u16, take: u16) by Nobody => {
        let _ = (netuid, take);
    }

    /// Switches a subnet's emission.
    94: sudo_set_subnet_emission_enabled(netuid: u16, enabled: bool) by Subnet(netuid) => {
        Self::ensure_no_root(netuid)?;
        subtensor::SubnetEmissionEnabled::<T>::insert(netuid, enabled);
        Self::deposit_event(Event::SubnetEmissionEnabledSet { netuid, enabled });
    }

    /// Not carried out here.
    95: sudo_set_owner_cut_auto_lock_enabled(netuid: u16, enabled: bool) by Nobody => {
        let _ = (netuid, enabled);
    }

    /// Sets the most epochs that run in one block.
    96: sudo_set_max_epochs_per_block(max_epochs_per_block: u8) by Root => {
        ensure!(max_epochs_per_block != 0, Error::<T>::InvalidValue);
        subtensor::MaxEpochsPerBlock::<T>::put(max_epochs_per_block);
        Self::tell(Told::MaxEpochsPerBlockSet(max_epochs_per_block));
    }
}

//! The rules of subnets and of the network, set by root.
//!
//! On the public chain a subnet's owner may set some of these too, within limits of rate and time; here only root
//! may. Root is not held to the public bounds of the tempo, because a development network wants short epochs.

pub use pallet::*;

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    use crate::subtensor::{self, FixedI128, FixedU128, ROOT, RecycleOrBurnEnum};
    use frame_support::pallet_prelude::*;
    use frame_system::pallet_prelude::*;
    use sp_runtime::AccountId32;

    const CALL: Weight = Weight::from_parts(10_000_000, 0);
    /// The most neurons any subnet can have.
    const MAX_UIDS: u16 = 256;
    /// The least registration price cannot be set to this or more, in rao.
    const MIN_BURN_BOUND: u64 = 1_000_000_000;
    /// The highest registration price cannot be set to this or less, in rao.
    const MAX_BURN_BOUND: u64 = 100_000_000;
    /// All of the old bonds, in millionths.
    const WHOLE: u64 = 1_000_000;

    /// What the pallet needs of the runtime.
    #[pallet::config]
    pub trait Config:
        subtensor::Config + frame_system::Config<RuntimeEvent: From<Event<Self>>>
    {
    }

    /// The pallet's type.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// What the pallet tells the world; other settings are events of the subtensor pallet.
    #[pallet::event]
    #[pallet::generate_deposit(fn deposit_event)]
    pub enum Event<T: Config> {
        /// The version of the bonds' rules changed.
        #[codec(index = 1)]
        Yuma3EnableToggled {
            /// The subnet.
            netuid: u16,
            /// Whether the third version is in use.
            enabled: bool,
        },
        /// A subnet's emission was switched.
        #[codec(index = 5)]
        SubnetEmissionEnabledSet {
            /// The subnet.
            netuid: u16,
            /// Whether it receives emission.
            enabled: bool,
        },
    }

    /// What can go wrong, in the public chain's order.
    #[pallet::error]
    #[allow(missing_docs)] // names of the public list that this runtime never raises
    pub enum Error<T> {
        /// There is no such subnet.
        SubnetDoesNotExist,
        /// More validators than neurons.
        MaxValidatorsLargerThanMaxUIds,
        /// The subnet has more neurons already.
        MaxAllowedUIdsLessThanCurrentUIds,
        /// More than all of the old bonds.
        BondsMovingAverageMaxReached,
        NegativeSigmoidSteepness,
        /// The value is outside its bounds.
        ValueNotInBounds,
        MinAllowedUidsGreaterThanCurrentUids,
        MinAllowedUidsGreaterThanMaxAllowedUids,
        /// Fewer neurons than a subnet must allow.
        MaxAllowedUidsLessThanMinAllowedUids,
        /// More neurons than a subnet can allow.
        MaxAllowedUidsGreaterThanDefaultMaxAllowedUids,
        InvalidValue,
        /// The root network has no such setting.
        NotPermittedOnRootSubnet,
        POWRegistrationDisabled,
        Deprecated,
    }

    impl<T: Config> Pallet<T> {
        fn ensure_root_sets(origin: OriginFor<T>, netuid: u16) -> DispatchResult {
            ensure_root(origin)?;
            ensure!(
                subtensor::NetworksAdded::<T>::get(netuid),
                Error::<T>::SubnetDoesNotExist
            );
            Ok(())
        }

        fn tell(event: subtensor::Event<T>) {
            subtensor::Pallet::<T>::deposit_event(event);
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Sets the blocks between two announcements of a neuron's address.
        #[pallet::call_index(3)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_serving_rate_limit(
            origin: OriginFor<T>,
            netuid: u16,
            serving_rate_limit: u64,
        ) -> DispatchResult {
            Self::ensure_root_sets(origin, netuid)?;
            subtensor::ServingRateLimit::<T>::insert(netuid, serving_rate_limit);
            Self::tell(subtensor::Event::ServingRateLimitSet(
                netuid,
                serving_rate_limit,
            ));
            Ok(())
        }

        /// Sets the least version key of weights; 0 takes any.
        #[pallet::call_index(6)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_weights_version_key(
            origin: OriginFor<T>,
            netuid: u16,
            weights_version_key: u64,
        ) -> DispatchResult {
            Self::ensure_root_sets(origin, netuid)?;
            subtensor::WeightsVersionKey::<T>::insert(netuid, weights_version_key);
            Self::tell(subtensor::Event::WeightsVersionKeySet(
                netuid,
                weights_version_key,
            ));
            Ok(())
        }

        /// Sets the blocks between two settings of weights.
        #[pallet::call_index(7)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_weights_set_rate_limit(
            origin: OriginFor<T>,
            netuid: u16,
            weights_set_rate_limit: u64,
        ) -> DispatchResult {
            Self::ensure_root_sets(origin, netuid)?;
            subtensor::WeightsSetRateLimit::<T>::insert(netuid, weights_set_rate_limit);
            Self::tell(subtensor::Event::WeightsSetRateLimitSet(
                netuid,
                weights_set_rate_limit,
            ));
            Ok(())
        }

        /// Sets the blocks for which a newcomer is not replaced.
        #[pallet::call_index(13)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_immunity_period(
            origin: OriginFor<T>,
            netuid: u16,
            immunity_period: u16,
        ) -> DispatchResult {
            Self::ensure_root_sets(origin, netuid)?;
            subtensor::ImmunityPeriod::<T>::insert(netuid, immunity_period);
            Self::tell(subtensor::Event::ImmunityPeriodSet(netuid, immunity_period));
            Ok(())
        }

        /// Sets the least number of weights a validator sets.
        #[pallet::call_index(14)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_min_allowed_weights(
            origin: OriginFor<T>,
            netuid: u16,
            min_allowed_weights: u16,
        ) -> DispatchResult {
            Self::ensure_root_sets(origin, netuid)?;
            subtensor::MinAllowedWeights::<T>::insert(netuid, min_allowed_weights);
            Self::tell(subtensor::Event::MinAllowedWeightSet(
                netuid,
                min_allowed_weights,
            ));
            Ok(())
        }

        /// Sets the most neurons a subnet has.
        #[pallet::call_index(15)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_max_allowed_uids(
            origin: OriginFor<T>,
            netuid: u16,
            max_allowed_uids: u16,
        ) -> DispatchResult {
            Self::ensure_root_sets(origin, netuid)?;
            ensure!(
                max_allowed_uids >= subtensor::MinAllowedUids::<T>::get(netuid),
                Error::<T>::MaxAllowedUidsLessThanMinAllowedUids
            );
            ensure!(
                max_allowed_uids >= subtensor::SubnetworkN::<T>::get(netuid),
                Error::<T>::MaxAllowedUIdsLessThanCurrentUIds
            );
            ensure!(
                max_allowed_uids <= MAX_UIDS,
                Error::<T>::MaxAllowedUidsGreaterThanDefaultMaxAllowedUids
            );
            subtensor::MaxAllowedUids::<T>::insert(netuid, max_allowed_uids);
            Self::tell(subtensor::Event::MaxAllowedUidsSet(
                netuid,
                max_allowed_uids,
            ));
            Ok(())
        }

        /// Sets the majority consensus needs, over 65535.
        #[pallet::call_index(16)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_kappa(origin: OriginFor<T>, netuid: u16, kappa: u16) -> DispatchResult {
            Self::ensure_root_sets(origin, netuid)?;
            subtensor::Kappa::<T>::insert(netuid, kappa);
            Self::tell(subtensor::Event::KappaSet(netuid, kappa));
            Ok(())
        }

        /// Sets a parameter of an older consensus; only displayed.
        #[pallet::call_index(17)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_rho(origin: OriginFor<T>, netuid: u16, rho: u16) -> DispatchResult {
            Self::ensure_root_sets(origin, netuid)?;
            subtensor::Rho::<T>::insert(netuid, rho);
            Self::tell(subtensor::Event::RhoSet(netuid, rho));
            Ok(())
        }

        /// Opens or closes a subnet's registration; a closed subnet receives no emission.
        #[pallet::call_index(19)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_network_registration_allowed(
            origin: OriginFor<T>,
            netuid: u16,
            registration_allowed: bool,
        ) -> DispatchResult {
            Self::ensure_root_sets(origin, netuid)?;
            subtensor::NetworkRegistrationAllowed::<T>::insert(netuid, registration_allowed);
            Self::tell(subtensor::Event::RegistrationAllowed(
                netuid,
                registration_allowed,
            ));
            Ok(())
        }

        /// Sets the least price of a registration, in rao.
        #[pallet::call_index(22)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_min_burn(
            origin: OriginFor<T>,
            netuid: u16,
            min_burn: u64,
        ) -> DispatchResult {
            Self::ensure_root_sets(origin, netuid)?;
            let bound = MIN_BURN_BOUND.min(subtensor::MaxBurn::<T>::get(netuid));
            ensure!(min_burn < bound, Error::<T>::ValueNotInBounds);
            subtensor::MinBurn::<T>::insert(netuid, min_burn);
            Self::tell(subtensor::Event::MinBurnSet(netuid, min_burn));
            Ok(())
        }

        /// Sets the highest price of a registration, in rao.
        #[pallet::call_index(23)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_max_burn(
            origin: OriginFor<T>,
            netuid: u16,
            max_burn: u64,
        ) -> DispatchResult {
            Self::ensure_root_sets(origin, netuid)?;
            let bound = MAX_BURN_BOUND.max(subtensor::MinBurn::<T>::get(netuid));
            ensure!(max_burn > bound, Error::<T>::ValueNotInBounds);
            subtensor::MaxBurn::<T>::insert(netuid, max_burn);
            Self::tell(subtensor::Event::MaxBurnSet(netuid, max_burn));
            Ok(())
        }

        /// Sets the most validators that get a permit.
        #[pallet::call_index(25)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_max_allowed_validators(
            origin: OriginFor<T>,
            netuid: u16,
            max_allowed_validators: u16,
        ) -> DispatchResult {
            Self::ensure_root_sets(origin, netuid)?;
            ensure!(
                max_allowed_validators <= subtensor::MaxAllowedUids::<T>::get(netuid),
                Error::<T>::MaxValidatorsLargerThanMaxUIds
            );
            subtensor::MaxAllowedValidators::<T>::insert(netuid, max_allowed_validators);
            Self::tell(subtensor::Event::MaxAllowedValidatorsSet(
                netuid,
                max_allowed_validators,
            ));
            Ok(())
        }

        /// Sets how much of the old bonds an epoch keeps, in millionths.
        #[pallet::call_index(26)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_bonds_moving_average(
            origin: OriginFor<T>,
            netuid: u16,
            bonds_moving_average: u64,
        ) -> DispatchResult {
            Self::ensure_root_sets(origin, netuid)?;
            ensure!(
                bonds_moving_average <= WHOLE,
                Error::<T>::BondsMovingAverageMaxReached
            );
            subtensor::BondsMovingAverage::<T>::insert(netuid, bonds_moving_average);
            Self::tell(subtensor::Event::BondsMovingAverageSet(
                netuid,
                bonds_moving_average,
            ));
            Ok(())
        }

        /// Sets the blocks between foundings of subnets.
        #[pallet::call_index(29)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_network_rate_limit(
            origin: OriginFor<T>,
            rate_limit: u64,
        ) -> DispatchResult {
            ensure_root(origin)?;
            subtensor::NetworkRateLimit::<T>::put(rate_limit);
            Self::tell(subtensor::Event::NetworkRateLimitSet(rate_limit));
            Ok(())
        }

        /// Sets the blocks between epochs; with 0 none runs.
        #[pallet::call_index(30)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_tempo(origin: OriginFor<T>, netuid: u16, tempo: u16) -> DispatchResult {
            Self::ensure_root_sets(origin, netuid)?;
            subtensor::Tempo::<T>::insert(netuid, tempo);
            Self::tell(subtensor::Event::TempoSet(netuid, tempo));
            Ok(())
        }

        /// Sets the stake weight a validator needs.
        #[pallet::call_index(42)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_stake_threshold(origin: OriginFor<T>, min_stake: u64) -> DispatchResult {
            ensure_root(origin)?;
            subtensor::StakeThreshold::<T>::put(min_stake);
            Self::tell(subtensor::Event::StakeThresholdSet(min_stake));
            Ok(())
        }

        /// Switches a subnet between setting weights openly and committing them first.
        #[pallet::call_index(49)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_commit_reveal_weights_enabled(
            origin: OriginFor<T>,
            netuid: u16,
            enabled: bool,
        ) -> DispatchResult {
            Self::ensure_root_sets(origin, netuid)?;
            subtensor::CommitRevealWeightsEnabled::<T>::insert(netuid, enabled);
            Self::tell(subtensor::Event::CommitRevealEnabled(netuid, enabled));
            Ok(())
        }

        /// Opens or closes the trade of a subnet's token.
        #[pallet::call_index(66)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_subtoken_enabled(
            origin: OriginFor<T>,
            netuid: u16,
            subtoken_enabled: bool,
        ) -> DispatchResult {
            Self::ensure_root_sets(origin, netuid)?;
            subtensor::SubtokenEnabled::<T>::insert(netuid, subtoken_enabled);
            Ok(())
        }

        /// Switches a subnet between the second and the third version of the bonds' rules.
        #[pallet::call_index(69)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_yuma3_enabled(
            origin: OriginFor<T>,
            netuid: u16,
            enabled: bool,
        ) -> DispatchResult {
            Self::ensure_root_sets(origin, netuid)?;
            subtensor::Yuma3On::<T>::insert(netuid, enabled);
            Self::deposit_event(Event::Yuma3EnableToggled { netuid, enabled });
            Ok(())
        }

        /// Switches a subnet's emission.
        #[pallet::call_index(94)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_subnet_emission_enabled(
            origin: OriginFor<T>,
            netuid: u16,
            enabled: bool,
        ) -> DispatchResult {
            Self::ensure_root_sets(origin, netuid)?;
            ensure!(netuid != ROOT, Error::<T>::NotPermittedOnRootSubnet);
            subtensor::SubnetEmissionEnabled::<T>::insert(netuid, enabled);
            Self::deposit_event(Event::SubnetEmissionEnabledSet { netuid, enabled });
            Ok(())
        }

        /// Not carried out here.
        #[pallet::call_index(1)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_default_take(origin: OriginFor<T>, default_take: u16) -> DispatchResult {
            let _ = (origin, default_take);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(2)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_tx_rate_limit(origin: OriginFor<T>, tx_rate_limit: u64) -> DispatchResult {
            let _ = (origin, tx_rate_limit);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(4)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_min_difficulty(
            origin: OriginFor<T>,
            netuid: u16,
            min_difficulty: u64,
        ) -> DispatchResult {
            let _ = (origin, netuid, min_difficulty);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(5)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_max_difficulty(
            origin: OriginFor<T>,
            netuid: u16,
            max_difficulty: u64,
        ) -> DispatchResult {
            let _ = (origin, netuid, max_difficulty);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(8)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_adjustment_interval(
            origin: OriginFor<T>,
            netuid: u16,
            adjustment_interval: u16,
        ) -> DispatchResult {
            let _ = (origin, netuid, adjustment_interval);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(9)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_adjustment_alpha(
            origin: OriginFor<T>,
            netuid: u16,
            adjustment_alpha: u64,
        ) -> DispatchResult {
            let _ = (origin, netuid, adjustment_alpha);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(18)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_activity_cutoff(
            origin: OriginFor<T>,
            netuid: u16,
            activity_cutoff: u16,
        ) -> DispatchResult {
            let _ = (origin, netuid, activity_cutoff);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(20)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_network_pow_registration_allowed(
            origin: OriginFor<T>,
            netuid: u16,
            registration_allowed: bool,
        ) -> DispatchResult {
            let _ = (origin, netuid, registration_allowed);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(21)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_target_registrations_per_interval(
            origin: OriginFor<T>,
            netuid: u16,
            target_registrations_per_interval: u16,
        ) -> DispatchResult {
            let _ = (origin, netuid, target_registrations_per_interval);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(24)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_difficulty(
            origin: OriginFor<T>,
            netuid: u16,
            difficulty: u64,
        ) -> DispatchResult {
            let _ = (origin, netuid, difficulty);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(27)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_max_registrations_per_block(
            origin: OriginFor<T>,
            netuid: u16,
            max_registrations_per_block: u16,
        ) -> DispatchResult {
            let _ = (origin, netuid, max_registrations_per_block);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(28)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_subnet_owner_cut(
            origin: OriginFor<T>,
            subnet_owner_cut: u16,
        ) -> DispatchResult {
            let _ = (origin, subnet_owner_cut);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(33)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_total_issuance(
            origin: OriginFor<T>,
            total_issuance: u64,
        ) -> DispatchResult {
            let _ = (origin, total_issuance);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(35)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_network_immunity_period(
            origin: OriginFor<T>,
            immunity_period: u64,
        ) -> DispatchResult {
            let _ = (origin, immunity_period);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(36)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_network_min_lock_cost(
            origin: OriginFor<T>,
            lock_cost: u64,
        ) -> DispatchResult {
            let _ = (origin, lock_cost);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(37)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_subnet_limit(origin: OriginFor<T>, max_subnets: u16) -> DispatchResult {
            let _ = (origin, max_subnets);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(38)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_lock_reduction_interval(
            origin: OriginFor<T>,
            interval: u64,
        ) -> DispatchResult {
            let _ = (origin, interval);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(39)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_rao_recycled(
            origin: OriginFor<T>,
            netuid: u16,
            rao_recycled: u64,
        ) -> DispatchResult {
            let _ = (origin, netuid, rao_recycled);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(43)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_nominator_min_required_stake(
            origin: OriginFor<T>,
            min_stake: u64,
        ) -> DispatchResult {
            let _ = (origin, min_stake);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(45)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_tx_delegate_take_rate_limit(
            origin: OriginFor<T>,
            tx_rate_limit: u64,
        ) -> DispatchResult {
            let _ = (origin, tx_rate_limit);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(46)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_min_delegate_take(origin: OriginFor<T>, take: u16) -> DispatchResult {
            let _ = (origin, take);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(50)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_liquid_alpha_enabled(
            origin: OriginFor<T>,
            netuid: u16,
            enabled: bool,
        ) -> DispatchResult {
            let _ = (origin, netuid, enabled);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(51)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_alpha_values(
            origin: OriginFor<T>,
            netuid: u16,
            alpha_low: u16,
            alpha_high: u16,
        ) -> DispatchResult {
            let _ = (origin, netuid, alpha_low, alpha_high);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(55)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_dissolve_network_schedule_duration(
            origin: OriginFor<T>,
            duration: u32,
        ) -> DispatchResult {
            let _ = (origin, duration);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(57)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_commit_reveal_weights_interval(
            origin: OriginFor<T>,
            netuid: u16,
            interval: u64,
        ) -> DispatchResult {
            let _ = (origin, netuid, interval);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(58)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_evm_chain_id(origin: OriginFor<T>, chain_id: u64) -> DispatchResult {
            let _ = (origin, chain_id);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(60)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_bonds_penalty(
            origin: OriginFor<T>,
            netuid: u16,
            bonds_penalty: u16,
        ) -> DispatchResult {
            let _ = (origin, netuid, bonds_penalty);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(61)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_toggle_transfer(
            origin: OriginFor<T>,
            netuid: u16,
            toggle: bool,
        ) -> DispatchResult {
            let _ = (origin, netuid, toggle);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(63)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_subnet_moving_alpha(
            origin: OriginFor<T>,
            alpha: FixedI128,
        ) -> DispatchResult {
            let _ = (origin, alpha);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(64)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_subnet_owner_hotkey(
            origin: OriginFor<T>,
            netuid: u16,
            hotkey: AccountId32,
        ) -> DispatchResult {
            let _ = (origin, netuid, hotkey);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(65)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_ema_price_halving_period(
            origin: OriginFor<T>,
            netuid: u16,
            ema_halving: u64,
        ) -> DispatchResult {
            let _ = (origin, netuid, ema_halving);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(67)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_sn_owner_hotkey(
            origin: OriginFor<T>,
            netuid: u16,
            hotkey: AccountId32,
        ) -> DispatchResult {
            let _ = (origin, netuid, hotkey);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(68)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_alpha_sigmoid_steepness(
            origin: OriginFor<T>,
            netuid: u16,
            steepness: i16,
        ) -> DispatchResult {
            let _ = (origin, netuid, steepness);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(70)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_bonds_reset_enabled(
            origin: OriginFor<T>,
            netuid: u16,
            enabled: bool,
        ) -> DispatchResult {
            let _ = (origin, netuid, enabled);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(71)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_commit_reveal_version(
            origin: OriginFor<T>,
            version: u16,
        ) -> DispatchResult {
            let _ = (origin, version);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(72)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_owner_immune_neuron_limit(
            origin: OriginFor<T>,
            netuid: u16,
            immune_neurons: u16,
        ) -> DispatchResult {
            let _ = (origin, netuid, immune_neurons);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(73)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_ck_burn(origin: OriginFor<T>, burn: u64) -> DispatchResult {
            let _ = (origin, burn);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(74)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_admin_freeze_window(origin: OriginFor<T>, window: u16) -> DispatchResult {
            let _ = (origin, window);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(75)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_owner_hparam_rate_limit(
            origin: OriginFor<T>,
            epochs: u16,
        ) -> DispatchResult {
            let _ = (origin, epochs);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(76)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_mechanism_count(
            origin: OriginFor<T>,
            netuid: u16,
            mechanism_count: u8,
        ) -> DispatchResult {
            let _ = (origin, netuid, mechanism_count);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(77)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_mechanism_emission_split(
            origin: OriginFor<T>,
            netuid: u16,
            maybe_split: Option<Vec<u16>>,
        ) -> DispatchResult {
            let _ = (origin, netuid, maybe_split);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(78)]
        #[pallet::weight(CALL)]
        pub fn sudo_trim_to_max_allowed_uids(
            origin: OriginFor<T>,
            netuid: u16,
            max_n: u16,
        ) -> DispatchResult {
            let _ = (origin, netuid, max_n);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(79)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_min_allowed_uids(
            origin: OriginFor<T>,
            netuid: u16,
            min_allowed_uids: u16,
        ) -> DispatchResult {
            let _ = (origin, netuid, min_allowed_uids);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(80)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_recycle_or_burn(
            origin: OriginFor<T>,
            netuid: u16,
            recycle_or_burn: RecycleOrBurnEnum,
        ) -> DispatchResult {
            let _ = (origin, netuid, recycle_or_burn);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(81)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_tao_flow_cutoff(
            origin: OriginFor<T>,
            flow_cutoff: FixedI128,
        ) -> DispatchResult {
            let _ = (origin, flow_cutoff);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(82)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_tao_flow_normalization_exponent(
            origin: OriginFor<T>,
            exponent: FixedU128,
        ) -> DispatchResult {
            let _ = (origin, exponent);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(83)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_tao_flow_smoothing_factor(
            origin: OriginFor<T>,
            smoothing_factor: u64,
        ) -> DispatchResult {
            let _ = (origin, smoothing_factor);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(84)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_min_non_immune_uids(
            origin: OriginFor<T>,
            netuid: u16,
            min: u16,
        ) -> DispatchResult {
            let _ = (origin, netuid, min);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(85)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_start_call_delay(origin: OriginFor<T>, delay: u64) -> DispatchResult {
            let _ = (origin, delay);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(86)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_coldkey_swap_announcement_delay(
            origin: OriginFor<T>,
            duration: u32,
        ) -> DispatchResult {
            let _ = (origin, duration);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(87)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_coldkey_swap_reannouncement_delay(
            origin: OriginFor<T>,
            duration: u32,
        ) -> DispatchResult {
            let _ = (origin, duration);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(88)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_max_mechanism_count(
            origin: OriginFor<T>,
            max_mechanism_count: u8,
        ) -> DispatchResult {
            let _ = (origin, max_mechanism_count);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(89)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_burn_half_life(
            origin: OriginFor<T>,
            netuid: u16,
            burn_half_life: u16,
        ) -> DispatchResult {
            let _ = (origin, netuid, burn_half_life);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(90)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_burn_increase_mult(
            origin: OriginFor<T>,
            netuid: u16,
            burn_increase_mult: FixedU128,
        ) -> DispatchResult {
            let _ = (origin, netuid, burn_increase_mult);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(91)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_net_tao_flow_enabled(
            origin: OriginFor<T>,
            enabled: bool,
        ) -> DispatchResult {
            let _ = (origin, enabled);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(92)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_owner_cut_enabled(
            origin: OriginFor<T>,
            netuid: u16,
            enabled: bool,
        ) -> DispatchResult {
            let _ = (origin, netuid, enabled);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(93)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_min_childkey_take_per_subnet(
            origin: OriginFor<T>,
            netuid: u16,
            take: u16,
        ) -> DispatchResult {
            let _ = (origin, netuid, take);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(95)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_owner_cut_auto_lock_enabled(
            origin: OriginFor<T>,
            netuid: u16,
            enabled: bool,
        ) -> DispatchResult {
            let _ = (origin, netuid, enabled);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(96)]
        #[pallet::weight(CALL)]
        pub fn sudo_set_max_epochs_per_block(
            origin: OriginFor<T>,
            max_epochs_per_block: u8,
        ) -> DispatchResult {
            let _ = (origin, max_epochs_per_block);
            Err(T::NotHere::get())
        }
    }
}

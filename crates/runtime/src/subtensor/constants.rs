//! Constants the public chain shows in its metadata. Generated; see `docs/reference/chain.md`.

use frame_support::pallet_macros::pallet_section;

/// The public chain's constants. The rules read storage and constants of their own; these are there for clients.
#[pallet_section]
mod constants {
    #[pallet::extra_constants]
    impl<T: Config> Pallet<T> {
        /// Shown to clients.
        #[pallet::constant_name(InitialIssuance)]
        fn constant_initial_issuance() -> u64 {
            0
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialMinAllowedWeights)]
        fn constant_initial_min_allowed_weights() -> u16 {
            1024
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialEmissionValue)]
        fn constant_initial_emission_value() -> u16 {
            0
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialTempo)]
        fn constant_initial_tempo() -> u16 {
            360
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialDifficulty)]
        fn constant_initial_difficulty() -> u64 {
            10_000_000
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialMaxDifficulty)]
        fn constant_initial_max_difficulty() -> u64 {
            4_611_686_018_427_387_903
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialMinDifficulty)]
        fn constant_initial_min_difficulty() -> u64 {
            10_000_000
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialRAORecycledForRegistration)]
        fn constant_initial_rao_recycled_for_registration() -> u64 {
            0
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialBurn)]
        fn constant_initial_burn() -> u64 {
            100_000_000
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialMaxBurn)]
        fn constant_initial_max_burn() -> u64 {
            100_000_000_000
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialMinBurn)]
        fn constant_initial_min_burn() -> u64 {
            500_000
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialMinStake)]
        fn constant_initial_min_stake() -> u64 {
            2_000_000
        }

        /// Shown to clients.
        #[pallet::constant_name(MinBurnUpperBound)]
        fn constant_min_burn_upper_bound() -> u64 {
            1_000_000_000
        }

        /// Shown to clients.
        #[pallet::constant_name(MaxBurnLowerBound)]
        fn constant_max_burn_lower_bound() -> u64 {
            100_000_000
        }

        /// Shown to clients.
        #[pallet::constant_name(MinTempo)]
        fn constant_min_tempo() -> u16 {
            360
        }

        /// Shown to clients.
        #[pallet::constant_name(MaxTempo)]
        fn constant_max_tempo() -> u16 {
            50_400
        }

        /// Shown to clients.
        #[pallet::constant_name(MinActivityCutoffFactorMilli)]
        fn constant_min_activity_cutoff_factor_milli() -> u32 {
            1000
        }

        /// Shown to clients.
        #[pallet::constant_name(MaxActivityCutoffFactorMilli)]
        fn constant_max_activity_cutoff_factor_milli() -> u32 {
            50_000
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialAdjustmentInterval)]
        fn constant_initial_adjustment_interval() -> u16 {
            100
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialBondsMovingAverage)]
        fn constant_initial_bonds_moving_average() -> u64 {
            900_000
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialBondsPenalty)]
        fn constant_initial_bonds_penalty() -> u16 {
            65_535
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialBondsResetOn)]
        fn constant_initial_bonds_reset_on() -> bool {
            false
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialTargetRegistrationsPerInterval)]
        fn constant_initial_target_registrations_per_interval() -> u16 {
            2
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialRho)]
        fn constant_initial_rho() -> u16 {
            10
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialAlphaSigmoidSteepness)]
        fn constant_initial_alpha_sigmoid_steepness() -> i16 {
            1000
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialKappa)]
        fn constant_initial_kappa() -> u16 {
            32_767
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialMinAllowedUids)]
        fn constant_initial_min_allowed_uids() -> u16 {
            64
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialMaxAllowedUids)]
        fn constant_initial_max_allowed_uids() -> u16 {
            256
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialValidatorPruneLen)]
        fn constant_initial_validator_prune_len() -> u64 {
            1
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialScalingLawPower)]
        fn constant_initial_scaling_law_power() -> u16 {
            50
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialImmunityPeriod)]
        fn constant_initial_immunity_period() -> u16 {
            4096
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialActivityCutoff)]
        fn constant_initial_activity_cutoff() -> u16 {
            5000
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialMaxRegistrationsPerBlock)]
        fn constant_initial_max_registrations_per_block() -> u16 {
            1
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialPruningScore)]
        fn constant_initial_pruning_score() -> u16 {
            65_535
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialMaxAllowedValidators)]
        fn constant_initial_max_allowed_validators() -> u16 {
            128
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialDefaultDelegateTake)]
        fn constant_initial_default_delegate_take() -> u16 {
            11_796
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialMinDelegateTake)]
        fn constant_initial_min_delegate_take() -> u16 {
            0
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialDefaultChildKeyTake)]
        fn constant_initial_default_child_key_take() -> u16 {
            0
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialMinChildKeyTake)]
        fn constant_initial_min_child_key_take() -> u16 {
            0
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialMaxChildKeyTake)]
        fn constant_initial_max_child_key_take() -> u16 {
            11_796
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialWeightsVersionKey)]
        fn constant_initial_weights_version_key() -> u64 {
            0
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialServingRateLimit)]
        fn constant_initial_serving_rate_limit() -> u64 {
            50
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialTxRateLimit)]
        fn constant_initial_tx_rate_limit() -> u64 {
            1000
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialTxDelegateTakeRateLimit)]
        fn constant_initial_tx_delegate_take_rate_limit() -> u64 {
            216_000
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialTxChildKeyTakeRateLimit)]
        fn constant_initial_tx_child_key_take_rate_limit() -> u64 {
            216_000
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialAdjustmentAlpha)]
        fn constant_initial_adjustment_alpha() -> u64 {
            0
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialNetworkImmunityPeriod)]
        fn constant_initial_network_immunity_period() -> u64 {
            1_296_000
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialNetworkMinLockCost)]
        fn constant_initial_network_min_lock_cost() -> u64 {
            1_000_000_000_000
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialSubnetOwnerCut)]
        fn constant_initial_subnet_owner_cut() -> u16 {
            11_796
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialNetworkLockReductionInterval)]
        fn constant_initial_network_lock_reduction_interval() -> u64 {
            100_800
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialNetworkRateLimit)]
        fn constant_initial_network_rate_limit() -> u64 {
            7200
        }

        /// Shown to clients.
        #[pallet::constant_name(KeySwapCost)]
        fn constant_key_swap_cost() -> u64 {
            100_000_000
        }

        /// Shown to clients.
        #[pallet::constant_name(AlphaHigh)]
        fn constant_alpha_high() -> u16 {
            58_982
        }

        /// Shown to clients.
        #[pallet::constant_name(AlphaLow)]
        fn constant_alpha_low() -> u16 {
            45_875
        }

        /// Shown to clients.
        #[pallet::constant_name(LiquidAlphaOn)]
        fn constant_liquid_alpha_on() -> bool {
            false
        }

        /// Shown to clients.
        #[pallet::constant_name(Yuma3On)]
        fn constant_yuma3_on() -> bool {
            false
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialColdkeySwapAnnouncementDelay)]
        fn constant_initial_coldkey_swap_announcement_delay() -> u32 {
            36_000
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialColdkeySwapReannouncementDelay)]
        fn constant_initial_coldkey_swap_reannouncement_delay() -> u32 {
            7200
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialDissolveNetworkScheduleDuration)]
        fn constant_initial_dissolve_network_schedule_duration() -> u32 {
            36_000
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialTaoWeight)]
        fn constant_initial_tao_weight() -> u64 {
            971_718_665_099_567_868
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialEmaPriceHalvingPeriod)]
        fn constant_initial_ema_price_halving_period() -> u64 {
            201_600
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialStartCallDelay)]
        fn constant_initial_start_call_delay() -> u64 {
            0
        }

        /// Shown to clients.
        #[pallet::constant_name(KeySwapOnSubnetCost)]
        fn constant_key_swap_on_subnet_cost() -> u64 {
            1_000_000
        }

        /// Shown to clients.
        #[pallet::constant_name(HotkeySwapOnSubnetInterval)]
        fn constant_hotkey_swap_on_subnet_interval() -> u64 {
            7200
        }

        /// Shown to clients.
        #[pallet::constant_name(LeaseDividendsDistributionInterval)]
        fn constant_lease_dividends_distribution_interval() -> u32 {
            100
        }

        /// Shown to clients.
        #[pallet::constant_name(MaxImmuneUidsPercentage)]
        fn constant_max_immune_uids_percentage() -> Percent {
            Percent::from_percent(80)
        }

        /// Shown to clients.
        #[pallet::constant_name(SubtensorPalletId)]
        fn constant_subtensor_pallet_id() -> frame_support::PalletId {
            frame_support::PalletId(*b"subtensr")
        }

        /// Shown to clients.
        #[pallet::constant_name(BurnAccountId)]
        fn constant_burn_account_id() -> frame_support::PalletId {
            frame_support::PalletId(*b"burntnsr")
        }

        /// Shown to clients.
        #[pallet::constant_name(InitialMaxEpochsPerBlock)]
        fn constant_initial_max_epochs_per_block() -> u8 {
            2
        }
    }
}

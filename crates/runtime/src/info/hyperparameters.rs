//! A subnet's rules, in the three forms clients know: two fixed lists and one of named values.

use crate::subtensor::*;
use crate::{Runtime, SubtensorModule};
use codec::{Compact, Decode, Encode};
use scale_info::TypeInfo;

/// A signed number with 32 integral and 32 fractional bits.
#[derive(Encode, Decode, TypeInfo, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FixedI64 {
    /// The number times 2^32.
    pub bits: i64,
}

/// A rule by name.
#[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct HyperparamEntry {
    /// The name.
    pub name: Vec<u8>,
    /// The value.
    pub value: HyperparamValue,
}

/// A rule's value.
#[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub enum HyperparamValue {
    /// Yes or no.
    Bool(bool),
    /// A number.
    U16(Compact<u16>),
    /// A number.
    U32(Compact<u32>),
    /// A number.
    U64(Compact<u64>),
    /// A number.
    U128(Compact<u128>),
    /// An amount of rao.
    TaoBalance(Compact<u64>),
    /// A number with 32 fractional bits.
    I32F32(FixedI64),
    /// A number with 64 fractional bits.
    U64F64(FixedU128),
}

/// Declares both fixed lists and how each rule is read; the second list is the first and more.
macro_rules! hyperparameters {
    (|$netuid:ident|
        first { $($(#[$doc:meta])* $field:ident: $type:ty = $value:expr;)* }
        more { $($(#[$more_doc:meta])* $more:ident: $more_type:ty = $more_value:expr;)* }
    ) => {
        /// A subnet's rules.
        #[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
        pub struct SubnetHyperparams {
            $($(#[$doc])* pub $field: $type,)*
        }

        /// A subnet's rules, and some newer ones.
        #[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
        pub struct SubnetHyperparamsV2 {
            $($(#[$doc])* pub $field: $type,)*
            $($(#[$more_doc])* pub $more: $more_type,)*
        }

        /// A subnet's rules; none if there is no such subnet.
        pub(crate) fn hyperparameters($netuid: u16) -> Option<SubnetHyperparams> {
            NetworksAdded::<Runtime>::get($netuid).then(|| SubnetHyperparams {
                $($field: $value,)*
            })
        }

        /// A subnet's rules, and some newer ones; none if there is no such subnet.
        pub(crate) fn hyperparameters_v2($netuid: u16) -> Option<SubnetHyperparamsV2> {
            NetworksAdded::<Runtime>::get($netuid).then(|| SubnetHyperparamsV2 {
                $($field: $value,)*
                $($more: $more_value,)*
            })
        }
    };
}

hyperparameters! { |netuid|
    first {
        /// A parameter of an older consensus.
        rho: Compact<u16> = Compact(Rho::<Runtime>::get(netuid));
        /// The majority consensus needs, over 65535.
        kappa: Compact<u16> = Compact(Kappa::<Runtime>::get(netuid));
        /// Blocks for which a newcomer is not replaced.
        immunity_period: Compact<u16> = Compact(ImmunityPeriod::<Runtime>::get(netuid));
        /// The least number of weights a validator sets.
        min_allowed_weights: Compact<u16> = Compact(MinAllowedWeights::<Runtime>::get(netuid));
        /// The largest part one weight may have, over 65535.
        max_weights_limit: Compact<u16> = Compact(MaxWeightsLimit::<Runtime>::get(netuid));
        /// Blocks between epochs.
        tempo: Compact<u16> = Compact(Tempo::<Runtime>::get(netuid));
        /// The least difficulty of a registration by work.
        min_difficulty: Compact<u64> = Compact(MinDifficulty::<Runtime>::get(netuid));
        /// The highest difficulty of a registration by work.
        max_difficulty: Compact<u64> = Compact(MaxDifficulty::<Runtime>::get(netuid));
        /// The least version key of weights.
        weights_version: Compact<u64> = Compact(WeightsVersionKey::<Runtime>::get(netuid));
        /// Blocks between two settings of weights.
        weights_rate_limit: Compact<u64> = Compact(WeightsSetRateLimit::<Runtime>::get(netuid));
        /// Blocks between adjustments of the difficulty.
        adjustment_interval: Compact<u16> = Compact(AdjustmentInterval::<Runtime>::get(netuid));
        /// Blocks without new weights after which a validator is inactive.
        activity_cutoff: Compact<u64> = Compact(SubtensorModule::activity_cutoff(netuid));
        /// Whether neurons can register.
        registration_allowed: bool = NetworkRegistrationAllowed::<Runtime>::get(netuid);
        /// How many registrations an interval aims at.
        target_regs_per_interval: Compact<u16> =
            Compact(TargetRegistrationsPerInterval::<Runtime>::get(netuid));
        /// The least price of a registration, in rao.
        min_burn: Compact<u64> = Compact(MinBurn::<Runtime>::get(netuid));
        /// The highest price of a registration, in rao.
        max_burn: Compact<u64> = Compact(MaxBurn::<Runtime>::get(netuid));
        /// How much of the old bonds an epoch keeps, over 1 000 000.
        bonds_moving_avg: Compact<u64> = Compact(BondsMovingAverage::<Runtime>::get(netuid));
        /// The most registrations in a block.
        max_regs_per_block: Compact<u16> =
            Compact(MaxRegistrationsPerBlock::<Runtime>::get(netuid));
        /// Blocks between two announcements of a neuron's address.
        serving_rate_limit: Compact<u64> = Compact(ServingRateLimit::<Runtime>::get(netuid));
        /// The most validators that get a permit.
        max_validators: Compact<u16> = Compact(MaxAllowedValidators::<Runtime>::get(netuid));
        /// How fast the difficulty follows.
        adjustment_alpha: Compact<u64> = Compact(AdjustmentAlpha::<Runtime>::get(netuid));
        /// The difficulty of a registration by work.
        difficulty: Compact<u64> = Compact(Difficulty::<Runtime>::get(netuid));
        /// Epochs between commit and reveal.
        commit_reveal_period: Compact<u64> = Compact(RevealPeriodEpochs::<Runtime>::get(netuid));
        /// Whether weights are committed first and revealed later.
        commit_reveal_weights_enabled: bool = CommitRevealWeightsEnabled::<Runtime>::get(netuid);
        /// Liquid alpha's upper bound, over 65535.
        alpha_high: Compact<u16> = Compact(AlphaValues::<Runtime>::get(netuid).1);
        /// Liquid alpha's lower bound, over 65535.
        alpha_low: Compact<u16> = Compact(AlphaValues::<Runtime>::get(netuid).0);
        /// Whether bonds move faster where a validator disagrees with consensus.
        liquid_alpha_enabled: bool = LiquidAlphaOn::<Runtime>::get(netuid);
    }
    more {
        /// How steep liquid alpha's sigmoid is.
        alpha_sigmoid_steepness: FixedI64 = sigmoid_steepness(netuid);
        /// Which version of the bonds' rules is in use.
        yuma_version: Compact<u16> = Compact(yuma_version(netuid));
        /// Whether the subnet's token can be traded.
        subnet_is_active: bool = SubtokenEnabled::<Runtime>::get(netuid);
        /// Whether stake can be transferred to another coldkey.
        transfers_enabled: bool = TransferToggle::<Runtime>::get(netuid);
        /// Whether bonds can be reset by the subnet's neurons.
        bonds_reset_enabled: bool = BondsResetOn::<Runtime>::get(netuid);
        /// Users provide no liquidity to pools.
        user_liquidity_enabled: bool = false;
    }
}

fn sigmoid_steepness(netuid: u16) -> FixedI64 {
    FixedI64 {
        bits: i64::from(AlphaSigmoidSteepness::<Runtime>::get(netuid)) << 32,
    }
}

fn yuma_version(netuid: u16) -> u16 {
    if Yuma3On::<Runtime>::get(netuid) {
        3
    } else {
        2
    }
}

/// A subnet's rules by name, in the public chain's order; none if there is no such subnet.
pub(crate) fn hyperparameters_v3(netuid: u16) -> Option<Vec<HyperparamEntry>> {
    use HyperparamValue::{Bool, I32F32, TaoBalance, U16, U32, U64, U64F64};
    let rules = hyperparameters_v2(netuid)?;
    let cutoff = Compact(u16::try_from(rules.activity_cutoff.0).unwrap_or(u16::MAX));
    let cutoff_factor = Compact(ActivityCutoffFactorMilli::<Runtime>::get(netuid));
    let burn_half_life = Compact(BurnHalfLife::<Runtime>::get(netuid));
    let cuts_lock = OwnerCutAutoLockEnabled::<Runtime>::get(netuid);
    let least_take =
        MinChildkeyTake::<Runtime>::get().max(MinChildkeyTakePerSubnet::<Runtime>::get(netuid));
    let entries = [
        ("kappa", U16(rules.kappa)),
        ("immunity_period", U16(rules.immunity_period)),
        ("min_allowed_weights", U16(rules.min_allowed_weights)),
        ("max_weights_limit", U16(rules.max_weights_limit)),
        ("tempo", U16(rules.tempo)),
        ("weights_version", U64(rules.weights_version)),
        ("weights_rate_limit", U64(rules.weights_rate_limit)),
        ("activity_cutoff", U16(cutoff)),
        ("activity_cutoff_factor", U32(cutoff_factor)),
        ("registration_allowed", Bool(rules.registration_allowed)),
        (
            "target_regs_per_interval",
            U16(rules.target_regs_per_interval),
        ),
        ("min_burn", TaoBalance(rules.min_burn)),
        ("max_burn", TaoBalance(rules.max_burn)),
        ("burn_half_life", U16(burn_half_life)),
        (
            "burn_increase_mult",
            U64F64(BurnIncreaseMult::<Runtime>::get(netuid)),
        ),
        ("bonds_moving_avg", U64(rules.bonds_moving_avg)),
        ("max_regs_per_block", U16(rules.max_regs_per_block)),
        ("serving_rate_limit", U64(rules.serving_rate_limit)),
        ("max_validators", U16(rules.max_validators)),
        ("commit_reveal_period", U64(rules.commit_reveal_period)),
        (
            "commit_reveal_weights_enabled",
            Bool(rules.commit_reveal_weights_enabled),
        ),
        ("alpha_high", U16(rules.alpha_high)),
        ("alpha_low", U16(rules.alpha_low)),
        ("liquid_alpha_enabled", Bool(rules.liquid_alpha_enabled)),
        (
            "alpha_sigmoid_steepness",
            I32F32(rules.alpha_sigmoid_steepness),
        ),
        ("yuma_version", U16(rules.yuma_version)),
        ("subnet_is_active", Bool(rules.subnet_is_active)),
        ("transfers_enabled", Bool(rules.transfers_enabled)),
        ("bonds_reset_enabled", Bool(rules.bonds_reset_enabled)),
        ("user_liquidity_enabled", Bool(rules.user_liquidity_enabled)),
        (
            "owner_cut_enabled",
            Bool(OwnerCutEnabled::<Runtime>::get(netuid)),
        ),
        ("owner_cut_auto_lock_enabled", Bool(cuts_lock)),
        ("min_childkey_take", U16(Compact(least_take))),
    ];
    let named = entries.into_iter().map(|(name, value)| HyperparamEntry {
        name: name.as_bytes().to_vec(),
        value,
    });
    Some(named.collect())
}

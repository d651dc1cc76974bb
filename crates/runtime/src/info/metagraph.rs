//! Everything about a subnet in one answer, whole or only the fields a client names.

use super::view::View;
use super::{FIRST_MECHANISM, PRUNING_SCORE, compact, subnet};
use crate::commitments::CommitmentOf;
use crate::subtensor::*;
use crate::{AccountId, Runtime, SubtensorModule};
use codec::{Compact, Decode, Encode};
use scale_info::TypeInfo;

/// Declares both forms of the answer and how each field is read. A field's number, by which clients name it, is its
/// place: `netuid` is 0, then `shared`, then `selective`.
macro_rules! metagraph {
    (|$view:ident|
        shared { $($(#[$doc:meta])* $field:ident: $type:ty = $value:expr;)* }
        selective { $($(#[$more_doc:meta])* $more:ident: $more_type:ty = $more_value:expr;)* }
    ) => {
        /// A subnet with its rules, its pool and its neurons column by column; columns have one element a uid.
        #[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
        pub struct Metagraph {
            /// The subnet, and the mechanism times 4096.
            pub netuid: Compact<u16>,
            $($(#[$doc])* pub $field: $type,)*
        }

        /// What a client asked to know of a [`Metagraph`]; the rest is none.
        #[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
        pub struct SelectiveMetagraph {
            /// The subnet, and the mechanism times 4096; always there.
            pub netuid: Compact<u16>,
            $($(#[$doc])* pub $field: Option<$type>,)*
            $($(#[$more_doc])* pub $more: Option<$more_type>,)*
        }

        /// The fields after `netuid`; clients count from there, which is 0.
        #[allow(non_camel_case_types)]
        enum Field {
            $($field,)*
            $($more,)*
        }

        fn read($view: &View) -> Metagraph {
            Metagraph {
                netuid: Compact($view.index),
                $($field: $value,)*
            }
        }

        fn read_some($view: &View, is_wanted: impl Fn(Field) -> bool) -> SelectiveMetagraph {
            SelectiveMetagraph {
                netuid: Compact($view.index),
                $($field: is_wanted(Field::$field).then(|| $value),)*
                $($more: is_wanted(Field::$more).then(|| $more_value),)*
            }
        }
    };
}

metagraph! { |view|
    shared {
        /// The subnet's name, UTF-8.
        name: Vec<Compact<u8>> = compact(subnet::name(view.netuid));
        /// The sign of the subnet's token, UTF-8.
        symbol: Vec<Compact<u8>> = compact(TokenSymbol::<Runtime>::get(view.netuid));
        /// What the owner says of the subnet.
        identity: Option<SubnetIdentityV3> = SubnetIdentitiesV3::<Runtime>::get(view.netuid);
        /// The block in which the subnet was founded.
        network_registered_at: Compact<u64> =
            Compact(NetworkRegisteredAt::<Runtime>::get(view.netuid));
        /// The hotkey the owner founded the subnet with.
        owner_hotkey: AccountId = SubnetOwnerHotkey::<Runtime>::get(view.netuid);
        /// The coldkey that owns the subnet.
        owner_coldkey: AccountId = SubnetOwner::<Runtime>::get(view.netuid);
        /// This block.
        block: Compact<u64> = Compact(SubtensorModule::now());
        /// Blocks between epochs.
        tempo: Compact<u16> = Compact(Tempo::<Runtime>::get(view.netuid));
        /// The block in which the last epoch's emission was distributed.
        last_step: Compact<u64> = Compact(LastMechansimStepBlock::<Runtime>::get(view.netuid));
        /// Blocks since the last epoch.
        blocks_since_last_step: Compact<u64> =
            Compact(BlocksSinceLastStep::<Runtime>::get(view.netuid));
        /// Rao emitted to the subnet in the last block.
        subnet_emission: Compact<u64> = Compact(SubnetTaoInEmission::<Runtime>::get(view.netuid));
        /// The token's reserve in the pool.
        alpha_in: Compact<u64> = Compact(SubnetAlphaIn::<Runtime>::get(view.netuid));
        /// The token outside the pool.
        alpha_out: Compact<u64> = Compact(SubnetAlphaOut::<Runtime>::get(view.netuid));
        /// Rao in the pool.
        tao_in: Compact<u64> = Compact(SubnetTAO::<Runtime>::get(view.netuid));
        /// The token emitted to participants in the last block.
        alpha_out_emission: Compact<u64> =
            Compact(SubnetAlphaOutEmission::<Runtime>::get(view.netuid));
        /// The token emitted into the pool in the last block.
        alpha_in_emission: Compact<u64> =
            Compact(SubnetAlphaInEmission::<Runtime>::get(view.netuid));
        /// Rao emitted into the pool in the last block.
        tao_in_emission: Compact<u64> = Compact(SubnetTaoInEmission::<Runtime>::get(view.netuid));
        /// The token waiting for miners and validators.
        pending_alpha_emission: Compact<u64> = Compact(subnet::pending_alpha(view.netuid));
        /// Root's stakers are paid no TAO: 0.
        pending_root_emission: Compact<u64> = Compact(0);
        /// Rao that were ever traded.
        subnet_volume: Compact<u128> = Compact(SubnetVolume::<Runtime>::get(view.netuid));
        /// The moving price of the token, with 32 fractional bits.
        moving_price: FixedI128 = SubnetMovingPrice::<Runtime>::get(view.netuid);
        /// A parameter of an older consensus.
        rho: Compact<u16> = Compact(Rho::<Runtime>::get(view.netuid));
        /// The majority consensus needs, over 65535.
        kappa: Compact<u16> = Compact(Kappa::<Runtime>::get(view.netuid));
        /// The least number of weights a validator sets.
        min_allowed_weights: Compact<u16> = Compact(MinAllowedWeights::<Runtime>::get(view.netuid));
        /// The largest part one weight may have, over 65535.
        max_weights_limit: Compact<u16> = Compact(MaxWeightsLimit::<Runtime>::get(view.netuid));
        /// The least version key of weights.
        weights_version: Compact<u64> = Compact(WeightsVersionKey::<Runtime>::get(view.netuid));
        /// Blocks between two settings of weights.
        weights_rate_limit: Compact<u64> =
            Compact(WeightsSetRateLimit::<Runtime>::get(view.netuid));
        /// Blocks without new weights after which a validator is inactive.
        activity_cutoff: Compact<u64> = Compact(SubtensorModule::activity_cutoff(view.netuid));
        /// The most validators that get a permit.
        max_validators: Compact<u16> = Compact(MaxAllowedValidators::<Runtime>::get(view.netuid));
        /// How many neurons there are.
        num_uids: Compact<u16> = Compact(view.count());
        /// The most neurons.
        max_uids: Compact<u16> = Compact(MaxAllowedUids::<Runtime>::get(view.netuid));
        /// The price of a registration, in rao.
        burn: Compact<u64> = Compact(Burn::<Runtime>::get(view.netuid));
        /// The difficulty of a registration by work.
        difficulty: Compact<u64> = Compact(Difficulty::<Runtime>::get(view.netuid));
        /// Whether neurons can register.
        registration_allowed: bool = NetworkRegistrationAllowed::<Runtime>::get(view.netuid);
        /// Whether neurons can register by work.
        pow_registration_allowed: bool = NetworkPowRegistrationAllowed::<Runtime>::get(view.netuid);
        /// Blocks for which a newcomer is not replaced.
        immunity_period: Compact<u16> = Compact(ImmunityPeriod::<Runtime>::get(view.netuid));
        /// The least difficulty of a registration by work.
        min_difficulty: Compact<u64> = Compact(MinDifficulty::<Runtime>::get(view.netuid));
        /// The highest difficulty of a registration by work.
        max_difficulty: Compact<u64> = Compact(MaxDifficulty::<Runtime>::get(view.netuid));
        /// The least price of a registration, in rao.
        min_burn: Compact<u64> = Compact(MinBurn::<Runtime>::get(view.netuid));
        /// The highest price of a registration, in rao.
        max_burn: Compact<u64> = Compact(MaxBurn::<Runtime>::get(view.netuid));
        /// How fast the difficulty follows.
        adjustment_alpha: Compact<u64> = Compact(AdjustmentAlpha::<Runtime>::get(view.netuid));
        /// Blocks between adjustments of the difficulty.
        adjustment_interval: Compact<u16> =
            Compact(AdjustmentInterval::<Runtime>::get(view.netuid));
        /// How many registrations an interval aims at.
        target_regs_per_interval: Compact<u16> =
            Compact(TargetRegistrationsPerInterval::<Runtime>::get(view.netuid));
        /// The most registrations in a block.
        max_regs_per_block: Compact<u16> =
            Compact(MaxRegistrationsPerBlock::<Runtime>::get(view.netuid));
        /// Blocks between two announcements of a neuron's address.
        serving_rate_limit: Compact<u64> = Compact(ServingRateLimit::<Runtime>::get(view.netuid));
        /// Whether weights are committed first and revealed later.
        commit_reveal_weights_enabled: bool =
            CommitRevealWeightsEnabled::<Runtime>::get(view.netuid);
        /// Epochs between commit and reveal.
        commit_reveal_period: Compact<u64> =
            Compact(RevealPeriodEpochs::<Runtime>::get(view.netuid));
        /// Whether bonds move faster where a validator disagrees with consensus.
        liquid_alpha_enabled: bool = LiquidAlphaOn::<Runtime>::get(view.netuid);
        /// Liquid alpha's upper bound, over 65535.
        alpha_high: Compact<u16> = Compact(AlphaValues::<Runtime>::get(view.netuid).1);
        /// Liquid alpha's lower bound, over 65535.
        alpha_low: Compact<u16> = Compact(AlphaValues::<Runtime>::get(view.netuid).0);
        /// How much of the old bonds an epoch keeps, over 1 000 000.
        bonds_moving_avg: Compact<u64> = Compact(BondsMovingAverage::<Runtime>::get(view.netuid));
        /// The neurons' keys.
        hotkeys: Vec<AccountId> = view.hotkeys().to_vec();
        /// The keys that own them.
        coldkeys: Vec<AccountId> = view.coldkeys().to_vec();
        /// Who the owners say they are.
        identities: Vec<Option<ChainIdentityV2>> =
            view.coldkeys().iter().map(IdentitiesV2::<Runtime>::get).collect();
        /// Where each can be reached.
        axons: Vec<AxonInfo> = view.axons();
        /// Whether each set weights lately.
        active: Vec<bool> = Active::<Runtime>::get(view.netuid);
        /// Whether each may weigh others.
        validator_permit: Vec<bool> = ValidatorPermit::<Runtime>::get(view.netuid);
        /// No longer computed: 65535 each.
        pruning_score: Vec<Compact<u16>> = view.per_hotkey(|_| Compact(PRUNING_SCORE));
        /// The block of each one's last weights.
        last_update: Vec<Compact<u64>> = compact(LastUpdate::<Runtime>::get(view.index));
        /// What each earned in the last epoch, in the subnet's token.
        emission: Vec<Compact<u64>> = compact(Emission::<Runtime>::get(view.netuid));
        /// Each one's part of the validators' emission, over 65535.
        dividends: Vec<Compact<u16>> = compact(Dividends::<Runtime>::get(view.netuid));
        /// Each one's part of the miners' emission, over 65535.
        incentives: Vec<Compact<u16>> = compact(Incentive::<Runtime>::get(view.index));
        /// Each one's consensus weight, over 65535.
        consensus: Vec<Compact<u16>> = compact(Consensus::<Runtime>::get(view.netuid));
        /// No longer computed: 0 each.
        trust: Vec<Compact<u16>> = view.per_hotkey(|_| Compact(0));
        /// No longer computed: 0 each.
        rank: Vec<Compact<u16>> = view.per_hotkey(|_| Compact(0));
        /// The block of each one's registration.
        block_at_registration: Vec<Compact<u64>> = compact(view.registered_at());
        /// The subnet's token staked to each.
        alpha_stake: Vec<Compact<u64>> = compact(view.alpha_stake());
        /// Rao staked to each on root, not weighed.
        tao_stake: Vec<Compact<u64>> = compact(view.tao_stake());
        /// What each one's stake counts in consensus.
        total_stake: Vec<Compact<u64>> = compact(view.total_stake());
        /// No dividends are paid in TAO: 0 for each hotkey.
        tao_dividends_per_hotkey: Vec<(AccountId, Compact<u64>)> =
            view.per_hotkey(|hotkey| (hotkey.clone(), Compact(0)));
        /// What each hotkey's stakers and owner received as dividends in the last epoch, in the subnet's token.
        alpha_dividends_per_hotkey: Vec<(AccountId, Compact<u64>)> = view.per_hotkey(|hotkey| {
            let dividends = AlphaDividendsPerSubnet::<Runtime>::get(view.netuid, hotkey);
            (hotkey.clone(), Compact(dividends))
        });
    }
    selective {
        /// The uids that may weigh others.
        validators: Vec<Compact<u16>> = validators(view);
        /// What neurons have published, encoded as it is stored.
        commitments: Vec<(AccountId, Vec<Compact<u8>>)> = commitments(view.netuid);
    }
}

fn validators(view: &View) -> Vec<Compact<u16>> {
    (0..)
        .zip(ValidatorPermit::<Runtime>::get(view.netuid))
        .filter_map(|(uid, is_permitted)| is_permitted.then_some(Compact(uid)))
        .collect()
}

fn commitments(netuid: u16) -> Vec<(AccountId, Vec<Compact<u8>>)> {
    CommitmentOf::<Runtime>::iter_prefix(netuid)
        .map(|(hotkey, commitment)| (hotkey, compact(commitment.encode())))
        .collect()
}

/// A mechanism of a subnet; none if there is no such mechanism.
pub(crate) fn metagraph(netuid: u16, mechanism: u8) -> Option<Metagraph> {
    View::of(netuid, mechanism).map(|view| read(&view))
}

/// Every network, by number.
pub(crate) fn all_metagraphs() -> Vec<Option<Metagraph>> {
    super::networks()
        .into_iter()
        .map(|netuid| metagraph(netuid, FIRST_MECHANISM))
        .collect()
}

/// Every mechanism of every network, in order.
pub(crate) fn all_mechagraphs() -> Vec<Option<Metagraph>> {
    View::all().map(|view| Some(read(&view))).collect()
}

/// Some fields of a mechanism of a subnet, by their numbers; unknown numbers name nothing.
pub(crate) fn selective_metagraph(
    netuid: u16,
    mechanism: u8,
    fields: &[u16],
) -> Option<SelectiveMetagraph> {
    let view = View::of(netuid, mechanism)?;
    Some(read_some(&view, |field| {
        fields.contains(&(field as u16 + 1))
    }))
}

//! Subnets as a whole: their rules in short, their pools, their columns of neurons.

use super::view::View;
use super::{FIRST_MECHANISM, compact, networks};
use crate::subtensor::*;
use crate::{AccountId, Runtime};
use codec::{Compact, Decode, Encode};
use scale_info::TypeInfo;

/// A subnet in short.
#[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct SubnetInfo {
    /// The subnet.
    pub netuid: Compact<u16>,
    /// A parameter of an older consensus.
    pub rho: Compact<u16>,
    /// The majority consensus needs, over 65535.
    pub kappa: Compact<u16>,
    /// The difficulty of a registration by work.
    pub difficulty: Compact<u64>,
    /// Blocks for which a newcomer is not replaced.
    pub immunity_period: Compact<u16>,
    /// The most validators that get a permit.
    pub max_allowed_validators: Compact<u16>,
    /// The least number of weights a validator sets.
    pub min_allowed_weights: Compact<u16>,
    /// The largest part one weight may have, over 65535.
    pub max_weights_limit: Compact<u16>,
    /// A parameter of an older consensus.
    pub scaling_law_power: Compact<u16>,
    /// How many neurons there are.
    pub subnetwork_n: Compact<u16>,
    /// The most neurons.
    pub max_allowed_uids: Compact<u16>,
    /// Blocks since the last epoch.
    pub blocks_since_last_step: Compact<u64>,
    /// Blocks between epochs.
    pub tempo: Compact<u16>,
    /// Of an older design: 0.
    pub network_modality: Compact<u16>,
    /// Of an older design: empty.
    pub network_connect: Vec<[u16; 2]>,
    /// Rao emitted to the subnet in the last block.
    pub emission_values: Compact<u64>,
    /// The price of a registration, in rao.
    pub burn: Compact<u64>,
    /// The coldkey that owns the subnet.
    pub owner: AccountId,
}

/// A subnet in short, and what its owner says of it.
#[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct SubnetInfov2 {
    /// The subnet.
    pub netuid: Compact<u16>,
    /// A parameter of an older consensus.
    pub rho: Compact<u16>,
    /// The majority consensus needs, over 65535.
    pub kappa: Compact<u16>,
    /// The difficulty of a registration by work.
    pub difficulty: Compact<u64>,
    /// Blocks for which a newcomer is not replaced.
    pub immunity_period: Compact<u16>,
    /// The most validators that get a permit.
    pub max_allowed_validators: Compact<u16>,
    /// The least number of weights a validator sets.
    pub min_allowed_weights: Compact<u16>,
    /// The largest part one weight may have, over 65535.
    pub max_weights_limit: Compact<u16>,
    /// A parameter of an older consensus.
    pub scaling_law_power: Compact<u16>,
    /// How many neurons there are.
    pub subnetwork_n: Compact<u16>,
    /// The most neurons.
    pub max_allowed_uids: Compact<u16>,
    /// Blocks since the last epoch.
    pub blocks_since_last_step: Compact<u64>,
    /// Blocks between epochs.
    pub tempo: Compact<u16>,
    /// Of an older design: 0.
    pub network_modality: Compact<u16>,
    /// Of an older design: empty.
    pub network_connect: Vec<[u16; 2]>,
    /// Rao emitted to the subnet in the last block.
    pub emission_value: Compact<u64>,
    /// The price of a registration, in rao.
    pub burn: Compact<u64>,
    /// The coldkey that owns the subnet.
    pub owner: AccountId,
    /// What the owner says of the subnet.
    pub identity: Option<SubnetIdentityV3>,
}

impl From<SubnetInfov2> for SubnetInfo {
    fn from(info: SubnetInfov2) -> Self {
        Self {
            netuid: info.netuid,
            rho: info.rho,
            kappa: info.kappa,
            difficulty: info.difficulty,
            immunity_period: info.immunity_period,
            max_allowed_validators: info.max_allowed_validators,
            min_allowed_weights: info.min_allowed_weights,
            max_weights_limit: info.max_weights_limit,
            scaling_law_power: info.scaling_law_power,
            subnetwork_n: info.subnetwork_n,
            max_allowed_uids: info.max_allowed_uids,
            blocks_since_last_step: info.blocks_since_last_step,
            tempo: info.tempo,
            network_modality: info.network_modality,
            network_connect: info.network_connect,
            emission_values: info.emission_value,
            burn: info.burn,
            owner: info.owner,
        }
    }
}

/// A subnet's pool and emission.
#[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct DynamicInfo {
    /// The subnet.
    pub netuid: Compact<u16>,
    /// The hotkey the owner founded the subnet with.
    pub owner_hotkey: AccountId,
    /// The coldkey that owns the subnet.
    pub owner_coldkey: AccountId,
    /// The subnet's name, UTF-8.
    pub subnet_name: Vec<Compact<u8>>,
    /// The sign of the subnet's token, UTF-8.
    pub token_symbol: Vec<Compact<u8>>,
    /// Blocks between epochs.
    pub tempo: Compact<u16>,
    /// The block in which the last epoch's emission was distributed.
    pub last_step: Compact<u64>,
    /// Blocks since the last epoch.
    pub blocks_since_last_step: Compact<u64>,
    /// Rao emitted to the subnet in the last block.
    pub emission: Compact<u64>,
    /// The token's reserve in the pool.
    pub alpha_in: Compact<u64>,
    /// The token outside the pool.
    pub alpha_out: Compact<u64>,
    /// Rao in the pool.
    pub tao_in: Compact<u64>,
    /// The token emitted to participants in the last block.
    pub alpha_out_emission: Compact<u64>,
    /// The token emitted into the pool in the last block.
    pub alpha_in_emission: Compact<u64>,
    /// Rao emitted into the pool in the last block.
    pub tao_in_emission: Compact<u64>,
    /// The token waiting for miners and validators.
    pub pending_alpha_emission: Compact<u64>,
    /// Root's stakers are paid no TAO: 0.
    pub pending_root_emission: Compact<u64>,
    /// Rao that were ever traded.
    pub subnet_volume: Compact<u128>,
    /// The block in which the subnet was founded.
    pub network_registered_at: Compact<u64>,
    /// What the owner says of the subnet.
    pub subnet_identity: Option<SubnetIdentityV3>,
    /// The moving price of the token, with 32 fractional bits.
    pub moving_price: FixedI128,
}

/// A subnet's neurons, column by column; each column has one element a uid.
#[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct SubnetState {
    /// The subnet.
    pub netuid: Compact<u16>,
    /// The neurons' keys.
    pub hotkeys: Vec<AccountId>,
    /// The keys that own them.
    pub coldkeys: Vec<AccountId>,
    /// Whether each set weights lately.
    pub active: Vec<bool>,
    /// Whether each may weigh others.
    pub validator_permit: Vec<bool>,
    /// No longer computed: empty.
    pub pruning_score: Vec<Compact<u16>>,
    /// The block of each one's last weights.
    pub last_update: Vec<Compact<u64>>,
    /// What each earned in the last epoch, in the subnet's token.
    pub emission: Vec<Compact<u64>>,
    /// Each one's part of the validators' emission, over 65535.
    pub dividends: Vec<Compact<u16>>,
    /// Each one's part of the miners' emission, over 65535.
    pub incentives: Vec<Compact<u16>>,
    /// Each one's consensus weight, over 65535.
    pub consensus: Vec<Compact<u16>>,
    /// No longer computed: empty.
    pub trust: Vec<Compact<u16>>,
    /// No longer computed: empty.
    pub rank: Vec<Compact<u16>>,
    /// The block of each one's registration.
    pub block_at_registration: Vec<Compact<u64>>,
    /// The subnet's token staked to each.
    pub alpha_stake: Vec<Compact<u64>>,
    /// Rao staked to each on root, not weighed.
    pub tao_stake: Vec<Compact<u64>>,
    /// What each one's stake counts in consensus.
    pub total_stake: Vec<Compact<u64>>,
    /// For each network, root included, what each hotkey last earned there.
    pub emission_history: Vec<Vec<Compact<u64>>>,
}

/// A subnet's name: what its owner calls it.
pub(super) fn name(netuid: u16) -> Vec<u8> {
    SubnetIdentitiesV3::<Runtime>::get(netuid)
        .map(|identity| identity.subnet_name)
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| {
            let unnamed = if netuid == ROOT { "root" } else { "unknown" };
            unnamed.as_bytes().to_vec()
        })
}

/// The token waiting for miners and validators.
pub(super) fn pending_alpha(netuid: u16) -> u64 {
    PendingServerEmission::<Runtime>::get(netuid)
        .saturating_add(PendingValidatorEmission::<Runtime>::get(netuid))
}

/// A subnet in short, and what its owner says of it.
pub(crate) fn subnet_info_v2(netuid: u16) -> Option<SubnetInfov2> {
    NetworksAdded::<Runtime>::get(netuid).then(|| SubnetInfov2 {
        netuid: Compact(netuid),
        rho: Compact(Rho::<Runtime>::get(netuid)),
        kappa: Compact(Kappa::<Runtime>::get(netuid)),
        difficulty: Compact(Difficulty::<Runtime>::get(netuid)),
        immunity_period: Compact(ImmunityPeriod::<Runtime>::get(netuid)),
        max_allowed_validators: Compact(MaxAllowedValidators::<Runtime>::get(netuid)),
        min_allowed_weights: Compact(MinAllowedWeights::<Runtime>::get(netuid)),
        max_weights_limit: Compact(MaxWeightsLimit::<Runtime>::get(netuid)),
        scaling_law_power: Compact(ScalingLawPower::<Runtime>::get(netuid)),
        subnetwork_n: Compact(SubnetworkN::<Runtime>::get(netuid)),
        max_allowed_uids: Compact(MaxAllowedUids::<Runtime>::get(netuid)),
        blocks_since_last_step: Compact(BlocksSinceLastStep::<Runtime>::get(netuid)),
        tempo: Compact(Tempo::<Runtime>::get(netuid)),
        network_modality: Compact(0),
        network_connect: Vec::new(),
        emission_value: Compact(SubnetTaoInEmission::<Runtime>::get(netuid)),
        burn: Compact(Burn::<Runtime>::get(netuid)),
        owner: SubnetOwner::<Runtime>::get(netuid),
        identity: SubnetIdentitiesV3::<Runtime>::get(netuid),
    })
}

/// A subnet in short.
pub(crate) fn subnet_info(netuid: u16) -> Option<SubnetInfo> {
    subnet_info_v2(netuid).map(SubnetInfo::from)
}

/// Every network in short, by number.
pub(crate) fn subnet_infos() -> Vec<Option<SubnetInfo>> {
    networks().into_iter().map(subnet_info).collect()
}

/// Every network in short, by number, and what its owner says of it.
pub(crate) fn subnet_infos_v2() -> Vec<Option<SubnetInfov2>> {
    networks().into_iter().map(subnet_info_v2).collect()
}

/// A subnet's pool and emission.
pub(crate) fn dynamic_info(netuid: u16) -> Option<DynamicInfo> {
    NetworksAdded::<Runtime>::get(netuid).then(|| DynamicInfo {
        netuid: Compact(netuid),
        owner_hotkey: SubnetOwnerHotkey::<Runtime>::get(netuid),
        owner_coldkey: SubnetOwner::<Runtime>::get(netuid),
        subnet_name: compact(name(netuid)),
        token_symbol: compact(TokenSymbol::<Runtime>::get(netuid)),
        tempo: Compact(Tempo::<Runtime>::get(netuid)),
        last_step: Compact(LastMechansimStepBlock::<Runtime>::get(netuid)),
        blocks_since_last_step: Compact(BlocksSinceLastStep::<Runtime>::get(netuid)),
        emission: Compact(SubnetTaoInEmission::<Runtime>::get(netuid)),
        alpha_in: Compact(SubnetAlphaIn::<Runtime>::get(netuid)),
        alpha_out: Compact(SubnetAlphaOut::<Runtime>::get(netuid)),
        tao_in: Compact(SubnetTAO::<Runtime>::get(netuid)),
        alpha_out_emission: Compact(SubnetAlphaOutEmission::<Runtime>::get(netuid)),
        alpha_in_emission: Compact(SubnetAlphaInEmission::<Runtime>::get(netuid)),
        tao_in_emission: Compact(SubnetTaoInEmission::<Runtime>::get(netuid)),
        pending_alpha_emission: Compact(pending_alpha(netuid)),
        pending_root_emission: Compact(0),
        subnet_volume: Compact(SubnetVolume::<Runtime>::get(netuid)),
        network_registered_at: Compact(NetworkRegisteredAt::<Runtime>::get(netuid)),
        subnet_identity: SubnetIdentitiesV3::<Runtime>::get(netuid),
        moving_price: SubnetMovingPrice::<Runtime>::get(netuid),
    })
}

/// Every network's pool and emission, by number.
pub(crate) fn all_dynamic_infos() -> Vec<Option<DynamicInfo>> {
    networks().into_iter().map(dynamic_info).collect()
}

/// A subnet's neurons, column by column.
pub(crate) fn subnet_state(netuid: u16) -> Option<SubnetState> {
    let view = View::of(netuid, FIRST_MECHANISM)?;
    Some(SubnetState {
        netuid: Compact(netuid),
        hotkeys: view.hotkeys().to_vec(),
        coldkeys: view.coldkeys().to_vec(),
        active: Active::<Runtime>::get(netuid),
        validator_permit: ValidatorPermit::<Runtime>::get(netuid),
        pruning_score: Vec::new(),
        last_update: compact(LastUpdate::<Runtime>::get(view.index)),
        emission: compact(Emission::<Runtime>::get(netuid)),
        dividends: compact(Dividends::<Runtime>::get(netuid)),
        incentives: compact(Incentive::<Runtime>::get(view.index)),
        consensus: compact(Consensus::<Runtime>::get(netuid)),
        trust: Vec::new(),
        rank: Vec::new(),
        block_at_registration: compact(view.registered_at()),
        alpha_stake: compact(view.alpha_stake()),
        tao_stake: compact(view.tao_stake()),
        total_stake: compact(view.total_stake()),
        emission_history: emission_history(&view),
    })
}

fn emission_history(view: &View) -> Vec<Vec<Compact<u64>>> {
    let networks = networks();
    let mut history = vec![vec![Compact(0); view.hotkeys().len()]; networks.len()];
    // Most hotkeys earn on few networks: only what is stored is read.
    for (uid, hotkey) in view.hotkeys().iter().enumerate() {
        for (netuid, earned) in LastHotkeyEmissionOnNetuid::<Runtime>::iter_prefix(hotkey) {
            if let Ok(at) = networks.binary_search(&netuid) {
                history[at][uid] = Compact(earned);
            }
        }
    }
    history
}

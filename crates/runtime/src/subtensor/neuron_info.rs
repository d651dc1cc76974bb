//! A neuron as clients see it.

use super::pallet::*;
use super::types::{AxonInfo, PrometheusInfo};
use codec::{Compact, Decode, Encode};
use scale_info::TypeInfo;
use sp_runtime::AccountId32;

/// Nobody computes a pruning score any more; clients are told the highest.
const PRUNING_SCORE: u16 = u16::MAX;

/// A neuron with its weights and bonds.
#[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct NeuronInfo {
    /// The neuron's key.
    pub hotkey: AccountId32,
    /// The key that owns it.
    pub coldkey: AccountId32,
    /// Its place in the subnet.
    pub uid: Compact<u16>,
    /// The subnet.
    pub netuid: Compact<u16>,
    /// Whether it set weights lately.
    pub active: bool,
    /// Where it can be reached.
    pub axon_info: AxonInfo,
    /// Where its measurements can be read.
    pub prometheus_info: PrometheusInfo,
    /// One entry: the owner and all the subnet's token staked to the hotkey.
    pub stake: Vec<(AccountId32, Compact<u64>)>,
    /// No longer computed: 0.
    pub rank: Compact<u16>,
    /// What it earned in the last epoch, in the subnet's token.
    pub emission: Compact<u64>,
    /// The part of the miners' emission, over 65535.
    pub incentive: Compact<u16>,
    /// The consensus weight, over 65535.
    pub consensus: Compact<u16>,
    /// No longer computed: 0.
    pub trust: Compact<u16>,
    /// How much of its weights consensus kept, over 65535.
    pub validator_trust: Compact<u16>,
    /// The part of the validators' emission, over 65535.
    pub dividends: Compact<u16>,
    /// The block of its last weights.
    pub last_update: Compact<u64>,
    /// Whether it may weigh others.
    pub validator_permit: bool,
    /// Its weights that are not zero.
    pub weights: Vec<(Compact<u16>, Compact<u16>)>,
    /// Its bonds that are not zero.
    pub bonds: Vec<(Compact<u16>, Compact<u16>)>,
    /// No longer computed: 65535.
    pub pruning_score: Compact<u16>,
}

/// A neuron.
#[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct NeuronInfoLite {
    /// The neuron's key.
    pub hotkey: AccountId32,
    /// The key that owns it.
    pub coldkey: AccountId32,
    /// Its place in the subnet.
    pub uid: Compact<u16>,
    /// The subnet.
    pub netuid: Compact<u16>,
    /// Whether it set weights lately.
    pub active: bool,
    /// Where it can be reached.
    pub axon_info: AxonInfo,
    /// Where its measurements can be read.
    pub prometheus_info: PrometheusInfo,
    /// One entry: the owner and all the subnet's token staked to the hotkey.
    pub stake: Vec<(AccountId32, Compact<u64>)>,
    /// No longer computed: 0.
    pub rank: Compact<u16>,
    /// What it earned in the last epoch, in the subnet's token.
    pub emission: Compact<u64>,
    /// The part of the miners' emission, over 65535.
    pub incentive: Compact<u16>,
    /// The consensus weight, over 65535.
    pub consensus: Compact<u16>,
    /// No longer computed: 0.
    pub trust: Compact<u16>,
    /// How much of its weights consensus kept, over 65535.
    pub validator_trust: Compact<u16>,
    /// The part of the validators' emission, over 65535.
    pub dividends: Compact<u16>,
    /// The block of its last weights.
    pub last_update: Compact<u64>,
    /// Whether it may weigh others.
    pub validator_permit: bool,
    /// No longer computed: 65535.
    pub pruning_score: Compact<u16>,
}

impl<T: Config> Pallet<T> {
    /// Every neuron of a subnet by uid, with weights and bonds.
    pub fn neurons(netuid: u16) -> Vec<NeuronInfo> {
        (0..SubnetworkN::<T>::get(netuid))
            .filter_map(|uid| Self::neuron(netuid, uid))
            .collect()
    }

    /// Every neuron of a subnet by uid.
    pub fn neurons_lite(netuid: u16) -> Vec<NeuronInfoLite> {
        (0..SubnetworkN::<T>::get(netuid))
            .filter_map(|uid| Self::neuron_lite(netuid, uid))
            .collect()
    }

    /// One neuron of a subnet, with weights and bonds.
    pub fn neuron(netuid: u16, uid: u16) -> Option<NeuronInfo> {
        let lite = Self::neuron_lite(netuid, uid)?;
        let nonzero = |row: Vec<(u16, u16)>| {
            row.into_iter()
                .filter(|&(_, value)| value != 0)
                .map(|(to, value)| (Compact(to), Compact(value)))
                .collect()
        };
        Some(NeuronInfo {
            hotkey: lite.hotkey,
            coldkey: lite.coldkey,
            uid: lite.uid,
            netuid: lite.netuid,
            active: lite.active,
            axon_info: lite.axon_info,
            prometheus_info: lite.prometheus_info,
            stake: lite.stake,
            rank: lite.rank,
            emission: lite.emission,
            incentive: lite.incentive,
            consensus: lite.consensus,
            trust: lite.trust,
            validator_trust: lite.validator_trust,
            dividends: lite.dividends,
            last_update: lite.last_update,
            validator_permit: lite.validator_permit,
            weights: nonzero(Weights::<T>::get(netuid, uid)),
            bonds: nonzero(Bonds::<T>::get(netuid, uid)),
            pruning_score: lite.pruning_score,
        })
    }

    /// One neuron of a subnet.
    pub fn neuron_lite(netuid: u16, uid: u16) -> Option<NeuronInfoLite> {
        let hotkey = Keys::<T>::try_get(netuid, uid).ok()?;
        let coldkey = Owner::<T>::get(&hotkey);
        let at = usize::from(uid);
        let of = |column: Vec<u16>| Compact(column.get(at).copied().unwrap_or(0));
        let flag = |column: Vec<bool>| column.get(at).copied().unwrap_or(false);
        let amount = |column: Vec<u64>| Compact(column.get(at).copied().unwrap_or(0));
        Some(NeuronInfoLite {
            uid: Compact(uid),
            netuid: Compact(netuid),
            active: flag(Active::<T>::get(netuid)),
            axon_info: Axons::<T>::get(netuid, &hotkey).unwrap_or_default(),
            prometheus_info: Prometheus::<T>::get(netuid, &hotkey).unwrap_or_default(),
            stake: vec![(
                coldkey.clone(),
                Compact(TotalHotkeyAlpha::<T>::get(&hotkey, netuid)),
            )],
            rank: Compact(0),
            emission: amount(Emission::<T>::get(netuid)),
            incentive: of(Incentive::<T>::get(netuid)),
            consensus: of(Consensus::<T>::get(netuid)),
            trust: Compact(0),
            validator_trust: of(ValidatorTrust::<T>::get(netuid)),
            dividends: of(Dividends::<T>::get(netuid)),
            last_update: amount(LastUpdate::<T>::get(netuid)),
            validator_permit: flag(ValidatorPermit::<T>::get(netuid)),
            pruning_score: Compact(PRUNING_SCORE),
            hotkey,
            coldkey,
        })
    }
}

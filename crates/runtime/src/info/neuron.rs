//! Neurons, one by one or all of a subnet.

use super::view::View;
use super::{FIRST_MECHANISM, PRUNING_SCORE};
use crate::subtensor::*;
use crate::{AccountId, Runtime};
use codec::{Compact, Decode, Encode};
use scale_info::TypeInfo;

/// A neuron with its weights and bonds.
#[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct NeuronInfo {
    /// The neuron's key.
    pub hotkey: AccountId,
    /// The key that owns it.
    pub coldkey: AccountId,
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
    pub stake: Vec<(AccountId, Compact<u64>)>,
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
    pub hotkey: AccountId,
    /// The key that owns it.
    pub coldkey: AccountId,
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
    pub stake: Vec<(AccountId, Compact<u64>)>,
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

/// A subnet's columns, read once however many neurons are told of.
struct Columns {
    netuid: u16,
    active: Vec<bool>,
    emission: Vec<u64>,
    incentive: Vec<u16>,
    consensus: Vec<u16>,
    validator_trust: Vec<u16>,
    dividends: Vec<u16>,
    last_update: Vec<u64>,
    validator_permit: Vec<bool>,
}

impl Columns {
    fn read(view: &View) -> Self {
        Self {
            netuid: view.netuid,
            active: Active::<Runtime>::get(view.netuid),
            emission: Emission::<Runtime>::get(view.netuid),
            incentive: Incentive::<Runtime>::get(view.index),
            consensus: Consensus::<Runtime>::get(view.netuid),
            validator_trust: ValidatorTrust::<Runtime>::get(view.netuid),
            dividends: Dividends::<Runtime>::get(view.netuid),
            last_update: LastUpdate::<Runtime>::get(view.index),
            validator_permit: ValidatorPermit::<Runtime>::get(view.netuid),
        }
    }

    fn neuron(&self, uid: u16, hotkey: AccountId, coldkey: AccountId) -> NeuronInfoLite {
        fn at<V: Copy + Default>(column: &[V], uid: u16) -> V {
            column.get(usize::from(uid)).copied().unwrap_or_default()
        }
        let netuid = self.netuid;
        let stake = TotalHotkeyAlpha::<Runtime>::get(&hotkey, netuid);
        NeuronInfoLite {
            uid: Compact(uid),
            netuid: Compact(netuid),
            active: at(&self.active, uid),
            axon_info: Axons::<Runtime>::get(netuid, &hotkey).unwrap_or_default(),
            prometheus_info: Prometheus::<Runtime>::get(netuid, &hotkey).unwrap_or_default(),
            stake: vec![(coldkey.clone(), Compact(stake))],
            rank: Compact(0),
            emission: Compact(at(&self.emission, uid)),
            incentive: Compact(at(&self.incentive, uid)),
            consensus: Compact(at(&self.consensus, uid)),
            trust: Compact(0),
            validator_trust: Compact(at(&self.validator_trust, uid)),
            dividends: Compact(at(&self.dividends, uid)),
            last_update: Compact(at(&self.last_update, uid)),
            validator_permit: at(&self.validator_permit, uid),
            pruning_score: Compact(PRUNING_SCORE),
            hotkey,
            coldkey,
        }
    }
}

/// Every neuron of a subnet by uid.
pub(crate) fn neurons_lite(netuid: u16) -> Vec<NeuronInfoLite> {
    let Some(view) = View::of(netuid, FIRST_MECHANISM) else {
        return Vec::new();
    };
    let columns = Columns::read(&view);
    (0..)
        .zip(view.hotkeys().iter().zip(view.coldkeys()))
        .map(|(uid, (hotkey, coldkey))| columns.neuron(uid, hotkey.clone(), coldkey.clone()))
        .collect()
}

/// One neuron of a subnet.
pub(crate) fn neuron_lite(netuid: u16, uid: u16) -> Option<NeuronInfoLite> {
    let view = View::of(netuid, FIRST_MECHANISM)?;
    let hotkey = Keys::<Runtime>::try_get(netuid, uid).ok()?;
    let coldkey = Owner::<Runtime>::get(&hotkey);
    Some(Columns::read(&view).neuron(uid, hotkey, coldkey))
}

/// Every neuron of a subnet by uid, with weights and bonds.
pub(crate) fn neurons(netuid: u16) -> Vec<NeuronInfo> {
    neurons_lite(netuid).into_iter().map(with_rows).collect()
}

/// One neuron of a subnet, with weights and bonds.
pub(crate) fn neuron(netuid: u16, uid: u16) -> Option<NeuronInfo> {
    neuron_lite(netuid, uid).map(with_rows)
}

/// Adds what a neuron said of others in the first mechanism, whose rows stand under the subnet's own number.
fn with_rows(lite: NeuronInfoLite) -> NeuronInfo {
    let (Compact(netuid), Compact(uid)) = (lite.netuid, lite.uid);
    let nonzero = |row: Vec<(u16, u16)>| {
        row.into_iter()
            .filter(|&(_, value)| value != 0)
            .map(|(to, value)| (Compact(to), Compact(value)))
            .collect()
    };
    NeuronInfo {
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
        weights: nonzero(Weights::<Runtime>::get(netuid, uid)),
        bonds: nonzero(Bonds::<Runtime>::get(netuid, uid)),
        pruning_score: lite.pruning_score,
    }
}

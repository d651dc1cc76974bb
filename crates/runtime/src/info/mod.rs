//! What clients are told of subnets, neurons, stake and delegates: the answers of the runtime APIs.
//!
//! Field names, types and their order are the public chain's, because clients decode by them. Everything is read
//! from storage when it is asked for, a subnet's columns once a question.
//!
//! What it refuses to do: it changes nothing, keeps nothing between questions, and decides no rule of the network.

mod delegate;
mod hyperparameters;
mod metagraph;
mod neuron;
mod stake;
mod subnet;
mod view;

pub use delegate::{DelegateInfo, StakeOnSubnet};
pub use hyperparameters::{
    FixedI64, HyperparamEntry, HyperparamValue, SubnetHyperparams, SubnetHyperparamsV2,
};
pub use metagraph::{Metagraph, SelectiveMetagraph};
pub use neuron::{NeuronInfo, NeuronInfoLite};
pub use stake::{StakeAvailability, StakeInfo};
pub use subnet::{DynamicInfo, SubnetInfo, SubnetInfov2, SubnetState};

pub(crate) use delegate::{delegate, delegated, delegates};
pub(crate) use hyperparameters::{hyperparameters, hyperparameters_v2, hyperparameters_v3};
pub(crate) use metagraph::{all_mechagraphs, all_metagraphs, metagraph, selective_metagraph};
pub(crate) use neuron::{neuron, neuron_lite, neurons, neurons_lite};
pub(crate) use stake::{
    coldkey_lock, hotkey_conviction, most_convicted_hotkey, stake_availability, stake_fee,
    stake_info, stakes_of,
};
pub(crate) use subnet::{
    all_dynamic_infos, dynamic_info, subnet_info, subnet_info_v2, subnet_infos, subnet_infos_v2,
    subnet_state,
};

use crate::Runtime;
use crate::subtensor::NetworksAdded;
use codec::Compact;

/// Neurons' mechanism where a question names none.
const FIRST_MECHANISM: u8 = 0;
/// Nobody computes a pruning score any more; clients are told the highest.
const PRUNING_SCORE: u16 = u16::MAX;

/// Every network by number, root included.
fn networks() -> Vec<u16> {
    let mut networks: Vec<u16> = NetworksAdded::<Runtime>::iter()
        .filter_map(|(netuid, exists)| exists.then_some(netuid))
        .collect();
    networks.sort_unstable();
    networks
}

/// A column, or a text's bytes, as the answers write them.
fn compact<V>(column: Vec<V>) -> Vec<Compact<V>> {
    column.into_iter().map(Compact).collect()
}

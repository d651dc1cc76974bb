//! One mechanism of a subnet as it stands in this block.

use super::networks;
use crate::subtensor::*;
use crate::{AccountId, Runtime, SubtensorModule};
use std::cell::OnceCell;

/// A mechanism of a subnet. The neurons' keys are read once, when the first answer needs them.
pub(super) struct View {
    /// The subnet.
    pub netuid: u16,
    /// Under which number the mechanism's own columns are stored; clients tell subnet and mechanism from it.
    pub index: u16,
    hotkeys: OnceCell<Vec<AccountId>>,
    coldkeys: OnceCell<Vec<AccountId>>,
}

impl View {
    /// Looks at a mechanism of a subnet; none if there is no such mechanism.
    pub fn of(netuid: u16, mechanism: u8) -> Option<Self> {
        let index = SubtensorModule::storage_index(netuid, mechanism)?;
        Some(Self {
            netuid,
            index,
            hotkeys: OnceCell::new(),
            coldkeys: OnceCell::new(),
        })
    }

    /// Looks at every mechanism of every network, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        networks().into_iter().flat_map(|netuid| {
            (0..MechanismCountCurrent::<Runtime>::get(netuid))
                .filter_map(move |mechanism| Self::of(netuid, mechanism))
        })
    }

    /// How many neurons there are.
    pub fn count(&self) -> u16 {
        SubnetworkN::<Runtime>::get(self.netuid)
    }

    /// The neurons' keys by uid.
    pub fn hotkeys(&self) -> &[AccountId] {
        self.hotkeys.get_or_init(|| {
            (0..self.count())
                .map(|uid| Keys::<Runtime>::get(self.netuid, uid))
                .collect()
        })
    }

    /// The keys that own the neurons, by uid.
    pub fn coldkeys(&self) -> &[AccountId] {
        self.coldkeys
            .get_or_init(|| self.per_hotkey(|hotkey| Owner::<Runtime>::get(hotkey)))
    }

    /// One value for each neuron, by uid.
    pub fn per_hotkey<V>(&self, value: impl FnMut(&AccountId) -> V) -> Vec<V> {
        self.hotkeys().iter().map(value).collect()
    }

    /// The block of each neuron's registration, by uid.
    pub fn registered_at(&self) -> Vec<u64> {
        (0..self.count())
            .map(|uid| BlockAtRegistration::<Runtime>::get(self.netuid, uid))
            .collect()
    }

    /// The subnet's token staked to each neuron.
    pub fn alpha_stake(&self) -> Vec<u64> {
        self.per_hotkey(|hotkey| TotalHotkeyAlpha::<Runtime>::get(hotkey, self.netuid))
    }

    /// Rao staked to each neuron on root, not weighed.
    pub fn tao_stake(&self) -> Vec<u64> {
        self.per_hotkey(|hotkey| TotalHotkeyAlpha::<Runtime>::get(hotkey, ROOT))
    }

    /// What each neuron's stake counts in consensus.
    pub fn total_stake(&self) -> Vec<u64> {
        self.per_hotkey(|hotkey| SubtensorModule::stake_weight(hotkey, self.netuid))
    }

    /// Where each neuron can be reached.
    pub fn axons(&self) -> Vec<AxonInfo> {
        self.per_hotkey(|hotkey| Axons::<Runtime>::get(self.netuid, hotkey).unwrap_or_default())
    }
}

//! Who has staked what to whom.
//!
//! Stake cannot be locked on this chain, so the questions about locks have one answer each: there is none.

use crate::subtensor::*;
use crate::{AccountId, Runtime, SubtensorModule};
use codec::{Compact, Decode, Encode};
use scale_info::TypeInfo;
use std::collections::{BTreeMap, BTreeSet};

/// A coldkey's stake to a hotkey on a subnet.
#[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct StakeInfo {
    /// Who is staked to.
    pub hotkey: AccountId,
    /// Whose stake it is.
    pub coldkey: AccountId,
    /// The subnet.
    pub netuid: Compact<u16>,
    /// The stake, in the subnet's token; in rao on root.
    pub stake: Compact<u64>,
    /// Nothing is locked here: 0.
    pub locked: Compact<u64>,
    /// What all the hotkey's stakers and its owner received in the last epoch, in the subnet's token.
    pub emission: Compact<u64>,
    /// No dividends are paid in TAO: 0.
    pub tao_emission: Compact<u64>,
    /// No longer computed: 0.
    pub drain: Compact<u64>,
    /// Whether the hotkey is a neuron of the subnet.
    pub is_registered: bool,
}

/// What a coldkey can withdraw on a subnet.
#[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct StakeAvailability {
    /// The stake to all hotkeys, in the subnet's token.
    pub total: Compact<u64>,
    /// Nothing is locked here: 0.
    pub locked: Compact<u64>,
    /// What can be withdrawn now.
    pub available: Compact<u64>,
}

/// A coldkey's stake to a hotkey on a subnet, also if it is none.
pub(crate) fn stake_info(hotkey: AccountId, coldkey: AccountId, netuid: u16) -> StakeInfo {
    StakeInfo {
        netuid: Compact(netuid),
        stake: Compact(SubtensorModule::stake_of(&hotkey, &coldkey, netuid)),
        locked: Compact(0),
        emission: Compact(AlphaDividendsPerSubnet::<Runtime>::get(netuid, &hotkey)),
        tao_emission: Compact(0),
        drain: Compact(0),
        is_registered: Uids::<Runtime>::contains_key(netuid, &hotkey),
        hotkey,
        coldkey,
    }
}

/// Everything a coldkey has staked, by hotkey in the order of its first stakes, then by subnet.
pub(crate) fn stakes_of(coldkey: &AccountId) -> Vec<StakeInfo> {
    StakingHotkeys::<Runtime>::get(coldkey)
        .into_iter()
        .flat_map(|hotkey| {
            staked_networks(&hotkey)
                .into_iter()
                .map(|netuid| stake_info(hotkey.clone(), coldkey.clone(), netuid))
                .collect::<Vec<_>>()
        })
        .filter(|info| info.stake.0 != 0)
        .collect()
}

/// The networks on which anybody stakes to a hotkey, by number.
fn staked_networks(hotkey: &AccountId) -> BTreeSet<u16> {
    TotalHotkeyAlpha::<Runtime>::iter_key_prefix(hotkey).collect()
}

/// What coldkeys can withdraw on each subnet, or on some. Subnets without stake are left out, coldkeys never.
pub(crate) fn stake_availability(
    coldkeys: Vec<AccountId>,
    netuids: Option<Vec<u16>>,
) -> BTreeMap<AccountId, BTreeMap<u16, StakeAvailability>> {
    let wanted: Option<BTreeSet<u16>> = netuids.map(|netuids| netuids.into_iter().collect());
    let is_wanted = |netuid: &u16| wanted.as_ref().is_none_or(|wanted| wanted.contains(netuid));
    // A coldkey named twice is looked up once.
    let coldkeys: BTreeSet<AccountId> = coldkeys.into_iter().collect();
    coldkeys
        .into_iter()
        .map(|coldkey| {
            let mut totals = BTreeMap::<u16, u64>::new();
            for info in stakes_of(&coldkey) {
                let total = totals.entry(info.netuid.0).or_default();
                *total = total.saturating_add(info.stake.0);
            }
            let available = totals
                .into_iter()
                .filter(|(netuid, _)| is_wanted(netuid))
                .map(|(netuid, total)| {
                    let availability = StakeAvailability {
                        total: Compact(total),
                        locked: Compact(0),
                        available: Compact(total),
                    };
                    (netuid, availability)
                })
                .collect();
            (coldkey, available)
        })
        .collect()
}

/// What the pools take for moving stake: in the token of the subnet it leaves, or in rao where it is bought with TAO.
/// The fee of the other side of a move between subnets is not in it, and within a subnet there is none.
pub(crate) fn stake_fee(origin: Option<u16>, destination: Option<u16>, amount: u64) -> u64 {
    match (origin, destination) {
        (Some(from), to) if to != Some(from) => {
            SubtensorModule::simulate_sell(from, amount).alpha_fee
        }
        (None, Some(to)) => SubtensorModule::simulate_buy(to, amount).tao_fee,
        _ => 0,
    }
}

/// What a coldkey has locked on a subnet.
pub(crate) fn coldkey_lock() -> Option<LockState> {
    None
}

/// How much locked stake stands behind a hotkey, and how long.
pub(crate) fn hotkey_conviction() -> FixedU128 {
    FixedU128::default()
}

/// The hotkey with most locked stake behind it.
pub(crate) fn most_convicted_hotkey() -> Option<AccountId> {
    None
}

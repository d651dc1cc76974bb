//! Hotkeys that can be staked to: here every hotkey that a coldkey owns.

use super::compact;
use crate::subtensor::*;
use crate::{AccountId, Runtime, SubtensorModule};
use codec::{Compact, Decode, Encode};
use scale_info::TypeInfo;
use std::collections::BTreeMap;

/// Blocks in a day of twelve-second blocks.
const BLOCKS_A_DAY: u64 = 7200;
/// 1000 TAO, in rao.
const THOUSAND_TAO: u64 = 1_000_000_000_000;

/// A subnet, and how much of its token is staked.
pub type StakeOnSubnet = (Compact<u16>, Compact<u64>);

/// A hotkey that can be staked to.
#[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct DelegateInfo {
    /// The hotkey.
    pub delegate_ss58: AccountId,
    /// The owner's part of the dividends, over 65535.
    pub take: Compact<u16>,
    /// Who stakes to it, and on each subnet how much of its token.
    pub nominators: Vec<(AccountId, Vec<StakeOnSubnet>)>,
    /// The coldkey that owns it.
    pub owner_ss58: AccountId,
    /// The subnets it is a neuron of.
    pub registrations: Vec<Compact<u16>>,
    /// The subnets on which it may weigh others.
    pub validator_permits: Vec<Compact<u16>>,
    /// What 1000 TAO on root would earn in a day, in units of the subnets' tokens taken together.
    pub return_per_1000: Compact<u64>,
    /// What the hotkey earns in a day, in units of the subnets' tokens taken together.
    pub total_daily_return: Compact<u64>,
}

/// A subnet's columns that delegates need.
struct Columns {
    validator_permit: Vec<bool>,
    emission: Vec<u64>,
    tempo: u16,
}

/// Reads delegates; each subnet's columns are read once however many delegates are told of.
#[derive(Default)]
struct Reader {
    subnets: BTreeMap<u16, Columns>,
}

impl Reader {
    fn columns(&mut self, netuid: u16) -> &Columns {
        self.subnets.entry(netuid).or_insert_with(|| Columns {
            validator_permit: ValidatorPermit::<Runtime>::get(netuid),
            emission: Emission::<Runtime>::get(netuid),
            tempo: Tempo::<Runtime>::get(netuid),
        })
    }

    /// A delegate without its nominators.
    fn delegate(&mut self, hotkey: &AccountId) -> DelegateInfo {
        let mut registrations: Vec<u16> = IsNetworkMember::<Runtime>::iter_prefix(hotkey)
            .filter_map(|(netuid, is_member)| is_member.then_some(netuid))
            .collect();
        registrations.sort_unstable();
        let mut validator_permits = Vec::new();
        let mut daily = 0u128;
        for &netuid in &registrations {
            let Some(uid) = Uids::<Runtime>::get(netuid, hotkey).map(usize::from) else {
                continue;
            };
            let columns = self.columns(netuid);
            if columns.validator_permit.get(uid) == Some(&true) {
                validator_permits.push(netuid);
            }
            let earned = columns.emission.get(uid).copied().unwrap_or(0);
            let day = u128::from(earned) * u128::from(BLOCKS_A_DAY);
            daily += day.checked_div(u128::from(columns.tempo)).unwrap_or(0);
        }
        let take = Delegates::<Runtime>::get(hotkey);
        let kept = daily * u128::from(u16::MAX.saturating_sub(take)) / u128::from(u16::MAX);
        let on_root = u128::from(TotalHotkeyAlpha::<Runtime>::get(hotkey, ROOT));
        let per_thousand = kept
            .saturating_mul(u128::from(THOUSAND_TAO))
            .checked_div(on_root)
            .unwrap_or(0);
        DelegateInfo {
            delegate_ss58: hotkey.clone(),
            take: Compact(take),
            nominators: Vec::new(),
            owner_ss58: Owner::<Runtime>::get(hotkey),
            registrations: compact(registrations),
            validator_permits: compact(validator_permits),
            return_per_1000: Compact(saturated(per_thousand)),
            total_daily_return: Compact(saturated(daily)),
        }
    }

    fn with_nominators(&mut self, hotkey: &AccountId) -> DelegateInfo {
        DelegateInfo {
            nominators: nominators(hotkey),
            ..self.delegate(hotkey)
        }
    }
}

fn saturated(amount: u128) -> u64 {
    u64::try_from(amount).unwrap_or(u64::MAX)
}

/// Who stakes to a hotkey, by coldkey and then subnet.
fn nominators(hotkey: &AccountId) -> Vec<(AccountId, Vec<StakeOnSubnet>)> {
    let mut all = BTreeMap::<AccountId, Vec<StakeOnSubnet>>::new();
    for (coldkey, netuid) in AlphaV2::<Runtime>::iter_key_prefix((hotkey,)) {
        let stake = SubtensorModule::stake_of(hotkey, &coldkey, netuid);
        if stake != 0 {
            all.entry(coldkey)
                .or_default()
                .push((Compact(netuid), Compact(stake)));
        }
    }
    for stakes in all.values_mut() {
        stakes.sort_unstable_by_key(|(netuid, _)| netuid.0);
    }
    all.into_iter().collect()
}

/// Every delegate.
pub(crate) fn delegates() -> Vec<DelegateInfo> {
    let mut reader = Reader::default();
    Owner::<Runtime>::iter_keys()
        .map(|hotkey| reader.with_nominators(&hotkey))
        .collect()
}

/// One delegate; none if nobody owns the hotkey.
pub(crate) fn delegate(hotkey: &AccountId) -> Option<DelegateInfo> {
    Owner::<Runtime>::contains_key(hotkey).then(|| Reader::default().with_nominators(hotkey))
}

/// Whom a coldkey stakes to, once for each subnet, with its stake there. The delegates' other nominators are left out,
/// as on the public chain.
pub(crate) fn delegated(coldkey: &AccountId) -> Vec<(DelegateInfo, StakeOnSubnet)> {
    let mut reader = Reader::default();
    super::stakes_of(coldkey)
        .into_iter()
        .map(|stake| (reader.delegate(&stake.hotkey), (stake.netuid, stake.stake)))
        .collect()
}

//! Which calls a proxy of a kind may make for another account.

use crate::{RuntimeCall, admin_utils, subtensor};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::traits::InstanceFilter;
use scale_info::TypeInfo;

/// What a small transfer stays below: half a TAO, in rao.
const SMALL_TRANSFER: u64 = 500_000_000;

/// What a proxy may do, in the public chain's order.
#[derive(
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
)]
pub enum ProxyType {
    /// Everything.
    #[default]
    Any,
    /// What a subnet's owner does.
    Owner,
    /// Everything but founding and ending subnets, root's seats, prices paid for registration and root's calls.
    NonCritical,
    /// Everything that moves no money and no stake to somebody else.
    NonTransfer,
    /// Nothing: the public chain has no senate any more.
    Senate,
    /// Nothing that costs or moves money.
    NonFungible,
    /// Nothing: the public chain has no triumvirate any more.
    Triumvirate,
    /// Nothing: the public chain has no such governance any more.
    Governance,
    /// Stake in all forms but to another coldkey.
    Staking,
    /// Becoming a neuron.
    Registration,
    /// Moving money and stake to others.
    Transfer,
    /// As that, in amounts below half a unit.
    SmallTransfer,
    /// Nothing: root's weights cannot be set any more.
    RootWeights,
    /// Children of hotkeys.
    ChildKeys,
    /// Nothing: this chain's code cannot be replaced by a call.
    SudoUncheckedSetCode,
    /// Swapping a hotkey.
    SwapHotkey,
    /// What the beneficiary of a leased subnet does.
    SubnetLeaseBeneficiary,
    /// Claiming root's dividends.
    RootClaim,
}

type Subtensor = subtensor::Call<crate::Runtime>;
type Balances = pallet_balances::Call<crate::Runtime>;

impl InstanceFilter<RuntimeCall> for ProxyType {
    fn filter(&self, call: &RuntimeCall) -> bool {
        match self {
            Self::Any => true,
            Self::NonTransfer => !moves_to_others(call),
            Self::NonFungible => !moves_to_others(call) && !is_staking(call) && !costs(call),
            Self::NonCritical => !is_critical(call),
            Self::Owner | Self::SubnetLeaseBeneficiary => is_owners(call),
            Self::Staking => is_staking(call),
            Self::Registration => matches!(
                call,
                RuntimeCall::SubtensorModule(
                    Subtensor::burned_register { .. }
                        | Subtensor::register { .. }
                        | Subtensor::register_limit { .. }
                )
            ),
            Self::Transfer => moves_to_others(call),
            Self::SmallTransfer => is_small_transfer(call),
            Self::ChildKeys => matches!(
                call,
                RuntimeCall::SubtensorModule(
                    Subtensor::set_children { .. } | Subtensor::set_childkey_take { .. }
                )
            ),
            Self::SwapHotkey => matches!(
                call,
                RuntimeCall::SubtensorModule(
                    Subtensor::swap_hotkey { .. } | Subtensor::swap_hotkey_v2 { .. }
                )
            ),
            Self::RootClaim => matches!(
                call,
                RuntimeCall::SubtensorModule(
                    Subtensor::claim_root { .. } | Subtensor::set_root_claim_type { .. }
                )
            ),
            Self::Senate
            | Self::Triumvirate
            | Self::Governance
            | Self::RootWeights
            | Self::SudoUncheckedSetCode => false,
        }
    }

    fn is_superset(&self, other: &Self) -> bool {
        self == other
            || match (self, other) {
                (Self::Any, _) | (Self::Transfer, Self::SmallTransfer) => true,
                (_, Self::Any) => false,
                (Self::NonTransfer, Self::Transfer | Self::SmallTransfer) => false,
                (Self::NonTransfer, Self::NonFungible) => true,
                _ => false,
            }
    }
}

fn moves_to_others(call: &RuntimeCall) -> bool {
    matches!(
        call,
        RuntimeCall::Balances(_)
            | RuntimeCall::SubtensorModule(Subtensor::transfer_stake { .. })
            | RuntimeCall::SubtensorModule(
                Subtensor::schedule_swap_coldkey { .. }
                    | Subtensor::announce_coldkey_swap { .. }
                    | Subtensor::swap_coldkey_announced { .. }
                    | Subtensor::swap_coldkey { .. }
            )
            | RuntimeCall::Sudo(_)
    )
}

fn is_staking(call: &RuntimeCall) -> bool {
    let RuntimeCall::SubtensorModule(call) = call else {
        return false;
    };
    matches!(
        call,
        Subtensor::add_stake { .. }
            | Subtensor::add_stake_limit { .. }
            | Subtensor::remove_stake { .. }
            | Subtensor::remove_stake_limit { .. }
            | Subtensor::remove_stake_full_limit { .. }
            | Subtensor::unstake_all { .. }
            | Subtensor::unstake_all_alpha { .. }
            | Subtensor::move_stake { .. }
            | Subtensor::swap_stake { .. }
            | Subtensor::swap_stake_limit { .. }
            | Subtensor::set_root_claim_type { .. }
            | Subtensor::claim_root { .. }
    )
}

/// Calls that cost more than a fee.
fn costs(call: &RuntimeCall) -> bool {
    let RuntimeCall::SubtensorModule(call) = call else {
        return false;
    };
    matches!(
        call,
        Subtensor::burned_register { .. }
            | Subtensor::register { .. }
            | Subtensor::register_limit { .. }
            | Subtensor::register_network { .. }
            | Subtensor::register_network_with_identity { .. }
            | Subtensor::root_register { .. }
            | Subtensor::add_stake_burn { .. }
            | Subtensor::burn_alpha { .. }
            | Subtensor::recycle_alpha { .. }
            | Subtensor::swap_hotkey { .. }
            | Subtensor::swap_hotkey_v2 { .. }
    )
}

fn is_critical(call: &RuntimeCall) -> bool {
    matches!(
        call,
        RuntimeCall::Sudo(_)
            | RuntimeCall::SubtensorModule(
                Subtensor::dissolve_network { .. }
                    | Subtensor::root_dissolve_network { .. }
                    | Subtensor::root_register { .. }
                    | Subtensor::burned_register { .. }
                    | Subtensor::register { .. }
                    | Subtensor::register_limit { .. }
                    | Subtensor::register_network { .. }
                    | Subtensor::register_network_with_identity { .. }
            )
    )
}

fn is_owners(call: &RuntimeCall) -> bool {
    match call {
        // The owner's hotkey receives money: who may rule in the owner's name may not redirect it.
        RuntimeCall::AdminUtils(call) => !matches!(
            call,
            admin_utils::Call::sudo_set_sn_owner_hotkey { .. }
                | admin_utils::Call::sudo_set_subnet_owner_hotkey { .. }
        ),
        RuntimeCall::SubtensorModule(
            Subtensor::set_subnet_identity { .. }
            | Subtensor::update_symbol { .. }
            | Subtensor::start_call { .. }
            | Subtensor::set_tempo { .. }
            | Subtensor::set_activity_cutoff_factor { .. }
            | Subtensor::trigger_epoch { .. },
        ) => true,
        _ => false,
    }
}

fn is_small_transfer(call: &RuntimeCall) -> bool {
    match call {
        RuntimeCall::Balances(
            Balances::transfer_keep_alive { value, .. }
            | Balances::transfer_allow_death { value, .. },
        ) => *value < SMALL_TRANSFER,
        RuntimeCall::SubtensorModule(Subtensor::transfer_stake { alpha_amount, .. }) => {
            *alpha_amount < SMALL_TRANSFER
        }
        _ => false,
    }
}

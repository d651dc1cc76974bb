//! Which calls a proxy of a kind may make for another account, and how clients are told.
//!
//! No kind may do more here than on the public chain. Some may do less: a call that does what a forbidden one does is
//! forbidden too.

use crate::{RuntimeCall, admin_utils, subtensor};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::traits::{GetCallIndex, GetCallName, InstanceFilter, PalletInfoAccess};
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
    /// Rules and the name of a subnet.
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
    /// Giving money and stake to others.
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

// Named as the pallets are, so that a rule's one list is both matched and shown.
type AdminUtils = admin_utils::Call<crate::Runtime>;
type Balances = pallet_balances::Call<crate::Runtime>;
type Sudo = pallet_sudo::Call<crate::Runtime>;
type SubtensorModule = subtensor::Call<crate::Runtime>;

/// Some calls.
struct Calls {
    /// Whether a call is one of them.
    contains: fn(&RuntimeCall) -> bool,
    /// What clients are told of them.
    list: fn() -> Vec<CallInfo>,
}

/// [`Calls`] by pallet and name; a pallet without names is the whole of it.
macro_rules! calls {
    ($($pallet:ident { $($name:ident)* })*) => {
        Calls {
            contains: |_call| false $(|| calls!(matches _call, $pallet $($name)*))*,
            list: || {
                let pallets: Vec<Vec<CallInfo>> = vec![
                    $(of_pallet::<crate::$pallet, $pallet>(&[$(stringify!($name)),*])),*
                ];
                pallets.concat()
            },
        }
    };
    (matches $call:ident, $pallet:ident) => {
        matches!($call, RuntimeCall::$pallet(_))
    };
    (matches $call:ident, $pallet:ident $($name:ident)+) => {
        matches!($call, RuntimeCall::$pallet($($pallet::$name { .. })|+))
    };
}

/// Calls of one pallet as clients are told them.
fn of_pallet<Pallet: PalletInfoAccess, Call: GetCallName + GetCallIndex>(
    names: &[&str],
) -> Vec<CallInfo> {
    let info = |name: Option<(&str, u8)>| CallInfo {
        pallet_name: Pallet::name().into(),
        pallet_index: Pallet::index() as u8,
        call_name: name.map(|(name, _)| name.into()),
        call_index: name.map(|(_, index)| index),
        condition: None,
    };
    if names.is_empty() {
        return vec![info(None)];
    }
    let indices = Call::get_call_indices().iter().copied();
    let all = Call::get_call_names().iter().copied().zip(indices);
    all.filter(|(name, _)| names.contains(name))
        .map(|call| info(Some(call)))
        .collect()
}

/// What a kind of proxy may do.
enum Rule {
    All,
    Nothing,
    /// Only these, but not those.
    Only(Calls, Calls),
    /// Everything but these.
    AllBut(Calls),
    /// Only these, in amounts below a limit.
    Below(u64, Calls),
}

impl ProxyType {
    /// Every kind, by its number.
    pub const ALL: [Self; 18] = [
        Self::Any,
        Self::Owner,
        Self::NonCritical,
        Self::NonTransfer,
        Self::Senate,
        Self::NonFungible,
        Self::Triumvirate,
        Self::Governance,
        Self::Staking,
        Self::Registration,
        Self::Transfer,
        Self::SmallTransfer,
        Self::RootWeights,
        Self::ChildKeys,
        Self::SudoUncheckedSetCode,
        Self::SwapHotkey,
        Self::SubnetLeaseBeneficiary,
        Self::RootClaim,
    ];

    fn rule(self) -> Rule {
        match self {
            Self::Any => Rule::All,
            Self::Senate
            | Self::Triumvirate
            | Self::Governance
            | Self::RootWeights
            | Self::SudoUncheckedSetCode => Rule::Nothing,
            Self::NonTransfer => Rule::AllBut(calls! {
                Balances {}
                Sudo {}
                SubtensorModule {
                    transfer_stake schedule_swap_coldkey announce_coldkey_swap swap_coldkey_announced swap_coldkey
                    clear_coldkey_swap_announcement dispute_coldkey_swap
                }
            }),
            Self::NonFungible => Rule::AllBut(calls! {
                Balances {}
                Sudo {}
                SubtensorModule {
                    transfer_stake schedule_swap_coldkey announce_coldkey_swap swap_coldkey_announced swap_coldkey
                    clear_coldkey_swap_announcement dispute_coldkey_swap
                    add_stake add_stake_limit remove_stake remove_stake_limit remove_stake_full_limit unstake_all
                    unstake_all_alpha move_stake swap_stake swap_stake_limit set_root_claim_type claim_root
                    burned_register register register_limit register_network register_network_with_identity
                    root_register add_stake_burn burn_alpha recycle_alpha swap_hotkey swap_hotkey_v2
                }
            }),
            Self::NonCritical => Rule::AllBut(calls! {
                Sudo {}
                SubtensorModule {
                    dissolve_network root_dissolve_network root_register burned_register register register_limit
                    register_network register_network_with_identity announce_coldkey_swap swap_coldkey_announced
                    clear_coldkey_swap_announcement dispute_coldkey_swap
                }
            }),
            // The owner's hotkey receives money: who may rule in the owner's name may not redirect it.
            Self::Owner => Rule::Only(
                calls! {
                    AdminUtils {}
                    SubtensorModule { set_subnet_identity update_symbol }
                },
                calls! { AdminUtils { sudo_set_sn_owner_hotkey sudo_set_subnet_owner_hotkey } },
            ),
            Self::SubnetLeaseBeneficiary => Rule::only(calls! {
                SubtensorModule { start_call }
                AdminUtils {
                    sudo_set_serving_rate_limit sudo_set_min_difficulty sudo_set_max_difficulty
                    sudo_set_weights_version_key sudo_set_adjustment_alpha sudo_set_immunity_period
                    sudo_set_min_allowed_weights sudo_set_kappa sudo_set_rho sudo_set_activity_cutoff
                    sudo_set_network_registration_allowed sudo_set_network_pow_registration_allowed sudo_set_max_burn
                    sudo_set_bonds_moving_average sudo_set_bonds_penalty sudo_set_commit_reveal_weights_enabled
                    sudo_set_liquid_alpha_enabled sudo_set_alpha_values sudo_set_commit_reveal_weights_interval
                    sudo_set_toggle_transfer sudo_set_subnet_emission_enabled
                    sudo_set_min_childkey_take_per_subnet
                }
            }),
            Self::Staking => Rule::only(calls! {
                SubtensorModule {
                    add_stake add_stake_limit remove_stake remove_stake_limit remove_stake_full_limit unstake_all
                    unstake_all_alpha move_stake swap_stake swap_stake_limit set_root_claim_type
                }
            }),
            Self::Registration => Rule::only(calls! {
                SubtensorModule { burned_register register register_limit }
            }),
            Self::Transfer => Rule::only(calls! {
                Balances { transfer_keep_alive transfer_allow_death transfer_all }
                SubtensorModule { transfer_stake }
            }),
            Self::SmallTransfer => Rule::Below(
                SMALL_TRANSFER,
                calls! {
                    Balances { transfer_keep_alive transfer_allow_death }
                    SubtensorModule { transfer_stake }
                },
            ),
            Self::ChildKeys => Rule::only(calls! {
                SubtensorModule { set_children set_childkey_take }
            }),
            Self::SwapHotkey => Rule::only(calls! {
                SubtensorModule { swap_hotkey swap_hotkey_v2 }
            }),
            Self::RootClaim => Rule::only(calls! {
                SubtensorModule { claim_root }
            }),
        }
    }

    /// Whether the public chain keeps the kind for old proxies alone.
    fn is_deprecated(self) -> bool {
        matches!(
            self,
            Self::Senate | Self::Triumvirate | Self::Governance | Self::RootWeights
        )
    }

    /// The kind as clients are told it.
    pub fn info(self) -> ProxyTypeInfo {
        ProxyTypeInfo {
            name: format!("{self:?}").into(),
            index: self as u8,
            deprecated: self.is_deprecated(),
        }
    }

    /// What the kind may do, as clients are told it.
    pub fn filter_info(self) -> ProxyFilterInfo {
        let (filter_mode, calls, exceptions) = match self.rule() {
            Rule::All => (FilterMode::AllowAll, vec![], vec![]),
            Rule::Nothing => (FilterMode::DenyAll, vec![], vec![]),
            Rule::Only(calls, exceptions) => {
                (FilterMode::Allow, (calls.list)(), (exceptions.list)())
            }
            Rule::AllBut(calls) => (FilterMode::Deny, (calls.list)(), vec![]),
            Rule::Below(limit, calls) => {
                let mut calls = (calls.list)();
                for call in &mut calls {
                    call.condition = Some(CallCondition::ParamLessThan {
                        param_name: amount_name(&call.pallet_name).into(),
                        limit: limit.into(),
                    });
                }
                (FilterMode::Allow, calls, vec![])
            }
        };
        let ProxyTypeInfo {
            name,
            index,
            deprecated,
        } = self.info();
        ProxyFilterInfo {
            proxy_type: index,
            name,
            deprecated,
            filter_mode,
            calls,
            exceptions,
        }
    }
}

impl Rule {
    fn only(calls: Calls) -> Self {
        Self::Only(calls, calls! {})
    }

    fn allows(&self, call: &RuntimeCall) -> bool {
        match self {
            Self::All => true,
            Self::Nothing => false,
            Self::Only(calls, exceptions) => (calls.contains)(call) && !(exceptions.contains)(call),
            Self::AllBut(calls) => !(calls.contains)(call),
            Self::Below(limit, calls) => {
                (calls.contains)(call) && amount(call).is_some_and(|amount| amount < *limit)
            }
        }
    }
}

/// The amount that a small transfer is small in.
fn amount(call: &RuntimeCall) -> Option<u64> {
    match call {
        RuntimeCall::Balances(
            Balances::transfer_keep_alive { value, .. }
            | Balances::transfer_allow_death { value, .. },
        ) => Some(*value),
        RuntimeCall::SubtensorModule(SubtensorModule::transfer_stake { alpha_amount, .. }) => {
            Some(*alpha_amount)
        }
        _ => None,
    }
}

/// The argument that is this amount, by the name of the call's pallet.
fn amount_name(pallet: &[u8]) -> &'static str {
    match pallet {
        b"Balances" => "value",
        _ => "alpha_amount",
    }
}

/// A kind of proxy, for clients.
#[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct ProxyTypeInfo {
    /// The kind's name, in ASCII.
    pub name: Vec<u8>,
    /// The kind's number.
    pub index: u8,
    /// Whether the kind is kept for old proxies alone.
    pub deprecated: bool,
}

/// What a kind of proxy may do, for clients.
#[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct ProxyFilterInfo {
    /// The kind's number.
    pub proxy_type: u8,
    /// The kind's name, in ASCII.
    pub name: Vec<u8>,
    /// Whether the kind is kept for old proxies alone.
    pub deprecated: bool,
    /// What the calls mean.
    pub filter_mode: FilterMode,
    /// The calls.
    pub calls: Vec<CallInfo>,
    /// Calls among these that are not meant.
    pub exceptions: Vec<CallInfo>,
}

/// What the calls of a [`ProxyFilterInfo`] mean.
#[derive(Encode, Decode, TypeInfo, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterMode {
    /// There are none: everything is allowed.
    AllowAll,
    /// There are none: nothing is allowed.
    DenyAll,
    /// They alone are allowed.
    Allow,
    /// Everything else is allowed.
    Deny,
}

/// A call, or all of a pallet, for clients.
#[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct CallInfo {
    /// The pallet's name, in ASCII.
    pub pallet_name: Vec<u8>,
    /// The pallet's number.
    pub pallet_index: u8,
    /// The call's name, in ASCII; none is every call of the pallet.
    pub call_name: Option<Vec<u8>>,
    /// The call's number in the pallet.
    pub call_index: Option<u8>,
    /// What must hold of the call besides.
    pub condition: Option<CallCondition>,
}

/// What must hold of a call.
#[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub enum CallCondition {
    /// An argument is below a limit.
    ParamLessThan {
        /// The argument's name, in ASCII.
        param_name: Vec<u8>,
        /// The limit.
        limit: u128,
    },
    /// The call in the call is this one. Public; no rule here says it.
    NestedCallMustBe {
        /// The pallet's name, in ASCII.
        pallet_name: Vec<u8>,
        /// The call's name, in ASCII.
        call_name: Vec<u8>,
    },
}

impl InstanceFilter<RuntimeCall> for ProxyType {
    fn filter(&self, call: &RuntimeCall) -> bool {
        self.rule().allows(call)
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

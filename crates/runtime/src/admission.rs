//! What is refused before it stands in a block.
//!
//! Two extensions of a transaction that add no bytes to it. A call that cannot succeed and would cost its sender
//! nothing must not fill blocks, so it is refused with the public chain's number of the reason, which clients show as
//! `Custom error: <number>`. What only the call itself can find out still fails inside a block with its error.
//!
//! Calls inside other calls (batches, proxies) are not looked at: they cost a fee.

use crate::subtensor::{self, AxonInfo, MIN_STAKE, PrometheusInfo};
use crate::{AccountId, Runtime, RuntimeCall, SubtensorModule};
use codec::{Decode, DecodeWithMemTracking, Encode};
use scale_info::TypeInfo;
use sp_runtime::impl_tx_ext_default;
use sp_runtime::traits::{
    AsSystemOriginSigner, DispatchInfoOf, DispatchOriginOf, TransactionExtension, ValidateResult,
};
use sp_runtime::transaction_validity::{
    InvalidTransaction, TransactionSource, TransactionValidityError, ValidTransaction,
};

type Error = subtensor::Error<Runtime>;
type Call = subtensor::Call<Runtime>;

/// Why a transaction is refused, by the public chain's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// Less than the least stake, or too little stake to set weights.
    StakeAmountTooLow = 1,
    /// The coldkey cannot pay.
    BalanceTooLow = 2,
    /// There is no such subnet.
    SubnetNotExists = 3,
    /// Nobody owns the hotkey.
    HotkeyAccountDoesntExist = 4,
    /// More was asked for than is staked.
    NotEnoughStakeToWithdraw = 5,
    /// Too soon after the last time.
    RateLimitExceeded = 6,
    /// The subnet's stake cannot be transferred.
    TransferDisallowed = 9,
    /// The caller is no neuron of the subnet.
    HotKeyNotRegisteredInNetwork = 10,
    /// The address is none that can be reached.
    InvalidIpAddress = 11,
    /// Too soon after the last announcement.
    ServingRateLimitExceeded = 12,
    /// Port 0.
    InvalidPort = 13,
    /// Lists that belong together differ in length.
    InputLengthsUnequal = 18,
    /// The bytes are no cipher text.
    FailedShieldedTxParsing = 23,
    /// The cipher text is for a key that nobody announced.
    InvalidShieldedTxPubKeyHash = 24,
    /// The hotkey belongs to another coldkey.
    NonAssociatedColdKey = 25,
    /// A lower take than allowed, or lower than the one to be raised.
    DelegateTakeTooLow = 26,
    /// A higher take than allowed.
    DelegateTakeTooHigh = 27,
}

impl From<Refusal> for TransactionValidityError {
    fn from(refusal: Refusal) -> Self {
        InvalidTransaction::Custom(refusal as u8).into()
    }
}

impl Refusal {
    /// The number of a call's error; none if such a failure is left to the call.
    fn of(error: &Error) -> Option<Self> {
        Some(match error {
            Error::HotKeyNotRegisteredInNetwork => Self::HotKeyNotRegisteredInNetwork,
            Error::InvalidIpType | Error::InvalidIpAddress => Self::InvalidIpAddress,
            Error::InvalidPort => Self::InvalidPort,
            Error::ServingRateLimitExceeded => Self::ServingRateLimitExceeded,
            Error::HotKeyAccountNotExists => Self::HotkeyAccountDoesntExist,
            Error::NonAssociatedColdKey => Self::NonAssociatedColdKey,
            Error::DelegateTakeTooLow => Self::DelegateTakeTooLow,
            Error::DelegateTakeTooHigh => Self::DelegateTakeTooHigh,
            Error::DelegateTxRateLimitExceeded => Self::RateLimitExceeded,
            _ => return None,
        })
    }
}

/// Refuses calls of the subtensor pallet that would fail, as [`Refusal`].
#[derive(Encode, Decode, DecodeWithMemTracking, TypeInfo, Clone, Debug, Default, PartialEq, Eq)]
pub struct SubtensorTransactionExtension;

impl TransactionExtension<RuntimeCall> for SubtensorTransactionExtension {
    const IDENTIFIER: &'static str = "SubtensorTransactionExtension";
    type Implicit = ();
    type Val = ();
    type Pre = ();

    fn validate(
        &self,
        origin: DispatchOriginOf<RuntimeCall>,
        call: &RuntimeCall,
        _info: &DispatchInfoOf<RuntimeCall>,
        _len: usize,
        _implicit: (),
        _implication: &impl Encode,
        _source: TransactionSource,
    ) -> ValidateResult<(), RuntimeCall> {
        if let (Some(who), RuntimeCall::SubtensorModule(call)) =
            (origin.as_system_origin_signer(), call)
        {
            check(who, call)?;
        }
        Ok((ValidTransaction::default(), (), origin))
    }

    impl_tx_ext_default!(RuntimeCall; weight prepare);
}

/// Refuses calls of the sudo pallet by anybody but the sudo account.
#[derive(Encode, Decode, DecodeWithMemTracking, TypeInfo, Clone, Debug, Default, PartialEq, Eq)]
pub struct SudoTransactionExtension;

impl TransactionExtension<RuntimeCall> for SudoTransactionExtension {
    const IDENTIFIER: &'static str = "SudoTransactionExtension";
    type Implicit = ();
    type Val = ();
    type Pre = ();

    fn validate(
        &self,
        origin: DispatchOriginOf<RuntimeCall>,
        call: &RuntimeCall,
        _info: &DispatchInfoOf<RuntimeCall>,
        _len: usize,
        _implicit: (),
        _implication: &impl Encode,
        _source: TransactionSource,
    ) -> ValidateResult<(), RuntimeCall> {
        if let (Some(who), RuntimeCall::Sudo(_)) = (origin.as_system_origin_signer(), call)
            && pallet_sudo::Key::<Runtime>::get().as_ref() != Some(who)
        {
            return Err(InvalidTransaction::BadSigner.into());
        }
        Ok((ValidTransaction::default(), (), origin))
    }

    impl_tx_ext_default!(RuntimeCall; weight prepare);
}

fn ensure(holds: bool, otherwise: Refusal) -> Result<(), Refusal> {
    holds.then_some(()).ok_or(otherwise)
}

/// The refusal that a call's own check stands for.
fn judge(checked: Result<(), Error>) -> Result<(), Refusal> {
    match checked.as_ref().map_err(Refusal::of) {
        Err(Some(refusal)) => Err(refusal),
        _ => Ok(()),
    }
}

fn check(who: &AccountId, call: &Call) -> Result<(), Refusal> {
    match call {
        Call::set_weights { netuid, .. }
        | Call::commit_weights { netuid, .. }
        | Call::commit_timelocked_weights { netuid, .. } => check_weights(who, *netuid, 0, true),
        Call::set_mechanism_weights { netuid, mecid, .. }
        | Call::commit_mechanism_weights { netuid, mecid, .. }
        | Call::commit_crv3_mechanism_weights { netuid, mecid, .. }
        | Call::commit_timelocked_mechanism_weights { netuid, mecid, .. } => {
            check_weights(who, *netuid, *mecid, true)
        }
        Call::reveal_weights { netuid, .. } => check_weights(who, *netuid, 0, false),
        Call::reveal_mechanism_weights { netuid, mecid, .. } => {
            check_weights(who, *netuid, *mecid, false)
        }
        Call::batch_reveal_weights {
            netuid,
            uids_list,
            values_list,
            salts_list,
            version_keys,
        } => {
            let lengths = [values_list.len(), salts_list.len(), version_keys.len()];
            let are_equal = lengths.iter().all(|&length| length == uids_list.len());
            ensure(are_equal, Refusal::InputLengthsUnequal)?;
            check_weights(who, *netuid, 0, false)
        }
        Call::batch_set_weights {
            netuids,
            weights,
            version_keys,
        } => ensure(
            netuids.len() == weights.len() && netuids.len() == version_keys.len(),
            Refusal::InputLengthsUnequal,
        ),
        Call::batch_commit_weights {
            netuids,
            commit_hashes,
        } => ensure(
            netuids.len() == commit_hashes.len(),
            Refusal::InputLengthsUnequal,
        ),
        Call::serve_axon {
            netuid,
            ip,
            port,
            ip_type,
            ..
        }
        | Call::serve_axon_tls {
            netuid,
            ip,
            port,
            ip_type,
            ..
        } => {
            let (ip, port, ip_type) = (*ip, *port, *ip_type);
            let axon = AxonInfo {
                ip,
                port,
                ip_type,
                ..AxonInfo::default()
            };
            judge(SubtensorModule::check_axon(who, *netuid, &axon))
        }
        Call::serve_prometheus {
            netuid,
            ip,
            port,
            ip_type,
            ..
        } => {
            let (ip, port, ip_type) = (*ip, *port, *ip_type);
            let prometheus = PrometheusInfo {
                ip,
                port,
                ip_type,
                ..PrometheusInfo::default()
            };
            judge(SubtensorModule::check_prometheus(who, *netuid, &prometheus))
        }
        Call::decrease_take { hotkey, take } => {
            judge(SubtensorModule::check_lower_take(who, hotkey, *take))
        }
        Call::increase_take { hotkey, take } => {
            judge(SubtensorModule::check_higher_take(who, hotkey, *take))
        }
        Call::register_network { .. } | Call::register_network_with_identity { .. } => ensure(
            !SubtensorModule::is_founding_too_soon(),
            Refusal::RateLimitExceeded,
        ),
        other => check_stake(who, other),
    }
}

/// Whether a hotkey may say something about a mechanism's neurons now.
fn check_weights(
    hotkey: &AccountId,
    netuid: u16,
    mechanism: u8,
    is_limited: bool,
) -> Result<(), Refusal> {
    check_subnet(netuid)?;
    let uid = subtensor::Uids::<Runtime>::get(netuid, hotkey)
        .ok_or(Refusal::HotKeyNotRegisteredInNetwork)?;
    let is_owner = subtensor::SubnetOwnerHotkey::<Runtime>::get(netuid) == *hotkey;
    let threshold = subtensor::StakeThreshold::<Runtime>::get();
    ensure(
        is_owner || SubtensorModule::stake_weight(hotkey, netuid) >= threshold,
        Refusal::StakeAmountTooLow,
    )?;
    // What does not exist is the call's to say.
    let Some(index) = SubtensorModule::storage_index(netuid, mechanism).filter(|_| is_limited)
    else {
        return Ok(());
    };
    let last = subtensor::LastUpdate::<Runtime>::get(index)
        .get(usize::from(uid))
        .copied()
        .unwrap_or(0);
    let age = SubtensorModule::now().saturating_sub(last);
    ensure(
        last == 0 || age >= subtensor::WeightsSetRateLimit::<Runtime>::get(netuid),
        Refusal::RateLimitExceeded,
    )
}

/// Whether a coldkey has what it wants to stake, withdraw or move.
fn check_stake(coldkey: &AccountId, call: &Call) -> Result<(), Refusal> {
    match call {
        Call::add_stake {
            hotkey,
            netuid,
            amount_staked,
        }
        | Call::add_stake_limit {
            hotkey,
            netuid,
            amount_staked,
            ..
        } => {
            check_subnet(*netuid)?;
            ensure(*amount_staked >= MIN_STAKE, Refusal::StakeAmountTooLow)?;
            let can_pay = SubtensorModule::can_pay(coldkey, *amount_staked);
            ensure(can_pay, Refusal::BalanceTooLow)?;
            check_hotkey(hotkey)
        }
        Call::remove_stake {
            hotkey,
            netuid,
            amount_unstaked: amount,
        }
        | Call::remove_stake_limit {
            hotkey,
            netuid,
            amount_unstaked: amount,
            ..
        } => check_held(coldkey, hotkey, *netuid, *amount),
        Call::move_stake {
            origin_hotkey,
            destination_hotkey,
            origin_netuid,
            destination_netuid,
            alpha_amount,
        } => {
            check_subnet(*destination_netuid)?;
            check_hotkey(destination_hotkey)?;
            check_held(coldkey, origin_hotkey, *origin_netuid, *alpha_amount)
        }
        Call::transfer_stake {
            hotkey,
            origin_netuid,
            destination_netuid,
            alpha_amount,
            ..
        } => {
            check_subnet(*destination_netuid)?;
            check_held(coldkey, hotkey, *origin_netuid, *alpha_amount)?;
            let are_open = [origin_netuid, destination_netuid]
                .into_iter()
                .all(subtensor::TransferToggle::<Runtime>::get);
            ensure(are_open, Refusal::TransferDisallowed)
        }
        Call::swap_stake {
            hotkey,
            origin_netuid,
            destination_netuid,
            alpha_amount,
        }
        | Call::swap_stake_limit {
            hotkey,
            origin_netuid,
            destination_netuid,
            alpha_amount,
            ..
        } => {
            check_subnet(*destination_netuid)?;
            check_held(coldkey, hotkey, *origin_netuid, *alpha_amount)
        }
        _ => Ok(()),
    }
}

fn check_subnet(netuid: u16) -> Result<(), Refusal> {
    let exists = subtensor::NetworksAdded::<Runtime>::get(netuid);
    ensure(exists, Refusal::SubnetNotExists)
}

fn check_hotkey(hotkey: &AccountId) -> Result<(), Refusal> {
    let exists = subtensor::Owner::<Runtime>::contains_key(hotkey);
    ensure(exists, Refusal::HotkeyAccountDoesntExist)
}

/// Whether a coldkey holds so much of a subnet's token with a hotkey.
fn check_held(
    coldkey: &AccountId,
    hotkey: &AccountId,
    netuid: u16,
    amount: u64,
) -> Result<(), Refusal> {
    check_subnet(netuid)?;
    check_hotkey(hotkey)?;
    let held = SubtensorModule::stake_of(hotkey, coldkey, netuid);
    ensure(amount <= held, Refusal::NotEnoughStakeToWithdraw)
}

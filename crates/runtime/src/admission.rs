//! What is refused before it stands in a block.
//!
//! Two extensions of a transaction that add no bytes to it. A call that cannot succeed and would cost its sender
//! nothing must not fill blocks, so it is refused with the public chain's number of the reason, which clients show as
//! `Custom error: <number>`. What only the call itself can find out still fails inside a block with its error.
//!
//! Calls inside other calls (batches, proxies) are not looked at: they cost a fee.

use crate::subtensor::{self, AxonInfo, Movement, PriceLimit, PrometheusInfo, Reveal};
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
    /// The subnet's pool cannot trade so much, or would give nothing for so little.
    InsufficientLiquidity = 7,
    /// The price would pass the limit.
    SlippageTooHigh = 8,
    /// The subnet's stake cannot be transferred.
    TransferDisallowed = 9,
    /// The caller is no neuron of the subnet, and has no address to announce there.
    HotKeyNotRegisteredInNetwork = 10,
    /// The address is none that can be reached.
    InvalidIpAddress = 11,
    /// Too soon after the last announcement.
    ServingRateLimitExceeded = 12,
    /// Port 0.
    InvalidPort = 13,
    /// The price has passed the limit already, so that nothing at all can be traded.
    ZeroMaxAmount = 14,
    /// The round of the beacon that would open the weights is over.
    InvalidRevealRound = 15,
    /// Nobody committed to what is revealed.
    CommitNotFound = 16,
    /// What was committed to is revealed in another epoch, or not at all any more.
    CommitBlockNotInRevealRange = 17,
    /// Lists that belong together differ in length.
    InputLengthsUnequal = 18,
    /// The caller is no neuron of the subnet, and has no weights to set there.
    UidNotFound = 19,
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
            Error::AmountTooLow | Error::NotEnoughStakeToSetWeights => Self::StakeAmountTooLow,
            Error::NotEnoughBalanceToStake => Self::BalanceTooLow,
            Error::SubnetNotExists => Self::SubnetNotExists,
            Error::NotEnoughStakeToWithdraw => Self::NotEnoughStakeToWithdraw,
            Error::InsufficientLiquidity => Self::InsufficientLiquidity,
            Error::SlippageTooHigh => Self::SlippageTooHigh,
            Error::TransferDisallowed => Self::TransferDisallowed,
            Error::InvalidRevealRound => Self::InvalidRevealRound,
            Error::NoWeightsCommitFound | Error::InvalidRevealCommitHashNotMatch => {
                Self::CommitNotFound
            }
            Error::RevealTooEarly | Error::ExpiredWeightCommit => Self::CommitBlockNotInRevealRange,
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
fn judge<V>(checked: Result<V, Error>) -> Result<(), Refusal> {
    match checked.as_ref().map_err(Refusal::of) {
        Err(Some(refusal)) => Err(refusal),
        _ => Ok(()),
    }
}

fn check(who: &AccountId, call: &Call) -> Result<(), Refusal> {
    match call {
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
        other => check_weights(who, other).and_then(|()| check_stake(who, other)),
    }
}

/// Whether a hotkey can set, commit or reveal these weights now.
fn check_weights(hotkey: &AccountId, call: &Call) -> Result<(), Refusal> {
    match call {
        Call::set_weights { netuid, .. } => check_setting(hotkey, *netuid, 0),
        Call::set_mechanism_weights { netuid, mecid, .. } => check_setting(hotkey, *netuid, *mecid),
        Call::commit_weights { netuid, .. } => check_commit(hotkey, *netuid, 0, None),
        Call::commit_mechanism_weights { netuid, mecid, .. } => {
            check_commit(hotkey, *netuid, *mecid, None)
        }
        Call::commit_timelocked_weights {
            netuid,
            reveal_round,
            ..
        } => check_commit(hotkey, *netuid, 0, Some(*reveal_round)),
        Call::commit_timelocked_mechanism_weights {
            netuid,
            mecid,
            reveal_round,
            ..
        }
        | Call::commit_crv3_mechanism_weights {
            netuid,
            mecid,
            reveal_round,
            ..
        } => check_commit(hotkey, *netuid, *mecid, Some(*reveal_round)),
        Call::reveal_weights {
            netuid,
            uids,
            values,
            salt,
            version_key,
        } => {
            let reveal = (uids.clone(), values.clone(), salt.clone(), *version_key);
            check_reveals(hotkey, *netuid, 0, &[reveal])
        }
        Call::reveal_mechanism_weights {
            netuid,
            mecid,
            uids,
            values,
            salt,
            version_key,
        } => {
            let reveal = (uids.clone(), values.clone(), salt.clone(), *version_key);
            check_reveals(hotkey, *netuid, *mecid, &[reveal])
        }
        Call::batch_reveal_weights {
            netuid,
            uids_list,
            values_list,
            salts_list,
            version_keys,
        } => {
            let lengths = [values_list.len(), salts_list.len(), version_keys.len()];
            check_lengths(uids_list.len(), &lengths)?;
            let (uids, values) = (uids_list.iter().cloned(), values_list.iter().cloned());
            let (salts, versions) = (salts_list.iter().cloned(), version_keys.iter().copied());
            let reveals: Vec<Reveal> = uids
                .zip(values)
                .zip(salts.zip(versions))
                .map(|((uids, values), (salt, version))| (uids, values, salt, version))
                .collect();
            check_reveals(hotkey, *netuid, 0, &reveals)
        }
        Call::batch_set_weights {
            netuids,
            weights,
            version_keys,
        } => {
            check_lengths(netuids.len(), &[weights.len(), version_keys.len()])?;
            let mut netuids = netuids.iter();
            netuids.try_for_each(|netuid| check_stake_weight(hotkey, netuid.0))
        }
        Call::batch_commit_weights {
            netuids,
            commit_hashes,
        } => {
            check_lengths(netuids.len(), &[commit_hashes.len()])?;
            let mut netuids = netuids.iter();
            netuids.try_for_each(|netuid| check_stake_weight(hotkey, netuid.0))
        }
        _ => Ok(()),
    }
}

fn check_lengths(length: usize, others: &[usize]) -> Result<(), Refusal> {
    let are_equal = others.iter().all(|&other| other == length);
    ensure(are_equal, Refusal::InputLengthsUnequal)
}

/// Where weights must be committed to first, setting them openly has no limit of its own.
fn check_setting(hotkey: &AccountId, netuid: u16, mechanism: u8) -> Result<(), Refusal> {
    let uid = check_voice(hotkey, netuid)?;
    if subtensor::CommitRevealWeightsEnabled::<Runtime>::get(netuid) {
        return Ok(());
    }
    check_rate(netuid, mechanism, uid)
}

/// A round is that of a time-locked commit.
fn check_commit(
    hotkey: &AccountId,
    netuid: u16,
    mechanism: u8,
    round: Option<u64>,
) -> Result<(), Refusal> {
    let uid = check_voice(hotkey, netuid)?;
    if let Some(round) = round {
        judge(SubtensorModule::check_round(round))?;
    }
    check_rate(netuid, mechanism, uid)
}

fn check_reveals(
    hotkey: &AccountId,
    netuid: u16,
    mechanism: u8,
    reveals: &[Reveal],
) -> Result<(), Refusal> {
    check_voice(hotkey, netuid)?;
    judge(SubtensorModule::check_reveals(
        hotkey, netuid, mechanism, reveals,
    ))
}

/// Whether a hotkey may say something about a subnet's neurons at all. Returns its uid.
fn check_voice(hotkey: &AccountId, netuid: u16) -> Result<u16, Refusal> {
    let exists = subtensor::NetworksAdded::<Runtime>::get(netuid);
    ensure(exists, Refusal::SubnetNotExists)?;
    let uid = subtensor::Uids::<Runtime>::get(netuid, hotkey).ok_or(Refusal::UidNotFound)?;
    check_stake_weight(hotkey, netuid)?;
    Ok(uid)
}

fn check_stake_weight(hotkey: &AccountId, netuid: u16) -> Result<(), Refusal> {
    let is_owner = subtensor::SubnetOwnerHotkey::<Runtime>::get(netuid) == *hotkey;
    let threshold = subtensor::StakeThreshold::<Runtime>::get();
    ensure(
        is_owner || SubtensorModule::stake_weight(hotkey, netuid) >= threshold,
        Refusal::StakeAmountTooLow,
    )
}

fn check_rate(netuid: u16, mechanism: u8, uid: u16) -> Result<(), Refusal> {
    // A mechanism that does not exist is the call's to name.
    let index = SubtensorModule::storage_index(netuid, mechanism);
    let may = index.is_none_or(|index| SubtensorModule::may_update(netuid, index, uid));
    ensure(may, Refusal::RateLimitExceeded)
}

/// Whether a coldkey has what it wants to stake, withdraw or move, and the pools can trade it.
fn check_stake(coldkey: &AccountId, call: &Call) -> Result<(), Refusal> {
    match call {
        Call::add_stake {
            hotkey,
            netuid,
            amount_staked,
        } => check_adding(coldkey, hotkey, *netuid, *amount_staked, None),
        Call::add_stake_limit {
            hotkey,
            netuid,
            amount_staked,
            limit_price,
            allow_partial,
        } => {
            let limit = PriceLimit::new(*limit_price, *allow_partial);
            check_adding(coldkey, hotkey, *netuid, *amount_staked, Some(limit))
        }
        Call::remove_stake {
            hotkey,
            netuid,
            amount_unstaked,
        } => check_removing(coldkey, hotkey, *netuid, *amount_unstaked, None),
        Call::remove_stake_limit {
            hotkey,
            netuid,
            amount_unstaked,
            limit_price,
            allow_partial,
        } => {
            let limit = PriceLimit::new(*limit_price, *allow_partial);
            check_removing(coldkey, hotkey, *netuid, *amount_unstaked, Some(limit))
        }
        Call::remove_stake_full_limit {
            hotkey,
            netuid,
            limit_price,
        } => {
            let staked = SubtensorModule::stake_of(hotkey, coldkey, *netuid);
            let limit = limit_price.map(|price| PriceLimit::new(price, false));
            check_removing(coldkey, hotkey, *netuid, staked, limit)
        }
        Call::move_stake {
            origin_hotkey,
            destination_hotkey,
            origin_netuid,
            destination_netuid,
            alpha_amount,
        } => {
            let hotkeys = [origin_hotkey, destination_hotkey];
            let netuids = [*origin_netuid, *destination_netuid];
            let movement = Movement::to_hotkey(coldkey, hotkeys, netuids);
            judge(SubtensorModule::check_movement(&movement, *alpha_amount))
        }
        Call::transfer_stake {
            destination_coldkey,
            hotkey,
            origin_netuid,
            destination_netuid,
            alpha_amount,
        } => {
            let coldkeys = [coldkey, destination_coldkey];
            let netuids = [*origin_netuid, *destination_netuid];
            let movement = Movement::to_coldkey(coldkeys, hotkey, netuids);
            judge(SubtensorModule::check_movement(&movement, *alpha_amount))
        }
        Call::swap_stake {
            hotkey,
            origin_netuid,
            destination_netuid,
            alpha_amount,
        } => {
            let netuids = [*origin_netuid, *destination_netuid];
            let movement = Movement::to_subnet(coldkey, hotkey, netuids, None);
            judge(SubtensorModule::check_movement(&movement, *alpha_amount))
        }
        Call::swap_stake_limit {
            hotkey,
            origin_netuid,
            destination_netuid,
            alpha_amount,
            limit_price,
            allow_partial,
        } => {
            let netuids = [*origin_netuid, *destination_netuid];
            let limit = PriceLimit::new(*limit_price, *allow_partial);
            let most =
                SubtensorModule::most_to_move(*origin_netuid, *destination_netuid, *limit_price);
            ensure(most != 0, Refusal::ZeroMaxAmount)?;
            let movement = Movement::to_subnet(coldkey, hotkey, netuids, Some(limit));
            judge(SubtensorModule::check_movement(&movement, *alpha_amount))
        }
        _ => Ok(()),
    }
}

fn check_adding(
    coldkey: &AccountId,
    hotkey: &AccountId,
    netuid: u16,
    amount: u64,
    limit: Option<PriceLimit>,
) -> Result<(), Refusal> {
    let most = limit.map(|limit| SubtensorModule::most_to_buy(netuid, limit.price));
    ensure(most != Some(0), Refusal::ZeroMaxAmount)?;
    judge(SubtensorModule::check_add_stake(
        coldkey, hotkey, netuid, amount, limit,
    ))
}

fn check_removing(
    coldkey: &AccountId,
    hotkey: &AccountId,
    netuid: u16,
    amount: u64,
    limit: Option<PriceLimit>,
) -> Result<(), Refusal> {
    let most = limit.map(|limit| SubtensorModule::most_to_sell(netuid, limit.price));
    ensure(most != Some(0), Refusal::ZeroMaxAmount)?;
    judge(SubtensorModule::check_remove_stake(
        coldkey, hotkey, netuid, amount, limit,
    ))
}

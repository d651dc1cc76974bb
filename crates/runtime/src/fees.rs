//! What transactions are paid with: TAO, or the token that the call gives away.
//!
//! A coldkey whose TAO is all staked could otherwise never withdraw. So where it cannot pay in TAO, a call that takes
//! stake away is paid from the very stake it is about, at the pool's price ([`Pallet::fee_in_alpha`]). As on the
//! public chain, a call about several subnets at once is paid in TAO alone, and what was paid in a token is final:
//! the call may turn out cheaper, and nothing comes back.
//!
//! [`Pallet::fee_in_alpha`]: crate::subtensor::Pallet::fee_in_alpha

use crate::configuration::Recycle;
use crate::subtensor::{Call, Event, FeeInAlpha};
use crate::{AccountId, Balance, Balances, Runtime, RuntimeCall, SubtensorModule};
use pallet_transaction_payment::{FungibleAdapter, OnChargeTransaction, TxCreditHold};
use sp_runtime::traits::{DispatchInfoOf, PostDispatchInfoOf};
use sp_runtime::transaction_validity::{InvalidTransaction, TransactionValidityError};

type InTao = FungibleAdapter<Balances, Recycle>;
type TaoWithdrawn = <InTao as OnChargeTransaction<Runtime>>::LiquidityInfo;

/// Charges fees in TAO, or else in a subnet's token.
pub struct TaoOrAlpha;

/// What was taken from a payer before its call.
pub enum Withdrawn {
    /// TAO, of which what is not needed goes back.
    Tao(TaoWithdrawn),
    /// A subnet's token.
    Alpha(FeeInAlpha),
}

impl Default for Withdrawn {
    fn default() -> Self {
        Self::Tao(None)
    }
}

impl TxCreditHold<Runtime> for TaoOrAlpha {
    type Credit = <InTao as TxCreditHold<Runtime>>::Credit;
}

impl OnChargeTransaction<Runtime> for TaoOrAlpha {
    type Balance = Balance;
    type LiquidityInfo = Withdrawn;

    fn withdraw_fee(
        who: &AccountId,
        call: &RuntimeCall,
        info: &DispatchInfoOf<RuntimeCall>,
        fee_with_tip: Balance,
        tip: Balance,
    ) -> Result<Withdrawn, TransactionValidityError> {
        match <InTao as OnChargeTransaction<Runtime>>::withdraw_fee(
            who,
            call,
            info,
            fee_with_tip,
            tip,
        ) {
            Ok(withdrawn) => Ok(Withdrawn::Tao(withdrawn)),
            Err(too_little) => {
                let (hotkey, netuid) = stake_given_away(who, call).ok_or(too_little)?;
                SubtensorModule::pay_fee_in_alpha(who, &hotkey, netuid, fee_with_tip)
                    .map(Withdrawn::Alpha)
                    .map_err(|_| InvalidTransaction::Payment.into())
            }
        }
    }

    fn can_withdraw_fee(
        who: &AccountId,
        call: &RuntimeCall,
        info: &DispatchInfoOf<RuntimeCall>,
        fee_with_tip: Balance,
        tip: Balance,
    ) -> Result<(), TransactionValidityError> {
        <InTao as OnChargeTransaction<Runtime>>::can_withdraw_fee(
            who,
            call,
            info,
            fee_with_tip,
            tip,
        )
        .or_else(|too_little| {
            let (hotkey, netuid) = stake_given_away(who, call).ok_or(too_little)?;
            SubtensorModule::fee_in_alpha(who, &hotkey, netuid, fee_with_tip)
                .map(|_| ())
                .map_err(|_| InvalidTransaction::Payment.into())
        })
    }

    fn correct_and_deposit_fee(
        who: &AccountId,
        info: &DispatchInfoOf<RuntimeCall>,
        post_info: &PostDispatchInfoOf<RuntimeCall>,
        corrected_fee_with_tip: Balance,
        tip: Balance,
        withdrawn: Withdrawn,
    ) -> Result<(), TransactionValidityError> {
        match withdrawn {
            Withdrawn::Tao(withdrawn) => {
                <InTao as OnChargeTransaction<Runtime>>::correct_and_deposit_fee(
                    who,
                    info,
                    post_info,
                    corrected_fee_with_tip,
                    tip,
                    withdrawn,
                )
            }
            Withdrawn::Alpha(FeeInAlpha { netuid, alpha, tao }) => {
                SubtensorModule::deposit_event(Event::TransactionFeePaidWithAlpha {
                    who: who.clone(),
                    netuid,
                    alpha_fee: alpha,
                    tao_amount: tao,
                });
                Ok(())
            }
        }
    }
}

/// The hotkey and the subnet of the stake that a call takes away; none for any other call, and for one that is about
/// the stake on several subnets.
fn stake_given_away(who: &AccountId, call: &RuntimeCall) -> Option<(AccountId, u16)> {
    let RuntimeCall::SubtensorModule(call) = call else {
        return None;
    };
    match call {
        Call::remove_stake { hotkey, netuid, .. }
        | Call::remove_stake_limit { hotkey, netuid, .. }
        | Call::remove_stake_full_limit { hotkey, netuid, .. }
        | Call::recycle_alpha { hotkey, netuid, .. }
        | Call::burn_alpha { hotkey, netuid, .. }
        | Call::move_stake {
            origin_hotkey: hotkey,
            origin_netuid: netuid,
            ..
        }
        | Call::transfer_stake {
            hotkey,
            origin_netuid: netuid,
            ..
        }
        | Call::swap_stake {
            hotkey,
            origin_netuid: netuid,
            ..
        }
        | Call::swap_stake_limit {
            hotkey,
            origin_netuid: netuid,
            ..
        } => Some((hotkey.clone(), *netuid)),
        Call::unstake_all { hotkey } | Call::unstake_all_alpha { hotkey } => {
            match SubtensorModule::tradable_stake(who, hotkey)[..] {
                [(netuid, _)] => Some((hotkey.clone(), netuid)),
                _ => None,
            }
        }
        _ => None,
    }
}

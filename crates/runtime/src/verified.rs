//! Transactions whose signature has been judged before they come into a block.
//!
//! Judging a signature is the most expensive part of a transfer. A node judges it when the transaction arrives; the
//! author of a block, in the same process, need not do it again. What else [`Executive`] looks at, it looks at here.

use crate::{AccountId, Executive, Runtime, RuntimeCall, System, TxExtension, UncheckedExtrinsic};
use frame_support::dispatch::GetDispatchInfo;
use sp_runtime::generic::{CheckedExtrinsic, ExtrinsicFormat, Preamble};
use sp_runtime::traits::{Applyable, TransactionExtension};
use sp_runtime::transaction_validity::InvalidTransaction;
use sp_runtime::{ApplyExtrinsicResult, MultiAddress};

/// Applies a transaction to the block under way, as [`Executive::apply_extrinsic`] does, but takes its signature for
/// good: call it only with one that [`Executive::validate_transaction`] has taken on this very chain. `encoded` are its
/// bytes.
///
/// # Errors
/// When the transaction cannot stand in this block; the inner error is its call's, and then it can.
pub fn apply(extrinsic: UncheckedExtrinsic, encoded: Vec<u8>) -> ApplyExtrinsicResult {
    let Preamble::Signed(MultiAddress::Id(signer), _, extension) = extrinsic.preamble else {
        return Err(InvalidTransaction::Call.into());
    };
    // What the signature covers without its being sent does not change on a chain, but the block that a transaction was
    // born in may have been forgotten since.
    extension.implicit()?;
    let checked: CheckedExtrinsic<AccountId, RuntimeCall, TxExtension> = CheckedExtrinsic {
        format: ExtrinsicFormat::Signed(signer, extension),
        function: extrinsic.function,
    };
    let info = checked.get_dispatch_info();
    if !System::inherents_applied() {
        Executive::inherents_applied();
    }
    let length = encoded.len();
    System::note_extrinsic(encoded);
    let outcome = checked.apply::<Runtime>(&info, length)?;
    System::note_applied_extrinsic(&outcome, info);
    Ok(outcome.map(|_| ()).map_err(|failure| failure.error))
}

//! Bytes from outside into transactions, bounded before any work is done on them.

use agon_runtime::{AccountId, Nonce, RuntimeCall, UncheckedExtrinsic};
use codec::{Decode, DecodeLimit, Encode};
use sp_core::{H256, Hasher};
use sp_runtime::{MultiAddress, generic::Preamble, traits::BlakeTwo256};

/// The most bytes a transaction may have.
pub const MAX_BYTES: usize = 1 << 20;

/// How deeply calls may be nested in one another. FRAME's own limit is the same, but it decodes once without it.
const MAX_DEPTH: u32 = 256;

/// A transaction that waits for a block.
pub struct Transaction {
    /// BLAKE2b-256 of the bytes.
    pub hash: H256,
    /// Who signed it.
    pub sender: AccountId,
    /// Its place among the sender's transactions.
    pub nonce: Nonce,
    /// The first block number it can no longer stand in.
    pub death: u64,
    /// The bytes as they were submitted.
    pub bytes: Vec<u8>,
    /// The same, decoded.
    pub extrinsic: UncheckedExtrinsic,
}

/// Why bytes are not a transaction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// More than [`MAX_BYTES`].
    #[error("the transaction has {0} bytes and {MAX_BYTES} are allowed")]
    TooLarge(usize),
    /// Not an extrinsic of this runtime, or nested too deeply.
    #[error("{0}")]
    Malformed(codec::Error),
    /// The bytes decode but encode to others.
    #[error("the encoding is not canonical")]
    NotCanonical,
    /// An inherent or another extrinsic without a signature.
    #[error("only signed transactions are taken")]
    Unsigned,
}

impl Transaction {
    /// Decodes a signed extrinsic with its length prefix. The signature is not judged here, and
    /// [`Transaction::death`] is left at "never".
    pub fn decode(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_BYTES {
            return Err(DecodeError::TooLarge(bytes.len()));
        }
        let extrinsic = UncheckedExtrinsic::decode_all_with_depth_limit(MAX_DEPTH, &mut &bytes[..])
            .map_err(DecodeError::Malformed)?;
        // The block holds what the runtime encodes, and clients look for the bytes they sent.
        if extrinsic.encode() != bytes {
            return Err(DecodeError::NotCanonical);
        }
        let Preamble::Signed(MultiAddress::Id(sender), _, extension) = &extrinsic.preamble else {
            return Err(DecodeError::Unsigned);
        };
        let (sender, nonce) = (sender.clone(), extension.5.0);
        Ok(Self {
            hash: BlakeTwo256::hash(&bytes),
            sender,
            nonce,
            death: u64::MAX,
            bytes,
            extrinsic,
        })
    }
}

/// Whether a runtime function may be called with these arguments from outside.
///
/// FRAME decodes the arguments of a native call without a depth limit, and a deeply nested call would overflow
/// the stack, which ends the process. Functions that build blocks are the node's own.
pub fn callable(function: &str, arguments: &[u8]) -> bool {
    let mut arguments = arguments;
    match function {
        "Core_version" => true,
        "TransactionPaymentApi_query_info" | "TransactionPaymentApi_query_fee_details" => {
            UncheckedExtrinsic::decode_with_depth_limit(MAX_DEPTH, &mut arguments).is_ok()
        }
        "TransactionPaymentCallApi_query_call_info"
        | "TransactionPaymentCallApi_query_call_fee_details" => {
            RuntimeCall::decode_with_depth_limit(MAX_DEPTH, &mut arguments).is_ok()
        }
        // The transaction follows its source, one byte.
        "TaggedTransactionQueue_validate_transaction" => {
            u8::decode(&mut arguments).is_ok()
                && UncheckedExtrinsic::decode_with_depth_limit(MAX_DEPTH, &mut arguments).is_ok()
        }
        _ => !function.starts_with("Core_") && !function.starts_with("BlockBuilder_"),
    }
}

//! Errors in the codes and words that clients of Substrate nodes look for.

use crate::{
    author::OrderError, chain::SubmitError, engine::ReadError, pool::Refusal,
    storage::StorageError, transaction::DecodeError,
};
use jsonrpsee::types::{ErrorObjectOwned, error::INVALID_PARAMS_CODE};
use sp_runtime::transaction_validity::InvalidTransaction;

const CLIENT: i32 = -32_000;
const BAD_FORMAT: i32 = 1_001;
const INVALID_TRANSACTION: i32 = 1_010;
const UNKNOWN_VALIDITY: i32 = 1_011;
const ALREADY_IMPORTED: i32 = 1_013;
const TOO_LOW_PRIORITY: i32 = 1_014;
const IMMEDIATELY_DROPPED: i32 = 1_016;
const TOO_MANY_SUBSCRIPTIONS: i32 = -32_006;
const TOO_LARGE_COUNT: i32 = 4_002;

fn error(code: i32, message: impl Into<String>, data: Option<String>) -> ErrorObjectOwned {
    ErrorObjectOwned::owned(code, message, data)
}

/// A parameter that was understood but is out of bounds.
pub fn bad_parameter(reason: impl std::fmt::Display) -> ErrorObjectOwned {
    error(
        INVALID_PARAMS_CODE,
        format!("Invalid params: {reason}"),
        None,
    )
}

/// More items on one page than a page can have.
pub fn too_large_count(value: usize, max: usize) -> ErrorObjectOwned {
    error(
        TOO_LARGE_COUNT,
        format!("count exceeds maximum value. value: {value}, max: {max}"),
        None,
    )
}

/// A failure of the node or of what was asked of it, "Client error" in Substrate's words.
pub fn client(reason: impl std::fmt::Display) -> ErrorObjectOwned {
    error(CLIENT, format!("Client error: {reason}"), None)
}

/// The node has no room for one more subscription.
pub fn too_many_subscriptions() -> ErrorObjectOwned {
    error(
        TOO_MANY_SUBSCRIPTIONS,
        "Too many subscriptions on the node",
        None,
    )
}

impl From<OrderError> for ErrorObjectOwned {
    fn from(failure: OrderError) -> Self {
        match failure {
            OrderError::Read(failure) => failure.into(),
            OrderError::Stopped => client(failure),
            mistake => bad_parameter(mistake),
        }
    }
}

impl From<StorageError> for ErrorObjectOwned {
    fn from(failure: StorageError) -> Self {
        client(failure)
    }
}

impl From<ReadError> for ErrorObjectOwned {
    fn from(failure: ReadError) -> Self {
        match failure {
            ReadError::Runtime(panicked) => client(format!("Execution failed: {panicked}")),
            other => client(other),
        }
    }
}

impl From<SubmitError> for ErrorObjectOwned {
    fn from(failure: SubmitError) -> Self {
        let invalid = |data: String| error(INVALID_TRANSACTION, "Invalid Transaction", Some(data));
        match failure {
            SubmitError::Decode(DecodeError::TooLarge(_)) => {
                invalid(<&str>::from(InvalidTransaction::ExhaustsResources).to_owned())
            }
            SubmitError::Decode(DecodeError::Unsigned) => invalid(<&str>::from(InvalidTransaction::Call).to_owned()),
            SubmitError::Decode(malformed) => {
                error(BAD_FORMAT, format!("Extrinsic has invalid format: {malformed}"), None)
            }
            SubmitError::Invalid(InvalidTransaction::Custom(code)) => invalid(format!("Custom error: {code}")),
            SubmitError::Invalid(reason) => invalid(<&str>::from(reason).to_owned()),
            SubmitError::Unknown(reason) => {
                error(UNKNOWN_VALIDITY, "Unknown Transaction Validity", Some(format!("{reason:?}")))
            }
            SubmitError::Refused { refusal: Refusal::AlreadyImported, hash } => {
                error(ALREADY_IMPORTED, "Transaction Already Imported", Some(format!("{hash:?}")))
            }
            SubmitError::Refused { refusal: Refusal::NonceTaken, .. } => error(
                TOO_LOW_PRIORITY,
                "Priority is too low",
                Some("The transaction has too low priority to replace another transaction already in the pool.".into()),
            ),
            SubmitError::Refused { .. } => error(
                IMMEDIATELY_DROPPED,
                "Immediately Dropped",
                Some("The transaction couldn't enter the pool because of the limit".into()),
            ),
            SubmitError::Read(failure) => failure.into(),
        }
    }
}

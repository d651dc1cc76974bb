//! Loans that a crowd gives, which this chain does not carry out.
//!
//! Clients read the public pallet's storage and constants by name, so they are declared. There are never any loans.

// The names are the public chain's; about each of them there is nothing to say.
#[allow(missing_docs)]
mod declared;
mod types;

pub use declared::pallet;
pub use pallet::*;
pub use types::CrowdloanInfo;

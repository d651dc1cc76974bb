//! Values of the public pallet, in its layout.

use crate::RuntimeCall;
use codec::{Decode, Encode};
use frame_support::traits::Bounded;
use scale_info::TypeInfo;
use sp_runtime::AccountId32;
use sp_runtime::traits::BlakeTwo256;

/// A loan. Amounts are in rao.
#[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct CrowdloanInfo {
    /// Who asks for it.
    pub creator: AccountId32,
    /// What the creator gave first.
    pub deposit: u64,
    /// The least one can give.
    pub min_contribution: u64,
    /// The last block in which one can give.
    pub end: u32,
    /// What is asked for.
    pub cap: u64,
    /// The account that holds what was given.
    pub funds_account: AccountId32,
    /// What was given.
    pub raised: u64,
    /// Who receives it.
    pub target_address: Option<AccountId32>,
    /// What is called when it is received.
    pub call: Option<Bounded<RuntimeCall, BlakeTwo256>>,
    /// Whether it was received.
    pub finalized: bool,
    /// How many gave.
    pub contributors_count: u32,
}

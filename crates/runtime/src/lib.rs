//! The FRAME runtime of the chain, executed natively.
//!
//! Pallets stand at the public Subtensor chain's indices with its names, storage keys, calls, events and
//! errors, so that one client speaks to both. A node runs this crate in-process over an authenticated state.
//!
//! What it refuses to do: it knows nothing of machine learning, files, sockets or clocks; everything it
//! reads comes from its storage and its arguments. It is not built to WASM and reaches no consensus.

// FRAME's macros put public items without documentation into the root and into `apis`.
#![allow(missing_docs)]

#[warn(missing_docs)]
pub mod admin_utils;
#[warn(missing_docs)]
pub mod admission;
mod apis;
#[warn(missing_docs)]
pub mod aura;
#[warn(missing_docs)]
pub mod commitments;
mod configuration;
#[warn(missing_docs)]
pub mod crowdloan;
#[warn(missing_docs)]
pub mod drand;
#[warn(missing_docs)]
pub mod fees;
#[warn(missing_docs)]
pub mod genesis;
#[warn(missing_docs)]
pub mod info;
#[warn(missing_docs)]
pub mod not_here;
#[warn(missing_docs)]
pub mod proxies;
#[warn(missing_docs)]
pub mod shield;
#[warn(missing_docs)]
pub mod subtensor;
#[warn(missing_docs)]
pub mod swap;
#[warn(missing_docs)]
pub mod verified;
#[warn(missing_docs)]
pub mod yuma;

pub use apis::api;

use sp_runtime::{AccountId32, MultiAddress, MultiSignature, generic, traits::BlakeTwo256};
use sp_version::RuntimeVersion;

/// A public key that holds a balance or a neuron.
pub type AccountId = AccountId32;
/// An amount of money in rao; one TAO is 10^9 rao.
pub type Balance = u64;
/// How many transactions an account has sent.
pub type Nonce = u32;
/// A block's header; block numbers are u32 and hashes BLAKE2b-256.
pub type Header = generic::Header<u32, BlakeTwo256>;
/// What surrounds a call in a transaction, in the public chain's order.
///
/// The public chain has one more that adds no bytes; clients read the list from the metadata.
pub type TxExtension = (
    frame_system::CheckNonZeroSender<Runtime>,
    frame_system::CheckSpecVersion<Runtime>,
    frame_system::CheckTxVersion<Runtime>,
    frame_system::CheckGenesis<Runtime>,
    shield::CheckMortality,
    frame_system::CheckNonce<Runtime>,
    frame_system::CheckWeight<Runtime>,
    pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
    admission::SudoTransactionExtension,
    shield::CheckShieldedTxValidity,
    admission::SubtensorTransactionExtension,
    frame_metadata_hash_extension::CheckMetadataHash<Runtime>,
);
/// A transaction or inherent as it stands in a block.
pub type UncheckedExtrinsic = generic::UncheckedExtrinsic<
    MultiAddress<AccountId, ()>,
    RuntimeCall,
    MultiSignature,
    TxExtension,
>;
/// A block.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;
/// Executes blocks and checks transactions.
pub type Executive = frame_executive::Executive<
    Runtime,
    Block,
    frame_system::ChainContext<Runtime>,
    Runtime,
    AllPalletsWithSystem,
>;

/// The runtime's version.
///
/// Clients cache the metadata by `spec_version`: whoever changes a pallet's items must raise it. The number
/// is our own and is far from the public chain's, so that no cache can confuse the two.
pub const VERSION: RuntimeVersion = RuntimeVersion {
    spec_name: std::borrow::Cow::Borrowed("node-subtensor"),
    impl_name: std::borrow::Cow::Borrowed("agon"),
    authoring_version: 1,
    spec_version: 1_000_003,
    impl_version: 1,
    apis: apis::RUNTIME_API_VERSIONS,
    transaction_version: 1,
    system_version: 1,
};

// The generated enums (RuntimeCall, RuntimeEvent, ...) must stand in the crate's root: clients find them by a
// registry path of exactly two segments.
frame_support::construct_runtime!(
    pub struct Runtime {
        System: frame_system = 0,
        Timestamp: pallet_timestamp = 2,
        Aura: aura = 3,
        Balances: pallet_balances = 5,
        TransactionPayment: pallet_transaction_payment = 6,
        SubtensorModule: subtensor = 7,
        Utility: pallet_utility = 11,
        Sudo: pallet_sudo = 12,
        Proxy: pallet_proxy = 16,
        Commitments: commitments = 18,
        AdminUtils: admin_utils = 19,
        Drand: drand = 26,
        Crowdloan: crowdloan = 27,
        Swap: swap = 28,
        MevShield: shield = 30,
        NotHere: not_here = 200,
    }
);

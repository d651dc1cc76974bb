//! Being a participant of a network: reading a chain, asking it for something, asking other neurons and being asked.
//!
//! One client serves the embedded chain and public Subtensor alike. It speaks the JSON-RPC that
//! both offer and resolves every pallet, call, storage item and error by name from the metadata of
//! the block it looks at, so that a runtime upgrade (a `u16` that becomes a `NetUid`, an index
//! that moves) does not need a new client.
//!
//! * [`ChainClient`] connects, finds finalised blocks and waits for them;
//! * [`ChainState`] reads, always at one finalised block;
//! * [`Metagraph`] is an immutable copy of a subnet at one block, and [`Commitment`] what a hotkey
//!   has published there;
//! * [`Call`] says what is wanted, a [`Signer`] stands for it, and [`ChainClient::submit`] or
//!   [`ChainClient::prepare`] with [`ChainClient::send`] bring it into a block, once;
//! * [`axon`] answers signed requests of other neurons, [`dendrite`] asks them, and [`peer`] is what both speak.
//!
//! What this crate refuses to do: it keeps no keys and opens no file but the lease of [`axon::Replay`]; it knows no type of any
//! runtime at compile time and nothing of machine learning; it decides no weights; it never signs
//! a second transaction because the first one got no answer; it waits for nothing without a
//! deadline; and it panics on nothing that a chain may say.

pub mod axon;
mod call;
mod client;
mod commit;
mod commitments;
mod connection;
pub mod dendrite;
mod follow;
mod hash;
mod hyperparameters;
mod limits;
mod metagraph;
pub mod peer;
mod sealed;
mod shares;
mod signed;
mod signer;
mod stake;
mod state;
mod submit;
mod subnet;
mod times;
mod weights;

/// The randomness beacon of a chain, as [`ChainState::beacon`] reads it.
pub use agon_timelock::Beacon;
pub use call::{Call, DataTooLong, Limit};
pub use client::{ChainClient, GiveError};
pub use commit::{HashedWeights, NoRandomness, Schedule};
pub use commitments::Commitment;
pub use connection::{ConnectError, Deadlines, ReadError};
pub use follow::Follower;
pub use hash::H256;
pub use hyperparameters::{BadSetting, Freeze, HYPERPARAMETERS, Hyperparameter, Setting};
pub use metagraph::{Axon, Columns, Inconsistent, Metagraph, Weights};
pub use sealed::{RevealedCommitment, SealError, SealedCommitment};
pub use shares::{BadScore, WeightLimits, weigh};
pub use signed::SignedBytes;
pub use signer::Signer;
pub use stake::Stake;
pub use state::{ChainState, Epoch, Hyperparameters};
pub use submit::{Event, Outcome, PrepareError, SignedCall};
pub use subnet::{Identity, ROOT, Subnet, TAO, Trade};
/// One argument of a call, as [`Call::admin`] takes them: numbers and booleans convert into it.
pub use subxt::dynamic::Value;
pub use weights::{RevealTime, WeightCommit};

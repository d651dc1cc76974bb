//! Time-lock encryption under a drand beacon: what is encrypted to a round can be read by everybody once the beacon
//! has published that round's signature, and by nobody before.
//!
//! A beacon ([`Beacon`]) signs the numbers of rounds that follow one another in a fixed period. A [`Ciphertext`] is
//! sealed to a round under the beacon's [`PublicKey`] and opens with the round's [`Signature`]. The bytes are exactly
//! those the public chain's clients make. Beside it stand the two things that weights are committed with: the plain
//! text that is time-locked ([`WeightsPlaintext`]) and the hash of the older form ([`weights_hash`]).
//!
//! What it refuses to do: it draws no randomness, reads no clock and opens no connection; all three are arguments.
//! Whatever bytes it is given, it answers with an error and never panics.

mod beacon;
mod ciphertext;
mod weights;

pub use beacon::{Beacon, BeaconKey, InvalidPoint, PublicKey, QUICKNET_CHAIN_HASH, Signature};
pub use ciphertext::{Ciphertext, Envelope, OpenError, ParseError, Randomness};
pub use weights::{WeightsPlaintext, weights_hash};

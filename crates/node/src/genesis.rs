//! The first state of development networks.

use crate::beacon;
use agon_runtime::{AccountId, Balance, genesis::Genesis};
use sp_core::{Pair, sr25519};

/// One TAO in rao.
pub const TAO: Balance = 1_000_000_000;

/// Who owns what on every development network, in TAO.
const ENDOWED: [(&str, Balance); 6] = [
    ("Alice", 1_000_000),
    ("Bob", 1_000_000),
    ("Charlie", 1_000_000),
    ("Dave", 2_000),
    ("Eve", 2_000),
    ("Ferdie", 2_000),
];

/// The sr25519 key pair `//name` of the well-known development phrase. Anybody has it.
///
/// # Panics
/// When `name` cannot stand in a derivation path; names of letters and digits can.
pub fn development_pair(name: &str) -> sr25519::Pair {
    sr25519::Pair::from_string(&format!("//{name}"), None)
        .expect("letters and digits make a derivation path")
}

/// The account of [`development_pair`].
///
/// # Panics
/// As [`development_pair`].
pub fn development_account(name: &str) -> AccountId {
    development_pair(name).public().into()
}

/// A development network: Alice, Bob and Charlie own a million TAO each, Dave, Eve and Ferdie two thousand, Alice may
/// call as root, and `additional` accounts own what is said (rao). The node itself is the beacon of its randomness.
pub fn development(additional: &[(AccountId, Balance)]) -> Genesis {
    let named = ENDOWED
        .iter()
        .map(|(name, tao)| (development_account(name), tao * TAO));
    Genesis {
        endowed: named.chain(additional.iter().cloned()).collect(),
        sudo: development_account("Alice"),
        beacon: Some(beacon::development()),
    }
}

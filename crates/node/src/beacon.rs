//! The pulses of the chain's randomness beacon, on their way into blocks.
//!
//! On development networks the node itself is the beacon, with a key that anybody has. Its rounds are quicknet's, in
//! number and time, so that what the public clients commit is as valid here as there. A chain that is moved forward
//! finds what its commits wait for published. Another beacon's pulses come from a drand endpoint, if there is one.

use crate::drand::Endpoint;
use agon_runtime::{
    Commitments, Runtime, RuntimeCall, SubtensorModule, System, UncheckedExtrinsic,
    drand::{self, Pulse, PulsesPayload},
};
use agon_timelock::{Beacon, BeaconKey, PublicKey};
use pallet_timestamp::Now;
use sp_core::sr25519;
use sp_runtime::MultiSigner;
use std::{collections::BTreeSet, sync::LazyLock, time::UNIX_EPOCH};

/// The most rounds without a reader that one block catches up with. A chain that has slept needs no others.
const MAX_ROUNDS: u64 = 64;

static KEY: LazyLock<BeaconKey> = LazyLock::new(|| BeaconKey::from_seed(b"development"));
static PUBLIC_KEY: LazyLock<PublicKey> = LazyLock::new(|| KEY.public_key());

/// The beacon of development networks.
pub fn development() -> Beacon {
    Beacon {
        public_key: *PUBLIC_KEY,
        ..Beacon::quicknet()
    }
}

/// The extrinsic that brings the pulses of the rounds that are due, if any can be had: this node's own where the chain
/// trusts it, and otherwise those that the endpoint has given so far. Call it inside a block, in the runtime's
/// externalities, after the block's time is set.
pub fn due_pulses(endpoint: Option<&Endpoint>) -> Option<UncheckedExtrinsic> {
    let configuration = drand::BeaconConfig::<Runtime>::get();
    let beacon = configuration.beacon()?;
    let is_own = beacon.public_key == *PUBLIC_KEY;
    if !is_own && endpoint.is_none() {
        return None;
    }
    let rounds = due_rounds(&beacon);
    let pulses: Vec<Pulse> = match endpoint.filter(|_| !is_own) {
        None => rounds
            .into_iter()
            .map(|round| Pulse::new(round, &KEY.sign(round)))
            .collect(),
        Some(endpoint) => endpoint
            .take(beacon.public_key, &configuration.hash, rounds)
            .into_iter()
            .map(|(round, signature)| Pulse::new(round, &signature))
            .collect(),
    };
    if pulses.is_empty() {
        return None;
    }
    let pulses_payload = PulsesPayload {
        block_number: System::block_number(),
        pulses,
        public: MultiSigner::Sr25519(sr25519::Public::default()),
    };
    Some(UncheckedExtrinsic::new_bare(RuntimeCall::Drand(
        drand::Call::write_pulse {
            pulses_payload,
            signature: None,
        },
    )))
}

/// The rounds since the last one; of a long absence the newest, and before them what a commit waits for. A new chain
/// begins with the newest round alone.
///
/// A chain that was moved forward is ahead of the clock. Of the rounds that are due by its time alone only those come
/// that a commit waits for: all others must stay open, because clients choose theirs by the clock.
fn due_rounds(beacon: &Beacon) -> BTreeSet<u64> {
    let time = Now::<Runtime>::get() / 1000;
    let clock = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let newest = beacon.round_at(time.min(clock));
    let last = match drand::LastStoredRound::<Runtime>::get() {
        0 => newest.saturating_sub(1),
        last => last,
    };
    let next = last.saturating_add(1);
    let first = newest.saturating_sub(MAX_ROUNDS - 1).max(next);
    let due = next..=beacon.round_at(time);
    let awaited = SubtensorModule::awaited_rounds().chain(Commitments::awaited_rounds());
    (first..=newest)
        .chain(awaited.filter(|round| due.contains(round)))
        .collect()
}

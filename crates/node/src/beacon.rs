//! The randomness beacon of development networks: the node itself, with a key that anybody has.
//!
//! Its rounds are quicknet's, in number and time, so that what the public clients commit is as valid here as there. It
//! goes by the chain's own time: a chain that is moved forward finds its rounds published.

use agon_runtime::{
    Commitments, Runtime, RuntimeCall, SubtensorModule, System, UncheckedExtrinsic,
    drand::{self, Pulse, PulsesPayload},
};
use agon_timelock::{Beacon, BeaconKey};
use pallet_timestamp::Now;
use sp_core::sr25519;
use sp_runtime::MultiSigner;
use std::{collections::BTreeSet, sync::LazyLock};

/// The most rounds without a reader that one block catches up with. A chain that has slept needs no others.
const MAX_ROUNDS: u64 = 64;

static KEY: LazyLock<BeaconKey> = LazyLock::new(|| BeaconKey::from_seed(b"development"));

/// The beacon of development networks.
pub fn development() -> Beacon {
    Beacon {
        public_key: KEY.public_key(),
        ..Beacon::quicknet()
    }
}

/// The extrinsic that brings the pulses of the rounds that are due, if this node is the chain's beacon. Call it inside
/// a block, in the runtime's externalities, after the block's time is set.
pub fn due_pulses() -> Option<UncheckedExtrinsic> {
    let beacon = drand::BeaconConfig::<Runtime>::get().beacon()?;
    if beacon.public_key != KEY.public_key() {
        return None;
    }
    let rounds = due_rounds(&beacon);
    if rounds.is_empty() {
        return None;
    }
    let pulses = rounds
        .into_iter()
        .map(|round| Pulse::new(round, &KEY.sign(round)))
        .collect();
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

/// The newest rounds since the last one, and of those between that are left out the ones that a commit waits for.
fn due_rounds(beacon: &Beacon) -> BTreeSet<u64> {
    let last = drand::LastStoredRound::<Runtime>::get();
    let newest = beacon.round_at(Now::<Runtime>::get() / 1000);
    let first = newest
        .saturating_sub(MAX_ROUNDS - 1)
        .max(last.saturating_add(1));
    let mut rounds: BTreeSet<u64> = (first..=newest).collect();
    if first - 1 > last {
        let awaited = SubtensorModule::awaited_rounds().chain(Commitments::awaited_rounds());
        rounds.extend(awaited.filter(|round| (last + 1..first).contains(round)));
    }
    rounds
}

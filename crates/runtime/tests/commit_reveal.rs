//! Weights and commitments that are committed first and revealed later, on the real runtime.

mod support;

use agon_runtime::commitments::{
    self, CommitmentInfo, CommitmentOf, Data, LastBondsReset, RevealedCommitments, TimelockedIndex,
};
use agon_runtime::drand::{
    self, BeaconConfiguration, BeaconConfigurationPayload, Pulse, PulsesPayload,
};
use agon_runtime::subtensor::{self, *};
use agon_runtime::{Runtime, RuntimeEvent, RuntimeOrigin, System, admin_utils};
use agon_timelock::{Beacon, BeaconKey, Ciphertext, Randomness, WeightsPlaintext, weights_hash};
use codec::{Compact, Encode};
use frame_support::traits::Get;
use sp_core::{H256, sr25519};
use sp_runtime::traits::{BlakeTwo256, Dispatchable, Hash};
use sp_runtime::{DispatchResult, MultiSigner};
use std::sync::LazyLock;
use support::*;

static KEY: LazyLock<BeaconKey> = LazyLock::new(|| BeaconKey::from_seed(b"tests"));
/// The newest round at the beginning of the tests.
const ROUND: u64 = 100;
const SALT: [u16; 3] = [7, 8, 9];
const WEIGHTS: [(u16, u16); 2] = [(3, 65535), (4, 32768)];

fn public() -> MultiSigner {
    MultiSigner::Sr25519(sr25519::Public::default())
}

fn as_author(call: drand::Call<Runtime>) -> DispatchResult {
    let outcome = agon_runtime::RuntimeCall::from(call).dispatch(RuntimeOrigin::none());
    outcome.map(|_| ()).map_err(|failure| failure.error)
}

fn write(pulses: Vec<Pulse>) -> drand::Call<Runtime> {
    drand::Call::write_pulse {
        pulses_payload: PulsesPayload {
            block_number: System::block_number(),
            pulses,
            public: public(),
        },
        signature: None,
    }
}

fn publish(rounds: impl IntoIterator<Item = u64>) -> DispatchResult {
    let pulse = |round| Pulse::new(round, &KEY.sign(round));
    as_author(write(rounds.into_iter().map(pulse).collect()))
}

fn trust(beacon: &Beacon) -> drand::Call<Runtime> {
    drand::Call::set_beacon_config {
        config_payload: BeaconConfigurationPayload {
            block_number: System::block_number(),
            config: BeaconConfiguration::local(beacon),
            public: public(),
        },
        signature: None,
    }
}

/// [`chain_with_validators`] with commit-reveal on, a beacon of its own and round [`ROUND`] published.
fn chain_with_commits() -> sp_io::TestExternalities {
    let mut externalities = chain_with_validators();
    externalities.execute_with(|| {
        let beacon = Beacon {
            public_key: KEY.public_key(),
            ..Beacon::quicknet()
        };
        root(trust(&beacon)).unwrap();
        publish([ROUND]).unwrap();
        switch(true);
    });
    externalities
}

fn switch(enabled: bool) {
    root(admin_utils::Call::sudo_set_commit_reveal_weights_enabled {
        netuid: NETUID,
        enabled,
    })
    .unwrap();
}

fn now() -> u64 {
    System::block_number().into()
}

fn hash(who: &str, weights: &[(u16, u16)], salt: &[u16], version_key: u64) -> H256 {
    let (uids, values): (Vec<u16>, Vec<u16>) = weights.iter().copied().unzip();
    let hotkey: [u8; 32] = account(who).into();
    H256(weights_hash(
        &hotkey,
        NETUID,
        &uids,
        &values,
        salt,
        version_key,
    ))
}

fn commit(who: &str, commit_hash: H256) -> DispatchResult {
    let netuid = NETUID;
    call(
        who,
        subtensor::Call::commit_weights {
            netuid,
            commit_hash,
        },
    )
}

fn reveal(who: &str, weights: &[(u16, u16)], salt: &[u16]) -> DispatchResult {
    let (uids, values) = weights.iter().copied().unzip();
    let reveal = subtensor::Call::reveal_weights {
        netuid: NETUID,
        uids,
        values,
        salt: salt.to_vec(),
        version_key: 0,
    };
    call(who, reveal)
}

fn seal(round: u64, text: &[u8]) -> Vec<u8> {
    let randomness = Randomness {
        key: [1; 32],
        sigma: [2; 32],
        nonce: [3; 12],
    };
    Ciphertext::seal(&KEY.public_key(), round, text, &randomness).to_bytes()
}

fn sealed_weights(named: Option<&str>, round: u64, weights: &[(u16, u16)]) -> Vec<u8> {
    let (uids, values) = weights.iter().copied().unzip();
    let text = WeightsPlaintext {
        hotkey: named.map(|name| account(name).into()),
        uids,
        values,
        version_key: 0,
    };
    seal(round, &text.to_bytes())
}

fn timelock(who: &str, commit: Vec<u8>, reveal_round: u64) -> DispatchResult {
    let commit = subtensor::Call::commit_timelocked_weights {
        netuid: NETUID,
        commit: commit.try_into().unwrap(),
        reveal_round,
        commit_reveal_version: 4,
    };
    call(who, commit)
}

#[test]
fn hashed_weights_are_set_by_their_reveal() {
    chain_with_commits().execute_with(|| {
        let own = hash("v1", &WEIGHTS, &SALT, 0);
        let epoch = SubnetEpochIndex::<Runtime>::get(NETUID);
        next_block();
        commit("v1", own).unwrap();
        let stored = WeightCommits::<Runtime>::get(NETUID, account("v1")).unwrap();
        assert_eq!(stored, [(own, epoch, now(), 0)]);
        assert_eq!(LastUpdate::<Runtime>::get(NETUID)[1], now());
        let told = subtensor::Event::WeightsCommitted(account("v1"), NETUID, own);
        assert_eq!(events().last(), Some(&told));
        let committed = now();

        assert_eq!(name(reveal("v1", &WEIGHTS, &SALT)), "RevealTooEarly");
        assert_eq!(name(reveal("v2", &WEIGHTS, &SALT)), "NoWeightsCommitFound");
        run_to_epoch();
        assert_eq!(
            name(reveal("v1", &WEIGHTS, &[7])),
            "InvalidRevealCommitHashNotMatch"
        );
        reveal("v1", &WEIGHTS, &SALT).unwrap();
        assert_eq!(Weights::<Runtime>::get(NETUID, 1), WEIGHTS);
        assert_eq!(LastUpdate::<Runtime>::get(NETUID)[1], committed);
        assert!(!WeightCommits::<Runtime>::contains_key(
            NETUID,
            account("v1")
        ));
        let told = subtensor::Event::WeightsRevealed(account("v1"), NETUID, own);
        assert_eq!(events().last(), Some(&told));
        assert_eq!(name(reveal("v1", &WEIGHTS, &SALT)), "NoWeightsCommitFound");
    });
}

#[test]
fn what_is_not_revealed_in_its_epoch_expires() {
    chain_with_commits().execute_with(|| {
        commit("v1", hash("v1", &WEIGHTS, &SALT, 0)).unwrap();
        run_to_epoch();
        let later = [(3, 65535)];
        commit("v1", hash("v1", &later, &SALT, 0)).unwrap();
        run_to_epoch();
        assert_eq!(name(reveal("v1", &WEIGHTS, &SALT)), "ExpiredWeightCommit");
        reveal("v1", &later, &SALT).unwrap();
        // The queue is empty now, and an old commit alone says why it is not taken.
        commit("v1", hash("v1", &WEIGHTS, &SALT, 0)).unwrap();
        run_to_epoch();
        run_to_epoch();
        assert_eq!(name(reveal("v1", &WEIGHTS, &SALT)), "ExpiredWeightCommit");
        assert_eq!(name(reveal("v1", &later, &[1])), "NoWeightsCommitFound");
    });
}

#[test]
fn a_reveal_supersedes_what_was_committed_before_it() {
    chain_with_commits().execute_with(|| {
        for salt in 0..3 {
            commit("v1", hash("v1", &WEIGHTS, &[salt], 0)).unwrap();
        }
        run_to_epoch();
        reveal("v1", &WEIGHTS, &[1]).unwrap();
        let left = WeightCommits::<Runtime>::get(NETUID, account("v1")).unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!(
            name(reveal("v1", &WEIGHTS, &[0])),
            "InvalidRevealCommitHashNotMatch"
        );
        // A reveal whose weights are refused leaves the commit where it was.
        root(admin_utils::Call::sudo_set_stake_threshold {
            min_stake: u64::MAX,
        })
        .unwrap();
        assert_eq!(
            name(reveal("v1", &WEIGHTS, &[2])),
            "NotEnoughStakeToSetWeights"
        );
        assert_eq!(
            WeightCommits::<Runtime>::get(NETUID, account("v1")),
            Some(left)
        );
    });
}

#[test]
fn commits_are_checked_in_order() {
    chain_with_commits().execute_with(|| {
        let h = H256::zero();
        let on = |netuid| subtensor::Call::commit_weights {
            netuid,
            commit_hash: h,
        };
        assert_eq!(name(call("v1", on(9))), "MechanismDoesNotExist");
        let mechanism = subtensor::Call::commit_mechanism_weights {
            netuid: NETUID,
            mecid: 1,
            commit_hash: h,
        };
        assert_eq!(name(call("v1", mechanism)), "MechanismDoesNotExist");
        switch(false);
        assert_eq!(name(commit("nobody", h)), "CommitRevealDisabled");
        assert_eq!(
            name(reveal("nobody", &WEIGHTS, &SALT)),
            "CommitRevealDisabled"
        );
        assert_eq!(name(timelock("nobody", vec![], 1)), "CommitRevealDisabled");
        switch(true);
        assert_eq!(name(commit("nobody", h)), "HotKeyNotRegisteredInSubNet");
        root(admin_utils::Call::sudo_set_weights_set_rate_limit {
            netuid: NETUID,
            weights_set_rate_limit: 5,
        })
        .unwrap();
        run_blocks(5);
        commit("v1", h).unwrap();
        assert_eq!(name(commit("v1", h)), "CommittingWeightsTooFast");
        assert_eq!(
            name(timelock("v1", vec![], u64::MAX)),
            "CommittingWeightsTooFast"
        );
        run_blocks(5);
        commit("v1", h).unwrap();
    });
}

#[test]
fn ten_hashes_wait_at_most() {
    chain_with_commits().execute_with(|| {
        for salt in 0..10 {
            commit("v1", hash("v1", &WEIGHTS, &[salt], 0)).unwrap();
        }
        let eleventh = hash("v1", &WEIGHTS, &[10], 0);
        assert_eq!(name(commit("v1", eleventh)), "TooManyUnrevealedCommits");
        commit("v2", eleventh).unwrap();
        run_to_epoch();
        assert_eq!(name(commit("v1", eleventh)), "TooManyUnrevealedCommits");
        run_to_epoch();
        // The expired ones make room.
        commit("v1", eleventh).unwrap();
        let left = WeightCommits::<Runtime>::get(NETUID, account("v1")).unwrap();
        assert_eq!(left.len(), 1);
    });
}

#[test]
fn batches_tell_what_failed_in_them() {
    chain_with_commits().execute_with(|| {
        let (a, b) = (
            hash("v1", &WEIGHTS, &[1], 0),
            hash("v1", &[(3, 65535)], &[2], 0),
        );
        let batch = |netuids: &[u16], commit_hashes| subtensor::Call::batch_commit_weights {
            netuids: netuids.iter().map(|netuid| Compact(*netuid)).collect(),
            commit_hashes,
        };
        assert_eq!(
            name(call("v1", batch(&[NETUID], vec![]))),
            "InputLengthsUnequal"
        );
        call("v1", batch(&[NETUID, NETUID], vec![a, b])).unwrap();
        let netuids = vec![Compact(NETUID), Compact(NETUID)];
        let told = subtensor::Event::BatchWeightsCompleted(netuids, account("v1"));
        assert_eq!(events().last(), Some(&told));
        next_block();
        call("v1", batch(&[9, NETUID], vec![a, a])).unwrap();
        let missing = Error::<Runtime>::MechanismDoesNotExist.into();
        let found = events();
        let told = &found[found.len() - 3..];
        assert_eq!(
            told[0],
            subtensor::Event::WeightsCommitted(account("v1"), NETUID, a)
        );
        assert_eq!(told[1], subtensor::Event::BatchWeightItemFailed(9, missing));
        assert_eq!(told[2], subtensor::Event::BatchCompletedWithErrors);

        run_to_epoch();
        let reveals = |salts: Vec<Vec<u16>>| subtensor::Call::batch_reveal_weights {
            netuid: NETUID,
            uids_list: vec![vec![3], vec![3, 4]],
            values_list: vec![vec![65535], vec![65535, 32768]],
            salts_list: salts,
            version_keys: vec![0, 0],
        };
        assert_eq!(
            name(call("v1", reveals(vec![vec![2]]))),
            "InputLengthsUnequal"
        );
        assert_eq!(
            name(call("v1", reveals(vec![vec![2], vec![3]]))),
            "InvalidRevealCommitHashNotMatch"
        );
        assert_eq!(Weights::<Runtime>::iter().count(), 0);
        call("v1", reveals(vec![vec![2], vec![1]])).unwrap();
        assert_eq!(Weights::<Runtime>::get(NETUID, 1), WEIGHTS);
        let told = subtensor::Event::WeightsBatchRevealed(account("v1"), NETUID, vec![b, a]);
        assert_eq!(events().last(), Some(&told));
    });
}

#[test]
fn a_batch_of_weights_is_for_open_subnets() {
    chain_with_commits().execute_with(|| {
        let batch = subtensor::Call::batch_set_weights {
            netuids: vec![Compact(NETUID)],
            weights: vec![vec![(Compact(3), Compact(1))]],
            version_keys: vec![Compact(0)],
        };
        call("v1", batch.clone()).unwrap();
        let refused = Error::<Runtime>::CommitRevealEnabled.into();
        let found = events();
        let told = &found[found.len() - 2..];
        assert_eq!(
            told[0],
            subtensor::Event::BatchWeightItemFailed(NETUID, refused)
        );
        assert_eq!(told[1], subtensor::Event::BatchCompletedWithErrors);
        switch(false);
        call("v1", batch).unwrap();
        assert_eq!(Weights::<Runtime>::get(NETUID, 1), [(3, 65535)]);
        let unequal = subtensor::Call::batch_set_weights {
            netuids: vec![Compact(NETUID)],
            weights: vec![],
            version_keys: vec![],
        };
        assert_eq!(name(call("v1", unequal)), "InputLengthsUnequal");
    });
}

#[test]
fn set_weights_leaves_the_last_update_alone_while_weights_are_committed() {
    chain_with_commits().execute_with(|| {
        let before = LastUpdate::<Runtime>::get(NETUID)[1];
        next_block();
        weigh("v1", &WEIGHTS).unwrap();
        assert_eq!(LastUpdate::<Runtime>::get(NETUID)[1], before);
        switch(false);
        weigh("v1", &WEIGHTS).unwrap();
        assert_eq!(LastUpdate::<Runtime>::get(NETUID)[1], now());
    });
}

#[test]
fn timelocked_weights_are_revealed_when_their_epoch_and_their_pulse_have_come() {
    chain_with_commits().execute_with(|| {
        let round = ROUND + 3;
        next_block();
        let epoch = SubnetEpochIndex::<Runtime>::get(NETUID);
        let commit = sealed_weights(Some("v1"), round, &WEIGHTS);
        timelock("v1", commit.clone(), round).unwrap();
        let digest = BlakeTwo256::hash(&commit);
        let told =
            subtensor::Event::TimelockedWeightsCommitted(account("v1"), NETUID, digest, round);
        assert_eq!(events().last(), Some(&told));
        assert_eq!(LastUpdate::<Runtime>::get(NETUID)[1], now());
        let stored = TimelockedWeightCommits::<Runtime>::get(NETUID, epoch);
        let expected = (account("v1"), now(), commit.try_into().unwrap(), round);
        assert_eq!(stored, [expected]);

        run_to_epoch();
        next_block();
        assert_eq!(
            Weights::<Runtime>::iter().count(),
            0,
            "its epoch has come and its pulse has not"
        );
        publish(ROUND + 1..=round).unwrap();
        next_block();
        assert_eq!(Weights::<Runtime>::get(NETUID, 1), WEIGHTS);
        let told = subtensor::Event::TimelockedWeightsRevealed(NETUID, account("v1"));
        assert!(events().contains(&told));
        assert_eq!(TimelockedWeightCommits::<Runtime>::iter().count(), 0);

        // And the next epoch pays by them.
        run_to_epoch();
        assert!(Incentive::<Runtime>::get(NETUID)[3] > Incentive::<Runtime>::get(NETUID)[4]);
    });
}

#[test]
fn a_pulse_before_the_epoch_reveals_nothing_yet() {
    chain_with_commits().execute_with(|| {
        let round = ROUND + 1;
        timelock("v1", sealed_weights(Some("v1"), round, &WEIGHTS), round).unwrap();
        publish([round]).unwrap();
        let epoch = SubnetEpochIndex::<Runtime>::get(NETUID);
        while SubnetEpochIndex::<Runtime>::get(NETUID) == epoch {
            assert_eq!(Weights::<Runtime>::iter().count(), 0);
            next_block();
        }
        // Revealed before the epoch of the same block, which already pays by them.
        assert_eq!(Weights::<Runtime>::get(NETUID, 1), WEIGHTS);
        assert_ne!(Incentive::<Runtime>::get(NETUID)[3], 0);
    });
}

#[test]
fn what_cannot_be_opened_or_comes_too_late_is_dropped() {
    chain_with_commits().execute_with(|| {
        let round = ROUND + 1;
        let good = sealed_weights(Some("v2"), round, &WEIGHTS);
        // Copied from v2, sealed to another round, no cipher text at all, and not plain weights.
        timelock("v1", good, round).unwrap();
        timelock("v1", sealed_weights(Some("v1"), round + 1, &WEIGHTS), round).unwrap();
        timelock("v1", vec![9; 300], round).unwrap();
        timelock("v1", seal(round, b"text"), round).unwrap();
        // One that waits for a pulse that never comes, and one of a hotkey that may not weigh.
        timelock(
            "v2",
            sealed_weights(Some("v2"), round + 9, &WEIGHTS),
            round + 9,
        )
        .unwrap();
        timelock("m1", sealed_weights(Some("m1"), round, &WEIGHTS), round).unwrap();
        publish([round]).unwrap();
        run_to_epoch();
        assert_eq!(Weights::<Runtime>::iter().count(), 0);
        let waiting: Vec<_> = TimelockedWeightCommits::<Runtime>::iter_values()
            .flatten()
            .collect();
        assert_eq!(waiting.len(), 1);
        assert_eq!(waiting[0].0, account("v2"));
        run_to_epoch();
        assert_eq!(TimelockedWeightCommits::<Runtime>::iter().count(), 0);
        publish([round + 9]).unwrap();
        run_to_epoch();
        assert_eq!(Weights::<Runtime>::iter().count(), 0);
    });
}

#[test]
fn the_older_text_without_a_hotkey_is_read_too() {
    chain_with_commits().execute_with(|| {
        let round = ROUND + 1;
        let commit = subtensor::Call::commit_crv3_mechanism_weights {
            netuid: NETUID,
            mecid: 0,
            commit: sealed_weights(None, round, &WEIGHTS).try_into().unwrap(),
            reveal_round: round,
        };
        call("v1", commit).unwrap();
        publish([round]).unwrap();
        run_to_epoch();
        assert_eq!(Weights::<Runtime>::get(NETUID, 1), WEIGHTS);
    });
}

#[test]
fn timelocked_commits_are_checked() {
    chain_with_commits().execute_with(|| {
        let of = |netuid, commit_reveal_version, reveal_round| {
            subtensor::Call::commit_timelocked_mechanism_weights {
                netuid,
                mecid: 0,
                commit: vec![1].try_into().unwrap(),
                reveal_round,
                commit_reveal_version,
            }
        };
        assert_eq!(name(call("nobody", of(9, 3, 1))), "MechanismDoesNotExist");
        assert_eq!(
            name(call("nobody", of(NETUID, 3, 1))),
            "IncorrectCommitRevealVersion"
        );
        assert_eq!(
            name(call("nobody", of(NETUID, 4, ROUND - 1))),
            "InvalidRevealRound"
        );
        assert_eq!(
            name(call("nobody", of(NETUID, 4, ROUND))),
            "HotKeyNotRegisteredInSubNet"
        );
        for _ in 0..10 {
            call("v1", of(NETUID, 4, ROUND + 50)).unwrap();
        }
        assert_eq!(
            name(call("v1", of(NETUID, 4, ROUND + 50))),
            "TooManyUnrevealedCommits"
        );
        call("v2", of(NETUID, 4, ROUND + 50)).unwrap();
        run_to_epoch();
        call("v1", of(NETUID, 4, ROUND + 50)).unwrap();
    });
}

/// A newcomer on a uid that was already judged in a commit does not inherit what its predecessor earned.
#[test]
fn weights_committed_before_a_neuron_registered_do_not_count_for_it() {
    chain_with_commits().execute_with(|| {
        switch(false);
        weigh("v1", &[(3, 1), (4, 1)]).unwrap();
        weigh("v2", &[(3, 1), (4, 1)]).unwrap();
        switch(true);
        run_to_epoch();
        assert_ne!(Incentive::<Runtime>::get(NETUID)[3], 0);
        for validator in ["v1", "v2"] {
            commit(validator, hash(validator, &WEIGHTS, &SALT, 0)).unwrap();
        }
        next_block();
        BlockAtRegistration::<Runtime>::insert(NETUID, 3, now());
        // Setting weights again would count; without a commit so would the old ones.
        LastUpdate::<Runtime>::mutate(NETUID, |last| last.fill(now() + 1));
        run_to_epoch();
        assert_eq!(Incentive::<Runtime>::get(NETUID)[3], 0);
        assert_ne!(Incentive::<Runtime>::get(NETUID)[4], 0);
        switch(false);
        run_to_epoch();
        assert_ne!(Incentive::<Runtime>::get(NETUID)[3], 0);
    });
}

#[test]
fn pulses_are_the_trusted_beacons_and_ascend() {
    chain().execute_with(|| {
        assert_eq!(
            drand::BeaconConfig::<Runtime>::get(),
            <drand::Quicknet as Get<_>>::get()
        );
        // quicknet's real round 1000
        let signature = [
            0xb4, 0x46, 0x79, 0xb9, 0xa5, 0x9a, 0xf2, 0xec, 0x87, 0x6b, 0x1a, 0x6b, 0x1a, 0xd5,
            0x2e, 0xa9, 0xb1, 0x61, 0x5f, 0xc3, 0x98, 0x2b, 0x19, 0x57, 0x63, 0x50, 0xf9, 0x34,
            0x47, 0xcb, 0x11, 0x25, 0xe3, 0x42, 0xb7, 0x3a, 0x8d, 0xd2, 0xba, 0xcb, 0xe4, 0x7e,
            0x4b, 0x6b, 0x63, 0xed, 0x5e, 0x39,
        ];
        let signature = agon_timelock::Signature::from_bytes(&signature).unwrap();
        let pulse = Pulse::new(1000, &signature);
        assert_eq!(
            call("rich", write(vec![pulse.clone()])),
            Err(sp_runtime::DispatchError::BadOrigin)
        );
        let other_round = Pulse {
            round: 1001,
            ..pulse.clone()
        };
        assert_eq!(
            name(as_author(write(vec![other_round.clone()]))),
            "UnverifiedPulse"
        );
        let other_randomness = Pulse {
            randomness: vec![0; 32].try_into().unwrap(),
            ..pulse.clone()
        };
        assert_eq!(
            name(as_author(write(vec![other_randomness]))),
            "UnverifiedPulse"
        );
        let no_point = Pulse {
            signature: vec![0; 48].try_into().unwrap(),
            ..pulse.clone()
        };
        assert_eq!(
            name(as_author(write(vec![no_point]))),
            "PulseVerificationError"
        );
        assert_eq!(name(publish([1])), "UnverifiedPulse");
        // All or none.
        assert_eq!(
            name(as_author(write(vec![pulse.clone(), other_round]))),
            "UnverifiedPulse"
        );
        assert_eq!(drand::LastStoredRound::<Runtime>::get(), 0);
        as_author(write(vec![pulse.clone()])).unwrap();
        assert_eq!(drand::Pulses::<Runtime>::get(1000), Some(pulse.clone()));
        assert_eq!(drand::LastStoredRound::<Runtime>::get(), 1000);
        assert_eq!(drand::OldestStoredRound::<Runtime>::get(), 1000);
        let told = RuntimeEvent::Drand(drand::Event::NewPulse { rounds: vec![1000] });
        assert_eq!(
            System::events().last().map(|record| &record.event),
            Some(&told)
        );
        assert_eq!(name(as_author(write(vec![pulse]))), "InvalidRoundNumber");
    });
}

#[test]
fn root_chooses_the_beacon() {
    chain().execute_with(|| {
        let beacon = Beacon {
            public_key: KEY.public_key(),
            period: 1,
            genesis_time: 5,
        };
        let bad_origin = Err(sp_runtime::DispatchError::BadOrigin);
        assert_eq!(call("rich", trust(&beacon)), bad_origin);
        root(trust(&beacon)).unwrap();
        assert_eq!(drand::BeaconConfig::<Runtime>::get().beacon(), Some(beacon));
        publish([7, 9]).unwrap();
        assert!(drand::Pulses::<Runtime>::get(8).is_none());
        let drand::Call::set_beacon_config {
            mut config_payload,
            signature,
        } = trust(&beacon)
        else {
            unreachable!("made above");
        };
        config_payload.config.public_key = vec![0; 96].try_into().unwrap();
        let broken = drand::Call::set_beacon_config {
            config_payload,
            signature,
        };
        assert_eq!(name(root(broken)), "PulseVerificationError");
        let oldest = drand::Call::set_oldest_stored_round { oldest_round: 8 };
        assert_eq!(call("rich", oldest.clone()), bad_origin);
        root(oldest).unwrap();
        assert_eq!(drand::OldestStoredRound::<Runtime>::get(), 8);
    });
}

fn publish_fields(who: &str, fields: Vec<Data>) -> DispatchResult {
    let info = CommitmentInfo {
        fields: fields.try_into().unwrap(),
    };
    let netuid = NETUID;
    let info = Box::new(info);
    call(who, commitments::Call::set_commitment { netuid, info })
}

fn locked(round: u64, text: &[u8]) -> Data {
    Data::TimelockEncrypted {
        encrypted: seal(round, text).try_into().unwrap(),
        reveal_round: round,
    }
}

#[test]
fn timelocked_commitments_are_revealed_with_their_pulse() {
    chain_with_commits().execute_with(|| {
        let who = account("m1");
        let plain = Data::Raw(b"plain".to_vec().try_into().unwrap());
        let text = "secret".encode();
        let fields = vec![
            locked(ROUND + 1, &text),
            plain.clone(),
            locked(ROUND + 2, &text),
        ];
        publish_fields("m1", fields).unwrap();
        assert!(TimelockedIndex::<Runtime>::get().contains(&(NETUID, who.clone())));
        next_block();
        assert_eq!(RevealedCommitments::<Runtime>::get(NETUID, &who), None);
        publish([ROUND + 1]).unwrap();
        next_block();
        assert_eq!(
            RevealedCommitments::<Runtime>::get(NETUID, &who),
            Some(vec![(text.clone(), now())])
        );
        let told = RuntimeEvent::Commitments(commitments::Event::CommitmentRevealed {
            netuid: NETUID,
            who: who.clone(),
        });
        assert!(System::events().iter().any(|record| record.event == told));
        let left = CommitmentOf::<Runtime>::get(NETUID, &who)
            .unwrap()
            .info
            .fields;
        assert_eq!(left.to_vec(), [plain, locked(ROUND + 2, &text)]);
        publish([ROUND + 2]).unwrap();
        next_block();
        assert_eq!(
            RevealedCommitments::<Runtime>::get(NETUID, &who)
                .unwrap()
                .len(),
            2
        );
        assert!(TimelockedIndex::<Runtime>::get().is_empty());
        assert_eq!(
            CommitmentOf::<Runtime>::get(NETUID, &who)
                .unwrap()
                .info
                .fields
                .len(),
            1
        );
    });
}

#[test]
fn the_last_ten_revealed_texts_are_kept() {
    chain_with_commits().execute_with(|| {
        let who = account("m1");
        root(commitments::Call::set_max_space { new_limit: 100_000 }).unwrap();
        for number in 1..=12_u8 {
            let round = ROUND + u64::from(number);
            publish_fields("m1", vec![locked(round, &[number])]).unwrap();
            publish([round]).unwrap();
            next_block();
            assert_eq!(
                CommitmentOf::<Runtime>::get(NETUID, &who),
                None,
                "nothing is left of it"
            );
        }
        let texts = RevealedCommitments::<Runtime>::get(NETUID, &who).unwrap();
        let numbers: Vec<u8> = texts.iter().map(|(text, _)| text[0]).collect();
        assert_eq!(numbers, (3..=12).collect::<Vec<u8>>());
        // What does not open is dropped without a word.
        publish_fields("m2", vec![locked(ROUND + 14, b"a")]).unwrap();
        let broken = Data::TimelockEncrypted {
            encrypted: vec![1; 50].try_into().unwrap(),
            reveal_round: ROUND + 13,
        };
        publish_fields("m2", vec![broken]).unwrap();
        publish([ROUND + 13]).unwrap();
        next_block();
        assert_eq!(CommitmentOf::<Runtime>::get(NETUID, account("m2")), None);
        assert_eq!(
            RevealedCommitments::<Runtime>::get(NETUID, account("m2")),
            None
        );
        assert!(TimelockedIndex::<Runtime>::get().is_empty());
    });
}

#[test]
fn space_is_set_by_root() {
    chain_with_commits().execute_with(|| {
        let limit = |new_limit| commitments::Call::set_max_space { new_limit };
        let bad_origin = Err(sp_runtime::DispatchError::BadOrigin);
        assert_eq!(call("rich", limit(1)), bad_origin);
        root(limit(99)).unwrap();
        assert_eq!(name(publish_fields("m1", vec![])), "SpaceLimitExceeded");
        root(limit(100)).unwrap();
        publish_fields("m1", vec![]).unwrap();
    });
}

#[test]
fn a_neuron_can_have_the_bonds_towards_it_reset() {
    chain_with_validators().execute_with(|| {
        for validator in ["v1", "v2"] {
            weigh(validator, &WEIGHTS).unwrap();
        }
        run_to_epoch();
        let towards = |uid| {
            Bonds::<Runtime>::iter_prefix(NETUID)
                .flat_map(|(_, row)| row)
                .filter(|(to, bond)| *to == uid && *bond > 0)
                .count()
        };
        assert!(towards(3) > 0 && towards(4) > 0);
        publish_fields("m1", vec![Data::ResetBondsFlag]).unwrap();
        assert!(towards(3) > 0, "the subnet does not allow it");
        BondsResetOn::<Runtime>::insert(NETUID, true);
        publish_fields("m1", vec![Data::ResetBondsFlag]).unwrap();
        assert_eq!(towards(3), 0);
        assert!(towards(4) > 0);
        let block = LastBondsReset::<Runtime>::get(NETUID, account("m1"));
        assert_eq!(block, Some(System::block_number()));
    });
}

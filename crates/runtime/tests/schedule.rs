//! What a subnet's owner may do about its epochs.

mod support;

use agon_runtime::subtensor::{self, *};
use agon_runtime::{Runtime, SubtensorModule, System, admin_utils};
use support::*;

/// A chain with the owner's subnet as it is founded: a tempo of 360 blocks, commit-reveal on.
fn founded() -> sp_io::TestExternalities {
    let mut externalities = chain();
    externalities.execute_with(|| {
        let hotkey = account("owner-hot");
        call("owner", subtensor::Call::register_network { hotkey }).unwrap();
    });
    externalities
}

fn now() -> u64 {
    System::block_number().into()
}

#[test]
fn the_owner_sets_the_tempo_within_bounds_once_in_a_while() {
    founded().execute_with(|| {
        let set =
            |who, netuid, tempo| name(call(who, subtensor::Call::set_tempo { netuid, tempo }));
        assert_eq!(set("owner", 9, 400), "SubnetNotExists");
        assert_eq!(set("rich", NETUID, 400), "Bad origin");
        let tempo = 400;
        let as_root = root(subtensor::Call::set_tempo {
            netuid: NETUID,
            tempo,
        });
        assert_eq!(name(as_root), "Bad origin", "root has a call of its own");
        assert_eq!(set("owner", NETUID, 359), "TempoOutOfBounds");
        assert_eq!(set("owner", NETUID, 50_401), "TempoOutOfBounds");
        run_blocks(5);
        assert_eq!(set("owner", NETUID, 400), "no error");
        assert_eq!(Tempo::<Runtime>::get(NETUID), 400);
        assert_eq!(
            LastEpochBlock::<Runtime>::get(NETUID),
            now(),
            "counted anew"
        );
        assert_eq!(
            events().last(),
            Some(&subtensor::Event::TempoSet(NETUID, 400))
        );
        assert_eq!(
            SubtensorModule::next_epoch_start_block(NETUID),
            Some(now() + 400)
        );
        run_blocks(359);
        assert_eq!(set("owner", NETUID, 360), "TxRateLimitExceeded");
        next_block();
        assert_eq!(set("owner", NETUID, 360), "no error");

        // Root is not bound by the least tempo, and near an epoch the owner may do nothing.
        root(admin_utils::Call::sudo_set_tempo {
            netuid: NETUID,
            tempo: 5,
        })
        .unwrap();
        assert_eq!(
            set("owner", NETUID, 360),
            "AdminActionProhibitedDuringWeightsWindow"
        );
    });
}

#[test]
fn the_activity_cutoff_is_the_owners_and_roots() {
    founded().execute_with(|| {
        let factor = |netuid, factor_milli| subtensor::Call::set_activity_cutoff_factor {
            netuid,
            factor_milli,
        };
        let set = |who, factor_milli| name(call(who, factor(NETUID, factor_milli)));
        assert_eq!(set("rich", 2_000), "Bad origin");
        assert_eq!(name(call("owner", factor(9, 2_000))), "SubnetNotExists");
        assert_eq!(name(root(factor(9, 2_000))), "SubnetNotExists");
        for out in [999, 50_001] {
            let refused = "ActivityCutoffFactorMilliOutOfBounds";
            assert_eq!(set("owner", out), refused);
            assert_eq!(name(root(factor(NETUID, out))), refused);
        }
        assert_eq!(set("owner", 2_000), "no error");
        assert_eq!(ActivityCutoffFactorMilli::<Runtime>::get(NETUID), 2_000);
        let told = subtensor::Event::ActivityCutoffFactorMilliSet {
            netuid: NETUID,
            factor_milli: 2_000,
        };
        assert_eq!(events().last(), Some(&told));
        next_block();
        assert_eq!(set("owner", 3_000), "TxRateLimitExceeded");
        root(factor(NETUID, 50_000)).unwrap();
        // Two tempos later the owner may again, unless an epoch is near.
        root(admin_utils::Call::sudo_set_tempo {
            netuid: NETUID,
            tempo: 12,
        })
        .unwrap();
        LastEpochBlock::<Runtime>::insert(NETUID, now());
        run_blocks(23);
        assert_eq!(
            set("owner", 3_000),
            "AdminActionProhibitedDuringWeightsWindow"
        );
        next_block();
        assert_eq!(set("owner", 3_000), "no error");
    });
}

#[test]
fn the_owner_has_an_epoch_run_soon() {
    founded().execute_with(|| {
        let trigger = |who, netuid| name(call(who, subtensor::Call::trigger_epoch { netuid }));
        assert_eq!(trigger("owner", 9), "SubnetNotExists");
        assert_eq!(trigger("rich", NETUID), "Bad origin");
        assert_eq!(
            trigger("owner", NETUID),
            "DynamicTempoBlockedByCommitReveal"
        );
        root(admin_utils::Call::sudo_set_commit_reveal_weights_enabled {
            netuid: NETUID,
            enabled: false,
        })
        .unwrap();
        // An epoch in 10 blocks is as soon as it would run anyway.
        let regular = |blocks: u64| LastEpochBlock::<Runtime>::insert(NETUID, now() + blocks - 360);
        run_blocks(360);
        regular(10);
        assert_eq!(trigger("owner", NETUID), "AutoEpochAlreadyImminent");
        regular(11);
        assert_eq!(trigger("owner", NETUID), "no error");
        let fires_at = now() + 10;
        let told = subtensor::Event::EpochTriggered {
            netuid: NETUID,
            by: account("owner"),
            fires_at,
        };
        assert_eq!(events().last(), Some(&told));
        assert_eq!(PendingEpochAt::<Runtime>::get(NETUID), fires_at);
        assert_eq!(
            SubtensorModule::next_epoch_start_block(NETUID),
            Some(fires_at)
        );
        assert_eq!(trigger("owner", NETUID), "EpochTriggerAlreadyPending");

        let epochs = SubnetEpochIndex::<Runtime>::get(NETUID);
        run_blocks(9);
        assert_eq!(SubnetEpochIndex::<Runtime>::get(NETUID), epochs);
        next_block();
        assert_eq!(SubnetEpochIndex::<Runtime>::get(NETUID), epochs + 1);
        assert_eq!(PendingEpochAt::<Runtime>::get(NETUID), 0);
        assert_eq!(LastEpochBlock::<Runtime>::get(NETUID), fires_at);
        assert_eq!(trigger("owner", NETUID), "TxRateLimitExceeded");
    });
}

#[test]
fn an_epoch_too_long_ago_is_due_whatever_the_tempo() {
    founded().execute_with(|| {
        Tempo::<Runtime>::insert(NETUID, 60_000);
        BlocksSinceLastStep::<Runtime>::insert(NETUID, 50_399);
        let epochs = SubnetEpochIndex::<Runtime>::get(NETUID);
        next_block();
        assert_eq!(SubnetEpochIndex::<Runtime>::get(NETUID), epochs);
        next_block();
        assert_eq!(SubnetEpochIndex::<Runtime>::get(NETUID), epochs + 1);
        assert_eq!(BlocksSinceLastStep::<Runtime>::get(NETUID), 0);
        // Without a tempo there is none, however long ago.
        Tempo::<Runtime>::insert(NETUID, 0);
        BlocksSinceLastStep::<Runtime>::insert(NETUID, 60_000);
        next_block();
        assert_eq!(SubnetEpochIndex::<Runtime>::get(NETUID), epochs + 1);
    });
}

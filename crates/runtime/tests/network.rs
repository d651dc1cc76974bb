//! The life of a subnet on the real runtime.

mod support;

use agon_runtime::info::NeuronInfo;
use agon_runtime::subtensor::{self, *};
use agon_runtime::{Runtime, SubtensorModule, System, admin_utils};
use support::*;

fn alpha(hotkey: &str) -> u64 {
    TotalHotkeyAlpha::<Runtime>::get(account(hotkey), NETUID)
}

#[test]
fn founding_a_subnet_sets_the_public_rules() {
    chain().execute_with(|| {
        let before = balance(&account("owner"));
        let cost = SubtensorModule::lock_cost();
        assert_eq!(cost, 1000 * TAO);
        call(
            "owner",
            subtensor::Call::register_network {
                hotkey: account("owner-hot"),
            },
        )
        .unwrap();

        assert_eq!(before - balance(&account("owner")), cost);
        assert_eq!(SubnetTAO::<Runtime>::get(NETUID), cost);
        assert_eq!(SubnetAlphaIn::<Runtime>::get(NETUID), cost);
        assert_eq!(SubnetLocked::<Runtime>::get(NETUID), cost);
        assert_eq!(TotalNetworks::<Runtime>::get(), 2);
        assert_eq!(Uids::<Runtime>::get(NETUID, account("owner-hot")), Some(0));
        assert_eq!(Tempo::<Runtime>::get(NETUID), 360);
        assert_eq!(MaxAllowedUids::<Runtime>::get(NETUID), 256);
        assert_eq!(MaxAllowedValidators::<Runtime>::get(NETUID), 64);
        assert_eq!(MinAllowedWeights::<Runtime>::get(NETUID), 1);
        assert_eq!(ImmunityPeriod::<Runtime>::get(NETUID), 5000);
        assert_eq!(Burn::<Runtime>::get(NETUID), TAO);
        assert!(Yuma3On::<Runtime>::get(NETUID));
        assert!(NetworkRegistrationAllowed::<Runtime>::get(NETUID));
        assert!(CommitRevealWeightsEnabled::<Runtime>::get(NETUID));
        assert!(!SubnetEmissionEnabled::<Runtime>::get(NETUID));
        assert!(!SubtokenEnabled::<Runtime>::get(NETUID));
        assert_eq!(TokenSymbol::<Runtime>::get(NETUID), "α".as_bytes());
        assert_eq!(
            events().first(),
            Some(&subtensor::Event::NetworkAdded(NETUID, 1))
        );
        assert_nothing_is_lost();

        // The next one costs twice as much, and less and less of it with time.
        assert_eq!(SubtensorModule::lock_cost(), 2000 * TAO);
        next_block();
        assert_eq!(
            SubtensorModule::lock_cost(),
            2000 * TAO - 1000 * TAO / 100_800
        );
    });
}

#[test]
fn a_subnet_pays_by_weights() {
    chain_with_validators().execute_with(|| {
        for validator in ["v1", "v2"] {
            weigh(validator, &[(3, 60), (4, 30), (5, 10)]).unwrap();
        }
        // Zero is the least rate limit, and the weights stand as they were scaled up.
        assert_eq!(
            Weights::<Runtime>::get(NETUID, 1),
            [(3, 65535), (4, 32768), (5, 10923)]
        );
        let before = ["v1", "v2", "m1", "m2", "m3", "owner-hot"].map(alpha);
        run_to_epoch();
        let after = ["v1", "v2", "m1", "m2", "m3", "owner-hot"].map(alpha);
        let [v1, v2, m1, m2, m3, owner] = [0, 1, 2, 3, 4, 5].map(|at| after[at] - before[at]);

        let incentive = Incentive::<Runtime>::get(NETUID);
        assert_eq!(incentive[..3], [0, 0, 0]);
        for (at, share) in [(3, 0.6), (4, 0.3), (5, 0.1)] {
            assert!(
                (f64::from(incentive[at]) / 65535.0 - share).abs() < 1e-3,
                "{incentive:?}"
            );
        }
        // Ten blocks of 1 TAO: 18 % for the owner, and the rest in two halves.
        let all = 10 * TAO;
        let close = |found: u64, share: f64| {
            assert!((found as f64 / all as f64 - share).abs() < 1e-3, "{found}")
        };
        close(owner, 0.18);
        close(m1, 0.41 * 0.6);
        close(m2, 0.41 * 0.3);
        close(m3, 0.41 * 0.1);
        // The first of equal amounts of TAO buys more, so the parts are those of what was bought.
        let staked = (before[0] + before[1]) as f64;
        close(v1, 0.41 * before[0] as f64 / staked);
        close(v2, 0.41 * before[1] as f64 / staked);
        let dividends = Dividends::<Runtime>::get(NETUID);
        assert!(
            dividends[1] > dividends[2] && dividends[2] > 0,
            "{dividends:?}"
        );
        // Without the owner's take, 18 %.
        let shared = AlphaDividendsPerSubnet::<Runtime>::get(NETUID, account("v1"));
        assert!((shared as f64 / v1 as f64 - 0.82).abs() < 1e-3, "{shared}");
        assert_eq!(
            Consensus::<Runtime>::get(NETUID)[3..]
                .iter()
                .filter(|part| **part > 0)
                .count(),
            3
        );
        assert!(
            Emission::<Runtime>::get(NETUID)[1..]
                .iter()
                .all(|amount| *amount > 0)
        );
        assert_eq!(MinerBurned::<Runtime>::get(NETUID).bits, 0);
        assert_nothing_is_lost();

        // What they read is what they were paid.
        let neurons: Vec<NeuronInfo> = ask("NeuronInfoRuntimeApi_get_neurons", NETUID);
        assert_eq!(neurons[3].incentive.0, incentive[3]);
        assert_eq!(neurons[3].coldkey, account("miners"));
        assert_eq!(
            neurons[3].stake,
            [(account("miners"), codec::Compact(after[2]))]
        );
        assert_eq!(neurons[1].weights.len(), 3);
        assert!(neurons[1].validator_permit);
    });
}

#[test]
fn nothing_is_lost_in_a_busy_life() {
    chain_with_validators().execute_with(|| {
        for round in 0u64..6 {
            weigh("v1", &[(3, 7), (4, 2), (0, 1)]).unwrap();
            weigh("v2", &[(3, 1), (5, 1)]).unwrap();
            stake("rich", "v1", 7 * TAO + round).unwrap();
            stake("rich", "m2", 3 * TAO + 1).unwrap();
            run_blocks(7);
            assert_nothing_is_lost();
            unstake("rich", "v1", 2 * TAO + round).unwrap();
            run_blocks(8);
            assert_nothing_is_lost();
        }
        register("miners", "late").unwrap();
        for hotkey in ["v1", "m2"] {
            let owned = SubtensorModule::stake_of(&account(hotkey), &account("rich"), NETUID);
            unstake("rich", hotkey, owned).unwrap();
            assert!(!AlphaV2::<Runtime>::contains_key((
                account(hotkey),
                account("rich"),
                NETUID
            )));
        }
        assert!(balance(&account("rich")) > ENDOWMENT, "staking pays");
        assert_nothing_is_lost();
    });
}

#[test]
fn stake_on_root_weighs_a_little_and_earns_nothing_yet() {
    chain_with_validators().execute_with(|| {
        let weight = SubtensorModule::stake_weight(&account("v1"), NETUID);
        let amount_staked = 1000 * TAO;
        let on_root = subtensor::Call::add_stake {
            hotkey: account("v1"),
            netuid: ROOT,
            amount_staked,
        };
        call("validators", on_root).unwrap();
        let gained = SubtensorModule::stake_weight(&account("v1"), NETUID) - weight;
        assert!(
            (gained as f64 / amount_staked as f64 - 0.052_676).abs() < 1e-5,
            "{gained}"
        );
        weigh("v1", &[(3, 1)]).unwrap();
        run_to_epoch();
        assert_eq!(
            TotalHotkeyAlpha::<Runtime>::get(account("v1"), ROOT),
            amount_staked
        );
        assert_nothing_is_lost();
        let off_root = subtensor::Call::remove_stake {
            hotkey: account("v1"),
            netuid: ROOT,
            amount_unstaked: amount_staked,
        };
        call("validators", off_root).unwrap();
        assert_eq!(SubnetTAO::<Runtime>::get(ROOT), 0);
        assert_nothing_is_lost();
    });
}

#[test]
fn without_weights_the_validators_receive_the_miners_part_too() {
    chain_with_validators().execute_with(|| {
        let staked = || ["v1", "v2", "owner-hot"].map(alpha).iter().sum::<u64>();
        let before = staked();
        run_to_epoch();
        // The owner's hotkey validates too with what it has earned, besides its cut.
        let paid = staked() - before - 10 * (TAO * 11_796 / 65_535);
        assert!(
            (paid as f64 / (10 * TAO) as f64 - 0.82).abs() < 1e-3,
            "{paid}"
        );
        assert_eq!(alpha("m1"), 0);
        assert_nothing_is_lost();
    });
}

#[test]
fn incentive_towards_the_owners_hotkeys_is_recycled() {
    chain_with_subnet().execute_with(|| {
        register("owner", "owners-miner").unwrap();
        stake("validators", "v1", 100 * TAO).unwrap();
        run_to_epoch();
        weigh("v1", &[(3, 1), (6, 3)]).unwrap();
        run_to_epoch();
        assert_eq!(alpha("owners-miner"), 0);
        assert!((alpha("m1") as f64 / (10 * TAO) as f64 - 0.41 * 0.25).abs() < 1e-3);
        let burned = MinerBurned::<Runtime>::get(NETUID).bits as f64 / 2f64.powi(32);
        assert!((burned - 0.75).abs() < 1e-4, "{burned}");
        assert_nothing_is_lost();
        // The only subnet still receives everything: claims are relative.
        next_block();
        let into_pool = SubnetTaoInEmission::<Runtime>::get(NETUID);
        assert_eq!(into_pool + SubnetExcessTao::<Runtime>::get(NETUID), TAO);
    });
}

#[test]
fn epochs_keep_the_tempo_and_wait_for_room() {
    chain().execute_with(|| {
        root(admin_utils::Call::sudo_set_network_rate_limit { rate_limit: 0 }).unwrap();
        for netuid in 1..=3 {
            let hotkey = account(&format!("founder-{netuid}"));
            call("owner", subtensor::Call::register_network { hotkey }).unwrap();
            root(admin_utils::Call::sudo_set_tempo { netuid, tempo: 5 }).unwrap();
            LastEpochBlock::<Runtime>::insert(netuid, 1);
        }
        let epochs = || [1, 2, 3].map(SubnetEpochIndex::<Runtime>::get);
        assert_eq!(SubtensorModule::next_epoch_start_block(1), Some(6));
        run_blocks(4);
        assert_eq!((System::block_number(), epochs()), (5, [0, 0, 0]));
        next_block();
        assert_eq!(epochs(), [1, 1, 0], "two epochs fit a block");
        assert_eq!(BlocksSinceLastStep::<Runtime>::get(1), 0);
        assert_eq!(LastMechansimStepBlock::<Runtime>::get(2), 6);
        assert_eq!(PendingEpochAt::<Runtime>::get(3), 7);
        let deferred = subtensor::Event::EpochDeferred {
            netuid: 3,
            from_block: 6,
            to_block: 7,
        };
        assert!(events().contains(&deferred));
        assert_eq!(SubtensorModule::next_epoch_start_block(3), Some(6));
        next_block();
        assert_eq!(epochs(), [1, 1, 1]);
        assert_eq!(
            (
                LastEpochBlock::<Runtime>::get(3),
                PendingEpochAt::<Runtime>::get(3)
            ),
            (7, 0)
        );
        run_blocks(4);
        assert_eq!(epochs(), [2, 2, 1]);
        root(admin_utils::Call::sudo_set_tempo {
            netuid: 1,
            tempo: 0,
        })
        .unwrap();
        assert_eq!(SubtensorModule::next_epoch_start_block(1), None);
        assert_eq!(SubtensorModule::next_epoch_start_block(9), None);
        run_blocks(10);
        assert_eq!(epochs(), [2, 4, 3]);
    });
}

#[test]
fn an_epoch_over_contradicting_keys_is_skipped_and_keeps_the_money() {
    chain_with_validators().execute_with(|| {
        run_blocks(3);
        Keys::<Runtime>::insert(NETUID, 4, account("m1"));
        let stepped = LastMechansimStepBlock::<Runtime>::get(NETUID);
        run_to_epoch();
        let block = u64::from(System::block_number());
        assert!(events().contains(&subtensor::Event::EpochSkipped {
            netuid: NETUID,
            block
        }));
        assert_eq!(LastMechansimStepBlock::<Runtime>::get(NETUID), stepped);
        assert!(PendingServerEmission::<Runtime>::get(NETUID) > 4 * TAO);
        assert_nothing_is_lost();
    });
}

#[test]
fn the_price_of_a_registration_rises_and_falls() {
    chain().execute_with(|| {
        found_subnet();
        register("miners", "m1").unwrap();
        assert_eq!(Burn::<Runtime>::get(NETUID), 1_260_000_000);
        assert_eq!(RegistrationsThisBlock::<Runtime>::get(NETUID), 1);
        register("miners", "m2").unwrap();
        assert_eq!(Burn::<Runtime>::get(NETUID), 1_587_600_000);
        assert_eq!(
            SubnetTAO::<Runtime>::get(NETUID),
            (1000 + 1) * TAO + 1_260_000_000
        );
        next_block();
        assert_eq!(RegistrationsThisBlock::<Runtime>::get(NETUID), 0);
        run_blocks(359);
        let price = Burn::<Runtime>::get(NETUID);
        assert!((793_799_000..=793_800_000).contains(&price), "{price}");
        assert_nothing_is_lost();
    });
}

#[test]
fn a_full_subnet_replaces_who_earned_least() {
    chain_with_validators().execute_with(|| {
        weigh("v1", &[(3, 9), (5, 1)]).unwrap();
        weigh("v2", &[(3, 9), (4, 0), (5, 1)]).unwrap();
        run_to_epoch();
        MaxAllowedUids::<Runtime>::insert(NETUID, 6);
        // All are immune, and m2 earned nothing. The owner's first hotkey did neither, but stays.
        let m2 = account("m2");
        let axon = subtensor::Call::serve_axon {
            netuid: NETUID,
            version: 1,
            ip: 1,
            port: 1,
            ip_type: 4,
            protocol: 4,
            placeholder1: 0,
            placeholder2: 0,
        };
        call("m2", axon).unwrap();
        run_blocks(2);
        register("miners", "new").unwrap();
        assert_eq!(Uids::<Runtime>::get(NETUID, account("new")), Some(4));
        assert_eq!(Keys::<Runtime>::get(NETUID, 4), account("new"));
        assert_eq!(Uids::<Runtime>::get(NETUID, &m2), None);
        assert!(!IsNetworkMember::<Runtime>::get(&m2, NETUID));
        assert!(!Axons::<Runtime>::contains_key(NETUID, &m2));
        assert_eq!(SubnetworkN::<Runtime>::get(NETUID), 6);
        assert_eq!(
            BlockAtRegistration::<Runtime>::get(NETUID, 4),
            u64::from(System::block_number())
        );
        // Weights towards the uid are gone, the others stand.
        assert_eq!(Weights::<Runtime>::get(NETUID, 1).len(), 2);
        assert_eq!(
            Weights::<Runtime>::get(NETUID, 2),
            [(3, 65535), (4, 0), (5, 7282)]
        );
        register("miners", "newer").unwrap();
        assert_eq!(
            Uids::<Runtime>::get(NETUID, account("newer")),
            Some(4),
            "the newcomer earned least"
        );

        // Replacing m1 takes what others said of it.
        Emission::<Runtime>::insert(NETUID, vec![9, 9, 9, 1, 9, 9]);
        register("miners", "newest").unwrap();
        assert_eq!(Uids::<Runtime>::get(NETUID, account("newest")), Some(3));
        assert_eq!(Weights::<Runtime>::get(NETUID, 1), [(3, 0), (5, 7282)]);
        assert_eq!(Incentive::<Runtime>::get(NETUID)[3], 0);
        run_to_epoch();
        assert_eq!(Incentive::<Runtime>::get(NETUID)[3], 0);
        assert_nothing_is_lost();
    });
}

#[test]
fn neurons_past_their_immunity_go_first_while_enough_are_left() {
    chain_with_subnet().execute_with(|| {
        root(admin_utils::Call::sudo_set_immunity_period {
            netuid: NETUID,
            immunity_period: 5,
        })
        .unwrap();
        MinNonImmuneUids::<Runtime>::insert(NETUID, 4);
        MaxAllowedUids::<Runtime>::insert(NETUID, 7);
        run_blocks(5);
        register("miners", "young").unwrap();
        // Five are past it besides the founding hotkey: the lowest uid of equals goes.
        register("miners", "a").unwrap();
        assert_eq!(Uids::<Runtime>::get(NETUID, account("a")), Some(1));
        // Only four are left: now the young go, the earlier registered uid first.
        register("miners", "b").unwrap();
        assert_eq!(Uids::<Runtime>::get(NETUID, account("b")), Some(1));
        next_block();
        register("miners", "c").unwrap();
        assert_eq!(Uids::<Runtime>::get(NETUID, account("c")), Some(1));
        register("miners", "d").unwrap();
        assert_eq!(
            Uids::<Runtime>::get(NETUID, account("d")),
            Some(6),
            "registered earlier than c"
        );
    });
}

#[test]
fn root_acts_through_the_sudo_account() {
    chain_with_subnet().execute_with(|| {
        let set = admin_utils::Call::sudo_set_kappa {
            netuid: NETUID,
            kappa: 40_000,
        };
        assert_eq!(name(call("rich", set.clone())), "Bad origin");
        assert_eq!(Kappa::<Runtime>::get(NETUID), 32_767);
        call(
            "sudo",
            pallet_sudo::Call::sudo {
                call: Box::new(set.into()),
            },
        )
        .unwrap();
        assert_eq!(Kappa::<Runtime>::get(NETUID), 40_000);
        assert!(events().contains(&subtensor::Event::KappaSet(NETUID, 40_000)));
    });
}

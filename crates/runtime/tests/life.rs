//! The life of subnets and of their neurons: founding, naming, replacing, trimming, dissolving; seats on root; takes.

mod support;

use agon_runtime::commitments::{self, CommitmentInfo, CommitmentOf, Data};
use agon_runtime::subtensor::{self, *};
use agon_runtime::{Runtime, RuntimeEvent, SubtensorModule, System, admin_utils};
use support::*;

type Call = subtensor::Call<Runtime>;

fn told(event: &subtensor::Event<Runtime>) -> bool {
    events().contains(event)
}

fn found(coldkey: &str, hotkey: &str) -> &'static str {
    let hotkey = account(hotkey);
    name(call(coldkey, Call::register_network { hotkey }))
}

fn identity(name: &str) -> SubnetIdentityV3 {
    SubnetIdentityV3 {
        subnet_name: name.into(),
        subnet_url: b"https://example.org".to_vec(),
        ..Default::default()
    }
}

#[test]
fn a_registration_can_have_a_limit_and_needs_no_work() {
    chain_with_subnet().execute_with(|| {
        let price = Burn::<Runtime>::get(NETUID);
        let register = |limit_price| {
            let hotkey = account("m4");
            name(call(
                "miners",
                Call::register_limit {
                    netuid: NETUID,
                    hotkey,
                    limit_price,
                },
            ))
        };
        assert_eq!(register(price - 1), "RegistrationPriceLimitExceeded");
        assert_eq!(register(price), "no error");
        assert_eq!(register(u64::MAX), "HotKeyAlreadyRegisteredInSubNet");
        let with_work = Call::register {
            netuid: NETUID,
            block_number: 0,
            nonce: 0,
            work: vec![1, 2, 3],
            hotkey: account("m5"),
            coldkey: account("somebody else"),
        };
        call("miners", with_work).unwrap();
        assert_eq!(Owner::<Runtime>::get(account("m5")), account("miners"));
        assert_eq!(Uids::<Runtime>::get(NETUID, account("m5")), Some(7));
        assert_nothing_is_lost();
    });
}

#[test]
fn seats_on_root_go_to_the_most_stake() {
    chain_with_subnet().execute_with(|| {
        let seat = |coldkey, hotkey| {
            let hotkey = account(hotkey);
            name(call(coldkey, Call::root_register { hotkey }))
        };
        let stake_on_root = |hotkey, amount_staked| {
            let hotkey = account(hotkey);
            let netuid = ROOT;
            call(
                "rich",
                Call::add_stake {
                    hotkey,
                    netuid,
                    amount_staked,
                },
            )
            .unwrap();
        };
        assert_eq!(seat("rich", "v1"), "NonAssociatedColdKey");
        MaxAllowedUids::<Runtime>::insert(ROOT, 2);
        stake_on_root("v1", 10 * TAO);
        assert_eq!(seat("validators", "v1"), "no error");
        assert_eq!(seat("validators", "v1"), "HotKeyAlreadyRegisteredInSubNet");
        assert_eq!(seat("validators", "v2"), "no error");
        assert!(Delegates::<Runtime>::contains_key(account("v2")));
        assert!(IsNetworkMember::<Runtime>::get(account("v2"), ROOT));
        // Nobody staked with either: the seat stays.
        assert_eq!(seat("miners", "m1"), "StakeTooLowForRoot");
        stake_on_root("m1", TAO);
        assert_eq!(seat("miners", "m1"), "no error");
        assert_eq!(Keys::<Runtime>::get(ROOT, 1), account("m1"));
        assert_eq!(Uids::<Runtime>::get(ROOT, account("v2")), None);
        assert_eq!(SubnetworkN::<Runtime>::get(ROOT), 2);
        assert!(told(&Event::NeuronRegistered(ROOT, 1, account("m1"))));
    });
}

#[test]
fn a_subnet_says_what_it_is() {
    chain().execute_with(|| {
        let with_identity = |identity| Call::register_network_with_identity {
            hotkey: account("owner-hot"),
            identity,
        };
        let long = "x".repeat(257);
        assert_eq!(
            name(call("owner", with_identity(Some(identity(&long))))),
            "InvalidIdentity"
        );
        assert!(!NetworksAdded::<Runtime>::get(NETUID));
        call("owner", with_identity(Some(identity("first")))).unwrap();
        assert_eq!(
            SubnetIdentitiesV3::<Runtime>::get(NETUID),
            Some(identity("first"))
        );
        assert!(told(&Event::SubnetIdentitySet(NETUID)));
        assert_eq!(RegisteredSubnetCounter::<Runtime>::get(NETUID), 1);

        let set = |who, netuid, said: SubnetIdentityV3| {
            name(call(
                who,
                Call::set_subnet_identity {
                    netuid,
                    subnet_name: said.subnet_name,
                    github_repo: said.github_repo,
                    subnet_contact: said.subnet_contact,
                    subnet_url: said.subnet_url,
                    discord: said.discord,
                    description: said.description,
                    logo_url: said.logo_url,
                    additional: said.additional,
                },
            ))
        };
        assert_eq!(set("rich", NETUID, identity("b")), "NotSubnetOwner");
        assert_eq!(set("owner", 9, identity("b")), "NotSubnetOwner");
        let mut wordy = identity("b");
        wordy.description = vec![b'x'; 1025];
        assert_eq!(set("owner", NETUID, wordy), "InvalidIdentity");
        assert_eq!(set("owner", NETUID, identity("b")), "no error");
        assert_eq!(
            SubnetIdentitiesV3::<Runtime>::get(NETUID),
            Some(identity("b"))
        );
    });
}

#[test]
fn an_account_says_who_it_is() {
    chain_with_subnet().execute_with(|| {
        let set = |who, text: &str| {
            name(call(
                who,
                Call::set_identity {
                    name: text.into(),
                    url: vec![],
                    github_repo: vec![],
                    image: vec![],
                    discord: vec![],
                    description: vec![],
                    additional: vec![],
                },
            ))
        };
        assert_eq!(set("rich", "Rich"), "HotKeyNotRegisteredInNetwork");
        assert_eq!(set("miners", &"x".repeat(257)), "InvalidIdentity");
        assert_eq!(set("miners", &"x".repeat(256)), "no error");
        let said = IdentitiesV2::<Runtime>::get(account("miners")).unwrap();
        assert_eq!(said.name.len(), 256);
        assert!(told(&Event::ChainIdentitySet(account("miners"))));
    });
}

#[test]
fn a_token_has_a_sign_of_its_own() {
    chain_with_subnet().execute_with(|| {
        let update = |who, netuid, symbol: &str| {
            let symbol = symbol.into();
            name(call(who, Call::update_symbol { netuid, symbol }))
        };
        let symbol = |netuid| String::from_utf8(TokenSymbol::<Runtime>::get(netuid)).unwrap();
        assert_eq!(symbol(1), "α");
        assert_eq!(update("rich", NETUID, "β"), "Bad origin");
        assert_eq!(update("owner", NETUID, "nonsense"), "SymbolDoesNotExist");
        assert_eq!(update("owner", NETUID, "α"), "SymbolAlreadyInUse");
        assert_eq!(update("owner", NETUID, "\u{1d70f}"), "SymbolAlreadyInUse");
        assert_eq!(update("owner", NETUID, "β"), "no error");
        assert!(told(&Event::SymbolUpdated {
            netuid: NETUID,
            symbol: "β".into()
        }));
        root(Call::update_symbol {
            netuid: NETUID,
            symbol: "א".into(),
        })
        .unwrap();
        root(Call::update_symbol {
            netuid: NETUID,
            symbol: "β".into(),
        })
        .unwrap();
        // The next subnet's own sign is taken: it gets the first that is free.
        root(admin_utils::Call::sudo_set_network_rate_limit { rate_limit: 0 }).unwrap();
        assert_eq!(found("rich", "r1"), "no error");
        assert_eq!(symbol(2), "α");
        assert_eq!(found("rich", "r2"), "no error");
        assert_eq!(symbol(3), "γ");
    });
}

#[test]
fn a_dissolved_subnet_pays_its_stakers_and_is_forgotten() {
    chain_with_validators().execute_with(|| {
        stake("rich", "v1", 100 * TAO).unwrap();
        let info = Box::new(CommitmentInfo {
            fields: vec![Data::Raw(b"hi".to_vec().try_into().unwrap())]
                .try_into()
                .unwrap(),
        });
        let netuid = NETUID;
        call("m1", commitments::Call::set_commitment { netuid, info }).unwrap();
        weigh("v1", &[(3, 1)]).unwrap();
        assert_eq!(
            name(call("owner", Call::root_dissolve_network { netuid })),
            "Bad origin"
        );
        assert_eq!(
            name(root(Call::root_dissolve_network { netuid: 9 })),
            "SubnetNotExists"
        );
        assert_eq!(
            name(root(Call::root_dissolve_network { netuid: ROOT })),
            "SubnetNotExists"
        );
        let pot = SubnetTAO::<Runtime>::get(netuid);
        let coldkeys = ["rich", "validators", "owner", "miners"];
        let staked = |coldkey: &str| -> u64 {
            ["v1", "v2", "owner-hot", "m1", "m2", "m3"]
                .iter()
                .map(|hotkey| {
                    SubtensorModule::stake_of(&account(hotkey), &account(coldkey), netuid)
                })
                .sum()
        };
        let all: u64 = coldkeys.iter().map(|coldkey| staked(coldkey)).sum();
        let expected = coldkeys.map(|coldkey| {
            let part = u128::from(pot) * u128::from(staked(coldkey)) / u128::from(all);
            balance(&account(coldkey)) + part as u64
        });
        let issuance = TotalIssuance::<Runtime>::get();
        let coldkey = account("owner");
        root(Call::dissolve_network { coldkey, netuid }).unwrap();
        for (coldkey, expected) in coldkeys.iter().zip(expected) {
            let paid = balance(&account(coldkey));
            assert!(
                (expected..=expected + 1).contains(&paid),
                "{coldkey}: {paid} {expected}"
            );
        }
        assert_eq!(TotalIssuance::<Runtime>::get(), issuance, "all is paid");
        assert!(told(&Event::NetworkRemoved(netuid)));
        assert_eq!(balance(&SubtensorModule::subnet_account(netuid)), 0);
        assert!(!NetworksAdded::<Runtime>::get(netuid));
        assert_eq!(TotalNetworks::<Runtime>::get(), 1);
        assert_eq!(staked("rich"), 0);
        assert_eq!(AlphaV2::<Runtime>::iter().count(), 0);
        assert_eq!(Weights::<Runtime>::iter().count(), 0);
        assert_eq!(Uids::<Runtime>::iter().count(), 0);
        assert!(!IsNetworkMember::<Runtime>::contains_key(
            account("m1"),
            netuid
        ));
        assert_eq!(CommitmentOf::<Runtime>::iter().count(), 0);
        assert_nothing_is_lost();
        run_blocks(TEMPO.into());

        // The number starts anew.
        root(admin_utils::Call::sudo_set_network_rate_limit { rate_limit: 0 }).unwrap();
        assert_eq!(found("rich", "new"), "no error");
        assert_eq!(SubnetOwner::<Runtime>::get(netuid), account("rich"));
        assert_eq!(SubnetworkN::<Runtime>::get(netuid), 1);
        assert_eq!(Tempo::<Runtime>::get(netuid), 360);
        assert_eq!(RegisteredSubnetCounter::<Runtime>::get(netuid), 2);
        assert_nothing_is_lost();
    });
}

#[test]
fn without_stakers_a_dissolved_pool_leaves_circulation() {
    chain().execute_with(|| {
        assert_eq!(found("owner", "hot"), "no error");
        let pot = SubnetTAO::<Runtime>::get(NETUID);
        let issuance = TotalIssuance::<Runtime>::get();
        root(Call::root_dissolve_network { netuid: NETUID }).unwrap();
        assert_eq!(TotalIssuance::<Runtime>::get(), issuance - pot);
        assert_nothing_is_lost();
    });
}

#[test]
fn at_the_limit_the_cheapest_subnet_past_its_immunity_makes_room() {
    chain().execute_with(|| {
        root(admin_utils::Call::sudo_set_network_rate_limit { rate_limit: 0 }).unwrap();
        root(admin_utils::Call::sudo_set_subnet_limit { max_subnets: 3 }).unwrap();
        for hotkey in ["a", "b", "c"] {
            assert_eq!(found("owner", hotkey), "no error");
        }
        for (netuid, bits) in [(1, 9), (2, 7), (3, 8)] {
            SubnetMovingPrice::<Runtime>::insert(netuid, FixedI128 { bits });
        }
        assert_eq!(found("rich", "d"), "SubnetLimitReached");
        let immunity_period = 5;
        root(admin_utils::Call::sudo_set_network_immunity_period { immunity_period }).unwrap();
        run_blocks(4);
        assert_eq!(found("rich", "d"), "SubnetLimitReached");
        next_block();
        for (netuid, bits) in [(1, 9), (2, 7), (3, 8)] {
            SubnetMovingPrice::<Runtime>::insert(netuid, FixedI128 { bits });
        }
        assert_eq!(found("poor", "d"), "CannotAffordLockCost");
        assert!(!told(&Event::NetworkRemoved(2)), "nothing happened");
        assert_eq!(found("rich", "d"), "no error");
        assert!(told(&Event::NetworkRemoved(2)));
        assert_eq!(SubnetOwner::<Runtime>::get(2), account("rich"));
        assert_eq!(TotalNetworks::<Runtime>::get(), 4);
        assert_nothing_is_lost();
    });
}

#[test]
fn takes_have_bounds_and_limits() {
    chain_with_subnet().execute_with(|| {
        let lower = |who, hotkey, take| {
            let hotkey = account(hotkey);
            name(call(who, Call::decrease_take { hotkey, take }))
        };
        let raise = |who, hotkey, take| {
            let hotkey = account(hotkey);
            name(call(who, Call::increase_take { hotkey, take }))
        };
        assert_eq!(lower("validators", "nobodys", 1), "HotKeyAccountNotExists");
        assert_eq!(raise("rich", "v1", 1), "NonAssociatedColdKey");
        root(admin_utils::Call::sudo_set_min_delegate_take { take: 100 }).unwrap();
        root(admin_utils::Call::sudo_set_default_take {
            default_take: 10_000,
        })
        .unwrap();
        root(admin_utils::Call::sudo_set_tx_delegate_take_rate_limit { tx_rate_limit: 3 }).unwrap();
        assert_eq!(lower("validators", "v1", 99), "DelegateTakeTooLow");
        assert_eq!(lower("validators", "v1", 5000), "no error");
        assert!(told(&Event::TakeDecreased(
            account("validators"),
            account("v1"),
            5000
        )));
        assert_eq!(lower("validators", "v1", 5000), "DelegateTakeTooLow");
        assert_eq!(raise("validators", "v1", 5000), "DelegateTakeTooLow");
        assert_eq!(raise("validators", "v1", 10_001), "DelegateTakeTooHigh");
        run_blocks(3);
        assert_eq!(
            raise("validators", "v1", 6000),
            "DelegateTxRateLimitExceeded"
        );
        next_block();
        assert_eq!(raise("validators", "v1", 6000), "no error");
        assert!(told(&Event::TakeIncreased(
            account("validators"),
            account("v1"),
            6000
        )));
        assert_eq!(Delegates::<Runtime>::get(account("v1")), 6000);
        assert_eq!(
            lower("validators", "v1", 4000),
            "no error",
            "less is never too soon"
        );
    });
}

#[test]
fn certificates_and_measurements_are_announced() {
    chain_with_subnet().execute_with(|| {
        let tls = |who, certificate: Vec<u8>| {
            name(call(
                who,
                Call::serve_axon_tls {
                    netuid: NETUID,
                    version: 1,
                    ip: 0x7f00_0001,
                    port: 8091,
                    ip_type: 4,
                    protocol: 4,
                    placeholder1: 0,
                    placeholder2: 0,
                    certificate,
                },
            ))
        };
        root(admin_utils::Call::sudo_set_serving_rate_limit {
            netuid: NETUID,
            serving_rate_limit: 2,
        })
        .unwrap();
        assert_eq!(tls("nobody", vec![1; 10]), "HotKeyNotRegisteredInNetwork");
        assert_eq!(tls("m1", [vec![7], vec![9; 64]].concat()), "no error");
        let certificate = || NeuronCertificates::<Runtime>::get(NETUID, account("m1")).unwrap();
        assert_eq!(certificate().algorithm, 7);
        assert_eq!(certificate().public_key, vec![9; 64]);
        assert_eq!(tls("m1", vec![1; 10]), "ServingRateLimitExceeded");
        run_blocks(2);
        // One that is too long is left out.
        assert_eq!(tls("m1", vec![1; 66]), "no error");
        assert_eq!(certificate().algorithm, 7);

        let measure = |who, ip: u128, port, ip_type| {
            name(call(
                who,
                Call::serve_prometheus {
                    netuid: NETUID,
                    version: 1,
                    ip,
                    port,
                    ip_type,
                },
            ))
        };
        assert_eq!(
            measure("nobody", 1, 9100, 4),
            "HotKeyNotRegisteredInNetwork"
        );
        assert_eq!(measure("m1", 1, 9100, 5), "InvalidIpType");
        assert_eq!(measure("m1", u128::MAX, 9100, 4), "InvalidIpAddress");
        assert_eq!(measure("m1", 1, 0, 4), "InvalidPort");
        assert_eq!(measure("m1", 1, 9100, 4), "no error");
        assert!(told(&Event::PrometheusServed(NETUID, account("m1"))));
        assert_eq!(measure("m1", 1, 9100, 4), "ServingRateLimitExceeded");
        let stored = Prometheus::<Runtime>::get(NETUID, account("m1")).unwrap();
        assert_eq!((stored.ip, stored.port), (1, 9100));

        // A newcomer in the same place announces for itself.
        MaxAllowedUids::<Runtime>::insert(NETUID, 6);
        Emission::<Runtime>::insert(NETUID, vec![9, 9, 9, 0, 9, 9]);
        register("miners", "new").unwrap();
        assert_eq!(Uids::<Runtime>::get(NETUID, account("new")), Some(3));
        assert!(!NeuronCertificates::<Runtime>::contains_key(
            NETUID,
            account("m1")
        ));
        assert!(!Prometheus::<Runtime>::contains_key(NETUID, account("m1")));
    });
}

#[test]
fn a_subnet_runs_as_many_mechanisms_as_there_is_room_for() {
    chain_with_validators().execute_with(|| {
        use admin_utils::Call;
        let netuid = NETUID;
        let set = |call: Call<Runtime>| name(root(call));
        let count = |netuid, mechanism_count| Call::sudo_set_mechanism_count {
            netuid,
            mechanism_count,
        };
        let most = |max_mechanism_count| Call::sudo_set_max_mechanism_count {
            max_mechanism_count,
        };
        let split = |maybe_split| Call::sudo_set_mechanism_emission_split {
            netuid,
            maybe_split,
        };
        assert_eq!(set(count(9, 2)), "SubnetDoesNotExist");
        assert_eq!(set(count(netuid, 0)), "InvalidValue");
        assert_eq!(set(count(netuid, 3)), "InvalidValue");
        assert_eq!(set(count(netuid, 2)), "TooManyUIDsPerMechanism");
        assert_eq!(set(most(0)), "InvalidValue");
        assert_eq!(set(most(17)), "InvalidValue");
        assert_eq!(set(most(3)), "no error");
        MaxAllowedUids::<Runtime>::insert(netuid, 64);
        assert_eq!(set(count(netuid, 3)), "no error");
        assert_eq!(LastUpdate::<Runtime>::get(2 * 4096 + netuid).len(), 6);
        assert_eq!(
            set(Call::sudo_set_max_allowed_uids {
                netuid,
                max_allowed_uids: 86
            }),
            "TooManyUIDsPerMechanism"
        );

        assert_eq!(set(split(Some(vec![65_535, 1]))), "InvalidValue");
        assert_eq!(set(split(Some(vec![]))), "InvalidValue");
        assert_eq!(set(split(Some(vec![0, 0, 0, 65_535]))), "InvalidValue");
        assert_eq!(set(split(Some(vec![60_000, 5_535]))), "no error");
        assert_eq!(
            MechanismEmissionSplit::<Runtime>::get(netuid),
            Some(vec![60_000, 5_535])
        );

        let weigh_in = |mecid| subtensor::Call::set_mechanism_weights {
            netuid,
            mecid,
            dests: vec![3],
            weights: vec![1],
            version_key: 0,
        };
        call("v1", weigh_in(1)).unwrap();
        call("v1", weigh_in(2)).unwrap();
        assert_eq!(set(count(netuid, 2)), "no error");
        assert!(!Weights::<Runtime>::contains_key(2 * 4096 + netuid, 1));
        assert!(Weights::<Runtime>::contains_key(4096 + netuid, 1));
        assert_eq!(MechanismEmissionSplit::<Runtime>::get(netuid), None);
        // A newcomer has its place in all of them.
        register("miners", "m4").unwrap();
        assert_eq!(Incentive::<Runtime>::get(4096 + netuid).len(), 7);
    });
}

#[test]
fn a_trimmed_subnet_keeps_who_earned_and_what_they_said() {
    chain_with_validators().execute_with(|| {
        let trim = |max_n| {
            name(root(admin_utils::Call::sudo_trim_to_max_allowed_uids {
                netuid: NETUID,
                max_n,
            }))
        };
        assert_eq!(trim(63), "InvalidValue");
        assert_eq!(trim(257), "InvalidValue");
        MinAllowedUids::<Runtime>::insert(NETUID, 1);
        assert_eq!(trim(4), "TrimmingWouldExceedMaxImmunePercentage");
        root(admin_utils::Call::sudo_set_immunity_period {
            netuid: NETUID,
            immunity_period: 1,
        })
        .unwrap();
        weigh("v1", &[(2, 5), (4, 7), (5, 9)]).unwrap();
        Bonds::<Runtime>::insert(NETUID, 2, vec![(3, 30), (5, 50)]);
        Bonds::<Runtime>::insert(NETUID, 3, vec![(5, 50)]);
        Emission::<Runtime>::insert(NETUID, vec![0, 8, 6, 1, 1, 7]);
        let registered = BlockAtRegistration::<Runtime>::get(NETUID, 5);
        // The founding hotkey earned nothing and stays; of m1 and m2 the latter goes first.
        assert_eq!(trim(5), "no error");
        let keys = || {
            (0..SubnetworkN::<Runtime>::get(NETUID))
                .map(|uid| Keys::<Runtime>::get(NETUID, uid))
                .collect::<Vec<_>>()
        };
        assert_eq!(keys(), ["owner-hot", "v1", "v2", "m1", "m3"].map(account));
        assert_eq!(trim(4), "no error");
        assert_eq!(keys(), ["owner-hot", "v1", "v2", "m3"].map(account));
        assert_eq!(MaxAllowedUids::<Runtime>::get(NETUID), 4);
        assert_eq!(Emission::<Runtime>::get(NETUID), [0, 8, 6, 7]);
        assert_eq!(LastUpdate::<Runtime>::get(NETUID).len(), 4);
        assert_eq!(
            Weights::<Runtime>::get(NETUID, 1),
            [(2, 36_408), (3, 65_535)]
        );
        assert_eq!(Bonds::<Runtime>::get(NETUID, 2), [(3, 50)]);
        assert!(!Bonds::<Runtime>::contains_key(NETUID, 3));
        assert_eq!(Uids::<Runtime>::get(NETUID, account("m3")), Some(3));
        assert_eq!(BlockAtRegistration::<Runtime>::get(NETUID, 3), registered);
        assert_eq!(Uids::<Runtime>::get(NETUID, account("m1")), None);
        assert!(!Keys::<Runtime>::contains_key(NETUID, 4));
        run_to_epoch();
        let skipped = |record: &subtensor::Event<Runtime>| {
            matches!(record, subtensor::Event::EpochSkipped { .. })
        };
        assert!(!events().iter().any(skipped), "the neurons agree");
        assert_nothing_is_lost();
    });
}

#[test]
fn admin_events_of_their_own_are_told() {
    chain_with_subnet().execute_with(|| {
        root(admin_utils::Call::sudo_set_bonds_reset_enabled {
            netuid: NETUID,
            enabled: true,
        })
        .unwrap();
        let toggled = admin_utils::Event::<Runtime>::BondsResetToggled {
            netuid: NETUID,
            enabled: true,
        };
        // The subtensor pallet tells of it too.
        let set = subtensor::Event::BondsResetOnSet(NETUID, true);
        assert_eq!(events().last(), Some(&set));
        assert!(
            System::events()
                .iter()
                .any(|record| record.event == RuntimeEvent::AdminUtils(toggled.clone()))
        );
        assert!(BondsResetOn::<Runtime>::get(NETUID));
    });
}

//! What the chain refuses, by the public error's name and in the public order.

mod support;

use agon_runtime::commitments::{
    self, CommitmentInfo, CommitmentOf, Data, LastCommitment, UsedSpaceOf,
};
use agon_runtime::genesis::{self, Genesis, GenesisError};
use agon_runtime::subtensor::{self, *};
use agon_runtime::{Runtime, SubtensorModule, System, admin_utils};
use support::*;

fn set_weights(
    netuid: u16,
    dests: &[u16],
    weights: &[u16],
    version_key: u64,
) -> subtensor::Call<Runtime> {
    subtensor::Call::set_weights {
        netuid,
        dests: dests.to_vec(),
        weights: weights.to_vec(),
        version_key,
    }
}

#[test]
fn weights_are_checked_in_order() {
    chain_with_validators().execute_with(|| {
        // Each setting makes one more check fail; the earliest one speaks.
        let try_set = |who, netuid, dests: &[u16], weights: &[u16]| {
            name(call(who, set_weights(netuid, dests, weights, 5)))
        };
        assert_eq!(
            try_set("nobody", ROOT, &[1], &[]),
            "CanNotSetRootNetworkWeights"
        );
        assert_eq!(try_set("nobody", 9, &[1], &[]), "WeightVecNotEqualSize");
        assert_eq!(try_set("nobody", 9, &[1], &[1]), "MechanismDoesNotExist");
        assert_eq!(
            try_set("nobody", NETUID, &[9; 7], &[1; 7]),
            "UidsLengthExceedUidsInSubNet"
        );
        assert_eq!(
            try_set("nobody", NETUID, &[9], &[1]),
            "HotKeyNotRegisteredInSubNet"
        );
        root(admin_utils::Call::sudo_set_stake_threshold {
            min_stake: 200 * TAO,
        })
        .unwrap();
        root(admin_utils::Call::sudo_set_weights_version_key {
            netuid: NETUID,
            weights_version_key: 6,
        })
        .unwrap();
        assert_eq!(
            try_set("v2", NETUID, &[9, 9], &[1, 1]),
            "NotEnoughStakeToSetWeights"
        );
        assert_eq!(
            try_set("v1", NETUID, &[9, 9], &[1, 1]),
            "IncorrectWeightVersionKey"
        );
        assert_eq!(
            try_set("owner-hot", NETUID, &[9, 9], &[1, 1]),
            "IncorrectWeightVersionKey",
            "has no stake to speak of"
        );
        root(admin_utils::Call::sudo_set_weights_version_key {
            netuid: NETUID,
            weights_version_key: 5,
        })
        .unwrap();
        root(admin_utils::Call::sudo_set_stake_threshold { min_stake: 0 }).unwrap();
        let rate = |weights_set_rate_limit| admin_utils::Call::sudo_set_weights_set_rate_limit {
            netuid: NETUID,
            weights_set_rate_limit,
        };
        root(rate(100)).unwrap();
        assert_eq!(
            try_set("m1", NETUID, &[9, 9], &[1, 1]),
            "SettingWeightsTooFast"
        );
        root(rate(0)).unwrap();
        assert_eq!(
            try_set("m1", NETUID, &[9, 9], &[1, 1]),
            "NeuronNoValidatorPermit"
        );
        assert_eq!(try_set("v1", NETUID, &[9, 9], &[1, 1]), "DuplicateUids");
        root(admin_utils::Call::sudo_set_min_allowed_weights {
            netuid: NETUID,
            min_allowed_weights: 3,
        })
        .unwrap();
        assert_eq!(
            try_set("v1", NETUID, &[3, 9], &[1, 1]),
            "UidVecContainInvalidOne"
        );
        MaxWeightsLimit::<Runtime>::insert(NETUID, 30_000);
        assert_eq!(
            try_set("v1", NETUID, &[3, 4], &[1, 1]),
            "WeightVecLengthIsLow"
        );
        assert_eq!(
            try_set("v1", NETUID, &[3, 4, 5], &[1, 1, 4]),
            "MaxWeightExceeded"
        );
        assert_eq!(Weights::<Runtime>::iter().count(), 0);

        assert_eq!(try_set("v1", NETUID, &[3, 4, 5], &[1, 1, 1]), "no error");
        assert_eq!(
            events().last(),
            Some(&subtensor::Event::WeightsSet(NETUID, 1))
        );
        assert_eq!(
            LastUpdate::<Runtime>::get(NETUID)[1],
            u64::from(System::block_number())
        );
        // The limit of the number and of a single weight do not hold for a weight on oneself, nor does the permit.
        assert_eq!(try_set("m1", NETUID, &[3], &[7]), "no error");
        assert_eq!(Weights::<Runtime>::get(NETUID, 3), [(3, 65535)]);
        MaxWeightsLimit::<Runtime>::insert(NETUID, 65_535);
        assert_eq!(
            try_set("owner-hot", NETUID, &[0, 1, 2], &[0, 0, 0]),
            "no error"
        );
        assert_eq!(Weights::<Runtime>::get(NETUID, 0), [(0, 0), (1, 0), (2, 0)]);
    });
}

#[test]
fn weights_can_be_set_again_after_the_limit() {
    chain_with_validators().execute_with(|| {
        let weights_set_rate_limit = 5;
        root(admin_utils::Call::sudo_set_weights_set_rate_limit {
            netuid: NETUID,
            weights_set_rate_limit,
        })
        .unwrap();
        weigh("v1", &[(3, 1)]).unwrap();
        run_blocks(4);
        assert_eq!(name(weigh("v1", &[(3, 1)])), "SettingWeightsTooFast");
        next_block();
        weigh("v1", &[(3, 1)]).unwrap();
        // With commit-reveal on there is no limit here, and the block of the last weights stays.
        let enabled = true;
        root(admin_utils::Call::sudo_set_commit_reveal_weights_enabled {
            netuid: NETUID,
            enabled,
        })
        .unwrap();
        let last = LastUpdate::<Runtime>::get(NETUID);
        next_block();
        weigh("v1", &[(4, 1)]).unwrap();
        assert_eq!(LastUpdate::<Runtime>::get(NETUID), last);
        assert_eq!(Weights::<Runtime>::get(NETUID, 1), [(4, 65535)]);
    });
}

#[test]
fn weights_belong_to_a_mechanism() {
    chain_with_validators().execute_with(|| {
        let set = |mecid| subtensor::Call::set_mechanism_weights {
            netuid: NETUID,
            mecid,
            dests: vec![3],
            weights: vec![9],
            version_key: 0,
        };
        assert_eq!(name(call("v1", set(1))), "MechanismDoesNotExist");
        call("v1", set(0)).unwrap();
        assert_eq!(Weights::<Runtime>::get(NETUID, 1), [(3, 65535)]);
        assert_eq!(SubtensorModule::storage_index(NETUID, 1), None);
        MechanismCountCurrent::<Runtime>::insert(NETUID, 2);
        assert_eq!(SubtensorModule::storage_index(NETUID, 1), Some(4097));
    });
}

#[test]
fn registrations_are_checked_in_order() {
    chain_with_subnet().execute_with(|| {
        let try_register = |coldkey, netuid, hotkey| {
            name(call(
                coldkey,
                subtensor::Call::burned_register {
                    netuid,
                    hotkey: account(hotkey),
                },
            ))
        };
        assert_eq!(
            try_register("poor", ROOT, "m1"),
            "RegistrationNotPermittedOnRootSubnet"
        );
        assert_eq!(try_register("poor", 9, "m1"), "SubnetNotExists");
        let allowed =
            |registration_allowed| admin_utils::Call::sudo_set_network_registration_allowed {
                netuid: NETUID,
                registration_allowed,
            };
        root(allowed(false)).unwrap();
        assert_eq!(
            try_register("poor", NETUID, "m1"),
            "SubNetRegistrationDisabled"
        );
        root(allowed(true)).unwrap();
        assert_eq!(
            try_register("poor", NETUID, "m1"),
            "HotKeyAlreadyRegisteredInSubNet"
        );
        // A hotkey that lost its place still has its owner.
        Uids::<Runtime>::remove(NETUID, account("m3"));
        assert_eq!(
            try_register("poor", NETUID, "m3"),
            "NotEnoughBalanceToStake"
        );
        MaxAllowedUids::<Runtime>::insert(NETUID, 0);
        assert_eq!(try_register("rich", NETUID, "m3"), "NonAssociatedColdKey");
        assert_eq!(try_register("miners", NETUID, "m3"), "NoNeuronIdAvailable");
        // Full, and the few that are past their immunity must not become fewer.
        MaxAllowedUids::<Runtime>::insert(NETUID, 6);
        ImmunityPeriod::<Runtime>::insert(NETUID, 0);
        assert_eq!(try_register("miners", NETUID, "m4"), "NoNeuronIdAvailable");
        MinNonImmuneUids::<Runtime>::insert(NETUID, 4);
        assert_eq!(try_register("miners", NETUID, "m4"), "no error");
        let registered = subtensor::Event::NeuronRegistered(NETUID, 1, account("m4"));
        assert_eq!(events().last(), Some(&registered));
    });
}

#[test]
fn a_registration_leaves_the_coldkey_alive() {
    chain_with_subnet().execute_with(|| {
        let price = Burn::<Runtime>::get(NETUID);
        let give = |value| {
            let dest = account("modest").into();
            call(
                "rich",
                pallet_balances::Call::transfer_allow_death { dest, value },
            )
            .unwrap();
        };
        give(price + genesis::EXISTENTIAL_DEPOSIT - 1);
        assert_eq!(name(register("modest", "m9")), "NotEnoughBalanceToStake");
        give(1);
        register("modest", "m9").unwrap();
        assert_eq!(balance(&account("modest")), genesis::EXISTENTIAL_DEPOSIT);
        assert_eq!(Owner::<Runtime>::get(account("m9")), account("modest"));
        assert_eq!(
            OwnedHotkeys::<Runtime>::get(account("modest")),
            [account("m9")]
        );
        assert_nothing_is_lost();
    });
}

#[test]
fn foundings_are_checked() {
    chain().execute_with(|| {
        let found = |coldkey, hotkey| {
            name(call(
                coldkey,
                subtensor::Call::register_network {
                    hotkey: account(hotkey),
                },
            ))
        };
        assert_eq!(found("poor", "hot"), "CannotAffordLockCost");
        NetworkRegistrationStartBlock::<Runtime>::put(2);
        assert_eq!(found("rich", "hot"), "SubNetRegistrationDisabled");
        next_block();
        assert_eq!(found("rich", "hot"), "no error");
        assert_eq!(found("owner", "hot"), "NonAssociatedColdKey");
        // A development network lets one founding follow the other at once.
        root(admin_utils::Call::sudo_set_network_rate_limit { rate_limit: 3 }).unwrap();
        run_blocks(2);
        assert_eq!(found("owner", "hot-2"), "NetworkTxRateLimitExceeded");
        next_block();
        SubnetLimit::<Runtime>::put(1);
        assert_eq!(found("owner", "hot-2"), "SubnetLimitReached");
        SubnetLimit::<Runtime>::put(2);
        assert_eq!(found("owner", "hot-2"), "no error");
        assert_eq!(SubnetOwner::<Runtime>::get(2), account("owner"));
        assert_eq!(TotalNetworks::<Runtime>::get(), 3);
        assert_nothing_is_lost();
    });
}

#[test]
fn a_subnet_is_started_once_by_its_owner() {
    chain().execute_with(|| {
        let start = |who, netuid| name(call(who, subtensor::Call::start_call { netuid }));
        assert_eq!(start("owner", NETUID), "SubnetNotExists");
        call(
            "owner",
            subtensor::Call::register_network {
                hotkey: account("owner-hot"),
            },
        )
        .unwrap();
        assert_eq!(start("rich", NETUID), "Bad origin");
        StartCallDelay::<Runtime>::put(2);
        assert_eq!(start("owner", NETUID), "NeedWaitingMoreBlocksToStarCall");
        assert_eq!(name(stake("rich", "owner-hot", TAO)), "SubtokenDisabled");
        run_blocks(2);
        assert_eq!(start("owner", NETUID), "no error");
        assert_eq!(
            events().last(),
            Some(&subtensor::Event::FirstEmissionBlockNumberSet(NETUID, 4))
        );
        assert_eq!(start("owner", NETUID), "FirstEmissionBlockNumberAlreadySet");
        stake("rich", "owner-hot", TAO).unwrap();
    });
}

#[test]
fn stake_is_checked() {
    chain_with_subnet().execute_with(|| {
        let elsewhere = |netuid| subtensor::Call::add_stake {
            hotkey: account("v1"),
            netuid,
            amount_staked: 2 * MIN_STAKE,
        };
        assert_eq!(name(call("rich", elsewhere(9))), "SubnetNotExists");
        // The least stake must be left when the fee is taken.
        let fee = 2 * MIN_STAKE * 33 / 65_535 / 2;
        let too_low = name(stake("rich", "v1", MIN_STAKE + fee - 1));
        assert_eq!(too_low, "AmountTooLow");
        assert_eq!(
            name(stake("rich", "v1", ENDOWMENT)),
            "NotEnoughBalanceToStake"
        );
        assert_eq!(
            name(stake("rich", "nobodys", MIN_STAKE + fee)),
            "HotKeyAccountNotExists"
        );
        assert_eq!(name(stake("rich", "v1", 2 * MIN_STAKE)), "no error");
        let (cold, hot) = (account("rich"), account("v1"));
        let owned = SubtensorModule::stake_of(&hot, &cold, NETUID);
        let added = subtensor::Event::StakeAdded(
            cold.clone(),
            hot.clone(),
            2 * MIN_STAKE,
            owned,
            NETUID,
            2 * fee,
        );
        assert_eq!(events().last(), Some(&added));
        assert_eq!(StakingHotkeys::<Runtime>::get(&cold), [account("v1")]);

        assert_eq!(
            name(unstake("rich", "nobodys", 1)),
            "HotKeyAccountNotExists"
        );
        assert_eq!(name(unstake("rich", "v1", 0)), "AmountTooLow");
        assert_eq!(
            name(unstake("owner", "v1", MIN_STAKE)),
            "AmountTooLow",
            "nothing is there"
        );
        assert_eq!(name(unstake("rich", "v1", MIN_STAKE / 2)), "AmountTooLow");
        assert_eq!(
            name(unstake("rich", "v1", owned - MIN_STAKE / 2)),
            "no error"
        );
        assert_eq!(
            name(unstake("rich", "v1", MIN_STAKE / 2)),
            "no error",
            "all that is left may be less"
        );
        let lost = ENDOWMENT - balance(&cold);
        assert!(lost >= 3 * fee && lost < 6 * fee, "two fees: {lost}");
        assert!(!TotalHotkeySharesV2::<Runtime>::contains_key(&hot, NETUID));
        assert_nothing_is_lost();
    });
}

#[test]
fn announcements_are_checked() {
    chain_with_subnet().execute_with(|| {
        let serve = |who, ip: u128, port, ip_type| {
            name(call(
                who,
                subtensor::Call::serve_axon {
                    netuid: NETUID,
                    version: 7,
                    ip,
                    port,
                    ip_type,
                    protocol: 4,
                    placeholder1: 0,
                    placeholder2: 0,
                },
            ))
        };
        let local = 0x7f00_0001;
        assert_eq!(serve("nobody", local, 0, 5), "HotKeyNotRegisteredInNetwork");
        assert_eq!(serve("m1", u128::MAX, 0, 5), "InvalidIpType");
        assert_eq!(serve("m1", u128::from(u32::MAX), 0, 4), "InvalidIpAddress");
        assert_eq!(serve("m1", u128::MAX, 0, 6), "InvalidIpAddress");
        assert_eq!(serve("m1", local, 0, 4), "InvalidPort");
        assert_eq!(serve("m1", local, 8091, 4), "no error");
        assert_eq!(
            events().last(),
            Some(&subtensor::Event::AxonServed(NETUID, account("m1")))
        );
        let stored = Axons::<Runtime>::get(NETUID, account("m1")).unwrap();
        assert_eq!(
            (stored.block, stored.version, stored.ip, stored.port),
            (1, 7, local, 8091)
        );
        let serving_rate_limit = 2;
        root(admin_utils::Call::sudo_set_serving_rate_limit {
            netuid: NETUID,
            serving_rate_limit,
        })
        .unwrap();
        next_block();
        assert_eq!(serve("m1", 1, 8092, 6), "ServingRateLimitExceeded");
        assert_eq!(serve("m2", 1, 8092, 6), "no error", "the first is free");
        next_block();
        assert_eq!(serve("m1", 0, 8092, 4), "no error");
    });
}

#[test]
fn commitments_are_checked_and_kept() {
    chain_with_subnet().execute_with(|| {
        let commit = |who, netuid, fields: Vec<Data>| {
            let info = Box::new(CommitmentInfo {
                fields: fields.try_into().expect("at most three"),
            });
            name(call(
                who,
                commitments::Call::set_commitment { netuid, info },
            ))
        };
        let text = |text: &str| Data::Raw(text.as_bytes().to_vec().try_into().unwrap());
        assert_eq!(
            commit("nobody", NETUID, vec![text("a")]),
            "AccountNotAllowedCommit"
        );
        assert_eq!(commit("m1", 9, vec![text("a")]), "AccountNotAllowedCommit");
        next_block();
        assert_eq!(
            commit("m1", NETUID, vec![text("a digest and a place")]),
            "no error"
        );
        let kept = CommitmentOf::<Runtime>::get(NETUID, account("m1")).unwrap();
        assert_eq!((kept.deposit, kept.block), (0, 2));
        assert_eq!(kept.info.fields[0], text("a digest and a place"));
        assert_eq!(
            LastCommitment::<Runtime>::get(NETUID, account("m1")),
            Some(2)
        );
        // A short text costs 100 bytes; 3100 are an epoch's.
        assert_eq!(
            UsedSpaceOf::<Runtime>::get(NETUID, account("m1"))
                .unwrap()
                .used_space,
            100
        );
        let big = || vec![Data::BigRaw(vec![0; 500].try_into().unwrap()); 3];
        assert_eq!(commit("m1", NETUID, big()), "no error");
        assert_eq!(commit("m1", NETUID, big()), "no error");
        assert_eq!(commit("m1", NETUID, vec![]), "SpaceLimitExceeded");
        assert_eq!(
            CommitmentOf::<Runtime>::get(NETUID, account("m1"))
                .unwrap()
                .info
                .fields
                .len(),
            3
        );
        run_to_epoch();
        let encrypted = vec![1; 1024].try_into().unwrap();
        assert_eq!(
            commit(
                "m1",
                NETUID,
                vec![Data::TimelockEncrypted {
                    encrypted,
                    reveal_round: 77
                }]
            ),
            "no error"
        );
        assert_eq!(
            UsedSpaceOf::<Runtime>::get(NETUID, account("m1"))
                .unwrap()
                .used_space,
            1024
        );
        let told = commitments::Event::TimelockCommitment {
            netuid: NETUID,
            who: account("m1"),
            reveal_round: 77,
        };
        assert!(
            System::events()
                .iter()
                .any(|record| record.event == told.clone().into())
        );
    });
}

#[test]
fn settings_are_checked() {
    chain_with_subnet().execute_with(|| {
        use admin_utils::Call;
        let netuid = NETUID;
        let set = |call: Call<Runtime>| name(root(call));
        assert_eq!(
            set(Call::sudo_set_tempo {
                netuid: 9,
                tempo: 1
            }),
            "SubnetDoesNotExist"
        );
        let validators = |max_allowed_validators| Call::sudo_set_max_allowed_validators {
            netuid,
            max_allowed_validators,
        };
        assert_eq!(set(validators(257)), "MaxValidatorsLargerThanMaxUIds");
        let uids = |max_allowed_uids| Call::sudo_set_max_allowed_uids {
            netuid,
            max_allowed_uids,
        };
        assert_eq!(set(uids(63)), "MaxAllowedUidsLessThanMinAllowedUids");
        assert_eq!(
            set(uids(257)),
            "MaxAllowedUidsGreaterThanDefaultMaxAllowedUids"
        );
        MinAllowedUids::<Runtime>::insert(netuid, 1);
        assert_eq!(set(uids(5)), "MaxAllowedUIdsLessThanCurrentUIds");
        let average = |bonds_moving_average| Call::sudo_set_bonds_moving_average {
            netuid,
            bonds_moving_average,
        };
        assert_eq!(set(average(1_000_001)), "BondsMovingAverageMaxReached");
        assert_eq!(
            set(Call::sudo_set_min_burn {
                netuid,
                min_burn: TAO
            }),
            "ValueNotInBounds"
        );
        assert_eq!(
            set(Call::sudo_set_max_burn {
                netuid,
                max_burn: TAO / 10
            }),
            "ValueNotInBounds"
        );
        let root_emission = Call::sudo_set_subnet_emission_enabled {
            netuid: ROOT,
            enabled: true,
        };
        assert_eq!(set(root_emission), "NotPermittedOnRootSubnet");

        let all = [
            Call::sudo_set_serving_rate_limit {
                netuid,
                serving_rate_limit: 11,
            },
            Call::sudo_set_weights_version_key {
                netuid,
                weights_version_key: 12,
            },
            Call::sudo_set_weights_set_rate_limit {
                netuid,
                weights_set_rate_limit: 13,
            },
            Call::sudo_set_immunity_period {
                netuid,
                immunity_period: 14,
            },
            Call::sudo_set_min_allowed_weights {
                netuid,
                min_allowed_weights: 15,
            },
            uids(16),
            validators(3),
            average(17),
            Call::sudo_set_kappa { netuid, kappa: 18 },
            Call::sudo_set_rho { netuid, rho: 19 },
            Call::sudo_set_network_registration_allowed {
                netuid,
                registration_allowed: false,
            },
            Call::sudo_set_min_burn {
                netuid,
                min_burn: 20,
            },
            Call::sudo_set_max_burn {
                netuid,
                max_burn: TAO,
            },
            Call::sudo_set_network_rate_limit { rate_limit: 21 },
            Call::sudo_set_tempo { netuid, tempo: 22 },
            Call::sudo_set_stake_threshold { min_stake: 23 },
            Call::sudo_set_commit_reveal_weights_enabled {
                netuid,
                enabled: true,
            },
            Call::sudo_set_subtoken_enabled {
                netuid,
                subtoken_enabled: false,
            },
            Call::sudo_set_yuma3_enabled {
                netuid,
                enabled: false,
            },
            Call::sudo_set_subnet_emission_enabled {
                netuid,
                enabled: false,
            },
        ];
        for setting in all {
            assert_eq!(
                name(call("rich", setting.clone())),
                "Bad origin",
                "{setting:?}"
            );
            root(setting).unwrap();
        }
        assert_eq!(ServingRateLimit::<Runtime>::get(netuid), 11);
        assert_eq!(WeightsVersionKey::<Runtime>::get(netuid), 12);
        assert_eq!(WeightsSetRateLimit::<Runtime>::get(netuid), 13);
        assert_eq!(ImmunityPeriod::<Runtime>::get(netuid), 14);
        assert_eq!(MinAllowedWeights::<Runtime>::get(netuid), 15);
        assert_eq!(MaxAllowedUids::<Runtime>::get(netuid), 16);
        assert_eq!(MaxAllowedValidators::<Runtime>::get(netuid), 3);
        assert_eq!(BondsMovingAverage::<Runtime>::get(netuid), 17);
        assert_eq!(Kappa::<Runtime>::get(netuid), 18);
        assert_eq!(Rho::<Runtime>::get(netuid), 19);
        assert!(!NetworkRegistrationAllowed::<Runtime>::get(netuid));
        assert_eq!(MinBurn::<Runtime>::get(netuid), 20);
        assert_eq!(MaxBurn::<Runtime>::get(netuid), TAO);
        assert_eq!(NetworkRateLimit::<Runtime>::get(), 21);
        assert_eq!(Tempo::<Runtime>::get(netuid), 22);
        assert_eq!(StakeThreshold::<Runtime>::get(), 23);
        assert!(CommitRevealWeightsEnabled::<Runtime>::get(netuid));
        assert!(!SubtokenEnabled::<Runtime>::get(netuid));
        assert!(!Yuma3On::<Runtime>::get(netuid));
        assert!(!SubnetEmissionEnabled::<Runtime>::get(netuid));
    });
}

#[test]
fn an_impossible_genesis_is_refused() {
    let build = |endowed: &[(&str, u64)]| {
        let endowed = endowed
            .iter()
            .map(|(name, amount)| (account(name), *amount))
            .collect();
        let genesis = Genesis {
            endowed,
            sudo: account("sudo"),
            beacon: None,
        };
        sp_io::TestExternalities::default().execute_with(|| genesis::build(&genesis))
    };
    let (a, b) = (account("a"), account("b"));
    assert_eq!(
        build(&[("a", 500), ("b", 499)]),
        Err(GenesisError::BelowExistentialDeposit {
            account: b,
            amount: 499
        })
    );
    assert_eq!(
        build(&[("a", 500), ("a", 500)]),
        Err(GenesisError::EndowedTwice(a))
    );
    assert_eq!(
        build(&[("a", u64::MAX), ("b", 500)]),
        Err(GenesisError::AboveCap)
    );
    assert_eq!(build(&[]), Ok(()));
}

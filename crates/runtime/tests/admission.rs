//! What is refused before it stands in a block, by the public chain's numbers; and what proxies may do.

mod support;

use agon_runtime::admission::Refusal;
use agon_runtime::proxies::ProxyType;
use agon_runtime::subtensor::{self, *};
use agon_runtime::{
    Executive, Runtime, RuntimeCall, RuntimeEvent, SubtensorModule, System, admin_utils, drand,
};
use frame_support::storage::with_transaction;
use frame_support::traits::InstanceFilter;
use sp_runtime::transaction_validity::{
    InvalidTransaction, TransactionSource, TransactionValidityError,
};
use sp_runtime::{DispatchError, DispatchResult, TransactionOutcome};
use support::*;

type Call = subtensor::Call<Runtime>;

const TINY: u64 = MIN_STAKE - 1;

/// Why the pool refuses a transaction of a well-known key; `Ok` if it takes it.
fn offer(uri: &str, call: impl Into<RuntimeCall>) -> Result<(), InvalidTransaction> {
    let transaction = sign(uri, System::account_nonce(id(uri)), call);
    let hash = System::block_hash(0);
    // The pool asks what the next block would say; nothing of the asking stays.
    let checked = with_transaction(|| {
        let checked =
            Executive::validate_transaction(TransactionSource::External, transaction.clone(), hash);
        TransactionOutcome::Rollback(Ok::<_, DispatchError>(checked))
    })
    .expect("no layer is missing");
    match checked {
        Ok(_) => Ok(()),
        Err(TransactionValidityError::Invalid(reason)) => Err(reason),
        Err(unknown) => panic!("{unknown:?}"),
    }
}

fn refused(refusal: Refusal) -> Result<(), InvalidTransaction> {
    Err(InvalidTransaction::Custom(refusal as u8))
}

/// A subnet with Alice's hotkey Bob and her hotkey Charlie, who is no neuron; all have money.
fn chain_with_alice() -> sp_io::TestExternalities {
    let mut chain = chain_with_subnet();
    chain.execute_with(|| {
        for uri in ["//Alice", "//Bob", "//Charlie"] {
            fund(uri, 1000 * TAO);
        }
        let register = Call::burned_register {
            netuid: NETUID,
            hotkey: id("//Bob"),
        };
        apply("//Alice", register).unwrap();
        next_block();
    });
    chain
}

fn apply(uri: &str, call: impl Into<RuntimeCall>) -> DispatchResult {
    let transaction = sign(uri, System::account_nonce(id(uri)), call);
    Executive::apply_extrinsic(transaction).expect("a valid transaction")
}

#[test]
fn weights_that_cannot_be_set_are_refused() {
    chain_with_alice().execute_with(|| {
        let weigh = |netuid| Call::set_weights {
            netuid,
            dests: vec![6],
            weights: vec![1],
            version_key: 0,
        };
        assert_eq!(offer("//Bob", weigh(9)), refused(Refusal::SubnetNotExists));
        assert_eq!(
            offer("//Charlie", weigh(NETUID)),
            refused(Refusal::UidNotFound)
        );
        root(admin_utils::Call::sudo_set_stake_threshold { min_stake: 1 }).unwrap();
        let netuids = vec![NETUID.into()];
        let batches = [
            Call::batch_set_weights {
                netuids: netuids.clone(),
                weights: vec![vec![]],
                version_keys: vec![0.into()],
            },
            Call::batch_commit_weights {
                netuids,
                commit_hashes: vec![Default::default()],
            },
        ];
        for call in batches.into_iter().chain([weigh(NETUID)]) {
            assert_eq!(offer("//Bob", call), refused(Refusal::StakeAmountTooLow));
        }
        root(admin_utils::Call::sudo_set_stake_threshold { min_stake: 0 }).unwrap();
        assert_eq!(offer("//Bob", weigh(NETUID)), Ok(()));
        root(admin_utils::Call::sudo_set_weights_set_rate_limit {
            netuid: NETUID,
            weights_set_rate_limit: 3,
        })
        .unwrap();
        assert_eq!(
            offer("//Bob", weigh(NETUID)),
            refused(Refusal::RateLimitExceeded)
        );
        let commit = Call::commit_weights {
            netuid: NETUID,
            commit_hash: Default::default(),
        };
        assert_eq!(offer("//Bob", commit), refused(Refusal::RateLimitExceeded));
        // A block maker gets the same answer as the pool.
        let transaction = sign("//Bob", System::account_nonce(id("//Bob")), weigh(NETUID));
        let too_fast = InvalidTransaction::Custom(Refusal::RateLimitExceeded as u8);
        assert_eq!(
            Executive::apply_extrinsic(transaction),
            Err(TransactionValidityError::Invalid(too_fast))
        );
        run_blocks(2);
        apply("//Bob", weigh(NETUID)).unwrap();
        assert_eq!(
            Err(InvalidTransaction::Custom(6)),
            offer("//Bob", weigh(NETUID))
        );
        // What only the call finds out stands in the block with its error.
        let twice = Call::set_mechanism_weights {
            netuid: NETUID,
            mecid: 1,
            dests: vec![6],
            weights: vec![1],
            version_key: 0,
        };
        assert_eq!(name(apply("//Bob", twice)), "MechanismDoesNotExist");
        let uneven = Call::batch_set_weights {
            netuids: vec![NETUID.into()],
            weights: vec![],
            version_keys: vec![],
        };
        assert_eq!(
            offer("//Bob", uneven),
            refused(Refusal::InputLengthsUnequal)
        );
        // Where weights are committed to, setting them is not what is limited.
        CommitRevealWeightsEnabled::<Runtime>::insert(NETUID, true);
        assert_eq!(offer("//Bob", weigh(NETUID)), Ok(()));
        let uneven = Call::batch_reveal_weights {
            netuid: NETUID,
            uids_list: vec![vec![]],
            values_list: vec![vec![]],
            salts_list: vec![],
            version_keys: vec![0],
        };
        assert_eq!(
            offer("//Bob", uneven),
            refused(Refusal::InputLengthsUnequal)
        );
    });
}

#[test]
fn reveals_out_of_their_time_are_refused() {
    const SALT: u16 = 5;
    chain_with_alice().execute_with(|| {
        CommitRevealWeightsEnabled::<Runtime>::insert(NETUID, true);
        let reveal = |mecid, salt| Call::reveal_mechanism_weights {
            netuid: NETUID,
            mecid,
            uids: vec![6],
            values: vec![1],
            salt: vec![salt],
            version_key: 0,
        };
        let batch = |count: usize| Call::batch_reveal_weights {
            netuid: NETUID,
            uids_list: vec![vec![6]; count],
            values_list: vec![vec![1]; count],
            salts_list: vec![vec![SALT]; count],
            version_keys: vec![0; count],
        };
        let plain = || Call::reveal_weights {
            netuid: NETUID,
            uids: vec![6],
            values: vec![1],
            salt: vec![SALT],
            version_key: 0,
        };
        let unknown = refused(Refusal::CommitNotFound);
        for call in [plain(), reveal(0, SALT), reveal(1, SALT), batch(1)] {
            assert_eq!(offer("//Bob", call), unknown);
        }
        let stranger = refused(Refusal::UidNotFound);
        assert_eq!(offer("//Charlie", plain()), stranger);

        let bob: [u8; 32] = id("//Bob").into();
        let commit = |mecid| Call::commit_mechanism_weights {
            netuid: NETUID,
            mecid,
            commit_hash: agon_timelock::weights_hash(&bob, NETUID, &[6], &[1], &[SALT], 0).into(),
        };
        apply("//Bob", commit(0)).unwrap();
        let ill_timed = refused(Refusal::CommitBlockNotInRevealRange);
        for call in [plain(), reveal(0, SALT), batch(1)] {
            assert_eq!(offer("//Bob", call), ill_timed, "too early");
        }
        assert_eq!(offer("//Bob", reveal(0, SALT + 1)), unknown);
        run_to_epoch();
        for call in [plain(), reveal(0, SALT), batch(1)] {
            assert_eq!(offer("//Bob", call), Ok(()));
        }
        assert_eq!(offer("//Bob", reveal(0, SALT + 1)), unknown);
        assert_eq!(offer("//Bob", batch(2)), unknown, "one commit, two reveals");
        run_to_epoch();
        for call in [plain(), reveal(0, SALT), batch(1)] {
            assert_eq!(offer("//Bob", call), ill_timed, "too late");
        }
    });
}

#[test]
fn time_locks_of_rounds_that_are_over_are_refused() {
    chain_with_alice().execute_with(|| {
        CommitRevealWeightsEnabled::<Runtime>::insert(NETUID, true);
        drand::LastStoredRound::<Runtime>::put(100);
        for (round, expected) in [
            (99, refused(Refusal::InvalidRevealRound)),
            (100, Ok(())),
            (u64::MAX, Ok(())),
        ] {
            let (netuid, mecid, reveal_round) = (NETUID, 0, round);
            let commit = sp_runtime::BoundedVec::default();
            let calls = [
                Call::commit_timelocked_weights {
                    netuid,
                    commit: commit.clone(),
                    reveal_round,
                    commit_reveal_version: 4,
                },
                Call::commit_timelocked_mechanism_weights {
                    netuid,
                    mecid,
                    commit: commit.clone(),
                    reveal_round,
                    commit_reveal_version: 4,
                },
                Call::commit_crv3_mechanism_weights {
                    netuid,
                    mecid,
                    commit,
                    reveal_round,
                },
            ];
            for call in calls {
                assert_eq!(offer("//Bob", call), expected, "round {round}");
            }
        }
    });
}

#[test]
fn announcements_that_cannot_be_made_are_refused() {
    chain_with_alice().execute_with(|| {
        let serve = |ip, port, ip_type| Call::serve_axon {
            netuid: NETUID,
            version: 1,
            ip,
            port,
            ip_type,
            protocol: 4,
            placeholder1: 0,
            placeholder2: 0,
        };
        assert_eq!(
            offer("//Charlie", serve(1, 1, 4)),
            refused(Refusal::HotKeyNotRegisteredInNetwork)
        );
        let wrong = refused(Refusal::InvalidIpAddress);
        assert_eq!(offer("//Bob", serve(1, 1, 5)), wrong);
        assert_eq!(offer("//Bob", serve(u128::MAX, 1, 4)), wrong);
        assert_eq!(
            offer("//Bob", serve(1, 0, 4)),
            refused(Refusal::InvalidPort)
        );
        apply("//Bob", serve(0x7f00_0001, 8091, 4)).unwrap();
        assert_eq!(
            offer("//Bob", serve(1, 1, 4)),
            refused(Refusal::ServingRateLimitExceeded)
        );
        let measure = Call::serve_prometheus {
            netuid: NETUID,
            version: 1,
            ip: 1,
            port: 0,
            ip_type: 4,
        };
        assert_eq!(offer("//Bob", measure), refused(Refusal::InvalidPort));
    });
}

#[test]
fn stakes_that_cannot_be_made_are_refused() {
    chain_with_alice().execute_with(|| {
        let hotkey = id("//Bob");
        let add = |netuid, amount_staked| Call::add_stake {
            hotkey: id("//Bob"),
            netuid,
            amount_staked,
        };
        assert_eq!(
            offer("//Alice", add(9, TAO)),
            refused(Refusal::SubnetNotExists)
        );
        assert_eq!(
            offer("//Alice", add(NETUID, TINY)),
            refused(Refusal::StakeAmountTooLow)
        );
        assert_eq!(
            offer("//Alice", add(NETUID, 1000 * TAO)),
            refused(Refusal::BalanceTooLow)
        );
        let elsewhere = Call::add_stake {
            hotkey: id("//Charlie"),
            netuid: NETUID,
            amount_staked: TAO,
        };
        assert_eq!(
            offer("//Alice", elsewhere),
            refused(Refusal::HotkeyAccountDoesntExist)
        );
        apply("//Alice", add(NETUID, 5 * TAO)).unwrap();
        let remove = |amount_unstaked| Call::remove_stake {
            hotkey: hotkey.clone(),
            netuid: NETUID,
            amount_unstaked,
        };
        assert_eq!(
            offer("//Alice", remove(6 * TAO)),
            refused(Refusal::NotEnoughStakeToWithdraw)
        );
        let transfer = || Call::transfer_stake {
            destination_coldkey: id("//Charlie"),
            hotkey: id("//Bob"),
            origin_netuid: NETUID,
            destination_netuid: NETUID,
            alpha_amount: TAO,
        };
        assert_eq!(offer("//Alice", transfer()), Ok(()));
        root(admin_utils::Call::sudo_set_toggle_transfer {
            netuid: NETUID,
            toggle: false,
        })
        .unwrap();
        assert_eq!(
            offer("//Alice", transfer()),
            refused(Refusal::TransferDisallowed)
        );
        let moved = Call::move_stake {
            origin_hotkey: id("//Bob"),
            destination_hotkey: id("//Charlie"),
            origin_netuid: NETUID,
            destination_netuid: NETUID,
            alpha_amount: TAO,
        };
        assert_eq!(
            offer("//Alice", moved),
            refused(Refusal::HotkeyAccountDoesntExist)
        );
        let swapped = Call::swap_stake {
            hotkey: id("//Bob"),
            origin_netuid: NETUID,
            destination_netuid: 9,
            alpha_amount: TAO,
        };
        assert_eq!(offer("//Alice", swapped), refused(Refusal::SubnetNotExists));
        assert_eq!(offer("//Alice", remove(2 * TAO)), Ok(()));
    });
}

#[test]
fn trades_that_the_pool_cannot_make_are_refused() {
    chain_with_alice().execute_with(|| {
        let (hotkey, netuid) = (|| id("//Bob"), NETUID);
        let add = |limit_price, allow_partial| Call::add_stake_limit {
            hotkey: hotkey(),
            netuid,
            amount_staked: 100 * TAO,
            limit_price,
            allow_partial,
        };
        let price = || SubtensorModule::price_in_rao(NETUID);
        let (slips, nothing) = (
            refused(Refusal::SlippageTooHigh),
            refused(Refusal::ZeroMaxAmount),
        );
        for (limit, partial, expected) in [
            (price() - 1, false, nothing),
            (price() - 1, true, nothing),
            (price() * 21 / 20, false, slips),
            (price() * 21 / 20, true, Ok(())),
            (price() * 2, false, Ok(())),
        ] {
            assert_eq!(offer("//Alice", add(limit, partial)), expected, "{limit}");
        }
        apply("//Alice", add(price() * 2, false)).unwrap();

        let staked = SubtensorModule::stake_of(&hotkey(), &id("//Alice"), NETUID);
        let remove = |limit_price, allow_partial| Call::remove_stake_limit {
            hotkey: hotkey(),
            netuid,
            amount_unstaked: staked,
            limit_price,
            allow_partial,
        };
        let swap = |limit_price, allow_partial| Call::swap_stake_limit {
            hotkey: hotkey(),
            origin_netuid: NETUID,
            destination_netuid: ROOT,
            alpha_amount: staked,
            limit_price,
            allow_partial,
        };
        let close = |price| Call::remove_stake_full_limit {
            hotkey: hotkey(),
            netuid,
            limit_price: Some(price),
        };
        for (limit, partial, expected) in [
            (price() + 1, false, nothing),
            (price() + 1, true, nothing),
            (price() * 19 / 20, false, slips),
            (price() * 19 / 20, true, Ok(())),
            (price() / 2, false, Ok(())),
        ] {
            for call in [remove(limit, partial), swap(limit, partial)] {
                let what = format!("{call:?}");
                assert_eq!(offer("//Alice", call), expected, "{what}");
            }
            if !partial {
                assert_eq!(offer("//Alice", close(limit)), expected, "{limit}");
            }
        }

        SubnetTAO::<Runtime>::insert(NETUID, 0);
        let empty = refused(Refusal::InsufficientLiquidity);
        let plain = Call::add_stake {
            hotkey: hotkey(),
            netuid,
            amount_staked: TAO,
        };
        assert_eq!(offer("//Alice", plain), empty);
        let plain = Call::remove_stake {
            hotkey: hotkey(),
            netuid,
            amount_unstaked: TAO,
        };
        assert_eq!(offer("//Alice", plain), empty);
        let plain = Call::swap_stake {
            hotkey: hotkey(),
            origin_netuid: NETUID,
            destination_netuid: ROOT,
            alpha_amount: TAO,
        };
        assert_eq!(offer("//Alice", plain), empty);
    });
}

#[test]
fn takes_and_foundings_that_cannot_be_are_refused() {
    chain_with_alice().execute_with(|| {
        let raise = |take| Call::increase_take {
            hotkey: id("//Bob"),
            take,
        };
        assert_eq!(
            offer("//Charlie", raise(1)),
            refused(Refusal::NonAssociatedColdKey)
        );
        assert_eq!(
            offer("//Alice", raise(11_797)),
            refused(Refusal::DelegateTakeTooHigh)
        );
        apply("//Alice", raise(1000)).unwrap();
        assert_eq!(
            offer("//Alice", raise(1000)),
            refused(Refusal::DelegateTakeTooLow)
        );
        assert_eq!(
            offer("//Alice", raise(1001)),
            refused(Refusal::RateLimitExceeded)
        );
        let lower = Call::decrease_take {
            hotkey: id("//Bob"),
            take: 1000,
        };
        assert_eq!(
            offer("//Alice", lower),
            refused(Refusal::DelegateTakeTooLow)
        );
        let found = Call::register_network {
            hotkey: id("//Charlie"),
        };
        NetworkRateLimit::<Runtime>::put(7_200);
        assert_eq!(offer("//Alice", found), refused(Refusal::RateLimitExceeded));
    });
}

#[test]
fn only_the_sudo_account_offers_sudo_calls() {
    chain_with_alice().execute_with(|| {
        let remark = frame_system::Call::<Runtime>::remark { remark: vec![] };
        let sudo = || pallet_sudo::Call::<Runtime>::sudo {
            call: Box::new(remark.clone().into()),
        };
        assert_eq!(offer("//Alice", sudo()), Err(InvalidTransaction::BadSigner));
        pallet_sudo::Key::<Runtime>::put(id("//Alice"));
        assert_eq!(offer("//Alice", sudo()), Ok(()));
    });
}

#[test]
fn a_proxy_does_what_its_kind_allows() {
    chain_with_alice().execute_with(|| {
        let add = pallet_proxy::Call::<Runtime>::add_proxy {
            delegate: id("//Charlie").into(),
            proxy_type: ProxyType::Staking,
            delay: 0,
        };
        apply("//Alice", add).unwrap();
        let reserved = System::account(id("//Alice")).data.reserved;
        assert_eq!(reserved, 60_000_000 + 33_000_000, "the public deposits");
        let through = |call: RuntimeCall| {
            let proxied = pallet_proxy::Call::<Runtime>::proxy {
                real: id("//Alice").into(),
                force_proxy_type: None,
                call: Box::new(call),
            };
            apply("//Charlie", proxied).unwrap();
            System::events()
                .into_iter()
                .rev()
                .find_map(|record| match record.event {
                    RuntimeEvent::Proxy(pallet_proxy::Event::ProxyExecuted { result }) => {
                        Some(result)
                    }
                    _ => None,
                })
                .expect("the proxy says how it went")
        };
        let stake = Call::add_stake {
            hotkey: id("//Bob"),
            netuid: NETUID,
            amount_staked: TAO,
        };
        assert_eq!(through(stake.clone().into()), Ok(()));
        let filtered = Err(frame_system::Error::<Runtime>::CallFiltered.into());
        let give = pallet_balances::Call::<Runtime>::transfer_keep_alive {
            dest: id("//Charlie").into(),
            value: TAO,
        };
        assert_eq!(through(give.clone().into()), filtered);
        let hidden = pallet_utility::Call::<Runtime>::batch_all {
            calls: vec![stake.into(), give.into()],
        };
        assert_eq!(through(hidden.into()), filtered);
    });
}

#[test]
fn kinds_of_proxies_are_told_apart() {
    let bob = || account("bob");
    let transfer = |value| {
        RuntimeCall::from(pallet_balances::Call::transfer_keep_alive {
            dest: bob().into(),
            value,
        })
    };
    let register = RuntimeCall::from(Call::burned_register {
        netuid: 1,
        hotkey: bob(),
    });
    let stake = RuntimeCall::from(Call::add_stake {
        hotkey: bob(),
        netuid: 1,
        amount_staked: 1,
    });
    let rule = RuntimeCall::from(admin_utils::Call::sudo_set_kappa {
        netuid: 1,
        kappa: 1,
    });
    let pay_on = RuntimeCall::from(admin_utils::Call::sudo_set_sn_owner_hotkey {
        netuid: 1,
        hotkey: bob(),
    });
    let weigh = RuntimeCall::from(Call::set_weights {
        netuid: 1,
        dests: vec![],
        weights: vec![],
        version_key: 0,
    });
    let calls = [
        &transfer(500_000_000),
        &transfer(499_999_999),
        &register,
        &stake,
        &rule,
        &pay_on,
        &weigh,
    ];
    for (kind, allowed) in [
        (ProxyType::Any, "+++++++"),
        (ProxyType::Owner, "----+--"),
        (ProxyType::NonCritical, "++-++++"),
        (ProxyType::NonTransfer, "--+++++"),
        (ProxyType::NonFungible, "----+++"),
        (ProxyType::Staking, "---+---"),
        (ProxyType::Registration, "--+----"),
        (ProxyType::Transfer, "++-----"),
        (ProxyType::SmallTransfer, "-+-----"),
        (ProxyType::ChildKeys, "-------"),
        (ProxyType::Governance, "-------"),
    ] {
        let filtered: String = calls
            .iter()
            .map(|call| if kind.filter(call) { '+' } else { '-' })
            .collect();
        assert_eq!(filtered, allowed, "{kind:?}");
    }
    assert!(ProxyType::Any.is_superset(&ProxyType::Staking));
    assert!(!ProxyType::Staking.is_superset(&ProxyType::Any));
}

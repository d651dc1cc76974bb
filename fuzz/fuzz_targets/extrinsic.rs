//! Bytes as transactions: what a node makes of them, and of the blocks after.
//!
//! A first byte of 0: the rest arrives as it is. 1: the rest is a list of calls, each behind a byte that says who signs
//! it, which a client has brought into the form of transactions. 2: the same, but the calls are drawn. 3: what is drawn
//! comes shielded. No panic is allowed anywhere, though a node survives most of them, and what strangers do must leave
//! the books in order.

#![no_main]

use agon_fuzz::{
    OPEN, ROUND, SIGNERS, Stage, TAO, account, batch, draw::Calls, generate, position, sealed,
    sudo, weights,
};
use agon_runtime::{
    Balances, Runtime, RuntimeCall, SubtensorModule, System, admin_utils, commitments, genesis,
    subtensor,
};
use agon_timelock::{WeightsPlaintext, weights_hash};
use codec::{DecodeLimit, Encode};
use libfuzzer_sys::{Corpus, fuzz_target};
use std::{
    env,
    sync::{LazyLock, OnceLock},
};

const RAW: u8 = 0;
const CALLS: u8 = 1;
const DRAWN: u8 = 2;
const SHIELDED: u8 = 3;
/// The most calls of one input.
const MOST: usize = 8;
/// How deeply calls may be nested here, where no client signs deeper ones. As raw bytes they may.
const DEPTH: u32 = 16;
/// Enough for what is committed in the first to be revealed, and to count in an epoch.
const BLOCKS: u32 = 3;
/// The only signer who may call as root.
const ROOT: usize = 0;

static STAGE: OnceLock<Stage> = OnceLock::new();
/// Whether the calls are told on standard error: with `AGON_SHOW` in the environment, to understand what was found.
static SHOWN: LazyLock<bool> = LazyLock::new(|| env::var_os("AGON_SHOW").is_some());
static TYPES: LazyLock<Calls> = LazyLock::new(Calls::default);

fuzz_target!(
    init: {
        let stage = STAGE.get_or_init(Stage::set);
        generate("extrinsic", seeds(stage));
    },
    |data: &[u8]| -> Corpus {
        let stage = STAGE.get_or_init(Stage::set);
        let Some((arrivals, in_order)) = arrivals(stage, data) else {
            return Corpus::Reject;
        };
        stage.bench.rehearse(arrivals, BLOCKS, move || {
            if in_order {
                assert_books_are_in_order();
            }
        });
        Corpus::Keep
    }
);

/// The transactions that bytes stand for, and whether the books must be in order after them: root may bring them out
/// of order, and so does what is burned.
fn arrivals(stage: &Stage, data: &[u8]) -> Option<(Vec<Vec<u8>>, bool)> {
    let (form, mut rest) = data.split_first()?;
    if *form == RAW {
        // Signed by one of us at best, and then it is a seed.
        return Some((vec![rest.to_vec()], false));
    }
    let (mut nonces, mut arrivals, mut in_order) = (stage.nonces, Vec::new(), true);
    while let Some((signer, encoded)) = rest.split_first() {
        let call = match *form {
            CALLS => {
                rest = encoded;
                RuntimeCall::decode_with_depth_limit(DEPTH, &mut rest).ok()?
            }
            DRAWN | SHIELDED => {
                let (call, left) = TYPES.draw(encoded)?;
                rest = left;
                call
            }
            _ => return None,
        };
        if arrivals.len() == MOST || writes_anything(&call) {
            return None;
        }
        let signer = usize::from(*signer) % SIGNERS.len();
        if *SHOWN {
            eprintln!("{}: {call:?}", SIGNERS[signer]);
        }
        in_order &= signer != ROOT && !burns(&call);
        arrivals.push(match *form {
            SHIELDED => stage.shield(&mut nonces, signer, call)?,
            _ => stage.sign(&mut nonces, signer, call),
        });
    }
    (!arrivals.is_empty()).then_some((arrivals, in_order))
}

/// Whether root could write any bytes under any key with this call: then nothing can be expected of the chain.
fn writes_anything(call: &RuntimeCall) -> bool {
    use frame_system::Call::{kill_prefix, kill_storage, set_storage};
    holds(call, |call| {
        matches!(
            call,
            RuntimeCall::System(set_storage { .. } | kill_storage { .. } | kill_prefix { .. })
        )
    })
}

/// Whether money vanishes in this call that counts as issued, as on the public chain.
fn burns(call: &RuntimeCall) -> bool {
    let is_burn = |call: &RuntimeCall| {
        matches!(
            call,
            RuntimeCall::Balances(pallet_balances::Call::burn { .. })
        )
    };
    holds(call, is_burn)
}

/// Whether this is true of a call or of one that it holds.
fn holds(call: &RuntimeCall, is: fn(&RuntimeCall) -> bool) -> bool {
    use pallet_proxy::Call as Proxy;
    use pallet_sudo::Call as Sudo;
    use pallet_utility::Call as Utility;
    let within = match call {
        RuntimeCall::Utility(
            Utility::batch { calls }
            | Utility::batch_all { calls }
            | Utility::force_batch { calls },
        ) => calls.iter().any(|call| holds(call, is)),
        RuntimeCall::Utility(Utility::if_else { main, fallback }) => {
            holds(main, is) || holds(fallback, is)
        }
        RuntimeCall::Utility(
            Utility::as_derivative { call, .. }
            | Utility::dispatch_as { call, .. }
            | Utility::dispatch_as_fallible { call, .. }
            | Utility::with_weight { call, .. },
        )
        | RuntimeCall::Sudo(
            Sudo::sudo { call }
            | Sudo::sudo_unchecked_weight { call, .. }
            | Sudo::sudo_as { call, .. },
        )
        | RuntimeCall::Proxy(Proxy::proxy { call, .. } | Proxy::proxy_announced { call, .. }) => {
            holds(call, is)
        }
        _ => false,
    };
    within || is(call)
}

/// Every rao is somewhere and is counted once.
fn assert_books_are_in_order() {
    let issuance = Balances::total_issuance();
    assert_eq!(subtensor::TotalIssuance::<Runtime>::get(), issuance);
    let owned: u64 = frame_system::Account::<Runtime>::iter_values()
        .map(|account| account.data.free + account.data.reserved)
        .sum();
    assert_eq!(owned, issuance, "what accounts own");
    let mut pools = 0;
    for netuid in subtensor::NetworksAdded::<Runtime>::iter_keys() {
        let pool = subtensor::SubnetTAO::<Runtime>::get(netuid);
        let kept = if netuid == subtensor::ROOT {
            genesis::EXISTENTIAL_DEPOSIT
        } else {
            0
        };
        // Anybody may give it more.
        let owned = System::account(SubtensorModule::subnet_account(netuid))
            .data
            .free;
        assert!(owned >= pool + kept, "pool {netuid} owns {owned} of {pool}");
        pools += pool;
    }
    assert_eq!(subtensor::TotalStake::<Runtime>::get(), pools);
}

fn seeds(stage: &Stage) -> Vec<(&'static str, Vec<u8>)> {
    use admin_utils::Call as Admin;
    use commitments::{CommitmentInfo, Data};
    use subtensor::Call as Subtensor;
    let (eve, ferdie) = (account("Eve"), account("Ferdie"));
    let calls = |calls: Vec<(&str, RuntimeCall)>| {
        let encoded = calls
            .into_iter()
            .map(|(name, call)| [&[position(name) as u8][..], &call.encode()].concat());
        [vec![vec![CALLS]], encoded.collect()].concat().concat()
    };
    let transfer: RuntimeCall = pallet_balances::Call::transfer_keep_alive {
        dest: ferdie.clone().into(),
        value: TAO,
    }
    .into();
    let raw = stage.sign(&mut stage.nonces.clone(), position("Bob"), transfer.clone());
    let plain = WeightsPlaintext {
        hotkey: Some(eve.clone().into()),
        uids: vec![0, 2],
        values: vec![1, 2],
        version_key: 0,
    };
    let committed = OPEN + 1;
    let hash = weights_hash(&eve.clone().into(), committed, &[0, 2], &[3, 4], &[5, 6], 0);
    let stake = |amount_staked| -> RuntimeCall {
        let hotkey = eve.clone();
        Subtensor::add_stake {
            hotkey,
            netuid: OPEN,
            amount_staked,
        }
        .into()
    };
    vec![
        ("raw", [&[RAW][..], &raw].concat()),
        ("drawn", drawn(DRAWN, 7)),
        ("drawn-more", drawn(DRAWN, 101)),
        ("shielded", drawn(SHIELDED, 37)),
        ("transfer", calls(vec![("Bob", transfer.clone())])),
        ("weights", calls(vec![("Eve", weights())])),
        (
            "timelocked-weights",
            calls(vec![(
                "Eve",
                Subtensor::commit_timelocked_weights {
                    netuid: committed,
                    commit: sealed(&plain.to_bytes()).try_into().expect("short"),
                    reveal_round: ROUND,
                    commit_reveal_version: 4,
                }
                .into(),
            )]),
        ),
        (
            "committed-weights",
            calls(vec![
                (
                    "Eve",
                    Subtensor::commit_weights {
                        netuid: committed,
                        commit_hash: hash.into(),
                    }
                    .into(),
                ),
                (
                    "Eve",
                    Subtensor::reveal_weights {
                        netuid: committed,
                        uids: vec![0, 2],
                        values: vec![3, 4],
                        salt: vec![5, 6],
                        version_key: 0,
                    }
                    .into(),
                ),
            ]),
        ),
        (
            "commitment",
            calls(vec![(
                "Ferdie",
                commitments::Call::set_commitment {
                    netuid: OPEN,
                    info: Box::new(CommitmentInfo {
                        fields: vec![
                            Data::Raw(b"a model".to_vec().try_into().expect("short")),
                            Data::TimelockEncrypted {
                                encrypted: sealed(b"a digest").try_into().expect("short"),
                                reveal_round: ROUND,
                            },
                        ]
                        .try_into()
                        .expect("two"),
                    }),
                }
                .into(),
            )]),
        ),
        (
            "stake",
            calls(vec![
                ("Bob", stake(10 * TAO)),
                (
                    "Bob",
                    Subtensor::move_stake {
                        origin_hotkey: eve.clone(),
                        destination_hotkey: ferdie.clone(),
                        origin_netuid: OPEN,
                        destination_netuid: committed,
                        alpha_amount: 5 * TAO,
                    }
                    .into(),
                ),
                (
                    "Bob",
                    Subtensor::unstake_all {
                        hotkey: eve.clone(),
                    }
                    .into(),
                ),
            ]),
        ),
        (
            "stake-at-a-price",
            calls(vec![
                (
                    "Charlie",
                    Subtensor::add_stake_limit {
                        hotkey: ferdie.clone(),
                        netuid: OPEN,
                        amount_staked: 50 * TAO,
                        limit_price: 2 * TAO,
                        allow_partial: true,
                    }
                    .into(),
                ),
                (
                    "Charlie",
                    Subtensor::remove_stake_limit {
                        hotkey: ferdie.clone(),
                        netuid: OPEN,
                        amount_unstaked: 20 * TAO,
                        limit_price: 1,
                        allow_partial: false,
                    }
                    .into(),
                ),
            ]),
        ),
        (
            "neurons",
            calls(vec![
                (
                    "Bob",
                    Subtensor::burned_register {
                        netuid: OPEN,
                        hotkey: account("Bob"),
                    }
                    .into(),
                ),
                (
                    "Bob",
                    Subtensor::increase_take {
                        hotkey: eve.clone(),
                        take: 11_000,
                    }
                    .into(),
                ),
                (
                    "Bob",
                    Subtensor::burn_alpha {
                        hotkey: eve.clone(),
                        amount: TAO,
                        netuid: OPEN,
                    }
                    .into(),
                ),
            ]),
        ),
        (
            "axon",
            calls(vec![(
                "Ferdie",
                Subtensor::serve_axon {
                    netuid: OPEN,
                    version: 1,
                    ip: 0x0102_0304,
                    port: 8091,
                    ip_type: 4,
                    protocol: 4,
                    placeholder1: 0,
                    placeholder2: 0,
                }
                .into(),
            )]),
        ),
        (
            "subnet",
            calls(vec![
                (
                    "Charlie",
                    Subtensor::register_network {
                        hotkey: account("Charlie"),
                    }
                    .into(),
                ),
                (
                    "Alice",
                    sudo(Subtensor::root_dissolve_network { netuid: OPEN }),
                ),
            ]),
        ),
        (
            "rules",
            calls(vec![(
                "Alice",
                sudo(batch([
                    Admin::sudo_set_kappa {
                        netuid: OPEN,
                        kappa: 1,
                    }
                    .into(),
                    Admin::sudo_set_liquid_alpha_enabled {
                        netuid: OPEN,
                        enabled: true,
                    }
                    .into(),
                    Admin::sudo_set_mechanism_count {
                        netuid: OPEN,
                        mechanism_count: 2,
                    }
                    .into(),
                    Admin::sudo_set_max_allowed_uids {
                        netuid: OPEN,
                        max_allowed_uids: 64,
                    }
                    .into(),
                ])),
            )]),
        ),
        (
            "proxy",
            calls(vec![(
                "Charlie",
                pallet_proxy::Call::proxy {
                    real: account("Bob").into(),
                    force_proxy_type: None,
                    call: Box::new(batch([stake(TAO), transfer])),
                }
                .into(),
            )]),
        ),
    ]
}

/// Bytes without a plan.
fn drawn(form: u8, step: usize) -> Vec<u8> {
    let bytes = (0..64).map(|at| (at * step) as u8);
    [form].into_iter().chain(bytes).collect()
}

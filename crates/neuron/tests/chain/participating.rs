use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use agon_neuron::{Call, ChainClient, Commitment, Outcome, Value, WeightLimits};

use crate::world::*;

fn admin(name: &str, arguments: impl IntoIterator<Item = Value>) -> Call {
    Call::sudo(Call::admin(name, arguments))
}

#[tokio::test]
async fn a_subnet_from_its_creation_to_an_epoch() {
    let (node, client) = start().await;
    let (alice, bob) = (key("Alice"), key("Bob"));
    let netuid = subnet(&client).await;
    let state = client.finalized().await.unwrap();
    assert!(state.subnet_exists(netuid).await.unwrap());
    assert_eq!(state.subnet_owner(netuid).await.unwrap(), alice.account());
    assert_eq!(
        state.subnet_owner_hotkey(netuid).await.unwrap(),
        hotkey("owner")
    );
    let metagraph = state.metagraph(netuid).await.unwrap();
    assert_eq!(metagraph.hotkeys, [hotkey("owner")]);
    assert_eq!(metagraph.coldkeys, [alice.account()]);
    assert_eq!(
        (metagraph.block, metagraph.block_hash),
        (state.number(), state.hash())
    );
    assert_eq!(metagraph.axons, [None]);

    let settings = [
        admin(
            "sudo_set_commit_reveal_weights_enabled",
            [netuid.into(), false.into()],
        ),
        admin(
            "sudo_set_weights_set_rate_limit",
            [netuid.into(), Value::from(0_u64)],
        ),
        admin("sudo_set_tempo", [netuid.into(), Value::from(5_u16)]),
    ];
    done(&client, Call::batch_all(settings), &alice).await;
    done(
        &client,
        Call::burned_register(netuid, hotkey("miner")),
        &bob,
    )
    .await;
    let miner = hotkey_pair("miner");
    let serve = Call::serve_axon(netuid, 7, Ipv4Addr::new(1, 2, 3, 4).into(), 8091, 4);
    done(&client, serve, &miner).await;
    let stake = Call::add_stake(hotkey("owner"), netuid, 100 * TAO);
    let (state, _) = done(&client, stake, &alice).await;

    let hyperparameters = state.hyperparameters(netuid).await.unwrap();
    assert!(!hyperparameters.commit_reveal_enabled);
    assert_eq!(hyperparameters.weights_set_rate_limit, 0);
    assert_eq!(state.tempo(netuid).await.unwrap(), 5);
    assert_eq!(state.uid(netuid, hotkey("miner")).await.unwrap(), Some(1));
    let metagraph = state.metagraph(netuid).await.unwrap();
    assert_eq!(metagraph.uid_of(&hotkey("miner")), Some(1));
    assert_eq!(metagraph.coldkeys[1], bob.account());
    assert!(metagraph.stake[0] > 0);
    assert_eq!(
        metagraph.stake[0],
        state.stake(netuid, hotkey("owner")).await.unwrap()
    );
    let axon = metagraph.axons[1].expect("the miner serves");
    assert_eq!(
        (axon.ip.to_string().as_str(), axon.port, axon.version),
        ("1.2.3.4", 8091, 7)
    );
    assert!(metagraph.block_at_registration[1] > metagraph.block_at_registration[0]);

    let scores = BTreeMap::from([(hotkey("miner"), 0.8), (hotkey("stranger"), 1.0)]);
    let weights = metagraph.weights_for(&scores, WeightLimits::NONE).unwrap();
    assert_eq!(weights.unknown, [hotkey("stranger")]);
    let version = hyperparameters.weights_version_key;
    let call = Call::set_weights(netuid, &weights.uids, &weights.weights, version);
    let (state, _) = done(&client, call, &hotkey_pair("owner")).await;
    let expected = BTreeMap::from([(0, vec![(1, 65535)])]);
    assert_eq!(state.weights(netuid).await.unwrap(), expected);

    // Two epochs later the miner has all of the incentive.
    let epoch = state.epoch(netuid).await.unwrap();
    assert_eq!(epoch.next_block, Some(epoch.last_block + 5));
    let state = client.wait_for_block(epoch.last_block + 12).await.unwrap();
    assert!(state.epoch(netuid).await.unwrap().index >= epoch.index + 2);
    assert_eq!(state.metagraph(netuid).await.unwrap().incentive, [0, 65535]);
    node.stop().await;
}

/// Sends both at once and returns the block if it took both.
async fn together(client: &ChainClient, calls: [(Call, &str); 2]) -> Option<u64> {
    let mut signed = Vec::new();
    for (call, name) in calls {
        signed.push(client.prepare(call, &hotkey_pair(name)).await.unwrap());
    }
    let outcomes = tokio::join!(client.send(&signed[0]), client.send(&signed[1]));
    match outcomes {
        (Outcome::Finalised { block: one, .. }, Outcome::Finalised { block: other, .. }) => {
            (one == other).then_some(one)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn commitments_know_their_place_in_their_block() {
    let genesis = genesis(100_000 * TAO);
    let node = start_at(any_port(), Duration::from_millis(100), genesis).await;
    let client = ChainClient::connect(&node.url()).await.unwrap();
    let netuid = subnet(&client).await;
    let registrations = ["one", "two"].map(|name| Call::burned_register(netuid, hotkey(name)));
    done(&client, Call::batch_all(registrations), &key("Bob")).await;

    let commit = |data: &[u8]| Call::set_commitment(netuid, data).unwrap();
    let long = vec![b'x'; 300];
    let mut block = None;
    for _ in 0..20 {
        block = together(&client, [(commit(b"first"), "one"), (commit(&long), "two")]).await;
        if block.is_some() {
            break;
        }
    }
    let block = block.expect("one of twenty attempts puts both into one block");
    let state = client.finalized().await.unwrap();
    let commitments = state.commitments(netuid).await.unwrap();
    let [earlier, later] = &commitments[..] else {
        panic!("{commitments:?}");
    };
    assert_eq!((earlier.block, later.block), (block, block));
    assert!(earlier.extrinsic_index.unwrap() < later.extrinsic_index.unwrap());
    let data: BTreeMap<_, _> = [earlier, later].map(|c| (c.hotkey, &c.data[..])).into();
    assert_eq!(data[&hotkey("one")], b"first");
    assert_eq!(data[&hotkey("two")], long);
    // The second reading takes the places from memory.
    assert_eq!(state.commitments(netuid).await.unwrap(), commitments);

    // In a batch the last one counts, and the batch is its place.
    let batch = Call::batch_all([commit(b"draft"), commit(b"final")]);
    let (state, index) = done(&client, batch, &hotkey_pair("one")).await;
    let mine = |commitments: Vec<Commitment>| {
        let of = |commitment: &Commitment| commitment.hotkey == hotkey("one");
        commitments.into_iter().find(of).unwrap()
    };
    let commitment = mine(state.commitments(netuid).await.unwrap());
    assert_eq!(commitment.data, b"final");
    assert_eq!(commitment.block, state.number());
    assert_eq!(commitment.extrinsic_index, Some(index));
    // An earlier block still shows what was committed then.
    let hash = client.block_hash(block).await.unwrap().unwrap();
    let then = client.at(hash).await.unwrap();
    assert_eq!(mine(then.commitments(netuid).await.unwrap()).data, b"first");
    node.stop().await;
}

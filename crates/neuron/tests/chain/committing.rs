use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use agon_neuron::{Beacon, Call, ChainClient, ChainState, HashedWeights, Value};
use agon_node::{Genesis, Node};

use crate::world::*;

const BLOCK_TIME: Duration = Duration::from_millis(20);
const TEMPO: u16 = 150;

/// A node that is its own beacon, with a round every second, and a subnet that asks for commits; its neurons are the
/// owner's hotkey and a miner.
async fn world() -> (Node, ChainClient, u16) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let beacon = agon_node::genesis::development(&[])
        .beacon
        .map(|beacon| Beacon {
            period: 1,
            genesis_time: now.as_secs() - 1000,
            ..beacon
        });
    let genesis = Genesis {
        beacon,
        ..genesis(100_000 * TAO)
    };
    let node = start_at(any_port(), BLOCK_TIME, genesis).await;
    let client = ChainClient::connect(&node.url()).await.expect("connected");
    let netuid = subnet(&client).await;
    let set = |name, value: Value| Call::sudo(Call::admin(name, [netuid.into(), value]));
    let settings = [
        set("sudo_set_weights_set_rate_limit", Value::from(0_u64)),
        set("sudo_set_tempo", Value::from(TEMPO)),
    ];
    done(&client, Call::batch_all(settings), &key("Alice")).await;
    let register = Call::burned_register(netuid, hotkey("miner"));
    done(&client, register, &key("Bob")).await;
    (node, client, netuid)
}

async fn epoch_after(client: &ChainClient, netuid: u16, index: u64) -> ChainState {
    loop {
        let state = client.finalized().await.unwrap();
        let epoch = state.epoch(netuid).await.unwrap();
        if epoch.index > index {
            return state;
        }
        let next = epoch.next_block.expect("the subnet has a tempo");
        client
            .wait_for_block(next.max(state.number() + 1))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn sealed_weights_are_set_by_the_chain_when_the_beacon_opens_them() {
    let (node, client, netuid) = world().await;
    let state = client.finalized().await.unwrap();
    let beacon = state.beacon().await.unwrap();
    let round = state
        .reveal_round(netuid, &beacon, BLOCK_TIME)
        .await
        .unwrap()
        .expect("the subnet has a tempo");
    let commit = |round| {
        let owner = hotkey("owner");
        Call::commit_sealed_weights(netuid, owner, &[1], &[65535], 0, &beacon.public_key, round)
            .unwrap()
    };
    let owner = hotkey_pair("owner");
    assert_eq!(
        refused(&client, commit(1), &owner).await,
        "Invalid Transaction: InvalidRevealRound (Custom error: 15)"
    );
    let (state, _) = done(&client, commit(round), &owner).await;
    assert!(state.weights(netuid).await.unwrap().is_empty());
    let index = state.epoch(netuid).await.unwrap().index;
    epoch_after(&client, netuid, index).await;
    let last = epoch_after(&client, netuid, index + 1).await;
    let expected = BTreeMap::from([(0, vec![(1, 65535)])]);
    assert_eq!(last.weights(netuid).await.unwrap(), expected);
    node.stop().await;
}

#[tokio::test]
async fn hashed_weights_are_set_by_their_reveal_in_its_epoch() {
    let (node, client, netuid) = world().await;
    let owner = hotkey_pair("owner");
    let weights = HashedWeights::new(netuid, &[0, 1], &[65535, 21845], 0).unwrap();
    let (state, _) = done(&client, weights.commit(hotkey("owner")), &owner).await;
    assert_eq!(
        refused(&client, weights.reveal(), &owner).await,
        "Invalid Transaction: CommitBlockNotInRevealRange (Custom error: 17)"
    );
    let others = HashedWeights::new(netuid, &[0, 1], &[65535, 21845], 0).unwrap();
    assert_eq!(
        refused(&client, others.reveal(), &owner).await,
        "Invalid Transaction: CommitNotFound (Custom error: 16)"
    );
    let index = state.epoch(netuid).await.unwrap().index;
    epoch_after(&client, netuid, index).await;
    let (state, _) = done(&client, weights.reveal(), &owner).await;
    let expected = BTreeMap::from([(0, vec![(0, 65535), (1, 21845)])]);
    assert_eq!(state.weights(netuid).await.unwrap(), expected);
    node.stop().await;
}

//! What the chain takes only from time to time: the number of blocks that is told is the chain's own.

use std::net::Ipv4Addr;
use std::time::Duration;

use agon_keys::Keypair;
use agon_neuron::{Call, ChainClient, ChainState, Hyperparameter, ReadError, Value};

use crate::world::*;

/// How many blocks must pass between two times, here for everything.
const LIMIT: u64 = 25;

fn root(name: &str, arguments: impl IntoIterator<Item = Value>) -> Call {
    Call::sudo(Call::admin(name, arguments))
}

/// Does it, hears how long to wait, is refused in between, waits so long and does it again.
async fn twice(
    client: &ChainClient,
    signer: &Keypair,
    calls: [Call; 3],
    error: &str,
    left: impl AsyncFn(&ChainState) -> Result<u64, ReadError>,
) {
    let [first, early, again] = calls;
    let (state, _) = done(client, first, signer).await;
    let blocks = left(&state).await.unwrap();
    assert_eq!(blocks, LIMIT - 1, "{error}");
    let refusal = refused(client, early, signer).await;
    assert!(refusal.contains(error), "{refusal}");
    let later = client
        .wait_for_block(state.number() + blocks)
        .await
        .unwrap();
    assert_eq!(left(&later).await.unwrap(), 0, "{error}");
    done(client, again, signer).await;
}

#[tokio::test]
async fn how_long_to_wait_is_known_to_the_block() {
    let node = start_at(
        any_port(),
        Duration::from_millis(100),
        genesis(100_000 * TAO),
    )
    .await;
    let client = ChainClient::connect(&node.url()).await.unwrap();
    let (alice, owner) = (key("Alice"), hotkey("owner"));
    let netuid = subnet(&client).await;
    let limits = [
        root("sudo_set_network_rate_limit", [LIMIT.into()]),
        root("sudo_set_serving_rate_limit", [netuid.into(), LIMIT.into()]),
        root("sudo_set_tx_delegate_take_rate_limit", [(LIMIT - 1).into()]),
        root("sudo_set_owner_hparam_rate_limit", [Value::from(1_u16)]),
        root("sudo_set_admin_freeze_window", [Value::from(0_u16)]),
        root("sudo_set_tempo", [netuid.into(), Value::from(LIMIT as u16)]),
    ];
    done(&client, Call::batch_all(limits), &alice).await;

    let serve = |port| Call::serve_axon(netuid, 7, Ipv4Addr::new(1, 2, 3, 4).into(), port, 4);
    let serving = async |state: &ChainState| state.blocks_until_serving(netuid, owner).await;
    twice(
        &client,
        &hotkey_pair("owner"),
        [serve(1), serve(2), serve(3)],
        "ServingRateLimitExceeded",
        serving,
    )
    .await;

    let rho = Hyperparameter::named("rho").unwrap();
    let set = |value: &str| rho.set(netuid, value, false).unwrap();
    let change = async |state: &ChainState| state.blocks_until_change(netuid, rho).await;
    twice(
        &client,
        &alice,
        [set("11"), set("12"), set("13")],
        "TxRateLimitExceeded",
        change,
    )
    .await;

    let take = |take| Call::increase_take(owner, take);
    done(&client, Call::decrease_take(owner, 100), &alice).await;
    let state = client.finalized().await.unwrap();
    let blocks = state.blocks_until_higher_take(owner).await.unwrap();
    client
        .wait_for_block(state.number() + blocks)
        .await
        .unwrap();
    let raise = async |state: &ChainState| state.blocks_until_higher_take(owner).await;
    twice(
        &client,
        &alice,
        [take(200), take(300), take(400)],
        "RateLimitExceeded",
        raise,
    )
    .await;

    let found = |name| Call::register_network(hotkey(name));
    let founding = async |state: &ChainState| state.blocks_until_founding().await;
    twice(
        &client,
        &alice,
        [found("second"), found("third"), found("third")],
        "RateLimitExceeded",
        founding,
    )
    .await;

    done(
        &client,
        root("sudo_set_start_call_delay", [LIMIT.into()]),
        &alice,
    )
    .await;
    let before = client.finalized().await.unwrap();
    let wait = before.blocks_until_founding().await.unwrap();
    client.wait_for_block(before.number() + wait).await.unwrap();
    let (state, _) = done(&client, found("fourth"), &alice).await;
    let netuid = state.subnets().await.unwrap().into_iter().max().unwrap();
    assert_eq!(state.blocks_until_start(netuid).await.unwrap(), LIMIT - 1);
    let refusal = refused(&client, Call::start_call(netuid), &alice).await;
    assert!(
        refusal.contains("NeedWaitingMoreBlocksToStarCall"),
        "{refusal}"
    );
    let block = state.number() + LIMIT - 1;
    let state = client.wait_for_block(block).await.unwrap();
    assert_eq!(state.blocks_until_start(netuid).await.unwrap(), 0);
    done(&client, Call::start_call(netuid), &alice).await;
    node.stop().await;
}

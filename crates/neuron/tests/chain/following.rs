//! A metagraph that keeps up with its chain.

use std::path::Path;
use std::time::Duration;

use agon_neuron::{Call, ChainClient, Deadlines, Follower, Metagraph};
use agon_node::{Node, NodeOptions};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::world::*;

async fn node_on(database: &Path, listen: std::net::SocketAddr) -> Node {
    let options = NodeOptions {
        database: Some(database.to_owned()),
        listen,
        block_time: Duration::from_millis(50).into(),
        genesis: Some(genesis(100_000 * TAO)),
        ..NodeOptions::default()
    };
    Node::start(options).await.expect("a node starts")
}

async fn until(
    newest: &mut watch::Receiver<Option<Metagraph>>,
    condition: impl Fn(&Metagraph) -> bool,
) -> Metagraph {
    let met = newest.wait_for(|newest| newest.as_ref().is_some_and(&condition));
    let met = timeout(Duration::from_secs(60), met).await;
    let met = met.expect("in time").expect("it is followed");
    met.clone().expect("one is there")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_survives_the_end_of_its_node() {
    let home = tempfile::tempdir().unwrap();
    let database = home.path().join("chain.redb");
    let node = node_on(&database, any_port()).await;
    let url = node.url();
    let address = url.trim_start_matches("ws://").parse().expect("an address");
    let deadlines = Deadlines {
        connect: Duration::from_secs(2),
        ..Deadlines::default()
    };
    let client = ChainClient::connect_with(&url, deadlines).await.unwrap();
    let netuid = subnet(&client).await;
    let follower = Follower::start(client.clone(), netuid, 1, None);
    let mut newest = follower.watch();
    let first = until(&mut newest, |_| true).await;
    assert_eq!(first.hotkeys, [hotkey("owner")]);
    let later = until(&mut newest, |graph| graph.block > first.block + 3).await;

    // While the node is away the last one stays.
    node.stop().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let stayed = follower.newest().expect("it stays");
    assert!(stayed.block >= later.block);

    let node = node_on(&database, address).await;
    let back = until(&mut newest, |graph| graph.block > stayed.block + 3).await;
    assert_eq!(back.hotkeys, first.hotkeys);
    // And what happens now is seen.
    let register = Call::burned_register(netuid, hotkey("miner"));
    done(&client, register, &key("Bob")).await;
    let two = until(&mut newest, |graph| graph.len() == 2).await;
    assert_eq!(two.uid_of(&hotkey("miner")), Some(1));
    drop(follower);
    node.stop().await;
}

#[tokio::test]
async fn what_is_refreshed_is_what_is_read_anew() {
    let (node, client) = start().await;
    let netuid = subnet(&client).await;
    let alice = key("Alice");
    let tempo = Call::sudo(Call::admin("sudo_set_tempo", [netuid.into(), 5_u16.into()]));
    done(&client, tempo, &alice).await;
    let mut kept = client
        .finalized()
        .await
        .unwrap()
        .metagraph(netuid)
        .await
        .unwrap();
    let (mut same, mut epochs) = (0, 0);
    for step in 0..12 {
        match step {
            3 => drop(
                done(
                    &client,
                    Call::burned_register(netuid, hotkey("miner")),
                    &key("Bob"),
                )
                .await,
            ),
            6 => drop(
                done(
                    &client,
                    Call::add_stake(hotkey("owner"), netuid, TAO),
                    &alice,
                )
                .await,
            ),
            _ => {}
        }
        let state = client.wait_for_block(kept.block + 1).await.unwrap();
        let refreshed = state.refreshed(netuid, Some(&kept)).await.unwrap();
        let anew = state.metagraph(netuid).await.unwrap();
        assert_eq!(*refreshed, *anew);
        match refreshed.last_epoch_block == kept.last_epoch_block {
            true => same += 1,
            false => epochs += 1,
        }
        kept = refreshed;
    }
    assert!(same > 0 && epochs > 0, "{same} {epochs}");
    node.stop().await;
}

#[tokio::test]
async fn of_several_nodes_the_first_that_can_be_used_is() {
    let (node, client) = start().await;
    drop(client);
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("ws://{}", gone.local_addr().unwrap());
    drop(gone);
    let urls = vec![nobody.clone(), node.url()];
    let client = ChainClient::connect_any(urls, impatient()).await.unwrap();
    assert!(client.finalized().await.is_ok());
    let error = ChainClient::connect_any(vec![nobody.clone(), nobody], impatient()).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("none of the nodes"), "{error}");
    node.stop().await;
}

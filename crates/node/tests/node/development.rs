//! What a development chain does when told to.

use crate::client::{
    Client, account, data, next, number, options, remark, signed, start, transfer, unhex,
};
use agon_node::{BlockTime, MAX_ORDERED, Node, NodeOptions, genesis::TAO};
use agon_runtime::{Runtime, RuntimeCall, subtensor};
use jsonrpsee::rpc_params;
use serde_json::{Value, json};
use sp_core::Bytes;
use std::{path::Path, time::Duration};

/// A chain that makes blocks only for transactions and when told to.
async fn instant(database: Option<&Path>) -> (Node, Client) {
    let options = NodeOptions {
        block_time: BlockTime::Instant,
        development: true,
        ..options(database)
    };
    let node = Node::start(options).await.expect("the node starts");
    let client = Client::connect(&node.url()).await;
    (node, client)
}

async fn read_u64(client: &Client, key: Vec<u8>) -> u64 {
    let value = client
        .ask("state_getStorage", rpc_params![Bytes(key)])
        .await;
    let bytes = unhex(value.as_str().expect("a value"));
    u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
}

async fn time(client: &Client) -> u64 {
    read_u64(
        client,
        pallet_timestamp::Now::<Runtime>::hashed_key().to_vec(),
    )
    .await
}

/// The issuance as the Balances pallet and as the subtensor pallet count it.
async fn issuance(client: &Client) -> (u64, u64) {
    let balances = pallet_balances::TotalIssuance::<Runtime>::hashed_key().to_vec();
    let subtensor = subtensor::TotalIssuance::<Runtime>::hashed_key().to_vec();
    (
        read_u64(client, balances).await,
        read_u64(client, subtensor).await,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instant_chain_makes_a_block_as_soon_as_a_transaction_waits() {
    let (node, client) = instant(None).await;
    let genesis = client.genesis_hash().await;
    let mut behind = client.watch(&signed(remark(1), "Alice", 1, genesis)).await;
    assert_eq!(next(&mut behind).await, "future");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(client.height().await, 0, "nothing is ready");
    client
        .finalise(&signed(remark(0), "Alice", 0, genesis))
        .await;
    assert!(next(&mut behind).await.get("inBlock").is_some());
    assert_eq!(client.height().await, 1, "one block holds both");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_sealed_and_skipped_when_told_to() {
    let (node, client) = instant(None).await;
    let sealed = client.ask("dev_sealBlocks", rpc_params![3]).await;
    assert_eq!(sealed["number"], 3);
    let head = client.ask("chain_getHead", rpc_params![]).await;
    assert_eq!(sealed["hash"], head);
    let before = time(&client).await;

    let mut heads = client
        .subscribe(
            "chain_subscribeNewHeads",
            "chain_unsubscribeNewHeads",
            rpc_params![],
        )
        .await;
    assert_eq!(number(&next(&mut heads).await), 3);
    let jumped = client.ask("dev_jumpBlocks", rpc_params![150]).await;
    assert_eq!(jumped["number"], 153);
    // Each of them is a block like any other, and subscribers hear of each.
    for expected in 4..=153 {
        assert_eq!(number(&next(&mut heads).await), expected);
    }
    let after = time(&client).await;
    let twelve_seconds_each = 150 * 12_000;
    let passed = after - before;
    assert!(
        (twelve_seconds_each..twelve_seconds_each + 60_000).contains(&passed),
        "{passed}"
    );
    // The clock goes on from there, not back.
    client.ask("dev_sealBlocks", rpc_params![1]).await;
    assert!((after..after + 60_000).contains(&time(&client).await));

    for (method, wrong) in [
        ("dev_sealBlocks", json!(0)),
        ("dev_jumpBlocks", json!(MAX_ORDERED + 1)),
        ("dev_jumpBlocks", json!(-1)),
        ("dev_jumpToEpoch", json!(77)),
        ("dev_jumpToEpoch", json!(65_536)),
        ("dev_sealBlocks", json!("many")),
    ] {
        let error = client.refused(method, rpc_params![&wrong]).await;
        assert_eq!(error.code(), -32_602, "{method} {wrong}");
    }
    assert_eq!(client.height().await, 154);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_to_the_epoch_ends_in_its_block() {
    let (node, client) = instant(None).await;
    let genesis = client.genesis_hash().await;
    let hotkey = account("owner-hot");
    let register = RuntimeCall::SubtensorModule(subtensor::Call::register_network { hotkey });
    client
        .finalise(&signed(register, "Alice", 0, genesis))
        .await;
    let last = || {
        read_u64(
            &client,
            subtensor::LastEpochBlock::<Runtime>::hashed_key_for(1),
        )
    };
    let mut before = last().await;
    for _ in 0..2 {
        let head = client.ask("dev_jumpToEpoch", rpc_params![1]).await;
        let epoch = last().await;
        assert_eq!(head["number"], epoch);
        assert!(epoch > before);
        before = epoch;
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn balances_are_set_durably_and_the_issuance_follows() {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("chain.redb");
    let (node, client) = instant(Some(&path)).await;
    let (guest, alice) = (account("Guest"), account("Alice"));
    let set = async |who: &str, rao: u64| {
        let block = client.ask("dev_setBalance", rpc_params![who, rao]).await;
        assert!(block["hash"].is_string(), "{block}");
    };
    // The first block mints an emission of its own; measured after it.
    client.ask("dev_sealBlocks", rpc_params![1]).await;
    let (balances, subtensor) = issuance(&client).await;
    set(&guest.to_string(), 7 * TAO).await;
    assert_eq!(client.balance(&guest, None).await, 7 * TAO);
    set(&alice.to_string(), 999_999 * TAO).await;
    assert_eq!(client.balance(&alice, None).await, 999_999 * TAO);
    let (balances_after, subtensor_after) = issuance(&client).await;
    // What blocks mint apart, both grow by the same six TAO.
    assert_eq!(balances_after - balances, 6 * TAO);
    assert!(subtensor_after - subtensor >= 6 * TAO);
    assert_eq!(
        (subtensor_after - subtensor - 6 * TAO) % TAO,
        0,
        "only emission besides"
    );

    for (who, rao) in [
        (guest.to_string(), json!(499)),
        (guest.to_string(), json!(u64::MAX)),
        (guest.to_string(), json!(-1)),
        (guest.to_string(), json!("7")),
        ("5Nonsense".into(), json!(TAO)),
    ] {
        let error = client
            .refused("dev_setBalance", rpc_params![&who, &rao])
            .await;
        assert_eq!(error.code(), -32_602, "{who} {rao}");
    }
    assert_eq!(client.balance(&guest, None).await, 7 * TAO);
    // What was given can be spent, and taken away.
    let genesis = client.genesis_hash().await;
    client
        .finalise(&signed(transfer(&account("Eve"), TAO), "Guest", 0, genesis))
        .await;
    node.stop().await;

    let (node, client) = instant(Some(&path)).await;
    let left = client.balance(&guest, None).await;
    assert!(left < 6 * TAO && left > 5 * TAO, "{left}");
    let gone = rpc_params![guest.to_string(), 0];
    client.ask("dev_setBalance", gone).await;
    assert_eq!(client.balance(&guest, None).await, 0);
    // Its record is gone, so its nonces begin anew, also for the pool.
    let index = rpc_params![guest.to_string()];
    assert_eq!(client.ask("account_nextIndex", index).await, 0);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_methods_are_not_there_unless_asked_for() {
    let (node, client) = start().await;
    let methods = client.ask("rpc_methods", rpc_params![]).await;
    let methods = methods["methods"].as_array().expect("a list");
    let named = |name: &Value| name.as_str().is_some_and(|name| name.starts_with("dev_"));
    assert!(!methods.iter().any(named));
    let error = client.refused("dev_sealBlocks", rpc_params![1]).await;
    assert_eq!(error.code(), -32_601);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_chain_is_copied_beside_its_database_only() {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("chain.redb");
    let (node, client) = instant(Some(&path)).await;
    client.ask("dev_sealBlocks", rpc_params![5]).await;
    let copy = client.ask("dev_snapshot", rpc_params!["five"]).await;
    let copy = Path::new(copy.as_str().expect("a path")).to_owned();
    assert_eq!(copy, home.path().join("snapshots").join("five.redb"));
    client.ask("dev_sealBlocks", rpc_params![5]).await;
    for name in ["five", "", "../five", "a/b", "a.redb", &"x".repeat(65)] {
        let error = client.refused("dev_snapshot", rpc_params![name]).await;
        assert_eq!(error.code(), -32_602, "{name}");
    }
    node.stop().await;

    let restored = home.path().join("restored.redb");
    let summary = agon_node::snapshot::restore(&copy, &restored, false).expect("a whole chain");
    assert_eq!(summary.number, 5);
    let (node, client) = instant(Some(&restored)).await;
    assert_eq!(client.height().await, 5);
    client.ask("dev_sealBlocks", rpc_params![1]).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_nonce_never_goes_back() {
    let (node, client) = instant(None).await;
    let genesis = client.genesis_hash().await;
    let url = node.url();
    let watching = tokio::spawn(async move {
        let client = Client::connect(&url).await;
        let (alice, mut last) = (account("Alice").to_string(), 0);
        while last < 30 {
            let index = client.ask("account_nextIndex", rpc_params![&alice]).await;
            let index = index.as_u64().expect("a number");
            assert!(index >= last, "{index} after {last}");
            last = index;
        }
    });
    for nonce in 0..30 {
        client
            .finalise(&signed(remark(0), "Alice", nonce, genesis))
            .await;
    }
    watching.await.expect("it never went back");
    let stale = client.submit(&signed(remark(9), "Alice", 3, genesis)).await;
    let stale = stale.expect_err("the nonce is used");
    assert_eq!(data(&stale), "Transaction is outdated");
    node.stop().await;
}

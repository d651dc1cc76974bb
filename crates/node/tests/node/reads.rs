//! Blocks, states of the past, and subscriptions.

use crate::client::{account, account_key, accounts_prefix, next, number, signed, start, transfer};
use agon_node::genesis::TAO;
use jsonrpsee::rpc_params;
use serde_json::{Value, json};
use sp_io::hashing::{blake2_256, twox_128};

#[tokio::test(flavor = "multi_thread")]
async fn every_past_state_stays_readable() {
    let (node, client) = start().await;
    let genesis = client.genesis_hash().await;
    let eve = account("Eve");
    let mut blocks = vec![json!(genesis)];
    for nonce in 0..3 {
        blocks.push(
            client
                .finalise(&signed(transfer(&eve, TAO), "Alice", nonce, genesis))
                .await,
        );
    }
    for (tao, block) in (2_000..).zip(&blocks) {
        assert_eq!(client.balance(&eve, Some(block)).await, tao * TAO);
    }
    // The same through the other ways to read, pinned to the second block.
    let key = account_key(&eve);
    let value = client
        .ask("state_getStorageAt", rpc_params![&key, &blocks[1]])
        .await;
    let queried = client
        .ask("state_queryStorageAt", rpc_params![[&key], &blocks[1]])
        .await;
    assert_eq!(
        queried,
        json!([{ "block": blocks[1], "changes": [[key, value]] }])
    );
    let nonce = client
        .ask(
            "state_call",
            rpc_params![
                "AccountNonceApi_account_nonce",
                sp_core::Bytes(AsRef::<[u8]>::as_ref(&account("Alice")).to_vec()),
                &blocks[1]
            ],
        )
        .await;
    assert_eq!(nonce, "0x01000000");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_sorted_in_pages_after_the_start_key() {
    let (node, client) = start().await;
    let prefix = accounts_prefix();
    let all = client.ask("state_getKeys", rpc_params![&prefix]).await;
    let all: Vec<&str> = all
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(all.len() >= 6 && all.is_sorted(), "{all:?}");
    let mut paged: Vec<String> = Vec::new();
    loop {
        let page = client
            .ask("state_getKeysPaged", rpc_params![&prefix, 2, paged.last()])
            .await;
        let page: Vec<String> = serde_json::from_value(page).expect("a list of keys");
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        paged.extend(page);
    }
    assert_eq!(paged, all);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_at_most_a_thousand_keys() {
    use crate::client::{Client, options};
    let mut options = options(None);
    let crowd: Vec<_> = (0..1_100_u32)
        .map(|index| (blake2_256(&index.to_le_bytes()).into(), TAO))
        .collect();
    options.genesis = Some(agon_node::genesis::development(&crowd));
    let node = agon_node::Node::start(options)
        .await
        .expect("the node starts");
    let client = Client::connect(&node.url()).await;
    let page = client
        .ask("state_getKeysPaged", rpc_params![accounts_prefix(), 1_000])
        .await;
    assert_eq!(page.as_array().map(Vec::len), Some(1_000));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_blocks_are_told_apart() {
    let (node, client) = start().await;
    let nowhere = format!("0x{}", "ab".repeat(32));
    let error = client
        .refused("state_getStorage", rpc_params![accounts_prefix(), &nowhere])
        .await;
    assert_eq!(error.code(), -32_000);
    assert_eq!(
        error.message(),
        format!("Client error: UnknownBlock: State already discarded for {nowhere}")
    );
    for method in ["state_getRuntimeVersion", "state_getMetadata"] {
        assert_eq!(
            client.refused(method, rpc_params![&nowhere]).await.code(),
            -32_000
        );
    }
    for method in ["chain_getHeader", "chain_getBlock"] {
        assert_eq!(client.ask(method, rpc_params![&nowhere]).await, Value::Null);
    }
    for future in [json!(4_000_000_000_u64), json!(u64::MAX), json!("0xffffff")] {
        assert_eq!(
            client.ask("chain_getBlockHash", rpc_params![future]).await,
            Value::Null
        );
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn block_hashes_are_found_by_number_in_every_notation() {
    let (node, client) = start().await;
    client.wait_blocks(2).await;
    let two = client.ask("chain_getBlockHash", rpc_params![2]).await;
    assert_eq!(
        client.ask("chain_getBlockHash", rpc_params!["0x2"]).await,
        two
    );
    let several = client
        .ask(
            "chain_getBlockHash",
            rpc_params![[json!(2), json!("0x2"), json!(999_999)]],
        )
        .await;
    assert_eq!(several, json!([two, two, null]));
    let header = client.ask("chain_getHeader", rpc_params![&two]).await;
    assert_eq!(header["number"], "0x2");
    assert_eq!(header["digest"], json!({ "logs": [] }));
    let child = client
        .ask(
            "chain_getHeader",
            rpc_params![client.ask("chain_getHead", rpc_params![]).await],
        )
        .await;
    assert!(number(&child) >= 2);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn finalised_heads_come_in_order_without_a_gap() {
    let (node, client) = start().await;
    for (subscribe, unsubscribe) in [
        (
            "chain_subscribeFinalizedHeads",
            "chain_unsubscribeFinalizedHeads",
        ),
        ("chain_subscribeNewHeads", "chain_unsubscribeNewHeads"),
        ("chain_subscribeAllHeads", "chain_unsubscribeAllHeads"),
    ] {
        let mut heads = client
            .subscribe(subscribe, unsubscribe, rpc_params![])
            .await;
        let first = number(&next(&mut heads).await);
        for expected in first + 1..first + 6 {
            let header = next(&mut heads).await;
            assert_eq!(number(&header), expected);
            let parent = client
                .ask("chain_getBlockHash", rpc_params![expected - 1])
                .await;
            assert_eq!(header["parentHash"], parent);
        }
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_subscription_tells_of_changes_only() {
    let (node, client) = start().await;
    let genesis = client.genesis_hash().await;
    let eve = account("Eve");
    let keys = rpc_params![[account_key(&eve)]];
    let mut changes = client
        .subscribe("state_subscribeStorage", "state_unsubscribeStorage", keys)
        .await;
    let before = next(&mut changes).await;
    let block = client
        .finalise(&signed(transfer(&eve, TAO), "Alice", 0, genesis))
        .await;
    let after = next(&mut changes).await;
    assert_eq!(after["block"], block);
    assert_ne!(before["changes"], after["changes"]);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn time_moves_forward_in_every_block() {
    let (node, client) = start().await;
    client.wait_blocks(4).await;
    let key = sp_core::Bytes([twox_128(b"Timestamp"), twox_128(b"Now")].concat());
    let mut last = 0;
    for block in 1..=4 {
        let hash = client.ask("chain_getBlockHash", rpc_params![block]).await;
        let value = client
            .ask("state_getStorage", rpc_params![&key, hash])
            .await;
        let bytes = crate::client::unhex(value.as_str().expect("a time"));
        let now = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        assert!(now > last);
        last = now;
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_says_what_it_is() {
    let (node, client) = start().await;
    let version = client.ask("state_getRuntimeVersion", rpc_params![]).await;
    assert_eq!(version["specName"], "node-subtensor");
    assert_eq!(version["stateVersion"], 1);
    assert!(
        version["apis"]
            .as_array()
            .is_some_and(|apis| !apis.is_empty())
    );
    assert_eq!(
        client.ask("system_chainType", rpc_params![]).await,
        "Development"
    );
    assert_eq!(
        client.ask("system_properties", rpc_params![]).await,
        json!({ "ss58Format": 42, "tokenDecimals": 9, "tokenSymbol": "TAO" })
    );
    let metadata = client.ask("state_getMetadata", rpc_params![]).await;
    assert!(
        metadata
            .as_str()
            .is_some_and(|text| text.starts_with("0x6d657461")),
        "\"meta\" comes first"
    );
    let methods = client.ask("rpc_methods", rpc_params![]).await;
    let methods: Vec<&str> = methods["methods"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for wanted in [
        "author_submitAndWatchExtrinsic",
        "author_unwatchExtrinsic",
        "account_nextIndex",
        "rpc_methods",
    ] {
        assert!(methods.contains(&wanted), "{wanted} is missing");
    }
    assert!(
        !methods.iter().any(|name| name.starts_with("chainHead_")),
        "clients would use it"
    );
    node.stop().await;
}

//! Chains that keep the states of their newest blocks only.

use crate::client::{Client, account, options};
use agon_node::{BlockTime, Node, NodeOptions, OpenError, StartError, genesis::TAO};
use jsonrpsee::rpc_params;
use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition};
use serde_json::Value;
use std::{num::NonZeroU32, path::Path};

const NODES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("nodes");

fn keeping(database: &Path, kept: Option<u32>) -> NodeOptions {
    NodeOptions {
        block_time: BlockTime::Instant,
        development: true,
        pruning: kept.and_then(NonZeroU32::new),
        ..options(Some(database))
    }
}

async fn start(database: &Path, kept: Option<u32>) -> (Node, Client) {
    let node = Node::start(keeping(database, kept))
        .await
        .expect("the node starts");
    let client = Client::connect(&node.url()).await;
    (node, client)
}

/// Changes balances for so many blocks, there and back, so that trie nodes come, go and come again.
async fn live(client: &Client, blocks: u64) {
    for block in 0..blocks {
        let who = account(["Eve", "Dave", "Guest"][block as usize % 3]).to_string();
        let rao = (block % 2) * TAO;
        client.ask("dev_setBalance", rpc_params![who, rao]).await;
    }
}

/// Every value of the state after a block.
async fn whole_state(client: &Client, block: &Value) -> Value {
    let keys = client.ask("state_getKeys", rpc_params!["0x", block]).await;
    let queried = client
        .ask("state_queryStorageAt", rpc_params![keys, block])
        .await;
    let changes = queried[0]["changes"].as_array().expect("a list");
    assert!(changes.len() > 20 && changes.iter().all(|change| change[1].is_string()));
    queried
}

async fn hash(client: &Client, number: u64) -> Value {
    client.ask("chain_getBlockHash", rpc_params![number]).await
}

fn nodes(database: &Path) -> u64 {
    let database = Database::open(database).expect("the file is free again");
    let read = database.begin_read().expect("a transaction");
    read.open_table(NODES)
        .expect("nodes")
        .len()
        .expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn old_states_go_and_new_ones_stay_whole() {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("chain.redb");
    let (node, client) = start(&path, Some(16)).await;
    live(&client, 60).await;
    let head = client.height().await;
    assert_eq!(head, 60);
    for number in 0..=head {
        let block = hash(&client, number).await;
        // Blocks stay in any case.
        assert!(
            client
                .ask("chain_getBlock", rpc_params![&block])
                .await
                .is_object()
        );
        if number > head - 16 {
            whole_state(&client, &block).await;
            continue;
        }
        let error = client
            .refused("state_getStorage", rpc_params!["0x00", &block])
            .await;
        let block = block.as_str().expect("a hash");
        let expected = format!("Client error: UnknownBlock: State already discarded for {block}");
        assert_eq!((error.code(), error.message()), (-32_000, &expected[..]));
        assert_eq!(
            client
                .refused("state_call", rpc_params!["Core_version", "0x", block])
                .await
                .message(),
            expected
        );
    }
    node.stop().await;

    // A smaller or larger window is fine; it only moves forward.
    let before = nodes(&path);
    let (node, client) = start(&path, Some(20)).await;
    live(&client, 60).await;
    let head = client.height().await;
    whole_state(&client, &hash(&client, head - 19).await).await;
    let gone = rpc_params!["0x00", hash(&client, head - 20).await];
    client.refused("state_getStorage", gone).await;
    node.stop().await;
    let after = nodes(&path);
    assert!(
        // The window is wider, and no two runs write the same; kept whole, sixty blocks would be several times as many.
        after < 2 * before,
        "nodes pile up: {before}, then {after}"
    );
    // The same life in an archive leaves far more behind.
    let archive = home.path().join("archive.redb");
    let (node, client) = start(&archive, None).await;
    live(&client, 120).await;
    let first = hash(&client, 1).await;
    whole_state(&client, &first).await;
    node.stop().await;
    let all = nodes(&archive);
    assert!(all > 2 * after, "{all} in the archive, {after} pruned");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pruned_chain_survives_a_copy() {
    let home = tempfile::tempdir().expect("a directory");
    let (path, copy) = (
        home.path().join("chain.redb"),
        home.path().join("copy.redb"),
    );
    let (node, client) = start(&path, Some(16)).await;
    live(&client, 40).await;
    node.stop().await;
    let summary = agon_node::snapshot::take(&path, &copy).expect("a whole chain");
    assert_eq!(summary.number, 40);
    let (node, client) = start(&copy, Some(16)).await;
    live(&client, 40).await;
    let oldest = hash(&client, client.height().await - 15).await;
    whole_state(&client, &oldest).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_and_a_pruned_chain_are_not_mixed_up() {
    let home = tempfile::tempdir().expect("a directory");
    for begun in [None, Some(16)] {
        let path = home.path().join(format!("{begun:?}.redb"));
        start(&path, begun).await.0.stop().await;
        let other = begun.xor(Some(16));
        let Err(error) = Node::start(keeping(&path, other)).await else {
            panic!("the node started");
        };
        assert!(
            matches!(&error, StartError::Open(OpenError::OtherPruning { pruned, .. }) if *pruned == begun.is_some()),
            "{error}"
        );
        start(&path, begun).await.0.stop().await;
    }
}

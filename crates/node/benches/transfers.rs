//! Signed transfers a second: signed, submitted over WebSocket and included in blocks that are on the disk, from one
//! and from eight connections, beside what signing and verifying alone reach on the same cores in the same run; and the
//! memory after them.
//!
//! `cargo bench -p agon-node --bench transfers -- [TRANSFERS]`

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/node/client.rs"]
mod client;

use agon_node::{Node, NodeOptions, genesis};
use client::{Client, Unsigned, account, options, transfer};
use futures::StreamExt;
use jsonrpsee::rpc_params;
use serde_json::json;
use sp_core::{H256, Pair, sr25519};
use sp_runtime::generic::Era;
use std::{
    env, fs,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// Accounts that send: a queue each.
const SENDERS: usize = 16;
/// Time between blocks: what `agon up` takes. With `instant` the author makes smaller blocks and more of them.
const BLOCK_TIME: Duration = Duration::from_millis(250);
/// Requests that are under way on one connection.
const IN_FLIGHT: usize = 256;

fn main() {
    let transfers = env::args().find_map(|argument| argument.parse().ok());
    let transfers = transfers.unwrap_or(20_000);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let before = sign_and_verify(transfers);
    let mut rates = Vec::new();
    for connections in [1, 8] {
        let rate = runtime.block_on(included(transfers, connections));
        println!(
            "{connections} connection(s): {rate:.0} transfers/s, signed, submitted, durable in a block; {:.0} MiB, clients included",
            resident_mib()
        );
        rates.push(rate);
    }
    let ceiling = (before + sign_and_verify(transfers)) / 2.0;
    let ratios: Vec<_> = rates
        .iter()
        .map(|rate| format!("{:.2}", rate / ceiling))
        .collect();
    println!(
        "ceiling: {ceiling:.0} sr25519 signatures/s, signed and verified, nothing else; of that {}",
        ratios.join(" and ")
    );
}

/// What this process, node and clients, keeps in memory.
fn resident_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1_024.0
}

/// How many messages of a transfer's length all cores together sign and verify in a second.
fn sign_and_verify(count: usize) -> f64 {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let begun = Instant::now();
    thread::scope(|scope| {
        for core in 0..cores {
            scope.spawn(move || {
                let pair = genesis::development_pair(&format!("Sender{core}"));
                for index in 0..count / cores {
                    let message = [index as u8; 140];
                    let signature = pair.sign(&message);
                    assert!(sr25519::Pair::verify(&signature, message, &pair.public()));
                }
            });
        }
    });
    count as f64 / begun.elapsed().as_secs_f64()
}

async fn included(transfers: usize, connections: usize) -> f64 {
    let home = tempfile::tempdir().expect("a directory");
    let pairs: Vec<_> = (0..SENDERS)
        .map(|index| genesis::development_pair(&format!("Sender{index}")))
        .collect();
    let rich = pairs
        .iter()
        .map(|pair| (pair.public().into(), 1_000 * genesis::TAO));
    let options = NodeOptions {
        block_time: BLOCK_TIME.into(),
        genesis: Some(genesis::development(&rich.collect::<Vec<_>>())),
        ..options(Some(&home.path().join("chain.redb")))
    };
    let node = Node::start(options).await.expect("the node starts");
    let first = Client::connect(&node.url()).await;
    let genesis = first.genesis_hash().await;
    let pairs = Arc::new(pairs);
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for connection in 0..connections {
        let client = Client::connect(&node.url()).await;
        tasks.push(tokio::spawn(send(
            client,
            pairs.clone(),
            genesis,
            connection,
            connections,
            transfers / connections,
        )));
    }
    for task in tasks {
        task.await.expect("a connection sends its share");
    }
    while first.ask("author_pendingExtrinsics", rpc_params![]).await != json!([]) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let rate = transfers as f64 / begun.elapsed().as_secs_f64();
    node.stop().await;
    rate
}

/// Sends `count` transfers from the senders that belong to this connection, in turn.
async fn send(
    client: Client,
    pairs: Arc<Vec<sr25519::Pair>>,
    genesis: H256,
    connection: usize,
    connections: usize,
    count: usize,
) {
    let (client, pairs) = (&client, &pairs);
    let destination = &account("Eve");
    let own = SENDERS / connections;
    let submissions = futures::stream::iter(0..count).map(|index| async move {
        let unsigned = Unsigned {
            call: transfer(destination, 1_000),
            nonce: (index / own) as u32,
            era: Era::Immortal,
            birth: genesis,
            genesis,
        };
        let bytes = unsigned.sign(&pairs[connection * own + index % own]);
        // A full pool is not a failure but a sign to wait.
        while let Err(error) = client.submit(&bytes).await {
            assert_eq!(error.code(), 1_016, "{error}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    submissions
        .buffer_unordered(IN_FLIGHT)
        .for_each(|()| async {})
        .await;
}

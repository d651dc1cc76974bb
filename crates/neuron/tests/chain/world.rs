//! Nodes, keys, and a wire that can be cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use agon_keys::{AccountId, Keypair};
use agon_neuron::{Call, ChainClient, ChainState, Deadlines, Outcome, Signer};
use agon_node::{Genesis, Node, NodeOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub const TAO: u64 = 1_000_000_000;

pub fn key(name: &str) -> Keypair {
    Keypair::from_uri(&format!("//{name}")).expect("a development key")
}

/// Alice is root; `rich` and she own much.
pub fn genesis(rich: u64) -> Genesis {
    let people = ["Alice", "Bob", "Charlie", "Dave"].map(|name| (key(name), rich));
    let hotkeys = ["owner", "miner", "one", "two"].map(|name| (hotkey_pair(name), TAO));
    let endowed = people.into_iter().chain(hotkeys);
    Genesis {
        endowed: endowed
            .map(|(key, rao)| (key.account().0.into(), rao))
            .collect(),
        sudo: key("Alice").account().0.into(),
        beacon: None,
    }
}

pub async fn start_at(listen: SocketAddr, block_time: Duration, genesis: Genesis) -> Node {
    let options = NodeOptions {
        database: None,
        listen,
        block_time: block_time.into(),
        genesis: Some(genesis),
        ..NodeOptions::default()
    };
    Node::start(options).await.expect("a node in memory starts")
}

pub fn any_port() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// A node with a block every 40 ms, and a client of it.
pub async fn start() -> (Node, ChainClient) {
    let node = start_at(
        any_port(),
        Duration::from_millis(20),
        genesis(100_000 * TAO),
    )
    .await;
    let client = ChainClient::connect(&node.url()).await.expect("connected");
    (node, client)
}

/// Deadlines that a test can wait for.
pub fn impatient() -> Deadlines {
    Deadlines {
        connect: Duration::from_secs(2),
        request: Duration::from_secs(2),
        silence: Duration::from_secs(2),
        submit: Duration::from_secs(4),
    }
}

/// Submits and insists on success: the block and the index in it.
pub async fn done(client: &ChainClient, call: Call, signer: &dyn Signer) -> (ChainState, u32) {
    let name = call.to_string();
    match client.submit(call, signer).await {
        Outcome::Finalised {
            block,
            hash,
            extrinsic_index,
            ..
        } => {
            let state = client.at(hash).await.expect("the block is there");
            assert_eq!(state.number(), block);
            (state, extrinsic_index)
        }
        other => panic!("{name}: {other:?}"),
    }
}

/// The name of the error that a call ends in.
pub async fn refused(client: &ChainClient, call: Call, signer: &dyn Signer) -> String {
    match client.submit(call, signer).await {
        Outcome::Rejected { error } => error,
        other => panic!("a rejection was expected: {other:?}"),
    }
}

/// Creates a subnet of Alice's with the hotkey `owner-hotkey` and starts it.
pub async fn subnet(client: &ChainClient) -> u16 {
    let alice = key("Alice");
    let before = client.finalized().await.unwrap().subnets().await.unwrap();
    let register = Call::register_network(hotkey("owner"));
    let (state, _) = done(client, register, &alice).await;
    let after = state.subnets().await.unwrap();
    let netuid = *after
        .iter()
        .find(|n| !before.contains(n))
        .expect("a new subnet");
    done(client, Call::start_call(netuid), &alice).await;
    netuid
}

pub fn hotkey(name: &str) -> AccountId {
    hotkey_pair(name).account()
}

pub fn hotkey_pair(name: &str) -> Keypair {
    key(&format!("{name}-hotkey"))
}

/// A wire between a client and a node on which the node's answers can be held back for ever.
pub struct Wire {
    pub url: String,
    cut: Arc<watch::Sender<bool>>,
}

impl Wire {
    pub async fn to(node: &Node) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let target = node.local_address();
        let (cut, _) = watch::channel(false);
        let cut = Arc::new(cut);
        let cuts = cut.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(target).await.unwrap();
                let (mut near_read, mut near_write) = near.into_split();
                let (mut far_read, mut far_write) = far.into_split();
                tokio::spawn(async move {
                    let _ = tokio::io::copy(&mut near_read, &mut far_write).await;
                });
                let mut cut = cuts.subscribe();
                tokio::spawn(async move {
                    let mut buffer = vec![0; 1 << 16];
                    while let Ok(length @ 1..) = far_read.read(&mut buffer).await {
                        let _ = cut.wait_for(|cut| !cut).await;
                        if near_write.write_all(&buffer[..length]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, cut }
    }

    /// From now on nothing comes back.
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }
}

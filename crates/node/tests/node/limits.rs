//! Bounds on what clients may take, and what they may be.

use crate::client::{Client, account, options, remark, signed, start, transfer};
use agon_node::{BlockTime, Limits, Node, NodeOptions, Origins};
use futures::future::join_all;
use jsonrpsee::{core::ClientError, rpc_params, ws_client::WsClientBuilder};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn limited(limits: Limits) -> Node {
    let options = NodeOptions {
        block_time: BlockTime::Instant,
        limits,
        ..options(None)
    };
    Node::start(options).await.expect("the node starts")
}

/// Subscribes to what never speaks again on an instant chain.
async fn try_subscribe(client: &Client) -> Result<Value, ClientError> {
    client
        .try_ask("state_subscribeRuntimeVersion", rpc_params![])
        .await
}

fn code(error: &ClientError) -> i32 {
    match error {
        ClientError::Call(error) => error.code(),
        other => panic!("an error answer was expected: {other}"),
    }
}

/// Sends one HTTP request with these header lines and gives the whole answer.
async fn http(node: &Node, method: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(node.local_address())
        .await
        .expect("a connection");
    let request = format!(
        "{method} / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // A server that refuses a body may close before it has it all.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

const JSON: &str = "Content-Type: application/json\r\n";

async fn call(node: &Node, body: &str) -> String {
    http(node, "POST", JSON, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_are_bounded_for_each_connection_and_for_all() {
    let node = limited(Limits {
        subscriptions_per_connection: 6,
        subscriptions: 10,
        ..Limits::default()
    })
    .await;
    let (one, two) = (
        Client::connect(&node.url()).await,
        Client::connect(&node.url()).await,
    );
    for _ in 0..6 {
        assert!(try_subscribe(&one).await.expect("a place").is_string());
    }
    let refused = try_subscribe(&one).await.expect_err("one too many");
    assert_eq!(code(&refused), -32_006);
    for _ in 0..4 {
        try_subscribe(&two).await.expect("a place");
    }
    let refused = try_subscribe(&two).await.expect_err("one too many");
    assert_eq!(code(&refused), -32_006);
    // A watched transaction that finds no place is not submitted either.
    let genesis = one.genesis_hash().await;
    let bytes = sp_core::Bytes(signed(remark(0), "Alice", 1, genesis));
    let watched = two
        .try_ask("author_submitAndWatchExtrinsic", rpc_params![bytes])
        .await;
    assert_eq!(code(&watched.expect_err("one too many")), -32_006);
    assert_eq!(
        two.ask("author_pendingExtrinsics", rpc_params![]).await,
        json!([])
    );
    // Whoever leaves makes room.
    drop(one);
    while try_subscribe(&two).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_idle_subscriptions_hold_up_nobody() {
    let node = limited(Limits::default()).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let client = Client::connect(&node.url()).await;
        let mut open = 0;
        while open < 3_400 {
            let some = (0..100).map(|_| try_subscribe(&client));
            let all = join_all(some).await;
            assert!(all.iter().all(Result::is_ok));
            open += all.len();
        }
        clients.push(client);
    }
    let genesis = clients[0].genesis_hash().await;
    clients[0]
        .finalise(&signed(transfer(&account("Eve"), 1_000), "Bob", 0, genesis))
        .await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_and_bodies_are_bounded() {
    let node = limited(Limits {
        connections: 2,
        request_bytes: 10_000,
        ..Limits::default()
    })
    .await;
    let one = Client::connect(&node.url()).await;
    let name = r#"{"jsonrpc":"2.0","id":1,"method":"system_name"}"#;
    assert!(call(&node, name).await.contains("Agon Node"));
    let large = name.replace("system_name", &"x".repeat(20_000));
    let answer = call(&node, &large).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    // Over a WebSocket: an error without an id, for the request was not read.
    let other = Client::connect(&node.url()).await;
    let large = rpc_params!["0x".to_owned() + &"00".repeat(10_000)];
    let refused = other.try_ask("author_submitExtrinsic", large).await;
    assert!(refused.is_err());
    one.genesis_hash().await;
    drop(other);
    while !call(&node, name).await.contains("Agon Node") {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }

    let two = Client::connect(&node.url()).await;
    assert!(WsClientBuilder::default().build(node.url()).await.is_err());
    assert!(call(&node, name).await.starts_with("HTTP/1.1 429"));
    two.genesis_hash().await;
    drop(one);
    while WsClientBuilder::default().build(node.url()).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn web_pages_need_an_origin_that_is_allowed() {
    let (node, _client) = start().await;
    let name = r#"{"jsonrpc":"2.0","id":1,"method":"system_name"}"#;
    let from = |origin: &str| format!("{JSON}Origin: {origin}\r\n");
    let answer = http(&node, "POST", &from("http://localhost:3000"), name).await;
    assert!(answer.contains("Agon Node"), "{answer}");
    assert!(
        answer.contains("access-control-allow-origin: http://localhost:3000"),
        "{answer}"
    );
    let answer = http(&node, "OPTIONS", &from("http://127.0.0.1:8080"), "").await;
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert!(answer.contains("access-control-allow-headers: content-type"));
    let answer = http(&node, "POST", &from("https://evil.example"), name).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    // A WebSocket is no exception, though browsers would allow it.
    let upgrade = "Origin: https://evil.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let answer = http(&node, "GET", upgrade, "").await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    node.stop().await;

    let options = NodeOptions {
        origins: Origins::All,
        ..options(None)
    };
    let node = Node::start(options).await.expect("the node starts");
    let answer = http(&node, "POST", &from("https://evil.example"), name).await;
    assert!(answer.contains("Agon Node"), "{answer}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_survives_parameters_of_every_wrong_kind() {
    let (node, client) = start().await;
    let methods = client.ask("rpc_methods", rpc_params![]).await;
    let methods = methods["methods"].as_array().expect("a list").clone();
    let wrong = [
        json!([{}]),
        json!([[[]]]),
        json!(["0x", "0x", "0x", "0x", "0x"]),
        json!([-1, -1, -1, -1]),
        json!([1e300, true]),
        json!([null, null, null]),
        json!(["\u{0}", "🦀", "0xzz"]),
        json!({ "key": "0x" }),
        json!([]),
    ];
    for method in &methods {
        for params in &wrong {
            let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
            let answer = call(&node, &request.to_string()).await;
            assert!(
                answer.contains("\"result\"") || answer.contains("\"error\""),
                "{request}: {answer}"
            );
            assert!(!answer.contains("panicked"), "{request}: {answer}");
        }
    }
    assert!(methods.len() > 40);
    let unknown = client.refused("chainHead_v1_follow", rpc_params![]).await;
    assert_eq!(
        (unknown.code(), unknown.message()),
        (-32_601, "Method not found")
    );
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_nested_deeply_is_an_error() {
    let (node, client) = start().await;
    let deep = |open: &str, close: &str| {
        let levels = 200_000;
        format!("{}{}", open.repeat(levels), close.repeat(levels))
    };
    for params in [
        deep("[", "]"),
        format!("[{}]", deep("{\"a\":", "}").replace(":}", ":1}")),
    ] {
        for method in [
            "chain_getBlockHash",
            "state_queryStorageAt",
            "author_submitExtrinsic",
        ] {
            let request =
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
            let answer = call(&node, &request).await;
            assert!(answer.contains("\"error\""), "{method}");
        }
    }
    for body in [deep("[", "]"), deep("{\"a\":", "}"), deep("[", "")] {
        let answer = call(&node, &body).await;
        assert!(
            answer.contains("\"error\"") || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
    let many: Vec<_> = (0..200)
        .map(|id| json!({ "jsonrpc": "2.0", "id": id, "method": "system_name" }))
        .collect();
    let answer = call(&node, &Value::from(many).to_string()).await;
    assert!(answer.contains("-32010"), "a batch too large: {answer}");
    client.genesis_hash().await;
    node.stop().await;
}

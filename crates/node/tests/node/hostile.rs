//! Input that means harm: each ends in an error answer, and the node goes on.

use crate::client::{Client, account, data, signed, start, transfer};
use agon_node::Node;
use agon_runtime::{Runtime, RuntimeCall};
use codec::Encode;
use jsonrpsee::rpc_params;
use sp_core::{Bytes, H256};
use sp_io::hashing;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The node still takes, seals and tells.
async fn assert_alive(node: Node, client: &Client) {
    let genesis = client.genesis_hash().await;
    client
        .finalise(&signed(
            transfer(&account("Eve"), 1_000),
            "Charlie",
            0,
            genesis,
        ))
        .await;
    node.stop().await;
}

/// A remark wrapped in `depth` batches.
fn nested(depth: usize) -> RuntimeCall {
    let mut call = RuntimeCall::System(frame_system::Call::remark { remark: vec![] });
    for _ in 0..depth {
        call = RuntimeCall::Utility(pallet_utility::Call::batch { calls: vec![call] });
    }
    call
}

/// The bytes of a bare extrinsic with far more nested batches than can be built as a value.
fn bottomless(depth: usize) -> Vec<u8> {
    let batch_of_one = RuntimeCall::Utility(pallet_utility::Call::batch { calls: vec![] }).encode();
    let level = [&batch_of_one[..2], &[4_u8][..]].concat();
    let body = [&[4_u8][..], &level.repeat(depth)].concat();
    body.encode() // a Vec's encoding is the length prefix and the bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_transaction() {
    let (node, client) = start().await;
    let genesis = client.genesis_hash().await;
    let good = signed(transfer(&account("Eve"), 1), "Alice", 0, genesis);

    for garbage in ["0xzz", "zz", "0x\u{0}"] {
        assert_eq!(
            client
                .refused("author_submitExtrinsic", rpc_params![garbage])
                .await
                .code(),
            -32_602,
            "{garbage:?}"
        );
    }
    assert_eq!(
        client
            .refused("author_submitExtrinsic", rpc_params![7])
            .await
            .code(),
        -32_602
    );
    assert_eq!(
        client
            .refused("author_submitExtrinsic", rpc_params![])
            .await
            .code(),
        -32_602
    );

    let truncated = &good[..good.len() - 1];
    let trailing = [&good[..], &[0]].concat();
    let lying_length = [&(1_u32 << 30).to_le_bytes()[..], &good[..]].concat();
    for malformed in [
        &[][..],
        &[0xff; 64],
        truncated,
        &trailing,
        &lying_length,
        &bottomless(300_000),
    ] {
        let error = client.submit(malformed).await.expect_err("malformed");
        assert_eq!(error.code(), 1001, "{}", error.message());
        assert!(
            error
                .message()
                .starts_with("Extrinsic has invalid format: ")
        );
    }
    let oversize = client
        .submit(&vec![0; (1 << 20) + 1])
        .await
        .expect_err("too large");
    assert_eq!(
        (oversize.code(), data(&oversize)),
        (1010, "Transaction would exhaust the block limits".into())
    );
    let bare = agon_runtime::UncheckedExtrinsic::new_bare(nested(0)).encode();
    let unsigned = client.submit(&bare).await.expect_err("unsigned");
    assert_eq!(
        (unsigned.code(), data(&unsigned)),
        (1010, "Transaction call is not expected".into())
    );
    assert_alive(node, &client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_nested_as_deeply_as_allowed_do_not_overflow_the_stack() {
    let (node, client) = start().await;
    let genesis = client.genesis_hash().await;
    let deep = signed(nested(250), "Alice", 0, genesis);
    client.finalise(&deep).await;
    client
        .ask("payment_queryInfo", rpc_params![Bytes(deep)])
        .await;
    let too_deep = client
        .submit(&signed(nested(300), "Alice", 1, genesis))
        .await
        .expect_err("too deep");
    assert_eq!(too_deep.code(), 1001);
    assert_alive(node, &client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runtime_functions_that_panic_or_would_overflow() {
    let (node, client) = start().await;
    let call = async |function: &str, arguments: &[u8]| {
        let error = client
            .refused(
                "state_call",
                rpc_params![function, Bytes(arguments.to_vec())],
            )
            .await;
        assert_eq!(error.code(), -32_000, "{function}");
        error.message().to_owned()
    };
    // Natively FRAME panics on arguments that do not decode.
    let panicked = call("AccountNonceApi_account_nonce", &[1, 2, 3]).await;
    assert!(
        panicked.starts_with("Client error: Execution failed: the runtime panicked: "),
        "{panicked}"
    );
    let missing = call("NoSuchApi_no_such_function", &[]).await;
    assert_eq!(
        missing,
        "Client error: Execution failed: Exported method NoSuchApi_no_such_function is not found"
    );

    let source_and = |extrinsic: Vec<u8>| [vec![0], extrinsic].concat();
    for (function, arguments) in [
        ("TransactionPaymentApi_query_info", bottomless(300_000)),
        (
            "TransactionPaymentApi_query_fee_details",
            bottomless(300_000),
        ),
        (
            "TaggedTransactionQueue_validate_transaction",
            source_and(bottomless(300_000)),
        ),
        ("BlockBuilder_apply_extrinsic", bottomless(300_000)),
        ("BlockBuilder_finalize_block", vec![]),
        ("Core_execute_block", vec![0; 200]),
        ("Core_initialize_block", vec![0; 200]),
    ] {
        let refused = call(function, &arguments).await;
        assert!(refused.ends_with("refuses these arguments"), "{refused}");
    }
    assert_alive(node, &client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_would_replace_the_runtime() {
    let (node, client) = start().await;
    let genesis = client.genesis_hash().await;
    let code = vec![0; 64];
    let code_hash = hashing::blake2_256(&code).into();
    let root = |call: frame_system::Call<Runtime>| {
        let call = Box::new(call.into());
        RuntimeCall::Sudo(pallet_sudo::Call::sudo { call })
    };
    let set = root(frame_system::Call::set_code { code: code.clone() });
    let authorize = root(frame_system::Call::authorize_upgrade { code_hash });
    let apply = RuntimeCall::System(frame_system::Call::apply_authorized_upgrade { code });
    // Each is found to hold no runtime; the transactions stand in blocks and the nonces are used.
    for (call, name, nonce) in [
        (set, "Alice", 0),
        (authorize, "Alice", 1),
        (apply, "Bob", 0),
    ] {
        client.finalise(&signed(call, name, nonce, genesis)).await;
    }
    assert_alive(node, &client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_out_of_bounds() {
    let (node, client) = start().await;
    assert_eq!(
        client.refused("no_such_method", rpc_params![]).await.code(),
        -32_601
    );
    let numbers: Vec<u32> = (0..2_000).collect();
    assert_eq!(
        client
            .refused("chain_getBlockHash", rpc_params![numbers])
            .await
            .code(),
        -32_602
    );
    assert_eq!(
        client
            .refused("chain_getBlockHash", rpc_params!["0xnumber"])
            .await
            .code(),
        -32_602
    );
    let keys = vec![Bytes(vec![0; 4]); 10_001];
    assert_eq!(
        client
            .refused("state_queryStorageAt", rpc_params![keys])
            .await
            .code(),
        -32_602
    );
    assert_eq!(
        client
            .refused("state_getKeysPaged", rpc_params!["0x", -1])
            .await
            .code(),
        -32_602
    );
    assert_eq!(
        client
            .refused("state_getKeysPaged", rpc_params!["0x", 1_001])
            .await
            .code(),
        4_002
    );
    assert_eq!(
        client
            .refused("state_getStorage", rpc_params!["0x00", "0xabcd"])
            .await
            .code(),
        -32_602
    );
    assert_eq!(
        client
            .refused("account_nextIndex", rpc_params!["5Nonsense"])
            .await
            .code(),
        -32_602
    );
    assert_eq!(
        client
            .refused("chain_getHeader", rpc_params![H256::zero().0.to_vec()])
            .await
            .code(),
        -32_602
    );

    // Larger than a request may be: refused as such, on a connection of its own.
    let other = Client::connect(&node.url()).await;
    let error = other
        .try_ask(
            "author_submitExtrinsic",
            rpc_params!["0x".to_owned() + &"00".repeat(9 << 20)],
        )
        .await;
    assert!(error.is_err());
    assert_alive(node, &client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http_answers_on_the_same_port_and_survives_noise() {
    let (node, client) = start().await;
    let exchange = async |request: String| {
        let mut stream = TcpStream::connect(node.local_address())
            .await
            .expect("a connection");
        stream
            .write_all(request.as_bytes())
            .await
            .expect("the request is sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("an answer");
        String::from_utf8_lossy(&answer).into_owned()
    };
    let body = r#"{"jsonrpc":"2.0","id":"a7","method":"system_name","params":[]}"#;
    let head = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n";
    let answer = exchange(format!(
        "{head}Content-Length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await;
    assert!(
        answer.contains(r#""id":"a7""#) && answer.contains("Agon Node"),
        "{answer}"
    );
    let nonsense = "{\"jsonrpc\":";
    let answer = exchange(format!(
        "{head}Content-Length: {}\r\n\r\n{nonsense}",
        nonsense.len()
    ))
    .await;
    assert!(answer.contains("-32700"), "{answer}");
    exchange("\u{1}\u{2}\u{3} HTTP nonsense\r\n\r\n".into()).await;
    assert_alive(node, &client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_left_open_do_not_hold_up_a_stop() {
    let (node, client) = start().await;
    let genesis = client.genesis_hash().await;
    let mut open = Vec::new();
    for _ in 0..50 {
        let params = rpc_params![];
        open.push(
            client
                .subscribe(
                    "chain_subscribeNewHeads",
                    "chain_unsubscribeNewHeads",
                    params,
                )
                .await,
        );
    }
    // Never included: a gap stands before it.
    open.push(client.watch(&signed(nested(0), "Alice", 9, genesis)).await);
    node.stop().await;
    for mut subscription in open {
        while subscription.next().await.is_some() {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_does_not_hold_up_a_stop() {
    let (node, client) = start().await;
    let mut stream = TcpStream::connect(node.local_address()).await.unwrap();
    let upgrade = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).await.unwrap();
    // Answers of hundreds of kilobytes, far beyond what sockets buffer.
    let request = r#"{"jsonrpc":"2.0","id":1,"method":"state_getMetadata","params":[]}"#;
    let mut frame = vec![0x81, 0x80 | request.len() as u8, 0, 0, 0, 0];
    frame.extend(request.as_bytes());
    for _ in 0..100 {
        stream.write_all(&frame).await.unwrap();
    }
    client.genesis_hash().await;
    let stopped = tokio::time::timeout(Duration::from_secs(20), node.stop()).await;
    assert!(stopped.is_ok(), "the node did not stop");
}

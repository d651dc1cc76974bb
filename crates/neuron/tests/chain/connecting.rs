use std::time::Duration;

use agon_neuron::{ChainClient, ConnectError, Outcome, ReadError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::world::*;

/// Far longer than any of the deadlines that are tested: reaching it means a hang.
const HANG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_address_without_a_node_is_explained() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = ChainClient::connect(&url).await.unwrap_err();
    assert!(
        matches!(error, ConnectError::Unreachable { .. }),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(text.contains(&url) && text.contains("agon up"), "{text}");

    for url in ["127.0.0.1:9944", "http://127.0.0.1:9944", "", "ws://"] {
        let error = ChainClient::connect(url).await.unwrap_err();
        assert!(
            matches!(error, ConnectError::BadAddress { .. }),
            "{url}: {error:?}"
        );
        assert!(error.to_string().contains("ws://127.0.0.1:9944"), "{error}");
    }
}

#[tokio::test]
async fn a_listener_that_is_no_node_is_recognised() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        // The first caller gets a web page, every other one silence.
        let (mut socket, _) = listener.accept().await.unwrap();
        let _ = socket.read(&mut [0; 1024]).await;
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\nhello").await;
        drop(socket);
        std::future::pending::<()>().await;
        drop(listener);
    });
    let error = ChainClient::connect_with(&url, impatient())
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::NotANode { .. }), "{error:?}");
    let silent = timeout(HANG, ChainClient::connect_with(&url, impatient()));
    let error = silent.await.expect("no hang").unwrap_err();
    assert!(matches!(error, ConnectError::Late { .. }), "{error:?}");
}

#[tokio::test]
async fn a_node_that_stops_is_an_error_and_one_that_comes_back_is_used() {
    let (node, client) = start().await;
    let address = node.local_address();
    let state = client.finalized().await.unwrap();
    let waiting = client.clone();
    let waiting = tokio::spawn(async move { waiting.wait_for_block(u64::MAX).await });
    // The wait has begun when a later block has been seen by the same connection.
    client.wait_for_block(state.number() + 2).await.unwrap();
    node.stop().await;

    let error = timeout(HANG, waiting)
        .await
        .expect("no hang")
        .unwrap()
        .unwrap_err();
    assert!(
        matches!(
            error,
            ReadError::Disconnected { .. } | ReadError::Connect(_)
        ),
        "{error:?}"
    );
    let balance = state.balance(key("Bob").account());
    let error = timeout(HANG, balance).await.expect("no hang").unwrap_err();
    assert!(matches!(error, ReadError::Disconnected { .. }), "{error:?}");
    let error = timeout(HANG, client.finalized())
        .await
        .expect("no hang")
        .unwrap_err();
    assert!(matches!(error, ReadError::Connect(_)), "{error:?}");
    assert!(error.to_string().contains("nothing answers"), "{error}");
    let outcome = client.submit(transfer(), &key("Alice")).await;
    let Outcome::Rejected { error } = outcome else {
        panic!("nothing can have been sent: {outcome:?}");
    };
    assert!(error.contains("was not sent"), "{error}");

    // The same chain again, on the same port.
    let block_time = Duration::from_millis(20);
    let node = start_at(address, block_time, genesis(100_000 * TAO)).await;
    assert_eq!(
        client.finalized().await.unwrap().genesis_hash(),
        client.genesis_hash()
    );
    done(&client, transfer(), &key("Alice")).await;
    node.stop().await;

    // Another chain on the same port.
    let node = start_at(address, block_time, genesis(7 * TAO)).await;
    let error = client.finalized().await.unwrap_err();
    assert!(
        matches!(&error, ReadError::Connect(ConnectError::OtherChain { .. })),
        "{error:?}"
    );
    node.stop().await;
}

#[tokio::test]
async fn a_node_that_says_nothing_any_more_is_late() {
    let (node, _) = start().await;
    let wire = Wire::to(&node).await;
    let client = ChainClient::connect_with(&wire.url, impatient())
        .await
        .unwrap();
    let state = client.finalized().await.unwrap();
    wire.cut();
    let error = timeout(HANG, state.balance(key("Bob").account()));
    let error = error.await.expect("no hang").unwrap_err();
    assert!(matches!(error, ReadError::Late { .. }), "{error:?}");
    assert!(
        error.to_string().contains("System.Account at block"),
        "{error}"
    );
    let error = timeout(HANG, client.wait_for_block(u64::MAX));
    let error = error.await.expect("no hang").unwrap_err();
    assert!(matches!(error, ReadError::Late { .. }), "{error:?}");
    node.stop().await;
}

fn transfer() -> agon_neuron::Call {
    agon_neuron::Call::transfer_keep_alive(key("Bob").account(), TAO)
}

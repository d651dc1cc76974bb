use std::sync::Arc;
use std::time::{Duration, Instant};

use agon_neuron::dendrite::{AskError, Bounds, Dendrite, Peer, Protocol};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::world::*;

/// A server that says the same to everybody, after a while.
async fn parrot(says: impl Into<Vec<u8>>, after: Duration) -> Peer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let says: Arc<[u8]> = says.into().into();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let says = says.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 16_384];
                let _ = stream.read(&mut buffer).await;
                tokio::time::sleep(after).await;
                let _ = stream.write_all(&says).await;
            });
        }
    });
    Peer {
        hotkey: account("Parrot"),
        address,
        protocol: Protocol::Headers,
    }
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn each_peer_has_an_outcome_of_its_own() {
    let world = World::new().await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let unreachable = Peer {
        address: gone.local_addr().unwrap(),
        ..world.peer(Protocol::Headers)
    };
    drop(gone);
    let soon = Duration::ZERO;
    let long = "x".repeat(100_000);
    let peers = [
        world.peer(Protocol::Headers),
        unreachable,
        parrot(ok("{}"), Duration::from_secs(60)).await,
        parrot(ok("[1, 2]"), soon).await,
        parrot(ok("nonsense"), soon).await,
        parrot(ok(&format!("{{\"a\": \"{long}\"}}")), soon).await,
        parrot("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"a\": 1", soon).await,
        parrot("GARBAGE\r\n\r\n", soon).await,
        parrot("HTTP/1.1 402 Payment Required\r\nbt_header_axon_status_message: pay\r\ncontent-length: 0\r\n\r\n", soon).await,
        parrot(ok("{\"a\": 1}"), soon).await,
    ];
    let bounds = Bounds {
        answer_bytes: 50_000,
        ..Bounds::default()
    };
    let bob = Dendrite::new(Arc::new(key("Bob")), bounds).unwrap();
    let mut asked = question("Dummy", json!({"dummy_input": 7}));
    asked.timeout = Duration::from_millis(800);
    let begun = Instant::now();
    let outcomes = bob.ask_all(&peers, &asked).await;
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    let kinds: Vec<_> = outcomes
        .iter()
        .map(|outcome| {
            outcome
                .result
                .as_ref()
                .map_or_else(AskError::kind, |_| "answer")
        })
        .collect();
    let expected = [
        "answer",
        "unreachable",
        "timeout",
        "form",
        "form",
        "too_large",
        "unreachable",
        "unreachable",
        "refused",
        "answer",
    ];
    assert_eq!(kinds, expected);
    let pay = Err(AskError::Refused {
        status: http::StatusCode::PAYMENT_REQUIRED,
        message: "pay".into(),
    });
    assert_eq!(outcomes[8].result, pay);
    // What is well formed may still not be what was wanted.
    let answer = outcomes[9].result.as_ref().unwrap();
    assert!(matches!(answer.parse::<Vec<u8>>(), Err(AskError::Form(_))));
    assert!(!answer.signed);
    asked.signed_answer = true;
    let unsigned = bob.ask(peers[9], &asked).await;
    assert_eq!(unsigned.result, Err(AskError::Unsigned));
}

#[tokio::test]
async fn enough_answers_end_the_wait_after_some_grace() {
    let answer = ok("{}");
    let peers = [
        parrot(answer.clone(), Duration::from_secs(30)).await,
        parrot(answer.clone(), Duration::ZERO).await,
        parrot(answer.clone(), Duration::from_millis(300)).await,
        parrot(answer.clone(), Duration::ZERO).await,
    ];
    let bob = dendrite("Bob");
    let asked = question("Open", json!({}));
    let begun = Instant::now();
    let outcomes = bob
        .ask_some(&peers, &asked, 2, Duration::from_millis(1_000))
        .await;
    let elapsed = begun.elapsed();
    assert!(
        elapsed > Duration::from_millis(900) && elapsed < Duration::from_secs(4),
        "{elapsed:?}"
    );
    let answered: Vec<bool> = outcomes
        .iter()
        .map(|outcome| outcome.result.is_ok())
        .collect();
    assert_eq!(answered, [false, true, true, true]);
    assert_eq!(outcomes[0].result, Err(AskError::NotAwaited));
    assert!(outcomes[2].latency >= Duration::from_millis(300));
    // Without enough answers the deadline holds.
    let mut hasty = asked.clone();
    hasty.timeout = Duration::from_millis(100);
    let outcomes = bob.ask_some(&peers, &hasty, 4, Duration::ZERO).await;
    assert_eq!(outcomes[0].result, Err(AskError::Timeout));
}

#[tokio::test]
async fn what_may_have_been_asked_is_asked_again_only_if_that_does_no_harm() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = Peer {
        hotkey: account("Parrot"),
        address: listener.local_addr().unwrap(),
        protocol: Protocol::BtAuth,
    };
    let (asked, mut times) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            // Reads the request and hangs up.
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 16_384];
            let read = stream.read(&mut buffer).await.unwrap();
            asked.send(read).unwrap();
        }
    });
    let bob = dendrite("Bob");
    let mut once = question("Open", json!({}));
    let outcome = bob.ask(peer, &once).await;
    assert!(
        matches!(outcome.result, Err(AskError::Unreachable(_))),
        "{outcome:?}"
    );
    assert!(times.try_recv().is_ok());
    assert!(times.try_recv().is_err());
    once.idempotent = true;
    let outcome = bob.ask(peer, &once).await;
    assert!(
        matches!(outcome.result, Err(AskError::Unreachable(_))),
        "{outcome:?}"
    );
    assert!(times.try_recv().is_ok() && times.try_recv().is_ok());
    assert!(times.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_asked_at_once() {
    let world = World::new().await;
    let bob = dendrite("Bob");
    let peers: Vec<Peer> = (0..200)
        .map(|index| match index % 2 {
            0 => world.peer(Protocol::Headers),
            _ => world.peer(Protocol::BtAuth),
        })
        .collect();
    let outcomes = bob
        .ask_all(&peers, &question("Dummy", json!({"dummy_input": 7})))
        .await;
    let failed: Vec<_> = outcomes
        .iter()
        .filter(|outcome| outcome.result.is_err())
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
}

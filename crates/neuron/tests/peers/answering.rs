use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use agon_neuron::axon::{Connections, Limits, Rate, Replay};
use agon_neuron::dendrite::{AskError, Protocol};
use futures::StreamExt;
use http::StatusCode;
use serde_json::{Value, json};

use crate::world::*;

const BOTH: [Protocol; 2] = [Protocol::Headers, Protocol::BtAuth];

#[tokio::test]
async fn a_question_is_answered_in_both_protocols() {
    let world = World::new().await;
    let bob = dendrite("Bob");
    for protocol in BOTH {
        let mut asked = question("Dummy", json!({"dummy_input": 7, "note": [1.5, "x"]}));
        asked.signed_answer = true;
        let outcome = bob.ask(world.peer(protocol), &asked).await;
        let answer = outcome.result.unwrap();
        assert!(answer.signed);
        let body: Value = answer.parse().unwrap();
        assert_eq!(body["dummy_output"], 14);
        // The header protocol gives back the whole request.
        let whole = protocol == Protocol::Headers;
        assert_eq!(
            body.get("note") == Some(&json!([1.5, "x"])),
            whole,
            "{body}"
        );
        assert!(outcome.latency < Duration::from_secs(5));
    }
    let ping = bob
        .ask(
            world.peer(Protocol::Headers),
            &question("Synapse", json!({})),
        )
        .await;
    assert_eq!(
        ping.result.unwrap().parse::<Value>().unwrap()["name"],
        "Synapse"
    );
    world.server.stop().await;
}

fn refused(result: Result<impl std::fmt::Debug, AskError>) -> (StatusCode, String) {
    match result {
        Err(AskError::Refused { status, message }) => (status, message),
        other => panic!("a refusal was expected: {other:?}"),
    }
}

#[tokio::test]
async fn every_refusal_has_its_status_and_words() {
    let world = World::new().await;
    let (bob, mallory) = (dendrite("Bob"), dendrite("Mallory"));
    for protocol in BOTH {
        let ask = async |name: &str, fields: Value| {
            let outcome = bob.ask(world.peer(protocol), &question(name, fields)).await;
            refused(outcome.result)
        };
        let (status, message) = ask("Nothing", json!({})).await;
        assert_eq!(status, 404);
        assert!(message.contains("Available: Count, Dummy"), "{message}");
        let (status, message) = ask("Dummy", json!({"dummy_input": "seven"})).await;
        assert_eq!(status, 400);
        assert!(message.contains("the body"), "{message}");
        let (status, message) = ask("Fail", json!({})).await;
        assert_eq!(status, 500);
        // What is inside stays inside.
        assert!(message.starts_with("Internal Server Error #"), "{message}");
        let (status, message) = ask("Fail", json!({"teapot": true})).await;
        assert_eq!(
            (status.as_u16(), message.as_str()),
            (418, "short and stout")
        );
        let (status, message) = ask("Panic", json!({})).await;
        assert_eq!(status, 500);
        assert!(message.starts_with("Internal Server Error #"), "{message}");

        let asked = question("Dummy", json!({"dummy_input": 7}));
        let denied = mallory.ask(world.peer(protocol), &asked).await;
        let (status, message) = refused(denied.result);
        assert_eq!(status, 403);
        assert_eq!(message, "Forbidden. Key is blacklisted: denied.");
        // Another's server.
        let mut elsewhere = world.peer(protocol);
        elsewhere.hotkey = account("Bob");
        let (status, message) = refused(bob.ask(elsewhere, &asked).await.result);
        assert_eq!(status, 403);
        assert!(message.contains("the request is for"), "{message}");
    }
    // Only the whole body's signature is enough here.
    let exact = question("Exact", json!({}));
    let (status, _) = refused(bob.ask(world.peer(Protocol::Headers), &exact).await.result);
    assert_eq!(status, 403);
    let answer = bob
        .ask(world.peer(Protocol::BtAuth), &exact)
        .await
        .result
        .unwrap();
    assert!(!answer.signed);
    // And after all that it still answers.
    let asked = question("Dummy", json!({"dummy_input": 7}));
    assert!(
        bob.ask(world.peer(Protocol::Headers), &asked)
            .await
            .result
            .is_ok()
    );
}

#[tokio::test]
async fn a_time_out_cancels_the_work() {
    let limits = Limits {
        handler_time: Duration::from_millis(300),
        ..Limits::default()
    };
    let replay = Replay::in_memory();
    let world = World::with(replay, limits, Connections::default(), |_| ()).await;
    let bob = dendrite("Bob");
    // The server's patience ends first.
    let slow = question("Slow", json!({}));
    let (status, message) = refused(bob.ask(world.peer(Protocol::BtAuth), &slow).await.result);
    assert_eq!(status, 408);
    assert!(message.contains("Timeout"), "{message}");
    // Then the caller's.
    let mut hasty = slow.clone();
    hasty.timeout = Duration::from_millis(100);
    let outcome = bob.ask(world.peer(Protocol::Headers), &hasty).await;
    assert_eq!(outcome.result, Err(AskError::Timeout));
    assert!(
        outcome.latency < Duration::from_millis(300),
        "{:?}",
        outcome.latency
    );
    let begun = Instant::now();
    while world.cancelled.load(Ordering::SeqCst) < 2 {
        assert!(begun.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(world.service.load(), (0, 0));
}

#[tokio::test]
async fn a_full_queue_says_so_and_the_rest_is_served() {
    let limits = Limits {
        at_once: 1,
        waiting: 2,
        handler_time: Duration::from_millis(500),
        ..Limits::default()
    };
    let replay = Replay::in_memory();
    let world = World::with(replay, limits, Connections::default(), |_| ()).await;
    let bob = dendrite("Bob");
    let peer = world.peer(Protocol::BtAuth);
    let peers = [peer; 6];
    let outcomes = bob.ask_all(&peers, &question("Slow", json!({}))).await;
    let statuses: Vec<u16> = outcomes
        .into_iter()
        .map(|outcome| refused(outcome.result).0.as_u16())
        .collect();
    let busy = statuses.iter().filter(|status| **status == 503).count();
    assert_eq!(busy, 3, "{statuses:?}");
    assert!(statuses.iter().all(|status| [408, 503].contains(status)));
    let open = bob.ask(peer, &question("Open", json!({"a": 1}))).await;
    assert_eq!(open.result.unwrap().parse::<Value>().unwrap()["heard"], 1);
}

#[tokio::test]
async fn rates_hold_each_caller_back() {
    let change = |gate: &mut agon_neuron::axon::Gate| {
        gate.per_hotkey = agon_neuron::axon::policy::Limiter::new(Rate {
            per_second: 0.5,
            burst: 2,
        });
    };
    let replay = Replay::in_memory();
    let world = World::with(replay, Limits::default(), Connections::default(), change).await;
    let peer = world.peer(Protocol::Headers);
    let asked = question("Open", json!({}));
    let bob = dendrite("Bob");
    for _ in 0..2 {
        assert!(bob.ask(peer, &asked).await.result.is_ok());
    }
    let (status, message) = refused(bob.ask(peer, &asked).await.result);
    assert_eq!(status, 429);
    assert!(message.contains("try again in"), "{message}");
    assert!(dendrite("Charlie").ask(peer, &asked).await.result.is_ok());
}

#[tokio::test]
async fn an_answer_comes_in_parts() {
    let world = World::new().await;
    let bob = dendrite("Bob");
    for protocol in BOTH {
        let peer = world.peer(protocol);
        let parts = bob
            .ask_stream(peer, &question("Count", json!({"to": 4})))
            .await
            .unwrap();
        let parts: Vec<_> = parts.map(|part| part.unwrap()).collect().await;
        assert_eq!(parts.concat(), b"0\n1\n2\n3\n");
        // The deadline is for all parts.
        let mut endless = question("Count", json!({"to": 1_000_000}));
        endless.timeout = Duration::from_millis(200);
        let parts = bob.ask_stream(peer, &endless).await.unwrap();
        let parts: Vec<_> = parts.collect().await;
        assert_eq!(parts.last(), Some(&Err(AskError::Timeout)));
        assert!(parts.len() > 3);
    }
}

#[tokio::test]
async fn an_end_waits_for_what_is_under_way() {
    let limits = Limits {
        handler_time: Duration::from_millis(400),
        ..Limits::default()
    };
    let replay = Replay::in_memory();
    let world = World::with(replay, limits, Connections::default(), |_| ()).await;
    let bob = dendrite("Bob");
    let peer = world.peer(Protocol::BtAuth);
    let slow = tokio::spawn({
        let bob = bob.clone();
        async move { bob.ask(peer, &question("Slow", json!({}))).await }
    });
    while world.begun.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.server.stop().await;
    let (status, _) = refused(slow.await.unwrap().result);
    assert_eq!(status, 408);
    let after = bob.ask(peer, &question("Open", json!({}))).await;
    assert!(
        matches!(after.result, Err(AskError::Unreachable(_))),
        "{after:?}"
    );
}

#[tokio::test]
async fn what_is_still_under_way_is_cut_when_the_time_for_it_is_over() {
    let connections = Connections {
        drain_time: Duration::from_millis(300),
        ..Connections::default()
    };
    for is_orderly in [true, false] {
        let world = World::with(Replay::in_memory(), Limits::default(), connections, |_| ()).await;
        let slow = tokio::spawn({
            let peer = world.peer(Protocol::BtAuth);
            async move {
                let question = question("Slow", json!({}));
                dendrite("Bob").ask(peer, &question).await
            }
        });
        while world.begun.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let begun = Instant::now();
        match is_orderly {
            true => world.server.stop().await,
            false => drop(world.server),
        }
        let cut = slow.await.unwrap().result;
        assert!(matches!(cut, Err(AskError::Unreachable(_))), "{cut:?}");
        // The question would have waited for five seconds, and its handler for thirty.
        assert!(begun.elapsed() < Duration::from_secs(3));
        while world.cancelled.load(Ordering::SeqCst) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(3));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

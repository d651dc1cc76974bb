use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use agon_neuron::axon::{Connections, Limits, Replay};
use agon_neuron::peer::btauth;
use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::*;

const SECOND: u64 = 1_000_000_000;

#[tokio::test]
async fn a_request_is_taken_once() {
    let world = World::new().await;
    let address = world.server.address();
    let request = signed(&world, "Bob", "Dummy", 7, now());
    let (status, body) = exchange(address, request.as_bytes()).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("\"dummy_output\":14"), "{body}");
    let mut stream = TcpStream::connect(address).await.unwrap();
    for replay in 0..10_000 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let (status, body) = read_answer(&mut stream).await.unwrap();
        assert_eq!(status, 401, "{body}");
        // On a slow machine the request becomes too old before its turn has come so often.
        let too_old = body.contains("behind") && replay > 100;
        assert!(body.contains("taken before") || too_old, "{body}");
    }
    // Older requests of the same caller that came late are not the same.
    let late = signed(&world, "Bob", "Dummy", 8, now() - 5 * SECOND);
    assert_eq!(exchange(address, late.as_bytes()).await.0, 200);
}

#[tokio::test]
async fn a_forged_request_leaves_no_trace() {
    let world = World::new().await;
    let address = world.server.address();
    let request = signed(&world, "Bob", "Dummy", 7, now());
    let digit = |request: &str| {
        let at = request.find("dendrite_signature: 0x").unwrap() + 30;
        let other = if &request[at..=at] == "0" { "1" } else { "0" };
        format!("{}{other}{}", &request[..at], &request[at + 1..])
    };
    let changed_body = request.replace("\"dummy_input\":7", "\"dummy_input\":9");
    let of_charlie = request.replace(&account("Bob").to_string(), &account("Charlie").to_string());
    for (forged, why) in [
        (digit(&request), "Signature mismatch"),
        (of_charlie, "Signature mismatch"),
        (request.replace("6a1b", "6a1c"), "Signature mismatch"),
        (changed_body, "hash that was signed"),
    ] {
        assert_ne!(forged, request);
        let (status, body) = exchange(address, forged.as_bytes()).await;
        assert_eq!(status, 401, "{body}");
        assert!(body.contains(why), "{body}");
    }
    // The true one is still good.
    assert_eq!(exchange(address, request.as_bytes()).await.0, 200);
}

#[tokio::test]
async fn clocks_may_differ_so_far_and_no_further() {
    let world = World::new().await;
    let address = world.server.address();
    let ask = async |nonce| {
        let request = signed(&world, "Bob", "Dummy", 7, nonce);
        exchange(address, request.as_bytes()).await
    };
    assert_eq!(ask(now() - 9 * SECOND).await.0, 200);
    let (status, body) = ask(now() - 11 * SECOND).await;
    assert_eq!(status, 401);
    assert!(
        body.contains("nonce is too old") && body.contains("11.") && body.contains("s behind"),
        "{body}"
    );
    assert_eq!(ask(now() + SECOND).await.0, 200);
    let (status, body) = ask(now() + 10 * SECOND).await;
    assert_eq!(status, 401);
    assert!(body.contains("ahead of this server's clock"), "{body}");
    for wild in [0, 1, u64::MAX] {
        assert_eq!(ask(wild).await.0, 401, "{wild}");
    }
    // The server's clock jumps an hour ahead and, after what was taken is forgotten, back.
    let request = signed(&world, "Bob", "Dummy", 7, now());
    assert_eq!(exchange(address, request.as_bytes()).await.0, 200);
    world.ahead.store(3_600 * SECOND, Ordering::Relaxed);
    let gate = world.service.gate();
    gate.replay.forget(gate.oldest());
    world.ahead.store(0, Ordering::Relaxed);
    let (status, body) = exchange(address, request.as_bytes()).await;
    assert_eq!(status, 401, "{body}");
}

#[tokio::test]
async fn btauth_covers_the_target_and_every_byte() {
    let world = World::new().await;
    let address = world.server.address();
    let request = |target: &str, signed_target: &str, body: &str, signed_body: &[u8]| {
        let headers = btauth::sign(
            &key("Bob"),
            Some(account("Alice")),
            &Method::POST,
            signed_target,
            signed_body,
            now(),
        );
        let mut text = format!("POST {target} HTTP/1.1\r\nhost: localhost\r\n");
        for (name, value) in &headers {
            text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
        }
        format!("{text}content-length: {}\r\n\r\n{body}", body.len())
    };
    let body = "{\"dummy_input\": 7}";
    let good = request("/Dummy?a=1", "/Dummy?a=1", body, body.as_bytes());
    assert_eq!(exchange(address, good.as_bytes()).await.0, 200);
    for wrong in [
        request("/Dummy?a=2", "/Dummy?a=1", body, body.as_bytes()),
        request("/Open", "/Dummy", body, body.as_bytes()),
        request("/Dummy", "/Dummy", "{\"dummy_input\":  7}", body.as_bytes()),
        request("/Dummy", "/Dummy", body, b""),
    ] {
        let (status, said) = exchange(address, wrong.as_bytes()).await;
        assert_eq!(status, 401, "{said}");
        assert!(said.contains("Signature mismatch"), "{said}");
    }
}

#[tokio::test]
async fn what_is_malformed_is_refused_and_the_server_stays() {
    let limits = Limits {
        body_bytes: 1_000,
        body_time: Duration::from_millis(300),
        ..Limits::default()
    };
    let replay = Replay::in_memory();
    let world = World::with(replay, limits, Connections::default(), |_| ()).await;
    let address = world.server.address();
    let request = || signed(&world, "Bob", "Open", 7, now());
    let without = |request: String, header: &str| -> String {
        let kept = request
            .split_inclusive("\r\n")
            .filter(|line| !line.starts_with(header));
        kept.collect()
    };
    for (bytes, expected) in [
        ("GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 400),
        ("POST /Dummy HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 401),
        (without(request(), "bt_header_dendrite_nonce"), 401),
        (without(request(), "bt_header_dendrite_version"), 401),
        (without(request(), "computed_body_hash"), 401),
        (request().replace("POST /Open", "POST /Synapse\u{7f}"), 400),
        (
            format!(
                "POST /Open HTTP/1.1\r\nhost: x\r\nlong: {}\r\n\r\n",
                "x".repeat(40_000)
            ),
            431,
        ),
        (
            format!(
                "POST /Open HTTP/1.1\r\nhost: x\r\n{}\r\n",
                "a: b\r\n".repeat(200)
            ),
            431,
        ),
        // It says how long it is, and then that is too long.
        (
            request().replace("content-length: ", "content-length: 99"),
            413,
        ),
        (
            request().replace("content-length: ", "content-length: x"),
            400,
        ),
    ] {
        let (status, body) = exchange(address, bytes.as_bytes()).await;
        assert_eq!(status, expected, "{bytes:.80} {body}");
    }
    // Not JSON, nested without end, cut off, and too long without having said so.
    let with_body = |body: &str| {
        let request = request();
        let head = request.split("content-length").next().unwrap().to_owned();
        format!("{head}content-length: {}\r\n\r\n{body}", body.len())
    };
    for (body, expected) in [
        ("[1]".to_owned(), 400),
        ("nonsense".to_owned(), 400),
        (format!("{{\"a\": {}", "[".repeat(900)), 400),
    ] {
        let (status, said) = exchange(address, with_body(&body).as_bytes()).await;
        assert_eq!(status, expected, "{said}");
    }
    let head = request().split("content-length").next().unwrap().to_owned();
    let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1_000));
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n");
    let (status, said) = exchange(address, chunked.as_bytes()).await;
    assert_eq!(status, 413, "{said}");
    let mut half = TcpStream::connect(address).await.unwrap();
    let cut = with_body(&"x".repeat(500));
    half.write_all(&cut.as_bytes()[..cut.len() - 100])
        .await
        .unwrap();
    let (status, said) = read_answer(&mut half).await.unwrap();
    assert_eq!(status, 408, "{said}");
    assert_eq!(exchange(address, request().as_bytes()).await.0, 200);
}

#[tokio::test]
async fn who_sends_drop_by_drop_is_cut_off_and_others_are_served() {
    let connections = Connections {
        head_time: Duration::from_millis(500),
        per_ip: 40,
        ..Connections::default()
    };
    let world = World::with(Replay::in_memory(), Limits::default(), connections, |_| ()).await;
    let address = world.server.address();
    let begun = Instant::now();
    let mut slow = Vec::new();
    for _ in 0..30 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"POST /Open HTTP/1.1\r\nhost")
            .await
            .unwrap();
        slow.push(stream);
    }
    let request = signed(&world, "Bob", "Open", 7, now());
    assert_eq!(exchange(address, request.as_bytes()).await.0, 200);
    for mut stream in slow {
        let mut rest = Vec::new();
        // Whatever it says at the end: it ends.
        let _ = stream.read_to_end(&mut rest).await;
    }
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    // One address has so many places and no more.
    let mut open = Vec::new();
    for _ in 0..60 {
        open.push(TcpStream::connect(address).await.unwrap());
    }
    let mut closed = 0;
    tokio::time::sleep(Duration::from_millis(100)).await;
    for stream in &mut open {
        let mut byte = [0];
        let read = tokio::time::timeout(Duration::from_millis(1), stream.read(&mut byte)).await;
        closed += usize::from(matches!(read, Ok(Ok(0) | Err(_))));
    }
    assert_eq!(closed, 20);
}

#[tokio::test]
async fn what_was_taken_before_a_kill_is_refused_after_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("lease");
    let replay = Replay::open(&path).unwrap();
    let start = |replay| World::with(replay, Limits::default(), Connections::default(), |_| ());
    let world = start(replay).await;
    let mut taken = Vec::new();
    for _ in 0..20 {
        let request = signed(&world, "Bob", "Open", 7, now());
        assert_eq!(
            exchange(world.server.address(), request.as_bytes()).await.0,
            200
        );
        taken.push(request);
    }
    // No second process may share the hotkey.
    assert!(Replay::open(&path).is_err());
    // What a kill leaves behind: the file as it is now, and no lock.
    let left = home.path().join("left");
    std::fs::copy(&path, &left).unwrap();
    let again = start(Replay::open(&left).unwrap()).await;
    for request in &taken {
        let (status, body) = exchange(again.server.address(), request.as_bytes()).await;
        assert_eq!(status, 401, "{body}");
        assert!(body.contains("started lately"), "{body}");
    }
    // A little later new ones are taken.
    let begun = Instant::now();
    loop {
        let request = signed(&again, "Bob", "Open", 7, now());
        match exchange(again.server.address(), request.as_bytes()).await.0 {
            200 => break,
            status => assert_eq!(status, 401),
        }
        assert!(begun.elapsed() < Duration::from_secs(6));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // After an orderly end there is no such pause.
    let World {
        server, service, ..
    } = world;
    server.stop().await;
    let replay = Arc::downgrade(&service.gate().replay);
    drop(service);
    while replay.strong_count() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let third = start(Replay::open(&path).unwrap()).await;
    let request = signed(&third, "Bob", "Open", 7, now());
    assert_eq!(
        exchange(third.server.address(), request.as_bytes()).await.0,
        200
    );
    for request in &taken {
        assert_eq!(
            exchange(third.server.address(), request.as_bytes()).await.0,
            401
        );
    }
}

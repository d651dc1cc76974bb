//! `agon node` from outside: starting, stopping, what it prints, copies, and being killed.

mod common;

use agon_keys::Keypair;
use agon_neuron::{Call, ChainClient, H256, Outcome};
use common::Place;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A node that is gone when its test ends, however it ends.
struct Running {
    child: Child,
    /// What it printed when it was ready.
    said: Value,
}

impl Running {
    fn start(place: &Place, arguments: &[&str]) -> Self {
        let fixed = ["node", "run", "--json", "--rpc-port", "0"];
        let mut child = place
            .command(&[&fixed[..], arguments].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let mut line = String::new();
        let output = child.stdout.take().expect("standard output is piped");
        let read = BufReader::new(output).read_line(&mut line);
        let mut running = Self {
            child,
            said: Value::Null,
        };
        read.expect("standard output is text");
        running.said = serde_json::from_str(&line).expect("one JSON document");
        running
    }

    fn url(&self) -> &str {
        self.said["url"].as_str().expect("a URL")
    }

    /// One method over HTTP.
    fn ask(&self, method: &str, params: Value) -> Value {
        let address = self.said["address"].as_str().expect("an address");
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = post(address, &body.to_string());
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert!(answer.get("result").is_some(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn height(&self) -> u64 {
        let header = self.ask("chain_getHeader", json!([]));
        let number = header["number"].as_str().expect("a number");
        u64::from_str_radix(number.trim_start_matches("0x"), 16).expect("hexadecimal")
    }

    /// Sends a signal and waits for the end; its exit status.
    fn signal(mut self, name: &str) -> Option<i32> {
        let process = self.child.id().to_string();
        let sent = Command::new("kill").args([name, &process]).status();
        assert!(sent.expect("kill runs").success());
        self.child.wait().expect("it can be waited for").code()
    }

    /// The memory it has now, in KiB.
    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("a status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number.and_then(|kib| kib.parse().ok()).expect("a number")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both err when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body of the answer to a POST.
fn post(address: &str, body: &str) -> String {
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(address, &request)
}

fn exchange(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.write_all(request.as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    body.to_owned()
}

#[test]
fn a_node_says_where_it_listens_and_ends_cleanly() {
    let place = Place::new();
    for signal in ["-INT", "-TERM"] {
        let node = Running::start(&place, &["--dev", "--block-time", "instant"]);
        assert!(node.url().starts_with("ws://127.0.0.1:"));
        assert_eq!(node.said["base_path"], ".agon-node");
        assert_eq!(
            node.said["genesis"],
            node.ask("chain_getBlockHash", json!([0]))
        );
        let before = node.height();
        node.ask("dev_sealBlocks", json!([2]));
        assert_eq!(node.height(), before + 2);
        assert_eq!(node.signal(signal), Some(0), "{signal}");
    }
    let node = Running::start(&place, &["--dev", "--block-time", "instant"]);
    assert_eq!(node.height(), 4, "the chain went on each time");
    let said = place.mistake(&["node", "run", "--dev", "--rpc-port", "0"]);
    assert!(
        said.contains("another agon is using .agon-node") && said.contains(node.url()),
        "{said}"
    );
    let port = node.said["address"].as_str().expect("an address");
    let port = port.rsplit(':').next().expect("a port");
    let said = place.mistake(&["node", "run", "--dev", "--tmp", "--rpc-port", port]);
    assert!(
        said.contains("in use") && said.contains("--rpc-port"),
        "{said}"
    );
}

#[test]
fn a_temporary_chain_leaves_nothing() {
    let place = Place::new();
    let node = Running::start(&place, &["--dev", "--tmp", "--block-time", "50ms"]);
    let directory = node.said["base_path"].as_str().expect("a path").to_owned();
    assert!(Path::new(&directory).exists());
    while node.height() < 2 {}
    assert_eq!(node.signal("-TERM"), Some(0));
    assert!(!Path::new(&directory).exists() && !place.path(".agon-node").exists());
}

#[test]
fn mistakes_are_told_apart() {
    let place = Place::new();
    let said = place.mistake(&["node", "run", "--rpc-port", "0"]);
    assert!(
        said.contains("--genesis") && said.contains("--dev"),
        "{said}"
    );
    let said = place.mistake(&["node", "run", "--dev", "--block-time", "soon"]);
    assert!(said.contains("250ms"), "{said}");
    let said = place.mistake(&["node", "run", "--dev", "--pruning", "3"]);
    assert!(said.contains("at least 16"), "{said}");
    let said = place.mistake(&["node", "run", "--tmp", "--base-path", "x"]);
    assert!(said.contains("cannot be used with"), "{said}");
    let said = place.mistake(&["node", "run", "--dev", "--genesis", "nowhere.json"]);
    assert!(said.contains("nowhere.json"), "{said}");
    std::fs::write(place.path("bad.json"), "{\"schema\": 1}").expect("a file");
    let said = place.mistake(&["node", "run", "--dev", "--genesis", "bad.json"]);
    assert!(said.contains("bad.json") && said.contains("sudo"), "{said}");
    let said = place.mistake(&["node", "snapshot", "--to", "copy.redb"]);
    assert!(said.contains("holds no chain"), "{said}");
    let said = place.mistake(&["node", "restore", "--from", "copy.redb"]);
    assert!(said.contains("no file copy.redb"), "{said}");
}

#[test]
fn a_chain_begins_from_its_genesis_file_and_keeps_it() {
    let place = Place::new();
    let mut genesis = place.json(&["node", "export-genesis"]);
    assert_eq!(genesis["schema"], 1);
    let guest = Keypair::from_uri("//Guest").expect("a key").account();
    genesis["endowed"]
        .as_array_mut()
        .expect("a list")
        .push(json!({ "account": guest.to_string(), "rao": 123_456_789_000_u64 }));
    std::fs::write(place.path("own.json"), genesis.to_string()).expect("a file");
    let own = ["--genesis", "own.json", "--block-time", "instant"];
    let first = Running::start(&place, &own);
    let hash = first.said["genesis"].clone();
    let refused = post(
        first.said["address"].as_str().expect("an address"),
        r#"{"jsonrpc":"2.0","id":1,"method":"dev_sealBlocks","params":[1]}"#,
    );
    assert!(
        refused.contains("-32601"),
        "no --dev, no dev_ methods: {refused}"
    );
    assert_eq!(first.signal("-TERM"), Some(0));
    // Without the file it goes on; with another one it does not.
    let again = Running::start(&place, &["--block-time", "instant"]);
    assert_eq!(again.said["genesis"], hash);
    assert_eq!(again.signal("-TERM"), Some(0));
    let exported = place.json(&["node", "export-genesis", "--base-path", ".agon-node"]);
    let accounts = exported["endowed"].as_array().expect("a list");
    assert!(
        accounts
            .iter()
            .any(|one| one["account"] == guest.to_string())
    );
    let other = place.json(&["node", "export-genesis"]);
    std::fs::write(place.path("other.json"), other.to_string()).expect("a file");
    let said = place.mistake(&["node", "run", "--rpc-port", "0", "--genesis", "other.json"]);
    assert!(said.contains("another chain"), "{said}");
}

#[test]
fn running_and_stopped_chains_are_copied_and_restored() {
    let place = Place::new();
    let node = Running::start(&place, &["--dev", "--block-time", "instant"]);
    node.ask("dev_sealBlocks", json!([3]));
    let running = place.json(&["node", "snapshot", "--to", "running.redb", "--json"]);
    assert_eq!(running["block"], 3);
    node.ask("dev_sealBlocks", json!([2]));
    let head = node.ask("chain_getBlockHash", json!([5]));
    assert_eq!(node.signal("-TERM"), Some(0));
    let stopped = place.json(&["node", "snapshot", "--to", "stopped.redb", "--json"]);
    assert_eq!((&stopped["block"], &stopped["hash"]), (&json!(5), &head));
    let said = place.mistake(&["node", "snapshot", "--to", "stopped.redb"]);
    assert!(said.contains("exists"), "{said}");

    let said = place.mistake(&["node", "restore", "--from", "running.redb"]);
    assert!(said.contains("--replace"), "{said}");
    std::fs::write(place.path("broken.redb"), "no chain").expect("a file");
    place.mistake(&["node", "restore", "--from", "broken.redb", "--replace"]);
    let node = Running::start(&place, &["--dev", "--block-time", "instant"]);
    assert_eq!(node.height(), 5, "a broken snapshot replaces nothing");
    let said = place.mistake(&["node", "restore", "--from", "running.redb", "--replace"]);
    assert!(said.contains("another agon"), "{said}");
    assert_eq!(node.signal("-TERM"), Some(0));
    place.json(&[
        "node",
        "restore",
        "--from",
        "running.redb",
        "--replace",
        "--json",
    ]);
    place.json(&[
        "node",
        "restore",
        "--from",
        "stopped.redb",
        "--base-path",
        "other",
        "--json",
    ]);
    for (base_path, height) in [(".agon-node", 3), ("other", 5)] {
        let node = Running::start(
            &place,
            &["--dev", "--block-time", "instant", "-d", base_path],
        );
        assert_eq!(node.height(), height);
    }
}

#[test]
fn metrics_count_what_happens() {
    let place = Place::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("an address").port().to_string();
    drop(free);
    let arguments = [
        "--dev",
        "--tmp",
        "--block-time",
        "instant",
        "--prometheus-port",
        &port,
    ];
    let node = Running::start(&place, &arguments);
    node.ask("dev_sealBlocks", json!([7]));
    let address = format!("127.0.0.1:{port}");
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let metrics = exchange(&address, &request);
    for line in [
        "agon_block_height 7",
        "agon_blocks_sealed_total 7",
        "agon_pool_ready 0",
        "agon_rpc_requests_total 1",
        "# HELP agon_block_seal_seconds",
        "agon_rpc_connections",
    ] {
        assert!(metrics.contains(line), "{line} is missing:\n{metrics}");
    }
    let said = place.mistake(&[
        "node",
        "run",
        "--dev",
        "--tmp",
        "--rpc-port",
        "0",
        "--prometheus-port",
        &port,
    ]);
    assert!(said.contains("--prometheus-port"), "{said}");
}

/// The memory and the time to the first answer of a node that is started on a chain as long as said.
fn cold_start(place: &Place, base_path: &str, blocks: u64) -> (u64, Duration) {
    let arguments = ["--dev", "--block-time", "instant", "-d", base_path];
    let node = Running::start(place, &arguments);
    while node.height() < blocks {
        node.ask(
            "dev_jumpBlocks",
            json!([(blocks - node.height()).min(2_500)]),
        );
    }
    assert_eq!(node.signal("-TERM"), Some(0));
    let begun = Instant::now();
    let node = Running::start(place, &arguments);
    assert_eq!(node.height(), blocks);
    let took = begun.elapsed();
    (node.resident(), took)
}

#[test]
fn memory_does_not_grow_with_the_history() {
    let place = Place::new();
    let (short, _) = cold_start(&place, "short", 20);
    let (long, took) = cold_start(&place, "long", 3_000);
    assert!(
        long < short + 4_096,
        "{short} KiB with 20 blocks, {long} with 3,000"
    );
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// Pays from `from` for ever; what was reported final goes to `told`.
async fn pay(url: String, from: &str, told: std::sync::mpsc::Sender<(H256, u64)>) {
    let key = Keypair::from_uri(from).expect("a key");
    let eve = Keypair::from_uri("//Eve").expect("a key").account();
    let Ok(client) = ChainClient::connect(&url).await else {
        return;
    };
    loop {
        let call = Call::transfer_keep_alive(eve, 1_000);
        match client.submit(call, &key).await {
            Outcome::Finalised { hash, block, .. } => {
                if told.send((hash, block)).is_err() {
                    return;
                }
            }
            // The node is gone, perhaps.
            Outcome::Unknown { .. } | Outcome::Rejected { .. } => return,
        }
    }
}

#[test]
#[ignore = "slow: kills a node 200 times under load"]
fn a_killed_node_starts_again_with_every_final_block() {
    let place = Place::new();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut final_blocks: Vec<(H256, u64)> = Vec::new();
    let mut kills_under_load = 0;
    for round in 0..200 {
        let node = Running::start(&place, &["--dev", "--block-time", "20ms"]);
        let known = final_blocks.iter().rev().take(200);
        for (hash, number) in known {
            let found = node.ask("chain_getBlockHash", json!([number]));
            assert_eq!(
                found,
                json!(format!("{hash:?}")),
                "round {round}: block {number} is lost"
            );
        }
        let (told, hears) = std::sync::mpsc::channel();
        let payers: Vec<_> = ["//Alice", "//Bob", "//Charlie", "//Dave"]
            .into_iter()
            .map(|from| runtime.spawn(pay(node.url().to_owned(), from, told.clone())))
            .collect();
        drop(told);
        // xorshift: another instant each time, the same ones in each run of the test.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        std::thread::sleep(Duration::from_millis(seed % 2_000));
        drop(node); // SIGKILL
        for payer in payers {
            payer.abort();
        }
        let heard: Vec<_> = hears.iter().collect();
        kills_under_load += usize::from(!heard.is_empty());
        final_blocks.extend(heard);
    }
    let node = Running::start(&place, &["--dev", "--block-time", "20ms"]);
    for (hash, number) in &final_blocks {
        let found = node.ask("chain_getBlockHash", json!([number]));
        assert_eq!(found, json!(format!("{hash:?}")), "block {number} is lost");
    }
    println!(
        "{} final blocks, {kills_under_load} kills after some",
        final_blocks.len()
    );
    assert!(kills_under_load > 50);
}

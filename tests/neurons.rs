//! Neurons from outside: a server, questions to it, and what may be wrong.

mod common;

use common::world::{World, address};
use common::{Place, ask, errors};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

/// A server that is gone when its test ends, however it ends.
struct Echo {
    child: Child,
    said: Value,
}

impl Echo {
    /// Starts `agon axon echo` and waits until it serves.
    fn start(place: &Place, arguments: &[&str]) -> Self {
        let echo = ["axon", "echo", "--axon.port", "0", "--json"];
        let mut child = place
            .command(&[&echo[..], arguments].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let said = serde_json::from_str(&line).expect("it serves");
        Self { child, said }
    }

    fn address(&self) -> &str {
        self.said["address"].as_str().unwrap()
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port().to_string()
}

fn hotkey(place: &Place, wallet: &str) -> String {
    let made = ["wallet", "new-hotkey", "--wallet.name", wallet, "--json"];
    place.json(&made)["address"].as_str().unwrap().to_owned()
}

#[test]
fn a_published_server_is_found_and_asked() {
    let world = World::with_subnet();
    let url = format!("--subtensor.chain_endpoint={}", world.url);
    let flags = ["--netuid", "1", "--wallet.name", "owner", &url];
    let port = free_port();
    let more = ["--axon.external_ip", "127.0.0.1", "--health.port", &port];
    let published = [&flags[..], &more].concat();
    let echo = Echo::start(&world.place, &published);
    let query = "query --netuid 1 --wallet.name owner --name Dummy --data {\"dummy_input\":7}";
    for protocol in ["headers", "btauth"] {
        let told = world.ok(&format!("{query} --protocol {protocol} --signed"));
        assert_eq!(told["answered"], 1, "{told}");
        let outcome = &told["outcomes"][0];
        assert_eq!(
            (&outcome["uid"], &outcome["outcome"]),
            (&0.into(), &"answer".into())
        );
        assert_eq!(outcome["answer"]["dummy_output"], 14, "{told}");
        assert_eq!(outcome["address"], echo.address());
        assert_eq!(address(&outcome["answer"]["from"]), world.hotkey);
        assert_eq!(outcome["signed"], true);
    }
    let health = || -> Value {
        let (status, body) = ask(&format!("127.0.0.1:{port}"), "GET /health");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    };
    let told = health();
    assert_eq!(told["questions"], json!({"answered": 2, "refused": 0}));
    assert_eq!(
        (&told["chain_reachable"], &told["participants"][0]["name"]),
        (&true.into(), &"axon".into()),
        "{told}"
    );
    // A stranger is told why not.
    hotkey(&world.place, "stranger");
    let asked = query.replace("--wallet.name owner", "--wallet.name stranger");
    let (status, told, said) = world.run(&asked);
    assert_eq!(status, Some(2), "{said}");
    assert_eq!(told["outcomes"][0]["status"], 403, "{told}");
    let reason = told["outcomes"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("not registered"), "{reason}");
    assert!(said.contains("none of 1 servers"), "{said}");
    assert_eq!(health()["questions"], json!({"answered": 2, "refused": 1}));
    // And once it is registered it is answered, without the server being told.
    let hotkeys = world.place.path(".bittensor/wallets");
    let copy = |file: &str| {
        let from = hotkeys.join("stranger/hotkeys").join(file);
        let to = hotkeys
            .join("owner/hotkeys")
            .join(file.replace("default", "stranger"));
        std::fs::copy(from, to).unwrap();
    };
    copy("default");
    copy("defaultpub.txt");
    world.done("subnet register --netuid 1 --wallet.name owner --wallet.hotkey stranger --yes");
    let begun = std::time::Instant::now();
    while world.run(&asked).0 != Some(0) {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(200));
    }

    let said = world.mistake(&query.replace("--netuid 1", "--netuid 1 --uid 5"));
    assert!(said.contains("no uid 5"), "{said}");
    let said = world.mistake(&query.replace("{\"dummy_input\":7}", "[7]"));
    assert!(said.contains("JSON object"), "{said}");
    let said = world.mistake(&format!("{query} --hashed other"));
    assert!(said.contains("--hashed names other"), "{said}");

    // While the chain is away the subnet is taken as it was.
    let words = world.words(query);
    let place = world.end();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = place.run(&words);
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("as it was in block"), "{said}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["answered"], 1, "{told}");
}

#[test]
fn one_hotkey_serves_once_on_a_machine() {
    let place = Place::new();
    let address = hotkey(&place, "default");
    let port = free_port();
    let echo = Echo::start(
        &place,
        &["--name", "Ping,Dummy", "--prometheus-port", &port],
    );
    assert_eq!(echo.said["hotkey"], address.as_str());
    let said = place.mistake(&["axon", "echo", "--axon.port", "0"]);
    assert!(said.contains("another server of this hotkey"), "{said}");
    let both = ["--health.port", "0", "--prometheus-port", &port];
    let said = place.mistake(&[&["axon", "echo", "--axon.port", "0"], &both[..]].concat());
    assert!(said.contains("leave --prometheus-port out"), "{said}");
    let target = format!("{address}@{}", echo.address());
    let told = place.json(&["query", "--to", &target, "--name", "Ping", "--json"]);
    assert_eq!(told["outcomes"][0]["answer"]["from"], address.as_str());
    let (_, counted) = ask(&format!("127.0.0.1:{port}"), "GET /metrics");
    assert!(
        counted.contains("agon_axon_requests{outcome=\"served\"} 1"),
        "{counted}"
    );
    // Two servers, of which one is nobody.
    let nobody = format!("{address}@127.0.0.1:1");
    let asked = ["query", "--to", &target, "--to", &nobody, "--json"];
    let told = place.json(&asked);
    let kinds: Vec<_> = told["outcomes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["outcome"])
        .collect();
    assert_eq!(kinds, [&json!("answer"), &json!("unreachable")]);
    let table = place.run(&asked[..5]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("cannot be reached"), "{table}");
    let said = place.mistake(&["query", "--to", "nobody", "--json"]);
    assert!(said.contains("HOTKEY@IP:PORT"), "{said}");
    let list = place.path("list");
    std::fs::write(&list, "5Nonsense\n").unwrap();
    let list = list.to_str().unwrap().to_owned();
    let wrong = [
        "axon",
        "echo",
        "--axon.port",
        "0",
        "--blacklist.deny",
        &list,
    ];
    let said = place.mistake(&wrong);
    assert!(said.contains("line 1"), "{said}");
}

#[test]
fn a_doctor_says_what_is_wrong_and_what_to_do() {
    let world = World::with_subnet();
    let finding = |told: &Value, what: &str| -> Value {
        let findings = told["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["what"] == what);
        found
            .cloned()
            .unwrap_or_else(|| panic!("no {what}: {told}"))
    };
    let told = world.ok("doctor --netuid 1 --wallet.name owner");
    assert_eq!(told["bad"], 0, "{told}");
    for what in ["chain", "clock", "balance", "registration"] {
        assert_eq!(finding(&told, what)["state"], "good", "{told}");
    }
    assert_eq!(finding(&told, "server")["state"], "look");
    // A place where nobody is.
    world.done("axon publish --netuid 1 --wallet.name owner --axon.ip 127.0.0.1 --axon.port 1");
    let (status, told, said) = world.run("doctor --netuid 1 --wallet.name owner");
    assert_eq!(status, Some(2), "{said}");
    let server = finding(&told, "server");
    assert_eq!(server["state"], "bad", "{told}");
    assert!(
        server["advice"].as_str().unwrap().contains("axon publish"),
        "{told}"
    );
    assert!(
        finding(&told, "serving limit")["found"]
            .as_str()
            .unwrap()
            .contains("blocks remain")
    );
    hotkey(&world.place, "stranger");
    let (status, told, _) = world.run("doctor --netuid 1 --wallet.name stranger");
    assert_eq!(status, Some(2));
    let registration = finding(&told, "registration");
    assert!(
        registration["advice"]
            .as_str()
            .unwrap()
            .contains("agon subnet register"),
        "{told}"
    );
}

#[test]
fn a_network_is_chosen_by_what_is_nearest() {
    let world = World::new(Duration::from_millis(100));
    let place = &world.place;
    let list = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = place.command(&[&["subnet", "list", "--json"], arguments].concat());
        let output = command.envs(variables.iter().copied()).output().unwrap();
        (output.status.success(), errors(&output))
    };
    let (url, nowhere) = (world.url.as_str(), "ws://127.0.0.1:1");
    // Flags before the environment before the file; an address before a name; an older name last.
    assert!(
        list(
            &["--network", url],
            &[("BT_SUBTENSOR_CHAIN_ENDPOINT", nowhere)]
        )
        .0
    );
    let endpoint = format!("--subtensor.chain_endpoint={url}");
    assert!(list(&[&endpoint, "--network", nowhere], &[]).0);
    assert!(
        list(
            &[],
            &[
                ("BT_SUBTENSOR_CHAIN_ENDPOINT", url),
                ("BT_SUBTENSOR_NETWORK", nowhere)
            ]
        )
        .0
    );
    assert!(list(&[], &[("BT_CHAIN_ENDPOINT", url), ("BT_NETWORK", nowhere)]).0);
    assert!(list(&[], &[("BT_NETWORK", url), ("NETWORK", nowhere)]).0);
    assert!(list(&[], &[("NETWORK", url)]).0);
    let settings = place.path(".bittensor/config.yml");
    std::fs::write(&settings, format!("network: {url}\nwallet_name: x\n")).unwrap();
    assert!(list(&[], &[]).0);
    assert!(!list(&[], &[("NETWORK", nowhere)]).0);
    // Of several nodes the first that can be used is.
    assert!(list(&["--network", &format!("{nowhere},{url}")], &[]).0);
    let (_, said) = list(&["--network", "kusanagi"], &[]);
    assert!(
        said.contains("is no more") && said.contains("finney"),
        "{said}"
    );
    let other = place.path("other.yml");
    std::fs::write(&other, "network: [\n").unwrap();
    let (_, said) = list(&[], &[("AGON_CONFIG", other.to_str().unwrap())]);
    assert!(said.contains("other.yml"), "{said}");
}

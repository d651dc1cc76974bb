//! `agon service` from outside: what runs in the background stays so, comes back, gives up and tells the truth; and
//! the health that long-running commands tell.

mod common;

use agon_dataset::skin::synthetic::{Synthetic, generate};
use common::kernel::without_first;
use common::world::World;
use common::{Place, ask, errors};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A command that runs until it is told to stop.
const NODE: &[&str] = &[
    "node",
    "run",
    "--dev",
    "--tmp",
    "--block-time",
    "instant",
    "--rpc-port",
    "0",
];

/// A home whose services are stopped when its test ends, however it ends.
struct Services {
    place: Place,
}

impl Services {
    fn new() -> Self {
        let place = Place::new();
        Self { place }
    }

    fn start(&self, name: &str, flags: &[&str], arguments: &[&str]) -> Value {
        let words = [
            &["service", "start", name, "--json"],
            flags,
            &["--"],
            arguments,
        ]
        .concat();
        self.place.json(&words)
    }

    fn list(&self) -> Vec<Value> {
        let list = self.place.json(&["service", "list", "--json"]);
        list["services"].as_array().expect("a list").clone()
    }

    fn look(&self, name: &str) -> Value {
        let found = self.list().into_iter().find(|view| view["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}"))
    }

    /// Look again and again until a service is as wanted.
    fn wait(&self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.wait_for(|| Some(self.look(name)).filter(&wanted))
    }

    fn wait_for<T>(&self, look: impl Fn() -> Option<T>) -> T {
        let since = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(
                since.elapsed() < Duration::from_secs(60),
                "still {:?}",
                self.list()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn logs(&self, name: &str, lines: &str) -> String {
        let output = self.place.run(&["service", "logs", name, "--lines", lines]);
        assert!(output.status.success(), "{}", errors(&output));
        String::from_utf8(output.stdout).expect("text")
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        for name in ["one", "two"] {
            let stop = ["service", "stop", name, "--timeout", "20ms"];
            let _ = self.place.command(&stop).output();
        }
    }
}

fn number(view: &Value, what: &str) -> i32 {
    let number = view[what]
        .as_i64()
        .unwrap_or_else(|| panic!("no {what}: {view}"));
    i32::try_from(number).expect("a process")
}

fn send(signal: &str, process: i32) {
    let sent = Command::new("kill")
        .args([signal, &process.to_string()])
        .status();
    assert!(sent.expect("kill runs").success());
}

/// Whether a process runs; one that has ended and was not asked how does not.
fn runs(process: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_service_is_started_listed_stopped_and_started_again() {
    let services = Services::new();
    let place = &services.place;
    assert!(services.list().is_empty());
    let started = services.start("one", &[], NODE);
    assert_eq!(
        (&started["state"], &started["restarts"]),
        (&"running".into(), &0.into())
    );
    let (process, supervisor) = (number(&started, "pid"), number(&started, "supervisor"));
    assert!(runs(process) && runs(supervisor));
    assert!(started["memory_bytes"].as_u64().expect("memory") > 1 << 20);
    // The supervisor leads a session of its own, so no terminal takes it along.
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let (_, stat) = stat.rsplit_once(") ").expect("a name");
    let session = stat.split(' ').nth(3).expect("a session");
    assert_eq!(session, supervisor.to_string());
    let table = place.run(&["service", "list"]).stdout;
    let table = String::from_utf8(table).expect("text");
    assert!(
        table.contains("running") && table.contains("node run --dev"),
        "{table}"
    );
    services.wait("one", |_| {
        services.logs("one", "9").contains("listening on ws://127")
    });

    let said = place.mistake(&["service", "start", "one"]);
    assert!(said.contains("runs already"), "{said}");
    let said = place.mistake(&["service", "remove", "one"]);
    assert!(said.contains("service stop one"), "{said}");
    assert_eq!(number(&services.look("one"), "pid"), process);

    let stopped = place.json(&["service", "stop", "one", "--json"]);
    assert_eq!(
        (&stopped["state"], &stopped["pid"]),
        (&"stopped".into(), &Value::Null)
    );
    assert_eq!(stopped["last_exit"]["status"], 0, "{stopped}");
    assert!(!runs(process) && !runs(supervisor));
    // Whoever stops what is stopped has what they wanted.
    assert!(place.run(&["service", "stop", "one"]).status.success());

    let again = place.json(&["service", "start", "one", "--json"]);
    assert_eq!(
        (&again["state"], &again["command"]),
        (&"running".into(), &started["command"])
    );
    let anew = place.json(&["service", "restart", "one", "--json"]);
    assert_eq!(anew["state"], "running");
    assert_ne!(anew["pid"], again["pid"]);
    let unit = place.run(&["service", "units", "one"]).stdout;
    let unit = String::from_utf8(unit).expect("text");
    assert!(unit.contains("\" \"node\" \"run\" \"--dev\""), "{unit}");
    place.json(&["service", "stop", "one", "--json"]);
    assert!(place.run(&["service", "remove", "one"]).status.success());
    assert!(services.list().is_empty());
    place.mistake(&["service", "logs", "one"]);
}

#[test]
fn a_killed_command_comes_back() {
    let services = Services::new();
    let started = services.start("one", &["--restart.delay", "20ms"], NODE);
    let mut follow = services
        .place
        .command(&["service", "logs", "one", "--follow", "--lines", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let lines = BufReader::new(follow.stdout.take().expect("a pipe")).lines();
    // So that it follows before anything happens.
    std::thread::sleep(Duration::from_millis(300));
    send("-KILL", number(&started, "pid"));
    let back = services.wait("one", |view| {
        view["state"] == "running" && view["restarts"] == 1
    });
    assert_ne!(back["pid"], started["pid"]);
    assert_eq!(back["supervisor"], started["supervisor"]);
    assert_eq!(back["last_exit"]["signal"], 9);
    let mut heard = String::new();
    for line in lines {
        heard += &line.expect("text");
        if heard.contains("ended with SIGKILL") && heard.contains("listening on") {
            break;
        }
    }
    follow.kill().expect("it follows for ever");
    follow.wait().expect("it ends");
    // One that does not listen is killed in the end.
    let process = number(&back, "pid");
    send("-STOP", process);
    let stop = ["service", "stop", "one", "--timeout", "200ms"];
    let output = services.place.run(&stop);
    assert!(
        output.status.success() && errors(&output).contains("was killed"),
        "{}",
        errors(&output)
    );
    assert!(!runs(process));
    assert_eq!(services.look("one")["state"], "stopped");
}

#[test]
fn a_command_ends_with_its_supervisor_and_can_be_started_again() {
    let services = Services::new();
    let first = services.start("one", &[], NODE);
    let process = number(&first, "pid");
    send("-KILL", number(&first, "supervisor"));
    let ended = services.wait("one", |view| view["state"] == "stopped");
    assert_eq!(
        (&ended["pid"], &ended["supervisor"]),
        (&Value::Null, &Value::Null)
    );
    assert!(!runs(process));
    let second = services.place.json(&["service", "start", "one", "--json"]);
    assert_eq!(
        (&second["state"], &second["command"]),
        (&"running".into(), &first["command"])
    );
    // Both at once, as when the machine is reset, and at once again.
    send("-KILL", number(&second, "supervisor"));
    send("-KILL", number(&second, "pid"));
    let third = services.place.json(&["service", "start", "one", "--json"]);
    assert_eq!(third["state"], "running");
}

#[test]
fn the_list_tells_the_truth_about_a_command_without_a_supervisor() {
    let services = Services::new();
    let place = &services.place;
    // Where the system does not tell processes that their parent is dead.
    let start = || {
        let begin = || place.run(&[&["service", "start", "one", "--json", "--"], NODE].concat());
        let output = without_first(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, begin);
        assert!(output.status.success(), "{}", errors(&output));
        let started: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
        send("-KILL", number(&started, "supervisor"));
        let alone = services.wait("one", |view| view["state"] != "running");
        assert_eq!(alone["state"], "unsupervised", "{alone}");
        assert_eq!(
            (&alone["pid"], &alone["supervisor"]),
            (&started["pid"], &Value::Null)
        );
        number(&alone, "pid")
    };
    let orphan = start();
    assert!(runs(orphan));
    let table = String::from_utf8(place.run(&["service", "list"]).stdout).expect("text");
    assert!(table.contains("one: its supervisor was killed"), "{table}");
    let said = place.mistake(&["service", "remove", "one"]);
    assert!(said.contains("service stop one"), "{said}");
    let anew = place.json(&["service", "start", "one", "--json"]);
    assert_eq!(anew["state"], "running");
    assert!(!runs(orphan));
    place.json(&["service", "stop", "one", "--json"]);
    let orphan = start();
    let stopped = place.json(&["service", "stop", "one", "--json"]);
    assert_eq!(stopped["state"], "stopped");
    assert!(!runs(orphan));
}

#[test]
fn mistakes_are_told_and_not_repeated() {
    let services = Services::new();
    let place = &services.place;
    for (arguments, expected) in [
        (&["start", "one"][..], "what it runs"),
        (&["start", "../one", "--", "up"], "letters"),
        (&["start", "one", "--", "up", "--ronds", "3"], "--rounds"),
        (&["start", "one", "--", "up", "--help"], "--rounds"),
        (&["start", "one", "--", "wallet", "list"], "no service"),
        (&["start", "one", "--", "service", "list"], "agon service"),
        (&["start", "one", "--log.size", "5", "--", "up"], "KiB"),
        (&["stop", "one"], "no service one"),
        (&["restart", "one"], "no service one"),
        (&["logs", "one"], "no service one"),
        (&["units", "one"], "no service one"),
        (&["supervise", "one"], "agon service start one"),
    ] {
        let said = place.mistake(&[&["service"], arguments].concat());
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
    assert!(services.list().is_empty());
    // A mistake that only the command itself notices: no chain is there.
    let said = place.mistake(&[
        "service",
        "start",
        "one",
        "--",
        "node",
        "run",
        "--rpc-port",
        "0",
    ]);
    assert!(
        said.contains("--genesis") && said.contains("status 2"),
        "{said}"
    );
    let failed = services.look("one");
    assert_eq!(
        (&failed["state"], &failed["restarts"]),
        (&"failed".into(), &0.into())
    );
    let table = String::from_utf8(place.run(&["service", "list"]).stdout).expect("text");
    assert!(table.contains("one: it ended with status 2"), "{table}");
    // Work that is done is done.
    services.start("two", &[], &["node", "export-genesis"]);
    let done = services.wait("two", |view| view["state"] == "stopped");
    assert_eq!(done["restarts"], 0);
    assert!(services.logs("two", "1000").contains("\"endowed\""));
}

#[test]
fn it_gives_up_after_so_many_restarts_and_says_so() {
    let services = Services::new();
    // A node that takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}", silent.local_addr().expect("an address"));
    let arguments = ["subnet", "list", "--network", &url, "--timeout", "50ms"];
    let flags = ["--restart.delay", "50ms", "--restart.limit", "2"];
    services.start("one", &flags, &arguments);
    let failed = services.wait("one", |view| view["state"] == "failed");
    assert_eq!(
        (&failed["restarts"], &failed["last_exit"]["status"]),
        (&2.into(), &1.into())
    );
    let reason = failed["reason"].as_str().expect("a reason");
    assert!(reason.contains("2 restarts"), "{reason}");
    let log = services.logs("one", "100");
    assert_eq!(
        log.matches("agon service: runs as process").count(),
        3,
        "{log}"
    );
    assert_eq!(log.matches("starts again in").count(), 2, "{log}");
    assert!(log.contains("not started again"), "{log}");
}

#[test]
fn logs_are_put_aside() {
    let services = Services::new();
    let flags = ["--log.size", "4KiB", "--log.keep", "2"];
    let arguments = ["node", "export-genesis"];
    let view = services.start("one", &flags, &arguments);
    let log = view["log"].as_str().expect("a path").to_owned();
    let done = |view: &Value| view["state"] == "stopped";
    services.wait("one", done);
    for _ in 0..12 {
        services.place.json(&["service", "start", "one", "--json"]);
        services.wait("one", done);
    }
    for (ending, is_there) in [("", true), (".1", true), (".2", true), (".3", false)] {
        let path = format!("{log}{ending}");
        let length = std::fs::metadata(&path).map(|file| file.len());
        assert_eq!(length.is_ok(), is_there, "{path}");
        assert!(
            length.is_ok_and(|length| length <= 4096) || !is_there,
            "{path}"
        );
    }
    assert_eq!(services.logs("one", "7").lines().count(), 7);
    let all = services.logs("one", "1000000");
    assert!(all.len() > 4096 && all.len() <= 3 * 4096, "{}", all.len());
    assert!(all.ends_with("agon service: it is done\n"), "{all}");
}

#[test]
fn a_network_in_the_background_tells_how_it_is() {
    let services = Services::new();
    let arguments = ["up", "--block-time", "50ms", "--health.port", "0"];
    services.start("one", &[], &arguments);
    let address = services.wait_for(|| {
        let log = services.logs("one", "1000");
        let (_, address) = log.split_once("health at http://")?;
        Some(address.split_once("/health")?.0.to_owned())
    });
    let health = services.wait_for(|| {
        let (status, body) = ask(&address, "GET /health");
        assert_eq!(status, 200, "{body}");
        let health: Value = serde_json::from_str(&body).expect("JSON");
        (health["block"].as_u64()? > 2 && health["participants"].as_array()?.len() > 1)
            .then_some(health)
    });
    assert_eq!(
        (&health["alive"], &health["stuck"]),
        (&true.into(), &false.into())
    );
    assert!(
        health["block_age_seconds"].as_f64().expect("an age") < 60.0,
        "{health}"
    );
    let participants = health["participants"].as_array().expect("a list");
    let chain = participants.iter().find(|one| one["name"] == "chain");
    assert!(chain.expect("a chain")["last_event_at"].as_u64() > Some(1_700_000_000));
    let (status, metrics) = ask(&address, "GET /metrics");
    assert_eq!(status, 200);
    for line in [
        "agon_events_total{who=\"chain\",event=\"chain_started\"} 1",
        "# HELP agon_chain_block ",
        "agon_stuck 0",
        "agon_block_height ",
    ] {
        assert!(metrics.contains(line), "{line} is missing:\n{metrics}");
    }
    assert_eq!(ask(&address, "GET /").0, 404);
    assert_eq!(ask(&address, "POST /health").0, 405);
    let (_, port) = address.split_once(':').expect("a port");
    let said = services
        .place
        .mistake(&["up", "--home", "other", "--health.port", port]);
    assert!(said.contains("--health.port"), "{said}");
    // Told to stop it stops by itself, as after Ctrl-C.
    let stopped = services.place.json(&["service", "stop", "one", "--json"]);
    assert_eq!(stopped["last_exit"]["status"], 130, "{stopped}");
    assert!(
        services
            .logs("one", "50")
            .contains("the same command continues")
    );
}

#[test]
fn a_validator_tells_how_it_is() {
    let world = World::with_subnet();
    let synthetic = Synthetic {
        images: 60,
        width: 32,
        height: 24,
        ..Synthetic::default()
    };
    generate(&world.place.path("data"), &synthetic, &|_, _| {}).expect("images");
    std::fs::create_dir(world.place.path("store")).expect("a directory");
    let words =
        world.words("validator tricorder --netuid 1 --data-dir data --store store --health.port 0");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut validator = world
        .place
        .command(&words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut said = BufReader::new(validator.stderr.take().expect("a pipe")).lines();
    let address = said.find_map(|line| {
        let line = line.expect("text");
        let (_, address) = line.split_once("health at http://")?;
        Some(address.split_once("/health")?.0.to_owned())
    });
    let address = address.expect("it says where its health is");
    // Read on, so that it never waits for us.
    let rest = std::thread::spawn(move || said.map_while(Result::ok).collect::<Vec<_>>());
    let since = Instant::now();
    let (mut block, mut name) = (0, Value::Null);
    while block < 3 || name.is_null() {
        assert!(since.elapsed() < Duration::from_secs(60), "{block} {name}");
        let (status, body) = ask(&address, "GET /health");
        assert_eq!(status, 200, "{body}");
        let health: Value = serde_json::from_str(&body).expect("JSON");
        block = health["block"].as_u64().unwrap_or(0);
        name = health["participants"][0]["name"].clone();
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(name, "validator");
    // Without --rounds, being told to stop is how it ends.
    send("-TERM", validator.id() as i32);
    let status = validator.wait().expect("it ends");
    assert_eq!(status.code(), Some(0), "{:?}", rest.join());
}

//! Validators on their own: what they wrote down can be looked at and made again, and one that joins later agrees.

mod common;

use agon_node::{BlockTime, Node, NodeOptions};
use common::{Place, errors};
use serde_json::Value;
use std::process::{Child, Stdio};
use std::time::Duration;

const LEDGER: &str = "home/validators/validator-1";

/// Two rounds of a small network, and what it printed.
fn two_rounds(place: &Place) -> Value {
    place.json(&[
        "up",
        "--home",
        "home",
        "--rounds",
        "2",
        "--seed",
        "7",
        "--training.effort",
        "0.05",
        "--judging.sample",
        "30",
        "--block-time",
        "50ms",
        "--json",
    ])
}

/// What judging is done with, as the network did it.
const JUDGING: [&str; 10] = [
    "--data-dir",
    "home/data/synthetic",
    "--judging.split",
    "7",
    "--judging.sample",
    "30",
    "--judging.seed",
    "7",
    "--store",
    "home/store",
];

/// Start a validator.
fn start(place: &Place, chain: &str, netuid: &str, wallet: &str, more: &[&str]) -> Child {
    let begin = ["validator", "tricorder", "--netuid", netuid, "--json"];
    let mut arguments = begin.to_vec();
    arguments.extend(["--subtensor.chain_endpoint", chain]);
    arguments.extend(["--wallet.path", "home/wallets", "--wallet.name", wallet]);
    arguments.extend(["--logging.logging_dir", "neurons"]);
    arguments.extend(JUDGING);
    arguments.extend(more);
    let mut command = place.command(&arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary runs")
}

fn end(child: Child) -> Value {
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", errors(&output));
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

#[test]
fn a_past_can_be_looked_at_made_again_and_handed_on() {
    let place = Place::new();
    let made = two_rounds(&place);
    looked_at(&place, &made);

    // A ledger whose rows were touched no longer explains its weights.
    let replay = ["ledger", "replay", "--judging.seed", "7", "--ledger"];
    let replay = |ledger: &str| place.run(&[&replay[..], &[ledger, "--json"]].concat());
    let output = replay(LEDGER);
    assert!(output.status.success(), "{}", errors(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rounds = told["rounds"].as_array().unwrap();
    assert_eq!(rounds.len(), 2);
    assert!(rounds.iter().all(|round| round["disagreement"].is_null()));
    let robust = ["--scoring", "robust"];
    let other = place.run(&[&["ledger", "replay", "--ledger", LEDGER], &robust[..]].concat());
    assert_eq!(other.status.code(), Some(1));

    // Judged again from the store, every model has the same score.
    let rejudge = ["validator", "rejudge", "--ledger", LEDGER, "--json"];
    let told = place.json(&[&rejudge[..], &JUDGING].concat());
    let models = told["models"].as_array().unwrap();
    assert!(
        models.len() >= 2 && models.iter().all(|model| model["agrees"] == true),
        "{told:#}"
    );

    // The chain goes on without the command that made it; one validator goes on with its ledger, the other joins with
    // the past of the first.
    let netuid = made["netuid"].to_string();
    let own = place.path(&format!(
        "neurons/validator-1/default/netuid{netuid}/validator"
    ));
    std::fs::create_dir_all(&own).unwrap();
    for file in ["ledger.sqlite", "journal.jsonl"] {
        std::fs::copy(place.path(LEDGER).join(file), own.join(file)).unwrap();
    }
    let export = |ledger: &str, output: &str| {
        place.json(&[
            "ledger", "export", "--ledger", ledger, "--output", output, "--json",
        ])
    };
    let snapshot = export(LEDGER, "snapshot.jsonl");
    assert_eq!(
        snapshot["sha256"],
        export("home/validators/validator-2", "other.jsonl")["sha256"]
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let node = runtime
        .block_on(Node::start(NodeOptions {
            database: Some(place.path("home/chain/chain.redb")),
            block_time: BlockTime::Every(Duration::from_millis(50)),
            ..NodeOptions::default()
        }))
        .unwrap();
    let one = start(
        &place,
        &node.url(),
        &netuid,
        "validator-1",
        &["--rounds", "3"],
    );
    let joins = ["--snapshot", "snapshot.jsonl", "--rounds", "3"];
    let other = start(&place, &node.url(), &netuid, "validator-2", &joins);
    let ledgers = [end(one), end(other)].map(|told| {
        assert_eq!(told["rounds"], 3);
        told["ledger"].as_str().unwrap().to_owned()
    });
    let [one, other] = &ledgers;
    let compared = place.json(&["ledger", "compare", one, other, "--json"]);
    assert_eq!(
        (&compared["rounds"], &compared["disagreement"]),
        (&3.into(), &Value::Null)
    );
    assert_eq!(
        export(one, "one.jsonl")["sha256"],
        export(other, "two.jsonl")["sha256"]
    );
    assert!(replay(other).status.success());
    let on_chain = place.json(&[
        "weights",
        "show",
        "--netuid",
        &netuid,
        "--subtensor.chain_endpoint",
        &node.url(),
        "--json",
    ]);
    let rows = on_chain["weights"].as_array().expect("weights by uid");
    let rows: Vec<&Value> = rows.iter().map(|row| &row["weights"]).collect();
    assert!(rows.len() == 2 && rows[0] == rows[1], "{on_chain:#}");
    // Where weights are hidden at first, they are sealed and the chain reveals them.
    let chain = ["--subtensor.chain_endpoint", &node.url(), "--json"];
    let alice = ["wallet", "regen-coldkey", "--wallet.name", "alice"];
    place.json(&[&alice[..], &["--uri", "//Alice", "--no-password", "--json"]].concat());
    let hide = [
        "subnet",
        "set-hyperparameter",
        "--netuid",
        &netuid,
        "--sudo",
        "--yes",
    ];
    let hidden = [
        "--param",
        "commit_reveal_weights_enabled",
        "--value",
        "true",
    ];
    let signed = ["--wallet.name", "alice"];
    place.json(&[&hide[..], &hidden, &signed, &chain].concat());
    let sealed = start(
        &place,
        &node.url(),
        &netuid,
        "validator-1",
        &["--rounds", "4"],
    );
    assert_eq!(end(sealed)["rounds"], 4);
    let journal = std::fs::read_to_string(own.join("journal.jsonl")).unwrap();
    let signed = journal
        .lines()
        .rfind(|line| line.contains("\"weights_signed\""));
    assert!(signed.unwrap().contains("commit_timelocked"), "{signed:?}");
    // A past is not mixed into another.
    let again = start(&place, &node.url(), &netuid, "validator-2", &joins);
    let output = again.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        errors(&output).contains("holds a ledger already"),
        "{}",
        errors(&output)
    );
    runtime.block_on(node.stop());
}

fn looked_at(place: &Place, made: &Value) {
    let board = ["board", "--ledger", LEDGER];
    let told = place.json(&[&board[..], &["--json"]].concat());
    let lines = told["submissions"].as_array().unwrap();
    assert_eq!(lines.len(), 4);
    let best = &lines[0];
    assert_eq!((&best["place"], &best["round"]), (&1.into(), &2.into()));
    let miners = made["miners"].as_array().unwrap();
    let miner = miners
        .iter()
        .find(|miner| miner["hotkey"] == best["hotkey"]);
    let miner = miner.expect("a miner of the network");
    for same in ["score", "average", "weight", "outcome"] {
        assert_eq!(best[same], miner[same], "{same}");
    }
    assert!(best["processor_seconds"].as_f64() > Some(0.0));
    let refused = lines.iter().find(|line| line["outcome"] == "refused");
    assert!(refused.expect("a copy")["reason"].as_str().is_some());

    let hotkey = best["hotkey"].as_str().unwrap();
    let life = place.json(&[&board[..], &["--hotkey", hotkey, "--json"]].concat());
    let rounds: Vec<&Value> = life["submissions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| &line["round"])
        .collect();
    assert_eq!(rounds, [1, 2]);
    let output = place.run(&[&board[..], &["--csv"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(text.starts_with("place,round,hotkey,outcome,score"));
    let people = place.run(&board);
    let text = String::from_utf8(people.stdout).unwrap();
    assert!(
        text.contains("tricorder: round 2") && text.contains(hotkey),
        "{text}"
    );

    let nobody = place.mistake(&["board", "--ledger", "nowhere"]);
    assert!(nobody.contains("there is no ledger"), "{nobody}");
    let mut stranger = board.to_vec();
    stranger.extend(["--round", "9"]);
    assert!(place.mistake(&stranger).contains("round 9"));
}

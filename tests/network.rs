//! A whole network: chain, validators, miners, rounds, pay; undisturbed, killed, and continued.

mod common;

use common::Place;
use serde_json::{Value, json};

/// A network small enough for a debug build.
fn up<'a>(home: &'a str, rounds: &'a str) -> Vec<&'a str> {
    vec![
        "up",
        "--home",
        home,
        "--rounds",
        rounds,
        "--seed",
        "7",
        "--training.effort",
        "0.05",
        "--judging.sample",
        "30",
        "--block-time",
        "50ms",
        "--json",
    ]
}

fn miner<'a>(document: &'a Value, name: &str) -> &'a Value {
    let miners = document["miners"].as_array().expect("a list of miners");
    miners
        .iter()
        .find(|miner| miner["name"] == name)
        .expect("the miner is listed")
}

/// What must be the same however often a run was killed: names instead of keys.
fn essence(document: &Value) -> Value {
    let miners = document["miners"].as_array().expect("a list of miners");
    let rows = miners.iter().map(|miner| {
        json!({
            "name": miner["name"],
            "digest": miner["digest"],
            "outcome": miner["outcome"],
            "score": miner["score"],
            "average": miner["average"],
            "weight": miner["weight"],
        })
    });
    rows.collect()
}

fn check(document: &Value) {
    assert_eq!(document["schema"], 1);
    assert_eq!(document["weights_equal"], true, "{document:#}");
    assert_eq!(document["incentive_matches_weights"], true, "{document:#}");
    let miners = document["miners"].as_array().expect("a list of miners");
    assert_eq!(miners.len(), 4);
    for name in ["miner-1", "miner-2"] {
        let scored = miner(document, name);
        assert_eq!(scored["outcome"], "scored", "{scored:#}");
        assert!(scored["weight"].as_u64() > Some(0) && scored["emission"].as_u64() > Some(0));
    }
    for (name, word) in [("miner-3", "copy"), ("miner-4", "malformed")] {
        let refused = miner(document, name);
        assert_eq!(refused["outcome"], "refused", "{refused:#}");
        let reason = refused["reason"].as_str().expect("a reason");
        assert!(reason.contains(word), "{reason}");
        for nothing in ["weight", "incentive", "emission"] {
            assert_eq!(refused[nothing], 0, "{refused:#}");
        }
    }
    for validator in document["validators"]
        .as_array()
        .expect("a list of validators")
    {
        assert!(validator["dividends"].as_u64() > Some(0), "{validator:#}");
    }
}

/// One row for each miner and round in each validator's ledger.
fn check_ledgers(place: &Place, home: &str, rounds: u64) {
    for validator in ["validator-1", "validator-2"] {
        let path = place
            .path(home)
            .join("validators")
            .join(validator)
            .join("journal.jsonl");
        let journal = std::fs::read_to_string(path).expect("a journal");
        let events = journal
            .lines()
            .map(|line| serde_json::from_str(line).expect("an event"));
        let rows: Vec<Value> = events
            .filter(|event: &Value| event["event"] == "evaluated")
            .collect();
        let mut keys: Vec<_> = rows
            .iter()
            .map(|row| (row["of"]["round"].as_u64(), row["of"]["hotkey"].to_string()))
            .collect();
        keys.sort();
        let all = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), all, "a submission was judged twice");
        assert_eq!(all as u64, rounds * 4);
    }
}

#[test]
fn a_killed_network_ends_like_an_undisturbed_one_and_a_finished_one_goes_on() {
    let place = Place::new();
    let undisturbed = place.json(&up("a", "2"));
    check(&undisturbed);
    check_ledgers(&place, "a", 2);

    place.kill_at(&up("b", "2"), "miner-1  epoch 1");
    assert_eq!(
        place.interrupt_at(&up("b", "2"), "miner-2  epoch 1"),
        Some(130)
    );
    assert_eq!(
        place.interrupt_at(&up("b", "2"), "round 1 begins"),
        Some(130)
    );
    place.kill_at(&up("b", "2"), "round 1: miner-1 scored");
    place.kill_at(&up("b", "2"), "round 1: weights are final");
    let killed = place.json(&up("b", "2"));
    check(&killed);
    check_ledgers(&place, "b", 2);
    assert_eq!(essence(&killed), essence(&undisturbed));

    // The same command again: two more rounds, nothing trained or registered anew.
    let output = place.run(&up("a", "2"));
    assert!(output.status.success(), "{}", common::errors(&output));
    assert!(!common::errors(&output).contains("epoch 1/"));
    let longer: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(longer["rounds"], 4);
    check(&longer);
    check_ledgers(&place, "a", 4);
    assert_eq!(
        miner(&longer, "miner-1")["digest"],
        miner(&undisturbed, "miner-1")["digest"]
    );

    // Other settings do not fit the models and ledgers that are there.
    let mut other = up("a", "2");
    other.extend(["--miners", "5"]);
    assert!(place.mistake(&other).contains("--fresh"));
}

//! Chest X-rays from outside: generated data, a run that is stopped, goes on and begins anew, and judging.

mod challenge;
#[path = "../common/mod.rs"]
mod common;

use agon_arena::ledger::Ledger;
use agon_arena::reward::Scoring;
use agon_arena::subnet::{self, healthcare::NAME};
use agon_model::digest::Digest;
use agon_neuron::H256;
use common::Place;
use common::chain::{Chain, key};
use serde_json::{Value, json};
use std::fs;

/// A network of a few seconds on generated images.
const QUICK: [&str; 9] = [
    "train",
    "healthcare",
    "--data-dir",
    "synthetic_data",
    "--labels",
    "first,second",
    "--image_size",
    "32",
    "--save-dir=run",
];

fn quick<'a>(more: &[&'a str]) -> Vec<&'a str> {
    QUICK.iter().chain(more).copied().collect()
}

/// A place with generated X-rays.
fn place(images: &str) -> Place {
    let place = Place::new();
    let made = place.json(&[
        "data",
        "synthesize",
        "healthcare",
        "--labels",
        "first,second",
        "--num-samples",
        images,
        "--json",
    ]);
    assert_eq!(made["images"].to_string(), images);
    place
}

fn evaluate(place: &Place, more: &[&str]) -> Value {
    let arguments = [
        "evaluate",
        "healthcare",
        "--data-dir",
        "synthetic_data",
        "--labels",
        "first,second",
        "--json",
        "--model",
        "run/model.onnx",
    ];
    place.json(&[&arguments, more].concat())
}

#[test]
fn a_trained_model_is_judged_and_more_epochs_start_from_it() {
    let place = place("400");
    let run =
        |more: &[&str]| place.json(&quick(&[&["--json", "--batch_size", "8"], more].concat()));
    let trained = run(&["--num_epochs", "12", "--training_mode", "fast"]);
    let loss = |of: &Value| of["loss"].as_f64().unwrap();
    assert!(loss(&trained["selection"]) < trained["constant_loss"].as_f64().unwrap());
    assert_eq!(trained["epochs"], 12);
    let names = [
        "best.onnx",
        "latest.checkpoint",
        "training_history.json",
        "model.onnx",
    ];
    for name in names {
        assert!(place.path("run").join(name).exists(), "{name}");
    }
    let judged = evaluate(&place, &[]);
    assert_eq!(judged["part"], "judging");
    let model = &judged["models"][0];
    assert_eq!(model["outcome"], "scored");
    assert!(loss(&model["metrics"]) < judged["constant_loss"].as_f64().unwrap());
    assert!(model["metrics"]["macro_auroc"].as_f64().unwrap() > 0.7);

    // The same command has nothing to do; one with other settings starts where this one was best.
    let bytes = fs::read(place.path("run/model.onnx")).unwrap();
    let again = run(&["--num_epochs", "12", "--training_mode", "fast"]);
    assert_eq!(again, trained);
    assert_eq!(fs::read(place.path("run/model.onnx")).unwrap(), bytes);
    let first_loss = || -> f64 {
        let history = fs::read(place.path("run/training_history.json")).unwrap();
        let history: Value = serde_json::from_slice(&history).unwrap();
        loss(&history[0]["measures"])
    };
    let slow = ["--num_epochs", "1", "--training_mode", "slow"];
    run(&slow);
    let continued = first_loss();
    run(&[&slow[..], &["--restart", "True"]].concat());
    let restarted = first_loss();
    assert!(continued < 0.9 * restarted, "{continued} {restarted}");
}

#[test]
fn a_run_without_end_ends_well_when_it_is_stopped() {
    let place = place("60");
    let endless = quick(&["--batch_size", "8", "--save_model_period", "2"]);
    assert_eq!(place.interrupt_at(&endless, "Epoch 2 "), Some(0));
    assert!(place.path("run/model.onnx").exists());
    let history = fs::read(place.path("run/training_history.json")).unwrap();
    let before: Vec<Value> = serde_json::from_slice(&history).unwrap();
    // The same command goes on.
    let next = format!("Epoch {} ", before.len() + 1);
    assert_eq!(place.interrupt_at(&endless, &next), Some(0));
    let history = fs::read(place.path("run/training_history.json")).unwrap();
    let after: Vec<Value> = serde_json::from_slice(&history).unwrap();
    assert_eq!(after[..before.len()], before);
    let judged = evaluate(&place, &["--part", "all"]);
    assert_eq!(judged["images"], 60);
}

#[test]
fn mistakes_are_told_before_the_work() {
    let place = place("40");
    let said = place.mistake(&quick(&["--model_type", "res", "--training_mode", "fast"]));
    assert!(said.contains("a trunk with random weights"), "{said}");
    let said = place.mistake(&quick(&["--pretrained", "nowhere.pth"]));
    assert!(said.contains("cnn has no trunk"), "{said}");
    let said = place.mistake(&["train", "healthcare", "--data-dir", "synthetic_data"]);
    assert!(said.contains("is not a label"), "{said}");
    let said = place.mistake(&quick(&["--device", "gpu:0,2"]));
    assert!(said.contains("graphics processors"), "{said}");
    if !cfg!(feature = "onnxruntime") {
        fs::create_dir(place.path("store")).unwrap();
        let validator = ["validator", "healthcare", "--netuid", "1"];
        let data = ["--data-dir", "synthetic_data", "--labels", "first,second"];
        let engine = ["--store", "store", "--engine", "onnxruntime"];
        let said = place.mistake(&[&validator[..], &data, &engine].concat());
        assert!(said.contains("--features onnxruntime"), "{said}");
    }
    let said = place.mistake(&["train", "healthcare"]);
    assert!(said.contains("datasets/chest_xray14"), "{said}");
    assert!(!place.path("run").exists());
    let said = place.mistake(&[
        "data",
        "prepare",
        "healthcare",
        "--data-dir",
        "a",
        "--output-dir",
        "b",
    ]);
    assert!(said.contains("no preparation"), "{said}");
}

#[test]
fn a_public_set_is_not_judged_on() {
    let place = place("40");
    fs::create_dir(place.path("run")).unwrap();
    fs::write(place.path("run/model.onnx"), b"never read as a model").unwrap();
    let said = place.mistake(&[
        "evaluate",
        "healthcare",
        "--data-dir",
        "synthetic_data",
        "--labels",
        "first,second",
        "--public",
        "synthetic_data",
        "--model",
        "run/model.onnx",
    ]);
    assert!(said.contains("it judges memory"), "{said}");
}

#[test]
fn a_miner_commits_what_it_trains_and_a_validator_pays_it() {
    let place = place("200");
    place.wallets(&["miner", "validator"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let chain = runtime.block_on(Chain::new(&["miner"]));
    let url = chain.url();
    fs::create_dir(place.path("store")).unwrap();
    let network = [
        "--netuid",
        "1",
        "--subtensor.chain_endpoint",
        &url,
        "--store",
        "store",
    ];
    let mine = ["miner", "healthcare", "--wallet.name", "miner", "--json"];
    let training = [
        "--num_epochs",
        "3",
        "--training_mode",
        "fast",
        "--batch_size",
        "8",
    ];
    place.json(&[&mine[..], &QUICK[2..], &training, &network].concat());

    let validate = [
        "validator",
        "healthcare",
        "--wallet.name",
        "validator",
        "--json",
    ];
    let judging = [
        "--data-dir",
        "synthetic_data",
        "--labels",
        "first,second",
        "--judging.split",
        "20",
        "--judging.sample",
        "20",
        "--logging.logging_dir",
        "neurons",
        "--scoring",
        "robust",
        "--rounds",
        "1",
    ];
    // The first round must know the last model.
    runtime.block_on(chain.next_epoch());
    let told = place.json(&[&validate[..], &judging, &network].concat());
    let ledger = told["ledger"].as_str().unwrap();
    let board = place.json(&["board", "--ledger", ledger, "--json"]);
    let line = &board["submissions"][0];
    assert_eq!(
        (&line["outcome"], &line["weight"]),
        (&"scored".into(), &65535.into()),
        "{line:#}"
    );
    let best = fs::read(place.path("run/best.onnx")).unwrap();
    let digest = Digest::of(&best).to_string();
    assert_eq!(line["model"], digest.as_str());
    let loss = line["figures"]["loss"].as_f64().unwrap();
    assert!((line["score"].as_f64().unwrap() - (-loss).exp()).abs() < 1e-9);
    // Replayed under other rules it does not agree, under its own it does.
    let replay = ["ledger", "replay", "--ledger", ledger, "--scoring"];
    assert!(
        place
            .run(&[&replay[..], &["robust"]].concat())
            .status
            .success()
    );
    assert_eq!(
        place
            .run(&[&replay[..], &["original"]].concat())
            .status
            .code(),
        Some(1)
    );
}

/// The mean of its rewards goes back over more rounds than that of the skin-lesion competition.
#[test]
fn a_past_that_is_handed_on_keeps_what_rewards_need() {
    let place = Place::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let directory = place.path("ledger");
        let mut ledger = Ledger::open(&directory, &[7; 32], NAME).await.unwrap();
        for number in 1..=12 {
            let block = 10 * number;
            let opened = json!({
                "number": number,
                "epoch": number,
                "cutoff_block": block,
                "cutoff_hash": H256([1; 32]),
                "seed_hash": H256([2; 32]),
            });
            let row = json!({
                "round": number,
                "hotkey": key("miner").account(),
                "commit_block": 5,
                "extrinsic_index": 0,
                "artefact": null,
                "sample": Digest::of(b"sample"),
                "bytes": 0,
                "engine": "engine",
                "outcome": "scored",
                "reason": null,
                "score": 0.5,
                "metrics": {"loss": 0.69},
                "evidence": [0.69],
            });
            for (event, of) in [
                ("round_opened", opened),
                ("evaluated", row),
                ("round_paid", json!({"round": number, "block": block})),
            ] {
                let event = serde_json::from_value(json!({"event": event, "of": of})).unwrap();
                ledger.record(&event).await.unwrap();
            }
        }
        ledger.close().await;
    });
    let export = [
        "ledger", "export", "--ledger", "ledger", "--output", "past", "--json",
    ];
    place.json(&export);
    let past = fs::read_to_string(place.path("past")).unwrap();
    let whole = past
        .lines()
        .filter(|line| line.contains("\"evidence\":[0.69]"));
    let history = subnet::rules(NAME, Scoring::Robust).unwrap().history();
    assert_eq!((whole.count(), history), (9, 9));
}

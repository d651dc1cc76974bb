//! The journey of a competition, from outside: two validators, five miners and a latecomer, on generated X-rays or, with
//! AGON_JOURNEY_DATA, on real ones.

mod common;

use agon_dataset::store::{ArtefactStore, LocalStore};
use agon_model::Model;
use agon_model::digest::Digest;
use common::chain::{Chain, NETUID, key};
use common::{Place, errors};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Child, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// X-rays, and how long miners learn from them.
struct Data {
    directory: String,
    labels: &'static str,
    side: &'static str,
    /// Epochs of the worse miner, of the good one, and of the latecomer.
    epochs: [&'static str; 3],
    /// How many X-rays a round asks about.
    sample: &'static str,
    /// What the best model's loss is at most, as a share of what the best constant answer has.
    clearly_better: f64,
}

impl Data {
    /// What the environment names, or generated X-rays.
    fn find(place: &Place) -> Self {
        if let Ok(directory) = std::env::var("AGON_JOURNEY_DATA") {
            let directory = std::path::absolute(directory).unwrap();
            return Self {
                directory: directory.to_str().unwrap().to_owned(),
                labels: "pneumonia",
                side: "64",
                epochs: ["1", "3", "10"],
                sample: "300",
                clearly_better: 0.5,
            };
        }
        let synthesize = ["data", "synthesize", "healthcare", "--json"];
        let what = ["--labels", "first,second", "--num-samples", "400"];
        place.json(&[&synthesize[..], &what].concat());
        Self {
            directory: "synthetic_data".to_owned(),
            labels: "first,second",
            side: "32",
            epochs: ["1", "8", "20"],
            // All that are kept for judges: a smaller sample of so few would tell something else every time.
            sample: "400",
            clearly_better: 0.95,
        }
    }
}

/// Everything that takes part.
struct World {
    place: Place,
    data: Data,
    store: Arc<LocalStore>,
    chain: Chain,
    url: String,
    runtime: Runtime,
}

const VALIDATORS: [&str; 2] = ["validator", "second"];

impl World {
    fn new(miners: &[&str]) -> Self {
        let place = Place::new();
        let data = Data::find(&place);
        std::fs::create_dir(place.path("store")).unwrap();
        let store = Arc::new(LocalStore::open(place.path("store")).unwrap());
        let runtime = Runtime::new().unwrap();
        let neurons = [miners, &VALIDATORS[1..]].concat();
        // An epoch is 21 blocks: both validators, each started in the same one, find the same rounds.
        let time = Duration::from_millis(300);
        let chain = runtime.block_on(Chain::with_block_time(&neurons, time));
        runtime.block_on(chain.stake(VALIDATORS[1]));
        for name in miners.iter().chain(&VALIDATORS) {
            let uri = format!("//{name}");
            let make = ["wallet", "regen-hotkey", "--wallet.name", name, "--json"];
            place.json(&[&make[..], &["--uri", &uri]].concat());
        }
        Self {
            url: chain.url(),
            place,
            data,
            store,
            chain,
            runtime,
        }
    }

    fn network<'a>(&'a self, name: &'a str) -> [&'a str; 11] {
        [
            "--wallet.name",
            name,
            "--netuid",
            "1",
            "--subtensor.chain_endpoint",
            &self.url,
            "--store",
            "store",
            "--labels",
            self.data.labels,
            "--json",
        ]
    }

    /// Train, publish and commit with `agon miner`; the file it committed last.
    fn mine(&self, name: &str, epochs: &str) -> Vec<u8> {
        let begin = ["miner", "healthcare", "--training_mode", "fast"];
        let data = ["--data-dir", &self.data.directory, "--save-dir", name];
        let size = ["--image_size", self.data.side, "--num_epochs", epochs];
        let batch = ["--batch_size", "16"];
        self.place
            .json(&[&begin[..], &data, &size, &batch, &self.network(name)].concat());
        std::fs::read(self.place.path(name).join("best.onnx")).unwrap()
    }

    /// The loss of a miner's best model on what is judged, as a share of what the best constant answer has.
    fn share_of_constant_loss(&self, name: &str) -> f64 {
        let model = format!("{name}/best.onnx");
        let begin = ["evaluate", "healthcare", "--model", &model, "--json"];
        let data = ["--data-dir", &self.data.directory, "--labels"];
        let told = self
            .place
            .json(&[&begin[..], &data, &[self.data.labels]].concat());
        let loss = told["models"][0]["metrics"]["loss"].as_f64().unwrap();
        loss / told["constant_loss"].as_f64().unwrap()
    }

    /// Publish and commit any file.
    fn commit(&self, name: &str, file: &[u8]) {
        let digest = Digest(self.store.put(file).unwrap());
        let commit = self
            .chain
            .commit(name, "healthcare", self.store.clone(), digest);
        self.runtime.block_on(commit);
    }

    /// Wait for the first half of an epoch with which no round begins.
    fn between_rounds(&self) {
        self.runtime.block_on(async {
            let mut state = self.chain.client.finalized().await.unwrap();
            loop {
                let epoch = state.epoch(NETUID).await.unwrap();
                if !epoch.index.is_multiple_of(2) && state.number() < epoch.last_block + 8 {
                    return;
                }
                let next = state.number() + 1;
                state = self.chain.client.wait_for_block(next).await.unwrap();
            }
        });
    }

    fn validator(&self, name: &str, rounds: &str, at_once: &str) -> Child {
        let begin = ["validator", "healthcare", "--rounds", rounds];
        let data = ["--data-dir", &self.data.directory];
        let judging = [
            "--judging.split",
            "20",
            "--judging.sample",
            self.data.sample,
            "--judging.models",
            at_once,
        ];
        let place = ["--logging.logging_dir", "neurons"];
        let arguments = [&begin[..], &data, &judging, &place, &self.network(name)].concat();
        let mut command = self.place.command(&arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the binary runs")
    }

    /// Both validators until so many rounds are finished, which they judge a different number of models at once for; the
    /// second one is killed as soon as it says `killed`, if anything, and starts again.
    fn validate(&self, rounds: &str, killed: Option<&str>) {
        self.between_rounds();
        let first = self.validator(VALIDATORS[0], rounds, "1");
        let second = self.validator(VALIDATORS[1], rounds, "3");
        let second = match killed {
            None => second,
            Some(line) => {
                common::kill_when_it_says(second, line);
                self.validator(VALIDATORS[1], rounds, "2")
            }
        };
        for validator in [first, second] {
            let output: Output = validator.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", errors(&output));
        }
    }

    fn ledger(&self, validator: &str) -> String {
        format!("neurons/{validator}/default/netuid1/validator")
    }

    /// The last round as a validator saw it, by the miners' names.
    fn board<'a>(&self, validator: &str, names: &[&'a str]) -> BTreeMap<&'a str, Value> {
        let ledger = self.ledger(validator);
        let told = self.place.json(&["board", "--ledger", &ledger, "--json"]);
        let name = |row: &Value| {
            let hotkey = row["hotkey"].as_str().unwrap().to_owned();
            let is = |name: &&&str| key(name).account().to_string() == hotkey;
            names.iter().find(is).copied()
        };
        let rows = told["submissions"].as_array().unwrap().iter();
        rows.filter_map(|row| Some((name(row)?, row.clone())))
            .collect()
    }

    /// Both ledgers tell the same story, and the same weights.
    fn check_agreement(&self) {
        let ledgers = VALIDATORS.map(|name| self.ledger(name));
        let compare = ["ledger", "compare", &ledgers[0], &ledgers[1]];
        let output = self.place.run(&compare);
        assert!(output.status.success(), "{}", errors(&output));
        for ledger in &ledgers {
            let output = self.place.run(&["ledger", "replay", "--ledger", ledger]);
            assert!(output.status.success(), "{}", errors(&output));
        }
    }
}

/// The same network with one number in ten thousand of each weight's size added or taken.
fn perturbed(file: &[u8]) -> Vec<u8> {
    let mut model = Model::from_bytes(file).unwrap();
    for tensor in &mut model.graph_mut().initializer {
        let Ok(mut numbers) = tensor.to_f32() else {
            continue;
        };
        for (at, number) in numbers.iter_mut().enumerate() {
            *number *= if at % 2 == 0 { 1.0001 } else { 0.9999 };
        }
        tensor.set_f32(&numbers).unwrap();
    }
    model.to_bytes()
}

/// A network of which every input is a hundred times as large as it says.
fn hostile(file: &[u8]) -> Vec<u8> {
    let mut model = Model::from_bytes(file).unwrap();
    for tensor in &mut model.graph_mut().initializer {
        tensor.dims.iter_mut().for_each(|size| *size *= 100_000);
    }
    model.to_bytes()
}

fn weight(row: &Value) -> u64 {
    row["weight"].as_u64().unwrap_or(0)
}

fn loss(row: &Value) -> f64 {
    row["figures"]["loss"].as_f64().expect("a loss")
}

/// What everybody is promised, round by round.
#[test]
fn better_models_are_paid_more_copies_and_hostile_files_nothing_and_a_latecomer_can_win() {
    let miners = ["good", "worse", "copier", "perturbed", "hostile", "late"];
    let world = World::new(&miners);
    let [few, some, many] = world.data.epochs;
    let good = world.mine("good", some);
    world.mine("worse", few);
    world.commit("copier", &good);
    world.commit("perturbed", &perturbed(&good));
    world.commit("hostile", &hostile(&good));

    world.validate("2", Some("round 2: "));
    world.check_agreement();
    for validator in VALIDATORS {
        let board = world.board(validator, &miners);
        let row = |name: &str| &board[name];
        assert!(loss(row("good")) < loss(row("worse")), "{board:#?}");
        assert!(weight(row("good")) > weight(row("worse")), "{board:#?}");
        assert!(weight(row("worse")) > 0, "{board:#?}");
        for (name, word) in [
            ("copier", "a copy"),
            ("perturbed", "a copy"),
            ("hostile", ""),
        ] {
            let refused = row(name);
            assert_eq!(
                (&refused["outcome"], weight(refused)),
                (&"refused".into(), 0),
                "{refused:#}"
            );
            let reason = refused["reason"].as_str().expect("a reason");
            assert!(!reason.is_empty() && reason.contains(word), "{reason}");
        }
        assert!(!board.contains_key("late"));
    }

    world.mine("late", many);
    let share = world.share_of_constant_loss("late");
    assert!(share < world.data.clearly_better, "{share}");
    world.validate("3", None);
    world.check_agreement();
    let boards = VALIDATORS.map(|validator| world.board(validator, &miners));
    for board in &boards {
        let row = |name: &str| &board[name];
        assert!(loss(row("late")) < loss(row("good")), "{board:#?}");
        assert!(weight(row("late")) > weight(row("good")), "{board:#?}");
        assert!(weight(row("good")) > weight(row("worse")), "{board:#?}");
        for name in ["copier", "perturbed", "hostile"] {
            assert_eq!(weight(row(name)), 0, "{board:#?}");
        }
    }
    for name in miners {
        assert_eq!(
            boards[0][name]["weight"], boards[1][name]["weight"],
            "{name}"
        );
        show(name, &boards[0][name]);
    }
}

/// One line past the test runner, for who watches.
fn show(name: &str, row: &Value) {
    let told = match row["reason"].as_str() {
        Some(reason) => reason.to_owned(),
        None => format!(
            "loss {:.4}, AUROC {}",
            loss(row),
            row["figures"]["macro_auroc"]
        ),
    };
    let _ = writeln!(
        std::io::stderr(),
        "{name:10} weight {:5}  {told}",
        weight(row)
    );
}

//! Validators whose processors know other instructions come to the same weights: the same judging natively and under an
//! emulator of older and of plainer processors.

mod common;

use agon_arena::competition::Competition;
use agon_arena::ledger::Evaluation;
use agon_arena::reward::{Past, Scoring};
use agon_arena::seed::Seed;
use agon_arena::subnet::healthcare::Healthcare;
use agon_arena::subnet::tricorder::Tricorder;
use agon_dataset::{chest, skin};
use agon_model::architecture::{ChestModel, ChestOptions, LesionClassifier, lesion_classifier};
use agon_model::digest::Digest;
use agon_model::inference::Session;
use agon_model::{Dim, Model, metrics};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the emulated process finds images and models, and leaves what it has seen.
const PLACE: &str = "AGON_PROCESSOR_PLACE";
/// Processors to compare with: no AVX at all, and AVX2 with fused multiplication.
const PROCESSORS: [&str; 2] = ["Nehalem", "Haswell"];
const MODELS: u8 = 6;
const IMAGES: usize = 60;

fn labels() -> chest::LabelSet {
    "first,second,third".parse().unwrap()
}

fn prepare(place: &Path) {
    let lesions = skin::synthetic::Synthetic {
        images: IMAGES,
        width: 60,
        height: 45,
        ..skin::synthetic::Synthetic::default()
    };
    skin::synthetic::generate(&place.join("lesions"), &lesions, &|_, _| {}).unwrap();
    let xrays = chest::synthetic::Synthetic {
        images: IMAGES,
        labels: labels(),
        ..chest::synthetic::Synthetic::default()
    };
    chest::synthetic::generate(&place.join("xrays"), &xrays, &|_, _| {}).unwrap();
    for number in 0..MODELS {
        let lesion = LesionClassifier {
            image_size: 32,
            ..LesionClassifier::small()
        };
        let chest = ChestOptions {
            image_size: 32,
            labels: 3,
            ..ChestOptions::default()
        };
        let networks = [
            ("lesions", lesion_classifier(&lesion).unwrap()),
            ("xrays", ChestModel::Cnn.build(&chest).unwrap()),
        ];
        for (name, mut network) in networks {
            agon_train::init::initialise(&mut network, number.into()).unwrap();
            network.strip_training();
            let path = place.join(format!("{name}-{number}.onnx"));
            std::fs::write(path, network.to_bytes()).unwrap();
        }
    }
}

/// What a validator on this processor sees: answers, rows and shares.
fn judge(place: &Path) -> Value {
    let lesions = || Tricorder::new(skin::load(&place.join("lesions")).unwrap(), IMAGES);
    let xrays = || {
        let opened = chest::open(&place.join("xrays"), &labels()).unwrap();
        Healthcare::new(labels(), opened.records, IMAGES)
    };
    let subnets: [(&str, [Box<dyn Competition>; 2]); 2] = [
        ("lesions", both(|rules| lesions().with_scoring(rules))),
        ("xrays", both(|rules| xrays().with_scoring(rules))),
    ];
    let told = subnets.map(|(name, [original, robust])| {
        let mut answers = Vec::new();
        let mut evaluations = Vec::new();
        for number in 0..MODELS {
            let path = place.join(format!("{name}-{number}.onnx"));
            let model = std::fs::read(path).unwrap();
            let given = ask(original.as_ref(), model);
            evaluations.push(row(original.as_ref(), number, &given));
            answers.push(given);
        }
        let past = [Past {
            seed: Seed([5; 32]),
            cutoff_block: 100,
            agenda: None,
            evaluations: evaluations.clone(),
        }];
        json!({
            "answers": answers,
            "rows": evaluations,
            "shares": [original.shares(&past), robust.shares(&past)],
        })
    });
    json!(told)
}

fn both<C: Competition>(make: impl Fn(Scoring) -> C) -> [Box<dyn Competition>; 2] {
    [
        Box::new(make(Scoring::Original)),
        Box::new(make(Scoring::Robust)),
    ]
}

/// The quantised answers of a model to all images.
fn ask(competition: &dyn Competition, bytes: Vec<u8>) -> Vec<Vec<f32>> {
    let model = Model::from_bytes(&bytes).unwrap();
    let size = |size: &Dim| match size {
        Dim::Fixed(size) => Some(*size),
        Dim::Named(_) => None,
    };
    let inputs = model.inputs();
    let declared = inputs
        .iter()
        .map(|input| input.dims.iter().map(size).collect());
    let declared: Vec<Vec<_>> = declared.collect();
    let session = Session::load(bytes).unwrap();
    let answer = |item| {
        let inputs = competition.inputs(item, &declared).unwrap();
        let mut answer = session.run(&inputs).unwrap().data;
        metrics::quantise(&mut answer).unwrap();
        answer
    };
    (0..IMAGES).map(answer).collect()
}

fn row(competition: &dyn Competition, number: u8, answers: &[Vec<f32>]) -> Evaluation {
    let items: Vec<usize> = (0..IMAGES).collect();
    let score = competition.score(&items, answers, 1 << 20);
    serde_json::from_value(json!({
        "round": 1,
        "hotkey": agon_keys::AccountId::from([number; 32]),
        "commit_block": number,
        "extrinsic_index": 0,
        "artefact": null,
        "sample": Digest::of(b"sample"),
        "bytes": 1 << 20,
        "engine": "rten",
        "outcome": "scored",
        "reason": null,
        "score": score.score,
        "metrics": score.metrics,
        "evidence": score.evidence,
    }))
    .unwrap()
}

/// Not a test by itself: what the other one runs on other processors.
#[test]
#[ignore = "only under an emulator, by the other test"]
fn what_this_processor_sees() {
    if let Some(place) = std::env::var_os(PLACE).map(PathBuf::from) {
        let told = judge(&place).to_string();
        std::fs::write(place.join("seen.json"), told).unwrap();
    }
}

#[test]
#[ignore = "slow: it computes under an emulator"]
fn other_processors_come_to_the_same_weights() {
    if Command::new("qemu-x86_64")
        .arg("--version")
        .output()
        .is_err()
    {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED other processors: Debian's qemu-user has what it needs"
        );
        return;
    }
    let place = tempfile::tempdir().unwrap();
    prepare(place.path());
    let native = judge(place.path());
    for processor in PROCESSORS {
        let run = Command::new("qemu-x86_64")
            .args(["-cpu", processor])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "what_this_processor_sees", "--ignored"])
            .env(PLACE, place.path())
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", common::errors(&run));
        let seen = std::fs::read(place.path().join("seen.json")).unwrap();
        let seen: Value = serde_json::from_slice(&seen).unwrap();
        for (subnet, other) in native
            .as_array()
            .unwrap()
            .iter()
            .zip(seen.as_array().unwrap())
        {
            let numbers = |of: &Value| -> Vec<f64> {
                let models = of["answers"].as_array().unwrap().iter();
                let rows = models.flat_map(|model| model.as_array().unwrap());
                rows.flat_map(|row| row.as_array().unwrap())
                    .map(|x| x.as_f64().unwrap())
                    .collect()
            };
            let (ours, theirs) = (numbers(subnet), numbers(other));
            let differing = ours.iter().zip(&theirs).filter(|(a, b)| a != b).count();
            let _ = writeln!(
                std::io::stderr(),
                "{processor}: {differing} of {} answers differ",
                ours.len()
            );
            let rows = |of: &Value| of["rows"].as_array().unwrap().clone();
            let same = rows(subnet)
                .iter()
                .zip(rows(other))
                .filter(|(a, b)| **a == *b)
                .count();
            let _ = writeln!(
                std::io::stderr(),
                "{processor}: {same} of {MODELS} rows are equal"
            );
            assert_eq!(subnet["shares"], other["shares"], "{processor}");
        }
        std::fs::remove_file(place.path().join("seen.json")).unwrap();
    }
}

//! `agon train` in a directory that holds a run already: what a kill left undone is written, what the result depends on
//! must be as it was, and a run can be made longer.

mod common;

use agon_dataset::skin::synthetic::{Synthetic, generate};
use agon_train::tensorboard;
use common::{Place, errors};
use std::fs;
use std::path::PathBuf;

/// A run of a few seconds on generated images.
const QUICK: [&str; 11] = [
    "train",
    "tricorder",
    "--synthetic",
    "--synthetic-samples",
    "90",
    "--image-size",
    "16",
    "--num-workers",
    "2",
    "--device",
    "cpu:2",
];

fn quick<'a>(more: &[&'a str]) -> Vec<&'a str> {
    QUICK.iter().chain(more).copied().collect()
}

fn train(place: &Place, more: &[&str]) -> String {
    let output = place.run(&quick(more));
    let said = errors(&output);
    assert!(output.status.success(), "{said}");
    said
}

fn kept(place: &Place, name: &str) -> Vec<u8> {
    fs::read(place.path("checkpoints").join(name)).unwrap()
}

/// The steps in the event files.
fn steps(place: &Place) -> Vec<u64> {
    let steps = tensorboard::read(&place.path("runs")).unwrap();
    let mut steps: Vec<u64> = steps.into_iter().map(|(step, _)| step).collect();
    steps.sort_unstable();
    steps
}

#[test]
fn what_a_kill_kept_from_being_written_is_written_by_the_next_start() {
    let place = Place::new();
    train(&place, &["--epochs", "2"]);
    let files = ["training_history.json", "training_history.csv", "best.onnx"];
    let before = files.map(|name| kept(&place, name));
    // As a kill leaves it between the last checkpoint and all that comes behind: the log ends within the last record,
    // the history with the epoch before.
    let entry = fs::read_dir(place.path("runs")).unwrap().next().unwrap();
    let log = entry.unwrap().path();
    let bytes = fs::read(&log).unwrap();
    fs::write(&log, &bytes[..bytes.len() - 5]).unwrap();
    assert_eq!(steps(&place), [1]);
    for (name, before) in files.iter().zip(&before) {
        fs::write(
            place.path("checkpoints").join(name),
            &before[..before.len() / 2],
        )
        .unwrap();
    }
    let said = train(&place, &["--epochs", "2"]);
    assert!(!said.contains("Epoch"), "{said}");
    assert_eq!(files.map(|name| kept(&place, name)), before);
    assert_eq!(steps(&place), [1, 2]);
    // With nothing missing nothing is written.
    train(&place, &["--epochs", "2"]);
    assert_eq!(steps(&place), [1, 2]);

    // More epochs: the files of a run that was always so long.
    let said = train(&place, &["--epochs", "3"]);
    assert!(
        !said.contains("Epoch 2") && said.contains("Epoch 3/3"),
        "{said}"
    );
    assert_eq!(steps(&place), [1, 2, 3]);
    let always = Place::new();
    train(&always, &["--epochs", "3"]);
    for name in ["model.onnx", "latest.checkpoint", files[0], files[1]] {
        assert!(kept(&place, name) == kept(&always, name), "{name}");
    }
    // With a cosine that is another run, and the message says why.
    train(
        &always,
        &["--epochs", "1", "--schedule", "cosine", "--start-anew"],
    );
    let said = always.mistake(&quick(&["--epochs", "2", "--schedule", "cosine"]));
    for wanted in ["options.epochs: 1 there, 2 here", "schedule restarts"] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
}

#[test]
fn a_run_does_not_go_on_with_other_images_people_or_augmentation() {
    let place = Place::new();
    let small = Synthetic {
        images: 90,
        ..Synthetic::default()
    };
    generate(&place.path("data"), &small, &|_, _| {}).unwrap();
    let short = [&["train", "tricorder", "--data-dir", "data"], &QUICK[5..]].concat();
    let short = [&short[..], &["--epochs", "1"]].concat();
    let run = || {
        let output = place.run(&short);
        assert!(output.status.success(), "{}", errors(&output));
        errors(&output)
    };
    run();
    let (model, config) = (kept(&place, "model.onnx"), kept(&place, "config.yaml"));
    let other = [&short[..], &["--rotation", "90", "--hue", "0.1"]].concat();
    let said = place.mistake(&other);
    for wanted in [
        "training.augmentation.rotation:",
        "90.0 here",
        "training.augmentation.hue:",
        "0.1 here",
        "--start-anew",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    // Ages are in the table.
    let table = place.path("data/metadata.csv");
    let text = fs::read_to_string(&table).unwrap();
    let header = text.lines().next().unwrap();
    let age = header.split(',').position(|name| name == "age").unwrap();
    let rows = text.lines().enumerate().map(|(row, line)| {
        let mut fields: Vec<&str> = line.split(',').collect();
        if row > 0 {
            fields[age] = "33";
        }
        fields.join(",") + "\n"
    });
    fs::write(&table, rows.collect::<String>()).unwrap();
    let said = place.mistake(&short);
    assert!(
        said.contains("training.demographics: not the same"),
        "{said}"
    );
    assert!(!said.contains(".images:"), "{said}");
    fs::write(&table, &text).unwrap();
    // Every image has the picture of another.
    let images = fs::read_dir(place.path("data/images")).unwrap();
    let images: Vec<PathBuf> = images.map(|entry| entry.unwrap().path()).collect();
    let pictures: Vec<Vec<u8>> = images.iter().map(|path| fs::read(path).unwrap()).collect();
    for (path, picture) in images.iter().zip(pictures.iter().rev()) {
        fs::write(path, picture).unwrap();
    }
    let said = place.mistake(&short);
    for part in ["training", "selection"] {
        let wanted = format!("{part}.images: not the same");
        assert!(said.contains(&wanted), "{said}");
    }
    assert!(!said.contains(".demographics"), "{said}");
    // Nothing of the run has changed, and with what it was trained on it is still finished.
    for (path, picture) in images.iter().zip(&pictures) {
        fs::write(path, picture).unwrap();
    }
    assert_eq!(kept(&place, "config.yaml"), config);
    let said = run();
    assert!(!said.contains("Epoch"), "{said}");
    assert_eq!(kept(&place, "model.onnx"), model);
}

#[test]
fn a_run_that_diverges_is_the_users_to_mend() {
    let place = Place::new();
    // With these, every step makes each weight a hundred times larger.
    let rates = ["--learning-rate", "10", "--weight-decay", "10"];
    let said = place.mistake(&quick(&[&["--epochs", "3"], &rates[..]].concat()));
    assert!(said.contains("lower the learning rate"), "{said}");
    // What an epoch before has left stays; a model that came to its end there is not.
    assert!(!place.path("checkpoints/model.onnx").exists());
}

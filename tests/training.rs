//! `agon train`: settings, a run from images to a checked file, what stops it and how it goes on, and what the field's own
//! tools read of it.
//!
//! The tools need a Python environment with `tests/clients/requirements-training.txt`: the one whose interpreter
//! `AGON_TRAINING_PYTHON` names, else `target/clients-training`, where `.ci/run` makes it. Without one that test is
//! skipped and says so, unless `AGON_CLIENTS_REQUIRED` is set.

mod common;

use agon_model::inference::{Session, Tensor};
use common::{Place, errors};
use serde_json::Value;
use std::env;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A run of a few seconds on generated images.
const QUICK: [&str; 13] = [
    "train",
    "tricorder",
    "--synthetic",
    "--synthetic-samples",
    "150",
    "--image-size",
    "16",
    "--epochs",
    "3",
    "--num-workers",
    "2",
    "--device",
    "cpu:2",
];

fn quick<'a>(more: &[&'a str]) -> Vec<&'a str> {
    QUICK.iter().chain(more).copied().collect()
}

fn model(place: &Place) -> Vec<u8> {
    fs::read(place.path("checkpoints/model.onnx")).expect("a trained model")
}

#[test]
fn settings_come_from_file_environment_and_flags() {
    let place = Place::new();
    let yaml = "training:\n  epochs: 3\n  seed: 7\nmodel:\n  type: lightweight\n";
    fs::write(place.path("train_config.yaml"), yaml).unwrap();
    let mut command = place.command(&["train", "tricorder", "--print-config", "--batch-size", "4"]);
    let output = command
        .env("AGON_TRAIN_TRAINING_SEED", "8")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    for line in [
        "type: \"lightweight\" # train_config.yaml",
        "epochs: 3 # train_config.yaml",
        "seed: 8 # AGON_TRAIN_TRAINING_SEED",
        "batch_size: 4 # --batch-size",
        "learning_rate: 0.001 # default",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

#[test]
fn mistakes_are_named_and_leave_nothing_behind() {
    let place = Place::new();
    let train = |more: &[&str]| {
        let arguments: Vec<&str> = ["train", "tricorder"].iter().chain(more).copied().collect();
        place.mistake(&arguments)
    };
    let said = train(&["--data-dir", "nowhere"]);
    assert!(said.contains("nowhere"), "{said}");
    let said = train(&["--synthetic", "--device", "gpu:0"]);
    assert!(said.contains("graphics processors"), "{said}");
    let said = train(&["--synthetic", "--device", "cpu:0"]);
    assert!(said.contains("cpu:0"), "{said}");
    let said = train(&["--synthetic", "--batch-size", "0"]);
    assert!(said.contains("batch_size"), "{said}");
    // Nothing is read or generated for what is out of range.
    let said = train(&["--synthetic", "--hue", "9"]);
    assert!(
        said.contains("augmentation.hue") && said.contains("from 0 to 0.5"),
        "{said}"
    );
    let said = train(&["--synthetic", "--val-split", "0.6", "--test-split", "0.4"]);
    assert!(
        said.contains("data.val_split and data.test_split"),
        "{said}"
    );
    let said = train(&["--synthetic", "--resume", "elsewhere"]);
    assert!(said.contains("no checkpoint in elsewhere"), "{said}");
    let said = train(&["--model-type", "resnet"]);
    assert!(said.contains("lightweight"), "{said}");
    let said = train(&["--config", "missing.yaml"]);
    assert!(said.contains("missing.yaml"), "{said}");
    fs::write(
        place.path("train_config.yaml"),
        "training:\n  batchsize: 4\n",
    )
    .unwrap();
    let said = train(&[]);
    assert!(said.contains("is training.batch_size meant?"), "{said}");
    let left: Vec<_> = fs::read_dir(place.path("")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_run_ends_in_a_model_and_is_not_repeated() {
    let place = Place::new();
    let summary = place.json(&quick(&["--json"]));
    let bytes = model(&place);
    assert_eq!(summary["bytes"], bytes.len() as u64);
    assert_eq!(summary["epochs"], 3);
    let score = &summary["selection"]["score"];
    let of = |name: &str| score[name].as_f64().unwrap();
    assert!(0.0 < of("low") && of("low") < of("value") && of("value") < of("high"));
    for name in [
        "config.yaml",
        "best.onnx",
        "best.checkpoint",
        "latest.checkpoint",
        "training_history.csv",
    ] {
        assert!(place.path("checkpoints").join(name).exists(), "{name}");
    }
    // All are for whoever may read the user's files.
    fs::write(place.path("usual"), b"").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    for name in names(&place.path("checkpoints")) {
        let path = place.path("checkpoints").join(&name);
        assert_eq!(mode(&path), mode(&place.path("usual")), "{name}");
    }
    // The settings of the run repeat it elsewhere.
    let config = place.path("checkpoints/config.yaml");
    let config = config.to_str().unwrap();
    let arguments = [
        "train",
        "tricorder",
        "--config",
        config,
        "--save-dir",
        "again",
    ];
    assert!(place.run(&arguments).status.success());
    assert_eq!(fs::read(place.path("again/model.onnx")).unwrap(), bytes);
    // A finished run is not trained again.
    let output = place.run(&quick(&[]));
    assert!(output.status.success());
    assert!(!errors(&output).contains("Epoch"), "{}", errors(&output));
    assert_eq!(model(&place), bytes);
    // One of other settings is kept until somebody says otherwise.
    let other = quick(&["--seed", "5"]);
    let said = place.mistake(&other);
    assert!(said.contains("options.seed: 42 there, 5 here"), "{said}");
    assert!(said.contains("--start-anew"), "{said}");
    assert_eq!(model(&place), bytes);
    let settings = fs::read(place.path("checkpoints/config.yaml")).unwrap();
    let shown = names(&place.path("runs"));
    let said = place.mistake(&quick(&["--learning-rate", "0.5"]));
    assert!(said.contains("belong to another run"), "{said}");
    let kept = fs::read(place.path("checkpoints/config.yaml")).unwrap();
    assert_eq!(kept, settings);
    assert_eq!(names(&place.path("runs")), shown);
    assert!(
        place
            .run(&quick(&["--seed", "5", "--start-anew"]))
            .status
            .success()
    );
    assert_ne!(model(&place), bytes);
}

#[test]
fn a_run_that_has_not_begun_can_be_interrupted() {
    let place = Place::new();
    // To make so many takes minutes.
    let many = ["--synthetic", "--synthetic-samples", "100000"];
    let mut run = place
        .command(&[&["train", "tricorder"], &many[..]].concat())
        .spawn()
        .expect("the binary runs");
    while !place.path("synthetic_data").exists() {
        assert_eq!(run.try_wait().expect("its state"), None, "it ended");
        std::thread::sleep(Duration::from_millis(10));
    }
    let id = run.id().to_string();
    let told = Command::new("kill").args(["-INT", &id]).status();
    assert!(told.expect("kill runs").success());
    assert_eq!(run.wait().expect("its status").code(), Some(130));
    assert!(!place.path("checkpoints").exists());
}

#[test]
fn a_killed_run_goes_on_to_the_same_model() {
    let undisturbed = Place::new();
    assert!(undisturbed.run(&quick(&[])).status.success());
    let place = Place::new();
    // Saved after every step.
    let arguments = quick(&["--save-interval", "0"]);
    place.kill_at(&arguments, "Epoch 1/3");
    let stopped = place.signal_at("-TERM", &arguments, "Epoch 2/3");
    assert_eq!(stopped, Some(130));
    let output = place.run(&arguments);
    let said = errors(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        !said.contains("Epoch 2/3") && said.contains("Epoch 3/3"),
        "{said}"
    );
    assert_eq!(model(&place), model(&undisturbed));
    let history = |place: &Place| fs::read(place.path("checkpoints/training_history.csv")).unwrap();
    assert_eq!(history(&place), history(&undisturbed));
}

#[test]
fn images_that_cannot_be_read_are_told_and_left_out() {
    let place = Place::new();
    place.json(&quick(&["--json"]));
    let images = place.path("synthetic_data/images");
    let mut names: Vec<PathBuf> = fs::read_dir(&images)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    fs::write(&names[3], b"no image").unwrap();
    fs::write(&names[40], b"").unwrap();
    // As data of one's own: generated images would be made whole again.
    let own = ["train", "tricorder", "--data-dir", "synthetic_data"];
    let size = ["--image-size", "16", "--epochs", "1", "--save-dir", "other"];
    let output = place.run(&[&own[..], &size].concat());
    let said = errors(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("cannot be read and are left out"), "{said}");
    for name in [&names[3], &names[40]] {
        let name = name.file_name().unwrap().to_str().unwrap();
        assert!(said.contains(name), "{name}: {said}");
    }
}

#[test]
fn generated_images_are_those_that_the_settings_say() {
    let place = Place::new();
    let train = |more: &[&str]| {
        let fixed = ["train", "tricorder", "--synthetic", "--image-size", "16"];
        let arguments = [&fixed[..], &["--epochs", "1"], more].concat();
        place.run(&arguments)
    };
    for (samples, directory) in [("60", "few"), ("90", "more")] {
        let output = train(&["--synthetic-samples", samples, "--save-dir", directory]);
        let said = errors(&output);
        assert!(output.status.success(), "{said}");
        assert!(said.contains(&format!("{samples} images: ")), "{said}");
    }
    // What somebody else has is neither taken for generated nor touched.
    fs::create_dir(place.path("theirs")).unwrap();
    fs::write(place.path("theirs/metadata.csv"), "theirs").unwrap();
    let output = train(&["--synthetic-dir", "theirs"]);
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("was not made by the generator"), "{said}");
    assert_eq!(names(&place.path("theirs")), ["metadata.csv"]);
}

#[test]
fn a_run_goes_on_from_the_very_checkpoint_that_is_named() {
    let place = Place::new();
    let every = ["--save-every", "1"];
    assert!(place.run(&quick(&every)).status.success());
    let early = "checkpoints/epoch-000001.checkpoint";
    let before = names(&place.path("checkpoints"));
    // What came after it is not lost in silence, and a model is no checkpoint.
    let said = place.mistake(&quick(&["--resume", early]));
    for word in [
        "--save-dir",
        "--resume checkpoints to go on from the latest",
    ] {
        assert!(said.contains(word), "{said}");
    }
    let said = place.mistake(&quick(&["--resume", "checkpoints/best.onnx"]));
    assert!(said.contains("best.onnx is no checkpoint"), "{said}");
    let other = ["--resume", early, "--save-dir", "other"];
    let said = place.mistake(&quick(&[&other[..], &["--learning-rate", "0.5"]].concat()));
    assert!(
        said.contains("of another run (options.learning_rate"),
        "{said}"
    );
    assert!(names(&place.path("other")).is_empty());
    fs::write(place.path("cut.checkpoint"), b"AGONFIT3").unwrap();
    let cut = ["--resume", "cut.checkpoint", "--save-dir", "other"];
    let said = place.mistake(&quick(&cut));
    assert!(
        said.contains("cut.checkpoint is no checkpoint, or damaged"),
        "{said}"
    );

    let output = place.run(&quick(&other));
    let said = errors(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        !said.contains("Epoch 1/3") && said.contains("Epoch 2/3"),
        "{said}"
    );
    assert_eq!(
        fs::read(place.path("other/model.onnx")).unwrap(),
        model(&place)
    );
    assert_eq!(names(&place.path("checkpoints")), before);
    // The same command goes on with what it began; the latest of a directory needs no other.
    for arguments in [
        &other[..],
        &["--resume", "checkpoints/latest.checkpoint"],
        &["--resume", "checkpoints"],
    ] {
        let output = place.run(&quick(arguments));
        let said = errors(&output);
        assert!(output.status.success() && !said.contains("Epoch"), "{said}");
    }
    // Nothing is deleted for a checkpoint that cannot be used.
    let begun = names(&place.path("other"));
    let anew = ["--learning-rate", "0.5", "--start-anew"];
    place.mistake(&quick(&[&cut[..], &anew].concat()));
    assert_eq!(names(&place.path("other")), begun);
}

#[test]
fn training_does_without_tensorboard_where_its_files_cannot_be_written() {
    let place = Place::new();
    fs::write(place.path("full"), b"no directory").unwrap();
    let output = place.run(&quick(&["--tensorboard-dir", "full/runs"]));
    let said = errors(&output);
    assert!(output.status.success(), "{said}");
    assert_eq!(
        said.matches("cannot write event files").count(),
        1,
        "{said}"
    );
    assert!(said.contains("Epoch 3/3"), "{said}");
    model(&place);
}

#[test]
fn copies_of_an_image_stay_in_one_part() {
    let place = Place::new();
    let made = ["data", "synthesize", "tricorder", "--num-samples", "90"];
    place.json(&[&made[..], &["--output-dir", "made", "--json"]].concat());
    // Every image twice, without a word about lesions.
    fs::create_dir(place.path("own")).unwrap();
    let table = fs::read_to_string(place.path("made/metadata.csv")).unwrap();
    let mut labels = String::from("image,label\n");
    for line in table.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let (image, label) = (fields[1], fields[2]);
        let bytes = fs::read(place.path(&format!("made/images/{image}.jpg"))).unwrap();
        for copy in ["a", "b"] {
            let name = format!("{copy}-{image}.jpg");
            fs::write(place.path("own").join(&name), &bytes).unwrap();
            labels.push_str(&format!("{name},{label}\n"));
        }
    }
    fs::write(place.path("own/labels.csv"), labels).unwrap();
    let train = |data: &str| {
        let fixed = ["train", "tricorder", "--image-size", "16", "--epochs", "1"];
        let shares = ["--val-split", "0.3", "--test-split", "0.2"];
        let run = format!("run-{data}");
        let directories = ["--data-dir", data, "--save-dir", &run];
        let output = place.run(&[&fixed[..], &shares, &directories].concat());
        let said = errors(&output);
        assert!(output.status.success(), "{said}");
        said
    };
    let said = train("own");
    let line = |begin: &str| said.lines().find_map(|line| line.split_once(begin));
    let (_, classes) = line("by class: ").expect("the classes");
    let numbers = classes.split(|c: char| !c.is_ascii_digit());
    let numbers: Vec<usize> = numbers.filter_map(|number| number.parse().ok()).collect();
    assert_eq!(numbers.len(), 22, "{classes}");
    assert!(numbers.iter().all(|number| number % 2 == 0), "{classes}");
    assert!(said.contains("agon data prepare tricorder"), "{said}");
    // Evaluation has the same parts.
    let (_, kept) = line(" to compare epochs on, ").expect("the parts");
    let kept: usize = kept.split(' ').next().unwrap().parse().unwrap();
    let judge = ["evaluate", "tricorder", "--data-dir", "own", "--json"];
    let model = ["--model", "run-own/model.onnx", "--resamples", "100"];
    let shares = ["--val-split", "0.3", "--test-split", "0.2"];
    let judged = place.json(&[&judge[..], &model, &shares].concat());
    assert_eq!(judged["data"]["images"], kept);
    // What was prepared has been looked at.
    let prepare = ["data", "prepare", "tricorder", "--source-dir", "own"];
    place.json(&[&prepare[..], &["--output-dir", "prepared", "--json"]].concat());
    assert!(!train("prepared").contains("agon data prepare"));
}

/// Puts pictures of many kinds in place of the first ones, each under the name and the ending that was there.
fn mix_kinds(images: &Path) -> [Vec<(String, &'static str)>; 2] {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/dataset/tests/fixtures");
    let mut number = 0;
    let mut put = |file: &str, length: Option<usize>, said: &'static str| {
        let mut bytes = fs::read(fixtures.join(file)).unwrap();
        bytes.truncate(length.unwrap_or(bytes.len()));
        number += 1;
        let name = format!("SYN_{number:07}.jpg");
        fs::write(images.join(&name), bytes).unwrap();
        (name, said)
    };
    let taken = [
        "png_16.png",
        "jpeg_cmyk.jpg",
        "animated.png",
        "picture.bmp",
        "mode_l.png",
    ];
    let taken = taken.map(|file| put(file, None, "")).to_vec();
    let left_out = vec![
        put("animated.gif", None, "GIF images are not read; save it as"),
        put("animated.webp", None, "WebP images are not read"),
        put("jpeg_baseline.jpg", Some(700), "the image is cut off"),
        put(
            "png_giant.png",
            None,
            "100000x100000 pixels: the sides must be",
        ),
        put("picture.bmp", Some(60), "damaged image"),
        put("picture.bmp", Some(0), "neither a JPEG nor a PNG nor a BMP"),
    ];
    [taken, left_out]
}

#[test]
fn pictures_of_every_kind_are_taken_or_named() {
    let place = Place::new();
    let made = ["data", "synthesize", "tricorder", "--num-samples", "150"];
    place.json(&[&made[..], &["--output-dir", "synthetic_data", "--json"]].concat());
    let [taken, left_out] = mix_kinds(&place.path("synthetic_data/images"));
    let check = |said: &str, lines: &[&str]| {
        for (name, what) in &left_out {
            let line = lines.iter().find(|line| line.contains(name));
            assert!(
                line.is_some_and(|line| line.contains(what)),
                "{name} {what}: {said}"
            );
        }
        for (name, _) in &taken {
            assert!(!said.contains(name), "{name}: {said}");
        }
    };
    // Looked at one by one.
    let said = place.mistake(&[
        "data",
        "verify",
        "tricorder",
        "--data-dir",
        "synthetic_data",
    ]);
    check(&said, &said.lines().collect::<Vec<_>>());
    // Prepared without them.
    let prepare = [
        "data",
        "prepare",
        "tricorder",
        "--source-dir",
        "synthetic_data",
        "--near",
        "0",
    ];
    let prepared = place.json(&[&prepare[..], &["--output-dir", "prepared", "--json"]].concat());
    assert_eq!(prepared["report"]["images"], 144);
    let remarks = prepared["report"]["left_out"].as_array().unwrap();
    let remarks: Vec<String> = remarks.iter().map(Value::to_string).collect();
    check(
        &remarks.join("\n"),
        &remarks.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    // Learnt from without them; the line names the first few of a part and says where all are named.
    let train = [
        "train",
        "tricorder",
        "--data-dir",
        "synthetic_data",
        "--image-size",
        "16",
    ];
    let output = place.run(&[&train[..], &["--epochs", "1", "--val-split", "0.2"]].concat());
    let said = errors(&output);
    assert!(output.status.success(), "{said}");
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("left out"))
        .collect();
    let named: Vec<&str> = lines.iter().flat_map(|line| line.split("; ")).collect();
    let named = named.join("\n");
    let count = left_out
        .iter()
        .filter(|(name, _)| named.contains(name))
        .count();
    assert!(count >= 5, "{said}");
    assert!(
        taken.iter().all(|(name, _)| !named.contains(name)),
        "{said}"
    );
    assert_eq!(
        count == 5,
        said.contains("agon data verify tricorder"),
        "{said}"
    );
}

#[test]
fn a_full_disk_leaves_what_was_saved_and_the_same_command_goes_on() {
    let undisturbed = Place::new();
    assert!(undisturbed.run(&quick(&[])).status.success());
    // A limit on the size of a file is a disk that ends there. The first checkpoints fit, those that hold the best
    // weights too are larger.
    let place = Place::new();
    let arguments = quick(&["--save-interval", "0"]);
    let output = place.limited_command(11_000, &arguments).output().unwrap();
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for word in [
        "checkpoints/latest.checkpoint",
        "File too large",
        "goes on from there",
    ] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let checkpoints = place.path("checkpoints");
    let wanted = ["config.yaml", "latest.checkpoint", "previous.checkpoint"];
    assert_eq!(names(&checkpoints), wanted);
    let output = place.run(&arguments);
    let said = errors(&output);
    assert!(output.status.success(), "{said}");
    assert_eq!(model(&place), model(&undisturbed));
}

/// What is in a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The same with a file system that is really full. It is mounted where nobody else sees it, which not every machine
/// lets one do.
#[test]
fn a_run_on_a_full_file_system_goes_on_when_there_is_room() {
    let place = Place::new();
    fs::create_dir(place.path("full")).unwrap();
    let script = "mount -t tmpfs -o size=12m none full || exit 90
        \"$@\" 2> first; test $? = 1 || exit 91
        ls -A full > left
        mount -o remount,size=99m none full || exit 92
        \"$@\" 2> second || exit 93
        cp full/model.onnx .";
    let mut command = Command::new("unshare");
    command.args(["-U", "-r", "-m", "sh", "-c", script, "sh", common::AGON]);
    command.args(quick(&["--save-interval", "0", "--save-dir", "full"]));
    let output = command.current_dir(place.path("")).output();
    let status = output.as_ref().ok().and_then(|output| output.status.code());
    let read = |name: &str| fs::read_to_string(place.path(name)).unwrap_or_default();
    if !place.path("first").exists() {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED a run on a full file system: none can be mounted here"
        );
        return;
    }
    let (first, second) = (read("first"), read("second"));
    assert_eq!(status, Some(0), "{first}\n{second}");
    for word in ["full/", "No space left on device", "goes on from there"] {
        assert!(first.contains(word), "{word}: {first}");
    }
    assert_eq!(
        read("left"),
        "config.yaml\nlatest.checkpoint\nprevious.checkpoint\n"
    );
    let undisturbed = Place::new();
    assert!(undisturbed.run(&quick(&[])).status.success());
    assert_eq!(
        fs::read(place.path("model.onnx")).unwrap(),
        model(&undisturbed)
    );
}

fn python() -> Option<PathBuf> {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients-training/bin/python");
    let path = env::var_os("AGON_TRAINING_PYTHON").map_or(made, PathBuf::from);
    path.exists().then_some(path)
}

#[test]
fn the_fields_own_tools_read_the_run() {
    let Some(python) = python() else {
        let reason = "no Python environment with TensorBoard and ONNX; `.ci/run` makes one in target/clients-training";
        assert!(env::var_os("AGON_CLIENTS_REQUIRED").is_none(), "{reason}");
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED tests/clients/training.py: {reason}"
        );
        return;
    };
    // Ours with weights of 16 bits has its own resizing and attention in the graph.
    let ours = ["--model-type", "agon-small", "--precision", "f16"];
    let original = ["--model-type", "lightweight"];
    let runs = [
        (&[][..], "16", "3"),
        (&ours[..], "32", "1"),
        (&original[..], "32", "1"),
    ];
    for (more, side, epochs) in runs {
        let place = Place::new();
        let fixed = [
            "train",
            "tricorder",
            "--synthetic",
            "--synthetic-samples",
            "80",
            "--json",
        ];
        let size = ["--image-size", side, "--epochs", epochs];
        let _: Value = place.json(&[&fixed[..], &size, more].concat());
        read_by_others(&python, &place, side.parse().unwrap());
    }
}

/// What TensorBoard and ONNX's runtime make of a run.
fn read_by_others(python: &Path, place: &Place, side: usize) {
    let session = Session::load(model(place)).unwrap();
    for rows in [1_usize, 5] {
        let wave = |index: usize| (index as f32 * 0.37).sin() * 0.5 + 0.5;
        let image: Vec<f32> = (0..rows * 3 * side * side).map(wave).collect();
        let people = [[0.0, -1.0, -1.0], [50.0, 0.0, 7.0], [80.0, 1.0, 3.0]];
        let demographics: Vec<f32> = (0..rows).flat_map(|row| people[row % 3]).collect();
        let write = |name: &str, values: &[f32]| {
            let bytes: Vec<u8> = values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            fs::write(place.path(&format!("{name}-{rows}")), bytes).unwrap();
        };
        write("image", &image);
        write("demographics", &demographics);
        let tensor = |shape: Vec<usize>, data| Tensor { shape, data };
        let answers = session.run(&[
            tensor(vec![rows, 3, side, side], image),
            tensor(vec![rows, 3], demographics),
        ]);
        write("answers", &answers.unwrap().data);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/training.py");
    let output = Command::new(python)
        .arg(script)
        .args([
            place.path("checkpoints"),
            place.path("runs"),
            place.path(""),
        ])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", errors(&output));
}

//! `agon submit` from outside: a node, a Hub or a store, and the real binary.

use super::common::world::World;
use super::common::{Place, errors};
use super::hub::{Hub, TOKEN, digest};
use super::server::Answer;
use agon_arena::commitment::{Form, Statement};
use agon_arena::fetch::Fetch;
use agon_dataset::source::{Access, Patience};
use agon_dataset::store::{ArtefactStore, Cache, LocalStore};
use agon_model::architecture::{LesionClassifier, lesion_classifier};
use serde_json::Value;
use std::fs;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const REPOSITORY: &str = "someone/skin";

/// An untrained network: as good as any to be submitted.
pub fn model(seed: u64) -> Vec<u8> {
    let mut model = lesion_classifier(&LesionClassifier::small()).unwrap();
    agon_train::init::initialise(&mut model, seed).unwrap();
    model.strip_training();
    model.to_bytes()
}

/// A world with a model and the code it was made with.
pub fn world() -> World {
    let world = World::with_subnet();
    let code = world.place.path("code");
    fs::create_dir_all(world.place.path("models")).unwrap();
    fs::create_dir_all(&code).unwrap();
    fs::write(world.place.path("models/lesions.onnx"), model(1)).unwrap();
    fs::write(code.join("train.py"), "print('learning')").unwrap();
    fs::write(code.join(".env"), "HF_TOKEN=secret").unwrap();
    world
}

/// Runs the command with the Hub in its environment: status, document and what was said.
fn submit(world: &World, hub: &Hub, token: &str, flags: &str) -> (Option<i32>, Value, String) {
    let words = world.words(&format!("submit tricorder --netuid 1 {flags}"));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut command = world.place.command(&words);
    command.env("HF_ENDPOINT", hub.url());
    if !token.is_empty() {
        command.env("HF_TOKEN", token);
    }
    let output = command.output().unwrap();
    let said = errors(&output);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(!said.contains(TOKEN) && !printed.contains(TOKEN), "{said}");
    let told = match printed.is_empty() {
        true => Value::Null,
        false => serde_json::from_str(&printed).expect("one JSON document"),
    };
    (output.status.code(), told, said)
}

fn committed(world: &World) -> Value {
    let told = world.ok("commitment get --netuid 1");
    told["commitments"]
        .as_array()
        .unwrap()
        .first()
        .cloned()
        .unwrap_or(Value::Null)
}

const LOCAL: &str =
    "submit tricorder --netuid 1 --hf_model_filename lesions.onnx --code_directory code";

#[test]
fn a_model_goes_into_the_local_store_and_stays_the_same_when_it_is_done_again() {
    let world = world();
    let told = world.ok(LOCAL);
    let model = model(1);
    let sha = digest(&model);
    assert_eq!(told["accepted"], true, "{told}");
    let text = format!("local:lesions:tricorder:{sha}");
    assert_eq!(told["commitment"]["text"], text);
    assert_eq!(committed(&world)["text"], text);
    assert_eq!(committed(&world)["block"], told["commitment"]["block"]);
    let store = LocalStore::open(world.place.path(".agon/store")).unwrap();
    let hotkey = world.hotkey.to_string();
    let bytes = Statement::read(text.as_bytes(), &[Form::File])
        .unwrap()
        .digest()
        .unwrap();
    assert_eq!(store.get(&bytes.0, 1 << 30).unwrap(), model);
    let file = |name: &str| store.get_named(&hotkey, name, 1 << 20).unwrap().unwrap();
    let record: Value = serde_json::from_slice(&file("extrinsic_record.json")).unwrap();
    let (block, index) = (
        &told["commitment"]["block"],
        &told["commitment"]["extrinsic_index"],
    );
    assert_eq!(record["hotkey"], hotkey);
    assert_eq!(record["extrinsic"], format!("{block}-{index}"));
    let archive = zip::ZipArchive::new(std::io::Cursor::new(file("lesions.zip"))).unwrap();
    assert_eq!(archive.len(), 1);
    assert!(told["counts_after"].as_u64().unwrap() > 7200);

    let again = world.ok(LOCAL);
    assert_eq!(again["commitment"], told["commitment"]);
    let status = world.ok("submit tricorder --netuid 1 --action status");
    assert_eq!(status["commitment"], told["commitment"]);
    assert_eq!(status["accepted"], true, "{status}");
    // Another competition's validators do not want it.
    let other = "submit tricorder --netuid 1 --action status --competition_id other";
    let status = world.ok(other);
    assert_eq!(status["accepted"], false);
    assert!(
        status["reasons"][0]
            .as_str()
            .unwrap()
            .contains("not to \"other\""),
        "{status}"
    );
}

#[test]
fn two_phases_keep_their_place_and_go_on() {
    let world = world();
    let hub = Hub::new();
    let flags = format!(
        "--hf_repo_id {REPOSITORY} --model_path models/lesions.onnx --code_directory code --two_phases"
    );
    let (status, told, said) = submit(&world, &hub, TOKEN, &flags);
    assert_eq!(
        (status, &told["accepted"]),
        (Some(0), &true.into()),
        "{told}{said}"
    );
    let text = committed(&world)["text"].as_str().unwrap().to_owned();
    let Ok(Statement::Reveal(reveal)) = Statement::read(text.as_bytes(), &[Form::TwoPhase]) else {
        panic!("{text}")
    };
    assert!(
        said.contains(&format!("sealed in block {}", reveal.block)),
        "{said}"
    );
    assert!(reveal.block < told["commitment"]["block"].as_u64().unwrap());
    let sha = digest(&model(1));
    assert_eq!(
        hub.file(REPOSITORY, &format!("{sha}.onnx")).unwrap(),
        model(1)
    );
    assert!(!hub.is_private(REPOSITORY));
    // Again: neither sealed nor revealed anew.
    let (status, again, said) = submit(&world, &hub, TOKEN, &flags);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(again["commitment"], told["commitment"]);
    judged(&world, "empty", &hub_of(&hub), &sha);
    // Another model has another seal.
    fs::write(world.place.path("models/lesions.onnx"), model(2)).unwrap();
    let (status, _, said) = submit(&world, &hub, TOKEN, &flags);
    assert_eq!(status, Some(0), "{said}");
    let newer = committed(&world)["text"].as_str().unwrap().to_owned();
    let Ok(Statement::Reveal(newer)) = Statement::read(newer.as_bytes(), &[Form::TwoPhase]) else {
        panic!("{newer}")
    };
    assert!(newer.block > reveal.block && newer.salt != reveal.salt);
}

#[test]
fn killed_anywhere_it_goes_on_from_there() {
    let world = world();
    let kill_at = |flags: &str, line: &str| {
        let words = world.words(&format!("{LOCAL} {flags}"));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        world.place.kill_at(&words, line);
    };
    kill_at("--two_phases", "checking");
    kill_at("--two_phases", "is uploaded");
    assert_eq!(committed(&world), Value::Null);
    // Between the phases: the seal is not made anew, or its place would be lost.
    kill_at("--two_phases", "sealed in block");
    let sealed = committed(&world);
    let block = match sealed["text"]
        .as_str()
        .unwrap()
        .split(':')
        .collect::<Vec<_>>()[..]
    {
        ["seal", _] => sealed["block"].as_u64().unwrap(),
        // The reveal was faster than the signal.
        ["reveal", block, ..] => block.parse().unwrap(),
        _ => panic!("{sealed}"),
    };
    let told = world.ok(&format!("{LOCAL} --two_phases"));
    assert_eq!(told["accepted"], true, "{told}");
    let text = told["commitment"]["text"].as_str().unwrap();
    assert!(
        text.starts_with(&format!("reveal:{block}:")),
        "{text}, sealed in {block}"
    );
}

#[test]
fn mistakes_are_told_before_anything_is_sent() {
    let world = world();
    let mistake = |flags: &str| {
        let (status, _, said) = world.run(&format!("submit tricorder --netuid 1 {flags}"));
        assert_eq!(status, Some(2), "{flags}: {said}");
        said
    };
    let code = "--code_directory code";
    assert!(mistake("--hub local").contains("--model_path"));
    assert!(mistake("--hf_model_name lesions.onnx").contains("--code_directory"));
    assert!(mistake(&format!("--hf_model_name lesions.pt {code}")).contains(".onnx"));
    let wrong = mistake("--hf_model_name lesions.onnx --hf_code_filename code.zip");
    assert!(wrong.contains("lesions.zip"), "{wrong}");
    let long = format!("{}.onnx", "n".repeat(28));
    assert!(mistake(&format!("--hf_model_name {long} {code}")).contains("33 bytes"));
    let repository = format!("o/{}", "r".repeat(31));
    let said = mistake(&format!(
        "--hf_model_name m.onnx --hf_repo_id {repository} {code}"
    ));
    assert!(said.contains("33 bytes"), "{said}");
    assert!(mistake(&format!("--hf_model_name absent.onnx {code}")).contains("cannot read"));
    // What validators would refuse is refused here, with their reason.
    let whole = model(1);
    let broken = &whole[..whole.len() / 2];
    fs::write(world.place.path("models/broken.onnx"), broken).unwrap();
    let said = mistake(&format!("--hf_model_name broken.onnx {code}"));
    assert!(said.contains("would not score"), "{said}");
    let said = mistake("--action self-check --model_path models/broken.onnx");
    assert!(said.contains("would not score"), "{said}");
    assert_eq!(committed(&world), Value::Null);
    world.ok("submit tricorder --netuid 1 --action self-check --model_path models/lesions.onnx");
    // Nobody is registered by accident.
    let made = [
        "wallet",
        "new-hotkey",
        "--wallet.name",
        "owner",
        "--wallet.hotkey",
        "other",
    ];
    world.place.json(&[&made[..], &["--json"]].concat());
    let said = mistake(&format!(
        "--hf_model_name lesions.onnx {code} --wallet.hotkey other"
    ));
    assert!(said.contains("agon subnet register"), "{said}");
    // A dry run says what would be sent, and leaves nothing behind.
    let dry = world.ok(&format!("{LOCAL} --dry-run"));
    assert_eq!(dry["outcome"], "dry_run");
    assert_eq!(committed(&world), Value::Null);
    assert!(!world.place.path(".agon/store/named").exists());
}

#[test]
fn a_model_goes_to_the_hub_unseen_until_it_is_committed() {
    let world = world();
    let hub = Hub::new();
    let flags = format!(
        "--action submit --hf_repo_id {REPOSITORY} --hf_model_filename lesions.onnx --code_directory code --competition_id tricorder"
    );
    let (status, _, said) = submit(&world, &hub, "", &flags);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("HF_TOKEN"), "{said}");
    assert_eq!(committed(&world), Value::Null);

    let (status, told, said) = submit(&world, &hub, TOKEN, &flags);
    assert_eq!(
        (status, &told["accepted"]),
        (Some(0), &true.into()),
        "{told}{said}"
    );
    let sha = digest(&model(1));
    let text = format!("{REPOSITORY}:lesions:tricorder:{sha}");
    assert_eq!(committed(&world)["text"], text);
    assert_eq!(hub.file(REPOSITORY, "lesions.onnx").unwrap(), model(1));
    let card = String::from_utf8(hub.file(REPOSITORY, "README.md").unwrap()).unwrap();
    assert!(card.starts_with("---\nlicense: mit\n"), "{card}");
    assert!(hub.file(REPOSITORY, "lesions.zip").is_some());
    let record = |hub: &Hub| -> Value {
        let record = hub.file(REPOSITORY, "extrinsic_record.json").unwrap();
        serde_json::from_slice(&record).unwrap()
    };
    let (block, index) = (
        &told["commitment"]["block"],
        &told["commitment"]["extrinsic_index"],
    );
    assert_eq!(record(&hub)["extrinsic"], format!("{block}-{index}"));
    assert_eq!(record(&hub)["hotkey"], world.hotkey.to_string());
    // Made private, and shown once: after the record.
    assert!(!hub.is_private(REPOSITORY));
    let seen = hub.server.seen();
    let last = seen
        .iter()
        .rposition(|it| it.path.ends_with("/commit/main"));
    let shown = seen.iter().position(|it| it.path.ends_with("/settings"));
    assert!(shown > last && hub.asked("PUT", "/settings") == 1);

    // Again: nothing is sent, and nothing changes.
    let revisions = hub.revisions(REPOSITORY);
    let (status, again, said) = submit(&world, &hub, TOKEN, &flags);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(again["commitment"], told["commitment"]);
    assert_eq!(hub.revisions(REPOSITORY), revisions);
    assert_eq!(hub.asked("PUT", "/settings"), 1);

    // A better model takes its place; while it comes nobody sees it.
    fs::write(world.place.path("models/lesions.onnx"), model(2)).unwrap();
    let (status, better, said) = submit(&world, &hub, TOKEN, &flags);
    assert_eq!(status, Some(0), "{said}");
    assert_ne!(better["commitment"]["block"], told["commitment"]["block"]);
    assert_eq!(hub.file(REPOSITORY, "lesions.onnx").unwrap(), model(2));
    assert_eq!(hub.asked("PUT", "/settings"), 3);
    assert!(!hub.is_private(REPOSITORY));
    let block = &better["commitment"]["block"];
    let extrinsic = record(&hub)["extrinsic"].as_str().unwrap().to_owned();
    assert!(extrinsic.starts_with(&format!("{block}-")), "{extrinsic}");

    // What is committed is what a validator fetches.
    judged(&world, "empty", &hub_of(&hub), &digest(&model(2)));
    let text = committed(&world)["text"].as_str().unwrap().to_owned();
    let claim = Statement::read(text.as_bytes(), &[Form::File])
        .unwrap()
        .claim()
        .unwrap();
    let endpoint = |name: &str| (name == "HF_ENDPOINT").then(|| hub.url().to_owned());
    let access = Access::from_environment(&endpoint, None).unwrap();
    let store = Arc::new(LocalStore::open(world.place.path("empty")).unwrap());
    let cache = Cache::open(world.place.path("cache"), 1 << 30).unwrap();
    let fetch = Fetch::local(store).with_hub(&access, cache, Patience::default());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fetched = runtime.block_on(fetch.fetch(&world.hotkey, &claim, 1 << 30));
    assert_eq!(fetched.unwrap().unwrap().bytes, model(2));
}

/// The environment of a program that is to use this Hub.
fn hub_of(hub: &Hub) -> [(&'static str, String); 1] {
    [("HF_ENDPOINT", hub.url().to_owned())]
}

/// A validator with nothing but the chain, this store and this environment.
pub fn validate(world: &World, store: &str, environment: &[(&str, String)], flags: &str) -> Output {
    let command = format!(
        "validator tricorder --netuid 1 --data-dir synthetic_data --judging.sample 3 --store {store} {flags} \
        --neuron.disable_set_weights --logging.logging_dir neurons"
    );
    let words: Vec<String> = world.words(&command.split_whitespace().collect::<Vec<_>>().join(" "));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut command = world.place.command(&words);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.output().unwrap()
}

/// Such a validator scores this model.
pub fn judged(world: &World, store: &str, environment: &[(&str, String)], sha: &str) {
    world.sudo("tempo", "20");
    let images = [
        "data",
        "synthesize",
        "tricorder",
        "--num-samples",
        "30",
        "--json",
    ];
    world.place.json(&images);
    fs::create_dir_all(world.place.path("empty")).unwrap();
    let flags = "--models.cache_dir cache --rounds 1";
    let output = validate(world, store, environment, flags);
    assert!(output.status.success(), "{}", errors(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let board = [
        "board",
        "--ledger",
        told["ledger"].as_str().unwrap(),
        "--json",
    ];
    let board = world.place.json(&board);
    let row = &board["submissions"][0];
    assert_eq!(
        (&row["outcome"], &row["model"]),
        (&"scored".into(), &sha.into()),
        "{board:#}"
    );
}

#[test]
fn what_was_interrupted_is_gone_on_with() {
    let world = world();
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = is_broken.clone();
    // The record cannot be written: the second commit fails for as long as it is so.
    let hub = Hub::failing(move |request, before| {
        let fails = request.path.ends_with("/commit/main") && before > 0;
        let fails = fails && broken.load(Ordering::SeqCst);
        fails.then(|| Answer::new(500, "").with("retry-after", "0"))
    });
    let flags =
        format!("--hf_repo_id {REPOSITORY} --model_path models/lesions.onnx --code_directory code");
    let (status, _, said) = submit(&world, &hub, TOKEN, &flags);
    assert_eq!(status, Some(1), "{said}");
    assert!(hub.is_private(REPOSITORY));
    let block = committed(&world)["block"].clone();
    let (status, told, said) = submit(&world, &hub, TOKEN, "--action status");
    assert_eq!(status, Some(0), "{said}");
    let reasons = told["reasons"].to_string();
    assert!(
        reasons.contains("private") && reasons.contains("extrinsic_record.json"),
        "{reasons}"
    );
    is_broken.store(false, Ordering::SeqCst);
    let (status, told, said) = submit(&world, &hub, TOKEN, &flags);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(
        (&told["commitment"]["block"], &told["accepted"]),
        (&block, &true.into())
    );
}

#[test]
fn a_repository_under_another_licence_is_left_alone() {
    let world = world();
    let hub = Hub::new();
    hub.publish(
        REPOSITORY,
        &[("README.md", b"---\nlicense: limited\n---\n")],
    );
    let flags =
        format!("--hf_repo_id {REPOSITORY} --model_path models/lesions.onnx --code_directory code");
    let (status, _, said) = submit(&world, &hub, TOKEN, &flags);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("limited"), "{said}");
    assert_eq!(
        (hub.revisions(REPOSITORY), hub.is_private(REPOSITORY)),
        (1, false)
    );
    assert_eq!(committed(&world), Value::Null);
}

#[test]
fn a_store_that_cannot_be_is_refused_at_once() {
    let place = Place::new();
    let (store, reason) = match cfg!(feature = "s3") {
        true => ("s3://", "s3://bucket/prefix"),
        false => ("s3://models/skin", "--features s3"),
    };
    for command in [
        "submit tricorder --netuid 1",
        "miner healthcare --netuid 1",
        "validator tricorder --netuid 1",
        "validator healthcare --netuid 1",
        "validator rejudge",
    ] {
        let mut words: Vec<&str> = command.split(' ').collect();
        words.extend(["--store", store]);
        let said = place.mistake(&words);
        assert!(said.contains("--store") && said.contains(reason), "{said}");
    }
}

//! Released archives from outside: a configuration, archives of two competitions, models in time, too late and copied.

mod common;
#[path = "submit/hub.rs"]
mod hub;
#[path = "data/server.rs"]
mod server;

use agon_arena::commitment::{Form, Reveal, Seal};
use agon_arena::release::{Configuration, Offer, Origin, Reading, ReleaseError, Releases};
use agon_arena::roster::{self, Rules};
use agon_dataset::skin::synthetic::{Synthetic, generate};
use agon_dataset::skin::{self, Sex};
use agon_dataset::source::{Access, Patience};
use agon_dataset::store::{ArtefactStore, LocalStore};
use agon_model::Model;
use agon_model::architecture::{LesionClassifier, lesion_classifier};
use agon_model::digest::Digest;
use agon_neuron::Call;
use agon_train::init::initialise;
use common::Place;
use common::chain::{Chain, NETUID, key};
use hub::Hub;
use serde_json::Value;
use server::Answer;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};
use zip::write::SimpleFileOptions;

static GO_ON: AtomicBool = AtomicBool::new(false);

const WEIGHTS: &str = "- competition_id: tricorder-3\n  weight: 0.75\n- competition_id: tricorder-9\n  weight: 0.25\n";
const ORGANIZATIONS: &str = "- competition_id: tricorder-3\n  organization_id: clinic\n  dataset_hf_repo: clinic/tests\n  \
                             dataset_hf_dir: third/\n- competition_id: tricorder-9\n  org_id: clinic\n  \
                             dataset_hf_repo: clinic/tests\n  dataset_hf_dir: ninth/\n";

fn zipped(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = SimpleFileOptions::default();
        writer.start_file(name.as_str(), options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A test archive of generated images as the competition releases it, with three rows too many if it is a bad one.
fn archive(seed: u64, is_bad: bool) -> Vec<u8> {
    let place = tempfile::tempdir().unwrap();
    let synthetic = Synthetic {
        seed,
        images: 24,
        width: 40,
        height: 30,
    };
    generate(place.path(), &synthetic, &|_, _| {}).unwrap();
    let mut table = "NewFileName;Class;Age;Location;Gender\n".to_owned();
    let mut files = Vec::new();
    for (at, record) in skin::load(place.path()).unwrap().iter().enumerate() {
        let gender = match record.demographics.sex {
            Sex::Male => "m",
            _ => "f",
        };
        // One age is missing, which the original tolerates.
        let age = if at == 3 { "45.0" } else { "45" };
        table += &format!(
            "images/{at}.jpg;{};{age};torso;{gender}\n",
            record.class.code()
        );
        files.push((
            format!("batch/images/{at}.jpg"),
            fs::read(&record.path).unwrap(),
        ));
    }
    if is_bad {
        table += "images/bad.jpg;NV;45;torso;f\nimages/none.jpg;NV;45;torso;f\nimages/0.jpg;?;45;torso;f\n";
        files.push(("batch/images/bad.jpg".into(), b"no image".to_vec()));
    }
    files.push(("batch/labels.csv".into(), table.into_bytes()));
    zipped(&files)
}

fn network(seed: u64) -> Model {
    let network = LesionClassifier {
        image_size: 24,
        ..LesionClassifier::small()
    };
    let mut model = lesion_classifier(&network).unwrap();
    initialise(&mut model, seed).unwrap();
    model.strip_training();
    model
}

/// A network that says the same to everybody, whatever its other weights are.
fn constant(seed: u64) -> Model {
    let mut model = network(seed);
    let last = model
        .graph()
        .node
        .iter()
        .rfind(|node| node.op_type == "Gemm");
    let names = last.expect("a last layer").input[1..3].to_vec();
    for (at, name) in names.into_iter().enumerate() {
        let mut tensors = model.graph_mut().initializer.iter_mut();
        let tensor = tensors.find(|tensor| tensor.name == name).unwrap();
        let count = tensor.to_f32().unwrap().len();
        let mut values = vec![0.0; count];
        if at == 1 {
            values[8] = 3.0;
        }
        tensor.set_f32(&values).unwrap();
    }
    model
}

fn write(place: &Place, name: &str, bytes: impl AsRef<[u8]>) {
    let path = place.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn released(path: &Path, seconds: u64) {
    let file = File::options().write(true).open(path).unwrap();
    let when = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    file.set_modified(when).unwrap();
}

/// The chain's time in whole seconds.
async fn now(chain: &Chain) -> u64 {
    let state = chain.client.finalized().await.unwrap();
    state.time().await.unwrap().as_secs()
}

async fn wait_until(chain: &Chain, seconds: u64) {
    while now(chain).await < seconds {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Commits of miners before and after what is released; the seconds of the two releases.
async fn history(chain: &Chain, store: &Arc<LocalStore>) -> [u64; 2] {
    let commit = async |name: &str, competition: &str, model: &Model| {
        let bytes = model.to_bytes();
        let digest = Digest::of(&bytes);
        store.put(&bytes).unwrap();
        chain.commit(name, competition, store.clone(), digest).await;
    };
    commit("one", "tricorder-3", &constant(1)).await;
    commit("copier", "tricorder-3", &constant(2)).await;
    commit("again", "tricorder-3", &network(3)).await;
    commit("two", "tricorder-9", &network(4)).await;
    let release = now(chain).await + 1;
    wait_until(chain, release + 1).await;
    commit("again", "tricorder-3", &network(5)).await;
    commit("late", "tricorder-3", &network(6)).await;
    let other = now(chain).await;
    wait_until(chain, other + 1).await;
    [release, other]
}

fn line<'a>(board: &'a Value, hotkey: &str) -> &'a Value {
    let lines = board["submissions"].as_array().unwrap();
    let hotkey = key(hotkey).account().to_string();
    let found = lines.iter().find(|line| line["hotkey"] == hotkey.as_str());
    found.unwrap_or_else(|| panic!("{hotkey}: {board:#}"))
}

#[test]
fn two_competitions_are_judged_by_their_releases_and_paid_by_their_weights() {
    let place = Place::new();
    let regenerate = ["wallet", "regen-hotkey", "--wallet.name", "validator"];
    place.json(&[&regenerate[..], &["--uri", "//validator", "--json"]].concat());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let miners = ["one", "copier", "again", "two", "late"];
    let chain = runtime.block_on(Chain::new(&miners));
    let store = Arc::new(LocalStore::open(place.path("store")).unwrap());
    let [third, ninth] = runtime.block_on(history(&chain, &store));
    for (config, name, when, is_bad) in [
        ("config", "third/1.zip", third, false),
        ("config", "ninth/1.zip", ninth, false),
        ("bad", "ninth/1.zip", ninth, true),
    ] {
        write(
            &place,
            &format!("{config}/competition_weights.yml"),
            WEIGHTS,
        );
        write(
            &place,
            &format!("{config}/datasets/clinic.yaml"),
            ORGANIZATIONS,
        );
        let name = format!("{config}/clinic/tests/{name}");
        write(&place, &name, archive(when, is_bad));
        released(&place.path(&name), when);
    }
    let url = chain.url();
    let words = |name: &'static str, config: &'static str, rounds: &'static str| {
        let mut words =
            "validator tricorder --netuid 1 --wallet.name validator --store store --json \
                         --logging.logging_dir neurons --models_query_cutoff 0"
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>();
        for (flag, value) in [
            ("--subtensor.chain_endpoint", &*url),
            ("--archive_node_url", &*url),
            ("--neuron.name", name),
            ("--local_dataset_dir", config),
            ("--rounds", rounds),
        ] {
            words.extend([flag.to_owned(), value.to_owned()]);
        }
        words
    };
    let validate = |name, config, rounds, more: &[&str]| {
        let words = words(name, config, rounds);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        place.json(&[&words[..], more].concat())
    };
    // What was begun is gone on with.
    let begun = words("first", "config", "3");
    let begun: Vec<&str> = begun.iter().map(String::as_str).collect();
    place.kill_at(&begun, "round 1 begins");

    // One release a round, the oldest first; the third round finds nothing new.
    let told = validate("first", "config", "3", &[]);
    assert_eq!(told["rounds"], 3);
    let ledger = told["ledger"].as_str().unwrap();
    let board =
        |round: &str| place.json(&["board", "--ledger", ledger, "--round", round, "--json"]);
    let first = board("1");
    assert_eq!(
        first["submissions"].as_array().unwrap().len(),
        4,
        "{first:#}"
    );
    let late = line(&first, "late");
    assert_eq!(late["outcome"], "refused");
    let reason = late["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("too late: committed in block"),
        "{reason}"
    );
    assert!(
        reason.ends_with("the hotkey had committed nothing"),
        "{reason}"
    );
    // The copy is paid nothing; the pioneer keeps its score.
    let reason = line(&first, "copier")["reason"].as_str().unwrap();
    assert!(
        reason.contains("a model of the same fingerprint earlier"),
        "{reason}"
    );
    assert_eq!(line(&first, "one")["outcome"], "scored");
    // Who committed again after the release takes part with what stood there before.
    let again = line(&first, "again");
    let digest = Digest::of(&network(3).to_bytes()).to_string();
    assert_eq!(again["model"], digest.as_str(), "{again:#}");

    let last = board("3");
    assert_eq!(line(&last, "two")["competition"], "tricorder-9");
    assert_eq!(line(&last, "two")["round"], 2);
    let weight = |name: &str| line(&last, name)["weight"].as_u64().unwrap();
    let mut paid = [weight("one"), weight("again"), weight("two")];
    paid.sort_unstable();
    // 0.75 of 0.50 and of 0.17, and 0.25 of 0.50.
    let share = |share: f64| (65535.0 * share / 0.375f64).round() as u64;
    assert_eq!(paid, [share(0.125), share(0.1275), 65535]);
    assert_eq!(weight("two"), share(0.125));
    assert_eq!((weight("copier"), weight("late")), (0, 0));

    // All of it can be made again and handed on.
    place.json(&["ledger", "replay", "--ledger", ledger, "--json"]);
    let judging = ["--store", "store", "--round", "1", "--json"];
    let told = place.json(&[&["validator", "rejudge", "--ledger", ledger], &judging[..]].concat());
    let models = told["models"].as_array().unwrap();
    let agrees = |model: &Value| model["agrees"] == true;
    assert!(models.len() == 3 && models.iter().all(agrees), "{told:#}");
    // The last round has judged nobody.
    let said = place.mistake(&[
        "validator",
        "rejudge",
        "--ledger",
        ledger,
        "--store",
        "store",
    ]);
    assert!(said.contains("nothing new was released"), "{said}");
    let export = |ledger: &str, output: &str| {
        let export = ["ledger", "export", "--ledger", ledger, "--output", output];
        place.json(&[&export[..], &["--json"]].concat())["sha256"].clone()
    };
    let digest = export(ledger, "past.jsonl");
    let joins = ["--snapshot", "past.jsonl"];
    // It knows from there what was judged, so its own round finds nothing new either.
    let other = validate("second", "config", "4", &joins);
    let other = other["ledger"].as_str().unwrap();
    let compared = place.json(&["ledger", "compare", ledger, other, "--json"]);
    assert_eq!(
        (&compared["rounds"], &compared["disagreement"]),
        (&3.into(), &Value::Null)
    );
    let fourth = place.json(&["board", "--ledger", other, "--json"]);
    for name in miners {
        assert_eq!(
            line(&fourth, name)["weight"],
            line(&last, name)["weight"],
            "{name}"
        );
    }
    let third = validate("third", "config", "3", &joins);
    assert_eq!(
        export(third["ledger"].as_str().unwrap(), "again.jsonl"),
        digest
    );
}

/// The node keeps the states of a few blocks only, as most do; times are in the blocks themselves.
#[tokio::test]
async fn without_old_states_the_reason_is_told() {
    let window = std::num::NonZeroU32::new(16);
    let chain = Chain::keeping(window, &["again", "first", "sealed"]).await;
    let place = tempfile::tempdir().unwrap();
    let store = Arc::new(LocalStore::open(place.path()).unwrap());
    let commit = |name, of: &'static [u8]| chain.commit(name, "c", store.clone(), Digest::of(of));
    commit("again", b"one").await;
    commit("first", b"two").await;
    let (sealed, digest, salt) = (key("sealed").account(), Digest::of(b"four"), [7; 12]);
    let say = async |text: String| {
        let call = Call::set_commitment(NETUID, text.as_bytes()).unwrap();
        chain.send(call, "sealed").await;
    };
    say(Seal::new(digest, &sealed, &salt, "c").to_string()).await;
    let state = chain.client.finalized().await.unwrap();
    let (last, time) = (state.number(), state.time().await.unwrap());
    let state = chain.client.wait_for_block(last + 20).await.unwrap();
    commit("again", b"three").await;
    let seal = state.commitments(NETUID).await.unwrap();
    let seal = seal.iter().find(|it| it.hotkey == sealed).unwrap().block;
    assert!(seal <= last);
    let reveal = Reveal {
        block: seal,
        digest,
        salt,
        repository: "local".into(),
    };
    say(reveal.to_string()).await;
    let state = chain
        .client
        .wait_for_block(state.number() + 20)
        .await
        .unwrap();

    assert_eq!(state.time_of(last).await.unwrap(), Some(time));
    assert_eq!(state.last_block_at(time).await.unwrap(), last);
    let before = time - Duration::from_millis(1);
    assert_eq!(state.last_block_at(before).await.unwrap(), last - 1);
    let now = state.time().await.unwrap();
    assert_eq!(state.last_block_at(now).await.unwrap(), state.number());
    assert_eq!(state.last_block_at(Duration::ZERO).await.unwrap(), 0);
    let later = now + Duration::from_secs(60);
    assert_eq!(state.last_block_at(later).await.unwrap(), state.number());

    let rules = Rules {
        competition: "c",
        others: &[],
        forms: &[Form::File, Form::TwoPhase],
        stake_limit: None,
    };
    // In time, as it stands there, the reveal counts with its seal's place.
    let now = state.number();
    let read = roster::read_until(&state, NETUID, rules, now, &chain.client);
    let entries = read.await.unwrap();
    assert!(
        entries.iter().all(|entry| entry.claim.is_ok()),
        "{entries:?}"
    );
    assert!(
        entries
            .iter()
            .any(|it| it.hotkey == sealed && it.block == seal)
    );

    let read = roster::read_until(&state, NETUID, rules, last, &chain.client);
    let entries = read.await.unwrap();
    let [first, again, revealed] = &entries[..] else {
        panic!("{entries:?}");
    };
    assert_eq!(first.hotkey, key("first").account());
    assert!(first.claim.is_ok() && first.block <= last);
    let refused = again.claim.as_ref().unwrap_err();
    assert_eq!(refused.artefact, Some(Digest::of(b"three")));
    let told = format!("keeps no state of block {last}");
    assert!(refused.reason.contains(&told), "{}", refused.reason);
    // A seal in time is not enough: of several the best could be revealed when the data are known.
    let refused = revealed.claim.as_ref().unwrap_err();
    assert_eq!((revealed.hotkey, refused.artefact), (sealed, Some(digest)));
    assert!(refused.reason.starts_with("too late"), "{}", refused.reason);
}

#[test]
fn what_is_typed_wrong_is_told() {
    let place = Place::new();
    let validate = ["validator", "tricorder", "--netuid", "1", "--store", "."];
    let with = |more: &[&str]| place.mistake(&[&validate[..], more].concat());
    let said = with(&["--local_dataset_dir", "a", "--data-dir", "b"]);
    assert!(said.contains("cannot be used with"), "{said}");
    let said = with(&["--archive_node_fallback_url", "ws://127.0.0.1:1"]);
    assert!(said.contains("--archive_node_url"), "{said}");
}

fn access(hub: &Hub) -> Access {
    let variable = |name: &str| (name == "HF_ENDPOINT").then(|| hub.url().to_owned());
    Access::from_environment(&variable, None).unwrap()
}

fn releases(hub: &Hub, kept: &Path) -> Releases {
    Releases {
        origin: Origin::Hub {
            repository: "clinic/configuration".into(),
            access: Box::new(access(hub)),
            patience: Patience {
                attempts: 2,
                pause: Duration::from_millis(1),
            },
        },
        kept: kept.to_owned(),
        only: Vec::new(),
        read: Box::new(|directory, _| {
            let files = fs::read_dir(directory)?.count();
            Ok(Reading::cancelled(files, "read".into()))
        }),
    }
}

fn published(hub: &Hub) {
    hub.publish(
        "spaces/clinic/configuration",
        &[
            ("competition_weights.yml", WEIGHTS.as_bytes()),
            ("datasets/clinic.yaml", ORGANIZATIONS.as_bytes()),
            (
                "datasets/gone.yaml",
                b"- {competition_id: tricorder-3, organization_id: x, dataset_hf_repo: no/such}",
            ),
            ("datasets/broken.yaml", b"["),
            ("README.md", b"x"),
        ],
    );
    let big: Vec<u8> = zipped(&[(
        "a".into(),
        (0..200_000u32).map(|n| (n % 251) as u8).collect(),
    )]);
    let small = zipped(&[("a".into(), vec![1]), ("b".into(), vec![2])]);
    let tests = "datasets/clinic/tests";
    hub.publish(
        tests,
        &[
            ("third/1.zip", &small),
            ("third/2.zip", &big),
            ("third/notes.txt", b"x"),
            ("ninth/1.zip", b"no archive"),
        ],
    );
    hub.date(tests, "third/1.zip", "2026-01-20T14:20:29.000Z");
    hub.date(tests, "third/2.zip", "2026-01-21T00:00:00.000Z");
    hub.date(tests, "ninth/1.zip", "2026-01-20T00:00:00.000Z");
}

#[test]
fn a_configuration_on_the_hub_says_what_is_released() {
    let hub = Hub::new();
    published(&hub);
    let place = tempfile::tempdir().unwrap();
    let releases = releases(&hub, place.path());
    let configuration = releases.configuration(&GO_ON).unwrap();
    let expected = [
        ("tricorder-3".to_owned(), 0.75),
        ("tricorder-9".to_owned(), 0.25),
    ];
    assert_eq!(configuration.weights, expected.into());
    let told = |offer: &Offer| (offer.file.clone(), offer.released);
    let offers: Vec<_> = configuration.offers.iter().map(told).collect();
    let file = |name: &str, when| (format!("clinic/tests/{name}"), when);
    assert_eq!(
        offers,
        [
            file("third/1.zip", 1_768_918_829),
            file("third/2.zip", 1_768_953_600),
            file("ninth/1.zip", 1_768_867_200)
        ]
    );
    assert_eq!(
        configuration.problems.len(),
        2,
        "{:?}",
        configuration.problems
    );

    // What is no archive cancels; a small and a large one come whole and lie under their digests.
    let bring = |at: usize| {
        releases
            .bring(&configuration.offers[at], &|_, _| {}, &GO_ON)
            .unwrap()
    };
    let reason = |it: agon_arena::release::Brought| it.reading.competition.err().unwrap();
    let brought = bring(2);
    assert_eq!(brought.digest, Some(Digest::of(b"no archive")));
    assert!(reason(brought).contains("no zip archive"));
    let brought = bring(0);
    assert_eq!(brought.reading.dropped, 2);
    let directory = place.path().join(brought.digest.unwrap().to_string());
    assert_eq!(fs::read(directory.join("b")).unwrap(), [2]);
    assert_eq!(reason(brought), "read");
    let brought = bring(1);
    assert_eq!(brought.reading.dropped, 1);
}

#[test]
fn a_hub_that_fails_is_waited_for() {
    let hub = Hub::failing(|request, _| {
        (request.path.contains("clinic/tests/resolve")).then(|| Answer::new(500, ""))
    });
    published(&hub);
    let place = tempfile::tempdir().unwrap();
    let releases = releases(&hub, place.path());
    let configuration = releases.configuration(&GO_ON).unwrap();
    let error = releases
        .bring(&configuration.offers[0], &|_, _| {}, &GO_ON)
        .err()
        .unwrap();
    assert!(matches!(error, ReleaseError::Unavailable(_)), "{error}");
    let silent = Hub::failing(|_, _| Some(Answer::new(503, "")));
    let origin = Origin::Hub {
        repository: "clinic/configuration".into(),
        access: Box::new(access(&silent)),
        patience: Patience {
            attempts: 2,
            pause: Duration::from_millis(1),
        },
    };
    let error = Configuration::read(&origin, &[], &GO_ON).err().unwrap();
    assert!(matches!(error, ReleaseError::Unavailable(_)), "{error}");
}

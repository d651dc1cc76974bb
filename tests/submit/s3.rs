//! A bucket as a store: as a library, as the source of a validator's models, and from outside.

use super::bucket::{Bucket, KEY, NAME, SECRET, TOKEN, is_transfer, object, refusal};
use super::command::{judged, model, validate, world};
use super::common::errors;
use super::hub::digest;
use super::server::{Answer, Request};
use agon_arena::commitment::{Claim, Form, Statement};
use agon_arena::fetch::{Fetch, FetchError, Model};
use agon_arena::ledger::Outcome;
use agon_dataset::source::{Patience, SourceError};
use agon_dataset::store::{ArtefactStore, Cache, S3Store, StoreError};
use agon_keys::AccountId;
use agon_model::digest::Digest;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const PATIENCE: Patience = Patience {
    attempts: 3,
    pause: Duration::from_millis(1),
};
const LIMIT: u64 = 100_000;

fn bytes(seed: u8) -> Vec<u8> {
    (0..LIMIT).map(|n| (n >> 3) as u8 ^ seed).collect()
}

/// Where an artefact lies below the prefix that the tests use.
fn key(bytes: &[u8]) -> String {
    let digest = digest(bytes);
    format!("skin/2026/{}/{digest}", &digest[..2])
}

/// The store with this environment, and `changes` to it; an empty value is an absent one.
fn open(bucket: &Bucket, changes: &[(&'static str, &str)], cache: Option<Cache>) -> S3Store {
    let mut variables: BTreeMap<_, _> = bucket.environment().into_iter().collect();
    variables.extend(
        changes
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned())),
    );
    let place = format!("{NAME}/skin/2026").parse().unwrap();
    let variable = |name: &str| variables.get(name).cloned();
    S3Store::open(&place, &variable, PATIENCE, cache).unwrap()
}

/// Nobody in particular.
const ANYBODY: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", ""),
    ("AWS_SECRET_ACCESS_KEY", ""),
    ("AWS_SESSION_TOKEN", ""),
];

fn sha(bytes: &[u8]) -> [u8; 32] {
    Digest::of(bytes).0
}

#[test]
fn a_bucket_keeps_what_a_directory_keeps() {
    let bucket = Bucket::new();
    let store = open(&bucket, &[], None);
    let model = bytes(1);
    assert!(!store.contains(&sha(&model)).unwrap());
    assert!(matches!(
        store.get(&sha(&model), LIMIT),
        Err(StoreError::Missing { .. })
    ));
    assert_eq!(store.put(&model).unwrap(), sha(&model));
    assert_eq!(bucket.keys(), [key(&model)]);
    assert!(store.contains(&sha(&model)).unwrap());
    assert_eq!(store.get(&sha(&model), LIMIT).unwrap(), model);
    // What is there is not sent again.
    store.put(&model).unwrap();
    assert_eq!(bucket.asked("PUT"), 1);
    // One that is too large is known by its size alone.
    let before = bucket.server.seen().len();
    let error = store.get(&sha(&model), LIMIT - 1).unwrap_err();
    assert!(
        matches!(error, StoreError::TooLarge { size: LIMIT, .. }),
        "{error}"
    );
    assert!(!bucket.server.seen()[before..].iter().any(is_transfer));
    // Damage is noticed, and mended by putting it again.
    for damaged in [&model[1..], b""] {
        bucket.place(&key(&model), damaged);
        let error = store.get(&sha(&model), LIMIT).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        assert!(
            error.to_string().contains("s3://models/skin/2026/"),
            "{error}"
        );
        store.put(&model).unwrap();
        assert_eq!(store.get(&sha(&model), LIMIT).unwrap(), model);
    }

    assert_eq!(store.get_named("a", "b.json", 9).unwrap(), None);
    assert!(!store.has_named("a", "b.json").unwrap());
    store.put_named("a", "b.json", b"old").unwrap();
    store.put_named("a", "b.json", b"new").unwrap();
    assert_eq!(store.get_named("a", "b.json", 9).unwrap().unwrap(), b"new");
    assert_eq!(bucket.object("skin/2026/named/a/b.json").unwrap(), b"new");
    assert!(store.has_named("a", "b.json").unwrap());
    let error = store.get_named("a", "b.json", 2).unwrap_err();
    assert!(
        matches!(error, StoreError::TooLarge { size: 3, .. }),
        "{error}"
    );
    for (folder, name) in [("..", "x"), ("a", "../x"), ("", "x"), ("a", "")] {
        assert!(store.put_named(folder, name, b"x").is_err());
    }
}

#[test]
fn who_may_not_is_told_what_to_do_and_no_secret() {
    let bucket = Bucket::new();
    let model = bytes(2);
    open(&bucket, &[], None).put(&model).unwrap();
    // A stranger sees nothing, and then everything, and may never write.
    let anybody = open(&bucket, &ANYBODY, None);
    assert!(matches!(
        anybody.get(&sha(&model), LIMIT),
        Err(StoreError::Hidden { .. })
    ));
    bucket.show();
    assert_eq!(anybody.get(&sha(&model), LIMIT).unwrap(), model);
    let StoreError::Source(error) = anybody.put(b"x").unwrap_err() else {
        panic!("who may not write is told so")
    };
    assert!(
        error.is_users() && error.to_string().contains("AWS_SECRET_ACCESS_KEY"),
        "{error}"
    );

    // Credentials that are none are their owner's to mend, and nothing against what was asked for.
    let wrong = [
        ("AWS_ACCESS_KEY_ID", "AKIAOFNOBODY", "InvalidAccessKeyId"),
        (
            "AWS_SECRET_ACCESS_KEY",
            "wrong-secret",
            "SignatureDoesNotMatch",
        ),
        ("AWS_SESSION_TOKEN", "", "InvalidToken"),
    ];
    for (name, value, code) in wrong {
        let store = open(&bucket, &[(name, value)], None);
        let error = store.get(&sha(&model), LIMIT).unwrap_err();
        let told = error.to_string();
        assert!(told.contains(code) && told.contains("AWS_REGION"), "{told}");
        assert!(
            matches!(&error, StoreError::Source(error) if error.is_users()),
            "{told}"
        );
        for hidden in [KEY, SECRET, TOKEN, "AKIAOFNOBODY", "wrong-secret", "X-Amz"] {
            assert!(
                !format!("{told} {error:?} {store:?}").contains(hidden),
                "{told}"
            );
        }
    }
    let late = |_: &Request, _| {
        let body = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
        Some(Answer::new(403, body))
    };
    let told = open(&Bucket::failing(late), &[], None)
        .contains(&sha(&model))
        .unwrap_err();
    assert!(told.to_string().contains("the clock"), "{told}");
    let elsewhere = |_: &Request, _| {
        let answer = refusal(301, "PermanentRedirect");
        Some(answer.with("x-amz-bucket-region", "eu-west-3"))
    };
    let told = open(&Bucket::failing(elsewhere), &[], None)
        .put(&model)
        .unwrap_err();
    assert!(told.to_string().contains("AWS_REGION=eu-west-3"), "{told}");
    let gone = Bucket::failing(|_, _| Some(refusal(404, "NoSuchBucket")));
    let told = open(&gone, &[], None).contains(&sha(&model)).unwrap_err();
    assert!(told.to_string().contains("no bucket models"), "{told}");
    // Who may write and not read can publish all the same.
    let blind = Bucket::failing(|request, _| {
        (request.method == "GET").then(|| refusal(403, "AccessDenied"))
    });
    open(&blind, &[], None).put(&model).unwrap();
    assert_eq!(blind.object(&key(&model)).unwrap(), model);
}

#[test]
fn passing_trouble_passes() {
    let statuses = [500, 503];
    let bucket = Bucket::failing(move |_, before| {
        let status = statuses.get(before)?;
        Some(Answer::new(*status, "").with("retry-after", "0"))
    });
    let store = open(&bucket, &[], None);
    let model = bytes(3);
    store.put(&model).unwrap();
    assert_eq!(store.get(&sha(&model), LIMIT).unwrap(), model);
    assert_eq!(bucket.asked("PUT"), 3);
    let broken = Bucket::failing(|_, _| Some(refusal(503, "SlowDown").with("retry-after", "0")));
    let error = open(&broken, &[], None).put(&model).unwrap_err();
    let StoreError::Source(SourceError::Transfer { reason, .. }) = error else {
        panic!("{error}")
    };
    assert!(reason.contains("3 attempts"), "{reason}");
}

/// What a validator has: a cache, and a way to the bucket.
fn fetcher(bucket: &Bucket, place: &Path, changes: &[(&'static str, &str)]) -> Fetch {
    let cache = Cache::open(place.join("cache"), 1 << 20).unwrap();
    Fetch::local(Arc::new(open(bucket, changes, Some(cache))))
}

fn claim(model: &[u8]) -> Claim {
    let text = format!("local:model:c:{}", Digest::of(model));
    let statement = Statement::read(text.as_bytes(), &[Form::File]).unwrap();
    statement.claim().unwrap()
}

/// The model, or the outcome and the reason.
async fn get(fetch: &Fetch, model: &[u8], limit: u64) -> Result<Vec<u8>, (Outcome, String)> {
    let (hotkey, claim) = (AccountId::from([7; 32]), claim(model));
    let fetched = fetch.fetch(&hotkey, &claim, limit).await.unwrap();
    fetched
        .map(|Model { bytes, .. }| bytes)
        .map_err(|it| (it.judgement.outcome, it.judgement.reason.unwrap()))
}

/// Why it cannot be known.
async fn unknown(fetch: &Fetch, model: &[u8]) -> FetchError {
    let (hotkey, claim) = (AccountId::from([7; 32]), claim(model));
    fetch.fetch(&hotkey, &claim, LIMIT).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_fetched_once_and_kept() {
    let bucket = Bucket::new();
    let place = tempfile::tempdir().unwrap();
    let model = bytes(4);
    bucket.place(&key(&model), &model);
    let fetch = fetcher(&bucket, place.path(), &[]);
    assert_eq!(get(&fetch, &model, LIMIT).await.unwrap(), model);
    let asked = bucket.server.seen().len();
    // Nor does another process with the same cache ask anybody.
    for fetch in [&fetch, &fetcher(&bucket, place.path(), &[])] {
        assert_eq!(get(fetch, &model, LIMIT).await.unwrap(), model);
        let kept = fetch.kept(Digest::of(&model), LIMIT).await.unwrap();
        assert_eq!(kept.unwrap().bytes, model);
    }
    assert_eq!(bucket.server.seen().len(), asked);
    let (outcome, reason) = get(&fetch, &model, LIMIT - 1).await.unwrap_err();
    assert_eq!(outcome, Outcome::TooLarge, "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_submission_is_its_outcome() {
    let bucket = Bucket::new();
    let place = tempfile::tempdir().unwrap();
    let model = bytes(5);
    let fetch = fetcher(&bucket, place.path(), &[]);
    let (outcome, reason) = get(&fetch, &model, LIMIT).await.unwrap_err();
    assert_eq!(outcome, Outcome::Refused);
    assert!(reason.contains("no file of this digest"), "{reason}");
    bucket.place(&key(&model), b"something else");
    let (outcome, reason) = get(&fetch, &model, LIMIT).await.unwrap_err();
    assert_eq!(outcome, Outcome::Refused);
    assert!(
        reason.contains("not the one that was committed"),
        "{reason}"
    );
    bucket.place(&key(&model), &model);
    let (outcome, reason) = get(&fetch, &model, LIMIT / 2).await.unwrap_err();
    assert_eq!(outcome, Outcome::TooLarge);
    assert!(reason.contains("100000 bytes"), "{reason}");
    let (outcome, reason) = get(&fetcher(&bucket, place.path(), &ANYBODY), &model, LIMIT)
        .await
        .unwrap_err();
    assert_eq!(outcome, Outcome::Refused);
    assert!(reason.contains("does not show"), "{reason}");
    let forbidden = Bucket::failing(|_, _| Some(refusal(403, "AccessDenied")));
    let fetch = fetcher(&forbidden, place.path(), &[]);
    let (outcome, _) = get(&fetch, &model, LIMIT).await.unwrap_err();
    assert_eq!(outcome, Outcome::Refused);
    // A server that says nothing of sizes is cut.
    let endless = Bucket::failing(|_, _| Some(Answer::new(200, vec![0; 10_000]).endless()));
    let fetch = fetcher(&endless, place.path(), &[]);
    let (outcome, reason) = get(&fetch, &model, LIMIT).await.unwrap_err();
    assert_eq!(outcome, Outcome::TooLarge, "{reason}");
    let left = std::fs::read_dir(place.path().join("cache/partial")).unwrap();
    let left: Vec<_> = left.map(|it| it.unwrap().file_name()).collect();
    let is_small = |name: &std::ffi::OsString| {
        let name = name.to_string_lossy();
        name.ends_with(".lock") || name.ends_with(".part.json")
    };
    assert!(left.iter().all(is_small), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_transfer_goes_on_where_it_ended() {
    let model = bytes(6);
    let content = model.clone();
    let bucket = Bucket::failing(move |request, before| {
        let breaks = is_transfer(request) && before < 2;
        breaks.then(|| object(request, &content).breaking_after(30_000))
    });
    let place = tempfile::tempdir().unwrap();
    bucket.place(&key(&model), &model);
    let fetch = fetcher(&bucket, place.path(), &[]);
    assert_eq!(get(&fetch, &model, LIMIT).await.unwrap(), model);
    let seen = bucket.server.seen();
    let transfers = seen.iter().filter(|it| is_transfer(it));
    let ranges: Vec<_> = transfers.map(Request::range).collect();
    assert_eq!(ranges, [None, Some(30_000), Some(60_000)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_fails_is_nobodys_fault() {
    let is_away = Arc::new(AtomicBool::new(true));
    let away = is_away.clone();
    let bucket = Bucket::failing(move |_, _| {
        let fails = away.load(Ordering::SeqCst);
        fails.then(|| refusal(503, "SlowDown").with("retry-after", "0"))
    });
    let place = tempfile::tempdir().unwrap();
    let model = bytes(7);
    bucket.place(&key(&model), &model);
    let fetch = fetcher(&bucket, place.path(), &[]);
    let error = unknown(&fetch, &model).await;
    assert!(matches!(error, FetchError::Unavailable(_)), "{error}");
    is_away.store(false, Ordering::SeqCst);
    assert_eq!(get(&fetch, &model, LIMIT).await.unwrap(), model);

    // One that is not there at all, and one that breaks off whatever is asked.
    let other = tempfile::tempdir().unwrap();
    let nobody = [("AWS_ENDPOINT_URL", "http://127.0.0.1:9")];
    let broken = Bucket::failing(|request, _| Some(object(request, b"x").breaking_after(0)));
    for fetch in [
        fetcher(&bucket, other.path(), &nobody),
        fetcher(&broken, other.path(), &[]),
    ] {
        let error = unknown(&fetch, &model).await;
        assert!(matches!(error, FetchError::Unavailable(_)), "{error}");
    }
    // What the validator's owner has to mend is no miner's fault either.
    let wrong = [("AWS_SECRET_ACCESS_KEY", "another")];
    let error = unknown(&fetcher(&bucket, other.path(), &wrong), &model).await;
    assert!(matches!(error, FetchError::Source(_)), "{error}");
}

#[test]
fn a_model_goes_through_a_bucket_from_miner_to_validator() {
    let world = world();
    let bucket = Bucket::new();
    let store = format!("s3://{NAME}/skin/2026");
    let submit = |variables: &[(&str, String)], flags: &str| {
        let command = format!("submit tricorder --netuid 1 --store {store} {flags}");
        let words = world.words(&command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut command = world.place.command(&words);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let output = command.output().unwrap();
        let said = errors(&output);
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        for hidden in [KEY, SECRET, TOKEN] {
            assert!(
                !said.contains(hidden) && !told.contains(hidden),
                "{said}{told}"
            );
        }
        let told: Value = serde_json::from_str(&told).unwrap_or_default();
        (output.status.code(), told, said)
    };
    let flags = "--hf_model_filename lesions.onnx --code_directory code";
    let environment = bucket.environment();
    let endpoint: Vec<_> = environment
        .iter()
        .filter(|it| it.0 == "AWS_ENDPOINT_URL")
        .cloned()
        .collect();
    // Whoever may not write there is told so, and nothing is committed.
    let (status, _, said) = submit(&endpoint, flags);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("AWS_SECRET_ACCESS_KEY"), "{said}");

    let (status, told, said) = submit(&environment, flags);
    assert_eq!(
        (status, &told["accepted"]),
        (Some(0), &true.into()),
        "{told}{said}"
    );
    let (model, hotkey) = (model(1), world.hotkey);
    let sha = digest(&model);
    assert_eq!(
        told["commitment"]["text"],
        format!("local:lesions:tricorder:{sha}")
    );
    assert_eq!(bucket.object(&key(&model)).unwrap(), model);
    let named = |name: &str| bucket.object(&format!("skin/2026/named/{hotkey}/{name}"));
    assert!(named("lesions.zip").is_some() && named("README.md").is_some());
    let record: Value = serde_json::from_slice(&named("extrinsic_record.json").unwrap()).unwrap();
    assert_eq!(record["hotkey"], hotkey.to_string());
    // Again: the model is not sent again, and the commitment stays.
    let puts = || {
        let seen = bucket.server.seen();
        let is_put = |it: &&Request| it.method == "PUT" && it.path.contains(&key(&model));
        seen.iter().filter(is_put).count()
    };
    let before = puts();
    let (status, again, said) = submit(&environment, flags);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(again["commitment"], told["commitment"]);
    assert_eq!(puts(), before);

    // A validator that may only read what is public has nothing else.
    bucket.show();
    judged(&world, &store, &endpoint, &sha);
    let transfers = || {
        let seen = bucket.server.seen();
        let is_model = |it: &&Request| is_transfer(it) && it.path.contains(&sha);
        seen.iter().filter(is_model).count()
    };
    assert_eq!(transfers(), 1);
    // The next round costs no transfer.
    let flags = "--models.cache_dir cache --rounds 2";
    let output = validate(&world, &store, &endpoint, flags);
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(transfers(), 1);
    // Whose credentials are none judges nobody.
    let wrong: Vec<_> = environment
        .iter()
        .map(|(name, value)| match *name {
            "AWS_SECRET_ACCESS_KEY" => (*name, "another".to_owned()),
            name => (name, value.clone()),
        })
        .collect();
    let flags = "--models.cache_dir other --rounds 3";
    let output = validate(&world, &store, &wrong, flags);
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("SignatureDoesNotMatch") && !said.contains(KEY),
        "{said}"
    );
}

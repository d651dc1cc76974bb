//! Filling a repository of the Hub and fetching from it, as a library.

use super::hub::{Hub, TOKEN, digest};
use super::server::{Answer, Request};
use agon_arena::commitment::{Form, Statement};
use agon_arena::fetch::{Fetch, FetchError, Model};
use agon_arena::ledger::Outcome;
use agon_dataset::source::{Access, Patience, Repository, SourceError, Upload};
use agon_dataset::store::{ArtefactStore, Cache, LocalStore};
use agon_keys::AccountId;
use agon_model::digest::Digest;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

const NAME: &str = "someone/skin";
static GO_ON: AtomicBool = AtomicBool::new(false);
const PATIENCE: Patience = Patience {
    attempts: 3,
    pause: Duration::from_millis(1),
};

/// Bytes that are a large file to the Hub.
fn large(seed: u8) -> Vec<u8> {
    (0..100_000u32).map(|n| (n >> 3) as u8 ^ seed).collect()
}

fn access(hub: &Hub, token: Option<&str>) -> Access {
    let variable = |name: &str| match name {
        "HF_ENDPOINT" => Some(hub.url().to_owned()),
        "HF_TOKEN" => token.map(str::to_owned),
        _ => None,
    };
    Access::from_environment(&variable, None).unwrap()
}

fn fill(access: &Access) -> Repository<'_> {
    Repository::new(NAME, access, PATIENCE, &GO_ON).unwrap()
}

fn files<'a>(model: &'a [u8], card: &'a [u8]) -> [Upload<'a>; 2] {
    let upload = |path, bytes| Upload { path, bytes };
    [upload("model.onnx", model), upload("README.md", card)]
}

#[test]
fn a_repository_is_made_filled_and_shown() {
    let hub = Hub::new();
    let access = access(&hub, Some(TOKEN));
    let repository = fill(&access);
    assert_eq!(repository.state().unwrap(), None);
    assert!(repository.create().unwrap());
    assert!(!repository.create().unwrap());
    assert!(hub.is_private(NAME));

    let model = large(1);
    let files = files(&model, b"---\nlicense: mit\n---\n");
    let revision = repository.upload(&files, "a model").unwrap();
    assert_eq!(hub.file(NAME, "model.onnx").unwrap(), model);
    let state = repository.state().unwrap().unwrap();
    assert_eq!((&state.revision, state.is_private), (&revision, true));
    assert_eq!(state.licence.as_deref(), Some("mit"));
    assert_eq!(state.files, [".gitattributes", "README.md", "model.onnx"]);
    // Large files go to storage, without the token; small ones do not.
    let stored: Vec<_> = hub.storage.seen();
    let put = stored.iter().filter(|it| it.method == "PUT").count();
    assert_eq!(put, 1);
    assert!(stored.iter().all(|it| it.header("authorization").is_none()));

    // The same again is nothing.
    assert_eq!(repository.upload(&files, "again").unwrap(), revision);
    assert_eq!(hub.revisions(NAME), 2);
    // One file of two has changed: one is sent.
    let other = large(2);
    let changed = [
        files[1],
        Upload {
            path: "model.onnx",
            bytes: &other,
        },
    ];
    let newer = repository.upload(&changed, "better").unwrap();
    assert_ne!(newer, revision);
    assert_eq!(hub.file(NAME, "model.onnx").unwrap(), other);
    repository.set_private(false).unwrap();
    assert!(!hub.is_private(NAME));
}

#[test]
fn passing_trouble_passes_and_lasting_trouble_is_told() {
    // Each question fails once in another way before it is answered.
    let statuses = [429, 500, 503];
    let hub = Hub::failing(move |request, before| {
        let fails = before == 0 && request.method != "GET";
        let status = statuses[request.path.len() % 3];
        fails.then(|| Answer::new(status, "").with("retry-after", "0"))
    });
    let access_to_hub = access(&hub, Some(TOKEN));
    let repository = fill(&access_to_hub);
    repository.create().unwrap();
    let model = large(3);
    repository
        .upload(&files(&model, b"card"), "a model")
        .unwrap();
    assert_eq!(hub.file(NAME, "model.onnx").unwrap(), model);
    assert_eq!(hub.asked("POST", "/commit/main"), 2);

    let refused = access(&hub, Some("hf_of_a_stranger"));
    let error = fill(&refused).set_private(true).unwrap_err();
    assert!(
        error.is_users() && error.to_string().contains("401"),
        "{error}"
    );
    assert!(!error.to_string().contains("stranger"), "{error}");
    assert!(fill(&access(&hub, None)).create().unwrap_err().is_users());
    assert!(Repository::new("../x", &access_to_hub, PATIENCE, &GO_ON).is_err());

    let busy = Hub::failing(|_, _| Some(Answer::new(429, "").with("retry-after", "100000")));
    let error = fill(&access(&busy, Some(TOKEN))).create().unwrap_err();
    assert!(error.to_string().contains("100000 s"), "{error}");
    let broken = Hub::failing(|_, _| Some(Answer::new(500, "")));
    let error = fill(&access(&broken, Some(TOKEN))).create().unwrap_err();
    assert!(error.to_string().contains("3 attempts"), "{error}");
}

#[test]
fn answers_that_cannot_be_used_end_the_upload() {
    let cases: [(&str, &str); 5] = [
        ("/preupload/main", "{\"files\":[]}"),
        ("/preupload/main", "not json"),
        ("/objects/batch", "{\"objects\":[]}"),
        (
            "/objects/batch",
            "{\"objects\":[{\"oid\":\"OID\",\"error\":{\"message\":\"full\"}}]}",
        ),
        ("/commit/main", "{\"commitOid\":\"../..\"}"),
    ];
    let model = large(4);
    for (ending, body) in cases {
        let body = body.replace("OID", &digest(&model));
        let hub = Hub::failing(move |request, _| {
            let is_meant = request.path.ends_with(ending);
            is_meant.then(|| Answer::new(200, body.clone()))
        });
        let access = access(&hub, Some(TOKEN));
        let repository = fill(&access);
        repository.create().unwrap();
        let error = repository.upload(&files(&model, b"x"), "s").unwrap_err();
        assert!(matches!(error, SourceError::Transfer { .. }), "{error}");
        assert_eq!(hub.file(NAME, "model.onnx"), None, "{ending}");
    }
}

/// What a validator has: a cache, and a way to the Hub.
fn fetcher(hub: &Hub, place: &Path, token: Option<&str>) -> Fetch {
    let cache = Cache::open(place.join("cache"), 1 << 20).unwrap();
    let store = Arc::new(LocalStore::open(place.join("store")).unwrap());
    Fetch::local(store).with_hub(&access(hub, token), cache, PATIENCE)
}

fn statement(text: &str) -> agon_arena::commitment::Claim {
    let forms = [Form::File, Form::Revision];
    let statement = Statement::read(text.as_bytes(), &forms).unwrap();
    statement.claim().unwrap()
}

fn claim(model: &[u8]) -> agon_arena::commitment::Claim {
    statement(&format!("{NAME}:model:c:{}", Digest::of(model)))
}

/// The model, or the outcome and the reason.
async fn get(
    fetch: &Fetch,
    claim: &agon_arena::commitment::Claim,
    limit: u64,
) -> Result<Vec<u8>, (Outcome, String)> {
    let hotkey = AccountId::from([7; 32]);
    let fetched = fetch.fetch(&hotkey, claim, limit).await.unwrap();
    fetched
        .map(|Model { bytes, .. }| bytes)
        .map_err(|it| (it.judgement.outcome, it.judgement.reason.unwrap()))
}

fn is_model(request: &Request) -> bool {
    request.path.contains("signature")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_fetched_once_checked_and_kept() {
    let hub = Hub::new();
    let place = tempfile::tempdir().unwrap();
    let model = large(5);
    let revision = hub.publish(NAME, &[("model.onnx", &model)]);
    let fetch = fetcher(&hub, place.path(), None);
    assert_eq!(get(&fetch, &claim(&model), 100_000).await.unwrap(), model);
    let asked = hub.server.seen().len();
    // A second process with the same cache asks nobody.
    let again = fetcher(&hub, place.path(), None);
    assert_eq!(get(&again, &claim(&model), 100_000).await.unwrap(), model);
    assert_eq!(hub.server.seen().len(), asked);
    // Nor does it for a revision, once that was fetched.
    let pinned = statement(&format!("{NAME} {revision}"));
    for _ in 0..2 {
        assert_eq!(get(&fetch, &pinned, 100_000).await.unwrap(), model);
    }
    assert_eq!(hub.server.seen().len(), asked + 1);
    // What is in the cache is not larger than allowed either.
    let (outcome, reason) = get(&fetch, &claim(&model), 99_999).await.unwrap_err();
    assert_eq!(outcome, Outcome::TooLarge, "{reason}");
    // The local store is asked under the digest.
    let local = format!("local:model:c:{}", Digest::of(b"tiny"));
    let (outcome, _) = get(&fetch, &statement(&local), 10).await.unwrap_err();
    assert_eq!(outcome, Outcome::Refused);
    let store = LocalStore::open(place.path().join("store")).unwrap();
    store.put(b"tiny").unwrap();
    assert_eq!(get(&fetch, &statement(&local), 10).await.unwrap(), b"tiny");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_submission_is_its_outcome() {
    let hub = Hub::new();
    let place = tempfile::tempdir().unwrap();
    let model = large(6);
    hub.publish(NAME, &[("model.onnx", &model)]);
    let fetch = fetcher(&hub, place.path(), None);
    let wrong = |text: &str| {
        let (fetch, claim) = (fetch.clone(), statement(text));
        async move { get(&fetch, &claim, 100_000).await.unwrap_err() }
    };
    let sha = Digest::of(&model);
    let (outcome, reason) = wrong(&format!("{NAME}:other:c:{sha}")).await;
    assert_eq!(outcome, Outcome::Refused);
    assert!(
        reason.contains("has no someone/skin@main/other.onnx"),
        "{reason}"
    );
    let (_, reason) = wrong(&format!("{NAME}:model:c:{}", Digest::of(b"x"))).await;
    assert!(
        reason.contains("not the one that was committed"),
        "{reason}"
    );
    // Larger than allowed: nothing is stored of it.
    let (outcome, reason) = get(&fetch, &claim(&model), 50_000).await.unwrap_err();
    assert_eq!(outcome, Outcome::TooLarge);
    assert!(reason.contains("100000 bytes"), "{reason}");

    let access = access(&hub, Some(TOKEN));
    fill(&access).set_private(true).unwrap();
    // Also for the one validator that could read it.
    for token in [None, Some(TOKEN)] {
        let fetch = fetcher(&hub, place.path(), token);
        let (outcome, reason) = get(&fetch, &claim(&model), 100_000).await.unwrap_err();
        assert_eq!(outcome, Outcome::Refused);
        assert!(reason.contains("private or gated"), "{reason}");
    }
    let forbidden = Hub::failing(|_, _| Some(Answer::new(403, "")));
    let fetch = fetcher(&forbidden, place.path(), None);
    let (_, reason) = get(&fetch, &claim(&model), 100_000).await.unwrap_err();
    assert!(reason.contains("private or gated"), "{reason}");
    let cache = std::fs::read_dir(place.path().join("cache/partial")).unwrap();
    let left: Vec<_> = cache.map(|it| it.unwrap().file_name()).collect();
    let is_lock = |name: &std::ffi::OsString| name.to_string_lossy().ends_with(".lock");
    assert!(left.iter().all(is_lock), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_transfer_goes_on_where_it_ended() {
    let model = large(7);
    let bytes = model.clone();
    let hub = Hub::failing(move |request, before| {
        let breaks = is_model(request) && before < 2;
        breaks.then(|| Answer::file(request, &bytes).breaking_after(30_000))
    });
    let place = tempfile::tempdir().unwrap();
    hub.publish(NAME, &[("model.onnx", &model)]);
    let fetch = fetcher(&hub, place.path(), None);
    assert_eq!(get(&fetch, &claim(&model), 100_000).await.unwrap(), model);
    let ranges: Vec<_> = hub.storage.seen().iter().map(Request::range).collect();
    assert_eq!(ranges, [None, Some(30_000), Some(60_000)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_body_is_cut() {
    let hub = Hub::failing(|request, _| {
        is_model(request).then(|| Answer::new(200, vec![0; 10_000]).endless())
    });
    let place = tempfile::tempdir().unwrap();
    let model = large(8);
    hub.publish(NAME, &[("model.onnx", &model)]);
    let fetch = fetcher(&hub, place.path(), None);
    let (outcome, reason) = get(&fetch, &claim(&model), 200_000).await.unwrap_err();
    assert_eq!(outcome, Outcome::TooLarge, "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_fails_is_nobodys_fault() {
    let hub = Hub::failing(|request, before| {
        (!is_model(request) && before < 4).then(|| Answer::new(500, "").with("retry-after", "0"))
    });
    let place = tempfile::tempdir().unwrap();
    let model = large(9);
    hub.publish(NAME, &[("model.onnx", &model)]);
    let fetch = fetcher(&hub, place.path(), None);
    let hotkey = AccountId::from([7; 32]);
    let error = fetch
        .fetch(&hotkey, &claim(&model), 100_000)
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Unavailable(_)), "{error}");
    // Later it is there.
    assert_eq!(get(&fetch, &claim(&model), 100_000).await.unwrap(), model);
}

//! Models of chest X-rays on their way over the Hub: revisions that are committed, and what validators make of them.

use super::common::chain::{Chain, NETUID, key};
use super::common::{Place, errors};
use super::hub::{Hub, TOKEN, digest};
use super::server::Answer;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const REPOSITORY: &str = "someone/chest";

/// What the hotkey of a name has committed.
async fn committed(chain: &Chain, name: &str) -> Option<String> {
    let state = chain.client.finalized().await.unwrap();
    let commitments = state.commitments(NETUID).await.unwrap();
    let account = key(name).account();
    let mine = commitments.into_iter().find(|it| it.hotkey == account);
    mine.map(|it| String::from_utf8(it.data).unwrap())
}

#[test]
fn a_better_model_is_shown_when_it_is_committed_and_its_revision_is_paid() {
    let place = Place::new();
    let words = "data synthesize healthcare --labels first,second --num-samples 200 --json";
    place.json(&words.split(' ').collect::<Vec<_>>());
    place.wallets(&["miner", "validator"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let chain = runtime.block_on(Chain::new(&["miner"]));
    let url = chain.url();
    // At first the Hub takes no commit.
    let is_broken = Arc::new(AtomicBool::new(true));
    let broken = is_broken.clone();
    let hub = Hub::failing(move |request, _| {
        let fails = request.path.ends_with("/commit/main") && broken.load(Ordering::SeqCst);
        fails.then(|| Answer::new(500, "").with("retry-after", "0"))
    });
    let data = "--data-dir synthetic_data --labels first,second";
    let network = format!("--netuid 1 --subtensor.chain_endpoint {url} --json");
    let mine = format!(
        "miner healthcare {data} {network} --wallet.name miner --image_size 32 --save-dir run --num_epochs 3 \
         --training_mode fast --batch_size 8 --hf_repo_id {REPOSITORY}"
    );
    let command = |words: &str| {
        let mut command = place.command(&words.split(' ').collect::<Vec<_>>());
        command.env("HF_ENDPOINT", hub.url());
        command
    };
    // Told before anything is trained.
    let output = command(&mine).output().unwrap();
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("HF_TOKEN") && !place.path("run").exists());

    fs::write(place.path(".env"), format!("ACCESS_TOKEN={TOKEN}\n")).unwrap();
    let mut miner = place.background(command(&mine), "not committed yet");
    assert!(hub.is_private(REPOSITORY));
    assert_eq!(runtime.block_on(committed(&chain, "miner")), None);
    is_broken.store(false, Ordering::SeqCst);
    assert_eq!(miner.wait(), Some(0));
    let best = fs::read(place.path("run/best.onnx")).unwrap();
    assert_eq!(hub.file(REPOSITORY, "model.onnx").unwrap(), best);
    let text = format!("{REPOSITORY} {}", hub.head(REPOSITORY));
    assert_eq!(
        runtime.block_on(committed(&chain, "miner")),
        Some(text.clone())
    );
    // Shown after the last upload, and not before the first.
    assert!(!hub.is_private(REPOSITORY));
    let seen = hub.server.seen();
    let at = |ending: &str, from: usize| {
        let rest = seen.iter().skip(from);
        rest.clone()
            .position(|it| it.path.ends_with(ending) && it.method != "GET")
            .map(|at| at + from)
    };
    let uploaded = at("/commit/main", 0).unwrap();
    assert!(at("/settings", 0).unwrap() > uploaded);
    let last = seen
        .iter()
        .rposition(|it| it.path.ends_with("/commit/main"));
    let shown = at("/settings", last.unwrap()).unwrap();
    assert!(String::from_utf8_lossy(&seen[shown].body).contains("false"));

    // Done again it is what it was: nothing is hidden, uploaded or committed.
    let (asked, revisions) = (hub.asked("PUT", "/settings"), hub.revisions(REPOSITORY));
    let output = command(&mine).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(hub.asked("PUT", "/settings"), asked);
    assert_eq!(hub.revisions(REPOSITORY), revisions);
    assert_eq!(runtime.block_on(committed(&chain, "miner")), Some(text));

    // The repository goes on; what counts is the revision on chain.
    hub.publish(REPOSITORY, &[("model.onnx", b"another one")]);
    runtime.block_on(chain.next_epoch());
    fs::create_dir(place.path("empty")).unwrap();
    let validate = format!(
        "validator healthcare {data} {network} --wallet.name validator --judging.split 20 --judging.sample 20 \
         --store empty --models.cache_dir cache --logging.logging_dir neurons --rounds 1"
    );
    fs::remove_file(place.path(".env")).unwrap();
    let output = command(&validate).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let ledger = told["ledger"].as_str().unwrap();
    let board = place.json(&["board", "--ledger", ledger, "--json"]);
    let line = &board["submissions"][0];
    assert_eq!(line["model"], digest(&best), "{board:#}");
    assert_eq!(
        (&line["outcome"], &line["weight"]),
        (&"scored".into(), &65535.into()),
        "{board:#}"
    );
}

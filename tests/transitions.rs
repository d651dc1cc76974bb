//! A validator that is killed right after any of its transitions, or in the middle of writing one down, ends like one that
//! was not: nothing acknowledged is lost, nothing is done twice.

mod common;
#[path = "../examples/parabola.rs"]
mod parabola;

use agon_arena::fetch::Fetch;
use agon_arena::ledger::{Evaluation, Ledger};
use agon_arena::sandbox::Sandbox;
use agon_arena::validator::{Models, Task};
use agon_dataset::store::{ArtefactStore, LocalStore};
use agon_model::digest::Digest;
use common::chain::Chain;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

const NAME: &str = "parabola";

fn task(store: &Arc<LocalStore>) -> Task {
    Task::Models(Models {
        competition: Arc::new(parabola::Parabola { seats: 256 }),
        store: Fetch::local(store.clone()),
        sandbox: Sandbox::new(common::AGON.into()),
        at_once: NonZeroUsize::new(2).unwrap(),
    })
}

/// The lines of a journal, each with its end.
fn journal(directory: &Path) -> Vec<String> {
    let text = fs::read_to_string(directory.join("journal.jsonl")).unwrap();
    text.split_inclusive('\n').map(str::to_owned).collect()
}

/// What an event is about, without its content: its kind and, of a row, whose it is.
fn kind(line: &str) -> (String, String) {
    let event: Value = serde_json::from_str(line).unwrap();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (word(&event["event"]), word(&event["of"]["hotkey"]))
}

/// Rows as far as they do not depend on the machine's speed.
fn rows(rows: BTreeMap<String, Evaluation>) -> BTreeMap<String, Evaluation> {
    let timeless = |row| Evaluation {
        seconds: 0.0,
        ..row
    };
    let rows = rows.into_iter();
    rows.map(|(name, row)| (name, timeless(row))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_killed_at_any_transition_ends_like_an_undisturbed_one() {
    let place = tempfile::tempdir().unwrap();
    let submissions = parabola::submissions();
    let names = submissions.each_ref().map(|(name, _)| *name);
    let chain = Chain::new(&names).await;
    let store = Arc::new(LocalStore::open(place.path().join("store")).unwrap());
    for (name, model) in &submissions {
        let digest = Digest(store.put(model).unwrap());
        chain.commit(name, NAME, store.clone(), digest).await;
    }
    let whole = place.path().join("whole");
    let (undisturbed, weights) = chain.judge(&whole, NAME, task(&store)).await;
    let undisturbed = rows(undisturbed);
    let lines = journal(&whole);
    let kinds: Vec<_> = lines.iter().map(|line| kind(line)).collect();
    let transitions = [
        "round_opened",
        "evaluated",
        "weights_signed",
        "weights_set",
        "round_paid",
    ];
    for transition in transitions {
        assert!(
            kinds.iter().any(|(kind, _)| kind == transition),
            "{kinds:?}"
        );
    }

    let genesis = chain.client.genesis_hash().0;
    for written in 1..lines.len() {
        let begun = lines[..written].concat();
        let next = &lines[written];
        // Between two transitions; while the next line was being written; after it, before the ledger knew.
        let torn = format!("{begun}{}", &next[..next.len() / 2]);
        let ahead = format!("{begun}{next}");
        for (how, text) in [("between", &begun), ("torn", &torn), ("ahead", &ahead)] {
            let directory = place.path().join(format!("{written}-{how}"));
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("journal.jsonl"), &begun).unwrap();
            let ledger = Ledger::open(&directory, &genesis, NAME).await.unwrap();
            ledger.close().await;
            fs::write(directory.join("journal.jsonl"), text).unwrap();
            let (again, same) = chain.judge(&directory, NAME, task(&store)).await;
            let told = format!("killed {how} after {:?}", kinds[written - 1]);
            assert_eq!(rows(again), undisturbed, "{told}");
            assert_eq!(same, weights, "{told}");
            let after = journal(&directory);
            assert!(after.concat().starts_with(&begun), "{told}");
            assert_eq!(
                after.iter().map(|line| kind(line)).collect::<Vec<_>>(),
                kinds,
                "{told}"
            );
        }
    }
}

//! Subnets that Agon does not come with run like those it does: one that judges models, one that asks servers.

mod common;
#[path = "../examples/parabola.rs"]
mod parabola;

use agon_arena::challenge::{Challenge, Reply};
use agon_arena::competition::{SampleError, Score};
use agon_arena::fetch::Fetch;
use agon_arena::incentive::Incentive;
use agon_arena::ledger::Outcome;
use agon_arena::reward::{self, Past, Scoring};
use agon_arena::sandbox::Sandbox;
use agon_arena::seed::Seed;
use agon_arena::validator::{Models, Peers, Task};
use agon_dataset::store::{ArtefactStore, LocalStore};
use agon_keys::AccountId;
use agon_model::digest::Digest;
use agon_neuron::Call;
use agon_neuron::axon::{Axon, Connections, Cover, Door, Gate, Replay, Rules, serve};
use agon_neuron::dendrite::{Bounds, Dendrite, Question};
use common::chain::{Chain, NETUID, key};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A chain on which everybody has committed what the example submits, and how that is judged.
async fn parabola(store: &Path) -> (Chain, impl Fn(usize) -> Task + use<>) {
    let submissions = parabola::submissions();
    let names = submissions.each_ref().map(|(name, _)| *name);
    let chain = Chain::new(&names).await;
    let store = Arc::new(LocalStore::open(store).unwrap());
    for (name, model) in &submissions {
        let digest = Digest(store.put(model).unwrap());
        chain.commit(name, "parabola", store.clone(), digest).await;
    }
    let task = move |seats| {
        Task::Models(Models {
            competition: Arc::new(parabola::Parabola { seats }),
            store: Fetch::local(store.clone()),
            sandbox: Sandbox::new(common::AGON.into()),
            at_once: NonZeroUsize::MIN,
        })
    };
    (chain, task)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_round_judges_who_earns_and_who_has_waited_longest() {
    let place = tempfile::tempdir().unwrap();
    let (chain, task) = parabola(&place.path().join("store")).await;
    let ledger = place.path().join("validator");
    for (round, judged) in [
        (1, ["exact", "near"]),
        (2, ["copier", "exact"]),
        (3, ["broken", "exact"]),
        (4, ["exact", "near"]),
    ] {
        let (rows, weights) = chain.judge_until(round, &ledger, "parabola", task(2)).await;
        assert!(rows.keys().eq(judged), "round {round}: {:?}", rows.keys());
        assert!(weights.contains_key("exact"), "round {round}: {weights:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_a_competition_pays_who_it_should() {
    let place = tempfile::tempdir().unwrap();
    let (chain, task) = parabola(&place.path().join("store")).await;
    let (task, ledger) = (task(256), place.path().join("validator"));
    let (rows, weights) = chain.round(&ledger, "parabola", task).await;
    assert_eq!(rows["exact"].score, 1.0);
    assert!(rows["near"].score < 1.0);
    assert_eq!(rows["copier"].outcome, Outcome::Refused);
    assert!(rows["copier"].reason.as_ref().unwrap().contains("a copy"));
    assert_eq!(rows["broken"].outcome, Outcome::Refused);
    let paid: Vec<&String> = weights.keys().collect();
    assert_eq!(paid, ["exact", "near"]);
    assert!(weights["exact"] > weights["near"]);
}

/// Miners double a number.
struct Doubling;

#[derive(Deserialize)]
struct Doubled {
    result: f64,
}

impl Incentive for Doubling {
    fn name(&self) -> &'static str {
        "doubling"
    }

    fn scoring(&self) -> Scoring {
        Scoring::Original
    }

    fn shares(&self, rounds: &[Past]) -> BTreeMap<AccountId, f64> {
        reward::shares_by_place(&reward::order_by_average(rounds))
    }
}

impl Challenge for Doubling {
    fn draw(&self, seed: Seed) -> Vec<usize> {
        seed.0[..4].iter().map(|&byte| usize::from(byte)).collect()
    }

    fn question(&self, _seed: Seed, item: usize) -> Result<Question, SampleError> {
        let fields = Map::from_iter([("number".to_owned(), json!(item))]);
        Ok(Question {
            timeout: Duration::from_secs(2),
            ..Question::new("Double", fields)
        })
    }

    fn score(&self, items: &[usize], replies: &[Option<Reply>]) -> Score {
        let right = |(&item, reply): (&usize, &Option<Reply>)| {
            let doubled = reply.as_ref()?.answer.parse::<Doubled>().ok()?.result;
            Some(f32::from(u8::from(doubled == 2.0 * item as f64)))
        };
        let pairs = items.iter().zip(replies);
        let evidence: Vec<f32> = pairs.map(|pair| right(pair).unwrap_or(0.0)).collect();
        let sum: f64 = evidence.iter().copied().map(f64::from).sum();
        Score {
            score: sum / items.len() as f64,
            evidence,
            ..Score::default()
        }
    }
}

/// That a server of this machine speaks `btauth/1`.
fn published(port: u16) -> Call {
    Call::serve_axon(NETUID, 11_000_000, Ipv4Addr::LOCALHOST.into(), port, 4)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_pays_who_answers_rightly_and_tells_why_others_get_nothing() {
    let place = tempfile::tempdir().unwrap();
    let chain = Chain::new(&["right", "wrong", "slow", "silent", "away"]).await;
    let metagraph = chain.client.finalized().await.unwrap();
    let metagraph = metagraph.metagraph(NETUID).await.unwrap();
    let mut servers = Vec::new();
    let asked_slow = Arc::new(AtomicUsize::new(0));
    for name in ["right", "wrong", "slow"] {
        let door = Door::new(Rules {
            strangers: false,
            ..Rules::default()
        });
        door.update(&metagraph);
        let replay = Replay::in_memory();
        let gate = Gate::new(key(name).account(), Arc::new(replay), Arc::new(door));
        let count = asked_slow.clone();
        let answer = move |question: BTreeMap<String, Value>, _| {
            let count = count.clone();
            async move {
                let number = question
                    .get("number")
                    .and_then(Value::as_f64)
                    .unwrap_or(0.0);
                match name {
                    "right" => {}
                    "wrong" => return Ok(json!({"result": number})),
                    _ => {
                        count.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_secs(60)).await;
                    }
                }
                Ok(json!({"result": 2.0 * number}))
            }
        };
        let axon = Axon::new(Arc::new(key(name)), gate).route("Double", Cover::Nothing, answer);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        servers.push(serve(listener, axon.service(), Connections::default(), None).unwrap());
        chain.send(published(port), name).await;
    }
    chain.send(published(9), "silent").await;
    let task = Task::Peers(Peers {
        challenge: Arc::new(Doubling),
        dendrite: Dendrite::new(Arc::new(key("validator")), Bounds::default()).unwrap(),
        sample_size: 256,
    });
    let ledger = place.path().join("validator");
    let (rows, weights) = chain.round(&ledger, "doubling", task).await;
    assert_eq!(
        (rows["right"].score, rows["right"].evidence.len()),
        (1.0, 4)
    );
    assert_eq!(
        (rows["wrong"].outcome, rows["wrong"].score),
        (Outcome::Scored, 0.0)
    );
    assert_eq!(rows["slow"].outcome, Outcome::TooSlow);
    // Of four questions: the others do not wait for it for ever.
    assert_eq!(asked_slow.load(Ordering::SeqCst), 3);
    let reason = rows["silent"].reason.as_ref().unwrap();
    assert!(reason.contains("cannot be reached"), "{reason}");
    // Who has published no server is not asked.
    assert!(!rows.contains_key("away"));
    assert_eq!(weights, BTreeMap::from([("right".to_owned(), 65535)]));
    for server in servers {
        server.stop().await;
    }
}

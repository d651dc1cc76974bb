//! Hostile submissions: each ends with its own outcome and reason, and nobody else notices.

mod common;

use agon_arena::commitment::{File as Committed, LOCAL_REPOSITORY};
use agon_arena::competition::Budget;
use agon_arena::event::Events;
use agon_arena::fetch::Fetch;
use agon_arena::ledger::{Evaluation, Ledger, Outcome};
use agon_arena::miner::Miner;
use agon_arena::sandbox::Sandbox;
use agon_arena::seed::SampleSource;
use agon_arena::subnet::tricorder::parts::Parts;
use agon_arena::subnet::tricorder::{self, Tricorder};
use agon_arena::validator::{Models, Setup, Task, Validator};
use agon_dataset::skin::Record;
use agon_dataset::skin::synthetic::{Synthetic, generate};
use agon_dataset::store::{ArtefactStore, LocalStore};
use agon_keys::Keypair;
use agon_model::architecture::{LesionClassifier, lesion_classifier};
use agon_model::builder::{GraphBuilder, Value};
use agon_model::digest::Digest;
use agon_model::inference::Engine;
use agon_model::proto::{AttributeProto, NodeProto, TensorProto};
use agon_model::{Dim, Model};
use agon_neuron::{Call, ChainClient, Outcome as Submission};
use agon_node::{Node, NodeOptions, genesis};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const NETUID: u16 = 1;

/// An untrained network: as good as any to be judged.
fn honest(seed: u64) -> Vec<u8> {
    let mut model = lesion_classifier(&LesionClassifier::small()).unwrap();
    agon_train::init::initialise(&mut model, seed).unwrap();
    model.strip_training();
    model.to_bytes()
}

/// `image` -> mean colour -> linear -> softmax, with something planted before the output.
fn planted(plant: impl FnOnce(&mut GraphBuilder, &Value) -> Value) -> Model {
    let mut graph = GraphBuilder::new("planted");
    let batch = || Dim::Named("batch".into());
    let image = graph.input(
        "image",
        vec![batch(), Dim::Fixed(3), Dim::Fixed(32), Dim::Fixed(32)],
    );
    let demographics = graph.input("demographics", vec![batch(), Dim::Fixed(3)]);
    let colour = graph.global_average_pool(&image);
    let colour = graph.flatten(&colour);
    let both = graph.concat(&[&colour, &demographics], 1);
    let logits = graph.linear(&both, 11);
    let probabilities = graph.softmax(&logits);
    let answer = plant(&mut graph, &probabilities);
    graph.output(&answer, "probabilities");
    graph.finish().unwrap()
}

fn not_a_number() -> Vec<u8> {
    let model = planted(|graph, probabilities| {
        let infinity = graph.constant(&[1, 1], &[f32::INFINITY]);
        let nothing = graph.sub(&infinity, &infinity);
        graph.add(probabilities, &nothing)
    });
    model.to_bytes()
}

fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        op_type: operator.into(),
        input: inputs.iter().map(|&name| name.into()).collect(),
        output: vec![output.into()],
        ..NodeProto::default()
    }
}

/// Add the mean of whatever `nodes` leave in "work" to the answer.
fn with_work(initialisers: Vec<TensorProto>, nodes: Vec<NodeProto>) -> Vec<u8> {
    let mut model = planted(|_, probabilities| probabilities.clone());
    let graph = model.graph_mut();
    graph.initializer.extend(initialisers);
    let softmax = graph.node.last_mut().unwrap();
    softmax.output = vec!["quiet".into()];
    graph.node.extend(nodes);
    let mut mean = node("ReduceMean", &["work"], "mean");
    mean.attribute = vec![AttributeProto::from_int("keepdims", 0)];
    graph.node.push(mean);
    graph
        .node
        .push(node("Add", &["quiet", "mean"], "probabilities"));
    model.to_bytes()
}

fn endless() -> Vec<u8> {
    let side = 1024;
    let matrix = TensorProto::from_f32("matrix", &[side, side], &vec![1e-3; side * side]);
    let mut mean = node("ReduceMean", &["image"], "brightness");
    mean.attribute = vec![AttributeProto::from_int("keepdims", 0)];
    let mut nodes = vec![mean, node("Mul", &["matrix", "brightness"], "power_0")];
    for power in 0..4000 {
        let output = format!("power_{}", power + 1);
        nodes.push(node(
            "MatMul",
            &[&format!("power_{power}"), "matrix"],
            &output,
        ));
    }
    nodes.push(node("Identity", &["power_4000"], "work"));
    with_work(vec![matrix], nodes)
}

fn giant_shape_in_the_file() -> Vec<u8> {
    let shape = TensorProto::from_i64("shape", &[4], &[1000, 1000, 1000, 1000]);
    with_work(
        vec![shape],
        vec![node("ConstantOfShape", &["shape"], "work")],
    )
}

fn giant_shape_at_run_time() -> Vec<u8> {
    let factor = TensorProto::from_i64("factor", &[1], &[100]);
    let nodes = vec![
        node("Shape", &["image"], "shape"),
        node("Mul", &["shape", "factor"], "giant"),
        node("ConstantOfShape", &["giant"], "work"),
    ];
    with_work(vec![factor], nodes)
}

fn wrong_inputs() -> Vec<u8> {
    let mut graph = GraphBuilder::new("wrong");
    let x = graph.input(
        "sound",
        vec![Dim::Named("batch".into()), Dim::Fixed(16_000)],
    );
    let x = graph.linear(&x, 11);
    let x = graph.softmax(&x);
    graph.output(&x, "probabilities");
    graph.finish().unwrap().to_bytes()
}

/// What a miner submits: bytes, or a file of zeros of this size.
enum File {
    Bytes(Vec<u8>),
    Zeros(u64),
}

struct Case {
    name: &'static str,
    file: File,
    outcome: Outcome,
    /// What the reason must contain.
    reason: &'static str,
}

fn case(name: &'static str, bytes: Vec<u8>, outcome: Outcome, reason: &'static str) -> Case {
    let file = File::Bytes(bytes);
    Case {
        name,
        file,
        outcome,
        reason,
    }
}

fn hostile_set() -> Vec<Case> {
    let whole = honest(3);
    let truncated = whole[..whole.len() / 2].to_vec();
    let outsized = Case {
        name: "outsized",
        file: File::Zeros(200 << 20),
        outcome: Outcome::TooLarge,
        reason: "at most",
    };
    vec![
        case("truncated", truncated, Outcome::Refused, "malformed"),
        case("empty", Vec::new(), Outcome::Refused, "empty"),
        case("zeros", vec![0; 1000], Outcome::Refused, "malformed"),
        outsized,
        case(
            "wrong-inputs",
            wrong_inputs(),
            Outcome::Refused,
            "wrong inputs",
        ),
        case(
            "nan",
            not_a_number(),
            Outcome::Refused,
            "not a finite number",
        ),
        case(
            "giant-file",
            giant_shape_in_the_file(),
            Outcome::TooLarge,
            "giant shape",
        ),
        case(
            "giant-run",
            giant_shape_at_run_time(),
            Outcome::TooLarge,
            "MiB of memory",
        ),
        case("endless", endless(), Outcome::TooSlow, "too long"),
    ]
}

async fn submit(client: &ChainClient, call: Call, signer: &Keypair) {
    let what = call.to_string();
    let outcome = client.submit(call, signer).await;
    assert!(
        matches!(outcome, Submission::Finalised { .. }),
        "{what}: {outcome:?}"
    );
}

fn key(name: &str) -> Keypair {
    Keypair::from_uri(&format!("//{name}")).unwrap()
}

/// Run one round over `files` on a chain of its own; every miner's row by name, and the weights.
async fn judge(
    engine: Engine,
    place: &Path,
    judging: Vec<Record>,
    files: &[(&str, &File)],
) -> (BTreeMap<String, Evaluation>, BTreeMap<String, u16>) {
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let rich = |name: &str| (key(name).account().0.into(), 500_000 * genesis::TAO);
    let mut endowed: Vec<_> = names.iter().copied().map(rich).collect();
    endowed.extend([rich("owner"), rich("validator")]);
    let node = Node::start(NodeOptions {
        database: None,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        block_time: Duration::from_millis(30).into(),
        genesis: Some(genesis::development(&endowed)),
        ..NodeOptions::default()
    })
    .await
    .unwrap();
    let client = ChainClient::connect(&node.url()).await.unwrap();
    let (owner, validator) = (key("owner"), Arc::new(key("validator")));
    submit(
        &client,
        Call::register_network(key("owner//hot").account()),
        &owner,
    )
    .await;
    submit(&client, Call::start_call(NETUID), &owner).await;
    let admin = |name: &str, value: agon_neuron::Value| Call::admin(name, [NETUID.into(), value]);
    let settings = Call::batch_all([
        admin("sudo_set_subnet_emission_enabled", true.into()),
        admin("sudo_set_commit_reveal_weights_enabled", false.into()),
        admin("sudo_set_weights_set_rate_limit", 0u64.into()),
        admin("sudo_set_tempo", 20u16.into()),
    ]);
    submit(&client, Call::sudo(settings), &key("Alice")).await;
    for name in names.iter().copied().chain(["validator"]) {
        let key = key(name);
        submit(&client, Call::burned_register(NETUID, key.account()), &key).await;
    }
    let stake = Call::add_stake(validator.account(), NETUID, 1000 * genesis::TAO);
    submit(&client, stake, &validator).await;

    let store = Arc::new(LocalStore::open(place.join("store")).unwrap());
    let silent = |name: &str| Events::new(name, Arc::new(|_, _| {}));
    for (name, file) in files {
        let digest = match file {
            File::Bytes(bytes) => Digest(store.put(bytes).unwrap()),
            File::Zeros(size) => {
                // Under a digest that is not its own: its size must be enough to refuse it.
                let digest = Digest::of(name.as_bytes());
                let text = digest.to_string();
                let directory = store.root().join(&text[..2]);
                std::fs::create_dir_all(&directory).unwrap();
                std::fs::File::create(directory.join(&text))
                    .unwrap()
                    .set_len(*size)
                    .unwrap();
                digest
            }
        };
        let miner = Miner {
            client: client.clone(),
            netuid: NETUID,
            hotkey: Arc::new(key(name)),
            store: store.clone(),
            events: silent(name),
        };
        let file = Committed {
            repository: LOCAL_REPOSITORY.into(),
            stem: "model".into(),
            competition: tricorder::NAME.into(),
            digest,
        };
        miner.commit(&file.into(), digest).await.unwrap();
    }
    // The first round must know every commitment.
    let mut state = client.finalized().await.unwrap();
    let committed = state.number();
    while state.epoch(NETUID).await.unwrap().last_block < committed {
        state = client.wait_for_block(state.number() + 1).await.unwrap();
    }
    let budget = Budget {
        memory_bytes: 2 << 30,
        load: Duration::from_secs(30),
        sample: Duration::from_secs(5),
        total: Duration::from_secs(120),
    };
    let genesis_hash = client.genesis_hash().0;
    let directory = place.join("validator");
    let ledger = Ledger::open(&directory, &genesis_hash, tricorder::NAME)
        .await
        .unwrap();
    let setup = Setup {
        client: client.clone(),
        netuid: NETUID,
        hotkey: validator.clone(),
        task: Task::Models(Models {
            competition: Arc::new(
                Tricorder::new(judging, 8)
                    .with_budget(budget)
                    .with_engine(engine),
            ),
            store: Fetch::local(store),
            sandbox: Sandbox::new(common::AGON.into()).with_library(common::library()),
        }),
        sample_source: SampleSource::Fixed(1),
        stake_limit: None,
        sets_weights: true,
        events: silent("validator"),
    };
    let mut running = Validator::new(setup, ledger);
    running.run(Some(1), || {}).await.unwrap();
    let by_key: BTreeMap<_, _> = names
        .iter()
        .map(|name| (key(name).account(), *name))
        .collect();
    let rows = running.ledger().records().evaluations(1).await.unwrap();
    let rows = rows
        .into_iter()
        .map(|row| (by_key[&row.hotkey].to_owned(), row))
        .collect();
    let (_, progress) = running
        .ledger()
        .records()
        .last_round()
        .await
        .unwrap()
        .unwrap();
    let weights = progress
        .signed
        .map(|(weights, _)| weights)
        .unwrap_or_default();
    let weights = weights
        .into_iter()
        .map(|(key, weight)| (by_key[&key].to_owned(), weight));
    let weights = weights.collect();
    running.close().await;
    node.stop().await;
    (rows, weights)
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_submissions_end_with_a_reason_and_harm_nobody() {
    hostile_submissions(Engine::Rten).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn they_do_so_with_the_library_of_onnx_runtime_too() {
    if common::has_onnxruntime("hostile submissions to ONNX Runtime") {
        hostile_submissions(Engine::OnnxRuntime).await;
    }
}

async fn hostile_submissions(engine: Engine) {
    let place = tempfile::tempdir().unwrap();
    let images = place.path().join("images");
    let synthetic = Synthetic {
        images: 120,
        ..Synthetic::default()
    };
    generate(&images, &synthetic, &|_, _| {}).unwrap();
    let judging = Parts::load(&images, 1).unwrap().judging;

    let good = [
        ("good-1", File::Bytes(honest(1))),
        ("good-2", File::Bytes(honest(2))),
    ];
    let hostile = hostile_set();
    let honest_only: Vec<_> = good.iter().map(|(name, file)| (*name, file)).collect();
    let mut everyone: Vec<_> = hostile.iter().map(|case| (case.name, &case.file)).collect();
    everyone.extend(&honest_only);

    let (alone, weights_alone) = judge(
        engine,
        &place.path().join("alone"),
        judging.clone(),
        &honest_only,
    )
    .await;
    let (rows, weights) = judge(engine, &place.path().join("together"), judging, &everyone).await;
    for Case {
        name,
        outcome,
        reason,
        ..
    } in hostile
    {
        let row = &rows[name];
        let said = row.reason.as_deref().unwrap_or("nothing");
        assert_eq!(row.outcome, outcome, "{name}: {said}");
        assert!(said.contains(reason), "{name}: {said}");
        assert_eq!(row.score, 0.0);
    }
    for (name, _) in &honest_only {
        assert_eq!(
            rows[*name].outcome,
            Outcome::Scored,
            "{:?}",
            rows[*name].reason
        );
        assert!(rows[*name].engine.starts_with(&format!("{engine}")));
        assert_eq!(rows[*name].score, alone[*name].score);
        assert_eq!(rows[*name].metrics, alone[*name].metrics);
    }
    assert_eq!(weights, weights_alone);
    assert_eq!(weights.len(), 2);
}

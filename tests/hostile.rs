//! Hostile submissions: each ends with its own outcome and reason, and nobody else notices.

mod common;

use agon_arena::competition::{Budget, Competition};
use agon_arena::fetch::Fetch;
use agon_arena::ledger::{Evaluation, Outcome};
use agon_arena::reward::Scoring;
use agon_arena::sandbox::{Asking, Sandbox};
use agon_arena::subnet::tricorder::parts::Parts;
use agon_arena::subnet::tricorder::{self, Tricorder};
use agon_arena::validator::{Models, Task};
use agon_dataset::skin::Record;
use agon_dataset::skin::synthetic::{Synthetic, generate};
use agon_dataset::store::{ArtefactStore, LocalStore};
use agon_model::architecture::{LesionClassifier, lesion_classifier};
use agon_model::builder::{GraphBuilder, Value};
use agon_model::digest::Digest;
use agon_model::inference::Engine;
use agon_model::proto::{AttributeProto, NodeProto, TensorProto};
use agon_model::{Dim, Model};
use common::chain::Chain;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

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

/// Thousands of products of large matrices, whose sizes the file tells or only the run.
fn endless(hidden: bool) -> Vec<u8> {
    let side = 1024;
    let matrix = TensorProto::from_f32("matrix", &[side, side], &vec![1e-3; side * side]);
    let mut mean = node("ReduceMean", &["image"], "brightness");
    mean.attribute = vec![AttributeProto::from_int("keepdims", 0)];
    let mut nodes = vec![
        mean,
        node("Mul", &["matrix", "brightness"], "start"),
        node("Shape", &["start"], "sizes"),
        match hidden {
            true => node("Reshape", &["start", "sizes"], "power_0"),
            false => node("Identity", &["start"], "power_0"),
        },
    ];
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
        case("busy", endless(false), Outcome::TooLarge, "billion"),
        case("endless", endless(true), Outcome::TooSlow, "too long"),
    ]
}

/// Run one round over `files` on a chain of its own; every miner's row by name, and the weights.
async fn judge(
    engine: Engine,
    place: &Path,
    judging: Vec<Record>,
    files: &[(&str, &File)],
) -> (BTreeMap<String, Evaluation>, BTreeMap<String, u16>) {
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let chain = Chain::new(&names).await;
    let store = Arc::new(LocalStore::open(place.join("store")).unwrap());
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
        chain
            .commit(name, tricorder::NAME, store.clone(), digest)
            .await;
    }
    let budget = Budget {
        memory_bytes: 2 << 30,
        load: Duration::from_secs(30),
        sample: Duration::from_secs(5),
        total: Duration::from_secs(120),
    };
    let task = Task::Models(Models {
        competition: Arc::new(
            Tricorder::new(judging, 8)
                .with_budget(budget)
                .with_engine(engine),
        ),
        store: Fetch::local(store),
        sandbox: Sandbox::new(common::AGON.into()).with_library(common::library()),
        at_once: NonZeroUsize::MIN,
    });
    chain
        .round(&place.join("validator"), tricorder::NAME, task)
        .await
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

/// It has no answer about anybody older than a hundred.
fn young_only() -> Vec<u8> {
    let pick = TensorProto::from_f32("pick", &[3, 1], &[1.0, 0.0, 0.0]);
    let limit = TensorProto::from_f32("limit", &[1], &[100.0]);
    let nothing = TensorProto::from_f32("nothing", &[1], &[0.0]);
    let nodes = vec![
        node("MatMul", &["demographics", "pick"], "age"),
        node("Sub", &["limit", "age"], "left"),
        node("Sqrt", &["left"], "root"),
        node("Mul", &["root", "nothing"], "work"),
    ];
    with_work(vec![pick, limit, nothing], nodes)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_image_in_a_hundred_is_forgiven_under_the_robust_rules() {
    let place = tempfile::tempdir().unwrap();
    let synthetic = Synthetic {
        images: 200,
        width: 40,
        height: 30,
        ..Synthetic::default()
    };
    generate(place.path(), &synthetic, &|_, _| {}).unwrap();
    let mut records = agon_dataset::skin::load(place.path()).unwrap();
    let items: Vec<usize> = (0..records.len()).collect();
    let model = young_only();
    let sandbox = Sandbox::new(common::AGON.into());
    for (old, forgiven) in [(&[0, 77][..], true), (&[0, 77, 150], false)] {
        for record in &mut records {
            record.demographics.age = Some(50.0);
        }
        for &at in old {
            records[at].demographics.age = Some(110.0);
        }
        let rules = |scoring| -> Arc<dyn Competition> {
            let competition = Tricorder::new(records.clone(), records.len());
            Arc::new(competition.with_scoring(scoring))
        };
        let strict = rules(Scoring::Original);
        let judged = sandbox.judge(strict, &model, &items).await.unwrap();
        let reason = judged.judgement.reason.unwrap();
        assert!(reason.starts_with("sample 0: "), "{reason}");
        let robust = rules(Scoring::Robust);
        for workers in [1, 3] {
            let asking = Asking {
                workers,
                ..Asking::default()
            };
            let asked = sandbox.answers(&robust, &model, &items, &asking).await;
            match asked.unwrap().answers {
                Ok(answers) => {
                    assert!(forgiven);
                    let answers: Vec<Vec<f32>> = answers.into_iter().map(Result::unwrap).collect();
                    let empty: Vec<usize> = items
                        .iter()
                        .copied()
                        .filter(|&at| answers[at].is_empty())
                        .collect();
                    assert_eq!(empty, old);
                    let score = robust.score(&items, &answers, 1000);
                    assert_eq!(score.metrics["unanswered"], 2.0);
                    assert_eq!(score.evidence.len(), items.len());
                }
                // The first two are forgiven, so the third is the reason, whoever came to it.
                Err(judgement) => {
                    assert!(!forgiven);
                    let reason = judgement.reason.unwrap();
                    assert!(reason.starts_with("sample 150: "), "{reason}");
                }
            }
        }
    }
}

//! A whole subnet in one file: models that are asked for the square of a number.
//!
//! `cargo run --example parabola` judges four submissions in the sandbox; `tests/example.rs` runs the same subnet on a
//! chain, with miners and a validator. docs/adding-a-subnet.md explains it step by step.

use agon_arena::competition::{Budget, Competition, SampleError, Score};
use agon_arena::incentive::Incentive;
use agon_arena::reward::{self, Past, Scoring};
use agon_arena::sandbox::{Sandbox, WORKER_ARGUMENT, worker_main};
use agon_arena::seed::Seed;
use agon_keys::AccountId;
use agon_model::Dim;
use agon_model::builder::{GraphBuilder, Value};
use agon_model::inference::Tensor;
use agon_model::inspect::{Contract, TensorContract};
use agon_model::proto::ElementType;
use rand::RngExt;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The competition: it needs no data, an item is a number of sixteenths.
pub struct Parabola {
    /// How many models a round judges.
    pub seats: usize,
}

fn x(item: usize) -> f32 {
    item as f32 / 16.0 - 1.0
}

impl Incentive for Parabola {
    fn name(&self) -> &'static str {
        "parabola"
    }
    fn scoring(&self) -> Scoring {
        Scoring::Original
    }
    fn shares(&self, rounds: &[Past]) -> BTreeMap<AccountId, f64> {
        reward::shares_by_place(&reward::order_by_average(rounds))
    }
}

impl Competition for Parabola {
    fn contract(&self) -> Contract {
        let number = || TensorContract {
            element_type: ElementType::Float,
            dims: vec![1..=1, 1..=1],
        };
        Contract {
            inputs: vec![number()],
            required_inputs: 1,
            output: number(),
        }
    }
    fn budget(&self) -> Budget {
        let [load, sample, total] = [10, 1, 30].map(Duration::from_secs);
        Budget {
            memory_bytes: 1 << 30,
            load,
            sample,
            total,
        }
    }
    fn seats(&self) -> usize {
        self.seats
    }
    fn draw(&self, seed: Seed) -> Vec<usize> {
        let mut stream = seed.stream();
        (0..20).map(|_| stream.random_range(0..33)).collect()
    }
    fn inputs(&self, item: usize, _: &[Vec<Option<usize>>]) -> Result<Vec<Tensor>, SampleError> {
        Ok(vec![Tensor {
            shape: vec![1, 1],
            data: vec![x(item)],
        }])
    }
    fn class(&self, item: usize) -> usize {
        // The right answer follows from the item. In one class all good models would look like copies of each other.
        item
    }
    fn score(&self, items: &[usize], answers: &[Vec<f32>], _bytes: u64) -> Score {
        let miss = |(&item, answer): (&usize, &Vec<f32>)| (answer[0] - x(item) * x(item)).abs();
        let evidence: Vec<f32> = items.iter().zip(answers).map(miss).collect();
        let mean = evidence.iter().copied().map(f64::from).sum::<f64>() / items.len() as f64;
        let metrics = BTreeMap::from([("mean_miss".to_owned(), mean)]);
        Score {
            score: 1.0 / (1.0 + mean),
            metrics,
            evidence,
        }
    }
}

/// A model: any ONNX file will do, this one is built here.
fn model(build: impl Fn(&mut GraphBuilder, &Value) -> Value) -> Vec<u8> {
    let mut graph = GraphBuilder::new("guess");
    let x = graph.input("x", vec![Dim::Named("batch".into()), Dim::Fixed(1)]);
    let y = build(&mut graph, &x);
    graph.output(&y, "y");
    graph.finish().expect("a graph").to_bytes()
}

/// What four miners submit.
pub fn submissions() -> [(&'static str, Vec<u8>); 4] {
    [
        ("exact", model(|graph, x| graph.mul(x, x))),
        ("near", model(|graph, x| graph.abs(x))),
        ("copier", model(|graph, x| graph.mul(x, x))),
        ("broken", b"not a model".to_vec()),
    ]
}

#[allow(dead_code, reason = "the test has a main of its own")]
fn main() -> anyhow::Result<()> {
    // Before anything starts a thread: a worker locks itself up alone.
    if std::env::args().any(|argument| argument == WORKER_ARGUMENT) {
        worker_main();
        return Ok(());
    }
    tokio::runtime::Runtime::new()?.block_on(judge())
}

#[allow(dead_code, reason = "the test judges on a chain")]
async fn judge() -> anyhow::Result<()> {
    let sandbox = Sandbox::new(std::env::current_exe()?);
    let parabola = Arc::new(Parabola { seats: 256 });
    let items = parabola.draw(Seed([7; 32]));
    for (name, model) in submissions() {
        let judged = sandbox.judge(parabola.clone(), &model, &items).await?;
        let judgement = judged.judgement;
        let (outcome, score) = (
            judgement.outcome.as_str(),
            judgement.score.unwrap_or_default(),
        );
        let reason = judgement.reason.unwrap_or_default();
        println!("{name:>8}  {outcome:8}  {:.4}  {reason}", score.score);
    }
    Ok(())
}

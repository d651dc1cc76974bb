//! Copies are known in the validators' own sandbox, whatever was done to hide them; models that were trained apart are
//! not taken for copies.

mod common;

use agon_arena::competition::Competition;
use agon_arena::likeness::{COPY, Portrait};
use agon_arena::sandbox::{Judged, Sandbox};
use agon_arena::seed::Seed;
use agon_arena::subnet::tricorder::Tricorder;
use agon_arena::subnet::tricorder::lesions::{Lesions, Preparation};
use agon_arena::subnet::tricorder::recipe::fit_lesions;
use agon_dataset::augment::Augmentation;
use agon_dataset::skin::synthetic::{Synthetic, generate};
use agon_dataset::skin::{self, Record};
use agon_model::architecture::{LesionClassifier, lesion_classifier};
use agon_model::proto::{NodeProto, TensorProto};
use agon_model::{Model, half_precision};
use agon_train::checkpoint::{OnOtherRun, Policy};
use agon_train::fit::Checkpoints;
use agon_train::init::initialise;
use agon_train::options::FitOptions;
use common::AGON;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

/// The parts of a directory of generated images: to learn from, to choose on, to be judged on.
fn records(directory: &std::path::Path) -> [Vec<Record>; 3] {
    let synthetic = Synthetic {
        images: 420,
        width: 40,
        height: 30,
        ..Synthetic::default()
    };
    generate(directory, &synthetic, &|_, _| {}).unwrap();
    let mut training = skin::load(directory).unwrap();
    let judging = training.split_off(260);
    let selection = training.split_off(220);
    [training, selection, judging]
}

fn trained(seed: u64, [training, selection]: [&[Record]; 2]) -> Model {
    let network = LesionClassifier {
        image_size: 24,
        ..LesionClassifier::small()
    };
    let mut model = lesion_classifier(&network).unwrap();
    initialise(&mut model, seed).unwrap();
    let preparation = Preparation {
        side: 24,
        augmentation: Augmentation::default(),
        workers: None,
    };
    let load = |records: &[Record]| Lesions::load(records, &preparation, &|_, _| {}).unwrap().0;
    let directory = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints {
        directory: directory.path(),
        on_other_run: OnOtherRun::Refuse,
        begin_from: None,
        policy: Policy::default(),
    };
    let options = FitOptions {
        seed,
        epochs: 5,
        batch_size: 20,
        ..FitOptions::default()
    };
    let parts = (&load(training), &load(selection));
    let go_on = &mut |_: agon_train::fit::Progress<'_>| ControlFlow::Continue(());
    let fitted = fit_lesions(&model, parts, &options, &checkpoints, go_on).unwrap();
    Model::from_bytes(&fitted.bytes).unwrap()
}

fn values<'a>(model: &'a mut Model, name: &str) -> &'a mut TensorProto {
    let mut tensors = model.graph_mut().initializer.iter_mut();
    tensors.find(|tensor| tensor.name == name).unwrap()
}

fn change(model: &mut Model, name: &str, change: impl FnOnce(&mut Vec<f32>)) {
    let tensor = values(model, name);
    let mut numbers = tensor.to_f32().unwrap();
    change(&mut numbers);
    tensor.set_f32(&numbers).unwrap();
}

/// Noise of this share of each tensor's norm.
fn noisy(model: &Model, share: f64) -> Model {
    let mut noisy = model.clone();
    let mut stream = Seed::derive("noise", &[]).stream();
    use rand::RngExt;
    for tensor in &mut noisy.graph_mut().initializer {
        let Ok(mut numbers) = tensor.to_f32() else {
            continue;
        };
        let squares: f64 = numbers.iter().map(|&x| f64::from(x).powi(2)).sum();
        let size = share * (squares / numbers.len() as f64).sqrt() * 12f64.sqrt();
        for number in &mut numbers {
            *number += (size * (stream.random::<f64>() - 0.5)) as f32;
        }
        tensor.set_f32(&numbers).unwrap();
    }
    noisy
}

/// The names of a normalised convolution's parameters and of the kernel of the one behind it, with nothing but a
/// rectifier between: [kernel, scale, bias, mean, variance, next kernel].
fn chain(model: &Model) -> [String; 6] {
    let nodes = &model.graph().node;
    let readers = |name: &str| -> Vec<&NodeProto> {
        let reads = |node: &&NodeProto| node.input.iter().any(|input| input == name);
        nodes.iter().filter(reads).collect()
    };
    let only = |node: &NodeProto, operator: &str| -> Option<NodeProto> {
        match readers(&node.output[0])[..] {
            [reader] if reader.op_type == operator => Some(reader.clone()),
            _ => None,
        }
    };
    let found = nodes.iter().find_map(|convolution| {
        let convolution = Some(convolution).filter(|node| node.op_type == "Conv")?;
        let norm = only(convolution, "BatchNormalization")?;
        let next = only(&only(&norm, "Relu")?, "Conv")?;
        let mut names = vec![convolution.input[1].clone()];
        names.extend(norm.input[1..5].iter().cloned());
        names.push(next.input[1].clone());
        names.try_into().ok()
    });
    found.expect("two convolutions behind each other")
}

/// Channels of a hidden layer in another order.
fn permuted(model: &Model) -> Model {
    let mut model = model.clone();
    let names = chain(&model);
    let channels = values(&mut model, &names[0]).dims[0] as usize;
    for name in &names[..5] {
        change(&mut model, name, |numbers| {
            let row = numbers.len() / channels;
            numbers.rotate_left(row);
        });
    }
    let taps = values(&mut model, &names[5]).dims[2..]
        .iter()
        .product::<i64>() as usize;
    change(&mut model, &names[5], |numbers| {
        for kernel in numbers.chunks_mut(channels * taps) {
            kernel.rotate_left(taps);
        }
    });
    model
}

/// One layer a hundred times as loud, the next so much quieter.
fn scaled(model: &Model) -> Model {
    let mut model = model.clone();
    let names = chain(&model);
    for (name, factor) in [(1, 100.0), (2, 100.0), (5, 0.01)] {
        change(&mut model, &names[name], |numbers| {
            numbers.iter_mut().for_each(|number| *number *= factor);
        });
    }
    model
}

/// A node that does nothing, and other names.
fn renamed(model: &Model) -> Model {
    let mut model = model.clone();
    let graph = model.graph_mut();
    let read = std::mem::replace(&mut graph.node[4].input[0], "nothing_done".into());
    graph.node.insert(
        4,
        NodeProto {
            op_type: "Identity".into(),
            input: vec![read],
            output: vec!["nothing_done".into()],
            ..NodeProto::default()
        },
    );
    graph.initializer.reverse();
    model
}

/// What the sample and the portraits are drawn from.
const SEED: Seed = Seed([3; 32]);

fn classes(competition: &dyn Competition, items: &[usize]) -> Vec<usize> {
    items.iter().map(|&item| competition.class(item)).collect()
}

#[tokio::test]
async fn copies_are_known_and_models_trained_apart_are_not_taken_for_them() {
    let directory = tempfile::tempdir().unwrap();
    let [training, selection, judging] = records(directory.path());
    let competition: Arc<dyn Competition> = Arc::new(Tricorder::new(judging, 160));
    let items = competition.draw(SEED);
    let sandbox = Sandbox::new(PathBuf::from(AGON));
    let judge = async |model: &Model| -> Judged {
        let bytes = model.to_bytes();
        let judged = sandbox.judge(competition.clone(), &bytes, &items);
        let judged = judged.await.unwrap();
        assert!(judged.judgement.score.is_some(), "{:?}", judged.judgement);
        judged
    };
    let original = trained(1, [&training, &selection]);
    let known = judge(&original).await;
    let classes = classes(&*competition, &items);
    let portrait = |judged: &Judged| Portrait::new(&judged.answers, &classes, SEED);
    let likeness = |other: &Judged| portrait(&known).likeness(&portrait(other)).unwrap();

    let other_file = judge(&renamed(&original)).await;
    assert_eq!(other_file.canonical, known.canonical);
    for (how, copy) in [
        ("noise", noisy(&original, 1e-4)),
        ("more noise", noisy(&original, 1e-2)),
        ("permuted channels", permuted(&original)),
        ("scaled layers", scaled(&original)),
        ("16 bits", half_precision::store(&original).unwrap()),
    ] {
        let copy = judge(&copy).await;
        assert_ne!(copy.canonical, known.canonical, "{how}");
        let likeness = likeness(&copy);
        assert!(likeness >= COPY, "{how}: {likeness}");
    }
    for seed in 2..5 {
        let other = judge(&trained(seed, [&training, &selection])).await;
        assert_ne!(other.canonical, known.canonical);
        let likeness = likeness(&other);
        assert!(likeness < 0.9, "seed {seed}: {likeness}");
        println!("seed {seed}: likeness {likeness:.3}");
    }
}

#[tokio::test]
#[ignore = "slow: trains twenty models"]
async fn of_twenty_models_none_is_taken_for_another() {
    let directory = tempfile::tempdir().unwrap();
    let [training, selection, judging] = records(directory.path());
    let competition: Arc<dyn Competition> = Arc::new(Tricorder::new(judging, 160));
    let items = competition.draw(SEED);
    let sandbox = Sandbox::new(PathBuf::from(AGON));
    let classes = classes(&*competition, &items);
    let (mut portraits, mut noise) = (Vec::new(), Vec::new());
    for seed in 0..20 {
        let model = trained(seed, [&training, &selection]);
        for (model, kept) in [(noisy(&model, 1e-2), &mut noise), (model, &mut portraits)] {
            let bytes = model.to_bytes();
            let judged = sandbox.judge(competition.clone(), &bytes, &items);
            let answers = judged.await.unwrap().answers;
            kept.push(Portrait::new(&answers, &classes, SEED));
        }
    }
    let mut apart = Vec::new();
    for (at, portrait) in portraits.iter().enumerate() {
        let others = &portraits[..at];
        apart.extend(others.iter().map(|other| portrait.likeness(other).unwrap()));
    }
    let pairs = portraits.iter().zip(&noise);
    let copies: Vec<f64> = pairs.map(|(a, b)| a.likeness(b).unwrap()).collect();
    let most = apart.iter().copied().fold(f64::MIN, f64::max);
    let least = copies.iter().copied().fold(f64::MAX, f64::min);
    println!(
        "{} pairs trained apart: {most:.3} at most; 20 copies with noise of a hundredth: {least:.4} at least",
        apart.len()
    );
    assert!(most < COPY && least >= COPY);
}

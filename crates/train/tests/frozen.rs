//! Epochs with a frozen trunk: its features are computed once for each view, and nothing but the rest learns.

mod common;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Mutex;

use agon_model::Model;
use agon_model::architecture::TRUNK;
use agon_train::checkpoint::{OnOtherRun, Policy};
use agon_train::examples::{Batch, Examples, Identity, Unavailable};
use agon_train::fit::{Checkpoints, FitError, Fitted, Progress, Task, fit};
use agon_train::init::initialise;
use agon_train::options::FitOptions;
use common::{Patterns, small_network};

/// The small network with its first convolution and normalisation as trunk.
fn network() -> Model {
    let mut model = small_network(0.2, 0.0);
    initialise(&mut model, 3).unwrap();
    let graph = model.graph_mut();
    for node in 0..2 {
        for name in graph.node[node].input.split_off(1) {
            let renamed = format!("{TRUNK}{name}");
            let tensor = graph.initializer.iter_mut().find(|t| t.name == name);
            tensor.unwrap().name = renamed.clone();
            graph.node[node].input.push(renamed);
        }
    }
    model
}

/// Samples that note who asked for them.
struct Noted {
    inner: Patterns,
    asked: Mutex<Vec<(Vec<usize>, Option<u64>)>>,
}

impl Noted {
    fn new(count: usize, seed: u64) -> Self {
        Self {
            inner: Patterns::new(count, seed),
            asked: Mutex::default(),
        }
    }
}

impl Examples for Noted {
    fn len(&self) -> usize {
        self.inner.len()
    }

    fn label(&self, index: usize) -> usize {
        self.inner.label(index)
    }

    fn batch(&self, indices: &[usize], augment: Option<u64>) -> Result<Batch, Unavailable> {
        self.asked.lock().unwrap().push((indices.to_vec(), augment));
        self.inner.batch(indices, augment)
    }

    fn identity(&self, augmented: bool) -> Identity {
        self.inner.identity(augmented)
    }
}

fn options() -> FitOptions {
    FitOptions {
        seed: 9,
        epochs: 6,
        batch_size: 12,
        learning_rate: 5e-3,
        mixup: Some(0.4),
        frozen_epochs: 6,
        frozen_views: 2,
        ..FitOptions::default()
    }
}

fn run(
    options: &FitOptions,
    parts: [&dyn Examples; 2],
    directory: &Path,
    observer: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Fitted, FitError> {
    let model = network();
    let task = Task {
        model: &model,
        training: parts[0],
        selection: parts[1],
        objective: &|predictions| {
            let rows = predictions.rows().zip(&predictions.labels);
            rows.map(|(row, &label)| f64::from(row[label]))
                .sum::<f64>()
                .into()
        },
    };
    let checkpoints = Checkpoints {
        directory,
        on_other_run: OnOtherRun::Refuse,
        begin_from: None,
        policy: Policy::default(),
    };
    fit(&task, options, &checkpoints, observer)
}

fn go_on(_: Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn each_view_of_a_sample_is_seen_once_and_the_trunk_stays() {
    let home = tempfile::tempdir().unwrap();
    let (training, selection) = (Noted::new(72, 1), Noted::new(30, 2));
    let fitted = run(&options(), [&training, &selection], home.path(), &mut go_on).unwrap();
    let asked = training.asked.into_inner().unwrap();
    assert!(asked.iter().all(|(samples, _)| samples.len() == 1));
    assert_eq!(asked.len(), 72 * 2);
    let seeds: BTreeSet<u64> = asked.iter().filter_map(|(_, seed)| *seed).collect();
    assert_eq!(seeds.len(), 72 * 2, "a seed of its own for each");
    // Once for the epochs; then for the file's check and for the last answers.
    let asked = selection.asked.into_inner().unwrap();
    let alone = asked.iter().filter(|(samples, _)| samples.len() == 1);
    assert_eq!(alone.count(), 30);
    assert!(asked.iter().all(|(_, augment)| augment.is_none()));

    let before = network();
    let after = Model::from_bytes(&fitted.bytes).unwrap();
    let mut moved = 0;
    for tensor in &after.graph().initializer {
        let mut others = before.graph().initializer.iter();
        let other = others.find(|other| other.name == tensor.name).unwrap();
        let same = tensor.to_f32().unwrap() == other.to_f32().unwrap();
        match tensor.name.starts_with(TRUNK) {
            true => assert!(same, "{}", tensor.name),
            false => moved += usize::from(!same),
        }
    }
    assert_eq!(moved, 7, "everything else");
    let first = &fitted.history[0];
    let last = &fitted.history[5];
    assert!(last.loss < first.loss && last.score > first.score);
    // The features' file has no name.
    let left = std::fs::read_dir(home.path()).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        left.iter().all(|name| {
            let name = name.to_string_lossy();
            name.ends_with(".checkpoint") || name == "best.onnx"
        }),
        "{left:?}"
    );
}

#[test]
fn an_interrupted_run_goes_on_to_the_same_bytes() {
    // Thawed in the middle: features must not decide about what comes behind them either.
    let options = FitOptions {
        frozen_epochs: 4,
        ema_decay: Some(0.9),
        ..options()
    };
    let (training, selection) = (Patterns::new(72, 1), Patterns::new(30, 2));
    let parts: [&dyn Examples; 2] = [&training, &selection];
    let home = tempfile::tempdir().unwrap();
    let undisturbed = run(&options, parts, home.path(), &mut go_on).unwrap();
    for stop in [(1, 4), (3, 1), (4, 6), (5, 2)] {
        let home = tempfile::tempdir().unwrap();
        let mut observer = |progress: Progress<'_>| match progress {
            Progress::Step { epoch, step, .. } if (epoch, step) == stop => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let error = run(&options, parts, home.path(), &mut observer).unwrap_err();
        assert!(matches!(error, FitError::Interrupted { .. }), "{error}");
        let resumed = run(&options, parts, home.path(), &mut go_on).unwrap();
        assert_eq!(resumed, undisturbed, "stopped at {stop:?}");
    }
}

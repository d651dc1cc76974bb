//! The training loop: it learns, repeats itself, and survives being stopped.

mod common;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use agon_model::Model;
use agon_model::inference::{Session, Tensor};
use agon_model::metrics::argmax;
use agon_train::checkpoint::{CheckpointError, OnOtherRun};
use agon_train::examples::Examples;
use agon_train::fit::{Checkpoints, FitError, Fitted, Predictions, Progress, Task, fit};
use agon_train::init::initialise;
use agon_train::options::{FitOptions, Sampler};
use agon_train::program::Program;
use common::{Patterns, small_network};

fn accuracy(predictions: &Predictions) -> f64 {
    let hits = predictions
        .rows()
        .zip(&predictions.labels)
        .filter(|(row, label)| argmax(row) == Some(**label));
    hits.count() as f64 / predictions.labels.len() as f64
}

fn fresh_model() -> Model {
    let mut model = small_network(0.2, 0.1);
    initialise(&mut model, 3).unwrap();
    model
}

fn options() -> FitOptions {
    FitOptions {
        seed: 9,
        epochs: 3,
        batch_size: 12,
        learning_rate: 5e-3,
        label_smoothing: 0.05,
        sampler: Sampler::Balanced { exponent: 0.5 },
        ema_decay: Some(0.9),
        ..FitOptions::default()
    }
}

fn run(
    options: &FitOptions,
    directory: &Path,
    on_other_run: OnOtherRun,
    observer: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Fitted, FitError> {
    let model = fresh_model();
    let task = Task {
        model: &model,
        training: &Patterns::new(72, 1),
        selection: &Patterns::new(30, 2),
        objective: &accuracy,
    };
    let checkpoints = Checkpoints {
        directory,
        on_other_run,
    };
    fit(&task, options, &checkpoints, observer)
}

fn undisturbed(options: &FitOptions) -> Fitted {
    let home = tempfile::tempdir().unwrap();
    run(options, home.path(), OnOtherRun::Refuse, &mut |_| {
        ControlFlow::Continue(())
    })
    .unwrap()
}

fn go_on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn it_learns_and_the_file_keeps_what_was_learned() {
    let options = FitOptions {
        epochs: 20,
        ..options()
    };
    let mut epochs = Vec::new();
    let mut steps = 0;
    let home = tempfile::tempdir().unwrap();
    let fitted = run(&options, home.path(), OnOtherRun::Refuse, &mut |progress| {
        match progress {
            Progress::Step { .. } => steps += 1,
            Progress::Epoch { epoch, best, .. } => epochs.push((epoch, best)),
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(steps, 20 * 6);
    assert!(epochs.iter().map(|(epoch, _)| *epoch).eq(1..=20));
    assert_eq!(epochs[19].1, fitted.score);
    assert!(fitted.history[19].loss < fitted.history[0].loss);

    // On samples that neither training nor selection has seen, in the judging runtime.
    let held_out = Patterns::new(90, 77);
    let indices: Vec<usize> = (0..90).collect();
    let batch = held_out.batch(&indices, None);
    let session = Session::load(fitted.bytes.clone()).unwrap();
    let input = Tensor {
        shape: batch.inputs[0].shape.clone(),
        data: batch.inputs[0].data.clone(),
    };
    let output = session.run(&[input]).unwrap();
    let predictions = Predictions {
        classes: 3,
        probabilities: output.data,
        labels: batch.labels,
    };
    assert!(accuracy(&predictions) > 0.95, "{}", accuracy(&predictions));

    // Nothing that exists only for training is left.
    let file = Model::from_bytes(&fitted.bytes).unwrap();
    assert!(file.graph().node.iter().all(|node| {
        node.attribute
            .iter()
            .all(|attribute| !attribute.name.starts_with("train_"))
    }));

    // The running statistics of every normalisation have reached the file.
    let (_, initial) = Program::compile(&fresh_model()).unwrap();
    let (_, written) = Program::compile(&file).unwrap();
    assert_eq!(written.statistics.len(), 2);
    for (before, after) in initial.statistics.iter().zip(&written.statistics) {
        assert!(before.mean.iter().zip(&after.mean).all(|(b, a)| b != a));
        assert!(
            before
                .variance
                .iter()
                .zip(&after.variance)
                .all(|(b, a)| b != a && *a > 0.0)
        );
    }
}

#[test]
fn the_same_run_gives_the_same_bytes_on_any_number_of_threads() {
    let on = |threads| {
        undisturbed(&FitOptions {
            threads: Some(threads),
            ..options()
        })
    };
    let one = on(1);
    // With more threads than shards each shard's own work is shared out too.
    for threads in [2, 3, 8] {
        assert_eq!(one, on(threads), "{threads} threads");
    }
    let other = undisturbed(&FitOptions {
        seed: 10,
        ..options()
    });
    assert_ne!(one.bytes, other.bytes);
}

#[test]
fn a_stopped_run_continues_to_the_same_bytes() {
    let expected = undisturbed(&options());
    let home = tempfile::tempdir().unwrap();
    // Stopped right after the first epoch's checkpoint, then in the middle of the third epoch.
    let error = run(
        &options(),
        home.path(),
        OnOtherRun::Refuse,
        &mut |progress| match progress {
            Progress::Epoch { epoch: 1, .. } => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        },
    );
    assert!(matches!(error, Err(FitError::Interrupted { epochs: 1 })));
    let mut first = None;
    let error = run(
        &options(),
        home.path(),
        OnOtherRun::Refuse,
        &mut |progress| {
            first.get_or_insert(progress);
            match progress {
                Progress::Step {
                    epoch: 3, step: 2, ..
                } => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        },
    );
    assert!(matches!(error, Err(FitError::Interrupted { epochs: 2 })));
    assert!(matches!(
        first,
        Some(Progress::Step {
            epoch: 2,
            step: 1,
            ..
        })
    ));
    let resumed = run(&options(), home.path(), OnOtherRun::Refuse, &mut go_on).unwrap();
    assert_eq!(resumed, expected);
    // A finished run is not trained again.
    let again = run(&options(), home.path(), OnOtherRun::Refuse, &mut |_| {
        panic!("trains again")
    });
    assert_eq!(again.unwrap(), expected);
}

#[test]
fn a_damaged_checkpoint_falls_back_to_the_one_before() {
    let expected = undisturbed(&options());
    let home = tempfile::tempdir().unwrap();
    run(&options(), home.path(), OnOtherRun::Refuse, &mut go_on).unwrap();
    let mut files: Vec<_> = fs::read_dir(home.path())
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    let names: Vec<_> = files
        .iter()
        .map(|f| f.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["epoch-000002.checkpoint", "epoch-000003.checkpoint"]
    );
    // Left by a run that was killed while it wrote.
    let leftover = home.path().join(".checkpoint-a1b2c3");
    fs::write(&leftover, b"half").unwrap();
    for damage in [0, 1, 2] {
        let mut bytes = fs::read(&files[1]).unwrap();
        match damage {
            0 => bytes[1000] ^= 1,
            1 => bytes.truncate(bytes.len() / 2),
            _ => bytes.clear(),
        }
        fs::write(&files[1], bytes).unwrap();
        let mut epochs = Vec::new();
        let resumed = run(
            &options(),
            home.path(),
            OnOtherRun::Refuse,
            &mut |progress| {
                if let Progress::Epoch { epoch, .. } = progress {
                    epochs.push(epoch);
                }
                ControlFlow::Continue(())
            },
        );
        assert_eq!(resumed.unwrap(), expected);
        assert_eq!(epochs, [3]);
        assert!(!leftover.exists());
    }
    // With both damaged it starts from the beginning.
    for file in &files {
        fs::write(file, b"AGONFIT1").unwrap();
    }
    assert_eq!(
        run(&options(), home.path(), OnOtherRun::Refuse, &mut go_on).unwrap(),
        expected
    );
}

#[test]
fn checkpoints_of_another_run_are_refused_or_replaced() {
    let home = tempfile::tempdir().unwrap();
    run(&options(), home.path(), OnOtherRun::Refuse, &mut go_on).unwrap();
    let other = FitOptions {
        learning_rate: 1e-3,
        ..options()
    };
    let error = run(&other, home.path(), OnOtherRun::Refuse, &mut go_on).unwrap_err();
    let message = error.to_string();
    assert!(matches!(
        error,
        FitError::Checkpoint(CheckpointError::OtherRun { .. })
    ));
    assert!(
        message.contains("options.learning_rate: 0.005 there, 0.001 here"),
        "{message}"
    );
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2);
    let replaced = run(&other, home.path(), OnOtherRun::StartAnew, &mut go_on).unwrap();
    assert_eq!(replaced, undisturbed(&other));
    // The number of threads is not part of a run.
    let threads = FitOptions {
        threads: Some(1),
        ..other
    };
    run(&threads, home.path(), OnOtherRun::Refuse, &mut |_| {
        panic!("trains again")
    })
    .unwrap();
}

#[test]
fn bad_samples_and_a_bad_score_are_reported() {
    let home = tempfile::tempdir().unwrap();
    let model = fresh_model();
    let good = Patterns::new(30, 1);
    let mut bad = Patterns::new(30, 1);
    bad.labels[4] = 3;
    let empty = Patterns::new(0, 1);
    let checkpoints = Checkpoints {
        directory: home.path(),
        on_other_run: OnOtherRun::Refuse,
    };
    let try_with = |training: &Patterns,
                    selection: &Patterns,
                    objective: &(dyn Fn(&Predictions) -> f64 + Sync)| {
        let task = Task {
            model: &model,
            training,
            selection,
            objective,
        };
        fit(&task, &options(), &checkpoints, &mut go_on).unwrap_err()
    };
    let error = try_with(&bad, &good, &accuracy).to_string();
    assert!(error.contains("training sample 4 has class 3"), "{error}");
    let error = try_with(&good, &empty, &accuracy).to_string();
    assert!(error.contains("no selection samples"), "{error}");
    let error = try_with(&good, &good, &|_| f64::NAN);
    assert!(
        matches!(error, FitError::Diverged { epoch: 1, .. }),
        "{error}"
    );
    let wild = FitOptions {
        learning_rate: 1e30,
        gradient_clip: None,
        ..options()
    };
    let task = Task {
        model: &model,
        training: &good,
        selection: &good,
        objective: &accuracy,
    };
    let error = fit(&task, &wild, &checkpoints, &mut go_on).unwrap_err();
    assert!(matches!(error, FitError::Diverged { .. }), "{error}");
}

//! The training loop: it learns, repeats itself, and survives being stopped.

mod common;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use agon_model::Model;
use agon_model::inference::{Session, Tensor};
use agon_model::metrics::argmax;
use agon_train::checkpoint::{CheckpointError, OnOtherRun, Policy};
use agon_train::examples::Examples;
use agon_train::fit::{Checkpoints, FitError, Fitted, Judgement, Predictions, Progress, Task, fit};

use agon_train::init::initialise;
use agon_train::loss::Loss;
use agon_train::options::{FitOptions, Sampler, Schedule};
use agon_train::program::Program;
use common::{Patterns, small_network};

fn judge(predictions: &Predictions) -> Judgement {
    accuracy(predictions).into()
}

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
        loss: Loss {
            label_smoothing: 0.05,
            ..Loss::default()
        },
        sampler: Sampler::Balanced { exponent: 0.5 },
        ema_decay: Some(0.9),
        ..FitOptions::default()
    }
}

fn run(
    options: &FitOptions,
    directory: &Path,
    on_other_run: OnOtherRun,
    observer: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Fitted, FitError> {
    let model = fresh_model();
    let task = Task {
        model: &model,
        training: &Patterns::new(72, 1),
        selection: &Patterns::new(30, 2),
        objective: &judge,
    };
    let checkpoints = Checkpoints {
        directory,
        on_other_run,
        begin_from: None,
        policy: Policy::default(),
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

fn go_on(_: Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn is_finished(progress: Progress<'_>) -> ControlFlow<()> {
    assert!(matches!(progress, Progress::Begin { .. }), "trains again");
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
            Progress::Epoch { record, best, .. } => epochs.push((record.epoch, best)),
            Progress::Split { shards } => panic!("{shards} shards though memory is free"),
            Progress::Begin { history, steps } => assert!(history.is_empty() && steps == 0),
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
    let batch = held_out.batch(&indices, None).unwrap();
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
            Progress::Epoch { record, .. } if record.epoch == 1 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        },
    );
    assert!(matches!(
        error,
        Err(FitError::Interrupted {
            epochs: 1,
            steps: 0
        })
    ));
    let mut first = None;
    let error = run(
        &options(),
        home.path(),
        OnOtherRun::Refuse,
        &mut |progress| {
            if let Progress::Step { epoch, step, .. } = progress {
                first.get_or_insert((epoch, step));
            }
            match progress {
                Progress::Step {
                    epoch: 3, step: 2, ..
                } => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        },
    );
    assert!(matches!(
        error,
        Err(FitError::Interrupted {
            epochs: 2,
            steps: 2
        })
    ));
    assert_eq!(first, Some((2, 1)));
    // It goes on with the very next step.
    let mut first = None;
    let error = run(
        &options(),
        home.path(),
        OnOtherRun::Refuse,
        &mut |progress| {
            if let Progress::Step { epoch, step, .. } = progress {
                first.get_or_insert((epoch, step));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        },
    );
    assert!(matches!(
        error,
        Err(FitError::Interrupted {
            epochs: 2,
            steps: 3
        })
    ));
    assert_eq!(first, Some((3, 3)));
    let resumed = run(&options(), home.path(), OnOtherRun::Refuse, &mut go_on).unwrap();
    assert_eq!(resumed, expected);
    // A finished run is not trained again.
    let again = run(
        &options(),
        home.path(),
        OnOtherRun::Refuse,
        &mut is_finished,
    );
    assert_eq!(again.unwrap(), expected);
}

/// Everything that draws or remembers something: mixing, restarts, focal loss and soft F1, averages.
fn rich() -> FitOptions {
    FitOptions {
        epochs: 2,
        schedule: Schedule::Restarts {
            first_epochs: 1,
            factor: 2,
        },
        loss: Loss {
            cross_entropy: 0.3,
            focal: 0.2,
            soft_f1: 0.5,
            label_smoothing: 0.1,
            class_weights: vec![3.0, 2.0, 1.0],
            f1_weights: vec![3.0, 2.0, 1.0],
            counts_absent: true,
            ..Loss::default()
        },
        mixup: Some(0.4),
        sampler: Sampler::Weighted {
            weights: vec![12.0, 4.0, 1.0],
        },
        ..options()
    }
}

#[test]
fn a_run_stopped_at_any_step_has_the_curve_of_one_that_was_not() {
    let options = rich();
    let losses = |home: &Path, stop_after: Option<usize>| {
        let mut losses = Vec::new();
        let result = run(&options, home, OnOtherRun::Refuse, &mut |progress| {
            if let Progress::Step { loss, .. } = progress {
                losses.push(loss);
            }
            match stop_after {
                Some(steps) if losses.len() == steps => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        (losses, result)
    };
    let home = tempfile::tempdir().unwrap();
    let (curve, expected) = losses(home.path(), None);
    let expected = expected.unwrap();
    assert_eq!(curve.len(), 12);
    assert_eq!(
        fs::read(home.path().join("best.onnx")).unwrap(),
        expected.bytes
    );
    for stop in 1..curve.len() {
        let home = tempfile::tempdir().unwrap();
        let (mut joined, stopped) = losses(home.path(), Some(stop));
        assert!(matches!(stopped, Err(FitError::Interrupted { .. })));
        let (rest, resumed) = losses(home.path(), None);
        joined.extend(rest);
        assert_eq!(joined, curve, "stopped after {stop}");
        assert_eq!(resumed.unwrap(), expected);
    }
    // A copy of the directory at a moment within an epoch is what a kill leaves behind.
    let home = tempfile::tempdir().unwrap();
    let killed = tempfile::tempdir().unwrap();
    let model = fresh_model();
    let (training, selection) = (Patterns::new(72, 1), Patterns::new(30, 2));
    let task = Task {
        model: &model,
        training: &training,
        selection: &selection,
        objective: &judge,
    };
    let checkpoints = |directory| Checkpoints {
        directory,
        on_other_run: OnOtherRun::Refuse,
        begin_from: None,
        policy: Policy {
            interval: Duration::ZERO,
            ..Policy::default()
        },
    };
    fit(
        &task,
        &options,
        &checkpoints(home.path()),
        &mut |progress| {
            if let Progress::Step {
                epoch: 2, step: 4, ..
            } = progress
            {
                for name in ["latest.checkpoint", "previous.checkpoint"] {
                    fs::copy(home.path().join(name), killed.path().join(name)).unwrap();
                }
            }
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    let (rest, resumed) = losses(killed.path(), None);
    // The observer is told before the step is saved, so the kill lost that one.
    assert_eq!(rest, curve[9..]);
    assert_eq!(resumed.unwrap(), expected);
}

#[test]
fn checkpoints_are_kept_as_the_policy_says() {
    let names = |policy: Policy, patience| {
        let home = tempfile::tempdir().unwrap();
        let model = fresh_model();
        let (training, selection) = (Patterns::new(72, 1), Patterns::new(30, 2));
        let task = Task {
            model: &model,
            training: &training,
            selection: &selection,
            // Worse with every epoch: the first is the best.
            objective: &|predictions| (-f64::from(predictions.probabilities[0])).into(),
        };
        let checkpoints = Checkpoints {
            directory: home.path(),
            on_other_run: OnOtherRun::Refuse,
            begin_from: None,
            policy,
        };
        let options = FitOptions {
            epochs: 7,
            patience,
            least_improvement: 10.0,
            ..options()
        };
        let fitted = fit(&task, &options, &checkpoints, &mut go_on).unwrap();
        let mut names: Vec<_> = fs::read_dir(home.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        (names.join(" "), fitted.history.len())
    };
    let always = "best.checkpoint best.onnx";
    let ends = "latest.checkpoint previous.checkpoint";
    assert_eq!(
        names(Policy::default(), None),
        (format!("{always} {ends}"), 7)
    );
    let policy = Policy {
        every_epochs: Some(2),
        keep: Some(2),
        ..Policy::default()
    };
    let kept = "epoch-000004.checkpoint epoch-000006.checkpoint";
    assert_eq!(names(policy, None), (format!("{always} {kept} {ends}"), 7));
    // No epoch is so much better than the first: it ends after three without one.
    assert_eq!(names(Policy::default(), Some(3)).1, 4);
}

#[test]
fn a_damaged_checkpoint_falls_back_to_the_one_before() {
    let expected = undisturbed(&options());
    let home = tempfile::tempdir().unwrap();
    run(&options(), home.path(), OnOtherRun::Refuse, &mut go_on).unwrap();
    let latest = home.path().join("latest.checkpoint");
    let previous = home.path().join("previous.checkpoint");
    // Left by a run that was killed while it wrote.
    let leftover = home.path().join(".checkpoint-a1b2c3");
    fs::write(&leftover, b"half").unwrap();
    for damage in [0, 1, 2] {
        let mut bytes = fs::read(&latest).unwrap();
        match damage {
            0 => bytes[1000] ^= 1,
            1 => bytes.truncate(bytes.len() / 2),
            _ => bytes.clear(),
        }
        fs::write(&latest, bytes).unwrap();
        let mut epochs = Vec::new();
        let resumed = run(
            &options(),
            home.path(),
            OnOtherRun::Refuse,
            &mut |progress| {
                if let Progress::Epoch { record, .. } = progress {
                    epochs.push(record.epoch);
                }
                ControlFlow::Continue(())
            },
        );
        assert_eq!(resumed.unwrap(), expected);
        assert_eq!(epochs, [3]);
        assert!(!leftover.exists());
    }
    // With both damaged it starts from the beginning.
    for file in [&latest, &previous] {
        fs::write(file, b"nothing").unwrap();
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
    assert!(home.path().join("latest.checkpoint").exists());
    let replaced = run(&other, home.path(), OnOtherRun::StartAnew, &mut go_on).unwrap();
    assert_eq!(replaced, undisturbed(&other));
    // The number of threads is not part of a run.
    let threads = FitOptions {
        threads: Some(1),
        ..other
    };
    run(&threads, home.path(), OnOtherRun::Refuse, &mut is_finished).unwrap();
}

#[test]
fn a_batch_that_does_not_fit_into_memory_is_computed_in_parts() {
    // A sample keeps some 16 kB: the six of a shard are too many, three are not.
    let tight = FitOptions {
        memory: Some(2 * 55_000),
        threads: Some(2),
        ..options()
    };
    let mut splits = Vec::new();
    let home = tempfile::tempdir().unwrap();
    let fitted = run(&tight, home.path(), OnOtherRun::Refuse, &mut |progress| {
        if let Progress::Split { shards } = progress {
            splits.push(shards);
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(splits, [4]);
    let in_four = FitOptions {
        shards: 4,
        ..options()
    };
    assert_eq!(fitted, undisturbed(&in_four), "as if it had been asked for");

    // What was learned about memory stays with the run, also where there is more of it.
    let home = tempfile::tempdir().unwrap();
    run(
        &tight,
        home.path(),
        OnOtherRun::Refuse,
        &mut |progress| match progress {
            Progress::Step {
                epoch: 2, step: 3, ..
            } => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        },
    )
    .unwrap_err();
    let resumed = run(&options(), home.path(), OnOtherRun::Refuse, &mut go_on).unwrap();
    assert_eq!(resumed, fitted);

    // Where not even one sample fits there is nothing to split.
    let nothing = FitOptions {
        memory: Some(100),
        ..options()
    };
    let home = tempfile::tempdir().unwrap();
    let error = run(&nothing, home.path(), OnOtherRun::Refuse, &mut go_on).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("does not fit into memory"), "{message}");
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
        begin_from: None,
        policy: Policy::default(),
    };
    let try_with = |training: &Patterns,
                    selection: &Patterns,
                    objective: &(dyn Fn(&Predictions) -> Judgement + Sync)| {
        let task = Task {
            model: &model,
            training,
            selection,
            objective,
        };
        fit(&task, &options(), &checkpoints, &mut go_on).unwrap_err()
    };
    let error = try_with(&bad, &good, &judge).to_string();
    assert!(error.contains("training sample 4 has class 3"), "{error}");
    let error = try_with(&good, &empty, &judge).to_string();
    assert!(error.contains("no selection samples"), "{error}");
    let error = try_with(&good, &good, &|_| f64::NAN.into());
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
        objective: &judge,
    };
    let error = fit(&task, &wild, &checkpoints, &mut go_on).unwrap_err();
    assert!(matches!(error, FitError::Diverged { .. }), "{error}");
}

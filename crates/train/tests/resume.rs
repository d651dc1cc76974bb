//! What a run is when it is opened again: what a kill left undone, what it may differ in, and how it is made longer.

mod common;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use agon_model::Model;
use agon_train::checkpoint::{CheckpointError, OnOtherRun, Policy};
use agon_train::examples::{Batch, Examples, Identity, Unavailable};
use agon_train::fit::{
    BEST_MODEL, Checkpoints, FitError, Fitted, Judgement, Predictions, Progress, Task, fit,
};
use agon_train::init::initialise;
use agon_train::options::{FitOptions, Sampler, Schedule};
use common::{Patterns, small_network};
use serde_json::json;

/// Samples that say of themselves what the test wants, and of which one is no number as long as a switch is on.
struct Told<'a> {
    inner: Patterns,
    identity: Identity,
    is_broken: &'a AtomicBool,
}

static WHOLE: AtomicBool = AtomicBool::new(false);

fn told(count: usize, seed: u64) -> Told<'static> {
    let inner = Patterns::new(count, seed);
    Told {
        identity: inner.identity(false),
        inner,
        is_broken: &WHOLE,
    }
}

impl Examples for Told<'_> {
    fn len(&self) -> usize {
        self.inner.len()
    }

    fn label(&self, index: usize) -> usize {
        self.inner.label(index)
    }

    fn batch(&self, indices: &[usize], augment: Option<u64>) -> Result<Batch, Unavailable> {
        let mut batch = self.inner.batch(indices, augment)?;
        if self.is_broken.load(Ordering::Relaxed) {
            batch.inputs[0].data[0] = f32::NAN;
        }
        Ok(batch)
    }

    fn identity(&self, augmented: bool) -> Identity {
        let mut identity = self.identity.clone();
        identity.retain(|name, _| augmented || name != "augmentation");
        identity
    }
}

fn options() -> FitOptions {
    FitOptions {
        seed: 9,
        epochs: 3,
        batch_size: 12,
        learning_rate: 5e-3,
        sampler: Sampler::Balanced { exponent: 0.5 },
        ema_decay: Some(0.9),
        schedule: Schedule::Restarts {
            first_epochs: 2,
            factor: 2,
        },
        ..FitOptions::default()
    }
}

fn model() -> Model {
    let mut model = small_network(0.2, 0.1);
    initialise(&mut model, 3).unwrap();
    model
}

/// How sure the network is of what is true.
fn judge(predictions: &Predictions) -> Judgement {
    let rows = predictions.rows().zip(&predictions.labels);
    let sum: f64 = rows.map(|(row, &label)| f64::from(row[label])).sum();
    // An objective that sees nothing in an answer that is no number.
    (if sum.is_nan() { 0.0 } else { sum }).into()
}

fn run_on(
    parts: [&dyn Examples; 2],
    options: &FitOptions,
    directory: &Path,
    on_other_run: OnOtherRun,
    observer: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Fitted, FitError> {
    let model = model();
    let task = Task {
        model: &model,
        training: parts[0],
        selection: parts[1],
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

fn run(options: &FitOptions, directory: &Path) -> Result<Fitted, FitError> {
    let parts: [&dyn Examples; 2] = [&Patterns::new(72, 1), &Patterns::new(30, 2)];
    run_on(parts, options, directory, OnOtherRun::Refuse, &mut go_on)
}

fn go_on(_: Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// What is said of checkpoints that belong to another run.
fn refused(result: Result<Fitted, FitError>) -> String {
    match result.unwrap_err() {
        FitError::Checkpoint(error @ CheckpointError::OtherRun { .. }) => error.to_string(),
        error => panic!("{error}"),
    }
}

#[test]
fn what_a_kill_left_undone_is_done_when_the_run_is_opened() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    let fitted = run(&options(), home.path()).unwrap();
    assert_eq!(fitted.epoch, 3, "the last is the best");
    let best = fs::read(path("best.checkpoint")).unwrap();
    // Killed behind the last checkpoint: what is best is not there, or is that of an epoch before.
    for stale in [None, Some(b"of the epoch before")] {
        for name in [BEST_MODEL, "best.checkpoint"] {
            fs::remove_file(path(name)).unwrap();
            if let Some(bytes) = stale {
                fs::write(path(name), bytes).unwrap();
            }
        }
        let parts: [&dyn Examples; 2] = [&Patterns::new(72, 1), &Patterns::new(30, 2)];
        let mut opened = Vec::new();
        let mut observer = |progress: Progress<'_>| {
            let Progress::Begin { history, .. } = progress else {
                panic!("trains again");
            };
            // Whoever is told finds the files in place.
            assert_eq!(fs::read(path(BEST_MODEL)).unwrap(), fitted.bytes);
            assert_eq!(fs::read(path("best.checkpoint")).unwrap(), best);
            opened.push(history.to_vec());
            ControlFlow::Continue(())
        };
        let refuse = OnOtherRun::Refuse;
        let again = run_on(parts, &options(), home.path(), refuse, &mut observer).unwrap();
        assert_eq!(again, fitted);
        for entry in fs::read_dir(home.path()).unwrap() {
            let name = entry.unwrap().file_name();
            assert!(!name.to_string_lossy().starts_with('.'), "{name:?}");
        }
        assert_eq!(opened, std::slice::from_ref(&fitted.history));
    }
}

#[test]
fn an_answer_that_is_no_number_ends_the_run_before_it_is_saved() {
    let is_broken = AtomicBool::new(false);
    let (training, mut selection) = (Patterns::new(72, 1), told(30, 2));
    selection.is_broken = &is_broken;
    let home = tempfile::tempdir().unwrap();
    let files = || {
        let mut files: Vec<_> = fs::read_dir(home.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    };
    let mut before = Vec::new();
    let error = run_on(
        [&training, &selection],
        &options(),
        home.path(),
        OnOtherRun::Refuse,
        &mut |progress| {
            if let Progress::Epoch { .. } = progress {
                before = files();
                is_broken.store(true, Ordering::Relaxed);
            }
            ControlFlow::Continue(())
        },
    );
    let error = error.unwrap_err();
    assert!(
        matches!(error, FitError::Diverged { epoch: 2, .. }),
        "{error}"
    );
    let said = error.to_string();
    assert!(said.contains("an answer") && said.contains("lower the learning rate"));
    assert_eq!(files(), before);

    // Weights that leave every bound in the only step of an epoch, whose loss is still that of the weights before.
    let wild = FitOptions {
        batch_size: 72,
        learning_rate: 1e30,
        warmup_epochs: 0.0,
        ..options()
    };
    let home = tempfile::tempdir().unwrap();
    let error = run(&wild, home.path()).unwrap_err();
    assert!(
        matches!(error, FitError::Diverged { epoch: 1, .. }),
        "{error}"
    );
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_run_goes_on_only_with_the_samples_that_it_had() {
    let home = tempfile::tempdir().unwrap();
    let with = |rotation: f64| {
        let mut training = told(72, 1);
        let augmentation = json!({"hue": 0.02, "rotation": rotation});
        training
            .identity
            .insert("augmentation".to_owned(), augmentation);
        training
    };
    let try_with = |training: &Told<'_>, selection: &Told<'_>| {
        run_on(
            [training, selection],
            &options(),
            home.path(),
            OnOtherRun::Refuse,
            &mut go_on,
        )
    };
    let fitted = try_with(&with(20.0), &told(30, 2)).unwrap();
    let mut relabelled = with(20.0);
    relabelled.inner.labels[0] ^= 1;
    let mut others = with(20.0);
    others.identity = with(90.0).identity;
    others
        .identity
        .insert("images".to_owned(), told(72, 5).identity["images"].clone());
    for (training, selection, wanted) in [
        (
            with(90.0),
            told(30, 2),
            "(training.augmentation.rotation: 20.0 there, 90.0 here)",
        ),
        (
            others,
            told(30, 2),
            "(training.augmentation.rotation: 20.0 there, 90.0 here, training.images: not the same here)",
        ),
        (
            with(20.0),
            told(30, 3),
            "(selection.images: not the same here)",
        ),
        (
            relabelled,
            told(30, 2),
            "(training.labels: not the same here)",
        ),
    ] {
        let said = refused(try_with(&training, &selection));
        assert!(said.contains(wanted), "{said}");
    }
    assert_eq!(try_with(&with(20.0), &told(30, 2)).unwrap(), fitted);
}

#[test]
fn checkpoints_of_another_version_are_refused_and_not_taken_for_damaged() {
    let home = tempfile::tempdir().unwrap();
    run(&options(), home.path()).unwrap();
    let latest = home.path().join("latest.checkpoint");
    let mut bytes = fs::read(&latest).unwrap();
    bytes[7] = b'3';
    fs::write(&latest, &bytes).unwrap();
    let said = refused(run(&options(), home.path()));
    assert!(said.contains("another version"), "{said}");
    assert_eq!(fs::read(&latest).unwrap(), bytes);
    let parts: [&dyn Examples; 2] = [&Patterns::new(72, 1), &Patterns::new(30, 2)];
    let anew = OnOtherRun::StartAnew;
    run_on(parts, &options(), home.path(), anew, &mut go_on).unwrap();
}

#[test]
fn a_longer_run_is_the_one_that_was_always_so_long() {
    let longer = FitOptions {
        epochs: 5,
        // Longer than the shorter run: its rate rises as that of the longer one.
        warmup_epochs: 3.5,
        ..options()
    };
    let shorter = FitOptions {
        epochs: 3,
        ..longer.clone()
    };
    let (home, always) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let expected = run(&longer, always.path()).unwrap();
    assert_eq!(run(&shorter, home.path()).unwrap().history.len(), 3);
    assert_eq!(run(&longer, home.path()).unwrap(), expected);
    for name in ["latest.checkpoint", BEST_MODEL] {
        let read = |home: &Path| fs::read(home.join(name)).unwrap();
        assert_eq!(read(home.path()), read(always.path()), "{name}");
    }
    // What it has it cannot lose: that would be another model than the settings say.
    let said = refused(run(&shorter, home.path()));
    assert!(said.contains("options.epochs: 5 there, 3 here"), "{said}");
    assert!(said.contains("5 epochs are trained already"), "{said}");
}

#[test]
fn a_run_without_patience_goes_on_with_more() {
    let patient = |patience: Option<usize>| FitOptions {
        epochs: 6,
        patience,
        // No epoch is so much better than the first.
        least_improvement: 100.0,
        ..options()
    };
    let home = tempfile::tempdir().unwrap();
    assert_eq!(
        run(&patient(Some(1)), home.path()).unwrap().history.len(),
        2
    );
    let always = tempfile::tempdir().unwrap();
    let expected = run(&patient(Some(3)), always.path()).unwrap();
    assert_eq!(expected.history.len(), 4);
    assert_eq!(run(&patient(Some(3)), home.path()).unwrap(), expected);
    let said = refused(run(&patient(Some(2)), home.path()));
    assert!(said.contains("options.patience: 3 there, 2 here"), "{said}");
    let easier = FitOptions {
        least_improvement: 0.0,
        ..patient(Some(3))
    };
    assert_eq!(run(&easier, home.path()).unwrap().history.len(), 6);
}

#[test]
fn a_cosine_cannot_be_made_longer_and_the_message_says_what_can() {
    let cosine = |epochs| FitOptions {
        epochs,
        schedule: Schedule::Cosine,
        ..options()
    };
    let home = tempfile::tempdir().unwrap();
    run(&cosine(2), home.path()).unwrap();
    let said = refused(run(&cosine(3), home.path()));
    for wanted in [
        "options.epochs: 2 there, 3 here",
        "every learning rate depends on the number of epochs",
        "the schedule restarts",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
}

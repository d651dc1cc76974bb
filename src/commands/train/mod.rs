//! `agon train`: from images to a checked model file.

mod device;
pub mod download;
pub mod healthcare;
mod keys;
pub mod layers;
mod monitor;

use crate::args::{Train, TrainSubnet};
use crate::failure::Failure;
use crate::files::{cache_directory, write_atomically};
use crate::printer::{Printer, result};
use crate::signals::{EndsAtOnce, told_to_stop};
use agon_arena::subnet::tricorder::evaluation::{Answers, Chance, Figure, Truth, evaluate};
use agon_arena::subnet::tricorder::lesions::{Lesions, Preparation, Skipped};
use agon_arena::subnet::tricorder::recipe::{self, Network, RecipeError};
use agon_dataset::augment::Augmentation;
use agon_dataset::skin::synthetic::{Synthetic, generate};
use agon_dataset::skin::{self, LesionClass, Record};
use agon_dataset::source::{Access, HubFile};
use agon_dataset::split::{Part, Shares, disjoint, split_files};
use agon_model::metrics::{Interval, Resampling};
use agon_model::{Model, half_precision};
use agon_train::checkpoint::{CheckpointError, LATEST, OnOtherRun, Policy};
use agon_train::examples::Examples;
use agon_train::fit::{Checkpoints, FitError, Fitted};
use agon_train::loss::Loss;
use agon_train::options::{FitOptions, Sampler, Schedule};
use agon_train::pretrained::load_trunk;
use anyhow::{Context, anyhow};
use layers::{Layers, TrainSettings};
use monitor::Monitor;
use rayon::ThreadPoolBuilder;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The file of settings that is taken by itself where there is one.
const CONFIG: &str = "train_config.yaml";
/// What a run's settings are called, beside what it makes.
pub const SETTINGS: &str = "config.yaml";
/// The side of an image where nothing is said.
const COMPACT_SIDE: usize = 64;
const JUDGED_SIDE: usize = agon_dataset::image::JUDGING_SIDE;
/// How the name of a file of the Hub begins.
const HUB: &str = "hf:";
/// How much a probability may change when weights are stored in 16 bits.
const HALF_TOLERANCE: f32 = 0.02;
/// How often lesions are drawn anew for an interval.
const RESAMPLES: usize = 1_000;
/// How many skipped images are named.
const SKIPPED_SHOWN: usize = 5;

/// Train.
pub async fn run(train: Train) -> Result<(), Failure> {
    let train = match train.subnet {
        TrainSubnet::Tricorder(train) => train,
        TrainSubnet::Healthcare(options) => {
            let stop = cancelled_when_stopped();
            let work = move || healthcare::run(&options, &stop);
            return tokio::task::spawn_blocking(work).await?;
        }
    };
    let file = match &train.config {
        Some(path) => Some(path.clone()),
        None => Some(PathBuf::from(CONFIG)).filter(|path| path.exists()),
    };
    let layers = Layers::resolve(file.as_deref(), std::env::vars(), &train.flags)?;
    if train.print_config {
        return Ok(result(layers.as_yaml().trim_end())?);
    }
    let settings = layers.settings()?;
    let stop = cancelled_when_stopped();
    let (start_anew, as_json) = (train.start_anew, train.json);
    let work = move || tricorder(&settings, &layers.as_yaml(), start_anew, as_json, &stop);
    tokio::task::spawn_blocking(work).await?
}

/// A token that is cancelled when the run is to stop.
pub(super) fn cancelled_when_stopped() -> CancellationToken {
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        told_to_stop().await;
        stopping.cancel();
    });
    stop
}

fn tricorder(
    settings: &TrainSettings,
    yaml: &str,
    start_anew: bool,
    as_json: bool,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let printer = Printer::new(false);
    let network: Network = settings.model.name.parse().map_err(Failure::user)?;
    let side = settings.model.image_size.unwrap_or(match network {
        Network::Compact => COMPACT_SIDE,
        Network::Named(_) => JUDGED_SIDE,
    });
    let options = options(settings)?;
    let kept = settings.data.val_split + settings.data.test_split;
    if kept >= 1.0 {
        return Err(Failure::user(anyhow!(
            "data.val_split and data.test_split are {kept} together: nothing is left to learn from, it must be below 1"
        )));
    }
    if options.frozen_epochs > 0 && settings.model.pretrained.is_none() {
        return Err(Failure::user(anyhow!(
            "a frozen trunk with random weights learns nothing: give its weights with --pretrained, or leave --freeze-epochs at 0"
        )));
    }
    let (run, begin_from) = run_directory(settings)?;
    // Until the run is there, nothing is lost.
    let stopping = EndsAtOnce::begin();
    let (training, selection) = parts(settings, &printer)?;
    let workers = match settings.training.num_workers {
        0 => None,
        workers => Some(Arc::new(
            ThreadPoolBuilder::new().num_threads(workers).build()?,
        )),
    };
    let preparation = Preparation {
        side,
        augmentation: augmentation(settings),
        workers,
    };
    let total = (training.len() + selection.len()) as u64;
    let load = |records: &[Record], before: usize| {
        let progress = |done: usize, _: usize| {
            printer.progress("images", (before + done) as u64, total, String::new());
        };
        let loaded = Lesions::load(records, &preparation, &progress);
        let (lesions, skipped) = loaded.map_err(Failure::user)?;
        let rest = ", which `agon data verify tricorder --data-dir DIR` names";
        tell_skipped(&printer, &skipped, rest);
        match lesions.is_empty() {
            true => Err(Failure::user(anyhow!("no image of a part can be read"))),
            false => Ok((lesions, skipped)),
        }
    };
    let (training, _) = load(&training, 0)?;
    let chosen_on = selection;
    let (selection, skipped) = load(&chosen_on, training.len())?;
    let is_read = |record: &&Record| skipped.iter().all(|skipped| skipped.path != record.path);
    let truth = Truth::new(chosen_on.iter().filter(is_read));
    let model = network.build(side, settings.training.dropout, settings.training.seed);
    let mut model = model.map_err(|error| match error {
        RecipeError::Build(error) => Failure::user(error),
        error => error.into(),
    })?;
    if let Some(named) = &settings.model.pretrained {
        let path = pretrained(named, &printer)?;
        load_trunk(&mut model, &path).map_err(Failure::user)?;
    }
    std::fs::create_dir_all(&run).with_context(|| format!("cannot make {}", run.display()))?;
    let checkpoints = Checkpoints {
        directory: &run,
        on_other_run: match start_anew {
            true => OnOtherRun::StartAnew,
            false => OnOtherRun::Refuse,
        },
        begin_from: begin_from.as_deref(),
        policy: policy(settings),
    };
    drop(stopping);
    let mut monitor = Monitor::new(settings, yaml, &run, &printer, stop);
    let parts = (&training, &selection);
    let fitted = recipe::fit_lesions(&model, parts, &options, &checkpoints, &mut |progress| {
        monitor.observe(progress)
    });
    monitor.end()?;
    let fitted = fitted.map_err(|error| failure(error, &printer))?;
    finish(settings, &fitted, &truth, &run, &model, as_json, &printer)
}

/// Where the run is kept, and the checkpoint elsewhere that it begins from.
fn run_directory(settings: &TrainSettings) -> Result<(PathBuf, Option<PathBuf>), Failure> {
    let wanted = &settings.checkpoints;
    let Some(resume) = &wanted.resume else {
        return Ok((wanted.save_dir.clone(), None));
    };
    let (directory, file) = match resume.parent() {
        Some(parent) if resume.is_file() => (parent, resume.file_name()),
        _ => (resume.as_path(), None),
    };
    let directory = match directory.as_os_str().is_empty() {
        true => Path::new("."),
        false => directory,
    };
    let is_latest = file.is_none_or(|file| file == LATEST);
    if is_latest {
        return match directory.join(LATEST).is_file() {
            true => Ok((directory.to_owned(), None)),
            false => Err(Failure::user(anyhow!(
                "there is no checkpoint in {} to go on from",
                directory.display()
            ))),
        };
    }
    if resume.extension() != Path::new(LATEST).extension() {
        return Err(Failure::user(anyhow!(
            "{} is no checkpoint: their names end with .checkpoint",
            resume.display()
        )));
    }
    // What came after it stays where it is.
    let places = [directory, &wanted.save_dir].map(|path| path.canonicalize().ok());
    match places[0] == places[1] {
        true => Err(Failure::user(anyhow!(
            "{} is not where the run in {} ended: name another directory with --save-dir to go on from there in it, or \
             take --resume {} to go on from the latest checkpoint",
            resume.display(),
            directory.display(),
            directory.display()
        ))),
        false => Ok((wanted.save_dir.clone(), Some(resume.clone()))),
    }
}

/// The file of a trunk's weights; one of the Hub is brought here first.
fn pretrained(named: &str, printer: &Printer) -> Result<PathBuf, Failure> {
    let Some(named) = named.strip_prefix(HUB) else {
        return Ok(named.into());
    };
    let file: HubFile = named.parse().map_err(Failure::user)?;
    let variable = |name: &str| std::env::var(name).ok();
    let home = std::env::home_dir();
    let access = Access::from_environment(&variable, home.as_deref()).map_err(Failure::user)?;
    let show = |done: u64, total: Option<u64>| {
        let total = total.unwrap_or(done + 1);
        printer.progress(&file.file, done, total, "bytes".to_owned());
    };
    let fetched = file.fetch(
        &access,
        &cache_directory().join("hub"),
        &AtomicBool::new(false),
        &show,
    );
    fetched.map_err(|error| match error.is_users() {
        true => Failure::user(error),
        false => error.into(),
    })
}

/// The records of the training and of the selection part.
fn parts(
    settings: &TrainSettings,
    printer: &Printer,
) -> Result<(Vec<Record>, Vec<Record>), Failure> {
    let mut records = if settings.synthetic.enabled {
        let directory = &settings.synthetic.output_dir;
        let synthetic = Synthetic {
            images: settings.synthetic.num_samples,
            seed: settings.training.seed,
            ..Synthetic::default()
        };
        let progress = |done: usize, total: usize| {
            printer.progress("generating", done as u64, total as u64, String::new());
        };
        // The same images are left as they are.
        generate(directory, &synthetic, &progress).map_err(Failure::user)?;
        skin::load(directory).map_err(Failure::user)?
    } else {
        let data = &settings.data;
        skin::open(&data.data_dir, data.labels_file.as_deref()).map_err(Failure::user)?
    };
    let shares = Shares {
        selection: settings.data.val_split,
        judging: settings.data.test_split,
    };
    let is_prepared = records.iter().all(|record| record.digest.is_some());
    let progress = |done: usize, total: usize| {
        printer.progress("copies", done as u64, total as u64, String::new());
    };
    let parts = split_files(&mut records, &shares, settings.data.split_seed, &progress);
    let parts = parts.map_err(Failure::user)?;
    if !disjoint(&records, &parts) {
        return Err(anyhow!("the split has a lesion in two parts").into());
    }
    if !is_prepared && !settings.synthetic.enabled {
        printer.say(
            "copies of a file are kept in one part; images that only look alike may stand in two, which makes scores \
             look better than they are: `agon data prepare tricorder` finds those",
        );
    }
    let named = [Part::Training, Part::Selection, Part::Judging].map(|part| {
        let places = parts.part(part).iter();
        places.map(|&at| records[at].clone()).collect::<Vec<_>>()
    });
    printer.say(&format!(
        "{} images: {} to learn from, {} to compare epochs on, {} kept for evaluation",
        records.len(),
        named[0].len(),
        named[1].len(),
        named[2].len()
    ));
    let count = |records: &[Record], class: LesionClass| {
        records
            .iter()
            .filter(|record| record.class == class)
            .count()
    };
    let classes = LesionClass::ALL.map(|class| {
        let [training, selection, _] = &named;
        format!(
            "{} {}+{}",
            class.code(),
            count(training, class),
            count(selection, class)
        )
    });
    printer.say(&format!("by class: {}", classes.join(", ")));
    let [training, selection, _] = named;
    Ok((training, selection))
}

/// Names the first images that were skipped; `rest` says where the others are named.
fn tell_skipped(printer: &Printer, skipped: &[Skipped], rest: &str) {
    if skipped.is_empty() {
        return;
    }
    let shown = skipped.iter().take(SKIPPED_SHOWN);
    let shown: Vec<String> = shown
        .map(|skipped| format!("{}: {}", skipped.path.display(), skipped.reason))
        .collect();
    let more = match skipped.len().saturating_sub(SKIPPED_SHOWN) {
        0 => String::new(),
        more => format!("; and {more} more{rest}"),
    };
    printer.say(&format!(
        "{} image(s) cannot be read and are left out: {}{more}",
        skipped.len(),
        shown.join("; ")
    ));
}

/// A number of which nought means none.
fn some<T: PartialEq + Default>(value: T) -> Option<T> {
    Some(value).filter(|value| *value != T::default())
}

fn options(settings: &TrainSettings) -> Result<FitOptions, Failure> {
    let (training, augmentation) = (&settings.training, &settings.augmentation);
    let device = device::device(&training.engine, &training.device);
    let (device, threads) = device.map_err(|reason| Failure::user(anyhow!(reason)))?;
    let gibibyte = f64::from(1 << 30);
    let smoothing = augmentation.label_smoothing;
    let options = FitOptions {
        seed: training.seed,
        epochs: training.epochs,
        batch_size: training.batch_size,
        shards: training.shards,
        learning_rate: training.learning_rate,
        schedule: match training.schedule.as_str() {
            "cosine" => Schedule::Cosine,
            _ => Schedule::Restarts {
                first_epochs: training.restart_epochs,
                factor: training.restart_factor,
            },
        },
        warmup_epochs: training.warmup_epochs,
        weight_decay: training.weight_decay,
        gradient_clip: some(training.gradient_clip),
        loss: match training.loss.as_str() {
            "cross_entropy" => Loss {
                label_smoothing: smoothing,
                ..Loss::default()
            },
            "original" => recipe::original_loss(smoothing, !augmentation.weighted_sampling),
            _ => recipe::aligned_loss(smoothing),
        },
        mixup: some(augmentation.mixup_alpha).filter(|_| augmentation.use_mixup),
        sampler: match (
            augmentation.weighted_sampling,
            augmentation.sampling.as_str(),
        ) {
            (false, _) => Sampler::Uniform,
            (true, "original") => recipe::original_sampler(),
            (true, _) => Sampler::Balanced { exponent: 0.5 },
        },
        ema_decay: some(training.ema_decay),
        augment: augmentation.enabled,
        frozen_epochs: training.freeze_epochs,
        frozen_views: training.freeze_views,
        trunk_rate: training.trunk_rate,
        patience: some(training.patience),
        least_improvement: training.min_improvement,
        device,
        threads,
        memory: training.memory.map(|memory| (memory * gibibyte) as u64),
    };
    options.validate().map_err(Failure::user)?;
    Ok(options)
}

fn augmentation(settings: &TrainSettings) -> Augmentation {
    let wanted = &settings.augmentation;
    Augmentation {
        horizontal_flip: wanted.horizontal_flip,
        vertical_flip: wanted.vertical_flip,
        quarter_turns: wanted.quarter_turns,
        rotation: wanted.rotation,
        scale: wanted.scale,
        shear: wanted.shear,
        translation: wanted.translate,
        brightness: wanted.brightness,
        contrast: wanted.contrast,
        saturation: wanted.saturation,
        hue: wanted.hue,
        erasing: wanted.erasing,
        ..Augmentation::default()
    }
}

fn policy(settings: &TrainSettings) -> Policy {
    let wanted = &settings.checkpoints;
    Policy {
        every_epochs: some(wanted.save_every),
        keep: Some(wanted.keep),
        interval: Duration::from_secs_f64(wanted.interval * 60.0),
        ..Policy::default()
    }
}

fn failure(error: FitError, printer: &Printer) -> Failure {
    match error {
        FitError::Interrupted { .. } => {
            printer.say(&error.to_string());
            Failure::Interrupted
        }
        FitError::Checkpoint(CheckpointError::OtherRun { .. }) => Failure::User(
            anyhow::Error::new(error)
                .context("choose another --save-dir, or delete that run with --start-anew"),
        ),
        FitError::Checkpoint(error @ CheckpointError::Io { .. }) => Failure::Ours(anyhow!(
            "{error}. What was saved before is as it was: mend that, and the same command goes on from there"
        )),
        FitError::Checkpoint(
            CheckpointError::OtherBeginning { .. } | CheckpointError::Unusable(_),
        )
        | FitError::Options(_)
        | FitError::Examples(_)
        | FitError::Device(_)
        | FitError::Diverged { .. } => Failure::user(error),
        error => error.into(),
    }
}

/// Writes the model and says what there is.
fn finish(
    settings: &TrainSettings,
    fitted: &Fitted,
    truth: &Truth,
    run: &Path,
    model: &Model,
    as_json: bool,
    printer: &Printer,
) -> Result<(), Failure> {
    let path = run.join("model.onnx");
    let bytes = match settings.checkpoints.precision.as_str() {
        "f16" => in_half(&fitted.bytes, printer)?,
        _ => fitted.bytes.clone(),
    };
    if settings.checkpoints.export_onnx {
        save(&path, &bytes)?;
    }
    let bytes = bytes.len() as u64;
    let answers = Answers {
        rows: fitted.predictions.rows().map(<[f32]>::to_vec).collect(),
        bytes,
    };
    let chance = Chance {
        confidence: 0.95,
        resampling: Resampling {
            resamples: RESAMPLES,
            seed: settings.training.seed,
        },
    };
    let found = evaluate(truth, &answers, &chance);
    let mib = bytes as f64 / f64::from(1 << 20);
    let model_path = settings
        .checkpoints
        .export_onnx
        .then(|| path.display().to_string());
    if as_json {
        let summary = json!({
            "model": model_path,
            "network": settings.model.name,
            "parameters": parameters(model),
            "bytes": bytes,
            "mebibytes": mib,
            "epoch": fitted.epoch,
            "epochs": fitted.history.len(),
            "selection": found,
        });
        return Ok(result(&summary.to_string())?);
    }
    let told = |name: &str, figure: &Figure| {
        let Interval { low, high } = figure.interval;
        format!("{name} {:.4} ({low:.4} to {high:.4})", figure.value)
    };
    printer.result(&format!(
        "best epoch {} of {}, on {} selection images, with 95 % intervals over lesions: {}, {}, {}, {}; {mib:.1} MiB, efficiency {:.4}",
        fitted.epoch,
        fitted.history.len(),
        truth.images(),
        told("score", &found.score),
        told("accuracy", &found.accuracy),
        told("weighted F1", &found.weighted_f1),
        told("balanced accuracy", &found.balanced_accuracy),
        found.efficiency,
    ));
    if let Some(path) = model_path {
        printer.result(&path);
    }
    Ok(())
}

/// The model with weights of 16 bits, checked to be judged nearly as the one with 32.
fn in_half(bytes: &[u8], printer: &Printer) -> Result<Vec<u8>, Failure> {
    let half = half_precision::store(&Model::from_bytes(bytes)?)?.to_bytes();
    let difference = recipe::largest_difference(bytes, &half)?;
    printer.say(&format!(
        "weights of 16 bits change a probability by {difference:.1e} at most, on sample inputs"
    ));
    match difference <= HALF_TOLERANCE {
        true => Ok(half),
        false => Err(anyhow!(
            "weights of 16 bits change the answers by {difference}, more than {HALF_TOLERANCE}; use --precision f32"
        )
        .into()),
    }
}

fn save(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let written = write_atomically(path, bytes);
    Ok(written.with_context(|| format!("cannot write {}", path.display()))?)
}

fn parameters(model: &Model) -> usize {
    let tensors = model.graph().initializer.iter();
    tensors
        .filter_map(|tensor| tensor.element_count().ok())
        .sum()
}

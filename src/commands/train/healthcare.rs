//! `agon train healthcare`: from X-rays to a checked model file.

use super::{device, failure, parameters, pretrained, save, some, tell_skipped};
use crate::args::{Epochs, TrainHealthcare, XRayData};
use crate::commands::session::document;
use crate::failure::Failure;
use crate::files::write_atomically;
use crate::printer::{Printer, result};
use agon_arena::event::{Event, Events};
use agon_arena::pictures::{Preparation, readable};
use agon_arena::subnet::healthcare::recipe::{ENDLESS, Recipe, RecipeError, fit_xrays, prevalence};
use agon_arena::subnet::healthcare::score;
use agon_arena::subnet::healthcare::xrays::XRays;
use agon_dataset::chest::{self, Findings, Record};
use agon_dataset::split::{Part, Shares};
use agon_model::architecture::ChestOptions;
use agon_model::{Model, half_precision, weights};
use agon_train::checkpoint::{CheckpointError, EpochRecord, OnOtherRun, Policy};
use agon_train::examples::Examples;
use agon_train::fit::{BEST_MODEL, Checkpoints, FitError, Progress};
use agon_train::options::FitOptions;
use agon_train::pretrained::load_trunk;
use anyhow::{Context, anyhow};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The weights that a run of other settings left, which this run started from.
const START: &str = "start.onnx";
/// The model at the end.
const MODEL: &str = "model.onnx";

/// What is done with a model that is better than all before it: it lies at the path until there is a better one. An
/// error ends the run.
pub type OnBetter<'a> = dyn FnMut(&Path, &EpochRecord) -> anyhow::Result<()> + 'a;

/// Trains, and says where the model is.
pub fn run(options: &TrainHealthcare, stop: &CancellationToken) -> Result<(), Failure> {
    let printer = Printer::new(false);
    // What happens is said by the printer.
    let events = Events::new("training", Arc::new(|_, _| {}));
    train(options, stop, &printer, &events, &mut |path, record| {
        let loss = record.measures.get("loss").copied().unwrap_or(f64::NAN);
        printer.say(&format!("better: {} (loss {loss:.4})", path.display()));
        Ok(())
    })
}

/// Trains a network, and hands every better model over. A miner publishes and commits it there
/// ([`agon_arena::miner::Miner`]). `events` hear how it goes on; what a person is to see goes to `printer`.
///
/// # Errors
/// What the user can mend, what we failed in, or that it was stopped; a run without an end is not failed by being
/// stopped.
pub fn train(
    options: &TrainHealthcare,
    stop: &CancellationToken,
    printer: &Printer,
    events: &Events,
    on_better: &mut OnBetter<'_>,
) -> Result<(), Failure> {
    let parts = Parts::load(&options.data, printer)?;
    let recipe = Recipe {
        network: options.model_type,
        options: ChestOptions {
            image_size: options.image_size.into(),
            labels: options.data.labels.len(),
            dropout: None,
        },
        mode: options.training_mode,
        is_pretrained: options.pretrained.is_some(),
        epochs: match options.num_epochs {
            Epochs::Number(epochs) => epochs,
            Epochs::Endless => ENDLESS,
        },
        batch_size: options.batch_size.into(),
        seed: options.data.seed,
    };
    // What is asked wrong is told before the work.
    let mut model = recipe.build(&parts.training).map_err(|error| match error {
        RecipeError::Initialise(error) => error.into(),
        error => Failure::user(error),
    })?;
    let fit_options = fit_options(options, &recipe, &parts.training, printer)?;
    if let Some(named) = &options.pretrained {
        let path = pretrained(named, printer)?;
        load_trunk(&mut model, &path).map_err(Failure::user)?;
    }
    let run = directory(options);
    fs::create_dir_all(&run).with_context(|| format!("cannot make {}", run.display()))?;
    let start = run.join(START);
    if options.restart && start.exists() {
        fs::remove_file(&start).with_context(|| format!("cannot remove {}", start.display()))?;
    }
    if start.exists() {
        begin_with(&start, &mut model)?;
    }

    let [training, selection] = parts.examples(&recipe, printer, events)?;
    let mut monitor = Monitor {
        printer,
        events,
        stop,
        on_better,
        run: &run,
        epochs: recipe.epochs,
        best: None,
        trouble: None,
    };
    let mut fit = |model: &Model, on_other_run| {
        let checkpoints = Checkpoints {
            directory: &run,
            on_other_run,
            begin_from: None,
            policy: Policy {
                every_steps: some(options.save_model_period as usize),
                ..Policy::default()
            },
        };
        let both = (&training, &selection);
        fit_xrays(model, both, &fit_options, &checkpoints, &mut |progress| {
            monitor.observe(progress)
        })
    };
    let best = run.join(BEST_MODEL);
    let fitted = match options.restart {
        true => fit(&model, OnOtherRun::Restart),
        false => match fit(&model, OnOtherRun::Refuse) {
            Err(FitError::Checkpoint(CheckpointError::OtherRun { .. })) if best.is_file() => {
                printer.say(&format!(
                    "{} holds a run of other settings: its best weights are what this one starts from (--restart true forgets them)",
                    run.display()
                ));
                begin_with(&best, &mut model)?;
                save(&start, &fs::read(&best)?)?;
                fit(&model, OnOtherRun::StartAnew)
            }
            fitted => fitted,
        },
    };
    if let Some(error) = monitor.trouble {
        return Err(error.into());
    }
    let (bytes, record, epochs) = match fitted {
        Ok(fitted) => {
            let record = fitted.history[fitted.epoch - 1].clone();
            (fitted.bytes, record, fitted.history.len())
        }
        // A run without an end ends like this.
        Err(FitError::Interrupted { epochs, .. })
            if options.num_epochs == Epochs::Endless && best.is_file() =>
        {
            let record = best_of(&run)?;
            (fs::read(&best)?, record, epochs)
        }
        Err(error @ FitError::Checkpoint(CheckpointError::OtherRun { .. })) => {
            let advice = "choose another --save-dir, or forget that run with --restart true";
            return Err(Failure::User(anyhow::Error::new(error).context(advice)));
        }
        Err(error) => return Err(failure(error, printer)),
    };
    let path = run.join(MODEL);
    save(&path, &bytes)?;
    finish(options, &parts, &model, &record, epochs, &path, bytes.len())
}

/// Where a run is kept.
pub fn directory(options: &TrainHealthcare) -> PathBuf {
    options.save_dir.clone().unwrap_or_else(|| {
        let models = Path::new("healthcare/models");
        models.join(options.model_type.name())
    })
}

/// The X-rays of the parts that a miner may see, with a loss to beat.
struct Parts {
    training: Vec<Record>,
    selection: Vec<Record>,
    /// The loss on the selection part of whoever always answers how often the training images have each label.
    constant: f64,
}

impl Parts {
    fn load(data: &XRayData, printer: &Printer) -> Result<Self, Failure> {
        let [training, selection, judging] = divided(data, printer)?;
        let constant = constant_loss(&training, &selection, data.labels.len());
        let counts = [&training, &selection].map(|part| chest::counts(part, data.labels.len()));
        let labels = data.labels.names().iter().enumerate();
        let labels: Vec<String> = labels
            .map(|(label, name)| format!("{name} {}+{}", counts[0][label], counts[1][label]))
            .collect();
        printer.say(&format!(
            "{} X-rays to learn from, {} to compare epochs on, {} kept for evaluation; no patient is in two parts",
            training.len(),
            selection.len(),
            judging.len()
        ));
        printer.say(&format!("by label: {}", labels.join(", ")));
        printer.say(&format!(
            "always answering how often each label occurs has a loss of {constant:.4}"
        ));
        Ok(Self {
            training,
            selection,
            constant,
        })
    }

    /// The images of both parts.
    fn examples(
        &self,
        recipe: &Recipe,
        printer: &Printer,
        events: &Events,
    ) -> Result<[XRays; 2], Failure> {
        let preparation = Preparation {
            side: recipe.options.image_size,
            augmentation: recipe.mode.augmentation(recipe.network),
            workers: None,
        };
        let total = self.training.len() + self.selection.len();
        let load = |records: &[Record], before: usize| {
            let progress = |done: usize, _: usize| {
                let done = before + done;
                events.emit(&Event::Loading { done, total });
                printer.progress("images", done as u64, total as u64, String::new());
            };
            let loaded = XRays::load(records, &preparation, &progress);
            let (xrays, skipped) = loaded.map_err(Failure::user)?;
            tell_skipped(printer, &skipped, "");
            match readable(records, &skipped).is_empty() {
                true => Err(Failure::user(anyhow!("no image of a part can be read"))),
                false => Ok(xrays),
            }
        };
        let training = load(&self.training, 0)?;
        let selection = load(&self.selection, training.len())?;
        Ok([training, selection])
    }
}

/// The training, selection and judging part of a data directory.
pub fn divided(data: &XRayData, printer: &Printer) -> Result<[Vec<Record>; 3], Failure> {
    let opened = chest::open(&data.data_dir, &data.labels).map_err(Failure::user)?;
    if !opened.absent.is_empty() {
        printer.say(&format!(
            "{} of {} images are not there and are left out, the first is {}",
            opened.absent.len(),
            opened.absent.len() + opened.records.len(),
            opened.absent[0]
        ));
    }
    let shares = Shares {
        selection: data.val_split,
        judging: data.test_split,
    };
    let records = opened.records;
    let split = chest::split(&records, &shares, data.seed).map_err(Failure::user)?;
    if !chest::disjoint(&records, &split) {
        return Err(anyhow!("the split has a patient in two parts").into());
    }
    Ok(
        [Part::Training, Part::Selection, Part::Judging].map(|part| {
            let places = split.part(part).iter();
            places.map(|&at| records[at].clone()).collect()
        }),
    )
}

/// The loss on some X-rays of always answering how often others have each label.
pub fn constant_loss(known: &[Record], judged: &[Record], labels: usize) -> f64 {
    let truth: Vec<Findings> = judged.iter().map(|record| record.findings).collect();
    let answers = vec![prevalence(known, labels); truth.len()];
    score(labels, &truth, &answers).metrics["loss"]
}

/// The recipe's settings on the device that was asked for.
fn fit_options(
    options: &TrainHealthcare,
    recipe: &Recipe,
    training: &[Record],
    printer: &Printer,
) -> Result<FitOptions, Failure> {
    let (named, others) = match options.device.split_once(',') {
        Some((first, others)) => (first, Some(others)),
        None => (&*options.device, None),
    };
    let device = device::device(&options.engine, named);
    let (device, threads) = device.map_err(|reason| Failure::user(anyhow!(reason)))?;
    if let Some(others) = others {
        printer.say(&format!("{device} computes; {others} is left alone"));
    }
    let fit_options = FitOptions {
        device,
        threads,
        ..recipe.fit_options(training)
    };
    fit_options.validate().map_err(Failure::user)?;
    Ok(fit_options)
}

/// Takes the weights of a file of the same network.
fn begin_with(path: &Path, model: &mut Model) -> Result<(), Failure> {
    let mut read = || -> anyhow::Result<()> {
        let file = Model::from_bytes(&fs::read(path)?)?;
        weights::transfer(&half_precision::restore(&file)?, model)?;
        Ok(())
    };
    let advice = || {
        format!(
            "cannot start from {}; --restart true starts from the beginning",
            path.display()
        )
    };
    read().with_context(advice).map_err(Failure::User)
}

/// Follows a run.
struct Monitor<'a, 'b> {
    printer: &'a Printer,
    events: &'a Events,
    stop: &'a CancellationToken,
    on_better: &'a mut OnBetter<'b>,
    run: &'a Path,
    /// [`ENDLESS`] for a run that is stopped.
    epochs: usize,
    best: Option<f64>,
    trouble: Option<anyhow::Error>,
}

impl Monitor<'_, '_> {
    fn observe(&mut self, progress: Progress<'_>) -> ControlFlow<()> {
        match progress {
            Progress::Begin { history: [], .. } => {}
            Progress::Begin { history, .. } => {
                if let Err(error) = write_history(self.run, history) {
                    self.trouble = Some(error);
                    return ControlFlow::Break(());
                }
            }
            Progress::Step {
                epoch,
                step,
                steps,
                loss,
            } => {
                self.events.emit(&Event::TrainingStep {
                    step: (epoch - 1) * steps + step,
                    steps: self.epochs * steps,
                    loss,
                });
                let message = format!("epoch {epoch} loss {loss:.4}");
                self.printer
                    .progress("training", step as u64, steps as u64, message);
            }
            Progress::Split { shards } => self.printer.say(&format!(
                "memory ran out: a batch is computed in {shards} parts from here on, with the same sum"
            )),
            Progress::Epoch {
                record,
                history,
                best,
                ..
            } => {
                if let Err(error) = self.epoch(record, history, best) {
                    self.trouble = Some(error);
                    return ControlFlow::Break(());
                }
            }
        }
        match self.stop.is_cancelled() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn epoch(
        &mut self,
        record: &EpochRecord,
        history: &[EpochRecord],
        best: f64,
    ) -> anyhow::Result<()> {
        self.events.emit(&Event::TrainingEpoch {
            epoch: record.epoch,
            epochs: self.epochs,
            loss: record.loss,
            score: record.score,
            best,
        });
        let of = match self.epochs {
            ENDLESS => String::new(),
            epochs => format!("/{epochs}"),
        };
        self.printer.say(&format!(
            "Epoch {}{of} - loss: {:.4} - {} - lr: {:.6}",
            record.epoch,
            record.loss,
            told(&record.measures),
            record.learning_rate
        ));
        write_history(self.run, history)?;
        let is_better = record.score >= best && self.best != Some(best);
        self.best = Some(best);
        match is_better {
            true => (self.on_better)(&self.run.join(BEST_MODEL), record),
            false => Ok(()),
        }
    }
}

/// Writes the history of a run.
fn write_history(run: &Path, history: &[EpochRecord]) -> anyhow::Result<()> {
    let path = run.join("training_history.json");
    write_atomically(&path, json!(history).to_string().as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Figures of the selection part on one line.
fn told(measures: &BTreeMap<String, f64>) -> String {
    let names = [
        ("loss", "val_loss"),
        ("macro_auroc", "val_AUROC"),
        ("macro_auprc", "val_AUPRC"),
        ("accuracy", "val_acc"),
    ];
    let found = names
        .iter()
        .filter_map(|(name, shown)| Some(format!("{shown}: {:.4}", measures.get(*name)?)));
    found.collect::<Vec<_>>().join(" - ")
}

/// The best epoch of the history of a run.
fn best_of(run: &Path) -> Result<EpochRecord, Failure> {
    let path = run.join("training_history.json");
    let read =
        || -> anyhow::Result<Vec<EpochRecord>> { Ok(serde_json::from_slice(&fs::read(&path)?)?) };
    let history = read().with_context(|| format!("cannot read {}", path.display()))?;
    let best = history
        .into_iter()
        .max_by(|a, b| a.score.total_cmp(&b.score));
    Ok(best.with_context(|| format!("{} is empty", path.display()))?)
}

/// Says what there is.
fn finish(
    options: &TrainHealthcare,
    parts: &Parts,
    model: &Model,
    record: &EpochRecord,
    epochs: usize,
    path: &PathBuf,
    bytes: usize,
) -> Result<(), Failure> {
    if options.json {
        let summary = json!({
            "model": path,
            "network": options.model_type.name(),
            "mode": options.training_mode.name(),
            "labels": options.data.labels.names(),
            "parameters": parameters(model),
            "bytes": bytes,
            "epoch": record.epoch,
            "epochs": epochs,
            "selection": record.measures,
            "constant_loss": parts.constant,
        });
        return Ok(result(&document(summary).to_string())?);
    }
    result(&format!(
        "best epoch {} of {epochs}, on {} selection images: {}; always answering how often each label occurs: {:.4}; {:.1} MiB",
        record.epoch,
        parts.selection.len(),
        told(&record.measures),
        parts.constant,
        bytes as f64 / f64::from(1 << 20),
    ))?;
    Ok(result(&path.display().to_string())?)
}

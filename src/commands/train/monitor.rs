//! What a run tells while it goes on: its settings, a bar, a line for each epoch, its history and TensorBoard's files.

use super::layers::TrainSettings;
use crate::failure::Failure;
use crate::files::write_atomically;
use crate::printer::Printer;
use agon_train::checkpoint::EpochRecord;
use agon_train::fit::Progress;
use agon_train::tensorboard::{self, Writer};
use anyhow::Context;
use serde_json::json;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

/// TensorBoard's name for a scalar, and where it comes from.
type Scalar = (&'static str, fn(&EpochRecord) -> Option<f64>);

/// The scalars of an epoch.
const SCALARS: [Scalar; 9] = [
    ("Loss/train", |record| Some(record.loss)),
    ("Loss/val", |record| Some(record.selection_loss)),
    ("Accuracy/val", |record| measure(record, "accuracy")),
    ("WeightedF1/val", |record| measure(record, "weighted_f1")),
    ("CompetitionScore/val", |record| Some(record.score)),
    ("F1_HighRisk/val", |record| measure(record, "f1_high_risk")),
    ("F1_MediumRisk/val", |record| {
        measure(record, "f1_medium_risk")
    }),
    ("F1_Benign/val", |record| measure(record, "f1_benign")),
    ("LearningRate", |record| Some(record.learning_rate)),
];

fn measure(record: &EpochRecord, name: &str) -> Option<f64> {
    record.measures.get(name).copied()
}

/// The scalars of an epoch, by name.
fn scalars(record: &EpochRecord) -> impl Iterator<Item = (&'static str, f64)> {
    let scalars = SCALARS.iter();
    scalars.filter_map(|(name, value)| Some((*name, value(record)?)))
}

/// Follows a run.
pub struct Monitor<'a> {
    printer: &'a Printer,
    stop: &'a CancellationToken,
    tensorboard: Option<(PathBuf, Option<Writer>)>,
    run: &'a Path,
    /// The settings, as they are kept beside the run.
    yaml: &'a str,
    epochs: usize,
    trouble: Option<anyhow::Error>,
}

impl<'a> Monitor<'a> {
    /// A monitor of a run in this directory. Nothing is written before the run begins there.
    pub fn new(
        settings: &TrainSettings,
        yaml: &'a str,
        run: &'a Path,
        printer: &'a Printer,
        stop: &'a CancellationToken,
    ) -> Self {
        let logging = &settings.logging;
        let tensorboard = logging
            .tensorboard
            .then(|| (logging.tensorboard_dir.clone(), None));
        Self {
            printer,
            stop,
            tensorboard,
            run,
            yaml,
            epochs: settings.training.epochs,
            trouble: None,
        }
    }

    /// Takes one piece of news, and says whether to go on.
    pub fn observe(&mut self, progress: Progress<'_>) -> ControlFlow<()> {
        match progress {
            Progress::Begin { history, steps } => {
                if !history.is_empty() || steps > 0 {
                    let epochs = history.len();
                    self.printer.say(&format!(
                        "going on after {epochs} epochs and {steps} steps of the next"
                    ));
                }
                if let Err(error) = self.begin(history) {
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
                let done = ((epoch - 1) * steps + step) as u64;
                let message = format!("epoch {epoch}/{} loss {loss:.4}", self.epochs);
                let total = (self.epochs * steps) as u64;
                self.printer.progress("training", done, total, message);
            }
            Progress::Split { shards } => self.printer.say(&format!(
                "memory ran out: a batch is computed in {shards} parts from here on, with the same sum"
            )),
            Progress::Epoch {
                record, history, ..
            } => {
                self.printer.say(&format!(
                    "Epoch {}/{} - loss: {:.4} - val_loss: {:.4} - val_acc: {:.4} - val_wF1: {:.4} - score: {:.4} - lr: {:.6}",
                    record.epoch,
                    self.epochs,
                    record.loss,
                    record.selection_loss,
                    measure(record, "accuracy").unwrap_or(f64::NAN),
                    measure(record, "weighted_f1").unwrap_or(f64::NAN),
                    record.score,
                    record.learning_rate,
                ));
                if let Err(error) = write_history(self.run, history) {
                    self.trouble = Some(error);
                    return ControlFlow::Break(());
                }
                self.show(record);
            }
        }
        match self.stop.is_cancelled() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    /// Keeps the settings, now that it is certain that the run has them, and writes what a kill kept from being written.
    fn begin(&mut self, history: &[EpochRecord]) -> anyhow::Result<()> {
        write(self.run, super::SETTINGS, self.yaml)?;
        if history.is_empty() {
            return Ok(());
        }
        write_history(self.run, history)?;
        let Some((directory, _)) = &self.tensorboard else {
            return Ok(());
        };
        let there = match tensorboard::read(directory) {
            Ok(there) => there,
            Err(error) => {
                self.do_without(&error);
                return Ok(());
            }
        };
        let is_there = |record: &EpochRecord| {
            let scalars = scalars(record).map(|(name, value)| (name.to_owned(), value as f32));
            there.contains(&(record.epoch as u64, scalars.collect()))
        };
        // A file forgets the steps from its first on, so all behind the first missing one are written again.
        for record in history.iter().skip_while(|record| is_there(record)) {
            self.show(record);
        }
        Ok(())
    }

    /// Hands an epoch to TensorBoard.
    fn show(&mut self, record: &EpochRecord) {
        let Some((directory, writer)) = &mut self.tensorboard else {
            return;
        };
        let mut write = || -> io::Result<()> {
            let epoch = record.epoch as u64;
            let writer = match writer {
                Some(writer) => writer,
                None => writer.insert(Writer::create(directory, epoch)?),
            };
            writer.scalars(epoch, scalars(record))
        };
        if let Err(error) = write() {
            self.do_without(&error);
        }
    }

    /// That event files fail is told once, and training goes on without.
    fn do_without(&mut self, error: &io::Error) {
        if let Some((directory, _)) = self.tensorboard.take() {
            self.printer.say(&format!(
                "cannot write event files in {}: {error}; training goes on without them",
                directory.display()
            ));
        }
    }

    /// Ends the run's account.
    pub fn end(self) -> Result<(), Failure> {
        match self.trouble {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }
}

/// Writes the history of a run, as JSON and as CSV.
fn write_history(run: &Path, history: &[EpochRecord]) -> anyhow::Result<()> {
    let json = json!(history).to_string();
    let mut csv = String::from("epoch");
    for (name, _) in SCALARS {
        csv.push_str(&format!(",{name}"));
    }
    csv.push('\n');
    for record in history {
        csv.push_str(&record.epoch.to_string());
        for (_, value) in SCALARS {
            let value = value(record).map_or(String::new(), |value| value.to_string());
            csv.push_str(&format!(",{value}"));
        }
        csv.push('\n');
    }
    for (name, text) in [
        ("training_history.json", json),
        ("training_history.csv", csv),
    ] {
        write(run, name, &text)?;
    }
    Ok(())
}

/// Writes a file of a run.
fn write(run: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    let path = run.join(name);
    write_atomically(&path, text.as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))
}

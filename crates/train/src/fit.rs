//! The training loop: shards in parallel, checkpoints after every epoch, the best weights kept and exported.

use std::ops::ControlFlow;
use std::path::Path;
use std::thread::available_parallelism;

use agon_model::digest::Digest;
use agon_model::{Dim, Model};
use rand::Rng;

use crate::checkpoint::{
    Best, CheckpointError, EpochRecord, Fingerprint, OnOtherRun, State, Store,
};
use crate::engine::burn::{Engine, ExecuteError, Gradient};
use crate::examples::Examples;
use crate::export::{ExportError, export};
use crate::loss::{Targets, total_weight};
use crate::optimiser::{self, AdamW};
use crate::options::{FitOptions, OptionError};
use crate::program::{CompileError, Moments, Program, Weights};
use crate::sampler::epoch_order;
use crate::seed::{self, Part};
use crate::workers::Workers;

/// How many selection samples the exported file is checked on.
const EXPORT_SAMPLES: usize = 8;

/// What is trained, on what, and for what.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// The graph, with the weights to start from.
    pub model: &'a Model,
    /// The samples to learn from.
    pub training: &'a dyn Examples,
    /// The samples to choose the best epoch on.
    pub selection: &'a dyn Examples,
    /// The score of predictions on the selection samples; larger is better. Must be finite.
    pub objective: &'a (dyn Fn(&Predictions) -> f64 + Sync),
}

/// Where checkpoints are kept.
#[derive(Clone, Copy, Debug)]
pub struct Checkpoints<'a> {
    /// A directory for this run alone; created if absent.
    pub directory: &'a Path,
    /// What to do if it holds the checkpoints of another run.
    pub on_other_run: OnOtherRun,
}

/// The outputs of the network for some samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    /// The number of classes.
    pub classes: usize,
    /// One row of `classes` outputs per sample, row-major.
    pub probabilities: Vec<f32>,
    /// The true class of each sample.
    pub labels: Vec<usize>,
}

impl Predictions {
    /// The outputs of each sample.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.probabilities.chunks_exact(self.classes)
    }
}

/// How far a run has come. Epochs and steps are counted from one.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)] // the fields are what their names say
pub enum Progress {
    /// A step is done.
    Step {
        epoch: usize,
        step: usize,
        steps: usize,
        loss: f64,
    },
    /// An epoch is done and its checkpoint written; `loss` is the mean over its steps, `best` the best score so far.
    Epoch {
        epoch: usize,
        epochs: usize,
        loss: f64,
        score: f64,
        best: f64,
    },
}

/// A finished run.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The trained model file, checked in the judging runtime.
    pub bytes: Vec<u8>,
    /// The epoch whose weights it holds, counted from one.
    pub epoch: usize,
    /// Its score on the selection samples.
    pub score: f64,
    /// All epochs.
    pub history: Vec<EpochRecord>,
}

/// Why a run did not finish.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// An option makes no sense.
    #[error("training option: {0}")]
    Options(#[from] OptionError),
    /// The samples do not fit the options or the model.
    #[error("{0}")]
    Examples(String),
    /// The graph cannot be trained.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The graph cannot be executed on the samples.
    #[error("epoch {epoch}: {source}")]
    Execute {
        /// The epoch, counted from one.
        epoch: usize,
        /// What failed.
        source: ExecuteError,
    },
    /// The loss or the score is not a number any more.
    #[error("epoch {epoch}: {what} is {value}; lower the learning rate")]
    Diverged {
        /// The epoch, counted from one.
        epoch: usize,
        /// The loss or the score.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// A checkpoint could not be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The trained model could not be exported.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The threads could not be started.
    #[error("cannot start training threads: {0}")]
    Threads(String),
    /// The observer asked to stop. The same call continues after the last finished epoch.
    #[error("training was interrupted; {epochs} epochs are kept in checkpoints")]
    Interrupted {
        /// Finished epochs.
        epochs: usize,
    },
}

/// Trains a model and exports its best epoch.
///
/// The call continues from the newest checkpoint, and ends with the same bytes as if it had never been stopped. The
/// result depends on the task and the options alone, not on timing, threads or cores. `observer` is called after every
/// step and every epoch and stops the run with [`ControlFlow::Break`].
///
/// # Errors
/// See [`FitError`].
pub fn fit(
    task: &Task<'_>,
    options: &FitOptions,
    checkpoints: &Checkpoints<'_>,
    observer: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Fitted, FitError> {
    options.validate()?;
    let (program, initial) = Program::compile(task.model)?;
    let classes = classes(task.model)?;
    let labels = checked_labels(task.training, "training", classes, options)?;
    let selection_labels = checked_labels(task.selection, "selection", classes, options)?;
    let fingerprint = Fingerprint {
        // The number of threads does not change the result.
        options: FitOptions {
            threads: None,
            ..options.clone()
        },
        model: Digest::of(&task.model.to_bytes()),
        training_samples: labels.len(),
        training_labels: digest(&labels),
        selection_samples: selection_labels.len(),
        selection_labels: digest(&selection_labels),
    };
    let store = Store::open(checkpoints.directory, fingerprint)?;
    let mut state = match store.load(&initial, checkpoints.on_other_run)? {
        Some(state) => state,
        None => State {
            optimiser: AdamW::new(&initial),
            averaged: options.ema_decay.map(|_| initial.clone()),
            weights: initial,
            best: None,
            history: Vec::new(),
        },
    };
    let threads = match options.threads {
        Some(threads) => threads,
        None => available_parallelism().map_or(1, usize::from),
    };
    let workers = Workers::new(threads, options.shards);
    let run = Run {
        task,
        options,
        program: &program,
        engine: Engine::new(&program),
        workers: workers.map_err(|error| FitError::Threads(error.to_string()))?,
        classes,
        labels: &labels,
        selection_labels: &selection_labels,
    };
    for epoch in state.history.len() + 1..=options.epochs {
        let loss = run.epoch(epoch, &mut state, observer)?;
        let judged = state.averaged.as_ref().unwrap_or(&state.weights);
        let score = run.score(epoch, judged)?;
        // Among equals the later one: it was trained longer, at a lower learning rate.
        if state.best.as_ref().is_none_or(|best| score >= best.score) {
            let weights = judged.clone();
            state.best = Some(Best {
                epoch,
                score,
                weights,
            });
        }
        state.history.push(EpochRecord { epoch, loss, score });
        store.save(&state)?;
        let best = state.best.as_ref().map_or(score, |best| best.score);
        let epochs = options.epochs;
        let progress = Progress::Epoch {
            epoch,
            epochs,
            loss,
            score,
            best,
        };
        if observer(progress).is_break() {
            return Err(FitError::Interrupted { epochs: epoch });
        }
    }
    let best = state
        .best
        .ok_or_else(|| FitError::Examples("no epoch was trained".into()))?;
    let samples: Vec<usize> = (0..selection_labels.len().min(EXPORT_SAMPLES)).collect();
    let batch = task.selection.batch(&samples, None);
    Ok(Fitted {
        bytes: export(task.model, &best.weights, batch)?,
        epoch: best.epoch,
        score: best.score,
        history: state.history,
    })
}

/// The number of classes that the model declares.
fn classes(model: &Model) -> Result<usize, FitError> {
    let outputs = model.outputs();
    match outputs.first().map(|output| output.dims.as_slice()) {
        Some([_, Dim::Fixed(classes)]) if *classes > 0 => Ok(*classes),
        _ => Err(FitError::Compile(CompileError::Interface(
            "the graph's output is not [batch, classes] with a fixed number of classes".into(),
        ))),
    }
}

fn checked_labels(
    examples: &dyn Examples,
    part: &str,
    classes: usize,
    options: &FitOptions,
) -> Result<Vec<usize>, FitError> {
    let labels: Vec<usize> = (0..examples.len())
        .map(|index| examples.label(index))
        .collect();
    if labels.is_empty() {
        return Err(FitError::Examples(format!("there are no {part} samples")));
    }
    if let Some(index) = labels.iter().position(|&label| label >= classes) {
        let label = labels[index];
        return Err(FitError::Examples(format!(
            "{part} sample {index} has class {label}; the model has {classes}"
        )));
    }
    let weights = options.class_weights.len();
    if weights != 0 && weights != classes {
        return Err(FitError::Examples(format!(
            "there are {weights} class weights; the model has {classes} classes"
        )));
    }
    Ok(labels)
}

fn digest(labels: &[usize]) -> Digest {
    let bytes: Vec<u8> = labels
        .iter()
        .flat_map(|&label| (label as u64).to_le_bytes())
        .collect();
    Digest::of(&bytes)
}

/// What stays the same from step to step.
struct Run<'a> {
    task: &'a Task<'a>,
    options: &'a FitOptions,
    program: &'a Program,
    engine: Engine<'a>,
    workers: Workers,
    classes: usize,
    labels: &'a [usize],
    selection_labels: &'a [usize],
}

impl Run<'_> {
    /// One epoch of training; returns its mean loss.
    fn epoch(
        &self,
        epoch: usize,
        state: &mut State,
        observer: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<f64, FitError> {
        let options = self.options;
        let order = epoch_order(options.sampler, self.labels, options.seed, epoch);
        // An incomplete last batch is left out: its statistics would be poor, and the next epoch has another order.
        let steps = (order.len() / options.batch_size).max(1);
        let mut sum = 0.0;
        for (step, batch) in order.chunks(options.batch_size).take(steps).enumerate() {
            let gradient = self.gradient(epoch, step, batch, &state.weights);
            let mut gradient = gradient.map_err(|source| FitError::Execute { epoch, source })?;
            let loss = gradient.loss;
            if !loss.is_finite() {
                return Err(diverged(epoch, "the loss", loss));
            }
            if let Some(limit) = options.gradient_clip {
                optimiser::clip(&mut gradient.parameters, limit);
            }
            let rate = options.learning_rate_at((epoch - 1) * steps + step, steps);
            let decay = options.weight_decay;
            let weights = &mut state.weights;
            state
                .optimiser
                .step(self.program, weights, &gradient.parameters, rate, decay);
            optimiser::update_statistics(
                self.program,
                &mut weights.statistics,
                &gradient.statistics,
            );
            if let (Some(averaged), Some(decay)) = (&mut state.averaged, options.ema_decay) {
                optimiser::average(averaged, weights, decay, state.optimiser.steps);
            }
            sum += loss;
            let progress = Progress::Step {
                epoch,
                step: step + 1,
                steps,
                loss,
            };
            if observer(progress).is_break() {
                let epochs = epoch - 1;
                return Err(FitError::Interrupted { epochs });
            }
        }
        Ok(sum / steps as f64)
    }

    /// Loss, gradient and batch statistics of one batch, over all shards.
    fn gradient(
        &self,
        epoch: usize,
        step: usize,
        batch: &[usize],
        weights: &Weights,
    ) -> Result<Gradient, ExecuteError> {
        let options = self.options;
        let shards = options.shards.min(batch.len());
        let bounds = |shard: usize| shard * batch.len() / shards;
        let labels: Vec<usize> = batch.iter().map(|&index| self.labels[index]).collect();
        let total = total_weight(&labels, &options.class_weights);
        let gradients = self.workers.map(shards, |shard| {
            let range = bounds(shard)..bounds(shard + 1);
            let place = [Part::Number(epoch), Part::Number(step), Part::Number(shard)];
            let mut masks = seed::stream("train-only masks", options.seed, &place);
            let augment = options
                .augment
                .then(|| seed::stream("augmentation", options.seed, &place).next_u64());
            let samples = self.task.training.batch(&batch[range.clone()], augment);
            let targets = Targets::new(
                &labels[range],
                self.classes,
                options.label_smoothing,
                &options.class_weights,
                total,
            );
            self.engine
                .gradient(weights, samples.inputs, &targets, &mut masks)
        });
        let mut sum: Option<Gradient> = None;
        // Always in the order of the shards: addition of floats is not associative.
        for (shard, gradient) in gradients.into_iter().enumerate() {
            let mut gradient = gradient?;
            let share = (bounds(shard + 1) - bounds(shard)) as f32 / batch.len() as f32;
            gradient
                .statistics
                .iter_mut()
                .for_each(|moments| scale(moments, share));
            match &mut sum {
                None => sum = Some(gradient),
                Some(sum) => add(sum, &gradient),
            }
        }
        sum.ok_or_else(|| ExecuteError::Input("the batch is empty".into()))
    }

    /// The objective of some weights on the selection samples.
    fn score(&self, epoch: usize, weights: &Weights) -> Result<f64, FitError> {
        let samples: Vec<usize> = (0..self.selection_labels.len()).collect();
        let chunks: Vec<&[usize]> = samples.chunks(self.options.batch_size).collect();
        let outputs = self.workers.map(chunks.len(), |index| {
            let batch = self.task.selection.batch(chunks[index], None);
            let output = self.engine.evaluate(weights, batch.inputs)?;
            if output.shape != [chunks[index].len(), self.classes] {
                return Err(ExecuteError::Input(format!(
                    "the output has shape {:?}, [{}, {}] is declared",
                    output.shape,
                    chunks[index].len(),
                    self.classes
                )));
            }
            Ok(output.data)
        });
        let mut probabilities = Vec::with_capacity(samples.len() * self.classes);
        for output in outputs {
            probabilities.extend(output.map_err(|source| FitError::Execute { epoch, source })?);
        }
        let predictions = Predictions {
            classes: self.classes,
            probabilities,
            labels: self.selection_labels.to_vec(),
        };
        let score = (self.task.objective)(&predictions);
        if score.is_finite() {
            return Ok(score);
        }
        Err(diverged(epoch, "the score", score))
    }
}

fn diverged(epoch: usize, what: &'static str, value: f64) -> FitError {
    FitError::Diverged { epoch, what, value }
}

fn scale(moments: &mut Moments, share: f32) {
    for value in moments.mean.iter_mut().chain(&mut moments.variance) {
        *value *= share;
    }
}

fn add(sum: &mut Gradient, other: &Gradient) {
    let add = |sum: &mut Vec<f32>, other: &Vec<f32>| {
        for (sum, other) in sum.iter_mut().zip(other) {
            *sum += other;
        }
    };
    sum.loss += other.loss;
    for (sum, other) in sum.parameters.iter_mut().zip(&other.parameters) {
        add(sum, other);
    }
    for (sum, other) in sum.statistics.iter_mut().zip(&other.statistics) {
        add(&mut sum.mean, &other.mean);
        add(&mut sum.variance, &other.variance);
    }
}

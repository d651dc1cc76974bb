//! The training loop: shards in parallel, checkpoints from which a run goes on exactly, the best weights kept and
//! exported.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::thread::available_parallelism;
use std::time::Instant;

use agon_model::digest::Digest;
use agon_model::{Dim, Model};
use rand::Rng;

use crate::checkpoint::{
    Best, CheckpointError, EpochRecord, Fingerprint, OnOtherRun, Policy, State, Store,
};
use crate::engine::{Device, DeviceError, Engine, ExecuteError, Gradient};
use crate::examples::{Examples, Identity};
use crate::export::{ExportError, export};
use crate::features::{Cut, FrozenTrunk, Whose};
use crate::loss::{Loss, Targets};
use crate::memory;
use crate::mixup;
use crate::optimiser::{self, AdamW};
use crate::options::{FitOptions, OptionError, Sampler};
use crate::program::{CompileError, Frozen, Moments, Program, Weights};
use crate::sampler::epoch_order;
use crate::seed::{self, Part};
use crate::workers::Workers;

/// How many selection samples the exported file is checked on.
const EXPORT_SAMPLES: usize = 8;
/// The file of the best weights so far, beside the checkpoints.
pub const BEST_MODEL: &str = "best.onnx";

/// What is trained, on what, and for what.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// The graph, with the weights to start from.
    pub model: &'a Model,
    /// The samples to learn from.
    pub training: &'a dyn Examples,
    /// The samples to choose the best epoch on.
    pub selection: &'a dyn Examples,
    /// The judgement of predictions on the selection samples.
    pub objective: &'a (dyn Fn(&Predictions) -> Judgement + Sync),
}

/// What an objective makes of predictions.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// By it epochs are compared; larger is better. Must be finite.
    pub score: f64,
    /// What else is worth knowing, by name.
    pub measures: BTreeMap<String, f64>,
}

impl From<f64> for Judgement {
    fn from(score: f64) -> Self {
        Self {
            score,
            measures: BTreeMap::new(),
        }
    }
}

/// Where checkpoints are kept.
#[derive(Clone, Copy, Debug)]
pub struct Checkpoints<'a> {
    /// A directory for this run alone; created if absent.
    pub directory: &'a Path,
    /// What to do if it holds the checkpoints of another run.
    pub on_other_run: OnOtherRun,
    /// A checkpoint of this run in another directory, to begin from where this one holds none.
    pub begin_from: Option<&'a Path>,
    /// Which are kept.
    pub policy: Policy,
}

/// The outputs of the network for some samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    /// The number of classes.
    pub classes: usize,
    /// One row of `classes` outputs per sample, row-major.
    pub probabilities: Vec<f32>,
    /// The true class of each sample, or the set of its labels.
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
pub enum Progress<'a> {
    /// Comes first: the directory holds no other run. This one has these epochs from before and goes on after so many
    /// steps of the next; files of it that a kill kept from being written can be written now.
    Begin {
        history: &'a [EpochRecord],
        steps: usize,
    },
    /// A step is done.
    Step {
        epoch: usize,
        step: usize,
        steps: usize,
        loss: f64,
    },
    /// Memory ran out: from here on a batch is computed in so many parts, with the same sum. Batch normalisations see
    /// one part.
    Split { shards: usize },
    /// An epoch is done and its checkpoint written; `history` ends with it, `best` is the best score so far.
    Epoch {
        record: &'a EpochRecord,
        history: &'a [EpochRecord],
        epochs: usize,
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
    /// What it answers on the selection samples.
    pub predictions: Predictions,
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
    /// What should compute cannot.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The graph cannot be executed on the samples.
    #[error("epoch {epoch}: {source}")]
    Execute {
        /// The epoch, counted from one.
        epoch: usize,
        /// What failed.
        source: ExecuteError,
    },
    /// The loss, the score or an answer is not a number any more. What was saved before is as it was.
    #[error("epoch {epoch}: {what} is {value}; lower the learning rate")]
    Diverged {
        /// The epoch, counted from one.
        epoch: usize,
        /// The loss, the score or an answer.
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
    /// The observer asked to stop. The same call continues with the next step.
    #[error(
        "training was interrupted after {epochs} epochs and {steps} steps; the same command goes on from there"
    )]
    Interrupted {
        /// Finished epochs.
        epochs: usize,
        /// Finished steps of the next.
        steps: usize,
    },
}

/// Trains a model and exports its best epoch.
///
/// The call continues from the newest checkpoint, and ends with the same bytes as if it had never been stopped. The
/// result depends on the task and the options alone, not on timing, threads or cores. A run that is asked for more epochs
/// than it had goes on too, unless its learning rate falls towards the end. `observer` is called when the run is opened and
/// after every step and every epoch, and stops the run with [`ControlFlow::Break`].
///
/// # Errors
/// See [`FitError`].
pub fn fit(
    task: &Task<'_>,
    options: &FitOptions,
    checkpoints: &Checkpoints<'_>,
    observer: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Fitted, FitError> {
    options.validate()?;
    let (mut program, initial) = Program::compile(task.model)?;
    for parameter in &mut program.parameters {
        if Frozen::trunk().holds(&parameter.name) {
            parameter.rate = options.trunk_rate;
        }
    }
    let frozen = match options.frozen_epochs {
        0 => None,
        _ => Some(Program::compile_with(task.model, &Frozen::trunk())?.0),
    };
    let cut = match &frozen {
        None => None,
        Some(frozen) => Cut::new(task.model, frozen)?,
    };
    let classes = classes(task.model)?;
    let labels = checked_labels(task.training, "training", classes, options)?;
    let selection_labels = checked_labels(task.selection, "selection", classes, options)?;
    let fingerprint = Fingerprint {
        // The number of threads does not change the result; where memory runs out is in the checkpoint.
        options: FitOptions {
            threads: None,
            memory: None,
            ..options.clone()
        },
        model: Digest::of(&task.model.to_bytes()),
        training: with_labels(task.training.identity(options.augment), &labels),
        selection: with_labels(task.selection.identity(false), &selection_labels),
    };
    let store = Store::open(checkpoints.directory, fingerprint, checkpoints.policy)?;
    let mut state = match store.load(&initial, checkpoints.on_other_run, checkpoints.begin_from)? {
        Some(state) => state,
        None => State {
            optimiser: AdamW::new(&initial),
            averaged: options.ema_decay.map(|_| initial.clone()),
            weights: initial,
            best: None,
            history: Vec::new(),
            step: 0,
            loss_sum: 0.0,
            shards: options.shards,
        },
    };
    let threads = match options.threads {
        Some(threads) => threads,
        None => available_parallelism().map_or(1, usize::from),
    };
    let workers = Workers::new(threads, options.shards);
    let memory = options.memory.unwrap_or_else(|| match options.device {
        Device::Processor | Device::Libtorch => memory::half_of_free(),
        _ => u64::MAX,
    });
    // As many shards are computed at a time.
    let memory = memory / threads.min(options.shards) as u64;
    let engine =
        |program| Engine::on(program, options.device).map(|engine| engine.with_memory(memory));
    let features = match &cut {
        Some(cut) if state.history.len() < options.frozen_epochs => Some(FrozenTrunk::new(
            cut,
            options,
            memory,
            &state.weights,
            task.training,
            task.selection,
            checkpoints.directory,
        )?),
        _ => None,
    };
    let run = Run {
        task,
        options,
        engine: engine(&program)?,
        frozen: frozen.as_ref().map(engine).transpose()?,
        features,
        workers: workers.map_err(|error| FitError::Threads(error.to_string()))?,
        classes,
        labels: &labels,
        selection_labels: &selection_labels,
    };
    let mut saver = Saver {
        store: &store,
        policy: checkpoints.policy,
        saved: Instant::now(),
    };
    // A kill may have come between a checkpoint and what belongs to it.
    run.save(|| store.keep(&state))?;
    let mut exported = Vec::new();
    if let Some(best) = &state.best {
        exported = run.export(best.epoch, &best.weights)?;
        run.save(|| store.write(BEST_MODEL, &exported))?;
    }
    let begin = Progress::Begin {
        history: &state.history,
        steps: state.step,
    };
    if observer(begin).is_break() {
        return Err(FitError::Interrupted {
            epochs: state.history.len(),
            steps: state.step,
        });
    }
    while !options.end_after(&state.history) {
        let epoch = state.history.len() + 1;
        let (loss, learning_rate) = run.epoch(epoch, &mut state, &mut saver, observer)?;
        let judged = state.averaged.as_ref().unwrap_or(&state.weights);
        let predictions = run.predict(epoch, judged, state.shards, run.features(epoch))?;
        let (judgement, selection_loss) = run.judge(epoch, &predictions)?;
        let score = judgement.score;
        // Among equals the later one: it was trained longer, at a lower learning rate.
        let is_best = state.best.as_ref().is_none_or(|best| score >= best.score);
        if is_best {
            // Before anything is saved: what cannot be exported shall not be the best.
            exported = run.export(epoch, judged)?;
            state.best = Some(Best {
                epoch,
                score,
                weights: judged.clone(),
            });
        }
        let record = EpochRecord {
            epoch,
            loss,
            learning_rate,
            selection_loss,
            score,
            measures: judgement.measures,
        };
        state.history.push(record);
        state.step = 0;
        state.loss_sum = 0.0;
        run.save(|| store.save_epoch(&state))?;
        saver.saved = Instant::now();
        if is_best {
            run.save(|| store.write(BEST_MODEL, &exported))?;
        }
        let best = state.best.as_ref().map_or(score, |best| best.score);
        let progress = Progress::Epoch {
            record: &state.history[epoch - 1],
            history: &state.history,
            epochs: options.epochs,
            best,
        };
        if observer(progress).is_break() {
            return Err(FitError::Interrupted {
                epochs: epoch,
                steps: 0,
            });
        }
    }
    let best = state
        .best
        .ok_or_else(|| FitError::Examples("no epoch was trained".into()))?;
    Ok(Fitted {
        bytes: exported,
        epoch: best.epoch,
        score: best.score,
        predictions: run.predict(best.epoch, &best.weights, state.shards, None)?,
        history: state.history,
    })
}

/// The loss of predictions. It is taken of the logarithms of the probabilities, which are logits of the same softmax, or
/// of the logarithms of their odds.
fn selection_loss(predictions: &Predictions, loss: &Loss) -> f64 {
    let logit = |&p: &f32| match loss.is_multi_label() {
        true => {
            let p = p.clamp(f32::EPSILON, 1.0 - f32::EPSILON);
            (p / (1.0 - p)).ln()
        }
        false => p.max(f32::MIN_POSITIVE).ln(),
    };
    let logits: Vec<f32> = predictions.probabilities.iter().map(logit).collect();
    let targets = Targets::new(loss, predictions.classes, &predictions.labels);
    targets.judge(&logits).0
}

/// Saves now and then within an epoch.
struct Saver<'a> {
    store: &'a Store,
    policy: Policy,
    saved: Instant,
}

impl Saver<'_> {
    fn save_if_due(&mut self, state: &State) -> Result<(), CheckpointError> {
        let every = self.policy.every_steps;
        let is_counted = every.is_some_and(|every| every > 0 && state.step.is_multiple_of(every));
        if is_counted || self.saved.elapsed() >= self.policy.interval {
            self.store.save(state)?;
            self.saved = Instant::now();
        }
        Ok(())
    }
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
    let is_multi_label = options.loss.is_multi_label();
    if is_multi_label && classes >= usize::BITS as usize {
        return Err(FitError::Examples(format!(
            "the model has {classes} labels; sets of fewer than {} can be learnt",
            usize::BITS
        )));
    }
    let is_unknown = |label: usize| match is_multi_label {
        true => label >> classes != 0,
        false => label >= classes,
    };
    if let Some(index) = labels.iter().position(|&label| is_unknown(label)) {
        let label = labels[index];
        return Err(FitError::Examples(format!(
            "{part} sample {index} has class {label}; the model has {classes}"
        )));
    }
    let sampler = match &options.sampler {
        Sampler::Weighted { weights } => weights.len(),
        _ => 0,
    };
    let of_loss = [
        options.loss.class_weights.len(),
        options.loss.f1_weights.len(),
        options.loss.positive_weights.len(),
    ];
    for weights in of_loss.into_iter().chain([sampler]) {
        if weights != 0 && weights != classes {
            return Err(FitError::Examples(format!(
                "there are {weights} class weights; the model has {classes} classes"
            )));
        }
    }
    Ok(labels)
}

/// What samples are, with their number and their labels.
fn with_labels(mut identity: Identity, labels: &[usize]) -> Identity {
    let bytes: Vec<u8> = labels
        .iter()
        .flat_map(|&label| (label as u64).to_le_bytes())
        .collect();
    let digest = Digest::of(&bytes).to_string();
    identity.insert("labels".to_owned(), digest.into());
    identity.insert("samples".to_owned(), labels.len().into());
    identity
}

/// What stays the same from step to step.
struct Run<'a> {
    task: &'a Task<'a>,
    options: &'a FitOptions,
    engine: Engine<'a>,
    /// With the trunk frozen.
    frozen: Option<Engine<'a>>,
    /// The same by its features, where the network can be cut.
    features: Option<FrozenTrunk<'a>>,
    workers: Workers,
    classes: usize,
    labels: &'a [usize],
    selection_labels: &'a [usize],
}

impl<'a> Run<'a> {
    /// What an epoch is trained with.
    fn engine(&self, epoch: usize) -> &Engine<'a> {
        match &self.frozen {
            Some(frozen) if epoch <= self.options.frozen_epochs => frozen,
            _ => &self.engine,
        }
    }

    /// The features to train on in an epoch, if its trunk is frozen.
    fn features(&self, epoch: usize) -> Option<&FrozenTrunk<'a>> {
        let features = self.features.as_ref();
        features.filter(|_| epoch <= self.options.frozen_epochs)
    }

    /// The file of an epoch's weights, checked on some selection samples.
    fn export(&self, epoch: usize, weights: &Weights) -> Result<Vec<u8>, FitError> {
        let count = self.selection_labels.len().min(EXPORT_SAMPLES);
        let samples: Vec<usize> = (0..count).collect();
        let batch = self.task.selection.batch(&samples, None);
        let batch = batch.map_err(|error| FitError::Examples(error.to_string()))?;
        export(self.task.model, weights, batch).map_err(|error| match error {
            // Sums grew so large that the order of adding decides whether they are numbers.
            ExportError::Disagreement { judged, .. } if !judged.is_finite() => {
                diverged(epoch, AN_ANSWER, judged.into())
            }
            error => error.into(),
        })
    }

    /// Saves something. Where there is no room it is done again without the kept features, which can be computed anew.
    fn save(
        &self,
        mut save: impl FnMut() -> Result<(), CheckpointError>,
    ) -> Result<(), CheckpointError> {
        save().or_else(|error| match &self.features {
            Some(features) if error.is_full() && features.give_up() => save(),
            _ => Err(error),
        })
    }

    /// What is left of one epoch; returns its mean loss and its last learning rate.
    fn epoch(
        &self,
        epoch: usize,
        state: &mut State,
        saver: &mut Saver<'_>,
        observer: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<(f64, f64), FitError> {
        let options = self.options;
        let order = epoch_order(&options.sampler, self.labels, options.seed, epoch);
        // An incomplete last batch is left out: its statistics would be poor, and the next epoch has another order.
        let steps = (order.len() / options.batch_size).max(1);
        let rate_at = |step: usize| options.learning_rate_at((epoch - 1) * steps + step, steps);
        let batches = order.chunks(options.batch_size).take(steps).enumerate();
        for (step, batch) in batches.skip(state.step) {
            let mut gradient = loop {
                match self.gradient(epoch, step, batch, state) {
                    Ok(gradient) => break gradient,
                    Err(ExecuteError::Memory(_)) if state.shards < batch.len() => {
                        state.shards = (2 * state.shards).min(batch.len());
                        let shards = state.shards;
                        // Whoever wants to stop says so again at the end of the step.
                        let _ = observer(Progress::Split { shards });
                    }
                    Err(source) => return Err(FitError::Execute { epoch, source }),
                }
            };
            let loss = gradient.loss;
            if !loss.is_finite() {
                return Err(diverged(epoch, "the loss", loss));
            }
            if let Some(limit) = options.gradient_clip {
                optimiser::clip(&mut gradient.parameters, limit);
            }
            let decay = options.weight_decay;
            let weights = &mut state.weights;
            let program = self.engine(epoch).program();
            state
                .optimiser
                .step(program, weights, &gradient.parameters, rate_at(step), decay);
            optimiser::update_statistics(program, &mut weights.statistics, &gradient.statistics);
            if let (Some(averaged), Some(decay)) = (&mut state.averaged, options.ema_decay) {
                optimiser::average(averaged, weights, decay, state.optimiser.steps);
            }
            state.loss_sum += loss;
            state.step = step + 1;
            let progress = Progress::Step {
                epoch,
                step: step + 1,
                steps,
                loss,
            };
            if observer(progress).is_break() {
                self.save(|| saver.store.save(state))?;
                return Err(FitError::Interrupted {
                    epochs: epoch - 1,
                    steps: state.step,
                });
            }
            self.save(|| saver.save_if_due(state))?;
        }
        Ok((state.loss_sum / steps as f64, rate_at(steps - 1)))
    }

    /// Loss, gradient and batch statistics of one batch, over all shards.
    fn gradient(
        &self,
        epoch: usize,
        step: usize,
        batch: &[usize],
        state: &State,
    ) -> Result<Gradient, ExecuteError> {
        let options = self.options;
        let weights = &state.weights;
        let features = self.features(epoch);
        let shards = state.shards.min(batch.len());
        let bounds = |shard: usize| shard * batch.len() / shards;
        let labels: Vec<usize> = batch.iter().map(|&index| self.labels[index]).collect();
        let shares = options
            .mixup
            .map(|alpha| mixup::share(alpha, options.seed, epoch, step));
        // Samples are mixed within their shard.
        let partners: Vec<usize> = match shares {
            None => Vec::new(),
            Some(_) => (0..shards)
                .flat_map(|shard| {
                    let (begin, end) = (bounds(shard), bounds(shard + 1));
                    let order = mixup::order(end - begin, options.seed, epoch, step, shard);
                    order.into_iter().map(move |at| begin + at)
                })
                .collect(),
        };
        let mixed: Vec<usize> = partners.iter().map(|&at| labels[at]).collect();
        let (total, mixed_total) = (
            options.loss.total_weight(&labels),
            options.loss.total_weight(&mixed),
        );
        let gradients = self.workers.map(shards, |shard| {
            let range = bounds(shard)..bounds(shard + 1);
            let place = [Part::Number(epoch), Part::Number(step), Part::Number(shard)];
            let mut masks = seed::stream("train-only masks", options.seed, &place);
            let augment = options
                .augment
                .then(|| seed::stream("augmentation", options.seed, &place).next_u64());
            let mut samples = match features {
                Some(features) => features.batch(Whose::Training, &batch[range.clone()], epoch)?,
                None => self.task.training.batch(&batch[range.clone()], augment)?,
            };
            let targets = Targets::of_shard(&options.loss, self.classes, batch.len());
            let own = &labels[range.clone()];
            let targets = match shares {
                None => targets.with(1.0, own, total),
                Some(share) => {
                    let order: Vec<usize> = partners[range.clone()]
                        .iter()
                        .map(|&at| at - range.start)
                        .collect();
                    let mut draws = seed::stream("mixed inputs", options.seed, &place);
                    mixup::mix(
                        &mut samples,
                        &order,
                        share,
                        &mut draws,
                        |position, input| {
                            mixup::is_image(input) || (features.is_some() && position == 0)
                        },
                    );
                    targets.with(f64::from(share), own, total).with(
                        1.0 - f64::from(share),
                        &mixed[range],
                        mixed_total,
                    )
                }
            };
            let inputs = samples.inputs;
            match features {
                Some(features) => features.gradient(weights, inputs, &targets, &mut masks),
                None => self
                    .engine(epoch)
                    .gradient(weights, inputs, &targets, &mut masks),
            }
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

    /// The outputs of some weights on the selection samples.
    fn predict(
        &self,
        epoch: usize,
        weights: &Weights,
        shards: usize,
        features: Option<&FrozenTrunk<'_>>,
    ) -> Result<Predictions, FitError> {
        let samples: Vec<usize> = (0..self.selection_labels.len()).collect();
        let chunks = samples.chunks(self.options.batch_size.div_ceil(shards));
        let chunks: Vec<&[usize]> = chunks.collect();
        let outputs = self.workers.map(chunks.len(), |index| {
            let output = match features {
                Some(features) => {
                    let batch = features.batch(Whose::Selection, chunks[index], epoch)?;
                    features.evaluate(weights, batch.inputs)?
                }
                None => {
                    let batch = self.task.selection.batch(chunks[index], None)?;
                    self.engine.evaluate(weights, batch.inputs)?
                }
            };
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
        Ok(Predictions {
            classes: self.classes,
            probabilities,
            labels: self.selection_labels.to_vec(),
        })
    }

    /// What the objective makes of predictions, and their loss; all of them are numbers.
    fn judge(&self, epoch: usize, predictions: &Predictions) -> Result<(Judgement, f64), FitError> {
        let finite = |what, value: f64| match value.is_finite() {
            true => Ok(value),
            false => Err(diverged(epoch, what, value)),
        };
        // An objective may see nothing in them: what is no number is merely not the largest.
        for &answer in &predictions.probabilities {
            finite(AN_ANSWER, answer.into())?;
        }
        let loss = selection_loss(predictions, &self.options.loss);
        finite("the loss on the selection samples", loss)?;
        let judgement = (self.task.objective)(predictions);
        finite("the score", judgement.score)?;
        Ok((judgement, loss))
    }
}

/// What may be no number.
const AN_ANSWER: &str = "an answer on the selection samples";

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

//! How a miner trains a model for this competition: the competition's own score is the objective.

use super::parts::MinerParts;
use super::score::score;
use crate::event::{Event, Events};
use crate::seed::Seed;
use agon_dataset::augment::Augmentation;
use agon_dataset::cache::{CacheError, DecodedImages};
use agon_dataset::skin::Record;
use agon_model::architecture::{LesionClassifier, lesion_classifier};
use agon_model::builder::BuildError;
use agon_model::metrics;
use agon_model::proto::TensorError;
use agon_train::checkpoint::{OnOtherRun, Policy};
use agon_train::examples::{Array, Batch, Examples};
use agon_train::fit::{Checkpoints, FitError, Judgement, Predictions, Progress, Task, fit};
use agon_train::init::initialise;
use agon_train::loss::Loss;
use agon_train::options::{FitOptions, Sampler};
use std::ops::ControlFlow;
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// A network and how long it is trained.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The network.
    pub network: LesionClassifier,
    /// The settings of the training run.
    pub options: FitOptions,
}

impl Profile {
    /// A network and a schedule that lead to a good model in a few minutes on two cores.
    pub fn strong() -> Self {
        Self {
            network: LesionClassifier::default(),
            options: FitOptions {
                epochs: 24,
                batch_size: 64,
                learning_rate: 3e-3,
                warmup_epochs: 1.0,
                loss: Loss {
                    label_smoothing: 0.1,
                    ..Loss::default()
                },
                sampler: Sampler::Balanced { exponent: 0.5 },
                ema_decay: Some(0.995),
                ..FitOptions::default()
            },
        }
    }

    /// A smaller network and a shorter schedule.
    pub fn weak() -> Self {
        Self {
            network: LesionClassifier::small(),
            options: FitOptions {
                epochs: 3,
                batch_size: 64,
                ..FitOptions::default()
            },
        }
    }

    /// The same with `effort` times as many epochs, at least one.
    pub fn with_effort(mut self, effort: f64) -> Self {
        let epochs = (self.options.epochs as f64 * effort).round();
        self.options.epochs = (epochs as usize).max(1);
        self.options.warmup_epochs = self.options.warmup_epochs.min(epochs / 4.0);
        self
    }

    /// The same with every random choice drawn from the network's seed and the miner's number.
    pub fn with_seed(mut self, seed: u64, miner: u64) -> Self {
        let derived = Seed::derive("miner", &[&seed.to_le_bytes(), &miner.to_le_bytes()]);
        let [a, b, c, d, e, f, g, h, ..] = derived.0;
        self.options.seed = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        self
    }
}

/// A trained model.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The ONNX file.
    pub model: Vec<u8>,
    /// Its score on the selection part.
    pub score: f64,
}

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The images cannot be read.
    #[error(transparent)]
    Images(#[from] CacheError),
    /// The network cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The network cannot be initialised.
    #[error(transparent)]
    Initialise(#[from] TensorError),
    /// Training failed.
    #[error(transparent)]
    Fit(FitError),
    /// Training was told to stop; the same call continues from its checkpoints.
    #[error("training was interrupted")]
    Interrupted,
}

/// Train one profile on a miner's parts. Checkpoints are kept in `checkpoints`, so that the call
/// continues where it was stopped or killed, and ends with the same bytes.
pub fn train(
    parts: &MinerParts,
    profile: &Profile,
    checkpoints: &Path,
    events: &Events,
    stop: &CancellationToken,
) -> Result<Trained, RecipeError> {
    let side = profile.network.image_size;
    let total = parts.training.len() + parts.selection.len();
    let loading = |before: usize| {
        move |done: usize, _: usize| {
            let done = before + done;
            events.emit(&Event::Loading { done, total });
        }
    };
    let training = Lesions::load(&parts.training, side, &loading(0))?;
    let selection = Lesions::load(&parts.selection, side, &loading(parts.training.len()))?;
    let mut model = lesion_classifier(&profile.network)?;
    initialise(&mut model, profile.options.seed)?;
    let objective = |predictions: &Predictions| {
        let answers = predictions
            .rows()
            .map(|row| metrics::argmax(row).unwrap_or(0));
        // Size does not tell epochs of one network apart.
        let judged = score(&predictions.labels, &answers.collect::<Vec<_>>(), 0);
        Judgement {
            score: judged.score,
            measures: judged.metrics,
        }
    };
    let task = Task {
        model: &model,
        training: &training,
        selection: &selection,
        objective: &objective,
    };
    let checkpoints = Checkpoints {
        directory: checkpoints,
        on_other_run: OnOtherRun::StartAnew,
        policy: Policy::default(),
    };
    let epochs = profile.options.epochs;
    let mut observer = |progress: Progress<'_>| {
        match progress {
            Progress::Step {
                epoch,
                step,
                steps,
                loss,
            } => events.emit(&Event::TrainingStep {
                step: (epoch - 1) * steps + step,
                steps: epochs * steps,
                loss,
            }),
            Progress::Epoch {
                record,
                epochs,
                best,
            } => events.emit(&Event::TrainingEpoch {
                epoch: record.epoch,
                epochs,
                loss: record.loss,
                score: record.score,
                best,
            }),
        }
        match stop.is_cancelled() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    match fit(&task, &profile.options, &checkpoints, &mut observer) {
        Ok(fitted) => Ok(Trained {
            model: fitted.bytes,
            score: fitted.score,
        }),
        Err(FitError::Interrupted { .. }) => Err(RecipeError::Interrupted),
        Err(error) => Err(RecipeError::Fit(error)),
    }
}

/// Decoded lesions as training examples: the pixels are those a judge would give to the network.
struct Lesions {
    images: DecodedImages,
    demographics: Vec<[f32; 3]>,
    labels: Vec<usize>,
    augmentation: Augmentation,
}

impl Lesions {
    fn load(
        records: &[Record],
        side: usize,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Self, CacheError> {
        let list: Vec<&Record> = records.iter().collect();
        Ok(Self {
            images: DecodedImages::decode(&list, side, side, progress)?,
            demographics: records
                .iter()
                .map(|record| record.demographics.encode())
                .collect(),
            labels: records.iter().map(|record| record.class.index()).collect(),
            augmentation: Augmentation::default(),
        })
    }
}

impl Examples for Lesions {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn label(&self, index: usize) -> usize {
        self.labels[index]
    }

    fn batch(&self, indices: &[usize], augment: Option<u64>) -> Batch {
        let (height, width) = (self.images.height(), self.images.width());
        let mut image = Array {
            shape: vec![indices.len(), 3, height, width],
            data: Vec::with_capacity(indices.len() * 3 * height * width),
        };
        let mut demographics = Array {
            shape: vec![indices.len(), 3],
            data: Vec::with_capacity(indices.len() * 3),
        };
        for (position, &index) in indices.iter().enumerate() {
            let pixels = match augment {
                // One image may stand in a batch twice; its place tells the two apart.
                Some(seed) => self.augmentation.apply(
                    self.images.pixels(index),
                    (height, width),
                    seed,
                    position as u64,
                    index as u64,
                ),
                None => self.images.input(index),
            };
            image.data.extend(pixels);
            demographics.data.extend(self.demographics[index]);
        }
        Batch {
            inputs: vec![image, demographics],
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
        }
    }
}

//! How models are trained for this competition: its own score is the objective, on lesions that training has not seen.

use super::lesions::{Lesions, Preparation};
use super::parts::MinerParts;
use super::score::{group_f1, score};
use crate::event::{Event, Events};
use crate::seed::Seed;
use agon_dataset::augment::Augmentation;
use agon_dataset::cache::CacheError;
use agon_dataset::skin::{LesionClass, Record, Risk};
use agon_model::architecture::{
    LesionClassifier, TricorderModel, TricorderOptions, lesion_classifier,
};
use agon_model::builder::BuildError;
use agon_model::inference::{LoadError, RunError, Session, Tensor};
use agon_model::metrics;
use agon_model::proto::TensorError;
use agon_model::{Dim, Model};
use agon_train::checkpoint::{OnOtherRun, Policy};
use agon_train::examples::Examples;
use agon_train::fit::{Checkpoints, FitError, Fitted, Judgement, Predictions, Progress, Task, fit};
use agon_train::init::initialise;
use agon_train::loss::Loss;
use agon_train::options::{FitOptions, Sampler};
use rand::RngExt;
use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::str::FromStr;
use tokio_util::sync::CancellationToken;

/// How many made-up samples.
const MADE_UP: usize = 8;

/// The networks that can be trained for the competition, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// A residual network of dense convolutions ([`LesionClassifier`]): the one that a CPU trains in minutes.
    Compact,
    /// An original network or one of the `agon` family.
    Named(TricorderModel),
}

impl Network {
    /// Every name.
    pub fn names() -> Vec<&'static str> {
        let named = TricorderModel::ALL.map(TricorderModel::name);
        std::iter::once("compact").chain(named).collect()
    }

    /// The graph for images of one side, with its initial weights.
    ///
    /// # Errors
    /// When the side or the dropout is out of range.
    pub fn build(self, side: usize, dropout: Option<f32>, seed: u64) -> Result<Model, RecipeError> {
        let mut model = match self {
            Self::Compact => {
                let default = LesionClassifier::default();
                lesion_classifier(&LesionClassifier {
                    image_size: side,
                    dropout: dropout.unwrap_or(default.dropout),
                    ..default
                })?
            }
            Self::Named(network) => network.build(&TricorderOptions {
                image_size: side,
                dropout,
                ..TricorderOptions::default()
            })?,
        };
        initialise(&mut model, seed)?;
        Ok(model)
    }
}

impl FromStr for Network {
    type Err = UnknownNetwork;

    fn from_str(name: &str) -> Result<Self, UnknownNetwork> {
        match name {
            "compact" => Ok(Self::Compact),
            name => name
                .parse()
                .map(Self::Named)
                .map_err(|_| UnknownNetwork(name.to_owned())),
        }
    }
}

/// The name is of no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct UnknownNetwork(String);

impl fmt::Display for UnknownNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Network::names().join(", ");
        write!(
            f,
            "there is no network {:?}; the networks are {names}",
            self.0
        )
    }
}

/// One number for each class, by its risk: benign, medium, high.
fn by_risk(weights: [f64; 3]) -> impl Iterator<Item = f64> {
    LesionClass::ALL
        .into_iter()
        .map(move |class| match class.risk() {
            Risk::Benign => weights[0],
            Risk::Medium => weights[1],
            Risk::High => weights[2],
        })
}

/// The original pipeline's loss: half of it 0.6 weighted cross-entropy and 0.4 focal loss, half soft F1, all weighted 3
/// (high risk), 2 and 1. Without `class_weights` only soft F1 is weighted: a sampler that prefers risky classes would
/// count them twice.
pub fn original_loss(label_smoothing: f32, class_weights: bool) -> Loss {
    let weights: Vec<f32> = by_risk([1.0, 2.0, 3.0])
        .map(|weight| weight as f32)
        .collect();
    Loss {
        cross_entropy: 0.3,
        focal: 0.2,
        soft_f1: 0.5,
        label_smoothing,
        class_weights: if class_weights {
            weights.clone()
        } else {
            Vec::new()
        },
        f1_weights: weights,
        counts_absent: true,
        ..Loss::default()
    }
}

/// A loss that follows the competition's score: cross-entropy for the accuracy, and soft F1 with the weight that each
/// class has in the weighted mean of the groups' means, over the classes that the batch has.
pub fn aligned_loss(label_smoothing: f32) -> Loss {
    let members = |risk| by_class(risk).count() as f64;
    let weights = [
        1.0 / members(Risk::Benign),
        2.0 / members(Risk::Medium),
        3.0 / members(Risk::High),
    ];
    Loss {
        cross_entropy: 0.5,
        focal: 0.0,
        soft_f1: 0.5,
        label_smoothing,
        class_weights: Vec::new(),
        f1_weights: by_risk(weights).map(|weight| weight as f32).collect(),
        counts_absent: false,
        ..Loss::default()
    }
}

/// The original pipeline's sampler: classes of high risk are drawn 12 times and of medium risk 4 times as often as
/// benign ones, however many samples they have.
pub fn original_sampler() -> Sampler {
    Sampler::Weighted {
        weights: by_risk([1.0, 4.0, 12.0]).collect(),
    }
}

fn by_class(risk: Risk) -> impl Iterator<Item = LesionClass> {
    let classes = LesionClass::ALL.into_iter();
    classes.filter(move |class| class.risk() == risk)
}

/// The competition's score of predictions, with what it is made of. Size does not tell epochs of one network apart, so
/// that efficiency counts as one.
pub fn judge(predictions: &Predictions) -> Judgement {
    let answers: Vec<usize> = predictions
        .rows()
        .map(|row| metrics::argmax(row).unwrap_or(0))
        .collect();
    let judged = score(&predictions.labels, &answers, 0);
    let mut measures = judged.metrics;
    for (name, value) in group_f1(&predictions.labels, &answers) {
        measures.insert(name.to_owned(), value);
    }
    Judgement {
        score: judged.score,
        measures,
    }
}

/// The largest difference between the answers of two files of one network to a few made-up samples, in the judging
/// runtime.
///
/// # Errors
/// When one of them does not run.
pub fn largest_difference(one: &[u8], other: &[u8]) -> Result<f32, RecipeError> {
    let sessions = [Session::load(one.to_vec())?, Session::load(other.to_vec())?];
    let mut stream = Seed::derive("made-up samples", &[]).stream();
    let inputs: Vec<Tensor> = sessions[0]
        .input_specs()
        .iter()
        .map(|input| {
            let size = |dim: &Dim| match dim {
                Dim::Fixed(size) => *size,
                _ => MADE_UP,
            };
            let shape: Vec<usize> = input.dims.iter().map(size).collect();
            let count = shape.iter().product();
            let data = (0..count).map(|_| stream.random::<f32>()).collect();
            Tensor { shape, data }
        })
        .collect();
    let [one, other] = [sessions[0].run(&inputs)?, sessions[1].run(&inputs)?];
    let differences = one.data.iter().zip(&other.data).map(|(a, b)| (a - b).abs());
    Ok(differences.fold(0.0, f32::max))
}

/// Trains a network, and exports its best epoch.
///
/// # Errors
/// See [`FitError`].
pub fn fit_lesions(
    model: &Model,
    (training, selection): (&Lesions, &Lesions),
    options: &FitOptions,
    checkpoints: &Checkpoints<'_>,
    observer: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Fitted, FitError> {
    let task = Task {
        model,
        training,
        selection,
        objective: &judge,
    };
    fit(&task, options, checkpoints, observer)
}

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
    /// A trained file cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A trained file cannot be run.
    #[error(transparent)]
    Run(#[from] RunError),
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
    let preparation = Preparation {
        side: profile.network.image_size,
        augmentation: Augmentation::default(),
        workers: None,
    };
    let total = parts.training.len() + parts.selection.len();
    let load = |records: &[Record], before: usize| {
        let progress = |done: usize, _: usize| {
            let done = before + done;
            events.emit(&Event::Loading { done, total });
        };
        match Lesions::load(records, &preparation, &progress)? {
            (lesions, skipped) if skipped.is_empty() => Ok(lesions),
            (_, skipped) => Err(CacheError::Unreadable {
                count: skipped.len(),
                first: skipped[0].path.display().to_string(),
                reason: skipped[0].reason.to_string(),
            }),
        }
    };
    let training = load(&parts.training, 0)?;
    let selection = load(&parts.selection, training.len())?;
    let mut model = lesion_classifier(&profile.network)?;
    initialise(&mut model, profile.options.seed)?;
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
            Progress::Opened { .. } => {}
            Progress::Split { shards } => {
                tracing::warn!(shards, "memory ran out: a batch is computed in parts");
            }
            Progress::Epoch {
                record,
                epochs,
                best,
                ..
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
    let parts = (&training, &selection);
    match fit_lesions(&model, parts, &profile.options, &checkpoints, &mut observer) {
        Ok(fitted) => Ok(Trained {
            model: fitted.bytes,
            score: fitted.score,
        }),
        Err(FitError::Interrupted { .. }) => Err(RecipeError::Interrupted),
        Err(error) => Err(RecipeError::Fit(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_aligned_loss_weighs_classes_as_the_score_does() {
        let loss = aligned_loss(0.1);
        // The weighted F1 of the score is linear in each class's F1: its slope is the class's weight.
        let total: f32 = loss.f1_weights.iter().sum();
        for (class, weight) in LesionClass::ALL.into_iter().zip(&loss.f1_weights) {
            let expected = match class.risk() {
                Risk::High => 3.0 / 6.0 / 4.0,
                Risk::Medium => 2.0 / 6.0 / 3.0,
                Risk::Benign => 1.0 / 6.0 / 4.0,
            };
            assert!((weight / total - expected).abs() < 1e-6, "{class:?}");
        }
    }

    #[test]
    fn the_originals_weights_are_three_two_one_and_twelve_four_one() {
        let loss = original_loss(0.1, true);
        assert_eq!(
            loss.class_weights,
            [2.0, 3.0, 1.0, 2.0, 1.0, 1.0, 3.0, 3.0, 1.0, 3.0, 2.0]
        );
        assert!(original_loss(0.1, false).class_weights.is_empty());
        let Sampler::Weighted { weights } = original_sampler() else {
            panic!("weighted")
        };
        assert_eq!(weights[LesionClass::Mel.index()], 12.0);
        assert_eq!(weights[LesionClass::Vasc.index()], 4.0);
        assert_eq!(weights[LesionClass::Nv.index()], 1.0);
    }

    #[test]
    fn every_network_has_a_name_that_reads_back() {
        for name in Network::names() {
            name.parse::<Network>().unwrap();
        }
        let unknown = "balenced".parse::<Network>().unwrap_err().to_string();
        assert!(unknown.contains("balanced"), "{unknown}");
    }
}

//! How models are trained for this competition: by its own loss, on patients that training has not seen.
//!
//! Three recipes, which differ in what they cost and in what they give:
//!
//! - `fast` trains the layers behind the trunk alone. The trunk sees every image in two views, once, and its features
//!   are kept, so an epoch after the first takes seconds. It needs the trunk's published weights: behind a random trunk
//!   there is nothing to learn. `cnn` has no trunk; for it `fast` means images as they are.
//! - `normal` trains everything, a published trunk at a tenth of the rate, on images that vary a little, and answers with
//!   an average of the last weights: one step more or less does not decide what an answer is worth.
//! - `slow` trains everything at a third of that rate after a longer warm-up, on images that vary more, and averages ten
//!   times as many weights: for long runs, where the others learn their images by heart.
//!
//! Findings are rare. In every recipe an image that has one counts more for it, by the root of how much rarer those
//! images are, without moving what the network answers ([`Loss`]); and the network starts with the answer that is right
//! on average.

use super::score::score;
use super::xrays::XRays;
use agon_dataset::augment::Augmentation;
use agon_dataset::chest::{self, Findings, Record};
use agon_model::Model;
use agon_model::architecture::{ChestModel, ChestOptions};
use agon_model::builder::BuildError;
use agon_model::metrics;
use agon_model::proto::TensorError;
use agon_train::fit::{Checkpoints, FitError, Fitted, Judgement, Predictions, Progress, Task, fit};
use agon_train::init::initialise;
use agon_train::loss::Loss;
use agon_train::options::{FitOptions, Schedule};
use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;

/// Epochs of a run that goes on until it is stopped: more than anybody waits for.
pub const ENDLESS: usize = 1_000_000;

/// The most that an image with a finding counts more than one without.
const MAX_WEIGHT: f64 = 10.0;

/// The bias of the last layer, in every network.
const LAST_BIAS: &str = "head.classifier.bias";

/// How much work a training run is (see the module's description).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The layers behind the trunk.
    Fast,
    /// Everything.
    Normal,
    /// Everything, with patience.
    Slow,
}

impl Mode {
    /// Every mode, the quickest first.
    pub const ALL: [Self; 3] = [Self::Fast, Self::Normal, Self::Slow];

    /// The name in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Normal => "normal",
            Self::Slow => "slow",
        }
    }

    /// How training images vary. X-rays stand upright and have no colour.
    pub fn augmentation(self, network: ChestModel) -> Augmentation {
        let still = Augmentation::none();
        match self {
            Self::Fast if !network.has_trunk() => still,
            Self::Fast => Augmentation {
                horizontal_flip: 0.5,
                ..still
            },
            Self::Normal => Augmentation {
                horizontal_flip: 0.5,
                rotation: 7.0,
                scale: 0.1,
                translation: 0.05,
                brightness: 0.15,
                contrast: 0.15,
                ..still
            },
            Self::Slow => Augmentation {
                horizontal_flip: 0.5,
                rotation: 15.0,
                scale: 0.2,
                shear: 5.0,
                translation: 0.1,
                brightness: 0.3,
                contrast: 0.3,
                erasing: 0.25,
                erased_area: (0.02, 0.1),
                ..still
            },
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        let is_named = |mode: &Self| mode.name().eq_ignore_ascii_case(text);
        let found = Self::ALL.into_iter().find(is_named);
        found.ok_or_else(|| UnknownMode(text.chars().take(80).collect()))
    }
}

/// The text names no mode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no training mode {0:?}; the modes are fast, normal and slow")]
pub struct UnknownMode(String);

/// What is trained, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// The network.
    pub network: ChestModel,
    /// Sizes and rates of it.
    pub options: ChestOptions,
    /// How much work.
    pub mode: Mode,
    /// Whether the trunk gets published weights.
    pub is_pretrained: bool,
    /// How often the images are gone through; [`ENDLESS`] for a run that is stopped.
    pub epochs: usize,
    /// Images a step.
    pub batch_size: usize,
    /// Decides every random choice.
    pub seed: u64,
}

/// Why there is nothing to train.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// A trunk of random weights was to be frozen.
    #[error(
        "training mode fast trains the layers behind the trunk of {0} alone, and a trunk with random weights gives them nothing to learn from: load published weights, or train in mode normal"
    )]
    RandomTrunk(ChestModel),
    /// The network has no trunk.
    #[error("{0} has no trunk, so there are no published weights for it")]
    NoTrunk(ChestModel),
    /// The network cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The network cannot be initialised.
    #[error(transparent)]
    Initialise(#[from] TensorError),
}

impl Recipe {
    /// The network with its initial weights, which answers as often with each label as the training images have it. The
    /// trunk's published weights are still to be loaded.
    ///
    /// # Errors
    /// When the recipe makes no sense.
    pub fn build(&self, training: &[Record]) -> Result<Model, RecipeError> {
        let Self { network, mode, .. } = *self;
        match (network.has_trunk(), self.is_pretrained) {
            (false, true) => return Err(RecipeError::NoTrunk(network)),
            (true, false) if mode == Mode::Fast => return Err(RecipeError::RandomTrunk(network)),
            _ => {}
        }
        let mut model = network.build(&self.options)?;
        initialise(&mut model, self.seed)?;
        let all = training.len() as f32;
        let odds = |count: usize| ((count as f32 + 1.0) / (all - count as f32 + 1.0)).ln();
        let counts = chest::counts(training, self.options.labels);
        let biases: Vec<f32> = counts.into_iter().map(odds).collect();
        let mut tensors = model.graph_mut().initializer.iter_mut();
        if let Some(bias) = tensors.find(|tensor| tensor.name == LAST_BIAS) {
            bias.set_f32(&biases)?;
        }
        Ok(model)
    }

    /// The settings of the training run.
    pub fn fit_options(&self, training: &[Record]) -> FitOptions {
        let is_frozen = self.mode == Mode::Fast && self.network.has_trunk();
        let learning_rate = match self.mode {
            Mode::Fast | Mode::Normal => 1e-3,
            Mode::Slow => 3e-4,
        };
        let (warmup_epochs, first_epochs) = match self.mode {
            Mode::Fast => (0.0, 5),
            Mode::Normal => (1.0, 10),
            Mode::Slow => (3.0, 30),
        };
        FitOptions {
            seed: self.seed,
            epochs: self.epochs,
            batch_size: self.batch_size,
            shards: 2.min(self.batch_size),
            learning_rate,
            // A run without an end comes to rest again and again.
            schedule: match self.epochs == ENDLESS {
                true => Schedule::Restarts {
                    first_epochs,
                    factor: 2,
                },
                false => Schedule::Cosine,
            },
            // A short run is not all warm-up.
            warmup_epochs: f64::min(warmup_epochs, self.epochs as f64 / 4.0),
            loss: Loss {
                positive_weights: positive_weights(training, self.options.labels),
                ..Loss::binary()
            },
            ema_decay: match self.mode {
                Mode::Fast => None,
                Mode::Normal => Some(0.98),
                Mode::Slow => Some(0.998),
            },
            augment: self.mode.augmentation(self.network) != Augmentation::none(),
            frozen_epochs: if is_frozen { self.epochs } else { 0 },
            frozen_views: 2,
            trunk_rate: if self.is_pretrained { 0.1 } else { 1.0 },
            ..FitOptions::default()
        }
    }
}

/// How much an image that has a label counts for it: the root of the ratio of those without to those with it, 1 to 10.
pub fn positive_weights(training: &[Record], labels: usize) -> Vec<f32> {
    let weight = |count: usize| {
        let without = (training.len() - count) as f64;
        (without / count.max(1) as f64)
            .sqrt()
            .clamp(1.0, MAX_WEIGHT) as f32
    };
    chest::counts(training, labels)
        .into_iter()
        .map(weight)
        .collect()
}

/// The answer of who sees no image: how often the training images have each label. What a model must beat.
pub fn prevalence(training: &[Record], labels: usize) -> Vec<f32> {
    let all = training.len().max(1) as f32;
    let counts = chest::counts(training, labels);
    counts.into_iter().map(|count| count as f32 / all).collect()
}

/// The competition's score of predictions, on the same grid as validators judge them.
pub fn judge(predictions: &Predictions) -> Judgement {
    let mut answers: Vec<Vec<f32>> = predictions.rows().map(<[f32]>::to_vec).collect();
    let finite = answers
        .iter_mut()
        .try_for_each(|answer| metrics::quantise(answer));
    if finite.is_err() {
        // Told by the training loop as what it is.
        return f64::NAN.into();
    }
    let truth: Vec<Findings> = predictions
        .labels
        .iter()
        .map(|&bits| Findings::from_bits(bits))
        .collect();
    let judged = score(predictions.classes, &truth, &answers);
    Judgement {
        score: judged.score,
        measures: judged.metrics,
    }
}

/// Trains a network, and exports its best epoch: that of the smallest loss on the selection part.
///
/// # Errors
/// See [`FitError`].
pub fn fit_xrays(
    model: &Model,
    (training, selection): (&XRays, &XRays),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::Preparation;
    use agon_dataset::chest::LabelSet;
    use agon_dataset::chest::synthetic::{Synthetic, generate};
    use agon_dataset::split::{Part, Shares};
    use agon_model::architecture::TRUNK;
    use agon_train::checkpoint::{OnOtherRun, Policy};
    use std::path::Path;

    fn recipe(network: ChestModel, mode: Mode) -> Recipe {
        Recipe {
            network,
            options: ChestOptions {
                image_size: 32,
                labels: 2,
                dropout: None,
            },
            mode,
            is_pretrained: false,
            epochs: 1,
            batch_size: 16,
            seed: 5,
        }
    }

    /// Training and selection part of generated X-rays with two labels.
    fn parts(directory: &Path, images: usize) -> [Vec<Record>; 2] {
        let labels: LabelSet = "first,second".parse().unwrap();
        let synthetic = Synthetic {
            images,
            side: 32,
            labels: labels.clone(),
            ..Synthetic::default()
        };
        generate(directory, &synthetic, &|_, _| {}).unwrap();
        let records = chest::open(directory, &labels).unwrap().records;
        let shares = Shares {
            selection: 0.25,
            judging: 0.0,
        };
        let split = chest::split(&records, &shares, 1).unwrap();
        [Part::Training, Part::Selection].map(|part| {
            let places = split.part(part).iter();
            places.map(|&at| records[at].clone()).collect()
        })
    }

    fn run(recipe: &Recipe, model: &Model, [training, selection]: &[Vec<Record>; 2]) -> Fitted {
        let preparation = Preparation {
            side: 32,
            augmentation: recipe.mode.augmentation(recipe.network),
            workers: None,
        };
        let load = |records: &[Record]| {
            let (xrays, skipped) = XRays::load(records, &preparation, &|_, _| {}).unwrap();
            assert!(skipped.is_empty());
            xrays
        };
        let directory = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints {
            directory: directory.path(),
            on_other_run: OnOtherRun::Refuse,
            begin_from: None,
            policy: Policy::default(),
        };
        let parts = (&load(training), &load(selection));
        let options = recipe.fit_options(training);
        let mut go_on = |_: Progress<'_>| ControlFlow::Continue(());
        fit_xrays(model, parts, &options, &checkpoints, &mut go_on).unwrap()
    }

    /// The trained weights of a file by name.
    fn weights(bytes: &[u8], of_trunk: bool) -> Vec<(String, Vec<f32>)> {
        let model = Model::from_bytes(bytes).unwrap();
        let tensors = model.graph().initializer.iter();
        tensors
            .filter(|tensor| tensor.name.starts_with(TRUNK) == of_trunk)
            .map(|tensor| (tensor.name.clone(), tensor.to_f32().unwrap()))
            .collect()
    }

    #[test]
    fn the_modes_are_three_different_recipes() {
        let training: Vec<Record> = Vec::new();
        let options = Mode::ALL.map(|mode| {
            let recipe = Recipe {
                is_pretrained: true,
                epochs: 40,
                ..recipe(ChestModel::Res, mode)
            };
            recipe.fit_options(&training)
        });
        for options in &options {
            options.validate().unwrap();
        }
        let [fast, normal, slow] = options;
        assert_eq!((fast.frozen_epochs, normal.frozen_epochs), (40, 0));
        assert!(slow.learning_rate < normal.learning_rate);
        assert!(slow.warmup_epochs > normal.warmup_epochs);
        assert!(slow.ema_decay > normal.ema_decay && fast.ema_decay.is_none());
        assert_eq!(normal.trunk_rate, 0.1);
        let varied = |mode: Mode| mode.augmentation(ChestModel::Res);
        assert!(varied(Mode::Fast).rotation < varied(Mode::Normal).rotation);
        assert!(varied(Mode::Normal).rotation < varied(Mode::Slow).rotation);
        for name in ["fast", "Normal", "SLOW"] {
            assert!(name.parse::<Mode>().is_ok());
        }
        assert!("quick".parse::<Mode>().is_err());
    }

    #[test]
    fn a_random_trunk_is_not_frozen_and_cnn_has_none() {
        for network in ChestModel::ALL {
            let built = recipe(network, Mode::Fast).build(&[]);
            match network.has_trunk() {
                true => assert!(matches!(built, Err(RecipeError::RandomTrunk(_)))),
                false => assert!(built.is_ok()),
            }
        }
        let wrong = Recipe {
            is_pretrained: true,
            ..recipe(ChestModel::Cnn, Mode::Normal)
        };
        assert!(matches!(wrong.build(&[]), Err(RecipeError::NoTrunk(_))));
    }

    #[test]
    fn rare_findings_count_more_and_the_first_answer_is_the_average() {
        let record = |labels: &[usize]| Record {
            image_id: String::new(),
            patient_id: String::new(),
            path: "".into(),
            findings: labels.iter().copied().collect(),
        };
        let mut training = vec![record(&[]); 90];
        training.extend(vec![record(&[1]); 10]);
        assert_eq!(positive_weights(&training, 3), [10.0, 3.0, 10.0]);
        assert_eq!(prevalence(&training, 2), [0.0, 0.1]);
        let model = recipe(ChestModel::Mobile, Mode::Normal)
            .build(&training)
            .unwrap();
        let mut tensors = model.graph().initializer.iter();
        let bias = tensors.find(|tensor| tensor.name == LAST_BIAS).unwrap();
        let expected = [(1.0f32 / 101.0).ln(), (11.0f32 / 91.0).ln()];
        assert_eq!(bias.to_f32().unwrap(), expected);
    }

    #[test]
    fn fast_leaves_the_trunk_bit_for_bit_and_normal_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let parts = parts(directory.path(), 48);
        for mode in [Mode::Fast, Mode::Normal] {
            let recipe = Recipe {
                is_pretrained: true,
                ..recipe(ChestModel::Mobile, mode)
            };
            // What published weights would be is of no matter here.
            let model = recipe.build(&parts[0]).unwrap();
            let fitted = run(&recipe, &model, &parts);
            let before = model.to_bytes();
            let is_same = weights(&before, true) == weights(&fitted.bytes, true);
            assert_eq!(is_same, mode == Mode::Fast, "{mode}");
            assert_ne!(weights(&before, false), weights(&fitted.bytes, false));
        }
    }

    #[test]
    fn the_cnn_learns_generated_x_rays() {
        let directory = tempfile::tempdir().unwrap();
        let parts = parts(directory.path(), 400);
        let mut recipe = Recipe {
            epochs: 20,
            batch_size: 8,
            ..recipe(ChestModel::Cnn, Mode::Fast)
        };
        recipe.options.dropout = Some(0.0);
        let model = recipe.build(&parts[0]).unwrap();
        let fitted = run(&recipe, &model, &parts);
        let truth: Vec<Findings> = parts[1].iter().map(|record| record.findings).collect();
        let constant = vec![prevalence(&parts[0], 2); truth.len()];
        let constant = score(2, &truth, &constant).metrics["loss"];
        let best = &fitted.history[fitted.epoch - 1].measures;
        assert!(best["loss"] < 0.8 * constant, "{best:?}, {constant}");
        assert!(best["macro_auroc"] > 0.8, "{best:?}");
    }
}

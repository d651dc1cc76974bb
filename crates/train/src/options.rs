//! What a training run is: every number its result depends on.

use serde::{Deserialize, Serialize};

use crate::checkpoint::EpochRecord;
use crate::engine::Device;
use crate::loss::Loss;

/// So many threads may be asked for. More have never helped, and a mistyped million would stop the machine.
pub const MOST_THREADS: usize = 1_024;
/// So many views of a sample may be kept: every one takes room on the disk, and so many epochs with a frozen trunk are
/// rare.
pub const MOST_VIEWS: usize = 64;

/// The settings of [`fit`](crate::fit::fit). All but `threads` and `memory` are part of every checkpoint. The result
/// depends on `memory` only where a batch does not fit into it.
///
/// Where a field and the setting that people know have different names, checkpoints and messages have the setting's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitOptions {
    /// Decides every random choice: order of samples, augmentation, dropout.
    pub seed: u64,
    /// How often the training samples are gone through.
    pub epochs: usize,
    /// Samples per step, over all shards.
    pub batch_size: usize,
    /// Parts of a batch whose gradients are computed on their own and added in a fixed order. The result depends on
    /// it (batch normalisation sees one shard), so it is not taken from the machine.
    pub shards: usize,
    /// Learning rate after the warm-up.
    pub learning_rate: f64,
    /// How it falls from there.
    pub schedule: Schedule,
    /// Epochs, or a fraction of one, over which the learning rate rises linearly.
    pub warmup_epochs: f64,
    /// Decoupled weight decay of kernels and matrices.
    pub weight_decay: f64,
    /// The largest Euclidean norm of the whole gradient; longer ones are scaled down.
    pub gradient_clip: Option<f64>,
    /// What is minimised.
    pub loss: Loss,
    /// With an alpha, samples are mixed in pairs (Zhang et al. 2018): one share for the whole batch, drawn from
    /// Beta(alpha, alpha).
    #[serde(rename = "mixup_alpha")]
    pub mixup: Option<f64>,
    /// How often each sample is seen.
    pub sampler: Sampler,
    /// With a decay, an exponential average of the weights is what is judged and exported (Polyak averaging).
    pub ema_decay: Option<f64>,
    /// Whether training samples are augmented.
    pub augment: bool,
    /// For so many epochs the trunk of the network ([`Frozen::trunk`](crate::program::Frozen::trunk)) stays as it is.
    #[serde(rename = "freeze_epochs")]
    pub frozen_epochs: usize,
    /// How many augmented views of each sample there are in those epochs: the trunk sees each once, its features are
    /// kept, and an epoch takes one view after the other. From 1 to [`MOST_VIEWS`].
    #[serde(rename = "freeze_views")]
    pub frozen_views: usize,
    /// The trunk's share of the learning rate afterwards.
    pub trunk_rate: f64,
    /// With a number, training ends after so many epochs without a better score.
    pub patience: Option<usize>,
    /// By how much a score must be better to count for the patience.
    #[serde(rename = "min_improvement")]
    pub least_improvement: f64,
    /// What computes. Devices differ in the last bits of a sum.
    pub device: Device,
    /// Threads that compute, shared out among the shards. `None`: one per core.
    #[serde(skip)]
    pub threads: Option<usize>,
    /// Bytes for the values that a training step keeps until its way back. `None`: on the processor half of what is
    /// free, on a graphics card as many as it gives. Where a batch needs more, it is computed in more parts than
    /// `shards`; that number stays with the checkpoint.
    #[serde(skip)]
    pub memory: Option<u64>,
}

/// How the learning rate falls (Loshchilov and Hutter 2017).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// To zero along half a cosine over the whole run.
    Cosine,
    /// Along half a cosine again and again, each `factor` times as long as the one before. The warm-up is part of the
    /// first.
    Restarts {
        /// Epochs of the first, at least 1.
        first_epochs: usize,
        /// At least 1.
        factor: usize,
    },
}

/// How often each sample is seen in an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampler {
    /// Each once, in random order.
    Uniform,
    /// Classes are drawn with probability proportional to their number of samples to the power of one minus the
    /// exponent: 0 is as the data are, 1 makes all classes equally frequent.
    Balanced {
        /// In [0, 1].
        exponent: f64,
    },
    /// Classes are drawn with probability proportional to these weights, one per class, among those that have samples.
    Weighted {
        /// One per class, above 0.
        weights: Vec<f64>,
    },
}

impl Default for FitOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            epochs: 10,
            batch_size: 32,
            shards: 2,
            learning_rate: 2e-3,
            schedule: Schedule::Cosine,
            warmup_epochs: 0.5,
            weight_decay: 0.02,
            gradient_clip: Some(5.0),
            loss: Loss::default(),
            mixup: None,
            sampler: Sampler::Uniform,
            ema_decay: None,
            augment: true,
            frozen_epochs: 0,
            frozen_views: 4,
            trunk_rate: 1.0,
            patience: None,
            least_improvement: 0.0,
            device: Device::Processor,
            threads: None,
            memory: None,
        }
    }
}

/// An option that makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{name} is {value}; {wanted}")]
pub struct OptionError {
    /// The option.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// What it may be.
    pub wanted: &'static str,
}

impl FitOptions {
    /// Checks that every option makes sense.
    ///
    /// # Errors
    /// The first option that does not.
    pub fn validate(&self) -> Result<(), OptionError> {
        let check = |ok: bool, name, value: String, wanted| {
            if ok {
                Ok(())
            } else {
                Err(OptionError {
                    name,
                    value,
                    wanted,
                })
            }
        };
        let positive = "it must be at least 1";
        for (name, value) in [
            ("epochs", self.epochs),
            ("batch_size", self.batch_size),
            ("shards", self.shards),
        ] {
            check(value > 0, name, value.to_string(), positive)?;
        }
        check(
            (1..=MOST_VIEWS).contains(&self.frozen_views),
            "freeze_views",
            self.frozen_views.to_string(),
            "it must be 1 to 64",
        )?;
        let threads = self.threads.unwrap_or(1);
        check(
            (1..=MOST_THREADS).contains(&threads),
            "threads",
            threads.to_string(),
            "it must be 1 to 1024",
        )?;
        if let Some(memory) = self.memory {
            let wanted = "it must be at least one byte";
            check(memory > 0, "memory", memory.to_string(), wanted)?;
        }
        let fits = self.shards <= self.batch_size;
        check(
            fits,
            "shards",
            self.shards.to_string(),
            "it must not exceed batch_size",
        )?;
        let amount = |value: f64| value.is_finite() && value >= 0.0;
        for (name, value) in [
            ("learning_rate", self.learning_rate),
            ("warmup_epochs", self.warmup_epochs),
            ("weight_decay", self.weight_decay),
            ("min_improvement", self.least_improvement),
            ("trunk_rate", self.trunk_rate),
        ] {
            check(
                amount(value),
                name,
                value.to_string(),
                "it must be a number from 0 up",
            )?;
        }
        if let Some(clip) = self.gradient_clip {
            let ok = clip > 0.0 && clip.is_finite();
            check(
                ok,
                "gradient_clip",
                clip.to_string(),
                "it must be a number above 0",
            )?;
        }
        let smoothing = self.loss.label_smoothing;
        let ok = (0.0..1.0).contains(&smoothing);
        check(
            ok,
            "label_smoothing",
            smoothing.to_string(),
            "it must lie in [0, 1)",
        )?;
        let Loss {
            cross_entropy,
            focal,
            soft_f1,
            binary_cross_entropy,
            ..
        } = self.loss;
        let shares = [cross_entropy, focal, soft_f1, binary_cross_entropy];
        let ok = shares
            .iter()
            .all(|share| share.is_finite() && *share >= 0.0)
            && shares.iter().sum::<f32>() > 0.0;
        check(
            ok,
            "loss",
            format!("{shares:?}"),
            "its shares must be numbers from 0 up, and one above 0",
        )?;
        let of_classes = cross_entropy + focal + soft_f1;
        check(
            binary_cross_entropy == 0.0 || of_classes == 0.0,
            "loss",
            format!("{shares:?}"),
            "a sample's label is one class or a set of labels, so binary cross-entropy goes with no other",
        )?;
        check(
            !self.loss.is_multi_label() || self.sampler == Sampler::Uniform,
            "sampler",
            format!("{:?}", self.sampler),
            "samples with sets of labels are drawn uniformly; positive weights balance",
        )?;
        let class_weights = self.loss.class_weights.iter();
        let positive_weights = self.loss.positive_weights.iter();
        for weight in class_weights
            .chain(&self.loss.f1_weights)
            .chain(positive_weights)
        {
            let ok = weight.is_finite() && *weight > 0.0;
            check(
                ok,
                "class_weights",
                weight.to_string(),
                "weights must be above 0",
            )?;
        }
        match &self.sampler {
            Sampler::Uniform => {}
            Sampler::Balanced { exponent } => {
                let ok = (0.0..=1.0).contains(exponent);
                check(
                    ok,
                    "sampler exponent",
                    exponent.to_string(),
                    "it must lie in [0, 1]",
                )?;
            }
            Sampler::Weighted { weights } => {
                let ok = weights.iter().all(|w| w.is_finite() && *w > 0.0);
                check(
                    ok && !weights.is_empty(),
                    "sampler weights",
                    format!("{weights:?}"),
                    "there must be one above 0 for each class",
                )?;
            }
        }
        if let Schedule::Restarts {
            first_epochs,
            factor,
        } = self.schedule
        {
            let ok = first_epochs >= 1 && factor >= 1;
            check(
                ok,
                "schedule",
                format!("{first_epochs} epochs, {factor} times as long"),
                "both must be at least 1",
            )?;
        }
        if let Some(alpha) = self.mixup {
            let ok = alpha > 0.0 && alpha.is_finite();
            check(
                ok,
                "mixup_alpha",
                alpha.to_string(),
                "it must be a number above 0",
            )?;
        }
        if let Some(decay) = self.ema_decay {
            let ok = (0.0..1.0).contains(&decay);
            check(ok, "ema_decay", decay.to_string(), "it must lie in [0, 1)")?;
        }
        Ok(())
    }

    /// Whether a run with this history is finished: it has all its epochs, or so many brought nothing better that no
    /// more are trained.
    pub(crate) fn end_after(&self, history: &[EpochRecord]) -> bool {
        if history.len() >= self.epochs {
            return true;
        }
        let Some(patience) = self.patience else {
            return false;
        };
        let (mut best, mut since) = (f64::NEG_INFINITY, 0);
        for record in history {
            if record.score > best + self.least_improvement {
                (best, since) = (record.score, 0);
            } else {
                since += 1;
            }
        }
        since >= patience
    }

    /// The learning rate of one step, counted from zero over the whole run.
    pub fn learning_rate_at(&self, step: usize, steps_per_epoch: usize) -> f64 {
        let total = match self.schedule {
            Schedule::Cosine => (self.epochs * steps_per_epoch) as f64,
            // How long the run is changes no step, so that it can be made longer.
            Schedule::Restarts { .. } => f64::INFINITY,
        };
        let warmup = (self.warmup_epochs * steps_per_epoch as f64).min(total);
        let step = step as f64;
        if step < warmup {
            return self.learning_rate * (step + 1.0) / warmup.max(step + 1.0);
        }
        // The cosine that the step falls into: where it begins and ends.
        let (mut begin, mut end) = (warmup, total);
        if let Schedule::Restarts {
            first_epochs,
            factor,
        } = self.schedule
        {
            let mut length = (first_epochs * steps_per_epoch) as f64;
            end = length;
            while end <= step {
                length *= factor as f64;
                begin = end;
                end += length;
            }
        }
        let progress = (step - begin) / (end - begin).max(1.0);
        self.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learning_rate_rises_then_falls() {
        let options = FitOptions {
            epochs: 10,
            learning_rate: 1.0,
            warmup_epochs: 1.0,
            ..FitOptions::default()
        };
        let rates: Vec<f64> = (0..40)
            .map(|step| options.learning_rate_at(step, 4))
            .collect();
        assert_eq!(rates[0], 0.25);
        assert_eq!(rates[3], 1.0);
        assert_eq!(rates[4], 1.0);
        assert!((rates[22] - 0.5).abs() < 1e-12);
        assert!(rates[4..].windows(2).all(|pair| pair[1] < pair[0]));
        assert!(rates[39] > 0.0 && rates[39] < 0.01);
    }

    #[test]
    fn restarts_come_after_ten_and_thirty_epochs() {
        let options = FitOptions {
            epochs: 50,
            learning_rate: 1.0,
            warmup_epochs: 0.0,
            schedule: Schedule::Restarts {
                first_epochs: 10,
                factor: 2,
            },
            ..FitOptions::default()
        };
        let at = |epoch: usize| options.learning_rate_at(epoch * 4, 4);
        let restarts: Vec<usize> = (1..50).filter(|&epoch| at(epoch) > at(epoch - 1)).collect();
        assert_eq!(restarts, [10, 30]);
        assert_eq!((at(0), at(10), at(30)), (1.0, 1.0, 1.0));
        // Half of the second cosine.
        assert!((at(20) - 0.5).abs() < 1e-12 && at(29) < 0.02);
        // A warm-up longer than the first cosine still ends.
        let slow = FitOptions {
            warmup_epochs: 12.0,
            ..options
        };
        assert!((0..200).all(|step| slow.learning_rate_at(step, 4).is_finite()));
    }

    #[test]
    fn nonsense_is_named() {
        let refused = |options: FitOptions| options.validate().unwrap_err().name;
        let base = FitOptions::default;
        assert_eq!(
            refused(FitOptions {
                epochs: 0,
                ..base()
            }),
            "epochs"
        );
        assert_eq!(
            refused(FitOptions {
                shards: 33,
                ..base()
            }),
            "shards"
        );
        assert_eq!(
            refused(FitOptions {
                learning_rate: f64::NAN,
                ..base()
            }),
            "learning_rate"
        );
        assert_eq!(
            refused(FitOptions {
                loss: Loss {
                    label_smoothing: 1.0,
                    ..Loss::default()
                },
                ..base()
            }),
            "label_smoothing"
        );
        let sampler = Sampler::Balanced { exponent: 1.5 };
        assert_eq!(
            refused(FitOptions { sampler, ..base() }),
            "sampler exponent"
        );
        let weightless = Loss {
            cross_entropy: 0.0,
            ..Loss::default()
        };
        let loss = weightless;
        assert_eq!(refused(FitOptions { loss, ..base() }), "loss");
        let both = Loss {
            cross_entropy: 0.5,
            ..Loss::binary()
        };
        assert_eq!(
            refused(FitOptions {
                loss: both,
                ..base()
            }),
            "loss"
        );
        let balanced = FitOptions {
            loss: Loss::binary(),
            sampler: Sampler::Balanced { exponent: 0.5 },
            ..base()
        };
        assert_eq!(refused(balanced), "sampler");
        let mixup = Some(0.0);
        assert_eq!(refused(FitOptions { mixup, ..base() }), "mixup_alpha");
        for frozen_views in [0, MOST_VIEWS + 1, usize::MAX] {
            let views = FitOptions {
                frozen_views,
                ..base()
            };
            assert_eq!(refused(views), "freeze_views");
        }
        let never = FitOptions {
            least_improvement: f64::NAN,
            ..base()
        };
        assert_eq!(refused(never), "min_improvement");
        assert_eq!(base().validate(), Ok(()));
    }
}

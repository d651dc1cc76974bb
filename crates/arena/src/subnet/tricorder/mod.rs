//! Skin lesions: eleven classes from an image and the patient's demographics (netuid 76).
//!
//! Preprocessing, score and shares are those of the original competition. `score` is the formula,
//! [`evaluation`] what else can be said of answers, [`parts`] the data and who may read what, [`lesions`] what training
//! is given of them, [`recipe`] how a model is trained, [`baseline`] what that model must beat,
//! [`submission`] what else must be handed in with it, [`archive`] what a released test archive is judged with, and
//! [`fingerprint`](mod@fingerprint) what the original knows copies by.

pub mod archive;
pub mod baseline;
pub mod evaluation;
pub mod fingerprint;
pub mod lesions;
pub mod parts;
pub mod recipe;
mod score;
pub mod submission;

pub use score::{robust_score, score};

use crate::competition::{Budget, Competition, SampleError, Score};
use crate::compute::{Compute, GB, Minimum};
use crate::incentive::Incentive;
use crate::release;
use crate::reward::{self, Past, Scoring, robust};
use crate::seed::Seed;
use agon_dataset::cache::DecodedImages;
use agon_dataset::image::JUDGING_SIDE;
use agon_dataset::skin::{LesionClass, Record};
use agon_keys::AccountId;
use agon_model::digest::Digest;
use agon_model::inference::{Engine, Tensor};
use agon_model::inspect::{Contract, TensorContract};
use agon_model::metrics;
use agon_model::proto::ElementType;
use std::collections::BTreeMap;
use std::time::Duration;

/// Its name in commitments and in the ledger.
pub const NAME: &str = "tricorder";

/// The number of classes.
pub const CLASSES: usize = LesionClass::ALL.len();

/// The original competition declares none. A child that judges may take 4 GiB, and the judging images lie in memory
/// beside it; the public data sets together take 15 GB, and as much again while they are prepared.
pub const COMPUTE: Compute = Compute {
    miner: Minimum {
        cores: 2,
        memory_bytes: 4 * GB,
        disk_bytes: 30 * GB,
        graphics_bytes: None,
    },
    validator: Minimum {
        cores: 2,
        memory_bytes: 8 * GB,
        disk_bytes: 20 * GB,
        graphics_bytes: None,
    },
    runs_models: true,
};

/// Largest height and width a model may declare.
const MAX_SIDE: usize = 1024;

/// With robust rules a model may fail on one of so many samples.
const FORGIVEN: usize = 100;

/// The competition over one set of judging records.
pub struct Tricorder {
    records: Vec<Record>,
    sample: usize,
    budget: Budget,
    scoring: Scoring,
    engine: Engine,
}

impl Tricorder {
    /// Judge on `sample` of `records` each round, or on all when there are fewer.
    pub fn new(records: Vec<Record>, sample: usize) -> Self {
        Self {
            records,
            sample,
            budget: Budget {
                memory_bytes: 4 << 30,
                load: Duration::from_secs(60),
                sample: Duration::from_secs(20),
                total: Duration::from_secs(1800),
            },
            scoring: Scoring::Original,
            engine: Engine::default(),
        }
    }

    /// The same competition under other rules.
    pub fn with_scoring(self, scoring: Scoring) -> Self {
        Self { scoring, ..self }
    }

    /// The same competition with another budget for each run.
    pub fn with_budget(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }

    /// The same competition judged by another engine.
    pub fn with_engine(self, engine: Engine) -> Self {
        Self { engine, ..self }
    }
}

impl Incentive for Tricorder {
    fn name(&self) -> &'static str {
        NAME
    }

    fn scoring(&self) -> Scoring {
        self.scoring
    }

    fn shares(&self, rounds: &[Past]) -> BTreeMap<AccountId, f64> {
        match self.scoring {
            // What is shared below the tenth place is not multiplied by a competition's weight.
            Scoring::Original => release::shares(rounds, |rounds, weight| {
                reward::weighted_shares(&reward::order_by_average(rounds), weight)
            }),
            Scoring::Robust => release::shares(rounds, |rounds, weight| {
                let mut shares = robust::smoothed(rounds.iter().map(|past| {
                    let order = robust::order(past, robust::MARGIN, |row, picks| {
                        let (labels, predictions) = from_evidence(&row.evidence, picks);
                        robust_score(&labels, &predictions, row.bytes).score
                    });
                    (past, reward::shares_by_place(&order))
                }));
                shares.values_mut().for_each(|share| *share *= weight);
                shares
            }),
        }
    }
}

impl Competition for Tricorder {
    fn contract(&self) -> Contract {
        let floats = |dims| TensorContract {
            element_type: ElementType::Float,
            dims,
        };
        let side = 1..=MAX_SIDE;
        Contract {
            inputs: vec![
                floats(vec![1..=1, 3..=3, side.clone(), side]),
                floats(vec![1..=1, 3..=3]),
            ],
            required_inputs: 1,
            output: floats(vec![1..=1, CLASSES..=CLASSES]),
        }
    }

    fn budget(&self) -> Budget {
        self.budget.clone()
    }

    fn forgives(&self, samples: usize) -> usize {
        match self.scoring {
            Scoring::Original => 0,
            // So few that a copy cannot hide its likeness behind them.
            Scoring::Robust => samples / FORGIVEN,
        }
    }

    fn engine(&self) -> Engine {
        self.engine
    }

    fn draw(&self, seed: Seed) -> Vec<usize> {
        seed.draw(self.records.len(), self.sample)
    }

    fn inputs(
        &self,
        item: usize,
        declared: &[Vec<Option<usize>>],
    ) -> Result<Vec<Tensor>, SampleError> {
        let record = &self.records[item];
        let side = |axis: usize| {
            let image = declared.first();
            image
                .and_then(|dims| *dims.get(axis)?)
                .unwrap_or(JUDGING_SIDE)
        };
        let (height, width) = (side(2), side(3));
        let decoded =
            DecodedImages::decode(&[record], height, width, &|_, _| {}).map_err(|error| {
                SampleError {
                    item,
                    reason: error.to_string(),
                }
            })?;
        let image = Tensor {
            shape: vec![1, 3, height, width],
            data: decoded.input(0),
        };
        let demographics = Tensor {
            shape: vec![1, 3],
            data: record.demographics.encode().to_vec(),
        };
        // Bound by position: a model with one input gets the image alone.
        let mut inputs = vec![image, demographics];
        inputs.truncate(declared.len());
        Ok(inputs)
    }

    fn class(&self, item: usize) -> usize {
        self.records[item].class.index()
    }

    fn fingerprint(&self, answers: &[Vec<f32>]) -> Option<Digest> {
        match self.scoring {
            Scoring::Original => fingerprint::fingerprint(answers),
            Scoring::Robust => None,
        }
    }

    fn score(&self, items: &[usize], answers: &[Vec<f32>], bytes: u64) -> Score {
        let labels: Vec<usize> = items.iter().map(|&item| self.class(item)).collect();
        // Where there is no answer, it is a wrong one.
        let wrong = |label: usize| (label + 1) % CLASSES;
        let predictions: Vec<usize> = answers
            .iter()
            .zip(&labels)
            .map(|(answer, &label)| metrics::argmax(answer).unwrap_or(wrong(label)))
            .collect();
        let mut score = match self.scoring {
            Scoring::Original => score(&labels, &predictions, bytes),
            Scoring::Robust => robust_score(&labels, &predictions, bytes),
        };
        score.evidence = evidence(&labels, &predictions);
        let unanswered = answers.iter().filter(|answer| answer.is_empty()).count();
        if unanswered > 0 {
            let unanswered = unanswered as f64;
            score.metrics.insert("unanswered".to_owned(), unanswered);
        }
        score
    }
}

/// Label and prediction of each sample in one number.
fn evidence(labels: &[usize], predictions: &[usize]) -> Vec<f32> {
    let pairs = labels.iter().zip(predictions);
    pairs
        .map(|(label, prediction)| (label * CLASSES + prediction) as f32)
        .collect()
}

/// The labels and predictions of the samples at some positions of [`evidence`].
fn from_evidence(evidence: &[f32], picks: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let coded = picks.iter().map(|&at| evidence[at] as usize);
    coded
        .map(|pair| (pair / CLASSES % CLASSES, pair % CLASSES))
        .unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_holds_labels_and_predictions() {
        let (labels, predictions) = ([0, 10, 7], [10, 0, 7]);
        let evidence = evidence(&labels, &predictions);
        let (some, answers) = from_evidence(&evidence, &[1, 1, 2]);
        assert_eq!((some, answers), (vec![10, 10, 7], vec![0, 0, 7]));
    }
}

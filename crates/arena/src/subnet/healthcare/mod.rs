//! Chest X-rays: the probability of each of a list of findings, ranked by loss (netuid 31).
//!
//! `score` is the formula, [`rewards`] what the original made of it, [`xrays`] what training is given, [`recipe`] how a
//! model is trained. In the [`challenge`] form live miners are asked instead. Which findings are asked for is configuration ([`LabelSet`]).
//!
//! It refuses to judge on images that everybody can train on: the original's hidden set was a slice of a public one.

pub mod challenge;
pub mod recipe;
pub mod rewards;
mod score;
pub mod xrays;

pub use score::score;

use crate::commitment::Form;
use crate::competition::{Budget, Competition, SampleError, Score};
use crate::compute::{Compute, GB, Minimum};
use crate::incentive::Incentive;
use crate::ledger::{Evaluation, Outcome};
use crate::reward::{self, Past, Scoring, robust};
use crate::seed::Seed;
use agon_dataset::cache::DecodedImages;
use agon_dataset::chest::{Findings, LabelSet, Overlap, OverlapError, Record, overlap};
use agon_keys::AccountId;
use agon_model::inference::{Engine, Tensor};
use agon_model::inspect::{Contract, TensorContract};
use agon_model::proto::ElementType;
use rewards::Entrant;
use std::collections::BTreeMap;
use std::time::Duration;

/// Its name in commitments and in the ledger.
pub const NAME: &str = "healthcare";

/// Height and width of an image for a model that leaves them open: the original's.
pub const SIDE: usize = 224;

/// Largest height and width a model may declare.
const MAX_SIDE: usize = 1024;

/// How many rounds a moving average goes back: what is older counts less than a millionth.
const HISTORY: usize = 9;

/// The original rounds a loss to so many decimals before it ranks.
const DECIMALS: f64 = 1e10;

/// What it needs of a machine: the original's cores and memory, and room for the data as it is.
pub const COMPUTE: Compute = Compute {
    miner: Minimum {
        cores: 4,
        memory_bytes: 16 * GB,
        disk_bytes: 100 * GB,
        graphics_bytes: None,
    },
    validator: Minimum {
        cores: 4,
        memory_bytes: 16 * GB,
        disk_bytes: 50 * GB,
        graphics_bytes: None,
    },
    runs_models: true,
};

/// Which of the original's rewards [`Scoring::Original`] means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// February 2024 ([`rewards::first_stage`]).
    First,
    /// March 2024 ([`rewards::second_stage`]).
    #[default]
    Second,
}

/// The competition over one set of judging records.
pub struct Healthcare {
    labels: LabelSet,
    records: Vec<Record>,
    sample: usize,
    budget: Budget,
    scoring: Scoring,
    stage: Stage,
    engine: Engine,
}

/// Why a judging set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NotHidden {
    /// Miners can have learnt it by heart.
    #[error(
        "the judging set shares {} image(s) and {} patient(s) with a public one, so it judges memory; the first: {first}",
        shared.images.len(), shared.patients.len()
    )]
    Public {
        /// What it shares.
        shared: Overlap,
        /// The name of the first.
        first: String,
    },
    /// The two sets cannot be compared.
    #[error(transparent)]
    Unread(#[from] OverlapError),
}

impl Healthcare {
    /// Judge on `sample` of `records` each round, or on all when there are fewer.
    pub fn new(labels: LabelSet, records: Vec<Record>, sample: usize) -> Self {
        Self {
            labels,
            records,
            sample,
            budget: Budget {
                memory_bytes: 4 << 30,
                load: Duration::from_secs(60),
                sample: Duration::from_secs(20),
                total: Duration::from_secs(1800),
            },
            scoring: Scoring::Original,
            stage: Stage::default(),
            engine: Engine::default(),
        }
    }

    /// The same, after a look whether no image and no patient of `records` is in a set that everybody has.
    ///
    /// # Errors
    /// When one is, or an image cannot be read.
    pub fn hidden(
        labels: LabelSet,
        records: Vec<Record>,
        public: &[Record],
        sample: usize,
    ) -> Result<Self, NotHidden> {
        check_hidden(&records, public)?;
        Ok(Self::new(labels, records, sample))
    }

    /// The same competition with another budget for each run.
    pub fn with_budget(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }

    /// The same competition under other rules.
    pub fn with_scoring(self, scoring: Scoring) -> Self {
        Self { scoring, ..self }
    }

    /// The same competition with the rewards of another stage of the original.
    pub fn with_stage(self, stage: Stage) -> Self {
        Self { stage, ..self }
    }

    /// The same competition judged by another engine.
    pub fn with_engine(self, engine: Engine) -> Self {
        Self { engine, ..self }
    }
}

/// That no image and no patient of `records` is in a set that everybody has.
///
/// # Errors
/// When one is, or an image cannot be read.
pub fn check_hidden(records: &[Record], public: &[Record]) -> Result<(), NotHidden> {
    let shared = overlap(records, public)?;
    match shared.images.first().or(shared.patients.first()).cloned() {
        Some(first) => Err(NotHidden::Public { shared, first }),
        None => Ok(()),
    }
}

impl Incentive for Healthcare {
    fn name(&self) -> &'static str {
        NAME
    }

    fn scoring(&self) -> Scoring {
        self.scoring
    }

    fn history(&self) -> usize {
        HISTORY
    }

    fn shares(&self, rounds: &[Past]) -> BTreeMap<AccountId, f64> {
        match self.scoring {
            Scoring::Original => shares_by_average(
                rounds,
                match self.stage {
                    Stage::First => first_stage,
                    Stage::Second => second_stage,
                },
            ),
            Scoring::Robust => robust::smoothed(rounds.iter().map(|past| {
                let order = robust::order(past, robust::MARGIN, |row, picks| {
                    let losses = picks.iter().map(|&at| f64::from(row.evidence[at]));
                    libm::exp(-losses.sum::<f64>() / picks.len().max(1) as f64)
                });
                (past, reward::shares_by_place(&order))
            })),
        }
    }
}

impl Competition for Healthcare {
    /// The original's own, and Agon's.
    fn forms(&self) -> &'static [Form] {
        &[Form::Revision, Form::File, Form::TwoPhase]
    }

    fn contract(&self) -> Contract {
        let floats = |dims| TensorContract {
            element_type: ElementType::Float,
            dims,
        };
        let side = 1..=MAX_SIDE;
        let labels = self.labels.len();
        Contract {
            inputs: vec![floats(vec![1..=1, 3..=3, side.clone(), side])],
            required_inputs: 1,
            output: floats(vec![1..=1, labels..=labels]),
        }
    }

    fn budget(&self) -> Budget {
        self.budget.clone()
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
        let side = |axis: usize| {
            let image = declared.first();
            image.and_then(|dims| *dims.get(axis)?).unwrap_or(SIDE)
        };
        let (height, width) = (side(2), side(3));
        let record = &self.records[item];
        let decoded = DecodedImages::decode(&[record], height, width, &|_, _| {});
        let decoded = decoded.map_err(|error| SampleError {
            item,
            reason: error.to_string(),
        })?;
        Ok(vec![Tensor {
            shape: vec![1, 3, height, width],
            data: decoded.input(0),
        }])
    }

    fn class(&self, item: usize) -> usize {
        self.records[item].findings.bits()
    }

    fn score(&self, items: &[usize], answers: &[Vec<f32>], _bytes: u64) -> Score {
        let truth: Vec<Findings> = items
            .iter()
            .map(|&item| self.records[item].findings)
            .collect();
        score(self.labels.len(), &truth, answers)
    }
}

/// Shares of a moving average over rounds of evaluations, oldest first. They sum to one, unless there are none.
fn shares_by_average(
    rounds: &[Past],
    rewards: fn(&[Evaluation]) -> Vec<f64>,
) -> BTreeMap<AccountId, f64> {
    let mut averages = BTreeMap::new();
    for Past { evaluations, .. } in rounds {
        let hotkeys = evaluations.iter().map(|evaluation| evaluation.hotkey);
        let rewarded = hotkeys.zip(rewards(evaluations)).collect();
        rewards::average(&mut averages, &rewarded);
    }
    averages.retain(|_, average| *average > 0.0);
    let total: f64 = averages.values().sum();
    averages.values_mut().for_each(|average| *average /= total);
    averages
}

/// The rounded loss by which the original ranks; infinite for what was not scored.
fn ranked_loss(evaluation: &Evaluation) -> f64 {
    match (evaluation.outcome, evaluation.metrics.get("loss")) {
        (Outcome::Scored, Some(loss)) => (loss * DECIMALS).round() / DECIMALS,
        _ => f64::INFINITY,
    }
}

fn first_stage(evaluations: &[Evaluation]) -> Vec<f64> {
    let losses: Vec<f64> = evaluations.iter().map(ranked_loss).collect();
    rewards::first_stage(&losses)
}

fn second_stage(evaluations: &[Evaluation]) -> Vec<f64> {
    let entrant = |evaluation: &Evaluation| Entrant {
        loss: ranked_loss(evaluation),
        committed: Some((evaluation.commit_block, evaluation.extrinsic_index)),
        // What claims no file is nobody's copy.
        artefact: match evaluation.artefact {
            Some(digest) => (Some(digest), None),
            None => (None, Some(evaluation.hotkey)),
        },
    };
    let entrants: Vec<_> = evaluations.iter().map(entrant).collect();
    rewards::second_stage(&entrants)
}

#[cfg(test)]
mod tests;

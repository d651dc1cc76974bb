//! What a new model competition implements; the loops know it only through this trait.

use crate::commitment::Form;
use crate::incentive::Incentive;
use crate::ledger::Outcome;
use crate::seed::Seed;
use agon_model::digest::Digest;
use agon_model::inference::{Engine, Tensor};
use agon_model::inspect::{Contract, Limits};
use std::collections::BTreeMap;
use std::time::Duration;

/// What one sandboxed run may use.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Address space of the child process, in bytes.
    pub memory_bytes: u64,
    /// Wall clock to load and inspect the model.
    pub load: Duration,
    /// Wall clock for one sample.
    pub sample: Duration,
    /// Wall clock for the whole run, and processor time of the child.
    pub total: Duration,
}

/// The score of one model on one sample set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// What is ranked, more is better; not negative.
    pub score: f64,
    /// Further figures by name, for the ledger and the leaderboard.
    pub metrics: BTreeMap<String, f64>,
    /// One number for each sample in the competition's own coding: enough to score any part of the sample again. It may
    /// tell the labels.
    pub evidence: Vec<f32>,
}

/// A failure of the competition's own data, never the miner's fault.
#[derive(Debug, thiserror::Error)]
#[error("sample {item} of the judging data cannot be read: {reason}")]
pub struct SampleError {
    /// Which sample.
    pub item: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// Models a round judges unless a competition says otherwise: as many as the public chain has neurons in a subnet.
const SEATS: usize = 256;

/// A model competition: what is asked, and what the answers are worth.
///
/// Implementations are pure: equal arguments give equal results on every machine.
pub trait Competition: Incentive {
    /// In which forms its models are committed.
    fn forms(&self) -> &'static [Form] {
        &[Form::File, Form::TwoPhase]
    }

    /// Inputs and outputs a model must declare.
    fn contract(&self) -> Contract;

    /// What a model file may contain.
    fn limits(&self) -> Limits {
        Limits::default()
    }

    /// What one run may use.
    fn budget(&self) -> Budget;

    /// How many models a round judges. Where more are committed, half of the seats are kept for those that earn, the best
    /// first; the others wait their turn.
    fn seats(&self) -> usize {
        SEATS
    }

    /// On how many of so many samples a model may fail (by time, memory, a crash, an answer that is none) and still have a
    /// score. Its answers there are empty.
    fn forgives(&self, _samples: usize) -> usize {
        0
    }

    /// What computes the answers. It belongs to the rules: engines differ in the last bits of an answer.
    fn engine(&self) -> Engine {
        Engine::default()
    }

    /// The items of the judging data a round asks, drawn from the round's seed.
    fn draw(&self, seed: Seed) -> Vec<usize>;

    /// The inputs of one item, in the order of the model's declared inputs. `declared` holds the
    /// dimensions of each declared input; `None` is a dimension the model leaves open.
    fn inputs(
        &self,
        item: usize,
        declared: &[Vec<Option<usize>>],
    ) -> Result<Vec<Tensor>, SampleError>;

    /// The class of an item, among whose answers a model's own way of answering is looked for
    /// ([`likeness`](crate::likeness)). What has no classes has one.
    fn class(&self, _item: usize) -> usize {
        0
    }

    /// What the competition itself knows copies by, of quantised answers: of submissions with one fingerprint the earliest
    /// alone counts. Most have none, because [`likeness`](crate::likeness) sees more.
    fn fingerprint(&self, _answers: &[Vec<f32>]) -> Option<Digest> {
        None
    }

    /// The score of a model of `bytes` bytes whose quantised answer to `items[i]` is `answers[i]`, which is empty where it
    /// failed and that is forgiven ([`Competition::forgives`]).
    fn score(&self, items: &[usize], answers: &[Vec<f32>], bytes: u64) -> Score;
}

/// Longest reason, in characters.
const MAX_REASON: usize = 300;

/// The result of judging one model, whatever happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// What happened.
    pub outcome: Outcome,
    /// Why it was not scored.
    pub reason: Option<String>,
    /// Present exactly when the outcome is [`Outcome::Scored`].
    pub score: Option<Score>,
}

impl Judgement {
    /// The judgement of a model that answered everything.
    pub fn scored(score: Score) -> Self {
        Self {
            outcome: Outcome::Scored,
            reason: None,
            score: Some(score),
        }
    }

    /// A judgement without a score. The reason may hold what a model's process wrote, so it is cut to
    /// what a screen and a ledger row can take, and control characters are replaced.
    pub fn failed(outcome: Outcome, reason: impl AsRef<str>) -> Self {
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let reason = reason.as_ref().chars().take(MAX_REASON).map(plain);
        Self {
            outcome,
            reason: Some(reason.collect()),
            score: None,
        }
    }
}

//! The challenge form: validators send X-rays, live miners answer with what they find on them, as the original's
//! generation of January 2024 did.
//!
//! A question is [`Predict`], an image that nobody has ([`Disguise`]); its answer is [`Predicted`], findings as tables
//! write them. An answer is worth the squared cosine of the true findings and the answered ones
//! ([`squared_cosine`]); a miner's score is the mean over all questions, those without an answer counting nothing.
//!
//! Most X-rays of the usual set show nothing, so that "No Finding" to everything would win where they are drawn as they
//! come. Here every finding, and none at all, is asked about equally often. The best of the answers that need no look at
//! the image is in every row as `constant`.
//!
//! It refuses to make anything of an answer that is not exactly a list of known findings, each once: it is worth nothing,
//! as no answer is.

mod classifier;

pub use classifier::{Classifier, ClassifierError, Threshold};

use super::rewards::squared_cosine;
use super::{HISTORY, shares_by_average};
use crate::challenge::{Challenge, Reply};
use crate::competition::{SampleError, Score};
use crate::compute::{Compute, GB, Minimum};
use crate::incentive::Incentive;
use crate::ledger::Evaluation;
use crate::reward::{self, Past, Scoring, robust};
use crate::seed::Seed;
use agon_dataset::chest::{Findings, LabelSet, Record};
use agon_dataset::disguise::Disguise;
use agon_dataset::image::{self, ImageError, JUDGING_SIDE};
use agon_keys::AccountId;
use agon_neuron::dendrite::Question;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// Its name in the ledger. Answers of servers and losses of models never stand in one competition.
pub const NAME: &str = "healthcare-challenge";

/// What it needs of a machine. A miner trains as in the other form. A validator runs no model: it makes an image a
/// question, and holds the answers of all servers to it, with the usual 256 of them at most 1 GiB ([`ANSWER_BYTES`]). The
/// X-rays take the same room.
pub const COMPUTE: Compute = Compute {
    miner: super::COMPUTE.miner,
    validator: Minimum {
        cores: 2,
        memory_bytes: 4 * GB,
        ..super::COMPUTE.validator
    },
    runs_models: false,
};

/// The name of the request: the original's class.
pub const REQUEST: &str = "Predict";

/// How long an answer is waited for: as long as in the original.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// Most bytes of an answer. In the header protocol the question comes back with it.
pub const ANSWER_BYTES: usize = 4 << 20;

/// The longest answer that is read, in bytes: more than all labels a set can have.
const MAX_TEXT: usize = 4096;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Predict {
    /// An encoded image, in base64.
    pub input_image: String,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Predicted {
    /// Findings with `|` between them, or `No Finding`.
    pub output_text: String,
}

/// The challenge over one set of X-rays.
pub struct XRayChallenge {
    labels: LabelSet,
    records: Vec<Record>,
    sample: usize,
    timeout: Duration,
    scoring: Scoring,
}

impl XRayChallenge {
    /// Ask about `sample` of `records` each round, or about all when there are fewer.
    pub fn new(labels: LabelSet, records: Vec<Record>, sample: usize) -> Self {
        Self {
            labels,
            records,
            sample,
            timeout: TIMEOUT,
            scoring: Scoring::Original,
        }
    }

    /// The same where an answer is waited for so long.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The same under other rules.
    pub fn with_scoring(self, scoring: Scoring) -> Self {
        Self { scoring, ..self }
    }

    /// What an answer says, if it is one: known findings, each once, or that there are none.
    fn read(&self, text: &str) -> Option<Findings> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let findings = self.labels.read(text).ok()?;
        // Every word has said something new; that nothing was found is said alone.
        let words = text.split('|').count();
        (words == findings.count().max(1) as usize).then_some(findings)
    }

    /// What the best of the answers to which nobody has to look is worth: none, one finding, all of them.
    fn constant(&self, truth: &[Findings]) -> f64 {
        let labels = 0..self.labels.len();
        let single = labels.clone().map(|label| Findings::from_iter([label]));
        let all = [Findings::default(), Findings::from_iter(labels)];
        let worth = |answer: Findings| {
            let values = truth.iter().map(|&truth| squared_cosine(truth, answer));
            values.sum::<f64>() / truth.len().max(1) as f64
        };
        single.chain(all).map(worth).fold(0.0, f64::max)
    }
}

impl Incentive for XRayChallenge {
    fn name(&self) -> &'static str {
        NAME
    }

    fn scoring(&self) -> Scoring {
        self.scoring
    }

    fn history(&self) -> usize {
        HISTORY
    }

    /// `original`: in proportion to a moving average of the scores. `robust`: by places that samples can tell apart, of
    /// those alone that are better than the best constant answer.
    fn shares(&self, rounds: &[Past]) -> BTreeMap<AccountId, f64> {
        match self.scoring {
            Scoring::Original => {
                shares_by_average(rounds, |rows| rows.iter().map(|row| row.score).collect())
            }
            Scoring::Robust => robust::smoothed(rounds.iter().map(|past| {
                let rows = past.evaluations.iter().filter(|row| looks(row));
                let looking = Past {
                    evaluations: rows.cloned().collect(),
                    ..past.clone()
                };
                let order = robust::order(&looking, robust::MARGIN, |row, picks| {
                    let values = picks.iter().map(|&at| f64::from(row.evidence[at]));
                    values.sum::<f64>() / picks.len().max(1) as f64
                });
                (past, reward::shares_by_place(&order))
            })),
        }
    }
}

/// Whether answers are worth more than those of whoever does not look.
fn looks(row: &Evaluation) -> bool {
    let constant = row.metrics.get("constant");
    constant.is_some_and(|&constant| row.score > constant)
}

impl Challenge for XRayChallenge {
    /// Every finding, and none, equally often as far as there are images; in an order that says nothing of the table's.
    fn draw(&self, seed: Seed) -> Vec<usize> {
        // Who does not have the names cannot undo an order by them, although the seed is known to all.
        let shuffle = |items: &mut Vec<usize>, purpose: &str| {
            items.sort_by_cached_key(|&item| {
                let name = self.records[item].image_id.as_bytes();
                Seed::derive(purpose, &[&seed.0, name]).0
            });
        };
        let mut order: Vec<usize> = (0..self.records.len()).collect();
        shuffle(&mut order, "drawing");
        let labels = self.labels.len();
        let belongs = |item: usize, group: usize| {
            let findings = self.records[item].findings;
            match group < labels {
                true => findings.contains(group),
                false => findings.count() == 0,
            }
        };
        let mut groups: Vec<_> = (0..=labels)
            .map(|group| {
                order
                    .iter()
                    .copied()
                    .filter(move |&item| belongs(item, group))
            })
            .collect();
        // Where the sample is no multiple of the groups, other groups come first in another round.
        groups.rotate_left(usize::from(seed.0[0]) % (labels + 1));
        let mut is_drawn = vec![false; self.records.len()];
        let mut missing = self.sample.min(self.records.len());
        while missing > 0 {
            let before = missing;
            for group in &mut groups {
                if missing == 0 {
                    break;
                }
                if let Some(item) = group.find(|&item| !is_drawn[item]) {
                    is_drawn[item] = true;
                    missing -= 1;
                }
            }
            if missing == before {
                break;
            }
        }
        drop(groups);
        order.retain(|&item| is_drawn[item]);
        // As drawn, those of large groups would come first.
        shuffle(&mut order, "asking");
        order
    }

    fn question(&self, seed: Seed, item: usize) -> Result<Question, SampleError> {
        let record = &self.records[item];
        let unusable = |error: ImageError| SampleError {
            item,
            reason: format!("{}: {error}", record.path.display()),
        };
        let parts: [&[u8]; 2] = [&seed.0, record.image_id.as_bytes()];
        let disguise = Disguise::draw(&mut Seed::derive("disguise", &parts).stream());
        let image = image::open(&record.path).map_err(unusable)?;
        let image = disguise.apply(&image, JUDGING_SIDE).map_err(unusable)?;
        let image = Value::String(BASE64_STANDARD.encode(image));
        Ok(Question {
            timeout: self.timeout,
            idempotent: true,
            ..Question::new(REQUEST, Map::from_iter([("input_image".to_owned(), image)]))
        })
    }

    /// `answered` and `understood` are the shares of the questions that have an answer and one that is a list of
    /// findings, `exact` that of those answered exactly rightly, `latency` the mean time of an answer in seconds.
    fn score(&self, items: &[usize], replies: &[Option<Reply>]) -> Score {
        let truth: Vec<Findings> = items
            .iter()
            .map(|&item| self.records[item].findings)
            .collect();
        let said: Vec<Option<Findings>> = replies
            .iter()
            .map(|reply| {
                let said: Predicted = reply.as_ref()?.answer.parse().ok()?;
                self.read(&said.output_text)
            })
            .collect();
        let worth = |(&truth, said): (&Findings, &Option<Findings>)| {
            said.map_or(0.0, |said| squared_cosine(truth, said))
        };
        let worths: Vec<f64> = truth.iter().zip(&said).map(worth).collect();
        let asked = items.len().max(1) as f64;
        let latencies: Vec<f64> = replies
            .iter()
            .flatten()
            .map(|reply| reply.latency.as_secs_f64())
            .collect();
        let answered = latencies.len() as f64;
        let understood = said.iter().flatten().count() as f64;
        let exact = truth.iter().zip(&said).filter(|(a, b)| Some(**a) == **b);
        let exact = exact.count() as f64;
        let metrics = [
            ("answered", answered / asked),
            ("understood", understood / asked),
            ("exact", exact / asked),
            ("constant", self.constant(&truth)),
            ("latency", latencies.iter().sum::<f64>() / answered.max(1.0)),
        ];
        Score {
            score: worths.iter().sum::<f64>() / asked,
            evidence: worths.into_iter().map(|worth| worth as f32).collect(),
            metrics: metrics.map(|(name, value)| (name.to_owned(), value)).into(),
        }
    }
}

#[cfg(test)]
mod tests;

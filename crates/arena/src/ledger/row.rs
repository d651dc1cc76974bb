//! What the ledger holds: rounds and evaluations, and how they are read from the database.

use crate::likeness::Portrait;
use crate::release::Agenda;
use crate::reward::Scoring;
use agon_keys::AccountId;
use agon_model::digest::Digest;
use agon_neuron::{BadScore, H256, SignedCall, WeightLimits, weigh};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;

/// What became of a submission in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It answered every sample and has a score.
    Scored,
    /// It breaks a rule: not a claim, a copy, a forbidden or malformed model, a wrong answer.
    Refused,
    /// Its process died.
    Crashed,
    /// It ran past its time.
    TooSlow,
    /// Its file or its memory went past the limit.
    TooLarge,
}

impl Outcome {
    /// The word used in the ledger and on screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scored => "scored",
            Self::Refused => "refused",
            Self::Crashed => "crashed",
            Self::TooSlow => "too slow",
            Self::TooLarge => "too large",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [
            Self::Scored,
            Self::Refused,
            Self::Crashed,
            Self::TooSlow,
            Self::TooLarge,
        ]
        .into_iter()
        .find(|outcome| outcome.as_str() == text)
    }
}

/// One submission in one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The round, counted from 1.
    pub round: u64,
    /// Who submitted.
    pub hotkey: AccountId,
    /// Block of the commitment.
    pub commit_block: u64,
    /// Index of the commitment's extrinsic in that block.
    pub extrinsic_index: u32,
    /// SHA-256 of the claimed model; none when the commitment is not a claim.
    pub artefact: Option<Digest>,
    /// SHA-256 of the sample's item numbers.
    pub sample: Digest,
    /// Size of the model in bytes, 0 when it was not fetched.
    pub bytes: u64,
    /// Engine and its version.
    pub engine: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was not scored.
    pub reason: Option<String>,
    /// The score, 0 unless scored.
    pub score: f64,
    /// The competition's further figures.
    pub metrics: BTreeMap<String, f64>,
    /// What the model computes, whatever its file looks like; none when it was not loaded.
    #[serde(default)]
    pub canonical: Option<Digest>,
    /// How it answered this round's sample; empty unless scored.
    #[serde(default)]
    pub portrait: Portrait,
    /// What the competition knows copies of it by in this round, where it has such a thing
    /// ([`Competition::fingerprint`](crate::competition::Competition::fingerprint)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Digest>,
    /// What each sample contributed ([`Score::evidence`](crate::competition::Score)); empty unless scored.
    #[serde(default)]
    pub evidence: Vec<f32>,
    /// Processor time of its child processes, in seconds. It differs from machine to machine and decides nothing.
    #[serde(default)]
    pub seconds: f64,
}

impl Evaluation {
    /// What submissions are ordered by: block and index of the commitment, then the hotkey.
    pub fn committed(&self) -> (u64, u32, AccountId) {
        (self.commit_block, self.extrinsic_index, self.hotkey)
    }

    /// An evaluation of which no more is known than whose it is, where it was committed and what became of it.
    #[cfg(test)]
    pub(crate) fn empty(hotkey: AccountId, committed: (u64, u32), outcome: Outcome) -> Self {
        Self {
            round: 1,
            hotkey,
            commit_block: committed.0,
            extrinsic_index: committed.1,
            artefact: None,
            sample: Digest::of(b""),
            bytes: 0,
            engine: String::new(),
            outcome,
            reason: None,
            score: 0.0,
            metrics: BTreeMap::new(),
            canonical: None,
            portrait: Portrait::default(),
            fingerprint: None,
            evidence: Vec::new(),
            seconds: 0.0,
        }
    }
}

/// One round: what is judged, and how far its weights came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Counted from 1 in this ledger.
    pub number: u64,
    /// The subnet's epoch index it belongs to.
    pub epoch: u64,
    /// Commitments up to and including this block count.
    pub cutoff_block: u64,
    /// Hash of that block.
    pub cutoff_hash: H256,
    /// Hash of the block after it: the sample's seed unless the source is fixed.
    pub seed_hash: H256,
    /// What of released data it is about; none where data are not released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agenda: Option<Agenda>,
}

/// What a round's weights were made of, so that they can be made again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Basis {
    /// By which rules.
    pub scoring: Scoring,
    /// What the competition gave each hotkey.
    pub shares: BTreeMap<AccountId, f64>,
    /// Who was registered then.
    pub registered: BTreeSet<AccountId>,
    /// What the subnet asked of weights then.
    pub limits: WeightLimits,
}

impl Basis {
    /// The weights.
    ///
    /// # Errors
    /// When a share is no weight.
    pub fn weights(&self) -> Result<BTreeMap<AccountId, u16>, BadScore> {
        weigh(&self.shares, &self.registered, self.limits)
    }
}

/// How far a round's weights came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// What the weights were made of.
    pub basis: Option<Basis>,
    /// Weights by hotkey and the signed transaction that carries them.
    pub signed: Option<(BTreeMap<AccountId, u16>, SignedCall)>,
    /// Block in which they are final.
    pub weights_block: Option<u64>,
    /// Block at which their pay is readable.
    pub paid_block: Option<u64>,
    /// Whether nobody was valid.
    pub abstained: bool,
}

impl Progress {
    /// Whether nothing of the round is left to do.
    pub fn finished(&self) -> bool {
        self.abstained || self.paid_block.is_some()
    }
}

/// Why a row cannot be read.
pub(super) enum Unreadable {
    /// The database gives no such value.
    Database(sqlx::Error),
    /// A value that this version never writes.
    Value(String),
}

impl From<sqlx::Error> for Unreadable {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// The columns of one row.
struct Columns<'a>(&'a SqliteRow);

impl Columns<'_> {
    fn number(&self, name: &str) -> Result<u64, Unreadable> {
        let number: i64 = self.0.try_get(name)?;
        u64::try_from(number).map_err(|_| unexpected(name, number))
    }

    fn text(&self, name: &str) -> Result<Option<String>, Unreadable> {
        Ok(self.0.try_get(name)?)
    }

    /// A value whose text form is in the column.
    fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, Unreadable> {
        let read = |text: String| text.parse().map_err(|_| unexpected(name, text));
        self.text(name)?.map(read).transpose()
    }

    /// As [`Columns::parsed`] for a column that always holds one.
    fn given<T: FromStr>(&self, name: &str) -> Result<T, Unreadable> {
        self.parsed(name)?
            .ok_or_else(|| unexpected(name, "nothing"))
    }

    fn json<T: for<'a> Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, Unreadable> {
        let read = |text: String| serde_json::from_str(&text).map_err(|_| unexpected(name, text));
        self.text(name)?.map(read).transpose()
    }
}

fn unexpected(name: &str, found: impl Display) -> Unreadable {
    Unreadable::Value(format!("column {name} holds {found}"))
}

impl Evaluation {
    pub(super) fn read(row: &SqliteRow) -> Result<Self, Unreadable> {
        let columns = Columns(row);
        let outcome: String = columns.given("outcome")?;
        let index = columns.number("extrinsic_index")?;
        let evidence: Vec<u8> = row.try_get("evidence")?;
        Ok(Self {
            round: columns.number("round")?,
            hotkey: columns.given("hotkey")?,
            commit_block: columns.number("commit_block")?,
            extrinsic_index: u32::try_from(index)
                .map_err(|_| unexpected("extrinsic_index", index))?,
            artefact: columns.parsed("artefact")?,
            sample: columns.given("sample")?,
            bytes: columns.number("bytes")?,
            engine: row.try_get("engine")?,
            outcome: Outcome::parse(&outcome).ok_or_else(|| unexpected("outcome", outcome))?,
            reason: row.try_get("reason")?,
            score: row.try_get("score")?,
            metrics: columns.json("metrics")?.unwrap_or_default(),
            canonical: columns.parsed("canonical")?,
            portrait: columns.json("portrait")?.unwrap_or_default(),
            fingerprint: columns.parsed("fingerprint")?,
            evidence: floats(&evidence),
            seconds: row.try_get("seconds")?,
        })
    }

    /// The evidence as little-endian bytes, as its column holds it.
    pub(super) fn evidence_bytes(&self) -> Vec<u8> {
        self.evidence
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (values, _) = bytes.as_chunks();
    values
        .iter()
        .map(|value| f32::from_le_bytes(*value))
        .collect()
}

impl Round {
    pub(super) fn read(row: &SqliteRow) -> Result<(Self, Progress), Unreadable> {
        let columns = Columns(row);
        let block = |name: &str| -> Result<Option<u64>, Unreadable> {
            let value: Option<i64> = row.try_get(name)?;
            let read = |value| u64::try_from(value).map_err(|_| unexpected(name, value));
            value.map(read).transpose()
        };
        let round = Self {
            number: columns.number("round")?,
            epoch: columns.number("epoch")?,
            cutoff_block: columns.number("cutoff_block")?,
            cutoff_hash: columns.given("cutoff_hash")?,
            seed_hash: columns.given("seed_hash")?,
            agenda: columns.json("agenda")?,
        };
        let signed = columns.json("weights")?.zip(columns.json("weights_call")?);
        let progress = Progress {
            basis: columns.json("basis")?,
            signed,
            weights_block: block("weights_block")?,
            paid_block: block("paid_block")?,
            abstained: columns.number("abstained")? != 0,
        };
        Ok((round, progress))
    }
}

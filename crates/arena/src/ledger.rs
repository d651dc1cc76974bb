//! The ledger: every evaluation and every round of one validator, in SQL that its operator may query.
//!
//! Rows are keyed by chain genesis, competition, round and hotkey, never by uid, so applying an event
//! twice changes nothing. The ledger changes only by [`Ledger::record`], which writes the event to the
//! journal first.

use crate::event::Event;
use crate::journal::{Journal, JournalError};
use crate::likeness::Portrait;
use agon_keys::AccountId;
use agon_model::digest::Digest;
use agon_neuron::{H256, SignedCall};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteRow, SqliteSynchronous,
};
use sqlx::{Row, SqliteConnection};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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

    fn parse(text: &str) -> Option<Self> {
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
}

/// How far a round's weights came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Weights by hotkey and the signed transaction that carries them.
    pub signed: Option<(BTreeMap<AccountId, u16>, SignedCall)>,
    /// Block in which they are final.
    pub weights_block: Option<u64>,
    /// Block at which their pay is readable.
    pub paid_block: Option<u64>,
    /// Whether nobody was valid.
    pub abstained: bool,
}

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The journal beside it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The database.
    #[error("ledger {path}: {source}")]
    Database {
        /// The database's file.
        path: PathBuf,
        /// What it said.
        source: sqlx::Error,
    },
    /// The schema is not one this version can bring up to date.
    #[error("ledger {path}: {source}; it was written by another version of agon")]
    Schema {
        /// The database's file.
        path: PathBuf,
        /// What it said.
        source: sqlx::migrate::MigrateError,
    },
    /// A row holds something this version never writes.
    #[error("ledger {path}: {what}")]
    Row {
        /// The database's file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// An open ledger with its journal, for one competition on one chain.
pub struct Ledger {
    path: PathBuf,
    pool: SqlitePool,
    journal: Journal,
    genesis: String,
    competition: String,
}

impl Progress {
    /// Whether nothing of the round is left to do.
    pub fn finished(&self) -> bool {
        self.abstained || self.paid_block.is_some()
    }
}

impl Ledger {
    /// Open or create `ledger.sqlite` and `journal.jsonl` in `directory`, bring the schema up to date
    /// and apply what the journal holds beyond the ledger.
    pub async fn open(
        directory: &Path,
        genesis: &[u8; 32],
        competition: &str,
    ) -> Result<Self, LedgerError> {
        let path = directory.join("ledger.sqlite");
        std::fs::create_dir_all(directory).map_err(|source| JournalError::Io {
            path: directory.to_owned(),
            source,
        })?;
        let journal = Journal::open(&directory.join("journal.jsonl"))?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let database = |source| LedgerError::Database {
            path: path.clone(),
            source,
        };
        let pool = SqlitePool::connect_with(options).await.map_err(database)?;
        sqlx::migrate!()
            .run(&pool)
            .await
            .map_err(|source| LedgerError::Schema {
                path: path.clone(),
                source,
            })?;
        let ledger = Self {
            path,
            pool,
            journal,
            genesis: hex::encode(genesis),
            competition: competition.to_owned(),
        };
        ledger.catch_up().await?;
        Ok(ledger)
    }

    fn database(&self, source: sqlx::Error) -> LedgerError {
        LedgerError::Database {
            path: self.path.clone(),
            source,
        }
    }

    fn row(&self, what: impl Into<String>) -> LedgerError {
        LedgerError::Row {
            path: self.path.clone(),
            what: what.into(),
        }
    }

    async fn catch_up(&self) -> Result<(), LedgerError> {
        let applied: i64 = sqlx::query("SELECT applied FROM journal")
            .fetch_one(&self.pool)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(|source| self.database(source))?;
        for (event, end) in self.journal.events_from(applied as u64)? {
            self.apply(&event, end).await?;
        }
        Ok(())
    }

    /// Acknowledge an event: first a synced line of the journal, then the change it means.
    pub async fn record(&mut self, event: &Event) -> Result<(), LedgerError> {
        let end = self.journal.append(event)?;
        self.apply(event, end).await
    }

    async fn apply(&self, event: &Event, end: u64) -> Result<(), LedgerError> {
        let result = async {
            let mut transaction = self.pool.begin().await?;
            self.change(&mut transaction, event).await?;
            sqlx::query("UPDATE journal SET applied = ?")
                .bind(end as i64)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await
        };
        result.await.map_err(|source| self.database(source))
    }

    async fn change(&self, on: &mut SqliteConnection, event: &Event) -> Result<(), sqlx::Error> {
        let (round, query) = match event {
            Event::RoundOpened(round) => (
                round.number,
                sqlx::query(
                    "INSERT OR IGNORE INTO rounds (epoch, cutoff_block, cutoff_hash, seed_hash, genesis, competition, round) \
                     VALUES (?, ?, ?, ?, ?, ?, ?)",
                )
                .bind(round.epoch as i64)
                .bind(round.cutoff_block as i64)
                .bind(round.cutoff_hash.to_string())
                .bind(round.seed_hash.to_string()),
            ),
            Event::Evaluated(row) => (
                row.round,
                sqlx::query(
                    "INSERT OR IGNORE INTO evaluations (hotkey, commit_block, extrinsic_index, artefact, sample, bytes, \
                     engine, outcome, reason, score, metrics, canonical, portrait, genesis, competition, round) \
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                )
                .bind(row.hotkey.to_string())
                .bind(row.commit_block as i64)
                .bind(i64::from(row.extrinsic_index))
                .bind(row.artefact.map(|digest| digest.to_string()))
                .bind(row.sample.to_string())
                .bind(row.bytes as i64)
                .bind(&row.engine)
                .bind(row.outcome.as_str())
                .bind(&row.reason)
                .bind(row.score)
                .bind(serde_json::json!(row.metrics).to_string())
                .bind(row.canonical.map(|digest| digest.to_string()))
                .bind(serde_json::json!(row.portrait).to_string()),
            ),
            Event::WeightsSigned {
                round,
                weights,
                transaction,
            } => (
                *round,
                sqlx::query(
                    "UPDATE rounds SET weights = ?, weights_call = ? \
                     WHERE genesis = ? AND competition = ? AND round = ?",
                )
                .bind(serde_json::json!(weights).to_string())
                .bind(serde_json::json!(transaction).to_string()),
            ),
            Event::WeightsSet { round, block } => (
                *round,
                sqlx::query(
                    "UPDATE rounds SET weights_block = ? WHERE genesis = ? AND competition = ? AND round = ?",
                )
                .bind(*block as i64),
            ),
            Event::RoundPaid { round, block } => (
                *round,
                sqlx::query(
                    "UPDATE rounds SET paid_block = ? WHERE genesis = ? AND competition = ? AND round = ?",
                )
                .bind(*block as i64),
            ),
            Event::Abstained { round } => (
                *round,
                sqlx::query(
                    "UPDATE rounds SET abstained = 1 WHERE genesis = ? AND competition = ? AND round = ?",
                ),
            ),
            _ => return Ok(()),
        };
        query
            .bind(&self.genesis)
            .bind(&self.competition)
            .bind(round as i64)
            .execute(on)
            .await?;
        Ok(())
    }

    /// The newest round and how far it came.
    pub async fn last_round(&self) -> Result<Option<(Round, Progress)>, LedgerError> {
        Ok(self.last_rounds(1).await?.pop())
    }

    /// At most `count` of the newest rounds and how far they came, oldest first.
    pub async fn last_rounds(&self, count: usize) -> Result<Vec<(Round, Progress)>, LedgerError> {
        let mut rows = sqlx::query(
            "SELECT * FROM rounds WHERE genesis = ? AND competition = ? ORDER BY round DESC LIMIT ?",
        )
        .bind(&self.genesis)
        .bind(&self.competition)
        .bind(count as i64)
        .fetch_all(&self.pool)
        .await
        .map_err(|source| self.database(source))?;
        rows.reverse();
        rows.iter().map(|row| self.read_round(row)).collect()
    }

    fn read_round(&self, row: &SqliteRow) -> Result<(Round, Progress), LedgerError> {
        let get = |name: &str| -> Result<i64, LedgerError> {
            row.try_get(name).map_err(|source| self.database(source))
        };
        let text = |name: &str| -> Result<Option<String>, LedgerError> {
            row.try_get(name).map_err(|source| self.database(source))
        };
        let block = |name: &str| -> Result<Option<u64>, LedgerError> {
            let value: Option<i64> = row.try_get(name).map_err(|source| self.database(source))?;
            Ok(value.map(|value| value as u64))
        };
        let hash = |name: &str| -> Result<H256, LedgerError> {
            let text = text(name)?.unwrap_or_default();
            text.parse()
                .map_err(|_| self.row(format!("column {name} holds {text:?}")))
        };
        let json = |error: serde_json::Error| self.row(format!("weights of a round: {error}"));
        let signed = match (text("weights")?, text("weights_call")?) {
            (Some(weights), Some(call)) => Some((
                serde_json::from_str(&weights).map_err(json)?,
                serde_json::from_str(&call).map_err(json)?,
            )),
            _ => None,
        };
        Ok((
            Round {
                number: get("round")? as u64,
                epoch: get("epoch")? as u64,
                cutoff_block: get("cutoff_block")? as u64,
                cutoff_hash: hash("cutoff_hash")?,
                seed_hash: hash("seed_hash")?,
            },
            Progress {
                signed,
                weights_block: block("weights_block")?,
                paid_block: block("paid_block")?,
                abstained: get("abstained")? != 0,
            },
        ))
    }

    /// All evaluations of one round, in the order of their commitments.
    pub async fn evaluations(&self, round: u64) -> Result<Vec<Evaluation>, LedgerError> {
        let rows = sqlx::query(
            "SELECT * FROM evaluations WHERE genesis = ? AND competition = ? AND round = ? \
             ORDER BY commit_block, extrinsic_index, hotkey",
        )
        .bind(&self.genesis)
        .bind(&self.competition)
        .bind(round as i64)
        .fetch_all(&self.pool)
        .await
        .map_err(|source| self.database(source))?;
        rows.iter().map(|row| self.read_evaluation(row)).collect()
    }

    fn read_evaluation(&self, row: &SqliteRow) -> Result<Evaluation, LedgerError> {
        let parse = |name: &str, text: &str| self.row(format!("column {name} holds {text:?}"));
        let read = || -> Result<_, sqlx::Error> {
            Ok((
                row.try_get::<i64, _>("round")?,
                row.try_get::<String, _>("hotkey")?,
                row.try_get::<i64, _>("commit_block")?,
                row.try_get::<i64, _>("extrinsic_index")?,
                row.try_get::<Option<String>, _>("artefact")?,
                row.try_get::<String, _>("sample")?,
                row.try_get::<i64, _>("bytes")?,
                row.try_get::<String, _>("outcome")?,
                row.try_get::<String, _>("metrics")?,
                row.try_get::<Option<String>, _>("canonical")?,
                row.try_get::<String, _>("portrait")?,
            ))
        };
        let (
            round,
            hotkey,
            block,
            index,
            artefact,
            sample,
            bytes,
            outcome,
            metrics,
            canonical,
            portrait,
        ) = read().map_err(|source| self.database(source))?;
        let digest = |name: &str, text: &str| text.parse().map_err(|_| parse(name, text));
        Ok(Evaluation {
            round: round as u64,
            hotkey: hotkey.parse().map_err(|_| parse("hotkey", &hotkey))?,
            commit_block: block as u64,
            extrinsic_index: u32::try_from(index)
                .map_err(|_| parse("extrinsic_index", &index.to_string()))?,
            artefact: artefact.map(|text| digest("artefact", &text)).transpose()?,
            sample: digest("sample", &sample)?,
            bytes: bytes as u64,
            engine: row
                .try_get("engine")
                .map_err(|source| self.database(source))?,
            outcome: Outcome::parse(&outcome).ok_or_else(|| parse("outcome", &outcome))?,
            reason: row
                .try_get("reason")
                .map_err(|source| self.database(source))?,
            score: row
                .try_get("score")
                .map_err(|source| self.database(source))?,
            metrics: serde_json::from_str(&metrics).map_err(|_| parse("metrics", &metrics))?,
            canonical: canonical
                .map(|text| digest("canonical", &text))
                .transpose()?,
            portrait: serde_json::from_str(&portrait).map_err(|_| parse("portrait", &portrait))?,
        })
    }

    /// The scores of each hotkey in the `rounds` rounds up to and including `round`, in order of
    /// rounds.
    pub async fn scores(
        &self,
        round: u64,
        rounds: usize,
    ) -> Result<BTreeMap<AccountId, Vec<f64>>, LedgerError> {
        let first = (round + 1).saturating_sub(rounds as u64);
        let rows = sqlx::query(
            "SELECT hotkey, score FROM evaluations WHERE genesis = ? AND competition = ? \
             AND round BETWEEN ? AND ? ORDER BY round",
        )
        .bind(&self.genesis)
        .bind(&self.competition)
        .bind(first as i64)
        .bind(round as i64)
        .fetch_all(&self.pool)
        .await
        .map_err(|source| self.database(source))?;
        let mut scores: BTreeMap<AccountId, Vec<f64>> = BTreeMap::new();
        for row in rows {
            let read = || Ok::<(String, f64), sqlx::Error>((row.try_get(0)?, row.try_get(1)?));
            let (hotkey, score) = read().map_err(|source| self.database(source))?;
            let hotkey = hotkey
                .parse()
                .map_err(|_| self.row(format!("hotkey {hotkey:?}")))?;
            scores.entry(hotkey).or_default().push(score);
        }
        Ok(scores)
    }

    /// Close the database; call it before the process ends so that no write-ahead log stays behind.
    pub async fn close(self) {
        self.pool.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENESIS: [u8; 32] = [7; 32];

    fn evaluation(round: u64, number: u8, score: f64) -> Event {
        Event::Evaluated(Evaluation {
            round,
            hotkey: AccountId::from([number; 32]),
            commit_block: 10,
            extrinsic_index: u32::from(number),
            artefact: Some(Digest::of(&[number])),
            sample: Digest::of(b"sample"),
            bytes: 1000,
            engine: "engine 1".into(),
            outcome: if score > 0.0 {
                Outcome::Scored
            } else {
                Outcome::Refused
            },
            reason: (score == 0.0).then(|| "broken".into()),
            score,
            metrics: BTreeMap::from([("accuracy".into(), score / 3.0)]),
            canonical: Some(Digest::of(b"network")),
            portrait: serde_json::from_str("[3,-32767]").unwrap(),
        })
    }

    fn opened(number: u64) -> Event {
        Event::RoundOpened(Round {
            number,
            epoch: 4 + number,
            cutoff_block: 100 * number,
            cutoff_hash: H256([3; 32]),
            seed_hash: H256([4; 32]),
        })
    }

    fn signed_call() -> SignedCall {
        serde_json::from_value(serde_json::json!({
            "call": "SubtensorModule.set_mechanism_weights",
            "account": AccountId::from([1; 32]),
            "nonce": 3,
            "genesis": H256(GENESIS),
            "birth": 100,
            "hash": H256([5; 32]),
            "bytes": "00",
        }))
        .unwrap()
    }

    fn story() -> Vec<Event> {
        vec![
            opened(1),
            evaluation(1, 1, 0.5),
            evaluation(1, 2, 0.0),
            Event::WeightsSigned {
                round: 1,
                weights: BTreeMap::from([(AccountId::from([1; 32]), 65535)]),
                transaction: signed_call(),
            },
            Event::WeightsSet {
                round: 1,
                block: 120,
            },
            Event::RoundPaid {
                round: 1,
                block: 130,
            },
            opened(2),
            evaluation(2, 1, 0.25),
            Event::Abstained { round: 2 },
        ]
    }

    async fn check(ledger: &Ledger) {
        let rows = ledger.evaluations(1).await.unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(Event::Evaluated(rows[0].clone()), evaluation(1, 1, 0.5));
        assert_eq!(rows[1].reason.as_deref(), Some("broken"));
        let scores = ledger.scores(2, 5).await.unwrap();
        assert_eq!(scores[&AccountId::from([1; 32])], [0.5, 0.25]);
        assert_eq!(scores[&AccountId::from([2; 32])], [0.0]);
        assert_eq!(ledger.scores(2, 1).await.unwrap().len(), 1);
        let (round, progress) = ledger.last_round().await.unwrap().unwrap();
        assert_eq!(Event::RoundOpened(round), opened(2));
        assert!(progress.abstained && progress.signed.is_none());
    }

    #[tokio::test]
    async fn replaying_the_journal_rebuilds_the_ledger() {
        let directory = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(directory.path(), &GENESIS, "c").await.unwrap();
        for event in story() {
            ledger.record(&event).await.unwrap();
        }
        check(&ledger).await;
        ledger.close().await;
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(directory.path().join(format!("ledger.sqlite{suffix}")));
        }
        let ledger = Ledger::open(directory.path(), &GENESIS, "c").await.unwrap();
        check(&ledger).await;
    }

    #[tokio::test]
    async fn an_event_applied_twice_changes_nothing_and_scopes_do_not_mix() {
        let directory = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(directory.path(), &GENESIS, "c").await.unwrap();
        for event in story().into_iter().chain([evaluation(1, 1, 0.9)]) {
            ledger.record(&event).await.unwrap();
        }
        check(&ledger).await;
        ledger.close().await;
        let other = Ledger::open(directory.path(), &[8; 32], "c").await.unwrap();
        assert!(other.last_round().await.unwrap().is_none());
        assert!(other.evaluations(1).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_ledger_of_a_newer_version_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(directory.path(), &GENESIS, "c").await.unwrap();
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (999, 'later', 1, x'00', 0)",
        )
        .execute(&ledger.pool)
        .await
        .unwrap();
        ledger.close().await;
        let error = Ledger::open(directory.path(), &GENESIS, "c")
            .await
            .err()
            .unwrap();
        assert!(error.to_string().contains("another version"), "{error}");
    }
}

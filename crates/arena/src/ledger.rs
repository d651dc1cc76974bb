//! The ledger: every evaluation and every round of one validator, in SQL that its operator may query.
//!
//! Rows are keyed by chain genesis, competition, round and hotkey, never by uid, so applying an event
//! twice changes nothing. The ledger changes only by [`Ledger::record`], which writes the event to the
//! journal first.

mod records;
mod row;

pub use records::{Records, Scope};
pub use row::{Basis, Evaluation, Outcome, Progress, Round};

use crate::event::Event;
use crate::journal::{Journal, JournalError};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous};
use sqlx::{Row, SqliteConnection};
use std::path::{Path, PathBuf};

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
    /// There is no ledger, or not the one asked for.
    #[error("{path}: {what}")]
    Missing {
        /// The database's file.
        path: PathBuf,
        /// What is missing, and what there is.
        what: String,
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
    records: Records,
    journal: Journal,
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
            records: Records {
                path,
                pool,
                genesis: hex::encode(genesis),
                competition: competition.to_owned(),
            },
            journal,
        };
        ledger.catch_up().await?;
        Ok(ledger)
    }

    async fn catch_up(&self) -> Result<(), LedgerError> {
        let applied: i64 = sqlx::query("SELECT applied FROM journal")
            .fetch_one(&self.records.pool)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(|source| self.records.database(source))?;
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
            let mut transaction = self.records.pool.begin().await?;
            self.change(&mut transaction, event).await?;
            sqlx::query("UPDATE journal SET applied = ?")
                .bind(end as i64)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await
        };
        result.await.map_err(|source| self.records.database(source))
    }

    async fn change(&self, on: &mut SqliteConnection, event: &Event) -> Result<(), sqlx::Error> {
        let (round, query) = match event {
            Event::RoundOpened(round) => (
                round.number,
                sqlx::query(
                    "INSERT OR IGNORE INTO rounds (epoch, cutoff_block, cutoff_hash, seed_hash, agenda, genesis, \
                     competition, round) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                )
                .bind(round.epoch as i64)
                .bind(round.cutoff_block as i64)
                .bind(round.cutoff_hash.to_string())
                .bind(round.seed_hash.to_string())
                .bind(round.agenda.as_ref().map(|agenda| serde_json::json!(agenda).to_string())),
            ),
            Event::Evaluated(row) => (
                row.round,
                sqlx::query(
                    "INSERT OR IGNORE INTO evaluations (hotkey, commit_block, extrinsic_index, artefact, sample, bytes, \
                     engine, outcome, reason, score, metrics, canonical, portrait, fingerprint, evidence, seconds, \
                     genesis, competition, round) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
                .bind(serde_json::json!(row.portrait).to_string())
                .bind(row.fingerprint.map(|digest| digest.to_string()))
                .bind(row.evidence_bytes())
                .bind(row.seconds),
            ),
            Event::WeightsSigned {
                round,
                basis,
                weights,
                transaction,
            } => (
                *round,
                sqlx::query(
                    "UPDATE rounds SET basis = ?, weights = ?, weights_call = ? \
                     WHERE genesis = ? AND competition = ? AND round = ?",
                )
                .bind(basis.as_ref().map(|basis| serde_json::json!(basis).to_string()))
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
            Event::RoundTaken { round } => (
                *round,
                sqlx::query(
                    "UPDATE rounds SET paid_block = cutoff_block WHERE genesis = ? AND competition = ? AND round = ?",
                ),
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
            .bind(&self.records.genesis)
            .bind(&self.records.competition)
            .bind(round as i64)
            .execute(on)
            .await?;
        Ok(())
    }

    /// What it holds.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Close the database; call it before the process ends so that no write-ahead log stays behind.
    pub async fn close(self) {
        self.records.pool.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::{Agenda, Release};
    use crate::reward::Scoring;
    use crate::seed::SampleSource;
    use agon_keys::AccountId;
    use agon_model::digest::Digest;
    use agon_neuron::{H256, SignedCall, WeightLimits};
    use std::collections::{BTreeMap, BTreeSet};

    const GENESIS: [u8; 32] = [7; 32];

    fn evaluation(round: u64, number: u8, score: f64) -> Event {
        let outcome = if score > 0.0 {
            Outcome::Scored
        } else {
            Outcome::Refused
        };
        Event::Evaluated(Evaluation {
            round,
            artefact: Some(Digest::of(&[number])),
            sample: Digest::of(b"sample"),
            bytes: 1000,
            engine: "engine 1".into(),
            reason: (score == 0.0).then(|| "broken".into()),
            score,
            metrics: BTreeMap::from([("accuracy".into(), score / 3.0)]),
            canonical: Some(Digest::of(&[100 + number])),
            portrait: serde_json::from_str("[3,-32767]").unwrap(),
            evidence: vec![0.1, -7.5],
            seconds: 0.25,
            ..Evaluation::empty(
                AccountId::from([number; 32]),
                (10, u32::from(number)),
                outcome,
            )
        })
    }

    fn opened(number: u64) -> Event {
        Event::RoundOpened(Round {
            number,
            epoch: 4 + number,
            cutoff_block: 100 * number,
            cutoff_hash: H256([3; 32]),
            seed_hash: H256([4; 32]),
            agenda: None,
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

    fn basis() -> Basis {
        Basis {
            scoring: Scoring::Original,
            shares: BTreeMap::from([(AccountId::from([1; 32]), 0.1 + 0.2)]),
            registered: BTreeSet::from([AccountId::from([1; 32])]),
            limits: WeightLimits::NONE,
        }
    }

    fn story() -> Vec<Event> {
        vec![
            opened(1),
            evaluation(1, 1, 0.5),
            evaluation(1, 2, 0.0),
            Event::WeightsSigned {
                round: 1,
                basis: Some(basis()),
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
        let rows = ledger.records().evaluations(1).await.unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(Event::Evaluated(rows[0].clone()), evaluation(1, 1, 0.5));
        assert_eq!(rows[1].reason.as_deref(), Some("broken"));
        let past = ledger
            .records()
            .past(2, 5, SampleSource::Chain)
            .await
            .unwrap();
        assert_eq!(past[0].evaluations, rows);
        assert_eq!((past[1].cutoff_block, past[1].evaluations.len()), (200, 1));
        let last = ledger
            .records()
            .past(2, 1, SampleSource::Chain)
            .await
            .unwrap();
        assert_eq!(last, past[1..]);
        let (_, first) = &ledger.records().rounds(1, 1).await.unwrap()[0];
        assert_eq!(first.basis, Some(basis()));
        assert_eq!(first.signed.as_ref().unwrap().0, basis().weights().unwrap());
        let (round, progress) = ledger.records().last_round().await.unwrap().unwrap();
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
        assert!(other.records().last_round().await.unwrap().is_none());
        assert!(other.records().evaluations(1).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn rewards_look_at_the_last_rounds_of_each_competition() {
        let directory = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(directory.path(), &GENESIS, "c").await.unwrap();
        let released = |number, of: Option<(&str, Option<&str>)>| {
            let release = of.map(|(competition, cancelled)| Release {
                competition: competition.into(),
                organization: "o".into(),
                file: "f".into(),
                digest: Some(Digest::of(b"f")),
                released: number,
                last_block: 1,
                samples: 5,
                dropped: 1,
                cancelled: cancelled.map(str::to_owned),
            });
            let Event::RoundOpened(round) = opened(number) else {
                unreachable!()
            };
            Event::RoundOpened(Round {
                agenda: Some(Agenda {
                    weights: BTreeMap::from([("a".into(), 0.1 + 0.2)]),
                    release,
                }),
                ..round
            })
        };
        let judged = |competition| Some((competition, None));
        let rounds = [
            judged("a"),
            judged("b"),
            judged("a"),
            Some(("a", Some("no table"))),
            Some(("a", Some("no images"))),
            judged("a"),
            None,
            None,
            None,
        ];
        let events: Vec<Event> = (1..).zip(rounds).map(|(at, of)| released(at, of)).collect();
        for event in &events {
            ledger.record(event).await.unwrap();
        }
        let numbers = async |round, count| -> Vec<u64> {
            let looked = ledger.records().looked_at(round, count).await.unwrap();
            looked.iter().map(|round| round.number).collect()
        };
        assert_eq!(numbers(9, 2).await, [2, 3, 4, 5, 6, 8, 9]);
        assert_eq!(numbers(9, 1).await, [2, 5, 6, 9]);
        assert_eq!(numbers(3, 1).await, [2, 3]);
        let past = ledger.records().past(9, 5, SampleSource::Chain).await;
        let past = past.unwrap();
        assert_eq!(past.len(), 9);
        for (past, event) in past.iter().zip(&events) {
            let Event::RoundOpened(round) = event else {
                unreachable!()
            };
            assert_eq!(past.agenda, round.agenda);
        }
    }

    #[tokio::test]
    async fn a_model_belongs_to_whoever_committed_it_first_even_after_it_was_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(directory.path(), &GENESIS, "c").await.unwrap();
        for event in story() {
            ledger.record(&event).await.unwrap();
        }
        let owner = async |number: u8, index, artefact, canonical| {
            let committed = (10, index, AccountId::from([number; 32]));
            let owner = ledger
                .records()
                .owner(committed, artefact, canonical)
                .await
                .unwrap();
            owner.map(|owner| owner.hotkey)
        };
        let first = Some(AccountId::from([1; 32]));
        let [file, network] = [1, 101].map(|number| Digest::of(&[number]));
        let other = Digest::of(b"other");
        assert_eq!(owner(3, 7, file, None).await, first);
        assert_eq!(owner(3, 7, other, Some(network)).await, first);
        assert_eq!(owner(3, 7, other, None).await, None);
        // Nobody's own model is a copy, nor what was committed before.
        assert_eq!(owner(1, 7, file, Some(network)).await, None);
        assert_eq!(owner(3, 0, file, Some(network)).await, None);
        // What was refused is owned by nobody.
        assert_eq!(owner(3, 7, Digest::of(&[2]), None).await, None);
    }

    #[tokio::test]
    async fn a_ledger_of_a_newer_version_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(directory.path(), &GENESIS, "c").await.unwrap();
        sqlx::query(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (999, 'later', 1, x'00', 0)",
        )
        .execute(&ledger.records.pool)
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

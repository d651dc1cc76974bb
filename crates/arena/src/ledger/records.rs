//! Reading the ledger: the same questions whether a validator asks about itself or a person about a validator.

use super::row::Unreadable;
use super::{Evaluation, LedgerError, Progress, Round};
use crate::commitment::Claim;
use crate::reward::Past;
use crate::seed::SampleSource;
use agon_keys::AccountId;
use agon_model::digest::Digest;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqliteRow};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What one ledger file may hold several of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Hash of the chain's block 0, in hex.
    pub genesis: String,
    /// The competition's name.
    pub competition: String,
}

/// The rows of one competition on one chain, to read. Whoever reads does not disturb the validator that writes.
#[derive(Clone)]
pub struct Records {
    pub(super) path: PathBuf,
    pub(super) pool: SqlitePool,
    pub(super) genesis: String,
    pub(super) competition: String,
}

impl Records {
    /// Open the ledger in a directory to read what it holds of a competition, or of the only one there is.
    ///
    /// # Errors
    /// When there is no ledger, it cannot be read, or the competition is not clear.
    pub async fn open(directory: &Path, competition: Option<&str>) -> Result<Self, LedgerError> {
        let path = directory.join("ledger.sqlite");
        let missing = |what: String| LedgerError::Missing {
            path: path.clone(),
            what,
        };
        if !path.exists() {
            return Err(missing("there is no ledger".into()));
        }
        let options = SqliteConnectOptions::new().filename(&path).read_only(true);
        let database = |source| LedgerError::Database {
            path: path.clone(),
            source,
        };
        let pool = SqlitePool::connect_with(options).await.map_err(database)?;
        let scopes = sqlx::query("SELECT DISTINCT genesis, competition FROM rounds ORDER BY 1, 2")
            .fetch_all(&pool)
            .await
            .map_err(database)?
            .iter()
            .map(|row| {
                Ok(Scope {
                    genesis: row.try_get(0)?,
                    competition: row.try_get(1)?,
                })
            })
            .collect::<Result<Vec<Scope>, sqlx::Error>>()
            .map_err(database)?;
        let wanted = |scope: &&Scope| competition.is_none_or(|name| name == scope.competition);
        let found: Vec<&Scope> = scopes.iter().filter(wanted).collect();
        match found[..] {
            [scope] => Ok(Self {
                genesis: scope.genesis.clone(),
                competition: scope.competition.clone(),
                path,
                pool,
            }),
            [] => Err(missing("the ledger holds no round of it".into())),
            _ => {
                let name = |scope: &&Scope| format!("{} on {}", scope.competition, scope.genesis);
                let names: Vec<String> = found.iter().map(name).collect();
                Err(missing(format!("the ledger holds {}", names.join(", "))))
            }
        }
    }

    /// Which chain and competition these are of.
    pub fn scope(&self) -> Scope {
        Scope {
            genesis: self.genesis.clone(),
            competition: self.competition.clone(),
        }
    }

    pub(super) fn database(&self, source: sqlx::Error) -> LedgerError {
        LedgerError::Database {
            path: self.path.clone(),
            source,
        }
    }

    /// The newest round and how far it came.
    pub async fn last_round(&self) -> Result<Option<(Round, Progress)>, LedgerError> {
        Ok(self.last_rounds(1).await?.pop())
    }

    /// At most `count` of the newest rounds and how far they came, oldest first.
    pub async fn last_rounds(&self, count: usize) -> Result<Vec<(Round, Progress)>, LedgerError> {
        let newest: Option<i64> =
            sqlx::query("SELECT MAX(round) FROM rounds WHERE genesis = ? AND competition = ?")
                .bind(&self.genesis)
                .bind(&self.competition)
                .fetch_one(&self.pool)
                .await
                .and_then(|row| row.try_get(0))
                .map_err(|source| self.database(source))?;
        let newest = newest.map_or(0, |newest| newest as u64);
        self.rounds((newest + 1).saturating_sub(count as u64), newest)
            .await
    }

    /// Every round and how far it came, oldest first.
    pub async fn all_rounds(&self) -> Result<Vec<(Round, Progress)>, LedgerError> {
        self.rounds(0, i64::MAX as u64).await
    }

    /// The rounds with these numbers, `last` included, and how far they came.
    pub async fn rounds(
        &self,
        first: u64,
        last: u64,
    ) -> Result<Vec<(Round, Progress)>, LedgerError> {
        let rows = sqlx::query(
            "SELECT * FROM rounds WHERE genesis = ? AND competition = ? AND round BETWEEN ? AND ? ORDER BY round",
        )
        .bind(&self.genesis)
        .bind(&self.competition)
        .bind(first as i64)
        .bind(last as i64)
        .fetch_all(&self.pool)
        .await
        .map_err(|source| self.database(source))?;
        let read = |row| Round::read(row).map_err(|error| self.unreadable(error));
        rows.iter().map(read).collect()
    }

    fn unreadable(&self, error: Unreadable) -> LedgerError {
        match error {
            Unreadable::Database(source) => self.database(source),
            Unreadable::Value(what) => LedgerError::Row {
                path: self.path.clone(),
                what,
            },
        }
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
        let read = |row| Evaluation::read(row).map_err(|error| self.unreadable(error));
        rows.iter().map(read).collect()
    }

    /// The rounds that the rewards look at, up to and including `round`, oldest first: the last `count` ones. Where data
    /// are released, the last `count` of each competition, and of those in which nobody was judged.
    pub async fn looked_at(&self, round: u64, count: usize) -> Result<Vec<Round>, LedgerError> {
        let rows = sqlx::query(
            "SELECT * FROM rounds WHERE genesis = ?1 AND competition = ?2 AND round IN (SELECT round FROM ( \
                 SELECT round, ROW_NUMBER() OVER ( \
                     PARTITION BY agenda ->> '$.release.competition', agenda ->> '$.release.cancelled' IS NULL \
                     ORDER BY round DESC) AS place \
                 FROM rounds WHERE genesis = ?1 AND competition = ?2 AND round <= ?3) WHERE place <= ?4) \
             ORDER BY round",
        )
        .bind(&self.genesis)
        .bind(&self.competition)
        .bind(round as i64)
        .bind(count as i64)
        .fetch_all(&self.pool)
        .await
        .map_err(|source| self.database(source))?;
        let read = |row| Round::read(row).map_err(|error| self.unreadable(error));
        let rounds = rows.iter().map(|row| Ok(read(row)?.0));
        rounds.collect()
    }

    /// [`Records::looked_at`] as the rewards see it.
    pub async fn past(
        &self,
        round: u64,
        count: usize,
        source: SampleSource,
    ) -> Result<Vec<Past>, LedgerError> {
        let mut past = Vec::new();
        for round in self.looked_at(round, count).await? {
            past.push(Past {
                seed: source.seed(&self.competition, round.number, &round.seed_hash.0),
                cutoff_block: round.cutoff_block,
                agenda: round.agenda,
                evaluations: self.evaluations(round.number).await?,
            });
        }
        Ok(past)
    }

    /// Who had the model before: the earliest other hotkey with a scored submission of this file, or of this network in
    /// another file, that was committed before `committed`.
    pub async fn owner(
        &self,
        committed: (u64, u32, AccountId),
        artefact: Digest,
        canonical: Option<Digest>,
    ) -> Result<Option<Evaluation>, LedgerError> {
        let (block, index, hotkey) = committed;
        let row = sqlx::query(
            "SELECT * FROM evaluations WHERE genesis = ? AND competition = ? AND (artefact = ? OR canonical = ?) \
             AND outcome = 'scored' AND hotkey <> ? AND (commit_block, extrinsic_index, hotkey) < (?, ?, ?) \
             ORDER BY commit_block, extrinsic_index, hotkey, round LIMIT 1",
        )
        .bind(&self.genesis)
        .bind(&self.competition)
        .bind(artefact.to_string())
        .bind(canonical.map(|digest| digest.to_string()))
        .bind(hotkey.to_string())
        .bind(block as i64)
        .bind(i64::from(index))
        .bind(hotkey.to_string())
        .fetch_optional(&self.pool)
        .await
        .map_err(|source| self.database(source))?;
        let read = |row| Evaluation::read(&row).map_err(|error| self.unreadable(error));
        row.map(read).transpose()
    }

    /// Who had the claimed file before, where the claim says which file it is.
    pub(crate) async fn owner_of_claim(
        &self,
        committed: (u64, u32, AccountId),
        claim: &Claim,
    ) -> Result<Option<Evaluation>, LedgerError> {
        match claim.content.digest() {
            Some(digest) => self.owner(committed, digest, None).await,
            None => Ok(None),
        }
    }

    /// The cut-off block of the last round before `round` in which each hotkey was judged.
    pub(crate) async fn last_judged(
        &self,
        round: u64,
    ) -> Result<BTreeMap<AccountId, u64>, LedgerError> {
        let rows = sqlx::query(
            "SELECT hotkey, MAX(cutoff_block) FROM evaluations JOIN rounds USING (genesis, competition, round) \
             WHERE genesis = ? AND competition = ? AND round < ? GROUP BY hotkey",
        )
        .bind(&self.genesis)
        .bind(&self.competition)
        .bind(round as i64)
        .fetch_all(&self.pool)
        .await
        .map_err(|source| self.database(source))?;
        let read = |row: &SqliteRow| {
            let hotkey: String = row.try_get(0).map_err(|source| self.database(source))?;
            let last: i64 = row.try_get(1).map_err(|source| self.database(source))?;
            let hotkey = hotkey
                .parse()
                .map_err(|_| self.unreadable(Unreadable::Value(format!("hotkey {hotkey}"))))?;
            Ok((hotkey, last as u64))
        };
        rows.iter().map(read).collect()
    }

    /// A hotkey's evaluations in its last `count` rounds, oldest first.
    pub async fn history(
        &self,
        hotkey: AccountId,
        count: usize,
    ) -> Result<Vec<Evaluation>, LedgerError> {
        let mut rows = sqlx::query(
            "SELECT * FROM evaluations WHERE genesis = ? AND competition = ? AND hotkey = ? \
             ORDER BY round DESC LIMIT ?",
        )
        .bind(&self.genesis)
        .bind(&self.competition)
        .bind(hotkey.to_string())
        .bind(count as i64)
        .fetch_all(&self.pool)
        .await
        .map_err(|source| self.database(source))?;
        rows.reverse();
        let read = |row| Evaluation::read(row).map_err(|error| self.unreadable(error));
        rows.iter().map(read).collect()
    }

    /// Close the database.
    pub async fn close(self) {
        self.pool.close().await;
    }
}

//! Judging data that are released piece by piece: what is out, what of it is due, and what it is judged with.
//!
//! A [`Configuration`] names organizations, where each puts its archives and to which competition they belong, and what
//! the competitions weigh. A round judges one release, the oldest that is due, and writes down which one and what the
//! configuration said ([`Agenda`]); so shares stay a function of what was written down ([`shares`]).
//!
//! It refuses to guess: an archive that cannot be judged on cancels its competition for that release, with a reason that
//! every validator gives; a configuration that cannot be had, or says what makes no sense, is waited for.

mod configuration;
mod keep;

pub use configuration::{Configuration, MAX_CONFIGURATION_BYTES, Offer, Origin};
pub use keep::{Brought, Releases};

use crate::competition::Competition;
use crate::reward::Past;
use agon_keys::AccountId;
use agon_model::digest::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a round of released data is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Agenda {
    /// What each competition weighs, by its id, as the configuration had it when the round began.
    pub weights: BTreeMap<String, f64>,
    /// What is judged; nothing where nothing new was out. Weights come from what was before, then.
    pub release: Option<Release>,
}

impl Agenda {
    /// The competition whose models were judged, if one's were.
    pub fn judged(&self) -> Option<&str> {
        let release = self.release.as_ref()?;
        (release.cancelled.is_none()).then_some(&*release.competition)
    }
}

/// A released archive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// The competition it belongs to: models committed to another one are not judged on it.
    pub competition: String,
    /// Who released it.
    pub organization: String,
    /// Repository and path.
    pub file: String,
    /// SHA-256 of the archive; none where it is too large to be fetched.
    pub digest: Option<Digest>,
    /// When, in seconds since 1970.
    pub released: u64,
    /// The last block in which a commitment to it counts.
    pub last_block: u64,
    /// How many samples it has.
    pub samples: usize,
    /// How many rows were left out because they cannot be judged on.
    pub dropped: usize,
    /// Why nobody is judged on it.
    pub cancelled: Option<String>,
}

impl fmt::Display for Agenda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(release) = &self.release else {
            return f.write_str("nothing new is released");
        };
        let Release {
            competition, file, ..
        } = release;
        match &release.cancelled {
            Some(reason) => write!(f, "{competition} is cancelled for {file}: {reason}"),
            None => {
                write!(f, "{competition} on {file}, {} samples", release.samples)?;
                match release.dropped {
                    0 => Ok(()),
                    dropped => write!(f, " ({dropped} rows left out)"),
                }
            }
        }
    }
}

/// What an unpacked archive is judged with.
pub struct Reading {
    /// How many samples there are.
    pub samples: usize,
    /// How many rows were left out.
    pub dropped: usize,
    /// What judges on it, or why it cannot be judged on.
    pub competition: Result<Arc<dyn Competition>, String>,
}

impl Reading {
    /// That nothing can be judged, of so many rows.
    pub fn cancelled(rows: usize, reason: String) -> Self {
        Self {
            samples: 0,
            dropped: rows,
            competition: Err(reason),
        }
    }
}

/// Told how many images are looked at, and of how many; from several threads and not always in order.
pub type Progress<'a> = dyn Fn(usize, usize) + Sync + 'a;

/// Makes something to judge with of an unpacked archive.
pub type Reader = dyn Fn(&Path, &Progress) -> io::Result<Reading> + Send + Sync;

/// Why a release cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// It can be had later.
    #[error("{0}")]
    Unavailable(String),
    /// The configuration says what makes no sense.
    #[error("the configuration cannot be used: {0}")]
    Configuration(String),
    /// The disk failed.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// File or directory concerned.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

fn at(path: &Path) -> impl Fn(io::Error) -> ReleaseError + '_ {
    move |source| ReleaseError::Io {
        path: path.to_owned(),
        source,
    }
}

/// Shares over several competitions: the sum of what `of` gives for the rounds of each and its weight, made anew from
/// nothing. A competition without a weight pays nothing; weights that do not sum to 1 are taken as they are, for the
/// chain looks at proportions only.
///
/// Where data are not released there is one competition, of weight 1. The last round says which it is.
pub fn shares(
    rounds: &[Past],
    of: impl Fn(&[Past], f64) -> BTreeMap<AccountId, f64>,
) -> BTreeMap<AccountId, f64> {
    let only = |wanted: &dyn Fn(&Past) -> bool| -> Vec<Past> {
        rounds.iter().filter(|past| wanted(past)).cloned().collect()
    };
    let Some(agenda) = rounds.last().and_then(|past| past.agenda.as_ref()) else {
        return of(&only(&|past| past.agenda.is_none()), 1.0);
    };
    let mut shares = BTreeMap::new();
    for (competition, &weight) in agenda.weights.iter().filter(|(_, weight)| **weight > 0.0) {
        let judged = |past: &Past| {
            let agenda = past.agenda.as_ref();
            agenda.and_then(Agenda::judged) == Some(competition)
        };
        for (hotkey, share) in of(&only(&judged), weight) {
            *shares.entry(hotkey).or_insert(0.0) += share;
        }
    }
    shares.retain(|_, share| *share > 0.0);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Evaluation, Outcome};
    use crate::reward::{order_by_average, weighted_shares};
    use crate::seed::Seed;

    fn hotkey(number: u8) -> AccountId {
        AccountId::from([number; 32])
    }

    fn release(competition: &str, cancelled: Option<&str>) -> Release {
        Release {
            competition: competition.into(),
            organization: "o".into(),
            file: "me/data/a.zip".into(),
            digest: None,
            released: 5,
            last_block: 3,
            samples: 1,
            dropped: 0,
            cancelled: cancelled.map(str::to_owned),
        }
    }

    fn past(weights: &[(&str, f64)], release: Option<Release>, scores: &[(u8, f64)]) -> Past {
        let rows = scores.iter().map(|&(number, score)| Evaluation {
            score,
            ..Evaluation::empty(hotkey(number), (u64::from(number), 0), Outcome::Scored)
        });
        Past {
            seed: Seed([1; 32]),
            cutoff_block: 10,
            agenda: Some(Agenda {
                weights: weights.iter().map(|(id, it)| ((*id).into(), *it)).collect(),
                release,
            }),
            evaluations: rows.collect(),
        }
    }

    fn original(rounds: &[Past]) -> BTreeMap<AccountId, f64> {
        shares(rounds, |rounds, weight| {
            weighted_shares(&order_by_average(rounds), weight)
        })
    }

    #[test]
    fn competitions_add_up_by_their_weights() {
        let weights = [("a", 0.75), ("b", 0.25)];
        let rounds = [
            past(&weights, Some(release("a", None)), &[(1, 0.9), (2, 0.5)]),
            past(&weights, Some(release("b", None)), &[(2, 0.7), (3, 0.1)]),
        ];
        let expected = [
            (hotkey(1), 0.75 * 0.50),
            (hotkey(2), 0.75 * 0.17 + 0.25 * 0.50),
            (hotkey(3), 0.25 * 0.17),
        ];
        assert_eq!(original(&rounds), expected.into());
        // A round in which nothing was out pays from what was before.
        let nothing = past(&weights, None, &[]);
        let [one, other] = rounds;
        let quiet = original(&[one.clone(), other.clone(), nothing]);
        assert_eq!(quiet, expected.into());
        // So does one whose archive could not be judged on.
        let cancelled = past(&weights, Some(release("a", Some("bad"))), &[]);
        assert_eq!(
            original(&[one.clone(), other.clone(), cancelled]),
            expected.into()
        );
        // The weights are those of the last round, and what has none pays nothing.
        let now = past(&[("b", 3.0), ("c", 1.0)], None, &[]);
        let later = original(&[one.clone(), other.clone(), now]);
        assert_eq!(later, [(hotkey(2), 1.5), (hotkey(3), 3.0 * 0.17)].into());
        let zero = past(&[("a", 0.0)], None, &[]);
        assert!(original(&[one, other, zero]).is_empty());
    }

    #[test]
    fn what_is_shared_below_the_tenth_is_not_weighed() {
        let scores: Vec<(u8, f64)> = (1..=13).map(|n| (n, 1.0 - f64::from(n) / 100.0)).collect();
        let round = past(&[("a", 0.5)], Some(release("a", None)), &scores);
        let shares = original(&[round]);
        assert_eq!(shares[&hotkey(1)], 0.25);
        assert_eq!(shares[&hotkey(10)], 0.0025);
        for (number, golden) in [(11, 0.0025), (12, 0.001667), (13, 0.000833)] {
            assert!((shares[&hotkey(number)] - golden).abs() < 5e-7, "{number}");
        }
    }

    #[test]
    fn rounds_without_releases_are_one_competition_of_their_own() {
        let released = past(&[("a", 1.0)], Some(release("a", None)), &[(1, 0.9)]);
        let mut plain = past(&[], None, &[(2, 0.4)]);
        plain.agenda = None;
        assert_eq!(original(&[released, plain]), [(hotkey(2), 0.5)].into());
    }
}

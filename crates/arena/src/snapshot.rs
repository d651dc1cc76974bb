//! A validator's past as a file, for one that joins later: with the same past both come to the same weights.
//!
//! It holds the finished rounds with every evaluation, in the form of a journal. Only the rounds that rewards look back
//! on ([`Records::looked_at`]) keep portraits and evidence; of older ones remains what decides about ownership. Two validators that agree make
//! the same file, byte for byte, so its digest is what they compare. Evidence may tell the labels of judged samples:
//! a snapshot goes to validators, not to miners.
//!
//! It refuses to be mixed into a past of one's own.

use crate::event::Event;
use crate::journal::{Journal, JournalError, line_of};
use crate::ledger::{Evaluation, LedgerError, Records};
use crate::likeness::Portrait;
use agon_neuron::H256;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Longest line: an evaluation of some ten thousand samples.
const MAX_LINE: u64 = 1 << 20;
/// Most lines.
const MAX_LINES: usize = 1 << 22;

/// Why a snapshot is not taken over.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file cannot be read.
    #[error("the snapshot cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// A line is not what a snapshot holds.
    #[error("line {line} of the snapshot {what}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// It is of something else.
    #[error("the snapshot is of {found}, not of {wanted}")]
    Other {
        /// What it is of.
        found: String,
        /// What it should be of.
        wanted: String,
    },
    /// There is a past already.
    #[error("{0} holds a ledger already; a snapshot is only taken over where there is none")]
    Occupied(PathBuf),
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// The finished rounds of a ledger; those that rewards which look back on `history` rounds need with portraits and
/// evidence.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn export(records: &Records, history: usize) -> Result<Vec<u8>, LedgerError> {
    let rounds = records.all_rounds().await?;
    let finished: Vec<_> = rounds
        .into_iter()
        .take_while(|(_, progress)| progress.finished())
        .collect();
    let scope = records.scope();
    let mut genesis = [0; 32];
    let _ = hex::decode_to_slice(&scope.genesis, &mut genesis);
    let mut events = vec![Event::SnapshotBegins {
        genesis: H256(genesis),
        competition: scope.competition,
    }];
    let last = finished.last().map_or(0, |(round, _)| round.number);
    let needed = records.looked_at(last, history).await?;
    let needed: BTreeSet<u64> = needed.iter().map(|round| round.number).collect();
    for (round, _) in finished {
        let number = round.number;
        events.push(Event::RoundOpened(round));
        for row in records.evaluations(number).await? {
            let (portrait, evidence) = match needed.contains(&number) {
                true => (row.portrait, row.evidence),
                false => (Portrait::default(), Vec::new()),
            };
            events.push(Event::Evaluated(Evaluation {
                portrait,
                evidence,
                seconds: 0.0,
                ..row
            }));
        }
        events.push(Event::RoundTaken { round: number });
    }
    let lines = events
        .iter()
        .map(|event| line_of(event).unwrap_or_default());
    Ok(lines.flatten().collect())
}

/// Make the past of a new ledger in `directory` of a snapshot; how many rounds it has.
///
/// # Errors
/// When it is no snapshot, or of another competition or chain, or there is a ledger already. Nothing is written then.
pub fn install(
    directory: &Path,
    snapshot: impl Read,
    genesis: H256,
    competition: &str,
) -> Result<usize, SnapshotError> {
    let journal = directory.join("journal.jsonl");
    if journal.exists() || directory.join("ledger.sqlite").exists() {
        return Err(SnapshotError::Occupied(directory.to_owned()));
    }
    let events = read(snapshot, genesis, competition)?;
    std::fs::create_dir_all(directory)?;
    Journal::create(&journal, &events)?;
    let taken = |event: &&Event| matches!(event, Event::RoundTaken { .. });
    Ok(events.iter().filter(taken).count())
}

/// The events of a snapshot: a beginning, then whole rounds in order.
fn read(
    snapshot: impl Read,
    genesis: H256,
    competition: &str,
) -> Result<Vec<Event>, SnapshotError> {
    let mut reader = BufReader::new(snapshot);
    let mut events: Vec<Event> = Vec::new();
    let mut open = None;
    let mut last = 0;
    for number in 1..=MAX_LINES {
        let wrong = |what: String| SnapshotError::Line { line: number, what };
        let mut line = Vec::new();
        (&mut reader)
            .take(MAX_LINE + 1)
            .read_until(b'\n', &mut line)?;
        if line.is_empty() {
            break;
        }
        if line.last() != Some(&b'\n') {
            return Err(wrong("is cut off or too long".into()));
        }
        let event: Event = serde_json::from_slice(&line)
            .map_err(|error| wrong(format!("is no event of this version: {error}")))?;
        match (&event, open) {
            (
                Event::SnapshotBegins {
                    genesis: of,
                    competition: name,
                },
                None,
            ) if number == 1 => {
                if (*of, name.as_str()) != (genesis, competition) {
                    return Err(SnapshotError::Other {
                        found: format!("{name} on {of}"),
                        wanted: format!("{competition} on {genesis}"),
                    });
                }
            }
            (Event::RoundOpened(round), None) if number > 1 && round.number > last => {
                open = Some(round.number);
            }
            (Event::Evaluated(row), Some(round)) if row.round == round => {}
            (Event::RoundTaken { round }, Some(open_round)) if *round == open_round => {
                last = *round;
                open = None;
            }
            _ => return Err(wrong("does not belong there".into())),
        }
        events.push(event);
    }
    if events.is_empty() || open.is_some() {
        return Err(SnapshotError::Line {
            line: events.len(),
            what: "is not the end of a snapshot".into(),
        });
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Ledger, Outcome, Round};
    use agon_keys::AccountId;

    const GENESIS: [u8; 32] = [7; 32];

    /// A ledger with two finished rounds and one that is open.
    async fn ledger(directory: &Path) -> Ledger {
        let mut ledger = Ledger::open(directory, &GENESIS, "c").await.unwrap();
        for number in 1..=3 {
            let opened = Event::RoundOpened(Round {
                number,
                epoch: 2 * number,
                cutoff_block: 100 * number,
                cutoff_hash: H256([1; 32]),
                seed_hash: H256([2; 32]),
                agenda: None,
            });
            ledger.record(&opened).await.unwrap();
            let hotkey = AccountId::from([9; 32]);
            let row = Evaluation {
                round: number,
                score: 0.1 + 0.2,
                evidence: vec![0.3],
                seconds: number as f64,
                ..Evaluation::empty(hotkey, (50, 1), Outcome::Scored)
            };
            ledger.record(&Event::Evaluated(row)).await.unwrap();
            let end = Event::RoundPaid {
                round: number,
                block: 100 * number + 50,
            };
            if number < 3 {
                ledger.record(&end).await.unwrap();
            }
        }
        ledger
    }

    #[tokio::test]
    async fn a_past_is_taken_over_whole_and_makes_the_same_snapshot() {
        let [one, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let ledger = ledger(one.path()).await;
        let snapshot = export(ledger.records(), 1).await.unwrap();
        let directory = other.path().join("new");
        let rounds = install(&directory, &snapshot[..], H256(GENESIS), "c").unwrap();
        assert_eq!(rounds, 2);
        let taken = Ledger::open(&directory, &GENESIS, "c").await.unwrap();
        assert_eq!(export(taken.records(), 1).await.unwrap(), snapshot);
        let (last, progress) = taken.records().last_round().await.unwrap().unwrap();
        assert!(last.number == 2 && progress.finished());
        let rows = taken.records().evaluations(2).await.unwrap();
        assert_eq!((rows[0].score, &rows[0].evidence), (0.1 + 0.2, &vec![0.3]));
        assert!(
            taken.records().evaluations(1).await.unwrap()[0]
                .evidence
                .is_empty()
        );
        // A second one finds a past that is not its own.
        let again = install(&directory, &snapshot[..], H256(GENESIS), "c");
        assert!(matches!(again, Err(SnapshotError::Occupied(_))));
    }

    #[tokio::test]
    async fn what_is_no_snapshot_leaves_nothing_behind() {
        let [one, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let ledger = ledger(one.path()).await;
        let snapshot = export(ledger.records(), 5).await.unwrap();
        let directory = other.path().join("new");
        let refused = |bytes: &[u8], competition: &str| {
            let error = install(&directory, bytes, H256(GENESIS), competition).unwrap_err();
            assert!(!directory.exists());
            error.to_string()
        };
        assert!(refused(&snapshot, "d").contains("not of d"));
        assert!(refused(b"", "c").contains("not the end"));
        assert!(refused(&snapshot[..snapshot.len() - 5], "c").contains("cut off"));
        let lines: Vec<&[u8]> = snapshot.split_inclusive(|&byte| byte == b'\n').collect();
        assert!(refused(&lines[1..].concat(), "c").contains("line 1 of"));
        assert!(refused(&lines[..3].concat(), "c").contains("not the end"));
        assert!(refused(&[lines[0], lines[2]].concat(), "c").contains("line 2"));
        assert!(refused(&vec![b'x'; 3 << 20], "c").contains("too long"));
    }
}

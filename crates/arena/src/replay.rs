//! What a validator did, made again from its rows, and what two validators saw, held against each other.
//!
//! It needs neither the chain nor the models nor the judging data: shares are a function of rows alone.

use crate::incentive::Incentive;
use crate::ledger::{Basis, Evaluation, LedgerError, Records, Round};
use crate::seed::SampleSource;
use agon_keys::AccountId;
use serde::Serialize;
use std::collections::BTreeMap;

/// A round's weights, made again.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replayed {
    /// The round.
    pub round: u64,
    /// How many evaluations it has.
    pub evaluations: usize,
    /// The weights that were signed.
    pub weights: BTreeMap<AccountId, u16>,
    /// What does not agree, if anything.
    pub disagreement: Option<String>,
}

/// Make the weights of every round that was signed again.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn replay(
    records: &Records,
    incentive: &dyn Incentive,
    source: SampleSource,
) -> Result<Vec<Replayed>, LedgerError> {
    let mut replayed = Vec::new();
    for (round, progress) in records.all_rounds().await? {
        let (Some(basis), Some((weights, _))) = (progress.basis, progress.signed) else {
            continue;
        };
        let past = records
            .past(round.number, incentive.history(), source)
            .await?;
        let again = Basis {
            shares: incentive.shares(&past),
            ..basis.clone()
        };
        let disagreement = if basis.scoring != incentive.scoring() {
            Some(format!("it was scored as {:?}", basis.scoring))
        } else {
            first_difference(&basis.shares, &again.shares, "share").or_else(|| {
                let again = again.weights().unwrap_or_default();
                first_difference(&weights, &again, "weight")
            })
        };
        replayed.push(Replayed {
            round: round.number,
            evaluations: past.last().map_or(0, |past| past.evaluations.len()),
            weights,
            disagreement,
        });
    }
    Ok(replayed)
}

/// The first hotkey that has not the same in both.
fn first_difference<T: PartialEq + std::fmt::Debug>(
    was: &BTreeMap<AccountId, T>,
    is: &BTreeMap<AccountId, T>,
    what: &str,
) -> Option<String> {
    let hotkeys = was.keys().chain(is.keys());
    let different = hotkeys
        .filter(|hotkey| was.get(hotkey) != is.get(hotkey))
        .min()?;
    let told = |value: Option<&T>| value.map_or("none".to_owned(), |value| format!("{value:?}"));
    Some(format!(
        "the {what} of {different} was {} and is {}",
        told(was.get(different)),
        told(is.get(different))
    ))
}

/// The first thing that two validators saw differently.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Disagreement {
    /// The subnet's epoch with which the round began: rounds may have other numbers elsewhere.
    pub epoch: u64,
    /// Whose submission; none where it is the round itself.
    pub hotkey: Option<AccountId>,
    /// What differs.
    pub field: &'static str,
    /// What the one saw.
    pub one: String,
    /// What the other saw.
    pub other: String,
}

/// The first disagreement of two ledgers in the rounds that both have finished, and how many those are. What depends
/// on the machine alone (processor seconds) does not count.
///
/// # Errors
/// When one cannot be read.
pub async fn compare(
    one: &Records,
    other: &Records,
) -> Result<(usize, Option<Disagreement>), LedgerError> {
    let others: BTreeMap<u64, _> = other
        .all_rounds()
        .await?
        .into_iter()
        .map(|(round, progress)| (round.epoch, (round, progress)))
        .collect();
    let mut compared = 0;
    for (round, progress) in one.all_rounds().await? {
        let Some((theirs, their_progress)) = others.get(&round.epoch) else {
            continue;
        };
        if !(progress.finished() && their_progress.finished()) {
            continue;
        }
        compared += 1;
        let of_round = |field, one: String, other: String| Disagreement {
            epoch: round.epoch,
            hotkey: None,
            field,
            one,
            other,
        };
        let hashes =
            [&round, theirs].map(|round| format!("{} {}", round.cutoff_hash, round.seed_hash));
        let [mine, its] = hashes;
        if mine != its {
            return Ok((compared, Some(of_round("cut-off and seed", mine, its))));
        }
        if round.agenda != theirs.agenda {
            let told = |round: &Round| match &round.agenda {
                Some(agenda) => serde_json::json!(agenda).to_string(),
                None => "none".to_owned(),
            };
            let (mine, its) = (told(&round), told(theirs));
            return Ok((compared, Some(of_round("release", mine, its))));
        }
        let mine = one.evaluations(round.number).await?;
        let its = other.evaluations(theirs.number).await?;
        if let Some(found) = first_row(round.epoch, &mine, &its) {
            return Ok((compared, Some(found)));
        }
        if let (Some((mine, _)), Some((its, _))) = (&progress.signed, &their_progress.signed)
            && mine != its
        {
            let told = first_difference(mine, its, "weight").unwrap_or_default();
            return Ok((compared, Some(of_round("weights", told, String::new()))));
        }
    }
    Ok((compared, None))
}

fn first_row(epoch: u64, one: &[Evaluation], other: &[Evaluation]) -> Option<Disagreement> {
    let mut hotkeys: Vec<AccountId> = one.iter().chain(other).map(|row| row.hotkey).collect();
    hotkeys.sort_unstable();
    hotkeys.dedup();
    hotkeys.into_iter().find_map(|hotkey| {
        let found = |rows: &[Evaluation]| rows.iter().find(|row| row.hotkey == hotkey).cloned();
        let (field, one, other) = match (found(one), found(other)) {
            (Some(one), Some(other)) => first_field(&one, &other)?,
            (one, other) => {
                let told = |row: Option<Evaluation>| match row {
                    Some(row) => row.outcome.as_str().to_owned(),
                    None => "nothing".to_owned(),
                };
                ("submission", told(one), told(other))
            }
        };
        Some(Disagreement {
            epoch,
            hotkey: Some(hotkey),
            field,
            one,
            other,
        })
    })
}

/// The first field that differs. Evidence and portraits are there only as long as rewards need them.
fn first_field(one: &Evaluation, other: &Evaluation) -> Option<(&'static str, String, String)> {
    let fields = |row: &Evaluation| {
        [
            ("commitment", format!("{:?}", row.committed())),
            ("model", format!("{:?}", row.artefact)),
            ("sample", row.sample.to_string()),
            ("engine", row.engine.clone()),
            ("outcome", row.outcome.as_str().to_owned()),
            ("reason", row.reason.clone().unwrap_or_default()),
            ("score", format!("{:?}", row.score)),
            ("figures", format!("{:?}", row.metrics)),
            ("network", format!("{:?}", row.canonical)),
            ("fingerprint", format!("{:?}", row.fingerprint)),
        ]
    };
    let pairs = fields(one).into_iter().zip(fields(other));
    let different = pairs
        .map(|((field, one), (_, other))| (field, one, other))
        .find(|(_, one, other)| one != other);
    let both = !one.evidence.is_empty() && !other.evidence.is_empty();
    different.or_else(|| {
        let pairs = one.evidence.iter().zip(&other.evidence);
        let at = pairs.into_iter().position(|(one, other)| one != other);
        let told = |row: &Evaluation| {
            at.map_or(String::new(), |at| {
                format!("sample {at}: {}", row.evidence[at])
            })
        };
        (both && one.evidence != other.evidence).then(|| ("evidence", told(one), told(other)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::ledger::{Ledger, Outcome};
    use agon_neuron::H256;

    async fn ledger(directory: &std::path::Path, score: f64, first: u64) -> Ledger {
        let mut ledger = Ledger::open(directory, &[7; 32], "c").await.unwrap();
        for number in first..first + 2 {
            let epoch = 10 + number - first;
            for event in [
                Event::RoundOpened(Round {
                    number,
                    epoch,
                    cutoff_block: 10 * epoch,
                    cutoff_hash: H256([1; 32]),
                    seed_hash: H256([2; 32]),
                    agenda: None,
                }),
                Event::Evaluated(Evaluation {
                    round: number,
                    score,
                    seconds: number as f64,
                    ..Evaluation::empty(AccountId::from([9; 32]), (5, 0), Outcome::Scored)
                }),
                Event::Abstained { round: number },
            ] {
                ledger.record(&event).await.unwrap();
            }
        }
        ledger
    }

    #[tokio::test]
    async fn the_first_row_that_differs_is_named_whatever_the_rounds_are_called() {
        let places: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let one = ledger(places[0].path(), 0.5, 1).await;
        let same = ledger(places[1].path(), 0.5, 4).await;
        let other = ledger(places[2].path(), 0.5000001, 1).await;
        let compared = compare(one.records(), same.records()).await.unwrap();
        assert_eq!(compared, (2, None));
        let (_, found) = compare(one.records(), other.records()).await.unwrap();
        let found = found.unwrap();
        assert_eq!((found.epoch, found.field), (10, "score"));
        assert_eq!((&found.one[..], &found.other[..]), ("0.5", "0.5000001"));
    }

    #[test]
    fn a_submission_that_only_one_saw_is_a_disagreement() {
        let row = Evaluation::empty(AccountId::from([9; 32]), (5, 0), Outcome::Refused);
        let found = first_row(3, &[row], &[]).unwrap();
        assert_eq!((&found.one[..], &found.other[..]), ("refused", "nothing"));
        assert_eq!(found.field, "submission");
    }
}

//! From evaluations to shares: pure functions, no clock, no chain, no files.
//!
//! `Original` formulas are those of the skin-lesion competition (netuid 76): the mean of the last five
//! scores and a table of shares by rank. [`robust`] ranks by what the samples can tell apart.
//! `agon_neuron` turns shares into the chain's 16-bit weights.

pub mod robust;

use crate::ledger::Evaluation;
use crate::release::Agenda;
use crate::seed::Seed;
use agon_keys::AccountId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Shares of the ten best miners.
const RANK_SHARES: [f64; 10] = [0.50, 0.17, 0.10, 0.07, 0.05, 0.04, 0.03, 0.02, 0.01, 0.005];

/// What all miners below the tenth share.
const TAIL_SHARE: f64 = 0.005;

/// How many rounds an average spans. It always divides by this number, so a newcomer needs as many
/// rounds to catch up.
pub const HISTORY: usize = 5;

/// By which rules scores become shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scoring {
    /// Those of the system the competition comes from.
    Original,
    /// Ours, where the original pays chance, copies or failures.
    Robust,
}

/// A round as the rewards see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// The seed of its sample.
    pub seed: Seed,
    /// Commitments up to and including this block counted.
    pub cutoff_block: u64,
    /// What of released data it was about; none where data are not released.
    pub agenda: Option<Agenda>,
    /// What became of each submission, in the order of the commitments.
    pub evaluations: Vec<Evaluation>,
}

/// Sum of the last [`HISTORY`] scores divided by [`HISTORY`]; `scores` are in order of rounds.
pub fn average(scores: &[f64]) -> f64 {
    let recent = &scores[scores.len().saturating_sub(HISTORY)..];
    recent.iter().sum::<f64>() / HISTORY as f64
}

/// Who submitted to the last round and has an average above zero, best first. Equal averages go to the earlier
/// commitment, so that a tie never depends on the order of a list.
pub fn order_by_average(rounds: &[Past]) -> Vec<AccountId> {
    let Some(last) = rounds.last() else {
        return Vec::new();
    };
    let mut standings: Vec<(f64, &Evaluation)> = last
        .evaluations
        .iter()
        .map(|row| {
            let same = |other: &&Evaluation| other.hotkey == row.hotkey;
            let scores: Vec<f64> = rounds
                .iter()
                .filter_map(|past| past.evaluations.iter().find(same))
                .map(|row| row.score)
                .collect();
            (average(&scores), row)
        })
        .filter(|(average, _)| *average > 0.0)
        .collect();
    standings.sort_by(|(a, one), (b, other)| {
        b.total_cmp(a).then(one.committed().cmp(&other.committed()))
    });
    standings.into_iter().map(|(_, row)| row.hotkey).collect()
}

/// Shares by place: a fixed table for the first ten, then 0.005 shared linearly by the rest
/// (k, k-1, … 1 over k(k+1)/2).
pub fn shares_by_place(order: &[AccountId]) -> BTreeMap<AccountId, f64> {
    weighted_shares(order, 1.0)
}

/// The same in a competition of this weight, one of several: it multiplies the shares of the first ten and not what the
/// others share.
pub fn weighted_shares(order: &[AccountId], weight: f64) -> BTreeMap<AccountId, f64> {
    let tail = order.len().saturating_sub(RANK_SHARES.len());
    let steps = (tail * (tail + 1) / 2) as f64;
    let share = |place: usize| {
        let listed = RANK_SHARES.get(place).map(|share| weight * share);
        listed.unwrap_or_else(|| TAIL_SHARE * (order.len() - place) as f64 / steps)
    };
    order
        .iter()
        .enumerate()
        .map(|(place, &hotkey)| (hotkey, share(place)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Outcome;

    pub(super) fn hotkey(number: u8) -> AccountId {
        AccountId::from([number; 32])
    }

    /// A scored submission, committed in the block of its number.
    pub(super) fn row(number: u8, score: f64, evidence: Vec<f32>) -> Evaluation {
        Evaluation {
            score,
            evidence,
            ..Evaluation::empty(hotkey(number), (u64::from(number), 0), Outcome::Scored)
        }
    }

    pub(super) fn past(evaluations: Vec<Evaluation>) -> Past {
        Past {
            seed: Seed([5; 32]),
            cutoff_block: 1000,
            agenda: None,
            evaluations,
        }
    }

    #[test]
    fn the_average_always_divides_by_five() {
        assert_eq!(average(&[0.4, 0.6]), 0.2);
        assert_eq!(average(&[9.0, 1.0, 1.0, 1.0, 1.0, 1.0]), 1.0);
        assert_eq!(average(&[]), 0.0);
    }

    #[test]
    fn three_below_the_tenth_share_the_tail() {
        let order: Vec<_> = (0..13).map(hotkey).collect();
        let shares = shares_by_place(&order);
        let share = |number: u8| shares[&hotkey(number)];
        assert_eq!(share(0), 0.50);
        assert_eq!(share(9), 0.005);
        for (number, expected) in [(10, 0.0025), (11, 0.001667), (12, 0.000833)] {
            assert!(
                (share(number) - expected).abs() < 5e-7,
                "{number}: {}",
                share(number)
            );
        }
    }

    #[test]
    fn ties_go_to_the_earlier_commitment_and_zero_earns_nothing() {
        let scored = |number, score| row(number, score, Vec::new());
        let round = past(vec![scored(2, 0.5), scored(3, 0.5), scored(9, 0.0)]);
        assert_eq!(order_by_average(&[round]), [hotkey(2), hotkey(3)]);
    }

    #[test]
    fn who_has_left_is_not_ranked_and_who_came_late_has_zeros_behind() {
        let scored = |number, score| row(number, score, Vec::new());
        let first = past(vec![scored(1, 0.9), scored(2, 0.4)]);
        let second = past(vec![scored(2, 0.4), scored(3, 0.7)]);
        assert_eq!(order_by_average(&[first, second]), [hotkey(2), hotkey(3)]);
        assert_eq!(order_by_average(&[]), []);
    }
}

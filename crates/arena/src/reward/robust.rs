//! Ranks that chance does not decide: who is better must be so on most samples that could have been drawn, and by more
//! than a margin that protects the earlier submission and fades with its age.
//!
//! The margin is that of the pretraining subnet (netuid 9): the earlier model's value is raised by 0.005, falling
//! linearly to 0.0005 of it over a week, so that a copy earns no place and a real improvement is never shut out.

use super::Past;
use crate::ledger::{Evaluation, Outcome};
use agon_keys::AccountId;
use rand::RngExt;
use std::collections::BTreeMap;

/// How many samples are drawn anew from the round's sample.
const RESAMPLES: usize = 1000;
/// Of those, a later submission may fail to be better on this share.
const DOUBT: f64 = 0.05;
/// What a new round counts in the running average of shares; the rest is what was before.
const NEW: f64 = 0.5;

/// What an earlier submission is given ahead of a later one, relative to its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margin {
    /// At the commitment.
    pub first: f64,
    /// From `blocks` blocks on.
    pub last: f64,
    /// Blocks in which it falls from one to the other.
    pub blocks: u64,
}

/// The margin of the pretraining subnet: seven days of twelve-second blocks.
pub const MARGIN: Margin = Margin {
    first: 0.005,
    last: 0.0005,
    blocks: 50_400,
};

impl Margin {
    /// The margin of a submission that was committed `age` blocks ago.
    pub fn at(&self, age: u64) -> f64 {
        let gone = age.min(self.blocks) as f64 / self.blocks.max(1) as f64;
        self.first + (self.last - self.first) * gone
    }
}

/// The submissions that were scored in a round, best first.
///
/// `value` is what a submission is worth on the samples at the given positions, more is better; it is asked for a
/// thousand samples drawn with replacement, the same for everybody. Of two submissions the later one wins if it is
/// worth more than the earlier one with its margin on 95 of 100 of them, else the earlier one. The order is by wins;
/// equal wins go to the earlier commitment.
pub fn order(
    past: &Past,
    margin: Margin,
    value: impl Fn(&Evaluation, &[usize]) -> f64,
) -> Vec<AccountId> {
    let size = past.evaluations.iter().map(|row| row.evidence.len()).max();
    let Some(size) = size.filter(|&size| size > 0) else {
        return Vec::new();
    };
    let mut rows: Vec<&Evaluation> = past
        .evaluations
        .iter()
        .filter(|row| row.outcome == Outcome::Scored && row.evidence.len() == size)
        .collect();
    rows.sort_by_key(|row| row.committed());
    let mut values: Vec<Vec<f64>> = vec![Vec::with_capacity(RESAMPLES); rows.len()];
    let mut stream = past.seed.purpose("significance").stream();
    let mut picks = vec![0; size];
    for _ in 0..RESAMPLES {
        picks.fill_with(|| stream.random_range(0..size));
        for (values, row) in values.iter_mut().zip(&rows) {
            values.push(value(row, &picks));
        }
    }
    let mut wins = vec![0usize; rows.len()];
    for later in 0..rows.len() {
        for earlier in 0..later {
            let age = past.cutoff_block.saturating_sub(rows[earlier].commit_block);
            let margin = margin.at(age);
            let pairs = values[later].iter().zip(&values[earlier]);
            let worse = pairs
                .filter(|(new, old)| **new <= **old + margin * old.abs())
                .count();
            let better = (worse as f64) < DOUBT * RESAMPLES as f64;
            wins[if better { later } else { earlier }] += 1;
        }
    }
    let mut order: Vec<usize> = (0..rows.len()).collect();
    // The rows are in the order of commitments, and the sort keeps it.
    order.sort_by_key(|&at| std::cmp::Reverse(wins[at]));
    order.into_iter().map(|at| rows[at].hotkey).collect()
}

/// The running average of shares over rounds, oldest first: half of what a round gives, half of what was before. Only
/// who submitted to the last round has a share.
pub fn smoothed<'a>(
    rounds: impl IntoIterator<Item = (&'a Past, BTreeMap<AccountId, f64>)>,
) -> BTreeMap<AccountId, f64> {
    let mut smooth: BTreeMap<AccountId, f64> = BTreeMap::new();
    for (past, mut shares) in rounds {
        let kept = past.evaluations.iter().map(|row| {
            let share = shares.remove(&row.hotkey).unwrap_or(0.0);
            let before = smooth.get(&row.hotkey).copied().unwrap_or(0.0);
            (row.hotkey, NEW * share + (1.0 - NEW) * before)
        });
        smooth = kept.collect();
    }
    smooth.retain(|_, share| *share > 0.0);
    smooth
}

#[cfg(test)]
mod tests {
    use super::super::shares_by_place;
    use super::super::tests::{hotkey, past, row};
    use super::*;

    /// What each sample gave, on average.
    fn mean(row: &Evaluation, picks: &[usize]) -> f64 {
        let sum: f64 = picks.iter().map(|&at| f64::from(row.evidence[at])).sum();
        sum / picks.len() as f64
    }

    /// 200 samples of which this many in a hundred are right; `shift` decides which.
    fn answers(right: usize, shift: usize) -> Vec<f32> {
        let right = |at: usize| (at * 37 + shift) % 100 < right;
        (0..200).map(|at| f32::from(u8::from(right(at)))).collect()
    }

    #[test]
    fn the_margin_of_the_golden_ages() {
        for (age, expected) in [
            (0, 0.005),
            (25_200, 0.00275),
            (50_400, 0.0005),
            (1 << 40, 0.0005),
        ] {
            assert!((MARGIN.at(age) - expected).abs() < 1e-12, "{age}");
        }
    }

    #[test]
    fn a_clear_improvement_overtakes_and_a_chance_one_does_not() {
        let round = past(vec![
            row(1, 0.0, answers(60, 0)),
            row(2, 0.0, answers(61, 0)),
            row(3, 0.0, answers(80, 50)),
        ]);
        assert_eq!(order(&round, MARGIN, mean), [3, 1, 2].map(hotkey));
    }

    #[test]
    fn a_copy_with_one_more_right_stays_behind_for_ever() {
        let mut copy = answers(60, 0);
        *copy.iter_mut().find(|right| **right == 0.0).unwrap() = 1.0;
        let mut round = past(vec![row(1, 0.0, answers(60, 0)), row(2, 0.0, copy)]);
        assert_eq!(order(&round, MARGIN, mean), [1, 2].map(hotkey));
        round.cutoff_block = 1 << 40;
        assert_eq!(order(&round, MARGIN, mean), [1, 2].map(hotkey));
    }

    #[test]
    fn a_young_model_is_protected_from_an_improvement_that_overtakes_an_old_one() {
        // Better on every sample, by 0.3 of a hundredth.
        let old: Vec<f32> = (0..200).map(|at| 0.5 + (at % 7) as f32 / 100.0).collect();
        let new = old.iter().map(|value| value * 1.003).collect();
        let mut round = past(vec![row(1, 0.0, old), row(2, 0.0, new)]);
        round.cutoff_block = 10;
        assert_eq!(order(&round, MARGIN, mean), [1, 2].map(hotkey));
        round.cutoff_block = 50_000;
        assert_eq!(order(&round, MARGIN, mean), [2, 1].map(hotkey));
    }

    #[test]
    fn who_was_not_scored_has_no_place() {
        let mut refused = row(1, 0.0, answers(90, 0));
        refused.outcome = Outcome::Refused;
        let round = past(vec![refused, row(2, 0.0, answers(60, 0))]);
        assert_eq!(order(&round, MARGIN, mean), [hotkey(2)]);
        assert_eq!(order(&past(Vec::new()), MARGIN, mean), []);
        assert_eq!(
            order(&past(vec![row(1, 1.0, Vec::new())]), MARGIN, mean),
            []
        );
    }

    #[test]
    fn shares_follow_the_last_rounds_and_leave_with_their_owner() {
        let one = past(vec![row(1, 1.0, Vec::new()), row(2, 1.0, Vec::new())]);
        let two = past(vec![row(2, 1.0, Vec::new()), row(3, 1.0, Vec::new())]);
        let shares =
            |order: &[u8]| shares_by_place(&order.iter().copied().map(hotkey).collect::<Vec<_>>());
        let smooth = smoothed([(&one, shares(&[1, 2])), (&two, shares(&[3]))]);
        assert_eq!(
            smooth,
            BTreeMap::from([(hotkey(2), 0.5 * 0.5 * 0.17), (hotkey(3), 0.5 * 0.5)])
        );
    }
}

//! The original's rewards, of all three of its stages: pure functions.
//!
//! Powers are computed in software, so that they are the same on every machine.

use agon_dataset::chest::Findings;
use agon_keys::AccountId;
use std::collections::BTreeMap;

/// Share of the newest reward in the moving average.
pub const ALPHA: f64 = 0.8;

/// What the best model is rewarded with at the second stage.
const WINNER: f64 = 30.0;

/// The first stage (February 2024): models are ranked by loss, equal losses share a rank r. With n models and
/// T = n / 20 + 1 the reward is 0.9^r below T, and 0.9^T 0.5^(r - T) from there on. A model that failed has an infinite
/// loss, and is paid for the last rank.
pub fn first_stage(losses: &[f64]) -> Vec<f64> {
    let top = losses.len() as f64 / 20.0 + 1.0;
    let mut distinct = losses.to_vec();
    distinct.sort_by(f64::total_cmp);
    distinct.dedup();
    let reward = |loss: &f64| {
        let rank = distinct.partition_point(|other| other < loss) as f64;
        match rank < top {
            true => libm::pow(0.9, rank),
            false => libm::pow(0.9, top) * libm::pow(0.5, rank - top),
        }
    };
    losses.iter().map(reward).collect()
}

/// A model at the second stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entrant<T> {
    /// Its loss; infinite if it failed.
    pub loss: f64,
    /// When it was committed, the earlier the smaller; none if what is published is not what was committed.
    pub committed: Option<(u64, u32)>,
    /// What it is known by: two with the same are copies.
    pub artefact: T,
}

/// The second stage (March 2024): models are ranked by loss and then by commitment; the first is rewarded with 30, the
/// others with 0.98^rank. Nothing is earned by what failed, by what is not as committed, or by what an earlier rank
/// holds already; each of them takes up its rank.
pub fn second_stage<T: Ord>(entrants: &[Entrant<T>]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..entrants.len()).collect();
    let key = |at: usize| entrants[at].committed.unwrap_or((u64::MAX, u32::MAX));
    order.sort_by(|&a, &b| {
        let losses = entrants[a].loss.total_cmp(&entrants[b].loss);
        losses.then(key(a).cmp(&key(b)))
    });
    let mut seen = std::collections::BTreeSet::new();
    let mut rewards = vec![0.0; entrants.len()];
    for (rank, at) in order.into_iter().enumerate() {
        let entrant = &entrants[at];
        let is_first = seen.insert(&entrant.artefact);
        if !is_first || !entrant.loss.is_finite() || entrant.committed.is_none() {
            continue;
        }
        rewards[at] = match rank {
            0 => WINNER,
            rank => libm::pow(0.98, rank as f64),
        };
    }
    rewards
}

/// The earliest stage (January 2024), where miners answered images: |A and B|^2 / (|A| |B|) for the true findings A and
/// the answered ones B, the squared cosine of the two. Of two empty sets it is one, of one empty set nought.
pub fn squared_cosine(truth: Findings, answer: Findings) -> f64 {
    let common = f64::from(truth.common(answer).count());
    match (truth.count(), answer.count()) {
        (0, 0) => 1.0,
        (0, _) | (_, 0) => 0.0,
        (a, b) => common * common / (f64::from(a) * f64::from(b)),
    }
}

/// The moving averages after one more round: [`ALPHA`] of the new reward and the rest of the old average. Who is not
/// among the rewarded keeps the average; a reward that is no number counts as nought.
pub fn average(averages: &mut BTreeMap<AccountId, f64>, rewards: &BTreeMap<AccountId, f64>) {
    for (&hotkey, &reward) in rewards {
        let reward = if reward.is_nan() { 0.0 } else { reward };
        let average = averages.entry(hotkey).or_insert(0.0);
        *average = ALPHA * reward + (1.0 - ALPHA) * *average;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(have: &[f64], want: &[f64]) {
        assert_eq!(have.len(), want.len());
        for (have, want) in have.iter().zip(want) {
            assert!((have - want).abs() < 1e-6, "{have} {want}");
        }
    }

    const FAILED: f64 = f64::INFINITY;

    #[test]
    fn the_first_stages_golden_vector() {
        let rewards = first_stage(&[0.21, 0.19, 0.19, FAILED, 0.30]);
        assert_near(&rewards, &[0.9, 1.0, 1.0, 0.260_616, 0.521_231]);
        // If all fail, all are first.
        assert_near(&first_stage(&[FAILED; 3]), &[1.0; 3]);
        assert!(first_stage(&[]).is_empty());
    }

    #[test]
    fn the_second_stages_golden_vector() {
        let losses = [0.21, 0.19, 0.19, FAILED, 0.30, 0.22];
        let blocks = [Some(50), Some(90), Some(70), Some(10), Some(20), None];
        let entrants: Vec<Entrant<&str>> = losses
            .into_iter()
            .zip(blocks)
            .zip(["a", "b", "c", "d", "e", "b"])
            .map(|((loss, block), artefact)| Entrant {
                loss,
                committed: block.map(|block| (block, 0)),
                artefact,
            })
            .collect();
        let rewards = second_stage(&entrants);
        assert_near(&rewards, &[0.9604, 0.98, 30.0, 0.0, 0.922_368, 0.0]);
        assert!(second_stage::<u8>(&[]).is_empty());
    }

    #[test]
    fn the_earliest_stages_golden_vector() {
        let findings = |labels: &[usize]| labels.iter().copied().collect::<Findings>();
        // {Mass, Nodule} and {Mass, Edema, Nodule}.
        let value = squared_cosine(findings(&[9, 10]), findings(&[9, 3, 10]));
        assert!((value - 2.0 / 3.0).abs() < 1e-12);
        let none = Findings::default();
        assert_eq!(squared_cosine(none, none), 1.0);
        assert_eq!(squared_cosine(none, findings(&[1])), 0.0);
        assert_eq!(squared_cosine(findings(&[1]), none), 0.0);
        assert_eq!(squared_cosine(findings(&[1]), findings(&[2])), 0.0);
    }

    #[test]
    fn averages_are_of_the_rewarded_and_by_hotkey() {
        let account = |number: u8| AccountId::from([number; 32]);
        let mut averages = BTreeMap::new();
        average(
            &mut averages,
            &BTreeMap::from([(account(1), 1.0), (account(2), 0.5)]),
        );
        assert_near(&[averages[&account(1)], averages[&account(2)]], &[0.8, 0.4]);
        average(
            &mut averages,
            &BTreeMap::from([(account(1), 0.0), (account(3), f64::NAN)]),
        );
        let values: Vec<f64> = averages.into_values().collect();
        assert_near(&values, &[0.16, 0.4, 0.0]);
    }
}

//! From scores to weights: pure functions, no clock, no chain, no files.
//!
//! The formulas are those of the skin-lesion competition (netuid 76): the mean of the last five
//! scores and a table of shares by rank. `agon_neuron` turns shares into the chain's 16-bit weights.

use agon_keys::AccountId;
use std::collections::BTreeMap;

/// Shares of the ten best miners.
const RANK_SHARES: [f64; 10] = [0.50, 0.17, 0.10, 0.07, 0.05, 0.04, 0.03, 0.02, 0.01, 0.005];

/// What all miners below the tenth share.
const TAIL_SHARE: f64 = 0.005;

/// How many rounds an average spans. It always divides by this number, so a newcomer needs as many
/// rounds to catch up.
pub const HISTORY: usize = 5;

/// Sum of the last [`HISTORY`] scores divided by [`HISTORY`]; `scores` are in order of rounds.
pub fn average(scores: &[f64]) -> f64 {
    let recent = &scores[scores.len().saturating_sub(HISTORY)..];
    recent.iter().sum::<f64>() / HISTORY as f64
}

/// A miner's standing before ranking.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Whose it is.
    pub hotkey: AccountId,
    /// Mean score over the history, not negative.
    pub average: f64,
    /// Place of the commitment on chain: block, extrinsic index. Equal averages rank by it, the
    /// earlier first, so that a tie never depends on the order of a list.
    pub committed: (u64, u32),
}

/// Shares by rank: a fixed table for the first ten, then 0.005 shared linearly by the rest
/// (k, k-1, … 1 over k(k+1)/2). Who has an average of zero gets nothing and is left out.
pub fn shares_by_rank(standings: &[Standing]) -> BTreeMap<AccountId, f64> {
    let mut ranked: Vec<&Standing> = standings.iter().filter(|s| s.average > 0.0).collect();
    ranked.sort_by(|a, b| {
        b.average
            .total_cmp(&a.average)
            .then(a.committed.cmp(&b.committed))
            .then(a.hotkey.cmp(&b.hotkey))
    });
    let tail = ranked.len().saturating_sub(RANK_SHARES.len());
    let steps = (tail * (tail + 1) / 2) as f64;
    ranked
        .iter()
        .enumerate()
        .map(|(rank, standing)| {
            let share = RANK_SHARES
                .get(rank)
                .copied()
                .unwrap_or_else(|| TAIL_SHARE * (ranked.len() - rank) as f64 / steps);
            (standing.hotkey, share)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(number: u8, average: f64) -> Standing {
        Standing {
            hotkey: AccountId::from([number; 32]),
            average,
            committed: (u64::from(number), 0),
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
        let standings: Vec<_> = (0..13)
            .map(|i| standing(i, 1.0 - f64::from(i) / 100.0))
            .collect();
        let shares = shares_by_rank(&standings);
        let share = |number: u8| shares[&AccountId::from([number; 32])];
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
        let standings = [standing(3, 0.5), standing(2, 0.5), standing(9, 0.0)];
        let shares = shares_by_rank(&standings);
        assert_eq!(shares[&AccountId::from([2; 32])], 0.50);
        assert_eq!(shares[&AccountId::from([3; 32])], 0.17);
        assert!(!shares.contains_key(&AccountId::from([9; 32])));
    }
}

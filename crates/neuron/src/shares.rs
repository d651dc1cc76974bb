//! From shares to what the chain takes as weights: its own limits, then 16 bits.

use std::collections::{BTreeMap, BTreeSet};

use agon_keys::AccountId;
use serde::{Deserialize, Serialize};

/// What the field's SDK gives to every uid where too few have a share of their own.
const FILLING: f64 = 1e-5;

/// What a subnet asks of weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightLimits {
    /// The fewest hotkeys with a weight; all there are when there are fewer.
    pub least: u16,
    /// The largest share of one hotkey in all weights.
    pub largest: f64,
}

impl WeightLimits {
    /// No limits.
    pub const NONE: Self = Self {
        least: 0,
        largest: 1.0,
    };
}

/// A share that is no weight.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("the score of {hotkey} is {score}; a score must be finite and not negative")]
pub struct BadScore {
    /// Whose.
    pub hotkey: AccountId,
    /// The share.
    pub score: f64,
}

/// Weights of the registered hotkeys, 1 to 65535, as Bittensor's SDK makes them: no share above the largest that is
/// allowed, a hundred-thousandth for everybody where too few have a share, then divided by the largest, times 65535 and
/// rounded to the nearest (ties to even). What rounds to 0 is left out, and so is everybody where nobody has a share:
/// the SDK would give all the same.
///
/// # Errors
/// When a share is negative, infinite or not a number.
pub fn weigh(
    shares: &BTreeMap<AccountId, f64>,
    registered: &BTreeSet<AccountId>,
    limits: WeightLimits,
) -> Result<BTreeMap<AccountId, u16>, BadScore> {
    let bad = |share: f64| !share.is_finite() || share < 0.0;
    if let Some((&hotkey, &score)) = shares.iter().find(|(_, share)| bad(**share)) {
        return Err(BadScore { hotkey, score });
    }
    let mut given: BTreeMap<AccountId, f64> = shares
        .iter()
        .filter(|(hotkey, share)| **share > 0.0 && registered.contains(hotkey))
        .map(|(&hotkey, &share)| (hotkey, share))
        .collect();
    let largest = given.values().copied().fold(0.0, f64::max);
    if largest == 0.0 {
        return Ok(BTreeMap::new());
    }
    // The smallest numbers there are would vanish in a sum.
    given.values_mut().for_each(|share| *share /= largest);
    let total: f64 = given.values().sum();
    if given.len() < usize::from(limits.least).min(registered.len()) {
        given.values_mut().for_each(|share| *share /= total);
        for &hotkey in registered {
            *given.entry(hotkey).or_default() += FILLING;
        }
    }
    cap(&mut given, limits.largest);
    let largest = given.values().copied().fold(0.0, f64::max);
    Ok(given
        .into_iter()
        .map(|(hotkey, share)| (hotkey, (share / largest * 65535.0).round_ties_even() as u16))
        .filter(|(_, weight)| *weight > 0)
        .collect())
}

/// Lower the largest values to one common height at which each is `largest` of the sum.
fn cap(shares: &mut BTreeMap<AccountId, f64>, largest: f64) {
    if shares.len() as f64 * largest <= 1.0 {
        shares.values_mut().for_each(|share| *share = 1.0);
        return;
    }
    let mut ascending: Vec<f64> = shares.values().copied().collect();
    ascending.sort_by(f64::total_cmp);
    let mut below: f64 = ascending.iter().sum();
    for (capped, &next) in ascending.iter().rev().enumerate() {
        // `capped` values at this height and the sum of the others: each is `largest` of the whole.
        let height = largest * below / (1.0 - largest * capped as f64);
        if next <= height {
            let lower = |share: &mut f64| *share = share.min(height);
            return shares.values_mut().for_each(lower);
        }
        below -= next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn account(number: usize) -> AccountId {
        AccountId::from([number as u8; 32])
    }

    fn weights(shares: &[f64], registered: usize, limits: WeightLimits) -> Vec<u16> {
        let shares = shares.iter().enumerate();
        let shares = shares.map(|(at, &share)| (account(at), share)).collect();
        let registered = (0..registered).map(account).collect();
        let weights = weigh(&shares, &registered, limits).unwrap();
        weights.into_values().collect()
    }

    fn at_most(largest: f64) -> WeightLimits {
        WeightLimits { least: 0, largest }
    }

    #[test]
    fn the_golden_vector_of_the_largest_share() {
        let shares = [0.7, 0.1, 0.1, 0.05, 0.05];
        assert_eq!(
            weights(&shares, 5, at_most(0.3)),
            [65535, 50972, 50972, 25486, 25486]
        );
        assert_eq!(weights(&[0.7, 0.2, 0.1], 3, at_most(0.2)), [65535; 3]);
        assert_eq!(weights(&[0.5, 0.25], 2, WeightLimits::NONE), [65535, 32768]);
    }

    #[test]
    fn where_too_few_have_a_share_everybody_gets_a_little() {
        let limits = WeightLimits {
            least: 3,
            largest: 1.0,
        };
        assert_eq!(weights(&[0.5, 0.5], 4, limits), [65535, 65535, 1, 1]);
        assert_eq!(weights(&[1.0], 1, limits), [65535]);
        assert_eq!(weights(&[0.0], 4, limits), [0; 0]);
    }

    proptest! {
        #[test]
        fn no_share_is_above_the_largest(
            shares in prop::collection::vec(0.0f64..1.0, 1..20),
            largest in 0.01f64..1.0,
        ) {
            let weights = weights(&shares, 20, at_most(largest));
            let total: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
            let allowed = largest.max(1.0 / weights.len().max(1) as f64);
            for weight in weights {
                prop_assert!(f64::from(weight) / total <= allowed + 1e-3);
            }
        }
    }
}

//! Vector functions and cell formulas of the epoch, shared by the dense and the sparse form.
//!
//! Matrices hold non-negative numbers throughout. So a zero sum means that all its terms are zero,
//! and the rule that a vector with a zero sum stays as it is follows from the division by zero that
//! yields zero.

use std::cmp::Ordering;

use super::LiquidAlpha;
use super::fixed::I32F32;

/// The vector divided by its sum; unchanged when that is zero.
pub fn normalise(values: &[I32F32]) -> Vec<I32F32> {
    divide(values, values.iter().copied().sum())
}

/// Each value divided by the same divisor; zeros when that is zero.
pub fn divide(values: &[I32F32], divisor: I32F32) -> Vec<I32F32> {
    values.iter().map(|&value| value / divisor).collect()
}

/// The products of two vectors, element by element.
pub fn multiply(left: &[I32F32], right: &[I32F32]) -> Vec<I32F32> {
    left.iter().zip(right).map(|(&a, &b)| a * b).collect()
}

/// Which values are both non-zero and among the `count` greatest. Of equal values those at higher
/// positions go first.
pub fn is_topk_nonzero(values: &[I32F32], count: usize) -> Vec<bool> {
    let mut chosen: Vec<bool> = values.iter().map(|&value| value != I32F32::ZERO).collect();
    let mut ascending: Vec<usize> = (0..values.len()).collect();
    ascending.sort_by_key(|&position| values[position]);
    for &position in &ascending[..values.len().saturating_sub(count)] {
        chosen[position] = false;
    }
    chosen
}

/// The validators that have a vote in the consensus: those with active stake.
pub struct Electorate {
    voters: Vec<usize>,
    stake: Vec<I32F32>,
    total: I32F32,
    minority: I32F32,
}

impl Electorate {
    /// The uids with active stake, their stake normalised once more, and the majority `kappa`
    /// (0..=1) they must reach.
    pub fn new(active_stake: &[I32F32], kappa: I32F32) -> Self {
        let voters: Vec<usize> = (0..active_stake.len())
            .filter(|&uid| active_stake[uid] > I32F32::ZERO)
            .collect();
        let held: Vec<I32F32> = voters.iter().map(|&uid| active_stake[uid]).collect();
        let stake = normalise(&held);
        let total = stake.iter().copied().sum();
        Self {
            voters,
            stake,
            total,
            minority: total - kappa,
        }
    }

    /// The uids that vote, ascending.
    pub fn voters(&self) -> &[usize] {
        &self.voters
    }

    /// The stake-weighted median of one score per voter, in the order of [`voters`](Self::voters).
    ///
    /// It is the smallest score above which less than `kappa` of the stake stands; at exact
    /// equality the next higher score. The search keeps a window of voters with the stake below it
    /// (`below`) and the stake up to its top (`through`), and splits it at the score in its middle
    /// until that score is the answer. No voters: zero.
    pub fn median(&self, scores: &[I32F32]) -> I32F32 {
        let stake_of =
            |voters: &[usize]| -> I32F32 { voters.iter().map(|&voter| self.stake[voter]).sum() };
        let mut window: Vec<usize> = (0..scores.len()).collect();
        let (mut below, mut through) = (I32F32::ZERO, self.total);
        while let Some(&middle) = window.get(window.len() / 2) {
            let pivot = scores[middle];
            let (mut lower, mut higher) = (Vec::new(), Vec::new());
            for &voter in &window {
                match scores[voter].cmp(&pivot) {
                    Ordering::Less => lower.push(voter),
                    Ordering::Equal => {}
                    Ordering::Greater => higher.push(voter),
                }
            }
            let lower_end = below + stake_of(&lower);
            let higher_start = through - stake_of(&higher);
            if self.minority < lower_end && !lower.is_empty() {
                (window, through) = (lower, lower_end);
            } else if higher_start <= self.minority && !higher.is_empty() {
                (window, below) = (higher, higher_start);
            } else {
                return pivot;
            }
        }
        I32F32::ZERO
    }

    /// The same median from the voters that have a cell, `(score, position in the list of voters)` in any order; the
    /// others vote zero. The cells are sorted.
    ///
    /// [`median`](Self::median) goes on until the stake up to a score is above the minority and the stake below it is
    /// not, or until there is no further score on that side. Stakes are added exactly, so that this is the first score,
    /// from the lowest on, with more than the minority up to it, or else the highest.
    pub fn median_of_cells(&self, cells: &mut [(I32F32, usize)]) -> I32F32 {
        let said = cells.iter().map(|&(_, voter)| self.stake[voter]).sum();
        let mut through = self.total - said;
        if cells.len() < self.voters.len() && self.minority < through {
            return I32F32::ZERO;
        }
        cells.sort_unstable_by_key(|&(score, _)| score);
        for &(score, voter) in cells.iter() {
            through = through + self.stake[voter];
            if self.minority < through {
                return score;
            }
        }
        cells.last().map_or(I32F32::ZERO, |&(score, _)| score)
    }
}

/// A weight limited to the consensus on its column. A weight above a consensus of zero is no cell
/// at all.
pub fn clip(weight: I32F32, consensus: I32F32) -> Option<I32F32> {
    if weight <= consensus {
        Some(weight)
    } else {
        consensus.positive()
    }
}

/// The weight that earns bonds: between the full weight (penalty 0) and the clipped one (penalty
/// 1).
///
/// At the two ends a cell of zero stays a cell, between them only positive cells exist;
/// [`MovingAverage::Liquid`] keeps a bond only where there is a cell.
pub fn weight_for_bond(weight: I32F32, clipped: Option<I32F32>, penalty: I32F32) -> Option<I32F32> {
    if penalty == I32F32::ZERO {
        return Some(weight);
    }
    if penalty == I32F32::ONE {
        return clipped;
    }
    let clipped = clipped.unwrap_or(I32F32::ZERO);
    (weight + penalty * (clipped - weight)).positive()
}

/// How bonds follow the weights from epoch to epoch.
#[derive(Clone, Copy, Debug)]
pub enum MovingAverage {
    /// One coefficient for every cell.
    Plain(I32F32),
    /// A coefficient per cell, from how far the weight is from consensus and bond.
    Liquid(LiquidAlpha),
}

impl MovingAverage {
    /// One cell of the new bonds from the cell of the weights, the cell of the old bonds and the
    /// column's consensus. Only positive cells exist.
    pub fn cell(
        &self,
        weight: Option<I32F32>,
        bond: Option<I32F32>,
        consensus: I32F32,
    ) -> Option<I32F32> {
        let bond = bond.unwrap_or(I32F32::ZERO);
        match self {
            Self::Plain(alpha) => {
                let weight = weight.unwrap_or(I32F32::ZERO);
                (*alpha * weight + (I32F32::ONE - *alpha) * bond).positive()
            }
            // A validator that no longer has a cell for the miner drops its bond at once. The chain
            // caps the result at 1, which the mean of two numbers up to 1 never passes.
            Self::Liquid(liquid) => {
                let weight = weight?;
                let alpha = liquid_alpha(liquid, weight, bond, consensus);
                (alpha * weight + (I32F32::ONE - alpha) * bond).positive()
            }
        }
    }
}

/// The coefficient of one cell: a sigmoid between `low` and `high` of how far the weight has moved
/// away, from consensus when the validator buys bonds, from the bond it holds when it sells.
pub fn liquid_alpha(
    liquid: &LiquidAlpha,
    weight: I32F32,
    bond: I32F32,
    consensus: I32F32,
) -> I32F32 {
    let low = I32F32::from_u16_proportion(liquid.low);
    let high = I32F32::from_u16_proportion(liquid.high);
    let distance = if weight >= bond {
        weight - consensus
    } else {
        bond - weight
    };
    let distance = distance.clamp(I32F32::ZERO, I32F32::ONE);
    let slope = I32F32::from_integer(liquid.steepness.into()) / I32F32::from_integer(-100);
    let sigmoid = I32F32::ONE / (I32F32::ONE + (slope * (distance - I32F32::HALF)).exp());
    // Not `clamp`, which panics when a subnet has set its bounds in the wrong order.
    (low + sigmoid * (high - low)).min(high).max(low)
}

/// Weights scaled so that the greatest becomes 65535, as `set_weights` stores them. All zeros stay.
pub fn vec_u16_max_upscale_to_u16(values: &[u16]) -> Vec<u16> {
    let values: Vec<I32F32> = values.iter().copied().map(I32F32::from).collect();
    vec_max_upscale_to_u16(&values)
}

/// Values scaled so that the greatest becomes 65535, each rounded to the nearest and clamped to a
/// `u16`.
///
/// Up to 32768 a value times 65535 fits the number, so the product comes first; above, the quotient
/// does.
pub fn vec_max_upscale_to_u16(values: &[I32F32]) -> Vec<u16> {
    let greatest = values.iter().copied().max().unwrap_or(I32F32::ZERO);
    let full = I32F32::from(u16::MAX);
    let scaled = |value: I32F32| {
        if greatest > I32F32::from_integer(32768) {
            value * (full / greatest)
        } else {
            value * full / greatest
        }
    };
    values
        .iter()
        .map(|&value| scaled(value).round_to_u16())
        .collect()
}

/// Whether the greatest share of the sum is at most `limit / 65535`. Nothing, or all zeros, passes.
pub fn check_vec_max_limited(values: &[u16], limit: u16) -> bool {
    let values: Vec<I32F32> = values.iter().copied().map(I32F32::from).collect();
    let limit = I32F32::from_u16_proportion(limit);
    normalise(&values).into_iter().all(|share| share <= limit)
}

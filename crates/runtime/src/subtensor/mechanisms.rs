//! Several incentive mechanisms of one subnet: how they share an epoch's emission, and how their results become the
//! one result that is stored and paid.

use crate::yuma::EpochOutput;

/// 1 as a number with 64 fractional bits.
const ONE_Q64: u128 = 1 << 64;

/// Splits an emission between `count` mechanisms: by parts of 65535 where they are given, evenly otherwise, each
/// rounded down. What is left is the first one's.
pub(super) fn split_emission(amount: u64, count: u8, parts: Option<&[u16]>) -> Vec<u64> {
    let count = usize::from(count);
    let part = |at: usize| match parts {
        Some(parts) => {
            let part = parts.get(at).copied().unwrap_or(0);
            (u128::from(amount) * u128::from(part) / u128::from(u16::MAX)) as u64
        }
        None => amount.checked_div(count as u64).unwrap_or(0),
    };
    let mut left = amount;
    let mut split: Vec<u64> = (0..count)
        .map(|at| {
            // Parts of more than the whole find nothing left.
            let given = part(at).min(left);
            left -= given;
            given
        })
        .collect();
    if let Some(first) = split.first_mut() {
        *first += left;
    }
    split
}

/// The results of all mechanisms as one; vectors have one element a uid.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Combined {
    pub(super) active: Vec<bool>,
    pub(super) validator_permit: Vec<bool>,
    /// What each uid earns as a miner, over all mechanisms.
    pub(super) server_emission: Vec<u64>,
    /// What each uid earns as a validator, over all mechanisms.
    pub(super) validator_emission: Vec<u64>,
    pub(super) emission: Vec<u64>,
    pub(super) consensus: Vec<u16>,
    pub(super) dividends: Vec<u16>,
    pub(super) validator_trust: Vec<u16>,
    pub(super) stake_weight: Vec<u16>,
}

/// Combines results, each with its mechanism's emission: what is earned is added up, what is stored is weighted by
/// the emission's part of `total`, rounded down at each mechanism, and being active or permitted in one is enough. Without any
/// emission the first result counts alone.
pub(super) fn combine(n: u16, total: u64, results: &[(u64, &EpochOutput)]) -> Combined {
    let n = usize::from(n);
    let mut combined = Combined {
        active: vec![false; n],
        validator_permit: vec![false; n],
        server_emission: vec![0; n],
        validator_emission: vec![0; n],
        emission: vec![0; n],
        consensus: vec![0; n],
        dividends: vec![0; n],
        validator_trust: vec![0; n],
        stake_weight: vec![0; n],
    };
    for (at, (emission, output)) in results.iter().enumerate() {
        let weight = match (u128::from(*emission) << 64).checked_div(total.into()) {
            Some(weight) => weight,
            None if at == 0 => ONE_Q64,
            None => 0,
        };
        either(&mut combined.active, &output.active);
        either(&mut combined.validator_permit, &output.validator_permit);
        add(
            &mut combined.server_emission,
            &output.server_emission,
            ONE_Q64,
        );
        add(
            &mut combined.validator_emission,
            &output.validator_emission,
            ONE_Q64,
        );
        add(&mut combined.emission, &output.emission, weight);
        add(&mut combined.consensus, &output.consensus, weight);
        add(&mut combined.dividends, &output.dividends, weight);
        add(
            &mut combined.validator_trust,
            &output.validator_trust,
            weight,
        );
        add(&mut combined.stake_weight, &output.stake_weight, weight);
    }
    combined
}

fn either(all: &mut [bool], more: &[bool]) {
    for (all, more) in all.iter_mut().zip(more) {
        *all |= more;
    }
}

/// Adds numbers times a weight of at most 1, with 64 fractional bits.
fn add<N>(all: &mut [N], more: &[N], weight: u128)
where
    N: Copy + Into<u64> + TryFrom<u64>,
{
    for (all, more) in all.iter_mut().zip(more) {
        let part = (u128::from((*more).into()) * weight) >> 64;
        let sum = (*all).into().saturating_add(part as u64);
        // The weights of all mechanisms add up to 1 at most, so that a sum that does not fit cannot be.
        if let Ok(sum) = N::try_from(sum) {
            *all = sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emission_is_split_evenly_or_by_parts() {
        assert_eq!(split_emission(10, 1, None), [10]);
        assert_eq!(split_emission(11, 3, None), [5, 3, 3]);
        // 10 x 16384 / 65535 is 2.50004.
        assert_eq!(split_emission(10, 2, Some(&[49_151, 16_384])), [8, 2]);
        // What no part names is the first one's, what is too much finds nothing left.
        assert_eq!(split_emission(10, 3, Some(&[0, 32_768])), [5, 5, 0]);
        assert_eq!(split_emission(10, 2, Some(&[65_535, 65_535])), [10, 0]);
        assert_eq!(
            split_emission(u64::MAX, 2, Some(&[0, 65_535])),
            [0, u64::MAX]
        );
        assert!(split_emission(10, 0, None).is_empty());
    }

    fn output(value: u16, rao: u64, active: [bool; 2]) -> EpochOutput {
        EpochOutput {
            active: active.to_vec(),
            server_emission: vec![rao, 1],
            validator_emission: vec![2, rao],
            emission: vec![rao, rao],
            consensus: vec![value, 65_535],
            incentive: vec![0; 2],
            dividends: vec![value, 0],
            validator_trust: vec![value, 1],
            stake_weight: vec![value, 1],
            validator_permit: vec![active[1], active[0]],
            bonds: Vec::new(),
        }
    }

    #[test]
    fn one_mechanism_is_itself() {
        for total in [0, 7, u64::MAX] {
            let only = output(65_535, u64::MAX / 2, [true, false]);
            let combined = combine(2, total, &[(total, &only)]);
            assert_eq!(combined.emission, only.emission);
            assert_eq!(combined.server_emission, only.server_emission);
            assert_eq!(combined.consensus, only.consensus);
            assert_eq!(combined.dividends, only.dividends);
            assert_eq!(combined.active, only.active);
            assert_eq!(combined.validator_permit, only.validator_permit);
        }
    }

    #[test]
    fn two_mechanisms_are_weighted_by_their_emission() {
        let (first, second) = (
            output(1000, 30, [true, false]),
            output(500, 10, [false, false]),
        );
        let combined = combine(2, 40, &[(30, &first), (10, &second)]);
        // 3/4 x 1000 + 1/4 x 500, and the second uid 49151 + 16383 of 65535: each is rounded down.
        assert_eq!(combined.consensus, [875, 65_534]);
        assert_eq!(combined.dividends, [875, 0]);
        assert_eq!(combined.validator_trust, [875, 0]);
        // Earned is added, stored is weighted: 3/4 x 30 + 1/4 x 10 is 22 + 2.
        assert_eq!(combined.server_emission, [40, 2]);
        assert_eq!(combined.validator_emission, [4, 40]);
        assert_eq!(combined.emission, [24, 24]);
        assert_eq!(combined.active, [true, false]);
        assert_eq!(combined.validator_permit, [false, true]);
        // Without any emission the first one's numbers stand.
        let combined = combine(2, 0, &[(0, &first), (0, &second)]);
        assert_eq!(combined.consensus, [1000, 65_535]);
    }
}

//! The steps of the epoch that know vectors only, shared by the dense and the sparse form.

use super::fixed::I32F32;
use super::math::{self, MovingAverage};
use super::{BondsUpdate, EpochInput, EpochOutput, Row};

/// Who takes part in this epoch, and with how much.
pub(super) struct Standing {
    active: Vec<bool>,
    /// Normalised stake.
    stake: Vec<I32F32>,
    /// Permits that count in this epoch.
    permit: Vec<bool>,
    /// Permits from the next epoch on.
    next_permit: Vec<bool>,
    /// Normalised stake of the active validators with a permit.
    pub(super) active_stake: Vec<I32F32>,
}

/// What the matrices of an epoch come down to.
pub(super) struct Ranking {
    pub(super) consensus: Vec<I32F32>,
    pub(super) validator_trust: Vec<I32F32>,
    pub(super) incentive: Vec<I32F32>,
    pub(super) dividends: Vec<I32F32>,
    /// The new bonds, rows with ascending uids.
    pub(super) bonds: Vec<Vec<(u16, I32F32)>>,
}

impl Standing {
    pub(super) fn of(input: &EpochInput) -> Self {
        let uids = 0..usize::from(input.n);
        let is_owner = |uid: usize| input.owner_uid.map(usize::from) == Some(uid);

        let active: Vec<bool> = input
            .last_update
            .iter()
            .map(|updated| updated.saturating_add(input.activity_cutoff) >= input.block)
            .collect();

        let counted = |uid: usize| {
            let stake = input.stake[uid];
            if stake >= input.stake_threshold || is_owner(uid) {
                stake
            } else {
                0
            }
        };
        let total: u128 = uids.clone().map(|uid| u128::from(counted(uid))).sum();
        let stake: Vec<I32F32> = uids
            .clone()
            .map(|uid| I32F32::from_ratio(counted(uid), total))
            .collect();

        let permit: Vec<bool> = uids
            .clone()
            .map(|uid| input.validator_permit[uid] || is_owner(uid))
            .collect();
        let mut next_permit = math::is_topk_nonzero(&stake, input.max_allowed_validators.into());
        if let Some(owner) = input.owner_uid {
            next_permit[usize::from(owner)] = true;
        }

        let held: Vec<I32F32> = uids
            .map(|uid| {
                if active[uid] && permit[uid] {
                    stake[uid]
                } else {
                    I32F32::ZERO
                }
            })
            .collect();
        Self {
            active_stake: math::normalise(&held),
            active,
            stake,
            permit,
            next_permit,
        }
    }

    /// Whether the weight of uid `from` on uid `to` counts: set by a validator with a permit, not
    /// on itself (but for the owner), and neither set nor committed before the present holder of
    /// `to` registered.
    pub(super) fn keeps_weight(&self, input: &EpochInput, from: usize, to: usize) -> bool {
        let registered = input.block_at_registration[to];
        let on_itself = from == to && input.owner_uid.map(usize::from) != Some(from);
        let committed_before = input.earliest_commit[from].is_some_and(|block| block < registered);
        self.permit[from] && !on_itself && input.last_update[from] > registered && !committed_before
    }

    /// Turns the ranking into what each uid earns and what the chain stores.
    pub(super) fn settle(self, input: &EpochInput, ranking: Ranking) -> EpochOutput {
        let Ranking {
            consensus,
            validator_trust,
            incentive,
            dividends,
            bonds,
        } = ranking;
        let earned: Vec<I32F32> = incentive
            .iter()
            .zip(&dividends)
            .map(|(&incentive, &dividend)| incentive + dividend)
            .collect();
        let total: I32F32 = earned.iter().copied().sum();

        // Without any accepted weight the validators share the emission by stake.
        let (validators, combined) = if total == I32F32::ZERO {
            let idle = self.active_stake.iter().all(|&held| held == I32F32::ZERO);
            let holders = if idle {
                &self.stake
            } else {
                &self.active_stake
            };
            (holders.clone(), holders.clone())
        } else {
            (
                math::divide(&dividends, total),
                math::divide(&earned, total),
            )
        };
        let servers = math::divide(&incentive, total);

        let bonds = bonds
            .into_iter()
            .enumerate()
            .map(|(uid, row)| self.bonds_update(input, uid, row))
            .collect();
        EpochOutput {
            server_emission: to_rao(&servers, input.rao_emission),
            validator_emission: to_rao(&validators, input.rao_emission),
            emission: to_rao(&combined, input.rao_emission),
            consensus: to_u16(&consensus),
            incentive: to_u16(&incentive),
            dividends: to_u16(&dividends),
            validator_trust: to_u16(&validator_trust),
            stake_weight: to_u16(&self.stake),
            active: self.active,
            validator_permit: self.next_permit,
            bonds,
        }
    }

    fn bonds_update(&self, input: &EpochInput, uid: usize, row: Vec<(u16, I32F32)>) -> BondsUpdate {
        if self.next_permit[uid] {
            let stored: Row = row
                .into_iter()
                .map(|(to, bond)| (to, bond.to_u16_proportion()))
                .collect();
            BondsUpdate::Store(stored)
        } else if input.validator_permit[uid] {
            BondsUpdate::Remove
        } else {
            BondsUpdate::Keep
        }
    }
}

/// Whether bonds on uid `to` are carried on: its present holder was there at the previous epoch.
pub(super) fn keeps_bond(input: &EpochInput, to: usize) -> bool {
    let last_tempo = match input.last_mechanism_step_block {
        0 => input.block.saturating_sub(input.tempo.into()),
        previous => previous.saturating_add(1),
    };
    last_tempo > input.block_at_registration[to]
}

/// A stored bond as a number: a proportion in Yuma3, only relative to its column in Yuma2.
pub(super) fn read_bond(input: &EpochInput, value: u16) -> I32F32 {
    if input.yuma3 {
        I32F32::from_u16_proportion(value)
    } else {
        I32F32::from(value)
    }
}

/// The moving average in use. Liquid alpha needs Yuma3 and a consensus on somebody.
pub(super) fn moving_average(input: &EpochInput, consensus: &[I32F32]) -> MovingAverage {
    let agreed = consensus.iter().any(|&value| value != I32F32::ZERO);
    match input.liquid_alpha {
        Some(liquid) if input.yuma3 && agreed => MovingAverage::Liquid(liquid),
        _ => {
            let kept = I32F32::from_ratio(input.bonds_moving_average, 1_000_000);
            MovingAverage::Plain(I32F32::ONE - kept)
        }
    }
}

fn to_u16(values: &[I32F32]) -> Vec<u16> {
    values
        .iter()
        .map(|value| value.to_u16_proportion())
        .collect()
}

fn to_rao(shares: &[I32F32], emission: u64) -> Vec<u64> {
    shares
        .iter()
        .map(|share| share.share_of(emission))
        .collect()
}

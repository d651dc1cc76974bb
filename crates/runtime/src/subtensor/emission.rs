//! New money: how much a block emits, and how it waits in each subnet for the next epoch.

use super::pallet::*;
use super::{MAX_ISSUANCE, ROOT};
use frame_support::traits::fungible::Mutate;

/// What a block emits before any halving, in rao.
const FULL_EMISSION: u64 = 1_000_000_000;
/// 1 as a number with 64 fractional bits.
const ONE_Q64: u128 = 1 << 64;

impl<T: Config> Pallet<T> {
    /// What happens in every block before its transactions.
    ///
    /// The public chain also reveals time-locked weights, moves prices and root proportions, and applies pending
    /// children and root claims here; this runtime has none of these.
    pub(super) fn block_step() {
        Self::update_registration_prices();
        let emission = block_emission(TotalIssuance::<T>::get());
        BlockEmission::<T>::put(emission);
        Self::emit(emission);
        Self::run_due_epochs();
    }

    /// Forgets money that was burned elsewhere, so that it can be emitted again.
    pub fn reduce_issuance(rao: u64) {
        TotalIssuance::<T>::mutate(|total| *total = total.saturating_sub(rao));
    }

    /// Whether a subnet can receive emission at all.
    fn is_eligible(netuid: u16) -> bool {
        FirstEmissionBlockNumber::<T>::get(netuid).is_some_and(|first| first <= Self::now())
            && SubtokenEnabled::<T>::get(netuid)
            && NetworkRegistrationAllowed::<T>::get(netuid)
            && SubnetEmissionEnabled::<T>::get(netuid)
    }

    /// Splits a block's emission between the subnets. What no subnet takes is not minted.
    fn emit(emission: u64) {
        let subnets = Self::subnets();
        // All prices are 1 in one-to-one pools, so a subnet's claim is the part of its miners that are not the owner's.
        let claims: Vec<u128> = subnets
            .iter()
            .map(|&netuid| {
                let burned = MinerBurned::<T>::get(netuid).bits;
                if Self::is_eligible(netuid) {
                    ONE_Q64.saturating_sub(burned)
                } else {
                    0
                }
            })
            .collect();
        let all: u128 = claims.iter().sum();
        for (netuid, claim) in subnets.into_iter().zip(claims) {
            // At most 2^64 x 2^30 of emission.
            let amount = (claim * u128::from(emission)).checked_div(all).unwrap_or(0) as u64;
            Self::emit_to(netuid, amount);
        }
    }

    /// Mints rao into a subnet's pool and as much of its token, which waits for the epoch.
    fn emit_to(netuid: u16, amount: u64) {
        let minted =
            amount != 0 && T::Currency::mint_into(&Self::subnet_account(netuid), amount).is_ok();
        let amount = if minted { amount } else { 0 };
        SubnetTaoInEmission::<T>::insert(netuid, amount);
        SubnetAlphaOutEmission::<T>::insert(netuid, amount);
        if amount == 0 {
            return;
        }
        TotalIssuance::<T>::mutate(|total| *total = total.saturating_add(amount));
        TotalStake::<T>::mutate(|total| *total = total.saturating_add(amount));
        SubnetTAO::<T>::mutate(netuid, |tao| *tao = tao.saturating_add(amount));

        let cut = if OwnerCutEnabled::<T>::get(netuid) {
            (u128::from(amount) * u128::from(SubnetOwnerCut::<T>::get()) / u128::from(u16::MAX))
                as u64
        } else {
            0
        };
        let rest = amount.saturating_sub(cut);
        let miners = rest / 2;
        let validators = rest.saturating_sub(miners);
        // Root stakers' part: the public chain too recycles it while the subnets' prices sum up to no more than 1.
        let recycled = Self::root_part(netuid, validators);
        let validators = validators.saturating_sub(recycled);
        PendingOwnerCut::<T>::mutate(netuid, |pending| *pending = pending.saturating_add(cut));
        PendingServerEmission::<T>::mutate(netuid, |pending| {
            *pending = pending.saturating_add(miners)
        });
        PendingValidatorEmission::<T>::mutate(netuid, |pending| {
            *pending = pending.saturating_add(validators)
        });
        SubnetAlphaOut::<T>::mutate(netuid, |alpha| {
            *alpha = alpha.saturating_add(amount.saturating_sub(recycled))
        });
    }

    /// The part of an amount that belongs to the stake on root: what it weighs against the subnet's own token.
    fn root_part(netuid: u16, amount: u64) -> u64 {
        let root = u128::from(Self::weighed_root(SubnetTAO::<T>::get(ROOT)));
        let token = u128::from(SubnetAlphaIn::<T>::get(netuid))
            + u128::from(SubnetAlphaOut::<T>::get(netuid));
        (u128::from(amount) * root)
            .checked_div(root + token)
            .unwrap_or(0) as u64
    }

    /// Takes the subnet's token out of circulation; the rao behind it stay in the pool.
    pub(super) fn forget_alpha(netuid: u16, amount: u64) {
        SubnetAlphaOut::<T>::mutate(netuid, |alpha| *alpha = alpha.saturating_sub(amount));
    }
}

/// What a block emits when so much exists, in rao: 1 TAO, halved each time the money that can still come halves.
fn block_emission(issuance: u64) -> u64 {
    let left = MAX_ISSUANCE.saturating_sub(issuance);
    if left == 0 {
        return 0;
    }
    // floor(log2(MAX / left)) without logarithms.
    FULL_EMISSION >> (MAX_ISSUANCE / left).ilog2().min(63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emission_halves_when_half_of_the_rest_exists() {
        assert_eq!(block_emission(0), FULL_EMISSION);
        assert_eq!(block_emission(MAX_ISSUANCE / 2 - 1), FULL_EMISSION);
        assert_eq!(block_emission(MAX_ISSUANCE / 2), FULL_EMISSION / 2);
        assert_eq!(block_emission(MAX_ISSUANCE / 4 * 3), FULL_EMISSION / 4);
        assert_eq!(block_emission(MAX_ISSUANCE - 1), 0);
        assert_eq!(block_emission(MAX_ISSUANCE), 0);
        assert_eq!(block_emission(u64::MAX), 0);
    }
}

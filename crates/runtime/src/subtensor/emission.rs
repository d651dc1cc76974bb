//! New money: how much a block emits, which subnets and pools receive it, and how it waits in each subnet for the
//! next epoch.
//!
//! TAO follows one halving curve over all TAO, and each subnet's token follows the same curve over that token. A
//! subnet's TAO goes into its pool together with as much of the token as the price asks for; what the pool cannot take
//! that way buys the token, which is destroyed. The token's own emission goes to the owner, the miners, the validators
//! and those who stake on root.
//!
//! Root's stakers cannot claim what waits for them in this runtime: the epoch recycles it.

use super::pallet::*;
use super::{FixedI128, FixedU128, MAX_ISSUANCE, ROOT};
use frame_support::storage::with_storage_layer;
use frame_support::traits::fungible::Mutate;
use sp_runtime::DispatchError;

/// What a block emits before any halving, in rao.
const FULL_EMISSION: u64 = 1_000_000_000;
/// 1 as a number with 32 fractional bits.
pub(super) const ONE_Q32: u64 = 1 << 32;

impl<T: Config> Pallet<T> {
    /// What happens in every block before its transactions.
    ///
    /// The public chain also applies pending children and root claims at the end; this runtime has neither.
    pub(super) fn block_step() {
        Self::update_registration_prices();
        let emission = block_emission(TotalIssuance::<T>::get());
        BlockEmission::<T>::put(emission);
        Self::reveal_timelocked_weights();
        Self::average_flows();
        Self::emit(emission);
        Self::run_due_epochs();
        for netuid in Self::subnets() {
            Self::update_moving_price(netuid);
            let (root, token) = Self::root_against_token(netuid);
            RootProp::<T>::insert(
                netuid,
                FixedU128 {
                    bits: (root << 32).checked_div(root + token).unwrap_or(0),
                },
            );
        }
    }

    /// Forgets money that was burned elsewhere, so that it can be emitted again.
    pub fn reduce_issuance(rao: u64) {
        TotalIssuance::<T>::mutate(|total| *total = total.saturating_sub(rao));
    }

    /// Whether a subnet can receive emission at all. [`SubnetEmissionEnabled`] holds for the pool's part alone.
    fn is_eligible(netuid: u16) -> bool {
        FirstEmissionBlockNumber::<T>::get(netuid).is_some_and(|first| first <= Self::now())
            && SubtokenEnabled::<T>::get(netuid)
            && NetworkRegistrationAllowed::<T>::get(netuid)
    }

    /// The moving price of a subnet's token, with 32 fractional bits: 1 where the token is one to one.
    fn moving_price_q32(netuid: u16) -> u64 {
        if SubnetMechanism::<T>::get(netuid) == 0 {
            return ONE_Q32;
        }
        let bits = SubnetMovingPrice::<T>::get(netuid).bits;
        bits.clamp(0, ONE_Q32.into()) as u64
    }

    /// What a subnet's share of the block's TAO is proportional to: its moving price, less the part of the last
    /// incentive that was the owner's.
    fn claim(netuid: u16) -> u128 {
        let burned = MinerBurned::<T>::get(netuid).bits;
        u128::from(Self::moving_price_q32(netuid)) * u128::from(ONE_Q32).saturating_sub(burned)
    }

    /// Gives every subnet its part of a block. TAO that no subnet takes is not minted.
    fn emit(emission: u64) {
        let subnets: Vec<(u16, bool)> = Self::subnets()
            .into_iter()
            .map(|netuid| (netuid, Self::is_eligible(netuid)))
            .collect();
        let claims: Vec<u128> = subnets
            .iter()
            .map(|&(netuid, eligible)| {
                if eligible && SubnetEmissionEnabled::<T>::get(netuid) {
                    Self::claim(netuid)
                } else {
                    0
                }
            })
            .collect();
        let all: u128 = claims.iter().sum();
        // Root's stakers have a part only while the tokens together are worth more than TAO itself.
        let prices: u64 = subnets
            .iter()
            .filter(|(_, eligible)| *eligible)
            .map(|&(netuid, _)| Self::moving_price_q32(netuid))
            .sum();
        let root_earns = prices > ONE_Q32;
        for ((netuid, eligible), claim) in subnets.into_iter().zip(claims) {
            // At most 2^64 x 2^30 of emission.
            let tao = (claim * u128::from(emission)).checked_div(all).unwrap_or(0) as u64;
            // Both parts follow from what there was of the token before this block.
            let (root, token) = Self::root_against_token(netuid);
            let alpha = if eligible {
                block_emission(u64::try_from(token).unwrap_or(u64::MAX))
            } else {
                0
            };
            let part = pool_part(tao, Self::price_q64(netuid), share(alpha, root, token));
            Self::emit_into_pool(netuid, part);
            SubnetAlphaOutEmission::<T>::insert(netuid, alpha);
            if alpha != 0 {
                Self::emit_to_participants(netuid, alpha, (root, token), root_earns);
            }
        }
    }

    /// Mints a pool's part of a block into it, and buys the token with the rest.
    fn emit_into_pool(netuid: u16, part: PoolPart) {
        let PoolPart {
            tao,
            alpha,
            excess_tao,
        } = part;
        let minted = tao != 0 && Self::mint(netuid, tao);
        let (tao, alpha) = if minted { (tao, alpha) } else { (0, 0) };
        SubnetTAO::<T>::mutate(netuid, |reserve| *reserve = reserve.saturating_add(tao));
        SubnetAlphaIn::<T>::mutate(netuid, |reserve| *reserve = reserve.saturating_add(alpha));
        TotalStake::<T>::mutate(|total| *total = total.saturating_add(tao));
        SubnetTaoInEmission::<T>::insert(netuid, tao);
        SubnetAlphaInEmission::<T>::insert(netuid, alpha);

        // A pool that refuses the purchase, because it is too small for it, gets nothing of it.
        let bought = excess_tao != 0
            && with_storage_layer(|| {
                frame_support::ensure!(
                    Self::mint(netuid, excess_tao),
                    DispatchError::Arithmetic(sp_runtime::ArithmeticError::Overflow)
                );
                let (alpha, _) = Self::buy_alpha(netuid, excess_tao)?;
                Self::forget_alpha(netuid, alpha);
                Ok::<_, DispatchError>(())
            })
            .is_ok();
        SubnetExcessTao::<T>::insert(netuid, if bought { excess_tao } else { 0 });
    }

    /// Creates rao on a subnet's account.
    fn mint(netuid: u16, rao: u64) -> bool {
        let minted = T::Currency::mint_into(&Self::subnet_account(netuid), rao).is_ok();
        if minted {
            TotalIssuance::<T>::mutate(|total| *total = total.saturating_add(rao));
        }
        minted
    }

    /// Splits a block's emission of a subnet's token between those for whom it waits until the epoch. Root's stakers
    /// have the part of the validators' half that their stake weighs against the token.
    fn emit_to_participants(
        netuid: u16,
        alpha: u64,
        (root, token): (u128, u128),
        root_earns: bool,
    ) {
        let cut = if OwnerCutEnabled::<T>::get(netuid) {
            (u128::from(alpha) * u128::from(SubnetOwnerCut::<T>::get()) / u128::from(u16::MAX))
                as u64
        } else {
            0
        };
        let rest = alpha.saturating_sub(cut);
        let miners = rest / 2;
        let validators = rest.saturating_sub(miners);
        let root = share(validators, root, token);
        let validators = validators.saturating_sub(root);
        // Recycled: it has never been outside the pool.
        let (root, recycled) = if root_earns { (root, 0) } else { (0, root) };
        PendingOwnerCut::<T>::mutate(netuid, |pending| *pending = pending.saturating_add(cut));
        PendingServerEmission::<T>::mutate(netuid, |pending| {
            *pending = pending.saturating_add(miners)
        });
        PendingValidatorEmission::<T>::mutate(netuid, |pending| {
            *pending = pending.saturating_add(validators)
        });
        PendingRootAlphaDivs::<T>::mutate(netuid, |pending| {
            *pending = pending.saturating_add(root)
        });
        SubnetAlphaOut::<T>::mutate(netuid, |out| {
            *out = out.saturating_add(alpha.saturating_sub(recycled))
        });
    }

    /// What the stake on root weighs in a subnet, and how much of the subnet's own token there is.
    fn root_against_token(netuid: u16) -> (u128, u128) {
        let root = Self::weighed_root(SubnetTAO::<T>::get(ROOT));
        let token = u128::from(SubnetAlphaIn::<T>::get(netuid))
            + u128::from(SubnetAlphaOut::<T>::get(netuid));
        (root.into(), token)
    }

    /// Takes the subnet's token out of circulation; the rao behind it stay in the pool.
    pub(super) fn forget_alpha(netuid: u16, amount: u64) {
        SubnetAlphaOut::<T>::mutate(netuid, |alpha| *alpha = alpha.saturating_sub(amount));
    }

    /// Moves the average of a subnet's price towards the price, the faster the longer ago the subnet was started.
    ///
    /// With 32 fractional bits as the public chain counts, every product and quotient rounded down: a price so young
    /// that its weight is below 2^-32 does not move the average at all.
    fn update_moving_price(netuid: u16) {
        // The first block with emission is the one after the start.
        let age = FirstEmissionBlockNumber::<T>::get(netuid).map_or(0, |first| {
            Self::now().saturating_add(1).saturating_sub(first)
        });
        let fastest = SubnetMovingAlpha::<T>::get().bits.clamp(0, ONE_Q32.into()) as u64;
        let halving = EMAPriceHalvingBlocks::<T>::get(netuid);
        let price = u64::try_from(Self::price_q64(netuid) >> 32).unwrap_or(u64::MAX);
        let average = Self::moving_price_q32(netuid);
        let moved = moving_average_q32(average, price.min(ONE_Q32), fastest, age, halving);
        SubnetMovingPrice::<T>::insert(netuid, FixedI128 { bits: moved.into() });
    }
}

/// A pool's part of a block.
#[derive(Debug, PartialEq, Eq)]
struct PoolPart {
    /// Rao that go into the pool.
    tao: u64,
    /// The token that goes into the pool with it.
    alpha: u64,
    /// Rao that buy the token instead.
    excess_tao: u64,
}

/// Splits a subnet's rao: as much goes into the pool as keeps the price with at most so much new token.
fn pool_part(tao: u64, price_q64: u128, most_alpha: u64) -> PoolPart {
    let wanted = (u128::from(tao) << 64).checked_div(price_q64).unwrap_or(0);
    // What is wanted x price is at most the rao, and so is less.
    let alpha = wanted.min(most_alpha.into());
    let into_pool = (alpha.saturating_mul(price_q64) >> 64).min(tao.into()) as u64;
    PoolPart {
        tao: into_pool,
        alpha: alpha as u64,
        excess_tao: tao.saturating_sub(into_pool),
    }
}

/// The part of an amount that falls to one of two weights, rounded down; nothing where both are zero.
fn share(amount: u64, weight: u128, other: u128) -> u64 {
    (u128::from(amount) * weight)
        .checked_div(weight + other)
        .unwrap_or(0) as u64
}

/// One step of a moving average of age `age`: `a x value + (1 - a) x average`, where
/// `a = fastest x age / (age + halving)`. Numbers up to 1 with 32 fractional bits.
fn moving_average_q32(average: u64, value: u64, fastest: u64, age: u64, halving: u64) -> u64 {
    let times = |a: u64, b: u64| ((u128::from(a) * u128::from(b)) >> 32) as u64;
    let maturity = (u128::from(age) << 32)
        .checked_div(u128::from(age) + u128::from(halving))
        .unwrap_or(0) as u64;
    let weight = times(fastest, maturity);
    times(weight, value) + times(ONE_Q32 - weight, average)
}

/// What a block emits when so much exists, in rao or units of a token: 1 TAO, halved each time what can still come
/// halves.
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

    const TAO: u64 = FULL_EMISSION;
    /// 1 as a number with 64 fractional bits.
    const ONE_Q64: u128 = 1 << 64;

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

    #[test]
    fn a_pool_takes_what_keeps_the_price_and_the_rest_buys() {
        let part = |tao, alpha, excess_tao| PoolPart {
            tao,
            alpha,
            excess_tao,
        };
        // At a price of 1/4 the rao of 0.1 ask for 0.4 of the token.
        assert_eq!(
            pool_part(TAO / 10, ONE_Q64 / 4, TAO),
            part(TAO / 10, TAO / 10 * 4, 0)
        );
        // Only 0.1 of it may come, so 0.025 rao go in and 0.075 buy.
        assert_eq!(
            pool_part(TAO / 10, ONE_Q64 / 4, TAO / 10),
            part(TAO / 40, TAO / 10, TAO / 40 * 3)
        );
        assert_eq!(pool_part(TAO, ONE_Q64, 0), part(0, 0, TAO));
        assert_eq!(pool_part(0, ONE_Q64, TAO), part(0, 0, 0));
        // Without a price nothing can go in.
        assert_eq!(pool_part(TAO, 0, TAO), part(0, 0, TAO));
        for price in [1, ONE_Q64 / 3, u128::MAX] {
            for amount in [1, TAO, u64::MAX] {
                let part = pool_part(amount, price, u64::MAX);
                assert_eq!(part.tao + part.excess_tao, amount);
            }
        }
    }

    #[test]
    fn shares_round_down_and_survive_nothing() {
        assert_eq!(share(10, 1, 2), 3);
        assert_eq!(share(10, 0, 0), 0);
        assert_eq!(share(u64::MAX, u128::from(u64::MAX), 0), u64::MAX);
    }

    #[test]
    fn the_moving_price_speeds_up_with_age() {
        let half = ONE_Q32 / 2;
        // a = 1/2 x 100 / (100 + 100) = 1/4, so 1/4 x 1 + 3/4 x 1/2 = 5/8.
        assert_eq!(
            moving_average_q32(half, ONE_Q32, half, 100, 100),
            ONE_Q32 / 8 * 5
        );
        // Without age nothing moves; without a halving period it is at full speed at once.
        assert_eq!(moving_average_q32(half, ONE_Q32, half, 0, 100), half);
        assert_eq!(moving_average_q32(0, ONE_Q32, ONE_Q32, 1, 0), ONE_Q32);
        assert_eq!(moving_average_q32(half, ONE_Q32, half, 0, 0), half);
        // The public speed of 3 millionths is 12885 / 2^32: after 15 blocks of 201,600 it is below one step, after 16
        // it is one step, at half age 6442.
        let young = |age| moving_average_q32(0, ONE_Q32, 0x3255, age, 201_600);
        assert_eq!((young(15), young(16), young(201_600)), (0, 1, 6442));
        let old = moving_average_q32(ONE_Q32, 0, ONE_Q32, u64::MAX, u64::MAX);
        assert_eq!(old, half);
    }
}

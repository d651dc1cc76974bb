//! How much TAO people bring to a subnet: in a block, and smoothed over many.
//!
//! Clients show it; emission does not follow it. What the emission itself buys is not counted.

use super::FixedI128;
use super::pallet::*;
use sp_core::U256;

impl<T: Config> Pallet<T> {
    /// Counts rao that somebody paid into a subnet's pool.
    pub(super) fn count_inflow(netuid: u16, rao: u64) {
        let rao = i64::try_from(rao).unwrap_or(i64::MAX);
        SubnetTaoFlow::<T>::mutate(netuid, |flow| *flow = flow.saturating_add(rao));
    }

    /// Counts rao that somebody took from a subnet's pool.
    pub(super) fn count_outflow(netuid: u16, rao: u64) {
        let rao = i64::try_from(rao).unwrap_or(i64::MAX);
        SubnetTaoFlow::<T>::mutate(netuid, |flow| *flow = flow.saturating_sub(rao));
    }

    /// Moves every subnet's moving flow towards what was counted since the last time, and counts anew.
    pub(super) fn average_flows() {
        let factor = FlowEmaSmoothingFactor::<T>::get();
        for netuid in Self::subnets() {
            let old = SubnetEmaTaoFlow::<T>::get(netuid).map_or(0, |(_, flow)| flow.bits);
            let bits = nearer(old, SubnetTaoFlow::<T>::take(netuid), factor);
            SubnetEmaTaoFlow::<T>::insert(netuid, (Self::now(), FixedI128 { bits }));
        }
    }
}

/// An average with 64 fractional bits after one more value that weighs a factor over 2^63 - 1.
fn nearer(average: i128, value: i64, factor: u64) -> i128 {
    let whole = i64::MAX.unsigned_abs();
    let distance = (i128::from(value) << 64).saturating_sub(average);
    let step = U256::from(distance.unsigned_abs()) * U256::from(factor.min(whole)) / whole;
    // Not more than the distance.
    let step = i128::try_from(step.low_u128()).unwrap_or(i128::MAX);
    if distance < 0 {
        average.saturating_sub(step)
    } else {
        average.saturating_add(step)
    }
}

#[cfg(test)]
mod tests {
    use super::nearer;

    const ONE: i128 = 1 << 64;
    const ALL: u64 = i64::MAX as u64;

    #[test]
    fn an_average_moves_towards_what_comes() {
        assert_eq!(nearer(0, 100, ALL), 100 * ONE);
        assert_eq!(nearer(40 * ONE, 100, 0), 40 * ONE);
        let half = nearer(40 * ONE, 100, ALL / 2);
        assert!((69 * ONE..70 * ONE + 1).contains(&half), "{half}");
        let below = nearer(40 * ONE, -100, ALL / 2);
        assert!((-30 * ONE..-29 * ONE).contains(&below), "{below}");
    }

    #[test]
    fn the_largest_flows_do_not_overflow() {
        let least = nearer(0, i64::MIN, ALL);
        // The distance itself is one bit too long.
        assert_eq!(least, (i128::from(i64::MIN) << 64) + 1);
        assert!(nearer(least, i64::MAX, u64::MAX) >= 0);
    }
}

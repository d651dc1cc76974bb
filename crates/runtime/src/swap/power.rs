//! A power of a fraction in fixed point: the same bits on every machine, never below the true value.

use sp_core::U256;

/// Fractional bits of all numbers in this module.
const BITS: usize = 112;
/// What the result is raised by, so that it is never below the true value: 2^-90. The errors of the series below
/// stay under 2^-98.
const MARGIN: u64 = 1 << 22;

fn one() -> U256 {
    U256::one() << BITS
}

fn times(a: U256, b: U256) -> U256 {
    (a * b) >> BITS
}

fn over(a: U256, b: U256) -> U256 {
    (a << BITS) / b
}

/// The inverse hyperbolic tangent of a number of at most 1/3, as t + t^3/3 + t^5/5 + ...
fn atanh(t: U256) -> U256 {
    let square = times(t, t);
    let (mut power, mut sum) = (t, U256::zero());
    let mut divisor = 1u64;
    while !power.is_zero() {
        sum += power / U256::from(divisor);
        power = times(power, square);
        divisor += 2;
    }
    sum
}

/// ln 2 = 2 atanh(1/3).
fn ln_2() -> U256 {
    atanh(one() / U256::from(3)) << 1
}

/// The natural logarithm of a number of at least 1: with m the number over its power of two, ln m = 2 atanh((m-1)/(m+1)).
fn ln(number: U256) -> U256 {
    let twos = number.bits().saturating_sub(BITS + 1);
    let mantissa = number >> twos;
    let fraction = over(mantissa - one(), mantissa + one());
    U256::from(twos) * ln_2() + (atanh(fraction) << 1)
}

/// e to the power of minus a number.
fn exp_minus(number: U256) -> U256 {
    let ln_2 = ln_2();
    let twos = number / ln_2;
    if twos >= U256::from(BITS) {
        return U256::zero();
    }
    let rest = number % ln_2;
    let (mut term, mut sum) = (one(), U256::zero());
    let mut count = 1u64;
    while !term.is_zero() {
        sum += term;
        term = times(term, rest) / U256::from(count);
        count += 1;
    }
    over(one(), sum) >> twos.as_usize()
}

/// `value x (base / (base + added))^(p / q)`, rounded up, at most `value`.
///
/// `base` must not be 0, `added` at most 1000 x `base`, and `p / q` between 1/99 and 99.
pub(super) fn shrink(value: u64, base: u64, added: u64, p: u64, q: u64) -> u64 {
    let base = U256::from(base);
    let growth = over(base + U256::from(added), base);
    let exponent = ln(growth) * U256::from(p) / U256::from(q);
    let factor = exp_minus(exponent) + U256::from(MARGIN);
    let rounding = one() - U256::one();
    let shrunk = (U256::from(value) * factor + rounding) >> BITS;
    u64::try_from(shrunk).unwrap_or(u64::MAX).min(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn float(number: U256) -> f64 {
        number.as_u128() as f64 / 2f64.powi(BITS as i32)
    }

    #[test]
    fn logarithms_and_powers_are_the_known_ones() {
        assert!((float(ln_2()) - std::f64::consts::LN_2).abs() < 1e-15);
        for number in [1u64, 2, 3, 10, 1001] {
            let found = float(ln(U256::from(number) << BITS));
            assert!((found - (number as f64).ln()).abs() < 1e-14, "ln {number}");
        }
        for hundredths in [0u64, 1, 50, 69, 70, 1000, 2000] {
            let found = float(exp_minus(
                (U256::from(hundredths) << BITS) / U256::from(100),
            ));
            let expected = (-(hundredths as f64) / 100.0).exp();
            assert!(
                (found / expected - 1.0).abs() < 1e-14,
                "exp -{hundredths}/100"
            );
        }
        assert_eq!(exp_minus(U256::from(1000) << BITS), U256::zero());
    }

    proptest! {
        /// Whole exponents have an exact answer.
        #[test]
        fn never_below_and_hardly_above_the_true_power(
            value: u64, base in 1..=u64::MAX, part in 0..=1_000_000u64, exponent in 1..=3u64,
        ) {
            let added = (u128::from(base) * u128::from(part) / 1000).min(u128::from(u64::MAX)) as u64;
            let found = shrink(value, base, added, exponent, 1);
            let sum = U256::from(base) + U256::from(added);
            let mut exact = U256::from(value) << 128;
            for _ in 0..exponent {
                // Three products of 192 and 64 bits.
                exact = exact / sum * U256::from(base);
            }
            let below = exact >> 128;
            prop_assert!(U256::from(found) >= below);
            prop_assert!(U256::from(found) <= (below + U256::from(2)).min(U256::from(value)));
        }
    }
}

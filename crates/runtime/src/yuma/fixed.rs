//! The arithmetic of the epoch: signed 64-bit fixed point with 32 fractional bits.
//!
//! Every node must get the same bits, so each operation states its rounding. Nothing here overflows
//! or panics: results that do not fit saturate, and a division by zero yields zero (the chain's
//! "safe division").
//!
//! The chain normalises stakes and the bonds moving average with 64 fractional bits (I64F64) and
//! then drops the lower 32. For whole non-negative numerators that is the same as one division with
//! 32 fractional bits that floors, since `floor(floor(a * 2^64 / b) / 2^32) = floor(a * 2^32 / b)`:
//! [`I32F32::from_ratio`] does it in one step. Likewise a share of an emission, which the chain
//! takes in I96F32, is one 128-bit product: [`I32F32::share_of`].

use std::iter::Sum;
use std::ops::{Add, Div, Mul, Sub};

const FRACTIONAL_BITS: u32 = 32;

/// A signed number with 32 integer and 32 fractional bits, saturating at both ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct I32F32(i64);

impl I32F32 {
    /// 0.
    pub const ZERO: Self = Self(0);
    /// 1.
    pub const ONE: Self = Self(1 << FRACTIONAL_BITS);
    /// 1/2.
    pub const HALF: Self = Self(1 << (FRACTIONAL_BITS - 1));
    /// `exp(1)` as the chain has it: e cut to 23 fractional bits, 2.718281745910645.
    const E: Self = Self(22_802_600 << 9);
    /// [`exp`](Self::exp) sums the terms of the series below this power.
    const EXP_TERMS: i32 = 32;

    /// The number whose representation is `bits`, that is `bits / 2^32`.
    pub const fn from_bits(bits: i64) -> Self {
        Self(bits)
    }

    /// A whole number, exact.
    pub const fn from_integer(value: i32) -> Self {
        Self((value as i64) << FRACTIONAL_BITS)
    }

    /// `numerator / denominator`, floored, saturating; zero when the denominator is zero.
    pub fn from_ratio(numerator: u64, denominator: u128) -> Self {
        let bits = (u128::from(numerator) << FRACTIONAL_BITS).checked_div(denominator);
        Self(i64::try_from(bits.unwrap_or(0)).unwrap_or(i64::MAX))
    }

    /// A stored `u16` read as a proportion, `value / 65535`, floored.
    pub fn from_u16_proportion(value: u16) -> Self {
        Self::from_ratio(value.into(), u16::MAX.into())
    }

    /// The proportion as stored on chain: `floor(self * 65535)`, clamped to `0..=65535`.
    pub fn to_u16_proportion(self) -> u16 {
        (self * Self::from(u16::MAX)).floor_to_u16()
    }

    /// The nearest whole number (halves go up), clamped to `0..=65535`.
    pub fn round_to_u16(self) -> u16 {
        (self + Self::HALF).floor_to_u16()
    }

    /// `floor(self * amount)`, clamped to a `u64`: the share of an emission in rao.
    pub fn share_of(self, amount: u64) -> u64 {
        let bits = u128::from(self.0.max(0).unsigned_abs());
        let product = (bits * u128::from(amount)) >> FRACTIONAL_BITS;
        u64::try_from(product).unwrap_or(u64::MAX)
    }

    /// `e^self`, the argument first clamped to -20..=20.
    ///
    /// The Taylor series of the absolute value up to the 31st power, inverted for a negative
    /// argument; `exp(1)` is a constant. Nothing saturates in that range: `e^20 < 2^29`, and the
    /// largest term times 20 is below `2^30`.
    pub fn exp(self) -> Self {
        const LIMIT: I32F32 = I32F32::from_integer(20);
        let x = self.min(LIMIT).max(Self::ZERO - LIMIT);
        if x == Self::ONE {
            return Self::E;
        }
        let magnitude = x.max(Self::ZERO - x);
        let mut term = magnitude;
        let mut result = Self::ONE + magnitude;
        for power in 2..Self::EXP_TERMS {
            term = term * magnitude / Self::from_integer(power);
            result = result + term;
        }
        if x < Self::ZERO {
            Self::ONE / result
        } else {
            result
        }
    }

    /// The value as it is when above zero, for cells that exist only while positive.
    pub fn positive(self) -> Option<Self> {
        (self > Self::ZERO).then_some(self)
    }

    fn floor_to_u16(self) -> u16 {
        (self.0 >> FRACTIONAL_BITS).clamp(0, u16::MAX.into()) as u16
    }

    /// The representation with as many fractional bits again, a dividend.
    fn widened(self) -> i128 {
        i128::from(self.0) << FRACTIONAL_BITS
    }

    fn saturate(bits: i128) -> Self {
        Self(bits.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }
}

impl From<u16> for I32F32 {
    /// A whole number, exact.
    fn from(value: u16) -> Self {
        Self::from_integer(value.into())
    }
}

impl Add for I32F32 {
    type Output = Self;

    /// Exact, saturating.
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for I32F32 {
    type Output = Self;

    /// Exact, saturating.
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Mul for I32F32 {
    type Output = Self;

    /// Rounds toward minus infinity, saturating.
    fn mul(self, other: Self) -> Self {
        Self::saturate((i128::from(self.0) * i128::from(other.0)) >> FRACTIONAL_BITS)
    }
}

impl Div for I32F32 {
    type Output = Self;

    /// Rounds toward zero, saturating; zero when the divisor is zero.
    fn div(self, other: Self) -> Self {
        let quotient = self.widened().checked_div(other.0.into());
        Self::saturate(quotient.unwrap_or(0))
    }
}

impl Sum for I32F32 {
    /// Exact, saturating at each addition.
    fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
        values.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAXIMUM: I32F32 = I32F32::from_bits(i64::MAX);
    const STEP: I32F32 = I32F32::from_bits(1);

    fn to_f64(value: I32F32) -> f64 {
        value.0 as f64 / I32F32::ONE.0 as f64
    }

    #[test]
    fn products_floor_and_quotients_truncate() {
        let minus_step = I32F32::ZERO - STEP;
        assert_eq!(STEP * I32F32::HALF, I32F32::ZERO);
        assert_eq!(minus_step * I32F32::HALF, minus_step);
        assert_eq!(minus_step / I32F32::from_integer(2), I32F32::ZERO);
        assert_eq!(I32F32::ONE / I32F32::ZERO, I32F32::ZERO);
        assert_eq!(I32F32::from_ratio(1, 0), I32F32::ZERO);
        assert_eq!(
            I32F32::from_ratio(2, 3),
            I32F32::from_bits(2 * (1 << 32) / 3)
        );
    }

    #[test]
    fn everything_saturates() {
        let minimum = I32F32::from_bits(i64::MIN);
        assert_eq!(MAXIMUM + STEP, MAXIMUM);
        assert_eq!(minimum - STEP, minimum);
        assert_eq!(MAXIMUM * MAXIMUM, MAXIMUM);
        assert_eq!(MAXIMUM * minimum, minimum);
        assert_eq!(minimum / (I32F32::ZERO - STEP), MAXIMUM);
        assert_eq!(I32F32::from_ratio(u64::MAX, 1), MAXIMUM);
        assert_eq!(MAXIMUM.share_of(u64::MAX), u64::MAX);
        assert_eq!(minimum.share_of(u64::MAX), 0);
        assert_eq!(MAXIMUM.round_to_u16(), u16::MAX);
        assert_eq!(minimum.to_u16_proportion(), 0);
    }

    #[test]
    fn shares_and_proportions_floor() {
        assert_eq!(
            I32F32::from_ratio(1, 3).share_of(1_000_000_000),
            333_333_333
        );
        assert_eq!(I32F32::ONE.share_of(u64::MAX), u64::MAX);
        assert_eq!(I32F32::from_u16_proportion(u16::MAX), I32F32::ONE);
        assert_eq!(I32F32::HALF.to_u16_proportion(), 32767);
        assert_eq!(I32F32::HALF.round_to_u16(), 1);
        assert_eq!((I32F32::HALF - STEP).round_to_u16(), 0);
    }

    #[test]
    fn exp_follows_the_series_within_its_clamp() {
        assert_eq!(I32F32::ZERO.exp(), I32F32::ONE);
        assert!((to_f64(I32F32::ONE.exp()) - 2.718281745910645).abs() < 1e-14);
        for tenths in (-100..=50).filter(|tenths| *tenths != 10) {
            let x = I32F32::from_integer(tenths) / I32F32::from_integer(10);
            assert!((to_f64(x.exp()) - to_f64(x).exp()).abs() < 1e-5, "{tenths}");
        }
        assert_eq!(MAXIMUM.exp(), I32F32::from_integer(20).exp());
        assert!(MAXIMUM.exp() < MAXIMUM);
        assert_eq!(
            (I32F32::ZERO - MAXIMUM).exp(),
            I32F32::from_integer(-20).exp()
        );
    }
}

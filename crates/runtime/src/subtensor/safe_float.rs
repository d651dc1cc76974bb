//! A decimal floating-point number with 21 digits, in which shares of stake are kept.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::U256;

/// A mantissa that is not zero stands above this ...
const ABOVE: u128 = 100_000_000_000_000_000_000;
/// ... and at most at this.
const AT_MOST: u128 = 1_000_000_000_000_000_000_000;
/// Digits gained for a quotient: 10^(21 + 21 + 34) still fits 256 bits.
const QUOTIENT_DIGITS: u32 = 34;
/// How far apart two exponents may be for both numbers to count in a sum: 10^(21 + 42) fits 256 bits.
const SUM_DIGITS: i64 = 42;

/// A number that is not negative: `mantissa x 10^exponent`, the mantissa above 10^20 and at most 10^21.
///
/// Zero is mantissa 0 and exponent 0. Digits that do not fit are cut off. Stored in the public chain's layout.
#[derive(
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
)]
pub struct SafeFloat {
    mantissa: u128,
    exponent: i64,
}

impl SafeFloat {
    /// Nothing.
    pub const ZERO: Self = Self {
        mantissa: 0,
        exponent: 0,
    };

    /// The number's digits.
    pub fn mantissa(&self) -> u128 {
        self.mantissa
    }

    /// The power of ten the digits are multiplied with.
    pub fn exponent(&self) -> i64 {
        self.exponent
    }

    /// Whether the number is zero. A stored number need not be normalised, so its mantissa decides.
    pub fn is_zero(&self) -> bool {
        self.mantissa == 0
    }

    fn normalised(mut mantissa: U256, mut exponent: i64) -> Self {
        if mantissa.is_zero() {
            return Self::ZERO;
        }
        while mantissa > U256::from(AT_MOST) {
            mantissa /= U256::from(10);
            exponent = exponent.saturating_add(1);
        }
        while mantissa <= U256::from(ABOVE) {
            mantissa *= U256::from(10);
            exponent = exponent.saturating_sub(1);
        }
        Self {
            mantissa: mantissa.low_u128(),
            exponent,
        }
    }

    /// Both mantissas at the lower of the two exponents; none if they are too far apart for the lower to count.
    fn aligned(high: Self, low: Self) -> Option<(U256, U256)> {
        let digits = high
            .exponent
            .checked_sub(low.exponent)
            .filter(|digits| (0..=SUM_DIGITS).contains(digits))?;
        let scale = U256::from(10).pow(U256::from(digits.unsigned_abs()));
        Some((U256::from(high.mantissa) * scale, U256::from(low.mantissa)))
    }

    /// The sum.
    pub fn plus(self, other: Self) -> Self {
        if self.is_zero() {
            return other;
        }
        if other.is_zero() {
            return self;
        }
        let (high, low) = if self.exponent >= other.exponent {
            (self, other)
        } else {
            (other, self)
        };
        Self::aligned(high, low).map_or(high, |(left, right)| {
            Self::normalised(left + right, low.exponent)
        })
    }

    /// The difference, zero if it would be negative.
    pub fn minus(self, other: Self) -> Self {
        if other.is_zero() {
            return self;
        }
        if self.exponent >= other.exponent {
            Self::aligned(self, other).map_or(self, |(left, right)| {
                Self::normalised(left.saturating_sub(right), other.exponent)
            })
        } else {
            Self::aligned(other, self).map_or(Self::ZERO, |(right, left)| {
                Self::normalised(left.saturating_sub(right), self.exponent)
            })
        }
    }

    /// `self x factor / divisor`, rounded down; zero if the divisor is zero.
    pub fn times_over(self, factor: Self, divisor: Self) -> Self {
        if divisor.is_zero() {
            return Self::ZERO;
        }
        let product = U256::from(self.mantissa) * U256::from(factor.mantissa);
        let digits = U256::from(10).pow(U256::from(QUOTIENT_DIGITS));
        let exponent = self
            .exponent
            .saturating_add(factor.exponent)
            .saturating_sub(divisor.exponent)
            .saturating_sub(i64::from(QUOTIENT_DIGITS));
        // The product of two mantissas is at most 10^42, and 10^(42 + 34) fits 256 bits.
        Self::normalised(product * digits / U256::from(divisor.mantissa), exponent)
    }

    /// The whole number below, at most `u64::MAX`.
    pub fn floor(self) -> u64 {
        let mut value = U256::from(self.mantissa);
        if self.exponent >= 0 {
            // A normalised mantissa alone exceeds u64.
            return if self.is_zero() { 0 } else { u64::MAX };
        }
        for _ in 0..self.exponent.unsigned_abs().min(u64::from(u8::MAX)) {
            value /= U256::from(10);
        }
        if value > U256::from(u64::MAX) {
            u64::MAX
        } else {
            value.low_u64()
        }
    }
}

impl From<u64> for SafeFloat {
    fn from(value: u64) -> Self {
        Self::normalised(U256::from(value), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mantissas_are_normalised_as_on_the_public_chain() {
        let parts = |value: u64| {
            (
                SafeFloat::from(value).mantissa,
                SafeFloat::from(value).exponent,
            )
        };
        assert_eq!(parts(0), (0, 0));
        // Powers of ten stand at the upper end of the range, which is closed.
        assert_eq!(parts(1), (AT_MOST, -21));
        assert_eq!(parts(1_000_000_000), (AT_MOST, -12));
        assert_eq!(parts(2), (2 * ABOVE, -20));
        assert_eq!(parts(u64::MAX), (184_467_440_737_095_516_150, -1));
    }

    #[test]
    fn the_layout_is_a_mantissa_and_an_exponent() {
        let bytes = SafeFloat::from(2).encode();
        assert_eq!(bytes, [(2 * ABOVE).encode(), (-20i64).encode()].concat());
        assert_eq!(SafeFloat::ZERO.encode(), [0; 24]);
    }

    #[test]
    fn far_apart_numbers_do_not_disturb_each_other() {
        let tiny = SafeFloat {
            mantissa: AT_MOST,
            exponent: -200,
        };
        let one = SafeFloat::from(1);
        assert_eq!(one.plus(tiny), one);
        assert_eq!(one.minus(tiny), one);
        assert_eq!(tiny.minus(one), SafeFloat::ZERO);
        assert_eq!(tiny.floor(), 0);
        assert_eq!(
            SafeFloat {
                mantissa: AT_MOST,
                exponent: i64::MIN
            }
            .floor(),
            0
        );
        assert_eq!(
            SafeFloat {
                mantissa: AT_MOST,
                exponent: i64::MAX
            }
            .floor(),
            u64::MAX
        );
    }

    #[test]
    fn a_quotient_by_zero_is_zero() {
        assert_eq!(
            SafeFloat::from(7).times_over(SafeFloat::from(7), SafeFloat::ZERO),
            SafeFloat::ZERO
        );
    }

    proptest! {
        #[test]
        fn whole_numbers_survive(value: u64) {
            prop_assert_eq!(SafeFloat::from(value).floor(), value);
        }

        #[test]
        fn sums_and_differences_of_whole_numbers_are_exact(a in 0..=u64::MAX / 2, b in 0..=u64::MAX / 2) {
            let (x, y) = (SafeFloat::from(a), SafeFloat::from(b));
            prop_assert_eq!(x.plus(y).floor(), a + b);
            prop_assert_eq!(x.plus(y), y.plus(x));
            prop_assert_eq!(x.minus(y).floor(), a.saturating_sub(b));
        }

        #[test]
        fn quotients_are_rounded_down_within_a_digit(a: u64, b: u64, c in 1..u64::MAX) {
            let exact = u128::from(a) * u128::from(b) / u128::from(c);
            prop_assume!(exact <= u128::from(u64::MAX));
            let found = SafeFloat::from(a).times_over(SafeFloat::from(b), SafeFloat::from(c)).floor();
            prop_assert_eq!(u128::from(found), exact);
        }

        #[test]
        fn what_is_stored_is_always_in_range(a: u64, b: u64, c: u64) {
            let number = SafeFloat::from(a).times_over(SafeFloat::from(b), SafeFloat::from(c)).plus(SafeFloat::from(b));
            prop_assert!(number.is_zero() || (number.mantissa > ABOVE && number.mantissa <= AT_MOST));
        }
    }
}

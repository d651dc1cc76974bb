//! Amounts of TAO and alpha as people write them, exact to the last rao.

use std::fmt;
use std::str::FromStr;

/// Digits after the point: one TAO is 10^9 rao.
const DECIMALS: usize = 9;

/// An amount in rao, written in TAO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(pub u64);

impl Amount {
    /// One TAO.
    pub const ONE: Self = Self(1_000_000_000);

    /// This amount of alpha in TAO at a price in rao per alpha, rounded down.
    pub fn at_price(self, price: u64) -> Self {
        let worth = u128::from(self.0) * u128::from(price) / u128::from(Self::ONE.0);
        Self(u64::try_from(worth).unwrap_or(u64::MAX))
    }

    /// This and `fraction` of it more, rounded down.
    pub fn raised(self, fraction: Self) -> Self {
        Self(self.0.saturating_add(self.at_price(fraction.0).0))
    }

    /// This less `fraction` of it, rounded up.
    pub fn lowered(self, fraction: Self) -> Self {
        Self(self.0.saturating_sub(self.at_price(fraction.0).0))
    }
}

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Something else than digits and one point.
    #[error("an amount is a number such as 12 or 0.5")]
    NotANumber,
    /// Parts of a rao.
    #[error("an amount has at most nine digits after the point")]
    TooFine,
    /// More than there can be.
    #[error("there is not as much")]
    TooLarge,
}

impl FromStr for Amount {
    type Err = AmountError;

    fn from_str(text: &str) -> Result<Self, AmountError> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && part.is_empty()) || !digits(whole) || !digits(part) {
            return Err(AmountError::NotANumber);
        }
        if part.len() > DECIMALS {
            return Err(AmountError::TooFine);
        }
        let whole = match whole {
            "" => 0,
            whole => whole.parse().map_err(|_| AmountError::TooLarge)?,
        };
        let part: u64 = format!("{part:0<DECIMALS$}")
            .parse()
            .map_err(|_| AmountError::NotANumber)?;
        Self::ONE
            .0
            .checked_mul(whole)
            .and_then(|rao| rao.checked_add(part))
            .map(Self)
            .ok_or(AmountError::TooLarge)
    }
}

impl fmt::Display for Amount {
    /// All digits that count, and none that do not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / Self::ONE.0, self.0 % Self::ONE.0);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let part = format!("{part:0DECIMALS$}");
        write!(f, "{whole}.{}", part.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (text, rao) in [
            ("0", 0),
            ("1", 1_000_000_000),
            ("0.000000001", 1),
            ("12.5", 12_500_000_000),
            ("18446744073.709551615", u64::MAX),
        ] {
            assert_eq!(text.parse(), Ok(Amount(rao)));
            assert_eq!(Amount(rao).to_string(), text);
        }
        assert_eq!(".5".parse(), Ok(Amount(500_000_000)));
        assert_eq!("5.".parse(), Ok(Amount(5_000_000_000)));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", ".", "-1", "1e9", "1,5", "0x1", "+1", " 1", "1.2.3"] {
            assert_eq!(
                text.parse::<Amount>(),
                Err(AmountError::NotANumber),
                "{text}"
            );
        }
        assert_eq!("0.0000000001".parse::<Amount>(), Err(AmountError::TooFine));
        for text in ["18446744073.709551616", "99999999999999999999999"] {
            assert_eq!(text.parse::<Amount>(), Err(AmountError::TooLarge));
        }
    }

    #[test]
    fn tolerances_widen_a_price() {
        let price = Amount(250_000_000);
        let half_a_percent = Amount(5_000_000);
        assert_eq!(price.raised(half_a_percent), Amount(251_250_000));
        assert_eq!(price.lowered(half_a_percent), Amount(248_750_000));
        assert_eq!(Amount(u64::MAX).raised(half_a_percent), Amount(u64::MAX));
        assert_eq!(Amount(2_000_000_000).at_price(price.0), Amount(500_000_000));
    }
}

//! The mathematics of a subnet's pool: what a trade yields, and how much can be traded up to a price.
//!
//! A pool holds y TAO and x of the subnet's token with weights w_tao + w_alpha = 1, and keeps y^w_tao x^w_alpha from
//! falling: a trade's output is always rounded down. With equal weights that is the constant product, exact in
//! integers. The module knows neither storage nor accounts.

use super::power::shrink;
use sp_core::U256;
use sp_runtime::{PerThing, Perquintill};

/// What a reserve must not fall below by a trade, in rao or units of the token.
pub const MINIMUM_RESERVE: u64 = 1_000_000;
/// A trade's input is at most this many times the reserve it is added to.
const MAX_INPUT: u64 = 1000;
/// The weight of either side is at least this many hundredths.
const MIN_WEIGHT: u64 = 1;
/// One TAO in rao, and one unit of a token in its smallest parts.
const UNIT: u64 = 1_000_000_000;

/// A pool of TAO and a subnet's token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The reserve of TAO, in rao.
    pub tao: u64,
    /// The reserve of the subnet's token.
    pub alpha: u64,
    /// The weight of the TAO side; the other side has the rest.
    pub quote: Perquintill,
    /// The part of an input that is taken as fee, over 65535.
    pub fee_rate: u16,
}

/// What a trade yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// What is received.
    pub output: u64,
    /// The part of the input that bought nothing.
    pub fee: u64,
    /// The pool after the trade. It keeps the fee.
    pub after: Pool,
}

/// Why a trade is impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SwapError {
    /// The input is more than 1000 times the reserve, or the reserve would overflow.
    #[error("the input is too large for the pool; trade less at once")]
    InputTooLarge,
    /// A reserve is below its minimum or would be after the trade.
    #[error("the pool would hold less than {MINIMUM_RESERVE} of one side; trade less")]
    ReservesTooLow,
    /// One side weighs less than a hundredth.
    #[error("the pool's weights are out of balance")]
    OutOfBalance,
}

impl Pool {
    /// What an amount of TAO, in rao, buys of the token.
    ///
    /// # Errors
    /// When the pool's limits forbid the trade.
    pub fn buy(self, tao: u64) -> Result<Trade, SwapError> {
        let (w_tao, w_alpha) = self.weights();
        let (output, fee) = self.output(tao, (self.tao, w_tao), (self.alpha, w_alpha))?;
        let after = Self {
            tao: self.tao.saturating_add(tao),
            alpha: self.alpha.saturating_sub(output),
            ..self
        };
        Ok(Trade { output, fee, after })
    }

    /// What an amount of the token yields in rao.
    ///
    /// # Errors
    /// When the pool's limits forbid the trade.
    pub fn sell(self, alpha: u64) -> Result<Trade, SwapError> {
        let (w_tao, w_alpha) = self.weights();
        let (output, fee) = self.output(alpha, (self.alpha, w_alpha), (self.tao, w_tao))?;
        let after = Self {
            tao: self.tao.saturating_sub(output),
            alpha: self.alpha.saturating_add(alpha),
            ..self
        };
        Ok(Trade { output, fee, after })
    }

    /// The price of the token, (w_alpha / w_tao) (y / x) TAO, times a scale and rounded down. 0 for an empty pool.
    pub fn price(self, scale: u128) -> u128 {
        let (value, tokens) = self.sides();
        (value * U256::from(scale))
            .checked_div(tokens)
            .map_or(0, |price| u128::try_from(price).unwrap_or(u128::MAX))
    }

    /// The most rao that can be given for the token before its price is above a limit in rao, and before the pool's
    /// own limits are met.
    pub fn most_to_buy(self, limit_price: u64) -> u64 {
        most(|tao| {
            self.buy(tao).is_ok_and(|trade| {
                let (value, tokens) = trade.after.sides();
                value * U256::from(UNIT) <= tokens * U256::from(limit_price)
            })
        })
    }

    /// The most of the token that can be given before its price is below a limit in rao, and before the pool's own
    /// limits are met.
    pub fn most_to_sell(self, limit_price: u64) -> u64 {
        most(|alpha| {
            self.sell(alpha).is_ok_and(|trade| {
                let (value, tokens) = trade.after.sides();
                value * U256::from(UNIT) >= tokens * U256::from(limit_price)
            })
        })
    }

    /// The weights of the TAO side and the token's side, in parts of 10^18.
    fn weights(self) -> (u64, u64) {
        let quote = self.quote.deconstruct();
        (quote, Perquintill::ACCURACY.saturating_sub(quote))
    }

    /// The two numbers whose quotient is the price: at most 124 bits each.
    fn sides(self) -> (U256, U256) {
        let (w_tao, w_alpha) = self.weights();
        (
            U256::from(w_alpha) * U256::from(self.tao),
            U256::from(w_tao) * U256::from(self.alpha),
        )
    }

    /// A trade's output and fee; each side is a reserve and its weight.
    fn output(self, input: u64, from: (u64, u64), to: (u64, u64)) -> Result<(u64, u64), SwapError> {
        let least_weight = Perquintill::ACCURACY / 100 * MIN_WEIGHT;
        if from.1.min(to.1) < least_weight {
            return Err(SwapError::OutOfBalance);
        }
        if from.0.min(to.0) < MINIMUM_RESERVE {
            return Err(SwapError::ReservesTooLow);
        }
        if input > from.0.saturating_mul(MAX_INPUT) || input > u64::MAX - from.0 {
            return Err(SwapError::InputTooLarge);
        }
        // At most the input, because the rate is over the most it can be.
        let fee = (u128::from(input) * u128::from(self.fee_rate) / u128::from(u16::MAX)) as u64;
        let paid = input.saturating_sub(fee);
        let output = if from.1 == to.1 {
            let product = u128::from(to.0) * u128::from(paid);
            // Less than the reserve, because the fraction is below 1.
            (product / (u128::from(from.0) + u128::from(paid))) as u64
        } else {
            to.0.saturating_sub(shrink(to.0, from.0, paid, from.1, to.1))
        };
        if to.0.saturating_sub(output) < MINIMUM_RESERVE {
            return Err(SwapError::ReservesTooLow);
        }
        Ok((output, fee))
    }
}

/// The largest amount a monotone condition holds for; 0 if it holds for none.
pub(crate) fn most(holds: impl Fn(u64) -> bool) -> u64 {
    if holds(u64::MAX) {
        return u64::MAX;
    }
    let (mut low, mut high) = (0, u64::MAX);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

//! Who has staked what.

use std::collections::BTreeSet;

use agon_keys::AccountId;
use serde::Serialize;
use subxt::ext::scale_decode::DecodeAsType;

use crate::state::SUBTENSOR;
use crate::{ChainState, ReadError};

/// A coldkey's stake on one hotkey in one subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stake {
    /// The hotkey.
    pub hotkey: AccountId,
    /// The subnet; 0 is root.
    pub netuid: u16,
    /// How much, in rao of the subnet's alpha (of TAO on root).
    pub alpha: u64,
}

/// `mantissa * 10^exponent`.
#[derive(Clone, Copy, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct SafeFloat {
    mantissa: u128,
    exponent: i64,
}

/// Hotkey, coldkey and netuid.
type ShareKey = ([u8; 32], [u8; 32], u16);

impl ChainState {
    /// What a hotkey's owner takes of the dividends of those who stake on it, in parts of 65535.
    ///
    /// # Errors
    /// As every read.
    pub async fn delegate_take(&self, hotkey: AccountId) -> Result<u16, ReadError> {
        self.read(SUBTENSOR, "Delegates", (hotkey.0,)).await
    }

    /// All stake of a coldkey, by netuid, then by hotkey; what is worth nothing is left out.
    ///
    /// # Errors
    /// As every read.
    pub async fn stakes(&self, coldkey: AccountId) -> Result<Vec<Stake>, ReadError> {
        let staking: Vec<[u8; 32]> = self.read(SUBTENSOR, "StakingHotkeys", (coldkey.0,)).await?;
        let hotkeys: BTreeSet<[u8; 32]> = staking.into_iter().collect();
        let mut shares = Vec::new();
        for hotkey in hotkeys {
            let parts: Vec<(ShareKey, SafeFloat)> = self
                .pairs(SUBTENSOR, "AlphaV2", (hotkey, coldkey.0))
                .await?;
            let parts = parts.into_iter();
            shares.extend(parts.map(|((_, _, netuid), share)| (hotkey, netuid, share)));
        }
        let places: Vec<_> = shares
            .iter()
            .map(|&(key, netuid, _)| (key, netuid))
            .collect();
        let (totals, denominators) = tokio::try_join!(
            self.many::<_, u64>(SUBTENSOR, "TotalHotkeyAlpha", places.clone()),
            self.many::<_, SafeFloat>(SUBTENSOR, "TotalHotkeySharesV2", places),
        )?;
        let mut stakes: Vec<Stake> = shares
            .into_iter()
            .zip(totals.into_iter().zip(denominators))
            .map(|((hotkey, netuid, share), (total, denominator))| Stake {
                hotkey: AccountId(hotkey),
                netuid,
                alpha: part(total, share, denominator),
            })
            .filter(|stake| stake.alpha > 0)
            .collect();
        stakes.sort_by_key(|stake| (stake.netuid, stake.hotkey));
        Ok(stakes)
    }

    /// What a coldkey has staked on a hotkey in a subnet, in rao of its alpha.
    ///
    /// # Errors
    /// As every read.
    pub async fn stake_of(
        &self,
        netuid: u16,
        hotkey: AccountId,
        coldkey: AccountId,
    ) -> Result<u64, ReadError> {
        let place = (hotkey.0, netuid);
        let (share, total, denominator) = tokio::try_join!(
            self.read::<_, SafeFloat>(SUBTENSOR, "AlphaV2", (hotkey.0, coldkey.0, netuid)),
            self.read::<_, u64>(SUBTENSOR, "TotalHotkeyAlpha", place),
            self.read::<_, SafeFloat>(SUBTENSOR, "TotalHotkeySharesV2", place),
        )?;
        Ok(part(total, share, denominator))
    }
}

/// `floor(total * share / denominator)`, and never more than `total`: the worth of a share in a
/// pool. Mantissas are below 2^70, as the chain keeps them; anything else is worth nothing.
fn part(total: u64, share: SafeFloat, denominator: SafeFloat) -> u64 {
    const CEILING: u128 = 1 << 70;
    let (least, most) = match share.mantissa < denominator.mantissa {
        true => (share.mantissa, denominator.mantissa),
        false => (denominator.mantissa, share.mantissa),
    };
    if least == 0 || most >= CEILING {
        return 0;
    }
    let Some(smaller) = denominator.exponent.checked_sub(share.exponent) else {
        return 0;
    };
    // A share is at most its pool, so its exponent is higher by one at the very most.
    let mantissa = match smaller {
        -1 => share.mantissa * 10,
        0.. => share.mantissa,
        _ => return total,
    };
    // total * mantissa / denominator in two digits of base 2^32: no step passes 128 bits.
    let (high, low) = (u128::from(total >> 32), u128::from(total & 0xffff_ffff));
    let rest = high * mantissa % denominator.mantissa;
    let high = high * mantissa / denominator.mantissa;
    let low = ((rest << 32) + low * mantissa) / denominator.mantissa;
    let whole = (high << 32).saturating_add(low);
    let scale = u32::try_from(smaller.max(0))
        .ok()
        .and_then(|power| 10_u128.checked_pow(power));
    let worth = scale.map_or(0, |scale| whole / scale);
    u64::try_from(worth).map_or(total, |worth| worth.min(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float(mantissa: u128, exponent: i64) -> SafeFloat {
        SafeFloat { mantissa, exponent }
    }

    #[test]
    fn a_share_is_worth_its_part_of_the_pool() {
        const ONE: u128 = 1_000_000_000_000_000_000_000;
        let all = float(ONE, -12);
        assert_eq!(part(u64::MAX, all, all), u64::MAX);
        assert_eq!(part(1_000, float(ONE / 2, -12), all), 500);
        // The same number with another exponent.
        assert_eq!(part(1_000, float(5 * ONE / 10, -12), all), 500);
        assert_eq!(part(1_000, float(ONE, -13), all), 100);
        // A mantissa that is larger than its pool's by its exponent.
        let pool = float(ONE / 5, -11);
        assert_eq!(part(3_000, float(ONE, -12), pool), 1_500);
        assert_eq!(part(900, float(ONE / 10 + 1, -10), float(ONE, -11)), 900);
        // Rounded down.
        assert_eq!(part(100, float(ONE / 3, -12), all), 33);
        assert_eq!(part(u64::MAX, float(ONE, -32), all), 0);
        assert_eq!(part(u64::MAX, float(0, 0), all), 0);
    }

    #[test]
    fn no_number_of_a_chain_breaks_the_reckoning() {
        let extremes = [0, 1, u128::MAX, (1 << 70) - 1];
        for mantissa in extremes {
            for denominator in extremes {
                for exponent in [i64::MIN, -1, 0, 1, 300, i64::MAX] {
                    let share = float(mantissa, exponent);
                    assert!(part(u64::MAX - 1, share, float(denominator, 0)) < u64::MAX);
                }
            }
        }
    }
}

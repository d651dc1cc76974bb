//! When blocks were made, from the blocks themselves: nodes keep them when they throw the state away.

use std::time::Duration;

use codec::{Compact, Decode};

use crate::{ChainState, ReadError};

const TIMESTAMP: &str = "Timestamp";

impl ChainState {
    /// The time of this block or of one before it, since 1970; `None` for the first block, which has none.
    ///
    /// # Errors
    /// As every read, and when the node no longer has the block.
    pub async fn time_of(&self, number: u64) -> Result<Option<Duration>, ReadError> {
        let pallet = self.at.metadata_ref().pallet_by_name(TIMESTAMP);
        let call = pallet.as_ref().and_then(|pallet| {
            let set = pallet.call_variant_by_name("set")?;
            Some([pallet.call_index(), set.index])
        });
        let Some(call) = call else {
            return Ok(None);
        };
        let (_, body) = self.body(number).await?;
        Ok(body.iter().find_map(|extrinsic| moment(extrinsic, call)))
    }

    /// The last block, up to this one, that was made at `time` (since 1970) or before.
    ///
    /// # Errors
    /// As every read, and when the node no longer has the blocks of that time.
    pub async fn last_block_at(&self, time: Duration) -> Result<u64, ReadError> {
        // Never later than `time` and always later, and always next to each other in the end.
        let (mut before, mut after) = (0, self.number() + 1);
        let mut step = 1;
        while after - before > 1 {
            // Backwards in steps that grow, then by halves.
            let middle = match before {
                0 => (after - 1).saturating_sub(step - 1).max(1),
                before => before + (after - before) / 2,
            };
            step *= 2;
            match self.time_of(middle).await? {
                Some(made) if made > time => after = middle,
                _ => before = middle,
            }
        }
        Ok(before)
    }
}

/// The time that an extrinsic sets, in milliseconds, if it is the unsigned call with these indices.
fn moment(mut extrinsic: &[u8], call: [u8; 2]) -> Option<Duration> {
    /// Bare extrinsics of version 4 and 5.
    const BARE: [u8; 2] = [4, 5];
    let length = Compact::<u32>::decode(&mut extrinsic).ok()?.0;
    let (version, rest) = extrinsic.split_first()?;
    if usize::try_from(length).ok()? != extrinsic.len() || !BARE.contains(version) {
        return None;
    }
    let mut moment = rest.strip_prefix(&call)?;
    let milliseconds = Compact::<u64>::decode(&mut moment).ok()?.0;
    moment
        .is_empty()
        .then_some(Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use codec::Encode;

    use super::*;

    #[test]
    fn the_moment_is_read_of_the_bare_call_alone() {
        let extrinsic = |parts: &[&[u8]]| parts.concat().encode();
        let moment_of = |parts: &[&[u8]]| moment(&extrinsic(parts), [2, 0]);
        let time = Compact(1_700_000_000_123u64).encode();
        let expected = Some(Duration::from_millis(1_700_000_000_123));
        assert_eq!(moment_of(&[&[4, 2, 0], &time]), expected);
        assert_eq!(moment_of(&[&[5, 2, 0], &time]), expected);
        for other in [&[0x84, 2, 0][..], &[4, 2, 1], &[4, 3, 0]] {
            assert_eq!(moment_of(&[other, &time]), None);
        }
        assert_eq!(moment_of(&[&[4, 2, 0], &time, b"x"]), None);
        let whole = extrinsic(&[&[4, 2, 0], &time]);
        for length in 0..whole.len() {
            assert_eq!(moment(&whole[..length], [2, 0]), None, "{length}");
        }
    }
}

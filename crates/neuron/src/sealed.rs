//! What hotkeys publish now and show later: commitments sealed to a round of the chain's randomness beacon, which the
//! chain itself opens when the round has come.
//!
//! The form is that of the public clients: a SCALE list of bytes, sealed. Until it is opened nobody can read it, whoever
//! committed included; afterwards nobody can take it back.

use std::time::Duration;

use agon_keys::AccountId;
use agon_timelock::{Beacon, Ciphertext};
use codec::{Decode, Encode};
use subxt::dynamic::{At, Value};
use subxt::ext::scale_value::{Primitive, ValueDef};

use crate::commit::{now, round_after, seal};
use crate::commitments::{Registration, first_field};
use crate::{Call, ChainState, DataTooLong, NoRandomness, ReadError};

/// The most bytes of a cipher text that the chain stores in a commitment.
const MAX_CIPHERTEXT: usize = 1024;

/// A hotkey's newest commitment in a subnet, if it is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedCommitment {
    /// Who committed.
    pub hotkey: AccountId,
    /// The block in which it was set.
    pub block: u64,
    /// The beacon's round that opens it.
    pub round: u64,
}

/// A commitment that was sealed and that the chain has opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevealedCommitment {
    /// Who committed.
    pub hotkey: AccountId,
    /// The block in which it was opened.
    pub block: u64,
    /// What was sealed.
    pub data: Vec<u8>,
}

/// Why a commitment cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// More than the chain stores.
    #[error(transparent)]
    TooLong(#[from] DataTooLong),
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

impl Call {
    /// The most bytes that [`Call::set_sealed_commitment`] takes.
    pub const MAX_SEALED_COMMITMENT: usize = MAX_CIPHERTEXT - Ciphertext::OVERHEAD - 2;

    /// Publishes `data` sealed to `round` of the beacon, replacing the signer's commitment in the subnet. By the
    /// hotkey.
    ///
    /// # Errors
    /// When there are more than [`Call::MAX_SEALED_COMMITMENT`] bytes, or no random bytes.
    pub fn set_sealed_commitment(
        netuid: u16,
        data: &[u8],
        beacon: &Beacon,
        round: u64,
    ) -> Result<Self, SealError> {
        if data.len() > Self::MAX_SEALED_COMMITMENT {
            return Err(SealError::TooLong(DataTooLong {
                length: data.len(),
                max: Self::MAX_SEALED_COMMITMENT,
            }));
        }
        let sealed = seal(&beacon.public_key, round, &data.encode())?;
        let field = Value::named_variant(
            "TimelockEncrypted",
            [
                ("encrypted", Value::from_bytes(sealed.to_bytes())),
                ("reveal_round", round.into()),
            ],
        );
        Ok(Self::set_commitment_field(netuid, field))
    }
}

impl ChainState {
    /// The round to seal to that is published about `blocks` blocks of `block_time` from now.
    pub fn round_after(&self, beacon: &Beacon, blocks: u64, block_time: Duration) -> u64 {
        let blocks = u32::try_from(blocks).unwrap_or(u32::MAX);
        round_after(beacon, now(), block_time.saturating_mul(blocks))
    }

    /// The commitments in a subnet whose first field is sealed, by hotkey.
    ///
    /// # Errors
    /// When the node cannot be reached, does not answer, or there are more than any subnet has.
    pub async fn sealed_commitments(
        &self,
        netuid: u16,
    ) -> Result<Vec<SealedCommitment>, ReadError> {
        let stored = self.stored_commitments(netuid).await?;
        let mut sealed: Vec<_> = stored
            .into_iter()
            .filter_map(|(hotkey, Registration { block, info })| {
                let round = reveal_round(&info)?;
                Some(SealedCommitment {
                    hotkey,
                    block,
                    round,
                })
            })
            .collect();
        sealed.sort_by_key(|commitment| commitment.hotkey);
        Ok(sealed)
    }

    /// The sealed commitments in a subnet that were opened, of each hotkey the last few, by block and hotkey.
    ///
    /// # Errors
    /// As [`ChainState::sealed_commitments`].
    pub async fn revealed_commitments(
        &self,
        netuid: u16,
    ) -> Result<Vec<RevealedCommitment>, ReadError> {
        type Texts = Vec<(Vec<u8>, u64)>;
        let stored: Vec<((u16, [u8; 32]), Texts)> = self
            .pairs("Commitments", "RevealedCommitments", (netuid,))
            .await?;
        let mut revealed: Vec<_> = stored
            .into_iter()
            .flat_map(|((_, hotkey), texts)| {
                texts.into_iter().map(move |(text, block)| {
                    let hotkey = AccountId(hotkey);
                    let data = unwrap(text);
                    RevealedCommitment {
                        hotkey,
                        block,
                        data,
                    }
                })
            })
            .collect();
        revealed.sort_by_key(|commitment| (commitment.block, commitment.hotkey));
        Ok(revealed)
    }
}

/// The round of a `CommitmentInfo` whose first field is sealed.
fn reveal_round(info: &Value) -> Option<u64> {
    let field = first_field(info).filter(|field| field.name == "TimelockEncrypted")?;
    match field.values.at("reveal_round")?.value {
        ValueDef::Primitive(Primitive::U128(round)) => u64::try_from(round).ok(),
        _ => None,
    }
}

/// What the public clients seal is a list with its length; another text is taken as it is.
fn unwrap(text: Vec<u8>) -> Vec<u8> {
    let mut input = &text[..];
    match Vec::decode(&mut input) {
        Ok(data) if input.is_empty() => data,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_taken_off_where_there_is_one() {
        for data in [&b""[..], b"hello", &[7; 700]] {
            assert_eq!(unwrap(data.encode()), data);
        }
        // Not the whole text, or more than it.
        for text in [&b""[..], b"hello", b"\x08abc"] {
            assert_eq!(unwrap(text.to_vec()), text);
        }
    }

    #[test]
    fn what_is_too_long_is_refused_and_the_longest_fits() {
        let beacon = Beacon::quicknet();
        let longest = [1; Call::MAX_SEALED_COMMITMENT];
        let sealed = seal(&beacon.public_key, 9, &longest[..].encode()).unwrap();
        assert_eq!(sealed.to_bytes().len(), MAX_CIPHERTEXT);
        assert!(Call::set_sealed_commitment(1, &longest, &beacon, 9).is_ok());
        let longer = [1; Call::MAX_SEALED_COMMITMENT + 1];
        let error = Call::set_sealed_commitment(1, &longer, &beacon, 9).unwrap_err();
        assert!(error.to_string().contains("778"), "{error}");
    }
}

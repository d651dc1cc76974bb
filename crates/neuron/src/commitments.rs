//! What hotkeys have published, and in which order.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use agon_keys::AccountId;
use codec::{Compact, Decode};
use futures::{StreamExt, stream};
use subxt::dynamic::{At, Value};
use subxt::ext::scale_decode::DecodeAsType;
use subxt::ext::scale_value::{Composite, Primitive, ValueDef, Variant};

use crate::{Call, ChainState, ReadError};

/// The most bytes of data that are taken from one commitment; the chain allows fewer.
const MAX_DATA: usize = 4096;

/// How many blocks are fetched at the same time.
const BLOCKS_AT_ONCE: usize = 8;

/// How many places are remembered before all are forgotten.
const MAX_PLACEMENTS: usize = 65_536;

/// Which extrinsic of a block set a commitment: by block, hotkey and netuid. Finalised blocks do
/// not change, so a place once found is remembered and the block is not fetched again.
pub(crate) type Placements = BTreeMap<(u64, AccountId, u16), u32>;

/// The newest commitment of one hotkey in a subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// Who committed.
    pub hotkey: AccountId,
    /// The block in which it was set.
    pub block: u64,
    /// The index in that block of the extrinsic that set it; `None` if it cannot be found: the
    /// node has thrown the block away, or another account submitted it for the hotkey.
    pub extrinsic_index: Option<u32>,
    /// The bytes of the first field.
    pub data: Vec<u8>,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub(crate) struct Registration {
    pub(crate) block: u64,
    pub(crate) info: Value,
}

impl ChainState {
    /// The commitments in a subnet at this block, earliest first: by block, by extrinsic (unknown
    /// ones last in their block), then by hotkey. Commitments whose first field holds no plain
    /// bytes (hashes, time-locked texts) are left out. Hotkeys that have lost their uid may still
    /// have one.
    ///
    /// # Errors
    /// When the node cannot be reached, does not answer, or there are more than any subnet has.
    pub async fn commitments(&self, netuid: u16) -> Result<Vec<Commitment>, ReadError> {
        let stored = self.stored_commitments(netuid).await?.into_iter();
        let stored: Vec<_> = stored
            .filter_map(|(hotkey, registration)| {
                let data = plain_bytes(&registration.info)?;
                Some((hotkey, registration, data))
            })
            .collect();

        let places = self.placements(netuid, &stored).await?;
        let mut commitments: Vec<Commitment> = stored
            .into_iter()
            .map(|(hotkey, registration, data)| Commitment {
                hotkey,
                block: registration.block,
                extrinsic_index: places.get(&(registration.block, hotkey, netuid)).copied(),
                data,
            })
            .collect();
        commitments.sort_by_key(|commitment| {
            let index = commitment.extrinsic_index.unwrap_or(u32::MAX);
            (commitment.block, index, commitment.hotkey)
        });
        Ok(commitments)
    }

    /// All that hotkeys have published in a subnet, as the chain keeps it, by encoded key.
    pub(crate) async fn stored_commitments(
        &self,
        netuid: u16,
    ) -> Result<Vec<(AccountId, Registration)>, ReadError> {
        let stored: Vec<((u16, [u8; 32]), Registration)> =
            self.pairs("Commitments", "CommitmentOf", (netuid,)).await?;
        let stored = stored.into_iter();
        Ok(stored
            .map(|((_, hotkey), registration)| (AccountId(hotkey), registration))
            .collect())
    }

    /// Finds the extrinsics that set these commitments.
    async fn placements(
        &self,
        netuid: u16,
        stored: &[(AccountId, Registration, Vec<u8>)],
    ) -> Result<Placements, ReadError> {
        let memory = self.client.placements();
        let remembered = |key: &(u64, AccountId, u16)| {
            let memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.get(key).copied()
        };
        let mut places = Placements::new();
        let mut missing: BTreeMap<u64, Vec<(AccountId, Vec<u8>)>> = BTreeMap::new();
        for (hotkey, registration, _) in stored {
            let key = (registration.block, *hotkey, netuid);
            if let Some(index) = remembered(&key) {
                places.insert(key, index);
                continue;
            }
            let call = Call::set_commitment_info(netuid, registration.info.clone());
            let encoded = self
                .at
                .transactions()
                .call_data(&call.payload())
                .map_err(|error| self.connection.failure("Commitments.set_commitment", error))?;
            let wanted = missing.entry(registration.block).or_default();
            wanted.push((*hotkey, encoded));
        }

        let mut blocks = stream::iter(missing)
            .map(|(block, wanted)| async move { (block, wanted, self.body(block).await) })
            .buffer_unordered(BLOCKS_AT_ONCE);
        while let Some((block, wanted, body)) = blocks.next().await {
            let (_, body) = match body {
                Ok(body) => body,
                // A block that the node has thrown away costs the order of its commitments, not
                // the round. Any other trouble must: guessed orders would divide the validators.
                Err(ReadError::NoSuchBlock { .. }) => {
                    tracing::warn!(block, netuid, "the order of a block's commitments is lost");
                    continue;
                }
                Err(error) => return Err(error),
            };
            for (hotkey, call) in wanted {
                if let Some(index) = place(&body, &hotkey, &call) {
                    places.insert((block, hotkey, netuid), index);
                }
            }
        }

        let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.len() + places.len() > MAX_PLACEMENTS {
            memory.clear();
        }
        memory.extend(&places);
        Ok(places)
    }
}

/// The index of the last extrinsic in a block that is signed by `signer` and contains `call`.
///
/// The encoded call is searched for in the extrinsic's bytes, not by decoding the extrinsic: that
/// finds it in a batch however deep, and a stranger's block full of nested calls costs neither
/// memory nor stack. Somebody may place the same bytes elsewhere in a later extrinsic of the same
/// block, but that only makes the own commitment look later than it is.
fn place(body: &[Vec<u8>], signer: &AccountId, call: &[u8]) -> Option<u32> {
    let found = body.iter().rposition(|extrinsic| {
        let contains = |after_signer: &[u8]| after_signer.windows(call.len()).any(|w| w == call);
        after_signer(extrinsic, signer).is_some_and(contains)
    });
    found.and_then(|index| u32::try_from(index).ok())
}

/// What follows the signer's address in an extrinsic (version 4) that `signer` has signed.
pub(crate) fn after_signer<'a>(mut extrinsic: &'a [u8], signer: &AccountId) -> Option<&'a [u8]> {
    const SIGNED_V4: u8 = 0x84;
    const ADDRESS_IS_ID: u8 = 0;
    let length = Compact::<u32>::decode(&mut extrinsic).ok()?.0;
    if usize::try_from(length).ok()? != extrinsic.len() {
        return None;
    }
    let rest = extrinsic.strip_prefix(&[SIGNED_V4, ADDRESS_IS_ID])?;
    rest.strip_prefix(&signer.0)
}

/// The first field of a `CommitmentInfo`, a variant.
pub(crate) fn first_field(info: &Value) -> Option<&Variant<()>> {
    let mut field = info.at("fields")?;
    // Some runtimes wrap the list, and BoundedVec is itself a wrapper.
    for _ in 0..4 {
        if let ValueDef::Variant(variant) = &field.value {
            return Some(variant);
        }
        field = field.at(0)?;
    }
    None
}

/// The bytes of the first field, if it is `Raw0` to `Raw128` or `BigRaw`.
fn plain_bytes(info: &Value) -> Option<Vec<u8>> {
    let field = first_field(info)?;
    let raw = field.name.strip_prefix("Raw").is_some_and(|length| {
        !length.is_empty() && length.bytes().all(|digit| digit.is_ascii_digit())
    });
    if !raw && field.name != "BigRaw" {
        return None;
    }
    let mut bytes = Vec::new();
    collect(&field.values, &mut bytes, 4)?;
    Some(bytes)
}

/// Appends the bytes in `values`, through at most `depth` wrappers.
fn collect(values: &Composite<()>, bytes: &mut Vec<u8>, depth: usize) -> Option<()> {
    for value in values.values() {
        match &value.value {
            ValueDef::Primitive(Primitive::U128(byte)) if bytes.len() < MAX_DATA => {
                bytes.push(u8::try_from(*byte).ok()?);
            }
            ValueDef::Composite(inner) if depth > 0 => collect(inner, bytes, depth - 1)?,
            _ => return None,
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use codec::Encode;

    use super::*;

    fn info(field: Value) -> Value {
        let fields = Value::unnamed_composite([Value::unnamed_composite([field])]);
        Value::named_composite([("fields", fields)])
    }

    #[test]
    fn the_first_field_is_read_through_wrappers() {
        let hello = Value::from_bytes(b"hello");
        let raw = Value::unnamed_variant("Raw5", [hello.clone()]);
        assert_eq!(plain_bytes(&info(raw.clone())).unwrap(), b"hello");
        let plain = Value::named_composite([("fields", Value::unnamed_composite([raw]))]);
        assert_eq!(plain_bytes(&plain).unwrap(), b"hello");
        let wrapped = Value::unnamed_composite([hello]);
        let big = Value::unnamed_variant("BigRaw", [wrapped]);
        assert_eq!(plain_bytes(&info(big)).unwrap(), b"hello");
        let empty = Value::unnamed_variant("Raw0", [Value::from_bytes([])]);
        assert_eq!(plain_bytes(&info(empty)).unwrap(), b"");
    }

    #[test]
    fn what_is_no_plain_bytes_is_left_out() {
        let bytes = Value::from_bytes([1; 32]);
        for name in ["Sha256", "TimelockEncrypted", "Raw", "RawHide", "None"] {
            let field = Value::unnamed_variant(name, [bytes.clone()]);
            assert_eq!(plain_bytes(&info(field)), None, "{name}");
        }
        let wide = Value::unnamed_variant("Raw1", [Value::unnamed_composite([Value::u128(256)])]);
        assert_eq!(plain_bytes(&info(wide)), None);
        let large = Value::unnamed_variant("BigRaw", [Value::from_bytes(vec![0; MAX_DATA + 1])]);
        assert_eq!(plain_bytes(&info(large)), None);
        let none = Value::named_composite([("fields", Value::unnamed_composite([]))]);
        assert_eq!(plain_bytes(&none), None);
        assert_eq!(plain_bytes(&Value::u128(7)), None);
        let deep = (0..10).fold(Value::from_bytes(b"x"), |inner, _| {
            Value::unnamed_composite([inner])
        });
        assert_eq!(
            plain_bytes(&info(Value::unnamed_variant("BigRaw", [deep]))),
            None
        );
    }

    fn extrinsic(signer: &AccountId, rest: &[u8]) -> Vec<u8> {
        [&[0x84, 0], &signer.0[..], rest].concat().encode()
    }

    #[test]
    fn the_last_fitting_extrinsic_is_the_place() {
        let (alice, bob) = (AccountId([1; 32]), AccountId([2; 32]));
        let call = b"\x12\x00\x01\x00call";
        let batch = [b"signature\x0b\x02\x08", &call[..], b"tail"].concat();
        let body = vec![
            b"\x04\x05".to_vec(),
            extrinsic(&alice, call),
            extrinsic(&bob, call),
            extrinsic(&alice, &batch),
            extrinsic(&alice, b"something else"),
            extrinsic(&bob, b""),
        ];
        assert_eq!(place(&body, &alice, call), Some(3));
        assert_eq!(place(&body, &bob, call), Some(2));
        assert_eq!(place(&body, &AccountId([3; 32]), call), None);
        assert_eq!(place(&body, &bob, b"something else"), None);
    }

    #[test]
    fn bytes_that_are_no_extrinsic_have_no_signer() {
        let alice = AccountId([1; 32]);
        let good = extrinsic(&alice, b"rest");
        assert_eq!(after_signer(&good, &alice), Some(&b"rest"[..]));
        for length in 0..good.len() {
            assert_eq!(after_signer(&good[..length], &alice), None, "{length}");
        }
        let trailing = [&good[..], b"x"].concat();
        assert_eq!(after_signer(&trailing, &alice), None);
    }
}

//! What weights are committed with: a hash that a later reveal must match, or a text that a beacon opens.

use blake2::{Blake2b, Digest, digest::consts::U32};
use codec::{DecodeAll, Encode};

/// The plain text of time-locked weights, version 4 of commit-reveal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightsPlaintext {
    /// Who committed. `None` is the older form without it, which anybody can commit a copy of.
    pub hotkey: Option<[u8; 32]>,
    /// The uids that are weighed.
    pub uids: Vec<u16>,
    /// One weight a uid.
    pub values: Vec<u16>,
    /// Must not be below the subnet's `WeightsVersionKey`.
    pub version_key: u64,
}

impl WeightsPlaintext {
    /// The text's bytes: SCALE of the hotkey's bytes with their length, the uids, the weights and the version key.
    pub fn to_bytes(&self) -> Vec<u8> {
        let weights = (&self.uids, &self.values, self.version_key);
        match &self.hotkey {
            Some(hotkey) => (&hotkey[..], weights).encode(),
            None => weights.encode(),
        }
    }

    /// Reads a text of either form from all of `bytes`; `None` if they are neither.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        type Weights = (Vec<u16>, Vec<u16>, u64);
        let current = <(Vec<u8>, Weights)>::decode_all(&mut &bytes[..]).ok();
        let current =
            current.and_then(|(hotkey, weights)| Some((hotkey.try_into().ok()?, weights)));
        let (hotkey, (uids, values, version_key)) = match current {
            Some((hotkey, weights)) => (Some(hotkey), weights),
            None => (None, Weights::decode_all(&mut &bytes[..]).ok()?),
        };
        Some(Self {
            hotkey,
            uids,
            values,
            version_key,
        })
    }
}

/// The hash that weights are committed with: BLAKE2b-256 over SCALE of all the arguments in their order.
///
/// `index` is the mechanism times 4096 plus the netuid. Values are hashed as they are sent.
pub fn weights_hash(
    hotkey: &[u8; 32],
    index: u16,
    uids: &[u16],
    values: &[u16],
    salt: &[u16],
    version_key: u64,
) -> [u8; 32] {
    let committed = (hotkey, index, uids, values, salt, version_key).encode();
    Blake2b::<U32>::digest(committed).into()
}

//! The 256-bit hash of a block or an extrinsic.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A 256-bit hash: of a block header (BLAKE2b-256) or of an extrinsic. Written as `0x` and 64
/// hexadecimal digits, also in JSON.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct H256(pub [u8; 32]);

impl From<subxt::utils::H256> for H256 {
    fn from(hash: subxt::utils::H256) -> Self {
        Self(hash.0)
    }
}

impl From<H256> for subxt::utils::H256 {
    fn from(hash: H256) -> Self {
        Self(hash.0)
    }
}

impl fmt::Display for H256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for H256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for H256 {
    type Err = hex::FromHexError;

    /// Reads 64 hexadecimal digits, with or without `0x`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl Serialize for H256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for H256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_json_come_back() {
        let hash = H256([0xab; 32]);
        assert_eq!(hash.to_string().parse(), Ok(hash));
        let json = serde_json::to_string(&hash).unwrap();
        assert_eq!(json, format!("\"0x{}\"", "ab".repeat(32)));
        assert_eq!(serde_json::from_str::<H256>(&json).unwrap(), hash);
        assert!("0x12".parse::<H256>().is_err());
        assert!(serde_json::from_str::<H256>("\"nonsense\"").is_err());
    }
}

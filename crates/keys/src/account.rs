//! Accounts and their addresses.

use std::fmt;
use std::str::FromStr;

use blake2::{Blake2b512, Digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// The network prefix of every address written here: 42, "any Substrate chain".
const PREFIX: u8 = 42;
const CHECKSUM_LENGTH: usize = 2;
/// The longest address: two bytes of prefix, the key and the checksum in base 58 are at most 50 characters.
const MAX_ADDRESS_LENGTH: usize = 50;

/// An account: the 32 bytes of a public key.
///
/// It prints as an SS58 address with prefix 42 and is read from an address with any prefix, in text and in serde.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub [u8; 32]);

/// Why a text is not an SS58 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AccountError {
    /// A character outside the base 58 alphabet.
    #[error("the address holds a character that is not base 58: copy it again, whole")]
    NotBase58,
    /// Not a prefix of one or two bytes, 32 bytes of key and two of checksum.
    #[error(
        "the address has a wrong length: an SS58 address of an account has 46 to 50 characters"
    )]
    WrongLength,
    /// The checksum is of something else: a typing mistake.
    #[error("the address has a wrong checksum: look for a typing mistake, or copy it again")]
    WrongChecksum,
}

impl From<[u8; 32]> for AccountId {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![PREFIX];
        bytes.extend_from_slice(&self.0);
        let checksum = checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        formatter.pad(&bs58::encode(bytes).into_string())
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for AccountId {
    type Err = AccountError;

    fn from_str(address: &str) -> Result<Self, AccountError> {
        if address.len() > MAX_ADDRESS_LENGTH {
            return Err(AccountError::WrongLength);
        }
        let bytes = bs58::decode(address)
            .into_vec()
            .map_err(|_| AccountError::NotBase58)?;
        // The two high bits of the first byte say how long the prefix is: 00 one byte, 01 two, 1x reserved.
        let prefix_length = match bytes.first().map(|first| first >> 6) {
            Some(0) => 1,
            Some(1) => 2,
            _ => return Err(AccountError::WrongLength),
        };
        if bytes.len() != prefix_length + 32 + CHECKSUM_LENGTH {
            return Err(AccountError::WrongLength);
        }
        let (body, stated) = bytes.split_at(prefix_length + 32);
        if checksum(body) != stated {
            return Err(AccountError::WrongChecksum);
        }
        let mut key = [0; 32];
        key.copy_from_slice(&body[prefix_length..]);
        Ok(Self(key))
    }
}

impl Serialize for AccountId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AccountId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let address = String::deserialize(deserializer)?;
        address.parse().map_err(de::Error::custom)
    }
}

/// The first two bytes of BLAKE2b-512 over `SS58PRE`, prefix and key.
fn checksum(body: &[u8]) -> [u8; CHECKSUM_LENGTH] {
    let digest = Blake2b512::new()
        .chain_update(b"SS58PRE")
        .chain_update(body)
        .finalize();
    [digest[0], digest[1]]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    fn with_prefix(prefix: &[u8], account: AccountId) -> String {
        let body = [prefix, &account.0].concat();
        bs58::encode([body.as_slice(), &checksum(&body)].concat()).into_string()
    }

    #[test]
    fn the_address_of_a_known_key() {
        let key = "66933bd1f37070ef87bd1198af3dacceb095237f803f3d32b173e6b425ed7972";
        let account = AccountId(hex::decode(key).unwrap().try_into().unwrap());
        let address = "5EPCUjPxiHAcNooYipQFWr9NmmXJKpNG5RhcntXwbtUySrgH";
        assert_eq!(account.to_string(), address);
        assert_eq!(format!("{account:?}"), address);
        assert_eq!(address.parse(), Ok(account));
    }

    #[test]
    fn serde_writes_and_reads_the_address() {
        let account: AccountId = ALICE.parse().unwrap();
        let json = serde_json::to_string(&account).unwrap();
        assert_eq!(json, format!("{ALICE:?}"));
        assert_eq!(serde_json::from_str::<AccountId>(&json).unwrap(), account);
        assert!(serde_json::from_str::<AccountId>("\"5Grwva\"").is_err());
    }

    #[test]
    fn mistakes_are_named() {
        let parse = |text: &str| text.parse::<AccountId>().unwrap_err();
        assert_eq!(parse(""), AccountError::WrongLength);
        assert_eq!(parse(&ALICE[..47]), AccountError::WrongLength);
        assert_eq!(parse(&ALICE.repeat(1000)), AccountError::WrongLength);
        assert_eq!(parse(&ALICE.replace('G', "0")), AccountError::NotBase58);
        assert_eq!(
            parse(&ALICE.replace("Fz9", "Fz8")),
            AccountError::WrongChecksum
        );
        let reserved = with_prefix(&[0x80], AccountId([7; 32]));
        assert_eq!(parse(&reserved), AccountError::WrongLength);
    }

    proptest! {
        #[test]
        fn every_key_comes_back_from_its_address(key: [u8; 32]) {
            let account = AccountId(key);
            prop_assert_eq!(account.to_string().parse(), Ok(account));
        }

        #[test]
        fn every_prefix_is_read(key: [u8; 32], first in 0u8..0x80, second: u8) {
            let account = AccountId(key);
            let prefix = [first, second];
            let length = if first < 0x40 { 1 } else { 2 };
            let address = with_prefix(&prefix[..length], account);
            prop_assert!(address.len() <= MAX_ADDRESS_LENGTH);
            prop_assert_eq!(address.parse(), Ok(account));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,64}") {
            let _ = text.parse::<AccountId>();
        }
    }
}

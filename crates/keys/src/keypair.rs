//! sr25519 keys: derivation, signatures.

use std::fmt;

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
use codec::Encode;
use schnorrkel::derive::{ChainCode, Derivation};
use schnorrkel::{ExpansionMode, MiniSecretKey, PublicKey, SecretKey, Signature};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{AccountId, Mnemonic, MnemonicError};

/// What every signature of the Substrate world is bound to.
const SIGNING_CONTEXT: &[u8] = b"substrate";

/// The public phrase that `//Alice` and its like derive from. Everybody has these keys.
const DEVELOPMENT_PHRASE: &str =
    "bottom drive obey lake curtain smoke basket hold race lonely fit walk";

/// An sr25519 key that signs for one account: a secret.
///
/// It remembers the mnemonic or the seed it came from, because a key file keeps them beside the key.
/// `Debug` prints only the address.
#[derive(Clone)]
pub struct Keypair {
    pair: schnorrkel::Keypair,
    seed: Option<Zeroizing<[u8; 32]>>,
    mnemonic: Option<Mnemonic>,
}

/// Why a secret URI gives no key. A message never repeats a part of the URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UriError {
    /// What stands before the path is not a mnemonic.
    #[error(transparent)]
    Mnemonic(#[from] MnemonicError),
    /// What stands before the path starts with `0x`, but is not a seed.
    #[error("a seed is 0x and 64 hexadecimal digits")]
    Seed,
    /// A path with nothing between two slashes or after the last one.
    #[error("a derivation path is made of //hard and /soft parts, none of them empty")]
    EmptyJunction,
    /// `///password` at the end, which no key file can keep.
    #[error("a password in a key URI (///password) is not supported")]
    Password,
}

impl Keypair {
    /// The key of a mnemonic, without a derivation path.
    pub fn from_mnemonic(mnemonic: &Mnemonic) -> Self {
        Self {
            mnemonic: Some(mnemonic.clone()),
            ..Self::from_seed(*mnemonic.seed())
        }
    }

    /// The key of a mini secret, expanded as ed25519 does it.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        let mini_secret =
            MiniSecretKey::from_bytes(&*seed).expect("every 32 bytes are a mini secret");
        Self {
            pair: mini_secret.expand_to_keypair(ExpansionMode::Ed25519),
            seed: Some(seed),
            mnemonic: None,
        }
    }

    /// The key of `<phrase or 0x seed><path>`, where the path is made of `//hard` and `/soft` junctions.
    ///
    /// Without a phrase the path starts at the public development phrase, as in `//Alice`.
    /// A derived key has neither mnemonic nor seed of its own.
    pub fn from_uri(uri: &str) -> Result<Self, UriError> {
        if uri.contains("///") {
            return Err(UriError::Password);
        }
        let (root, path) = uri.split_at(uri.find('/').unwrap_or(uri.len()));
        let root = if let Some(digits) = root.strip_prefix("0x") {
            let mut seed = Zeroizing::new([0; 32]);
            hex::decode_to_slice(digits, &mut *seed).map_err(|_| UriError::Seed)?;
            Self::from_seed(*seed)
        } else if root.is_empty() && !path.is_empty() {
            Self::from_mnemonic(&DEVELOPMENT_PHRASE.parse()?)
        } else {
            Self::from_mnemonic(&root.parse()?)
        };
        if path.is_empty() {
            return Ok(root);
        }
        Ok(Self::from_secret_key(derive(
            root.pair.secret.clone(),
            path,
        )?))
    }

    /// The key of an expanded secret key: a scalar and a nonce seed of 32 bytes each.
    /// `None` where the first half is not a scalar.
    pub(crate) fn from_private_key(private_key: &[u8; 64]) -> Option<Self> {
        SecretKey::from_bytes(private_key)
            .ok()
            .map(Self::from_secret_key)
    }

    fn from_secret_key(secret: SecretKey) -> Self {
        Self {
            pair: secret.to_keypair(),
            seed: None,
            mnemonic: None,
        }
    }

    /// The account this key signs for.
    pub fn account(&self) -> AccountId {
        AccountId(self.pair.public.to_bytes())
    }

    /// Signs a message. Two signatures of one message differ: sr25519 draws a random witness for each.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.pair.sign_simple(SIGNING_CONTEXT, message).to_bytes()
    }

    /// The expanded secret key, as a key file keeps it.
    pub(crate) fn private_key(&self) -> Zeroizing<[u8; 64]> {
        Zeroizing::new(self.pair.secret.to_bytes())
    }

    /// The mini secret, where the key was made from one.
    pub(crate) fn seed(&self) -> Option<&[u8; 32]> {
        self.seed.as_deref()
    }

    /// The phrase, where the key was made from one.
    pub(crate) fn mnemonic(&self) -> Option<&Mnemonic> {
        self.mnemonic.as_ref()
    }
}

impl fmt::Debug for Keypair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Keypair({})", self.account())
    }
}

/// Whether `account` signed `message`, as it is or wrapped in `<Bytes>` and `</Bytes>`, as browser extensions sign.
///
/// The signature tells its scheme: sr25519 sets the highest bit, which in an ed25519 signature is never set.
pub fn verify(account: &AccountId, message: &[u8], signature: &[u8; 64]) -> bool {
    verify_exactly(account, message, signature)
        || verify_exactly(
            account,
            &[b"<Bytes>", message, b"</Bytes>"].concat(),
            signature,
        )
}

/// As [`verify`], but of the message as it is only: where no person signs, no browser does.
pub fn verify_exactly(account: &AccountId, message: &[u8], signature: &[u8; 64]) -> bool {
    if signature[63] & 0x80 == 0 {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        return ed25519_dalek::VerifyingKey::from_bytes(&account.0)
            .is_ok_and(|key| key.verify_strict(message, &signature).is_ok());
    }
    let (Ok(key), Ok(signature)) = (
        PublicKey::from_bytes(&account.0),
        Signature::from_bytes(signature),
    ) else {
        return false;
    };
    key.verify_simple(SIGNING_CONTEXT, message, &signature)
        .is_ok()
}

/// Follows a path of `//hard` and `/soft` junctions; every junction starts with a slash.
fn derive(mut secret: SecretKey, mut path: &str) -> Result<SecretKey, UriError> {
    while let Some(rest) = path.strip_prefix('/') {
        let (hard, rest) = match rest.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let (junction, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if junction.is_empty() {
            return Err(UriError::EmptyJunction);
        }
        let chain_code = chain_code(junction);
        secret = if hard {
            let (mini_secret, _) = secret.hard_derive_mini_secret_key(Some(chain_code), b"");
            mini_secret.expand(ExpansionMode::Ed25519)
        } else {
            secret.derived_key_simple(chain_code, b"").0
        };
        path = rest;
    }
    Ok(secret)
}

/// A junction as a chain code: a number as u64, anything else as a string, in SCALE, padded with zeros to 32 bytes;
/// where that is longer than 32 bytes, its BLAKE2b-256.
fn chain_code(junction: &str) -> ChainCode {
    let encoded = match junction.parse::<u64>() {
        Ok(number) => number.encode(),
        Err(_) => junction.encode(),
    };
    let mut code = [0; 32];
    if encoded.len() > code.len() {
        code = Blake2b::<U32>::digest(&encoded).into();
    } else {
        code[..encoded.len()].copy_from_slice(&encoded);
    }
    ChainCode(code)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ABANDON: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

    fn address_of(uri: &str) -> String {
        Keypair::from_uri(uri).unwrap().account().to_string()
    }

    #[test]
    fn the_key_of_a_known_mnemonic() {
        let keypair = Keypair::from_mnemonic(&ABANDON.parse().unwrap());
        assert_eq!(
            hex::encode(keypair.account().0),
            "66933bd1f37070ef87bd1198af3dacceb095237f803f3d32b173e6b425ed7972"
        );
        assert_eq!(
            keypair.account().to_string(),
            "5EPCUjPxiHAcNooYipQFWr9NmmXJKpNG5RhcntXwbtUySrgH"
        );
        assert_eq!(
            hex::encode(*keypair.private_key()),
            "2ec306fc1c5bc2f0e3a2c7a6ec6014ca4a0823a7d7d42ad5e9d7f376a1c36c0d\
             14a2ddb1ef1df4adba49f3a4d8c0f6205117907265f09a53ccf07a4e8616dfd8"
        );
    }

    #[test]
    fn the_keys_of_known_uris() {
        assert_eq!(
            address_of(&format!("{ABANDON}//hard/soft")),
            "5FncfQd6TSSpUMsaoMFpibpTtF8wRnrfEk8yx9HSZWvr1HQ9"
        );
        assert_eq!(
            address_of(&format!("0x{}", "11".repeat(32))),
            "5DtDLm5rQHShDqojQpsvcN8tRXHVFaecfDoRet1SU6BFD9Fi"
        );
        for (uri, address) in [
            (
                "//Alice",
                "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
            ),
            ("//Bob", "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty"),
            (
                "//Charlie",
                "5FLSigC9HGRKVhB9FiEo4Y3koPsNmBmLJbpXg2mp1hXcS59Y",
            ),
        ] {
            assert_eq!(address_of(uri), address, "{uri}");
        }
    }

    #[test]
    fn the_key_of_a_known_seed() {
        assert_eq!(
            Keypair::from_seed([0x11; 32]).account().to_string(),
            "5DtDLm5rQHShDqojQpsvcN8tRXHVFaecfDoRet1SU6BFD9Fi"
        );
    }

    #[test]
    fn junctions_are_numbers_strings_or_digests() {
        let hex_of = |junction: &str| hex::encode(chain_code(junction).0);
        assert_eq!(hex_of("1"), format!("01{}", "00".repeat(31)));
        assert_eq!(hex_of("Alice"), format!("14416c696365{}", "00".repeat(26)));
        // 31 characters and their length fill the 32 bytes, one more is hashed.
        assert_eq!(hex_of(&"a".repeat(31)), format!("7c{}", "61".repeat(31)));
        let digest = Blake2b::<U32>::digest([&[0x80], "a".repeat(32).as_bytes()].concat());
        assert_eq!(hex_of(&"a".repeat(32)), hex::encode(digest));
        assert_ne!(address_of("//1"), address_of("/1"));
    }

    #[test]
    fn bad_uris_are_named() {
        let error = |uri: &str| Keypair::from_uri(uri).unwrap_err();
        let no_words = UriError::Mnemonic(MnemonicError::WordCount(0));
        assert_eq!(error(""), no_words);
        assert_eq!(error("0x1234//Alice"), UriError::Seed);
        assert_eq!(error("//Alice///secret"), UriError::Password);
        assert_eq!(error("//"), UriError::EmptyJunction);
        assert_eq!(error("//Alice/"), UriError::EmptyJunction);
        assert_eq!(
            error("Alice//Bob"),
            UriError::Mnemonic(MnemonicError::WordCount(1))
        );
    }

    #[test]
    fn a_signature_is_of_one_account_and_one_message() {
        let alice = Keypair::from_uri("//Alice").unwrap();
        let bob = Keypair::from_uri("//Bob").unwrap();
        let signature = alice.sign(b"message");
        assert!(verify(&alice.account(), b"message", &signature));
        assert!(!verify(&alice.account(), b"another", &signature));
        assert!(!verify(&bob.account(), b"message", &signature));
        let mut changed = signature;
        changed[5] ^= 1;
        assert!(!verify(&alice.account(), b"message", &changed));
        assert!(!verify(&alice.account(), b"message", &[0; 64]));
        assert!(!verify(&AccountId([0xff; 32]), b"message", &signature));
    }

    #[test]
    fn a_softly_derived_key_signs() {
        let soft = Keypair::from_uri("//Alice/soft").unwrap();
        assert!(verify(&soft.account(), b"message", &soft.sign(b"message")));
    }

    #[test]
    fn a_wrapped_signature_is_accepted() {
        let alice = Keypair::from_uri("//Alice").unwrap();
        let signature = alice.sign(b"<Bytes>message</Bytes>");
        assert!(verify(&alice.account(), b"message", &signature));
        let unwrapped = alice.sign(b"message");
        assert!(!verify(
            &alice.account(),
            b"<Bytes>message</Bytes>",
            &unwrapped
        ));
    }

    #[test]
    fn debug_prints_only_the_address() {
        let keypair = Keypair::from_seed([0x11; 32]);
        assert_eq!(
            format!("{keypair:?}"),
            "Keypair(5DtDLm5rQHShDqojQpsvcN8tRXHVFaecfDoRet1SU6BFD9Fi)"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn no_uri_makes_it_panic(uri in "(0x)?[a-z ]{0,12}(//?[^/]{0,40}){0,3}") {
            let _ = Keypair::from_uri(&uri);
        }

        #[test]
        fn no_signature_makes_it_panic(account: [u8; 32], start: [u8; 32], end: [u8; 32]) {
            let signature: [u8; 64] = [start, end].concat().try_into().unwrap();
            prop_assert!(!verify(&AccountId(account), b"message", &signature));
        }
    }
}

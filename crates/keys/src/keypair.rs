//! Keys: derivation, signatures.

use std::fmt;

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
use codec::Encode;
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use schnorrkel::derive::{ChainCode, Derivation};
use schnorrkel::{ExpansionMode, MiniSecretKey, PublicKey, SecretKey, Signature};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{AccountId, Mnemonic, MnemonicError};

/// What every sr25519 signature of the Substrate world is bound to.
const SIGNING_CONTEXT: &[u8] = b"substrate";

/// What a hard junction of an ed25519 key is hashed with.
const ED25519_JUNCTION: &str = "Ed25519HDKD";

/// The public phrase that `//Alice` and its like derive from. Everybody has these keys.
const DEVELOPMENT_PHRASE: &str =
    "bottom drive obey lake curtain smoke basket hold race lonely fit walk";

/// How a key signs. An account does not tell its scheme, a signature does: see [`verify`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheme {
    /// Schnorr signatures over Ristretto, what nearly every key of the field is.
    #[default]
    Sr25519,
    /// Ed25519 as in RFC 8032.
    Ed25519,
}

impl fmt::Display for Scheme {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Sr25519 => "sr25519",
            Self::Ed25519 => "ed25519",
        })
    }
}

/// A key that signs for one account: a secret.
///
/// It remembers the mnemonic or the seed it came from, because a key file keeps them beside the key.
/// `Debug` prints only the address.
#[derive(Clone)]
pub struct Keypair {
    pair: Pair,
    seed: Option<Zeroizing<[u8; 32]>>,
    mnemonic: Option<Mnemonic>,
}

/// The secret itself; both kinds erase themselves.
#[derive(Clone)]
enum Pair {
    Sr25519(Box<schnorrkel::Keypair>),
    Ed25519(Box<SigningKey>),
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
    /// A `/soft` part in the path of an ed25519 key.
    #[error("an ed25519 key has no /soft derivation, only //hard")]
    SoftJunction,
    /// `///password` at the end, which no key file can keep.
    #[error("a password in a key URI (///password) is not supported")]
    Password,
}

impl Keypair {
    /// The sr25519 key of a mnemonic, without a derivation path.
    pub fn from_mnemonic(mnemonic: &Mnemonic) -> Self {
        Self::from_mnemonic_in(Scheme::Sr25519, mnemonic)
    }

    /// The key of a mnemonic in a scheme, without a derivation path.
    pub fn from_mnemonic_in(scheme: Scheme, mnemonic: &Mnemonic) -> Self {
        Self {
            mnemonic: Some(mnemonic.clone()),
            ..Self::from_seed_in(scheme, *mnemonic.seed())
        }
    }

    /// The sr25519 key of a mini secret, expanded as ed25519 does it.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self::from_seed_in(Scheme::Sr25519, seed)
    }

    /// The key of a seed in a scheme: an sr25519 mini secret or an ed25519 secret key.
    pub fn from_seed_in(scheme: Scheme, seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        let pair = match scheme {
            Scheme::Sr25519 => Pair::Sr25519(Box::new(
                MiniSecretKey::from_bytes(&*seed)
                    .expect("every 32 bytes are a mini secret")
                    .expand_to_keypair(ExpansionMode::Ed25519),
            )),
            Scheme::Ed25519 => Pair::Ed25519(Box::new(SigningKey::from_bytes(&seed))),
        };
        Self {
            seed: Some(seed),
            ..Self::underived(pair)
        }
    }

    /// The sr25519 key of `<phrase or 0x seed><path>`, where the path is made of `//hard` and `/soft` junctions.
    ///
    /// Without a phrase the path starts at the public development phrase, as in `//Alice`.
    /// A derived key has neither mnemonic nor seed of its own.
    pub fn from_uri(uri: &str) -> Result<Self, UriError> {
        Self::from_uri_in(Scheme::Sr25519, uri)
    }

    /// [`Keypair::from_uri`] in a scheme; ed25519 knows only `//hard` junctions.
    pub fn from_uri_in(scheme: Scheme, uri: &str) -> Result<Self, UriError> {
        if uri.contains("///") {
            return Err(UriError::Password);
        }
        let (root, path) = uri.split_at(uri.find('/').unwrap_or(uri.len()));
        let root = if let Some(digits) = root.strip_prefix("0x") {
            let mut seed = Zeroizing::new([0; 32]);
            hex::decode_to_slice(digits, &mut *seed).map_err(|_| UriError::Seed)?;
            Self::from_seed_in(scheme, *seed)
        } else if root.is_empty() && !path.is_empty() {
            Self::from_mnemonic_in(scheme, &DEVELOPMENT_PHRASE.parse()?)
        } else {
            Self::from_mnemonic_in(scheme, &root.parse()?)
        };
        if path.is_empty() {
            return Ok(root);
        }
        let mut pair = root.pair;
        for junction in junctions(path)? {
            pair = pair.derive(junction)?;
        }
        Ok(Self::underived(pair))
    }

    /// The key of a secret key as key files keep it: for sr25519 64 bytes, a scalar and a nonce seed; for ed25519 the
    /// 32 bytes of the seed, or these and the public key.
    ///
    /// `None` where the bytes are no such key.
    pub fn from_private_key(scheme: Scheme, private_key: &[u8]) -> Option<Self> {
        let pair = match scheme {
            Scheme::Sr25519 => {
                let secret = SecretKey::from_bytes(private_key).ok()?;
                Pair::Sr25519(Box::new(secret.to_keypair()))
            }
            Scheme::Ed25519 => {
                let (seed, public) = private_key.split_at_checked(32)?;
                let key = SigningKey::from_bytes(seed.try_into().ok()?);
                if !public.is_empty() && public != key.verifying_key().as_bytes() {
                    return None;
                }
                Pair::Ed25519(Box::new(key))
            }
        };
        Some(Self::underived(pair))
    }

    /// The sr25519 key of an expanded secret key in ed25519's form: the scalar is multiplied by the cofactor.
    pub(crate) fn from_ed25519_form(private_key: &[u8]) -> Option<Self> {
        let secret = SecretKey::from_ed25519_bytes(private_key).ok()?;
        Some(Self::underived(Pair::Sr25519(Box::new(
            secret.to_keypair(),
        ))))
    }

    fn underived(pair: Pair) -> Self {
        Self {
            pair,
            seed: None,
            mnemonic: None,
        }
    }

    /// The account this key signs for.
    pub fn account(&self) -> AccountId {
        AccountId(match &self.pair {
            Pair::Sr25519(pair) => pair.public.to_bytes(),
            Pair::Ed25519(key) => key.verifying_key().to_bytes(),
        })
    }

    /// How this key signs.
    pub fn scheme(&self) -> Scheme {
        match self.pair {
            Pair::Sr25519(_) => Scheme::Sr25519,
            Pair::Ed25519(_) => Scheme::Ed25519,
        }
    }

    /// Signs a message. Two sr25519 signatures of one message differ: a random witness is drawn for each.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        match &self.pair {
            Pair::Sr25519(pair) => pair.sign_simple(SIGNING_CONTEXT, message).to_bytes(),
            Pair::Ed25519(key) => key.sign(message).to_bytes(),
        }
    }

    /// The secret key, as a key file keeps it: 64 bytes for sr25519, 32 for ed25519.
    pub(crate) fn private_key(&self) -> Zeroizing<Vec<u8>> {
        match &self.pair {
            Pair::Sr25519(pair) => {
                let bytes = Zeroizing::new(pair.secret.to_bytes());
                Zeroizing::new(bytes.to_vec())
            }
            Pair::Ed25519(key) => Zeroizing::new(key.as_bytes().to_vec()),
        }
    }

    /// The seed, where the key was made from one.
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

/// As [`verify`], but of the message as it is only: where no person signs, no browser wraps.
pub fn verify_exactly(account: &AccountId, message: &[u8], signature: &[u8; 64]) -> bool {
    if signature[63] & 0x80 == 0 {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        return VerifyingKey::from_bytes(&account.0)
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

impl Pair {
    /// Follows one junction.
    fn derive(self, junction: Junction) -> Result<Self, UriError> {
        Ok(match (self, junction) {
            (Self::Sr25519(pair), Junction::Hard(code)) => {
                let (mini_secret, _) = pair.secret.hard_derive_mini_secret_key(Some(code), b"");
                Self::Sr25519(Box::new(
                    mini_secret.expand_to_keypair(ExpansionMode::Ed25519),
                ))
            }
            (Self::Sr25519(pair), Junction::Soft(code)) => Self::Sr25519(Box::new(
                pair.secret.derived_key_simple(code, b"").0.to_keypair(),
            )),
            (Self::Ed25519(key), Junction::Hard(code)) => {
                let seed = Zeroizing::new((ED25519_JUNCTION, key.as_bytes(), code.0).encode());
                let seed = Zeroizing::new(Blake2b::<U32>::digest(&*seed).into());
                Self::Ed25519(Box::new(SigningKey::from_bytes(&seed)))
            }
            (Self::Ed25519(_), Junction::Soft(_)) => return Err(UriError::SoftJunction),
        })
    }
}

/// One part of a derivation path.
enum Junction {
    Hard(ChainCode),
    Soft(ChainCode),
}

/// The parts of a path; every one starts with a slash.
fn junctions(mut path: &str) -> Result<Vec<Junction>, UriError> {
    let mut junctions = Vec::new();
    while let Some(rest) = path.strip_prefix('/') {
        let (hard, rest) = match rest.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let (junction, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if junction.is_empty() {
            return Err(UriError::EmptyJunction);
        }
        let code = chain_code(junction);
        junctions.push(match hard {
            true => Junction::Hard(code),
            false => Junction::Soft(code),
        });
        path = rest;
    }
    Ok(junctions)
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
            hex::encode(&*keypair.private_key()),
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
    fn the_keys_of_known_ed25519_uris() {
        let keypair = |uri: &str| Keypair::from_uri_in(Scheme::Ed25519, uri).unwrap();
        for (uri, address) in [
            (ABANDON, "5FM25N8HGtacre9TnWQGRK32d1kUp1Gs6Dd7YiYpSPZLjmj6"),
            (
                "//Alice",
                "5FA9nQDVg267DEd8m1ZypXLBnvN7SFxYwV7ndqSYGiN9TTpu",
            ),
            (
                "//Alice//1",
                "5C6g93zeYAbhxGfzUNPVY5mLioqAPVpqxdb3YRgEoqUwZyU7",
            ),
            (
                &format!("0x{}", "11".repeat(32)),
                "5Gmp1LHh81mEqwCDPP7ug46TTMXYo3ZuwVHTeNhP1Gp2jLKV",
            ),
        ] {
            assert_eq!(keypair(uri).account().to_string(), address, "{uri}");
        }
        assert_eq!(
            hex::encode(&*keypair("//Alice").private_key()),
            "abf8e5bdbe30c65656c0a3cbd181ff8a56294a69dfedd27982aace4a76909115"
        );
        assert_eq!(
            Keypair::from_uri_in(Scheme::Ed25519, "//Alice/soft").unwrap_err(),
            UriError::SoftJunction
        );
    }

    #[test]
    fn an_ed25519_signature_is_the_known_one_and_verifies() {
        let keypair = Keypair::from_uri_in(Scheme::Ed25519, ABANDON).unwrap();
        let signature = keypair.sign(b"hello");
        assert_eq!(
            hex::encode(signature),
            "21369ce146f9c0de37a1651913f930c1057e7a45f32c2012d0d37c7ec31078ee\
             cd3aec02b966770b3e541816e67421d5d742b084178f84f2148bcd63a8380f08"
        );
        let account = keypair.account();
        assert!(verify(&account, b"hello", &signature));
        assert!(!verify(&account, b"hallo", &signature));
        assert!(!verify(&abandon_sr25519(), b"hello", &signature));
        let wrapped = keypair.sign(b"<Bytes>hello</Bytes>");
        assert!(verify(&account, b"hello", &wrapped));
    }

    fn abandon_sr25519() -> AccountId {
        Keypair::from_uri(ABANDON).unwrap().account()
    }

    #[test]
    fn a_private_key_is_of_its_scheme() {
        for scheme in [Scheme::Sr25519, Scheme::Ed25519] {
            let keypair = Keypair::from_uri_in(scheme, "//Alice").unwrap();
            assert_eq!(keypair.scheme(), scheme);
            let bytes = keypair.private_key();
            let again = Keypair::from_private_key(scheme, &bytes).unwrap();
            assert_eq!(again.account(), keypair.account());
            for wrong in [&bytes[..31], &[], &[0xff; 64], &[&bytes[..], &[0]].concat()] {
                assert!(Keypair::from_private_key(scheme, wrong).is_none());
            }
        }
        let alice = Keypair::from_uri_in(Scheme::Ed25519, "//Alice").unwrap();
        let with_public = [&*alice.private_key(), &alice.account().0[..]].concat();
        let again = Keypair::from_private_key(Scheme::Ed25519, &with_public).unwrap();
        assert_eq!(again.account(), alice.account());
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
            let _ = Keypair::from_uri_in(Scheme::Ed25519, &uri);
        }

        #[test]
        fn no_signature_makes_it_panic(account: [u8; 32], start: [u8; 32], end: [u8; 32]) {
            let signature: [u8; 64] = [start, end].concat().try_into().unwrap();
            prop_assert!(!verify(&AccountId(account), b"message", &signature));
        }
    }
}

//! Accounts exported by polkadot-js and the wallets built on it: JSON of version 3, read only.
//!
//! Inside is a key in a PKCS#8-like form, in NaCl's secretbox under a key that scrypt derives from the password, or
//! under the padded password itself, or as it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::keyfile::nacl::Sealed;
use crate::{AccountId, Keypair, Password, Scheme};

/// The largest export that is read. A real one has less than a kilobyte and what its owner wrote into it.
pub const MAX_BYTES: usize = 64 * 1024;

const VERSION: &str = "3";

/// The costliest parameters that polkadot-js itself accepts. The file states its own; a hostile one could state any.
const MAX_SCRYPT_MEMORY: u64 = 128 << 20;
const MAX_SCRYPT_WORK: u64 = 1 << 20;

const HEADER: [u8; 16] = [
    0x30, 0x53, 0x02, 0x01, 0x01, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
const DIVIDER: [u8; 5] = [0xa1, 0x23, 0x03, 0x21, 0x00];

/// Why an export gives no key. No message repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolkadotError {
    /// More than [`MAX_BYTES`].
    #[error("this is no polkadot-js account: it has more than {MAX_BYTES} bytes")]
    TooLarge,
    /// Not the JSON of an export, or damaged.
    #[error("this is no polkadot-js account, or it is damaged: {0}")]
    Malformed(&'static str),
    /// Of a version other than 3.
    #[error(
        "only polkadot-js accounts of version 3 are read: open it with a current wallet and export it again"
    )]
    Version,
    /// Of a scheme that cannot be used here, or encrypted in an unknown way.
    #[error("the account is not an sr25519 or ed25519 key as polkadot-js exports them")]
    Unsupported,
    /// scrypt would take more memory or time than polkadot-js itself allows.
    #[error(
        "opening the account would take more memory or time than polkadot-js ever asks for: it is not opened"
    )]
    TooCostly,
    /// Encrypted, and no password was given.
    #[error("the account is encrypted: its password is needed")]
    PasswordNeeded,
    /// The password does not open it.
    #[error("wrong password (or the file was changed): the account cannot be decrypted")]
    WrongPassword,
    /// The address in the file is not that of its key.
    #[error(
        "the file contradicts itself: it names the account {stated}, but its key is of {actual}"
    )]
    Contradiction {
        /// What the file says.
        stated: AccountId,
        /// What its key gives.
        actual: AccountId,
    },
}

#[derive(Deserialize)]
struct Export {
    encoded: String,
    encoding: Encoding,
    address: Option<String>,
}

#[derive(Deserialize)]
struct Encoding {
    content: Vec<String>,
    #[serde(rename = "type")]
    layers: Vec<String>,
    version: String,
}

/// Whether an export needs a password.
pub fn is_encrypted(json: &[u8]) -> Result<bool, PolkadotError> {
    Ok(protection(&parse(json)?)? != Layers::None)
}

/// Opens an export. Takes up to a second and 128 MiB where it is encrypted.
pub fn open(json: &[u8], password: Option<&Password>) -> Result<Keypair, PolkadotError> {
    let export = parse(json)?;
    let layers = protection(&export)?;
    let scheme = match &export.encoding.content[..] {
        [form, scheme] if form == "pkcs8" && scheme == "sr25519" => Scheme::Sr25519,
        [form, scheme] if form == "pkcs8" && scheme == "ed25519" => Scheme::Ed25519,
        _ => return Err(PolkadotError::Unsupported),
    };
    let encoded = STANDARD
        .decode(&export.encoded)
        .map(Zeroizing::new)
        .map_err(|_| PolkadotError::Malformed("what is encoded is not base64"))?;
    let password = || password.ok_or(PolkadotError::PasswordNeeded);
    let pkcs8 = match layers {
        Layers::None => encoded,
        Layers::Padded => unseal(&encoded, &padded(password()?))?,
        Layers::Scrypt => {
            let (parameters, sealed) = ScryptParameters::split(&encoded)?;
            unseal(sealed, &*parameters.derive(password()?)?)?
        }
    };
    let keypair = read_pkcs8(&pkcs8, scheme)?;
    if let Some(address) = export.address {
        let stated = address
            .parse()
            .map_err(|_| PolkadotError::Malformed("its address is not an SS58 address"))?;
        agree(stated, keypair.account())?;
    }
    Ok(keypair)
}

fn parse(json: &[u8]) -> Result<Export, PolkadotError> {
    if json.len() > MAX_BYTES {
        return Err(PolkadotError::TooLarge);
    }
    let export: Export = serde_json::from_slice(json)
        .map_err(|_| PolkadotError::Malformed("it is not the JSON of one account"))?;
    if export.encoding.version != VERSION {
        return Err(PolkadotError::Version);
    }
    Ok(export)
}

/// What stands between the file and the key.
#[derive(PartialEq)]
enum Layers {
    None,
    Padded,
    Scrypt,
}

fn protection(export: &Export) -> Result<Layers, PolkadotError> {
    let layers: Vec<&str> = export.encoding.layers.iter().map(String::as_str).collect();
    match layers[..] {
        ["none"] => Ok(Layers::None),
        ["xsalsa20-poly1305"] => Ok(Layers::Padded),
        ["scrypt", "xsalsa20-poly1305"] => Ok(Layers::Scrypt),
        _ => Err(PolkadotError::Unsupported),
    }
}

fn unseal(sealed: &[u8], key: &[u8; 32]) -> Result<Zeroizing<Vec<u8>>, PolkadotError> {
    Sealed::of(sealed)
        .ok_or(PolkadotError::Malformed("the encrypted part is cut off"))?
        .open(key)
        .ok_or(PolkadotError::WrongPassword)
}

/// The first 32 bytes of the password, or the password and zeros.
fn padded(password: &Password) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    for (to, from) in key.iter_mut().zip(password.as_bytes()) {
        *to = *from;
    }
    key
}

/// What stands before the sealed part: a salt of 32 bytes and n, p, r as u32.
struct ScryptParameters<'a> {
    salt: &'a [u8],
    log_n: u8,
    p: u32,
    r: u32,
}

impl<'a> ScryptParameters<'a> {
    fn split(encoded: &'a [u8]) -> Result<(Self, &'a [u8]), PolkadotError> {
        let cut_off = PolkadotError::Malformed("the encrypted part is cut off");
        let (head, sealed) = encoded.split_at_checked(32 + 3 * 4).ok_or(cut_off)?;
        let (salt, numbers) = head.split_at(32);
        let number = |at: usize| {
            let bytes = numbers[4 * at..][..4].try_into().expect("four bytes");
            u32::from_le_bytes(bytes)
        };
        let (n, p, r) = (number(0), number(1), number(2));
        if !n.is_power_of_two() || n < 2 || p == 0 || r == 0 {
            return Err(PolkadotError::Malformed("impossible parameters of scrypt"));
        }
        let block = u64::from(n) * u64::from(r);
        let memory = block.saturating_mul(128);
        let work = block.saturating_mul(u64::from(p));
        if memory > MAX_SCRYPT_MEMORY || work > MAX_SCRYPT_WORK {
            return Err(PolkadotError::TooCostly);
        }
        let log_n = n.ilog2() as u8;
        Ok((Self { salt, log_n, p, r }, sealed))
    }

    fn derive(&self, password: &Password) -> Result<Zeroizing<[u8; 32]>, PolkadotError> {
        let parameters = scrypt::Params::new(self.log_n, self.r, self.p)
            .map_err(|_| PolkadotError::Malformed("impossible parameters of scrypt"))?;
        let mut key = Zeroizing::new([0; 32]);
        scrypt::scrypt(password.as_bytes(), self.salt, &parameters, &mut *key)
            .map_err(|_| PolkadotError::Malformed("impossible parameters of scrypt"))?;
        Ok(key)
    }
}

/// Header, secret, divider, public key. The secret is an expanded key of 64 bytes, in older exports a seed of 32.
fn read_pkcs8(pkcs8: &[u8], scheme: Scheme) -> Result<Keypair, PolkadotError> {
    let wrong = PolkadotError::Malformed("what is encoded is not a key");
    let body = pkcs8.strip_prefix(&HEADER).ok_or(wrong.clone())?;
    let split = |length: usize| {
        let (secret, rest) = body.split_at_checked(length)?;
        let public: [u8; 32] = rest.strip_prefix(&DIVIDER)?.try_into().ok()?;
        Some((secret, AccountId(public)))
    };
    let (keypair, stated) = if let Some((secret, stated)) = split(64) {
        let keypair = match scheme {
            Scheme::Sr25519 => Keypair::from_ed25519_form(secret),
            Scheme::Ed25519 => Keypair::from_private_key(scheme, secret),
        };
        (keypair.ok_or(wrong)?, stated)
    } else if let Some((secret, stated)) = split(32) {
        let seed = secret.try_into().expect("split at 32 bytes");
        (Keypair::from_seed_in(scheme, seed), stated)
    } else {
        return Err(wrong);
    };
    agree(stated, keypair.account())?;
    Ok(keypair)
}

fn agree(stated: AccountId, actual: AccountId) -> Result<(), PolkadotError> {
    match stated == actual {
        true => Ok(()),
        false => Err(PolkadotError::Contradiction { stated, actual }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::verify;

    /// Written by polkadot-js itself; see `polkadot.mjs` beside them.
    const SR25519: &[u8] = include_bytes!("../tests/vectors/polkadot-sr25519.json");
    const ED25519: &[u8] = include_bytes!("../tests/vectors/polkadot-ed25519.json");
    const PLAIN: &[u8] = include_bytes!("../tests/vectors/polkadot-plain.json");
    const WITHOUT_SCRYPT: &[u8] = include_bytes!("../tests/vectors/polkadot-without-scrypt.json");
    const ECDSA: &[u8] = include_bytes!("../tests/vectors/polkadot-ecdsa.json");

    fn password() -> Password {
        Password::new("bittensor-test".into())
    }

    fn address(json: &[u8], password: Option<&Password>) -> Result<String, PolkadotError> {
        open(json, password).map(|keypair| keypair.account().to_string())
    }

    /// An export with something changed in its JSON.
    fn changed(json: &[u8], pointer: &str, value: Value) -> Vec<u8> {
        let mut json: Value = serde_json::from_slice(json).unwrap();
        *json.pointer_mut(pointer).unwrap() = value;
        json.to_string().into_bytes()
    }

    /// The encoded bytes of an export, changed.
    fn recoded(json: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let export: Export = serde_json::from_slice(json).unwrap();
        let mut bytes = STANDARD.decode(export.encoded).unwrap();
        change(&mut bytes);
        changed(json, "/encoded", json!(STANDARD.encode(bytes)))
    }

    #[test]
    fn accounts_of_polkadot_js_open_with_their_password_only() {
        let sr25519 = "5EPCUjPxiHAcNooYipQFWr9NmmXJKpNG5RhcntXwbtUySrgH";
        let ed25519 = "5FM25N8HGtacre9TnWQGRK32d1kUp1Gs6Dd7YiYpSPZLjmj6";
        for (json, expected) in [
            (SR25519, sr25519),
            (WITHOUT_SCRYPT, sr25519),
            (ED25519, ed25519),
        ] {
            assert_eq!(is_encrypted(json), Ok(true));
            assert_eq!(address(json, Some(&password())).as_deref(), Ok(expected));
            assert_eq!(address(json, None), Err(PolkadotError::PasswordNeeded));
            let wrong = Password::new("bittensor-tesT".into());
            assert_eq!(
                address(json, Some(&wrong)),
                Err(PolkadotError::WrongPassword)
            );
        }
        assert_eq!(is_encrypted(PLAIN), Ok(false));
        assert_eq!(address(PLAIN, None).as_deref(), Ok(sr25519));
    }

    #[test]
    fn what_is_opened_signs() {
        let keypair = open(PLAIN, None).unwrap();
        assert!(verify(
            &keypair.account(),
            b"hello",
            &keypair.sign(b"hello")
        ));
        // The scalar is the one key files keep, without the cofactor.
        assert_eq!(
            hex::encode(&*keypair.private_key()),
            "2ec306fc1c5bc2f0e3a2c7a6ec6014ca4a0823a7d7d42ad5e9d7f376a1c36c0d\
             14a2ddb1ef1df4adba49f3a4d8c0f6205117907265f09a53ccf07a4e8616dfd8"
        );
    }

    #[test]
    fn an_older_body_holds_a_seed() {
        let expected = Keypair::from_seed([0x11; 32]).account();
        let body = [&HEADER[..], &[0x11; 32], &DIVIDER, &expected.0].concat();
        let keypair = read_pkcs8(&body, Scheme::Sr25519).unwrap();
        assert_eq!(keypair.account(), expected);
        assert_eq!(keypair.seed(), Some(&[0x11; 32]));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert_eq!(
            address(ECDSA, Some(&password())),
            Err(PolkadotError::Unsupported)
        );
        let old = changed(PLAIN, "/encoding/version", json!("2"));
        assert_eq!(address(&old, None), Err(PolkadotError::Version));
        let unknown = changed(PLAIN, "/encoding/type", json!(["rot13"]));
        assert_eq!(address(&unknown, None), Err(PolkadotError::Unsupported));
        let huge = [PLAIN, &vec![b' '; MAX_BYTES]].concat();
        assert_eq!(address(&huge, None), Err(PolkadotError::TooLarge));
        let alice = Keypair::from_uri("//Alice").unwrap().account();
        let other = changed(PLAIN, "/address", json!(alice));
        assert!(matches!(
            address(&other, None),
            Err(PolkadotError::Contradiction { stated, .. }) if stated == alice
        ));
        let other = recoded(PLAIN, |bytes| bytes[90..].fill(7));
        assert!(matches!(
            address(&other, None),
            Err(PolkadotError::Contradiction { .. })
        ));
        for malformed in [
            b"{}".to_vec(),
            b"[]".to_vec(),
            changed(PLAIN, "/encoded", json!("not base64")),
            changed(PLAIN, "/address", json!("somewhere")),
            recoded(PLAIN, |bytes| bytes.truncate(100)),
            recoded(PLAIN, |bytes| bytes[0] = 0),
            recoded(SR25519, |bytes| bytes.truncate(40)),
            recoded(SR25519, |bytes| bytes.truncate(32 + 12 + 30)),
        ] {
            let error = open(&malformed, Some(&password())).unwrap_err();
            assert!(matches!(error, PolkadotError::Malformed(_)), "{error}");
        }
    }

    #[test]
    fn hostile_parameters_of_scrypt_are_refused_at_once() {
        let with = |n: u32, p: u32, r: u32| {
            let json = recoded(SR25519, |bytes| {
                for (at, number) in [n, p, r].into_iter().enumerate() {
                    bytes[32 + 4 * at..][..4].copy_from_slice(&number.to_le_bytes());
                }
            });
            address(&json, Some(&password()))
        };
        for (n, p, r) in [
            (1 << 18, 1, 8),
            (1 << 31, 1, 1),
            (1 << 17, 2, 8),
            (2, u32::MAX, 1),
            (2, 1, u32::MAX),
            (1 << 31, u32::MAX, u32::MAX),
        ] {
            assert_eq!(with(n, p, r), Err(PolkadotError::TooCostly), "{n} {p} {r}");
        }
        for (n, p, r) in [(0, 1, 8), (1, 1, 8), (3, 1, 8), (16, 0, 8), (16, 1, 0)] {
            let error = with(n, p, r).unwrap_err();
            assert!(matches!(error, PolkadotError::Malformed(_)), "{n} {p} {r}");
        }
        // What polkadot-js allows is allowed; only the key is another.
        for (n, p) in [(1 << 13, 10), (1 << 14, 5), (1 << 15, 3)] {
            assert_eq!(with(n, p, 8), Err(PolkadotError::WrongPassword), "{n} {p}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), sealed: bool) {
            let _ = open(&bytes, Some(&password()));
            let original = if sealed { WITHOUT_SCRYPT } else { PLAIN };
            let json = recoded(original, |encoded| {
                let at = encoded.len().min(bytes.len());
                encoded[..at].copy_from_slice(&bytes[..at]);
            });
            let _ = open(&json, Some(&password()));
            let _ = read_pkcs8(&[&HEADER[..], &bytes].concat(), Scheme::Sr25519);
            let _ = ScryptParameters::split(&bytes);
        }
    }
}

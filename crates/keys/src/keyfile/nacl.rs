//! `$NACL`: NaCl's secretbox (XSalsa20-Poly1305) under a key that Argon2i derives from the password with constants and
//! a salt that every wallet of the field shares.

use argon2::{Algorithm, Argon2, Params, Version};
use crypto_secretbox::aead::AeadInPlace;
use crypto_secretbox::{Key, KeyInit, Nonce, Tag, XSalsa20Poly1305};
use zeroize::Zeroizing;

use super::KeyFileError;
use crate::Password;

pub(super) const MARK: &[u8] = b"$NACL";

const NONCE_LENGTH: usize = XSalsa20Poly1305::NONCE_SIZE;
const TAG_LENGTH: usize = XSalsa20Poly1305::TAG_SIZE;

/// libsodium's "sensitive" limits for `crypto_pwhash` and the constant salt of the field's wallets: 512 MiB, 8 passes.
const ARGON2_KIBIBYTES: u32 = 512 * 1024;
const ARGON2_PASSES: u32 = 8;
const ARGON2_LANES: u32 = 1;
const ARGON2_SALT: [u8; 16] = [
    0x13, 0x71, 0x83, 0xdf, 0xf1, 0x5a, 0x09, 0xbc, 0x9c, 0x90, 0xb5, 0x51, 0x87, 0x39, 0xe9, 0xb1,
];

/// `$NACL` | nonce | tag | ciphertext.
pub(super) fn encrypt(
    mut json: Zeroizing<Vec<u8>>,
    password: &Password,
) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    password.check_policy()?;
    let key = derive(password)?;
    let mut nonce = [0; NONCE_LENGTH];
    getrandom::fill(&mut nonce).map_err(KeyFileError::NoRandomness)?;
    let tag = XSalsa20Poly1305::new(Key::from_slice(&*key))
        .encrypt_in_place_detached(Nonce::from_slice(&nonce), b"", &mut json)
        .expect("secretbox takes every message without associated data");
    Ok(Zeroizing::new([MARK, &nonce, &tag, &json].concat()))
}

pub(super) fn decrypt(
    file: &[u8],
    password: &Password,
) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let sealed = Sealed::of(file.strip_prefix(MARK).unwrap_or(file))
        .ok_or_else(|| KeyFileError::Malformed("the encrypted part is cut off".into()))?;
    sealed
        .open(&*derive(password)?)
        .ok_or(KeyFileError::WrongPassword)
}

/// What secretbox makes, with its nonce before it.
pub(crate) struct Sealed<'a> {
    nonce: &'a [u8],
    tag: &'a [u8],
    ciphertext: &'a [u8],
}

impl<'a> Sealed<'a> {
    /// `None` where the bytes are too few.
    pub(crate) fn of(bytes: &'a [u8]) -> Option<Self> {
        let (nonce, rest) = bytes.split_at_checked(NONCE_LENGTH)?;
        let (tag, ciphertext) = rest.split_at_checked(TAG_LENGTH)?;
        Some(Self {
            nonce,
            tag,
            ciphertext,
        })
    }

    /// What is inside; `None` where the key is another.
    pub(crate) fn open(&self, key: &[u8; 32]) -> Option<Zeroizing<Vec<u8>>> {
        let mut message = Zeroizing::new(self.ciphertext.to_vec());
        XSalsa20Poly1305::new(Key::from_slice(key))
            .decrypt_in_place_detached(
                Nonce::from_slice(self.nonce),
                b"",
                &mut message,
                Tag::from_slice(self.tag),
            )
            .ok()?;
        Some(message)
    }
}

fn derive(password: &Password) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let mut key = Zeroizing::new([0; 32]);
    let parameters = Params::new(
        ARGON2_KIBIBYTES,
        ARGON2_PASSES,
        ARGON2_LANES,
        Some(key.len()),
    )
    .expect("the constants lie within Argon2's ranges");
    Argon2::new(Algorithm::Argon2i, Version::V0x13, parameters)
        .hash_password_into(password.as_bytes(), &ARGON2_SALT, &mut *key)
        .map_err(KeyFileError::Derivation)?;
    Ok(key)
}

//! The cipher text: identity-based encryption of a key to a round, and the text under that key.
//!
//! With P the second group's generator, PK the beacon's key and Q the round's point: a key K and a value sigma are
//! drawn, r = SHA-256(sigma ++ K), U = r P, V = sigma xor SHA-256(e(Q, PK)^r), W = K xor SHA-256(sigma), and the text
//! is sealed with AES-256-GCM under K. The round's signature s = sk Q gives e(s, U) = e(Q, PK)^r.

use crate::beacon::{PublicKey, Signature, compressed, point, round_point};
use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use ark_bls12_381::{Bls12_381, Fr, G1Affine, G2Affine};
use ark_ec::pairing::Pairing;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::PrimeField;
use codec::{Decode, Encode};
use sha2_for_ark::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

const SCHEME: &[u8; 8] = b"AES_GCM_";
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// The pairing's value: twelve field elements.
const PAIRING_BYTES: usize = 576;

/// What an encryption draws. Each must be fresh, uniform and secret.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Randomness {
    /// The key the text is sealed with.
    pub key: [u8; 32],
    /// The value that hides the key.
    pub sigma: [u8; 32],
    /// The text's nonce; not secret.
    pub nonce: [u8; NONCE_BYTES],
}

/// A text sealed to a round. The round itself is not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ciphertext {
    u: G2Affine,
    v: [u8; 32],
    w: [u8; 32],
    sealed: Vec<u8>,
    nonce: [u8; NONCE_BYTES],
}

/// Why bytes are no cipher text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// More than any cipher text has.
    #[error("a cipher text has at most {max} bytes", max = Ciphertext::MAX_BYTES)]
    TooLong,
    /// A part is missing.
    #[error("the cipher text ends before its {0}")]
    Truncated(&'static str),
    /// A part announces a length it cannot have.
    #[error("the cipher text's {0} has an impossible length")]
    Length(&'static str),
    /// The first part is no point.
    #[error("the cipher text's first 96 bytes are no point of the curve")]
    Point,
    /// The text is sealed in another way.
    #[error("the cipher text is not sealed with AES-GCM")]
    Scheme,
    /// Something follows.
    #[error("bytes follow the end of the cipher text")]
    Trailing,
}

/// Why a cipher text does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It was sealed to another round or under another beacon, or it was changed.
    #[error("the signature does not open this cipher text")]
    OtherRound,
    /// The key opens, but the text under it was changed.
    #[error("the text under the key was changed")]
    Text,
}

impl Ciphertext {
    /// What a cipher text is longer than its text, in bytes.
    pub const OVERHEAD: usize = 244;
    /// The most bytes that are parsed. The chain stores at most 5,000.
    pub const MAX_BYTES: usize = 1 << 20;

    /// Seals `text` to `round` of the beacon with `public_key`.
    pub fn seal(public_key: &PublicKey, round: u64, text: &[u8], randomness: &Randomness) -> Self {
        let Randomness { key, sigma, nonce } = randomness;
        let r = blinding(sigma, key);
        // e(Q, PK)^r = e(r Q, PK)
        let shared = shared_secret((round_point(round) * r).into_affine(), public_key.0);
        let sealed = Aes256Gcm::new(key.into())
            .encrypt(Nonce::from_slice(nonce), text)
            .expect("the text is far from the cipher's limit of 64 GiB");
        Self {
            u: (G2Affine::generator() * r).into_affine(),
            v: xor(sigma, &shared),
            w: xor(key, &Sha256::digest(sigma).into()),
            sealed,
            nonce: *nonce,
        }
    }

    /// Opens the text with the beacon's signature of the round it is sealed to.
    ///
    /// # Errors
    /// When the signature is another round's, or the cipher text was changed.
    pub fn open(&self, signature: &Signature) -> Result<Vec<u8>, OpenError> {
        let sigma = xor(&self.v, &shared_secret(signature.0, self.u));
        let key = xor(&self.w, &Sha256::digest(sigma).into());
        if (G2Affine::generator() * blinding(&sigma, &key)).into_affine() != self.u {
            return Err(OpenError::OtherRound);
        }
        Aes256Gcm::new(&key.into())
            .decrypt(Nonce::from_slice(&self.nonce), &self.sealed[..])
            .map_err(|_| OpenError::Text)
    }

    /// Reads a cipher text from all of `bytes`.
    ///
    /// # Errors
    /// When the bytes are not exactly one cipher text.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ParseError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(ParseError::TooLong);
        }
        let mut rest = bytes;
        let u = point(
            take(&mut rest, PublicKey::BYTES, "point")?,
            PublicKey::BYTES,
        )
        .map_err(|_| ParseError::Point)?;
        let v = fixed(prefixed(&mut rest, "V")?, "V")?;
        let w = fixed(prefixed(&mut rest, "W")?, "W")?;
        let mut body = prefixed(&mut rest, "body")?;
        let sealed = prefixed(&mut body, "text")?;
        if sealed.len() < TAG_BYTES {
            return Err(ParseError::Length("text"));
        }
        let nonce = fixed(prefixed(&mut body, "nonce")?, "nonce")?;
        if !body.is_empty() {
            return Err(ParseError::Length("body"));
        }
        if prefixed(&mut rest, "scheme")? != SCHEME {
            return Err(ParseError::Scheme);
        }
        if !rest.is_empty() {
            return Err(ParseError::Trailing);
        }
        Ok(Self {
            u,
            v,
            w,
            sealed: sealed.to_vec(),
            nonce,
        })
    }

    /// The cipher text's bytes: what [`Ciphertext::from_bytes`] reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(self.sealed.len() + 28);
        put(&mut body, &self.sealed);
        put(&mut body, &self.nonce);
        let mut bytes = compressed::<{ PublicKey::BYTES }>(&self.u).to_vec();
        for part in [&self.v[..], &self.w, &body, SCHEME] {
            put(&mut bytes, part);
        }
        bytes
    }
}

/// A cipher text with its round, the form in which clients carry it around: SCALE of the two fields.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Envelope {
    /// The cipher text's bytes.
    pub encrypted: Vec<u8>,
    /// The round it is sealed to.
    pub reveal_round: u64,
}

/// r: a scalar from SHA-256(sigma ++ key), read big endian.
fn blinding(sigma: &[u8; 32], key: &[u8; 32]) -> Fr {
    let digest = Sha256::new()
        .chain_update(sigma)
        .chain_update(key)
        .finalize();
    Fr::from_be_bytes_mod_order(&digest)
}

/// SHA-256 of the pairing's value in the library's own form, which is the one the public clients use.
fn shared_secret(left: G1Affine, right: G2Affine) -> [u8; 32] {
    let value: [u8; PAIRING_BYTES] = compressed(&Bls12_381::pairing(left, right));
    Sha256::digest(value).into()
}

fn xor(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    std::array::from_fn(|at| left[at] ^ right[at])
}

/// Appends `part` behind its length as u64, little endian.
fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend((part.len() as u64).to_le_bytes());
    bytes.extend(part);
}

fn take<'a>(
    rest: &mut &'a [u8],
    length: usize,
    what: &'static str,
) -> Result<&'a [u8], ParseError> {
    let (part, after) = rest
        .split_at_checked(length)
        .ok_or(ParseError::Truncated(what))?;
    *rest = after;
    Ok(part)
}

fn prefixed<'a>(rest: &mut &'a [u8], what: &'static str) -> Result<&'a [u8], ParseError> {
    let length = u64::from_le_bytes(fixed(take(rest, 8, what)?, what)?);
    let length = usize::try_from(length).map_err(|_| ParseError::Truncated(what))?;
    take(rest, length, what)
}

fn fixed<const N: usize>(part: &[u8], what: &'static str) -> Result<[u8; N], ParseError> {
    part.try_into().map_err(|_| ParseError::Length(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's check value: which power of the pairing and which order of bytes.
    #[test]
    fn the_pairing_is_the_public_clients() {
        let value: [u8; PAIRING_BYTES] = compressed(&Bls12_381::pairing(
            G1Affine::generator(),
            G2Affine::generator(),
        ));
        let start = "b68917caaa0543a808c53908f694d1b6e7b38de90ce9d83d505ca1ef1b442d2727d7d06831d8b2a7920afc71d8eb5012";
        assert_eq!(hex::encode(&value[..48]), start);
        assert_eq!(
            hex::encode(Sha256::digest(value)),
            "ff9912603bb02b77bc6ec1deaeddf9d1fee40ac17a781fb13c9c6e7a9f74d22b"
        );
    }
}

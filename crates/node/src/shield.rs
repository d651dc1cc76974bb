//! The author's side of shielded transactions: the key that clients encrypt to, and what it opens.
//!
//! The key is derived from a name, so that a chain keeps it over restarts, and anybody has it. That is enough on one
//! machine: who can read the pool here could ask the author as well, and nobody else makes blocks. For the same reason
//! it need not change with each block, as the public chain's does with the author.

use crate::transaction::{DecodeError, Transaction};
use agon_runtime::{
    Runtime, RuntimeCall, UncheckedExtrinsic,
    shield::{self, Shielded},
};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce, aead::Aead};
use ml_kem::{Decapsulate, DecapsulationKey768, KeyExport, Seed};
use sp_core::Hasher;
use sp_runtime::{BoundedVec, traits::BlakeTwo256};
use std::sync::LazyLock;

/// From the standard's two values, d and z.
static KEY: LazyLock<DecapsulationKey768> = LazyLock::new(|| {
    let [d, z] = [&b"development shield d"[..], b"development shield z"].map(BlakeTwo256::hash);
    let mut seed = Seed::default();
    seed[..32].copy_from_slice(&d.0);
    seed[32..].copy_from_slice(&z.0);
    DecapsulationKey768::from_seed(seed)
});
static PUBLIC_KEY: LazyLock<Vec<u8>> =
    LazyLock::new(|| KEY.encapsulation_key().to_bytes().to_vec());

/// Why nothing comes out of a shielded transaction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The bytes are no cipher text.
    #[error("not a cipher text")]
    Form,
    /// Encrypted to another key, or changed on its way.
    #[error("it does not open with the author's key")]
    Sealed,
    /// What is inside is no transaction.
    #[error("inside is no transaction: {0}")]
    Decode(#[from] DecodeError),
}

/// Writes the author's key where clients look for it, so that the very first transaction can be a shielded one. Call it
/// when the first state is made, in the runtime's externalities.
pub fn put_key() {
    let key = BoundedVec::truncate_from(PUBLIC_KEY.clone());
    shield::CurrentKey::<Runtime>::put(key.clone());
    shield::NextKey::<Runtime>::put(key);
}

/// The transaction inside a shielded one; none if `extrinsic` shields nothing. The inner one is bounded as any other
/// from outside and not judged yet. What it may itself shield stays closed.
pub fn inner(extrinsic: &UncheckedExtrinsic) -> Option<Result<Transaction, OpenError>> {
    let RuntimeCall::MevShield(shield::Call::submit_encrypted { ciphertext }) = &extrinsic.function
    else {
        return None;
    };
    Some(open(ciphertext).and_then(|text| Ok(Transaction::decode(text)?)))
}

/// The text of a cipher text. Its key is the encapsulated secret itself, and nothing else is authenticated.
fn open(ciphertext: &[u8]) -> Result<Vec<u8>, OpenError> {
    let shielded = Shielded::parse(ciphertext).ok_or(OpenError::Form)?;
    let secret = KEY.decapsulate(&(*shielded.encapsulated).into());
    XChaCha20Poly1305::new_from_slice(&secret)
        .map_err(|_| OpenError::Sealed)?
        .decrypt(XNonce::from_slice(shielded.nonce), shielded.sealed)
        .map_err(|_| OpenError::Sealed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the public client's `encrypt_mlkem768` made for [`PUBLIC_KEY`].
    fn golden() -> Vec<u8> {
        let text = include_str!("../tests/vectors/shielded.hex");
        hex::decode(text.trim()).expect("hexadecimal")
    }

    #[test]
    fn opens_what_the_public_client_shields() {
        let golden = golden();
        assert_eq!(golden[..16], shield::key_hash(&PUBLIC_KEY));
        assert_eq!(PUBLIC_KEY.len(), shield::KEY_BYTES);
        let text = open(&golden).expect("it is for this key");
        assert_eq!(text, b"what the public client shields");
    }

    #[test]
    fn opens_nothing_that_was_changed_or_cut() {
        let golden = golden();
        for length in 0..golden.len() {
            let opened = open(&golden[..length]);
            assert!(opened.is_err(), "{length} bytes");
        }
        // The key's hash is for those who do not have the key.
        for at in (16..golden.len()).step_by(7) {
            let mut changed = golden.clone();
            changed[at] ^= 1;
            assert!(open(&changed).is_err(), "byte {at}");
        }
    }
}

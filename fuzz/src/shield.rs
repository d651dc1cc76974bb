//! What clients do to keep a transaction secret until it stands in a block.

use agon_runtime::shield::key_hash;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce, aead::Aead};
use ml_kem::{EncapsulationKey768, kem::Encapsulate};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

const NONCE: [u8; 24] = [9; 24];

/// The author's key with a secret encapsulated to it once and for all.
pub struct Shield {
    /// How every cipher text begins.
    start: Vec<u8>,
    cipher: XChaCha20Poly1305,
}

impl Shield {
    /// For the author's key.
    ///
    /// # Panics
    /// When it is none.
    pub fn new(key: &[u8]) -> Self {
        let hash = key_hash(key);
        let key = EncapsulationKey768::new(key.try_into().expect("a key's length"));
        let mut random = ChaCha20Rng::seed_from_u64(7);
        let (encapsulated, secret) = key.expect("a key").encapsulate_with_rng(&mut random);
        let length = (encapsulated.len() as u16).to_le_bytes();
        Self {
            start: [&hash[..], &length, &encapsulated, &NONCE].concat(),
            cipher: XChaCha20Poly1305::new_from_slice(&secret).expect("32 bytes"),
        }
    }

    /// A transaction's cipher text.
    ///
    /// # Panics
    /// Never: what fits into memory is short enough for the cipher.
    pub fn encrypt(&self, transaction: &[u8]) -> Vec<u8> {
        let sealed = self.cipher.encrypt(XNonce::from_slice(&NONCE), transaction);
        [&self.start[..], &sealed.expect("it is short")].concat()
    }
}

//! Who signs.

use agon_keys::{AccountId, Keypair, Scheme};
use subxt::utils::{AccountId32, MultiSignature};

use crate::connection::Config;

/// An account that can sign: a key pair in memory, or a stand-in for one that is kept elsewhere.
///
/// Only the hotkey has to be online; whoever submits a coldkey's calls brings a signer for it.
pub trait Signer: Send + Sync {
    /// The account that signs.
    fn account(&self) -> AccountId;

    /// The signature over `message`; of sr25519 in the `substrate` signing context.
    fn sign(&self, message: &[u8]) -> [u8; 64];

    /// How it signs.
    fn scheme(&self) -> Scheme {
        Scheme::Sr25519
    }
}

impl Signer for Keypair {
    fn account(&self) -> AccountId {
        self.account()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.sign(message)
    }

    fn scheme(&self) -> Scheme {
        self.scheme()
    }
}

/// A [`Signer`] as subxt wants to see it.
pub(crate) struct AsSubxt<'a>(pub(crate) &'a dyn Signer);

impl subxt::tx::Signer<Config> for AsSubxt<'_> {
    fn account_id(&self) -> AccountId32 {
        AccountId32(self.0.account().0)
    }

    fn sign(&self, payload: &[u8]) -> MultiSignature {
        let signature = self.0.sign(payload);
        match self.0.scheme() {
            Scheme::Sr25519 => MultiSignature::Sr25519(signature),
            Scheme::Ed25519 => MultiSignature::Ed25519(signature),
        }
    }
}

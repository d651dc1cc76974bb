//! Agon's own form, in two phases, so that a copier who watches the chain is always later.
//!
//! First `seal:<64 hex digits>`, the SHA-256 of content digest, hotkey, salt and competition: it says nothing about the
//! model and is of no use to another hotkey. When that block is final, `reveal:<block>:<digest>:<salt>:<where>` says in
//! which block the seal stands, what was sealed, and where it is. The chain keeps a hotkey's newest commitment only, so
//! the validator looks for the seal among what the hotkey signed in the block that the reveal names: blocks stay when
//! their state is thrown away. The submission's place is that of the seal.
//!
//! Between seal and reveal the hotkey has no model on chain: the best time to seal is just after a round has begun.

use super::{ClaimError, LOCAL_REPOSITORY, Location, hub, wrong};
use agon_keys::AccountId;
use agon_model::digest::Digest;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::fmt;

const SEAL: &str = "seal:";
const REVEAL: &str = "reveal:";

/// What keeps a seal from being compared with known models.
pub type Salt = [u8; 12];

/// A salt that nobody can guess.
pub fn draw_salt() -> Salt {
    rand::random()
}

/// The first phase: the SHA-256 of content digest, hotkey, salt and competition, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal(pub Digest);

/// The second phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reveal {
    /// The block in which the seal stands.
    pub block: u64,
    /// SHA-256 of the model's bytes.
    pub digest: Digest,
    /// What the seal was salted with.
    pub salt: Salt,
    /// A repository of the Hub, in which the file is `<digest>.onnx`, or [`LOCAL_REPOSITORY`].
    pub repository: String,
}

pub(super) fn is_phase(text: &str) -> bool {
    is_seal(text) || text.starts_with(REVEAL)
}

pub(super) fn is_seal(text: &str) -> bool {
    text.starts_with(SEAL)
}

impl Seal {
    /// The seal of a model for a competition.
    pub fn new(digest: Digest, hotkey: &AccountId, salt: &Salt, competition: &str) -> Self {
        // All but the last have one length, so no two meanings have one text.
        let mut sha256 = Sha256::new();
        sha256.update(digest.0);
        sha256.update(hotkey.0);
        sha256.update(salt);
        sha256.update(competition);
        Self(Digest(sha256.finalize().into()))
    }

    pub(super) fn parse(text: &str) -> Result<Self, ClaimError> {
        let hash = text.strip_prefix(SEAL).unwrap_or(text);
        let hash = hash.parse();
        hash.map(Self)
            .map_err(|_| wrong("seal", text, "seal: and the 64 hex digits of a SHA-256"))
    }
}

impl Reveal {
    pub(super) fn parse(text: &str) -> Result<Self, ClaimError> {
        let fields: Vec<&str> = text.split(':').collect();
        let ["reveal", block, digest, salt, repository] = fields[..] else {
            return Err(ClaimError::Fields {
                found: fields.len(),
                expected: "reveal:<block>:<digest>:<salt>:<repository>",
            });
        };
        let reveal = Self {
            block: block
                .parse()
                .map_err(|_| wrong("block", block, "a number"))?,
            digest: Digest(bytes(digest, "digest")?),
            salt: bytes(salt, "salt")?,
            repository: repository.to_owned(),
        };
        reveal.location()?;
        Ok(reveal)
    }

    /// The seal that it opens, if `hotkey` made it for this competition.
    pub fn seal(&self, hotkey: &AccountId, competition: &str) -> Seal {
        Seal::new(self.digest, hotkey, &self.salt, competition)
    }

    /// The name of the file in its repository.
    pub fn file(&self) -> String {
        format!("{}.onnx", self.digest)
    }

    pub(super) fn location(&self) -> Result<Location, ClaimError> {
        match self.repository == LOCAL_REPOSITORY {
            true => Ok(Location::Local(self.digest)),
            false => hub(&self.repository, None, &self.file()),
        }
    }
}

fn bytes<const N: usize>(text: &str, field: &'static str) -> Result<[u8; N], ClaimError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| wrong(field, text, "of the right length in base64"))
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SEAL}{}", self.0)
    }
}

impl fmt::Display for Reveal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = BASE64_URL_SAFE_NO_PAD.encode(self.digest.0);
        let salt = BASE64_URL_SAFE_NO_PAD.encode(self.salt);
        write!(
            f,
            "{REVEAL}{}:{digest}:{salt}:{}",
            self.block, self.repository
        )
    }
}

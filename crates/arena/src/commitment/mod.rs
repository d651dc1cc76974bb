//! What a miner writes on chain: `<repository>:<file stem>:<competition>:<sha256 hex of the model>`.
//!
//! The string form is the one of the skin-lesion competition (netuid 76). The digest is the truth,
//! repository and stem are only a hint where the bytes may be found.

use agon_model::digest::Digest;
use std::fmt;
use std::str::FromStr;

/// Longest commitment read, in bytes: one inline `Raw` field of the Commitments pallet.
pub const MAX_BYTES: usize = 128;

/// The repository name that means "the local artefact store".
pub const LOCAL_REPOSITORY: &str = "local";

/// A model claimed by whoever signed the commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Where the artefact may be found, for example a hub repository.
    pub repository: String,
    /// File name there, without its extension.
    pub stem: String,
    /// The competition the model is submitted to.
    pub competition: String,
    /// SHA-256 of the model's bytes.
    pub digest: Digest,
}

/// Why a commitment is not a claim.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ClaimError {
    /// More bytes than a claim can have.
    #[error("the commitment has {0} bytes, at most {MAX_BYTES} are read")]
    TooLong(usize),
    /// Not UTF-8 text.
    #[error("the commitment is not text")]
    NotText,
    /// Not four fields separated by colons.
    #[error("the commitment has {0} fields, expected <repository>:<file>:<competition>:<sha256>")]
    Fields(usize),
    /// The last field is not a SHA-256 in hex.
    #[error("the commitment's last field is not the 64 hex digits of a SHA-256")]
    Digest,
}

impl Claim {
    /// Read a claim from the bytes of a commitment.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClaimError> {
        if bytes.len() > MAX_BYTES {
            return Err(ClaimError::TooLong(bytes.len()));
        }
        std::str::from_utf8(bytes)
            .map_err(|_| ClaimError::NotText)?
            .parse()
    }
}

impl FromStr for Claim {
    type Err = ClaimError;

    fn from_str(text: &str) -> Result<Self, ClaimError> {
        let fields: Vec<&str> = text.split(':').collect();
        let [repository, stem, competition, digest] = fields[..] else {
            return Err(ClaimError::Fields(fields.len()));
        };
        Ok(Self {
            repository: repository.to_owned(),
            stem: stem.to_owned(),
            competition: competition.to_owned(),
            digest: digest.parse().map_err(|_| ClaimError::Digest)?,
        })
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            repository,
            stem,
            competition,
            digest,
        } = self;
        write!(f, "{repository}:{stem}:{competition}:{digest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_survives_the_round_trip() {
        let claim = Claim {
            repository: LOCAL_REPOSITORY.into(),
            stem: "model".into(),
            competition: "tricorder".into(),
            digest: Digest::of(b"weights"),
        };
        let text = claim.to_string();
        assert!(text.len() <= MAX_BYTES);
        assert_eq!(Claim::from_bytes(text.as_bytes()), Ok(claim));
    }

    #[test]
    fn what_is_not_a_claim_says_why() {
        let digest = "0".repeat(64);
        let read = |text: &str| Claim::from_bytes(text.as_bytes()).unwrap_err();
        assert_eq!(read("hello"), ClaimError::Fields(1));
        assert_eq!(read(&format!("a:b:c:d:{digest}")), ClaimError::Fields(5));
        assert_eq!(read("a:b:c:1234"), ClaimError::Digest);
        assert_eq!(read(&"x".repeat(129)), ClaimError::TooLong(129));
        assert_eq!(Claim::from_bytes(&[0xff, 0xfe]), Err(ClaimError::NotText));
    }
}

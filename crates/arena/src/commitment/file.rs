//! `<repository>:<stem>:<competition>:<sha256>`: a file by its digest, as on the skin-lesion network (netuid 76).

use super::{ClaimError, LOCAL_REPOSITORY, Location, competition_of, hub, wrong};
use agon_model::digest::Digest;
use std::fmt;

/// A file in a repository, with the SHA-256 of its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// A repository of the Hub, or [`LOCAL_REPOSITORY`].
    pub repository: String,
    /// File name there, without `.onnx`.
    pub stem: String,
    /// The competition the model is submitted to.
    pub competition: String,
    /// SHA-256 of the model's bytes.
    pub digest: Digest,
}

impl File {
    pub(super) fn parse(text: &str) -> Result<Self, ClaimError> {
        let fields: Vec<&str> = text.split(':').collect();
        let [repository, stem, competition, digest] = fields[..] else {
            return Err(ClaimError::Fields {
                found: fields.len(),
                expected: "<repository>:<file>:<competition>:<sha256>",
            });
        };
        let file = Self {
            repository: repository.to_owned(),
            stem: stem.to_owned(),
            competition: competition_of(competition)?,
            digest: digest
                .parse()
                .map_err(|_| wrong("last field", digest, "the 64 hex digits of a SHA-256"))?,
        };
        file.location()?;
        Ok(file)
    }

    pub(super) fn location(&self) -> Result<Location, ClaimError> {
        match self.repository == LOCAL_REPOSITORY {
            true => Ok(Location::Local(self.digest)),
            false => hub(&self.repository, None, &format!("{}.onnx", self.stem)),
        }
    }
}

impl fmt::Display for File {
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

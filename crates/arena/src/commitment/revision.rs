//! `<owner>/<name> <revision>`: a revision of a repository, as healthcare networks commit it. Nothing but the revision
//! says what the model is, and nothing binds it to the hotkey.

use super::{ClaimError, Location, MODEL_FILE, hub, revision_of};
use std::fmt;

/// What a repository of the Hub holds at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Owner and name.
    pub repository: String,
    /// 40 hexadecimal digits.
    pub revision: String,
}

impl Revision {
    pub(super) fn parse(text: &str) -> Result<Self, ClaimError> {
        let fields: Vec<&str> = text.split(' ').collect();
        let [repository, revision] = fields[..] else {
            return Err(ClaimError::Fields {
                found: fields.len(),
                expected: "<owner>/<name> <revision>",
            });
        };
        let claimed = Self {
            repository: repository.to_owned(),
            revision: revision_of(revision)?,
        };
        claimed.location()?;
        Ok(claimed)
    }

    pub(super) fn location(&self) -> Result<Location, ClaimError> {
        hub(&self.repository, Some(&self.revision), MODEL_FILE)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.repository, self.revision)
    }
}

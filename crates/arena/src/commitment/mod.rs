//! What miners write on chain: where a model is and what its bytes must be, in the forms that the field knows.
//!
//! | form | text | the bytes are |
//! |---|---|---|
//! | [`Form::Revision`] | `<owner>/<name> <revision>` | whatever that revision holds |
//! | [`Form::Snapshot`] | `<owner>:<name>:<revision>:<hash>[:<learning rate>]` | a folder of this hash |
//! | [`Form::File`] | `<repository>:<stem>:<competition>:<sha256>` | a file of this digest |
//! | [`Form::Bound`] | `<owner>:<name>:<revision>:<hash>[:<competition>]` | a folder whose hash, with the hotkey's address behind it, has this hash |
//! | [`Form::TwoPhase`] | `seal:…`, later `reveal:…` | a file of this digest, sealed earlier |
//!
//! A [`Statement`] is such a text, read: it prints as it was read, to the byte. A [`Claim`] is what a validator needs of
//! it. Nothing here opens a file or asks a server, and nothing is read that is longer than [`MAX_BYTES`].

mod file;
mod phases;
mod revision;
mod snapshot;

pub use file::File;
pub use phases::{Reveal, Salt, Seal, draw_salt};
pub use revision::Revision;
pub use snapshot::{Bound, Snapshot, bound_hash, snapshot_hash};

use agon_dataset::source::HubFile;
use agon_keys::AccountId;
use agon_model::digest::Digest;
use std::fmt;

/// Longest commitment read, in bytes: one inline `Raw` field of the Commitments pallet.
pub const MAX_BYTES: usize = 128;

/// The repository name that means "the local artefact store".
pub const LOCAL_REPOSITORY: &str = "local";

/// The file of a repository where the commitment names none.
pub const MODEL_FILE: &str = "model.onnx";

/// A form in which a competition takes commitments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A revision of a repository, as healthcare networks commit it.
    Revision,
    /// A folder by its hash, as architecture searches commit it.
    Snapshot,
    /// A file by its digest, as the skin-lesion competition commits it.
    File,
    /// A folder by a hash that is bound to the hotkey, as winner-take-all training networks commit it.
    Bound,
    /// Agon's own: a salted hash first, what it is of later.
    TwoPhase,
}

/// A commitment in one of the forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// See [`Revision`].
    Revision(Revision),
    /// See [`Snapshot`].
    Snapshot(Snapshot),
    /// See [`File`].
    File(File),
    /// See [`Bound`].
    Bound(Bound),
    /// See [`Seal`].
    Seal(Seal),
    /// See [`Reveal`].
    Reveal(Reveal),
}

/// A model claimed by whoever signed the commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Where the bytes may be found: a hint.
    pub location: Location,
    /// What they must be: the truth.
    pub content: Content,
}

/// Where a model's bytes may be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// The local store, under this digest.
    Local(Digest),
    /// A file of the Hub.
    Hub(HubFile),
}

/// What a model's bytes must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Of this SHA-256.
    Digest(Digest),
    /// The only file of a folder with this [`snapshot_hash`].
    Snapshot(Digest),
    /// The same, with the hotkey: of this [`bound_hash`].
    Bound(Digest),
    /// Whatever the revision holds.
    Revision,
}

/// Why a commitment is not a claim.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ClaimError {
    /// More bytes than a commitment can have.
    #[error("the commitment has {0} bytes, at most {MAX_BYTES} are read")]
    TooLong(usize),
    /// Not UTF-8 text.
    #[error("the commitment is not text")]
    NotText,
    /// Another number of fields.
    #[error("the commitment has {found} fields, expected {expected}")]
    Fields {
        /// How many there are.
        found: usize,
        /// The form.
        expected: &'static str,
    },
    /// A field that is not what it should be.
    #[error("the commitment's {field} {found:?} is not {expected}")]
    Field {
        /// Which.
        field: &'static str,
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
    /// It means something, but is written in another way than everybody writes it.
    #[error("the commitment would be written {0:?}")]
    Unusual(String),
    /// Nothing says what the bytes are.
    #[error("the commitment names no hash, so nothing can be held against it")]
    NoHash,
    /// The first phase alone.
    #[error("the commitment is sealed and not revealed yet")]
    Sealed,
    /// The competition takes no form at all.
    #[error("the competition takes no commitments")]
    NoForm,
}

impl Statement {
    /// Read a commitment in one of these forms, the first that fits.
    ///
    /// # Errors
    /// What keeps the bytes from being a commitment in the form that they look most like: the two phases say what they
    /// are, else the first form is meant.
    pub fn read(bytes: &[u8], forms: &[Form]) -> Result<Self, ClaimError> {
        if bytes.len() > MAX_BYTES {
            return Err(ClaimError::TooLong(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ClaimError::NotText)?;
        if forms.contains(&Form::TwoPhase) && phases::is_phase(text) {
            return Self::parse(text, Form::TwoPhase);
        }
        let mut first = None;
        for form in forms {
            match Self::parse(text, *form) {
                Ok(statement) => return Ok(statement),
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
        Err(first.unwrap_or(ClaimError::NoForm))
    }

    fn parse(text: &str, form: Form) -> Result<Self, ClaimError> {
        let statement = match form {
            Form::Revision => Self::Revision(Revision::parse(text)?),
            Form::Snapshot => Self::Snapshot(Snapshot::parse(text)?),
            Form::File => Self::File(File::parse(text)?),
            Form::Bound => Self::Bound(Bound::parse(text)?),
            Form::TwoPhase if phases::is_seal(text) => Self::Seal(Seal::parse(text)?),
            Form::TwoPhase => Self::Reveal(Reveal::parse(text)?),
        };
        // One text for one meaning: a copy cannot look like another commitment, and what is printed is what was read.
        let printed = statement.to_string();
        match printed == text {
            true => Ok(statement),
            false => Err(ClaimError::Unusual(printed)),
        }
    }

    /// The competition that it names, in the forms that name one.
    pub fn competition(&self) -> Option<&str> {
        match self {
            Self::File(file) => Some(&file.competition),
            Self::Bound(bound) => bound.competition.as_deref(),
            _ => None,
        }
    }

    /// The SHA-256 of the model's file, in the forms that name it.
    pub fn digest(&self) -> Option<Digest> {
        match self {
            Self::File(file) => Some(file.digest),
            Self::Reveal(reveal) => Some(reveal.digest),
            _ => None,
        }
    }

    /// What is claimed.
    ///
    /// # Errors
    /// For the first of two phases, for a commitment without a hash, and for a place that can be none.
    pub fn claim(&self) -> Result<Claim, ClaimError> {
        let claim = |location: Location, content| Claim { location, content };
        Ok(match self {
            Self::Revision(it) => claim(it.location()?, Content::Revision),
            Self::Snapshot(it) => {
                let hash = it.hash.ok_or(ClaimError::NoHash)?;
                claim(it.location()?, Content::Snapshot(hash))
            }
            Self::File(it) => claim(it.location()?, Content::Digest(it.digest)),
            Self::Bound(it) => {
                let hash = it.hash.ok_or(ClaimError::NoHash)?;
                claim(it.location()?, Content::Bound(hash))
            }
            Self::Seal(_) => return Err(ClaimError::Sealed),
            Self::Reveal(it) => claim(it.location()?, Content::Digest(it.digest)),
        })
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revision(it) => it.fmt(f),
            Self::Snapshot(it) => it.fmt(f),
            Self::File(it) => it.fmt(f),
            Self::Bound(it) => it.fmt(f),
            Self::Seal(it) => it.fmt(f),
            Self::Reveal(it) => it.fmt(f),
        }
    }
}

impl From<File> for Statement {
    fn from(file: File) -> Self {
        Self::File(file)
    }
}

impl Content {
    /// Whether a file of this digest is what `hotkey` has claimed.
    pub fn admits(&self, digest: Digest, hotkey: &AccountId) -> bool {
        match *self {
            Self::Digest(claimed) => digest == claimed,
            Self::Snapshot(claimed) => snapshot_hash(digest) == claimed,
            Self::Bound(claimed) => bound_hash(snapshot_hash(digest), hotkey) == claimed,
            Self::Revision => true,
        }
    }

    /// The file's digest, where the claim names it.
    pub fn digest(&self) -> Option<Digest> {
        match *self {
            Self::Digest(digest) => Some(digest),
            _ => None,
        }
    }
}

fn wrong(field: &'static str, found: &str, expected: &'static str) -> ClaimError {
    ClaimError::Field {
        field,
        found: found.to_owned(),
        expected,
    }
}

/// The file of a repository of the Hub; without a revision the newest one.
fn hub(repository: &str, revision: Option<&str>, file: &str) -> Result<Location, ClaimError> {
    let at = revision.map_or(String::new(), |revision| format!("@{revision}"));
    let place = format!("{repository}{at}/{file}").parse::<HubFile>().ok();
    // Signs in a name that divide would make another place of it.
    place
        .filter(|place| place.repository == repository && place.file == file)
        .map(Location::Hub)
        .ok_or_else(|| wrong("repository", repository, "owner/name of the Hub"))
}

/// A revision of git: 40 hexadecimal digits.
fn revision_of(text: &str) -> Result<String, ClaimError> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    match text.len() == 40 && text.bytes().all(is_digit) {
        true => Ok(text.to_owned()),
        false => Err(wrong("revision", text, "the 40 hex digits of a commit")),
    }
}

fn competition_of(text: &str) -> Result<String, ClaimError> {
    match text.is_empty() || text.chars().any(char::is_control) {
        true => Err(wrong("competition", text, "a name")),
        false => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests;

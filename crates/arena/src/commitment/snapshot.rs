//! `<owner>:<name>:<revision>:<hash>`: a folder by its hash, plain or bound to the hotkey. The text `None` stands for
//! what is absent, because the originals are Python.

use super::{ClaimError, Location, MODEL_FILE, competition_of, hub, revision_of, wrong};
use agon_keys::AccountId;
use agon_model::digest::Digest;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::fmt;

/// How the originals write that there is nothing.
const NONE: &str = "None";

/// `<owner>:<name>:<revision>:<hash>[:<learning rate>]`, as architecture searches commit it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Whose repository of the Hub.
    pub owner: String,
    /// Its name.
    pub name: String,
    /// 40 hexadecimal digits.
    pub revision: Option<String>,
    /// The folder's [`snapshot_hash`].
    pub hash: Option<Digest>,
    /// A number above 0, written as Python writes it.
    pub learning_rate: Option<String>,
}

/// `<owner>:<name>:<revision>:<hash>[:<competition>]`, as winner-take-all training networks commit it; the older form
/// names no competition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Whose repository of the Hub.
    pub owner: String,
    /// Its name.
    pub name: String,
    /// 40 hexadecimal digits.
    pub revision: Option<String>,
    /// The [`bound_hash`] of the folder's hash and the hotkey.
    pub hash: Option<Digest>,
    /// The competition, a number in the originals.
    pub competition: Option<String>,
}

/// The hash of a folder with one file of this digest: SHA-256 over the base64 of the files' SHA-256, in the order of
/// their paths.
pub fn snapshot_hash(file: Digest) -> Digest {
    Digest::of(BASE64_STANDARD.encode(file.0).as_bytes())
}

/// SHA-256 over the base64 of a folder's hash and the hotkey's address: of no use to another hotkey.
pub fn bound_hash(folder: Digest, hotkey: &AccountId) -> Digest {
    let text = format!("{}{hotkey}", BASE64_STANDARD.encode(folder.0));
    Digest::of(text.as_bytes())
}

impl Snapshot {
    pub(super) fn parse(text: &str) -> Result<Self, ClaimError> {
        let expected = "<owner>:<name>:<revision>:<hash>[:<learning rate>]";
        let (common, learning_rate) = Common::parse(text, expected)?;
        let is_rate = |text: &str| {
            text.parse::<f64>()
                .is_ok_and(|rate| rate.is_finite() && rate > 0.0)
        };
        if let Some(rate) = learning_rate.filter(|rate| !is_rate(rate)) {
            return Err(wrong("learning rate", rate, "a number above 0"));
        }
        let Common {
            owner,
            name,
            revision,
            hash,
        } = common;
        Ok(Self {
            owner,
            name,
            revision,
            hash,
            learning_rate: learning_rate.map(str::to_owned),
        })
    }

    pub(super) fn location(&self) -> Result<Location, ClaimError> {
        place(&self.owner, &self.name, self.revision.as_deref())
    }
}

impl Bound {
    pub(super) fn parse(text: &str) -> Result<Self, ClaimError> {
        let expected = "<owner>:<name>:<revision>:<hash>[:<competition>]";
        let (common, competition) = Common::parse(text, expected)?;
        let Common {
            owner,
            name,
            revision,
            hash,
        } = common;
        Ok(Self {
            owner,
            name,
            revision,
            hash,
            competition: competition.map(competition_of).transpose()?,
        })
    }

    pub(super) fn location(&self) -> Result<Location, ClaimError> {
        place(&self.owner, &self.name, self.revision.as_deref())
    }
}

/// The four fields that both have.
struct Common {
    owner: String,
    name: String,
    revision: Option<String>,
    hash: Option<Digest>,
}

impl Common {
    /// Also returns the fifth field.
    fn parse<'a>(
        text: &'a str,
        expected: &'static str,
    ) -> Result<(Self, Option<&'a str>), ClaimError> {
        let fields: Vec<&str> = text.split(':').collect();
        let (owner, name, revision, hash, fifth) = match fields[..] {
            [owner, name, revision, hash] => (owner, name, revision, hash, None),
            [owner, name, revision, hash, fifth] => (owner, name, revision, hash, Some(fifth)),
            _ => {
                return Err(ClaimError::Fields {
                    found: fields.len(),
                    expected,
                });
            }
        };
        let revision = some(revision).map(revision_of).transpose()?;
        place(owner, name, revision.as_deref())?;
        let common = Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
            revision,
            hash: some(hash).map(hash_of).transpose()?,
        };
        Ok((common, fifth))
    }
}

fn some(field: &str) -> Option<&str> {
    (field != NONE).then_some(field)
}

fn hash_of(text: &str) -> Result<Digest, ClaimError> {
    let bytes = BASE64_STANDARD.decode(text).ok();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .map(Digest)
        .ok_or_else(|| wrong("hash", text, "the base64 of a SHA-256"))
}

fn place(owner: &str, name: &str, revision: Option<&str>) -> Result<Location, ClaimError> {
    hub(&format!("{owner}/{name}"), revision, MODEL_FILE)
}

fn print(
    f: &mut fmt::Formatter<'_>,
    [owner, name]: [&str; 2],
    revision: Option<&str>,
    hash: Option<Digest>,
    fifth: Option<&str>,
) -> fmt::Result {
    let revision = revision.unwrap_or(NONE);
    let hash = hash.map_or(NONE.to_owned(), |hash| BASE64_STANDARD.encode(hash.0));
    write!(f, "{owner}:{name}:{revision}:{hash}")?;
    fifth.map_or(Ok(()), |fifth| write!(f, ":{fifth}"))
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.learning_rate.as_deref();
        let names = [&*self.owner, &*self.name];
        print(f, names, self.revision.as_deref(), self.hash, rate)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let competition = self.competition.as_deref();
        let names = [&*self.owner, &*self.name];
        print(f, names, self.revision.as_deref(), self.hash, competition)
    }
}

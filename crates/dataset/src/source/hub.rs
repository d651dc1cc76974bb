//! One file of a model repository of the Hub, kept below its revision.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::archive;
use super::fetch::below;
use super::transfer::{Client, Expected, Job};
use super::{Access, SourceError, at};

/// What to do when the Hub does not show a file.
const ADVICE: &str = "Set HF_TOKEN to a token that may read it; a gated model also wants its conditions accepted on its page";
/// The revision where none is named.
const USUAL: &str = "main";

/// A file of a repository: `owner/name/file`, or `owner/name@revision/file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubFile {
    /// Owner and name.
    pub repository: String,
    /// A branch, a tag, or the digest of a commit, which alone always means the same bytes.
    pub revision: String,
    /// Its path in the repository.
    pub file: String,
}

/// How patient one is with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How often a request is tried, 1 or more.
    pub attempts: u32,
    /// Pause before the second attempt; the next are twice as long each, and as long as the server asks for.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 6,
            pause: Duration::from_millis(500),
        }
    }
}

/// What a file must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Most bytes.
    pub most: Option<u64>,
    /// Its SHA-256.
    pub sha256: Option<[u8; 32]>,
}

/// The text names no file of the Hub.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no file of the Hub: write owner/name/file, or owner/name@revision/file")]
pub struct ParseHubFileError(String);

fn is_plain(part: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !part.is_empty() && !part.starts_with('.') && part.bytes().all(allowed)
}

/// Whether the text is `owner/name`.
pub(super) fn is_repository(text: &str) -> bool {
    let parts = text.split_once('/');
    parts.is_some_and(|(owner, name)| is_plain(owner) && is_plain(name))
}

impl FromStr for HubFile {
    type Err = ParseHubFileError;

    fn from_str(text: &str) -> Result<Self, ParseHubFileError> {
        let wrong = || ParseHubFileError(text.to_owned());
        let (owner, rest) = text.split_once('/').ok_or_else(wrong)?;
        let (name, file) = rest.split_once('/').ok_or_else(wrong)?;
        let (name, revision) = name.split_once('@').unwrap_or((name, USUAL));
        if ![owner, name, revision].into_iter().all(is_plain) || archive::inside(file).is_err() {
            return Err(wrong());
        }
        Ok(Self {
            repository: format!("{owner}/{name}"),
            revision: revision.to_owned(),
            file: file.to_owned(),
        })
    }
}

impl HubFile {
    /// Whether the revision is a commit, which alone always means the same bytes.
    pub fn is_pinned(&self) -> bool {
        let digits = self.revision.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.revision.len() == 40 && digits
    }

    /// Brings the file below `cache` and says where it is. One of a pinned revision that is there is not fetched again.
    ///
    /// # Errors
    /// When it cannot be fetched; see [`SourceError`].
    pub fn fetch(
        &self,
        access: &Access,
        cache: &Path,
        stop: &AtomicBool,
        progress: &dyn Fn(u64, Option<u64>),
    ) -> Result<PathBuf, SourceError> {
        let directory = cache.join(&self.repository).join(&self.revision);
        let path = directory.join(&self.file);
        if self.is_pinned() && path.is_file() {
            return Ok(path);
        }
        let folder = path.parent().unwrap_or(&directory);
        fs::create_dir_all(folder).map_err(at(folder))?;
        let client = Client::patient(Patience::default(), stop);
        client.fetch(&self.job(access, &path, Wanted::default()), progress)?;
        Ok(path)
    }

    /// Brings the file to `path`: going on with what an earlier attempt left beside it, within the size and of the digest
    /// that are wanted, and under its name only when it is whole and on disk. Returns the SHA-256.
    ///
    /// # Errors
    /// When it cannot be fetched or is not what is wanted; see [`SourceError`].
    pub fn fetch_to(
        &self,
        access: &Access,
        path: &Path,
        wanted: Wanted,
        patience: Patience,
        stop: &AtomicBool,
    ) -> Result<[u8; 32], SourceError> {
        let client = Client::patient(patience, stop);
        let fetched = client.fetch(&self.job(access, path, wanted), &|_, _| {})?;
        let mut digest = [0; 32];
        hex::decode_to_slice(&fetched.sha256, &mut digest)
            .map_err(|error| at(path)(io::Error::other(error)))?;
        Ok(digest)
    }

    fn job(&self, access: &Access, path: &Path, wanted: Wanted) -> Job {
        let place = format!(
            "{}/resolve/{}/{}",
            self.repository, self.revision, self.file
        );
        Job {
            name: self.file.clone(),
            url: below(&access.hub, &[], &place),
            authorization: access.hub_authorization.clone(),
            path: path.to_path_buf(),
            expected: Expected {
                size: None,
                sha256: wanted.sha256.map(hex::encode),
                most: wanted.most,
            },
            advice: ADVICE.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_paths_that_lead_elsewhere_are_not() {
        let read = |text: &str| text.parse::<HubFile>();
        let file = read("timm/efficientnet_b0.ra_in1k@v1.0/sub/model.safetensors").unwrap();
        assert_eq!(file.repository, "timm/efficientnet_b0.ra_in1k");
        assert_eq!(file.revision, "v1.0");
        assert_eq!(file.file, "sub/model.safetensors");
        assert!(!file.is_pinned());
        assert_eq!(read("a/b/c.pth").unwrap().revision, "main");
        let pinned = format!("a/b@{}/c.pth", "0a".repeat(20));
        assert!(read(&pinned).unwrap().is_pinned());
        for wrong in [
            "",
            "a",
            "a/b",
            "a/b/",
            "a/b/../c",
            "../b/c",
            "a/b@/c",
            "a/b@x y/c",
            "/a/b/c",
            "a/b//etc/passwd",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}

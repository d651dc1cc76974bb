//! What lies in a repository of the Hub that holds data, and since when: one revision of it, whole.

use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde::Deserialize;
use url::Url;

use super::fetch::below;
use super::hub::is_repository;
use super::transfer::{Client, Expected, Job};
use super::{Access, Patience, SourceError, archive, at};

/// Most pages of a list of files.
const MAX_PAGES: usize = 200;
/// Most files of a repository.
const MAX_FILES: usize = 20_000;
/// What to do when the Hub does not show a repository.
const ADVICE: &str = "Set HF_TOKEN to a token that may read it";

/// What a repository is for, as the Hub divides them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collection {
    /// Data.
    Datasets,
    /// Small applications, and what people put beside them.
    Spaces,
}

impl Collection {
    fn name(self) -> &'static str {
        match self {
            Self::Datasets => "datasets",
            Self::Spaces => "spaces",
        }
    }
}

/// The files of one revision of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Which kind of repository.
    pub collection: Collection,
    /// `owner/name`.
    pub repository: String,
    /// The commit.
    pub revision: String,
    /// The files, by path.
    pub files: Vec<ListedFile>,
}

/// One file of a [`Listing`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    /// Its path: relative, of plain names.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, where the Hub keeps it.
    pub sha256: Option<[u8; 32]>,
    /// When it was committed last, in seconds since 1970.
    pub committed: u64,
}

#[derive(Deserialize)]
struct Info {
    sha: String,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    lfs: Option<Pointer>,
    #[serde(rename = "lastCommit")]
    last_commit: Option<Commit>,
}

#[derive(Deserialize)]
struct Pointer {
    oid: String,
}

#[derive(Deserialize)]
struct Commit {
    date: String,
}

impl Listing {
    /// The newest revision of a repository.
    ///
    /// # Errors
    /// When the name is none, and when the Hub cannot be asked, refuses, or answers what is no such list.
    pub fn read(
        collection: Collection,
        repository: &str,
        access: &Access,
        patience: Patience,
        stop: &AtomicBool,
    ) -> Result<Self, SourceError> {
        if !is_repository(repository) {
            return Err(SourceError::Credentials(format!(
                "{repository:?} is no repository of the Hub: write owner/name"
            )));
        }
        let client = Client::patient(patience, stop);
        let api = |rest: &str| {
            let place = format!("{repository}{rest}");
            below(&access.hub, &["api", collection.name()], &place)
        };
        let mut job = Job {
            name: repository.to_owned(),
            url: api(""),
            authorization: access.hub_authorization.clone(),
            path: Default::default(),
            expected: Expected::default(),
            advice: ADVICE.to_owned(),
        };
        let wrong = |reason: &str| SourceError::Transfer {
            url: api("").to_string(),
            reason: format!("the Hub's answer cannot be used: {reason}"),
        };
        let info: Info = serde_json::from_value(client.json(&job)?)
            .map_err(|error| wrong(&error.to_string()))?;
        let is_revision = info.sha.bytes().all(|byte| byte.is_ascii_hexdigit());
        if info.sha.len() != 40 || !is_revision {
            return Err(wrong("it names no revision"));
        }
        let mut listing = Self {
            collection,
            repository: repository.to_owned(),
            revision: info.sha,
            files: Vec::new(),
        };
        let mut next = Some(api(&format!("/tree/{}", listing.revision)));
        if let Some(url) = &mut next {
            url.set_query(Some("recursive=true&expand=true"));
        }
        for _ in 0..MAX_PAGES {
            let Some(url) = next.take() else { break };
            job.url = url;
            let (page, following) = client.page(&job)?;
            let entries: Vec<Entry> =
                serde_json::from_value(page).map_err(|error| wrong(&error.to_string()))?;
            for entry in entries {
                listing.files.extend(entry.file());
            }
            if listing.files.len() > MAX_FILES {
                break;
            }
            next = following;
        }
        if next.is_some() || listing.files.len() > MAX_FILES {
            return Err(wrong("it lists more files than are read"));
        }
        listing.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(listing)
    }

    /// The bytes of a file, at most `most` of them.
    ///
    /// # Errors
    /// When it cannot be fetched or is larger.
    pub fn bytes(
        &self,
        file: &ListedFile,
        most: u64,
        access: &Access,
        patience: Patience,
        stop: &AtomicBool,
    ) -> Result<Vec<u8>, SourceError> {
        let too_large = |size| SourceError::TooLarge {
            name: file.path.clone(),
            size,
            limit: most,
        };
        if file.size > most {
            return Err(too_large(file.size));
        }
        let job = self.job(file, access, Path::new(""), most);
        let bytes = Client::patient(patience, stop).bytes(&job)?;
        match bytes.len() as u64 {
            size if size > most => Err(too_large(size)),
            _ => Ok(bytes),
        }
    }

    /// Brings a file of at most `most` bytes to `path`, going on with what an earlier attempt left beside it; its
    /// SHA-256.
    ///
    /// # Errors
    /// When it cannot be fetched, is larger, or not what was listed.
    pub fn fetch_to(
        &self,
        file: &ListedFile,
        path: &Path,
        most: u64,
        access: &Access,
        patience: Patience,
        stop: &AtomicBool,
    ) -> Result<[u8; 32], SourceError> {
        let job = self.job(file, access, path, most);
        let fetched = Client::patient(patience, stop).fetch(&job, &|_, _| {})?;
        let mut digest = [0; 32];
        hex::decode_to_slice(&fetched.sha256, &mut digest)
            .map_err(|error| at(path)(io::Error::other(error)))?;
        Ok(digest)
    }

    /// The file of this very revision, whatever happens to the repository meanwhile.
    fn job(&self, file: &ListedFile, access: &Access, path: &Path, most: u64) -> Job {
        let place = format!(
            "{}/resolve/{}/{}",
            self.repository, self.revision, file.path
        );
        let url: Url = below(&access.hub, &[self.collection.name()], &place);
        Job {
            name: file.path.clone(),
            url,
            authorization: access.hub_authorization.clone(),
            path: path.to_owned(),
            expected: Expected {
                size: None,
                sha256: file.sha256.map(hex::encode),
                most: Some(most),
            },
            advice: ADVICE.to_owned(),
        }
    }
}

impl Entry {
    /// The file, if it is one with a plain path and a date.
    fn file(self) -> Option<ListedFile> {
        if self.kind != "file" || archive::inside(&self.path).is_err() {
            return None;
        }
        let digest = |pointer: Pointer| {
            let mut digest = [0; 32];
            hex::decode_to_slice(pointer.oid, &mut digest).ok()?;
            Some(digest)
        };
        Some(ListedFile {
            committed: seconds(&self.last_commit?.date)?,
            path: self.path,
            size: self.size,
            sha256: self.lfs.and_then(digest),
        })
    }
}

/// `2026-01-20T14:20:29.000Z` in seconds since 1970; `None` for anything else and what was before.
fn seconds(date: &str) -> Option<u64> {
    let (day, time) = date.split_once('T')?;
    let time = time
        .strip_suffix('Z')
        .or_else(|| time.strip_suffix("+00:00"))?;
    let time = time.split_once('.').map_or(time, |(whole, _)| whole);
    let numbers = |text: &str, sign: char| -> Option<[u64; 3]> {
        let parts = text.split(sign).map(|part| {
            let plain = part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|_| plain && part.len() <= 4)
        });
        parts.collect::<Option<Vec<u64>>>()?.try_into().ok()
    };
    let [year, month, day] = numbers(day, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let is_date = (1970..=9999).contains(&year) && (1..=12).contains(&month);
    if !is_date || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days since 1970 in the Gregorian calendar, with years that begin in March.
    let year = if month > 2 { year } else { year - 1 };
    let leap_days = year / 4 - year / 100 + year / 400;
    let in_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    // From 1 March of the year 0.
    let days = (365 * year + leap_days + in_year).checked_sub(719_468)?;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_seconds_since_1970() {
        for (date, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00.000Z", 951_825_600),
            ("2024-03-01T00:00:01+00:00", 1_709_251_201),
            ("2026-01-20T14:20:29.000Z", 1_768_918_829),
        ] {
            assert_eq!(seconds(date), Some(expected), "{date}");
        }
        for wrong in [
            "",
            "yesterday",
            "2026-01-20",
            "2026-13-20T00:00:00Z",
            "2026-01-20T00:00:00+02:00",
            "2026-01-20T25:00:00Z",
            "1969-12-31T00:00:00Z",
            "+2026-01-20T00:00:00Z",
            "99999999999999999999-01-01T00:00:00Z",
        ] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_files_with_plain_paths_and_dates_are_listed() {
        let entry = |kind: &str, path: &str, date: Option<&str>| {
            let entry: Entry = serde_json::from_value(serde_json::json!({
                "type": kind, "path": path, "size": 7, "lfs": { "oid": "ab".repeat(32) },
                "lastCommit": date.map(|date| serde_json::json!({ "date": date })),
            }))
            .unwrap();
            entry.file()
        };
        let date = Some("1970-01-01T00:00:05Z");
        let file = entry("file", "data/a.zip", date).unwrap();
        assert_eq!((file.committed, file.size), (5, 7));
        assert_eq!(file.sha256, Some([0xab; 32]));
        assert_eq!(entry("directory", "data", date), None);
        assert_eq!(entry("file", "../a.zip", date), None);
        assert_eq!(entry("file", "data/a.zip", None), None);
    }
}

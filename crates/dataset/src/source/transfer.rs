//! One file over HTTP, whole or not at all: resumed where it was interrupted, tried again where that can help.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use md5::Md5;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use ureq::http::{HeaderMap, Response, StatusCode, header};
use url::Url;

use super::{Patience, ReceiptFile, SourceError, at};
use crate::files;

mod ask;
#[cfg(feature = "s3")]
mod look;

pub(crate) use ask::{Ask, Reply};
#[cfg(feature = "s3")]
pub(crate) use look::Seen;

/// Most bytes of one transferred file.
pub const MAX_FILE_BYTES: u64 = 64 << 30;
/// Most bytes of an answer that is read into memory.
const MAX_ANSWER: u64 = 64 << 20;
const MAX_REDIRECTS: usize = 8;
/// So many bytes further than ever before, and a broken transfer does not count as a failed attempt.
const ADVANCE: u64 = 1 << 20;
/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(60);
/// Longest pause before another attempt.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// Longest pause that a server can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(600);

/// What a file must be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    pub size: Option<u64>,
    /// In hex.
    pub sha256: Option<String>,
    /// Most bytes, where the size is not known.
    pub most: Option<u64>,
}

impl Expected {
    fn most(&self) -> u64 {
        let known = self.size.or(self.most);
        known.unwrap_or(MAX_FILE_BYTES).min(MAX_FILE_BYTES)
    }
}

/// A file to fetch.
#[derive(Clone)]
pub(crate) struct Job {
    /// Its name for people.
    pub name: String,
    pub url: Url,
    /// The `Authorization` header for the URL's own host, and no other.
    pub authorization: Option<String>,
    pub path: PathBuf,
    pub expected: Expected,
    /// What to do when the server refuses the user.
    pub advice: String,
}

/// Transfers files, and asks small questions.
pub(crate) struct Client<'a> {
    agent: ureq::Agent,
    attempts: u32,
    pause: Duration,
    stop: &'a AtomicBool,
}

/// What lies in a partial file, so that only the same file is continued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    url: String,
    /// A strong entity tag or a date, for `If-Range`.
    validator: Option<String>,
    total: Option<u64>,
    md5: Option<String>,
}

/// Why an attempt failed.
enum Trouble {
    /// Another attempt may succeed.
    Passing {
        reason: String,
        /// The pause that the server asked for.
        pause: Option<Duration>,
        /// Whether enough arrived that the attempts are counted anew.
        has_advanced: bool,
    },
    /// It will not.
    Lasting(SourceError),
}

impl Trouble {
    fn passing(reason: impl ToString, pause: Option<Duration>) -> Self {
        Self::Passing {
            reason: reason.to_string(),
            pause,
            has_advanced: false,
        }
    }
}

impl From<SourceError> for Trouble {
    fn from(error: SourceError) -> Self {
        Self::Lasting(error)
    }
}

impl<'a> Client<'a> {
    /// A client that tries `attempts` times, pausing `pause`, then twice as long, and so on.
    pub fn new(attempts: u32, pause: Duration, stop: &'a AtomicBool) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // Followed here, where the credentials can be left behind.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(Duration::from_secs(30)))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .user_agent(concat!("agon/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        Self {
            agent,
            attempts,
            pause,
            stop,
        }
    }

    /// A client as patient as that.
    pub fn patient(patience: Patience, stop: &'a AtomicBool) -> Self {
        Self::new(patience.attempts, patience.pause, stop)
    }

    /// A small JSON answer.
    pub fn json(&self, job: &Job) -> Result<serde_json::Value, SourceError> {
        let bytes = self.bytes(job)?;
        serde_json::from_slice(&bytes).map_err(|error| SourceError::Transfer {
            url: shown(&job.url),
            reason: format!("the answer is not the JSON that was asked for: {error}"),
        })
    }

    /// A small JSON answer, and the address of the next page if the server names one of its own.
    pub fn page(&self, job: &Job) -> Result<(serde_json::Value, Option<Url>), SourceError> {
        let (bytes, next) = self.with_attempts(&job.url, || {
            let mut answer = self.get(job, &[])?.0;
            check_status(&answer, job)?;
            let link = text(answer.headers(), header::LINK);
            let body = answer.body_mut().with_config().limit(MAX_ANSWER);
            let body = body.read_to_vec();
            Ok((body.map_err(|error| Trouble::passing(error, None))?, link))
        })?;
        let next = match next.as_deref().and_then(next_page) {
            None => None,
            Some(address) => {
                let next = job.url.join(address).ok();
                let own = next.filter(|next| next.origin() == job.url.origin());
                Some(own.ok_or_else(|| SourceError::Transfer {
                    url: shown(&job.url),
                    reason: "its next page is on another host".to_owned(),
                })?)
            }
        };
        let value = serde_json::from_slice(&bytes).map_err(|error| SourceError::Transfer {
            url: shown(&job.url),
            reason: format!("the answer is not the JSON that was asked for: {error}"),
        })?;
        Ok((value, next))
    }

    /// A small answer.
    pub fn bytes(&self, job: &Job) -> Result<Vec<u8>, SourceError> {
        self.with_attempts(&job.url, || {
            let mut answer = self.get(job, &[])?.0;
            check_status(&answer, job)?;
            let body = answer.body_mut().with_config().limit(MAX_ANSWER);
            body.read_to_vec()
                .map_err(|error| Trouble::passing(error, None))
        })
    }

    /// Fetches a file to its path. What is there of an earlier attempt is continued if the server still has the same.
    /// The file has its size and digest checked and is on disk before it gets its name.
    ///
    /// `progress` is called with the bytes that are there and their total, where the server says it.
    pub fn fetch(
        &self,
        job: &Job,
        progress: &dyn Fn(u64, Option<u64>),
    ) -> Result<ReceiptFile, SourceError> {
        let mut is_second = false;
        loop {
            let (mut was_resumed, mut reached) = (false, 0);
            let part = self.with_attempts(&job.url, || {
                let resumed = self.attempt(job, &mut reached, progress)?;
                was_resumed |= resumed.1;
                Ok(resumed.0)
            })?;
            match finish(job, &part) {
                // Two halves of different files may have met: once more from the start.
                Err(SourceError::Mismatch { .. }) if was_resumed && !is_second => is_second = true,
                finished => return finished,
            }
        }
    }

    /// Repeats `attempt` while its trouble may pass.
    fn with_attempts<T>(
        &self,
        url: &Url,
        mut attempt: impl FnMut() -> Result<T, Trouble>,
    ) -> Result<T, SourceError> {
        let mut failures = 0;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(SourceError::Stopped);
            }
            let (reason, asked) = match attempt() {
                Ok(done) => return Ok(done),
                Err(Trouble::Lasting(error)) => return Err(error),
                Err(Trouble::Passing {
                    reason,
                    pause,
                    has_advanced,
                }) => {
                    failures = if has_advanced { 1 } else { failures + 1 };
                    (reason, pause)
                }
            };
            if failures >= self.attempts {
                return Err(SourceError::Transfer {
                    url: shown(url),
                    reason: format!("{reason} ({failures} attempts)"),
                });
            }
            let doubled = self.pause.saturating_mul(1 << (failures - 1).min(16));
            let pause = asked.unwrap_or(doubled.min(MAX_PAUSE));
            self.sleep(pause)?;
        }
    }

    fn sleep(&self, pause: Duration) -> Result<(), SourceError> {
        let until = Instant::now() + pause;
        while Instant::now() < until {
            if self.stop.load(Ordering::Relaxed) {
                return Err(SourceError::Stopped);
            }
            let left = until.saturating_duration_since(Instant::now());
            thread::sleep(left.min(Duration::from_millis(100)));
        }
        Ok(())
    }

    /// Asks for the file, with further headers, and follows redirects. Credentials go to the job's own host only. Also
    /// returns the digest that some server on the way announced.
    fn get(
        &self,
        job: &Job,
        headers: &[(header::HeaderName, String)],
    ) -> Result<(Response<ureq::Body>, Option<String>), Trouble> {
        let mut url = job.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self.agent.get(url.as_str());
            if let Some(authorization) = &job.authorization
                && url.origin() == job.url.origin()
            {
                request = request.header(header::AUTHORIZATION, authorization);
            }
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let answer = request
                .call()
                .map_err(|error| Trouble::passing(error, None))?;
            let target = text(answer.headers(), header::LOCATION);
            match (answer.status().is_redirection(), target) {
                (true, Some(target)) => {
                    let lasting = |reason: &str| {
                        Trouble::Lasting(SourceError::Transfer {
                            url: shown(&job.url),
                            reason: reason.to_owned(),
                        })
                    };
                    let next = url
                        .join(&target)
                        .map_err(|_| lasting("it redirects to what is no address"))?;
                    let is_downgrade = url.scheme() == "https" && next.scheme() != "https";
                    if is_downgrade || !matches!(next.scheme(), "http" | "https") {
                        return Err(lasting("it redirects to an address that is not private"));
                    }
                    url = next;
                }
                _ => {
                    let md5 = announced_md5(answer.headers());
                    return Ok((answer, md5));
                }
            }
        }
        Err(Trouble::Lasting(SourceError::Transfer {
            url: shown(&job.url),
            reason: format!("more than {MAX_REDIRECTS} redirects"),
        }))
    }

    /// One attempt to complete the partial file. Says whether it continued an earlier one. `reached` is the greatest
    /// length that any attempt got to.
    fn attempt(
        &self,
        job: &Job,
        reached: &mut u64,
        progress: &dyn Fn(u64, Option<u64>),
    ) -> Result<(Part, bool), Trouble> {
        let path = part_path(&job.path);
        let known = read_part(job);
        let have = fs::metadata(&path).map_or(0, |file| file.len());
        let from = known
            .as_ref()
            .and_then(|part| part.validator.as_deref())
            .filter(|_| have > 0)
            .map(|validator| (have, validator));
        if let (Some(part), Some(_)) = (&known, from)
            && part.total == Some(have)
        {
            return Ok((part.clone(), true));
        }
        // The rest of the very state that the part was of.
        let range = from.map(|(start, validator)| {
            [
                (header::RANGE, format!("bytes={start}-")),
                (header::IF_RANGE, validator.to_owned()),
            ]
        });
        let (mut answer, md5) = self.get(job, range.as_ref().map_or(&[][..], |it| &it[..]))?;
        let is_continued = match answer.status() {
            StatusCode::PARTIAL_CONTENT if from.is_some() => true,
            StatusCode::RANGE_NOT_SATISFIABLE if from.is_some() => {
                let _ = fs::remove_file(&path);
                let reason = "the file has changed at its source";
                return Err(Trouble::passing(reason, Some(Duration::ZERO)));
            }
            _ => {
                check_status(&answer, job)?;
                false
            }
        };
        let headers = answer.headers();
        let lasting = |reason: String| {
            Trouble::Lasting(SourceError::Transfer {
                url: shown(&job.url),
                reason,
            })
        };
        if text(headers, header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
            return Err(lasting("it is encoded, which was not asked for".to_owned()));
        }
        let start = if is_continued { have } else { 0 };
        let total = if is_continued {
            let range = text(headers, header::CONTENT_RANGE).unwrap_or_default();
            match parse_range(&range) {
                Some((from, total)) if from == have => total,
                _ => {
                    return Err(lasting(format!(
                        "it answers with the wrong range {range:?}"
                    )));
                }
            }
        } else {
            text(headers, header::CONTENT_LENGTH).and_then(|length| length.parse().ok())
        };
        let most = job.expected.most();
        if let Some(total) = total.filter(|total| *total > most) {
            let _ = fs::remove_file(&path);
            return Err(Trouble::Lasting(too_large(job, total)));
        }
        let part = Part {
            url: shown(&job.url),
            validator: validator(headers),
            total,
            md5: md5.or_else(|| known.filter(|_| is_continued).and_then(|part| part.md5)),
        };
        write_part(job, &part)?;
        let place = (start, most);
        let written = self.receive(job, &mut answer, place, &part, reached, progress)?;
        if total.is_some_and(|total| written < total) {
            let reason = format!("the transfer broke off after {written} bytes");
            return Err(Trouble::passing(reason, None));
        }
        Ok((part, is_continued))
    }

    /// Writes the body into the partial file from `start` on; returns how long that is now, `most` bytes at most.
    fn receive(
        &self,
        job: &Job,
        answer: &mut Response<ureq::Body>,
        (start, most): (u64, u64),
        part: &Part,
        reached: &mut u64,
        progress: &dyn Fn(u64, Option<u64>),
    ) -> Result<u64, Trouble> {
        let path = part_path(&job.path);
        let io_error = |error| Trouble::Lasting(at(&path)(error));
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(io_error)?;
        file.set_len(start).map_err(io_error)?;
        file.seek(io::SeekFrom::Start(start)).map_err(io_error)?;
        let mut body = answer.body_mut().with_config().limit(u64::MAX).reader();
        let mut written = start;
        let before = start.max(*reached);
        let mut buffer = vec![0; 64 << 10];
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Trouble::Lasting(SourceError::Stopped));
            }
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => {
                    let reason = format!("the transfer broke off after {written} bytes: {error}");
                    return Err(Trouble::Passing {
                        reason,
                        pause: None,
                        // What an earlier attempt had already is no advance: a server that cannot go on where it
                        // broke off would be asked for ever.
                        has_advanced: written >= before + ADVANCE,
                    });
                }
            };
            written += count as u64;
            if written > most {
                let _ = fs::remove_file(&path);
                return Err(Trouble::Lasting(too_large(job, written)));
            }
            file.write_all(&buffer[..count]).map_err(io_error)?;
            *reached = written.max(*reached);
            progress(written, part.total);
        }
        file.sync_all().map_err(io_error)?;
        Ok(written)
    }
}

/// Checks size and digests of a complete partial file and gives it its name. What does not fit is removed.
fn finish(job: &Job, part: &Part) -> Result<ReceiptFile, SourceError> {
    let path = part_path(&job.path);
    let mut file = File::open(&path).map_err(at(&path))?;
    let (mut sha256, mut md5) = (Sha256::new(), Md5::new());
    let mut size = 0;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = file.read(&mut buffer).map_err(at(&path))?;
        if count == 0 {
            break;
        }
        size += count as u64;
        sha256.update(&buffer[..count]);
        if part.md5.is_some() {
            md5.update(&buffer[..count]);
        }
    }
    let sha256 = hex::encode(sha256.finalize());
    let size_wanted = job.expected.size.or(part.total);
    let checks = [
        (
            "size",
            size.to_string(),
            size_wanted.map(|size| size.to_string()),
        ),
        (
            "SHA-256",
            sha256.clone(),
            job.expected
                .sha256
                .as_ref()
                .map(|wanted| wanted.to_lowercase()),
        ),
        ("MD5", hex::encode(md5.finalize()), part.md5.clone()),
    ];
    for (what, found, wanted) in checks {
        if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
            for path in [&path, &notes_path(&job.path)] {
                fs::remove_file(path).map_err(at(path))?;
            }
            return Err(SourceError::Mismatch {
                name: job.name.clone(),
                what,
                found,
                wanted,
            });
        }
    }
    fs::rename(&path, &job.path).map_err(at(&job.path))?;
    let notes = notes_path(&job.path);
    fs::remove_file(&notes).map_err(at(&notes))?;
    if let Some(folder) = job.path.parent() {
        files::sync_directory(folder).map_err(at(folder))?;
    }
    Ok(ReceiptFile {
        path: shown(&job.url),
        size,
        sha256,
    })
}

/// An address without its query, which may hold a signature.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Cannot fail for an address with a host; a password is nothing to show either.
    let _ = url.set_password(None);
    url.to_string()
}

fn part_path(path: &Path) -> PathBuf {
    with_ending(path, ".part")
}

fn notes_path(path: &Path) -> PathBuf {
    with_ending(path, ".part.json")
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// The notes of an earlier attempt at the same address.
fn read_part(job: &Job) -> Option<Part> {
    let bytes = files::read_capped(&notes_path(&job.path), MAX_ANSWER).ok()?;
    let part: Part = serde_json::from_slice(&bytes).ok()?;
    (part.url == shown(&job.url)).then_some(part)
}

fn write_part(job: &Job, part: &Part) -> Result<(), SourceError> {
    let path = notes_path(&job.path);
    let text = serde_json::to_vec(part).map_err(|error| at(&path)(error.into()))?;
    files::write_atomically(&path, &text).map_err(at(&path))
}

fn too_large(job: &Job, size: u64) -> SourceError {
    SourceError::TooLarge {
        name: job.name.clone(),
        size,
        limit: job.expected.most(),
    }
}

/// Which answers are none.
fn check_status(answer: &Response<ureq::Body>, job: &Job) -> Result<(), Trouble> {
    match answer.status() {
        StatusCode::OK => Ok(()),
        _ => Err(refusal(answer, &job.url, &job.advice)),
    }
}

/// What an answer that is none means.
fn refusal(answer: &Response<ureq::Body>, url: &Url, advice: &str) -> Trouble {
    let status = answer.status();
    let url = shown(url);
    match status.as_u16() {
        401 | 403 => Trouble::Lasting(SourceError::Credentials(format!(
            "{url} refuses (status {status}). {advice}"
        ))),
        404 | 410 => Trouble::Lasting(SourceError::NotFound { url }),
        408 | 425 | 429 | 500..=599 => {
            let asked = text(answer.headers(), header::RETRY_AFTER);
            let seconds = asked.and_then(|seconds| seconds.parse().ok());
            let pause = seconds.map(Duration::from_secs);
            let reason = format!("the server answers {status}");
            match pause.filter(|pause| *pause > MAX_RETRY_AFTER) {
                Some(pause) => Trouble::Lasting(SourceError::Transfer {
                    url,
                    reason: format!("{reason} and asks to come back in {} s", pause.as_secs()),
                }),
                None => Trouble::passing(reason, pause),
            }
        }
        _ => Trouble::Lasting(SourceError::Transfer {
            url,
            reason: format!("the server answers {status}{}", explained(answer.headers())),
        }),
    }
}

/// What the Hub says about a request that it does not like.
fn explained(headers: &HeaderMap) -> String {
    let said = headers.get("x-error-message");
    let said = said.and_then(|said| said.to_str().ok()).unwrap_or_default();
    match said.is_empty() {
        true => String::new(),
        false => format!(": {}", said.chars().take(200).collect::<String>()),
    }
}

/// The address in `<https://host/path>; rel="next"`.
fn next_page(link: &str) -> Option<&str> {
    link.split(',').find_map(|part| {
        let (address, relation) = part.trim().split_once(';')?;
        let address = address.trim().strip_prefix('<')?.strip_suffix('>')?;
        relation.contains("rel=\"next\"").then_some(address)
    })
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.trim().to_owned())
}

/// What `If-Range` can be asked with: a strong entity tag, else the date of the last change.
fn validator(headers: &HeaderMap) -> Option<String> {
    text(headers, header::ETAG)
        .filter(|tag| !tag.starts_with("W/"))
        .or_else(|| text(headers, header::LAST_MODIFIED))
}

/// The start and the total of `bytes 5-9/10`.
fn parse_range(range: &str) -> Option<(u64, Option<u64>)> {
    let (span, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (start, _) = span.split_once('-')?;
    let total = match total {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    Some((start.trim().parse().ok()?, total))
}

/// The MD5 in `x-goog-hash`, which Kaggle's storage sends, in hex.
fn announced_md5(headers: &HeaderMap) -> Option<String> {
    use base64::Engine;
    headers
        .get_all("x-goog-hash")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|part| part.trim().strip_prefix("md5="))
        .filter_map(|md5| base64::prelude::BASE64_STANDARD.decode(md5).ok())
        .find(|md5| md5.len() == 16)
        .map(hex::encode)
}

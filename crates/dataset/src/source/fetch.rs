//! A data set into a directory of its name.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use super::archive::{self, UnpackError};
use super::receipt::{self, RECEIPT, Receipt, ReceiptFile};
use super::transfer::{Client, Expected, Job, shown};
use super::{Access, DataSet, Origin, SourceError, at};
use crate::files;

/// Most files that a repository may list.
const MAX_FILES: usize = 100_000;
/// Held by the process that fetches, in the hidden directory.
const LOCK: &str = ".lock";

/// How to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the sets' directories lie.
    pub output: PathBuf,
    /// Most transfers at once, 1 or more.
    pub parallel: usize,
    /// How often a transfer is tried before it fails, 1 or more.
    pub attempts: u32,
    /// Pause before the second attempt; the next are twice as long each.
    pub pause: Duration,
    /// Keep archives beside what was unpacked.
    pub keep_archives: bool,
}

/// What a fetch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Bytes arrive.
    Transfer,
    /// An archive is unpacked.
    Unpack,
}

/// How far a file is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Name of the file.
    pub file: &'a str,
    /// What is done with it.
    pub step: Step,
    /// Bytes done.
    pub done: u64,
    /// All bytes, where that is known.
    pub total: Option<u64>,
}

/// Who watches and who can stop a fetch.
pub struct Watch<'a> {
    /// Ends the work soon when it becomes true; it can be continued.
    pub stop: &'a AtomicBool,
    /// Called often, from several threads.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// What became of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// It was there already; nothing was transferred.
    Present {
        /// Its directory.
        directory: PathBuf,
    },
    /// It is there now.
    Fetched {
        /// Its directory.
        directory: PathBuf,
        /// Bytes of what was transferred.
        bytes: u64,
        /// Files in the directory.
        files: usize,
        /// Archives of a kind that is not unpacked here.
        packed: Vec<String>,
    },
}

/// The addresses that fetching a set begins with, and where it will lie. Asks nobody.
pub fn steps(set: &DataSet, access: &Access) -> Result<Vec<String>, SourceError> {
    let urls = match set.origin {
        Origin::Kaggle(id) => vec![kaggle_url(access, id)],
        Origin::HuggingFace(id) => vec![hub_list_url(access, id)],
        Origin::Direct(files) => files
            .iter()
            .map(|file| direct_url(access, file.url))
            .collect::<Result<_, _>>()?,
    };
    Ok(urls.iter().map(shown).collect())
}

/// Brings a data set into `<output>/<key>`, unless a complete one is there.
///
/// Everything is transferred, checked and unpacked in `<output>/.unfinished-<key>`, which gets the set's name at the
/// end; an interrupted or failed fetch goes on from there.
pub fn fetch(
    set: &DataSet,
    access: &Access,
    settings: &Settings,
    watch: &Watch,
) -> Result<Outcome, SourceError> {
    let directory = settings.output.join(set.key);
    if directory.join(RECEIPT).is_file() {
        return Ok(Outcome::Present { directory });
    }
    if directory.exists() {
        return Err(SourceError::NoReceipt {
            reason: format!(
                "it is there without a {RECEIPT}; remove it or choose another --output-dir"
            ),
            path: directory,
        });
    }
    if matches!(set.origin, Origin::Kaggle(_)) && !access.knows_kaggle() {
        return Err(SourceError::Credentials(format!(
            "{} comes from Kaggle, which needs a token: {KAGGLE_ADVICE}",
            set.key
        )));
    }
    let staging = settings
        .output
        .join(format!("{}{}", files::TEMPORARY_PREFIX, set.key));
    fs::create_dir_all(&staging).map_err(at(&staging))?;
    let lock_path = staging.join(LOCK);
    let lock = File::create(&lock_path).map_err(at(&lock_path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(SourceError::Busy(directory)),
        Err(TryLockError::Error(error)) => return Err(at(&lock_path)(error)),
    }
    let client = Client::new(settings.attempts, settings.pause, watch.stop);
    let (jobs, revision) = jobs(set, access, &client, &staging)?;
    let mut packed = Vec::new();
    let mut receipt = Receipt {
        dataset: set.key.to_owned(),
        origin: format!("{} {}", set.kind().name(), set.id()),
        revision,
        transferred: Vec::new(),
        files: Vec::new(),
    };
    for done in fetch_all(&jobs, &client, settings, watch)? {
        receipt.transferred.push(done.transferred);
        receipt.files.extend(done.files);
        packed.extend(done.packed);
    }
    receipt.files.sort_by(|a, b| a.path.cmp(&b.path));
    let bytes = receipt.transferred.iter().map(|file| file.size).sum();
    let text = serde_json::to_vec_pretty(&receipt).map_err(|error| at(&staging)(error.into()))?;
    for path in notes(&staging)? {
        fs::remove_file(&path).map_err(at(&path))?;
    }
    let path = staging.join(RECEIPT);
    files::write_atomically(&path, &text).map_err(at(&path))?;
    fs::remove_file(&lock_path).map_err(at(&lock_path))?;
    fs::rename(&staging, &directory).map_err(at(&directory))?;
    files::sync_directory(&settings.output).map_err(at(&settings.output))?;
    Ok(Outcome::Fetched {
        directory,
        bytes,
        files: receipt.files.len(),
        packed,
    })
}

const KAGGLE_ADVICE: &str = "make one on https://www.kaggle.com/settings (Create New Token) and save it as \
    ~/.kaggle/kaggle.json, or set KAGGLE_USERNAME and KAGGLE_KEY; some data sets also want their rules accepted on \
    their page";

fn kaggle_url(access: &Access, id: &str) -> Url {
    below(&access.kaggle, &["datasets", "download"], id)
}

fn hub_list_url(access: &Access, id: &str) -> Url {
    let mut url = below(&access.hub, &["api", "datasets"], id);
    url.set_query(Some("blobs=true"));
    url
}

/// The address with these segments and those of `rest` at its end, each encoded.
pub(super) fn below(url: &Url, first: &[&str], rest: &str) -> Url {
    let mut url = url.clone();
    // Cannot fail: an endpoint is http or https.
    if let Ok(mut segments) = url.path_segments_mut() {
        segments
            .pop_if_empty()
            .extend(first)
            .extend(rest.split('/'));
    }
    url
}

/// An address of the catalogue, at the mirror if there is one.
fn direct_url(access: &Access, url: &str) -> Result<Url, SourceError> {
    let wrong = |_| SourceError::Transfer {
        url: url.to_owned(),
        reason: "it is no address".to_owned(),
    };
    let url = Url::parse(url).map_err(wrong)?;
    Ok(match &access.direct {
        Some(mirror) => below(mirror, &[], url.path().trim_start_matches('/')),
        None => url,
    })
}

/// The part of the Hub's answer that is read.
#[derive(Deserialize)]
struct HubAnswer {
    sha: String,
    siblings: Vec<HubFile>,
}

#[derive(Deserialize)]
struct HubFile {
    rfilename: String,
    size: Option<u64>,
    lfs: Option<HubLargeFile>,
}

#[derive(Deserialize)]
struct HubLargeFile {
    sha256: String,
}

/// What to transfer, and the revision that the source names.
fn jobs(
    set: &DataSet,
    access: &Access,
    client: &Client,
    staging: &Path,
) -> Result<(Vec<Job>, Option<String>), SourceError> {
    let job = |name: &str, url, authorization: &Option<String>, advice: &str| Job {
        name: format!("{}/{name}", set.key),
        url,
        authorization: authorization.clone(),
        path: staging.join(name),
        expected: Expected::default(),
        advice: advice.to_owned(),
    };
    match set.origin {
        Origin::Kaggle(id) => {
            let name = format!("{}.zip", id.rsplit('/').next().unwrap_or(id));
            let advice = format!("Is the token right? {KAGGLE_ADVICE}");
            let url = kaggle_url(access, id);
            Ok((
                vec![job(&name, url, &access.kaggle_authorization, &advice)],
                None,
            ))
        }
        Origin::Direct(files) => {
            let jobs = files.iter().map(|file| {
                let url = direct_url(access, file.url)?;
                let advice =
                    "The address may have moved; `agon data list tricorder` shows the others.";
                Ok(job(file.name, url, &None, advice))
            });
            Ok((jobs.collect::<Result<_, SourceError>>()?, None))
        }
        Origin::HuggingFace(id) => {
            let advice = format!(
                "Set HF_TOKEN to a token of {}settings/tokens; a gated data set also wants its conditions accepted \
                 on its page",
                below(&access.hub, &[""], "")
            );
            let authorization = &access.hub_authorization;
            let list = job("list", hub_list_url(access, id), authorization, &advice);
            let answer = client.json(&list)?;
            let wrong = |reason: String| SourceError::Transfer {
                url: shown(&list.url),
                reason,
            };
            let answer: HubAnswer = serde_json::from_value(answer)
                .map_err(|error| wrong(format!("not a list of files: {error}")))?;
            let is_revision = answer.sha.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !is_revision || answer.sha.is_empty() || answer.siblings.len() > MAX_FILES {
                return Err(wrong("not a list of files of one revision".to_owned()));
            }
            let mut jobs = Vec::new();
            let mut taken = BTreeSet::new();
            for file in answer.siblings {
                let name = file.rfilename;
                let inside = archive::inside(&name).map_err(|error| wrong(error.to_string()))?;
                // The repository's own settings.
                if name.starts_with('.') {
                    continue;
                }
                if !taken.insert(inside.clone()) {
                    return Err(wrong(format!("it lists {name:?} twice")));
                }
                if let Some(folder) = staging.join(&inside).parent() {
                    fs::create_dir_all(folder).map_err(at(folder))?;
                }
                // The file of this very revision, whatever happens to the repository meanwhile.
                let path = format!("{id}/resolve/{}/{name}", answer.sha);
                let url = below(&access.hub, &["datasets"], &path);
                let mut job = job(&name, url, authorization, &advice);
                job.path = staging.join(inside);
                job.expected = Expected {
                    size: file.size,
                    sha256: file.lfs.map(|lfs| lfs.sha256),
                    most: None,
                };
                jobs.push(job);
            }
            Ok((jobs, Some(answer.sha)))
        }
    }
}

/// A job that is done.
#[derive(Serialize, Deserialize)]
struct Done {
    transferred: ReceiptFile,
    files: Vec<ReceiptFile>,
    packed: Vec<String>,
}

/// Does all jobs, a bounded number at once, in their order. After the first failure no further one is begun.
fn fetch_all(
    jobs: &[Job],
    client: &Client,
    settings: &Settings,
    watch: &Watch,
) -> Result<Vec<Done>, SourceError> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<Done, SourceError>>>> =
        Mutex::new(jobs.iter().map(|_| None).collect());
    let has_failed = AtomicBool::new(false);
    let set = |position: usize, result: Result<Done, SourceError>| {
        if result.is_err() {
            has_failed.store(true, Ordering::Relaxed);
        }
        let mut results = results
            .lock()
            .expect("nothing panics while it holds the results");
        results[position] = Some(result);
    };
    thread::scope(|scope| {
        for _ in 0..settings.parallel.clamp(1, 64).min(jobs.len()) {
            scope.spawn(|| {
                while !has_failed.load(Ordering::Relaxed) {
                    let position = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(position) else {
                        return;
                    };
                    set(position, do_job(job, client, settings, watch));
                }
            });
        }
    });
    let results = results.into_inner().expect("no thread is left to hold it");
    let mut done = Vec::new();
    let mut failed = None;
    for result in results.into_iter().flatten() {
        match result {
            Ok(job) => done.push(job),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(done), Err)
}

/// Transfers one file and unpacks it if it is an archive. What an earlier run finished is not done again.
fn do_job(
    job: &Job,
    client: &Client,
    settings: &Settings,
    watch: &Watch,
) -> Result<Done, SourceError> {
    let notes = notes_path(&job.path);
    if let Ok(bytes) = fs::read(&notes)
        && let Ok(done) = serde_json::from_slice(&bytes)
    {
        return Ok(done);
    }
    let tell = |step, done, total| {
        (watch.progress)(Progress {
            file: &job.name,
            step,
            done,
            total,
        });
    };
    let transferred = match job.path.is_file() {
        // Transferred and checked by an earlier run that was stopped before it was unpacked.
        true => {
            let (size, sha256) = receipt::digest(&job.path).map_err(at(&job.path))?;
            ReceiptFile {
                path: shown(&job.url),
                size,
                sha256,
            }
        }
        false => client.fetch(job, &|done, total| tell(Step::Transfer, done, total))?,
    };
    let staging = job.path.parent().unwrap_or(Path::new("."));
    let mut files = Vec::new();
    let mut packed = Vec::new();
    if let Some(what) = archive::mistaken(&job.path).map_err(at(&job.path))? {
        fs::remove_file(&job.path).map_err(at(&job.path))?;
        return Err(SourceError::NotData {
            name: job.name.clone(),
            what,
            advice: job.advice.clone(),
        });
    }
    let format = archive::format(&job.path).map_err(at(&job.path))?;
    if let Some(format) = format {
        let target = unpacked_path(&job.path);
        // What an interrupted run left of it.
        match fs::remove_dir_all(&target) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(at(&target)(error));
            }
            _ => {}
        }
        let unpacked = archive::unpack(&job.path, format, &target, watch.stop, &|done| {
            tell(Step::Unpack, done, Some(transferred.size));
        });
        let folder = target.strip_prefix(staging).unwrap_or(&target);
        let folder = folder.to_string_lossy().into_owned();
        let unpacked = unpacked.map_err(|reason| match reason {
            UnpackError::Stopped => SourceError::Stopped,
            reason => {
                // An archive that is no good is fetched anew by the next run; a full disk is not its fault.
                if !matches!(reason, UnpackError::Io(_)) {
                    let _ = fs::remove_file(&job.path);
                }
                SourceError::Unpack {
                    path: job.path.clone(),
                    reason,
                }
            }
        })?;
        for mut file in unpacked {
            file.path = format!("{folder}/{}", file.path);
            files.push(file);
        }
    }
    let is_kept = format.is_none() || settings.keep_archives;
    if is_kept {
        let path = job.path.strip_prefix(staging).unwrap_or(&job.path);
        files.push(ReceiptFile {
            path: path.to_string_lossy().into_owned(),
            ..transferred.clone()
        });
    }
    if format.is_none() && files::is_packed(&job.path) {
        packed.push(job.name.clone());
    }
    let done = Done {
        transferred,
        files,
        packed,
    };
    let text = serde_json::to_vec(&done).map_err(|error| at(&notes)(error.into()))?;
    files::write_atomically(&notes, &text).map_err(at(&notes))?;
    if !is_kept {
        fs::remove_file(&job.path).map_err(at(&job.path))?;
    }
    Ok(done)
}

/// The directory beside an archive: its name without its endings.
fn unpacked_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match archive::stem(&name) {
        Some(stem) => path.with_file_name(stem),
        None => path.with_file_name(format!("{name}-unpacked")),
    }
}

/// What is remembered of a job that is done, until the set is complete.
fn notes_path(path: &Path) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(NOTES);
    path.into()
}

const NOTES: &str = ".done.json";

/// All notes in the hidden directory.
fn notes(staging: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let mut found = Vec::new();
    let mut folders = vec![staging.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(at(&folder))? {
            let entry = entry.map_err(at(&folder))?;
            let kind = entry.file_type().map_err(at(&folder))?;
            let path = entry.path();
            if kind.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(NOTES) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

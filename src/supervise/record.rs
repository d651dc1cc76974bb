//! What is kept of a service, and how it stands by what is kept and by who holds its locks.

use super::log::Rotation;
use super::policy::Restart;
use crate::memory::{self, Memory};
use anyhow::{Context, Result, anyhow, bail};
use rustix::process::Pid;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{DirBuilder, File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Version of the record's form.
const SCHEMA: u32 = 1;
/// The longest name.
const LONGEST_NAME: usize = 64;
/// A look at a lock takes it for an instant: who finds it taken looks again so often, this far apart.
const LOOKS: u32 = 10;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// A service's name. It is part of file names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        match begins && text.len() <= LONGEST_NAME && text.chars().all(good) {
            true => Ok(Self(text.to_owned())),
            false => Err(format!(
                "a name is a letter or digit, then letters, digits, - and _, {LONGEST_NAME} at most"
            )),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Everything that is kept of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    schema: u32,
    /// What was asked for.
    pub definition: Definition,
    /// What became of it.
    pub status: Status,
}

impl Record {
    /// A service that has just been asked for.
    pub fn new(definition: Definition, last_end: Option<End>) -> Self {
        Self {
            schema: SCHEMA,
            definition,
            status: Status {
                phase: Phase::Starting,
                since: now(),
                supervisor: None,
                process: None,
                restarts: 0,
                last_end,
            },
        }
    }
}

/// What a service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// The binary that is run.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Where it runs.
    pub directory: PathBuf,
    /// When a log file is put aside and how many are kept.
    pub log: Rotation,
    /// When it is started again.
    pub restart: Restart,
}

/// What became of a service, as its supervisor wrote it last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// How it stands.
    pub phase: Phase,
    /// Since when, in milliseconds since 1970.
    pub since: u64,
    /// The supervisor's process.
    pub supervisor: Option<i32>,
    /// The command's process and process group.
    pub process: Option<i32>,
    /// How often it was started again since `service start`.
    pub restarts: u32,
    /// How it ended last.
    pub last_end: Option<End>,
}

/// A step in a service's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Phase {
    /// Its supervisor is on its way.
    Starting,
    /// The command runs.
    Running,
    /// The command failed and is started again at this time, in milliseconds since 1970.
    Waiting {
        /// When.
        until: u64,
    },
    /// It was told to stop.
    Stopping,
    /// It was stopped, or it was done.
    Stopped,
    /// It is not started again.
    Failed {
        /// Why not.
        reason: String,
    },
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Its exit status, unless a signal ended it.
    pub status: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// When, in milliseconds since 1970.
    pub at: u64,
}

impl End {
    /// The end that the system reports, now.
    pub fn of(status: ExitStatus) -> Self {
        Self {
            status: status.code(),
            signal: status.signal(),
            at: now(),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.status, self.signal) {
            (Some(status), _) => write!(f, "status {status}"),
            (None, Some(signal)) => match signal_name(signal) {
                Some(name) => write!(f, "{name}"),
                None => write!(f, "signal {signal}"),
            },
            (None, None) => write!(f, "unknown"),
        }
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    use rustix::process::Signal;
    [
        (Signal::INT, "SIGINT"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::KILL, "SIGKILL"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::TERM, "SIGTERM"),
    ]
    .into_iter()
    .find_map(|(known, name)| (known.as_raw() == signal).then_some(name))
}

/// How a service stands in truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is on its way.
    Starting,
    /// Its command runs.
    Running,
    /// Its command failed and is started again soon.
    Waiting,
    /// It was told to stop and has not ended yet.
    Stopping,
    /// Its command runs, but its supervisor is gone: nobody starts it again.
    Unsupervised,
    /// It does not run.
    Stopped,
    /// It does not run because it failed.
    Failed,
}

impl Standing {
    /// The words for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Waiting => "waiting to restart",
            Self::Stopping => "stopping",
            Self::Unsupervised => "unsupervised",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

/// One service and its files: NAME.json, NAME.log and its older parts, and two locks that tell who lives, which the
/// numbers of processes alone do not: NAME.lock is held by the supervisor and NAME.run by the command.
#[derive(Debug, Clone)]
pub struct Service {
    name: Name,
    directory: PathBuf,
}

impl Service {
    /// The service of this name, which need not exist.
    pub fn named(name: Name) -> Result<Self> {
        let directory = memory::directory()?.join("services");
        Ok(Self { name, directory })
    }

    /// Every service of which a record is kept, by name.
    pub fn all() -> Result<Vec<Self>> {
        let directory = memory::directory()?.join("services");
        let what = || format!("cannot read {}", directory.display());
        let entries = match std::fs::read_dir(&directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.with_context(what)?,
        };
        let mut services = Vec::new();
        for entry in entries {
            let file = entry.with_context(what)?.file_name();
            let name = file.to_str().and_then(|file| file.strip_suffix(".json"));
            if let Some(name) = name.and_then(|name| name.parse().ok()) {
                let directory = directory.clone();
                services.push(Self { name, directory });
            }
        }
        services.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(services)
    }

    /// Its name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// What is kept of it, if anything.
    pub fn record(&self) -> Result<Option<Record>> {
        let memory = self.memory();
        let record: Option<Record> = memory.read()?;
        if let Some(other) = record.as_ref().filter(|record| record.schema != SCHEMA) {
            bail!(
                "{} has schema {}, this agon reads {SCHEMA}",
                memory.path().display(),
                other.schema
            );
        }
        Ok(record)
    }

    /// Keep this of it; it is durable on return.
    pub fn keep(&self, record: &Record) -> Result<()> {
        self.memory().keep(record)
    }

    fn memory(&self) -> Memory {
        Memory::at(self.path("json"))
    }

    /// Its newest log file.
    pub fn log(&self) -> PathBuf {
        self.path("log")
    }

    fn path(&self, ending: &str) -> PathBuf {
        self.directory.join(format!("{}.{ending}", self.name))
    }

    /// The supervisor's lock, held; `None` if a supervisor has it.
    pub fn hold(&self) -> Result<Option<File>> {
        hold(&self.path("lock"))
    }

    /// The command's lock, held; `None` if a command has it.
    pub fn hold_run(&self) -> Result<Option<File>> {
        hold(&self.path("run"))
    }

    /// Whether its supervisor lives, by the lock.
    pub fn is_supervised(&self) -> Result<bool> {
        is_held(&self.path("lock"))
    }

    /// Whether its command lives, by the lock.
    pub fn is_alive(&self) -> Result<bool> {
        is_held(&self.path("run"))
    }

    /// Whether an open file is the supervisor's lock.
    pub fn is_lock(&self, file: &File) -> Result<bool> {
        let here = std::fs::metadata(self.path("lock"))?;
        let there = file.metadata()?;
        Ok((here.dev(), here.ino()) == (there.dev(), there.ino()))
    }

    /// How it stands: what a dead supervisor left is not believed.
    pub fn standing(&self, status: &Status) -> Result<Standing> {
        let supervised = self.is_supervised()?;
        judge(&status.phase, supervised, || self.is_alive())
    }

    /// Delete all that is kept of it but the lock, which somebody may just be taking.
    pub fn forget(&self) -> Result<()> {
        self.memory().forget()?;
        super::log::delete(&self.log())?;
        match std::fs::remove_file(self.path("run")) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

fn judge(
    phase: &Phase,
    supervised: bool,
    alive: impl FnOnce() -> Result<bool>,
) -> Result<Standing> {
    Ok(match (phase, supervised) {
        (Phase::Starting, true) => Standing::Starting,
        (Phase::Running, true) => Standing::Running,
        (Phase::Waiting { .. }, true) => Standing::Waiting,
        // It has written its last word and is on its way out.
        (Phase::Stopping | Phase::Stopped | Phase::Failed { .. }, true) => Standing::Stopping,
        (Phase::Failed { .. }, false) => Standing::Failed,
        (Phase::Stopped, false) => Standing::Stopped,
        (_, false) if alive()? => Standing::Unsupervised,
        (_, false) => Standing::Stopped,
    })
}

fn hold(path: &Path) -> Result<Option<File>> {
    let what = || format!("cannot lock {}", path.display());
    if let Some(directory) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .with_context(what)?;
    }
    let mut options = File::options();
    let file = options.read(true).write(true).create(true).truncate(false);
    let file = file.open(path).with_context(what)?;
    for _ in 0..LOOKS {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN_LOOKS),
            Err(TryLockError::Error(error)) => return Err(error).with_context(what),
        }
    }
    Ok(None)
}

/// Whether somebody has a lock. Takes it for an instant if nobody has.
fn is_held(path: &Path) -> Result<bool> {
    let what = || format!("cannot look at {}", path.display());
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        opened => opened.with_context(what)?,
    };
    // Shared, so that two who look do not see each other.
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error).with_context(what),
    }
}

/// A process's number as the system's calls want it.
pub fn process(number: i32) -> Result<Pid> {
    Pid::from_raw(number).ok_or_else(|| anyhow!("{number} is no process"))
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_in_paths() {
        for good in ["a", "validator-1", "Miner_2", "9"] {
            assert_eq!(good.parse::<Name>().unwrap().to_string(), good);
        }
        let long = "x".repeat(65);
        for bad in [
            "", "-a", "_a", ".", "..", "a/b", "a.b", "a b", "ä", "a\n", &long,
        ] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_a_dead_supervisor_left_is_not_believed() {
        let look =
            |phase: Phase, supervised, alive| judge(&phase, supervised, || Ok(alive)).unwrap();
        assert_eq!(look(Phase::Running, true, true), Standing::Running);
        assert_eq!(look(Phase::Running, false, true), Standing::Unsupervised);
        assert_eq!(look(Phase::Running, false, false), Standing::Stopped);
        let waiting = Phase::Waiting { until: 1 };
        assert_eq!(look(waiting.clone(), true, false), Standing::Waiting);
        assert_eq!(look(waiting, false, false), Standing::Stopped);
        let failed = Phase::Failed { reason: "x".into() };
        assert_eq!(look(failed, false, false), Standing::Failed);
        assert_eq!(look(Phase::Starting, false, false), Standing::Stopped);
    }

    #[test]
    fn a_lock_is_seen_and_ends_with_its_holder() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep").join("x.lock");
        assert!(!is_held(&path).unwrap());
        let held = hold(&path).unwrap().unwrap();
        assert!(is_held(&path).unwrap());
        assert!(hold(&path).unwrap().is_none());
        // Another descriptor of the same open file keeps it, as a child process does.
        let inherited = held.try_clone().unwrap();
        drop(held);
        assert!(is_held(&path).unwrap());
        drop(inherited);
        assert!(!is_held(&path).unwrap());
    }
}

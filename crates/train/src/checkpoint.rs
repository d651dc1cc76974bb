//! The state of a run on disk, so that a killed run continues where it was saved last.
//!
//! `latest.checkpoint` is written after every epoch, now and then within one, and when a run is stopped;
//! `previous.checkpoint` is the one before it, for the case that the latest is damaged. `best.checkpoint` is that of the
//! best epoch, and `epoch-<n>.checkpoint` are kept as the [`Policy`] says.
//!
//! A file is, in order: the 8 bytes `AGONFIT4`; the length of the header
//! as a 64-bit little-endian integer; the header, JSON; 32-bit little-endian floats: the weights (parameters, then
//! mean and variance of each batch normalisation), AdamW's first and second averages, the averaged weights if there
//! are any, the best weights if there are any; the SHA-256 of all that. The numbers of floats follow from the graph,
//! whose digest stands in the header. A file is written beside its place, synchronised and renamed.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agon_model::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::examples::Identity;
use crate::optimiser::AdamW;
use crate::options::{FitOptions, Schedule};
use crate::program::{Moments, Weights};

const MAGIC: &[u8; 8] = b"AGONFIT4";
/// How the files of every version begin.
const FAMILY: &[u8; 7] = b"AGONFIT";
const DIGEST_BYTES: usize = 32;
/// No run of ours comes near this; a larger file is not one of ours.
const MAX_BYTES: u64 = 8 << 30;
/// What a run goes on from.
pub const LATEST: &str = "latest.checkpoint";
const PREVIOUS: &str = "previous.checkpoint";
const BEST: &str = "best.checkpoint";
const TEMPORARY: &str = ".checkpoint-";

/// What a run's result depends on. A checkpoint continues only the run that it belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    /// All options but the number of threads.
    pub options: FitOptions,
    /// The model as it was before training.
    pub model: Digest,
    /// The training samples, with their number and the digest of their labels.
    pub training: Identity,
    /// Those that the selection is made on, likewise.
    pub selection: Identity,
}

/// One finished epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from one.
    pub epoch: usize,
    /// Mean training loss of its steps.
    pub loss: f64,
    /// The learning rate of its last step.
    pub learning_rate: f64,
    /// The loss on the selection samples after it.
    pub selection_loss: f64,
    /// The objective on the selection samples after it.
    pub score: f64,
    /// What else the objective told, by name.
    pub measures: BTreeMap<String, f64>,
}

/// Which checkpoints are kept, and how often they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Every so many epochs one is kept beside the latest and the best.
    pub every_epochs: Option<usize>,
    /// So many of those are kept, the newest; all if there is no number.
    pub keep: Option<usize>,
    /// After so much time the latest is written within an epoch too.
    pub interval: Duration,
    /// After so many steps of an epoch it is written too.
    pub every_steps: Option<usize>,
}

impl Default for Policy {
    /// The latest and the best, and no more than five minutes are lost.
    fn default() -> Self {
        Self {
            every_epochs: None,
            keep: None,
            interval: Duration::from_secs(300),
            every_steps: None,
        }
    }
}

/// The best weights so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Best {
    /// The epoch they come from, counted from one.
    pub epoch: usize,
    /// Their score.
    pub score: f64,
    /// The weights.
    pub weights: Weights,
}

/// Everything that the next step starts from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    /// The weights being trained.
    pub weights: Weights,
    /// The optimiser's memory.
    pub optimiser: AdamW,
    /// The average of the weights, where the options ask for one.
    pub averaged: Option<Weights>,
    /// The best weights, after the first epoch.
    pub best: Option<Best>,
    /// The finished epochs.
    pub history: Vec<EpochRecord>,
    /// Steps done of the epoch after them.
    pub step: usize,
    /// The sum of their losses.
    pub loss_sum: f64,
    /// Parts that a batch is computed in: more than the options say where memory ran out.
    pub shards: usize,
}

/// Why checkpoints could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file system said no.
    #[error("checkpoint {path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The directory holds the checkpoints of another run.
    #[error(
        "the checkpoints in {directory} belong to another run ({differences}); use another directory or start anew"
    )]
    OtherRun {
        /// The directory.
        directory: PathBuf,
        /// What differs.
        differences: String,
    },
    /// The checkpoint to begin from is of another run.
    #[error(
        "{path} is a checkpoint of another run ({differences}); a run goes on with the settings that it began with"
    )]
    OtherBeginning {
        /// The file.
        path: PathBuf,
        /// What differs.
        differences: String,
    },
    /// The file to begin from is no checkpoint of ours, or damaged.
    #[error("{0} is no checkpoint, or damaged")]
    Unusable(PathBuf),
}

impl CheckpointError {
    /// Whether there is no room on the disk.
    pub(crate) fn is_full(&self) -> bool {
        let kinds = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        matches!(self, Self::Io { source, .. } if kinds.contains(&source.kind()))
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    fingerprint: Fingerprint,
    optimiser_steps: u64,
    averaged: bool,
    best: Option<(usize, f64)>,
    history: Vec<EpochRecord>,
    step: usize,
    loss_sum: f64,
    shards: usize,
}

/// A directory of checkpoints of one run.
#[derive(Debug)]
pub(crate) struct Store {
    directory: PathBuf,
    fingerprint: Fingerprint,
    policy: Policy,
    /// Whether the latest is worth being kept as the previous one: it was read or written here.
    is_intact: Cell<bool>,
}

/// What to do with the checkpoints of another run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnOtherRun {
    /// Refuse to run; nothing is lost.
    Refuse,
    /// Delete them and start from the beginning.
    StartAnew,
    /// Delete them and start from the beginning, even if they are of this run.
    Restart,
}

impl Store {
    /// Opens or creates the directory.
    ///
    /// # Errors
    /// When it cannot be created or read.
    pub fn open(
        directory: &Path,
        fingerprint: Fingerprint,
        policy: Policy,
    ) -> Result<Self, CheckpointError> {
        let failed = |source| CheckpointError::Io {
            path: directory.to_owned(),
            source,
        };
        fs::create_dir_all(directory).map_err(failed)?;
        for entry in fs::read_dir(directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // Left by a run that was killed while it wrote.
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                fs::remove_file(entry.path()).map_err(failed)?;
            }
        }
        Ok(Self {
            directory: directory.to_owned(),
            fingerprint,
            policy,
            is_intact: Cell::new(false),
        })
    }

    /// The newest intact checkpoint, or where there is none the one to begin from, or `None`. `shape` has the lengths
    /// that the weights must have.
    ///
    /// # Errors
    /// When the checkpoint to begin from cannot be used, when the newest intact one belongs to another run and that is
    /// to be refused, or files cannot be read.
    pub fn load(
        &self,
        shape: &Weights,
        on_other_run: OnOtherRun,
        begin_from: Option<&Path>,
    ) -> Result<Option<State>, CheckpointError> {
        // Looked at first: nothing is deleted for one that cannot be used.
        let beginning = begin_from.map(|path| self.beginning(path, shape));
        let beginning = beginning.transpose()?;
        Ok(self.newest(shape, on_other_run)?.or(beginning))
    }

    /// The state in a checkpoint of this run that lies elsewhere.
    fn beginning(&self, path: &Path, shape: &Weights) -> Result<State, CheckpointError> {
        let unusable = || CheckpointError::Unusable(path.to_owned());
        let bytes = self.read(path)?.ok_or_else(unusable)?;
        let (header, floats) = open(&bytes).ok_or_else(unusable)?;
        if let Some(differences) = differences(&header, &self.fingerprint) {
            return Err(CheckpointError::OtherBeginning {
                path: path.to_owned(),
                differences,
            });
        }
        restore(header, floats, shape).ok_or_else(unusable)
    }

    /// The newest intact checkpoint of the directory.
    fn newest(
        &self,
        shape: &Weights,
        on_other_run: OnOtherRun,
    ) -> Result<Option<State>, CheckpointError> {
        if on_other_run == OnOtherRun::Restart {
            self.clear()?;
            return Ok(None);
        }
        for name in [LATEST, PREVIOUS] {
            let path = self.directory.join(name);
            if !path.exists() {
                continue;
            }
            let Some(bytes) = self.read(&path)? else {
                tracing::warn!(path = %path.display(), "checkpoint is too large, trying the one before");
                continue;
            };
            let opened = match open(&bytes) {
                Some((header, floats)) => match differences(&header, &self.fingerprint) {
                    None => Ok((header, floats)),
                    Some(differences) => Err(differences),
                },
                None if is_of_another_version(&bytes) => {
                    Err("another version of this program wrote them".to_owned())
                }
                None => {
                    tracing::warn!(path = %path.display(), "checkpoint is damaged, trying the one before");
                    continue;
                }
            };
            let (header, floats) = match (opened, on_other_run) {
                (Ok(opened), _) => opened,
                (Err(differences), OnOtherRun::Refuse) => {
                    return Err(CheckpointError::OtherRun {
                        directory: self.directory.clone(),
                        differences,
                    });
                }
                (Err(_), OnOtherRun::StartAnew | OnOtherRun::Restart) => {
                    self.clear()?;
                    return Ok(None);
                }
            };
            match restore(header, floats, shape) {
                Some(state) => {
                    self.is_intact.set(name == LATEST);
                    return Ok(Some(state));
                }
                None => {
                    tracing::warn!(path = %path.display(), "checkpoint is incomplete, trying the one before");
                }
            }
        }
        Ok(None)
    }

    /// Writes the state as the latest.
    ///
    /// # Errors
    /// When it cannot be written; the older checkpoints are then untouched.
    pub fn save(&self, state: &State) -> Result<(), CheckpointError> {
        let latest = self.directory.join(LATEST);
        let failed = |source| CheckpointError::Io {
            path: latest.clone(),
            source,
        };
        let file = self.write_aside(&encode(&self.fingerprint, state));
        let file = file.map_err(failed)?;
        if self.is_intact.get() {
            fs::rename(&latest, self.directory.join(PREVIOUS)).map_err(failed)?;
        }
        file.persist(&latest).map_err(|error| failed(error.error))?;
        self.is_intact.set(true);
        self.synchronise().map_err(failed)
    }

    /// Writes the state at the end of an epoch, and keeps it as the policy says.
    ///
    /// # Errors
    /// When it cannot be written; the older checkpoints are then untouched.
    pub fn save_epoch(&self, state: &State) -> Result<(), CheckpointError> {
        self.save(state)?;
        self.keep(state)
    }

    /// Keeps the latest as the policy says, if it is the end of an epoch. A run that goes on does this again, because
    /// it may have been killed before it was done.
    ///
    /// # Errors
    /// When files cannot be linked or removed.
    pub fn keep(&self, state: &State) -> Result<(), CheckpointError> {
        let epoch = state.history.len();
        if epoch == 0 || state.step > 0 || !self.is_intact.get() {
            return Ok(());
        }
        if state.best.as_ref().is_some_and(|best| best.epoch == epoch) {
            self.keep_as(BEST)?;
        }
        let kept = |every: usize| every > 0 && epoch.is_multiple_of(every);
        if self.policy.every_epochs.is_some_and(kept) {
            self.keep_as(&file_name(epoch))?;
            let keep = self.policy.keep.unwrap_or(usize::MAX);
            for path in self.kept()?.into_iter().skip(keep) {
                self.remove(&path)?;
            }
        }
        Ok(())
    }

    /// Gives the latest another name too.
    fn keep_as(&self, name: &str) -> Result<(), CheckpointError> {
        let (latest, path) = (self.directory.join(LATEST), self.directory.join(name));
        let aside = self.directory.join(format!("{TEMPORARY}{name}"));
        // One file under two names where the file system has such; otherwise a copy.
        let linked = fs::hard_link(&latest, &aside)
            .or_else(|_| fs::copy(&latest, &aside).and_then(|_| File::open(&aside)?.sync_all()))
            .and_then(|()| fs::rename(&aside, &path))
            // Where both are names of one file already, renaming leaves both.
            .and_then(|()| match fs::remove_file(&aside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => self.synchronise(),
            });
        linked.map_err(|source| CheckpointError::Io { path, source })
    }

    /// Removes all checkpoints.
    fn clear(&self) -> Result<(), CheckpointError> {
        let named = [LATEST, PREVIOUS, BEST].map(|name| self.directory.join(name));
        let named = named.into_iter().filter(|path| path.exists());
        for path in named.chain(self.kept()?) {
            self.remove(&path)?;
        }
        Ok(())
    }

    /// The checkpoints of single epochs, newest first.
    fn kept(&self) -> Result<Vec<PathBuf>, CheckpointError> {
        let failed = |source| CheckpointError::Io {
            path: self.directory.clone(),
            source,
        };
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            if let Some(epoch) = name.to_str().and_then(epoch_of) {
                files.push((epoch, entry.path()));
            }
        }
        files.sort_by(|a, b| b.cmp(a));
        Ok(files.into_iter().map(|(_, path)| path).collect())
    }

    fn write_aside(&self, bytes: &[u8]) -> io::Result<tempfile::NamedTempFile> {
        let mut file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            // Temporary files are private; this one becomes a file like others.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(&self.directory)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok(file)
    }

    /// Makes changed names durable.
    fn synchronise(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }

    /// Writes another file of the run, whole; one that is there with these bytes is left alone.
    ///
    /// # Errors
    /// When it cannot be written; what was there before is then untouched.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), CheckpointError> {
        let path = self.directory.join(name);
        if fs::read(&path).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        let written = self.write_aside(bytes).and_then(|file| {
            file.persist(&path).map_err(|error| error.error)?;
            self.synchronise()
        });
        written.map_err(|source| CheckpointError::Io { path, source })
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, CheckpointError> {
        let failed = |source| CheckpointError::Io {
            path: path.to_owned(),
            source,
        };
        if fs::metadata(path).map_err(failed)?.len() > MAX_BYTES {
            return Ok(None);
        }
        fs::read(path).map(Some).map_err(failed)
    }

    fn remove(&self, path: &Path) -> Result<(), CheckpointError> {
        fs::remove_file(path).map_err(|source| CheckpointError::Io {
            path: path.to_owned(),
            source,
        })
    }
}

fn file_name(epochs: usize) -> String {
    format!("epoch-{epochs:06}.checkpoint")
}

fn epoch_of(name: &str) -> Option<u64> {
    name.strip_prefix("epoch-")?
        .strip_suffix(".checkpoint")?
        .parse()
        .ok()
}

fn encode(fingerprint: &Fingerprint, state: &State) -> Vec<u8> {
    let header = Header {
        fingerprint: fingerprint.clone(),
        optimiser_steps: state.optimiser.steps,
        averaged: state.averaged.is_some(),
        best: state.best.as_ref().map(|best| (best.epoch, best.score)),
        history: state.history.clone(),
        step: state.step,
        loss_sum: state.loss_sum,
        shards: state.shards,
    };
    let header = serde_json::to_vec(&header).expect("numbers, strings and lists are JSON");
    let mut bytes = MAGIC.to_vec();
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header);
    push_weights(&mut bytes, &state.weights);
    for values in state.optimiser.first.iter().chain(&state.optimiser.second) {
        push(&mut bytes, values);
    }
    let best = state.best.as_ref().map(|best| &best.weights);
    for weights in state.averaged.iter().chain(best) {
        push_weights(&mut bytes, weights);
    }
    let digest = Digest::of(&bytes);
    bytes.extend(digest.0);
    bytes
}

fn push_weights(bytes: &mut Vec<u8>, weights: &Weights) {
    for values in &weights.parameters {
        push(bytes, values);
    }
    for moments in &weights.statistics {
        push(bytes, &moments.mean);
        push(bytes, &moments.variance);
    }
}

fn push(bytes: &mut Vec<u8>, values: &[f32]) {
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

/// Whether a file was a checkpoint before or after this version of the format.
fn is_of_another_version(bytes: &[u8]) -> bool {
    bytes.starts_with(FAMILY) && !bytes.starts_with(MAGIC)
}

/// Header and floats of an undamaged file.
fn open(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let (body, digest) = bytes.split_at_checked(bytes.len().checked_sub(DIGEST_BYTES)?)?;
    if Digest::of(body).0 != digest {
        return None;
    }
    let rest = body.strip_prefix(MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (header, floats) = rest.split_at_checked(length)?;
    Some((serde_json::from_slice(header).ok()?, floats))
}

fn restore(header: Header, floats: &[u8], shape: &Weights) -> Option<State> {
    let mut floats = Floats(floats);
    let weights = floats.weights(shape)?;
    let first = floats.lists(&shape.parameters)?;
    let second = floats.lists(&shape.parameters)?;
    let averaged = match header.averaged {
        true => Some(floats.weights(shape)?),
        false => None,
    };
    let best = match header.best {
        Some((epoch, score)) => Some(Best {
            epoch,
            score,
            weights: floats.weights(shape)?,
        }),
        None => None,
    };
    let optimiser = AdamW {
        first,
        second,
        steps: header.optimiser_steps,
    };
    floats.0.is_empty().then_some(State {
        weights,
        optimiser,
        averaged,
        best,
        history: header.history,
        step: header.step,
        loss_sum: header.loss_sum,
        shards: header.shards,
    })
}

/// What is left of the floats of a file.
struct Floats<'a>(&'a [u8]);

impl Floats<'_> {
    fn list(&mut self, length: usize) -> Option<Vec<f32>> {
        let (taken, rest) = self.0.split_at_checked(length.checked_mul(4)?)?;
        self.0 = rest;
        let (values, _) = taken.as_chunks::<4>();
        Some(
            values
                .iter()
                .map(|&bytes| f32::from_le_bytes(bytes))
                .collect(),
        )
    }

    fn lists(&mut self, shape: &[Vec<f32>]) -> Option<Vec<Vec<f32>>> {
        shape.iter().map(|values| self.list(values.len())).collect()
    }

    fn weights(&mut self, shape: &Weights) -> Option<Weights> {
        let parameters = self.lists(&shape.parameters)?;
        let mut statistics = Vec::with_capacity(shape.statistics.len());
        for moments in &shape.statistics {
            let mean = self.list(moments.mean.len())?;
            let variance = self.list(moments.variance.len())?;
            statistics.push(Moments { mean, variance });
        }
        Some(Weights {
            parameters,
            statistics,
        })
    }
}

/// Why a checkpoint is none of the present run; nothing where it is one.
///
/// When a run ends changes nothing before its end: it can be made longer, and shorter as long as it has not come so
/// far. Only where the learning rate falls towards the end, the number of epochs is part of every step.
fn differences(header: &Header, present: &Fingerprint) -> Option<String> {
    let (stored, history) = (&header.fingerprint, &header.history);
    let options = &present.options;
    let comes_so_far = (0..history.len()).all(|epochs| !options.end_after(&history[..epochs]))
        && (header.step == 0 || !options.end_after(history));
    let mut compared = stored.clone();
    if comes_so_far {
        compared.options.patience = options.patience;
        compared.options.least_improvement = options.least_improvement;
        if options.schedule != Schedule::Cosine {
            compared.options.epochs = options.epochs;
        }
    }
    let entries = |fingerprint| serde_json::to_value(fingerprint).unwrap_or_default();
    let mut found = Vec::new();
    compare("", &entries(&compared), &entries(present), &mut found);
    if comes_so_far && compared.options.epochs != options.epochs {
        found.push(CANNOT_BE_LONGER.to_owned());
    } else if !comes_so_far {
        found.push(format!("{} epochs are trained already", history.len()));
    }
    (!found.is_empty()).then(|| found.join(", "))
}

/// Said where only a run with restarts could go on.
const CANNOT_BE_LONGER: &str = "with the cosine schedule every learning rate depends on the number of epochs, so the run keeps it: train anew, or with the schedule restarts, whose runs can be made longer";

fn compare(path: &str, stored: &Value, present: &Value, found: &mut Vec<String>) {
    match (stored, present) {
        (Value::Object(stored), Value::Object(present)) => {
            let names: BTreeSet<&String> = stored.keys().chain(present.keys()).collect();
            for name in names {
                let path = match path {
                    "" => name.clone(),
                    _ => format!("{path}.{name}"),
                };
                let of = |all: &Map<String, Value>| all.get(name).cloned().unwrap_or_default();
                compare(&path, &of(stored), &of(present), found);
            }
        }
        (stored, present) if stored == present => {}
        // Two digests tell nobody anything.
        (stored, present) if is_digest(stored) && is_digest(present) => {
            found.push(format!("{path}: not the same here"));
        }
        (stored, present) => found.push(format!("{path}: {stored} there, {present} here")),
    }
}

fn is_digest(value: &Value) -> bool {
    let text = value.as_str();
    text.is_some_and(|text| text.parse::<Digest>().is_ok())
}

//! The state of a run on disk, so that a killed run continues where its last epoch ended.
//!
//! One file per epoch, the newest two are kept. A file is, in order: the 8 bytes `AGONFIT1`; the length of the header
//! as a 64-bit little-endian integer; the header, JSON; 32-bit little-endian floats: the weights (parameters, then
//! mean and variance of each batch normalisation), AdamW's first and second averages, the averaged weights if there
//! are any, the best weights if there are any; the SHA-256 of all that. The numbers of floats follow from the graph,
//! whose digest stands in the header. A file is written beside its place, synchronised and renamed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use agon_model::digest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::optimiser::AdamW;
use crate::options::FitOptions;
use crate::program::{Moments, Weights};

const MAGIC: &[u8; 8] = b"AGONFIT1";
const DIGEST_BYTES: usize = 32;
/// No run of ours comes near this; a larger file is not one of ours.
const MAX_BYTES: u64 = 8 << 30;
const KEPT: usize = 2;
const TEMPORARY: &str = ".checkpoint-";

/// What a run's result depends on. A checkpoint continues only the run that it belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    /// All options but the number of threads.
    pub options: FitOptions,
    /// The model as it was before training.
    pub model: Digest,
    /// The number of training samples.
    pub training_samples: usize,
    /// The digest of their labels.
    pub training_labels: Digest,
    /// The number of samples the selection is made on.
    pub selection_samples: usize,
    /// The digest of their labels.
    pub selection_labels: Digest,
}

/// One finished epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from one.
    pub epoch: usize,
    /// Mean training loss of its steps.
    pub loss: f64,
    /// The objective on the selection samples after it.
    pub score: f64,
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

/// Everything that the next epoch starts from.
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
}

#[derive(Serialize, Deserialize)]
struct Header {
    fingerprint: Fingerprint,
    optimiser_steps: u64,
    averaged: bool,
    best: Option<(usize, f64)>,
    history: Vec<EpochRecord>,
}

/// A directory of checkpoints of one run.
#[derive(Debug)]
pub(crate) struct Store {
    directory: PathBuf,
    fingerprint: Fingerprint,
}

/// What to do with the checkpoints of another run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnOtherRun {
    /// Refuse to run; nothing is lost.
    Refuse,
    /// Delete them and start from the beginning.
    StartAnew,
}

impl Store {
    /// Opens or creates the directory.
    ///
    /// # Errors
    /// When it cannot be created or read.
    pub fn open(directory: &Path, fingerprint: Fingerprint) -> Result<Self, CheckpointError> {
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
        })
    }

    /// The newest intact checkpoint, or `None`. `shape` has the lengths that the weights must have.
    ///
    /// # Errors
    /// When the newest intact checkpoint belongs to another run and that is to be refused, or files cannot be read.
    pub fn load(
        &self,
        shape: &Weights,
        on_other_run: OnOtherRun,
    ) -> Result<Option<State>, CheckpointError> {
        for path in self.files()? {
            let Some(bytes) = self.read(&path)? else {
                tracing::warn!(path = %path.display(), "checkpoint is too large, trying the one before");
                continue;
            };
            let Some((header, floats)) = open(&bytes) else {
                tracing::warn!(path = %path.display(), "checkpoint is damaged, trying the one before");
                continue;
            };
            if header.fingerprint != self.fingerprint {
                match on_other_run {
                    OnOtherRun::Refuse => {
                        return Err(CheckpointError::OtherRun {
                            directory: self.directory.clone(),
                            differences: differences(&header.fingerprint, &self.fingerprint),
                        });
                    }
                    OnOtherRun::StartAnew => {
                        for path in self.files()? {
                            self.remove(&path)?;
                        }
                        return Ok(None);
                    }
                }
            }
            match restore(header, floats, shape) {
                Some(state) => return Ok(Some(state)),
                None => {
                    tracing::warn!(path = %path.display(), "checkpoint is incomplete, trying the one before");
                }
            }
        }
        Ok(None)
    }

    /// Writes a checkpoint durably and removes all but the newest ones.
    ///
    /// # Errors
    /// When it cannot be written; the older checkpoints are then untouched.
    pub fn save(&self, state: &State) -> Result<(), CheckpointError> {
        let path = self.directory.join(file_name(state.history.len()));
        let bytes = encode(&self.fingerprint, state);
        write_durably(&self.directory, &path, &bytes).map_err(|source| CheckpointError::Io {
            path: path.clone(),
            source,
        })?;
        for path in self.files()?.into_iter().skip(KEPT) {
            self.remove(&path)?;
        }
        Ok(())
    }

    /// The checkpoints, newest first.
    fn files(&self) -> Result<Vec<PathBuf>, CheckpointError> {
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

fn write_durably(directory: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(directory)?.sync_all()
}

fn encode(fingerprint: &Fingerprint, state: &State) -> Vec<u8> {
    let header = Header {
        fingerprint: fingerprint.clone(),
        optimiser_steps: state.optimiser.steps,
        averaged: state.averaged.is_some(),
        best: state.best.as_ref().map(|best| (best.epoch, best.score)),
        history: state.history.clone(),
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
    let history = header.history;
    floats.0.is_empty().then_some(State {
        weights,
        optimiser,
        averaged,
        best,
        history,
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

/// Which entries differ, with both values.
fn differences(stored: &Fingerprint, present: &Fingerprint) -> String {
    let entries = |fingerprint| serde_json::to_value(fingerprint).unwrap_or_default();
    let mut found = Vec::new();
    compare("", &entries(stored), &entries(present), &mut found);
    found.join(", ")
}

fn compare(path: &str, stored: &Value, present: &Value, found: &mut Vec<String>) {
    match (stored, present) {
        (Value::Object(stored), Value::Object(present)) => {
            for (name, stored) in stored {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                compare(
                    &path,
                    stored,
                    present.get(name).unwrap_or(&Value::Null),
                    found,
                );
            }
        }
        (stored, present) if stored != present => {
            found.push(format!("{path}: {stored} there, {present} here"));
        }
        _ => {}
    }
}

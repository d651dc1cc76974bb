//! The receipt of a download: what came from where, and the digest of every file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{SourceError, archive};
use crate::files::{self, ReadError};

/// The name of the receipt in the directory of a data set.
pub const RECEIPT: &str = "download.json";

/// Most bytes of a receipt.
const MAX_RECEIPT: u64 = 256 << 20;

/// A file of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptFile {
    /// Its path in the directory of the set, or the address it came from, without its query.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256 in hex.
    pub sha256: String,
}

/// What was downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Key of the set.
    pub dataset: String,
    /// The source and what the set is called there.
    pub origin: String,
    /// What the source calls this state of the set, where it says so.
    pub revision: Option<String>,
    /// What was transferred.
    pub transferred: Vec<ReceiptFile>,
    /// What lies in the directory.
    pub files: Vec<ReceiptFile>,
}

impl Receipt {
    /// Reads the receipt of a directory.
    pub fn read(directory: &Path) -> Result<Self, SourceError> {
        let refuse = |reason: String| SourceError::NoReceipt {
            path: directory.to_path_buf(),
            reason,
        };
        let bytes =
            files::read_capped(&directory.join(RECEIPT), MAX_RECEIPT).map_err(
                |error| match error {
                    ReadError::TooLarge(size) => refuse(format!("{RECEIPT} has {size} bytes")),
                    ReadError::Io(error) => refuse(format!("{RECEIPT}: {error}")),
                },
            )?;
        serde_json::from_slice(&bytes).map_err(|error| refuse(format!("{RECEIPT}: {error}")))
    }
}

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Files that are what they were.
    pub intact: usize,
    /// Files that are not there.
    pub missing: Vec<String>,
    /// Files with another size or content.
    pub changed: Vec<String>,
}

impl Verified {
    /// Whether everything is as it was.
    pub fn is_intact(&self) -> bool {
        self.missing.is_empty() && self.changed.is_empty()
    }
}

/// Compares the files of a downloaded set with its receipt, on all cores.
///
/// `progress` is called with the number of files done and their total, from several threads.
pub fn verify(
    directory: &Path,
    stop: &AtomicBool,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Verified, SourceError> {
    enum State {
        Intact,
        Missing,
        Changed,
    }
    let receipt = Receipt::read(directory)?;
    let done = AtomicUsize::new(0);
    let states: Vec<Result<State, SourceError>> = receipt
        .files
        .par_iter()
        .map(|file| {
            if stop.load(Ordering::Relaxed) {
                return Err(SourceError::Stopped);
            }
            // A receipt that was tampered with opens nothing elsewhere either.
            let path = archive::inside(&file.path).map_err(|error| SourceError::NoReceipt {
                path: directory.to_path_buf(),
                reason: error.to_string(),
            })?;
            let path = directory.join(path);
            let state = match digest(&path) {
                Ok((size, sha256)) if size == file.size && sha256 == file.sha256 => State::Intact,
                Ok(_) => State::Changed,
                Err(error) if error.kind() == io::ErrorKind::NotFound => State::Missing,
                Err(error) => return Err(super::at(&path)(error)),
            };
            progress(
                done.fetch_add(1, Ordering::Relaxed) + 1,
                receipt.files.len(),
            );
            Ok(state)
        })
        .collect();
    let mut verified = Verified::default();
    for (state, file) in states.into_iter().zip(&receipt.files) {
        match state? {
            State::Intact => verified.intact += 1,
            State::Missing => verified.missing.push(file.path.clone()),
            State::Changed => verified.changed.push(file.path.clone()),
        }
    }
    Ok(verified)
}

/// Size and SHA-256 of a file.
pub(super) fn digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    let mut size = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((size, hex::encode(hasher.finalize()))),
            count => {
                size += count as u64;
                hasher.update(&buffer[..count]);
            }
        }
    }
}

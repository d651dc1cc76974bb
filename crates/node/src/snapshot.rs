//! Copies of a chain that no node has open, and chains made from copies.

use crate::storage::{OpenError, Storage, StorageError, beside};
use sp_core::H256;
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Why a copy is not made.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The chain cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is nothing to copy.
    #[error("there is no file {0}")]
    Absent(PathBuf),
    /// Something is there already.
    #[error("{0} exists already and is left as it is")]
    Exists(PathBuf),
    /// The database fails.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A file cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The copy is not a whole chain.
    #[error("{path} is not a whole chain and is not used: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// What a copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The newest block.
    pub number: u32,
    /// Its hash.
    pub hash: H256,
}

/// Copies the chain in `database`, which no node has open, to a new file.
///
/// # Errors
/// When it is open elsewhere, fails, or `target` exists. Then there is no `target`.
pub fn take(database: &Path, target: &Path) -> Result<Summary, SnapshotError> {
    if !database.exists() {
        return Err(SnapshotError::Absent(database.to_owned()));
    }
    if target.exists() {
        return Err(SnapshotError::Exists(target.to_owned()));
    }
    let storage = Storage::open_existing(database)?;
    copy_checked(&storage, database, target)
}

/// Puts a copy in the place of the chain in `database`, which no node has open. The copy is checked from end to end
/// before anything is replaced, and itself stays as it is.
///
/// # Errors
/// When it is not a whole chain, or `database` exists and is not to be replaced. Then `database` is as it was.
pub fn restore(snapshot: &Path, database: &Path, replace: bool) -> Result<Summary, SnapshotError> {
    if !snapshot.exists() {
        return Err(SnapshotError::Absent(snapshot.to_owned()));
    }
    if database.exists() {
        if !replace {
            return Err(SnapshotError::Exists(database.to_owned()));
        }
        // Errs when a node has it open.
        drop(
            Storage::open_existing(database).or_else(|error| match error {
                OpenError::Locked { .. } => Err(error),
                // What is to be replaced may be damaged.
                _ => Storage::in_memory(None),
            })?,
        );
    }
    let storage = Storage::open_existing(snapshot)?;
    copy_checked(&storage, snapshot, database)
}

/// The inputs of the genesis of the chain in `database`, as the text of a genesis file.
///
/// # Errors
/// When there is no chain or it cannot be read.
pub fn genesis(database: &Path) -> Result<String, SnapshotError> {
    if !database.exists() {
        return Err(SnapshotError::Absent(database.to_owned()));
    }
    let genesis = Storage::open_existing(database)?.genesis()?;
    genesis.ok_or_else(|| SnapshotError::Damaged {
        path: database.to_owned(),
        reason: "it holds no genesis".into(),
    })
}

/// Copies to a file beside `target`, checks the copy and renames it.
fn copy_checked(storage: &Storage, source: &Path, target: &Path) -> Result<Summary, SnapshotError> {
    let failed = |source| SnapshotError::Write {
        path: target.to_owned(),
        source,
    };
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(directory).map_err(failed)?;
    let unfinished = beside(target, "unfinished");
    if unfinished.exists() {
        fs::remove_file(&unfinished).map_err(failed)?;
    }
    let outcome = storage
        .copy_to(&unfinished)
        .map_err(SnapshotError::from)
        .and_then(|()| {
            let head = Storage::open_existing(&unfinished)?.check();
            head.map_err(|reason| SnapshotError::Damaged {
                path: source.to_owned(),
                reason,
            })
        });
    let head = outcome.inspect_err(|_| {
        // What is left over is removed before the next attempt too.
        let _ = fs::remove_file(&unfinished);
    })?;
    fs::rename(&unfinished, target)
        .and_then(|()| File::open(directory)?.sync_all())
        .map_err(failed)?;
    Ok(Summary {
        number: head.number,
        hash: head.hash(),
    })
}

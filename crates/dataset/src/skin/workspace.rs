//! Where a directory is made until it is whole and gets its name.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::files;

/// Held by the process that works there.
const LOCK: &str = ".lock";

/// A hidden directory beside the one that is made, held by one process and removed when it is done. Who is killed
/// leaves it behind; the next to make the same directory removes what is in it.
pub(super) struct Workspace {
    path: PathBuf,
    /// Nothing is left to do with it but to hold it.
    _lock: File,
}

impl Workspace {
    /// The workspace for `output`, which lies in `above`; `None` if another process holds it.
    pub fn new(above: &Path, output: &Path) -> io::Result<Option<Self>> {
        let name = output.file_name().unwrap_or_default().to_string_lossy();
        let path = above.join(format!("{}prepare-{name}", files::TEMPORARY_PREFIX));
        match fs::create_dir(&path) {
            // What lies at the end of a link is not ours to remove.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !fs::symlink_metadata(&path)?.is_dir() {
                    return Err(error);
                }
            }
            made => made?,
        }
        let lock = File::create(path.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(entry.path())?,
                false if entry.file_name() == LOCK => {}
                false => fs::remove_file(entry.path())?,
            }
        }
        Ok(Some(Self { path, _lock: lock }))
    }

    /// A new directory in it.
    pub fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir(&path)?;
        Ok(path)
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // The next to make the same directory tries again.
        let _ = fs::remove_dir_all(&self.path);
    }
}

//! Files that are written whole or not at all.

use std::fs::{File, Permissions};
use std::io::{Result, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where this program keeps what it can fetch again: agon in XDG_CACHE_HOME or ~/.cache.
pub fn cache_directory() -> PathBuf {
    let cache = match std::env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()) {
        Some(cache) => PathBuf::from(cache),
        None => std::env::home_dir().unwrap_or_default().join(".cache"),
    };
    cache.join("agon")
}

/// Writes a file through a temporary one in the same directory: after a crash there is the old file or the new one.
/// Whoever may read the user's files may read it.
///
/// # Errors
/// When it cannot be written; what was there before is then untouched.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, bytes, 0o666)
}

/// The same for what nobody else is to read.
///
/// # Errors
/// When it cannot be written; what was there before is then untouched.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, bytes, 0o600)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(directory)?.sync_all()
}

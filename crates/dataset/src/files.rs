//! Files read with a cap and written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// Why a capped read gave nothing.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The file is larger than allowed; its size.
    TooLarge(u64),
    /// The operating system refused.
    Io(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Reads a regular file of at most `limit` bytes. The size is checked before anything is read, and again by the
/// read itself, because the file may grow in between.
pub(crate) fn read_capped(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    // Looked at before it is opened: opening a named pipe would wait for a writer.
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file").into());
    }
    if metadata.len() > limit {
        return Err(ReadError::TooLarge(metadata.len()));
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    File::open(path)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(ReadError::TooLarge(bytes.len() as u64));
    }
    Ok(bytes)
}

/// Whether the name is that of an archive of a kind that is not unpacked here.
pub(crate) fn is_packed(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    ["rar", "7z", "bz2", "xz", "zst", "gz"].contains(&ending.to_lowercase().as_str())
}

/// How the temporary files of [`write_atomically`] begin. A killed process may leave one behind.
pub(crate) const TEMPORARY_PREFIX: &str = ".unfinished-";

/// Writes a file through a temporary one in the same directory: after a crash there is the old file or the new one,
/// never a part of it. Whoever may read the user's files may read it.
///
/// # Errors
/// When it cannot be written; what was there before is then untouched.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, 0o666)
}

/// The same for what nobody else is to read.
///
/// # Errors
/// When it cannot be written; what was there before is then untouched.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, 0o600)
}

/// `mode` is what the file may be at most; the user's mask takes from it.
#[cfg_attr(not(unix), allow(unused_variables))]
fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY_PREFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    let mut temporary = builder.tempfile_in(directory)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    sync_directory(directory)
}

/// Removes the temporary files that killed processes left in a directory which nobody else writes to. Directories of
/// such names belong to others.
pub(crate) fn remove_unfinished(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with(TEMPORARY_PREFIX) && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Makes every file below a directory durable, all at once: asking for each of thousands takes minutes.
#[cfg(target_os = "linux")]
pub(crate) fn sync_tree(directory: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(directory)?)?)
}

/// Makes every file below a directory durable.
#[cfg(not(target_os = "linux"))]
pub(crate) fn sync_tree(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => sync_tree(&entry.path())?,
            false => File::open(entry.path())?.sync_all()?,
        }
    }
    sync_directory(directory)
}

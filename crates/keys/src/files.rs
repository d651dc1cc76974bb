//! Reading small files within bounds and writing secret ones whole or not at all.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

/// Reads at most `limit` bytes from the start of a regular file. Anything else, such as a pipe, would keep us waiting.
pub(crate) fn read_start(path: &Path, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        ));
    }
    // Read in one allocation, so that no shorter copy stays behind in memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit));
    File::open(path)?
        .take(limit as u64)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A file that is written and safe on disk, but not yet in its place. Dropped, it disappears.
pub(crate) struct StagedFile {
    temporary: NamedTempFile,
    target: PathBuf,
}

impl StagedFile {
    /// Writes the bytes beside `target`, readable by nobody else.
    pub(crate) fn write(target: &Path, bytes: &[u8]) -> io::Result<Self> {
        let mut temporary = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(parent(target))?;
        temporary.write_all(bytes)?;
        temporary.as_file().sync_all()?;
        Ok(Self {
            temporary,
            target: target.to_owned(),
        })
    }

    /// Renames the file into its place, over an older one only with `overwrite`, and makes the name last.
    pub(crate) fn place(self, overwrite: bool) -> io::Result<()> {
        if overwrite {
            self.temporary.persist(&self.target)?;
        } else {
            self.temporary.persist_noclobber(&self.target)?;
        }
        sync_directory(parent(&self.target))
    }
}

/// Makes a directory and those above it where they are missing, open to nobody else. Existing ones keep their mode.
pub(crate) fn create_directory(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|ancestor| !ancestor.as_os_str().is_empty() && !ancestor.is_dir())
        .collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    missing
        .into_iter()
        .try_for_each(|created| sync_directory(parent(created)))
}

/// The directory of a path; that of a bare name is the current one.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

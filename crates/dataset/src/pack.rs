//! A directory as one zip archive: the same files give the same bytes.
//!
//! Hidden files, links and what tools leave behind are not packed, so nothing gets out that nobody meant to show.

use std::fs;
use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::files::{self, ReadError};

/// Most files of an archive.
pub const MAX_FILES: usize = 10_000;
/// Most bytes of all files together.
pub const MAX_BYTES: u64 = 64 << 20;
/// Deepest directory.
const MAX_DEPTH: usize = 16;

/// Directories that tools make.
const LEFT_BEHIND: [&str; 5] = [
    "target",
    "__pycache__",
    "node_modules",
    "venv",
    "checkpoints",
];

/// Why a directory was not packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// There is nothing in it.
    #[error("{} has no files to pack", .0.display())]
    Empty(PathBuf),
    /// More than is sensible.
    #[error(
        "{} has more than {MAX_FILES} files, more than {} MiB or directories too deep; name a directory with the code alone",
        .0.display(),
        MAX_BYTES >> 20
    )]
    TooMuch(PathBuf),
    /// A name that is no text.
    #[error("{} has a name that is no text", .0.display())]
    Name(PathBuf),
    /// The operating system refused.
    #[error("cannot pack {}: {source}", path.display())]
    Io {
        /// File or directory concerned.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Packs the files of a directory.
///
/// # Errors
/// See [`PackError`].
pub fn pack(directory: &Path) -> Result<Vec<u8>, PackError> {
    let mut found = Vec::new();
    collect(directory, directory, 0, &mut found)?;
    if found.is_empty() {
        return Err(PackError::Empty(directory.to_owned()));
    }
    found.sort();
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let mut left = MAX_BYTES;
    for (name, path) in found {
        let bytes = files::read_capped(&path, left).map_err(|error| match error {
            ReadError::TooLarge(_) => PackError::TooMuch(directory.to_owned()),
            ReadError::Io(source) => at(&path)(source),
        })?;
        left -= bytes.len() as u64;
        archive
            .start_file(name, options)
            .map_err(io::Error::from)
            .and_then(|()| archive.write_all(&bytes))
            .map_err(at(&path))?;
    }
    let archive = archive.finish().map_err(io::Error::from);
    Ok(archive.map_err(at(directory))?.into_inner())
}

/// Adds the files below `folder` with their names in the archive.
fn collect(
    root: &Path,
    folder: &Path,
    depth: usize,
    found: &mut Vec<(String, PathBuf)>,
) -> Result<(), PackError> {
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let entry = entry.map_err(at(folder))?;
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_str().ok_or_else(|| PackError::Name(path.clone()))?;
        let kind = entry.file_type().map_err(at(&path))?;
        if name.starts_with('.') {
            continue;
        }
        if kind.is_dir() && !LEFT_BEHIND.contains(&name) {
            if depth == MAX_DEPTH {
                return Err(PackError::TooMuch(root.to_owned()));
            }
            collect(root, &path, depth + 1, found)?;
        } else if kind.is_file() {
            if found.len() == MAX_FILES {
                return Err(PackError::TooMuch(root.to_owned()));
            }
            let inside = path.strip_prefix(root).unwrap_or(&path);
            let inside = inside
                .to_str()
                .ok_or_else(|| PackError::Name(path.clone()))?;
            found.push((inside.to_owned(), path));
        }
    }
    Ok(())
}

fn at(path: &Path) -> impl Fn(io::Error) -> PackError + '_ {
    move |source| PackError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_give_the_same_bytes_and_nothing_hidden_gets_out() {
        let place = tempfile::tempdir().unwrap();
        assert!(matches!(pack(place.path()), Err(PackError::Empty(_))));
        let write = |path: &str, text: &str| {
            let path = place.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("train.py", "print()");
        write("src/model.py", "pass");
        write(".env", "HF_TOKEN=secret");
        write(".git/config", "x");
        write("target/big", "x");
        std::os::unix::fs::symlink("/etc/passwd", place.path().join("link")).unwrap();
        let packed = pack(place.path()).unwrap();
        // Other dates, the same bytes.
        write("train.py", "print()");
        assert_eq!(pack(place.path()).unwrap(), packed);
        let mut archive = zip::ZipArchive::new(Cursor::new(packed)).unwrap();
        let names: Vec<_> = archive
            .file_names()
            .map(|name| name.unwrap().into_owned())
            .collect();
        assert_eq!(names, ["src/model.py", "train.py"]);
        let text = io::read_to_string(archive.by_name("train.py").unwrap()).unwrap();
        assert_eq!(text, "print()");
        assert!(matches!(
            pack(&place.path().join("absent")),
            Err(PackError::Io { .. })
        ));
    }
}

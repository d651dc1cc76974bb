//! Artefacts by content: the digest is the name, so a file cannot change under its name.
//!
//! A store keeps what is put into it; a [`Cache`] keeps what came from elsewhere while there is room. A store is a
//! directory or, with the feature `s3`, a bucket; [`Location`] is the one place that knows what a user calls them.

mod cache;
mod location;
#[cfg(feature = "s3")]
mod s3;

pub use cache::{Cache, Partial};
pub use location::{Location, ParseLocationError};
#[cfg(feature = "s3")]
pub use s3::{BucketPlace, S3Store};

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use sha2::{Digest, Sha256};

use crate::files::{self, ReadError};
use crate::source::SourceError;

/// Where model files are published and fetched. The digest is the SHA-256 of the bytes.
pub trait ArtefactStore: Send + Sync {
    /// Keeps the bytes durably and returns their digest. Putting the same bytes again changes nothing.
    fn put(&self, bytes: &[u8]) -> Result<[u8; 32], StoreError>;

    /// The bytes with this digest, at most `max_bytes` of them. The size is checked before the bytes are read, the
    /// digest after.
    fn get(&self, digest: &[u8; 32], max_bytes: u64) -> Result<Vec<u8>, StoreError>;

    /// As [`ArtefactStore::get`], given up soon after `stop` is set where the bytes come from elsewhere.
    fn get_unless(
        &self,
        digest: &[u8; 32],
        max_bytes: u64,
        _stop: &AtomicBool,
    ) -> Result<Vec<u8>, StoreError> {
        self.get(digest, max_bytes)
    }

    /// Whether an artefact of this name is present. Its bytes are checked only by [`ArtefactStore::get`].
    fn contains(&self, digest: &[u8; 32]) -> Result<bool, StoreError>;

    /// Keeps a file under a name, in a folder of its owner's beside the artefacts, in place of what was there.
    ///
    /// # Errors
    /// When a name is no plain file name, or the store fails.
    fn put_named(&self, folder: &str, name: &str, bytes: &[u8]) -> Result<(), StoreError>;

    /// A file that was kept under a name; `None` if there is none.
    ///
    /// # Errors
    /// When a name is no plain file name, the file has more than `max_bytes`, or the store fails.
    fn get_named(
        &self,
        folder: &str,
        name: &str,
        max_bytes: u64,
    ) -> Result<Option<Vec<u8>>, StoreError>;

    /// Whether there is a file under a name.
    ///
    /// # Errors
    /// As [`ArtefactStore::get_named`].
    fn has_named(&self, folder: &str, name: &str) -> Result<bool, StoreError>;
}

/// Why a store could not keep or give an artefact.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing is stored under this digest.
    #[error("no artefact {digest} in {}", root.display())]
    Missing {
        /// Hexadecimal digest asked for.
        digest: String,
        /// The store.
        root: PathBuf,
    },
    /// The artefact is larger than the caller accepts; nothing of it was read.
    #[error("artefact {digest} has {size} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Hexadecimal digest asked for.
        digest: String,
        /// Its size in bytes.
        size: u64,
        /// The cap it passed.
        limit: u64,
    },
    /// The stored bytes are not those of the name.
    #[error(
        "artefact {digest} is damaged: its bytes have the digest {found}; publish it again to replace {}",
        path.display()
    )]
    Damaged {
        /// Hexadecimal digest asked for.
        digest: String,
        /// Hexadecimal digest of the stored bytes.
        found: String,
        /// The damaged file.
        path: PathBuf,
    },
    /// The store does not show it: either it is not there, or not everybody may read it.
    #[error("{} does not show artefact {digest}", root.display())]
    Hidden {
        /// Hexadecimal digest asked for.
        digest: String,
        /// The store.
        root: PathBuf,
    },
    /// The server of a store does not answer, or takes no requests from here.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The operating system refused.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// File or directory concerned.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Where files with names lie.
const NAMED: &str = "named";

/// The key of an artefact below the root of its store.
fn key(digest: &[u8; 32]) -> String {
    let name = hex::encode(digest);
    format!("{}/{name}", &name[..2])
}

/// The key of a file with a name; `None` if a name is no plain file name.
fn named_key(folder: &str, name: &str) -> Option<String> {
    let is_plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('/');
    (is_plain(folder) && is_plain(name)).then(|| format!("{NAMED}/{folder}/{name}"))
}

/// What is said of a name that is none.
fn not_plain(path: PathBuf) -> StoreError {
    StoreError::Io {
        path,
        source: io::Error::new(io::ErrorKind::InvalidInput, "not a plain file name"),
    }
}

/// A directory as a store: `<root>/<first two hex digits>/<sha256>`, and `<root>/named/<folder>/<name>` for what
/// belongs to artefacts without being one.
#[derive(Debug, Clone)]
pub struct LocalStore {
    root: PathBuf,
}

impl LocalStore {
    /// Opens the store in `root`, which is created if it is absent.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(|source| StoreError::Io {
            path: root.clone(),
            source,
        })?;
        Ok(Self { root })
    }

    /// The directory of the store.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn named(&self, folder: &str, name: &str) -> Result<PathBuf, StoreError> {
        match named_key(folder, name) {
            Some(key) => Ok(self.root.join(key)),
            None => Err(not_plain(self.root.join(NAMED).join(folder).join(name))),
        }
    }

    fn path(&self, digest: &[u8; 32]) -> PathBuf {
        self.root.join(key(digest))
    }
}

impl ArtefactStore for LocalStore {
    fn put(&self, bytes: &[u8]) -> Result<[u8; 32], StoreError> {
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        // A present and sound artefact is left alone; a damaged one is replaced.
        match self.get(&digest, bytes.len() as u64) {
            Ok(_) => return Ok(digest),
            Err(StoreError::Io { path, source }) => return Err(StoreError::Io { path, source }),
            Err(_) => {}
        }
        let path = self.path(&digest);
        let directory = self.root.join(&hex::encode(digest)[..2]);
        fs::create_dir_all(&directory)
            .and_then(|()| files::sync_directory(&self.root))
            .and_then(|()| files::write_atomically(&path, bytes))
            .map_err(|source| StoreError::Io { path, source })?;
        Ok(digest)
    }

    fn get(&self, digest: &[u8; 32], max_bytes: u64) -> Result<Vec<u8>, StoreError> {
        let path = self.path(digest);
        let bytes = files::read_capped(&path, max_bytes).map_err(|error| match error {
            ReadError::TooLarge(size) => StoreError::TooLarge {
                digest: hex::encode(digest),
                size,
                limit: max_bytes,
            },
            ReadError::Io(source) if source.kind() == io::ErrorKind::NotFound => {
                StoreError::Missing {
                    digest: hex::encode(digest),
                    root: self.root.clone(),
                }
            }
            ReadError::Io(source) => StoreError::Io {
                path: path.clone(),
                source,
            },
        })?;
        let found: [u8; 32] = Sha256::digest(&bytes).into();
        if found != *digest {
            return Err(StoreError::Damaged {
                digest: hex::encode(digest),
                found: hex::encode(found),
                path,
            });
        }
        Ok(bytes)
    }

    fn contains(&self, digest: &[u8; 32]) -> Result<bool, StoreError> {
        let path = self.path(digest);
        path.try_exists()
            .map_err(|source| StoreError::Io { path, source })
    }

    fn put_named(&self, folder: &str, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.named(folder, name)?;
        let directory = self.root.join(NAMED).join(folder);
        fs::create_dir_all(&directory)
            .and_then(|()| files::write_atomically(&path, bytes))
            .map_err(|source| StoreError::Io { path, source })
    }

    fn get_named(
        &self,
        folder: &str,
        name: &str,
        max_bytes: u64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.named(folder, name)?;
        match files::read_capped(&path, max_bytes) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(ReadError::Io(source)) => Err(StoreError::Io { path, source }),
            Err(ReadError::TooLarge(size)) => Err(StoreError::TooLarge {
                digest: name.to_owned(),
                size,
                limit: max_bytes,
            }),
        }
    }

    fn has_named(&self, folder: &str, name: &str) -> Result<bool, StoreError> {
        let path = self.named(folder, name)?;
        path.try_exists()
            .map_err(|source| StoreError::Io { path, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, LocalStore) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let store = LocalStore::open(directory.path().join("hub")).expect("a store");
        (directory, store)
    }

    #[test]
    fn gives_back_what_was_put_under_its_sha256() {
        let (_directory, store) = store();
        let digest = store.put(b"abc").unwrap();
        // FIPS 180-4, example of "abc".
        assert_eq!(
            hex::encode(digest),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(store.put(b"abc").unwrap(), digest);
        assert!(store.contains(&digest).unwrap());
        assert_eq!(store.get(&digest, 3).unwrap(), b"abc");
        let directory = store.root().join("ba");
        let names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, [hex::encode(digest).as_str()]);
    }

    #[test]
    fn refuses_absent_and_large_artefacts() {
        let (_directory, store) = store();
        let absent = [7; 32];
        assert!(!store.contains(&absent).unwrap());
        assert!(matches!(
            store.get(&absent, 10),
            Err(StoreError::Missing { .. })
        ));
        let digest = store.put(&[1; 11]).unwrap();
        assert!(matches!(
            store.get(&digest, 10),
            Err(StoreError::TooLarge {
                size: 11,
                limit: 10,
                ..
            })
        ));
    }

    #[test]
    fn files_with_names_lie_beside_and_nowhere_else() {
        let (_directory, store) = store();
        assert_eq!(store.get_named("a", "b.json", 9).unwrap(), None);
        store.put_named("a", "b.json", b"old").unwrap();
        store.put_named("a", "b.json", b"new").unwrap();
        assert_eq!(store.get_named("a", "b.json", 9).unwrap().unwrap(), b"new");
        assert!(store.has_named("a", "b.json").unwrap());
        assert!(matches!(
            store.get_named("a", "b.json", 2),
            Err(StoreError::TooLarge { size: 3, .. })
        ));
        for (folder, name) in [("..", "x"), ("a", "../x"), ("", "x"), ("a", "")] {
            assert!(store.put_named(folder, name, b"x").is_err());
        }
    }

    #[test]
    fn notices_damage_and_putting_again_repairs_it() {
        let (_directory, store) = store();
        let digest = store.put(b"model").unwrap();
        fs::write(store.path(&digest), b"m0del").unwrap();
        assert!(matches!(
            store.get(&digest, 100),
            Err(StoreError::Damaged { .. })
        ));
        store.put(b"model").unwrap();
        assert_eq!(store.get(&digest, 100).unwrap(), b"model");
        // A longer damaged file must be replaced too.
        fs::write(store.path(&digest), b"model and more").unwrap();
        store.put(b"model").unwrap();
        assert_eq!(store.get(&digest, 100).unwrap(), b"model");
    }

    #[test]
    fn a_directory_in_the_place_of_an_artefact_is_an_error() {
        let (_directory, store) = store();
        let digest = [9; 32];
        fs::create_dir_all(store.path(&digest)).unwrap();
        assert!(matches!(
            store.get(&digest, 100),
            Err(StoreError::Io { .. })
        ));
    }
}

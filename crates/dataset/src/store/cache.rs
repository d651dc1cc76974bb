//! A directory of artefacts that came from elsewhere, as many as fit a budget.
//!
//! ```text
//! <root>/<sha256>            an artefact; its date is that of its last use
//! <root>/names/<sha256>      what an unchanging name stood for, by the digest of the name
//! <root>/partial/<sha256>    what is on its way, by the digest of its name
//! <root>/partial/<2>.lock    held by whoever fetches something with such a digest
//! <root>/.lock               held by whoever adds or removes
//! ```
//!
//! Several processes may use one directory. A process that is killed leaves whole files, and parts that the next
//! transfer goes on with or that make room when it is needed.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::StoreError;
use crate::files::{self, ReadError, TEMPORARY_PREFIX};

const NAMES: &str = "names";
const PARTIAL: &str = "partial";
const LOCK: &str = ".lock";

/// Artefacts under their digests, the least recently used of which goes when there is no room.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    budget: u64,
}

/// A place for what is on its way, this process's alone until it is dropped.
#[derive(Debug)]
pub struct Partial<'a> {
    cache: &'a Cache,
    path: PathBuf,
    _lock: File,
}

/// Something that can go.
struct Candidate {
    used: SystemTime,
    size: u64,
    path: PathBuf,
}

impl Cache {
    /// Opens the cache in `root`, which is created if it is absent, for at most `budget` bytes.
    pub fn open(root: impl Into<PathBuf>, budget: u64) -> Result<Self, StoreError> {
        let root = root.into();
        for folder in [NAMES, PARTIAL] {
            let folder = root.join(folder);
            fs::create_dir_all(&folder).map_err(at(&folder))?;
        }
        Ok(Self { root, budget })
    }

    /// The bytes with this digest, if they are here; they then count as just used. What is damaged is removed.
    ///
    /// # Errors
    /// When there are more than `max_bytes`, or the operating system refuses.
    pub fn get(&self, digest: &[u8; 32], max_bytes: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(digest);
        let bytes = match files::read_capped(&path, max_bytes) {
            Ok(bytes) => bytes,
            Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(ReadError::Io(error)) => return Err(at(&path)(error)),
            Err(ReadError::TooLarge(size)) => {
                return Err(StoreError::TooLarge {
                    digest: hex::encode(digest),
                    size,
                    limit: max_bytes,
                });
            }
        };
        if <[u8; 32]>::from(Sha256::digest(&bytes)) != *digest {
            remove(&path)?;
            return Ok(None);
        }
        // Another process may have removed it meanwhile; the bytes are here.
        let _ = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        Ok(Some(bytes))
    }

    /// Keeps the bytes, unless they alone pass the budget, and returns their digest.
    pub fn put(&self, bytes: &[u8]) -> Result<[u8; 32], StoreError> {
        let digest = Sha256::digest(bytes).into();
        let path = self.path(&digest);
        let lock = self.lock()?;
        if self.make_room(&lock, bytes.len() as u64)? {
            files::write_atomically(&path, bytes).map_err(at(&path))?;
        }
        Ok(digest)
    }

    /// The digest that was remembered of an unchanging name.
    pub fn named(&self, name: &str) -> Result<Option<[u8; 32]>, StoreError> {
        let path = self.root.join(NAMES).join(key(name));
        digest_in(&path)
    }

    /// Remembers what an unchanging name stands for.
    pub fn remember(&self, name: &str, digest: &[u8; 32]) -> Result<(), StoreError> {
        let path = self.root.join(NAMES).join(key(name));
        let _lock = self.lock()?;
        files::write_atomically(&path, hex::encode(digest).as_bytes()).map_err(at(&path))
    }

    /// A place for what comes under this name. Waits while another process fetches the same.
    pub fn partial(&self, name: &str) -> Result<Partial<'_>, StoreError> {
        let path = self.root.join(PARTIAL).join(key(name));
        let lock_path = lock_of(&path);
        let lock = File::create(&lock_path)
            .and_then(|file| file.lock().map(|()| file))
            .map_err(at(&lock_path))?;
        Ok(Partial {
            cache: self,
            path,
            _lock: lock,
        })
    }

    fn path(&self, digest: &[u8; 32]) -> PathBuf {
        self.root.join(hex::encode(digest))
    }

    fn lock(&self) -> Result<File, StoreError> {
        let path = self.root.join(LOCK);
        File::create(&path)
            .and_then(|file| file.lock().map(|()| file))
            .map_err(at(&path))
    }

    /// Removes what was used longest ago until so many bytes more are within the budget. Says whether they can be.
    fn make_room(&self, _lock: &File, incoming: u64) -> Result<bool, StoreError> {
        if incoming > self.budget {
            return Ok(false);
        }
        let mut candidates = self.candidates()?;
        candidates.sort_by_key(|candidate| candidate.used);
        let mut total: u64 = candidates.iter().map(|candidate| candidate.size).sum();
        let mut is_less = false;
        for candidate in candidates {
            if total.saturating_add(incoming) <= self.budget {
                break;
            }
            if remove(&candidate.path)? {
                total = total.saturating_sub(candidate.size);
                is_less = true;
            }
        }
        if is_less {
            self.forget_names()?;
        }
        Ok(true)
    }

    /// Artefacts, and parts of some. What a killed writer left is removed at once: nobody writes without the lock.
    fn candidates(&self) -> Result<Vec<Candidate>, StoreError> {
        let mut candidates = Vec::new();
        for folder in [self.root.clone(), self.root.join(PARTIAL)] {
            for entry in fs::read_dir(&folder).map_err(at(&folder))? {
                let entry = entry.map_err(at(&folder))?;
                let path = entry.path();
                // It may be gone by now, as parts are renamed without the lock.
                let Ok(metadata) = entry.metadata() else {
                    continue;
                };
                let name = entry.file_name();
                let name = name.to_string_lossy();
                let is_lock = name == LOCK || name.ends_with(".lock");
                if !metadata.is_file() || is_lock {
                    continue;
                }
                if name.starts_with(TEMPORARY_PREFIX) && folder == self.root {
                    remove(&path)?;
                    continue;
                }
                candidates.push(Candidate {
                    used: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                    size: metadata.len(),
                    path,
                });
            }
        }
        Ok(candidates)
    }

    /// Names of what is gone.
    fn forget_names(&self) -> Result<(), StoreError> {
        let folder = self.root.join(NAMES);
        for entry in fs::read_dir(&folder).map_err(at(&folder))? {
            let path = entry.map_err(at(&folder))?.path();
            let is_kept = digest_in(&path)?.is_some_and(|digest| self.path(&digest).exists());
            if !is_kept {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

impl Partial<'_> {
    /// Where the bytes are to be put. What lies beside it with more behind its name is the transfer's.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the whole file that was put there into the cache, unless it alone passes the budget, and gives its bytes
    /// and their digest.
    ///
    /// # Errors
    /// When there are more than `max_bytes`, or the operating system refuses. Nothing stays then.
    pub fn keep(self, max_bytes: u64) -> Result<(Vec<u8>, [u8; 32]), StoreError> {
        let kept = self.take(max_bytes);
        if kept.is_err() {
            remove_unlocked(&self.path)?;
        }
        kept
    }

    fn take(&self, max_bytes: u64) -> Result<(Vec<u8>, [u8; 32]), StoreError> {
        let Self { cache, path, .. } = self;
        let bytes = files::read_capped(path, max_bytes).map_err(|error| match error {
            ReadError::Io(error) => at(path)(error),
            ReadError::TooLarge(size) => StoreError::TooLarge {
                digest: path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into(),
                size,
                limit: max_bytes,
            },
        })?;
        let digest = Sha256::digest(&bytes).into();
        let target = cache.path(&digest);
        let lock = cache.lock()?;
        if bytes.len() as u64 > cache.budget {
            remove_unlocked(path)?;
        } else {
            fs::rename(path, &target)
                .and_then(|()| files::sync_directory(&cache.root))
                .map_err(at(&target))?;
            cache.make_room(&lock, 0)?;
        }
        Ok((bytes, digest))
    }
}

/// What is held by whoever fetches something to this path. There is a fixed number of them, because a lock that is
/// removed while somebody waits for it is none.
fn lock_of(partial: &Path) -> PathBuf {
    let name = partial.file_name().unwrap_or_default().to_string_lossy();
    let first: String = name.chars().take(2).collect();
    partial.with_file_name(format!("{first}.lock"))
}

/// Removes a file, unless it is being fetched. Says whether it is gone.
fn remove(path: &Path) -> Result<bool, StoreError> {
    let is_partial = path.parent().is_some_and(|it| it.ends_with(PARTIAL));
    // Held until the file is gone.
    let lock = match is_partial {
        true => File::open(lock_of(path)).ok(),
        false => None,
    };
    if let Some(Err(TryLockError::WouldBlock)) = lock.as_ref().map(File::try_lock) {
        return Ok(false);
    }
    remove_unlocked(path)
}

fn remove_unlocked(path: &Path) -> Result<bool, StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(true),
    }
}

/// The digest that a small file holds, if it holds one.
fn digest_in(path: &Path) -> Result<Option<[u8; 32]>, StoreError> {
    let mut digest = [0; 32];
    match files::read_capped(path, 64) {
        Ok(text) => Ok(hex::decode_to_slice(text, &mut digest)
            .is_ok()
            .then_some(digest)),
        Err(ReadError::TooLarge(_)) => Ok(None),
        Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(ReadError::Io(error)) => Err(at(path)(error)),
    }
}

/// A file name for any name.
fn key(name: &str) -> String {
    hex::encode(Sha256::digest(name))
}

fn at(path: &Path) -> impl Fn(io::Error) -> StoreError + '_ {
    move |source| StoreError::Io {
        path: path.to_path_buf(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn cache(budget: u64) -> (tempfile::TempDir, Cache) {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path().join("cache"), budget).unwrap();
        (directory, cache)
    }

    /// Makes an artefact look as if it was used so many seconds ago.
    fn used(cache: &Cache, digest: &[u8; 32], seconds: u64) {
        let then = SystemTime::now() - Duration::from_secs(seconds);
        let file = File::open(cache.path(digest)).unwrap();
        file.set_modified(then).unwrap();
    }

    fn has(cache: &Cache, digest: &[u8; 32]) -> bool {
        cache.path(digest).exists()
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let (_directory, cache) = cache(25);
        let old = cache.put(&[1; 10]).unwrap();
        let new = cache.put(&[2; 10]).unwrap();
        used(&cache, &old, 100);
        used(&cache, &new, 50);
        // Reading is using.
        assert_eq!(cache.get(&old, 10).unwrap().unwrap(), [1; 10]);
        let third = cache.put(&[3; 10]).unwrap();
        assert!(has(&cache, &old) && has(&cache, &third) && !has(&cache, &new));
        assert_eq!(cache.get(&new, 10).unwrap(), None);
        // What can never fit displaces nobody.
        let giant = cache.put(&[4; 26]).unwrap();
        assert!(!has(&cache, &giant) && has(&cache, &old) && has(&cache, &third));
        assert!(matches!(
            cache.get(&third, 9),
            Err(StoreError::TooLarge { size: 10, .. })
        ));
    }

    #[test]
    fn damage_is_absence() {
        let (_directory, cache) = cache(100);
        let digest = cache.put(b"model").unwrap();
        fs::write(cache.path(&digest), b"m0del").unwrap();
        assert_eq!(cache.get(&digest, 100).unwrap(), None);
        assert!(!has(&cache, &digest));
        cache.put(b"model").unwrap();
        assert_eq!(cache.get(&digest, 100).unwrap().unwrap(), b"model");
    }

    #[test]
    fn what_arrived_is_moved_in_and_its_name_remembered_while_it_is_there() {
        let (_directory, cache) = cache(10);
        let partial = cache.partial("a/b@1/model.onnx").unwrap();
        fs::write(partial.path(), [1; 8]).unwrap();
        let (bytes, digest) = partial.keep(8).unwrap();
        assert_eq!((bytes, has(&cache, &digest)), (vec![1; 8], true));
        cache.remember("a/b@1/model.onnx", &digest).unwrap();
        assert_eq!(cache.named("a/b@1/model.onnx").unwrap(), Some(digest));
        assert_eq!(cache.named("a/b@2/model.onnx").unwrap(), None);
        used(&cache, &digest, 10);
        cache.put(&[2; 8]).unwrap();
        assert!(!has(&cache, &digest));
        assert_eq!(cache.named("a/b@1/model.onnx").unwrap(), None);

        let partial = cache.partial("large").unwrap();
        fs::write(partial.path(), [3; 9]).unwrap();
        let path = partial.path().to_owned();
        assert!(matches!(
            partial.keep(8),
            Err(StoreError::TooLarge { size: 9, .. })
        ));
        assert!(!path.exists());
        // Larger than the budget: given, not kept.
        let partial = cache.partial("larger").unwrap();
        fs::write(partial.path(), [4; 11]).unwrap();
        let (bytes, digest) = partial.keep(11).unwrap();
        assert_eq!((bytes.len(), has(&cache, &digest)), (11, false));
    }

    #[test]
    fn what_a_killed_process_left_is_no_artefact_and_makes_room() {
        let (_directory, cache) = cache(20);
        let root = cache.root.clone();
        fs::write(root.join(format!("{TEMPORARY_PREFIX}x")), [0; 15]).unwrap();
        let part = root.join(PARTIAL).join(key("gone") + ".part");
        fs::write(&part, [0; 15]).unwrap();
        // One that is being fetched stays.
        let busy = cache.partial("busy").unwrap();
        let busy_part = busy.path().with_extension("part");
        fs::write(&busy_part, [0; 4]).unwrap();
        let then = SystemTime::now() - Duration::from_secs(9);
        File::open(&busy_part).unwrap().set_modified(then).unwrap();
        let digest = cache.put(&[1; 12]).unwrap();
        assert!(has(&cache, &digest) && !part.exists() && busy_part.exists());
        assert!(!root.join(format!("{TEMPORARY_PREFIX}x")).exists());
    }

    #[test]
    fn many_users_of_one_directory_do_not_harm_each_other() {
        let (directory, first) = cache(400);
        drop(first);
        let root = directory.path().join("cache");
        std::thread::scope(|scope| {
            for worker in 0..4u8 {
                let root = &root;
                scope.spawn(move || {
                    let cache = Cache::open(root, 400).unwrap();
                    for round in 0..30u8 {
                        let bytes = [worker.wrapping_mul(31).wrapping_add(round % 7); 100];
                        let digest = cache.put(&bytes).unwrap();
                        // It may have made room for another by now; if not, it is whole.
                        if let Some(found) = cache.get(&digest, 100).unwrap() {
                            assert_eq!(found, bytes);
                        }
                    }
                });
            }
        });
        let sizes = fs::read_dir(&root).unwrap();
        let sizes = sizes.map(|entry| entry.unwrap().metadata().unwrap());
        let total: u64 = sizes.filter(|it| it.is_file()).map(|it| it.len()).sum();
        assert!((300..=400).contains(&total), "{total}");
    }
}

//! Requests that were taken before, so that none is taken twice.
//!
//! A request is known by its caller's hotkey, the caller's program and the nonce, all of which are signed. It is
//! remembered until its nonce is too old to be taken anyway, and only after its signature has been found good: a forged
//! request leaves no trace and locks nobody out. One caller's requests may arrive in any order.
//!
//! A process that starts anew remembers nothing. So it refuses every nonce up to the one before which the last process
//! may have taken requests: the lease, a number in a file that runs some time ahead of what was taken, so that it is
//! written now and then and not for each request. Where a file says so, no two processes can share one hotkey: each
//! would take what the other has taken.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agon_keys::AccountId;

/// The most requests of one hotkey that are remembered.
const MAX_OF_HOTKEY: usize = 65_536;
/// The most hotkeys whose requests are remembered: a subnet has hundreds.
const MAX_HOTKEYS: usize = 65_536;
/// How far the lease runs ahead.
const LEASE: Duration = Duration::from_secs(2);

/// What a request is known by.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// The caller's hotkey.
    pub hotkey: AccountId,
    /// The caller's program; empty where the protocol does not tell.
    pub uuid: &'a str,
    /// When it was signed, in nanoseconds since 1970.
    pub nonce: u64,
}

/// Why a request is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It was taken before.
    #[error("this request was taken before")]
    Repeated,
    /// It is from before a moment up to which requests may have been taken and are not remembered.
    #[error("the server has started lately and refuses what was signed before: try again")]
    Forgotten,
    /// The caller has sent too many requests within the time for which they are remembered.
    #[error("too many requests of this hotkey")]
    TooMany,
}

/// Why there is no memory.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process uses it.
    #[error(
        "{0} is in use: another server of this hotkey runs on this machine, and each would take requests that the other has taken; stop it, or use another hotkey"
    )]
    InUse(PathBuf),
    /// The file cannot be read or written.
    #[error("cannot use {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{0} does not hold a number: delete it if nothing was served in the last minute")]
    Damaged(PathBuf),
}

/// The memory of one server.
pub struct Replay {
    seen: Mutex<Seen>,
    lease: Option<Lease>,
    hasher: RandomState,
}

#[derive(Default)]
struct Seen {
    /// By hotkey: nonces, each with a hash of the program's name.
    requests: HashMap<AccountId, BTreeSet<(u64, u64)>>,
    /// Nothing up to this nonce is taken.
    floor: u64,
    /// The greatest nonce that was taken.
    highest: u64,
    /// The nonce up to which the file promises that everything may have been taken.
    leased: u64,
}

struct Lease {
    path: PathBuf,
    /// What the file says. Held while it is written: a lease must never become shorter.
    written: Mutex<u64>,
    /// Locked as long as this lives.
    _lock: File,
}

impl Replay {
    /// A memory that ends with the process. After a start what was taken shortly before can be taken again: for tests
    /// and for servers where that does no harm.
    pub fn in_memory() -> Self {
        Self {
            seen: Mutex::new(Seen {
                leased: u64::MAX,
                ..Seen::default()
            }),
            lease: None,
            hasher: RandomState::new(),
        }
    }

    /// A memory whose lease is in a file, one for each hotkey. Its directory is made if it is not there.
    ///
    /// # Errors
    /// When another process uses the file, or it cannot be used.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io {
            path: path.to_owned(),
            source,
        };
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(io)?;
        }
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.with_extension("lock"))
            .map_err(io)?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => OpenError::InUse(path.to_owned()),
            fs::TryLockError::Error(error) => io(error),
        })?;
        let floor = match File::open(path) {
            Ok(file) => {
                let mut text = String::new();
                file.take(64).read_to_string(&mut text).map_err(io)?;
                let number = text.trim().parse();
                number.map_err(|_| OpenError::Damaged(path.to_owned()))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(io(error)),
        };
        Ok(Self {
            seen: Mutex::new(Seen {
                floor,
                highest: floor,
                leased: floor,
                ..Seen::default()
            }),
            lease: Some(Lease {
                path: path.to_owned(),
                written: Mutex::new(floor),
                _lock: lock,
            }),
            hasher: RandomState::new(),
        })
    }

    /// Whether a request could be taken. Cheap, so that it comes before the signature is judged.
    ///
    /// # Errors
    /// When it could not.
    pub fn look(&self, key: Key<'_>) -> Result<(), Refused> {
        let seen = self.seen();
        if key.nonce <= seen.floor {
            return Err(Refused::Forgotten);
        }
        let requests = seen.requests.get(&key.hotkey);
        match requests.is_some_and(|requests| requests.contains(&self.entry(key))) {
            true => Err(Refused::Repeated),
            false => Ok(()),
        }
    }

    /// Takes a request, once. `oldest` is the least nonce that is not too old by now: what is older is forgotten.
    ///
    /// The lease must cover it: see [`Replay::is_covered`].
    ///
    /// # Errors
    /// When it is not taken.
    pub fn take(&self, key: Key<'_>, oldest: u64) -> Result<(), Refused> {
        let entry = self.entry(key);
        let mut seen = self.seen();
        if key.nonce <= seen.floor {
            return Err(Refused::Forgotten);
        }
        if seen.requests.len() >= MAX_HOTKEYS && !seen.requests.contains_key(&key.hotkey) {
            seen.forget(oldest);
            if seen.requests.len() >= MAX_HOTKEYS {
                return Err(Refused::TooMany);
            }
        }
        let requests = seen.requests.entry(key.hotkey).or_default();
        if requests.contains(&entry) {
            return Err(Refused::Repeated);
        }
        if requests.len() >= MAX_OF_HOTKEY {
            seen.forget(oldest);
        }
        let requests = seen.requests.entry(key.hotkey).or_default();
        if requests.len() >= MAX_OF_HOTKEY {
            return Err(Refused::TooMany);
        }
        requests.insert(entry);
        seen.highest = seen.highest.max(key.nonce);
        Ok(())
    }

    /// Forgets what is older than `oldest`, and takes nothing up to there any more, wherever the clock may jump. Call it
    /// now and then.
    pub fn forget(&self, oldest: u64) {
        self.seen().forget(oldest);
    }

    /// Whether the lease covers a nonce, so that it can be taken.
    pub fn is_covered(&self, nonce: u64) -> bool {
        nonce <= self.seen().leased
    }

    /// Makes the lease cover a nonce. Writes to the disk.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn cover(&self, nonce: u64) -> io::Result<()> {
        let Some(lease) = &self.lease else {
            return Ok(());
        };
        let mut written = lease.written.lock().unwrap_or_else(PoisonError::into_inner);
        if *written >= nonce {
            return Ok(()); // somebody else was faster
        }
        let until = nonce.saturating_add(LEASE.as_nanos() as u64);
        lease.write(until)?;
        *written = until;
        let mut seen = self.seen();
        seen.leased = seen.leased.max(until);
        Ok(())
    }

    fn entry(&self, key: Key<'_>) -> (u64, u64) {
        (key.nonce, self.hasher.hash_one(key.uuid))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // What a panic left half done is at worst a request that counts as taken.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn forget(&mut self, oldest: u64) {
        self.requests.retain(|_, requests| {
            *requests = requests.split_off(&(oldest, 0));
            !requests.is_empty()
        });
        self.floor = self.floor.max(oldest.saturating_sub(1));
    }
}

impl Lease {
    fn write(&self, until: u64) -> io::Result<()> {
        let aside = self.path.with_extension("new");
        let mut file = File::create(&aside)?;
        write!(file, "{until}")?;
        file.sync_all()?;
        fs::rename(&aside, &self.path)?;
        match self.path.parent() {
            Some(directory) => File::open(directory)?.sync_all(),
            None => Ok(()),
        }
    }
}

impl Drop for Replay {
    /// After an orderly end nothing later than what was taken need be refused.
    fn drop(&mut self) {
        let highest = self.seen().highest;
        if let Some(lease) = &self.lease
            && let Err(error) = lease.write(highest)
        {
            tracing::warn!(%error, "the lease stays as it is: some requests are refused after a start");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(hotkey: u8, uuid: &str, nonce: u64) -> Key<'_> {
        Key {
            hotkey: AccountId([hotkey; 32]),
            uuid,
            nonce,
        }
    }

    #[test]
    fn nothing_is_taken_twice_and_any_order_is_good() {
        let replay = Replay::in_memory();
        for nonce in [5, 3, 9, 4] {
            assert_eq!(replay.look(key(1, "a", nonce)), Ok(()));
            assert_eq!(replay.take(key(1, "a", nonce), 0), Ok(()));
            assert_eq!(replay.look(key(1, "a", nonce)), Err(Refused::Repeated));
            assert_eq!(replay.take(key(1, "a", nonce), 0), Err(Refused::Repeated));
        }
        // Another program or hotkey may have the same nonce.
        assert_eq!(replay.take(key(1, "b", 5), 0), Ok(()));
        assert_eq!(replay.take(key(2, "a", 5), 0), Ok(()));
    }

    #[test]
    fn what_is_forgotten_is_refused_even_if_the_clock_goes_back() {
        let replay = Replay::in_memory();
        for nonce in [5, 8] {
            replay.take(key(1, "a", nonce), 0).unwrap();
        }
        replay.forget(7);
        assert_eq!(replay.seen().requests[&AccountId([1; 32])].len(), 1);
        assert_eq!(replay.look(key(1, "a", 5)), Err(Refused::Forgotten));
        assert_eq!(replay.take(key(1, "a", 6), 0), Err(Refused::Forgotten));
        assert_eq!(replay.take(key(1, "a", 7), 0), Ok(()));
        replay.forget(100);
        assert!(replay.seen().requests.is_empty());
    }

    #[test]
    fn one_hotkey_does_not_fill_the_memory_of_others() {
        let replay = Replay::in_memory();
        for nonce in 1..=MAX_OF_HOTKEY as u64 {
            replay.take(key(1, "", nonce), 0).unwrap();
        }
        assert_eq!(replay.take(key(1, "", 1 << 40), 0), Err(Refused::TooMany));
        assert_eq!(replay.take(key(2, "", 1), 0), Ok(()));
        // Time makes room.
        assert_eq!(replay.take(key(1, "", 1 << 40), 1_000), Ok(()));
    }

    #[test]
    fn a_lease_never_becomes_shorter() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("lease");
        let replay = Replay::open(&path).unwrap();
        std::thread::scope(|scope| {
            for nonce in (1..=32_u64).rev() {
                let replay = &replay;
                scope.spawn(move || replay.cover(nonce * 10_000_000_000).unwrap());
            }
        });
        let leased = replay.seen().leased;
        assert!(leased >= 320_000_000_000);
        assert_eq!(fs::read_to_string(&path).unwrap(), leased.to_string());
    }

    #[test]
    fn after_a_start_what_may_have_been_taken_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state").join("lease");
        let second = 1_000_000_000;
        let begun = Replay::open(&path).unwrap();
        assert!(!begun.is_covered(10 * second));
        begun.cover(10 * second).unwrap();
        assert!(begun.is_covered(11 * second));
        begun.take(key(1, "a", 10 * second), 0).unwrap();
        assert!(matches!(Replay::open(&path), Err(OpenError::InUse(_))));

        // As after a kill: the lock goes, the file stays as it was.
        let killed = fs::read(&path).unwrap();
        drop(begun);
        let ended = fs::read_to_string(&path).unwrap();
        assert_eq!(ended, (10 * second).to_string());
        fs::write(&path, killed).unwrap();
        let again = Replay::open(&path).unwrap();
        assert_eq!(
            again.look(key(1, "a", 10 * second)),
            Err(Refused::Forgotten)
        );
        assert_eq!(
            again.look(key(2, "b", 12 * second)),
            Err(Refused::Forgotten)
        );
        assert_eq!(again.look(key(2, "b", 12 * second + 1)), Ok(()));
        drop(again);

        fs::write(&path, "soon").unwrap();
        assert!(matches!(Replay::open(&path), Err(OpenError::Damaged(_))));
    }
}

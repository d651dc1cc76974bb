//! Archives brought here, unpacked under their digests and read.

use super::configuration::Place;
use super::{Configuration, Offer, Origin, Progress, Reader, Reading, Release, ReleaseError, at};
use crate::competition::Competition;
use agon_dataset::image::MAX_ENCODED_BYTES;
use agon_dataset::source::{Caps, SourceError, UnpackError, unzip};
use agon_model::digest::Digest;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

/// Most bytes of an archive.
const MAX_ARCHIVE: u64 = 4 << 30;
/// What may come out of one.
const CAPS: Caps = Caps {
    entries: 50_000,
    file_bytes: MAX_ENCODED_BYTES,
    bytes: 8 << 30,
};
/// How many unpacked archives are kept; the least recently used go first.
const KEPT: usize = 8;
/// How the names of what is being unpacked begin.
const UNFINISHED: &str = ".unfinished-";

/// Where releases come from, where they are kept, and what is made of them.
pub struct Releases {
    /// Where the configuration lies.
    pub origin: Origin,
    /// The directory for archives.
    pub kept: PathBuf,
    /// The competitions that are judged here; all, if none is named.
    pub only: Vec<String>,
    /// What is made of an unpacked archive.
    pub read: Box<Reader>,
}

/// An archive that was brought here.
pub struct Brought {
    /// Its SHA-256; none where it is too large to be fetched.
    pub digest: Option<Digest>,
    /// What it is judged with.
    pub reading: Reading,
}

impl Releases {
    /// What the configuration says now.
    ///
    /// # Errors
    /// As [`Configuration::read`].
    pub fn configuration(&self, stop: &AtomicBool) -> Result<Configuration, ReleaseError> {
        Configuration::read(&self.origin, &self.only, stop)
    }

    /// Bring an archive here, unpack and read it. It may be done again, and goes on where it was.
    ///
    /// # Errors
    /// When it cannot be had now, or the disk fails. That it is no archive, or none to judge on, is an answer.
    pub fn bring(
        &self,
        offer: &Offer,
        progress: &Progress,
        stop: &AtomicBool,
    ) -> Result<Brought, ReleaseError> {
        fs::create_dir_all(&self.kept).map_err(at(&self.kept))?;
        let _lock = self.lock()?;
        let name = hex::encode(Sha256::digest(format!("{} {}", offer.released, offer.file)));
        let archive = self.kept.join(format!("{}.zip", &name[..16]));
        let cancelled = |digest, reason| Brought {
            digest,
            reading: Reading::cancelled(0, reason),
        };
        let digest = match &offer.place {
            Place::Local(path) => copy(path, &archive)?,
            Place::Hub(listing, file) => {
                let Origin::Hub {
                    access, patience, ..
                } = &self.origin
                else {
                    return Err(ReleaseError::Unavailable("it is on the Hub".to_owned()));
                };
                let fetched =
                    listing.fetch_to(file, &archive, MAX_ARCHIVE, access, *patience, stop);
                match fetched {
                    Ok(digest) => Some(digest),
                    Err(SourceError::TooLarge { .. }) => None,
                    Err(SourceError::Io { path, source }) => {
                        return Err(ReleaseError::Io { path, source });
                    }
                    Err(error) => return Err(ReleaseError::Unavailable(error.to_string())),
                }
            }
        };
        let Some(digest) = digest.map(Digest) else {
            let reason = format!("the archive has more than {MAX_ARCHIVE} bytes");
            return Ok(cancelled(None, reason));
        };
        let directory = self.directory(digest);
        let unpacked = match directory.is_dir() {
            true => Ok(()),
            false => self.unpack(&archive, &directory, stop),
        };
        fs::remove_file(&archive).map_err(at(&archive))?;
        match unpacked {
            Ok(()) => {}
            Err(UnpackError::Io(source)) => return Err(at(&directory)(source)),
            Err(UnpackError::Stopped) => {
                return Err(ReleaseError::Unavailable("stopped".to_owned()));
            }
            Err(error) => return Ok(cancelled(Some(digest), error.to_string())),
        }
        self.forget(&directory)?;
        Ok(Brought {
            digest: Some(digest),
            reading: (self.read)(&directory, progress).map_err(at(&directory))?,
        })
    }

    /// What a release was judged with. Asks for the archive again where it is not kept any more.
    ///
    /// # Errors
    /// When it cannot be had, is another one now, or the disk fails.
    pub fn again(
        &self,
        release: &Release,
        progress: &Progress,
        stop: &AtomicBool,
    ) -> Result<Arc<dyn Competition>, ReleaseError> {
        let gone = |reason: &str| ReleaseError::Unavailable(format!("{}: {reason}", release.file));
        let digest = release.digest.ok_or_else(|| gone("it was never here"))?;
        let directory = self.directory(digest);
        let reading = match directory.is_dir() {
            true => (self.read)(&directory, progress).map_err(at(&directory))?,
            false => {
                let configuration = self.configuration(stop)?;
                let offer = configuration.offers.iter().find(|offer| {
                    (&offer.file, offer.released) == (&release.file, release.released)
                });
                let offer = offer.ok_or_else(|| gone("it is not offered any more"))?;
                let brought = self.bring(offer, progress, stop)?;
                if brought.digest != Some(digest) {
                    return Err(gone("it is another archive now"));
                }
                brought.reading
            }
        };
        reading.competition.map_err(|reason| gone(&reason))
    }

    fn directory(&self, digest: Digest) -> PathBuf {
        self.kept.join(digest.to_string())
    }

    /// Nobody else brings archives here meanwhile.
    fn lock(&self) -> Result<File, ReleaseError> {
        let path = self.kept.join(".lock");
        let options = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let file = options.map_err(at(&path))?;
        file.lock().map_err(at(&path))?;
        Ok(file)
    }

    fn unpack(
        &self,
        archive: &Path,
        directory: &Path,
        stop: &AtomicBool,
    ) -> Result<(), UnpackError> {
        let name = directory.file_name().unwrap_or_default().to_string_lossy();
        let unfinished = self.kept.join(format!("{UNFINISHED}{name}"));
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(UnpackError::Io(error));
            }
            _ => {}
        }
        unzip(archive, &unfinished, CAPS, stop)?;
        fs::rename(&unfinished, directory).map_err(UnpackError::Io)?;
        let kept = File::open(&self.kept).map_err(UnpackError::Io)?;
        kept.sync_all().map_err(UnpackError::Io)
    }

    /// Marks an unpacked archive as used, and removes those that were used longest ago.
    fn forget(&self, used: &Path) -> Result<(), ReleaseError> {
        File::open(used)
            .and_then(|directory| directory.set_modified(SystemTime::now()))
            .map_err(at(used))?;
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.kept).map_err(at(&self.kept))? {
            let path = entry.map_err(at(&self.kept))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.parse::<Digest>().is_ok() {
                let changed = fs::metadata(&path).and_then(|it| it.modified());
                kept.push((changed.map_err(at(&path))?, path));
            }
        }
        kept.sort();
        for (_, path) in kept.iter().rev().skip(KEPT) {
            fs::remove_dir_all(path).map_err(at(path))?;
        }
        Ok(())
    }
}

/// Copies a file; its SHA-256, or nothing where it is too large.
fn copy(from: &Path, to: &Path) -> Result<Option<[u8; 32]>, ReleaseError> {
    let mut reader = File::open(from).map_err(at(from))?;
    if reader.metadata().map_err(at(from))?.len() > MAX_ARCHIVE {
        return Ok(None);
    }
    let mut writer = File::create(to).map_err(at(to))?;
    let mut sha256 = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        let count = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(at(from)(error)),
        };
        size += count as u64;
        if size > MAX_ARCHIVE {
            return Ok(None);
        }
        sha256.update(&buffer[..count]);
        writer.write_all(&buffer[..count]).map_err(at(to))?;
    }
    Ok(Some(sha256.finalize().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// A zip archive of stored files, by hand: what is unpacked is the matter of others.
    const EMPTY_ZIP: &[u8] = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    fn place(archive: &[u8]) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("config/datasets")).unwrap();
        fs::create_dir_all(place.path().join("config/me/data")).unwrap();
        let config = place.path().join("config");
        let weights = "- {competition_id: a, weight: 1}";
        fs::write(config.join("competition_weights.yml"), weights).unwrap();
        let entry = "- {competition_id: a, organization_id: x, dataset_hf_repo: me/data}";
        fs::write(config.join("datasets/x.yaml"), entry).unwrap();
        fs::write(config.join("me/data/1.zip"), archive).unwrap();
        place
    }

    fn releases(place: &Path, seen: Arc<Mutex<Vec<PathBuf>>>) -> Releases {
        Releases {
            origin: Origin::Local(place.join("config")),
            kept: place.join("kept"),
            only: Vec::new(),
            read: Box::new(move |path, _| {
                seen.lock().unwrap().push(path.to_owned());
                Ok(Reading::cancelled(3, "read".into()))
            }),
        }
    }

    fn cancelled(brought: &Brought) -> &str {
        brought.reading.competition.as_ref().err().unwrap()
    }

    #[test]
    fn an_archive_is_unpacked_once_under_its_digest() {
        let place = place(EMPTY_ZIP);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let releases = releases(place.path(), seen.clone());
        let go = AtomicBool::new(false);
        let configuration = releases.configuration(&go).unwrap();
        let offer = configuration.due(&[], u64::MAX).unwrap();
        for _ in 0..2 {
            let brought = releases.bring(offer, &|_, _| {}, &go).unwrap();
            assert_eq!(brought.digest, Some(Digest::of(EMPTY_ZIP)));
            assert_eq!(cancelled(&brought), "read");
        }
        let directory = place
            .path()
            .join("kept")
            .join(Digest::of(EMPTY_ZIP).to_string());
        assert_eq!(
            *seen.lock().unwrap(),
            [directory.clone(), directory.clone()]
        );
        // Nothing but the lock lies beside it.
        assert_eq!(fs::read_dir(place.path().join("kept")).unwrap().count(), 2);
        // What is not kept any more is brought again, if it is still the same.
        let release = Release {
            competition: "a".into(),
            organization: "x".into(),
            file: offer.file.clone(),
            digest: Some(Digest::of(EMPTY_ZIP)),
            released: offer.released,
            last_block: 0,
            samples: 0,
            dropped: 0,
            cancelled: None,
        };
        fs::remove_dir_all(&directory).unwrap();
        let again = |release: &Release| {
            releases
                .again(release, &|_, _| {}, &go)
                .err()
                .unwrap()
                .to_string()
        };
        assert!(again(&release).contains("read") && directory.is_dir());
        let other = Release {
            digest: Some(Digest::of(b"other")),
            ..release
        };
        assert!(again(&other).contains("another archive"));
    }

    #[test]
    fn what_is_no_archive_cancels_and_leaves_nothing_behind() {
        let place = place(b"no zip at all");
        let releases = releases(place.path(), Arc::default());
        let go = AtomicBool::new(false);
        let configuration = releases.configuration(&go).unwrap();
        let brought = releases
            .bring(&configuration.offers[0], &|_, _| {}, &go)
            .unwrap();
        assert!(cancelled(&brought).contains("no zip archive"));
        assert_eq!(brought.digest, Some(Digest::of(b"no zip at all")));
        assert_eq!(fs::read_dir(place.path().join("kept")).unwrap().count(), 1);
    }
}

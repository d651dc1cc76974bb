//! Archives of strangers, unpacked within limits: zip, tar and gzipped tar.
//!
//! Every entry's path is checked before anything is written: relative, without `..`, of plain components. Links and
//! devices are refused. Sizes are counted as bytes come out, whatever the headers say.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest, Sha256};

use super::ReceiptFile;
use crate::files;

/// Most files of an archive.
pub const MAX_ENTRIES: usize = 500_000;
/// At most this many times its own size comes out of an archive; images hardly compress at all.
pub const MAX_RATIO: u64 = 50;
/// What may come out of an archive however small it is.
const SMALL: u64 = 16 << 20;
/// Most bytes of one unpacked file.
const MAX_ENTRY_BYTES: u64 = 4 << 30;
/// Deepest path in an archive, in components.
const MAX_DEPTH: usize = 16;

/// Why an archive was not unpacked. What had come out is removed.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// A path leads out of the directory, or is none.
    #[error("the entry {0:?} has a path that leads elsewhere")]
    Path(String),
    /// Something that is no file and no directory.
    #[error("the entry {0:?} is a link or a device")]
    Kind(String),
    /// Two entries with one path.
    #[error("the entry {0:?} stands there twice")]
    Twice(String),
    /// Needs a password.
    #[error("the entry {0:?} is encrypted")]
    Encrypted(String),
    /// More entries than allowed: the limit.
    #[error("it has more than {0} entries")]
    TooMany(usize),
    /// A file or all files are too large, often for the archive they come from: the limit.
    #[error("more comes out than the {0} bytes allowed for an archive of this size")]
    TooLarge(u64),
    /// Not an archive, or a damaged one.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// Told to stop.
    #[error("stopped")]
    Stopped,
    /// The operating system refused.
    #[error("{0}")]
    Io(io::Error),
}

/// What may come out of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Most entries.
    pub entries: usize,
    /// Most bytes of one file.
    pub file_bytes: u64,
    /// Most bytes of all files.
    pub bytes: u64,
}

impl Caps {
    /// What may come out of a public data set's archive of this size.
    fn of_size(size: u64) -> Self {
        Self {
            entries: MAX_ENTRIES,
            file_bytes: MAX_ENTRY_BYTES,
            bytes: size.saturating_mul(MAX_RATIO).saturating_add(SMALL),
        }
    }
}

/// Unpacks a zip archive into the new directory `target` and lists the files, with their paths in it. After an error
/// there is no such directory.
///
/// # Errors
/// When it is no zip archive, a damaged or a malicious one, or more comes out than `caps` allow.
pub fn unzip(
    path: &Path,
    target: &Path,
    caps: Caps,
    stop: &AtomicBool,
) -> Result<Vec<ReceiptFile>, UnpackError> {
    match format(path).map_err(UnpackError::Io)? {
        Some(Format::Zip) => unpack_within(path, Format::Zip, target, caps, stop, &|_| {}),
        _ => Err(UnpackError::Damaged("it is no zip archive".to_owned())),
    }
}

/// What kind of archive a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Zip,
    Tar,
    TarGzip,
}

/// How the names of archives end that are unpacked here.
const ENDINGS: [&str; 4] = [".zip", ".tar.gz", ".tgz", ".tar"];
/// How the names of files end in which a page's text has a right to be.
const PAGES: [&str; 6] = [".html", ".htm", ".xhtml", ".md", ".xml", ".svg"];

/// The name of an archive without its ending; `None` if it is not called as one.
pub(super) fn stem(name: &str) -> Option<&str> {
    let cut = |ending: &&str| {
        let at = name.len().checked_sub(ending.len())?;
        let (stem, own) = (name.get(..at)?, name.get(at..)?);
        own.eq_ignore_ascii_case(ending).then_some(stem)
    };
    let stem = ENDINGS.iter().find_map(cut);
    stem.filter(|stem| !stem.is_empty())
}

/// What a file is instead of what its name says, where that is plain: no archive, or a page of the web. Servers send
/// pages with status 200 in place of what wants a login, or a consent.
pub(super) fn mistaken(path: &Path) -> io::Result<Option<&'static str>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let start = start(path)?;
    if stem(&name).is_some() {
        return Ok(format_of(&start).is_none().then_some("no archive"));
    }
    let name = name.to_ascii_lowercase();
    let may_be_page = PAGES.iter().any(|ending| name.ends_with(ending));
    Ok((!may_be_page && is_page(&start)).then_some("a web page"))
}

fn is_page(start: &[u8]) -> bool {
    let text = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start);
    let text = text.trim_ascii_start().to_ascii_lowercase();
    let begins = ["<!doctype html", "<html", "<head", "<script", "<!--"];
    begins
        .iter()
        .any(|begin| text.starts_with(begin.as_bytes()))
}

/// The format by the file's first bytes; `None` for anything that is not unpacked.
pub(super) fn format(path: &Path) -> io::Result<Option<Format>> {
    Ok(format_of(&start(path)?))
}

fn start(path: &Path) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    File::open(path)?.take(512).read_to_end(&mut start)?;
    Ok(start)
}

fn format_of(start: &[u8]) -> Option<Format> {
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        Some(Format::Zip)
    } else if start.get(257..262) == Some(b"ustar") {
        Some(Format::Tar)
    } else if start.starts_with(&[0x1f, 0x8b]) {
        Some(Format::TarGzip)
    } else {
        None
    }
}

/// Unpacks into the new directory `target` and lists the files, with their paths in it.
///
/// `progress` is called with the bytes of the archive that are done.
pub(super) fn unpack(
    path: &Path,
    format: Format,
    target: &Path,
    stop: &AtomicBool,
    progress: &dyn Fn(u64),
) -> Result<Vec<ReceiptFile>, UnpackError> {
    let size = fs::metadata(path).map_err(UnpackError::Io)?.len();
    unpack_within(path, format, target, Caps::of_size(size), stop, progress)
}

fn unpack_within(
    path: &Path,
    format: Format,
    target: &Path,
    caps: Caps,
    stop: &AtomicBool,
    progress: &dyn Fn(u64),
) -> Result<Vec<ReceiptFile>, UnpackError> {
    let mut writer = Writer {
        target,
        caps,
        written: 0,
        files: Vec::new(),
        stop,
    };
    fs::create_dir(target).map_err(UnpackError::Io)?;
    let unpacked = match format {
        Format::Zip => unpack_zip(path, &mut writer, progress),
        Format::Tar => {
            let file = File::open(path).map_err(UnpackError::Io)?;
            unpack_tar(BufReader::new(file), &mut writer, progress)
        }
        Format::TarGzip => {
            let file = File::open(path).map_err(UnpackError::Io)?;
            let unzipped = flate2::read::MultiGzDecoder::new(BufReader::new(file));
            unpack_tar(unzipped, &mut writer, progress)
        }
    };
    let durable = unpacked.and_then(|()| files::sync_tree(target).map_err(UnpackError::Io));
    match durable {
        Ok(()) => Ok(writer.files),
        Err(error) => {
            // The first error is the one to tell.
            let _ = fs::remove_dir_all(target);
            Err(error)
        }
    }
}

fn unpack_zip(path: &Path, writer: &mut Writer, progress: &dyn Fn(u64)) -> Result<(), UnpackError> {
    let damaged = |error: zip::result::ZipError| UnpackError::Damaged(error.to_string());
    let file = File::open(path).map_err(UnpackError::Io)?;
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    if archive.len() > writer.caps.entries {
        return Err(UnpackError::TooMany(writer.caps.entries));
    }
    let mut done = 0;
    for position in 0..archive.len() {
        let raw = archive.by_index_raw(position).map_err(damaged)?;
        let name = String::from_utf8_lossy(raw.name_raw()).into_owned();
        if raw.encrypted() {
            return Err(UnpackError::Encrypted(name));
        }
        // The format's number for what a Unix file is; 0 where the archive was made elsewhere.
        let kind = raw.unix_mode().unwrap_or(0) & 0o170_000;
        let is_plain = matches!(kind, 0 | 0o040_000 | 0o100_000) && !raw.is_symlink();
        let is_directory = raw.is_dir();
        done += raw.compressed_size();
        drop(raw);
        if !is_plain {
            return Err(UnpackError::Kind(name));
        }
        if is_directory {
            writer.directory(&name)?;
        } else {
            let mut entry = archive.by_index(position).map_err(damaged)?;
            writer.file(&name, &mut entry)?;
        }
        progress(done);
    }
    Ok(())
}

fn unpack_tar(
    reader: impl Read,
    writer: &mut Writer,
    progress: &dyn Fn(u64),
) -> Result<(), UnpackError> {
    let damaged = |error: io::Error| UnpackError::Damaged(error.to_string());
    // Padding and headers count too, or an archive of nothing but headers would go on for ever.
    let limit = writer.caps.bytes.saturating_mul(2).saturating_add(SMALL);
    let mut archive = tar::Archive::new(reader.take(limit));
    let mut count = 0;
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        count += 1;
        if count > writer.caps.entries {
            return Err(UnpackError::TooMany(writer.caps.entries));
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        match entry.header().entry_type() {
            tar::EntryType::Directory => writer.directory(&name)?,
            tar::EntryType::Regular | tar::EntryType::Continuous => {
                writer.file(&name, &mut entry)?;
            }
            tar::EntryType::XGlobalHeader => {}
            _ => return Err(UnpackError::Kind(name)),
        }
        progress(writer.written);
    }
    Ok(())
}

struct Writer<'a> {
    target: &'a Path,
    caps: Caps,
    written: u64,
    files: Vec<ReceiptFile>,
    stop: &'a AtomicBool,
}

impl Writer<'_> {
    fn directory(&self, name: &str) -> Result<(), UnpackError> {
        let path = self.target.join(inside(name)?);
        fs::create_dir_all(path).map_err(UnpackError::Io)
    }

    /// Writes what comes out of `reader` to the entry's path, counting and hashing.
    fn file(&mut self, name: &str, reader: &mut impl Read) -> Result<(), UnpackError> {
        let relative = inside(name)?;
        let path = self.target.join(&relative);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(UnpackError::Io)?;
        }
        let mut file = File::create_new(&path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => UnpackError::Twice(name.to_owned()),
            _ => UnpackError::Io(error),
        })?;
        let mut hasher = Sha256::new();
        let mut size = 0;
        let mut buffer = vec![0; 64 << 10];
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(UnpackError::Stopped);
            }
            let count = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(UnpackError::Damaged(format!("{name:?}: {error}"))),
            };
            size += count as u64;
            self.written += count as u64;
            let Caps {
                file_bytes, bytes, ..
            } = self.caps;
            if size > file_bytes || self.written > bytes {
                return Err(UnpackError::TooLarge(bytes.min(file_bytes)));
            }
            hasher.update(&buffer[..count]);
            file.write_all(&buffer[..count]).map_err(UnpackError::Io)?;
        }
        self.files.push(ReceiptFile {
            path: relative.to_string_lossy().into_owned(),
            size,
            sha256: hex::encode(hasher.finalize()),
        });
        Ok(())
    }
}

/// A path inside a directory as an archive or a hub spells it: relative, of plain names, not too deep.
pub(crate) fn inside(name: &str) -> Result<PathBuf, UnpackError> {
    let refuse = || UnpackError::Path(name.to_owned());
    // A backslash is a separator for some who unpack, and `C:` a drive.
    if name.contains(['\\', ':']) || name.chars().any(char::is_control) {
        return Err(refuse());
    }
    let mut path = PathBuf::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) if part.len() <= 255 => path.push(part),
            Component::CurDir => {}
            _ => return Err(refuse()),
        }
    }
    match path.components().count() {
        1..=MAX_DEPTH => Ok(path),
        // The directory itself, as `tar` names it.
        0 if name.starts_with('.') => Ok(path),
        _ => Err(refuse()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zip::write::SimpleFileOptions;

    fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, content) in entries {
            writer
                .start_file(*name, SimpleFileOptions::default())
                .unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn tar(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, content) in entries {
            let mut header = tar::Header::new_ustar();
            // Written as it is: the library's own way refuses what we test.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(content.len() as u64);
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Unpacks bytes in a directory of their own; after an error nothing may be left.
    fn run(bytes: &[u8]) -> Result<Vec<ReceiptFile>, String> {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("archive");
        fs::write(&path, bytes).unwrap();
        let target = place.path().join("out/deep");
        fs::create_dir(place.path().join("out")).unwrap();
        let format = format(&path).unwrap().ok_or("not an archive")?;
        let unpacked = unpack(&path, format, &target, &AtomicBool::new(false), &|_| {});
        assert_eq!(target.exists(), unpacked.is_ok());
        if let Ok(files) = &unpacked {
            for file in files {
                let bytes = fs::read(target.join(&file.path)).unwrap();
                assert_eq!(bytes.len() as u64, file.size);
                assert_eq!(hex::encode(Sha256::digest(bytes)), file.sha256);
            }
        }
        assert_eq!(
            fs::read_dir(place.path()).unwrap().count(),
            2,
            "nothing elsewhere"
        );
        unpacked.map_err(|error| error.to_string())
    }

    #[test]
    fn archives_of_each_format_are_unpacked() {
        let names = |files: Vec<ReceiptFile>| {
            let paths = files.into_iter().map(|file| file.path);
            paths.collect::<Vec<_>>()
        };
        let zipped = zip(&[("a.csv", b"1,2"), ("images/x.jpg", &[7; 100_000])]);
        assert_eq!(names(run(&zipped).unwrap()), ["a.csv", "images/x.jpg"]);
        let file = tar::EntryType::Regular;
        let taped = tar(&[
            ("./", tar::EntryType::Directory, b""),
            ("./a.csv", file, b"1"),
            ("b/c.jpg", file, &[1; 2000]),
        ]);
        assert_eq!(names(run(&taped).unwrap()), ["a.csv", "b/c.jpg"]);
        assert_eq!(names(run(&gzip(&taped)).unwrap()), ["a.csv", "b/c.jpg"]);
        assert_eq!(run(b"Rar!\x1a\x07").unwrap_err(), "not an archive");
    }

    #[test]
    fn what_is_not_what_it_is_called_is_seen() {
        let place = tempfile::tempdir().unwrap();
        let seen = |name: &str, bytes: &[u8]| {
            let path = place.path().join(name);
            fs::write(&path, bytes).unwrap();
            mistaken(&path).unwrap()
        };
        let page = b"\n <!DOCTYPE html><html>log in</html>";
        for name in ["a.zip", "a.TAR", "a.tar.gz", "a.tgz"] {
            assert_eq!(seen(name, page), Some("no archive"), "{name}");
            assert_eq!(seen(name, b"no"), Some("no archive"), "{name}");
            assert_eq!(seen(name, &gzip(b"x")), None, "{name}");
        }
        for name in ["a.csv", "a.rar", "a.jpg", "a"] {
            assert_eq!(seen(name, page), Some("a web page"), "{name}");
            assert_eq!(seen(name, b"image,label"), None, "{name}");
        }
        assert_eq!(seen("index.html", page), None);
        assert_eq!(seen("README.md", page), None);
    }

    #[test]
    fn caps_are_kept_and_only_zips_are_unzipped() {
        let unzipped = |bytes: &[u8], caps: Caps| {
            let place = tempfile::tempdir().unwrap();
            let (path, target) = (place.path().join("archive"), place.path().join("out"));
            fs::write(&path, bytes).unwrap();
            let unpacked = unzip(&path, &target, caps, &AtomicBool::new(false));
            assert_eq!(target.exists(), unpacked.is_ok());
            unpacked.map_err(|error| error.to_string())
        };
        let caps = Caps {
            entries: 2,
            file_bytes: 100,
            bytes: 150,
        };
        let zipped = |sizes: &[usize]| {
            let contents: Vec<_> = sizes.iter().map(|&size| vec![7; size]).collect();
            let names = ["a", "b", "c"];
            let entries: Vec<_> = names.into_iter().zip(contents.iter()).collect();
            let entries: Vec<_> = entries.iter().map(|(name, it)| (*name, &it[..])).collect();
            zip(&entries)
        };
        assert_eq!(unzipped(&zipped(&[100, 50]), caps).unwrap().len(), 2);
        for (sizes, said) in [
            (&[101][..], "100 bytes"),
            (&[100, 51], "100 bytes"),
            (&[1, 1, 1], "2 entries"),
        ] {
            let error = unzipped(&zipped(sizes), caps).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        let taped = tar(&[("a", tar::EntryType::Regular, b"1")]);
        assert!(unzipped(&taped, caps).unwrap_err().contains("no zip"));
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for name in ["../x", "/etc/x", "a/../../x", "..\\x", "C:x", "a/b\n"] {
            let said = run(&zip(&[("fine", b"1"), (name, b"2")])).unwrap_err();
            assert!(said.contains("leads elsewhere"), "{name}: {said}");
        }
        for name in ["../x", "/etc/x"] {
            let said = run(&tar(&[(name, tar::EntryType::Regular, b"2")])).unwrap_err();
            assert!(said.contains("leads elsewhere"), "{name}: {said}");
        }
        let deep = "a/".repeat(40) + "x";
        assert!(run(&zip(&[(&deep, b"1")])).is_err());
    }

    #[test]
    fn links_devices_and_repeated_entries_are_refused() {
        for kind in [
            tar::EntryType::Symlink,
            tar::EntryType::Link,
            tar::EntryType::Fifo,
            tar::EntryType::Char,
        ] {
            let said = run(&tar(&[("x", kind, b"")])).unwrap_err();
            assert!(said.contains("link or a device"), "{said}");
        }
        let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default();
        writer.add_symlink("x", "/etc/passwd", options).unwrap();
        let said = run(&writer.finish().unwrap().into_inner()).unwrap_err();
        assert!(said.contains("link or a device"), "{said}");
        let file = tar::EntryType::Regular;
        let said = run(&tar(&[("x", file, b"1"), ("./x", file, b"2")])).unwrap_err();
        assert!(said.contains("twice"), "{said}");
    }

    #[test]
    fn bombs_and_damaged_archives_end_early() {
        let zeros = vec![0; 64 << 20];
        let bomb = zip(&[("zeros", &zeros)]);
        assert!(bomb.len() < 100_000);
        let said = run(&bomb).unwrap_err();
        assert!(said.contains("more comes out"), "{said}");
        let bomb = gzip(&tar(&[("zeros", tar::EntryType::Regular, &zeros)]));
        assert!(run(&bomb).unwrap_err().contains("more comes out"));

        let whole = zip(&[("a", &[9; 5000]), ("b", b"2")]);
        assert!(
            run(&whole[..whole.len() / 2])
                .unwrap_err()
                .contains("damaged")
        );
        let mut changed = zip(&[("a", b"some text that is stored with a sum")]);
        // A byte of the content: the sum does not fit any more.
        changed[40] ^= 1;
        assert!(run(&changed).unwrap_err().contains("damaged"));
        let taped = gzip(&tar(&[("a", tar::EntryType::Regular, &[3; 5000])]));
        assert!(
            run(&taped[..taped.len() - 30])
                .unwrap_err()
                .contains("damaged")
        );
    }
}

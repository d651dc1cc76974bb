//! A service's log: one file that is written, older ones beside it with numbers behind their names, and how they are
//! read again.

use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

/// What is kept in memory of a line without an end.
const LONGEST_LINE: u64 = 64 << 10;
/// How much is read at once when a file is searched from its end.
const BLOCK: u64 = 64 << 10;
/// How often a log that is followed is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// When a log file is put aside and how many are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// The most bytes of one file; one longer line has a file of its own.
    pub bytes: u64,
    /// How many older files are kept.
    pub keep: u32,
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            bytes: 10 << 20,
            keep: 5,
        }
    }
}

/// A log that is written. What cannot be written is dropped and counted: a full disk must not stop a service.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    rotation: Rotation,
    file: File,
    written: u64,
    /// Whether the last byte ended a line.
    at_line_start: bool,
    lost: u64,
}

impl Log {
    /// Go on with the log at `path`, or begin it. Nobody else may read it.
    ///
    /// # Errors
    /// When it cannot be opened, or older files than are kept cannot be deleted.
    pub fn open(path: PathBuf, rotation: Rotation) -> io::Result<Self> {
        let file = append(&path)?;
        let written = file.metadata()?.len();
        for (number, older) in parts(&path)? {
            if number > rotation.keep {
                std::fs::remove_file(older)?;
            }
        }
        Ok(Self {
            path,
            rotation,
            file,
            written,
            at_line_start: true,
            lost: 0,
        })
    }

    /// Write a line of the service, or a part of a long one.
    pub fn write(&mut self, line: &[u8]) {
        let full = self.written > 0 && self.written + line.len() as u64 > self.rotation.bytes;
        if full && self.at_line_start {
            // Else the file grows on; the next line tries again.
            let _ = self.put_aside();
        }
        if self.lost > 0 {
            let words = format!("agon service: {} bytes were lost here\n", self.lost);
            if self.file.write_all(words.as_bytes()).is_err() {
                self.lost += line.len() as u64;
                return;
            }
            self.written += words.len() as u64;
            self.lost = 0;
        }
        match self.file.write_all(line) {
            Ok(()) => {
                self.written += line.len() as u64;
                self.at_line_start = line.ends_with(b"\n");
            }
            Err(_) => self.lost += line.len() as u64,
        }
    }

    /// Write a line of the supervisor's own, with the time.
    pub fn note(&mut self, words: &str) {
        let mut time = String::new();
        // Only fails where the clock does; then there is no time.
        let _ = SystemTime.format_time(&mut Writer::new(&mut time));
        let begin = if self.at_line_start { "" } else { "\n" };
        self.write(format!("{begin}{time} agon service: {words}\n").as_bytes());
    }

    /// The new file is there before the old one moves, so that there is one in any case.
    fn put_aside(&mut self) -> io::Result<()> {
        let aside = numbered(&self.path, "new");
        let new = append(&aside)?;
        for number in (1..=self.rotation.keep).rev() {
            let from = match number {
                1 => self.path.clone(),
                _ => numbered(&self.path, &(number - 1).to_string()),
            };
            match std::fs::rename(from, numbered(&self.path, &number.to_string())) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        std::fs::rename(aside, &self.path)?;
        self.file = new;
        self.written = 0;
        Ok(())
    }
}

/// Open a file to write at its end; nobody else may read it.
pub(super) fn append(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.append(true).create(true).mode(0o600).open(path)
}

fn numbered(path: &Path, number: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(number);
    name.into()
}

/// The older files with their numbers, newest first.
fn parts(path: &Path) -> io::Result<Vec<(u32, PathBuf)>> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(Vec::new());
    };
    let prefix = format!("{}.", name.to_string_lossy());
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(&prefix));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            parts.push((number, entry.path()));
        }
    }
    parts.sort_unstable();
    Ok(parts)
}

/// Write what a pipe gives to a log until the pipe's other end is closed.
pub fn copy(pipe: impl Read, log: &Mutex<Log>) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        match pipe
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line)
        {
            Ok(0) | Err(_) => return,
            Ok(_) => log
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write(&line),
        }
    }
}

/// Delete a log with its older files.
///
/// # Errors
/// When one of them cannot be deleted.
pub fn delete(path: &Path) -> io::Result<()> {
    let mut all = vec![path.to_owned(), numbered(path, "new")];
    if path.parent().is_some_and(Path::exists) {
        all.extend(parts(path)?.into_iter().map(|(_, older)| older));
    }
    for file in all {
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Write the last lines of a log, wherever they are, to `output`. Returns the newest file, read to its end.
///
/// # Errors
/// When it cannot be read or `output` cannot be written.
pub fn last(path: &Path, lines: u64, output: &mut impl Write) -> io::Result<Option<File>> {
    let mut files = Vec::new();
    let mut wanted = lines;
    let older = match path.parent().is_some_and(Path::exists) {
        true => parts(path)?.into_iter().map(|(_, older)| older).collect(),
        false => Vec::new(),
    };
    let mut newest = None;
    for path in std::iter::once(path.to_owned()).chain(older) {
        let Some(file) = open(&path)? else {
            continue;
        };
        let end = file.metadata()?.len();
        let (start, found) = start_of_last(&file, end, wanted)?;
        wanted -= found;
        files.push((file, start, end));
        if wanted == 0 {
            break;
        }
    }
    for (mut file, start, end) in files.into_iter().rev() {
        file.seek(SeekFrom::Start(start))?;
        io::copy(&mut (&file).take(end - start), output)?;
        newest = Some(file);
    }
    output.flush()?;
    Ok(newest)
}

/// Where the last `wanted` lines of what stands before `end` begin, and how many there are.
fn start_of_last(file: &File, end: u64, wanted: u64) -> io::Result<(u64, u64)> {
    if wanted == 0 || end == 0 {
        return Ok((end, 0));
    }
    let mut block = vec![0; BLOCK as usize];
    let mut found = 0;
    let mut to = end;
    while to > 0 {
        let from = to.saturating_sub(BLOCK);
        let part = &mut block[..(to - from) as usize];
        file.read_exact_at(part, from)?;
        for (index, byte) in part.iter().enumerate().rev() {
            // A line begins behind each end of a line but the last.
            let start = from + index as u64 + 1;
            if *byte == b'\n' && start != end {
                found += 1;
                if found == wanted {
                    return Ok((start, found));
                }
            }
        }
        to = from;
    }
    Ok((0, found + 1))
}

/// Write what comes after what was read of `file` to `output`, for ever, across files that are put aside.
///
/// # Errors
/// When it cannot be read or `output` cannot be written.
pub fn follow(path: &Path, file: Option<File>, output: &mut impl Write) -> io::Result<()> {
    let mut file = file;
    loop {
        // Before the copy: a file that was put aside by then is not written any more.
        let next = match &file {
            Some(file) => newer(path, file)?,
            None => open(path)?,
        };
        if let Some(file) = &mut file {
            io::copy(file, output)?;
            output.flush()?;
        }
        match next {
            Some(next) => file = Some(next),
            None => std::thread::sleep(LOOK),
        }
    }
}

/// The file that was begun when this one was put aside, if it was. Nothing while files are just being moved: then there
/// is a next look.
fn newer(path: &Path, file: &File) -> io::Result<Option<File>> {
    let known = file.metadata()?;
    let is_known = |path: &Path| {
        let found = std::fs::metadata(path);
        found.is_ok_and(|found| (found.dev(), found.ino()) == (known.dev(), known.ino()))
    };
    if is_known(path) {
        return Ok(None);
    }
    let parts = parts(path)?;
    if let Some((number, older)) = parts.iter().find(|(_, older)| is_known(older)) {
        // By its number: a list that is made while files move may lack one.
        let opened = match number {
            0 | 1 => open(path)?,
            _ => open(&numbered(path, &(number - 1).to_string()))?,
        };
        // Older files move first: while this one stands where it stood, the newer one did.
        return Ok(opened.filter(|_| is_known(older)));
    }
    // It is gone, with others perhaps: go on with the oldest that is left.
    match known.nlink() {
        0 => open(parts.last().map_or(path, |(_, oldest)| oldest)),
        _ => Ok(None),
    }
}

/// A file, if it is there.
fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path, lines: u64) -> String {
        let mut output = Vec::new();
        last(path, lines, &mut output).unwrap();
        String::from_utf8(output).unwrap()
    }

    fn log(path: &Path, bytes: u64, keep: u32) -> Log {
        Log::open(path.to_owned(), Rotation { bytes, keep }).unwrap()
    }

    #[test]
    fn files_are_put_aside_by_size_and_only_so_many_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.log");
        let mut written = log(&path, 20, 2);
        for number in 0..10 {
            written.write(format!("line {number}\n").as_bytes());
        }
        // Two lines of seven bytes a file.
        let numbers = |path: &Path| -> Vec<u32> {
            parts(path)
                .unwrap()
                .iter()
                .map(|(number, _)| *number)
                .collect()
        };
        assert_eq!(numbers(&path), [1, 2]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "line 8\nline 9\n");
        assert_eq!(
            read(&path, 100),
            "line 4\nline 5\nline 6\nline 7\nline 8\nline 9\n"
        );
        assert_eq!(read(&path, 3), "line 7\nline 8\nline 9\n");
        assert_eq!(read(&path, 0), "");
        // A line longer than a file, and what is kept no more.
        log(&path, 20, 1).write(&[b'x'; 50]);
        assert_eq!(numbers(&path), [1]);
        assert_eq!(read(&path, 1), "x".repeat(50));
        delete(&path).unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn nothing_is_kept_beside_where_nothing_is_to_be() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.log");
        let mut written = log(&path, 10, 0);
        written.write(b"one\n");
        written.write(b"two two two\n");
        assert_eq!(read(&path, 9), "two two two\n");
        assert!(parts(&path).unwrap().is_empty());
    }

    #[test]
    fn the_supervisor_speaks_on_lines_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.log");
        let mut written = log(&path, 1000, 1);
        written.write(b"no end");
        written.note("it ended");
        let text = read(&path, 9);
        let (first, second) = text.split_once('\n').unwrap();
        assert_eq!(first, "no end");
        assert!(second.ends_with("Z agon service: it ended\n"), "{second}");
    }

    #[test]
    fn what_is_lost_on_a_full_disk_is_counted() {
        let mut full = Log {
            path: "/dev/full".into(),
            rotation: Rotation::default(),
            file: append(Path::new("/dev/full")).unwrap(),
            written: 0,
            at_line_start: true,
            lost: 0,
        };
        full.write(b"12345\n");
        full.write(b"123\n");
        assert_eq!(full.lost, 10);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.log");
        full.file = append(&path).unwrap();
        full.write(b"again\n");
        assert_eq!(
            read(&path, 9),
            "agon service: 10 bytes were lost here\nagain\n"
        );
    }

    #[test]
    fn a_log_is_followed_across_files() {
        struct Heard(Vec<u8>, &'static [u8]);
        impl Write for Heard {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.extend(bytes);
                // Whoever has heard enough hangs up.
                match self.0.ends_with(self.1) {
                    true => Err(ErrorKind::BrokenPipe.into()),
                    false => Ok(bytes.len()),
                }
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.log");
        let mut written = log(&path, 20, 50);
        written.write(b"before\n");
        let read = last(&path, 0, &mut io::sink()).unwrap();
        let follower = std::thread::spawn({
            let path = path.clone();
            move || {
                let mut heard = Heard(Vec::new(), b"line 99\n");
                let error = follow(&path, read, &mut heard).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::BrokenPipe);
                heard.0
            }
        });
        let mut expected = String::new();
        for number in 0..100 {
            let line = format!("line {number}\n");
            written.write(line.as_bytes());
            expected += &line;
        }
        let heard = String::from_utf8(follower.join().unwrap()).unwrap();
        assert_eq!(heard, expected);
    }

    #[test]
    fn no_file_is_passed_over_while_it_moves() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.log");
        let at = |number: &str| numbered(&path, number);
        for (name, content) in [(path.clone(), "d"), (at("1"), "c"), (at("3"), "a")] {
            std::fs::write(name, content).unwrap();
        }
        // The second is between two names, or was when the names were listed.
        let read = File::open(at("3")).unwrap();
        assert!(newer(&path, &read).unwrap().is_none());
        std::fs::write(at("2"), "b").unwrap();
        let mut next = String::new();
        let mut file = newer(&path, &read).unwrap().expect("it is there again");
        file.read_to_string(&mut next).unwrap();
        assert_eq!(next, "b");
    }

    #[test]
    fn a_pipe_is_copied_to_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.log");
        let written = Mutex::new(log(&path, 1 << 20, 1));
        let long = "y".repeat(200 << 10);
        copy(format!("one\n{long}\nlast").as_bytes(), &written);
        assert_eq!(read(&path, 9), format!("one\n{long}\nlast"));
    }
}

//! A validator's journal: its events, one JSON object a line, synced before they count.
//!
//! Everything a validator acknowledges is first a line here and then a change of the ledger, so a
//! kill between the two loses nothing: the next start applies what is missing.

use crate::event::Event;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("journal {path}: {source}")]
    Io {
        /// The journal's file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// Somebody else has it open.
    #[error("journal {0} is used by another process; stop it first")]
    Used(PathBuf),
    /// A complete line that is not an event of this version.
    #[error("journal {path}, byte {offset}: {source}; was it written by a newer version?")]
    Line {
        /// The journal's file.
        path: PathBuf,
        /// Where the line starts.
        offset: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// An open journal, positioned at its end.
pub struct Journal {
    path: PathBuf,
    file: File,
    end: u64,
}

impl Journal {
    /// Open or create the journal, which nobody else has open. A last line without its newline was never acknowledged (the
    /// process was killed while writing it) and is cut off.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(io)?;
        if file.try_lock().is_err() {
            return Err(JournalError::Used(path.to_owned()));
        }
        let mut end = 0;
        let mut reader = BufReader::new(&mut file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).map_err(io)?;
            if line.last() != Some(&b'\n') {
                break;
            }
            end += read as u64;
        }
        file.set_len(end).map_err(io)?;
        file.seek(SeekFrom::Start(end)).map_err(io)?;
        file.sync_all().map_err(io)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            end,
        })
    }

    /// Make a journal of these events where there is none yet: all of them are in it or it is not there.
    pub fn create(path: &Path, events: &[Event]) -> Result<(), JournalError> {
        let io = |source| JournalError::Io {
            path: path.to_owned(),
            source,
        };
        let directory = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(directory).map_err(io)?;
        let mut offset = 0;
        for event in events {
            let line = line_of(event).map_err(|source| JournalError::Line {
                path: path.to_owned(),
                offset,
                source,
            })?;
            offset += line.len() as u64;
            file.write_all(&line).map_err(io)?;
        }
        file.as_file().sync_all().map_err(io)?;
        file.persist_noclobber(path)
            .map_err(|error| io(error.error))?;
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(io)
    }

    /// Append one event and sync it. Returns the journal's length after it.
    pub fn append(&mut self, event: &Event) -> Result<u64, JournalError> {
        let io = |source| JournalError::Io {
            path: self.path.clone(),
            source,
        };
        let line = line_of(event).map_err(|source| JournalError::Line {
            path: self.path.clone(),
            offset: self.end,
            source,
        })?;
        self.file.write_all(&line).map_err(io)?;
        self.file.sync_data().map_err(io)?;
        self.end += line.len() as u64;
        Ok(self.end)
    }

    /// The events from byte `offset` on, each with the journal's length after it.
    pub fn events_from(&self, offset: u64) -> Result<Vec<(Event, u64)>, JournalError> {
        let io = |source| JournalError::Io {
            path: self.path.clone(),
            source,
        };
        let mut file = File::open(&self.path).map_err(io)?;
        file.seek(SeekFrom::Start(offset)).map_err(io)?;
        let mut events = Vec::new();
        let mut at = offset;
        for line in BufReader::new(file).split(b'\n') {
            let line = line.map_err(io)?;
            let event = serde_json::from_slice(&line).map_err(|source| JournalError::Line {
                path: self.path.clone(),
                offset: at,
                source,
            })?;
            at += line.len() as u64 + 1;
            events.push((event, at));
        }
        Ok(events)
    }
}

/// An event as a line of a journal.
pub(crate) fn line_of(event: &Event) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn abstained(round: u64) -> Event {
        Event::Abstained { round }
    }

    #[test]
    fn what_was_appended_is_read_again_from_any_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.jsonl");
        let mut journal = Journal::open(&path).unwrap();
        let first = journal.append(&abstained(1)).unwrap();
        journal.append(&abstained(2)).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::Used(_))));
        drop(journal);
        let journal = Journal::open(&path).unwrap();
        let events: Vec<_> = journal.events_from(0).unwrap();
        assert_eq!(events.len(), 2);
        assert_eq!(events[0], (abstained(1), first));
        assert_eq!(journal.events_from(first).unwrap()[0].0, abstained(2));
    }

    #[test]
    fn a_torn_last_line_is_cut_and_a_foreign_line_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.jsonl");
        Journal::open(&path).unwrap().append(&abstained(1)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let mut torn = whole.clone();
        torn.extend_from_slice(b"{\"event\":\"abst");
        std::fs::write(&path, &torn).unwrap();
        let mut journal = Journal::open(&path).unwrap();
        journal.append(&abstained(2)).unwrap();
        assert_eq!(journal.events_from(0).unwrap().len(), 2);
        drop(journal);

        std::fs::write(&path, b"{\"event\":\"from the future\"}\n").unwrap();
        let error = Journal::open(&path).unwrap().events_from(0).unwrap_err();
        assert!(
            matches!(error, JournalError::Line { offset: 0, .. }),
            "{error}"
        );
    }
}

//! Scalars over the steps of a run, in the event files that TensorBoard reads.
//!
//! A file is a sequence of records as TensorFlow writes them: the length as a 64-bit little-endian integer, its masked
//! CRC-32C, the bytes of one `Event` message, their masked CRC-32C.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost::Message;

/// The messages of `tensorflow/core/util/event.proto` and `summary.proto`, as far as they are written here.
#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session: Option<Session>,
}

/// `SessionLog`.
#[derive(Clone, PartialEq, Message)]
struct Session {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// `SessionLog.START`: TensorBoard forgets what older files have of this step and those behind it.
const START: i32 = 1;

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// An event file that is being written; TensorBoard may read along.
pub struct Writer {
    file: BufWriter<File>,
}

impl Writer {
    /// A new file in a directory, which is made if it is not there. Its name has the time in it and a number that is
    /// free. It takes the place of whatever older files have of `first_step` and the steps behind it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(directory: &Path, first_step: u64) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let seconds = since_1970().as_secs();
        let mut number = 0;
        let file = loop {
            match File::create_new(path(directory, seconds, number)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                created => break created?,
            }
        };
        let mut writer = Self {
            file: BufWriter::new(file),
        };
        writer.write(Event {
            wall_time: since_1970().as_secs_f64(),
            file_version: Some("brain.Event:2".to_owned()),
            ..Event::default()
        })?;
        writer.write(Event {
            wall_time: since_1970().as_secs_f64(),
            step: first_step as i64,
            session: Some(Session { status: START }),
            ..Event::default()
        })?;
        Ok(writer)
    }

    /// Writes scalars of one step, by name.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn scalars<'a>(
        &mut self,
        step: u64,
        scalars: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> io::Result<()> {
        let value = scalars.into_iter().map(|(tag, value)| Value {
            tag: tag.to_owned(),
            simple_value: Some(value as f32),
        });
        self.write(Event {
            wall_time: since_1970().as_secs_f64(),
            step: step as i64,
            summary: Some(Summary {
                value: value.collect(),
            }),
            ..Event::default()
        })
    }

    fn write(&mut self, event: Event) -> io::Result<()> {
        let bytes = event.encode_to_vec();
        let length = (bytes.len() as u64).to_le_bytes();
        self.file.write_all(&length)?;
        self.file.write_all(&masked_crc(&length).to_le_bytes())?;
        self.file.write_all(&bytes)?;
        self.file.write_all(&masked_crc(&bytes).to_le_bytes())?;
        self.file.flush()
    }
}

/// How the names of our files begin, and what stands in their middle.
const NAME: [&str; 2] = ["events.out.tfevents.", ".agon."];
/// No run writes so much; what is behind it is not read.
const MAX_BYTES: u64 = 64 << 20;

fn path(directory: &Path, seconds: u64, number: u32) -> PathBuf {
    let [begin, middle] = NAME;
    directory.join(format!("{begin}{seconds}{middle}{number}"))
}

/// The scalars of one step by name, as a file has them.
pub type Step = (u64, Vec<(String, f32)>);

/// All steps in the files of a directory that were written here, as far as these are undamaged. A directory that is not
/// there has none.
///
/// # Errors
/// When the directory or a file cannot be read.
pub fn read(directory: &Path) -> io::Result<Vec<Step>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let [begin, middle] = NAME;
    let mut steps = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(begin) && name.contains(middle) && entry.path().is_file() {
            let mut bytes = Vec::new();
            let file = File::open(entry.path())?;
            file.take(MAX_BYTES).read_to_end(&mut bytes)?;
            let of_summary = |event: Event| Some((event.step as u64, event.summary?.value));
            let found = events(&bytes).into_iter().filter_map(of_summary);
            steps.extend(found.map(|(step, values)| {
                let values = values.into_iter();
                let scalar = |value: Value| Some((value.tag, value.simple_value?));
                (step, values.filter_map(scalar).collect())
            }));
        }
    }
    Ok(steps)
}

/// The events of a file up to where it is damaged or cut off.
fn events(bytes: &[u8]) -> Vec<Event> {
    let mut rest = bytes;
    std::iter::from_fn(|| {
        let (length, after) = rest.split_first_chunk::<8>()?;
        let (length_crc, after) = after.split_first_chunk::<4>()?;
        let size = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (event, after) = after.split_at_checked(size)?;
        let (event_crc, after) = after.split_first_chunk::<4>()?;
        let is_whole = *length_crc == masked_crc(length).to_le_bytes()
            && *event_crc == masked_crc(event).to_le_bytes();
        rest = after;
        is_whole.then(|| Event::decode(event).ok())?
    })
    .collect()
}

fn since_1970() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
}

/// TensorFlow masks checksums, because a checksum over data that holds its own checksum is a weak one.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_framed_as_tensorflow_frames_them() {
        // From TensorFlow's own test of its record writer: the length 3, and "abc".
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        let directory = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(directory.path(), 7).unwrap();
        writer
            .scalars(7, [("Loss/train", 0.5), ("LearningRate", 0.001)])
            .unwrap();
        let second = Writer::create(directory.path(), 8).unwrap();
        drop((writer, second));
        let mut files: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert_eq!(files.len(), 2);
        let bytes = fs::read(&files[0]).unwrap();
        let mut rest = bytes.as_slice();
        let mut events = Vec::new();
        while !rest.is_empty() {
            let (length, after) = rest.split_at(8);
            let (crc, after) = after.split_at(4);
            assert_eq!(crc, masked_crc(length).to_le_bytes());
            let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
            let (event, after) = after.split_at(length);
            let (crc, after) = after.split_at(4);
            assert_eq!(crc, masked_crc(event).to_le_bytes());
            events.push(Event::decode(event).unwrap());
            rest = after;
        }
        assert_eq!(events[0].file_version.as_deref(), Some("brain.Event:2"));
        assert_eq!(events[1].step, 7);
        assert_eq!(events[1].session, Some(Session { status: START }));
        assert_eq!(events[2].step, 7);
        let values = &events[2].summary.as_ref().unwrap().value;
        assert_eq!(values[0].tag, "Loss/train");
        assert_eq!(values[1].simple_value, Some(0.001));
    }

    #[test]
    fn what_was_written_is_read_as_far_as_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(&directory.path().join("nowhere")).unwrap(), []);
        let mut writer = Writer::create(directory.path(), 1).unwrap();
        for step in [1, 2] {
            let loss = 0.1 * step as f64;
            writer.scalars(step, [("Loss/train", loss)]).unwrap();
        }
        fs::write(directory.path().join("events.out.tfevents.1.host"), b"?").unwrap();
        let of = |step: u64| (step, vec![("Loss/train".to_owned(), 0.1 * step as f32)]);
        assert_eq!(read(directory.path()).unwrap(), [of(1), of(2)]);
        // A kill in the middle of a record.
        let file = fs::read_dir(directory.path()).unwrap();
        let mut paths = file.map(|entry| entry.unwrap().path());
        let path = paths.find(|path| path.to_string_lossy().contains(NAME[1]));
        let (path, mut bytes) = (path.clone().unwrap(), fs::read(path.unwrap()).unwrap());
        bytes.pop();
        fs::write(&path, &bytes).unwrap();
        assert_eq!(read(directory.path()).unwrap(), [of(1)]);
        bytes[30] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(read(directory.path()).unwrap(), []);
    }
}

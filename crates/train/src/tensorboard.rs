//! Scalars over the steps of a run, in the event files that TensorBoard reads.
//!
//! A file is a sequence of records as TensorFlow writes them: the length as a 64-bit little-endian integer, its masked
//! CRC-32C, the bytes of one `Event` message, their masked CRC-32C.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
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
}

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
    /// free.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(directory: &Path) -> io::Result<Self> {
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

fn path(directory: &Path, seconds: u64, number: u32) -> PathBuf {
    directory.join(format!("events.out.tfevents.{seconds}.agon.{number}"))
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
        let mut writer = Writer::create(directory.path()).unwrap();
        writer
            .scalars(7, [("Loss/train", 0.5), ("LearningRate", 0.001)])
            .unwrap();
        let second = Writer::create(directory.path()).unwrap();
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
        let values = &events[1].summary.as_ref().unwrap().value;
        assert_eq!(values[0].tag, "Loss/train");
        assert_eq!(values[1].simple_value, Some(0.001));
    }
}

//! A data directory looked at image by image.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::Record;
use crate::image;

/// Decodes every image and compares its digest with the recorded one, on all cores. Returns what is wrong, one line an
/// image in the order of the records, or `None` if it was told to stop.
///
/// `progress` is called with the number of images done and their total, from several threads and not always in order.
pub fn verify(
    records: &[Record],
    stop: &AtomicBool,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Option<Vec<String>> {
    let done = AtomicUsize::new(0);
    let found: Vec<Option<String>> = records
        .par_iter()
        .filter(|_| !stop.load(Ordering::Relaxed))
        .map(|record| {
            let problem = look(record);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, records.len());
            problem.map(|what| format!("{}: {what}", record.path.display()))
        })
        .collect();
    (!stop.load(Ordering::Relaxed)).then(|| found.into_iter().flatten().collect())
}

fn look(record: &Record) -> Option<String> {
    if let Err(error) = image::open(&record.path) {
        return Some(error.to_string());
    }
    let wanted = record.digest.as_ref()?;
    match fs::read(&record.path) {
        Ok(bytes) => {
            let found = hex::encode(Sha256::digest(bytes));
            (found != *wanted).then(|| format!("its SHA-256 is {found}, not {wanted}"))
        }
        Err(error) => Some(error.to_string()),
    }
}

//! Whether a judging set holds what everybody can train on.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::Record;
use crate::files::{self, ReadError};
use crate::image::MAX_ENCODED_BYTES;

/// What two sets share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overlap {
    /// Images of the first whose bytes are those of an image of the second, by name, in the first's order.
    pub images: Vec<String>,
    /// Names of patients of both, sorted. Two sets may call different people alike: those are found too.
    pub patients: Vec<String>,
}

impl Overlap {
    /// Whether they share nothing.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty() && self.patients.is_empty()
    }
}

/// An image could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot compare {}: {reason}", path.display())]
pub struct OverlapError {
    /// The image.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// What a judging set shares with a public one, by the bytes of its images and by the names of its patients. Every image
/// of both is read.
///
/// # Errors
/// When an image cannot be read: what was not compared is not known to be new.
pub fn overlap(judging: &[Record], public: &[Record]) -> Result<Overlap, OverlapError> {
    let known: HashSet<[u8; 32]> = public.par_iter().map(digest).collect::<Result<_, _>>()?;
    let judged: Vec<[u8; 32]> = judging.par_iter().map(digest).collect::<Result<_, _>>()?;
    let patients = |records: &[Record]| -> BTreeSet<String> {
        let names = records.iter().map(|record| record.patient_id.clone());
        names.collect()
    };
    let images = judging.iter().zip(judged);
    Ok(Overlap {
        images: images
            .filter(|(_, digest)| known.contains(digest))
            .map(|(record, _)| record.image_id.clone())
            .collect(),
        patients: patients(judging)
            .intersection(&patients(public))
            .cloned()
            .collect(),
    })
}

fn digest(record: &Record) -> Result<[u8; 32], OverlapError> {
    let read = files::read_capped(&record.path, MAX_ENCODED_BYTES);
    let bytes = read.map_err(|error| OverlapError {
        path: record.path.clone(),
        reason: match error {
            ReadError::TooLarge(size) => format!("it has {size} bytes"),
            ReadError::Io(error) => error.to_string(),
        },
    })?;
    Ok(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::super::Findings;
    use super::*;

    #[test]
    fn shared_images_and_patients_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let record = |image: &str, patient: &str, bytes: &[u8]| {
            let path = directory.path().join(image);
            std::fs::write(&path, bytes).unwrap();
            Record {
                image_id: image.into(),
                patient_id: patient.into(),
                path,
                findings: Findings::default(),
            }
        };
        let public = [record("a", "p", b"one"), record("b", "q", b"two")];
        let fresh = [record("c", "r", b"three")];
        assert!(overlap(&fresh, &public).unwrap().is_empty());
        let renamed = [fresh[0].clone(), record("d", "s", b"two")];
        let found = overlap(&renamed, &public).unwrap();
        assert_eq!(
            (found.images, found.patients.len()),
            (vec!["d".to_owned()], 0)
        );
        let seen = [record("e", "q", b"four")];
        let found = overlap(&seen, &public).unwrap();
        assert_eq!(
            (found.images.len(), found.patients),
            (0, vec!["q".to_owned()])
        );
        std::fs::remove_file(&public[0].path).unwrap();
        assert!(overlap(&fresh, &public).is_err());
    }
}

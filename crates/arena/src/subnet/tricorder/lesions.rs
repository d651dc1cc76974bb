//! Lesions as training examples.

use crate::pictures::{Pictures, readable};
use agon_dataset::cache::CacheError;
use agon_dataset::skin::Record;
use agon_model::digest::Digest;
use agon_train::examples::{Array, Batch, Examples, Identity, Unavailable};

pub use crate::pictures::{Preparation, Skipped};

/// The examples of one part.
pub struct Lesions {
    pictures: Pictures,
    demographics: Vec<[f32; 3]>,
    labels: Vec<usize>,
}

impl Lesions {
    /// The examples of these records, without those whose image cannot be read.
    ///
    /// # Errors
    /// When the side makes no sense.
    pub fn load(
        records: &[Record],
        preparation: &Preparation,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<(Self, Vec<Skipped>), CacheError> {
        let (pictures, skipped) = Pictures::load(records, preparation, progress)?;
        let readable = readable(records, &skipped);
        let lesions = Self {
            pictures,
            demographics: readable
                .iter()
                .map(|record| record.demographics.encode())
                .collect(),
            labels: readable.iter().map(|record| record.class.index()).collect(),
        };
        Ok((lesions, skipped))
    }
}

impl Examples for Lesions {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn label(&self, index: usize) -> usize {
        self.labels[index]
    }

    fn batch(&self, indices: &[usize], augment: Option<u64>) -> Result<Batch, Unavailable> {
        let images = self.pictures.batch(indices, augment)?;
        let demographics = indices.iter().flat_map(|&index| self.demographics[index]);
        let demographics = Array {
            shape: vec![indices.len(), 3],
            data: demographics.collect(),
        };
        Ok(Batch {
            inputs: vec![images, demographics],
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
        })
    }

    fn identity(&self, augmented: bool) -> Identity {
        let mut identity = self.pictures.identity(augmented);
        let values = self.demographics.iter().flatten();
        let bytes: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
        let digest = Digest::of(&bytes).to_string();
        identity.insert("demographics".to_owned(), digest.into());
        identity
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agon_dataset::augment::Augmentation;
    use agon_dataset::skin::{self, synthetic};

    #[test]
    fn labels_and_demographics_stay_with_their_images() {
        let directory = tempfile::tempdir().unwrap();
        let small = synthetic::Synthetic {
            images: 24,
            width: 24,
            height: 18,
            ..synthetic::Synthetic::default()
        };
        synthetic::generate(directory.path(), &small, &|_, _| {}).unwrap();
        let records = skin::load(directory.path()).unwrap();
        std::fs::write(&records[2].path, b"no image").unwrap();
        std::fs::remove_file(&records[9].path).unwrap();
        let preparation = Preparation {
            side: 16,
            augmentation: Augmentation::none(),
            workers: None,
        };
        let (lesions, skipped) = Lesions::load(&records, &preparation, &|_, _| {}).unwrap();
        assert_eq!((lesions.len(), skipped.len()), (records.len() - 2, 2));
        let rest = records
            .iter()
            .enumerate()
            .filter(|(index, _)| ![2, 9].contains(index));
        for (at, (_, record)) in rest.enumerate() {
            let batch = lesions.batch(&[at], None).unwrap();
            assert_eq!(batch.labels, [record.class.index()]);
            assert_eq!(batch.inputs[1].data, record.demographics.encode());
        }
        // Another age is another patient.
        let mut older = records.clone();
        older[5].demographics.age = Some(99.0);
        let (older, _) = Lesions::load(&older, &preparation, &|_, _| {}).unwrap();
        let (one, other) = (lesions.identity(true), older.identity(true));
        assert_ne!(one["demographics"], other["demographics"]);
        assert_eq!(one["images"], other["images"]);
    }
}

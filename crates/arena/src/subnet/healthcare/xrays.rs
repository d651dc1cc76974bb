//! X-rays as training examples.

use crate::pictures::{Pictures, Preparation, Skipped, readable};
use agon_dataset::cache::CacheError;
use agon_dataset::chest::Record;
use agon_train::examples::{Batch, Examples, Identity, Unavailable};

/// The examples of one part. A sample's label is the set of its findings.
pub struct XRays {
    pictures: Pictures,
    labels: Vec<usize>,
}

impl XRays {
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
        let labels = readable.iter().map(|record| record.findings.bits());
        let xrays = Self {
            pictures,
            labels: labels.collect(),
        };
        Ok((xrays, skipped))
    }
}

impl Examples for XRays {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn label(&self, index: usize) -> usize {
        self.labels[index]
    }

    fn batch(&self, indices: &[usize], augment: Option<u64>) -> Result<Batch, Unavailable> {
        Ok(Batch {
            inputs: vec![self.pictures.batch(indices, augment)?],
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
        })
    }

    fn identity(&self, augmented: bool) -> Identity {
        self.pictures.identity(augmented)
    }
}

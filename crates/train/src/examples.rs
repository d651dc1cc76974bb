//! Where samples come from: the only thing training knows of data.

use std::collections::BTreeMap;

use serde_json::Value;

/// What batches are made of, by name: settings as they are, and the digests
/// ([`Digest`](agon_model::digest::Digest)) of what is too large to be told. It knows no paths and no times, so that
/// the same samples are the same on every machine.
pub type Identity = BTreeMap<String, Value>;

/// A dense array of 32-bit floats.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Sizes, outermost dimension first.
    pub shape: Vec<usize>,
    /// The elements, row-major.
    pub data: Vec<f32>,
}

/// Some samples, ready for a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// One array per input of the model, in the model's order; the first dimension counts the samples.
    pub inputs: Vec<Array>,
    /// The class of each sample, or the set of its labels.
    pub labels: Vec<usize>,
}

/// A sample that was there and cannot be had any more, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// Labelled samples that can be asked for in any order, from several threads at once.
///
/// The same arguments must always give the same answer: runs are repeatable only if data are.
pub trait Examples: Send + Sync {
    /// The number of samples.
    fn len(&self) -> usize;

    /// The class of a sample, or the set of its labels as the bits of a number
    /// ([`Loss::is_multi_label`](crate::loss::Loss::is_multi_label)); `index` is below [`len`](Self::len).
    fn label(&self, index: usize) -> usize;

    /// The samples of these indices, in this order. With a seed they are augmented, differently for every seed;
    /// without one they are as they are judged.
    ///
    /// # Errors
    /// When a sample cannot be had any more.
    fn batch(&self, indices: &[usize], augment: Option<u64>) -> Result<Batch, Unavailable>;

    /// What batches depend on besides labels; with `augmented`, also how samples are varied. A run goes on only with
    /// samples of the same identity.
    fn identity(&self, augmented: bool) -> Identity;

    /// Whether there are no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

//! Lesions as training examples: the pixels are those that a judge would give to the network.

use agon_dataset::augment::Augmentation;
use agon_dataset::cache::{CacheError, DecodedImages, MAX_CACHE_BYTES};
use agon_dataset::image::{self, ImageError};
use agon_dataset::skin::Record;
use agon_train::examples::{Array, Batch, Examples, Unavailable};
use rayon::ThreadPool;
use rayon::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The examples of one part.
pub struct Lesions {
    images: Images,
    side: usize,
    demographics: Vec<[f32; 3]>,
    labels: Vec<usize>,
    augmentation: Augmentation,
    /// Who prepares images; none for whoever asks.
    workers: Option<Arc<ThreadPool>>,
}

enum Images {
    /// In memory.
    Decoded(DecodedImages),
    /// Read again whenever they are asked for, because they do not fit into memory.
    Files(Vec<PathBuf>),
}

/// An image that is left out, and why.
#[derive(Debug)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: ImageError,
}

/// How lesions are prepared.
#[derive(Clone)]
pub struct Preparation {
    /// Height and width of the network's image.
    pub side: usize,
    /// How training images vary.
    pub augmentation: Augmentation,
    /// Who decodes and varies images; none for whoever asks for them. The result does not depend on it.
    pub workers: Option<Arc<ThreadPool>>,
}

impl Lesions {
    /// The examples of these records, without those whose image cannot be read.
    ///
    /// Where the decoded images need more than the memory allowed for them, they are read each time.
    ///
    /// # Errors
    /// When the side makes no sense.
    pub fn load(
        records: &[Record],
        preparation: &Preparation,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<(Self, Vec<Skipped>), CacheError> {
        let &Preparation { side, .. } = preparation;
        let list: Vec<&Record> = records.iter().collect();
        let bytes = side.saturating_mul(side).saturating_mul(3);
        let load = || {
            if bytes.saturating_mul(records.len()) <= MAX_CACHE_BYTES {
                let (images, unreadable) =
                    DecodedImages::decode_readable(&list, side, side, progress)?;
                return Ok((Images::Decoded(images), unreadable));
            }
            // Fails where the side itself is the trouble.
            DecodedImages::decode_readable(&[], side, side, progress)?;
            let paths = records.iter().map(|record| record.path.clone()).collect();
            Ok((Images::Files(paths), unreadable(&list, progress)))
        };
        let (images, unreadable) = match &preparation.workers {
            Some(workers) => workers.install(load)?,
            None => load()?,
        };
        let whole = Self {
            images,
            side,
            demographics: records
                .iter()
                .map(|record| record.demographics.encode())
                .collect(),
            labels: records.iter().map(|record| record.class.index()).collect(),
            augmentation: preparation.augmentation.clone(),
            workers: preparation.workers.clone(),
        };
        if unreadable.is_empty() {
            return Ok((whole, Vec::new()));
        }
        let skipped: Vec<Skipped> = unreadable
            .into_iter()
            .map(|(index, reason)| Skipped {
                path: records[index].path.clone(),
                reason,
            })
            .collect();
        let is_read = |record: &&Record| skipped.iter().all(|skipped| skipped.path != record.path);
        let readable: Vec<Record> = records.iter().filter(is_read).cloned().collect();
        // What was decoded is decoded again: it is rare that images are missing.
        let (rest, again) = Self::load(&readable, preparation, &|_, _| {})?;
        Ok((rest, skipped.into_iter().chain(again).collect()))
    }

    /// One image as the network's input, varied if there is a seed. One image may stand in a batch twice; its place
    /// tells the two apart.
    fn image(
        &self,
        position: usize,
        index: usize,
        augment: Option<u64>,
    ) -> Result<Vec<f32>, Unavailable> {
        let read;
        let pixels = match &self.images {
            Images::Decoded(images) => images.pixels(index),
            Images::Files(paths) => {
                let path = &paths[index];
                let image = image::open(path)
                    .and_then(|image| image::judging_image(&image, self.side, self.side));
                read =
                    image.map_err(|error| Unavailable(format!("{}: {error}", path.display())))?;
                read.pixels()
            }
        };
        Ok(match augment {
            Some(seed) => self.augmentation.apply(
                pixels,
                (self.side, self.side),
                seed,
                position as u64,
                index as u64,
            ),
            None => image::to_chw_f32(pixels),
        })
    }
}

/// Images that cannot be read, by their place.
fn unreadable(
    records: &[&Record],
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Vec<(usize, ImageError)> {
    let done = AtomicUsize::new(0);
    let failures: Vec<_> = records
        .par_iter()
        .enumerate()
        .filter_map(|(index, record)| {
            let opened = image::open(&record.path);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, records.len());
            Some((index, opened.err()?))
        })
        .collect();
    failures
}

impl Examples for Lesions {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn label(&self, index: usize) -> usize {
        self.labels[index]
    }

    fn batch(&self, indices: &[usize], augment: Option<u64>) -> Result<Batch, Unavailable> {
        let prepare = || {
            let images: Result<Vec<_>, _> = indices
                .par_iter()
                .enumerate()
                .map(|(position, &index)| self.image(position, index, augment))
                .collect();
            images.map(|images| images.concat())
        };
        let images = match &self.workers {
            Some(workers) => workers.install(prepare)?,
            None => prepare()?,
        };
        let demographics = indices.iter().flat_map(|&index| self.demographics[index]);
        Ok(Batch {
            inputs: vec![
                Array {
                    shape: vec![indices.len(), 3, self.side, self.side],
                    data: images,
                },
                Array {
                    shape: vec![indices.len(), 3],
                    data: demographics.collect(),
                },
            ],
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agon_dataset::skin::{self, synthetic};

    fn records(directory: &std::path::Path) -> Vec<Record> {
        let small = synthetic::Synthetic {
            images: 24,
            width: 24,
            height: 18,
            ..synthetic::Synthetic::default()
        };
        synthetic::generate(directory, &small, &|_, _| {}).unwrap();
        skin::load(directory).unwrap()
    }

    fn load(records: &[Record], workers: Option<usize>) -> (Lesions, Vec<Skipped>) {
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let preparation = Preparation {
            side: 16,
            augmentation: Augmentation::default(),
            workers: workers.map(|threads| Arc::new(pool(threads).unwrap())),
        };
        Lesions::load(records, &preparation, &|_, _| {}).unwrap()
    }

    #[test]
    fn batches_are_the_same_from_memory_and_from_files_and_with_any_workers() {
        let directory = tempfile::tempdir().unwrap();
        let records = records(directory.path());
        let (decoded, _) = load(&records, None);
        let (working, _) = load(&records, Some(3));
        let (mut files, _) = load(&records, None);
        files.images = Images::Files(records.iter().map(|r| r.path.clone()).collect());
        let indices = [3, 3, 0, 17];
        for augment in [None, Some(5)] {
            let batch = decoded.batch(&indices, augment).unwrap();
            assert_eq!(batch, working.batch(&indices, augment).unwrap());
            assert_eq!(batch, files.batch(&indices, augment).unwrap());
            let size = 3 * 16 * 16;
            let (first, second) = batch.inputs[0].data[..2 * size].split_at(size);
            assert_eq!(first == second, augment.is_none());
        }
        // A file that goes while it is needed is an error, not an end.
        std::fs::remove_file(&records[17].path).unwrap();
        let gone = files.batch(&indices, None).unwrap_err().to_string();
        assert!(
            gone.contains(&records[17].path.display().to_string()),
            "{gone}"
        );
    }

    #[test]
    fn what_cannot_be_read_is_left_out_and_told() {
        let directory = tempfile::tempdir().unwrap();
        let records = records(directory.path());
        std::fs::write(&records[2].path, b"no image").unwrap();
        std::fs::remove_file(&records[9].path).unwrap();
        let (lesions, skipped) = load(&records, None);
        assert_eq!(lesions.len(), records.len() - 2);
        let paths: Vec<_> = skipped.iter().map(|skipped| &skipped.path).collect();
        assert_eq!(paths, [&records[2].path, &records[9].path]);
        // The others kept their labels.
        let rest = records
            .iter()
            .enumerate()
            .filter(|(index, _)| ![2, 9].contains(index));
        for (at, (_, record)) in rest.enumerate() {
            assert_eq!(lesions.label(at), record.class.index());
            assert_eq!(lesions.demographics[at], record.demographics.encode());
        }
    }
}

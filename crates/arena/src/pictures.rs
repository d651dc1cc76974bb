//! Images as training examples: the pixels are those that a judge would give to the network.

use agon_dataset::augment::Augmentation;
use agon_dataset::cache::{CacheError, DecodedImages, MAX_CACHE_BYTES};
use agon_dataset::image::{self, ImageError, RgbImage};
use agon_model::digest::Digest;
use agon_train::examples::{Array, Identity, Unavailable};
use rayon::ThreadPool;
use rayon::iter::Either;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The images of one part.
pub struct Pictures {
    images: Images,
    count: usize,
    side: usize,
    augmentation: Augmentation,
    /// Of the pixels of all images, in their order.
    digest: Digest,
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

/// How images are prepared.
#[derive(Clone)]
pub struct Preparation {
    /// Height and width of the network's image.
    pub side: usize,
    /// How training images vary.
    pub augmentation: Augmentation,
    /// Who decodes and varies images; none for whoever asks for them. The result does not depend on it.
    pub workers: Option<Arc<ThreadPool>>,
}

impl Pictures {
    /// The images of these records or paths, without those that cannot be read. Whoever has labels for them leaves the
    /// same ones out ([`readable`]).
    ///
    /// Where the decoded images need more than the memory allowed for them, they are read each time.
    ///
    /// # Errors
    /// When the side makes no sense.
    pub fn load(
        records: &[impl AsRef<Path> + Sync],
        preparation: &Preparation,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<(Self, Vec<Skipped>), CacheError> {
        let paths: Vec<PathBuf> = records.iter().map(|r| r.as_ref().to_owned()).collect();
        let &Preparation { side, .. } = preparation;
        let bytes = side.saturating_mul(side).saturating_mul(3);
        let load = || {
            if bytes.saturating_mul(paths.len()) <= MAX_CACHE_BYTES {
                let (images, unreadable) =
                    DecodedImages::decode_readable(&paths, side, side, progress)?;
                let places = (0..paths.len()).into_par_iter();
                let digests = places.map(|at| Digest::of(images.pixels(at)));
                let digest = of_all(&digests.collect::<Vec<_>>());
                return Ok((Images::Decoded(images), digest, unreadable));
            }
            // Fails where the side itself is the trouble.
            DecodedImages::decode_readable(&[] as &[PathBuf], side, side, progress)?;
            let (digests, unreadable) = read(&paths, progress, |image| Digest::of(image.pixels()));
            Ok((Images::Files(paths.clone()), of_all(&digests), unreadable))
        };
        let (images, digest, unreadable) = match &preparation.workers {
            Some(workers) => workers.install(load)?,
            None => load()?,
        };
        if unreadable.is_empty() {
            let whole = Self {
                images,
                count: paths.len(),
                side,
                augmentation: preparation.augmentation.clone(),
                digest,
                workers: preparation.workers.clone(),
            };
            return Ok((whole, Vec::new()));
        }
        let skipped: Vec<Skipped> = unreadable
            .into_iter()
            .map(|(index, reason)| Skipped {
                path: paths[index].clone(),
                reason,
            })
            .collect();
        // What was decoded is decoded again: it is rare that images are missing.
        let (rest, again) = Self::load(&readable(&paths, &skipped), preparation, &|_, _| {})?;
        Ok((rest, skipped.into_iter().chain(again).collect()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What the network's input depends on: the images, their side and, where they are varied, how.
    pub fn identity(&self, augmented: bool) -> Identity {
        let mut identity = Identity::from([
            ("images".to_owned(), self.digest.to_string().into()),
            ("side".to_owned(), self.side.into()),
        ]);
        if augmented {
            // By way of text: 0.02 in 32 bits is to be told as 0.02.
            let text = serde_json::to_string(&self.augmentation).expect("numbers are JSON");
            let augmentation = serde_json::from_str(&text).expect("what was just written");
            identity.insert("augmentation".to_owned(), augmentation);
        }
        identity
    }

    /// Some images as a network's input, varied if there is a seed.
    ///
    /// # Errors
    /// When one cannot be had any more.
    pub fn batch(&self, indices: &[usize], augment: Option<u64>) -> Result<Array, Unavailable> {
        let prepare = || {
            let images: Result<Vec<_>, _> = indices
                .par_iter()
                .enumerate()
                .map(|(position, &index)| self.image(position, index, augment))
                .collect();
            images.map(|images| images.concat())
        };
        let data = match &self.workers {
            Some(workers) => workers.install(prepare)?,
            None => prepare()?,
        };
        Ok(Array {
            shape: vec![indices.len(), 3, self.side, self.side],
            data,
        })
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

/// The records whose images are not among those that were left out.
pub fn readable<R: AsRef<Path> + Clone>(records: &[R], skipped: &[Skipped]) -> Vec<R> {
    let is_read = |record: &&R| {
        skipped
            .iter()
            .all(|skipped| skipped.path != (**record).as_ref())
    };
    records.iter().filter(is_read).cloned().collect()
}

/// Images that cannot be read, by their place, in order.
pub(crate) fn unreadable(
    paths: &[impl AsRef<Path> + Sync],
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Vec<(usize, ImageError)> {
    read(paths, progress, drop).1
}

/// Reads images one after the other: what is made of each that can be read, in order, and the others by their place.
fn read<T: Send>(
    paths: &[impl AsRef<Path> + Sync],
    progress: &(dyn Fn(usize, usize) + Sync),
    of: impl Fn(RgbImage) -> T + Sync,
) -> (Vec<T>, Vec<(usize, ImageError)>) {
    let done = AtomicUsize::new(0);
    paths
        .par_iter()
        .enumerate()
        .map(|(index, path)| {
            let opened = image::open(path.as_ref()).map(&of);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, paths.len());
            (index, opened)
        })
        .partition_map(|(index, opened)| match opened {
            Ok(read) => Either::Left(read),
            Err(error) => Either::Right((index, error)),
        })
}

/// The digest of digests.
fn of_all(digests: &[Digest]) -> Digest {
    let bytes: Vec<u8> = digests.iter().flat_map(|digest| digest.0).collect();
    Digest::of(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use agon_dataset::skin::{self, Record, synthetic};

    fn records(directory: &Path) -> Vec<Record> {
        let small = synthetic::Synthetic {
            images: 24,
            width: 24,
            height: 18,
            ..synthetic::Synthetic::default()
        };
        synthetic::generate(directory, &small, &|_, _| {}).unwrap();
        skin::load(directory).unwrap()
    }

    fn load(records: &[Record], workers: Option<usize>) -> (Pictures, Vec<Skipped>) {
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let preparation = Preparation {
            side: 16,
            augmentation: Augmentation::default(),
            workers: workers.map(|threads| Arc::new(pool(threads).unwrap())),
        };
        Pictures::load(records, &preparation, &|_, _| {}).unwrap()
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
            let (first, second) = batch.data[..2 * size].split_at(size);
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
    fn images_are_known_by_what_is_in_them() {
        let directory = tempfile::tempdir().unwrap();
        let records = records(directory.path());
        let whole = load(&records, None).0.identity(true);
        assert_eq!(load(&records, Some(3)).0.identity(true), whole);
        assert_eq!(whole["augmentation"]["hue"], 0.02);
        // Elsewhere they are the same; in another order they are not.
        let moved = directory.path().join("moved.jpg");
        std::fs::rename(&records[5].path, &moved).unwrap();
        let mut elsewhere = records.clone();
        elsewhere[5].path = moved;
        assert_eq!(load(&elsewhere, None).0.identity(true), whole);
        elsewhere.swap(5, 6);
        assert_ne!(
            load(&elsewhere, None).0.identity(true)["images"],
            whole["images"]
        );
        elsewhere.swap(5, 6);
        std::fs::copy(&elsewhere[0].path, &elsewhere[5].path).unwrap();
        let other = load(&elsewhere, None).0.identity(false);
        assert_ne!(other["images"], whole["images"]);
        assert!(!other.contains_key("augmentation"));
    }

    #[test]
    fn what_cannot_be_read_is_left_out_and_told() {
        let directory = tempfile::tempdir().unwrap();
        let records = records(directory.path());
        let (whole, _) = load(&records, None);
        std::fs::write(&records[2].path, b"no image").unwrap();
        std::fs::remove_file(&records[9].path).unwrap();
        let (pictures, skipped) = load(&records, None);
        assert_eq!(pictures.len(), records.len() - 2);
        let paths: Vec<_> = skipped.iter().map(|skipped| &skipped.path).collect();
        assert_eq!(paths, [&records[2].path, &records[9].path]);
        // The others are in the order of the records that can be read.
        let rest = readable(&records, &skipped);
        assert_eq!(rest.len(), pictures.len());
        let place = records.iter().position(|r| *r == rest[12]).unwrap();
        assert_eq!(
            pictures.batch(&[12], None).unwrap(),
            whole.batch(&[place], None).unwrap()
        );
    }
}

//! The images of a part, decoded once and kept in memory at the size a model wants.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::image::{self, ImageError};

/// Most bytes of decoded images.
pub const MAX_CACHE_BYTES: usize = 4 << 30;

/// Decoded images of one size, 8-bit RGB, prepared as the judges prepare them ([`image::judging_image`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodedImages {
    height: usize,
    width: usize,
    pixels: Vec<u8>,
}

/// Why images could not be decoded.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The decoded images would need more than [`MAX_CACHE_BYTES`].
    #[error(
        "{images} images of {width}x{height} pixels need more than the {MAX_CACHE_BYTES} bytes allowed; use a smaller size"
    )]
    TooLarge {
        /// How many images.
        images: usize,
        /// Width of each, in pixels.
        width: usize,
        /// Height of each, in pixels.
        height: usize,
    },
    /// Images that cannot be read or decoded.
    #[error(
        "{count} unreadable image(s); replace them or remove their rows. The first: {first}: {reason}"
    )]
    Unreadable {
        /// How many.
        count: usize,
        /// The first of them in the order of the records: its path.
        first: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl DecodedImages {
    /// Reads, decodes and resizes the images of `records`, or of paths, on all cores.
    ///
    /// `progress` is called with the number of images done and their total, from several threads and not always in
    /// order. The result has the order of the records, whatever the threads did.
    ///
    /// # Errors
    /// When they need too much memory, or one of them cannot be read.
    pub fn decode(
        records: &[impl AsRef<Path> + Sync],
        height: usize,
        width: usize,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Self, CacheError> {
        let (images, unreadable) = Self::decode_readable(records, height, width, progress)?;
        match unreadable.first() {
            None => Ok(images),
            Some((index, reason)) => Err(CacheError::Unreadable {
                count: unreadable.len(),
                first: records[*index].as_ref().display().to_string(),
                reason: reason.to_string(),
            }),
        }
    }

    /// The same, where an image that cannot be read is black. Those are told, by their place, in order.
    ///
    /// # Errors
    /// When they need too much memory.
    pub fn decode_readable(
        records: &[impl AsRef<Path> + Sync],
        height: usize,
        width: usize,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<(Self, Vec<(usize, ImageError)>), CacheError> {
        let size = height.checked_mul(width).and_then(|n| n.checked_mul(3));
        let total = size.and_then(|size| size.checked_mul(records.len()));
        let (Some(size @ 1..), Some(total @ ..=MAX_CACHE_BYTES)) = (size, total) else {
            return Err(CacheError::TooLarge {
                images: records.len(),
                width,
                height,
            });
        };
        let mut pixels = vec![0; total];
        let done = AtomicUsize::new(0);
        let failures: Vec<Option<ImageError>> = pixels
            .par_chunks_exact_mut(size)
            .zip(records)
            .map(|(target, record)| {
                let failure = image::open(record.as_ref())
                    .and_then(|image| image::judging_image(&image, height, width))
                    .map(|image| target.copy_from_slice(image.pixels()))
                    .err();
                progress(done.fetch_add(1, Ordering::Relaxed) + 1, records.len());
                failure
            })
            .collect();
        let unreadable = failures.into_iter().enumerate();
        let unreadable = unreadable.filter_map(|(index, failure)| Some((index, failure?)));
        let images = Self {
            height,
            width,
            pixels,
        };
        Ok((images, unreadable.collect()))
    }

    /// Height of every image, in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Width of every image, in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.pixels.len() / self.size()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.pixels.is_empty()
    }

    /// The bytes `[height, width, 3]` of one image.
    ///
    /// # Panics
    /// If `index` is not below [`DecodedImages::len`].
    pub fn pixels(&self, index: usize) -> &[u8] {
        &self.pixels[index * self.size()..][..self.size()]
    }

    /// One image as a model's input `[3, height, width]`, in 0 to 1.
    ///
    /// # Panics
    /// If `index` is not below [`DecodedImages::len`].
    pub fn input(&self, index: usize) -> Vec<f32> {
        image::to_chw_f32(self.pixels(index))
    }

    fn size(&self) -> usize {
        self.height * self.width * 3
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Mutex;

    use super::*;
    use crate::skin::synthetic::{self, Synthetic};
    use crate::skin::{self, LesionClass, Record};

    fn records() -> (tempfile::TempDir, Vec<Record>) {
        let directory = tempfile::tempdir().unwrap();
        let small = Synthetic {
            images: 20,
            width: 24,
            height: 18,
            ..Synthetic::default()
        };
        synthetic::generate(directory.path(), &small, &|_, _| {}).unwrap();
        let records = skin::load(directory.path()).unwrap();
        (directory, records)
    }

    #[test]
    fn holds_what_a_judge_would_see_in_the_order_of_the_records() {
        let (_directory, records) = records();
        let wanted: Vec<&Record> = records.iter().rev().collect();
        let reported = Mutex::new(Vec::new());
        let images = DecodedImages::decode(&wanted, 16, 12, &|done, total| {
            assert_eq!(total, 20);
            reported.lock().unwrap().push(done);
        })
        .unwrap();
        assert_eq!(
            (images.len(), images.height(), images.width()),
            (20, 16, 12)
        );
        let mut reported = reported.into_inner().unwrap();
        reported.sort_unstable();
        assert_eq!(reported, (1..=20).collect::<Vec<_>>());
        for (index, record) in wanted.iter().enumerate() {
            let image = image::open(&record.path).unwrap();
            let judged = image::judging_image(&image, 16, 12).unwrap();
            assert_eq!(images.pixels(index), judged.pixels());
            let input = images.input(index);
            assert_eq!(input.len(), 3 * 16 * 12);
            // Channel 1, row 2, column 3.
            let byte = judged.pixels()[(2 * 12 + 3) * 3 + 1];
            assert_eq!(input[(16 + 2) * 12 + 3], f32::from(byte) / 255.0);
        }
    }

    #[test]
    fn names_the_first_unreadable_image_and_counts_them() {
        let (_directory, records) = records();
        std::fs::write(&records[3].path, b"not an image").unwrap();
        std::fs::remove_file(&records[7].path).unwrap();
        let wanted: Vec<&Record> = records.iter().collect();
        let error = DecodedImages::decode(&wanted, 8, 8, &|_, _| {}).unwrap_err();
        let message = error.to_string();
        let path = records[3].path.display().to_string();
        assert!(message.starts_with("2 unreadable image(s)"), "{message}");
        assert!(message.contains(&path) && message.contains("neither a JPEG nor a PNG nor a BMP"));
    }

    #[test]
    fn a_size_beyond_the_cap_is_refused_before_any_work() {
        let record = Record {
            image_id: "A".into(),
            lesion_id: "A".into(),
            patient_id: None,
            group: None,
            source: String::new(),
            digest: None,
            path: PathBuf::from("absent"),
            class: LesionClass::Nv,
            demographics: skin::Demographics {
                age: None,
                sex: skin::Sex::Unknown,
                site: skin::Site::Unknown,
            },
        };
        for (height, width) in [(usize::MAX, 2), (100_000, 100_000), (0, 8)] {
            assert!(matches!(
                DecodedImages::decode(&[&record], height, width, &|_, _| {}),
                Err(CacheError::TooLarge { .. })
            ));
        }
        let none = DecodedImages::decode(&[] as &[&Record], 8, 8, &|_, _| {}).unwrap();
        assert!(none.is_empty());
    }
}

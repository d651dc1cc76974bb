//! An image as nobody has it: to be asked about what is on it, and not to be found by its bytes.
//!
//! A little of each edge is cut off, the rest is brought to a square, made brighter or darker and blurred, and written as
//! a JPEG of its own. Only pixels come through: the file's name, its size, its comments and its dates stay behind, and
//! every image has the same size, so that nothing tells from which collection it is.

use image::codecs::jpeg::JpegEncoder;
use image::imageops::blur;
use image::{ExtendedColorType, ImageEncoder};
use rand::{Rng, RngExt};

use crate::image::{ImageError, RgbImage, resize};

/// The most of a side that is cut off at each of its ends.
const MARGIN: f64 = 0.04;
/// The largest change of brightness, as a factor around 1.
const BRIGHTNESS: f32 = 0.2;
/// The largest deviation of the blur, in sides of the square: a pixel and a half of 512.
const BLUR: f32 = 1.5 / 512.0;
/// Less than this deviation, in pixels, changes nothing.
const SHARP: f32 = 0.2;
/// Of the JPEG, of 100.
const QUALITY: u8 = 95;

/// How one image is changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Disguise {
    /// What is cut off at the left, the right, the top and the bottom, as shares of the side.
    margins: [f64; 4],
    /// What every value is multiplied with.
    brightness: f32,
    /// The deviation of a Gaussian blur, as a share of the side.
    blur: f32,
}

impl Disguise {
    /// One of them, uniformly.
    pub fn draw(random: &mut impl Rng) -> Self {
        Self {
            margins: std::array::from_fn(|_| random.random::<f64>() * MARGIN),
            brightness: 1.0 + (2.0 * random.random::<f32>() - 1.0) * BRIGHTNESS,
            blur: random.random::<f32>() * BLUR,
        }
    }

    /// The changed image: a JPEG of `side` times `side` pixels.
    ///
    /// # Errors
    /// When there can be no image of that side.
    pub fn apply(&self, image: &RgbImage, side: usize) -> Result<Vec<u8>, ImageError> {
        let mut pixels = resize(&self.cropped(image), side, side)?.into_pixels();
        for value in &mut pixels {
            *value = (f32::from(*value) * self.brightness).round().min(255.0) as u8;
        }
        // The side is that of an image, which `resize` has checked.
        let side = side as u32;
        let deviation = self.blur * side as f32;
        if deviation >= SHARP
            && let Some(sharp) = image::RgbImage::from_raw(side, side, pixels.clone())
        {
            pixels = blur(&sharp, deviation).into_raw();
        }
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, QUALITY)
            .write_image(&pixels, side, side, ExtendedColorType::Rgb8)
            .map_err(|error| ImageError::Damaged(error.to_string()))?;
        Ok(bytes)
    }

    fn cropped(&self, image: &RgbImage) -> RgbImage {
        let cut = |length: usize, margin: f64| (length as f64 * margin) as usize;
        let (height, width) = (image.height(), image.width());
        let [left, right, top, bottom] = self.margins;
        let columns = cut(width, left)..width - cut(width, right);
        let rows = cut(height, top)..height - cut(height, bottom);
        let lines = image.pixels().chunks_exact(3 * width);
        let kept = lines.skip(rows.start).take(rows.len());
        let pixels = kept.flat_map(|line| &line[3 * columns.start..3 * columns.end]);
        RgbImage::new(rows.len(), columns.len(), pixels.copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::image;

    fn stream(seed: u64) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(seed)
    }

    /// Brighter to the right, with noise.
    fn picture(height: usize, width: usize) -> RgbImage {
        let mut random = stream(0);
        let mut pixels = Vec::new();
        for place in 0..height * width {
            let noise = random.random::<f32>() * 30.0;
            let value = (60 + place % width * 120 / width) as f32 + noise;
            pixels.extend([value as u8; 3]);
        }
        RgbImage::new(height, width, pixels)
    }

    #[test]
    fn equal_draws_give_equal_images_and_no_two_are_alike() {
        let image = picture(60, 90);
        let changed = |seed| {
            Disguise::draw(&mut stream(seed))
                .apply(&image, 128)
                .unwrap()
        };
        assert_eq!(changed(1), changed(1));
        let all: std::collections::BTreeSet<_> = (0..20).map(changed).collect();
        assert_eq!(all.len(), 20);
    }

    #[test]
    fn what_is_on_it_stays() {
        let image = picture(300, 200);
        let plain = resize(&image, 64, 64).unwrap();
        for seed in 0..20 {
            let disguise = Disguise::draw(&mut stream(seed));
            let bytes = disguise.apply(&image, 64).unwrap();
            assert_eq!(image::ending(&bytes).unwrap(), "jpg");
            let seen = image::decode(&bytes).unwrap();
            assert_eq!((seen.height(), seen.width()), (64, 64));
            let mean = |image: &RgbImage, columns: std::ops::Range<usize>| {
                let rows = image.pixels().chunks_exact(3 * 64);
                let values = rows.flat_map(|row| &row[3 * columns.start..3 * columns.end]);
                let count = 64 * 3 * columns.len();
                values.map(|&value| f32::from(value)).sum::<f32>() / count as f32
            };
            let brighter = mean(&seen, 0..64) / mean(&plain, 0..64);
            assert!(
                (brighter - disguise.brightness).abs() < 0.03,
                "{brighter} {disguise:?}"
            );
            assert!(mean(&seen, 48..64) > 1.5 * mean(&seen, 0..16));
        }
    }

    #[test]
    fn a_single_pixel_is_an_image_and_noise_has_a_bounded_size() {
        let disguise = Disguise::draw(&mut stream(3));
        let point = RgbImage::new(1, 1, vec![9, 9, 9]);
        image::decode(&disguise.apply(&point, 32).unwrap()).unwrap();
        let mut random = stream(4);
        let noise = (0..512 * 512 * 3).map(|_| random.random::<u8>()).collect();
        let noise = RgbImage::new(512, 512, noise);
        let sharp = Disguise {
            blur: 0.0,
            ..disguise
        };
        assert!(sharp.apply(&noise, 512).unwrap().len() < 1 << 20);
        assert!(disguise.apply(&noise, 0).is_err());
        assert!(disguise.apply(&noise, 1 << 20).is_err());
    }
}

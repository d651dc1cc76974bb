//! Random variations of training images.
//!
//! All geometry (flips, quarter turns, rotation, scaling, shifting) is one affine map and all colour changes are one
//! affine map of red, green and blue, so an image is read once whatever is switched on. Each image has its own random
//! stream, so the result does not depend on threads or on the order in which images are asked for.

use std::f32::consts::TAU;

use rand::{Rng, RngExt};

use crate::seed;

/// How strongly training images vary. Every amount is the largest change in either direction, drawn uniformly; 0
/// switches it off.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Augmentation {
    /// Probability of mirroring left to right.
    pub horizontal_flip: f32,
    /// Probability of mirroring top to bottom.
    pub vertical_flip: f32,
    /// Whether to turn by a random multiple of 90 degrees.
    pub quarter_turns: bool,
    /// Rotation, in degrees.
    pub rotation: f32,
    /// Change of scale, as a fraction below 1 (0.1: 0.9 to 1.1).
    pub scale: f32,
    /// Shearing along the rows, in degrees, below 90.
    pub shear: f32,
    /// Shift, as a fraction of the side.
    pub translation: f32,
    /// Change of brightness, as a factor around 1.
    pub brightness: f32,
    /// Change of contrast around the image's mean grey, as a factor around 1.
    pub contrast: f32,
    /// Change of saturation, as a factor around 1.
    pub saturation: f32,
    /// Change of hue, as a fraction of the colour circle. Lesion colour is a sign of its own: keep it small.
    pub hue: f32,
    /// Probability of erasing a rectangle with noise.
    pub erasing: f32,
    /// Smallest and largest area of that rectangle, as fractions of the image.
    pub erased_area: (f32, f32),
}

impl Default for Augmentation {
    /// The competition's reference training, with quarter turns in place of its rotation up to 90 degrees and less
    /// change of hue.
    fn default() -> Self {
        Self {
            horizontal_flip: 0.5,
            vertical_flip: 0.5,
            quarter_turns: true,
            rotation: 20.0,
            scale: 0.1,
            shear: 0.0,
            translation: 0.1,
            brightness: 0.2,
            contrast: 0.2,
            saturation: 0.2,
            hue: 0.02,
            erasing: 0.2,
            erased_area: (0.02, 0.1),
        }
    }
}

impl Augmentation {
    /// No change at all.
    pub fn none() -> Self {
        Self {
            horizontal_flip: 0.0,
            vertical_flip: 0.0,
            quarter_turns: false,
            rotation: 0.0,
            scale: 0.0,
            shear: 0.0,
            translation: 0.0,
            brightness: 0.0,
            contrast: 0.0,
            saturation: 0.0,
            hue: 0.0,
            erasing: 0.0,
            erased_area: (0.0, 0.0),
        }
    }

    /// Varies the image `index` of the epoch: from pixels `[height, width, 3]` to a model's input
    /// `[3, height, width]` in 0 to 1. Equal arguments give equal results.
    ///
    /// # Panics
    /// If `pixels` is not `height * width * 3` long.
    pub fn apply(
        &self,
        pixels: &[u8],
        (height, width): (usize, usize),
        seed: u64,
        epoch: u64,
        index: u64,
    ) -> Vec<f32> {
        assert_eq!(pixels.len(), height * width * 3, "three bytes a pixel");
        let random = &mut seed::stream("augmentation", seed, &[epoch, index]);
        let geometry = self.geometry(height, width, random);
        let colour = self.colour(mean_grey(pixels), random);
        let mut varied = sample(pixels, height, width, &geometry, &colour);
        self.erase(&mut varied, height, width, random);
        varied
    }

    /// From a target pixel to the source position it shows.
    fn geometry(&self, height: usize, width: usize, random: &mut impl Rng) -> Affine {
        let angle = symmetric(self.rotation, random).to_radians();
        let scale = 1.0 + symmetric(self.scale, random);
        let shift = [
            symmetric(self.translation, random) * width as f32,
            symmetric(self.translation, random) * height as f32,
        ];
        let (sin, cos) = angle.sin_cos();
        let mut x = [cos / scale, -sin / scale];
        let mut y = [sin / scale, cos / scale];
        // Nothing is drawn for what is switched off, so that runs without it stay as they were.
        if self.shear > 0.0 {
            let slope = symmetric(self.shear, random).to_radians().tan();
            x = [x[0], x[1] + slope * x[0]];
            y = [y[0], y[1] + slope * y[0]];
        }
        if random.random::<f32>() < self.horizontal_flip {
            x = x.map(|value| -value);
        }
        if random.random::<f32>() < self.vertical_flip {
            y = y.map(|value| -value);
        }
        if self.quarter_turns {
            // A turned image is stretched to the frame it had, as resizing ignores the aspect ratio anyway.
            let aspect = width as f32 / height as f32;
            for _ in 0..random.random_range(0..4) {
                (x, y) = (y.map(|v| v * aspect), x.map(|v| -v / aspect));
            }
        }
        let centre = [(width as f32 - 1.0) / 2.0, (height as f32 - 1.0) / 2.0];
        let offset = |row: [f32; 2], own: f32, shift: f32| {
            own + shift - row[0] * centre[0] - row[1] * centre[1]
        };
        Affine {
            x: [x[0], x[1], offset(x, centre[0], shift[0])],
            y: [y[0], y[1], offset(y, centre[1], shift[1])],
        }
    }

    /// From source red, green and blue to target ones, in 0 to 255.
    fn colour(&self, mean_grey: f32, random: &mut impl Rng) -> Colour {
        let brightness = 1.0 + symmetric(self.brightness, random);
        let contrast = 1.0 + symmetric(self.contrast, random);
        let saturation = 1.0 + symmetric(self.saturation, random);
        let hue = turn_hue(symmetric(self.hue, random) * TAU);
        let matrix = std::array::from_fn(|row| {
            std::array::from_fn(|column| {
                // A saturated colour is the grey plus its stretched difference from the grey, and turning the hue
                // leaves the grey alone.
                let vivid = saturation * hue[row][column] + (1.0 - saturation) * LUMA[column];
                brightness * contrast * vivid
            })
        });
        Colour {
            matrix,
            offset: brightness * (1.0 - contrast) * mean_grey,
        }
    }

    /// Overwrites a rectangle with noise, as random erasing does.
    fn erase(&self, values: &mut [f32], height: usize, width: usize, random: &mut impl Rng) {
        if random.random::<f32>() >= self.erasing {
            return;
        }
        let (least, most) = self.erased_area;
        let area = (least + random.random::<f32>() * (most - least)) * (height * width) as f32;
        // Aspect ratio from 1/3 to 3, uniform in its logarithm.
        let aspect = (symmetric(1.0, random) * 3f32.ln()).exp();
        let side = |length: f32, limit: usize| (length.round() as usize).min(limit);
        let erased_height = side((area * aspect).sqrt(), height);
        let erased_width = side((area / aspect).sqrt(), width);
        let top = random.random_range(0..=height - erased_height);
        let left = random.random_range(0..=width - erased_width);
        for plane in values.chunks_exact_mut(height * width) {
            for row in plane.chunks_exact_mut(width).skip(top).take(erased_height) {
                for value in &mut row[left..left + erased_width] {
                    *value = random.random();
                }
            }
        }
    }
}

/// Weights of red, green and blue in grey (ITU-R BT.601, as the usual training libraries use).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// `x * column + y * row + constant`, for the source column and the source row.
struct Affine {
    x: [f32; 3],
    y: [f32; 3],
}

struct Colour {
    matrix: [[f32; 3]; 3],
    offset: f32,
}

/// Uniform from `-most` to `most`.
fn symmetric(most: f32, random: &mut impl Rng) -> f32 {
    (2.0 * random.random::<f32>() - 1.0) * most
}

fn mean_grey(pixels: &[u8]) -> f32 {
    let mut sums = [0u64; 3];
    for pixel in pixels.chunks_exact(3) {
        for (sum, &value) in sums.iter_mut().zip(pixel) {
            *sum += u64::from(value);
        }
    }
    let count = (pixels.len() / 3).max(1) as f32;
    let grey: f32 = sums
        .iter()
        .zip(LUMA)
        .map(|(&sum, weight)| sum as f32 * weight)
        .sum();
    grey / count
}

/// Turns colours around the grey axis, which keeps every grey as it is (rotation about (1,1,1), Rodrigues' formula).
fn turn_hue(angle: f32) -> [[f32; 3]; 3] {
    let (sin, cos) = angle.sin_cos();
    let third = (1.0 - cos) / 3.0;
    let root = sin / 3f32.sqrt();
    [
        [cos + third, third - root, third + root],
        [third + root, cos + third, third - root],
        [third - root, third + root, cos + third],
    ]
}

/// Reads every target pixel from the source: bilinear, mirrored beyond the edges.
fn sample(
    pixels: &[u8],
    height: usize,
    width: usize,
    geometry: &Affine,
    colour: &Colour,
) -> Vec<f32> {
    let plane = height * width;
    let mut varied = vec![0.0; 3 * plane];
    for row in 0..height {
        for column in 0..width {
            let at = |line: &[f32; 3]| line[0] * column as f32 + line[1] * row as f32 + line[2];
            let (left, right, x) = neighbours(at(&geometry.x), width);
            let (top, bottom, y) = neighbours(at(&geometry.y), height);
            let corner = |row: usize, column: usize| {
                let start = (row * width + column) * 3;
                [0, 1, 2].map(|channel| f32::from(pixels[start + channel]))
            };
            let corners = [
                (corner(top, left), (1.0 - y) * (1.0 - x)),
                (corner(top, right), (1.0 - y) * x),
                (corner(bottom, left), y * (1.0 - x)),
                (corner(bottom, right), y * x),
            ];
            let mut source = [0.0; 3];
            for (values, weight) in corners {
                for channel in 0..3 {
                    source[channel] += values[channel] * weight;
                }
            }
            for (channel, weights) in colour.matrix.iter().enumerate() {
                let mixed =
                    weights[0] * source[0] + weights[1] * source[1] + weights[2] * source[2];
                let value = (mixed + colour.offset) / 255.0;
                varied[channel * plane + row * width + column] = value.clamp(0.0, 1.0);
            }
        }
    }
    varied
}

/// The two pixels around a position on a side of `length` pixels, and the share of the second.
fn neighbours(position: f32, length: usize) -> (usize, usize, f32) {
    let floor = position.floor();
    let first = floor as i64;
    (
        mirror(first, length),
        mirror(first + 1, length),
        position - floor,
    )
}

/// Folds a position back onto the side, with the edge pixel as the mirror.
fn mirror(position: i64, length: usize) -> usize {
    let last = length as i64 - 1;
    if (0..=last).contains(&position) {
        return position as usize;
    }
    if last == 0 {
        return 0;
    }
    let folded = position.rem_euclid(2 * last);
    folded.min(2 * last - folded) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image;

    /// Red counts columns, green rows, blue is noise-like.
    fn picture(height: usize, width: usize) -> Vec<u8> {
        let pixel = |row: usize, column: usize| {
            [
                (column * 20) as u8,
                (row * 20) as u8,
                ((row * 37 + column * 91) % 251) as u8,
            ]
        };
        (0..height)
            .flat_map(|row| (0..width).flat_map(move |column| pixel(row, column)))
            .collect()
    }

    fn close(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4)
    }

    /// Pixels rearranged: the target pixel at (row, column) is the source pixel at `from(row, column)`.
    fn rearranged(
        source: &[f32],
        size: usize,
        from: impl Fn(usize, usize) -> (usize, usize),
    ) -> Vec<f32> {
        let mut target = Vec::new();
        for channel in 0..3 {
            for row in 0..size {
                for column in 0..size {
                    let (r, c) = from(row, column);
                    target.push(source[(channel * size + r) * size + c]);
                }
            }
        }
        target
    }

    #[test]
    fn without_variation_the_image_is_unchanged() {
        let pixels = picture(9, 7);
        let result = Augmentation::none().apply(&pixels, (9, 7), 1, 2, 3);
        assert!(close(&result, &image::to_chw_f32(&pixels)));
    }

    #[test]
    fn flips_and_quarter_turns_give_exactly_the_eight_views() {
        let pixels = picture(8, 8);
        let source = image::to_chw_f32(&pixels);
        let last = 7;
        let mut views = Vec::new();
        for flipped in [false, true] {
            let mut view = if flipped {
                rearranged(&source, 8, |r, c| (r, last - c))
            } else {
                source.clone()
            };
            for _ in 0..4 {
                views.push(view.clone());
                view = rearranged(&view, 8, |r, c| (last - c, r));
            }
        }
        let augmentation = Augmentation {
            horizontal_flip: 0.5,
            vertical_flip: 0.5,
            quarter_turns: true,
            ..Augmentation::none()
        };
        let mut seen = [0; 8];
        for index in 0..200 {
            let result = augmentation.apply(&pixels, (8, 8), 1, 0, index);
            let view = views.iter().position(|view| close(&result, view));
            seen[view.expect("one of the eight views")] += 1;
        }
        assert!(seen.iter().all(|&count| count > 5), "{seen:?}");
    }

    #[test]
    fn a_shift_moves_and_mirrors_at_the_edge() {
        let augmentation = Augmentation {
            translation: 0.5,
            ..Augmentation::none()
        };
        let pixels = picture(6, 6);
        let result = augmentation.apply(&pixels, (6, 6), 1, 0, 0);
        // Red is 20 a column, so neighbouring columns still differ by 20 except where the mirror folds.
        let red = &result[..6];
        let steps: Vec<f32> = red
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) * 255.0)
            .collect();
        let regular = steps.iter().filter(|step| (step.abs() - 20.0).abs() < 0.01);
        assert!(regular.count() >= 4, "{steps:?}");
        assert!(!close(&result, &image::to_chw_f32(&pixels)));
    }

    #[test]
    fn shearing_shifts_rows_by_their_distance_from_the_middle() {
        let augmentation = Augmentation {
            shear: 30.0,
            ..Augmentation::none()
        };
        let pixels = picture(12, 12);
        for index in 0..20 {
            let result = augmentation.apply(&pixels, (12, 12), 1, 0, index);
            let at = |channel: usize, row: usize, column: usize| {
                255.0 * result[(channel * 12 + row) * 12 + column]
            };
            let shift = |row: usize| at(0, row, 6) - 120.0;
            for row in 0..12 {
                // Green counts rows, and no row becomes another.
                assert!((at(1, row, 6) - 20.0 * row as f32).abs() < 0.01);
            }
            let slope = shift(6) - shift(5);
            assert!(slope.abs() <= 20.0 * 30f32.to_radians().tan() + 0.01);
            assert!((shift(7) - shift(6) - slope).abs() < 0.01);
            assert!((shift(5) + shift(6)).abs() < 0.01, "the middle stays");
        }
    }

    #[test]
    fn streams_repeat_and_differ_by_seed_epoch_and_index() {
        let pixels = picture(12, 10);
        let augmentation = Augmentation::default();
        let apply = |seed, epoch, index| augmentation.apply(&pixels, (12, 10), seed, epoch, index);
        let reference = apply(1, 2, 3);
        assert_eq!(reference, apply(1, 2, 3));
        for other in [
            apply(2, 2, 3),
            apply(1, 3, 3),
            apply(1, 2, 4),
            apply(1, 3, 2),
        ] {
            assert_ne!(reference, other);
        }
        assert!(reference.iter().all(|value| (0.0..=1.0).contains(value)));
    }

    #[test]
    fn colour_changes_are_those_of_their_names() {
        let grey = vec![100; 4 * 4 * 3];
        let colourful = Augmentation {
            saturation: 0.9,
            hue: 0.5,
            contrast: 0.9,
            ..Augmentation::none()
        };
        // An even grey has no saturation, no hue and no contrast to change.
        let result = colourful.apply(&grey, (4, 4), 5, 0, 0);
        assert!(
            result
                .iter()
                .all(|value| (value - 100.0 / 255.0).abs() < 1e-3)
        );
        let brighter = Augmentation {
            brightness: 0.5,
            ..Augmentation::none()
        };
        let levels: Vec<f32> = (0..100)
            .map(|index| brighter.apply(&grey, (4, 4), 5, 0, index)[0] * 255.0)
            .collect();
        assert!(levels.iter().all(|level| (49.9..=150.1).contains(level)));
        assert!(levels.iter().any(|level| *level < 60.0));
        assert!(levels.iter().any(|level| *level > 140.0));
        // A third of the circle turns red into green or blue.
        let turned = turn_hue(TAU / 3.0);
        let red: Vec<f32> = turned.iter().map(|row| row[0]).collect();
        assert!(close(&red, &[0.0, 1.0, 0.0]));
    }

    #[test]
    fn erasing_touches_one_rectangle_of_the_asked_area() {
        let pixels = vec![0; 40 * 40 * 3];
        let augmentation = Augmentation {
            erasing: 1.0,
            erased_area: (0.05, 0.1),
            ..Augmentation::none()
        };
        for index in 0..20 {
            let result = augmentation.apply(&pixels, (40, 40), 9, 0, index);
            let touched = result[..1600].iter().filter(|value| **value > 0.0).count();
            assert!((60..=190).contains(&touched), "{touched}");
        }
    }

    #[test]
    fn odd_sizes_are_no_trouble() {
        for size in [(1, 1), (1, 9), (9, 1), (2, 3)] {
            let pixels = picture(size.0, size.1);
            for index in 0..50 {
                let result = Augmentation::default().apply(&pixels, size, 3, 0, index);
                assert_eq!(result.len(), pixels.len());
                assert!(result.iter().all(|value| value.is_finite()));
            }
        }
    }
}

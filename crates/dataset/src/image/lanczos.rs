//! The antialiased Lanczos resize of the reference imaging library (Pillow), bit for bit.
//!
//! Scores are compared to six decimals between validators and with the original competition, so the pixels must be
//! the reference's own. A well-kept library (`fast_image_resize` 6.1) keeps its weights in 16 bits and was measured
//! against it: 2 of 255 off at most, in a quarter of all values when enlarging. This one follows the reference's
//! arithmetic: weights with 22 fractional bits, rows first, rounding to 8 bits between the two passes. All sums are
//! integers, so every machine gets the same bytes. `pulp` only compiles the same loops again for wider vectors, and takes
//! them where the machine has these.

use std::cell::RefCell;
use std::f64::consts::PI;
use std::rc::Rc;

use pulp::{Arch, Simd, WithSimd};

/// Lobes of the filter on either side of the centre.
const LOBES: f64 = 3.0;
/// Fractional bits of a weight: 32 less 8 for the pixel and 2 for the filter's overshoot.
const PRECISION: u32 = 22;
/// One half, so that the final shift rounds.
const HALF: i32 = 1 << (PRECISION - 1);

/// The source pixels that make one target pixel.
struct Window {
    start: usize,
    weights: Vec<i32>,
}

/// Sizes whose windows a thread remembers: those of two sides in two steps.
const REMEMBERED: usize = 4;

/// The windows for a change of size.
struct Remembered {
    from: usize,
    to: usize,
    windows: Rc<[Window]>,
}

thread_local! {
    /// The latest windows. The images of a data set mostly have one size, and the sines of a window cost a quarter of a
    /// resize.
    static LATEST: RefCell<Vec<Remembered>> = const { RefCell::new(Vec::new()) };
}

/// The windows that resize a side of `from` pixels to `to` pixels.
fn windows(from: usize, to: usize) -> Rc<[Window]> {
    LATEST.with_borrow_mut(|latest| {
        let is_known = |known: &&Remembered| (known.from, known.to) == (from, to);
        if let Some(known) = latest.iter().find(is_known) {
            return known.windows.clone();
        }
        let windows: Rc<[Window]> = new_windows(from, to).into();
        latest.truncate(REMEMBERED - 1);
        let newest = Remembered {
            from,
            to,
            windows: windows.clone(),
        };
        latest.insert(0, newest);
        windows
    })
}

fn new_windows(from: usize, to: usize) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    // Enlarging interpolates with the filter as it is; reducing stretches it over all pixels that count.
    let stretch = scale.max(1.0);
    let support = LOBES * stretch;
    (0..to)
        .map(|index| {
            let centre = (index as f64 + 0.5) * scale;
            let start = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            let weights: Vec<f64> = (start..end)
                .map(|source| lanczos((source as f64 - centre + 0.5) / stretch))
                .collect();
            let total: f64 = weights.iter().sum();
            let one = f64::from(1 << PRECISION);
            Window {
                start,
                weights: weights
                    .iter()
                    .map(|weight| (weight / total * one).round() as i32)
                    .collect(),
            }
        })
        .collect()
}

fn lanczos(x: f64) -> f64 {
    let sinc = |x: f64| {
        if x == 0.0 {
            1.0
        } else {
            (x * PI).sin() / (x * PI)
        }
    };
    if (-LOBES..LOBES).contains(&x) {
        sinc(x) * sinc(x / LOBES)
    } else {
        0.0
    }
}

#[inline(always)]
fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// Rows whose widths are changed at a time: with four bytes for a pixel, the same pixel of four rows is one vector.
const ROWS: usize = 4;
const BYTES: usize = 4 * ROWS;

struct ResizeWidth<'a> {
    pixels: &'a [u8],
    from: usize,
    windows: &'a [Window],
    resized: &'a mut [u8],
}

impl WithSimd for ResizeWidth<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (from, to) = (self.from * 3, self.windows.len() * 3);
        let mut sources = vec![[0; BYTES]; self.from];
        let mut results = vec![[0; BYTES]; self.windows.len()];
        let rows = self.pixels.chunks(from * ROWS);
        for (rows, targets) in rows.zip(self.resized.chunks_mut(to * ROWS)) {
            for (place, row) in rows.chunks_exact(from).enumerate() {
                for (source, pixel) in sources.iter_mut().zip(row.chunks_exact(3)) {
                    // With a fourth byte this is one instruction instead of two.
                    source[4 * place..][..4].copy_from_slice(&[pixel[0], pixel[1], pixel[2], 0]);
                }
            }
            for (result, window) in results.iter_mut().zip(self.windows) {
                let mut sums = [HALF; BYTES];
                for (source, &weight) in sources[window.start..].iter().zip(&window.weights) {
                    for (sum, &value) in sums.iter_mut().zip(source) {
                        *sum += i32::from(value) * weight;
                    }
                }
                *result = sums.map(to_byte);
            }
            for (place, target) in targets.chunks_exact_mut(to).enumerate() {
                for (pixel, result) in target.chunks_exact_mut(3).zip(&results) {
                    pixel.copy_from_slice(&result[4 * place..][..3]);
                }
            }
        }
    }
}

/// Changes the width of RGB pixels `[_, from, 3]` to `to`.
pub(super) fn resize_width(pixels: &[u8], from: usize, to: usize) -> Vec<u8> {
    let mut resized = vec![0; pixels.len() / from * to];
    Arch::new().dispatch(ResizeWidth {
        pixels,
        from,
        windows: &windows(from, to),
        resized: &mut resized,
    });
    resized
}

/// Bytes of a row that are summed at a time: as many as there are registers for.
const COLUMNS: usize = 64;

struct ResizeHeight<'a> {
    pixels: &'a [u8],
    stride: usize,
    windows: &'a [Window],
    resized: &'a mut [u8],
}

impl WithSimd for ResizeHeight<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let stride = self.stride;
        let targets = self.resized.chunks_exact_mut(stride);
        for (target, window) in targets.zip(self.windows) {
            let rows = &self.pixels[window.start * stride..];
            let rows = || rows.chunks_exact(stride).zip(&window.weights);
            let (blocks, rest) = target.as_chunks_mut::<COLUMNS>();
            let start_of_rest = COLUMNS * blocks.len();
            for (number, block) in blocks.iter_mut().enumerate() {
                let mut sums = [HALF; COLUMNS];
                for (row, &weight) in rows() {
                    let values = &row[COLUMNS * number..][..COLUMNS];
                    for (sum, &value) in sums.iter_mut().zip(values) {
                        *sum += i32::from(value) * weight;
                    }
                }
                *block = sums.map(to_byte);
            }
            for (column, byte) in rest.iter_mut().enumerate() {
                let values =
                    rows().map(|(row, weight)| i32::from(row[start_of_rest + column]) * weight);
                *byte = to_byte(HALF + values.sum::<i32>());
            }
        }
    }
}

/// Changes the height of RGB pixels `[from, width, 3]` to `to`.
pub(super) fn resize_height(pixels: &[u8], width: usize, from: usize, to: usize) -> Vec<u8> {
    let stride = width * 3;
    let mut resized = vec![0; stride * to];
    Arch::new().dispatch(ResizeHeight {
        pixels,
        stride,
        windows: &windows(from, to),
        resized: &mut resized,
    });
    resized
}

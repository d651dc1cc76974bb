//! Images decoded and resized exactly as the judges do it.
//!
//! One path serves training and judging, so that a network never sees other pixels than those it learnt from. It reads
//! JPEG, PNG and BMP, whatever the file is called, and gives 8-bit RGB:
//!
//! - 16 bits a channel become 8 by scaling to the nearest (`round(v / 257)`); nothing is clipped;
//! - CMYK, as JPEG files have it (inverted, as Adobe writes it), becomes `(255 - C)(255 - K) / 255` and so on, without
//!   a colour profile, as in the reference imaging library;
//! - grey is repeated, a palette looked up, alpha dropped; an orientation tag is ignored;
//! - of an animated PNG the still picture that every reader shows is taken.
//!
//! Every other format is refused by its name, animated or not: GIF, WebP, TIFF and what a camera keeps.

mod lanczos;

use std::borrow::Cow;
use std::io::{self, Cursor};
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageFormat, Limits};
use pulp::{Arch, Simd, WithSimd};

use crate::files::{self, ReadError};

/// Most bytes of an encoded image.
pub const MAX_ENCODED_BYTES: u64 = 32 << 20;
/// Longest side of an image, before and after resizing, in pixels.
pub const MAX_SIDE: usize = 16_384;
/// Most pixels of an image, before and after resizing.
pub const MAX_PIXELS: usize = 40 << 20;
/// Side of the square every judged image is first resized to (tricorder preprocessing).
pub const JUDGING_SIDE: usize = 512;

/// Most bytes the decoder may allocate: 16 bits for each of four channels of the largest image.
const MAX_DECODER_BYTES: u64 = 8 * MAX_PIXELS as u64;

/// An image of 8-bit red, green and blue, rows from the top, channels interleaved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RgbImage {
    height: usize,
    width: usize,
    pixels: Vec<u8>,
}

/// Why bytes are not an image we accept, or cannot be resized as asked.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// More encoded bytes than [`MAX_ENCODED_BYTES`].
    #[error("{0} bytes are more than the {MAX_ENCODED_BYTES} an image may have")]
    TooLarge(u64),
    /// An image of a format that is not read; its name.
    #[error("{0} images are not read; save it as JPEG, PNG or BMP")]
    OtherFormat(&'static str),
    /// No image by its first bytes.
    #[error("neither a JPEG nor a PNG nor a BMP image")]
    UnknownFormat,
    /// A size that is empty or beyond the limits, as declared by the file or asked of [`resize`].
    #[error(
        "{width}x{height} pixels: the sides must be 1 to {MAX_SIDE} and the area at most {MAX_PIXELS}"
    )]
    Dimensions {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
    /// The end of the file is missing.
    #[error("the image is cut off: its end is missing")]
    CutOff,
    /// The decoder refused.
    #[error("damaged image: {0}")]
    Damaged(String),
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl RgbImage {
    /// An image from its pixels, `[height, width, 3]`; it has at least one.
    pub(crate) fn new(height: usize, width: usize, pixels: Vec<u8>) -> Self {
        assert_eq!(pixels.len(), height * width * 3, "three bytes a pixel");
        assert!(!pixels.is_empty(), "at least one pixel");
        Self {
            height,
            width,
            pixels,
        }
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The bytes, `[height, width, 3]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The bytes, `[height, width, 3]`.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }
}

/// Reads and decodes an image file of at most [`MAX_ENCODED_BYTES`].
pub fn open(path: &Path) -> Result<RgbImage, ImageError> {
    match files::read_capped(path, MAX_ENCODED_BYTES) {
        Ok(bytes) => decode(&bytes),
        Err(ReadError::TooLarge(size)) => Err(ImageError::TooLarge(size)),
        Err(ReadError::Io(error)) => Err(ImageError::Io(error)),
    }
}

/// The ending of the format that an image has by its first bytes, `jpg`, `png` or `bmp`.
pub fn ending(bytes: &[u8]) -> Result<&'static str, ImageError> {
    Ok(match format(bytes)? {
        ImageFormat::Png => "png",
        ImageFormat::Bmp => "bmp",
        _ => "jpg",
    })
}

/// JPEG, PNG or BMP, by the first bytes.
fn format(bytes: &[u8]) -> Result<ImageFormat, ImageError> {
    match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::Bmp)) => Ok(format),
        Ok(ImageFormat::Gif) => Err(ImageError::OtherFormat("GIF")),
        Ok(ImageFormat::WebP) => Err(ImageError::OtherFormat("WebP")),
        Ok(ImageFormat::Tiff) => Err(ImageError::OtherFormat("TIFF")),
        Ok(ImageFormat::Avif) => Err(ImageError::OtherFormat("AVIF")),
        // As telephones keep their pictures.
        _ if bytes.get(4..11) == Some(b"ftyphei") => Err(ImageError::OtherFormat("HEIC")),
        _ => Err(ImageError::UnknownFormat),
    }
}

/// Decodes a JPEG, PNG or BMP image to RGB as the module says.
///
/// The size in the header is checked before any pixel is decoded.
pub fn decode(bytes: &[u8]) -> Result<RgbImage, ImageError> {
    if bytes.len() as u64 > MAX_ENCODED_BYTES {
        return Err(ImageError::TooLarge(bytes.len() as u64));
    }
    let damaged = |error: image::ImageError| ImageError::Damaged(error.to_string());
    let decoded = match format(bytes)? {
        ImageFormat::Png => {
            let decoder = image::codecs::png::PngDecoder::with_limits(Cursor::new(bytes), limits());
            decode_within_limits(decoder.map_err(damaged)?)?
        }
        ImageFormat::Bmp => {
            let decoder = image::codecs::bmp::BmpDecoder::new(Cursor::new(bytes));
            decode_within_limits(decoder.map_err(damaged)?)?
        }
        _ => {
            if !jpeg_has_end(bytes) {
                return Err(ImageError::CutOff);
            }
            let decoder = image::codecs::jpeg::JpegDecoder::new(Cursor::new(bytes));
            decode_within_limits(decoder.map_err(damaged)?)?
        }
    };
    let rgb = decoded.into_rgb8();
    Ok(RgbImage::new(
        rgb.height() as usize,
        rgb.width() as usize,
        rgb.into_raw(),
    ))
}

fn decode_within_limits(mut decoder: impl ImageDecoder) -> Result<DynamicImage, ImageError> {
    let (width, height) = decoder.dimensions();
    check_dimensions(height as usize, width as usize)?;
    decoder
        .set_limits(limits())
        .and_then(|()| DynamicImage::from_decoder(decoder))
        .map_err(|error| ImageError::Damaged(error.to_string()))
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    limits
}

fn check_dimensions(height: usize, width: usize) -> Result<(), ImageError> {
    let side = 1..=MAX_SIDE;
    if side.contains(&height) && side.contains(&width) && height * width <= MAX_PIXELS {
        Ok(())
    } else {
        Err(ImageError::Dimensions { width, height })
    }
}

/// Whether the last scan of a JPEG is followed by the end-of-image marker. The decoder fills what is missing with
/// grey without a word; inside a scan neither marker can occur, as 0xFF is escaped there.
fn jpeg_has_end(bytes: &[u8]) -> bool {
    let last = |marker: u8| bytes.windows(2).rposition(|pair| pair == [0xFF, marker]);
    last(0xD9) > last(0xDA)
}

/// Resizes with the antialiased three-lobed Lanczos filter; the aspect ratio is not kept.
pub fn resize(image: &RgbImage, height: usize, width: usize) -> Result<RgbImage, ImageError> {
    check_dimensions(height, width)?;
    // What stands between the two passes.
    check_dimensions(image.height, width)?;
    let mut pixels = Cow::Borrowed(image.pixels.as_slice());
    if width != image.width {
        pixels = lanczos::resize_width(&pixels, image.width, width).into();
    }
    if height != image.height {
        pixels = lanczos::resize_height(&pixels, width, image.height, height).into();
    }
    Ok(RgbImage::new(height, width, pixels.into_owned()))
}

/// The pixels a judge gives to a model whose image input is `[3, height, width]`.
///
/// The rule of the competition: resize to 512x512; if the model declares another size, multiply by 255, truncate to
/// 8 bits and resize again. Dividing by 255 and multiplying again gives the same bytes in f32 (tested below), so
/// the second resize starts from the bytes of the first.
pub fn judging_image(
    image: &RgbImage,
    height: usize,
    width: usize,
) -> Result<RgbImage, ImageError> {
    let square = resize(image, JUDGING_SIDE, JUDGING_SIDE)?;
    if (square.height, square.width) == (height, width) {
        return Ok(square);
    }
    resize(&square, height, width)
}

/// Pixels `[height, width, 3]` as `[3, height, width]` in 0 to 1.
pub fn to_chw_f32(pixels: &[u8]) -> Vec<f32> {
    let mut planes = vec![0.0; pixels.len()];
    Arch::new().dispatch(ToPlanes {
        pixels,
        planes: &mut planes,
    });
    planes
}

struct ToPlanes<'a> {
    pixels: &'a [u8],
    planes: &'a mut [f32],
}

impl WithSimd for ToPlanes<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let size = self.pixels.len() / 3;
        let (red, rest) = self.planes.split_at_mut(size);
        let (green, blue) = rest.split_at_mut(size);
        let planes = red.iter_mut().zip(green).zip(blue);
        for (((red, green), blue), pixel) in planes.zip(self.pixels.chunks_exact(3)) {
            *red = f32::from(pixel[0]) / 255.0;
            *green = f32::from(pixel[1]) / 255.0;
            *blue = f32::from(pixel[2]) / 255.0;
        }
    }
}

#[cfg(test)]
mod tests;

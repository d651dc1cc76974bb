use image::ImageEncoder;
use image::codecs::bmp::BmpEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use rand::RngExt;

use super::*;
use crate::seed;

fn pattern(height: usize, width: usize) -> RgbImage {
    let random = &mut seed::stream("test picture", 1, &[]);
    RgbImage::new(
        height,
        width,
        (0..height * width * 3).map(|_| random.random()).collect(),
    )
}

fn encode(image: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (width, height) = (image.width as u32, image.height as u32);
    let colour = image::ExtendedColorType::Rgb8;
    match format {
        ImageFormat::Png => PngEncoder::new(&mut bytes)
            .write_image(&image.pixels, width, height, colour)
            .unwrap(),
        ImageFormat::Bmp => BmpEncoder::new(&mut bytes)
            .write_image(&image.pixels, width, height, colour)
            .unwrap(),
        _ => JpegEncoder::new_with_quality(&mut bytes, 90)
            .write_image(&image.pixels, width, height, colour)
            .unwrap(),
    }
    bytes
}

/// A JPEG whose header declares this size.
fn jpeg_declaring(height: u16, width: u16) -> Vec<u8> {
    let mut bytes = encode(&pattern(8, 8), ImageFormat::Jpeg);
    let frame = bytes
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC0])
        .unwrap();
    bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

/// A PNG whose header declares this size, with the right checksum.
fn png_declaring(height: u32, width: u32) -> Vec<u8> {
    let mut bytes = encode(&pattern(8, 8), ImageFormat::Png);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let sum = png_checksum(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// A BMP whose header declares this size.
fn bmp_declaring(height: u32, width: u32) -> Vec<u8> {
    let mut bytes = encode(&pattern(8, 8), ImageFormat::Bmp);
    bytes[18..22].copy_from_slice(&width.to_le_bytes());
    bytes[22..26].copy_from_slice(&height.to_le_bytes());
    bytes
}

/// The checksum of a chunk of a PNG, over its kind and its content.
fn png_checksum(bytes: &[u8]) -> u32 {
    let mut checksum = u32::MAX;
    for &byte in bytes {
        checksum ^= u32::from(byte);
        for _ in 0..8 {
            checksum = (checksum >> 1) ^ (0xEDB8_8320 * (checksum & 1));
        }
    }
    !checksum
}

#[test]
fn png_and_bmp_round_trip() {
    let image = pattern(7, 11);
    for (format, name) in [(ImageFormat::Png, "png"), (ImageFormat::Bmp, "bmp")] {
        let bytes = encode(&image, format);
        assert_eq!(decode(&bytes).unwrap(), image);
        assert_eq!(ending(&bytes).unwrap(), name);
    }
}

#[test]
fn sixteen_bits_become_eight_by_scaling_to_the_nearest() {
    let values = [0_u16, 128, 129, 257, 32_767, 32_768, 65_406, 65_407, 65_535];
    let expected = [0, 0, 1, 1, 127, 128, 254, 255, 255];
    for (colour, channels) in [
        (image::ExtendedColorType::L16, 1),
        (image::ExtendedColorType::La16, 2),
        (image::ExtendedColorType::Rgb16, 3),
        (image::ExtendedColorType::Rgba16, 4),
    ] {
        // Alpha, the last of two or four channels, is dropped whatever it is.
        let pixels: Vec<u8> = values
            .iter()
            .flat_map(|value| [value.to_ne_bytes()].repeat(channels).concat())
            .collect();
        let mut bytes = Vec::new();
        PngEncoder::new(&mut bytes)
            .write_image(&pixels, 3, 3, colour)
            .unwrap();
        let decoded = decode(&bytes).unwrap();
        let expected: Vec<u8> = expected.iter().flat_map(|value| [*value; 3]).collect();
        assert_eq!(decoded.pixels, expected, "{colour:?}");
    }
}

/// A chunk of a PNG.
fn chunk(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut bytes = (content.len() as u32).to_be_bytes().to_vec();
    bytes.extend(kind);
    bytes.extend(content);
    let sum = png_checksum(&bytes[4..]);
    bytes.extend(sum.to_be_bytes());
    bytes
}

#[test]
fn of_an_animated_png_the_still_picture_is_taken() {
    let (first, second) = (RgbImage::new(8, 8, vec![10; 192]), pattern(8, 8));
    let [still, moving] = [&first, &second].map(|image| encode(image, ImageFormat::Png));
    let data = |bytes: &[u8]| {
        let start = bytes.windows(4).position(|kind| kind == b"IDAT").unwrap();
        let length = u32::from_be_bytes(bytes[start - 4..start].try_into().unwrap());
        bytes[start + 4..][..length as usize].to_vec()
    };
    // Number, width, height, place, delay, what becomes of it.
    let frame = |number: u32| {
        let fields = [number, 8, 8, 0, 0].map(u32::to_be_bytes).concat();
        chunk(b"fcTL", &[&fields[..], &[0, 1, 0, 10, 0, 0]].concat())
    };
    // Signature and header, then what makes it move.
    let animated = [
        &still[..33],
        &chunk(b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]),
        &frame(0),
        &chunk(b"IDAT", &data(&still)),
        &frame(1),
        &chunk(b"fdAT", &[&[0, 0, 0, 2][..], &data(&moving)].concat()),
        &chunk(b"IEND", b""),
    ]
    .concat();
    assert_eq!(decode(&animated).unwrap(), first);
}

#[test]
fn what_is_not_an_image_is_refused() {
    for bytes in [&b""[..], b"\xff", b"B", b"<svg/>", &[0; 100]] {
        assert!(matches!(decode(bytes), Err(ImageError::UnknownFormat)));
    }
    for (bytes, name) in [
        (&b"GIF89a and more"[..], "GIF"),
        (b"RIFF\x10\0\0\0WEBPVP8X", "WebP"),
        (b"II*\0 and more", "TIFF"),
        (b"\0\0\0\x18ftypheic", "HEIC"),
    ] {
        let said = decode(bytes).unwrap_err().to_string();
        let wanted = format!("{name} images are not read; save it as JPEG, PNG or BMP");
        assert_eq!(said, wanted);
    }
    let large = vec![0; MAX_ENCODED_BYTES as usize + 1];
    assert!(matches!(decode(&large), Err(ImageError::TooLarge(_))));
    let absent = open(Path::new("/nonexistent/image.jpg"));
    assert!(matches!(absent, Err(ImageError::Io(_))));
}

#[test]
fn declared_sizes_are_checked_before_decoding() {
    for (height, width) in [(65_535, 65_535), (16_385, 1), (10_000, 10_000), (0, 8)] {
        for bytes in [
            jpeg_declaring(height, width),
            png_declaring(u32::from(height), u32::from(width)),
            bmp_declaring(u32::from(height), u32::from(width)),
        ] {
            // An empty side is a format error, which the decoder may find first.
            let error = decode(&bytes).unwrap_err();
            let found = matches!(error, ImageError::Dimensions { .. });
            assert!(found || height == 0, "{height}x{width}: {error}");
        }
    }
    for declaring in [png_declaring, bmp_declaring] {
        let giant = declaring(u32::MAX >> 1, u32::MAX >> 1);
        assert!(decode(&giant).is_err());
    }
}

#[test]
fn every_cut_is_noticed() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Bmp] {
        let whole = encode(&pattern(24, 24), format);
        assert!(decode(&whole).is_ok());
        // The last twelve bytes of a PNG are its empty end chunk, after all pixels.
        let needed = whole.len() - if format == ImageFormat::Png { 12 } else { 0 };
        for length in 0..needed {
            assert!(
                decode(&whole[..length]).is_err(),
                "{format:?} cut to {length}"
            );
        }
    }
}

#[test]
fn an_embedded_thumbnail_does_not_hide_a_cut() {
    let thumbnail = encode(&pattern(8, 8), ImageFormat::Jpeg);
    let whole = encode(&pattern(24, 24), ImageFormat::Jpeg);
    // Application segment 1 (marker, length, content) right after the start of the image.
    let mut bytes = whole[..2].to_vec();
    bytes.extend([0xFF, 0xE1]);
    bytes.extend((thumbnail.len() as u16 + 2).to_be_bytes());
    bytes.extend(&thumbnail);
    bytes.extend(&whole[2..]);
    assert!(decode(&bytes).is_ok());
    let cut = &bytes[..bytes.len() - 200];
    assert!(matches!(decode(cut), Err(ImageError::CutOff)));
}

#[test]
fn damage_never_panics() {
    let random = &mut seed::stream("damage", 1, &[]);
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Bmp] {
        let whole = encode(&pattern(24, 24), format);
        for _ in 0..1500 {
            let mut bytes = whole.clone();
            for _ in 0..random.random_range(1..8) {
                let place = random.random_range(0..bytes.len());
                bytes[place] = random.random();
            }
            // Some damage is in the pixels and cannot be seen; then the size is still one we accept.
            if let Ok(image) = decode(&bytes) {
                assert!(check_dimensions(image.height, image.width).is_ok());
            }
        }
    }
}

#[test]
fn resizing_keeps_even_colours_and_refuses_absurd_sizes() {
    let even = RgbImage::new(5, 9, [10, 128, 255].repeat(45));
    for (height, width) in [(1, 1), (5, 9), (64, 3), (40, 80)] {
        let resized = resize(&even, height, width).unwrap();
        assert_eq!((resized.height(), resized.width()), (height, width));
        assert!(
            resized
                .pixels()
                .chunks_exact(3)
                .all(|pixel| pixel == [10, 128, 255])
        );
    }
    for (height, width) in [(0, 4), (4, 0), (usize::MAX, usize::MAX), (16_384, 16_384)] {
        assert!(matches!(
            resize(&even, height, width),
            Err(ImageError::Dimensions { .. })
        ));
    }
}

#[test]
fn a_model_of_512_pixels_gets_the_first_resize_itself() {
    let image = pattern(20, 30);
    let judged = judging_image(&image, JUDGING_SIDE, JUDGING_SIDE).unwrap();
    assert_eq!(judged, resize(&image, 512, 512).unwrap());
    let small = judging_image(&image, 16, 8).unwrap();
    assert_eq!(small, resize(&judged, 16, 8).unwrap());
}

/// Why [`judging_image`] may resize bytes where the competition multiplies by 255 and truncates.
#[test]
fn dividing_and_multiplying_by_255_is_exact_in_f32() {
    let values: Vec<u8> = (0..=255).flat_map(|value| [value; 3]).collect();
    let floats = to_chw_f32(&values);
    let back: Vec<u8> = floats[..256]
        .iter()
        .map(|value| (value * 255.0) as u8)
        .collect();
    assert_eq!(back, (0..=255).collect::<Vec<u8>>());
}

#[test]
fn channels_come_first() {
    let floats = to_chw_f32(&[0, 51, 102, 153, 204, 255]);
    assert_eq!(floats, [0.0, 0.6, 0.2, 0.8, 0.4, 1.0]);
}

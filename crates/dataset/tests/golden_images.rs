//! Decoding and resizing against the reference imaging library (see `fixtures/make_golden.py`).

use std::path::{Path, PathBuf};

use agon_dataset::image::{RgbImage, judging_image, open, resize};

fn path(name: &str) -> PathBuf {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fixtures.join(name)
}

fn fixture(name: &str) -> RgbImage {
    open(&path(name)).expect("a fixture is an image")
}

/// The largest difference of two pictures of one size, in any channel.
fn difference(found: &str, expected: &str) -> u8 {
    let [found, expected] = [found, expected].map(fixture);
    assert_eq!(
        (found.height(), found.width()),
        (expected.height(), expected.width())
    );
    let both = found.pixels().iter().zip(expected.pixels());
    both.map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

#[test]
fn lanczos_is_the_reference_bit_for_bit() {
    let source = fixture("source_40x30.png");
    // Reducing, one side each way, one side only, enlarging.
    for (width, height) in [(16, 16), (13, 29), (40, 11), (61, 47)] {
        let expected = fixture(&format!("lanczos_{width}x{height}.png"));
        let resized = resize(&source, height, width).unwrap();
        assert_eq!(resized, expected, "{width}x{height}");
    }
}

#[test]
fn the_two_steps_of_judging_are_the_reference_bit_for_bit() {
    let judged = judging_image(&fixture("source_40x30.png"), 32, 24).unwrap();
    assert_eq!(judged, fixture("judging_height32_width24.png"));
}

#[test]
fn other_colour_forms_become_rgb_as_in_the_reference() {
    for mode in ["l", "p", "rgba"] {
        let expected = fixture(&format!("mode_{mode}_expected.png"));
        assert_eq!(fixture(&format!("mode_{mode}.png")), expected, "{mode}");
    }
}

#[test]
fn of_an_animation_the_first_picture_is_taken_where_the_format_is_read() {
    let expected = fixture("animated_expected.png");
    assert_eq!(fixture("animated.png"), expected);
    assert_eq!(fixture("picture.bmp"), expected);
    for (ending, name) in [("gif", "GIF"), ("webp", "WebP")] {
        let said = open(&path(&format!("animated.{ending}"))).unwrap_err();
        let said = said.to_string();
        assert!(
            said.starts_with(&format!("{name} images are not read")),
            "{said}"
        );
    }
}

/// The reference cuts the lower eight of sixteen bits off, where we go to the nearest.
#[test]
fn sixteen_bits_are_within_one_of_255_of_the_reference() {
    assert!(difference("png_16.png", "png_16_expected.png") <= 1);
}

/// JPEG decoders may differ in the last bits of the inverse cosine transform and of chroma enlarging.
#[test]
fn jpeg_is_decoded_to_within_four_of_255_of_the_reference() {
    for form in ["baseline", "progressive", "cmyk", "ycck"] {
        let (jpeg, expected) = (
            format!("jpeg_{form}.jpg"),
            format!("jpeg_{form}_expected.png"),
        );
        let most = difference(&jpeg, &expected);
        assert!(most <= 4, "{form}: {most}");
    }
}

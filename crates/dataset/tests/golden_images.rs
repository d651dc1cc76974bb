//! Decoding and resizing against the reference imaging library (see `fixtures/make_golden.py`).

use agon_dataset::image::{RgbImage, judging_image, open, resize};

fn fixture(name: &str) -> RgbImage {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    open(&path.join(name)).expect("a fixture is an image")
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

/// JPEG decoders may differ in the last bits of the inverse cosine transform and of chroma enlarging.
#[test]
fn jpeg_is_decoded_to_within_four_of_255_of_the_reference() {
    for form in ["baseline", "progressive"] {
        let expected = fixture(&format!("jpeg_{form}_expected.png"));
        let decoded = fixture(&format!("jpeg_{form}.jpg"));
        assert_eq!(
            (decoded.height(), decoded.width()),
            (expected.height(), expected.width())
        );
        let differences = decoded.pixels().iter().zip(expected.pixels());
        let most = differences.map(|(a, b)| a.abs_diff(*b)).max();
        assert!(most <= Some(4), "{form}: {most:?}");
    }
}

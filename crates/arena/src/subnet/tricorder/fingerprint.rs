//! What the original competition knows copies by: the answers to some samples, each as its class and the class's
//! probability.
//!
//! Trivial noise defeats it, so it stands beside the comparison of networks and of answers, not in their place. Of models
//! with one fingerprint only the pioneer is paid, the first by block and then by extrinsic.

use agon_model::digest::Digest;
use agon_model::metrics;
use std::fmt::Write;

/// About how many answers are looked at.
const SAMPLES: usize = 200;

/// The SHA-256 of the JSON list of class and probability, rounded to six decimals, of every `max(1, n / 200)`-th answer,
/// as Python writes it. None where nothing was answered.
pub fn fingerprint(answers: &[Vec<f32>]) -> Option<Digest> {
    if answers.is_empty() {
        return None;
    }
    let mut text = String::new();
    for answer in answers.iter().step_by((answers.len() / SAMPLES).max(1)) {
        let class = metrics::argmax(answer)?;
        text.push(if text.is_empty() { '[' } else { ',' });
        let probability = as_python(f64::from(answer[class]));
        // Writing to a string does not fail.
        let _ = write!(text, "[{class},{probability}]");
    }
    text.push(']');
    Some(Digest::of(text.as_bytes()))
}

/// `round(value, 6)` as Python prints it: the shortest digits that mean the number, as a power of ten from 1e16 on and
/// below 1e-4.
fn as_python(value: f64) -> String {
    let rounded: f64 = format!("{value:.6}").parse().unwrap_or(value);
    let scientific = format!("{rounded:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..16).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => format!("{rounded:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_and_printed_as_python_does() {
        for (value, printed) in [
            (0.1f32, "0.1"),
            (0.007_812_5, "0.007812"),
            (0.023_437_5, "0.023438"),
            (1.0, "1.0"),
            (0.0, "0.0"),
            (1e-5, "1e-05"),
            (0.000_123_456_7, "0.000123"),
            (4e-7, "0.0"),
            (-2.0, "-2.0"),
            (123_456_789.5, "123456792.0"),
            (1e17, "9.999999843067494e+16"),
        ] {
            assert_eq!(as_python(f64::from(value)), printed);
        }
    }

    #[test]
    fn the_fingerprints_that_the_original_computes() {
        let answers: Vec<Vec<f32>> = [
            [0.1, 0.7, 0.2],
            [0.0078125, 0.0, 0.0],
            [1.0, 0.0, 0.0],
            [0.00001, 0.0, 0.0],
            [0.0001234567, 0.0, 0.0],
            [-3.5, -2.0, -7.0],
            [0.0234375, 0.0234375, 0.0],
            [1e17, 0.0, 0.0],
            [123456789.5, 0.0, 0.0],
            [4e-7, 0.0, 0.0],
        ]
        .map(|answer| answer.to_vec())
        .to_vec();
        assert_eq!(
            fingerprint(&answers).unwrap().to_string(),
            "16fb23f3e117c067d4decdc52563021d87d2e6e8692936a09cd6d64ddfd54346"
        );
        // 1000 samples give 200 pairs, 399 give 399.
        let answers: Vec<Vec<f32>> = (0..1000)
            .map(|i| {
                (0..11)
                    .map(|k| ((7 * i + 3 * k) % 11) as f32 / 16.0)
                    .collect()
            })
            .collect();
        for (count, expected) in [
            (
                1000,
                "519fc8c28ab43747beee01bd817763433dfc6fa2429be44f282df6c50d6fc53b",
            ),
            (
                399,
                "a2c3032dad1c9ce08ba03f4acf1c75ef824d132799c1ab38678c32c2cb0d973c",
            ),
        ] {
            let found = fingerprint(&answers[..count]).unwrap().to_string();
            assert_eq!(found, expected, "{count}");
        }
        assert_eq!(fingerprint(&[]), None);
    }

    #[test]
    fn only_what_is_looked_at_and_shows_in_six_decimals_counts() {
        let answers = |shift: f32, at: usize| {
            let mut answers = vec![vec![0.25, 0.5, 0.25]; 1000];
            answers[at][1] += shift;
            fingerprint(&answers)
        };
        let base = answers(0.0, 0);
        assert_eq!(answers(1e-7, 5), base);
        assert_eq!(answers(0.1, 6), base);
        assert_ne!(answers(0.1, 5), base);
    }
}

//! The competition's score: mean binary cross-entropy, in nats, over images and labels.

use crate::competition::Score;
use agon_dataset::chest::Findings;
use agon_model::metrics::{average_precision, binary_auroc};
use std::collections::BTreeMap;

/// How near to nought and one an answer may come before its logarithm is taken: Keras' epsilon, as in the original.
const CLIP: f64 = 1e-7;

/// From this answer on a label counts as found (Keras: above).
const FOUND: f32 = 0.5;

/// The score of one answer for each of `truth`; an answer has one probability for each of `labels`.
///
/// `score` is e^-loss, so that more is better and nothing is negative; a model that knows nothing of one label of two
/// has 0.5. `evidence` is the loss of each image. `loss`, `accuracy` (of all labels of all images, at 0.5), and, as means
/// over the labels that some images have and others have not, `macro_auroc` and `macro_auprc`.
///
/// Logarithms are computed in software: they are the same on every machine.
pub fn score(labels: usize, truth: &[Findings], answers: &[Vec<f32>]) -> Score {
    let losses: Vec<f64> = truth
        .iter()
        .zip(answers)
        .map(|(&findings, answer)| image_loss(labels, findings, answer))
        .collect();
    let loss = losses.iter().sum::<f64>() / losses.len().max(1) as f64;
    let column = |label: usize| -> (Vec<bool>, Vec<f32>) {
        let pairs = truth.iter().zip(answers);
        pairs
            .map(|(findings, answer)| (findings.contains(label), answer[label]))
            .unzip()
    };
    let columns: Vec<_> = (0..labels).map(column).collect();
    let right: usize = columns
        .iter()
        .map(|(positives, values)| {
            let pairs = positives.iter().zip(values);
            pairs
                .filter(|(has, value)| **has == (**value > FOUND))
                .count()
        })
        .sum();
    let mean = |of: fn(&[bool], &[f32]) -> Option<f64>| {
        let values: Vec<f64> = columns
            .iter()
            .filter_map(|(positives, values)| of(positives, values))
            .collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let asked = (losses.len() * labels).max(1) as f64;
    let measures = [
        ("loss", Some(loss)),
        ("accuracy", Some(right as f64 / asked)),
        ("macro_auroc", mean(binary_auroc)),
        ("macro_auprc", mean(average_precision)),
    ];
    Score {
        score: libm::exp(-loss),
        evidence: losses.iter().map(|&loss| loss as f32).collect(),
        metrics: measures
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect::<BTreeMap<_, _>>(),
    }
}

/// The mean over the labels of -log of the probability that the answer gave to what is true.
fn image_loss(labels: usize, findings: Findings, answer: &[f32]) -> f64 {
    let entropy = |(label, &p): (usize, &f32)| {
        let p = f64::from(p).clamp(CLIP, 1.0 - CLIP);
        -libm::log(if findings.contains(label) { p } else { 1.0 - p })
    };
    let sum: f64 = answer.iter().take(labels).enumerate().map(entropy).sum();
    sum / labels as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(labels: &[usize]) -> Findings {
        labels.iter().copied().collect()
    }

    #[test]
    fn the_loss_is_the_mean_over_images_and_labels() {
        let truth = [findings(&[0]), findings(&[])];
        let answers = [vec![0.8, 0.1], vec![0.5, 0.25]];
        let score = score(2, &truth, &answers);
        let expected: [f64; 2] = [
            -(0.8f32 as f64).ln() - (1.0 - 0.1f32 as f64).ln(),
            -0.5f64.ln() - 0.75f64.ln(),
        ];
        let loss = (expected[0] + expected[1]) / 4.0;
        assert!((score.metrics["loss"] - loss).abs() < 1e-12);
        assert!((score.score - (-loss).exp()).abs() < 1e-12);
        for (evidence, expected) in score.evidence.iter().zip(expected) {
            assert!((f64::from(*evidence) - expected / 2.0).abs() < 1e-6);
        }
        // 0.5 is not above 0.5.
        assert_eq!(score.metrics["accuracy"], 1.0);
        // The second label has no positive image, so it has no curve.
        assert_eq!(score.metrics["macro_auroc"], 1.0);
        assert_eq!(score.metrics["macro_auprc"], 1.0);
    }

    #[test]
    fn certain_answers_are_clipped_and_what_has_no_curve_is_left_out() {
        let truth = [findings(&[0])];
        let wrong = score(1, &truth, &[vec![0.0]]);
        assert!((wrong.metrics["loss"] - 16.118_095_65).abs() < 1e-6);
        assert!(wrong.score > 0.0);
        // What is no probability is no better than the nearest one.
        assert_eq!(wrong.score, score(1, &truth, &[vec![-3.0]]).score);
        let right = score(1, &truth, &[vec![1.0]]);
        assert!(right.score < 1.0 && right.score > 0.999_999);
        assert!(!right.metrics.contains_key("macro_auroc"));
        let nobody = score(14, &[], &[]);
        assert!(nobody.score.is_finite() && nobody.evidence.is_empty());
    }

    /// NIH's counts of 112,120 images: always answering with them costs 0.183 nats.
    #[test]
    fn the_constant_answer_at_the_prevalence_has_the_known_loss() {
        let counts = [
            11_559, 2_776, 4_667, 2_303, 13_317, 2_516, 1_686, 227, 19_894, 5_782, 6_331, 3_385,
            1_431, 5_302,
        ];
        let loss: f64 = counts
            .iter()
            .enumerate()
            .map(|(label, &count)| {
                let p = f64::from(count) / 112_120.0;
                let mut answer = vec![0.0; 14];
                answer[label] = p as f32;
                let of = |truth| image_loss(14, truth, &answer);
                p * of(findings(&[label])) + (1.0 - p) * of(findings(&[]))
            })
            .sum();
        assert!((loss - 0.183).abs() < 5e-4, "{loss}");
    }
}

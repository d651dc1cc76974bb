//! The competition's score (specification of netuid 76, section "Score").

use super::CLASSES;
use crate::competition::Score;
use agon_dataset::skin::{LesionClass, Risk};
use agon_model::metrics::{Confusion, Group, grouped_mean};
use std::collections::BTreeMap;

/// Up to this size a model loses nothing; 100 MiB further on it has lost all.
const FREE_MIB: f64 = 50.0;
const RANGE_MIB: f64 = 100.0;

/// `0.9 (0.5 accuracy + 0.5 WF1) + 0.1 efficiency`, each of the three rounded to six decimals first.
///
/// WF1 is the mean of the groups' mean F1 with weights 3 (high risk), 2 (medium) and 1 (benign); a
/// class that does not occur has F1 0. `bytes` is the size of the ONNX file. Labels and predictions
/// are class indices below eleven, in pairs.
pub fn score(labels: &[usize], predictions: &[usize], bytes: u64) -> Score {
    let confusion = Confusion::new(CLASSES, labels, predictions)
        .expect("labels and predictions come in pairs and below eleven");
    score_of(&confusion, bytes)
}

/// The same over the classes that occur among the labels: an absent class costs nobody its share of WF1, and a group
/// without classes has no weight. So a model that is right everywhere has the score 1 on every sample.
pub fn robust_score(labels: &[usize], predictions: &[usize], bytes: u64) -> Score {
    let confusion = Confusion::new(CLASSES, labels, predictions)
        .expect("labels and predictions come in pairs and below eleven");
    let occurs = |class: &usize| labels.contains(class);
    let present = GROUPS.map(|(risk, weight)| {
        let classes: Vec<usize> = members(risk).into_iter().filter(occurs).collect();
        (if classes.is_empty() { 0.0 } else { weight }, classes)
    });
    assemble(&confusion, &present, bytes)
}

/// The same from the counts of eleven classes.
pub(super) fn score_of(confusion: &Confusion, bytes: u64) -> Score {
    let all = GROUPS.map(|(risk, weight)| (weight, members(risk)));
    assemble(confusion, &all, bytes)
}

fn assemble(confusion: &Confusion, groups: &[(f64, Vec<usize>)], bytes: u64) -> Score {
    let accuracy = six_decimals(confusion.accuracy());
    let weighted_f1 = six_decimals(weighted_f1(&confusion.f1(), groups));
    let efficiency = six_decimals(efficiency(bytes));
    Score {
        score: combine(accuracy, weighted_f1, efficiency),
        metrics: BTreeMap::from(
            [
                ("accuracy", accuracy),
                ("weighted_f1", weighted_f1),
                ("efficiency", efficiency),
                ("balanced_accuracy", confusion.balanced_accuracy()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        ),
        evidence: Vec::new(),
    }
}

fn combine(accuracy: f64, weighted_f1: f64, efficiency: f64) -> f64 {
    0.9 * (0.5 * accuracy + 0.5 * weighted_f1) + 0.1 * efficiency
}

fn weighted_f1(f1: &[f64], groups: &[(f64, Vec<usize>)]) -> f64 {
    let groups: Vec<Group<'_>> = groups
        .iter()
        .map(|(weight, classes)| Group {
            weight: *weight,
            classes,
        })
        .collect();
    grouped_mean(f1, &groups)
}

/// The groups whose mean F1 is averaged, and their weights.
pub(super) const GROUPS: [(Risk, f64); 3] =
    [(Risk::High, 3.0), (Risk::Medium, 2.0), (Risk::Benign, 1.0)];

/// The indices of a group's classes.
pub(super) fn members(risk: Risk) -> Vec<usize> {
    let classes = LesionClass::ALL.into_iter();
    classes
        .filter(|class| class.risk() == risk)
        .map(LesionClass::index)
        .collect()
}

/// The mean F1 of each risk group, by name. Labels and predictions as in [`score`].
pub fn group_f1(labels: &[usize], predictions: &[usize]) -> [(&'static str, f64); 3] {
    let confusion = Confusion::new(CLASSES, labels, predictions)
        .expect("labels and predictions come in pairs and below eleven");
    let f1 = confusion.f1();
    [
        ("f1_high_risk", Risk::High),
        ("f1_medium_risk", Risk::Medium),
        ("f1_benign", Risk::Benign),
    ]
    .map(|(name, risk)| {
        let members = members(risk);
        let sum: f64 = members.iter().map(|&class| f1[class]).sum();
        (name, sum / members.len() as f64)
    })
}

fn efficiency(bytes: u64) -> f64 {
    let mib = bytes as f64 / f64::from(1 << 20);
    (1.0 - (mib - FREE_MIB) / RANGE_MIB).clamp(0.0, 1.0)
}

/// Rounded the way the original prints and reads back: to six decimals, ties by the exact value.
fn six_decimals(value: f64) -> f64 {
    format!("{value:.6}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn efficiency_of_the_golden_sizes() {
        let rounded = |bytes| six_decimals(efficiency(bytes));
        assert_eq!(rounded(52_428_800), 1.0);
        assert!((efficiency(52_428_801) - 0.999_999_99).abs() < 1e-9);
        assert_eq!(rounded(52_428_801), 1.0);
        assert_eq!(rounded(104_857_600), 0.5);
        assert_eq!(rounded(157_286_400), 0.0);
        assert_eq!(rounded(u64::MAX), 0.0);
    }

    #[test]
    fn the_golden_f1_vector() {
        let f1 = [0.5, 0.8, 0.3, 0.6, 0.4, 0.2, 0.1, 0.7, 0.9, 0.35, 0.45];
        let all = GROUPS.map(|(risk, weight)| (weight, members(risk)));
        let weighted = six_decimals(weighted_f1(&f1, &all));
        assert_eq!(weighted, 0.490972);
        assert!((combine(0.62, weighted, 1.0) - 0.5999374).abs() < 1e-9);
    }

    #[test]
    fn an_absent_class_costs_its_share_even_when_everything_is_right() {
        // Only NV and MEL occur: all right, yet WF1 is far from 1.
        let labels = [8, 8, 7, 7];
        let result = score(&labels, &labels, 1000);
        assert_eq!(result.metrics["accuracy"], 1.0);
        assert_eq!(result.metrics["balanced_accuracy"], 1.0);
        let weighted = (3.0 * 0.25 + 1.0 * 0.25) / 6.0;
        assert!((result.metrics["weighted_f1"] - six_decimals(weighted)).abs() < 1e-12);
        assert_eq!(robust_score(&labels, &labels, 1000).score, 1.0);
    }

    #[test]
    fn over_the_classes_that_occur_groups_keep_their_weights() {
        // NV (benign) half right, MEL (high risk) all right; BCC is only ever guessed.
        let result = robust_score(&[8, 8, 7, 7], &[8, 1, 7, 7], 1000);
        let nevus = 2.0 * 0.5 / 1.5;
        let weighted = six_decimals((3.0 * 1.0 + 1.0 * nevus) / 4.0);
        assert!((result.metrics["weighted_f1"] - weighted).abs() < 1e-12);
        assert_eq!(result.metrics["accuracy"], 0.75);
    }

    #[test]
    fn useless_predictions_still_have_their_size() {
        let result = score(&[8, 8], &[0, 1], 1000);
        assert!((result.score - 0.1).abs() < 1e-12);
    }
}

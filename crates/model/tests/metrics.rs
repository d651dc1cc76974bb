//! The metrics beside scikit-learn's: `metrics.py` made the file and says how.

use agon_model::metrics::{Confusion, argmax, auroc, calibration};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    labels: Vec<usize>,
    rows: Vec<Vec<f32>>,
    confusion: Vec<Vec<u64>>,
    accuracy: f64,
    balanced_accuracy: f64,
    precision: Vec<f64>,
    recall: Vec<f64>,
    f1: Vec<f64>,
    support: Vec<u64>,
    auroc: Vec<Option<f64>>,
    brier: f64,
    expected_calibration_error: f64,
    bins: Bins,
}

#[derive(Deserialize)]
struct Bins {
    count: Vec<usize>,
    confidence: Vec<f64>,
    accuracy: Vec<f64>,
}

fn close(ours: &[f64], theirs: &[f64]) {
    assert_eq!(ours.len(), theirs.len());
    for (a, b) in ours.iter().zip(theirs) {
        assert!((a - b).abs() < 1e-9, "{ours:?} {theirs:?}");
    }
}

#[test]
fn all_figures_are_those_of_scikit_learn() {
    let reference = include_str!("fixtures/metrics.json");
    let reference: Reference = serde_json::from_str(reference).unwrap();
    let (labels, rows) = (&reference.labels, &reference.rows);
    let classes = reference.support.len();
    let best = |row: &Vec<f32>| argmax(row).unwrap();
    let predictions: Vec<usize> = rows.iter().map(best).collect();

    let confusion = Confusion::new(classes, labels, &predictions).unwrap();
    for (label, row) in reference.confusion.iter().enumerate() {
        for (prediction, &count) in row.iter().enumerate() {
            assert_eq!(confusion.count(label, prediction), count);
        }
    }
    assert_eq!(confusion.support(), reference.support);
    close(&confusion.precision(), &reference.precision);
    close(&confusion.recall(), &reference.recall);
    close(&confusion.f1(), &reference.f1);
    close(
        &[confusion.accuracy(), confusion.balanced_accuracy()],
        &[reference.accuracy, reference.balanced_accuracy],
    );

    let areas = auroc(classes, labels, rows).unwrap();
    let present = |areas: &[Option<f64>]| areas.iter().copied().flatten().collect::<Vec<_>>();
    let missing = |areas: &[Option<f64>]| areas.iter().position(Option::is_none);
    assert_eq!(missing(&areas), missing(&reference.auroc));
    close(&present(&areas), &present(&reference.auroc));

    let result = calibration(classes, labels, rows, reference.bins.count.len(), 0.01);
    let result = result.unwrap().unwrap();
    close(
        &[result.brier, result.expected_error],
        &[reference.brier, reference.expected_calibration_error],
    );
    for (bin, ours) in result.bins.iter().enumerate() {
        let bins = &reference.bins;
        assert_eq!(ours.count, bins.count[bin]);
        close(
            &[ours.confidence, ours.accuracy],
            &[bins.confidence[bin], bins.accuracy[bin]],
        );
    }
}

//! How well a class's values rank its examples before the others.

use super::{MetricError, check};

/// For each class the area under the ROC curve of that class against all others: the probability that an example of
/// the class has a larger value for it than another example has, where equal values count half (Hanley and McNeil
/// 1982; computed from mid-ranks as the Mann-Whitney statistic). `None` where a class has no examples, or nothing but.
///
/// `rows` holds one value for each of `classes`, for each label; only their order matters, so they need not be
/// probabilities.
///
/// # Errors
/// When the lists do not fit together or hold something that is not a finite number.
pub fn auroc(
    classes: usize,
    labels: &[usize],
    rows: &[Vec<f32>],
) -> Result<Vec<Option<f64>>, MetricError> {
    check(classes, labels, rows)?;
    let of_class = |class: usize| {
        let values: Vec<f32> = rows.iter().map(|row| row[class]).collect();
        let positives: Vec<bool> = labels.iter().map(|&label| label == class).collect();
        binary_auroc(&positives, &values)
    };
    Ok((0..classes).map(of_class).collect())
}

/// The area under the ROC curve of one kind of examples against the others, as in [`auroc`]. Both lists have one entry
/// for each example; what one of them has more is left out. Values are finite.
pub fn binary_auroc(positives: &[bool], values: &[f32]) -> Option<f64> {
    let mut ranked = ranked(positives, values);
    ranked.reverse();
    let (positives, negatives) = counts(&ranked)?;
    // The sum over the positives of their rank from 1, where equal values share the mean of their ranks.
    let mut sum = 0.0;
    let mut before = 0;
    for tied in ties(&ranked) {
        let rank = before as f64 + (tied.len() + 1) as f64 / 2.0;
        sum += rank * count(tied) as f64;
        before += tied.len();
    }
    let least = (positives * (positives + 1)) as f64 / 2.0;
    Some((sum - least) / (positives as f64 * negatives as f64))
}

/// The area under the curve of precision over recall, as steps: the sum over the thresholds of the gain in recall times
/// the precision there (average precision). Arguments and `None` as in [`binary_auroc`]. A ranking by chance has the
/// share of the positives.
pub fn average_precision(positives: &[bool], values: &[f32]) -> Option<f64> {
    let ranked = ranked(positives, values);
    let (positives, _) = counts(&ranked)?;
    let (mut sum, mut hits, mut seen) = (0.0, 0, 0);
    for tied in ties(&ranked) {
        let gained = count(tied);
        hits += gained;
        seen += tied.len();
        sum += gained as f64 * hits as f64 / seen as f64;
    }
    Some(sum / positives as f64)
}

/// Examples by falling value.
fn ranked(positives: &[bool], values: &[f32]) -> Vec<(f32, bool)> {
    let pairs = values.iter().copied().zip(positives.iter().copied());
    let mut ranked: Vec<(f32, bool)> = pairs.collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked
}

/// Positives and negatives, if there are both.
fn counts(ranked: &[(f32, bool)]) -> Option<(usize, usize)> {
    let positives = count(ranked);
    let negatives = ranked.len() - positives;
    (positives > 0 && negatives > 0).then_some((positives, negatives))
}

fn count(ranked: &[(f32, bool)]) -> usize {
    ranked.iter().filter(|(_, positive)| *positive).count()
}

/// Runs of equal values. Not by bits: 0 and -0 are equal.
fn ties(ranked: &[(f32, bool)]) -> impl Iterator<Item = &[(f32, bool)]> {
    ranked.chunk_by(|a, b| a.0 == b.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_two(labels: &[usize], values: &[f32]) -> Option<f64> {
        let rows: Vec<Vec<f32>> = values
            .iter()
            .map(|&value| vec![1.0 - value, value])
            .collect();
        auroc(2, labels, &rows).unwrap()[1]
    }

    #[test]
    fn perfect_reversed_and_undecided_rankings() {
        assert_eq!(of_two(&[0, 0, 1, 1], &[0.1, 0.2, 0.3, 0.4]), Some(1.0));
        assert_eq!(of_two(&[1, 1, 0, 0], &[0.1, 0.2, 0.3, 0.4]), Some(0.0));
        assert_eq!(of_two(&[0, 1, 0, 1], &[0.5; 4]), Some(0.5));
        assert_eq!(of_two(&[0, 1], &[-0.0, 0.0]), Some(0.5));
        // One pair of four is tied, three are right.
        assert_eq!(of_two(&[0, 0, 1, 1], &[0.1, 0.3, 0.3, 0.4]), Some(0.875));
    }

    #[test]
    fn a_class_without_examples_or_without_others_has_no_curve() {
        assert_eq!(of_two(&[0, 0], &[0.1, 0.2]), None);
        assert_eq!(of_two(&[1, 1], &[0.1, 0.2]), None);
        assert_eq!(auroc(2, &[], &[]).unwrap(), [None, None]);
    }

    #[test]
    fn average_precision_is_the_area_in_steps() {
        let of = |positives: &[u8], values: &[f32]| {
            let positives: Vec<bool> = positives.iter().map(|&p| p == 1).collect();
            average_precision(&positives, values)
        };
        assert_eq!(of(&[0, 0, 1, 1], &[0.1, 0.2, 0.3, 0.4]), Some(1.0));
        // The example of scikit-learn's documentation: 1/2 * 1 + 1/2 * 2/3.
        let value = of(&[0, 0, 1, 1], &[0.1, 0.4, 0.35, 0.8]).unwrap();
        assert!((value - 0.833_333_333).abs() < 1e-9, "{value}");
        // Undecided: one threshold, whose precision is the share of the positives.
        assert_eq!(of(&[1, 0, 0, 0], &[0.5; 4]), Some(0.25));
        assert_eq!(of(&[1, 1], &[0.1, 0.2]), None);
        assert_eq!(of(&[], &[]), None);
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let row = vec![0.5, 0.5];
        for (labels, rows, reason) in [
            (vec![0, 1], vec![row.clone()], "2 labels and 1 predictions"),
            (vec![2], vec![row.clone()], "row 0: class 2 is not one of 2"),
            (vec![0], vec![vec![1.0]], "row 0 has 1 values for 2 classes"),
            (
                vec![0],
                vec![vec![1.0, f32::NAN]],
                "row 0 holds a value that is not a number",
            ),
        ] {
            assert_eq!(auroc(2, &labels, &rows).unwrap_err().to_string(), reason);
        }
    }
}

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
        let values = rows.iter().map(|row| row[class]);
        let mut ranked: Vec<(f32, bool)> = values
            .zip(labels.iter().map(|&label| label == class))
            .collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
        let positives = ranked.iter().filter(|(_, positive)| *positive).count();
        let negatives = ranked.len() - positives;
        if positives == 0 || negatives == 0 {
            return None;
        }
        // The sum over the positives of their rank from 1, where equal values share the mean of their ranks.
        let mut sum = 0.0;
        let mut before = 0;
        // Not by bits: 0 and -0 are equal values.
        for tied in ranked.chunk_by(|a, b| a.0 == b.0) {
            let rank = before as f64 + (tied.len() + 1) as f64 / 2.0;
            sum += rank * tied.iter().filter(|(_, positive)| *positive).count() as f64;
            before += tied.len();
        }
        let least = (positives * (positives + 1)) as f64 / 2.0;
        Some((sum - least) / (positives as f64 * negatives as f64))
    };
    Ok((0..classes).map(of_class).collect())
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

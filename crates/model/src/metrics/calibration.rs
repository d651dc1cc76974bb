//! Whether a model that says 0.8 is right eight times of ten.

use super::{MetricError, argmax, check};
use serde::Serialize;

/// The examples whose highest probability falls into one interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// The interval's lower end, which belongs to the bin below (to this one if it is 0).
    pub lower: f64,
    /// The interval's upper end, which belongs to this bin.
    pub upper: f64,
    /// How many examples.
    pub count: usize,
    /// Their mean highest probability; 0 without examples.
    pub confidence: f64,
    /// The share of them whose most probable class is the label; 0 without examples.
    pub accuracy: f64,
}

/// How far the probabilities of a model can be believed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// Expected calibration error of the most probable class: the mean of |accuracy - confidence| over the bins,
    /// weighted by their counts (Naeini et al. 2015; Guo et al. 2017). 0 without examples.
    pub expected_error: f64,
    /// Brier score over all classes: the mean over examples of the sum over classes of (probability - outcome)^2,
    /// 0 to 2 (Brier 1950). 0 without examples.
    pub brier: f64,
    /// Bins of equal width over 0 to 1, for a reliability diagram.
    pub bins: Vec<Bin>,
}

/// The calibration of `rows` of probabilities over `classes`, in `bins` bins. `None` when some row is not a
/// distribution: a value is below 0, or the values sum to something further than `tolerance` from 1.
///
/// # Errors
/// When the lists do not fit together or hold something that is not a finite number.
///
/// # Panics
/// When `bins` is 0.
pub fn calibration(
    classes: usize,
    labels: &[usize],
    rows: &[Vec<f32>],
    bins: usize,
    tolerance: f64,
) -> Result<Option<Calibration>, MetricError> {
    assert!(bins > 0, "at least one bin");
    check(classes, labels, rows)?;
    let distribution = |row: &Vec<f32>| {
        let sum: f64 = row.iter().map(|&value| f64::from(value)).sum();
        row.iter().all(|&value| value >= 0.0) && (sum - 1.0).abs() <= tolerance
    };
    if !rows.iter().all(distribution) {
        return Ok(None);
    }
    let mut sums = vec![(0usize, 0.0f64, 0usize); bins];
    let mut brier = 0.0;
    for (&label, row) in labels.iter().zip(rows) {
        let best = argmax(row).unwrap_or(0);
        let confidence = f64::from(row[best]);
        let bin = (confidence * bins as f64).ceil() as usize;
        let (count, sum, correct) = &mut sums[bin.clamp(1, bins) - 1];
        *count += 1;
        *sum += confidence;
        *correct += usize::from(best == label);
        let outcome = |class| f64::from(u8::from(class == label));
        let squares = row.iter().enumerate();
        brier += squares
            .map(|(class, &value)| (f64::from(value) - outcome(class)).powi(2))
            .sum::<f64>();
    }
    let mean = |sum: f64, count: usize| if count == 0 { 0.0 } else { sum / count as f64 };
    let filled: Vec<Bin> = sums
        .into_iter()
        .enumerate()
        .map(|(bin, (count, sum, correct))| Bin {
            lower: bin as f64 / bins as f64,
            upper: (bin + 1) as f64 / bins as f64,
            count,
            confidence: mean(sum, count),
            accuracy: mean(correct as f64, count),
        })
        .collect();
    let gaps = filled
        .iter()
        .map(|bin| bin.count as f64 * (bin.accuracy - bin.confidence).abs());
    Ok(Some(Calibration {
        expected_error: mean(gaps.sum(), labels.len()),
        brier: mean(brier, labels.len()),
        bins: filled,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_bins_by_hand() {
        let rows = [[0.75f32, 0.25], [0.75, 0.25], [0.5, 0.5], [0.0, 1.0]].map(|row| row.to_vec());
        // A probability of exactly a half is in the lower bin.
        let result = calibration(2, &[0, 1, 0, 1], &rows, 2, 0.01)
            .unwrap()
            .unwrap();
        let [low, high] = &result.bins[..] else {
            panic!("two bins")
        };
        assert_eq!((low.count, low.confidence, low.accuracy), (1, 0.5, 1.0));
        assert_eq!(high.count, 3);
        assert!((high.confidence - 2.5 / 3.0).abs() < 1e-12);
        assert!((high.accuracy - 2.0 / 3.0).abs() < 1e-12);
        assert!((result.expected_error - (0.5 + 0.5) / 4.0).abs() < 1e-12);
        let brier = (0.125 + 1.125 + 0.5 + 0.0) / 4.0;
        assert!((result.brier - brier).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_a_distribution_has_no_calibration() {
        for row in [[2.0, -1.0], [0.5, 0.4], [3.0, 1.0]] {
            let result = calibration(2, &[0], &[row.to_vec()], 15, 0.01).unwrap();
            assert_eq!(result, None);
        }
        let none = calibration(2, &[], &[], 15, 0.01).unwrap().unwrap();
        assert_eq!((none.expected_error, none.brier), (0.0, 0.0));
        assert!(calibration(2, &[0], &[vec![f32::NAN, 1.0]], 15, 0.01).is_err());
    }
}

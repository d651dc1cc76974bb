//! Counts of labels and predictions, and what is computed from counts alone.

use super::MetricError;

/// How often each class was predicted as each class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// Row-major: `counts[label * classes + prediction]`.
    counts: Vec<u64>,
}

impl Confusion {
    /// Counts pairs of label and prediction, both below `classes`.
    ///
    /// # Errors
    /// When the lists differ in length or hold a class out of range.
    pub fn new(
        classes: usize,
        labels: &[usize],
        predictions: &[usize],
    ) -> Result<Self, MetricError> {
        Self::weighted(classes, labels, predictions, &vec![1; labels.len()])
    }

    /// Counts pair `i` as often as `times[i]` says, for example as often as a resample drew it.
    ///
    /// # Errors
    /// When the lists differ in length or hold a class out of range.
    ///
    /// # Panics
    /// When `times` is not as long as `labels`.
    pub fn weighted(
        classes: usize,
        labels: &[usize],
        predictions: &[usize],
        times: &[u32],
    ) -> Result<Self, MetricError> {
        assert_eq!(labels.len(), times.len(), "one number for each pair");
        if labels.len() != predictions.len() {
            return Err(MetricError::Length {
                labels: labels.len(),
                predictions: predictions.len(),
            });
        }
        let mut counts = vec![0; classes * classes];
        for (row, (&label, &prediction)) in labels.iter().zip(predictions).enumerate() {
            let class = label.max(prediction);
            if class >= classes {
                return Err(MetricError::Class {
                    row,
                    class,
                    classes,
                });
            }
            counts[label * classes + prediction] += u64::from(times[row]);
        }
        Ok(Self { classes, counts })
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// How many examples of class `label` were predicted as class `prediction`.
    ///
    /// # Panics
    /// When one of them is not a class.
    pub fn count(&self, label: usize, prediction: usize) -> u64 {
        assert!(label < self.classes && prediction < self.classes);
        self.counts[label * self.classes + prediction]
    }

    /// The number of examples.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many examples each class has.
    pub fn support(&self) -> Vec<u64> {
        let row = |label| (0..self.classes).map(|p| self.count(label, p)).sum();
        (0..self.classes).map(row).collect()
    }

    /// The share of correct predictions; 0 without examples.
    pub fn accuracy(&self) -> f64 {
        let correct = (0..self.classes).map(|c| self.count(c, c)).sum();
        ratio(correct, self.total())
    }

    /// For each class: correct predictions among all predictions of it; 0 where there are none.
    pub fn precision(&self) -> Vec<f64> {
        let predicted = self.predicted();
        (0..self.classes)
            .map(|c| ratio(self.count(c, c), predicted[c]))
            .collect()
    }

    /// For each class: correct predictions among all its examples; 0 where there are none.
    pub fn recall(&self) -> Vec<f64> {
        let support = self.support();
        (0..self.classes)
            .map(|c| ratio(self.count(c, c), support[c]))
            .collect()
    }

    /// For each class: 2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall; 0 where it is undefined.
    pub fn f1(&self) -> Vec<f64> {
        let (support, predicted) = (self.support(), self.predicted());
        (0..self.classes)
            .map(|c| ratio(2 * self.count(c, c), support[c] + predicted[c]))
            .collect()
    }

    /// The mean recall of the classes that have examples; 0 without examples.
    pub fn balanced_accuracy(&self) -> f64 {
        let recall = self.recall().into_iter().zip(self.support());
        let present: Vec<f64> = recall.filter(|&(_, n)| n > 0).map(|(r, _)| r).collect();
        if present.is_empty() {
            return 0.0;
        }
        present.iter().sum::<f64>() / present.len() as f64
    }

    fn predicted(&self) -> Vec<u64> {
        let column = |prediction| (0..self.classes).map(|l| self.count(l, prediction)).sum();
        (0..self.classes).map(column).collect()
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }

    #[test]
    fn a_confusion_by_hand() {
        // Class 2 has no examples and is predicted once; class 3 does not occur at all.
        let confusion = Confusion::new(4, &[0, 0, 0, 1, 1], &[0, 0, 1, 1, 2]).unwrap();
        assert_eq!(confusion.total(), 5);
        assert_eq!(confusion.support(), [3, 2, 0, 0]);
        assert_eq!(confusion.count(0, 1), 1);
        close(confusion.accuracy(), 0.6);
        assert_eq!(confusion.precision(), [1.0, 0.5, 0.0, 0.0]);
        assert_eq!(confusion.recall(), [2.0 / 3.0, 0.5, 0.0, 0.0]);
        assert_eq!(confusion.f1(), [0.8, 0.5, 0.0, 0.0]);
        close(confusion.balanced_accuracy(), (2.0 / 3.0 + 0.5) / 2.0);
    }

    #[test]
    fn bad_lists_are_refused() {
        let length = Confusion::new(2, &[0], &[0, 1]).unwrap_err();
        assert_eq!(length.to_string(), "1 labels and 2 predictions");
        let class = Confusion::new(2, &[0, 1], &[0, 2]).unwrap_err();
        assert_eq!(class.to_string(), "row 1: class 2 is not one of 2");
        assert_eq!(
            Confusion::new(3, &[], &[]).unwrap().balanced_accuracy(),
            0.0
        );
        assert_eq!(Confusion::new(3, &[], &[]).unwrap().accuracy(), 0.0);
    }
}

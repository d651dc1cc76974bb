//! How well predictions match labels, computed from values that every validator sees alike.
//!
//! Outputs of a model are put on a grid ([`quantise`]) before anything is derived from them: the last bits of a float
//! depend on the machine, and validators must agree.

/// Steps between zero and one on the grid of [`quantise`]: 2^12.
const STEPS: f64 = 4096.0;

/// An output is NaN or infinite, so it has no place on the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("output {index} is not a finite number")]
pub struct NonFinite {
    /// The position of the first such value.
    pub index: usize,
}

/// Rounds every value to the nearest multiple of 2^-12, halves to the even multiple.
///
/// # Errors
/// When a value is NaN or infinite; the values are then unchanged.
pub fn quantise(values: &mut [f32]) -> Result<(), NonFinite> {
    if let Some(index) = values.iter().position(|v| !v.is_finite()) {
        return Err(NonFinite { index });
    }
    for value in values {
        // Adding zero turns -0 into 0. The product of an f32 and a power of two is exact in f64.
        *value = ((f64::from(*value) * STEPS).round_ties_even() / STEPS + 0.0) as f32;
    }
    Ok(())
}

/// The position of the largest value, the lowest one among equals; `None` when there are no values.
pub fn argmax(values: &[f32]) -> Option<usize> {
    let mut best: Option<(usize, f32)> = None;
    for (index, &value) in values.iter().enumerate() {
        if best.is_none_or(|(_, highest)| value > highest) {
            best = Some((index, value));
        }
    }
    best.map(|(index, _)| index)
}

/// Why labels and predictions cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// The lists differ in length.
    #[error("{labels} labels and {predictions} predictions")]
    Length {
        /// The number of labels.
        labels: usize,
        /// The number of predictions.
        predictions: usize,
    },
    /// A class number is not below the number of classes.
    #[error("row {row}: class {class} is not one of {classes}")]
    Class {
        /// The position in the lists.
        row: usize,
        /// The class found there.
        class: usize,
        /// The number of classes.
        classes: usize,
    },
}

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
            counts[label * classes + prediction] += 1;
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

/// Classes whose values are averaged, and the weight of that average.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    /// The weight of the group among the groups.
    pub weight: f64,
    /// Its classes; each has the same weight within the group.
    pub classes: &'a [usize],
}

impl Group<'_> {
    /// The mean over the group's classes of a value that each class has; 0 for a group without classes.
    ///
    /// # Panics
    /// When a class of the group has no value.
    pub fn mean(&self, values: &[f64]) -> f64 {
        if self.classes.is_empty() {
            return 0.0;
        }
        let sum: f64 = self.classes.iter().map(|&class| values[class]).sum();
        sum / self.classes.len() as f64
    }
}

/// The weighted mean of the groups' means, for example of F1 by risk; 0 where the weights sum to nothing.
///
/// # Panics
/// When a class of a group has no value.
pub fn grouped_mean(values: &[f64], groups: &[Group<'_>]) -> f64 {
    let total: f64 = groups.iter().map(|group| group.weight).sum();
    if total <= 0.0 {
        return 0.0;
    }
    let sum: f64 = groups.iter().map(|g| g.weight * g.mean(values)).sum();
    sum / total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }

    #[test]
    fn the_grid_has_steps_of_two_to_the_minus_twelve() {
        let step = 1.0 / 4096.0;
        let mut values = [
            0.0,
            step * 0.5,
            step * 1.5,
            step * 0.51,
            1.0,
            -step * 0.4,
            f32::MAX,
        ];
        quantise(&mut values).unwrap();
        assert_eq!(values, [0.0, 0.0, step * 2.0, step, 1.0, 0.0, f32::MAX]);
        assert!(values[5].is_sign_positive());
    }

    #[test]
    fn what_is_not_finite_is_refused_and_nothing_changes() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut values = [0.1, bad];
            assert_eq!(quantise(&mut values), Err(NonFinite { index: 1 }));
            assert_eq!(values[0], 0.1);
        }
    }

    #[test]
    fn ties_go_to_the_lowest_class() {
        assert_eq!(argmax(&[0.2, 0.4, 0.4]), Some(1));
        assert_eq!(argmax(&[-1.0]), Some(0));
        assert_eq!(argmax(&[]), None);
        let mut near = [0.30001, 0.30002, 0.1];
        quantise(&mut near).unwrap();
        assert_eq!(argmax(&near), Some(0));
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

    #[test]
    fn the_golden_vector_of_the_lesion_groups() {
        let f1 = [0.5, 0.8, 0.3, 0.6, 0.4, 0.2, 0.1, 0.7, 0.9, 0.35, 0.45];
        let groups = [
            Group {
                weight: 3.0,
                classes: &[1, 6, 7, 9],
            },
            Group {
                weight: 2.0,
                classes: &[0, 3, 10],
            },
            Group {
                weight: 1.0,
                classes: &[2, 4, 5, 8],
            },
        ];
        close(groups[0].mean(&f1), 0.4875);
        close(groups[1].mean(&f1), 0.516667);
        close(groups[2].mean(&f1), 0.45);
        close(grouped_mean(&f1, &groups), 0.490972);
        assert_eq!(grouped_mean(&f1, &[]), 0.0);
    }
}

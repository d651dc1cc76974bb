//! How well predictions match labels, computed from values that every validator sees alike.
//!
//! All of it is pure arithmetic over lists in memory: counts ([`Confusion`]), means over groups of classes ([`Group`]),
//! ranking ([`auroc`], [`average_precision`]), how far probabilities can be believed ([`calibration()`]) and how much of a figure is chance
//! ([`Resampling`]). It knows no competition, and it never mends what a model answered: no softmax, no clipping.
//!
//! Outputs of a model are put on a grid ([`quantise`]) before anything is derived from them: the last bits of a float
//! depend on the machine, and validators must agree.

mod calibration;
mod confusion;
mod group;
mod ranking;
mod resample;

pub use calibration::{Bin, Calibration, calibration};
pub use confusion::Confusion;
pub use group::{Group, grouped_mean};
pub use ranking::{auroc, average_precision, binary_auroc};
pub use resample::{Clusters, Distribution, Interval, Resampling};

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
    /// A row of answers does not have one value for each class.
    #[error("row {row} has {values} values for {classes} classes")]
    Row {
        /// The position in the list.
        row: usize,
        /// The number of values found there.
        values: usize,
        /// The number of classes.
        classes: usize,
    },
    /// An answer is not a number.
    #[error("row {row} holds a value that is not a number")]
    NotANumber {
        /// The position in the list.
        row: usize,
    },
}

/// That there is one row of finite values, one for each class, for every label, and that labels are classes.
fn check(classes: usize, labels: &[usize], rows: &[Vec<f32>]) -> Result<(), MetricError> {
    if labels.len() != rows.len() {
        return Err(MetricError::Length {
            labels: labels.len(),
            predictions: rows.len(),
        });
    }
    for (row, (&class, values)) in labels.iter().zip(rows).enumerate() {
        if class >= classes {
            return Err(MetricError::Class {
                row,
                class,
                classes,
            });
        }
        if values.len() != classes {
            return Err(MetricError::Row {
                row,
                values: values.len(),
                classes,
            });
        }
        if values.iter().any(|value| !value.is_finite()) {
            return Err(MetricError::NotANumber { row });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
}

//! The loss: cross-entropy of softmax, with label smoothing and weighted classes.
//!
//! loss = sum over samples i of w(y_i) * sum over classes c of t_ic * -log softmax(z_i)_c, divided by the sum of
//! w(y_i) over the whole batch, where t_i is one at the label, mixed with the uniform distribution by the smoothing
//! (Szegedy et al. 2016). All of it but the logits is known beforehand and is one matrix of [`Targets`].

/// What the logarithms of the probabilities are weighted with.
#[derive(Clone, Debug, PartialEq)]
pub struct Targets {
    /// The number of classes.
    pub classes: usize,
    /// One row per sample, row-major.
    pub weights: Vec<f32>,
}

impl Targets {
    /// The targets of some samples of a batch.
    ///
    /// `class_weights` holds one weight per class, or nothing for equal weights. `total` is the sum of
    /// [`total_weight`] over the whole batch, so that the losses of its shards add up to the loss of the batch.
    /// Labels are below `classes`.
    pub fn new(
        labels: &[usize],
        classes: usize,
        smoothing: f32,
        class_weights: &[f32],
        total: f32,
    ) -> Self {
        let mut weights = Vec::with_capacity(labels.len() * classes);
        for &label in labels {
            let weight = weight_of(label, class_weights) / total;
            let shared = smoothing / classes as f32;
            weights.extend((0..classes).map(|class| {
                let hit = if class == label { 1.0 - smoothing } else { 0.0 };
                weight * (hit + shared)
            }));
        }
        Self { classes, weights }
    }

    /// The number of samples.
    pub fn rows(&self) -> usize {
        self.weights.len() / self.classes.max(1)
    }
}

/// The sum of the weights of some labels.
pub fn total_weight(labels: &[usize], class_weights: &[f32]) -> f32 {
    labels
        .iter()
        .map(|&label| weight_of(label, class_weights))
        .sum()
}

fn weight_of(label: usize, class_weights: &[f32]) -> f32 {
    class_weights.get(label).copied().unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_add_up_to_their_weights() {
        let class_weights = [1.0, 3.0];
        let total = total_weight(&[0, 1], &class_weights);
        let targets = Targets::new(&[0, 1], 2, 0.1, &class_weights, total);
        let expected = [0.95 / 4.0, 0.05 / 4.0, 0.15 / 4.0, 2.85 / 4.0];
        for (have, want) in targets.weights.iter().zip(expected) {
            assert!((have - want).abs() < 1e-7, "{:?}", targets.weights);
        }
        assert_eq!(targets.rows(), 2);
    }

    #[test]
    fn shards_add_up_to_the_batch() {
        let labels = [0, 2, 1, 2];
        let weights = [0.5, 1.0, 2.0];
        let total = total_weight(&labels, &weights);
        let whole = Targets::new(&labels, 3, 0.0, &weights, total);
        let halves = labels
            .chunks(2)
            .map(|l| Targets::new(l, 3, 0.0, &weights, total).weights);
        assert_eq!(halves.collect::<Vec<_>>().concat(), whole.weights);
    }
}

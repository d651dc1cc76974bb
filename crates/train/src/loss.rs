//! What is minimised, over plain buffers: an engine hands over logits and is given their gradient, so that every engine
//! minimises the same.
//!
//! A [`Loss`] for samples of one class each is a sum of three parts, each with its share:
//!
//! - cross-entropy with class weights and label smoothing, as PyTorch's `CrossEntropyLoss` computes it: with
//!   a_c = (1 - s) w_y \[c = y\] + s w_c / C, the sum over samples and classes of -a_c log p_c, divided by the sum of the
//!   samples' w_y;
//! - focal loss (Lin et al. 2017): the mean over samples of -w_y (1 - p_y)^2 log(p_y) / 4;
//! - soft F1: 1 - sum(v_c F1_c) / sum(v_c), where F1 is computed from probabilities in place of counts. It sees the
//!   samples of one shard and not those of the whole batch.
//!
//! For samples that have any number of labels it is binary cross-entropy alone: the mean over samples and labels of
//! -(w_c y log q + (1 - y) log(1 - q)), q = sigmoid(z_c + ln w_c), with y smoothed to (1 - s) y + s / 2. With weights of
//! one it is PyTorch's `BCEWithLogitsLoss`. A weight w_c makes a positive label count so often; what it is minimised by
//! is odds w_c times the true ones, and the added ln w_c (logit adjustment, Menon et al. 2021) takes that off the
//! network's own answer, which so stays the probability that it is judged as.

use serde::{Deserialize, Serialize};

/// Keeps soft F1's quotients finite.
const TINY: f64 = 1e-7;
/// The focal loss's factor; its exponent is two.
const FOCAL: f64 = 0.25;

/// The loss and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// The share of cross-entropy.
    pub cross_entropy: f32,
    /// The share of focal loss.
    pub focal: f32,
    /// The share of soft F1.
    pub soft_f1: f32,
    /// Probability mass that the targets of cross-entropy share among all classes, in [0, 1).
    pub label_smoothing: f32,
    /// One weight per class for cross-entropy and focal loss; none for equal weights.
    pub class_weights: Vec<f32>,
    /// One weight per class for soft F1; none for equal weights.
    pub f1_weights: Vec<f32>,
    /// Whether a class without a sample counts in soft F1, with an F1 of nought.
    pub counts_absent: bool,
    /// The share of binary cross-entropy. Above nought a sample's label is the set of its labels: the bit of value 2^c
    /// says whether it has label c.
    #[serde(default)]
    pub binary_cross_entropy: f32,
    /// One weight per label for those that a sample has, in binary cross-entropy; none for equal weights.
    #[serde(default)]
    pub positive_weights: Vec<f32>,
}

impl Default for Loss {
    /// Plain cross-entropy.
    fn default() -> Self {
        Self {
            cross_entropy: 1.0,
            focal: 0.0,
            soft_f1: 0.0,
            label_smoothing: 0.0,
            class_weights: Vec::new(),
            f1_weights: Vec::new(),
            counts_absent: true,
            binary_cross_entropy: 0.0,
            positive_weights: Vec::new(),
        }
    }
}

impl Loss {
    /// Plain binary cross-entropy, for samples with any number of labels.
    pub fn binary() -> Self {
        Self {
            cross_entropy: 0.0,
            binary_cross_entropy: 1.0,
            ..Self::default()
        }
    }

    /// Whether a sample's label is a set of labels.
    pub fn is_multi_label(&self) -> bool {
        self.binary_cross_entropy > 0.0
    }

    fn positive_weight(&self, label: usize) -> f64 {
        let weight = self.positive_weights.get(label);
        weight.map_or(1.0, |&weight| f64::from(weight))
    }

    fn class_weight(&self, label: usize) -> f64 {
        self.class_weights
            .get(label)
            .map_or(1.0, |&weight| f64::from(weight))
    }

    fn f1_weight(&self, class: usize) -> f64 {
        self.f1_weights
            .get(class)
            .map_or(1.0, |&weight| f64::from(weight))
    }

    /// The sum of the class weights of some labels; their number where they are sets.
    pub fn total_weight(&self, labels: &[usize]) -> f64 {
        if self.is_multi_label() {
            return labels.len() as f64;
        }
        labels.iter().map(|&label| self.class_weight(label)).sum()
    }
}

/// What some samples of a batch should have been taken for. All labels are below the number of classes, or sets of such.
#[derive(Clone, Debug)]
pub struct Targets<'a> {
    loss: &'a Loss,
    classes: usize,
    readings: Vec<Reading>,
    rows: usize,
    /// Samples in the whole batch.
    batch: usize,
}

/// One way to label the samples. Mixed samples have two.
#[derive(Clone, Debug)]
struct Reading {
    share: f64,
    labels: Vec<usize>,
    /// Of the labels of the whole batch.
    total_weight: f64,
}

impl<'a> Targets<'a> {
    /// The targets of all samples of a batch.
    pub fn new(loss: &'a Loss, classes: usize, labels: &[usize]) -> Self {
        let total_weight = loss.total_weight(labels);
        Self::of_shard(loss, classes, labels.len()).with(1.0, labels, total_weight)
    }

    /// The targets of some samples of a batch of so many; their labels follow by [`Targets::with`].
    pub fn of_shard(loss: &'a Loss, classes: usize, batch: usize) -> Self {
        Self {
            loss,
            classes,
            readings: Vec::new(),
            rows: 0,
            batch,
        }
    }

    /// The same with a labelling that counts so much. `total_weight` is [`Loss::total_weight`] of the labels of the
    /// whole batch, so that the losses of its shards add up.
    pub fn with(mut self, share: f64, labels: &[usize], total_weight: f64) -> Self {
        self.rows = labels.len();
        self.readings.push(Reading {
            share,
            labels: labels.to_vec(),
            total_weight,
        });
        self
    }

    /// The shape of the logits: samples and classes.
    pub fn shape(&self) -> [usize; 2] {
        [self.rows, self.classes]
    }

    /// The loss of logits [samples, classes], row-major, and its derivative by each.
    pub fn judge(&self, logits: &[f32]) -> (f64, Vec<f32>) {
        let mut gradient = vec![0.0; logits.len()];
        let mut sum = 0.0;
        if self.loss.is_multi_label() {
            for reading in &self.readings {
                let share = f64::from(self.loss.binary_cross_entropy) * reading.share;
                sum += self.binary_cross_entropy(reading, logits, share, &mut gradient);
            }
            let gradient = gradient.into_iter().map(|value| value as f32);
            return (sum, gradient.collect());
        }
        let rows: Vec<Row> = logits.chunks_exact(self.classes).map(Row::new).collect();
        for reading in &self.readings {
            let [entropy, focal, f1] =
                [self.loss.cross_entropy, self.loss.focal, self.loss.soft_f1]
                    .map(|share| f64::from(share) * reading.share);
            if entropy != 0.0 {
                sum += self.cross_entropy(reading, &rows, entropy, &mut gradient);
            }
            if focal != 0.0 {
                sum += self.focal(reading, &rows, focal, &mut gradient);
            }
            if f1 != 0.0 {
                sum += self.soft_f1(reading, &rows, f1, &mut gradient);
            }
        }
        (
            sum,
            gradient.into_iter().map(|value| value as f32).collect(),
        )
    }

    fn binary_cross_entropy(
        &self,
        reading: &Reading,
        logits: &[f32],
        share: f64,
        gradient: &mut [f64],
    ) -> f64 {
        let share = share / (self.batch * self.classes) as f64;
        let smoothing = f64::from(self.loss.label_smoothing);
        let mut sum = 0.0;
        for ((row, &labels), gradient) in logits
            .chunks_exact(self.classes)
            .zip(&reading.labels)
            .zip(gradient.chunks_exact_mut(self.classes))
        {
            for (label, (&logit, gradient)) in row.iter().zip(gradient).enumerate() {
                let weight = self.loss.positive_weight(label);
                let has = f64::from(u8::from(labels >> label & 1 == 1));
                let wanted = (1.0 - smoothing) * has + smoothing / 2.0;
                let adjusted = f64::from(logit) + weight.ln();
                // -log(1 - q) and -log(q), neither of which overflows.
                let (against, towards) = (softplus(adjusted), softplus(-adjusted));
                sum += weight * wanted * towards + (1.0 - wanted) * against;
                let q = (-towards).exp();
                *gradient += share * ((1.0 - wanted) * q - weight * wanted * (1.0 - q));
            }
        }
        share * sum
    }

    fn cross_entropy(
        &self,
        reading: &Reading,
        rows: &[Row],
        share: f64,
        gradient: &mut [f64],
    ) -> f64 {
        let smoothing = f64::from(self.loss.label_smoothing);
        let mut sum = 0.0;
        for ((row, &label), gradient) in rows
            .iter()
            .zip(&reading.labels)
            .zip(gradient.chunks_exact_mut(self.classes))
        {
            let wanted = |class: usize| {
                let shared = smoothing * self.loss.class_weight(class) / self.classes as f64;
                match class == label {
                    true => shared + (1.0 - smoothing) * self.loss.class_weight(label),
                    false => shared,
                }
            };
            let all: f64 = (0..self.classes).map(wanted).sum();
            for (class, gradient) in gradient.iter_mut().enumerate() {
                sum -= wanted(class) * row.logarithms[class];
                *gradient +=
                    share * (all * row.probabilities[class] - wanted(class)) / reading.total_weight;
            }
        }
        share * sum / reading.total_weight
    }

    fn focal(&self, reading: &Reading, rows: &[Row], share: f64, gradient: &mut [f64]) -> f64 {
        let share = share * FOCAL / self.batch as f64;
        let mut sum = 0.0;
        for ((row, &label), gradient) in rows
            .iter()
            .zip(&reading.labels)
            .zip(gradient.chunks_exact_mut(self.classes))
        {
            let weight = self.loss.class_weight(label);
            let (p, logarithm) = (row.probabilities[label], row.logarithms[label]);
            sum -= weight * (1.0 - p).powi(2) * logarithm;
            // By the logit z_c: the derivative by p, times p (\[c = y\] - p_c).
            let slope = weight * (2.0 * p * (1.0 - p) * logarithm - (1.0 - p).powi(2));
            for (class, gradient) in gradient.iter_mut().enumerate() {
                let hit = f64::from(u8::from(class == label));
                *gradient += share * slope * (hit - row.probabilities[class]);
            }
        }
        share * sum
    }

    fn soft_f1(&self, reading: &Reading, rows: &[Row], share: f64, gradient: &mut [f64]) -> f64 {
        let classes = self.classes;
        // Probability that fell on the class where it was right, everywhere, and how often the class was right.
        let (mut hits, mut all, mut count) =
            (vec![0.0; classes], vec![0.0; classes], vec![0.0; classes]);
        for (row, &label) in rows.iter().zip(&reading.labels) {
            hits[label] += row.probabilities[label];
            count[label] += 1.0;
            for (all, p) in all.iter_mut().zip(&row.probabilities) {
                *all += p;
            }
        }
        let weight = |class: usize| match self.loss.counts_absent || count[class] > 0.0 {
            true => self.loss.f1_weight(class),
            false => 0.0,
        };
        let total: f64 = (0..classes).map(weight).sum();
        if total == 0.0 {
            return 0.0;
        }
        let share = share * rows.len() as f64 / self.batch as f64;
        let mut sum = 0.0;
        // Derivatives of a class's F1 by a probability on it: where the class is right, and everywhere.
        let mut slopes = vec![(0.0, 0.0); classes];
        for class in 0..classes {
            let (predicted, actual) = (all[class] + TINY, count[class] + TINY);
            let (precision, recall) = (hits[class] / predicted, hits[class] / actual);
            let both = precision + recall + TINY;
            sum += weight(class) * 2.0 * precision * recall / both;
            let by_precision = 2.0 * recall * (recall + TINY) / both.powi(2);
            let by_recall = 2.0 * precision * (precision + TINY) / both.powi(2);
            slopes[class] = (
                by_precision / predicted + by_recall / actual,
                -by_precision * hits[class] / predicted.powi(2),
            );
        }
        for ((row, &label), gradient) in rows
            .iter()
            .zip(&reading.labels)
            .zip(gradient.chunks_exact_mut(classes))
        {
            let by_probability = |class: usize| {
                let (right, everywhere) = slopes[class];
                let right = if class == label { right } else { 0.0 };
                -weight(class) / total * (right + everywhere)
            };
            let mean: f64 = (0..classes)
                .map(|class| by_probability(class) * row.probabilities[class])
                .sum();
            for (class, gradient) in gradient.iter_mut().enumerate() {
                *gradient += share * row.probabilities[class] * (by_probability(class) - mean);
            }
        }
        share * (1.0 - sum / total)
    }
}

/// log(1 + e^x).
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// One sample's softmax.
struct Row {
    probabilities: Vec<f64>,
    logarithms: Vec<f64>,
}

impl Row {
    fn new(logits: &[f32]) -> Self {
        let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let shifted: Vec<f64> = logits
            .iter()
            .map(|&logit| f64::from(logit) - f64::from(greatest))
            .collect();
        let log_sum = shifted.iter().map(|value| value.exp()).sum::<f64>().ln();
        let logarithms: Vec<f64> = shifted.iter().map(|value| value - log_sum).collect();
        Self {
            probabilities: logarithms.iter().map(|value| value.exp()).collect(),
            logarithms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLASSES: usize = 4;
    const LABELS: [usize; 5] = [0, 2, 2, 1, 0];

    fn logits() -> Vec<f32> {
        (0..LABELS.len() * CLASSES)
            .map(|index| (index as f32 * 1.7).sin() * 2.0)
            .collect()
    }

    fn losses() -> [Loss; 5] {
        let weighted = Loss {
            label_smoothing: 0.1,
            class_weights: vec![3.0, 1.0, 2.0, 0.5],
            ..Loss::default()
        };
        let only = |focal, soft_f1| Loss {
            cross_entropy: 0.0,
            focal,
            soft_f1,
            f1_weights: vec![3.0, 2.0, 1.0, 1.0],
            ..weighted.clone()
        };
        [
            Loss::default(),
            only(1.0, 0.0),
            only(0.0, 1.0),
            Loss {
                counts_absent: false,
                ..only(0.2, 0.5)
            },
            weighted,
        ]
    }

    #[test]
    fn gradients_are_the_slopes_of_the_loss() {
        for loss in losses() {
            for targets in [
                Targets::new(&loss, CLASSES, &LABELS),
                Targets::of_shard(&loss, CLASSES, 12)
                    .with(0.3, &LABELS, 9.0)
                    .with(0.7, &[1, 1, 3, 0, 2], 11.0),
            ] {
                let (_, gradient) = targets.judge(&logits());
                for index in 0..gradient.len() {
                    let at = |change: f32| {
                        let mut logits = logits();
                        logits[index] += change;
                        targets.judge(&logits).0
                    };
                    let slope = (at(1e-3) - at(-1e-3)) / 2e-3;
                    let difference = (slope - f64::from(gradient[index])).abs();
                    assert!(difference < 1e-5, "{loss:?} {index}: {slope}");
                }
            }
        }
    }

    /// Sets of labels: the fourth label alone, none, all, two, one.
    const SETS: [usize; 5] = [0b1000, 0, 0b1111, 0b0101, 0b0001];

    fn binary_losses() -> [Loss; 3] {
        let weighted = Loss {
            positive_weights: vec![3.0, 1.0, 2.0, 0.5],
            ..Loss::binary()
        };
        let smoothed = Loss {
            label_smoothing: 0.1,
            ..weighted.clone()
        };
        [Loss::binary(), weighted, smoothed]
    }

    #[test]
    fn gradients_of_binary_cross_entropy_are_its_slopes() {
        for loss in binary_losses() {
            for targets in [
                Targets::new(&loss, CLASSES, &SETS),
                Targets::of_shard(&loss, CLASSES, 12)
                    .with(0.3, &SETS, 12.0)
                    .with(0.7, &[1, 2, 3, 0, 9], 12.0),
            ] {
                let (_, gradient) = targets.judge(&logits());
                for index in 0..gradient.len() {
                    let at = |change: f32| {
                        let mut logits = logits();
                        logits[index] += change;
                        targets.judge(&logits).0
                    };
                    let slope = (at(1e-3) - at(-1e-3)) / 2e-3;
                    let difference = (slope - f64::from(gradient[index])).abs();
                    assert!(difference < 1e-5, "{loss:?} {index}: {slope}");
                }
            }
        }
    }

    #[test]
    fn binary_cross_entropy_is_the_mean_over_samples_and_labels() {
        let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
        let logits = [2.0, -1.0, 0.5, 1.0];
        let of = |targets: [f64; 4]| {
            let entropy =
                |(&z, y): (&f64, f64)| -(y * sigmoid(z).ln() + (1.0 - y) * (1.0 - sigmoid(z)).ln());
            logits.iter().zip(targets).map(entropy).sum::<f64>() / 4.0
        };
        let single = logits.map(|z| z as f32);
        let loss = Loss::binary();
        let (have, _) = Targets::new(&loss, 2, &[0b01, 0b11]).judge(&single);
        assert!((have - of([1.0, 0.0, 1.0, 1.0])).abs() < 1e-12, "{have}");
        let smoothed = Loss {
            label_smoothing: 0.2,
            ..loss
        };
        let (have, _) = Targets::new(&smoothed, 2, &[0b01, 0b11]).judge(&single);
        assert!((have - of([0.9, 0.1, 0.9, 0.9])).abs() < 1e-6, "{have}");
    }

    /// Of a hundred equal samples five have the label: whatever a positive one weighs, odds of 5 to 95 are best.
    #[test]
    fn weights_do_not_move_what_is_best() {
        let labels: Vec<usize> = (0..100).map(|index| usize::from(index % 20 == 0)).collect();
        for weight in [1.0, 4.0, 19.0] {
            let loss = Loss {
                positive_weights: vec![weight],
                ..Loss::binary()
            };
            let slope = |logit: f32| -> f32 {
                let (_, gradient) = Targets::new(&loss, 1, &labels).judge(&[logit; 100]);
                gradient.iter().sum()
            };
            let best = (5.0f32 / 95.0).ln();
            assert!(slope(best).abs() < 1e-6, "{weight}");
            assert!(
                slope(best - 0.1) < 0.0 && slope(best + 0.1) > 0.0,
                "{weight}"
            );
        }
    }

    #[test]
    fn cross_entropy_is_that_of_the_usual_library() {
        // torch.nn.CrossEntropyLoss(weight=[1, 3], label_smoothing=0.1) of [[2, -1], [0.5, 1]] and [0, 1], in digits:
        // a = [[0.95, 0.15], [0.05, 2.85]], divided by 1 + 3.
        let loss = Loss {
            label_smoothing: 0.1,
            class_weights: vec![1.0, 3.0],
            ..Loss::default()
        };
        let log_p = |z: [f64; 2]| {
            let log_sum = (z[0].exp() + z[1].exp()).ln();
            z.map(|z| z - log_sum)
        };
        let (first, second) = (log_p([2.0, -1.0]), log_p([0.5, 1.0]));
        let wanted =
            -(0.95 * first[0] + 0.15 * first[1] + 0.05 * second[0] + 2.85 * second[1]) / 4.0;
        let (have, _) = Targets::new(&loss, 2, &[0, 1]).judge(&[2.0, -1.0, 0.5, 1.0]);
        // The smoothing is a 32-bit number.
        assert!((have - wanted).abs() < 1e-7, "{have} {wanted}");
    }

    #[test]
    fn soft_f1_of_certain_answers_is_f1() {
        let loss = Loss {
            cross_entropy: 0.0,
            soft_f1: 1.0,
            ..Loss::default()
        };
        // Class 0: one hit, one miss, one false alarm; class 1: one hit, one miss, one false alarm; class 2: absent.
        let sure = |class: usize| (0..3).map(move |c| if c == class { 60.0 } else { 0.0 });
        let logits: Vec<f32> = [0, 1, 0, 1].into_iter().flat_map(sure).collect();
        let labels = [0, 0, 1, 1];
        let (with_absent, _) = Targets::new(&loss, 3, &labels).judge(&logits);
        assert!(
            (with_absent - (1.0 - 1.0 / 3.0)).abs() < 1e-5,
            "{with_absent}"
        );
        let present = Loss {
            counts_absent: false,
            ..loss
        };
        let (present, _) = Targets::new(&present, 3, &labels).judge(&logits);
        assert!((present - 0.5).abs() < 1e-5, "{present}");
    }

    #[test]
    fn shards_add_up_to_the_batch() {
        let loss = Loss {
            focal: 0.4,
            soft_f1: 0.0,
            ..losses()[4].clone()
        };
        let (whole, gradient) = Targets::new(&loss, CLASSES, &LABELS).judge(&logits());
        let total = loss.total_weight(&LABELS);
        let mut sum = 0.0;
        let mut joined = Vec::new();
        for (labels, logits) in [
            (&LABELS[..2], &logits()[..2 * CLASSES]),
            (&LABELS[2..], &logits()[2 * CLASSES..]),
        ] {
            let targets = Targets::of_shard(&loss, CLASSES, LABELS.len()).with(1.0, labels, total);
            let (part, gradient) = targets.judge(logits);
            sum += part;
            joined.extend(gradient);
        }
        assert!((sum - whole).abs() < 1e-12);
        assert_eq!(joined, gradient);
        let loss = &binary_losses()[2];
        let (whole, _) = Targets::new(loss, CLASSES, &SETS).judge(&logits());
        let shard = |sets: &[usize], logits: &[f32]| {
            let targets = Targets::of_shard(loss, CLASSES, SETS.len());
            targets
                .with(1.0, sets, loss.total_weight(&SETS))
                .judge(logits)
                .0
        };
        let (first, rest) = (2 * CLASSES, &logits()[2 * CLASSES..]);
        let sum = shard(&SETS[..2], &logits()[..first]) + shard(&SETS[2..], rest);
        assert!((sum - whole).abs() < 1e-12);
    }

    #[test]
    fn a_hopeless_answer_has_a_finite_loss() {
        for loss in losses().into_iter().chain(binary_losses()) {
            // As a set, the label is the first of the two as well.
            let label = usize::from(loss.is_multi_label());
            let (value, gradient) = Targets::new(&loss, 2, &[label]).judge(&[-200.0, 200.0]);
            assert!(value.is_finite() && gradient.iter().all(|g| g.is_finite()));
        }
    }
}

//! How alike two models answer: what training left in them, beside what they have learnt.
//!
//! Two networks that were trained apart agree about what is easy, and each has its own way with what is not. A copy with
//! a little noise, rounded weights, permuted channels or another file keeps that way. So the answers are compared after
//! what all good models have in common is taken out: the mean answer to samples of the same class.
//!
//! It refuses to compare accuracy: two models of the same score are not alike by that.

use crate::ledger::{Evaluation, Outcome};
use crate::seed::Seed;
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Numbers in a portrait. Likeness read from so many random directions is off by some (1 - likeness^2) / 16.
const DIRECTIONS: usize = 256;

/// From this likeness on, two models are one.
pub const COPY: f64 = 0.98;

/// What a model's answers to a sample look like: unlike the answers it tells nothing of the labels, and takes half a
/// kilobyte. Empty where the answers do not vary within any class. Comparable only with portraits of the same sample
/// under the same seed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Portrait(Vec<i16>);

impl Portrait {
    /// The portrait of quantised answers; `classes[i]` is the class of the sample that `answers[i]` belongs to.
    ///
    /// Roots are taken of the answers, so that small probabilities count (Hellinger's distance). Square roots and sums in
    /// a fixed order are the same on every machine.
    pub fn new(answers: &[Vec<f32>], classes: &[usize], seed: Seed) -> Self {
        let width = answers.iter().map(Vec::len).max().unwrap_or(0);
        let mut rows: Vec<Vec<f64>> = answers
            .iter()
            .map(|answer| {
                let root = |&value: &f32| f64::from(value).abs().sqrt().copysign(f64::from(value));
                let mut row: Vec<f64> = answer.iter().map(root).collect();
                // A missing answer says nothing, and all behind it keep their directions.
                row.resize(width, 0.0);
                row
            })
            .collect();
        let mut means: BTreeMap<usize, (f64, Vec<f64>)> = BTreeMap::new();
        for (row, &class) in rows.iter().zip(classes) {
            let (count, sums) = means.entry(class).or_insert((0.0, vec![0.0; width]));
            *count += 1.0;
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
        for (row, class) in rows.iter_mut().zip(classes) {
            if let Some((count, sums)) = means.get(class) {
                row.iter_mut()
                    .zip(sums)
                    .for_each(|(x, sum)| *x -= sum / count);
            }
        }
        let mut stream = seed.purpose("directions of likeness").stream();
        let mut along = [0.0; DIRECTIONS];
        for x in rows.iter().flatten() {
            // One random sign for each direction.
            for directions in along.chunks_exact_mut(64) {
                let mut signs = stream.next_u64();
                for direction in directions {
                    *direction += if signs & 1 == 0 { *x } else { -x };
                    signs >>= 1;
                }
            }
        }
        let largest = along.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
        // What is left of rounding is no way of answering.
        if largest < 1e-3 {
            return Self::default();
        }
        let scale = f64::from(i16::MAX) / largest;
        Self(along.iter().map(|x| (x * scale).round() as i16).collect())
    }

    /// The likeness of two models, 1 at most: the correlation of their own ways of answering. `None` where one has none.
    pub fn likeness(&self, other: &Self) -> Option<f64> {
        let product = |a: &Self, b: &Self| -> i64 {
            let pairs = a.0.iter().zip(&b.0);
            pairs.map(|(&a, &b)| i64::from(a) * i64::from(b)).sum()
        };
        if self.0.len() != other.0.len() || self.0.is_empty() {
            return None;
        }
        let [own, others] =
            [product(self, self), product(other, other)].map(|square| square as f64);
        Some(product(self, other) as f64 / (own * others).sqrt())
    }
}

/// The first scored submission of the same round that answers so much like `portrait` that both are one model, and the
/// likeness.
pub fn first_alike<'a>(
    portrait: &Portrait,
    earlier: &'a [Evaluation],
) -> Option<(&'a Evaluation, f64)> {
    earlier
        .iter()
        .filter(|row| row.outcome == Outcome::Scored)
        .find_map(|row| {
            let likeness = row.portrait.likeness(portrait)?;
            (likeness >= COPY).then_some((row, likeness))
        })
}

/// The first scored submission of the same round with the fingerprint that `row` has.
pub fn first_with_fingerprint<'a>(
    row: &Evaluation,
    earlier: &'a [Evaluation],
) -> Option<&'a Evaluation> {
    let fingerprint = row.fingerprint?;
    earlier
        .iter()
        .find(|other| other.outcome == Outcome::Scored && other.fingerprint == Some(fingerprint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    const CLASSES: usize = 5;

    /// Answers of a model that knows the class with some doubt of its own: `own` decides about the doubt.
    fn answers(own: u64, noise: f64) -> (Vec<Vec<f32>>, Vec<usize>) {
        let mut doubt = Seed::derive("doubt", &[&own.to_le_bytes()]).stream();
        let mut disturbance = Seed::derive("noise", &[&own.to_le_bytes()]).stream();
        let labels: Vec<usize> = (0..400).map(|at| at % CLASSES).collect();
        let row = |&label: &usize| {
            let logits: Vec<f64> = (0..CLASSES)
                .map(|class| {
                    let known = if class == label { 2.0 } else { 0.0 };
                    let disturbed = noise * (disturbance.random::<f64>() - 0.5);
                    known + 2.0 * doubt.random::<f64>() + disturbed
                })
                .collect();
            let sum: f64 = logits.iter().map(|z| z.exp()).sum();
            logits.iter().map(|z| (z.exp() / sum) as f32).collect()
        };
        (labels.iter().map(row).collect(), labels)
    }

    fn portrait(own: u64, noise: f64, seed: u8) -> Portrait {
        let (answers, labels) = answers(own, noise);
        Portrait::new(&answers, &labels, Seed([seed; 32]))
    }

    #[test]
    fn a_disturbed_copy_is_alike_and_an_equally_good_model_is_not() {
        let original = portrait(1, 0.0, 7);
        assert_eq!(original.likeness(&original), Some(1.0));
        let copy = original.likeness(&portrait(1, 0.1, 7)).unwrap();
        assert!(copy > COPY, "{copy}");
        for own in 2..20 {
            let other = original.likeness(&portrait(own, 0.0, 7)).unwrap();
            assert!(other.abs() < 0.4, "{own}: {other}");
        }
    }

    #[test]
    fn colder_answers_are_still_those_of_the_same_model() {
        let (answers, labels) = answers(1, 0.0);
        let colder: Vec<Vec<f32>> = answers
            .iter()
            .map(|row| {
                let sum: f32 = row.iter().map(|p| p.powf(1.2)).sum();
                row.iter().map(|p| p.powf(1.2) / sum).collect()
            })
            .collect();
        let of = |answers: &[Vec<f32>]| Portrait::new(answers, &labels, Seed([7; 32]));
        assert!(of(&answers).likeness(&of(&colder)).unwrap() > COPY);
    }

    #[test]
    fn who_says_the_same_to_everybody_has_no_portrait() {
        let (_, labels) = answers(1, 0.0);
        let constant = vec![vec![0.2; CLASSES]; labels.len()];
        let nobody = Portrait::new(&constant, &labels, Seed([7; 32]));
        assert_eq!(nobody, Portrait::default());
        assert_eq!(nobody.likeness(&portrait(1, 0.0, 7)), None);
        assert_eq!(Portrait::new(&[], &[], Seed([7; 32])), nobody);
    }

    #[test]
    fn a_portrait_survives_the_journal() {
        let portrait = portrait(3, 0.0, 1);
        let text = serde_json::to_string(&portrait).unwrap();
        assert_eq!(serde_json::from_str::<Portrait>(&text).unwrap(), portrait);
    }
}

//! What a model must beat to have learnt anything: a linear model and five nearest neighbours on small pixels and
//! metadata.
//!
//! Both see the judges' pixels, resized once more to 16x16, and the demographics one-hot; every feature has mean 0 and
//! deviation 1 on the training part. Nothing is random here, and sums are taken over fixed pieces in a fixed order, so
//! the result does not depend on the number of threads.

use super::CLASSES;
use super::score::score;
use agon_dataset::image::{self, to_chw_f32};
use agon_dataset::skin::Record;
use agon_model::metrics::{argmax, quantise};
use rayon::prelude::*;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Height and width of the pixels seen.
const SIDE: usize = 16;
/// Features of an image and its demographics: age, unknown age, sex and site one-hot.
const FEATURES: usize = SIDE * SIDE * 3 + 2 + 3 + 8;
/// The classes, filled up to a length that processors like.
const LANES: usize = 16;
/// Neighbours asked.
const NEIGHBOURS: usize = 5;
/// Rows of which a sum is taken by one thread.
const PIECE: usize = 256;
/// Strengths of the quadratic penalty that are tried, each beginning from the weights of the one before.
const PENALTIES: [f64; 5] = [1.0, 0.1, 0.01, 0.001, 0.0001];
/// Most steps for one strength.
const STEPS: usize = 150;
/// The search ends when no component of the gradient is larger.
const FLAT: f64 = 1e-4;
/// Pairs of steps and gradients that the search remembers.
const MEMORY: usize = 10;

/// A learnt baseline and its answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// What it is, with what was chosen.
    pub name: String,
    /// Bytes of what it has learnt, in 32-bit numbers.
    pub bytes: u64,
    /// Eleven probabilities for each judged image, on the validators' grid; none for an image that cannot be read.
    pub rows: Vec<Option<Vec<f32>>>,
}

/// All baselines of one data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Baselines {
    /// The linear model, then the neighbours.
    pub baselines: Vec<Baseline>,
    /// Positions of the judged images that cannot be read, with the reason.
    pub unreadable: Vec<(usize, String)>,
    /// How many images to learn from and to choose with cannot be read.
    pub left_out: usize,
}

/// There is nothing to learn from, or nothing to choose with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {0} part has no readable image")]
pub struct NoImages(&'static str);

/// Told what is done, how much of it and of how much.
pub type Progress<'a> = &'a (dyn Fn(&str, usize, usize) + Sync);

/// Learns the baselines from `training`, chooses the linear model's penalty and weighting by the competition's score
/// on `selection`, and answers `judged`.
///
/// # Errors
/// When no image of the first two can be read.
pub fn baselines(
    training: &[&Record],
    selection: &[&Record],
    judged: &[&Record],
    progress: Progress<'_>,
) -> Result<Baselines, NoImages> {
    learn(training, selection, judged, &PENALTIES, progress)
}

/// The same with other penalties to choose from, the strongest first.
fn learn(
    training: &[&Record],
    selection: &[&Record],
    judged: &[&Record],
    penalties: &[f64],
    progress: Progress<'_>,
) -> Result<Baselines, NoImages> {
    let total = training.len() + selection.len() + judged.len();
    let done = AtomicUsize::new(0);
    let read = |records: &[&Record]| -> Vec<Result<Vec<f32>, String>> {
        let features = records.par_iter().map(|record| {
            let features = features(record);
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            progress("pixels", done, total);
            features
        });
        features.collect()
    };
    let known = |records: &[&Record]| -> (Vec<Vec<f32>>, Vec<usize>) {
        let rows = read(records).into_iter().zip(records);
        rows.filter_map(|(row, record)| Some((row.ok()?, record.class.index())))
            .unzip()
    };
    let (mut train, train_labels) = known(training);
    let (mut choose, choose_labels) = known(selection);
    let answered = read(judged);
    let left_out = training.len() + selection.len() - train.len() - choose.len();
    if train.is_empty() {
        return Err(NoImages("training"));
    }
    if choose.is_empty() {
        return Err(NoImages("selection"));
    }
    let scale = Scale::of(&train);
    train
        .iter_mut()
        .chain(&mut choose)
        .for_each(|row| scale.apply(row));
    let mut unreadable = Vec::new();
    let mut judge = Vec::new();
    for (position, row) in answered.into_iter().enumerate() {
        match row {
            Ok(mut row) => {
                scale.apply(&mut row);
                judge.push((position, row));
            }
            Err(reason) => unreadable.push((position, reason)),
        }
    }
    let placed = |answer: &(dyn Fn(&[f32]) -> Vec<f32> + Sync)| {
        let answers: Vec<_> = judge
            .par_iter()
            .map(|(at, row)| (*at, answer(row)))
            .collect();
        let mut rows = vec![None; judged.len()];
        for (at, mut row) in answers {
            quantise(&mut row).expect("probabilities are finite");
            rows[at] = Some(row);
        }
        rows
    };
    let data = Data {
        rows: &train,
        labels: &train_labels,
    };
    let (linear, chosen) = choose_linear(&data, &choose, &choose_labels, penalties, progress);
    let linear = Baseline {
        name: format!("linear on 16x16 pixels and metadata ({chosen})"),
        bytes: (CLASSES * (FEATURES + 1) * 4) as u64,
        rows: placed(&|row| linear.probabilities(row)),
    };
    let neighbours = Baseline {
        name: format!("{NEIGHBOURS} nearest neighbours on the same"),
        bytes: (train.len() * (FEATURES + 1) * 4) as u64,
        rows: placed(&|row| nearest(&data, row)),
    };
    Ok(Baselines {
        baselines: vec![linear, neighbours],
        unreadable,
        left_out,
    })
}

/// The features of one image: pixels 0 to 1, then the demographics.
fn features(record: &Record) -> Result<Vec<f32>, String> {
    let decoded = image::open(&record.path).map_err(|error| error.to_string())?;
    let small = image::judging_image(&decoded, SIDE, SIDE).map_err(|error| error.to_string())?;
    let mut features = to_chw_f32(small.pixels());
    let [age, sex, site] = record.demographics.encode();
    let is = |yes: bool| f32::from(u8::from(yes));
    features.extend([age / 100.0, is(age == 0.0)]);
    features.extend([-1.0, 0.0, 1.0].map(|code| is(sex == code)));
    features.extend([-1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0].map(|code| is(site == code)));
    Ok(features)
}

/// Mean and deviation of every feature.
struct Scale {
    mean: Vec<f32>,
    deviation: Vec<f32>,
}

impl Scale {
    fn of(rows: &[Vec<f32>]) -> Self {
        let count = rows.len() as f64;
        let moments = |feature: usize| {
            let values = || rows.iter().map(|row| f64::from(row[feature]));
            let mean = values().sum::<f64>() / count;
            let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
            // A feature that never varies says nothing.
            let deviation = if variance > 1e-12 {
                variance.sqrt()
            } else {
                1.0
            };
            (mean as f32, deviation as f32)
        };
        let (mean, deviation) = (0..rows[0].len()).into_par_iter().map(moments).unzip();
        Self { mean, deviation }
    }

    fn apply(&self, row: &mut [f32]) {
        let moments = self.mean.iter().zip(&self.deviation);
        for (value, (mean, deviation)) in row.iter_mut().zip(moments) {
            *value = (*value - mean) / deviation;
        }
    }
}

/// Examples to learn from.
struct Data<'a> {
    rows: &'a [Vec<f32>],
    labels: &'a [usize],
}

/// The classes of the nearest examples by Euclidean distance, each with its share; earlier examples come first among
/// equally near ones.
fn nearest(data: &Data<'_>, row: &[f32]) -> Vec<f32> {
    let mut near: Vec<(f32, usize)> = Vec::with_capacity(NEIGHBOURS + 1);
    for (example, &label) in data.rows.iter().zip(data.labels) {
        let distance = distance(example, row);
        if near.len() < NEIGHBOURS || distance < near[near.len() - 1].0 {
            let place = near.partition_point(|(other, _)| *other <= distance);
            near.insert(place, (distance, label));
            near.truncate(NEIGHBOURS);
        }
    }
    let mut shares = vec![0.0; CLASSES];
    for (_, label) in &near {
        shares[*label] += 1.0 / near.len() as f32;
    }
    shares
}

/// The squared Euclidean distance, summed in lanes.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a_pieces, a_rest) = a.as_chunks::<LANES>();
    let (b_pieces, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_pieces.iter().zip(b_pieces) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += (a - b) * (a - b);
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| (a - b) * (a - b));
    lanes.into_iter().sum::<f32>() + rest.sum::<f32>()
}

/// Multinomial logistic regression.
#[derive(Clone, Debug)]
struct Linear {
    /// A row of lanes for each feature, then one for the bias.
    weights: Vec<[f32; LANES]>,
}

impl Linear {
    fn logits(&self, row: &[f32]) -> [f32; LANES] {
        let mut logits = self.weights[row.len()];
        for (value, weights) in row.iter().zip(&self.weights) {
            for (logit, weight) in logits.iter_mut().zip(weights) {
                *logit += value * weight;
            }
        }
        logits
    }

    fn probabilities(&self, row: &[f32]) -> Vec<f32> {
        let mut probabilities = self.logits(row)[..CLASSES].to_vec();
        softmax(&mut probabilities);
        probabilities
    }
}

/// In place; the logarithm of the sum of exponentials of what stood there.
fn softmax(values: &mut [f32]) -> f32 {
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    values
        .iter_mut()
        .for_each(|value| *value = (*value - largest).exp());
    let sum: f32 = values.iter().sum();
    values.iter_mut().for_each(|value| *value /= sum);
    largest + sum.ln()
}

/// The linear model with the best score on what is chosen with, and how it was learnt.
fn choose_linear(
    data: &Data<'_>,
    choose: &[Vec<f32>],
    labels: &[usize],
    penalties: &[f64],
    progress: Progress<'_>,
) -> (Linear, String) {
    let mut best: Option<(f64, Linear, String)> = None;
    let tries = 2 * penalties.len();
    for balanced in [false, true] {
        let mut weights = vec![0.0; (data.rows[0].len() + 1) * CLASSES];
        for (position, &penalty) in penalties.iter().enumerate() {
            let objective = Objective::new(data, penalty, balanced);
            weights = minimise(weights, |weights| objective.at(weights));
            let linear = objective.linear(&weights);
            let best_class = |row: &Vec<f32>| argmax(&linear.probabilities(row)).unwrap_or(0);
            let predictions: Vec<usize> = choose.par_iter().map(best_class).collect();
            // Size is the same for all.
            let reached = score(labels, &predictions, 0).score;
            if best.as_ref().is_none_or(|(score, ..)| reached > *score) {
                let weighting = if balanced { "balanced" } else { "plain" };
                best = Some((reached, linear, format!("penalty {penalty}, {weighting}")));
            }
            let done = usize::from(balanced) * penalties.len() + position + 1;
            progress("linear", done, tries);
        }
    }
    let (_, linear, chosen) = best.expect("there are penalties");
    (linear, chosen)
}

/// The weighted mean cross-entropy plus half the penalty times the squares of all weights but the biases.
struct Objective<'a> {
    data: &'a Data<'a>,
    penalty: f64,
    /// What an example of each class counts; the mean over the examples is 1.
    importance: [f32; CLASSES],
}

impl<'a> Objective<'a> {
    /// `balanced`: every class counts the same, however many examples it has.
    fn new(data: &'a Data<'a>, penalty: f64, balanced: bool) -> Self {
        let mut counts = [0usize; CLASSES];
        data.labels.iter().for_each(|&label| counts[label] += 1);
        let present = counts.iter().filter(|&&count| count > 0).count();
        let importance = counts.map(|count| match (balanced, count) {
            (true, 1..) => data.labels.len() as f32 / (present * count) as f32,
            _ => 1.0,
        });
        Self {
            data,
            penalty,
            importance,
        }
    }

    fn linear(&self, weights: &[f64]) -> Linear {
        let lanes = |weights: &[f64]| {
            let mut lanes = [0.0; LANES];
            for (lane, weight) in lanes.iter_mut().zip(weights) {
                *lane = *weight as f32;
            }
            lanes
        };
        Linear {
            weights: weights.chunks_exact(CLASSES).map(lanes).collect(),
        }
    }

    /// The value and the gradient.
    fn at(&self, weights: &[f64]) -> (f64, Vec<f64>) {
        let linear = self.linear(weights);
        let pieces: Vec<(f64, Vec<[f32; LANES]>)> = self
            .data
            .rows
            .par_chunks(PIECE)
            .zip(self.data.labels.par_chunks(PIECE))
            .map(|(rows, labels)| self.piece(&linear, rows, labels))
            .collect();
        let mut value = 0.0;
        let mut gradient = vec![0.0; weights.len()];
        for (loss, slopes) in pieces {
            value += loss;
            for (sums, slopes) in gradient.chunks_exact_mut(CLASSES).zip(&slopes) {
                for (sum, slope) in sums.iter_mut().zip(slopes) {
                    *sum += f64::from(*slope);
                }
            }
        }
        let count = self.data.rows.len() as f64;
        value /= count;
        gradient.iter_mut().for_each(|slope| *slope /= count);
        let penalised = weights.len() - CLASSES;
        for (slope, weight) in gradient.iter_mut().zip(weights).take(penalised) {
            value += 0.5 * self.penalty * weight * weight;
            *slope += self.penalty * weight;
        }
        (value, gradient)
    }

    fn piece(
        &self,
        linear: &Linear,
        rows: &[Vec<f32>],
        labels: &[usize],
    ) -> (f64, Vec<[f32; LANES]>) {
        let mut loss = 0.0;
        let mut gradient = vec![[0.0f32; LANES]; linear.weights.len()];
        for (row, &label) in rows.iter().zip(labels) {
            let mut errors = linear.logits(row);
            let logit = errors[label];
            let importance = self.importance[label];
            loss += f64::from(importance * (softmax(&mut errors[..CLASSES]) - logit));
            errors[label] -= 1.0;
            errors[CLASSES..].fill(0.0);
            errors.iter_mut().for_each(|error| *error *= importance);
            for (value, slopes) in row.iter().chain(&[1.0]).zip(&mut gradient) {
                for (slope, error) in slopes.iter_mut().zip(&errors) {
                    *slope += value * error;
                }
            }
        }
        (loss, gradient)
    }
}

/// The minimum of a smooth convex function by L-BFGS with a backtracking search (Nocedal and Wright 2006, algorithms
/// 7.4 and 3.1).
fn minimise(mut point: Vec<f64>, function: impl Fn(&[f64]) -> (f64, Vec<f64>)) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (mut value, mut gradient) = function(&point);
    let mut memory: VecDeque<(Vec<f64>, Vec<f64>, f64)> = VecDeque::new();
    for _ in 0..STEPS {
        if gradient.iter().all(|slope| slope.abs() < FLAT) {
            break;
        }
        let mut direction: Vec<f64> = gradient.iter().map(|slope| -slope).collect();
        let mut factors = Vec::new();
        for (step, change, product) in memory.iter().rev() {
            let factor = dot(step, &direction) / product;
            factors.push(factor);
            direction
                .iter_mut()
                .zip(change)
                .for_each(|(d, c)| *d -= factor * c);
        }
        let scale = match memory.back() {
            Some((_, change, product)) => product / dot(change, change),
            None => 1.0 / dot(&gradient, &gradient).sqrt(),
        };
        direction.iter_mut().for_each(|d| *d *= scale);
        for ((step, change, product), factor) in memory.iter().zip(factors.iter().rev()) {
            let correction = factor - dot(change, &direction) / product;
            direction
                .iter_mut()
                .zip(step)
                .for_each(|(d, s)| *d += correction * s);
        }
        let slope = dot(&gradient, &direction);
        let mut length = 1.0;
        let next = loop {
            let moved: Vec<f64> = point
                .iter()
                .zip(&direction)
                .map(|(p, d)| p + length * d)
                .collect();
            let (reached, there) = function(&moved);
            if reached <= value + 1e-4 * length * slope {
                break Some((moved, reached, there));
            }
            length *= 0.5;
            // Rounding hides what is left to gain.
            if length < 1e-6 {
                break None;
            }
        };
        let Some((moved, reached, there)) = next else {
            break;
        };
        let step: Vec<f64> = moved.iter().zip(&point).map(|(a, b)| a - b).collect();
        let change: Vec<f64> = there.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        let product = dot(&step, &change);
        if product > 1e-12 {
            memory.push_back((step, change, product));
            if memory.len() > MEMORY {
                memory.pop_front();
            }
        }
        (point, value, gradient) = (moved, reached, there);
    }
    point
}

#[cfg(test)]
mod tests {
    use super::*;
    use agon_dataset::skin;
    use agon_dataset::skin::synthetic::{Synthetic, generate};

    #[test]
    fn the_search_finds_the_minimum_of_rosenbrocks_valley() {
        let function = |p: &[f64]| {
            let (x, y) = (p[0], p[1]);
            let value = (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2);
            let slope = [
                -2.0 * (1.0 - x) - 400.0 * x * (y - x * x),
                200.0 * (y - x * x),
            ];
            (value, slope.to_vec())
        };
        let found = minimise(vec![-1.2, 1.0], function);
        assert!(found.iter().all(|x| (x - 1.0).abs() < 1e-4), "{found:?}");
    }

    fn points() -> (Vec<Vec<f32>>, Vec<usize>) {
        let row = |i: usize| vec![(i % 7) as f32 - 3.0, (i % 5) as f32 - 2.0, (i % 3) as f32];
        let labels = (0..60).map(|i| [3, 7, 8][(i % 7 + i % 5) / 4]).collect();
        ((0..60).map(row).collect(), labels)
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_objective() {
        let (rows, labels) = points();
        let data = Data {
            rows: &rows,
            labels: &labels,
        };
        for balanced in [false, true] {
            let objective = Objective::new(&data, 0.1, balanced);
            let weights: Vec<f64> = (0..4 * CLASSES).map(|i| (i % 9) as f64 / 20.0).collect();
            let (_, gradient) = objective.at(&weights);
            for at in [0, 3, 8, 18, 40] {
                let moved = |by: f64| {
                    let mut moved = weights.clone();
                    moved[at] += by;
                    objective.at(&moved).0
                };
                let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
                assert!(
                    (slope - gradient[at]).abs() < 1e-3,
                    "{slope} {}",
                    gradient[at]
                );
            }
            let start = objective.at(&weights).0;
            let end = objective.at(&minimise(weights, |w| objective.at(w))).0;
            assert!(end < 0.6 * start, "{start} {end}");
        }
    }

    #[test]
    fn five_neighbours_share_their_votes() {
        let rows: Vec<Vec<f32>> = [0.0, 1.0, 2.0, 3.0, 4.0, 50.0].map(|x| vec![x; 20]).into();
        let data = Data {
            rows: &rows,
            labels: &[7, 7, 8, 8, 8, 0],
        };
        let shares = nearest(&data, &[0.1; 20]);
        assert!((shares[7] - 0.4).abs() < 1e-6 && (shares[8] - 0.6).abs() < 1e-6);
        assert_eq!(distance(&rows[1], &rows[3]), 80.0);
    }

    #[test]
    fn baselines_learn_and_do_not_depend_on_threads() {
        let directory = tempfile::tempdir().unwrap();
        let synthetic = Synthetic {
            images: 480,
            width: 24,
            height: 18,
            ..Synthetic::default()
        };
        generate(directory.path(), &synthetic, &|_, _| {}).unwrap();
        let records = skin::load(directory.path()).unwrap();
        std::fs::write(&records[3].path, b"no image").unwrap();
        std::fs::write(&records[440].path, b"no image").unwrap();
        let all: Vec<&Record> = records.iter().collect();
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            // One strong penalty: it is the whole search that takes time.
            let learn = || {
                learn(
                    &all[..340],
                    &all[340..400],
                    &all[400..],
                    &[0.1],
                    &|_, _, _| {},
                )
            };
            pool.unwrap().install(learn).unwrap()
        };
        let result = run(1);
        assert_eq!(result, run(3));
        assert_eq!(result.left_out, 1);
        assert_eq!(result.unreadable.len(), 1);
        assert_eq!(result.unreadable[0].0, 40);
        // Naming one class for all images would be right so often.
        let mut counts = [0; CLASSES];
        all[400..]
            .iter()
            .for_each(|record| counts[record.class.index()] += 1);
        let guessed = counts.into_iter().max().unwrap();
        for baseline in &result.baselines {
            let answered = baseline.rows.iter().zip(&all[400..]);
            let right = answered.filter(|(row, record)| {
                row.as_ref()
                    .is_some_and(|row| argmax(row) == Some(record.class.index()))
            });
            let right = right.count();
            // Neighbours see too little in images that are drawn to be no gift to them.
            let is_linear = baseline.name.starts_with("linear");
            assert!(
                !is_linear || right > guessed,
                "{}: {right} of 80",
                baseline.name
            );
            assert!(right > 80 / CLASSES, "{}: {right} of 80", baseline.name);
            assert!(baseline.rows[40].is_none() && baseline.rows[41].is_some());
        }
        let nothing: [&Record; 0] = [];
        let error = baselines(&nothing, &all, &all, &|_, _, _| {}).unwrap_err();
        assert_eq!(error.to_string(), "the training part has no readable image");
    }
}

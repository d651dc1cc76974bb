//! How much of a figure is chance: intervals and tests by drawing the sample anew.
//!
//! Rows that belong together (images of one lesion) are drawn together, because they are not independent: intervals
//! over single rows would be too narrow. Every draw has a stream of its own, named by purpose, seed and number, so the
//! result does not depend on how many threads there are.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Which rows belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clusters {
    members: Vec<Vec<usize>>,
    rows: usize,
}

impl Clusters {
    /// Rows with equal keys belong together. The clusters stand in the order of their keys.
    pub fn new<K: Ord>(keys: impl IntoIterator<Item = K>) -> Self {
        let mut clusters: BTreeMap<K, Vec<usize>> = BTreeMap::new();
        let mut rows = 0;
        for (row, key) in keys.into_iter().enumerate() {
            clusters.entry(key).or_default().push(row);
            rows = row + 1;
        }
        let members = clusters.into_values().collect();
        Self { members, rows }
    }

    /// The number of clusters.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

/// An interval around a figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// How often to draw, and from which seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resampling {
    /// The number of draws, at least 1.
    pub resamples: usize,
    /// Everything random comes from here.
    pub seed: u64,
}

impl Resampling {
    /// The cluster bootstrap (Efron 1979; Davison and Hinkley 1997, section 3.8): as many clusters as there are, with
    /// replacement. `figures` is given how often each row was drawn and returns one or more figures, each time as
    /// many. Two models are compared by a figure computed from both under the same draw.
    ///
    /// # Panics
    /// When there is no cluster or no draw, or the number of figures changes.
    pub fn bootstrap(
        &self,
        clusters: &Clusters,
        figures: impl Fn(&[u32]) -> Vec<f64> + Sync,
    ) -> Distribution {
        assert!(self.resamples > 0, "at least one draw");
        assert!(!clusters.is_empty(), "at least one cluster");
        let draw = |number: usize| {
            let mut stream = self.stream("bootstrap", number);
            let mut times = vec![0; clusters.rows];
            for _ in 0..clusters.len() {
                for &row in &clusters.members[stream.random_range(0..clusters.len())] {
                    times[row] += 1;
                }
            }
            figures(&times)
        };
        let draws: Vec<Vec<f64>> = (0..self.resamples).into_par_iter().map(draw).collect();
        let number = draws[0].len();
        assert!(draws.iter().all(|draw| draw.len() == number));
        let sorted = |figure: usize| {
            let mut values: Vec<f64> = draws.iter().map(|draw| draw[figure]).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        Distribution {
            sorted: (0..number).map(sorted).collect(),
        }
    }

    /// The two-sided p-value of a paired randomisation test (Fisher 1935; Smucker et al. 2007): were the two models
    /// alike, their answers to any cluster could be swapped. `difference` is given which rows are swapped. The p-value
    /// counts the observed order among the draws, so it is never 0 (Phipson and Smyth 2010).
    ///
    /// # Panics
    /// When there is no draw.
    pub fn permutation(
        &self,
        clusters: &Clusters,
        difference: impl Fn(&[bool]) -> f64 + Sync,
    ) -> f64 {
        assert!(self.resamples > 0, "at least one draw");
        // A sum in another order may differ in its last bits.
        let observed = difference(&vec![false; clusters.rows]).abs() - 1e-12;
        let extreme = |number: &usize| {
            let mut stream = self.stream("permutation", *number);
            let mut swapped = vec![false; clusters.rows];
            for members in &clusters.members {
                if stream.random::<bool>() {
                    members.iter().for_each(|&row| swapped[row] = true);
                }
            }
            difference(&swapped).abs() >= observed
        };
        let draws = (0..self.resamples).into_par_iter();
        let extremes = draws.filter(extreme).count();
        (extremes + 1) as f64 / (self.resamples + 1) as f64
    }

    fn stream(&self, purpose: &str, number: usize) -> ChaCha8Rng {
        let mut hash = Sha256::new();
        hash.update((purpose.len() as u64).to_le_bytes());
        hash.update(purpose.as_bytes());
        hash.update(self.seed.to_le_bytes());
        hash.update((number as u64).to_le_bytes());
        ChaCha8Rng::from_seed(hash.finalize().into())
    }
}

/// What figures came out over all draws.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    sorted: Vec<Vec<f64>>,
}

impl Distribution {
    /// The percentile interval of a figure that holds the middle `confidence` (0 to 1) of the draws. Between two draws
    /// it is interpolated linearly (definition 7 of Hyndman and Fan 1996, the default of NumPy and R).
    ///
    /// # Panics
    /// When there is no such figure, or `confidence` is not within 0 to 1.
    pub fn interval(&self, figure: usize, confidence: f64) -> Interval {
        assert!((0.0..=1.0).contains(&confidence), "a share");
        let outside = (1.0 - confidence) / 2.0;
        let values = &self.sorted[figure];
        Interval {
            low: quantile(values, outside),
            high: quantile(values, 1.0 - outside),
        }
    }

    /// The two-sided p-value of a figure being nothing but 0: twice the smaller share of draws on one side of 0, the
    /// observed one counted, at most 1 (Davison and Hinkley 1997, section 4.4). It agrees with [`Self::interval`].
    ///
    /// # Panics
    /// When there is no such figure.
    pub fn p_value(&self, figure: usize) -> f64 {
        let values = &self.sorted[figure];
        let below = values.iter().filter(|&&value| value <= 0.0).count();
        let above = values.iter().filter(|&&value| value >= 0.0).count();
        let share = (below.min(above) + 1) as f64 / (values.len() + 1) as f64;
        (2.0 * share).min(1.0)
    }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let (low, high) = (position.floor() as usize, position.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * (position - low as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESAMPLING: Resampling = Resampling {
        resamples: 4000,
        seed: 1,
    };

    /// The mean of `values` under a draw.
    fn mean(values: &[f64], times: &[u32]) -> f64 {
        let drawn = values.iter().zip(times);
        let sum: f64 = drawn.map(|(value, &times)| value * f64::from(times)).sum();
        sum / f64::from(times.iter().sum::<u32>())
    }

    #[test]
    fn quantiles_are_those_of_numpy() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        for (share, expected) in [
            (0.0, 1.0),
            (0.025, 1.075),
            (0.5, 3.0),
            (0.9, 6.8),
            (1.0, 8.0),
        ] {
            assert!((quantile(&sorted, share) - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn the_interval_of_a_mean_is_that_of_theory() {
        // 400 zeros and ones in equal numbers: the mean has a standard error of 0.5 / 20.
        let values: Vec<f64> = (0..400).map(|i| f64::from(i % 2)).collect();
        let clusters = Clusters::new(0..400);
        let draws = RESAMPLING.bootstrap(&clusters, |times| vec![mean(&values, times)]);
        let interval = draws.interval(0, 0.95);
        assert!(
            (interval.low - (0.5 - 1.96 * 0.025)).abs() < 0.004,
            "{interval:?}"
        );
        assert!(
            (interval.high - (0.5 + 1.96 * 0.025)).abs() < 0.004,
            "{interval:?}"
        );
    }

    #[test]
    fn rows_of_one_cluster_stay_together_and_widen_the_interval() {
        // The same 400 values, but four equal ones belong together: half as many standard errors again.
        let values: Vec<f64> = (0..400).map(|i| f64::from(i / 4 % 2)).collect();
        let clusters = Clusters::new((0..400).map(|i| i / 4));
        assert_eq!(clusters.len(), 100);
        let draws = RESAMPLING.bootstrap(&clusters, |times| {
            assert!(
                times
                    .chunks(4)
                    .all(|of_one| of_one.iter().all(|&t| t == of_one[0]))
            );
            assert_eq!(times.iter().sum::<u32>(), 400);
            vec![mean(&values, times)]
        });
        let interval = draws.interval(0, 0.95);
        assert!((interval.high - interval.low - 2.0 * 1.96 * 0.05).abs() < 0.012);
    }

    #[test]
    fn equal_seeds_give_equal_draws_on_any_number_of_threads() {
        let values: Vec<f64> = (0..50).map(f64::from).collect();
        let clusters = Clusters::new(0..50);
        let run = |threads: usize, seed: u64| {
            let resampling = Resampling {
                resamples: 200,
                seed,
            };
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let figures = |times: &[u32]| vec![mean(&values, times)];
            pool.unwrap()
                .install(|| resampling.bootstrap(&clusters, figures))
        };
        assert_eq!(run(1, 7), run(3, 7));
        assert_ne!(run(1, 7), run(1, 8));
    }

    #[test]
    fn a_difference_is_found_where_there_is_one_and_not_where_there_is_none() {
        let clusters = Clusters::new(0..200);
        let difference = |gains: &[f64], swapped: &[bool]| {
            let signed = gains.iter().zip(swapped);
            signed
                .map(|(gain, &swap)| if swap { -gain } else { *gain })
                .sum::<f64>()
                / 200.0
        };
        // One model is right alone 60 times, the other 10 times; then both 30 times.
        let gains = |first: usize, second: usize| -> Vec<f64> {
            let gain = |i| {
                f64::from(u8::from(i < first))
                    - f64::from(u8::from((first..first + second).contains(&i)))
            };
            (0..200).map(gain).collect()
        };
        let (clear, none) = (gains(60, 10), gains(30, 30));
        assert!(RESAMPLING.permutation(&clusters, |swapped| difference(&clear, swapped)) < 0.001);
        let p = RESAMPLING.permutation(&clusters, |swapped| difference(&none, swapped));
        assert_eq!(p, 1.0);
        let draws = RESAMPLING.bootstrap(&clusters, |times| {
            vec![mean(&clear, times), mean(&none, times)]
        });
        assert!(draws.interval(0, 0.95).low > 0.0 && draws.p_value(0) < 0.001);
        let around = draws.interval(1, 0.95);
        assert!(around.low < 0.0 && around.high > 0.0 && draws.p_value(1) > 0.5);
    }

    #[test]
    fn the_permutation_p_value_is_that_of_the_sign_test() {
        // Nine of ten pairs favour one side: 2 (C(10,9) + 1) / 2^10 by enumeration.
        let clusters = Clusters::new(0..10);
        let p = RESAMPLING.permutation(&clusters, |swapped| {
            let sign = |i: usize| if (i == 0) != swapped[i] { -1.0 } else { 1.0 };
            (0..10).map(sign).sum()
        });
        assert!((p - 22.0 / 1024.0).abs() < 0.007, "{p}");
    }
}

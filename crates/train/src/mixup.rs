//! Mixing samples in pairs (Zhang et al. 2018): the network learns to be as unsure as its input is mixed.
//!
//! Images are averaged, and so are features where a frozen trunk's are what is trained on (Verma et al. 2019). Other
//! inputs are codes or ages, of which no average would mean anything: each sample keeps its own whole row with the
//! share as probability, and otherwise has its partner's.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution};

use crate::examples::{Array, Batch};
use crate::seed::{self, Part};

/// How much of itself each sample of a batch keeps, in \[0, 1\].
pub(crate) fn share(alpha: f64, seed: u64, epoch: usize, step: usize) -> f32 {
    let place = [Part::Number(epoch), Part::Number(step)];
    let mut stream = seed::stream("share of a mixture", seed, &place);
    // The options were checked: alpha is positive and finite.
    Beta::new(alpha, alpha).map_or(1.0, |beta| beta.sample(&mut stream)) as f32
}

/// With whom each of `count` samples of a shard is mixed.
pub(crate) fn order(
    count: usize,
    seed: u64,
    epoch: usize,
    step: usize,
    shard: usize,
) -> Vec<usize> {
    let place = [Part::Number(epoch), Part::Number(step), Part::Number(shard)];
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut seed::stream("partners", seed, &place));
    order
}

/// Whether an input is averaged because it is an image.
pub(crate) fn is_image(input: &Array) -> bool {
    input.shape.len() >= 3
}

/// Mixes each sample with that at its place in `order`. The labels stay as they are. The inputs that `averaged` says
/// are averaged.
pub(crate) fn mix(
    batch: &mut Batch,
    order: &[usize],
    share: f32,
    stream: &mut ChaCha8Rng,
    averaged: impl Fn(usize, &Array) -> bool,
) {
    let keeps: Vec<bool> = order
        .iter()
        .map(|_| stream.random::<f32>() < share)
        .collect();
    for (position, input) in batch.inputs.iter_mut().enumerate() {
        let averaged = averaged(position, input);
        let row = input.data.len() / order.len().max(1);
        let own = input.data.clone();
        for (index, target) in input.data.chunks_exact_mut(row.max(1)).enumerate() {
            let partner = &own[order[index] * row..][..row];
            if averaged {
                for (value, other) in target.iter_mut().zip(partner) {
                    *value = share * *value + (1.0 - share) * other;
                }
            } else if !keeps[index] {
                target.copy_from_slice(partner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_averaged_and_rows_are_taken_whole() {
        let count = 200;
        let numbers =
            |width: usize| -> Vec<f32> { (0..count).flat_map(|i| vec![i as f32; width]).collect() };
        let mut batch = Batch {
            inputs: vec![
                Array {
                    shape: vec![count, 1, 2, 2],
                    data: numbers(4),
                },
                Array {
                    shape: vec![count, 3],
                    data: numbers(3),
                },
            ],
            labels: vec![0; count],
        };
        let order = order(count, 1, 2, 3, 0);
        assert_ne!(order, (0..count).collect::<Vec<_>>());
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..count).collect::<Vec<_>>());
        let mut draws = seed::stream("test", 0, &[]);
        mix(&mut batch, &order, 0.7, &mut draws, |_, input| {
            is_image(input)
        });
        let mut kept = 0;
        for (index, &partner) in order.iter().enumerate() {
            let wanted = 0.7 * index as f32 + 0.3 * partner as f32;
            let image = &batch.inputs[0].data[index * 4..][..4];
            assert!(image.iter().all(|value| (value - wanted).abs() < 1e-3));
            let row = &batch.inputs[1].data[index * 3..][..3];
            let whole = |of: usize| row.iter().all(|&value| value == of as f32);
            assert!(whole(index) || whole(partner), "{row:?}");
            kept += usize::from(whole(index));
        }
        assert!((110..170).contains(&kept), "{kept}");
    }

    #[test]
    fn shares_are_of_the_beta_distribution() {
        let shares: Vec<f32> = (0..2_000).map(|step| share(0.4, 5, 1, step)).collect();
        assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
        let mean = shares.iter().sum::<f32>() / 2_000.0;
        // Beta(a, a) has the variance 1 / (4 (2a + 1)).
        let variance = shares.iter().map(|s| (s - mean).powi(2)).sum::<f32>() / 2_000.0;
        assert!((mean - 0.5).abs() < 0.03, "{mean}");
        assert!((variance - 1.0 / 7.2).abs() < 0.01, "{variance}");
    }
}

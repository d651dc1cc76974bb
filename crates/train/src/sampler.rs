//! The order in which samples are seen: a function of seed and epoch alone, so that a resumed run needs no position.

use rand::RngExt;
use rand::seq::SliceRandom;

use crate::options::Sampler;
use crate::seed::{self, Part};

/// The indices of one epoch, as many as there are labels, in the order they are seen.
pub fn epoch_order(sampler: &Sampler, labels: &[usize], seed: u64, epoch: usize) -> Vec<usize> {
    let mut stream = seed::stream("order of samples", seed, &[Part::Number(epoch)]);
    if *sampler == Sampler::Uniform {
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.shuffle(&mut stream);
        return order;
    }
    let classes = labels.iter().max().map_or(0, |&label| label + 1);
    let mut members = vec![Vec::new(); classes];
    for (index, &label) in labels.iter().enumerate() {
        members[label].push(index);
    }
    let mut ends = Vec::with_capacity(members.len());
    let mut total = 0.0;
    for (class, members) in members.iter().enumerate() {
        let weight = match sampler {
            Sampler::Balanced { exponent } => (members.len() as f64).powf(1.0 - exponent),
            Sampler::Weighted { weights } => weights.get(class).copied().unwrap_or(0.0),
            Sampler::Uniform => members.len() as f64,
        };
        if !members.is_empty() {
            total += weight;
            ends.push(total);
        }
    }
    members.retain(|class| !class.is_empty());
    // Within a class every sample is seen once before any is seen again.
    let mut cursors = vec![0; members.len()];
    let draw = |_| {
        let point = stream.random::<f64>() * total;
        let class = ends
            .partition_point(|&end| end <= point)
            .min(members.len() - 1);
        let (members, cursor) = (&mut members[class], &mut cursors[class]);
        if *cursor % members.len() == 0 {
            members.shuffle(&mut stream);
        }
        *cursor += 1;
        members[(*cursor - 1) % members.len()]
    };
    (0..labels.len()).map(draw).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_sees_each_once() {
        let labels = vec![0; 100];
        let mut order = epoch_order(&Sampler::Uniform, &labels, 1, 0);
        assert_eq!(order, epoch_order(&Sampler::Uniform, &labels, 1, 0));
        assert_ne!(order, epoch_order(&Sampler::Uniform, &labels, 1, 1));
        assert_ne!(order, epoch_order(&Sampler::Uniform, &labels, 2, 0));
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn balanced_makes_rare_classes_frequent() {
        let labels: Vec<usize> = (0..1000).map(|i| if i < 20 { 3 } else { 1 }).collect();
        let share = |exponent| {
            let order = epoch_order(&Sampler::Balanced { exponent }, &labels, 7, 0);
            assert_eq!(order.len(), 1000);
            order.iter().filter(|&&index| labels[index] == 3).count()
        };
        assert!((430..570).contains(&share(1.0)), "{}", share(1.0));
        assert!((80..170).contains(&share(0.5)), "{}", share(0.5));
        assert!((5..40).contains(&share(0.0)), "{}", share(0.0));
        // Every member of the rare class is seen.
        let order = epoch_order(&Sampler::Balanced { exponent: 1.0 }, &labels, 7, 0);
        assert!((0..20).all(|index| order.contains(&index)));
    }

    /// The original pipeline draws classes of high risk 12 times and of medium risk 4 times as often as benign ones.
    #[test]
    fn weights_decide_how_often_a_class_is_seen() {
        let labels: Vec<usize> = (0..3400).map(|i| [0, 0, 0, 0, 1, 3][i % 6]).collect();
        let weights = vec![1.0, 4.0, 7.0, 12.0];
        let order = epoch_order(&Sampler::Weighted { weights }, &labels, 1, 0);
        let mut seen = [0; 4];
        order.iter().for_each(|&index| seen[labels[index]] += 1);
        assert_eq!(seen[2], 0);
        for (class, share) in [(0, 1.0), (1, 4.0), (3, 12.0)] {
            let expected = 3400.0 * share / 17.0;
            assert!(
                (f64::from(seen[class]) / expected - 1.0).abs() < 0.2,
                "{seen:?}"
            );
        }
    }
}

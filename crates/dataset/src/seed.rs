//! Random streams with names.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

/// The stream called `domain` of the run with this seed, at this position (an image, an epoch, a lesion …).
///
/// The generator is seeded with SHA-256 over the length-prefixed domain and the numbers, so streams of different
/// purposes never coincide and no stream depends on the order in which others are drawn.
pub(crate) fn stream(domain: &str, seed: u64, position: &[u64]) -> ChaCha8Rng {
    let mut hasher = Sha256::new();
    hasher.update((domain.len() as u64).to_le_bytes());
    hasher.update(domain.as_bytes());
    hasher.update(seed.to_le_bytes());
    for number in position {
        hasher.update(number.to_le_bytes());
    }
    ChaCha8Rng::from_seed(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::stream;

    #[test]
    fn streams_differ_by_domain_seed_and_position_and_repeat() {
        let first = |domain, seed, position: &[u64]| stream(domain, seed, position).random::<u64>();
        let reference = first("a", 1, &[2, 3]);
        assert_eq!(reference, first("a", 1, &[2, 3]));
        for other in [
            first("b", 1, &[2, 3]),
            first("a", 2, &[2, 3]),
            first("a", 1, &[3, 2]),
            first("a", 1, &[2]),
        ] {
            assert_ne!(reference, other);
        }
    }
}

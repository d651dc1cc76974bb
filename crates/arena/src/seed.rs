//! Named randomness: every random choice of the arena comes from a 32-byte seed with a purpose.

use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest as _, Sha256};

/// A 32-byte seed derived from a purpose and the values it depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub [u8; 32]);

impl Seed {
    /// SHA-256 over the purpose and the parts, each preceded by its length so that no two different
    /// lists of parts give the same seed.
    pub fn derive(purpose: &str, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in std::iter::once(&purpose.as_bytes()).chain(parts) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// The seed of something else that depends on the same values.
    pub fn purpose(&self, purpose: &str) -> Self {
        Self::derive(purpose, &[&self.0])
    }

    /// `count` of the numbers below `all`, or all when there are fewer, in ascending order.
    pub fn draw(&self, all: usize, count: usize) -> Vec<usize> {
        let mut drawn = sample(&mut self.stream(), all, count.min(all)).into_vec();
        drawn.sort_unstable();
        drawn
    }

    /// The stream of this seed.
    pub fn stream(&self) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(self.0)
    }
}

/// Where a validator's judging samples come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleSource {
    /// The hash of the first block after the cut-off: nobody knows the sample before it.
    Chain,
    /// A number the operator gave. For development chains only: whoever knows it knows the sample.
    Fixed(u64),
}

impl SampleSource {
    /// The seed of one round's sample.
    ///
    /// `round` counts this competition's rounds from 1; `block_hash` is the hash of the first block
    /// after the cut-off.
    pub fn seed(&self, competition: &str, round: u64, block_hash: &[u8; 32]) -> Seed {
        let competition = competition.as_bytes();
        match self {
            Self::Chain => Seed::derive("judging sample", &[competition, block_hash]),
            Self::Fixed(seed) => Seed::derive(
                "fixed judging sample",
                &[competition, &seed.to_le_bytes(), &round.to_le_bytes()],
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cannot_run_into_each_other() {
        assert_ne!(
            Seed::derive("p", &[b"ab", b"c"]),
            Seed::derive("p", &[b"a", b"bc"])
        );
        assert_ne!(Seed::derive("p", &[b"x"]), Seed::derive("px", &[]));
    }

    #[test]
    fn a_fixed_source_ignores_the_chain_and_a_chain_source_the_round() {
        let (a, b) = ([1; 32], [2; 32]);
        let fixed = SampleSource::Fixed(7);
        assert_eq!(fixed.seed("c", 1, &a), fixed.seed("c", 1, &b));
        assert_ne!(fixed.seed("c", 1, &a), fixed.seed("c", 2, &a));
        let chain = SampleSource::Chain;
        assert_eq!(chain.seed("c", 1, &a), chain.seed("c", 9, &a));
        assert_ne!(chain.seed("c", 1, &a), chain.seed("c", 1, &b));
        assert_ne!(chain.seed("c", 1, &a), chain.seed("d", 1, &a));
    }
}

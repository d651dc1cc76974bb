//! What a new challenge implements: questions to live miners, whose truth stays with the validator.

use crate::competition::{SampleError, Score};
use crate::incentive::Incentive;
use crate::seed::Seed;
use agon_neuron::dendrite::{Answer, Question};
use std::time::Duration;

/// What a miner answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The answer, which may hold anything.
    pub answer: Answer,
    /// From the beginning of the question to its end.
    pub latency: Duration,
}

/// A challenge: what is asked, and what the answers are worth. Answers are nobody's but the validator's that asked, so
/// two validators agree only as far as miners answer both alike.
pub trait Challenge: Incentive {
    /// The items a round asks about, drawn from the round's seed.
    fn draw(&self, seed: Seed) -> Vec<usize>;

    /// The question about an item in the round of this seed, the same for everybody. It holds nothing of the truth. May
    /// take its time: it is made on a thread of its own.
    fn question(&self, seed: Seed, item: usize) -> Result<Question, SampleError>;

    /// The score of a miner whose reply to the question about `items[i]` is `replies[i]`; at least one is there.
    fn score(&self, items: &[usize], replies: &[Option<Reply>]) -> Score;
}

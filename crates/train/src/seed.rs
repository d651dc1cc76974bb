//! Named random streams: every choice that training makes is a function of a seed and of what the choice is for.

use agon_model::digest::Digest;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The stream of `purpose` under `seed`, told apart from its siblings by `parts`.
///
/// The seed of the generator is SHA-256 over the purpose, the seed and the parts; strings are preceded by their
/// length, numbers are little-endian.
pub(crate) fn stream(purpose: &str, seed: u64, parts: &[Part<'_>]) -> ChaCha8Rng {
    let mut message = Vec::new();
    push_string(&mut message, "agon-train");
    push_string(&mut message, purpose);
    message.extend(seed.to_le_bytes());
    for part in parts {
        match part {
            Part::Number(number) => message.extend((*number as u64).to_le_bytes()),
            Part::Name(name) => push_string(&mut message, name),
        }
    }
    ChaCha8Rng::from_seed(Digest::of(&message).0)
}

/// One distinguishing part of a stream's name.
pub(crate) enum Part<'a> {
    Number(usize),
    Name(&'a str),
}

fn push_string(message: &mut Vec<u8>, text: &str) {
    message.extend((text.len() as u64).to_le_bytes());
    message.extend(text.as_bytes());
}

//! What hotkeys have signed in earlier blocks: proof that they knew something then.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use agon_keys::AccountId;
use futures::{StreamExt, stream};
use sha2::{Digest, Sha256};

use crate::commitments::after_signer;
use crate::{ChainState, ReadError};

/// How many blocks are fetched at the same time.
const BLOCKS_AT_ONCE: usize = 8;

/// How many answers are remembered before all are forgotten.
const MAX_REMEMBERED: usize = 65_536;

/// Bytes that an account is said to have signed in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBytes {
    /// The block's number.
    pub block: u64,
    /// Who signed.
    pub signer: AccountId,
    /// A part of the extrinsic, long enough not to stand in one by chance.
    pub bytes: Vec<u8>,
}

/// Answers by block, signer and the SHA-256 of the bytes. Finalised blocks do not change, so what was found in one, or
/// not found, is remembered and the block is not fetched again.
pub(crate) type Remembered = BTreeMap<(u64, AccountId, [u8; 32]), Option<u32>>;

impl ChainState {
    /// For each of these the index of the first extrinsic of its block that the signer has signed and that contains the
    /// bytes; `None` where there is none, where the block is none of this chain up to this state, and where the node
    /// has thrown it away.
    ///
    /// Only the blocks' bodies are read, which nodes keep when they throw the state away. An extrinsic counts also if
    /// its call has failed: that it was signed then is all that is asked.
    ///
    /// # Errors
    /// When the node cannot be reached or does not answer.
    pub async fn signed(&self, wanted: &[SignedBytes]) -> Result<Vec<Option<u32>>, ReadError> {
        let mut answers = Remembered::new();
        let mut missing: BTreeMap<u64, Vec<&SignedBytes>> = BTreeMap::new();
        {
            let memory = self.client.signed();
            let memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
            for it in wanted.iter().filter(|it| it.block <= self.number()) {
                match memory.get(&key(it)) {
                    Some(answer) => drop(answers.insert(key(it), *answer)),
                    None => missing.entry(it.block).or_default().push(it),
                }
            }
        }
        let numbers: Vec<u64> = missing.keys().copied().collect();
        let mut blocks = stream::iter(numbers)
            .map(|block| async move { (block, self.body(block).await) })
            .buffer_unordered(BLOCKS_AT_ONCE);
        while let Some((block, body)) = blocks.next().await {
            let body = match body {
                Ok((_, body)) => body,
                // What one hotkey says about a block must not stop everybody's round.
                Err(ReadError::NoSuchBlock { .. }) => {
                    tracing::warn!(block, "the node no longer has a block that is referred to");
                    continue;
                }
                Err(error) => return Err(error),
            };
            for it in missing.get(&block).into_iter().flatten() {
                answers.insert(key(it), first(&body, it));
            }
        }
        let found = wanted.iter().map(|it| answers.get(&key(it)).copied());
        let found = found.map(Option::flatten).collect();
        let mut memory = self
            .client
            .signed()
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if memory.len() + answers.len() > MAX_REMEMBERED {
            memory.clear();
        }
        memory.extend(answers);
        Ok(found)
    }
}

fn key(wanted: &SignedBytes) -> (u64, AccountId, [u8; 32]) {
    let digest = Sha256::digest(&wanted.bytes).into();
    (wanted.block, wanted.signer, digest)
}

/// The index of the first extrinsic of a block that fits.
fn first(body: &[Vec<u8>], wanted: &SignedBytes) -> Option<u32> {
    let SignedBytes { signer, bytes, .. } = wanted;
    let found = body.iter().position(|extrinsic| {
        let contains = |signed: &[u8]| signed.windows(bytes.len()).any(|part| part == bytes);
        !bytes.is_empty() && after_signer(extrinsic, signer).is_some_and(contains)
    });
    found.and_then(|index| u32::try_from(index).ok())
}

#[cfg(test)]
mod tests {
    use codec::Encode;

    use super::*;

    #[test]
    fn the_first_extrinsic_of_the_signer_that_holds_the_bytes_counts() {
        let (alice, bob) = (AccountId([1; 32]), AccountId([2; 32]));
        let by =
            |signer: AccountId, rest: &[u8]| [&[0x84, 0], &signer.0[..], rest].concat().encode();
        let body = vec![
            by(bob, b"..sealed.."),
            by(alice, b"something else"),
            by(alice, b"..sealed.."),
            by(alice, b"sealed"),
            b"sealed".to_vec(),
        ];
        let place = |signer, bytes: &[u8]| {
            let bytes = bytes.to_vec();
            first(
                &body,
                &SignedBytes {
                    block: 1,
                    signer,
                    bytes,
                },
            )
        };
        assert_eq!(place(alice, b"sealed"), Some(2));
        assert_eq!(place(bob, b"sealed"), Some(0));
        assert_eq!(place(AccountId([3; 32]), b"sealed"), None);
        assert_eq!(place(alice, b"unsealed"), None);
        assert_eq!(place(alice, b""), None);
    }
}

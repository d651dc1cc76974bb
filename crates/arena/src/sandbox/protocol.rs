//! What parent and child say to each other: length-prefixed frames, little endian.
//!
//! Parent to child: a [`Job`] (JSON), the model, then the inputs of one sample after another.
//! Child to parent: a [`Hello`] (JSON), a [`Loaded`] (JSON), then one answer for each sample.

use super::isolation::Strength;
use agon_model::digest::Digest;
use agon_model::inference::{Engine, Tensor};
use agon_model::inspect::{Contract, Limits, RefusalKind};
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};
use std::path::PathBuf;

/// Longest JSON frame.
pub const MAX_TEXT: usize = 64 << 10;
/// What a child's last words contain when it had not enough memory: the beginning of what Rust's runtime says, which the
/// worker's own words repeat, and the exception of C++.
pub const OUT_OF_MEMORY: [&str; 2] = ["memory allocation of", "std::bad_alloc"];
/// Longest answer the parent reads from a child.
pub const MAX_ANSWER: usize = 1 << 20;

/// What the child is to do, and with how much.
#[derive(Debug, Serialize, Deserialize)]
pub struct Job {
    /// Address space, in bytes.
    pub memory_bytes: u64,
    /// Processor time, in seconds.
    pub processor_seconds: u64,
    /// What a model file may contain.
    pub limits: Limits,
    /// Inputs and outputs it must declare.
    pub contract: Contract,
    /// What computes.
    pub engine: Engine,
    /// Where the engine's shared library is, if it has one; the child has no environment to say so.
    pub library: Option<PathBuf>,
}

/// How the child stands before it has read anything of the model.
#[derive(Debug, Serialize, Deserialize)]
pub enum Hello {
    /// It is locked up.
    Ready {
        /// How well.
        strength: Strength,
        /// The engine and its version.
        engine: String,
    },
    /// The engine cannot be started, and why.
    NoEngine(String),
}

/// What became of the model.
#[derive(Debug, Serialize, Deserialize)]
pub enum Loaded {
    /// It can be asked.
    Ready {
        /// Dimensions of each input; `None` is one the model leaves open.
        inputs: Vec<Vec<Option<usize>>>,
        /// What it computes, whatever its file looks like.
        canonical: Digest,
    },
    /// It breaks a rule.
    Refused(RefusalKind, String),
}

/// An answer to one sample: a tensor, or why there is none.
pub type Answer = Result<Tensor, String>;

/// Write one frame and flush it.
pub fn write_frame(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::Error::other("frame too long"))?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(bytes)?;
    to.flush()
}

/// Read one frame of at most `limit` bytes.
pub fn read_frame(from: &mut impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > limit {
        return Err(io::Error::other("frame too long"));
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A JSON message as the content of a frame.
pub fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(message)?)
}

/// Tensors as bytes: how many, then for each its rank, dimensions and values.
pub fn encode_tensors(tensors: &[Tensor]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let number = |n: usize, bytes: &mut Vec<u8>| bytes.extend((n as u32).to_le_bytes());
    number(tensors.len(), &mut bytes);
    for tensor in tensors {
        number(tensor.shape.len(), &mut bytes);
        for &dimension in &tensor.shape {
            number(dimension, &mut bytes);
        }
        let start = bytes.len();
        bytes.resize(start + 4 * tensor.data.len(), 0);
        let places = bytes[start..].chunks_exact_mut(4);
        for (place, value) in places.zip(&tensor.data) {
            place.copy_from_slice(&value.to_le_bytes());
        }
    }
    bytes
}

/// The tensors of [`encode_tensors`], or nothing if the bytes are not of that form.
pub fn decode_tensors(bytes: &[u8]) -> Option<Vec<Tensor>> {
    let mut rest = bytes;
    let count = take_number(&mut rest)?;
    let mut tensors = Vec::new();
    for _ in 0..count {
        let rank = take_number(&mut rest)?;
        let shape = (0..rank)
            .map(|_| take_number(&mut rest))
            .collect::<Option<Vec<usize>>>()?;
        let values = shape
            .iter()
            .try_fold(1usize, |product, &dimension| product.checked_mul(dimension))?;
        let data;
        (data, rest) = rest.split_at_checked(values.checked_mul(4)?)?;
        let data = data
            .chunks_exact(4)
            .map(|value| f32::from_le_bytes([value[0], value[1], value[2], value[3]]))
            .collect();
        tensors.push(Tensor { shape, data });
    }
    rest.is_empty().then_some(tensors)
}

fn take_number(rest: &mut &[u8]) -> Option<usize> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u32::from_le_bytes(*number) as usize)
}

/// An answer as bytes: 0 and a tensor, or 1 and a text.
pub fn encode_answer(answer: &Answer) -> Vec<u8> {
    match answer {
        Ok(tensor) => {
            let mut bytes = vec![0];
            bytes.extend(encode_tensors(std::slice::from_ref(tensor)));
            bytes
        }
        Err(reason) => {
            let mut bytes = vec![1];
            bytes.extend(reason.as_bytes());
            bytes
        }
    }
}

/// The answer of [`encode_answer`], or nothing if the bytes are not of that form.
pub fn decode_answer(bytes: &[u8]) -> Option<Answer> {
    match bytes.split_first()? {
        (0, tensor) => {
            let [tensor] = decode_tensors(tensor)?.try_into().ok()?;
            Some(Ok(tensor))
        }
        (1, reason) => Some(Err(String::from_utf8_lossy(reason).into_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tensors_survive_the_round_trip(shapes in prop::collection::vec(prop::collection::vec(0usize..4, 0..4), 0..4)) {
            let tensors: Vec<Tensor> = shapes.into_iter().map(|shape| {
                let values = shape.iter().product::<usize>();
                Tensor { shape, data: (0..values).map(|i| i as f32).collect() }
            }).collect();
            let back = decode_tensors(&encode_tensors(&tensors)).unwrap();
            prop_assert_eq!(back.len(), tensors.len());
            for (a, b) in back.iter().zip(&tensors) {
                prop_assert_eq!(&a.shape, &b.shape);
                prop_assert_eq!(&a.data, &b.data);
            }
        }

        #[test]
        fn a_child_may_answer_anything(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_answer(&bytes);
        }
    }

    #[test]
    fn a_frame_past_its_limit_is_not_read() {
        let mut frame = Vec::new();
        write_frame(&mut frame, b"hello").unwrap();
        assert_eq!(read_frame(&mut &frame[..], 5).unwrap(), b"hello");
        assert!(read_frame(&mut &frame[..], 4).is_err());
        assert!(read_frame(&mut &frame[..6], 5).is_err());
    }
}

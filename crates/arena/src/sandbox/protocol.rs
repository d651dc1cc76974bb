//! What parent and child say to each other: length-prefixed frames, little endian.
//!
//! Parent to child: a [`Job`] (JSON), the model, then the inputs of one sample after another, each a frame that says their
//! shapes and then, unframed, their values as the machine holds them: an image is megabytes, and is copied once into the pipe
//! and once out of it.
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
/// Most values of a sample's inputs: an image of 1024x1024 and some numbers fit many times.
const MAX_VALUES: usize = 16 << 20;

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

/// The frame that announces inputs.
pub fn encode_shapes(inputs: &[Tensor]) -> io::Result<Vec<u8>> {
    let shapes: Vec<&[usize]> = inputs.iter().map(|tensor| &tensor.shape[..]).collect();
    encode(&shapes)
}

/// The values of a tensor as they follow that frame.
pub fn values(tensor: &Tensor) -> &[u8] {
    bytemuck::cast_slice(&tensor.data)
}

/// Read the inputs of a sample into those of the one before, whose memory is used again.
///
/// # Errors
/// Also when they are not of that form or too many.
pub fn read_inputs(from: &mut impl Read, inputs: &mut Vec<Tensor>) -> io::Result<()> {
    let shapes: Vec<Vec<usize>> = serde_json::from_slice(&read_frame(from, MAX_TEXT)?)?;
    let sizes = shapes.iter().map(|shape| {
        let mut dimensions = shape.iter();
        dimensions.try_fold(1usize, |product, &dimension| product.checked_mul(dimension))
    });
    let sizes: Option<Vec<usize>> = sizes.collect();
    let fits = |sizes: &Vec<usize>| {
        let mut each = sizes.iter();
        let sum = each.try_fold(0usize, |sum, &size| sum.checked_add(size));
        // A sum that is none would be the least of all.
        sum.is_some_and(|sum| sum <= MAX_VALUES)
    };
    let sizes = sizes.filter(fits);
    let sizes = sizes.ok_or_else(|| io::Error::other("inputs too large"))?;
    inputs.resize_with(shapes.len(), || Tensor {
        shape: Vec::new(),
        data: Vec::new(),
    });
    for ((tensor, shape), size) in inputs.iter_mut().zip(shapes).zip(sizes) {
        tensor.shape = shape;
        tensor.data.resize(size, 0.0);
        from.read_exact(bytemuck::cast_slice_mut(&mut tensor.data))?;
    }
    Ok(())
}

fn take_number(rest: &mut &[u8]) -> Option<usize> {
    let (number, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(u32::from_le_bytes(*number) as usize)
}

/// An answer as bytes: 0 and a tensor's rank, dimensions and values, or 1 and a text.
pub fn encode_answer(answer: &Answer) -> Vec<u8> {
    match answer {
        Ok(tensor) => {
            let mut bytes = vec![0];
            bytes.extend((tensor.shape.len() as u32).to_le_bytes());
            let dimensions = tensor.shape.iter();
            bytes.extend(dimensions.flat_map(|&dimension| (dimension as u32).to_le_bytes()));
            bytes.extend(tensor.data.iter().flat_map(|value| value.to_le_bytes()));
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
            let mut rest = tensor;
            let rank = take_number(&mut rest)?;
            let shape = (0..rank)
                .map(|_| take_number(&mut rest))
                .collect::<Option<Vec<usize>>>()?;
            let values = shape
                .iter()
                .try_fold(1usize, |product, &dimension| product.checked_mul(dimension))?;
            let (values_given, odd) = rest.as_chunks();
            let data = values_given.iter().copied().map(f32::from_le_bytes);
            let whole = odd.is_empty() && values_given.len() == values;
            whole.then(|| {
                Ok(Tensor {
                    shape,
                    data: data.collect(),
                })
            })
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
        fn tensors_survive_the_round_trip(samples in prop::collection::vec(prop::collection::vec(prop::collection::vec(0usize..4, 0..4), 0..4), 0..4)) {
            let mut back = Vec::new();
            for (number, shapes) in samples.into_iter().enumerate() {
                let tensors: Vec<Tensor> = shapes.into_iter().map(|shape| {
                    let values = shape.iter().product::<usize>();
                    Tensor { shape, data: (0..values).map(|i| (i + number) as f32).collect() }
                }).collect();
                let mut sent = Vec::new();
                write_frame(&mut sent, &encode_shapes(&tensors).unwrap()).unwrap();
                tensors.iter().for_each(|tensor| sent.extend(values(tensor)));
                let mut rest = &sent[..];
                read_inputs(&mut rest, &mut back).unwrap();
                prop_assert!(rest.is_empty());
                prop_assert_eq!(&back, &tensors);
                if let Some(tensor) = tensors.into_iter().next() {
                    let answer = Ok(tensor);
                    prop_assert_eq!(decode_answer(&encode_answer(&answer)), Some(answer));
                }
            }
        }

        #[test]
        fn a_child_may_answer_anything(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_answer(&bytes);
        }
    }

    #[test]
    fn inputs_past_their_limit_are_not_read() {
        for shapes in [
            vec![vec![MAX_VALUES], vec![1]],
            vec![vec![usize::MAX, 2]],
            vec![vec![usize::MAX], vec![1]],
        ] {
            let mut sent = Vec::new();
            write_frame(&mut sent, &encode(&shapes).unwrap()).unwrap();
            let refused = read_inputs(&mut &sent[..], &mut Vec::new()).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::Other, "{shapes:?}");
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

//! Weights in 16 bits: half the file, the same graph.
//!
//! Matrices and kernels are stored as 16-bit floats and turned back into 32 bits by a `Cast` when the model is loaded;
//! inputs, outputs and all arithmetic stay as they are. Vectors (biases, scales, running statistics) keep 32 bits: they
//! are a hundredth of the file, and a small variance would be lost.

use std::collections::{BTreeMap, BTreeSet};

use crate::Model;
use crate::proto::{AttributeProto, ElementType, NodeProto, TensorError, TensorProto};

/// What a 16-bit initialiser is called after the value it becomes.
const SUFFIX: &str = ".half";

/// The largest 16-bit float.
const MAX: f32 = 65504.0;

/// Why weights cannot be stored in 16 bits.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum HalfError {
    /// A weight is too large for 16 bits, or is not a number.
    #[error("{tensor} holds {value}, which 16 bits cannot hold")]
    Range {
        /// The initialiser.
        tensor: String,
        /// The weight.
        value: f32,
    },
    /// A stored tensor is broken.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

/// The model with its matrices and kernels stored in 16 bits.
///
/// # Errors
/// When a weight does not fit, or a tensor is broken.
pub fn store(model: &Model) -> Result<Model, HalfError> {
    let mut model = model.clone();
    let graph = model.graph_mut();
    let inputs: BTreeSet<&str> = graph.input.iter().map(|i| i.name.as_str()).collect();
    let mut casts = vec![];
    for tensor in &mut graph.initializer {
        let single = tensor.element_type() == Some(ElementType::Float);
        if !single || tensor.dims.len() < 2 || inputs.contains(tensor.name.as_str()) {
            continue;
        }
        let values = tensor.to_f32()?;
        let too_large = |value: &&f32| value.is_nan() || value.abs() > MAX;
        if let Some(&value) = values.iter().find(too_large) {
            let tensor = tensor.name.clone();
            return Err(HalfError::Range { tensor, value });
        }
        let name = std::mem::take(&mut tensor.name);
        let stored = format!("{name}{SUFFIX}");
        *tensor = TensorProto::from_f16(&stored, &tensor.shape()?, &values);
        casts.push(NodeProto {
            name: format!("{stored}.cast"),
            op_type: "Cast".into(),
            input: vec![stored],
            output: vec![name],
            attribute: vec![AttributeProto::from_int("to", ElementType::Float as i64)],
            ..NodeProto::default()
        });
    }
    graph.node.splice(..0, casts);
    Ok(model)
}

/// The model with 32-bit weights again, ready to be trained: the inverse of [`store`] but for the rounding.
///
/// # Errors
/// When a tensor is broken.
pub fn restore(model: &Model) -> Result<Model, HalfError> {
    let mut model = model.clone();
    let graph = model.graph_mut();
    let halves = graph.initializer.iter();
    let halves: BTreeSet<&str> = halves
        .filter(|tensor| tensor.element_type() == Some(ElementType::Float16))
        .map(|tensor| tensor.name.as_str())
        .collect();
    let mut casts: BTreeMap<String, String> = BTreeMap::new();
    graph.node.retain(|node| {
        let cast = node.op_type == "Cast" && node.int("to", 0) == ElementType::Float as i64;
        match (node.input.as_slice(), node.output.as_slice()) {
            ([input], [output]) if cast && halves.contains(input.as_str()) => {
                let first = !casts.contains_key(input);
                if first {
                    casts.insert(input.clone(), output.clone());
                }
                // A second cast of one tensor stays as it is.
                !first
            }
            _ => true,
        }
    });
    for tensor in &mut graph.initializer {
        if let Some(name) = casts.remove(&tensor.name) {
            let values = tensor.to_f32_from_f16()?;
            *tensor = TensorProto::from_f32(&name, &tensor.shape()?, &values);
        }
    }
    Ok(model)
}

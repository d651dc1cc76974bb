//! Weights from elsewhere: safetensors files and PyTorch checkpoints, put into the trunk of a built graph.
//!
//! Files are hostile: sizes are checked before the work, and of a PyTorch checkpoint's pickle only what builds tensors
//! is understood ([`pickle`]); nothing in it is ever executed. What does not fit is an error that names the tensors:
//! a network that is loaded in part would train from a random rest in silence.

mod names;
mod pickle;
mod pytorch;

use std::collections::BTreeMap;

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

use crate::Model;
use crate::architecture::TRUNK;
use crate::proto::{TensorError, TensorProto};

/// The largest file of weights that is read: 1 GiB.
pub const MAX_BYTES: u64 = 1 << 30;

/// Elements of all tensors of a file together.
const MAX_ELEMENTS: usize = 1 << 28;

/// How many names of each kind an error lists.
const LISTED: usize = 12;

/// A tensor of floats from a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Sizes, outermost dimension first.
    pub dims: Vec<usize>,
    /// The elements, row-major.
    pub data: Vec<f32>,
}

/// The float tensors of a file by name.
pub type Tensors = BTreeMap<String, Stored>;

/// Why weights could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum WeightsError {
    /// The file is larger than is read.
    #[error("the file has {0} bytes; at most {MAX_BYTES} are read")]
    TooLarge(u64),
    /// The bytes are neither format.
    #[error(
        "neither a safetensors file nor a PyTorch checkpoint (a zip, as torch.save writes since version 1.6)"
    )]
    Format,
    /// The bytes are broken.
    #[error("{format}: {problem}")]
    Broken {
        /// "safetensors" or "PyTorch checkpoint".
        format: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The names are not those of a known network.
    #[error(
        "holds no EfficientNet, MobileNet, VGG or ResNet of timm or torchvision: none of conv_stem.weight, features.0.0.weight, features.0.weight and conv1.weight is among its {0} tensors"
    )]
    Unknown(usize),
    /// The graph has no trunk.
    #[error("the model has no trunk to load weights into")]
    NoTrunk,
    /// The tensors are not those of this network.
    #[error(
        "the weights are of another network:{}{}{}",
        list("missing", missing),
        list("unexpected", unexpected),
        list("of another shape", shapes)
    )]
    Mismatch {
        /// Tensors that the network has and the file lacks.
        missing: Vec<String>,
        /// Tensors that the file has and the network lacks.
        unexpected: Vec<String>,
        /// Tensors that differ in shape, with both shapes.
        shapes: Vec<String>,
    },
    /// A weight is not a finite number.
    #[error("{0} holds a value that is not a finite number")]
    NotFinite(String),
    /// A tensor of the model is broken.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

fn list(what: &str, names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let shown = names.iter().take(LISTED).map(String::as_str);
    let shown: Vec<&str> = shown.collect();
    let more = match names.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("\n  {} {what}: {}{more}", names.len(), shown.join(", "))
}

/// Reads the float tensors (16, 32 and 64 bits) of a safetensors file or a PyTorch checkpoint. A checkpoint is a
/// dictionary of tensors, or holds one under `state_dict_ema`, `model_ema`, `state_dict` or `model`, taken in this order.
///
/// # Errors
/// When the bytes are too many, of no known format, or broken.
pub fn read(bytes: &[u8]) -> Result<Tensors, WeightsError> {
    let length = bytes.len() as u64;
    if length > MAX_BYTES {
        return Err(WeightsError::TooLarge(length));
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return pytorch::read(bytes).map_err(|problem| WeightsError::Broken {
            format: "PyTorch checkpoint",
            problem,
        });
    }
    // Eight bytes of length, then the header, an object.
    if bytes.get(8) != Some(&b'{') {
        return Err(WeightsError::Format);
    }
    let broken = |problem: String| WeightsError::Broken {
        format: "safetensors",
        problem,
    };
    let file = SafeTensors::deserialize(bytes).map_err(|error| broken(error.to_string()))?;
    let mut tensors = Tensors::new();
    let mut budget = MAX_ELEMENTS;
    for (name, view) in file.tensors() {
        let kind = match view.dtype() {
            Dtype::F16 => Kind::Half,
            Dtype::BF16 => Kind::Brain,
            Dtype::F32 => Kind::Single,
            Dtype::F64 => Kind::Double,
            _ => continue,
        };
        let data = kind.decode(view.data());
        budget = budget
            .checked_sub(data.len())
            .ok_or_else(|| broken(format!("more than {MAX_ELEMENTS} elements")))?;
        let dims = view.shape().to_vec();
        tensors.insert(name, Stored { dims, data });
    }
    Ok(tensors)
}

/// The float types of files, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Half,
    Brain,
    Single,
    Double,
}

impl Kind {
    fn bytes(self) -> usize {
        match self {
            Self::Half | Self::Brain => 2,
            Self::Single => 4,
            Self::Double => 8,
        }
    }

    /// The elements; bytes that do not fill one are left out.
    fn decode(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::Half => decode(bytes, |b| f16::from_le_bytes(b).to_f32()),
            Self::Brain => decode(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            Self::Single => decode(bytes, f32::from_le_bytes),
            Self::Double => decode(bytes, |b| f64::from_le_bytes(b) as f32),
        }
    }
}

fn decode<const N: usize>(bytes: &[u8], element: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|&chunk| element(chunk)).collect()
}

/// Puts the weights of a published EfficientNet, MobileNet, VGG or ResNet, in timm's or torchvision's names, into the
/// trunk of a model. Whatever stands before the names (`module.`, `model.backbone.`) and the classifier are left out.
///
/// # Errors
/// When the tensors are not exactly those of the trunk; the model is then as it was.
pub fn load_trunk(model: &mut Model, tensors: &Tensors) -> Result<(), WeightsError> {
    let tensors = names::ours(tensors).ok_or(WeightsError::Unknown(tensors.len()))?;
    if !has_trunk(model) {
        return Err(WeightsError::NoTrunk);
    }
    let found = tensors.iter();
    let found = found.map(|(name, tensor)| (format!("{TRUNK}{name}"), &**tensor));
    replace(model, found.collect(), |name| name.starts_with(TRUNK))
}

/// Whether a model has a trunk that weights can be loaded into.
pub fn has_trunk(model: &Model) -> bool {
    let mut initialisers = model.graph().initializer.iter();
    initialisers.any(|tensor| tensor.name.starts_with(TRUNK))
}

/// Copies all weights of a model into one that has a place for each of them: the same network for another image size,
/// or the whole of which it is a part.
///
/// # Errors
/// When an initialiser has no place, or one of another shape; `into` is then as it was.
pub fn transfer(from: &Model, into: &mut Model) -> Result<(), WeightsError> {
    let mut tensors = Tensors::new();
    for tensor in &from.graph().initializer {
        let (dims, data) = (tensor.shape()?, tensor.to_f32()?);
        tensors.insert(tensor.name.clone(), Stored { dims, data });
    }
    let found = tensors.iter();
    let found = found.map(|(name, tensor)| (name.clone(), tensor));
    replace(into, found.collect(), |name| tensors.contains_key(name))
}

/// Replaces the data of the wanted initialisers, all or none.
fn replace(
    model: &mut Model,
    mut tensors: BTreeMap<String, &Stored>,
    wanted: impl Fn(&str) -> bool,
) -> Result<(), WeightsError> {
    let (mut missing, mut shapes) = (vec![], vec![]);
    let mut found: Vec<(&mut TensorProto, &Stored)> = vec![];
    let initialisers = model.graph_mut().initializer.iter_mut();
    for initialiser in initialisers.filter(|tensor| wanted(&tensor.name)) {
        let name = &initialiser.name;
        let Some(stored) = tensors.remove(name) else {
            missing.push(name.clone());
            continue;
        };
        let dims = initialiser.shape()?;
        if dims != stored.dims {
            shapes.push(format!("{name} ({:?}, not {dims:?})", stored.dims));
            continue;
        }
        if !stored.data.iter().all(|value| value.is_finite()) {
            return Err(WeightsError::NotFinite(name.clone()));
        }
        found.push((initialiser, stored));
    }
    if !(missing.is_empty() && shapes.is_empty() && tensors.is_empty()) {
        return Err(WeightsError::Mismatch {
            missing,
            unexpected: tensors.into_keys().collect(),
            shapes,
        });
    }
    for (initialiser, stored) in found {
        initialiser.set_f32(&stored.data)?;
    }
    Ok(())
}

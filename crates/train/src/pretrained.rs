//! Pretrained weights of a trunk, from a file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use agon_model::Model;
use agon_model::weights::{self, MAX_BYTES, WeightsError};

/// Why a file's weights could not be used.
#[derive(Debug, thiserror::Error)]
pub enum PretrainedError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its weights do not fit.
    #[error("{}: {source}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        source: WeightsError,
    },
}

/// Puts the weights of a safetensors file or PyTorch checkpoint of one of timm's or torchvision's networks into the
/// trunk of a model ([`weights::load_trunk`]).
///
/// # Errors
/// When the file cannot be read, is larger than [`MAX_BYTES`], or its tensors are not exactly the trunk's; the model
/// is then as it was.
pub fn load_trunk(model: &mut Model, path: &Path) -> Result<(), PretrainedError> {
    let bytes = read(path).map_err(|source| PretrainedError::Read {
        path: path.into(),
        source,
    })?;
    let loaded = weights::read(&bytes).and_then(|tensors| weights::load_trunk(model, &tensors));
    loaded.map_err(|source| PretrainedError::Weights {
        path: path.into(),
        source,
    })
}

/// One byte more than is allowed at most, so that the size is refused with the right words.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

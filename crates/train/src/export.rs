//! Weights into the file, checked in the runtime that will judge it.

use agon_model::half_precision::{self, HalfError};
use agon_model::inference::{LoadError, RunError, Session, Tensor};
use agon_model::proto::TensorError;
use agon_model::{MAX_BYTES, Model};

use crate::engine::{Engine, ExecuteError};
use crate::examples::Batch;
use crate::program::{CompileError, Program, Weights};

/// The largest difference between an output of the trained network and of the file in the judging runtime.
pub const TOLERANCE: f32 = 1e-4;

/// Why no file was written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The graph cannot be executed here.
    #[error("export: {0}")]
    Compile(#[from] CompileError),
    /// The trained network cannot be evaluated on the batch.
    #[error("export: {0}")]
    Execute(#[from] ExecuteError),
    /// A weight does not fit its place.
    #[error("export: {0}")]
    Tensor(#[from] TensorError),
    /// The file would be too large, and its weights do not fit 16 bits.
    #[error("export: {0}")]
    Half(#[from] HalfError),
    /// The graph has no place for a weight.
    #[error("export: the graph has no initialiser {0:?}")]
    MissingTensor(String),
    /// The judging runtime refuses the file.
    #[error("export: the judging runtime cannot load the trained model: {0}")]
    Load(#[from] LoadError),
    /// The judging runtime cannot run the file.
    #[error("export: the judging runtime cannot run the trained model: {0}")]
    Run(#[from] RunError),
    /// The outputs have different shapes.
    #[error("export: the judging runtime gives shape {judged:?}, the trained network {trained:?}")]
    Shape {
        /// The runtime's.
        judged: Vec<usize>,
        /// The network's.
        trained: Vec<usize>,
    },
    /// The file would not be judged as the network that was trained.
    #[error(
        "export: output {index} is {judged} in the judging runtime and {trained} in the trained network; at most {TOLERANCE} apart is allowed"
    )]
    Disagreement {
        /// The position in the output.
        index: usize,
        /// The runtime's value.
        judged: f32,
        /// The network's value.
        trained: f32,
    },
}

/// The bytes of the model with these weights and without what exists only for training.
///
/// The judging runtime runs the bytes on `batch`, and every output agrees within [`TOLERANCE`] with the network in
/// evaluation mode. A file of more than [`MAX_BYTES`], which nobody would read, gets weights of 16 bits; it is compared
/// with the network of the rounded weights.
///
/// # Errors
/// See [`ExportError`].
pub fn export(model: &Model, weights: &Weights, batch: Batch) -> Result<Vec<u8>, ExportError> {
    let (program, _) = Program::compile(model)?;
    let mut finished = model.clone();
    write_back(&mut finished, &program, weights)?;
    finished.strip_training();
    let mut bytes = finished.to_bytes();
    let mut rounded = None;
    if bytes.len() as u64 > MAX_BYTES {
        finished = half_precision::store(&finished)?;
        bytes = finished.to_bytes();
        rounded = Some(Program::compile(&half_precision::restore(&finished)?)?.1);
    }
    drop(finished);
    let weights = rounded.as_ref().unwrap_or(weights);

    let session = Session::load(bytes.clone())?;
    let tensors: Vec<Tensor> = batch
        .inputs
        .iter()
        .map(|array| Tensor {
            shape: array.shape.clone(),
            data: array.data.clone(),
        })
        .collect();
    let judged = session.run(&tensors)?;
    let trained = Engine::new(&program).evaluate(weights, batch.inputs)?;
    if judged.shape != trained.shape {
        return Err(ExportError::Shape {
            judged: judged.shape,
            trained: trained.shape,
        });
    }
    for (index, (&judged, &trained)) in judged.data.iter().zip(&trained.data).enumerate() {
        // A NaN on either side is a disagreement: it has no distance.
        let agrees = (judged - trained).abs() <= TOLERANCE;
        if !agrees {
            return Err(ExportError::Disagreement {
                index,
                judged,
                trained,
            });
        }
    }
    Ok(bytes)
}

/// Replaces the data of everything that training changes.
fn write_back(model: &mut Model, program: &Program, weights: &Weights) -> Result<(), ExportError> {
    let parameters = program.parameters.iter().zip(&weights.parameters);
    let mut values: Vec<(&str, &[f32])> = parameters
        .map(|(p, v)| (p.name.as_str(), v.as_slice()))
        .collect();
    for (statistics, moments) in program.statistics.iter().zip(&weights.statistics) {
        values.push((&statistics.mean, &moments.mean));
        values.push((&statistics.variance, &moments.variance));
    }
    for (name, values) in values {
        let mut tensors = model.graph_mut().initializer.iter_mut();
        let tensor = tensors.find(|tensor| tensor.name == name);
        let tensor = tensor.ok_or_else(|| ExportError::MissingTensor(name.into()))?;
        tensor.set_f32(values)?;
    }
    Ok(())
}

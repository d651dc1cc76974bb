//! Running a model on the CPU.
//!
//! The engine is `rten`: pure Rust, and it answers almost every bad graph with an error. Almost: a giant allocation
//! aborts the process, and time is not bounded. A model from a stranger is therefore run in a child process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rten::{ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::Layout;

use crate::inspect::{Limits, Refusal, inspect};
use crate::model::{Dim, ValueSpec};
use crate::operators;
use crate::proto::ElementType;

/// The engine and its version, for the record of an evaluation.
pub const ENGINE: &str = "rten 0.27.0";

/// An environment variable to be set for a process that runs models, with its value. `rten` creates a pool of threads
/// for the whole process even when every run brings its own; with this the pool has one thread.
pub const ENVIRONMENT: (&str, &str) = ("RTEN_NUM_THREADS", "1");

/// A dense float tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Sizes, outermost dimension first.
    pub shape: Vec<usize>,
    /// The elements; their number is the product of the sizes.
    pub data: Vec<f32>,
}

/// A model that is ready to run, on one thread.
pub struct Session {
    engine: rten::Model,
    threads: Arc<ThreadPool>,
    inputs: Vec<ValueSpec>,
    output: NodeId,
}

/// Why a model cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Inspection does not accept the model.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The engine does not accept what inspection accepted.
    #[error("the engine cannot load the model: {0}")]
    Engine(String),
}

/// Why a run gave no output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The tensors handed over are not what the model declares.
    #[error("{0}")]
    Input(String),
    /// The engine stopped with an error.
    #[error("the model failed: {0}")]
    Engine(String),
    /// The output is not a float tensor.
    #[error("the output is not a tensor of floats")]
    Output,
}

impl Session {
    /// Inspects a model with the default limits and prepares it. The engine is given the inspected messages encoded
    /// anew, so that no ambiguity of the file can make it read another graph.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn load(bytes: Vec<u8>) -> Result<Self, LoadError> {
        let model = inspect(&bytes, &Limits::default())?.model;
        drop(bytes);
        let inputs = model.inputs();
        let encoded = model.to_bytes();
        drop(model);
        let threads = Arc::new(ThreadPool::with_num_threads(1));
        let load = || ModelOptions::with_ops(operators::registry()).load(encoded);
        let engine = guard(|| threads.run(load))
            .map_err(LoadError::Engine)?
            .map_err(|error| LoadError::Engine(error.to_string()))?;
        let &[output, ..] = engine.output_ids() else {
            return Err(LoadError::Engine("it sees no output".into()));
        };
        if engine.input_ids().len() != inputs.len() {
            return Err(LoadError::Engine("it sees other inputs".into()));
        }
        Ok(Self {
            engine,
            threads,
            inputs,
            output,
        })
    }

    /// What the model expects, in the order of [`run`](Self::run)'s argument.
    pub fn input_specs(&self) -> &[ValueSpec] {
        &self.inputs
    }

    /// Runs the model on its inputs, by position, and returns its first output.
    ///
    /// # Errors
    /// See [`RunError`]. Values that are not finite are returned as they are.
    pub fn run(&self, inputs: &[Tensor]) -> Result<Tensor, RunError> {
        if inputs.len() != self.inputs.len() {
            let (given, expected) = (inputs.len(), self.inputs.len());
            let reason = format!("{given} inputs given; the model has {expected}");
            return Err(RunError::Input(reason));
        }
        let mut values: Vec<(NodeId, ValueOrView)> = Vec::with_capacity(inputs.len());
        for ((tensor, spec), &id) in inputs.iter().zip(&self.inputs).zip(self.engine.input_ids()) {
            check_input(tensor, spec)?;
            let value = Value::from_shape(&tensor.shape, tensor.data.clone())
                .map_err(|error| RunError::Input(format!("{}: {error}", spec.name)))?;
            values.push((id, value.into()));
        }
        let options = RunOptions::default().with_thread_pool(Some(self.threads.clone()));
        let outputs = guard(|| self.engine.run(values, &[self.output], Some(options)))
            .map_err(RunError::Engine)?
            .map_err(|error| RunError::Engine(error.to_string()))?;
        match outputs.into_iter().next() {
            Some(Value::FloatTensor(tensor)) => Ok(Tensor {
                shape: tensor.shape().to_vec(),
                data: tensor.into_data(),
            }),
            _ => Err(RunError::Output),
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("inputs", &self.inputs)
            .finish_non_exhaustive()
    }
}

fn check_input(tensor: &Tensor, spec: &ValueSpec) -> Result<(), RunError> {
    let sizes_fit = tensor.shape.len() == spec.dims.len()
        && tensor
            .shape
            .iter()
            .zip(&spec.dims)
            .all(|(size, dim)| match dim {
                Dim::Fixed(expected) => size == expected,
                Dim::Named(_) => true,
            });
    let elements = tensor
        .shape
        .iter()
        .try_fold(1usize, |product, &size| product.checked_mul(size));
    if spec.element_type == ElementType::Float && sizes_fit && elements == Some(tensor.data.len()) {
        return Ok(());
    }
    let reason = format!(
        "a float tensor {:?} of {} values was given for {spec}",
        tensor.shape,
        tensor.data.len()
    );
    Err(RunError::Input(reason))
}

/// Turns a panic of the engine into an error. A session is not changed by a run, so it can be used afterwards.
fn guard<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned());
        format!("the engine panicked: {}", message.unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::ENGINE;

    #[test]
    fn the_recorded_engine_is_the_one_that_is_built_in() {
        let lock = include_str!("../../../Cargo.lock");
        let (_, after) = lock.split_once("name = \"rten\"\nversion = \"").unwrap();
        let (version, _) = after.split_once('"').unwrap();
        assert_eq!(ENGINE, format!("rten {version}"));
    }
}

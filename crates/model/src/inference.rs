//! Running a model on the CPU, on one thread.
//!
//! The engine is `rten` unless a competition names another: pure Rust, and it answers almost every bad graph with an
//! error. Almost: a giant allocation aborts the process, and time is not bounded. The library of ONNX Runtime (feature
//! `onnxruntime`) is faster and is C++. With either, a model from a stranger is run in a child process.

#[cfg(feature = "onnxruntime")]
mod onnxruntime;
mod rten;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::inspect::{Limits, Refusal, inspect};
use crate::model::{Dim, ValueSpec};
use crate::proto::ElementType;

/// Environment variables to be set for a process that runs models, with their values. `rten` creates a pool of threads
/// for the whole process even when every run brings its own; with the first the pool has one thread. The second is
/// [`NO_TELEMETRY`]. The third lets the C library of GNU keep the megabytes that every run takes and gives back: to have
/// them zeroed by the system anew for each operator took a fifth of a run's time.
pub const ENVIRONMENT: [(&str, &str); 3] = [
    ("RTEN_NUM_THREADS", "1"),
    NO_TELEMETRY,
    (
        "GLIBC_TUNABLES",
        "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=1073741824",
    ),
];

/// Keeps official builds of ONNX Runtime from reporting to their maker, with a thread, a file and a connection. Loading
/// its library is refused without it.
pub const NO_TELEMETRY: (&str, &str) = ("ORT_DISABLE_TELEMETRY", "1");

/// What computes. Engines differ in the last bits, so those who must come to the same answers use the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Pure Rust, built in.
    #[default]
    Rten,
    /// The user's shared library of ONNX Runtime; needs the feature `onnxruntime`.
    OnnxRuntime,
}

/// The engine for the record of an evaluation, with its version as far as that is known before it is started.
impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rten => "rten 0.27.0",
            Self::OnnxRuntime => "onnxruntime",
        })
    }
}

/// Why an engine cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// This program has no such engine.
    #[error(
        "this program was built without ONNX Runtime; build it with --features onnxruntime, or use the engine rten"
    )]
    NotBuiltIn,
    /// The shared library is missing or not the right one.
    #[error(
        "the library of ONNX Runtime cannot be used: {0}. `.ci/onnxruntime COMMAND` fetches it and runs the command \
         with it; any other is named in ORT_DYLIB_PATH"
    )]
    Library(String),
}

impl Engine {
    /// Makes the engine ready to load models. Of ONNX Runtime, the shared library is loaded here, once for a process:
    /// the one at `library`, or what the system finds under its usual name.
    ///
    /// # Errors
    /// See [`EngineError`]; `rten` has none.
    pub fn start(self, library: Option<&Path>) -> Result<Runtime, EngineError> {
        match self {
            Self::Rten => Ok(Runtime {
                loader: Loader::Rten,
                name: self.to_string(),
            }),
            #[cfg(feature = "onnxruntime")]
            Self::OnnxRuntime => {
                let library = onnxruntime::Library::load(library).map_err(EngineError::Library)?;
                Ok(Runtime {
                    name: format!("{self} {}", library.build()),
                    loader: Loader::OnnxRuntime(library),
                })
            }
            #[cfg(not(feature = "onnxruntime"))]
            Self::OnnxRuntime => {
                let _ = library;
                Err(EngineError::NotBuiltIn)
            }
        }
    }
}

/// An engine that is ready to load models.
pub struct Runtime {
    loader: Loader,
    name: String,
}

enum Loader {
    Rten,
    #[cfg(feature = "onnxruntime")]
    OnnxRuntime(onnxruntime::Library),
}

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
    graph: Box<dyn Graph>,
    inputs: Vec<ValueSpec>,
}

/// A model as an engine holds it.
trait Graph: Send + Sync {
    /// How many inputs the engine sees.
    fn inputs(&self) -> usize;

    /// Runs the model on inputs that were checked; `specs` are what it declares.
    fn run(&self, inputs: &[Tensor], specs: &[ValueSpec]) -> Result<Tensor, RunError>;
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
    /// There is not enough memory.
    #[error("the engine has not enough memory to load the model")]
    Memory,
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
    /// There is not enough memory. `rten` does not say so but ends the process.
    #[error("the engine has not enough memory to run the model")]
    Memory,
    /// The output is not a float tensor.
    #[error("the output is not a tensor of floats")]
    Output,
}

impl Runtime {
    /// The engine and its version, for the record of an evaluation.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Inspects a model with the default limits and prepares it. The engine is given the inspected messages encoded
    /// anew, so that no ambiguity of the file can make it read another graph.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn load(&self, bytes: Vec<u8>) -> Result<Session, LoadError> {
        let model = inspect(&bytes, &Limits::default())?.model;
        drop(bytes);
        let inputs = model.inputs();
        let encoded = model.to_bytes();
        drop(model);
        let load = || match &self.loader {
            Loader::Rten => rten::load(encoded),
            #[cfg(feature = "onnxruntime")]
            Loader::OnnxRuntime(library) => library.graph(&encoded),
        };
        let graph = guard(load).map_err(LoadError::Engine)??;
        if graph.inputs() != inputs.len() {
            return Err(LoadError::Engine("it sees other inputs".into()));
        }
        Ok(Session { graph, inputs })
    }
}

impl Session {
    /// Inspects a model and prepares it in the default engine; see [`Runtime::load`].
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn load(bytes: Vec<u8>) -> Result<Self, LoadError> {
        let runtime = Engine::default().start(None);
        let runtime = runtime.map_err(|error| LoadError::Engine(error.to_string()))?;
        runtime.load(bytes)
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
        for (tensor, spec) in inputs.iter().zip(&self.inputs) {
            check_input(tensor, spec)?;
        }
        guard(|| self.graph.run(inputs, &self.inputs)).map_err(RunError::Engine)?
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
    use super::Engine;

    #[test]
    fn the_recorded_engine_is_the_one_that_is_built_in() {
        let lock = include_str!("../../../Cargo.lock");
        let (_, after) = lock.split_once("name = \"rten\"\nversion = \"").unwrap();
        let (version, _) = after.split_once('"').unwrap();
        assert_eq!(Engine::Rten.to_string(), format!("rten {version}"));
    }
}

//! The engine in a shared library of ONNX Runtime, loaded while the program runs.
//!
//! One thread that never spins, kernels that repeat themselves, all optimisations of the graph, no arena: what a model
//! needs is taken from the allocator and given back, so a limit on the process is the limit.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::ep;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{self, OutputSelector, RunOptions};
use ort::value::TensorRef;

use super::{Graph, LoadError, NO_TELEMETRY, RunError, Tensor};
use crate::model::ValueSpec;

/// What a program loads when it is told no path.
const USUAL_NAME: &str = "libonnxruntime.so";

/// The library of this process: there can be one, and it stays.
static LIBRARY: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

/// A loaded library.
pub struct Library(Environment);

impl Library {
    /// Loads the library at `path` or under its usual name, unless that has been done.
    pub fn load(path: Option<&Path>) -> Result<Self, String> {
        // It reads this when it is loaded; afterwards is too late.
        let (silence, value) = NO_TELEMETRY;
        if std::env::var(silence).as_deref() != Ok(value) {
            return Err(format!(
                "it would report to its maker unless {silence}={value} is in the environment"
            ));
        }
        let path = path.unwrap_or(Path::new(USUAL_NAME));
        let mut loaded = LIBRARY.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((first, environment)) = &*loaded {
            return match first == path {
                true => Ok(Self(environment.clone())),
                false => Err(format!("{} is loaded already", first.display())),
            };
        }
        let builder = ort::init_from(path).map_err(|error| error.to_string())?;
        let builder = builder.with_name("agon").with_telemetry(false);
        let environment = builder.build().map_err(|error| error.to_string())?;
        *loaded = Some((path.to_owned(), environment.clone()));
        Ok(Self(environment))
    }

    /// The commit it was built from. The release's number is not to be had without unsafe code.
    pub fn build(&self) -> &'static str {
        let after = ort::info().split_once("git-commit-id=");
        let commit = after.and_then(|(_, rest)| rest.split([',', ' ']).next());
        commit.unwrap_or("of unknown build")
    }

    /// A model of encoded messages.
    pub fn graph(&self, encoded: &[u8]) -> Result<Box<dyn Graph>, LoadError> {
        let failed = |error: ort::Error| match out_of_memory(error.message()) {
            true => LoadError::Memory,
            false => LoadError::Engine(error.message().to_owned()),
        };
        let session = self
            .builder()
            .and_then(|mut builder| builder.commit_from_memory(encoded))
            .map_err(failed)?;
        let output = session.outputs().first();
        let output = output.ok_or_else(|| LoadError::Engine("it sees no output".into()))?;
        let selected = OutputSelector::no_default().with(output.name());
        Ok(Box::new(Loaded {
            inputs: session.inputs().len(),
            state: Mutex::new((
                session,
                RunOptions::new().map_err(failed)?.with_outputs(selected),
            )),
        }))
    }

    fn builder(&self) -> ort::Result<SessionBuilder> {
        Ok(SessionBuilder::new(&self.0)?
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?
            .with_parallel_execution(false)?
            .with_deterministic_compute(true)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_execution_providers([ep::CPU::default().with_arena_allocator(false).build()])?)
    }
}

struct Loaded {
    inputs: usize,
    /// A run wants a session for itself.
    state: Mutex<(session::Session, RunOptions<session::HasSelectedOutputs>)>,
}

impl Graph for Loaded {
    fn inputs(&self) -> usize {
        self.inputs
    }

    fn run(&self, inputs: &[Tensor], specs: &[ValueSpec]) -> Result<Tensor, RunError> {
        let failed = |error: ort::Error| match out_of_memory(error.message()) {
            true => RunError::Memory,
            false => RunError::Engine(error.message().to_owned()),
        };
        let mut values = Vec::with_capacity(inputs.len());
        for (tensor, spec) in inputs.iter().zip(specs) {
            let view = TensorRef::from_array_view((tensor.shape.clone(), &tensor.data[..]));
            values.push((spec.name.as_str(), view.map_err(failed)?));
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (session, options) = &mut *state;
        let outputs = session.run_with_options(values, options).map_err(failed)?;
        let output = outputs.values().next().ok_or(RunError::Output)?;
        let (shape, data) = output
            .try_extract_tensor::<f32>()
            .map_err(|_| RunError::Output)?;
        let sizes = shape.iter().map(|&size| usize::try_from(size));
        Ok(Tensor {
            shape: sizes
                .collect::<Result<_, _>>()
                .map_err(|_| RunError::Output)?,
            data: data.to_vec(),
        })
    }
}

/// Whether these are the words of an allocation that failed: the library has no code for it.
fn out_of_memory(message: &str) -> bool {
    ["std::bad_alloc", "Failed to allocate memory"]
        .iter()
        .any(|words| message.contains(words))
}

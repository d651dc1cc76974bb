//! One way through a program: forward, and back with the slopes of the loss.
//!
//! Constants and inputs live outside automatic differentiation and parameters are fresh leaves of every step. So
//! nothing tracked is shared between threads, and no lock of a library is contended.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::backend::Backend;
use super::inputs::Inputs;
use super::operators::{self, BatchMoments};
use super::value::Value;
use super::{ExecuteError, Gradient};
use crate::examples::Array;
use crate::loss::Targets;
use crate::program::{Binary, Moments, Program, Statistics, Step, Unknown, Weights};
use crate::shape::element_count;

/// A program and what computes it.
pub(super) struct Executor<'a, B> {
    pub program: &'a Program,
    pub backend: B,
    /// The bytes that the values of one training pass may take.
    pub memory: u64,
}

/// Training or evaluation.
enum Mode<'a> {
    Training(&'a mut ChaCha8Rng),
    Evaluation,
}

/// The values of one pass.
struct Pass<'a, B: Backend> {
    backend: &'a B,
    values: Vec<Option<Value<B::Tensor>>>,
    moments: BatchMoments<B::Tensor>,
    /// The step being executed, for messages.
    at: &'a Cell<usize>,
    /// The bytes that are kept until the way back, and how many there may be.
    kept: u64,
    memory: u64,
}

impl<B: Backend> Executor<'_, B> {
    pub fn gradient(
        &self,
        weights: &Weights,
        inputs: Vec<Array>,
        targets: &Targets<'_>,
        masks: &mut ChaCha8Rng,
    ) -> Result<Gradient, ExecuteError> {
        self.guarded(|at| {
            let backend = &self.backend;
            let mut pass = self.start(inputs, at)?;
            let mut leaves = Vec::with_capacity(weights.parameters.len());
            for (parameter, data) in self.program.parameters.iter().zip(&weights.parameters) {
                let mut float = backend.upload(data.clone(), &parameter.dims);
                if parameter.frozen {
                    leaves.push(None);
                } else {
                    float = backend.leaf(float);
                    leaves.push(Some(float.clone()));
                }
                pass.values[parameter.slot] = Some(Value::Float(float));
            }
            pass.place_statistics(self.program, weights, |statistics| statistics.frozen);
            let steps = &self.program.steps[..self.program.training_steps];
            pass.run(steps, &mut Mode::Training(masks))?;
            let logits = pass.take(self.program.logits, "the logits")?;
            let dims = backend.dims(&logits);
            if dims != targets.shape() {
                return Err(ExecuteError::Input(format!(
                    "the logits have shape {dims:?}; the targets, [batch, classes], {:?}",
                    targets.shape()
                )));
            }
            let host = self.read(backend.detached(logits.clone()), "the logits")?;
            let (loss, slopes) = targets.judge(&host);
            let slopes = backend.upload(slopes, &dims);
            let mut gradients = backend.backward(logits, slopes);
            let moments = std::mem::take(&mut pass.moments);
            drop(pass);
            let mut parameters = Vec::with_capacity(leaves.len());
            for (leaf, parameter) in leaves.into_iter().zip(&self.program.parameters) {
                let Some(leaf) = leaf else {
                    parameters.push(vec![]);
                    continue;
                };
                parameters.push(match backend.gradient(leaf, &mut gradients) {
                    Some(gradient) => self.read(gradient, &parameter.name)?,
                    None => vec![0.0; element_count(&parameter.dims)],
                });
            }
            Ok(Gradient {
                loss,
                parameters,
                statistics: self.moments(moments)?,
            })
        })
    }

    pub fn evaluate(&self, weights: &Weights, inputs: Vec<Array>) -> Result<Array, ExecuteError> {
        self.guarded(|at| {
            let mut pass = self.start(inputs, at)?;
            let program = self.program;
            for (parameter, data) in program.parameters.iter().zip(&weights.parameters) {
                let float = self.backend.upload(data.clone(), &parameter.dims);
                pass.values[parameter.slot] = Some(Value::Float(float));
            }
            pass.place_statistics(program, weights, |_| true);
            pass.run(&program.steps, &mut Mode::Evaluation)?;
            let output = pass.take(program.output, "the output")?;
            let shape = self.backend.dims(&output);
            let data = self.read(output, "the output")?;
            Ok(Array { shape, data })
        })
    }

    /// Runs `work`; a panic of the library becomes an error that names the node.
    fn guarded<T>(
        &self,
        work: impl FnOnce(&Cell<usize>) -> Result<T, ExecuteError>,
    ) -> Result<T, ExecuteError> {
        let at = Cell::new(usize::MAX);
        let work = || {
            self.backend.enter();
            work(&at)
        };
        // Everything the closure changes is dropped with it.
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
            let message = panic_message(&*panic);
            let step = self.program.steps.get(at.get());
            let node = step.map_or_else(|| "gradients".into(), |step| step.label.clone());
            Err(match is_lack_of_memory(&message) {
                true => ExecuteError::Memory(node),
                false => ExecuteError::Engine { node, message },
            })
        })
    }

    /// A pass with constants and inputs in place.
    fn start<'b>(
        &'b self,
        inputs: Vec<Array>,
        at: &'b Cell<usize>,
    ) -> Result<Pass<'b, B>, ExecuteError> {
        let program = self.program;
        let mut values = vec![None; program.slots];
        for (slot, constant) in &program.constants {
            values[*slot] = Some(Value::of_constant(constant, &self.backend));
        }
        if inputs.len() != program.inputs.len() {
            return Err(ExecuteError::Input(format!(
                "the batch has {} arrays and the graph {} inputs",
                inputs.len(),
                program.inputs.len()
            )));
        }
        for (array, input) in inputs.into_iter().zip(&program.inputs) {
            let fits = array.shape.len() == input.dims.len()
                && array
                    .shape
                    .iter()
                    .zip(&input.dims)
                    .all(|(&have, want)| want.is_none_or(|want| want == have))
                && element_count(&array.shape) == array.data.len();
            if !fits || array.data.is_empty() {
                return Err(ExecuteError::Input(format!(
                    "input {:?} wants {:?} (None: any size) and was given {:?} with {} elements",
                    input.name,
                    input.dims,
                    array.shape,
                    array.data.len()
                )));
            }
            let float = self.backend.upload(array.data, &array.shape);
            values[input.slot] = Some(Value::Float(float));
        }
        Ok(Pass {
            backend: &self.backend,
            values,
            moments: BatchMoments::new(),
            at,
            kept: 0,
            memory: self.memory,
        })
    }

    /// The statistics of the batch, in the program's order.
    fn moments(&self, moments: BatchMoments<B::Tensor>) -> Result<Vec<Moments>, ExecuteError> {
        let nothing = || Moments {
            mean: vec![],
            variance: vec![],
        };
        let statistics = self.program.statistics.iter();
        let mut ordered: Vec<_> = statistics.map(|s| s.frozen.then(nothing)).collect();
        for (index, [mean, variance]) in moments {
            ordered[index] = Some(Moments {
                mean: self.read(self.backend.detached(mean), "a batch mean")?,
                variance: self.read(self.backend.detached(variance), "a batch variance")?,
            });
        }
        // A normalisation that was not run in training follows the logits; there is nothing to learn in it.
        let kept = |(moments, statistics): (Option<Moments>, &Statistics)| {
            moments
                .ok_or_else(|| ExecuteError::Input(format!("{} is not trained", statistics.mean)))
        };
        ordered
            .into_iter()
            .zip(&self.program.statistics)
            .map(kept)
            .collect()
    }

    fn read(&self, tensor: B::Tensor, what: &str) -> Result<Vec<f32>, ExecuteError> {
        let read = self.backend.download(tensor);
        read.map_err(|message| ExecuteError::Engine {
            node: format!("reading {what}"),
            message,
        })
    }
}

/// What a panic says.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
    message.unwrap_or("no message").to_owned()
}

/// Whether a library gave up because there was no memory left, by what the libraries are known to say.
fn is_lack_of_memory(message: &str) -> bool {
    let message = message.to_lowercase();
    [
        "out of memory",
        "can't allocate memory",
        "outofmemory",
        "out_of_memory",
    ]
    .iter()
    .any(|words| message.contains(words))
}

impl<B: Backend> Pass<'_, B> {
    /// Puts the wanted running statistics in place.
    fn place_statistics(
        &mut self,
        program: &Program,
        weights: &Weights,
        wanted: impl Fn(&Statistics) -> bool,
    ) {
        let statistics = program.statistics.iter().zip(&weights.statistics);
        for (statistics, moments) in statistics.filter(|(statistics, _)| wanted(statistics)) {
            for (slot, data) in statistics
                .slots
                .iter()
                .zip([&moments.mean, &moments.variance])
            {
                let float = self.backend.upload(data.clone(), &[data.len()]);
                self.values[*slot] = Some(Value::Float(float));
            }
        }
    }

    fn run(&mut self, steps: &[Step], mode: &mut Mode<'_>) -> Result<(), ExecuteError> {
        for (index, step) in steps.iter().enumerate() {
            self.at.set(index);
            let fail = |reason| ExecuteError::Node {
                node: step.label.clone(),
                reason,
            };
            let mut inputs = Inputs::new(self.backend, &step.inputs, &mut self.values);
            let value = match mode {
                Mode::Training(masks) if !step.frozen => {
                    let moments = Some(&mut self.moments);
                    let value = operators::lower(&step.operation, &mut inputs, moments);
                    let value = value.and_then(|value| self.trained(value, step, masks));
                    let value = value.map_err(fail)?;
                    self.keep(&value, step)?;
                    value
                }
                _ => operators::lower(&step.operation, &mut inputs, None).map_err(fail)?,
            };
            self.values[step.output] = Some(value);
        }
        self.at.set(usize::MAX);
        Ok(())
    }

    /// Counts a value that is needed again on the way back.
    fn keep(&mut self, value: &Value<B::Tensor>, step: &Step) -> Result<(), ExecuteError> {
        if let Value::Float(float) = value {
            let bytes = 4 * element_count(&self.backend.dims(float)) as u64;
            self.kept = self.kept.saturating_add(bytes);
        }
        match self.kept > self.memory {
            true => Err(ExecuteError::Memory(step.label.clone())),
            false => Ok(()),
        }
    }

    fn take(&mut self, slot: usize, what: &str) -> Result<B::Tensor, ExecuteError> {
        match self.values[slot].take() {
            Some(Value::Float(float)) => Ok(float),
            _ => Err(ExecuteError::Input(format!("{what} are not floats"))),
        }
    }

    /// The train-only behaviour of a node: hiding of answers, dropout of elements, then of whole samples.
    fn trained(
        &self,
        value: Value<B::Tensor>,
        step: &Step,
        masks: &mut ChaCha8Rng,
    ) -> Result<Value<B::Tensor>, String> {
        let Value::Float(mut float) = value else {
            return Ok(value);
        };
        let dims = self.backend.dims(&float);
        if let Some(unknown) = &step.unknown {
            float = self.hidden(float, unknown, masks)?;
        }
        let mut apply = |float: B::Tensor, probability: f32, shape: &[usize]| {
            let keep = 1.0 - probability;
            let mask = (0..element_count(shape))
                .map(|_| {
                    if masks.random::<f32>() < probability {
                        0.0
                    } else {
                        1.0 / keep
                    }
                })
                .collect();
            let mask = self.backend.upload(mask, shape);
            self.backend.binary(Binary::Mul, float, mask)
        };
        if step.dropout > 0.0 {
            float = apply(float, step.dropout, &dims);
        }
        if step.drop_path > 0.0 && !dims.is_empty() {
            let mut shape = vec![1; dims.len()];
            shape[0] = dims[0];
            float = apply(float, step.drop_path, &shape);
        }
        Ok(Value::Float(float))
    }

    /// Columns replaced with what stands for a missing answer.
    fn hidden(
        &self,
        float: B::Tensor,
        unknown: &Unknown,
        masks: &mut ChaCha8Rng,
    ) -> Result<B::Tensor, String> {
        let dims = self.backend.dims(&float);
        let columns = unknown.values.len();
        if dims.len() != 2 || dims[1] != columns {
            return Err(format!(
                "hides {columns} columns of a value of shape {dims:?}"
            ));
        }
        let mut kept = vec![1.0; dims[0] * columns];
        let mut written = vec![0.0; dims[0] * columns];
        for (index, (kept, written)) in kept.iter_mut().zip(&mut written).enumerate() {
            if masks.random::<f32>() < unknown.probability {
                *kept = 0.0;
                *written = unknown.values[index % columns];
            }
        }
        let kept = self.backend.upload(kept, &dims);
        let written = self.backend.upload(written, &dims);
        let float = self.backend.binary(Binary::Mul, float, kept);
        Ok(self.backend.binary(Binary::Add, float, written))
    }
}

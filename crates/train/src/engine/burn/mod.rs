//! Execution on [Burn](https://burn.dev): forward passes, and gradients by its automatic differentiation.
//!
//! Constants and inputs live outside automatic differentiation and parameters are fresh leaves of every step. So
//! nothing tracked is shared between threads, and Burn's graph lock is never contended.

mod inputs;
mod operators;
mod resize;
mod value;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ::burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use self::inputs::Inputs;
use self::operators::BatchMoments;
use self::value::{Float, Value};
use crate::examples::{Array, Unavailable};
use crate::loss::Targets;
use crate::program::{Moments, Program, Statistics, Step, Unknown, Weights};
use crate::shape::element_count;

/// A program with its constants on the device.
pub struct Engine<'a> {
    program: &'a Program,
    device: Device,
    constants: Vec<(usize, Value)>,
}

/// What one training step of one shard yields.
#[derive(Clone, Debug)]
pub struct Gradient {
    /// The loss.
    pub loss: f64,
    /// Its derivative by every parameter, in the program's order; empty for a frozen one.
    pub parameters: Vec<Vec<f32>>,
    /// Mean and population variance of the batch, for every batch normalisation; empty for a frozen one.
    pub statistics: Vec<Moments>,
}

/// Why a program could not be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecuteError {
    /// The batch does not fill the program's inputs.
    #[error("{0}")]
    Input(String),
    /// A sample of the batch cannot be had.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// A node cannot compute with what it was given.
    #[error("{node}: {reason}")]
    Node {
        /// The node.
        node: String,
        /// What does not fit.
        reason: String,
    },
    /// The engine gave up inside a node; its checks came before ours.
    #[error("{node}: the engine failed: {message}")]
    Engine {
        /// The node, or the phase.
        node: String,
        /// What the engine said.
        message: String,
    },
}

/// Training or evaluation.
enum Mode<'a> {
    Training(&'a mut ChaCha8Rng),
    Evaluation,
}

/// The values of one pass.
struct Pass<'a> {
    values: Vec<Option<Value>>,
    moments: BatchMoments,
    /// The step being executed, for messages.
    at: &'a Cell<usize>,
}

impl<'a> Engine<'a> {
    /// Prepares a program for the CPU.
    pub fn new(program: &'a Program) -> Self {
        let device = Device::flex();
        let constants = program.constants.iter();
        let constants = constants
            .map(|(slot, constant)| (*slot, Value::from_constant(constant, &device)))
            .collect();
        Self {
            program,
            device,
            constants,
        }
    }

    /// What it executes.
    pub fn program(&self) -> &'a Program {
        self.program
    }

    /// The gradient of the loss on one batch in training mode.
    ///
    /// Batch normalisations use the statistics of the batch; train-only dropout draws its masks from `masks`. What is
    /// frozen runs as in evaluation and outside automatic differentiation.
    ///
    /// # Errors
    /// When the batch does not fit the program, or a node what it is given.
    pub fn gradient(
        &self,
        weights: &Weights,
        inputs: Vec<Array>,
        targets: &Targets<'_>,
        masks: &mut ChaCha8Rng,
    ) -> Result<Gradient, ExecuteError> {
        self.guarded(|at| {
            let mut pass = self.start(inputs, at)?;
            let mut leaves = Vec::with_capacity(weights.parameters.len());
            for (parameter, data) in self.program.parameters.iter().zip(&weights.parameters) {
                let mut float = Float::from_host(data.clone(), &parameter.dims, &self.device);
                if parameter.frozen {
                    leaves.push(None);
                } else {
                    float = float.into_leaf();
                    leaves.push(Some(float.clone()));
                }
                pass.values[parameter.slot] = Some(Value::Float(float));
            }
            pass.place_statistics(self, weights, |statistics| statistics.frozen);
            let steps = &self.program.steps[..self.program.training_steps];
            pass.run(steps, &mut Mode::Training(masks))?;
            let logits = pass.take_matrix(self.program.logits, "the logits")?;
            if logits.dims() != targets.shape() {
                return Err(ExecuteError::Input(format!(
                    "the logits have shape {:?} and the targets {:?}",
                    logits.dims(),
                    targets.shape()
                )));
            }
            let host = read(Float::Rank2(logits.clone().inner()), "the logits")?;
            let (loss, slopes) = targets.judge(&host);
            let slopes = TensorData::new(slopes, logits.dims());
            let slopes = Tensor::<2>::from_data(slopes, &self.device);
            let mut gradients = (logits * slopes).sum().backward();
            let moments = std::mem::take(&mut pass.moments);
            drop(pass);
            let mut parameters = Vec::with_capacity(leaves.len());
            for (leaf, parameter) in leaves.into_iter().zip(&self.program.parameters) {
                let Some(leaf) = leaf else {
                    parameters.push(vec![]);
                    continue;
                };
                let gradient = gradient_of(leaf, &mut gradients);
                parameters.push(match gradient {
                    Some(gradient) => read(gradient, &parameter.name)?,
                    None => vec![0.0; parameter.dims.iter().product()],
                });
            }
            Ok(Gradient {
                loss,
                parameters,
                statistics: self.moments(moments)?,
            })
        })
    }

    /// The graph's output in evaluation mode: its shape and its elements.
    ///
    /// # Errors
    /// When the batch does not fit the program, or a node what it is given.
    pub fn evaluate(&self, weights: &Weights, inputs: Vec<Array>) -> Result<Array, ExecuteError> {
        self.guarded(|at| {
            let mut pass = self.start(inputs, at)?;
            let program = self.program;
            for (parameter, data) in program.parameters.iter().zip(&weights.parameters) {
                let float = Float::from_host(data.clone(), &parameter.dims, &self.device);
                pass.values[parameter.slot] = Some(Value::Float(float));
            }
            pass.place_statistics(self, weights, |_| true);
            pass.run(&program.steps, &mut Mode::Evaluation)?;
            let output = pass.take(program.output, "the output")?;
            let shape = output.dims();
            let data = read(output, "the output")?;
            Ok(Array { shape, data })
        })
    }

    /// Runs `work`; a panic of the engine becomes an error that names the node.
    fn guarded<T>(
        &self,
        work: impl FnOnce(&Cell<usize>) -> Result<T, ExecuteError>,
    ) -> Result<T, ExecuteError> {
        let at = Cell::new(usize::MAX);
        // Everything the closure changes is dropped with it.
        catch_unwind(AssertUnwindSafe(|| work(&at))).unwrap_or_else(|panic| {
            let message = panic.downcast_ref::<String>().cloned();
            let message = message.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            let step = self.program.steps.get(at.get());
            Err(ExecuteError::Engine {
                node: step.map_or_else(|| "gradients".into(), |step| step.label.clone()),
                message: message.unwrap_or_else(|| "no message".into()),
            })
        })
    }

    /// A pass with constants and inputs in place.
    fn start<'b>(&self, inputs: Vec<Array>, at: &'b Cell<usize>) -> Result<Pass<'b>, ExecuteError> {
        let program = self.program;
        let mut values = vec![None; program.slots];
        for (slot, constant) in &self.constants {
            values[*slot] = Some(constant.clone());
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
            let float = Float::from_host(array.data, &array.shape, &self.device);
            values[input.slot] = Some(Value::Float(float));
        }
        Ok(Pass {
            values,
            moments: BatchMoments::new(),
            at,
        })
    }

    /// The statistics of the batch, in the program's order.
    fn moments(&self, moments: BatchMoments) -> Result<Vec<Moments>, ExecuteError> {
        let nothing = || Moments {
            mean: vec![],
            variance: vec![],
        };
        let statistics = self.program.statistics.iter();
        let mut ordered: Vec<_> = statistics.map(|s| s.frozen.then(nothing)).collect();
        for (index, mean, variance) in moments {
            ordered[index] = Some(Moments {
                mean: read(Float::Rank1(mean.inner()), "a batch mean")?,
                variance: read(Float::Rank1(variance.inner()), "a batch variance")?,
            });
        }
        // A normalisation that was not run in training follows the logits; there is nothing to learn in it.
        let kept = |(moments, statistics): (Option<Moments>, &crate::program::Statistics)| {
            moments
                .ok_or_else(|| ExecuteError::Input(format!("{} is not trained", statistics.mean)))
        };
        ordered
            .into_iter()
            .zip(&self.program.statistics)
            .map(kept)
            .collect()
    }
}

impl Pass<'_> {
    /// Puts the wanted running statistics in place.
    fn place_statistics(
        &mut self,
        engine: &Engine<'_>,
        weights: &Weights,
        wanted: impl Fn(&Statistics) -> bool,
    ) {
        let statistics = engine.program.statistics.iter().zip(&weights.statistics);
        for (statistics, moments) in statistics.filter(|(statistics, _)| wanted(statistics)) {
            for (slot, data) in statistics
                .slots
                .iter()
                .zip([&moments.mean, &moments.variance])
            {
                let float = Float::from_host(data.clone(), &[data.len()], &engine.device);
                self.values[*slot] = Some(Value::Float(float));
            }
        }
    }

    fn run(&mut self, steps: &[Step], mode: &mut Mode<'_>) -> Result<(), ExecuteError> {
        for (index, step) in steps.iter().enumerate() {
            self.at.set(index);
            let mut inputs = Inputs::new(&step.inputs, &mut self.values);
            let moments = match mode {
                Mode::Training(_) if !step.frozen => Some(&mut self.moments),
                _ => None,
            };
            let value = operators::lower(&step.operation, &mut inputs, moments);
            let value = value.map_err(|reason| ExecuteError::Node {
                node: step.label.clone(),
                reason,
            })?;
            let value = match mode {
                Mode::Training(masks) if !step.frozen => trained(value, step, masks),
                _ => Ok(value),
            };
            let value = value.map_err(|reason| ExecuteError::Node {
                node: step.label.clone(),
                reason,
            })?;
            self.values[step.output] = Some(value);
        }
        self.at.set(usize::MAX);
        Ok(())
    }

    fn take(&mut self, slot: usize, what: &str) -> Result<Float, ExecuteError> {
        match self.values[slot].take() {
            Some(Value::Float(float)) => Ok(float),
            _ => Err(ExecuteError::Input(format!("{what} are not floats"))),
        }
    }

    fn take_matrix(&mut self, slot: usize, what: &str) -> Result<Tensor<2>, ExecuteError> {
        match self.take(slot, what)? {
            Float::Rank2(tensor) => Ok(tensor),
            other => Err(ExecuteError::Input(format!(
                "{what} have shape {:?}; a classifier's are [batch, classes]",
                other.dims()
            ))),
        }
    }
}

/// The train-only behaviour of a node: hiding of answers, dropout of elements, then of whole samples.
fn trained(value: Value, step: &Step, masks: &mut ChaCha8Rng) -> Result<Value, String> {
    let Value::Float(mut float) = value else {
        return Ok(value);
    };
    let dims = float.dims();
    if let Some(unknown) = &step.unknown {
        float = hidden(float, unknown, masks)?;
    }
    let mut apply = |float: Float, probability: f32, shape: &[usize]| {
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
        let mask = Float::from_host(mask, shape, &Device::flex());
        operators::multiply(float, mask)
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
fn hidden(float: Float, unknown: &Unknown, masks: &mut ChaCha8Rng) -> Result<Float, String> {
    let dims = float.dims();
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
    let device = Device::flex();
    let float = operators::multiply(float, Float::from_host(kept, &dims, &device));
    Ok(operators::add(
        float,
        Float::from_host(written, &dims, &device),
    ))
}

fn gradient_of(leaf: Float, gradients: &mut ::burn::tensor::Gradients) -> Option<Float> {
    Some(match leaf {
        Float::Rank0(tensor) => Float::Rank0(tensor.grad_remove(gradients)?),
        Float::Rank1(tensor) => Float::Rank1(tensor.grad_remove(gradients)?),
        Float::Rank2(tensor) => Float::Rank2(tensor.grad_remove(gradients)?),
        Float::Rank3(tensor) => Float::Rank3(tensor.grad_remove(gradients)?),
        Float::Rank4(tensor) => Float::Rank4(tensor.grad_remove(gradients)?),
        Float::Rank5(tensor) => Float::Rank5(tensor.grad_remove(gradients)?),
    })
}

fn read(float: Float, what: &str) -> Result<Vec<f32>, ExecuteError> {
    float.into_host().map_err(|message| ExecuteError::Engine {
        node: format!("reading {what}"),
        message,
    })
}

//! What executes a [`Program`].
//!
//! An engine is given plain buffers (weights, a batch, targets) and returns plain buffers (gradients, statistics,
//! outputs), so that the types of the library behind it stay inside. All engines share one way through a program
//! (`pass`) and one lowering of its operators (`operators`); what they differ in is a `Backend`: a library's dense
//! tensors with automatic differentiation.

mod backend;
mod burn;
mod inputs;
#[cfg(feature = "libtorch")]
mod libtorch;
mod operators;
mod pass;
mod resize;
mod value;

use std::fmt;

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use self::burn::Burn;
#[cfg(feature = "libtorch")]
use self::libtorch::Libtorch;
use self::pass::Executor;
use crate::examples::{Array, Unavailable};
use crate::loss::Targets;
use crate::program::{Moments, Program, Weights};

/// Which library computes, and on what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// Burn on the processor: the default, and the only one that needs nothing else on the machine.
    #[default]
    Processor,
    /// Burn on a graphics card of this number, by CUDA (feature `cuda`).
    Cuda(usize),
    /// Burn on a graphics card of this number, by Vulkan, Metal or DirectX (feature `wgpu`).
    Wgpu(usize),
    /// Libtorch on the processor (feature `libtorch`).
    Libtorch,
    /// Libtorch on a graphics card of this number (feature `libtorch`).
    LibtorchCuda(usize),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Processor => write!(f, "the processor"),
            Self::Cuda(index) => write!(f, "CUDA device {index}"),
            Self::Wgpu(index) => write!(f, "graphics card {index}"),
            Self::Libtorch => write!(f, "the processor by libtorch"),
            Self::LibtorchCuda(index) => write!(f, "CUDA device {index} by libtorch"),
        }
    }
}

/// Why a device cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// This binary was built without it.
    #[error("{device} is not built in; build with `--features {feature}`")]
    NotBuilt {
        /// The device.
        device: Device,
        /// The feature that brings it.
        feature: &'static str,
    },
    /// The machine does not have it.
    #[error("{device} is not there: {reason}")]
    Absent {
        /// The device.
        device: Device,
        /// What the library says.
        reason: String,
    },
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
    /// The values of this many samples do not fit into memory; the node is where it ended.
    #[error(
        "{0}: one sample does not fit into memory; take smaller images or a smaller network, or allow more memory"
    )]
    Memory(String),
    /// The library gave up inside a node; its checks came before ours.
    #[error("{node}: the engine failed: {message}")]
    Engine {
        /// The node, or the phase.
        node: String,
        /// What the library said.
        message: String,
    },
}

/// A program on a device.
pub struct Engine<'a>(Kind<'a>);

enum Kind<'a> {
    Burn(Executor<'a, Burn>),
    #[cfg(feature = "libtorch")]
    Libtorch(Executor<'a, Libtorch>),
}

/// Evaluates one expression with the executor of whatever kind.
macro_rules! with_executor {
    ($engine:expr, $executor:ident => $body:expr) => {
        match $engine {
            Kind::Burn($executor) => $body,
            #[cfg(feature = "libtorch")]
            Kind::Libtorch($executor) => $body,
        }
    };
}

impl<'a> Engine<'a> {
    /// Prepares a program for Burn on the processor.
    pub fn new(program: &'a Program) -> Self {
        Self(Kind::Burn(executor(program, Burn::processor())))
    }

    /// Prepares a program for a device.
    ///
    /// # Errors
    /// When the device is not built in, or not there.
    pub fn on(program: &'a Program, device: Device) -> Result<Self, DeviceError> {
        match device {
            Device::Processor => Ok(Self::new(program)),
            Device::Cuda(_) | Device::Wgpu(_) => {
                let burn = Burn::card(device)?;
                Ok(Self(Kind::Burn(executor(program, burn))))
            }
            #[cfg(feature = "libtorch")]
            Device::Libtorch | Device::LibtorchCuda(_) => {
                let libtorch = Libtorch::new(device)?;
                Ok(Self(Kind::Libtorch(executor(program, libtorch))))
            }
            #[cfg(not(feature = "libtorch"))]
            Device::Libtorch | Device::LibtorchCuda(_) => Err(DeviceError::NotBuilt {
                device,
                feature: "libtorch",
            }),
        }
    }

    /// The same with so many bytes at most for the values that one training pass keeps until its way back.
    #[must_use]
    pub fn with_memory(mut self, bytes: u64) -> Self {
        with_executor!(&mut self.0, executor => executor.memory = bytes);
        self
    }

    /// What it executes.
    pub fn program(&self) -> &'a Program {
        with_executor!(&self.0, executor => executor.program)
    }

    /// The gradient of the loss on one batch in training mode.
    ///
    /// Batch normalisations use the statistics of the batch; train-only dropout draws its masks from `masks`. What is
    /// frozen runs as in evaluation and outside automatic differentiation.
    ///
    /// # Errors
    /// When the batch does not fit the program or into memory, or a node what it is given.
    pub fn gradient(
        &self,
        weights: &Weights,
        inputs: Vec<Array>,
        targets: &Targets<'_>,
        masks: &mut ChaCha8Rng,
    ) -> Result<Gradient, ExecuteError> {
        with_executor!(&self.0, executor => executor.gradient(weights, inputs, targets, masks))
    }

    /// The graph's output in evaluation mode: its shape and its elements.
    ///
    /// # Errors
    /// When the batch does not fit the program, or a node what it is given.
    pub fn evaluate(&self, weights: &Weights, inputs: Vec<Array>) -> Result<Array, ExecuteError> {
        with_executor!(&self.0, executor => executor.evaluate(weights, inputs))
    }
}

fn executor<B>(program: &Program, backend: B) -> Executor<'_, B> {
    Executor {
        program,
        backend,
        memory: u64::MAX,
    }
}

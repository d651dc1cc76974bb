//! Learning: any supported ONNX graph is trained by executing it with gradients, and exported by writing the weights
//! back into the same graph.
//!
//! - [`program`]: a graph compiled once into numbered slots and parsed operators; knows no engine.
//! - [`engine`]: what executes a program, on Burn or by feature on libtorch; everything it is given and returns is a
//!   plain buffer, so that the types of these libraries stay inside.
//! - [`init`]: initial weights; [`pretrained`]: weights from a file. [`loss`]: what is minimised. [`examples`]: where
//!   samples come from.
//! - [`fit`]: the loop, with its [`options`], [`optimiser`] and [`checkpoint`]s; [`tensorboard`] shows it.
//! - [`export`]: weights into the file, checked in the judging runtime.
//!
//! It refuses to know where samples come from, what is done with a trained file, and anything of the network. It is
//! not a sandbox: a graph from outside is inspected before it comes here and trained in a process of its own.

pub mod checkpoint;
pub mod engine;
pub mod examples;
pub mod export;
mod features;
pub mod fit;
pub mod init;
pub mod loss;
mod memory;
mod mixup;
pub mod optimiser;
pub mod options;
pub mod pretrained;
pub mod program;
mod sampler;
mod seed;
mod shape;
pub mod tensorboard;
mod workers;

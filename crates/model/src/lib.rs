//! A model as a file.
//!
//! Every network in Agon is an ONNX graph: read from a file ([`Model`]), built here ([`builder`], [`architecture`]),
//! trained elsewhere and written back into the same graph. This crate reads and writes such files, takes weights from
//! files of other kinds ([`weights`]), halves their size ([`half_precision`]), cuts a graph at its features ([`split`]),
//! says what it refuses in a stranger's file and why ([`inspect`]), names a file by its digest ([`digest`]) and what it
//! computes by another ([`canonical`]), runs it ([`inference`]) and measures predictions ([`metrics`]).
//!
//! It refuses to train, to open files or the network, and to promise that a stranger's graph is cheap to run: that
//! needs a process with limits around it.

pub mod architecture;
pub mod builder;
pub mod canonical;
pub mod digest;
pub mod half_precision;
pub mod inference;
pub mod inspect;
pub mod metrics;
mod model;
pub mod operators;
pub mod proto;
pub mod split;
pub mod training_attributes;
pub mod weights;
mod wire;

pub use model::{Dim, MAX_BYTES, Model, ReadError, ValueSpec};

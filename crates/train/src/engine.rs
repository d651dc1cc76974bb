//! What executes a [`Program`](crate::program::Program).
//!
//! An engine is given plain buffers (weights, a batch, targets) and returns plain buffers (gradients, statistics,
//! outputs). Its operators stand in one file.

pub mod burn;

//! Behaviour that a graph has only while it is trained.
//!
//! It is declared as float attributes on ordinary nodes. The training executor obeys them, inference never sees them:
//! [`Model::strip_training`](crate::Model::strip_training) removes them before a file is published.

/// The probability with which each element of the node's first output is set to zero; the others are divided by
/// one minus it.
pub const DROPOUT: &str = "train_dropout";

/// The probability with which the node's first output is set to zero for a whole sample of the batch (stochastic
/// depth); the other samples are divided by one minus it.
pub const DROP_PATH: &str = "train_drop_path";

/// All names of this module.
pub const ALL: [&str; 2] = [DROPOUT, DROP_PATH];

//! Behaviour that a graph has only while it is trained.
//!
//! It is declared as attributes on ordinary nodes. The training executor obeys them, inference never sees them:
//! [`Model::strip_training`](crate::Model::strip_training) removes them before a file is published.

/// The probability with which each element of the node's first output is set to zero; the others are divided by
/// one minus it.
pub const DROPOUT: &str = "train_dropout";

/// The probability with which the node's first output is set to zero for a whole sample of the batch (stochastic
/// depth); the other samples are divided by one minus it.
pub const DROP_PATH: &str = "train_drop_path";

/// The probability with which each column of each sample of the node's first output, [batch, columns], is replaced with
/// its entry in [`UNKNOWN_VALUES`].
pub const UNKNOWN: &str = "train_unknown";

/// What [`UNKNOWN`] writes, one number a column: what stands for a missing answer.
pub const UNKNOWN_VALUES: &str = "train_unknown_values";

/// All names of this module.
pub const ALL: [&str; 4] = [DROPOUT, DROP_PATH, UNKNOWN, UNKNOWN_VALUES];

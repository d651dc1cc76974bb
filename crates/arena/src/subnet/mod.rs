//! The competitions Agon comes with, one module each. Nothing outside this folder names one.

pub mod tricorder;

use crate::compute::Compute;

/// Each competition's name and what it needs of a machine.
pub const COMPUTE: &[(&str, Compute)] = &[(tricorder::NAME, tricorder::COMPUTE)];

//! The competitions Agon comes with, one module each. Nothing outside this folder names one.

pub mod tricorder;

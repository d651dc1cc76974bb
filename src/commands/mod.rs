//! One module a command. A command reads what was typed, calls the crates and prints.

pub mod node;
pub mod up;
pub mod wallet;

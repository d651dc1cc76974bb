//! One module a command. A command reads what was typed, calls the crates and prints.

pub mod axon;
pub mod board;
pub mod commitment;
pub mod data;
pub mod doctor;
pub mod evaluate;
pub mod ledger;
pub mod miner;
pub mod node;
pub mod query;
mod released;
pub mod service;
pub mod session;
pub mod stake;
mod store;
pub mod submit;
pub mod subnet;
pub mod train;
pub mod up;
pub mod validator;
pub mod wallet;
pub mod weights;

//! The node from outside: a real one on a free port, asked over JSON-RPC.

mod client;
mod development;
mod durability;
mod foreign;
mod hostile;
mod limits;
mod pruning;
mod reads;
mod shielded;
mod transactions;

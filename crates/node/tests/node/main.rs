//! The node from outside: a real one on a free port, asked over JSON-RPC.

mod client;
mod durability;
mod foreign;
mod hostile;
mod reads;
mod transactions;

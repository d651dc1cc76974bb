//! Models on their way from a miner to a validator: repositories of the Hub, the cache, and `agon submit`.

mod command;
#[path = "../common/mod.rs"]
mod common;
mod healthcare;
mod hub;
mod phases;
#[path = "../data/server.rs"]
mod server;
mod store;

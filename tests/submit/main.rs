//! Models on their way from a miner to a validator: repositories of the Hub, buckets, the cache, and `agon submit`.

#[cfg(feature = "s3")]
mod bucket;
mod command;
#[path = "../common/mod.rs"]
mod common;
mod healthcare;
mod hub;
#[cfg(feature = "s3")]
mod moto;
mod phases;
#[cfg(feature = "s3")]
mod s3;
#[path = "../data/server.rs"]
mod server;
mod store;

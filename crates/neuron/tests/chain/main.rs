//! The client against a real node, in this process and over a real socket.

mod committing;
mod connecting;
mod following;
mod participating;
mod reading;
mod submitting;
mod waiting;
mod world;

//! Axon and dendrite over real sockets, with each other and with peers that misbehave.

mod answering;
mod asking;
mod attacks;
mod encrypted;
mod world;

//! Where untrusted models run: child processes of the same binary, each for one model.
//!
//! The parent ([`Sandbox`]) sends the model and its inputs through a pipe, keeps the wall clock and
//! turns whatever happens into a [`Judgement`]. The child ([`worker_main`]) starts the engine, which
//! may be a shared library, and locks itself up before it reads the first byte of the model: resource
//! limits, no new privileges, no file, no network, a system-call allow-list. Neither reading nor inspecting a model happens in the parent.

mod isolation;
mod parent;
mod protocol;
mod worker;

pub use isolation::Strength;
pub use parent::{Answers, Asked, Asking, Judged, Sandbox, SandboxError};
pub use worker::worker_main;

/// The argument that makes the binary act as a sandbox worker.
pub const WORKER_ARGUMENT: &str = "sandbox-worker";

//! `agon axon`: servers of neurons.

mod echo;
mod publish;
pub mod serving;

use crate::args::{Axon as Arguments, AxonVerb, Logging};
use crate::failure::Failure;
pub use publish::announce;

/// Run one verb.
pub async fn run(arguments: Arguments, logging: &Logging) -> Result<(), Failure> {
    match arguments.verb {
        AxonVerb::Echo(echo) => echo::serve_until_interrupted(*echo, logging).await,
        AxonVerb::Publish(publish) => publish::run(publish).await,
    }
}

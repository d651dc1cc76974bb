//! How strictly models are isolated where they are judged.

use crate::failure::Failure;
use crate::printer::say;
use agon_arena::sandbox::{Sandbox, SandboxError};
use anyhow::Context;
use clap::{Args, ValueEnum};

/// How strong the isolation of models must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Isolation {
    /// Judge no model on a machine that cannot isolate it fully.
    Full,
    /// Judge models as well isolated as the machine can, at your own risk.
    Degraded,
}

#[derive(Debug, Args)]
pub struct Isolating {
    /// How strong the isolation of models must be; agon doctor SUBNET says what a machine lacks.
    #[arg(
        long = "sandbox",
        value_name = "STRENGTH",
        value_enum,
        default_value_t = Isolation::Full
    )]
    pub isolation: Isolation,
}

impl Isolating {
    /// The sandbox that is asked for. That this machine has it is found out first, and a weakness told.
    pub async fn sandbox(&self) -> Result<Sandbox, Failure> {
        let program = std::env::current_exe().context("finding this program")?;
        let sandbox = match self.isolation {
            Isolation::Full => Sandbox::new(program),
            Isolation::Degraded => Sandbox::degraded(program),
        };
        match sandbox.check().await {
            Ok(None) => {}
            Ok(Some(weakness)) => say(&format!("WARNING: weak sandbox: {weakness}")),
            Err(error @ SandboxError::Isolation(_)) => return Err(Failure::user(error)),
            Err(error) => return Err(error.into()),
        }
        Ok(sandbox)
    }
}

//! How strictly models are isolated where they are judged, and what computes their answers.

use crate::failure::Failure;
use crate::printer::say;
use agon_arena::sandbox::{Sandbox, SandboxError};
use agon_model::inference::Engine;
use anyhow::Context;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

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
    /// The sandbox that is asked for, for the built-in engine. That this machine has it is found out first, and a weakness
    /// told.
    pub async fn sandbox(&self) -> Result<Sandbox, Failure> {
        self.with_engine(Engine::default(), None).await
    }

    async fn with_engine(
        &self,
        engine: Engine,
        library: Option<PathBuf>,
    ) -> Result<Sandbox, Failure> {
        let program = std::env::current_exe().context("finding this program")?;
        let sandbox = match self.isolation {
            Isolation::Full => Sandbox::new(program),
            Isolation::Degraded => Sandbox::degraded(program),
        }
        .with_library(library);
        match sandbox.check(engine).await {
            Ok(None) => {}
            Ok(Some(weakness)) => say(&format!("WARNING: weak sandbox: {weakness}")),
            Err(error @ (SandboxError::Isolation(_) | SandboxError::Engine(_))) => {
                return Err(Failure::user(error));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(sandbox)
    }
}

/// What computes a model's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum JudgingEngine {
    /// Built in.
    Rten,
    /// A shared library of ONNX Runtime: faster; this program must be built with --features onnxruntime.
    Onnxruntime,
}

#[derive(Debug, Args)]
pub struct Running {
    #[command(flatten)]
    pub isolating: Isolating,
    /// What computes the models' answers. It belongs to a subnet's rules: engines differ in the last bits of an answer.
    #[arg(long, value_name = "ENGINE", value_enum, default_value_t = JudgingEngine::Rten)]
    pub engine: JudgingEngine,
    /// The shared library of ONNX Runtime, where the system does not find it by itself.
    #[arg(long, value_name = "FILE", env = "ORT_DYLIB_PATH")]
    pub engine_library: Option<PathBuf>,
}

impl Running {
    /// What computes.
    pub fn engine(&self) -> Engine {
        match self.engine {
            JudgingEngine::Rten => Engine::Rten,
            JudgingEngine::Onnxruntime => Engine::OnnxRuntime,
        }
    }

    /// The sandbox that is asked for, with the engine's library.
    pub async fn sandbox(&self) -> Result<Sandbox, Failure> {
        // Workers run in another directory.
        let library = self.engine_library.as_deref();
        let library = library.map(std::path::absolute).transpose()?;
        self.isolating.with_engine(self.engine(), library).await
    }
}

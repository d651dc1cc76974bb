//! How a command ends when it does not succeed: whose fault it was decides the exit status.

use crate::printer::say;
use std::process::ExitCode;

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The user asked for something that cannot be; exit status 2.
    User(anyhow::Error),
    /// We failed; exit status 1.
    Ours(anyhow::Error),
    /// The user pressed Ctrl-C; exit status 130, as shells expect.
    Interrupted,
}

impl Failure {
    /// A mistake of the user.
    pub fn user(error: impl Into<anyhow::Error>) -> Self {
        Self::User(error.into())
    }

    /// Say what happened on standard error and turn it into an exit status.
    pub fn report(self) -> ExitCode {
        match self {
            Self::User(error) => {
                say(&format!("error: {error:#}"));
                ExitCode::from(2)
            }
            Self::Ours(error) => {
                say(&format!("agon failed: {error:#}"));
                ExitCode::from(1)
            }
            Self::Interrupted => ExitCode::from(130),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Ours(error.into())
    }
}

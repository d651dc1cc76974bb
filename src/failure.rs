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
    /// The user pressed Ctrl-C; exit status [`Failure::INTERRUPTED`], as shells expect.
    Interrupted,
}

impl Failure {
    /// The exit status of a command that was interrupted.
    pub const INTERRUPTED: u8 = 130;

    /// A mistake of the user.
    pub fn user(error: impl Into<anyhow::Error>) -> Self {
        Self::User(error.into())
    }

    /// Say what happened on standard error and turn it into an exit status.
    pub fn report(self) -> ExitCode {
        match self {
            Self::User(error) => {
                say(&format!("error: {}", whole(&error)));
                ExitCode::from(2)
            }
            Self::Ours(error) => {
                say(&format!("agon failed: {}", whole(&error)));
                ExitCode::from(1)
            }
            Self::Interrupted => ExitCode::from(Self::INTERRUPTED),
        }
    }
}

/// An error with its causes; a cause that the error before it has told already is left out.
fn whole(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Ours(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot open it: {source}; restore it")]
        struct Open {
            source: std::io::Error,
        }
        let error = anyhow::Error::new(Open {
            source: std::io::Error::other("it is damaged"),
        });
        assert_eq!(whole(&error), "cannot open it: it is damaged; restore it");
        let error = anyhow::anyhow!("it is damaged").context("no chain here");
        assert_eq!(whole(&error), "no chain here: it is damaged");
    }
}

//! What became of a question.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde::de::DeserializeOwned;

use super::Peer;

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// A JSON object: in the header protocol all fields of the request, otherwise those of the answer.
    pub body: Bytes,
    /// Whether the server has signed it, which was checked.
    pub signed: bool,
}

impl Answer {
    /// The answer as a type of the caller's.
    ///
    /// # Errors
    /// When it has another form.
    pub fn parse<A: DeserializeOwned>(&self) -> Result<A, AskError> {
        serde_json::from_slice(&self.body).map_err(|error| AskError::Form(error.to_string()))
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Nobody is there, or the connection broke.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// There was no answer before the deadline.
    #[error("no answer in time")]
    Timeout,
    /// Enough others had answered.
    #[error("not awaited: enough others had answered")]
    NotAwaited,
    /// The server has said no.
    #[error("refused with {status}: {message}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// The server's words, cut to a length that can be shown.
        message: String,
    },
    /// The answer is longer than is taken.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// The answer is no JSON object, or has another form than the caller's type.
    #[error("the answer has another form: {0}")]
    Form(String),
    /// The answer's signature is wrong, or there is none and one was wanted.
    #[error("the answer is not signed by the server's hotkey")]
    Unsigned,
    /// The question cannot be sent.
    #[error("the question cannot be sent: {0}")]
    Question(String),
}

impl AskError {
    /// A word for scripts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Timeout => "timeout",
            Self::NotAwaited => "not_awaited",
            Self::Refused { .. } => "refused",
            Self::TooLarge(_) => "too_large",
            Self::Form(_) => "form",
            Self::Unsigned => "unsigned",
            Self::Question(_) => "question",
        }
    }
}

/// What became of the question to one server.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The server.
    pub peer: Peer,
    /// From the beginning of the question to its end.
    pub latency: Duration,
    /// The answer, or why there is none.
    pub result: Result<Answer, AskError>,
}

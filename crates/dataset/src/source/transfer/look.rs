//! What a server says of a file, without the file.

use super::{Client, Job, Trouble, parse_range, refusal, text};
use crate::source::SourceError;
use ureq::http::{HeaderMap, StatusCode, header};

/// Most bytes that are read of what a server says about a refusal.
const MAX_SAID: u64 = 64 << 10;

/// An answer about a file.
pub(crate) struct Seen {
    pub status: StatusCode,
    headers: HeaderMap,
    /// What it says about a refusal; empty where the file is there.
    pub said: String,
}

impl Seen {
    /// The size of the file, where the server says it.
    pub fn size(&self) -> Option<u64> {
        match self.status {
            StatusCode::OK => text(&self.headers, header::CONTENT_LENGTH)?.parse().ok(),
            _ => parse_range(&text(&self.headers, header::CONTENT_RANGE)?)?.1,
        }
    }

    /// A header as text.
    pub fn header(&self, name: &'static str) -> Option<String> {
        text(&self.headers, header::HeaderName::from_static(name))
    }
}

impl Client<'_> {
    /// Asks for the first byte of a file, again where that can help. Whatever is no passing trouble is an answer. It is
    /// no `HEAD`, because that has no body which says why something is refused.
    pub(crate) fn look(&self, job: &Job) -> Result<Seen, SourceError> {
        let first = [(header::RANGE, "bytes=0-0".to_owned())];
        self.with_attempts(&job.url, || {
            let (mut answer, _) = self.get(job, &first)?;
            let status = answer.status();
            if !status.is_success()
                && let trouble @ Trouble::Passing { .. } = refusal(&answer, &job.url, &job.advice)
            {
                return Err(trouble);
            }
            let said = match status.is_success() {
                true => String::new(),
                false => {
                    let body = answer.body_mut().with_config().limit(MAX_SAID);
                    // What cannot be read says nothing.
                    let body = body.read_to_vec().unwrap_or_default();
                    String::from_utf8_lossy(&body).into_owned()
                }
            };
            Ok(Seen {
                status,
                headers: answer.headers().clone(),
                said,
            })
        })
    }
}

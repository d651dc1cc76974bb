//! Questions that are more than a GET: small answers, and bodies that are sent whole.

use super::{Client, MAX_ANSWER, SILENCE, Trouble, refusal, shown};
use crate::source::SourceError;
use std::io::{self, Read};
use ureq::SendBody;
use ureq::http::{Method, Request, StatusCode, header};
use url::Url;

/// A request.
pub(crate) struct Ask<'a> {
    pub method: Method,
    pub url: Url,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    pub body: &'a [u8],
    /// Statuses beside the successes that are an answer.
    pub expected: &'a [u16],
    /// What to do when the server refuses the user.
    pub advice: &'a str,
}

/// What the server says to it.
pub(crate) struct Reply {
    pub status: StatusCode,
    pub body: Vec<u8>,
}

impl Client<'_> {
    /// Asks, again where that can help; so it must do no harm to be asked twice. Redirects are not followed: what is
    /// sent is for this host. `progress` is told how much of the body is sent.
    pub(crate) fn ask(&self, ask: &Ask, progress: &dyn Fn(u64, u64)) -> Result<Reply, SourceError> {
        self.with_attempts(&ask.url, || {
            let mut body = Sending {
                left: ask.body,
                total: ask.body.len(),
                progress,
            };
            let mut request = Request::builder()
                .method(&ask.method)
                .uri(ask.url.as_str())
                .header(header::CONTENT_LENGTH, ask.body.len());
            if let Some(authorization) = ask.authorization {
                request = request.header(header::AUTHORIZATION, authorization);
            }
            for (name, value) in &ask.headers {
                request = request.header(name, value);
            }
            let request = request
                .body(SendBody::from_reader(&mut body))
                .map_err(|error| {
                    Trouble::Lasting(SourceError::Transfer {
                        url: shown(&ask.url),
                        reason: error.to_string(),
                    })
                })?;
            let request = self
                .agent
                .configure_request(request)
                .timeout_per_write(Some(SILENCE))
                .build();
            let mut answer = self
                .agent
                .run(request)
                .map_err(|error| Trouble::passing(error, None))?;
            let status = answer.status();
            if !status.is_success() && !ask.expected.contains(&status.as_u16()) {
                return Err(refusal(&answer, &ask.url, ask.advice));
            }
            let body = answer.body_mut().with_config().limit(MAX_ANSWER);
            let body = body
                .read_to_vec()
                .map_err(|error| Trouble::passing(error, None))?;
            Ok(Reply { status, body })
        })
    }
}

/// A body on its way.
struct Sending<'a> {
    left: &'a [u8],
    total: usize,
    progress: &'a dyn Fn(u64, u64),
}

impl Read for Sending<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.left.read(buffer)?;
        (self.progress)((self.total - self.left.len()) as u64, self.total as u64);
        Ok(count)
    }
}

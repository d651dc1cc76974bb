//! Answers, in the form that the callers of each protocol understand.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use agon_keys::AccountId;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::gate::Claim;
use super::{Failure, Refusal};
use crate::Signer;
use crate::peer::headers::name;

/// An answer's body: its bytes, or bytes as they come.
pub type Body = UnsyncBoxBody<Bytes, Failure>;

/// The caller wants the answer signed.
pub const WANTS_SIGNATURE: http::HeaderName = http::HeaderName::from_static("x-agon-sign-answer");
/// The answer's signature.
pub const SIGNATURE: http::HeaderName = http::HeaderName::from_static("x-agon-answer-signature");

/// What the server signs of an answer: to which request it is, and the SHA-256 of its exact bytes.
pub fn signed_text(digest: [u8; 32], nonce: u64, caller: AccountId, server: AccountId) -> String {
    let digest = hex::encode(digest);
    format!("agon-answer/1\n200\n{digest}\n{nonce}\n{caller}\n{server}")
}

/// What an answer needs to know of its request.
pub struct Asked<'a> {
    headers: &'a HeaderMap,
    /// What was claimed, once it has been read.
    pub claim: Option<Claim>,
    begun: std::time::Instant,
}

/// Headers of the header protocol that an answer gives back as they came. A refusal does not: a caller knows what it
/// has sent, and a stranger is to cost little.
static ECHOED: [http::HeaderName; 12] = [
    name::NAME,
    name::TIMEOUT,
    name::AXON_IP,
    name::AXON_PORT,
    name::AXON_HOTKEY,
    name::DENDRITE_IP,
    name::DENDRITE_VERSION,
    name::DENDRITE_NONCE,
    name::DENDRITE_UUID,
    name::DENDRITE_HOTKEY,
    name::DENDRITE_SIGNATURE,
    name::BODY_HASH,
];

impl<'a> Asked<'a> {
    /// Of these headers.
    pub fn of(headers: &'a HeaderMap) -> Self {
        Self {
            headers,
            claim: None,
            begun: std::time::Instant::now(),
        }
    }

    /// A JSON answer to a request that was served.
    pub fn served(self, json: Pieces, signer: &dyn Signer) -> Response<Body> {
        let mut response = respond(StatusCode::OK, json.clone());
        if self.headers.contains_key(WANTS_SIGNATURE)
            && let Some(claim) = &self.claim
        {
            let mut digest = Sha256::new();
            json.0.iter().for_each(|piece| digest.update(piece));
            let text = signed_text(
                digest.finalize().into(),
                claim.nonce(),
                claim.hotkey(),
                signer.account(),
            );
            let signature = format!("0x{}", hex::encode(signer.sign(text.as_bytes())));
            let signature = HeaderValue::try_from(signature).expect("hexadecimal digits");
            response.headers_mut().insert(SIGNATURE, signature);
        }
        self.echo(&mut response);
        self.describe(&mut response, "Success");
        response
    }

    /// An answer whose bytes come later.
    pub fn streaming(self, bytes: BoxStream<'static, Result<Bytes, Failure>>) -> Response<Body> {
        let logged = bytes.inspect_err(|error| tracing::warn!(%error, "an answer broke off"));
        let body = StreamBody::new(logged.map(|bytes| bytes.map(Frame::data)));
        let body = BodyExt::boxed_unsync(body);
        let mut response = Response::new(body);
        let kind = HeaderValue::from_static("text/event-stream");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        self.echo(&mut response);
        self.describe(&mut response, "Success");
        response
    }

    /// An answer that says why there is none.
    pub fn refused(self, refusal: &Refusal) -> Response<Body> {
        let message = &refusal.message;
        let json = serde_json::json!({"message": message, "error": refusal.kind});
        let mut response = respond(refusal.status, json.to_string().into_bytes().into());
        if let Some(wait) = refusal.retry_after {
            let seconds = wait.as_secs().saturating_add(1).min(3_600);
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        self.describe(&mut response, message);
        response
    }

    fn speaks_btauth(&self) -> bool {
        matches!(self.claim, Some(Claim::BtAuth(_)))
    }

    fn echo(&self, response: &mut Response<Body>) {
        if self.speaks_btauth() {
            return;
        }
        for name in &ECHOED {
            if let Some(value) = self.headers.get(name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
    }

    /// The header protocol's account of what happened.
    fn describe(self, response: &mut Response<Body>, message: &str) {
        if self.speaks_btauth() {
            return;
        }
        let status = response.status().as_u16();
        let headers = response.headers_mut();
        headers.insert(name::AXON_STATUS, status.into());
        // Header values are one line of visible characters.
        let line: String = message
            .chars()
            .map(|c| if (' '..='~').contains(&c) { c } else { '?' })
            .take(256)
            .collect();
        let line = HeaderValue::try_from(line).unwrap_or(HeaderValue::from_static(""));
        headers.insert(name::AXON_MESSAGE, line);
        let time = format!("{:.6}", self.begun.elapsed().as_secs_f64());
        let time = HeaderValue::try_from(time).unwrap_or(HeaderValue::from_static("0.0"));
        headers.insert(name::AXON_TIME, time);
        headers.insert(name::AXON_VERSION, crate::peer::VERSION.into());
    }
}

/// A body of the header protocol: its fields, each with its JSON.
pub type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// A JSON text in pieces, so that a large question goes back without being copied.
#[derive(Debug, Clone, Default)]
pub struct Pieces(VecDeque<Bytes>);

impl From<Vec<u8>> for Pieces {
    fn from(bytes: Vec<u8>) -> Self {
        Self([bytes.into()].into())
    }
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|piece| piece.len() as u64).sum())
    }
}

/// Values longer than this are pieces of their own.
const COPIED: usize = 4 << 10;

/// The question's fields with the answer's in their place; `body` is what the question's fields were read from.
pub fn merge(question: Fields<'_>, body: &Bytes, answer: Vec<u8>) -> serde_json::Result<Pieces> {
    let answer = Bytes::from(answer);
    let mut fields: BTreeMap<_, _> = question
        .into_iter()
        .map(|(name, value)| (name, (value, body)))
        .collect();
    let own: Fields<'_> = serde_json::from_slice(&answer)?;
    fields.extend(
        own.into_iter()
            .map(|(name, value)| (name, (value, &answer))),
    );
    let mut pieces = VecDeque::new();
    let mut text = vec![b'{'];
    for (name, (value, bytes)) in &fields {
        if text != b"{" || !pieces.is_empty() {
            text.push(b',');
        }
        serde_json::to_writer(&mut text, name)?;
        text.push(b':');
        if value.get().len() > COPIED {
            pieces.push_back(Bytes::from(mem::take(&mut text)));
            pieces.push_back(bytes.slice_ref(value.get().as_bytes()));
        } else {
            text.extend_from_slice(value.get().as_bytes());
        }
    }
    text.push(b'}');
    pieces.push_back(text.into());
    Ok(Pieces(pieces))
}

fn respond(status: StatusCode, json: Pieces) -> Response<Body> {
    let body = json.map_err(|never| match never {});
    let mut response = Response::new(BodyExt::boxed_unsync(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use http_body::Body as _;

    use super::*;

    /// What becomes of `body` and `answer`, and in how many pieces.
    fn merged(body: &Bytes, answer: &[u8]) -> serde_json::Result<(String, usize)> {
        let question = serde_json::from_slice(body)?;
        let merged = merge(question, body, answer.to_vec())?;
        let length = merged.size_hint().exact();
        let (count, bytes) = (merged.0.len(), Vec::from(merged.0).concat());
        assert_eq!(length, Some(bytes.len() as u64));
        Ok((String::from_utf8(bytes).unwrap(), count))
    }

    #[test]
    fn the_answers_fields_replace_the_questions() {
        let body = br#"{"name": "Dummy", "x": 7, "y": null, "z": [1.50]}"#;
        let body = Bytes::from_static(body);
        let (text, count) = merged(&body, br#"{"y": {"a": 1}, "new": true}"#).unwrap();
        assert_eq!(
            text,
            r#"{"name":"Dummy","new":true,"x":7,"y":{"a": 1},"z":[1.50]}"#
        );
        assert_eq!(count, 1);
        assert!(merged(&body, b"[1]").is_err());
        assert_eq!(merged(&Bytes::from_static(b"{}"), b"{}").unwrap().0, "{}");
    }

    #[test]
    fn long_fields_are_not_copied_and_come_out_whole() {
        let (long, longer) = ("x".repeat(COPIED), "y".repeat(2 * COPIED));
        let body = Bytes::from(format!(r#"{{"b": 1, "a": "{long}", "c": "{long}"}}"#));
        let answer = format!(r#"{{"c": "{longer}", "d": 2}}"#);
        let (text, count) = merged(&body, answer.as_bytes()).unwrap();
        assert_eq!(
            text,
            format!(r#"{{"a":"{long}","b":1,"c":"{longer}","d":2}}"#)
        );
        assert_eq!(count, 5);
    }
}

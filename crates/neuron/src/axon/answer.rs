//! Answers, in the form that the callers of each protocol understand.

use std::collections::BTreeMap;
use std::time::Duration;

use agon_keys::AccountId;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
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

/// What the server signs of an answer: to which request it is, and its exact bytes.
pub fn signed_text(
    status: StatusCode,
    body: &[u8],
    nonce: u64,
    caller: AccountId,
    server: AccountId,
) -> String {
    let (status, digest) = (status.as_u16(), hex::encode(Sha256::digest(body)));
    format!("agon-answer/1\n{status}\n{digest}\n{nonce}\n{caller}\n{server}")
}

/// What an answer needs to know of its request.
pub struct Asked {
    /// Headers of the header protocol that are given back as they came.
    echo: HeaderMap,
    wants_signature: bool,
    /// What was claimed, once it has been read.
    pub claim: Option<Claim>,
    begun: std::time::Instant,
}

impl Asked {
    /// Of these headers.
    pub fn of(headers: &HeaderMap) -> Self {
        let echo = [
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
        ]
        .into_iter()
        .filter_map(|name| Some((name.clone(), headers.get(&name)?.clone())));
        Self {
            echo: echo.collect(),
            wants_signature: headers.contains_key(WANTS_SIGNATURE),
            claim: None,
            begun: std::time::Instant::now(),
        }
    }

    /// A JSON answer to a request that was served.
    pub fn served(self, json: Vec<u8>, signer: &dyn Signer) -> Response<Body> {
        self.respond(StatusCode::OK, "Success", json, Some(signer), None)
    }

    /// An answer whose bytes come later.
    pub fn streaming(self, bytes: BoxStream<'static, Result<Bytes, Failure>>) -> Response<Body> {
        let logged = bytes.inspect_err(|error| tracing::warn!(%error, "an answer broke off"));
        let body = StreamBody::new(logged.map(|bytes| bytes.map(Frame::data)));
        let body = BodyExt::boxed_unsync(body);
        let mut response = Response::new(body);
        let kind = HeaderValue::from_static("text/event-stream");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        self.describe(&mut response, "Success");
        response
    }

    /// An answer that says why there is none.
    pub fn refused(self, refusal: &Refusal) -> Response<Body> {
        let message = &refusal.message;
        let json = serde_json::json!({"message": message, "error": refusal.kind});
        let body = json.to_string().into_bytes();
        self.respond(refusal.status, message, body, None, refusal.retry_after)
    }

    fn respond(
        self,
        status: StatusCode,
        message: &str,
        json: Vec<u8>,
        signer: Option<&dyn Signer>,
        retry_after: Option<Duration>,
    ) -> Response<Body> {
        let signature = signer.filter(|_| self.wants_signature).and_then(|signer| {
            let claim = self.claim.as_ref()?;
            let text = signed_text(
                status,
                &json,
                claim.nonce(),
                claim.hotkey(),
                signer.account(),
            );
            let signature = hex::encode(signer.sign(text.as_bytes()));
            HeaderValue::try_from(format!("0x{signature}")).ok()
        });
        let body = Full::new(Bytes::from(json)).map_err(|never| match never {});
        let mut response = Response::new(BodyExt::boxed_unsync(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, kind);
        if let Some(signature) = signature {
            headers.insert(SIGNATURE, signature);
        }
        if let Some(wait) = retry_after {
            let seconds = wait.as_secs().saturating_add(1).min(3_600);
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        self.describe(&mut response, message);
        response
    }

    /// The header protocol's account of what happened.
    fn describe(self, response: &mut Response<Body>, message: &str) {
        if matches!(self.claim, Some(Claim::BtAuth(_))) {
            return;
        }
        let status = response.status().as_u16();
        let headers = response.headers_mut();
        headers.extend(self.echo);
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

/// The question's fields with the answer's in their place.
pub fn merge(question: &Fields<'_>, answer: &[u8]) -> serde_json::Result<Vec<u8>> {
    let answer: Fields<'_> = serde_json::from_slice(answer)?;
    let mut merged = question.clone();
    merged.extend(answer);
    serde_json::to_vec(&merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answers_fields_replace_the_questions() {
        let question: Fields<'_> =
            serde_json::from_str(r#"{"name": "Dummy", "x": 7, "y": null, "z": [1.50]}"#).unwrap();
        let merged = merge(&question, br#"{"y": {"a": 1}, "new": true}"#).unwrap();
        let text = String::from_utf8(merged).unwrap();
        assert_eq!(
            text,
            r#"{"name":"Dummy","new":true,"x":7,"y":{"a": 1},"z":[1.50]}"#
        );
        assert!(merge(&question, b"[1]").is_err());
    }
}

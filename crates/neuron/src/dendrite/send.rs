//! One question to one server, over the wire and back.

use std::error::Error;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, BodyStream, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio::time::timeout_at;

use super::{Answer, AskError, Inner, Peer, Protocol, Question};
use crate::axon::answer::{SIGNATURE, WANTS_SIGNATURE, signed_text};
use crate::peer::{btauth, headers};

/// The most bytes of a refusal that are read, and the most characters that are kept.
const MAX_REFUSAL: usize = 64 << 10;
const MAX_MESSAGE: usize = 1_024;

impl Inner {
    /// Asks, and asks once more where the connection broke and that does no harm.
    pub(super) async fn ask(
        &self,
        peer: Peer,
        question: &Question,
        deadline: Instant,
    ) -> Result<Answer, AskError> {
        let asked = async {
            let place = self.places.acquire().await;
            let _place = place.map_err(|closed| AskError::Unreachable(closed.to_string()))?;
            match self.ask_once(peer, question, deadline).await {
                Err(AskError::Unreachable(_)) if question.idempotent => {
                    self.ask_once(peer, question, deadline).await
                }
                result => result,
            }
        };
        timeout_at(deadline.into(), asked)
            .await
            .unwrap_or(Err(AskError::Timeout))
    }

    async fn ask_once(
        &self,
        peer: Peer,
        question: &Question,
        deadline: Instant,
    ) -> Result<Answer, AskError> {
        let (response, nonce) = self.send(peer, question, deadline).await?;
        let signature = response.headers().get(SIGNATURE).cloned();
        let most = self.bounds.answer_bytes;
        let body = collect(response.into_body(), most).await?;
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
        if first != Some(&b'{') {
            return Err(AskError::Form("it is no JSON object".to_owned()));
        }
        let signed = match signature {
            None => false,
            Some(signature) => {
                let caller = self.signer.account();
                let text = signed_text(Sha256::digest(&body).into(), nonce, caller, peer.hotkey);
                let signature = signature.to_str().ok().and_then(crate::peer::signature);
                let holds = |signature| {
                    agon_keys::verify_exactly(&peer.hotkey, text.as_bytes(), &signature)
                };
                if !signature.is_some_and(holds) {
                    return Err(AskError::Unsigned);
                }
                true
            }
        };
        if question.signed_answer && !signed {
            return Err(AskError::Unsigned);
        }
        Ok(Answer { body, signed })
    }

    /// Asks for an answer in parts.
    pub(super) async fn stream(
        &self,
        peer: Peer,
        question: &Question,
        deadline: Instant,
    ) -> Result<impl Stream<Item = Result<Bytes, AskError>> + use<>, AskError> {
        let sent = timeout_at(deadline.into(), self.send(peer, question, deadline)).await;
        let (response, _) = sent.unwrap_or(Err(AskError::Timeout))?;
        let most = self.bounds.answer_bytes;
        let body = BodyStream::new(Limited::new(response.into_body(), most));
        let parts = TryStreamExt::map_err(body, move |error| broken(&*error, most))
            .try_filter_map(async |frame| Ok(frame.into_data().ok()));
        // After the deadline or a failure nothing comes any more, whatever the server still sends.
        let begin = Some(Box::pin(parts));
        Ok(stream::unfold(begin, move |parts| async move {
            let mut parts = parts?;
            match timeout_at(deadline.into(), parts.next()).await {
                Ok(part) => match part? {
                    Ok(bytes) => Some((Ok(bytes), Some(parts))),
                    Err(error) => Some((Err(error), None)),
                },
                Err(_) => Some((Err(AskError::Timeout), None)),
            }
        }))
    }

    /// Sends the question; the response, which is not a refusal, and the question's nonce.
    async fn send(
        &self,
        peer: Peer,
        question: &Question,
        deadline: Instant,
    ) -> Result<(Response<Incoming>, u64), AskError> {
        let wrong = |error: &dyn std::fmt::Display| AskError::Question(error.to_string());
        let nonce = self.nonce();
        let target = format!("/{}", question.name);
        let left = deadline.saturating_duration_since(Instant::now());
        let (mut headers, body) = match peer.protocol {
            Protocol::Headers => self.headers(peer, question, nonce, left)?,
            Protocol::BtAuth => {
                let body = serde_json::to_vec(&question.fields).map_err(|e| wrong(&e))?;
                let receiver = Some(peer.hotkey);
                let signer = &*self.signer;
                let headers = btauth::sign(signer, receiver, &Method::POST, &target, &body, nonce);
                (headers, body)
            }
        };
        let kind = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, kind);
        if question.signed_answer {
            headers.insert(WANTS_SIGNATURE, HeaderValue::from_static("1"));
        }
        let mut request = Request::post(format!("http://{}{target}", peer.address))
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| wrong(&error))?;
        request.headers_mut().extend(headers);
        let response = self.client.request(request).await;
        let response = response.map_err(|error| AskError::Unreachable(causes(&error)))?;
        match response.status() {
            StatusCode::OK => Ok((response, nonce)),
            status => Err(refusal(status, response).await),
        }
    }

    fn headers(
        &self,
        peer: Peer,
        question: &Question,
        nonce: u64,
        timeout: Duration,
    ) -> Result<(http::HeaderMap, Vec<u8>), AskError> {
        let wrong = |error: &dyn std::fmt::Display| AskError::Question(error.to_string());
        let texts: Vec<(&str, String)> = question
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_string()))
            .collect();
        let text = |name: &String| {
            let found = texts.iter().find(|(known, _)| known == name);
            found.map_or("null", |(_, text)| text.as_str())
        };
        let hash = headers::body_hash(question.hashed.iter().map(text)).map_err(|e| wrong(&e))?;
        let outgoing = headers::Outgoing {
            name: &question.name,
            signer: &*self.signer,
            uuid: &self.uuid,
            ip: "0.0.0.0",
            receiver: peer.hotkey,
            address: peer.address,
            nonce,
            timeout,
            body_hash: &hash,
        };
        let fields = texts.iter().map(|(name, text)| (*name, text.as_str()));
        let headers = outgoing.headers(fields).map_err(|error| wrong(&error))?;
        let mut body = Map::new();
        for (name, value) in [
            ("name", json!(question.name)),
            ("timeout", json!(timeout.as_secs_f64())),
            ("total_size", json!(0)),
            ("header_size", json!(0)),
            (
                "dendrite",
                terminal(&self.signer.account(), "0.0.0.0", None),
            ),
            (
                "axon",
                terminal(
                    &peer.hotkey,
                    &peer.address.ip().to_string(),
                    Some(peer.address.port()),
                ),
            ),
            ("computed_body_hash", json!("")),
        ] {
            body.insert(name.to_owned(), value);
        }
        body.extend(question.fields.clone());
        let body = serde_json::to_vec(&body).map_err(|error| wrong(&error))?;
        Ok((headers, body))
    }
}

/// How the header protocol describes one of the two in a body.
fn terminal(hotkey: &agon_keys::AccountId, ip: &str, port: Option<u16>) -> Value {
    json!({
        "status_code": null,
        "status_message": null,
        "process_time": null,
        "ip": ip,
        "port": port,
        "version": crate::peer::VERSION,
        "nonce": null,
        "uuid": null,
        "hotkey": hotkey.to_string(),
        "signature": null,
    })
}

async fn collect(body: Incoming, most: usize) -> Result<Bytes, AskError> {
    match Limited::new(body, most).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(broken(&*error, most)),
    }
}

fn broken(error: &(dyn Error + Send + Sync + 'static), most: usize) -> AskError {
    match error.is::<LengthLimitError>() {
        true => AskError::TooLarge(most),
        false => AskError::Unreachable(format!("the answer broke off: {}", causes(error))),
    }
}

/// What a server says that gives no answer.
async fn refusal(status: StatusCode, response: Response<Incoming>) -> AskError {
    let said = response
        .headers()
        .get(headers::name::AXON_MESSAGE)
        .and_then(|message| message.to_str().ok().map(str::to_owned));
    let body = collect(response.into_body(), MAX_REFUSAL).await;
    let body = body.ok().and_then(|body| {
        let body: Value = serde_json::from_slice(&body).ok()?;
        let message = body.get("message").or_else(|| body.get("error"))?;
        message.as_str().map(str::to_owned)
    });
    let message = body.or(said).unwrap_or_default();
    let message = message
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_MESSAGE);
    AskError::Refused {
        status,
        message: message.collect(),
    }
}

/// An error with its causes, which say more than it does.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

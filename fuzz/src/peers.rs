//! A server of requests without a socket, for the targets of what neurons say to each other.

use agon_keys::{AccountId, Keypair};
use agon_neuron::axon::{Axon, AxonService, Context, Cover, Door, Failure, Gate, Replay, Rules};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt, Full};
use serde_json::{Map, Value};
use std::sync::{Arc, LazyLock};
use tokio::runtime::{Builder, Runtime};
use tower::Service;

/// When the server's clock stands, in nanoseconds since 1970.
pub const NOW: u64 = 1_752_076_800_000_000_000;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let built = Builder::new_current_thread().enable_time().build();
    built.expect("a runtime")
});

static ALICE: LazyLock<Keypair> = LazyLock::new(|| key("Alice"));

/// The well-known key of this name.
pub fn key(name: &str) -> Keypair {
    Keypair::from_uri(&format!("//{name}")).expect("a name")
}

/// The server's hotkey.
pub fn own() -> AccountId {
    ALICE.account()
}

async fn echo(heard: Map<String, Value>, _: Context) -> Result<Map<String, Value>, Failure> {
    Ok(heard)
}

fn service() -> AxonService {
    let rules = Rules {
        strangers: true,
        ..Rules::default()
    };
    let replay = Arc::new(Replay::in_memory());
    let mut gate = Gate::new(own(), replay, Arc::new(Door::new(rules)));
    gate.clock = Arc::new(|| NOW);
    gate.receiver_required = false;
    Axon::new(Arc::new(ALICE.clone()), gate)
        .route("Dummy", Cover::fields(["dummy_input"]), echo)
        .route("Exact", Cover::Everything, echo)
        .service()
}

/// Lines of `name: value` as headers; what cannot stand in one is left out.
pub fn headers(text: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n').take(64) {
        let Some(at) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let value = line[at + 1..].trim_ascii();
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(&line[..at]),
            HeaderValue::from_bytes(value),
        ) {
            headers.append(name, value);
        }
    }
    headers
}

/// Headers as lines, which [`headers`] reads.
pub fn lines(headers: &HeaderMap) -> Vec<u8> {
    let lines = headers
        .iter()
        .map(|(name, value)| [name.as_str().as_bytes(), b": ", value.as_bytes()].concat());
    lines.collect::<Vec<_>>().join(&b'\n')
}

/// The status of the answer to a request; the headers stand before an empty line, the body after it.
pub fn ask(path: &'static str, data: &[u8]) -> u16 {
    let split = data.windows(2).position(|w| w == b"\n\n");
    let (head, body) = match split {
        Some(at) => (&data[..at], &data[at + 2..]),
        None => (data, &[][..]),
    };
    let mut request = Request::post(path)
        .body(Full::from(body.to_vec()))
        .expect("a request");
    *request.headers_mut() = headers(head);
    RUNTIME.block_on(async {
        // A server each time: what one input has sent is not known to the next.
        let response = match service().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("an answer").to_bytes();
        let said: Value = serde_json::from_slice(&body).expect("every answer is JSON");
        assert!(said.is_object());
        assert_ne!(parts.status, 500, "{said}");
        parts.status.as_u16()
    })
}

//! A server with handlers of every kind, callers, and requests made by hand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use agon_keys::{AccountId, Keypair};
use agon_neuron::axon::{
    Axon, AxonService, Connections, Context, Cover, Door, Failure, Gate, Limits, Replay, Rules,
    Server, serve,
};
use agon_neuron::dendrite::{Bounds, Dendrite, Peer, Protocol, Question};
use agon_neuron::peer::headers::{Outgoing, body_hash};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Deserialize)]
pub struct Dummy {
    pub dummy_input: i64,
}

#[derive(Serialize)]
pub struct Doubled {
    dummy_output: i64,
}

pub fn key(name: &str) -> Keypair {
    Keypair::from_uri(&format!("//{name}")).unwrap()
}

pub fn account(name: &str) -> AccountId {
    key(name).account()
}

/// A server of Alice's to which everybody may speak but Mallory.
pub struct World {
    pub server: Server,
    pub service: AxonService,
    /// The server's clock is so many nanoseconds ahead.
    pub ahead: Arc<AtomicU64>,
    /// Handlers that were told that nobody waits any more.
    pub cancelled: Arc<AtomicUsize>,
    /// Handlers of `Slow` that were begun.
    pub begun: Arc<AtomicUsize>,
}

impl World {
    pub async fn new() -> Self {
        Self::with(
            Replay::in_memory(),
            Limits::default(),
            Connections::default(),
            |_| (),
        )
        .await
    }

    pub async fn with(
        replay: Replay,
        limits: Limits,
        connections: Connections,
        change: impl FnOnce(&mut Gate),
    ) -> Self {
        let rules = Rules {
            strangers: true,
            deny: [account("Mallory")].into(),
            ..Rules::default()
        };
        let door = Arc::new(Door::new(rules));
        let mut gate = Gate::new(account("Alice"), Arc::new(replay), door);
        let ahead = Arc::new(AtomicU64::new(0));
        let clock = ahead.clone();
        gate.clock = Arc::new(move || {
            agon_neuron::axon::gate::now().wrapping_add(clock.load(Ordering::Relaxed))
        });
        change(&mut gate);
        let (cancelled, begun) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let service = Axon::new(Arc::new(key("Alice")), gate)
            .limits(limits)
            .route("Dummy", Cover::fields(["dummy_input"]), double)
            .route("Open", Cover::Nothing, echo)
            .route("Exact", Cover::Everything, echo)
            .route("Panic", Cover::Nothing, panics)
            .route("Fail", Cover::Nothing, fails)
            .route("Slow", Cover::Nothing, {
                let (cancelled, begun) = (cancelled.clone(), begun.clone());
                move |_: Value, context| slow(context, cancelled.clone(), begun.clone())
            })
            .stream("Count", Cover::Nothing, count)
            .service();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = serve(listener, service.clone(), connections, None).unwrap();
        Self {
            server,
            service,
            ahead,
            cancelled,
            begun,
        }
    }

    pub fn peer(&self, protocol: Protocol) -> Peer {
        Peer {
            hotkey: account("Alice"),
            address: self.server.address(),
            protocol,
        }
    }
}

async fn double(dummy: Dummy, _: Context) -> Result<Doubled, Failure> {
    Ok(Doubled {
        dummy_output: dummy.dummy_input * 2,
    })
}

async fn echo(question: Map<String, Value>, context: Context) -> Result<Value, Failure> {
    Ok(json!({"heard": question.len(), "from": context.caller.hotkey.to_string()}))
}

async fn panics(_: Value, _: Context) -> Result<Value, Failure> {
    panic!("as a handler may")
}

async fn fails(question: Map<String, Value>, _: Context) -> Result<Value, Failure> {
    match question.get("teapot") {
        Some(_) => Err(Failure::Status {
            status: http::StatusCode::IM_A_TEAPOT,
            message: "short and stout".into(),
        }),
        None => Err(Failure::internal("the secret reason")),
    }
}

async fn slow(
    context: Context,
    cancelled: Arc<AtomicUsize>,
    begun: Arc<AtomicUsize>,
) -> Result<Value, Failure> {
    begun.fetch_add(1, Ordering::SeqCst);
    // On a task of its own, as work that cannot be dropped in the middle.
    let token = context.cancelled.clone();
    tokio::spawn(async move {
        token.cancelled().await;
        cancelled.fetch_add(1, Ordering::SeqCst);
    });
    tokio::time::sleep(Duration::from_secs(30)).await;
    Ok(json!({}))
}

async fn count(
    question: Map<String, Value>,
    _: Context,
) -> Result<impl futures::Stream<Item = Result<Bytes, Failure>>, Failure> {
    let to = question.get("to").and_then(Value::as_u64).unwrap_or(3);
    Ok(futures::stream::unfold(0, move |at| async move {
        tokio::time::sleep(Duration::from_millis(5)).await;
        (at < to).then(|| (Ok(Bytes::from(format!("{at}\n"))), at + 1))
    }))
}

pub fn dendrite(name: &str) -> Dendrite {
    Dendrite::new(Arc::new(key(name)), Bounds::default()).unwrap()
}

pub fn question(name: &str, fields: Value) -> Question {
    let Value::Object(fields) = fields else {
        panic!("an object")
    };
    let hashed = match name {
        "Dummy" => vec!["dummy_input".to_owned()],
        _ => Vec::new(),
    };
    Question {
        hashed,
        timeout: Duration::from_secs(5),
        ..Question::new(name, fields)
    }
}

/// A request of the header protocol, as text that can be spoilt before it is sent.
pub fn signed(world: &World, caller: &str, name: &str, input: i64, nonce: u64) -> String {
    let body = json!({"name": name, "dummy_input": input}).to_string();
    let input = input.to_string();
    let hash = match name {
        "Dummy" => body_hash([input.as_str()]).unwrap(),
        _ => body_hash([]).unwrap(),
    };
    let outgoing = Outgoing {
        name,
        signer: &key(caller),
        uuid: "6a1b",
        ip: "10.0.0.1",
        receiver: account("Alice"),
        address: world.server.address(),
        nonce,
        timeout: Duration::from_secs(5),
        body_hash: &hash,
    };
    let headers = outgoing.headers([("dummy_input", input.as_str())]).unwrap();
    let mut text = format!("POST /{name} HTTP/1.1\r\nhost: localhost\r\n");
    for (name, value) in &headers {
        text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    text
}

/// Sends bytes and reads one answer: its status and its body.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read_answer(&mut stream).await.expect("an answer")
}

/// One answer; none if the connection ends first.
pub async fn read_answer(stream: &mut TcpStream) -> Option<(u16, String)> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16_384];
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                let body = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
                return Some((status, body));
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend(&buffer[..read]),
        }
    }
}

pub fn now() -> u64 {
    agon_neuron::axon::gate::now()
}

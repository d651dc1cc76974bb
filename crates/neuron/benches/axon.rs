//! The axon and the dendrite beside the Python SDK's, on the same machine in the same run: verified and refused requests
//! a second, the time of a question to 256 servers, and the memory of idle connections.
//!
//! `PYTHON=… cargo bench -p agon-neuron --bench axon`, where the interpreter has `bittensor` 10.5; without it only ours
//! is measured. Client and server share the machine's cores in every figure. Words after `--` choose among `small`,
//! `large`, `refused`, `fan-out` and `idle`; without any, all are measured.

use std::env;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use agon_keys::{AccountId, Keypair};
use agon_neuron::axon::{
    Axon, AxonService, Connections, Context, Cover, Door, Failure, Gate, Limits, Replay, Rules,
    Window, gate, serve,
};
use agon_neuron::dendrite::{Bounds, Dendrite, Peer, Protocol, Question};
use agon_neuron::peer::btauth;
use agon_neuron::peer::headers::{Outgoing, body_hash};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How many servers are asked at once.
const FAN: usize = 256;
/// How often.
const TIMES: usize = 30;
/// How many connections are idle.
const IDLE: usize = 10_000;

#[derive(Deserialize)]
struct Asked {
    dummy_input: i64,
}

#[derive(Serialize)]
struct Answer {
    dummy_output: i64,
}

async fn double(question: Asked, _: Context) -> Result<Answer, Failure> {
    Ok(Answer {
        dummy_output: question.dummy_input * 2,
    })
}

fn key(name: &str) -> Keypair {
    Keypair::from_uri(&format!("//{name}")).expect("a well-known key")
}

/// The server's account. Deriving a key takes longer than a request.
fn alice() -> AccountId {
    static ALICE: LazyLock<AccountId> = LazyLock::new(|| key("Alice").account());
    *ALICE
}

/// A server of Alice's that knows Bob.
fn service() -> AxonService {
    let rules = Rules {
        allow: [key("Bob").account()].into(),
        ..Rules::default()
    };
    let replay = Arc::new(Replay::in_memory());
    let mut gate = Gate::new(alice(), replay, Arc::new(Door::new(rules)));
    // Requests are signed before the clock is started.
    gate.window = Window {
        past: Duration::from_secs(3_600),
        ahead: Duration::from_secs(3_600),
    };
    let limits = Limits {
        waiting: 1_024,
        ..Limits::default()
    };
    Axon::new(Arc::new(key("Alice")), gate)
        .limits(limits)
        .route("Dummy", Cover::fields(["dummy_input"]), double)
        .service()
}

fn many() -> Connections {
    Connections {
        per_ip: 20_000,
        at_once: 20_000,
        head_time: Duration::from_secs(600),
        ..Connections::default()
    }
}

/// The bytes of one request.
fn request(caller: &Keypair, protocol: Protocol, index: usize, padding: usize) -> Vec<u8> {
    let body = json!({"name": "Dummy", "dummy_input": 7, "padding": "x".repeat(padding)});
    let body = body.to_string();
    let nonce = gate::now() + index as u64;
    let headers = match protocol {
        Protocol::Headers => Outgoing {
            name: "Dummy",
            signer: caller,
            // The Python SDK wants growing nonces of each program.
            uuid: &format!("{index:08x}"),
            ip: "127.0.0.1",
            receiver: alice(),
            address: ([127, 0, 0, 1], 8091).into(),
            nonce,
            timeout: Duration::from_secs(600),
            body_hash: &body_hash(["7"]).expect("a number"),
        }
        .headers([("dummy_input", "7")])
        .expect("good names"),
        Protocol::BtAuth => btauth::sign(
            caller,
            Some(alice()),
            &Method::POST,
            "/Dummy",
            body.as_bytes(),
            nonce,
        ),
    };
    let mut head = String::from(
        "POST /Dummy HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n",
    );
    for (name, value) in &headers {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().expect("text")));
    }
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Sends requests over so many connections and insists on one status; how many a second.
async fn rate(
    address: SocketAddr,
    requests: &Arc<Vec<Vec<u8>>>,
    connections: usize,
    expected: &'static str,
) -> f64 {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..connections)
        .map(|connection| {
            let requests = requests.clone();
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.expect("a connection");
                stream.set_nodelay(true).expect("a socket");
                let mut buffer = Vec::new();
                for request in requests.iter().skip(connection).step_by(connections) {
                    stream.write_all(request).await.expect("it is sent");
                    let head = answer(&mut stream, &mut buffer).await;
                    assert!(head.contains(expected), "{head}");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("every answer is as expected");
    }
    requests.len() as f64 / begun.elapsed().as_secs_f64()
}

/// The head of the next answer.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> String {
    buffer.clear();
    loop {
        let read = stream.read_buf(buffer).await.expect("an answer");
        assert!(read > 0, "the connection ended");
        let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().expect("a number"));
        while buffer.len() < end + 4 + length {
            assert!(stream.read_buf(buffer).await.expect("an answer") > 0);
        }
        return head;
    }
}

/// The least that any server of signed requests does: HTTP, and one signature. The header protocol's answers have the
/// question in them, so there its least is to send that back.
async fn bare(requests: &Arc<Vec<Vec<u8>>>, connections: usize, sends_back: bool) -> f64 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let bob = key("Bob");
    let message = [7; 200];
    let signature = bob.sign(&message);
    let account = bob.account();
    let service = tower::service_fn(move |request: Request<hyper::body::Incoming>| async move {
        let body = request
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        assert!(!body.is_empty());
        assert!(agon_keys::verify_exactly(&account, &message, &signature));
        let answer = match sends_back {
            true => body,
            false => Bytes::from_static(b"{\"dummy_output\":14}"),
        };
        Ok::<_, std::convert::Infallible>(Response::new(Full::new(answer)))
    });
    let server = serve(listener, service, many(), None).expect("it serves");
    let rate = rate(address, requests, connections, "200 ok").await;
    server.stop().await;
    rate
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure());
}

async fn measure() {
    let python = env::var("PYTHON").ok();
    let chosen: Vec<String> = env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let wanted = |part: &str| chosen.is_empty() || chosen.iter().any(|word| word == part);
    println!(
        "requests a second | headers (of bare, sent back) | btauth/1 (of bare) | bare HTTP and one signature, sent back | not sent back | Python's headers"
    );
    for (size, padding, count, theirs) in
        [("small", 0, 20_000, 1_000), ("large", 1 << 20, 400, 100)]
    {
        if !wanted(size) {
            continue;
        }
        for connections in [1, 64] {
            let ours = served(&of(Protocol::Headers, count, padding), connections).await;
            let exact = served(&of(Protocol::BtAuth, count, padding), connections).await;
            let requests = of(Protocol::Headers, count, padding);
            let back = bare(&requests, connections, true).await;
            let least = bare(&requests, connections, false).await;
            let theirs = match &python {
                None => "-".to_owned(),
                Some(python) => {
                    let server = Python::axon(python);
                    let requests = of(Protocol::Headers, theirs, padding);
                    let rate = rate(server.address, &requests, connections, "200 ok").await;
                    format!("{rate:.0} (ours is {:.0} times that)", ours / rate)
                }
            };
            println!(
                "{size}, {connections} connection(s) | {ours:.0} ({:.2}) | {exact:.0} ({:.2}) | {back:.0} | {least:.0} | {theirs}",
                ours / back,
                exact / least
            );
        }
    }
    if wanted("refused") {
        refused().await;
    }
    if wanted("fan-out") {
        fan_out(python.as_deref()).await;
    }
    if wanted("idle") {
        idle().await;
    }
}

/// Bob's requests.
fn of(protocol: Protocol, count: usize, padding: usize) -> Arc<Vec<Vec<u8>>> {
    let bob = key("Bob");
    let requests = (0..count).map(|index| request(&bob, protocol, index, padding));
    Arc::new(requests.collect())
}

/// How fast what is not served is refused.
async fn refused() {
    let requests = of(Protocol::Headers, 20_000, 0);
    let (server, address) = started().await;
    let success = rate(address, &requests, 64, "200 ok").await;
    let replayed = rate(address, &requests, 64, "401 unauthorized").await;
    let stranger = key("Mallory");
    let unknown = (0..20_000).map(|index| request(&stranger, Protocol::Headers, index, 0));
    let unknown = rate(address, &Arc::new(unknown.collect()), 64, "403 forbidden").await;
    let mut forged = Vec::clone(&of(Protocol::Headers, 20_000, 0));
    for request in &mut forged {
        let mark = b"dendrite_signature: 0x";
        let at = request
            .windows(mark.len())
            .position(|w| w == mark)
            .expect("a signature");
        let digit = &mut request[at + mark.len() + 10];
        *digit = if *digit == b'0' { b'1' } else { b'0' };
    }
    let forged = rate(address, &Arc::new(forged), 64, "401 unauthorized").await;
    println!(
        "served {success:.0}/s; refused: replayed {replayed:.0}/s, unknown {unknown:.0}/s, forged {forged:.0}/s"
    );
    server.stop().await;
}

async fn started() -> (agon_neuron::axon::Server, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let server = serve(listener, service(), many(), None).expect("it serves");
    let address = server.address();
    (server, address)
}

async fn served(requests: &Arc<Vec<Vec<u8>>>, connections: usize) -> f64 {
    let (server, address) = started().await;
    let rate = rate(address, requests, connections, "200 ok").await;
    server.stop().await;
    rate
}

/// The times of a question to many servers, ours and Python's, each to the same servers.
async fn fan_out(python: Option<&str>) {
    let mut servers = Vec::new();
    for _ in 0..FAN {
        servers.push(started().await);
    }
    let peers: Vec<Peer> = servers
        .iter()
        .map(|(_, address)| Peer {
            hotkey: alice(),
            address: *address,
            protocol: Protocol::Headers,
        })
        .collect();
    let dendrite = Dendrite::new(Arc::new(key("Bob")), Bounds::default()).expect("random bytes");
    let fields = json!({"dummy_input": 7});
    let fields = fields.as_object().expect("an object").clone();
    let question = Question {
        hashed: vec!["dummy_input".to_owned()],
        ..Question::new("Dummy", fields)
    };
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let begun = Instant::now();
        let outcomes = dendrite.ask_all(&peers, &question).await;
        times.push(begun.elapsed());
        assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()));
    }
    times.sort_unstable();
    let (p50, p99) = (times[TIMES / 2], times[TIMES - 1]);
    println!("{FAN} servers asked at once: p50 {p50:.1?}, p99 {p99:.1?}");
    if let Some(python) = python {
        let ports = servers
            .iter()
            .map(|(_, address)| address.port().to_string());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/dendrite.py");
        let ran = tokio::process::Command::new(python)
            .arg(script)
            .arg(alice().to_string())
            .arg(TIMES.to_string())
            .args(ports)
            .stderr(Stdio::null())
            .output()
            .await;
        let ran = ran.expect("the interpreter runs");
        let said = String::from_utf8_lossy(&ran.stdout);
        let times: Vec<f64> = said
            .split_whitespace()
            .filter_map(|seconds| seconds.parse().ok())
            .collect();
        let [theirs, _] = times[..] else {
            panic!("the script failed: {said}")
        };
        println!(
            "the same by Python: p50 {:.1} ms, p99 {:.1} ms; ours takes {:.3} of that",
            times[0] * 1e3,
            times[1] * 1e3,
            p50.as_secs_f64() / theirs
        );
    }
}

async fn idle() {
    let (_server, address) = started().await;
    // Opened before the limit of open files is reached.
    let mut status = File::open("/proc/self/status").expect("the kernel tells");
    let before = resident_mib(&mut status);
    let mut open = Vec::new();
    for _ in 0..IDLE {
        match std::net::TcpStream::connect(address) {
            Ok(stream) => open.push(stream),
            Err(error) => {
                println!(
                    "only {} connections: {error}; raise the limit of open files",
                    open.len()
                );
                break;
            }
        }
        if open.len() % 500 == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = resident_mib(&mut status);
    println!(
        "{} idle connections: {:.1} MiB more, {after:.1} MiB in all",
        open.len(),
        after - before
    );
}

/// What this process, servers and clients, keeps in memory.
fn resident_mib(status: &mut File) -> f64 {
    let mut text = String::new();
    status.rewind().expect("it starts again");
    status.read_to_string(&mut text).expect("text");
    let line = text.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1_024.0
}

/// A server of the Python SDK.
struct Python {
    child: Child,
    address: SocketAddr,
}

impl Python {
    fn axon(python: &str) -> Self {
        let mut child = Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/axon.py"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the interpreter runs");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("text");
        let port: u16 = line.trim().parse().expect("a port");
        let address = ([127, 0, 0, 1], port).into();
        let begun = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "it does not serve"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { child, address }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

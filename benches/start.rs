//! From starting the process `agon node run` to its first answer: a new chain, and chains with a history.
//!
//! `cargo bench --bench start -- [BLOCKS]`

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How often each start is measured.
const TIMES: usize = 9;

struct Node {
    child: Child,
    address: String,
}

impl Node {
    fn start(base_path: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_agon"))
            .args(["node", "run", "--dev", "--json", "--rpc-port", "0"])
            .args(["--block-time", "instant", "--base-path"])
            .arg(base_path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let mut line = String::new();
        let output = child.stdout.take().expect("standard output is piped");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("standard output is text");
        let said: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let address = said["address"].as_str().expect("an address").to_owned();
        Self { child, address }
    }

    fn ask(&self, method: &str, params: &str) -> serde_json::Value {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let answer: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert!(answer.get("result").is_some(), "{answer}");
        answer["result"].clone()
    }

    fn resident_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        kib.unwrap_or(f64::NAN) / 1_024.0
    }

    fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it can be waited for");
    }
}

/// The median time to the first answer, and the memory after it.
fn measure(base_path: impl Fn(usize) -> std::path::PathBuf) -> (Duration, f64) {
    let mut times = Vec::new();
    let mut resident = 0.0;
    for round in 0..TIMES {
        let begun = Instant::now();
        let node = Node::start(&base_path(round));
        node.ask("system_chain", "[]");
        times.push(begun.elapsed());
        resident = node.resident_mib();
        // As hard an end as can be: the next start also repairs.
        node.kill();
    }
    times.sort_unstable();
    (times[TIMES / 2], resident)
}

fn main() {
    let blocks = env::args().find_map(|argument| argument.parse().ok());
    let blocks: u64 = blocks.unwrap_or(20_000);
    let home = tempfile::tempdir().expect("a directory");
    let (time, resident) = measure(|round| home.path().join(format!("new-{round}")));
    println!("new chain: first answer after {time:.1?}, {resident:.1} MiB");
    let old = home.path().join("old");
    for length in [blocks / 10, blocks] {
        let node = Node::start(&old);
        let head = node.ask("chain_getHeader", "[]");
        let head = head["number"].as_str().expect("a number");
        let head = u64::from_str_radix(head.trim_start_matches("0x"), 16).expect("hexadecimal");
        let begun = Instant::now();
        for left in (0..length - head).rev().step_by(10_000) {
            node.ask("dev_jumpBlocks", &format!("[{}]", left.min(9_999) + 1));
        }
        let rate = (length - head) as f64 / begun.elapsed().as_secs_f64();
        let grown = node.resident_mib();
        node.kill();
        let (time, resident) = measure(|_| old.clone());
        println!(
            "{length} blocks: made at {rate:.0} blocks/s with {grown:.1} MiB; killed and started again: first answer after {time:.1?}, {resident:.1} MiB"
        );
    }
}

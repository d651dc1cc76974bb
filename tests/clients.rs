//! The unmodified foreign clients, SDK and `btcli`, against our node: each script of `tests/clients` in its own
//! process, home and chain.
//!
//! The clients need a Python environment with `tests/clients/requirements.txt`: the one whose interpreter
//! `AGON_CLIENT_PYTHON` names, else `target/clients`, where `.ci/run` makes it. Without one the tests are skipped and
//! say so, unless `AGON_CLIENTS_REQUIRED` is set. SDK 9 and SDK 11 cannot be installed beside SDK 10 and have environments
//! of their own: `tests/clients/requirements-11.txt`, `AGON_CLIENT_11_PYTHON`, `target/clients-11`, and so with 9.

use serde_json::Value;
use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const BLOCK_TIME: &str = "100ms";
/// For scripts with transactions that are valid for eight blocks only: a client on a busy machine must be done in them.
const LONG_BLOCK_TIME: &str = "500ms";
/// The longest script takes a fraction of this, even while everything else is being tested.
const PATIENCE: Duration = Duration::from_secs(240);

/// A Python environment: the variable that names its interpreter, and where `.ci/run` makes it.
type Environment = (&'static str, &'static str);

const SDK_10: Environment = ("AGON_CLIENT_PYTHON", "target/clients");
const SDK_9: Environment = ("AGON_CLIENT_9_PYTHON", "target/clients-9");
const SDK_11: Environment = ("AGON_CLIENT_11_PYTHON", "target/clients-11");

fn python((variable, made): Environment) -> Option<PathBuf> {
    let made = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(made)
        .join("bin/python");
    let path = env::var_os(variable).map_or(made, PathBuf::from);
    path.exists().then_some(path)
}

/// A process that is gone when its test ends, however it ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A node as a user starts it, and its URL.
fn node(home: &Path, block_time: &str) -> (Running, String) {
    let child = Command::new(env!("CARGO_BIN_EXE_agon"))
        .args(["node", "run", "--dev", "--tmp", "--json"])
        .args(["--rpc-port", "0", "--block-time", block_time])
        .env_clear()
        .env("HOME", home)
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut node = Running(child.expect("the binary runs"));
    let output = node.0.stdout.take().expect("standard output is piped");
    let mut line = String::new();
    let read = BufReader::new(output).read_line(&mut line);
    read.expect("standard output is text");
    let said: Value = serde_json::from_str(&line).expect("one JSON document");
    let url = said["url"].as_str().expect("a URL").to_owned();
    (node, url)
}

/// Runs one script against a node of its own and shows what it said if it fails.
fn run(script: &str, block_time: &str, environment: Environment) {
    let Some(python) = python(environment) else {
        let made = environment.1;
        let reason = format!(
            "no Python environment with the foreign clients; `.ci/run` makes one in {made}"
        );
        assert!(env::var_os("AGON_CLIENTS_REQUIRED").is_none(), "{reason}");
        // Past the test runner, which keeps what a passing test prints to itself.
        let _ = writeln!(io::stderr(), "SKIPPED tests/clients/{script}: {reason}");
        return;
    };
    let home = tempfile::tempdir().expect("a temporary directory");
    let (_node, url) = node(home.path(), block_time);
    let said = home.path().join("said");
    let status = script_status(&python, script, &url, home.path(), &said);
    let said = String::from_utf8_lossy(&fs::read(said).expect("the script's output")).into_owned();
    match status {
        Some(status) => assert!(status.success(), "{script}: {status}\n{said}"),
        None => panic!("{script} did not end in {PATIENCE:?}\n{said}"),
    }
}

/// None if the script did not end in time.
fn script_status(
    python: &Path,
    script: &str,
    url: &str,
    home: &Path,
    said: &Path,
) -> Option<ExitStatus> {
    let output = File::create(said).expect("a file for the script's output");
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(script);
    let child = Command::new(python)
        .arg(path)
        .arg("--verbose")
        .env_clear()
        .env("HOME", home)
        .env("AGON", env!("CARGO_BIN_EXE_agon"))
        .env("AGON_NODE_URL", url)
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // btcli lays its tables and its JSON out for a terminal of this width.
        .env("COLUMNS", "10000")
        .current_dir(home)
        .stdin(Stdio::null())
        .stderr(output.try_clone().expect("the file has a second handle"))
        .stdout(output)
        .spawn();
    let mut script = Running(child.expect("the interpreter runs"));
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let ended = script.0.try_wait();
        if let Some(status) = ended.expect("the script can be waited for") {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(50));
    }
    None
}

/// A test for each script, with blocks of this time, in this environment.
macro_rules! scripts {
    ($block_time:ident $environment:ident: $($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                run(concat!(stringify!($name), ".py"), $block_time, $environment);
            }
        )*
    };
}

scripts! {
    BLOCK_TIME SDK_10: reads money subnet neuron stake weights metagraph commitments btcli_rules btcli_wallet
    btcli_stake wallets peers
}

scripts! {
    LONG_BLOCK_TIME SDK_10: btcli_subnets shield
}

scripts! {
    BLOCK_TIME SDK_11: btauth
}

#[test]
fn peers_of_sdk_9() {
    run("peers.py", BLOCK_TIME, SDK_9);
}

#[test]
fn wallets_of_sdk_9() {
    run("wallets.py", BLOCK_TIME, SDK_9);
}

//! The real binary in a private home: what every test from outside needs.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod chain;
pub mod kernel;
pub mod world;

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// The binary under test.
pub const AGON: &str = env!("CARGO_BIN_EXE_agon");

/// The library of ONNX Runtime, where the tests were given one (`.ci/onnxruntime` does).
pub fn library() -> Option<PathBuf> {
    std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from)
}

/// Whether there is that library and a program that can load it; says loudly what is left out if not.
pub fn has_onnxruntime(left_out: &str) -> bool {
    let there = cfg!(feature = "onnxruntime") && library().is_some();
    if !there {
        // Past the test runner, which keeps what a passing test prints to itself.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED {left_out}: .ci/onnxruntime cargo test --features onnxruntime has what it needs"
        );
    }
    there
}

/// A directory of its own, in which commands run with nothing of the user's environment.
pub struct Place {
    directory: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self { directory }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(AGON);
        command
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .env("HOME", self.directory.path())
            .stdin(Stdio::null());
        command
    }

    /// The same on what is a full disk to it: no file may be larger than so many blocks of 512 bytes.
    pub fn limited_command(&self, blocks: u32, arguments: &[&str]) -> Command {
        let mut command = Command::new("/bin/sh");
        // The limit is told by a signal too, which would end the command.
        let script = "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"";
        command
            .args(["-c", script, &blocks.to_string(), AGON])
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .env("HOME", self.directory.path())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary runs")
    }

    /// Run, expect success and one JSON document on standard output.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            errors(&output)
        );
        serde_json::from_slice(&output.stdout).expect("standard output is one JSON document")
    }

    /// Run, expect the status of a user's mistake and return what was said about it.
    pub fn mistake(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        said
    }

    /// Give the place wallets whose hotkeys are those of these names (`//name`).
    pub fn wallets(&self, names: &[&str]) {
        for name in names {
            let uri = format!("//{name}");
            let words = ["wallet", "regen-hotkey", "--wallet.name", name, "--uri"];
            self.json(&[&words[..], &[&uri, "--json"]].concat());
        }
    }

    /// Start a command that goes on, and wait until it says `line`.
    pub fn background(&self, mut command: Command, line: &str) -> Background {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let errors = child.stderr.take().expect("standard error is piped");
        let mut errors = BufReader::new(errors).lines();
        let mut said = String::new();
        for line_said in errors.by_ref() {
            let line_said = line_said.expect("standard error is text");
            said.push_str(&line_said);
            said.push('\n');
            if line_said.contains(line) {
                // A full pipe would hold the command up.
                std::thread::spawn(move || errors.for_each(drop));
                return Background { child, said };
            }
        }
        child.wait().expect("the process can be waited for");
        panic!("it never said {line:?}:\n{said}");
    }

    /// Start a command and kill it (SIGKILL) as soon as it says `line`.
    pub fn kill_at(&self, arguments: &[&str], line: &str) {
        let child = self
            .command(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        kill_when_it_says(child, line);
    }

    /// Start a command, press Ctrl-C (SIGINT to its whole process group, as a terminal does) as soon as
    /// it says `line`, and return its exit status.
    pub fn interrupt_at(&self, arguments: &[&str], line: &str) -> Option<i32> {
        self.signal_at("-INT", arguments, line)
    }

    /// The same with another signal, as a supervisor sends it.
    pub fn signal_at(&self, signal: &str, arguments: &[&str], line: &str) -> Option<i32> {
        let mut child = self
            .command(arguments)
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let errors = child.stderr.take().expect("standard error is piped");
        let mut pressed = false;
        // Read to the end: a full pipe would hold the command up.
        for said in BufReader::new(errors).lines() {
            if !pressed && said.expect("standard error is text").contains(line) {
                pressed = true;
                let group = format!("-{}", child.id());
                let kill = Command::new("kill").args([signal, "--", &group]).status();
                assert!(kill.expect("kill runs").success());
            }
        }
        assert!(pressed, "it never said {line:?}");
        child.wait().expect("the process can be waited for").code()
    }
}

/// Kill a process (SIGKILL) as soon as it says `line` on standard error.
pub fn kill_when_it_says(mut child: Child, line: &str) {
    let said = wait_for(&mut child, line);
    child.kill().expect("the process can be killed");
    child.wait().expect("the process can be waited for");
    assert!(said.1, "it never said {line:?}:\n{}", said.0);
}

/// A command that goes on while a test does something else; killed with it.
pub struct Background {
    child: Child,
    said: String,
}

impl Background {
    /// Where its health is served, if it has said so by the line that was waited for.
    pub fn health(&self) -> &str {
        let (_, address) = self
            .said
            .split_once("health at http://")
            .expect("an address");
        address.split_once("/health").expect("a path").0
    }

    /// Tells it to stop, as Ctrl-C does, and waits; its exit status.
    pub fn interrupt(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let kill = Command::new("kill").args(["-INT", &id]).status();
        assert!(kill.expect("kill runs").success());
        self.wait()
    }

    /// Waits until it ends by itself; its exit status.
    pub fn wait(&mut self) -> Option<i32> {
        let ended = self.child.wait();
        ended.expect("the process can be waited for").code()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The status and the body of an answer over HTTP.
pub fn ask(address: &str, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let request = format!("{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).expect("a status");
    (status.parse().expect("a number"), body.to_owned())
}

fn wait_for(child: &mut Child, wanted: &str) -> (String, bool) {
    let mut said = String::new();
    let errors = child.stderr.take().expect("standard error is piped");
    for line in BufReader::new(errors).lines() {
        let line = line.expect("standard error is text");
        said.push_str(&line);
        said.push('\n');
        if line.contains(wanted) {
            return (said, true);
        }
    }
    (said, false)
}

pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

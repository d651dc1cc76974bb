//! How services stand, for people and for scripts. No secret of a command line is shown.

use crate::commands::session::{document, table};
use crate::failure::Failure;
use crate::printer::{result, say};
use crate::supervise::Service;
use crate::supervise::record::{End, Phase, Record, Standing, now};
use indicatif::{BinaryBytes, HumanDuration};
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Words of a flag's name that make its value a secret, and those that make it a place where one is.
const SECRET: &[&str] = &[
    "mnemonic",
    "passphrase",
    "password",
    "private",
    "secret",
    "token",
];
const PLACE: &[&str] = &["dir", "directory", "file", "path"];
/// What stands for a secret.
const HIDDEN: &str = "***";

/// How one service stands.
#[derive(Debug, Serialize)]
pub struct View {
    name: String,
    state: Standing,
    /// Why it failed.
    reason: Option<String>,
    /// The command's process.
    pid: Option<i32>,
    supervisor: Option<i32>,
    uptime_seconds: Option<u64>,
    starts_again_in_seconds: Option<u64>,
    restarts: u32,
    last_exit: Option<End>,
    /// Of the command's process, without what it started.
    memory_bytes: Option<u64>,
    /// The command line without its secrets.
    command: Vec<String>,
    directory: PathBuf,
    log: PathBuf,
}

impl View {
    /// A service with what is kept of it, as it is now.
    pub fn of(service: &Service, record: Record) -> anyhow::Result<Self> {
        let state = service.standing(&record.status)?;
        let status = record.status;
        let lives = matches!(
            state,
            Standing::Running | Standing::Stopping | Standing::Unsupervised
        );
        let pid = status.process.filter(|_| lives);
        let since = Duration::from_millis(now().saturating_sub(status.since)).as_secs();
        let again = match (state, &status.phase) {
            (Standing::Waiting, Phase::Waiting { until }) => {
                Some(Duration::from_millis(until.saturating_sub(now())).as_secs())
            }
            _ => None,
        };
        let reason = match (state, status.phase) {
            (Standing::Failed, Phase::Failed { reason }) => Some(reason),
            _ => None,
        };
        Ok(Self {
            name: service.name().to_string(),
            reason,
            pid,
            supervisor: status.supervisor.filter(|_| {
                !matches!(
                    state,
                    Standing::Stopped | Standing::Failed | Standing::Unsupervised
                )
            }),
            uptime_seconds: (state == Standing::Running).then_some(since),
            starts_again_in_seconds: again,
            restarts: status.restarts,
            last_exit: status.last_end,
            memory_bytes: pid.and_then(memory),
            command: without_secrets(&record.definition.arguments),
            directory: record.definition.directory,
            log: service.log(),
            state,
        })
    }

    fn row(&self) -> [String; 8] {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let time = |seconds| format!("{:#}", HumanDuration(Duration::from_secs(seconds)));
        let words = self.command.iter().map(String::as_str);
        [
            self.name.clone(),
            match self.starts_again_in_seconds {
                Some(seconds) => format!("{} in {}", self.state.as_str(), time(seconds)),
                None => self.state.as_str().to_owned(),
            },
            or_dash(self.pid.map(|pid| pid.to_string())),
            or_dash(self.uptime_seconds.map(time)),
            self.restarts.to_string(),
            or_dash(self.last_exit.map(|end| end.to_string())),
            or_dash(
                self.memory_bytes
                    .map(|bytes| BinaryBytes(bytes).to_string()),
            ),
            // A line that cannot be quoted holds a zero, which no argument can.
            shlex::try_join(words).unwrap_or_default(),
        ]
    }
}

fn memory(pid: i32) -> Option<u64> {
    let pid = Pid::from_u32(u32::try_from(pid).ok()?);
    let mut system = System::new();
    let kind = ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, kind);
    system.process(pid).map(|process| process.memory())
}

/// List every service.
pub fn run(json: bool) -> Result<(), Failure> {
    let mut views = Vec::new();
    for service in Service::all()? {
        // One that is not as it was written does not hide the others.
        match service.record() {
            Ok(Some(record)) => views.push(View::of(&service, record)?),
            Ok(None) => {}
            Err(error) => say(&format!("{error:#}")),
        }
    }
    if json {
        return Ok(result(&document(json!({"services": views})).to_string())?);
    }
    if views.is_empty() {
        say("there are no services; begin one: agon service start NAME -- ARGUMENTS");
        return Ok(());
    }
    let header = [
        "name",
        "state",
        "pid",
        "uptime",
        "restarts",
        "last exit",
        "memory",
        "agon",
    ];
    result(&table(header, views.iter().map(View::row)))?;
    for view in &views {
        if let Some(reason) = &view.reason {
            result(&format!("{}: {reason}", view.name))?;
        }
        if view.state == Standing::Unsupervised {
            result(&format!(
                "{}: its supervisor was killed; agon service start {0} starts it anew",
                view.name
            ))?;
        }
    }
    Ok(())
}

/// A command line with the values of secret flags, and what is private in addresses, replaced.
fn without_secrets(arguments: &[String]) -> Vec<String> {
    let mut hide_next = false;
    arguments
        .iter()
        .map(|argument| {
            let hide = std::mem::take(&mut hide_next) && !argument.starts_with("--");
            if hide {
                return HIDDEN.to_owned();
            }
            match argument.strip_prefix("--").map(|flag| flag.split_once('=')) {
                Some(Some((flag, _))) if is_secret(flag) => format!("--{flag}={HIDDEN}"),
                Some(Some((flag, value))) => format!("--{flag}={}", address(value)),
                Some(None) => {
                    hide_next = is_secret(&argument[2..]);
                    argument.clone()
                }
                None => address(argument),
            }
        })
        .collect()
}

fn is_secret(flag: &str) -> bool {
    let flag = flag.to_ascii_lowercase();
    let mut words = flag.split(['.', '-', '_']);
    let place = words
        .clone()
        .next_back()
        .is_some_and(|word| PLACE.contains(&word));
    !place && words.any(|word| SECRET.contains(&word))
}

/// Of an address only where it leads: providers' keys stand before and behind the host.
fn address(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let (authority, behind) = match rest.find(['/', '?', '#']) {
        Some(end) => rest.split_at(end),
        None => (rest, ""),
    };
    let (before, host) = authority
        .rsplit_once('@')
        .map_or(("", authority), |(before, host)| (before, host));
    let before = if before.is_empty() {
        String::new()
    } else {
        format!("{HIDDEN}@")
    };
    let behind = match behind {
        "" | "/" => behind.to_owned(),
        _ => format!("/{HIDDEN}"),
    };
    format!("{scheme}://{before}{host}{behind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let shown = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            without_secrets(&words).join(" ")
        };
        for (typed, expected) in [
            ("up --seed 5 --rounds 3", "up --seed 5 --rounds 3"),
            ("x --hf_token abc --epochs 3", "x --hf_token *** --epochs 3"),
            ("x --hf.token=abc", "x --hf.token=***"),
            ("x --mnemonic a", "x --mnemonic ***"),
            ("x --private-key --yes", "x --private-key --yes"),
            ("x --password-file /p", "x --password-file /p"),
            ("x --max_tokens 5", "x --max_tokens 5"),
            ("x --network wss://host:443", "x --network wss://host:443"),
            ("x --network=wss://host/key", "x --network=wss://host/***"),
            ("x wss://me:word@host/", "x wss://***@host/"),
            ("x https://host?key=1", "x https://host/***"),
        ] {
            assert_eq!(shown(typed), expected);
        }
    }
}

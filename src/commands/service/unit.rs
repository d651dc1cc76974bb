//! A service as a systemd user unit: the same command, the same patience.

use crate::supervise::Name;
use crate::supervise::policy::HEALTHY;
use crate::supervise::record::Definition;
use anyhow::{Result, anyhow};
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

/// The unit of a service.
///
/// # Errors
/// When a path cannot be said in a unit.
pub fn unit(name: &Name, definition: &Definition) -> Result<String> {
    let program = one_line(&definition.program)?;
    // The colon: nothing in the line is a variable of the environment.
    let mut line = quoted(&format!(":{program}"));
    for argument in &definition.arguments {
        line.push(' ');
        line += &quoted(argument);
    }
    let directory = one_line(&definition.directory)?.replace('%', "%%");
    let restart = &definition.restart;
    let waits: Vec<Duration> = restart.waits().collect();
    let (first, last) = match (waits.first(), waits.last()) {
        (Some(first), Some(last)) => (*first, *last),
        _ => (Duration::ZERO, Duration::ZERO),
    };
    // Systemd counts the starts in a span of time: so many that none of the runs between them was healthy.
    let span = waits.iter().sum::<Duration>() + HEALTHY * restart.limit;
    let steps = waits.iter().take_while(|wait| **wait < last).count().max(1);
    Ok(format!(
        "\
# ~/.config/systemd/user/agon-{name}.service, then:
#   systemctl --user daemon-reload
#   systemctl --user enable --now agon-{name}
#   loginctl enable-linger       # so that it runs while you are not logged in
#   journalctl --user -u agon-{name} -f
# Variables of the environment, one NAME=value a line: ~/.config/agon/{name}.env
# RestartSteps needs systemd 254; older ones wait equally long each time.
[Unit]
Description=agon service {name}
StartLimitIntervalSec={}ms
StartLimitBurst={}

[Service]
Type=exec
WorkingDirectory={directory}
EnvironmentFile=-%h/.config/agon/{name}.env
ExecStart={line}
Restart={}
RestartPreventExitStatus=2
RestartSec={}ms
RestartSteps={steps}
RestartMaxDelaySec={}ms
KillMode=control-group
TimeoutStopSec=30s

[Install]
WantedBy=default.target
",
        span.as_millis().max(1),
        u64::from(restart.limit) + 1,
        if restart.limit == 0 {
            "no"
        } else {
            "on-failure"
        },
        first.as_millis(),
        last.as_millis(),
    ))
}

fn one_line(path: &Path) -> Result<&str> {
    path.to_str()
        .filter(|path| !path.contains(|c: char| c.is_control()))
        .ok_or_else(|| anyhow!("{} cannot be said in a unit", path.display()))
}

/// A word of a command line as systemd reads it: between quotes, `%` doubled.
fn quoted(word: &str) -> String {
    let mut text = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '%' => text.push_str("%%"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            c if c.is_ascii_control() => {
                // Into a string nothing fails.
                let _ = write!(text, "\\x{:02x}", c as u32);
            }
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::log::Rotation;
    use crate::supervise::policy::Restart;

    fn definition(arguments: &[&str]) -> Definition {
        Definition {
            program: "/opt/100% own/agon".into(),
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            directory: "/home/me/50%".into(),
            log: Rotation::default(),
            restart: Restart::default(),
        }
    }

    #[test]
    fn a_line_means_to_systemd_what_it_means_to_us() {
        let name = "miner-1".parse().unwrap();
        let arguments = [
            "up",
            "a b",
            "$HOME",
            "50%",
            "\"q\"\\",
            ";",
            "two\nlines",
            "",
        ];
        let text = unit(&name, &definition(&arguments)).unwrap();
        let line = r#"ExecStart=":/opt/100%% own/agon" "up" "a b" "$HOME" "50%%" "\"q\"\\" ";" "two\nlines" """#;
        assert!(text.lines().any(|found| found == line), "{text}");
        assert!(
            text.contains("\nWorkingDirectory=/home/me/50%%\n"),
            "{text}"
        );
        for line in [
            "RestartSec=1000ms",
            "RestartMaxDelaySec=300000ms",
            "RestartSteps=9",
            "StartLimitBurst=17",
            "RestartPreventExitStatus=2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
    }

    #[test]
    fn a_path_of_two_lines_is_refused() {
        let mut definition = definition(&["up"]);
        definition.directory = "/a\nExecStartPre=/bin/rm".into();
        assert!(unit(&"x".parse().unwrap(), &definition).is_err());
    }
}

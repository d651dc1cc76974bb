//! `agon service`: commands that run in the background.

use super::duration;
use crate::supervise::Name;
use clap::{Args, Subcommand};
use std::time::Duration;

#[derive(Debug, Args)]
pub struct Service {
    #[command(subcommand)]
    pub verb: ServiceVerb,
}

#[derive(Debug, Subcommand)]
pub enum ServiceVerb {
    /// Run a command in the background, and again whenever it fails.
    Start(StartService),
    /// Stop a service and all it started.
    Stop(StopService),
    /// Stop a service and start it again with the same command line.
    Restart(StopService),
    /// List the services and how they stand.
    List(ListServices),
    /// Show what a service has written.
    Logs(ShowLogs),
    /// Print a systemd user unit that runs the same command in the same way.
    Units(PrintUnit),
    /// Forget a stopped service and delete its logs.
    Remove(OneService),
    /// What `start` runs in the background.
    #[command(hide = true)]
    Supervise(Supervise),
}

#[derive(Debug, Args)]
pub struct StartService {
    /// The service's name: letters, digits, - and _.
    #[arg(value_name = "NAME")]
    pub name: Name,
    /// Size at which a log file is put aside, for example 500KiB or 10MiB; default: 10MiB.
    #[arg(long = "log.size", value_name = "SIZE", value_parser = bytes)]
    pub log_size: Option<u64>,
    /// How many log files are kept beside the one that is written; default: 5.
    #[arg(long = "log.keep", value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub log_keep: Option<u32>,
    /// How long to wait before the first restart; each one that follows waits twice as long, up to
    /// five minutes; default: 1s.
    #[arg(long = "restart.delay", value_name = "TIME", value_parser = duration)]
    pub restart_delay: Option<Duration>,
    /// Give up after so many restarts without a healthy minute between them; default: 16.
    #[arg(long = "restart.limit", value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub restart_limit: Option<u32>,
    /// Print how the service stands as JSON.
    #[arg(long)]
    pub json: bool,
    /// What would follow `agon`; default: what this service was started with last.
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub arguments: Vec<String>,
}

#[derive(Debug, Args)]
pub struct StopService {
    /// The service's name.
    #[arg(value_name = "NAME")]
    pub name: Name,
    /// How long it may take to end by itself before it is killed.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub timeout: Duration,
    /// Print how the service stands as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ListServices {
    /// Print the list as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ShowLogs {
    /// The service's name.
    #[arg(value_name = "NAME")]
    pub name: Name,
    /// How many of the last lines.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub lines: u32,
    /// Go on with what is written from now on, until Ctrl-C.
    #[arg(long, short = 'f')]
    pub follow: bool,
}

#[derive(Debug, Args)]
pub struct PrintUnit {
    /// The service's name.
    #[arg(value_name = "NAME")]
    pub name: Name,
}

#[derive(Debug, Args)]
pub struct OneService {
    /// The service's name.
    #[arg(value_name = "NAME")]
    pub name: Name,
}

#[derive(Debug, Args)]
pub struct Supervise {
    #[arg(value_name = "NAME")]
    pub name: Name,
}

/// A size with its unit.
fn bytes(text: &str) -> Result<u64, String> {
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let shift = match unit {
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return Err("expected a whole number and KiB, MiB or GiB".to_owned()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "expected a whole number and KiB, MiB or GiB".to_owned())?;
    match number.checked_mul(1 << shift) {
        Some(bytes) if (4 << 10..=1 << 40).contains(&bytes) => Ok(bytes),
        _ => Err("must be between 4KiB and 1024GiB".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_and_bounds() {
        assert_eq!(bytes("10MiB"), Ok(10 << 20));
        assert_eq!(bytes("4KiB"), Ok(4096));
        for wrong in [
            "",
            "10",
            "1.5MiB",
            "10MB",
            "3KiB",
            "9999999GiB",
            "-1KiB",
            "99999999999999999999KiB",
        ] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}

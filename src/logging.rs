//! Log files in the home, rotated daily, a week kept; on the terminal only when asked for.

use crate::args::Logging;
use crate::failure::Failure;
use anyhow::Context;
use std::io::IsTerminal;
use std::path::Path;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, fmt, layer::SubscriberExt, util::SubscriberInitExt,
};

/// How many daily files are kept.
const DAYS: usize = 7;

/// Log to standard error, as services do whose output a supervisor keeps.
pub fn to_standard_error(logging: &Logging) {
    let registry = tracing_subscriber::registry();
    let layer = fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match logging.json {
        true => registry
            .with(layer.json().with_filter(filter(logging)))
            .init(),
        false => registry.with(layer.with_filter(filter(logging))).init(),
    }
}

/// Our own crates at the level asked for, others only warnings.
fn filter(logging: &Logging) -> EnvFilter {
    let level = match (logging.trace, logging.debug) {
        (true, _) => "trace",
        (_, true) => "debug",
        _ => "info",
    };
    let ours = [
        "agon",
        "agon_arena",
        "agon_node",
        "agon_neuron",
        "agon_train",
        "agon_dataset",
    ];
    let ours = ours.map(|name| format!("{name}={level}")).join(",");
    EnvFilter::new(format!("warn,{ours}"))
}

/// Start logging to `directory`. Our own crates log at the level asked for, others only warnings.
pub fn start(directory: &Path, logging: &Logging) -> Result<(), Failure> {
    let filter = || filter(logging);
    std::fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))
        .map_err(Failure::User)?;
    let file = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("agon")
        .filename_suffix("log")
        .max_log_files(DAYS)
        .build(directory)
        .with_context(|| format!("cannot write logs in {}", directory.display()))
        .map_err(Failure::User)?;
    let file: Box<dyn Layer<Registry> + Send + Sync> = if logging.json {
        fmt::layer()
            .json()
            .with_writer(file)
            .with_filter(filter())
            .boxed()
    } else {
        fmt::layer()
            .with_ansi(false)
            .with_writer(file)
            .with_filter(filter())
            .boxed()
    };
    let terminal = (logging.debug || logging.trace).then(|| {
        fmt::layer()
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr)
            .with_filter(filter())
    });
    tracing_subscriber::registry()
        .with(file)
        .with(terminal)
        .init();
    Ok(())
}

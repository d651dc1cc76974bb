//! `agon node`: the names node operators know.

use super::duration;
use agon_node::{BlockTime, Limits, Origins};
use clap::{Args, Subcommand};
use std::num::NonZeroU32;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Node {
    #[command(subcommand)]
    pub verb: NodeVerb,
}

#[derive(Debug, Subcommand)]
pub enum NodeVerb {
    /// Run a chain of one machine and serve its JSON-RPC.
    Run(Box<RunNode>),
    /// Print a genesis file: that of an existing chain, or that of the development network.
    ExportGenesis(ExportGenesis),
    /// Copy a chain, running with --dev or stopped, to a file.
    Snapshot(TakeSnapshot),
    /// Make a chain from a snapshot, which is checked first.
    Restore(Restore),
}

#[derive(Debug, Args)]
pub struct BasePath {
    /// Where the chain lives.
    #[arg(
        long = "base-path",
        short = 'd',
        value_name = "DIR",
        default_value = ".agon-node"
    )]
    pub directory: PathBuf,
}

#[derive(Debug, Args)]
pub struct RunNode {
    #[command(flatten)]
    pub base_path: BasePath,
    /// A development chain: well-known rich accounts when it begins, and dev_* methods that seal and skip blocks and
    /// set balances.
    #[arg(long)]
    pub dev: bool,
    /// Keep the chain in a temporary directory that goes when the node stops.
    #[arg(long, conflicts_with = "directory")]
    pub tmp: bool,
    /// Time between blocks, for example 250ms or 12s; `instant` makes one as soon as a transaction waits.
    #[arg(long, value_name = "TIME", default_value = "12s", value_parser = block_time)]
    pub block_time: BlockTime,
    /// Begin a new chain from this file; an existing one must have begun from it.
    #[arg(long, value_name = "FILE")]
    pub genesis: Option<PathBuf>,
    /// Fetch the rounds of the randomness beacon from this drand HTTP endpoint. A new --dev chain then trusts drand's
    /// quicknet instead of the node's own beacon.
    #[arg(long, value_name = "URL")]
    pub beacon_url: Option<String>,
    /// Keep the states of this many newest blocks only; default: all. A chain cannot change from one to the other.
    #[arg(long, alias = "state-pruning", value_name = "N", value_parser = pruning)]
    pub pruning: Option<Pruning>,
    /// Port of the JSON-RPC, WebSocket and HTTP; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 9944)]
    pub rpc_port: u16,
    /// Let other machines in. Everybody who reaches the port may use it.
    #[arg(long, visible_alias = "unsafe-rpc-external")]
    pub rpc_external: bool,
    /// Web pages that may connect: origins with commas between them, `all` or `none`; default: pages of this machine
    /// and https://polkadot.js.org.
    #[arg(long, value_name = "ORIGINS")]
    pub rpc_cors: Option<Origins>,
    /// Most connections at once.
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub rpc_max_connections: u32,
    /// Most subscriptions of one connection.
    #[arg(long, value_name = "N", default_value_t = Limits::default().subscriptions_per_connection, value_parser = clap::value_parser!(u32).range(1..=32_768))]
    pub rpc_max_subscriptions_per_connection: u32,
    /// Largest request in MiB.
    #[arg(long, value_name = "MIB", default_value_t = Limits::default().request_bytes >> 20, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub rpc_max_request_size: u32,
    /// Largest response in MiB.
    #[arg(long, value_name = "MIB", default_value_t = Limits::default().response_bytes >> 20, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub rpc_max_response_size: u32,
    #[command(flatten)]
    pub metrics: Metrics,
    /// Print where the node listens as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ExportGenesis {
    /// Of the stopped chain that lives here; default: of the development network.
    #[arg(long = "base-path", short = 'd', value_name = "DIR")]
    pub directory: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct TakeSnapshot {
    #[command(flatten)]
    pub base_path: BasePath,
    /// The file to write; it must not exist.
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
    /// Print what was copied as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Restore {
    #[command(flatten)]
    pub base_path: BasePath,
    /// The snapshot.
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
    /// Replace the chain that lives there.
    #[arg(long)]
    pub replace: bool,
    /// Print what was restored as JSON.
    #[arg(long)]
    pub json: bool,
}

/// What `--pruning` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pruning {
    /// Keep every state.
    Archive,
    /// Keep so many.
    Keep(NonZeroU32),
}

/// The fewest states that are kept: clients read the parent of the newest block, and take their time.
const LEAST_KEPT: u32 = 16;

fn pruning(text: &str) -> Result<Pruning, String> {
    if text == "archive" {
        return Ok(Pruning::Archive);
    }
    let kept = text.parse().ok().filter(|kept| *kept >= LEAST_KEPT);
    kept.and_then(NonZeroU32::new)
        .map(Pruning::Keep)
        .ok_or_else(|| format!("expected \"archive\" or a number of at least {LEAST_KEPT}"))
}

fn block_time(text: &str) -> Result<BlockTime, String> {
    match text {
        "instant" => Ok(BlockTime::Instant),
        time => duration(time).map(BlockTime::Every),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn block_times_and_pruning_are_read_as_operators_write_them() {
        assert_eq!(block_time("instant"), Ok(BlockTime::Instant));
        let time = Duration::from_millis(250);
        assert_eq!(block_time("250ms"), Ok(BlockTime::Every(time)));
        assert!(block_time("at once").is_err());
        assert_eq!(pruning("archive"), Ok(Pruning::Archive));
        let kept = NonZeroU32::new(256).map(Pruning::Keep);
        assert_eq!(pruning("256").ok(), kept);
        for wrong in ["0", "15", "-1", "many", ""] {
            assert!(pruning(wrong).is_err(), "{wrong}");
        }
    }
}

/// Where measures are served.
#[derive(Debug, Args)]
pub struct Metrics {
    /// Serve Prometheus metrics on this port of this machine, 0 for none.
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub prometheus_port: u16,
    /// Let other machines read the metrics.
    #[arg(long)]
    pub prometheus_external: bool,
}

//! What can be typed. Names with a dot are the ones Bittensor users know.

mod chain;
mod data;
mod evaluate;
mod health;
mod healthcare;
mod judging;
mod miner;
mod neuron;
pub mod node;
mod released;
mod sandbox;
pub mod service;
mod submit;
mod train;
mod wallet;

pub use chain::*;
pub use data::*;
pub use evaluate::*;
pub use health::*;
pub use healthcare::*;
pub use judging::*;
pub use miner::*;
pub use neuron::*;
pub use released::*;
pub use sandbox::*;
pub use submit::*;
pub use train::*;
pub use wallet::*;

use agon_dataset::store::Location;
use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// What everything is drawn from when no `--seed` is given.
pub const DEFAULT_SEED: u64 = 20;

/// Incentivised machine-learning networks, end to end.
#[derive(Debug, Parser)]
#[command(name = "agon", version, about, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub logging: Logging,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a whole network: a local chain, validators and miners in a skin-lesion competition.
    Up(Up),
    /// Create, regenerate and list wallets; see and move what they hold.
    Wallet(Wallet),
    /// List, found, register on and set up subnets.
    Subnet(Subnet),
    /// Stake, withdraw and move stake.
    Stake(Stake),
    /// Set, commit to, reveal and show weights.
    Weights(Weights),
    /// Serve a miner to test against, or tell the chain where a server is.
    Axon(Axon),
    /// Ask the servers of neurons.
    Query(Query),
    /// Find out what keeps a neuron from working: clock, chain, registration, balance, server.
    Doctor(Doctor),
    /// Publish something as a hotkey, and read what hotkeys have published.
    Commitment(Commitment),
    /// Fetch, check and prepare data sets, or draw one.
    Data(Data),
    /// Train a model for a competition.
    Train(Train),
    /// Judge models on labelled data as the validators do, and compare them.
    Evaluate(Evaluate),
    /// Train models for a competition, and publish and commit them as they become better.
    Miner(Miner),
    /// Judge what miners have committed, round after round, and set weights.
    Validator(Validator),
    /// Make a validator's weights again, hand its past on, compare two validators.
    Ledger(Ledger),
    /// Show what a validator saw: the last round, a submission's life, the reasons.
    Board(Board),
    /// Run commands in the background: start, stop, list, logs, systemd units.
    Service(service::Service),
    /// Hand a model in to a competition: check, upload, commit, and show what became of it.
    Submit(Submit),
    /// Run a chain of one machine, copy and restore it.
    Node(node::Node),
}

#[derive(Debug, Args)]
pub struct Logging {
    /// Log in detail, also to the terminal.
    #[arg(long = "logging.debug", global = true)]
    pub debug: bool,
    /// Log everything, also to the terminal.
    #[arg(long = "logging.trace", global = true)]
    pub trace: bool,
    /// Write log files as JSON, one object a line.
    #[arg(long = "logging.json", global = true)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Up {
    /// Real images in the HAM10000 layout: DIR/images/*.jpg and DIR/metadata.csv. Without it,
    /// synthetic images are generated.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Stop by itself after this many rounds; default: run until Ctrl-C.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub rounds: Option<u64>,
    /// Make the run repeatable. On this development chain it also fixes the judging sample.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Where chain, wallets, models and ledgers live. A finished home continues with new rounds.
    #[arg(long, value_name = "DIR", default_value = ".agon")]
    pub home: PathBuf,
    /// Delete the home's network first and start over.
    #[arg(long)]
    pub fresh: bool,
    /// How many miners: a good one, a weaker one, a copier, a broken one, then more weak ones.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=32))]
    pub miners: u16,
    /// How many validators.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=8))]
    pub validators: u16,
    /// Time between blocks, for example 250ms or 12s.
    #[arg(long, value_name = "TIME", default_value = "250ms", value_parser = duration)]
    pub block_time: Duration,
    /// Port of the chain's JSON-RPC; default: a free one.
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 0,
        hide_default_value = true
    )]
    pub port: u16,
    /// How many samples validators judge a round.
    #[arg(long = "judging.sample", value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub judging_sample: u32,
    /// Multiply the miners' training epochs, for a quicker or a better run.
    #[arg(long = "training.effort", value_name = "X", default_value_t = 1.0, value_parser = effort)]
    pub training_effort: f64,
    /// By which rules scores become weights.
    #[arg(long, value_enum, default_value_t)]
    pub scoring: ScoringRules,
    #[command(flatten)]
    pub isolating: Isolating,
    #[command(flatten)]
    pub watching: Watching,
    /// Print one JSON document at the end and nothing else on standard output.
    #[arg(long)]
    pub json: bool,
}

/// A store: a directory or, where the program can use one, a bucket.
fn store() -> impl TypedValueParser<Value = Location> {
    OsStringValueParser::new().try_map(Location::try_from)
}

fn duration(text: &str) -> Result<Duration, String> {
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number
        .parse()
        .map_err(|_| "expected a number and a unit, for example 250ms or 12s".to_owned())?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "s" | "" => number,
        other => return Err(format!("unknown unit {other:?}; use ms or s")),
    };
    if !(0.02..=3600.0).contains(&seconds) {
        return Err("must be between 20ms and 3600s".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn effort(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(effort) if (0.01..=100.0).contains(&effort) => Ok(effort),
        _ => Err("must be a number between 0.01 and 100".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn block_times_have_units_and_bounds() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("12s"), Ok(Duration::from_secs(12)));
        assert_eq!(duration("1.5"), Ok(Duration::from_millis(1500)));
        for wrong in ["", "fast", "1h", "0s", "1ms", "-3s", "1e9s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}

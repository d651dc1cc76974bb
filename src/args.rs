//! What can be typed. Names with a dot are the ones Bittensor users know.

mod chain;
pub mod node;

pub use chain::*;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

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
    /// Tell the chain where a server is.
    Axon(Axon),
    /// Publish something as a hotkey, and read what hotkeys have published.
    Commitment(Commitment),
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
    /// Print one JSON document at the end and nothing else on standard output.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Wallet {
    #[command(subcommand)]
    pub verb: WalletVerb,
}

#[derive(Debug, Subcommand)]
pub enum WalletVerb {
    /// Create a coldkey, show its words once and encrypt its file.
    NewColdkey(NewKey),
    /// Create a hotkey and show its words once.
    NewHotkey(NewKey),
    /// Make a coldkey's file again from its words or seed.
    RegenColdkey(RegenerateKey),
    /// Make a hotkey's file again from its words or seed.
    RegenHotkey(RegenerateKey),
    /// List the wallets with their addresses.
    List(ListWallets),
    /// Sign a message with the coldkey or the hotkey.
    Sign(SignMessage),
    /// Show what a coldkey holds.
    Balance(ShowBalance),
    /// Send TAO.
    Transfer(Transfer),
    /// Show a wallet's hotkeys with their places on the subnets.
    Overview(Overview),
    /// Take TAO from a development chain.
    Faucet(Faucet),
}

#[derive(Debug, Args)]
pub struct WalletPlace {
    /// Wallet name.
    #[arg(
        long = "wallet.name",
        value_name = "NAME",
        env = "BT_WALLET_NAME",
        default_value = "default"
    )]
    pub name: String,
    /// Hotkey name.
    #[arg(
        long = "wallet.hotkey",
        value_name = "NAME",
        env = "BT_WALLET_HOTKEY",
        default_value = "default"
    )]
    pub hotkey: String,
    /// Directory of the wallets; default: ~/.bittensor/wallets.
    #[arg(long = "wallet.path", value_name = "DIR", env = "BT_WALLET_PATH")]
    pub path: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Sealing {
    /// Leave the key file in plain text. Hotkeys are plain unless a password is given.
    #[arg(long)]
    pub no_password: bool,
    /// Read the password from the first line of this file instead of asking for it.
    #[arg(long, value_name = "FILE", conflicts_with = "no_password")]
    pub password_file: Option<PathBuf>,
    /// Replace a key that is already there. Its funds are lost unless you have its words.
    #[arg(long)]
    pub overwrite: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct NewKey {
    #[command(flatten)]
    pub place: WalletPlace,
    #[command(flatten)]
    pub sealing: Sealing,
    /// Number of words: 12, 15, 18, 21 or 24.
    #[arg(
        long = "n_words",
        visible_alias = "n-words",
        value_name = "N",
        default_value_t = 12
    )]
    pub words: usize,
}

#[derive(Debug, Args)]
pub struct RegenerateKey {
    #[command(flatten)]
    pub place: WalletPlace,
    #[command(flatten)]
    pub sealing: Sealing,
    /// The words; asked for when neither they nor a seed are given.
    #[arg(long, value_name = "WORDS", conflicts_with = "seed")]
    pub mnemonic: Option<String>,
    /// The 32-byte seed in hex.
    #[arg(long, value_name = "HEX")]
    pub seed: Option<String>,
    /// A derived key such as //Alice, a well-known key of development chains.
    #[arg(long, value_name = "URI", conflicts_with_all = ["mnemonic", "seed"])]
    pub uri: Option<String>,
}

#[derive(Debug, Args)]
pub struct ListWallets {
    /// Directory of the wallets; default: ~/.bittensor/wallets.
    #[arg(long = "wallet.path", value_name = "DIR", env = "BT_WALLET_PATH")]
    pub path: Option<PathBuf>,
    /// Print the list as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct SignMessage {
    #[command(flatten)]
    pub place: WalletPlace,
    /// What to sign.
    #[arg(long, value_name = "TEXT")]
    pub message: String,
    /// Sign with the hotkey instead of the coldkey.
    #[arg(long)]
    pub use_hotkey: bool,
    /// Read the password from the first line of this file instead of asking for it.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Print address and signature as JSON.
    #[arg(long)]
    pub json: bool,
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

//! What can be typed about miners.

use super::{TrainHealthcare, WalletPlace};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Miner {
    #[command(subcommand)]
    pub subnet: MinedSubnet,
}

#[derive(Debug, Subcommand)]
pub enum MinedSubnet {
    /// Train chest X-ray models, and publish and commit every one that is better than those before it.
    Healthcare(Box<MineHealthcare>),
}

#[derive(Debug, Args)]
pub struct MineHealthcare {
    #[command(flatten)]
    pub training: TrainHealthcare,
    /// The subnet's number.
    #[arg(long, value_name = "N")]
    pub netuid: u16,
    /// As everywhere: finney, test, local, or the address of a node.
    #[arg(
        long = "subtensor.network",
        visible_alias = "network",
        value_name = "NAME"
    )]
    pub network: Option<String>,
    /// The address of a node; goes before the network's name.
    #[arg(long = "subtensor.chain_endpoint", value_name = "URL")]
    pub endpoint: Option<String>,
    #[command(flatten)]
    pub place: WalletPlace,
    /// Read the hotkey's password from the first line of this file instead of asking for it.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// The store that validators of this machine read.
    #[arg(long, value_name = "DIR", default_value = ".agon/store")]
    pub store: PathBuf,
}

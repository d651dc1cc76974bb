//! What can be typed about miners.

use super::{Serving, TrainHealthcare, WalletPlace, Watching};
use crate::amount::Amount;
use agon_arena::subnet::healthcare::challenge::Threshold;
use agon_dataset::store::Location;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Miner {
    #[command(subcommand)]
    pub subnet: MinedSubnet,
}

#[derive(Debug, Subcommand)]
pub enum MinedSubnet {
    /// Train chest X-ray models, publish and commit every one that is better than those before it, and with --axon.port
    /// answer validators with the best.
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
    /// The store that validators read; what is committed is kept there. A directory, or s3://BUCKET/PREFIX (built with
    /// --features s3; the AWS_ variables say how).
    #[arg(long, value_name = "DIR", default_value = ".agon/store", value_parser = super::store())]
    pub store: Location,
    /// Publish models in this repository of the Hugging Face Hub, and commit to its revisions. It is private until the
    /// chain has the commitment. The token is HF_TOKEN or ACCESS_TOKEN, also from a file .env.
    #[arg(long = "hf_repo_id", alias = "hf-repo-id", value_name = "OWNER/NAME")]
    pub repository: Option<String>,
    #[command(flatten)]
    pub serving: Serving,
    /// Answer only who has at least this much stake in the subnet.
    #[arg(
        long = "blacklist.min_stake",
        value_name = "ALPHA",
        default_value = "4096"
    )]
    pub min_stake: Amount,
    /// Answer with every finding that is likelier than this; where none is, with the likeliest answer, which may be No
    /// Finding.
    #[arg(long, value_name = "X", default_value = "0.5")]
    pub threshold: Threshold,
    #[command(flatten)]
    pub watching: Watching,
}

impl MineHealthcare {
    /// Whether validators are answered.
    pub fn serves(&self) -> bool {
        self.serving.port.is_some() || self.serving.external_ip.is_some()
    }
}

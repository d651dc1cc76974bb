//! What can be typed about a chain: subnets, stake, weights, commitments, balances.

use super::{WalletPlace, duration};
use crate::amount::Amount;
use agon_keys::AccountId;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Which chain, for how long, and how it is printed.
#[derive(Debug, Args)]
pub struct Chain {
    /// finney, test, archive, latent-lite, devnet, local, or the address of a node; default: the
    /// environment's BT_SUBTENSOR_CHAIN_ENDPOINT or BT_SUBTENSOR_NETWORK, or finney.
    #[arg(
        long = "subtensor.network",
        visible_alias = "network",
        value_name = "NAME"
    )]
    pub network: Option<String>,
    /// The address of a node, such as ws://127.0.0.1:9944; goes before the network's name.
    #[arg(long = "subtensor.chain_endpoint", value_name = "URL")]
    pub endpoint: Option<String>,
    /// How long to wait for an outcome before it is called unknown.
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = duration)]
    pub timeout: Duration,
    /// Print the result as JSON, also when the chain refuses.
    #[arg(long)]
    pub json: bool,
}

/// Who signs, and how sure of it.
#[derive(Debug, Args)]
pub struct Signing {
    #[command(flatten)]
    pub place: WalletPlace,
    /// Read the key's password from the first line of this file instead of asking for it.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Do not ask before money moves.
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Say what would be sent and what it would cost; open no key and send nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// Whose public facts are shown.
#[derive(Debug, Args)]
pub struct Whose {
    #[command(flatten)]
    pub place: WalletPlace,
    /// An address instead of a wallet's coldkey.
    #[arg(long, value_name = "ADDRESS")]
    pub ss58: Option<AccountId>,
}

/// One subnet.
#[derive(Debug, Args)]
pub struct OneSubnet {
    #[command(flatten)]
    pub chain: Chain,
    /// The subnet's number.
    #[arg(long, value_name = "N")]
    pub netuid: u16,
}

#[derive(Debug, Args)]
pub struct Subnet {
    #[command(subcommand)]
    pub verb: SubnetVerb,
}

#[derive(Debug, Subcommand)]
pub enum SubnetVerb {
    /// List all subnets with their pools and prices.
    List(Chain),
    /// Show one subnet.
    Show(OneSubnet),
    /// Found a subnet; its owner's coldkey pays what it costs now.
    Create(CreateSubnet),
    /// Start a subnet: its token trades and it can receive emission.
    Start(SignedOnSubnet),
    /// Register the wallet's hotkey on a subnet; the coldkey pays the price.
    Register(Register),
    /// Show a subnet's neurons.
    Metagraph(OneSubnet),
    /// Show a subnet's settings.
    Hyperparameters(OneSubnet),
    /// Change one of a subnet's settings, as its owner or as the chain's root.
    SetHyperparameter(SetHyperparameter),
    /// Show what a subnet's owner says of it, or say something else.
    Identity(SubnetIdentity),
}

#[derive(Debug, Args)]
pub struct SignedOnSubnet {
    #[command(flatten)]
    pub subnet: OneSubnet,
    #[command(flatten)]
    pub signing: Signing,
}

#[derive(Debug, Args)]
pub struct CreateSubnet {
    #[command(flatten)]
    pub chain: Chain,
    #[command(flatten)]
    pub signing: Signing,
    #[command(flatten)]
    pub identity: IdentityTexts,
}

#[derive(Debug, Args)]
pub struct Register {
    #[command(flatten)]
    pub subnet: OneSubnet,
    #[command(flatten)]
    pub signing: Signing,
    /// The most TAO to pay; default: the price now and half a percent.
    #[arg(long, value_name = "TAO")]
    pub max_price: Option<Amount>,
}

#[derive(Debug, Args)]
pub struct SetHyperparameter {
    #[command(flatten)]
    pub subnet: OneSubnet,
    #[command(flatten)]
    pub signing: Signing,
    /// The setting's name, as `agon subnet hyperparameters` prints it.
    #[arg(long = "param", visible_alias = "name", value_name = "NAME")]
    pub parameter: String,
    /// Its new value: a whole number, true or false, or two numbers with a comma.
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    pub value: String,
    /// Sign as the chain's root (the sudo key of a development chain) instead of as the owner.
    #[arg(long)]
    pub sudo: bool,
}

#[derive(Debug, Args)]
pub struct SubnetIdentity {
    #[command(flatten)]
    pub subnet: OneSubnet,
    #[command(flatten)]
    pub signing: Signing,
    #[command(flatten)]
    pub texts: IdentityTexts,
}

/// What can be said of a subnet; what is left out stays, or is empty.
#[derive(Debug, Args)]
pub struct IdentityTexts {
    /// The subnet's name.
    #[arg(long, value_name = "TEXT")]
    pub subnet_name: Option<String>,
    /// Where its code is.
    #[arg(long, value_name = "URL")]
    pub github_repo: Option<String>,
    /// How to reach its owner.
    #[arg(long, value_name = "TEXT")]
    pub subnet_contact: Option<String>,
    /// Its page.
    #[arg(long, value_name = "URL")]
    pub subnet_url: Option<String>,
    /// Its channel on Discord.
    #[arg(long, value_name = "TEXT")]
    pub discord: Option<String>,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// Its logo.
    #[arg(long, value_name = "URL")]
    pub logo_url: Option<String>,
    /// Anything else.
    #[arg(long, value_name = "TEXT")]
    pub additional: Option<String>,
}

#[derive(Debug, Args)]
pub struct Stake {
    #[command(subcommand)]
    pub verb: StakeVerb,
}

#[derive(Debug, Subcommand)]
pub enum StakeVerb {
    /// Stake TAO on a hotkey in a subnet.
    Add(AddStake),
    /// Withdraw stake from a hotkey in a subnet.
    Remove(RemoveStake),
    /// Move stake to another hotkey or another subnet.
    Move(MoveStake),
    /// Give stake to another coldkey.
    Transfer(TransferStake),
    /// List a coldkey's stake.
    List(ListStake),
    /// Show or change what a hotkey's owner takes of the dividends of those who stake on it.
    Take(Take),
}

/// Within which price stake is traded.
#[derive(Debug, Args)]
pub struct Pricing {
    /// How far the price may move against you, as a fraction of the price now.
    #[arg(long, value_name = "FRACTION", default_value = "0.005", conflicts_with = "limit_price", value_parser = fraction)]
    pub tolerance: Amount,
    /// The worst price to accept, in TAO for one alpha.
    #[arg(long, value_name = "TAO")]
    pub limit_price: Option<Amount>,
    /// Trade less if not everything fits within that price.
    #[arg(long)]
    pub partial: bool,
    /// Trade at any price.
    #[arg(long, conflicts_with_all = ["limit_price", "partial"])]
    pub no_limit: bool,
}

/// How much stake.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct HowMuch {
    /// How much alpha (TAO on root), with up to nine decimals.
    #[arg(long, value_name = "ALPHA")]
    pub amount: Option<Amount>,
    /// All of it.
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct AddStake {
    #[command(flatten)]
    pub subnet: OneSubnet,
    #[command(flatten)]
    pub signing: Signing,
    /// How much TAO, with up to nine decimals.
    #[arg(long, value_name = "TAO")]
    pub amount: Amount,
    /// The hotkey's address; default: the wallet's hotkey.
    #[arg(long = "hotkey", value_name = "ADDRESS")]
    pub on: Option<AccountId>,
    #[command(flatten)]
    pub pricing: Pricing,
}

#[derive(Debug, Args)]
pub struct RemoveStake {
    #[command(flatten)]
    pub subnet: OneSubnet,
    #[command(flatten)]
    pub signing: Signing,
    #[command(flatten)]
    pub much: HowMuch,
    /// The hotkey's address; default: the wallet's hotkey.
    #[arg(long = "hotkey", value_name = "ADDRESS")]
    pub on: Option<AccountId>,
    #[command(flatten)]
    pub pricing: Pricing,
}

#[derive(Debug, Args)]
pub struct MoveStake {
    #[command(flatten)]
    pub subnet: OneSubnet,
    #[command(flatten)]
    pub signing: Signing,
    #[command(flatten)]
    pub much: HowMuch,
    /// The hotkey it is on; default: the wallet's hotkey.
    #[arg(long = "hotkey", value_name = "ADDRESS")]
    pub on: Option<AccountId>,
    /// The hotkey it goes to; default: the same.
    #[arg(long, value_name = "ADDRESS")]
    pub dest_hotkey: Option<AccountId>,
    /// The subnet it goes to; default: the same.
    #[arg(long, value_name = "N")]
    pub dest_netuid: Option<u16>,
    #[command(flatten)]
    pub pricing: Pricing,
}

#[derive(Debug, Args)]
pub struct TransferStake {
    #[command(flatten)]
    pub subnet: OneSubnet,
    #[command(flatten)]
    pub signing: Signing,
    #[command(flatten)]
    pub much: HowMuch,
    /// The coldkey that gets it.
    #[arg(long = "dest", visible_alias = "dest_coldkey", value_name = "ADDRESS")]
    pub destination: AccountId,
    /// The hotkey it is on; default: the wallet's hotkey.
    #[arg(long = "hotkey", value_name = "ADDRESS")]
    pub on: Option<AccountId>,
    /// The subnet it goes to; default: the same.
    #[arg(long, value_name = "N")]
    pub dest_netuid: Option<u16>,
}

#[derive(Debug, Args)]
pub struct ListStake {
    #[command(flatten)]
    pub chain: Chain,
    #[command(flatten)]
    pub whose: Whose,
}

#[derive(Debug, Args)]
pub struct Weights {
    #[command(subcommand)]
    pub verb: WeightsVerb,
}

#[derive(Debug, Subcommand)]
pub enum WeightsVerb {
    /// Set the hotkey's weights; where the subnet wants them hidden, sealed until the chain itself
    /// reveals them.
    Set(SetWeights),
    /// Commit to a hash of the hotkey's weights, to be revealed by hand in its epoch.
    Commit(SetWeights),
    /// Reveal the weights whose hash was committed to.
    Reveal(RevealWeights),
    /// Show the weights that are set in a subnet.
    Show(ShowWeights),
}

#[derive(Debug, Args)]
pub struct SetWeights {
    #[command(flatten)]
    pub subnet: OneSubnet,
    #[command(flatten)]
    pub signing: Signing,
    /// The uids, with commas between them.
    #[arg(
        long,
        value_name = "UIDS",
        value_delimiter = ',',
        num_args = 1..,
        required = true
    )]
    pub uids: Vec<u16>,
    /// The weight of each uid, in any scale, with commas between them.
    #[arg(
        long,
        value_name = "WEIGHTS",
        value_delimiter = ',',
        num_args = 1..,
        required = true
    )]
    pub weights: Vec<f64>,
    /// Version of the software that made them; default: the lowest that the subnet takes.
    #[arg(long, value_name = "N")]
    pub version_key: Option<u64>,
    /// If it is too early, wait for the block that takes them instead of refusing.
    #[arg(long)]
    pub wait: bool,
}

#[derive(Debug, Args)]
pub struct RevealWeights {
    #[command(flatten)]
    pub subnet: OneSubnet,
    #[command(flatten)]
    pub signing: Signing,
    /// The salt, if the commitment was made on another machine; then also --uids and --weights.
    #[arg(long, value_name = "SALT", value_delimiter = ',', num_args = 1.., requires_all = ["uids", "weights"])]
    pub salt: Vec<u16>,
    /// The uids, as committed to.
    #[arg(long, value_name = "UIDS", value_delimiter = ',', num_args = 1.., requires = "salt")]
    pub uids: Vec<u16>,
    /// The weights, as committed to.
    #[arg(long, value_name = "WEIGHTS", value_delimiter = ',', num_args = 1.., requires = "salt")]
    pub weights: Vec<f64>,
    /// The version, as committed to; default: the lowest that the subnet takes.
    #[arg(long, value_name = "N", requires = "salt")]
    pub version_key: Option<u64>,
    /// If it is too early, wait for the block that takes them instead of refusing.
    #[arg(long)]
    pub wait: bool,
}

#[derive(Debug, Args)]
pub struct ShowWeights {
    #[command(flatten)]
    pub subnet: OneSubnet,
    /// Only those that this uid has set.
    #[arg(long, value_name = "UID")]
    pub uid: Option<u16>,
}

#[derive(Debug, Args)]
pub struct Commitment {
    #[command(subcommand)]
    pub verb: CommitmentVerb,
}

#[derive(Debug, Subcommand)]
pub enum CommitmentVerb {
    /// Publish something as the wallet's hotkey.
    Set(SetCommitment),
    /// Show what hotkeys have published in a subnet.
    Get(GetCommitment),
}

#[derive(Debug, Args)]
pub struct SetCommitment {
    #[command(flatten)]
    pub subnet: OneSubnet,
    #[command(flatten)]
    pub signing: Signing,
    /// What to publish: up to 512 bytes, or 778 that are sealed.
    #[arg(long, value_name = "TEXT")]
    pub data: String,
    /// The data are hexadecimal digits.
    #[arg(long)]
    pub hex: bool,
    /// Seal it: nobody can read it until the chain itself reveals it, after about so many blocks.
    #[arg(long, visible_alias = "blocks_until_reveal", value_name = "N")]
    pub blocks_until_reveal: Option<u64>,
}

#[derive(Debug, Args)]
pub struct GetCommitment {
    #[command(flatten)]
    pub subnet: OneSubnet,
    /// Only what this hotkey has published.
    #[arg(long, value_name = "ADDRESS")]
    pub hotkey: Option<AccountId>,
}

#[derive(Debug, Args)]
pub struct ShowBalance {
    #[command(flatten)]
    pub chain: Chain,
    #[command(flatten)]
    pub whose: Whose,
}

#[derive(Debug, Args)]
pub struct Overview {
    #[command(flatten)]
    pub chain: Chain,
    #[command(flatten)]
    pub place: WalletPlace,
}

#[derive(Debug, Args)]
pub struct Transfer {
    #[command(flatten)]
    pub chain: Chain,
    #[command(flatten)]
    pub signing: Signing,
    /// Who gets it.
    #[arg(long = "dest", value_name = "ADDRESS")]
    pub destination: AccountId,
    /// How much TAO, with up to nine decimals.
    #[arg(
        long,
        value_name = "TAO",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    pub amount: Option<Amount>,
    /// All that can be sent.
    #[arg(long)]
    pub all: bool,
    /// Allow it to end the sender's account.
    #[arg(long)]
    pub allow_death: bool,
}

#[derive(Debug, Args)]
pub struct Faucet {
    #[command(flatten)]
    pub chain: Chain,
    #[command(flatten)]
    pub whose: Whose,
    /// How much TAO to add to the balance.
    #[arg(long, value_name = "TAO", default_value = "10000")]
    pub amount: Amount,
}

#[derive(Debug, Args)]
pub struct Take {
    #[command(flatten)]
    pub chain: Chain,
    #[command(flatten)]
    pub signing: Signing,
    /// The new take as a fraction, such as 0.09; default: show the take as it is.
    #[arg(long = "to", visible_alias = "take", value_name = "FRACTION", value_parser = fraction)]
    pub take: Option<Amount>,
}

/// A fraction in parts of a thousand million: below 1, or a tolerance would mean nothing.
fn fraction(text: &str) -> Result<Amount, String> {
    match text.parse::<Amount>() {
        Ok(fraction) if fraction.0 < Amount::ONE.0 => Ok(fraction),
        _ => Err("must be a fraction such as 0.005, from 0 to below 1".to_owned()),
    }
}

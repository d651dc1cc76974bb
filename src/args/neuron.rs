//! What can be typed about neurons: servers, questions, and what may be wrong.

use super::node::Metrics;
use super::{Chain, OneSubnet, Signing, WalletPlace, Watching, duration};
use agon_keys::AccountId;
use clap::{Args, Subcommand, ValueEnum};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

#[derive(Debug, Args)]
pub struct Axon {
    #[command(subcommand)]
    pub verb: AxonVerb,
}

#[derive(Debug, Subcommand)]
pub enum AxonVerb {
    /// Serve a miner to test against: it answers with what it heard.
    Echo(Box<EchoAxon>),
    /// Tell the chain where the hotkey's server is reached, so that validators find it.
    Publish(PublishAxon),
}

#[derive(Debug, Args)]
pub struct PublishAxon {
    #[command(flatten)]
    pub subnet: OneSubnet,
    #[command(flatten)]
    pub signing: Signing,
    /// The address at which others reach the server.
    #[arg(
        long = "axon.external_ip",
        visible_alias = "axon.ip",
        value_name = "IP"
    )]
    pub ip: IpAddr,
    /// The port at which others reach it.
    #[arg(
        long = "axon.external_port",
        visible_alias = "axon.port",
        value_name = "PORT",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub port: u16,
}

/// The port of a server where nothing is said.
pub const AXON_PORT: u16 = 8091;

/// Where a server listens and whom it answers.
#[derive(Debug, Args)]
pub struct Serving {
    /// The address to listen at.
    #[arg(long = "axon.ip", value_name = "IP", env = "BT_AXON_IP", default_value_t = Ipv4Addr::LOCALHOST.into())]
    pub ip: IpAddr,
    /// The port to listen at, 8091 where nothing is said; 0 for a free one.
    #[arg(long = "axon.port", value_name = "PORT", env = "BT_AXON_PORT")]
    pub port: Option<u16>,
    /// The address at which others reach it, to be published on the chain.
    #[arg(
        long = "axon.external_ip",
        value_name = "IP",
        env = "BT_AXON_EXTERNAL_IP",
        requires = "netuid"
    )]
    pub external_ip: Option<IpAddr>,
    /// The port at which others reach it; default: the one it listens at.
    #[arg(
        long = "axon.external_port",
        value_name = "PORT",
        env = "BT_AXON_EXTERNAL_PORT",
        requires = "external_ip"
    )]
    pub external_port: Option<u16>,
    /// Answer hotkeys that are not registered, too.
    #[arg(long = "blacklist.allow_non_registered")]
    pub allow_non_registered: bool,
    /// Answer only validators with a permit.
    #[arg(long = "blacklist.force_validator_permit")]
    pub force_validator_permit: bool,
    /// A file of hotkeys that may always ask, one a line; read again whenever it changes.
    #[arg(long = "blacklist.allow", value_name = "FILE")]
    pub allow: Option<PathBuf>,
    /// A file of hotkeys that may never ask, one a line; read again whenever it changes.
    #[arg(long = "blacklist.deny", value_name = "FILE")]
    pub deny: Option<PathBuf>,
    /// How many requests a hotkey may send in a second, ten at once.
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// How far the clocks of callers may be behind this one.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub max_age: Duration,
    /// How many handlers run at once.
    #[arg(
        long = "axon.max_workers",
        value_name = "N",
        env = "BT_AXON_MAX_WORKERS",
        default_value_t = 16
    )]
    pub max_workers: usize,
    /// A certificate's chain in PEM; then connections are encrypted.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// The certificate's key in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct EchoAxon {
    #[command(flatten)]
    pub chain: Chain,
    #[command(flatten)]
    pub signing: Signing,
    /// The subnet; without it no chain is asked, and everybody may speak whose signature is good.
    #[arg(long, value_name = "N")]
    pub netuid: Option<u16>,
    #[command(flatten)]
    pub serving: Serving,
    /// The names of the requests that are answered.
    #[arg(
        long = "name",
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "Dummy,Echo"
    )]
    pub names: Vec<String>,
    /// The fields that a request's signature must cover, in their order (required_hash_fields).
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub hashed: Vec<String>,
    /// Take only requests that are signed with btauth/1, which covers every byte.
    #[arg(long, conflicts_with = "hashed")]
    pub btauth_only: bool,
    #[command(flatten)]
    pub metrics: Metrics,
    #[command(flatten)]
    pub watching: Watching,
}

/// Who is asked without looking at a chain.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its hotkey.
    pub hotkey: AccountId,
    /// Where it is.
    pub address: SocketAddr,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected HOTKEY@IP:PORT".to_owned();
        let (hotkey, address) = text.split_once('@').ok_or_else(wrong)?;
        Ok(Self {
            hotkey: hotkey.parse().map_err(|error| format!("{error}"))?,
            address: address.parse().map_err(|_| wrong())?,
        })
    }
}

/// In which protocol is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Speech {
    /// The header protocol of SDK 7.2 to 10.x.
    Headers,
    /// btauth/1 of SDK 11.
    Btauth,
}

#[derive(Debug, Args)]
pub struct Query {
    #[command(flatten)]
    pub chain: Chain,
    #[command(flatten)]
    pub place: WalletPlace,
    /// Read the hotkey's password from the first line of this file instead of asking for it.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// The subnet whose neurons are asked.
    #[arg(long, value_name = "N", required_unless_present = "to")]
    pub netuid: Option<u16>,
    /// Only these neurons; default: all that serve.
    #[arg(
        long = "uid",
        visible_alias = "uids",
        value_name = "UIDS",
        value_delimiter = ',',
        requires = "netuid"
    )]
    pub uids: Vec<u16>,
    /// Ask this server instead; no chain is asked.
    #[arg(long, value_name = "HOTKEY@IP:PORT", conflicts_with = "netuid")]
    pub to: Vec<Target>,
    /// The request's name: the class of a Python synapse.
    #[arg(long = "name", value_name = "NAME", default_value = "Synapse")]
    pub request: String,
    /// The request's fields, a JSON object.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub data: String,
    /// The fields that the signature must cover, in their order (required_hash_fields).
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub hashed: Vec<String>,
    /// What the servers speak; default: what they have published.
    #[arg(long, value_name = "PROTOCOL")]
    pub protocol: Option<Speech>,
    /// How long all answers together may take.
    #[arg(long = "within", value_name = "TIME", default_value = "12s", value_parser = duration)]
    pub within: Duration,
    /// Stop when so many have answered, after some grace.
    #[arg(long, value_name = "N")]
    pub quorum: Option<usize>,
    /// How long the others still have then.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration, requires = "quorum")]
    pub grace: Duration,
    /// Ask again where a connection broke: the request does no harm twice.
    #[arg(long)]
    pub idempotent: bool,
    /// Take only answers that the server has signed; servers of the Python SDK sign none.
    #[arg(long)]
    pub signed: bool,
    /// Print the answer of one server as it comes.
    #[arg(long, conflicts_with_all = ["quorum", "signed"])]
    pub stream: bool,
}

/// A part in a competition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Who trains models.
    Miner,
    /// Who judges them.
    Validator,
}

#[derive(Debug, Args)]
pub struct Doctor {
    /// A competition: whether this machine can take part in it, and how well it isolates models. The chain is then
    /// looked at only where it is named.
    #[arg(value_name = "SUBNET")]
    pub subnet: Option<String>,
    /// Look at what this part in the competition needs; default: at both.
    #[arg(long, value_name = "ROLE", value_enum, requires = "subnet")]
    pub role: Option<Role>,
    /// Where the data and the models would be.
    #[arg(long, value_name = "DIR", default_value = ".", requires = "subnet")]
    pub data_dir: PathBuf,
    #[command(flatten)]
    pub chain: Chain,
    #[command(flatten)]
    pub place: WalletPlace,
    /// The subnet on which the hotkey is to be looked at.
    #[arg(long, value_name = "N")]
    pub netuid: Option<u16>,
}

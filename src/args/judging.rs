//! What can be typed about validators and what they keep.

use super::{OneSubnet, RunTricorderValidator, Running, WalletPlace, Watching};
use crate::amount::Amount;
use agon_arena::reward::Scoring;
use agon_dataset::chest::LabelSet;
use agon_dataset::store::Location;
use agon_keys::AccountId;
use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// By which rules scores become weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoringRules {
    /// Those of the system the competition comes from.
    #[default]
    Original,
    /// Ranks that chance does not decide; the earlier of two equals stays ahead.
    Robust,
}

impl From<ScoringRules> for Scoring {
    fn from(rules: ScoringRules) -> Self {
        match rules {
            ScoringRules::Original => Self::Original,
            ScoringRules::Robust => Self::Robust,
        }
    }
}

#[derive(Debug, Args)]
pub struct Validator {
    #[command(subcommand)]
    pub verb: ValidatorVerb,
}

#[derive(Debug, Subcommand)]
pub enum ValidatorVerb {
    /// Judge skin-lesion models.
    Tricorder(Box<RunTricorderValidator>),
    /// Judge chest X-ray models, or ask live miners about chest X-rays.
    Healthcare(Box<RunXRayValidator>),
    /// Judge the models of a round again and compare with what was written down.
    Rejudge(Box<Rejudge>),
}

#[derive(Debug, Args)]
pub struct RunValidator {
    #[command(flatten)]
    pub subnet: OneSubnet,
    #[command(flatten)]
    pub place: WalletPlace,
    /// Read the hotkey's password from the first line of this file instead of asking for it.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    #[command(flatten)]
    pub judging: JudgingData,
    /// Where neurons keep what they know; this one's directory is WALLET/HOTKEY/netuidN/NAME in it. Default:
    /// ~/.bittensor/validators.
    #[arg(long = "logging.logging_dir", value_name = "DIR")]
    pub logging_directory: Option<PathBuf>,
    /// This neuron's name in that directory.
    #[arg(
        long = "neuron.name",
        value_name = "NAME",
        default_value = "validator",
        value_parser = plain_name
    )]
    pub neuron_name: String,
    /// Begin with another validator's past, from agon ledger export, where there is no ledger yet.
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,
    /// Do not judge who has a validator's permit and more stake than this: it validates.
    #[arg(
        long = "vpermit_tao_limit",
        visible_alias = "neuron.vpermit_tao_limit",
        value_name = "TAO",
        default_value = "4096"
    )]
    pub stake_limit: Amount,
    #[command(flatten)]
    pub watching: Watching,
    /// Judge only; set no weights.
    #[arg(long = "neuron.disable_set_weights")]
    pub disable_set_weights: bool,
    /// Stop by itself when the ledger holds this many finished rounds; default: run until Ctrl-C.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub rounds: Option<u64>,
}

#[derive(Debug, Args)]
pub struct RunXRayValidator {
    #[command(flatten)]
    pub run: RunValidator,
    #[command(flatten)]
    pub rules: XRayRules,
    /// Where the evidence comes from.
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub form: XRayForm,
    #[command(flatten)]
    pub asking: Asking,
}

/// Where the evidence about miners comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum XRayForm {
    /// Models that they have committed are run here.
    #[default]
    Models,
    /// They are sent X-rays, and answer with their findings.
    Challenge,
}

/// How live miners are asked.
#[derive(Debug, Args)]
pub struct Asking {
    /// How long the answer to a question is waited for with --form challenge; default: 30s.
    #[arg(long = "neuron.timeout", value_name = "TIME", value_parser = super::duration)]
    pub patience: Option<Duration>,
    /// The most miners that are asked a round with --form challenge; default: 256.
    #[arg(long = "neuron.sample_size", value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub sample_size: Option<u16>,
}

/// What else decides how X-ray models are judged.
#[derive(Debug, Args)]
pub struct XRayRules {
    /// The labels of X-rays in the order of a network's answers: nih for the fourteen of NIH ChestX-ray14, or names with
    /// commas.
    #[arg(long, value_name = "LABELS", default_value = "nih")]
    pub labels: LabelSet,
    /// Refuse to judge on X-rays that this public data set holds too, by image and by patient.
    #[arg(long, value_name = "DIR")]
    pub public: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct JudgingData {
    /// Labelled images: of lesions with metadata.csv in the HAM10000 layout, of chests with Data_Entry.csv or
    /// metadata.csv. Where data are released, they are fetched instead.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Judge only on the part that a split by lesion or patient with this seed keeps for judges, as agon up and agon
    /// train divide images.
    #[arg(long = "judging.split", value_name = "SEED")]
    pub split: Option<u64>,
    /// How many samples are judged a round; default: 400, of released data all, and 32 where miners are asked.
    #[arg(long = "judging.sample", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub sample: Option<u32>,
    /// Draw the samples from this number. For development chains only: whoever knows it knows the sample.
    #[arg(long = "judging.seed", value_name = "N")]
    pub seed: Option<u64>,
    /// By which rules scores become weights.
    #[arg(long, value_enum, default_value_t)]
    pub scoring: ScoringRules,
    /// Where models that are committed to be there are fetched, by their digest; needed wherever models are judged. A
    /// directory, or s3://BUCKET/PREFIX (built with --features s3; the AWS_ variables say how).
    #[arg(long, value_name = "DIR", value_parser = super::store())]
    pub store: Option<Location>,
    /// Where models from the Hub and from buckets are kept; default: agon/models in XDG_CACHE_HOME or ~/.cache.
    #[arg(
        long = "models.cache_dir",
        visible_alias = "models.model_dir",
        value_name = "DIR"
    )]
    pub cache: Option<PathBuf>,
    /// How many GiB of them are kept; the least recently used go first.
    #[arg(long = "models.cache_size", value_name = "GIB", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub cache_size: u64,
    /// How many models are fetched and run at once; default: one for each core, as far as memory suffices. It changes no
    /// judgement.
    #[arg(long = "judging.models", value_name = "N")]
    pub at_once: Option<NonZeroUsize>,
    #[command(flatten)]
    pub running: Running,
}

impl JudgingData {
    /// How many samples of a data set are judged a round.
    pub fn sample(&self) -> usize {
        self.sample.unwrap_or(400) as usize
    }
}

fn plain_name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match !text.is_empty() && text.chars().all(plain) && !text.starts_with('.') {
        true => Ok(text.to_owned()),
        false => Err("use letters, digits, and - _ . inside".to_owned()),
    }
}

/// Whose ledger.
#[derive(Debug, Args)]
pub struct LedgerPlace {
    /// The directory with ledger.sqlite.
    #[arg(
        long,
        value_name = "DIR",
        default_value = ".agon/validators/validator-1"
    )]
    pub ledger: PathBuf,
    /// The competition, where the ledger holds several.
    #[arg(long, value_name = "NAME")]
    pub competition: Option<String>,
}

#[derive(Debug, Args)]
pub struct Rejudge {
    #[command(flatten)]
    pub place: LedgerPlace,
    #[command(flatten)]
    pub judging: JudgingData,
    #[command(flatten)]
    pub rules: XRayRules,
    /// Where released archives are kept; default: datasets beside the ledger.
    #[arg(long = "models.dataset_dir", value_name = "DIR")]
    pub kept: Option<PathBuf>,
    /// The round; default: the last one.
    #[arg(long, value_name = "N")]
    pub round: Option<u64>,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Ledger {
    #[command(subcommand)]
    pub verb: LedgerVerb,
}

#[derive(Debug, Subcommand)]
pub enum LedgerVerb {
    /// Make the weights of every round again from its rows. Exits with 1 where they do not agree.
    Replay(Replay),
    /// Write the finished rounds into a file for a validator that joins later. It may tell labels: for validators only.
    Export(ExportLedger),
    /// Name the first thing that two validators saw differently. Exits with 1 where there is one.
    Compare(CompareLedgers),
}

#[derive(Debug, Args)]
pub struct Replay {
    #[command(flatten)]
    pub place: LedgerPlace,
    /// The number the samples were drawn from, if they were not drawn from the chain.
    #[arg(long = "judging.seed", value_name = "N")]
    pub seed: Option<u64>,
    /// By which rules scores became weights.
    #[arg(long, value_enum, default_value_t)]
    pub scoring: ScoringRules,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ExportLedger {
    #[command(flatten)]
    pub place: LedgerPlace,
    /// The file, which must not be there yet.
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct CompareLedgers {
    /// A directory with ledger.sqlite.
    #[arg(value_name = "DIR")]
    pub one: PathBuf,
    /// Another.
    #[arg(value_name = "DIR")]
    pub other: PathBuf,
    /// The competition, where a ledger holds several.
    #[arg(long, value_name = "NAME")]
    pub competition: Option<String>,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Board {
    #[command(flatten)]
    pub place: LedgerPlace,
    /// The round; default: the last one.
    #[arg(long, value_name = "N", conflicts_with = "hotkey")]
    pub round: Option<u64>,
    /// One hotkey's submissions, round by round, instead of one round.
    #[arg(long, value_name = "ADDRESS")]
    pub hotkey: Option<AccountId>,
    /// The most rounds of a hotkey that are shown.
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub last: u32,
    /// Show it again whenever something has changed, until Ctrl-C.
    #[arg(long)]
    pub watch: bool,
    /// How often to look with --watch.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = super::duration, requires = "watch")]
    pub interval: Duration,
    /// Print the result as JSON, with --watch one document a line.
    #[arg(long)]
    pub json: bool,
    /// Print the result as CSV.
    #[arg(long, conflicts_with_all = ["json", "watch"])]
    pub csv: bool,
}

//! What can be typed about submitting models.

use super::{OneSubnet, Signing};
use agon_dataset::store::Location;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Submit {
    #[command(subcommand)]
    pub competition: SubmittedCompetition,
}

#[derive(Debug, Subcommand)]
pub enum SubmittedCompetition {
    /// Skin lesions: eleven classes from an image and the patient's demographics.
    Tricorder(Box<SubmitTricorder>),
}

/// What is to be done with a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Action {
    /// Everything: check, upload, commit, write the record, show.
    Submit,
    /// Check and upload; nothing is committed.
    Upload,
    /// Check the model in the sandbox; no chain and no hub is asked.
    SelfCheck,
    /// Judge it on --dataset_dir, as agon evaluate does.
    Evaluate,
    /// Show what became of the hotkey's submission.
    Status,
}

/// Where the files of a submission are put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HubName {
    /// A store on this machine.
    Local,
    /// The Hugging Face Hub.
    Huggingface,
}

/// Hand a model in: check it as the validators do, put it where they find it, commit to it on chain, and
/// say what they would still miss. It can be repeated; what is done already is not done again.
#[derive(Debug, Args)]
pub struct SubmitTricorder {
    #[command(flatten)]
    pub subnet: OneSubnet,
    #[command(flatten)]
    pub signing: Signing,
    /// What is done.
    #[arg(long, value_name = "ACTION", value_enum, default_value_t = Action::Submit)]
    pub action: Action,
    /// The model, an ONNX file; default: --hf_model_name in --model_dir.
    #[arg(long = "model_path", visible_alias = "model-path", value_name = "FILE")]
    pub model_path: Option<PathBuf>,
    /// The directory of models.
    #[arg(
        long = "model_dir",
        visible_alias = "model-dir",
        value_name = "DIR",
        default_value = "models"
    )]
    pub model_dir: PathBuf,
    /// Where the files are put; default: huggingface if a repository is named, else local.
    #[arg(long, value_name = "HUB", value_enum)]
    pub hub: Option<HubName>,
    /// The local store: a directory, or s3://BUCKET/PREFIX (built with --features s3; the AWS_ variables say how).
    #[arg(long, value_name = "DIR", default_value = ".agon/store", value_parser = super::store())]
    pub store: Location,
    /// The repository of the Hub, OWNER/NAME, at most 32 bytes; it is made if it is not there. The token comes
    /// from HF_TOKEN.
    #[arg(
        long = "hf_repo_id",
        visible_alias = "hf-repo-id",
        value_name = "OWNER/NAME"
    )]
    pub repository: Option<String>,
    /// What the model's file is called there, at most 32 bytes; default: as --model_path.
    #[arg(
        long = "hf_model_name",
        visible_aliases = ["hf_model_filename", "hf-model-name", "hf-model-filename"],
        value_name = "NAME.onnx"
    )]
    pub model_name: Option<String>,
    /// What the code's archive is called there: as the model, with .zip, at most 31 bytes. A file of this name here
    /// is taken if there is no --code_directory.
    #[arg(
        long = "hf_code_filename",
        visible_alias = "hf-code-filename",
        value_name = "NAME.zip"
    )]
    pub code_name: Option<String>,
    /// The code that the model was made with; it is packed without hidden files.
    #[arg(
        long = "code_directory",
        visible_alias = "code-directory",
        value_name = "DIR"
    )]
    pub code_directory: Option<PathBuf>,
    /// The competition.
    #[arg(
        long = "competition_id",
        visible_alias = "competition-id",
        value_name = "NAME",
        default_value = agon_arena::subnet::tricorder::NAME
    )]
    pub competition: String,
    /// Commit in two phases, so that nobody who sees the model can be before its owner; for networks of Agon's. The
    /// files are named after the model's digest.
    #[arg(long = "two_phases", visible_alias = "two-phases")]
    pub two_phases: bool,
    /// Labelled images for --action evaluate.
    #[arg(
        long = "dataset_dir",
        visible_alias = "dataset-dir",
        value_name = "DIR",
        required_if_eq("action", "evaluate")
    )]
    pub dataset: Option<PathBuf>,
}

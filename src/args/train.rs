//! What `agon train` is told.

use crate::commands::train::layers::Flags;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Train {
    #[command(subcommand)]
    pub subnet: TrainSubnet,
}

#[derive(Debug, Subcommand)]
pub enum TrainSubnet {
    /// Skin lesions: eleven classes from an image and the patient's demographics.
    Tricorder(Box<TrainTricorder>),
    /// Chest X-rays: the probability of each of a list of findings.
    Healthcare(Box<super::TrainHealthcare>),
}

/// Every setting can also stand in the file and in the environment; `--print-config` shows its value and who said so.
#[derive(Debug, Args)]
pub struct TrainTricorder {
    /// File of settings; by itself train_config.yaml, if it is there.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the settings, each with who said it, and do nothing.
    #[arg(long)]
    pub print_config: bool,
    /// Delete the run of other settings that --save-dir holds.
    #[arg(long)]
    pub start_anew: bool,
    /// Print one JSON document at the end and nothing else on standard output.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub flags: Flags,
}

//! What can be typed about data that are released piece by piece.

use super::RunValidator;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct RunTricorderValidator {
    #[command(flatten)]
    pub run: RunValidator,
    #[command(flatten)]
    pub released: ReleasedData,
}

/// Where archives are released, when --data-dir does not name the images to judge with.
#[derive(Debug, Args)]
pub struct ReleasedData {
    /// Judge what is released in this directory: competition_weights.yml, datasets/*.yaml, and archives below
    /// the names of their repositories.
    #[arg(
        long = "local_dataset_dir",
        value_name = "DIR",
        conflicts_with = "data_dir"
    )]
    pub local: Option<PathBuf>,
    /// Judge what is released by this configuration on the Hub, where neither --data-dir nor --local_dataset_dir is given.
    #[arg(
        long = "datasets_config_hf_repo_id",
        value_name = "OWNER/NAME",
        default_value = "safescanai/competition-configuration",
        conflicts_with_all = ["data_dir", "local"]
    )]
    pub repository: String,
    /// Where released archives are kept; default: datasets in the neuron's directory.
    #[arg(
        long = "models.dataset_dir",
        value_name = "DIR",
        conflicts_with = "data_dir"
    )]
    pub kept: Option<PathBuf>,
    /// A commitment counts for what is released at least so many minutes after its block. Validators of one subnet use
    /// the same.
    #[arg(
        long = "models_query_cutoff",
        value_name = "MINUTES",
        default_value_t = 120,
        value_parser = clap::value_parser!(u64).range(..=1 << 20),
        conflicts_with = "data_dir"
    )]
    pub cutoff: u64,
    /// Judge only these competitions, with commas; default: all that the configuration names.
    #[arg(
        long = "competition_id",
        value_name = "ID",
        value_delimiter = ',',
        conflicts_with = "data_dir"
    )]
    pub competitions: Vec<String>,
    /// A node that keeps old states, for what hotkeys had committed before they committed again; default: the node itself.
    #[arg(
        long = "archive_node_url",
        value_name = "URL",
        conflicts_with = "data_dir"
    )]
    pub archive: Option<String>,
    /// Another one, when the first cannot be used.
    #[arg(
        long = "archive_node_fallback_url",
        value_name = "URL",
        requires = "archive"
    )]
    pub archive_fallback: Option<String>,
}

//! What can be typed about judging models on labelled data.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Evaluate {
    #[command(subcommand)]
    pub competition: EvaluatedCompetition,
}

#[derive(Debug, Subcommand)]
pub enum EvaluatedCompetition {
    /// Skin lesions: eleven classes from an image and the patient's demographics.
    Tricorder(Box<EvaluateTricorder>),
    /// Chest X-rays: the probability of each of a list of findings.
    Healthcare(Box<super::EvaluateHealthcare>),
}

/// Which lesions of a data set are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EvaluatedPart {
    /// What neither training nor the choice of a model has seen.
    Judging,
    /// What models are chosen with.
    Selection,
    /// What models learn from.
    Training,
    /// Everything, for a data set that no model has seen.
    All,
}

impl EvaluatedPart {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Judging => "judging",
            Self::Selection => "selection",
            Self::Training => "training",
            Self::All => "all",
        }
    }
}

/// How figures are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Tables for people.
    Table,
    /// One JSON document.
    Json,
    /// One line for each model.
    Csv,
}

/// Judge models on labelled images as the validators do: in the sandbox, on the same pixels, by the
/// same score; with intervals, and whether they differ.
#[derive(Debug, Args)]
pub struct EvaluateTricorder {
    /// The model, an ONNX file.
    #[arg(long, value_name = "FILE", required_unless_present = "baselines")]
    pub model: Option<PathBuf>,
    /// Further models, to be compared with the first.
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "model")]
    pub compare: Vec<PathBuf>,
    /// Judge a linear model and 5 nearest neighbours on small pixels and metadata as well, learnt from
    /// the training part.
    #[arg(long)]
    pub baselines: bool,
    /// The data: what `agon data prepare` wrote, the HAM10000 layout, a table of labels, or a folder for each class.
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// The table of labels, where it is not found by itself.
    #[arg(long, value_name = "FILE")]
    pub labels_file: Option<PathBuf>,
    /// Which lesions are judged. They are split as the run's config.yaml beside the model says, or as these flags do.
    #[arg(long, value_name = "PART", value_enum, default_value_t = EvaluatedPart::Judging)]
    pub part: EvaluatedPart,
    /// Share of the lesions that models are chosen with [default: the run's, or 0.15].
    #[arg(long, value_name = "X")]
    pub val_split: Option<f64>,
    /// Share of the lesions that training never saw [default: the run's, or 0.25].
    #[arg(long, value_name = "X")]
    pub test_split: Option<f64>,
    /// Decides which lesions those are [default: the run's, or 20].
    #[arg(long, value_name = "N")]
    pub split_seed: Option<u64>,
    /// Judge so many images at most, drawn from the seed.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_samples: Option<u32>,
    /// What every draw comes from: of the images to judge, and of lesions for intervals.
    #[arg(long, value_name = "N", default_value_t = super::DEFAULT_SEED)]
    pub seed: u64,
    /// How often the lesions are drawn anew for intervals and tests.
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub resamples: u32,
    /// How many sandboxed processes share the images; default: one for each core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    #[command(flatten)]
    pub running: super::Running,
    /// How the figures are printed.
    #[arg(long, value_name = "FORM", value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// The same as --output json.
    #[arg(long, conflicts_with = "output")]
    pub json: bool,
    /// Write a report with plots to this file, which ends in .html or .svg.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

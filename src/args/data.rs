//! `agon data`: what can be typed.

use agon_dataset::chest::LabelSet;
use agon_dataset::source::Kind;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Commands about data sets.
#[derive(Debug, Args)]
pub struct Data {
    #[command(subcommand)]
    pub command: DataCommand,
}

#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Show the public data sets.
    List(List),
    /// Fetch public data sets, checked and unpacked. What was interrupted goes on.
    Download(Download),
    /// Compare what was downloaded or prepared with what it was then.
    Verify(Verify),
    /// Make one checked directory with a manifest of what was downloaded.
    Prepare(Prepare),
    /// Draw a data set, to try things without a real one.
    Synthesize(Synthesize),
}

/// Competitions with data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DataSubnet {
    /// Skin lesions.
    Tricorder,
    /// Chest X-rays.
    Healthcare,
}

impl DataSubnet {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tricorder => "tricorder",
            Self::Healthcare => "healthcare",
        }
    }
}

/// A source, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SourceName {
    Kaggle,
    Huggingface,
    Direct,
    All,
}

impl SourceName {
    /// The one source that is meant.
    pub fn kind(self) -> Option<Kind> {
        match self {
            Self::Kaggle => Some(Kind::Kaggle),
            Self::Huggingface => Some(Kind::HuggingFace),
            Self::Direct => Some(Kind::Direct),
            Self::All => None,
        }
    }
}

#[derive(Debug, Args)]
pub struct List {
    /// The competition.
    pub subnet: DataSubnet,
    /// Only those of this source.
    #[arg(long, value_name = "SOURCE", default_value = "all")]
    pub source: SourceName,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Download {
    /// The competition.
    pub subnet: DataSubnet,
    /// These data sets, exactly: a key of `agon data list`, several times or with commas.
    #[arg(
        long,
        value_name = "KEY",
        value_delimiter = ',',
        conflicts_with = "all"
    )]
    pub dataset: Vec<String>,
    /// All data sets of this source.
    #[arg(long, value_name = "SOURCE")]
    pub source: Option<SourceName>,
    /// All data sets.
    #[arg(long)]
    pub all: bool,
    /// Only show what there is.
    #[arg(long)]
    pub list: bool,
    /// Take data sets and directory from the section `download` of this file, where no flag names them.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where each data set gets a directory of its name; by itself datasets.
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
    /// Only say what would be fetched; asks no server.
    #[arg(long)]
    pub dry_run: bool,
    /// Most transfers at once.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=32))]
    pub parallel: u16,
    /// How often a transfer is tried.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub attempts: u32,
    /// Keep the archives beside what was unpacked.
    #[arg(long)]
    pub keep_archives: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Verify {
    /// The competition.
    pub subnet: DataSubnet,
    /// Only these downloaded data sets.
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    pub dataset: Vec<String>,
    /// Where data sets were downloaded to.
    #[arg(long, value_name = "DIR", default_value = "datasets")]
    pub output_dir: PathBuf,
    /// Verify this data directory instead: every row, every image, every digest.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["dataset", "output_dir"])]
    pub data_dir: Option<PathBuf>,
    /// The table of labels, if it is not the one that is found.
    #[arg(long, value_name = "FILE", requires = "data_dir")]
    pub labels_file: Option<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Prepare {
    /// The competition.
    pub subnet: DataSubnet,
    /// A data set, or the directory that `agon data download` filled.
    #[arg(long, value_name = "DIR", required_unless_present = "source_dir")]
    pub data_dir: Option<PathBuf>,
    /// A further data set; it is called NAME in the manifest, or as its directory.
    #[arg(long, value_name = "[NAME=]DIR")]
    pub source_dir: Vec<String>,
    /// The prepared directory: images, manifest.csv and a report. It must be empty or absent.
    #[arg(long, value_name = "DIR")]
    pub output_dir: PathBuf,
    /// Most images of a class.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_per_class: Option<u32>,
    /// Name the classes with fewer images. No image is repeated here, because copies made before the split would land
    /// on both sides of it: rare classes are drawn more often by the training's sampler.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub min_per_class: u32,
    /// Accepted as it was; balancing is the training's sampler, so there is nothing to switch off here.
    #[arg(long)]
    pub no_balance: bool,
    /// Most bits of 256 in which the looks of near-duplicates differ.
    #[arg(long, value_name = "BITS", default_value_t = agon_dataset::duplicates::NEAR, value_parser = clap::value_parser!(u32).range(0..=64))]
    pub near: u32,
    /// Refuse if anything would be left out or read as unknown.
    #[arg(long)]
    pub strict: bool,
    /// Link to the images instead of copying them, where the file system can.
    #[arg(long)]
    pub link: bool,
    /// Do not split once to see that no lesion, patient or look-alike stands in two parts.
    #[arg(long)]
    pub no_leak_check: bool,
    /// What everything random comes from.
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Synthesize {
    /// The competition.
    pub subnet: DataSubnet,
    /// How many images.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub num_samples: u32,
    /// The labels of X-rays: nih for the fourteen of NIH ChestX-ray14, or names with commas.
    #[arg(long, value_name = "LABELS", default_value = "nih")]
    pub labels: LabelSet,
    /// Where to: images and a table, metadata.csv in the HAM10000 layout or Data_Entry.csv as NIH ChestX-ray14 has it.
    #[arg(long, value_name = "DIR", default_value = "synthetic_data")]
    pub output_dir: PathBuf,
    /// What everything random comes from.
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

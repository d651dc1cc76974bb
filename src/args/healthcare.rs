//! What can be typed about chest X-rays. The flags of training are those of the original's README, with its meanings.

use agon_arena::subnet::healthcare::SIDE;
use agon_arena::subnet::healthcare::recipe::Mode;
use agon_dataset::chest::LabelSet;
use agon_dataset::split::Shares;
use agon_model::architecture::ChestModel;
use clap::Args;
use clap::builder::BoolishValueParser;
use std::path::PathBuf;

/// Where `agon data download healthcare` puts the original's data.
const DATA_DIR: &str = "datasets/chest_xray14";

/// X-rays and how they are divided.
#[derive(Debug, Clone, Args)]
pub struct XRayData {
    /// The X-rays: Data_Entry.csv as NIH ChestX-ray14 has it, or metadata.csv with image_id, label and patient_id, and
    /// the images below.
    #[arg(long, value_name = "DIR", default_value = DATA_DIR)]
    pub data_dir: PathBuf,
    /// The labels in the order of the network's answers: nih for the fourteen of NIH ChestX-ray14, or names with commas.
    #[arg(long, value_name = "LABELS", default_value = "nih")]
    pub labels: LabelSet,
    /// Share of the patients that models are chosen with.
    #[arg(long, value_name = "X", default_value_t = Shares::default().selection)]
    pub val_split: f64,
    /// Share of the patients that are kept for evaluation.
    #[arg(long, value_name = "X", default_value_t = Shares::default().judging)]
    pub test_split: f64,
    /// What everything random comes from, the split included.
    #[arg(long, value_name = "N", default_value_t = super::DEFAULT_SEED)]
    pub seed: u64,
}

/// Train a network for chest X-rays. The same command goes on where it was stopped.
#[derive(Debug, Clone, Args)]
pub struct TrainHealthcare {
    #[command(flatten)]
    pub data: XRayData,
    /// The network: cnn, vgg (VGG16), res (ResNet50), efficient (EfficientNet-B0) or mobile (MobileNet).
    #[arg(
        long = "model_type",
        alias = "model-type",
        value_name = "NAME",
        default_value = "cnn"
    )]
    pub model_type: ChestModel,
    /// fast trains the layers behind a pretrained trunk, normal everything, slow everything with patience.
    #[arg(
        long = "training_mode",
        alias = "training-mode",
        value_name = "MODE",
        default_value = "normal"
    )]
    pub training_mode: Mode,
    /// How often the images are gone through; -1: until stopped.
    #[arg(
        long = "num_epochs",
        alias = "num-epochs",
        value_name = "N",
        default_value = "-1",
        allow_hyphen_values = true,
        value_parser = epochs
    )]
    pub num_epochs: Epochs,
    /// Images a step.
    #[arg(
        long = "batch_size",
        alias = "batch-size",
        value_name = "N",
        default_value_t = 32,
        value_parser = clap::value_parser!(u16).range(1..=4096)
    )]
    pub batch_size: u16,
    /// A checkpoint is written every so many batches, besides those after every epoch.
    #[arg(
        long = "save_model_period",
        alias = "save-model-period",
        value_name = "N",
        default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub save_model_period: u32,
    /// What computes: cpu, cpu:<threads>, gpu or gpu:<number>; of several, as in gpu:0,2, the first.
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: String,
    /// The library that computes: burn, or libtorch where it is built in.
    #[arg(long, value_name = "NAME", default_value = "burn", value_parser = ["burn", "libtorch"])]
    pub engine: String,
    /// Forget what was trained before.
    #[arg(
        long,
        value_name = "true|false",
        num_args = 0..=1,
        default_value = "false",
        default_missing_value = "true",
        value_parser = BoolishValueParser::new(),
        action = clap::ArgAction::Set
    )]
    pub restart: bool,
    /// Weights of the trunk: a safetensors file or PyTorch checkpoint of torchvision or timm, or one of the Hub as
    /// hf:OWNER/NAME/FILE.
    #[arg(long, value_name = "FILE")]
    pub pretrained: Option<String>,
    /// Height and width of the network's image.
    #[arg(
        long = "image_size",
        alias = "image-size",
        value_name = "N",
        default_value_t = SIDE as u16,
        value_parser = clap::value_parser!(u16).range(32..=1024)
    )]
    pub image_size: u16,
    /// Where the run is kept; by itself healthcare/models/<network>.
    #[arg(long, value_name = "DIR")]
    pub save_dir: Option<PathBuf>,
    /// Print one JSON document at the end and nothing else on standard output.
    #[arg(long)]
    pub json: bool,
}

/// How long a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epochs {
    /// So many epochs.
    Number(usize),
    /// Until it is stopped.
    Endless,
}

fn epochs(text: &str) -> Result<Epochs, String> {
    match text.parse::<i64>() {
        Ok(-1) => Ok(Epochs::Endless),
        Ok(epochs @ 1..=100_000) => Ok(Epochs::Number(epochs as usize)),
        _ => Err("must be a number from 1 to 100000, or -1 for no end".to_owned()),
    }
}

/// Judge models on labelled X-rays as the validators do: in the sandbox, on the same pixels, by the same score.
#[derive(Debug, Args)]
pub struct EvaluateHealthcare {
    #[command(flatten)]
    pub data: XRayData,
    /// The models, ONNX files.
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    pub model: Vec<PathBuf>,
    /// Which patients are judged, split as for training with the same seed.
    #[arg(long, value_name = "PART", value_enum, default_value_t = super::EvaluatedPart::Judging)]
    pub part: super::EvaluatedPart,
    /// Refuse to judge on what this public data set holds too, by image and by patient.
    #[arg(long, value_name = "DIR")]
    pub public: Option<PathBuf>,
    /// How many sandboxed processes share the images; default: one for each core.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    #[command(flatten)]
    pub running: super::Running,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Command, FromArgMatches};

    fn parse(arguments: &[&str]) -> Result<TrainHealthcare, clap::Error> {
        let command = TrainHealthcare::augment_args(Command::new("healthcare"));
        let matches = command.try_get_matches_from([&["healthcare"], arguments].concat())?;
        TrainHealthcare::from_arg_matches(&matches)
    }

    #[test]
    fn the_readmes_flags_mean_what_it_says() {
        let usual = parse(&[]).unwrap();
        assert_eq!(usual.num_epochs, Epochs::Endless);
        assert_eq!((usual.batch_size, usual.save_model_period), (32, 30));
        assert_eq!(
            (usual.model_type, usual.training_mode),
            (ChestModel::Cnn, Mode::Normal)
        );
        assert!(!usual.restart);
        let example = "--num_epochs -1 --batch_size 16 --save_model_period 7 --model_type RES --training_mode fast --device gpu:0,2 --restart True";
        // The README's spelling of true is Python's.
        let arguments: Vec<&str> = example.split(' ').collect();
        let told = parse(&arguments).unwrap();
        assert_eq!(
            (told.model_type, told.training_mode),
            (ChestModel::Res, Mode::Fast)
        );
        assert!(told.restart && told.device == "gpu:0,2");
        assert_eq!(
            parse(&["--num_epochs", "5"]).unwrap().num_epochs,
            Epochs::Number(5)
        );
        assert!(parse(&["--restart"]).unwrap().restart);
        assert!(!parse(&["--restart", "false"]).unwrap().restart);
        for wrong in [
            ["--num_epochs", "0"],
            ["--num_epochs", "-2"],
            ["--model_type", "vit"],
            ["--batch_size", "0"],
        ] {
            assert!(parse(&wrong).is_err(), "{wrong:?}");
        }
    }
}

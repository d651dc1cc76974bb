//! Every setting of a training run: its name in the file, its flag, what it may be, and what it is by itself.

use agon_arena::subnet::tricorder::recipe::Network;
use agon_dataset::skin::MAX_ROWS;
use agon_train::options::MOST_THREADS;
use serde_json::Value;
use strsim::jaro_winkler;

/// One setting.
pub struct Key {
    /// Its section and its name, as in `training.batch_size`.
    pub name: &'static str,
    /// Its flag without the dashes.
    pub flag: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// What it is where nothing else is said, as it would stand in the file.
    pub default: &'static str,
    /// What it is for.
    pub about: &'static str,
}

/// What a setting may be. One whose default is `null` may be `null` too.
pub enum Kind {
    /// Anything but nothing.
    Text,
    /// A whole number from the one to the other.
    Count(u32, u32),
    /// A number from the one to the other.
    Number(f64, f64),
    /// On or off; the second flag switches it off.
    Switch(&'static str),
    /// One of some words.
    Choice(fn() -> Vec<&'static str>),
}

impl Key {
    /// The variable of the environment that sets it.
    pub fn variable(&self) -> String {
        let name = self.name.replace('.', "_").to_uppercase();
        format!("{VARIABLES}{name}")
    }

    /// Reads it as it stands in a variable or behind a flag.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        if text == "null" && self.default == "null" {
            return Ok(Value::Null);
        }
        let wanted = |what: &str| format!("{text:?} is not {what}");
        match &self.kind {
            Kind::Text if text.is_empty() => Err(self.nothing()),
            Kind::Text => Ok(text.into()),
            Kind::Count(least, most) => match text.parse::<u32>() {
                Ok(count) if (least..=most).contains(&&count) => Ok(count.into()),
                _ => Err(wanted(&format!("a whole number from {least} to {most}"))),
            },
            Kind::Number(least, most) => match text.parse::<f64>() {
                // Nor does what is not a number lie between them.
                Ok(number) if (least..=most).contains(&&number) => Ok(number.into()),
                _ => Err(wanted(&format!("a number from {least} to {most}"))),
            },
            Kind::Switch(_) => match text {
                "true" => Ok(true.into()),
                "false" => Ok(false.into()),
                _ => Err(wanted("true or false")),
            },
            Kind::Choice(words) => match words().contains(&text) {
                true => Ok(text.into()),
                false => Err(wanted(&format!("one of {}", words().join(", ")))),
            },
        }
    }

    /// What it may be, for its help; empty where that is known without saying.
    pub fn range(&self) -> String {
        match &self.kind {
            Kind::Count(0, u32::MAX) | Kind::Text | Kind::Switch(_) => String::new(),
            Kind::Count(least, most) => format!(" ({least} to {most})"),
            Kind::Number(least, most) => format!(" ({least} to {most})"),
            Kind::Choice(words) => format!(" ({})", words().join(", ")),
        }
    }

    /// Takes it as it was read from the file.
    pub fn accept(&self, value: &Value) -> Result<Value, String> {
        match value {
            Value::Null if self.default == "null" => Ok(Value::Null),
            Value::Null => Err(self.nothing()),
            // In YAML a text needs no quotes, and a number can be meant as one.
            Value::Bool(_) | Value::Number(_) => self.parse(&value.to_string()),
            Value::String(text) => self.parse(text),
            _ => Err("it must be one value, not a list or a section".to_owned()),
        }
    }

    fn nothing(&self) -> String {
        format!("nothing is said; leave it out for {}", self.default)
    }
}

/// More than anybody means, of epochs and the like.
const MANY: u32 = 1_000_000;
/// Minutes.
const YEAR: f64 = 525_600.0;

/// From this likeness on, 0 to 1, one name may have been meant by another.
pub const LIKE: f64 = 0.8;

/// How the names of variables begin.
pub const VARIABLES: &str = "AGON_TRAIN_";

const fn key(
    name: &'static str,
    flag: &'static str,
    kind: Kind,
    default: &'static str,
    about: &'static str,
) -> Key {
    Key {
        name,
        flag,
        kind,
        default,
        about,
    }
}

fn losses() -> Vec<&'static str> {
    vec!["aligned", "original", "cross_entropy"]
}

fn schedules() -> Vec<&'static str> {
    vec!["cosine", "restarts"]
}

fn engines() -> Vec<&'static str> {
    vec!["burn", "libtorch"]
}

fn precisions() -> Vec<&'static str> {
    vec!["f32", "f16"]
}

fn samplings() -> Vec<&'static str> {
    vec!["balanced", "original"]
}

use Kind::{Choice, Count, Number, Switch, Text};

/// All settings, section by section.
pub const KEYS: &[Key] = &[
    key(
        "data.data_dir",
        "data-dir",
        Text,
        "training_data",
        "directory of the images and their table",
    ),
    key(
        "data.labels_file",
        "labels-file",
        Text,
        "null",
        "the table, where it is not found by itself",
    ),
    key(
        "data.val_split",
        "val-split",
        Number(0.001, 0.999),
        "0.2",
        "share of the lesions that epochs are compared on",
    ),
    key(
        "data.test_split",
        "test-split",
        Number(0.0, 0.998),
        "0",
        "share of the lesions that training never sees, for `agon evaluate`",
    ),
    key(
        "data.split_seed",
        "split-seed",
        Count(0, u32::MAX),
        "20",
        "decides which lesions those are",
    ),
    key(
        "synthetic.enabled",
        "synthetic",
        Switch("no-synthetic"),
        "false",
        "train on generated images, to try things out",
    ),
    key(
        "synthetic.num_samples",
        "synthetic-samples",
        Count(1, MAX_ROWS as u32),
        "500",
        "how many are generated",
    ),
    key(
        "synthetic.output_dir",
        "synthetic-dir",
        Text,
        "synthetic_data",
        "where they are kept",
    ),
    key(
        "model.type",
        "model-type",
        Choice(Network::names),
        "compact",
        "the network",
    ),
    key(
        "model.image_size",
        "image-size",
        Count(8, 2048),
        "null",
        "height and width of its image; by itself 64 for compact, 512 for the others",
    ),
    key(
        "model.pretrained",
        "pretrained",
        Text,
        "null",
        "weights for the trunk: a safetensors file or PyTorch checkpoint of timm's or torchvision's EfficientNet, or hf:owner/name@revision/file",
    ),
    key(
        "training.epochs",
        "epochs",
        Count(1, MANY),
        "50",
        "how often all samples are gone through",
    ),
    key(
        "training.batch_size",
        "batch-size",
        Count(1, 65_536),
        "16",
        "samples per step",
    ),
    key(
        "training.shards",
        "shards",
        Count(1, MOST_THREADS as u32),
        "1",
        "parts of a batch that are computed side by side; part of the result",
    ),
    key(
        "training.learning_rate",
        "learning-rate",
        Number(0.0, 10.0),
        "0.001",
        "after the warm-up",
    ),
    key(
        "training.schedule",
        "schedule",
        Choice(schedules),
        "restarts",
        "how the learning rate falls",
    ),
    key(
        "training.restart_epochs",
        "restart-epochs",
        Count(1, MANY),
        "10",
        "epochs until the first restart",
    ),
    key(
        "training.restart_factor",
        "restart-factor",
        Count(1, 100),
        "2",
        "how much longer each time is than the one before",
    ),
    key(
        "training.warmup_epochs",
        "warmup-epochs",
        Number(0.0, MANY as f64),
        "1",
        "epochs over which the learning rate rises",
    ),
    key(
        "training.weight_decay",
        "weight-decay",
        Number(0.0, 10.0),
        "0.01",
        "of kernels and matrices",
    ),
    key(
        "training.freeze_epochs",
        "freeze-epochs",
        Count(0, MANY),
        "0",
        "epochs for which a pretrained trunk stays as it is",
    ),
    key(
        "training.freeze_views",
        "freeze-views",
        Count(1, 100),
        "4",
        "augmented views of each image in those epochs; the trunk sees each once",
    ),
    key(
        "training.trunk_rate",
        "trunk-rate",
        Number(0.0, 1.0),
        "1",
        "the trunk's share of the learning rate afterwards",
    ),
    key(
        "training.gradient_clip",
        "gradient-clip",
        Number(0.0, 1e6),
        "1",
        "the largest norm of a gradient; 0 for none",
    ),
    key(
        "training.dropout",
        "dropout",
        Number(0.0, 0.95),
        "null",
        "by itself what the network was designed with",
    ),
    key(
        "training.ema_decay",
        "ema-decay",
        Number(0.0, 0.999_999),
        "0.995",
        "of the averaged weights that are judged; 0 for none",
    ),
    key(
        "training.loss",
        "loss",
        Choice(losses),
        "aligned",
        "what is minimised",
    ),
    key(
        "training.patience",
        "patience",
        Count(0, MANY),
        "10",
        "epochs without a better score until it ends; 0 for never",
    ),
    key(
        "training.min_improvement",
        "min-improvement",
        Number(0.0, 1.0),
        "0.001",
        "by how much a score must be better for that",
    ),
    key(
        "training.num_workers",
        "num-workers",
        Count(0, MOST_THREADS as u32),
        "4",
        "threads that prepare images; 0 for those that train",
    ),
    key(
        "training.engine",
        "engine",
        Choice(engines),
        "burn",
        "the library that computes; libtorch where it is built in",
    ),
    key(
        "training.device",
        "device",
        Text,
        "cpu",
        "cpu, cpu:4 for four threads, gpu, or gpu:1 for the second",
    ),
    key(
        "training.memory",
        "memory",
        Number(0.001, 1e6),
        "null",
        "GiB that a step may keep; a batch that needs more is computed in parts; by itself half of what is free",
    ),
    key(
        "training.seed",
        "seed",
        Count(0, u32::MAX),
        "42",
        "decides every random choice",
    ),
    key(
        "augmentation.enabled",
        "augment",
        Switch("no-augment"),
        "true",
        "vary training images",
    ),
    key(
        "augmentation.use_mixup",
        "use-mixup",
        Switch("no-mixup"),
        "true",
        "mix samples in pairs",
    ),
    key(
        "augmentation.mixup_alpha",
        "mixup-alpha",
        Number(0.0, 100.0),
        "0.4",
        "how evenly; 0 for not at all",
    ),
    key(
        "augmentation.label_smoothing",
        "label-smoothing",
        Number(0.0, 0.95),
        "0.1",
        "probability that the targets share among all classes",
    ),
    key(
        "augmentation.weighted_sampling",
        "weighted-sampling",
        Switch("no-weighted-sampling"),
        "true",
        "see rare and risky classes more often; the loss then has no class weights",
    ),
    key(
        "augmentation.sampling",
        "sampling",
        Choice(samplings),
        "balanced",
        "how: by the root of their frequency, or 12 to 4 to 1 by risk",
    ),
    key(
        "augmentation.horizontal_flip",
        "horizontal-flip",
        Number(0.0, 1.0),
        "0.5",
        "probability",
    ),
    key(
        "augmentation.vertical_flip",
        "vertical-flip",
        Number(0.0, 1.0),
        "0.5",
        "probability",
    ),
    key(
        "augmentation.quarter_turns",
        "quarter-turns",
        Switch("no-quarter-turns"),
        "true",
        "turn by multiples of 90 degrees",
    ),
    key(
        "augmentation.rotation",
        "rotation",
        Number(0.0, 180.0),
        "20",
        "largest rotation in degrees",
    ),
    key(
        "augmentation.translate",
        "translate",
        Number(0.0, 1.0),
        "0.1",
        "largest shift as a fraction of the side",
    ),
    key(
        "augmentation.scale",
        "scale",
        Number(0.0, 0.9),
        "0.1",
        "largest change of scale",
    ),
    key(
        "augmentation.shear",
        "shear",
        Number(0.0, 80.0),
        "10",
        "largest shear in degrees",
    ),
    key(
        "augmentation.brightness",
        "brightness",
        Number(0.0, 1.0),
        "0.2",
        "largest change",
    ),
    key(
        "augmentation.contrast",
        "contrast",
        Number(0.0, 1.0),
        "0.2",
        "largest change",
    ),
    key(
        "augmentation.saturation",
        "saturation",
        Number(0.0, 1.0),
        "0.2",
        "largest change",
    ),
    key(
        "augmentation.hue",
        "hue",
        Number(0.0, 0.5),
        "0.02",
        "largest change as a fraction of the colour circle",
    ),
    key(
        "augmentation.erasing",
        "erasing",
        Number(0.0, 1.0),
        "0.2",
        "probability of erasing a rectangle",
    ),
    key(
        "checkpoints.save_dir",
        "save-dir",
        Text,
        "checkpoints",
        "directory of the run",
    ),
    key(
        "checkpoints.save_every",
        "save-every",
        Count(0, MANY),
        "5",
        "epochs between those that are kept; 0 for none",
    ),
    key(
        "checkpoints.keep",
        "keep",
        Count(0, MANY),
        "3",
        "how many of them",
    ),
    key(
        "checkpoints.interval",
        "save-interval",
        Number(0.0, YEAR),
        "5",
        "minutes after which an epoch is saved in the middle",
    ),
    key(
        "checkpoints.export_onnx",
        "export-onnx",
        Switch("no-export-onnx"),
        "true",
        "write model.onnx at the end",
    ),
    key(
        "checkpoints.precision",
        "precision",
        Choice(precisions),
        "f32",
        "how model.onnx stores its weights; with f16 it has half the size",
    ),
    key(
        "checkpoints.resume",
        "resume",
        Text,
        "null",
        "a run's directory, to go on from its latest checkpoint; or a checkpoint in it, which a run in another --save-dir then begins from",
    ),
    key(
        "logging.tensorboard",
        "tensorboard",
        Switch("no-tensorboard"),
        "true",
        "write event files",
    ),
    key(
        "logging.tensorboard_dir",
        "tensorboard-dir",
        Text,
        "runs",
        "where",
    ),
];

/// The setting that may have been meant by a name that is none, whatever its section: its own name decides, and its
/// section only among equals.
pub fn meant(name: &str) -> Option<&'static Key> {
    let (section, name) = name.rsplit_once('.').unwrap_or(("", name));
    let likeness = |key: &Key| {
        let (known_section, known) = key.name.split_once('.').unwrap_or(("", key.name));
        let of_name = jaro_winkler(name, known);
        // Flags have names of their own.
        let of_flag = jaro_winkler(name, &key.flag.replace('-', "_"));
        (of_name.max(of_flag), jaro_winkler(section, known_section))
    };
    let near = KEYS.iter().map(|key| (likeness(key), key));
    let near = near.filter(|((of_name, _), _)| *of_name > LIKE);
    let nearest = near
        .max_by(|((a, in_a), _), ((b, in_b), _)| a.total_cmp(b).then_with(|| in_a.total_cmp(in_b)));
    nearest.map(|(_, key)| key)
}

/// Settings of the original pipeline that mean nothing here, and what to do.
pub const GONE: &[(&str, &str)] = &[(
    "pytorch.weights_only",
    "nothing is ever unpickled: remove the line",
)];

//! What a run's settings are, and who said so: the file, then the environment, then the flags; later ones win.

use super::download::Section;
use super::keys::{GONE, KEYS, Key, Kind, LIKE, VARIABLES, meant};
use crate::failure::Failure;
use anyhow::{Context, anyhow};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The most bytes of a file of settings.
const MAX: u64 = 1 << 20;

/// Who said what a setting is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(PathBuf),
    Variable(String),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => write!(f, "--{flag}"),
        }
    }
}

/// What was typed: a flag for each setting.
#[derive(Debug, Clone, Default)]
pub struct Flags(Vec<(&'static str, &'static str, String)>);

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        KEYS.iter().fold(command, |command, key| {
            let argument = Arg::new(key.flag).long(key.flag).help(help(key));
            match &key.kind {
                Kind::Switch(off) => {
                    let argument = argument.action(ArgAction::SetTrue);
                    let off = Arg::new(*off)
                        .long(*off)
                        .action(ArgAction::SetTrue)
                        .conflicts_with(key.flag)
                        .help(format!("Switch --{} off", key.flag));
                    command.arg(argument).arg(off)
                }
                kind => {
                    let value = match kind {
                        Kind::Text => "TEXT",
                        Kind::Choice(_) => "NAME",
                        _ => "N",
                    };
                    // A negative number is a value that is refused, and no flag.
                    command.arg(argument.value_name(value).allow_hyphen_values(true))
                }
            }
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn help(key: &Key) -> String {
    let mut letters = key.about.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    let range = key.range();
    let about = format!("{}{}", first.unwrap_or_default(), letters.as_str());
    match key.default {
        "null" => format!("{about}{range} [{}]", key.name),
        default => format!("{about}{range} [{}, default: {default}]", key.name),
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut typed = Vec::new();
        for key in KEYS {
            match key.kind {
                Kind::Switch(off) => {
                    if matches.get_flag(key.flag) {
                        typed.push((key.name, key.flag, "true".to_owned()));
                    }
                    if matches.get_flag(off) {
                        typed.push((key.name, off, "false".to_owned()));
                    }
                }
                _ => {
                    if let Some(text) = matches.get_one::<String>(key.flag) {
                        typed.push((key.name, key.flag, text.clone()));
                    }
                }
            }
        }
        Ok(Self(typed))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Every setting with its value and who said so.
#[derive(Debug)]
pub struct Layers(BTreeMap<&'static str, (Value, Origin)>);

impl Layers {
    /// Puts the file, the environment and the flags on top of each other.
    ///
    /// # Errors
    /// When one of them says what is no setting, or not what a setting may be: a mistake of the user.
    pub fn resolve(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &Flags,
    ) -> Result<Self, Failure> {
        let mut layers = Self(BTreeMap::new());
        for key in KEYS {
            let value = key.parse(key.default).map_err(|error| {
                Failure::Ours(anyhow!("the default of {} is wrong: {error}", key.name))
            })?;
            layers.0.insert(key.name, (value, Origin::Default));
        }
        let put = || -> anyhow::Result<()> {
            if let Some(path) = file {
                let read = layers.read(path);
                read.with_context(|| format!("cannot use the settings in {}", path.display()))?;
            }
            for (variable, text) in environment {
                if !variable.starts_with(VARIABLES) {
                    continue;
                }
                let key = KEYS.iter().find(|key| key.variable() == variable);
                let Some(key) = key else {
                    let near = match meant(&named(&variable)) {
                        Some(key) => format!("; is {} meant?", key.variable()),
                        None => String::new(),
                    };
                    return Err(anyhow!("{variable} is the name of no setting{near}"));
                };
                let value = key.parse(&text);
                let value = value.map_err(|error| anyhow!("{variable}: {error}"))?;
                layers
                    .0
                    .insert(key.name, (value, Origin::Variable(variable)));
            }
            for (name, flag, text) in &flags.0 {
                let key = KEYS.iter().find(|key| key.name == *name);
                let key = key.ok_or_else(|| anyhow!("--{flag} has no setting"))?;
                let value = key.parse(text);
                let value = value.map_err(|error| anyhow!("--{flag} ({name}): {error}"))?;
                layers.0.insert(key.name, (value, Origin::Flag(flag)));
            }
            Ok(())
        };
        put().map_err(Failure::User)?;
        Ok(layers)
    }

    fn read(&mut self, path: &Path) -> anyhow::Result<()> {
        let mut tree = tree(path)?;
        // What `agon data download` is told stands in the same file.
        let download = tree
            .as_object_mut()
            .and_then(|tree| tree.remove("download"));
        match &download {
            None | Some(Value::Null) => {}
            Some(section) => drop(Section::read(section)?),
        }
        let mut found = Vec::new();
        match &tree {
            // An empty file.
            Value::Null => {}
            tree => flatten("", tree, &mut found)?,
        }
        for (name, value) in found {
            if let Some((_, advice)) = GONE.iter().find(|(gone, _)| *gone == name) {
                return Err(anyhow!("{name} is not used: {advice}"));
            }
            let Some(key) = KEYS.iter().find(|key| key.name == name) else {
                let near = match meant(&name) {
                    Some(key) => format!("; is {} meant?", key.name),
                    None => String::new(),
                };
                return Err(anyhow!("{name} is the name of no setting{near}"));
            };
            let value = key
                .accept(value)
                .map_err(|error| anyhow!("{name}: {error}"))?;
            self.0
                .insert(key.name, (value, Origin::File(path.to_owned())));
        }
        Ok(())
    }

    /// The settings, to work with.
    ///
    /// # Errors
    /// When a setting has no field or a field no setting, which is our mistake.
    pub fn settings(&self) -> Result<TrainSettings, Failure> {
        let mut sections: Map<String, Value> = Map::new();
        for (name, (value, _)) in &self.0 {
            let (section, name) = name.split_once('.').unwrap_or(("", name));
            let section = sections.entry(section).or_insert_with(|| Map::new().into());
            if let Value::Object(section) = section {
                section.insert(name.to_owned(), value.clone());
            }
        }
        Ok(serde_json::from_value(sections.into())?)
    }

    /// The settings as a file that can be read again, with who said each.
    pub fn as_yaml(&self) -> String {
        let mut text = String::new();
        let mut present = "";
        for key in KEYS {
            let (section, name) = key.name.split_once('.').unwrap_or(("", key.name));
            if section != present {
                text.push_str(&format!("{section}:\n"));
                present = section;
            }
            let (value, origin) = &self.0[key.name];
            // A JSON value is a YAML value.
            text.push_str(&format!("  {name}: {value} # {origin}\n"));
        }
        text
    }
}

/// The name of a setting as its variable spells it, with its section apart where that is one.
fn named(variable: &str) -> String {
    let name = variable.strip_prefix(VARIABLES).unwrap_or(variable);
    let name = name.to_lowercase();
    let sections = KEYS.iter().filter_map(|key| key.name.split('.').next());
    let section = sections
        .filter(|section| name.starts_with(&format!("{section}_")))
        .max_by_key(|section| section.len());
    match section {
        Some(section) => format!("{section}.{}", &name[section.len() + 1..]),
        None => name,
    }
}

/// What a file of settings says; null where it is empty.
pub fn tree(path: &Path) -> anyhow::Result<Value> {
    let mut text = String::new();
    File::open(path)?.take(MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX {
        return Err(anyhow!("it has more than {MAX} bytes"));
    }
    match text.trim().is_empty() {
        true => Ok(Value::Null),
        false => Ok(serde_saphyr::from_str(&text)?),
    }
}

/// The leaves of a tree, with their names joined by points.
fn flatten<'a>(
    prefix: &str,
    tree: &'a Value,
    found: &mut Vec<(String, &'a Value)>,
) -> anyhow::Result<()> {
    match tree {
        Value::Object(entries) => {
            for (name, value) in entries {
                let name = match prefix {
                    "" => name.clone(),
                    prefix => format!("{prefix}.{name}"),
                };
                flatten(&name, value, found)?;
            }
            Ok(())
        }
        _ if prefix.is_empty() => Err(anyhow!("it must have sections, as `training:`")),
        // A section without entries.
        Value::Null if !prefix.contains('.') => Ok(()),
        value => {
            found.push((prefix.to_owned(), value));
            Ok(())
        }
    }
}

/// What may have been meant.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = known.map(|known| (strsim::jaro_winkler(name, known), known));
    match near.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((likeness, known)) if likeness > LIKE => format!("; is {known} meant?"),
        _ => String::new(),
    }
}

/// The settings of a run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // what each is stands in `keys.rs`
pub struct TrainSettings {
    pub data: Data,
    pub synthetic: Synthetic,
    pub model: Model,
    pub training: Training,
    pub augmentation: Augmentation,
    pub checkpoints: Checkpoints,
    pub logging: Logging,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    pub data_dir: PathBuf,
    pub labels_file: Option<PathBuf>,
    pub val_split: f64,
    pub test_split: f64,
    pub split_seed: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Synthetic {
    pub enabled: bool,
    pub num_samples: usize,
    pub output_dir: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    #[serde(rename = "type")]
    pub name: String,
    pub image_size: Option<usize>,
    pub pretrained: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    pub epochs: usize,
    pub batch_size: usize,
    pub shards: usize,
    pub learning_rate: f64,
    pub schedule: String,
    pub restart_epochs: usize,
    pub restart_factor: usize,
    pub warmup_epochs: f64,
    pub weight_decay: f64,
    pub freeze_epochs: usize,
    pub freeze_views: usize,
    pub trunk_rate: f64,
    pub gradient_clip: f64,
    pub dropout: Option<f32>,
    pub ema_decay: f64,
    pub loss: String,
    pub patience: usize,
    pub min_improvement: f64,
    pub num_workers: usize,
    pub engine: String,
    pub device: String,
    pub memory: Option<f64>,
    pub seed: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    pub enabled: bool,
    pub use_mixup: bool,
    pub mixup_alpha: f64,
    pub label_smoothing: f32,
    pub weighted_sampling: bool,
    pub sampling: String,
    pub horizontal_flip: f32,
    pub vertical_flip: f32,
    pub quarter_turns: bool,
    pub rotation: f32,
    pub translate: f32,
    pub scale: f32,
    pub shear: f32,
    pub brightness: f32,
    pub contrast: f32,
    pub saturation: f32,
    pub hue: f32,
    pub erasing: f32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoints {
    pub save_dir: PathBuf,
    pub save_every: usize,
    pub keep: usize,
    pub interval: f64,
    pub export_onnx: bool,
    pub precision: String,
    pub resume: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logging {
    pub tensorboard: bool,
    pub tensorboard_dir: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(words: &[&str]) -> Flags {
        let command = Flags::augment_args(Command::new("train").no_binary_name(true));
        Flags::from_arg_matches(&command.try_get_matches_from(words).unwrap()).unwrap()
    }

    fn resolve(yaml: &str, environment: &[(&str, &str)], words: &[&str]) -> Result<Layers, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("train_config.yaml");
        std::fs::write(&path, yaml).unwrap();
        let environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Layers::resolve(Some(&path), environment, &typed(words)).map_err(|failure| match failure {
            Failure::User(error) => format!("{error:#}"),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn every_setting_has_a_field_and_every_flag_is_its_own() {
        Flags::augment_args(Command::new("train")).debug_assert();
        let settings = resolve("", &[], &[]).unwrap().settings().unwrap();
        assert_eq!(settings.training.batch_size, 16);
        assert_eq!(settings.training.dropout, None);
        assert!(settings.augmentation.use_mixup);
    }

    #[test]
    fn flags_go_before_the_environment_before_the_file() {
        let yaml = "training:\n  epochs: 3\n  batch_size: 4\n  learning_rate: 1\nmodel:\n";
        let environment = [
            ("AGON_TRAIN_TRAINING_EPOCHS", "5"),
            ("AGON_TRAIN_TRAINING_BATCH_SIZE", "6"),
            ("HOME", "elsewhere"),
        ];
        let words = ["--epochs", "7", "--no-mixup", "--export-onnx"];
        let layers = resolve(yaml, &environment, &words).unwrap();
        let settings = layers.settings().unwrap();
        assert_eq!(settings.training.epochs, 7);
        assert_eq!(settings.training.batch_size, 6);
        assert_eq!(settings.training.learning_rate, 1.0);
        assert!(!settings.augmentation.use_mixup);
        let yaml = layers.as_yaml();
        for line in [
            "  epochs: 7 # --epochs",
            "  batch_size: 6 # AGON_TRAIN_TRAINING_BATCH_SIZE",
            "  use_mixup: false # --no-mixup",
            "  patience: 10 # default",
        ] {
            assert!(yaml.contains(line), "{yaml}");
        }
        assert!(yaml.contains("train_config.yaml\n"));
        // What is printed reads back as the same.
        let again = resolve(&yaml, &[], &[]).unwrap();
        for (name, (value, _)) in &layers.0 {
            assert_eq!(&again.0[name].0, value, "{name}");
        }
    }

    #[test]
    fn what_is_no_setting_is_refused_with_what_may_have_been_meant() {
        let refused = |yaml: &str| resolve(yaml, &[], &[]).unwrap_err();
        let error = refused("training:\n  batchsize: 4\n");
        assert!(
            error.contains(
                "training.batchsize is the name of no setting; is training.batch_size meant?"
            ),
            "{error}"
        );
        let error = refused("training:\n  epochs: many\n");
        assert!(
            error.contains("training.epochs: \"many\" is not a whole number from 1 to 1000000"),
            "{error}"
        );
        for (yaml, wanted) in [
            (
                "epochs: 3\n",
                "epochs is the name of no setting; is training.epochs meant?",
            ),
            (
                "training:\n  mixup_alpha: 1\n",
                "is augmentation.mixup_alpha meant?",
            ),
            (
                "training:\n  use_mixup: true\n",
                "is augmentation.use_mixup meant?",
            ),
            ("model:\n  epochs: 1\n", "is training.epochs meant?"),
            ("model:\n  epoch: 1\n", "is training.epochs meant?"),
            (
                "augment:\n  enabled: true\n",
                "is augmentation.enabled meant?",
            ),
            (
                "synthetics:\n  enabled: true\n",
                "is synthetic.enabled meant?",
            ),
            (
                "checkpoints:\n  save_interval: 1\n",
                "is checkpoints.interval meant?",
            ),
        ] {
            let error = refused(yaml);
            assert!(error.contains(wanted), "{wanted}: {error}");
        }
        let error = refused("training:\n  zzz: 3\n");
        assert!(
            error.contains("no setting") && !error.contains("meant"),
            "{error}"
        );
        let error = resolve("", &[("AGON_TRAIN_EPOCHS", "1")], &[]).unwrap_err();
        assert!(
            error.contains("is AGON_TRAIN_TRAINING_EPOCHS meant?"),
            "{error}"
        );
        let error = refused("training:\n  epochs: [1]\n");
        assert!(error.contains("must be one value"), "{error}");
        let error = refused("pytorch:\n  weights_only: false\n");
        assert!(error.contains("remove the line"), "{error}");
        let error = refused("- training\n");
        assert!(error.contains("sections"), "{error}");
        let error = refused("training:\n  epochs: 1\n  epochs: 2\n");
        assert!(error.contains("duplicate"), "{error}");
        assert!(
            resolve("", &[("AGON_TRAIN_TRAINING_EPOCH", "1")], &[])
                .unwrap_err()
                .contains("AGON_TRAIN_TRAINING_EPOCHS meant")
        );
        let error = resolve("", &[], &["--learning-rate", "-x"]).unwrap_err();
        assert!(error.contains("--learning-rate"), "{error}");
        let error = resolve("", &[], &["--model-type", "balenced"]).unwrap_err();
        assert!(
            error.contains("one of compact, lightweight, balanced"),
            "{error}"
        );
    }

    #[test]
    fn what_is_out_of_range_is_refused_with_the_range() {
        for (flag, name, values) in [
            (
                "--horizontal-flip",
                "augmentation.horizontal_flip",
                ["7", "-0.1"],
            ),
            (
                "--vertical-flip",
                "augmentation.vertical_flip",
                ["1.1", "NaN"],
            ),
            ("--erasing", "augmentation.erasing", ["-1", "2"]),
            ("--hue", "augmentation.hue", ["9", "-1"]),
            ("--scale", "augmentation.scale", ["5", "1"]),
            ("--translate", "augmentation.translate", ["3", "-1"]),
            ("--rotation", "augmentation.rotation", ["1000", "-1"]),
            ("--shear", "augmentation.shear", ["90", "-1"]),
            ("--save-interval", "checkpoints.interval", ["-1", "inf"]),
            (
                "--freeze-views",
                "training.freeze_views",
                ["0", "4000000000"],
            ),
            ("--batch-size", "training.batch_size", ["0", "4000000000"]),
            ("--memory", "training.memory", ["0", "-1"]),
            ("--memory", "training.memory", ["NaN", "inf"]),
            ("--restart-factor", "training.restart_factor", ["0", "1000"]),
            ("--patience", "training.patience", ["-1", "4000000000"]),
            ("--ema-decay", "training.ema_decay", ["1", "-0.1"]),
            ("--dropout", "training.dropout", ["1", "-0.1"]),
            ("--image-size", "model.image_size", ["0", "4000000000"]),
            ("--val-split", "data.val_split", ["0", "1"]),
            ("--data-dir", "data.data_dir", ["", ""]),
        ] {
            for value in values {
                let error = resolve("", &[], &[flag, value]).unwrap_err();
                assert!(
                    error.contains(flag) && error.contains(name),
                    "{flag} {value}: {error}"
                );
                assert!(
                    error.contains(" from ") || value.is_empty(),
                    "{flag} {value}: {error}"
                );
            }
        }
        let error = resolve("data:\n  data_dir:\n", &[], &[]).unwrap_err();
        assert!(error.contains("data.data_dir: nothing is said"), "{error}");
        let kept = resolve("data:\n  labels_file:\n", &[], &[]).unwrap();
        assert_eq!(kept.settings().unwrap().data.labels_file, None);
        // What a range ends with is in it.
        let ends = ["--scale", "0.9", "--ema-decay", "0", "--val-split", "0.999"];
        assert!(resolve("", &[], &ends).is_ok());
    }
}

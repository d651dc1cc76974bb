//! Which part of a data set is judged, so that no model is judged on what it has learnt from.

use crate::args::{DEFAULT_SEED, EvaluateTricorder, EvaluatedPart};
use crate::commands::train::{SETTINGS, layers};
use crate::failure::Failure;
use crate::printer::{Printer, say};
use agon_dataset::skin::Record;
use agon_dataset::split::{Part, Shares, split_files};
use anyhow::anyhow;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// How lesions are split, as settings of a training run have it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SplitSettings {
    /// Share of the lesions that models are chosen with.
    pub val_split: f64,
    /// Share of the lesions that training never saw.
    pub test_split: f64,
    /// Decides which lesions those are.
    pub split_seed: u64,
}

impl Default for SplitSettings {
    fn default() -> Self {
        let shares = Shares::default();
        Self {
            val_split: shares.selection,
            test_split: shares.judging,
            split_seed: DEFAULT_SEED,
        }
    }
}

impl fmt::Display for SplitSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "val-split {}, test-split {}, split-seed {}",
            self.val_split, self.test_split, self.split_seed
        )
    }
}

/// What of a run's settings is looked at here.
#[derive(Deserialize)]
struct Run {
    data: SplitSettings,
}

/// How the data are split here, and how the runs did that the models come from.
pub struct Division {
    /// How they are split.
    pub split: SplitSettings,
    /// The settings it was taken from.
    taken: Option<PathBuf>,
    /// The models beside which a run's settings stand, with how these split.
    runs: Vec<(PathBuf, SplitSettings)>,
}

impl Division {
    /// Flags first, then the settings of the run that the first model with any comes from, then the usual split.
    pub fn new(arguments: &EvaluateTricorder) -> Self {
        let models = arguments.model.iter().chain(&arguments.compare);
        let runs = models.filter_map(|model| Some((model.clone(), settings_beside(model)?)));
        let runs: Vec<(PathBuf, SplitSettings)> = runs.collect();
        let taken = runs
            .first()
            .map(|(model, _)| model.with_file_name(SETTINGS));
        let usual = runs
            .first()
            .map_or(SplitSettings::default(), |(_, split)| *split);
        let split = SplitSettings {
            val_split: arguments.val_split.unwrap_or(usual.val_split),
            test_split: arguments.test_split.unwrap_or(usual.test_split),
            split_seed: arguments.split_seed.unwrap_or(usual.split_seed),
        };
        Self { split, taken, runs }
    }

    /// Say which models may have learnt from what is judged.
    pub fn warn(&self, arguments: &EvaluateTricorder) {
        if matches!(arguments.part, EvaluatedPart::All | EvaluatedPart::Training) {
            return;
        }
        for (model, split) in self.runs.iter().filter(|(_, split)| *split != self.split) {
            say(&format!(
                "warning: {} was trained with {split}, and {} is judged: it may have learnt from these images",
                model.display(),
                self.split
            ));
        }
    }
}

impl fmt::Display for Division {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.taken {
            Some(path) => write!(f, "{} ({})", path.display(), self.split),
            None => write!(f, "{}", self.split),
        }
    }
}

/// How the run split its data whose settings stand beside a model; `None` where there are none.
fn settings_beside(model: &Path) -> Option<SplitSettings> {
    let path = model.with_file_name(SETTINGS);
    if !path.is_file() {
        return None;
    }
    let read = || -> anyhow::Result<Run> { Ok(serde_json::from_value(layers::tree(&path)?)?) };
    match read() {
        Ok(run) => Some(run.data),
        Err(error) => {
            say(&format!(
                "warning: {} does not say how {} was trained: {error:#}",
                path.display(),
                model.display()
            ));
            None
        }
    }
}

/// Positions of the records that are learnt from, chosen with and judged.
pub struct Parts {
    pub training: Vec<usize>,
    pub selection: Vec<usize>,
    pub judged: Vec<usize>,
}

impl Parts {
    /// The parts of these records.
    pub fn new(
        records: &mut [Record],
        arguments: &EvaluateTricorder,
        division: &Division,
        printer: &Printer,
    ) -> Result<Self, Failure> {
        let all = arguments.part == EvaluatedPart::All;
        if all && !arguments.baselines {
            return Ok(Self {
                training: Vec::new(),
                selection: Vec::new(),
                judged: (0..records.len()).collect(),
            });
        }
        if all || (arguments.baselines && arguments.part == EvaluatedPart::Training) {
            return Err(Failure::User(anyhow!(
                "baselines learn from the training part, so they are judged on --part judging or selection"
            )));
        }
        let shares = Shares {
            selection: division.split.val_split,
            judging: division.split.test_split,
        };
        let progress = |done: usize, total: usize| {
            printer.progress("copies", done as u64, total as u64, String::new());
        };
        let split = split_files(records, &shares, division.split.split_seed, &progress)
            .map_err(|error| Failure::User(anyhow!("{error}; --part all judges every image")))?;
        let part = |part| split.part(part).to_vec();
        Ok(Self {
            training: part(Part::Training),
            selection: part(Part::Selection),
            judged: part(match arguments.part {
                EvaluatedPart::Selection => Part::Selection,
                EvaluatedPart::Training => Part::Training,
                EvaluatedPart::Judging | EvaluatedPart::All => Part::Judging,
            }),
        })
    }
}

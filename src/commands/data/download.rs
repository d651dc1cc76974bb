//! `agon data list`, `download` and `verify`.

use super::environment::DotEnv;
use crate::args::{DataSubnet, Download, SourceName, Verify};
use crate::commands::session::{document, table};
use crate::commands::train::download::Section;
use crate::failure::Failure;
use crate::printer::{Printer, result};
use agon_dataset::skin::{self, verify as images};
use agon_dataset::source::{
    Access, CATALOGUE, CHEST, DataSet, Origin, Outcome, Progress, Selection, Settings, SourceError,
    Step, Watch, fetch, steps, verify as compare,
};
use anyhow::{Context, anyhow};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Pause before the second attempt of a transfer.
const PAUSE: Duration = Duration::from_millis(500);

/// Where data sets are put where nothing is said.
const OUTPUT: &str = "datasets";
const MEGABYTE: u64 = 1_000_000;

/// The variable with another repository for the data of healthcare, as in the original.
const LINK: &str = "DATASET_LINK";

/// The data sets of a competition. Those of healthcare come from where the environment or `.env` says.
fn catalogue(subnet: DataSubnet, environment: &DotEnv) -> Result<Vec<DataSet>, Failure> {
    let link = match subnet {
        DataSubnet::Tricorder => return Ok(CATALOGUE.to_vec()),
        DataSubnet::Healthcare => environment.variable(&process, LINK),
    };
    let linked = |set: &DataSet| match &link {
        Some(link) => set.linked(link),
        None => Ok(*set),
    };
    let sets: Result<Vec<DataSet>, _> = CHEST.iter().map(linked).collect();
    sets.context(LINK).map_err(Failure::User)
}

/// The process's own variables.
fn process(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What a competition's users have in `.env`. The file means nothing to the others.
fn environment(subnet: DataSubnet) -> Result<DotEnv, Failure> {
    match subnet {
        DataSubnet::Tricorder => Ok(DotEnv::default()),
        DataSubnet::Healthcare => DotEnv::read(Path::new(".env")).map_err(Failure::User),
    }
}

pub fn list(subnet: DataSubnet, source: SourceName, is_json: bool) -> Result<(), Failure> {
    let is_of = |set: &&DataSet| source.kind().is_none_or(|kind| kind == set.kind());
    let catalogue = catalogue(subnet, &environment(subnet)?)?;
    let sets: Vec<&DataSet> = catalogue.iter().filter(is_of).collect();
    if is_json {
        return Ok(result(&document(json!({ "datasets": sets })).to_string())?);
    }
    let rows = sets.into_iter().map(|set| {
        [
            set.key.to_owned(),
            set.kind().name().to_owned(),
            format!("{} MB", set.megabytes),
            set.licence.to_owned(),
            set.holds.to_owned(),
        ]
    });
    let header = ["key", "source", "about", "licence", "holds"];
    Ok(result(&table(header, rows))?)
}

fn failure(error: SourceError) -> Failure {
    match error {
        SourceError::Stopped => Failure::Interrupted,
        error if error.is_users() => Failure::user(error),
        error => Failure::Ours(error.into()),
    }
}

pub fn run(options: &Download, stop: &AtomicBool) -> Result<(), Failure> {
    let section = match &options.config {
        Some(path) => Section::of_file(path).map_err(Failure::User)?,
        None => Section::default(),
    };
    let is_named = !options.dataset.is_empty() || options.source.is_some() || options.all;
    let named = section.datasets.into_iter().map(str::to_owned);
    let output_dir = options.output_dir.clone().or(section.output_dir);
    let output_dir = output_dir.unwrap_or_else(|| OUTPUT.into());
    let selection = Selection {
        keys: match is_named {
            true => options.dataset.clone(),
            false => named.collect(),
        },
        kind: options.source.and_then(SourceName::kind),
        all: options.all
            || options.source == Some(SourceName::All)
            // There is only one.
            || (options.subnet == DataSubnet::Healthcare && !is_named),
    };
    let environment = environment(options.subnet)?;
    let catalogue = catalogue(options.subnet, &environment)?;
    let sets = selection.resolve(&catalogue).map_err(Failure::user)?;
    let home = std::env::home_dir();
    // What other programs call a token is told to nobody who is not meant.
    let variable = |name: &str| match options.subnet {
        DataSubnet::Tricorder => process(name),
        DataSubnet::Healthcare => environment.variable(&process, name),
    };
    let access = Access::from_environment(&variable, home.as_deref()).map_err(failure)?;
    if options.dry_run {
        return plan(&output_dir, options.json, &sets, &access);
    }
    let settings = Settings {
        output: output_dir,
        parallel: options.parallel.into(),
        attempts: options.attempts,
        pause: PAUSE,
        keep_archives: options.keep_archives,
    };
    let printer = Printer::new(false);
    let show = |progress: Progress| {
        let what = match progress.step {
            Step::Transfer => "MB",
            Step::Unpack => "MB unpacked",
        };
        let total = progress.total.unwrap_or(progress.done + MEGABYTE);
        let (done, total) = (progress.done / MEGABYTE, total.div_ceil(MEGABYTE));
        printer.progress(progress.file, done, total, what.to_owned());
    };
    let watch = Watch {
        stop,
        progress: &show,
    };
    let mut outcomes = Vec::new();
    let mut failed = None;
    let is_one = sets.len() == 1;
    for set in sets {
        match fetch(set, &access, &settings, &watch) {
            Ok(outcome) => {
                tell(&printer, options.subnet, set, &outcome);
                outcomes.push(json!({ "dataset": set.key, "result": outcome }));
            }
            // The other sets are not to blame.
            Err(error) if !matches!(error, SourceError::Stopped) => {
                if !is_one {
                    printer.say(&format!("{}: {error}", set.key));
                }
                outcomes.push(json!({ "dataset": set.key, "error": error.to_string() }));
                failed = failed.or(Some(failure(error)));
            }
            Err(error) => return Err(failure(error)),
        }
    }
    if options.json {
        result(&document(json!({ "datasets": outcomes })).to_string())?;
    }
    failed.map_or(Ok(()), Err)
}

/// What would be done, without asking anybody.
fn plan(
    output_dir: &Path,
    is_json: bool,
    sets: &[&DataSet],
    access: &Access,
) -> Result<(), Failure> {
    let mut planned: Vec<(Value, [String; 4])> = Vec::new();
    for set in sets {
        let urls = steps(set, access).map_err(failure)?;
        let directory = output_dir.join(set.key);
        let is_there = directory.join(agon_dataset::source::RECEIPT).is_file();
        let state = match set.origin {
            _ if is_there => "is there already",
            Origin::Kaggle(_) if !access.knows_kaggle() => "needs a Kaggle token",
            _ => "would be fetched",
        };
        planned.push((
            json!({ "dataset": set.key, "urls": urls, "megabytes": set.megabytes, "directory": directory, "state": state }),
            [
                set.key.to_owned(),
                state.to_owned(),
                format!("{} MB", set.megabytes),
                urls.join("\n"),
            ],
        ));
    }
    let (values, rows): (Vec<Value>, Vec<[String; 4]>) = planned.into_iter().unzip();
    if is_json {
        return Ok(result(&document(json!({ "plan": values })).to_string())?);
    }
    Ok(result(&table(["key", "state", "about", "from"], rows))?)
}

fn tell(printer: &Printer, subnet: DataSubnet, set: &DataSet, outcome: &Outcome) {
    match outcome {
        Outcome::Present { directory } => printer.say(&format!(
            "{}: is in {} already (`agon data verify {}` looks whether it is whole)",
            set.key,
            directory.display(),
            subnet.name()
        )),
        Outcome::Fetched {
            directory,
            bytes,
            files,
            packed,
        } => {
            printer.say(&format!(
                "{}: {files} files in {}, {:.1} MB transferred; licence: {}",
                set.key,
                directory.display(),
                *bytes as f64 / MEGABYTE as f64,
                set.licence
            ));
            for name in packed {
                printer.say(&format!(
                    "{name} is an archive of a kind that is not opened here; unpack it yourself in {}, where \
                     `agon data prepare` looks for what was in it",
                    directory.display()
                ));
            }
        }
    }
}

pub fn verify(options: &Verify, stop: &AtomicBool) -> Result<(), Failure> {
    match (&options.data_dir, options.subnet) {
        (Some(directory), DataSubnet::Tricorder) => verify_images(directory, options, stop),
        (Some(_), DataSubnet::Healthcare) => Err(Failure::User(anyhow!(
            "X-rays are looked at by `agon train healthcare --data-dir DIR`, which names what cannot be read"
        ))),
        (None, _) => verify_downloads(options, stop),
    }
}

/// Every row, image and digest of a data directory.
fn verify_images(directory: &Path, options: &Verify, stop: &AtomicBool) -> Result<(), Failure> {
    let records = skin::open(directory, options.labels_file.as_deref()).map_err(Failure::user)?;
    let printer = Printer::new(false);
    let problems = images(&records, stop, &|done, total| {
        printer.progress("images", done as u64, total as u64, String::new());
    });
    let Some(problems) = problems else {
        return Err(Failure::Interrupted);
    };
    let good = records.len() - problems.len();
    if options.json {
        let found = json!({ "images": records.len(), "good": good, "problems": problems });
        result(&document(found).to_string())?;
    } else {
        for problem in &problems {
            printer.say(problem);
        }
        result(&format!("{good} of {} images are good", records.len()))?;
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Failure::User(anyhow!(
            "{} images cannot be used or have changed",
            problems.len()
        ))),
    }
}

fn verify_downloads(options: &Verify, stop: &AtomicBool) -> Result<(), Failure> {
    let is_there = |set: &&DataSet| {
        let receipt = options.output_dir.join(set.key);
        receipt.join(agon_dataset::source::RECEIPT).is_file()
    };
    let catalogue = catalogue(options.subnet, &environment(options.subnet)?)?;
    let sets: Vec<&DataSet> = if options.dataset.is_empty() {
        catalogue.iter().filter(is_there).collect()
    } else {
        let selection = Selection {
            keys: options.dataset.clone(),
            ..Selection::default()
        };
        selection.resolve(&catalogue).map_err(Failure::user)?
    };
    if sets.is_empty() {
        return Err(Failure::User(anyhow!(
            "nothing was downloaded into {}",
            options.output_dir.display()
        )));
    }
    let printer = Printer::new(false);
    let mut found = Vec::new();
    let mut is_whole = true;
    for set in sets {
        let directory = options.output_dir.join(set.key);
        let verified = compare(&directory, stop, &|done, total| {
            printer.progress(set.key, done as u64, total as u64, String::new());
        })
        .map_err(failure)?;
        is_whole &= verified.is_intact();
        for (what, paths) in [
            ("missing", &verified.missing),
            ("changed", &verified.changed),
        ] {
            for path in paths {
                printer.say(&format!("{}: {what}: {path}", set.key));
            }
        }
        if !options.json {
            result(&format!(
                "{}: {} files as they were, {} missing, {} changed",
                set.key,
                verified.intact,
                verified.missing.len(),
                verified.changed.len()
            ))?;
        }
        found.push(json!({ "dataset": set.key, "result": verified }));
    }
    if options.json {
        result(&document(json!({ "datasets": found })).to_string())?;
    }
    match is_whole {
        true => Ok(()),
        false => Err(Failure::User(anyhow!(
            "files are missing or changed; remove the directory and download it again"
        ))),
    }
}

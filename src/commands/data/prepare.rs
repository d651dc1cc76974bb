//! `agon data prepare`.

use crate::args::Prepare;
use crate::commands::session::{document, table};
use crate::failure::Failure;
use crate::printer::{Printer, result};
use agon_dataset::skin::prepare::{Options, PrepareError, REPORT, Remark, Report, Source, prepare};
use agon_dataset::source::{CATALOGUE, RECEIPT};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

pub fn run(options: &Prepare, stop: &AtomicBool) -> Result<(), Failure> {
    let mut sources = Vec::new();
    if let Some(directory) = &options.data_dir {
        sources.extend(downloaded(directory));
        if sources.is_empty() {
            sources.push(named(None, directory));
        }
    }
    for text in &options.source_dir {
        // A directory that is there is meant even if there is an equals sign in its name.
        sources.push(match text.split_once('=') {
            Some((name, directory)) if !Path::new(text).exists() => {
                named(Some(name), Path::new(directory))
            }
            _ => named(None, Path::new(text)),
        });
    }
    let printer = Printer::new(false);
    if options.no_balance {
        printer.say("--no-balance: nothing is balanced here; that is the training's sampler");
    }
    let how = Options {
        max_per_class: options.max_per_class.map(|most| most as usize),
        min_per_class: options.min_per_class as usize,
        strict: options.strict,
        link: options.link,
        near: options.near,
        check_leaks: !options.no_leak_check,
        seed: options.seed,
    };
    let report = prepare(&sources, &options.output_dir, &how, stop, &|done, total| {
        printer.progress("images", done as u64, total as u64, String::new());
    })
    .map_err(|error| match error {
        PrepareError::Stopped => Failure::Interrupted,
        PrepareError::Io { .. } | PrepareError::Leak => Failure::Ours(error.into()),
        other => Failure::user(other),
    })?;
    say(&printer, &report, options);
    if options.json {
        let made = json!({ "directory": options.output_dir, "report": report });
        return Ok(result(&document(made).to_string())?);
    }
    Ok(result(&classes(&report))?)
}

/// The data sets that `agon data download` put into a directory, in the catalogue's order.
fn downloaded(directory: &Path) -> Vec<Source> {
    CATALOGUE
        .iter()
        .map(|set| Source {
            name: set.key.to_owned(),
            directory: directory.join(set.key),
        })
        .filter(|source| source.directory.join(RECEIPT).is_file())
        .collect()
}

/// A source by its name, or by that of its directory.
fn named(name: Option<&str>, directory: &Path) -> Source {
    let whole: PathBuf = directory
        .canonicalize()
        .unwrap_or_else(|_| directory.to_path_buf());
    let own = whole.file_name().unwrap_or_default().to_string_lossy();
    Source {
        name: name.map_or_else(|| own.into_owned(), str::to_owned),
        directory: directory.to_path_buf(),
    }
}

fn say(printer: &Printer, report: &Report, options: &Prepare) {
    let remarks = |title: &str, remarks: &[Remark]| {
        for remark in remarks {
            printer.say(&format!("{title}: {remark}"));
        }
    };
    remarks("noted", &report.noted);
    remarks("left out", &report.left_out);
    remarks("not taken as it is", &report.unknown);
    for source in &report.sources {
        printer.say(&format!(
            "{}: {} of {} images with a class are kept",
            source.source, source.kept, source.found
        ));
    }
    let [age, sex, site] = report.known.map(|share| share * 100.0);
    printer.say(&format!(
        "{} images of {} lesions in {} groups (the largest has {}); known: age {age:.1} %, sex {sex:.1} %, site {site:.1} %",
        report.images, report.lesions, report.groups, report.largest_group
    ));
    let thin = report.classes.iter().filter(|class| class.is_thin);
    let thin: Vec<&str> = thin.map(|class| class.class).collect();
    if !thin.is_empty() {
        printer.say(&format!(
            "fewer than {} images: {}; nothing is repeated here, the training's sampler draws them more often",
            options.min_per_class,
            thin.join(", ")
        ));
    }
    printer.say(&match report.parts {
        Some([training, selection, judging]) => format!(
            "leak check: split into {training}, {selection} and {judging} images, no lesion, patient or look-alike in two parts"
        ),
        None if options.no_leak_check => "leak check: switched off".to_owned(),
        None => "leak check: too few lesions of any class to split".to_owned(),
    });
    printer.say(&format!("written: {}", options.output_dir.display()));
    if !(report.left_out.is_empty() && report.unknown.is_empty()) {
        printer.say(&format!(
            "everything that was left out or not taken as it is stands in {}",
            options.output_dir.join(REPORT).display()
        ));
    }
}

fn classes(report: &Report) -> String {
    let total = report.images.max(1) as f64;
    let rows = report.classes.iter().map(|class| {
        let sources = class.sources.iter();
        let sources: Vec<String> = sources
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        [
            class.class.to_owned(),
            class.images.to_string(),
            class.lesions.to_string(),
            format!("{:.1} %", class.images as f64 / total * 100.0),
            sources.join(", "),
        ]
    });
    table(["class", "images", "lesions", "share", "sources"], rows)
}

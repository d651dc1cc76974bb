//! `agon evaluate`: models on labelled data, judged in the sandbox and by the code of the validators.

mod healthcare;
mod output;
mod parts;
mod report;
mod svg;

use crate::args::{Evaluate, EvaluateTricorder, EvaluatedCompetition, Output};
use crate::failure::Failure;
use crate::files::write_atomically;
use crate::printer::{Printer, result};
use crate::signals::{EndsAtOnce, told_to_stop};
use agon_arena::competition::{Budget, Competition, Judgement};
use agon_arena::ledger::Outcome;
use agon_arena::sandbox::{Asking, Sandbox, SandboxError};
use agon_arena::seed::Seed;
use agon_arena::subnet::tricorder::Tricorder;
use agon_arena::subnet::tricorder::baseline::{self, Baseline};
use agon_arena::subnet::tricorder::evaluation::{
    Answers, Chance, Comparison, Evaluation, Truth, compare, evaluate,
};
use agon_dataset::skin::{self, Record};
use agon_model::digest::Digest;
use agon_model::inspect::check_size;
use agon_model::metrics::Resampling;
use anyhow::{Context, anyhow};
use parts::{Division, Parts};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What intervals hold.
const CONFIDENCE: f64 = 0.95;

/// The number of images for which the budget of a validator's run was made.
const BUDGETED: usize = 400;

/// How many unreadable images are named on the terminal.
const NAMED: usize = 10;

/// Judge what was asked for.
pub async fn run(evaluate: Evaluate) -> Result<(), Failure> {
    match evaluate.competition {
        EvaluatedCompetition::Tricorder(arguments) => tricorder(*arguments).await,
        EvaluatedCompetition::Healthcare(arguments) => healthcare::run(*arguments).await,
    }
}

/// What was judged on.
#[derive(Debug, Serialize)]
pub struct Judged {
    /// What computed, with its version if it was needed.
    #[serde(skip)]
    pub engine: String,
    /// The directory as it was given.
    pub directory: String,
    /// The part of it.
    pub part: &'static str,
    /// How the parts were made.
    pub split: parts::SplitSettings,
    /// Images that count.
    pub images: usize,
    /// Lesions they show.
    pub lesions: usize,
    /// Images left out because they cannot be read, with the reason.
    pub unreadable: Vec<Unreadable>,
    /// What the images and the draws of lesions came from.
    pub seed: u64,
    /// How often the lesions were drawn.
    pub resamples: usize,
    /// What the intervals hold.
    pub confidence: f64,
}

/// An image that cannot be read.
#[derive(Debug, Serialize)]
pub struct Unreadable {
    /// The file.
    pub image: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A model and what came of it.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// The file, or what a baseline is.
    pub name: String,
    /// The file's digest; a baseline has none.
    pub digest: Option<Digest>,
    /// Bytes of the model.
    pub bytes: u64,
    /// What happened.
    pub outcome: Outcome,
    /// Why there are no figures.
    pub reason: Option<String>,
    /// Its figures.
    pub evaluation: Option<Evaluation>,
    /// How it differs from the first model.
    pub comparison: Option<Comparison>,
}

/// Something to be judged, and its answers by item.
struct Subject {
    name: String,
    digest: Option<Digest>,
    bytes: u64,
    /// What it was run with, if anything.
    engine: Option<String>,
    answers: Result<BTreeMap<usize, Vec<f32>>, Judgement>,
}

async fn tricorder(arguments: EvaluateTricorder) -> Result<(), Failure> {
    // What is typed wrong is told before the work.
    let form = arguments
        .report
        .as_deref()
        .map(report::Form::of)
        .transpose()?;
    let paths = arguments.model.iter().chain(&arguments.compare);
    let files = paths
        .map(|path| ModelFile::read(path))
        .collect::<Result<Vec<_>, _>>()?;
    let all = skin::open(&arguments.data_dir, arguments.labels_file.as_deref());
    let mut all = all.map_err(Failure::user)?;
    let printer = Printer::new(false);
    let division = Division::new(&arguments);
    let parts = tokio::task::block_in_place(|| {
        let _stopping = EndsAtOnce::begin();
        Parts::new(&mut all, &arguments, &division, &printer)
    })?;
    let records: Vec<Record> = parts.judged.iter().map(|&at| all[at].clone()).collect();
    let sample = arguments.max_samples.map_or(records.len(), |n| n as usize);
    let competition =
        Tricorder::new(records.clone(), sample).with_engine(arguments.running.engine());
    let items = competition.draw(Seed::derive(
        "evaluation sample",
        &[&arguments.seed.to_le_bytes()],
    ));
    if items.is_empty() {
        return Err(Failure::User(anyhow!(
            "the {} part has no images, as {division} says; choose another --part",
            arguments.part.as_str()
        )));
    }
    division.warn(&arguments);

    let mut unreadable = BTreeMap::new();
    let mut subjects = Vec::new();
    let judging = Judging {
        sandbox: arguments.running.sandbox().await?,
        competition: {
            let budget = within(competition.budget(), items.len());
            Arc::new(competition.with_budget(budget))
        },
        items: &items,
        workers: match arguments.workers {
            Some(workers) => workers.into(),
            None => std::thread::available_parallelism().map_or(1, usize::from),
        },
        printer: Arc::new(printer),
    };
    for file in files {
        subjects.push(judging.judge(file, &mut unreadable).await?);
    }
    if arguments.baselines {
        let judged = items.iter().map(|&item| &records[item]).collect();
        let baselines = judging.baselines(&all, &parts, judged, &mut unreadable)?;
        subjects.extend(baselines);
    }

    // An image that one model could not be given counts for none.
    let counted: Vec<usize> = items
        .iter()
        .copied()
        .filter(|item| !unreadable.contains_key(item))
        .collect();
    let named = |(&item, reason): (&usize, &String)| Unreadable {
        image: records[item].path.display().to_string(),
        reason: reason.clone(),
    };
    let truth = Truth::new(counted.iter().map(|&item| &records[item]));
    let engine = subjects.iter().find_map(|subject| subject.engine.clone());
    let judged = Judged {
        engine: engine.unwrap_or(judging.competition.engine().to_string()),
        directory: arguments.data_dir.display().to_string(),
        part: arguments.part.as_str(),
        split: division.split,
        images: truth.images(),
        lesions: truth.lesions(),
        unreadable: unreadable.iter().map(named).collect(),
        seed: arguments.seed,
        resamples: arguments.resamples as usize,
        confidence: CONFIDENCE,
    };
    tell_unreadable(&judged);
    if counted.is_empty() {
        return Err(Failure::User(anyhow!(
            "none of the {} images can be read",
            items.len()
        )));
    }
    let entries = measured(subjects, &truth, &counted, &judged);
    let form_of_output = match arguments.json {
        true => Output::Json,
        false => arguments.output,
    };
    result(&match form_of_output {
        Output::Table => output::tables(&judged, &entries),
        Output::Json => output::document(&judged, &entries)?,
        Output::Csv => output::lines(&entries)?,
    })?;
    if let (Some(form), Some(path)) = (form, &arguments.report) {
        let report = form.report(&judged, &entries);
        write_atomically(path, report.as_bytes())
            .with_context(|| format!("writing {}", path.display()))
            .map_err(Failure::User)?;
        crate::printer::say(&format!("the report is in {}", path.display()));
    }
    match entries
        .iter()
        .filter(|entry| entry.evaluation.is_none())
        .count()
    {
        0 => Ok(()),
        failed => Err(Failure::User(anyhow!(
            "{failed} of {} models have no score; the reasons stand above",
            entries.len()
        ))),
    }
}

/// A validator's run has a wall clock for the number of images it asks; more images have more.
fn within(budget: Budget, images: usize) -> Budget {
    let runs = images.div_ceil(BUDGETED).max(1) as u32;
    Budget {
        total: budget.total * runs,
        ..budget
    }
}

/// The bytes of a model's file, unless it is too large to be one.
struct ModelFile {
    path: PathBuf,
    size: u64,
    bytes: Result<Vec<u8>, Judgement>,
}

impl ModelFile {
    fn read(path: &Path) -> Result<Self, Failure> {
        let read = || -> std::io::Result<Self> {
            // Looked at before it is opened: opening a named pipe would wait for a writer.
            let metadata = std::fs::metadata(path)?;
            if !metadata.is_file() {
                return Err(std::io::Error::other("not a file"));
            }
            let limits = agon_model::inspect::Limits::default();
            let size = metadata.len();
            let bytes = match check_size(size, &limits) {
                Err(refused) => Err(Judgement::failed(Outcome::TooLarge, refused.to_string())),
                Ok(()) => {
                    let mut bytes = Vec::new();
                    File::open(path)?
                        .take(limits.bytes)
                        .read_to_end(&mut bytes)?;
                    Ok(bytes)
                }
            };
            Ok(Self {
                path: path.to_owned(),
                size,
                bytes,
            })
        };
        read()
            .with_context(|| format!("cannot read the model {}", path.display()))
            .map_err(Failure::User)
    }
}

/// What all models are judged with.
struct Judging<'a> {
    sandbox: Sandbox,
    competition: Arc<dyn Competition>,
    items: &'a [usize],
    workers: usize,
    printer: Arc<Printer>,
}

impl Judging<'_> {
    /// Ask one model everything. Images that cannot be read are added to `unreadable`.
    async fn judge(
        &self,
        file: ModelFile,
        unreadable: &mut BTreeMap<usize, String>,
    ) -> Result<Subject, Failure> {
        let name = file.path.display().to_string();
        let bytes = match file.bytes {
            Ok(bytes) => bytes,
            Err(judgement) => {
                return Ok(Subject {
                    name,
                    digest: None,
                    bytes: file.size,
                    engine: None,
                    answers: Err(judgement),
                });
            }
        };
        let (printer, title, total) = (self.printer.clone(), name.clone(), self.items.len());
        let asking = Asking {
            workers: self.workers,
            skip_unreadable: true,
            progress: Arc::new(move |done| {
                printer.progress(&title, done as u64, total as u64, String::new());
            }),
        };
        let asked = self
            .sandbox
            .answers(&self.competition, &bytes, self.items, &asking);
        let asked = tokio::select! {
            asked = asked => asked.map_err(|error| match error {
                SandboxError::Engine(_) => Failure::user(error),
                error => error.into(),
            })?,
            () = told_to_stop() => return Err(Failure::Interrupted),
        };
        let answers = asked.answers.map(|answers| {
            let mut known = BTreeMap::new();
            for (&item, answer) in self.items.iter().zip(answers) {
                match answer {
                    Ok(row) => drop(known.insert(item, row)),
                    Err(error) => drop(unreadable.insert(item, error.reason)),
                }
            }
            known
        });
        Ok(Subject {
            name,
            digest: Some(Digest::of(&bytes)),
            bytes: bytes.len() as u64,
            engine: Some(asked.engine),
            answers,
        })
    }

    /// Learn the baselines and ask them everything.
    fn baselines(
        &self,
        all: &[Record],
        parts: &Parts,
        judged: Vec<&Record>,
        unreadable: &mut BTreeMap<usize, String>,
    ) -> Result<Vec<Subject>, Failure> {
        let records = |positions: &[usize]| positions.iter().map(|&at| &all[at]).collect();
        let printer = self.printer.clone();
        let progress = move |what: &str, done: usize, total: usize| {
            printer.progress(what, done as u64, total as u64, String::new());
        };
        let (training, selection): (Vec<_>, Vec<_>) =
            (records(&parts.training), records(&parts.selection));
        let learnt = tokio::task::block_in_place(|| {
            let _stopping = EndsAtOnce::begin();
            baseline::baselines(&training, &selection, &judged, &progress)
        });
        let learnt = learnt.map_err(Failure::user)?;
        for (position, reason) in learnt.unreadable {
            unreadable.insert(self.items[position], reason);
        }
        if learnt.left_out > 0 {
            let left_out = learnt.left_out;
            self.printer.say(&format!(
                "{left_out} unreadable image(s) are left out of what the baselines learn from"
            ));
        }
        let subject = |baseline: Baseline| {
            let rows = self.items.iter().copied().zip(baseline.rows);
            let known = rows.filter_map(|(item, row)| Some((item, row?)));
            Subject {
                name: baseline.name,
                digest: None,
                bytes: baseline.bytes,
                engine: None,
                answers: Ok(known.collect()),
            }
        };
        Ok(learnt.baselines.into_iter().map(subject).collect())
    }
}

fn tell_unreadable(judged: &Judged) {
    let say = crate::printer::say;
    for Unreadable { image, reason } in judged.unreadable.iter().take(NAMED) {
        say(&format!("{image}: {reason}"));
    }
    if !judged.unreadable.is_empty() {
        say(&format!(
            "{} unreadable image(s) are left out, with their labels; {} count",
            judged.unreadable.len(),
            judged.images
        ));
    }
}

/// The figures of all, the best first; each is compared with the first that was given.
fn measured(
    subjects: Vec<Subject>,
    truth: &Truth,
    counted: &[usize],
    judged: &Judged,
) -> Vec<Entry> {
    let chance = Chance {
        confidence: judged.confidence,
        resampling: Resampling {
            resamples: judged.resamples,
            seed: judged.seed,
        },
    };
    let answers: Vec<Option<Answers>> = subjects
        .iter()
        .map(|subject| {
            let known = subject.answers.as_ref().ok()?;
            Some(Answers {
                rows: counted.iter().map(|item| known[item].clone()).collect(),
                bytes: subject.bytes,
            })
        })
        .collect();
    let first = answers.first().and_then(Option::as_ref);
    let comparisons = answers.iter().skip(1).flatten().count();
    let mut entries: Vec<Entry> = subjects
        .into_iter()
        .zip(&answers)
        .enumerate()
        .map(|(position, (subject, own))| {
            let others = first.filter(|_| position > 0).zip(own.as_ref());
            let failed = subject.answers.err();
            Entry {
                name: subject.name,
                digest: subject.digest,
                bytes: subject.bytes,
                outcome: failed
                    .as_ref()
                    .map_or(Outcome::Scored, |failed| failed.outcome),
                reason: failed.and_then(|failed| failed.reason),
                evaluation: own.as_ref().map(|own| evaluate(truth, own, &chance)),
                comparison: others
                    .map(|(first, own)| compare(truth, own, first, &chance, comparisons)),
            }
        })
        .collect();
    let score = |entry: &Entry| entry.evaluation.as_ref().map_or(-1.0, |e| e.score.value);
    entries.sort_by(|a, b| score(b).total_cmp(&score(a)));
    entries
}

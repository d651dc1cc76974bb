//! `agon evaluate healthcare`: models on labelled X-rays, judged in the sandbox and by the code of the validators.

use super::{Judging, ModelFile, Subject, within};
use crate::args::{EvaluateHealthcare, EvaluatedPart};
use crate::commands::session::{document, table};
use crate::commands::train::healthcare::{constant_loss, divided};
use crate::failure::Failure;
use crate::printer::{Printer, result};
use agon_arena::competition::Competition;
use agon_arena::ledger::Outcome;
use agon_arena::subnet::healthcare::Healthcare;
use agon_dataset::chest::{self, Record};
use anyhow::anyhow;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The figures of a table, in its order.
const FIGURES: [&str; 4] = ["loss", "macro_auroc", "macro_auprc", "accuracy"];

/// Judge the models that were asked for.
pub async fn run(arguments: EvaluateHealthcare) -> Result<(), Failure> {
    let printer = Printer::new(false);
    let files = arguments
        .model
        .iter()
        .map(|path| ModelFile::read(path))
        .collect::<Result<Vec<_>, _>>()?;
    let labels = &arguments.data.labels;
    let [training, selection, judging] = divided(&arguments.data, &printer)?;
    let known = training.clone();
    let records = match arguments.part {
        EvaluatedPart::Judging => judging,
        EvaluatedPart::Selection => selection,
        EvaluatedPart::Training => training,
        EvaluatedPart::All => [training, selection, judging].concat(),
    };
    if records.is_empty() {
        return Err(Failure::User(anyhow!(
            "the {} part has no images; choose another --part",
            arguments.part.as_str()
        )));
    }
    let sample = records.len();
    let competition = match &arguments.public {
        None => Healthcare::new(labels.clone(), records.clone(), sample),
        Some(directory) => {
            let public = chest::open(directory, labels).map_err(Failure::user)?;
            let judged = records.clone();
            Healthcare::hidden(labels.clone(), judged, &public.records, sample)
                .map_err(Failure::user)?
        }
    };
    let budget = within(competition.budget(), sample);
    let competition: Arc<dyn Competition> = Arc::new(
        competition
            .with_budget(budget)
            .with_engine(arguments.running.engine()),
    );
    let items: Vec<usize> = (0..sample).collect();
    let judging = Judging {
        sandbox: arguments.running.sandbox().await?,
        competition: competition.clone(),
        items: &items,
        workers: match arguments.workers {
            Some(workers) => workers.into(),
            None => std::thread::available_parallelism().map_or(1, usize::from),
        },
        printer: Arc::new(printer),
    };
    let mut unreadable = BTreeMap::new();
    let mut subjects = Vec::new();
    for file in files {
        subjects.push(judging.judge(file, &mut unreadable).await?);
    }
    for (&item, reason) in &unreadable {
        let path = records[item].path.display();
        judging
            .printer
            .say(&format!("{path}: {reason}; it is left out"));
    }
    // An image that one model could not be given counts for none.
    let counted: Vec<usize> = items
        .iter()
        .copied()
        .filter(|item| !unreadable.contains_key(item))
        .collect();
    if counted.is_empty() {
        return Err(Failure::User(anyhow!(
            "none of the {sample} images can be read"
        )));
    }
    let judged: Vec<Record> = counted.iter().map(|&item| records[item].clone()).collect();
    let constant = constant_loss(&known, &judged, labels.len());
    let entries: Vec<Entry> = subjects
        .into_iter()
        .map(|subject| Entry::new(subject, &*competition, &counted))
        .collect();
    let failed = entries
        .iter()
        .filter(|entry| entry.reason.is_some())
        .count();
    if arguments.json {
        let judged = json!({
            "directory": arguments.data.data_dir,
            "part": arguments.part.as_str(),
            "labels": labels.names(),
            "images": counted.len(),
            "positives": chest::counts(&judged, labels.len()),
            "unreadable": unreadable.len(),
            "constant_loss": constant,
            "models": entries.iter().map(Entry::json).collect::<Vec<_>>(),
        });
        result(&document(judged).to_string())?;
    } else {
        let [loss, auroc, auprc, accuracy] = FIGURES;
        let header = ["model", loss, auroc, auprc, accuracy, "MiB", "outcome"];
        result(&table(header, entries.iter().map(Entry::row)))?;
        result(&format!(
            "{} images of the {} part; always answering how often each label occurs has a loss of {constant:.4}",
            counted.len(),
            arguments.part.as_str()
        ))?;
    }
    match failed {
        0 => Ok(()),
        failed => Err(Failure::User(anyhow!(
            "{failed} of {} models have no score; the reasons stand above",
            entries.len()
        ))),
    }
}

/// A model and what came of it.
struct Entry {
    name: String,
    bytes: u64,
    outcome: Outcome,
    reason: Option<String>,
    metrics: BTreeMap<String, f64>,
}

impl Entry {
    fn new(subject: Subject, competition: &dyn Competition, counted: &[usize]) -> Self {
        let (outcome, reason, metrics) = match subject.answers {
            Ok(answers) => {
                let rows: Vec<Vec<f32>> =
                    counted.iter().map(|item| answers[item].clone()).collect();
                let score = competition.score(counted, &rows, subject.bytes);
                (Outcome::Scored, None, score.metrics)
            }
            Err(failed) => {
                let reason = failed.reason.unwrap_or_default();
                (failed.outcome, Some(reason), BTreeMap::new())
            }
        };
        Self {
            name: subject.name,
            bytes: subject.bytes,
            outcome,
            reason,
            metrics,
        }
    }

    fn json(&self) -> Value {
        json!({
            "model": self.name,
            "bytes": self.bytes,
            "outcome": self.outcome,
            "reason": self.reason,
            "metrics": self.metrics,
        })
    }

    fn row(&self) -> [String; 7] {
        let [loss, auroc, auprc, accuracy] = FIGURES.map(|name| match self.metrics.get(name) {
            Some(value) => format!("{value:.4}"),
            None => "-".to_owned(),
        });
        let outcome = match &self.reason {
            Some(reason) => format!("{}: {reason}", self.outcome.as_str()),
            None => self.outcome.as_str().to_owned(),
        };
        let mib = format!("{:.2}", self.bytes as f64 / f64::from(1 << 20));
        [
            self.name.clone(),
            loss,
            auroc,
            auprc,
            accuracy,
            mib,
            outcome,
        ]
    }
}

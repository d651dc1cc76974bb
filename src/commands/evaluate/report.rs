//! The report: one file, a page or a drawing, that asks nobody for anything.

use super::output::{difference, figure, mebibytes, optional, percent, word};
use super::svg::{Anchor, Drawing, STYLE, escaped};
use super::{Entry, Judged};
use crate::failure::Failure;
use agon_arena::subnet::tricorder::evaluation::{Comparison, Evaluation};
use agon_dataset::skin::{LesionClass, Risk};
use agon_model::metrics::Interval;
use anyhow::anyhow;
use std::fmt::Write;
use std::path::Path;

/// Longest name in a drawing, in characters.
const NAME: usize = 44;

/// What kind of file a report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A page with tables and drawings.
    Html,
    /// The drawings alone.
    Svg,
}

impl Form {
    /// The form that a file's name asks for, if its directory is there.
    pub fn of(path: &Path) -> Result<Self, Failure> {
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        if directory.is_some_and(|directory| !directory.is_dir()) {
            return Err(Failure::User(anyhow!(
                "--report {}: its directory is not there",
                path.display()
            )));
        }
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("html" | "htm") => Ok(Self::Html),
            Some("svg") => Ok(Self::Svg),
            _ => Err(Failure::User(anyhow!(
                "--report {}: a report ends in .html or .svg",
                path.display()
            ))),
        }
    }

    /// The whole file.
    pub fn report(self, judged: &Judged, entries: &[Entry]) -> String {
        match self {
            Self::Html => page(judged, entries),
            Self::Svg => drawing(judged, entries).file("evaluation of models"),
        }
    }
}

fn heading(judged: &Judged) -> String {
    format!(
        "{} images of {} lesions of {}, part {}; {}; seed {}; intervals of {} from {} draws of lesions",
        judged.images,
        judged.lesions,
        judged.directory,
        judged.part,
        judged.split,
        judged.seed,
        percent(judged.confidence),
        judged.resamples
    )
}

/// The beginning of a name that is too long is what can be missed: it is the directory.
fn short(name: &str) -> String {
    let length = name.chars().count();
    match length > NAME {
        true => format!(
            "…{}",
            name.chars().skip(length - NAME + 1).collect::<String>()
        ),
        false => name.to_owned(),
    }
}

fn page(judged: &Judged, entries: &[Entry]) -> String {
    let mut body = String::new();
    let _ = write!(
        body,
        "<h1>Evaluation</h1><p>{}</p>",
        escaped(heading(judged))
    );
    if !judged.unreadable.is_empty() {
        let _ = write!(
            body,
            "<details><summary>{} unreadable images are left out</summary><ul>",
            judged.unreadable.len()
        );
        for unreadable in &judged.unreadable {
            let (image, reason) = (escaped(&unreadable.image), escaped(&unreadable.reason));
            let _ = write!(body, "<li>{image}: {reason}</li>");
        }
        body += "</ul></details>";
    }
    let _ = write!(
        body,
        "<figure>{}</figure>",
        scores(judged, entries).element("scores and their differences")
    );
    body += "<div class=\"wide\"><table><thead><tr><th>model<th>MiB<th>score<th>accuracy<th>weighted F1<th>balanced accuracy<th>AUROC<th>ECE<th>difference of the score</thead><tbody>";
    for entry in entries {
        let _ = write!(
            body,
            "<tr><th scope=\"row\">{}<td>{}",
            escaped(&entry.name),
            mebibytes(entry.bytes)
        );
        let Some(e) = &entry.evaluation else {
            let reason = entry.reason.as_deref().unwrap_or_default();
            let outcome = entry.outcome.as_str();
            let _ = write!(body, "<td colspan=\"7\">{outcome}: {}", escaped(reason));
            continue;
        };
        for f in [&e.score, &e.accuracy, &e.weighted_f1, &e.balanced_accuracy] {
            let _ = write!(body, "<td>{}", figure(f));
        }
        let _ = write!(
            body,
            "<td>{}<td>{}<td>{}",
            optional(e.mean_auroc),
            optional(e.calibration.as_ref().map(|c| c.expected_error)),
            entry.comparison.as_ref().map_or("-".to_owned(), verdict)
        );
    }
    body += "</tbody></table></div>";
    for (entry, evaluation) in judged_entries(entries) {
        let name = escaped(&entry.name);
        let _ = write!(
            body,
            "<section><h2>{name}</h2><p>efficiency {:.4}",
            evaluation.efficiency
        );
        for risk in &evaluation.risks {
            let _ = write!(body, ", F1 {} {}", word(risk.risk), figure(&risk.f1));
        }
        if let Some(calibration) = &evaluation.calibration {
            let _ = write!(body, ", Brier {:.4}", calibration.brier);
        }
        body += "</p>";
        if evaluation.calibration.is_none() {
            let _ = write!(
                body,
                "<p>{} answers do not sum to 1 or are negative: they are not probabilities, so there is no calibration.</p>",
                evaluation.not_probabilities
            );
        }
        let _ = write!(
            body,
            "<figure>{}</figure>",
            plots(evaluation).element(&format!("plots of {}", entry.name))
        );
        body += "<div class=\"wide\"><table><thead><tr><th>class<th>risk<th>images<th>precision<th>recall<th>F1<th>AUROC</thead><tbody>";
        for class in &evaluation.classes {
            let _ = write!(
                body,
                "<tr><th scope=\"row\">{}<td>{}<td>{}<td>{}<td>{}<td>{}<td>{}",
                class.class.code(),
                word(class.risk),
                class.support,
                figure(&class.precision),
                figure(&class.recall),
                figure(&class.f1),
                optional(class.auroc)
            );
        }
        body += "</tbody></table></div></section>";
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>Evaluation</title><style>{STYLE}\
         body{{margin:2rem auto;max-width:1040px;padding:0 1rem;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif}}\
         h1{{font-size:1.6rem}}h2{{font-size:1.15rem;margin-top:2.5rem;overflow-wrap:anywhere}}figure{{margin:1rem 0;overflow-x:auto}}\
         .wide{{overflow-x:auto}}table{{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}}\
         th,td{{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap}}\
         svg{{max-width:100%;height:auto}}</style></head><body>{body}</body></html>\n"
    )
}

fn verdict(comparison: &Comparison) -> String {
    let sure = match comparison.significant {
        true => "significant",
        false => "not significant",
    };
    format!("{}, {sure}", difference(&comparison.score))
}

fn judged_entries(entries: &[Entry]) -> impl Iterator<Item = (&Entry, &Evaluation)> {
    let judged = |entry| Some((entry, Entry::evaluation(entry)?));
    entries.iter().filter_map(judged)
}

impl Entry {
    fn evaluation(&self) -> Option<&Evaluation> {
        self.evaluation.as_ref()
    }
}

/// Everything below each other.
fn drawing(judged: &Judged, entries: &[Entry]) -> Drawing {
    let mut pieces = vec![(None, scores(judged, entries))];
    for (entry, evaluation) in judged_entries(entries) {
        pieces.push((Some(short(&entry.name)), plots(evaluation)));
    }
    let gap = 40.0;
    let height: f64 = pieces.iter().map(|(_, piece)| piece.height + gap).sum();
    let width = pieces
        .iter()
        .map(|(_, piece)| piece.width)
        .fold(0.0, f64::max);
    let mut whole = Drawing::new(width, height + gap);
    whole.text("faint", (16.0, 24.0), Anchor::Start, heading(judged));
    let mut y = gap;
    for (title, piece) in &pieces {
        if let Some(title) = title {
            whole.text("title", (16.0, y + 14.0), Anchor::Start, title);
        }
        let below = if title.is_some() { 24.0 } else { 0.0 };
        whole.place((0.0, y + below), piece);
        y += piece.height + gap;
    }
    whole
}

/// The scores of all models with their intervals, and their differences from the first.
fn scores(judged: &Judged, entries: &[Entry]) -> Drawing {
    let (row, left, wide) = (30.0, 320.0, 270.0);
    let rows = entries.len() as f64;
    let mut drawing = Drawing::new(1000.0, 66.0 + rows * row);
    let top = 40.0;
    let differences = entries.iter().filter_map(|entry| entry.comparison.as_ref());
    let reach = differences
        .flat_map(|c| [c.score.interval.low.abs(), c.score.interval.high.abs()])
        .fold(0.01, f64::max)
        * 1.1;
    let score_at = |value: f64| left + value.clamp(0.0, 1.0) * wide;
    let right = left + wide + 60.0;
    let difference_at = |value: f64| right + (value / reach + 1.0) / 2.0 * wide;
    let compared = entries.iter().any(|entry| entry.comparison.is_some());
    drawing.text("title", (left, 20.0), Anchor::Start, "score");
    for tick in 0..=4 {
        let value = f64::from(tick) / 4.0;
        let x = score_at(value);
        drawing.line("line", (x, top - 8.0), (x, top + rows * row));
        let place = (x, top + rows * row + 16.0);
        drawing.text("faint", place, Anchor::Middle, format!("{value}"));
    }
    if compared {
        let title = format!(
            "difference of the score, {} intervals",
            percent(surest(judged, entries))
        );
        drawing.text("title", (right, 20.0), Anchor::Start, title);
        for value in [-reach, 0.0, reach] {
            let x = difference_at(value);
            let class = if value == 0.0 { "dash" } else { "line" };
            drawing.line(class, (x, top - 8.0), (x, top + rows * row));
            let place = (x, top + rows * row + 16.0);
            let label = match value {
                0.0 => "0".to_owned(),
                value => format!("{value:+.3}"),
            };
            drawing.text("faint", place, Anchor::Middle, label);
        }
    }
    for (position, entry) in entries.iter().enumerate() {
        let y = top + (position as f64 + 0.5) * row;
        drawing.text("", (left - 14.0, y + 4.0), Anchor::End, short(&entry.name));
        let Some(evaluation) = &entry.evaluation else {
            let outcome = entry.outcome.as_str();
            drawing.text("faint", (left + 8.0, y + 4.0), Anchor::Start, outcome);
            continue;
        };
        let score = &evaluation.score;
        whisker(
            &mut drawing,
            y,
            score_at(score.value),
            score.interval,
            score_at,
        );
        let over = score_at(score.interval.high) + 8.0;
        let label = format!("{:.4}", score.value);
        drawing.text("faint", (over, y + 4.0), Anchor::Start, label);
        match &entry.comparison {
            Some(comparison) => {
                let score = &comparison.score;
                let at = difference_at(score.value);
                whisker(&mut drawing, y, at, score.interval, difference_at);
            }
            None if compared => {
                let place = (difference_at(0.0) + 8.0, y + 4.0);
                drawing.text(
                    "faint",
                    place,
                    Anchor::Start,
                    "the others are compared with it",
                );
            }
            None => {}
        }
    }
    drawing
}

fn surest(judged: &Judged, entries: &[Entry]) -> f64 {
    let comparison = entries.iter().find_map(|entry| entry.comparison.as_ref());
    comparison.map_or(judged.confidence, |comparison| comparison.confidence)
}

fn whisker(drawing: &mut Drawing, y: f64, at: f64, interval: Interval, place: impl Fn(f64) -> f64) {
    let (low, high) = (place(interval.low), place(interval.high));
    drawing.line("ink", (low, y), (high, y));
    for end in [low, high] {
        drawing.line("ink", (end, y - 4.0), (end, y + 4.0));
    }
    drawing.dot("mark", (at, y), 4.5);
}

/// The plots of one model: confusion matrix and reliability above, classes below.
fn plots(evaluation: &Evaluation) -> Drawing {
    let (confusion, reliability, classes) = (
        confusion(evaluation),
        reliability(evaluation),
        classes(evaluation),
    );
    let width = (confusion.width + 30.0 + reliability.width).max(classes.width);
    let upper = confusion.height.max(reliability.height);
    let mut whole = Drawing::new(width, upper + 20.0 + classes.height);
    whole.place((0.0, 0.0), &confusion);
    whole.place((confusion.width + 30.0, 0.0), &reliability);
    whole.place((0.0, upper + 20.0), &classes);
    whole
}

/// Counts, shaded by their share of the label's images.
fn confusion(evaluation: &Evaluation) -> Drawing {
    let (cell, left, top) = (38.0, 96.0, 58.0);
    let side = cell * LesionClass::ALL.len() as f64;
    let mut drawing = Drawing::new(left + side + 6.0, top + side + 22.0);
    drawing.text("title", (16.0, 20.0), Anchor::Start, "confusion");
    drawing.text(
        "faint",
        (left + side / 2.0, 24.0),
        Anchor::Middle,
        "prediction",
    );
    drawing.upright("faint", (16.0, top + side / 2.0), "label");
    for (position, class) in LesionClass::ALL.into_iter().enumerate() {
        let at = (position as f64 + 0.5) * cell;
        drawing.text(
            "faint",
            (left - 6.0, top + at + 4.0),
            Anchor::End,
            class.code(),
        );
        // Two heights, so that long names do not touch.
        let y = top - if position % 2 == 0 { 4.0 } else { 15.0 };
        drawing.text("faint", (left + at, y), Anchor::Middle, class.code());
    }
    for (label, row) in evaluation.confusion.iter().enumerate() {
        let total: u64 = row.iter().sum();
        for (prediction, &count) in row.iter().enumerate() {
            let corner = (left + prediction as f64 * cell, top + label as f64 * cell);
            drawing.area("soft", corner, (cell - 1.5, cell - 1.5), 0.16);
            if count == 0 {
                continue;
            }
            let share = count as f64 / total as f64;
            drawing.area("mark", corner, (cell - 1.5, cell - 1.5), share);
            let class = if share > 0.55 { "paper" } else { "" };
            let middle = (corner.0 + cell / 2.0 - 0.7, corner.1 + cell / 2.0 + 4.0);
            drawing.text(class, middle, Anchor::Middle, count);
        }
    }
    let note = "shade: share of the label's images";
    drawing.text("faint", (left, top + side + 16.0), Anchor::Start, note);
    drawing
}

/// Accuracy by confidence, beside the diagonal of a model that knows how sure it is.
fn reliability(evaluation: &Evaluation) -> Drawing {
    let (side, left, top, histogram) = (330.0, 44.0, 40.0, 70.0);
    let mut drawing = Drawing::new(left + side + 30.0, top + side + histogram + 66.0);
    drawing.text("title", (left, 20.0), Anchor::Start, "reliability");
    let Some(calibration) = &evaluation.calibration else {
        let why = "the answers are not probabilities";
        drawing.text("faint", (left, top + 16.0), Anchor::Start, why);
        return drawing;
    };
    let place = |x: f64, y: f64| (left + x * side, top + (1.0 - y) * side);
    for tick in 0..=4 {
        let value = f64::from(tick) / 4.0;
        drawing.line("line", place(0.0, value), place(1.0, value));
        let (x, y) = place(0.0, value);
        drawing.text("faint", (x - 6.0, y + 4.0), Anchor::End, value);
        let (x, y) = place(value, 0.0);
        drawing.text("faint", (x, y + 15.0), Anchor::Middle, value);
    }
    for bin in calibration.bins.iter().filter(|bin| bin.count > 0) {
        let corner = place(bin.lower, bin.accuracy);
        let size = ((bin.upper - bin.lower) * side - 2.0, bin.accuracy * side);
        drawing.area("soft", (corner.0 + 1.0, corner.1), size, 1.0);
    }
    drawing.line("dash", place(0.0, 0.0), place(1.0, 1.0));
    for bin in calibration.bins.iter().filter(|bin| bin.count > 0) {
        drawing.dot("mark", place(bin.confidence, bin.accuracy), 4.0);
    }
    drawing.upright("faint", (12.0, top + side / 2.0), "accuracy");
    let error = format!(
        "expected calibration error {:.4}, Brier {:.4}",
        calibration.expected_error, calibration.brier
    );
    drawing.text("", place(0.03, 0.94), Anchor::Start, error);
    let most = calibration.bins.iter().map(|bin| bin.count).max();
    let most = most.unwrap_or(0).max(1) as f64;
    let floor = top + side + 30.0 + histogram;
    for bin in &calibration.bins {
        let high = bin.count as f64 / most * histogram;
        let corner = (left + bin.lower * side + 1.0, floor - high);
        let size = ((bin.upper - bin.lower) * side - 2.0, high);
        drawing.area("mark", corner, size, 0.7);
    }
    drawing.line("line", (left, floor), (left + side, floor));
    let note = "confidence; below: images in each bin";
    drawing.text(
        "faint",
        (left + side / 2.0, floor + 18.0),
        Anchor::Middle,
        note,
    );
    drawing
}

/// F1 of each class with its interval, recall and precision as ticks beside it.
fn classes(evaluation: &Evaluation) -> Drawing {
    let (slot, left, top, high) = (80.0, 56.0, 40.0, 200.0);
    let width = slot * evaluation.classes.len() as f64;
    let mut drawing = Drawing::new(left + width + 16.0, top + high + 66.0);
    drawing.text(
        "title",
        (left, 20.0),
        Anchor::Start,
        "classes: precision, recall, F1",
    );
    let level = |value: f64| top + (1.0 - value) * high;
    for tick in 0..=4 {
        let value = f64::from(tick) / 4.0;
        drawing.line("line", (left, level(value)), (left + width, level(value)));
        drawing.text(
            "faint",
            (left - 6.0, level(value) + 4.0),
            Anchor::End,
            value,
        );
    }
    for (position, class) in evaluation.classes.iter().enumerate() {
        let start = left + position as f64 * slot + 10.0;
        let colour = match class.risk {
            Risk::High => "high",
            Risk::Medium => "medium",
            Risk::Benign => "benign",
        };
        let bars = [
            (&class.precision, 0.35),
            (&class.recall, 0.6),
            (&class.f1, 1.0),
        ];
        for (bar, (figure, opacity)) in bars.into_iter().enumerate() {
            let x = start + bar as f64 * 20.0;
            let corner = (x, level(figure.value));
            drawing.area(colour, corner, (18.0, figure.value * high), opacity);
            if class.support > 0 {
                let Interval { low, high } = figure.interval;
                drawing.line("ink", (x + 9.0, level(low)), (x + 9.0, level(high)));
            }
        }
        let middle = start + 29.0;
        let floor = top + high;
        drawing.text(
            "",
            (middle, floor + 18.0),
            Anchor::Middle,
            class.class.code(),
        );
        let images = match class.support {
            0 => "no image".to_owned(),
            1 => "1 image".to_owned(),
            many => format!("{many} images"),
        };
        drawing.text("faint", (middle, floor + 33.0), Anchor::Middle, images);
    }
    let mut x = left;
    for (class, text) in [
        ("high", "high risk, weight 3"),
        ("medium", "medium, weight 2"),
        ("benign", "benign, weight 1"),
    ] {
        drawing.area(class, (x, top + high + 47.0), (11.0, 11.0), 1.0);
        let place = (x + 16.0, top + high + 57.0);
        drawing.text("faint", place, Anchor::Start, text);
        x += 150.0;
    }
    let note = "in each class: precision, recall, F1 with intervals";
    drawing.text("faint", (x, top + high + 57.0), Anchor::Start, note);
    drawing
}

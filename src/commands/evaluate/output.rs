//! The figures of models as tables, as one document, as lines of CSV.

use super::{Entry, Judged};
use crate::commands::session::{self, table};
use agon_arena::subnet::tricorder::evaluation::{Difference, Evaluation, Figure};
use agon_dataset::skin::{LesionClass, Risk};
use serde_json::json;
use std::fmt::Write;

/// Everything, for people.
pub fn tables(judged: &Judged, entries: &[Entry]) -> String {
    let mut text = format!(
        "{} images of {} lesions of {} (part {}; {}; seed {}); {} intervals from {} draws of lesions\n",
        judged.images,
        judged.lesions,
        judged.directory,
        judged.part,
        judged.split,
        judged.seed,
        percent(judged.confidence),
        judged.resamples
    );
    text += &overview(entries);
    for Entry { name, reason, .. } in entries {
        if let Some(reason) = reason {
            let _ = write!(text, "\n{name}: {reason}");
        }
    }
    for entry in entries {
        if let Some(evaluation) = &entry.evaluation {
            let _ = write!(text, "\n\n{}", details(&entry.name, evaluation));
        }
    }
    text
}

fn overview(entries: &[Entry]) -> String {
    let rows = entries.iter().map(|entry| {
        let mut row = [entry.name.clone(), mebibytes(entry.bytes)]
            .into_iter()
            .collect::<Vec<_>>();
        match &entry.evaluation {
            Some(evaluation) => row.extend([
                figure(&evaluation.score),
                figure(&evaluation.accuracy),
                figure(&evaluation.weighted_f1),
                figure(&evaluation.balanced_accuracy),
                optional(evaluation.mean_auroc),
                evaluation
                    .calibration
                    .as_ref()
                    .map_or("-".to_owned(), |c| format!("{:.4}", c.expected_error)),
            ]),
            None => row.extend(["-"; 6].map(str::to_owned)),
        }
        let comparison = entry.comparison.as_ref();
        row.push(match (comparison, &entry.reason) {
            (Some(comparison), _) => {
                let verdict = match comparison.significant {
                    true => "significant",
                    false => "not significant",
                };
                format!("{} {verdict}", difference(&comparison.score))
            }
            (None, Some(_)) => entry.outcome.as_str().to_owned(),
            (None, None) if entries.len() > 1 => "the others are compared with it".to_owned(),
            (None, None) => "-".to_owned(),
        });
        row.try_into().expect("nine columns")
    });
    let header = [
        "model",
        "MiB",
        "score",
        "accuracy",
        "weighted F1",
        "balanced",
        "AUROC",
        "ECE",
        "difference of the score",
    ];
    table(header, rows)
}

fn details(name: &str, evaluation: &Evaluation) -> String {
    let mut text = format!("{name}: efficiency {:.4}", evaluation.efficiency);
    for risk in &evaluation.risks {
        let _ = write!(text, ", F1 {} {}", word(risk.risk), figure(&risk.f1));
    }
    match &evaluation.calibration {
        Some(calibration) => {
            let _ = write!(text, ", Brier {:.4}", calibration.brier);
        }
        None => {
            let wrong = evaluation.not_probabilities;
            let _ = write!(
                text,
                "\n  {wrong} answer(s) do not sum to 1 or are negative: not probabilities, so there is no calibration.\n  \
                 Validators take answers as they are; end the graph with a softmax."
            );
        }
    }
    let rows = evaluation.classes.iter().map(|class| {
        [
            class.class.code().to_owned(),
            word(class.risk).to_owned(),
            class.support.to_string(),
            figure(&class.precision),
            figure(&class.recall),
            figure(&class.f1),
            optional(class.auroc),
        ]
    });
    let header = [
        "class",
        "risk",
        "images",
        "precision",
        "recall",
        "F1",
        "AUROC",
    ];
    let _ = write!(text, "\n{}", table(header, rows));
    let absent = evaluation.classes.iter().filter(|class| class.support == 0);
    let absent: Vec<&str> = absent.map(|class| class.class.code()).collect();
    if !absent.is_empty() {
        let absent = absent.join(", ");
        let _ = write!(
            text,
            "\n  no image shows {absent}: their F1 counts as 0 for every model, as at the validators"
        );
    }
    let codes = LesionClass::ALL.map(LesionClass::code);
    let header: [&str; 12] = std::array::from_fn(|at| {
        if at == 0 {
            "label \\ prediction"
        } else {
            codes[at - 1]
        }
    });
    let counts = codes.iter().zip(&evaluation.confusion).map(|(code, row)| {
        std::array::from_fn(|at| match at {
            0 => (*code).to_owned(),
            _ => row[at - 1].to_string(),
        })
    });
    let _ = write!(text, "\n{}", table::<12>(header, counts));
    text
}

/// Everything, for programs.
pub fn document(judged: &Judged, entries: &[Entry]) -> serde_json::Result<String> {
    serde_json::to_string(&session::document(json!({
        "competition": agon_arena::subnet::tricorder::NAME,
        "engine": judged.engine,
        "data": judged,
        "models": entries,
    })))
}

/// One line for each model, the same columns for all; what is not known is empty.
pub fn lines(entries: &[Entry]) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut header: Vec<String> = [
        "model",
        "digest",
        "outcome",
        "reason",
        "bytes",
        "efficiency",
    ]
    .map(str::to_owned)
    .into();
    for figure in ["score", "accuracy", "weighted_f1", "balanced_accuracy"] {
        header.extend(["", "_low", "_high"].map(|end| format!("{figure}{end}")));
    }
    header.extend(
        [
            "f1_high_risk",
            "f1_medium_risk",
            "f1_benign",
            "auroc",
            "ece",
            "brier",
        ]
        .map(str::to_owned),
    );
    for class in LesionClass::ALL.map(LesionClass::code) {
        header.extend(["precision", "recall", "f1", "auroc"].map(|f| format!("{f}_{class}")));
    }
    header.extend(
        [
            "score_difference",
            "score_difference_low",
            "score_difference_high",
            "p_value",
            "answers_p_value",
            "significant",
        ]
        .map(str::to_owned),
    );
    writer.write_record(&header)?;
    for entry in entries {
        let mut line = vec![
            entry.name.clone(),
            entry
                .digest
                .map_or(String::new(), |digest| digest.to_string()),
            entry.outcome.as_str().to_owned(),
            entry.reason.clone().unwrap_or_default(),
            entry.bytes.to_string(),
        ];
        let number = |value: f64| value.to_string();
        let known = |value: Option<f64>| value.map_or(String::new(), number);
        if let Some(e) = &entry.evaluation {
            line.push(number(e.efficiency));
            for f in [e.score, e.accuracy, e.weighted_f1, e.balanced_accuracy] {
                line.extend([f.value, f.interval.low, f.interval.high].map(number));
            }
            line.extend(e.risks.iter().map(|risk| number(risk.f1.value)));
            let calibration = e.calibration.as_ref();
            line.push(known(e.mean_auroc));
            line.push(known(calibration.map(|c| c.expected_error)));
            line.push(known(calibration.map(|c| c.brier)));
            for class in &e.classes {
                line.extend([class.precision, class.recall, class.f1].map(|f| number(f.value)));
                line.push(known(class.auroc));
            }
        }
        if let (Some(c), true) = (&entry.comparison, entry.evaluation.is_some()) {
            let d = c.score;
            line.extend([d.value, d.interval.low, d.interval.high, d.p_value].map(number));
            line.push(number(c.answers_p_value));
            line.push(c.significant.to_string());
        }
        line.resize(header.len(), String::new());
        writer.write_record(&line)?;
    }
    let text = String::from_utf8(writer.into_inner().map_err(|error| error.into_error())?)?;
    Ok(text.trim_end().to_owned())
}

/// A figure with its interval.
pub fn figure(figure: &Figure) -> String {
    let Figure { value, interval } = figure;
    format!("{value:.4} [{:.3}, {:.3}]", interval.low, interval.high)
}

/// A difference with its interval and p-value.
pub fn difference(difference: &Difference) -> String {
    let Difference {
        value,
        interval,
        p_value,
    } = difference;
    format!(
        "{value:+.4} [{:+.3}, {:+.3}] p={p_value:.4}",
        interval.low, interval.high
    )
}

/// A figure that may be unknown.
pub fn optional(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.4}"))
}

/// A share in percent.
pub fn percent(share: f64) -> String {
    format!("{}%", (share * 1000.0).round() / 10.0)
}

/// A size.
pub fn mebibytes(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / f64::from(1 << 20))
}

/// The word for a risk.
pub fn word(risk: Risk) -> &'static str {
    match risk {
        Risk::High => "high",
        Risk::Medium => "medium",
        Risk::Benign => "benign",
    }
}

//! `agon board`: what a validator saw, for whoever looks.

use super::ledger::records;
use super::session::{document, table};
use crate::args::Board;
use crate::failure::Failure;
use crate::printer::result;
use agon_arena::ledger::{Evaluation, Records};
use agon_arena::reward;
use agon_keys::AccountId;
use anyhow::anyhow;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::IsTerminal;

/// Show what was asked for.
pub async fn run(board: Board) -> Result<(), Failure> {
    let records = records(&board.place).await?;
    if !board.watch {
        return show(&board, &view(&board, &records).await?);
    }
    let mut shown = None;
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    loop {
        let view = view(&board, &records).await?;
        if shown.as_ref() != Some(&view) {
            // A terminal shows one board; a file keeps them all.
            if !board.json && std::io::stdout().is_terminal() {
                result("\x1b[2J\x1b[H")?;
            }
            show(&board, &view)?;
            shown = Some(view);
        }
        tokio::select! {
            _ = &mut interrupted => return Ok(()),
            () = tokio::time::sleep(board.interval) => {}
        }
    }
}

/// A submission in one round, as people and scripts see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Line {
    place: Option<usize>,
    round: u64,
    hotkey: AccountId,
    outcome: &'static str,
    score: f64,
    average: f64,
    share: f64,
    weight: u16,
    committed_block: u64,
    model: Option<String>,
    bytes: u64,
    processor_seconds: f64,
    figures: BTreeMap<String, f64>,
    reason: Option<String>,
    /// Where data are released: to which competition it was submitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    competition: Option<String>,
}

#[derive(Debug, PartialEq)]
struct View {
    competition: String,
    title: String,
    lines: Vec<Line>,
}

async fn view(board: &Board, records: &Records) -> Result<View, Failure> {
    let competition = records.scope().competition;
    let mut lines = Vec::new();
    let title = match board.hotkey {
        Some(hotkey) => {
            for row in records.history(hotkey, board.last as usize).await? {
                let round = round(records, row.round).await?.into_iter();
                let own = |line: &Line| line.hotkey == hotkey && line.round == row.round;
                lines.extend(round.filter(own));
            }
            if lines.is_empty() {
                return Err(Failure::user(anyhow!(
                    "{hotkey} has submitted nothing to {competition}"
                )));
            }
            format!("{competition}: {hotkey}")
        }
        None => {
            let number = match (board.round, records.last_round().await?) {
                (Some(number), _) => number,
                (None, Some((last, _))) => last.number,
                (None, None) => 0,
            };
            lines = round(records, number).await?;
            if lines.is_empty() && board.round.is_some() {
                return Err(Failure::user(anyhow!("round {number} has no submission")));
            }
            let round = records.rounds(number, number).await?.pop();
            let about = round.and_then(|(round, _)| round.agenda);
            let about = about.map_or(String::new(), |agenda| format!(": {agenda}"));
            format!("{competition}: round {number}{about}")
        }
    };
    Ok(View {
        competition,
        title,
        lines,
    })
}

/// The submissions of a round: by weight, then by score. Where data are released, those of the last release of each
/// competition until then, competition by competition.
async fn round(records: &Records, number: u64) -> Result<Vec<Line>, Failure> {
    let Some((round, progress)) = records.rounds(number, number).await?.pop() else {
        return Ok(Vec::new());
    };
    let mut contests: BTreeMap<Option<String>, Vec<u64>> = BTreeMap::new();
    for it in records.looked_at(number, reward::HISTORY).await? {
        let judged = it.agenda.as_ref().map(|agenda| agenda.judged());
        let contest = match (judged, &round.agenda) {
            (None, None) => None,
            (Some(Some(judged)), Some(_)) => Some(judged.to_owned()),
            _ => continue,
        };
        contests.entry(contest).or_default().push(it.number);
    }
    let signed = progress.signed.map(|(weights, _)| weights);
    let weights = signed.unwrap_or_default();
    let shares = progress.basis.map_or(BTreeMap::new(), |basis| basis.shares);
    let total: f64 = shares.values().sum();
    let mut all = Vec::new();
    for (contest, rounds) in contests {
        let mut scores: BTreeMap<AccountId, Vec<f64>> = BTreeMap::new();
        let mut rows: Vec<Evaluation> = Vec::new();
        for round in rounds {
            rows = records.evaluations(round).await?;
            for row in &rows {
                scores.entry(row.hotkey).or_default().push(row.score);
            }
        }
        let mut lines: Vec<Line> = rows
            .into_iter()
            .map(|row| Line {
                place: None,
                round: row.round,
                hotkey: row.hotkey,
                outcome: row.outcome.as_str(),
                score: row.score,
                average: reward::average(&scores[&row.hotkey]),
                share: shares.get(&row.hotkey).map_or(0.0, |share| share / total),
                weight: weights.get(&row.hotkey).copied().unwrap_or(0),
                committed_block: row.commit_block,
                model: row.artefact.map(|digest| digest.to_string()),
                bytes: row.bytes,
                processor_seconds: row.seconds,
                figures: row.metrics,
                reason: row.reason,
                competition: contest.clone(),
            })
            .collect();
        lines.sort_by(|a, b| {
            let by_score = b.score.total_cmp(&a.score);
            b.weight.cmp(&a.weight).then(by_score)
        });
        for (at, line) in lines.iter_mut().enumerate() {
            line.place = (line.weight > 0).then_some(at + 1);
        }
        all.extend(lines);
    }
    Ok(all)
}

fn show(board: &Board, view: &View) -> Result<(), Failure> {
    let text = if board.json {
        let document: Value = document(json!({
            "competition": view.competition,
            "submissions": view.lines,
        }));
        document.to_string()
    } else if board.csv {
        comma_separated(&view.lines)?
    } else {
        let rows = view.lines.iter().map(|line| {
            let short = |digest: &String| digest[..8].to_owned();
            [
                line.place.map_or("-".to_owned(), |place| place.to_string()),
                match &line.competition {
                    Some(competition) => format!("{} {competition}", line.round),
                    None => line.round.to_string(),
                },
                line.hotkey.to_string(),
                line.outcome.to_owned(),
                format!("{:.4}", line.score),
                format!("{:.4}", line.average),
                format!("{:.1} %", 100.0 * line.share),
                line.committed_block.to_string(),
                line.model.as_ref().map_or("-".to_owned(), short),
                line.reason.clone().unwrap_or_default(),
            ]
        });
        let header = [
            "place", "round", "hotkey", "outcome", "score", "average", "share", "block", "model",
            "reason",
        ];
        format!("{}\n{}", view.title, table(header, rows))
    };
    Ok(result(text.trim_end())?)
}

fn comma_separated(lines: &[Line]) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "place",
        "round",
        "hotkey",
        "outcome",
        "score",
        "average",
        "share",
        "weight",
        "committed_block",
        "model",
        "bytes",
        "processor_seconds",
        "reason",
        "competition",
    ])?;
    for line in lines {
        writer.write_record([
            line.place.map_or(String::new(), |place| place.to_string()),
            line.round.to_string(),
            line.hotkey.to_string(),
            line.outcome.to_owned(),
            line.score.to_string(),
            line.average.to_string(),
            line.share.to_string(),
            line.weight.to_string(),
            line.committed_block.to_string(),
            line.model.clone().unwrap_or_default(),
            line.bytes.to_string(),
            line.processor_seconds.to_string(),
            line.reason.clone().unwrap_or_default(),
            line.competition.clone().unwrap_or_default(),
        ])?;
    }
    let bytes = writer.into_inner().map_err(|error| anyhow!("{error}"))?;
    Ok(String::from_utf8(bytes).map_err(|error| anyhow!("{error}"))?)
}

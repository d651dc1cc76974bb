//! `agon ledger`: a validator's weights made again, its past handed on, two validators compared.

use super::session::{document, table};
use crate::args::{CompareLedgers, ExportLedger, Ledger, LedgerPlace, LedgerVerb, Replay};
use crate::failure::Failure;
use crate::files::write_private;
use crate::printer::result;
use agon_arena::incentive::Incentive;
use agon_arena::ledger::Records;
use agon_arena::replay::{compare, replay};
use agon_arena::reward::Scoring;
use agon_arena::seed::SampleSource;
use agon_arena::{snapshot, subnet};
use agon_model::digest::Digest;
use anyhow::{Context, anyhow};
use serde_json::json;
use std::path::Path;

/// Run one verb.
pub async fn run(arguments: Ledger) -> Result<(), Failure> {
    match arguments.verb {
        LedgerVerb::Replay(arguments) => again(arguments).await,
        LedgerVerb::Export(arguments) => export(arguments).await,
        LedgerVerb::Compare(arguments) => hold_against(arguments).await,
    }
}

/// The ledger that is meant.
pub async fn records(place: &LedgerPlace) -> Result<Records, Failure> {
    of(&place.ledger, place.competition.as_deref()).await
}

async fn of(directory: &Path, competition: Option<&str>) -> Result<Records, Failure> {
    Records::open(directory, competition)
        .await
        .map_err(Failure::user)
}

/// How a competition pays; how far it looks back does not depend on the scoring.
fn rules(name: &str, scoring: Scoring) -> Result<Box<dyn Incentive>, Failure> {
    subnet::rules(name, scoring)
        .ok_or_else(|| Failure::user(anyhow!("there is no competition {name:?}")))
}

async fn again(arguments: Replay) -> Result<(), Failure> {
    let records = records(&arguments.place).await?;
    let name = records.scope().competition;
    let competition = rules(&name, arguments.scoring.into())?;
    let source = arguments
        .seed
        .map_or(SampleSource::Chain, SampleSource::Fixed);
    let rounds = replay(&records, competition.as_ref(), source).await?;
    let differing = rounds
        .iter()
        .filter(|round| round.disagreement.is_some())
        .count();
    match arguments.json {
        true => result(&document(json!({"competition": name, "rounds": rounds})).to_string())?,
        false => {
            let rows = rounds.iter().map(|round| {
                [
                    round.round.to_string(),
                    round.evaluations.to_string(),
                    round.weights.len().to_string(),
                    round
                        .disagreement
                        .clone()
                        .unwrap_or_else(|| "agrees".to_owned()),
                ]
            });
            result(&table(
                ["round", "submissions", "weights", "made again"],
                rows,
            ))?;
        }
    }
    match differing {
        0 => Ok(()),
        _ => Err(anyhow!("the weights of {differing} rounds do not follow from their rows").into()),
    }
}

async fn export(arguments: ExportLedger) -> Result<(), Failure> {
    let records = records(&arguments.place).await?;
    let path = &arguments.output;
    if path.exists() {
        return Err(Failure::user(anyhow!("{} exists already", path.display())));
    }
    let name = records.scope().competition;
    let history = rules(&name, Scoring::Original)?.history();
    let bytes = snapshot::export(&records, history).await?;
    write_private(path, &bytes)
        .with_context(|| format!("cannot write {}", path.display()))
        .map_err(Failure::User)?;
    let digest = Digest::of(&bytes);
    match arguments.json {
        true => result(
            &document(json!({"file": path, "bytes": bytes.len(), "sha256": digest.to_string()}))
                .to_string(),
        )?,
        false => result(&format!(
            "{} ({} bytes, SHA-256 {digest}): for validators only, it may tell labels",
            path.display(),
            bytes.len()
        ))?,
    }
    Ok(())
}

async fn hold_against(arguments: CompareLedgers) -> Result<(), Failure> {
    let competition = arguments.competition.as_deref();
    let one = of(&arguments.one, competition).await?;
    let other = of(&arguments.other, competition).await?;
    if one.scope() != other.scope() {
        return Err(Failure::user(anyhow!(
            "the ledgers are of {} and {}, on chains {} and {}",
            one.scope().competition,
            other.scope().competition,
            one.scope().genesis,
            other.scope().genesis
        )));
    }
    let (rounds, found) = compare(&one, &other).await?;
    match (arguments.json, &found) {
        (true, _) => {
            result(&document(json!({"rounds": rounds, "disagreement": found})).to_string())?
        }
        (false, None) => result(&format!("{rounds} rounds are the same in both"))?,
        (false, Some(_)) => {}
    }
    match found {
        None => Ok(()),
        Some(found) => {
            let whose = found
                .hotkey
                .map_or(String::new(), |hotkey| format!(" of {hotkey}"));
            Err(anyhow!(
                "the {}{whose} differs in the round of epoch {}: {} here, {} there",
                found.field,
                found.epoch,
                found.one,
                found.other
            )
            .into())
        }
    }
}

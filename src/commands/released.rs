//! Judging on what is released, as it is typed.

use crate::args::{JudgingData, ReleasedData};
use crate::failure::Failure;
use crate::printer::say;
use agon_arena::competition::Competition;
use agon_arena::release::{Configuration, Origin, Release, ReleaseError, Releases};
use agon_arena::reward::Scoring;
use agon_arena::subnet::tricorder::{Tricorder, archive};
use agon_arena::validator::{Models, Released, Task};
use agon_dataset::source::{Access, Patience};
use agon_neuron::{ChainClient, Deadlines};
use anyhow::anyhow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// How the competition pays, without anything to judge with.
pub fn rules(judging: &JudgingData) -> Arc<dyn Competition> {
    let competition = Tricorder::new(Vec::new(), 0).with_engine(judging.running.engine());
    Arc::new(competition.with_scoring(judging.scoring.into()))
}

/// Judging what is released. `kept` is where archives are kept if nothing else is said.
pub async fn task(
    data: &ReleasedData,
    judging: &JudgingData,
    models: Models,
    kept: PathBuf,
    client: &ChainClient,
) -> Result<Task, Failure> {
    let origin = match &data.local {
        Some(directory) => Origin::Local(directory.clone()),
        None => Origin::Hub {
            repository: data.repository.clone(),
            access: Box::new(access()?),
            patience: Patience::default(),
        },
    };
    // What is wrong here is told before the first round waits for it.
    if let Origin::Local(_) = &origin {
        let configuration =
            Configuration::read(&origin, &data.competitions, &AtomicBool::new(false));
        let configuration = configuration.map_err(Failure::user)?;
        for problem in &configuration.problems {
            say(&format!("left out: {problem}"));
        }
        say(&format!(
            "{} archives are released, for {} competitions with a weight",
            configuration.offers.len(),
            configuration.weights.len()
        ));
    }
    let kept = data.kept.clone().unwrap_or(kept);
    let releases = releases(origin, data.competitions.clone(), kept, judging);
    let cutoff = Duration::from_secs(60 * data.cutoff);
    let archive = archive_node(data, client).await?;
    let released = Released::new(models, releases, cutoff, archive);
    Ok(Task::Released(Box::new(released)))
}

/// What a release was judged with, if it is kept.
pub async fn again(
    release: &Release,
    judging: &JudgingData,
    kept: PathBuf,
) -> Result<Arc<dyn Competition>, Failure> {
    if let Some(reason) = &release.cancelled {
        return Err(Failure::user(anyhow!("nobody was judged: {reason}")));
    }
    // What is not kept is not looked for.
    let nowhere = Origin::Local(kept.clone());
    let releases = releases(nowhere, Vec::new(), kept.clone(), judging);
    let of = release.clone();
    let again = move || releases.again(&of, &|_, _| {}, &AtomicBool::new(false));
    let again = tokio::task::spawn_blocking(again).await?;
    again.map_err(|error| match error {
        ReleaseError::Io { .. } => Failure::user(error),
        _ => Failure::user(anyhow!(
            "{} is not kept in {}",
            release.file,
            kept.display()
        )),
    })
}

fn releases(origin: Origin, only: Vec<String>, kept: PathBuf, judging: &JudgingData) -> Releases {
    let scoring: Scoring = judging.scoring.into();
    let engine = judging.running.engine();
    let sample = judging.sample.map(|sample| sample as usize);
    Releases {
        origin,
        kept,
        only,
        read: Box::new(move |directory, progress| {
            archive::read(directory, scoring, engine, sample, progress)
        }),
    }
}

/// The node that is asked for old states.
async fn archive_node(data: &ReleasedData, client: &ChainClient) -> Result<ChainClient, Failure> {
    let Some(url) = &data.archive else {
        return Ok(client.clone());
    };
    let urls = [Some(url), data.archive_fallback.as_ref()];
    let urls = urls.into_iter().flatten().cloned().collect();
    let archive = ChainClient::connect_any(urls, Deadlines::default()).await;
    let archive = archive.map_err(Failure::user)?;
    match archive.genesis_hash() == client.genesis_hash() {
        true => Ok(archive),
        false => Err(Failure::user(anyhow!("{url} is a node of another chain"))),
    }
}

fn access() -> Result<Access, Failure> {
    let home = std::env::home_dir();
    let variable = |name: &str| std::env::var(name).ok();
    Access::from_environment(&variable, home.as_deref()).map_err(Failure::user)
}

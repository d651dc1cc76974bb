//! Evidence from models that were committed long enough before the data they are judged on was released.
//!
//! A round judges the oldest release that is due at its cut-off. One that finds nothing new judges nobody: its weights
//! come from what was before, so that a validator stays active between two releases.

use super::{Bench, Models, ValidatorError};
use crate::competition::Competition;
use crate::event::{Event, Events};
use crate::ledger::Records;
use crate::release::{Agenda, Brought, Offer, Release, ReleaseError, Releases};
use crate::roster::{self, Entry, Rules};
use crate::stop::Stop;
use agon_neuron::{ChainClient, ChainState, ReadError};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Judges models on what is released.
pub struct Released {
    pub(super) models: Models,
    releases: Arc<Releases>,
    cutoff: Duration,
    archive: ChainClient,
    /// What the open round is judged with, if it was made already.
    open: Mutex<Option<(Release, Arc<dyn Competition>)>>,
}

impl Released {
    /// `models` says how models are judged, and its competition, which needs no data, how it pays. A commitment counts for
    /// what is released at least `cutoff` after its block. `archive` is a node that keeps old states: who commits again
    /// does not lose the earlier commitment where it is one.
    pub fn new(models: Models, releases: Releases, cutoff: Duration, archive: ChainClient) -> Self {
        Self {
            models,
            releases: Arc::new(releases),
            cutoff,
            archive,
            open: Mutex::default(),
        }
    }

    /// What a round with this cut-off is about; nothing where there is neither a release nor a past.
    pub(super) async fn agenda(
        &self,
        state: &ChainState,
        records: &Records,
        events: &Events,
    ) -> Result<Option<Agenda>, ValidatorError> {
        let rounds = records.all_rounds().await?;
        let agendas = rounds.into_iter().filter_map(|(round, _)| round.agenda);
        let past: Vec<Release> = agendas.filter_map(|agenda| agenda.release).collect();
        let now = state.time().await?.as_secs();
        let (releases, events) = (self.releases.clone(), events.clone());
        let (weights, due, is_first) = blocking(move |stop| {
            let configuration = releases.configuration(stop)?;
            for problem in &configuration.problems {
                tracing::warn!(problem, "a part of the configuration is left out");
            }
            let due = configuration.due(&past, now);
            let due = due.map(|offer| {
                let what = offer.file.clone();
                events.emit(&Event::Waiting { what });
                let brought =
                    releases.bring(offer, &|done, total| loading(&events, done, total), stop);
                Ok((offer.clone(), brought?))
            });
            Ok((
                configuration.weights.clone(),
                due.transpose()?,
                past.is_empty(),
            ))
        })
        .await?;
        let release = match due {
            None if is_first => return Ok(None),
            None => None,
            Some((offer, brought)) => Some(self.release(state, offer, brought).await?),
        };
        Ok(Some(Agenda { weights, release }))
    }

    /// What is written down of a release that was brought here.
    async fn release(
        &self,
        state: &ChainState,
        offer: Offer,
        brought: Brought,
    ) -> Result<Release, ReadError> {
        let deadline = Duration::from_secs(offer.released).saturating_sub(self.cutoff);
        let reading = brought.reading;
        let release = Release {
            competition: offer.competition,
            organization: offer.organization,
            file: offer.file,
            digest: brought.digest,
            released: offer.released,
            last_block: state.last_block_at(deadline).await?,
            samples: reading.samples,
            dropped: reading.dropped,
            cancelled: reading.competition.as_ref().err().cloned(),
        };
        if let Ok(competition) = reading.competition {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            *open = Some((release.clone(), competition));
        }
        Ok(release)
    }

    /// What a release is judged with: as it was opened, or opened again after a new start.
    async fn competition(
        &self,
        release: &Release,
        events: &Events,
    ) -> Result<Arc<dyn Competition>, ValidatorError> {
        let open = {
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.clone()
        };
        if let Some((opened, competition)) = open
            && opened == *release
        {
            return Ok(competition);
        }
        let (releases, of) = (self.releases.clone(), release.clone());
        let events = events.clone();
        let again = move |stop: &AtomicBool| {
            releases.again(&of, &|done, total| loading(&events, done, total), stop)
        };
        let competition = blocking(again).await?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        *open = Some((release.clone(), competition.clone()));
        Ok(competition)
    }

    /// Who takes part in a release.
    async fn entries(
        &self,
        bench: &Bench<'_>,
        agenda: &Agenda,
        release: &Release,
    ) -> Result<Vec<Entry>, ReadError> {
        let others = agenda.weights.keys();
        let others = others.filter(|other| **other != release.competition);
        let rules = Rules {
            competition: &release.competition,
            others: &others.cloned().collect::<Vec<String>>(),
            forms: self.models.competition.forms(),
            stake_limit: bench.stake_limit,
        };
        roster::read_until(
            &bench.state,
            bench.netuid,
            rules,
            release.last_block,
            &self.archive,
        )
        .await
    }

    /// Judge every submission to the round's release that has no row yet.
    pub(super) async fn judge(&self, bench: &mut Bench<'_>) -> Result<(), ValidatorError> {
        let agenda = bench.round.agenda.clone().unwrap_or_default();
        let release = agenda.release.as_ref();
        let Some(release) = release.filter(|release| release.cancelled.is_none()) else {
            return Ok(());
        };
        let entries = self.entries(bench, &agenda, release).await?;
        let models = Models {
            competition: self.competition(release, bench.events).await?,
            ..self.models.clone()
        };
        models.judge_all(bench, &entries).await
    }
}

fn loading(events: &Events, done: usize, total: usize) {
    events.emit(&Event::Loading { done, total });
}

/// Does what takes long on another thread, and tells it to stop when nobody waits any more.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce(&AtomicBool) -> Result<T, ReleaseError> + Send + 'static,
) -> Result<T, ValidatorError> {
    let stop = Stop::default();
    let told = stop.flag();
    let done = tokio::task::spawn_blocking(move || work(&told)).await;
    match done {
        Ok(done) => Ok(done?),
        Err(error) => Err(ReleaseError::Unavailable(format!("work was lost: {error}")).into()),
    }
}

//! Whether those who take part are at work: what `/health` and `/metrics` answer on a port of this machine.
//!
//! It only listens: to the events of the participants and to the chain. It refuses to judge by the process alone: one
//! that runs and does nothing is what a supervisor cannot see.

use crate::args::Watching;
use crate::commands::session::document;
use crate::failure::Failure;
use crate::printer::Printer;
use agon_arena::event::Event;
use agon_model::digest::Digest;
use agon_neuron::ChainClient;
use agon_neuron::axon::{AxonService, Connections, Server, serve as serve_http};
use anyhow::Context;
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode, header};
use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde::Serialize;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::time::sleep;

/// A chain that makes no block for so many times its block time, and no shorter than this, is not followed.
const MISSED_BLOCKS: u32 = 10;
const LEAST_SILENCE: Duration = Duration::from_secs(60);
/// The longest that somebody at work may say nothing, and that a model may stay uncommitted. One model may be judged for
/// half an hour.
const LONGEST_WORK: Duration = Duration::from_secs(3600);
/// How long to wait before a chain that was lost is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How often what metrics gather is put together.
const UPKEEP: Duration = Duration::from_secs(5);

const EVENTS: &str = "agon_events_total";
const JUDGED: &str = "agon_submissions_judged_total";
const ROUND: &str = "agon_round";
const EPOCH: &str = "agon_training_epoch";
const COMMITTED: &str = "agon_committed_block";
const REACHABLE: &str = "agon_chain_reachable";
const BLOCK: &str = "agon_chain_block";
const BLOCK_AGE: &str = "agon_chain_block_age_seconds";
const STUCK: &str = "agon_stuck";

/// What is known of everybody who takes part in this process.
pub struct Health {
    known: Mutex<Known>,
    metrics: PrometheusHandle,
}

#[derive(Default)]
struct Known {
    participants: BTreeMap<String, Participant>,
    chain: Option<Chain>,
    /// Whether the chain answered when it was asked last.
    is_reachable: Option<bool>,
    server: Option<AxonService>,
}

/// The chain as it is followed.
struct Chain {
    block: u64,
    seen: Instant,
    block_time: Duration,
}

/// One who takes part, after the last event.
struct Participant {
    round: Option<u64>,
    epoch: Option<usize>,
    commitment: Option<Commitment>,
    trouble: Option<Trouble>,
    event: String,
    seen: Instant,
    at: SystemTime,
    at_work: bool,
}

/// What stands on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Commitment {
    /// SHA-256 of the file.
    digest: Digest,
    /// The block that holds it.
    block: u64,
}

/// Why a model is not committed.
struct Trouble {
    since: Instant,
    reason: String,
}

/// The answer to `/health`.
#[derive(Debug, Serialize)]
struct Report {
    /// It answers.
    alive: bool,
    /// Somebody does not get on, or the chain does not.
    stuck: bool,
    /// Who or what, and since when.
    reasons: Vec<String>,
    /// The newest block seen.
    block: Option<u64>,
    block_age_seconds: Option<f64>,
    /// Whether the chain answered when it was asked last.
    chain_reachable: Option<bool>,
    /// Of a server of this process.
    #[serde(skip_serializing_if = "Option::is_none")]
    questions: Option<Questions>,
    participants: Vec<ParticipantReport>,
}

/// What became of the questions to a server.
#[derive(Debug, Serialize)]
struct Questions {
    answered: u64,
    /// For whatever reason.
    refused: u64,
}

#[derive(Debug, Serialize)]
struct ParticipantReport {
    name: String,
    /// The round it is in, or was in last.
    round: Option<u64>,
    /// The last whole epoch of its training.
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<usize>,
    /// What it has committed to last.
    #[serde(skip_serializing_if = "Option::is_none")]
    commitment: Option<Commitment>,
    /// Why it has not committed to what is newer.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_committed: Option<String>,
    last_event: String,
    /// When, in seconds since 1970.
    last_event_at: u64,
    stuck: bool,
}

impl Health {
    /// Begin to listen. Metrics are of the whole process, so there is one of these in it.
    pub fn start() -> Result<Arc<Self>, Failure> {
        let metrics = PrometheusBuilder::new()
            .install_recorder()
            .context("metrics")?;
        describe_counter!(EVENTS, "Events of a participant, by kind");
        describe_counter!(JUDGED, "Submissions a validator has dealt with, by outcome");
        describe_gauge!(ROUND, "The round a participant is in");
        describe_gauge!(EPOCH, "The last whole epoch of a participant's training");
        describe_gauge!(COMMITTED, "The block of a participant's last commitment");
        describe_gauge!(
            REACHABLE,
            "1 where the chain answered when it was asked last"
        );
        describe_gauge!(BLOCK, "The newest final block seen");
        describe_gauge!(BLOCK_AGE, Unit::Seconds, "Since when no newer one is seen");
        describe_gauge!(STUCK, "1 where somebody or the chain does not get on");
        Ok(Arc::new(Self {
            known: Mutex::default(),
            metrics,
        }))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hear an event.
    pub fn observe(&self, who: &str, event: &Event) {
        counter!(EVENTS, "who" => who.to_owned(), "event" => kind(event)).increment(1);
        if let Event::Evaluated(row) = event {
            let outcome = row.outcome.as_str();
            counter!(JUDGED, "who" => who.to_owned(), "outcome" => outcome).increment(1);
        }
        if let Some(round) = round(event) {
            gauge!(ROUND, "who" => who.to_owned()).set(round as f64);
        }
        match event {
            Event::TrainingEpoch { epoch, .. } => {
                gauge!(EPOCH, "who" => who.to_owned()).set(*epoch as f64);
            }
            Event::Committed { block, .. } => {
                gauge!(COMMITTED, "who" => who.to_owned()).set(*block as f64);
            }
            _ => {}
        }
        self.known().observe(who, event, Instant::now());
    }

    /// Count what a server answers and refuses.
    pub fn count(&self, server: &AxonService) {
        self.known().server = Some(server.clone());
    }

    /// Follow a chain for ever, whatever becomes of the connection.
    pub async fn follow(self: Arc<Self>, client: ChainClient) {
        let mut next = 0;
        loop {
            let seen = async {
                let state = client.wait_for_block(next).await?;
                Ok::<_, agon_neuron::ReadError>((state.number(), state.block_time().await?))
            };
            let seen = seen.await;
            self.known().is_reachable = Some(seen.is_ok());
            match seen {
                Ok((block, block_time)) => {
                    next = block + 1;
                    let seen = Instant::now();
                    self.known().chain = Some(Chain {
                        block,
                        seen,
                        block_time,
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "the chain does not answer");
                    sleep(ASK_AGAIN).await;
                }
            }
        }
    }

    fn answer(&self, method: &Method, path: &str) -> Response<String> {
        let of = |status, kind: &'static str, body| {
            let mut response = Response::new(body);
            *response.status_mut() = status;
            let kind = header::HeaderValue::from_static(kind);
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        };
        let text = "text/plain; charset=utf-8";
        if !matches!(*method, Method::GET | Method::HEAD) {
            return of(StatusCode::METHOD_NOT_ALLOWED, text, String::new());
        }
        let report = self.known().report(Instant::now());
        match path {
            "/health" => {
                let status = match report.stuck {
                    true => StatusCode::SERVICE_UNAVAILABLE,
                    false => StatusCode::OK,
                };
                let fields = serde_json::to_value(report).unwrap_or_default();
                of(status, "application/json", document(fields).to_string())
            }
            "/metrics" => {
                let number = |yes: bool| if yes { 1.0 } else { 0.0 };
                gauge!(STUCK).set(number(report.stuck));
                if let Some(reachable) = report.chain_reachable {
                    gauge!(REACHABLE).set(number(reachable));
                }
                if let (Some(block), Some(age)) = (report.block, report.block_age_seconds) {
                    gauge!(BLOCK).set(block as f64);
                    gauge!(BLOCK_AGE).set(age);
                }
                let kind = "text/plain; version=0.0.4; charset=utf-8";
                of(StatusCode::OK, kind, self.metrics.render())
            }
            _ => {
                let body = "there are /health and /metrics\n".to_owned();
                of(StatusCode::NOT_FOUND, text, body)
            }
        }
    }
}

impl Known {
    fn observe(&mut self, who: &str, event: &Event, now: Instant) {
        let before = self.participants.remove(who);
        let heard = Participant::after(event, before, now);
        self.participants.insert(who.to_owned(), heard);
    }

    fn report(&self, now: Instant) -> Report {
        let mut reasons = Vec::new();
        let mut participants = Vec::new();
        for (name, known) in &self.participants {
            let silent = now.saturating_duration_since(known.seen);
            let mut stuck = known.at_work && silent > LONGEST_WORK;
            if stuck {
                reasons.push(format!(
                    "{name} is at work and has said nothing for {} minutes since {}",
                    silent.as_secs() / 60,
                    known.event
                ));
            }
            let trouble = known.trouble.as_ref();
            if let Some(trouble) = trouble {
                let lasting = now.saturating_duration_since(trouble.since);
                if lasting > LONGEST_WORK {
                    stuck = true;
                    reasons.push(format!(
                        "{name} could not commit for {} minutes: {}",
                        lasting.as_secs() / 60,
                        trouble.reason
                    ));
                }
            }
            let at = known.at.duration_since(UNIX_EPOCH);
            participants.push(ParticipantReport {
                name: name.clone(),
                round: known.round,
                epoch: known.epoch,
                commitment: known.commitment,
                not_committed: trouble.map(|trouble| trouble.reason.clone()),
                last_event: known.event.clone(),
                last_event_at: at.map_or(0, |at| at.as_secs()),
                stuck,
            });
        }
        let age = |chain: &Chain| now.saturating_duration_since(chain.seen);
        if let Some(chain) = &self.chain {
            let silence = (chain.block_time * MISSED_BLOCKS).max(LEAST_SILENCE);
            if age(chain) > silence {
                reasons.push(format!(
                    "no block after {} for {} seconds",
                    chain.block,
                    age(chain).as_secs()
                ));
            }
        }
        Report {
            alive: true,
            stuck: !reasons.is_empty(),
            reasons,
            block: self.chain.as_ref().map(|chain| chain.block),
            block_age_seconds: self.chain.as_ref().map(|chain| age(chain).as_secs_f64()),
            chain_reachable: self.is_reachable,
            questions: self.server.as_ref().map(|server| {
                let (answered, refused) = server.tally();
                Questions { answered, refused }
            }),
            participants,
        }
    }
}

impl Participant {
    /// What is known after an event.
    fn after(event: &Event, before: Option<Self>, now: Instant) -> Self {
        let mut known = before.unwrap_or(Self {
            round: None,
            epoch: None,
            commitment: None,
            trouble: None,
            event: String::new(),
            seen: now,
            at: SystemTime::now(),
            at_work: false,
        });
        known.round = round(event).or(known.round);
        match event {
            Event::TrainingEpoch { epoch, .. } => known.epoch = Some(*epoch),
            Event::Committed { digest, block } => {
                let (digest, block) = (*digest, *block);
                known.commitment = Some(Commitment { digest, block });
                known.trouble = None;
            }
            Event::NotCommitted { reason } => {
                // It lasts since the first time.
                let since = known.trouble.map_or(now, |trouble| trouble.since);
                let reason = reason.clone();
                known.trouble = Some(Trouble { since, reason });
            }
            _ => {}
        }
        Self {
            event: kind(event),
            seen: now,
            at: SystemTime::now(),
            at_work: is_work(event),
            ..known
        }
    }
}

/// The name of an event's kind, as it stands in journals.
fn kind(event: &Event) -> String {
    let written = serde_json::to_value(event).unwrap_or_default();
    written["event"].as_str().unwrap_or("unknown").to_owned()
}

/// The round that an event belongs to.
fn round(event: &Event) -> Option<u64> {
    match event {
        Event::RoundOpened(round) => Some(round.number),
        Event::Evaluated(row) => Some(row.round),
        Event::WeightsSigned { round, .. }
        | Event::WeightsSet { round, .. }
        | Event::Abstained { round }
        | Event::RoundPaid { round, .. } => Some(*round),
        _ => None,
    }
}

/// Whether somebody who has said this goes on working by themselves; else they wait for others, or are done.
fn is_work(event: &Event) -> bool {
    match event {
        Event::Loading { done, total } => done < total,
        Event::TrainingStep { .. }
        | Event::TrainingEpoch { .. }
        | Event::Trained { .. }
        | Event::SelfJudged { .. }
        | Event::Published { .. }
        | Event::Uploading { .. }
        | Event::Committing { .. }
        | Event::SandboxDegraded { .. }
        | Event::RoundOpened(_)
        | Event::RoundFull { .. }
        | Event::Evaluated(_)
        | Event::WeightsSigned { .. } => true,
        _ => false,
    }
}

/// Where the health of this process is served, if it is to be.
pub struct Watched {
    /// What is known.
    pub health: Arc<Health>,
    /// It ends when this is dropped.
    server: Server,
}

impl Watched {
    /// Serve what is asked for on a port of this machine, and say where. One that is taken is the user's mistake.
    pub async fn start(watching: &Watching, printer: &Printer) -> Result<Option<Self>, Failure> {
        let Some(port) = watching.health_port else {
            return Ok(None);
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot serve the health on {address} (--health.port)"))
            .map_err(Failure::User)?;
        let health = Health::start()?;
        tokio::spawn({
            let metrics = health.metrics.clone();
            async move {
                loop {
                    sleep(UPKEEP).await;
                    metrics.run_upkeep();
                }
            }
        });
        let asked = health.clone();
        let service = tower::service_fn(move |request: Request<Incoming>| {
            let answer = asked.answer(request.method(), request.uri().path());
            async move { Ok::<_, Infallible>(answer) }
        });
        let server = serve_http(listener, service, Connections::default(), None)?;
        let watched = Self { health, server };
        printer.say(&format!("health at {}", watched.url()));
        Ok(Some(watched))
    }

    /// Follow a chain as long as this process lasts.
    pub fn follow(&self, client: &ChainClient) {
        tokio::spawn(self.health.clone().follow(client.clone()));
    }

    /// Where it is served.
    fn url(&self) -> String {
        format!("http://{}/health", self.server.address())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn known() -> (Known, Instant) {
        (Known::default(), Instant::now())
    }

    #[test]
    fn who_waits_is_not_stuck_and_who_works_and_is_silent_is() {
        let (mut known, begun) = known();
        let what = "an epoch".to_owned();
        known.observe("a", &Event::Waiting { what }, begun);
        let end = Event::RoundPaid { round: 7, block: 9 };
        known.observe("b", &end, begun);
        let later = begun + LONGEST_WORK + SECOND;
        assert!(!known.report(later).stuck);
        let step = Event::Published {
            digest: "11".repeat(32).parse().unwrap(),
            bytes: 1,
        };
        known.observe("b", &step, begun);
        assert!(!known.report(begun + LONGEST_WORK).stuck);
        let report = known.report(later);
        assert!(report.stuck && report.reasons[0].starts_with("b is at work"));
        let rounds: Vec<_> = report.participants.iter().map(|one| one.round).collect();
        assert_eq!(rounds, [None, Some(7)], "the round outlives the next event");
        let stuck: Vec<_> = report.participants.iter().map(|one| one.stuck).collect();
        assert_eq!(stuck, [false, true]);
    }

    #[test]
    fn a_model_that_stays_uncommitted_is_told_and_in_the_end_stuck() {
        let (mut known, begun) = known();
        let digest: Digest = "11".repeat(32).parse().unwrap();
        let fails = |reason: &str| Event::NotCommitted {
            reason: reason.to_owned(),
        };
        let epoch = Event::TrainingEpoch {
            epoch: 3,
            epochs: 9,
            loss: 1.0,
            score: 0.5,
            best: 0.5,
        };
        known.observe("a", &epoch, begun);
        known.observe("a", &Event::Committed { digest, block: 5 }, begun);
        known.observe("a", &fails("no Hub"), begun + SECOND);
        // What is tried again meanwhile is no end of the trouble.
        known.observe("a", &Event::Committing { digest }, begun + LONGEST_WORK);
        known.observe("a", &fails("no chain"), begun + LONGEST_WORK);
        let report = known.report(begun + LONGEST_WORK);
        assert!(!report.stuck);
        let told = &report.participants[0];
        assert_eq!(told.commitment, Some(Commitment { digest, block: 5 }));
        let told = (told.epoch, told.not_committed.as_deref());
        assert_eq!(told, (Some(3), Some("no chain")));
        let later = begun + LONGEST_WORK + SECOND * 2;
        let reasons = known.report(later).reasons;
        assert_eq!(reasons, ["a could not commit for 60 minutes: no chain"]);
        known.observe("a", &Event::Committed { digest, block: 6 }, later);
        let report = known.report(later);
        assert!(!report.stuck && report.participants[0].not_committed.is_none());
    }

    #[test]
    fn a_chain_without_new_blocks_is_stuck_after_ten_block_times() {
        let (mut known, begun) = known();
        assert!(!known.report(begun).stuck, "it is not followed yet");
        let chain = |block_time| Chain {
            block: 5,
            seen: begun,
            block_time,
        };
        known.chain = Some(chain(12 * SECOND));
        assert!(!known.report(begun + 120 * SECOND).stuck);
        assert!(known.report(begun + 121 * SECOND).stuck);
        known.chain = Some(chain(SECOND / 4));
        assert!(!known.report(begun + LEAST_SILENCE).stuck);
        let report = known.report(begun + LEAST_SILENCE + SECOND);
        assert_eq!(report.reasons, ["no block after 5 for 61 seconds"]);
        assert_eq!(report.block, Some(5));
    }

    #[test]
    fn a_finished_load_is_no_work() {
        let load = |done| is_work(&Event::Loading { done, total: 2 });
        assert!(load(1) && !load(2));
        let what = String::new();
        assert_eq!(kind(&Event::Waiting { what }), "waiting");
    }
}

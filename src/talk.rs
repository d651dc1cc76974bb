//! Events as people read them: one line each, bars for long work, everything in the log.

use crate::printer::Printer;
use agon_arena::event::Event;
use agon_keys::AccountId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Tells events to the terminal and to the log.
#[derive(Clone)]
pub struct Talk {
    printer: Arc<Printer>,
    names: Arc<Mutex<BTreeMap<AccountId, String>>>,
}

impl Talk {
    /// Talk through a printer.
    pub fn new(printer: Arc<Printer>) -> Self {
        Self {
            printer,
            names: Arc::default(),
        }
    }

    /// Call hotkeys by these names.
    pub fn introduce(&self, known: impl IntoIterator<Item = (AccountId, String)>) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.extend(known);
    }

    fn name(&self, hotkey: &AccountId) -> String {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names
            .get(hotkey)
            .cloned()
            .unwrap_or_else(|| hotkey.to_string())
    }

    /// Show and log one event.
    pub fn tell(&self, who: &str, event: &Event) {
        match event {
            Event::Loading { done, total } => {
                let bar = format!("{who}: images");
                return self
                    .printer
                    .progress(&bar, *done as u64, *total as u64, String::new());
            }
            Event::TrainingStep { step, steps, loss } => {
                let message = format!("loss {loss:.3}");
                let bar = format!("{who}: steps");
                return self
                    .printer
                    .progress(&bar, *step as u64, *steps as u64, message);
            }
            _ => {}
        }
        let event_json = serde_json::to_string(event).unwrap_or_default();
        tracing::info!(who, event = event_json, "event");
        let line = self.line(event);
        self.printer.say(&format!("{who:>12}  {line}"));
    }

    fn line(&self, event: &Event) -> String {
        match event {
            Event::ChainStarted { url, block, .. } if *block == 0 => {
                format!("a new chain listens at {url}")
            }
            Event::ChainStarted { url, block, .. } => {
                format!("continues at block {block}, listening at {url}")
            }
            Event::SubnetReady { netuid, name } => format!("subnet {netuid} runs {name}"),
            Event::Registered { hotkey, uid } => {
                format!("{} has uid {uid} ({hotkey})", self.name(hotkey))
            }
            Event::Staked { hotkey, rao } => {
                let tao = *rao as f64 / agon_neuron::TAO as f64;
                format!("{} carries a stake of {tao:.2}", self.name(hotkey))
            }
            Event::Loading { done, total } => format!("{done} of {total} images"),
            Event::TrainingStep { step, steps, loss } => {
                format!("step {step} of {steps}, loss {loss:.3}")
            }
            Event::TrainingEpoch {
                epoch,
                epochs,
                loss,
                score,
                best,
            } => {
                format!("epoch {epoch}/{epochs}: loss {loss:.4}, score {score:.4} (best {best:.4})")
            }
            Event::Trained {
                digest,
                bytes,
                score,
            } => format!(
                "trained {}: {:.2} MiB, score {score:.4} on its own part",
                &digest.to_string()[..8],
                *bytes as f64 / f64::from(1 << 20)
            ),
            Event::SelfJudged {
                outcome,
                reason,
                score,
            } => {
                let score = score
                    .map(|score| format!(" {score:.4}"))
                    .unwrap_or_default();
                let reason = reason
                    .as_ref()
                    .map(|r| format!(" ({r})"))
                    .unwrap_or_default();
                format!("judged itself: {}{score}{reason}", outcome.as_str())
            }
            Event::Published { digest, bytes } => {
                format!("published {} ({bytes} bytes)", &digest.to_string()[..8])
            }
            Event::Uploading { digest, repository } => {
                format!("brings {} to {repository}", &digest.to_string()[..8])
            }
            Event::Committing { digest } => {
                format!("commits to {}", &digest.to_string()[..8])
            }
            Event::NotCommitted { reason } => format!("not committed yet: {reason}"),
            Event::Serving { hotkey, address } => {
                format!("{} answers validators at {address}", self.name(hotkey))
            }
            Event::Committed { digest, block } => {
                format!("committed {} in block {block}", &digest.to_string()[..8])
            }
            Event::Waiting { what } => format!("waits for {what}"),
            Event::SandboxDegraded { reason } => format!("WARNING: weak sandbox: {reason}"),
            Event::RoundFull { round, waiting } => format!(
                "round {round} is full: {} submissions wait for a later one",
                waiting.len()
            ),
            Event::RoundOpened(round) => {
                let about = round.agenda.as_ref();
                let about = about.map_or(String::new(), |agenda| format!("; {agenda}"));
                format!(
                    "round {} begins: cut-off at block {}{about}",
                    round.number, round.cutoff_block
                )
            }
            Event::Evaluated(row) => {
                let who = self.name(&row.hotkey);
                match &row.reason {
                    None => format!("round {}: {who} scored {:.4}", row.round, row.score),
                    Some(reason) => {
                        format!(
                            "round {}: {who} {}: {reason}",
                            row.round,
                            row.outcome.as_str()
                        )
                    }
                }
            }
            Event::WeightsSigned { round, weights, .. } => {
                let weights: Vec<String> = weights
                    .iter()
                    .map(|(hotkey, weight)| format!("{} {weight}", self.name(hotkey)))
                    .collect();
                format!("round {round}: weights {}", weights.join(", "))
            }
            Event::WeightsSet { round, block } => {
                format!("round {round}: weights are final in block {block}")
            }
            Event::SnapshotBegins { competition, .. } => {
                format!("takes over another validator's past of {competition}")
            }
            Event::RoundTaken { round } => format!("round {round}: taken over"),
            Event::Abstained { round } => format!("round {round}: nobody is valid, no weights"),
            Event::RoundPaid { round, block } => {
                format!("round {round}: paid by the epoch of block {block}")
            }
        }
    }
}

//! Everything that happens, as one enum: shown on screen, written to the log, kept in journals.
//!
//! A validator's journal holds its own events, one JSON object a line; the [`crate::ledger`] is what
//! results from applying them, so replaying a journal rebuilds the ledger.

use crate::ledger::{Basis, Evaluation, Round};
use agon_keys::AccountId;
use agon_model::digest::Digest;
use agon_neuron::{H256, SignedCall};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// One thing that happened to a named participant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
// The tag first and the content apart: an internally tagged enum would buffer its content, which loses
// floats when a dependency turns on arbitrary precision in `serde_json`.
#[serde(tag = "event", content = "of", rename_all = "snake_case")]
pub enum Event {
    /// The chain answers.
    ChainStarted {
        /// Where its JSON-RPC listens.
        url: String,
        /// Hash of block 0.
        genesis: H256,
        /// Height it continues from.
        block: u64,
    },
    /// A subnet exists and its emission is on.
    SubnetReady {
        /// Its number.
        netuid: u16,
        /// Its name as the user knows it.
        name: String,
    },
    /// A hotkey has a uid.
    Registered {
        /// Whose.
        hotkey: AccountId,
        /// Which.
        uid: u16,
    },
    /// A hotkey carries stake.
    Staked {
        /// Whose.
        hotkey: AccountId,
        /// How much, in rao.
        rao: u64,
    },
    /// Samples are being read.
    Loading {
        /// How many are read.
        done: usize,
        /// Of how many.
        total: usize,
    },
    /// A training step ended. Shown as a progress bar, not kept.
    TrainingStep {
        /// Steps done over all epochs.
        step: usize,
        /// Steps in all.
        steps: usize,
        /// Loss of this step.
        loss: f64,
    },
    /// A training epoch ended.
    TrainingEpoch {
        /// Which, from 1.
        epoch: usize,
        /// Of how many.
        epochs: usize,
        /// Mean training loss.
        loss: f64,
        /// The competition's score on the miner's own selection part.
        score: f64,
        /// Best score so far.
        best: f64,
    },
    /// A model was exported and checked in the judging runtime.
    Trained {
        /// SHA-256 of the file.
        digest: Digest,
        /// Size of the file.
        bytes: u64,
        /// Best score on the miner's selection part.
        score: f64,
    },
    /// A miner judged its own model the way validators will.
    SelfJudged {
        /// The result.
        outcome: crate::ledger::Outcome,
        /// Why it was not scored.
        reason: Option<String>,
        /// Score, when there is one.
        score: Option<f64>,
    },
    /// An artefact is in the store.
    Published {
        /// SHA-256 of the file.
        digest: Digest,
        /// Size of the file.
        bytes: u64,
    },
    /// An artefact is on its way to where validators fetch it.
    Uploading {
        /// SHA-256 of the file.
        digest: Digest,
        /// The repository.
        repository: String,
    },
    /// A claim is about to be signed and sent.
    Committing {
        /// SHA-256 of the claimed file.
        digest: Digest,
    },
    /// An artefact could not be brought to validators or claimed; it is tried again.
    NotCommitted {
        /// Why.
        reason: String,
    },
    /// A claim is on chain.
    Committed {
        /// SHA-256 of the claimed file.
        digest: Digest,
        /// Block that holds the commitment.
        block: u64,
    },
    /// A server answers validators.
    Serving {
        /// Whose.
        hotkey: AccountId,
        /// Where it is reached.
        address: SocketAddr,
    },
    /// Somebody waits for something.
    Waiting {
        /// For what.
        what: String,
    },
    /// The sandbox on this machine is weaker than intended.
    SandboxDegraded {
        /// What is missing.
        reason: String,
    },
    /// A round's cut-off and sample are fixed.
    RoundOpened(Round),
    /// More is committed than a round judges, and these wait for a later one.
    RoundFull {
        /// The round.
        round: u64,
        /// Whose submissions wait.
        waiting: Vec<AccountId>,
    },
    /// A submission was judged, refused or found to be a copy.
    Evaluated(Evaluation),
    /// A weight transaction is signed and about to be sent; kept so that it can be sent again.
    WeightsSigned {
        /// The round.
        round: u64,
        /// What they were made of.
        #[serde(default)]
        basis: Option<Basis>,
        /// Weights by hotkey.
        weights: BTreeMap<AccountId, u16>,
        /// The signed transaction.
        transaction: SignedCall,
    },
    /// Weights are final on chain.
    WeightsSet {
        /// The round.
        round: u64,
        /// The block that holds them.
        block: u64,
    },
    /// Nobody was valid; no weights were set.
    Abstained {
        /// The round.
        round: u64,
    },
    /// What follows until the last round that was taken over is another validator's past; see [`crate::snapshot`].
    SnapshotBegins {
        /// Hash of the chain's block 0.
        genesis: H256,
        /// The competition.
        competition: String,
    },
    /// A round that another validator finished: it counts as past and is not weighed again.
    RoundTaken {
        /// The round.
        round: u64,
    },
    /// The epoch that pays a round's weights has run.
    RoundPaid {
        /// The round.
        round: u64,
        /// First block at which the result is readable.
        block: u64,
    },
}

/// Hears events: whose, and which.
pub type Listener = dyn Fn(&str, &Event) + Send + Sync;

/// Where a participant's events go.
#[derive(Clone)]
pub struct Events {
    who: Arc<str>,
    listener: Arc<Listener>,
}

impl Events {
    /// Events of the participant `who`, given to `listener` as they happen.
    pub fn new(who: &str, listener: Arc<Listener>) -> Self {
        Self {
            who: who.into(),
            listener,
        }
    }

    /// Whose events these are.
    pub fn who(&self) -> &str {
        &self.who
    }

    /// Tell the listener.
    pub fn emit(&self, event: &Event) {
        (self.listener)(&self.who, event);
    }
}

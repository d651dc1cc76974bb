//! A validator: sync, roster, fetch, judge, score, weigh, and again.
//!
//! Each round is a row of the ledger and every step of it an event there, so that a validator that
//! was killed continues where it was: nothing is judged twice and a signed weight transaction is sent
//! again rather than made anew.

mod models;
mod peers;
mod released;
mod seats;

pub use models::Models;
pub use peers::Peers;
pub use released::Released;

use crate::competition::{Judgement, SampleError};
use crate::event::{Event, Events};
use crate::fetch::FetchError;
use crate::incentive::Incentive;
use crate::ledger::{Basis, Evaluation, Ledger, LedgerError, Outcome as Verdict, Progress, Round};
use crate::likeness::Portrait;
use crate::release::ReleaseError;
use crate::sandbox::SandboxError;
use crate::seed::{SampleSource, Seed};
use agon_keys::AccountId;
use agon_model::digest::Digest;
use agon_neuron::{
    BadScore, Call, ChainClient, ChainState, H256, NoRandomness, Outcome, PrepareError, ReadError,
    SignedCall, Signer, Weights,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The version key sent with weights: 1000 × major + 10 × minor + patch.
const VERSION_KEY: u64 = 10;

/// Epochs from one round to the next. Rounds begin only with every second epoch, so that validators of
/// unlike speed still begin the same ones: whoever sets weights a little after an epoch's end, when
/// others set them a little before, has not missed a beginning.
const ROUND_EPOCHS: u64 = 2;

/// Pause before the chain is asked again after a failure.
const PAUSE: Duration = Duration::from_secs(2);

/// Pause before released data is asked for again after a failure.
const RELEASE_PAUSE: Duration = Duration::from_secs(20);

/// Errors of the runtime that pass with time: the weights are signed anew in a later block. Too soon is an error of the
/// call, or of the chain before it takes the call.
const PASSING: [&str; 5] = [
    "NeuronNoValidatorPermit",
    "RateLimitExceeded",
    "SettingWeightsTooFast",
    "expired",
    "outdated",
];

/// What a validator works with.
pub struct Setup {
    /// The chain.
    pub client: ChainClient,
    /// The subnet.
    pub netuid: u16,
    /// Signs the weights.
    pub hotkey: Arc<dyn Signer>,
    /// What is judged.
    pub task: Task,
    /// Where the judging samples come from.
    pub sample_source: SampleSource,
    /// Who has a validator's permit and more stake than this, in rao, is not judged.
    pub stake_limit: Option<u64>,
    /// Whether weights are set; else a round ends with its judgements.
    pub sets_weights: bool,
    /// Who hears of it.
    pub events: Events,
}

/// Where a round's evidence comes from.
pub enum Task {
    /// From models that were committed.
    Models(Models),
    /// From models that were committed before the data they are judged on was released.
    Released(Box<Released>),
    /// From servers that are asked.
    Peers(Peers),
}

impl Task {
    fn incentive(&self) -> &dyn Incentive {
        match self {
            Self::Models(models) => models.competition.as_ref(),
            Self::Released(released) => released.models.competition.as_ref(),
            Self::Peers(peers) => peers.challenge.as_ref(),
        }
    }
}

/// A round that is being judged.
struct Bench<'a> {
    ledger: &'a mut Ledger,
    events: &'a Events,
    round: &'a Round,
    /// The chain at the round's cut-off.
    state: ChainState,
    netuid: u16,
    stake_limit: Option<u64>,
    /// The seed of the round's sample.
    seed: Seed,
    /// Where seeds come from.
    source: SampleSource,
    /// Whether a weak sandbox was told.
    degraded: &'a mut bool,
}

impl Bench<'_> {
    async fn record(&mut self, event: Event) -> Result<(), LedgerError> {
        self.ledger.record(&event).await?;
        self.events.emit(&event);
        Ok(())
    }

    /// The row of a hotkey of which nothing is known yet.
    fn row(
        &self,
        (commit_block, extrinsic_index, hotkey): (u64, u32, AccountId),
        items: &[usize],
    ) -> Evaluation {
        let bytes = items.iter().flat_map(|&item| (item as u64).to_le_bytes());
        Evaluation {
            round: self.round.number,
            hotkey,
            commit_block,
            extrinsic_index,
            artefact: None,
            sample: Digest::of(&bytes.collect::<Vec<_>>()),
            bytes: 0,
            engine: String::new(),
            outcome: Verdict::Refused,
            reason: None,
            score: 0.0,
            metrics: BTreeMap::new(),
            canonical: None,
            portrait: Portrait::default(),
            fingerprint: None,
            evidence: Vec::new(),
            seconds: 0.0,
        }
    }

    /// Acknowledge a row with its judgement.
    async fn settle(
        &mut self,
        row: Evaluation,
        judgement: Judgement,
    ) -> Result<Evaluation, LedgerError> {
        let score = judgement.score.unwrap_or_default();
        let row = Evaluation {
            outcome: judgement.outcome,
            reason: judgement.reason,
            score: score.score,
            metrics: score.metrics,
            evidence: score.evidence,
            ..row
        };
        self.record(Event::Evaluated(row.clone())).await?;
        Ok(row)
    }

    /// Who has a row already.
    async fn known(&self) -> Result<Vec<Evaluation>, LedgerError> {
        self.ledger.records().evaluations(self.round.number).await
    }
}

/// Why a validator stopped.
#[derive(Debug, thiserror::Error)]
pub enum ValidatorError {
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The chain cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The weights could not be signed.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The sandbox or the judging data failed.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A question cannot be made of the judging data.
    #[error(transparent)]
    Question(#[from] SampleError),
    /// An artefact cannot be had, and no submission is to blame.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A release cannot be had.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// A competition gave shares that are no weights.
    #[error(transparent)]
    Shares(#[from] BadScore),
    /// The chain does not take the weights, and waiting will not change that.
    #[error("the chain refuses the weights of round {round}: {error}")]
    Refused {
        /// The round.
        round: u64,
        /// The runtime's name of the error.
        error: String,
    },
    /// The weights could not be sealed.
    #[error(transparent)]
    Seal(#[from] NoRandomness),
    /// Sealed weights would never be revealed.
    #[error("subnet {netuid} has no epochs: its tempo is 0, and nothing would ever be revealed")]
    NoEpochs {
        /// The subnet.
        netuid: u16,
    },
}

/// A running validator.
pub struct Validator {
    setup: Setup,
    ledger: Ledger,
    degraded: bool,
}

impl Validator {
    /// A validator that continues with what its ledger holds.
    pub fn new(setup: Setup, ledger: Ledger) -> Self {
        Self {
            setup,
            ledger,
            degraded: false,
        }
    }

    /// Its ledger, to read.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Close the ledger.
    pub async fn close(self) {
        self.ledger.close().await;
    }

    /// Finish round after round until round `last` is paid, for ever when there is none; `finished` is
    /// called after each. A chain that cannot be reached is asked again, everything else ends the loop.
    pub async fn run(
        &mut self,
        last: Option<u64>,
        finished: impl Fn() + Send,
    ) -> Result<(), ValidatorError> {
        loop {
            let done = match self.ledger.records().last_round().await? {
                Some((round, progress)) if progress.finished() => round.number,
                Some((round, _)) => round.number - 1,
                None => 0,
            };
            if last.is_some_and(|last| done >= last) {
                return Ok(());
            }
            match self.round().await {
                Ok(()) => finished(),
                Err(
                    ValidatorError::Read(error)
                    | ValidatorError::Prepare(PrepareError::Read(error)),
                ) => {
                    tracing::warn!(validator = self.setup.events.who(), %error, "the chain does not answer");
                    self.wait(&format!("the chain: {error}"));
                    tokio::time::sleep(PAUSE).await;
                }
                Err(ValidatorError::Release(
                    error @ (ReleaseError::Unavailable(_) | ReleaseError::Configuration(_)),
                )) => {
                    tracing::warn!(validator = self.setup.events.who(), %error, "no release can be had now");
                    self.wait(&format!("released data: {error}"));
                    tokio::time::sleep(RELEASE_PAUSE).await;
                }
                Err(ValidatorError::Fetch(FetchError::Unavailable(reason))) => {
                    tracing::warn!(
                        validator = self.setup.events.who(),
                        reason,
                        "a model cannot be had now"
                    );
                    self.wait(&format!("a model: {reason}"));
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Finish the round that is under way, or the next one.
    async fn round(&mut self) -> Result<(), ValidatorError> {
        let (round, progress) = match self.ledger.records().last_round().await? {
            Some((round, progress)) if !progress.finished() => (round, progress),
            last => {
                let round = self.open(last.map(|(round, _)| round)).await?;
                self.record(Event::RoundOpened(round.clone())).await?;
                (round, Progress::default())
            }
        };
        let number = round.number;
        let weights_block = match (progress.weights_block, progress.signed) {
            (Some(block), _) => Some(block),
            (None, Some((_, signed))) => self.emit(&round, Some(signed)).await?,
            (None, None) => {
                self.judge(&round).await?;
                self.emit(&round, None).await?
            }
        };
        let end = match weights_block {
            Some(block) => Event::RoundPaid {
                round: number,
                block: self.paid(block).await?,
            },
            None => Event::Abstained { round: number },
        };
        self.record(end).await
    }

    async fn record(&mut self, event: Event) -> Result<(), ValidatorError> {
        self.ledger.record(&event).await?;
        self.setup.events.emit(&event);
        Ok(())
    }

    fn wait(&self, what: &str) {
        let what = what.to_owned();
        self.setup.events.emit(&Event::Waiting { what });
    }

    /// Wait for an epoch with which a round begins, that no earlier round has used and before which
    /// there was somebody to judge; its first block is the cut-off.
    async fn open(&self, last: Option<Round>) -> Result<Round, ValidatorError> {
        let Setup {
            client,
            netuid,
            stake_limit,
            ..
        } = &self.setup;
        let mut told = false;
        // What is there to judge is decided by the cut-off, so an epoch is looked at once.
        let mut looked = None;
        loop {
            let state = client.finalized().await?;
            let epoch = state.epoch(*netuid).await?;
            let earlier = last.as_ref().map(|last| last.epoch).max(looked);
            let fresh = earlier.is_none_or(|earlier| epoch.index > earlier);
            let beginning = epoch.index > 0 && epoch.index.is_multiple_of(ROUND_EPOCHS);
            if fresh && beginning && state.number() > epoch.last_block {
                let cutoff_hash = block_hash(&state, epoch.last_block).await?;
                let mut round = Round {
                    number: last.as_ref().map_or(1, |last| last.number + 1),
                    epoch: epoch.index,
                    cutoff_block: epoch.last_block,
                    cutoff_hash,
                    seed_hash: block_hash(&state, epoch.last_block + 1).await?,
                    agenda: None,
                };
                let state = client.at(cutoff_hash).await?;
                let anything = match &self.setup.task {
                    Task::Models(models) => models.anybody(&state, *netuid, *stake_limit).await?,
                    Task::Released(released) => {
                        let (records, events) = (self.ledger.records(), &self.setup.events);
                        round.agenda = released.agenda(&state, records, events).await?;
                        round.agenda.is_some()
                    }
                    Task::Peers(_) => peers::anybody(&state, *netuid, *stake_limit).await?,
                };
                if anything {
                    return Ok(round);
                }
                looked = Some(epoch.index);
            }
            if !told {
                self.wait(match &self.setup.task {
                    Task::Released(_) => "the next epoch after a release",
                    _ => "the next epoch with somebody to judge",
                });
                told = true;
            }
            client.wait_for_block(state.number() + 1).await?;
        }
    }

    /// Judge everybody who has no row yet.
    async fn judge(&mut self, round: &Round) -> Result<(), ValidatorError> {
        let Setup {
            client,
            netuid,
            task,
            sample_source,
            stake_limit,
            events,
            ..
        } = &self.setup;
        let name = task.incentive().name();
        let mut bench = Bench {
            ledger: &mut self.ledger,
            events,
            round,
            state: client.at(round.cutoff_hash).await?,
            netuid: *netuid,
            stake_limit: *stake_limit,
            seed: sample_source.seed(name, round.number, &round.seed_hash.0),
            source: *sample_source,
            degraded: &mut self.degraded,
        };
        match task {
            Task::Models(models) => models.judge(&mut bench).await,
            Task::Released(released) => released.judge(&mut bench).await,
            Task::Peers(peers) => peers.judge(&mut bench).await,
        }
    }

    /// Bring the round's weights into a block and say in which; none when nobody is worth a weight.
    async fn emit(
        &mut self,
        round: &Round,
        mut signed: Option<SignedCall>,
    ) -> Result<Option<u64>, ValidatorError> {
        let client = self.setup.client.clone();
        loop {
            let call = match signed.take() {
                Some(call) => call,
                None => match self.sign(round).await? {
                    Some(call) => call,
                    None => return Ok(None),
                },
            };
            match client.send(&call).await {
                Outcome::Finalised { block, .. } => {
                    let number = round.number;
                    self.record(Event::WeightsSet {
                        round: number,
                        block,
                    })
                    .await?;
                    return Ok(Some(block));
                }
                Outcome::Rejected { error } if PASSING.iter().any(|name| error.contains(name)) => {
                    self.wait(&format!("the chain to take the weights ({error})"));
                    let now = client.finalized().await?.number();
                    client.wait_for_block(now + 1).await?;
                }
                Outcome::Rejected { error } => {
                    let round = round.number;
                    return Err(ValidatorError::Refused { round, error });
                }
                Outcome::Unknown { reason } => {
                    self.wait(&format!("the outcome of the weights ({reason})"));
                    tokio::time::sleep(PAUSE).await;
                    signed = Some(call);
                }
            }
        }
    }

    async fn sign(&mut self, round: &Round) -> Result<Option<SignedCall>, ValidatorError> {
        if !self.setup.sets_weights {
            return Ok(None);
        }
        let Setup {
            client,
            netuid,
            hotkey,
            ..
        } = &self.setup;
        let incentive = self.setup.task.incentive();
        let past = self
            .ledger
            .records()
            .past(round.number, incentive.history(), self.setup.sample_source)
            .await?;
        let shares = incentive.shares(&past);
        let state = client.finalized().await?;
        let (metagraph, settings) =
            tokio::try_join!(state.metagraph(*netuid), state.hyperparameters(*netuid))?;
        let limits = settings.weight_limits();
        let Weights { uids, weights, .. } = metagraph.weights_for(&shares, limits)?;
        if uids.is_empty() {
            return Ok(None);
        }
        let call = match settings.commit_reveal_enabled {
            false => Call::set_weights(*netuid, &uids, &weights, VERSION_KEY),
            true => self.sealed(&state, &uids, &weights).await?,
        };
        let transaction = client.prepare(call, hotkey.as_ref()).await?;
        let basis = Basis {
            scoring: incentive.scoring(),
            shares,
            registered: metagraph.hotkeys.iter().copied().collect(),
            limits,
        };
        let weights = basis.weights()?;
        self.record(Event::WeightsSigned {
            round: round.number,
            basis: Some(basis),
            weights,
            transaction: transaction.clone(),
        })
        .await?;
        Ok(Some(transaction))
    }

    /// Weights that the chain itself reveals when the beacon's round has come: there is nothing that a validator which
    /// was stopped could forget to reveal.
    async fn sealed(
        &self,
        state: &ChainState,
        uids: &[u16],
        weights: &[u16],
    ) -> Result<Call, ValidatorError> {
        let netuid = self.setup.netuid;
        let (beacon, block_time) = tokio::try_join!(state.beacon(), state.block_time())?;
        let round = state.reveal_round(netuid, &beacon, block_time).await?;
        Ok(Call::commit_sealed_weights(
            netuid,
            self.setup.hotkey.account(),
            uids,
            weights,
            VERSION_KEY,
            &beacon.public_key,
            round.ok_or(ValidatorError::NoEpochs { netuid })?,
        )?)
    }

    /// Wait until an epoch after `weights_block` has run; its block.
    async fn paid(&self, weights_block: u64) -> Result<u64, ValidatorError> {
        let Setup { client, netuid, .. } = &self.setup;
        let mut state = client.finalized().await?;
        loop {
            let epoch = state.epoch(*netuid).await?;
            if epoch.last_block > weights_block {
                return Ok(epoch.last_block);
            }
            state = client.wait_for_block(state.number() + 1).await?;
        }
    }
}

async fn block_hash(state: &ChainState, number: u64) -> Result<H256, ReadError> {
    let hash = state.block_hash(number).await?;
    hash.ok_or_else(|| ReadError::NoSuchBlock {
        what: format!("block {number}"),
    })
}

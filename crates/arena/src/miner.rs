//! A miner's last steps, the same for every competition: judge the model as the validators will,
//! publish it, commit it.
//!
//! Everything can be repeated: what is already in the store or on chain is left as it is.

use crate::commitment::Claim;
use crate::competition::{Competition, Judgement};
use crate::event::{Event, Events};
use crate::sandbox::{Sandbox, SandboxError};
use agon_dataset::store::{ArtefactStore, StoreError};
use agon_model::digest::Digest;
use agon_neuron::{Call, ChainClient, DataTooLong, Outcome, PrepareError, ReadError, Signer};
use std::sync::Arc;
use std::time::Duration;

/// How often an unanswered commitment is asked after, and the pause between.
const ATTEMPTS: usize = 5;
const PAUSE: Duration = Duration::from_secs(2);

/// What a miner works with.
pub struct Miner {
    /// The chain.
    pub client: ChainClient,
    /// The subnet.
    pub netuid: u16,
    /// Signs the commitment.
    pub hotkey: Arc<dyn Signer>,
    /// Where artefacts are published.
    pub store: Arc<dyn ArtefactStore>,
    /// Who hears of it.
    pub events: Events,
}

/// Why a model was not submitted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The chain cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The commitment could not be signed.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The claim does not fit a commitment.
    #[error(transparent)]
    Claim(#[from] DataTooLong),
    /// The artefact store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain does not take the commitment.
    #[error("the chain refuses the commitment: {0}")]
    Refused(String),
    /// The chain does not say what became of the commitment.
    #[error("what became of the commitment is not known: {0}; run the same command again")]
    Unknown(String),
}

impl Miner {
    /// Judge a model on the miner's own samples, in the sandbox and by the rules the validators use.
    /// The competition given here must hold none of the validators' judging data.
    pub async fn judge(
        &self,
        sandbox: &Sandbox,
        competition: Arc<dyn Competition>,
        model: &[u8],
        items: &[usize],
    ) -> Result<Judgement, SandboxError> {
        let judgement = sandbox.judge(competition, model, items).await?.judgement;
        self.events.emit(&Event::SelfJudged {
            outcome: judgement.outcome,
            reason: judgement.reason.clone(),
            score: judgement.score.as_ref().map(|score| score.score),
        });
        Ok(judgement)
    }

    /// Put a model into the store.
    pub fn publish(&self, model: &[u8]) -> Result<Digest, SubmitError> {
        let digest = Digest(self.store.put(model)?);
        let bytes = model.len() as u64;
        self.events.emit(&Event::Published { digest, bytes });
        Ok(digest)
    }

    /// Commit a claim, unless it is already this hotkey's commitment.
    pub async fn commit(&self, claim: &Claim) -> Result<(), SubmitError> {
        let data = claim.to_string().into_bytes();
        let state = self.client.finalized().await?;
        let hotkey = self.hotkey.account();
        let commitments = state.commitments(self.netuid).await?;
        let mine = commitments.iter().find(|c| c.hotkey == hotkey);
        let block = match mine.filter(|commitment| commitment.data == data) {
            Some(commitment) => commitment.block,
            None => self.submit(&data).await?,
        };
        let digest = claim.digest;
        self.events.emit(&Event::Committed { digest, block });
        Ok(())
    }

    async fn submit(&self, data: &[u8]) -> Result<u64, SubmitError> {
        let call = Call::set_commitment(self.netuid, data)?;
        let signed = self.client.prepare(call, self.hotkey.as_ref()).await?;
        let mut reason = String::new();
        for _ in 0..ATTEMPTS {
            match self.client.send(&signed).await {
                Outcome::Finalised { block, .. } => return Ok(block),
                Outcome::Rejected { error } => return Err(SubmitError::Refused(error)),
                Outcome::Unknown { reason: unknown } => reason = unknown,
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(SubmitError::Unknown(reason))
    }
}

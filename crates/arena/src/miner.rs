//! A miner's last steps, the same for every competition: judge the model as the validators will,
//! publish it, commit it.
//!
//! Everything can be repeated: what is already in the store or on chain is left as it is.

use crate::commitment::{Form, Reveal, Salt, Seal, Statement};
use crate::competition::{Competition, Judgement};
use crate::event::{Event, Events};
use crate::sandbox::{Sandbox, SandboxError};
use agon_dataset::store::{ArtefactStore, StoreError};
use agon_model::digest::Digest;
use agon_neuron::{
    Call, ChainClient, Commitment, DataTooLong, Outcome, PrepareError, ReadError, Signer,
};
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

/// Where a commitment stands on chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The block.
    pub block: u64,
    /// The index of its extrinsic there; `None` where the node no longer knows.
    pub extrinsic_index: Option<u32>,
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
    /// The statement does not fit a commitment.
    #[error(transparent)]
    Statement(#[from] DataTooLong),
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

    /// Commit to a model of this digest, unless it is already this hotkey's commitment, and say where that stands.
    pub async fn commit(
        &self,
        statement: &Statement,
        digest: Digest,
    ) -> Result<Placed, SubmitError> {
        let data = statement.to_string().into_bytes();
        let placed = match self.committed().await?.filter(|mine| mine.data == data) {
            Some(mine) => Placed {
                block: mine.block,
                extrinsic_index: mine.extrinsic_index,
            },
            None => {
                self.events.emit(&Event::Committing { digest });
                self.submit(&data).await?
            }
        };
        let block = placed.block;
        self.events.emit(&Event::Committed { digest, block });
        Ok(placed)
    }

    /// Commit to a model in two phases: a seal in one block, and in a later one what is sealed. The submission's place
    /// is that of the seal; its block is returned. `salt` must be secret, drawn anew for each model, and the same when
    /// this is done again: what was done before is then gone on with.
    pub async fn commit_in_two_phases(
        &self,
        digest: Digest,
        salt: Salt,
        competition: &str,
        repository: &str,
    ) -> Result<u64, SubmitError> {
        let reveal = |block| Reveal {
            block,
            digest,
            salt,
            repository: repository.to_owned(),
        };
        if let Some(mine) = self.committed().await?
            && let Ok(Statement::Reveal(revealed)) = Statement::read(&mine.data, &[Form::TwoPhase])
            && revealed == reveal(revealed.block)
        {
            let block = revealed.block;
            self.events.emit(&Event::Committed { digest, block });
            return Ok(block);
        }
        let seal = Seal::new(digest, &self.hotkey.account(), &salt, competition);
        let sealed = self.commit(&Statement::Seal(seal), digest).await?.block;
        self.client.wait_for_block(sealed + 1).await?;
        self.commit(&Statement::Reveal(reveal(sealed)), digest)
            .await?;
        Ok(sealed)
    }

    /// This hotkey's commitment.
    async fn committed(&self) -> Result<Option<Commitment>, ReadError> {
        let hotkey = self.hotkey.account();
        let state = self.client.finalized().await?;
        let commitments = state.commitments(self.netuid).await?;
        Ok(commitments.into_iter().find(|it| it.hotkey == hotkey))
    }

    async fn submit(&self, data: &[u8]) -> Result<Placed, SubmitError> {
        let call = Call::set_commitment(self.netuid, data)?;
        let signed = self.client.prepare(call, self.hotkey.as_ref()).await?;
        let mut reason = String::new();
        for _ in 0..ATTEMPTS {
            match self.client.send(&signed).await {
                Outcome::Finalised {
                    block,
                    extrinsic_index,
                    ..
                } => {
                    let extrinsic_index = Some(extrinsic_index);
                    return Ok(Placed {
                        block,
                        extrinsic_index,
                    });
                }
                Outcome::Rejected { error } => return Err(SubmitError::Refused(error)),
                Outcome::Unknown { reason: unknown } => reason = unknown,
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(SubmitError::Unknown(reason))
    }
}

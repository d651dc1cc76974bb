//! The four kinds of miners a network is shown with: two that train, one that copies, one whose file
//! is broken.

use super::home::Home;
use super::network::{Member, Network};
use crate::failure::Failure;
use crate::files::write_atomically;
use agon_arena::commitment::{File, LOCAL_REPOSITORY};
use agon_arena::event::{Event, Events};
use agon_arena::ledger::Outcome;
use agon_arena::miner::Miner;
use agon_arena::sandbox::Sandbox;
use agon_arena::subnet::tricorder::parts::MinerParts;
use agon_arena::subnet::tricorder::recipe::{self, Profile};
use agon_arena::subnet::tricorder::{self, Tricorder};
use agon_dataset::store::ArtefactStore;
use agon_model::digest::Digest;
use anyhow::{Context, anyhow};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How many of its own selection samples a miner judges before it submits.
const SELF_JUDGED: usize = 50;

/// The name a model's file has.
const STEM: &str = "model";

/// What a miner does for its reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Trains well.
    Strong,
    /// Trains a smaller network for a shorter time.
    Weak,
    /// Submits the first miner's file under its own name.
    Copier,
    /// Submits a file that is not a model.
    Broken,
}

impl Role {
    /// The role of the miner at this place.
    pub fn of(index: usize) -> Self {
        match index {
            0 => Self::Strong,
            2 => Self::Copier,
            3 => Self::Broken,
            _ => Self::Weak,
        }
    }

    /// The word for it on screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strong => "trains well",
            Self::Weak => "trains less",
            Self::Copier => "copies",
            Self::Broken => "broken file",
        }
    }
}

/// What all miners share.
pub struct Mine<'a> {
    pub home: &'a Home,
    pub network: &'a Network,
    pub store: Arc<dyn ArtefactStore>,
    pub sandbox: Sandbox,
    pub parts: Arc<MinerParts>,
    pub seed: u64,
    pub effort: f64,
    pub stop: CancellationToken,
}

impl Mine<'_> {
    /// Let every miner submit. The first one comes first, because the copier waits for it; the ones
    /// that need no training come before the other ones that do.
    pub async fn submit_all(&self, events: impl Fn(&str) -> Events) -> Result<(), Failure> {
        let members = self.network.team.miners.iter().enumerate();
        let mut order: Vec<(usize, &Member)> = members.collect();
        order.sort_by_key(|&(index, _)| match Role::of(index) {
            Role::Strong => 0,
            Role::Copier | Role::Broken => 1,
            Role::Weak => 2,
        });
        let mut first = None;
        for (index, member) in order {
            let miner = Miner {
                client: self.network.client.clone(),
                netuid: self.network.netuid,
                hotkey: member.hotkey.clone(),
                store: self.store.clone(),
                events: events(&member.name),
            };
            let model = self.model(index, member, &miner, first.as_deref()).await?;
            let digest = miner.publish(&model)?;
            let file = File {
                repository: LOCAL_REPOSITORY.to_owned(),
                stem: STEM.to_owned(),
                competition: tricorder::NAME.to_owned(),
                digest,
            };
            miner.commit(&file.into(), digest).await?;
            first.get_or_insert(model);
        }
        Ok(())
    }

    async fn model(
        &self,
        index: usize,
        member: &Member,
        miner: &Miner,
        first: Option<&[u8]>,
    ) -> Result<Vec<u8>, Failure> {
        let first = || first.ok_or_else(|| Failure::from(anyhow!("the first miner has no model")));
        match Role::of(index) {
            Role::Copier => Ok(first()?.to_vec()),
            Role::Broken => {
                let whole = first()?;
                Ok(whole[..whole.len() / 2].to_vec())
            }
            Role::Strong => self.trained(index, member, miner, Profile::strong()).await,
            Role::Weak => self.trained(index, member, miner, Profile::weak()).await,
        }
    }

    /// The model of a miner that trains, from its file if it was trained before.
    async fn trained(
        &self,
        index: usize,
        member: &Member,
        miner: &Miner,
        profile: Profile,
    ) -> Result<Vec<u8>, Failure> {
        let directory = self.home.miner(&member.name);
        let file = directory.join(format!("{STEM}.onnx"));
        if file.exists() {
            return Ok(std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?);
        }
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("creating {}", directory.display()))?;
        let profile = profile
            .with_effort(self.effort)
            .with_seed(self.seed, index as u64);
        let (parts, events, stop) = (self.parts.clone(), miner.events.clone(), self.stop.clone());
        let checkpoints = directory.join("checkpoints");
        let training = tokio::task::spawn_blocking(move || {
            recipe::train(&parts, &profile, &checkpoints, &events, &stop)
        });
        let trained = match training.await? {
            Ok(trained) => trained,
            Err(recipe::RecipeError::Interrupted) => return Err(Failure::Interrupted),
            Err(error @ recipe::RecipeError::Images(_)) => return Err(Failure::user(error)),
            Err(error) => return Err(error.into()),
        };
        let model = trained.model;
        miner.events.emit(&Event::Trained {
            digest: Digest::of(&model),
            bytes: model.len() as u64,
            score: trained.score,
        });
        self.judge(miner, &model).await?;
        write_atomically(&file, &model).with_context(|| format!("writing {}", file.display()))?;
        Ok(model)
    }

    /// Judge the model as a validator would, on the miner's own selection part.
    async fn judge(&self, miner: &Miner, model: &[u8]) -> Result<(), Failure> {
        let selection = self.parts.selection.clone();
        let items: Vec<usize> = (0..selection.len().min(SELF_JUDGED)).collect();
        let competition = Arc::new(Tricorder::new(selection, items.len()));
        let judgement = miner
            .judge(&self.sandbox, competition, model, &items)
            .await?;
        match judgement.outcome {
            Outcome::Scored => Ok(()),
            _ if self.stop.is_cancelled() => Err(Failure::Interrupted),
            outcome => {
                let reason = judgement.reason.unwrap_or_default();
                let outcome = outcome.as_str();
                Err(anyhow!("a freshly trained model is {outcome} by the judges: {reason}").into())
            }
        }
    }
}

//! Evidence from models that were committed: fetched, held against those before them, run in the sandbox.

use super::{Bench, ValidatorError};
use crate::commitment::Claim;
use crate::competition::{Competition, Judgement};
use crate::event::Event;
use crate::fetch::Fetch;
use crate::ledger::{Evaluation, Outcome};
use crate::likeness::{self, Portrait};
use crate::roster::{self, Entry, Rules};
use crate::sandbox::Sandbox;
use agon_keys::AccountId;
use agon_neuron::{ChainState, ReadError};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Judges models.
pub struct Models {
    /// What is judged.
    pub competition: Arc<dyn Competition>,
    /// Where models come from.
    pub store: Fetch,
    /// Where they run.
    pub sandbox: Sandbox,
}

impl Models {
    /// The roster at a block.
    async fn entries(
        &self,
        state: &ChainState,
        netuid: u16,
        stake_limit: Option<u64>,
    ) -> Result<Vec<Entry>, ReadError> {
        let rules = Rules {
            competition: self.competition.name(),
            forms: self.competition.forms(),
            stake_limit,
        };
        roster::read(state, netuid, rules).await
    }

    /// Whether there is a submission at a block.
    pub(super) async fn anybody(
        &self,
        state: &ChainState,
        netuid: u16,
        stake_limit: Option<u64>,
    ) -> Result<bool, ReadError> {
        let entries = self.entries(state, netuid, stake_limit).await?;
        Ok(!entries.is_empty())
    }

    /// Judge every submission that has no row yet.
    pub(super) async fn judge(&self, bench: &mut Bench<'_>) -> Result<(), ValidatorError> {
        let entries = self
            .entries(&bench.state, bench.netuid, bench.stake_limit)
            .await?;
        let items = self.competition.draw(bench.seed);
        // Entries come in the order of their commitments, and so do the rows: whoever is in them was earlier.
        let mut rows = bench.known().await?;
        let known: BTreeSet<AccountId> = rows.iter().map(|row| row.hotkey).collect();
        for entry in entries
            .iter()
            .filter(|entry| !known.contains(&entry.hotkey))
        {
            let committed = (entry.block, entry.extrinsic_index, entry.hotkey);
            let mut row = bench.row(committed, &items);
            row.engine = self.competition.engine().to_string();
            let judgement = match &entry.claim {
                Err(refused) => {
                    row.artefact = refused.artefact;
                    Judgement::failed(Outcome::Refused, &refused.reason)
                }
                Ok(claim) => {
                    row.artefact = claim.content.digest();
                    self.examine(bench, &mut row, claim, &items, &rows).await?
                }
            };
            rows.push(bench.settle(row, judgement).await?);
        }
        Ok(())
    }

    /// Fetch and judge the model that a row is about, unless it is somebody else's. What is seen on the way is written
    /// into the row. `earlier` are the rows before it.
    async fn examine(
        &self,
        bench: &mut Bench<'_>,
        row: &mut Evaluation,
        claim: &Claim,
        items: &[usize],
        earlier: &[Evaluation],
    ) -> Result<Judgement, ValidatorError> {
        let copy = |reason| Judgement::failed(Outcome::Refused, reason);
        let records = bench.ledger.records();
        if let Some(digest) = row.artefact
            && let Some(owner) = records.owner(row.committed(), digest, None).await?
        {
            return Ok(copy(copied(&owner, "this file")));
        }
        let competition = &self.competition;
        let limit = competition.limits().bytes;
        let model = match self.store.fetch(&row.hotkey, claim, limit).await? {
            Ok(model) => model,
            Err(unfetched) => {
                row.bytes = unfetched.bytes;
                return Ok(unfetched.judgement);
            }
        };
        let digest = model.digest;
        row.artefact = Some(digest);
        row.bytes = model.bytes.len() as u64;
        let judged = self
            .sandbox
            .judge(competition.clone(), &model.bytes, items)
            .await?;
        if let Some(weakness) = judged.weakness.filter(|_| !*bench.degraded) {
            *bench.degraded = true;
            let reason = weakness.to_owned();
            bench.events.emit(&Event::SandboxDegraded { reason });
        }
        row.engine = judged.engine;
        row.canonical = judged.canonical;
        row.seconds = judged.seconds;
        if judged.judgement.outcome != Outcome::Scored {
            return Ok(judged.judgement);
        }
        let classes: Vec<usize> = items.iter().map(|&item| competition.class(item)).collect();
        row.portrait = Portrait::new(&judged.answers, &classes, bench.seed);
        let owner = records
            .owner(row.committed(), digest, judged.canonical)
            .await?;
        let alike = likeness::first_alike(&row.portrait, earlier);
        Ok(match (owner, alike) {
            (Some(owner), _) => copy(copied(&owner, "the same network in another file")),
            (None, Some((owner, likeness))) => {
                let how = format!("a model that answers alike (likeness {likeness:.4})");
                copy(copied(owner, &how))
            }
            (None, None) => judged.judgement,
        })
    }
}

/// That somebody's submission is a copy of the owner's.
fn copied(owner: &Evaluation, what: &str) -> String {
    format!(
        "a copy: {} committed {what} earlier, in block {}",
        owner.hotkey, owner.commit_block
    )
}

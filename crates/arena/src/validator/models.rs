//! Evidence from models that were committed: fetched, held against those before them, run in the sandbox.

use super::{Bench, ValidatorError, seats};
use crate::commitment::Claim;
use crate::competition::{Competition, Judgement};
use crate::event::Event;
use crate::fetch::{Fetch, Unfetched};
use crate::ledger::{Evaluation, Outcome, Records};
use crate::likeness::{self, Portrait};
use crate::roster::{self, Entry, Refused, Rules};
use crate::sandbox::{Judged, Sandbox};
use crate::seed::Seed;
use agon_keys::AccountId;
use agon_model::digest::Digest;
use agon_neuron::{ChainState, ReadError};
use futures::stream;
use futures::{FutureExt, StreamExt};
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Judges models.
#[derive(Clone)]
pub struct Models {
    /// What is judged.
    pub competition: Arc<dyn Competition>,
    /// Where models come from.
    pub store: Fetch,
    /// Where they run.
    pub sandbox: Sandbox,
    /// How many are fetched and run at once.
    pub at_once: NonZeroUsize,
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
            others: &[],
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
        let mut entries = self
            .entries(&bench.state, bench.netuid, bench.stake_limit)
            .await?;
        let seats = self.competition.seats();
        if entries.len() > seats {
            let records = bench.ledger.records();
            let (round, history) = (bench.round.number, self.competition.history());
            let past = records.past(round - 1, history, bench.source).await?;
            let shares = self.competition.shares(&past);
            let judged = records.last_judged(round).await?;
            let waiting = seats::fill(&mut entries, seats, &shares, &judged);
            bench.events.emit(&Event::RoundFull { round, waiting });
        }
        self.judge_all(bench, &entries).await
    }

    /// Judge those of the submissions that have no row yet, several at once. Rows are written in the order of the
    /// commitments, and what a row says of copies depends on the rows before it: how many are judged at once changes no row.
    pub(super) async fn judge_all(
        &self,
        bench: &mut Bench<'_>,
        entries: &[Entry],
    ) -> Result<(), ValidatorError> {
        let items = self.competition.draw(bench.seed);
        // Entries come in the order of their commitments, and so do the rows: whoever is in them was earlier.
        let mut rows = bench.known().await?;
        let known: BTreeSet<AccountId> = rows.iter().map(|row| row.hotkey).collect();
        let desk = Desk {
            records: bench.ledger.records().clone(),
            items: &items,
            seed: bench.seed,
        };
        let fresh = |entry: &&Entry| !known.contains(&entry.hotkey);
        let fresh: Vec<&Entry> = entries.iter().filter(fresh).collect();
        let looks: Vec<_> = fresh
            .iter()
            .map(|entry| self.look(entry, &desk).boxed())
            .collect();
        let mut seen = stream::iter(looks).buffered(self.at_once.get());
        for entry in fresh {
            let Some(seen) = seen.next().await else { break };
            let mut row = bench.row(entry.committed(), &items);
            row.engine = self.competition.engine().to_string();
            let judgement = self
                .conclude(bench, &mut row, &entry.claim, seen?, &rows)
                .await?;
            rows.push(bench.settle(row, judgement).await?);
        }
        Ok(())
    }

    /// Fetch and ask the model of an entry, unless its file is known to be somebody else's.
    async fn look(&self, entry: &Entry, desk: &Desk<'_>) -> Result<Seen, ValidatorError> {
        let claim = match &entry.claim {
            Ok(claim) => claim,
            Err(refused) => return Ok(Judgement::failed(Outcome::Refused, &refused.reason).into()),
        };
        if let Some(owner) = desk
            .records
            .owner_of_claim(entry.committed(), claim)
            .await?
        {
            return Ok(copied(&owner, FILE).into());
        }
        let competition = &self.competition;
        let limit = competition.limits().bytes;
        let model = match self.store.fetch(&entry.hotkey, claim, limit).await? {
            Ok(model) => model,
            Err(Unfetched { judgement, bytes }) => return Ok(Seen::Nothing { judgement, bytes }),
        };
        let mut judged = self
            .sandbox
            .judge(competition.clone(), &model.bytes, desk.items)
            .await?;
        let classes = desk.items.iter().map(|&item| competition.class(item));
        let portrait = Portrait::new(&judged.answers, &classes.collect::<Vec<_>>(), desk.seed);
        let fingerprint = competition.fingerprint(&judged.answers);
        // What waits for its turn to be written keeps no more than is written.
        judged.answers = Vec::new();
        Ok(Seen::Model {
            digest: model.digest,
            bytes: model.bytes.len() as u64,
            judged: Box::new(judged),
            portrait,
            fingerprint,
        })
    }

    /// The judgement of what was seen, beside the rows before it. What was seen is written into the row.
    async fn conclude(
        &self,
        bench: &mut Bench<'_>,
        row: &mut Evaluation,
        claim: &Result<Claim, Refused>,
        seen: Seen,
        earlier: &[Evaluation],
    ) -> Result<Judgement, ValidatorError> {
        let records = bench.ledger.records();
        match claim {
            Err(refused) => row.artefact = refused.artefact,
            Ok(claim) => {
                row.artefact = claim.content.digest();
                // Once more: its owner may have been judged at the same time.
                if let Some(owner) = records.owner_of_claim(row.committed(), claim).await? {
                    return Ok(copied(&owner, FILE));
                }
            }
        }
        let (judged, digest) = match seen {
            Seen::Nothing { judgement, bytes } => {
                row.bytes = bytes;
                return Ok(judgement);
            }
            Seen::Model {
                digest,
                bytes,
                judged,
                portrait,
                fingerprint,
            } => {
                row.artefact = Some(digest);
                row.bytes = bytes;
                row.portrait = portrait;
                row.fingerprint = fingerprint;
                (*judged, digest)
            }
        };
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
        let owner = records
            .owner(row.committed(), digest, judged.canonical)
            .await?;
        let alike = likeness::first_alike(&row.portrait, earlier);
        let pioneer = likeness::first_with_fingerprint(row, earlier);
        Ok(match (owner, alike) {
            (Some(owner), _) => copied(&owner, "the same network in another file"),
            (None, Some((owner, likeness))) => {
                let how = format!("a model that answers alike (likeness {likeness:.4})");
                copied(owner, &how)
            }
            (None, None) => match pioneer {
                Some(pioneer) => copied(pioneer, "a model of the same fingerprint"),
                None => judged.judgement,
            },
        })
    }
}

/// What all models of a round are looked at with.
struct Desk<'a> {
    records: Records,
    items: &'a [usize],
    seed: Seed,
}

/// What was seen of a submission by itself.
enum Seen {
    /// No model was asked, and this is why. `bytes` are those of what was claimed, where they are known.
    Nothing { judgement: Judgement, bytes: u64 },
    /// A model was asked.
    Model {
        digest: Digest,
        bytes: u64,
        judged: Box<Judged>,
        portrait: Portrait,
        fingerprint: Option<Digest>,
    },
}

impl From<Judgement> for Seen {
    fn from(judgement: Judgement) -> Self {
        Self::Nothing {
            judgement,
            bytes: 0,
        }
    }
}

const FILE: &str = "this file";

/// That a submission is a copy of the owner's.
fn copied(owner: &Evaluation, what: &str) -> Judgement {
    Judgement::failed(
        Outcome::Refused,
        format!(
            "a copy: {} committed {what} earlier, in block {}",
            owner.hotkey, owner.commit_block
        ),
    )
}

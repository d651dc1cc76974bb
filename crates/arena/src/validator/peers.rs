//! Evidence from servers that are asked: the same questions to everybody, one after the other.

use super::{Bench, ValidatorError};
use crate::challenge::{Challenge, Reply};
use crate::competition::{Judgement, SampleError};
use crate::event::Event;
use crate::ledger::Outcome as Verdict;
use crate::seed::Seed;
use agon_keys::AccountId;
use agon_neuron::dendrite::{AskError, Dendrite, Outcome, Peer, Question};
use agon_neuron::{ChainState, Metagraph, ReadError};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What stands in a row in the place of a judging engine.
const ENGINE: &str = "dendrite";

/// Who has not answered so many questions one after the other is not asked any more in this round: the others would wait
/// for it every time.
const PATIENCE: usize = 3;

/// Judges servers.
pub struct Peers {
    /// What is asked.
    pub challenge: Arc<dyn Challenge>,
    /// Who asks; its bounds cap answers and questions under way.
    pub dendrite: Dendrite,
    /// The most servers that are asked in a round; where there are more, its seed draws them.
    pub sample_size: usize,
}

/// A server and what it has answered.
struct Asked {
    uid: usize,
    peer: Peer,
    /// One for each question so far.
    replies: Vec<Option<Reply>>,
    /// What became of the first question that has no answer.
    failure: Option<AskError>,
    /// How many it has not answered since it answered last.
    missed: usize,
}

impl Asked {
    fn hear(&mut self, outcome: Outcome) {
        let Outcome {
            latency, result, ..
        } = outcome;
        match result {
            Ok(answer) => {
                self.replies.push(Some(Reply { answer, latency }));
                self.missed = 0;
            }
            Err(error) => {
                self.replies.push(None);
                self.failure.get_or_insert(error);
                self.missed += 1;
            }
        }
    }
}

/// Whether anybody serves at a block.
pub(super) async fn anybody(
    state: &ChainState,
    netuid: u16,
    stake_limit: Option<u64>,
) -> Result<bool, ReadError> {
    let metagraph = state.metagraph(netuid).await?;
    Ok(!servers(&metagraph, stake_limit).is_empty())
}

/// Who has published a server and does not validate, by uid.
fn servers(metagraph: &Metagraph, stake_limit: Option<u64>) -> Vec<(usize, Peer)> {
    let validates = |uid: usize| {
        let permitted = metagraph.validator_permit.get(uid) == Some(&true);
        let stake = metagraph.stake.get(uid).copied().unwrap_or(0);
        stake_limit.is_some_and(|limit| permitted && stake > limit)
    };
    (0..metagraph.len())
        .filter(|&uid| !validates(uid))
        .filter_map(|uid| Some((uid, Peer::of(metagraph, uid)?)))
        .collect()
}

/// Who is asked in a round of this seed: so many of the servers, ascending by uid. Validators that saw the same subnet
/// come to the same.
fn chosen(
    metagraph: &Metagraph,
    stake_limit: Option<u64>,
    seed: Seed,
    sample_size: usize,
) -> Vec<(usize, Peer)> {
    let servers = servers(metagraph, stake_limit);
    let drawn = seed.purpose("servers").draw(servers.len(), sample_size);
    drawn.into_iter().map(|at| servers[at]).collect()
}

impl Peers {
    /// Ask everybody who has no row yet. Rows are written when all questions were asked: whoever is killed before that
    /// asks again.
    pub(super) async fn judge(&self, bench: &mut Bench<'_>) -> Result<(), ValidatorError> {
        let known: BTreeSet<AccountId> =
            bench.known().await?.iter().map(|row| row.hotkey).collect();
        let metagraph = bench.state.metagraph(bench.netuid).await?;
        let chosen = chosen(&metagraph, bench.stake_limit, bench.seed, self.sample_size);
        let mut asked: Vec<Asked> = chosen
            .into_iter()
            .filter(|(_, peer)| !known.contains(&peer.hotkey))
            .map(|(uid, peer)| Asked {
                uid,
                peer,
                replies: Vec::new(),
                failure: None,
                missed: 0,
            })
            .collect();
        let items = self.challenge.draw(bench.seed);
        let total = items.len();
        for (done, &item) in items.iter().enumerate() {
            bench.events.emit(&Event::Loading { done, total });
            let waiting = |asked: &&mut Asked| asked.missed < PATIENCE;
            let peers: Vec<Peer> = asked.iter_mut().filter(waiting).map(|it| it.peer).collect();
            if peers.is_empty() {
                break;
            }
            let question = self.question(bench.seed, item).await?;
            let outcomes = self.dendrite.ask_all(&peers, &question).await;
            for (asked, outcome) in asked.iter_mut().filter(waiting).zip(outcomes) {
                asked.hear(outcome);
            }
        }
        bench.events.emit(&Event::Loading { done: total, total });
        for mut asked in asked {
            asked.replies.resize(total, None);
            let registered = metagraph.block_at_registration.get(asked.uid).copied();
            let committed = (registered.unwrap_or(0), 0, asked.peer.hotkey);
            let mut row = bench.row(committed, &items);
            ENGINE.clone_into(&mut row.engine);
            let judgement = match asked.replies.iter().any(Option::is_some) {
                true => Judgement::scored(self.challenge.score(&items, &asked.replies)),
                false => silent(asked.failure),
            };
            bench.settle(row, judgement).await?;
        }
        Ok(())
    }

    async fn question(&self, seed: Seed, item: usize) -> Result<Question, SampleError> {
        let challenge = self.challenge.clone();
        let making = tokio::task::spawn_blocking(move || challenge.question(seed, item));
        making.await.unwrap_or_else(|lost| {
            let reason = lost.to_string();
            Err(SampleError { item, reason })
        })
    }
}

/// The judgement of who answered nothing, by what became of the first question.
fn silent(failure: Option<AskError>) -> Judgement {
    let outcome = match failure {
        Some(AskError::Timeout) => Verdict::TooSlow,
        Some(AskError::TooLarge(_)) => Verdict::TooLarge,
        _ => Verdict::Refused,
    };
    let reason = failure.map_or("nothing was asked".to_owned(), |failure| {
        failure.to_string()
    });
    Judgement::failed(outcome, format!("it answered no question: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use agon_neuron::{Axon, Columns};

    const LIMIT: u64 = 4096;

    /// A subnet of so many hotkeys, all of which serve: uid 0 validates, 1 has the limit's stake and a permit, 2 more stake
    /// and no permit. Uid 3 has published nothing.
    fn subnet(size: u8) -> Metagraph {
        let hotkeys = (0..size).map(|uid| AccountId([uid; 32]));
        let axons = (0..size).map(|uid| {
            Some(Axon {
                block: 1,
                version: 1,
                ip: [10, 0, 0, uid].into(),
                port: 8091,
                protocol: 4,
            })
        });
        let mut columns = Columns {
            axons: axons.collect(),
            ..Columns::registered(hotkeys.collect())
        };
        columns.stake[..3].copy_from_slice(&[LIMIT + 1, LIMIT, LIMIT + 1]);
        columns.validator_permit[..2].fill(true);
        columns.axons[3] = None;
        Metagraph::new(columns).unwrap()
    }

    fn uids(metagraph: &Metagraph, limit: Option<u64>, seed: u8, sample_size: usize) -> Vec<usize> {
        let chosen = chosen(metagraph, limit, Seed([seed; 32]), sample_size);
        for (uid, peer) in &chosen {
            assert_eq!(peer.hotkey, metagraph.hotkeys[*uid]);
        }
        chosen.into_iter().map(|(uid, _)| uid).collect()
    }

    #[test]
    fn whoever_validates_or_serves_nothing_is_not_asked() {
        let metagraph = subnet(6);
        assert_eq!(uids(&metagraph, Some(LIMIT), 1, 256), [1, 2, 4, 5]);
        assert_eq!(uids(&metagraph, None, 1, 256), [0, 1, 2, 4, 5]);
        assert_eq!(uids(&metagraph, Some(0), 1, 256), [2, 4, 5]);
    }

    #[test]
    fn the_rounds_seed_draws_as_many_as_are_asked() {
        let metagraph = subnet(100);
        let drawn = uids(&metagraph, Some(LIMIT), 1, 20);
        // Another validator comes to the same, one in another round to others.
        assert_eq!(drawn, uids(&subnet(100), Some(LIMIT), 1, 20));
        assert_ne!(drawn, uids(&metagraph, Some(LIMIT), 2, 20));
        assert_eq!(drawn.len(), 20);
        assert!(drawn.is_sorted_by(|a, b| a < b), "{drawn:?}");
        assert!(!drawn.contains(&0) && !drawn.contains(&3), "{drawn:?}");
        // In time everybody is asked.
        let mut asked: BTreeSet<usize> = BTreeSet::new();
        for seed in 0..100 {
            asked.extend(uids(&metagraph, Some(LIMIT), seed, 20));
        }
        assert_eq!(asked.len(), 98);
    }
}

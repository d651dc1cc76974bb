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

impl Peers {
    /// Ask everybody who has no row yet. Rows are written when all questions were asked: whoever is killed before that
    /// asks again.
    pub(super) async fn judge(&self, bench: &mut Bench<'_>) -> Result<(), ValidatorError> {
        let known: BTreeSet<AccountId> =
            bench.known().await?.iter().map(|row| row.hotkey).collect();
        let metagraph = bench.state.metagraph(bench.netuid).await?;
        let serving = servers(&metagraph, bench.stake_limit);
        let drawn = bench.seed.purpose("servers");
        let drawn = drawn.draw(serving.len(), self.sample_size).into_iter();
        let mut asked: Vec<Asked> = drawn
            .map(|at| serving[at])
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

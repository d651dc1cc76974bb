//! Evidence from servers that are asked: the same questions to everybody, one after the other.

use super::{Bench, ValidatorError};
use crate::challenge::{Challenge, Reply};
use crate::competition::Judgement;
use crate::ledger::Outcome;
use agon_keys::AccountId;
use agon_neuron::dendrite::{AskError, Dendrite, Peer};
use agon_neuron::{ChainState, Metagraph, ReadError};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What stands in a row in the place of a judging engine.
const ENGINE: &str = "dendrite";

/// Judges servers.
pub struct Peers {
    /// What is asked.
    pub challenge: Arc<dyn Challenge>,
    /// Who asks; its bounds cap answers and questions under way.
    pub dendrite: Dendrite,
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
        let mut servers = servers(&metagraph, bench.stake_limit);
        servers.retain(|(_, peer)| !known.contains(&peer.hotkey));
        let peers: Vec<Peer> = servers.iter().map(|(_, peer)| *peer).collect();
        let items = self.challenge.draw(bench.seed);
        let mut replies: Vec<Vec<Option<Reply>>> = vec![Vec::new(); peers.len()];
        let mut failures: Vec<Option<AskError>> = vec![None; peers.len()];
        for &item in &items {
            let question = self.challenge.question(item)?;
            let outcomes = self.dendrite.ask_all(&peers, &question).await;
            for (at, outcome) in outcomes.into_iter().enumerate() {
                let latency = outcome.latency;
                let reply = match outcome.result {
                    Ok(answer) => Some(Reply { answer, latency }),
                    Err(error) => {
                        failures[at].get_or_insert(error);
                        None
                    }
                };
                replies[at].push(reply);
            }
        }
        for (((uid, peer), replies), failure) in servers.into_iter().zip(replies).zip(failures) {
            let registered = metagraph.block_at_registration.get(uid).copied();
            let committed = (registered.unwrap_or(0), 0, peer.hotkey);
            let mut row = bench.row(committed, &items);
            ENGINE.clone_into(&mut row.engine);
            let judgement = match replies.iter().any(Option::is_some) {
                true => Judgement::scored(self.challenge.score(&items, &replies)),
                false => silent(failure),
            };
            bench.settle(row, judgement).await?;
        }
        Ok(())
    }
}

/// The judgement of who answered nothing, by what became of the first question.
fn silent(failure: Option<AskError>) -> Judgement {
    let outcome = match failure {
        Some(AskError::Timeout) => Outcome::TooSlow,
        Some(AskError::TooLarge(_)) => Outcome::TooLarge,
        _ => Outcome::Refused,
    };
    let reason = failure.map_or("nothing was asked".to_owned(), |failure| {
        failure.to_string()
    });
    Judgement::failed(outcome, format!("it answered no question: {reason}"))
}

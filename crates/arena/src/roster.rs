//! Who counts in a round: what the chain held at the cut-off, and a pure function of it.

use crate::commitment::{Claim, Form, Reveal, Statement};
use agon_keys::AccountId;
use agon_model::digest::Digest;
use agon_neuron::{ChainClient, ChainState, Commitment, Metagraph, ReadError, SignedBytes};
use std::collections::BTreeMap;

/// A registered hotkey's submission.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Who submitted.
    pub hotkey: AccountId,
    /// Block of the commitment; of its seal, if it came in two phases.
    pub block: u64,
    /// Index of its extrinsic in that block; the largest number when the node no longer knows it.
    pub extrinsic_index: u32,
    /// The claimed model, or why the submission is refused before anything is fetched.
    pub claim: Result<Claim, Refused>,
}

impl Entry {
    /// What submissions are ordered by: block and index of the commitment, then the hotkey.
    pub fn committed(&self) -> (u64, u32, AccountId) {
        (self.block, self.extrinsic_index, self.hotkey)
    }
}

/// A submission that is refused by its commitment alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The claimed model, if the commitment names its digest.
    pub artefact: Option<Digest>,
    /// Why.
    pub reason: String,
}

/// Which commitments are submissions.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The competition's name, for the forms that name one.
    pub competition: &'a str,
    /// The names of competitions beside it. Who submits to one of them is not refused here, but not there at all.
    pub others: &'a [String],
    /// The forms it takes.
    pub forms: &'a [Form],
    /// A hotkey with a validator's permit and more stake than this, in rao, judges and does not compete.
    pub stake_limit: Option<u64>,
}

impl Rules<'_> {
    /// Whether a commitment is to one of the other competitions.
    fn is_elsewhere(&self, commitment: &Commitment) -> bool {
        let Ok(statement) = Statement::read(&commitment.data, self.forms) else {
            return false;
        };
        let named = statement.competition();
        named.is_some_and(|named| self.others.iter().any(|other| other == named))
    }

    /// Whether a hotkey takes part: registered, and no validator.
    fn admit(&self, metagraph: &Metagraph, hotkey: &AccountId) -> bool {
        let Some(uid) = metagraph.uid_of(hotkey).map(usize::from) else {
            return false;
        };
        let is_permitted = metagraph.validator_permit.get(uid) == Some(&true);
        let stake = metagraph.stake.get(uid).copied().unwrap_or(0);
        !self
            .stake_limit
            .is_some_and(|limit| is_permitted && stake > limit)
    }
}

/// What was found of the seals that reveals refer to: the index of the extrinsic, by hotkey.
pub type Seals = BTreeMap<AccountId, u32>;

/// The submissions at a block, earliest first: [`roster`] of what stands there.
///
/// # Errors
/// When the chain cannot be read.
pub async fn read(
    state: &ChainState,
    netuid: u16,
    rules: Rules<'_>,
) -> Result<Vec<Entry>, ReadError> {
    let (commitments, metagraph) =
        tokio::try_join!(state.commitments(netuid), state.metagraph(netuid))?;
    let seals = seals(state, &commitments, &metagraph, rules).await?;
    Ok(roster(commitments, &seals, &metagraph, rules))
}

/// The submissions at a block that stood there at the block `last` already, earliest first. Who has committed again since
/// then takes part with what stood there at that block, as `archive` knows it; who cannot is refused with the reason.
///
/// Of two phases both must have been done by then: with several seals in earlier blocks a miner could wait for the data
/// and reveal the best.
///
/// # Errors
/// When the chain cannot be read. An archive that has thrown the state of that block away is no error.
pub async fn read_until(
    state: &ChainState,
    netuid: u16,
    rules: Rules<'_>,
    last: u64,
    archive: &ChainClient,
) -> Result<Vec<Entry>, ReadError> {
    let (commitments, metagraph) =
        tokio::try_join!(state.commitments(netuid), state.metagraph(netuid))?;
    let (mut counting, late): (Vec<_>, Vec<_>) = commitments
        .into_iter()
        .filter(|commitment| rules.admit(&metagraph, &commitment.hotkey))
        .partition(|commitment| commitment.block <= last);
    let earlier = match late.is_empty() {
        true => None,
        false => earlier(state, netuid, last, archive).await?,
    };
    let mut refused = Vec::new();
    for commitment in late {
        let before = earlier.as_ref().map(|all| all.get(&commitment.hotkey));
        let since = match before {
            Some(Some(before)) => {
                counting.push(before.clone());
                continue;
            }
            Some(None) if rules.is_elsewhere(&commitment) => continue,
            Some(None) => "before it the hotkey had committed nothing".to_owned(),
            None => format!(
                "what stood there before is not known: this node keeps no state of block {last}; --archive_node_url \
                 names one that does"
            ),
        };
        let late = entry(&commitment, &Seals::new(), rules);
        let artefact = match late.claim {
            Ok(claim) => claim.content.digest(),
            Err(refused) => refused.artefact,
        };
        let reason = format!(
            "too late: committed in block {}, and block {last} is the last that counts for this release; {since}",
            commitment.block
        );
        refused.push(Entry {
            claim: Err(Refused { artefact, reason }),
            ..late
        });
    }
    let seals = seals(state, &counting, &metagraph, rules).await?;
    let mut entries = roster(counting, &seals, &metagraph, rules);
    entries.extend(refused);
    entries.sort_by_key(|entry| (entry.block, entry.extrinsic_index, entry.hotkey));
    Ok(entries)
}

/// What stood on chain at an earlier block, by hotkey; `None` where its state is kept nowhere.
async fn earlier(
    state: &ChainState,
    netuid: u16,
    block: u64,
    archive: &ChainClient,
) -> Result<Option<BTreeMap<AccountId, Commitment>>, ReadError> {
    let Some(hash) = state.block_hash(block).await? else {
        return Ok(None);
    };
    let read = async { archive.at(hash).await?.commitments(netuid).await };
    match read.await {
        Ok(commitments) => Ok(Some(
            commitments
                .into_iter()
                .map(|commitment| (commitment.hotkey, commitment))
                .collect(),
        )),
        Err(error @ (ReadError::Refused { .. } | ReadError::NoSuchBlock { .. })) => {
            tracing::warn!(block, %error, "earlier commitments are not known");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The seals that reveals refer to, where they are on chain.
async fn seals(
    state: &ChainState,
    commitments: &[Commitment],
    metagraph: &Metagraph,
    rules: Rules<'_>,
) -> Result<Seals, ReadError> {
    let wanted: Vec<SignedBytes> = commitments
        .iter()
        .filter(|commitment| rules.admit(metagraph, &commitment.hotkey))
        .filter_map(|commitment| sealed(commitment, rules))
        .collect();
    let found = state.signed(&wanted).await?;
    let places = wanted.iter().zip(found);
    Ok(places
        .filter_map(|(wanted, index)| Some((wanted.signer, index?)))
        .collect())
}

/// The seal that a commitment refers to, if it is a reveal: what is to be looked for on chain.
pub fn sealed(commitment: &Commitment, rules: Rules) -> Option<SignedBytes> {
    match Statement::read(&commitment.data, rules.forms) {
        Ok(Statement::Reveal(reveal)) if reveal.block < commitment.block => {
            let seal = reveal.seal(&commitment.hotkey, rules.competition);
            Some(SignedBytes {
                block: reveal.block,
                signer: commitment.hotkey,
                bytes: seal.to_string().into_bytes(),
            })
        }
        _ => None,
    }
}

/// The submissions to a competition, earliest first.
///
/// Commitments of hotkeys that have no uid, or that validate, do not count. Order is by block, then extrinsic index, then
/// hotkey, and what came in two phases stands where its seal stands; the first to claim a digest owns it and
/// every later claim of it is refused as a copy.
pub fn roster(
    commitments: Vec<Commitment>,
    seals: &Seals,
    metagraph: &Metagraph,
    rules: Rules,
) -> Vec<Entry> {
    let mut entries: Vec<Entry> = commitments
        .into_iter()
        .filter(|commitment| rules.admit(metagraph, &commitment.hotkey))
        .filter(|commitment| !rules.is_elsewhere(commitment))
        .map(|commitment| entry(&commitment, seals, rules))
        .collect();
    entries.sort_by_key(Entry::committed);
    let mut owners: BTreeMap<Digest, (AccountId, u64)> = BTreeMap::new();
    for entry in &mut entries {
        let Ok(claim) = &entry.claim else { continue };
        let Some(digest) = claim.content.digest() else {
            continue;
        };
        match owners.get(&digest) {
            None => drop(owners.insert(digest, (entry.hotkey, entry.block))),
            Some((owner, block)) => {
                let reason =
                    format!("a copy: {owner} committed this file earlier, in block {block}");
                entry.claim = Err(Refused {
                    artefact: Some(digest),
                    reason,
                });
            }
        }
    }
    entries
}

/// A block, and the index of an extrinsic in it.
type Place = (u64, u32);

fn entry(commitment: &Commitment, seals: &Seals, rules: Rules) -> Entry {
    let committed = (
        commitment.block,
        commitment.extrinsic_index.unwrap_or(u32::MAX),
    );
    let refused = |artefact, reason| Err(Refused { artefact, reason });
    let (claim, place) = match Statement::read(&commitment.data, rules.forms) {
        Err(error) => (refused(None, error.to_string()), committed),
        Ok(statement) => match admit(&statement, commitment, seals, rules.competition) {
            Ok((claim, sealed)) => (Ok(claim), sealed.unwrap_or(committed)),
            Err(reason) => (refused(statement.digest(), reason), committed),
        },
    };
    Entry {
        hotkey: commitment.hotkey,
        block: place.0,
        extrinsic_index: place.1,
        claim,
    }
}

/// What is claimed, and the place of its seal if it has one; or why it does not count.
fn admit(
    statement: &Statement,
    commitment: &Commitment,
    seals: &Seals,
    competition: &str,
) -> Result<(Claim, Option<Place>), String> {
    if let Some(named) = statement.competition()
        && named != competition
    {
        return Err(format!("submitted to {named:?}, not to {competition:?}"));
    }
    let claim = statement.claim().map_err(|error| error.to_string())?;
    let place = match statement {
        Statement::Reveal(reveal) => Some(place_of_seal(reveal, commitment, seals)?),
        _ => None,
    };
    Ok((claim, place))
}

fn place_of_seal(reveal: &Reveal, commitment: &Commitment, seals: &Seals) -> Result<Place, String> {
    let (sealed, revealed) = (reveal.block, commitment.block);
    if sealed >= revealed {
        return Err(format!(
            "revealed in block {revealed}, which is not after block {sealed} of the seal"
        ));
    }
    let index = seals.get(&commitment.hotkey).ok_or_else(|| {
        format!(
            "block {sealed} has no seal by this hotkey of what is revealed, for this competition"
        )
    })?;
    Ok((sealed, *index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use agon_neuron::Columns;

    fn hotkey(number: u8) -> AccountId {
        AccountId::from([number; 32])
    }

    fn metagraph(hotkeys: &[u8]) -> Metagraph {
        let hotkeys = hotkeys.iter().copied().map(hotkey);
        Metagraph::new(Columns::registered(hotkeys.collect())).unwrap()
    }

    fn commitment(number: u8, block: u64, index: u32, data: &str) -> Commitment {
        Commitment {
            hotkey: hotkey(number),
            block,
            extrinsic_index: Some(index),
            data: data.as_bytes().to_vec(),
        }
    }

    const RULES: Rules = Rules {
        competition: "c",
        others: &[],
        forms: &[Form::File, Form::TwoPhase],
        stake_limit: None,
    };

    fn unsealed(commitments: Vec<Commitment>, hotkeys: &[u8]) -> Vec<Entry> {
        roster(commitments, &Seals::new(), &metagraph(hotkeys), RULES)
    }

    #[test]
    fn the_earlier_commitment_owns_a_digest_whatever_the_order_of_the_list() {
        let claim = format!("local:model:c:{}", Digest::of(b"weights"));
        let commitments = vec![
            commitment(1, 7, 3, &claim),
            commitment(2, 7, 2, &claim),
            commitment(3, 9, 0, &claim),
        ];
        let entries = unsealed(commitments, &[1, 2, 3]);
        assert_eq!(entries[0].hotkey, hotkey(2));
        assert!(entries[0].claim.is_ok());
        for entry in &entries[1..] {
            let refused = entry.claim.as_ref().unwrap_err();
            assert!(
                refused.reason.contains(&hotkey(2).to_string()),
                "{}",
                refused.reason
            );
            assert_eq!(refused.artefact, Some(Digest::of(b"weights")));
        }
    }

    #[test]
    fn strangers_do_not_count_and_other_claims_are_refused_with_a_reason() {
        let other = format!("local:model:d:{}", Digest::of(b"weights"));
        let commitments = vec![
            commitment(1, 1, 1, "nonsense"),
            commitment(2, 1, 2, &other),
            commitment(3, 1, 3, &format!("seal:{}", Digest::of(b"x"))),
            commitment(9, 1, 0, &format!("local:model:c:{}", Digest::of(b"x"))),
        ];
        let entries = unsealed(commitments, &[1, 2, 3]);
        assert_eq!(entries.len(), 3);
        let reasons = entries
            .iter()
            .map(|e| e.claim.as_ref().unwrap_err().reason.as_str());
        let reasons: Vec<_> = reasons.collect();
        assert!(reasons[0].contains("1 fields"), "{reasons:?}");
        assert!(reasons[1].contains("not to \"c\""), "{reasons:?}");
        assert!(reasons[2].contains("not revealed yet"), "{reasons:?}");
    }

    #[test]
    fn who_submits_to_another_competition_beside_it_is_not_there() {
        let claim = |competition: &str| format!("local:model:{competition}:{}", Digest::of(b"w"));
        let commitments = vec![
            commitment(1, 1, 1, &claim("d")),
            commitment(2, 1, 2, &claim("c")),
            commitment(3, 1, 3, &claim("e")),
        ];
        let others = ["d".to_owned()];
        let rules = Rules {
            others: &others,
            ..RULES
        };
        let entries = roster(commitments, &Seals::new(), &metagraph(&[1, 2, 3]), rules);
        let there: Vec<_> = entries
            .iter()
            .map(|it| (it.hotkey, it.claim.is_ok()))
            .collect();
        // What nobody knows is refused with the reason, and a file belongs to whoever is there.
        assert_eq!(there, [(hotkey(2), true), (hotkey(3), false)]);
    }

    fn reveal(block: u64) -> String {
        let reveal = Reveal {
            block,
            digest: Digest::of(b"weights"),
            salt: [5; 12],
            repository: "local".into(),
        };
        reveal.to_string()
    }

    #[test]
    fn a_seal_gives_its_place_to_what_is_revealed_later() {
        // 2 sealed first and revealed last; 1 saw the file of 3 and committed it at once.
        let plain = format!("local:model:c:{}", Digest::of(b"weights"));
        let commitments = vec![
            commitment(1, 8, 0, &plain),
            commitment(2, 9, 0, &reveal(5)),
            commitment(3, 7, 1, &reveal(6)),
        ];
        let wanted: Vec<_> = commitments.iter().map(|it| sealed(it, RULES)).collect();
        assert_eq!(wanted[0], None);
        let sought = wanted[1].as_ref().unwrap();
        assert_eq!((sought.block, sought.signer), (5, hotkey(2)));
        assert_ne!(sought.bytes, wanted[2].as_ref().unwrap().bytes);
        let seals = [(hotkey(2), 4), (hotkey(3), 0)].into();
        let entries = roster(commitments, &seals, &metagraph(&[1, 2, 3]), RULES);
        let order: Vec<_> = entries
            .iter()
            .map(|it| (it.hotkey, it.block, it.extrinsic_index, it.claim.is_ok()))
            .collect();
        assert_eq!(
            order,
            [
                (hotkey(2), 5, 4, true),
                (hotkey(3), 6, 0, false),
                (hotkey(1), 8, 0, false)
            ]
        );
    }

    #[test]
    fn what_opens_no_seal_is_refused() {
        let commitments = vec![
            commitment(1, 9, 0, &reveal(5)),
            commitment(2, 9, 1, &reveal(9)),
        ];
        // A block that is not earlier is not even looked at.
        assert_eq!(sealed(&commitments[1], RULES), None);
        let entries = unsealed(commitments, &[1, 2]);
        let reason = |at: usize| entries[at].claim.as_ref().unwrap_err().reason.clone();
        assert!(reason(0).contains("block 5 has no seal"), "{}", reason(0));
        assert!(reason(1).contains("not after block 9"), "{}", reason(1));
        // Their place is that of the commitment: nothing proves an earlier one.
        assert_eq!((entries[0].block, entries[1].block), (9, 9));
    }
}

//! Who counts in a round: a pure function of the chain at the cut-off.

use crate::commitment::Claim;
use agon_keys::AccountId;
use agon_model::digest::Digest;
use agon_neuron::{Commitment, Metagraph};
use std::collections::BTreeMap;

/// A registered hotkey's submission.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Who submitted.
    pub hotkey: AccountId,
    /// Block of the commitment.
    pub block: u64,
    /// Index of its extrinsic in that block; the largest number when the node no longer knows it.
    pub extrinsic_index: u32,
    /// The claimed model, or why the submission is refused before anything is fetched.
    pub claim: Result<Claim, Refused>,
}

/// A submission that is refused by its commitment alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The claimed model, if the commitment is a claim.
    pub artefact: Option<Digest>,
    /// Why.
    pub reason: String,
}

/// The submissions to `competition`, earliest first.
///
/// Commitments of hotkeys without a uid do not count. Order is by block, then extrinsic index, then
/// hotkey; the first to claim a digest owns it and every later claim of it is refused as a copy.
pub fn roster(
    commitments: Vec<Commitment>,
    metagraph: &Metagraph,
    competition: &str,
) -> Vec<Entry> {
    let mut entries: Vec<Entry> = commitments
        .into_iter()
        .filter(|commitment| metagraph.uid_of(&commitment.hotkey).is_some())
        .map(|commitment| Entry {
            hotkey: commitment.hotkey,
            block: commitment.block,
            extrinsic_index: commitment.extrinsic_index.unwrap_or(u32::MAX),
            claim: read_claim(&commitment.data, competition),
        })
        .collect();
    entries.sort_by_key(|entry| (entry.block, entry.extrinsic_index, entry.hotkey));
    let mut owners: BTreeMap<Digest, (AccountId, u64)> = BTreeMap::new();
    for entry in &mut entries {
        let Ok(claim) = &entry.claim else { continue };
        match owners.get(&claim.digest) {
            None => {
                owners.insert(claim.digest, (entry.hotkey, entry.block));
            }
            Some((owner, block)) => {
                let reason =
                    format!("a copy: {owner} committed this file earlier, in block {block}");
                entry.claim = Err(Refused {
                    artefact: Some(claim.digest),
                    reason,
                });
            }
        }
    }
    entries
}

fn read_claim(data: &[u8], competition: &str) -> Result<Claim, Refused> {
    let refused = |artefact, reason| Refused { artefact, reason };
    let claim = Claim::from_bytes(data).map_err(|error| refused(None, error.to_string()))?;
    if claim.competition != competition {
        let reason = format!(
            "submitted to {:?}, not to {competition:?}",
            claim.competition
        );
        return Err(refused(Some(claim.digest), reason));
    }
    Ok(claim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use agon_neuron::Columns;

    fn hotkey(number: u8) -> AccountId {
        AccountId::from([number; 32])
    }

    fn metagraph(hotkeys: &[u8]) -> Metagraph {
        let n = hotkeys.len();
        Metagraph::new(Columns {
            hotkeys: hotkeys.iter().copied().map(hotkey).collect(),
            coldkeys: vec![hotkey(99); n],
            stake: vec![0; n],
            stake_weight: vec![0; n],
            incentive: vec![0; n],
            dividends: vec![0; n],
            emission: vec![0; n],
            consensus: vec![0; n],
            validator_trust: vec![0; n],
            validator_permit: vec![false; n],
            active: vec![true; n],
            last_update: vec![0; n],
            block_at_registration: vec![0; n],
            axons: vec![None; n],
            ..Columns::default()
        })
        .unwrap()
    }

    fn commitment(number: u8, block: u64, index: u32, data: &str) -> Commitment {
        Commitment {
            hotkey: hotkey(number),
            block,
            extrinsic_index: Some(index),
            data: data.as_bytes().to_vec(),
        }
    }

    #[test]
    fn the_earlier_commitment_owns_a_digest_whatever_the_order_of_the_list() {
        let claim = format!("local:model:c:{}", Digest::of(b"weights"));
        let commitments = vec![
            commitment(1, 7, 3, &claim),
            commitment(2, 7, 2, &claim),
            commitment(3, 9, 0, &claim),
        ];
        let entries = roster(commitments, &metagraph(&[1, 2, 3]), "c");
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
            commitment(9, 1, 0, &format!("local:model:c:{}", Digest::of(b"x"))),
        ];
        let entries = roster(commitments, &metagraph(&[1, 2]), "c");
        assert_eq!(entries.len(), 2);
        let reasons = entries
            .iter()
            .map(|e| e.claim.as_ref().unwrap_err().reason.as_str());
        let reasons: Vec<_> = reasons.collect();
        assert!(reasons[0].contains("1 fields"), "{reasons:?}");
        assert!(reasons[1].contains("not to \"c\""), "{reasons:?}");
    }
}

//! Who is judged in a round that has fewer seats than there are submissions.
//!
//! A function of what the chain and the ledger hold, so that validators with the same past choose the same. Who earns
//! stays, or a crowd of newcomers would take pay away without being better; but only half of the seats are kept, or nobody
//! could overtake. The others wait in one queue, since they were judged last or, who never was, since they committed: whoever
//! comes later stands behind, so no crowd keeps anybody waiting for ever.

use crate::roster::Entry;
use agon_keys::AccountId;
use std::collections::{BTreeMap, BTreeSet};

/// Take `seats` of the entries and leave them in their order; the hotkeys of the others, in their order. `shares` are those
/// of the rounds before; `judged` is the cut-off of the last of them in which a hotkey was judged.
pub(super) fn fill(
    entries: &mut Vec<Entry>,
    seats: usize,
    shares: &BTreeMap<AccountId, f64>,
    judged: &BTreeMap<AccountId, u64>,
) -> Vec<AccountId> {
    let share = |entry: &Entry| shares.get(&entry.hotkey).copied().unwrap_or(0.0);
    let mut queue: Vec<&Entry> = entries.iter().collect();
    // Stable: who is equal stays in the order of the commitments.
    queue.sort_by(|a, b| share(b).total_cmp(&share(a)));
    let earning = queue.iter().take_while(|entry| share(entry) > 0.0).count();
    let kept = earning.min(seats / 2);
    let since = |entry: &Entry| judged.get(&entry.hotkey).copied().unwrap_or(entry.block);
    queue[kept..].sort_by_key(|entry| (since(entry), entry.committed()));
    let seated: BTreeSet<AccountId> = queue.iter().take(seats).map(|entry| entry.hotkey).collect();
    let waiting = |entry: &&Entry| !seated.contains(&entry.hotkey);
    let waiting = entries.iter().filter(waiting).map(|entry| entry.hotkey);
    let waiting = waiting.collect();
    entries.retain(|entry| seated.contains(&entry.hotkey));
    waiting
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::Refused;

    fn hotkey(number: u8) -> AccountId {
        AccountId::from([number; 32])
    }

    /// Committed in the order of their numbers.
    fn entries(numbers: impl IntoIterator<Item = u8>) -> Vec<Entry> {
        let entry = |number: u8| Entry {
            hotkey: hotkey(number),
            block: u64::from(number),
            extrinsic_index: 0,
            claim: Err(Refused {
                artefact: None,
                reason: String::new(),
            }),
        };
        numbers.into_iter().map(entry).collect()
    }

    fn seated(
        numbers: impl IntoIterator<Item = u8>,
        seats: usize,
        shares: &[(u8, f64)],
        judged: &BTreeMap<AccountId, u64>,
    ) -> Vec<u8> {
        let mut entries = entries(numbers);
        let all = entries.len();
        let shares = shares
            .iter()
            .map(|&(of, share)| (hotkey(of), share))
            .collect();
        let waiting = fill(&mut entries, seats, &shares, judged);
        assert_eq!(entries.len() + waiting.len(), all);
        entries.iter().map(|entry| entry.block as u8).collect()
    }

    #[test]
    fn all_are_judged_where_there_are_seats() {
        let nothing = BTreeMap::new();
        assert_eq!(seated(1..5, 4, &[], &nothing), [1, 2, 3, 4]);
        assert_eq!(seated(1..5, 9, &[(3, 1.0)], &nothing), [1, 2, 3, 4]);
    }

    #[test]
    fn the_best_stay_and_the_others_come_in_the_order_of_their_waiting() {
        let judged = [(1, 40), (2, 30), (3, 40), (4, 40), (5, 7)];
        let judged = judged.map(|(of, block)| (hotkey(of), block)).into();
        let shares = [(1, 0.1), (3, 0.5), (4, 0.3), (2, 0.1)];
        // Of four who earn, the two best; 6 committed before 5 was judged, 8 after it.
        assert_eq!(seated(1..9, 4, &shares, &judged), [3, 4, 5, 6]);
        assert_eq!(seated(1..6, 4, &shares, &judged), [2, 3, 4, 5]);
        // One seat is nobody's.
        assert_eq!(seated(1..6, 1, &shares, &judged), [5]);
        assert_eq!(seated(1..6, 0, &shares, &judged), [0; 0]);
    }

    #[test]
    fn everybody_has_a_turn_whatever_crowd_arrives() {
        let mut judged = BTreeMap::new();
        // Ten are there, and two of them earn all the time. In every round two more come, as many as the free seats.
        for cutoff in (12..=60).step_by(2) {
            for number in seated(0..cutoff, 4, &[(0, 0.6), (1, 0.4)], &judged) {
                judged.insert(hotkey(number), u64::from(cutoff));
            }
        }
        assert_eq!((judged[&hotkey(0)], judged[&hotkey(1)]), (60, 60));
        // The others of the first ten were judged by block 18 once; all of them have had another turn.
        for number in 2..10 {
            let last = judged[&hotkey(number)];
            assert!(last > 30, "{number} waits since block {last}");
        }
    }
}

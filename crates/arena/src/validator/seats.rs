//! Who is judged in a round that has fewer seats than there are submissions.
//!
//! A function of what the chain and the ledger hold, so that validators with the same past choose the same. Who earns
//! stays, or a crowd of newcomers would take pay away without being better; but only half of the seats are kept, or nobody
//! could overtake. The others wait: whoever was never judged is next, then whoever was judged longest ago.

use crate::roster::Entry;
use agon_keys::AccountId;
use std::collections::{BTreeMap, BTreeSet};

/// Take `seats` of the entries and leave them in their order; the hotkeys of the others, in their order. `shares` are those
/// of the rounds before; `judged` says in which of them a hotkey was judged last.
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
    // A hotkey that was never judged has waited longest.
    queue[kept..].sort_by_key(|entry| (judged.get(&entry.hotkey).copied(), entry.committed()));
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
    fn the_best_stay_and_newcomers_come_before_those_judged_before() {
        let judged = [(1, 4), (2, 3), (3, 4), (4, 4), (5, 2)];
        let judged = judged.map(|(of, round)| (hotkey(of), round)).into();
        let shares = [(1, 0.1), (3, 0.5), (4, 0.3), (2, 0.1)];
        // Of four who earn, the two best; then 6 and 7, who were never judged.
        assert_eq!(seated(1..9, 4, &shares, &judged), [3, 4, 6, 7]);
        assert_eq!(seated(1..6, 4, &shares, &judged), [2, 3, 4, 5]);
        // One seat is nobody's.
        assert_eq!(seated(1..6, 1, &shares, &judged), [5]);
        assert_eq!(seated(1..6, 0, &shares, &judged), [0; 0]);
    }

    #[test]
    fn everybody_has_a_turn_while_newcomers_arrive() {
        let mut judged = BTreeMap::new();
        let mut last = BTreeMap::new();
        for round in 1..=40 {
            // One new hotkey in every second round, and two earn all the time.
            let there = 0..(10 + round as u8 / 2);
            for number in seated(there, 4, &[(0, 0.6), (1, 0.4)], &judged) {
                judged.insert(hotkey(number), round);
                last.insert(number, round);
            }
        }
        for number in 0..10 {
            let waited = 40 - last[&number];
            assert!(waited <= 30, "{number} has waited for {waited} rounds");
        }
        assert_eq!((last[&0], last[&1]), (40, 40));
    }
}

//! Revealing time-locked fields.

use super::data::{CommitmentInfo, Data};
use super::pallet::*;
use crate::drand;
use agon_timelock::Ciphertext;
use frame_support::BoundedVec;
use sp_core::ConstU32;
use sp_runtime::{AccountId32, SaturatedConversion};
use std::collections::BTreeSet;

/// How many revealed texts of a neuron are kept.
const KEPT: usize = 10;

impl<T: Config> Pallet<T> {
    /// The block step's part: reveals every time-locked field whose round is stored.
    pub(super) fn reveal_timelocked() {
        let index = TimelockedIndex::<T>::get();
        let waiting: BTreeSet<_> = index
            .iter()
            .filter(|(netuid, who)| Self::reveal_neurons(*netuid, who))
            .cloned()
            .collect();
        if waiting != index {
            TimelockedIndex::<T>::put(waiting);
        }
    }

    /// The rounds of the beacon that commitments wait for.
    pub fn awaited_rounds() -> impl Iterator<Item = u64> {
        TimelockedIndex::<T>::get()
            .into_iter()
            .filter_map(|(netuid, who)| CommitmentOf::<T>::get(netuid, who))
            .flat_map(|registration| registration.info.fields)
            .filter_map(|field| field.reveal_round())
    }

    /// Reveals what can be revealed of one neuron's commitment; whether something still waits.
    fn reveal_neurons(netuid: u16, who: &AccountId32) -> bool {
        let Some(mut registration) = CommitmentOf::<T>::get(netuid, who) else {
            return false;
        };
        let mut kept: BoundedVec<Data, ConstU32<3>> = BoundedVec::new();
        let mut revealed = Vec::new();
        let before = registration.info.fields.len();
        for field in registration.info.fields {
            let signature = field
                .reveal_round()
                .and_then(drand::Pallet::<T>::signature_of);
            match (&field, signature) {
                (Data::TimelockEncrypted { encrypted, .. }, Some(signature)) => {
                    // A field that does not open is dropped: it never will.
                    let opened = Ciphertext::from_bytes(encrypted)
                        .ok()
                        .and_then(|ciphertext| ciphertext.open(&signature).ok());
                    revealed.extend(opened.filter(|text| !text.is_empty()));
                }
                // No more than there were.
                _ => kept.force_push(field),
            }
        }
        let is_waiting = kept.iter().any(|field| field.reveal_round().is_some());
        if kept.is_empty() {
            CommitmentOf::<T>::remove(netuid, who);
        } else if kept.len() < before {
            registration.info = CommitmentInfo { fields: kept };
            CommitmentOf::<T>::insert(netuid, who, registration);
        }
        if !revealed.is_empty() {
            let block = frame_system::Pallet::<T>::block_number().saturated_into();
            let mut texts = RevealedCommitments::<T>::get(netuid, who).unwrap_or_default();
            for text in revealed {
                texts.push((text, block));
                Self::deposit_event(Event::CommitmentRevealed {
                    netuid,
                    who: who.clone(),
                });
            }
            let surplus = texts.len().saturating_sub(KEPT);
            texts.drain(..surplus);
            RevealedCommitments::<T>::insert(netuid, who, texts);
        }
        is_waiting
    }
}

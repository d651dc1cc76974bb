//! When epochs run: the public chain's dynamic tempo.

use super::pallet::*;

/// After this many blocks without an epoch one runs whatever the tempo says.
const MAX_BLOCKS_SINCE_STEP: u64 = 50_400;

impl<T: Config> Pallet<T> {
    /// The block in which a subnet's next epoch starts; none without a tempo or without the subnet.
    pub fn next_epoch_start_block(netuid: u16) -> Option<u64> {
        let tempo = u64::from(Tempo::<T>::get(netuid));
        if tempo == 0 || !NetworksAdded::<T>::get(netuid) {
            return None;
        }
        let regular = LastEpochBlock::<T>::get(netuid).saturating_add(tempo);
        let pending = PendingEpochAt::<T>::get(netuid);
        Some(if pending > 0 {
            regular.min(pending)
        } else {
            regular
        })
    }

    /// Whether a subnet's epoch runs in this block if there is room for it.
    fn epoch_is_due(netuid: u16) -> bool {
        let is_late = BlocksSinceLastStep::<T>::get(netuid) > MAX_BLOCKS_SINCE_STEP;
        Self::next_epoch_start_block(netuid).is_some_and(|start| is_late || Self::now() >= start)
    }

    /// The block step's part: counts blocks and runs what is due, at most [`MaxEpochsPerBlock`].
    pub(super) fn run_due_epochs() {
        let block = Self::now();
        let mut room = MaxEpochsPerBlock::<T>::get();
        for netuid in Self::subnets() {
            BlocksSinceLastStep::<T>::mutate(netuid, |blocks| *blocks = blocks.saturating_add(1));
            if !Self::epoch_is_due(netuid) {
                continue;
            }
            if room == 0 {
                let next = block.saturating_add(1);
                PendingEpochAt::<T>::insert(netuid, next);
                Self::deposit_event(Event::EpochDeferred {
                    netuid,
                    from_block: block,
                    to_block: next,
                });
                continue;
            }
            room -= 1;
            BlocksSinceLastStep::<T>::insert(netuid, 0);
            LastEpochBlock::<T>::insert(netuid, block);
            PendingEpochAt::<T>::insert(netuid, 0);
            SubnetEpochIndex::<T>::mutate(netuid, |index| *index = index.saturating_add(1));
            if Self::run_epoch(netuid) {
                LastMechansimStepBlock::<T>::insert(netuid, block);
            } else {
                Self::deposit_event(Event::EpochSkipped { netuid, block });
            }
        }
    }
}

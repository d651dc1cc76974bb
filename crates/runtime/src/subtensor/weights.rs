//! Setting weights.

use super::ROOT;
use super::pallet::*;
use crate::yuma::math::{check_vec_max_limited, vec_u16_max_upscale_to_u16};
use codec::Compact;
use frame_support::pallet_prelude::*;
use sp_runtime::AccountId32;
use std::collections::BTreeSet;

impl<T: Config> Pallet<T> {
    /// Sets weights, with the public chain's checks in its order.
    ///
    /// With commit-reveal on this is not refused; as on the public chain it then leaves `LastUpdate` alone.
    pub(super) fn do_set_weights(
        hotkey: AccountId32,
        netuid: u16,
        mechanism: u8,
        uids: Vec<u16>,
        values: Vec<u16>,
        version_key: u64,
    ) -> DispatchResult {
        ensure!(netuid != ROOT, Error::<T>::CanNotSetRootNetworkWeights);
        ensure!(
            uids.len() == values.len(),
            Error::<T>::WeightVecNotEqualSize
        );
        let index =
            Self::storage_index(netuid, mechanism).ok_or(Error::<T>::MechanismDoesNotExist)?;
        let n = SubnetworkN::<T>::get(netuid);
        ensure!(
            uids.len() <= usize::from(n),
            Error::<T>::UidsLengthExceedUidsInSubNet
        );
        let uid = Uids::<T>::get(netuid, &hotkey).ok_or(Error::<T>::HotKeyNotRegisteredInSubNet)?;
        let is_owner = SubnetOwnerHotkey::<T>::get(netuid) == hotkey;
        ensure!(
            is_owner || Self::stake_weight(&hotkey, netuid) >= StakeThreshold::<T>::get(),
            Error::<T>::NotEnoughStakeToSetWeights
        );
        let least_key = WeightsVersionKey::<T>::get(netuid);
        ensure!(
            least_key == 0 || version_key >= least_key,
            Error::<T>::IncorrectWeightVersionKey
        );
        let is_direct = !CommitRevealWeightsEnabled::<T>::get(netuid);
        if is_direct {
            ensure!(
                Self::may_update(netuid, index, uid),
                Error::<T>::SettingWeightsTooFast
            );
        }
        let is_self_weight = uids == [uid];
        let has_permit = ValidatorPermit::<T>::get(netuid)
            .get(usize::from(uid))
            .copied()
            .unwrap_or(false);
        ensure!(
            is_self_weight || is_owner || has_permit,
            Error::<T>::NeuronNoValidatorPermit
        );
        ensure!(
            uids.iter().collect::<BTreeSet<_>>().len() == uids.len(),
            Error::<T>::DuplicateUids
        );
        ensure!(
            uids.iter().all(|&to| to < n),
            Error::<T>::UidVecContainInvalidOne
        );
        let least = MinAllowedWeights::<T>::get(netuid).min(n);
        ensure!(
            is_self_weight || uids.len() >= usize::from(least),
            Error::<T>::WeightVecLengthIsLow
        );
        let values = vec_u16_max_upscale_to_u16(&values);
        ensure!(
            is_self_weight || check_vec_max_limited(&values, MaxWeightsLimit::<T>::get(netuid)),
            Error::<T>::MaxWeightExceeded
        );

        Weights::<T>::insert(index, uid, uids.into_iter().zip(values).collect::<Vec<_>>());
        if is_direct {
            Self::touch(index, uid);
        }
        Self::deposit_event(Event::WeightsSet(index, uid));
        Ok(())
    }

    /// Sets weights in several subnets, each for itself: what fails is told in events. Unlike a single setting it is
    /// refused where weights must be committed.
    pub(super) fn do_batch_set_weights(
        hotkey: AccountId32,
        netuids: Vec<Compact<u16>>,
        weights: Vec<Vec<(Compact<u16>, Compact<u16>)>>,
        version_keys: Vec<Compact<u64>>,
    ) -> DispatchResult {
        ensure!(
            netuids.len() == weights.len() && netuids.len() == version_keys.len(),
            Error::<T>::InputLengthsUnequal
        );
        let items = netuids.iter().zip(weights).zip(version_keys);
        let outcomes = items
            .map(|((netuid, weights), version_key)| {
                let (uids, values) = weights
                    .into_iter()
                    .map(|(uid, value)| (uid.0, value.0))
                    .unzip();
                let outcome = if CommitRevealWeightsEnabled::<T>::get(netuid.0) {
                    Err(Error::<T>::CommitRevealEnabled.into())
                } else {
                    Self::do_set_weights(hotkey.clone(), netuid.0, 0, uids, values, version_key.0)
                };
                (netuid.0, outcome)
            })
            .collect();
        Self::tell_batch(hotkey, netuids, outcomes);
        Ok(())
    }

    /// Whether a uid may set or commit weights again, by the time of its last ones.
    pub(crate) fn may_update(netuid: u16, index: u16, uid: u16) -> bool {
        let last = LastUpdate::<T>::get(index)
            .get(usize::from(uid))
            .copied()
            .unwrap_or(0);
        let age = Self::now().saturating_sub(last);
        last == 0 || age >= WeightsSetRateLimit::<T>::get(netuid)
    }

    /// Notes that a uid has set or committed weights in this block.
    pub(super) fn touch(index: u16, uid: u16) {
        LastUpdate::<T>::mutate(index, |blocks| {
            if let Some(last) = blocks.get_mut(usize::from(uid)) {
                *last = Self::now();
            }
        });
    }
}

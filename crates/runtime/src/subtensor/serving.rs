//! Announcing where a neuron can be reached.

use super::pallet::*;
use super::types::AxonInfo;
use frame_support::pallet_prelude::*;
use sp_runtime::AccountId32;

impl<T: Config> Pallet<T> {
    pub(super) fn do_serve_axon(
        hotkey: AccountId32,
        netuid: u16,
        axon: AxonInfo,
    ) -> DispatchResult {
        ensure!(
            Uids::<T>::contains_key(netuid, &hotkey),
            Error::<T>::HotKeyNotRegisteredInNetwork
        );
        ensure!(matches!(axon.ip_type, 4 | 6), Error::<T>::InvalidIpType);
        ensure!(
            is_address(axon.ip, axon.ip_type),
            Error::<T>::InvalidIpAddress
        );
        ensure!(axon.port != 0, Error::<T>::InvalidPort);
        if let Some(last) = Axons::<T>::get(netuid, &hotkey) {
            let age = axon.block.saturating_sub(last.block);
            ensure!(
                age >= ServingRateLimit::<T>::get(netuid),
                Error::<T>::ServingRateLimitExceeded
            );
        }
        Axons::<T>::insert(netuid, &hotkey, axon);
        Self::deposit_event(Event::AxonServed(netuid, hotkey));
        Ok(())
    }
}

/// Whether a number can be an address of its kind; zero takes an announcement back.
///
/// The public chain refuses loopback addresses. Here they are the rule: on a development network all neurons live on
/// one machine.
fn is_address(ip: u128, ip_type: u8) -> bool {
    if ip_type == 4 {
        ip < u128::from(u32::MAX)
    } else {
        ip != u128::MAX
    }
}

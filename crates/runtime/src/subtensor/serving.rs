//! Announcing where a neuron can be reached.

use super::pallet::*;
use super::types::{AxonInfo, NeuronCertificate, PrometheusInfo};
use frame_support::pallet_prelude::*;
use sp_runtime::AccountId32;

impl<T: Config> Pallet<T> {
    pub(super) fn do_serve_axon(
        hotkey: AccountId32,
        netuid: u16,
        axon: AxonInfo,
    ) -> DispatchResult {
        Self::check_axon(&hotkey, netuid, &axon)?;
        Axons::<T>::insert(netuid, &hotkey, axon);
        Self::deposit_event(Event::AxonServed(netuid, hotkey));
        Ok(())
    }

    /// Like [`Self::do_serve_axon`]. A certificate that is none is left out, as on the public chain.
    pub(super) fn do_serve_axon_tls(
        hotkey: AccountId32,
        netuid: u16,
        axon: AxonInfo,
        certificate: Vec<u8>,
    ) -> DispatchResult {
        Self::do_serve_axon(hotkey.clone(), netuid, axon)?;
        if let Some(certificate) = parse_certificate(certificate) {
            NeuronCertificates::<T>::insert(netuid, &hotkey, certificate);
        }
        Ok(())
    }

    pub(super) fn do_serve_prometheus(
        hotkey: AccountId32,
        netuid: u16,
        prometheus: PrometheusInfo,
    ) -> DispatchResult {
        Self::check_prometheus(&hotkey, netuid, &prometheus)?;
        Prometheus::<T>::insert(netuid, &hotkey, prometheus);
        Self::deposit_event(Event::PrometheusServed(netuid, hotkey));
        Ok(())
    }

    /// Whether a hotkey may announce this now.
    pub(crate) fn check_axon(
        hotkey: &AccountId32,
        netuid: u16,
        axon: &AxonInfo,
    ) -> Result<(), Error<T>> {
        let last = Axons::<T>::get(netuid, hotkey).map(|axon| axon.block);
        Self::check_announcement(hotkey, netuid, (axon.ip, axon.ip_type, axon.port), last)
    }

    /// Whether a hotkey may announce this now.
    pub(crate) fn check_prometheus(
        hotkey: &AccountId32,
        netuid: u16,
        prometheus: &PrometheusInfo,
    ) -> Result<(), Error<T>> {
        let last = Prometheus::<T>::get(netuid, hotkey).map(|prometheus| prometheus.block);
        let address = (prometheus.ip, prometheus.ip_type, prometheus.port);
        Self::check_announcement(hotkey, netuid, address, last)
    }

    fn check_announcement(
        hotkey: &AccountId32,
        netuid: u16,
        (ip, ip_type, port): (u128, u8, u16),
        last: Option<u64>,
    ) -> Result<(), Error<T>> {
        ensure!(
            Uids::<T>::contains_key(netuid, hotkey),
            Error::<T>::HotKeyNotRegisteredInNetwork
        );
        ensure!(matches!(ip_type, 4 | 6), Error::<T>::InvalidIpType);
        ensure!(is_address(ip, ip_type), Error::<T>::InvalidIpAddress);
        ensure!(port != 0, Error::<T>::InvalidPort);
        let limit = ServingRateLimit::<T>::get(netuid);
        ensure!(
            last.is_none_or(|last| Self::now().saturating_sub(last) >= limit),
            Error::<T>::ServingRateLimitExceeded
        );
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

/// A certificate from its bytes: the algorithm, then the public key of at most 64 bytes.
fn parse_certificate(mut bytes: Vec<u8>) -> Option<NeuronCertificate> {
    if bytes.len() < 2 {
        return None;
    }
    let algorithm = bytes.remove(0);
    let public_key = bytes.try_into().ok()?;
    Some(NeuronCertificate {
        public_key,
        algorithm,
    })
}

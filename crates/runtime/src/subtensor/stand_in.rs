//! Until the pools are merged.
use super::pallet::*;
use sp_runtime::DispatchError;

impl<T: Config> Pallet<T> {
    pub(super) fn price_q64(netuid: u16) -> u128 {
        if SubnetMechanism::<T>::get(netuid) == 0 {
            return 1 << 64;
        }
        (u128::from(SubnetTAO::<T>::get(netuid)) << 64)
            .checked_div(SubnetAlphaIn::<T>::get(netuid).into())
            .unwrap_or(0)
    }

    pub(super) fn buy_alpha(netuid: u16, tao: u64) -> Result<(u64, u64), DispatchError> {
        let (x, y) = (SubnetAlphaIn::<T>::get(netuid), SubnetTAO::<T>::get(netuid));
        let mut alpha = tao;
        if SubnetMechanism::<T>::get(netuid) != 0 {
            alpha = (u128::from(x) * u128::from(tao) / (u128::from(y) + u128::from(tao))) as u64;
            SubnetAlphaIn::<T>::insert(netuid, x - alpha);
        }
        SubnetTAO::<T>::insert(netuid, y + tao);
        SubnetAlphaOut::<T>::mutate(netuid, |out| *out += alpha);
        TotalStake::<T>::mutate(|total| *total += tao);
        Self::count_trade(netuid, tao);
        Ok((alpha, 0))
    }
}

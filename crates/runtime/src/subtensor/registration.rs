//! Becoming a neuron: the price, the free place, and whom a newcomer replaces.

use super::ROOT;
use super::pallet::*;
use frame_support::pallet_prelude::*;
use sp_runtime::AccountId32;

/// 1 as a number with 32 fractional bits.
const ONE_Q32: u64 = 1 << 32;

impl<T: Config> Pallet<T> {
    pub(super) fn do_register_limit(
        coldkey: AccountId32,
        netuid: u16,
        hotkey: AccountId32,
        limit_price: u64,
    ) -> DispatchResult {
        ensure!(
            Burn::<T>::get(netuid) <= limit_price,
            Error::<T>::RegistrationPriceLimitExceeded
        );
        Self::do_register(coldkey, netuid, hotkey)
    }

    /// Gives a hotkey a seat on the root network. When all are taken it replaces the hotkey with the least stake there,
    /// the first of equals.
    pub(super) fn do_root_register(coldkey: AccountId32, hotkey: AccountId32) -> DispatchResult {
        ensure!(
            !Uids::<T>::contains_key(ROOT, &hotkey),
            Error::<T>::HotKeyAlreadyRegisteredInSubNet
        );
        ensure!(
            !Owner::<T>::contains_key(&hotkey) || Owner::<T>::get(&hotkey) == coldkey,
            Error::<T>::NonAssociatedColdKey
        );
        let seats = SubnetworkN::<T>::get(ROOT);
        let is_free = seats < MaxAllowedUids::<T>::get(ROOT);
        let weakest = (0..seats)
            .map(|uid| {
                (
                    TotalHotkeyAlpha::<T>::get(Keys::<T>::get(ROOT, uid), ROOT),
                    uid,
                )
            })
            .min();
        let replaced = match weakest {
            _ if is_free => None,
            Some((least, uid)) if TotalHotkeyAlpha::<T>::get(&hotkey, ROOT) > least => Some(uid),
            _ => return Err(Error::<T>::StakeTooLowForRoot.into()),
        };
        Self::own_hotkey(&coldkey, &hotkey);
        let uid = match replaced {
            Some(uid) => {
                Self::replace_neuron(ROOT, uid, &hotkey);
                uid
            }
            None => Self::append_neuron(ROOT, &hotkey),
        };
        // A member of root is a delegate from now on, with the take it had implicitly.
        Delegates::<T>::insert(&hotkey, Delegates::<T>::get(&hotkey));
        Self::deposit_event(Event::NeuronRegistered(ROOT, uid, hotkey));
        Ok(())
    }

    pub(super) fn do_register(
        coldkey: AccountId32,
        netuid: u16,
        hotkey: AccountId32,
    ) -> DispatchResult {
        ensure!(
            netuid != ROOT,
            Error::<T>::RegistrationNotPermittedOnRootSubnet
        );
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(
            NetworkRegistrationAllowed::<T>::get(netuid),
            Error::<T>::SubNetRegistrationDisabled
        );
        ensure!(
            !Uids::<T>::contains_key(netuid, &hotkey),
            Error::<T>::HotKeyAlreadyRegisteredInSubNet
        );
        let price = Burn::<T>::get(netuid);
        ensure!(
            Self::can_pay(&coldkey, price),
            Error::<T>::NotEnoughBalanceToStake
        );
        ensure!(
            !Owner::<T>::contains_key(&hotkey) || Owner::<T>::get(&hotkey) == coldkey,
            Error::<T>::NonAssociatedColdKey
        );
        let places = MaxAllowedUids::<T>::get(netuid);
        ensure!(places != 0, Error::<T>::NoNeuronIdAvailable);
        let replaced = if SubnetworkN::<T>::get(netuid) < places {
            None
        } else {
            Some(Self::neuron_to_replace(netuid).ok_or(Error::<T>::NoNeuronIdAvailable)?)
        };

        // The price buys the subnet's token, which is destroyed.
        Self::pay_subnet(&coldkey, netuid, price)?;
        let (bought, _) = Self::buy_alpha(netuid, price)?;
        Self::count_inflow(netuid, price);
        Self::forget_alpha(netuid, bought);
        Self::own_hotkey(&coldkey, &hotkey);
        let uid = match replaced {
            Some(uid) => {
                Self::replace_neuron(netuid, uid, &hotkey);
                uid
            }
            None => Self::append_neuron(netuid, &hotkey),
        };
        let raised = scale(price, BurnIncreaseMult::<T>::get(netuid).bits, 64);
        Burn::<T>::insert(netuid, Self::price_within_bounds(netuid, raised));
        RegistrationsThisBlock::<T>::mutate(netuid, |count| *count = count.saturating_add(1));
        Self::deposit_event(Event::NeuronRegistered(netuid, uid, hotkey));
        Ok(())
    }

    /// A registration price between [`MinBurn`] and [`MaxBurn`]; the latter wins if they contradict each other.
    fn price_within_bounds(netuid: u16, price: u64) -> u64 {
        price
            .max(MinBurn::<T>::get(netuid))
            .min(MaxBurn::<T>::get(netuid))
    }

    /// The block step's part: the price of a registration falls, and registrations are counted anew.
    pub(super) fn update_registration_prices() {
        for netuid in Self::subnets() {
            RegistrationsThisBlock::<T>::insert(netuid, 0);
            if Self::now() > 1 {
                let factor = decay_factor_q32(BurnHalfLife::<T>::get(netuid));
                let fallen = scale(Burn::<T>::get(netuid), u128::from(factor), 32);
                Burn::<T>::insert(netuid, Self::price_within_bounds(netuid, fallen));
            }
        }
    }

    /// Gives a hotkey the next uid. The caller has checked that there is one.
    pub(super) fn append_neuron(netuid: u16, hotkey: &AccountId32) -> u16 {
        let uid = SubnetworkN::<T>::get(netuid);
        SubnetworkN::<T>::insert(netuid, uid.saturating_add(1));
        Active::<T>::append(netuid, true);
        Emission::<T>::append(netuid, 0u64);
        Consensus::<T>::append(netuid, 0u16);
        Dividends::<T>::append(netuid, 0u16);
        ValidatorTrust::<T>::append(netuid, 0u16);
        ValidatorPermit::<T>::append(netuid, false);
        for index in Self::storage_indices(netuid) {
            Incentive::<T>::append(index, 0u16);
            LastUpdate::<T>::append(index, Self::now());
        }
        Self::name_neuron(netuid, uid, hotkey);
        uid
    }

    pub(super) fn name_neuron(netuid: u16, uid: u16, hotkey: &AccountId32) {
        Keys::<T>::insert(netuid, uid, hotkey);
        Uids::<T>::insert(netuid, hotkey, uid);
        IsNetworkMember::<T>::insert(hotkey, netuid, true);
        BlockAtRegistration::<T>::insert(netuid, uid, Self::now());
    }

    /// Under which numbers the values of a subnet's mechanisms are stored.
    pub(super) fn storage_indices(netuid: u16) -> Vec<u16> {
        (0..MechanismCountCurrent::<T>::get(netuid))
            .filter_map(|mechanism| Self::storage_index(netuid, mechanism))
            .collect()
    }

    /// Forgets that a hotkey was a neuron, and what it announced.
    pub(super) fn forget_neuron(netuid: u16, hotkey: &AccountId32) {
        Uids::<T>::remove(netuid, hotkey);
        IsNetworkMember::<T>::remove(hotkey, netuid);
        Axons::<T>::remove(netuid, hotkey);
        NeuronCertificates::<T>::remove(netuid, hotkey);
        Prometheus::<T>::remove(netuid, hotkey);
    }

    /// Gives a uid to another hotkey, with nothing of what the one before it earned or said.
    fn replace_neuron(netuid: u16, uid: u16, hotkey: &AccountId32) {
        Self::forget_neuron(netuid, &Keys::<T>::get(netuid, uid));
        Active::<T>::mutate(netuid, |column| set(column, uid, true));
        Emission::<T>::mutate(netuid, |column| set(column, uid, 0));
        Consensus::<T>::mutate(netuid, |column| set(column, uid, 0));
        Dividends::<T>::mutate(netuid, |column| set(column, uid, 0));
        StakeWeight::<T>::mutate(netuid, |column| set(column, uid, 0));
        ValidatorTrust::<T>::mutate(netuid, |column| set(column, uid, 0));
        ValidatorPermit::<T>::mutate(netuid, |column| set(column, uid, false));
        for index in Self::storage_indices(netuid) {
            Incentive::<T>::mutate(index, |column| set(column, uid, 0));
            LastUpdate::<T>::mutate(index, |column| set(column, uid, Self::now()));
            Weights::<T>::remove(index, uid);
            Bonds::<T>::remove(index, uid);
            // What others said of the one before must not count for the newcomer. Their bonds towards the uid stay:
            // the next epoch leaves them out because they are older than the registration.
            for from in (0..SubnetworkN::<T>::get(netuid))
                .filter(|&from| Weights::<T>::contains_key(index, from))
            {
                Weights::<T>::mutate(index, from, |row| {
                    row.iter_mut()
                        .filter(|(to, _)| *to == uid)
                        .for_each(|(_, weight)| *weight = 0);
                });
            }
        }
        Self::name_neuron(netuid, uid, hotkey);
    }

    /// Who loses its place to a newcomer: the one that earned least, the oldest of equals. Neurons past their
    /// immunity go first as long as enough of them would be left.
    fn neuron_to_replace(netuid: u16) -> Option<u16> {
        let emission = Emission::<T>::get(netuid);
        let kept = Self::owners_kept_uids(netuid);
        let mut immune = None;
        let mut open = None;
        let mut open_count = 0;
        for uid in (0..SubnetworkN::<T>::get(netuid)).filter(|uid| !kept.contains(uid)) {
            let registered = BlockAtRegistration::<T>::get(netuid, uid);
            let earned = emission.get(usize::from(uid)).copied().unwrap_or(0);
            let candidate = Some((earned, registered, uid));
            let is_immune = Self::is_immune(netuid, uid);
            let least = if is_immune { &mut immune } else { &mut open };
            if least.is_none() || candidate < *least {
                *least = candidate;
            }
            open_count += u16::from(!is_immune);
        }
        let chosen = if open_count > MinNonImmuneUids::<T>::get(netuid) {
            open
        } else {
            immune
        };
        chosen.map(|(_, _, uid)| uid)
    }

    /// Whether a neuron is so new that it is spared.
    pub(super) fn is_immune(netuid: u16, uid: u16) -> bool {
        let age = Self::now().saturating_sub(BlockAtRegistration::<T>::get(netuid, uid));
        age < u64::from(ImmunityPeriod::<T>::get(netuid))
    }

    /// The uids that are never replaced: the founding hotkey's and the owner's latest others, up to the limit.
    pub(super) fn owners_kept_uids(netuid: u16) -> Vec<u16> {
        let founding = Uids::<T>::get(netuid, SubnetOwnerHotkey::<T>::get(netuid));
        let mut owned: Vec<(u64, u16)> = OwnedHotkeys::<T>::get(SubnetOwner::<T>::get(netuid))
            .into_iter()
            .filter_map(|hotkey| Uids::<T>::get(netuid, hotkey))
            .map(|uid| (BlockAtRegistration::<T>::get(netuid, uid), uid))
            .collect();
        owned.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        let limit = usize::from(ImmuneOwnerUidsLimit::<T>::get(netuid));
        let latest = owned
            .into_iter()
            .map(|(_, uid)| uid)
            .filter(|uid| Some(*uid) != founding);
        founding
            .into_iter()
            .chain(latest)
            .take(limit.max(1))
            .collect()
    }
}

/// `value x factor / 2^bits`, rounded down, at most `u64::MAX`.
fn scale(value: u64, factor: u128, bits: u32) -> u64 {
    let product = sp_core::U256::from(value) * sp_core::U256::from(factor);
    u64::try_from(product >> bits).unwrap_or(u64::MAX)
}

fn set<V>(column: &mut [V], uid: u16, value: V) {
    if let Some(slot) = column.get_mut(usize::from(uid)) {
        *slot = value;
    }
}

/// The factor, with 32 fractional bits, that halves a price when it is applied `half_life` times; 1 for 0.
fn decay_factor_q32(half_life: u16) -> u64 {
    if half_life == 0 {
        return ONE_Q32;
    }
    let (mut low, mut high) = (0, ONE_Q32);
    while low + 1 < high {
        let middle = (low + high) / 2;
        if power_q32(middle, half_life) > ONE_Q32 / 2 {
            high = middle;
        } else {
            low = middle;
        }
    }
    low
}

/// A power of a number of at most 1 with 32 fractional bits.
fn power_q32(base: u64, exponent: u16) -> u64 {
    let times = |a: u64, b: u64| ((u128::from(a) * u128::from(b)) >> 32) as u64;
    let (mut result, mut square, mut exponent) = (ONE_Q32, base, exponent);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = times(result, square);
        }
        square = times(square, square);
        exponent >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_halves_in_its_half_life() {
        for half_life in [1, 2, 10, 360, 5000] {
            let factor = decay_factor_q32(half_life);
            assert!(power_q32(factor, half_life) <= ONE_Q32 / 2);
            assert!(power_q32(factor + 1, half_life) > ONE_Q32 / 2);
        }
        assert_eq!(decay_factor_q32(1), ONE_Q32 / 2);
        assert_eq!(decay_factor_q32(0), ONE_Q32);
    }

    #[test]
    fn a_registration_raises_the_price_by_26_per_cent() {
        use crate::subtensor::types::DefaultBurnIncrease;
        use frame_support::traits::Get;
        assert_eq!(
            scale(1_000_000_000, DefaultBurnIncrease::get().bits, 64),
            1_260_000_000
        );
    }
}

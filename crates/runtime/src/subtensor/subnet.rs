//! Founding and starting subnets.

use super::pallet::*;
use super::pool::DYNAMIC;
use super::{ROOT, RateLimitKey, SubnetIdentityV3};
use frame_support::PalletId;
use frame_support::pallet_prelude::*;
use frame_support::traits::fungible::Mutate;
use sp_runtime::traits::AccountIdConversion;
use sp_runtime::{AccountId32, SaturatedConversion};

/// The account all subnets' accounts derive from.
const PALLET_ID: PalletId = PalletId(*b"subtensr");
/// Netuids are below this, so that a mechanism's storage index (mechanism x 4096 + netuid) is unique.
const NETUIDS: u16 = 4096;
/// What a pool holds at least when it starts, in rao.
const MIN_POOL: u64 = 1_000_000_000_000;

impl<T: Config> Pallet<T> {
    /// The number of the block that is being made.
    pub fn now() -> u64 {
        frame_system::Pallet::<T>::block_number().saturated_into()
    }

    /// The account that holds a subnet's TAO.
    pub fn subnet_account(netuid: u16) -> AccountId32 {
        PALLET_ID.into_sub_account_truncating(netuid)
    }

    /// Under which number the values of one mechanism of a subnet are stored; none if there is no such mechanism.
    pub fn storage_index(netuid: u16, mechanism: u8) -> Option<u16> {
        (NetworksAdded::<T>::get(netuid) && mechanism < MechanismCountCurrent::<T>::get(netuid))
            .then(|| {
                u16::from(mechanism)
                    .checked_mul(NETUIDS)?
                    .checked_add(netuid)
            })
            .flatten()
    }

    /// The subnets by number, without root.
    pub(super) fn subnets() -> Vec<u16> {
        let mut subnets: Vec<u16> = NetworksAdded::<T>::iter()
            .filter_map(|(netuid, exists)| (exists && netuid != ROOT).then_some(netuid))
            .collect();
        subnets.sort_unstable();
        subnets
    }

    /// What a new subnet costs now, in rao: twice what the last one cost, falling by that cost with time.
    pub fn lock_cost() -> u64 {
        let last = NetworkLastLockCost::<T>::get();
        let at = LastRateLimitedBlock::<T>::get(RateLimitKey::NetworkLastRegistered);
        let start = if at == 0 {
            last
        } else {
            last.saturating_mul(2)
        };
        let per_block = last
            .checked_div(NetworkLockReductionInterval::<T>::get())
            .unwrap_or(0);
        let fallen = per_block.saturating_mul(Self::now().saturating_sub(at));
        start
            .saturating_sub(fallen)
            .max(NetworkMinLockCost::<T>::get())
    }

    /// Whether so little time has passed since the last founding that there cannot be another.
    pub(crate) fn is_founding_too_soon() -> bool {
        let last = LastRateLimitedBlock::<T>::get(RateLimitKey::NetworkLastRegistered);
        last != 0 && Self::now().saturating_sub(last) < NetworkRateLimit::<T>::get()
    }

    pub(super) fn do_register_network(
        coldkey: AccountId32,
        hotkey: AccountId32,
        identity: Option<SubnetIdentityV3>,
    ) -> DispatchResult {
        let now = Self::now();
        ensure!(
            !Owner::<T>::contains_key(&hotkey) || Owner::<T>::get(&hotkey) == coldkey,
            Error::<T>::NonAssociatedColdKey
        );
        ensure!(
            now >= NetworkRegistrationStartBlock::<T>::get(),
            Error::<T>::SubNetRegistrationDisabled
        );
        ensure!(
            !Self::is_founding_too_soon(),
            Error::<T>::NetworkTxRateLimitExceeded
        );
        if let Some(identity) = &identity {
            Self::check_subnet_identity(identity)?;
        }
        let subnets = Self::subnets();
        let limit = SubnetLimit::<T>::get().min(NETUIDS - 1);
        let replaced = if subnets.len() < usize::from(limit) {
            None
        } else {
            Some(Self::subnet_to_replace().ok_or(Error::<T>::SubnetLimitReached)?)
        };
        let cost = Self::lock_cost();
        ensure!(
            Self::can_pay(&coldkey, cost),
            Error::<T>::CannotAffordLockCost
        );
        let netuid = match replaced {
            Some(netuid) => {
                Self::dissolve(netuid);
                netuid
            }
            None => (1..NETUIDS)
                .find(|netuid| subnets.binary_search(netuid).is_err())
                .ok_or(Error::<T>::SubnetLimitReached)?,
        };

        Self::pay_subnet(&coldkey, netuid, cost)?;
        Self::fill_pool(netuid, cost)?;
        SubnetLocked::<T>::insert(netuid, cost);
        NetworkLastLockCost::<T>::put(cost);
        LastRateLimitedBlock::<T>::insert(RateLimitKey::NetworkLastRegistered, now);

        NetworksAdded::<T>::insert(netuid, true);
        TotalNetworks::<T>::mutate(|total| *total = total.saturating_add(1));
        NetworkRegisteredAt::<T>::insert(netuid, now);
        SubnetOwner::<T>::insert(netuid, &coldkey);
        SubnetOwnerHotkey::<T>::insert(netuid, &hotkey);
        RegisteredSubnetCounter::<T>::mutate(netuid, |count| *count = count.saturating_add(1));
        Self::choose_symbol(netuid);
        Self::set_new_subnet_rules(netuid);
        let tempo = u64::from(Tempo::<T>::get(netuid));
        let phase = u64::from(netuid).checked_rem(tempo).unwrap_or(0);
        LastEpochBlock::<T>::insert(netuid, now.saturating_sub(phase));

        Self::own_hotkey(&coldkey, &hotkey);
        Self::append_neuron(netuid, &hotkey);
        Self::deposit_event(Event::NetworkAdded(
            netuid,
            SubnetMechanism::<T>::get(netuid),
        ));
        if let Some(identity) = identity {
            Self::set_subnet_identity_of(netuid, identity);
        }
        Ok(())
    }

    /// Fills a new subnet's pool with what was paid for it, which stands on its account already, at the price of a
    /// median subnet. A pool starts with 1000 TAO at least; what is missing is minted.
    fn fill_pool(netuid: u16, paid: u64) -> DispatchResult {
        let missing = MIN_POOL.saturating_sub(paid);
        if missing != 0 {
            T::Currency::mint_into(&Self::subnet_account(netuid), missing)?;
            TotalIssuance::<T>::mutate(|total| *total = total.saturating_add(missing));
        }
        let tao = paid.saturating_add(missing);
        let alpha = (u128::from(tao) << 64)
            .checked_div(Self::median_price_q64())
            .unwrap_or(0);
        SubnetMechanism::<T>::insert(netuid, DYNAMIC);
        SubnetTAO::<T>::insert(netuid, tao);
        SubnetAlphaIn::<T>::insert(netuid, u64::try_from(alpha).unwrap_or(u64::MAX));
        TotalStake::<T>::mutate(|total| *total = total.saturating_add(tao));
        Ok(())
    }

    /// The median price of the subnets that have one, with 64 fractional bits; 1 without subnets.
    fn median_price_q64() -> u128 {
        let mut prices: Vec<u128> = Self::subnets()
            .into_iter()
            .map(Self::price_q64)
            .filter(|&price| price != 0)
            .collect();
        prices.sort_unstable();
        match (prices.get(prices.len() / 2), prices.len() % 2) {
            (None, _) => 1 << 64,
            (Some(&upper), 1) => upper,
            (Some(&upper), _) => {
                let lower = prices[prices.len() / 2 - 1];
                lower + (upper - lower) / 2
            }
        }
    }

    /// What a new subnet starts with where that differs from the stored defaults, and what clients read explicitly.
    fn set_new_subnet_rules(netuid: u16) {
        Tempo::<T>::insert(netuid, 360);
        MaxAllowedUids::<T>::insert(netuid, 256);
        MaxAllowedValidators::<T>::insert(netuid, 64);
        MinAllowedWeights::<T>::insert(netuid, 1);
        ImmunityPeriod::<T>::insert(netuid, 5000);
        Yuma3On::<T>::insert(netuid, true);
        Burn::<T>::insert(netuid, 1_000_000_000);
        NetworkRegistrationAllowed::<T>::insert(netuid, true);
        SubnetEmissionEnabled::<T>::insert(netuid, false);
    }

    pub(super) fn do_start_call(coldkey: AccountId32, netuid: u16) -> DispatchResult {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(
            SubnetOwner::<T>::get(netuid) == coldkey,
            DispatchError::BadOrigin
        );
        ensure!(
            !FirstEmissionBlockNumber::<T>::contains_key(netuid),
            Error::<T>::FirstEmissionBlockNumberAlreadySet
        );
        let now = Self::now();
        let age = now.saturating_sub(NetworkRegisteredAt::<T>::get(netuid));
        ensure!(
            age >= StartCallDelay::<T>::get(),
            Error::<T>::NeedWaitingMoreBlocksToStarCall
        );
        let first = now.saturating_add(1);
        FirstEmissionBlockNumber::<T>::insert(netuid, first);
        SubtokenEnabled::<T>::insert(netuid, true);
        Self::deposit_event(Event::FirstEmissionBlockNumberSet(netuid, first));
        Ok(())
    }
}

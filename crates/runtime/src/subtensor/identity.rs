//! Who accounts and subnets say they are, and the signs of the subnets' tokens.

use super::pallet::*;
use super::{ChainIdentityV2, ROOT, SubnetIdentityV3};
use frame_support::pallet_prelude::*;
use sp_runtime::AccountId32;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// The most bytes of a name.
const SHORT: usize = 256;
/// The most bytes of a text or an address.
const LONG: usize = 1024;
/// The sign of the root network's token.
const ROOT_SYMBOL: char = '\u{1d70f}';
/// The signs of the subnets' tokens, in the order in which new subnets get them: Greek, Hebrew, Armenian, Georgian,
/// runes.
///
/// The public chain's list agrees in the Greek and the Hebrew letters.
const SYMBOLS: [RangeInclusive<char>; 6] = [
    'α'..='ρ',
    'σ'..='ω',
    'א'..='ת',
    'ա'..='ֆ',
    'ა'..='ჰ',
    'ᚠ'..='ᛪ',
];

fn symbols() -> impl Iterator<Item = Vec<u8>> {
    let text = |symbol: char| symbol.to_string().into_bytes();
    SYMBOLS.into_iter().flatten().map(text)
}

impl<T: Config> Pallet<T> {
    pub(super) fn do_set_identity(
        coldkey: AccountId32,
        identity: ChainIdentityV2,
    ) -> DispatchResult {
        let is_member = OwnedHotkeys::<T>::get(&coldkey)
            .iter()
            .any(|hotkey| IsNetworkMember::<T>::iter_prefix_values(hotkey).any(|member| member));
        ensure!(is_member, Error::<T>::HotKeyNotRegisteredInNetwork);
        let fits = fit([
            (&identity.name, SHORT),
            (&identity.url, SHORT),
            (&identity.github_repo, SHORT),
            (&identity.image, LONG),
            (&identity.discord, SHORT),
            (&identity.description, LONG),
            (&identity.additional, LONG),
        ]);
        ensure!(fits, Error::<T>::InvalidIdentity);
        IdentitiesV2::<T>::insert(&coldkey, identity);
        Self::deposit_event(Event::ChainIdentitySet(coldkey));
        Ok(())
    }

    pub(super) fn do_set_subnet_identity(
        coldkey: AccountId32,
        netuid: u16,
        identity: SubnetIdentityV3,
    ) -> DispatchResult {
        ensure!(
            SubnetOwner::<T>::try_get(netuid) == Ok(coldkey),
            Error::<T>::NotSubnetOwner
        );
        Self::check_subnet_identity(&identity)?;
        Self::set_subnet_identity_of(netuid, identity);
        Ok(())
    }

    pub(super) fn check_subnet_identity(identity: &SubnetIdentityV3) -> DispatchResult {
        let fits = fit([
            (&identity.subnet_name, SHORT),
            (&identity.github_repo, LONG),
            (&identity.subnet_contact, LONG),
            (&identity.subnet_url, LONG),
            (&identity.discord, SHORT),
            (&identity.description, LONG),
            (&identity.logo_url, LONG),
            (&identity.additional, LONG),
        ]);
        ensure!(fits, Error::<T>::InvalidIdentity);
        Ok(())
    }

    pub(super) fn set_subnet_identity_of(netuid: u16, identity: SubnetIdentityV3) {
        SubnetIdentitiesV3::<T>::insert(netuid, identity);
        Self::deposit_event(Event::SubnetIdentitySet(netuid));
    }

    pub(super) fn do_update_symbol(netuid: u16, symbol: Vec<u8>) -> DispatchResult {
        ensure!(NetworksAdded::<T>::get(netuid), Error::<T>::SubnetNotExists);
        ensure!(
            symbols().any(|known| known == symbol)
                || symbol == ROOT_SYMBOL.to_string().into_bytes(),
            Error::<T>::SymbolDoesNotExist
        );
        ensure!(
            !Self::symbols_in_use().contains(&symbol),
            Error::<T>::SymbolAlreadyInUse
        );
        TokenSymbol::<T>::insert(netuid, &symbol);
        Self::deposit_event(Event::SymbolUpdated { netuid, symbol });
        Ok(())
    }

    /// Gives a new subnet's token the sign of its number, or if that is taken the first that is free. With none left
    /// the token is shown with the root network's.
    pub(super) fn choose_symbol(netuid: u16) {
        let used = Self::symbols_in_use();
        let own = symbols().nth(usize::from(netuid.saturating_sub(1)));
        let free = own
            .into_iter()
            .chain(symbols())
            .find(|symbol| !used.contains(symbol));
        if let Some(symbol) = free {
            TokenSymbol::<T>::insert(netuid, symbol);
        }
    }

    fn symbols_in_use() -> BTreeSet<Vec<u8>> {
        TokenSymbol::<T>::iter_values()
            .chain([TokenSymbol::<T>::get(ROOT)])
            .collect()
    }
}

fn fit<const N: usize>(texts: [(&Vec<u8>, usize); N]) -> bool {
    texts.iter().all(|(text, most)| text.len() <= *most)
}

//! Taking neurons away until a subnet has as many as its owner wants.

use super::pallet::*;
use frame_support::pallet_prelude::*;
use std::collections::BTreeSet;

/// Fewer than this part of the neurons that stay may be spared, in percent.
const MOST_SPARED: usize = 80;

impl<T: Config> Pallet<T> {
    /// Takes away the neurons that earned least, the latest of equals, until there are `most`, which is then the most
    /// allowed. The owner's kept hotkeys and those in their immunity are spared. The others move to the uids from 0 on
    /// and keep their order, weights and bonds.
    ///
    /// # Errors
    /// `InvalidValue` for fewer than the subnet must allow or more than it allows,
    /// `TrimmingWouldExceedMaxImmunePercentage` if the spared were 80 % of the neurons or more.
    pub fn trim(netuid: u16, most: u16) -> DispatchResult {
        let allowed = MinAllowedUids::<T>::get(netuid)..=MaxAllowedUids::<T>::get(netuid);
        ensure!(allowed.contains(&most), Error::<T>::InvalidValue);
        let n = SubnetworkN::<T>::get(netuid);
        let excess = usize::from(n.saturating_sub(most));
        if excess != 0 {
            let gone = Self::least_earning(netuid, n, most, excess)?;
            let stay: Vec<u16> = (0..n).filter(|uid| !gone.contains(uid)).collect();
            for uid in gone {
                Self::forget_neuron(netuid, &Keys::<T>::get(netuid, uid));
            }
            Self::renumber(netuid, n, &stay);
        }
        MaxAllowedUids::<T>::insert(netuid, most);
        Ok(())
    }

    fn least_earning(
        netuid: u16,
        n: u16,
        most: u16,
        count: usize,
    ) -> Result<BTreeSet<u16>, DispatchError> {
        let kept = Self::owners_kept_uids(netuid);
        let emission = Emission::<T>::get(netuid);
        let mut open: Vec<_> = (0..n)
            .filter(|uid| !kept.contains(uid) && !Self::is_immune(netuid, *uid))
            .map(|uid| {
                let earned = emission.get(usize::from(uid)).copied().unwrap_or(0);
                (earned, std::cmp::Reverse(uid))
            })
            .collect();
        let spared = usize::from(n).saturating_sub(open.len());
        ensure!(
            spared * 100 < usize::from(most) * MOST_SPARED,
            Error::<T>::TrimmingWouldExceedMaxImmunePercentage
        );
        open.sort_unstable();
        Ok(open.into_iter().take(count).map(|(_, uid)| uid.0).collect())
    }

    /// Gives the neurons that stay the uids from 0 on; the hotkeys of the others are forgotten already.
    fn renumber(netuid: u16, n: u16, stay: &[u16]) {
        Active::<T>::mutate(netuid, |column| keep(column, stay));
        Emission::<T>::mutate(netuid, |column| keep(column, stay));
        Consensus::<T>::mutate(netuid, |column| keep(column, stay));
        Dividends::<T>::mutate(netuid, |column| keep(column, stay));
        ValidatorTrust::<T>::mutate(netuid, |column| keep(column, stay));
        ValidatorPermit::<T>::mutate(netuid, |column| keep(column, stay));
        StakeWeight::<T>::mutate(netuid, |column| keep(column, stay));
        for index in Self::storage_indices(netuid) {
            Incentive::<T>::mutate(index, |column| keep(column, stay));
            LastUpdate::<T>::mutate(index, |column| keep(column, stay));
            let weights = (0..n).map(|uid| Weights::<T>::take(index, uid)).collect();
            for (uid, row) in renumber_rows(weights, stay) {
                Weights::<T>::insert(index, uid, row);
            }
            let bonds = (0..n).map(|uid| Bonds::<T>::take(index, uid)).collect();
            for (uid, row) in renumber_rows(bonds, stay) {
                Bonds::<T>::insert(index, uid, row);
            }
        }
        let neurons: Vec<_> = stay
            .iter()
            .map(|&uid| {
                (
                    Keys::<T>::get(netuid, uid),
                    BlockAtRegistration::<T>::get(netuid, uid),
                )
            })
            .collect();
        let _ = Keys::<T>::clear_prefix(netuid, u32::MAX, None);
        let _ = BlockAtRegistration::<T>::clear_prefix(netuid, u32::MAX, None);
        SubnetworkN::<T>::insert(netuid, stay.len() as u16);
        for (uid, (hotkey, registered)) in (0..).zip(neurons) {
            Self::name_neuron(netuid, uid, &hotkey);
            BlockAtRegistration::<T>::insert(netuid, uid, registered);
        }
    }
}

fn keep<V: Copy>(column: &mut Vec<V>, stay: &[u16]) {
    let kept = stay
        .iter()
        .filter_map(|&uid| column.get(usize::from(uid)).copied());
    *column = kept.collect();
}

/// The rows of the uids that stay, without what they say of others, under the new uids; empty ones are left out.
fn renumber_rows(rows: Vec<Vec<(u16, u16)>>, stay: &[u16]) -> Vec<(u16, Vec<(u16, u16)>)> {
    let place = |uid: u16| stay.binary_search(&uid).ok().map(|at| at as u16);
    (0..)
        .zip(rows)
        .filter_map(|(uid, row)| {
            let row: Vec<_> = row
                .into_iter()
                .filter_map(|(to, value)| Some((place(to)?, value)))
                .collect();
            Some((place(uid)?, row)).filter(|(_, row)| !row.is_empty())
        })
        .collect()
}

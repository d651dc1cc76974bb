//! The incentive network: subnets, neurons, stake, weights, emission.
//!
//! The sections beside this file declare storage, events, errors and calls (`declared`: what the public chain
//! stores and this one does not use yet); each other module is one concern of the rules.

mod auto_stake;
mod calls;
mod commit_reveal;
mod constants;
mod declared;
mod destroying;
mod dissolution;
mod emission;
mod epoch;
mod errors;
mod events;
mod fee;
mod flow;
mod identity;
mod limits;
mod mechanisms;
mod moving;
mod pool;
mod registration;
mod rules;
mod safe_float;
mod schedule;
mod serving;
mod share_pool;
mod staking;
mod storage;
mod subnet;
mod takes;
mod trimming;
mod types;
mod weights;

pub(crate) use commit_reveal::Reveal;
pub use fee::FeeInAlpha;
pub use limits::OwnerAction;
pub(crate) use moving::Movement;
pub use pallet::*;
pub use safe_float::SafeFloat;
pub(crate) use staking::PriceLimit;
pub use types::*;

/// The most rao that can ever exist: 21 million TAO.
pub const MAX_ISSUANCE: u64 = 21_000_000_000_000_000;
/// The network that has no pool, no neurons' weights and no epochs.
pub const ROOT: u16 = 0;
/// The most neurons any subnet can have, its mechanisms together.
pub const MAX_UIDS: u16 = 256;
/// The least stake that can be added or left over by a withdrawal, in rao.
pub const MIN_STAKE: u64 = 2_000_000;

use frame_support::pallet_macros::import_section;

/// The pallet.
#[import_section(calls::calls)]
#[import_section(constants::constants)]
#[import_section(declared::declared)]
#[import_section(errors::errors)]
#[import_section(events::events)]
#[import_section(storage::storage)]
#[frame_support::pallet]
#[allow(clippy::too_many_arguments)] // serve_axon has the public chain's eight
pub mod pallet {
    use super::ROOT;
    use super::types::*;
    use super::{PriceLimit, SafeFloat};
    use codec::Compact;
    use frame_support::pallet_prelude::*;
    use frame_support::traits::{ConstBool, ConstI16, ConstU8, ConstU16, ConstU64, fungible};
    use frame_system::pallet_prelude::*;
    use sp_core::{H160, H256};
    use sp_runtime::{AccountId32, Percent};
    use std::collections::{BTreeMap, BTreeSet};

    /// What the pallet needs of the runtime.
    #[pallet::config]
    pub trait Config:
        crate::swap::Config
        + crate::drand::Config
        + frame_system::Config<AccountId = AccountId32, RuntimeEvent: From<Event<Self>>>
    {
        /// Where TAO is held. A subnet's TAO stands on [`Pallet::subnet_account`].
        type Currency: fungible::Mutate<AccountId32, Balance = u64>;
        /// What else is stored about a subnet, outside this pallet.
        type Elsewhere: ForgetSubnet;
    }

    /// The pallet's type.
    #[pallet::pallet]
    #[pallet::without_storage_info]
    pub struct Pallet<T>(_);

    /// The pallet's first state: the root network and the money that exists.
    #[pallet::genesis_config]
    #[derive(frame_support::DefaultNoBound)]
    pub struct GenesisConfig<T: Config> {
        /// Rao in existence.
        pub issuance: u64,
        /// Names the runtime.
        #[serde(skip)]
        pub runtime: PhantomData<T>,
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            TotalIssuance::<T>::put(self.issuance);
            TotalNetworks::<T>::put(1);
            NetworksAdded::<T>::insert(ROOT, true);
            SubtokenEnabled::<T>::insert(ROOT, true);
            MaxAllowedUids::<T>::insert(ROOT, 64);
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_: BlockNumberFor<T>) -> Weight {
            Self::block_step();
            Weight::zero()
        }
    }
}

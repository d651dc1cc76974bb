//! What a neuron publishes on chain about itself, for instance where its model lies and what its digest is.
//!
//! Time-locked fields are revealed at the beginning of the block after the one that brought their round's pulse.

mod data;
mod reveal;

pub use data::{CommitmentInfo, Data, Registration, UsageTracker};
pub use pallet::*;

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    use super::data::{CommitmentInfo, Data, MAX_FIELDS, Registration, UsageTracker};
    use crate::subtensor;
    use frame_support::pallet_prelude::*;
    use frame_system::pallet_prelude::*;
    use sp_runtime::{AccountId32, SaturatedConversion};
    use std::collections::BTreeSet;

    /// What a commitment costs of an account's space at least, in bytes.
    const LEAST_SPACE: u64 = 100;

    /// What the pallet needs of the runtime.
    #[pallet::config]
    pub trait Config:
        subtensor::Config + frame_system::Config<RuntimeEvent: From<Event<Self>>>
    {
    }

    /// The pallet's type.
    #[pallet::pallet]
    #[pallet::without_storage_info]
    pub struct Pallet<T>(_);

    /// The neurons whose commitments have time-locked fields.
    #[pallet::storage]
    pub type TimelockedIndex<T> = StorageValue<_, BTreeSet<(u16, AccountId32)>, ValueQuery>;
    /// A neuron's latest commitment.
    #[pallet::storage]
    pub type CommitmentOf<T> =
        StorageDoubleMap<_, Identity, u16, Twox64Concat, AccountId32, Registration>;
    /// The block of a neuron's latest commitment.
    #[pallet::storage]
    pub type LastCommitment<T> = StorageDoubleMap<_, Identity, u16, Twox64Concat, AccountId32, u32>;
    /// The last ten time-locked texts that were revealed, and the blocks in which.
    #[pallet::storage]
    pub type RevealedCommitments<T> =
        StorageDoubleMap<_, Identity, u16, Twox64Concat, AccountId32, Vec<(Vec<u8>, u64)>>;
    /// The block in which a neuron last wished to have its bonds reset.
    #[pallet::storage]
    pub type LastBondsReset<T> = StorageDoubleMap<_, Identity, u16, Twox64Concat, AccountId32, u32>;
    /// What a neuron has committed in the current epoch.
    #[pallet::storage]
    pub type UsedSpaceOf<T> =
        StorageDoubleMap<_, Identity, u16, Twox64Concat, AccountId32, UsageTracker>;
    /// The most bytes a neuron can commit in one epoch.
    #[pallet::storage]
    pub type MaxSpace<T> = StorageValue<_, u32, ValueQuery, ConstU32<3100>>;

    /// What the pallet tells the world.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A neuron published something.
        #[codec(index = 0)]
        Commitment {
            /// The subnet.
            netuid: u16,
            /// The neuron.
            who: AccountId32,
        },
        /// A neuron published something time-locked.
        #[codec(index = 1)]
        TimelockCommitment {
            /// The subnet.
            netuid: u16,
            /// The neuron.
            who: AccountId32,
            /// The round of the randomness beacon that opens it.
            reveal_round: u64,
        },
        /// A time-locked text of a neuron was revealed.
        #[codec(index = 2)]
        CommitmentRevealed {
            /// The subnet.
            netuid: u16,
            /// The neuron.
            who: AccountId32,
        },
    }

    /// What can go wrong, in the public chain's order.
    #[pallet::error]
    pub enum Error<T> {
        /// More fields than allowed. Raised by the public chain only: here such a call cannot be decoded.
        TooManyFieldsInCommitmentInfo,
        /// The caller is no neuron of the subnet.
        AccountNotAllowedCommit,
        /// The neuron has committed too much in this epoch.
        SpaceLimitExceeded,
        /// Deposits do not exist here; the place keeps the public numbering.
        UnexpectedUnreserveLeftover,
    }

    impl<T: Config> subtensor::ForgetSubnet for Pallet<T> {
        fn forget_subnet(netuid: u16) {
            let _ = CommitmentOf::<T>::clear_prefix(netuid, u32::MAX, None);
            let _ = LastCommitment::<T>::clear_prefix(netuid, u32::MAX, None);
            let _ = LastBondsReset::<T>::clear_prefix(netuid, u32::MAX, None);
            let _ = RevealedCommitments::<T>::clear_prefix(netuid, u32::MAX, None);
            let _ = UsedSpaceOf::<T>::clear_prefix(netuid, u32::MAX, None);
            TimelockedIndex::<T>::mutate(|index| index.retain(|(subnet, _)| *subnet != netuid));
        }
    }

    #[pallet::hooks]
    impl<T: Config> Hooks<BlockNumberFor<T>> for Pallet<T> {
        fn on_initialize(_: BlockNumberFor<T>) -> Weight {
            Self::reveal_timelocked();
            Weight::zero()
        }
    }

    #[pallet::extra_constants]
    impl<T: Config> Pallet<T> {
        /// The most fields of one commitment.
        #[pallet::constant_name(MaxFields)]
        fn max_fields() -> u32 {
            MAX_FIELDS
        }

        /// What a first commitment reserves, in rao: nothing.
        #[pallet::constant_name(InitialDeposit)]
        fn initial_deposit() -> u64 {
            0
        }

        /// What each field reserves, in rao: nothing.
        #[pallet::constant_name(FieldDeposit)]
        fn field_deposit() -> u64 {
            0
        }
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Publishes something about the calling hotkey, in place of what it published before.
        #[pallet::call_index(0)]
        #[pallet::weight((Weight::from_parts(10_000_000, 0), DispatchClass::Normal, Pays::No))]
        pub fn set_commitment(
            origin: OriginFor<T>,
            netuid: u16,
            info: Box<CommitmentInfo>,
        ) -> DispatchResult {
            let who = ensure_signed(origin)?;
            ensure!(
                subtensor::Uids::<T>::contains_key(netuid, &who),
                Error::<T>::AccountNotAllowedCommit
            );
            let needed = info
                .fields
                .iter()
                .map(Data::space)
                .sum::<u64>()
                .max(LEAST_SPACE);
            let epoch = subtensor::SubnetEpochIndex::<T>::get(netuid);
            let used =
                UsedSpaceOf::<T>::get(netuid, &who).filter(|usage| usage.last_epoch == epoch);
            let used_space = used
                .map_or(0, |usage| usage.used_space)
                .saturating_add(needed);
            ensure!(
                used_space <= u64::from(MaxSpace::<T>::get()),
                Error::<T>::SpaceLimitExceeded
            );

            let block = frame_system::Pallet::<T>::block_number().saturated_into();
            let reveal_round = info.fields.iter().find_map(Data::reveal_round);
            let key = (netuid, who.clone());
            TimelockedIndex::<T>::mutate(|index| match reveal_round {
                Some(_) => index.insert(key),
                None => index.remove(&key),
            });
            if info.fields.contains(&Data::ResetBondsFlag) {
                LastBondsReset::<T>::insert(netuid, &who, block);
                subtensor::Pallet::<T>::reset_bonds(netuid, &who);
            }
            UsedSpaceOf::<T>::insert(
                netuid,
                &who,
                UsageTracker {
                    last_epoch: epoch,
                    used_space,
                },
            );
            CommitmentOf::<T>::insert(
                netuid,
                &who,
                Registration {
                    deposit: 0,
                    block,
                    info: *info,
                },
            );
            LastCommitment::<T>::insert(netuid, &who, block);
            Self::deposit_event(match reveal_round {
                Some(reveal_round) => Event::TimelockCommitment {
                    netuid,
                    who,
                    reveal_round,
                },
                None => Event::Commitment { netuid, who },
            });
            Ok(())
        }

        /// Sets the most bytes a neuron can commit in one epoch. By root.
        #[pallet::call_index(2)]
        #[pallet::weight(Weight::from_parts(10_000_000, 0))]
        pub fn set_max_space(origin: OriginFor<T>, new_limit: u32) -> DispatchResult {
            ensure_root(origin)?;
            MaxSpace::<T>::put(new_limit);
            Ok(())
        }
    }
}

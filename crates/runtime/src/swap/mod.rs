//! The swap: what a subnet's pool takes as fee and how its sides are weighed.
//!
//! [`Pool`] is the mathematics; the pallet stores its two parameters. Reserves stand in the subtensor pallet, which
//! also trades. The calls around the public chain's former liquidity positions are declared and not carried out.

mod pool;
mod power;

pub use pallet::*;
pub(crate) use pool::most;
pub use pool::{MINIMUM_RESERVE, Pool, SwapError, Trade};

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_runtime::Perquintill;

/// The weights of a pool's sides.
#[derive(
    Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo, Clone, Debug, PartialEq, Eq,
)]
pub struct Balancer {
    /// The weight of the TAO side; the other side has the rest.
    pub quote: Perquintill,
}

impl Default for Balancer {
    fn default() -> Self {
        Self {
            quote: Perquintill::from_percent(50),
        }
    }
}

/// A price on the public chain's former scale of prices.
#[derive(
    Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo, Clone, Debug, PartialEq, Eq,
)]
pub struct TickIndex(pub i32);

/// A former liquidity position.
#[derive(
    Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo, Clone, Debug, PartialEq, Eq,
)]
pub struct PositionId(pub u128);

/// A subnet's price.
#[derive(Encode, Decode, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct SubnetPrice {
    /// The subnet.
    pub netuid: u16,
    /// Rao for one unit of the token.
    pub price: u64,
}

/// What a trade would yield. Amounts of the input side are without the fee; all is 0 for an impossible trade.
#[derive(Encode, Decode, TypeInfo, Clone, Debug, Default, PartialEq, Eq)]
pub struct SimSwapResult {
    /// Rao traded.
    pub tao_amount: u64,
    /// The token traded.
    pub alpha_amount: u64,
    /// The fee in rao.
    pub tao_fee: u64,
    /// The fee in the token.
    pub alpha_fee: u64,
    /// What the trade yields less in rao than at the price before it.
    pub tao_slippage: u64,
    /// What the trade yields less in the token than at the price before it.
    pub alpha_slippage: u64,
}

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    use super::{Balancer, MINIMUM_RESERVE, PositionId, SwapError, TickIndex};
    use frame_support::PalletId;
    use frame_support::pallet_prelude::*;
    use frame_support::traits::{ConstU16, ConstU32, Contains};
    use frame_system::pallet_prelude::*;
    use sp_runtime::{AccountId32, DispatchError};
    use std::num::NonZeroU64;

    const CALL: Weight = Weight::from_parts(10_000_000, 0);
    /// The highest fee rate that can be set, over 65535.
    const MAX_FEE_RATE: u16 = 10_000;

    /// What the pallet needs of the runtime.
    #[pallet::config]
    pub trait Config:
        frame_system::Config<AccountId = AccountId32, RuntimeEvent: From<Event<Self>>>
    {
        /// The networks that exist.
        type Networks: Contains<u16>;
        /// What a call answers that the public chain carries out and this one does not.
        type NotHere: Get<DispatchError>;
    }

    /// The pallet's type.
    #[pallet::pallet]
    #[pallet::without_storage_info]
    pub struct Pallet<T>(_);

    /// What the pallet tells the world.
    #[pallet::event]
    #[pallet::generate_deposit(fn deposit_event)]
    pub enum Event<T: Config> {
        /// A subnet's fee changed.
        FeeRateSet {
            /// The subnet.
            netuid: u16,
            /// The part of an input, over 65535.
            rate: u16,
        },
    }

    /// What can go wrong, in the public chain's order.
    #[pallet::error]
    pub enum Error<T> {
        /// The fee would be above the highest.
        FeeRateTooHigh,
        /// Too little was offered.
        InsufficientInputAmount,
        /// The pool holds too little.
        InsufficientLiquidity,
        /// The price would pass the limit.
        PriceLimitExceeded,
        /// The account has too little.
        InsufficientBalance,
        /// The range of prices is empty or out of bounds.
        InvalidTickRange,
        /// The amount of liquidity is out of bounds.
        InvalidLiquidityValue,
        /// A reserve is below its minimum or would be after the trade.
        ReservesTooLow,
        /// The subnet does not exist.
        MechanismDoesNotExist,
        /// The subnet's token cannot be traded.
        SubtokenDisabled,
        /// One side of the pool weighs too little.
        ReservesOutOfBalance,
        /// The input is too large for the pool.
        SwapInputTooLarge,
        /// The call is out of use.
        Deprecated,
    }

    impl<T> From<SwapError> for Error<T> {
        fn from(error: SwapError) -> Self {
            match error {
                SwapError::InputTooLarge => Self::SwapInputTooLarge,
                SwapError::ReservesTooLow => Self::ReservesTooLow,
                SwapError::OutOfBalance => Self::ReservesOutOfBalance,
            }
        }
    }

    /// The part of a trade's input that is taken as fee, over 65535.
    #[pallet::storage]
    pub type FeeRate<T> = StorageMap<_, Twox64Concat, u16, u16, ValueQuery, ConstU16<33>>;
    /// The weights of a pool's sides.
    #[pallet::storage]
    pub type SwapBalancer<T> = StorageMap<_, Twox64Concat, u16, Balancer, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type PalSwapInitialized<T> = StorageMap<_, Twox64Concat, u16, bool, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type HasMigrationRun<T> =
        StorageMap<_, Identity, BoundedVec<u8, ConstU32<128>>, bool, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type ScrapReservoirAlpha<T> = StorageMap<_, Twox64Concat, u16, u64, ValueQuery>;

    /// The public constants.
    #[pallet::extra_constants]
    impl<T: Config> Pallet<T> {
        /// The account of the public chain's former positions.
        #[pallet::constant_name(ProtocolId)]
        fn protocol_id() -> PalletId {
            PalletId(*b"ten/swap")
        }

        /// The highest fee rate that can be set, over 65535.
        #[pallet::constant_name(MaxFeeRate)]
        fn max_fee_rate() -> u16 {
            MAX_FEE_RATE
        }

        /// The least of a former position.
        #[pallet::constant_name(MinimumLiquidity)]
        fn minimum_liquidity() -> u64 {
            1000
        }

        /// What a reserve must not fall below.
        #[pallet::constant_name(MinimumReserve)]
        fn minimum_reserve() -> NonZeroU64 {
            NonZeroU64::new(MINIMUM_RESERVE).unwrap_or(NonZeroU64::MIN)
        }
    }

    /// The pallet's calls, at their public indices with their public argument names.
    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Root sets the fee of a subnet's pool.
        #[pallet::call_index(0)]
        #[pallet::weight(CALL)]
        pub fn set_fee_rate(origin: OriginFor<T>, netuid: u16, rate: u16) -> DispatchResult {
            ensure_root(origin)?;
            ensure!(
                T::Networks::contains(&netuid),
                Error::<T>::MechanismDoesNotExist
            );
            ensure!(rate <= MAX_FEE_RATE, Error::<T>::FeeRateTooHigh);
            FeeRate::<T>::insert(netuid, rate);
            Self::deposit_event(Event::FeeRateSet { netuid, rate });
            Ok(())
        }

        /// Not carried out here.
        #[pallet::call_index(1)]
        #[pallet::weight(CALL)]
        pub fn add_liquidity(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            netuid: u16,
            tick_low: TickIndex,
            tick_high: TickIndex,
            liquidity: u64,
        ) -> DispatchResult {
            let _ = (origin, hotkey, netuid, tick_low, tick_high, liquidity);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(2)]
        #[pallet::weight(CALL)]
        pub fn remove_liquidity(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            netuid: u16,
            position_id: PositionId,
        ) -> DispatchResult {
            let _ = (origin, hotkey, netuid, position_id);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(3)]
        #[pallet::weight(CALL)]
        pub fn modify_position(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            netuid: u16,
            position_id: PositionId,
            liquidity_delta: i64,
        ) -> DispatchResult {
            let _ = (origin, hotkey, netuid, position_id, liquidity_delta);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(4)]
        #[pallet::weight(CALL)]
        pub fn toggle_user_liquidity(
            origin: OriginFor<T>,
            netuid: u16,
            enable: bool,
        ) -> DispatchResult {
            let _ = (origin, netuid, enable);
            Err(T::NotHere::get())
        }

        /// Not carried out here.
        #[pallet::call_index(5)]
        #[pallet::weight(CALL)]
        pub fn disable_lp(origin: OriginFor<T>) -> DispatchResult {
            let _ = (origin,);
            Err(T::NotHere::get())
        }
    }
}

//! What the public chain has and this one does not carry out.
//!
//! The pallet stands at an index the public chain does not use, so that its one error shifts no public number.

pub use pallet::*;

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    use frame_support::pallet_prelude::*;

    /// What the pallet needs of the runtime.
    #[pallet::config]
    pub trait Config: frame_system::Config {}

    /// The pallet's type.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// What a declared call without behaviour answers.
    #[pallet::error]
    pub enum Error<T> {
        /// This call exists on the public chain; this chain does not carry it out.
        NotOnThisChain,
    }

    /// The answer of a declared call without behaviour.
    pub struct NotHere<T>(PhantomData<T>);

    impl<T: Config> Get<DispatchError> for NotHere<T> {
        fn get() -> DispatchError {
            Error::<T>::NotOnThisChain.into()
        }
    }
}

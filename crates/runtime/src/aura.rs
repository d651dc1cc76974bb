//! Block authorship, of which the public chain's clients read one constant.
//!
//! This chain has one author and no consensus, so there are no authorities and no slots.

pub use pallet::*;

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    /// What the pallet needs of the runtime.
    #[pallet::config]
    pub trait Config: frame_system::Config {}

    /// The pallet's type.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    #[pallet::extra_constants]
    impl<T: Config> Pallet<T> {
        /// The public chain's time between blocks, in milliseconds; the one here is a setting of the node. Clients
        /// take 250 for a chain whose periods are shortened too, which they are not here, however fast the node.
        #[pallet::constant_name(SlotDuration)]
        fn slot_duration() -> u64 {
            12_000
        }
    }
}

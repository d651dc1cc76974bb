//! The rules of subnets and of the network, set by root and, where the public chain allows it, by a subnet's owner.
//!
//! A subnet's owner may set a rule once in some tempos and not shortly before an epoch, as on the public chain. Root
//! is held to neither, nor to the public bounds of the tempo, because a development network wants short epochs.
//!
//! It refuses what this chain does not carry out: contracts, consensus keys, children, swaps of coldkeys, TAO flow.

mod calls;
mod rules;

pub use pallet::*;

use frame_support::pallet_macros::import_section;

/// The pallet.
#[import_section(calls::calls)]
#[frame_support::pallet]
pub mod pallet {
    use super::rules::Right::{Nobody, Owner, Root, Subnet};
    use crate::subtensor::Event as Told;
    use crate::subtensor::OwnerAction::{
        Hyperparameter as Rule, MechanismCount, MechanismEmission, OwnerHotkey, Trim,
        WeightsVersionKey,
    };
    use crate::subtensor::{self, FixedI128, FixedU128, Hyperparameter as H, RecycleOrBurnEnum};
    use frame_support::pallet_prelude::*;
    use frame_system::pallet_prelude::*;
    use sp_runtime::AccountId32;

    /// What the pallet needs of the runtime.
    #[pallet::config]
    pub trait Config:
        subtensor::Config + frame_system::Config<RuntimeEvent: From<Event<Self>>>
    {
    }

    /// The pallet's type.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// What the pallet tells the world; other settings are events of the subtensor pallet.
    #[pallet::event]
    #[pallet::generate_deposit(pub(super) fn deposit_event)]
    pub enum Event<T: Config> {
        /// The version of the bonds' rules changed.
        #[codec(index = 1)]
        Yuma3EnableToggled {
            /// The subnet.
            netuid: u16,
            /// Whether the third version is in use.
            enabled: bool,
        },
        /// The reset of bonds was switched.
        #[codec(index = 2)]
        BondsResetToggled {
            /// The subnet.
            netuid: u16,
            /// Whether a neuron can ask for it.
            enabled: bool,
        },
        /// The fall of the registration price changed.
        #[codec(index = 3)]
        BurnHalfLifeSet {
            /// The subnet.
            netuid: u16,
            /// Blocks in which the price halves.
            burn_half_life: u16,
        },
        /// The rise of the registration price changed.
        #[codec(index = 4)]
        BurnIncreaseMultSet {
            /// The subnet.
            netuid: u16,
            /// What a registration multiplies the price by.
            burn_increase_mult: FixedU128,
        },
        /// A subnet's emission was switched.
        #[codec(index = 5)]
        SubnetEmissionEnabledSet {
            /// The subnet.
            netuid: u16,
            /// Whether it receives emission.
            enabled: bool,
        },
    }

    /// What can go wrong, in the public chain's order.
    #[pallet::error]
    pub enum Error<T> {
        /// There is no such subnet.
        SubnetDoesNotExist,
        /// More validators than neurons.
        MaxValidatorsLargerThanMaxUIds,
        /// The subnet has more neurons already.
        MaxAllowedUIdsLessThanCurrentUIds,
        /// More of the old bonds than an epoch may keep.
        BondsMovingAverageMaxReached,
        /// Only root may turn the sigmoid around.
        NegativeSigmoidSteepness,
        /// The value is outside its bounds.
        ValueNotInBounds,
        /// The subnet has fewer neurons.
        MinAllowedUidsGreaterThanCurrentUids,
        /// The subnet may not have as many neurons.
        MinAllowedUidsGreaterThanMaxAllowedUids,
        /// Fewer neurons than a subnet must allow.
        MaxAllowedUidsLessThanMinAllowedUids,
        /// More neurons than a subnet can allow.
        MaxAllowedUidsGreaterThanDefaultMaxAllowedUids,
        /// The value means nothing.
        InvalidValue,
        /// The root network has no such setting.
        NotPermittedOnRootSubnet,
        /// There is no registration by proof of work any more.
        POWRegistrationDisabled,
        /// The call is out of use.
        Deprecated,
    }
}

//! The pulses of the randomness beacon that time-locked weights and commitments are sealed to.
//!
//! Pulses come in as [`Call::write_pulse`] without a signer, which only the block's author can put into a block, as an
//! inherent: such a transaction is valid in no pool. Each is checked against [`BeaconConfig`], so the author can hold a
//! pulse back and cannot invent one. Rounds ascend; unlike on the public chain they may leave gaps, because a
//! development network sleeps and its beacon does not.

pub use pallet::*;

use agon_timelock::{Beacon, PublicKey, Signature};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::BoundedVec;
use frame_support::traits::Get;
use scale_info::TypeInfo;
use sp_core::ConstU32;
use sp_runtime::MultiSigner;
use sp_runtime::traits::{BlakeTwo256, Hash};

type Bytes32 = BoundedVec<u8, ConstU32<32>>;

/// How drand names the scheme in which quicknet and every local beacon sign.
const SCHEME: &[u8] = b"bls-unchained-g1-rfc9380";

/// Which beacon the chain trusts.
#[derive(
    Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo, Clone, Debug, PartialEq, Eq,
)]
pub struct BeaconConfiguration {
    /// The key that checks its pulses, 96 bytes.
    pub public_key: BoundedVec<u8, ConstU32<96>>,
    /// Seconds between rounds.
    pub period: u32,
    /// When the first round was published, in seconds since 1970.
    pub genesis_time: u32,
    /// The hash that names the beacon.
    pub hash: Bytes32,
    /// The hash of the group that keeps it.
    pub group_hash: Bytes32,
    /// The name of its signature scheme.
    pub scheme_id: Bytes32,
    /// What else is known.
    pub metadata: Metadata,
}

/// What else is known of a beacon.
#[derive(
    Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo, Clone, Debug, PartialEq, Eq,
)]
pub struct Metadata {
    /// Its name.
    pub beacon_id: Bytes32,
}

impl BeaconConfiguration {
    /// The configuration of a beacon with a key of its own, in quicknet's scheme. Its hashes are those of its key.
    pub fn local(beacon: &Beacon) -> Self {
        let key = beacon.public_key.to_bytes();
        let hash = Bytes32::truncate_from(BlakeTwo256::hash(&key).0.to_vec());
        Self {
            public_key: BoundedVec::truncate_from(key.to_vec()),
            period: beacon.period,
            genesis_time: u32::try_from(beacon.genesis_time).unwrap_or(u32::MAX),
            hash: hash.clone(),
            group_hash: hash,
            scheme_id: Bytes32::truncate_from(SCHEME.to_vec()),
            metadata: Metadata {
                beacon_id: Bytes32::truncate_from(b"local".to_vec()),
            },
        }
    }

    /// The beacon, if its key can be read.
    pub fn beacon(&self) -> Option<Beacon> {
        Some(Beacon {
            public_key: PublicKey::from_bytes(&self.public_key).ok()?,
            period: self.period,
            genesis_time: self.genesis_time.into(),
        })
    }
}

/// drand's quicknet, as the public chain configures it.
pub struct Quicknet;

impl Get<BeaconConfiguration> for Quicknet {
    fn get() -> BeaconConfiguration {
        let quicknet = Beacon::quicknet();
        let bytes = |bytes: [u8; 32]| Bytes32::truncate_from(bytes.to_vec());
        BeaconConfiguration {
            hash: bytes(agon_timelock::QUICKNET_CHAIN_HASH),
            group_hash: bytes([
                0xf4, 0x77, 0xd5, 0xc8, 0x9f, 0x21, 0xa1, 0x7c, 0x86, 0x3a, 0x7f, 0x93, 0x7c, 0x6a,
                0x6d, 0x15, 0x85, 0x94, 0x14, 0xd2, 0xbe, 0x09, 0xcd, 0x44, 0x8d, 0x42, 0x79, 0xaf,
                0x33, 0x1c, 0x5d, 0x3e,
            ]),
            metadata: Metadata {
                beacon_id: Bytes32::truncate_from(b"quicknet".to_vec()),
            },
            ..BeaconConfiguration::local(&quicknet)
        }
    }
}

/// What the beacon published in one round.
#[derive(
    Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo, Clone, Debug, PartialEq, Eq,
)]
pub struct Pulse {
    /// The round.
    pub round: u64,
    /// The signature's SHA-256.
    pub randomness: Bytes32,
    /// The beacon's signature of the round.
    pub signature: BoundedVec<u8, ConstU32<144>>,
}

impl Pulse {
    /// The pulse that a signature makes.
    pub fn new(round: u64, signature: &Signature) -> Self {
        Self {
            round,
            randomness: Bytes32::truncate_from(signature.randomness().to_vec()),
            signature: BoundedVec::truncate_from(signature.to_bytes().to_vec()),
        }
    }
}

/// Pulses on their way into the chain.
#[derive(Encode, Decode, DecodeWithMemTracking, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct PulsesPayload<Public, BlockNumber> {
    /// The block they were fetched in.
    pub block_number: BlockNumber,
    /// The pulses, by ascending round.
    pub pulses: Vec<Pulse>,
    /// Who fetched them.
    pub public: Public,
}

/// A change of the trusted beacon.
#[derive(Encode, Decode, DecodeWithMemTracking, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct BeaconConfigurationPayload<Public, BlockNumber> {
    /// The block in which it was asked for.
    pub block_number: BlockNumber,
    /// The new configuration.
    pub config: BeaconConfiguration,
    /// Who asked.
    pub public: Public,
}

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    use super::*;
    use frame_support::pallet_prelude::*;
    use frame_system::pallet_prelude::*;
    use sp_runtime::{MultiSignature, SaturatedConversion};

    /// How many rounds the chain keeps: a month of quicknet.
    const KEPT_ROUNDS: u64 = 864_000;
    /// How many rounds a call forgets at most.
    const FORGOTTEN_AT_ONCE: u64 = 128;

    /// What the pallet needs of the runtime.
    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// The priority of pulses in the public chain's pool.
        #[pallet::constant]
        type UnsignedPriority: Get<u64>;
        /// How long the public chain's nodes wait for the beacon, in milliseconds.
        #[pallet::constant]
        type HttpFetchTimeout: Get<u64>;
    }

    /// The pallet's type.
    #[pallet::pallet]
    #[pallet::without_storage_info]
    pub struct Pallet<T>(_);

    /// The beacon that is trusted.
    #[pallet::storage]
    pub type BeaconConfig<T> = StorageValue<_, BeaconConfiguration, ValueQuery, Quicknet>;
    /// Which changes of the stored shape were made; none are needed here.
    #[pallet::storage]
    pub type HasMigrationRun<T> =
        StorageMap<_, Identity, BoundedVec<u8, ConstU32<128>>, bool, ValueQuery>;
    /// The pulse of a round.
    #[pallet::storage]
    pub type Pulses<T> = StorageMap<_, Blake2_128Concat, u64, Pulse>;
    /// The newest round that is stored.
    #[pallet::storage]
    pub type LastStoredRound<T> = StorageValue<_, u64, ValueQuery>;
    /// No older round is stored.
    #[pallet::storage]
    pub type OldestStoredRound<T> = StorageValue<_, u64, ValueQuery>;
    /// The block from which the next pulses are taken.
    #[pallet::storage]
    pub type NextUnsignedAt<T: Config> = StorageValue<_, BlockNumberFor<T>, ValueQuery>;

    /// What the pallet tells the world.
    #[pallet::event]
    #[pallet::generate_deposit(fn deposit_event)]
    pub enum Event<T: Config> {
        /// Another beacon is trusted.
        BeaconConfigChanged,
        /// Pulses were stored.
        NewPulse {
            /// Their rounds.
            rounds: Vec<u64>,
        },
        /// The mark of the oldest round was moved. \[round\]
        SetOldestStoredRound(u64),
    }

    /// What can go wrong, in the public chain's order. The first three are raised by the public chain only.
    #[pallet::error]
    #[allow(missing_docs)]
    pub enum Error<T> {
        NoneValue,
        StorageOverflow,
        DrandConnectionFailure,
        /// The pulse is not the beacon's.
        UnverifiedPulse,
        /// The round is not after the newest one.
        InvalidRoundNumber,
        /// The pulse's signature or the beacon's key is no point of the curve.
        PulseVerificationError,
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Stores pulses of the trusted beacon, by ascending round; all or none. By the block's author, without signer.
        #[pallet::call_index(0)]
        #[pallet::weight((Weight::from_parts(10_000_000, 0), DispatchClass::Operational, Pays::No))]
        pub fn write_pulse(
            origin: OriginFor<T>,
            pulses_payload: PulsesPayload<MultiSigner, BlockNumberFor<T>>,
            signature: Option<MultiSignature>,
        ) -> DispatchResult {
            ensure_none(origin)?;
            // On the public chain it proves which node fetched the pulses; here the author alone can.
            let _ = signature;
            let beacon = BeaconConfig::<T>::get()
                .beacon()
                .ok_or(Error::<T>::PulseVerificationError)?;
            let mut rounds = Vec::new();
            for pulse in pulses_payload.pulses {
                let last = LastStoredRound::<T>::get();
                ensure!(pulse.round > last, Error::<T>::InvalidRoundNumber);
                let signature = Signature::from_bytes(&pulse.signature)
                    .map_err(|_| Error::<T>::PulseVerificationError)?;
                ensure!(
                    beacon.public_key.verify(pulse.round, &signature)
                        && pulse.randomness[..] == signature.randomness(),
                    Error::<T>::UnverifiedPulse
                );
                if last == 0 {
                    OldestStoredRound::<T>::put(pulse.round);
                }
                LastStoredRound::<T>::put(pulse.round);
                rounds.push(pulse.round);
                Pulses::<T>::insert(pulse.round, pulse);
            }
            Self::forget_old_rounds();
            let block: u32 = frame_system::Pallet::<T>::block_number().saturated_into();
            NextUnsignedAt::<T>::put(BlockNumberFor::<T>::from(block.saturating_add(1)));
            Self::deposit_event(Event::NewPulse { rounds });
            Ok(())
        }

        /// Trusts another beacon from now on. By root.
        #[pallet::call_index(1)]
        #[pallet::weight(Weight::from_parts(10_000_000, 0))]
        pub fn set_beacon_config(
            origin: OriginFor<T>,
            config_payload: BeaconConfigurationPayload<MultiSigner, BlockNumberFor<T>>,
            signature: Option<MultiSignature>,
        ) -> DispatchResult {
            ensure_root(origin)?;
            let _ = signature;
            ensure!(
                config_payload.config.beacon().is_some(),
                Error::<T>::PulseVerificationError
            );
            BeaconConfig::<T>::put(config_payload.config);
            Self::deposit_event(Event::BeaconConfigChanged);
            Ok(())
        }

        /// Moves the mark of the oldest stored round. By root.
        #[pallet::call_index(2)]
        #[pallet::weight(Weight::from_parts(10_000_000, 0))]
        pub fn set_oldest_stored_round(origin: OriginFor<T>, oldest_round: u64) -> DispatchResult {
            ensure_root(origin)?;
            OldestStoredRound::<T>::put(oldest_round);
            Self::deposit_event(Event::SetOldestStoredRound(oldest_round));
            Ok(())
        }
    }

    impl<T: Config> Pallet<T> {
        /// The beacon's signature of a round, once it is stored.
        pub fn signature_of(round: u64) -> Option<Signature> {
            Signature::from_bytes(&Pulses::<T>::get(round)?.signature).ok()
        }

        fn forget_old_rounds() {
            let oldest = OldestStoredRound::<T>::get();
            let first_kept = LastStoredRound::<T>::get().saturating_sub(KEPT_ROUNDS);
            let end = first_kept.min(oldest.saturating_add(FORGOTTEN_AT_ONCE));
            if oldest < end {
                (oldest..end).for_each(Pulses::<T>::remove);
                OldestStoredRound::<T>::put(end);
            }
        }
    }
}

//! Shielded transactions: signed, encrypted to the block's author, and sent inside another transaction.
//!
//! [`Call::submit_encrypted`] takes the cipher text and says that it came; nothing is stored. The author opens it and
//! puts what is inside, a transaction like any other, behind it into the block. Until then nobody else knows what will
//! be traded. This module knows the form of a cipher text ([`Shielded`]) and opens none.
//!
//! On the public chain the key changes with the author of each block. Here one author makes all blocks, so the key
//! stays until another is announced. The public chain's queue of encrypted calls is declared and not carried out.

pub use pallet::*;

use crate::admission::Refusal;
use crate::{Runtime, RuntimeCall};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::weights::Weight;
use frame_support::{StorageHasher, Twox128};
use scale_info::TypeInfo;
use sp_core::sr25519;
use sp_runtime::generic::Era;
use sp_runtime::impl_tx_ext_default;
use sp_runtime::traits::{
    DispatchInfoOf, DispatchOriginOf, Implication, TransactionExtension, ValidateResult,
};
use sp_runtime::transaction_validity::{
    InvalidTransaction, TransactionSource, TransactionValidityError, ValidTransaction,
};

/// The length of an ML-KEM-768 encapsulation key, in bytes.
pub const KEY_BYTES: usize = 1184;
/// The length of an encapsulated secret of ML-KEM-768, in bytes.
pub const ENCAPSULATED_BYTES: usize = 1088;
/// The length of the tag at the end of a sealed text, in bytes.
pub const TAG_BYTES: usize = 16;
/// The most blocks that a transaction with a cipher text may be valid.
pub const MAX_PERIOD: u64 = 8;

/// The parts of a cipher text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shielded<'a> {
    /// The hash of the key it is encrypted to, as [`key_hash`] makes it.
    pub key_hash: [u8; 16],
    /// The secret, encapsulated to the key.
    pub encapsulated: &'a [u8; ENCAPSULATED_BYTES],
    /// The text's nonce.
    pub nonce: &'a [u8; 24],
    /// The text, sealed with XChaCha20-Poly1305 under the secret; its tag comes last.
    pub sealed: &'a [u8],
}

impl<'a> Shielded<'a> {
    /// Reads a cipher text: the key's hash, the length of the encapsulated secret (u16, little endian), the secret, the
    /// nonce and the sealed text. None if the bytes are not of this form.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (key_hash, rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        if usize::from(u16::from_le_bytes(*length)) != ENCAPSULATED_BYTES {
            return None;
        }
        let (encapsulated, rest) = rest.split_first_chunk()?;
        let (nonce, sealed) = rest.split_first_chunk()?;
        (sealed.len() > TAG_BYTES).then_some(Self {
            key_hash: *key_hash,
            encapsulated,
            nonce,
            sealed,
        })
    }
}

/// What a cipher text names a key by.
pub fn key_hash(key: &[u8]) -> [u8; 16] {
    Twox128::hash(key)
}

/// The name of a block's author on the public chain.
#[derive(
    Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo, Clone, Debug, PartialEq, Eq,
)]
pub struct Public(pub sr25519::Public);

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    use super::{KEY_BYTES, Public};
    use frame_support::pallet_prelude::*;
    use frame_support::traits::ConstU64;
    use frame_system::pallet_prelude::*;
    use sp_runtime::DispatchError;
    use sp_runtime::traits::Hash;

    const CALL: Weight = Weight::from_parts(10_000_000, 0);
    /// The most reference time that can be set: half of a block's.
    const MAX_WEIGHT: u64 = 2_000_000_000_000;

    type Key = BoundedVec<u8, ConstU32<2048>>;
    type Ciphertext = BoundedVec<u8, ConstU32<8192>>;

    /// What the pallet needs of the runtime.
    #[pallet::config]
    pub trait Config: frame_system::Config<RuntimeEvent: From<Event<Self>>> {
        /// What a call answers that the public chain carries out and this one does not.
        type NotHere: Get<DispatchError>;
    }

    /// The pallet's type.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// The key announced before [`NextKey`], at first the same; what is encrypted to it is still taken.
    #[pallet::storage]
    pub type CurrentKey<T> = StorageValue<_, Key, OptionQuery>;
    /// Publicly a key on its way to become the current one; unused here.
    #[pallet::storage]
    pub type PendingKey<T> = StorageValue<_, Key, OptionQuery>;
    /// The ML-KEM-768 key that clients encrypt to.
    #[pallet::storage]
    pub type NextKey<T> = StorageValue<_, Key, OptionQuery>;
    /// Publicly each author's key; unused here.
    #[pallet::storage]
    pub type AuthorKeys<T> = StorageMap<_, Twox64Concat, Public, Key, OptionQuery>;
    /// Publicly the block from which the pending key is void; unused here.
    #[pallet::storage]
    pub type PendingKeyExpiresAt<T: Config> = StorageValue<_, BlockNumberFor<T>, OptionQuery>;
    /// Publicly the block from which the next key is void; here it never is.
    #[pallet::storage]
    pub type NextKeyExpiresAt<T: Config> = StorageValue<_, BlockNumberFor<T>, OptionQuery>;
    /// Publicly which migrations have run; unused here.
    #[pallet::storage]
    pub type HasMigrationRun<T> =
        StorageMap<_, Identity, BoundedVec<u8, ConstU32<128>>, bool, ValueQuery>;
    /// How many encrypted calls may wait.
    #[pallet::storage]
    pub type MaxPendingExtrinsicsLimit<T> = StorageValue<_, u32, ValueQuery, ConstU32<100>>;
    /// For how many blocks an encrypted call may wait.
    #[pallet::storage]
    pub type ExtrinsicLifetime<T> = StorageValue<_, u32, ValueQuery, ConstU32<10>>;
    /// How much reference time a block spends on calls that waited.
    #[pallet::storage]
    pub type OnInitializeWeight<T> = StorageValue<_, u64, ValueQuery, ConstU64<500_000_000_000>>;
    /// How much reference time one of them may take.
    #[pallet::storage]
    pub type MaxExtrinsicWeight<T> = StorageValue<_, u64, ValueQuery, ConstU64<50_000_000_000>>;
    /// Publicly the encrypted calls that wait; unused here.
    #[pallet::storage]
    pub type PendingExtrinsics<T: Config> =
        CountedStorageMap<_, Identity, u32, PendingExtrinsic<T>, OptionQuery>;
    /// Publicly the number of the next encrypted call; unused here.
    #[pallet::storage]
    pub type NextPendingExtrinsicIndex<T> = StorageValue<_, u32, ValueQuery>;

    /// An encrypted call that waits.
    #[derive(
        Encode, Decode, MaxEncodedLen, TypeInfo, DebugNoBound, CloneNoBound, PartialEqNoBound,
    )]
    #[scale_info(skip_type_params(T))]
    pub struct PendingExtrinsic<T: Config> {
        /// Who sent it.
        pub who: T::AccountId,
        /// The cipher text.
        pub encrypted_call: Ciphertext,
        /// When.
        pub submitted_at: BlockNumberFor<T>,
    }

    /// What the pallet tells the world. What concerns encrypted calls that wait is told by the public chain only.
    #[pallet::event]
    #[pallet::generate_deposit(fn deposit_event)]
    #[allow(missing_docs)]
    pub enum Event<T: Config> {
        /// A cipher text came in. What was inside follows in the block if it could stand there.
        EncryptedSubmitted {
            /// The hash of sender and cipher text.
            id: T::Hash,
            /// Who sent it.
            who: T::AccountId,
        },
        ExtrinsicStored {
            index: u32,
            who: T::AccountId,
        },
        ExtrinsicDecodeFailed {
            index: u32,
        },
        ExtrinsicDispatchFailed {
            index: u32,
            error: DispatchError,
        },
        ExtrinsicDispatched {
            index: u32,
        },
        ExtrinsicExpired {
            index: u32,
        },
        ExtrinsicPostponed {
            index: u32,
        },
        /// How many encrypted calls may wait has changed.
        MaxPendingExtrinsicsNumberSet {
            /// The number.
            value: u32,
        },
        /// A block's time for calls that waited has changed.
        OnInitializeWeightSet {
            /// The reference time.
            value: u64,
        },
        /// For how many blocks an encrypted call may wait has changed.
        ExtrinsicLifetimeSet {
            /// The number of blocks.
            value: u32,
        },
        /// The time for one of the calls that waited has changed.
        MaxExtrinsicWeightSet {
            /// The reference time.
            value: u64,
        },
        ExtrinsicWeightExceeded {
            index: u32,
        },
    }

    /// What can go wrong, in the public chain's order. The middle two are raised by the public chain only.
    #[pallet::error]
    #[allow(missing_docs)]
    pub enum Error<T> {
        /// The announced key is not one of ML-KEM-768.
        BadEncKeyLen,
        Unreachable,
        TooManyPendingExtrinsics,
        /// More than half of a block's time.
        WeightExceedsAbsoluteMax,
    }

    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Makes clients encrypt to another key, or to none. By the block's author, without signer.
        #[pallet::call_index(0)]
        #[pallet::weight((CALL, DispatchClass::Operational, Pays::No))]
        pub fn announce_next_key(origin: OriginFor<T>, enc_key: Option<Key>) -> DispatchResult {
            ensure_none(origin)?;
            let has_right_length = enc_key.as_ref().is_none_or(|key| key.len() == KEY_BYTES);
            ensure!(has_right_length, Error::<T>::BadEncKeyLen);
            CurrentKey::<T>::set(NextKey::<T>::get().or_else(|| enc_key.clone()));
            NextKey::<T>::set(enc_key);
            Ok(())
        }

        /// Brings a cipher text to the block's author, who puts what is inside behind it into the block.
        #[pallet::call_index(1)]
        #[pallet::weight(CALL)]
        pub fn submit_encrypted(origin: OriginFor<T>, ciphertext: Ciphertext) -> DispatchResult {
            let who = ensure_signed(origin)?;
            let id = T::Hashing::hash_of(&(&who, &ciphertext));
            Self::deposit_event(Event::EncryptedSubmitted { id, who });
            Ok(())
        }

        /// Publicly puts an encrypted call into the queue. Not here.
        #[pallet::call_index(2)]
        #[pallet::weight(CALL)]
        pub fn store_encrypted(origin: OriginFor<T>, encrypted_call: Ciphertext) -> DispatchResult {
            let _ = (origin, encrypted_call);
            Err(T::NotHere::get())
        }

        /// Sets how many encrypted calls may wait. By root.
        #[pallet::call_index(3)]
        #[pallet::weight(CALL)]
        pub fn set_max_pending_extrinsics_number(
            origin: OriginFor<T>,
            value: u32,
        ) -> DispatchResult {
            ensure_root(origin)?;
            MaxPendingExtrinsicsLimit::<T>::put(value);
            Self::deposit_event(Event::MaxPendingExtrinsicsNumberSet { value });
            Ok(())
        }

        /// Sets how much reference time a block spends on calls that waited. By root.
        #[pallet::call_index(4)]
        #[pallet::weight(CALL)]
        pub fn set_on_initialize_weight(origin: OriginFor<T>, value: u64) -> DispatchResult {
            ensure_root(origin)?;
            ensure!(value <= MAX_WEIGHT, Error::<T>::WeightExceedsAbsoluteMax);
            OnInitializeWeight::<T>::put(value);
            Self::deposit_event(Event::OnInitializeWeightSet { value });
            Ok(())
        }

        /// Sets for how many blocks an encrypted call may wait. By root.
        #[pallet::call_index(5)]
        #[pallet::weight(CALL)]
        pub fn set_stored_extrinsic_lifetime(origin: OriginFor<T>, value: u32) -> DispatchResult {
            ensure_root(origin)?;
            ExtrinsicLifetime::<T>::put(value);
            Self::deposit_event(Event::ExtrinsicLifetimeSet { value });
            Ok(())
        }

        /// Sets how much reference time one of the calls that waited may take. By root.
        #[pallet::call_index(6)]
        #[pallet::weight(CALL)]
        pub fn set_max_extrinsic_weight(origin: OriginFor<T>, value: u64) -> DispatchResult {
            ensure_root(origin)?;
            ensure!(value <= MAX_WEIGHT, Error::<T>::WeightExceedsAbsoluteMax);
            MaxExtrinsicWeight::<T>::put(value);
            Self::deposit_event(Event::MaxExtrinsicWeightSet { value });
            Ok(())
        }
    }
}

/// The cipher text of a call that brings one.
fn ciphertext(call: &RuntimeCall) -> Option<&[u8]> {
    match call {
        RuntimeCall::MevShield(Call::submit_encrypted { ciphertext }) => Some(ciphertext),
        _ => None,
    }
}

/// Refuses cipher texts that the author could not open: of another form, or for a key that nobody announced.
#[derive(Encode, Decode, DecodeWithMemTracking, TypeInfo, Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckShieldedTxValidity;

impl TransactionExtension<RuntimeCall> for CheckShieldedTxValidity {
    const IDENTIFIER: &'static str = "CheckShieldedTxValidity";
    type Implicit = ();
    type Val = ();
    type Pre = ();

    fn validate(
        &self,
        origin: DispatchOriginOf<RuntimeCall>,
        call: &RuntimeCall,
        _info: &DispatchInfoOf<RuntimeCall>,
        _len: usize,
        _implicit: (),
        _implication: &impl Encode,
        _source: TransactionSource,
    ) -> ValidateResult<(), RuntimeCall> {
        if let Some(ciphertext) = ciphertext(call) {
            let shielded = Shielded::parse(ciphertext).ok_or(Refusal::FailedShieldedTxParsing)?;
            let keys = [NextKey::<Runtime>::get(), CurrentKey::<Runtime>::get()];
            let is_known = |key: &_| key_hash(key) == shielded.key_hash;
            if !keys.iter().flatten().any(|key| is_known(&**key)) {
                return Err(Refusal::InvalidShieldedTxPubKeyHash.into());
            }
        }
        Ok((ValidTransaction::default(), (), origin))
    }

    impl_tx_ext_default!(RuntimeCall; weight prepare);
}

type FrameCheckMortality = frame_system::CheckMortality<Runtime>;

/// [`frame_system::CheckMortality`], which also refuses a cipher text that would be valid for more than
/// [`MAX_PERIOD`] blocks: its key may be another by then.
#[derive(Encode, Decode, DecodeWithMemTracking, TypeInfo, Clone, Debug, PartialEq, Eq)]
pub struct CheckMortality(pub Era);

impl TransactionExtension<RuntimeCall> for CheckMortality {
    const IDENTIFIER: &'static str = "CheckMortality";
    type Implicit = <FrameCheckMortality as TransactionExtension<RuntimeCall>>::Implicit;
    type Val = ();
    type Pre = ();

    fn implicit(&self) -> Result<Self::Implicit, TransactionValidityError> {
        FrameCheckMortality::from(self.0).implicit()
    }

    fn weight(&self, call: &RuntimeCall) -> Weight {
        FrameCheckMortality::from(self.0).weight(call)
    }

    fn validate(
        &self,
        origin: DispatchOriginOf<RuntimeCall>,
        call: &RuntimeCall,
        info: &DispatchInfoOf<RuntimeCall>,
        len: usize,
        implicit: Self::Implicit,
        implication: &impl Implication,
        source: TransactionSource,
    ) -> ValidateResult<(), RuntimeCall> {
        let is_short = matches!(self.0, Era::Mortal(period, _) if period <= MAX_PERIOD);
        if ciphertext(call).is_some() && !is_short {
            return Err(InvalidTransaction::Stale.into());
        }
        let (valid, _, origin) = FrameCheckMortality::from(self.0).validate(
            origin,
            call,
            info,
            len,
            implicit,
            implication,
            source,
        )?;
        Ok((valid, (), origin))
    }

    impl_tx_ext_default!(RuntimeCall; prepare);
}

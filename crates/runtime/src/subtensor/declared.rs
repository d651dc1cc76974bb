//! What the public chain stores and this one does not use yet: clients refuse names they do not find in the metadata.

use frame_support::pallet_macros::pallet_section;

/// Storage without behaviour.
#[pallet_section]
mod declared {
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type LastHotkeySwapOnNetuid<T> =
        StorageDoubleMap<_, Identity, u16, Blake2_128Concat, AccountId32, u64, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type NextStakeJobId<T> = StorageValue<_, u64, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type CKBurn<T> = StorageValue<_, u64, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type MaxChildkeyTake<T> = StorageValue<_, u16, ValueQuery, ConstU16<11_796>>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type MinChildkeyTake<T> = StorageValue<_, u16, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type MinChildkeyTakePerSubnet<T> = StorageMap<_, Identity, u16, u16, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type AccountFlags<T> = StorageMap<_, Blake2_128Concat, AccountId32, u128, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type ChildkeyTake<T> =
        StorageDoubleMap<_, Blake2_128Concat, AccountId32, Identity, u16, u16, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type PendingChildKeys<T> = StorageDoubleMap<
        _,
        Identity,
        u16,
        Blake2_128Concat,
        AccountId32,
        (Vec<(u64, AccountId32)>, u64),
        ValueQuery,
    >;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type ChildKeys<T> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        AccountId32,
        Identity,
        u16,
        Vec<(u64, AccountId32)>,
        ValueQuery,
    >;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type ParentKeys<T> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        AccountId32,
        Identity,
        u16,
        Vec<(u64, AccountId32)>,
        ValueQuery,
    >;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type RootAlphaDividendsPerSubnet<T> =
        StorageDoubleMap<_, Identity, u16, Blake2_128Concat, AccountId32, u64, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type SubnetRootSellTao<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type SubnetProtocolAlpha<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type ColdkeySwapAnnouncementDelay<T> = StorageValue<_, u32, ValueQuery, ConstU32<36_000>>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type ColdkeySwapReannouncementDelay<T> = StorageValue<_, u32, ValueQuery, ConstU32<7200>>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type ColdkeySwapAnnouncements<T> = StorageMap<_, Twox64Concat, AccountId32, (u32, H256)>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type ColdkeySwapDisputes<T> = StorageMap<_, Twox64Concat, AccountId32, u32>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type TotalHotkeyShares<T> =
        StorageDoubleMap<_, Blake2_128Concat, AccountId32, Identity, u16, FixedU128, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type Alpha<T> = StorageNMap<
        _,
        (
            NMapKey<Blake2_128Concat, AccountId32>,
            NMapKey<Blake2_128Concat, AccountId32>,
            NMapKey<Identity, u16>,
        ),
        FixedU128,
        ValueQuery,
    >;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type Lock<T> = StorageNMap<
        _,
        (
            NMapKey<Blake2_128Concat, AccountId32>,
            NMapKey<Identity, u16>,
            NMapKey<Blake2_128Concat, AccountId32>,
        ),
        LockState,
    >;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type LockingColdkeys<T> = StorageNMap<
        _,
        (
            NMapKey<Identity, u16>,
            NMapKey<Blake2_128Concat, AccountId32>,
            NMapKey<Blake2_128Concat, AccountId32>,
        ),
        (),
    >;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type HotkeyLock<T> =
        StorageDoubleMap<_, Identity, u16, Blake2_128Concat, AccountId32, LockState>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type DecayingHotkeyLock<T> =
        StorageDoubleMap<_, Identity, u16, Blake2_128Concat, AccountId32, LockState>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type OwnerLock<T> = StorageMap<_, Identity, u16, LockState>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type DecayingOwnerLock<T> = StorageMap<_, Identity, u16, LockState>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type DecayingLock<T> =
        StorageDoubleMap<_, Blake2_128Concat, AccountId32, Identity, u16, bool>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type OwnerCutAutoLockEnabled<T> = StorageMap<_, Identity, u16, bool, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type MaturityRate<T> = StorageValue<_, u64, ValueQuery, ConstU64<934_866>>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type UnlockRate<T> = StorageValue<_, u64, ValueQuery, ConstU64<934_866>>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type AlphaMapLastKey<T> = StorageValue<_, Option<Vec<u8>>, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type AlphaV2MapLastKey<T> = StorageValue<_, Option<Vec<u8>>, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type SubnetTaoFlow<T> = StorageMap<_, Identity, u16, i64, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type SubnetEmaTaoFlow<T> = StorageMap<_, Identity, u16, (u64, FixedI128)>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type NetTaoFlowEnabled<T> = StorageValue<_, bool, ValueQuery, ConstBool<true>>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type SubnetProtocolFlow<T> = StorageMap<_, Identity, u16, i64, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type SubnetEmaProtocolFlow<T> = StorageMap<_, Identity, u16, (u64, FixedI128)>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type TaoFlowCutoff<T> = StorageValue<_, FixedI128, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type FlowNormExponent<T> = StorageValue<_, FixedU128, ValueQuery, OneQ64>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type FlowEmaSmoothingFactor<T> =
        StorageValue<_, u64, ValueQuery, ConstU64<29_597_889_189_277>>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type UsedWork<T> = StorageMap<_, Identity, Vec<u8>, u64, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type LargestLocked<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type RegistrationsThisInterval<T> = StorageMap<_, Identity, u16, u16, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type POWRegistrationsThisInterval<T> = StorageMap<_, Identity, u16, u16, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type BurnRegistrationsThisInterval<T> = StorageMap<_, Identity, u16, u16, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type BondsResetOn<T> = StorageMap<_, Identity, u16, bool, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type ValidatorPruneLen<T> = StorageMap<_, Identity, u16, u64, ValueQuery, ConstU64<1>>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type ScalingLawPower<T> = StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<50>>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type LastAdjustmentBlock<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type TxChildkeyTakeRateLimit<T> = StorageValue<_, u64, ValueQuery, ConstU64<216_000>>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type VotingPower<T> =
        StorageDoubleMap<_, Identity, u16, Blake2_128Concat, AccountId32, u64, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type VotingPowerTrackingEnabled<T> = StorageMap<_, Identity, u16, bool, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type VotingPowerDisableAtBlock<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type VotingPowerEmaAlpha<T> =
        StorageMap<_, Identity, u16, u64, ValueQuery, ConstU64<3_570_000_000_000_000>>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type LoadedEmission<T> = StorageMap<_, Identity, u16, Vec<(AccountId32, u64, u64)>>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type LastTxBlock<T> = StorageMap<_, Identity, AccountId32, u64, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type LastTxBlockChildKeyTake<T> = StorageMap<_, Identity, AccountId32, u64, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type LastTxBlockDelegateTake<T> = StorageMap<_, Identity, AccountId32, u64, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type WeightCommits<T> = StorageDoubleMap<
        _,
        Twox64Concat,
        u16,
        Twox64Concat,
        AccountId32,
        Vec<(H256, u64, u64, u64)>,
    >;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type TimelockedWeightCommits<T> = StorageDoubleMap<
        _,
        Twox64Concat,
        u16,
        Twox64Concat,
        u64,
        Vec<(AccountId32, u64, BoundedVec<u8, ConstU32<5000>>, u64)>,
        ValueQuery,
    >;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type CRV3WeightCommits<T> = StorageDoubleMap<
        _,
        Twox64Concat,
        u16,
        Twox64Concat,
        u64,
        Vec<(AccountId32, BoundedVec<u8, ConstU32<5000>>, u64)>,
        ValueQuery,
    >;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type CRV3WeightCommitsV2<T> = StorageDoubleMap<
        _,
        Twox64Concat,
        u16,
        Twox64Concat,
        u64,
        Vec<(AccountId32, u64, BoundedVec<u8, ConstU32<5000>>, u64)>,
        ValueQuery,
    >;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type LastColdkeyHotkeyStakeBlock<T> =
        StorageDoubleMap<_, Twox64Concat, AccountId32, Twox64Concat, AccountId32, u64>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type RootClaimableThreshold<T> =
        StorageMap<_, Blake2_128Concat, u16, FixedI128, ValueQuery, DefaultClaimableThreshold>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type RootClaimable<T> =
        StorageMap<_, Blake2_128Concat, AccountId32, BTreeMap<u16, FixedI128>, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type RootClaimed<T> = StorageNMap<
        _,
        (
            NMapKey<Identity, u16>,
            NMapKey<Blake2_128Concat, AccountId32>,
            NMapKey<Blake2_128Concat, AccountId32>,
        ),
        u128,
        ValueQuery,
    >;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type RootClaimType<T> =
        StorageMap<_, Blake2_128Concat, AccountId32, RootClaimTypeEnum, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type StakingColdkeysByIndex<T> = StorageMap<_, Identity, u64, AccountId32>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type StakingColdkeys<T> = StorageMap<_, Identity, AccountId32, u64>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type NumStakingColdkeys<T> = StorageValue<_, u64, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type NumRootClaim<T> = StorageValue<_, u64, ValueQuery, ConstU64<5>>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type AssociatedEvmAddress<T> =
        StorageDoubleMap<_, Twox64Concat, u16, Twox64Concat, u16, (H160, u64)>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type SubnetLeases<T> = StorageMap<_, Twox64Concat, u32, SubnetLease>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type SubnetLeaseShares<T> =
        StorageDoubleMap<_, Twox64Concat, u32, Identity, AccountId32, FixedU128, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type SubnetUidToLeaseId<T> = StorageMap<_, Twox64Concat, u16, u32>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type NextSubnetLeaseId<T> = StorageValue<_, u32, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type AccumulatedLeaseDividends<T> = StorageMap<_, Twox64Concat, u32, u64, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type CommitRevealWeightsVersion<T> = StorageValue<_, u16, ValueQuery, ConstU16<4>>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type TaoInRefundDeploymentBlock<T> = StorageValue<_, u64, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type AutoParentDelegationEnabled<T> =
        StorageMap<_, Blake2_128Concat, AccountId32, bool, ValueQuery, ConstBool<true>>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type HasMigrationRun<T> = StorageMap<_, Identity, Vec<u8>, bool, ValueQuery>;
    /// Public; nothing here uses it.
    #[pallet::storage]
    pub type PendingChildKeyCooldown<T> = StorageValue<_, u64, ValueQuery, ConstU64<7200>>;
}

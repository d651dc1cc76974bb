//! What the pallet stores and uses.

use frame_support::pallet_macros::pallet_section;

/// The pallet's storage, in the public chain's shape.
#[pallet_section]
mod storage {
    // The currency and its emission.

    /// Rao in existence.
    #[pallet::storage]
    pub type TotalIssuance<T> = StorageValue<_, u64, ValueQuery>;
    /// Rao in all pools.
    #[pallet::storage]
    pub type TotalStake<T> = StorageValue<_, u64, ValueQuery>;
    /// Rao emitted in this block at most.
    #[pallet::storage]
    pub type BlockEmission<T> = StorageValue<_, u64, ValueQuery, ConstU64<1_000_000_000>>;
    /// The weight of root stake in a subnet, over 2^64 - 1.
    #[pallet::storage]
    pub type TaoWeight<T> = StorageValue<_, u64, ValueQuery, ConstU64<971_718_665_099_567_868>>;
    /// The owner's part of a subnet's emission, over 65535.
    #[pallet::storage]
    pub type SubnetOwnerCut<T> = StorageValue<_, u16, ValueQuery, ConstU16<11_796>>;
    /// How fast a subnet's moving price follows at most, with 32 fractional bits.
    #[pallet::storage]
    pub type SubnetMovingAlpha<T> = StorageValue<_, FixedI128, ValueQuery, DefaultMovingAlpha>;

    // Founding subnets.

    /// The number of networks, root included.
    #[pallet::storage]
    pub type TotalNetworks<T> = StorageValue<_, u16, ValueQuery>;
    /// The most subnets there can be.
    #[pallet::storage]
    pub type SubnetLimit<T> = StorageValue<_, u16, ValueQuery, ConstU16<128>>;
    /// The least price of a subnet, in rao.
    #[pallet::storage]
    pub type NetworkMinLockCost<T> = StorageValue<_, u64, ValueQuery, ConstU64<1_000_000_000_000>>;
    /// What the last subnet cost, in rao.
    #[pallet::storage]
    pub type NetworkLastLockCost<T> = StorageValue<_, u64, ValueQuery, ConstU64<1_000_000_000_000>>;
    /// Blocks in which the price of a subnet falls by what the last one cost.
    #[pallet::storage]
    pub type NetworkLockReductionInterval<T> = StorageValue<_, u64, ValueQuery, ConstU64<100_800>>;
    /// Blocks between two foundings.
    #[pallet::storage]
    pub type NetworkRateLimit<T> = StorageValue<_, u64, ValueQuery, ConstU64<7_200>>;
    /// The first block in which a subnet may be founded.
    #[pallet::storage]
    pub type NetworkRegistrationStartBlock<T> = StorageValue<_, u64, ValueQuery>;
    /// Blocks a subnet must exist before it can be started.
    #[pallet::storage]
    pub type StartCallDelay<T> = StorageValue<_, u64, ValueQuery>;
    /// The block in which something limited was last done.
    #[pallet::storage]
    pub type LastRateLimitedBlock<T> = StorageMap<_, Identity, RateLimitKey, u64, ValueQuery>;

    // A subnet.

    /// Whether the network exists.
    #[pallet::storage]
    pub type NetworksAdded<T> = StorageMap<_, Identity, u16, bool, ValueQuery>;
    /// The block in which the subnet was founded.
    #[pallet::storage]
    pub type NetworkRegisteredAt<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// The coldkey that owns the subnet.
    #[pallet::storage]
    pub type SubnetOwner<T> = StorageMap<_, Identity, u16, AccountId32, ValueQuery, NobodyAccount>;
    /// The hotkey the owner founded the subnet with.
    #[pallet::storage]
    pub type SubnetOwnerHotkey<T> =
        StorageMap<_, Identity, u16, AccountId32, ValueQuery, NobodyAccount>;
    /// What the owner paid for the subnet, in rao.
    #[pallet::storage]
    pub type SubnetLocked<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// The sign of the subnet's token, UTF-8.
    #[pallet::storage]
    pub type TokenSymbol<T> = StorageMap<_, Identity, u16, Vec<u8>, ValueQuery, DefaultSymbol>;
    /// How the subnet's token is priced: 0 is one to one, 1 by the pool's reserves.
    #[pallet::storage]
    pub type SubnetMechanism<T> = StorageMap<_, Identity, u16, u16, ValueQuery>;
    /// How many incentive mechanisms the subnet runs.
    #[pallet::storage]
    pub type MechanismCountCurrent<T> =
        StorageMap<_, Twox64Concat, u16, u8, ValueQuery, ConstU8<1>>;
    /// Whether the subnet's token can be traded.
    #[pallet::storage]
    pub type SubtokenEnabled<T> = StorageMap<_, Identity, u16, bool, ValueQuery>;
    /// Whether stake on the subnet can be given to another coldkey.
    #[pallet::storage]
    pub type TransferToggle<T> = StorageMap<_, Identity, u16, bool, ValueQuery, ConstBool<true>>;
    /// Whether the subnet receives emission.
    #[pallet::storage]
    pub type SubnetEmissionEnabled<T> =
        StorageMap<_, Identity, u16, bool, ValueQuery, ConstBool<true>>;
    /// The first block in which the subnet can receive emission; none before it is started.
    #[pallet::storage]
    pub type FirstEmissionBlockNumber<T> = StorageMap<_, Identity, u16, u64>;
    /// Whether the owner receives a part of the emission.
    #[pallet::storage]
    pub type OwnerCutEnabled<T> = StorageMap<_, Identity, u16, bool, ValueQuery, ConstBool<true>>;

    // The pool of a subnet.

    /// Rao in the pool.
    #[pallet::storage]
    pub type SubnetTAO<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// The token's reserve in the pool.
    #[pallet::storage]
    pub type SubnetAlphaIn<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// The token outside the pool: staked or waiting to be distributed.
    #[pallet::storage]
    pub type SubnetAlphaOut<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// Rao that were ever traded.
    #[pallet::storage]
    pub type SubnetVolume<T> = StorageMap<_, Identity, u16, u128, ValueQuery>;
    /// Rao that people paid into the pool, less what they took, since the moving flow moved last.
    #[pallet::storage]
    pub type SubnetTaoFlow<T> = StorageMap<_, Identity, u16, i64, ValueQuery>;
    /// The block in which the moving flow moved last, and that flow: rao in a block, with 64 fractional bits.
    #[pallet::storage]
    pub type SubnetEmaTaoFlow<T> = StorageMap<_, Identity, u16, (u64, FixedI128)>;
    /// What one block's flow weighs in the moving flow, over 2^63 - 1.
    #[pallet::storage]
    pub type FlowEmaSmoothingFactor<T> =
        StorageValue<_, u64, ValueQuery, ConstU64<29_597_889_189_277>>;
    /// Rao emitted into the pool in the last block.
    #[pallet::storage]
    pub type SubnetTaoInEmission<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// The token emitted into the pool in the last block.
    #[pallet::storage]
    pub type SubnetAlphaInEmission<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// Rao of the last block that bought the token because the pool took no more of both.
    #[pallet::storage]
    pub type SubnetExcessTao<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// The token emitted to participants in the last block.
    #[pallet::storage]
    pub type SubnetAlphaOutEmission<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// The token waiting for the miners.
    #[pallet::storage]
    pub type PendingServerEmission<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// The token waiting for the validators.
    #[pallet::storage]
    pub type PendingValidatorEmission<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// The token waiting for those who stake on root.
    #[pallet::storage]
    pub type PendingRootAlphaDivs<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// The token waiting for the owner.
    #[pallet::storage]
    pub type PendingOwnerCut<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// The part of the last incentive that pointed at the owner's own hotkeys, with 32 fractional bits.
    #[pallet::storage]
    pub type MinerBurned<T> = StorageMap<_, Identity, u16, FixedU128, ValueQuery>;
    /// What becomes of incentive that points at the owner's own hotkeys.
    #[pallet::storage]
    pub type RecycleOrBurn<T> = StorageMap<_, Identity, u16, RecycleOrBurnEnum, ValueQuery>;
    /// What the stake on root weighs against the subnet's own token, with 32 fractional bits.
    #[pallet::storage]
    pub type RootProp<T> = StorageMap<_, Identity, u16, FixedU128, ValueQuery>;
    /// The moving average of the token's price, at most 1, with 32 fractional bits.
    #[pallet::storage]
    pub type SubnetMovingPrice<T> = StorageMap<_, Identity, u16, FixedI128, ValueQuery>;
    /// Blocks after its start in which a subnet's moving price reaches half its speed.
    #[pallet::storage]
    pub type EMAPriceHalvingBlocks<T> =
        StorageMap<_, Identity, u16, u64, ValueQuery, ConstU64<201_600>>;

    // Stake.

    /// The coldkey that owns a hotkey.
    #[pallet::storage]
    pub type Owner<T> =
        StorageMap<_, Blake2_128Concat, AccountId32, AccountId32, ValueQuery, NobodyAccount>;
    /// The hotkeys a coldkey owns.
    #[pallet::storage]
    pub type OwnedHotkeys<T> =
        StorageMap<_, Blake2_128Concat, AccountId32, Vec<AccountId32>, ValueQuery>;
    /// The hotkeys a coldkey has staked to.
    #[pallet::storage]
    pub type StakingHotkeys<T> =
        StorageMap<_, Blake2_128Concat, AccountId32, Vec<AccountId32>, ValueQuery>;
    /// The part of dividends a hotkey's owner takes before its stakers, over 65535.
    #[pallet::storage]
    pub type Delegates<T> =
        StorageMap<_, Blake2_128Concat, AccountId32, u16, ValueQuery, ConstU16<11_796>>;
    /// The token staked to a hotkey on a subnet: the value of its share pool.
    #[pallet::storage]
    pub type TotalHotkeyAlpha<T> =
        StorageDoubleMap<_, Blake2_128Concat, AccountId32, Identity, u16, u64, ValueQuery>;
    /// All shares of a hotkey's pool on a subnet.
    #[pallet::storage]
    pub type TotalHotkeySharesV2<T> =
        StorageDoubleMap<_, Blake2_128Concat, AccountId32, Identity, u16, SafeFloat, ValueQuery>;
    /// A coldkey's shares of a hotkey's pool on a subnet.
    #[pallet::storage]
    pub type AlphaV2<T> = StorageNMap<
        _,
        (
            NMapKey<Blake2_128Concat, AccountId32>,
            NMapKey<Blake2_128Concat, AccountId32>,
            NMapKey<Identity, u16>,
        ),
        SafeFloat,
        ValueQuery,
    >;
    /// What a hotkey's stakers received as dividends in the last epoch, after the owner's take.
    #[pallet::storage]
    pub type AlphaDividendsPerSubnet<T> =
        StorageDoubleMap<_, Identity, u16, Blake2_128Concat, AccountId32, u64, ValueQuery>;
    /// What was staked to a hotkey when it last received dividends, with these.
    #[pallet::storage]
    pub type TotalHotkeyAlphaLastEpoch<T> =
        StorageDoubleMap<_, Blake2_128Concat, AccountId32, Identity, u16, u64, ValueQuery>;
    /// What a neuron was paid in the last epoch for mining and validating, its stakers' part included.
    #[pallet::storage]
    pub type LastHotkeyEmissionOnNetuid<T> =
        StorageDoubleMap<_, Blake2_128Concat, AccountId32, Identity, u16, u64, ValueQuery>;

    /// The hotkey to which a coldkey's miners' incentive on a subnet is staked; none is each miner itself.
    #[pallet::storage]
    pub type AutoStakeDestination<T> =
        StorageDoubleMap<_, Blake2_128Concat, AccountId32, Identity, u16, AccountId32>;
    /// The coldkeys that chose a hotkey as destination on a subnet.
    #[pallet::storage]
    pub type AutoStakeDestinationColdkeys<T> = StorageDoubleMap<
        _,
        Blake2_128Concat,
        AccountId32,
        Identity,
        u16,
        Vec<AccountId32>,
        ValueQuery,
    >;

    // When epochs run.

    /// Blocks between epochs.
    #[pallet::storage]
    pub type Tempo<T> = StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<360>>;
    /// The block of the last epoch.
    #[pallet::storage]
    pub type LastEpochBlock<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// The block in which an epoch is due besides the tempo; 0 is none.
    #[pallet::storage]
    pub type PendingEpochAt<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// How many epochs have run.
    #[pallet::storage]
    pub type SubnetEpochIndex<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// Blocks since the last epoch.
    #[pallet::storage]
    pub type BlocksSinceLastStep<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// The block in which the last epoch's emission was distributed.
    #[pallet::storage]
    pub type LastMechansimStepBlock<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// The most epochs that run in one block.
    #[pallet::storage]
    pub type MaxEpochsPerBlock<T> = StorageValue<_, u8, ValueQuery, ConstU8<2>>;

    // A subnet's rules.

    /// The most neurons.
    #[pallet::storage]
    pub type MaxAllowedUids<T> = StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<256>>;
    /// The most validators that get a permit.
    #[pallet::storage]
    pub type MaxAllowedValidators<T> = StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<128>>;
    /// The least number of weights a validator sets.
    #[pallet::storage]
    pub type MinAllowedWeights<T> = StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<1024>>;
    /// The largest part one weight may have, over 65535.
    #[pallet::storage]
    pub type MaxWeightsLimit<T> = StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<65_535>>;
    /// Blocks for which a newcomer is not replaced.
    #[pallet::storage]
    pub type ImmunityPeriod<T> = StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<4096>>;
    /// Validators without new weights for tempo x this / 1000 blocks are inactive.
    #[pallet::storage]
    pub type ActivityCutoffFactorMilli<T> =
        StorageMap<_, Identity, u16, u32, ValueQuery, ConstU32<13_889>>;
    /// The majority consensus needs, over 65535.
    #[pallet::storage]
    pub type Kappa<T> = StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<32_767>>;
    /// A parameter of an older consensus; only displayed.
    #[pallet::storage]
    pub type Rho<T> = StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<10>>;
    /// How steep liquid alpha's sigmoid is.
    #[pallet::storage]
    pub type AlphaSigmoidSteepness<T> =
        StorageMap<_, Identity, u16, i16, ValueQuery, ConstI16<1000>>;
    /// How much of the old bonds an epoch keeps, over 1 000 000.
    #[pallet::storage]
    pub type BondsMovingAverage<T> =
        StorageMap<_, Identity, u16, u64, ValueQuery, ConstU64<900_000>>;
    /// How far bonds are clipped by consensus, over 65535.
    #[pallet::storage]
    pub type BondsPenalty<T> = StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<65_535>>;
    /// Whether bonds move faster where a validator disagrees with consensus.
    #[pallet::storage]
    pub type LiquidAlphaOn<T> = StorageMap<_, Blake2_128Concat, u16, bool, ValueQuery>;
    /// Liquid alpha's bounds, over 65535.
    #[pallet::storage]
    pub type AlphaValues<T> =
        StorageMap<_, Identity, u16, (u16, u16), ValueQuery, DefaultAlphaValues>;
    /// Whether bonds follow the third version of the rules.
    #[pallet::storage]
    pub type Yuma3On<T> = StorageMap<_, Blake2_128Concat, u16, bool, ValueQuery>;
    /// The least version key of weights; 0 takes any.
    #[pallet::storage]
    pub type WeightsVersionKey<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// Blocks between two settings of weights.
    #[pallet::storage]
    pub type WeightsSetRateLimit<T> = StorageMap<_, Identity, u16, u64, ValueQuery, ConstU64<100>>;
    /// Whether weights are committed first and revealed later.
    #[pallet::storage]
    pub type CommitRevealWeightsEnabled<T> =
        StorageMap<_, Identity, u16, bool, ValueQuery, ConstBool<true>>;
    /// Epochs between commit and reveal.
    #[pallet::storage]
    pub type RevealPeriodEpochs<T> = StorageMap<_, Twox64Concat, u16, u64, ValueQuery, ConstU64<1>>;
    /// Whether a neuron can have its bonds reset by a commitment.
    #[pallet::storage]
    pub type BondsResetOn<T> = StorageMap<_, Identity, u16, bool, ValueQuery>;
    /// Hashes of weights that a hotkey has committed: hash, epoch and block of the commit, and an unused 0; keyed by
    /// mechanism x 4096 + netuid, then hotkey.
    #[pallet::storage]
    pub type WeightCommits<T> = StorageDoubleMap<
        _,
        Twox64Concat,
        u16,
        Twox64Concat,
        AccountId32,
        Vec<(H256, u64, u64, u64)>,
    >;
    /// Time-locked weights: who committed, in which block, the cipher text and the round that opens it; keyed by
    /// mechanism x 4096 + netuid, then the epoch of the commit.
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
    /// The version that commits of time-locked weights must have.
    #[pallet::storage]
    pub type CommitRevealWeightsVersion<T> = StorageValue<_, u16, ValueQuery, ConstU16<4>>;
    /// The stake weight a validator needs.
    #[pallet::storage]
    pub type StakeThreshold<T> = StorageValue<_, u64, ValueQuery>;
    /// Blocks between two announcements of a neuron's address.
    #[pallet::storage]
    pub type ServingRateLimit<T> = StorageMap<_, Identity, u16, u64, ValueQuery, ConstU64<50>>;

    // Registration.

    /// Whether neurons can register.
    #[pallet::storage]
    pub type NetworkRegistrationAllowed<T> =
        StorageMap<_, Identity, u16, bool, ValueQuery, ConstBool<true>>;
    /// The price of a registration, in rao.
    #[pallet::storage]
    pub type Burn<T> = StorageMap<_, Identity, u16, u64, ValueQuery, ConstU64<100_000_000>>;
    /// The least price of a registration, in rao.
    #[pallet::storage]
    pub type MinBurn<T> = StorageMap<_, Identity, u16, u64, ValueQuery, ConstU64<500_000>>;
    /// The highest price of a registration, in rao.
    #[pallet::storage]
    pub type MaxBurn<T> = StorageMap<_, Identity, u16, u64, ValueQuery, ConstU64<100_000_000_000>>;
    /// Blocks in which the price of a registration halves; 0 keeps it.
    #[pallet::storage]
    pub type BurnHalfLife<T> = StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<360>>;
    /// The factor a registration multiplies the price with.
    #[pallet::storage]
    pub type BurnIncreaseMult<T> =
        StorageMap<_, Identity, u16, FixedU128, ValueQuery, DefaultBurnIncrease>;
    /// Registrations in this block.
    #[pallet::storage]
    pub type RegistrationsThisBlock<T> = StorageMap<_, Identity, u16, u16, ValueQuery>;
    /// When no more neurons than this are past their immunity, immune ones are replaced.
    #[pallet::storage]
    pub type MinNonImmuneUids<T> = StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<10>>;
    /// How many of the owner's hotkeys are never replaced.
    #[pallet::storage]
    pub type ImmuneOwnerUidsLimit<T> = StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<1>>;
    /// The least that [`MaxAllowedUids`] can be set to.
    #[pallet::storage]
    pub type MinAllowedUids<T> = StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<64>>;

    // Neurons. Vectors have one element a uid.

    /// How many neurons there are.
    #[pallet::storage]
    pub type SubnetworkN<T> = StorageMap<_, Identity, u16, u16, ValueQuery>;
    /// The uid of a hotkey.
    #[pallet::storage]
    pub type Uids<T> = StorageDoubleMap<_, Identity, u16, Blake2_128Concat, AccountId32, u16>;
    /// The hotkey of a uid.
    #[pallet::storage]
    pub type Keys<T> =
        StorageDoubleMap<_, Identity, u16, Identity, u16, AccountId32, ValueQuery, NobodyAccount>;
    /// Whether a hotkey is a neuron of a subnet.
    #[pallet::storage]
    pub type IsNetworkMember<T> =
        StorageDoubleMap<_, Blake2_128Concat, AccountId32, Identity, u16, bool, ValueQuery>;
    /// The block in which a uid was last given to a hotkey.
    #[pallet::storage]
    pub type BlockAtRegistration<T> =
        StorageDoubleMap<_, Identity, u16, Identity, u16, u64, ValueQuery>;
    /// Whether the neuron set weights lately.
    #[pallet::storage]
    pub type Active<T> = StorageMap<_, Identity, u16, Vec<bool>, ValueQuery>;
    /// What the neuron earned in the last epoch, in the subnet's token.
    #[pallet::storage]
    pub type Emission<T> = StorageMap<_, Identity, u16, Vec<u64>, ValueQuery>;
    /// The consensus weight, over 65535.
    #[pallet::storage]
    pub type Consensus<T> = StorageMap<_, Identity, u16, Vec<u16>, ValueQuery>;
    /// The part of the miners' emission, over 65535; keyed by mechanism x 4096 + netuid.
    #[pallet::storage]
    pub type Incentive<T> = StorageMap<_, Identity, u16, Vec<u16>, ValueQuery>;
    /// The part of the validators' emission, over 65535.
    #[pallet::storage]
    pub type Dividends<T> = StorageMap<_, Identity, u16, Vec<u16>, ValueQuery>;
    /// The block of the last weights; keyed by mechanism x 4096 + netuid.
    #[pallet::storage]
    pub type LastUpdate<T> = StorageMap<_, Identity, u16, Vec<u64>, ValueQuery>;
    /// How much of the validator's weights consensus kept, over 65535.
    #[pallet::storage]
    pub type ValidatorTrust<T> = StorageMap<_, Identity, u16, Vec<u16>, ValueQuery>;
    /// Whether the neuron may weigh others.
    #[pallet::storage]
    pub type ValidatorPermit<T> = StorageMap<_, Identity, u16, Vec<bool>, ValueQuery>;
    /// The part of the subnet's stake weight, over 65535.
    #[pallet::storage]
    pub type StakeWeight<T> = StorageMap<_, Identity, u16, Vec<u16>, ValueQuery>;
    /// A validator's weights; keyed by mechanism x 4096 + netuid, then uid.
    #[pallet::storage]
    pub type Weights<T> =
        StorageDoubleMap<_, Identity, u16, Identity, u16, Vec<(u16, u16)>, ValueQuery>;
    /// A validator's bonds; keyed by mechanism x 4096 + netuid, then uid.
    #[pallet::storage]
    pub type Bonds<T> =
        StorageDoubleMap<_, Identity, u16, Identity, u16, Vec<(u16, u16)>, ValueQuery>;
    /// Where a neuron can be reached.
    #[pallet::storage]
    pub type Axons<T> = StorageDoubleMap<_, Identity, u16, Blake2_128Concat, AccountId32, AxonInfo>;
    /// Where a neuron's measurements can be read.
    #[pallet::storage]
    pub type Prometheus<T> =
        StorageDoubleMap<_, Identity, u16, Blake2_128Concat, AccountId32, PrometheusInfo>;

    // How often things may be done.

    /// Blocks between an account's limited transactions.
    #[pallet::storage]
    pub type TxRateLimit<T> = StorageValue<_, u64, ValueQuery, ConstU64<1000>>;
    /// Blocks between two rises of a delegate's take.
    #[pallet::storage]
    pub type TxDelegateTakeRateLimit<T> = StorageValue<_, u64, ValueQuery, ConstU64<216_000>>;
    /// The block in which an account last did something limited to a subnet; keyed by the number of what it did.
    #[pallet::storage]
    pub type TransactionKeyLastBlock<T> = StorageNMap<
        _,
        (
            NMapKey<Blake2_128Concat, AccountId32>,
            NMapKey<Identity, u16>,
            NMapKey<Identity, u16>,
        ),
        u64,
        ValueQuery,
    >;
    /// Blocks before an epoch in which the owner may not change rules.
    #[pallet::storage]
    pub type AdminFreezeWindow<T> = StorageValue<_, u16, ValueQuery, ConstU16<10>>;
    /// Tempos between two changes of one rule by the owner.
    #[pallet::storage]
    pub type OwnerHyperparamRateLimit<T> = StorageValue<_, u16, ValueQuery, ConstU16<2>>;
    /// Tempos between two changes of the weights' version key by the owner.
    #[pallet::storage]
    pub type WeightsVersionKeyRateLimit<T> = StorageValue<_, u64, ValueQuery, ConstU64<5>>;

    // Takes.

    /// The highest take of a delegate, over 65535.
    #[pallet::storage]
    pub type MaxDelegateTake<T> = StorageValue<_, u16, ValueQuery, ConstU16<11_796>>;
    /// The least take of a delegate, over 65535.
    #[pallet::storage]
    pub type MinDelegateTake<T> = StorageValue<_, u16, ValueQuery>;

    // Who neurons and subnets say they are.

    /// A neuron's TLS certificate.
    #[pallet::storage]
    pub type NeuronCertificates<T> =
        StorageDoubleMap<_, Identity, u16, Blake2_128Concat, AccountId32, NeuronCertificate>;
    /// Who a coldkey says it is.
    #[pallet::storage]
    pub type IdentitiesV2<T> = StorageMap<_, Blake2_128Concat, AccountId32, ChainIdentityV2>;
    /// What a subnet's owner says of it.
    #[pallet::storage]
    pub type SubnetIdentitiesV3<T> = StorageMap<_, Blake2_128Concat, u16, SubnetIdentityV3>;

    // The life of subnets.

    /// Blocks for which a new subnet is not dissolved for another.
    #[pallet::storage]
    pub type NetworkImmunityPeriod<T> = StorageValue<_, u64, ValueQuery, ConstU64<1_296_000>>;
    /// How many subnets there have been under this number.
    #[pallet::storage]
    pub type RegisteredSubnetCounter<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;

    // Mechanisms.

    /// The most mechanisms a subnet runs.
    #[pallet::storage]
    pub type MaxMechanismCount<T> = StorageValue<_, u8, ValueQuery, ConstU8<2>>;
    /// How the mechanisms share the emission, over 65535; none is equally.
    #[pallet::storage]
    pub type MechanismEmissionSplit<T> = StorageMap<_, Twox64Concat, u16, Vec<u16>>;

    // Rules that can be set and read and that nothing acts on.

    /// The blocks without weights after which a validator is inactive; the epoch reads [`ActivityCutoffFactorMilli`].
    #[pallet::storage]
    pub type ActivityCutoff<T> = StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<5000>>;
    /// The least that [`ActivityCutoff`] can be set to.
    #[pallet::storage]
    pub type MinActivityCutoff<T> = StorageValue<_, u16, ValueQuery, ConstU16<360>>;
    /// A former delay of dissolutions.
    #[pallet::storage]
    pub type DissolveNetworkScheduleDuration<T> =
        StorageValue<_, u32, ValueQuery, ConstU32<36_000>>;
    /// The least stake with another's hotkey.
    #[pallet::storage]
    pub type NominatorMinRequiredStake<T> = StorageValue<_, u64, ValueQuery>;
    /// Whether there was registration by proof of work.
    #[pallet::storage]
    pub type NetworkPowRegistrationAllowed<T> =
        StorageMap<_, Identity, u16, bool, ValueQuery, ConstBool<true>>;
    /// The difficulty of the former proof of work.
    #[pallet::storage]
    pub type Difficulty<T> = StorageMap<_, Identity, u16, u64, ValueQuery, ConstU64<10_000_000>>;
    /// The least difficulty of the former proof of work.
    #[pallet::storage]
    pub type MinDifficulty<T> = StorageMap<_, Identity, u16, u64, ValueQuery, ConstU64<10_000_000>>;
    /// The highest difficulty of the former proof of work.
    #[pallet::storage]
    pub type MaxDifficulty<T> =
        StorageMap<_, Identity, u16, u64, ValueQuery, ConstU64<4_611_686_018_427_387_903>>;
    /// Blocks between former adjustments of price and difficulty.
    #[pallet::storage]
    pub type AdjustmentInterval<T> = StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<100>>;
    /// The memory of former adjustments of price and difficulty.
    #[pallet::storage]
    pub type AdjustmentAlpha<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
    /// The aim of former adjustments of price and difficulty.
    #[pallet::storage]
    pub type TargetRegistrationsPerInterval<T> =
        StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<2>>;
    /// A former limit of registrations.
    #[pallet::storage]
    pub type MaxRegistrationsPerBlock<T> =
        StorageMap<_, Identity, u16, u16, ValueQuery, ConstU16<1>>;
    /// A former count of registrations' prices, in rao.
    #[pallet::storage]
    pub type RAORecycledForRegistration<T> = StorageMap<_, Identity, u16, u64, ValueQuery>;
}

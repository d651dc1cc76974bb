//! What the pallet tells the world.

use frame_support::pallet_macros::pallet_section;

/// The pallet's events: the ones this runtime emits, each at its public index.
#[pallet_section]
mod events {
    #[pallet::event]
    #[pallet::generate_deposit(pub(crate) fn deposit_event)]
    pub enum Event<T: Config> {
        /// A network was founded. \[netuid, mechanism\]
        #[codec(index = 0)]
        NetworkAdded(u16, u16),
        /// A network was dissolved. \[netuid\]
        #[codec(index = 1)]
        NetworkRemoved(u16),
        /// Stake was added. \[coldkey, hotkey, rao, alpha, netuid, fee\]
        #[codec(index = 2)]
        StakeAdded(AccountId32, AccountId32, u64, u64, u16, u64),
        /// Stake was removed. \[coldkey, hotkey, rao, alpha, netuid, fee\]
        #[codec(index = 3)]
        StakeRemoved(AccountId32, AccountId32, u64, u64, u16, u64),
        /// Stake was moved to another hotkey. \[coldkey, from hotkey, from netuid, to hotkey, to netuid, rao\]
        #[codec(index = 4)]
        StakeMoved(AccountId32, AccountId32, u16, AccountId32, u16, u64),
        /// A validator set weights. \[mechanism x 4096 + netuid, uid\]
        #[codec(index = 5)]
        WeightsSet(u16, u16),
        /// A hotkey became a neuron. \[netuid, uid, hotkey\]
        #[codec(index = 6)]
        NeuronRegistered(u16, u16, AccountId32),
        /// The most neurons changed. \[netuid, value\]
        #[codec(index = 9)]
        MaxAllowedUidsSet(u16, u16),
        /// The difficulty of the former proof of work changed. \[netuid, value\]
        #[codec(index = 11)]
        DifficultySet(u16, u64),
        /// The interval of former price adjustments changed. \[netuid, value\]
        #[codec(index = 12)]
        AdjustmentIntervalSet(u16, u16),
        /// The aim of former price adjustments changed. \[netuid, value\]
        #[codec(index = 13)]
        RegistrationPerIntervalSet(u16, u16),
        /// A former limit of registrations changed. \[netuid, value\]
        #[codec(index = 14)]
        MaxRegistrationsPerBlockSet(u16, u16),
        /// The blocks until a validator is inactive changed. \[netuid, value\]
        #[codec(index = 15)]
        ActivityCutoffSet(u16, u16),
        /// [`Rho`] changed. \[netuid, value\]
        #[codec(index = 16)]
        RhoSet(u16, u16),
        /// The steepness of liquid alpha's sigmoid changed. \[netuid, value\]
        #[codec(index = 17)]
        AlphaSigmoidSteepnessSet(u16, i16),
        /// The consensus majority changed. \[netuid, value\]
        #[codec(index = 18)]
        KappaSet(u16, u16),
        /// The least number of weights changed. \[netuid, value\]
        #[codec(index = 19)]
        MinAllowedWeightSet(u16, u16),
        /// The blocks between weights changed. \[netuid, value\]
        #[codec(index = 22)]
        WeightsSetRateLimitSet(u16, u64),
        /// The newcomers' immunity changed. \[netuid, value\]
        #[codec(index = 23)]
        ImmunityPeriodSet(u16, u16),
        /// The bonds' memory changed. \[netuid, value\]
        #[codec(index = 24)]
        BondsMovingAverageSet(u16, u64),
        /// The clipping of bonds changed. \[netuid, value\]
        #[codec(index = 25)]
        BondsPenaltySet(u16, u16),
        /// The reset of bonds was switched. \[netuid, on\]
        #[codec(index = 26)]
        BondsResetOnSet(u16, bool),
        /// The most validators changed. \[netuid, value\]
        #[codec(index = 27)]
        MaxAllowedValidatorsSet(u16, u16),
        /// A neuron announced its address. \[netuid, hotkey\]
        #[codec(index = 28)]
        AxonServed(u16, AccountId32),
        /// A neuron announced where its measurements are. \[netuid, hotkey\]
        #[codec(index = 29)]
        PrometheusServed(u16, AccountId32),
        /// The least version key of weights changed. \[netuid, value\]
        #[codec(index = 32)]
        WeightsVersionKeySet(u16, u64),
        /// The least difficulty of the former proof of work changed. \[netuid, value\]
        #[codec(index = 33)]
        MinDifficultySet(u16, u64),
        /// The highest difficulty of the former proof of work changed. \[netuid, value\]
        #[codec(index = 34)]
        MaxDifficultySet(u16, u64),
        /// The blocks between announcements changed. \[netuid, value\]
        #[codec(index = 35)]
        ServingRateLimitSet(u16, u64),
        /// The highest price of a registration changed. \[netuid, rao\]
        #[codec(index = 37)]
        MaxBurnSet(u16, u64),
        /// The least price of a registration changed. \[netuid, rao\]
        #[codec(index = 38)]
        MinBurnSet(u16, u64),
        /// The most epochs in a block changed. \[value\]
        #[codec(index = 39)]
        MaxEpochsPerBlockSet(u8),
        /// The blocks between limited transactions changed. \[value\]
        #[codec(index = 40)]
        TxRateLimitSet(u64),
        /// The blocks between two rises of a take changed. \[value\]
        #[codec(index = 41)]
        TxDelegateTakeRateLimitSet(u64),
        /// The blocks before an epoch without the owner's changes changed. \[value\]
        #[codec(index = 43)]
        AdminFreezeWindowSet(u16),
        /// The tempos between the owner's changes of a rule changed. \[value\]
        #[codec(index = 44)]
        OwnerHyperparamRateLimitSet(u16),
        /// Registration was opened or closed. \[netuid, open\]
        #[codec(index = 50)]
        RegistrationAllowed(u16, bool),
        /// Registration by proof of work was closed. \[netuid, open\]
        #[codec(index = 51)]
        PowRegistrationAllowed(u16, bool),
        /// The blocks between epochs changed. \[netuid, value\]
        #[codec(index = 52)]
        TempoSet(u16, u16),
        /// A former count of registrations' prices changed. \[netuid, rao\]
        #[codec(index = 53)]
        RAORecycledForRegistrationSet(u16, u64),
        /// The stake weight a validator needs changed. \[value\]
        #[codec(index = 54)]
        StakeThresholdSet(u64),
        /// The memory of former price adjustments changed. \[netuid, value\]
        #[codec(index = 55)]
        AdjustmentAlphaSet(u16, u64),
        /// The owners' part of the emission changed. \[value\]
        #[codec(index = 57)]
        SubnetOwnerCutSet(u16),
        /// The blocks between foundings changed. \[value\]
        #[codec(index = 58)]
        NetworkRateLimitSet(u64),
        /// The new subnets' immunity changed. \[blocks\]
        #[codec(index = 59)]
        NetworkImmunityPeriodSet(u64),
        /// The blocks before a subnet can be started changed. \[blocks\]
        #[codec(index = 60)]
        StartCallDelaySet(u64),
        /// The least price of a subnet changed. \[rao\]
        #[codec(index = 61)]
        NetworkMinLockCostSet(u64),
        /// The most subnets changed. \[value\]
        #[codec(index = 62)]
        SubnetLimitSet(u16),
        /// The fall of a subnet's price changed. \[blocks\]
        #[codec(index = 63)]
        NetworkLockCostReductionIntervalSet(u64),
        /// A delegate takes less. \[coldkey, hotkey, take\]
        #[codec(index = 64)]
        TakeDecreased(AccountId32, AccountId32, u16),
        /// A delegate takes more. \[coldkey, hotkey, take\]
        #[codec(index = 65)]
        TakeIncreased(AccountId32, AccountId32, u16),
        /// The highest take changed. \[value\]
        #[codec(index = 67)]
        MaxDelegateTakeSet(u16),
        /// The least take changed. \[value\]
        #[codec(index = 68)]
        MinDelegateTakeSet(u16),
        /// An account said who it is. \[coldkey\]
        #[codec(index = 77)]
        ChainIdentitySet(AccountId32),
        /// A subnet's owner said what it is. \[netuid\]
        #[codec(index = 78)]
        SubnetIdentitySet(u16),
        /// What a subnet's owner said of it was forgotten. \[netuid\]
        #[codec(index = 79)]
        SubnetIdentityRemoved(u16),
        /// A former delay of dissolutions changed. \[blocks\]
        #[codec(index = 83)]
        DissolveNetworkScheduleDurationSet(u32),
        /// The hash of weights was committed. \[hotkey, mechanism x 4096 + netuid, hash\]
        #[codec(index = 85)]
        WeightsCommitted(AccountId32, u16, H256),
        /// Committed weights were revealed. \[hotkey, mechanism x 4096 + netuid, hash\]
        #[codec(index = 86)]
        WeightsRevealed(AccountId32, u16, H256),
        /// Several committed weights were revealed. \[hotkey, netuid, hashes\]
        #[codec(index = 87)]
        WeightsBatchRevealed(AccountId32, u16, Vec<H256>),
        /// Everything in a batch of weights or commits was done. \[netuids, hotkey\]
        #[codec(index = 88)]
        BatchWeightsCompleted(Vec<Compact<u16>>, AccountId32),
        /// Something in a batch of weights or commits failed.
        #[codec(index = 89)]
        BatchCompletedWithErrors,
        /// This failed in a batch. \[netuid, error\]
        #[codec(index = 90)]
        BatchWeightItemFailed(u16, DispatchError),
        /// Stake was given away. \[from coldkey, to coldkey, hotkey, from netuid, to netuid, rao\]
        #[codec(index = 91)]
        StakeTransferred(AccountId32, AccountId32, AccountId32, u16, u16, u64),
        /// Stake was moved to another subnet. \[coldkey, hotkey, from netuid, to netuid, rao\]
        #[codec(index = 92)]
        StakeSwapped(AccountId32, AccountId32, u16, u16, u64),
        /// The transfer of stake was opened or closed. \[netuid, open\]
        #[codec(index = 93)]
        TransferToggle(u16, bool),
        /// The owner is paid on another hotkey. \[netuid, hotkey\]
        #[codec(index = 94)]
        SubnetOwnerHotkeySet(u16, AccountId32),
        /// A subnet will receive emission from a block on. \[netuid, block\]
        #[codec(index = 95)]
        FirstEmissionBlockNumberSet(u16, u64),
        /// A subnet's token was recycled. \[coldkey, hotkey, alpha, netuid\]
        #[codec(index = 96)]
        AlphaRecycled(AccountId32, AccountId32, u64, u16),
        /// A subnet's token was burned. \[coldkey, hotkey, alpha, netuid\]
        #[codec(index = 97)]
        AlphaBurned(AccountId32, AccountId32, u64, u16),
        /// The epochs between commit and reveal changed. \[netuid, value\]
        #[codec(index = 100)]
        CommitRevealPeriodsSet(u16, u64),
        /// Commit-reveal was switched. \[netuid, on\]
        #[codec(index = 101)]
        CommitRevealEnabled(u16, bool),
        /// A subnet's token got another sign.
        #[codec(index = 105)]
        SymbolUpdated {
            /// The subnet.
            netuid: u16,
            /// The sign, UTF-8.
            symbol: Vec<u8>,
        },
        /// The version of time-locked commits changed. \[value\]
        #[codec(index = 106)]
        CommitRevealVersionSet(u16),
        /// Time-locked weights were committed. \[hotkey, mechanism x 4096 + netuid, hash of the cipher text, round\]
        #[codec(index = 107)]
        TimelockedWeightsCommitted(AccountId32, u16, H256, u64),
        /// Time-locked weights were revealed. \[mechanism x 4096 + netuid, hotkey\]
        #[codec(index = 108)]
        TimelockedWeightsRevealed(u16, AccountId32),
        /// A miner's incentive was staked to the hotkey its owner chose.
        #[codec(index = 109)]
        AutoStakeAdded {
            /// The subnet.
            netuid: u16,
            /// The hotkey it was staked to.
            destination: AccountId32,
            /// The miner.
            hotkey: AccountId32,
            /// The coldkey that owns it.
            owner: AccountId32,
            /// The amount, in the subnet's token.
            incentive: u64,
        },
        /// What an epoch paid to each miner.
        #[codec(index = 110)]
        IncentiveAlphaEmittedToMiners {
            /// The subnet.
            netuid: u16,
            /// One amount a uid, in the subnet's token.
            emissions: Vec<u64>,
        },
        /// The least that the most neurons can be set to changed. \[netuid, value\]
        #[codec(index = 111)]
        MinAllowedUidsSet(u16, u16),
        /// A coldkey chose where its miners' incentive is staked.
        #[codec(index = 112)]
        AutoStakeDestinationSet {
            /// The coldkey.
            coldkey: AccountId32,
            /// The subnet.
            netuid: u16,
            /// The hotkey.
            hotkey: AccountId32,
        },
        /// The number of neurons that the immune are kept for changed. \[netuid, value\]
        #[codec(index = 113)]
        MinNonImmuneUidsSet(u16, u16),
        /// A subnet's token was bought and burned.
        #[codec(index = 121)]
        AddStakeBurn {
            /// The subnet.
            netuid: u16,
            /// The hotkey it went through.
            hotkey: AccountId32,
            /// Rao given.
            amount: u64,
            /// What they bought.
            alpha: u64,
        },
        /// A transaction was paid for in a subnet's token.
        #[codec(index = 123)]
        TransactionFeePaidWithAlpha {
            /// The payer.
            who: AccountId32,
            /// The subnet.
            netuid: u16,
            /// What was taken, in the token.
            alpha_fee: u64,
            /// What it sold for, in rao.
            tao_amount: u64,
        },
        /// How long a validator without new weights stays active changed.
        #[codec(index = 130)]
        ActivityCutoffFactorMilliSet {
            /// The subnet.
            netuid: u16,
            /// Tempos, over 1000.
            factor_milli: u32,
        },
        /// A subnet's owner asked for an epoch.
        #[codec(index = 131)]
        EpochTriggered {
            /// The subnet.
            netuid: u16,
            /// The owner.
            by: AccountId32,
            /// The block in which it is due.
            fires_at: u64,
        },
        /// An epoch was put off because too many were due in one block.
        #[codec(index = 132)]
        EpochDeferred {
            /// The subnet.
            netuid: u16,
            /// The block in which it was due.
            from_block: u64,
            /// The block in which it is due now.
            to_block: u64,
        },
        /// An epoch was left out because the neurons' keys contradict each other.
        #[codec(index = 133)]
        EpochSkipped {
            /// The subnet.
            netuid: u16,
            /// The block.
            block: u64,
        },
    }
}

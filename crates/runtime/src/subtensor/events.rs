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
        /// [`Rho`] changed. \[netuid, value\]
        #[codec(index = 16)]
        RhoSet(u16, u16),
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
        /// The most validators changed. \[netuid, value\]
        #[codec(index = 27)]
        MaxAllowedValidatorsSet(u16, u16),
        /// A neuron announced its address. \[netuid, hotkey\]
        #[codec(index = 28)]
        AxonServed(u16, AccountId32),
        /// The least version key of weights changed. \[netuid, value\]
        #[codec(index = 32)]
        WeightsVersionKeySet(u16, u64),
        /// The blocks between announcements changed. \[netuid, value\]
        #[codec(index = 35)]
        ServingRateLimitSet(u16, u64),
        /// The highest price of a registration changed. \[netuid, rao\]
        #[codec(index = 37)]
        MaxBurnSet(u16, u64),
        /// The least price of a registration changed. \[netuid, rao\]
        #[codec(index = 38)]
        MinBurnSet(u16, u64),
        /// Registration was opened or closed. \[netuid, open\]
        #[codec(index = 50)]
        RegistrationAllowed(u16, bool),
        /// The blocks between epochs changed. \[netuid, value\]
        #[codec(index = 52)]
        TempoSet(u16, u16),
        /// The stake weight a validator needs changed. \[value\]
        #[codec(index = 54)]
        StakeThresholdSet(u64),
        /// The blocks between foundings changed. \[value\]
        #[codec(index = 58)]
        NetworkRateLimitSet(u64),
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
        /// A subnet will receive emission from a block on. \[netuid, block\]
        #[codec(index = 95)]
        FirstEmissionBlockNumberSet(u16, u64),
        /// A subnet's token was recycled. \[coldkey, hotkey, alpha, netuid\]
        #[codec(index = 96)]
        AlphaRecycled(AccountId32, AccountId32, u64, u16),
        /// A subnet's token was burned. \[coldkey, hotkey, alpha, netuid\]
        #[codec(index = 97)]
        AlphaBurned(AccountId32, AccountId32, u64, u16),
        /// Commit-reveal was switched. \[netuid, on\]
        #[codec(index = 101)]
        CommitRevealEnabled(u16, bool),
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

//! What can go wrong, in the public chain's order.

use frame_support::pallet_macros::pallet_section;

/// The pallet's errors. The public list stands here whole, because an error is known to clients by its place;
/// the ones this runtime raises are explained.
#[pallet_section]
mod errors {
    #[pallet::error]
    #[allow(missing_docs)] // names of the public list that this runtime never raises
    pub enum Error<T> {
        RootNetworkDoesNotExist,
        /// The address is of a kind other than 4 or 6.
        InvalidIpType,
        /// The address is not one an axon can be reached at.
        InvalidIpAddress,
        /// Port 0 was given.
        InvalidPort,
        /// The caller is no neuron of the subnet.
        HotKeyNotRegisteredInSubNet,
        /// Nobody owns the hotkey.
        HotKeyAccountNotExists,
        /// The caller is a neuron of no subnet it may serve.
        HotKeyNotRegisteredInNetwork,
        /// The hotkey belongs to another coldkey.
        NonAssociatedColdKey,
        NotEnoughStake,
        /// More was asked for than is staked.
        NotEnoughStakeToWithdraw,
        /// The stake weight is below the threshold.
        NotEnoughStakeToSetWeights,
        NotEnoughStakeToSetChildkeys,
        /// The coldkey cannot pay.
        NotEnoughBalanceToStake,
        BalanceWithdrawalError,
        ZeroBalanceAfterWithdrawn,
        /// Only permitted validators may weigh others.
        NeuronNoValidatorPermit,
        /// There are not as many weights as destinations.
        WeightVecNotEqualSize,
        /// A destination is named twice.
        DuplicateUids,
        /// A destination is no uid of the subnet.
        UidVecContainInvalidOne,
        /// Fewer weights than the subnet requires.
        WeightVecLengthIsLow,
        TooManyRegistrationsThisBlock,
        /// The hotkey is a neuron of the subnet already.
        HotKeyAlreadyRegisteredInSubNet,
        NewHotKeyIsSameWithOld,
        NewHotKeyNotCleanForRootSwap,
        InvalidWorkBlock,
        InvalidDifficulty,
        InvalidSeal,
        /// One weight takes a larger part than the subnet allows.
        MaxWeightExceeded,
        HotKeyAlreadyDelegate,
        /// The last weights are too recent.
        SettingWeightsTooFast,
        /// The weights were made by too old a program.
        IncorrectWeightVersionKey,
        /// The last announcement is too recent.
        ServingRateLimitExceeded,
        /// More weights than neurons.
        UidsLengthExceedUidsInSubNet,
        /// The last subnet was founded too recently.
        NetworkTxRateLimitExceeded,
        DelegateTxRateLimitExceeded,
        HotKeySetTxRateLimitExceeded,
        StakingRateLimitExceeded,
        /// The subnet takes no registrations.
        SubNetRegistrationDisabled,
        TooManyRegistrationsThisInterval,
        TransactorAccountShouldBeHotKey,
        FaucetDisabled,
        /// Only the subnet's owner may do this.
        NotSubnetOwner,
        /// The root network has its own registration.
        RegistrationNotPermittedOnRootSubnet,
        StakeTooLowForRoot,
        AllNetworksInImmunity,
        NotEnoughBalanceToPaySwapHotKey,
        NotRootSubnet,
        /// The root network has no weights.
        CanNotSetRootNetworkWeights,
        /// The subnet is full and nobody can be replaced.
        NoNeuronIdAvailable,
        DelegateTakeTooLow,
        DelegateTakeTooHigh,
        /// The hotkey has no commit that waits.
        NoWeightsCommitFound,
        /// What was revealed has the hash of no commit.
        InvalidRevealCommitHashNotMatch,
        /// Weights must be committed first.
        CommitRevealEnabled,
        /// Weights are set openly.
        CommitRevealDisabled,
        LiquidAlphaDisabled,
        AlphaHighTooLow,
        AlphaLowOutOfRange,
        ColdKeyAlreadyAssociated,
        NotEnoughBalanceToPaySwapColdKey,
        InvalidChild,
        DuplicateChild,
        ProportionOverflow,
        TooManyChildren,
        TxRateLimitExceeded,
        ColdkeySwapAnnouncementNotFound,
        ColdkeySwapTooEarly,
        ColdkeySwapReannouncedTooEarly,
        AnnouncedColdkeyHashDoesNotMatch,
        ColdkeySwapAlreadyDisputed,
        NewColdKeyIsHotkey,
        InvalidChildkeyTake,
        TxChildkeyTakeRateLimitExceeded,
        InvalidIdentity,
        /// The subnet or its mechanism does not exist.
        MechanismDoesNotExist,
        StakeUnavailable,
        /// The subnet does not exist.
        SubnetNotExists,
        /// Ten commits wait already.
        TooManyUnrevealedCommits,
        /// The epoch for the reveal is over.
        ExpiredWeightCommit,
        /// The epoch for the reveal has not come.
        RevealTooEarly,
        /// The lists of a batch have different lengths.
        InputLengthsUnequal,
        /// The last commit or setting is too recent.
        CommittingWeightsTooFast,
        /// Less than the minimum stake.
        AmountTooLow,
        /// The pool cannot pay out.
        InsufficientLiquidity,
        SlippageTooHigh,
        TransferDisallowed,
        ActivityCutoffTooLow,
        CallDisabled,
        /// The subnet was started before.
        FirstEmissionBlockNumberAlreadySet,
        /// The subnet is too young to be started.
        NeedWaitingMoreBlocksToStarCall,
        NotEnoughAlphaOutToRecycle,
        CannotBurnOrRecycleOnRootSubnet,
        UnableToRecoverPublicKey,
        InvalidRecoveredPublicKey,
        /// The subnet's token cannot be traded yet.
        SubtokenDisabled,
        HotKeySwapOnSubnetIntervalNotPassed,
        SameNetuid,
        InsufficientBalance,
        InvalidLeaseBeneficiary,
        LeaseCannotEndInThePast,
        LeaseNetuidNotFound,
        LeaseDoesNotExist,
        LeaseHasNoEndBlock,
        LeaseHasNotEnded,
        Overflow,
        BeneficiaryDoesNotOwnHotkey,
        ExpectedBeneficiaryOrigin,
        AdminActionProhibitedDuringWeightsWindow,
        SymbolDoesNotExist,
        SymbolAlreadyInUse,
        /// The chain takes commits of another version.
        IncorrectCommitRevealVersion,
        /// The round is over: anybody could open the commit.
        InvalidRevealRound,
        RevealPeriodTooLarge,
        RevealPeriodTooSmall,
        InvalidValue,
        /// There are as many subnets as allowed.
        SubnetLimitReached,
        /// The coldkey cannot pay for a subnet.
        CannotAffordLockCost,
        EvmKeyAssociateRateLimitExceeded,
        SameAutoStakeHotkeyAlreadySet,
        UidMapCouldNotBeCleared,
        TrimmingWouldExceedMaxImmunePercentage,
        ChildParentInconsistency,
        InvalidNumRootClaim,
        InvalidRootClaimThreshold,
        InvalidSubnetNumber,
        TooManyUIDsPerMechanism,
        VotingPowerTrackingNotEnabled,
        InvalidVotingPowerEmaAlpha,
        Deprecated,
        AddStakeBurnRateLimitExceeded,
        ColdkeySwapAnnounced,
        ColdkeySwapDisputed,
        ColdkeySwapClearTooEarly,
        DisabledTemporarily,
        RegistrationPriceLimitExceeded,
        LockHotkeyMismatch,
        InsufficientStakeForLock,
        NoExistingLock,
        ActiveLockExists,
        CannotUseSystemAccount,
        UnlockAmountTooHigh,
        TempoOutOfBounds,
        ActivityCutoffFactorMilliOutOfBounds,
        EpochTriggerAlreadyPending,
        AutoEpochAlreadyImminent,
        DynamicTempoBlockedByCommitReveal,
        AccountRejectsLockedAlpha,
    }
}

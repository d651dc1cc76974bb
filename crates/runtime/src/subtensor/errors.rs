//! What can go wrong, in the public chain's order.

use frame_support::pallet_macros::pallet_section;

/// The pallet's errors. The public list stands here whole, because an error is known to clients by its place.
/// Each is explained: the Python clients show one without documentation as unknown.
#[pallet_section]
mod errors {
    #[pallet::error]
    pub enum Error<T> {
        /// The root network does not exist.
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
        /// The hotkey has too little stake.
        NotEnoughStake,
        /// More was asked for than is staked.
        NotEnoughStakeToWithdraw,
        /// The stake weight is below the threshold.
        NotEnoughStakeToSetWeights,
        /// The hotkey has too little stake to delegate it to others.
        NotEnoughStakeToSetChildkeys,
        /// The coldkey cannot pay.
        NotEnoughBalanceToStake,
        /// The amount could not be taken from the account.
        BalanceWithdrawalError,
        /// The account would be empty afterwards.
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
        /// The subnet takes no more neurons in this block.
        TooManyRegistrationsThisBlock,
        /// The hotkey is a neuron of the subnet already.
        HotKeyAlreadyRegisteredInSubNet,
        /// The new hotkey is the old one.
        NewHotKeyIsSameWithOld,
        /// The new hotkey already has what the swap would give it on the root network.
        NewHotKeyNotCleanForRootSwap,
        /// The work was done for a block that is too old or does not exist.
        InvalidWorkBlock,
        /// The work is not hard enough.
        InvalidDifficulty,
        /// The work does not fit its block and hotkey.
        InvalidSeal,
        /// One weight takes a larger part than the subnet allows.
        MaxWeightExceeded,
        /// The hotkey takes stake from others already.
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
        /// The take was changed too short a while ago.
        DelegateTxRateLimitExceeded,
        /// Hotkeys were changed too short a while ago.
        HotKeySetTxRateLimitExceeded,
        /// Stake was changed too short a while ago. Nothing raises it any more, as on the public chain.
        StakingRateLimitExceeded,
        /// The subnet takes no registrations.
        SubNetRegistrationDisabled,
        /// The subnet takes no more neurons in this interval.
        TooManyRegistrationsThisInterval,
        /// The caller must be the hotkey itself.
        TransactorAccountShouldBeHotKey,
        /// This chain gives no money away.
        FaucetDisabled,
        /// Only the subnet's owner may do this.
        NotSubnetOwner,
        /// The root network has its own registration.
        RegistrationNotPermittedOnRootSubnet,
        /// The root network is full, and the hotkey has no more stake than its last member.
        StakeTooLowForRoot,
        /// There is room for no subnet, and none may be replaced yet.
        AllNetworksInImmunity,
        /// The coldkey cannot pay the swap of a hotkey.
        NotEnoughBalanceToPaySwapHotKey,
        /// Only the root network has this.
        NotRootSubnet,
        /// The root network has no weights.
        CanNotSetRootNetworkWeights,
        /// The subnet is full and nobody can be replaced.
        NoNeuronIdAvailable,
        /// The take is lower than allowed, or not higher than the one to be raised.
        DelegateTakeTooLow,
        /// The take is higher than allowed.
        DelegateTakeTooHigh,
        /// The hotkey has no commit that waits.
        NoWeightsCommitFound,
        /// What was revealed has the hash of no commit.
        InvalidRevealCommitHashNotMatch,
        /// Weights must be committed first.
        CommitRevealEnabled,
        /// Weights are set openly.
        CommitRevealDisabled,
        /// The subnet does not use liquid alpha.
        LiquidAlphaDisabled,
        /// Liquid alpha's upper bound is too low.
        AlphaHighTooLow,
        /// Liquid alpha's lower bound is out of range.
        AlphaLowOutOfRange,
        /// The coldkey owns hotkeys already.
        ColdKeyAlreadyAssociated,
        /// The coldkey cannot pay its swap.
        NotEnoughBalanceToPaySwapColdKey,
        /// A hotkey cannot delegate its stake to itself.
        InvalidChild,
        /// A hotkey is named twice.
        DuplicateChild,
        /// The parts are more than the whole.
        ProportionOverflow,
        /// Stake is delegated to too many hotkeys.
        TooManyChildren,
        /// The same was done too short a while ago.
        TxRateLimitExceeded,
        /// The coldkey has announced no swap.
        ColdkeySwapAnnouncementNotFound,
        /// The announced swap cannot be carried out yet.
        ColdkeySwapTooEarly,
        /// The swap cannot be announced anew yet.
        ColdkeySwapReannouncedTooEarly,
        /// The new coldkey is not the announced one.
        AnnouncedColdkeyHashDoesNotMatch,
        /// The swap is in dispute already.
        ColdkeySwapAlreadyDisputed,
        /// The new coldkey is a hotkey.
        NewColdKeyIsHotkey,
        /// The take from delegated stake is out of range.
        InvalidChildkeyTake,
        /// The take from delegated stake was changed too short a while ago.
        TxChildkeyTakeRateLimitExceeded,
        /// A field of the identity is too long.
        InvalidIdentity,
        /// The subnet or its mechanism does not exist.
        MechanismDoesNotExist,
        /// The stake is locked.
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
        /// The price would pass the limit.
        SlippageTooHigh,
        /// The subnet's stake cannot be transferred.
        TransferDisallowed,
        /// Validators would become inactive too soon.
        ActivityCutoffTooLow,
        /// The call is switched off.
        CallDisabled,
        /// The subnet was started before.
        FirstEmissionBlockNumberAlreadySet,
        /// The subnet is too young to be started.
        NeedWaitingMoreBlocksToStarCall,
        /// Less of the token is outside the pool than is to be recycled.
        NotEnoughAlphaOutToRecycle,
        /// The root network has no token to destroy.
        CannotBurnOrRecycleOnRootSubnet,
        /// The signature gives no public key.
        UnableToRecoverPublicKey,
        /// The signature gives another public key.
        InvalidRecoveredPublicKey,
        /// The subnet's token cannot be traded yet.
        SubtokenDisabled,
        /// The hotkey was swapped on the subnet too short a while ago.
        HotKeySwapOnSubnetIntervalNotPassed,
        /// Both subnets are the same.
        SameNetuid,
        /// The account has too little.
        InsufficientBalance,
        /// Only the beneficiary of the crowdloan can lease.
        InvalidLeaseBeneficiary,
        /// The lease would end before it begins.
        LeaseCannotEndInThePast,
        /// The lease's subnet was not found.
        LeaseNetuidNotFound,
        /// There is no such lease.
        LeaseDoesNotExist,
        /// The lease never ends.
        LeaseHasNoEndBlock,
        /// The lease has not ended.
        LeaseHasNotEnded,
        /// A number is too large.
        Overflow,
        /// The beneficiary does not own the hotkey.
        BeneficiaryDoesNotOwnHotkey,
        /// Only the beneficiary may do this.
        ExpectedBeneficiaryOrigin,
        /// An epoch is near, and the subnet's rules stand still.
        AdminActionProhibitedDuringWeightsWindow,
        /// There is no such symbol.
        SymbolDoesNotExist,
        /// Another subnet has the symbol.
        SymbolAlreadyInUse,
        /// The chain takes commits of another version.
        IncorrectCommitRevealVersion,
        /// The round is over: anybody could open the commit.
        InvalidRevealRound,
        /// Commits would be revealed too late.
        RevealPeriodTooLarge,
        /// Commits would be revealed too soon.
        RevealPeriodTooSmall,
        /// The value is out of range.
        InvalidValue,
        /// There are as many subnets as allowed.
        SubnetLimitReached,
        /// The coldkey cannot pay for a subnet.
        CannotAffordLockCost,
        /// An EVM key was associated too short a while ago.
        EvmKeyAssociateRateLimitExceeded,
        /// Earnings are staked to this hotkey already.
        SameAutoStakeHotkeyAlreadySet,
        /// The subnet's neurons could not be cleared.
        UidMapCouldNotBeCleared,
        /// Too great a part of the remaining neurons would be immune.
        TrimmingWouldExceedMaxImmunePercentage,
        /// A hotkey would delegate its stake and be delegated stake in a circle.
        ChildParentInconsistency,
        /// The number of claims is out of range.
        InvalidNumRootClaim,
        /// The least claim is out of range.
        InvalidRootClaimThreshold,
        /// There are too few or too many subnets in the list.
        InvalidSubnetNumber,
        /// All mechanisms together would have too many neurons.
        TooManyUIDsPerMechanism,
        /// The subnet's voting power is not tracked.
        VotingPowerTrackingNotEnabled,
        /// The pace of voting power is out of range.
        InvalidVotingPowerEmaAlpha,
        /// The call is out of use.
        Deprecated,
        /// The token was bought and destroyed too short a while ago. Nothing raises it any more, as on the public chain.
        AddStakeBurnRateLimitExceeded,
        /// The coldkey is to be swapped and can do nothing else.
        ColdkeySwapAnnounced,
        /// The swap of the coldkey is in dispute, and it can do nothing.
        ColdkeySwapDisputed,
        /// The announcement cannot be withdrawn yet.
        ColdkeySwapClearTooEarly,
        /// The call is switched off for a while.
        DisabledTemporarily,
        /// A registration costs more than the limit.
        RegistrationPriceLimitExceeded,
        /// The stake is locked with another hotkey.
        LockHotkeyMismatch,
        /// There is less stake than is to be locked.
        InsufficientStakeForLock,
        /// Nothing is locked.
        NoExistingLock,
        /// Stake is locked.
        ActiveLockExists,
        /// The account is the chain's own.
        CannotUseSystemAccount,
        /// Less is locked than is to be unlocked.
        UnlockAmountTooHigh,
        /// The tempo is out of range.
        TempoOutOfBounds,
        /// The factor is out of range.
        ActivityCutoffFactorMilliOutOfBounds,
        /// An epoch was asked for already.
        EpochTriggerAlreadyPending,
        /// The next epoch is near anyhow.
        AutoEpochAlreadyImminent,
        /// The tempo cannot change while weights are committed.
        DynamicTempoBlockedByCommitReveal,
        /// The account takes no locked stake.
        AccountRejectsLockedAlpha,
    }
}

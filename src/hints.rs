//! What to do about a refusal: one line for each error that a user can meet.

/// What to do about the error with this name; `error` is as the chain client reports it, such as
/// `SubtensorModule.AmountTooLow` or `Invalid Transaction: RateLimitExceeded (Custom error: 6)`.
pub fn hint(error: &str) -> Option<&'static str> {
    let mut words = error.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.find_map(|word| {
        let known = HINTS.binary_search_by_key(&word, |(name, _)| name);
        known.ok().map(|index| HINTS[index].1)
    })
}

/// Sorted by name, in ASCII order. Errors that only say which argument is wrong name themselves.
const HINTS: &[(&str, &str)] = &[
    (
        "AccountNotAllowedCommit",
        "only a registered hotkey can publish: agon subnet register",
    ),
    (
        "AdminActionProhibitedDuringWeightsWindow",
        "settings are frozen shortly before an epoch; try again after it",
    ),
    (
        "AlphaHighTooLow",
        "the higher of alpha_values is too low for this chain",
    ),
    (
        "AlphaLowOutOfRange",
        "the lower of alpha_values is outside of what this chain takes",
    ),
    (
        "AmountTooLow",
        "stake or withdraw more, at least about 0.002 TAO, or withdraw everything with --all",
    ),
    (
        "BadOrigin",
        "this key has no right to do it; on a development chain sign with the sudo key and --sudo",
    ),
    (
        "BalanceTooLow",
        "the coldkey has too little TAO: agon wallet balance; on a development chain: agon wallet faucet",
    ),
    (
        "CallDisabled",
        "the chain has this call switched off for now",
    ),
    (
        "CanNotSetRootNetworkWeights",
        "root takes no weights; choose another subnet",
    ),
    (
        "CannotAffordLockCost",
        "founding a subnet costs more than the coldkey has: agon wallet balance; on a development chain: agon wallet faucet",
    ),
    (
        "ColdkeyInSwapSchedule",
        "this coldkey is about to be replaced and can do nothing until then",
    ),
    (
        "ColdkeySwapAnnounced",
        "this coldkey is about to be replaced and can do nothing until then",
    ),
    (
        "CommitBlockNotInRevealRange",
        "reveal in the epoch that agon weights show names, neither earlier nor later",
    ),
    (
        "CommitNotFound",
        "nothing is committed to, or its epoch has passed: agon weights commit",
    ),
    (
        "CommitRevealDisabled",
        "this subnet takes weights openly: agon weights set",
    ),
    (
        "CommitRevealEnabled",
        "this subnet wants weights committed to first: agon weights commit",
    ),
    (
        "CommittingWeightsTooFast",
        "too early after the last weights or the registration; --wait waits for the block that takes them",
    ),
    (
        "DelegateTakeTooHigh",
        "the take is above the chain's maximum",
    ),
    (
        "DelegateTakeTooLow",
        "the take is below the chain's minimum, or it does not change in the direction the call is for",
    ),
    ("DuplicateUids", "name every uid once"),
    (
        "ExpiredWeightCommit",
        "its epoch has passed and it cannot be revealed any more: agon weights commit",
    ),
    (
        "FirstEmissionBlockNumberAlreadySet",
        "the subnet is started already; there is nothing to do",
    ),
    (
        "FundsUnavailable",
        "the account has too little TAO: agon wallet balance; on a development chain: agon wallet faucet",
    ),
    (
        "HotKeyAccountNotExists",
        "nobody has registered or staked to this hotkey yet; is the address right?",
    ),
    (
        "HotKeyAlreadyRegisteredInSubNet",
        "this hotkey has a uid there already; there is nothing to do",
    ),
    (
        "HotKeyNotRegisteredInNetwork",
        "register the hotkey first: agon subnet register",
    ),
    (
        "HotKeyNotRegisteredInSubNet",
        "register the hotkey first: agon subnet register",
    ),
    (
        "HotkeyAccountDoesntExist",
        "nobody has registered or staked to this hotkey yet; is the address right?",
    ),
    (
        "IncorrectCommitRevealVersion",
        "this chain wants another form of commitment; a newer agon may have it",
    ),
    (
        "IncorrectWeightVersionKey",
        "the subnet wants a newer version: give its weights_version with --version-key",
    ),
    (
        "InsufficientBalance",
        "the account has too little TAO: agon wallet balance; on a development chain: agon wallet faucet",
    ),
    (
        "InsufficientLiquidity",
        "the subnet's pool is too small for this; trade less",
    ),
    (
        "InvalidIdentity",
        "one of the texts is too long for the chain",
    ),
    (
        "InvalidIpAddress",
        "public chains take no address of a private network or of the machine itself; give the one that others reach",
    ),
    (
        "InvalidRevealCommitHashNotMatch",
        "uids, weights, salt and version must be exactly those that were committed to",
    ),
    (
        "InvalidRevealRound",
        "the beacon has passed this round already; commit anew: agon weights commit",
    ),
    (
        "MaxAllowedUIdsLessThanCurrentUIds",
        "there are more neurons than that already",
    ),
    (
        "MaxWeightExceeded",
        "one weight is a larger part of all than the subnet's max_weights_limit; spread them",
    ),
    (
        "NeedWaitingMoreBlocksToStarCall",
        "a new subnet can be started only after some blocks; try again later",
    ),
    (
        "NetworkTxRateLimitExceeded",
        "this chain lets subnets be founded only from time to time; try again later",
    ),
    (
        "NeuronNoValidatorPermit",
        "only validators with a permit set weights: it comes with an epoch and enough stake",
    ),
    (
        "NoNeuronIdAvailable",
        "the subnet is full and nobody can be replaced; try again later",
    ),
    (
        "NoWeightsCommitFound",
        "nothing is committed to, or its epoch has passed: agon weights commit",
    ),
    (
        "NonAssociatedColdKey",
        "this hotkey belongs to another coldkey",
    ),
    (
        "NotEnoughBalanceToStake",
        "the coldkey has too little TAO: agon wallet balance; on a development chain: agon wallet faucet",
    ),
    (
        "NotEnoughStakeToSetWeights",
        "the hotkey has less stake than this chain wants for weights: agon stake add",
    ),
    (
        "NotEnoughStakeToWithdraw",
        "there is less stake than that: agon stake list, or --all",
    ),
    (
        "NotHere",
        "this chain declares the call and does not carry it out",
    ),
    (
        "NotSubnetOwner",
        "only the coldkey that owns the subnet can do it: agon subnet show",
    ),
    (
        "Payment",
        "the account has too little TAO for the fee: agon wallet balance; on a development chain: agon wallet faucet",
    ),
    (
        "PriceLimitExceeded",
        "the price is beyond your limit; accept more with --tolerance, or trade less with --partial",
    ),
    (
        "RateLimitExceeded",
        "the chain takes this only from time to time; try again some blocks later",
    ),
    (
        "RegistrationNotPermittedOnRootSubnet",
        "root is not registered on like this; choose another subnet",
    ),
    (
        "RegistrationPriceLimitExceeded",
        "the price has risen above your limit: agon subnet show, then --max-price",
    ),
    (
        "RequireSudo",
        "only the chain's sudo key can do it; leave --sudo out to act as the subnet's owner",
    ),
    (
        "ReservesTooLow",
        "the subnet's pool is too small for this; trade less",
    ),
    (
        "RevealTooEarly",
        "the epoch in which it is revealed has not begun; --wait waits for it",
    ),
    ("SameNetuid", "origin and destination are the same subnet"),
    (
        "ServingRateLimitExceeded",
        "the chain takes this only from time to time; try again some blocks later",
    ),
    (
        "SettingWeightsTooFast",
        "too early after the last weights or the registration; --wait waits for the block that takes them",
    ),
    (
        "SlippageTooHigh",
        "the price is beyond your limit; accept more with --tolerance, or trade less with --partial",
    ),
    (
        "SpaceLimitExceeded",
        "this hotkey has published as much as an epoch allows; try again in the next one",
    ),
    (
        "StakeAmountTooLow",
        "stake or withdraw more, at least about 0.002 TAO, or withdraw everything with --all",
    ),
    (
        "StakeUnavailable",
        "part of this stake is locked and cannot be withdrawn yet",
    ),
    (
        "StakingRateLimitExceeded",
        "the chain takes this only from time to time; try again some blocks later",
    ),
    (
        "SubNetRegistrationDisabled",
        "the subnet's owner does not let anybody register now",
    ),
    (
        "SubnetDoesNotExist",
        "there is no such subnet: agon subnet list",
    ),
    (
        "SubnetLimitReached",
        "there are as many subnets as the chain allows, and none can be replaced now",
    ),
    (
        "SubnetNotExists",
        "there is no such subnet: agon subnet list",
    ),
    (
        "SubtokenDisabled",
        "the subnet is not started: its owner runs agon subnet start",
    ),
    (
        "TempoOutOfBounds",
        "the owner may choose a tempo only within the chain's limits; root may set any",
    ),
    (
        "TooManyRegistrationsThisBlock",
        "others have registered in this block; try again in the next one",
    ),
    (
        "TooManyRegistrationsThisInterval",
        "too many have registered lately; try again some blocks later",
    ),
    (
        "TooManyUnrevealedCommits",
        "reveal what is committed to first: agon weights reveal",
    ),
    (
        "TransferDisallowed",
        "the subnet's owner does not let its stake be given away",
    ),
    (
        "TxRateLimitExceeded",
        "the chain takes this only from time to time; try again some blocks later",
    ),
    (
        "UidNotFound",
        "register the hotkey first: agon subnet register",
    ),
    (
        "UidVecContainInvalidOne",
        "one of the uids does not exist: agon subnet metagraph",
    ),
    (
        "UidsLengthExceedUidsInSubNet",
        "there are more weights than neurons: agon subnet metagraph",
    ),
    ("Underflow", "that is more than there is"),
    (
        "ValueNotInBounds",
        "the value is outside of what this chain takes",
    ),
    (
        "WeightVecLengthIsLow",
        "weigh more uids, at least the subnet's min_allowed_weights",
    ),
    ("WeightVecNotEqualSize", "give as many weights as uids"),
    (
        "ZeroMaxAmount",
        "the price is beyond your limit already; accept more with --tolerance",
    ),
    (
        "expired",
        "no block took it in time and none will any more; run the command again",
    ),
    (
        // "Invalid signing address": what a chain says to a stranger's sudo.
        "signing",
        "this key may not do it; with --sudo only the chain's sudo key can sign",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(HINTS.is_sorted_by(|(one, _), (other, _)| one < other));
    }

    #[test]
    fn errors_are_recognised_in_all_their_forms() {
        let found = |error: &str| hint(error).unwrap_or_default().to_owned();
        assert!(found("SubtensorModule.SubnetNotExists").contains("subnet list"));
        assert!(found("Token.FundsUnavailable").contains("balance"));
        assert!(found("BadOrigin").contains("--sudo"));
        let pool = "Invalid Transaction: RateLimitExceeded (Custom error: 6)";
        assert!(found(pool).contains("blocks later"));
        assert!(found("expired: no block included it in time").contains("again"));
        assert_eq!(hint("SubtensorModule.SomethingNew"), None);
    }
}

//! The first state of a development network.

use crate::drand::{self, BeaconConfiguration};
use crate::{
    AccountId, Balance, Balances, Runtime, RuntimeCall, RuntimeGenesisConfig, RuntimeOrigin,
    SubtensorModule, subtensor,
};
use agon_timelock::Beacon;
use frame_support::traits::BuildGenesisConfig;
use sp_runtime::traits::Dispatchable;
use std::collections::BTreeSet;

/// The least balance an account can have, in rao.
pub const EXISTENTIAL_DEPOSIT: Balance = 500;

/// What a development network starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// Accounts and what they own, in rao: each at least [`EXISTENTIAL_DEPOSIT`].
    pub endowed: Vec<(AccountId, Balance)>,
    /// The account that may make calls as root.
    pub sudo: AccountId,
    /// The randomness beacon that opens time-locked weights; drand's quicknet if none.
    pub beacon: Option<Beacon>,
}

/// Why a genesis cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// An account is endowed with too little to exist.
    #[error("genesis endows {account} with {amount} rao; give it at least {EXISTENTIAL_DEPOSIT}")]
    BelowExistentialDeposit {
        /// The account.
        account: AccountId,
        /// What it would own.
        amount: Balance,
    },
    /// An account is named twice.
    #[error("genesis endows {0} twice; name each account once")]
    EndowedTwice(AccountId),
    /// All endowments together exceed the currency's cap.
    #[error("genesis endows more than the cap of {cap} rao; lower the amounts", cap = subtensor::MAX_ISSUANCE)]
    AboveCap,
}

/// Writes the first state; call it inside externalities over an empty state.
///
/// # Errors
/// Nothing is written when the endowments are unusable.
pub fn build(genesis: &Genesis) -> Result<(), GenesisError> {
    // Root's pool starts empty and its account must exist all the same, or the last to unstake could not.
    let root_pool = (
        SubtensorModule::subnet_account(subtensor::ROOT),
        EXISTENTIAL_DEPOSIT,
    );
    let balances: Vec<_> = genesis.endowed.iter().cloned().chain([root_pool]).collect();
    let mut seen = BTreeSet::new();
    let mut issuance: Balance = 0;
    for (account, amount) in &balances {
        if *amount < EXISTENTIAL_DEPOSIT {
            return Err(GenesisError::BelowExistentialDeposit {
                account: account.clone(),
                amount: *amount,
            });
        }
        if !seen.insert(account) {
            return Err(GenesisError::EndowedTwice(account.clone()));
        }
        issuance = issuance
            .checked_add(*amount)
            .filter(|sum| *sum <= subtensor::MAX_ISSUANCE)
            .ok_or(GenesisError::AboveCap)?;
    }
    RuntimeGenesisConfig {
        balances: pallet_balances::GenesisConfig {
            balances,
            dev_accounts: None,
        },
        sudo: pallet_sudo::GenesisConfig {
            key: Some(genesis.sudo.clone()),
        },
        subtensor_module: subtensor::GenesisConfig {
            issuance,
            ..Default::default()
        },
        ..Default::default()
    }
    .build();
    // Who tries out competitions founds subnets one after the other.
    subtensor::NetworkRateLimit::<Runtime>::put(0);
    if let Some(beacon) = &genesis.beacon {
        drand::BeaconConfig::<Runtime>::put(BeaconConfiguration::local(beacon));
    }
    Ok(())
}

/// Why a balance cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetBalanceError {
    /// More than nothing and less than an account needs.
    #[error("{0} rao is too little to exist; set 0 or at least {EXISTENTIAL_DEPOSIT}")]
    BelowExistentialDeposit(Balance),
    /// Everything together would exceed the currency's cap.
    #[error("the issuance would exceed the cap of {cap} rao; set a lower balance", cap = subtensor::MAX_ISSUANCE)]
    AboveCap,
    /// The Balances pallet refuses.
    #[error("the balance cannot be set: {0}")]
    Refused(&'static str),
}

/// Makes an account's free balance what is said, for development networks; call it inside externalities. Both records
/// of the issuance follow, and the event is the one of the public call that root would make.
///
/// # Errors
/// The caller must then drop what was written.
pub fn set_balance(account: &AccountId, free: Balance) -> Result<(), SetBalanceError> {
    if free > 0 && free < EXISTENTIAL_DEPOSIT {
        return Err(SetBalanceError::BelowExistentialDeposit(free));
    }
    let (before, issuance) = (
        Balances::total_issuance(),
        subtensor::TotalIssuance::<Runtime>::get(),
    );
    let call = RuntimeCall::Balances(pallet_balances::Call::force_set_balance {
        who: account.clone().into(),
        new_free: free,
    });
    call.dispatch(RuntimeOrigin::root())
        .map_err(|failure| SetBalanceError::Refused(failure.error.into()))?;
    let after = Balances::total_issuance();
    let issuance = match after.checked_sub(before) {
        Some(minted) => issuance.saturating_add(minted),
        None => issuance.saturating_sub(before - after),
    };
    if after.max(issuance) > subtensor::MAX_ISSUANCE {
        return Err(SetBalanceError::AboveCap);
    }
    // Put rather than changed: what the call itself may have recycled is part of the difference.
    subtensor::TotalIssuance::<Runtime>::put(issuance);
    Ok(())
}

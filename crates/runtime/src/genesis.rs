//! The first state of a development network.

use crate::drand::{self, BeaconConfiguration};
use crate::{AccountId, Balance, Runtime, RuntimeGenesisConfig, SubtensorModule, subtensor};
use agon_timelock::Beacon;
use frame_support::traits::BuildGenesisConfig;
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
    if let Some(beacon) = &genesis.beacon {
        drand::BeaconConfig::<Runtime>::put(BeaconConfiguration::local(beacon));
    }
    Ok(())
}

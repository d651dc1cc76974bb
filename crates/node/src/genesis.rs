//! The first state of development networks, and genesis files.

use crate::beacon;
use agon_runtime::{AccountId, Balance, genesis::Genesis};
use agon_timelock::{Beacon, InvalidPoint, PublicKey};
use serde::{Deserialize, Serialize};
use sp_core::{Bytes, Pair, sr25519};

/// One TAO in rao.
pub const TAO: Balance = 1_000_000_000;

/// Who owns what on every development network, in TAO.
const ENDOWED: [(&str, Balance); 6] = [
    ("Alice", 1_000_000),
    ("Bob", 1_000_000),
    ("Charlie", 1_000_000),
    ("Dave", 2_000),
    ("Eve", 2_000),
    ("Ferdie", 2_000),
];

/// The sr25519 key pair `//name` of the well-known development phrase. Anybody has it.
///
/// # Panics
/// When `name` cannot stand in a derivation path; names of letters and digits can.
pub fn development_pair(name: &str) -> sr25519::Pair {
    sr25519::Pair::from_string(&format!("//{name}"), None)
        .expect("letters and digits make a derivation path")
}

/// The account of [`development_pair`].
///
/// # Panics
/// As [`development_pair`].
pub fn development_account(name: &str) -> AccountId {
    development_pair(name).public().into()
}

/// A development network: Alice, Bob and Charlie own a million TAO each, Dave, Eve and Ferdie two thousand, Alice may
/// call as root, and `additional` accounts own what is said (rao). The node itself is the beacon of its randomness.
pub fn development(additional: &[(AccountId, Balance)]) -> Genesis {
    let named = ENDOWED
        .iter()
        .map(|(name, tao)| (development_account(name), tao * TAO));
    Genesis {
        endowed: named.chain(additional.iter().cloned()).collect(),
        sudo: development_account("Alice"),
        beacon: Some(beacon::development()),
    }
}

/// Version of the form of genesis files.
const SCHEMA: u32 = 1;

/// The most bytes of a genesis file that are read.
pub const MAX_FILE_BYTES: u64 = 64 << 20;

/// Why a genesis file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// Not JSON, or not of this form.
    #[error("not a genesis: {0}")]
    Form(#[from] serde_json::Error),
    /// The beacon's key is no key.
    #[error("the beacon: {0}")]
    Beacon(#[from] InvalidPoint),
    /// Written by another version of this program.
    #[error("its schema is {0} and this program reads {SCHEMA}")]
    Schema(u32),
}

/// A genesis file: `{"schema": 1, "sudo": "5…", "endowed": [{"account": "5…", "rao": 1000}], "beacon": null}`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: u32,
    /// The account that may call as root.
    sudo: AccountId,
    /// Who owns what.
    endowed: Vec<Endowment>,
    /// The randomness beacon; drand's quicknet when absent.
    beacon: Option<BeaconDocument>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BeaconDocument {
    /// In hexadecimal, compressed.
    public_key: Bytes,
    period: u32,
    genesis_time: u64,
}

impl From<Beacon> for BeaconDocument {
    fn from(beacon: Beacon) -> Self {
        Self {
            public_key: Bytes(beacon.public_key.to_bytes().to_vec()),
            period: beacon.period,
            genesis_time: beacon.genesis_time,
        }
    }
}

impl TryFrom<BeaconDocument> for Beacon {
    type Error = InvalidPoint;

    fn try_from(document: BeaconDocument) -> Result<Self, InvalidPoint> {
        Ok(Self {
            public_key: PublicKey::from_bytes(&document.public_key)?,
            period: document.period.max(1),
            genesis_time: document.genesis_time,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Endowment {
    account: AccountId,
    rao: Balance,
}

/// A genesis with its accounts in order, so that equal ones are equal.
pub fn canonical(mut genesis: Genesis) -> Genesis {
    genesis.endowed.sort();
    genesis
}

/// A genesis as the text of a genesis file.
///
/// # Panics
/// Never: accounts and numbers have a form in JSON.
pub fn to_json(genesis: &Genesis) -> String {
    let Genesis {
        endowed,
        sudo,
        beacon,
    } = canonical(genesis.clone());
    let document = Document {
        schema: SCHEMA,
        sudo,
        endowed: endowed
            .into_iter()
            .map(|(account, rao)| Endowment { account, rao })
            .collect(),
        beacon: beacon.map(Into::into),
    };
    serde_json::to_string_pretty(&document).expect("accounts and numbers have a form in JSON")
}

/// Reads the text of a genesis file.
///
/// # Errors
/// When it is not one of this version.
pub fn from_json(text: &str) -> Result<Genesis, DocumentError> {
    let document: Document = serde_json::from_str(text)?;
    if document.schema != SCHEMA {
        return Err(DocumentError::Schema(document.schema));
    }
    let endowed = document.endowed.into_iter();
    Ok(canonical(Genesis {
        endowed: endowed
            .map(|endowment| (endowment.account, endowment.rao))
            .collect(),
        sudo: document.sudo,
        beacon: document.beacon.map(Beacon::try_from).transpose()?,
    }))
}

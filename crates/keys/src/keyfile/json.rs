//! The JSON of a key file.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::KeyFileError;
use crate::{AccountId, Keypair, Scheme};

/// The field `cryptoType`. For sr25519 it is never written: wallets before 4.1 refuse a number in the file.
const SR25519: i64 = 1;
const ED25519: i64 = 0;

/// The JSON object of a key file. Unknown fields are ignored, null is the same as absent.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fields {
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_phrase: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_seed: Option<String>,
    // Some old wallets wrote it with a space.
    #[serde(alias = " ss58Address", skip_serializing_if = "Option::is_none")]
    ss58_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crypto_type: Option<i64>,
}

impl Fields {
    pub(super) fn of_account(account: &AccountId, scheme: Scheme) -> Self {
        Self {
            account_id: Some(to_hex(&account.0)),
            public_key: Some(to_hex(&account.0)),
            private_key: None,
            secret_phrase: None,
            secret_seed: None,
            ss58_address: Some(account.to_string()),
            crypto_type: match scheme {
                Scheme::Sr25519 => None,
                Scheme::Ed25519 => Some(ED25519),
            },
        }
    }

    pub(super) fn of_keypair(keypair: &Keypair) -> Self {
        let mut fields = Self::of_account(&keypair.account(), keypair.scheme());
        fields.private_key = Some(to_hex(&keypair.private_key()));
        fields.secret_phrase = keypair.mnemonic().map(|words| words.phrase().to_string());
        fields.secret_seed = keypair.seed().map(|seed| to_hex(seed));
        fields
    }

    pub(super) fn parse(json: &[u8]) -> Result<Self, KeyFileError> {
        // serde's own message may quote a value of the file; only the place is told.
        serde_json::from_slice(json).map_err(|error| {
            KeyFileError::Malformed(format!(
                "not the JSON of a key at line {}, column {}",
                error.line(),
                error.column()
            ))
        })
    }

    pub(super) fn to_json(&self) -> Zeroizing<Vec<u8>> {
        // Made in one allocation, so that no shorter copy stays behind in memory.
        let mut json = Zeroizing::new(Vec::with_capacity(2 * 1024));
        serde_json::to_writer(&mut *json, self).expect("strings into memory always serialise");
        json
    }

    /// The account and the scheme the file states.
    pub(super) fn account(&self) -> Result<(AccountId, Scheme), KeyFileError> {
        let scheme = self.scheme()?;
        let stated = self.stated_accounts()?;
        let account = *stated.first().ok_or_else(|| {
            KeyFileError::Malformed("it has no ss58Address, publicKey or accountId".into())
        })?;
        agree(&stated, account)?;
        Ok((account, scheme))
    }

    /// The key, from the first secret present: phrase, seed, secret key.
    pub(super) fn keypair(&self) -> Result<Keypair, KeyFileError> {
        let scheme = self.scheme()?;
        let keypair = if let Some(phrase) = &self.secret_phrase {
            let mnemonic = phrase
                .parse()
                .map_err(|error| KeyFileError::Malformed(format!("secretPhrase: {error}")))?;
            Keypair::from_mnemonic_in(scheme, &mnemonic)
        } else if let Some(seed) = &self.secret_seed {
            Keypair::from_seed_in(scheme, *from_hex("secretSeed", seed)?)
        } else if let Some(private_key) = &self.private_key {
            let digits = private_key.strip_prefix("0x").unwrap_or(private_key);
            hex::decode(digits)
                .ok()
                .map(Zeroizing::new)
                .and_then(|bytes| Keypair::from_private_key(scheme, &bytes))
                .ok_or_else(|| {
                    KeyFileError::Malformed(format!("privateKey is not an {scheme} secret key"))
                })?
        } else {
            return Err(KeyFileError::NoSecret);
        };
        agree(&self.stated_accounts()?, keypair.account())?;
        Ok(keypair)
    }

    fn scheme(&self) -> Result<Scheme, KeyFileError> {
        match self.crypto_type {
            None | Some(SR25519) => Ok(Scheme::Sr25519),
            Some(ED25519) => Ok(Scheme::Ed25519),
            Some(other) => Err(KeyFileError::CryptoType(other)),
        }
    }

    /// Every account the file names.
    fn stated_accounts(&self) -> Result<Vec<AccountId>, KeyFileError> {
        let mut accounts = Vec::with_capacity(3);
        if let Some(address) = &self.ss58_address {
            let account = address
                .parse()
                .map_err(|error| KeyFileError::Malformed(format!("ss58Address: {error}")))?;
            accounts.push(account);
        }
        for (name, key) in [
            ("publicKey", &self.public_key),
            ("accountId", &self.account_id),
        ] {
            if let Some(key) = key {
                accounts.push(AccountId(*from_hex(name, key)?));
            }
        }
        Ok(accounts)
    }
}

fn agree(stated: &[AccountId], actual: AccountId) -> Result<(), KeyFileError> {
    match stated.iter().find(|stated| **stated != actual) {
        Some(&stated) => Err(KeyFileError::Contradiction { stated, actual }),
        None => Ok(()),
    }
}

fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("0x");
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes every character");
    }
    text
}

fn from_hex<const N: usize>(field: &str, text: &str) -> Result<Zeroizing<[u8; N]>, KeyFileError> {
    let mut bytes = Zeroizing::new([0; N]);
    let digits = text.strip_prefix("0x").unwrap_or(text);
    hex::decode_to_slice(digits, &mut *bytes).map_err(|_| {
        KeyFileError::Malformed(format!(
            "{field} is not 0x and {} hexadecimal digits",
            2 * N
        ))
    })?;
    Ok(bytes)
}

//! The bytes of a key file: its JSON, and its encryption under a password.
//!
//! A key file is a JSON object, as it is or encrypted. `$NACL` is read and written; what wallets wrote before it is
//! read.

mod json;
mod legacy;
pub(crate) mod nacl;
#[cfg(test)]
mod tests;

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::password::PasswordError;
use crate::{AccountId, Keypair, Password, Scheme};
use json::Fields;

/// The largest key file that is read. A written one has less than two kilobytes.
pub const MAX_BYTES: usize = 16 * 1024;

/// As many bytes as [`Protection::of`] looks at.
pub(crate) const LONGEST_MARK: usize = legacy::ANSIBLE_VAULT_MARK.len();

/// How a key file is protected, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Not encrypted: the JSON itself.
    Plain,
    /// `$NACL`, the format that is read and written here.
    Nacl,
    /// `$ANSIBLE_VAULT`, of older wallets: opened, never written.
    AnsibleVault,
    /// `gAAAAA`, a Fernet token of the oldest wallets: opened, never written.
    Fernet,
}

impl Protection {
    /// Tells the protection of a file from its bytes or the first of them.
    pub fn of(file: &[u8]) -> Self {
        if file.starts_with(nacl::MARK) {
            Self::Nacl
        } else if file.starts_with(legacy::ANSIBLE_VAULT_MARK) {
            Self::AnsibleVault
        } else if file.starts_with(legacy::FERNET_MARK) {
            Self::Fernet
        } else {
            Self::Plain
        }
    }

    /// Whether the file should be rewritten as `$NACL`.
    pub fn is_legacy(self) -> bool {
        matches!(self, Self::AnsibleVault | Self::Fernet)
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Plain => "plain text",
            Self::Nacl => "$NACL",
            Self::AnsibleVault => "Ansible Vault",
            Self::Fernet => "Fernet",
        })
    }
}

/// Why the bytes of a key file give no key or account, or cannot be made. No message repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyFileError {
    /// More than [`MAX_BYTES`].
    #[error("this is no key file: it has more than {MAX_BYTES} bytes")]
    TooLarge,
    /// Neither JSON nor an encrypted file, or cut off.
    #[error("this is no key file, or it is damaged: {0}")]
    Malformed(String),
    /// Encrypted, and no password was given.
    #[error("the key is encrypted: a password is needed")]
    PasswordNeeded,
    /// The password does not open the file.
    #[error("wrong password (or the file was changed): the key cannot be decrypted")]
    WrongPassword,
    /// A new password that may not be used.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// A scheme that is not known here; the number is that of `cryptoType`.
    #[error(
        "the key is neither sr25519 nor ed25519 (cryptoType {0}; 1 and 0 are known): it cannot be used here"
    )]
    CryptoType(i64),
    /// A file that holds only an address.
    #[error("the file holds only an address and no secret: it cannot sign")]
    NoSecret,
    /// The address or public key in the file is not the one of its secret, or they differ among themselves.
    #[error(
        "the file contradicts itself: it names the account {stated}, but its key is of {actual}"
    )]
    Contradiction {
        /// What the file says.
        stated: AccountId,
        /// What its secret, or its address, gives.
        actual: AccountId,
    },
    /// Argon2 could not run.
    #[error("the password cannot be turned into a key, which takes 512 MiB of memory: {0}")]
    Derivation(argon2::Error),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    NoRandomness(getrandom::Error),
}

/// Opens the bytes of a key file. The password is used only where the file is encrypted.
///
/// That takes time where it is: `$NACL` a second and 512 MiB, Fernet some seconds, Ansible Vault next to none.
pub fn open(file: &[u8], password: Option<&Password>) -> Result<Keypair, KeyFileError> {
    if file.len() > MAX_BYTES {
        return Err(KeyFileError::TooLarge);
    }
    let password = || password.ok_or(KeyFileError::PasswordNeeded);
    let decrypted = match Protection::of(file) {
        Protection::Plain => return Fields::parse(file)?.keypair(),
        Protection::Nacl => nacl::decrypt(file, password()?)?,
        Protection::AnsibleVault => legacy::open_ansible_vault(file, password()?)?,
        Protection::Fernet => legacy::open_fernet(file, password()?)?,
    };
    Fields::parse(&decrypted)?.keypair()
}

/// Makes the bytes of a key file: encrypted under a password, or plain text without one.
pub fn seal(
    keypair: &Keypair,
    password: Option<&Password>,
) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let json = Fields::of_keypair(keypair).to_json();
    match password {
        Some(password) => nacl::encrypt(json, password),
        None => Ok(json),
    }
}

/// Reads the account and the scheme of a file that is not encrypted: of a public file, or of a secret one without
/// using its secret.
pub fn decode_account(file: &[u8]) -> Result<(AccountId, Scheme), KeyFileError> {
    if file.len() > MAX_BYTES {
        return Err(KeyFileError::TooLarge);
    }
    match Protection::of(file) {
        Protection::Plain => Fields::parse(file)?.account(),
        _ => Err(KeyFileError::PasswordNeeded),
    }
}

/// Reads a public file: as [`decode_account`], or the bare public key in hexadecimal that the oldest wallets wrote.
pub fn decode_public(file: &[u8]) -> Result<(AccountId, Scheme), KeyFileError> {
    if let Some(digits) = file.trim_ascii().strip_prefix(b"0x") {
        let mut key = [0; 32];
        if hex::decode_to_slice(digits, &mut key).is_ok() {
            return Ok((AccountId(key), Scheme::Sr25519));
        }
    }
    decode_account(file)
}

/// Makes the bytes of the public file of an account.
pub fn encode_public(account: &AccountId, scheme: Scheme) -> Vec<u8> {
    Fields::of_account(account, scheme).to_json().to_vec()
}

//! Who acts: accounts, keys, mnemonics, key files, and wallets on disk.
//!
//! A wallet made here is read by the Python wallets of the field, and theirs are read here: addresses, derivation,
//! signatures, the key file's JSON, its `$NACL` encryption and the directory layout are the same to the byte.
//!
//! What this crate refuses to do:
//!
//! - to know a chain: no call, no storage, no FRAME type;
//! - to ask, print or read the environment: passwords and paths are given by the caller;
//! - to show a secret: every type that holds one erases itself and prints nothing of it. Only a [`Mnemonic`] can be
//!   read out, by name, because a person must write it down once;
//! - to replace a key that exists, unless told so in as many words;
//! - to write an old format: what wallets wrote before `$NACL` is opened, and rewritten when asked.

mod account;
mod files;
mod keypair;
mod mnemonic;
mod password;

pub mod keyfile;
pub mod polkadot;
pub mod wallet;

pub use account::{AccountError, AccountId};
pub use keypair::{Keypair, Scheme, UriError, verify, verify_exactly};
pub use mnemonic::{Mnemonic, MnemonicError};
pub use password::{MIN_PASSWORD_CHARACTERS, Password, PasswordError};
pub use wallet::Wallet;

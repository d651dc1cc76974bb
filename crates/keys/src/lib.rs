//! Who acts: accounts, sr25519 keys, mnemonics, key files, and wallets on disk.
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
//! - to open what it cannot open safely: ed25519 keys and the old Ansible Vault and Fernet files are named and refused.

mod account;
mod files;
mod keypair;
mod mnemonic;

pub mod keyfile;
pub mod wallet;

pub use account::{AccountError, AccountId};
pub use keyfile::Password;
pub use keypair::{Keypair, UriError, verify, verify_exactly};
pub use mnemonic::{Mnemonic, MnemonicError};
pub use wallet::Wallet;

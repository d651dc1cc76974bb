//! What can be typed about wallets.

use super::{Faucet, Overview, ShowBalance, Transfer};
use agon_keys::{AccountId, Scheme};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Wallet {
    #[command(subcommand)]
    pub verb: WalletVerb,
}

#[derive(Debug, Subcommand)]
pub enum WalletVerb {
    /// Create a coldkey, show its words once and encrypt its file.
    NewColdkey(NewKey),
    /// Create a hotkey and show its words once.
    NewHotkey(NewKey),
    /// Make a coldkey's file again from its words, seed, private key or a polkadot-js account.
    RegenColdkey(RegenerateKey),
    /// Make a hotkey's file again from its words, seed, private key or a polkadot-js account.
    RegenHotkey(RegenerateKey),
    /// Write the public file of a coldkey that is kept elsewhere, from its address.
    RegenColdkeypub(RegeneratePublic),
    /// Write the public file of a hotkey that is kept elsewhere, from its address.
    RegenHotkeypub(RegeneratePublic),
    /// List the wallets with their addresses.
    List(ListWallets),
    /// Show one wallet's files, how they are protected and what is wrong. Opens no secret.
    Inspect(InspectWallet),
    /// Rewrite a key file of an old format (Ansible Vault, Fernet) as $NACL.
    Update(UpdateKey),
    /// Sign a message with the coldkey or the hotkey.
    Sign(SignMessage),
    /// Check who signed a message. A wrong signature exits with status 2.
    Verify(VerifyMessage),
    /// Show what a coldkey holds.
    Balance(ShowBalance),
    /// Send TAO.
    Transfer(Transfer),
    /// Show a wallet's hotkeys with their places on the subnets.
    Overview(Overview),
    /// Take TAO from a development chain.
    Faucet(Faucet),
}

#[derive(Debug, Clone, Args)]
pub struct WalletPlace {
    /// Wallet name.
    #[arg(
        long = "wallet.name",
        value_name = "NAME",
        env = "BT_WALLET_NAME",
        default_value = "default"
    )]
    pub name: String,
    /// Hotkey name.
    #[arg(
        long = "wallet.hotkey",
        value_name = "NAME",
        env = "BT_WALLET_HOTKEY",
        default_value = "default"
    )]
    pub hotkey: String,
    /// Directory of the wallets; default: ~/.bittensor/wallets.
    #[arg(long = "wallet.path", value_name = "DIR", env = "BT_WALLET_PATH")]
    pub path: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Sealing {
    /// Leave the key file in plain text, as hotkeys are unless told otherwise.
    #[arg(long, visible_alias = "no-use-password")]
    pub no_password: bool,
    /// Encrypt the key file, as coldkeys are unless told otherwise.
    #[arg(long, conflicts_with = "no_password")]
    pub use_password: bool,
    /// Read the password from the first line of this file. Without it: BT_WALLET_PASSWORD, the
    /// BT_PW_ variable of the key file, the file BT_WALLET_PASSWORD_FILE names; else it is asked for.
    #[arg(long, value_name = "FILE", conflicts_with = "no_password")]
    pub password_file: Option<PathBuf>,
    /// Replace a key that is already there. Its funds are lost unless you have its words.
    #[arg(long)]
    pub overwrite: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct NewKey {
    #[command(flatten)]
    pub place: WalletPlace,
    #[command(flatten)]
    pub sealing: Sealing,
    /// Number of words: 12, 15, 18, 21 or 24.
    #[arg(
        long = "n_words",
        visible_alias = "n-words",
        value_name = "N",
        default_value_t = 12
    )]
    pub words: usize,
    /// How the key signs.
    #[arg(long, value_name = "sr25519|ed25519", default_value_t, value_parser = scheme)]
    pub crypto_type: Scheme,
}

#[derive(Debug, Args)]
pub struct RegenerateKey {
    #[command(flatten)]
    pub place: WalletPlace,
    #[command(flatten)]
    pub sealing: Sealing,
    #[command(flatten)]
    pub source: KeySource,
    /// The file with the password of the polkadot-js account; asked for without it.
    #[arg(long, value_name = "FILE", requires = "json_file")]
    pub json_password_file: Option<PathBuf>,
    /// How the key signs.
    #[arg(long, value_name = "sr25519|ed25519", default_value_t, value_parser = scheme, conflicts_with = "json_file")]
    pub crypto_type: Scheme,
}

/// What a key is made of again. What stands on the command line can be read by everybody on the machine: without a
/// value each asks for it, or reads it from a pipe.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct KeySource {
    /// The words. Asked for, unseen, without a value or when nothing else is given.
    #[arg(long, value_name = "WORDS", num_args = 0..=1, default_missing_value = ASK)]
    pub mnemonic: Option<String>,
    /// The 32-byte seed in hex. Asked for without a value.
    #[arg(long, value_name = "HEX", num_args = 0..=1, default_missing_value = ASK)]
    pub seed: Option<String>,
    /// The private key in hex, as it stands in a key file. Asked for without a value.
    #[arg(long, value_name = "HEX", num_args = 0..=1, default_missing_value = ASK)]
    pub private_key: Option<String>,
    /// A derived key such as //Alice, a well-known key of development chains.
    #[arg(long, value_name = "URI", num_args = 0..=1, default_missing_value = ASK)]
    pub uri: Option<String>,
    /// An account exported by polkadot-js (JSON of version 3).
    #[arg(long, value_name = "FILE")]
    pub json_file: Option<PathBuf>,
}

/// A secret's value that stands for the question.
pub const ASK: &str = "-";

#[derive(Debug, Args)]
pub struct RegeneratePublic {
    #[command(flatten)]
    pub place: WalletPlace,
    #[command(flatten)]
    pub address: Address,
    /// How the key signs.
    #[arg(long, value_name = "sr25519|ed25519", default_value_t, value_parser = scheme)]
    pub crypto_type: Scheme,
    /// Replace the address of another key.
    #[arg(long)]
    pub overwrite: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Whose: one of the two forms.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Address {
    /// The address, of any network.
    #[arg(
        long,
        visible_alias = "ss58-address",
        visible_alias = "address",
        value_name = "ADDRESS"
    )]
    pub ss58: Option<AccountId>,
    /// The public key in hex.
    #[arg(long, visible_alias = "public-key", value_name = "HEX", value_parser = public_key)]
    pub public_key_hex: Option<AccountId>,
}

#[derive(Debug, Args)]
pub struct ListWallets {
    /// Directory of the wallets; default: ~/.bittensor/wallets.
    #[arg(long = "wallet.path", value_name = "DIR", env = "BT_WALLET_PATH")]
    pub path: Option<PathBuf>,
    /// Print the list as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct SignMessage {
    #[command(flatten)]
    pub place: WalletPlace,
    /// What to sign.
    #[arg(long, value_name = "TEXT")]
    pub message: String,
    /// Sign with the hotkey instead of the coldkey.
    #[arg(long)]
    pub use_hotkey: bool,
    /// Read the password from the first line of this file. Without it: BT_WALLET_PASSWORD, the
    /// BT_PW_ variable of the key file, the file BT_WALLET_PASSWORD_FILE names; else it is asked for.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Print address and signature as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct VerifyMessage {
    #[command(flatten)]
    pub address: Address,
    /// What was signed.
    #[arg(long, value_name = "TEXT")]
    pub message: String,
    /// The signature, 128 hexadecimal digits.
    #[arg(long, value_name = "HEX")]
    pub signature: String,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct InspectWallet {
    #[command(flatten)]
    pub place: WalletPlace,
    /// Print what was found as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct UpdateKey {
    #[command(flatten)]
    pub place: WalletPlace,
    /// Update the hotkey instead of the coldkey.
    #[arg(long)]
    pub use_hotkey: bool,
    /// Read the password from the first line of this file. Without it: BT_WALLET_PASSWORD, the
    /// BT_PW_ variable of the key file, the file BT_WALLET_PASSWORD_FILE names; else it is asked for.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Protect the new file with the password in the first line of this file; default: the old one.
    #[arg(long, value_name = "FILE")]
    pub new_password_file: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

impl Address {
    /// The account that is named.
    pub fn account(&self) -> AccountId {
        self.ss58
            .or(self.public_key_hex)
            .expect("one of the two is required")
    }
}

fn scheme(text: &str) -> Result<Scheme, String> {
    [Scheme::Sr25519, Scheme::Ed25519]
        .into_iter()
        .find(|scheme| scheme.to_string() == text)
        .ok_or_else(|| "must be sr25519 or ed25519".to_owned())
}

fn public_key(text: &str) -> Result<AccountId, String> {
    let mut key = [0; 32];
    hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut key)
        .map_err(|_| "a public key is 64 hexadecimal digits, with or without 0x".to_owned())?;
    Ok(AccountId(key))
}

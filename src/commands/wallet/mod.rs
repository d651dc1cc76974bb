//! `agon wallet`: key files on disk, and what their accounts hold.

mod files;
mod holdings;
mod keys;
mod message;
mod secret;

pub(super) use agon_keys::wallet::Part;
pub(super) use holdings::whose;

use crate::args::{Wallet as Arguments, WalletPlace, WalletVerb};
use crate::failure::Failure;
use agon_keys::keyfile::Protection;
use agon_keys::wallet::WalletError;
use agon_keys::{AccountId, Keypair, Wallet};
use anyhow::anyhow;
use std::path::{Path, PathBuf};

/// Run one verb.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        WalletVerb::NewColdkey(new) => keys::create(new, Part::Coldkey),
        WalletVerb::NewHotkey(new) => keys::create(new, Part::Hotkey),
        WalletVerb::RegenColdkey(again) => keys::regenerate(again, Part::Coldkey),
        WalletVerb::RegenHotkey(again) => keys::regenerate(again, Part::Hotkey),
        WalletVerb::RegenColdkeypub(again) => keys::regenerate_public(again, Part::Coldkey),
        WalletVerb::RegenHotkeypub(again) => keys::regenerate_public(again, Part::Hotkey),
        WalletVerb::List(list) => files::list(list),
        WalletVerb::Inspect(inspect) => files::inspect(inspect),
        WalletVerb::Update(update) => keys::update(update),
        WalletVerb::Sign(sign) => message::sign(sign),
        WalletVerb::Verify(verify) => message::verify(verify),
        WalletVerb::Balance(show) => holdings::balance(show).await,
        WalletVerb::Transfer(transfer) => holdings::transfer(transfer).await,
        WalletVerb::Overview(overview) => holdings::overview(overview).await,
        WalletVerb::Faucet(faucet) => holdings::faucet(faucet).await,
    }
}

/// The wallet that was named; nothing of it is read.
pub(super) fn open(place: &WalletPlace) -> Result<Wallet, Failure> {
    Wallet::new(root(place.path.as_deref())?, &place.name, &place.hotkey).map_err(blame)
}

/// A key with its private half. Asks for its password if there is one.
pub(super) fn unlock(
    wallet: &Wallet,
    part: Part,
    password_file: Option<&Path>,
) -> Result<Keypair, Failure> {
    let password = match wallet.protection(part).map_err(blame)? {
        Protection::Plain => None,
        _ => Some(secret::password(password_file, &wallet.path(part))?),
    };
    match part {
        Part::Hotkey => wallet.open_hotkey(password.as_ref()),
        Part::Coldkey => wallet.open_coldkey(password.as_ref()),
    }
    .map_err(blame)
}

/// A key's account, from its public file.
pub(super) fn account(wallet: &Wallet, part: Part) -> Result<AccountId, Failure> {
    match part {
        Part::Hotkey => wallet.hotkey_account(),
        Part::Coldkey => wallet.coldkey_account(),
    }
    .map_err(blame)
}

fn root(path: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(path) = path {
        return Ok(path.to_owned());
    }
    let home = std::env::home_dir()
        .ok_or_else(|| Failure::user(anyhow!("no home directory is known; give --wallet.path")))?;
    Ok(home.join(".bittensor").join("wallets"))
}

/// Everything a wallet complains of is the user's to mend, except what the disk refuses.
pub(super) fn blame(error: WalletError) -> Failure {
    match error {
        WalletError::Io { .. } => Failure::Ours(error.into()),
        other => Failure::user(other),
    }
}

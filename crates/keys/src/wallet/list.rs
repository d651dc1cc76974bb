//! Which wallets there are.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::{PUBLIC_SUFFIX, Wallet, WalletError, io_error};
use crate::AccountId;
use crate::keyfile::Protection;

/// A wallet as [`list`] found it.
#[derive(Debug)]
pub struct WalletEntry {
    /// The directory's name.
    pub name: String,
    /// The coldkey's account, where its public file tells it.
    pub account: Option<AccountId>,
    /// How the coldkey is protected; `None` where it is kept elsewhere, or could not be read.
    pub coldkey: Option<Protection>,
    /// The hotkeys, by name.
    pub hotkeys: Vec<HotkeyEntry>,
    /// What could not be read of this wallet.
    pub problems: Vec<WalletError>,
}

/// A hotkey as [`list`] found it.
#[derive(Debug)]
pub struct HotkeyEntry {
    /// The file's name.
    pub name: String,
    /// Its account, or why that is not known.
    pub account: Result<AccountId, WalletError>,
}

/// The wallets under a root, by name. None where the root does not exist.
///
/// What cannot be read stands with its wallet or hotkey; only an unreadable root is an error.
pub fn list(root: &Path) -> Result<Vec<WalletEntry>, WalletError> {
    let mut entries = Vec::new();
    for name in names_in(root)? {
        if root.join(&name).is_dir() {
            entries.push(wallet_entry(root, name));
        }
    }
    Ok(entries)
}

fn wallet_entry(root: &Path, name: String) -> WalletEntry {
    let mut entry = WalletEntry {
        name,
        account: None,
        coldkey: None,
        hotkeys: Vec::new(),
        problems: Vec::new(),
    };
    // No hotkey is asked of this wallet; the name stands only where one is needed.
    let wallet = match Wallet::new(root, &entry.name, "default") {
        Ok(wallet) => wallet,
        Err(error) => {
            entry.problems.push(error);
            return entry;
        }
    };
    let mut unless_missing = |error| {
        if !matches!(error, WalletError::Missing(_)) {
            entry.problems.push(error);
        }
    };
    entry.account = wallet.coldkey_account().map_err(&mut unless_missing).ok();
    entry.coldkey = wallet
        .coldkey_protection()
        .map_err(&mut unless_missing)
        .ok();
    let hotkeys = hotkeys_of(&wallet)
        .map_err(&mut unless_missing)
        .unwrap_or_default();
    for hotkey in hotkeys {
        entry.hotkeys.push(HotkeyEntry {
            account: Wallet::new(root, &entry.name, &hotkey)
                .and_then(|wallet| wallet.hotkey_account()),
            name: hotkey,
        });
    }
    entry
}

/// The sorted names of a wallet's hotkeys. A hotkey may consist of its public file alone.
pub(super) fn hotkeys_of(wallet: &Wallet) -> Result<BTreeSet<String>, WalletError> {
    let names = names_in(&wallet.directory().join("hotkeys"))?;
    Ok(names
        .iter()
        .map(|name| name.strip_suffix(PUBLIC_SUFFIX).unwrap_or(name).to_owned())
        .collect())
}

/// The sorted names in a directory, without hidden ones (such as those of unfinished writes).
fn names_in(directory: &Path) -> Result<BTreeSet<String>, WalletError> {
    let failed = |error| io_error("list", directory, error);
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries.map_err(failed)?,
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with('.') {
            names.insert(name.into_owned());
        }
    }
    Ok(names)
}

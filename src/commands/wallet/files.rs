//! What lies on disk, read without opening a secret.

use super::{blame, open, root};
use crate::args::{InspectWallet, ListWallets};
use crate::failure::Failure;
use crate::printer::{result, say};
use agon_keys::AccountId;
use agon_keys::wallet::{self, KeyInspection, Problem, WalletEntry};
use serde_json::{Value, json};

/// The wallets under a root.
pub fn list(list: ListWallets) -> Result<(), Failure> {
    let root = root(list.path.as_deref())?;
    let wallets = wallet::list(&root).map_err(blame)?;
    if list.json {
        let wallets: Vec<_> = wallets.iter().map(entry_json).collect();
        result(&json!({"schema": 1, "path": root, "wallets": wallets}).to_string())?;
        return Ok(());
    }
    if wallets.is_empty() {
        say(&format!(
            "no wallets in {}; make one with: agon wallet new-coldkey",
            root.display()
        ));
    }
    for entry in &wallets {
        let protection = entry
            .coldkey
            .map_or("kept elsewhere".to_owned(), |p| p.to_string());
        result(&format!(
            "{}  {}  ({protection})",
            entry.name,
            address(entry.account)
        ))?;
        for hotkey in &entry.hotkeys {
            result(&match &hotkey.account {
                Ok(account) => format!("  {}  {account}", hotkey.name),
                Err(error) => format!("  {}  unreadable: {error}", hotkey.name),
            })?;
        }
        for problem in &entry.problems {
            result(&format!("  problem: {problem}"))?;
        }
    }
    Ok(())
}

fn entry_json(entry: &WalletEntry) -> Value {
    let hotkeys: Vec<_> = entry
        .hotkeys
        .iter()
        .map(|hotkey| match &hotkey.account {
            Ok(account) => json!({"name": hotkey.name, "address": account}),
            Err(error) => json!({"name": hotkey.name, "problem": error.to_string()}),
        })
        .collect();
    let problems: Vec<_> = entry.problems.iter().map(ToString::to_string).collect();
    json!({
        "name": entry.name,
        "address": entry.account,
        "coldkey": entry.coldkey.map(|protection| protection.to_string()),
        "hotkeys": hotkeys,
        "problems": problems,
    })
}

/// One wallet: every key's files, and what is wrong with them.
pub fn inspect(inspect: InspectWallet) -> Result<(), Failure> {
    let wallet = open(&inspect.place)?;
    let found = wallet.inspect().map_err(blame)?;
    if inspect.json {
        let hotkeys: Vec<_> = found
            .hotkeys
            .iter()
            .map(|(name, key)| key_json(Some(name), key))
            .collect();
        let document = json!({
            "schema": 1,
            "name": wallet.name(),
            "path": wallet.directory(),
            "coldkey": key_json(None, &found.coldkey),
            "hotkeys": hotkeys,
            "problems": told(&found.problems),
        });
        result(&document.to_string())?;
        return Ok(());
    }
    result(&format!(
        "{}  {}",
        wallet.name(),
        wallet.directory().display()
    ))?;
    print_key("coldkey", &found.coldkey)?;
    for (name, key) in &found.hotkeys {
        print_key(&format!("hotkey {name}"), key)?;
    }
    for problem in &found.problems {
        result(&format!("  problem: {problem}"))?;
    }
    Ok(())
}

fn print_key(name: &str, key: &KeyInspection) -> Result<(), Failure> {
    let protection = key
        .protection
        .map_or("kept elsewhere".to_owned(), |p| p.to_string());
    let scheme = key
        .scheme
        .map_or(String::new(), |scheme| format!("{scheme}, "));
    result(&format!(
        "  {name}  {}  ({scheme}{protection})",
        address(key.account)
    ))?;
    for problem in &key.problems {
        result(&format!("    problem: {problem}"))?;
    }
    Ok(())
}

fn key_json(name: Option<&str>, key: &KeyInspection) -> Value {
    let mut document = json!({
        "path": key.path,
        "protection": key.protection.map(|protection| protection.to_string()),
        "address": key.account,
        "crypto_type": key.scheme.map(|scheme| scheme.to_string()),
        "problems": told(&key.problems),
    });
    if let Some(name) = name {
        document["name"] = name.into();
    }
    document
}

fn told(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn address(account: Option<AccountId>) -> String {
    account.map_or("address unknown".to_owned(), |account| account.to_string())
}

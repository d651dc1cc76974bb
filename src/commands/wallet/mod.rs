//! `agon wallet`: key files on disk, and what their accounts hold.

mod holdings;

pub(super) use holdings::whose;

use crate::args::{
    ListWallets, NewKey, RegenerateKey, Sealing, SignMessage, Wallet as Arguments, WalletPlace,
    WalletVerb,
};
use crate::failure::Failure;
use crate::printer::{result, say};
use agon_keys::keyfile::Protection;
use agon_keys::wallet::{self, Keeping, WalletEntry, WalletError};
use agon_keys::{AccountId, Keypair, Mnemonic, Password, Wallet};
use anyhow::{Context, anyhow};
use serde_json::json;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

/// Longest password or phrase read from a file or a pipe, in bytes.
const MAX_SECRET: u64 = 4096;

/// Run one verb.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        WalletVerb::NewColdkey(new) => create(new, Part::Coldkey),
        WalletVerb::NewHotkey(new) => create(new, Part::Hotkey),
        WalletVerb::RegenColdkey(again) => regenerate(again, Part::Coldkey),
        WalletVerb::RegenHotkey(again) => regenerate(again, Part::Hotkey),
        WalletVerb::List(list) => print_list(list),
        WalletVerb::Sign(sign) => sign_message(sign),
        WalletVerb::Balance(show) => holdings::balance(show).await,
        WalletVerb::Transfer(transfer) => holdings::transfer(transfer).await,
        WalletVerb::Overview(overview) => holdings::overview(overview).await,
        WalletVerb::Faucet(faucet) => holdings::faucet(faucet).await,
    }
}

/// One of a wallet's two keys.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Part {
    /// Owns.
    Coldkey,
    /// Takes part.
    Hotkey,
}

fn create(new: NewKey, part: Part) -> Result<(), Failure> {
    let wallet = open(&new.place)?;
    let password = new_password(&new.sealing, part)?;
    let keeping = keeping(&new.sealing, password.as_ref());
    let mnemonic = match part {
        Part::Coldkey => wallet.create_coldkey(new.words, keeping),
        Part::Hotkey => wallet.create_hotkey(new.words, keeping),
    }
    .map_err(blame)?;
    let phrase = mnemonic.phrase();
    report(&wallet, part, new.sealing.json, Some(&phrase))
}

fn regenerate(again: RegenerateKey, part: Part) -> Result<(), Failure> {
    let wallet = open(&again.place)?;
    let keypair = match (&again.mnemonic, &again.seed, &again.uri) {
        (Some(words), ..) => mnemonic_key(words)?,
        (_, Some(seed), _) => seed_key(seed)?,
        (.., Some(uri)) => Keypair::from_uri(uri).map_err(Failure::user)?,
        (None, None, None) => mnemonic_key(&secret_from_person("The words of the key: ")?)?,
    };
    let password = new_password(&again.sealing, part)?;
    let keeping = keeping(&again.sealing, password.as_ref());
    match part {
        Part::Coldkey => wallet.regenerate_coldkey(&keypair, keeping),
        Part::Hotkey => wallet.regenerate_hotkey(&keypair, keeping),
    }
    .map_err(blame)?;
    report(&wallet, part, again.sealing.json, None)
}

fn sign_message(sign: SignMessage) -> Result<(), Failure> {
    let wallet = open(&sign.place)?;
    let part = match sign.use_hotkey {
        true => Part::Hotkey,
        false => Part::Coldkey,
    };
    let keypair = unlock(&wallet, part, sign.password_file.as_deref())?;
    let signature = hex::encode(keypair.sign(sign.message.as_bytes()));
    let address = keypair.account();
    result(&match sign.json {
        true => json!({"address": address, "signature": format!("0x{signature}")}).to_string(),
        false => format!("0x{signature}"),
    })?;
    Ok(())
}

fn print_list(list: ListWallets) -> Result<(), Failure> {
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
            address(&entry.account)
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

fn entry_json(entry: &WalletEntry) -> serde_json::Value {
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

fn address(account: &Option<AccountId>) -> String {
    account.map_or("address unknown".to_owned(), |account| account.to_string())
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
    let protection = match part {
        Part::Hotkey => wallet.hotkey_protection(),
        Part::Coldkey => wallet.coldkey_protection(),
    }
    .map_err(blame)?;
    let password = match protection {
        Protection::Plain => None,
        _ => Some(match password_file {
            Some(path) => password_from_file(path)?,
            None => Password::new(secret_from_person("Password: ")?),
        }),
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

fn keeping<'a>(sealing: &Sealing, password: Option<&'a Password>) -> Keeping<'a> {
    Keeping {
        password,
        overwrite: sealing.overwrite,
    }
}

/// The password of a new file: coldkeys are sealed unless told otherwise, hotkeys only when asked.
fn new_password(sealing: &Sealing, part: Part) -> Result<Option<Password>, Failure> {
    let password = match (&sealing.password_file, part) {
        (Some(path), _) => password_from_file(path)?,
        (None, Part::Hotkey) => return Ok(None),
        (None, Part::Coldkey) if sealing.no_password => return Ok(None),
        (None, Part::Coldkey) => {
            if !std::io::stdin().is_terminal() {
                return Err(Failure::user(anyhow!(
                    "a coldkey needs a password and there is no terminal to ask on: give --password-file, \
                     or --no-password to keep the key in plain text"
                )));
            }
            let once = rpassword::prompt_password("New password: ")?;
            if once != rpassword::prompt_password("The same again: ")? {
                return Err(Failure::user(anyhow!(
                    "the two passwords differ; nothing was written"
                )));
            }
            Password::new(once)
        }
    };
    password.check_policy().map_err(Failure::user)?;
    Ok(Some(password))
}

fn password_from_file(path: &Path) -> Result<Password, Failure> {
    let text = read_limited(path).map_err(Failure::User)?;
    Ok(Password::new(
        text.lines().next().unwrap_or_default().to_owned(),
    ))
}

fn read_limited(path: &Path) -> anyhow::Result<String> {
    let what = || format!("cannot read the password file {}", path.display());
    let file = std::fs::File::open(path).with_context(what)?;
    let mut text = String::new();
    file.take(MAX_SECRET)
        .read_to_string(&mut text)
        .with_context(what)?;
    Ok(text)
}

fn secret_from_person(prompt: &str) -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        return Ok(rpassword::prompt_password(prompt)?);
    }
    let mut line = String::new();
    std::io::stdin()
        .take(MAX_SECRET)
        .read_to_string(&mut line)?;
    Ok(line.trim().to_owned())
}

fn mnemonic_key(words: &str) -> Result<Keypair, Failure> {
    let mnemonic: Mnemonic = words.parse().map_err(Failure::user)?;
    Ok(Keypair::from_mnemonic(&mnemonic))
}

fn seed_key(text: &str) -> Result<Keypair, Failure> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let seed = hex::decode(digits)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| {
            Failure::user(anyhow!(
                "a seed is 64 hexadecimal digits, with or without 0x"
            ))
        })?;
    Ok(Keypair::from_seed(seed))
}

fn report(wallet: &Wallet, part: Part, json: bool, phrase: Option<&str>) -> Result<(), Failure> {
    let path = match part {
        Part::Coldkey => wallet.coldkey_path(),
        Part::Hotkey => wallet.hotkey_path(),
    };
    let account = account(wallet, part)?;
    if json {
        result(&json!({"path": path, "address": account, "mnemonic": phrase}).to_string())?;
        return Ok(());
    }
    result(&account.to_string())?;
    say(&format!("written to {}", path.display()));
    if let Some(phrase) = phrase {
        say("Write these words down; whoever has them has the key, and they are not shown again:");
        say(&format!("  {phrase}"));
    }
    Ok(())
}

/// Everything a wallet complains of is the user's to mend, except what the disk refuses.
pub(super) fn blame(error: WalletError) -> Failure {
    match error {
        WalletError::Io { .. } => Failure::Ours(error.into()),
        other => Failure::user(other),
    }
}

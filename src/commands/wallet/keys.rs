//! Making key files, making them again, rewriting old ones.

use super::{Part, account, blame, open, secret};
use crate::args::{KeySource, NewKey, RegenerateKey, RegeneratePublic, Sealing, UpdateKey};
use crate::failure::Failure;
use crate::printer::{result, say};
use agon_keys::keyfile::Protection;
use agon_keys::wallet::Keeping;
use agon_keys::{Keypair, Mnemonic, Scheme, Wallet, polkadot};
use anyhow::{Context, anyhow};
use serde_json::json;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use zeroize::Zeroizing;

/// A new key; its words are shown once.
pub fn create(new: NewKey, part: Part) -> Result<(), Failure> {
    let wallet = open(&new.place)?;
    let mnemonic = Mnemonic::generate(new.words).map_err(Failure::user)?;
    let keypair = Keypair::from_mnemonic_in(new.crypto_type, &mnemonic);
    store(&wallet, part, &keypair, &new.sealing)?;
    report(&wallet, part, new.sealing.json, Some(&mnemonic.phrase()))
}

/// A key that exists elsewhere.
pub fn regenerate(again: RegenerateKey, part: Part) -> Result<(), Failure> {
    let wallet = open(&again.place)?;
    let source = &again.source;
    let keypair = match &source.json_file {
        Some(path) => polkadot_key(path, again.json_password_file.as_deref())?,
        None => key_of(source, again.crypto_type)?,
    };
    store(&wallet, part, &keypair, &again.sealing)?;
    report(&wallet, part, again.sealing.json, None)
}

/// The public file of a key that is kept elsewhere.
pub fn regenerate_public(again: RegeneratePublic, part: Part) -> Result<(), Failure> {
    let wallet = open(&again.place)?;
    let account = again.address.account();
    wallet
        .regenerate_public(part, account, again.crypto_type, again.overwrite)
        .map_err(blame)?;
    let path = wallet.public_path(part);
    if again.json {
        result(&json!({"schema": 1, "path": path, "address": account}).to_string())?;
        return Ok(());
    }
    result(&account.to_string())?;
    say(&format!("written to {}", path.display()));
    Ok(())
}

/// A key file of an old format, as `$NACL`.
pub fn update(update: UpdateKey) -> Result<(), Failure> {
    let wallet = open(&update.place)?;
    let part = match update.use_hotkey {
        true => Part::Hotkey,
        false => Part::Coldkey,
    };
    let path = wallet.path(part);
    let before = wallet.protection(part).map_err(blame)?;
    if before.is_legacy() {
        let password = secret::password(update.password_file.as_deref(), &path)?;
        let new = update.new_password_file.as_deref();
        let new = new.map(secret::password_from_file).transpose()?;
        wallet
            .update(part, &password, new.as_ref().unwrap_or(&password))
            .map_err(blame)?;
    }
    let now = wallet.protection(part).map_err(blame)?;
    if update.json {
        let document = json!({
            "schema": 1,
            "path": path,
            "before": before.to_string(),
            "now": now.to_string(),
            "updated": before.is_legacy(),
        });
        result(&document.to_string())?;
        return Ok(());
    }
    result(&match before {
        Protection::Plain => format!("{} is plain text: nothing to update", path.display()),
        Protection::Nacl => format!("{} is {now} already", path.display()),
        _ => format!("{} was {before} and is {now} now", path.display()),
    })?;
    Ok(())
}

fn store(wallet: &Wallet, part: Part, keypair: &Keypair, sealing: &Sealing) -> Result<(), Failure> {
    let password = secret::new_password(sealing, part, &wallet.path(part))?;
    let keeping = Keeping {
        password: password.as_ref(),
        overwrite: sealing.overwrite,
    };
    match part {
        Part::Coldkey => wallet.regenerate_coldkey(keypair, keeping),
        Part::Hotkey => wallet.regenerate_hotkey(keypair, keeping),
    }
    .map_err(blame)
}

/// The key of words, a seed, a private key or a URI; of words, if nothing is given.
fn key_of(source: &KeySource, scheme: Scheme) -> Result<Keypair, Failure> {
    if let Some(seed) = &source.seed {
        let seed = secret::value_or_ask(seed, "The seed of the key: ")?;
        return bytes(&seed)
            .and_then(|bytes| bytes[..].try_into().ok())
            .map(|seed| Keypair::from_seed_in(scheme, seed))
            .ok_or_else(|| {
                Failure::user(anyhow!(
                    "a seed is 64 hexadecimal digits, with or without 0x"
                ))
            });
    }
    if let Some(key) = &source.private_key {
        let key = secret::value_or_ask(key, "The private key: ")?;
        return bytes(&key)
            .and_then(|key| Keypair::from_private_key(scheme, &key))
            .ok_or_else(|| {
                let digits = match scheme {
                    Scheme::Sr25519 => "128",
                    Scheme::Ed25519 => "64 or 128",
                };
                Failure::user(anyhow!(
                    "this is no {scheme} private key: one is {digits} hexadecimal digits, with or without 0x"
                ))
            });
    }
    if let Some(uri) = &source.uri {
        let uri = secret::value_or_ask(uri, "The URI of the key: ")?;
        return Keypair::from_uri_in(scheme, &uri).map_err(Failure::user);
    }
    let words = match &source.mnemonic {
        Some(words) => secret::value_or_ask(words, "The words of the key: ")?,
        None => secret::ask("The words of the key: ")?,
    };
    let mnemonic: Mnemonic = words.parse().map_err(Failure::user)?;
    Ok(Keypair::from_mnemonic_in(scheme, &mnemonic))
}

/// The bytes of hexadecimal digits.
fn bytes(digits: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    hex::decode(digits).ok().map(Zeroizing::new)
}

fn polkadot_key(path: &Path, password_file: Option<&Path>) -> Result<Keypair, Failure> {
    let what = || format!("cannot read {}", path.display());
    let mut json = Vec::new();
    File::open(path)
        .and_then(|file| {
            file.take(polkadot::MAX_BYTES as u64 + 1)
                .read_to_end(&mut json)
        })
        .with_context(what)
        .map_err(Failure::User)?;
    let json = Zeroizing::new(json);
    let password = match polkadot::is_encrypted(&json).map_err(Failure::user)? {
        false => None,
        true => Some(match password_file {
            Some(file) => secret::password_from_file(file)?,
            None => secret::ask_password("The account's password: ")?,
        }),
    };
    polkadot::open(&json, password.as_ref()).map_err(Failure::user)
}

fn report(wallet: &Wallet, part: Part, json: bool, phrase: Option<&str>) -> Result<(), Failure> {
    let path = wallet.path(part);
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

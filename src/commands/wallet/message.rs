//! Messages: who signed what.

use super::{Part, open, unlock};
use crate::args::{SignMessage, VerifyMessage};
use crate::failure::Failure;
use crate::printer::result;
use anyhow::anyhow;
use serde_json::json;

/// Sign a message with one of a wallet's keys.
pub fn sign(sign: SignMessage) -> Result<(), Failure> {
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

/// Check a signature; a wrong one is the user's failure.
pub fn verify(verify: VerifyMessage) -> Result<(), Failure> {
    let account = verify.address.account();
    let digits = verify.signature.trim();
    let mut signature = [0; 64];
    hex::decode_to_slice(digits.strip_prefix("0x").unwrap_or(digits), &mut signature).map_err(
        |_| {
            Failure::user(anyhow!(
                "a signature is 128 hexadecimal digits, with or without 0x"
            ))
        },
    )?;
    let valid = agon_keys::verify(&account, verify.message.as_bytes(), &signature);
    if verify.json {
        result(&json!({"schema": 1, "address": account, "valid": valid}).to_string())?;
    }
    if !valid {
        return Err(Failure::user(anyhow!(
            "{account} did not sign this message with this signature"
        )));
    }
    if !verify.json {
        result(&format!("signed by {account}"))?;
    }
    Ok(())
}

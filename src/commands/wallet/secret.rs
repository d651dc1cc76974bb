//! Where secrets come from: files, the environment, a person. Never from the command line unless somebody insists.

use super::Part;
use crate::args::{ASK, Sealing};
use crate::failure::Failure;
use agon_keys::Password;
use anyhow::{Context, anyhow};
use std::env::{self, VarError};
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::Path;
use zeroize::Zeroizing;

/// Longest password or phrase read from a file or a pipe, in bytes.
const MAX_SECRET: u64 = 4096;

const PASSWORD: &str = "BT_WALLET_PASSWORD";
const PASSWORD_FILE: &str = "BT_WALLET_PASSWORD_FILE";

/// The password of an encrypted key file: given ahead, or asked for.
pub fn password(file: Option<&Path>, key: &Path) -> Result<Password, Failure> {
    match given(file, key)? {
        Some(password) => Ok(password),
        None => ask_password("Password: "),
    }
}

/// The password of a new file: coldkeys are sealed unless told otherwise, hotkeys only when asked.
pub fn new_password(
    sealing: &Sealing,
    part: Part,
    key: &Path,
) -> Result<Option<Password>, Failure> {
    let file = sealing.password_file.as_deref();
    let sealed = part == Part::Coldkey || sealing.use_password || file.is_some();
    if sealing.no_password || !sealed {
        return Ok(None);
    }
    let password = match given(file, key)? {
        Some(password) => password,
        None => chosen()?,
    };
    password.check_policy().map_err(Failure::user)?;
    Ok(Some(password))
}

/// The password that was given ahead for a key file: by the flag, else by the environment.
fn given(file: Option<&Path>, key: &Path) -> Result<Option<Password>, Failure> {
    if let Some(path) = file {
        return password_from_file(path).map(Some);
    }
    if let Some(password) = variable(PASSWORD)? {
        return Ok(Some(Password::new(password)));
    }
    let name = Password::variable_of(key);
    if let Some(value) = variable(&name)?.map(Zeroizing::new) {
        return Password::from_variable(&name, &value)
            .map(Some)
            .map_err(Failure::user);
    }
    match variable(PASSWORD_FILE)? {
        Some(path) => password_from_file(Path::new(&path)).map(Some),
        None => Ok(None),
    }
}

/// A variable of the environment; an empty one is none.
fn variable(name: &str) -> Result<Option<String>, Failure> {
    match env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Failure::user(anyhow!("{name} is not text"))),
    }
}

/// A new password, typed twice.
fn chosen() -> Result<Password, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::user(anyhow!(
            "the key needs a password and there is no terminal to ask on: give --password-file or {PASSWORD}, \
             or --no-password to keep the key in plain text"
        )));
    }
    let once = Zeroizing::new(rpassword::prompt_password("New password: ")?);
    if *once != *Zeroizing::new(rpassword::prompt_password("The same again: ")?) {
        return Err(Failure::user(anyhow!(
            "the two passwords differ; nothing was written"
        )));
    }
    Ok(Password::new(String::clone(&once)))
}

/// The first line of a file.
pub fn password_from_file(path: &Path) -> Result<Password, Failure> {
    let what = || format!("cannot read the password file {}", path.display());
    let text = File::open(path)
        .and_then(read_limited)
        .with_context(what)
        .map_err(Failure::User)?;
    Ok(Password::new(
        text.lines().next().unwrap_or_default().to_owned(),
    ))
}

/// A password that is typed unseen, or read from a pipe.
pub fn ask_password(prompt: &str) -> Result<Password, Failure> {
    Ok(Password::new(String::clone(&*ask(prompt)?)))
}

/// A secret of the command line, or what is answered where only the question stands there.
pub fn value_or_ask(value: &str, prompt: &str) -> Result<Zeroizing<String>, Failure> {
    match value {
        ASK => ask(prompt),
        value => Ok(Zeroizing::new(value.to_owned())),
    }
}

/// A secret that is typed unseen, or read from a pipe.
pub fn ask(prompt: &str) -> Result<Zeroizing<String>, Failure> {
    if std::io::stdin().is_terminal() {
        return Ok(Zeroizing::new(rpassword::prompt_password(prompt)?));
    }
    let text = read_limited(std::io::stdin())?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

fn read_limited(from: impl Read) -> std::io::Result<Zeroizing<String>> {
    // Read in one allocation, so that no shorter copy stays behind in memory.
    let mut text = Zeroizing::new(String::with_capacity(MAX_SECRET as usize));
    from.take(MAX_SECRET).read_to_string(&mut text)?;
    Ok(text)
}

//! What is there of one wallet, and what is wrong with it. No secret is opened.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::list::hotkeys_of;
use super::{Part, Wallet, WalletError, protection, read_account, read_public};
use crate::keyfile::Protection;
use crate::{AccountId, Scheme};

/// A wallet as [`Wallet::inspect`] found it.
#[derive(Debug)]
pub struct Inspection {
    /// The coldkey.
    pub coldkey: KeyInspection,
    /// The hotkeys with their names.
    pub hotkeys: Vec<(String, KeyInspection)>,
    /// What is wrong besides.
    pub problems: Vec<Problem>,
}

/// A key as [`Wallet::inspect`] found it.
#[derive(Debug)]
pub struct KeyInspection {
    /// Where the secret file is, or would be.
    pub path: PathBuf,
    /// How it is protected; `None` where the key is kept elsewhere.
    pub protection: Option<Protection>,
    /// The account, from the public file or from what a plain secret file says.
    pub account: Option<AccountId>,
    /// How the key signs, from the same file.
    pub scheme: Option<Scheme>,
    /// What is wrong with its files.
    pub problems: Vec<Problem>,
}

/// Something that should be mended.
#[derive(Debug, Error)]
pub enum Problem {
    /// A file that cannot be read, or files that contradict each other.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// A key without its public file: every use of the address will ask for the key.
    #[error("there is no {0}: write the public file again from the key's address")]
    NoPublicFile(PathBuf),
    /// An old encryption.
    #[error("{path} is encrypted in the old {protection} format: update it")]
    Legacy {
        /// The secret file.
        path: PathBuf,
        /// Its format.
        protection: Protection,
    },
    /// A coldkey in plain text.
    #[error("{0} is not encrypted: whoever can read the file owns what the key owns")]
    PlainColdkey(PathBuf),
    /// A file that others can read or change.
    #[error("{path} has mode {mode:03o}, so that others can {what} it: give it mode 600")]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// What others can do.
        what: &'static str,
    },
}

impl Wallet {
    /// Looks at every file of this wallet, whatever hotkey it was named with. Opens no secret and asks no password.
    ///
    /// Only a wallet that is not there is an error.
    pub fn inspect(&self) -> Result<Inspection, WalletError> {
        let directory = self.directory();
        if !directory.is_dir() {
            return Err(WalletError::Missing(directory));
        }
        let mut problems = Vec::new();
        let mut hotkeys = Vec::new();
        for name in hotkeys_of(self)? {
            match Wallet::new(&self.root, &self.name, &name) {
                Ok(wallet) => hotkeys.push((name, wallet.inspect_key(Part::Hotkey))),
                Err(error) => problems.push(error.into()),
            }
        }
        Ok(Inspection {
            coldkey: self.inspect_key(Part::Coldkey),
            hotkeys,
            problems,
        })
    }

    fn inspect_key(&self, part: Part) -> KeyInspection {
        let (path, public_path) = (self.path(part), self.public_path(part));
        let mut problems = Vec::new();
        let protection = unless_missing(protection(&path), &mut problems);
        let public = unless_missing(read_public(&public_path), &mut problems);
        if protection.is_some() {
            problems.extend(open_to_others(&path, 0o077, "read"));
            if !public_path.exists() {
                problems.push(Problem::NoPublicFile(public_path.clone()));
            }
        }
        if public.is_some() {
            problems.extend(open_to_others(&public_path, 0o022, "change"));
        }
        let mut secret = None;
        match protection {
            Some(Protection::Plain) => {
                if part == Part::Coldkey {
                    problems.push(Problem::PlainColdkey(path.clone()));
                }
                secret = unless_missing(read_account(&path), &mut problems);
            }
            Some(protection) if protection.is_legacy() => problems.push(Problem::Legacy {
                path: path.clone(),
                protection,
            }),
            _ => {}
        }
        if let (Some((actual, _)), Some((stated, _))) = (secret, public)
            && actual != stated
        {
            let mismatch = WalletError::Mismatch {
                secret: path.clone(),
                actual,
                public: public_path,
                stated,
            };
            problems.push(mismatch.into());
        }
        let known = public.or(secret);
        KeyInspection {
            path,
            protection,
            account: known.map(|(account, _)| account),
            scheme: known.map(|(_, scheme)| scheme),
            problems,
        }
    }
}

/// What was read; what could not be is a problem, but for a file that is not there.
fn unless_missing<T>(read: Result<T, WalletError>, problems: &mut Vec<Problem>) -> Option<T> {
    match read {
        Ok(value) => Some(value),
        Err(WalletError::Missing(_)) => None,
        Err(error) => {
            problems.push(error.into());
            None
        }
    }
}

fn open_to_others(path: &Path, forbidden: u32, what: &'static str) -> Option<Problem> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & forbidden != 0).then(|| Problem::OpenToOthers {
        path: path.to_owned(),
        mode,
        what,
    })
}

//! Wallets on disk.
//!
//! ```text
//! <root>/<wallet>/coldkey              the key that owns, usually encrypted and often kept elsewhere
//! <root>/<wallet>/coldkeypub.txt       its address
//! <root>/<wallet>/hotkeys/<hotkey>     a key that works online, normally plain text
//! <root>/<wallet>/hotkeys/<hotkey>pub.txt
//! ```
//!
//! Files have mode 0600, directories made here 0700. A file is written beside its place, made safe on disk, and renamed.

mod inspect;
mod list;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use crate::files::{self, StagedFile};
use crate::keyfile::{self, KeyFileError, Protection};
use crate::{AccountId, Keypair, Mnemonic, MnemonicError, Password, Scheme};

pub use inspect::{Inspection, KeyInspection, Problem};
pub use list::{HotkeyEntry, WalletEntry, list};

/// What the name of a public file ends in; no key may be called so.
const PUBLIC_SUFFIX: &str = "pub.txt";
/// File systems take 255 bytes; the suffix must fit as well.
const MAX_NAME_BYTES: usize = 128;

/// The place of one coldkey and one hotkey on disk. Making it touches no file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wallet {
    root: PathBuf,
    name: String,
    hotkey: String,
}

/// One of a wallet's two keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The key that owns.
    Coldkey,
    /// The key that takes part.
    Hotkey,
}

/// How a new key is kept.
#[derive(Debug, Clone, Copy)]
pub struct Keeping<'a> {
    /// Encrypts the secret file; plain text without one. Coldkeys that hold value should have one.
    pub password: Option<&'a Password>,
    /// Replaces a key of the same name. The old one is gone, unless its mnemonic is written down.
    pub overwrite: bool,
}

/// Why a wallet could not be read or written.
#[derive(Debug, Error)]
pub enum WalletError {
    /// A name that could not be, or should not be, the name of a file.
    #[error("{name:?} cannot name a wallet or hotkey: {reason}")]
    Name {
        /// The name, cut to a length that can be printed.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The key, or its public part, is not there.
    #[error("there is no {0}: check the wallet's name and path, or create or regenerate the key")]
    Missing(PathBuf),
    /// A key of this name is there and was not to be replaced.
    #[error("{0} exists and is kept: choose another name, or say that it may be overwritten")]
    Exists(PathBuf),
    /// The operating system refused.
    #[error("cannot {action} {path}: {error}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file's bytes are not good, or its password is not.
    #[error("{path}: {error}")]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: KeyFileError,
    },
    /// The secret file is of another account than its public file says.
    #[error(
        "{secret} is the key of {actual}, but {public} names {stated}: one of them was exchanged; regenerate the key"
    )]
    Mismatch {
        /// The secret file.
        secret: PathBuf,
        /// The account of its key.
        actual: AccountId,
        /// The public file.
        public: PathBuf,
        /// The account it names.
        stated: AccountId,
    },
    /// No mnemonic could be made.
    #[error(transparent)]
    Mnemonic(#[from] MnemonicError),
}

impl Wallet {
    /// Names a wallet and one of its hotkeys under `root`.
    ///
    /// A name has 1 to 128 bytes, no slash, backslash or control character, does not start with a dot, and does not
    /// end in `pub.txt`.
    pub fn new(root: impl Into<PathBuf>, name: &str, hotkey: &str) -> Result<Self, WalletError> {
        check_name(name)?;
        check_name(hotkey)?;
        Ok(Self {
            root: root.into(),
            name: name.to_owned(),
            hotkey: hotkey.to_owned(),
        })
    }

    /// The wallet's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The hotkey's name.
    pub fn hotkey(&self) -> &str {
        &self.hotkey
    }

    /// `<root>/<wallet>`.
    pub fn directory(&self) -> PathBuf {
        self.root.join(&self.name)
    }

    /// The secret file of one of the keys.
    pub fn path(&self, part: Part) -> PathBuf {
        match part {
            Part::Coldkey => self.coldkey_path(),
            Part::Hotkey => self.hotkey_path(),
        }
    }

    /// The public file of one of the keys.
    pub fn public_path(&self, part: Part) -> PathBuf {
        with_public_suffix(&self.path(part))
    }

    /// `<root>/<wallet>/coldkey`.
    pub fn coldkey_path(&self) -> PathBuf {
        self.directory().join("coldkey")
    }

    /// `<root>/<wallet>/coldkeypub.txt`.
    pub fn coldkey_public_path(&self) -> PathBuf {
        with_public_suffix(&self.coldkey_path())
    }

    /// `<root>/<wallet>/hotkeys/<hotkey>`.
    pub fn hotkey_path(&self) -> PathBuf {
        self.directory().join("hotkeys").join(&self.hotkey)
    }

    /// `<root>/<wallet>/hotkeys/<hotkey>pub.txt`.
    pub fn hotkey_public_path(&self) -> PathBuf {
        with_public_suffix(&self.hotkey_path())
    }

    /// Makes a coldkey from a new mnemonic and returns the mnemonic, to be shown once: it is the only way back to the
    /// key when the file or its password is lost.
    pub fn create_coldkey(
        &self,
        words: usize,
        keeping: Keeping<'_>,
    ) -> Result<Mnemonic, WalletError> {
        create(&self.coldkey_path(), words, keeping)
    }

    /// Makes a hotkey from a new mnemonic and returns the mnemonic, to be shown once.
    pub fn create_hotkey(
        &self,
        words: usize,
        keeping: Keeping<'_>,
    ) -> Result<Mnemonic, WalletError> {
        create(&self.hotkey_path(), words, keeping)
    }

    /// Writes a coldkey that exists elsewhere: from its mnemonic, seed or URI.
    pub fn regenerate_coldkey(
        &self,
        keypair: &Keypair,
        keeping: Keeping<'_>,
    ) -> Result<(), WalletError> {
        store(&self.coldkey_path(), keypair, keeping)
    }

    /// Writes a hotkey that exists elsewhere: from its mnemonic, seed or URI.
    pub fn regenerate_hotkey(
        &self,
        keypair: &Keypair,
        keeping: Keeping<'_>,
    ) -> Result<(), WalletError> {
        store(&self.hotkey_path(), keypair, keeping)
    }

    /// Writes the public file of a key that is kept elsewhere.
    ///
    /// A file that names another account is replaced only with `overwrite`; one beside a plain secret file of another
    /// account is never written.
    pub fn regenerate_public(
        &self,
        part: Part,
        account: AccountId,
        scheme: Scheme,
        overwrite: bool,
    ) -> Result<(), WalletError> {
        let (secret, public) = (self.path(part), self.public_path(part));
        let same = |known: Result<(AccountId, Scheme), _>| known.ok() == Some((account, scheme));
        if !overwrite && public.exists() && !same(read_public(&public)) {
            return Err(WalletError::Exists(public));
        }
        if let Ok((actual, _)) = read_account(&secret)
            && actual != account
        {
            return Err(WalletError::Mismatch {
                secret,
                actual,
                public,
                stated: account,
            });
        }
        make_directory_of(&public)?;
        let bytes = keyfile::encode_public(&account, scheme);
        StagedFile::write(&public, &bytes)
            .and_then(|staged| staged.place(true))
            .map_err(|error| io_error("write", &public, error))
    }

    /// Rewrites a secret file of an old format as `$NACL` and returns what the format was. A file of another format
    /// stays as it is, and neither password is used.
    ///
    /// `password` opens the old file, `new_password` protects the new one; they may be the same. The old file stays
    /// until the new one has been opened again and takes its place whole.
    pub fn update(
        &self,
        part: Part,
        password: &Password,
        new_password: &Password,
    ) -> Result<Protection, WalletError> {
        let secret = self.path(part);
        let protection = protection(&secret)?;
        if !protection.is_legacy() {
            return Ok(protection);
        }
        let in_file = |error| in_file(&secret, error);
        new_password
            .check_policy()
            .map_err(|error| in_file(error.into()))?;
        let keypair = open(&secret, Some(password))?;
        let sealed = keyfile::seal(&keypair, Some(new_password)).map_err(in_file)?;
        // The old file may be all there is of the key.
        keyfile::open(&sealed, Some(new_password)).map_err(in_file)?;
        StagedFile::write(&secret, &sealed)
            .and_then(|staged| staged.place(true))
            .map_err(|error| io_error("write", &secret, error))?;
        Ok(protection)
    }

    /// The coldkey's account, from `coldkeypub.txt` alone: the coldkey itself may be elsewhere, and is never opened.
    pub fn coldkey_account(&self) -> Result<AccountId, WalletError> {
        Ok(read_public(&self.coldkey_public_path())?.0)
    }

    /// The hotkey's account, from its public file or, where older wallets wrote none, from a plain hotkey.
    pub fn hotkey_account(&self) -> Result<AccountId, WalletError> {
        match read_public(&self.hotkey_public_path()) {
            Err(WalletError::Missing(_)) => read_account(&self.hotkey_path()),
            known => known,
        }
        .map(|(account, _)| account)
    }

    /// How one of the keys is protected: whether opening it will need a password.
    pub fn protection(&self, part: Part) -> Result<Protection, WalletError> {
        protection(&self.path(part))
    }

    /// How the coldkey is protected: whether [`Wallet::open_coldkey`] will need a password.
    pub fn coldkey_protection(&self) -> Result<Protection, WalletError> {
        protection(&self.coldkey_path())
    }

    /// How the hotkey is protected: whether [`Wallet::open_hotkey`] will need a password.
    pub fn hotkey_protection(&self) -> Result<Protection, WalletError> {
        protection(&self.hotkey_path())
    }

    /// Opens the coldkey. An encrypted one takes its password, and `$NACL` a second and 512 MiB of memory.
    pub fn open_coldkey(&self, password: Option<&Password>) -> Result<Keypair, WalletError> {
        open(&self.coldkey_path(), password)
    }

    /// Opens the hotkey. An encrypted one takes its password, and `$NACL` a second and 512 MiB of memory.
    pub fn open_hotkey(&self, password: Option<&Password>) -> Result<Keypair, WalletError> {
        open(&self.hotkey_path(), password)
    }
}

fn check_name(name: &str) -> Result<(), WalletError> {
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.len() > MAX_NAME_BYTES {
        "it has more than 128 bytes"
    } else if name.starts_with('.') {
        "it starts with a dot"
    } else if name.ends_with(PUBLIC_SUFFIX) {
        "it ends in pub.txt, as public files do"
    } else if name.contains(['/', '\\']) {
        "it holds a path separator"
    } else if name.contains(char::is_control) {
        "it holds a control character"
    } else {
        return Ok(());
    };
    Err(WalletError::Name {
        name: name.chars().take(MAX_NAME_BYTES).collect(),
        reason,
    })
}

/// The public file beside a secret one.
fn with_public_suffix(secret: &Path) -> PathBuf {
    let mut path = secret.as_os_str().to_owned();
    path.push(PUBLIC_SUFFIX);
    path.into()
}

fn create(secret: &Path, words: usize, keeping: Keeping<'_>) -> Result<Mnemonic, WalletError> {
    let mnemonic = Mnemonic::generate(words)?;
    store(secret, &Keypair::from_mnemonic(&mnemonic), keeping)?;
    Ok(mnemonic)
}

/// Writes a key's secret and public file.
fn store(secret: &Path, keypair: &Keypair, keeping: Keeping<'_>) -> Result<(), WalletError> {
    let public = with_public_suffix(secret);
    let account = keypair.account();
    if !keeping.overwrite {
        // Asked before the slow encryption; the renames below ask again, as another process may be faster.
        if secret.exists() {
            return Err(WalletError::Exists(secret.to_owned()));
        }
        // The address of a key kept elsewhere: that key may come home, no other may take its name.
        if public.exists() && read_public(&public).ok().map(|(account, _)| account) != Some(account)
        {
            return Err(WalletError::Exists(public));
        }
    }
    let sealed =
        keyfile::seal(keypair, keeping.password).map_err(|error| in_file(secret, error))?;

    make_directory_of(secret)?;
    let write = |path: &Path, bytes: &[u8]| {
        StagedFile::write(path, bytes).map_err(|error| io_error("write", path, error))
    };
    // Both are written before either is in its place, so that a full disk leaves the old pair. The secret goes first:
    // an address whose key was never written would be a trap.
    let staged_secret = write(secret, &sealed)?;
    let staged_public = write(&public, &keyfile::encode_public(&account, keypair.scheme()))?;
    staged_secret
        .place(keeping.overwrite)
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => WalletError::Exists(secret.to_owned()),
            _ => io_error("write", secret, error),
        })?;
    staged_public
        .place(true)
        .map_err(|error| io_error("write", &public, error))
}

fn open(secret: &Path, password: Option<&Password>) -> Result<Keypair, WalletError> {
    let keypair =
        keyfile::open(&read(secret)?, password).map_err(|error| in_file(secret, error))?;
    // A key still opens when its public file is missing or damaged, but not when that names somebody else.
    let public = with_public_suffix(secret);
    match read_public(&public) {
        Ok((stated, _)) if stated != keypair.account() => Err(WalletError::Mismatch {
            secret: secret.to_owned(),
            actual: keypair.account(),
            public,
            stated,
        }),
        _ => Ok(keypair),
    }
}

fn make_directory_of(file: &Path) -> Result<(), WalletError> {
    let directory = file.parent().unwrap_or(Path::new("."));
    files::create_directory(directory)
        .map_err(|error| io_error("make the directory", directory, error))
}

/// What a public file says.
fn read_public(path: &Path) -> Result<(AccountId, Scheme), WalletError> {
    keyfile::decode_public(&read(path)?).map_err(|error| in_file(path, error))
}

/// What a secret file says of its account, where it is not encrypted.
fn read_account(path: &Path) -> Result<(AccountId, Scheme), WalletError> {
    keyfile::decode_account(&read(path)?).map_err(|error| in_file(path, error))
}

fn in_file(path: &Path, error: KeyFileError) -> WalletError {
    WalletError::KeyFile {
        path: path.to_owned(),
        error,
    }
}

fn protection(path: &Path) -> Result<Protection, WalletError> {
    Ok(Protection::of(&read_start(path, keyfile::LONGEST_MARK)?))
}

/// Reads a key file, one byte further than it may be long.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, WalletError> {
    read_start(path, keyfile::MAX_BYTES + 1)
}

fn read_start(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, WalletError> {
    files::read_start(path, limit).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => WalletError::Missing(path.to_owned()),
        _ => io_error("read", path, error),
    })
}

fn io_error(action: &'static str, path: &Path, error: io::Error) -> WalletError {
    WalletError::Io {
        action,
        path: path.to_owned(),
        error,
    }
}

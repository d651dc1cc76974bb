//! What must be remembered between two runs: submissions without an outcome, weights that are
//! committed to and not revealed yet, services. One small JSON file each, written whole or not at all, and
//! readable by its owner alone.

use crate::files::write_private;
use anyhow::{Context, Result, anyhow, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The most bytes of one file; a signed call and a subnet's weights are far below.
const MAX: u64 = 4 << 20;

/// XDG_STATE_HOME/agon or ~/.local/state/agon.
///
/// # Errors
/// When neither the variable nor the home directory is known.
pub fn directory() -> Result<PathBuf> {
    let state = match std::env::var_os("XDG_STATE_HOME") {
        Some(directory) if !directory.is_empty() => PathBuf::from(directory),
        _ => std::env::home_dir()
            .ok_or_else(|| anyhow!("no home directory is known; set XDG_STATE_HOME"))?
            .join(".local")
            .join("state"),
    };
    Ok(state.join("agon"))
}

/// One file.
#[derive(Debug)]
pub struct Memory {
    path: PathBuf,
}

impl Memory {
    /// The file with this name, in XDG_STATE_HOME/agon or ~/.local/state/agon.
    pub fn named(name: &str) -> Result<Self> {
        Ok(Self::at(directory()?.join(name)))
    }

    /// The file at this path.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was kept there last; `None` if nothing was.
    pub fn read<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let what = || format!("cannot read {}", self.path.display());
        let file = match std::fs::File::open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.with_context(what)?,
        };
        let mut text = String::new();
        file.take(MAX)
            .read_to_string(&mut text)
            .with_context(what)?;
        match serde_json::from_str(&text) {
            Ok(value) => Ok(Some(value)),
            Err(error) => bail!(
                "{} is not as agon wrote it ({error}); if you do not need it, delete it",
                self.path.display()
            ),
        }
    }

    /// Keep this instead of what was there; it is durable on return.
    pub fn keep<T: Serialize>(&self, value: &T) -> Result<()> {
        let what = || format!("cannot write {}", self.path.display());
        let directory = self.path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(directory).with_context(what)?;
        let text = serde_json::to_vec(value).with_context(what)?;
        write_private(&self.path, &text).with_context(what)
    }

    /// Keep nothing any more.
    pub fn forget(&self) -> Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.with_context(|| format!("cannot delete {}", self.path.display())),
        }
    }
}

//! Files that are written whole or not at all, and where they are kept.

use std::path::PathBuf;

pub use agon_dataset::files::{write_atomically, write_private};

/// Where this program keeps what it can fetch again: agon in XDG_CACHE_HOME or ~/.cache.
pub fn cache_directory() -> PathBuf {
    let cache = match std::env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()) {
        Some(cache) => PathBuf::from(cache),
        None => std::env::home_dir().unwrap_or_default().join(".cache"),
    };
    cache.join("agon")
}

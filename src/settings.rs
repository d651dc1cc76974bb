//! What the settings file says: the one that `btcli config set` writes, or another in its place.
//!
//! Only what is needed is read; everything else belongs to other tools.

use crate::failure::Failure;
use anyhow::{Context, anyhow};
use serde::Deserialize;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::PathBuf;

/// The most bytes of a settings file.
const MAX: u64 = 1 << 20;

/// The settings; none where there is no file.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// A network's name or a node's address.
    pub network: Option<String>,
    /// A node's address.
    pub chain_endpoint: Option<String>,
}

impl Settings {
    /// Reads AGON_CONFIG, or ~/.bittensor/config.yml if it is there.
    pub fn load() -> Result<Self, Failure> {
        let named = std::env::var_os("AGON_CONFIG").filter(|path| !path.is_empty());
        let path = match &named {
            Some(path) => PathBuf::from(path),
            None => match std::env::home_dir() {
                Some(home) => home.join(".bittensor").join("config.yml"),
                None => return Ok(Self::default()),
            },
        };
        let read = || -> anyhow::Result<Self> {
            let file = match File::open(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => {
                    return Ok(Self::default());
                }
                opened => opened?,
            };
            let mut text = String::new();
            file.take(MAX).read_to_string(&mut text)?;
            Self::parse(&text)
        };
        read()
            .with_context(|| format!("cannot use the settings in {}", path.display()))
            .map_err(Failure::User)
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_saphyr::from_str(text).map_err(|error| anyhow!("{error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_tools_settings_are_left_alone() {
        let text = "network: test\nwallet_name: alice\nuse_cache: true\ndashboard_path: null\n";
        let settings = Settings::parse(text).unwrap();
        assert_eq!(settings.network.as_deref(), Some("test"));
        assert_eq!(settings.chain_endpoint, None);
        assert_eq!(Settings::parse("\n").unwrap(), Settings::default());
        assert!(Settings::parse("network: [").is_err());
    }
}

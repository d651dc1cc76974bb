//! The environment, and the file `.env` beside: where the original's users keep their token and the data set's name.

use anyhow::{Context, anyhow};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Most bytes of the file.
const MAX_BYTES: u64 = 64 << 10;

/// The variables of `.env`; without `Debug`, so that no secret is printed by accident.
#[derive(Default)]
pub struct DotEnv(BTreeMap<String, String>);

impl DotEnv {
    /// Reads the file, if it is there.
    ///
    /// # Errors
    /// When it cannot be read, or a line is not `NAME=VALUE`; the line is told by its number alone.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self(BTreeMap::new())),
            opened => opened.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let mut text = String::new();
        file.take(MAX_BYTES)
            .read_to_string(&mut text)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let mut variables = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            let line = line.strip_prefix("export ").unwrap_or(line);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, value) = line.split_once('=').ok_or_else(|| {
                anyhow!("{}, line {}: not NAME=VALUE", path.display(), number + 1)
            })?;
            let value = value.trim();
            let quoted = ['"', '\'']
                .into_iter()
                .find_map(|mark| value.strip_prefix(mark)?.strip_suffix(mark));
            let value = quoted.unwrap_or(value);
            variables.insert(name.trim().to_owned(), value.to_owned());
        }
        Ok(Self(variables))
    }

    /// A variable of the process, or of the file. `HF_TOKEN` is also called `ACCESS_TOKEN`, as in the original.
    pub fn variable(&self, process: &dyn Fn(&str) -> Option<String>, name: &str) -> Option<String> {
        let own = |name: &str| {
            let told = process(name).filter(|value| !value.is_empty());
            told.or_else(|| self.0.get(name).cloned())
        };
        match name {
            "HF_TOKEN" => own(name).or_else(|| own("ACCESS_TOKEN")),
            name => own(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_comes_before_the_file_and_secrets_are_not_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".env");
        let nothing = DotEnv::read(&path).unwrap();
        let process = |name: &str| (name == "ACCESS_TOKEN").then(|| "hf_process".to_owned());
        let nobody = |_: &str| None;
        assert_eq!(nothing.variable(&nobody, "HF_TOKEN"), None);
        let text = "# mine\nexport ACCESS_TOKEN = \"hf_file\"\n\nDATASET_LINK='me/x-rays'\n";
        std::fs::write(&path, text).unwrap();
        let read = DotEnv::read(&path).unwrap();
        let told = |name| read.variable(&nobody, name);
        assert_eq!(told("HF_TOKEN").as_deref(), Some("hf_file"));
        assert_eq!(told("DATASET_LINK").as_deref(), Some("me/x-rays"));
        let told = read.variable(&process, "HF_TOKEN");
        assert_eq!(told.as_deref(), Some("hf_process"));
        std::fs::write(&path, "A=1\nhf_secret\n").unwrap();
        let error = DotEnv::read(&path).err().unwrap().to_string();
        assert!(
            error.contains("line 2") && !error.contains("secret"),
            "{error}"
        );
    }
}

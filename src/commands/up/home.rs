//! The home directory of a network: what is where, what it was made with, and that only one command
//! uses it at a time.

use crate::args::ScoringRules;
use crate::failure::Failure;
use crate::files::write_atomically;
use anyhow::{Context, anyhow, bail};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Version of the manifest's form.
const SCHEMA: u32 = 1;

/// What a network was made with. It stays so until `--fresh`: models, splits and ledgers follow from
/// it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    schema: u32,
    /// The data directory, or none for generated images.
    pub data: Option<PathBuf>,
    /// What `--seed` said.
    pub seed: Option<u64>,
    /// How many miners.
    pub miners: u16,
    /// How many validators.
    pub validators: u16,
    /// How many samples a round judges.
    pub judging_sample: u32,
    /// Multiplier of the miners' epochs.
    pub training_effort: f64,
    /// By which rules scores become weights.
    #[serde(default)]
    pub scoring: ScoringRules,
    /// What a command with `--rounds` set out to do and has not finished.
    pub open_run: Option<OpenRun>,
}

/// A run that stops by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRun {
    /// What `--rounds` said.
    pub rounds: u64,
    /// The round it ends after.
    pub goal: u64,
}

impl Manifest {
    /// The manifest of a new network.
    pub fn new(
        data: Option<PathBuf>,
        seed: Option<u64>,
        miners: u16,
        validators: u16,
        judging_sample: u32,
        training_effort: f64,
        scoring: ScoringRules,
    ) -> Self {
        Self {
            schema: SCHEMA,
            data,
            seed,
            miners,
            validators,
            judging_sample,
            training_effort,
            scoring,
            open_run: None,
        }
    }

    /// Which settings differ from `other`'s, as the flags that set them.
    fn differences(&self, other: &Self) -> Vec<&'static str> {
        [
            ("--data", self.data != other.data),
            ("--seed", self.seed != other.seed),
            ("--miners", self.miners != other.miners),
            ("--validators", self.validators != other.validators),
            (
                "--judging.sample",
                self.judging_sample != other.judging_sample,
            ),
            (
                "--training.effort",
                self.training_effort != other.training_effort,
            ),
            ("--scoring", self.scoring != other.scoring),
        ]
        .into_iter()
        .filter_map(|(flag, differs)| differs.then_some(flag))
        .collect()
    }
}

/// An open home.
pub struct Home {
    root: PathBuf,
    _lock: File,
}

impl Home {
    /// Open or create the home at `root` and lock it. A directory that holds other things is left
    /// alone.
    pub fn open(root: &Path) -> Result<Self, Failure> {
        let context = || format!("cannot use {} as a home", root.display());
        let foreign = std::fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some())
            && !root.join("lock").exists();
        if foreign {
            return Err(Failure::User(anyhow!(
                "{} exists and is not a home of agon; choose another --home",
                root.display()
            )));
        }
        std::fs::create_dir_all(root)
            .with_context(context)
            .map_err(Failure::User)?;
        let root = root.canonicalize().with_context(context)?;
        let lock = File::create(root.join("lock"))
            .with_context(context)
            .map_err(Failure::User)?;
        if lock.try_lock().is_err() {
            return Err(Failure::User(anyhow!(
                "another agon is using {}; stop it or choose another --home",
                root.display()
            )));
        }
        Ok(Self { root, _lock: lock })
    }

    /// Whether a network lives here.
    pub fn has_network(&self) -> bool {
        self.manifest_path().exists()
    }

    /// Remove the network that is here, or what is left of one. Generated images stay: they are made anew if they do not fit.
    pub fn clear(&self) -> Result<(), Failure> {
        // The manifest goes first: what is left half-removed is then not taken for a network.
        let manifest = self.manifest_path();
        if manifest.exists() {
            std::fs::remove_file(&manifest)
                .with_context(|| format!("removing {}", manifest.display()))?;
        }
        for name in ["chain", "wallets", "store", "miners", "validators"] {
            let path = self.root.join(name);
            if path.exists() {
                std::fs::remove_dir_all(&path)
                    .with_context(|| format!("removing {}", path.display()))?;
            }
        }
        Ok(())
    }

    /// The network's manifest: the stored one, which must fit what was asked for, or `wanted` where
    /// there is none yet. Nothing is stored: the settings may still turn out to be wrong.
    pub fn manifest(&self, wanted: Manifest) -> Result<Manifest, Failure> {
        let Some(stored) = self.stored_manifest().map_err(Failure::User)? else {
            return Ok(wanted);
        };
        let differences = stored.differences(&wanted);
        if differences.is_empty() {
            return Ok(stored);
        }
        Err(Failure::User(anyhow!(
            "the network in {} was made with other values of {}; give the same ones, choose another --home, \
             or start over with --fresh",
            self.root.display(),
            differences.join(", ")
        )))
    }

    fn stored_manifest(&self) -> anyhow::Result<Option<Manifest>> {
        let path = self.manifest_path();
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        let what = || {
            format!(
                "{} is not readable; start over with --fresh",
                path.display()
            )
        };
        let manifest: Manifest = serde_json::from_slice(&text).with_context(what)?;
        if manifest.schema != SCHEMA {
            bail!(
                "{} has schema {}, this agon reads {SCHEMA}",
                path.display(),
                manifest.schema
            );
        }
        Ok(Some(manifest))
    }

    /// Write the manifest: aside, sync, rename.
    pub fn store_manifest(&self, manifest: &Manifest) -> anyhow::Result<()> {
        let path = self.manifest_path();
        let what = || format!("writing {}", path.display());
        write_atomically(&path, &serde_json::to_vec_pretty(manifest)?).with_context(what)
    }

    fn manifest_path(&self) -> PathBuf {
        self.root.join("network.json")
    }

    /// The chain's database.
    pub fn chain(&self) -> PathBuf {
        self.root.join("chain").join("chain.redb")
    }

    /// The wallets, in the usual layout.
    pub fn wallets(&self) -> PathBuf {
        self.root.join("wallets")
    }

    /// The artefact store.
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// Generated images.
    pub fn synthetic(&self) -> PathBuf {
        self.root.join("data").join("synthetic")
    }

    /// A miner's checkpoints and model.
    pub fn miner(&self, name: &str) -> PathBuf {
        self.root.join("miners").join(name)
    }

    /// A validator's ledger and journal.
    pub fn validator(&self, name: &str) -> PathBuf {
        self.root.join("validators").join(name)
    }

    /// Log files.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest::new(None, Some(1), 4, 2, 400, 1.0, ScoringRules::Original)
    }

    #[test]
    fn a_home_is_used_by_one_command_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("home");
        let home = Home::open(&root).unwrap();
        assert!(matches!(Home::open(&root), Err(Failure::User(_))));
        drop(home);
        Home::open(&root).unwrap();
    }

    #[test]
    fn a_directory_of_someone_else_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("thesis.txt"), "years of work").unwrap();
        assert!(matches!(Home::open(place.path()), Err(Failure::User(_))));
        assert!(place.path().join("thesis.txt").exists());
    }

    #[test]
    fn a_network_keeps_the_settings_it_was_made_with() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("home");
        let home = Home::open(&root).unwrap();
        let mut first = home.manifest(manifest()).unwrap();
        first.open_run = Some(OpenRun { rounds: 3, goal: 5 });
        home.store_manifest(&first).unwrap();
        assert_eq!(home.manifest(manifest()).unwrap(), first);
        let other = Manifest::new(None, Some(2), 5, 2, 400, 1.0, ScoringRules::Original);
        let Err(Failure::User(error)) = home.manifest(other.clone()) else {
            panic!("other settings were accepted");
        };
        assert!(error.to_string().contains("--seed, --miners"), "{error}");
        home.clear().unwrap();
        assert_eq!(home.manifest(other.clone()).unwrap(), other);
    }
}

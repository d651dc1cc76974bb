//! The data and who may read what: miners get training and selection, validators the judging part.

use agon_dataset::skin::{self, LoadError, Record};
use agon_dataset::split::{self, Part, Shares, SplitError};
use std::path::Path;

/// What miners may read.
#[derive(Clone, Debug)]
pub struct MinerParts {
    /// To learn from.
    pub training: Vec<Record>,
    /// To choose between their models.
    pub selection: Vec<Record>,
}

/// The parts of one data set, split by lesion.
#[derive(Clone, Debug)]
pub struct Parts {
    /// What miners may read.
    pub miner: MinerParts,
    /// What validators judge with; no miner reads it.
    pub judging: Vec<Record>,
}

/// Why the data cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PartsError {
    /// The directory cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The records cannot be split.
    #[error(transparent)]
    Split(#[from] SplitError),
}

impl Parts {
    /// Read a directory in the HAM10000 layout and split it by lesion with the given seed.
    pub fn load(directory: &Path, seed: u64) -> Result<Self, PartsError> {
        let mut records = skin::load(directory)?;
        let split = split::split_files(&mut records, &Shares::default(), seed, &|_, _| {})?;
        let part = |part| {
            let positions = split.part(part).iter();
            positions.map(|&at| records[at].clone()).collect()
        };
        Ok(Self {
            miner: MinerParts {
                training: part(Part::Training),
                selection: part(Part::Selection),
            },
            judging: part(Part::Judging),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agon_dataset::skin::synthetic::{Synthetic, generate};
    use std::collections::BTreeSet;

    fn check(parts: &Parts, records: usize) {
        let lesions = |records: &[Record]| -> BTreeSet<String> {
            records
                .iter()
                .map(|record| record.lesion_id.clone())
                .collect()
        };
        let training = lesions(&parts.miner.training);
        let selection = lesions(&parts.miner.selection);
        let judging = lesions(&parts.judging);
        assert!(
            judging.is_disjoint(&training),
            "a miner learns from a judged lesion"
        );
        assert!(
            judging.is_disjoint(&selection),
            "a miner chooses with a judged lesion"
        );
        assert!(training.is_disjoint(&selection));
        let miner = parts.miner.training.len() + parts.miner.selection.len();
        assert_eq!(miner + parts.judging.len(), records);
        assert!(!judging.is_empty() && !training.is_empty() && !selection.is_empty());
    }

    #[test]
    fn validators_judge_on_lesions_that_no_miner_reads() {
        let directory = tempfile::tempdir().unwrap();
        let synthetic = Synthetic {
            images: 200,
            width: 16,
            height: 12,
            ..Synthetic::default()
        };
        generate(directory.path(), &synthetic, &|_, _| {}).unwrap();
        for seed in 0..5 {
            check(&Parts::load(directory.path(), seed).unwrap(), 200);
        }
    }

    #[test]
    fn the_same_holds_for_the_real_images() {
        let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/skin");
        if !real.join("metadata.csv").exists() {
            eprintln!("SKIPPED: no real images at {}", real.display());
            return;
        }
        check(&Parts::load(&real, 1).unwrap(), 8006);
    }
}

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
        let records = skin::load(directory)?;
        let split = split::split(&records, &Shares::default(), seed)?;
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

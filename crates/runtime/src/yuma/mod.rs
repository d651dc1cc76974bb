//! The Yuma consensus epoch: from who stakes what and who weighs whom to who earns what.
//!
//! Pure numbers: the epoch of one mechanism of one subnet takes an [`EpochInput`] and yields an
//! [`EpochOutput`]. It reads no storage, knows no account and depends on nothing but the standard
//! library, so that it can be checked on its own.
//!
//! It exists twice. [`dense`] writes the steps down over whole matrices and is the specification;
//! [`sparse`] walks only the cells that exist and is the one the chain runs. Both give the same
//! bits for every input, which the tests check, and both share the steps that know no matrix
//! ([`math`] and the private `steps`) and one arithmetic ([`fixed`]).
//!
//! A cell that is absent differs from a cell of zero in one place, [`math::MovingAverage::Liquid`];
//! this is why the dense matrices are made of options.
//!
//! Refused here: reading or writing chain state, knowing an emission schedule, and splitting an
//! emission between mechanisms or between a validator and those who stake on it. Those belong to
//! the pallet.

pub mod dense;
pub mod fixed;
pub mod math;
pub mod sparse;
mod steps;

use std::fmt;

/// One validator's row of a sparse matrix as stored on chain: `(uid, value)`, each uid at most
/// once, in any order.
pub type Row = Vec<(u16, u16)>;

/// The per-cell moving average of bonds, in use when a subnet turned it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiquidAlpha {
    /// `AlphaValues.0`: the least coefficient, as a proportion of 65535.
    pub low: u16,
    /// `AlphaValues.1`: the greatest coefficient, as a proportion of 65535.
    pub high: u16,
    /// `AlphaSigmoidSteepness`: hundredths of the steepness of the sigmoid between them.
    pub steepness: i16,
}

/// All that one epoch of one mechanism depends on. Vectors have one element per uid, `n` of them;
/// names follow the chain's storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochInput {
    /// `SubnetworkN`: the number of uids.
    pub n: u16,
    /// The block of this epoch.
    pub block: u64,
    /// `Tempo`, in blocks.
    pub tempo: u16,
    /// Blocks without an update after which a validator counts as inactive.
    pub activity_cutoff: u64,
    /// `LastMechansimStepBlock`: the block of the epoch before, 0 for none yet.
    pub last_mechanism_step_block: u64,
    /// `LastUpdate` of this mechanism: the block at which each uid last set or committed weights.
    pub last_update: Vec<u64>,
    /// `BlockAtRegistration`.
    pub block_at_registration: Vec<u64>,
    /// Stake weight of each uid (own alpha plus its part of root stake), in whole units.
    pub stake: Vec<u64>,
    /// `StakeThreshold`: stake below it counts as none, but for the owner's uid.
    pub stake_threshold: u64,
    /// `ValidatorPermit` as the previous epoch left it.
    pub validator_permit: Vec<bool>,
    /// `MaxAllowedValidators`.
    pub max_allowed_validators: u16,
    /// `Weights` of this mechanism, one row per uid, empty for none.
    pub weights: Vec<Row>,
    /// `Bonds` of this mechanism, one row per uid, empty for none.
    pub bonds: Vec<Row>,
    /// The block of each uid's earliest commit that has not expired, over both kinds of commit. All
    /// `None` while commit-reveal is off.
    pub earliest_commit: Vec<Option<u64>>,
    /// `Kappa`: the majority that makes consensus, as a proportion of 65535.
    pub kappa: u16,
    /// `BondsPenalty`: how far bonds follow the clipped weights, as a proportion of 65535.
    pub bonds_penalty: u16,
    /// `BondsMovingAverage`: the part of the old bonds that stays, in millionths.
    pub bonds_moving_average: u64,
    /// The liquid alpha parameters when `LiquidAlphaOn`. Without effect unless `yuma3`.
    pub liquid_alpha: Option<LiquidAlpha>,
    /// `Yuma3On`: bonds relative to full ownership instead of relative to each other.
    pub yuma3: bool,
    /// The uid of the subnet owner's hotkey, if registered.
    pub owner_uid: Option<u16>,
    /// What this epoch distributes, in rao.
    pub rao_emission: u64,
}

/// What to do with a uid's stored row of bonds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BondsUpdate {
    /// The uid holds a permit from now on: store this row. Values may be zero; uids ascend.
    Store(Row),
    /// The uid lost its permit: remove its row.
    Remove,
    /// The uid had no permit and got none: leave its row as it is.
    Keep,
}

/// The results of one epoch, one element per uid. `u16` values are proportions of 65535, rounded
/// down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochOutput {
    /// Updated within the activity cutoff.
    pub active: Vec<bool>,
    /// What each uid earns as a miner, in rao.
    pub server_emission: Vec<u64>,
    /// What each uid earns as a validator, in rao.
    pub validator_emission: Vec<u64>,
    /// Both together, in rao, rounded once: the `Emission` to store.
    pub emission: Vec<u64>,
    /// The stake-weighted median of the weights on each uid.
    pub consensus: Vec<u16>,
    /// Each uid's part of the miners' reward.
    pub incentive: Vec<u16>,
    /// Each uid's part of the validators' reward.
    pub dividends: Vec<u16>,
    /// The sum of each uid's weights within consensus.
    pub validator_trust: Vec<u16>,
    /// Each uid's part of the subnet's stake.
    pub stake_weight: Vec<u16>,
    /// `ValidatorPermit` for the epoch to come.
    pub validator_permit: Vec<bool>,
    /// The rows of bonds to store or remove.
    pub bonds: Vec<BondsUpdate>,
}

/// An input that contradicts itself. The epoch then has no result and the chain keeps its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EpochError {
    /// A vector does not have one element per uid.
    Length {
        /// The field of [`EpochInput`].
        field: &'static str,
        /// How many elements it has.
        found: usize,
        /// How many uids there are.
        n: u16,
    },
    /// A row names a uid that does not exist.
    UnknownUid {
        /// The field of [`EpochInput`].
        field: &'static str,
        /// The uid whose row it is.
        row: usize,
        /// The uid named.
        uid: u16,
        /// How many uids there are.
        n: u16,
    },
    /// A row names a uid twice.
    RepeatedUid {
        /// The field of [`EpochInput`].
        field: &'static str,
        /// The uid whose row it is.
        row: usize,
        /// The uid named twice.
        uid: u16,
    },
    /// The owner's uid does not exist.
    UnknownOwner {
        /// The uid given.
        uid: u16,
        /// How many uids there are.
        n: u16,
    },
}

impl fmt::Display for EpochError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { field, found, n } => {
                write!(f, "{field} has {found} elements for {n} uids")
            }
            Self::UnknownUid { field, row, uid, n } => {
                write!(f, "row {row} of {field} names uid {uid} of only {n}")
            }
            Self::RepeatedUid { field, row, uid } => {
                write!(f, "row {row} of {field} names uid {uid} twice")
            }
            Self::UnknownOwner { uid, n } => write!(f, "the owner has uid {uid} of only {n}"),
        }
    }
}

impl std::error::Error for EpochError {}

impl EpochInput {
    /// Checks what both forms rely on: lengths equal to `n`, uids below `n` and at most once in a
    /// row.
    fn check(&self) -> Result<(), EpochError> {
        let n = self.n;
        let lengths = [
            ("last_update", self.last_update.len()),
            ("block_at_registration", self.block_at_registration.len()),
            ("stake", self.stake.len()),
            ("validator_permit", self.validator_permit.len()),
            ("weights", self.weights.len()),
            ("bonds", self.bonds.len()),
            ("earliest_commit", self.earliest_commit.len()),
        ];
        for (field, found) in lengths {
            if found != usize::from(n) {
                return Err(EpochError::Length { field, found, n });
            }
        }
        if let Some(uid) = self.owner_uid.filter(|&uid| uid >= n) {
            return Err(EpochError::UnknownOwner { uid, n });
        }
        check_rows("weights", &self.weights, n)?;
        check_rows("bonds", &self.bonds, n)
    }
}

fn check_rows(field: &'static str, rows: &[Row], n: u16) -> Result<(), EpochError> {
    // The last row that named each uid.
    let mut named_by = vec![None; usize::from(n)];
    for (row, cells) in rows.iter().enumerate() {
        for &(uid, _) in cells {
            let last = named_by
                .get_mut(usize::from(uid))
                .ok_or(EpochError::UnknownUid { field, row, uid, n })?;
            if last.replace(row) == Some(row) {
                return Err(EpochError::RepeatedUid { field, row, uid });
            }
        }
    }
    Ok(())
}

//! What a machine must have to take part in a competition. Each competition declares it.

use serde::Serialize;

/// A gigabyte as machines are sold.
pub const GB: u64 = 1_000_000_000;

/// The least that a part in a competition needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Minimum {
    /// Processor cores.
    pub cores: usize,
    /// Main memory.
    pub memory_bytes: u64,
    /// Disk for data and models.
    pub disk_bytes: u64,
    /// Memory of a graphics card, where one helps.
    pub graphics_bytes: Option<u64>,
}

/// What a competition needs of those who take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Compute {
    /// Of who trains models.
    pub miner: Minimum,
    /// Of who judges them.
    pub validator: Minimum,
}

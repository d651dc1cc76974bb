//! What a machine must have to take part in a competition. Each competition declares it.

use crate::competition::Budget;
use serde::Serialize;
use std::num::NonZeroUsize;
use sysinfo::System;

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
    /// Whether models of others are run, which must be isolated.
    pub runs_models: bool,
}

/// How many models this machine runs at once: one for each core, as far as its memory suffices for what each may take.
pub fn models_at_once(budget: &Budget) -> NonZeroUsize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut system = System::new();
    system.refresh_memory();
    // A container may have less than the machine.
    let group = system.cgroup_limits().map(|limits| limits.total_memory);
    let memory = system.total_memory().min(group.unwrap_or(u64::MAX));
    let fitting = usize::try_from(memory / budget.memory_bytes.max(1)).unwrap_or(usize::MAX);
    NonZeroUsize::new(cores.min(fitting)).unwrap_or(NonZeroUsize::MIN)
}

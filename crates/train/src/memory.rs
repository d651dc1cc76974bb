//! How much memory a run may take.

use sysinfo::System;

/// Half of what is free on this machine and in this process's control group: the other half is for the way back, the
/// optimiser and the samples.
pub(crate) fn half_of_free() -> u64 {
    let mut system = System::new();
    system.refresh_memory();
    // What files are kept of in memory is given up where it is needed, so it is not counted as used.
    let in_group = system.cgroup_limits();
    let in_group = in_group.map(|limits| limits.total_memory.saturating_sub(limits.rss));
    system.available_memory().min(in_group.unwrap_or(u64::MAX)) / 2
}

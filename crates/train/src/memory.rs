//! How much memory a run may take.

use sysinfo::System;

/// Half of what is free on this machine and in this process's control group: the other half is for the way back, the
/// optimiser and the samples.
pub(crate) fn half_of_free() -> u64 {
    let mut system = System::new();
    system.refresh_memory();
    let in_group = system.cgroup_limits().map(|limits| limits.free_memory);
    system.available_memory().min(in_group.unwrap_or(u64::MAX)) / 2
}

//! Whether this machine can take part in a competition.

use super::Finding;
use crate::args::{Doctor, Role};
use crate::failure::Failure;
use agon_arena::compute::{Compute, GB, Minimum};
use agon_arena::sandbox::Sandbox;
use agon_arena::subnet::COMPUTE;
use agon_model::inference::Engine;
use anyhow::{Context, anyhow};
use std::path::{Path, PathBuf};
use std::time::Duration;
use sysinfo::System;
use tokio::process::Command;
use tokio::time::timeout;

/// How long a driver's tool may take.
const TOOL: Duration = Duration::from_secs(5);

/// What a competition needs, by its name.
pub fn compute(subnet: &str) -> Result<(&'static str, Compute), Failure> {
    let known = COMPUTE.iter().find(|(name, _)| *name == subnet);
    known.copied().ok_or_else(|| {
        let names: Vec<&str> = COMPUTE.iter().map(|(name, _)| *name).collect();
        Failure::User(anyhow!(
            "there is no competition {subnet}; there are: {}",
            names.join(", ")
        ))
    })
}

/// Look at the machine, and at its sandbox where models are run.
pub async fn look(
    doctor: &Doctor,
    compute: &Compute,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let machine = Machine::here(&doctor.data_dir).await?;
    if doctor.role != Some(Role::Validator) {
        machine.beside("miner", &compute.miner, findings);
    }
    if doctor.role != Some(Role::Miner) {
        machine.beside("validator", &compute.validator, findings);
    }
    if compute.runs_models {
        findings.push(sandbox().await?);
    }
    Ok(())
}

/// What there is.
struct Machine {
    cores: usize,
    memory: u64,
    directory: PathBuf,
    disk: u64,
    disk_free: u64,
    /// Of the largest graphics card, if one is known of.
    graphics: Option<u64>,
}

impl Machine {
    async fn here(directory: &Path) -> Result<Self, Failure> {
        let disk = rustix::fs::statvfs(directory)
            .with_context(|| format!("cannot look at {}", directory.display()))
            .map_err(Failure::User)?;
        let mut system = System::new();
        system.refresh_memory();
        // A container may have less than the machine.
        let group = system.cgroup_limits().map(|limits| limits.total_memory);
        Ok(Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory: system.total_memory().min(group.unwrap_or(u64::MAX)),
            directory: directory.to_owned(),
            disk: disk.f_blocks.saturating_mul(disk.f_frsize),
            disk_free: disk.f_bavail.saturating_mul(disk.f_frsize),
            graphics: graphics().await,
        })
    }

    fn beside(&self, role: &str, needed: &Minimum, findings: &mut Vec<Finding>) {
        let told = |there: String, needed: String| format!("{there}, at least {needed} needed");
        let what = format!("{role}: cores");
        let found = told(self.cores.to_string(), needed.cores.to_string());
        findings.push(match self.cores >= needed.cores {
            true => Finding::good(what, found),
            false => Finding::bad(what, found, "a machine with more cores, or a larger share"),
        });
        let what = format!("{role}: memory");
        let found = told(gigabytes(self.memory), gigabytes(needed.memory_bytes));
        findings.push(match self.memory >= needed.memory_bytes {
            true => Finding::good(what, found),
            false => Finding::bad(what, found, "a machine or a container with more memory"),
        });
        let what = format!("{role}: disk");
        let free = format!(
            "{} free in {}",
            gigabytes(self.disk_free),
            self.directory.display()
        );
        let found = told(free, gigabytes(needed.disk_bytes));
        findings.push(if self.disk_free >= needed.disk_bytes {
            Finding::good(what, found)
        } else if self.disk >= needed.disk_bytes {
            let advice = "enough if the data are what fills it; else make room";
            Finding::look(what, found, advice)
        } else {
            let advice = "a larger disk; --data-dir names the place of the data";
            Finding::bad(what, found, advice)
        });
        if let Some(graphics) = needed.graphics_bytes {
            let what = format!("{role}: graphics memory");
            let there = self.graphics.map_or("none found".to_owned(), gigabytes);
            let found = format!("{there}, {} advised", gigabytes(graphics));
            findings.push(match self.graphics.is_some_and(|there| there >= graphics) {
                true => Finding::good(what, found),
                // Nothing here fails without a card.
                false => Finding::look(what, found, "the processor does the work, more slowly"),
            });
        }
    }
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / GB as f64)
}

/// How well models are isolated here.
async fn sandbox() -> Result<Finding, Failure> {
    let program = std::env::current_exe().context("finding this program")?;
    let strength = Sandbox::new(program).strength(Engine::default()).await?;
    Ok(match strength.weakness() {
        None => Finding::good(
            "sandbox",
            "full: Landlock, a system-call list, limits of memory and time",
        ),
        Some(weakness) => Finding::bad(
            "sandbox",
            weakness,
            "a kernel of 5.13 or later with Landlock and seccomp, and a container that lets them through; --sandbox degraded judges models all the same, at your own risk",
        ),
    })
}

/// The memory of the largest graphics card, as its driver tells.
async fn graphics() -> Option<u64> {
    let mut largest = amd();
    let mut tool = Command::new("nvidia-smi");
    tool.args(["--query-gpu=memory.total", "--format=csv,noheader,nounits"])
        .kill_on_drop(true);
    if let Ok(Ok(output)) = timeout(TOOL, tool.output()).await {
        largest = largest.max(mebibytes(&String::from_utf8_lossy(&output.stdout)));
    }
    largest
}

/// The largest of numbers, one a line.
fn mebibytes(lines: &str) -> Option<u64> {
    let numbers = lines.lines().filter_map(|line| line.trim().parse().ok());
    numbers.max().map(|mebibytes: u64| mebibytes << 20)
}

fn amd() -> Option<u64> {
    let cards = std::fs::read_dir("/sys/class/drm").ok()?;
    cards
        .flatten()
        .filter_map(|card| {
            std::fs::read_to_string(card.path().join("device/mem_info_vram_total")).ok()
        })
        .filter_map(|bytes| bytes.trim().parse().ok())
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::State;

    fn machine() -> Machine {
        Machine {
            cores: 4,
            memory: 16 * GB,
            directory: ".".into(),
            disk: 100 * GB,
            disk_free: 50 * GB,
            graphics: None,
        }
    }

    fn states(needed: Minimum) -> Vec<State> {
        let mut findings = Vec::new();
        machine().beside("miner", &needed, &mut findings);
        findings.iter().map(|finding| finding.state).collect()
    }

    #[test]
    fn a_machine_is_held_against_what_is_needed() {
        let enough = Minimum {
            cores: 4,
            memory_bytes: 16 * GB,
            disk_bytes: 50 * GB,
            graphics_bytes: None,
        };
        assert_eq!(states(enough), [State::Good; 3]);
        let more = Minimum {
            cores: 5,
            memory_bytes: 17 * GB,
            disk_bytes: 51 * GB,
            graphics_bytes: Some(8 * GB),
        };
        let found = [State::Bad, State::Bad, State::Look, State::Look];
        assert_eq!(states(more), found);
        let disk_bytes = 101 * GB;
        assert_eq!(states(Minimum { disk_bytes, ..more })[2], State::Bad);
    }

    #[test]
    fn what_the_driver_tells_is_read() {
        assert_eq!(mebibytes("81559\n24576\n"), Some(81_559 << 20));
        assert_eq!(mebibytes("NVIDIA-SMI has failed"), None);
        assert_eq!(mebibytes(""), None);
    }

    #[test]
    fn competitions_are_known_by_name() {
        assert_eq!(compute("tricorder").unwrap().0, "tricorder");
        assert!(matches!(compute("chess"), Err(Failure::User(_))));
    }
}

//! How the child locks itself up. Nothing here can be undone by the process afterwards.

use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetStatus, Scope};
use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;

/// How strong the isolation on this machine is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strength {
    /// Landlock denies every file and every connection.
    pub landlock: bool,
    /// The system-call allow-list is in force.
    pub system_calls: bool,
}

impl Strength {
    /// What is missing, if anything.
    pub fn weakness(&self) -> Option<&'static str> {
        match (self.landlock, self.system_calls) {
            (true, true) => None,
            (false, true) => {
                Some("this kernel has no Landlock: files are guarded by the system-call list alone")
            }
            (true, false) => Some(
                "this kernel takes no system-call list (seccomp): Landlock alone guards files and connections, and a model can reach every other part of the kernel",
            ),
            (false, false) => Some(
                "this kernel has neither Landlock nor takes a system-call list (seccomp): only memory, processor time, the number of open files and, unless you are root, of processes are limited",
            ),
        }
    }
}

/// Lock up this process: it keeps its open pipes, `memory_bytes` of address space and
/// `processor_seconds` of processor time, and dies with its parent.
///
/// Landlock holds for the thread that asks for it and those it starts, so there must be no other.
pub fn isolate(memory_bytes: u64, processor_seconds: u64) -> io::Result<Strength> {
    if std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() > 1) {
        return Err(io::Error::other("a library has started threads of its own"));
    }
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let limit = |resource, value| {
        let limit = Rlimit {
            current: Some(value),
            maximum: Some(value),
        };
        setrlimit(resource, limit)
    };
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::As, memory_bytes)?;
    // The soft limit first, whose signal says what happened.
    let processor = Rlimit {
        current: Some(processor_seconds),
        maximum: Some(processor_seconds + 5),
    };
    setrlimit(Resource::Cpu, processor)?;
    rustix::thread::set_no_new_privs(true)?;
    let landlock = deny_files_and_network();
    // Only now: setting up Landlock takes a descriptor.
    limit(Resource::Nofile, 3)?;
    Ok(Strength {
        landlock,
        system_calls: allow_listed_system_calls().is_ok(),
    })
}

/// Start no process and no thread any more, where no list of system calls says so: for when the engine has its own. It does
/// not hold for root, whom the kernel counts no processes for.
pub fn forbid_processes() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    Ok(setrlimit(Resource::Nproc, none)?)
}

fn deny_files_and_network() -> bool {
    let abi = ABI::V6;
    let restrict = || {
        Ruleset::default()
            .handle_access(AccessFs::from_all(abi))?
            .handle_access(AccessNet::from_all(abi))?
            .scope(Scope::from_all(abi))?
            .create()?
            .restrict_self()
    };
    // An older kernel enforces the part it knows; denying files is the part that matters here, and
    // the system-call list denies sockets in any case.
    restrict().is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
}

/// Memory, threads of this process, time and the open pipes: what computing needs.
const ALLOWED: &[i64] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Calls that libraries try on the way and survive being refused.
const REFUSED: &[i64] = &[
    libc::SYS_openat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_fstat,
    libc::SYS_readlinkat,
    libc::SYS_ioctl,
    libc::SYS_fcntl,
    libc::SYS_lseek,
    libc::SYS_prlimit64,
    libc::SYS_sched_setaffinity,
    libc::SYS_uname,
    libc::SYS_sysinfo,
];

/// Two filters, of which the kernel obeys the stricter: everything not listed kills the process; of
/// what is listed, some calls are answered with an error.
fn allow_listed_system_calls() -> Result<(), seccompiler::Error> {
    let architecture: TargetArch = std::env::consts::ARCH.try_into()?;
    let when = |argument, operator, value| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
            .and_then(|condition| SeccompRule::new(vec![condition]))
    };
    let thread = libc::CLONE_THREAD as u64;
    let own = u64::from(std::process::id());
    let mut listed: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED
        .iter()
        .chain(REFUSED)
        .chain(&[libc::SYS_clone3])
        .map(|&call| (call, Vec::new()))
        .collect();
    // Threads, but no processes; names of threads, but no other process control; abort, but no
    // signal to anyone else.
    listed.insert(
        libc::SYS_clone,
        vec![when(0, SeccompCmpOp::MaskedEq(thread), thread)?],
    );
    listed.insert(
        libc::SYS_prctl,
        vec![when(0, SeccompCmpOp::Eq, libc::PR_SET_NAME as u64)?],
    );
    listed.insert(libc::SYS_tgkill, vec![when(0, SeccompCmpOp::Eq, own)?]);
    let kill_unlisted: BpfProgram = SeccompFilter::new(
        listed,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        architecture,
    )?
    .try_into()?;

    let refused = REFUSED.iter().map(|&call| (call, Vec::new())).collect();
    let refuse: BpfProgram = SeccompFilter::new(
        refused,
        SeccompAction::Allow,
        SeccompAction::Errno(libc::EACCES as u32),
        architecture,
    )?
    .try_into()?;
    // The C library then falls back to clone, whose flags can be inspected.
    let no_clone3: BpfProgram = SeccompFilter::new(
        BTreeMap::from([(libc::SYS_clone3, Vec::new())]),
        SeccompAction::Allow,
        SeccompAction::Errno(libc::ENOSYS as u32),
        architecture,
    )?
    .try_into()?;
    // The last filter must not forbid installing it, so the strictest comes last.
    for filter in [&no_clone3, &refuse, &kill_unlisted] {
        seccompiler::apply_filter_all_threads(filter)?;
    }
    Ok(())
}

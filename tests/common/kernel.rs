//! Kernels that lack something.

#![allow(dead_code, reason = "each test file uses a part of it")]

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};
use std::collections::BTreeMap;

/// Do something where the kernel answers a system call as one that does not know it. A filter on the thread that does
/// it, which all that it starts inherit, sees to that.
pub fn without<T: Send>(call: i64, work: impl FnOnce() -> T + Send) -> T {
    filtered(call, Vec::new(), work)
}

/// The same for a call with this first argument alone.
pub fn without_first<T: Send>(call: i64, first: i32, work: impl FnOnce() -> T + Send) -> T {
    let is = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, first as u64);
    let rule = is.and_then(|is| SeccompRule::new(vec![is]));
    filtered(call, vec![rule.expect("a rule")], work)
}

fn filtered<T: Send>(call: i64, rules: Vec<SeccompRule>, work: impl FnOnce() -> T + Send) -> T {
    let filter = || -> Result<BpfProgram, seccompiler::Error> {
        let filter = SeccompFilter::new(
            BTreeMap::from([(call, rules)]),
            SeccompAction::Allow,
            SeccompAction::Errno(libc::ENOSYS as u32),
            std::env::consts::ARCH.try_into()?,
        )?;
        Ok(filter.try_into()?)
    };
    let filter = filter().expect("a filter");
    let work = || {
        seccompiler::apply_filter(&filter).expect("the filter is installed");
        work()
    };
    std::thread::scope(|scope| scope.spawn(work).join().expect("it does not panic"))
}

//! Threads on which the runtime runs: few, because its work is computation, and with room for deep recursion.
//!
//! They are started once. A machine that has no thread left to give later refuses a connection perhaps, but never
//! a block or a transaction.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

/// The stack the runtime runs on: calls nested as deeply as FRAME allows need more than a thread's default. Its pages
/// cost nothing until they are touched.
pub const STACK_BYTES: usize = 16 << 20;

type Job = Box<dyn FnOnce() + Send>;

/// The threads. They end when this is dropped and what was asked of them is done.
pub struct Workers(Sender<Job>);

impl Workers {
    /// Starts a thread a core.
    ///
    /// # Errors
    /// When not even one thread can be started.
    pub fn start() -> io::Result<Self> {
        let (jobs, waiting) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let count = thread::available_parallelism().map_or(1, usize::from);
        for index in 0..count.max(2) {
            let waiting = waiting.clone();
            let started = thread::Builder::new()
                .name("runtime".into())
                .stack_size(STACK_BYTES)
                .spawn(move || work(&waiting));
            match started {
                Err(error) if index == 0 => return Err(error),
                Err(error) => tracing::warn!(%error, index, "fewer runtime threads than cores"),
                Ok(_) => {}
            }
        }
        Ok(Self(jobs))
    }

    /// Runs `f` on one of the threads and waits for its result; errs with the payload when `f` panics.
    pub fn run<R: Send + 'static>(
        &self,
        f: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Box<dyn Any + Send>> {
        let (answer, result) = channel();
        let job = move || {
            // What `f` holds is gone when the answer is out.
            let outcome = catch_unwind(AssertUnwindSafe(f));
            let _ = answer.send(outcome);
        };
        self.0
            .send(Box::new(job))
            .map_err(|_| Box::new("the runtime threads have ended") as Box<dyn Any + Send>)?;
        result
            .recv()
            .unwrap_or_else(|_| Err(Box::new("a runtime thread has ended")))
    }
}

fn work(waiting: &Mutex<Receiver<Job>>) {
    loop {
        let job = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        match job {
            Ok(job) => job(),
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_the_job_and_not_the_thread() {
        let workers = Workers::start().expect("threads");
        for _ in 0..64 {
            let outcome = workers.run(|| panic!("as a runtime may"));
            let payload = outcome.map(|(): ()| ()).expect_err("it panicked");
            assert_eq!(payload.downcast_ref(), Some(&"as a runtime may"));
        }
        assert_eq!(workers.run(|| 7).ok(), Some(7));
    }
}

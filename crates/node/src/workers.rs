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
use tokio::sync::oneshot;

/// The stack the runtime runs on: calls nested as deeply as FRAME allows need more than a thread's default. Its pages
/// cost nothing until they are touched.
pub const STACK_BYTES: usize = 16 << 20;

type Job = Box<dyn FnOnce() + Send>;

/// What a panic carries.
type Payload = Box<dyn Any + Send>;

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

    /// Runs `f` on one of the threads; errs with the payload when `f` panics. `f` runs to its end even if nobody waits.
    pub async fn perform<R: Send + 'static>(
        &self,
        f: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Payload> {
        let (answer, result) = oneshot::channel();
        self.enqueue(f, |outcome| drop(answer.send(outcome)))?;
        result.await.unwrap_or_else(|_| Err(ended()))
    }

    /// As [`Workers::perform`], and waits for the result on this thread.
    pub fn run<R: Send + 'static>(
        &self,
        f: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Payload> {
        let (answer, result) = channel();
        self.enqueue(f, move |outcome| drop(answer.send(outcome)))?;
        result.recv().unwrap_or_else(|_| Err(ended()))
    }

    fn enqueue<R>(
        &self,
        f: impl FnOnce() -> R + Send + 'static,
        answer: impl FnOnce(Result<R, Payload>) + Send + 'static,
    ) -> Result<(), Payload> {
        // What `f` holds is gone when the answer is out.
        let job = move || answer(catch_unwind(AssertUnwindSafe(f)));
        self.0.send(Box::new(job)).map_err(|_| ended())
    }
}

fn ended() -> Payload {
    Box::new("the runtime threads have ended")
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

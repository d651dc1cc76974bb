//! Named commands in the background: what is kept of each ([`record`]), when one that ended is started again
//! ([`policy`]), where its output goes ([`log`]), and the supervisor that does it.
//!
//! A supervisor is this binary again, in a session of its own, one for each service. It holds the service's lock for
//! as long as it lives, its command holds another, so that both can be told alive from dead without believing numbers
//! of processes. It refuses to keep a secret: the environment that `start` had is passed on and written nowhere.

pub mod log;
pub mod policy;
pub mod record;

pub use record::{Name, Service};

use crate::failure::Failure;
use anyhow::{Context, Result, anyhow};
use log::Log;
use policy::{Policy, Verdict};
use record::{End, Phase, Record, now, process};
use rustix::process::{Signal, getppid, kill_process_group, setsid};
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Names the supervisor to the command it starts.
const SUPERVISOR: &str = "AGON_SUPERVISOR";
/// How long the last words of a command that ended are waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long another process may take to let go of the command's lock.
const LET_GO: Duration = Duration::from_secs(10);

/// In a command that a supervisor started: be told to end when the supervisor is killed, since nobody would read the
/// output or start the command again.
pub fn end_with_supervisor() {
    let Ok(started_by) = std::env::var(SUPERVISOR) else {
        return;
    };
    // What the command itself starts has the variable too, and another parent.
    if getppid().is_some_and(|parent| parent.as_raw_pid().to_string() == started_by) {
        // Where the system cannot do this the locks still tell what lives.
        let _ = rustix::process::set_parent_process_death_signal(Some(Signal::TERM));
    }
}

/// Be the supervisor of a service whose lock is the standard input. Returns when the service has ended for good.
pub async fn supervise(service: Service) -> Result<(), Failure> {
    // Held until this process ends.
    let lock = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    if !service.is_lock(&lock).unwrap_or(false) || lock.try_lock().is_err() {
        return Err(Failure::User(anyhow!(
            "a supervisor is started by: agon service start {}",
            service.name()
        )));
    }
    setsid().context("leaving the session")?;
    let mut record = service
        .record()?
        .context("the record of the service is gone")?;
    record.status.supervisor = Some(std::process::id() as i32);
    let log = Log::open(service.log(), record.definition.log)
        .with_context(|| format!("cannot write {}", service.log().display()))?;
    let mut supervisor = Supervisor {
        policy: Policy::new(record.definition.restart, service.name(), now()),
        log: Arc::new(Mutex::new(log)),
        service,
        record,
        stop: stop_signals()?,
    };
    supervisor.run().await;
    Ok(())
}

/// Hears every SIGTERM and SIGINT.
fn stop_signals() -> std::io::Result<mpsc::UnboundedReceiver<()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (heard, hears) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if heard.send(()).is_err() {
                return;
            }
        }
    });
    Ok(hears)
}

struct Supervisor {
    service: Service,
    record: Record,
    policy: Policy,
    log: Arc<Mutex<Log>>,
    stop: mpsc::UnboundedReceiver<()>,
}

impl Supervisor {
    async fn run(&mut self) {
        loop {
            let begun = Instant::now();
            let end = match self.run_once().await {
                Ok(Some(end)) => end,
                Ok(None) => return self.enter(Phase::Stopped, "stopped"),
                Err(error) if self.record.status.restarts == 0 => {
                    return self.fail(format!("it cannot be started: {error:#}"));
                }
                // What has run before may run again: there was no memory, or the program is just being replaced.
                Err(error) => {
                    self.note(&format!("it cannot be started: {error:#}"));
                    End {
                        status: None,
                        signal: None,
                        at: now(),
                    }
                }
            };
            match self.policy.decide(end, begun.elapsed()) {
                Verdict::Done => return self.enter(Phase::Stopped, "it is done"),
                Verdict::Enough(reason) => return self.fail(reason),
                Verdict::Again(wait) => {
                    let until = now() + wait.as_millis() as u64;
                    let words = format!(
                        "ended with {end} after {:.1} s; starts again in {:.1} s",
                        begun.elapsed().as_secs_f64(),
                        wait.as_secs_f64()
                    );
                    self.enter(Phase::Waiting { until }, &words);
                    if timeout(wait, self.stop.recv()).await.is_ok() {
                        return self.enter(Phase::Stopped, "stopped while it waited");
                    }
                    self.record.status.restarts += 1;
                }
            }
        }
    }

    fn fail(&mut self, reason: String) {
        let words = format!("not started again: {reason}");
        self.enter(Phase::Failed { reason }, &words);
    }

    /// Keep and tell a step. A disk that is full is no reason to leave the command alone.
    fn enter(&mut self, phase: Phase, words: &str) {
        self.record.status.phase = phase;
        self.record.status.since = now();
        self.note(words);
        if let Err(error) = self.service.keep(&self.record) {
            self.note(&format!("the record cannot be kept: {error:#}"));
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, words: &str) {
        self.log().note(words);
    }

    /// Run the command to its end; `None` if it was told to stop.
    async fn run_once(&mut self) -> Result<Option<End>> {
        let (mut child, reader) = self.spawn().await?;
        let number = child.id().context("it has no process")? as i32;
        let group = process(number)?;
        self.record.status.process = Some(number);
        self.enter(Phase::Running, &format!("runs as process {number}"));
        let mut told = false;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status?,
                Some(()) = self.stop.recv() => {
                    let (signal, words) = match told {
                        false => (Signal::TERM, "told to stop"),
                        true => (Signal::KILL, "told to stop again, and killed"),
                    };
                    told = true;
                    self.enter(Phase::Stopping, words);
                    // Fails if it ended in this moment.
                    let _ = kill_process_group(group, signal);
                }
            }
        };
        // What it leaves behind must not meet its successor. There is nothing left where this fails.
        let _ = kill_process_group(group, Signal::KILL);
        let _ = timeout(LAST_WORDS, reader).await;
        let end = End::of(status);
        self.record.status.process = None;
        self.record.status.last_end = Some(end);
        Ok((!told).then_some(end))
    }

    /// Start the command; with it comes what ends when its output does.
    async fn spawn(&mut self) -> Result<(Child, JoinHandle<()>)> {
        let definition = &self.record.definition;
        let lock = self.run_lock().await?;
        let (output, input) = std::io::pipe()?;
        // The command closes its ends of the pipe with it.
        let mut command = Command::new(&definition.program);
        let spawned = command
            .args(&definition.arguments)
            .current_dir(&definition.directory)
            .env(SUPERVISOR, std::process::id().to_string())
            .process_group(0)
            .stdin(Stdio::from(lock))
            .stdout(Stdio::from(input.try_clone()?))
            .stderr(Stdio::from(input))
            .spawn();
        let child = spawned.with_context(|| {
            format!(
                "{} in {}",
                definition.program.display(),
                definition.directory.display()
            )
        })?;
        let log = self.log.clone();
        let reader = tokio::task::spawn_blocking(move || log::copy(output, &log));
        Ok((child, reader))
    }

    /// The command's lock. What is left of the run before may take a moment to end.
    async fn run_lock(&self) -> Result<File> {
        let since = Instant::now();
        loop {
            if let Some(lock) = self.service.hold_run()? {
                return Ok(lock);
            }
            if since.elapsed() > LET_GO {
                return Err(anyhow!("what it was before still runs"));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Start a supervisor for a service whose lock is held. The lock passes to it.
///
/// # Errors
/// When the process cannot be started.
pub fn start(service: &Service, lock: File, program: &Path) -> Result<std::process::Child> {
    let log = log::append(&service.log())?;
    std::process::Command::new(program)
        .args(["service", "supervise"])
        .arg(service.name().to_string())
        // So that it keeps no file system from being unmounted.
        .current_dir("/")
        .stdin(Stdio::from(lock))
        .stdout(Stdio::null())
        .stderr(Stdio::from(log))
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))
}

//! `agon service`: commands in the background, by name.

mod list;
mod unit;

use crate::args::service::{
    OneService, PrintUnit, Service as Arguments, ServiceVerb, ShowLogs, StartService, StopService,
};
use crate::args::{self, Command};
use crate::commands::session::document;
use crate::failure::Failure;
use crate::printer::{result, say};
use crate::supervise::log::{self, Rotation};
use crate::supervise::policy::Restart;
use crate::supervise::record::{Definition, End, Phase, Record, now, process};
use crate::supervise::{self, Name, Service};
use anyhow::{Context, anyhow};
use clap::Parser;
use rustix::io::Errno;
use rustix::process::{Signal, kill_process, kill_process_group};
use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// How long a command must have run before it counts as started.
const SETTLED: Duration = Duration::from_secs(1);
/// How long a supervisor may take to tell something, or to be gone once its command is.
const SUPERVISOR: Duration = Duration::from_secs(30);
/// How often a record or a lock is looked at while it is waited for.
const LOOK: Duration = Duration::from_millis(20);
/// How many lines of a log are shown of a command that ended at once.
const LAST_LINES: u64 = 10;

/// Run one verb.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        ServiceVerb::Start(start) => start_service(start).await,
        ServiceVerb::Stop(stop) => stop_service(stop).await,
        ServiceVerb::Restart(restart) => restart_service(restart).await,
        ServiceVerb::List(arguments) => list::run(arguments.json),
        ServiceVerb::Logs(logs) => show_logs(logs),
        ServiceVerb::Units(unit) => print_unit(unit),
        ServiceVerb::Remove(remove) => remove_service(remove),
        ServiceVerb::Supervise(arguments) => supervise::supervise(service(arguments.name)?).await,
    }
}

fn service(name: Name) -> Result<Service, Failure> {
    Service::named(name).map_err(Failure::User)
}

/// A service with its record, or the user's mistake.
fn known(name: Name) -> Result<(Service, Record), Failure> {
    let service = service(name)?;
    match service.record().map_err(Failure::User)? {
        Some(record) => Ok((service, record)),
        None => Err(Failure::User(anyhow!(
            "there is no service {}; see agon service list",
            service.name()
        ))),
    }
}

async fn start_service(start: StartService) -> Result<(), Failure> {
    let service = service(start.name.clone())?;
    let before = service.record().map_err(Failure::User)?;
    let definition = definition(&start, before.as_ref())?;
    let Some(lock) = service.hold()? else {
        return Err(Failure::User(anyhow!(
            "{} runs already; agon service restart {0} starts it anew",
            service.name()
        )));
    };
    if let Some(before) = &before {
        if !matches!(
            end_orphan(&service, before, SUPERVISOR).await?,
            Ended::NotRunning
        ) {
            say("its supervisor was killed; what still ran of it is ended first");
        }
        if before.definition.arguments != definition.arguments {
            say(&format!(
                "{} has another command line from now on",
                service.name()
            ));
        }
    }
    bring_up(service, lock, definition, before, start.json).await
}

/// What is asked for: what was typed, else what was asked for last.
fn definition(start: &StartService, before: Option<&Record>) -> Result<Definition, Failure> {
    let program = std::env::current_exe().context("finding this program")?;
    let mut definition = match (start.arguments.is_empty(), before) {
        (true, None) => {
            return Err(Failure::User(anyhow!(
                "there is no service {} yet: say what it runs, for example agon service start {0} -- up",
                start.name
            )));
        }
        (true, Some(before)) => before.definition.clone(),
        (false, before) => {
            check(&start.arguments)?;
            let directory = std::env::current_dir()
                .context("finding the current directory")
                .map_err(Failure::User)?;
            let settings = before.map(|before| &before.definition);
            Definition {
                program: program.clone(),
                arguments: start.arguments.clone(),
                directory,
                log: settings.map_or_else(Rotation::default, |before| before.log),
                restart: settings.map_or_else(Restart::default, |before| before.restart),
            }
        }
    };
    definition.program = program;
    let (log, restart) = (&mut definition.log, &mut definition.restart);
    log.bytes = start.log_size.unwrap_or(log.bytes);
    log.keep = start.log_keep.unwrap_or(log.keep);
    restart.limit = start.restart_limit.unwrap_or(restart.limit);
    if let Some(delay) = start.restart_delay {
        restart.delay_ms = delay.as_millis() as u64;
    }
    Ok(definition)
}

/// That these are arguments which agon understands, and of a command that may run in the background.
fn check(arguments: &[String]) -> Result<(), Failure> {
    let words = std::iter::once("agon").chain(arguments.iter().map(String::as_str));
    let parsed = args::Arguments::try_parse_from(words).map_err(|error| {
        let told = error.to_string();
        Failure::User(anyhow!("agon {}: {told}", arguments[0]))
    })?;
    match parsed.command {
        Command::Service(_) => Err(Failure::User(anyhow!("a service cannot run agon service"))),
        // Words and seeds on a command line would be kept with the service.
        Command::Wallet(_) => Err(Failure::User(anyhow!(
            "agon wallet ends by itself and asks for secrets; it is no service"
        ))),
        _ => Ok(()),
    }
}

/// Start a supervisor and wait until it is clear how the command begins.
async fn bring_up(
    service: Service,
    lock: std::fs::File,
    definition: Definition,
    before: Option<Record>,
    json: bool,
) -> Result<(), Failure> {
    let program = definition.program.clone();
    let last_end = before.and_then(|before| before.status.last_end);
    service.keep(&Record::new(definition, last_end))?;
    let mut supervisor = supervise::start(&service, lock, &program)?;
    let since = Instant::now();
    let record = loop {
        sleep(LOOK).await;
        // Before the record: what it wrote with its last breath is there then.
        let gone = supervisor.try_wait()?.is_some();
        let record = service.record()?.context("the record is gone")?;
        let settled = Duration::from_millis(now().saturating_sub(record.status.since)) >= SETTLED;
        match record.status.phase {
            Phase::Starting | Phase::Running if gone => {
                return Err(Failure::Ours(failed(&service, "its supervisor is gone")));
            }
            Phase::Starting if since.elapsed() < SUPERVISOR => {}
            Phase::Running if !settled => {}
            _ => break record,
        }
    };
    if let Phase::Stopped | Phase::Failed { .. } = record.status.phase {
        // So that it can be started again at once.
        gone(|| service.is_supervised(), SUPERVISOR).await?;
    }
    let name = service.name();
    let ended = || {
        let end = record.status.last_end;
        end.map_or_else(String::new, |end| format!(" with {end}"))
    };
    match &record.status.phase {
        Phase::Running => say(&format!("{name} runs; its log: agon service logs {name}")),
        Phase::Waiting { .. } => say(&format!(
            "{name} ended at once{}; it is tried again: agon service logs {name}",
            ended()
        )),
        Phase::Stopped | Phase::Stopping => say(&format!("{name} is done{}", ended())),
        Phase::Failed { reason } => {
            let error = failed(&service, reason);
            return Err(match record.status.last_end {
                Some(End {
                    status: Some(2), ..
                }) => Failure::User(error),
                _ => Failure::Ours(error),
            });
        }
        Phase::Starting => {
            let error = failed(&service, "its supervisor does not come up");
            return Err(Failure::Ours(error));
        }
    }
    print_json(&service, json)
}

/// Why a service does not run, after what it said last.
fn failed(service: &Service, reason: &str) -> anyhow::Error {
    let mut lines = Vec::new();
    let shown = log::last(&service.log(), LAST_LINES, &mut lines).is_ok();
    let lines = String::from_utf8_lossy(&lines);
    if shown && !lines.is_empty() {
        say(&format!("the last lines of its log:\n{}", lines.trim_end()));
    }
    anyhow!("{} does not run: {reason}", service.name())
}

fn print_json(service: &Service, json: bool) -> Result<(), Failure> {
    if json && let Some(record) = service.record()? {
        let view = list::View::of(service, record)?;
        result(&document(serde_json::to_value(view)?).to_string())?;
    }
    Ok(())
}

async fn stop_service(stop: StopService) -> Result<(), Failure> {
    let (service, record) = known(stop.name)?;
    let words = match end(&service, record, stop.timeout).await? {
        Ended::NotRunning => "did not run",
        Ended::ByItself => "is stopped",
        Ended::Killed => "is stopped; it did not end in time and was killed",
    };
    say(&format!("{} {words}", service.name()));
    print_json(&service, stop.json)
}

async fn restart_service(restart: StopService) -> Result<(), Failure> {
    let (service, record) = known(restart.name)?;
    let mut definition = record.definition.clone();
    end(&service, record, restart.timeout).await?;
    let Some(lock) = service.hold()? else {
        return Err(Failure::User(anyhow!(
            "somebody else started {} in this moment",
            service.name()
        )));
    };
    definition.program = std::env::current_exe().context("finding this program")?;
    let before = service.record()?;
    bring_up(service, lock, definition, before, restart.json).await
}

/// How a service was stopped.
enum Ended {
    NotRunning,
    ByItself,
    Killed,
}

/// Stop a service. On return neither its supervisor nor its command runs.
async fn end(service: &Service, record: Record, wait: Duration) -> Result<Ended, Failure> {
    if let Some(_lock) = service.hold()? {
        let ended = end_orphan(service, &record, wait).await?;
        if !matches!(record.status.phase, Phase::Stopped | Phase::Failed { .. }) {
            set_stopped(service, record)?;
        }
        return Ok(ended);
    }
    let supervisor = supervisor(service).await?;
    // While the lock is held the number is the supervisor's.
    sent(kill_process(process(supervisor)?, Signal::TERM))?;
    if gone(|| service.is_supervised(), wait).await? {
        return Ok(Ended::ByItself);
    }
    if let Some(group) = service.record()?.and_then(|record| record.status.process)
        && service.is_alive()?
    {
        sent(kill_process_group(process(group)?, Signal::KILL))?;
    }
    if !gone(|| service.is_supervised(), SUPERVISOR).await? {
        sent(kill_process(process(supervisor)?, Signal::KILL))?;
        gone(|| service.is_supervised(), SUPERVISOR).await?;
        set_stopped(service, record)?;
    }
    Ok(Ended::Killed)
}

fn set_stopped(service: &Service, mut record: Record) -> anyhow::Result<()> {
    record.status.phase = Phase::Stopped;
    record.status.since = now();
    record.status.process = None;
    record.status.supervisor = None;
    service.keep(&record)
}

/// The process of a supervisor that lives. One that has just been started has not written its number yet.
async fn supervisor(service: &Service) -> Result<i32, Failure> {
    let since = Instant::now();
    loop {
        let record = service.record()?;
        if let Some(process) = record.and_then(|record| record.status.supervisor) {
            return Ok(process);
        }
        if since.elapsed() > SUPERVISOR {
            return Err(anyhow!("the supervisor of {} does not come up", service.name()).into());
        }
        sleep(LOOK).await;
    }
}

/// End what a dead supervisor left running.
async fn end_orphan(service: &Service, record: &Record, wait: Duration) -> Result<Ended, Failure> {
    let Some(group) = record
        .status
        .process
        .filter(|_| service.is_alive().unwrap_or(true))
    else {
        return Ok(Ended::NotRunning);
    };
    // While the lock is held the number is the command's.
    sent(kill_process_group(process(group)?, Signal::TERM))?;
    if gone(|| service.is_alive(), wait).await? {
        return Ok(Ended::ByItself);
    }
    sent(kill_process_group(process(group)?, Signal::KILL))?;
    match gone(|| service.is_alive(), SUPERVISOR).await? {
        true => Ok(Ended::Killed),
        false => Err(anyhow!("{} cannot be ended", service.name()).into()),
    }
}

/// That a signal was sent; that there is nobody any more is no failure.
fn sent(signal: Result<(), Errno>) -> anyhow::Result<()> {
    match signal {
        Err(Errno::SRCH) => Ok(()),
        sent => sent.context("sending a signal"),
    }
}

/// Whether `there` becomes false within this time.
async fn gone(there: impl Fn() -> anyhow::Result<bool>, wait: Duration) -> anyhow::Result<bool> {
    let since = Instant::now();
    while there()? {
        if since.elapsed() > wait {
            return Ok(false);
        }
        sleep(LOOK).await;
    }
    Ok(true)
}

fn show_logs(logs: ShowLogs) -> Result<(), Failure> {
    let (service, _) = known(logs.name)?;
    let mut output = std::io::stdout().lock();
    let path = service.log();
    let shown =
        log::last(&path, u64::from(logs.lines), &mut output).and_then(|newest| match logs.follow {
            true => log::follow(&path, newest, &mut output),
            false => output.flush(),
        });
    match shown {
        // Nobody reads any more.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        shown => Ok(shown.with_context(|| format!("reading {}", path.display()))?),
    }
}

fn print_unit(unit: PrintUnit) -> Result<(), Failure> {
    let (service, record) = known(unit.name)?;
    let text = unit::unit(service.name(), &record.definition).map_err(Failure::User)?;
    Ok(result(text.trim_end())?)
}

fn remove_service(remove: OneService) -> Result<(), Failure> {
    let (service, _) = known(remove.name)?;
    let name = service.name();
    // Held until it is forgotten.
    let lock = service.hold()?;
    if lock.is_none() || service.is_alive()? {
        return Err(Failure::User(anyhow!(
            "{name} runs; stop it first: agon service stop {name}"
        )));
    }
    service.forget()?;
    say(&format!("{name} is forgotten"));
    Ok(())
}

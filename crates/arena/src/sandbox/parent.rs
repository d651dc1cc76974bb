//! The parent's side: start the child, keep the clock, make a judgement of whatever happens.

use super::WORKER_ARGUMENT;
use super::isolation::Strength;
use super::protocol::{
    Hello, Job, Loaded, MAX_ANSWER, MAX_TEXT, OUT_OF_MEMORY, decode_answer, encode, encode_shapes,
    values,
};
use crate::competition::{Budget, Competition, Judgement, SampleError};
use crate::ledger::Outcome;
use agon_model::digest::Digest;
use agon_model::inference::{ENVIRONMENT, Engine, Tensor};
use agon_model::inspect::{Contract, Limits, RefusalKind, TensorContract};
use agon_model::metrics;
use agon_model::proto::ElementType;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// How many samples are prepared ahead of the one being asked.
const PREPARED_AHEAD: usize = 4;
/// How much of an input may be under way, in bytes.
const PIPE: usize = 1 << 20;
/// How much of a dying child's last words is kept.
const LAST_WORDS: u64 = 4096;
/// How long a child may take to be gone once its pipe is closed.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long a child may take to say how strong the sandbox is.
const PROBE: Duration = Duration::from_secs(20);

/// A failure of ours, never of the model judged.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The worker cannot be started.
    #[error("the sandbox worker {program} cannot be started: {source}")]
    Spawn {
        /// The binary tried.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The worker did not even lock itself up.
    #[error("the sandbox worker {program} did not start as one: {last_words}")]
    Hello {
        /// The binary tried.
        program: PathBuf,
        /// What it wrote to standard error.
        last_words: String,
    },
    /// What the competition's models are to be run with cannot be.
    #[error("{0}")]
    Engine(String),
    /// Untrusted models must not run here, unless the operator takes the risk.
    #[error(
        "models cannot be isolated fully on this machine: {0}; --sandbox degraded runs them all the same, at your own risk"
    )]
    Isolation(&'static str),
    /// Inputs were not prepared to the end.
    #[error("the task that prepares the samples was lost")]
    Preparation,
    /// The judging data cannot be read.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// A message could not be formed.
    #[error("sandbox protocol: {0}")]
    Protocol(io::Error),
}

/// Starts workers, each for one model.
#[derive(Clone, Debug)]
pub struct Sandbox {
    program: PathBuf,
    degraded: bool,
    library: Option<PathBuf>,
}

/// How a conversation with a child ended early.
enum Stopped {
    /// It was told to answer by a time and did not.
    Late(&'static str),
    /// Its pipe closed.
    Gone,
    /// It is still there and its judgement is made.
    Judged(Judgement),
    /// Our own failure.
    Ours(SandboxError),
}

impl Sandbox {
    /// A sandbox whose workers are `program` with [`WORKER_ARGUMENT`]; normally the running binary. It refuses to ask
    /// any model on a machine that cannot isolate it fully ([`SandboxError::Isolation`]).
    pub fn new(program: PathBuf) -> Self {
        Self {
            program,
            degraded: false,
            library: None,
        }
    }

    /// The same where the operator takes the risk: models are asked as well isolated as the machine can, and what is
    /// missing is told with each ([`Asked::weakness`]).
    pub fn degraded(program: PathBuf) -> Self {
        Self {
            degraded: true,
            ..Self::new(program)
        }
    }

    /// The same with the shared library of an engine that has one, by its absolute path.
    pub fn with_library(self, library: Option<PathBuf>) -> Self {
        Self { library, ..self }
    }

    /// How well this machine isolates models, as a worker that is given none but the engine finds out.
    ///
    /// # Errors
    /// When no worker starts, or not with this engine.
    pub async fn strength(&self, engine: Engine) -> Result<Strength, SandboxError> {
        let budget = Budget {
            memory_bytes: 1 << 30,
            load: PROBE,
            sample: PROBE,
            total: PROBE,
        };
        let nothing = TensorContract {
            element_type: ElementType::Float,
            dims: Vec::new(),
        };
        let job = Job {
            memory_bytes: budget.memory_bytes,
            processor_seconds: budget.total.as_secs(),
            limits: Limits::default(),
            contract: Contract {
                inputs: Vec::new(),
                required_inputs: 0,
                output: nothing,
            },
            engine,
            library: self.library.clone(),
        };
        let mut worker = Worker::start(&self.program, budget)?;
        // The worker goes with its pipe.
        Ok(worker.hello(&job, &self.program).await?.0)
    }

    /// That models may be asked here with this engine, before the work that comes before the first model. What the isolation lacks, if
    /// that is accepted.
    ///
    /// # Errors
    /// [`SandboxError::Isolation`] if it is not accepted; others when no worker starts.
    pub async fn check(&self, engine: Engine) -> Result<Option<&'static str>, SandboxError> {
        self.accept(&self.strength(engine).await?)
    }

    fn accept(&self, strength: &Strength) -> Result<Option<&'static str>, SandboxError> {
        match strength.weakness() {
            Some(weakness) if !self.degraded => Err(SandboxError::Isolation(weakness)),
            weakness => Ok(weakness),
        }
    }

    /// Ask `model` every item and score its answers.
    pub async fn judge(
        &self,
        competition: Arc<dyn Competition>,
        model: &[u8],
        items: &[usize],
    ) -> Result<Judged, SandboxError> {
        let asking = Asking::default();
        let asked = self.answers(&competition, model, items, &asking).await?;
        let mut answers = Vec::new();
        let judgement = match asked.answers {
            Ok(given) => {
                answers = given.into_iter().collect::<Result<_, _>>()?;
                Judgement::scored(competition.score(items, &answers, model.len() as u64))
            }
            Err(judgement) => judgement,
        };
        Ok(Judged {
            judgement,
            answers,
            engine: asked.engine,
            canonical: asked.canonical,
            seconds: asked.seconds,
            weakness: asked.weakness,
        })
    }

    /// Ask `model` every item. Either there is an answer in the place of every item, quantised, or the judgement that
    /// the model has none.
    ///
    /// The items are shared by the workers of `asking`; each has the competition's budget for itself. The model sees
    /// one item at a time and keeps nothing from one to the next, so the answers do not depend on who asked. It may fail on
    /// as many items as the competition forgives, whose answers are empty then; of more failures the first one after
    /// those counts.
    pub async fn answers(
        &self,
        competition: &Arc<dyn Competition>,
        model: &[u8],
        items: &[usize],
        asking: &Asking,
    ) -> Result<Asked, SandboxError> {
        let limits = competition.limits();
        if let Err(refused) = agon_model::inspect::check_size(model.len() as u64, &limits) {
            return Ok(Asked {
                answers: Err(refusal(refused.kind, refused.to_string())),
                engine: competition.engine().to_string(),
                canonical: None,
                seconds: 0.0,
                weakness: None,
            });
        }
        let queue = Arc::new(Queue {
            competition: competition.clone(),
            items: items.to_vec(),
            asking: asking.clone(),
            forgiven: competition.forgives(items.len()),
            next: AtomicUsize::new(0),
            failures: Mutex::default(),
            done: AtomicUsize::new(0),
        });
        let model: Arc<[u8]> = model.into();
        // Dropped with this future, and its workers with it.
        let mut workers = JoinSet::new();
        for _ in 0..asking.workers.clamp(1, items.len().max(1)) {
            workers.spawn(share(self.clone(), queue.clone(), model.clone()));
        }
        let mut shares = Vec::new();
        while let Some(finished) = workers.join_next().await {
            shares.push(finished.map_err(|_| SandboxError::Preparation)??);
        }
        let mut asked = Asked {
            answers: Ok(Vec::new()),
            engine: shares
                .first()
                .map_or(String::new(), |share| share.engine.clone()),
            canonical: shares.iter().find_map(|share| share.canonical),
            seconds: shares.iter().map(|share| share.seconds).sum(),
            weakness: shares.iter().find_map(|share| share.weakness),
        };
        let over = shares.iter_mut().find_map(|share| share.over.take());
        let mut failures = std::mem::take(&mut *queue.failures());
        let first = failures.keys().nth(queue.forgiven).copied();
        if let Some(judgement) = over.or_else(|| failures.remove(&first?)) {
            asked.answers = Err(judgement);
            return Ok(asked);
        }
        let forgiven = failures.into_keys().map(|at| (at, Ok(Vec::new())));
        let given = shares.into_iter().flat_map(|share| share.answers);
        let mut answers: Vec<_> = given.chain(forgiven).collect();
        answers.sort_unstable_by_key(|(position, _)| *position);
        if answers.len() != items.len() {
            return Err(SandboxError::Preparation);
        }
        asked.answers = Ok(answers.into_iter().map(|(_, answer)| answer).collect());
        Ok(asked)
    }
}

/// What became of a model that was asked.
#[derive(Debug)]
pub struct Asked {
    /// Its answers, or the judgement that it has none.
    pub answers: Result<Answers, Judgement>,
    /// The engine, with its version if it was started.
    pub engine: String,
    /// What it computes, whatever its file looks like, if it could be loaded. The child says so: a model that took its
    /// child over may say anything.
    pub canonical: Option<Digest>,
    /// Processor time of its workers, in seconds.
    pub seconds: f64,
    /// What the isolation on this machine lacks, if anything.
    pub weakness: Option<&'static str>,
}

/// What became of a model that was asked and scored.
#[derive(Debug)]
pub struct Judged {
    /// Its judgement.
    pub judgement: Judgement,
    /// Its answer to each item; none unless it was scored.
    pub answers: Vec<Vec<f32>>,
    /// As in [`Asked`].
    pub engine: String,
    /// As in [`Asked`].
    pub canonical: Option<Digest>,
    /// As in [`Asked`].
    pub seconds: f64,
    /// As in [`Asked`].
    pub weakness: Option<&'static str>,
}

/// The answer to each item, or why the item's own data cannot be read.
pub type Answers = Vec<Result<Vec<f32>, SampleError>>;

/// How a model is asked. By default by one worker, with an end at the first item that cannot be read.
#[derive(Clone)]
pub struct Asking {
    /// How many workers share the items, at least one.
    pub workers: usize,
    /// Go on past items whose own data cannot be read.
    pub skip_unreadable: bool,
    /// Told how many items are done, not always in order.
    pub progress: Arc<dyn Fn(usize) + Send + Sync>,
}

impl Default for Asking {
    fn default() -> Self {
        Self {
            workers: 1,
            skip_unreadable: false,
            progress: Arc::new(|_| {}),
        }
    }
}

/// The items that the workers of one model share.
struct Queue {
    competition: Arc<dyn Competition>,
    items: Vec<usize>,
    asking: Asking,
    /// On how many items a model may fail.
    forgiven: usize,
    /// The first position that nobody has taken.
    next: AtomicUsize,
    /// Where the model failed, and what that means.
    failures: Mutex<BTreeMap<usize, Judgement>>,
    /// How many are done.
    done: AtomicUsize,
}

impl Queue {
    fn take(&self) -> Option<usize> {
        let position = self.next.fetch_add(1, Ordering::Relaxed);
        (position < self.items.len() && self.wanted(position)).then_some(position)
    }

    fn failures(&self) -> MutexGuard<'_, BTreeMap<usize, Judgement>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a position is asked: what comes after the first failure that is not forgiven need not be.
    fn wanted(&self, position: usize) -> bool {
        let failures = self.failures();
        let end = failures.keys().nth(self.forgiven);
        end.is_none_or(|&end| position < end)
    }
}

/// What one worker did.
#[derive(Default)]
struct Share {
    engine: String,
    weakness: Option<&'static str>,
    canonical: Option<Digest>,
    seconds: f64,
    /// By position.
    answers: Vec<(usize, Result<Vec<f32>, SampleError>)>,
    /// Why the model is not asked any more, whatever is forgiven: it could not be loaded, or its time is over.
    over: Option<Judgement>,
}

/// One worker's share of a queue, from its start to its end.
async fn share(
    sandbox: Sandbox,
    queue: Arc<Queue>,
    model: Arc<[u8]>,
) -> Result<Share, SandboxError> {
    let budget = queue.competition.budget();
    let job = Job {
        memory_bytes: budget.memory_bytes,
        processor_seconds: budget.total.as_secs().max(1),
        limits: queue.competition.limits(),
        contract: queue.competition.contract(),
        engine: queue.competition.engine(),
        library: sandbox.library.clone(),
    };
    let deadline = Instant::now() + budget.total;
    let mut share = Share::default();
    let mut prepared = None;
    // A worker that fails on an item that is forgiven is followed by another.
    loop {
        let budget = Budget {
            total: deadline.saturating_duration_since(Instant::now()),
            ..budget.clone()
        };
        let mut worker = Worker::start(&sandbox.program, budget)?;
        let (strength, engine) = worker.hello(&job, &sandbox.program).await?;
        share.engine = engine;
        // Before the worker has seen a byte of the model.
        share.weakness = sandbox.accept(&strength)?;
        let mut position = None;
        let asked = worker
            .ask_all(&queue, &model, &mut prepared, &mut position, &mut share)
            .await;
        share.seconds += worker.processor_seconds();
        let judgement = match asked {
            Ok(()) => return Ok(share),
            Err(Stopped::Judged(judgement)) => judgement,
            Err(Stopped::Late(reason)) => Judgement::failed(Outcome::TooSlow, reason),
            Err(Stopped::Gone) => worker.post_mortem(job.memory_bytes).await,
            Err(Stopped::Ours(error)) => return Err(error),
        };
        let Some(at) = position.filter(|_| Instant::now() < deadline) else {
            share.over = Some(judgement);
            return Ok(share);
        };
        queue.failures().insert(at, judgement);
        if !queue.wanted(at) {
            return Ok(share);
        }
    }
}

/// Whether declared inputs are as many, and of such sizes, as the contract allows.
fn within(declared: &[Vec<Option<usize>>], contract: &Contract) -> bool {
    (contract.required_inputs..=contract.inputs.len()).contains(&declared.len())
        && declared
            .iter()
            .zip(&contract.inputs)
            .all(|(dims, expected)| {
                dims.len() == expected.dims.len()
                    && dims
                        .iter()
                        .zip(&expected.dims)
                        .all(|(size, allowed)| size.is_none_or(|size| allowed.contains(&size)))
            })
}

/// What inspection refused, as an outcome.
fn refusal(kind: RefusalKind, reason: String) -> Judgement {
    let outcome = match kind {
        RefusalKind::TooLarge | RefusalKind::GiantShape => Outcome::TooLarge,
        _ => Outcome::Refused,
    };
    Judgement::failed(outcome, reason)
}

struct Worker {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    last_words: tokio::task::JoinHandle<String>,
    budget: Budget,
    deadline: Instant,
}

impl Worker {
    fn start(program: &std::path::Path, budget: Budget) -> Result<Self, SandboxError> {
        let spawn = |source| SandboxError::Spawn {
            program: program.to_owned(),
            source,
        };
        // The model must not learn which validator runs it: no arguments but one, no environment but
        // what keeps the inference libraries from doing more than they are asked.
        let mut child = Command::new(program)
            .arg(WORKER_ARGUMENT)
            .env_clear()
            .envs(ENVIRONMENT)
            .current_dir("/")
            // A Ctrl-C meant for us must not look like a crash of the model.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(spawn)?;
        let pipe = || spawn(io::Error::other("a pipe is missing"));
        let input = child.stdin.take().ok_or_else(pipe)?;
        // An image is megabytes, and a small pipe takes turns. A system that allows no more gives what it has.
        let _ = rustix::pipe::fcntl_setpipe_size(&input, PIPE);
        let output = child.stdout.take().ok_or_else(pipe)?;
        let errors = child.stderr.take().ok_or_else(pipe)?;
        let last_words = tokio::spawn(async move {
            let mut text = Vec::new();
            let mut errors = errors.take(LAST_WORDS);
            let _ = errors.read_to_end(&mut text).await;
            // Whatever comes after is read and dropped, so that a talkative child cannot block.
            let _ = tokio::io::copy(&mut errors.into_inner(), &mut tokio::io::sink()).await;
            String::from_utf8_lossy(&text).trim().to_owned()
        });
        let deadline = Instant::now() + budget.total;
        Ok(Self {
            child,
            input,
            output,
            last_words,
            budget,
            deadline,
        })
    }

    async fn hello(
        &mut self,
        job: &Job,
        program: &std::path::Path,
    ) -> Result<(Strength, String), SandboxError> {
        let job = encode(job).map_err(SandboxError::Protocol)?;
        let until = self.until(self.budget.load);
        let greeting = async {
            self.write(&job, until, "start").await.ok()?;
            let hello = self.read(MAX_TEXT, until, "start").await.ok()?;
            serde_json::from_slice(&hello).ok()
        };
        match greeting.await {
            Some(Hello::Ready { strength, engine }) => Ok((strength, engine)),
            Some(Hello::NoEngine(reason)) => Err(SandboxError::Engine(reason)),
            None => {
                let _ = self.child.start_kill();
                let _ = self.child.wait().await;
                Err(SandboxError::Hello {
                    program: program.to_owned(),
                    last_words: self.last_words().await,
                })
            }
        }
    }

    /// Load the model and ask it what is left in the queue. `prepared` is what a worker before it was to be asked;
    /// `position` is where it stands, from the first item on.
    async fn ask_all(
        &mut self,
        queue: &Arc<Queue>,
        model: &[u8],
        prepared: &mut Option<Ahead>,
        position: &mut Option<usize>,
        share: &mut Share,
    ) -> Result<(), Stopped> {
        let slow_load = "loading and inspecting the model took too long";
        let until = self.until(self.budget.load);
        self.write(model, until, slow_load).await?;
        let loaded = self.read(MAX_TEXT, until, slow_load).await?;
        let declared: Vec<Vec<Option<usize>>> = match serde_json::from_slice(&loaded) {
            Ok(Loaded::Ready { inputs, canonical }) => {
                share.canonical = Some(canonical);
                inputs
            }
            Ok(Loaded::Refused(kind, reason)) => {
                return Err(Stopped::Judged(refusal(kind, reason)));
            }
            Err(_) => return Err(Stopped::Gone),
        };
        let contract = queue.competition.contract();
        // The child has checked the contract, but a child that a model took over may say anything.
        if !within(&declared, &contract) {
            return Err(Stopped::Judged(Judgement::failed(
                Outcome::Crashed,
                "it declared other inputs than it was inspected for",
            )));
        }
        let output = contract.output;
        let expected = output.dims.iter().map(|sizes| *sizes.start()).product();
        let ahead = prepared.get_or_insert_with(|| Ahead {
            inputs: prepare(queue.clone(), declared.clone()),
            declared: declared.clone(),
        });
        if ahead.declared != declared {
            return Err(Stopped::Judged(Judgement::failed(
                Outcome::Crashed,
                "it declared other inputs than before",
            )));
        }
        while let Some((at, inputs)) = ahead.inputs.recv().await {
            if !queue.wanted(at) {
                break;
            }
            *position = Some(at);
            let answer = match inputs {
                Ok(inputs) => Ok(accept(self.ask(&inputs).await?, expected, at)?),
                Err(error) if queue.asking.skip_unreadable => Err(error),
                Err(error) => return Err(Stopped::Ours(error.into())),
            };
            share.answers.push((at, answer));
            let done = queue.done.fetch_add(1, Ordering::Relaxed) + 1;
            (queue.asking.progress)(done);
        }
        Ok(())
    }

    async fn ask(&mut self, inputs: &[Tensor]) -> Result<Vec<u8>, Stopped> {
        let slow = "a sample took too long";
        let until = self.until(self.budget.sample);
        let shapes =
            encode_shapes(inputs).map_err(|error| Stopped::Ours(SandboxError::Protocol(error)))?;
        self.write(&shapes, until, slow).await?;
        for tensor in inputs {
            self.write_all(values(tensor), until, slow).await?;
        }
        self.read(MAX_ANSWER, until, slow).await
    }

    /// Processor time it has used, in seconds; 0 when it is gone already.
    fn processor_seconds(&self) -> f64 {
        let used = || {
            let path = format!("/proc/{}/stat", self.child.id()?);
            let text = std::fs::read_to_string(path).ok()?;
            // The name of the program, in brackets, may hold anything; user and system time are the 12th and 13th
            // field behind it.
            let (_, fields) = text.rsplit_once(')')?;
            let times = fields.split_whitespace().skip(11).take(2);
            let ticks: Option<Vec<u64>> = times.map(|ticks| ticks.parse().ok()).collect();
            Some(ticks?.into_iter().sum::<u64>())
        };
        let second = rustix::param::clock_ticks_per_second().max(1);
        used().unwrap_or(0) as f64 / second as f64
    }

    fn until(&self, allowance: Duration) -> Instant {
        self.deadline.min(Instant::now() + allowance)
    }

    async fn write(
        &mut self,
        bytes: &[u8],
        until: Instant,
        late: &'static str,
    ) -> Result<(), Stopped> {
        let length = (bytes.len() as u32).to_le_bytes();
        self.write_all(&length, until, late).await?;
        self.write_all(bytes, until, late).await
    }

    async fn write_all(
        &mut self,
        bytes: &[u8],
        until: Instant,
        late: &'static str,
    ) -> Result<(), Stopped> {
        match timeout_at(until, self.input.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Stopped::Gone),
            Err(_) => Err(Stopped::Late(late)),
        }
    }

    async fn read(
        &mut self,
        limit: usize,
        until: Instant,
        late: &'static str,
    ) -> Result<Vec<u8>, Stopped> {
        let read = async {
            let length = self.output.read_u32_le().await? as usize;
            if length > limit {
                return Err(io::Error::other("frame too long"));
            }
            let mut bytes = vec![0; length];
            self.output.read_exact(&mut bytes).await?;
            Ok(bytes)
        };
        match timeout_at(until, read).await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(_)) => Err(Stopped::Gone),
            Err(_) => Err(Stopped::Late(late)),
        }
    }

    async fn last_words(&mut self) -> String {
        match tokio::time::timeout(FAREWELL, &mut self.last_words).await {
            Ok(Ok(words)) => words,
            _ => String::new(),
        }
    }

    /// Why a child whose pipe closed is gone.
    async fn post_mortem(mut self, memory_bytes: u64) -> Judgement {
        let status = match tokio::time::timeout(FAREWELL, self.child.wait()).await {
            Ok(Ok(status)) => status,
            _ => return Judgement::failed(Outcome::Crashed, "it broke the protocol"),
        };
        let words = self.last_words().await;
        if OUT_OF_MEMORY.iter().any(|begin| words.contains(begin)) {
            let reason = format!("it needs more than {} MiB of memory", memory_bytes >> 20);
            return Judgement::failed(Outcome::TooLarge, reason);
        }
        match status.signal() {
            Some(libc::SIGXCPU) => {
                Judgement::failed(Outcome::TooSlow, "it used up its processor time")
            }
            Some(libc::SIGKILL) => Judgement::failed(
                Outcome::Crashed,
                "its process was killed from outside, probably for want of memory",
            ),
            Some(libc::SIGSYS) => {
                Judgement::failed(Outcome::Crashed, "it tried a forbidden system call")
            }
            Some(signal) => Judgement::failed(
                Outcome::Crashed,
                format!("its process died of signal {signal}"),
            ),
            None => {
                let last = words.lines().last().unwrap_or("no message");
                Judgement::failed(Outcome::Crashed, format!("its process ended: {last}"))
            }
        }
    }
}

/// Inputs that are prepared ahead, for what the model declared.
struct Ahead {
    inputs: mpsc::Receiver<Prepared>,
    declared: Vec<Vec<Option<usize>>>,
}

/// The position and the inputs of an item.
type Prepared = (usize, Result<Vec<Tensor>, SampleError>);

/// Prepare the inputs of what is left in the queue on a thread of its own, a few ahead.
fn prepare(queue: Arc<Queue>, declared: Vec<Vec<Option<usize>>>) -> mpsc::Receiver<Prepared> {
    let (sender, receiver) = mpsc::channel(PREPARED_AHEAD);
    tokio::task::spawn_blocking(move || {
        while let Some(position) = queue.take() {
            let inputs = queue.competition.inputs(queue.items[position], &declared);
            if sender.blocking_send((position, inputs)).is_err() {
                return;
            }
        }
    });
    receiver
}

/// `expected` finite values, quantised; anything else is the model's fault.
fn accept(answer: Vec<u8>, expected: usize, sample: usize) -> Result<Vec<f32>, Stopped> {
    let refused = |reason: String| Stopped::Judged(Judgement::failed(Outcome::Refused, reason));
    let mut values = match decode_answer(&answer) {
        None => return Err(Stopped::Gone),
        Some(Err(reason)) => return Err(refused(format!("sample {sample}: {reason}"))),
        Some(Ok(tensor)) => tensor.data,
    };
    if values.len() != expected {
        let found = values.len();
        return Err(refused(format!(
            "sample {sample}: it answered {found} values instead of {expected}"
        )));
    }
    metrics::quantise(&mut values).map_err(|error| refused(format!("sample {sample}: {error}")))?;
    Ok(values)
}

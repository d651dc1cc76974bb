//! The parent's side: start the child, keep the clock, make a judgement of whatever happens.

use super::WORKER_ARGUMENT;
use super::isolation::Strength;
use super::protocol::{
    Job, Loaded, MAX_ANSWER, MAX_TEXT, decode_answer, decode_strength, encode, encode_tensors,
};
use crate::competition::{Budget, Competition, Judgement, SampleError};
use crate::ledger::Outcome;
use agon_model::inference::{ENVIRONMENT, Tensor};
use agon_model::inspect::{Contract, RefusalKind};
use agon_model::metrics;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// How many samples are prepared ahead of the one being asked.
const PREPARED_AHEAD: usize = 4;
/// How much of a dying child's last words is kept.
const LAST_WORDS: u64 = 4096;
/// How long a child may take to be gone once its pipe is closed.
const FAREWELL: Duration = Duration::from_secs(5);

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
    /// Untrusted models must not run here.
    #[error("models cannot be isolated on this machine: {0}")]
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

/// Starts one worker a model.
#[derive(Clone, Debug)]
pub struct Sandbox {
    program: PathBuf,
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
    /// A sandbox whose workers are `program` with [`WORKER_ARGUMENT`]; normally the running binary.
    pub fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// Ask `model` every item and score its answers. The second value says what the isolation on this
    /// machine lacks, if anything.
    pub async fn judge(
        &self,
        competition: Arc<dyn Competition>,
        model: &[u8],
        items: &[usize],
    ) -> Result<(Judgement, Option<&'static str>), SandboxError> {
        let budget = competition.budget();
        let limits = competition.limits();
        if let Err(refused) = agon_model::inspect::check_size(model.len() as u64, &limits) {
            return Ok((refusal(refused.kind, refused.to_string()), None));
        }
        let job = Job {
            memory_bytes: budget.memory_bytes,
            processor_seconds: budget.total.as_secs().max(1),
            limits,
            contract: competition.contract(),
        };
        let mut worker = Worker::start(&self.program, budget)?;
        let strength = worker.hello(&job, &self.program).await?;
        let weakness = strength.weakness();
        if let Some(reason) = weakness.filter(|_| !strength.system_calls) {
            return Err(SandboxError::Isolation(reason));
        }
        let judgement = match worker.ask_all(&competition, model, items).await {
            Ok(answers) => Judgement {
                outcome: Outcome::Scored,
                reason: None,
                score: Some(competition.score(items, &answers, model.len() as u64)),
            },
            Err(Stopped::Judged(judgement)) => judgement,
            Err(Stopped::Late(reason)) => Judgement::failed(Outcome::TooSlow, reason),
            Err(Stopped::Gone) => worker.post_mortem(job.memory_bytes).await,
            Err(Stopped::Ours(error)) => return Err(error),
        };
        Ok((judgement, weakness))
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
        // what keeps the inference library from starting a thread for each core.
        let mut child = Command::new(program)
            .arg(WORKER_ARGUMENT)
            .env_clear()
            .env(ENVIRONMENT.0, ENVIRONMENT.1)
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
    ) -> Result<Strength, SandboxError> {
        let job = encode(job).map_err(SandboxError::Protocol)?;
        let until = self.until(self.budget.load);
        let greeting = async {
            self.write(&job, until, "start").await.ok()?;
            let hello = self.read(MAX_TEXT, until, "start").await.ok()?;
            decode_strength(&hello).ok()
        };
        match greeting.await {
            Some(strength) => Ok(strength),
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

    async fn ask_all(
        &mut self,
        competition: &Arc<dyn Competition>,
        model: &[u8],
        items: &[usize],
    ) -> Result<Vec<Vec<f32>>, Stopped> {
        let slow_load = "loading and inspecting the model took too long";
        let until = self.until(self.budget.load);
        self.write(model, until, slow_load).await?;
        let loaded = self.read(MAX_TEXT, until, slow_load).await?;
        let declared: Vec<Vec<Option<usize>>> = match serde_json::from_slice(&loaded) {
            Ok(Loaded::Ready(declared)) => declared,
            Ok(Loaded::Refused(kind, reason)) => {
                return Err(Stopped::Judged(refusal(kind, reason)));
            }
            Err(_) => return Err(Stopped::Gone),
        };
        let contract = competition.contract();
        // The child has checked the contract, but a child that a model took over may say anything.
        if !within(&declared, &contract) {
            return Err(Stopped::Judged(Judgement::failed(
                Outcome::Crashed,
                "it declared other inputs than it was inspected for",
            )));
        }
        let output = contract.output;
        let values = output.dims.iter().map(|sizes| *sizes.start()).product();
        let mut prepared = prepare(competition.clone(), items.to_vec(), declared);
        let mut answers = Vec::with_capacity(items.len());
        while let Some(inputs) = prepared.recv().await {
            let inputs = inputs.map_err(|error| Stopped::Ours(error.into()))?;
            let answer = self.ask(&inputs).await?;
            answers.push(accept(answer, values, answers.len())?);
        }
        match answers.len() == items.len() {
            true => Ok(answers),
            false => Err(Stopped::Ours(SandboxError::Preparation)),
        }
    }

    async fn ask(&mut self, inputs: &[Tensor]) -> Result<Vec<u8>, Stopped> {
        let slow = "a sample took too long";
        let until = self.until(self.budget.sample);
        self.write(&encode_tensors(inputs), until, slow).await?;
        self.read(MAX_ANSWER, until, slow).await
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
        let write = async {
            self.input.write_all(&length).await?;
            self.input.write_all(bytes).await?;
            self.input.flush().await
        };
        match timeout_at(until, write).await {
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
        if words.contains("memory allocation of") {
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

/// Prepare the inputs of each item on a thread of its own, a few ahead.
fn prepare(
    competition: Arc<dyn Competition>,
    items: Vec<usize>,
    declared: Vec<Vec<Option<usize>>>,
) -> mpsc::Receiver<Result<Vec<Tensor>, SampleError>> {
    let (sender, receiver) = mpsc::channel(PREPARED_AHEAD);
    tokio::task::spawn_blocking(move || {
        for item in items {
            if sender
                .blocking_send(competition.inputs(item, &declared))
                .is_err()
            {
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

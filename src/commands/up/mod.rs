//! `agon up`: a whole network in one process tree. This module only says in which order; the chain,
//! the miners and the validators are the same parts that run alone.

mod board;
mod home;
mod miners;
mod network;

use crate::args::{DEFAULT_SEED, Logging, Up};
use crate::failure::Failure;
use crate::health::Watched;
use crate::logging;
use crate::printer::Printer;
use crate::signals::told_to_stop;
use crate::talk::Talk;
use agon_arena::competition::Competition;
use agon_arena::compute::models_at_once;
use agon_arena::event::{Event, Events};
use agon_arena::fetch::Fetch;
use agon_arena::ledger::Ledger;
use agon_arena::sandbox::{Sandbox, SandboxError};
use agon_arena::seed::SampleSource;
use agon_arena::subnet::tricorder::parts::Parts;
use agon_arena::subnet::tricorder::{self, Tricorder};
use agon_arena::validator::{Models, Setup, Task, Validator, ValidatorError};
use agon_dataset::skin::synthetic::{self, Synthetic};
use agon_dataset::store::LocalStore;
use agon_neuron::ChainClient;
use agon_node::{Node, NodeOptions, StartError, genesis};
use anyhow::{Context, anyhow};
use board::{Document, Scoreboard, Seen};
use home::{Home, Manifest, OpenRun};
use miners::Mine;
use network::{Network, Team};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How many images are generated: enough that rounds judge different samples of the judging part.
const SYNTHETIC_IMAGES: usize = 2000;

/// Run the network until its rounds are done or the user stops it.
pub async fn run(up: Up, logging: &Logging) -> Result<(), Failure> {
    let home = Home::open(&up.home)?;
    logging::start(&home.logs(), logging)?;
    let data = up.data.as_deref().map(existing_directory).transpose()?;
    let wanted = Manifest::new(
        data,
        up.seed,
        up.miners,
        up.validators,
        up.judging_sample,
        up.training_effort,
        up.scoring,
    );
    let manifest = match up.fresh {
        true => wanted,
        false => home.manifest(wanted)?,
    };
    let printer = Arc::new(Printer::new(logging.debug || logging.trace));
    let stop = CancellationToken::new();
    let interrupt = stop.clone();
    tokio::spawn(async move {
        told_to_stop().await;
        interrupt.cancel();
    });
    let watched = Watched::start(&up.watching, &printer).await?;
    let run = Run {
        watched,
        talk: Talk::new(printer.clone()),
        board: Arc::new(Mutex::new(Scoreboard::default())),
        home,
        manifest,
        up,
        printer,
        stop,
    };
    let result = run.all().await;
    // However it ended: training and judging must not outlive the command.
    run.stop.cancel();
    if matches!(result, Err(Failure::Interrupted)) {
        run.printer
            .say("stopped; the same command continues from here");
    }
    result
}

fn existing_directory(path: &Path) -> Result<std::path::PathBuf, Failure> {
    path.canonicalize()
        .with_context(|| format!("cannot read the data directory {}", path.display()))
        .map_err(Failure::User)
}

struct Run {
    watched: Option<Watched>,
    talk: Talk,
    board: Arc<Mutex<Scoreboard>>,
    home: Home,
    manifest: Manifest,
    up: Up,
    printer: Arc<Printer>,
    stop: CancellationToken,
}

impl Run {
    async fn all(&self) -> Result<(), Failure> {
        let sandbox = self.up.isolating.sandbox().await?;
        let parts = self.parts().await?;
        // The data are good, so the settings are: only now does an old network go, and only now are the
        // settings this home's.
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.up.port));
        drop(std::net::TcpListener::bind(address).map_err(|error| {
            Failure::User(anyhow!(
                "cannot listen on {address}: {error}; choose another --port"
            ))
        })?);
        if self.up.fresh || !self.home.has_network() {
            self.home.clear()?;
        }
        let node = self.node(address).await?;
        self.home.store_manifest(&self.manifest)?;
        let result = tokio::select! {
            result = self.with_chain(&node, parts, sandbox) => result,
            failure = node.failed() => Err(Failure::Ours(failure.into())),
        };
        node.stop().await;
        result
    }

    fn events(&self, who: &str) -> Events {
        let (talk, board) = (self.talk.clone(), self.board.clone());
        let health = self.watched.as_ref().map(|watched| watched.health.clone());
        let listener = move |who: &str, event: &Event| {
            if let Some(health) = &health {
                health.observe(who, event);
            }
            board
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .observe(who, event);
            talk.tell(who, event);
        };
        Events::new(who, Arc::new(listener))
    }

    fn seed(&self) -> u64 {
        self.manifest.seed.unwrap_or(DEFAULT_SEED)
    }

    /// Read or generate the images and split them.
    async fn parts(&self) -> Result<Parts, Failure> {
        let seed = self.seed();
        let directory = match &self.manifest.data {
            Some(directory) => directory.clone(),
            None => self.generate().await?,
        };
        let load = tokio::task::spawn_blocking(move || Parts::load(&directory, seed));
        let parts = load.await?.map_err(Failure::user)?;
        let count = |what: &str, records: &[_]| format!("{} to {what}", records.len());
        self.printer.say(&format!(
            "images: {}, {}, {} (validators only), split by lesion",
            count("learn from", &parts.miner.training),
            count("choose with", &parts.miner.selection),
            count("judge with", &parts.judging),
        ));
        Ok(parts)
    }

    async fn generate(&self) -> Result<std::path::PathBuf, Failure> {
        self.printer.say(
            "no --data given: the images are SYNTHETIC, generated lesions that say nothing about medicine",
        );
        let directory = self.home.synthetic();
        let parameters = Synthetic {
            seed: self.seed(),
            images: SYNTHETIC_IMAGES,
            ..Synthetic::default()
        };
        let (events, target) = (self.events("images"), directory.clone());
        let generate = move || {
            synthetic::generate(&target, &parameters, &|done, total| {
                events.emit(&Event::Loading { done, total });
            })
        };
        tokio::task::spawn_blocking(generate).await??;
        Ok(directory)
    }

    async fn node(&self, listen: SocketAddr) -> Result<Node, Failure> {
        let database = self.home.chain();
        if let Some(directory) = database.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let options = NodeOptions {
            database: Some(database),
            listen,
            block_time: self.up.block_time.into(),
            genesis: Some(genesis::development(&[])),
            ..NodeOptions::default()
        };
        Node::start(options).await.map_err(|error| match error {
            StartError::AddressInUse { .. } | StartError::Listen { .. } => {
                Failure::User(anyhow!("{error} (--port)"))
            }
            other => Failure::Ours(other.into()),
        })
    }

    async fn with_chain(&self, node: &Node, parts: Parts, sandbox: Sandbox) -> Result<(), Failure> {
        let client = ChainClient::connect(&node.url()).await?;
        if let Some(watched) = &self.watched {
            watched.follow(&client);
        }
        let state = client.finalized().await?;
        let events = self.events("chain");
        events.emit(&Event::ChainStarted {
            url: node.url(),
            genesis: client.genesis_hash(),
            block: state.number(),
        });
        let team = Team::open(&self.home, self.manifest.validators, self.manifest.miners)?;
        let known = team
            .neurons()
            .map(|member| (member.account(), member.name.clone()));
        self.talk.introduce(known);
        let establish = Network::establish(client, team, tricorder::NAME, &events);
        let network = self.unless_stopped(establish).await?;
        let store = Arc::new(LocalStore::open(self.home.store())?);
        let mine = Mine {
            home: &self.home,
            network: &network,
            store: store.clone(),
            sandbox: sandbox.clone(),
            parts: Arc::new(parts.miner),
            seed: self.seed(),
            effort: self.manifest.training_effort,
            stop: self.stop.clone(),
        };
        // Not dropped on Ctrl-C but told to stop: training ends at its next step.
        mine.submit_all(|name| self.events(name)).await?;
        self.unless_stopped(all_committed_before_an_epoch(&network))
            .await?;

        let judging = parts.judging;
        let records = judging.len();
        let sample = self.manifest.judging_sample as usize;
        let competition =
            Arc::new(Tricorder::new(judging, sample).with_scoring(self.manifest.scoring.into()));
        let sample_source = match self.manifest.seed {
            Some(seed) => {
                self.printer.say(&format!(
                    "--seed {seed} also fixes the judging samples: right for a development chain, never for a real one"
                ));
                SampleSource::Fixed(seed)
            }
            None => SampleSource::Chain,
        };
        let mut validators = Vec::new();
        for member in &network.team.validators {
            let directory = self.home.validator(&member.name);
            let genesis = network.client.genesis_hash().0;
            let ledger = Ledger::open(&directory, &genesis, tricorder::NAME).await?;
            let seen = Seen::of(ledger.records()).await?;
            self.board().insert(&member.name, seen);
            let setup = Setup {
                client: ChainClient::connect(&node.url()).await?,
                netuid: network.netuid,
                hotkey: member.hotkey.clone(),
                task: Task::Models(Models {
                    competition: competition.clone(),
                    store: Fetch::local(store.clone()),
                    sandbox: sandbox.clone(),
                    at_once: models_at_once(&competition.budget()),
                }),
                sample_source,
                stake_limit: None,
                sets_weights: true,
                events: self.events(&member.name),
            };
            validators.push(Validator::new(setup, ledger));
        }
        let goal = self.goal()?;
        let outcome = self.rounds(&network, validators, goal).await;
        let interrupted = matches!(outcome, Err(Failure::Interrupted));
        // Without --rounds, Ctrl-C is how a run ends.
        if !(outcome.is_ok() || interrupted && goal.is_none()) {
            return outcome;
        }
        let finished = self.board().finished();
        let state = network.client.finalized().await?;
        let board = self.board().clone();
        let leaderboard = board.leaderboard(finished, &network, &state).await?;
        if self.up.json {
            let source = match &self.manifest.data {
                Some(directory) => directory.display().to_string(),
                None => "synthetic".to_owned(),
            };
            let document =
                Document::new(&network, source, records, self.manifest.seed, leaderboard);
            self.printer
                .result(&serde_json::to_string_pretty(&document)?);
        }
        // Only now: whoever is killed before the result is out gets it from the same command again.
        if goal.is_some() {
            self.remember(None)?;
        }
        Ok(())
    }

    fn board(&self) -> std::sync::MutexGuard<'_, Scoreboard> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The round to stop after. A command that was stopped on its way keeps its goal; any other gets
    /// new rounds on top of the finished ones.
    fn goal(&self) -> Result<Option<u64>, Failure> {
        let Some(rounds) = self.up.rounds else {
            return Ok(None);
        };
        if let Some(open) = self.manifest.open_run.filter(|open| open.rounds == rounds) {
            return Ok(Some(open.goal));
        }
        let goal = self.board().finished() + rounds;
        self.remember(Some(OpenRun { rounds, goal }))?;
        Ok(Some(goal))
    }

    fn remember(&self, open_run: Option<OpenRun>) -> Result<(), Failure> {
        let mut manifest = self.manifest.clone();
        manifest.open_run = open_run;
        Ok(self.home.store_manifest(&manifest)?)
    }

    /// Let every validator work until the goal, and show the board after each round all have
    /// finished.
    async fn rounds(
        &self,
        network: &Network,
        validators: Vec<Validator>,
        goal: Option<u64>,
    ) -> Result<(), Failure> {
        let (done, mut finished) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        for mut validator in validators {
            let (stop, done) = (self.stop.clone(), done.clone());
            tasks.spawn(async move {
                let result = tokio::select! {
                    biased;
                    () = stop.cancelled() => Ok(false),
                    result = validator.run(goal, || { let _ = done.send(()); }) => result.map(|()| true),
                };
                validator.close().await;
                result
            });
        }
        drop(done);
        let mut shown = self.board().finished();
        loop {
            let task = tokio::select! {
                biased;
                Some(()) = finished.recv() => None,
                Some(task) = tasks.join_next() => Some(task),
                else => return Ok(()),
            };
            // One validator that fails ends the command: the others would go on unnoticed.
            if let Some(task) = task {
                let to_the_goal: Result<bool, ValidatorError> = task?;
                match to_the_goal {
                    Ok(true) => continue,
                    Ok(false) => return Err(Failure::Interrupted),
                    Err(ValidatorError::Sandbox(error @ SandboxError::Sample(_))) => {
                        return Err(Failure::user(error));
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            let round = self.board().finished();
            if round > shown {
                shown = round;
                let state = network.client.finalized().await?;
                let board = self.board().clone();
                let leaderboard = board.leaderboard(round, network, &state).await?;
                match self.up.json {
                    true => self.printer.say(&leaderboard.table()),
                    false => self.printer.result(&leaderboard.table()),
                }
            }
        }
    }

    async fn unless_stopped<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            result = work => result,
            () = self.stop.cancelled() => Err(Failure::Interrupted),
        }
    }
}

/// Rounds begin with an epoch: wait for the first one that comes after every commitment, so that the
/// first round knows them all.
async fn all_committed_before_an_epoch(network: &Network) -> Result<(), Failure> {
    let mut state = network.client.finalized().await?;
    let commitments = state.commitments(network.netuid).await?;
    let last = commitments
        .iter()
        .map(|commitment| commitment.block)
        .max()
        .unwrap_or(0);
    while state.epoch(network.netuid).await?.last_block < last {
        state = network.client.wait_for_block(state.number() + 1).await?;
    }
    Ok(())
}

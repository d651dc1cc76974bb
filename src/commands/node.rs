//! `agon node`: a chain of one machine.

use crate::args::Logging;
use crate::args::node::{
    BasePath, ExportGenesis, Node as Arguments, NodeVerb, Pruning, Restore, RunNode, TakeSnapshot,
};
use crate::failure::Failure;
use crate::logging;
use crate::printer::result;
use agon_node::snapshot::{self, SnapshotError, Summary};
use agon_node::{ContinueError, Genesis, Limits, Node, NodeOptions, StartError, genesis};
use anyhow::{Context, anyhow};
use jsonrpsee::core::client::ClientT;
use jsonrpsee::rpc_params;
use jsonrpsee::ws_client::WsClientBuilder;
use serde_json::json;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::signal::unix::{SignalKind, signal};

/// How long a running node may take to copy itself.
const SNAPSHOT_DEADLINE: Duration = Duration::from_secs(600);

/// Run one verb.
pub async fn run(arguments: Arguments, logging: &Logging) -> Result<(), Failure> {
    match arguments.verb {
        NodeVerb::Run(run) => serve(*run, logging).await,
        NodeVerb::ExportGenesis(export) => export_genesis(export),
        NodeVerb::Snapshot(take) => take_snapshot(take).await,
        NodeVerb::Restore(from) => restore(from),
    }
}

/// The directory of a chain. One process at a time holds it; the lock file says where that one listens.
struct Base {
    directory: PathBuf,
    lock: File,
}

impl Base {
    fn open(directory: &Path) -> Result<Self, Failure> {
        let context = || format!("cannot use {} as a base path", directory.display());
        std::fs::create_dir_all(directory)
            .with_context(context)
            .map_err(Failure::User)?;
        let lock = Self::lock_file(directory)
            .with_context(context)
            .map_err(Failure::User)?;
        if lock.try_lock().is_err() {
            return Err(Failure::User(anyhow!(
                "another agon is using {}{}; stop it or choose another --base-path",
                directory.display(),
                url_in(lock).map_or(String::new(), |url| format!(" and serves {url}")),
            )));
        }
        Ok(Self {
            directory: directory.to_owned(),
            lock,
        })
    }

    fn lock_file(directory: &Path) -> std::io::Result<File> {
        let mut options = File::options();
        // Not truncated: it says where the node listens that holds it.
        options.read(true).write(true).create(true).truncate(false);
        options.open(directory.join("lock"))
    }

    /// Leave a note for the commands that find the directory locked.
    fn announce(&mut self, url: &str) -> std::io::Result<()> {
        self.lock.set_len(0)?;
        self.lock.rewind()?;
        self.lock.write_all(url.as_bytes())
    }
}

fn database(directory: &Path) -> PathBuf {
    directory.join("chain.redb")
}

/// Where the node listens that holds a lock, if it has said so.
fn url_in(mut lock: File) -> Option<String> {
    let mut url = String::new();
    lock.rewind().ok()?;
    lock.take(256).read_to_string(&mut url).ok()?;
    url.starts_with("ws://").then_some(url)
}

async fn serve(run: RunNode, logging: &Logging) -> Result<(), Failure> {
    logging::to_standard_error(logging);
    let temporary = run.tmp.then(tempfile::tempdir).transpose()?;
    let directory = match &temporary {
        Some(temporary) => temporary.path(),
        None => &run.base_path.directory,
    };
    let genesis = match run.genesis.as_deref() {
        Some(path) => Some(genesis_file(path)?),
        None if run.dev && run.beacon_url.is_some() => Some(Genesis {
            beacon: None,
            ..genesis::development(&[])
        }),
        None => None,
    };
    let mut base = Base::open(directory)?;
    if genesis.is_none() && !run.dev && !database(directory).exists() {
        return Err(Failure::User(anyhow!(
            "{} holds no chain: give the new one a --genesis file, or --dev for a development chain",
            directory.display()
        )));
    }
    // Before the node, so that nothing it counts is lost.
    let prometheus = crate::metrics::serve(&run.metrics)?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let node = start(&run, directory, genesis).await?;
    base.announce(&node.url())?;
    announce(&run, &node, directory, prometheus)?;

    let outcome = tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        failure = node.failed() => Err(Failure::Ours(failure.into())),
    };
    tracing::info!("stopping");
    node.stop().await;
    base.announce("")?;
    outcome
}

async fn start(run: &RunNode, directory: &Path, genesis: Option<Genesis>) -> Result<Node, Failure> {
    let host = if run.rpc_external {
        Ipv4Addr::UNSPECIFIED
    } else {
        Ipv4Addr::LOCALHOST
    };
    let options = NodeOptions {
        database: Some(database(directory)),
        listen: (host, run.rpc_port).into(),
        block_time: run.block_time,
        genesis,
        pruning: match run.pruning {
            Some(Pruning::Keep(kept)) => Some(kept),
            Some(Pruning::Archive) | None => None,
        },
        development: run.dev,
        origins: run.rpc_cors.clone().unwrap_or_default(),
        limits: Limits {
            connections: run.rpc_max_connections,
            subscriptions_per_connection: run.rpc_max_subscriptions_per_connection,
            request_bytes: run.rpc_max_request_size << 20,
            response_bytes: run.rpc_max_response_size << 20,
            ..Limits::default()
        },
        beacon_url: run.beacon_url.clone(),
    };
    Node::start(options).await.map_err(|error| match error {
        StartError::AddressInUse { .. } | StartError::Listen { .. } => {
            Failure::User(anyhow!("{error} (--rpc-port)"))
        }
        StartError::Continue(ContinueError::OtherGenesis { .. } | ContinueError::Begin(_)) => {
            Failure::User(anyhow!("{error} (--genesis, --base-path)"))
        }
        StartError::Open(_) => Failure::user(error),
        StartError::BeaconUrl(_) => Failure::User(anyhow!("{error} (--beacon-url)")),
        other => Failure::Ours(other.into()),
    })
}

/// Say on standard output where the node listens.
fn announce(
    run: &RunNode,
    node: &Node,
    directory: &Path,
    prometheus: Option<SocketAddr>,
) -> std::io::Result<()> {
    let metrics = prometheus.map(|address| format!("http://{address}/metrics"));
    if run.json {
        let document = json!({
            "schema": 1,
            "url": node.url(),
            "address": node.local_address(),
            "genesis": node.genesis_hash(),
            "base_path": directory,
            "metrics": metrics,
        });
        return result(&document.to_string());
    }
    result(&format!("listening on {} (WebSocket and HTTP)", node.url()))?;
    result(&format!("chain in {}", directory.display()))?;
    match metrics {
        Some(metrics) => result(&format!("metrics on {metrics}")),
        None => Ok(()),
    }
}

fn genesis_file(path: &Path) -> Result<Genesis, Failure> {
    let read = || -> anyhow::Result<Genesis> {
        let mut text = String::new();
        let file = File::open(path)?.take(genesis::MAX_FILE_BYTES);
        { file }.read_to_string(&mut text)?;
        Ok(genesis::from_json(&text)?)
    };
    read()
        .with_context(|| format!("cannot use the genesis file {}", path.display()))
        .map_err(Failure::User)
}

fn export_genesis(export: ExportGenesis) -> Result<(), Failure> {
    let text = match export.directory {
        None => genesis::to_json(&genesis::development(&[])),
        Some(directory) => {
            existing(&directory)?;
            let _base = Base::open(&directory)?;
            snapshot::genesis(&database(&directory)).map_err(blame)?
        }
    };
    Ok(result(&text)?)
}

fn existing(directory: &Path) -> Result<(), Failure> {
    if database(directory).exists() {
        return Ok(());
    }
    Err(Failure::User(anyhow!(
        "{} holds no chain; give its --base-path",
        directory.display()
    )))
}

async fn take_snapshot(take: TakeSnapshot) -> Result<(), Failure> {
    let BasePath { directory } = &take.base_path;
    existing(directory)?;
    if take.to.exists() {
        return Err(Failure::User(anyhow!(
            "{} exists already; choose another --to",
            take.to.display()
        )));
    }
    let lock = Base::lock_file(directory)?;
    let summary = match lock.try_lock() {
        Ok(()) => snapshot::take(&database(directory), &take.to),
        Err(_) => {
            let url = url_in(lock).ok_or_else(|| {
                Failure::User(anyhow!(
                    "another agon is using {} and does not listen; wait for it or stop it",
                    directory.display()
                ))
            })?;
            let copy = ask_running(&url).await?;
            let summary = snapshot::take(&copy, &take.to);
            std::fs::remove_file(&copy).with_context(|| format!("removing {}", copy.display()))?;
            summary
        }
    };
    say(take.json, "written to", &take.to, summary.map_err(blame)?)
}

/// Have a running node copy its chain to a file beside its database.
async fn ask_running(url: &str) -> Result<PathBuf, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let name = format!("snapshot-{}", since.as_millis());
    let client = WsClientBuilder::default()
        .request_timeout(SNAPSHOT_DEADLINE)
        .build(url)
        .await
        .with_context(|| {
            format!("the chain is in use by a node that cannot be reached at {url}")
        })?;
    client
        .request("dev_snapshot", rpc_params![name])
        .await
        .with_context(|| {
            format!("the node at {url} makes no snapshot; stop it first, or run it with --dev")
        })
        .map_err(Failure::User)
}

fn restore(restore: Restore) -> Result<(), Failure> {
    let base = Base::open(&restore.base_path.directory)?;
    let target = database(&base.directory);
    if target.exists() && !restore.replace {
        return Err(Failure::User(anyhow!(
            "{} holds a chain already; choose another --base-path or say --replace",
            base.directory.display()
        )));
    }
    let summary = snapshot::restore(&restore.from, &target, restore.replace).map_err(blame)?;
    say(restore.json, "restored to", &base.directory, summary)
}

fn say(
    json: bool,
    done: &str,
    path: &Path,
    Summary { number, hash }: Summary,
) -> Result<(), Failure> {
    Ok(result(&match json {
        true => json!({ "schema": 1, "path": path, "block": number, "hash": hash }).to_string(),
        false => format!("block {number}, {hash:?}, {done} {}", path.display()),
    })?)
}

/// What a chain or a snapshot is, is the user's to mend, except what the disk refuses.
fn blame(error: SnapshotError) -> Failure {
    match error {
        SnapshotError::Storage(_) | SnapshotError::Write { .. } => Failure::Ours(error.into()),
        other => Failure::user(other),
    }
}

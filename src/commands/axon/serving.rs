//! What every server of ours does: it opens whatever can fail before the first request is taken, and keeps up to date who
//! may ask.

use crate::args::{AXON_PORT, Serving};
use crate::failure::Failure;
use crate::memory::Memory;
use agon_keys::AccountId;
use agon_neuron::axon::policy::Limiter;
use agon_neuron::axon::{
    Axon, AxonService, Connections, Door, Gate, Limits, Rate, Replay, Rules, Server, serve,
    tls_from_pem,
};
use agon_neuron::{ChainClient, Follower, Signer};
use anyhow::{Context, anyhow};
use std::collections::HashSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// How many requests a hotkey may send at once where there is a rate.
const BURST: u32 = 10;
/// How often lists are looked at, and what was taken long ago is forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// The most bytes of a list.
const MAX_LIST: u64 = 4 << 20;

/// Who serves, and for whom.
pub struct Opening<'a> {
    /// What was typed.
    pub options: &'a Serving,
    /// The hotkey.
    pub signer: Arc<dyn Signer>,
    /// The least stake of who is answered, in rao of alpha.
    pub min_stake: u64,
    /// The chain that knows who is registered, and the subnet; without it everybody may ask.
    pub chain: Option<(ChainClient, u16)>,
}

/// A server that runs.
pub struct Desk<'a> {
    options: &'a Serving,
    min_stake: u64,
    door: Arc<Door>,
    replay: Arc<Replay>,
    follower: Option<Follower>,
    lists: Lists,
    service: AxonService,
    server: Server,
}

impl<'a> Desk<'a> {
    /// Opens a server; `routes` says what it answers.
    pub async fn open(
        opening: Opening<'a>,
        routes: impl FnOnce(Axon) -> Axon,
    ) -> Result<Self, Failure> {
        let Opening {
            options,
            signer,
            min_stake,
            chain,
        } = opening;
        let hotkey = signer.account();
        let rules = rules(options, min_stake, chain.is_none())?;
        let door = Arc::new(Door::new(rules));
        let lease = Memory::named(&format!("axon-{hotkey}")).map_err(Failure::User)?;
        let replay = Replay::open(lease.path()).map_err(Failure::user)?;
        let gate = gate(options, hotkey, replay, door.clone());
        let replay = gate.replay.clone();
        let tls = match (&options.tls_certificate, &options.tls_key) {
            (Some(chain), Some(key)) => {
                let read = |path: &Path| {
                    std::fs::read(path)
                        .with_context(|| format!("cannot read {}", path.display()))
                        .map_err(Failure::User)
                };
                Some(tls_from_pem(&read(chain)?, &read(key)?).map_err(Failure::user)?)
            }
            _ => None,
        };
        let listen = SocketAddr::new(options.ip, options.port.unwrap_or(AXON_PORT));
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen at {listen}; is another server there?"))
            .map_err(Failure::User)?;
        let follower = match chain {
            None => None,
            Some((client, netuid)) => {
                let follower = Follower::start(client, netuid, 1, None);
                let mut newest = follower.watch();
                let known = newest.wait_for(Option::is_some).await;
                known.context("the metagraph cannot be followed")?;
                Some(follower)
            }
        };
        update(&door, follower.as_ref());
        let limits = Limits {
            at_once: options.max_workers,
            ..Limits::default()
        };
        let axon = routes(Axon::new(signer, gate).limits(limits));
        let service = axon.service();
        let server = serve(listener, service.clone(), Connections::default(), tls)?;
        Ok(Self {
            options,
            min_stake,
            door,
            replay,
            follower,
            lists: Lists::new(options),
            service,
            server,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// What answers there.
    pub fn service(&self) -> &AxonService {
        &self.service
    }

    /// Keeps up to date who may ask, for ever.
    pub async fn keep(&mut self) -> Infallible {
        loop {
            tokio::time::sleep(HOUSEKEEPING).await;
            update(&self.door, self.follower.as_ref());
            if self.lists.have_changed() {
                match rules(self.options, self.min_stake, self.follower.is_none()) {
                    Ok(rules) => {
                        tracing::info!("the lists are read again");
                        self.door.set_rules(rules);
                    }
                    // A list that is just being written is read again with its next change.
                    Err(error) => tracing::warn!(?error, "the lists stay as they were"),
                }
            }
            let past = (HOUSEKEEPING * 10 + self.options.max_age).as_nanos() as u64;
            let before = agon_neuron::axon::gate::now().saturating_sub(past);
            self.replay.forget(before);
        }
    }

    /// Takes no more requests and waits for those under way.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

fn gate(options: &Serving, hotkey: AccountId, replay: Replay, door: Arc<Door>) -> Gate {
    let mut gate = Gate::new(hotkey, Arc::new(replay), door);
    gate.window.past = options.max_age;
    if let Some(per_second) = options.rate {
        let rate = Rate {
            per_second,
            burst: BURST,
        };
        gate.per_hotkey = Limiter::new(rate);
    }
    gate
}

/// Who may ask, by the metagraph.
fn update(door: &Door, follower: Option<&Follower>) {
    if let Some(metagraph) = follower.and_then(Follower::newest) {
        door.update(&metagraph);
    }
}

fn rules(options: &Serving, min_stake: u64, without_chain: bool) -> Result<Rules, Failure> {
    Ok(Rules {
        allow: list(options.allow.as_deref())?,
        deny: list(options.deny.as_deref())?,
        strangers: options.allow_non_registered || without_chain,
        min_stake,
        validators_only: options.force_validator_permit,
    })
}

/// The hotkeys in a file, one a line; empty lines and what follows a # are left out.
fn list(path: Option<&Path>) -> Result<HashSet<AccountId>, Failure> {
    use std::io::Read;
    let Some(path) = path else {
        return Ok(HashSet::new());
    };
    let read = || -> anyhow::Result<HashSet<AccountId>> {
        let mut text = String::new();
        std::fs::File::open(path)?
            .take(MAX_LIST)
            .read_to_string(&mut text)?;
        let lines = text.lines().enumerate();
        let entries = lines.map(|(number, line)| {
            (
                number + 1,
                line.split('#').next().unwrap_or_default().trim(),
            )
        });
        entries
            .filter(|(_, entry)| !entry.is_empty())
            .map(|(number, entry)| {
                let parsed = entry.parse();
                parsed.map_err(|error| anyhow!("line {number}: {error}"))
            })
            .collect()
    };
    read()
        .with_context(|| format!("cannot use the list {}", path.display()))
        .map_err(Failure::User)
}

/// The lists' files, and how they were when they were last looked at.
struct Lists(Vec<(PathBuf, Option<std::time::SystemTime>)>);

impl Lists {
    fn new(options: &Serving) -> Self {
        let paths = [&options.allow, &options.deny].into_iter().flatten();
        Self(paths.map(|path| (path.clone(), changed(path))).collect())
    }

    fn have_changed(&mut self) -> bool {
        self.0.iter_mut().fold(false, |any, (path, known)| {
            let now = changed(path);
            let before = std::mem::replace(known, now);
            any | (before != now)
        })
    }
}

fn changed(path: &Path) -> Option<std::time::SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}

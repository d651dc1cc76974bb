//! `agon axon echo`: a miner to test against. It answers with what it heard, and can be told to be slow or to fail.

use crate::args::{EchoAxon, Logging};
use crate::commands::session::{Session, document};
use crate::commands::wallet::{Part, account, open, unlock};
use crate::failure::Failure;
use crate::logging;
use crate::memory::Memory;
use crate::printer::{result, say};
use agon_keys::AccountId;
use agon_neuron::Follower;
use agon_neuron::axon::policy::Limiter;
use agon_neuron::axon::{
    Axon, Connections, Context as Asked, Cover, Door, Failure as HandlerFailure, Gate, Limits,
    Rate, Replay, Rules, serve, tls_from_pem,
};
use agon_neuron::peer::tensor::Tensor;
use anyhow::{Context, anyhow};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// How many requests a hotkey may send at once where there is a rate.
const BURST: u32 = 10;
/// How often lists are looked at, and what was taken long ago is forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// The most bytes of a list.
const MAX_LIST: u64 = 4 << 20;

/// Serve until Ctrl-C.
pub async fn serve_until_interrupted(echo: EchoAxon, logging: &Logging) -> Result<(), Failure> {
    logging::to_standard_error(logging);
    let wallet = open(&echo.signing.place)?;
    let hotkey = account(&wallet, Part::Hotkey)?;
    let signer = unlock(&wallet, Part::Hotkey, echo.signing.password_file.as_deref())?;
    let door = Arc::new(Door::new(rules(&echo)?));
    let lease = Memory::named(&format!("axon-{hotkey}")).map_err(Failure::User)?;
    let replay = Replay::open(lease.path()).map_err(Failure::user)?;
    let gate = gate(&echo, hotkey, replay, door.clone());
    let replay = gate.replay.clone();

    // Before the server, so that nothing it counts is lost.
    crate::metrics::serve(&echo.metrics)?;
    // Everything that can fail comes before the first request is taken.
    let tls = match (&echo.tls_certificate, &echo.tls_key) {
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
    let listen = SocketAddr::new(echo.ip, echo.port);
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen at {listen}; is another server there?"))
        .map_err(Failure::User)?;
    let (follower, session) = match echo.netuid {
        None => (None, None),
        Some(netuid) => {
            let session = Session::open(&echo.chain).await?;
            session.subnet_exists(netuid).await?;
            let follower = Follower::start(session.client.clone(), netuid, 1, None);
            let mut newest = follower.watch();
            let known = newest.wait_for(Option::is_some).await;
            known.context("the metagraph cannot be followed")?;
            (Some(follower), Some((session, netuid)))
        }
    };
    update(&door, follower.as_ref());
    let limits = Limits {
        at_once: echo.max_workers,
        ..Limits::default()
    };
    let mut axon = Axon::new(Arc::new(signer), gate).limits(limits);
    for name in &echo.names {
        axon = axon.route(name, cover(&echo), answer);
    }
    let server = serve(listener, axon.service(), Connections::default(), tls)?;
    let address = server.address();
    if let (Some((session, netuid)), Some(ip)) = (&session, echo.external_ip) {
        let port = echo.external_port.unwrap_or(address.port());
        let published = SocketAddr::new(ip, port);
        super::announce(session, &echo.signing, *netuid, published, false).await?;
    }
    let fields =
        json!({"serving": true, "address": address, "hotkey": hotkey, "names": echo.names});
    match echo.chain.json {
        true => result(&document(fields).to_string())?,
        false => say(&format!(
            "{hotkey} serves {} at {address}",
            echo.names.join(", ")
        )),
    }

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut lists = Lists::new(&echo);
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            () = tokio::time::sleep(HOUSEKEEPING) => {}
        }
        update(&door, follower.as_ref());
        if lists.have_changed() {
            match rules(&echo) {
                Ok(rules) => {
                    tracing::info!("the lists are read again");
                    door.set_rules(rules);
                }
                // A list that is just being written is read again with its next change.
                Err(error) => tracing::warn!(?error, "the lists stay as they were"),
            }
        }
        let past = (HOUSEKEEPING * 10 + echo.max_age).as_nanos() as u64;
        replay.forget(agon_neuron::axon::gate::now().saturating_sub(past));
    }
    server.stop().await;
    Ok(())
}

fn gate(echo: &EchoAxon, hotkey: AccountId, replay: Replay, door: Arc<Door>) -> Gate {
    let mut gate = Gate::new(hotkey, Arc::new(replay), door);
    gate.window.past = echo.max_age;
    if let Some(per_second) = echo.rate {
        let rate = Rate {
            per_second,
            burst: BURST,
        };
        gate.per_hotkey = Limiter::new(rate);
    }
    gate
}

fn cover(echo: &EchoAxon) -> Cover {
    match (echo.btauth_only, echo.hashed.is_empty()) {
        (true, _) => Cover::Everything,
        (false, true) => Cover::Nothing,
        (false, false) => Cover::Fields(echo.hashed.clone()),
    }
}

/// Who may ask, by the metagraph.
fn update(door: &Door, follower: Option<&Follower>) {
    if let Some(metagraph) = follower.and_then(Follower::newest) {
        door.update(&metagraph);
    }
}

fn rules(echo: &EchoAxon) -> Result<Rules, Failure> {
    Ok(Rules {
        allow: list(echo.allow.as_deref())?,
        deny: list(echo.deny.as_deref())?,
        strangers: echo.allow_non_registered || echo.netuid.is_none(),
        min_stake: 0,
        validators_only: echo.force_validator_permit,
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
    fn new(echo: &EchoAxon) -> Self {
        let paths = [&echo.allow, &echo.deny].into_iter().flatten();
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

/// Says what it heard. `dummy_input` is doubled, `tensor` read and written anew, `sleep` waited for (seconds), `fail` made
/// an error of.
async fn answer(heard: Map<String, Value>, asked: Asked) -> Result<Value, HandlerFailure> {
    if let Some(seconds) = heard.get("sleep").and_then(Value::as_f64) {
        let wait = Duration::try_from_secs_f64(seconds)
            .map_err(|error| HandlerFailure::Request(format!("sleep: {error}")))?;
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = asked.cancelled.cancelled() => {}
        }
    }
    if let Some(Value::String(reason)) = heard.get("fail") {
        return Err(HandlerFailure::internal(reason.clone()));
    }
    let mut said = Map::new();
    if let Some(tensor) = heard.get("tensor") {
        let tensor: Tensor = serde_json::from_value(tensor.clone())
            .map_err(|error| HandlerFailure::Request(format!("tensor: {error}")))?;
        said.insert("tensor".to_owned(), json!(tensor));
    }
    said.insert("from".to_owned(), json!(asked.caller.hotkey));
    match heard.get("dummy_input") {
        Some(Value::Number(number)) if number.is_i64() => {
            let doubled = number.as_i64().and_then(|number| number.checked_mul(2));
            said.insert("dummy_output".to_owned(), json!(doubled));
        }
        Some(other) => {
            said.insert("dummy_output".to_owned(), other.clone());
        }
        None => {}
    }
    Ok(Value::Object(said))
}

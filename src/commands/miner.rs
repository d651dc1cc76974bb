//! `agon miner`: training whose better models are published and committed as they come.

use super::session::Session;
use super::train::{cancelled_when_stopped, healthcare};
use super::wallet::{Part, open, unlock};
use crate::args::{Chain, MineHealthcare, MinedSubnet, Miner as Arguments};
use crate::failure::Failure;
use crate::printer::Printer;
use crate::talk::Talk;
use agon_arena::commitment::{File, LOCAL_REPOSITORY};
use agon_arena::event::{Event, Events};
use agon_arena::miner::{Miner, SubmitError};
use agon_arena::subnet::healthcare::NAME;
use agon_dataset::store::LocalStore;
use anyhow::{Context, anyhow};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;

/// How long a commitment is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// Mine.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.subnet {
        MinedSubnet::Healthcare(arguments) => mine(*arguments).await,
    }
}

async fn mine(arguments: MineHealthcare) -> Result<(), Failure> {
    let chain = Chain {
        network: arguments.network.clone(),
        endpoint: arguments.endpoint.clone(),
        timeout: PATIENCE,
        json: arguments.training.json,
    };
    let session = Session::open(&chain).await?;
    let netuid = arguments.netuid;
    session.subnet_exists(netuid).await?;
    let wallet = open(&arguments.place)?;
    let hotkey = unlock(&wallet, Part::Hotkey, arguments.password_file.as_deref())?;
    if session.state.uid(netuid, hotkey.account()).await?.is_none() {
        return Err(Failure::user(anyhow!(
            "{} is not registered on subnet {netuid}; run agon subnet register --netuid {netuid}",
            hotkey.account()
        )));
    }
    let printer = Arc::new(Printer::new(false));
    let talk = Talk::new(printer.clone());
    let listener = move |who: &str, event: &Event| talk.tell(who, event);
    let miner = Miner {
        client: session.client.clone(),
        netuid,
        hotkey: Arc::new(hotkey),
        store: Arc::new(LocalStore::open(&arguments.store).map_err(Failure::user)?),
        events: Events::new("miner", Arc::new(listener)),
    };
    let stop = cancelled_when_stopped();
    let handle = Handle::current();
    // Training keeps a thread for itself; whatever is to be said to the chain is said from there.
    let work = move || {
        // The best model, while the chain has not taken it.
        let mut waiting = None;
        healthcare::train(&arguments.training, &stop, &printer, &mut |path, _| {
            waiting = Some(path.to_owned());
            match handle.block_on(submit(&miner, path)) {
                // The next better model is another chance.
                Err(Problem::Chain(error)) => printer.say(&format!("not committed: {error}")),
                Err(Problem::Ours(error)) => return Err(error),
                Ok(()) => waiting = None,
            }
            Ok(())
        })?;
        let Some(path) = waiting else {
            return Ok(());
        };
        handle
            .block_on(submit(&miner, &path))
            .map_err(|problem| match problem {
                Problem::Chain(error) => error.into(),
                Problem::Ours(error) => Failure::Ours(error),
            })
    };
    tokio::task::spawn_blocking(work).await?
}

enum Problem {
    /// The chain does not take it now.
    Chain(SubmitError),
    /// It cannot be read or kept.
    Ours(anyhow::Error),
}

async fn submit(miner: &Miner, path: &Path) -> Result<(), Problem> {
    let model = std::fs::read(path)
        .with_context(|| format!("reading {}", path.display()))
        .map_err(Problem::Ours)?;
    let digest = miner
        .publish(&model)
        .map_err(|error| Problem::Ours(error.into()))?;
    let file = File {
        repository: LOCAL_REPOSITORY.to_owned(),
        stem: "model".to_owned(),
        competition: NAME.to_owned(),
        digest,
    };
    let committed = miner.commit(&file.into(), digest).await;
    committed.map(drop).map_err(Problem::Chain)
}

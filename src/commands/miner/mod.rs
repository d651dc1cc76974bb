//! `agon miner`: training whose better models are published, committed and answered with as they come.
//!
//! Three things go on at once: training, on a thread of its own; publishing, which tries again until the chain has the
//! newest model ([`publish`]); and answering validators ([`answer`]). Where one of them fails the command ends: a miner
//! that only looks alive is worth nothing.

mod answer;
mod publish;

use super::axon::announce;
use super::axon::serving::{Desk, Opening};
use super::session::Session;
use super::store;
use super::train::{cancelled_when_stopped, healthcare};
use super::wallet::{Part, open, unlock};
use crate::args::{Chain, MineHealthcare, MinedSubnet, Miner as Arguments, Signing};
use crate::failure::Failure;
use crate::printer::Printer;
use crate::talk::Talk;
use agon_arena::event::{Event, Events};
use agon_arena::miner::Miner;
use agon_neuron::Signer;
use agon_train::fit::BEST_MODEL;
use answer::Answering;
use anyhow::anyhow;
use publish::{Place, Publisher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long a commitment is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// Mine.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.subnet {
        MinedSubnet::Healthcare(arguments) => mine(Arc::new(*arguments)).await,
    }
}

async fn mine(arguments: Arc<MineHealthcare>) -> Result<(), Failure> {
    // What is typed wrong is told before anybody is asked.
    let place = Place::of(&arguments)?;
    let external_ip = arguments.serving.external_ip;
    let reached = external_ip.unwrap_or(arguments.serving.ip);
    if arguments.serves() && reached.is_unspecified() {
        return Err(Failure::user(anyhow!(
            "nobody can reach {reached}; say with --axon.external_ip where this machine is reached"
        )));
    }
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
    let account = hotkey.account();
    if session.state.uid(netuid, account).await?.is_none() {
        return Err(Failure::user(anyhow!(
            "{account} is not registered on subnet {netuid}; run agon subnet register --netuid {netuid}"
        )));
    }
    let hotkey: Arc<dyn Signer> = Arc::new(hotkey);
    let printer = Arc::new(Printer::new(false));
    let talk = Talk::new(printer.clone());
    let listener = move |who: &str, event: &Event| talk.tell(who, event);
    let miner = Miner {
        client: session.client.clone(),
        netuid,
        hotkey: hotkey.clone(),
        store: store::open(&arguments.store, None)?,
        events: Events::new("miner", Arc::new(listener)),
    };
    let best = healthcare::directory(&arguments.training).join(BEST_MODEL);
    let publisher = Publisher {
        miner,
        place,
        model: best.clone(),
        printer: printer.clone(),
    };
    publisher.prepare().await?;

    let labels = arguments.training.data.labels.clone();
    let answering = Answering::new(labels, arguments.threshold);
    let (better, newest) = watch::channel(());
    if !arguments.training.restart && best.is_file() {
        match answering.take(&best) {
            // Whoever was killed may not have published it.
            Ok(()) => better.send_replace(()),
            // It may be of other labels.
            Err(error) => printer.say(&format!("what was trained before is left alone: {error:#}")),
        }
    }
    let mut desk = match arguments.serves() {
        false => None,
        true => {
            let desk = serve(&arguments, &session, hotkey, &answering).await?;
            let port = arguments.serving.external_port;
            let port = port.unwrap_or(desk.address().port());
            let published = SocketAddr::new(reached, port);
            let signing = Signing {
                place: arguments.place.clone(),
                password_file: arguments.password_file.clone(),
                yes: true,
                dry_run: false,
            };
            announce(&session, &signing, netuid, published, false).await?;
            printer.say(&format!("{account} answers validators at {published}"));
            Some(desk)
        }
    };
    let stop = cancelled_when_stopped();
    let (training, token, told) = (arguments.clone(), stop.clone(), printer.clone());
    // Training keeps a thread for itself.
    let training = tokio::task::spawn_blocking(move || {
        healthcare::train(&training.training, &token, &told, &mut |path, _| {
            answering.take(path)?;
            better.send_replace(());
            Ok(())
        })
    });
    let work = async {
        let publishing = async {
            let published = publisher.run(newest).await;
            if published.is_err() {
                stop.cancel();
            }
            published
        };
        match tokio::join!(training, publishing) {
            // It was stopped because nothing could be published.
            (Ok(Ok(()) | Err(Failure::Interrupted)), Err(error)) => Err(error),
            (trained, _) => trained?,
        }
    };
    tokio::select! {
        outcome = work => outcome?,
        never = keep(&mut desk) => match never {},
    }
    if let Some(mut desk) = desk {
        if !stop.is_cancelled() {
            printer.say("training is over; validators are answered until Ctrl-C");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            never = desk.keep() => match never {},
        }
        desk.stop().await;
    }
    Ok(())
}

/// Answers validators.
async fn serve<'a>(
    arguments: &'a MineHealthcare,
    session: &Session,
    hotkey: Arc<dyn Signer>,
    answering: &Arc<Answering>,
) -> Result<Desk<'a>, Failure> {
    let opening = Opening {
        options: &arguments.serving,
        signer: hotkey,
        min_stake: arguments.min_stake.0,
        chain: Some((session.client.clone(), arguments.netuid)),
    };
    Desk::open(opening, |axon| answering.clone().route(axon)).await
}

async fn keep(desk: &mut Option<Desk<'_>>) -> std::convert::Infallible {
    match desk {
        Some(desk) => desk.keep().await,
        None => std::future::pending().await,
    }
}

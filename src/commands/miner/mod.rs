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
use crate::args::{Chain, MineHealthcare, MinedSubnet, Miner as Arguments, Signing};
use crate::failure::Failure;
use crate::health::{Health, Watched};
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
    let netuid = arguments.netuid;
    let password_file = arguments.password_file.as_deref();
    let (session, hotkey) =
        Session::of_neuron(&chain, netuid, &arguments.place, password_file).await?;
    let account = hotkey.account();
    let printer = Arc::new(Printer::new(false));
    let watched = Watched::start(&arguments.watching, &printer).await?;
    if let Some(watched) = &watched {
        watched.follow(&session.client);
    }
    let listening = Listening::new(watched.as_ref(), Talk::new(printer.clone()));
    let miner = Miner {
        client: session.client.clone(),
        netuid,
        hotkey: hotkey.clone(),
        store: store::open(&arguments.store, None)?,
        events: listening.heard("miner"),
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
            if let Some(watched) = &watched {
                watched.health.count(desk.service());
            }
            listening.heard("axon").emit(&Event::Serving {
                hotkey: account,
                address: published,
            });
            Some(desk)
        }
    };
    let stop = cancelled_when_stopped();
    let (training, token, told) = (arguments.clone(), stop.clone(), printer.clone());
    let progress = listening.noted("training");
    let events = progress.clone();
    // Training keeps a thread for itself.
    let training = tokio::task::spawn_blocking(move || {
        healthcare::train(
            &training.training,
            &token,
            &told,
            &events,
            &mut |path, _| {
                answering.take(path)?;
                better.send_replace(());
                Ok(())
            },
        )
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
            let what = "Ctrl-C".to_owned();
            progress.emit(&Event::Waiting { what });
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

/// Who hears what happens.
struct Listening {
    health: Option<Arc<Health>>,
    talk: Talk,
}

impl Listening {
    fn new(watched: Option<&Watched>, talk: Talk) -> Self {
        Self {
            health: watched.map(|watched| watched.health.clone()),
            talk,
        }
    }

    /// Events that a person sees, too.
    fn heard(&self, who: &str) -> Events {
        let (noted, talk) = (self.noted(who), self.talk.clone());
        let listener = move |who: &str, event: &Event| {
            noted.emit(event);
            talk.tell(who, event);
        };
        Events::new(who, Arc::new(listener))
    }

    /// Events for the health alone.
    fn noted(&self, who: &str) -> Events {
        let health = self.health.clone();
        let listener = move |who: &str, event: &Event| {
            if let Some(health) = &health {
                health.observe(who, event);
            }
        };
        Events::new(who, Arc::new(listener))
    }
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

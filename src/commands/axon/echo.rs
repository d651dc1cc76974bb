//! `agon axon echo`: a miner to test against. It answers with what it heard, and can be told to be slow or to fail.

use super::serving::{Desk, Opening};
use crate::args::{EchoAxon, Logging};
use crate::commands::session::{Session, document};
use crate::commands::wallet::{Part, open, unlock};
use crate::failure::Failure;
use crate::health::Watched;
use crate::logging;
use crate::printer::{Printer, result, say};
use crate::signals::told_to_stop;
use agon_arena::event::Event;
use agon_neuron::axon::{Context as Asked, Cover, Failure as HandlerFailure};
use agon_neuron::peer::tensor::Tensor;
use anyhow::anyhow;
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Serve until Ctrl-C.
pub async fn serve_until_interrupted(echo: EchoAxon, logging: &Logging) -> Result<(), Failure> {
    logging::to_standard_error(logging);
    let wallet = open(&echo.signing.place)?;
    let signer = unlock(&wallet, Part::Hotkey, echo.signing.password_file.as_deref())?;
    let hotkey = signer.account();
    if echo.metrics.prometheus_port != 0 && echo.watching.health_port.is_some() {
        return Err(Failure::user(anyhow!(
            "--health.port serves the metrics too; leave --prometheus-port out"
        )));
    }
    // Before the server, so that nothing it counts is lost.
    crate::metrics::serve(&echo.metrics)?;
    let watched = Watched::start(&echo.watching, &Printer::new(false)).await?;
    let session = match echo.netuid {
        None => None,
        Some(netuid) => {
            let session = Session::open(&echo.chain).await?;
            session.subnet_exists(netuid).await?;
            Some((session, netuid))
        }
    };
    let opening = Opening {
        options: &echo.serving,
        signer: Arc::new(signer),
        min_stake: 0,
        chain: session
            .as_ref()
            .map(|(session, netuid)| (session.client.clone(), *netuid)),
    };
    let mut desk = Desk::open(opening, |axon| {
        let names = echo.names.iter();
        names.fold(axon, |axon, name| axon.route(name, cover(&echo), answer))
    })
    .await?;
    let address = desk.address();
    if let Some(watched) = &watched {
        watched.health.count(desk.service());
        let serving = Event::Serving { hotkey, address };
        watched.health.observe("axon", &serving);
        if let Some((session, _)) = &session {
            watched.follow(&session.client);
        }
    }
    if let (Some((session, netuid)), Some(ip)) = (&session, echo.serving.external_ip) {
        let port = echo.serving.external_port.unwrap_or(address.port());
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
    tokio::select! {
        () = told_to_stop() => {}
        never = desk.keep() => match never {},
    }
    desk.stop().await;
    Ok(())
}

fn cover(echo: &EchoAxon) -> Cover {
    match (echo.btauth_only, echo.hashed.is_empty()) {
        (true, _) => Cover::Everything,
        (false, true) => Cover::Nothing,
        (false, false) => Cover::Fields(echo.hashed.clone()),
    }
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

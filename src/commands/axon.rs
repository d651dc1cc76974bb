//! `agon axon`: servers of neurons.

use super::session::{Order, Session, too_early};
use super::wallet::{Part, account, open};
use crate::args::{Axon as Arguments, AxonVerb, PublishAxon};
use crate::failure::Failure;
use agon_neuron::Call;
use anyhow::anyhow;
use serde_json::json;
use std::net::SocketAddr;

/// HTTP, in the chain's record of an axon.
const PROTOCOL: u8 = 4;

/// Run one verb.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        AxonVerb::Publish(publish) => announce(publish).await,
    }
}

async fn announce(publish: PublishAxon) -> Result<(), Failure> {
    let netuid = publish.subnet.netuid;
    let session = Session::open(&publish.subnet.chain).await?;
    session.subnet_exists(netuid).await?;
    let hotkey = account(&open(&publish.signing.place)?, Part::Hotkey)?;
    if session.state.uid(netuid, hotkey).await?.is_none() {
        return Err(Failure::user(anyhow!(
            "{hotkey} is not registered on subnet {netuid}; run agon subnet register --netuid {netuid}"
        )));
    }
    let early = session.state.blocks_until_serving(netuid, hotkey).await?;
    let early = too_early(early, "this hotkey's server can be published again");
    let order = Order {
        call: Call::serve_axon(netuid, version(), publish.ip, publish.port, PROTOCOL),
        key: Part::Hotkey,
        plan: format!(
            "publish {} as the server of {hotkey} on subnet {netuid}",
            SocketAddr::new(publish.ip, publish.port)
        ),
        moves_money: false,
    };
    let Some(receipt) = session
        .carry_out_unless(early, &publish.signing, order)
        .await?
    else {
        return Ok(());
    };
    let axon = session
        .client
        .finalized()
        .await?
        .axon(netuid, hotkey)
        .await?;
    let address = axon.map(|axon| SocketAddr::new(axon.ip, axon.port));
    let more = json!({"netuid": netuid, "hotkey": hotkey, "address": address});
    let text = match address {
        Some(address) => format!("{hotkey} is reached at {address} on subnet {netuid}"),
        None => format!("{hotkey} has told subnet {netuid} where it is"),
    };
    session.done(&receipt, more, &text)
}

/// This program's version as one number, as the public clients write theirs: 1.2.3 is 1002003.
fn version() -> u32 {
    let parts = [
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR"),
        env!("CARGO_PKG_VERSION_PATCH"),
    ];
    let number = |part: &str| part.parse().unwrap_or(0);
    parts
        .into_iter()
        .fold(0, |version: u32, part| version * 1_000 + number(part))
}

//! `agon axon publish`: where a server is, told to the chain.

use crate::args::{PublishAxon, Signing};
use crate::commands::session::{Order, Session, too_early};
use crate::commands::wallet::{Part, account, open};
use crate::failure::Failure;
use agon_neuron::Call;
use agon_neuron::peer::VERSION;
use serde_json::json;
use std::net::SocketAddr;

/// HTTP, in the chain's record of an axon.
const PROTOCOL: u8 = 4;

/// Run the verb.
pub async fn run(publish: PublishAxon) -> Result<(), Failure> {
    let netuid = publish.subnet.netuid;
    let session = Session::open(&publish.subnet.chain).await?;
    let address = SocketAddr::new(publish.ip, publish.port);
    announce(&session, &publish.signing, netuid, address, true).await
}

/// Publish `address` as where the wallet's hotkey serves; nothing is sent where the chain knows it already. The outcome
/// is a result only if it is `shown`.
pub async fn announce(
    session: &Session,
    signing: &Signing,
    netuid: u16,
    address: SocketAddr,
    shown: bool,
) -> Result<(), Failure> {
    session.subnet_exists(netuid).await?;
    let hotkey = account(&open(&signing.place)?, Part::Hotkey)?;
    session.uid(netuid, hotkey).await?;
    let known = session.state.axon(netuid, hotkey).await?;
    let known = known.map(|axon| (SocketAddr::new(axon.ip, axon.port), axon.version));
    if !shown && known == Some((address, VERSION)) {
        return Ok(());
    }
    let early = session.state.blocks_until_serving(netuid, hotkey).await?;
    let early = too_early(early, "this hotkey's server can be published again");
    let order = Order {
        call: Call::serve_axon(netuid, VERSION, address.ip(), address.port(), PROTOCOL),
        key: Part::Hotkey,
        plan: format!("publish {address} as the server of {hotkey} on subnet {netuid}"),
        moves_money: false,
    };
    let sent = session.carry_out_unless(early, signing, order).await?;
    let Some(receipt) = sent.filter(|_| shown) else {
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

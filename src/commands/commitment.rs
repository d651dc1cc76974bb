//! `agon commitment`: what hotkeys publish on chain.

use super::session::{Order, Session, table};
use super::wallet::Part;
use crate::args::{Commitment as Arguments, CommitmentVerb, GetCommitment, SetCommitment};
use crate::failure::Failure;
use agon_neuron::Call;
use anyhow::Context;
use serde_json::json;

/// Run one verb.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        CommitmentVerb::Set(set) => publish(set).await,
        CommitmentVerb::Get(get) => show(get).await,
    }
}

async fn publish(set: SetCommitment) -> Result<(), Failure> {
    let data = match set.hex {
        true => hex::decode(set.data.trim_start_matches("0x"))
            .context("--data is not in hexadecimal digits")
            .map_err(Failure::User)?,
        false => set.data.into_bytes(),
    };
    let netuid = set.subnet.netuid;
    let call = Call::set_commitment(netuid, &data).map_err(Failure::user)?;
    let session = Session::open(&set.subnet.chain).await?;
    let order = Order {
        call,
        key: Part::Hotkey,
        plan: format!("publish {} bytes in subnet {netuid}", data.len()),
        moves_money: false,
    };
    let Some(receipt) = session.carry_out(&set.signing, order).await? else {
        return Ok(());
    };
    let more = json!({"netuid": netuid, "data": hex::encode(&data)});
    session.done(&receipt, more, "Published")
}

async fn show(get: GetCommitment) -> Result<(), Failure> {
    let netuid = get.subnet.netuid;
    let session = Session::open(&get.subnet.chain).await?;
    session.subnet_exists(netuid).await?;
    let mut commitments = session.state.commitments(netuid).await?;
    if let Some(hotkey) = get.hotkey {
        commitments.retain(|commitment| commitment.hotkey == hotkey);
    }
    let fields = commitments.iter().map(|commitment| {
        json!({
            "hotkey": commitment.hotkey,
            "block": commitment.block,
            "extrinsic_index": commitment.extrinsic_index,
            "data": hex::encode(&commitment.data),
            "text": std::str::from_utf8(&commitment.data).ok(),
        })
    });
    let fields = json!({"netuid": netuid, "commitments": fields.collect::<Vec<_>>()});
    session.show(fields, || {
        let rows = commitments.iter().map(|commitment| {
            let text = std::str::from_utf8(&commitment.data);
            let text = text.ok().filter(|text| !text.chars().any(char::is_control));
            [
                commitment.hotkey.to_string(),
                commitment.block.to_string(),
                text.map_or_else(
                    || format!("0x{}", hex::encode(&commitment.data)),
                    str::to_owned,
                ),
            ]
        });
        table(["hotkey", "block", "data"], rows)
    })
}

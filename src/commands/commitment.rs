//! `agon commitment`: what hotkeys publish on chain.

use super::session::{Order, Session, table};
use super::wallet::Part;
use crate::args::{Commitment as Arguments, CommitmentVerb, GetCommitment, SetCommitment};
use crate::failure::Failure;
use agon_keys::AccountId;
use agon_neuron::{Call, SealError};
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
        false => set.data.clone().into_bytes(),
    };
    let netuid = set.subnet.netuid;
    if let Some(blocks) = set.blocks_until_reveal {
        return seal(&set, &data, blocks).await;
    }
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

async fn seal(set: &SetCommitment, data: &[u8], blocks: u64) -> Result<(), Failure> {
    let netuid = set.subnet.netuid;
    let session = Session::open(&set.subnet.chain).await?;
    let state = &session.state;
    let (beacon, block_time) = tokio::try_join!(state.beacon(), state.block_time())?;
    let round = state.round_after(&beacon, blocks, block_time);
    let call = Call::set_sealed_commitment(netuid, data, &beacon, round);
    let order = Order {
        call: call.map_err(|error| match error {
            SealError::TooLong(error) => Failure::user(error),
            SealError::Randomness(error) => error.into(),
        })?,
        key: Part::Hotkey,
        plan: format!(
            "publish {} bytes in subnet {netuid}, sealed to round {round} of the beacon",
            data.len()
        ),
        moves_money: false,
    };
    let Some(receipt) = session.carry_out(&set.signing, order).await? else {
        return Ok(());
    };
    let more = json!({"netuid": netuid, "data": hex::encode(data), "round": round});
    let text = format!(
        "Sealed; the chain reveals it after round {round} of the beacon, in about {blocks} blocks"
    );
    session.done(&receipt, more, &text)
}

async fn show(get: GetCommitment) -> Result<(), Failure> {
    let netuid = get.subnet.netuid;
    let session = Session::open(&get.subnet.chain).await?;
    session.subnet_exists(netuid).await?;
    let (mut open, mut sealed, mut revealed) = tokio::try_join!(
        session.state.commitments(netuid),
        session.state.sealed_commitments(netuid),
        session.state.revealed_commitments(netuid),
    )?;
    if let Some(hotkey) = get.hotkey {
        open.retain(|commitment| commitment.hotkey == hotkey);
        sealed.retain(|commitment| commitment.hotkey == hotkey);
        revealed.retain(|commitment| commitment.hotkey == hotkey);
    }
    let fields = json!({
        "netuid": netuid,
        "commitments": open.iter().map(|commitment| json!({
            "hotkey": commitment.hotkey,
            "block": commitment.block,
            "extrinsic_index": commitment.extrinsic_index,
            "data": hex::encode(&commitment.data),
            "text": std::str::from_utf8(&commitment.data).ok(),
        })).collect::<Vec<_>>(),
        "sealed": sealed.iter().map(|commitment| json!({
            "hotkey": commitment.hotkey,
            "block": commitment.block,
            "round": commitment.round,
        })).collect::<Vec<_>>(),
        "revealed": revealed.iter().map(|commitment| json!({
            "hotkey": commitment.hotkey,
            "block": commitment.block,
            "data": hex::encode(&commitment.data),
            "text": std::str::from_utf8(&commitment.data).ok(),
        })).collect::<Vec<_>>(),
    });
    session.show(fields, || {
        let row = |hotkey: AccountId, block: u64, how: &str, data: String| {
            [hotkey.to_string(), block.to_string(), how.to_owned(), data]
        };
        let open = open
            .iter()
            .map(|it| row(it.hotkey, it.block, "open", readable(&it.data)));
        let sealed = sealed.iter().map(|it| {
            let until = format!("until round {}", it.round);
            row(it.hotkey, it.block, "sealed", until)
        });
        let revealed = revealed
            .iter()
            .map(|it| row(it.hotkey, it.block, "revealed", readable(&it.data)));
        let rows = open.chain(sealed).chain(revealed);
        table(["hotkey", "block", "how", "data"], rows)
    })
}

/// Text as it is, and all else in hexadecimal digits.
fn readable(data: &[u8]) -> String {
    match std::str::from_utf8(data) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => format!("0x{}", hex::encode(data)),
    }
}

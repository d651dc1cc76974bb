//! What a wallet's accounts hold on a chain.

use super::{Part, account, blame, open, root};
use crate::amount::Amount;
use crate::args::{Faucet, Overview, ShowBalance, Transfer, Whose};
use crate::commands::session::{Order, Session, table, yes};
use crate::failure::Failure;
use agon_keys::AccountId;
use agon_keys::wallet::{HotkeyEntry, list};
use agon_neuron::{Call, ConnectError, GiveError, Metagraph, ROOT, Stake};
use anyhow::anyhow;
use serde_json::json;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// The account that is meant: the address, or the wallet's coldkey by its public file.
pub fn whose(whose: &Whose) -> Result<AccountId, Failure> {
    match whose.ss58 {
        Some(address) => Ok(address),
        None => account(&open(&whose.place)?, Part::Coldkey),
    }
}

/// Free balance, and stake at the prices of now.
pub async fn balance(show: ShowBalance) -> Result<(), Failure> {
    let coldkey = whose(&show.whose)?;
    let session = Session::open(&show.chain).await?;
    let free = session.state.balance(coldkey).await?;
    let stakes = session.state.stakes(coldkey).await?;
    let staked = worth(&session, &stakes).await?;
    let fields = json!({
        "address": coldkey,
        "free_rao": free,
        "staked_rao": staked,
        "total_rao": free.saturating_add(staked),
        "block": session.state.number(),
    });
    session.show(fields, || {
        let row = [
            coldkey.to_string(),
            Amount(free).to_string(),
            Amount(staked).to_string(),
            Amount(free.saturating_add(staked)).to_string(),
        ];
        table(
            ["coldkey", "free TAO", "staked, in TAO", "total TAO"],
            [row],
        )
    })
}

/// Stake in TAO at the prices of now.
async fn worth(session: &Session, stakes: &[Stake]) -> Result<u64, Failure> {
    let netuids: Vec<u16> = stakes.iter().map(|stake| stake.netuid).collect();
    let prices = session.state.prices(&netuids).await?;
    let worths = stakes
        .iter()
        .zip(prices)
        .map(|(stake, price)| Amount(stake.alpha).at_price(price).0);
    Ok(worths.fold(0, u64::saturating_add))
}

/// Send TAO.
pub async fn transfer(transfer: Transfer) -> Result<(), Failure> {
    let to = transfer.destination;
    let (call, plan) = match (transfer.amount, transfer.allow_death) {
        (None, allow_death) => (
            Call::transfer_all(to, !allow_death),
            format!("send everything to {to}"),
        ),
        (Some(amount), false) => (
            Call::transfer_keep_alive(to, amount.0),
            format!("send {amount} TAO to {to}"),
        ),
        (Some(amount), true) => (
            Call::transfer_allow_death(to, amount.0),
            format!("send {amount} TAO to {to}, even if it ends the sender's account"),
        ),
    };
    let session = Session::open(&transfer.chain).await?;
    let order = Order {
        call,
        key: Part::Coldkey,
        plan,
        moves_money: true,
    };
    let Some(receipt) = session.carry_out(&transfer.signing, order).await? else {
        return Ok(());
    };
    // Transfer(from, to, amount)
    let sent = receipt.told("Transfer", 2);
    let sent = sent.or(transfer.amount.map(|amount| amount.0));
    let amount = Amount(sent.unwrap_or_default());
    let more = json!({"destination": to, "amount_rao": sent});
    session.done(&receipt, more, &format!("Sent {amount} TAO to {to}"))
}

/// Take TAO from a development chain.
pub async fn faucet(faucet: Faucet) -> Result<(), Failure> {
    let coldkey = whose(&faucet.whose)?;
    let session = Session::open(&faucet.chain).await?;
    let before = session.state.balance(coldkey).await?;
    let wanted = before
        .checked_add(faucet.amount.0)
        .ok_or_else(|| Failure::user(anyhow!("there is not as much TAO")))?;
    let state = session
        .client
        .give(coldkey, wanted)
        .await
        .map_err(|error| match error {
            GiveError::NotForDevelopment { .. }
            | GiveError::Connect(ConnectError::Unreachable { .. }) => Failure::user(error),
            error => Failure::Ours(error.into()),
        })?;
    let free = state.balance(coldkey).await?;
    if free <= before {
        return Err(Failure::Ours(anyhow!(
            "the node said yes, but {coldkey} still has {} TAO",
            Amount(free)
        )));
    }
    let fields = json!({
        "address": coldkey,
        "given_rao": free - before,
        "free_rao": free,
        "block": state.number(),
    });
    session.show(fields, || {
        format!(
            "{coldkey} got {} TAO and has {} TAO",
            Amount(free - before),
            Amount(free)
        )
    })
}

/// A wallet's hotkeys with their places on the subnets.
pub async fn overview(overview: Overview) -> Result<(), Failure> {
    let wallet = open(&overview.place)?;
    let coldkey = account(&wallet, Part::Coldkey)?;
    let wallets = list(&root(overview.place.path.as_deref())?).map_err(blame)?;
    let entry = wallets
        .into_iter()
        .find(|entry| entry.name == wallet.name());
    let hotkeys: Vec<(String, AccountId)> = entry
        .map(|entry| entry.hotkeys)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|HotkeyEntry { name, account, .. }| Some((name, account.ok()?)))
        .collect();

    let session = Session::open(&overview.chain).await?;
    let state = &session.state;
    let free = state.balance(coldkey).await?;
    let stakes = state.stakes(coldkey).await?;
    let staked = worth(&session, &stakes).await?;
    let mut graphs: BTreeMap<u16, Metagraph> = BTreeMap::new();
    let mut places = Vec::new();
    for (name, hotkey) in &hotkeys {
        for netuid in state.memberships(*hotkey).await? {
            if netuid == ROOT {
                continue;
            }
            let graph = match graphs.entry(netuid) {
                Entry::Occupied(graph) => graph.into_mut(),
                Entry::Vacant(place) => place.insert(state.metagraph(netuid).await?),
            };
            if let Some(uid) = graph.uid_of(hotkey) {
                places.push((name, netuid, usize::from(uid)));
            }
        }
    }
    let neurons = places.iter().map(|(name, netuid, uid)| {
        let graph = &graphs[netuid];
        json!({
            "hotkey": name,
            "address": graph.hotkeys[*uid],
            "netuid": netuid,
            "uid": uid,
            "stake": graph.stake[*uid],
            "incentive": graph.incentive[*uid],
            "dividends": graph.dividends[*uid],
            "emission": graph.emission[*uid],
            "validator_permit": graph.validator_permit[*uid],
            "active": graph.active[*uid],
            "last_update": graph.last_update[*uid],
        })
    });
    let fields = json!({
        "wallet": wallet.name(),
        "coldkey": coldkey,
        "free_rao": free,
        "staked_rao": staked,
        "block": state.number(),
        "neurons": neurons.collect::<Vec<_>>(),
    });
    session.show(fields, || {
        let share = |share: u16| format!("{:.5}", f64::from(share) / f64::from(u16::MAX));
        let rows = places.iter().map(|(name, netuid, uid)| {
            let graph = &graphs[netuid];
            let ago = state.number().saturating_sub(graph.last_update[*uid]);
            [
                (*name).clone(),
                netuid.to_string(),
                uid.to_string(),
                Amount(graph.stake[*uid]).to_string(),
                share(graph.incentive[*uid]),
                share(graph.dividends[*uid]),
                Amount(graph.emission[*uid]).to_string(),
                yes(graph.validator_permit[*uid]),
                format!("{ago} blocks ago"),
            ]
        });
        let header = [
            "hotkey",
            "netuid",
            "uid",
            "stake",
            "incentive",
            "dividends",
            "emission",
            "permit",
            "updated",
        ];
        format!(
            "{}  {coldkey}\nfree {} TAO, staked {} TAO\n{}",
            wallet.name(),
            Amount(free),
            Amount(staked),
            table(header, rows)
        )
    })
}

//! `agon stake`: staking, withdrawing and moving stake.

use super::session::{Order, Session, table, too_early};
use super::wallet::{Part, account, open, whose};
use crate::amount::Amount;
use crate::args::{
    AddStake, HowMuch, ListStake, MoveStake, Pricing, RemoveStake, Signing, Stake as Arguments,
    StakeVerb, Take, TransferStake,
};
use crate::failure::Failure;
use agon_keys::AccountId;
use agon_neuron::{Call, Limit, ROOT};
use anyhow::anyhow;
use serde_json::json;

/// Run one verb.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        StakeVerb::Add(add) => buy(add).await,
        StakeVerb::Remove(remove) => sell(remove).await,
        StakeVerb::Move(change) => relocate(change).await,
        StakeVerb::Transfer(transfer) => give(transfer).await,
        StakeVerb::List(list) => show(list).await,
        StakeVerb::Take(take) => keep(take).await,
    }
}

async fn buy(add: AddStake) -> Result<(), Failure> {
    let (netuid, amount) = (add.subnet.netuid, add.amount);
    let session = Session::open(&add.subnet.chain).await?;
    session.subnet_exists(netuid).await?;
    let hotkey = hotkey(&add.signing, add.on)?;
    let price = price(&session, netuid).await?;
    let limit = add.pricing.limit(netuid, price, Side::Buy);
    let expected = session.state.simulate_buy(netuid, amount.0).await?;
    let expected = expected.map_or(String::new(), |trade| {
        format!(", for about {} alpha", Amount(trade.alpha_amount))
    });
    let order = Order {
        call: match limit {
            Some(limit) => Call::add_stake_limit(hotkey, netuid, amount.0, limit),
            None => Call::add_stake(hotkey, netuid, amount.0),
        },
        key: Part::Coldkey,
        plan: format!(
            "stake {amount} TAO on {hotkey} in subnet {netuid}{expected}; {}",
            terms(price, limit, "at most")
        ),
        moves_money: true,
    };
    let Some(receipt) = session.carry_out(&add.signing, order).await? else {
        return Ok(());
    };
    // StakeAdded(coldkey, hotkey, tao, alpha, netuid, fee)
    let (tao, alpha) = (receipt.told("StakeAdded", 2), receipt.told("StakeAdded", 3));
    let more = json!({
        "netuid": netuid,
        "hotkey": hotkey,
        "tao_rao": tao,
        "alpha_rao": alpha,
        "swap_fee_rao": receipt.told("StakeAdded", 5),
    });
    let text = format!(
        "Staked {} TAO on {hotkey} in subnet {netuid}: {} alpha",
        amount_or(tao, amount),
        amount_or(alpha, Amount(0))
    );
    session.done(&receipt, more, &text)
}

async fn sell(remove: RemoveStake) -> Result<(), Failure> {
    let netuid = remove.subnet.netuid;
    let session = Session::open(&remove.subnet.chain).await?;
    session.subnet_exists(netuid).await?;
    let hotkey = hotkey(&remove.signing, remove.on)?;
    let staked = staked(&session, &remove.signing, hotkey, netuid).await?;
    let amount = remove.much.of(staked, netuid)?;
    let price = price(&session, netuid).await?;
    let limit = remove.pricing.limit(netuid, price, Side::Sell);
    let expected = session.state.simulate_sale(netuid, amount.0).await?;
    let expected = expected.map_or(String::new(), |trade| {
        format!(", for about {} TAO", Amount(trade.tao_amount))
    });
    // Everything is the chain's to count: it may have earned since.
    let call = match (remove.much.all, limit) {
        (true, limit) if !remove.pricing.partial => {
            Call::remove_stake_full_limit(hotkey, netuid, limit.map(|limit| limit.price))
        }
        (_, Some(limit)) => Call::remove_stake_limit(hotkey, netuid, amount.0, limit),
        (_, None) => Call::remove_stake(hotkey, netuid, amount.0),
    };
    let order = Order {
        call,
        key: Part::Coldkey,
        plan: format!(
            "withdraw {amount} alpha from {hotkey} in subnet {netuid}{expected}; {}",
            terms(price, limit, "at least")
        ),
        moves_money: true,
    };
    let Some(receipt) = session.carry_out(&remove.signing, order).await? else {
        return Ok(());
    };
    // StakeRemoved(coldkey, hotkey, tao, alpha, netuid, fee)
    let told = |position| receipt.told("StakeRemoved", position);
    let more = json!({
        "netuid": netuid,
        "hotkey": hotkey,
        "tao_rao": told(2),
        "alpha_rao": told(3),
        "swap_fee_rao": told(5),
    });
    let text = format!(
        "Withdrew {} alpha from {hotkey} in subnet {netuid}: {} TAO",
        amount_or(told(3), amount),
        amount_or(told(2), Amount(0))
    );
    session.done(&receipt, more, &text)
}

async fn relocate(change: MoveStake) -> Result<(), Failure> {
    let origin = change.subnet.netuid;
    let destination = change.dest_netuid.unwrap_or(origin);
    let session = Session::open(&change.subnet.chain).await?;
    session.subnet_exists(origin).await?;
    session.subnet_exists(destination).await?;
    let from = hotkey(&change.signing, change.on)?;
    let to = change.dest_hotkey.unwrap_or(from);
    if (from, origin) == (to, destination) {
        return Err(Failure::user(anyhow!(
            "it is there already; give --dest-hotkey or --dest-netuid"
        )));
    }
    let staked = staked(&session, &change.signing, from, origin).await?;
    let amount = change.much.of(staked, origin)?;
    let (here, there) = (
        price(&session, origin).await?,
        price(&session, destination).await?,
    );
    // The price of the one alpha in the other; only a swap on one hotkey takes a limit.
    let ratio = Amount(u64::try_from(
        u128::from(here.0) * u128::from(Amount::ONE.0) / u128::from(there.0.max(1)),
    )?);
    let limit = match from == to {
        true => change.pricing.limit_between(ratio),
        false => None,
    };
    let call = match limit {
        Some(limit) => Call::swap_stake_limit(from, origin, destination, amount.0, limit),
        None => Call::move_stake((from, origin), (to, destination), amount.0),
    };
    let order = Order {
        call,
        key: Part::Coldkey,
        plan: format!(
            "move {amount} alpha of subnet {origin} on {from} to {to} in subnet {destination}"
        ),
        moves_money: true,
    };
    let Some(receipt) = session.carry_out(&change.signing, order).await? else {
        return Ok(());
    };
    let more = json!({
        "origin_netuid": origin,
        "destination_netuid": destination,
        "origin_hotkey": from,
        "destination_hotkey": to,
        "alpha_rao": amount.0,
    });
    let text = format!("Moved {amount} alpha to {to} in subnet {destination}");
    session.done(&receipt, more, &text)
}

async fn give(transfer: TransferStake) -> Result<(), Failure> {
    let origin = transfer.subnet.netuid;
    let destination = transfer.dest_netuid.unwrap_or(origin);
    let session = Session::open(&transfer.subnet.chain).await?;
    session.subnet_exists(origin).await?;
    session.subnet_exists(destination).await?;
    let hotkey = hotkey(&transfer.signing, transfer.on)?;
    let staked = staked(&session, &transfer.signing, hotkey, origin).await?;
    let amount = transfer.much.of(staked, origin)?;
    let to = transfer.destination;
    let order = Order {
        call: Call::transfer_stake(to, hotkey, origin, destination, amount.0),
        key: Part::Coldkey,
        plan: format!("give {amount} alpha of subnet {origin} on {hotkey} to {to}"),
        moves_money: true,
    };
    let Some(receipt) = session.carry_out(&transfer.signing, order).await? else {
        return Ok(());
    };
    let more = json!({
        "origin_netuid": origin,
        "destination_netuid": destination,
        "hotkey": hotkey,
        "destination": to,
        "alpha_rao": amount.0,
    });
    session.done(&receipt, more, &format!("Gave {amount} alpha to {to}"))
}

async fn show(list: ListStake) -> Result<(), Failure> {
    let coldkey = whose(&list.whose)?;
    let session = Session::open(&list.chain).await?;
    let stakes = session.state.stakes(coldkey).await?;
    let netuids: Vec<u16> = stakes.iter().map(|stake| stake.netuid).collect();
    let prices = session.state.prices(&netuids).await?;
    let priced = stakes.iter().zip(prices).map(|(stake, price)| {
        let worth = Amount(stake.alpha).at_price(price);
        (stake, Amount(price), worth)
    });
    let priced: Vec<_> = priced.collect();
    let total = priced
        .iter()
        .fold(0_u64, |total, (_, _, worth)| total.saturating_add(worth.0));
    let fields = priced.iter().map(|(stake, price, worth)| {
        json!({
            "netuid": stake.netuid,
            "hotkey": stake.hotkey,
            "alpha_rao": stake.alpha,
            "price_rao": price.0,
            "worth_rao": worth.0,
        })
    });
    let fields = json!({
        "coldkey": coldkey,
        "block": session.state.number(),
        "stakes": fields.collect::<Vec<_>>(),
        "worth_rao": total,
    });
    session.show(fields, || {
        let rows = priced.iter().map(|(stake, price, worth)| {
            [
                stake.netuid.to_string(),
                stake.hotkey.to_string(),
                Amount(stake.alpha).to_string(),
                price.to_string(),
                worth.to_string(),
            ]
        });
        format!(
            "{}\n{coldkey} has stake worth {} TAO",
            table(["netuid", "hotkey", "alpha", "price", "worth TAO"], rows),
            Amount(total)
        )
    })
}

/// A take in parts of 65535, as the chain keeps it, for people.
fn percent(take: u16) -> String {
    format!("{:.2} %", f64::from(take) / f64::from(u16::MAX) * 100.0)
}

async fn keep(take: Take) -> Result<(), Failure> {
    let session = Session::open(&take.chain).await?;
    let hotkey = hotkey(&take.signing, None)?;
    let now = session.state.delegate_take(hotkey).await?;
    let Some(wanted) = take.take else {
        return session.show(json!({"hotkey": hotkey, "take": now}), || {
            format!("{hotkey} takes {}", percent(now))
        });
    };
    // Rounded to the nearest part; a fraction is below 1.
    let parts = (u128::from(wanted.0) * u128::from(u16::MAX) * 2 + u128::from(Amount::ONE.0))
        / (2 * u128::from(Amount::ONE.0));
    let parts = u16::try_from(parts).unwrap_or(u16::MAX);
    if parts == now {
        return Err(Failure::user(anyhow!(
            "{hotkey} takes {} already",
            percent(now)
        )));
    }
    let early = match parts > now {
        true => session.state.blocks_until_higher_take(hotkey).await?,
        false => 0,
    };
    let early = too_early(early, "the take can be raised again");
    let order = Order {
        call: match parts > now {
            true => Call::increase_take(hotkey, parts),
            false => Call::decrease_take(hotkey, parts),
        },
        key: Part::Coldkey,
        plan: format!(
            "change the take of {hotkey} from {} to {}",
            percent(now),
            percent(parts)
        ),
        moves_money: false,
    };
    let Some(receipt) = session
        .carry_out_unless(early, &take.signing, order)
        .await?
    else {
        return Ok(());
    };
    let more = json!({"hotkey": hotkey, "take": parts});
    session.done(
        &receipt,
        more,
        &format!("{hotkey} takes {}", percent(parts)),
    )
}

/// The hotkey that is meant: the address, or the wallet's by its public file.
fn hotkey(signing: &Signing, address: Option<AccountId>) -> Result<AccountId, Failure> {
    match address {
        Some(address) => Ok(address),
        None => account(&open(&signing.place)?, Part::Hotkey),
    }
}

/// What the wallet's coldkey has staked there.
async fn staked(
    session: &Session,
    signing: &Signing,
    hotkey: AccountId,
    netuid: u16,
) -> Result<Amount, Failure> {
    let coldkey = account(&open(&signing.place)?, Part::Coldkey)?;
    let staked = session.state.stake_of(netuid, hotkey, coldkey).await?;
    Ok(Amount(staked))
}

async fn price(session: &Session, netuid: u16) -> Result<Amount, Failure> {
    let prices = session.state.prices(&[netuid]).await?;
    Ok(prices.first().map_or(Amount::ONE, |&price| Amount(price)))
}

fn terms(price: Amount, limit: Option<Limit>, bound: &str) -> String {
    match limit {
        None => format!("the price is {price} TAO"),
        Some(limit) => format!(
            "the price is {price} TAO, and {bound} {} TAO is accepted",
            Amount(limit.price)
        ),
    }
}

fn amount_or(rao: Option<u64>, otherwise: Amount) -> Amount {
    rao.map_or(otherwise, Amount)
}

/// Who bears a moving price.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Buy,
    Sell,
}

impl HowMuch {
    /// The amount that is meant of what there is.
    fn of(&self, staked: Amount, netuid: u16) -> Result<Amount, Failure> {
        let amount = self.amount.unwrap_or(staked);
        if staked.0 == 0 || amount > staked {
            return Err(Failure::user(anyhow!(
                "there are only {staked} alpha of this coldkey on this hotkey in subnet {netuid}; see agon stake list"
            )));
        }
        Ok(amount)
    }
}

impl Pricing {
    /// The limit of a trade in a subnet; none on root, whose price does not move.
    fn limit(&self, netuid: u16, price: Amount, side: Side) -> Option<Limit> {
        if self.no_limit || netuid == ROOT {
            return None;
        }
        let price = self.limit_price.unwrap_or_else(|| match side {
            Side::Buy => price.raised(self.tolerance),
            Side::Sell => price.lowered(self.tolerance),
        });
        Some(Limit {
            price: price.0,
            partial: self.partial,
        })
    }

    /// The limit of a swap between two subnets, whose prices have this ratio.
    fn limit_between(&self, ratio: Amount) -> Option<Limit> {
        let price = self
            .limit_price
            .unwrap_or_else(|| ratio.lowered(self.tolerance));
        (!self.no_limit).then_some(Limit {
            price: price.0,
            partial: self.partial,
        })
    }
}

//! What every command that talks to a chain shares: the way there, a submission from the question
//! whether it is meant to its one outcome, and how results look.

use super::wallet::{Part, account, open, unlock};
use crate::amount::Amount;
use crate::args::{Chain, Signing, WalletPlace};
use crate::failure::Failure;
use crate::hints::hint;
use crate::memory::Memory;
use crate::printer::{result, say};
use crate::settings::Settings;
use agon_keys::AccountId;
use agon_neuron::{
    Call, ChainClient, ChainState, ConnectError, Deadlines, Event, H256, Outcome, PrepareError,
    ReadError, SignedCall, Signer,
};
use anyhow::{Context, anyhow};
use comfy_table::{Table, presets};
use serde_json::{Map, Value, json};
use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::sync::Arc;

/// Version of the JSON documents' form.
const SCHEMA: u32 = 1;

/// The public networks and the usual local one, each with its nodes in the order in which they are tried.
const NETWORKS: &[(&str, &[&str])] = &[
    (
        "finney",
        &[
            "wss://entrypoint-finney.opentensor.ai:443",
            "wss://lite.chain.opentensor.ai:443",
            "wss://lite.sub.latent.to:443",
        ],
    ),
    ("test", &["wss://test.finney.opentensor.ai:443"]),
    (
        "archive",
        &[
            "wss://archive.chain.opentensor.ai:443",
            "wss://archive.sub.latent.to:443",
        ],
    ),
    ("latent-lite", &["wss://lite.sub.latent.to:443"]),
    ("devnet", &["wss://dev.chain.opentensor.ai:443"]),
    ("local", &["ws://127.0.0.1:9944"]),
];

/// Networks that old scripts name and that are no more.
const GONE: &[&str] = &["kusanagi", "nakamoto", "akatsuki", "nobunaga"];

/// Environment variables that name a node, and those that name a network; SDK 10's before SDK 11's before the oldest.
const NODE_VARIABLES: &[&str] = &["BT_SUBTENSOR_CHAIN_ENDPOINT", "BT_CHAIN_ENDPOINT"];
const NETWORK_VARIABLES: &[&str] = &["BT_SUBTENSOR_NETWORK", "BT_NETWORK", "NETWORK"];

/// A connected command.
pub struct Session {
    /// The chain.
    pub client: ChainClient,
    /// The chain's newest final block when the command began.
    pub state: ChainState,
    json: bool,
}

/// Something to be signed and sent.
pub struct Order {
    /// The call.
    pub call: Call,
    /// Who signs it.
    pub key: Part,
    /// What it does, for the person who has to agree.
    pub plan: String,
    /// Whether the person has to agree.
    pub moves_money: bool,
}

/// A submission that happened.
pub struct Receipt {
    block: u64,
    hash: H256,
    extrinsic_index: u32,
    fee: Option<u64>,
    events: Vec<Event>,
}

impl Receipt {
    /// The block, and the index of the extrinsic in it.
    pub fn place(&self) -> (u64, u32) {
        (self.block, self.extrinsic_index)
    }

    /// A number that the runtime reported: the field at `position` of the last event with this name.
    pub fn told(&self, event: &str, position: usize) -> Option<u64> {
        let mut events = self.events.iter().rev();
        events.find(|told| told.name == event)?.number(position)
    }
}

impl Session {
    /// Connect as the arguments and the environment say.
    pub async fn open(chain: &Chain) -> Result<Self, Failure> {
        let urls = nodes(&network(chain)?)?;
        let usual = Deadlines::default();
        let deadlines = Deadlines {
            connect: usual.connect.min(chain.timeout),
            request: usual.request.min(chain.timeout),
            submit: chain.timeout,
            ..usual
        };
        let client =
            ChainClient::connect_any(urls, deadlines)
                .await
                .map_err(|error| match error {
                    ConnectError::Late { .. } => Failure::Ours(error.into()),
                    mistaken => Failure::user(mistaken),
                })?;
        let state = client.finalized().await?;
        Ok(Self {
            client,
            state,
            json: chain.json,
        })
    }

    /// Connect as a neuron that works by itself: to a subnet that exists, with a hotkey that is registered there and
    /// unlocked.
    pub async fn of_neuron(
        chain: &Chain,
        netuid: u16,
        place: &WalletPlace,
        password_file: Option<&Path>,
    ) -> Result<(Self, Arc<dyn Signer>), Failure> {
        let session = Self::open(chain).await?;
        session.subnet_exists(netuid).await?;
        let hotkey = unlock(&open(place)?, Part::Hotkey, password_file)?;
        session.uid(netuid, hotkey.account()).await?;
        Ok((session, Arc::new(hotkey)))
    }

    /// The uid of a hotkey on a subnet. To have none is the user's mistake.
    pub async fn uid(&self, netuid: u16, hotkey: AccountId) -> Result<u16, Failure> {
        let uid = self.state.uid(netuid, hotkey).await?;
        uid.ok_or_else(|| {
            Failure::user(anyhow!(
                "{hotkey} is not registered on subnet {netuid}; run agon subnet register --netuid {netuid}"
            ))
        })
    }

    /// That a subnet exists, or the user's mistake.
    pub async fn subnet_exists(&self, netuid: u16) -> Result<(), Failure> {
        match self.state.subnet_exists(netuid).await? {
            true => Ok(()),
            false => Err(Failure::user(anyhow!(
                "there is no subnet {netuid} on {}; see agon subnet list",
                self.client.url()
            ))),
        }
    }

    /// Print a result: `fields` for scripts, `text` for people.
    pub fn show(&self, fields: Value, text: impl FnOnce() -> String) -> Result<(), Failure> {
        match self.json {
            true => result(&document(fields).to_string())?,
            false => result(&text())?,
        }
        Ok(())
    }

    /// Bring an order into a final block, once. `None` after a dry run. Refusals and missing
    /// answers are failures, which are also printed for scripts.
    pub async fn carry_out(
        &self,
        signing: &Signing,
        order: Order,
    ) -> Result<Option<Receipt>, Failure> {
        self.carry_out_unless(None, signing, order).await
    }

    /// As [`Session::carry_out`], but nothing new is sent if there is a reason against it. What was sent before is
    /// settled first: it may be that very reason.
    pub async fn carry_out_unless(
        &self,
        reason: Option<String>,
        signing: &Signing,
        order: Order,
    ) -> Result<Option<Receipt>, Failure> {
        let wallet = open(&signing.place)?;
        let signer = account(&wallet, order.key)?;
        let name = order.call.to_string();
        if signing.dry_run {
            let fee = self.client.fee(order.call, signer).await.map_err(unfit)?;
            let fields = json!({
                "outcome": "dry_run",
                "call": name,
                "signer": signer,
                "plan": order.plan,
                "fee_rao": fee,
            });
            self.show(fields, || {
                format!(
                    "Would be sent as {name} by {signer}: {}. Fee: {} TAO.",
                    order.plan,
                    Amount(fee)
                )
            })?;
            return Ok(None);
        }
        if order.moves_money && !signing.yes {
            agree(&order.plan)?;
        }
        let memory = self.submissions(signer)?;
        if let Some(signed) = memory.read::<SignedCall>()? {
            say(&format!(
                "an earlier {} of {signer} had no outcome yet; it is settled first",
                signed.call()
            ));
            let outcome = self.client.send(&signed).await;
            if matches!(outcome, Outcome::Unknown { .. }) {
                return self.conclude(signed.call(), outcome).await.map(Some);
            }
            memory.forget()?;
            if let Outcome::Finalised { block, .. } = outcome {
                say(&format!("it is in block {block}"));
                if signed.call() == name {
                    say("so nothing new was sent; run the command again to do it once more");
                    return self.conclude(&name, outcome).await.map(Some);
                }
            }
        }
        if let Some(reason) = reason {
            return Err(Failure::user(anyhow!(reason)));
        }
        let keypair = unlock(&wallet, order.key, signing.password_file.as_deref())?;
        let signed = self.client.prepare(order.call, &keypair).await;
        let signed = signed.map_err(unfit)?;
        memory.keep(&signed)?;
        let outcome = self.client.send(&signed).await;
        if !matches!(outcome, Outcome::Unknown { .. }) {
            memory.forget()?;
        }
        self.conclude(&name, outcome).await.map(Some)
    }

    /// Print what became of an order, with more that is known of it.
    pub fn done(&self, receipt: &Receipt, more: Value, text: &str) -> Result<(), Failure> {
        let mut fields = json!({
            "outcome": "finalised",
            "block": receipt.block,
            "block_hash": receipt.hash,
            "extrinsic_index": receipt.extrinsic_index,
            "fee_rao": receipt.fee,
        });
        if let (Some(fields), Value::Object(more)) = (fields.as_object_mut(), more) {
            fields.extend(more);
        }
        self.show(fields, || {
            let fee = receipt.fee.filter(|fee| *fee > 0);
            let fee = fee.map_or(String::new(), |fee| format!(", fee {} TAO", Amount(fee)));
            format!("{text} (block {}{fee})", receipt.block)
        })
    }

    async fn conclude(&self, name: &str, outcome: Outcome) -> Result<Receipt, Failure> {
        match outcome {
            Outcome::Finalised {
                block,
                hash,
                extrinsic_index,
                fee,
            } => Ok(Receipt {
                block,
                hash,
                extrinsic_index,
                fee,
                events: self.client.events(hash, extrinsic_index).await?,
            }),
            Outcome::Rejected { error } => {
                let hint = hint(&error);
                let fields = json!({
                    "outcome": "rejected", "call": name, "error": error, "hint": hint,
                });
                self.show_to_scripts(fields)?;
                let hint = hint.map_or(String::new(), |hint| format!("\n  {hint}"));
                Err(Failure::user(anyhow!("{name} was rejected: {error}{hint}")))
            }
            Outcome::Unknown { reason } => {
                let fields = json!({ "outcome": "unknown", "call": name, "reason": reason });
                self.show_to_scripts(fields)?;
                Err(Failure::Ours(anyhow!(
                    "{reason}\n  It may still happen. Run the same command again: it first finds out, and sends nothing twice."
                )))
            }
        }
    }

    fn show_to_scripts(&self, fields: Value) -> Result<(), Failure> {
        if self.json {
            result(&document(fields).to_string())?;
        }
        Ok(())
    }

    fn submissions(&self, signer: AccountId) -> Result<Memory, Failure> {
        let memory = Memory::named(&format!("submission-{}-{signer}.json", self.chain_name()));
        memory.map_err(Failure::User)
    }

    /// A short name of the chain, for file names.
    pub fn chain_name(&self) -> String {
        hex::encode(&self.client.genesis_hash().0[..8])
    }
}

/// Which network or node is meant. What was typed goes before the environment, and that before the file; an address
/// before a name.
pub fn network(chain: &Chain) -> Result<String, Failure> {
    let settings = Settings::load()?;
    let variable = |names: &[&str]| {
        let mut set = names.iter().filter_map(|name| std::env::var(name).ok());
        set.find(|value| !value.is_empty())
    };
    let places = [
        chain.endpoint.clone(),
        chain.network.clone(),
        variable(NODE_VARIABLES),
        variable(NETWORK_VARIABLES),
        settings.chain_endpoint,
        settings.network,
    ];
    let meant = places.into_iter().flatten().next();
    Ok(meant.unwrap_or_else(|| "finney".to_owned()))
}

/// The addresses of a network's nodes, or those that were given, with commas between them.
fn nodes(meant: &str) -> Result<Vec<String>, Failure> {
    if GONE.contains(&meant) {
        let names: Vec<_> = NETWORKS.iter().map(|(name, _)| *name).collect();
        return Err(Failure::user(anyhow!(
            "the network {meant} is no more; today there are: {}",
            names.join(", ")
        )));
    }
    let known = NETWORKS.iter().find(|(name, _)| *name == meant);
    Ok(match known {
        Some((_, urls)) => urls.iter().map(|url| (*url).to_owned()).collect(),
        None => meant.split(',').map(|url| url.trim().to_owned()).collect(),
    })
}

fn unfit(error: PrepareError) -> Failure {
    match error {
        PrepareError::Read(ReadError::Connect(error)) => Failure::user(error),
        error @ PrepareError::Encode { .. } => Failure::user(error),
        error => Failure::Ours(error.into()),
    }
}

/// What is said of something that the chain takes only after some blocks.
pub fn too_early(blocks: u64, until: &str) -> Option<String> {
    (blocks > 0).then(|| format!("too early: {blocks} blocks remain until {until}"))
}

/// Ask the person; without one, nothing moves.
fn agree(plan: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::user(anyhow!(
            "this moves money and there is no terminal to ask on: {plan}. Give --yes if you mean it"
        )));
    }
    say(plan);
    let mut terminal = std::io::stderr();
    write!(terminal, "Go on? [y/N] ").and_then(|()| terminal.flush())?;
    let mut answer = String::new();
    let mut line = std::io::BufReader::new(std::io::stdin().take(1024));
    std::io::BufRead::read_line(&mut line, &mut answer).context("cannot read the answer")?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::user(anyhow!("nothing was sent"))),
    }
}

/// A JSON document of ours.
pub fn document(fields: Value) -> Value {
    let mut document = Map::new();
    document.insert("schema".to_owned(), SCHEMA.into());
    if let Value::Object(fields) = fields {
        document.extend(fields);
    }
    document.into()
}

/// A table for people.
pub fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY);
    table.set_header(header);
    for row in rows {
        table.add_row(row);
    }
    table.to_string()
}

/// A fact in a table that either is or is not.
pub fn yes(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

/// A table of one thing: names and values.
pub fn facts(rows: &[(&str, String)]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY);
    for (name, value) in rows {
        table.add_row([*name, value]);
    }
    table.to_string()
}

/// The beginning of an address, enough to tell it from others in a table.
pub fn short(account: &AccountId) -> String {
    let address = account.to_string();
    format!("{}…", &address[..address.len().min(8)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_names_and_addresses_are_taken_as_they_are() {
        let of = |meant: &str| nodes(meant).unwrap();
        assert_eq!(of("local"), ["ws://127.0.0.1:9944"]);
        assert_eq!(of("finney").len(), 3);
        assert_eq!(of("ws://a, ws://b:1"), ["ws://a", "ws://b:1"]);
        let Err(Failure::User(error)) = nodes("kusanagi") else {
            panic!("it is no more")
        };
        assert!(error.to_string().contains("finney, test"), "{error}");
    }
}

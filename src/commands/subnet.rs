//! `agon subnet`: what there is, founding, registering and setting up.

use super::session::{Order, Session, facts, short, table, too_early, yes};
use super::wallet::{Part, account, open};
use crate::amount::Amount;
use crate::args::{
    Chain, CreateSubnet, IdentityTexts, OneSubnet, Register, SetHyperparameter, SignedOnSubnet,
    Subnet as Arguments, SubnetIdentity, SubnetVerb,
};
use crate::failure::Failure;
use agon_neuron::{
    Call, Freeze, HYPERPARAMETERS, Hyperparameter, Identity, Metagraph, PrepareError, Subnet,
};
use anyhow::anyhow;
use serde_json::{Map, Value, json};

/// How far the price of a registration may rise between the look and the block: half a percent.
const REGISTRATION_TOLERANCE: Amount = Amount(5_000_000);

/// Run one verb.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        SubnetVerb::List(chain) => list(chain).await,
        SubnetVerb::Show(one) => show(one).await,
        SubnetVerb::Create(create) => found(create).await,
        SubnetVerb::Start(start) => begin(start).await,
        SubnetVerb::Register(register) => register_hotkey(register).await,
        SubnetVerb::Metagraph(one) => metagraph(one).await,
        SubnetVerb::Hyperparameters(one) => settings(one).await,
        SubnetVerb::SetHyperparameter(set) => change(set).await,
        SubnetVerb::Identity(identity) => identify(identity).await,
    }
}

async fn list(chain: Chain) -> Result<(), Failure> {
    let session = Session::open(&chain).await?;
    let subnets = session.state.subnet_list().await?;
    let fields = json!({"block": session.state.number(), "subnets": subnets});
    session.show(fields, || {
        let header = [
            "netuid",
            "name",
            "symbol",
            "price",
            "TAO in",
            "alpha in",
            "alpha out",
            "neurons",
            "tempo",
            "registration",
            "started",
        ];
        let rows = subnets.iter().map(|subnet| {
            [
                subnet.netuid.to_string(),
                subnet.name(),
                subnet.symbol.clone(),
                Amount(subnet.price).to_string(),
                Amount(subnet.tao_in).to_string(),
                Amount(subnet.alpha_in).to_string(),
                Amount(subnet.alpha_out).to_string(),
                format!("{}/{}", subnet.neurons, subnet.max_neurons),
                subnet.tempo.to_string(),
                registration(subnet),
                yes(subnet.started_at.is_some()),
            ]
        });
        table(header, rows)
    })
}

fn registration(subnet: &Subnet) -> String {
    match subnet.registration_allowed {
        true => format!("{} TAO", Amount(subnet.burn)),
        false => "closed".to_owned(),
    }
}

async fn the(session: &Session, netuid: u16) -> Result<Subnet, Failure> {
    session.subnet_exists(netuid).await?;
    let subnet = session.state.subnet(netuid).await?;
    subnet.ok_or_else(|| Failure::Ours(anyhow!("subnet {netuid} exists and cannot be read")))
}

async fn show(one: OneSubnet) -> Result<(), Failure> {
    let session = Session::open(&one.chain).await?;
    let subnet = the(&session, one.netuid).await?;
    let epoch = session.state.epoch(one.netuid).await?;
    let fields = json!({
        "block": session.state.number(),
        "subnet": subnet,
        "epoch": {
            "index": epoch.index,
            "last_block": epoch.last_block,
            "next_block": epoch.next_block,
        },
    });
    session.show(fields, || {
        let next = epoch.next_block.map_or("none".to_owned(), |next| {
            let left = next.saturating_sub(session.state.number());
            format!("block {next}, in {left} blocks")
        });
        let started = subnet
            .started_at
            .map_or("no".to_owned(), |block| format!("since block {block}"));
        facts(&[
            ("netuid", subnet.netuid.to_string()),
            ("name", subnet.name()),
            ("symbol", subnet.symbol.clone()),
            ("owner", subnet.owner.to_string()),
            ("owner's hotkey", subnet.owner_hotkey.to_string()),
            ("founded", format!("in block {}", subnet.registered_at)),
            ("started", started),
            (
                "neurons",
                format!("{} of {}", subnet.neurons, subnet.max_neurons),
            ),
            ("registration", registration(&subnet)),
            ("price", format!("{} TAO", Amount(subnet.price))),
            ("TAO in pool", Amount(subnet.tao_in).to_string()),
            ("alpha in pool", Amount(subnet.alpha_in).to_string()),
            ("alpha outside", Amount(subnet.alpha_out).to_string()),
            ("tempo", format!("{} blocks", subnet.tempo)),
            ("epochs run", epoch.index.to_string()),
            ("next epoch", next),
        ])
    })
}

async fn found(create: CreateSubnet) -> Result<(), Failure> {
    let session = Session::open(&create.chain).await?;
    let hotkey = account(&open(&create.signing.place)?, Part::Hotkey)?;
    let early = session.state.blocks_until_founding().await?;
    let early = too_early(early, "a subnet can be founded again");
    let cost = session.state.subnet_cost().await?;
    let cost = cost.map_or("what the chain asks".to_owned(), |rao| {
        format!("{} TAO", Amount(rao))
    });
    let call = match create.identity.any() {
        false => Call::register_network(hotkey),
        true => {
            let identity = create.identity.over(Identity::default());
            Call::register_network_with_identity(hotkey, &identity)
        }
    };
    let order = Order {
        call,
        key: Part::Coldkey,
        plan: format!("found a subnet for {cost}, with {hotkey} as its first neuron"),
        moves_money: true,
    };
    let Some(receipt) = session
        .carry_out_unless(early, &create.signing, order)
        .await?
    else {
        return Ok(());
    };
    // NetworkAdded(netuid, …)
    let netuid = receipt.told("NetworkAdded", 0);
    let text = netuid.map_or("Founded a subnet".to_owned(), |netuid| {
        format!("Founded subnet {netuid}; start it with: agon subnet start --netuid {netuid}")
    });
    session.done(&receipt, json!({"netuid": netuid, "hotkey": hotkey}), &text)
}

async fn begin(start: SignedOnSubnet) -> Result<(), Failure> {
    let netuid = start.subnet.netuid;
    let session = Session::open(&start.subnet.chain).await?;
    session.subnet_exists(netuid).await?;
    let early = session.state.blocks_until_start(netuid).await?;
    let early = too_early(early, "the subnet can be started");
    let order = Order {
        call: Call::start_call(netuid),
        key: Part::Coldkey,
        plan: format!("start subnet {netuid}"),
        moves_money: false,
    };
    let Some(receipt) = session
        .carry_out_unless(early, &start.signing, order)
        .await?
    else {
        return Ok(());
    };
    let more = json!({"netuid": netuid});
    session.done(&receipt, more, &format!("Subnet {netuid} is started"))
}

async fn register_hotkey(register: Register) -> Result<(), Failure> {
    let netuid = register.subnet.netuid;
    let session = Session::open(&register.subnet.chain).await?;
    let subnet = the(&session, netuid).await?;
    let hotkey = account(&open(&register.signing.place)?, Part::Hotkey)?;
    if let Some(uid) = session.state.uid(netuid, hotkey).await? {
        return Err(Failure::user(anyhow!(
            "{hotkey} has uid {uid} on subnet {netuid} already"
        )));
    }
    let price = Amount(subnet.burn);
    let limit = register
        .max_price
        .unwrap_or_else(|| price.raised(REGISTRATION_TOLERANCE));
    let order = Order {
        call: Call::register_limit(netuid, hotkey, limit.0),
        key: Part::Coldkey,
        plan: format!(
            "register {hotkey} on subnet {netuid} for {price} TAO, at most {limit} TAO; it is not given back"
        ),
        moves_money: true,
    };
    let Some(receipt) = session.carry_out(&register.signing, order).await? else {
        return Ok(());
    };
    // NeuronRegistered(netuid, uid, hotkey)
    let uid = receipt.told("NeuronRegistered", 1);
    let text = match uid {
        Some(uid) => format!("{hotkey} has uid {uid} on subnet {netuid}"),
        None => format!("{hotkey} is registered on subnet {netuid}"),
    };
    let more = json!({"netuid": netuid, "uid": uid, "hotkey": hotkey});
    session.done(&receipt, more, &text)
}

async fn metagraph(one: OneSubnet) -> Result<(), Failure> {
    let session = Session::open(&one.chain).await?;
    session.subnet_exists(one.netuid).await?;
    let graph = session.state.metagraph(one.netuid).await?;
    let fields = json!({
        "netuid": graph.netuid,
        "block": graph.block,
        "block_hash": graph.block_hash,
        "neurons": (0..graph.len()).map(|uid| neuron(&graph, uid)).collect::<Vec<_>>(),
    });
    session.show(fields, || {
        let header = [
            "uid",
            "hotkey",
            "coldkey",
            "stake",
            "weight",
            "incentive",
            "dividends",
            "emission",
            "consensus",
            "vtrust",
            "permit",
            "active",
            "updated",
            "axon",
        ];
        let share = |share: u16| format!("{:.5}", f64::from(share) / f64::from(u16::MAX));
        let rows = (0..graph.len()).map(|uid| {
            let ago = graph.block.saturating_sub(graph.last_update[uid]);
            [
                uid.to_string(),
                short(&graph.hotkeys[uid]),
                short(&graph.coldkeys[uid]),
                Amount(graph.stake[uid]).to_string(),
                share(graph.stake_weight[uid]),
                share(graph.incentive[uid]),
                share(graph.dividends[uid]),
                Amount(graph.emission[uid]).to_string(),
                share(graph.consensus[uid]),
                share(graph.validator_trust[uid]),
                yes(graph.validator_permit[uid]),
                yes(graph.active[uid]),
                format!("{ago} ago"),
                graph.axons[uid].map_or(String::new(), |axon| {
                    std::net::SocketAddr::new(axon.ip, axon.port).to_string()
                }),
            ]
        });
        table(header, rows)
    })
}

fn neuron(graph: &Metagraph, uid: usize) -> Value {
    let axon = graph.axons[uid].map(|axon| {
        json!({
            "ip": axon.ip,
            "port": axon.port,
            "version": axon.version,
            "protocol": axon.protocol,
            "block": axon.block,
        })
    });
    json!({
        "uid": uid,
        "hotkey": graph.hotkeys[uid],
        "coldkey": graph.coldkeys[uid],
        "stake": graph.stake[uid],
        "stake_weight": graph.stake_weight[uid],
        "incentive": graph.incentive[uid],
        "dividends": graph.dividends[uid],
        "emission": graph.emission[uid],
        "consensus": graph.consensus[uid],
        "validator_trust": graph.validator_trust[uid],
        "validator_permit": graph.validator_permit[uid],
        "active": graph.active[uid],
        "last_update": graph.last_update[uid],
        "block_at_registration": graph.block_at_registration[uid],
        "axon": axon,
    })
}

async fn settings(one: OneSubnet) -> Result<(), Failure> {
    let session = Session::open(&one.chain).await?;
    session.subnet_exists(one.netuid).await?;
    let settings = session.state.settings(one.netuid).await?;
    let values: Map<String, Value> = settings
        .iter()
        .map(|(parameter, value)| (parameter.name().to_owned(), json!(value)))
        .collect();
    let fields = json!({
        "netuid": one.netuid,
        "block": session.state.number(),
        "hyperparameters": values,
    });
    session.show(fields, || {
        let rows = settings.iter().map(|(parameter, value)| {
            let value = match parameter.name() {
                "min_burn" | "max_burn" => format!("{value} rao"),
                _ => value.to_string(),
            };
            [
                parameter.name().to_owned(),
                value,
                yes(parameter.can_be_set()),
            ]
        });
        table(["name", "value", "can be set"], rows)
    })
}

async fn change(set: SetHyperparameter) -> Result<(), Failure> {
    let netuid = set.subnet.netuid;
    let parameter = Hyperparameter::named(&set.parameter).ok_or_else(|| {
        let names: Vec<_> = HYPERPARAMETERS.iter().map(Hyperparameter::name).collect();
        Failure::user(anyhow!(
            "there is no setting {:?}; there are: {}",
            set.parameter,
            names.join(", ")
        ))
    })?;
    let call = parameter.set(netuid, &set.value, set.sudo);
    let call = call.map_err(Failure::user)?;
    let session = Session::open(&set.subnet.chain).await?;
    session.subnet_exists(netuid).await?;
    let early = match set.sudo {
        false => session.state.blocks_until_change(netuid, parameter).await?,
        true => 0,
    };
    let until = format!("the owner can change {} again", parameter.name());
    let early = too_early(early, &until);
    let order = Order {
        call: match set.sudo {
            true => Call::sudo(call),
            false => call,
        },
        key: Part::Coldkey,
        plan: format!(
            "set {} of subnet {netuid} to {}",
            parameter.name(),
            set.value
        ),
        moves_money: false,
    };
    let freeze = session.state.freeze(netuid).await?;
    let sent = session.carry_out_unless(early, &set.signing, order).await;
    let sent = sent.map_err(|failure| match (failure, freeze) {
        (Failure::User(error), Some(freeze)) if error.to_string().contains(FROZEN) => {
            let when = when_open(freeze, session.state.number());
            Failure::User(anyhow!("{error}\n  {when}"))
        }
        (Failure::User(error), _)
            if matches!(error.downcast_ref(), Some(PrepareError::Encode { .. })) =>
        {
            Failure::User(anyhow!(
                "{} is beyond what the chain can store for {}",
                set.value,
                parameter.name()
            ))
        }
        (failure, _) => failure,
    });
    let Some(receipt) = sent? else {
        return Ok(());
    };
    // Read back: what counts is what the chain has made of it.
    let settings = session.client.finalized().await?.settings(netuid).await?;
    let value = settings
        .iter()
        .find(|(known, _)| known.name() == parameter.name())
        .map(|(_, value)| value);
    let text = match value {
        Some(value) => format!("{} of subnet {netuid} is {value}", parameter.name()),
        None => format!("{} of subnet {netuid} is set", parameter.name()),
    };
    let more = json!({"netuid": netuid, "name": parameter.name(), "value": value});
    session.done(&receipt, more, &text)
}

/// The runtime's error shortly before an epoch.
const FROZEN: &str = "AdminActionProhibitedDuringWeightsWindow";

/// When the owner can change settings again.
fn when_open(freeze: Freeze, now: u64) -> String {
    if freeze.endless {
        let window = freeze.window;
        return format!(
            "here that is always, {window} blocks before each epoch: only root can (--sudo)"
        );
    }
    let blocks = freeze.epoch.saturating_sub(now);
    format!("that is in {blocks} blocks, after block {}", freeze.epoch)
}

async fn identify(change: SubnetIdentity) -> Result<(), Failure> {
    let netuid = change.subnet.netuid;
    let session = Session::open(&change.subnet.chain).await?;
    let identity = the(&session, netuid).await?.identity;
    if !change.texts.any() {
        let fields = json!({"netuid": netuid, "identity": identity});
        return session.show(fields, || match &identity {
            None => format!("The owner of subnet {netuid} has said nothing of it"),
            Some(identity) => {
                let texts = identity.texts();
                let texts =
                    texts.map(|(name, text)| (name, String::from_utf8_lossy(text).into_owned()));
                facts(&texts)
            }
        });
    }
    let identity = change.texts.over(identity.unwrap_or_default());
    let order = Order {
        call: Call::set_subnet_identity(netuid, &identity),
        key: Part::Coldkey,
        plan: format!("say what subnet {netuid} is"),
        moves_money: false,
    };
    let Some(receipt) = session.carry_out(&change.signing, order).await? else {
        return Ok(());
    };
    let more = json!({"netuid": netuid, "identity": identity});
    session.done(&receipt, more, &format!("Subnet {netuid} is described"))
}

impl IdentityTexts {
    /// Whether anything is said.
    fn any(&self) -> bool {
        self.texts().iter().any(|text| text.is_some())
    }

    /// What is said here, and what was said before of the rest.
    fn over(self, mut before: Identity) -> Identity {
        let fields = [
            &mut before.subnet_name,
            &mut before.github_repo,
            &mut before.subnet_contact,
            &mut before.subnet_url,
            &mut before.discord,
            &mut before.description,
            &mut before.logo_url,
            &mut before.additional,
        ];
        for (field, text) in fields.into_iter().zip(self.texts()) {
            if let Some(text) = text {
                *field = text.clone().into_bytes();
            }
        }
        before
    }

    fn texts(&self) -> [&Option<String>; 8] {
        [
            &self.subnet_name,
            &self.github_repo,
            &self.subnet_contact,
            &self.subnet_url,
            &self.discord,
            &self.description,
            &self.logo_url,
            &self.additional,
        ]
    }
}

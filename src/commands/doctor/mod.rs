//! `agon doctor`: what keeps a neuron or a machine from working, and what to do about each.

mod machine;

use super::session::{Session, document, table};
use super::wallet::{Part, account, open};
use crate::amount::Amount;
use crate::args::Doctor;
use crate::failure::Failure;
use crate::printer::result;
use agon_keys::AccountId;
use anyhow::anyhow;
use serde::Serialize;
use serde_json::json;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How far the clock may be from the chain's last block beside the time of a block: signed requests are refused from
/// about here on.
const SKEW: Duration = Duration::from_secs(4);
/// How long a server may take to take a connection.
const CONNECT: Duration = Duration::from_secs(4);

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Good,
    Look,
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    state: State,
    found: String,
    /// What to do, where something should be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Finding {
    fn good(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            state: State::Good,
            found: found.into(),
            advice: None,
        }
    }

    fn bad(what: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            state: State::Bad,
            found: found.into(),
            advice: Some(advice.into()),
        }
    }

    fn look(what: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            state: State::Look,
            ..Self::bad(what, found, advice)
        }
    }
}

/// Look at everything and say how it stands. What is bad makes the exit status that of a mistake.
pub async fn run(doctor: Doctor) -> Result<(), Failure> {
    let mut findings = Vec::new();
    let mut needs = None;
    if let Some(subnet) = &doctor.subnet {
        let (name, compute) = machine::compute(subnet)?;
        needs = Some(json!({"subnet": name, "minimum": compute}));
        machine::look(&doctor, &compute, &mut findings).await?;
    }
    // A machine can be looked at without any chain; a chain that is named is looked at as well.
    let chain = &doctor.chain;
    if doctor.subnet.is_none()
        || doctor.netuid.is_some()
        || chain.network.is_some()
        || chain.endpoint.is_some()
    {
        look_at_neuron(&doctor, &mut findings).await?;
    }
    let bad = findings
        .iter()
        .filter(|finding| finding.state == State::Bad)
        .count();
    match doctor.chain.json {
        true => {
            let fields = json!({"bad": bad, "findings": findings, "needs": needs});
            result(&document(fields).to_string())?
        }
        false => result(&shown(&findings))?,
    }
    match bad {
        0 => Ok(()),
        _ => Err(Failure::user(anyhow!(
            "{bad} of {} things are bad",
            findings.len()
        ))),
    }
}

/// The chain, the clock beside it, the wallet, and the hotkey's place on the subnet.
async fn look_at_neuron(doctor: &Doctor, findings: &mut Vec<Finding>) -> Result<(), Failure> {
    let session = Session::open(&doctor.chain).await?;
    findings.push(Finding::good(
        "chain",
        format!(
            "{} at block {}",
            session.client.url(),
            session.state.number()
        ),
    ));
    findings.push(clock(&session).await?);
    let wallet = open(&doctor.place)?;
    match account(&wallet, Part::Coldkey) {
        Ok(coldkey) => findings.push(balance(&session, coldkey).await?),
        Err(error) => findings.push(Finding::look(
            "coldkey",
            told(error),
            "agon wallet new-coldkey",
        )),
    }
    match account(&wallet, Part::Hotkey) {
        Ok(hotkey) => {
            if let Some(netuid) = doctor.netuid {
                session.subnet_exists(netuid).await?;
                neuron(&session, netuid, hotkey, findings).await?;
            }
        }
        Err(error) => findings.push(Finding::bad(
            "hotkey",
            told(error),
            "agon wallet new-hotkey",
        )),
    }
    Ok(())
}

fn told(failure: Failure) -> String {
    match failure {
        Failure::User(error) | Failure::Ours(error) => format!("{error:#}"),
        Failure::Interrupted => String::new(),
    }
}

fn shown(findings: &[Finding]) -> String {
    let rows = findings.iter().map(|finding| {
        let state = match finding.state {
            State::Good => "good",
            State::Look => "look",
            State::Bad => "BAD",
        };
        [
            finding.what.clone(),
            state.to_owned(),
            finding.found.clone(),
            finding.advice.clone().unwrap_or_default(),
        ]
    });
    table(["", "", "found", "what to do"], rows)
}

/// The machine's clock beside the time of the chain's newest block, which is at most a few blocks old.
async fn clock(session: &Session) -> Result<Finding, Failure> {
    let (time, block_time) = tokio::try_join!(session.state.time(), session.state.block_time())?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let ahead = now.saturating_sub(time);
    let behind = time.saturating_sub(now);
    // Blocks are final a few blocks late.
    let usual = block_time * 4 + SKEW;
    let found = match behind.is_zero() {
        true => format!("the newest final block is {:.1} s old", ahead.as_secs_f64()),
        false => format!(
            "the newest final block is {:.1} s in the future",
            behind.as_secs_f64()
        ),
    };
    Ok(if behind > SKEW {
        let advice = "set this machine's clock (timedatectl set-ntp true): signed requests are refused when clocks differ; a development chain may have been moved ahead";
        Finding::bad("clock", found, advice)
    } else if ahead > usual {
        let advice = "this machine's clock is ahead, or the node is behind or makes no blocks; compare with another node";
        Finding::look("clock", found, advice)
    } else {
        Finding::good("clock", found)
    })
}

async fn balance(session: &Session, coldkey: AccountId) -> Result<Finding, Failure> {
    let free = session.state.balance(coldkey).await?;
    let found = format!("{coldkey} has {} TAO", Amount(free));
    Ok(match free {
        0 => Finding::look(
            "balance",
            found,
            "registering and staking cost TAO: send some there; on a development chain: agon wallet faucet",
        ),
        _ => Finding::good("balance", found),
    })
}

async fn neuron(
    session: &Session,
    netuid: u16,
    hotkey: AccountId,
    findings: &mut Vec<Finding>,
) -> Result<(), Failure> {
    let state = &session.state;
    let Some(uid) = state.uid(netuid, hotkey).await? else {
        findings.push(Finding::bad(
            "registration",
            format!("{hotkey} is not registered on subnet {netuid}"),
            format!("agon subnet register --netuid {netuid}"),
        ));
        return Ok(());
    };
    findings.push(Finding::good(
        "registration",
        format!("uid {uid} on subnet {netuid}"),
    ));
    let (axon, serving, weights) = tokio::try_join!(
        state.axon(netuid, hotkey),
        state.blocks_until_serving(netuid, hotkey),
        state.blocks_until_weights(netuid, uid),
    )?;
    findings.push(match axon {
        None => Finding::look(
            "server",
            "none is published",
            format!("a miner that is asked runs: agon axon publish --netuid {netuid}"),
        ),
        Some(axon) => reach(SocketAddr::new(axon.ip, axon.port), netuid).await,
    });
    let wait = |what: &'static str, blocks: u64, doing: &str| match blocks {
        0 => Finding::good(what, format!("{doing} is taken now")),
        blocks => Finding::look(
            what,
            format!("{blocks} blocks remain until {doing} is taken again"),
            "wait; a command with --wait does",
        ),
    };
    findings.push(wait("serving limit", serving, "a new place of the server"));
    findings.push(wait("weights limit", weights, "a set of weights"));
    Ok(())
}

/// Whether the published server takes connections from here.
async fn reach(address: SocketAddr, netuid: u16) -> Finding {
    let found = match timeout(CONNECT, TcpStream::connect(address)).await {
        Ok(Ok(_)) => {
            return Finding::good(
                "server",
                format!("{address} takes connections, from this machine"),
            );
        }
        Ok(Err(error)) => format!("{address}: {error}"),
        Err(_) => format!("{address} does not answer within {} s", CONNECT.as_secs()),
    };
    Finding::bad(
        "server",
        found,
        format!(
            "start the server, open the port in the firewall, or publish the right place: agon axon publish --netuid {netuid}"
        ),
    )
}

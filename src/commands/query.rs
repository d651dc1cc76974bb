//! `agon query`: one question to the servers of neurons, and what became of it with each.

use super::session::{Session, document, network, table};
use super::wallet::{Part, open, unlock};
use crate::args::{Chain, Query, Speech};
use crate::failure::Failure;
use crate::memory::Memory;
use crate::printer::{result, say};
use agon_neuron::dendrite::{Bounds, Dendrite, Outcome, Peer, Protocol, Question};
use agon_neuron::{ConnectError, Metagraph};
use anyhow::{Context, anyhow};
use futures::StreamExt;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::sync::Arc;

/// The most characters of an answer in a table.
const SHOWN: usize = 60;

/// Ask and show.
pub async fn run(query: Query) -> Result<(), Failure> {
    let fields = fields(&query.data)?;
    if let Some(missing) = query.hashed.iter().find(|name| !fields.contains_key(*name)) {
        return Err(Failure::user(anyhow!(
            "--hashed names {missing}, which is not in --data"
        )));
    }
    let question = Question {
        hashed: query.hashed.clone(),
        timeout: query.within,
        idempotent: query.idempotent,
        signed_answer: query.signed,
        ..Question::new(query.request.clone(), fields)
    };
    let peers = peers(&query).await?;
    let wallet = open(&query.place)?;
    let key = unlock(&wallet, Part::Hotkey, query.password_file.as_deref())?;
    let dendrite = Dendrite::new(Arc::new(key), Bounds::default())?;
    let servers: Vec<Peer> = peers.iter().map(|(_, peer)| *peer).collect();
    if query.stream {
        let [peer] = servers[..] else {
            return Err(Failure::user(anyhow!(
                "--stream is for one server, and {} are meant; choose with --uid or --to",
                servers.len()
            )));
        };
        return stream(&dendrite, peer, &question).await;
    }
    let quorum = query.quorum.unwrap_or(servers.len());
    let outcomes = dendrite
        .ask_some(&servers, &question, quorum, query.grace)
        .await;
    let answered = outcomes
        .iter()
        .filter(|outcome| outcome.result.is_ok())
        .count();
    let rows: Vec<_> = peers.iter().map(|(uid, _)| *uid).zip(&outcomes).collect();
    match query.chain.json {
        true => {
            let outcomes: Vec<Value> = rows.iter().map(|(uid, one)| described(*uid, one)).collect();
            let fields = json!({"name": query.request, "answered": answered, "outcomes": outcomes});
            result(&document(fields).to_string())?;
        }
        false => {
            let header = ["uid", "hotkey", "server", "ms", "answer"];
            result(&table(header, rows.iter().map(|(uid, one)| row(*uid, one))))?;
        }
    }
    match answered {
        0 => Err(Failure::user(anyhow!(
            "none of {} servers has answered",
            outcomes.len()
        ))),
        _ => Ok(()),
    }
}

fn fields(data: &str) -> Result<Map<String, Value>, Failure> {
    serde_json::from_str(data)
        .context("--data is not a JSON object")
        .map_err(Failure::User)
}

/// Who is asked, each with its uid where the subnet told it.
async fn peers(query: &Query) -> Result<Vec<(Option<u16>, Peer)>, Failure> {
    let protocol = query.protocol.map(|speech| match speech {
        Speech::Headers => Protocol::Headers,
        Speech::Btauth => Protocol::BtAuth,
    });
    let Some(netuid) = query.netuid else {
        let peer = |target: &crate::args::Target| Peer {
            hotkey: target.hotkey,
            address: target.address,
            protocol: protocol.unwrap_or_default(),
        };
        return Ok(query.to.iter().map(|target| (None, peer(target))).collect());
    };
    let metagraph = metagraph(&query.chain, netuid).await?;
    let uids: Vec<u16> = match query.uids.is_empty() {
        true => (0..metagraph.len())
            .filter_map(|uid| uid.try_into().ok())
            .collect(),
        false => query.uids.clone(),
    };
    let mut peers = Vec::new();
    for uid in uids {
        if usize::from(uid) >= metagraph.len() {
            return Err(Failure::user(anyhow!(
                "subnet {netuid} has no uid {uid}; see agon subnet metagraph --netuid {netuid}"
            )));
        }
        match Peer::of(&metagraph, usize::from(uid)) {
            Some(peer) => {
                let protocol = protocol.unwrap_or(peer.protocol);
                peers.push((Some(uid), Peer { protocol, ..peer }));
            }
            None if query.uids.is_empty() => {}
            None => say(&format!("uid {uid} has published no server")),
        }
    }
    match peers.is_empty() {
        true => Err(Failure::user(anyhow!(
            "no neuron of those that are meant on subnet {netuid} has published a server"
        ))),
        false => Ok(peers),
    }
}

/// The subnet as it is, or as it was last known here while the chain is away.
pub async fn metagraph(chain: &Chain, netuid: u16) -> Result<Metagraph, Failure> {
    let meant: String = network(chain)?
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let memory = Memory::named(&format!("metagraph-{meant}-{netuid}.json"));
    let memory = memory.map_err(Failure::User)?;
    match Session::open(chain).await {
        Ok(session) => {
            session.subnet_exists(netuid).await?;
            let metagraph = session.state.metagraph(netuid).await?;
            memory.keep(&metagraph)?;
            Ok(metagraph)
        }
        Err(Failure::User(away) | Failure::Ours(away)) if away.is::<ConnectError>() => {
            let Some(known) = memory.read::<Metagraph>()? else {
                return Err(Failure::User(away));
            };
            say(&format!(
                "{away:#}\n  the subnet is taken as it was in block {}",
                known.block
            ));
            Ok(known)
        }
        Err(other) => Err(other),
    }
}

async fn stream(dendrite: &Dendrite, peer: Peer, question: &Question) -> Result<(), Failure> {
    let mut parts = std::pin::pin!(
        dendrite
            .ask_stream(peer, question)
            .await
            .map_err(Failure::user)?
    );
    let mut output = std::io::stdout();
    while let Some(part) = parts.next().await {
        let part = part.map_err(Failure::user)?;
        output.write_all(&part).and_then(|()| output.flush())?;
    }
    Ok(())
}

fn described(uid: Option<u16>, outcome: &Outcome) -> Value {
    let mut fields = json!({
        "uid": uid,
        "hotkey": outcome.peer.hotkey,
        "address": outcome.peer.address,
        "protocol": outcome.peer.protocol,
        "seconds": outcome.latency.as_secs_f64(),
    });
    let more = match &outcome.result {
        Ok(answer) => json!({
            "outcome": "answer",
            "signed": answer.signed,
            "answer": serde_json::from_slice::<Value>(&answer.body).ok(),
        }),
        Err(error) => {
            let status = match error {
                agon_neuron::dendrite::AskError::Refused { status, .. } => Some(status.as_u16()),
                _ => None,
            };
            json!({"outcome": error.kind(), "status": status, "reason": error.to_string()})
        }
    };
    if let (Some(fields), Value::Object(more)) = (fields.as_object_mut(), more) {
        fields.extend(more);
    }
    fields
}

/// What every body of the header protocol has, which says nothing to a person.
const USUAL: [&str; 7] = [
    "name",
    "timeout",
    "total_size",
    "header_size",
    "dendrite",
    "axon",
    "computed_body_hash",
];

fn row(uid: Option<u16>, outcome: &Outcome) -> [String; 5] {
    let answer = match &outcome.result {
        Ok(answer) => match answer.parse::<Map<String, Value>>() {
            Ok(mut fields) => {
                fields.retain(|name, _| !USUAL.contains(&name.as_str()));
                Value::Object(fields).to_string()
            }
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    // What strangers say must not move the cursor.
    let answer: String = answer.chars().filter(|c| !c.is_control()).collect();
    let answer = match answer.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &answer[..end]),
        None => answer,
    };
    [
        uid.map_or(String::new(), |uid| uid.to_string()),
        super::session::short(&outcome.peer.hotkey),
        outcome.peer.address.to_string(),
        format!("{:.1}", outcome.latency.as_secs_f64() * 1_000.0),
        answer,
    ]
}

//! `agon weights`: openly, or committed to first and revealed later.

use super::session::{Order, Session, table, too_early};
use super::wallet::{Part, account, open};
use crate::args::{
    RevealWeights, SetWeights, ShowWeights, Signing, Weights as Arguments, WeightsVerb,
};
use crate::failure::Failure;
use crate::memory::Memory;
use crate::printer::say;
use agon_keys::AccountId;
use agon_neuron::{Call, HashedWeights, RevealTime, WeightCommit};
use anyhow::anyhow;
use serde_json::json;

/// Run one verb.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        WeightsVerb::Set(set) => send(set, false).await,
        WeightsVerb::Commit(set) => send(set, true).await,
        WeightsVerb::Reveal(reveal) => uncover(reveal).await,
        WeightsVerb::Show(show) => print(show).await,
    }
}

/// A hotkey's place on a subnet.
struct Place {
    netuid: u16,
    hotkey: AccountId,
    uid: u16,
}

impl Place {
    async fn find(session: &Session, signing: &Signing, netuid: u16) -> Result<Self, Failure> {
        session.subnet_exists(netuid).await?;
        let hotkey = account(&open(&signing.place)?, Part::Hotkey)?;
        Ok(Self {
            netuid,
            hotkey,
            uid: session.uid(netuid, hotkey).await?,
        })
    }

    /// The weights that this machine has committed to and not revealed.
    fn memory(&self, session: &Session) -> Result<Memory, Failure> {
        let name = format!(
            "weights-{}-{}-{}.json",
            session.chain_name(),
            self.netuid,
            self.hotkey
        );
        Memory::named(&name).map_err(Failure::User)
    }
}

async fn send(set: SetWeights, commit: bool) -> Result<(), Failure> {
    let weights = scale(&set.uids, &set.weights)?;
    let netuid = set.subnet.netuid;
    let mut session = Session::open(&set.subnet.chain).await?;
    let place = Place::find(&session, &set.signing, netuid).await?;
    let settings = session.state.hyperparameters(netuid).await?;
    let hidden = settings.commit_reveal_enabled;
    if commit && !hidden {
        return Err(Failure::user(anyhow!(
            "subnet {netuid} takes weights openly; use agon weights set"
        )));
    }
    let version_key = set.version_key.unwrap_or(settings.weights_version_key);
    if hidden {
        // Nobody else looks before the weights are revealed, and then they are lost.
        let neurons = session.state.neuron_count(netuid).await?;
        if let Some(uid) = set.uids.iter().find(|uid| **uid >= neurons) {
            return Err(Failure::user(anyhow!(
                "subnet {netuid} has no uid {uid}; see agon subnet metagraph --netuid {netuid}"
            )));
        }
        let least = settings.min_allowed_weights.min(neurons);
        if set.uids != [place.uid] && set.uids.len() < usize::from(least) {
            return Err(Failure::user(anyhow!(
                "subnet {netuid} wants weights of at least {least} uids"
            )));
        }
    }

    let early = session
        .state
        .blocks_until_weights(netuid, place.uid)
        .await?;
    let until = format!(
        "uid {} may set weights on subnet {netuid} again (once in {} blocks); --wait waits for it",
        place.uid, settings.weights_set_rate_limit
    );
    let early = match early > 0 && set.wait && !set.signing.dry_run {
        true => {
            wait(&mut session, early).await?;
            None
        }
        false => too_early(early, &until),
    };
    match hidden {
        false => set_openly(&session, &set, &place, &weights, version_key, early).await,
        true if commit => {
            let hashed = HashedWeights::new(netuid, &set.uids, &weights, version_key)?;
            commit_to(&session, &set, &place, hashed, early).await
        }
        true => seal(&session, &set, &place, &weights, version_key, early).await,
    }
}

async fn wait(session: &mut Session, blocks: u64) -> Result<(), Failure> {
    say(&format!("waiting for {blocks} blocks"));
    let block = session.state.number() + blocks;
    session.state = session.client.wait_for_block(block).await?;
    Ok(())
}

async fn set_openly(
    session: &Session,
    set: &SetWeights,
    place: &Place,
    weights: &[u16],
    version_key: u64,
    early: Option<String>,
) -> Result<(), Failure> {
    let netuid = place.netuid;
    let order = Order {
        call: Call::set_weights(netuid, &set.uids, weights, version_key),
        key: Part::Hotkey,
        plan: format!("set the weights of uid {} on subnet {netuid}", place.uid),
        moves_money: false,
    };
    let Some(receipt) = session.carry_out_unless(early, &set.signing, order).await? else {
        return Ok(());
    };
    let more = json!({
        "how": "set",
        "netuid": netuid,
        "uid": place.uid,
        "uids": set.uids,
        "weights": weights,
    });
    let text = format!(
        "The weights of uid {} on subnet {netuid} are set",
        place.uid
    );
    session.done(&receipt, more, &text)
}

/// Commit so that the chain itself reveals the weights, when the beacon's round has come.
async fn seal(
    session: &Session,
    set: &SetWeights,
    place: &Place,
    weights: &[u16],
    version_key: u64,
    early: Option<String>,
) -> Result<(), Failure> {
    let netuid = place.netuid;
    let state = &session.state;
    let (beacon, block_time) = tokio::try_join!(state.beacon(), state.block_time())?;
    let round = state.reveal_round(netuid, &beacon, block_time).await?;
    let round = round.ok_or_else(|| {
        Failure::user(anyhow!(
            "subnet {netuid} has no epochs: its tempo is 0, and nothing would ever be revealed"
        ))
    })?;
    let order = Order {
        call: Call::commit_sealed_weights(
            netuid,
            place.hotkey,
            &set.uids,
            weights,
            version_key,
            &beacon.public_key,
            round,
        )?,
        key: Part::Hotkey,
        plan: format!(
            "seal weights of uid {} on subnet {netuid} to round {round} of the beacon",
            place.uid
        ),
        moves_money: false,
    };
    let Some(receipt) = session.carry_out_unless(early, &set.signing, order).await? else {
        return Ok(());
    };
    let more = json!({
        "how": "sealed",
        "netuid": netuid,
        "uid": place.uid,
        "uids": set.uids,
        "weights": weights,
        "round": round,
    });
    let text = format!(
        "The weights of uid {} on subnet {netuid} are sealed; the chain reveals them by itself in the epoch after round {round} of the beacon",
        place.uid
    );
    session.done(&receipt, more, &text)
}

async fn commit_to(
    session: &Session,
    set: &SetWeights,
    place: &Place,
    hashed: HashedWeights,
    early: Option<String>,
) -> Result<(), Failure> {
    let netuid = place.netuid;
    let hash = hashed.hash(place.hotkey);
    let memory = place.memory(session)?;
    if !set.signing.dry_run && early.is_none() {
        // Before it is sent: without its salt a commitment is lost.
        let mut kept: Vec<HashedWeights> = memory.read()?.unwrap_or_default();
        kept.push(hashed.clone());
        memory.keep(&kept)?;
    }
    let order = Order {
        call: hashed.commit(place.hotkey),
        key: Part::Hotkey,
        plan: format!("commit to weights of uid {} on subnet {netuid}", place.uid),
        moves_money: false,
    };
    let Some(receipt) = session.carry_out_unless(early, &set.signing, order).await? else {
        return Ok(());
    };
    let state = session.client.finalized().await?;
    let (commits, period, epoch) = tokio::try_join!(
        state.weight_commits(netuid, place.hotkey),
        state.reveal_period(netuid),
        state.epoch(netuid),
    )?;
    let commit = commits.iter().find(|commit| commit.hash == hash);
    let when = commit.map(|commit| commit.reveal_time(&epoch, state.number(), period));
    let more = json!({
        "how": "commit",
        "netuid": netuid,
        "uid": place.uid,
        "hash": hash,
        "uids": hashed.uids,
        "weights": hashed.weights,
        "salt": hashed.salt,
        "version_key": hashed.version_key,
        "reveal": when,
    });
    let text = match when {
        Some(RevealTime::In(blocks)) => format!(
            "Committed to weights on subnet {netuid}; reveal them in {blocks} blocks or a little later with: agon weights reveal --netuid {netuid}"
        ),
        _ => format!(
            "Committed to weights on subnet {netuid}; reveal them with: agon weights reveal --netuid {netuid}"
        ),
    };
    session.done(&receipt, more, &text)
}

async fn uncover(arguments: RevealWeights) -> Result<(), Failure> {
    let netuid = arguments.subnet.netuid;
    let mut session = Session::open(&arguments.subnet.chain).await?;
    let place = Place::find(&session, &arguments.signing, netuid).await?;
    let settings = session.state.hyperparameters(netuid).await?;
    if !settings.commit_reveal_enabled {
        return Err(Failure::user(anyhow!(
            "subnet {netuid} takes weights openly; there is nothing to reveal"
        )));
    }
    let commits = session.state.weight_commits(netuid, place.hotkey).await?;
    let memory = place.memory(&session)?;
    let kept: Vec<HashedWeights> = match arguments.salt.is_empty() {
        false => vec![HashedWeights {
            netuid,
            uids: arguments.uids.clone(),
            weights: scale(&arguments.uids, &arguments.weights)?,
            salt: arguments.salt.clone(),
            version_key: arguments
                .version_key
                .unwrap_or(settings.weights_version_key),
        }],
        true => memory.read()?.unwrap_or_default(),
    };
    let (period, epoch) = tokio::try_join!(
        session.state.reveal_period(netuid),
        session.state.epoch(netuid),
    )?;
    // The newest that is not over: revealing it drops the older ones.
    let known = commits.iter().rev().find_map(|commit| {
        let reveal = known(&kept, commit, &place)?;
        let when = commit.reveal_time(&epoch, session.state.number(), period);
        (when != RevealTime::Over).then_some((reveal, when))
    });
    let Some((reveal, when)) = known else {
        return Err(Failure::user(anyhow!(match commits.is_empty() {
            true => format!(
                "the chain holds no commitment of {} on subnet {netuid}: there is none, or its epoch has passed; commit again with agon weights commit",
                place.hotkey
            ),
            false => format!(
                "no commitment of {} on subnet {netuid} can be revealed: its epoch has passed, or the weights given or kept here are not those committed to; on another machine give --uids, --weights and --salt",
                place.hotkey
            ),
        })));
    };
    if let RevealTime::In(blocks) = when
        && !arguments.signing.dry_run
    {
        if !arguments.wait {
            return Err(Failure::user(anyhow!(
                "too early: {blocks} blocks remain until the epoch in which it is revealed; --wait waits for it"
            )));
        }
        wait(&mut session, blocks).await?;
    }
    let order = Order {
        call: reveal.reveal(),
        key: Part::Hotkey,
        plan: format!("reveal the weights of uid {} on subnet {netuid}", place.uid),
        moves_money: false,
    };
    let Some(receipt) = session.carry_out(&arguments.signing, order).await? else {
        return Ok(());
    };
    // Keep only what the chain still waits for.
    let state = session.client.finalized().await?;
    let waiting = state.weight_commits(netuid, place.hotkey).await?;
    let mut left: Vec<HashedWeights> = memory.read()?.unwrap_or_default();
    left.retain(|kept| {
        let hash = kept.hash(place.hotkey);
        waiting.iter().any(|commit| commit.hash == hash)
    });
    match left.is_empty() {
        true => memory.forget()?,
        false => memory.keep(&left)?,
    }
    let more = json!({
        "how": "reveal",
        "netuid": netuid,
        "uid": place.uid,
        "uids": reveal.uids,
        "weights": reveal.weights,
    });
    let text = format!(
        "The weights of uid {} on subnet {netuid} are revealed",
        place.uid
    );
    session.done(&receipt, more, &text)
}

/// The weights behind a commitment, if they are known here.
fn known(kept: &[HashedWeights], commit: &WeightCommit, place: &Place) -> Option<HashedWeights> {
    let mut kept = kept.iter();
    let same = kept.find(|reveal| reveal.hash(place.hotkey) == commit.hash);
    same.cloned()
}

async fn print(show: ShowWeights) -> Result<(), Failure> {
    let netuid = show.subnet.netuid;
    let session = Session::open(&show.subnet.chain).await?;
    session.subnet_exists(netuid).await?;
    let mut weights = session.state.weights(netuid).await?;
    if let Some(uid) = show.uid {
        weights.retain(|&from, _| from == uid);
    }
    let settings = session.state.hyperparameters(netuid).await?;
    let rows = weights.iter().map(|(uid, row)| {
        let row = row
            .iter()
            .map(|(to, weight)| json!({"uid": to, "weight": weight}));
        json!({"uid": uid, "weights": row.collect::<Vec<_>>()})
    });
    let fields = json!({
        "netuid": netuid,
        "block": session.state.number(),
        "commit_reveal_enabled": settings.commit_reveal_enabled,
        "weights": rows.collect::<Vec<_>>(),
    });
    session.show(fields, || {
        let rows = weights.iter().map(|(uid, row)| {
            let sum: u64 = row.iter().map(|&(_, weight)| u64::from(weight)).sum();
            let shares = row.iter().map(|(to, weight)| {
                let share = f64::from(*weight) / (sum.max(1) as f64);
                format!("{to}: {share:.5}")
            });
            [uid.to_string(), shares.collect::<Vec<_>>().join("  ")]
        });
        table(["uid", "weights, as shares"], rows)
    })
}

/// Weights in any scale as the chain takes them: the largest is 65535, ties round to even.
fn scale(uids: &[u16], weights: &[f64]) -> Result<Vec<u16>, Failure> {
    let mistake = |text: String| Err(Failure::user(anyhow!(text)));
    if uids.len() != weights.len() {
        return mistake(format!(
            "{} uids and {} weights: give as many weights as uids",
            uids.len(),
            weights.len()
        ));
    }
    let mut unique = uids.to_vec();
    unique.sort_unstable();
    unique.dedup();
    if unique.len() != uids.len() {
        return mistake("a uid is named twice".to_owned());
    }
    if let Some(wrong) = weights
        .iter()
        .find(|weight| !(0.0..f64::MAX).contains(*weight))
    {
        return mistake(format!(
            "{wrong} is no weight: weights are numbers from 0 on"
        ));
    }
    let largest = weights.iter().copied().fold(0.0, f64::max);
    if largest == 0.0 {
        return mistake("all weights are 0: that says nothing".to_owned());
    }
    let scaled = weights
        .iter()
        .map(|weight| (weight / largest * f64::from(u16::MAX)).round_ties_even() as u16);
    Ok(scaled.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_scaled_to_the_largest() {
        assert_eq!(scale(&[4, 2], &[0.5, 1.0]).unwrap(), [32768, 65535]);
        assert_eq!(scale(&[0], &[1e-300]).unwrap(), [65535]);
        assert_eq!(scale(&[0, 1], &[0.0, 3.0]).unwrap(), [0, 65535]);
        for (uids, weights) in [
            (&[0, 1][..], &[1.0][..]),
            (&[1, 1], &[1.0, 1.0]),
            (&[0], &[-1.0]),
            (&[0], &[f64::NAN]),
            (&[0], &[f64::INFINITY]),
            (&[0], &[0.0]),
        ] {
            assert!(scale(uids, weights).is_err(), "{uids:?} {weights:?}");
        }
    }
}

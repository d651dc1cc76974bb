//! The leaderboard: what the validators saw and what the chain made of it.

use super::miners::Role;
use super::network::Network;
use agon_arena::event::Event;
use agon_arena::ledger::{Evaluation, LedgerError, Records};
use agon_arena::reward;
use agon_keys::AccountId;
use agon_neuron::{ChainState, ReadError};
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use std::collections::BTreeMap;

/// Version of the JSON document's form.
const SCHEMA: u32 = 1;

/// How far a share on chain may be from the share in the weights, of 65535: both are rounded.
const ROUNDING: f64 = 3.0;

/// What is known of the rounds, gathered from ledgers and events.
#[derive(Clone, Default)]
pub struct Scoreboard {
    validators: BTreeMap<String, Seen>,
}

/// What one validator said.
#[derive(Clone, Default)]
pub struct Seen {
    evaluations: BTreeMap<u64, Vec<Evaluation>>,
    weights: BTreeMap<u64, BTreeMap<AccountId, u16>>,
    paid: u64,
}

impl Seen {
    /// The last rounds of a ledger.
    pub async fn of(ledger: &Records) -> Result<Self, LedgerError> {
        let mut seen = Self::default();
        for (round, progress) in ledger.last_rounds(reward::HISTORY + 1).await? {
            if progress.finished() {
                seen.paid = round.number;
            }
            let rows = ledger.evaluations(round.number).await?;
            seen.evaluations.insert(round.number, rows);
            if let Some((weights, _)) = progress.signed {
                seen.weights.insert(round.number, weights);
            }
        }
        Ok(seen)
    }
}

impl Scoreboard {
    /// Take in what a validator's ledger held when the command began.
    pub fn insert(&mut self, name: &str, seen: Seen) {
        self.validators.insert(name.to_owned(), seen);
    }

    /// Take in an event; those of anybody but an inserted validator say nothing here.
    pub fn observe(&mut self, name: &str, event: &Event) {
        let Some(seen) = self.validators.get_mut(name) else {
            return;
        };
        match event {
            Event::Evaluated(row) => {
                let rows = seen.evaluations.entry(row.round).or_default();
                rows.retain(|old| old.hotkey != row.hotkey);
                rows.push(row.clone());
            }
            Event::WeightsSigned { round, weights, .. } => {
                seen.weights.insert(*round, weights.clone());
            }
            Event::RoundPaid { round, .. } | Event::Abstained { round } => seen.paid = *round,
            _ => {}
        }
    }

    /// The rounds that all validators have finished.
    pub fn finished(&self) -> u64 {
        let paid = self.validators.values().map(|seen| seen.paid);
        paid.min().unwrap_or(0)
    }

    /// The leaderboard after `round`, with the chain as it is at `state`.
    pub async fn leaderboard(
        &self,
        round: u64,
        network: &Network,
        state: &ChainState,
    ) -> Result<Leaderboard, ReadError> {
        let metagraph = state.metagraph(network.netuid).await?;
        let nothing = Seen::default();
        let seen = |name: &str| self.validators.get(name).unwrap_or(&nothing);
        let weights_of = |name: &str| seen(name).weights.get(&round).cloned().unwrap_or_default();
        let judge = network
            .team
            .validators
            .first()
            .map(|member| member.name.as_str());
        let judge = judge.unwrap_or_default();
        let weights = weights_of(judge);
        let on_chain = state.weights(network.netuid).await?;
        let uid = |hotkey: &AccountId| metagraph.uid_of(hotkey);

        let validators: Vec<ValidatorRow> = network
            .team
            .validators
            .iter()
            .map(|member| {
                let uid = uid(&member.account());
                ValidatorRow {
                    uid,
                    name: member.name.clone(),
                    hotkey: member.account(),
                    stake: column(uid, &metagraph.stake),
                    dividends: column(uid, &metagraph.dividends),
                    emission: column(uid, &metagraph.emission),
                    weights: weights_of(&member.name),
                    weights_on_chain: uid
                        .and_then(|uid| on_chain.get(&uid).cloned())
                        .unwrap_or_default(),
                }
            })
            .collect();
        let total: f64 = weights.values().copied().map(f64::from).sum();
        let mut miners: Vec<MinerRow> = network
            .team
            .miners
            .iter()
            .enumerate()
            .map(|(index, member)| {
                let hotkey = member.account();
                let mut history: Vec<(u64, f64)> = seen(judge)
                    .evaluations
                    .iter()
                    .filter(|(number, _)| **number <= round)
                    .flat_map(|(number, rows)| rows.iter().map(move |row| (number, row)))
                    .filter(|(_, row)| row.hotkey == hotkey)
                    .map(|(number, row)| (*number, row.score))
                    .collect();
                history.retain(|(number, _)| number + reward::HISTORY as u64 > round);
                let scores: Vec<f64> = history.into_iter().map(|(_, score)| score).collect();
                let rows = seen(judge).evaluations.get(&round);
                let row = rows.and_then(|rows| rows.iter().find(|row| row.hotkey == hotkey));
                let weight = weights.get(&hotkey).copied().unwrap_or(0);
                let uid = uid(&hotkey);
                let metric = |name: &str| row.and_then(|row| row.metrics.get(name).copied());
                MinerRow {
                    uid,
                    name: member.name.clone(),
                    role: Role::of(index).as_str(),
                    hotkey,
                    digest: row
                        .and_then(|row| row.artefact)
                        .map(|digest| digest.to_string()),
                    bytes: row.map_or(0, |row| row.bytes),
                    outcome: row.map(|row| row.outcome.as_str()),
                    reason: row.and_then(|row| row.reason.clone()),
                    accuracy: metric("accuracy"),
                    balanced_accuracy: metric("balanced_accuracy"),
                    weighted_f1: metric("weighted_f1"),
                    score: row.map_or(0.0, |row| row.score),
                    average: reward::average(&scores),
                    weight,
                    share: share(weight, total),
                    incentive: column(uid, &metagraph.incentive),
                    emission: column(uid, &metagraph.emission),
                }
            })
            .collect();
        miners.sort_by(|a, b| b.average.total_cmp(&a.average).then(a.uid.cmp(&b.uid)));
        let incentive_matches_weights = miners.iter().all(|miner| {
            let expected = miner.share * f64::from(u16::MAX);
            (expected - f64::from(miner.incentive)).abs() <= ROUNDING
        });
        Ok(Leaderboard {
            round,
            block: state.number(),
            weights_equal: validators.windows(2).all(|pair| {
                pair[0].weights == pair[1].weights
                    && pair[0].weights_on_chain == pair[1].weights_on_chain
            }),
            incentive_matches_weights,
            miners,
            validators,
        })
    }
}

fn share(weight: u16, total: f64) -> f64 {
    if total > 0.0 {
        f64::from(weight) / total
    } else {
        0.0
    }
}

fn column<T: Copy + Default>(uid: Option<u16>, values: &[T]) -> T {
    uid.and_then(|uid| values.get(usize::from(uid)).copied())
        .unwrap_or_default()
}

/// A leaderboard after one round.
#[derive(Clone, Debug, Serialize)]
pub struct Leaderboard {
    /// The round.
    pub round: u64,
    /// The block at which the chain was read.
    pub block: u64,
    /// Whether all validators set the same weights.
    pub weights_equal: bool,
    /// Whether the incentive on chain is the share in the weights.
    pub incentive_matches_weights: bool,
    /// Best first.
    pub miners: Vec<MinerRow>,
    /// By name.
    pub validators: Vec<ValidatorRow>,
}

/// One miner.
#[derive(Clone, Debug, Serialize)]
pub struct MinerRow {
    /// Its place on the subnet.
    pub uid: Option<u16>,
    /// Its name in this home.
    pub name: String,
    /// What it does.
    pub role: &'static str,
    /// Its hotkey.
    pub hotkey: AccountId,
    /// SHA-256 of its model.
    pub digest: Option<String>,
    /// Size of its model in bytes.
    pub bytes: u64,
    /// What became of it in this round.
    pub outcome: Option<&'static str>,
    /// Why it was not scored.
    pub reason: Option<String>,
    /// Share of right answers.
    pub accuracy: Option<f64>,
    /// Mean recall over the classes that occur.
    pub balanced_accuracy: Option<f64>,
    /// F1 weighted by risk.
    pub weighted_f1: Option<f64>,
    /// Score of this round.
    pub score: f64,
    /// Sum of the last five scores divided by five.
    pub average: f64,
    /// Weight the validators set, of 65535.
    pub weight: u16,
    /// Its share in the sum of the weights.
    pub share: f64,
    /// Incentive on chain, of 65535.
    pub incentive: u16,
    /// What the last epoch paid, in rao of the subnet's alpha.
    pub emission: u64,
}

/// One validator.
#[derive(Clone, Debug, Serialize)]
pub struct ValidatorRow {
    /// Its place on the subnet.
    pub uid: Option<u16>,
    /// Its name in this home.
    pub name: String,
    /// Its hotkey.
    pub hotkey: AccountId,
    /// Its stake, in rao of the subnet's alpha.
    pub stake: u64,
    /// Dividends on chain, of 65535.
    pub dividends: u16,
    /// What the last epoch paid, in rao of the subnet's alpha.
    pub emission: u64,
    /// The weights it signed, by hotkey.
    pub weights: BTreeMap<AccountId, u16>,
    /// The weights the chain holds, by uid.
    pub weights_on_chain: Vec<(u16, u16)>,
}

/// The document of `--json`.
#[derive(Serialize)]
pub struct Document {
    schema: u32,
    genesis: String,
    netuid: u16,
    competition: &'static str,
    data: String,
    judging_records: usize,
    seed: Option<u64>,
    rounds: u64,
    #[serde(flatten)]
    leaderboard: Leaderboard,
}

impl Document {
    /// The document of a finished run.
    pub fn new(
        network: &Network,
        data: String,
        judging_records: usize,
        seed: Option<u64>,
        leaderboard: Leaderboard,
    ) -> Self {
        Self {
            schema: SCHEMA,
            genesis: network.client.genesis_hash().to_string(),
            netuid: network.netuid,
            competition: agon_arena::subnet::tricorder::NAME,
            data,
            judging_records,
            seed,
            rounds: leaderboard.round,
            leaderboard,
        }
    }
}

impl Leaderboard {
    /// The leaderboard as a table for people; why somebody was not scored stands below it.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_BORDERS_ONLY);
        table.set_header([
            "uid",
            "miner",
            "hotkey",
            "model",
            "MiB",
            "accuracy",
            "balanced",
            "weighted F1",
            "score",
            "weight",
            "incentive",
            "emission",
            "outcome",
        ]);
        let short = |text: &str| text.chars().take(8).collect::<String>();
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let figure = |value: Option<f64>| or_dash(value.map(|value| format!("{value:.4}")));
        let mut reasons = String::new();
        for miner in &self.miners {
            let size = miner.bytes as f64 / f64::from(1 << 20);
            table.add_row([
                or_dash(miner.uid.map(|uid| uid.to_string())),
                format!("{} ({})", miner.name, miner.role),
                short(&miner.hotkey.to_string()),
                or_dash(miner.digest.as_deref().map(short)),
                or_dash((miner.bytes > 0).then(|| format!("{size:.2}"))),
                figure(miner.accuracy),
                figure(miner.balanced_accuracy),
                figure(miner.weighted_f1),
                format!("{:.4}", miner.score),
                miner.weight.to_string(),
                format!("{:.4}", f64::from(miner.incentive) / f64::from(u16::MAX)),
                format!("{:.4}", miner.emission as f64 / super::network::TAO as f64),
                miner.outcome.unwrap_or("nothing submitted").to_owned(),
            ]);
            if let Some(reason) = &miner.reason {
                reasons.push_str(&format!("  {}: {reason}\n", miner.name));
            }
        }
        for column in table.column_iter_mut().skip(4).take(8) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let agree = |yes: bool| if yes { "yes" } else { "NO" };
        format!(
            "Leaderboard after round {}, block {}\n{table}\n{reasons}  validators agree on the weights: {}; \
             incentive on chain matches them: {}",
            self.round,
            self.block,
            agree(self.weights_equal),
            agree(self.incentive_matches_weights),
        )
    }
}

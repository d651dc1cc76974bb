//! A chain of this process with a subnet on it, for tests that judge with the library instead of the binary.

#![allow(dead_code, reason = "each test file uses a part of it")]

use agon_arena::commitment::{File, LOCAL_REPOSITORY};
use agon_arena::event::Events;
use agon_arena::ledger::{Evaluation, Ledger};
use agon_arena::miner::Miner;
use agon_arena::seed::SampleSource;
use agon_arena::validator::{Setup, Task, Validator};
use agon_dataset::store::LocalStore;
use agon_keys::Keypair;
use agon_model::digest::Digest;
use agon_neuron::{Call, ChainClient, Outcome};
use agon_node::{Node, NodeOptions, Window, genesis};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub const NETUID: u16 = 1;

/// The key of a name.
pub fn key(name: &str) -> Keypair {
    Keypair::from_uri(&format!("//{name}")).unwrap()
}

/// A chain whose subnet has `validator`, with stake, and some miners.
pub struct Chain {
    pub client: ChainClient,
    node: Node,
    names: Vec<String>,
}

impl Chain {
    /// With miners of these names.
    pub async fn new(miners: &[&str]) -> Self {
        Self::with_block_time(miners, Duration::from_millis(30)).await
    }

    /// The same where time passes otherwise.
    pub async fn with_block_time(miners: &[&str], block_time: Duration) -> Self {
        Self::start(miners, block_time, None).await
    }

    /// The same on a node that keeps the states of so many newest blocks, or all.
    pub async fn keeping(pruning: Window, miners: &[&str]) -> Self {
        Self::start(miners, Duration::from_millis(30), pruning).await
    }

    async fn start(miners: &[&str], block_time: Duration, pruning: Window) -> Self {
        let rich = |name: &&str| (key(name).account().0.into(), 500_000 * genesis::TAO);
        let mut endowed: Vec<_> = miners.iter().map(rich).collect();
        endowed.extend([rich(&"owner"), rich(&"validator")]);
        let node = Node::start(NodeOptions {
            block_time: block_time.into(),
            genesis: Some(genesis::development(&endowed)),
            pruning,
            ..NodeOptions::default()
        })
        .await
        .unwrap();
        let chain = Self {
            client: ChainClient::connect(&node.url()).await.unwrap(),
            node,
            names: miners.iter().map(|&name| name.to_owned()).collect(),
        };
        let found = Call::register_network(key("owner//hot").account());
        chain.send(found, "owner").await;
        chain.send(Call::start_call(NETUID), "owner").await;
        let admin =
            |name: &str, value: agon_neuron::Value| Call::admin(name, [NETUID.into(), value]);
        let settings = Call::batch_all([
            admin("sudo_set_subnet_emission_enabled", true.into()),
            admin("sudo_set_commit_reveal_weights_enabled", false.into()),
            admin("sudo_set_weights_set_rate_limit", 0u64.into()),
            admin("sudo_set_tempo", 20u16.into()),
        ]);
        chain.send(Call::sudo(settings), "Alice").await;
        for name in miners.iter().chain(&["validator"]) {
            let register = Call::burned_register(NETUID, key(name).account());
            chain.send(register, name).await;
        }
        chain.stake("validator").await;
        chain
    }

    /// Give a hotkey a stake to validate with.
    pub async fn stake(&self, name: &str) {
        let stake = Call::add_stake(key(name).account(), NETUID, 1000 * genesis::TAO);
        self.send(stake, name).await;
    }

    /// Where the chain listens.
    pub fn url(&self) -> String {
        self.node.url()
    }

    /// Bring a call into a block.
    pub async fn send(&self, call: Call, signer: &str) {
        let what = call.to_string();
        let outcome = self.client.submit(call, &key(signer)).await;
        let done = matches!(outcome, Outcome::Finalised { .. });
        assert!(done, "{what}: {outcome:?}");
    }

    /// Let a miner claim what the store holds under a digest.
    pub async fn commit(
        &self,
        name: &str,
        competition: &str,
        store: Arc<LocalStore>,
        digest: Digest,
    ) {
        let miner = Miner {
            client: self.client.clone(),
            netuid: NETUID,
            hotkey: Arc::new(key(name)),
            store,
            events: silent(),
        };
        let file = File {
            repository: LOCAL_REPOSITORY.into(),
            stem: "model".into(),
            competition: competition.into(),
            digest,
        };
        miner.commit(&file.into(), digest).await.unwrap();
    }

    /// Wait until an epoch has begun after everything that happened until now.
    pub async fn next_epoch(&self) {
        let mut state = self.client.finalized().await.unwrap();
        let now = state.number();
        while state.epoch(NETUID).await.unwrap().last_block < now {
            let next = self.client.wait_for_block(state.number() + 1).await;
            state = next.unwrap();
        }
    }

    /// One round of a new validator over everything that happened until now: rows and weights by name. The chain ends
    /// with it.
    pub async fn round(
        self,
        directory: &Path,
        name: &str,
        task: Task,
    ) -> (BTreeMap<String, Evaluation>, BTreeMap<String, u16>) {
        let told = self.judge(directory, name, task).await;
        self.node.stop().await;
        told
    }

    /// The same on a chain that goes on. A directory that holds a round's beginning is gone on with.
    pub async fn judge(
        &self,
        directory: &Path,
        name: &str,
        task: Task,
    ) -> (BTreeMap<String, Evaluation>, BTreeMap<String, u16>) {
        self.judge_until(1, directory, name, task).await
    }

    /// The same up to a later round, whose rows and weights are told.
    pub async fn judge_until(
        &self,
        last: u64,
        directory: &Path,
        name: &str,
        task: Task,
    ) -> (BTreeMap<String, Evaluation>, BTreeMap<String, u16>) {
        // The first round must know everybody.
        self.next_epoch().await;
        let genesis = self.client.genesis_hash().0;
        let ledger = Ledger::open(directory, &genesis, name).await.unwrap();
        let setup = Setup {
            client: self.client.clone(),
            netuid: NETUID,
            hotkey: Arc::new(key("validator")),
            task,
            sample_source: SampleSource::Fixed(1),
            stake_limit: None,
            sets_weights: true,
            events: silent(),
        };
        let mut validator = Validator::new(setup, ledger);
        validator.run(Some(last), || {}).await.unwrap();
        let names: BTreeMap<_, _> = self
            .names
            .iter()
            .map(|name| (key(name).account(), name.clone()))
            .collect();
        let records = validator.ledger().records();
        let rows = records.evaluations(last).await.unwrap();
        let (_, progress) = records.last_round().await.unwrap().unwrap();
        let weights = progress.signed.map(|(weights, _)| weights);
        let weights = weights.unwrap_or_default().into_iter();
        let weights = weights.map(|(hotkey, weight)| (names[&hotkey].clone(), weight));
        let weights = weights.collect();
        let rows = rows
            .into_iter()
            .map(|row| (names[&row.hotkey].clone(), row));
        let rows = rows.collect();
        validator.close().await;
        (rows, weights)
    }
}

/// Events that nobody hears.
pub fn silent() -> Events {
    Events::new("somebody", Arc::new(|_, _| {}))
}

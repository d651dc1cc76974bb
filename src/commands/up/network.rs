//! The chain side of a network: wallets, funds, the subnet, registrations and stake, through real
//! signed transactions. Every step first looks whether the chain already has what it would make.

use super::home::Home;
use crate::failure::Failure;
use agon_arena::event::{Event, Events};
use agon_keys::wallet::Keeping;
use agon_keys::{AccountId, Keypair, Wallet};
use agon_neuron::{Call, ChainClient, Outcome, Value};
use anyhow::{Context, bail};
use std::sync::Arc;

/// One TAO in rao.
pub const TAO: u64 = 1_000_000_000;

/// Blocks from one epoch to the next: short enough to watch, long enough to judge a round.
pub const TEMPO: u16 = 40;

/// What each coldkey is given from the development account, and what a validator stakes of it.
const OWNER_FUNDS: u64 = 5_000 * TAO;
const VALIDATOR_FUNDS: u64 = 101_000 * TAO;
const MINER_FUNDS: u64 = 100 * TAO;
/// What a validator stakes on root, where a TAO is a TAO: it weighs some 5 % of that on the subnet, the same for
/// every validator and more than what its pool of 1000 TAO could sell.
const ROOT_STAKE: u64 = 100_000 * TAO;
/// What a validator stakes on the subnet itself, to earn there; the pool's price rises with every purchase.
const SUBNET_STAKE: u64 = 500 * TAO;
/// The network on which stake is one to one.
const ROOT: u16 = 0;

/// A participant with its keys.
#[derive(Clone)]
pub struct Member {
    /// Its name in this home.
    pub name: String,
    /// Signs what a neuron does.
    pub hotkey: Arc<Keypair>,
    coldkey: Arc<Keypair>,
    funds: u64,
}

impl Member {
    /// The hotkey's address.
    pub fn account(&self) -> AccountId {
        self.hotkey.account()
    }
}

/// Everybody in a home.
pub struct Team {
    owner: Member,
    /// In the order in which they register.
    pub validators: Vec<Member>,
    /// In the order in which they register, after the validators.
    pub miners: Vec<Member>,
}

impl Team {
    /// Open everybody's keys; those that are not there are made.
    pub fn open(home: &Home, validators: u16, miners: u16) -> Result<Self, Failure> {
        let members = |kind: &str, count: u16, funds| -> Result<Vec<Member>, Failure> {
            let numbers = 1..=count;
            numbers
                .map(|number| member(home, &format!("{kind}-{number}"), funds))
                .collect()
        };
        Ok(Self {
            owner: member(home, "owner", OWNER_FUNDS)?,
            validators: members("validator", validators, VALIDATOR_FUNDS)?,
            miners: members("miner", miners, MINER_FUNDS)?,
        })
    }

    /// Validators, then miners.
    pub fn neurons(&self) -> impl Iterator<Item = &Member> {
        self.validators.iter().chain(&self.miners)
    }
}

/// An established network.
pub struct Network {
    /// The chain.
    pub client: ChainClient,
    /// The subnet.
    pub netuid: u16,
    /// Everybody on it.
    pub team: Team,
}

impl Network {
    /// Make sure that everything exists on chain, and return it.
    pub async fn establish(
        client: ChainClient,
        team: Team,
        name: &str,
        events: &Events,
    ) -> Result<Self, Failure> {
        let steps = Steps { client: &client };
        // Anybody has this key; it exists on development chains only.
        let faucet = Keypair::from_uri("//Alice").context("the development account")?;
        steps.fund(&faucet, &team).await?;
        let netuid = steps.subnet(&team.owner).await?;
        steps.configure(&faucet, &team.owner, netuid).await?;
        let name = name.to_owned();
        events.emit(&Event::SubnetReady { netuid, name });
        for member in team.neurons() {
            let uid = steps.register(member, netuid).await?;
            let hotkey = member.account();
            events.emit(&Event::Registered { hotkey, uid });
        }
        for validator in &team.validators {
            let rao = steps.stake(validator, netuid).await?;
            let hotkey = validator.account();
            events.emit(&Event::Staked { hotkey, rao });
        }
        Ok(Self {
            client,
            netuid,
            team,
        })
    }
}

/// Open the keys of a member, making them first if they are not there. They hold no value: the files
/// are plain.
fn member(home: &Home, name: &str, funds: u64) -> Result<Member, Failure> {
    let wallet = Wallet::new(home.wallets(), name, "default")?;
    let keeping = Keeping {
        password: None,
        overwrite: false,
    };
    if !wallet.coldkey_path().exists() {
        wallet.create_coldkey(12, keeping)?;
    }
    if !wallet.hotkey_path().exists() {
        wallet.create_hotkey(12, keeping)?;
    }
    let open = |result: Result<Keypair, agon_keys::wallet::WalletError>| {
        result.map(Arc::new).map_err(Failure::user)
    };
    Ok(Member {
        name: name.to_owned(),
        hotkey: open(wallet.open_hotkey(None))?,
        coldkey: open(wallet.open_coldkey(None))?,
        funds,
    })
}

struct Steps<'a> {
    client: &'a ChainClient,
}

impl Steps<'_> {
    /// Submit until the outcome is known.
    async fn submit(&self, call: Call, signer: &Keypair) -> anyhow::Result<()> {
        let what = call.to_string();
        let signed = self.client.prepare(call, signer).await?;
        loop {
            match self.client.send(&signed).await {
                Outcome::Finalised { .. } => return Ok(()),
                Outcome::Rejected { error } => bail!("the chain refuses {what}: {error}"),
                Outcome::Unknown { reason } => {
                    tracing::warn!(%what, %reason, "asking again what became of it");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            }
        }
    }

    async fn fund(&self, faucet: &Keypair, team: &Team) -> anyhow::Result<()> {
        let state = self.client.finalized().await?;
        let mut transfers = Vec::new();
        for member in team.neurons().chain([&team.owner]) {
            let account = member.coldkey.account();
            // An account that ever held anything was funded: what it spent is not given again.
            if state.balance(account).await? == 0 && state.nonce(account).await? == 0 {
                transfers.push(Call::transfer_keep_alive(account, member.funds));
            }
        }
        if transfers.is_empty() {
            return Ok(());
        }
        self.submit(Call::batch_all(transfers), faucet).await
    }

    async fn subnet(&self, owner: &Member) -> anyhow::Result<u16> {
        let account = owner.coldkey.account();
        loop {
            let state = self.client.finalized().await?;
            for netuid in state.subnets().await? {
                if netuid != 0 && state.subnet_owner(netuid).await? == account {
                    return Ok(netuid);
                }
            }
            self.submit(Call::register_network(owner.account()), &owner.coldkey)
                .await?;
        }
    }

    /// The settings of a subnet that is watched rather than waited for, and its emission on.
    async fn configure(&self, sudo: &Keypair, owner: &Member, netuid: u16) -> anyhow::Result<()> {
        let configured = |tempo: u16, settings: &agon_neuron::Hyperparameters| {
            tempo == TEMPO
                && !settings.commit_reveal_enabled
                && settings.weights_set_rate_limit == 0
        };
        let state = self.client.finalized().await?;
        let settings = state.hyperparameters(netuid).await?;
        if configured(state.tempo(netuid).await?, &settings) {
            return Ok(());
        }
        // The owner starts the subnet before the settings are made, so the settings tell that both
        // are done.
        match self.submit(Call::start_call(netuid), &owner.coldkey).await {
            Err(error)
                if error
                    .to_string()
                    .contains("FirstEmissionBlockNumberAlreadySet") => {}
            other => other?,
        }
        let admin = |name: &str, value: Value| Call::admin(name, [netuid.into(), value]);
        let calls = [
            admin("sudo_set_subnet_emission_enabled", true.into()),
            admin("sudo_set_commit_reveal_weights_enabled", false.into()),
            admin("sudo_set_weights_set_rate_limit", 0u64.into()),
            admin("sudo_set_tempo", TEMPO.into()),
        ];
        self.submit(Call::sudo(Call::batch_all(calls)), sudo)
            .await?;
        // Sudo reports success whatever became of the calls inside.
        let state = self.client.finalized().await?;
        let settings = state.hyperparameters(netuid).await?;
        if !configured(state.tempo(netuid).await?, &settings) {
            bail!("the chain did not take the settings of subnet {netuid}");
        }
        Ok(())
    }

    async fn register(&self, member: &Member, netuid: u16) -> anyhow::Result<u16> {
        let hotkey = member.account();
        loop {
            let state = self.client.finalized().await?;
            if let Some(uid) = state.uid(netuid, hotkey).await? {
                return Ok(uid);
            }
            let call = Call::burned_register(netuid, hotkey);
            self.submit(call, &member.coldkey).await?;
        }
    }

    async fn stake(&self, member: &Member, netuid: u16) -> anyhow::Result<u64> {
        let hotkey = member.account();
        loop {
            let stake = self.client.finalized().await?.stake(netuid, hotkey).await?;
            if stake > 0 {
                return Ok(stake);
            }
            let calls = [
                Call::add_stake(hotkey, ROOT, ROOT_STAKE),
                Call::add_stake(hotkey, netuid, SUBNET_STAKE),
            ];
            self.submit(Call::batch_all(calls), &member.coldkey).await?;
        }
    }
}

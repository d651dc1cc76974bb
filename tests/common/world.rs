//! A node, a home with wallets, and commands that speak to the node.

#![allow(dead_code, reason = "each test file uses a part of it")]

use super::{Place, errors};
use agon_keys::AccountId;
use agon_node::{BlockTime, Node, NodeOptions, genesis};
use serde_json::Value;
use std::time::Duration;
use tokio::runtime::Runtime;

pub const TAO: u64 = genesis::TAO;

/// A node, and a home with the wallets `owner` (rich) and `alice`.
pub struct World {
    pub place: Place,
    pub url: String,
    pub owner: AccountId,
    pub hotkey: AccountId,
    // Dropped in this order: the node needs its runtime to end.
    _node: Node,
    _runtime: Runtime,
}

impl World {
    pub fn new(block_time: Duration) -> Self {
        Self::start(block_time, false)
    }

    pub fn start(block_time: Duration, development: bool) -> Self {
        let place = Place::new();
        let coldkey = |name: &str| {
            let made = ["wallet", "new-coldkey", "--wallet.name", name];
            let made = place.json(&[&made[..], &["--no-password", "--json"]].concat());
            address(&made["address"])
        };
        let owner = coldkey("owner");
        let made = place.json(&["wallet", "new-hotkey", "--wallet.name", "owner", "--json"]);
        let hotkey = address(&made["address"]);
        let alice = ["wallet", "regen-coldkey", "--wallet.name", "alice"];
        let alice = [&alice[..], &["--uri", "//Alice", "--no-password", "--json"]].concat();
        place.json(&alice);

        let runtime = Runtime::new().unwrap();
        let node = runtime
            .block_on(Node::start(NodeOptions {
                block_time: BlockTime::Every(block_time),
                genesis: Some(genesis::development(&[(owner.0.into(), 10_000 * TAO)])),
                development,
                ..NodeOptions::default()
            }))
            .unwrap();
        Self {
            place,
            url: node.url(),
            owner,
            hotkey,
            _node: node,
            _runtime: runtime,
        }
    }

    /// Ends the chain; the home stays.
    pub fn end(self) -> Place {
        self.place
    }

    /// A world with a started subnet 1 of the owner's.
    pub fn with_subnet() -> Self {
        let world = Self::new(Duration::from_millis(20));
        let made = world.done("subnet create --yes");
        assert_eq!(made["netuid"], 1);
        world.done("subnet start --netuid 1");
        world
    }

    /// The words of a command with the wallet and the node added.
    pub fn words(&self, command: &str) -> Vec<String> {
        let mut words: Vec<String> = command.split(' ').map(str::to_owned).collect();
        words.push(format!("--subtensor.chain_endpoint={}", self.url));
        if !command.contains("--wallet.name") && takes_wallet(command) {
            words.push("--wallet.name=owner".to_owned());
        }
        words.push("--json".to_owned());
        words
    }

    pub fn run(&self, command: &str) -> (Option<i32>, Value, String) {
        let words = self.words(command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = self.place.run(&words);
        let told = match output.stdout.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&output.stdout).expect("one JSON document"),
        };
        (output.status.code(), told, errors(&output))
    }

    /// A command that must succeed.
    pub fn ok(&self, command: &str) -> Value {
        let (status, told, said) = self.run(command);
        assert_eq!(status, Some(0), "{command}: {said}");
        assert_eq!(told["schema"], 1, "{command}");
        told
    }

    /// A submission that must end in a final block.
    pub fn done(&self, command: &str) -> Value {
        let told = self.ok(command);
        assert_eq!(told["outcome"], "finalised", "{command}: {told}");
        assert!(told["block"].as_u64().unwrap() > 0, "{command}: {told}");
        told
    }

    /// A submission that the chain must refuse with this error, and a hint.
    pub fn rejected(&self, command: &str, error: &str) {
        let (status, told, said) = self.run(command);
        assert_eq!(status, Some(2), "{command}: {said}{told}");
        assert_eq!(told["outcome"], "rejected", "{command}: {told}");
        // Checked before inclusion or by the call: the error has the same name.
        let named = told["error"].as_str().expect("an error").contains(error);
        assert!(named, "{command}: {told}");
        let hint = told["hint"].as_str().expect("a hint");
        assert!(said.contains(error) && said.contains(hint), "{said}");
    }

    /// A mistake that is noticed before anything is sent.
    pub fn mistake(&self, command: &str) -> String {
        let (status, told, said) = self.run(command);
        assert_eq!(
            (status, &told),
            (Some(2), &Value::Null),
            "{command}: {said}"
        );
        said
    }

    /// Change a setting with the rights of the chain's root.
    pub fn sudo(&self, name: &str, value: &str) {
        let command = format!(
            "subnet set-hyperparameter --netuid 1 --param {name} --value {value} --sudo --wallet.name alice"
        );
        self.done(&command);
    }

    pub fn free(&self, account: AccountId) -> u64 {
        let told = self.ok(&format!("wallet balance --ss58 {account}"));
        told["free_rao"].as_u64().unwrap()
    }
}

/// Whether a command has a wallet at all.
fn takes_wallet(command: &str) -> bool {
    let without = [
        "subnet list",
        "subnet show",
        "subnet metagraph",
        "subnet hyperparameters",
        "weights show",
        "commitment get",
    ];
    !without.iter().any(|without| command.starts_with(without))
}

pub fn address(value: &Value) -> AccountId {
    value.as_str().unwrap().parse().unwrap()
}

//! What the fuzz targets share: a chain on which something can be done, signatures, and how seeds are written.

pub mod draw;
pub mod peers;
pub mod shield;

use agon_node::{fuzzing::Bench, genesis};
use agon_runtime::{
    AccountId, Drand, Nonce, Runtime, RuntimeCall, TxExtension, UncheckedExtrinsic, VERSION,
    admin_utils,
    shield::{MAX_PERIOD, NextKey},
    subtensor::{self, SubnetEpochIndex, Uids, ValidatorPermit, Weights},
};
use agon_timelock::{BeaconKey, Ciphertext, Randomness};
use codec::Encode;
use shield::Shield;
use sp_core::{H256, Hasher, Pair, sr25519};
use sp_runtime::{MultiSignature, generic::Era, traits::BlakeTwo256};
use std::{env, fs, path::Path, sync::LazyLock};

/// One TAO in rao.
pub const TAO: u64 = genesis::TAO;
/// The round of the beacon that the chain knows, and the only one that ever comes.
pub const ROUND: u64 = 2;
/// The subnet that takes weights openly. Its number plus one is a subnet that wants them committed.
pub const OPEN: u16 = 1;
/// The development accounts that sign: Alice is root and owns the subnets, Bob and Charlie are the coldkeys of the
/// validator Eve and the miner Ferdie, and Dave is the owner's hotkey.
pub const SIGNERS: [&str; 6] = ["Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie"];

/// When the first block is made, in milliseconds since 1970.
const BEGIN: u64 = 1_700_000_000_000;
/// Seconds from one round of the beacon to the next: so many that the chain sees only one.
const PERIOD: u32 = 1_000_000_000;
/// The blocks in which the stage is set.
const ACTS: u64 = 4;
const IMMORTAL: Era = Era::Immortal;

static PAIRS: LazyLock<Vec<sr25519::Pair>> =
    LazyLock::new(|| SIGNERS.map(genesis::development_pair).into());

/// The development beacon's key, which anybody has.
pub static BEACON: LazyLock<BeaconKey> = LazyLock::new(|| BeaconKey::from_seed(b"development"));

/// The account of one of [`SIGNERS`].
pub fn account(name: &str) -> AccountId {
    genesis::development_account(name)
}

/// The next nonce of each of [`SIGNERS`].
pub type Nonces = [Nonce; SIGNERS.len()];

/// The place of a name among [`SIGNERS`].
///
/// # Panics
/// When it is none of them.
pub fn position(name: &str) -> usize {
    let position = SIGNERS.iter().position(|signer| *signer == name);
    position.expect("one of the signers")
}

/// A chain on which something can be done, with the hash of its genesis block.
pub struct Stage {
    /// The chain.
    pub bench: Bench,
    /// The hash that signatures name.
    pub genesis: H256,
    /// The next nonces.
    pub nonces: Nonces,
    shield: Shield,
}

impl Stage {
    /// A development network of two subnets with an epoch each block, two neurons beside the owner's, stake and
    /// weights.
    pub fn set() -> Self {
        let mut start = genesis::development(&[]);
        let beacon = start
            .beacon
            .as_mut()
            .expect("development networks have one");
        beacon.period = PERIOD;
        beacon.genesis_time = 0;
        let bench = Bench::begin(&start).expect("a chain in memory");
        let genesis = bench.head();
        let mut nonces = Nonces::default();
        let acts: [_; ACTS as usize] = [founding(), joining(), staking(), taking_part()];
        for (number, calls) in acts.into_iter().enumerate() {
            let calls = calls
                .into_iter()
                .map(|(name, call)| {
                    let signer = position(name);
                    let nonce = take(&mut nonces, signer);
                    sign(signer, nonce, genesis, IMMORTAL, genesis, call)
                })
                .collect();
            bench.seal(calls, BEGIN + 12_000 * number as u64);
        }
        let (_, (is_set, key)) =
            bench.rehearse(vec![], 0, || (is_set(), NextKey::<Runtime>::get()));
        assert!(is_set, "a call that sets the stage has failed");
        Self {
            bench,
            genesis,
            nonces,
            shield: Shield::new(&key.expect("a new chain has one")),
        }
    }

    /// A call as the transaction that a client of this account sends, which uses its next nonce.
    pub fn sign(&self, nonces: &mut Nonces, signer: usize, call: RuntimeCall) -> Vec<u8> {
        let nonce = take(nonces, signer);
        sign(signer, nonce, self.genesis, IMMORTAL, self.genesis, call)
    }

    /// The same, brought encrypted by another transaction, Dave's; none if it is too long for that.
    pub fn shield(&self, nonces: &mut Nonces, signer: usize, call: RuntimeCall) -> Option<Vec<u8>> {
        let carrier = position("Dave");
        let nonce = take(nonces, carrier);
        let ciphertext = self.shield.encrypt(&self.sign(nonces, signer, call));
        let ciphertext = ciphertext.try_into().ok()?;
        let call = agon_runtime::shield::Call::submit_encrypted { ciphertext }.into();
        // What is encrypted must not live long; an era begins with the newest block.
        let era = Era::mortal(MAX_PERIOD, ACTS);
        Some(sign(
            carrier,
            nonce,
            self.genesis,
            era,
            self.bench.head(),
            call,
        ))
    }
}

/// Whether every call that sets the stage has done what it is there for.
fn is_set() -> bool {
    let is_inhabited = |netuid| {
        let is_neuron = |name| Uids::<Runtime>::get(netuid, account(name)).is_some();
        is_neuron("Eve")
            && is_neuron("Ferdie")
            && ValidatorPermit::<Runtime>::get(netuid)[1]
            && SubnetEpochIndex::<Runtime>::get(netuid) > 0
    };
    [OPEN, OPEN + 1].into_iter().all(is_inhabited)
        && !Weights::<Runtime>::get(OPEN, 1).is_empty()
        && Drand::signature_of(ROUND).is_some()
}

fn take(nonces: &mut Nonces, signer: usize) -> Nonce {
    let nonce = nonces[signer];
    nonces[signer] += 1;
    nonce
}

/// A transaction as clients make them; `birth` is the hash of the era's first block.
fn sign(
    signer: usize,
    nonce: Nonce,
    genesis: H256,
    era: Era,
    birth: H256,
    call: RuntimeCall,
) -> Vec<u8> {
    let pair = &PAIRS[signer];
    let extension: TxExtension = (
        frame_system::CheckNonZeroSender::new(),
        frame_system::CheckSpecVersion::new(),
        frame_system::CheckTxVersion::new(),
        frame_system::CheckGenesis::new(),
        agon_runtime::shield::CheckMortality(era),
        frame_system::CheckNonce::from(nonce),
        frame_system::CheckWeight::new(),
        pallet_transaction_payment::ChargeTransactionPayment::from(0),
        agon_runtime::admission::SudoTransactionExtension,
        agon_runtime::shield::CheckShieldedTxValidity,
        agon_runtime::admission::SubtensorTransactionExtension,
        frame_metadata_hash_extension::CheckMetadataHash::new(false),
    );
    let implicit = (
        VERSION.spec_version,
        VERSION.transaction_version,
        genesis,
        birth,
        None::<[u8; 32]>,
    );
    let mut payload = (&call, &extension, implicit).encode();
    if payload.len() > 256 {
        payload = BlakeTwo256::hash(&payload).0.to_vec();
    }
    let signature = MultiSignature::from(pair.sign(&payload));
    let sender = AccountId::from(pair.public()).into();
    UncheckedExtrinsic::new_signed(call, sender, signature, extension).encode()
}

/// A call made as root.
pub fn sudo(call: impl Into<RuntimeCall>) -> RuntimeCall {
    let call = Box::new(call.into());
    pallet_sudo::Call::sudo { call }.into()
}

/// Calls that all succeed or all fail.
pub fn batch(calls: impl IntoIterator<Item = RuntimeCall>) -> RuntimeCall {
    let calls = calls.into_iter().collect();
    pallet_utility::Call::batch_all { calls }.into()
}

type Signed = (&'static str, RuntimeCall);

fn founding() -> Vec<Signed> {
    use admin_utils::Call as Admin;
    use subtensor::Call as Subtensor;
    let mut calls: Vec<RuntimeCall> = vec![sudo(batch([
        Admin::sudo_set_network_rate_limit { rate_limit: 0 }.into(),
        Admin::sudo_set_start_call_delay { delay: 0 }.into(),
        Admin::sudo_set_admin_freeze_window { window: 0 }.into(),
    ]))];
    for netuid in [OPEN, OPEN + 1] {
        calls.push(
            Subtensor::register_network {
                hotkey: account("Dave"),
            }
            .into(),
        );
        calls.push(Subtensor::start_call { netuid }.into());
        calls.push(sudo(batch([
            Admin::sudo_set_tempo { netuid, tempo: 1 }.into(),
            Admin::sudo_set_weights_set_rate_limit {
                netuid,
                weights_set_rate_limit: 0,
            }
            .into(),
            Admin::sudo_set_subnet_emission_enabled {
                netuid,
                enabled: true,
            }
            .into(),
            Admin::sudo_set_commit_reveal_weights_enabled {
                netuid,
                enabled: netuid != OPEN,
            }
            .into(),
        ])));
    }
    calls.into_iter().map(|call| ("Alice", call)).collect()
}

/// Each subnet's neurons, beside the owner's.
fn neurons() -> impl Iterator<Item = (&'static str, AccountId, u16)> {
    let neurons = [("Bob", "Eve"), ("Charlie", "Ferdie")];
    [OPEN, OPEN + 1]
        .into_iter()
        .flat_map(move |netuid| neurons.map(|(coldkey, hotkey)| (coldkey, account(hotkey), netuid)))
}

fn joining() -> Vec<Signed> {
    let register = |(coldkey, hotkey, netuid)| -> Signed {
        (
            coldkey,
            subtensor::Call::burned_register { netuid, hotkey }.into(),
        )
    };
    neurons().map(register).collect()
}

fn staking() -> Vec<Signed> {
    let amount_staked = 100 * TAO;
    let stake = |(coldkey, hotkey, netuid)| -> Signed {
        (
            coldkey,
            subtensor::Call::add_stake {
                hotkey,
                netuid,
                amount_staked,
            }
            .into(),
        )
    };
    let hotkey = account("Eve");
    let seat = ("Bob", subtensor::Call::root_register { hotkey }.into());
    neurons().map(stake).chain([seat]).collect()
}

fn taking_part() -> Vec<Signed> {
    vec![
        ("Eve", weights()),
        (
            "Bob",
            pallet_proxy::Call::add_proxy {
                delegate: account("Charlie").into(),
                proxy_type: Default::default(),
                delay: 0,
            }
            .into(),
        ),
    ]
}

/// The validator's weights.
pub fn weights() -> RuntimeCall {
    subtensor::Call::set_weights {
        netuid: OPEN,
        dests: vec![0, 2],
        weights: vec![1, u16::MAX],
        version_key: 0,
    }
    .into()
}

/// A text sealed to [`ROUND`], the same one each time.
pub fn sealed(text: &[u8]) -> Vec<u8> {
    let randomness = Randomness {
        key: [1; 32],
        sigma: [2; 32],
        nonce: [3; 12],
    };
    Ciphertext::seal(&BEACON.public_key(), ROUND, text, &randomness).to_bytes()
}

/// Writes a target's seeds if the environment asks for it in `AGON_GENERATE`.
pub fn generate(target: &str, seeds: impl IntoIterator<Item = (&'static str, Vec<u8>)>) {
    if env::var_os("AGON_GENERATE").is_none() {
        return;
    }
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(target);
    fs::create_dir_all(&directory).expect("a directory");
    for (name, bytes) in seeds {
        fs::write(directory.join(name), bytes).expect("a file");
    }
}

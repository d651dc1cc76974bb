//! A chain in memory for tests: the real runtime, real blocks, calls dispatched inside them.

// Each test binary uses a part of this.
#![allow(dead_code)]

use agon_runtime::genesis::{self, Genesis};
use agon_runtime::subtensor::*;
use agon_runtime::{
    AccountId, Balances, Executive, Header, Runtime, RuntimeCall, RuntimeEvent, RuntimeOrigin,
    SubtensorModule, System, TxExtension, UncheckedExtrinsic, VERSION, admin_utils, api, subtensor,
};
use codec::{Decode, Encode};
use frame_support::traits::fungible::Inspect;
use sp_core::{H256, Pair, sr25519};
use sp_io::TestExternalities;
use sp_runtime::generic::Era;
use sp_runtime::traits::{Dispatchable, Header as _};
use sp_runtime::{DispatchError, DispatchResult};
use std::collections::BTreeSet;

pub const TAO: u64 = 1_000_000_000;
/// The subnet all tests use.
pub const NETUID: u16 = 1;
/// Blocks between its epochs.
pub const TEMPO: u16 = 10;
/// What each rich coldkey owns at first.
pub const ENDOWMENT: u64 = 100_000 * TAO;

/// An account by name.
pub fn account(name: &str) -> AccountId {
    sp_io::hashing::blake2_256(name.as_bytes()).into()
}

/// A chain in block 1 without subnets; the coldkeys `owner`, `validators`, `miners` and `rich` are rich.
pub fn chain() -> TestExternalities {
    let mut externalities = TestExternalities::default();
    externalities.execute_with(|| {
        let endowed = ["owner", "validators", "miners", "rich"]
            .map(|name| (account(name), ENDOWMENT))
            .to_vec();
        genesis::build(&Genesis {
            endowed,
            sudo: account("sudo"),
            beacon: None,
        })
        .expect("a valid genesis");
        start_block(1, H256::zero());
    });
    externalities
}

/// A chain with a started subnet that takes weights openly, has short epochs and receives emission.
///
/// Its neurons are uid 0 `owner-hot`, 1 `v1`, 2 `v2`, 3 `m1`, 4 `m2`, 5 `m3`, in block 1.
pub fn chain_with_subnet() -> TestExternalities {
    let mut externalities = chain();
    externalities.execute_with(|| {
        found_subnet();
        for (coldkey, hotkey) in [
            ("validators", "v1"),
            ("validators", "v2"),
            ("miners", "m1"),
            ("miners", "m2"),
            ("miners", "m3"),
        ] {
            register(coldkey, hotkey).expect("a place is free");
        }
    });
    externalities
}

/// A chain with a subnet whose validators have stake and a permit; nobody has set weights.
pub fn chain_with_validators() -> TestExternalities {
    let mut externalities = chain_with_subnet();
    externalities.execute_with(|| {
        stake("validators", "v1", 300 * TAO).unwrap();
        stake("validators", "v2", 100 * TAO).unwrap();
        run_to_epoch();
        assert_eq!(
            ValidatorPermit::<Runtime>::get(NETUID),
            [true, true, true, false, false, false]
        );
    });
    externalities
}

pub fn found_subnet() {
    call(
        "owner",
        subtensor::Call::register_network {
            hotkey: account("owner-hot"),
        },
    )
    .unwrap();
    root(admin_utils::Call::sudo_set_tempo {
        netuid: NETUID,
        tempo: TEMPO,
    })
    .unwrap();
    root(admin_utils::Call::sudo_set_commit_reveal_weights_enabled {
        netuid: NETUID,
        enabled: false,
    })
    .unwrap();
    root(admin_utils::Call::sudo_set_weights_set_rate_limit {
        netuid: NETUID,
        weights_set_rate_limit: 0,
    })
    .unwrap();
    root(admin_utils::Call::sudo_set_subnet_emission_enabled {
        netuid: NETUID,
        enabled: true,
    })
    .unwrap();
    // Burned tokens belong to nobody and yet count as issued, which makes the books harder to check.
    RecycleOrBurn::<Runtime>::insert(NETUID, RecycleOrBurnEnum::Recycle);
    call("owner", subtensor::Call::start_call { netuid: NETUID }).unwrap();
}

pub fn register(coldkey: &str, hotkey: &str) -> DispatchResult {
    call(
        coldkey,
        subtensor::Call::burned_register {
            netuid: NETUID,
            hotkey: account(hotkey),
        },
    )
}

pub fn stake(coldkey: &str, hotkey: &str, amount_staked: u64) -> DispatchResult {
    call(
        coldkey,
        subtensor::Call::add_stake {
            hotkey: account(hotkey),
            netuid: NETUID,
            amount_staked,
        },
    )
}

pub fn unstake(coldkey: &str, hotkey: &str, amount_unstaked: u64) -> DispatchResult {
    call(
        coldkey,
        subtensor::Call::remove_stake {
            hotkey: account(hotkey),
            netuid: NETUID,
            amount_unstaked,
        },
    )
}

pub fn weigh(hotkey: &str, weights: &[(u16, u16)]) -> DispatchResult {
    let (dests, weights) = weights.iter().copied().unzip();
    call(
        hotkey,
        subtensor::Call::set_weights {
            netuid: NETUID,
            dests,
            weights,
            version_key: 0,
        },
    )
}

/// Dispatches a call, signed by an account given by name.
pub fn call(who: &str, call: impl Into<RuntimeCall>) -> DispatchResult {
    dispatch(RuntimeOrigin::signed(account(who)), call.into())
}

/// Dispatches a call as root.
pub fn root(call: impl Into<RuntimeCall>) -> DispatchResult {
    dispatch(RuntimeOrigin::root(), call.into())
}

fn dispatch(origin: RuntimeOrigin, call: RuntimeCall) -> DispatchResult {
    call.dispatch(origin)
        .map(|_| ())
        .map_err(|failure| failure.error)
}

/// What a runtime API answers.
pub fn ask<Answer: Decode>(method: &str, arguments: impl Encode) -> Answer {
    let answer = api::dispatch(method, &arguments.encode()).expect("the runtime has the API");
    Answer::decode(&mut &answer[..]).expect("answers decode")
}

/// The name of an error as clients show it.
pub fn name(result: DispatchResult) -> &'static str {
    match result {
        Ok(()) => "no error",
        Err(DispatchError::Module(module)) => module.message.unwrap_or("an error without a name"),
        Err(other) => other.into(),
    }
}

fn start_block(number: u32, parent: H256) {
    let header = Header::new(
        number,
        H256::zero(),
        H256::zero(),
        parent,
        Default::default(),
    );
    Executive::initialize_block(&header);
    let now = u64::from(number) * 12_000;
    let inherent =
        UncheckedExtrinsic::new_bare(RuntimeCall::Timestamp(pallet_timestamp::Call::set { now }));
    Executive::apply_extrinsic(inherent)
        .expect("a valid inherent")
        .expect("time passes");
}

/// Ends the block and starts the next.
pub fn next_block() {
    let header = Executive::finalize_block();
    start_block(header.number + 1, header.hash());
}

pub fn run_blocks(count: u32) {
    (0..count).for_each(|_| next_block());
}

/// Runs to the block of the subnet's next epoch.
pub fn run_to_epoch() {
    let epochs = SubnetEpochIndex::<Runtime>::get(NETUID);
    while SubnetEpochIndex::<Runtime>::get(NETUID) == epochs {
        next_block();
    }
}

/// The subtensor events of this block.
pub fn events() -> Vec<subtensor::Event<Runtime>> {
    System::events()
        .into_iter()
        .filter_map(|record| match record.event {
            RuntimeEvent::SubtensorModule(event) => Some(event),
            _ => None,
        })
        .collect()
}

pub fn balance(account: &AccountId) -> u64 {
    <Balances as Inspect<AccountId>>::total_balance(account)
}

/// Every rao is somewhere, and every unit of the subnets' tokens is staked or waits; nothing was burned.
pub fn assert_nothing_is_lost() {
    assert_eq!(
        TotalIssuance::<Runtime>::get(),
        Balances::total_issuance(),
        "both counts of money"
    );
    let networks: BTreeSet<u16> = NetworksAdded::<Runtime>::iter_keys().collect();
    for &netuid in &networks {
        let pool = SubnetTAO::<Runtime>::get(netuid);
        // Root's account is kept alive by an existential deposit of its own.
        let kept = if netuid == ROOT {
            genesis::EXISTENTIAL_DEPOSIT
        } else {
            0
        };
        assert_eq!(
            balance(&SubtensorModule::subnet_account(netuid)),
            pool + kept,
            "pool {netuid}"
        );
        let staked: u64 = TotalHotkeyAlpha::<Runtime>::iter()
            .filter(|(_, subnet, _)| *subnet == netuid)
            .map(|(_, _, amount)| amount)
            .sum();
        let waiting = PendingServerEmission::<Runtime>::get(netuid)
            + PendingValidatorEmission::<Runtime>::get(netuid)
            + PendingRootAlphaDivs::<Runtime>::get(netuid)
            + PendingOwnerCut::<Runtime>::get(netuid);
        assert_eq!(
            SubnetAlphaOut::<Runtime>::get(netuid),
            staked + waiting,
            "token of {netuid}"
        );
        // A pool with reserves keeps TAO for whatever is sold to it.
        assert!(
            SubnetMechanism::<Runtime>::get(netuid) != 0
                || SubnetAlphaOut::<Runtime>::get(netuid) <= pool,
            "token of {netuid} without TAO behind it"
        );
    }
    let pools: u64 = networks
        .iter()
        .map(|&netuid| SubnetTAO::<Runtime>::get(netuid))
        .sum();
    assert_eq!(TotalStake::<Runtime>::get(), pools);
    // Shares never claim more than there is.
    for (hotkey, netuid, total) in TotalHotkeyAlpha::<Runtime>::iter() {
        let claimed: u64 = AlphaV2::<Runtime>::iter_prefix((&hotkey,))
            .filter(|((_, subnet), _)| *subnet == netuid)
            .map(|((coldkey, _), _)| SubtensorModule::stake_of(&hotkey, &coldkey, netuid))
            .sum();
        assert!(claimed <= total, "{claimed} claimed of {total}");
    }
}

/// A well-known key by its derivation path.
pub fn key(uri: &str) -> sr25519::Pair {
    sr25519::Pair::from_string(uri, None).expect("a well-known key")
}

/// Its account.
pub fn id(uri: &str) -> AccountId {
    key(uri).public().into()
}

/// A transaction as a client signs it.
pub fn sign(uri: &str, nonce: u32, call: impl Into<RuntimeCall>) -> UncheckedExtrinsic {
    sign_for(uri, nonce, Era::Immortal, call)
}

/// A transaction in an era that begins with the genesis block.
pub fn sign_for(
    uri: &str,
    nonce: u32,
    era: Era,
    call: impl Into<RuntimeCall>,
) -> UncheckedExtrinsic {
    let call = call.into();
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
    let genesis = System::block_hash(0);
    // What the specification says a client signs, spelled out.
    let implicit = (
        VERSION.spec_version,
        VERSION.transaction_version,
        genesis,
        genesis,
        None::<[u8; 32]>,
    );
    let payload = (&call, &extension, implicit).encode();
    let message = if payload.len() > 256 {
        sp_io::hashing::blake2_256(&payload).to_vec()
    } else {
        payload
    };
    let signature = key(uri).sign(&message);
    UncheckedExtrinsic::new_signed(call, id(uri).into(), signature.into(), extension)
}

/// Gives it money.
pub fn fund(uri: &str, amount: u64) {
    let transfer = pallet_balances::Call::transfer_allow_death {
        dest: id(uri).into(),
        value: amount,
    };
    call("rich", transfer).unwrap();
}

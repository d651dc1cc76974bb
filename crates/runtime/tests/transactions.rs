//! Signed transactions as clients send them.

mod support;

use agon_runtime::subtensor::{self, *};
use agon_runtime::{AccountId, Executive, Runtime, RuntimeCall, System};
use codec::{Decode, Encode};
use sp_runtime::transaction_validity::{
    InvalidTransaction, TransactionSource, TransactionValidityError,
};
use support::*;

#[test]
fn a_hotkey_without_money_takes_part() {
    chain_with_subnet().execute_with(|| {
        fund("//Alice", 1000 * TAO);
        let register = subtensor::Call::burned_register {
            netuid: NETUID,
            hotkey: id("//Bob"),
        };
        let price = Burn::<Runtime>::get(NETUID);
        Executive::apply_extrinsic(sign("//Alice", 0, register))
            .unwrap()
            .unwrap();
        let fee = 1000 * TAO - price - balance(&id("//Alice"));
        assert!((1..TAO / 1000).contains(&fee), "{fee}");
        assert_nothing_is_lost();

        assert_eq!(balance(&id("//Bob")), 0);
        let uid = Uids::<Runtime>::get(NETUID, id("//Bob")).unwrap();
        let weigh = subtensor::Call::set_weights {
            netuid: NETUID,
            dests: vec![uid],
            weights: vec![1],
            version_key: 0,
        };
        Executive::apply_extrinsic(sign("//Bob", 0, weigh.clone()))
            .unwrap()
            .unwrap();
        assert_eq!(Weights::<Runtime>::get(NETUID, uid), [(uid, 65535)]);
        assert_eq!(System::account_nonce(id("//Bob")), 1);
        assert_eq!(balance(&id("//Bob")), 0);

        // The nonce is used up.
        let stale = TransactionValidityError::Invalid(InvalidTransaction::Stale);
        assert_eq!(
            Executive::apply_extrinsic(sign("//Bob", 0, weigh)),
            Err(stale)
        );
    });
}

#[test]
fn strangers_without_money_are_turned_away() {
    chain_with_subnet().execute_with(|| {
        let call = subtensor::Call::set_weights {
            netuid: NETUID,
            dests: vec![0],
            weights: vec![1],
            version_key: 0,
        };
        let checked = Executive::validate_transaction(
            TransactionSource::External,
            sign("//Eve", 0, call),
            System::block_hash(0),
        );
        assert_eq!(
            checked,
            Err(TransactionValidityError::Invalid(
                InvalidTransaction::Payment
            ))
        );
    });
}

#[test]
fn a_failed_call_changes_nothing_but_the_fee() {
    chain_with_subnet().execute_with(|| {
        fund("//Alice", TAO);
        let register = subtensor::Call::burned_register {
            netuid: NETUID,
            hotkey: id("//Bob"),
        };
        let outcome = Executive::apply_extrinsic(sign("//Alice", 0, register)).unwrap();
        assert_eq!(name(outcome), "NotEnoughBalanceToStake");
        assert_eq!(Uids::<Runtime>::get(NETUID, id("//Bob")), None);
        assert!(balance(&id("//Alice")) < TAO);
        assert_nothing_is_lost();
    });
}

/// Calls recorded from unmodified clients: Bob's hotkey, subnet 1.
#[test]
fn calls_are_encoded_as_clients_send_them() {
    let bob = hex("8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48");
    assert_eq!(AccountId::decode(&mut &bob[..]).unwrap(), id("//Bob"));
    let recorded: [(RuntimeCall, String); 4] = [
        (
            subtensor::Call::burned_register {
                netuid: 1,
                hotkey: id("//Bob"),
            }
            .into(),
            format!("07070100{}", unhex(&bob)),
        ),
        (
            subtensor::Call::serve_axon {
                netuid: 1,
                version: 10_005_000,
                ip: 0x0102_0304,
                port: 18091,
                ip_type: 4,
                protocol: 4,
                placeholder1: 0,
                placeholder2: 0,
            }
            .into(),
            "0704010008aa980004030201000000000000000000000000ab4604040000".into(),
        ),
        (
            subtensor::Call::set_mechanism_weights {
                netuid: 1,
                mecid: 0,
                dests: vec![0, 1],
                weights: vec![21845, 65535],
                version_key: 0,
            }
            .into(),
            "07770100000800000100085555ffff0000000000000000".into(),
        ),
        (
            subtensor::Call::add_stake {
                hotkey: id("//Bob"),
                netuid: 1,
                amount_staked: TAO,
            }
            .into(),
            format!("0702{}010000ca9a3b00000000", unhex(&bob)),
        ),
    ];
    for (call, expected) in recorded {
        assert_eq!(unhex(&call.encode()), expected);
        assert_eq!(RuntimeCall::decode(&mut &hex(&expected)[..]), Ok(call));
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex"))
        .collect()
}

fn unhex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! The shield: what is announced, what is refused before a block, what root sets. What an author opens is tested
//! where the author is.

mod support;

use agon_runtime::admission::Refusal;
use agon_runtime::shield::{
    self, CurrentKey, ENCAPSULATED_BYTES, Error, KEY_BYTES, MaxExtrinsicWeight,
    MaxPendingExtrinsicsLimit, NextKey, OnInitializeWeight, Shielded, TAG_BYTES, key_hash,
};
use agon_runtime::{Executive, Runtime, RuntimeCall, RuntimeEvent, System, UncheckedExtrinsic};
use frame_support::{BoundedVec, assert_noop, assert_ok};
use sp_runtime::DispatchResult;
use sp_runtime::generic::Era;
use sp_runtime::traits::{BlakeTwo256, Hash};
use sp_runtime::transaction_validity::{InvalidTransaction, TransactionSource};
use support::*;

type Call = shield::Call<Runtime>;

fn announce(key: Option<Vec<u8>>) -> DispatchResult {
    let enc_key = key.map(BoundedVec::truncate_from);
    let call = RuntimeCall::MevShield(Call::announce_next_key { enc_key });
    Executive::apply_extrinsic(UncheckedExtrinsic::new_bare(call)).expect("an inherent")
}

/// Bytes of a cipher text's form to the key that consists of `byte`.
fn ciphertext(byte: u8) -> Vec<u8> {
    let hash = key_hash(&[byte; KEY_BYTES]);
    let length = (ENCAPSULATED_BYTES as u16).to_le_bytes();
    let rest = vec![3; ENCAPSULATED_BYTES + 24 + TAG_BYTES + 1];
    [&hash[..], &length, &rest].concat()
}

fn submit(ciphertext: Vec<u8>) -> Call {
    Call::submit_encrypted {
        ciphertext: BoundedVec::truncate_from(ciphertext),
    }
}

fn key(byte: u8) -> Option<Vec<u8>> {
    Some(vec![byte; KEY_BYTES])
}

fn keys() -> [Option<Vec<u8>>; 2] {
    [CurrentKey::<Runtime>::get(), NextKey::<Runtime>::get()].map(|key| key.map(Into::into))
}

#[test]
fn the_author_announces_keys_one_after_another() {
    chain().execute_with(|| {
        assert_eq!(keys(), [None, None]);
        announce(key(1)).unwrap();
        assert_eq!(keys(), [key(1), key(1)]);
        announce(key(2)).unwrap();
        assert_eq!(keys(), [key(1), key(2)]);
        for length in [0, KEY_BYTES - 1, KEY_BYTES + 1] {
            let refused = announce(Some(vec![1; length]));
            assert_eq!(name(refused), "BadEncKeyLen");
        }
        assert_eq!(keys(), [key(1), key(2)]);
        announce(None).unwrap();
        assert_eq!(keys(), [key(2), None]);
        let by_signer = Call::announce_next_key { enc_key: None };
        assert_eq!(name(call("rich", by_signer)), "Bad origin");
    });
}

#[test]
fn no_pool_takes_an_announcement() {
    chain().execute_with(|| {
        let call = RuntimeCall::MevShield(Call::announce_next_key { enc_key: None });
        let checked = Executive::validate_transaction(
            TransactionSource::External,
            UncheckedExtrinsic::new_bare(call),
            System::block_hash(0),
        );
        assert!(checked.is_err(), "{checked:?}");
    });
}

#[test]
fn cipher_texts_have_one_form() {
    let right = ciphertext(1);
    let shielded = Shielded::parse(&right).expect("the form");
    assert_eq!(shielded.key_hash, key_hash(&[1; KEY_BYTES]));
    assert_eq!(shielded.sealed.len(), TAG_BYTES + 1);
    for length in 0..right.len() {
        assert_eq!(Shielded::parse(&right[..length]), None, "{length} bytes");
    }
    for at in [16, 17] {
        let mut other = right.clone();
        other[at] ^= 1;
        assert_eq!(Shielded::parse(&other), None);
    }
}

#[test]
fn what_nobody_could_open_is_refused() {
    chain().execute_with(|| {
        fund("//Alice", TAO);
        let offer = |era, bytes| {
            let transaction = sign_for("//Alice", 0, era, submit(bytes));
            Executive::apply_extrinsic(transaction).map(|outcome| outcome.unwrap())
        };
        let refused = |refusal: Refusal| Err(InvalidTransaction::Custom(refusal as u8).into());
        let short = Era::mortal(8, 0);
        let unknown = refused(Refusal::InvalidShieldedTxPubKeyHash);
        assert_eq!(offer(short, ciphertext(1)), unknown, "none is announced");
        announce(key(1)).unwrap();
        announce(key(2)).unwrap();
        assert_eq!(offer(short, ciphertext(3)), unknown);
        let formless = refused(Refusal::FailedShieldedTxParsing);
        assert_eq!(offer(short, ciphertext(1)[1..].to_vec()), formless);
        let stale = Err(InvalidTransaction::Stale.into());
        for era in [Era::Immortal, Era::mortal(16, 0)] {
            assert_eq!(offer(era, ciphertext(1)), stale);
        }
        assert_eq!(offer(short, ciphertext(1)), Ok(()));

        let who = id("//Alice");
        let bytes = ciphertext(1);
        let id = BlakeTwo256::hash_of(&(&who, &bytes));
        let event = RuntimeEvent::MevShield(shield::Event::EncryptedSubmitted { id, who });
        assert!(System::events().iter().any(|record| record.event == event));
    });
}

#[test]
fn the_queue_is_set_by_root_and_not_carried_out() {
    chain().execute_with(|| {
        assert_ok!(root(Call::set_max_pending_extrinsics_number { value: 5 }));
        assert_eq!(MaxPendingExtrinsicsLimit::<Runtime>::get(), 5);
        let half = 2_000_000_000_000;
        assert_ok!(root(Call::set_on_initialize_weight { value: half }));
        assert_eq!(OnInitializeWeight::<Runtime>::get(), half);
        assert_ok!(root(Call::set_max_extrinsic_weight { value: half }));
        assert_eq!(MaxExtrinsicWeight::<Runtime>::get(), half);
        assert_ok!(root(Call::set_stored_extrinsic_lifetime { value: 3 }));
        assert_eq!(shield::ExtrinsicLifetime::<Runtime>::get(), 3);

        let too_much = Error::<Runtime>::WeightExceedsAbsoluteMax;
        let value = half + 1;
        assert_noop!(root(Call::set_on_initialize_weight { value }), too_much);
        let too_much = Error::<Runtime>::WeightExceedsAbsoluteMax;
        assert_noop!(root(Call::set_max_extrinsic_weight { value }), too_much);
        let stranger = call("rich", Call::set_stored_extrinsic_lifetime { value: 1 });
        assert_eq!(name(stranger), "Bad origin");
        let stored = call(
            "rich",
            Call::store_encrypted {
                encrypted_call: BoundedVec::truncate_from(ciphertext(1)),
            },
        );
        assert_eq!(name(stored), "NotOnThisChain");
    });
}

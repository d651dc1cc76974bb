//! The public chain's time-lock encryption and hash commits, byte for byte.

use agon_timelock::*;
use codec::{DecodeAll, Encode};
use proptest::prelude::*;
use std::sync::LazyLock;

/// A time-locked text of the official client library: `hello bittensor`, sealed to quicknet's round 1000.
const ENVELOPE: &str = "0d04b429a3257f440342172662c21a5ffed224acb79b96f4af369862bb4a5907b10df07ae3e3b5fab0ebbd57c02dc2f9\
    22020477efc633fcb8e73318a9bb9705a74388057091d07459f5f3d92230a267ee3703fc85f2db238ab41985577cd244\
    da652000000000000000b8c23ebd8b802eefdcf7425fdecf5320628f9a415a2ed7680a74b9bb3ffc6e61200000000000\
    00009582d882643a39adabdf467c4c20eb73db1764a23c015a8c1bb2b1a7476423663b000000000000001f0000000000\
    00003fdd17c9855283ece59026c206e2002c108ddc6da14a63e4347b05e0bb04bb0c00000000000000f7c92b6421144d\
    b9d4b114aa08000000000000004145535f47434d5fe803000000000000";
const SIGNATURE_1000: &str = "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39";

static KEY: LazyLock<BeaconKey> = LazyLock::new(|| BeaconKey::from_seed(b"tests"));

fn envelope() -> Envelope {
    let bytes = hex::decode(ENVELOPE).unwrap();
    Envelope::decode_all(&mut &bytes[..]).unwrap()
}

fn signature_1000() -> Signature {
    Signature::from_bytes(&hex::decode(SIGNATURE_1000).unwrap()).unwrap()
}

fn randomness(filler: u8) -> Randomness {
    Randomness {
        key: [filler; 32],
        sigma: [filler.wrapping_add(1); 32],
        nonce: [filler.wrapping_add(2); 12],
    }
}

#[test]
fn a_foreign_text_opens_with_the_rounds_signature() {
    let Envelope {
        encrypted,
        reveal_round,
    } = envelope();
    assert_eq!(reveal_round, 1000);
    let ciphertext = Ciphertext::from_bytes(&encrypted).unwrap();
    assert_eq!(ciphertext.to_bytes(), encrypted);
    assert_eq!(encrypted.len(), 15 + Ciphertext::OVERHEAD);
    assert_eq!(
        ciphertext.open(&signature_1000()).unwrap(),
        b"hello bittensor"
    );

    let other = KEY.sign(1000);
    assert_eq!(ciphertext.open(&other), Err(OpenError::OtherRound));
}

#[test]
fn quicknets_signatures_are_checked() {
    let quicknet = Beacon::quicknet();
    assert!(quicknet.public_key.verify(1000, &signature_1000()));
    assert!(!quicknet.public_key.verify(1001, &signature_1000()));
    assert!(!KEY.public_key().verify(1000, &signature_1000()));
    assert!(!quicknet.public_key.verify(1000, &KEY.sign(1000)));
    assert!(KEY.public_key().verify(7, &KEY.sign(7)));
}

#[test]
fn rounds_follow_the_clock() {
    let quicknet = Beacon::quicknet();
    assert_eq!(quicknet.round_at(0), 0);
    assert_eq!(quicknet.round_at(1_692_803_366), 0);
    assert_eq!(quicknet.round_at(1_692_803_367), 1);
    assert_eq!(quicknet.round_at(1_692_803_369), 1);
    assert_eq!(quicknet.round_at(1_692_803_370), 2);
    assert_eq!(quicknet.time_of(1), 1_692_803_367);
    assert_eq!(quicknet.time_of(1000), 1_692_803_367 + 2997);
    assert_eq!(quicknet.time_of(u64::MAX), u64::MAX);
    assert_eq!(
        quicknet.round_at(u64::MAX),
        (u64::MAX - 1_692_803_367) / 3 + 1
    );
}

#[test]
fn hash_commits_are_the_public_ones() {
    let bob: [u8; 32] =
        hex::decode("8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48")
            .unwrap()
            .try_into()
            .unwrap();
    let hash = weights_hash(
        &bob,
        1,
        &[0, 1],
        &[21845, 65535],
        &[1, 2, 3, 4, 5, 6, 7, 8],
        10_005_000,
    );
    assert_eq!(
        hex::encode(hash),
        "54cf8a3c1bca076e283a98c800d759f1804196ae001d19bb45b71761241c1fbd"
    );
}

#[test]
fn plain_texts_of_both_forms_are_read() {
    let text = WeightsPlaintext {
        hotkey: Some([7; 32]),
        uids: vec![0, 1],
        values: vec![1, 2],
        version_key: 5,
    };
    let bytes = text.to_bytes();
    let expected = [
        "80",
        &"07".repeat(32),
        "0800000100",
        "0801000200",
        "0500000000000000",
    ];
    assert_eq!(hex::encode(&bytes), expected.concat());
    assert_eq!(WeightsPlaintext::from_bytes(&bytes), Some(text.clone()));
    let older = WeightsPlaintext {
        hotkey: None,
        ..text
    };
    assert_eq!(older.to_bytes(), bytes[33..]);
    assert_eq!(WeightsPlaintext::from_bytes(&bytes[33..]), Some(older));
    assert_eq!(
        WeightsPlaintext::from_bytes(&bytes[..bytes.len() - 1]),
        None
    );
    assert_eq!(WeightsPlaintext::from_bytes(&[0xff; 40]), None);
    assert_eq!(WeightsPlaintext::from_bytes(&[]), None);
}

#[test]
fn every_changed_part_is_noticed() {
    let round = 5;
    let ciphertext = Ciphertext::seal(&KEY.public_key(), round, b"text", &randomness(9));
    let signature = KEY.sign(round);
    assert_eq!(ciphertext.open(&signature).unwrap(), b"text");
    let bytes = ciphertext.to_bytes();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let opened = Ciphertext::from_bytes(&changed).map(|changed| changed.open(&signature));
        assert!(
            !matches!(opened, Ok(Ok(_))),
            "byte {at} was changed unnoticed"
        );
    }
}

#[test]
fn what_is_no_cipher_text_is_refused_with_its_reason() {
    let bytes = envelope().encrypted;
    for length in 0..bytes.len() {
        assert!(
            Ciphertext::from_bytes(&bytes[..length]).is_err(),
            "{length} bytes"
        );
    }
    let parse = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        Ciphertext::from_bytes(&bytes).unwrap_err()
    };
    assert_eq!(parse(&|bytes| bytes.push(0)), ParseError::Trailing);
    assert_eq!(parse(&|bytes| bytes[..96].fill(0xff)), ParseError::Point);
    let mut neutral = [0; 96];
    neutral[0] = 0xc0;
    assert_eq!(
        parse(&|bytes| bytes[..96].copy_from_slice(&neutral)),
        ParseError::Point
    );
    assert_eq!(parse(&|bytes| bytes[96] = 31), ParseError::Length("V"));
    assert_eq!(
        parse(&|bytes| bytes[96..104].fill(0xff)),
        ParseError::Truncated("V")
    );
    assert_eq!(
        parse(&|bytes| *bytes.last_mut().unwrap() = b'-'),
        ParseError::Scheme
    );
    assert_eq!(
        Ciphertext::from_bytes(&vec![0; Ciphertext::MAX_BYTES + 1]),
        Err(ParseError::TooLong)
    );
    assert_eq!(Signature::from_bytes(&[0; 47]), Err(InvalidPoint));
    assert_eq!(Signature::from_bytes(&[0; 48]), Err(InvalidPoint));
    assert_eq!(PublicKey::from_bytes(&neutral), Err(InvalidPoint));
}

#[test]
fn a_beacon_key_is_its_seeds_alone() {
    assert_eq!(
        BeaconKey::from_seed(b"tests").public_key(),
        KEY.public_key()
    );
    assert_ne!(BeaconKey::from_seed(b"test").public_key(), KEY.public_key());
    let read = PublicKey::from_bytes(&KEY.public_key().to_bytes()).unwrap();
    assert_eq!(read, KEY.public_key());
    assert_eq!(format!("{:?}", *KEY), "BeaconKey");
    let randomness = signature_1000().randomness();
    assert_ne!(randomness, KEY.sign(1000).randomness());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn texts_survive(
        text in prop::collection::vec(any::<u8>(), 0..600),
        round in any::<u64>(),
        key in any::<[u8; 32]>(),
        sigma in any::<[u8; 32]>(),
        nonce in any::<[u8; 12]>(),
    ) {
        let randomness = Randomness { key, sigma, nonce };
        let ciphertext = Ciphertext::seal(&KEY.public_key(), round, &text, &randomness);
        let bytes = ciphertext.to_bytes();
        prop_assert_eq!(bytes.len(), text.len() + Ciphertext::OVERHEAD);
        let read = Ciphertext::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&read, &ciphertext);
        prop_assert_eq!(read.open(&KEY.sign(round)), Ok(text));
        prop_assert_eq!(read.open(&KEY.sign(round ^ 1)), Err(OpenError::OtherRound));
    }
}

proptest! {
    #[test]
    fn foreign_bytes_never_panic(
        start in 0..300usize,
        garbage in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        // The start of a good one, then anything: deeper than bytes that are random from the first on.
        let good = envelope().encrypted;
        let bytes = [&good[..start.min(good.len())], &garbage[..]].concat();
        if let Ok(ciphertext) = Ciphertext::from_bytes(&bytes) {
            prop_assert_eq!(ciphertext.to_bytes(), bytes);
            let _ = ciphertext.open(&KEY.sign(1));
        }
        let _ = WeightsPlaintext::from_bytes(&garbage);
        let _ = Signature::from_bytes(&garbage);
    }

    #[test]
    fn plain_texts_survive(
        hotkey in any::<Option<[u8; 32]>>(),
        weights in prop::collection::vec(any::<(u16, u16)>(), 0..50),
        version_key in any::<u64>(),
    ) {
        let (uids, values) = weights.into_iter().unzip();
        let text = WeightsPlaintext { hotkey, uids, values, version_key };
        prop_assert_eq!(WeightsPlaintext::from_bytes(&text.to_bytes()), Some(text));
    }

    #[test]
    fn envelopes_survive(encrypted in prop::collection::vec(any::<u8>(), 0..50), reveal_round in any::<u64>()) {
        let envelope = Envelope { encrypted, reveal_round };
        prop_assert_eq!(Envelope::decode_all(&mut &envelope.encode()[..]), Ok(envelope));
    }
}

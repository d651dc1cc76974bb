//! Bytes as what is time-locked, what it is locked in, and what stands around it on chain.
//!
//! The first byte says as what the rest is read. Whatever is read must be written as it was.

#![no_main]

use agon_fuzz::{BEACON, ROUND, generate, sealed};
use agon_runtime::{
    commitments::{CommitmentInfo, Data},
    drand::Pulse,
};
use agon_timelock::{Ciphertext, Envelope, PublicKey, Signature, WeightsPlaintext};
use codec::{DecodeAll, Encode};
use libfuzzer_sys::{Corpus, fuzz_target};
use std::{fmt::Debug, sync::LazyLock};

const CIPHERTEXT: u8 = 0;
const ENVELOPE: u8 = 1;
const WEIGHTS: u8 = 2;
const COMMITMENT: u8 = 3;
const PULSE: u8 = 4;
const SIGNATURE: u8 = 5;
const PUBLIC_KEY: u8 = 6;

static SIGNATURE_OF_ROUND: LazyLock<Signature> = LazyLock::new(|| BEACON.sign(ROUND));

fuzz_target!(init: generate("timelock", seeds()), |data: &[u8]| -> Corpus {
    let Some((form, bytes)) = data.split_first() else {
        return Corpus::Reject;
    };
    match *form {
        CIPHERTEXT => open(bytes),
        ENVELOPE => {
            if let Some(envelope) = scale::<Envelope>(bytes) {
                open(&envelope.encrypted);
            }
        }
        WEIGHTS => {
            if let Some(text) = WeightsPlaintext::from_bytes(bytes) {
                assert_eq!(text.to_bytes(), bytes);
                // What a validator seals is what the chain opens.
                let opened = Ciphertext::from_bytes(&sealed(bytes))
                    .expect("a cipher text")
                    .open(&SIGNATURE_OF_ROUND);
                assert_eq!(opened.as_deref(), Ok(bytes));
            }
        }
        COMMITMENT => {
            if let Some(CommitmentInfo { fields }) = scale(bytes) {
                for field in fields {
                    if let Data::TimelockEncrypted { encrypted, .. } = field {
                        open(&encrypted);
                    }
                }
            }
        }
        PULSE => {
            if let Some(Pulse { signature, .. }) = scale(bytes) {
                read_signature(&signature);
            }
        }
        SIGNATURE => read_signature(bytes),
        PUBLIC_KEY => {
            if let Ok(key) = PublicKey::from_bytes(bytes) {
                assert_eq!(key.to_bytes(), bytes);
                assert!(!key.verify(ROUND, &SIGNATURE_OF_ROUND) || key == BEACON.public_key());
            }
        }
        _ => return Corpus::Reject,
    }
    Corpus::Keep
});

/// What SCALE bytes stand for, if for anything; it must be written as it was.
fn scale<T: DecodeAll + Encode + Debug + Eq>(bytes: &[u8]) -> Option<T> {
    let value = T::decode_all(&mut &bytes[..]).ok()?;
    assert_eq!(value.encode(), bytes, "{value:?}");
    Some(value)
}

fn open(bytes: &[u8]) {
    let Ok(ciphertext) = Ciphertext::from_bytes(bytes) else {
        return;
    };
    assert_eq!(ciphertext.to_bytes(), bytes);
    if let Ok(text) = ciphertext.open(&SIGNATURE_OF_ROUND)
        && let Some(weights) = WeightsPlaintext::from_bytes(&text)
    {
        assert_eq!(weights.to_bytes(), text);
    }
}

fn read_signature(bytes: &[u8]) {
    if let Ok(signature) = Signature::from_bytes(bytes) {
        assert_eq!(signature.to_bytes(), bytes);
        let is_beacons = BEACON.public_key().verify(ROUND, &signature);
        assert_eq!(is_beacons, signature == *SIGNATURE_OF_ROUND);
    }
}

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let weights = WeightsPlaintext {
        hotkey: Some([7; 32]),
        uids: vec![0, 1, 2],
        values: vec![1, 2, u16::MAX],
        version_key: 5,
    };
    let older = WeightsPlaintext {
        hotkey: None,
        ..weights.clone()
    };
    let locked = sealed(&weights.to_bytes());
    let envelope = Envelope {
        encrypted: locked.clone(),
        reveal_round: ROUND,
    };
    let fields = vec![
        Data::Raw(
            b"sha256:0123456789abcdef"
                .to_vec()
                .try_into()
                .expect("short"),
        ),
        Data::TimelockEncrypted {
            encrypted: locked.clone().try_into().expect("short"),
            reveal_round: ROUND,
        },
        Data::BigRaw(vec![1; 200].try_into().expect("short")),
    ];
    let plain = vec![Data::Sha256([3; 32]), Data::ResetBondsFlag, Data::None];
    let commitment = |fields: Vec<Data>| {
        let fields = fields.try_into().expect("three");
        CommitmentInfo { fields }.encode()
    };
    let signature = *SIGNATURE_OF_ROUND;
    [
        ("ciphertext", CIPHERTEXT, locked),
        ("ciphertext-empty", CIPHERTEXT, sealed(b"")),
        ("envelope", ENVELOPE, envelope.encode()),
        ("weights", WEIGHTS, weights.to_bytes()),
        ("weights-older", WEIGHTS, older.to_bytes()),
        ("commitment", COMMITMENT, commitment(fields)),
        ("commitment-plain", COMMITMENT, commitment(plain)),
        ("pulse", PULSE, Pulse::new(ROUND, &signature).encode()),
        ("signature", SIGNATURE, signature.to_bytes().to_vec()),
        (
            "public-key",
            PUBLIC_KEY,
            BEACON.public_key().to_bytes().to_vec(),
        ),
    ]
    .map(|(name, form, bytes)| (name, [&[form][..], &bytes].concat()))
    .into()
}

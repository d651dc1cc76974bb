//! Key files as a whole.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{Mnemonic, verify};

const ABANDON: &str =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

/// A coldkey of the phrase above, written by the Python wallet 4.1 under the password `bittensor-test`.
const FOREIGN_FILE: &str = "\
    JE5BQ0xYFDrxmZVGHUO21voTAnsWPqDAFDklfkLx3NmKiKoNka5dzXZ8Qt4Gpwd0FwyxtAjnb14S0FoT4NVhhlFUzTncST+unOf2\
    YNp2232+n8IcVs1dRTICUSOOR23iHRANft5QAzjCp61OfqaF1Bzi0sDGVEQqyQMRxQ6xSeS/tuxBLqjM3vZeWfaLHHWfiLEX2Z6d\
    NUrJiGFb8SUrcQ+efccYyOgSltk4x4Y8y7jpLQsTkkwYKt2xHpe9gYQmjffKKXrxVyJJ8Wp2my7DuGHP/X+yCcK8s5Og6dmBkSk0\
    NOQD89wv+96lEVFwoycRQEcG9qNBumTwLq9WfnZISWp6zvbOi6edL914TX1qRAILJzjreTKNrAqVaAztn1CjUKAfnT49if6gf60c\
    182dK/2+gCJY2FWZ9A+zVUpbaKL/rrjle541upIn18ZV+Oa2VLQZ37RJwJeJ0BpeAD55oDszh76LuBaE3A1MxP9bV+fgTmytUf6z\
    y3YRxEaUMULuaGbc6xHTATTqYJEJKjHHBPzA3R1WoSXxDlBMNQQfHZ2/a39R4tABYJNyxxB4bL2up2w46ebgMrL83pm8H+SvYAgk\
    /QIUzBlWFZUmV7RIGinMjkymV/jmgzFewjipciSd9FcT2IE9O0fVTlgBM53m4Y/bOpMITi5uxRbcfBfvfZlHm0q+mVt8glXmipzY\
    ha5G/KrGd2kYoeYsxnqykR87r6MdLkTsjtT33yHOB9fkeNSGeYt5Nqxo43hphKkERc9m83jYVXaa2SS1vm5G+M/dZ34KlrlgvxMt\
    RWWwphIjqCjsXmC0haZVQr5C2K1pFExfbqom";

fn abandon() -> Keypair {
    Keypair::from_mnemonic(&ABANDON.parse().unwrap())
}

fn hex_of(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn open_json(json: Value) -> Result<Keypair, KeyFileError> {
    open(json.to_string().as_bytes(), None)
}

/// One of the three tests that pay for the full Argon2; the others are those of encrypted wallets.
#[test]
fn a_foreign_encrypted_file_opens() {
    let file = STANDARD.decode(FOREIGN_FILE).unwrap();
    assert_eq!(file.len(), 627);
    assert_eq!(Protection::of(&file), Protection::Nacl);
    assert_eq!(open(&file, None).unwrap_err(), KeyFileError::PasswordNeeded);

    let json = nacl::decrypt(&file, &Password::new("bittensor-test".into())).unwrap();
    let keypair = open(&json, None).unwrap();
    assert_eq!(keypair.account(), abandon().account());
    assert_eq!(*keypair.mnemonic().unwrap().phrase(), ABANDON);
    // What we write of the same key says the same, but for the number that old readers refuse.
    let ours: Value = serde_json::from_slice(&seal(&keypair, None).unwrap()).unwrap();
    let mut theirs: Value = serde_json::from_slice(&json).unwrap();
    theirs.as_object_mut().unwrap().remove("cryptoType");
    assert_eq!(ours, theirs);
}

#[test]
fn the_json_of_a_mnemonic() {
    let json: Value = serde_json::from_slice(&seal(&abandon(), None).unwrap()).unwrap();
    let public = "0x66933bd1f37070ef87bd1198af3dacceb095237f803f3d32b173e6b425ed7972";
    assert_eq!(
        json,
        json!({
            "accountId": public,
            "publicKey": public,
            "privateKey": "0x2ec306fc1c5bc2f0e3a2c7a6ec6014ca4a0823a7d7d42ad5e9d7f376a1c36c0d\
                           14a2ddb1ef1df4adba49f3a4d8c0f6205117907265f09a53ccf07a4e8616dfd8",
            "secretPhrase": ABANDON,
            "secretSeed": "0x4ed8d4b17698ddeaa1f1559f152f87b5d472f725ca86d341bd0276f1b61197e2",
            "ss58Address": "5EPCUjPxiHAcNooYipQFWr9NmmXJKpNG5RhcntXwbtUySrgH",
        })
    );
}

#[test]
fn a_development_key_has_neither_phrase_nor_seed() {
    let alice = Keypair::from_uri("//Alice").unwrap();
    let file = seal(&alice, None).unwrap();
    let json: Value = serde_json::from_slice(&file).unwrap();
    let names: Vec<_> = json.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        ["accountId", "privateKey", "publicKey", "ss58Address"]
    );
    let opened = open(&file, None).unwrap();
    assert_eq!(opened.account(), alice.account());
    assert!(verify(
        &alice.account(),
        b"message",
        &opened.sign(b"message")
    ));
}

#[test]
fn the_public_file_holds_no_secret() {
    let account = abandon().account();
    let file = encode_public(&account, Scheme::Sr25519);
    let json: Value = serde_json::from_slice(&file).unwrap();
    let names: Vec<_> = json.as_object().unwrap().keys().collect();
    assert_eq!(names, ["accountId", "publicKey", "ss58Address"]);
    assert_eq!(decode_account(&file), Ok((account, Scheme::Sr25519)));
    assert_eq!(decode_public(&file), decode_account(&file));
    assert_eq!(open(&file, None).unwrap_err(), KeyFileError::NoSecret);
}

#[test]
fn the_first_secret_present_is_taken() {
    let seed = format!("0x{}", "11".repeat(32));
    let private_key = hex_of(&Keypair::from_uri("//Alice").unwrap().private_key());
    let account = |uri: &str| Keypair::from_uri(uri).unwrap().account();
    let all = json!({ "secretPhrase": ABANDON, "secretSeed": seed, "privateKey": private_key });
    assert_eq!(open_json(all).unwrap().account(), abandon().account());
    let two = json!({ "secretPhrase": null, "secretSeed": seed, "privateKey": private_key });
    assert_eq!(open_json(two).unwrap().account(), account(&seed));
    let one = json!({ "privateKey": private_key });
    assert_eq!(open_json(one).unwrap().account(), account("//Alice"));
}

#[test]
fn the_crypto_type_is_a_number() {
    let seed = "11".repeat(32);
    assert!(open_json(json!({ "secretSeed": seed, "cryptoType": 1 })).is_ok());
    assert!(open_json(json!({ "secretSeed": seed, "cryptoType": null })).is_ok());
    assert!(open_json(json!({ "secretSeed": seed, "cryptoType": 0 })).is_ok());
    assert_eq!(
        open_json(json!({ "secretSeed": seed, "cryptoType": 2 })).unwrap_err(),
        KeyFileError::CryptoType(2)
    );
    assert!(matches!(
        open_json(json!({ "secretSeed": seed, "cryptoType": "1" })),
        Err(KeyFileError::Malformed(_))
    ));
}

#[test]
fn a_file_that_contradicts_itself_is_refused() {
    let alice = Keypair::from_uri("//Alice").unwrap().account();
    let contradiction = KeyFileError::Contradiction {
        stated: alice,
        actual: abandon().account(),
    };
    let secret = json!({ "secretPhrase": ABANDON, "ss58Address": alice });
    assert_eq!(open_json(secret).unwrap_err(), contradiction);
    let public =
        json!({ "ss58Address": abandon().account(), "publicKey": hex_of(&alice.0) }).to_string();
    assert_eq!(
        decode_account(public.as_bytes()).unwrap_err(),
        contradiction
    );
}

#[test]
fn an_address_of_another_network_is_read() {
    // //Alice with Polkadot's prefix 0.
    let json = json!({ "ss58Address": "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5" });
    assert_eq!(
        decode_account(json.to_string().as_bytes()).unwrap().0,
        Keypair::from_uri("//Alice").unwrap().account()
    );
}

#[test]
fn an_ed25519_key_is_read_and_written_as_the_field_does() {
    // Written by the Python wallet 4.1.1 for //Alice.
    let theirs = json!({
        "publicKey": "0x88dc3417d5058ec4b4503e0c12ea1a0a89be200fe98922423d4334014fa6b0ee",
        "accountId": "0x88dc3417d5058ec4b4503e0c12ea1a0a89be200fe98922423d4334014fa6b0ee",
        "privateKey": "0xabf8e5bdbe30c65656c0a3cbd181ff8a56294a69dfedd27982aace4a76909115",
        "cryptoType": 0,
        "ss58Address": "5FA9nQDVg267DEd8m1ZypXLBnvN7SFxYwV7ndqSYGiN9TTpu",
    });
    let keypair = open_json(theirs.clone()).unwrap();
    assert_eq!(keypair.scheme(), Scheme::Ed25519);
    let ours: Value = serde_json::from_slice(&seal(&keypair, None).unwrap()).unwrap();
    assert_eq!(ours, theirs);
    let public = encode_public(&keypair.account(), Scheme::Ed25519);
    let public: Value = serde_json::from_slice(&public).unwrap();
    assert_eq!(public["cryptoType"], 0);
    // The same secret is of another account in the other scheme.
    let mut mislabelled = theirs;
    mislabelled["cryptoType"] = json!(1);
    assert!(matches!(
        open_json(mislabelled),
        Err(KeyFileError::Malformed(_))
    ));
}

#[test]
fn the_oldest_public_files_hold_a_bare_key() {
    let account = abandon().account();
    let file = format!("{}\n", hex_of(&account.0));
    let expected = Ok((account, Scheme::Sr25519));
    assert_eq!(decode_public(file.as_bytes()), expected);
    // Of a secret file the same digits would be a secret.
    assert!(decode_account(file.as_bytes()).is_err());
    assert!(decode_public(b"0x1234").is_err());
    let spaced = json!({ " ss58Address": account }).to_string();
    assert_eq!(decode_public(spaced.as_bytes()), expected);
}

#[test]
fn damaged_files_are_refused_without_their_secrets() {
    let malformed = [
        String::new(),
        "{".into(),
        "[]".into(),
        format!("{ABANDON:?}"),
        json!({ "secretPhrase": [ABANDON] }).to_string(),
        json!({ "secretPhrase": ABANDON.replace("about", "abuot") }).to_string(),
        json!({ "secretSeed": "0xabandon" }).to_string(),
        json!({ "privateKey": format!("0x{}", "ff".repeat(64)) }).to_string(),
        json!({ "secretSeed": "11".repeat(32), "ss58Address": "abandon" }).to_string(),
        "[".repeat(10_000),
    ];
    for file in malformed {
        let error = open(file.as_bytes(), None).unwrap_err();
        assert!(
            matches!(error, KeyFileError::Malformed(_)),
            "{file}: {error}"
        );
        assert!(!error.to_string().contains("ab"), "{error}");
    }
    assert!(matches!(
        decode_account(b"{}"),
        Err(KeyFileError::Malformed(_))
    ));
}

#[test]
fn a_cut_off_encrypted_file_is_refused_before_the_slow_part() {
    let password = Password::new("bittensor-test".into());
    let file = STANDARD.decode(FOREIGN_FILE).unwrap();
    for length in [5, 6, 29, 44] {
        assert!(matches!(
            open(&file[..length], Some(&password)),
            Err(KeyFileError::Malformed(_))
        ));
    }
}

#[test]
fn a_huge_file_is_refused() {
    let file = vec![b' '; MAX_BYTES + 1];
    assert_eq!(open(&file, None).unwrap_err(), KeyFileError::TooLarge);
    assert_eq!(decode_account(&file), Err(KeyFileError::TooLarge));
}

#[test]
fn weak_passwords_encrypt_nothing() {
    for weak in ["", "12345", "        "] {
        assert_eq!(
            seal(&abandon(), Some(&Password::new(weak.into()))).unwrap_err(),
            KeyFileError::Password(PasswordError::Weak)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_plain_key_file_opens_as_the_key_it_was_made_of(seed: [u8; 32], junction in "[a-z0-9]{1,40}", kind in 0..4) {
        let root = Keypair::from_seed(seed);
        let keypair = match kind {
            0 => root,
            1 => Keypair::from_uri_in(Scheme::Ed25519, &format!("{}//{junction}", hex_of(&seed))).unwrap(),
            2 => Keypair::from_uri(&format!("{}//{junction}", hex_of(&seed))).unwrap(),
            _ => Keypair::from_mnemonic(&Mnemonic::generate([12, 15, 18, 21, 24][usize::from(seed[0]) % 5]).unwrap()),
        };
        let file = seal(&keypair, None).unwrap();
        prop_assert!(file.len() < MAX_BYTES);
        let opened = open(&file, None).unwrap();
        prop_assert_eq!(opened.account(), keypair.account());
        prop_assert_eq!(&opened.private_key()[..32], &keypair.private_key()[..32]);
        prop_assert_eq!(decode_account(&file), Ok((keypair.account(), keypair.scheme())));
        prop_assert_eq!(seal(&opened, None).unwrap(), file);
    }

    #[test]
    fn every_account_comes_back_from_its_public_file(account: [u8; 32]) {
        let account = AccountId(account);
        for scheme in [Scheme::Sr25519, Scheme::Ed25519] {
            let file = encode_public(&account, scheme);
            prop_assert_eq!(decode_public(&file), Ok((account, scheme)));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(file in proptest::collection::vec(any::<u8>(), 0..200), brace: bool) {
        let file = if brace { [b"{", file.as_slice()].concat() } else { file };
        let _ = open(&file, None);
        let _ = decode_account(&file);
        let _ = decode_public(&file);
    }
}

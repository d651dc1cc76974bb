//! `agon wallet` from outside: the real binary, private homes, secrets from files, pipes and the environment.

mod common;

use common::{Place, errors};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

const WORDS: &str =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
const ADDRESS: &str = "5EPCUjPxiHAcNooYipQFWr9NmmXJKpNG5RhcntXwbtUySrgH";
const ED25519_ADDRESS: &str = "5FM25N8HGtacre9TnWQGRK32d1kUp1Gs6Dd7YiYpSPZLjmj6";
const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
const SEED: &str = "0x4ed8d4b17698ddeaa1f1559f152f87b5d472f725ca86d341bd0276f1b61197e2";
const PRIVATE_KEY: &str = "0x2ec306fc1c5bc2f0e3a2c7a6ec6014ca4a0823a7d7d42ad5e9d7f376a1c36c0d14a2ddb1ef1df4adba49f3a4d8c0f6205117907265f09a53ccf07a4e8616dfd8";

/// A file of the vectors that other programs wrote.
fn vector(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("crates/keys/tests/vectors")
        .join(name)
        .to_str()
        .expect("a path of text")
        .to_owned()
}

/// The words of a command.
fn words(command: &str) -> Vec<&str> {
    command.split(' ').collect()
}

/// Run with something on standard input.
fn run_with(place: &Place, command: &str, input: &str) -> Output {
    let mut child = place
        .command(&words(command))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut pipe = child.stdin.take().expect("standard input is piped");
    pipe.write_all(input.as_bytes()).expect("it is read");
    drop(pipe);
    child.wait_with_output().expect("the binary ends")
}

fn said(output: &Output) -> Value {
    assert!(output.status.success(), "{}", errors(output));
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

#[test]
fn wallets_are_made_listed_opened_and_kept() {
    let place = Place::new();
    std::fs::write(place.path("password"), "correct horse\n").unwrap();
    std::fs::write(place.path("wrong"), "battery staple\n").unwrap();
    fn wallet<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
        let at = ["--wallet.path", "wallets", "--wallet.name", "alice"];
        [&["wallet"], arguments, &at].concat()
    }

    let made = place.json(&wallet(&[
        "new-coldkey",
        "--password-file",
        "password",
        "--json",
    ]));
    let words = made["mnemonic"].as_str().unwrap().to_owned();
    assert_eq!(words.split(' ').count(), 12);
    let hot = place.json(&wallet(&["new-hotkey", "--n_words", "24", "--json"]));
    assert_eq!(hot["mnemonic"].as_str().unwrap().split(' ').count(), 24);

    let list = place.json(&["wallet", "list", "--wallet.path", "wallets", "--json"]);
    assert_eq!(list["wallets"][0]["address"], made["address"]);
    assert_eq!(list["wallets"][0]["hotkeys"][0]["address"], hot["address"]);

    // Nothing is replaced unless told so; words bring a key back.
    let said = place.mistake(&wallet(&["new-hotkey"]));
    assert!(said.contains("exists"), "{said}");
    let again = place.json(&wallet(&[
        "regen-coldkey",
        "--mnemonic",
        &words,
        "--no-password",
        "--overwrite",
        "--json",
    ]));
    assert_eq!(again["address"], made["address"]);
    assert!(
        place
            .mistake(&wallet(&["regen-hotkey", "--mnemonic", "one two"]))
            .contains("words")
    );
    assert!(
        place
            .mistake(&wallet(&["regen-hotkey", "--seed", "0x12"]))
            .contains("64 hexadecimal")
    );

    let sealed = [
        "regen-coldkey",
        "--mnemonic",
        &words,
        "--password-file",
        "password",
        "--overwrite",
    ];
    assert!(place.run(&wallet(&sealed)).status.success());
    let said = place.mistake(&wallet(&[
        "sign",
        "--message",
        "hello",
        "--password-file",
        "wrong",
    ]));
    assert!(said.contains("password"), "{said}");
    let signed = place.json(&wallet(&[
        "sign",
        "--message",
        "hello",
        "--password-file",
        "password",
        "--json",
    ]));
    assert_eq!(signed["signature"].as_str().unwrap().len(), 2 + 128);
}

#[test]
fn a_key_comes_back_from_every_form_of_its_secret() {
    let place = Place::new();
    std::fs::write(place.path("password"), "bittensor-test\n").unwrap();
    let regenerate = |hotkey: &str, flags: &[&str]| {
        let command = ["wallet", "regen-hotkey", "--json", "--wallet.hotkey"];
        place.json(&[&command[..], &[hotkey], flags].concat())
    };
    let from = |hotkey: &str, flags: &[&str]| regenerate(hotkey, flags)["address"].clone();
    assert_eq!(from("words", &["--mnemonic", WORDS]), ADDRESS);
    assert_eq!(from("seed", &["--seed", SEED]), ADDRESS);
    assert_eq!(from("key", &["--private-key", PRIVATE_KEY]), ADDRESS);
    let ed25519 = ["--mnemonic", WORDS, "--crypto-type", "ed25519"];
    assert_eq!(from("ed25519", &ed25519), ED25519_ADDRESS);
    let plain = vector("polkadot-plain.json");
    assert_eq!(from("plain", &["--json-file", &plain]), ADDRESS);
    for (name, address) in [("sr25519", ADDRESS), ("ed25519", ED25519_ADDRESS)] {
        let file = vector(&format!("polkadot-{name}.json"));
        let flags = ["--json-file", &file, "--json-password-file", "password"];
        assert_eq!(from(&format!("polkadot-{name}"), &flags), address);
    }

    // Without a value it is read where nobody sees it, in a list of processes or elsewhere.
    for (flag, secret) in [
        ("", WORDS),
        (" --mnemonic", WORDS),
        (" --seed", SEED),
        (" --private-key", PRIVATE_KEY),
        (" --uri", &format!("{SEED}\n")),
    ] {
        let command = format!("wallet regen-hotkey --overwrite --json{flag}");
        let told = said(&run_with(&place, &command, secret));
        assert_eq!(told["address"], ADDRESS, "{flag}");
    }
    let file = vector("polkadot-sr25519.json");
    let command = format!("wallet regen-hotkey --overwrite --json --json-file {file}");
    let told = said(&run_with(&place, &command, "bittensor-test\n"));
    assert_eq!(told["address"], ADDRESS);

    let refused = |flags: &[&str]| place.mistake(&[&["wallet", "regen-hotkey"], flags].concat());
    for (flags, reason) in [
        (&["--private-key", "0x12"][..], "128 hexadecimal"),
        (&["--mnemonic", WORDS, "--seed", SEED], "cannot be used"),
        (&["--json-file", "nowhere"], "nowhere"),
        (&["--json-file", "password"], "not the JSON"),
        (
            &["--json-file", &file, "--json-password-file", "other"],
            "wrong password",
        ),
        (
            &[
                "--json-file",
                &vector("polkadot-ecdsa.json"),
                "--json-password-file",
                "password",
            ],
            "not an sr25519",
        ),
        (&["--json-password-file", "password"], "--json-file"),
        (&["--crypto-type", "ecdsa"], "sr25519 or ed25519"),
        (
            &["--uri", "//Alice/soft", "--crypto-type", "ed25519"],
            "/soft",
        ),
    ] {
        std::fs::write(place.path("other"), "something else\n").unwrap();
        let said = refused(flags);
        assert!(said.contains(reason), "{flags:?}: {said}");
        assert!(!said.contains(SEED) && !said.contains("abandon"), "{said}");
    }
}

#[test]
fn a_legacy_file_is_opened_and_updated() {
    let place = Place::new();
    let coldkey = place.path(".bittensor/wallets/default/coldkey");
    std::fs::create_dir_all(coldkey.parent().unwrap()).unwrap();
    std::fs::copy(vector("ansible"), &coldkey).unwrap();
    std::fs::write(place.path("password"), "bittensor-test\n").unwrap();
    std::fs::write(place.path("wrong"), "something else\n").unwrap();

    let sign = words("wallet sign --message hello --json --password-file password");
    let signed = place.json(&sign);
    assert_eq!(signed["address"], ADDRESS);
    let inspected = place.json(&words("wallet inspect --json"));
    assert_eq!(inspected["coldkey"]["protection"], "Ansible Vault");
    let problems = inspected["coldkey"]["problems"].to_string();
    assert!(problems.contains("update it"), "{problems}");

    let said = place.mistake(&words("wallet update --password-file wrong"));
    assert!(said.contains("wrong password"), "{said}");
    assert_eq!(
        std::fs::read(&coldkey).unwrap(),
        std::fs::read(vector("ansible")).unwrap()
    );
    let updated = place.json(&words("wallet update --json --password-file password"));
    assert_eq!(updated["before"], "Ansible Vault");
    assert_eq!(updated["now"], "$NACL");
    assert_eq!(updated["updated"], true);
    assert_eq!(place.json(&sign)["address"], ADDRESS);
    // Nothing is left to do, and no password is asked for.
    let again = place.json(&words("wallet update --json"));
    assert_eq!(again["updated"], false);
    let said = place.mistake(&words("wallet update --use-hotkey"));
    assert!(said.contains("there is no"), "{said}");
}

#[test]
fn the_environment_gives_passwords_in_their_order() {
    let place = Place::new();
    let wrong = ("BT_WALLET_PASSWORD", "something else");
    let right = ("BT_WALLET_PASSWORD", "bittensor-test");
    std::fs::write(place.path("right"), "bittensor-test\n").unwrap();
    std::fs::write(place.path("wrong"), "something else\n").unwrap();
    // A vault, because it opens at once; from a root whose variable's value is known.
    let coldkey = place.path("wallets/default/coldkey");
    std::fs::create_dir_all(coldkey.parent().unwrap()).unwrap();
    std::fs::copy(vector("ansible"), &coldkey).unwrap();
    let sign = "wallet sign --message hello --json --wallet.path wallets";
    let run = |command: &str, environment: &[(&str, &str)]| {
        let mut command = place.command(&words(command));
        command.envs(environment.iter().copied()).output().unwrap()
    };
    let opens = |command: &str, environment: &[(&str, &str)]| {
        let output = run(command, environment);
        let said = errors(&output);
        match output.status.code() {
            Some(0) => true,
            Some(2) if said.contains("wrong password") => false,
            status => panic!("{status:?}: {said}"),
        }
    };
    // The passwords above as the Python wallet 4.1.1 saves them for this path.
    let name = "BT_PW_WALLETS_DEFAULT_COLDKEY";
    let saved_right = (name, "ID0rJDIxJC4+YTExICs=");
    let saved_wrong = (name, "MTsyNSM3Pi8rbCA4IDo=");
    let file_right = ("BT_WALLET_PASSWORD_FILE", "right");
    let file_wrong = ("BT_WALLET_PASSWORD_FILE", "wrong");
    for environment in [
        &[right][..],
        &[saved_right],
        &[file_right],
        &[right, saved_wrong, file_wrong],
        &[saved_right, file_wrong],
        &[("BT_WALLET_PASSWORD", ""), saved_right],
    ] {
        assert!(opens(sign, environment), "{environment:?}");
    }
    for environment in [
        &[wrong][..],
        &[saved_wrong],
        &[file_wrong],
        &[wrong, saved_right, file_right],
        &[saved_wrong, file_right],
    ] {
        assert!(!opens(sign, environment), "{environment:?}");
    }
    let explicit = format!("{sign} --password-file right");
    assert!(opens(&explicit, &[wrong, saved_wrong, file_wrong]));
    let output = run(sign, &[(name, "no base64!")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains(name), "{}", errors(&output));
}

#[test]
fn a_hotkey_is_encrypted_when_asked() {
    let place = Place::new();
    let make = "wallet new-hotkey --use-password --json";
    let said = place.mistake(&words(make));
    assert!(said.contains("needs a password"), "{said}");
    let made = place
        .command(&words(make))
        .env("BT_WALLET_PASSWORD", "bittensor-test")
        .output()
        .unwrap();
    let made = self::said(&made);
    let inspected = place.json(&words("wallet inspect --json"));
    let hotkey = &inspected["hotkeys"][0];
    assert_eq!(hotkey["protection"], "$NACL");
    assert_eq!(hotkey["address"], made["address"]);
    let sign = "wallet sign --use-hotkey --message hello --json";
    let signed = run_with(&place, sign, "bittensor-test\n");
    assert_eq!(self::said(&signed)["address"], made["address"]);
    // The environment alone encrypts no hotkey.
    let plain = place
        .command(&words("wallet new-hotkey --wallet.hotkey plain --json"))
        .env("BT_WALLET_PASSWORD", "bittensor-test")
        .output()
        .unwrap();
    self::said(&plain);
    let inspected = place.json(&words("wallet inspect --json"));
    assert_eq!(inspected["hotkeys"][1]["protection"], "plain text");
}

#[test]
fn signatures_are_checked() {
    let place = Place::new();
    for scheme in ["sr25519", "ed25519"] {
        let make =
            format!("wallet regen-hotkey --overwrite --uri //Alice --crypto-type {scheme} --json");
        let address = place.json(&words(&make))["address"].clone();
        let address = address.as_str().unwrap();
        let signed = place.json(&words("wallet sign --use-hotkey --message hello --json"));
        let signature = signed["signature"].as_str().unwrap();
        let verify = format!("wallet verify --json --ss58 {address} --signature {signature}");
        let told = place.json(&words(&format!("{verify} --message hello")));
        assert_eq!(told["valid"], true);
        let output = place.run(&words(&format!("{verify} --message hallo")));
        assert_eq!(output.status.code(), Some(2));
        assert!(
            errors(&output).contains("did not sign"),
            "{}",
            errors(&output)
        );
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["valid"], false);
    }
    // Made by a browser extension's rule over <Bytes>hello</Bytes>, checked with an address of another network.
    let wrapped = [
        "wallet",
        "sign",
        "--use-hotkey",
        "--json",
        "--message",
        "<Bytes>hello</Bytes>",
    ];
    let make = "wallet regen-hotkey --overwrite --uri //Alice --json";
    assert_eq!(place.json(&words(make))["address"], ALICE);
    let signed = place.json(&wrapped);
    let signature = signed["signature"].as_str().unwrap();
    let polkadot = "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5";
    let verify = format!("wallet verify --message hello --signature {signature}");
    let told = place.json(&words(&format!("{verify} --ss58 {polkadot} --json")));
    assert_eq!(told["address"], ALICE);
    let key = "0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";
    assert!(
        place
            .run(&words(&format!("{verify} --public-key-hex {key}")))
            .status
            .success()
    );
    for mistake in [
        "wallet verify --message hello --signature 0x12 --ss58 5Grw",
        "wallet verify --message hello --signature 0x12",
        &format!("wallet verify --message hello --signature 0x12 --ss58 {ALICE}"),
        &format!("wallet verify --message hello --signature {signature} --public-key-hex 0x12"),
    ] {
        place.mistake(&words(mistake));
    }
}

#[test]
fn a_key_that_is_kept_elsewhere_has_its_public_file() {
    let place = Place::new();
    let told = place.json(&words(&format!(
        "wallet regen-coldkeypub --ss58 {ALICE} --json"
    )));
    assert_eq!(told["address"], ALICE);
    let key = "0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";
    let again = format!("wallet regen-hotkeypub --public-key-hex {key} --json");
    assert_eq!(place.json(&words(&again))["address"], ALICE);
    let inspected = place.json(&words("wallet inspect --json"));
    assert_eq!(inspected["coldkey"]["address"], ALICE);
    assert_eq!(inspected["coldkey"]["protection"], Value::Null);
    assert_eq!(inspected["coldkey"]["problems"], serde_json::json!([]));
    assert_eq!(inspected["hotkeys"][0]["address"], ALICE);

    let other = format!("wallet regen-coldkeypub --ss58 {ADDRESS}");
    assert!(place.mistake(&words(&other)).contains("exists"));
    assert!(
        place
            .run(&words(&format!("{other} --overwrite")))
            .status
            .success()
    );
    let inspected = place.run(&words("wallet inspect"));
    let told = String::from_utf8(inspected.stdout).unwrap();
    assert!(
        told.contains(&format!("coldkey  {ADDRESS}  (sr25519, kept elsewhere)")),
        "{told}"
    );
    assert!(
        place
            .mistake(&words("wallet regen-coldkeypub"))
            .contains("--ss58")
    );
    let said = place.mistake(&words("wallet inspect --wallet.name nobody"));
    assert!(said.contains("nobody"), "{said}");
}

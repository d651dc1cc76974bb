//! Wallets on disk, from outside: layout, modes, what is kept, what is refused.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use agon_keys::keyfile::{self, KeyFileError, Protection};
use agon_keys::wallet::{self, Keeping, Part, Problem, WalletError};
use agon_keys::{Keypair, Mnemonic, Password, Scheme, Wallet, verify};
use proptest::prelude::*;

const PLAIN: Keeping<'_> = Keeping {
    password: None,
    overwrite: false,
};
const REPLACE: Keeping<'_> = Keeping {
    password: None,
    overwrite: true,
};

fn home() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn wallet(home: &tempfile::TempDir) -> Wallet {
    Wallet::new(home.path().join("wallets"), "alpha", "one").unwrap()
}

fn alice() -> Keypair {
    Keypair::from_uri("//Alice").unwrap()
}

fn bob() -> Keypair {
    Keypair::from_uri("//Bob").unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn new_keys_lie_where_other_wallets_look_and_nobody_else_can_read_them() {
    let home = home();
    let wallet = wallet(&home);
    let cold = wallet
        .create_coldkey(Mnemonic::DEFAULT_WORDS, PLAIN)
        .unwrap();
    let hot = wallet.create_hotkey(24, PLAIN).unwrap();

    let root = home.path().join("wallets");
    assert_eq!(names(&root), ["alpha"]);
    assert_eq!(
        names(&root.join("alpha")),
        ["coldkey", "coldkeypub.txt", "hotkeys"]
    );
    assert_eq!(names(&root.join("alpha/hotkeys")), ["one", "onepub.txt"]);
    for directory in ["", "alpha", "alpha/hotkeys"] {
        assert_eq!(mode(&root.join(directory)), 0o700, "{directory}");
    }
    for file in [
        wallet.coldkey_path(),
        wallet.coldkey_public_path(),
        wallet.hotkey_path(),
        wallet.hotkey_public_path(),
    ] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }

    assert_eq!(cold.phrase().split(' ').count(), 12);
    assert_eq!(hot.phrase().split(' ').count(), 24);
    let cold = Keypair::from_mnemonic(&cold).account();
    assert_eq!(wallet.coldkey_account().unwrap(), cold);
    assert_eq!(wallet.open_coldkey(None).unwrap().account(), cold);
    let hot = Keypair::from_mnemonic(&hot).account();
    assert_eq!(wallet.hotkey_account().unwrap(), hot);
    let signature = wallet.open_hotkey(None).unwrap().sign(b"message");
    assert!(verify(&hot, b"message", &signature));
}

/// One of the three tests that pay for the full Argon2.
#[test]
fn an_encrypted_coldkey_opens_with_its_password_only() {
    let home = home();
    let wallet = wallet(&home);
    let password = Password::new("correct horse".into());
    let keeping = Keeping {
        password: Some(&password),
        overwrite: false,
    };
    let mnemonic = wallet.create_coldkey(12, keeping).unwrap();
    let account = Keypair::from_mnemonic(&mnemonic).account();

    let file = fs::read(wallet.coldkey_path()).unwrap();
    assert!(file.starts_with(b"$NACL"));
    let written = String::from_utf8_lossy(&file);
    assert!(!written.contains(mnemonic.phrase().as_str()));
    assert_eq!(wallet.coldkey_protection().unwrap(), Protection::Nacl);
    assert_eq!(wallet.coldkey_account().unwrap(), account);

    let error = wallet.open_coldkey(None).unwrap_err();
    assert!(error.to_string().contains("password is needed"), "{error}");
    let wrong = Password::new("battery staple".into());
    let error = wallet.open_coldkey(Some(&wrong)).unwrap_err();
    assert!(error.to_string().contains("wrong password"), "{error}");
    assert!(matches!(
        error,
        WalletError::KeyFile { error: KeyFileError::WrongPassword, path } if path == wallet.coldkey_path()
    ));
    let opened = wallet.open_coldkey(Some(&password)).unwrap();
    assert_eq!(opened.account(), account);
}

#[test]
fn a_weak_password_leaves_no_file_behind() {
    let home = home();
    let wallet = wallet(&home);
    let password = Password::new("short".into());
    let keeping = Keeping {
        password: Some(&password),
        overwrite: false,
    };
    let error = wallet.create_coldkey(12, keeping).unwrap_err();
    assert!(error.to_string().contains("at least 6"), "{error}");
    assert!(names(home.path()).is_empty());
}

#[test]
fn a_key_is_replaced_only_when_told_so() {
    let home = home();
    let wallet = wallet(&home);
    wallet.regenerate_coldkey(&alice(), PLAIN).unwrap();
    wallet.regenerate_hotkey(&alice(), PLAIN).unwrap();
    let before = fs::read(wallet.coldkey_path()).unwrap();

    let exists = |error| matches!(error, WalletError::Exists(_));
    assert!(exists(wallet.create_coldkey(12, PLAIN).unwrap_err()));
    assert!(exists(wallet.create_hotkey(12, PLAIN).unwrap_err()));
    assert!(exists(
        wallet.regenerate_coldkey(&bob(), PLAIN).unwrap_err()
    ));
    assert!(exists(wallet.regenerate_hotkey(&bob(), PLAIN).unwrap_err()));
    assert_eq!(fs::read(wallet.coldkey_path()).unwrap(), before);
    assert_eq!(wallet.coldkey_account().unwrap(), alice().account());
    assert_eq!(wallet.hotkey_account().unwrap(), alice().account());

    wallet.regenerate_coldkey(&bob(), REPLACE).unwrap();
    assert_eq!(wallet.coldkey_account().unwrap(), bob().account());
    assert_eq!(
        wallet.open_coldkey(None).unwrap().account(),
        bob().account()
    );
    assert_eq!(mode(&wallet.coldkey_path()), 0o600);
}

#[test]
fn of_many_that_create_one_key_at_once_one_wins() {
    let home = home();
    let wallet = wallet(&home);
    let made: Vec<Mnemonic> = std::thread::scope(|scope| {
        let makers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| wallet.create_hotkey(12, PLAIN)))
            .collect();
        makers
            .into_iter()
            .filter_map(|maker| maker.join().unwrap().ok())
            .collect()
    });
    assert_eq!(made.len(), 1);
    let account = Keypair::from_mnemonic(&made[0]).account();
    assert_eq!(wallet.open_hotkey(None).unwrap().account(), account);
    assert_eq!(wallet.hotkey_account().unwrap(), account);
}

/// Opens Argon2 twice; the legacy format itself is fast.
#[test]
fn a_legacy_file_is_rewritten_and_only_with_its_password() {
    let home = home();
    let wallet = wallet(&home);
    let legacy = include_bytes!("vectors/ansible");
    fs::create_dir_all(wallet.coldkey_path().parent().unwrap()).unwrap();
    fs::write(wallet.coldkey_path(), legacy).unwrap();
    let right = Password::new("bittensor-test".into());
    let wrong = Password::new("something else".into());
    let weak = Password::new("12345".into());

    for (password, new_password) in [(&wrong, &right), (&right, &weak)] {
        let error = wallet.update(Part::Coldkey, password, new_password);
        assert!(matches!(error, Err(WalletError::KeyFile { .. })));
        assert_eq!(fs::read(wallet.coldkey_path()).unwrap(), legacy);
    }
    let updated = wallet.update(Part::Coldkey, &right, &right).unwrap();
    assert_eq!(updated, Protection::AnsibleVault);
    assert_eq!(wallet.coldkey_protection().unwrap(), Protection::Nacl);
    assert_eq!(mode(&wallet.coldkey_path()), 0o600);
    assert_eq!(names(wallet.coldkey_path().parent().unwrap()), ["coldkey"]);
    let opened = wallet.open_coldkey(Some(&right)).unwrap();
    assert_eq!(
        opened.account().to_string(),
        "5EPCUjPxiHAcNooYipQFWr9NmmXJKpNG5RhcntXwbtUySrgH"
    );
    // Nothing is left to do, and no password is tried.
    let again = wallet.update(Part::Coldkey, &wrong, &wrong).unwrap();
    assert_eq!(again, Protection::Nacl);
    assert!(matches!(
        wallet.update(Part::Hotkey, &right, &right),
        Err(WalletError::Missing(_))
    ));
}

#[test]
fn a_public_file_is_written_from_an_address() {
    let home = home();
    let wallet = wallet(&home);
    let write = |account, overwrite| {
        wallet.regenerate_public(Part::Coldkey, account, Scheme::Sr25519, overwrite)
    };
    write(alice().account(), false).unwrap();
    assert_eq!(wallet.coldkey_account().unwrap(), alice().account());
    assert_eq!(mode(&wallet.coldkey_public_path()), 0o600);
    write(alice().account(), false).unwrap();
    assert!(matches!(
        write(bob().account(), false),
        Err(WalletError::Exists(path)) if path == wallet.coldkey_public_path()
    ));
    write(bob().account(), true).unwrap();
    assert_eq!(wallet.coldkey_account().unwrap(), bob().account());

    // Never the address of another key beside a key.
    wallet.regenerate_hotkey(&alice(), PLAIN).unwrap();
    assert!(matches!(
        wallet.regenerate_public(Part::Hotkey, bob().account(), Scheme::Sr25519, true),
        Err(WalletError::Mismatch { actual, .. }) if actual == alice().account()
    ));
    fs::remove_file(wallet.hotkey_public_path()).unwrap();
    wallet
        .regenerate_public(Part::Hotkey, alice().account(), Scheme::Sr25519, false)
        .unwrap();
    assert!(wallet.open_hotkey(None).is_ok());
}

#[test]
fn an_ed25519_key_is_kept_and_opened() {
    let home = home();
    let wallet = wallet(&home);
    let key = Keypair::from_uri_in(Scheme::Ed25519, "//Alice").unwrap();
    wallet.regenerate_hotkey(&key, PLAIN).unwrap();
    let opened = wallet.open_hotkey(None).unwrap();
    assert_eq!(opened.scheme(), Scheme::Ed25519);
    let signature = opened.sign(b"message");
    assert!(verify(
        &wallet.hotkey_account().unwrap(),
        b"message",
        &signature
    ));
    let inspection = wallet.inspect().unwrap();
    assert_eq!(inspection.hotkeys[0].1.scheme, Some(Scheme::Ed25519));
}

#[test]
fn an_inspection_tells_what_is_wrong_and_opens_nothing() {
    let home = home();
    let wallet = wallet(&home);
    assert!(matches!(wallet.inspect(), Err(WalletError::Missing(_))));
    wallet.regenerate_coldkey(&alice(), PLAIN).unwrap();
    wallet.regenerate_hotkey(&bob(), PLAIN).unwrap();
    let hotkey = |name: &str| Wallet::new(home.path().join("wallets"), "alpha", name).unwrap();
    hotkey("bare").regenerate_hotkey(&bob(), PLAIN).unwrap();
    fs::remove_file(hotkey("bare").hotkey_public_path()).unwrap();
    fs::write(hotkey("broken").hotkey_path(), "{").unwrap();
    hotkey("exchanged")
        .regenerate_hotkey(&bob(), PLAIN)
        .unwrap();
    fs::copy(
        wallet.coldkey_public_path(),
        hotkey("exchanged").hotkey_public_path(),
    )
    .unwrap();
    fs::write(
        hotkey("old").hotkey_path(),
        include_bytes!("vectors/fernet"),
    )
    .unwrap();
    hotkey("shared").regenerate_hotkey(&bob(), PLAIN).unwrap();
    for (path, mode) in [
        (hotkey("shared").hotkey_path(), 0o644),
        (hotkey("shared").hotkey_public_path(), 0o664),
    ] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    for name in ["broken", "old"] {
        let path = hotkey(name).hotkey_path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    // An address whose key is elsewhere is in order.
    hotkey("watched").regenerate_hotkey(&bob(), PLAIN).unwrap();
    fs::remove_file(hotkey("watched").hotkey_path()).unwrap();

    let inspection = wallet.inspect().unwrap();
    assert!(inspection.problems.is_empty());
    let coldkey = &inspection.coldkey;
    assert_eq!(coldkey.path, wallet.coldkey_path());
    assert_eq!(coldkey.account, Some(alice().account()));
    assert_eq!(coldkey.scheme, Some(Scheme::Sr25519));
    assert_eq!(coldkey.protection, Some(Protection::Plain));
    assert!(matches!(coldkey.problems[..], [Problem::PlainColdkey(_)]));

    let names: Vec<_> = inspection.hotkeys.iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "bare",
            "broken",
            "exchanged",
            "old",
            "one",
            "shared",
            "watched"
        ]
    );
    let keys: Vec<_> = inspection.hotkeys.iter().map(|(_, key)| key).collect();
    let [bare, broken, exchanged, old, one, shared, watched] = keys[..] else {
        unreachable!("seven were named");
    };
    assert_eq!(bare.account, Some(bob().account()));
    assert!(matches!(bare.problems[..], [Problem::NoPublicFile(_)]));
    assert_eq!(broken.account, None);
    assert!(matches!(
        broken.problems[..],
        [
            Problem::NoPublicFile(_),
            Problem::Wallet(WalletError::KeyFile { .. })
        ]
    ));
    assert!(matches!(
        exchanged.problems[..],
        [Problem::Wallet(WalletError::Mismatch { .. })]
    ));
    assert_eq!(old.protection, Some(Protection::Fernet));
    assert!(matches!(
        old.problems[..],
        [Problem::NoPublicFile(_), Problem::Legacy { .. }]
    ));
    assert!(one.problems.is_empty());
    assert!(matches!(
        shared.problems[..],
        [
            Problem::OpenToOthers { mode: 0o644, .. },
            Problem::OpenToOthers { mode: 0o664, .. }
        ]
    ));
    assert_eq!(watched.account, Some(bob().account()));
    assert_eq!(watched.protection, None);
    assert!(watched.problems.is_empty());
}

#[test]
fn a_coldkey_kept_elsewhere_has_an_address_and_can_come_home() {
    let home = home();
    let wallet = wallet(&home);
    fs::create_dir_all(wallet.coldkey_path().parent().unwrap()).unwrap();
    fs::write(
        wallet.coldkey_public_path(),
        keyfile::encode_public(&alice().account(), Scheme::Sr25519),
    )
    .unwrap();
    assert_eq!(wallet.coldkey_account().unwrap(), alice().account());
    assert!(matches!(
        wallet.open_coldkey(None).unwrap_err(),
        WalletError::Missing(path) if path == wallet.coldkey_path()
    ));
    // Its name is taken, but not for itself.
    assert!(matches!(
        wallet.create_coldkey(12, PLAIN).unwrap_err(),
        WalletError::Exists(path) if path == wallet.coldkey_public_path()
    ));
    wallet.regenerate_coldkey(&alice(), PLAIN).unwrap();
    assert_eq!(
        wallet.open_coldkey(None).unwrap().account(),
        alice().account()
    );
}

#[test]
fn the_coldkeys_address_never_needs_the_coldkey() {
    let home = home();
    let wallet = wallet(&home);
    wallet.regenerate_coldkey(&alice(), PLAIN).unwrap();
    fs::remove_file(wallet.coldkey_path()).unwrap();
    fs::create_dir(wallet.coldkey_path()).unwrap();
    assert_eq!(wallet.coldkey_account().unwrap(), alice().account());
    // And the coldkey never stands in for its public file.
    let other = Wallet::new(home.path(), "other", "one").unwrap();
    other.regenerate_coldkey(&alice(), PLAIN).unwrap();
    fs::remove_file(other.coldkey_public_path()).unwrap();
    assert!(matches!(
        other.coldkey_account().unwrap_err(),
        WalletError::Missing(path) if path == other.coldkey_public_path()
    ));
}

#[test]
fn a_plain_hotkey_without_a_public_file_has_an_address() {
    let home = home();
    let wallet = wallet(&home);
    wallet.regenerate_hotkey(&alice(), PLAIN).unwrap();
    fs::remove_file(wallet.hotkey_public_path()).unwrap();
    assert_eq!(wallet.hotkey_account().unwrap(), alice().account());
}

#[test]
fn an_exchanged_public_file_is_noticed() {
    let home = home();
    let wallet = wallet(&home);
    wallet.regenerate_coldkey(&alice(), PLAIN).unwrap();
    fs::write(
        wallet.coldkey_public_path(),
        keyfile::encode_public(&bob().account(), Scheme::Sr25519),
    )
    .unwrap();
    assert!(matches!(
        wallet.open_coldkey(None).unwrap_err(),
        WalletError::Mismatch { stated, .. } if stated == bob().account()
    ));
}

#[test]
fn huge_and_strange_files_are_refused() {
    let home = home();
    let wallet = wallet(&home);
    wallet.regenerate_hotkey(&alice(), PLAIN).unwrap();
    // Sparse: nobody could read it whole.
    let huge = File::create(wallet.hotkey_path()).unwrap();
    huge.set_len(1 << 40).unwrap();
    assert!(matches!(
        wallet.open_hotkey(None).unwrap_err(),
        WalletError::KeyFile {
            error: KeyFileError::TooLarge,
            ..
        }
    ));
    // An endless device behind a link.
    fs::remove_file(wallet.hotkey_path()).unwrap();
    symlink("/dev/zero", wallet.hotkey_path()).unwrap();
    let error = wallet.open_hotkey(None).unwrap_err();
    assert!(error.to_string().contains("not a regular file"), "{error}");
}

#[test]
fn a_failed_write_keeps_the_old_key_and_leaves_no_rubbish() {
    let home = home();
    let wallet = wallet(&home);
    wallet.regenerate_hotkey(&alice(), PLAIN).unwrap();
    // No file can be renamed over a directory.
    let blocked = Wallet::new(home.path().join("wallets"), "alpha", "two").unwrap();
    fs::create_dir(blocked.hotkey_path()).unwrap();
    assert!(blocked.regenerate_hotkey(&bob(), REPLACE).is_err());
    assert_eq!(
        names(wallet.hotkey_path().parent().unwrap()),
        ["one", "onepub.txt", "two"]
    );
}

#[test]
fn hostile_names_touch_nothing() {
    let long = "a".repeat(129);
    for name in [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "/etc",
        "a\\b",
        ".hidden",
        "a\0b",
        "a\nb",
        "onepub.txt",
        &long,
    ] {
        for (wallet, hotkey) in [(name, "one"), ("alpha", name)] {
            let error = Wallet::new("/nowhere", wallet, hotkey).unwrap_err();
            assert!(matches!(error, WalletError::Name { .. }), "{error}");
            assert!(!error.to_string().contains(['\0', '\n']), "{error}");
        }
    }
    for name in ["default", "a..b", "-x", "My wallet", "кошелёк"] {
        assert!(Wallet::new("/nowhere", name, name).is_ok(), "{name}");
    }
}

proptest! {
    #[test]
    fn every_accepted_name_stays_in_its_directory(name in "[a./\\\\ \\x00-\\x20]{0,8}|.{0,20}") {
        if let Ok(wallet) = Wallet::new("/root", &name, &name) {
            let path = wallet.hotkey_path();
            prop_assert_eq!(path.components().count(), 5);
            prop_assert_eq!(path.file_name().unwrap().to_str().unwrap(), name.as_str());
            prop_assert_eq!(path.parent().unwrap().file_name().unwrap(), "hotkeys");
        }
    }
}

#[test]
fn a_list_shows_what_there_is_and_what_is_wrong() {
    let home = home();
    let root = home.path();
    assert!(wallet::list(&root.join("absent")).unwrap().is_empty());

    let whole = Wallet::new(root, "whole", "one").unwrap();
    whole.regenerate_coldkey(&alice(), PLAIN).unwrap();
    whole.regenerate_hotkey(&bob(), PLAIN).unwrap();
    let cold = Wallet::new(root, "cold", "watched").unwrap();
    cold.regenerate_hotkey(&bob(), PLAIN).unwrap();
    fs::remove_file(cold.hotkey_path()).unwrap();
    fs::write(
        cold.coldkey_public_path(),
        keyfile::encode_public(&alice().account(), Scheme::Sr25519),
    )
    .unwrap();
    let broken = Wallet::new(root, "broken", "bad").unwrap();
    broken.regenerate_hotkey(&bob(), PLAIN).unwrap();
    fs::write(broken.coldkey_path(), "$NACL and then nothing").unwrap();
    fs::write(broken.coldkey_public_path(), "not json").unwrap();
    fs::write(broken.hotkey_public_path(), "{}").unwrap();
    fs::write(root.join("broken/hotkeys/.tmp123"), "an unfinished write").unwrap();
    fs::create_dir(root.join("empty")).unwrap();
    fs::create_dir(root.join("odd\nname")).unwrap();
    fs::write(root.join("a file"), "").unwrap();

    let entries = wallet::list(root).unwrap();
    let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["broken", "cold", "empty", "odd\nname", "whole"]);
    let [broken, cold, empty, odd, whole] = entries.try_into().unwrap();

    assert_eq!(broken.account, None);
    assert_eq!(broken.coldkey, Some(Protection::Nacl));
    assert_eq!(broken.problems.len(), 1);
    assert!(broken.problems[0].to_string().contains("coldkeypub.txt"));
    assert_eq!(broken.hotkeys.len(), 1);
    assert_eq!(broken.hotkeys[0].name, "bad");
    assert!(broken.hotkeys[0].account.is_err());

    assert_eq!(cold.account, Some(alice().account()));
    assert_eq!(cold.coldkey, None);
    assert!(cold.problems.is_empty());
    assert_eq!(cold.hotkeys[0].name, "watched");
    assert_eq!(*cold.hotkeys[0].account.as_ref().unwrap(), bob().account());

    assert!(empty.account.is_none() && empty.hotkeys.is_empty() && empty.problems.is_empty());
    assert!(matches!(odd.problems[..], [WalletError::Name { .. }]));

    assert_eq!(whole.account, Some(alice().account()));
    assert_eq!(whole.coldkey, Some(Protection::Plain));
    assert_eq!(whole.hotkeys.len(), 1);
    assert_eq!(*whole.hotkeys[0].account.as_ref().unwrap(), bob().account());

    let not_a_directory = wallet::list(&root.join("a file")).unwrap_err();
    assert!(matches!(not_a_directory, WalletError::Io { .. }));
}

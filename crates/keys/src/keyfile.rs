//! The bytes of a key file: its JSON, and its encryption under a password.
//!
//! A key file is a JSON object, as it is or encrypted as `$NACL`: NaCl's secretbox (XSalsa20-Poly1305) under a key that
//! Argon2i derives from the password with constants and a salt that every wallet of the field shares.

use std::fmt::{self, Write};

use argon2::{Algorithm, Argon2, Params, Version};
use crypto_secretbox::aead::AeadInPlace;
use crypto_secretbox::{KeyInit, Nonce, Tag, XSalsa20Poly1305};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{AccountId, Keypair};

/// The largest key file that is read. A written one has less than two kilobytes.
pub const MAX_BYTES: usize = 16 * 1024;

/// The fewest characters of a password that encrypts a key.
pub const MIN_PASSWORD_CHARACTERS: usize = 6;

const NACL_MARK: &[u8] = b"$NACL";
const ANSIBLE_VAULT_MARK: &[u8] = b"$ANSIBLE_VAULT";
const FERNET_MARK: &[u8] = b"gAAAAA";
/// As many bytes as [`Protection::of`] looks at.
pub(crate) const LONGEST_MARK: usize = ANSIBLE_VAULT_MARK.len();

const NONCE_LENGTH: usize = XSalsa20Poly1305::NONCE_SIZE;
const TAG_LENGTH: usize = XSalsa20Poly1305::TAG_SIZE;

/// libsodium's "sensitive" limits for `crypto_pwhash` and the constant salt of the field's wallets: 512 MiB, 8 passes.
const ARGON2_KIBIBYTES: u32 = 512 * 1024;
const ARGON2_PASSES: u32 = 8;
const ARGON2_LANES: u32 = 1;
const ARGON2_SALT: [u8; 16] = [
    0x13, 0x71, 0x83, 0xdf, 0xf1, 0x5a, 0x09, 0xbc, 0x9c, 0x90, 0xb5, 0x51, 0x87, 0x39, 0xe9, 0xb1,
];

/// sr25519 in the field `cryptoType`. It is never written, because wallets before 4.1 refuse a number in the file.
const SR25519: i64 = 1;

/// A password: erased when dropped, never printed.
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes a password as it was typed.
    pub fn new(password: String) -> Self {
        Self(Zeroizing::new(password))
    }

    /// Whether this password may encrypt a new file: [`MIN_PASSWORD_CHARACTERS`] or more, not all of them blank.
    ///
    /// [`seal`] asks the same; call this to refuse before a person types the password a second time.
    pub fn check_policy(&self) -> Result<(), KeyFileError> {
        if self.0.chars().count() < MIN_PASSWORD_CHARACTERS || self.0.trim().is_empty() {
            return Err(KeyFileError::WeakPassword);
        }
        Ok(())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(..)")
    }
}

/// How a key file is protected, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Not encrypted: the JSON itself.
    Plain,
    /// `$NACL`, the format that is read and written here.
    Nacl,
    /// `$ANSIBLE_VAULT`, of wallets before version 2; not opened here.
    AnsibleVault,
    /// `gAAAAA`, a Fernet token of the oldest wallets; not opened here.
    Fernet,
}

impl Protection {
    /// Tells the protection of a file from its bytes or the first of them.
    pub fn of(file: &[u8]) -> Self {
        if file.starts_with(NACL_MARK) {
            Self::Nacl
        } else if file.starts_with(ANSIBLE_VAULT_MARK) {
            Self::AnsibleVault
        } else if file.starts_with(FERNET_MARK) {
            Self::Fernet
        } else {
            Self::Plain
        }
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Plain => "plain text",
            Self::Nacl => "$NACL",
            Self::AnsibleVault => "Ansible Vault",
            Self::Fernet => "Fernet",
        })
    }
}

/// Why the bytes of a key file give no key or account, or cannot be made. No message repeats a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyFileError {
    /// More than [`MAX_BYTES`].
    #[error("this is no key file: it has more than {MAX_BYTES} bytes")]
    TooLarge,
    /// Neither JSON nor an encrypted file, or cut off.
    #[error("this is no key file, or it is damaged: {0}")]
    Malformed(String),
    /// Encrypted, and no password was given.
    #[error("the key is encrypted: a password is needed")]
    PasswordNeeded,
    /// The password does not open the file.
    #[error("wrong password (or the file was changed): the key cannot be decrypted")]
    WrongPassword,
    /// A new password that is too short or blank.
    #[error(
        "the password is too weak: use at least {MIN_PASSWORD_CHARACTERS} characters, not only spaces"
    )]
    WeakPassword,
    /// An encryption that this crate does not open.
    #[error(
        "the key is encrypted in the old {0} format, which is not supported: rewrite the file with the wallet that made it, or regenerate the key from its mnemonic"
    )]
    LegacyFormat(Protection),
    /// Not an sr25519 key; the number is that of `cryptoType`.
    #[error(
        "the key is not sr25519 (cryptoType {0}; 0 is ed25519): only sr25519 keys are supported"
    )]
    CryptoType(i64),
    /// A file that holds only an address.
    #[error("the file holds only an address and no secret: it cannot sign")]
    NoSecret,
    /// The address or public key in the file is not the one of its secret, or they differ among themselves.
    #[error(
        "the file contradicts itself: it names the account {stated}, but its key is of {actual}"
    )]
    Contradiction {
        /// What the file says.
        stated: AccountId,
        /// What its secret, or its address, gives.
        actual: AccountId,
    },
    /// Argon2 could not run.
    #[error("the password cannot be turned into a key, which takes 512 MiB of memory: {0}")]
    Derivation(argon2::Error),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    NoRandomness(getrandom::Error),
}

/// Opens the bytes of a key file. The password is used only where the file is encrypted.
///
/// Takes a second and 512 MiB where it is.
pub fn open(file: &[u8], password: Option<&Password>) -> Result<Keypair, KeyFileError> {
    if file.len() > MAX_BYTES {
        return Err(KeyFileError::TooLarge);
    }
    match Protection::of(file) {
        Protection::Plain => Fields::parse(file)?.keypair(),
        Protection::Nacl => {
            let password = password.ok_or(KeyFileError::PasswordNeeded)?;
            Fields::parse(&decrypt(file, password)?)?.keypair()
        }
        legacy => Err(KeyFileError::LegacyFormat(legacy)),
    }
}

/// Makes the bytes of a key file: encrypted under a password, or plain text without one.
pub fn seal(
    keypair: &Keypair,
    password: Option<&Password>,
) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let json = Fields::of_keypair(keypair).to_json();
    match password {
        Some(password) => encrypt(json, password),
        None => Ok(json),
    }
}

/// Reads the account of a file that is not encrypted: of a public file, or of a secret one without using its secret.
pub fn decode_account(file: &[u8]) -> Result<AccountId, KeyFileError> {
    if file.len() > MAX_BYTES {
        return Err(KeyFileError::TooLarge);
    }
    match Protection::of(file) {
        Protection::Plain => {
            let fields = Fields::parse(file)?;
            let stated = fields.stated_accounts()?;
            let account = *stated.first().ok_or_else(|| {
                KeyFileError::Malformed("it has no ss58Address, publicKey or accountId".into())
            })?;
            agree(&stated, account)?;
            Ok(account)
        }
        Protection::Nacl => Err(KeyFileError::PasswordNeeded),
        legacy => Err(KeyFileError::LegacyFormat(legacy)),
    }
}

/// Makes the bytes of the public file of an account.
pub fn encode_account(account: &AccountId) -> Vec<u8> {
    Fields::of_account(account).to_json().to_vec()
}

/// The JSON object of a key file. Unknown fields are ignored, null is the same as absent.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "camelCase")]
struct Fields {
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_phrase: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_seed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ss58_address: Option<String>,
    #[serde(skip_serializing)]
    crypto_type: Option<i64>,
}

impl Fields {
    fn of_account(account: &AccountId) -> Self {
        Self {
            account_id: Some(to_hex(&account.0)),
            public_key: Some(to_hex(&account.0)),
            private_key: None,
            secret_phrase: None,
            secret_seed: None,
            ss58_address: Some(account.to_string()),
            crypto_type: None,
        }
    }

    fn of_keypair(keypair: &Keypair) -> Self {
        let mut fields = Self::of_account(&keypair.account());
        fields.private_key = Some(to_hex(&*keypair.private_key()));
        fields.secret_phrase = keypair.mnemonic().map(|words| words.phrase().to_string());
        fields.secret_seed = keypair.seed().map(|seed| to_hex(seed));
        fields
    }

    fn parse(json: &[u8]) -> Result<Self, KeyFileError> {
        // serde's own message may quote a value of the file; only the place is told.
        let fields: Self = serde_json::from_slice(json).map_err(|error| {
            KeyFileError::Malformed(format!(
                "not the JSON of a key at line {}, column {}",
                error.line(),
                error.column()
            ))
        })?;
        match fields.crypto_type {
            None | Some(SR25519) => Ok(fields),
            Some(other) => Err(KeyFileError::CryptoType(other)),
        }
    }

    fn to_json(&self) -> Zeroizing<Vec<u8>> {
        // Made in one allocation, so that no shorter copy stays behind in memory.
        let mut json = Zeroizing::new(Vec::with_capacity(2 * 1024));
        serde_json::to_writer(&mut *json, self).expect("strings into memory always serialise");
        json
    }

    /// The key, from the first secret present: phrase, seed, expanded key.
    fn keypair(&self) -> Result<Keypair, KeyFileError> {
        let keypair = if let Some(phrase) = &self.secret_phrase {
            let mnemonic = phrase
                .parse()
                .map_err(|error| KeyFileError::Malformed(format!("secretPhrase: {error}")))?;
            Keypair::from_mnemonic(&mnemonic)
        } else if let Some(seed) = &self.secret_seed {
            Keypair::from_seed(*from_hex("secretSeed", seed)?)
        } else if let Some(private_key) = &self.private_key {
            let private_key = from_hex("privateKey", private_key)?;
            Keypair::from_private_key(&private_key).ok_or_else(|| {
                KeyFileError::Malformed("privateKey is not an sr25519 secret key".into())
            })?
        } else {
            return Err(KeyFileError::NoSecret);
        };
        agree(&self.stated_accounts()?, keypair.account())?;
        Ok(keypair)
    }

    /// Every account the file names.
    fn stated_accounts(&self) -> Result<Vec<AccountId>, KeyFileError> {
        let mut accounts = Vec::with_capacity(3);
        if let Some(address) = &self.ss58_address {
            let account = address
                .parse()
                .map_err(|error| KeyFileError::Malformed(format!("ss58Address: {error}")))?;
            accounts.push(account);
        }
        for (name, key) in [
            ("publicKey", &self.public_key),
            ("accountId", &self.account_id),
        ] {
            if let Some(key) = key {
                accounts.push(AccountId(*from_hex(name, key)?));
            }
        }
        Ok(accounts)
    }
}

fn agree(stated: &[AccountId], actual: AccountId) -> Result<(), KeyFileError> {
    match stated.iter().find(|stated| **stated != actual) {
        Some(&stated) => Err(KeyFileError::Contradiction { stated, actual }),
        None => Ok(()),
    }
}

fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("0x");
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes every character");
    }
    text
}

fn from_hex<const N: usize>(field: &str, text: &str) -> Result<Zeroizing<[u8; N]>, KeyFileError> {
    let mut bytes = Zeroizing::new([0; N]);
    let digits = text.strip_prefix("0x").unwrap_or(text);
    hex::decode_to_slice(digits, &mut *bytes).map_err(|_| {
        KeyFileError::Malformed(format!(
            "{field} is not 0x and {} hexadecimal digits",
            2 * N
        ))
    })?;
    Ok(bytes)
}

/// `$NACL` | nonce | tag | ciphertext.
fn encrypt(
    mut json: Zeroizing<Vec<u8>>,
    password: &Password,
) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    password.check_policy()?;
    let cipher = cipher(password)?;
    let mut nonce = [0; NONCE_LENGTH];
    getrandom::fill(&mut nonce).map_err(KeyFileError::NoRandomness)?;
    let tag = cipher
        .encrypt_in_place_detached(Nonce::from_slice(&nonce), b"", &mut json)
        .expect("secretbox takes every message without associated data");
    Ok(Zeroizing::new([NACL_MARK, &nonce, &tag, &json].concat()))
}

fn decrypt(file: &[u8], password: &Password) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let body = file.strip_prefix(NACL_MARK).unwrap_or(file);
    let (Some(nonce), Some(tag), Some(ciphertext)) = (
        body.get(..NONCE_LENGTH),
        body.get(NONCE_LENGTH..NONCE_LENGTH + TAG_LENGTH),
        body.get(NONCE_LENGTH + TAG_LENGTH..),
    ) else {
        return Err(KeyFileError::Malformed(
            "the encrypted part is cut off".into(),
        ));
    };
    let mut json = Zeroizing::new(ciphertext.to_vec());
    cipher(password)?
        .decrypt_in_place_detached(
            Nonce::from_slice(nonce),
            b"",
            &mut json,
            Tag::from_slice(tag),
        )
        .map_err(|_| KeyFileError::WrongPassword)?;
    Ok(json)
}

fn cipher(password: &Password) -> Result<XSalsa20Poly1305, KeyFileError> {
    let mut key = Zeroizing::new(crypto_secretbox::Key::default());
    let parameters = Params::new(
        ARGON2_KIBIBYTES,
        ARGON2_PASSES,
        ARGON2_LANES,
        Some(key.len()),
    )
    .expect("the constants lie within Argon2's ranges");
    Argon2::new(Algorithm::Argon2i, Version::V0x13, parameters)
        .hash_password_into(password.0.as_bytes(), &ARGON2_SALT, &mut key)
        .map_err(KeyFileError::Derivation)?;
    Ok(XSalsa20Poly1305::new(&key))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::{Mnemonic, verify};

    const ABANDON: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

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

    fn open_json(json: Value) -> Result<Keypair, KeyFileError> {
        open(json.to_string().as_bytes(), None)
    }

    /// One of the two tests that pay for the full Argon2; the other is that of an encrypted wallet.
    #[test]
    fn a_foreign_encrypted_file_opens() {
        let file = STANDARD.decode(FOREIGN_FILE).unwrap();
        assert_eq!(file.len(), 627);
        assert_eq!(Protection::of(&file), Protection::Nacl);
        assert_eq!(open(&file, None).unwrap_err(), KeyFileError::PasswordNeeded);

        let json = decrypt(&file, &Password::new("bittensor-test".into())).unwrap();
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
        let file = encode_account(&account);
        let json: Value = serde_json::from_slice(&file).unwrap();
        let names: Vec<_> = json.as_object().unwrap().keys().collect();
        assert_eq!(names, ["accountId", "publicKey", "ss58Address"]);
        assert_eq!(decode_account(&file), Ok(account));
        assert_eq!(open(&file, None).unwrap_err(), KeyFileError::NoSecret);
    }

    #[test]
    fn the_first_secret_present_is_taken() {
        let seed = format!("0x{}", "11".repeat(32));
        let private_key = to_hex(&*Keypair::from_uri("//Alice").unwrap().private_key());
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
        assert_eq!(
            open_json(json!({ "secretSeed": seed, "cryptoType": 0 })).unwrap_err(),
            KeyFileError::CryptoType(0)
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
        let public = json!({ "ss58Address": abandon().account(), "publicKey": to_hex(&alice.0) })
            .to_string();
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
            decode_account(json.to_string().as_bytes()).unwrap(),
            Keypair::from_uri("//Alice").unwrap().account()
        );
    }

    #[test]
    fn old_encryption_is_named() {
        for (file, protection, name) in [
            (
                "$ANSIBLE_VAULT;1.1;AES256\n3031",
                Protection::AnsibleVault,
                "Ansible Vault",
            ),
            ("gAAAAABhello", Protection::Fernet, "Fernet"),
        ] {
            let password = Password::new("password".into());
            let error = open(file.as_bytes(), Some(&password)).unwrap_err();
            assert_eq!(error, KeyFileError::LegacyFormat(protection));
            assert!(error.to_string().contains(name), "{error}");
            assert_eq!(decode_account(file.as_bytes()), Err(error));
        }
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
            let password = Password::new(weak.into());
            assert_eq!(password.check_policy(), Err(KeyFileError::WeakPassword));
            assert_eq!(
                seal(&abandon(), Some(&password)).unwrap_err(),
                KeyFileError::WeakPassword
            );
        }
        for good in ["123456", "пароль"] {
            assert_eq!(Password::new(good.into()).check_policy(), Ok(()));
        }
        assert_eq!(
            format!("{:?}", Password::new("123456".into())),
            "Password(..)"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_plain_key_file_opens_as_the_key_it_was_made_of(seed: [u8; 32], junction in "[a-z0-9]{1,40}", kind in 0..3) {
            let root = Keypair::from_seed(seed);
            let keypair = match kind {
                0 => root,
                1 => Keypair::from_uri(&format!("{}//{junction}", to_hex(&seed))).unwrap(),
                _ => Keypair::from_mnemonic(&Mnemonic::generate([12, 15, 18, 21, 24][usize::from(seed[0]) % 5]).unwrap()),
            };
            let file = seal(&keypair, None).unwrap();
            prop_assert!(file.len() < MAX_BYTES);
            let opened = open(&file, None).unwrap();
            prop_assert_eq!(opened.account(), keypair.account());
            prop_assert_eq!(&opened.private_key()[..32], &keypair.private_key()[..32]);
            prop_assert_eq!(decode_account(&file), Ok(keypair.account()));
            prop_assert_eq!(seal(&opened, None).unwrap(), file);
        }

        #[test]
        fn every_account_comes_back_from_its_public_file(account: [u8; 32]) {
            let account = AccountId(account);
            prop_assert_eq!(decode_account(&encode_account(&account)), Ok(account));
        }

        #[test]
        fn no_bytes_make_it_panic(file in proptest::collection::vec(any::<u8>(), 0..200), brace: bool) {
            let file = if brace { [b"{", file.as_slice()].concat() } else { file };
            let _ = open(&file, None);
            let _ = decode_account(&file);
        }
    }
}

//! What wallets wrote before `$NACL`. It is opened here and never written.
//!
//! - Fernet, the oldest: AES-128-CBC and HMAC-SHA256 under a key that ten million rounds of PBKDF2 derive from the
//!   password and a constant salt.
//! - Ansible Vault 1.1, after it: AES-256-CTR and HMAC-SHA256 under keys from ten thousand rounds and a random salt.
//!   The first wallets that wrote it put the JSON into a binary scalar of YAML.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, KeyIvInit, StreamCipher};
use aes::{Aes128, Aes256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use ctr::Ctr128BE;
use hmac::{Hmac, KeyInit, Mac};
use pbkdf2::pbkdf2_hmac;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::KeyFileError;
use crate::Password;

pub(super) const ANSIBLE_VAULT_MARK: &[u8] = b"$ANSIBLE_VAULT";
pub(super) const FERNET_MARK: &[u8] = b"gAAAAA";

const ANSIBLE_VAULT_HEADER: &str = "$ANSIBLE_VAULT;1.1;AES256";
const ANSIBLE_VAULT_ROUNDS: u32 = 10_000;
/// How YAML begins a scalar of bytes.
const YAML_BINARY: &[u8] = b"!!binary |";

const FERNET_VERSION: u8 = 0x80;
/// Version and time before the rest of a token.
const FERNET_HEAD: usize = 1 + 8;
const FERNET_ROUNDS: u32 = 10_000_000;
const FERNET_SALT: &[u8] = b"Iguesscyborgslikemyselfhaveatendencytobeparanoidaboutourorigins";

const BLOCK: usize = 16;
const DIGEST: usize = 32;

/// Opens an Ansible Vault: a header, and the hexadecimal digits of three lines of hexadecimal digits: salt,
/// authenticator, ciphertext.
pub(super) fn open_ansible_vault(
    file: &[u8],
    password: &Password,
) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let wrong = || KeyFileError::Malformed("not an Ansible Vault of version 1.1".into());
    let text = std::str::from_utf8(file).map_err(|_| wrong())?;
    let (header, body) = text.split_once('\n').ok_or_else(wrong)?;
    if header.trim_end() != ANSIBLE_VAULT_HEADER {
        return Err(wrong());
    }
    let digits: String = body.split_ascii_whitespace().collect();
    let lines = hex::decode(digits).map_err(|_| wrong())?;
    let lines: Vec<Vec<u8>> = lines
        .split(|byte| *byte == b'\n')
        .map(hex::decode)
        .collect::<Result<_, _>>()
        .map_err(|_| wrong())?;
    let [salt, authenticator, ciphertext] = &lines[..] else {
        return Err(wrong());
    };

    let mut keys = Zeroizing::new([0; 2 * 32 + BLOCK]);
    pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, ANSIBLE_VAULT_ROUNDS, &mut *keys);
    let (cipher_key, rest) = keys.split_at(32);
    let (authenticator_key, counter) = rest.split_at(32);
    authenticate(authenticator_key, ciphertext, authenticator)?;
    let mut plain = Zeroizing::new(ciphertext.clone());
    Ctr128BE::<Aes256>::new_from_slices(cipher_key, counter)
        .expect("the lengths are AES-256's")
        .apply_keystream(&mut plain);
    let padding = plain.last().map_or(0, |byte| usize::from(*byte));
    if !(1..=BLOCK).contains(&padding) || padding > plain.len() {
        return Err(wrong());
    }
    let length = plain.len() - padding;
    plain.truncate(length);
    out_of_yaml(plain)
}

/// Opens a Fernet token: the URL-safe base64 of a version, a time, an initial vector, the ciphertext, an authenticator.
pub(super) fn open_fernet(
    file: &[u8],
    password: &Password,
) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let wrong = || KeyFileError::Malformed("not a Fernet token".into());
    let token = URL_SAFE.decode(file.trim_ascii()).map_err(|_| wrong())?;
    let (signed, authenticator) = token
        .len()
        .checked_sub(DIGEST)
        .and_then(|length| token.split_at_checked(length))
        .ok_or_else(wrong)?;
    let (vector, ciphertext) = signed
        .get(FERNET_HEAD..)
        .and_then(|rest| rest.split_at_checked(BLOCK))
        .ok_or_else(wrong)?;
    if signed[0] != FERNET_VERSION || ciphertext.is_empty() || ciphertext.len() % BLOCK != 0 {
        return Err(wrong());
    }

    let mut keys = Zeroizing::new([0; 32]);
    pbkdf2_hmac::<Sha256>(password.as_bytes(), FERNET_SALT, FERNET_ROUNDS, &mut *keys);
    let (authenticator_key, cipher_key) = keys.split_at(16);
    authenticate(authenticator_key, signed, authenticator)?;
    let mut plain = Zeroizing::new(ciphertext.to_vec());
    let length = cbc::Decryptor::<Aes128>::new_from_slices(cipher_key, vector)
        .expect("the lengths are AES-128's")
        .decrypt_padded::<Pkcs7>(&mut plain)
        .map_err(|_| wrong())?
        .len();
    plain.truncate(length);
    Ok(plain)
}

/// A wrong authenticator means a wrong password, or a changed file.
fn authenticate(key: &[u8], message: &[u8], authenticator: &[u8]) -> Result<(), KeyFileError> {
    Hmac::<Sha256>::new_from_slice(key)
        .expect("HMAC takes a key of every length")
        .chain_update(message)
        .verify_slice(authenticator)
        .map_err(|_| KeyFileError::WrongPassword)
}

/// The JSON, where YAML is around it.
fn out_of_yaml(plain: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let Some(scalar) = plain.strip_prefix(YAML_BINARY) else {
        return Ok(plain);
    };
    // Made in one allocation, so that no shorter copy stays behind in memory.
    let mut digits = Zeroizing::new(Vec::with_capacity(scalar.len()));
    digits.extend(scalar.iter().filter(|byte| !byte.is_ascii_whitespace()));
    STANDARD
        .decode(&*digits)
        .map(Zeroizing::new)
        .map_err(|_| KeyFileError::Malformed("the Ansible Vault holds no key".into()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keyfile::{self, Protection};

    const ADDRESS: &str = "5EPCUjPxiHAcNooYipQFWr9NmmXJKpNG5RhcntXwbtUySrgH";
    /// Written by Ansible Vault and Fernet themselves; see `legacy.py` beside them.
    const ANSIBLE: &[u8] = include_bytes!("../../tests/vectors/ansible");
    const ANSIBLE_YAML: &[u8] = include_bytes!("../../tests/vectors/ansible-yaml");
    const FERNET: &[u8] = include_bytes!("../../tests/vectors/fernet");

    fn password() -> Password {
        Password::new("bittensor-test".into())
    }

    fn open(file: &[u8], password: &Password) -> Result<String, KeyFileError> {
        keyfile::open(file, Some(password)).map(|keypair| keypair.account().to_string())
    }

    #[test]
    fn every_legacy_form_opens_with_its_password_only() {
        for (file, protection) in [
            (ANSIBLE, Protection::AnsibleVault),
            (ANSIBLE_YAML, Protection::AnsibleVault),
            (FERNET, Protection::Fernet),
        ] {
            assert_eq!(Protection::of(file), protection);
            assert_eq!(open(file, &password()).as_deref(), Ok(ADDRESS));
            let wrong = Password::new("bittensor-tesT".into());
            assert_eq!(open(file, &wrong), Err(KeyFileError::WrongPassword));
            assert_eq!(
                keyfile::open(file, None).unwrap_err(),
                KeyFileError::PasswordNeeded
            );
            assert_eq!(
                keyfile::decode_account(file),
                Err(KeyFileError::PasswordNeeded)
            );
        }
    }

    #[test]
    fn a_changed_vault_is_refused() {
        let text = String::from_utf8(ANSIBLE.to_vec()).unwrap();
        let malformed = [
            text.replace("1.1", "1.2"),
            text.replace("AES256", "AES128"),
            text.replacen('3', "x", 1),
            text[..text.len() / 2].to_owned(),
            "$ANSIBLE_VAULT;1.1;AES256".to_owned(),
            "$ANSIBLE_VAULT;1.1;AES256\n".to_owned(),
            "$ANSIBLE_VAULT;1.1;AES256\n0a0a0a".to_owned(),
        ];
        for file in malformed {
            let error = open(file.as_bytes(), &password()).unwrap_err();
            assert!(
                matches!(error, KeyFileError::Malformed(_)),
                "{file}: {error}"
            );
        }
        // The last digit belongs to the ciphertext, whose authenticator then is another.
        let mut changed = ANSIBLE.trim_ascii().to_vec();
        let last = changed.last_mut().unwrap();
        *last = if *last == b'1' { b'2' } else { b'1' };
        assert_eq!(
            open(&changed, &password()),
            Err(KeyFileError::WrongPassword)
        );
        // Empty parts: authenticated by nothing.
        let empty = open(b"$ANSIBLE_VAULT;1.1;AES256\n0a0a", &password());
        assert_eq!(empty, Err(KeyFileError::WrongPassword));
    }

    #[test]
    fn a_changed_token_is_refused_before_the_slow_part() {
        for file in [
            &FERNET[..40],
            &FERNET[..FERNET.len() - 4],
            b"gAAAAA",
            b"gAAAAABhello",
            b"gAAAAA=====",
        ] {
            let error = open(file, &password()).unwrap_err();
            assert!(matches!(error, KeyFileError::Malformed(_)), "{error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_vault_makes_it_panic(body in "[0-9a-f\\n]{0,300}") {
            let file = format!("{ANSIBLE_VAULT_HEADER}\n{body}");
            prop_assert!(open(file.as_bytes(), &password()).is_err());
            let lines = hex::encode(&body);
            let file = format!("{ANSIBLE_VAULT_HEADER}\n{lines}");
            prop_assert!(open(file.as_bytes(), &password()).is_err());
        }

        #[test]
        fn no_token_makes_it_panic(body in "[A-Za-z0-9_=-]{0,40}") {
            let file = format!("gAAAAA{body}");
            prop_assert!(open(file.as_bytes(), &password()).is_err());
        }

        #[test]
        fn no_plain_text_makes_it_panic(text: Vec<u8>, yaml: bool) {
            let plain = if yaml { [YAML_BINARY, &text].concat() } else { text };
            let _ = out_of_yaml(Zeroizing::new(plain));
        }
    }
}

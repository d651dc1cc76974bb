//! Passwords, and the form in which the field keeps them in the environment.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;
use zeroize::Zeroizing;

/// The fewest characters of a password that encrypts a key.
pub const MIN_PASSWORD_CHARACTERS: usize = 6;

/// A password: erased when dropped, never printed.
pub struct Password(Zeroizing<String>);

/// Why there is no password, or none that may be used. No message repeats a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PasswordError {
    /// A new password that is too short or blank.
    #[error(
        "the password is too weak: use at least {MIN_PASSWORD_CHARACTERS} characters, not only spaces"
    )]
    Weak,
    /// The value of a `BT_PW_` variable is not what [`Password::from_variable`] reads.
    #[error(
        "{0} holds no password: its value is the base64 of a password and the variable's name, combined by XOR, \
         as the Python wallet saves it"
    )]
    Variable(String),
}

impl Password {
    /// Takes a password as it was typed.
    pub fn new(password: String) -> Self {
        Self(Zeroizing::new(password))
    }

    /// The name of the environment variable in which the field keeps the password of the key file at `path`:
    /// `BT_PW_` and the path in capitals, with `_` for every slash and dot.
    pub fn variable_of(path: &Path) -> String {
        let path = path.to_string_lossy().replace(['/', '.'], "_");
        format!("BT_PW_{}", path.to_uppercase())
    }

    /// Reads a password from the value of the environment variable of that name: base64 of the password and the name,
    /// combined by XOR. That hides it from a glance, and from nobody else.
    pub fn from_variable(name: &str, value: &str) -> Result<Self, PasswordError> {
        let wrong = || PasswordError::Variable(name.to_owned());
        let mut bytes = STANDARD.decode(value.trim()).map_err(|_| wrong())?;
        combine(&mut bytes, name);
        match String::from_utf8(bytes) {
            Ok(password) => Ok(Self::new(password)),
            Err(error) => {
                drop(Zeroizing::new(error.into_bytes()));
                Err(wrong())
            }
        }
    }

    /// Whether this password may encrypt a new file: [`MIN_PASSWORD_CHARACTERS`] or more, not all of them blank.
    ///
    /// The field's wallets ask for a score as well, but six characters of any kind reach it (`123456` does).
    ///
    /// [`seal`](crate::keyfile::seal) asks the same; call this to refuse before a person types the password again.
    pub fn check_policy(&self) -> Result<(), PasswordError> {
        if self.0.chars().count() < MIN_PASSWORD_CHARACTERS || self.0.trim().is_empty() {
            return Err(PasswordError::Weak);
        }
        Ok(())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(..)")
    }
}

/// XOR with the name, repeated.
fn combine(bytes: &mut [u8], name: &str) {
    for (byte, key) in bytes.iter_mut().zip(name.bytes().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Made by the Python wallet 4.1.1 for the password `pass wörd 123`.
    const SAVED: [(&str, &str, &str); 3] = [
        (
            "/home/x/.bittensor/wallets/name/coldkey",
            "BT_PW__HOME_X__BITTENSOR_WALLETS_NAME_COLDKEY",
            "MjUsI3conP49KWVuamw=",
        ),
        (
            "rel/w.x/a b-c/hotkeys/ö",
            "BT_PW_REL_W_X_A B-C_HOTKEYS_Ö",
            "MjUsI3cokfM+O3duamw=",
        ),
        (
            "~/.bittensor/wallets/n/coldkey",
            "BT_PW_~__BITTENSOR_WALLETS_N_COLDKEY",
            "MjUsI3covektJmllZnY=",
        ),
    ];

    #[test]
    fn a_password_in_the_environment_is_the_python_wallets() {
        for (path, name, value) in SAVED {
            assert_eq!(Password::variable_of(Path::new(path)), name);
            let password = Password::from_variable(name, value).unwrap();
            assert_eq!(*password.0, "pass wörd 123");
        }
    }

    #[test]
    fn a_variable_that_holds_no_password_is_named() {
        for value in ["plain text", "MjUs=", "////////"] {
            let error = Password::from_variable("BT_PW_X", value).unwrap_err();
            assert_eq!(error, PasswordError::Variable("BT_PW_X".into()));
            assert!(!error.to_string().contains(value), "{error}");
        }
    }

    #[test]
    fn weak_passwords_are_refused() {
        for weak in ["", "12345", "        "] {
            let password = Password::new(weak.into());
            assert_eq!(password.check_policy(), Err(PasswordError::Weak));
        }
        for good in ["123456", "пароль"] {
            assert_eq!(Password::new(good.into()).check_policy(), Ok(()));
        }
    }

    #[test]
    fn debug_prints_nothing_of_it() {
        let password = Password::new("123456".into());
        assert_eq!(format!("{password:?}"), "Password(..)");
    }

    proptest! {
        #[test]
        fn no_value_makes_it_panic(name in ".{0,20}", value in ".{0,40}") {
            let _ = Password::from_variable(&name, &value);
        }

        #[test]
        fn every_password_comes_back(name in "[A-Z_]{1,40}", password in ".{0,60}") {
            let mut bytes = password.clone().into_bytes();
            combine(&mut bytes, &name);
            let read = Password::from_variable(&name, &STANDARD.encode(bytes)).unwrap();
            prop_assert_eq!(&*read.0, &password);
        }
    }
}

//! The words a key can be written down as.

use std::fmt;
use std::str::FromStr;

use bip39::Language;
use thiserror::Error;
use zeroize::Zeroizing;

/// A BIP39 phrase of 12, 15, 18, 21 or 24 English words: a secret.
///
/// [`Mnemonic::phrase`] is the only way to read the words; `Debug` prints none of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Mnemonic(bip39::Mnemonic);

/// Why there is no mnemonic. A message never repeats a word of the phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MnemonicError {
    /// The phrase was given, or wanted, with a number of words that BIP39 does not know.
    #[error("a mnemonic has 12, 15, 18, 21 or 24 words, not {0}")]
    WordCount(usize),
    /// A word outside the list; `position` counts from one.
    #[error(
        "word {position} of the mnemonic is not in the BIP39 English list (lower case): look for a typing mistake"
    )]
    UnknownWord {
        /// Which word, counted from one.
        position: usize,
    },
    /// Every word is known, but together they are not a phrase.
    #[error("the mnemonic's checksum is wrong: a word is exchanged or the order is not right")]
    WrongChecksum,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    NoRandomness(getrandom::Error),
}

impl Mnemonic {
    /// The number of words where nobody asks for another.
    pub const DEFAULT_WORDS: usize = 12;

    /// Makes a new phrase of `words` words from the operating system's randomness.
    pub fn generate(words: usize) -> Result<Self, MnemonicError> {
        if !matches!(words, 12 | 15 | 18 | 21 | 24) {
            return Err(MnemonicError::WordCount(words));
        }
        // Three words are 33 bits, of which one is checksum.
        let mut entropy = Zeroizing::new(vec![0; words / 3 * 4]);
        getrandom::fill(&mut entropy).map_err(MnemonicError::NoRandomness)?;
        let mnemonic = bip39::Mnemonic::from_entropy_in(Language::English, &entropy)
            .expect("16 to 32 bytes in steps of four are BIP39 entropy");
        Ok(Self(mnemonic))
    }

    /// The words, separated by single spaces.
    pub fn phrase(&self) -> Zeroizing<String> {
        // Made in one allocation, so that no shorter copy stays behind in memory.
        let mut phrase = Zeroizing::new(String::with_capacity(24 * 9));
        for word in self.0.words() {
            if !phrase.is_empty() {
                phrase.push(' ');
            }
            phrase.push_str(word);
        }
        phrase
    }

    /// The sr25519 mini secret of this phrase, in Substrate's variant: PBKDF2 runs over the entropy, not the words.
    pub(crate) fn seed(&self) -> Zeroizing<[u8; 32]> {
        let (entropy, length) = self.0.to_entropy_array();
        let entropy = Zeroizing::new(entropy);
        let mini_secret = substrate_bip39::mini_secret_from_entropy(&entropy[..length], "")
            .expect("a BIP39 phrase holds 16 to 32 bytes of entropy in steps of four");
        Zeroizing::new(mini_secret.to_bytes())
    }
}

impl FromStr for Mnemonic {
    type Err = MnemonicError;

    fn from_str(phrase: &str) -> Result<Self, MnemonicError> {
        bip39::Mnemonic::parse_in_normalized(Language::English, phrase)
            .map(Self)
            .map_err(|error| match error {
                bip39::Error::BadWordCount(count) => MnemonicError::WordCount(count),
                bip39::Error::UnknownWord(index) => MnemonicError::UnknownWord {
                    position: index + 1,
                },
                bip39::Error::InvalidChecksum
                | bip39::Error::BadEntropyBitCount(_)
                | bip39::Error::AmbiguousLanguages(_) => MnemonicError::WrongChecksum,
            })
    }
}

impl fmt::Debug for Mnemonic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Mnemonic(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABANDON: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

    #[test]
    fn the_seed_is_substrates() {
        let mnemonic: Mnemonic = ABANDON.parse().unwrap();
        assert_eq!(
            hex::encode(*mnemonic.seed()),
            "4ed8d4b17698ddeaa1f1559f152f87b5d472f725ca86d341bd0276f1b61197e2"
        );
    }

    #[test]
    fn new_phrases_come_in_every_length_and_differ() {
        for words in [12, 15, 18, 21, 24] {
            let mnemonic = Mnemonic::generate(words).unwrap();
            let phrase = mnemonic.phrase();
            assert_eq!(phrase.split(' ').count(), words);
            assert_eq!(phrase.parse::<Mnemonic>().unwrap(), mnemonic);
            assert_ne!(Mnemonic::generate(words).unwrap(), mnemonic);
        }
        for words in [0, 3, 11, 13, 27, usize::MAX] {
            assert_eq!(
                Mnemonic::generate(words).unwrap_err(),
                MnemonicError::WordCount(words)
            );
        }
    }

    #[test]
    fn mistakes_are_named_without_the_words() {
        let parse = |phrase: &str| phrase.parse::<Mnemonic>().unwrap_err();
        assert_eq!(parse(""), MnemonicError::WordCount(0));
        assert_eq!(parse("abandon about"), MnemonicError::WordCount(2));
        assert_eq!(
            parse(&ABANDON.replace("about", "abandon")),
            MnemonicError::WrongChecksum
        );
        let unknown = parse(&ABANDON.replace("about", "abuot"));
        assert_eq!(unknown, MnemonicError::UnknownWord { position: 12 });
        assert!(unknown.to_string().contains("word 12"));
        assert!(!unknown.to_string().contains("abuot"));
        assert_eq!(
            parse(&"abandon ".repeat(100_000)),
            MnemonicError::WordCount(100_000)
        );
    }

    #[test]
    fn spaces_and_line_ends_do_not_matter() {
        let typed = format!("  {}\n", ABANDON.replace(' ', " \t "));
        assert_eq!(*typed.parse::<Mnemonic>().unwrap().phrase(), ABANDON);
    }

    #[test]
    fn debug_prints_no_word() {
        let mnemonic: Mnemonic = ABANDON.parse().unwrap();
        assert_eq!(format!("{mnemonic:?}"), "Mnemonic(..)");
    }
}

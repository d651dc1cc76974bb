//! How many random cases a property is tried on.

use proptest::test_runner::Config;

/// As many cases as the environment asks for in `PROPTEST_CASES`, up to a ceiling the property can bear.
///
/// `Config::with_cases` alone would not listen to the environment.
pub fn cases(default: u32, most: u32) -> Config {
    let asked = std::env::var("PROPTEST_CASES").ok();
    let asked = asked.and_then(|cases| cases.parse().ok());
    Config::with_cases(asked.unwrap_or(default).min(most))
}

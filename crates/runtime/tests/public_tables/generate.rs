//! Writes what of the public tables is only declared: storage nobody uses yet, and constants shown to clients.

use crate::model::{Constant, Item, Pallet};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Set to write the generated files instead of comparing them.
const WRITE: &str = "AGON_GENERATE";

/// A file of the project by its path from the root.
pub fn project_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// The content of a file of the project; empty if there is none yet.
pub fn content(path: &str) -> String {
    std::fs::read_to_string(project_file(path)).unwrap_or_default()
}

/// Checks that a generated file is what would be written now, or writes it if asked to. `same` says whether two
/// contents are the same.
pub fn check_or_write(path: &str, text: &str, same: impl Fn(&str, &str) -> bool) {
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(project_file(path), text).expect("the project can be written");
    } else {
        assert!(
            same(&content(path), text),
            "{path} is stale: run {WRITE}=1 cargo test --test public_tables"
        );
    }
}

/// Checks or writes Rust; how it is laid out does not matter.
pub fn check_or_write_rust(path: &str, text: &str) {
    check_or_write(path, &formatted(text), |found, expected| {
        let squeezed = |text: &str| {
            let bare: String = text.chars().filter(|char| !char.is_whitespace()).collect();
            bare.replace(",>", ">").replace(",)", ")")
        };
        squeezed(found) == squeezed(expected)
    });
}

fn formatted(text: &str) -> String {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("rustfmt is installed");
    let mut input = child.stdin.take().expect("it was asked for");
    input.write_all(text.as_bytes()).expect("rustfmt reads");
    drop(input);
    let output = child.wait_with_output().expect("rustfmt ends");
    assert!(
        output.status.success(),
        "rustfmt refuses what was generated"
    );
    String::from_utf8(output.stdout).expect("Rust is UTF-8")
}

/// The declarations of all public storage items that `in_use`, the source of those with behaviour, does not declare.
pub fn storage(public: &Pallet, in_use: &str) -> String {
    let used: BTreeSet<&str> = in_use
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub type ")?.split('<').next())
        .collect();
    let items: String = public
        .storage
        .iter()
        .filter(|item| !used.contains(item.name.as_str()))
        .map(declaration)
        .collect();
    format!(
        "//! What the public chain stores and this one does not use yet: clients refuse names they do not find in the metadata.

use frame_support::pallet_macros::pallet_section;

/// Storage without behaviour.
#[pallet_section]
mod declared {{
{items}}}
"
    )
}

/// What the documentation of a storage item says that is only declared.
pub const UNUSED: &str = "Public; nothing here uses it.";

fn declaration(item: &Item) -> String {
    let key = item.key.as_deref().unwrap_or_default();
    let keys: Vec<&str> = key
        .trim_matches(['(', ')'])
        .split(", ")
        .filter(|key| !key.is_empty())
        .collect();
    assert_eq!(keys.len(), item.hashers.len(), "keys of {}", item.name);
    let pairs = || item.hashers.iter().zip(&keys);
    let (kind, key) = match keys.len() {
        0 => ("StorageValue", String::new()),
        1 | 2 => {
            let kind = if keys.len() == 1 {
                "StorageMap"
            } else {
                "StorageDoubleMap"
            };
            let key = pairs().map(|(hasher, key)| format!("{hasher}, {key}, "));
            (kind, key.collect())
        }
        _ => {
            let keys: Vec<String> = pairs()
                .map(|(hasher, key)| format!("NMapKey<{hasher}, {key}>"))
                .collect();
            ("StorageNMap", format!("({}), ", keys.join(", ")))
        }
    };
    // Metadata do not tell bounds; all bounded values that are only declared are cipher texts of weights.
    let value = item
        .value
        .replace("BoundedVec<u8>", "BoundedVec<u8, ConstU32<5000>>");
    let query = match item.modifier.as_str() {
        "Optional" => String::new(),
        _ => format!(", ValueQuery{}", default(item)),
    };
    format!(
        "/// {UNUSED}\n#[pallet::storage]\npub type {}<T> = {kind}<_, {key}{value}{query}>;\n",
        item.name
    )
}

/// The type that provides an absent value, if it is not the type's own default.
fn default(item: &Item) -> String {
    if item.default.chars().all(|digit| digit == '0') {
        return String::new();
    }
    let provider = match (item.value.as_str(), item.default.as_str()) {
        ("bool", "01") => "ConstBool<true>".to_owned(),
        ("FixedI128", "55320000000000000000000000000000") => "DefaultMovingAlpha".to_owned(),
        ("FixedI128", "0000000020a107000000000000000000") => "DefaultClaimableThreshold".to_owned(),
        ("FixedU128", "00000000000000000100000000000000") => "OneQ64".to_owned(),
        (of @ ("u8" | "u16" | "u32" | "u64"), bytes) => {
            format!("Const{}<{}>", of.to_uppercase(), number(bytes))
        }
        (of, bytes) => panic!(
            "{}: write a type that provides the {of} 0x{bytes} and name it here",
            item.name
        ),
    };
    format!(", {provider}")
}

/// A number of up to 64 bits from its little-endian bytes, grouped as in the rest of the source.
fn number(hexadecimal: &str) -> String {
    let value = bytes(hexadecimal)
        .iter()
        .rev()
        .fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    let digits = value.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at != 0 && (digits.len() - at) % 3 == 0 {
            grouped.push('_');
        }
        grouped.push(digit);
    }
    grouped
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    (0..hexadecimal.len() / 2)
        .map(|at| u8::from_str_radix(&hexadecimal[2 * at..2 * at + 2], 16).expect("hexadecimal"))
        .collect()
}

/// The declarations of a pallet's constants.
pub fn constants(public: &Pallet) -> String {
    let functions: Vec<String> = public.constants.iter().map(constant).collect();
    format!(
        "//! Constants the public chain shows in its metadata. Generated; see `docs/reference/chain.md`.

use frame_support::pallet_macros::pallet_section;

/// The public chain's constants. The rules read storage and constants of their own; these are there for clients.
#[pallet_section]
mod constants {{
    #[pallet::extra_constants]
    impl<T: Config> Pallet<T> {{
{}    }}
}}
",
        functions.join("\n")
    )
}

fn constant(constant: &Constant) -> String {
    let value = &constant.value;
    let (of, value) = match constant.ty.as_str() {
        of @ ("u8" | "u16" | "u32" | "u64" | "i16") => (of, number(value)),
        of @ "bool" => (of, (value == "01").to_string()),
        of @ "Percent" => (of, format!("Percent::from_percent({})", number(value))),
        "PalletId" => {
            let name = String::from_utf8(bytes(value)).expect("pallets' names are ASCII");
            (
                "frame_support::PalletId",
                format!("frame_support::PalletId(*b\"{name}\")"),
            )
        }
        of => panic!("{}: say here how a {of} is written", constant.name),
    };
    format!(
        "/// Shown to clients.\n#[pallet::constant_name({})]\nfn constant_{}() -> {of} {{\n{value}\n}}\n",
        constant.name,
        snake_case(&constant.name)
    )
}

fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut result = String::new();
    for (at, char) in chars.iter().enumerate() {
        let follows_word = at > 0 && !chars[at - 1].is_uppercase();
        let ends_acronym = at > 0 && chars.get(at + 1).is_some_and(|next| next.is_lowercase());
        if char.is_uppercase() && (follows_word || ends_acronym) {
            result.push('_');
        }
        result.extend(char.to_lowercase());
    }
    result
}

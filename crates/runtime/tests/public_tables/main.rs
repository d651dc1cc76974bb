//! What this runtime declares is what the public chain declares: names, indices, hashers, types and defaults.
//!
//! The public chain's tables and metadata are large and are not part of the project; what needs them is skipped where
//! they are absent. `cargo test --test public_tables -- --nocapture` prints the coverage and every difference;
//! `AGON_GENERATE=1` writes the generated files: `docs/reference/chain.md` and, from the tables, the declarations of
//! storage that nothing uses yet, of constants, and of pallets without behaviour.

mod compare;
mod generate;
mod model;
mod reference;
mod shapes;
#[path = "../support/mod.rs"]
mod support;

use agon_runtime::{Runtime, RuntimeCall, RuntimeOrigin, not_here};
use codec::Decode;
use compare::{Coverage, compare};
use model::{Tables, metadata, public_metadata, public_tables};
use sp_runtime::traits::Dispatchable;
use std::collections::BTreeSet;

/// The pallets that are written here. The others come with the framework, whose version differs.
const WRITTEN_HERE: [&str; 8] = [
    "SubtensorModule",
    "Commitments",
    "AdminUtils",
    "Drand",
    "Swap",
    "MevShield",
    "Aura",
    "Crowdloan",
];

/// How much of the public chain's declarations has been reached; it may only rise.
const REACHED: [(&str, &str, usize); 43] = [
    ("SubtensorModule", "calls", 78),
    ("SubtensorModule", "storage", 222),
    ("SubtensorModule", "events", 87),
    ("SubtensorModule", "errors", 147),
    ("SubtensorModule", "constants", 69),
    ("AdminUtils", "calls", 79),
    ("AdminUtils", "events", 5),
    ("AdminUtils", "errors", 14),
    ("Commitments", "calls", 2),
    ("Commitments", "storage", 7),
    ("Commitments", "events", 3),
    ("Commitments", "errors", 4),
    ("Commitments", "constants", 3),
    ("Drand", "calls", 3),
    ("Drand", "storage", 6),
    ("Drand", "events", 3),
    ("Drand", "errors", 6),
    ("Drand", "constants", 2),
    ("Proxy", "calls", 11),
    ("Swap", "calls", 6),
    ("Swap", "storage", 5),
    ("Swap", "events", 1),
    ("Swap", "errors", 13),
    ("Swap", "constants", 4),
    ("MevShield", "calls", 7),
    ("MevShield", "storage", 14),
    ("MevShield", "events", 12),
    ("MevShield", "errors", 4),
    ("Aura", "constants", 1),
    ("Crowdloan", "place", 2),
    ("Crowdloan", "calls", 10),
    ("Crowdloan", "storage", 6),
    ("Crowdloan", "events", 11),
    ("Crowdloan", "errors", 26),
    ("Crowdloan", "constants", 7),
    ("SwapRuntimeApi", "methods", 5),
    ("NeuronInfoRuntimeApi", "methods", 5),
    ("SubnetInfoRuntimeApi", "methods", 21),
    ("StakeInfoRuntimeApi", "methods", 9),
    ("DelegateInfoRuntimeApi", "methods", 4),
    ("SubnetRegistrationRuntimeApi", "methods", 2),
    ("TransactionPaymentApi", "methods", 5),
    ("ProxyFilterRuntimeApi", "methods", 3),
];

const DECLARED: &str = "crates/runtime/src/subtensor/declared.rs";
const IN_USE: &str = "crates/runtime/src/subtensor/storage.rs";
const CONSTANTS: &str = "crates/runtime/src/subtensor/constants.rs";
const CROWDLOAN: &str = "crates/runtime/src/crowdloan/declared.rs";
const REFERENCE: &str = "docs/reference/chain.md";

fn is_ours(coverage: &Coverage) -> bool {
    WRITTEN_HERE.contains(&coverage.of.as_str()) || coverage.of.ends_with("RuntimeApi")
}

#[test]
fn what_we_declare_is_public_and_no_less_than_was_reached() {
    let Some(public) = public_tables() else {
        return;
    };
    let coverage = compare(&Tables::ours(), &public);
    for of in &coverage {
        println!("{} {}: {} of {}", of.of, of.kind, of.same, of.public);
        if !of.is_here {
            continue;
        }
        for name in &of.missing {
            println!("    not here: {name}");
        }
        for contradiction in &of.contradictions {
            println!("    {contradiction}");
        }
    }
    let contradictions: Vec<String> = coverage
        .iter()
        .filter(|of| is_ours(of) || of.kind == "place")
        .flat_map(|of| &of.contradictions)
        .map(ToString::to_string)
        .collect();
    assert!(contradictions.is_empty(), "{}", contradictions.join("\n"));
    for (name, kind, least) in REACHED {
        let found = coverage.iter().find(|of| of.of == name && of.kind == kind);
        let same = found.map_or(0, |of| of.same);
        assert!(
            same >= least,
            "{name} {kind}: {same} of {least} reached before"
        );
    }
}

#[test]
fn types_are_the_public_ones_field_by_field() {
    let Some(public) = public_metadata() else {
        return;
    };
    let differences = shapes::differences(&metadata(), &public, &WRITTEN_HERE);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn storage_without_behaviour_is_generated() {
    if let Some(public) = public_tables() {
        let in_use = generate::content(IN_USE);
        let text = generate::storage(&public.pallets["SubtensorModule"], &in_use);
        generate::check_or_write_rust(DECLARED, &text);
    }
}

#[test]
fn constants_are_generated() {
    if let Some(public) = public_tables() {
        let text = generate::constants(&public.pallets["SubtensorModule"]);
        generate::check_or_write_rust(CONSTANTS, &text);
    }
}

#[test]
fn pallets_without_behaviour_are_generated() {
    if let Some(public) = public_tables() {
        let text = generate::pallet("Crowdloan", &public.pallets["Crowdloan"]);
        generate::check_or_write_rust(CROWDLOAN, &text);
    }
}

#[test]
fn the_reference_is_what_the_runtime_declares() {
    let ours = Tables::ours();
    let coverage = public_tables().map(|public| compare(&ours, &public));
    let standing = generate::content(REFERENCE);
    let unanswered = unanswered_calls(&ours);
    let text = reference::render(&ours, &unanswered, coverage.as_deref(), &standing);
    generate::check_or_write(REFERENCE, &text, |found, expected| found == expected);
}

/// The calls, by pallet and name, that answer whoever sends them that nobody carries them out here.
fn unanswered_calls(ours: &Tables) -> BTreeSet<(String, String)> {
    let refused = not_here::Error::<Runtime>::NotOnThisChain.into();
    let mut unanswered = BTreeSet::new();
    support::chain().execute_with(|| {
        for name in WRITTEN_HERE {
            let Some(pallet) = ours.pallets.get(name) else {
                continue;
            };
            for variant in &pallet.calls {
                // Zero bytes are empty lists, the account of nobody, the first of choices.
                let mut bytes = vec![0; 1024];
                bytes[..2].copy_from_slice(&[pallet.index, variant.index]);
                let call = RuntimeCall::decode(&mut &bytes[..]).expect("zeros are arguments");
                let nobody = RuntimeOrigin::signed([0; 32].into());
                let outcomes = [
                    call.clone().dispatch(nobody),
                    call.dispatch(RuntimeOrigin::root()),
                ];
                if outcomes.iter().any(|outcome| {
                    outcome
                        .as_ref()
                        .is_err_and(|failure| failure.error == refused)
                }) {
                    unanswered.insert((name.to_owned(), variant.name.clone()));
                }
            }
        }
    });
    unanswered
}

/// What clients look for in the metadata by exact path.
#[test]
fn clients_find_the_types_they_look_for() {
    let metadata = metadata();
    let paths: Vec<String> = metadata
        .types
        .types
        .iter()
        .map(|of| of.ty.path.segments.join("::"))
        .collect();
    for path in [
        "agon_runtime::RuntimeCall",
        "agon_runtime::RuntimeEvent",
        "frame_system::EventRecord",
        "sp_runtime::generic::unchecked_extrinsic::UncheckedExtrinsic",
    ] {
        assert!(paths.iter().any(|found| found == path), "{path}");
    }
    let extensions: Vec<&str> = metadata
        .extrinsic
        .signed_extensions
        .iter()
        .map(|extension| extension.identifier.as_str())
        .collect();
    assert_eq!(
        extensions,
        [
            "CheckNonZeroSender",
            "CheckSpecVersion",
            "CheckTxVersion",
            "CheckGenesis",
            "CheckMortality",
            "CheckNonce",
            "CheckWeight",
            "ChargeTransactionPayment",
            "SudoTransactionExtension",
            "CheckShieldedTxValidity",
            "SubtensorTransactionExtension",
            "CheckMetadataHash"
        ]
    );
    assert_eq!(metadata.extrinsic.version, 4);
}

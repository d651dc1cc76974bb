//! What happens where the kernel cannot isolate models fully. A part of the kernel is hidden from the commands by a
//! filter of system calls, which the thread that starts them has installed on itself.

mod common;

use agon_dataset::skin::synthetic::{Synthetic, generate};
use agon_model::architecture::{LesionClassifier, lesion_classifier};
use common::kernel::without;
use common::{Place, errors};
use serde_json::Value;

/// A place with data and an untrained model.
fn place() -> Place {
    let place = Place::new();
    let synthetic = Synthetic {
        images: 240,
        width: 32,
        height: 24,
        ..Synthetic::default()
    };
    generate(&place.path("data"), &synthetic, &|_, _| {}).unwrap();
    let mut model = lesion_classifier(&LesionClassifier::small()).unwrap();
    agon_train::init::initialise(&mut model, 1).unwrap();
    model.strip_training();
    std::fs::write(place.path("model.onnx"), model.to_bytes()).unwrap();
    place
}

const EVALUATE: &[&str] = &[
    "evaluate",
    "tricorder",
    "--data-dir",
    "data",
    "--model",
    "model.onnx",
    "--resamples",
    "100",
    "--max-samples",
    "20",
    "--json",
];

#[test]
fn a_weak_sandbox_judges_only_when_told_to() {
    let place = place();
    let strong = place.json(EVALUATE);
    for (call, missing) in [
        (libc::SYS_landlock_create_ruleset, "Landlock"),
        (libc::SYS_seccomp, "seccomp"),
    ] {
        let said = without(call, || place.mistake(EVALUATE));
        assert!(said.contains(missing), "{said}");
        assert!(
            said.contains("--sandbox degraded") && said.contains("risk"),
            "{said}"
        );
        let degraded = [EVALUATE, &["--sandbox", "degraded"]].concat();
        let output = without(call, || place.run(&degraded));
        let said = errors(&output);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("WARNING") && said.contains(missing), "{said}");
        let weak: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
        assert_eq!(weak, strong, "the judgement is the same");
    }
    // Where nothing is missing the flag changes nothing.
    let output = place.run(&[EVALUATE, &["--sandbox", "degraded"]].concat());
    assert!(output.status.success() && !errors(&output).contains("WARNING"));
    // Before the minutes of training that come before the first model.
    let call = libc::SYS_landlock_create_ruleset;
    let said = without(call, || place.mistake(&["up", "--rounds", "1"]));
    assert!(said.contains("Landlock"), "{said}");
}

#[test]
fn a_doctor_looks_at_machine_and_sandbox() {
    let place = Place::new();
    let look_at = |subnet: &str, arguments: &[&str]| -> (Option<i32>, Value) {
        let output = place.run(&[&["doctor", subnet, "--json"], arguments].concat());
        let told = serde_json::from_slice(&output.stdout);
        (
            output.status.code(),
            told.unwrap_or_else(|_| panic!("{}", errors(&output))),
        )
    };
    let look = |arguments: &[&str]| look_at("tricorder", arguments);
    let names = |told: &Value| -> Vec<String> {
        let findings = told["findings"].as_array().expect("a list").iter();
        findings
            .map(|finding| finding["what"].as_str().expect("a name").to_owned())
            .collect()
    };
    // How large this machine is, is not for a test to say; that its sandbox is whole, every test relies on.
    let (status, told) = look(&["--role", "miner"]);
    assert_eq!(
        names(&told),
        ["miner: cores", "miner: memory", "miner: disk", "sandbox"]
    );
    let findings = told["findings"].as_array().expect("a list");
    assert_eq!(findings[3]["state"], "good", "{told}");
    let bad = findings
        .iter()
        .filter(|finding| finding["state"] == "bad")
        .count();
    assert_eq!(
        (&told["bad"], status),
        (&bad.into(), Some(if bad == 0 { 0 } else { 2 }))
    );
    assert_eq!(told["needs"]["subnet"], "tricorder");
    assert_eq!(told["needs"]["minimum"]["validator"]["cores"], 2);
    assert_eq!(names(&look(&[]).1).len(), 7);
    // Who asks live miners runs nobody's model.
    let (_, told) = look_at("healthcare-challenge", &["--role", "validator"]);
    let parts = ["validator: cores", "validator: memory", "validator: disk"];
    assert_eq!(names(&told), parts);
    let needs = &told["needs"];
    assert_eq!(needs["subnet"], "healthcare-challenge");
    assert_eq!(needs["minimum"]["runs_models"], false);
    let (_, models) = look_at("healthcare", &["--role", "validator"]);
    let least = |of: &Value| of["needs"]["minimum"]["validator"]["memory_bytes"].as_u64();
    assert!(least(&told) < least(&models), "{told}");
    assert_eq!(names(&models).len(), 4);

    // In this order: where seccomp is hidden nothing more can be.
    let both = without(libc::SYS_landlock_create_ruleset, || {
        without(libc::SYS_seccomp, || look(&["--role", "validator"]))
    });
    assert_eq!(both.0, Some(2));
    let sandbox = &both.1["findings"][3];
    assert_eq!(sandbox["state"], "bad", "{sandbox}");
    let found = sandbox["found"].as_str().expect("words");
    assert!(found.contains("neither Landlock"), "{found}");
    let advice = sandbox["advice"].as_str().expect("words");
    assert!(advice.contains("--sandbox degraded"), "{advice}");
    let said = place.mistake(&["doctor", "chess"]);
    assert!(
        said.contains("tricorder, healthcare, healthcare-challenge"),
        "{said}"
    );
    let said = place.mistake(&["doctor", "tricorder", "--data-dir", "nowhere"]);
    assert!(said.contains("nowhere"), "{said}");
}

//! Bytes as a JSON value whose Python text is hashed, and as a tensor.
//!
//! What serde_json reads is written, and nothing else.

#![no_main]

use agon_fuzz::generate;
use agon_neuron::peer::{headers::body_hash, python, tensor::Tensor};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(init: generate("python", seeds()), |data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let value = serde_json::from_str::<Value>(text);
    let written = python::str(text);
    assert_eq!(value.is_ok(), written.is_ok(), "{text:?}");
    assert_eq!(body_hash([text]).is_ok(), written.is_ok());
    let Ok(value) = value else {
        return;
    };
    if let Value::String(string) = &value {
        assert_eq!(Ok(string), written.as_ref());
    }
    if let Ok(tensor) = serde_json::from_value::<Tensor>(value) {
        let again = serde_json::to_value(&tensor).expect("it was read");
        let again: Tensor = serde_json::from_value(again).expect("it was written");
        assert_eq!(again, tensor);
    }
});

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let tensor = r#"{"buffer": "hcQCbmTDxAR0eXBlozxmNMQEa2luZMQAxAVzaGFwZZICAsQEZGF0YcQQAADAPwAAAEAAAEBAAACAQA==", "dtype": "torch.float32", "shape": [2, 2]}"#;
    [
        ("null", "null"),
        ("number", "-12345678901234567.25e-3"),
        (
            "list",
            "[1, 2.50, [true, false, null], {\"k\": \"it's \\\"so\\\"\"}]",
        ),
        ("string", "\"\\u00e9\\n\\ud83d\\ude00\""),
        ("tensor", tensor),
    ]
    .map(|(name, text)| (name, text.as_bytes().to_vec()))
    .into()
}

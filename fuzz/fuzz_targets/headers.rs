//! Bytes as the headers and the body of a request of the header protocol.
//!
//! Lines of headers, an empty line, the body. What is read must be signed as it was written, and the server must have an
//! answer to everything.

#![no_main]

use agon_fuzz::{
    generate,
    peers::{NOW, ask, headers, key, lines, own},
};
use agon_neuron::peer::headers::{Claim, Outgoing, body_hash};
use libfuzzer_sys::fuzz_target;
use std::time::Duration;

fuzz_target!(init: generate("headers", seeds()), |data: &[u8]| {
    let headers = headers(data);
    if let Ok(claim) = Claim::read(&headers) {
        let message = claim.message(own());
        let address = headers["bt_header_dendrite_hotkey"].to_str().expect("it was read");
        assert!(message.starts_with(&format!("{}.{address}.{}.", claim.nonce, own())));
        assert!(message.ends_with(&claim.body_hash));
    }
    ask("/Dummy", data);
});

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let body = br#"{"name": "Dummy", "dummy_input": 7, "more": [1.5, "x"]}"#;
    let request = |nonce, caller: &str| {
        let outgoing = Outgoing {
            name: "Dummy",
            signer: &key(caller),
            uuid: "6a1b",
            ip: "10.0.0.1",
            receiver: own(),
            address: ([127, 0, 0, 1], 8091).into(),
            nonce,
            timeout: Duration::from_secs(5),
            body_hash: &body_hash(["7"]).expect("a number"),
        };
        let headers = outgoing
            .headers([("dummy_input", "7")])
            .expect("good names");
        [&lines(&headers)[..], b"\n\n", body].concat()
    };
    let good = request(NOW, "Bob");
    assert_eq!(ask("/Dummy", &good), 200);
    vec![
        ("good", good),
        ("old", request(NOW - 20_000_000_000, "Bob")),
        ("early", request(NOW + 20_000_000_000, "Charlie")),
        ("nothing", b"\n\n{}".to_vec()),
    ]
}

//! Bytes as the headers and the body of a request of `btauth/1`.
//!
//! Lines of headers, an empty line, the body. The server must have an answer to everything.

#![no_main]

use agon_fuzz::{
    generate,
    peers::{NOW, ask, headers, key, lines, own},
};
use agon_keys::{Keypair, Scheme};
use agon_neuron::peer::btauth::{Claim, sign};
use http::Method;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: generate("btauth", seeds()), |data: &[u8]| {
    let headers = headers(data);
    if let Ok(claim) = Claim::read(&headers) {
        let message = claim.message(&Method::POST, "/Exact", b"");
        assert_eq!(message.lines().count(), 8);
        assert!(message.starts_with(&format!("btauth/1\n{}\nPOST\n/Exact\n", claim.scheme)));
        // Nobody here has signed an empty body.
        assert!(!claim.holds(&Method::POST, "/Elsewhere", b""));
    }
    ask("/Exact", data);
});

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let body = br#"{"prompt": "hello"}"#;
    let request = |signer: &Keypair, receiver| {
        let headers = sign(signer, receiver, &Method::POST, "/Exact", body, NOW);
        [&lines(&headers)[..], b"\n\n", body].concat()
    };
    let bob = key("Bob");
    let edwards = Keypair::from_uri_in(Scheme::Ed25519, "//Bob").expect("a name");
    let good = request(&bob, Some(own()));
    assert_eq!(ask("/Exact", &good), 200);
    vec![
        ("good", good),
        ("edwards", request(&edwards, Some(own()))),
        ("nobody", request(&bob, None)),
        ("elsewhere", request(&bob, Some(bob.account()))),
    ]
}

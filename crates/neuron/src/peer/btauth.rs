//! `btauth/1`, the signed requests of SDK 11: eight lines, of which one is the digest of the body's exact bytes.

use agon_keys::{AccountId, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sha2::{Digest, Sha256};

/// Header names; they are looked up in any case.
pub mod name {
    use http::HeaderName;

    /// The protocol's version, `1`.
    pub const VERSION: HeaderName = HeaderName::from_static("x-bittensor-version");
    /// The caller's hotkey.
    pub const HOTKEY: HeaderName = HeaderName::from_static("x-bittensor-hotkey");
    /// The hotkey that is asked.
    pub const RECEIVER: HeaderName = HeaderName::from_static("x-bittensor-receiver");
    /// When the caller signed, in nanoseconds since 1970.
    pub const NONCE: HeaderName = HeaderName::from_static("x-bittensor-nonce");
    /// The kind of key, where it is not sr25519.
    pub const CRYPTO: HeaderName = HeaderName::from_static("x-bittensor-crypto");
    /// The signature.
    pub const SIGNATURE: HeaderName = HeaderName::from_static("x-bittensor-signature");
}

/// A header that is missing or not of its form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the header {0} is missing or malformed")]
pub struct Malformed(pub &'static str);

/// Who asks, as the headers say; nothing of it is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The caller's hotkey.
    pub hotkey: AccountId,
    address: String,
    /// The hotkey that is asked, if it is said.
    pub receiver: Option<AccountId>,
    receiver_text: Option<String>,
    /// When the caller signed, in nanoseconds since 1970.
    pub nonce: u64,
    /// The kind of key.
    pub scheme: Scheme,
    /// The signature.
    pub signature: [u8; 64],
}

impl Claim {
    /// Whether a request is of this protocol.
    pub fn is_in(headers: &HeaderMap) -> bool {
        headers.contains_key(name::VERSION) || headers.contains_key(name::SIGNATURE)
    }

    /// Reads the headers of a request.
    ///
    /// # Errors
    /// When one that is needed is missing or not of its form.
    pub fn read(headers: &HeaderMap) -> Result<Self, Malformed> {
        let text = |name: &HeaderName, what| -> Result<Option<&str>, Malformed> {
            let mut values = headers.get_all(name).iter();
            match (values.next(), values.next()) {
                (None, _) => Ok(None),
                (Some(value), None) => value.to_str().map(Some).map_err(|_| Malformed(what)),
                (Some(_), Some(_)) => Err(Malformed(what)),
            }
        };
        if text(&name::VERSION, "X-Bittensor-Version")? != Some("1") {
            return Err(Malformed("X-Bittensor-Version"));
        }
        let what = "X-Bittensor-Hotkey";
        let address = text(&name::HOTKEY, what)?.ok_or(Malformed(what))?;
        let hotkey = address.parse().map_err(|_| Malformed(what))?;
        let what = "X-Bittensor-Receiver";
        let receiver_text = text(&name::RECEIVER, what)?;
        let receiver = receiver_text
            .map(|text| text.parse().map_err(|_| Malformed(what)))
            .transpose()?;
        let what = "X-Bittensor-Nonce";
        let nonce = text(&name::NONCE, what)?.ok_or(Malformed(what))?;
        let digits = nonce.bytes().all(|byte| byte.is_ascii_digit());
        let canonical = digits && (nonce == "0" || !nonce.starts_with('0'));
        let nonce = canonical.then(|| nonce.parse().ok()).flatten();
        let nonce = nonce.ok_or(Malformed(what))?;
        let what = "X-Bittensor-Crypto";
        let scheme = match text(&name::CRYPTO, what)? {
            None | Some("sr25519" | "1") => Scheme::Sr25519,
            Some("ed25519" | "0") => Scheme::Ed25519,
            Some(_) => return Err(Malformed(what)),
        };
        let what = "X-Bittensor-Signature";
        let signature = text(&name::SIGNATURE, what)?.and_then(super::signature);
        Ok(Self {
            hotkey,
            address: address.to_owned(),
            receiver,
            receiver_text: receiver_text.map(str::to_owned),
            nonce,
            scheme,
            signature: signature.ok_or(Malformed(what))?,
        })
    }

    /// What the caller must have signed for this request.
    pub fn message(&self, method: &Method, target: &str, body: &[u8]) -> String {
        message(
            self.scheme,
            method,
            target,
            body,
            self.nonce,
            &self.address,
            self.receiver_text.as_deref(),
        )
    }

    /// Whether the signature is the caller's over this request.
    pub fn holds(&self, method: &Method, target: &str, body: &[u8]) -> bool {
        // A signature tells its scheme by its highest bit, and is of the one that was said or of none.
        let is_sr25519 = self.signature[63] & 0x80 != 0;
        let message = self.message(method, target, body);
        is_sr25519 == (self.scheme == Scheme::Sr25519)
            && agon_keys::verify_exactly(&self.hotkey, message.as_bytes(), &self.signature)
    }
}

fn message(
    scheme: Scheme,
    method: &Method,
    target: &str,
    body: &[u8],
    nonce: u64,
    sender: &str,
    receiver: Option<&str>,
) -> String {
    let digest = hex::encode(Sha256::digest(body));
    let (method, receiver) = (method.as_str().to_uppercase(), receiver.unwrap_or("-"));
    format!("btauth/1\n{scheme}\n{method}\n{target}\n{digest}\n{nonce}\n{sender}\n{receiver}")
}

/// The headers of a request that `signer` makes at `nonce` (nanoseconds since 1970).
pub fn sign(
    signer: &dyn crate::Signer,
    receiver: Option<AccountId>,
    method: &Method,
    target: &str,
    body: &[u8],
    nonce: u64,
) -> HeaderMap {
    let sender = signer.account().to_string();
    let receiver = receiver.map(|receiver| receiver.to_string());
    let message = message(
        signer.scheme(),
        method,
        target,
        body,
        nonce,
        &sender,
        receiver.as_deref(),
    );
    let signature = format!("0x{}", hex::encode(signer.sign(message.as_bytes())));
    let mut headers = HeaderMap::new();
    headers.insert(name::VERSION, HeaderValue::from_static("1"));
    headers.insert(name::NONCE, nonce.into());
    if signer.scheme() == Scheme::Ed25519 {
        headers.insert(name::CRYPTO, HeaderValue::from_static("ed25519"));
    }
    for (name, text) in [
        (name::HOTKEY, Some(sender)),
        (name::RECEIVER, receiver),
        (name::SIGNATURE, Some(signature)),
    ] {
        if let Some(text) = text {
            let value = HeaderValue::try_from(text);
            headers.insert(name, value.expect("addresses and digits stand in headers"));
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use agon_keys::Keypair;

    use super::*;

    const NONCE: u64 = 1_752_076_800_000_000_000;
    const BODY: &[u8] = br#"{"prompt": "hello"}"#;
    const TARGET: &str = "/generate?stream=false";

    fn bob() -> AccountId {
        Keypair::from_uri("//Bob").unwrap().account()
    }

    #[test]
    fn the_signature_of_the_public_client_holds() {
        let mut headers = HeaderMap::new();
        for (name, text) in [
            (name::VERSION, "1"),
            (
                name::HOTKEY,
                "5FA9nQDVg267DEd8m1ZypXLBnvN7SFxYwV7ndqSYGiN9TTpu",
            ),
            (
                name::RECEIVER,
                "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty",
            ),
            (name::NONCE, "1752076800000000000"),
            (name::CRYPTO, "ed25519"),
            (
                name::SIGNATURE,
                "0x1a6b631988bf1f7ea093ab9d5acf61f05c316d0b0e428b24b487b75a5f6ee0e1a56a26918fdf871b6cf09437e6588023a4ce423cf622621b2a7feee17612f704",
            ),
        ] {
            headers.insert(name, HeaderValue::from_static(text));
        }
        assert!(Claim::is_in(&headers));
        // An ed25519 signature is always the same.
        let alice = Keypair::from_uri_in(Scheme::Ed25519, "//Alice").unwrap();
        let ours = sign(&alice, Some(bob()), &Method::POST, TARGET, BODY, NONCE);
        assert_eq!(ours, headers);
        let claim = Claim::read(&headers).unwrap();
        assert_eq!((claim.receiver, claim.nonce), (Some(bob()), NONCE));
        assert!(claim.holds(&Method::POST, TARGET, BODY));
        assert!(!claim.holds(&Method::GET, TARGET, BODY));
        assert!(!claim.holds(&Method::POST, "/generate", BODY));
        assert!(!claim.holds(&Method::POST, TARGET, b"{}"));
        // A signature is of one scheme only.
        headers.remove(name::CRYPTO);
        let claim = Claim::read(&headers).unwrap();
        assert!(!claim.holds(&Method::POST, TARGET, BODY));
    }

    #[test]
    fn what_is_signed_here_holds_here() {
        let alice = Keypair::from_uri("//Alice").unwrap();
        for receiver in [Some(bob()), None] {
            let headers = sign(&alice, receiver, &Method::POST, TARGET, BODY, NONCE);
            let claim = Claim::read(&headers).unwrap();
            assert_eq!((claim.hotkey, claim.receiver), (alice.account(), receiver));
            assert!(claim.holds(&Method::POST, TARGET, BODY));
            let digest = "341c57448e531310fbbe83f44cea2a5e838bd9e8a6b82b269f01d0dbbc23c3cc";
            assert!(claim.message(&Method::POST, TARGET, BODY).contains(digest));
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let alice = Keypair::from_uri("//Alice").unwrap();
        let with = |name: HeaderName, text: &'static str| {
            let mut headers = sign(&alice, Some(bob()), &Method::POST, TARGET, BODY, NONCE);
            headers.insert(name, HeaderValue::from_static(text));
            Claim::read(&headers)
        };
        for (header, text, what) in [
            (name::VERSION, "2", "X-Bittensor-Version"),
            (name::HOTKEY, "5Alice", "X-Bittensor-Hotkey"),
            (name::RECEIVER, "-", "X-Bittensor-Receiver"),
            (name::NONCE, "1.5", "X-Bittensor-Nonce"),
            (name::NONCE, "", "X-Bittensor-Nonce"),
            (name::NONCE, "007", "X-Bittensor-Nonce"),
            (name::CRYPTO, "rsa", "X-Bittensor-Crypto"),
            (name::SIGNATURE, "0xzz", "X-Bittensor-Signature"),
        ] {
            assert_eq!(with(header, text), Err(Malformed(what)), "{text}");
        }
        assert!(Claim::read(&HeaderMap::new()).is_err());
    }
}

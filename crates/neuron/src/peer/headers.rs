//! The header protocol of the Python SDK 7.2 to 10.x.
//!
//! A request is a POST to `/<name>`. Its headers say who asks whom and are signed; its body is one JSON object of the
//! fields that every request has and those of its own. What is signed covers the body only through a hash over those
//! fields that the request's type names, often none.

use std::time::Duration;

use agon_keys::AccountId;
use http::{HeaderMap, HeaderName, HeaderValue};
use sha3::{Digest, Sha3_256};

use super::python::{self, NotJson};

/// Header names, as they are sent.
pub mod name {
    use http::HeaderName;

    /// The request's name.
    pub const NAME: HeaderName = HeaderName::from_static("name");
    /// Seconds that the caller waits.
    pub const TIMEOUT: HeaderName = HeaderName::from_static("timeout");
    /// The hash over the signed fields.
    pub const BODY_HASH: HeaderName = HeaderName::from_static("computed_body_hash");
    /// The server's hotkey.
    pub const AXON_HOTKEY: HeaderName = HeaderName::from_static("bt_header_axon_hotkey");
    /// The server's address, as the caller sees it.
    pub const AXON_IP: HeaderName = HeaderName::from_static("bt_header_axon_ip");
    /// The server's port, as the caller sees it.
    pub const AXON_PORT: HeaderName = HeaderName::from_static("bt_header_axon_port");
    /// The server's software as a number.
    pub const AXON_VERSION: HeaderName = HeaderName::from_static("bt_header_axon_version");
    /// What became of the request.
    pub const AXON_STATUS: HeaderName = HeaderName::from_static("bt_header_axon_status_code");
    /// The same in words.
    pub const AXON_MESSAGE: HeaderName = HeaderName::from_static("bt_header_axon_status_message");
    /// Seconds that it took.
    pub const AXON_TIME: HeaderName = HeaderName::from_static("bt_header_axon_process_time");
    /// The caller's address, as it believes.
    pub const DENDRITE_IP: HeaderName = HeaderName::from_static("bt_header_dendrite_ip");
    /// The caller's software as a number.
    pub const DENDRITE_VERSION: HeaderName = HeaderName::from_static("bt_header_dendrite_version");
    /// When the caller signed.
    pub const DENDRITE_NONCE: HeaderName = HeaderName::from_static("bt_header_dendrite_nonce");
    /// Which of the caller's programs asks.
    pub const DENDRITE_UUID: HeaderName = HeaderName::from_static("bt_header_dendrite_uuid");
    /// The caller's hotkey.
    pub const DENDRITE_HOTKEY: HeaderName = HeaderName::from_static("bt_header_dendrite_hotkey");
    /// The caller's signature.
    pub const DENDRITE_SIGNATURE: HeaderName =
        HeaderName::from_static("bt_header_dendrite_signature");
}

/// The prefix of a header that stands for one of the request's own fields.
const INPUT: &str = "bt_header_input_obj_";

/// The most bytes of a caller's uuid: a UUID has 36.
const MAX_UUID: usize = 64;

/// The software's version from which on a nonce is a time, in nanoseconds since 1970: 7.2.0.
pub const TIMED_NONCES: u32 = 7_002_000;

/// A header that is missing or cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is not there.
    #[error("missing {0}")]
    Missing(&'static str),
    /// It is there, and not of its form.
    #[error("{0} cannot be read")]
    Unreadable(&'static str),
}

/// Who asks, as the headers say; nothing of it is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The caller's hotkey.
    pub hotkey: AccountId,
    /// The same as it was written, which is what is signed.
    address: String,
    /// The hotkey that is asked; the server's own where none is said.
    pub receiver: Option<AccountId>,
    /// When the caller signed, in nanoseconds since 1970.
    pub nonce: u64,
    /// Which of the caller's programs asks.
    pub uuid: String,
    /// The hash over the signed fields, as it was written.
    pub body_hash: String,
    /// The caller's software as a number: 7.2.0 is 7002000.
    pub version: Option<u32>,
    /// How long the caller waits.
    pub timeout: Option<Duration>,
    /// The signature.
    pub signature: [u8; 64],
}

impl Claim {
    /// Reads the headers of a request.
    ///
    /// # Errors
    /// When one that is needed is missing or not of its form.
    pub fn read(headers: &HeaderMap) -> Result<Self, Malformed> {
        let address = required(headers, &name::DENDRITE_HOTKEY, "dendrite hotkey")?;
        let hotkey = address
            .parse()
            .map_err(|_| Malformed::Unreadable("dendrite hotkey"))?;
        let receiver = optional(headers, &name::AXON_HOTKEY, "axon hotkey")?
            .map(|text| {
                text.parse()
                    .map_err(|_| Malformed::Unreadable("axon hotkey"))
            })
            .transpose()?;
        let nonce = required(headers, &name::DENDRITE_NONCE, "nonce")?;
        let uuid = optional(headers, &name::DENDRITE_UUID, "uuid")?.unwrap_or_default();
        if uuid.len() > MAX_UUID {
            return Err(Malformed::Unreadable("uuid"));
        }
        let version = optional(headers, &name::DENDRITE_VERSION, "version")?
            .map(|text| text.parse().map_err(|_| Malformed::Unreadable("version")))
            .transpose()?;
        let timeout = optional(headers, &name::TIMEOUT, "timeout")?
            .map(|text| seconds(text).ok_or(Malformed::Unreadable("timeout")))
            .transpose()?;
        let signature = required(headers, &name::DENDRITE_SIGNATURE, "signature")?;
        Ok(Self {
            hotkey,
            address: address.to_owned(),
            receiver,
            nonce: decimal(nonce).ok_or(Malformed::Unreadable("nonce"))?,
            uuid: uuid.to_owned(),
            body_hash: required(headers, &name::BODY_HASH, "computed_body_hash")?.to_owned(),
            version,
            timeout,
            signature: super::signature(signature).ok_or(Malformed::Unreadable("signature"))?,
        })
    }

    /// What the caller must have signed for the server with hotkey `own`.
    pub fn message(&self, own: AccountId) -> String {
        message(
            self.nonce,
            &self.address,
            &own.to_string(),
            &self.uuid,
            &self.body_hash,
        )
    }
}

/// What a caller signs.
fn message(nonce: u64, dendrite: &str, axon: &str, uuid: &str, body_hash: &str) -> String {
    format!("{nonce}.{dendrite}.{axon}.{uuid}.{body_hash}")
}

/// The hash over a request's signed fields: of each the SHA3-256 of its `str()`, and of those the SHA3-256.
///
/// # Errors
/// When a value is not JSON.
pub fn body_hash<'a>(values: impl IntoIterator<Item = &'a str>) -> Result<String, NotJson> {
    let mut all = String::new();
    for value in values {
        all.push_str(&hex::encode(Sha3_256::digest(python::str(value)?)));
    }
    Ok(hex::encode(Sha3_256::digest(all)))
}

/// A request's headers, signed.
pub struct Outgoing<'a> {
    /// The request's name.
    pub name: &'a str,
    /// The caller.
    pub signer: &'a dyn crate::Signer,
    /// Which of the caller's programs asks.
    pub uuid: &'a str,
    /// The caller's address, as it believes.
    pub ip: &'a str,
    /// The hotkey that is asked.
    pub receiver: AccountId,
    /// Where it is asked.
    pub address: std::net::SocketAddr,
    /// When this is signed, in nanoseconds since 1970.
    pub nonce: u64,
    /// How long the caller waits.
    pub timeout: Duration,
    /// See [`body_hash`].
    pub body_hash: &'a str,
}

impl Outgoing<'_> {
    /// The headers. `fields` are the request's own fields with their values as JSON: a server of the Python SDK wants
    /// an empty value of the right type for each.
    ///
    /// # Errors
    /// When a name cannot stand in a header.
    pub fn headers<'f>(
        &self,
        fields: impl IntoIterator<Item = (&'f str, &'f str)>,
    ) -> Result<HeaderMap, http::Error> {
        let (own, receiver) = (self.signer.account().to_string(), self.receiver.to_string());
        let message = message(self.nonce, &own, &receiver, self.uuid, self.body_hash);
        let signature = format!("0x{}", hex::encode(self.signer.sign(message.as_bytes())));
        let mut headers = HeaderMap::new();
        for (header, text) in [
            (name::NAME, self.name.to_owned()),
            (name::TIMEOUT, python_seconds(self.timeout)),
            (name::AXON_IP, self.address.ip().to_string()),
            (name::AXON_PORT, self.address.port().to_string()),
            (name::AXON_HOTKEY, receiver),
            (name::DENDRITE_IP, self.ip.to_owned()),
            (name::DENDRITE_VERSION, super::VERSION.to_string()),
            (name::DENDRITE_NONCE, self.nonce.to_string()),
            (name::DENDRITE_UUID, self.uuid.to_owned()),
            (name::DENDRITE_HOTKEY, own),
            (name::DENDRITE_SIGNATURE, signature),
            (name::BODY_HASH, self.body_hash.to_owned()),
        ] {
            headers.insert(header, HeaderValue::try_from(text)?);
        }
        for (field, value) in fields {
            if let Some(empty) = empty_like(value) {
                let header = HeaderName::try_from(format!("{INPUT}{field}"))?;
                headers.insert(header, HeaderValue::from_static(empty));
            }
        }
        Ok(headers)
    }
}

/// An empty value of a JSON value's type, in base64; none for null.
fn empty_like(value: &str) -> Option<&'static str> {
    match value.trim_start().bytes().next()? {
        b'"' => Some("IiI="),            // ""
        b'[' => Some("W10="),            // []
        b'{' => Some("e30="),            // {}
        b't' | b'f' => Some("ZmFsc2U="), // false
        b'n' => None,
        _ if value.contains(['.', 'e', 'E']) => Some("MC4w"), // 0.0
        _ => Some("MA=="),                                    // 0
    }
}

/// Seconds as Python writes a float.
fn python_seconds(time: Duration) -> String {
    let text = time.as_secs_f64().to_string();
    match text.contains('.') {
        true => text,
        false => format!("{text}.0"),
    }
}

/// A number of seconds; not negative, and finite.
fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

/// Digits alone: whatever else Rust or Python take for a number is not what was signed.
fn decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    (canonical && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

fn optional<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    what: &'static str,
) -> Result<Option<&'a str>, Malformed> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    // Of two, the one who judges and the one who acts could take different ones.
    if values.next().is_some() {
        return Err(Malformed::Unreadable(what));
    }
    let text = value.to_str().map_err(|_| Malformed::Unreadable(what))?;
    Ok(Some(text))
}

fn required<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    what: &'static str,
) -> Result<&'a str, Malformed> {
    optional(headers, name, what)?.ok_or(Malformed::Missing(what))
}

#[cfg(test)]
mod tests {
    use agon_keys::{Keypair, verify};

    use super::*;

    #[test]
    fn the_hash_is_that_of_the_public_clients() {
        assert_eq!(
            body_hash([]).unwrap(),
            "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a"
        );
        assert_eq!(
            body_hash(["7"]).unwrap(),
            "2792065dc8ce849c2fd6bac2c0189934746b514c4a2b273d8381b60a0dc253fb"
        );
        assert_eq!(body_hash(["nonsense"]), Err(NotJson));
    }

    fn sent() -> HeaderMap {
        let outgoing = Outgoing {
            name: "Dummy",
            signer: &Keypair::from_uri("//Alice").unwrap(),
            uuid: "6a1b",
            ip: "10.0.0.1",
            receiver: Keypair::from_uri("//Bob").unwrap().account(),
            address: ([127, 0, 0, 1], 8091).into(),
            nonce: 1_752_076_800_000_000_000,
            timeout: Duration::from_secs(5),
            body_hash: &body_hash(["7"]).unwrap(),
        };
        outgoing
            .headers([("dummy_input", "7"), ("later", "null")])
            .unwrap()
    }

    #[test]
    fn what_is_sent_is_read_and_its_signature_holds() {
        let headers = sent();
        assert_eq!(headers["timeout"], "5.0");
        assert_eq!(headers["bt_header_input_obj_dummy_input"], "MA==");
        assert!(!headers.contains_key("bt_header_input_obj_later"));
        let claim = Claim::read(&headers).unwrap();
        let (alice, bob) = (
            Keypair::from_uri("//Alice").unwrap(),
            Keypair::from_uri("//Bob").unwrap(),
        );
        assert_eq!(
            (claim.hotkey, claim.receiver),
            (alice.account(), Some(bob.account()))
        );
        assert_eq!(claim.timeout, Some(Duration::from_secs(5)));
        let message = claim.message(bob.account());
        assert_eq!(
            message,
            "1752076800000000000.5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY.5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty.6a1b.2792065dc8ce849c2fd6bac2c0189934746b514c4a2b273d8381b60a0dc253fb"
        );
        assert!(verify(&claim.hotkey, message.as_bytes(), &claim.signature));
        assert!(!verify(
            &claim.hotkey,
            claim.message(alice.account()).as_bytes(),
            &claim.signature
        ));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let with = |header: HeaderName, value: &str| {
            let mut headers = sent();
            headers.insert(header, HeaderValue::try_from(value).unwrap());
            Claim::read(&headers)
        };
        for nonce in [
            "",
            "-1",
            "+1",
            "1.0",
            "01",
            "1e9",
            "18446744073709551616",
            " 1",
        ] {
            assert_eq!(
                with(name::DENDRITE_NONCE, nonce),
                Err(Malformed::Unreadable("nonce")),
                "{nonce}"
            );
        }
        for timeout in ["-1", "nan", "inf", "1e30", ""] {
            assert_eq!(
                with(name::TIMEOUT, timeout),
                Err(Malformed::Unreadable("timeout")),
                "{timeout}"
            );
        }
        let long = "u".repeat(MAX_UUID + 1);
        assert_eq!(
            with(name::DENDRITE_UUID, &long),
            Err(Malformed::Unreadable("uuid"))
        );
        assert_eq!(
            with(name::DENDRITE_SIGNATURE, "0x12"),
            Err(Malformed::Unreadable("signature"))
        );
        let mut headers = sent();
        headers.append(name::DENDRITE_NONCE, HeaderValue::from_static("5"));
        assert_eq!(Claim::read(&headers), Err(Malformed::Unreadable("nonce")));
        headers.remove(name::DENDRITE_NONCE);
        assert_eq!(Claim::read(&headers), Err(Malformed::Missing("nonce")));
    }
}

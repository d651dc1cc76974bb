//! A bucket on this machine: objects that are put and read as the S3 API has it, by whoever signs or by anybody.

use super::server::{Answer, Request, Server};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use md5::Md5;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The only bucket.
pub const NAME: &str = "models";
/// The only credentials.
pub const KEY: &str = "AKIAOFTHETEST";
pub const SECRET: &str = "secret/of+the=test";
pub const TOKEN: &str = "token/of+the=test";

const REGION: &str = "eu-test-1";

#[derive(Default)]
struct World {
    objects: BTreeMap<String, Vec<u8>>,
    is_public: bool,
    /// How often something was asked, by method and key.
    asked: BTreeMap<String, usize>,
}

/// A running server with one bucket.
pub struct Bucket {
    pub server: Server,
    world: Arc<Mutex<World>>,
}

impl Bucket {
    pub fn new() -> Self {
        Self::failing(|_, _| None)
    }

    /// What goes wrong is asked before the bucket itself, with how often the same was asked for before.
    pub fn failing(
        fault: impl Fn(&Request, usize) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let world = Arc::new(Mutex::new(World::default()));
        let inside = world.clone();
        let server = Server::new(move |request, _| {
            let mut world = inside.lock().unwrap();
            let path = request.path.split('?').next().unwrap();
            // A first byte is asked for before a file is.
            let range = request.header("range").unwrap_or_default();
            let what = format!("{} {path} {}", request.method, range == "bytes=0-0");
            let asked = world.asked.entry(what).or_default();
            *asked += 1;
            let before = *asked - 1;
            fault(request, before).unwrap_or_else(|| world.answer(request))
        });
        Self { server, world }
    }

    /// What a program finds in its environment.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
            ("AWS_SESSION_TOKEN", TOKEN.to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ENDPOINT_URL", self.server.url.clone()),
        ]
    }

    /// Lets everybody read.
    pub fn show(&self) {
        self.world.lock().unwrap().is_public = true;
    }

    /// Puts bytes there, whatever the key says of them.
    pub fn place(&self, key: &str, bytes: &[u8]) {
        let mut world = self.world.lock().unwrap();
        world.objects.insert(key.to_owned(), bytes.to_vec());
    }

    pub fn object(&self, key: &str) -> Option<Vec<u8>> {
        self.world.lock().unwrap().objects.get(key).cloned()
    }

    pub fn keys(&self) -> Vec<String> {
        self.world.lock().unwrap().objects.keys().cloned().collect()
    }

    /// How many requests came with this method.
    pub fn asked(&self, method: &str) -> usize {
        let seen = self.server.seen();
        seen.iter().filter(|it| it.method == method).count()
    }
}

/// Whether the request is for a file, and not for what is said of it.
pub fn is_transfer(request: &Request) -> bool {
    request.method == "GET" && request.header("range") != Some("bytes=0-0")
}

/// A file as S3 sends it, or the part of it that is asked for.
pub fn object(request: &Request, bytes: &[u8]) -> Answer {
    let tag = format!("\"{}\"", hex(&Md5::digest(bytes)));
    let range = request.header("range").and_then(|range| {
        let (start, end) = range.strip_prefix("bytes=")?.split_once('-')?;
        let start: usize = start.parse().ok()?;
        let end = end.parse().map_or(bytes.len(), |end: usize| end + 1);
        Some((start, end.min(bytes.len())))
    });
    let is_same = request.header("if-range").is_none_or(|it| it == tag);
    match range.filter(|_| is_same) {
        Some((start, _)) if start >= bytes.len() => refusal(416, "InvalidRange"),
        Some((start, end)) => Answer::new(206, &bytes[start..end])
            .with(
                "content-range",
                format!("bytes {start}-{}/{}", end - 1, bytes.len()),
            )
            .with("etag", tag),
        None => Answer::new(200, bytes).with("etag", tag),
    }
}

/// A refusal as S3 has it.
pub fn refusal(status: u16, code: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>No.</Message></Error>"
    );
    Answer::new(status, body).with("content-type", "application/xml")
}

impl World {
    fn answer(&mut self, request: &Request) -> Answer {
        // An address that is signed and credentials beside it are refused by S3.
        assert!(request.header("authorization").is_none());
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let is_owner = match query.contains("X-Amz-") {
            true => match signed(request, path, query) {
                Ok(()) => true,
                Err(code) => return refusal(403, code),
            },
            false => false,
        };
        let (bucket, key) = path[1..].split_once('/').unwrap();
        if bucket != NAME {
            return refusal(404, "NoSuchBucket");
        }
        match &*request.method {
            "GET" if is_owner || self.is_public => match self.objects.get(key) {
                Some(bytes) => object(request, bytes),
                None => refusal(404, "NoSuchKey"),
            },
            "PUT" if is_owner => {
                let md5 = BASE64_STANDARD.encode(Md5::digest(&request.body));
                if request.header("content-md5") != Some(&md5) {
                    return refusal(400, "BadDigest");
                }
                self.objects.insert(key.to_owned(), request.body.clone());
                Answer::new(200, "")
            }
            _ => refusal(403, "AccessDenied"),
        }
    }
}

/// Whether an address is signed as version 4 has it, computed here once more.
fn signed(request: &Request, path: &str, query: &str) -> Result<(), &'static str> {
    let (canonical, signature) = query.split_once("&X-Amz-Signature=").expect("a signature");
    let fields: Vec<_> = canonical.split('&').collect();
    assert!(fields.is_sorted(), "{canonical}");
    let fields = fields.iter().map(|field| field.split_once('=').unwrap());
    let fields: BTreeMap<&str, &str> = fields.collect();
    assert_eq!(fields["X-Amz-Algorithm"], "AWS4-HMAC-SHA256");
    assert_eq!(fields["X-Amz-SignedHeaders"], "host");
    let seconds: u32 = fields["X-Amz-Expires"].parse().unwrap();
    assert!((60..=7 * 24 * 3600).contains(&seconds));
    let time = fields["X-Amz-Date"];
    assert!(
        time.len() == 16 && &time[8..9] == "T" && time.ends_with('Z'),
        "{time}"
    );
    let day = &time[..8];
    let scope = format!("{day}/{REGION}/s3/aws4_request");
    let credential = fields["X-Amz-Credential"].replace("%2F", "/");
    if credential != format!("{KEY}/{scope}") {
        return Err("InvalidAccessKeyId");
    }
    let token = "token%2Fof%2Bthe%3Dtest";
    if fields.get("X-Amz-Security-Token") != Some(&token) {
        return Err("InvalidToken");
    }
    let host = request.header("host").unwrap();
    let method = &request.method;
    let asked = format!("{method}\n{path}\n{canonical}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD");
    let text = format!(
        "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
        hex(&Sha256::digest(asked))
    );
    let first = format!("AWS4{SECRET}").into_bytes();
    let words = [day, REGION, "s3", "aws4_request", &text];
    let made = words
        .iter()
        .fold(first, |key, word| hmac(&key, word.as_bytes()));
    match hex(&made) == signature {
        true => Ok(()),
        false => Err("SignatureDoesNotMatch"),
    }
}

/// HMAC-SHA256 (RFC 2104) for keys of at most one block.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let pad = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(at, byte)| *at ^= byte);
        block
    };
    let inner = Sha256::new()
        .chain_update(pad(0x36))
        .chain_update(text)
        .finalize();
    Sha256::new()
        .chain_update(pad(0x5c))
        .chain_update(inner)
        .finalize()
        .to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

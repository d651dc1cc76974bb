//! A bucket as a store, on any server that speaks S3.
//!
//! Keys are those of a directory: `<prefix>/<first two hex digits>/<sha256>` and `<prefix>/named/<folder>/<name>`, so a
//! local store can be copied into a bucket as it is. Requests are signed in their address and carry no other credentials;
//! without credentials they are not signed, and what everybody may read can be read. Transfers are those of data sets:
//! capped before and during, gone on with where they broke, checked, and tried again where that can help.
//!
//! What it refuses to do: it lists nothing, deletes nothing, makes no bucket, and says nothing of a key or a secret.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use md5::Md5;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use sha2::{Digest, Sha256};
use ureq::http::Method;
use url::Url;

use super::{ArtefactStore, Cache, ParseLocationError, StoreError, key, named_key, not_plain};
use crate::files::{self, ReadError};
use crate::source::transfer::{Ask, Client, Expected, Job, Seen, shown};
use crate::source::{Patience, SourceError, parse_endpoint};

const KEY: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const TOKEN: &str = "AWS_SESSION_TOKEN";
const REGION: &str = "AWS_REGION";
const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// The region where none is named.
const USUAL_REGION: &str = "us-east-1";
/// How long a signature is good: for all attempts of one transfer.
const SIGNED_FOR: Duration = Duration::from_secs(3600);
/// Most bytes of a prefix; keys have at most 1024.
const MAX_PREFIX: usize = 512;
/// What to do when the server refuses.
const ADVICE: &str = "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN) to credentials that may do this";
/// What a server says of a request that comes at the wrong time by the clock here.
const LATE: [&str; 2] = ["Request has expired", "Request is not yet valid"];

/// Nobody stops a transfer but the end of the process; it can be repeated.
static GO_ON: AtomicBool = AtomicBool::new(false);

/// A bucket, and the prefix of all keys in it, which ends with a slash or is empty. Written `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketPlace {
    bucket: String,
    prefix: String,
}

impl FromStr for BucketPlace {
    type Err = ParseLocationError;

    /// Reads what stands behind `s3://`.
    fn from_str(text: &str) -> Result<Self, ParseLocationError> {
        let (bucket, rest) = text.split_once('/').unwrap_or((text, ""));
        let prefix = rest.strip_suffix('/').unwrap_or(rest);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_bucket = (3..=255).contains(&bucket.len())
            && bucket.bytes().all(allowed)
            && bucket.as_bytes()[0].is_ascii_alphanumeric();
        let is_part = |part: &str| {
            // In an address these would lead elsewhere.
            !part.is_empty() && part != "." && part != ".." && !part.contains(char::is_control)
        };
        let is_prefix =
            rest.is_empty() || prefix.len() <= MAX_PREFIX && prefix.split('/').all(is_part);
        match is_bucket && is_prefix {
            true => Ok(Self {
                bucket: bucket.to_owned(),
                prefix: match prefix {
                    "" => String::new(),
                    prefix => format!("{prefix}/"),
                },
            }),
            false => Err(ParseLocationError::NoBucket),
        }
    }
}

impl fmt::Display for BucketPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = format!("s3://{}/{}", self.bucket, self.prefix);
        formatter.write_str(place.trim_end_matches('/'))
    }
}

/// A bucket as a store.
pub struct S3Store {
    place: BucketPlace,
    bucket: Bucket,
    credentials: Option<Credentials>,
    patience: Patience,
    cache: Option<Cache>,
}

impl fmt::Debug for S3Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("S3Store")
            .field("place", &self.place)
            .field("signs", &self.credentials.is_some())
            .finish_non_exhaustive()
    }
}

impl S3Store {
    /// The store in a bucket; no server is asked. What is fetched from it is kept in `cache`, if there is one.
    ///
    /// Through `variable` the environment is read: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, with
    /// `AWS_SESSION_TOKEN` where they have one, `AWS_REGION` (us-east-1), and `AWS_ENDPOINT_URL` for a server that is not
    /// Amazon's. Without credentials requests are those of anybody.
    ///
    /// # Errors
    /// For half of the credentials, a region that is none, and an endpoint that is neither private nor on this machine.
    pub fn open(
        place: &BucketPlace,
        variable: &dyn Fn(&str) -> Option<String>,
        patience: Patience,
        cache: Option<Cache>,
    ) -> Result<Self, SourceError> {
        let variable = |name: &str| {
            let value = variable(name)?.trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        let credentials = match (variable(KEY), variable(SECRET), variable(TOKEN)) {
            (Some(key), Some(secret), Some(token)) => {
                Some(Credentials::new_with_token(key, secret, token))
            }
            (Some(key), Some(secret), None) => Some(Credentials::new(key, secret)),
            (None, None, _) => None,
            _ => {
                return Err(SourceError::Credentials(format!(
                    "{KEY} and {SECRET} belong together; set both or neither"
                )));
            }
        };
        let region = variable(REGION).unwrap_or_else(|| USUAL_REGION.to_owned());
        let is_region = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !region.bytes().all(is_region) {
            return Err(SourceError::Endpoint {
                name: REGION,
                value: region,
                reason: "it is no region",
            });
        }
        let endpoint = variable(ENDPOINT);
        // As part of a host's name, where that can be: Amazon wants it, and few others know it.
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let style = match endpoint.is_none() && place.bucket.bytes().all(plain) {
            true => UrlStyle::VirtualHost,
            false => UrlStyle::Path,
        };
        let address = endpoint.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let url = parse_endpoint(ENDPOINT, &address)?;
        let bucket = Bucket::new(url, style, place.bucket.clone(), region);
        let bucket = bucket.map_err(|_| SourceError::Endpoint {
            name: ENDPOINT,
            value: address,
            reason: "it has no host for a bucket",
        })?;
        Ok(Self {
            place: place.clone(),
            bucket,
            credentials,
            patience,
            cache,
        })
    }

    /// What a key is called for people.
    fn name(&self, key: &str) -> String {
        format!("s3://{}/{}{key}", self.place.bucket, self.place.prefix)
    }

    fn root(&self) -> PathBuf {
        self.place.to_string().into()
    }

    /// A request for what is under the key, to be brought to `path`.
    fn job(&self, key: &str, path: &Path, expected: Expected) -> Job {
        let object = format!("{}{key}", self.place.prefix);
        let action = self.bucket.get_object(self.credentials.as_ref(), &object);
        Job {
            name: self.name(key),
            url: action.sign(SIGNED_FOR),
            authorization: None,
            path: path.to_owned(),
            expected,
            advice: ADVICE.to_owned(),
        }
    }

    /// What the server says of a key; `None` if there is nothing under it.
    ///
    /// # Errors
    /// [`StoreError::Hidden`] if it refuses this key. An error of its own if it takes no request from here, which is
    /// nothing against what the key holds.
    fn look(&self, key: &str, client: &Client) -> Result<Option<Seen>, StoreError> {
        let job = self.job(key, Path::new(""), Expected::default());
        let seen = client.look(&job)?;
        let url = shown(&job.url);
        let code = code(&seen.said);
        let told = match code {
            "" => seen.status.to_string(),
            code => format!("status {}, {code}", seen.status.as_u16()),
        };
        let ours = |advice: &str| {
            let told = format!("{url} refuses ({told}). {advice}");
            Err(SourceError::Credentials(told).into())
        };
        match seen.status.as_u16() {
            200 | 206 => Ok(Some(seen)),
            // An empty object has no first byte.
            416 => Ok(Some(seen)),
            404 | 410 if code == "NoSuchBucket" => ours(&format!(
                "There is no bucket {}; look at {ENDPOINT} and at its name",
                self.place.bucket
            )),
            404 | 410 => Ok(None),
            301 | 307 | 308 => ours(&match seen.header("x-amz-bucket-region") {
                Some(region) => format!("The bucket is elsewhere; set {REGION}={region}"),
                None => format!("The bucket is elsewhere; look at {REGION} and {ENDPOINT}"),
            }),
            401 | 403 if self.is_hidden(&seen, code) => Err(self.hidden(key)),
            400 | 401 | 403 if self.credentials.is_some() => {
                ours(&format!("{ADVICE}; look at {REGION} and the clock, too"))
            }
            _ => Err(SourceError::Transfer {
                url,
                reason: format!("the server refuses ({told})"),
            }
            .into()),
        }
    }

    /// Whether a refusal is about the key, and not about who asks. What says nothing of a reason is about the key.
    fn is_hidden(&self, seen: &Seen, code: &str) -> bool {
        let is_late = LATE.iter().any(|late| seen.said.contains(late));
        let is_about_key = matches!(code, "" | "AccessDenied" | "AllAccessDisabled");
        self.credentials.is_none() || is_about_key && !is_late
    }

    fn hidden(&self, key: &str) -> StoreError {
        StoreError::Hidden {
            digest: last(key),
            root: self.root(),
        }
    }

    /// Brings what is under the key to `path`.
    fn bring(
        &self,
        key: &str,
        path: &Path,
        expected: Expected,
        stop: &AtomicBool,
    ) -> Result<(), StoreError> {
        let client = Client::patient(self.patience, stop);
        let missing = || StoreError::Missing {
            digest: last(key),
            root: self.root(),
        };
        let seen = self.look(key, &client)?.ok_or_else(missing)?;
        if let (Some(size), Some(limit)) = (seen.size(), expected.most)
            && size > limit
        {
            return Err(StoreError::TooLarge {
                digest: last(key),
                size,
                limit,
            });
        }
        let brought = client.fetch(&self.job(key, path, expected), &|_, _| {});
        brought.map(drop).map_err(|error| match error {
            SourceError::NotFound { .. } => missing(),
            SourceError::Credentials(_) => self.hidden(key),
            SourceError::TooLarge { size, limit, .. } => StoreError::TooLarge {
                digest: last(key),
                size,
                limit,
            },
            SourceError::Mismatch { found, .. } => StoreError::Damaged {
                digest: last(key),
                found,
                path: self.name(key).into(),
            },
            error => error.into(),
        })
    }

    /// The bytes under the key, through a file of their own.
    fn read(
        &self,
        key: &str,
        expected: Expected,
        stop: &AtomicBool,
    ) -> Result<Vec<u8>, StoreError> {
        let folder = tempfile::tempdir().map_err(|source| StoreError::Io {
            path: std::env::temp_dir(),
            source,
        })?;
        let path = folder.path().join("file");
        let limit = expected.most.unwrap_or(u64::MAX);
        self.bring(key, &path, expected, stop)?;
        files::read_capped(&path, limit).map_err(|error| match error {
            ReadError::Io(source) => StoreError::Io { path, source },
            ReadError::TooLarge(size) => StoreError::TooLarge {
                digest: last(key),
                size,
                limit,
            },
        })
    }

    /// Puts bytes under the key. The server compares them with their MD5.
    fn send(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let object = format!("{}{key}", self.place.prefix);
        let action = self.bucket.put_object(self.credentials.as_ref(), &object);
        let url: Url = action.sign(SIGNED_FOR);
        let md5 = BASE64_STANDARD.encode(Md5::digest(bytes));
        let ask = Ask {
            method: Method::PUT,
            url,
            authorization: None,
            headers: vec![
                ("content-md5".to_owned(), md5),
                (
                    "content-type".to_owned(),
                    "application/octet-stream".to_owned(),
                ),
            ],
            body: bytes,
            expected: &[],
            advice: ADVICE,
        };
        let client = Client::patient(self.patience, &GO_ON);
        client.ask(&ask, &|_, _| {}).map(drop)?;
        Ok(())
    }

    /// Whether the server has these bytes under the key, by the entity tag, which is their MD5 wherever they were sent in
    /// one piece. Where it is another they are only sent once more.
    fn has(&self, key: &str, bytes: &[u8]) -> Result<bool, StoreError> {
        match self.look(key, &Client::patient(self.patience, &GO_ON)) {
            Ok(Some(seen)) => {
                let tag = seen.header("etag").unwrap_or_default();
                let is_same = tag.trim_matches('"') == hex::encode(Md5::digest(bytes));
                Ok(is_same && seen.size() == Some(bytes.len() as u64))
            }
            // Who may write need not be allowed to read.
            Ok(None) | Err(StoreError::Hidden { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn named(&self, folder: &str, name: &str) -> Result<String, StoreError> {
        named_key(folder, name).ok_or_else(|| not_plain(self.root().join(folder).join(name)))
    }

    fn is_there(&self, key: &str) -> Result<bool, StoreError> {
        match self.look(key, &Client::patient(self.patience, &GO_ON)) {
            Ok(seen) => Ok(seen.is_some()),
            // For who asks it is not there.
            Err(StoreError::Hidden { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl ArtefactStore for S3Store {
    fn put(&self, bytes: &[u8]) -> Result<[u8; 32], StoreError> {
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        let key = key(&digest);
        if !self.has(&key, bytes)? {
            self.send(&key, bytes)?;
        }
        Ok(digest)
    }

    fn get(&self, digest: &[u8; 32], max_bytes: u64) -> Result<Vec<u8>, StoreError> {
        self.get_unless(digest, max_bytes, &GO_ON)
    }

    fn get_unless(
        &self,
        digest: &[u8; 32],
        max_bytes: u64,
        stop: &AtomicBool,
    ) -> Result<Vec<u8>, StoreError> {
        let key = key(digest);
        let expected = Expected {
            size: None,
            sha256: Some(hex::encode(digest)),
            most: Some(max_bytes),
        };
        let Some(cache) = &self.cache else {
            return self.read(&key, expected, stop);
        };
        if let Some(bytes) = cache.get(digest, max_bytes)? {
            return Ok(bytes);
        }
        let partial = cache.partial(&self.name(&key))?;
        // Another process may have fetched it while this one waited for its turn.
        if let Some(bytes) = cache.get(digest, max_bytes)? {
            return Ok(bytes);
        }
        self.bring(&key, partial.path(), expected, stop)?;
        let (bytes, _) = partial.keep(max_bytes)?;
        Ok(bytes)
    }

    fn contains(&self, digest: &[u8; 32]) -> Result<bool, StoreError> {
        self.is_there(&key(digest))
    }

    fn put_named(&self, folder: &str, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.send(&self.named(folder, name)?, bytes)
    }

    fn get_named(
        &self,
        folder: &str,
        name: &str,
        max_bytes: u64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let key = self.named(folder, name)?;
        let expected = Expected {
            most: Some(max_bytes),
            ..Expected::default()
        };
        match self.read(&key, expected, &GO_ON) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StoreError::Missing { .. } | StoreError::Hidden { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn has_named(&self, folder: &str, name: &str) -> Result<bool, StoreError> {
        self.is_there(&self.named(folder, name)?)
    }
}

/// The last part of a key: a digest in hex, or the name of a file.
fn last(key: &str) -> String {
    key.rsplit('/').next().unwrap_or(key).to_owned()
}

/// The code in what a server says about a refusal, `<Error><Code>AccessDenied</Code>…`; empty if there is none.
fn code(said: &str) -> &str {
    let code = said
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"))
        .map_or("", |(code, _)| code);
    let is_code = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_code { code } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(place: &str, variables: &[(&str, &str)]) -> Result<S3Store, String> {
        let variable = |wanted: &str| {
            let found = variables.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| (*value).to_owned())
        };
        let place: BucketPlace = place.parse().unwrap();
        S3Store::open(&place, &variable, Patience::default(), None)
            .map_err(|error| error.to_string())
    }

    fn url(store: &S3Store, key: &str) -> Url {
        store.job(key, Path::new(""), Expected::default()).url
    }

    #[test]
    fn places_are_read_and_what_leads_elsewhere_is_not() {
        let read = |text: &str| text.parse::<BucketPlace>();
        for (text, shown) in [
            ("models", "s3://models"),
            ("models/", "s3://models"),
            ("my.models/skin/2026/", "s3://my.models/skin/2026"),
        ] {
            assert_eq!(read(text).unwrap().to_string(), shown);
        }
        let long = format!("models/{}", "x".repeat(MAX_PREFIX + 1));
        for wrong in [
            "",
            "/",
            "ab",
            "-abc",
            "a b c",
            "models/../x",
            "models//x",
            "models/./x",
            "models//",
            "models/a\nb",
            "user@host",
            "models?x",
            &long,
        ] {
            assert_eq!(read(wrong), Err(ParseLocationError::NoBucket), "{wrong:?}");
        }
    }

    #[test]
    fn addresses_are_those_of_the_region_or_the_endpoint() {
        let host = |place: &str, variables: &[(&str, &str)]| {
            let url = url(&open(place, variables).unwrap(), "ab/cd");
            assert_eq!(url.query(), None);
            url.to_string()
        };
        assert_eq!(
            host("models/skin", &[]),
            "https://models.s3.us-east-1.amazonaws.com/skin/ab/cd"
        );
        let region = ("AWS_REGION", "eu-west-1");
        assert_eq!(
            host("my.models", &[region]),
            "https://s3.eu-west-1.amazonaws.com/my.models/ab/cd"
        );
        let endpoint = ("AWS_ENDPOINT_URL", "http://127.0.0.1:9000/");
        assert_eq!(
            host("models", &[region, endpoint]),
            "http://127.0.0.1:9000/models/ab/cd"
        );
        for (name, value) in [
            ("AWS_ENDPOINT_URL", "http://example.org"),
            ("AWS_ENDPOINT_URL", "nonsense"),
            ("AWS_REGION", "evil.example/"),
        ] {
            let said = open("models", &[(name, value)]).unwrap_err();
            assert!(said.contains(name), "{said}");
        }
    }

    #[test]
    fn credentials_sign_and_are_never_shown() {
        let (key, secret, token) = ("AKIATHEKEY", "the-secret", "the-token");
        let all = [
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_SESSION_TOKEN", token),
        ];
        let store = open("models", &all).unwrap();
        let signed = url(&store, "ab/cd");
        let query = signed.query().unwrap();
        assert!(
            query.contains("X-Amz-Signature=") && query.contains(token),
            "{query}"
        );
        assert!(!query.contains(secret), "{query}");
        let told = format!("{store:?} {}", shown(&signed));
        for hidden in [key, secret, token] {
            assert!(!told.contains(hidden), "{told}");
        }
        for half in [all[0], all[1]] {
            let said = open("models", &[half]).unwrap_err();
            assert!(said.contains("belong together"), "{said}");
            assert!(!said.contains(half.1), "{said}");
        }
        // Empty is absent.
        assert!(
            open("models", &[(all[0].0, " "), (all[1].0, "")])
                .unwrap()
                .credentials
                .is_none()
        );
    }

    #[test]
    fn a_code_is_a_word() {
        let said = "<?xml?><Error><Code>NoSuchKey</Code><Key>x</Key></Error>";
        assert_eq!(code(said), "NoSuchKey");
        for none in ["", "<Code>", "<Code>a b</Code>", "</Code><Code>"] {
            assert_eq!(code(none), "");
        }
    }
}

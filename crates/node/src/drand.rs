//! The client of a drand HTTP endpoint: it fetches the signatures of rounds in a thread of its own, so that no block
//! waits for another machine.

use agon_timelock::{PublicKey, Signature};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Condvar, Mutex, MutexGuard, Weak},
    thread,
    time::Duration,
};

/// How long one answer may take, and how long the thread waits after a failure.
const TIMEOUT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(1);
/// An answer is about 250 bytes.
const MAX_ANSWER: u64 = 4096;

/// A URL that names no HTTP endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} names no drand endpoint; give a URL such as https://api.drand.sh")]
pub struct BadUrl(pub String);

/// A drand endpoint. Dropping it ends its thread.
pub struct Endpoint {
    shared: Arc<Shared>,
}

struct Shared {
    url: String,
    rounds: Mutex<Rounds>,
    changed: Condvar,
}

#[derive(Default)]
struct Rounds {
    /// What is asked for: the beacon's key, its hash in hexadecimal, and the rounds.
    wanted: Option<(PublicKey, String, BTreeSet<u64>)>,
    fetched: BTreeMap<u64, Signature>,
    is_closed: bool,
}

impl Endpoint {
    /// An endpoint at `url`, to which `/<hash>/public/<round>` is appended.
    ///
    /// # Errors
    /// When the URL is not an http or https one.
    pub fn new(url: &str) -> Result<Self, BadUrl> {
        let url = url.trim_end_matches('/');
        let uri: Result<ureq::http::Uri, _> = url.parse();
        let is_http = uri.is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()
        });
        if !is_http {
            return Err(BadUrl(url.to_owned()));
        }
        let shared = Arc::new(Shared {
            url: url.to_owned(),
            rounds: Mutex::default(),
            changed: Condvar::new(),
        });
        let weak = Arc::downgrade(&shared);
        thread::spawn(move || fetch(&weak));
        Ok(Self { shared })
    }

    /// Asks for `rounds` of the beacon with `public_key` and `hash`, and takes what is there: the first of them without
    /// a gap, so that none is overtaken.
    pub fn take(
        &self,
        public_key: PublicKey,
        hash: &[u8],
        rounds: BTreeSet<u64>,
    ) -> Vec<(u64, Signature)> {
        let mut known = self.shared.rounds();
        let is_other = known
            .wanted
            .as_ref()
            .is_some_and(|(known, ..)| *known != public_key);
        if is_other {
            known.fetched.clear();
        }
        known.fetched.retain(|round, _| rounds.contains(round));
        let ready = rounds
            .iter()
            .map_while(|round| Some((*round, *known.fetched.get(round)?)))
            .collect();
        known.wanted = Some((public_key, hex::encode(hash), rounds));
        self.shared.changed.notify_one();
        ready
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.shared.rounds().is_closed = true;
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn rounds(&self) -> MutexGuard<'_, Rounds> {
        self.rounds
            .lock()
            .expect("nothing panics while it holds the rounds")
    }
}

/// Fetches what is wanted until the endpoint is dropped.
fn fetch(shared: &Weak<Shared>) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .build()
        .into();
    let mut has_failed = false;
    while let Some(shared) = shared.upgrade() {
        let next = {
            let known = shared.rounds();
            let known = shared
                .changed
                .wait_timeout_while(known, PAUSE, |known| {
                    !known.is_closed && known.next().is_none()
                })
                .expect("nothing panics while it holds the rounds")
                .0;
            if known.is_closed {
                return;
            }
            known.next()
        };
        let Some((public_key, hash, round)) = next else {
            continue;
        };
        let url = format!("{}/{hash}/public/{round}", shared.url);
        match signature(&agent, &url, &public_key, round) {
            Ok(signature) => {
                shared.rounds().fetched.insert(round, signature);
                has_failed = false;
            }
            Err(reason) => {
                // One line a failure that lasts, not one a second.
                if !has_failed {
                    tracing::warn!(%url, %reason, "the beacon does not answer; pulses wait");
                }
                has_failed = true;
                thread::sleep(PAUSE);
            }
        }
    }
}

impl Rounds {
    /// The first round that is wanted and not there.
    fn next(&self) -> Option<(PublicKey, String, u64)> {
        let (public_key, hash, rounds) = self.wanted.as_ref()?;
        let round = rounds
            .iter()
            .find(|round| !self.fetched.contains_key(round))?;
        Some((*public_key, hash.clone(), *round))
    }
}

fn signature(
    agent: &ureq::Agent,
    url: &str,
    public_key: &PublicKey,
    round: u64,
) -> Result<Signature, String> {
    let mut answer = agent.get(url).call().map_err(|error| error.to_string())?;
    let body = answer.body_mut().with_config().limit(MAX_ANSWER);
    let text = body.read_to_string().map_err(|error| error.to_string())?;
    let answer: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| error.to_string())?;
    answer["signature"]
        .as_str()
        .and_then(|signature| hex::decode(signature).ok())
        .and_then(|bytes| Signature::from_bytes(&bytes).ok())
        .filter(|signature| public_key.verify(round, signature))
        .ok_or_else(|| "the answer holds no signature of this round by this beacon".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use agon_timelock::BeaconKey;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::time::Instant;

    /// A drand endpoint on a free port that knows the first `rounds` rounds, and lies about round 3 once.
    fn serve(key: BeaconKey, rounds: u64) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            let mut has_lied = false;
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = Vec::new();
                let mut buffer = [0; 1024];
                while !request.ends_with(b"\r\n\r\n") {
                    let length = stream.read(&mut buffer).unwrap();
                    request.extend(&buffer[..length]);
                }
                let request = String::from_utf8(request).unwrap();
                let path = request.split(' ').nth(1).unwrap();
                let round: u64 = path.strip_prefix("/0aff/public/").unwrap().parse().unwrap();
                let signed = if round == 3 && !has_lied { 4 } else { round };
                has_lied |= round == 3;
                let signature = hex::encode(key.sign(signed).to_bytes());
                let body = format!(r#"{{"round":{round},"signature":"{signature}"}}"#);
                let status = if round <= rounds {
                    "200 OK"
                } else {
                    "404 Not Found"
                };
                write!(
                    stream,
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                )
                .unwrap();
            }
        });
        url
    }

    #[test]
    fn rounds_are_fetched_checked_and_given_in_order() {
        let key = BeaconKey::from_seed(b"tests");
        let endpoint = Endpoint::new(&serve(key.clone(), 5)).unwrap();
        let wanted: BTreeSet<u64> = (2..=6).collect();
        let take = || endpoint.take(key.public_key(), &[0x0a, 0xff], wanted.clone());
        assert_eq!(take(), [], "nothing is there yet");
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut taken = take();
        while taken.len() < 4 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(20));
            taken = take();
        }
        let expected: Vec<_> = (2..=5).map(|round| (round, key.sign(round))).collect();
        assert_eq!(
            taken, expected,
            "round 6 is not published, and the lie was not believed"
        );
        let other = BeaconKey::from_seed(b"other").public_key();
        assert_eq!(endpoint.take(other, &[0x0a, 0xff], wanted.clone()), []);
    }

    #[test]
    fn only_http_is_spoken() {
        for url in ["", "drand", "ftp://drand", "http://", "/tmp"] {
            assert!(Endpoint::new(url).is_err(), "{url}");
        }
        assert!(Endpoint::new("https://api.drand.sh/").is_ok());
    }
}

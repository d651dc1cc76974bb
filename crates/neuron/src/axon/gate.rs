//! The order in which a request is looked at, before anything is built from it.
//!
//! What costs little comes first: receiver, version, time, whether it was taken before, who may ask at all. Then the
//! digest of the body where the protocol has one, and the signature. Only a request whose signature is good is
//! remembered and counted. Nothing that a stranger sends changes anything.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use agon_keys::AccountId;
use http::{HeaderMap, Method, StatusCode};

use super::policy::{Door, Forbidden, Limiter, Rate, Standing};
use super::replay::{Key, Refused, Replay};
use crate::peer::{btauth, headers};

/// How far a caller's clock may be from the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How old a signature may be.
    pub past: Duration,
    /// How far ahead of the server's clock it may be.
    pub ahead: Duration,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            past: Duration::from_secs(10),
            ahead: Duration::from_secs(2),
        }
    }
}

/// Who asks, proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The hotkey that signed.
    pub hotkey: AccountId,
    /// What the chain says of it; none of a stranger's.
    pub standing: Option<Standing>,
    /// Where the request came from.
    pub ip: IpAddr,
}

/// A request that is not answered, with what the caller is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The status of the answer.
    pub status: StatusCode,
    /// Its kind, one word for scripts and metrics.
    pub kind: &'static str,
    /// What is wrong, and what to do where something can be done.
    pub message: String,
    /// When to try again.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal of this kind.
    pub fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
            retry_after: None,
        }
    }

    fn unverified(kind: &'static str, message: impl std::fmt::Display) -> Self {
        let message = format!("Not Verified with error: {message}");
        Self::new(StatusCode::UNAUTHORIZED, kind, message)
    }
}

impl From<Forbidden> for Refusal {
    fn from(forbidden: Forbidden) -> Self {
        let message = format!("Forbidden. Key is blacklisted: {forbidden}.");
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Repeated => Self::unverified("replayed", refused),
            Refused::Forgotten => Self::unverified("forgotten", refused),
            Refused::TooMany => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "rate", refused.to_string())
            }
        }
    }
}

/// A request's claim to be somebody's, in either protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// SDK 7.2 to 10.x.
    Headers(headers::Claim),
    /// SDK 11.
    BtAuth(btauth::Claim),
}

impl Claim {
    /// The hotkey it is said to be of.
    pub fn hotkey(&self) -> AccountId {
        match self {
            Self::Headers(claim) => claim.hotkey,
            Self::BtAuth(claim) => claim.hotkey,
        }
    }

    /// When it is said to have been signed, in nanoseconds since 1970.
    pub fn nonce(&self) -> u64 {
        self.key().nonce
    }

    /// How long the caller waits, if it says so.
    pub fn timeout(&self) -> Option<Duration> {
        match self {
            Self::Headers(claim) => claim.timeout,
            Self::BtAuth(_) => None,
        }
    }

    fn key(&self) -> Key<'_> {
        match self {
            Self::Headers(claim) => Key {
                hotkey: claim.hotkey,
                uuid: &claim.uuid,
                nonce: claim.nonce,
            },
            Self::BtAuth(claim) => Key {
                hotkey: claim.hotkey,
                uuid: "",
                nonce: claim.nonce,
            },
        }
    }
}

/// Nanoseconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Looks at requests.
pub struct Gate {
    /// The server's hotkey.
    pub own: AccountId,
    /// How far clocks may differ.
    pub window: Window,
    /// Whether a `btauth/1` request must name its receiver; if not, what was sent to another server can be sent here.
    pub receiver_required: bool,
    /// What was taken before.
    pub replay: Arc<Replay>,
    /// Who may ask.
    pub door: Arc<Door>,
    /// How much each hotkey may ask.
    pub per_hotkey: Limiter<AccountId>,
    /// How much may be asked from each address.
    pub per_ip: Limiter<IpAddr>,
    /// The server's clock.
    pub clock: Clock,
}

impl Gate {
    /// A gate with usual settings and the machine's clock.
    pub fn new(own: AccountId, replay: Arc<Replay>, door: Arc<Door>) -> Self {
        Self {
            own,
            window: Window::default(),
            receiver_required: true,
            replay,
            door,
            per_hotkey: Limiter::new(Rate::UNLIMITED),
            per_ip: Limiter::new(Rate::UNLIMITED),
            clock: Arc::new(now),
        }
    }

    /// Looks at what the headers say: all that needs neither the body nor a signature.
    ///
    /// # Errors
    /// When the request is refused.
    pub fn look(&self, headers: &HeaderMap) -> Result<Claim, Refusal> {
        let claim = match btauth::Claim::is_in(headers) {
            true => Claim::BtAuth(
                btauth::Claim::read(headers).map_err(|e| Refusal::unverified("malformed", e))?,
            ),
            false => Claim::Headers(
                headers::Claim::read(headers).map_err(|e| Refusal::unverified("malformed", e))?,
            ),
        };
        self.check_receiver(&claim)?;
        if let Claim::Headers(claim) = &claim
            && claim
                .version
                .is_none_or(|version| version < headers::TIMED_NONCES)
        {
            let message = "this server needs version 7.2.0 or later, whose nonces are times";
            return Err(Refusal::unverified("version", message));
        }
        let key = claim.key();
        self.check_time(key.nonce)?;
        self.replay.look(key)?;
        self.door.admission().admit(&key.hotkey)?;
        Ok(claim)
    }

    fn check_receiver(&self, claim: &Claim) -> Result<(), Refusal> {
        let (receiver, required) = match claim {
            Claim::Headers(claim) => (claim.receiver, false),
            Claim::BtAuth(claim) => (claim.receiver, self.receiver_required),
        };
        let wrong = |message: String| Refusal::new(StatusCode::FORBIDDEN, "receiver", message);
        match receiver {
            Some(receiver) if receiver != self.own => Err(wrong(format!(
                "this is {}, and the request is for {receiver}",
                self.own
            ))),
            None if required => Err(wrong("the request does not say whom it is for".to_owned())),
            _ => Ok(()),
        }
    }

    fn check_time(&self, nonce: u64) -> Result<(), Refusal> {
        let now = (self.clock)();
        let late = Duration::from_nanos(now.saturating_sub(nonce));
        let early = Duration::from_nanos(nonce.saturating_sub(now));
        let (what, skew, most) = if late > self.window.past {
            ("nonce is too old: it was signed", late, self.window.past)
        } else if early > self.window.ahead {
            (
                "nonce is from the future: it was signed",
                early,
                self.window.ahead,
            )
        } else {
            return Ok(());
        };
        let side = if late > early { "behind" } else { "ahead of" };
        let message = format!(
            "{what} {:.1} s {side} this server's clock and {:.1} s are allowed; compare the clocks",
            skew.as_secs_f64(),
            most.as_secs_f64()
        );
        Err(Refusal::unverified("stale", message))
    }

    /// The least nonce that is not too old now.
    pub fn oldest(&self) -> u64 {
        (self.clock)().saturating_sub(self.window.past.as_nanos() as u64)
    }

    /// Judges the signature; `body` are the request's exact bytes.
    ///
    /// # Errors
    /// When it is not the caller's over this request.
    pub fn verify(
        &self,
        claim: &Claim,
        method: &Method,
        target: &str,
        body: &[u8],
    ) -> Result<(), Refusal> {
        let holds = match claim {
            Claim::Headers(claim) => {
                let message = claim.message(self.own);
                agon_keys::verify_exactly(&claim.hotkey, message.as_bytes(), &claim.signature)
            }
            Claim::BtAuth(claim) => claim.holds(method, target, body),
        };
        match holds {
            true => Ok(()),
            false => Err(Refusal::unverified("signature", "Signature mismatch")),
        }
    }

    /// Checks that the body has the hash that was signed, over `values`, the JSON of the fields that are signed.
    ///
    /// # Errors
    /// When it has not.
    pub fn check_body_hash<'a>(
        &self,
        claim: &headers::Claim,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Refusal> {
        match headers::body_hash(values) {
            Ok(hash) if hash == claim.body_hash => Ok(()),
            _ => Err(Refusal::unverified(
                "digest",
                "the body does not have the hash that was signed",
            )),
        }
    }

    /// Remembers a request whose signature is good, so that it is not taken again.
    ///
    /// # Errors
    /// When it was taken before, or has grown too old while its body came.
    pub async fn take(&self, claim: &Claim) -> Result<(), Refusal> {
        let key = claim.key();
        self.check_time(key.nonce)?;
        if !self.replay.is_covered(key.nonce) {
            let (replay, until) = (self.replay.clone(), key.nonce.max((self.clock)()));
            let covered = tokio::task::spawn_blocking(move || replay.cover(until)).await;
            if !matches!(covered, Ok(Ok(()))) {
                tracing::error!(
                    ?covered,
                    "the lease cannot be written: requests are refused"
                );
                let message = "the server cannot remember requests now";
                return Err(Refusal::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "lease",
                    message,
                ));
            }
        }
        Ok(self.replay.take(key, self.oldest())?)
    }

    /// Whether a caller whose signature is good is worth an answer now.
    ///
    /// # Errors
    /// When not.
    pub fn judge(&self, hotkey: AccountId, ip: IpAddr) -> Result<Caller, Refusal> {
        let standing = self.door.admission().judge(&hotkey)?;
        let now = Instant::now();
        let counted = self.per_hotkey.count(hotkey, now);
        counted
            .and_then(|()| self.per_ip.count(ip, now))
            .map_err(|wait| Refusal {
                retry_after: Some(wait),
                ..Refusal::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "rate",
                    format!(
                        "too many requests: try again in {:.1} s",
                        wait.as_secs_f64()
                    ),
                )
            })?;
        Ok(Caller {
            hotkey,
            standing,
            ip,
        })
    }
}

/// Nanoseconds since 1970 by the machine's clock; 0 before.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}

//! A claimed model's bytes, from wherever they are said to be.
//!
//! The location is a hint and the content the truth: what arrives is given on only if it is what the hotkey has claimed.
//! Sizes are capped before and during a transfer, broken transfers are gone on with, and what came from elsewhere is
//! kept in a cache, so that the next round costs nothing.
//!
//! What is wrong with a submission is its outcome ([`Unfetched`]); that a server does not answer is nobody's fault and an
//! error, until it has lasted so long that the others should not wait any more.

use crate::commitment::{Claim, Location};
use crate::competition::Judgement;
use crate::ledger::Outcome;
use crate::stop::Stop;
use agon_dataset::source::{Access, HubFile, Patience, SourceError, Wanted};
use agon_dataset::store::{ArtefactStore, Cache, StoreError};
use agon_keys::AccountId;
use agon_model::digest::Digest;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long one transfer may take, and how long after that until it is given up though it does not stop.
const TRANSFER: Duration = Duration::from_secs(600);
const GRACE: Duration = Duration::from_secs(30);

/// How long a server that does not give a file is waited for, over all attempts.
const WAIT: Duration = Duration::from_secs(900);

const LATE: &str = "the transfer took too long";

/// Where models come from.
#[derive(Clone)]
pub struct Fetch {
    local: Arc<dyn ArtefactStore>,
    hub: Option<Arc<Hub>>,
    waiting: Arc<Waiting>,
}

/// The Hub, and what was fetched from it.
struct Hub {
    access: Access,
    cache: Cache,
    patience: Patience,
}

/// Since when servers do not give what they are asked for.
#[derive(Default)]
struct Waiting(Mutex<BTreeMap<String, Instant>>);

/// A model that is here.
#[derive(Debug, PartialEq)]
pub struct Model {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Their SHA-256.
    pub digest: Digest,
}

/// A submission whose model cannot be had, for a reason of its own.
#[derive(Debug, PartialEq)]
pub struct Unfetched {
    /// The judgement of it.
    pub judgement: Judgement,
    /// Bytes of what was claimed, where they are known; else 0.
    pub bytes: u64,
}

/// A model that cannot be had, which is not the submission's fault.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The local store or the cache failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server does not answer; later it may.
    #[error("{0}")]
    Unavailable(String),
    /// What only the operator can mend.
    #[error(transparent)]
    Source(SourceError),
    /// Work on another thread was lost.
    #[error("a transfer was lost: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl Fetch {
    /// Models of one store alone; whoever names another place is refused.
    pub fn local(store: Arc<dyn ArtefactStore>) -> Self {
        Self {
            local: store,
            hub: None,
            waiting: Arc::default(),
        }
    }

    /// Models of the Hub as well, through a cache. They are asked for as anybody would: what only one validator may read
    /// would divide the validators, and a token that is no good would look like everybody's fault.
    pub fn with_hub(self, access: &Access, cache: Cache, patience: Patience) -> Self {
        let hub = Hub {
            access: access.anonymous(),
            cache,
            patience,
        };
        Self {
            hub: Some(Arc::new(hub)),
            ..self
        }
    }

    /// The model that `hotkey` claims, of at most `limit` bytes.
    ///
    /// # Errors
    /// When it cannot be known now. An inner error is the submission's outcome.
    pub async fn fetch(
        &self,
        hotkey: &AccountId,
        claim: &Claim,
        limit: u64,
    ) -> Result<Result<Model, Unfetched>, FetchError> {
        let (claim, hotkey) = (claim.clone(), *hotkey);
        self.timed(move |this, stop| this.get(&hotkey, &claim, limit, stop))
            .await
    }

    /// Does what may take a transfer, on a thread of its own and not for ever.
    async fn timed(
        &self,
        get: impl FnOnce(&Self, &AtomicBool) -> Result<Result<Model, Unfetched>, FetchError>
        + Send
        + 'static,
    ) -> Result<Result<Model, Unfetched>, FetchError> {
        let this = self.clone();
        // A future that is dropped ends its transfer, too.
        let stop = Stop::default();
        let told = stop.flag();
        let work = tokio::task::spawn_blocking(move || get(&this, &told));
        let watch = async {
            tokio::time::sleep(TRANSFER).await;
            stop.tell();
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            fetched = work => fetched?,
            () = watch => Err(FetchError::Unavailable(LATE.to_owned())),
        }
    }

    /// The model of this digest that was fetched before, from the cache or the store. Asks no server, unless the store is
    /// on one.
    ///
    /// # Errors
    /// When the disk or the store fails. An inner error says that it is not there, or not as it was.
    pub async fn kept(
        &self,
        digest: Digest,
        limit: u64,
    ) -> Result<Result<Model, Unfetched>, FetchError> {
        self.timed(move |this, stop| {
            if let Some(hub) = &this.hub
                && let Ok(Some(bytes)) = hub.cache.get(&digest.0, limit)
            {
                return Ok(Ok(Model { bytes, digest }));
            }
            this.stored(digest, limit, stop)
        })
        .await
    }

    fn get(
        &self,
        hotkey: &AccountId,
        claim: &Claim,
        limit: u64,
        stop: &AtomicBool,
    ) -> Result<Result<Model, Unfetched>, FetchError> {
        let fetched = match (&claim.location, &self.hub) {
            (Location::Local(digest), _) => self.stored(*digest, limit, stop)?,
            (Location::Hub(file), Some(hub)) => {
                hub.fetch(file, claim.content.digest(), limit, &self.waiting, stop)?
            }
            (Location::Hub(_), None) => Err(refused("this network has no models of the Hub")),
        };
        Ok(
            fetched.and_then(|model| match claim.content.admits(model.digest, hotkey) {
                true => Ok(model),
                false => Err(refused("the file is not the one that was committed")),
            }),
        )
    }

    fn stored(
        &self,
        digest: Digest,
        limit: u64,
        stop: &AtomicBool,
    ) -> Result<Result<Model, Unfetched>, FetchError> {
        let name = digest.to_string();
        match self.local.get_unless(&digest.0, limit, stop) {
            Ok(bytes) => {
                self.waiting.end(&name);
                Ok(Ok(Model { bytes, digest }))
            }
            Err(StoreError::Source(
                error @ (SourceError::Transfer { .. } | SourceError::Stopped),
            )) => self.waiting.longer("the store", &name, &error).map(Err),
            Err(error) => unstored(error).map(Err),
        }
    }
}

impl Hub {
    fn fetch(
        &self,
        file: &HubFile,
        digest: Option<Digest>,
        limit: u64,
        waiting: &Waiting,
        stop: &AtomicBool,
    ) -> Result<Result<Model, Unfetched>, FetchError> {
        let name = format!("{}@{}/{}", file.repository, file.revision, file.file);
        if let Some(found) = self.cached(file, &name, digest, limit)? {
            return Ok(found);
        }
        let partial = self.cache.partial(&name)?;
        // Another process may have fetched it while this one waited for its turn.
        if let Some(found) = self.cached(file, &name, digest, limit)? {
            return Ok(found);
        }
        let wanted = Wanted {
            most: Some(limit),
            sha256: digest.map(|digest| digest.0),
        };
        let arrived = file.fetch_to(&self.access, partial.path(), wanted, self.patience, stop);
        if let Err(error) = arrived {
            return unarrived(&name, error, waiting).map(Err);
        }
        let (bytes, digest) = partial.keep(limit)?;
        if file.is_pinned() {
            self.cache.remember(&name, &digest)?;
        }
        waiting.end(&name);
        let digest = Digest(digest);
        Ok(Ok(Model { bytes, digest }))
    }

    /// The model from the cache: by its digest, or by a name that always means the same bytes.
    fn cached(
        &self,
        file: &HubFile,
        name: &str,
        digest: Option<Digest>,
        limit: u64,
    ) -> Result<Option<Result<Model, Unfetched>>, FetchError> {
        let known = match digest {
            Some(digest) => Some(digest.0),
            None if file.is_pinned() => self.cache.named(name)?,
            None => None,
        };
        let Some(digest) = known else {
            return Ok(None);
        };
        match self.cache.get(&digest, limit) {
            Ok(None) => Ok(None),
            Ok(Some(bytes)) => {
                let digest = Digest(digest);
                Ok(Some(Ok(Model { bytes, digest })))
            }
            Err(error) => unstored(error).map(|unfetched| Some(Err(unfetched))),
        }
    }
}

impl Waiting {
    /// Something was given at last.
    fn end(&self, name: &str) {
        self.since().remove(name);
    }

    /// Something is not given now: nobody's fault, until that has lasted too long.
    fn longer(
        &self,
        server: &str,
        name: &str,
        error: &SourceError,
    ) -> Result<Unfetched, FetchError> {
        let error = match error {
            SourceError::Stopped => LATE.to_owned(),
            error => error.to_string(),
        };
        let mut waiting = self.since();
        let since = *waiting.entry(name.to_owned()).or_insert_with(Instant::now);
        if since.elapsed() < WAIT {
            return Err(FetchError::Unavailable(error));
        }
        waiting.remove(name);
        let minutes = WAIT.as_secs() / 60;
        Ok(refused(&format!(
            "{server} did not give {name} in {minutes} minutes: {error}"
        )))
    }

    fn since(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What it means that a file of the Hub did not arrive.
fn unarrived(name: &str, error: SourceError, waiting: &Waiting) -> Result<Unfetched, FetchError> {
    match error {
        SourceError::TooLarge { size, limit, .. } => Ok(too_large(size, limit)),
        SourceError::Mismatch { .. } => Ok(refused("the file is not the one that was committed")),
        SourceError::NotFound { .. } => Ok(refused(&format!("the Hub has no {name}"))),
        SourceError::Credentials(_) => Ok(refused(&format!(
            "the Hub does not show {name}: the repository is private or gated"
        ))),
        SourceError::Transfer { .. } | SourceError::Stopped => {
            waiting.longer("the Hub", name, &error)
        }
        error => Err(FetchError::Source(error)),
    }
}

/// What it means that a store does not give an artefact.
fn unstored(error: StoreError) -> Result<Unfetched, FetchError> {
    match error {
        StoreError::Io { .. } => Err(error.into()),
        // Of what is left, nothing is the submission's: whoever runs the validator has to mend it.
        StoreError::Source(error) => Err(FetchError::Source(error)),
        StoreError::TooLarge { size, limit, .. } => Ok(too_large(size, limit)),
        StoreError::Missing { .. } => Ok(refused("the store has no file of this digest")),
        StoreError::Damaged { .. } => {
            Ok(refused("the stored file is not the one that was committed"))
        }
        StoreError::Hidden { .. } => Ok(refused(
            "the store does not show a file of this digest: it is not there, or private",
        )),
    }
}

fn refused(reason: &str) -> Unfetched {
    Unfetched {
        judgement: Judgement::failed(Outcome::Refused, reason),
        bytes: 0,
    }
}

fn too_large(size: u64, limit: u64) -> Unfetched {
    let reason = format!("the file has {size} bytes; at most {limit} are allowed");
    Unfetched {
        judgement: Judgement::failed(Outcome::TooLarge, reason),
        bytes: size,
    }
}

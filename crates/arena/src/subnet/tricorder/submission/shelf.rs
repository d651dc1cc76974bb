//! Where the files of a submission stand.

use super::{CARD, LICENCE, Names, RECORD, Record};
use agon_dataset::source::{Repository, SourceError, Upload};
use agon_dataset::store::{ArtefactStore, StoreError};
use agon_model::digest::Digest;
use std::sync::Arc;

/// Most bytes of a record.
const MAX_RECORD: u64 = 4096;

/// A place for a submission's files.
pub enum Shelf<'a> {
    /// The network's store: the model under its digest, and the rest in a folder of the hotkey's.
    Local {
        /// The store.
        store: Arc<dyn ArtefactStore>,
        /// The folder's name.
        folder: String,
    },
    /// A repository of the Hub.
    Hub(Repository<'a>),
}

/// What was found of a submission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The SHA-256 of the model's file, in hex.
    pub model: Option<String>,
    /// Whether the code's archive is there.
    pub has_code: bool,
    /// What the licence is said to be.
    pub licence: Option<String>,
    /// Whether everybody may read it.
    pub is_public: bool,
    /// Where the commitment is said to stand.
    pub record: Option<Record>,
}

/// Why files are not where they should be.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The Hub failed or refuses.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The repository says that its licence is another.
    #[error(
        "the licence in the repository's {CARD} is {0:?}; write `license: {LICENCE}` there, or choose another repository"
    )]
    Licence(String),
    /// The record cannot be written.
    #[error("the record cannot be written: {0}")]
    Record(#[from] serde_json::Error),
}

impl Shelf<'_> {
    /// Puts model, code and, where there is none, a card with the licence there, not to be seen yet where that can be.
    /// What is there already is left alone. Says whether anything was put there.
    pub fn publish(&self, names: &Names, model: &[u8], code: &[u8]) -> Result<bool, PublishError> {
        let card = names.card();
        match self {
            Self::Local { store, folder } => {
                let is_new = !store.contains(&Digest::of(model).0)?;
                store.put(model)?;
                store.put_named(folder, &names.code_file(), code)?;
                store.put_named(folder, CARD, card.as_bytes())?;
                Ok(is_new)
            }
            Self::Hub(repository) => {
                repository.create()?;
                let state = repository.state()?;
                let licence = state.as_ref().and_then(|state| state.licence.clone());
                let has_card = state
                    .as_ref()
                    .is_some_and(|state| state.files.iter().any(|file| file == CARD));
                let (model_file, code_file) = (names.model_file(), names.code_file());
                let upload = |path, bytes| Upload { path, bytes };
                let mut files = vec![upload(&*model_file, model), upload(&*code_file, code)];
                match licence {
                    Some(licence) if licence.eq_ignore_ascii_case(LICENCE) => {}
                    Some(licence) => return Err(PublishError::Licence(licence)),
                    None if has_card => return Err(PublishError::Licence("none".to_owned())),
                    None => files.push(upload(CARD, card.as_bytes())),
                }
                let missing = repository.missing(&files)?;
                if missing.is_empty() {
                    return Ok(false);
                }
                // Nobody is to see a model before it is committed to.
                if state.is_some_and(|state| !state.is_private) {
                    repository.set_private(true)?;
                }
                let summary = format!("{} for {}", names.stem, names.competition);
                repository.upload(&missing, &summary)?;
                Ok(true)
            }
        }
    }

    /// Writes where the commitment stands, if that is wanted, and shows everything to everybody.
    pub fn conclude(&self, record: Option<&Record>) -> Result<(), PublishError> {
        let bytes = record.map(serde_json::to_vec).transpose()?;
        match (self, &bytes) {
            (Self::Local { .. }, None) => {}
            (Self::Local { store, folder }, Some(bytes)) => {
                store.put_named(folder, RECORD, bytes)?;
            }
            (Self::Hub(repository), bytes) => {
                if let Some(bytes) = bytes {
                    let file = Upload {
                        path: RECORD,
                        bytes,
                    };
                    repository.upload(&[file], "The commitment's place on chain")?;
                }
                if repository.state()?.is_none_or(|state| state.is_private) {
                    repository.set_private(false)?;
                }
            }
        }
        Ok(())
    }

    /// What is there of a submission to which a digest was committed.
    pub fn find(&self, names: &Names, digest: Digest) -> Result<Found, PublishError> {
        let record = |bytes: Option<Vec<u8>>| {
            bytes.and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok())
        };
        match self {
            Self::Local { store, folder } => Ok(Found {
                model: store.contains(&digest.0)?.then(|| digest.to_string()),
                has_code: store.has_named(folder, &names.code_file())?,
                licence: store.has_named(folder, CARD)?.then(|| LICENCE.to_owned()),
                is_public: true,
                record: record(store.get_named(folder, RECORD, MAX_RECORD)?),
            }),
            Self::Hub(repository) => {
                let Some(state) = repository.state()? else {
                    return Ok(Found::default());
                };
                let has = |name: &str| state.files.iter().any(|file| file == name);
                Ok(Found {
                    model: match has(&names.model_file()) {
                        true => repository.sha256(&names.model_file())?,
                        false => None,
                    },
                    has_code: has(&names.code_file()),
                    is_public: !state.is_private,
                    record: match has(RECORD) {
                        true => record(repository.read(RECORD)?),
                        false => None,
                    },
                    licence: state.licence,
                })
            }
        }
    }
}

//! A better model on its way to validators: kept in the store, put where they can fetch it, committed.

use crate::args::MineHealthcare;
use crate::commands::data::environment::DotEnv;
use crate::failure::Failure;
use crate::printer::Printer;
use agon_arena::commitment::{File, Form, LOCAL_REPOSITORY, MODEL_FILE, Revision, Statement};
use agon_arena::event::Event;
use agon_arena::miner::{Miner, SubmitError};
use agon_arena::subnet::healthcare::NAME;
use agon_dataset::source::{Access, Patience, Repository, SourceError, Upload};
use agon_dataset::store::StoreError;
use agon_model::digest::Digest;
use anyhow::{Context, anyhow};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokio::sync::watch;

/// The pauses before what failed is tried again: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// Nobody stops a transfer but the end of the process; it can be repeated.
static GO_ON: AtomicBool = AtomicBool::new(false);

/// Where validators fetch models.
pub enum Place {
    /// From the store.
    Local,
    /// From a repository of the Hub.
    Hub {
        /// Owner and name.
        repository: String,
        /// Who fills it.
        access: Arc<Access>,
    },
}

impl Place {
    /// The place that was typed.
    pub fn of(arguments: &MineHealthcare) -> Result<Self, Failure> {
        let Some(repository) = &arguments.repository else {
            return Ok(Self::Local);
        };
        let revision = Revision {
            repository: repository.clone(),
            revision: "0".repeat(40),
        };
        // What a validator could not read is not committed to.
        let statement = revision.to_string();
        Statement::read(statement.as_bytes(), &[Form::Revision]).map_err(Failure::user)?;
        let process = |name: &str| std::env::var(name).ok();
        let file = DotEnv::read(Path::new(".env")).map_err(Failure::User)?;
        let variable = |name: &str| file.variable(&process, name);
        let home = std::env::home_dir();
        let access = Access::from_environment(&variable, home.as_deref()).map_err(Failure::user)?;
        Ok(Self::Hub {
            repository: repository.clone(),
            access: Arc::new(access),
        })
    }
}

/// Brings models to validators.
pub struct Publisher {
    /// Says it to the chain.
    pub miner: Miner,
    /// Where models are fetched.
    pub place: Place,
    /// The file that holds the best model.
    pub model: PathBuf,
    /// Shows transfers.
    pub printer: Arc<Printer>,
}

/// Why a model is not published.
enum Problem {
    /// Later it may be.
    Passing(anyhow::Error),
    /// It will not be.
    Lasting(Failure),
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Store(StoreError::Source(error)) => error.into(),
            SubmitError::Store(_) | SubmitError::Statement(_) => Self::Lasting(error.into()),
            error => Self::Passing(error.into()),
        }
    }
}

impl From<SourceError> for Problem {
    fn from(error: SourceError) -> Self {
        match error.is_users() {
            true => Self::Lasting(Failure::user(error)),
            false => Self::Passing(error.into()),
        }
    }
}

impl Publisher {
    /// Finds out what can be found out before there is a model: that the repository is there, and may be written.
    pub async fn prepare(&self) -> Result<(), Failure> {
        let created = self.on_hub(|repository| repository.create().map(drop));
        created.await.map(drop).map_err(|problem| match problem {
            Problem::Passing(error) => Failure::Ours(error),
            Problem::Lasting(failure) => failure,
        })
    }

    /// Publishes the best model whenever there is a new one, until nobody makes any more. What fails is tried again, at
    /// the latest with the next model; at the end once more.
    pub async fn run(&self, mut newest: watch::Receiver<()>) -> Result<(), Failure> {
        let what = "a better model".to_owned();
        self.miner.events.emit(&Event::Waiting { what });
        while newest.changed().await.is_ok() {
            let (mut pause, mut is_over) = (PAUSES.0, false);
            while let Err(problem) = self.publish().await {
                let error = match problem {
                    Problem::Lasting(failure) => return Err(failure),
                    Problem::Passing(error) if is_over => return Err(error.into()),
                    Problem::Passing(error) => error,
                };
                let reason = format!("{error:#}");
                self.miner.events.emit(&Event::NotCommitted { reason });
                tokio::select! {
                    () = tokio::time::sleep(pause) => pause = (pause * 2).min(PAUSES.1),
                    changed = newest.changed() => {
                        pause = PAUSES.0;
                        is_over = changed.is_err();
                    }
                }
            }
        }
        Ok(())
    }

    /// Everything here can be repeated: what is in its place already is left as it is.
    async fn publish(&self) -> Result<(), Problem> {
        let model = std::fs::read(&self.model)
            .with_context(|| format!("reading {}", self.model.display()))
            .map_err(|error| Problem::Lasting(Failure::Ours(error)))?;
        // The store may be on a server.
        let digest = tokio::task::block_in_place(|| self.miner.publish(&model))?;
        match &self.place {
            Place::Local => {
                let file = File {
                    repository: LOCAL_REPOSITORY.to_owned(),
                    stem: "model".to_owned(),
                    competition: NAME.to_owned(),
                    digest,
                };
                self.miner.commit(&file.into(), digest).await?;
                Ok(())
            }
            Place::Hub { repository, .. } => self.by_revision(repository, model, digest).await,
        }
    }

    /// The model in a revision that only its owner sees, the revision on chain, and then everybody sees it.
    async fn by_revision(&self, name: &str, model: Vec<u8>, digest: Digest) -> Result<(), Problem> {
        self.miner.events.emit(&Event::Uploading {
            digest,
            repository: name.to_owned(),
        });
        let uploaded = self.on_hub(move |repository| {
            let files = [Upload {
                path: MODEL_FILE,
                bytes: &model,
            }];
            repository.create()?;
            let state = repository.state()?;
            // Nobody is to see a model before it is committed to.
            if state.is_none_or(|state| !state.is_private)
                && !repository.missing(&files)?.is_empty()
            {
                repository.set_private(true)?;
            }
            repository.upload(&files, &format!("A model for {NAME}"))
        });
        let Some(revision) = uploaded.await? else {
            return Ok(());
        };
        let revision = Revision {
            repository: name.to_owned(),
            revision,
        };
        let statement = Statement::Revision(revision);
        self.miner.commit(&statement, digest).await?;
        let shown = self.on_hub(|repository| {
            match repository.state()?.is_none_or(|state| state.is_private) {
                true => repository.set_private(false),
                false => Ok(()),
            }
        });
        shown.await.map(drop)
    }

    /// Does something with the repository, if there is one, on a thread that may wait for it.
    async fn on_hub<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Repository<'_>) -> Result<T, SourceError> + Send + 'static,
    ) -> Result<Option<T>, Problem> {
        let Place::Hub { repository, access } = &self.place else {
            return Ok(None);
        };
        let (name, access, printer) = (repository.clone(), access.clone(), self.printer.clone());
        let work = move || {
            let progress = move |file: &str, done: u64, total: u64| {
                printer.progress(file, done, total, "bytes".to_owned());
            };
            let repository = Repository::new(&name, &access, Patience::default(), &GO_ON)?;
            work(&repository.with_progress(progress))
        };
        let done = tokio::task::spawn_blocking(work).await;
        let done = done.map_err(|error| Problem::Lasting(anyhow!(error).into()))?;
        Ok(Some(done?))
    }
}

//! `agon validator`: one validator on any chain, and its judgements made again.

mod questions;

use super::released;
use super::session::{Session, document, table};
use super::store;
use crate::args::{
    Asking, JudgingData, Logging, Rejudge, ReleasedData, RunTricorderValidator, RunValidator,
    RunXRayValidator, Validator as Arguments, ValidatorVerb, XRayForm, XRayRules,
};
use crate::failure::Failure;
use crate::files::cache_directory;
use crate::health::Watched;
use crate::logging;
use crate::printer::{Printer, result, say};
use crate::signals::told_to_stop;
use crate::talk::Talk;
use agon_arena::competition::Competition;
use agon_arena::compute::models_at_once;
use agon_arena::event::{Event, Events};
use agon_arena::fetch::Fetch;
use agon_arena::journal::JournalError;
use agon_arena::ledger::{Evaluation, Ledger, LedgerError, Outcome, Records};
use agon_arena::sandbox::{Sandbox, SandboxError};
use agon_arena::seed::SampleSource;
use agon_arena::snapshot;
use agon_arena::subnet::healthcare::{self, Healthcare, challenge};
use agon_arena::subnet::tricorder::parts::Parts;
use agon_arena::subnet::tricorder::{self, Tricorder};
use agon_arena::validator::{Models, Setup, Task, Validator, ValidatorError};
use agon_dataset::chest::{self, Record};
use agon_dataset::skin;
use agon_dataset::source::{Access, Patience};
use agon_dataset::split::{self, Shares};
use agon_dataset::store::Cache;
use agon_neuron::{ChainClient, Signer};
use anyhow::{Context, anyhow};
use serde::Serialize;
use serde_json::json;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Run one verb.
pub async fn run(arguments: Arguments, logging: &Logging) -> Result<(), Failure> {
    match arguments.verb {
        ValidatorVerb::Tricorder(arguments) => {
            let RunTricorderValidator { run, released } = *arguments;
            let released = run.judging.data_dir.is_none().then_some(released);
            validate(run, logging, Work::Lesions { released }).await
        }
        ValidatorVerb::Healthcare(arguments) => {
            let RunXRayValidator {
                run,
                rules,
                form,
                asking,
            } = *arguments;
            let work = Work::XRays {
                rules,
                form,
                asking,
            };
            validate(run, logging, work).await
        }
        ValidatorVerb::Rejudge(arguments) => rejudge(*arguments).await,
    }
}

/// What a validator does.
enum Work {
    /// Judges models of lesions: on one set of images, or on what is released.
    Lesions { released: Option<ReleasedData> },
    /// Judges models of X-rays, or asks about X-rays.
    XRays {
        rules: XRayRules,
        form: XRayForm,
        asking: Asking,
    },
}

/// Where the evidence comes from, and everything that it needs.
enum Evidence<'a> {
    Models(Judging),
    Released {
        judging: Judging,
        data: &'a ReleasedData,
    },
    Peers(questions::Questions),
}

impl Work {
    /// The name in the ledger.
    fn name(&self) -> &'static str {
        match self {
            Self::Lesions { .. } => tricorder::NAME,
            Self::XRays {
                form: XRayForm::Models,
                ..
            } => healthcare::NAME,
            Self::XRays {
                form: XRayForm::Challenge,
                ..
            } => challenge::NAME,
        }
    }

    async fn open(&self, arguments: &JudgingData) -> Result<Evidence<'_>, Failure> {
        Ok(match self {
            Self::Lesions { released: None } => {
                Evidence::Models(Judging::open(arguments, None).await?)
            }
            // How it pays needs no data.
            Self::Lesions {
                released: Some(data),
            } => Evidence::Released {
                judging: Judging::of(arguments, released::rules(arguments)).await?,
                data,
            },
            Self::XRays {
                rules,
                form: XRayForm::Models,
                asking,
            } => {
                questions::refuse_for_models(asking)?;
                Evidence::Models(Judging::open(arguments, Some(rules)).await?)
            }
            Self::XRays {
                rules,
                form: XRayForm::Challenge,
                asking,
            } => Evidence::Peers(questions::Questions::open(arguments, rules, asking).await?),
        })
    }
}

impl Evidence<'_> {
    /// What the validator works with. Released archives are kept in `kept` if nothing else is said.
    async fn task(
        self,
        hotkey: &Arc<dyn Signer>,
        arguments: &JudgingData,
        kept: PathBuf,
        client: &ChainClient,
    ) -> Result<Task, Failure> {
        Ok(match self {
            Self::Models(judging) => Task::Models(judging.models()),
            Self::Released { judging, data } => {
                released::task(data, arguments, judging.models(), kept, client).await?
            }
            Self::Peers(questions) => Task::Peers(questions.peers(hotkey.clone())?),
        })
    }
}

/// Where the judging samples come from.
fn sample_source(arguments: &JudgingData) -> SampleSource {
    let seed = arguments.seed;
    seed.map_or(SampleSource::Chain, SampleSource::Fixed)
}

/// What is judged, and on which samples.
struct Judging {
    competition: Arc<dyn Competition>,
    store: Fetch,
    sandbox: Sandbox,
    at_once: NonZeroUsize,
}

impl Judging {
    /// `xrays` are the rules of X-rays; without them lesions are judged.
    async fn open(arguments: &JudgingData, xrays: Option<&XRayRules>) -> Result<Self, Failure> {
        let competition = match xrays {
            Some(rules) => chests(arguments, rules).await?,
            None => lesions(arguments).await?,
        };
        Self::of(arguments, competition).await
    }

    async fn of(
        arguments: &JudgingData,
        competition: Arc<dyn Competition>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            at_once: match arguments.at_once {
                Some(models) => models,
                None => models_at_once(&competition.budget()),
            },
            competition,
            store: fetch(arguments)?,
            sandbox: arguments.running.sandbox().await?,
        })
    }

    fn models(self) -> Models {
        Models {
            competition: self.competition,
            store: self.store,
            sandbox: self.sandbox,
            at_once: self.at_once,
        }
    }
}

/// The images to judge with.
fn data_dir(arguments: &JudgingData) -> Result<PathBuf, Failure> {
    let none = || Failure::user(anyhow!("which images? Give --data-dir DIR"));
    arguments.data_dir.clone().ok_or_else(none)
}

async fn lesions(arguments: &JudgingData) -> Result<Arc<dyn Competition>, Failure> {
    let (directory, split) = (data_dir(arguments)?, arguments.split);
    let load = tokio::task::spawn_blocking(move || match split {
        Some(seed) => Parts::load(&directory, seed)
            .map(|parts| parts.judging)
            .map_err(Failure::user),
        None => skin::load(&directory).map_err(Failure::user),
    });
    let records = load.await??;
    say(&format!("{} images to judge with", records.len()));
    let competition = Tricorder::new(records, arguments.sample());
    Ok(Arc::new(
        competition
            .with_scoring(arguments.scoring.into())
            .with_engine(arguments.running.engine()),
    ))
}

async fn chests(
    arguments: &JudgingData,
    rules: &XRayRules,
) -> Result<Arc<dyn Competition>, Failure> {
    let records = xrays(arguments, rules).await?;
    let competition = Healthcare::new(rules.labels.clone(), records, arguments.sample());
    Ok(Arc::new(
        competition
            .with_scoring(arguments.scoring.into())
            .with_engine(arguments.running.engine()),
    ))
}

/// The X-rays that are judged with, none of which everybody has.
async fn xrays(arguments: &JudgingData, rules: &XRayRules) -> Result<Vec<Record>, Failure> {
    let (directory, split) = (data_dir(arguments)?, arguments.split);
    let (labels, public) = (rules.labels.clone(), rules.public.clone());
    let load = move || -> Result<Vec<Record>, Failure> {
        let mut records = chest::open(&directory, &labels)
            .map_err(Failure::user)?
            .records;
        if let Some(seed) = split {
            let parts = chest::split(&records, &Shares::default(), seed).map_err(Failure::user)?;
            let judging = parts.part(split::Part::Judging).iter();
            records = judging.map(|&at| records[at].clone()).collect();
        }
        say(&format!("{} images to judge with", records.len()));
        if let Some(directory) = public {
            let public = chest::open(&directory, &labels).map_err(Failure::user)?;
            healthcare::check_hidden(&records, &public.records).map_err(Failure::user)?;
        }
        Ok(records)
    };
    tokio::task::spawn_blocking(load).await?
}

/// Where models come from: the store and the Hub.
fn fetch(arguments: &JudgingData) -> Result<Fetch, Failure> {
    let location = arguments.store.as_ref().ok_or_else(|| {
        Failure::user(anyhow!(
            "models are judged here, so --store DIR is needed: where those of this machine are"
        ))
    })?;
    if let Some(directory) = location.directory().filter(|it| !it.is_dir()) {
        return Err(Failure::user(anyhow!(
            "the store {} is no directory",
            directory.display()
        )));
    }
    let home = std::env::home_dir();
    let variable = |name: &str| std::env::var(name).ok();
    let access = Access::from_environment(&variable, home.as_deref()).map_err(Failure::user)?;
    let kept = match &arguments.cache {
        Some(directory) => directory.clone(),
        None => cache_directory().join("models"),
    };
    let cache = Cache::open(kept, arguments.cache_size << 30)?;
    let store = store::open(location, Some(cache.clone()))?;
    Ok(Fetch::local(store).with_hub(&access, cache, Patience::default()))
}

/// The neuron's own directory, laid out as the field's neurons do.
fn directory(arguments: &RunValidator) -> Result<PathBuf, Failure> {
    let root = match &arguments.logging_directory {
        Some(root) => root.clone(),
        None => std::env::home_dir()
            .ok_or_else(|| {
                Failure::user(anyhow!(
                    "no home directory is known; give --logging.logging_dir"
                ))
            })?
            .join(".bittensor")
            .join("validators"),
    };
    let netuid = format!("netuid{}", arguments.subnet.netuid);
    let place = &arguments.place;
    Ok(
        [&place.name, &place.hotkey, &netuid, &arguments.neuron_name]
            .iter()
            .fold(root, |path, part| path.join(part)),
    )
}

async fn validate(arguments: RunValidator, logging: &Logging, work: Work) -> Result<(), Failure> {
    let directory = directory(&arguments)?;
    logging::start(&directory.join("logs"), logging)?;
    let printer = Arc::new(Printer::new(logging.debug || logging.trace));
    let talk = Talk::new(printer.clone());
    let evidence = work.open(&arguments.judging).await?;
    let (chain, netuid) = (&arguments.subnet.chain, arguments.subnet.netuid);
    let password_file = arguments.password_file.as_deref();
    let (session, hotkey) =
        Session::of_neuron(chain, netuid, &arguments.place, password_file).await?;
    let account = hotkey.account();
    let client = session.client.clone();
    let watched = Watched::start(&arguments.watching, &printer).await?;
    if let Some(watched) = &watched {
        watched.follow(&client);
    }
    let health = watched.as_ref().map(|watched| watched.health.clone());
    let ledger = ledger(&directory, &arguments, work.name(), client.genesis_hash()).await?;
    let listener = move |who: &str, event: &Event| {
        if let Some(health) = &health {
            health.observe(who, event);
        }
        talk.tell(who, event);
    };
    let kept = directory.join("datasets");
    let setup = Setup {
        netuid,
        task: evidence
            .task(&hotkey, &arguments.judging, kept, &client)
            .await?,
        client,
        hotkey,
        sample_source: sample_source(&arguments.judging),
        stake_limit: Some(arguments.stake_limit.0),
        sets_weights: !arguments.disable_set_weights,
        events: Events::new(&arguments.neuron_name, Arc::new(listener)),
    };
    let mut validator = Validator::new(setup, ledger);
    let outcome = tokio::select! {
        biased;
        () = told_to_stop() => Err(Failure::Interrupted),
        outcome = validator.run(arguments.rounds, || {}) => outcome.map_err(|error| match error {
            ValidatorError::Sandbox(error @ SandboxError::Sample(_)) => Failure::user(error),
            ValidatorError::Question(error) => Failure::user(error),
            error => error.into(),
        }),
    };
    let finished = match validator.ledger().records().last_round().await? {
        Some((round, progress)) if progress.finished() => round.number,
        Some((round, _)) => round.number - 1,
        None => 0,
    };
    validator.close().await;
    match outcome {
        // Without --rounds, Ctrl-C is how it ends.
        Err(Failure::Interrupted) if arguments.rounds.is_none() => {}
        outcome => outcome?,
    }
    let fields =
        json!({"hotkey": account, "netuid": netuid, "rounds": finished, "ledger": directory});
    session.show(fields, || {
        format!(
            "{finished} rounds are finished; agon board --ledger {} shows them",
            directory.display()
        )
    })
}

async fn ledger(
    directory: &Path,
    arguments: &RunValidator,
    name: &str,
    genesis: agon_neuron::H256,
) -> Result<Ledger, Failure> {
    if let Some(path) = &arguments.snapshot {
        let file = std::fs::File::open(path)
            .with_context(|| format!("cannot read the snapshot {}", path.display()))
            .map_err(Failure::User)?;
        let rounds = snapshot::install(directory, file, genesis, name).map_err(Failure::user)?;
        say(&format!(
            "{rounds} rounds are taken over from {}",
            path.display()
        ));
    }
    Ledger::open(directory, &genesis.0, name)
        .await
        .map_err(|error| match error {
            LedgerError::Journal(JournalError::Used(_)) => Failure::user(error),
            error => error.into(),
        })
}

/// One model, judged again.
#[derive(Serialize)]
struct Again {
    hotkey: String,
    was: String,
    is: String,
    agrees: bool,
}

async fn rejudge(arguments: Rejudge) -> Result<(), Failure> {
    let place = &arguments.place;
    let records = Records::open(&place.ledger, place.competition.as_deref())
        .await
        .map_err(Failure::user)?;
    let name = records.scope().competition;
    if name == challenge::NAME {
        return Err(Failure::user(anyhow!(
            "{name} keeps what miners answered, and they cannot be asked the same again; agon ledger replay makes its \
             weights again"
        )));
    }
    let rounds = records.all_rounds().await?;
    let round = rounds
        .into_iter()
        .map(|(round, _)| round)
        .rfind(|round| arguments.round.is_none_or(|number| round.number == number))
        .ok_or_else(|| Failure::user(anyhow!("the ledger has no such round")))?;
    let release = round.agenda.as_ref().and_then(|it| it.release.as_ref());
    let judging = match release {
        Some(release) => {
            let kept = arguments.kept.clone();
            let kept = kept.unwrap_or_else(|| place.ledger.join("datasets"));
            let competition = released::again(release, &arguments.judging, kept).await?;
            Judging::of(&arguments.judging, competition).await?
        }
        None if round.agenda.is_some() => {
            return Err(Failure::user(anyhow!(
                "round {} judged nobody, because nothing new was released; --round names another",
                round.number
            )));
        }
        None => {
            let xrays = (name == healthcare::NAME).then_some(&arguments.rules);
            Judging::open(&arguments.judging, xrays).await?
        }
    };
    let competition = &judging.competition;
    let seed = sample_source(&arguments.judging).seed(
        competition.name(),
        round.number,
        &round.seed_hash.0,
    );
    let items = competition.draw(seed);
    let mut again = Vec::new();
    for row in records.evaluations(round.number).await? {
        // What was refused before it ran has nothing to be run again.
        let (Some(artefact), true) = (
            row.artefact,
            row.seconds > 0.0 || row.outcome == Outcome::Scored,
        ) else {
            continue;
        };
        let limit = competition.limits().bytes;
        let model = match judging.store.kept(artefact, limit).await? {
            Ok(model) => model.bytes,
            Err(unfetched) => {
                let reason = unfetched.judgement.reason.unwrap_or_default();
                again.push(compare(&row, "not there any more", None, &reason));
                continue;
            }
        };
        let judged = judging
            .sandbox
            .judge(competition.clone(), &model, &items)
            .await
            .map_err(Failure::user)?;
        let judgement = judged.judgement;
        let score = judgement.score.map(|score| (score.score, score.evidence));
        let reason = judgement.reason.unwrap_or_default();
        again.push(compare(&row, judgement.outcome.as_str(), score, &reason));
    }
    let differing = again.iter().filter(|again| !again.agrees).count();
    match arguments.json {
        true => result(&document(json!({"round": round.number, "models": again})).to_string())?,
        false => {
            let mark = |agrees: bool| if agrees { "same" } else { "DIFFERS" }.to_owned();
            let rows = again.iter().map(|again| {
                [
                    again.hotkey.clone(),
                    again.was.clone(),
                    again.is.clone(),
                    mark(again.agrees),
                ]
            });
            result(&table(["hotkey", "was", "is", ""], rows))?;
        }
    }
    match differing {
        0 => Ok(()),
        differing => Err(anyhow!(
            "{differing} of {} models of round {} are judged otherwise now",
            again.len(),
            round.number
        )
        .into()),
    }
}

/// A row beside what was seen now. A copy was scored before it was known as one, so a score beside it is no difference.
fn compare(row: &Evaluation, outcome: &str, score: Option<(f64, Vec<f32>)>, reason: &str) -> Again {
    let copy = row.outcome == Outcome::Refused && row.canonical.is_some();
    let agrees = match &score {
        Some((score, evidence)) => copy || (*score == row.score && *evidence == row.evidence),
        None => outcome == row.outcome.as_str(),
    };
    let was = match row.outcome {
        Outcome::Scored => format!("{:.6}", row.score),
        outcome => outcome.as_str().to_owned(),
    };
    Again {
        hotkey: row.hotkey.to_string(),
        was,
        is: match score {
            Some((score, _)) => format!("{score:.6}"),
            None => format!("{outcome}: {reason}"),
        },
        agrees,
    }
}

//! `agon validator`: one validator on any chain, and its judgements made again.

use super::released;
use super::session::{Session, document, table};
use super::wallet::{Part, open, unlock};
use crate::args::{
    JudgingData, Logging, Rejudge, ReleasedData, RunTricorderValidator, RunValidator,
    RunXRayValidator, Validator as Arguments, ValidatorVerb, XRayRules,
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
use agon_arena::subnet::healthcare::{self, Healthcare};
use agon_arena::subnet::tricorder::parts::Parts;
use agon_arena::subnet::tricorder::{self, Tricorder};
use agon_arena::validator::{Models, Setup, Task, Validator, ValidatorError};
use agon_dataset::chest;
use agon_dataset::skin;
use agon_dataset::source::{Access, Patience};
use agon_dataset::split::{self, Shares};
use agon_dataset::store::{Cache, LocalStore};
use anyhow::{Context, anyhow};
use serde::Serialize;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Run one verb.
pub async fn run(arguments: Arguments, logging: &Logging) -> Result<(), Failure> {
    match arguments.verb {
        ValidatorVerb::Tricorder(arguments) => {
            let RunTricorderValidator { run, released } = *arguments;
            let released = run.judging.data_dir.is_none().then_some(released);
            validate(run, logging, tricorder::NAME, None, released).await
        }
        ValidatorVerb::Healthcare(arguments) => {
            let RunXRayValidator { run, rules } = *arguments;
            validate(run, logging, healthcare::NAME, Some(rules), None).await
        }
        ValidatorVerb::Rejudge(arguments) => rejudge(*arguments).await,
    }
}

/// What is judged, and on which samples.
struct Judging {
    competition: Arc<dyn Competition>,
    source: SampleSource,
    store: Fetch,
    sandbox: Sandbox,
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
        if !arguments.store.is_dir() {
            return Err(Failure::user(anyhow!(
                "the store {} is no directory",
                arguments.store.display()
            )));
        }
        Ok(Self {
            competition,
            source: arguments
                .seed
                .map_or(SampleSource::Chain, SampleSource::Fixed),
            store: store(arguments)?,
            sandbox: arguments.running.sandbox().await?,
        })
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
    let (directory, split) = (data_dir(arguments)?, arguments.split);
    let (labels, public) = (rules.labels.clone(), rules.public.clone());
    let (sample, scoring) = (arguments.sample(), arguments.scoring);
    let engine = arguments.running.engine();
    let load = move || -> Result<Healthcare, Failure> {
        let mut records = chest::open(&directory, &labels)
            .map_err(Failure::user)?
            .records;
        if let Some(seed) = split {
            let parts = chest::split(&records, &Shares::default(), seed).map_err(Failure::user)?;
            let judging = parts.part(split::Part::Judging).iter();
            records = judging.map(|&at| records[at].clone()).collect();
        }
        say(&format!("{} images to judge with", records.len()));
        match public {
            None => Ok(Healthcare::new(labels, records, sample)),
            Some(directory) => {
                let public = chest::open(&directory, &labels).map_err(Failure::user)?;
                Healthcare::hidden(labels, records, &public.records, sample).map_err(Failure::user)
            }
        }
    };
    let competition = tokio::task::spawn_blocking(load).await??;
    Ok(Arc::new(
        competition.with_scoring(scoring.into()).with_engine(engine),
    ))
}

/// Where models come from: the local store and the Hub.
fn store(arguments: &JudgingData) -> Result<Fetch, Failure> {
    let home = std::env::home_dir();
    let variable = |name: &str| std::env::var(name).ok();
    let access = Access::from_environment(&variable, home.as_deref()).map_err(Failure::user)?;
    let kept = match &arguments.cache {
        Some(directory) => directory.clone(),
        None => cache_directory().join("models"),
    };
    let cache = Cache::open(kept, arguments.cache_size << 30)?;
    let local = Arc::new(LocalStore::open(&arguments.store)?);
    Ok(Fetch::local(local).with_hub(&access, cache, Patience::default()))
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

async fn validate(
    arguments: RunValidator,
    logging: &Logging,
    name: &str,
    xrays: Option<XRayRules>,
    released: Option<ReleasedData>,
) -> Result<(), Failure> {
    let directory = directory(&arguments)?;
    logging::start(&directory.join("logs"), logging)?;
    let printer = Arc::new(Printer::new(logging.debug || logging.trace));
    let talk = Talk::new(printer.clone());
    let judging = match &released {
        // How it pays needs no data.
        Some(_) => Judging::of(&arguments.judging, released::rules(&arguments.judging)).await?,
        None => Judging::open(&arguments.judging, xrays.as_ref()).await?,
    };
    let session = Session::open(&arguments.subnet.chain).await?;
    let netuid = arguments.subnet.netuid;
    session.subnet_exists(netuid).await?;
    let wallet = open(&arguments.place)?;
    let hotkey = unlock(&wallet, Part::Hotkey, arguments.password_file.as_deref())?;
    let account = hotkey.account();
    if session.state.uid(netuid, account).await?.is_none() {
        return Err(Failure::user(anyhow!(
            "{account} is not registered on subnet {netuid}; run agon subnet register --netuid {netuid}"
        )));
    }
    let client = session.client.clone();
    let watched = Watched::start(&arguments.watching).await?;
    if let Some(watched) = &watched {
        printer.say(&format!("health at {}", watched.url()));
        tokio::spawn(watched.health.clone().follow(client.clone()));
    }
    let health = watched.as_ref().map(|watched| watched.health.clone());
    let ledger = ledger(&directory, &arguments, name, client.genesis_hash()).await?;
    let listener = move |who: &str, event: &Event| {
        if let Some(health) = &health {
            health.observe(who, event);
        }
        talk.tell(who, event);
    };
    let at_once = match arguments.judging.at_once {
        Some(models) => models,
        None => models_at_once(&judging.competition.budget()),
    };
    let models = Models {
        competition: judging.competition,
        store: judging.store,
        sandbox: judging.sandbox,
        at_once,
    };
    let task = match &released {
        Some(data) => {
            let kept = directory.join("datasets");
            released::task(data, &arguments.judging, models, kept, &client).await?
        }
        None => Task::Models(models),
    };
    let setup = Setup {
        client,
        netuid,
        hotkey: Arc::new(hotkey),
        task,
        sample_source: judging.source,
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
        None => {
            let xrays = (name == healthcare::NAME).then_some(&arguments.rules);
            Judging::open(&arguments.judging, xrays).await?
        }
    };
    let competition = &judging.competition;
    let seed = judging
        .source
        .seed(competition.name(), round.number, &round.seed_hash.0);
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

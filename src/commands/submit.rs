//! `agon submit`: a model from a file to a commitment that validators take.

use super::session::{Order, Session, document, facts};
use super::store;
use super::wallet::{Part, account, open};
use crate::args::{
    Action, Arguments, Command, HubName, Submit, SubmitTricorder, SubmittedCompetition,
};
use crate::failure::Failure;
use crate::memory::Memory;
use crate::printer::{Printer, result, say};
use agon_arena::commitment::{Form, LOCAL_REPOSITORY, Reveal, Salt, Seal, Statement, draw_salt};
use agon_arena::ledger::Outcome;
use agon_arena::roster::{self, Rules};
use agon_arena::sandbox::Sandbox;
use agon_arena::subnet::tricorder::submission::{
    self, CUTOFF, CheckError, Names, PublishError, Record, Shelf, objections,
};
use agon_dataset::pack::pack;
use agon_dataset::source::{Access, Patience, Repository, SourceError};
use agon_dataset::store::StoreError;
use agon_keys::AccountId;
use agon_model::digest::Digest;
use agon_model::inspect::{Limits, check_size};
use agon_neuron::{Call, ChainState};
use anyhow::{Context, anyhow};
use clap::Parser;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// The forms in which the competition takes commitments.
const FORMS: &[Form] = &[Form::File, Form::TwoPhase];

/// Most bytes of an archive with code.
const MAX_CODE: u64 = 64 << 20;

/// Nobody stops a transfer but the end of the process; it can be repeated.
static GO_ON: AtomicBool = AtomicBool::new(false);

/// Hand a model in.
pub async fn run(submit: Submit) -> Result<(), Failure> {
    match submit.competition {
        SubmittedCompetition::Tricorder(arguments) => tricorder(*arguments).await,
    }
}

async fn tricorder(arguments: SubmitTricorder) -> Result<(), Failure> {
    match arguments.action {
        Action::Evaluate => evaluate(&arguments).await,
        Action::SelfCheck => {
            let path = model_path(&arguments)?;
            let model = checked_model(&path).await?;
            let digest = Digest::of(&model);
            let fields = json!({ "model": path, "digest": digest, "bytes": model.len(), "outcome": "accepted" });
            match arguments.subnet.chain.json {
                true => result(&document(fields).to_string())?,
                false => result(&format!(
                    "{} would be judged: {} bytes, {digest}",
                    path.display(),
                    model.len()
                ))?,
            }
            Ok(())
        }
        Action::Status => {
            let session = Session::open(&arguments.subnet.chain).await?;
            let access = access()?;
            let work = Work::new(&arguments, &session, &access).await?;
            work.show(&session.state).await.map(drop)
        }
        Action::Submit | Action::Upload => hand_in(&arguments).await,
    }
}

/// The same question to `agon evaluate`.
async fn evaluate(arguments: &SubmitTricorder) -> Result<(), Failure> {
    let model = model_path(arguments)?;
    let dataset = arguments.dataset.clone().unwrap_or_default();
    let mut words = vec!["agon".into(), "evaluate".into(), "tricorder".into()];
    words.extend(["--model".into(), model.into_os_string()]);
    words.extend(["--data-dir".into(), dataset.into_os_string()]);
    words.extend(["--part".into(), "all".into()]);
    if arguments.subnet.chain.json {
        words.push("--json".into());
    }
    match Arguments::try_parse_from(words)
        .map_err(Failure::user)?
        .command
    {
        Command::Evaluate(evaluate) => super::evaluate::run(evaluate).await,
        _ => Err(anyhow!("evaluate is another command").into()),
    }
}

async fn hand_in(arguments: &SubmitTricorder) -> Result<(), Failure> {
    // What is typed wrong is told before the work, and before anybody is asked.
    let path = model_path(arguments)?;
    let names = names(arguments)?;
    let code = code(arguments, &names)?;
    let access = access()?;
    let session = Session::open(&arguments.subnet.chain).await?;
    let work = Work::new(arguments, &session, &access).await?;
    session.uid(arguments.subnet.netuid, work.hotkey).await?;
    let model = checked_model(&path).await?;
    let digest = Digest::of(&model);
    let names = match arguments.two_phases {
        true => Names::sealed(&names.repository, digest, &names.competition),
        false => names,
    };
    let is_dry = arguments.signing.dry_run;
    if !is_dry {
        let shelf = work.shelf()?;
        let is_new = tokio::task::block_in_place(|| shelf.publish(&names, &model, &code));
        match is_new.map_err(unpublished)? {
            true => say(&format!("{} is uploaded", names.model_file())),
            false => say(&format!("{} is there already", names.model_file())),
        }
    }
    if arguments.action == Action::Upload {
        let fields =
            json!({ "digest": digest, "repository": names.repository, "file": names.model_file() });
        return session.show(fields, || {
            format!("Uploaded {digest}; --action submit commits to it")
        });
    }
    let committed = match arguments.two_phases {
        true => work.commit_in_two_phases(&names, digest).await?,
        false => work.commit(&names.statement(digest)).await?,
    };
    let Some((block, index)) = committed else {
        return Ok(());
    };
    let record = Record::new(work.hotkey, block, index);
    let record = Some(&record).filter(|_| !arguments.two_phases);
    let shelf = work.shelf()?;
    tokio::task::block_in_place(|| shelf.conclude(record)).map_err(unpublished)?;
    let state = session.client.finalized().await?;
    match work.show(&state).await? {
        true => Ok(()),
        false => Err(Failure::user(anyhow!(
            "the submission is not as validators want it; the reasons stand above"
        ))),
    }
}

/// What a seal was made with; kept until another is made.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Sealed {
    digest: Digest,
    repository: String,
    competition: String,
    salt: Salt,
}

/// What a submission is about.
struct Work<'a> {
    arguments: &'a SubmitTricorder,
    session: &'a Session,
    access: &'a Access,
    hotkey: AccountId,
}

impl<'a> Work<'a> {
    async fn new(
        arguments: &'a SubmitTricorder,
        session: &'a Session,
        access: &'a Access,
    ) -> Result<Self, Failure> {
        session.subnet_exists(arguments.subnet.netuid).await?;
        let wallet = open(&arguments.signing.place)?;
        Ok(Self {
            arguments,
            session,
            access,
            hotkey: account(&wallet, Part::Hotkey)?,
        })
    }

    /// Where this submission's files stand.
    fn shelf(&self) -> Result<Shelf<'a>, Failure> {
        match repository(self.arguments) {
            None => self.local(),
            Some(name) => self.on_hub(name?),
        }
    }

    fn local(&self) -> Result<Shelf<'a>, Failure> {
        let store = store::open(&self.arguments.store, None)?;
        let folder = self.hotkey.to_string();
        Ok(Shelf::Local { store, folder })
    }

    fn on_hub(&self, name: &'a str) -> Result<Shelf<'a>, Failure> {
        let printer = Printer::new(false);
        let progress = move |file: &str, done: u64, total: u64| {
            printer.progress(file, done, total, "bytes".to_owned());
        };
        let repository = Repository::new(name, self.access, Patience::default(), &GO_ON);
        let repository = repository.map_err(|error| unpublished(error.into()))?;
        Ok(Shelf::Hub(repository.with_progress(progress)))
    }

    /// Commits, unless that is the hotkey's commitment already; the place on chain. `None` after a dry run.
    async fn commit(&self, statement: &Statement) -> Result<Option<(u64, u32)>, Failure> {
        let netuid = self.arguments.subnet.netuid;
        let text = statement.to_string();
        let state = self.session.client.finalized().await?;
        if let Some((data, block, Some(index))) = placed(&state, netuid, self.hotkey).await?
            && data == text.as_bytes()
        {
            say(&format!("{text} is committed already"));
            return Ok(Some((block, index)));
        }
        let order = Order {
            call: Call::set_commitment(netuid, text.as_bytes()).map_err(Failure::user)?,
            key: Part::Hotkey,
            plan: format!("commit {text} in subnet {netuid}"),
            moves_money: false,
        };
        let signing = &self.arguments.signing;
        let receipt = self.session.carry_out(signing, order).await?;
        Ok(receipt.map(|receipt| receipt.place()))
    }

    /// The same in two phases: a seal, and in a later block what is sealed. What was begun is gone on with, because the
    /// salt is remembered. The place is that of the reveal.
    async fn commit_in_two_phases(
        &self,
        names: &Names,
        digest: Digest,
    ) -> Result<Option<(u64, u32)>, Failure> {
        let netuid = self.arguments.subnet.netuid;
        let chain = self.session.chain_name();
        let memory = format!("seal-{chain}-{netuid}-{}.json", self.hotkey);
        let memory = Memory::named(&memory).map_err(Failure::User)?;
        let sealed = |salt| Sealed {
            digest,
            repository: names.repository.clone(),
            competition: names.competition.clone(),
            salt,
        };
        let known: Option<Sealed> = memory.read().map_err(Failure::User)?;
        let known = known.filter(|known| *known == sealed(known.salt));
        let salt = known.as_ref().map_or_else(draw_salt, |known| known.salt);
        let reveal = |block| {
            Statement::Reveal(Reveal {
                block,
                digest,
                salt,
                repository: names.repository.clone(),
            })
        };
        // Sealing anew would give the place away.
        let state = self.session.client.finalized().await?;
        if let Some((data, ..)) = placed(&state, netuid, self.hotkey).await?
            && let Ok(Statement::Reveal(it)) = Statement::read(&data, FORMS)
            && Statement::Reveal(it.clone()) == reveal(it.block)
        {
            return self.commit(&reveal(it.block)).await;
        }
        if known.is_none() && !self.arguments.signing.dry_run {
            memory.keep(&sealed(salt))?;
        }
        let seal = Seal::new(digest, &self.hotkey, &salt, &names.competition);
        let Some((block, _)) = self.commit(&Statement::Seal(seal)).await? else {
            return Ok(None);
        };
        say(&format!("sealed in block {block}"));
        self.session.client.wait_for_block(block + 1).await?;
        self.commit(&reveal(block)).await
    }

    /// Prints what there is of the submission, and says whether validators would take it.
    async fn show(&self, state: &ChainState) -> Result<bool, Failure> {
        let netuid = self.arguments.subnet.netuid;
        let uid = state.uid(netuid, self.hotkey).await?;
        let mut reasons = Vec::new();
        if uid.is_none() {
            reasons.push(format!("the hotkey is not registered on subnet {netuid}"));
        }
        let placed = placed(state, netuid, self.hotkey).await?;
        let mut fields = json!({ "hotkey": self.hotkey, "netuid": netuid, "uid": uid });
        match &placed {
            None => reasons.push("nothing is committed".to_owned()),
            Some((data, block, index)) => {
                fields["commitment"] = json!({
                    "text": String::from_utf8_lossy(data),
                    "block": block,
                    "extrinsic_index": index,
                });
                self.look(data, (*block, *index), &mut fields, &mut reasons)?;
                reasons.extend(self.refusal(state).await?);
                fields["counts_after"] = json!(self.counts_after(state, *block).await?);
            }
        }
        let is_accepted = reasons.is_empty();
        fields["accepted"] = json!(is_accepted);
        fields["reasons"] = json!(reasons);
        let text = || table(&fields, &reasons);
        self.session.show(fields.clone(), text)?;
        Ok(is_accepted)
    }

    /// What stands where the commitment says.
    fn look(
        &self,
        data: &[u8],
        placed: (u64, Option<u32>),
        fields: &mut Value,
        reasons: &mut Vec<String>,
    ) -> Result<(), Failure> {
        let (names, digest, placed) = match Statement::read(data, FORMS) {
            Ok(Statement::File(file)) => {
                let names = Names {
                    repository: file.repository,
                    stem: file.stem,
                    competition: file.competition,
                };
                (names, file.digest, Some(placed))
            }
            Ok(Statement::Reveal(it)) => {
                let competition = &self.arguments.competition;
                let names = Names::sealed(&it.repository, it.digest, competition);
                (names, it.digest, None)
            }
            // What it is instead, the roster says.
            _ => return Ok(()),
        };
        let shelf = match names.repository == LOCAL_REPOSITORY {
            true => self.local()?,
            false => {
                let repository =
                    Repository::new(&names.repository, self.access, Patience::default(), &GO_ON);
                Shelf::Hub(repository.map_err(|error| unpublished(error.into()))?)
            }
        };
        let found = tokio::task::block_in_place(|| shelf.find(&names, digest));
        let found = found.map_err(unpublished)?;
        fields["competition"] = json!(names.competition);
        fields["repository"] = json!(names.repository);
        fields["model"] =
            json!({ "file": names.model_file(), "digest": digest, "found": found.model });
        fields["code"] = json!({ "file": names.code_file(), "found": found.has_code });
        fields["licence"] = json!(found.licence);
        fields["public"] = json!(found.is_public);
        fields["record"] = json!(found.record.as_ref().map(|record| &record.extrinsic));
        let missing = objections(&names, digest, &self.hotkey, placed, &found);
        reasons.extend(missing);
        Ok(())
    }

    /// Why the roster of a round that began now would refuse it.
    async fn refusal(&self, state: &ChainState) -> Result<Option<String>, Failure> {
        let rules = Rules {
            competition: &self.arguments.competition,
            others: &[],
            forms: FORMS,
            // Who validates is the validators' own setting.
            stake_limit: None,
        };
        let entries = roster::read(state, self.arguments.subnet.netuid, rules).await?;
        let mine = entries.into_iter().find(|it| it.hotkey == self.hotkey);
        Ok(mine.and_then(|entry| entry.claim.err().map(|refused| refused.reason)))
    }

    /// From when on, in seconds since 1970, a data set must be released for this commitment to count: by the blocks
    /// since then and the time between two.
    async fn counts_after(&self, state: &ChainState, block: u64) -> Result<u64, Failure> {
        let (now, block_time) = tokio::try_join!(state.time(), state.block_time())?;
        let blocks = u32::try_from(state.number().saturating_sub(block)).unwrap_or(u32::MAX);
        let committed = now.saturating_sub(block_time.saturating_mul(blocks));
        Ok((committed + CUTOFF).as_secs())
    }
}

/// The hotkey's commitment: its bytes, its block and the index of its extrinsic.
async fn placed(
    state: &ChainState,
    netuid: u16,
    hotkey: AccountId,
) -> Result<Option<(Vec<u8>, u64, Option<u32>)>, Failure> {
    let commitments = state.commitments(netuid).await?;
    let mine = commitments.into_iter().find(|it| it.hotkey == hotkey);
    Ok(mine.map(|it| (it.data, it.block, it.extrinsic_index)))
}

/// The state of a submission for people.
fn table(fields: &Value, reasons: &[String]) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let mut rows = vec![
        ("hotkey", text(&fields["hotkey"])),
        ("uid", text(&fields["uid"])),
    ];
    if let Some(commitment) = fields.get("commitment") {
        let (block, index) = (&commitment["block"], text(&commitment["extrinsic_index"]));
        rows.push(("commitment", text(&commitment["text"])));
        rows.push(("in block", format!("{block}, extrinsic {index}")));
    }
    if fields.get("model").is_some() {
        rows.push(("model", text(&fields["model"]["found"])));
        rows.push(("code", text(&fields["code"]["file"])));
        rows.push(("licence", text(&fields["licence"])));
        rows.push(("public", text(&fields["public"])));
        rows.push(("record", text(&fields["record"])));
    }
    let verdict = match reasons {
        [] => "accepted".to_owned(),
        reasons => reasons.join("\n"),
    };
    rows.push(("state", verdict));
    facts(&rows)
}

/// The file that is handed in.
fn model_path(arguments: &SubmitTricorder) -> Result<PathBuf, Failure> {
    match (&arguments.model_path, &arguments.model_name) {
        (Some(path), _) => Ok(path.clone()),
        (None, Some(name)) => Ok(arguments.model_dir.join(name)),
        (None, None) => Err(Failure::user(anyhow!(
            "which model? Give --model_path FILE, or --hf_model_name NAME.onnx of a file in --model_dir"
        ))),
    }
}

/// The repository of the Hub, unless the local store is meant.
fn repository(arguments: &SubmitTricorder) -> Option<Result<&str, Failure>> {
    match (arguments.hub, &arguments.repository) {
        (Some(HubName::Local), _) | (None, None) => None,
        (_, Some(name)) => Some(Ok(name)),
        (Some(HubName::Huggingface), None) => Some(Err(Failure::user(anyhow!(
            "which repository? Give --hf_repo_id OWNER/NAME"
        )))),
    }
}

fn names(arguments: &SubmitTricorder) -> Result<Names, Failure> {
    let repository = repository(arguments).transpose()?;
    let file = match &arguments.model_name {
        Some(name) => name.clone(),
        None => {
            let path = model_path(arguments)?;
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        }
    };
    let repository = repository.unwrap_or(LOCAL_REPOSITORY);
    let names = Names::new(repository, &file, &arguments.competition).map_err(Failure::user)?;
    if let Some(code) = &arguments.code_name {
        names.check_code(code).map_err(Failure::user)?;
    }
    Ok(names)
}

/// The archive with the code.
fn code(arguments: &SubmitTricorder, names: &Names) -> Result<Vec<u8>, Failure> {
    if let Some(directory) = &arguments.code_directory {
        return pack(directory).map_err(Failure::user);
    }
    match &arguments.code_name {
        Some(name) => read(Path::new(name), MAX_CODE),
        None => Err(Failure::user(anyhow!(
            "validators want {} with the code that the model was made with; give --code_directory DIR",
            names.code_file()
        ))),
    }
}

/// The bytes of a model that the sandbox has accepted.
async fn checked_model(path: &Path) -> Result<Vec<u8>, Failure> {
    let limits = Limits::default();
    let model = read(path, limits.bytes)?;
    check_size(model.len() as u64, &limits).map_err(Failure::user)?;
    let sandbox = Sandbox::new(std::env::current_exe().context("finding this program")?);
    let images = tempfile::tempdir().context("a directory for images to ask it about")?;
    say(&format!("checking {} in the sandbox", path.display()));
    let judgement = submission::check(&sandbox, images.path(), &model).await;
    let judgement = judgement.map_err(|error: CheckError| Failure::Ours(error.into()))?;
    match judgement.outcome {
        Outcome::Scored => Ok(model),
        outcome => Err(Failure::user(anyhow!(
            "validators would not score {}: {} ({})",
            path.display(),
            judgement.reason.unwrap_or_default(),
            outcome.as_str()
        ))),
    }
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let read = || -> std::io::Result<Vec<u8>> {
        // Looked at before it is opened: opening a named pipe would wait for a writer.
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(std::io::Error::other("not a file"));
        }
        if metadata.len() > most {
            let size = metadata.len();
            return Err(std::io::Error::other(format!(
                "it has {size} bytes; at most {most} are allowed"
            )));
        }
        let mut bytes = Vec::new();
        File::open(path)?.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read()
        .with_context(|| format!("cannot read {}", path.display()))
        .map_err(Failure::User)
}

fn access() -> Result<Access, Failure> {
    let home = std::env::home_dir();
    let variable = |name: &str| std::env::var(name).ok();
    Access::from_environment(&variable, home.as_deref()).map_err(Failure::user)
}

fn unpublished(error: PublishError) -> Failure {
    match error {
        PublishError::Source(SourceError::Stopped) => Failure::Interrupted,
        PublishError::Source(error) | PublishError::Store(StoreError::Source(error))
            if error.is_users() =>
        {
            Failure::user(error)
        }
        PublishError::Licence(_) => Failure::user(error),
        error => Failure::Ours(error.into()),
    }
}

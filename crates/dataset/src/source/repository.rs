//! A model repository of the Hub that the user fills: made private, filled, made public when its time has come.
//!
//! Large files go the way of Git LFS (asked for in a batch, put where the answer says, verified), small ones stand in
//! the commit; the Hub says which is which. Everything can be repeated: a file that is there with the same bytes is not
//! sent again.

use std::cell::RefCell;
use std::sync::atomic::AtomicBool;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use ureq::http::Method;
use url::Url;

use super::fetch::below;
use super::hub::is_repository;
use super::transfer::{Ask, Client, Expected, Job, Reply, shown};
use super::{Access, Patience, SourceError};

/// The branch that is filled.
const BRANCH: &str = "main";
/// Most bytes of a file that stands in a commit itself, in base64.
const MAX_REGULAR: usize = 10 << 20;
/// How much of a file the Hub wants to see before it says how to send it.
const SAMPLE: usize = 512;
/// Most entries that are read of a repository's list of files.
const MAX_ENTRIES: usize = 10_000;
/// What to do when the Hub refuses.
const ADVICE: &str = "Set HF_TOKEN to a token that may write to this repository (https://huggingface.co/settings/tokens)";

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";
const LFS: &str = "application/vnd.git-lfs+json";

/// A file to be in a repository.
#[derive(Debug, Clone, Copy)]
pub struct Upload<'a> {
    /// Its path there.
    pub path: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// What a repository is at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Whether only its owner sees it.
    pub is_private: bool,
    /// The newest commit.
    pub revision: String,
    /// What its card says of the licence.
    pub licence: Option<String>,
    /// The paths of its files.
    pub files: Vec<String>,
}

/// A model repository, and who fills it.
pub struct Repository<'a> {
    name: &'a str,
    access: &'a Access,
    client: Client<'a>,
    progress: RefCell<Box<Progress<'a>>>,
}

/// Told of the file that is sent, how much of it, and how large it is.
type Progress<'a> = dyn FnMut(&str, u64, u64) + 'a;

#[derive(Deserialize)]
struct Info {
    sha: String,
    #[serde(default)]
    private: bool,
    #[serde(rename = "cardData", default)]
    card: Option<Card>,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Card {
    // One or a list, and sometimes something else.
    license: Option<Value>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

#[derive(Deserialize)]
struct Entry {
    path: String,
    size: Option<u64>,
    lfs: Option<Pointer>,
}

#[derive(Deserialize)]
struct Pointer {
    oid: String,
}

#[derive(Deserialize)]
struct Modes {
    files: Vec<Mode>,
}

#[derive(Deserialize)]
struct Mode {
    path: String,
    #[serde(rename = "uploadMode")]
    mode: String,
}

#[derive(Deserialize)]
struct Batch {
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    oid: String,
    #[serde(default)]
    actions: Option<Actions>,
    #[serde(default)]
    error: Option<Trouble>,
}

#[derive(Deserialize)]
struct Actions {
    upload: Option<Action>,
    verify: Option<Action>,
}

#[derive(Deserialize)]
struct Action {
    href: String,
    #[serde(default)]
    header: serde_json::Map<String, Value>,
}

#[derive(Deserialize)]
struct Trouble {
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Committed {
    #[serde(rename = "commitOid")]
    revision: String,
}

impl<'a> Repository<'a> {
    /// The repository `owner/name` of the Hub that `access` knows.
    ///
    /// # Errors
    /// When the name is none.
    pub fn new(
        name: &'a str,
        access: &'a Access,
        patience: Patience,
        stop: &'a AtomicBool,
    ) -> Result<Self, SourceError> {
        if !is_repository(name) {
            return Err(SourceError::Credentials(format!(
                "{name:?} is no repository of the Hub: write owner/name"
            )));
        }
        Ok(Self {
            name,
            access,
            client: Client::patient(patience, stop),
            progress: RefCell::new(Box::new(|_, _, _| {})),
        })
    }

    /// The same, telling how far uploads are: the file, bytes sent, all bytes.
    pub fn with_progress(self, progress: impl FnMut(&str, u64, u64) + 'a) -> Self {
        Self {
            progress: RefCell::new(Box::new(progress)),
            ..self
        }
    }

    /// What it is now; `None` if it is not there.
    pub fn state(&self) -> Result<Option<State>, SourceError> {
        let info: Option<Info> = self.look(&["api", "models"], "")?;
        let Some(info) = info else {
            return Ok(None);
        };
        let licence = info.card.and_then(|card| card.license);
        Ok(Some(State {
            is_private: info.private,
            revision: info.sha,
            licence: licence.and_then(|licence| Some(licence.as_str()?.to_owned())),
            files: info.siblings.into_iter().map(|it| it.rfilename).collect(),
        }))
    }

    /// Makes it, private, unless it is there. Says whether it was made.
    pub fn create(&self) -> Result<bool, SourceError> {
        let (owner, name) = self.name.split_once('/').unwrap_or(("", self.name));
        let url = below(&self.access.hub, &["api", "repos"], "create");
        let body = json!({ "name": name, "organization": owner, "type": "model", "private": true });
        let reply = self.say(Method::POST, url, JSON, &body, &[409])?;
        Ok(reply.status.is_success())
    }

    /// Hides it, or shows it to everybody.
    pub fn set_private(&self, is_private: bool) -> Result<(), SourceError> {
        let url = self.api("settings");
        let body = json!({ "private": is_private });
        self.say(Method::PUT, url, JSON, &body, &[]).map(drop)
    }

    /// Which of these files it does not have with these bytes.
    pub fn missing<'f>(&self, files: &[Upload<'f>]) -> Result<Vec<Upload<'f>>, SourceError> {
        let there = self.entries()?;
        let mut missing = Vec::new();
        for file in files {
            if !self.is_there(file, &there)? {
                missing.push(*file);
            }
        }
        Ok(missing)
    }

    /// Brings these files into one commit, except those that are there already, and returns the newest revision.
    ///
    /// # Errors
    /// When the Hub cannot be asked, refuses, or answers what cannot be used. Nothing is visible of files that were
    /// sent and not committed.
    pub fn upload(&self, files: &[Upload], summary: &str) -> Result<String, SourceError> {
        let missing = self.missing(files)?;
        if missing.is_empty() {
            let state = self.state()?;
            return state
                .map(|state| state.revision)
                .ok_or_else(|| self.unusable("it is gone"));
        }
        let (large, small) = self.modes(&missing)?;
        self.send_large(&large)?;
        self.commit(&large, &small, summary)
    }

    /// The SHA-256 of a file in hex; `None` if it is not there.
    pub fn sha256(&self, path: &str) -> Result<Option<String>, SourceError> {
        let entries = self.entries()?;
        match entries.into_iter().find(|entry| entry.path == path) {
            None => Ok(None),
            Some(Entry {
                lfs: Some(pointer), ..
            }) => Ok(Some(pointer.oid)),
            Some(_) => {
                let bytes = self.read(path)?;
                Ok(bytes.map(|bytes| hex::encode(Sha256::digest(bytes))))
            }
        }
    }

    /// The files in the root of the branch.
    fn entries(&self) -> Result<Vec<Entry>, SourceError> {
        let there: Option<Vec<Entry>> = self.look(&["api", "models"], &format!("tree/{BRANCH}"))?;
        let mut there = there.unwrap_or_default();
        there.truncate(MAX_ENTRIES);
        Ok(there)
    }

    /// Whether the repository has these bytes at this path.
    fn is_there(&self, file: &Upload, there: &[Entry]) -> Result<bool, SourceError> {
        let Some(entry) = there.iter().find(|entry| entry.path == file.path) else {
            return Ok(false);
        };
        if let Some(pointer) = &entry.lfs {
            return Ok(pointer.oid == hex::encode(Sha256::digest(file.bytes)));
        }
        if entry.size != Some(file.bytes.len() as u64) {
            return Ok(false);
        }
        // The Hub lists small files by git's digest, so they are looked at.
        Ok(self.read(file.path)?.as_deref() == Some(file.bytes))
    }

    /// The bytes of a small file; `None` if it is not there.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let place = format!("{}/resolve/{BRANCH}/{path}", self.name);
        let job = self.job(below(&self.access.hub, &[], &place));
        absent(self.client.bytes(&job))
    }

    /// Which files are large and which are small, as the Hub sees it.
    fn modes<'f>(
        &self,
        files: &[Upload<'f>],
    ) -> Result<(Vec<Upload<'f>>, Vec<Upload<'f>>), SourceError> {
        let described: Vec<Value> = files
            .iter()
            .map(|file| {
                let sample = &file.bytes[..file.bytes.len().min(SAMPLE)];
                let size = file.bytes.len();
                json!({ "path": file.path, "sample": BASE64_STANDARD.encode(sample), "size": size })
            })
            .collect();
        let url = self.api(&format!("preupload/{BRANCH}"));
        let reply = self.say(Method::POST, url, JSON, &json!({ "files": described }), &[])?;
        let modes: Modes = self.parse(&reply)?;
        let is_large = |file: &Upload| {
            let mode = modes.files.iter().find(|mode| mode.path == file.path);
            match mode.map(|mode| &*mode.mode) {
                Some("lfs") => Ok(true),
                Some("regular") if file.bytes.len() <= MAX_REGULAR => Ok(false),
                _ => Err(self.unusable(&format!("it does not say how to send {}", file.path))),
            }
        };
        let (mut large, mut small) = (Vec::new(), Vec::new());
        for file in files {
            match is_large(file)? {
                true => large.push(*file),
                false => small.push(*file),
            }
        }
        Ok((large, small))
    }

    /// Puts large files where the Hub wants them.
    fn send_large(&self, files: &[Upload]) -> Result<(), SourceError> {
        if files.is_empty() {
            return Ok(());
        }
        let oid = |file: &Upload| hex::encode(Sha256::digest(file.bytes));
        let objects: Vec<Value> = files
            .iter()
            .map(|file| json!({ "oid": oid(file), "size": file.bytes.len() }))
            .collect();
        let question = json!({
            "operation": "upload",
            "transfers": ["basic"],
            "objects": objects,
            "hash_algo": "sha256",
            "ref": { "name": format!("refs/heads/{BRANCH}") },
        });
        let place = format!("{}.git/info/lfs/objects/batch", self.name);
        let url = below(&self.access.hub, &[], &place);
        let reply = self.say(Method::POST, url, LFS, &question, &[])?;
        let batch: Batch = self.parse(&reply)?;
        for file in files {
            let oid = oid(file);
            let object = batch.objects.iter().find(|object| object.oid == oid);
            let object = object.ok_or_else(|| {
                self.unusable(&format!("it does not say where to put {}", file.path))
            })?;
            if let Some(trouble) = &object.error {
                let message: String = trouble.message.chars().take(200).collect();
                return Err(self.unusable(&format!("it does not take {}: {message}", file.path)));
            }
            // Without actions it has the object already.
            let Some(actions) = &object.actions else {
                continue;
            };
            if let Some(action) = &actions.upload {
                let progress = |done, total| (self.progress.borrow_mut())(file.path, done, total);
                self.act(Method::PUT, action, Vec::new(), file.bytes, &progress)?;
            }
            if let Some(action) = &actions.verify {
                let body = json!({ "oid": oid, "size": file.bytes.len() }).to_string();
                let headers = vec![
                    ("content-type".to_owned(), LFS.to_owned()),
                    ("accept".to_owned(), LFS.to_owned()),
                ];
                self.act(Method::POST, action, headers, body.as_bytes(), &|_, _| {})?;
            }
        }
        Ok(())
    }

    /// Does what a batch asked for. The user's token goes to the Hub's own host only; elsewhere the address itself says
    /// who may.
    fn act(
        &self,
        method: Method,
        action: &Action,
        mut headers: Vec<(String, String)>,
        body: &[u8],
        progress: &dyn Fn(u64, u64),
    ) -> Result<(), SourceError> {
        let hub = &self.access.hub;
        let url = Url::parse(&action.href)
            .ok()
            .filter(|url| url.scheme() == "https" || url.scheme() == hub.scheme())
            .ok_or_else(|| self.unusable("it sends files to an address that is not private"))?;
        let given = action.header.iter();
        let given = given.filter_map(|(name, value)| Some((name.to_lowercase(), value.as_str()?)));
        for (name, value) in given {
            // How the body is framed is the client's business.
            if !["content-length", "transfer-encoding", "host"].contains(&&*name) {
                headers.push((name, value.to_owned()));
            }
        }
        let has_own = headers.iter().any(|(name, _)| name == "authorization");
        let is_hub = url.origin() == hub.origin();
        let authorization = self.access.hub_authorization.as_deref();
        let ask = Ask {
            method,
            url,
            authorization: authorization.filter(|_| is_hub && !has_own),
            headers,
            body,
            expected: &[],
            advice: ADVICE,
        };
        self.client.ask(&ask, progress).map(drop)
    }

    /// One commit of all of them.
    fn commit(
        &self,
        large: &[Upload],
        small: &[Upload],
        summary: &str,
    ) -> Result<String, SourceError> {
        let header = json!({ "key": "header", "value": { "summary": summary, "description": "" } });
        let large = large.iter().map(|file| {
            json!({ "key": "lfsFile", "value": {
                "path": file.path,
                "algo": "sha256",
                "oid": hex::encode(Sha256::digest(file.bytes)),
                "size": file.bytes.len(),
            }})
        });
        let small = small.iter().map(|file| {
            json!({ "key": "file", "value": {
                "path": file.path,
                "encoding": "base64",
                "content": BASE64_STANDARD.encode(file.bytes),
            }})
        });
        let lines: Vec<String> = std::iter::once(header)
            .chain(large)
            .chain(small)
            .map(|line| line.to_string())
            .collect();
        let body = lines.join("\n");
        let url = self.api(&format!("commit/{BRANCH}"));
        let reply = self.send(Method::POST, url, LINES, body.as_bytes(), &[])?;
        let committed: Committed = self.parse(&reply)?;
        let is_revision = committed.revision.len() == 40
            && committed
                .revision
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit());
        match is_revision {
            true => Ok(committed.revision),
            false => Err(self.unusable("it does not say which revision it made")),
        }
    }

    /// A JSON answer about the repository; `None` if there is nothing.
    fn look<T: for<'d> Deserialize<'d>>(
        &self,
        first: &[&str],
        rest: &str,
    ) -> Result<Option<T>, SourceError> {
        let place = format!("{}/{rest}", self.name);
        let url = below(&self.access.hub, first, place.trim_end_matches('/'));
        let Some(value) = absent(self.client.json(&self.job(url)))? else {
            return Ok(None);
        };
        serde_json::from_value(value)
            .map(Some)
            .map_err(|error| self.unusable(&error.to_string()))
    }

    fn job(&self, url: Url) -> Job {
        Job {
            name: self.name.to_owned(),
            url,
            authorization: self.access.hub_authorization.clone(),
            path: std::path::PathBuf::new(),
            expected: Expected::default(),
            advice: ADVICE.to_owned(),
        }
    }

    fn say(
        &self,
        method: Method,
        url: Url,
        kind: &str,
        body: &Value,
        expected: &[u16],
    ) -> Result<Reply, SourceError> {
        self.send(method, url, kind, body.to_string().as_bytes(), expected)
    }

    fn send(
        &self,
        method: Method,
        url: Url,
        kind: &str,
        body: &[u8],
        expected: &[u16],
    ) -> Result<Reply, SourceError> {
        let accept = if kind == LFS { LFS } else { JSON };
        let ask = Ask {
            method,
            url,
            authorization: self.access.hub_authorization.as_deref(),
            headers: vec![
                ("content-type".to_owned(), kind.to_owned()),
                ("accept".to_owned(), accept.to_owned()),
            ],
            body,
            expected,
            advice: ADVICE,
        };
        self.client.ask(&ask, &|_, _| {})
    }

    fn parse<T: for<'d> Deserialize<'d>>(&self, reply: &Reply) -> Result<T, SourceError> {
        serde_json::from_slice(&reply.body).map_err(|error| self.unusable(&error.to_string()))
    }

    fn api(&self, rest: &str) -> Url {
        let place = format!("{}/{rest}", self.name);
        below(&self.access.hub, &["api", "models"], &place)
    }

    fn unusable(&self, reason: &str) -> SourceError {
        SourceError::Transfer {
            url: shown(&below(&self.access.hub, &[], self.name)),
            reason: format!("the Hub's answer cannot be used: {reason}"),
        }
    }
}

/// Nothing is an answer too.
fn absent<T>(answer: Result<T, SourceError>) -> Result<Option<T>, SourceError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(SourceError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

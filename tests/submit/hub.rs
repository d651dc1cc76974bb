//! The Hub on this machine: repositories that are made, filled, shown and read as the Hub's API has it.

#![allow(dead_code, reason = "each test file uses a part of it")]

use super::server::{Answer, Request, Server};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The only token that may write, and read what is private.
pub const TOKEN: &str = "hf_of_the_test";

/// Files of this size and more are large.
const LARGE: usize = 4096;

#[derive(Default)]
struct Repository {
    is_private: bool,
    /// All revisions, the newest last: their names, and the bytes of the files.
    revisions: Vec<(String, BTreeMap<String, Vec<u8>>)>,
    /// When files were committed, where that matters.
    dates: BTreeMap<String, String>,
}

impl Repository {
    fn commit(&mut self, files: BTreeMap<String, Vec<u8>>) -> String {
        let mut sha256 = Sha256::new();
        sha256.update([self.revisions.len() as u8]);
        files.iter().for_each(|(path, bytes)| {
            sha256.update(path);
            sha256.update(bytes);
        });
        let name = hex(&sha256.finalize())[..40].to_owned();
        self.revisions.push((name.clone(), files));
        name
    }

    fn at(&self, revision: &str) -> Option<&(String, BTreeMap<String, Vec<u8>>)> {
        let named = |it: &&(String, _)| revision == "main" || it.0 == revision;
        self.revisions.iter().rev().find(named)
    }
}

#[derive(Default)]
struct World {
    repositories: BTreeMap<String, Repository>,
    objects: BTreeMap<String, Vec<u8>>,
    /// Where large files lie: another host.
    storage: String,
}

/// What goes wrong: asked before the Hub itself, with how often the same path was asked for before.
type Fault = dyn Fn(&Request, usize) -> Option<Answer> + Send + Sync;

/// A running Hub, and the storage of its large files.
pub struct Hub {
    pub server: Server,
    pub storage: Server,
    world: Arc<Mutex<World>>,
}

impl Hub {
    pub fn new() -> Self {
        Self::failing(|_, _| None)
    }

    pub fn failing(
        fault: impl Fn(&Request, usize) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let world = Arc::new(Mutex::new(World::default()));
        let fault: Arc<Fault> = Arc::new(fault);
        let (inside, fails) = (world.clone(), fault.clone());
        let storage = Server::new(move |request, before| {
            fails(request, before).unwrap_or_else(|| inside.lock().unwrap().storage(request))
        });
        world.lock().unwrap().storage = storage.url.clone();
        let inside = world.clone();
        let server = Server::new(move |request, before| {
            fault(request, before).unwrap_or_else(|| inside.lock().unwrap().answer(request))
        });
        Self {
            server,
            storage,
            world,
        }
    }

    pub fn url(&self) -> &str {
        &self.server.url
    }

    /// Puts a public repository there.
    pub fn publish(&self, name: &str, files: &[(&str, &[u8])]) -> String {
        let mut world = self.world.lock().unwrap();
        let repository = world.repositories.entry(name.to_owned()).or_default();
        let files = files.iter();
        let files = files.map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec()));
        repository.commit(files.collect())
    }

    /// Says when a file was committed, as `2026-01-20T14:20:29.000Z`.
    pub fn date(&self, name: &str, path: &str, date: &str) {
        let mut world = self.world.lock().unwrap();
        let repository = world.repositories.get_mut(name).unwrap();
        repository.dates.insert(path.to_owned(), date.to_owned());
    }

    /// A file of a repository's newest revision.
    pub fn file(&self, name: &str, path: &str) -> Option<Vec<u8>> {
        let world = self.world.lock().unwrap();
        let (_, files) = world.repositories.get(name)?.at("main")?;
        files.get(path).cloned()
    }

    pub fn is_private(&self, name: &str) -> bool {
        self.world.lock().unwrap().repositories[name].is_private
    }

    /// The newest revision.
    pub fn head(&self, name: &str) -> String {
        let world = self.world.lock().unwrap();
        let (revision, _) = world.repositories[name].at("main").unwrap();
        revision.clone()
    }

    pub fn revisions(&self, name: &str) -> usize {
        self.world.lock().unwrap().repositories[name]
            .revisions
            .len()
    }

    /// How often something was asked.
    pub fn asked(&self, method: &str, ending: &str) -> usize {
        let seen = self.server.seen();
        let fits = |it: &&Request| it.method == method && it.path.ends_with(ending);
        seen.iter().filter(fits).count()
    }
}

impl World {
    fn answer(&mut self, request: &Request) -> Answer {
        let path = request.path.split('?').next().unwrap();
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let writes = request.method != "GET";
        let is_owner = request.header("authorization") == Some(&format!("Bearer {TOKEN}"));
        if writes && !is_owner {
            return Answer::new(401, "");
        }
        if parts[..] == ["api", "repos", "create"] {
            let asked: Value = serde_json::from_slice(&request.body).unwrap();
            let text = |field: &str| asked[field].as_str().unwrap().to_owned();
            let name = format!("{}/{}", text("organization"), text("name"));
            if self.repositories.contains_key(&name) {
                return Answer::new(409, "");
            }
            let mut repository = Repository {
                is_private: asked["private"].as_bool().unwrap(),
                ..Repository::default()
            };
            repository.commit([(".gitattributes".to_owned(), b"*".to_vec())].into());
            self.repositories.insert(name, repository);
            return json_answer(json!({ "url": "there" }));
        }
        let (name, rest) = match &parts[..] {
            ["api", "models", owner, name, rest @ ..] => (format!("{owner}/{name}"), rest.to_vec()),
            // Repositories of other kinds have it in their names here.
            [
                "api",
                kind @ ("datasets" | "spaces"),
                owner,
                name,
                rest @ ..,
            ]
            | [kind @ ("datasets" | "spaces"), owner, name, rest @ ..] => {
                (format!("{kind}/{owner}/{name}"), rest.to_vec())
            }
            [owner, name, rest @ ..] => (
                format!("{owner}/{}", name.trim_end_matches(".git")),
                rest.to_vec(),
            ),
            _ => return Answer::new(404, ""),
        };
        let Some(repository) = self.repositories.get_mut(&name) else {
            return Answer::new(404, "");
        };
        if repository.is_private && !is_owner {
            return Answer::new(401, "");
        }
        let body = || serde_json::from_slice::<Value>(&request.body).unwrap();
        match (&*request.method, &rest[..]) {
            ("GET", []) => {
                let (sha, files) = repository.at("main").unwrap();
                let siblings: Vec<_> = files.keys().map(|it| json!({ "rfilename": it })).collect();
                let card = files.get("README.md").map(|card| {
                    let card = String::from_utf8_lossy(card);
                    let licence = card.lines().find_map(|line| line.strip_prefix("license: "));
                    json!({ "license": licence })
                });
                json_answer(json!({
                    "sha": sha, "private": repository.is_private, "siblings": siblings, "cardData": card,
                }))
            }
            ("PUT", ["settings"]) => {
                repository.is_private = body()["private"].as_bool().unwrap();
                json_answer(json!({}))
            }
            ("GET", ["tree", revision]) => {
                let Some((_, files)) = repository.at(revision) else {
                    return Answer::new(404, "");
                };
                // Two a page, where the Hub has many more.
                let query = request.path.split_once('?').map_or("", |(_, query)| query);
                let expands = query.contains("expand=true");
                let page: usize = match query.split_once("cursor=") {
                    Some((_, page)) => page.parse().unwrap(),
                    None => 0,
                };
                let dates = &repository.dates;
                let (skipped, shown) = if expands {
                    (2 * page, 2)
                } else {
                    (0, usize::MAX)
                };
                let following = (files.len() > skipped.saturating_add(shown)).then(|| {
                    let host = request.header("host").unwrap();
                    format!(
                        "<http://{host}{path}?recursive=true&expand=true&cursor={}>; rel=\"next\"",
                        page + 1
                    )
                });
                let entries = files.iter().skip(skipped).take(shown).map(|(path, bytes)| {
                    let mut entry = json!({ "type": "file", "path": path, "size": bytes.len() });
                    if bytes.len() >= LARGE {
                        entry["lfs"] = json!({ "oid": digest(bytes), "size": bytes.len() });
                    }
                    if expands {
                        let date = dates.get(path).map_or("2020-01-01T00:00:00.000Z", |it| it);
                        entry["lastCommit"] = json!({ "id": "0", "title": "x", "date": date });
                    }
                    entry
                });
                let answer = json_answer(entries.collect());
                match following {
                    Some(following) => answer.with("link", following),
                    None => answer,
                }
            }
            ("POST", ["preupload", "main"]) => {
                let files = body()["files"].as_array().unwrap().clone();
                let modes = files.iter().map(|file| {
                    let is_large = file["size"].as_u64().unwrap() >= LARGE as u64;
                    let mode = if is_large { "lfs" } else { "regular" };
                    json!({ "path": file["path"], "uploadMode": mode, "shouldIgnore": false })
                });
                json_answer(json!({ "files": modes.collect::<Vec<_>>() }))
            }
            ("POST", ["info", "lfs", "objects", "batch"]) => {
                let kind = "application/vnd.git-lfs+json";
                assert_eq!(request.header("accept"), Some(kind));
                let host = format!("http://{}", request.header("host").unwrap());
                let asked = body();
                let objects = asked["objects"].as_array().unwrap().iter().map(|object| {
                    let oid = object["oid"].as_str().unwrap();
                    let mut answer = json!({ "oid": oid, "size": object["size"] });
                    if !self.objects.contains_key(oid) {
                        answer["actions"] = json!({
                            "upload": { "href": format!("{}/{oid}?signature=of-the-hub", self.storage), "header": {"x-storage": "yes"} },
                            "verify": { "href": format!("{host}/{name}.git/info/lfs/verify"), "header": {} },
                        });
                    }
                    answer
                });
                json_answer(json!({ "transfer": "basic", "objects": objects.collect::<Vec<_>>() }))
            }
            ("POST", ["info", "lfs", "verify"]) => {
                let asked = body();
                let object = self.objects.get(asked["oid"].as_str().unwrap());
                let size = object.map(Vec::len);
                match size == asked["size"].as_u64().map(|size| size as usize) {
                    true => json_answer(json!({})),
                    false => Answer::new(404, ""),
                }
            }
            ("POST", ["commit", "main"]) => {
                let mut files = repository.at("main").unwrap().1.clone();
                let lines = String::from_utf8(request.body.clone()).unwrap();
                for line in lines.lines() {
                    let line: Value = serde_json::from_str(line).unwrap();
                    let value = &line["value"];
                    let path = || value["path"].as_str().unwrap().to_owned();
                    match line["key"].as_str().unwrap() {
                        "header" => assert!(!value["summary"].as_str().unwrap().is_empty()),
                        "file" => {
                            let content = value["content"].as_str().unwrap();
                            files.insert(path(), BASE64_STANDARD.decode(content).unwrap());
                        }
                        "lfsFile" => {
                            let oid = value["oid"].as_str().unwrap();
                            let Some(object) = self.objects.get(oid) else {
                                return Answer::new(400, "");
                            };
                            files.insert(path(), object.clone());
                        }
                        other => panic!("{other}"),
                    }
                }
                json_answer(json!({ "commitOid": repository.commit(files) }))
            }
            ("GET", ["resolve", revision, file @ ..]) => {
                let files = repository.at(revision).map(|(_, files)| files);
                let Some(bytes) = files.and_then(|files| files.get(&file.join("/"))) else {
                    return Answer::new(404, "");
                };
                if bytes.len() < LARGE {
                    return Answer::file(request, bytes);
                }
                self.objects.insert(digest(bytes), bytes.clone());
                // As the Hub does: the file is elsewhere, and the address says who may have it.
                Answer::new(302, "").with(
                    "location",
                    format!("{}/{}?signature=of-the-hub", self.storage, digest(bytes)),
                )
            }
            (method, rest) => panic!("{method} {rest:?}"),
        }
    }

    /// Where large files lie: whoever has the address may, and a token of the Hub does not belong here.
    fn storage(&mut self, request: &Request) -> Answer {
        let oid = request.path.strip_suffix("?signature=of-the-hub");
        let Some(oid) = oid.and_then(|path| path.strip_prefix('/')) else {
            return Answer::new(403, "");
        };
        if request.header("authorization").is_some() {
            return Answer::new(400, "");
        }
        if request.method == "PUT" {
            if request.header("x-storage") != Some("yes") || digest(&request.body) != oid {
                return Answer::new(400, "");
            }
            self.objects.insert(oid.to_owned(), request.body.clone());
            return Answer::new(200, "");
        }
        match self.objects.get(oid) {
            Some(bytes) => Answer::file(request, bytes),
            None => Answer::new(404, ""),
        }
    }
}

fn json_answer(value: Value) -> Answer {
    Answer::new(200, value.to_string()).with("content-type", "application/json")
}

pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

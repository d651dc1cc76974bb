//! The configuration: who releases what for which competition, and what the competitions weigh.
//!
//! It lies in a repository of the Hub, as the original has it: `competition_weights.yml`, a list of `{competition_id,
//! weight}`, and `datasets/*.yaml`, lists of `{competition_id, organization_id, dataset_hf_repo, dataset_hf_dir}`. Every
//! zip archive of the repository of data whose path begins with the directory is a release of the day of its last commit.
//! A directory on this machine may stand in: the same files, and the archives below the names of their repositories, each
//! released when it was changed last.

use super::{Release, ReleaseError, at};
use agon_dataset::source::{Access, Collection, ListedFile, Listing, Patience, SourceError};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::UNIX_EPOCH;

/// Most bytes of one file of the configuration.
pub const MAX_CONFIGURATION_BYTES: u64 = 64 << 10;
/// Most files of organizations, most entries in all of them, and most competitions with a weight.
const MAX_FILES: usize = 100;
const MAX_ENTRIES: usize = 200;
/// Most files and folders that are looked at below a directory, and how deep.
const MAX_LOCAL: usize = 20_000;
const MAX_DEPTH: usize = 8;
/// Longest name of a competition or an organization, in bytes.
const MAX_NAME: usize = 64;

const WEIGHTS: &str = "competition_weights.yml";
const DATASETS: &str = "datasets/";

/// Where the configuration lies.
pub enum Origin {
    /// A directory on this machine.
    Local(PathBuf),
    /// A repository (`owner/name`, a space) of the Hub.
    Hub {
        /// The repository.
        repository: String,
        /// The Hub, and who asks.
        access: Box<Access>,
        /// How patient one is with it.
        patience: Patience,
    },
}

/// The configuration, and what is out.
#[derive(Default)]
pub struct Configuration {
    /// What each competition weighs.
    pub weights: BTreeMap<String, f64>,
    /// Everything that was released.
    pub offers: Vec<Offer>,
    /// What was left out, and why.
    pub problems: Vec<String>,
}

/// An archive that is out.
#[derive(Clone)]
pub struct Offer {
    /// The competition it belongs to.
    pub competition: String,
    /// Who released it.
    pub organization: String,
    /// Repository and path.
    pub file: String,
    /// When, in seconds since 1970.
    pub released: u64,
    pub(super) place: Place,
}

#[derive(Clone)]
pub(super) enum Place {
    Local(PathBuf),
    Hub(Arc<Listing>, ListedFile),
}

#[derive(Deserialize)]
struct Weight {
    competition_id: String,
    weight: f64,
}

#[derive(Deserialize)]
struct Organization {
    competition_id: String,
    #[serde(alias = "org_id")]
    organization_id: String,
    dataset_hf_repo: String,
    #[serde(default)]
    dataset_hf_dir: String,
}

impl Configuration {
    /// What the configuration says now. `only` are the competitions that are judged here; all, if none is named.
    ///
    /// # Errors
    /// When it cannot be had now, or its weights make no sense. An organization whose entry makes no sense is left out.
    pub fn read(origin: &Origin, only: &[String], stop: &AtomicBool) -> Result<Self, ReleaseError> {
        let mut configuration = match origin {
            Origin::Local(directory) => Self::local(directory)?,
            Origin::Hub {
                repository,
                access,
                patience,
            } => Self::hub(repository, access, *patience, stop)?,
        };
        if !only.is_empty() {
            configuration.weights.retain(|id, _| only.contains(id));
            configuration
                .offers
                .retain(|offer| only.contains(&offer.competition));
        }
        Ok(configuration)
    }

    fn hub(
        repository: &str,
        access: &Access,
        patience: Patience,
        stop: &AtomicBool,
    ) -> Result<Self, ReleaseError> {
        let read = |collection, repository: &str| {
            Listing::read(collection, repository, access, patience, stop)
        };
        let listing = read(Collection::Spaces, repository).map_err(unavailable)?;
        let text = |file: &ListedFile| {
            let bytes = listing.bytes(file, MAX_CONFIGURATION_BYTES, access, patience, stop);
            match bytes {
                Ok(bytes) => plain(&file.path, bytes),
                Err(SourceError::TooLarge { .. }) => Err(too_large(&file.path)),
                Err(error) => Err(unavailable(error)),
            }
        };
        let weights = listing.files.iter().find(|file| file.path == WEIGHTS);
        let weights = weights.ok_or_else(|| absent(repository))?;
        let mut configuration = Self {
            weights: parse_weights(&text(weights)?)?,
            ..Self::default()
        };
        let is_organizations =
            |file: &&ListedFile| file.path.starts_with(DATASETS) && file.path.ends_with(".yaml");
        let mut organizations = Vec::new();
        for file in listing
            .files
            .iter()
            .filter(is_organizations)
            .take(MAX_FILES)
        {
            match text(file) {
                Ok(text) => configuration.take(&file.path, &text, &mut organizations),
                Err(ReleaseError::Configuration(problem)) => configuration.problems.push(problem),
                Err(error) => return Err(error),
            }
        }
        let mut listings: BTreeMap<String, Arc<Listing>> = BTreeMap::new();
        for it in organizations {
            let listing = match listings.get(&it.dataset_hf_repo) {
                Some(listing) => listing.clone(),
                None => match read(Collection::Datasets, &it.dataset_hf_repo) {
                    Ok(listing) => Arc::new(listing),
                    // One organization's mistake is not the others' trouble. Silence of the Hub would be.
                    Err(error @ (SourceError::NotFound { .. } | SourceError::Credentials(_))) => {
                        configuration.problems.push(error.to_string());
                        continue;
                    }
                    Err(error) => return Err(unavailable(error)),
                },
            };
            listings.insert(it.dataset_hf_repo.clone(), listing.clone());
            let archives = listing
                .files
                .iter()
                .filter(|file| is_archive(&file.path, &it));
            for file in archives {
                configuration.offers.push(Offer {
                    competition: it.competition_id.clone(),
                    organization: it.organization_id.clone(),
                    file: format!("{}/{}", it.dataset_hf_repo, file.path),
                    released: file.committed,
                    place: Place::Hub(listing.clone(), file.clone()),
                });
            }
        }
        Ok(configuration)
    }

    fn local(directory: &Path) -> Result<Self, ReleaseError> {
        let mut files = Vec::new();
        walk(directory, "", &mut files)?;
        files.sort();
        let path = |name: &str| directory.join(name);
        if !files.iter().any(|name| name == WEIGHTS) {
            return Err(absent(&directory.display().to_string()));
        }
        let mut configuration = Self {
            weights: parse_weights(&text(&path(WEIGHTS))?)?,
            ..Self::default()
        };
        let is_organizations =
            |name: &&String| name.starts_with(DATASETS) && name.ends_with(".yaml");
        let mut organizations = Vec::new();
        for name in files.iter().filter(is_organizations).take(MAX_FILES) {
            match text(&path(name)) {
                Ok(text) => configuration.take(name, &text, &mut organizations),
                Err(ReleaseError::Configuration(problem)) => configuration.problems.push(problem),
                Err(error) => return Err(error),
            }
        }
        for it in organizations {
            let repository = format!("{}/", it.dataset_hf_repo);
            for name in &files {
                let inside = name.strip_prefix(&repository);
                if !inside.is_some_and(|inside| is_archive(inside, &it)) {
                    continue;
                }
                let path = path(name);
                let changed = fs::metadata(&path).and_then(|file| file.modified());
                let changed = changed.map_err(at(&path))?.duration_since(UNIX_EPOCH);
                configuration.offers.push(Offer {
                    competition: it.competition_id.clone(),
                    organization: it.organization_id.clone(),
                    file: name.clone(),
                    released: changed.map_or(0, |since| since.as_secs()),
                    place: Place::Local(path),
                });
            }
        }
        Ok(configuration)
    }

    /// Takes the organizations of one file, and says which make no sense.
    fn take(&mut self, name: &str, text: &str, organizations: &mut Vec<Organization>) {
        let parsed: Result<Vec<Organization>, _> = match text.trim().is_empty() {
            true => Ok(Vec::new()),
            false => serde_saphyr::from_str(text).map_err(|error| error.to_string()),
        };
        match parsed {
            Err(error) => self.problems.push(format!("{name}: {}", short(&error))),
            Ok(parsed) => {
                for it in parsed {
                    let is_named = is_name(&it.competition_id) && is_name(&it.organization_id);
                    match is_named && organizations.len() < MAX_ENTRIES {
                        true => organizations.push(it),
                        false => self.problems.push(format!(
                            "{name}: an entry has no usable name, or is one too many"
                        )),
                    }
                }
            }
        }
    }

    /// The oldest archive that is out at `now`, in seconds since 1970, and was not judged on: of each organization and
    /// competition every one that is newer than the newest of `past`, and only the newest where there is no past.
    pub fn due(&self, past: &[Release], now: u64) -> Option<&Offer> {
        let is_out = |offer: &&Offer| offer.released <= now;
        let is_new = |offer: &&Offer| {
            let of_it = past.iter().filter(|release| {
                release.competition == offer.competition
                    && release.organization == offer.organization
            });
            let last = of_it.map(|it| (it.released, it.file.as_str())).max();
            let known = last.or_else(|| {
                let others = self.offers.iter().filter(is_out).filter(|other| {
                    other.competition == offer.competition
                        && other.organization == offer.organization
                        && other.when() != offer.when()
                });
                others.map(Offer::when).max()
            });
            known.is_none_or(|known| offer.when() > known)
        };
        let out = self.offers.iter().filter(is_out);
        out.filter(is_new)
            .min_by_key(|offer| (offer.when(), &offer.competition, &offer.organization))
    }
}

impl Offer {
    /// What releases are ordered by.
    fn when(&self) -> (u64, &str) {
        (self.released, &self.file)
    }
}

fn is_archive(path: &str, of: &Organization) -> bool {
    path.starts_with(&of.dataset_hf_dir) && path.ends_with(".zip")
}

fn is_name(text: &str) -> bool {
    let plain = |c: char| !c.is_control() && c != ':';
    (1..=MAX_NAME).contains(&text.len()) && text.chars().all(plain)
}

fn parse_weights(text: &str) -> Result<BTreeMap<String, f64>, ReleaseError> {
    let wrong = |what: &str| ReleaseError::Configuration(format!("{WEIGHTS}: {what}"));
    if text.trim().is_empty() {
        return Ok(BTreeMap::new());
    }
    let list: Vec<Weight> =
        serde_saphyr::from_str(text).map_err(|error| wrong(&short(&error.to_string())))?;
    if list.len() > MAX_ENTRIES {
        return Err(wrong("it names too many competitions"));
    }
    let mut weights = BTreeMap::new();
    for Weight {
        competition_id,
        weight,
    } in list
    {
        if !is_name(&competition_id) {
            return Err(wrong(&format!("{competition_id:?} is no competition")));
        }
        if !weight.is_finite() || weight < 0.0 {
            return Err(wrong(&format!("{weight} is no weight of {competition_id}")));
        }
        weights.insert(competition_id, weight);
    }
    Ok(weights)
}

/// The first line of what a parser says, not too long.
fn short(error: &str) -> String {
    let line = error.lines().next().unwrap_or_default();
    line.chars().take(200).collect()
}

fn absent(place: &str) -> ReleaseError {
    ReleaseError::Configuration(format!("{place} holds no {WEIGHTS}"))
}

fn too_large(name: &str) -> ReleaseError {
    ReleaseError::Configuration(format!(
        "{name} has more than {MAX_CONFIGURATION_BYTES} bytes"
    ))
}

fn plain(name: &str, bytes: Vec<u8>) -> Result<String, ReleaseError> {
    String::from_utf8(bytes)
        .map_err(|_| ReleaseError::Configuration(format!("{name} is no text in UTF-8")))
}

fn unavailable(error: SourceError) -> ReleaseError {
    ReleaseError::Unavailable(error.to_string())
}

fn text(path: &Path) -> Result<String, ReleaseError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(at(path))?;
    let read = file
        .take(MAX_CONFIGURATION_BYTES + 1)
        .read_to_end(&mut bytes);
    match read.map_err(at(path))? as u64 > MAX_CONFIGURATION_BYTES {
        true => Err(too_large(&path.display().to_string())),
        false => plain(&path.display().to_string(), bytes),
    }
}

/// The paths of the files below a directory. Links are not followed.
fn walk(directory: &Path, prefix: &str, files: &mut Vec<String>) -> Result<(), ReleaseError> {
    let folder = directory.join(prefix);
    for entry in fs::read_dir(&folder).map_err(at(&folder))? {
        let entry = entry.map_err(at(&folder))?;
        let kind = entry.file_type().map_err(at(&folder))?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let path = match prefix {
            "" => name,
            prefix => format!("{prefix}/{name}"),
        };
        if files.len() == MAX_LOCAL {
            let reason = format!("{} holds too many files", directory.display());
            return Err(ReleaseError::Configuration(reason));
        }
        if kind.is_file() {
            files.push(path);
        } else if kind.is_dir() && path.split('/').count() < MAX_DEPTH {
            walk(directory, &path, files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    fn offer(competition: &str, organization: &str, file: &str, released: u64) -> Offer {
        Offer {
            competition: competition.into(),
            organization: organization.into(),
            file: file.into(),
            released,
            place: Place::Local(PathBuf::new()),
        }
    }

    fn judged(offer: &Offer) -> Release {
        Release {
            competition: offer.competition.clone(),
            organization: offer.organization.clone(),
            file: offer.file.clone(),
            digest: None,
            released: offer.released,
            last_block: 0,
            samples: 0,
            dropped: 0,
            cancelled: None,
        }
    }

    #[test]
    fn at_first_the_newest_then_everything_newer_the_oldest_first() {
        let mut configuration = Configuration {
            offers: vec![
                offer("a", "x", "1.zip", 10),
                offer("a", "x", "2.zip", 20),
                offer("b", "x", "1.zip", 15),
                offer("a", "x", "9.zip", 90),
            ],
            ..Configuration::default()
        };
        let mut past = Vec::new();
        let due = |configuration: &Configuration, past: &mut Vec<Release>, now| {
            let due = configuration.due(past, now)?;
            past.push(judged(due));
            Some((due.competition.clone(), due.file.clone()))
        };
        let named = |competition: &str, file: &str| Some((competition.into(), file.into()));
        assert_eq!(due(&configuration, &mut past, 5), None);
        assert_eq!(due(&configuration, &mut past, 25), named("b", "1.zip"));
        assert_eq!(due(&configuration, &mut past, 25), named("a", "2.zip"));
        // The older one of the beginning is passed over for good.
        assert_eq!(due(&configuration, &mut past, 25), None);
        // Two of one moment, one put there again under its name, and one from somebody else.
        configuration.offers.push(offer("a", "x", "3.zip", 30));
        configuration.offers.push(offer("a", "x", "4.zip", 30));
        configuration.offers.push(offer("a", "x", "1.zip", 40));
        configuration.offers.push(offer("a", "y", "0.zip", 1));
        for expected in ["0.zip", "3.zip", "4.zip", "1.zip", "9.zip"] {
            assert_eq!(due(&configuration, &mut past, 95), named("a", expected));
        }
        assert_eq!(due(&configuration, &mut past, 95), None);
    }

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = place.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        place
    }

    fn read(place: &Path, only: &[&str]) -> Result<Configuration, String> {
        let only: Vec<String> = only.iter().map(|&id| id.to_owned()).collect();
        let origin = Origin::Local(place.to_owned());
        Configuration::read(&origin, &only, &AtomicBool::new(false))
            .map_err(|error| error.to_string())
    }

    const TWO: &str = "- competition_id: a\n  weight: 0.75\n- competition_id: b\n  weight: 0.25\n";
    const ENTRIES: &str = "- competition_id: a\n  organization_id: x\n  dataset_hf_repo: me/data\n  dataset_hf_dir: a\n  \
                           contact_email: nobody\n- competition_id: b\n  org_id: x\n  dataset_hf_repo: me/data\n  \
                           dataset_hf_dir: b/\n";

    #[test]
    fn a_directory_says_what_a_repository_would() {
        let place = directory(&[
            (WEIGHTS, TWO),
            ("datasets/o.yaml", ENTRIES),
            ("datasets/broken.yaml", "- competition_id: [\n"),
            ("datasets/not-read.yml", "nonsense: ["),
            ("me/data/a/1.zip", ""),
            ("me/data/another/2.zip", ""),
            ("me/data/b/1.zip", ""),
            ("me/data/b/notes.txt", ""),
            ("other/data/a/1.zip", ""),
        ]);
        let when = SystemTime::UNIX_EPOCH + Duration::from_secs(7);
        let archive = File::options()
            .write(true)
            .open(place.path().join("me/data/a/1.zip"));
        archive.unwrap().set_modified(when).unwrap();
        let configuration = read(place.path(), &[]).unwrap();
        assert_eq!(
            configuration.weights,
            [("a".into(), 0.75), ("b".into(), 0.25)].into()
        );
        let offers: Vec<_> = configuration
            .offers
            .iter()
            .map(|it| (&*it.competition, &*it.organization, &*it.file))
            .collect();
        // A directory is the beginning of a path, as in the original.
        assert_eq!(
            offers,
            [
                ("a", "x", "me/data/a/1.zip"),
                ("a", "x", "me/data/another/2.zip"),
                ("b", "x", "me/data/b/1.zip")
            ]
        );
        assert_eq!(configuration.offers[0].released, 7);
        assert!(configuration.problems[0].starts_with("datasets/broken.yaml: "));
        let one = read(place.path(), &["b"]).unwrap();
        assert_eq!((one.weights.len(), one.offers.len()), (1, 1));
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let with = |weights: &str| {
            let place = directory(&[(WEIGHTS, weights)]);
            read(place.path(), &[]).map(|it| it.weights)
        };
        assert_eq!(with(""), Ok(BTreeMap::new()));
        assert_eq!(
            with("- {competition_id: a, weight: 2}"),
            Ok([("a".into(), 2.0)].into())
        );
        for (weights, said) in [
            ("- {competition_id: a, weight: -1}", "-1 is no weight of a"),
            ("- {competition_id: a, weight: .nan}", "is no weight of a"),
            ("- {competition_id: 'a:b', weight: 1}", "no competition"),
            ("a: 1", WEIGHTS),
            (&"#".repeat(100_000), "more than"),
        ] {
            let error = with(weights).unwrap_err();
            assert!(
                error.contains("cannot be used") && error.contains(said),
                "{error}"
            );
        }
        let none = directory(&[("datasets/o.yaml", ENTRIES)]);
        assert!(read(none.path(), &[]).err().unwrap().contains("holds no"));
        // Nothing that refers to itself grows without an end.
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n";
        let bomb: String = (0..8).fold(bomb.to_owned(), |text, at| {
            let (new, old) = ((b'c' + at) as char, (b'b' + at) as char);
            format!("{text}{new}: &{new} [*{old},*{old},*{old},*{old},*{old},*{old},*{old}]\n")
        });
        assert!(with(&bomb).is_err());
    }
}

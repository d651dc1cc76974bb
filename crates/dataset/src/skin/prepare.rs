//! Downloaded data sets into one prepared directory: labels mapped, copies removed, what belongs together marked.
//!
//! Nothing is balanced here: no image stands twice and no class is filled up, because copies made before a split land
//! on both sides of it. Rare classes are drawn more often by the training's sampler.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::raw;
use super::remarks::Tally;
use super::workspace::Workspace;
use super::{LesionClass, LoadError, Record, Sex, Site, manifest, open};
use crate::duplicates::{self, Look};
use crate::files::{self, ReadError};
use crate::groups::{Ties, groups};
use crate::image::{self, ImageError, MAX_ENCODED_BYTES};
use crate::split::{self, Part, Shares};

pub use super::remarks::Remark;

/// The report that lies beside the manifest; it names everything that was left out.
pub const REPORT: &str = "prepared.json";

/// A data set to take images from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name in the manifest: letters, digits, `_`, `-` and `.`.
    pub name: String,
    /// Where it was downloaded to.
    pub directory: PathBuf,
}

/// How to prepare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Most images of a class; which ones depends on the seed alone.
    pub max_per_class: Option<usize>,
    /// Classes with fewer images are named in the report.
    pub min_per_class: usize,
    /// Refuse where something would be left out or read as unknown.
    pub strict: bool,
    /// Make hard links instead of copies where the file system can.
    pub link: bool,
    /// Most bits of difference between near-duplicates, see [`duplicates`].
    pub near: u32,
    /// Split once and see that nothing stands in two parts.
    pub check_leaks: bool,
    /// Everything random comes from here.
    pub seed: u64,
}

impl Default for Options {
    /// All images, [`duplicates::NEAR`], leak check on.
    fn default() -> Self {
        Self {
            max_per_class: None,
            min_per_class: 0,
            strict: false,
            link: false,
            near: duplicates::NEAR,
            check_leaks: true,
            seed: 42,
        }
    }
}

/// How much of a class there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// The competition's code.
    pub class: &'static str,
    /// Images.
    pub images: usize,
    /// Lesions.
    pub lesions: usize,
    /// Images by source.
    pub sources: BTreeMap<String, usize>,
    /// Whether these are fewer images than were asked for.
    pub is_thin: bool,
}

/// What became of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceCount {
    /// Its name.
    pub source: String,
    /// Images with a class that were found.
    pub found: usize,
    /// Images in the manifest.
    pub kept: usize,
}

/// What was prepared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Images in the manifest.
    pub images: usize,
    /// Lesions in the manifest.
    pub lesions: usize,
    /// Groups that must stay together in a split.
    pub groups: usize,
    /// Images of the largest group.
    pub largest_group: usize,
    /// The eleven classes, in the competition's order.
    pub classes: Vec<ClassCount>,
    /// The sources, in the order given.
    pub sources: Vec<SourceCount>,
    /// Images that were left out, and why.
    pub left_out: Vec<Remark>,
    /// Fields that were not taken as they are: read as unknown, or the first kept where rows disagree about it.
    pub unknown: Vec<Remark>,
    /// What cost nothing: tables without images or labels, rows that stand twice.
    pub noted: Vec<Remark>,
    /// Shares of images with a known age, sex and site, 0 to 1.
    pub known: [f64; 3],
    /// Images in training, selection and judging of the split that was checked; `None` if none was possible or asked.
    pub parts: Option<[usize; 3]>,
}

/// Why nothing was prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// No source, two of one name, or a name that cannot be a folder.
    #[error("the source {0:?}: each needs a name of its own, of letters, digits, `_`, `-` and `.`")]
    Name(String),
    /// A source cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The output directory holds something; it is left alone.
    #[error("{} is not empty; choose another directory or remove it", .0.display())]
    Occupied(PathBuf),
    /// Nothing is left to write.
    #[error("no image is left to prepare. {}", said(.0))]
    Nothing(Vec<Remark>),
    /// With [`Options::strict`], something would be left out.
    #[error("not everything can be taken as it is. {}", said(.0))]
    Strict(Vec<Remark>),
    /// The split that was checked has something in two parts.
    #[error("a group of images stands in two parts of the split; nothing was written")]
    Leak,
    /// Another process makes the same directory.
    #[error("another agon is preparing {}", .0.display())]
    Busy(PathBuf),
    /// Told to stop.
    #[error("stopped; nothing was written")]
    Stopped,
    /// The operating system refused.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// File or directory concerned.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// How many remarks a message spells out.
const REMARKS_SHOWN: usize = 5;

fn said(remarks: &[Remark]) -> String {
    let shown = remarks.iter().take(REMARKS_SHOWN);
    let shown: Vec<String> = shown.map(Remark::to_string).collect();
    shown.join("; ")
}

/// A record with what its file is.
struct Candidate {
    record: Record,
    look: Option<Look>,
    /// The order of its source, and in it.
    order: usize,
}

/// Why a candidate is not taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Copy,
    LooksAlike,
    Contradicted,
    LesionContradicted,
    Capped,
}

impl Fate {
    fn what(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Copy => "the same picture is there already",
            Self::LooksAlike => "another source has a picture that looks the same",
            Self::Contradicted => "the same picture has two labels",
            Self::LesionContradicted => "the lesion has two labels",
            Self::Capped => "more than were asked for of the class",
        }
    }
}

/// Reads the sources, maps labels and sites, removes what stands there twice, and writes images, manifest and report
/// to `output`, which appears whole or not at all. The sources are only read.
///
/// Of a picture that several files hold (the same bytes, or the same name in the ISIC archive), the one whose patient
/// is known best is kept, then the one of the source named first; what was known of the others still ties groups. A
/// picture of another source that only looks the same goes too; one of the same source stays, in the same group. A
/// picture or a lesion with two labels goes whole.
///
/// `progress` is called with the images looked at and their total, from several threads; `stop` ends the work.
pub fn prepare(
    sources: &[Source],
    output: &Path,
    options: &Options,
    stop: &AtomicBool,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Report, PrepareError> {
    check_names(sources)?;
    check_free(output)?;
    let above = match output.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    };
    fs::create_dir_all(above).map_err(at(above))?;
    let workspace = Workspace::new(above, output).map_err(at(above))?;
    let workspace = workspace.ok_or_else(|| PrepareError::Busy(output.to_path_buf()))?;
    // For pictures that are in no file of their own.
    let scratch = workspace.folder("pictures").map_err(at(above))?;
    let mut remarks = Remarks::default();
    let mut records = Vec::new();
    let mut found = Vec::new();
    for source in sources {
        let place = raw::Place {
            source: &source.name,
            directory: &source.directory,
            scratch: &scratch,
        };
        let raw = raw::read(&place, stop)?;
        remarks.left_out.extend(raw.left_out.remarks(&source.name));
        remarks.unknown.extend(raw.unknown.remarks(&source.name));
        remarks.noted.extend(raw.noted.remarks(&source.name));
        found.push(raw.records.len());
        records.extend(raw.records);
    }
    let candidates = look_at(records, &mut remarks, &scratch, stop, progress)?;
    let (ties, fates) = decide(&candidates, options);
    remarks.add_fates(&candidates, &fates, sources, &scratch);
    if options.strict && !(remarks.left_out.is_empty() && remarks.unknown.is_empty()) {
        remarks.left_out.extend(remarks.unknown);
        return Err(PrepareError::Strict(remarks.left_out));
    }
    let mut records = kept(candidates, ties, &fates);
    if records.is_empty() {
        // A table that was not understood is the likely cause.
        remarks.noted.extend(remarks.left_out);
        return Err(PrepareError::Nothing(remarks.noted));
    }
    let parts = match options.check_leaks {
        true => check_leaks(&records, options.seed)?,
        false => None,
    };
    let mut report = report(&records, sources, &found, options, remarks);
    report.parts = parts;
    let folders = Folders {
        output,
        above,
        scratch: &scratch,
        staging: &workspace.folder("prepared").map_err(at(above))?,
    };
    write(&mut records, &folders, options.link, &report, stop)?;
    Ok(report)
}

fn check_names(sources: &[Source]) -> Result<(), PrepareError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut seen = BTreeSet::new();
    for Source { name, .. } in sources {
        let is_plain = !name.starts_with('.') && name.len() <= 64 && name.chars().all(plain);
        if name.is_empty() || !is_plain || !seen.insert(name) {
            return Err(PrepareError::Name(name.clone()));
        }
    }
    match sources {
        [] => Err(PrepareError::Name(String::new())),
        _ => Ok(()),
    }
}

fn check_free(output: &Path) -> Result<(), PrepareError> {
    match fs::read_dir(output).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(PrepareError::Occupied(output.to_path_buf())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(at(output)(error)),
    }
}

#[derive(Default)]
struct Remarks {
    left_out: Vec<Remark>,
    unknown: Vec<Remark>,
    noted: Vec<Remark>,
}

impl Remarks {
    fn add_fates(
        &mut self,
        candidates: &[Candidate],
        fates: &[Fate],
        sources: &[Source],
        scratch: &Path,
    ) {
        for source in sources {
            let mut tally = Tally::default();
            for (candidate, fate) in candidates.iter().zip(fates) {
                if candidate.record.source == source.name && *fate != Fate::Kept {
                    tally.add(fate.what().to_owned(), || {
                        place(&candidate.record.path, scratch)
                    });
                }
            }
            self.left_out.extend(tally.remarks(&source.name));
        }
    }
}

/// Reads and decodes every image on all cores. One that cannot be used is left out and named.
fn look_at(
    records: Vec<Record>,
    remarks: &mut Remarks,
    scratch: &Path,
    stop: &AtomicBool,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<Candidate>, PrepareError> {
    let total = records.len();
    let done = AtomicUsize::new(0);
    let looked: Vec<_> = records
        .par_iter()
        .map(|record| {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            let looked = read_image(&record.path);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
            Some(looked)
        })
        .collect();
    if stop.load(Ordering::Relaxed) {
        return Err(PrepareError::Stopped);
    }
    let mut candidates = Vec::with_capacity(total);
    let mut unreadable: BTreeMap<String, Tally> = BTreeMap::new();
    for (order, (mut record, looked)) in records.into_iter().zip(looked).enumerate() {
        match looked {
            Some(Ok((digest, look))) => {
                record.digest = Some(digest);
                candidates.push(Candidate {
                    record,
                    look,
                    order,
                });
            }
            Some(Err(error)) => {
                let tally = unreadable.entry(record.source.clone()).or_default();
                tally.add(format!("unreadable: {error}"), || {
                    place(&record.path, scratch)
                });
            }
            // Only when it was told to stop.
            None => return Err(PrepareError::Stopped),
        }
    }
    for (source, tally) in unreadable {
        remarks.left_out.extend(tally.remarks(&source));
    }
    Ok(candidates)
}

/// A picture as messages name it; one that came out of another file without the folder that it was put into.
fn place(path: &Path, scratch: &Path) -> String {
    let named = path.strip_prefix(scratch).unwrap_or(path);
    named.display().to_string()
}

/// The SHA-256 of an image file and how it looks.
fn read_image(path: &Path) -> Result<(String, Option<Look>), ImageError> {
    let bytes = files::read_capped(path, MAX_ENCODED_BYTES).map_err(|error| match error {
        ReadError::TooLarge(size) => ImageError::TooLarge(size),
        ReadError::Io(error) => ImageError::Io(error),
    })?;
    let look = Look::of(&image::decode(&bytes)?)?;
    Ok((hex::encode(Sha256::digest(&bytes)), look))
}

/// How much is known of the patient, and then the order: the greatest is kept.
fn worth(candidate: &Candidate) -> (usize, std::cmp::Reverse<usize>) {
    let Record {
        demographics,
        patient_id,
        lesion_id,
        image_id,
        ..
    } = &candidate.record;
    let known = [
        demographics.age.is_some(),
        demographics.sex != Sex::Unknown,
        demographics.site != Site::Unknown,
        patient_id.is_some(),
        !lesion_id.ends_with(image_id.as_str()),
    ];
    let count = known.into_iter().filter(|known| *known).count();
    (count, std::cmp::Reverse(candidate.order))
}

/// What is tied together and what becomes of each candidate.
fn decide(candidates: &[Candidate], options: &Options) -> (Ties, Vec<Fate>) {
    let mut fates = vec![Fate::Kept; candidates.len()];
    let records = || candidates.iter().map(|candidate| &candidate.record);

    let mut pictures = Ties::new(candidates.len());
    pictures.tie_by_name(records().map(|record| record.digest.as_deref()));
    pictures.tie_by_name(records().map(|record| raw::archive_name(&record.image_id)));
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for position in 0..candidates.len() {
        let first = pictures.first(position);
        members.entry(first).or_default().push(position);
    }
    for same in members.values().filter(|same| same.len() > 1) {
        let class = |position: usize| candidates[position].record.class;
        let best = same
            .iter()
            .copied()
            .max_by_key(|&position| worth(&candidates[position]));
        let is_contradicted = same
            .iter()
            .any(|&position| class(position) != class(same[0]));
        for &position in same {
            fates[position] = match is_contradicted {
                true => Fate::Contradicted,
                false if Some(position) == best => Fate::Kept,
                false => Fate::Copy,
            };
        }
    }

    let looks: Vec<Option<Look>> = candidates
        .iter()
        .zip(&fates)
        .map(|(candidate, fate)| candidate.look.filter(|_| *fate == Fate::Kept))
        .collect();
    let pairs = duplicates::near(&looks, options.near);
    for &(a, b) in &pairs {
        let [first, second] = [a, b].map(|position| &candidates[position].record);
        if first.source == second.source || first.lesion_id == second.lesion_id {
            continue;
        }
        if fates[a] != Fate::Kept || fates[b] != Fate::Kept {
            continue;
        }
        if first.class != second.class {
            fates[a] = Fate::Contradicted;
            fates[b] = Fate::Contradicted;
        } else if worth(&candidates[a]) > worth(&candidates[b]) {
            fates[b] = Fate::LooksAlike;
        } else {
            fates[a] = Fate::LooksAlike;
        }
    }

    let mut classes: BTreeMap<&str, BTreeSet<LesionClass>> = BTreeMap::new();
    for (record, fate) in records().zip(&fates) {
        if *fate == Fate::Kept {
            let of_lesion = classes.entry(&record.lesion_id).or_default();
            of_lesion.insert(record.class);
        }
    }
    for (record, fate) in records().zip(&mut fates) {
        let is_contradicted = classes
            .get(record.lesion_id.as_str())
            .is_some_and(|classes| classes.len() > 1);
        if *fate == Fate::Kept && is_contradicted {
            *fate = Fate::LesionContradicted;
        }
    }
    if let Some(most) = options.max_per_class {
        cap(candidates, &mut fates, most, options.seed);
    }

    // Ties go through what was left out too: what was known of it still holds.
    let mut ties = pictures;
    ties.tie_by_name(records().map(|record| Some(record.lesion_id.as_str())));
    ties.tie_by_name(records().map(|record| record.patient_id.as_deref()));
    for (a, b) in pairs {
        ties.tie(a, b);
    }
    (ties, fates)
}

/// Leaves out what is too much of a class, by SHA-256 of seed and image.
fn cap(candidates: &[Candidate], fates: &mut [Fate], most: usize, seed: u64) {
    for class in LesionClass::ALL {
        let mut ranked: Vec<([u8; 32], usize)> = (0..candidates.len())
            .filter(|&position| {
                fates[position] == Fate::Kept && candidates[position].record.class == class
            })
            .map(|position| {
                let digest = candidates[position].record.digest.as_deref();
                let mut hasher = Sha256::new();
                hasher.update(b"images of a class");
                hasher.update(seed.to_le_bytes());
                hasher.update(digest.unwrap_or_default());
                (hasher.finalize().into(), position)
            })
            .collect();
        ranked.sort_unstable();
        for (_, position) in ranked.into_iter().skip(most) {
            fates[position] = Fate::Capped;
        }
    }
}

/// The records that stay, each with its group where more than its lesion is tied.
fn kept(candidates: Vec<Candidate>, mut ties: Ties, fates: &[Fate]) -> Vec<Record> {
    let firsts: Vec<usize> = (0..candidates.len())
        .map(|position| ties.first(position))
        .collect();
    let mut lesions: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for ((candidate, &first), fate) in candidates.iter().zip(&firsts).zip(fates) {
        if *fate == Fate::Kept {
            let names = lesions.entry(first).or_default();
            names.insert(candidate.record.lesion_id.clone());
        }
    }
    candidates
        .into_iter()
        .zip(&firsts)
        .zip(fates)
        .filter(|(_, fate)| **fate == Fate::Kept)
        .map(|((candidate, first), _)| {
            let mut record = candidate.record;
            let tied = &lesions[first];
            record.group = match tied.first() {
                Some(name) if tied.len() > 1 => Some(name.clone()),
                _ => None,
            };
            record
        })
        .collect()
}

/// Splits once as the competition does and sees that no group stands in two parts.
fn check_leaks(records: &[Record], seed: u64) -> Result<Option<[usize; 3]>, PrepareError> {
    let Ok(split) = split::split(records, &Shares::default(), seed) else {
        return Ok(None);
    };
    if !split::disjoint(records, &split) {
        return Err(PrepareError::Leak);
    }
    let parts = [Part::Training, Part::Selection, Part::Judging];
    Ok(Some(parts.map(|part| split.part(part).len())))
}

fn report(
    records: &[Record],
    sources: &[Source],
    found: &[usize],
    options: &Options,
    remarks: Remarks,
) -> Report {
    let lesions = |records: &[&Record]| {
        let names = records.iter().map(|record| &record.lesion_id);
        names.collect::<BTreeSet<_>>().len()
    };
    let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
    for first in groups(records) {
        *sizes.entry(first).or_default() += 1;
    }
    let classes = LesionClass::ALL.map(|class| {
        let of_class: Vec<&Record> = records
            .iter()
            .filter(|record| record.class == class)
            .collect();
        let mut by_source = BTreeMap::new();
        for record in &of_class {
            *by_source.entry(record.source.clone()).or_default() += 1;
        }
        ClassCount {
            class: class.code(),
            images: of_class.len(),
            lesions: lesions(&of_class),
            sources: by_source,
            is_thin: of_class.len() < options.min_per_class,
        }
    });
    let share = |is_known: fn(&Record) -> bool| {
        records.iter().filter(|record| is_known(record)).count() as f64 / records.len() as f64
    };
    Report {
        images: records.len(),
        lesions: lesions(&records.iter().collect::<Vec<_>>()),
        groups: sizes.len(),
        largest_group: sizes.values().copied().max().unwrap_or(0),
        classes: classes.to_vec(),
        sources: sources
            .iter()
            .zip(found)
            .map(|(source, &found)| SourceCount {
                source: source.name.clone(),
                found,
                kept: records
                    .iter()
                    .filter(|record| record.source == source.name)
                    .count(),
            })
            .collect(),
        left_out: remarks.left_out,
        unknown: remarks.unknown,
        noted: remarks.noted,
        known: [
            share(|record| record.demographics.age.is_some()),
            share(|record| record.demographics.sex != Sex::Unknown),
            share(|record| record.demographics.site != Site::Unknown),
        ],
        parts: None,
    }
}

/// Where things are written.
struct Folders<'a> {
    output: &'a Path,
    /// What `output` lies in.
    above: &'a Path,
    /// Where pictures are that were in no file of their own.
    scratch: &'a Path,
    /// Where `output` is made, until it is whole.
    staging: &'a Path,
}

/// Makes everything in the staging directory and gives that the output's name at the end.
fn write(
    records: &mut [Record],
    folders: &Folders,
    link: bool,
    report: &Report,
    stop: &AtomicBool,
) -> Result<(), PrepareError> {
    let &Folders {
        output,
        above,
        scratch,
        staging,
    } = folders;
    let mut taken = BTreeSet::new();
    let names: Vec<String> = records
        .iter()
        .map(|record| file_name(record, &mut taken))
        .collect();
    for folder in records.iter().map(|record| &record.source) {
        let folder = staging.join("images").join(folder);
        fs::create_dir_all(&folder).map_err(at(&folder))?;
    }
    records
        .par_iter_mut()
        .zip(names)
        .try_for_each(|(record, image_id)| {
            if stop.load(Ordering::Relaxed) {
                return Err(PrepareError::Stopped);
            }
            let path = staging.join(&image_id);
            // Nobody else needs what came out of another file.
            let link = link || record.path.starts_with(scratch);
            copy(&record.path, &path, link).map_err(at(&path))?;
            record.path = path;
            record.image_id = image_id;
            Ok(())
        })?;
    files::sync_tree(staging).map_err(at(output))?;
    manifest::write(staging, records).map_err(at(output))?;
    let text = serde_json::to_string_pretty(report).map_err(|error| at(output)(error.into()))?;
    let path = staging.join(REPORT);
    files::write_atomically(&path, text.as_bytes()).map_err(at(&path))?;
    // What was written is what will be opened.
    open(staging, None)?;
    match fs::remove_dir(output) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(output)(error)),
        _ => {}
    }
    fs::rename(staging, output).map_err(at(output))?;
    files::sync_directory(above).map_err(at(above))
}

fn copy(from: &Path, to: &Path, link: bool) -> io::Result<()> {
    if link && fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    io::copy(&mut File::open(from)?, &mut File::create_new(to)?).map(drop)
}

/// `images/<source>/<name>.<ending>`, of plain characters and unused.
fn file_name(record: &Record, taken: &mut BTreeSet<String>) -> String {
    let text =
        |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let plain = |c: char| match c {
        c if c.is_ascii_alphanumeric() || c == '-' => c,
        _ => '_',
    };
    let stem: String = text(record.path.file_stem())
        .chars()
        .take(100)
        .map(plain)
        .collect();
    let ending = text(record.path.extension()).to_lowercase();
    let mut name = format!("images/{}/{stem}.{ending}", record.source);
    let mut number = 2;
    // Names that differ in case are one file on some file systems.
    while !taken.insert(name.to_lowercase()) {
        name = format!("images/{}/{stem}-{number}.{ending}", record.source);
        number += 1;
    }
    name
}

fn at(path: &Path) -> impl Fn(io::Error) -> PrepareError + '_ {
    move |source| PrepareError::Io {
        path: path.to_path_buf(),
        source,
    }
}

#[cfg(test)]
mod tests;

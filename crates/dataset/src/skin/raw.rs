//! A data set as it was downloaded: images somewhere in folders, and tables about them.
//!
//! One reader serves all public sets. Every table in the directory is looked at: one with a column of labels, one
//! with a column for each class (one-hot), or one with ages, sexes, sites, lesions or patients. Tables of lesions and
//! tables of images are joined by the lesion. Without any table of labels the folder of an image is its label. A
//! table's image is only looked up among the files that were found; no path is opened because a table spells it out.
//! Parquet files count as tables whose pictures lie beside them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::directory::{check_size, shown};
use super::manifest::{self, AGE, IMAGE, LABEL, LESION, PATIENT, SEX, SITE};
use super::open::{entries, is_image};
use super::parquet::{ExtractError, extract};
use super::prepare::PrepareError;
use super::table::{Table, field};
use super::vocabulary::{self, Diagnosis};
use super::{Demographics, LoadError, MAX_ROWS, Record, Sex, Site};
use crate::files;

/// Deepest folder that is looked into.
const MAX_DEPTH: usize = 12;
/// Most tables of a data set, and most Parquet files.
const MAX_TABLES: usize = 1000;

/// What was not taken as it is, counted by reason.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Tally(BTreeMap<String, (usize, String)>);

impl Tally {
    /// Counts one for `what`; `place` is remembered if it is the first.
    pub fn add(&mut self, what: String, place: impl FnOnce() -> String) {
        self.0.entry(what).or_insert_with(|| (0, place())).0 += 1;
    }

    /// Adds what another counted.
    pub fn extend(&mut self, other: Self) {
        for (what, (count, place)) in other.0 {
            self.0.entry(what).or_insert((0, place)).0 += count;
        }
    }

    /// Each reason with its count and its first place.
    pub fn iter(&self) -> impl Iterator<Item = (&str, usize, &str)> {
        let reasons = self.0.iter();
        reasons.map(|(what, (count, first))| (what.as_str(), *count, first.as_str()))
    }
}

/// What a downloaded data set holds.
pub(super) struct Raw {
    /// The images with a class; `image_id` is the name in the ISIC archive or the path below the directory.
    pub records: Vec<Record>,
    /// Images and tables that were left out.
    pub left_out: Tally,
    /// Fields that were read as unknown, because their value is in no table.
    pub unknown: Tally,
}

/// What tables say about one image.
#[derive(Default, Clone)]
struct Facts {
    labels: BTreeSet<Diagnosis>,
    has_bad_label: bool,
    age: Option<f32>,
    sex: Option<Sex>,
    site: Option<Site>,
    lesion: Option<String>,
    patient: Option<String>,
}

/// Where a data set is read from.
pub(super) struct Place<'a> {
    /// Its name.
    pub source: &'a str,
    /// Where it was downloaded to.
    pub directory: &'a Path,
    /// Where pictures that are in no file of their own are put, below the set's name.
    pub scratch: &'a Path,
}

impl Place<'_> {
    /// Where this set's pictures are put.
    fn extracted(&self) -> PathBuf {
        self.scratch.join(self.source)
    }

    /// A path of this set as messages name it.
    fn inside(&self, path: &Path) -> String {
        let inside = path
            .strip_prefix(self.directory)
            .or_else(|_| path.strip_prefix(self.extracted()))
            .unwrap_or(path);
        inside.display().to_string()
    }
}

/// Reads a data set.
pub(super) fn read(place: &Place, stop: &AtomicBool) -> Result<Raw, PrepareError> {
    let directory = place.directory;
    if !directory.is_dir() {
        return Err(LoadError::NoDirectory(directory.to_path_buf()).into());
    }
    let mut found = Found::default();
    walk(directory, 0, &mut found)?;
    let Found {
        mut images,
        tables: paths,
        parquet,
        packed,
    } = found;
    let mut left_out = Tally::default();
    let mut tables = Vec::new();
    for path in &paths {
        match Table::read(path) {
            Ok(table) => tables.push(table),
            Err(error) => {
                let what = format!("a table is unreadable: {error}");
                left_out.add(what, || place.inside(path));
            }
        }
    }
    let mut unreadable = None;
    for path in &parquet {
        match extract(path, &place.extracted(), &place.inside(path), stop) {
            Ok(extracted) => {
                images.extend(extracted.images);
                tables.push(extracted.table);
                left_out.extend(extracted.left_out);
            }
            Err(ExtractError::Unreadable(what)) => {
                left_out.add(format!("a Parquet file is unreadable: {what}"), || {
                    place.inside(path)
                });
                let path = path.clone();
                unreadable = unreadable.or(Some(LoadError::Parquet { path, reason: what }));
            }
            Err(ExtractError::Stopped) => return Err(PrepareError::Stopped),
            Err(ExtractError::Io { path, source }) => {
                return Err(PrepareError::Io { path, source });
            }
        }
        if images.len() > MAX_ROWS {
            return Err(LoadError::TooManyRows(directory.to_path_buf()).into());
        }
    }
    if images.is_empty() {
        let nothing = || match packed.into_iter().next() {
            Some(archive) => LoadError::Packed(archive),
            None => LoadError::NoImages(directory.to_path_buf()),
        };
        return Err(unreadable.unwrap_or_else(nothing).into());
    }
    for path in &packed {
        let what = "an archive of a kind that is not opened here: unpack it yourself, beside it";
        left_out.add(what.to_owned(), || place.inside(path));
    }
    let mut reader = Reader {
        place,
        index: index(&images),
        facts: vec![Facts::default(); images.len()],
        images,
        lesions: HashMap::new(),
        has_labels: false,
        left_out,
        unknown: Tally::default(),
    };
    for table in &tables {
        reader.read_table(table)?;
    }
    Ok(reader.finish())
}

/// The files of a data set, by what they are.
#[derive(Default)]
struct Found {
    images: Vec<PathBuf>,
    tables: Vec<PathBuf>,
    parquet: Vec<PathBuf>,
    /// Archives that are not unpacked here.
    packed: Vec<PathBuf>,
}

fn walk(folder: &Path, depth: usize, found: &mut Found) -> Result<(), LoadError> {
    for path in entries(folder)? {
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let kind = fs::symlink_metadata(&path).map(|metadata| metadata.file_type());
        let kind = kind.map_err(|source| LoadError::Io {
            path: path.clone(),
            source,
        })?;
        // Links are not followed: they could lead anywhere, or around in a circle.
        if hidden || kind.is_symlink() {
            continue;
        }
        let ends = |wanted: &str| {
            let ending = path.extension();
            ending.is_some_and(|ending| ending.eq_ignore_ascii_case(wanted))
        };
        if kind.is_dir() && depth < MAX_DEPTH {
            walk(&path, depth + 1, found)?;
        } else if kind.is_file() && is_image(&path) {
            found.images.push(path);
        } else if kind.is_file() && ends("csv") && found.tables.len() < MAX_TABLES {
            found.tables.push(path);
        } else if kind.is_file() && ends("parquet") && found.parquet.len() < MAX_TABLES {
            found.parquet.push(path);
        } else if kind.is_file() && files::is_packed(&path) && found.packed.len() < MAX_TABLES {
            found.packed.push(path);
        }
        if found.images.len() > MAX_ROWS {
            return Err(LoadError::TooManyRows(folder.to_path_buf()));
        }
    }
    Ok(())
}

/// The images by their file name without ending.
fn index(images: &[PathBuf]) -> HashMap<String, Vec<usize>> {
    let mut index: HashMap<String, Vec<usize>> = HashMap::new();
    for (position, path) in images.iter().enumerate() {
        index.entry(stem(path)).or_default().push(position);
    }
    index
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

struct Reader<'a> {
    place: &'a Place<'a>,
    images: Vec<PathBuf>,
    index: HashMap<String, Vec<usize>>,
    facts: Vec<Facts>,
    /// Labels of lesions, and whether one was in no table.
    lesions: HashMap<String, Facts>,
    has_labels: bool,
    left_out: Tally,
    unknown: Tally,
}

impl Reader<'_> {
    fn read_table(&mut self, table: &Table) -> Result<(), LoadError> {
        let image = table.column(IMAGE)?;
        let lesion = table.column(LESION)?;
        if image.is_none() && lesion.is_none() {
            return Ok(());
        }
        let label = table.column(LABEL)?;
        let marks: Vec<(usize, Diagnosis)> = table
            .header
            .iter()
            .enumerate()
            .filter_map(|(column, name)| Some((column, vocabulary::diagnosis(name)?)))
            .collect();
        let is_one_hot = label.is_none() && marks.len() >= 2;
        self.has_labels |= label.is_some() || is_one_hot;
        let columns = [AGE, SEX, SITE, PATIENT];
        let [age, sex, site, patient] = columns.map(|names| table.column(names));
        let (age, sex, site, patient) = (age?, sex?, site?, patient?);
        let name = self.place.inside(&table.path);
        for (number, row) in &table.rows {
            let place = || format!("{name} {} {number}", table.unit);
            let mut facts = Facts::default();
            let diagnosis = match label {
                Some(_) => read_label(field(row, label)).map(Some),
                None if is_one_hot => one_hot(&marks, row).map(Some),
                None => Ok(None),
            };
            match diagnosis {
                Ok(diagnosis) => facts.labels.extend(diagnosis),
                Err(what) => {
                    facts.has_bad_label = true;
                    self.left_out.add(what, place);
                }
            }
            for (what, is_bad) in [
                read_fact("age", field(row, age), vocabulary::age, &mut facts.age),
                read_fact(
                    "sex",
                    field(row, sex),
                    |text| vocabulary::sex(text).map(|sex| (sex != Sex::Unknown).then_some(sex)),
                    &mut facts.sex,
                ),
                read_fact(
                    "site",
                    field(row, site),
                    |text| {
                        vocabulary::site(text).map(|site| (site != Site::Unknown).then_some(site))
                    },
                    &mut facts.site,
                ),
                read_fact(
                    "lesion_id",
                    field(row, lesion),
                    |text| manifest::name("", text).ok(),
                    &mut facts.lesion,
                ),
                read_fact(
                    "patient_id",
                    field(row, patient),
                    |text| manifest::name("", text).ok(),
                    &mut facts.patient,
                ),
            ] {
                if is_bad {
                    self.unknown.add(what, place);
                }
            }
            match image {
                Some(_) => self.add_to_image(field(row, image), &facts, place()),
                None => {
                    if let Some(lesion) = facts.lesion.clone() {
                        merge(self.lesions.entry(lesion).or_default(), &facts);
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds what a row says to the files that it can mean.
    fn add_to_image(&mut self, value: &str, facts: &Facts, place: String) {
        let named = Path::new(value);
        let key = match is_image(named) {
            true => stem(named),
            false => named
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
        };
        let mut found = self.index.get(&key).cloned().unwrap_or_default();
        if found.len() > 1 && named.components().count() > 1 {
            let exact: Vec<usize> = found
                .iter()
                .copied()
                .filter(|&position| self.images[position].ends_with(named))
                .collect();
            found = exact;
        }
        let size =
            |position: &usize| fs::metadata(&self.images[*position]).map_or(0, |file| file.len());
        let sizes: BTreeSet<u64> = match found.len() {
            0 | 1 => BTreeSet::new(),
            _ => found.iter().map(size).collect(),
        };
        if found.is_empty() {
            let what = "a table names an image that is not there".to_owned();
            self.left_out
                .add(what, || format!("{place}: {}", shown(value)));
        } else if sizes.len() > 1 {
            let what = "a name stands for several different files".to_owned();
            self.left_out
                .add(what, || format!("{place}: {}", shown(value)));
        } else {
            for position in found {
                merge(&mut self.facts[position], facts);
            }
        }
    }

    fn finish(self) -> Raw {
        let Self {
            place: whole,
            images,
            facts,
            lesions,
            has_labels,
            mut left_out,
            unknown,
            ..
        } = self;
        let source = whole.source;
        let mut records = Vec::new();
        for (path, mut facts) in images.iter().zip(facts) {
            let place = || whole.inside(path);
            if let Some(of_lesion) = facts.lesion.as_ref().and_then(|name| lesions.get(name)) {
                merge(&mut facts, of_lesion);
            }
            // What is wrong with the label of this image was said with the row.
            if facts.has_bad_label {
                continue;
            }
            if !has_labels {
                let folder = path.parent().and_then(Path::file_name).unwrap_or_default();
                let folder = folder.to_string_lossy();
                match vocabulary::diagnosis(&folder) {
                    Some(diagnosis) => {
                        facts.labels.insert(diagnosis);
                    }
                    None => {
                        let what = format!("the folder {} is not a label", shown(&folder));
                        left_out.add(what, place);
                        continue;
                    }
                }
            }
            let mut labels = facts.labels.iter();
            let class = match (labels.next(), labels.next()) {
                (Some(Diagnosis::Class(class)), None) => *class,
                (Some(Diagnosis::NoClass(why)), None) => {
                    left_out.add(format!("the label {why}"), place);
                    continue;
                }
                (None, _) => {
                    let what = "no table has a label for the image".to_owned();
                    left_out.add(what, place);
                    continue;
                }
                (Some(_), Some(_)) => {
                    let what = "the tables disagree about the label".to_owned();
                    left_out.add(what, place);
                    continue;
                }
            };
            if let Err(what) = check_size(path) {
                let what = what.replace(&path.display().to_string(), "an image");
                left_out.add(what, place);
                continue;
            }
            let image_id = archive_name(&stem(path)).map_or_else(place, str::to_owned);
            let scoped = |name: String, known: &[&str]| match known
                .iter()
                .any(|prefix| name.starts_with(prefix))
            {
                true => name,
                false => format!("{source}:{name}"),
            };
            records.push(Record {
                lesion_id: match facts.lesion {
                    Some(lesion) => scoped(lesion, &LESION_PREFIXES),
                    None => scoped(image_id.clone(), &["ISIC_"]),
                },
                patient_id: facts.patient.map(|patient| scoped(patient, &["IP_"])),
                image_id,
                group: None,
                source: source.to_owned(),
                digest: None,
                path: path.clone(),
                class,
                demographics: Demographics {
                    age: facts.age,
                    sex: facts.sex.unwrap_or(Sex::Unknown),
                    site: facts.site.unwrap_or(Site::Unknown),
                },
            });
        }
        Raw {
            records,
            left_out,
            unknown,
        }
    }
}

/// How lesions of the ISIC archive are called; such a name means one lesion in every source.
const LESION_PREFIXES: [&str; 4] = ["HAM_", "BCN_", "MSK", "IL_"];

/// The name of an image in the ISIC archive, which is one picture in every source. Challenges add that they scaled it.
pub(super) fn archive_name(stem: &str) -> Option<&str> {
    let name = stem.strip_suffix("_downsampled").unwrap_or(stem);
    let digits = name.strip_prefix("ISIC_")?;
    (digits.len() == 7 && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(name)
}

fn read_label(label: &str) -> Result<Diagnosis, String> {
    vocabulary::diagnosis(label).ok_or_else(|| format!("the label {} is not known", shown(label)))
}

/// The one class that is marked with a number above one half.
fn one_hot(marks: &[(usize, Diagnosis)], row: &csv::StringRecord) -> Result<Diagnosis, String> {
    let mut marked = None;
    for (column, diagnosis) in marks {
        let text = field(row, Some(*column));
        let value: f64 = text
            .parse()
            .map_err(|_| format!("the mark {} is not a number", shown(text)))?;
        if value > 0.5 && marked.replace(*diagnosis).is_some() {
            return Err("several classes are marked".to_owned());
        }
    }
    marked.ok_or_else(|| "no class is marked".to_owned())
}

/// Reads one field into its place; what is in no table is named, and counts as unknown.
fn read_fact<T>(
    column: &str,
    text: &str,
    read: impl Fn(&str) -> Option<Option<T>>,
    target: &mut Option<T>,
) -> (String, bool) {
    match read(text) {
        Some(value) => {
            *target = value;
            (String::new(), false)
        }
        None => (format!("{column} {} is not known", shown(text)), true),
    }
}

/// Adds what another table says; the first to say something about age, sex, site, lesion or patient is kept.
fn merge(facts: &mut Facts, more: &Facts) {
    facts.labels.extend(&more.labels);
    facts.has_bad_label |= more.has_bad_label;
    facts.age = facts.age.or(more.age);
    facts.sex = facts.sex.or(more.sex);
    facts.site = facts.site.or(more.site);
    facts.lesion = facts.lesion.take().or_else(|| more.lesion.clone());
    facts.patient = facts.patient.take().or_else(|| more.patient.clone());
}

#[cfg(test)]
mod tests;

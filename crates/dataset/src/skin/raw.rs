//! A data set as it was downloaded: images somewhere in folders, and tables about them.
//!
//! One reader serves all public sets. Every table in the directory is looked at: one with a column of labels, one
//! with a column for each class (one-hot), or one with ages, sexes, sites, lesions or patients. Tables of lesions and
//! tables of images are joined by the lesion. Without any table of labels the folder of an image is its label. A
//! table's image is only looked up among the files that were found; no path is opened because a table spells it out.
//! Parquet files count as tables whose pictures lie beside them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use sha2::{Digest, Sha256};

use super::directory::{COLUMNS_SHOWN, check_size, shown};
use super::manifest::{self, AGE, IMAGE, LABEL, LESION, PATIENT, SEX, SITE};
use super::open::{entries, is_image, unread, unread_format};
use super::parquet::{ExtractError, extract};
use super::prepare::PrepareError;
use super::remarks::Tally;
use super::table::{Table, field};
use super::vocabulary::{self, Diagnosis};
use super::{Demographics, LoadError, MAX_ROWS, Record, Sex, Site};
use crate::files;
use crate::image::MAX_ENCODED_BYTES;

/// Deepest folder that is looked into.
const MAX_DEPTH: usize = 12;
/// Most tables of a data set, and most Parquet files.
const MAX_TABLES: usize = 1000;
/// Least likeness, of 1, of a column's name to the one that was probably meant.
const LIKENESS: f64 = 0.88;

/// What a downloaded data set holds.
pub(super) struct Raw {
    /// The images with a class; `image_id` is the name in the ISIC archive or the path below the directory.
    pub records: Vec<Record>,
    /// Images and tables that were left out.
    pub left_out: Tally,
    /// Fields that were not taken as they are: their value is in no table, or rows disagree.
    pub unknown: Tally,
    /// What costs nothing and is to be known: tables that say nothing, rows that stand twice.
    pub noted: Tally,
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
    /// The columns in which rows say different things.
    disputed: BTreeSet<&'static str>,
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
        unread: others,
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
            _ if !others.is_empty() => unread(directory, &others),
            Some(archive) => LoadError::Packed(archive),
            None => LoadError::NoImages(directory.to_path_buf()),
        };
        return Err(unreadable.unwrap_or_else(nothing).into());
    }
    for path in &packed {
        let what = "an archive of a kind that is not opened here: unpack it yourself, beside it";
        left_out.add(what.to_owned(), || place.inside(path));
    }
    for path in &others {
        let format = unread_format(path).unwrap_or_default();
        let what = format!("{format} images are not read; convert them to PNG or JPEG");
        left_out.add(what, || place.inside(path));
    }
    let mut reader = Reader {
        place,
        index: index(&images),
        unread: others.iter().map(|path| stem(path)).collect(),
        digests: HashMap::new(),
        facts: vec![Facts::default(); images.len()],
        images,
        lesions: HashMap::new(),
        has_labels: false,
        unlabelled: Vec::new(),
        left_out,
        unknown: Tally::default(),
        noted: Tally::default(),
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
    /// Images of formats that are not read.
    unread: Vec<PathBuf>,
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
        } else if kind.is_file() && unread_format(&path).is_some() {
            found.unread.push(path);
        } else if kind.is_file() && ends("csv") && found.tables.len() < MAX_TABLES {
            found.tables.push(path);
        } else if kind.is_file() && ends("parquet") && found.parquet.len() < MAX_TABLES {
            found.parquet.push(path);
        } else if kind.is_file() && files::is_packed(&path) && found.packed.len() < MAX_TABLES {
            found.packed.push(path);
        }
        if found.images.len().max(found.unread.len()) > MAX_ROWS {
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
    /// The names without ending of the images that are not read.
    unread: HashSet<String>,
    /// The SHA-256 of images that were compared; `None` of what cannot be read.
    digests: HashMap<usize, Option<[u8; 32]>>,
    facts: Vec<Facts>,
    /// Labels of lesions, and whether one was in no table.
    lesions: HashMap<String, Facts>,
    has_labels: bool,
    /// Tables without a column of labels: what there is to say, whether a column is probably meant as one, the table.
    unlabelled: Vec<(String, bool, String)>,
    left_out: Tally,
    unknown: Tally,
    noted: Tally,
}

impl Reader<'_> {
    fn read_table(&mut self, table: &Table) -> Result<(), LoadError> {
        let image = table.column(IMAGE)?;
        let lesion = table.column(LESION)?;
        let name = self.place.inside(&table.path);
        if image.is_none() && lesion.is_none() {
            let (what, _) = lacking("images", IMAGE, &table.header);
            self.noted.add(what, || name);
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
        match label.is_some() || is_one_hot {
            true => self.has_labels = true,
            false => {
                let (what, is_near) = lacking("labels", LABEL, &table.header);
                self.unlabelled.push((what, is_near, name.clone()));
            }
        }
        let columns = [AGE, SEX, SITE, PATIENT];
        let [age, sex, site, patient] = columns.map(|names| table.column(names));
        let (age, sex, site, patient) = (age?, sex?, site?, patient?);
        let folder = table.path.parent().unwrap_or(self.place.directory);
        let mut seen = HashMap::new();
        for (number, row) in &table.rows {
            let place = || format!("{name} {} {number}", table.unit);
            if seen
                .insert(row.as_slice(), row)
                .is_some_and(|earlier| earlier == row)
            {
                self.noted.add("a row stands there twice".to_owned(), place);
            }
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
                Some(_) => self.add_to_image(field(row, image), folder, &facts, place()),
                None => {
                    if let Some(lesion) = facts.lesion.clone() {
                        let disputed = merge(self.lesions.entry(lesion).or_default(), &facts);
                        dispute(&mut self.unknown, disputed, place);
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds what a row of a table in `folder` says to the files that it can mean.
    fn add_to_image(&mut self, value: &str, folder: &Path, facts: &Facts, place: String) {
        let named = Path::new(value);
        let key = match is_image(named) || unread_format(named).is_some() {
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
        if found.is_empty() {
            // One that is there and not read was named as that.
            if !self.unread.contains(&key) {
                let what = "a table names an image that is not there".to_owned();
                self.left_out
                    .add(what, || format!("{place}: {}", shown(value)));
            }
            return;
        }
        let Some(found) = self.meant(found, named, folder) else {
            let what = "a name stands for several different files".to_owned();
            self.left_out
                .add(what, || format!("{place}: {}", shown(value)));
            return;
        };
        let mut disputed = BTreeSet::new();
        for position in found {
            disputed.extend(merge(&mut self.facts[position], facts));
        }
        dispute(&mut self.unknown, disputed, || {
            format!("{place}: {}", shown(value))
        });
    }

    /// Of the files that have the name, those that a table in `folder` means: the ones below it if there are any, if
    /// they are one picture, else the one at that very path.
    fn meant(&mut self, found: Vec<usize>, named: &Path, folder: &Path) -> Option<Vec<usize>> {
        let is_below = |position: &usize| self.images[*position].starts_with(folder);
        let below: Vec<usize> = found.iter().copied().filter(is_below).collect();
        let found = match below.is_empty() {
            true => found,
            false => below,
        };
        if self.is_one_picture(&found) {
            return Some(found);
        }
        let spelt = folder.join(named);
        let is_spelt = |position: &usize| {
            let path = &self.images[*position];
            *path == spelt || (!is_image(named) && path.with_extension("") == spelt)
        };
        let mut exact = found.into_iter().filter(is_spelt);
        match (exact.next(), exact.next()) {
            (Some(position), None) => Some(vec![position]),
            _ => None,
        }
    }

    /// Whether these files have the same bytes.
    fn is_one_picture(&mut self, positions: &[usize]) -> bool {
        let [first, rest @ ..] = positions else {
            return true;
        };
        let size = |position: &usize| fs::metadata(&self.images[*position]).map(|file| file.len());
        let has_size = |position| size(position).ok() == size(first).ok();
        rest.is_empty()
            || (rest.iter().all(has_size) && {
                let wanted = self.digest(*first);
                wanted.is_some() && rest.iter().all(|&other| self.digest(other) == wanted)
            })
    }

    fn digest(&mut self, position: usize) -> Option<[u8; 32]> {
        let path = &self.images[position];
        *self.digests.entry(position).or_insert_with(|| {
            let bytes = files::read_capped(path, MAX_ENCODED_BYTES).ok()?;
            Some(Sha256::digest(bytes).into())
        })
    }

    fn finish(self) -> Raw {
        let Self {
            place: whole,
            images,
            facts,
            lesions,
            has_labels,
            unlabelled,
            mut left_out,
            mut unknown,
            mut noted,
            ..
        } = self;
        let source = whole.source;
        // Tables of patients need no labels where others have them.
        for (what, is_near, table) in unlabelled {
            if is_near || !has_labels {
                noted.add(what, || table);
            }
        }
        let mut records = Vec::new();
        for (path, mut facts) in images.iter().zip(facts) {
            let place = || whole.inside(path);
            if let Some(of_lesion) = facts.lesion.as_ref().and_then(|name| lesions.get(name)) {
                dispute(&mut unknown, merge(&mut facts, of_lesion), place);
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
                    let what = "rows disagree about the label".to_owned();
                    left_out.add(what, place);
                    continue;
                }
            };
            if let Err(what) = check_size(path) {
                let what = what.replace(&path.display().to_string(), "an image");
                left_out.add(what, place);
                continue;
            }
            let is_clear = |column| !facts.disputed.contains(column);
            let demographics = Demographics {
                age: facts.age.filter(|_| is_clear("age")),
                sex: facts
                    .sex
                    .filter(|_| is_clear("sex"))
                    .unwrap_or(Sex::Unknown),
                site: facts
                    .site
                    .filter(|_| is_clear("site"))
                    .unwrap_or(Site::Unknown),
            };
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
                demographics,
            });
        }
        Raw {
            records,
            left_out,
            unknown,
            noted,
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

/// Adds what another row says. Returns the columns of which it says something else than what was known.
fn merge(facts: &mut Facts, more: &Facts) -> BTreeSet<&'static str> {
    facts.labels.extend(&more.labels);
    facts.has_bad_label |= more.has_bad_label;
    let fields = [
        ("age", settle(&mut facts.age, &more.age)),
        ("sex", settle(&mut facts.sex, &more.sex)),
        ("site", settle(&mut facts.site, &more.site)),
        ("lesion_id", settle(&mut facts.lesion, &more.lesion)),
        ("patient_id", settle(&mut facts.patient, &more.patient)),
    ];
    let disputed = fields.into_iter().filter(|(_, is_settled)| !is_settled);
    let disputed: BTreeSet<_> = disputed.map(|(column, _)| column).collect();
    facts.disputed.extend(disputed.iter().chain(&more.disputed));
    disputed
}

/// Keeps the first that is known; whether the other agrees.
fn settle<T: Clone + PartialEq>(known: &mut Option<T>, more: &Option<T>) -> bool {
    match (&*known, more) {
        (Some(known), Some(more)) => known == more,
        (None, more) => {
            *known = more.clone();
            true
        }
        (Some(_), None) => true,
    }
}

/// Says in which columns rows disagree. A lesion or a patient still ties what belongs together, so the first is kept.
fn dispute(
    unknown: &mut Tally,
    columns: BTreeSet<&'static str>,
    place: impl Fn() -> String + Copy,
) {
    for column in columns {
        let what = match column {
            "lesion_id" | "patient_id" => {
                format!("rows disagree about {column}: the first is kept")
            }
            _ => format!("rows disagree about {column}: read as unknown"),
        };
        unknown.add(what, place);
    }
}

/// What to say of a table without a column of these names, and whether one of its columns is nearly called so.
fn lacking(what: &str, names: &[&str], header: &[String]) -> (String, bool) {
    let unread = header.iter().filter(|column| !manifest::is_column(column));
    let near = unread
        .flat_map(|column| names.iter().map(move |name| (column, *name)))
        .map(|(column, name)| (strsim::jaro_winkler(column, name), column, name))
        .filter(|(likeness, ..)| *likeness >= LIKENESS)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let columns: Vec<String> = header.iter().map(|name| shown(name)).collect();
    let columns = columns[..columns.len().min(COLUMNS_SHOWN)].join(", ");
    let said = format!(
        "a table has no column of {what}, such as {}: its header is {columns}",
        names[0]
    );
    match near {
        Some((_, column, name)) => (
            format!("{said}; is {name} meant by {}?", shown(column)),
            true,
        ),
        None => (said, false),
    }
}

#[cfg(test)]
mod tests;

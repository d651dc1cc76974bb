//! `manifest.csv`: the one table of a prepared data directory, and label tables of other makers in the same spirit.
//!
//! A manifest names every image relative to its directory, its class, what is known of the patient, and what must stay
//! in one part of a split: the lesion, the patient, and the group that near-duplicates and shared names tie together.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::directory::{check_size, shown, unread_beside};
use super::open::ENDINGS;
use super::table::{Table, field};
use super::vocabulary::{self, Diagnosis};
use super::{Demographics, LesionClass, LoadError, Problem, Record, Sex, Site};
use crate::files;

/// The name of the manifest in its directory.
pub const MANIFEST: &str = "manifest.csv";

/// The columns of a manifest, in their order.
pub const COLUMNS: [&str; 10] = [
    "image",
    "label",
    "age",
    "sex",
    "site",
    "lesion_id",
    "patient_id",
    "source",
    "digest",
    "group",
];

/// Longest name of a lesion, a patient, a source or a group, in bytes.
const MAX_NAME: usize = 256;
/// Deepest path of an image, in components.
const MAX_DEPTH: usize = 16;

/// What other tables call the column of the image.
pub(super) const IMAGE: &[&str] = &[
    "image",
    "newfilename",
    "filepath",
    "filename",
    "image_path",
    "image_id",
    "image_name",
    "isic_id",
];
pub(super) const LABEL: &[&str] = &["label", "class", "dx", "diagnosis"];
pub(super) const AGE: &[&str] = &["age", "age_approx"];
pub(super) const SEX: &[&str] = &["sex", "gender"];
pub(super) const SITE: &[&str] = &[
    "site",
    "location",
    "localization",
    "anatom_site_general",
    "anatom_site_general_challenge",
];
pub(super) const LESION: &[&str] = &["lesion_id"];
pub(super) const PATIENT: &[&str] = &["patient_id"];

/// Whether a table's column of this name, in lower case, says something about images: one of the names above, or that
/// of a class.
pub(super) fn is_column(name: &str) -> bool {
    let known = [IMAGE, LABEL, AGE, SEX, SITE, LESION, PATIENT];
    known.iter().any(|names| names.contains(&name)) || vocabulary::diagnosis(name).is_some()
}

/// Reads a manifest, or a table of labels by another maker, of images under `directory`.
///
/// The columns may have the names that the competition and the public data sets give them, in any case and order;
/// image and label must be there. A label is a name of [`vocabulary`] or the competition's number 1 to 11. Every row
/// is checked; all that are wrong are reported together and nothing is read then.
pub fn read(path: &Path, directory: &Path) -> Result<Vec<Record>, LoadError> {
    let table = Table::read(path)?;
    let columns = Columns::find(&table)?;
    let mut records: Vec<Record> = Vec::with_capacity(table.rows.len());
    let mut problems = Vec::new();
    let mut seen = Seen::default();
    for (line, row) in &table.rows {
        let record = columns
            .record(row, directory)
            .and_then(|record| seen.check(&record, *line).map(|()| record));
        match record {
            Ok(record) => records.push(record),
            Err(what) => problems.push(Problem { line: *line, what }),
        }
    }
    if !problems.is_empty() {
        return Err(LoadError::Rows {
            path: table.path,
            problems,
        });
    }
    if records.is_empty() {
        return Err(LoadError::Empty(table.path));
    }
    Ok(records)
}

/// Whether [`read`] can read a table and the reader of the HAM10000 layout cannot.
pub(super) fn is_one(table: &Table) -> bool {
    let has = |name: &str| table.header.iter().any(|column| column == name);
    !(has("image_id") && has("dx")) && Columns::find(table).is_ok()
}

/// Writes the manifest of `directory`, whole or not at all. The records' images lie in the directory.
pub fn write(directory: &Path, records: &[Record]) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for record in records {
        let image = record.path.strip_prefix(directory).ok();
        let image = image.and_then(Path::to_str).ok_or_else(|| {
            io::Error::other(format!(
                "{} is not an image of this directory",
                record.path.display()
            ))
        })?;
        let Demographics { age, sex, site } = record.demographics;
        let age = age.map_or(String::new(), |age| age.to_string());
        let optional = |name: &'_ Option<String>| name.clone().unwrap_or_default();
        writer.write_record([
            image,
            record.class.code(),
            &age,
            sex_name(sex),
            site_name(site),
            &record.lesion_id,
            &optional(&record.patient_id),
            &record.source,
            &optional(&record.digest),
            &optional(&record.group),
        ])?;
    }
    let bytes = writer.into_inner().map_err(|error| error.into_error())?;
    files::write_atomically(&directory.join(MANIFEST), &bytes)
}

fn sex_name(sex: Sex) -> &'static str {
    match sex {
        Sex::Female => "female",
        Sex::Male => "male",
        Sex::Unknown => "",
    }
}

/// The competition's name of a site, empty if it is not known.
pub fn site_name(site: Site) -> &'static str {
    match site {
        Site::Arm => "arm",
        Site::Feet => "feet",
        Site::Genitalia => "genitalia",
        Site::Hand => "hand",
        Site::Head => "head",
        Site::Leg => "leg",
        Site::Torso => "torso",
        Site::Unknown => "",
    }
}

/// Where the columns stand.
struct Columns {
    image: usize,
    label: usize,
    index: Option<usize>,
    age: Option<usize>,
    sex: Option<usize>,
    site: Option<usize>,
    lesion: Option<usize>,
    patient: Option<usize>,
    source: Option<usize>,
    digest: Option<usize>,
    group: Option<usize>,
}

impl Columns {
    fn find(table: &Table) -> Result<Self, LoadError> {
        Ok(Self {
            image: table.needed(IMAGE)?,
            label: table.needed(LABEL)?,
            index: table.column(&["label_idx"])?,
            age: table.column(AGE)?,
            sex: table.column(SEX)?,
            site: table.column(SITE)?,
            lesion: table.column(LESION)?,
            patient: table.column(PATIENT)?,
            source: table.column(&["source"])?,
            digest: table.column(&["digest"])?,
            group: table.column(&["group"])?,
        })
    }

    fn record(&self, row: &csv::StringRecord, directory: &Path) -> Result<Record, String> {
        let image = field(row, Some(self.image));
        let path = find_image(directory, image)?;
        let class = class(field(row, Some(self.label)), field(row, self.index))?;
        let lesion_id = name("lesion_id", field(row, self.lesion))?;
        let digest = field(row, self.digest);
        let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !digest.is_empty() && !is_digest {
            return Err(format!("digest {} is not a SHA-256 in hex", shown(digest)));
        }
        Ok(Record {
            image_id: image.to_owned(),
            // Without a name of its own, an image is a lesion.
            lesion_id: lesion_id.unwrap_or_else(|| image.to_owned()),
            patient_id: name("patient_id", field(row, self.patient))?,
            group: name("group", field(row, self.group))?,
            source: name("source", field(row, self.source))?.unwrap_or_default(),
            digest: (!digest.is_empty()).then(|| digest.to_lowercase()),
            path,
            class,
            demographics: demographics(
                field(row, self.age),
                field(row, self.sex),
                field(row, self.site),
            )?,
        })
    }
}

/// What three fields say of the patient, each by its table.
pub(super) fn demographics(age: &str, sex: &str, site: &str) -> Result<Demographics, String> {
    let unknown = |column: &str, value: &str| format!("{column} {} is not known", shown(value));
    Ok(Demographics {
        age: vocabulary::age(age).ok_or_else(|| {
            let most = vocabulary::MAX_AGE;
            format!(
                "age {} is not a number from 0 to {most}, nor empty",
                shown(age)
            )
        })?,
        sex: vocabulary::sex(sex).ok_or_else(|| unknown("sex", sex))?,
        site: vocabulary::site(site).ok_or_else(|| unknown("site", site))?,
    })
}

/// The class by its name or the competition's number; the original's index, if there is one, must agree.
fn class(label: &str, index: &str) -> Result<LesionClass, String> {
    let class = match (label.parse::<usize>(), vocabulary::diagnosis(label)) {
        (Ok(number @ 1..=11), _) => LesionClass::ALL[number - 1],
        (_, Some(Diagnosis::Class(class))) => class,
        (_, Some(Diagnosis::NoClass(why))) => {
            return Err(format!("label {} {why}", shown(label)));
        }
        (_, None) => return Err(format!("label {} is not known", shown(label))),
    };
    if !index.is_empty() && index.parse() != Ok(class.index()) {
        return Err(format!(
            "label {} is class {}, but label_idx says {}",
            shown(label),
            class.index(),
            shown(index)
        ));
    }
    Ok(class)
}

/// A name of a lesion, patient, source or group; `None` if it is not recorded.
pub(super) fn name(column: &str, value: &str) -> Result<Option<String>, String> {
    if vocabulary::is_nothing(value) {
        return Ok(None);
    }
    if value.len() > MAX_NAME || value.chars().any(char::is_control) {
        return Err(format!(
            "{column} {} is longer than {MAX_NAME} bytes or not plain text",
            shown(value)
        ));
    }
    Ok(Some(value.to_owned()))
}

/// A path inside a directory as a table spells it: relative, without `..` and of plain components.
pub(super) fn relative(value: &str) -> Result<PathBuf, String> {
    let path = Path::new(value);
    let mut depth = 0;
    for component in path.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            _ => {
                return Err(format!(
                    "image {} must be a path inside the data directory, without `..`",
                    shown(value)
                ));
            }
        }
    }
    if depth == 0 || depth > MAX_DEPTH || value.chars().any(char::is_control) {
        return Err(format!("image {} is not the path of a file", shown(value)));
    }
    Ok(path.to_path_buf())
}

/// The file of an image: below the directory or below its `images` folder; the original's tables begin with the
/// directory's own name. A name without an ending is tried with those of the formats we read.
fn find_image(directory: &Path, value: &str) -> Result<PathBuf, String> {
    let relative = relative(value)?;
    let named = [
        directory.join(&relative),
        directory.join("images").join(&relative),
    ];
    let own = || {
        let whole = directory.canonicalize().ok()?;
        let rest = relative.strip_prefix(whole.file_name()?).ok()?;
        Some(directory.join(rest))
    };
    let with_ending = |path: &PathBuf, ending: &str| {
        let mut path = path.clone().into_os_string();
        path.push(".");
        path.push(ending);
        PathBuf::from(path)
    };
    // What the directory is called is asked last: that takes a look at the disk.
    for named in named
        .iter()
        .cloned()
        .chain(std::iter::once_with(own).flatten())
    {
        let candidates: Vec<PathBuf> = match relative.extension() {
            Some(_) => vec![named],
            None => ENDINGS
                .iter()
                .map(|ending| with_ending(&named, ending))
                .collect(),
        };
        for path in candidates {
            if path.exists() {
                return check_size(&path).map(|()| path);
            }
        }
    }
    let unread = named.iter().find_map(|path| unread_beside(path));
    Err(unread.unwrap_or_else(|| format!("no image {} in {}", shown(value), directory.display())))
}

/// What earlier rows said, by name, with their line.
#[derive(Default)]
struct Seen {
    images: BTreeMap<PathBuf, u64>,
    lesions: BTreeMap<String, (LesionClass, u64)>,
}

impl Seen {
    fn check(&mut self, record: &Record, line: u64) -> Result<(), String> {
        if let Some(first) = self.images.insert(record.path.clone(), line) {
            return Err(format!(
                "image {} stands on line {first} too",
                shown(&record.image_id)
            ));
        }
        let (known, first) = self
            .lesions
            .entry(record.lesion_id.clone())
            .or_insert((record.class, line));
        if *known != record.class {
            return Err(format!(
                "lesion {} is {} here and {} on line {first}",
                shown(&record.lesion_id),
                record.class.code(),
                known.code()
            ));
        }
        Ok(())
    }
}

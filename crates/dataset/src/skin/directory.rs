//! A directory in the HAM10000 layout: `images/<image_id>.jpg` and `metadata.csv`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::open::UNREAD;
use super::table::{Table, field};
use super::{Demographics, LesionClass, Record, Sex, Site};
use crate::image::MAX_ENCODED_BYTES;

/// Most bytes of `metadata.csv`.
pub const MAX_METADATA_BYTES: u64 = 64 << 20;
/// Most rows of `metadata.csv`.
pub const MAX_ROWS: usize = 1_000_000;

/// How many problems a message spells out.
const PROBLEMS_SHOWN: usize = 5;
/// How many columns a message lists.
pub(super) const COLUMNS_SHOWN: usize = 20;
/// Longest value a message repeats, in characters.
const VALUE_SHOWN: usize = 40;
/// Longest name of an image or a lesion, in characters.
const MAX_NAME: usize = 64;
/// Oldest patient the competition accepts, in years.
const MAX_AGE: f32 = 120.0;

/// What `dx` means. Anything else is an error.
const DIAGNOSES: [(&str, LesionClass); 7] = [
    ("akiec", LesionClass::Akiec),
    ("bcc", LesionClass::Bcc),
    ("bkl", LesionClass::Bkl),
    ("df", LesionClass::Df),
    ("mel", LesionClass::Mel),
    ("nv", LesionClass::Nv),
    ("vasc", LesionClass::Vasc),
];

/// What `sex` means. Anything else is an error.
const SEXES: [(&str, Sex); 3] = [
    ("female", Sex::Female),
    ("male", Sex::Male),
    ("unknown", Sex::Unknown),
];

/// What `localization` means. Anything else is an error.
const LOCALIZATIONS: [(&str, Site); 15] = [
    ("abdomen", Site::Torso),
    ("acral", Site::Unknown),
    ("back", Site::Torso),
    ("chest", Site::Torso),
    ("ear", Site::Head),
    ("face", Site::Head),
    ("foot", Site::Feet),
    ("genital", Site::Genitalia),
    ("hand", Site::Hand),
    ("lower extremity", Site::Leg),
    ("neck", Site::Head),
    ("scalp", Site::Head),
    ("trunk", Site::Torso),
    ("unknown", Site::Unknown),
    ("upper extremity", Site::Arm),
];

/// The columns that are read; further columns are left alone.
const COLUMNS: [&str; 6] = ["lesion_id", "image_id", "dx", "age", "sex", "localization"];

/// Something wrong with one row of a table, or with a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line in the file, from 1; 0 where there is no line.
    pub line: u64,
    /// What is wrong, with the value.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.what),
            line => write!(f, "line {line}: {}", self.what),
        }
    }
}

/// Why a directory is not a usable data set.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The directory, its `images` folder or its `metadata.csv` is absent or not what it should be.
    #[error(
        "{} is not there: a data directory holds images/*.jpg and metadata.csv (the HAM10000 layout)",
        .0.display()
    )]
    Missing(PathBuf),
    /// The data directory is absent.
    #[error("{} is not a directory; name the one that holds the images", .0.display())]
    NoDirectory(PathBuf),
    /// A table that was asked for is absent.
    #[error("there is no table of labels {}", .0.display())]
    NoLabels(PathBuf),
    /// A directory of X-rays without its table.
    #[error(
        "{} holds no table of findings: Data_Entry.csv or metadata.csv, with the images in images/",
        .0.display()
    )]
    NoFindings(PathBuf),
    /// None of the images that a table names is there.
    #[error("{}: none of its images is in that directory", .0.display())]
    AllAbsent(PathBuf),
    /// Neither a table nor images.
    #[error(
        "no images found in {}: a data directory holds manifest.csv, metadata.csv with images/*.jpg (the HAM10000 \
         layout), labels_final.csv, or a folder for each class",
        .0.display()
    )]
    NoImages(PathBuf),
    /// Nothing but images of formats that are not read.
    #[error(
        "no images found in {} that can be read: there are {found}; convert them to PNG or JPEG",
        directory.display()
    )]
    Unread {
        /// The directory.
        directory: PathBuf,
        /// How many of which format, and the first.
        found: String,
    },
    /// Nothing but an archive of a kind that is not unpacked here.
    #[error(
        "no images besides {}, an archive of a kind that is not opened here; unpack it yourself, beside it",
        .0.display()
    )]
    Packed(PathBuf),
    /// A table is larger than [`MAX_METADATA_BYTES`].
    #[error("{} has {size} bytes, more than the {MAX_METADATA_BYTES} allowed", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
    /// More rows than [`MAX_ROWS`].
    #[error("{} has more than {MAX_ROWS} rows", .0.display())]
    TooManyRows(PathBuf),
    /// A column is absent or stands twice.
    #[error(
        "{}: the header needs the column `{column}` exactly once; found: {}",
        path.display(), found.join(", ")
    )]
    Column {
        /// The file.
        path: PathBuf,
        /// The column that is absent or repeated.
        column: &'static str,
        /// The header as it is.
        found: Vec<String>,
    },
    /// The file is not CSV in UTF-8.
    #[error("{} is not readable as CSV: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the reader said, with the line.
        reason: String,
    },
    /// A Parquet file cannot be read, and there is no image besides.
    #[error("cannot read {}: {reason}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Rows that cannot be used. Nothing is guessed and nothing is left out.
    #[error(
        "{}: {} unusable row(s); correct or remove them. {}",
        path.display(), problems.len(), summary(problems)
    )]
    Rows {
        /// The file.
        path: PathBuf,
        /// All problems, in the order of the file.
        problems: Vec<Problem>,
    },
    /// There is no row at all.
    #[error("{} has no rows", .0.display())]
    Empty(PathBuf),
    /// The operating system refused.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// File or directory concerned.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

fn summary(problems: &[Problem]) -> String {
    let shown: Vec<String> = problems
        .iter()
        .take(PROBLEMS_SHOWN)
        .map(Problem::to_string)
        .collect();
    let more = problems.len() - shown.len();
    let mut text = shown.join("; ");
    if more > 0 {
        text += &format!("; and {more} more");
    }
    text
}

/// Reads a directory in the HAM10000 layout, in the order of its rows.
///
/// Every row is checked: its diagnosis, site and sex stand in the tables of this file, its age is empty or 0 to 120,
/// its names are plain words, its image is a file of at most [`MAX_ENCODED_BYTES`], no image is named twice and no
/// lesion has two diagnoses. The images are not decoded here.
pub fn load(directory: &Path) -> Result<Vec<Record>, LoadError> {
    let images = directory.join("images");
    for needed in [directory, &images] {
        if !needed.is_dir() {
            return Err(LoadError::Missing(needed.to_path_buf()));
        }
    }
    let path = directory.join("metadata.csv");
    if !path.exists() {
        return Err(LoadError::Missing(path));
    }
    let table = Table::read(&path)?;
    let mut columns = [0; 6];
    for (place, name) in columns.iter_mut().zip(COLUMNS) {
        *place = table.needed(&[name])?;
    }
    let mut records = Vec::new();
    let mut problems = Vec::new();
    let mut seen = Seen::default();
    for (line, row) in &table.rows {
        let values = columns.map(|column| field(row, Some(column)));
        let record = read_row(values, &images)
            .and_then(|record| seen.check(&record, *line).map(|()| record));
        match record {
            Ok(record) => records.push(record),
            Err(what) => problems.push(Problem { line: *line, what }),
        }
    }
    if !problems.is_empty() {
        return Err(LoadError::Rows { path, problems });
    }
    if records.is_empty() {
        return Err(LoadError::Empty(path));
    }
    Ok(records)
}

fn read_row(values: [&str; 6], images: &Path) -> Result<Record, String> {
    let [lesion_id, image_id, dx, age, sex, localization] = values;
    check_name("lesion_id", lesion_id)?;
    check_name("image_id", image_id)?;
    let class = look_up("dx", dx, &DIAGNOSES)?;
    let demographics = Demographics {
        age: read_age(age)?,
        sex: look_up("sex", sex, &SEXES)?,
        site: look_up("localization", localization, &LOCALIZATIONS)?,
    };
    let path = images.join(format!("{image_id}.jpg"));
    check_size(&path)?;
    Ok(Record {
        image_id: image_id.to_owned(),
        lesion_id: lesion_id.to_owned(),
        patient_id: None,
        group: None,
        source: String::new(),
        digest: None,
        path,
        class,
        demographics,
    })
}

/// Whether the file of an image is one, of a size we read.
pub(crate) fn check_size(path: &Path) -> Result<(), String> {
    match fs::metadata(path) {
        Ok(file) if !file.is_file() => Err(format!("{} is not a regular file", path.display())),
        Ok(file) if file.len() > MAX_ENCODED_BYTES => Err(format!(
            "{} has {} bytes, more than the {MAX_ENCODED_BYTES} allowed",
            path.display(),
            file.len()
        )),
        Ok(_) => Ok(()),
        Err(error) => Err(match unread_beside(path) {
            Some(what) => what,
            None => format!("no image {}: {error}", path.display()),
        }),
    }
}

/// That an image is there under this name in a format that is not read.
pub(super) fn unread_beside(path: &Path) -> Option<String> {
    UNREAD.iter().find_map(|(ending, format)| {
        let other = path.with_extension(ending);
        let said = || {
            format!(
                "{} is there, but {format} images are not read; convert it to PNG or JPEG",
                other.display()
            )
        };
        other.exists().then(said)
    })
}

/// What earlier rows said, by name, with their line.
#[derive(Default)]
struct Seen {
    images: BTreeMap<String, u64>,
    lesions: BTreeMap<String, (LesionClass, u64)>,
}

impl Seen {
    fn check(&mut self, record: &Record, line: u64) -> Result<(), String> {
        let Record {
            image_id,
            lesion_id,
            class,
            ..
        } = record;
        if let Some(first) = self.images.insert(image_id.clone(), line) {
            return Err(format!("image_id {image_id:?} stands on line {first} too"));
        }
        let (known, first) = self
            .lesions
            .entry(lesion_id.clone())
            .or_insert((*class, line));
        if known != class {
            return Err(format!(
                "lesion {lesion_id:?} is {} here and {} on line {first}",
                class.code(),
                known.code()
            ));
        }
        Ok(())
    }
}

fn look_up<T: Copy>(column: &str, value: &str, table: &[(&str, T)]) -> Result<T, String> {
    table
        .iter()
        .find(|(name, _)| *name == value)
        .map(|(_, meaning)| *meaning)
        .ok_or_else(|| {
            let names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
            format!(
                "{column} {} is not one of: {}",
                shown(value),
                names.join(", ")
            )
        })
}

fn read_age(value: &str) -> Result<Option<f32>, String> {
    if value.is_empty() {
        return Ok(None);
    }
    match value.parse::<f32>() {
        Ok(age) if (0.0..=MAX_AGE).contains(&age) => Ok(Some(age)),
        _ => Err(format!(
            "age {} is not a number from 0 to {MAX_AGE}, nor empty",
            shown(value)
        )),
    }
}

/// An image name becomes a file name, so only letters, digits, `_` and `-` may stand in it: no separators, no dots.
fn check_name(column: &str, value: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if (1..=MAX_NAME).contains(&value.len()) && value.bytes().all(plain) {
        Ok(())
    } else {
        Err(format!(
            "{column} {} must be 1 to {MAX_NAME} letters, digits, `_` or `-`",
            shown(value)
        ))
    }
}

/// A value as a message repeats it: quoted, control characters escaped, cut short.
pub(crate) fn shown(value: &str) -> String {
    if value.chars().count() <= VALUE_SHOWN {
        format!("{value:?}")
    } else {
        let start: String = value.chars().take(VALUE_SHOWN).collect();
        format!("{start:?}…")
    }
}

#[cfg(test)]
mod tests;

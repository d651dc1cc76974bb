//! A data set as the competition (netuid 76) releases one: an unpacked archive that holds a table and images.
//!
//! Every row becomes a record or a reason; nothing is left out here and nothing is cancelled: that is what the rules of
//! the competition are for. Reasons name what stands in the archive and nothing of this machine, so that whoever reads
//! the same archive says the same.

use std::fs;
use std::path::{Path, PathBuf};

use super::directory::shown;
use super::table::line_feeds;
use super::{Demographics, LesionClass, Record, Sex, Site};
use crate::files::{self, ReadError};
use crate::image::MAX_ENCODED_BYTES;
use crate::source::inside;

/// Most rows of a released table.
pub const MAX_ROWS: usize = 10_000;
/// Most bytes of one.
const MAX_TABLE_BYTES: u64 = 16 << 20;
/// Most columns of one.
const MAX_COLUMNS: usize = 1024;
/// How many columns a message lists.
const COLUMNS_SHOWN: usize = 20;
/// Most files and folders that are looked at for a table.
const MAX_ENTRIES: usize = 100_000;
/// Oldest patient the competition accepts, in years.
const MAX_AGE: i64 = 120;

/// The names under which a table is looked for first.
const TABLES: [&str; 5] = [
    "labels.csv",
    "test.csv",
    "data.csv",
    "metadata.csv",
    "dataset.csv",
];

/// The columns of the image and of the class; of several the first that says something counts.
const FILE: &[&str] = &["newfilename", "filepath", "filename"];
const CLASS: &[&str] = &["class", "label"];

const SITES: [(&str, Site); 7] = [
    ("arm", Site::Arm),
    ("feet", Site::Feet),
    ("genitalia", Site::Genitalia),
    ("hand", Site::Hand),
    ("head", Site::Head),
    ("leg", Site::Leg),
    ("torso", Site::Torso),
];

/// One row of a released table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Line in the table, from 1.
    pub line: u64,
    /// What it says, or why it has no image or no class. Whether the image can be decoded is not known yet.
    pub record: Result<Record, String>,
    /// How many of age, gender and location are missing or none that the competition knows.
    pub gaps: usize,
    /// An age that nobody has. It stands in the record all the same.
    pub invalid: Option<String>,
}

/// Why an unpacked archive is no data set.
#[derive(Debug, thiserror::Error)]
pub enum ReleasedError {
    /// There is no table.
    #[error("it holds no table: labels.csv or another .csv, at the top or in a folder there")]
    NoTable,
    /// The table cannot be used.
    #[error("{table}: {reason}")]
    Table {
        /// Its path in the archive.
        table: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system refused.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// File or directory concerned.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// Reads the table of an unpacked archive: found by name at the top, then in the folders there, then any table at the
/// top, then any in the folders, names in order.
///
/// The delimiter is the semicolon if the header has one, else the comma; upper and lower case of columns are one. The
/// image is a path beside the table, in `newfilename`, `filepath` or `filename`; the class a code or 1 to 11, in `class`
/// or `label`. An age is a whole number (`45.0` is none), a gender `male`, `m`, `female` or `f`, a location one of seven.
///
/// # Errors
/// When there is no table, it has no column for images or classes, no row, or more than [`MAX_ROWS`].
pub fn read(directory: &Path) -> Result<Vec<Row>, ReleasedError> {
    let table = find(directory)?.ok_or(ReleasedError::NoTable)?;
    let path = directory.join(&table);
    let wrong = |reason: String| ReleasedError::Table {
        table: table.display().to_string(),
        reason,
    };
    let bytes = files::read_capped(&path, MAX_TABLE_BYTES).map_err(|error| match error {
        ReadError::TooLarge(size) => wrong(format!(
            "it has {size} bytes; at most {MAX_TABLE_BYTES} are read"
        )),
        ReadError::Io(source) => ReleasedError::Io {
            path: path.clone(),
            source,
        },
    })?;
    let folder = path.parent().unwrap_or(directory);
    rows(&bytes, folder).map_err(wrong)
}

/// The rows of a table whose images lie in `folder`.
fn rows(bytes: &[u8], folder: &Path) -> Result<Vec<Row>, String> {
    let bytes = line_feeds(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    let bytes = bytes.as_slice();
    let header = bytes.split(|&byte| byte == b'\n').next().unwrap_or(bytes);
    let delimiter = if header.contains(&b';') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let header = reader.headers().map_err(|error| error.to_string())?;
    if header.len() > MAX_COLUMNS {
        return Err(format!("it has more than {MAX_COLUMNS} columns"));
    }
    let header: Vec<String> = header.iter().map(str::to_lowercase).collect();
    let columns = Columns::of(&header)?;
    let mut rows = Vec::new();
    for row in reader.records() {
        if rows.len() == MAX_ROWS {
            return Err(format!("it has more than {MAX_ROWS} rows"));
        }
        rows.push(match row {
            Ok(row) => columns.row(&row, folder),
            Err(error) => Row {
                line: error.position().map_or(0, csv::Position::line),
                record: Err("it is no row in UTF-8".to_owned()),
                gaps: 0,
                invalid: None,
            },
        });
    }
    match rows.is_empty() {
        true => Err("it has no rows".to_owned()),
        false => Ok(rows),
    }
}

/// Where what stands.
struct Columns {
    file: Vec<usize>,
    class: Vec<usize>,
    age: Vec<usize>,
    gender: Vec<usize>,
    location: Vec<usize>,
}

impl Columns {
    fn of(header: &[String]) -> Result<Self, String> {
        // Of a name that stands twice the last one counts.
        let place = |name: &&str| header.iter().rposition(|column| column == name);
        let places = |names: &[&str]| names.iter().filter_map(place).collect::<Vec<usize>>();
        let needed = |names: &[&str]| match places(names) {
            places if places.is_empty() => {
                let shown: Vec<String> = header
                    .iter()
                    .take(COLUMNS_SHOWN)
                    .map(|it| shown(it))
                    .collect();
                Err(format!(
                    "the header has no column {}; found: {}",
                    names.join(" or "),
                    shown.join(", ")
                ))
            }
            places => Ok(places),
        };
        Ok(Self {
            file: needed(FILE)?,
            class: needed(CLASS)?,
            age: places(&["age"]),
            gender: places(&["gender"]),
            location: places(&["location"]),
        })
    }

    fn row(&self, row: &csv::StringRecord, folder: &Path) -> Row {
        let field = |places: &[usize]| {
            let mut fields = places.iter().filter_map(|&place| row.get(place));
            fields.find(|field| !field.is_empty()).unwrap_or("")
        };
        let (age, sex, site) = (
            field(&self.age).parse::<i64>().ok(),
            gender(field(&self.gender)),
            location(field(&self.location)),
        );
        let invalid = age
            .filter(|age| !(0..=MAX_AGE).contains(age))
            .map(|age| format!("the age {age} is not 0 to {MAX_AGE}"));
        let gaps = [age.is_none(), sex.is_none(), site.is_none()];
        let demographics = Demographics {
            age: age.map(|age| age as f32),
            sex: sex.unwrap_or(Sex::Unknown),
            site: site.unwrap_or(Site::Unknown),
        };
        Row {
            line: row.position().map_or(0, csv::Position::line),
            record: record(field(&self.file), field(&self.class), demographics, folder),
            gaps: gaps.into_iter().filter(|gap| *gap).count(),
            invalid,
        }
    }
}

fn record(
    file: &str,
    class: &str,
    demographics: Demographics,
    folder: &Path,
) -> Result<Record, String> {
    let class = class_of(class).ok_or_else(|| {
        format!(
            "the class {} is neither a code nor 1 to {}",
            shown(class),
            LesionClass::ALL.len()
        )
    })?;
    let named = inside(file).map_err(|_| format!("{} is no file in the archive", shown(file)))?;
    let path = folder.join(named);
    let found = fs::symlink_metadata(&path).ok();
    match found.filter(fs::Metadata::is_file) {
        None => return Err(format!("there is no image {}", shown(file))),
        Some(found) if found.len() > MAX_ENCODED_BYTES => {
            return Err(format!(
                "the image {} has {} bytes; at most {MAX_ENCODED_BYTES} are read",
                shown(file),
                found.len()
            ));
        }
        Some(_) => {}
    }
    Ok(Record {
        image_id: file.to_owned(),
        lesion_id: file.to_owned(),
        patient_id: None,
        group: None,
        source: String::new(),
        digest: None,
        path,
        class,
        demographics,
    })
}

/// A class by its code, or by its number from 1.
fn class_of(text: &str) -> Option<LesionClass> {
    let by_code = LesionClass::ALL.into_iter().find(|it| it.code() == text);
    by_code.or_else(|| {
        let number: usize = text.parse().ok()?;
        LesionClass::ALL.get(number.checked_sub(1)?).copied()
    })
}

fn gender(text: &str) -> Option<Sex> {
    match text.to_lowercase().as_str() {
        "male" | "m" => Some(Sex::Male),
        "female" | "f" => Some(Sex::Female),
        _ => None,
    }
}

fn location(text: &str) -> Option<Site> {
    let text = text.to_lowercase();
    let found = SITES.iter().find(|(name, _)| *name == text);
    found.map(|(_, site)| *site)
}

/// The path of the table below the directory.
fn find(directory: &Path) -> Result<Option<PathBuf>, ReleasedError> {
    let (top_files, folders) = entries(directory)?;
    let mut places = vec![(PathBuf::new(), top_files)];
    for folder in folders {
        // What some systems put beside the files, as `__MACOSX`.
        if !folder.starts_with("__") {
            let (files, _) = entries(&directory.join(&folder))?;
            places.push((folder.into(), files));
        }
    }
    let (top, below) = places.split_at(1);
    let named = |places: &[(PathBuf, Vec<String>)]| {
        places.iter().find_map(|(folder, files)| {
            let name = TABLES
                .iter()
                .find(|name| files.iter().any(|it| it == *name))?;
            Some(folder.join(name))
        })
    };
    let any = |places: &[(PathBuf, Vec<String>)]| {
        places.iter().find_map(|(folder, files)| {
            let name = files.iter().find(|name| name.ends_with(".csv"))?;
            Some(folder.join(name))
        })
    };
    Ok(named(top)
        .or_else(|| named(below))
        .or_else(|| any(top))
        .or_else(|| any(below)))
}

/// The names of the files and of the folders in a directory, in order, without hidden ones.
fn entries(directory: &Path) -> Result<(Vec<String>, Vec<String>), ReleasedError> {
    let at = |source| ReleasedError::Io {
        path: directory.to_owned(),
        source,
    };
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(directory).map_err(at)?.take(MAX_ENTRIES) {
        let entry = entry.map_err(at)?;
        let kind = entry.file_type().map_err(at)?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        match (name.starts_with('.'), kind.is_file(), kind.is_dir()) {
            (false, true, _) => files.push(name),
            (false, _, true) => folders.push(name),
            _ => {}
        }
    }
    files.sort_unstable();
    folders.sort_unstable();
    Ok((files, folders))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An unpacked archive with these files.
    fn unpacked(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        directory
    }

    fn one(table: &str) -> Row {
        let place = unpacked(&[("labels.csv", table), ("images/a.jpg", "x")]);
        let rows = read(place.path()).unwrap();
        assert_eq!(rows.len(), 1);
        rows.into_iter().next().unwrap()
    }

    #[test]
    fn every_alias_and_delimiter_says_the_same() {
        for table in [
            "NewFileName,Class,Age,Location,Gender\nimages/a.jpg,MEL,50,Torso,f\n",
            "FILEPATH;LABEL;AGE;LOCATION;GENDER\r\nimages/a.jpg;8;50;TORSO;Female\r\n",
            "\u{feff}gender,age,filename,label,location\nF,50,./images/a.jpg,MEL,torso\n",
            "newfilename,filename,class,label,age,gender,location\n,images/a.jpg,,8,50,female,torso\n",
        ] {
            let row = one(table);
            let record = row.record.unwrap();
            assert_eq!(record.class, LesionClass::Mel, "{table}");
            // The golden vector of the competition.
            assert_eq!(record.demographics.encode(), [50.0, 0.0, 7.0], "{table}");
            assert!(record.path.ends_with("images/a.jpg"));
            assert_eq!((row.line, row.gaps, row.invalid), (2, 0, None), "{table}");
        }
    }

    #[test]
    fn what_is_missing_is_counted_and_never_guessed() {
        let row = |rest: &str| {
            one(&format!(
                "filename,class,age,gender,location\nimages/a.jpg,NV,{rest}\n"
            ))
        };
        let told = |rest: &str| {
            let row = row(rest);
            (
                row.record.unwrap().demographics.encode(),
                row.gaps,
                row.invalid.is_some(),
            )
        };
        assert_eq!(told("45,male,arm"), ([45.0, 1.0, 1.0], 0, false));
        // An age that is no whole number counts as missing.
        assert_eq!(told("45.0,M,hand"), ([0.0, 1.0, 4.0], 1, false));
        assert_eq!(told(",,"), ([0.0, -1.0, -1.0], 3, false));
        assert_eq!(told("0,other,knee"), ([0.0, -1.0, -1.0], 2, false));
        assert_eq!(told("121,f,leg"), ([121.0, 0.0, 6.0], 0, true));
        assert_eq!(told("-1,f,feet"), ([-1.0, 0.0, 2.0], 0, true));
        assert_eq!(told("120,f,genitalia"), ([120.0, 0.0, 3.0], 0, false));
        // Fewer fields than the header has.
        let short = one("filename,class,age,gender,location\nimages/a.jpg,11\n");
        assert_eq!(
            (short.gaps, short.record.unwrap().class),
            (3, LesionClass::Vasc)
        );
    }

    #[test]
    fn a_row_without_class_or_image_says_why() {
        let why = |row: &str| one(&format!("filename,class\n{row}\n")).record.unwrap_err();
        for class in ["", "nv", "0", "12", "NV2", "-1"] {
            assert!(
                why(&format!("images/a.jpg,{class}")).contains("the class"),
                "{class}"
            );
        }
        assert!(why("images/b.jpg,NV").contains("no image \"images/b.jpg\""));
        assert!(why("images,NV").contains("no image"));
        for outside in ["../labels.csv", "/etc/passwd", "", "C:x"] {
            assert!(
                why(&format!("{outside},NV")).contains("no file in the archive"),
                "{outside}"
            );
        }
        let place = unpacked(&[("labels.csv", ""), ("a.jpg", "x")]);
        let bytes = b"filename,class\na.jpg,\xff\na.jpg,NV\n";
        fs::write(place.path().join("labels.csv"), bytes).unwrap();
        let rows = read(place.path()).unwrap();
        assert!(rows[0].record.is_err() && rows[1].record.is_ok());
    }

    #[test]
    fn the_table_is_found_where_the_original_looks() {
        let table = |class: &str| format!("filename,class\nx.jpg,{class}\n");
        let of = |files: &[(&str, &str)]| {
            let place = unpacked(files);
            read(place.path()).map(|rows| rows[0].record.clone())
        };
        let (good, other) = (table("MEL"), table("NV"));
        let (good, other) = (good.as_str(), other.as_str());
        for files in [
            &[("test.csv", good), ("data.csv", other), ("x.jpg", "")][..],
            &[("labels.csv", good), ("a/labels.csv", other), ("x.jpg", "")],
            &[("b/data.csv", good), ("b/x.jpg", ""), ("any.csv", other)],
            &[("any.csv", good), ("x.jpg", ""), ("b/any.csv", other)],
            &[
                ("b/any.csv", good),
                ("b/x.jpg", ""),
                ("__MACOSX/labels.csv", other),
                (".labels.csv", other),
            ],
        ] {
            let record = of(files).unwrap().unwrap();
            assert_eq!(record.class, LesionClass::Mel, "{files:?}");
        }
        assert!(matches!(
            of(&[("a/b/labels.csv", good)]),
            Err(ReleasedError::NoTable)
        ));
    }

    #[test]
    fn what_is_no_table_of_images_is_refused() {
        let refused = |table: &str| {
            let place = unpacked(&[("labels.csv", table)]);
            read(place.path()).unwrap_err().to_string()
        };
        // The sample of the original's documentation.
        let sample = refused("image_path,Class,Age,Location,Gender\na.jpg,NV,1,arm,m\n");
        assert!(
            sample.contains("newfilename or filepath or filename"),
            "{sample}"
        );
        assert!(
            sample.contains("\"image_path\"") && sample.starts_with("labels.csv: "),
            "{sample}"
        );
        assert!(refused("filename,kind\na.jpg,NV\n").contains("class or label"));
        assert!(refused("filename,class\n").contains("no rows"));
        assert!(refused("").contains("no column"));
        let many = format!("filename,class\n{}", "a,NV\n".repeat(MAX_ROWS + 1));
        assert!(refused(&many).contains("more than"));
    }
}

//! Whatever a competitor has, opened: a prepared directory, the HAM10000 layout, the original's table of labels, the
//! competition's own test tables, or a folder for each class.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::directory::{check_size, shown};
use super::table::Table;
use super::vocabulary::{self, Diagnosis};
use super::{Demographics, LoadError, MAX_ROWS, Problem, Record, Sex, Site, directory, manifest};

/// Label tables that are looked for, the first found is read: the original's, then the competition's.
const TABLES: [&str; 5] = [
    "labels_final.csv",
    "labels.csv",
    "test.csv",
    "data.csv",
    "dataset.csv",
];

/// How the names of images end, in the order in which they are tried where a table leaves the ending out.
pub(crate) const ENDINGS: [&str; 6] = ["jpg", "jpeg", "png", "bmp", "jfif", "jpe"];

/// How images end that are not read, and their format.
pub(super) const UNREAD: [(&str, &str); 7] = [
    ("tif", "TIFF"),
    ("tiff", "TIFF"),
    ("webp", "WebP"),
    ("gif", "GIF"),
    ("heic", "HEIC"),
    ("heif", "HEIC"),
    ("avif", "AVIF"),
];

/// How many files a message names.
const FILES_SHOWN: usize = 3;

/// Deepest folder below a class's folder.
const MAX_DEPTH: usize = 8;

/// Opens a data directory, in the order of its rows or its file names.
///
/// With `labels_file` that table is read. Without, the first of these that is there: `manifest.csv`; `metadata.csv`
/// with an `images` folder (the HAM10000 layout); a table called `labels_final.csv`, `labels.csv`, `test.csv`,
/// `data.csv`, `dataset.csv` or `metadata.csv`; a folder for each class. Images are not decoded here; in the folders of
/// classes those of a format that is not read have a record as well, so that whoever reads them names them.
///
/// # Errors
/// What is missing or wrong, with the file, the line and the value. An unknown label is an error, never a class.
pub fn open(data_dir: &Path, labels_file: Option<&Path>) -> Result<Vec<Record>, LoadError> {
    if !data_dir.is_dir() {
        return Err(LoadError::NoDirectory(data_dir.to_path_buf()));
    }
    if let Some(labels) = labels_file {
        return manifest::read(labels, data_dir);
    }
    let file = |name: &str| Some(data_dir.join(name)).filter(|path| path.is_file());
    if let Some(path) = file(manifest::MANIFEST) {
        return manifest::read(&path, data_dir);
    }
    let metadata = file("metadata.csv");
    if let Some(path) = &metadata
        && data_dir.join("images").is_dir()
    {
        return match Table::read(path).is_ok_and(|table| manifest::is_one(&table)) {
            true => manifest::read(path, data_dir),
            false => directory::load(data_dir),
        };
    }
    if let Some(path) = TABLES.into_iter().find_map(file).or(metadata) {
        return manifest::read(&path, data_dir);
    }
    class_folders(data_dir)
}

/// A folder for each class, named as [`vocabulary`] knows it.
fn class_folders(data_dir: &Path) -> Result<Vec<Record>, LoadError> {
    let mut records = Vec::new();
    let mut problems = Vec::new();
    for folder in entries(data_dir)? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        if !folder.is_dir() || name.starts_with('.') {
            continue;
        }
        let mut images = Vec::new();
        let is_picture = |path: &Path| is_image(path) || unread_format(path).is_some();
        collect(&folder, 0, &is_picture, &mut images)?;
        let has_readable = images.iter().any(|path| is_image(path));
        let class = match vocabulary::diagnosis(&name) {
            Some(Diagnosis::Class(class)) => class,
            _ if !has_readable => continue,
            other => {
                let why = match other {
                    Some(Diagnosis::NoClass(why)) => why,
                    _ => "is not the name of a class",
                };
                problems.push(Problem {
                    line: 0,
                    what: format!("folder {} with images {why}", shown(&name)),
                });
                continue;
            }
        };
        for path in images {
            let inside = path.strip_prefix(data_dir).unwrap_or(&path);
            let name = inside.to_string_lossy().into_owned();
            match check_size(&path) {
                Ok(()) => records.push(Record {
                    image_id: name.clone(),
                    lesion_id: name,
                    patient_id: None,
                    group: None,
                    source: String::new(),
                    digest: None,
                    path,
                    class,
                    demographics: Demographics {
                        age: None,
                        sex: Sex::Unknown,
                        site: Site::Unknown,
                    },
                }),
                Err(what) => problems.push(Problem { line: 0, what }),
            }
        }
        if records.len() > MAX_ROWS {
            return Err(LoadError::TooManyRows(data_dir.to_path_buf()));
        }
    }
    if !problems.is_empty() {
        return Err(LoadError::Rows {
            path: data_dir.to_path_buf(),
            problems,
        });
    }
    if !records.iter().any(|record| is_image(&record.path)) {
        let mut others = Vec::new();
        let is_unread = |path: &Path| unread_format(path).is_some();
        collect(data_dir, 0, &is_unread, &mut others)?;
        return Err(match others.is_empty() {
            true => LoadError::NoImages(data_dir.to_path_buf()),
            false => unread(data_dir, &others),
        });
    }
    Ok(records)
}

/// The wanted files of a folder and its subfolders, by name. Links are not followed.
pub(crate) fn collect(
    folder: &Path,
    depth: usize,
    is_wanted: &dyn Fn(&Path) -> bool,
    images: &mut Vec<PathBuf>,
) -> Result<(), LoadError> {
    for path in entries(folder)? {
        let kind = fs::symlink_metadata(&path).map(|metadata| metadata.file_type());
        let kind = kind.map_err(|source| LoadError::Io {
            path: path.clone(),
            source,
        })?;
        if kind.is_dir() && depth < MAX_DEPTH {
            collect(&path, depth + 1, is_wanted, images)?;
        } else if kind.is_file() && is_wanted(&path) {
            images.push(path);
        }
        if images.len() > MAX_ROWS {
            return Err(LoadError::TooManyRows(folder.to_path_buf()));
        }
    }
    Ok(())
}

/// Whether the ending is that of a format we read.
pub(crate) fn is_image(path: &Path) -> bool {
    ENDINGS.iter().any(|known| ends(path, known))
}

/// The format that the ending is of, if it is one that we do not read.
pub(super) fn unread_format(path: &Path) -> Option<&'static str> {
    let known = UNREAD.iter().find(|(ending, _)| ends(path, ending));
    known.map(|(_, format)| *format)
}

fn ends(path: &Path, known: &str) -> bool {
    let ending = path.extension();
    ending.is_some_and(|ending| ending.eq_ignore_ascii_case(known))
}

/// That a directory has images of formats that are not read, and no others.
pub(super) fn unread(directory: &Path, files: &[PathBuf]) -> LoadError {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for format in files.iter().filter_map(|path| unread_format(path)) {
        *counts.entry(format).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .into_iter()
        .map(|(format, count)| format!("{count} {format} files"))
        .collect();
    let mut names: Vec<String> = files
        .iter()
        .take(FILES_SHOWN)
        .map(|path| path.strip_prefix(directory).unwrap_or(path))
        .map(|path| path.display().to_string())
        .collect();
    if files.len() > FILES_SHOWN {
        names.push("…".to_owned());
    }
    LoadError::Unread {
        directory: directory.to_path_buf(),
        found: format!("{} ({})", counts.join(" and "), names.join(", ")),
    }
}

/// What is in a folder, by name.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let at = |source| LoadError::Io {
        path: folder.to_path_buf(),
        source,
    };
    let mut paths = fs::read_dir(folder)
        .map_err(at)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(at)?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests;

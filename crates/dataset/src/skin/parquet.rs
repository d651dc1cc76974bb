//! Parquet files, in which the Hugging Face Hub keeps data sets: the pictures become files, the rest a table.
//!
//! The pictures are in a column of structures with `bytes` and `path`, as the Hub writes them, or in a column of bytes
//! called `image`. Of the other columns those are read whose names mean something here; lists and maps are not looked
//! at. A label that is a number gets the name that the Hub wrote into the file for it; without names it stays a number,
//! which is no label. What is compressed otherwise than with Snappy or gzip is refused.
//!
//! A file counts whole or not at all. What one may make of it is bounded by the size it has.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::errors::ParquetError;
use parquet::file::metadata::FileMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::record::reader::TreeBuilder;
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};
use serde_json::Value;

use super::manifest;
use super::remarks::Tally;
use super::table::{MAX_COLUMNS, Table};
use super::{MAX_METADATA_BYTES, MAX_ROWS};
use crate::image::{self, ImageError, MAX_ENCODED_BYTES};

/// At most this many times its own size comes out of a file: pictures hardly compress at all.
const MAX_RATIO: u64 = 4;
/// What may come out of a file however small it is.
const SMALL: u64 = 16 << 20;
/// Most bytes of a text in a cell.
const MAX_TEXT: usize = 1024;
/// Most bytes of what the Hub wrote about the columns.
const MAX_INFO: usize = 1 << 20;
/// How many rows are decoded at once; so many pictures are in memory beside those of their page.
const BATCH: usize = 16;
/// The column of a table from here that names the files of the pictures.
const PICTURE: &str = "image";
/// How a column of pictures is called.
const PICTURES: [&str; 2] = [PICTURE, "img"];

/// Why a file gave nothing. What had come out of it is removed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExtractError {
    /// Not a Parquet file, a damaged one, or one of a kind that is not read.
    #[error("{0}")]
    Unreadable(String),
    /// Told to stop.
    #[error("stopped")]
    Stopped,
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl From<ParquetError> for ExtractError {
    fn from(error: ParquetError) -> Self {
        // Its own words begin with what kind of error it is, which says nothing to a user.
        let said = error.to_string();
        let said = said
            .split_once(": ")
            .map_or(said.as_str(), |(_, said)| said);
        Self::Unreadable(match said.starts_with("Disabled feature") {
            true => {
                "its compression is not read here: write it again with Snappy or gzip".to_owned()
            }
            false => format!("it is damaged: {said}"),
        })
    }
}

/// What came out of a file.
pub(super) struct Extracted {
    /// The files of the pictures.
    pub images: Vec<PathBuf>,
    /// A row for each row; the column `image` has the path of the picture from the root on.
    pub table: Table,
    /// Rows whose picture cannot be used.
    pub left_out: Tally,
}

/// Makes files below `root` of the pictures in the Parquet file at `path`, in a folder that is called `name` as the
/// file is in its data set.
pub(super) fn extract(
    path: &Path,
    root: &Path,
    name: &str,
    stop: &AtomicBool,
) -> Result<Extracted, ExtractError> {
    let folder = root.join(name);
    let work = || extract_to(path, &folder, name, stop);
    // The library has assertions about what it reads.
    let extracted = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|cause| {
        let said = format!("it is damaged: {}", message(&*cause));
        Err(ExtractError::Unreadable(said))
    });
    if extracted.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_dir_all(&folder);
    }
    extracted
}

/// What a panic said.
fn message(cause: &(dyn Any + Send)) -> &str {
    let text = cause.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| cause.downcast_ref::<&str>().copied())
        .unwrap_or("nothing more is known")
}

fn extract_to(
    path: &Path,
    folder: &Path,
    name: &str,
    stop: &AtomicBool,
) -> Result<Extracted, ExtractError> {
    let at = |path: &Path| {
        let path = path.to_path_buf();
        move |source| ExtractError::Io { path, source }
    };
    let mut file = File::open(path).map_err(at(path))?;
    let size = file.metadata().map_err(at(path))?.len();
    check_end(&mut file, size).map_err(at(path))??;
    let reader = SerializedFileReader::new(file)?;
    let metadata = reader.metadata();
    let rows: i64 = metadata
        .row_groups()
        .iter()
        .map(|group| group.num_rows().max(0))
        .sum();
    if rows > MAX_ROWS as i64 {
        return Err(ExtractError::Unreadable(format!(
            "it has more than {MAX_ROWS} rows"
        )));
    }
    let columns = Columns::find(metadata.file_metadata())?;
    fs::create_dir_all(folder).map_err(at(folder))?;
    let mut made = Made {
        folder,
        name,
        allowed: size.saturating_mul(MAX_RATIO).saturating_add(SMALL),
        taken: BTreeSet::new(),
        images: Vec::new(),
        left_out: Tally::default(),
    };
    let mut table = Table {
        path: path.to_path_buf(),
        unit: "row",
        header: columns.header(),
        rows: Vec::new(),
    };
    let (mut number, mut texts) = (0, 0);
    for group in 0..metadata.num_row_groups() {
        let group = reader.get_row_group(group)?;
        let builder = TreeBuilder::new().with_batch_size(BATCH);
        for row in builder.as_iter(columns.wanted.clone(), &*group)? {
            if stop.load(Ordering::Relaxed) {
                return Err(ExtractError::Stopped);
            }
            number += 1;
            let place = || format!("{name} row {number}");
            let cells = match columns.cells(row?.into_columns()) {
                Ok(cells) => cells,
                Err(what) => {
                    made.left_out.add(what, place);
                    continue;
                }
            };
            let mut fields = cells.texts;
            if columns.picture.is_some() {
                let image = match cells.picture {
                    Some(bytes) => {
                        let wanted = columns.name_of(&fields, &cells.hint);
                        made.write(&bytes, number, &wanted)?
                    }
                    // Without bytes the path, if there is any, is that of a file beside the table.
                    None => Ok(cells.hint),
                };
                let image = image.and_then(|image| match image.is_empty() {
                    true => Err("a row has no picture".to_owned()),
                    false => Ok(image),
                });
                match image {
                    Ok(image) => fields.insert(0, image),
                    Err(what) => {
                        made.left_out.add(what, place);
                        continue;
                    }
                }
            }
            texts += fields.iter().map(String::len).sum::<usize>();
            if texts as u64 > MAX_METADATA_BYTES {
                let what = format!("its texts have more than {MAX_METADATA_BYTES} bytes");
                return Err(ExtractError::Unreadable(what));
            }
            table.rows.push((number, fields.into()));
        }
    }
    Ok(Extracted {
        images: made.images,
        table,
        left_out: made.left_out,
    })
}

/// Whether a file ends as a Parquet file does: what it is about, the length of that, and four letters.
fn check_end(file: &mut File, size: u64) -> io::Result<Result<(), ExtractError>> {
    let unreadable = |what: &str| Ok(Err(ExtractError::Unreadable(what.to_owned())));
    let mut end = [0; 8];
    if size < 12 {
        return unreadable("it is too short for a Parquet file");
    }
    file.seek(SeekFrom::End(-8))?;
    file.read_exact(&mut end)?;
    file.rewind()?;
    let [a, b, c, d, letters @ ..] = end;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    match (&letters, length) {
        (b"PAR1", ..=MAX_METADATA_BYTES) => Ok(Ok(())),
        (b"PAR1", _) => unreadable("what it says of itself is too long"),
        (b"PARE", _) => unreadable("it is encrypted"),
        _ => unreadable("it is no Parquet file, or its end is missing"),
    }
}

/// The columns that are read.
struct Columns {
    /// Their part of the schema.
    wanted: Arc<SchemaDescriptor>,
    /// The name of the pictures' column.
    picture: Option<String>,
    /// The names of the other columns.
    texts: Vec<String>,
    /// The names of a column's numbers.
    classes: BTreeMap<String, Vec<String>>,
}

/// What is in a row.
#[derive(Default)]
struct Cells {
    picture: Option<Vec<u8>>,
    /// What the picture's file was called.
    hint: String,
    texts: Vec<String>,
}

impl Columns {
    fn find(file: &FileMetaData) -> Result<Self, ExtractError> {
        let unreadable = |what: String| Err(ExtractError::Unreadable(what));
        let root = file.schema();
        let fields = root.get_fields();
        if fields.len() > MAX_COLUMNS {
            return unreadable(format!("it has more than {MAX_COLUMNS} columns"));
        }
        let pictures: Vec<&TypePtr> = fields.iter().filter(|field| is_picture(field)).collect();
        let is_called = |field: &&&TypePtr| {
            PICTURES
                .iter()
                .any(|name| field.name().eq_ignore_ascii_case(name))
        };
        let picture = match (pictures.iter().find(is_called), pictures.as_slice()) {
            (Some(picture), _) | (None, [picture]) => Some(*picture),
            (None, []) => None,
            (None, _) => return unreadable("it has several columns of pictures".to_owned()),
        };
        let texts: Vec<&TypePtr> = fields
            .iter()
            .filter(|field| is_single(field) && field.is_primitive())
            .filter(|field| picture.is_none_or(|picture| picture.name() != field.name()))
            .filter(|field| manifest::is_column(&field.name().to_lowercase()))
            .collect();
        let wanted = picture.into_iter().chain(texts.iter().copied());
        let wanted: Vec<TypePtr> = wanted.map(Arc::clone).collect();
        if wanted.is_empty() {
            return unreadable("none of its columns is known here".to_owned());
        }
        let wanted = Type::group_type_builder(root.name())
            .with_fields(wanted)
            .build()?;
        Ok(Self {
            wanted: Arc::new(SchemaDescriptor::new(Arc::new(wanted))),
            picture: picture.map(|field| field.name().to_owned()),
            texts: texts.iter().map(|field| field.name().to_owned()).collect(),
            classes: classes(file),
        })
    }

    /// The names of the table's columns.
    fn header(&self) -> Vec<String> {
        let picture = self.picture.iter().map(|_| PICTURE.to_owned());
        let texts = self.texts.iter().map(|name| name.to_lowercase());
        picture.chain(texts).collect()
    }

    /// What is in the cells of a row, or what is wrong with one.
    fn cells(&self, row: Vec<(String, Field)>) -> Result<Cells, String> {
        let mut cells = Cells::default();
        let mut fields = row.into_iter();
        if self.picture.is_some() {
            let parts = match fields.next() {
                Some((_, Field::Group(parts))) => parts.into_columns(),
                Some((_, field)) => vec![("bytes".to_owned(), field)],
                None => Vec::new(),
            };
            for (name, field) in parts {
                match (name.as_str(), field) {
                    ("bytes", Field::Bytes(bytes)) => cells.picture = Some(bytes.data().to_vec()),
                    ("path", field) => cells.hint = text(field)?,
                    _ => {}
                }
            }
        }
        for (name, field) in fields {
            let number = match &field {
                Field::Int(number) => usize::try_from(*number).ok(),
                Field::Long(number) => usize::try_from(*number).ok(),
                _ => None,
            };
            let class = number.and_then(|number| self.classes.get(&name)?.get(number));
            cells.texts.push(match class {
                Some(class) => class.clone(),
                None => text(field)?,
            });
        }
        Ok(cells)
    }

    /// What to call the file of a picture: what a column names, else what it was called.
    fn name_of(&self, texts: &[String], hint: &str) -> String {
        let columns = self.texts.iter().zip(texts);
        let named = columns
            .filter(|(column, _)| manifest::IMAGE.contains(&column.to_lowercase().as_str()))
            .map(|(_, text)| text.as_str());
        let mut names = named.chain([hint]).map(|name| {
            let name = Path::new(name);
            // A name without an ending may have a full stop in it.
            let stem = match super::open::is_image(name) {
                true => name.file_stem(),
                false => name.file_name(),
            };
            let stem = stem.unwrap_or_default().to_string_lossy();
            plain(&stem)
        });
        names.find(|name| !name.is_empty()).unwrap_or_default()
    }
}

/// Of a name the letters, digits and hyphens; what else is in it becomes `_`.
fn plain(name: &str) -> String {
    let plain = |c: char| match c {
        c if c.is_ascii_alphanumeric() || c == '-' => c,
        _ => '_',
    };
    name.chars().take(100).map(plain).collect()
}

fn is_single(field: &TypePtr) -> bool {
    let info = field.get_basic_info();
    info.has_repetition() && info.repetition() != Repetition::REPEATED
}

/// Whether a column is of bytes that are no text.
fn is_binary(field: &TypePtr) -> bool {
    let info = field.get_basic_info();
    is_single(field)
        && field.is_primitive()
        && field.get_physical_type() == Physical::BYTE_ARRAY
        && info.converted_type() == ConvertedType::NONE
        && !matches!(info.logical_type_ref(), Some(LogicalType::String))
}

/// Whether a column is one of pictures: bytes that are called so, or a structure that has them.
fn is_picture(field: &TypePtr) -> bool {
    if field.is_primitive() {
        let is_called = |name: &&str| field.name().eq_ignore_ascii_case(name);
        return is_binary(field) && PICTURES.iter().any(is_called);
    }
    let parts = field.get_fields();
    is_single(field)
        && field.get_basic_info().converted_type() == ConvertedType::NONE
        && parts
            .iter()
            .all(|part| part.is_primitive() && is_single(part))
        && parts
            .iter()
            .any(|part| part.name() == "bytes" && is_binary(part))
}

/// The names of numbers, by column, as the Hub writes them.
fn classes(file: &FileMetaData) -> BTreeMap<String, Vec<String>> {
    let pairs = file.key_value_metadata().into_iter().flatten();
    let mut info = pairs.filter(|pair| pair.key == "huggingface");
    let info = info.find_map(|pair| pair.value.as_deref().filter(|text| text.len() <= MAX_INFO));
    let info: Value = info
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let Some(features) = info["info"]["features"].as_object() else {
        return BTreeMap::new();
    };
    let named = features.iter().filter_map(|(column, feature)| {
        let names = feature["names"]
            .as_array()
            .filter(|_| feature["_type"] == "ClassLabel")?;
        let names = names.iter().map(|name| Some(name.as_str()?.to_owned()));
        Some((column.clone(), names.collect::<Option<_>>()?))
    });
    named.collect()
}

/// A cell as a table has it; empty where there is nothing.
fn text(field: Field) -> Result<String, String> {
    let text = match field {
        Field::Bool(value) => u8::from(value).to_string(),
        Field::Byte(value) => value.to_string(),
        Field::Short(value) => value.to_string(),
        Field::Int(value) => value.to_string(),
        Field::Long(value) => value.to_string(),
        Field::UByte(value) => value.to_string(),
        Field::UShort(value) => value.to_string(),
        Field::UInt(value) => value.to_string(),
        Field::ULong(value) => value.to_string(),
        Field::Float(value) if !value.is_nan() => value.to_string(),
        Field::Double(value) if !value.is_nan() => value.to_string(),
        Field::Str(value) => value,
        Field::Bytes(value) => String::from_utf8(value.data().to_vec())
            .map_err(|_| "a cell is neither text nor a number".to_owned())?,
        _ => String::new(),
    };
    match text.len() {
        ..=MAX_TEXT => Ok(text.trim().to_owned()),
        _ => Err(format!("a cell has a text of more than {MAX_TEXT} bytes")),
    }
}

/// What comes out of a file.
struct Made<'a> {
    folder: &'a Path,
    name: &'a str,
    /// How many bytes may still be written.
    allowed: u64,
    /// Names of files, in lower case.
    taken: BTreeSet<String>,
    images: Vec<PathBuf>,
    left_out: Tally,
}

impl Made<'_> {
    /// Writes a picture, and returns its path from the root on, or why it cannot be used.
    fn write(
        &mut self,
        bytes: &[u8],
        row: u64,
        wanted: &str,
    ) -> Result<Result<String, String>, ExtractError> {
        let size = bytes.len() as u64;
        let ending = match size {
            ..=MAX_ENCODED_BYTES => image::ending(bytes),
            _ => Err(ImageError::TooLarge(size)),
        };
        let ending = match ending {
            Ok(ending) => ending,
            Err(error) => return Ok(Err(format!("unreadable: {error}"))),
        };
        self.allowed = self.allowed.checked_sub(size).ok_or_else(|| {
            let what = "more comes out than is allowed for a file of this size".to_owned();
            ExtractError::Unreadable(what)
        })?;
        let mut stem = match wanted {
            "" => format!("row-{row}"),
            name => name.to_owned(),
        };
        // Names that differ in case are one file on some file systems.
        while !self.taken.insert(stem.to_lowercase()) {
            stem = format!("{stem}-row-{row}");
        }
        let file = format!("{stem}.{ending}");
        let path = self.folder.join(&file);
        fs::write(&path, bytes).map_err(|source| ExtractError::Io {
            path: path.clone(),
            source,
        })?;
        self.images.push(path);
        Ok(Ok(format!("{}/{file}", self.name)))
    }
}

#[cfg(test)]
mod tests;

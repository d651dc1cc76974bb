//! Tables that strangers wrote: CSV with a comma, a semicolon, a tab or a bar, with or without a byte order mark,
//! columns in any order and case.

use std::io;
use std::path::{Path, PathBuf};

use super::directory::{COLUMNS_SHOWN, shown};
use super::{LoadError, MAX_METADATA_BYTES, MAX_ROWS};
use crate::files::{self, ReadError};

/// Most columns of a table.
pub(crate) const MAX_COLUMNS: usize = 1024;

/// A table, whole.
pub(crate) struct Table {
    pub path: PathBuf,
    /// What the numbers of the rows count.
    pub unit: &'static str,
    /// Column names in lower case.
    pub header: Vec<String>,
    /// The line of each row in the file, or its number where there are no lines, from 1, and its fields, trimmed.
    pub rows: Vec<(u64, csv::StringRecord)>,
}

impl Table {
    /// Reads a table of at most [`MAX_METADATA_BYTES`] and [`MAX_ROWS`]. The delimiter is the semicolon if the header
    /// has one, as in the competition, else the first of comma, tab and bar that it has.
    pub fn read(path: &Path) -> Result<Self, LoadError> {
        let bytes = files::read_capped(path, MAX_METADATA_BYTES).map_err(|error| match error {
            ReadError::TooLarge(size) => LoadError::TooLarge {
                path: path.to_path_buf(),
                size,
            },
            ReadError::Io(source) if source.kind() == io::ErrorKind::NotFound => {
                LoadError::NoLabels(path.to_path_buf())
            }
            ReadError::Io(source) => LoadError::Io {
                path: path.to_path_buf(),
                source,
            },
        })?;
        Self::parse(path, &bytes)
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, LoadError> {
        let malformed = |reason: String| LoadError::Malformed {
            path: path.to_path_buf(),
            reason,
        };
        let bytes = match bytes {
            [0xEF, 0xBB, 0xBF, rest @ ..] => rest,
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => {
                return Err(malformed("it is UTF-16; save it as UTF-8".to_owned()));
            }
            all => all,
        };
        let bytes = line_feeds(bytes);
        let bytes = bytes.as_slice();
        let first_line = bytes.split(|&byte| byte == b'\n').next().unwrap_or(bytes);
        let delimiter = match first_line {
            line if line.contains(&b';') => b';',
            line if line.contains(&b',') => b',',
            line if line.contains(&b'\t') => b'\t',
            line if line.contains(&b'|') => b'|',
            _ => b',',
        };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .trim(csv::Trim::All)
            .from_reader(bytes);
        let header: Vec<String> = reader
            .headers()
            .map_err(|error| malformed(error.to_string()))?
            .iter()
            .map(str::to_lowercase)
            .collect();
        if header.len() > MAX_COLUMNS {
            return Err(malformed(format!("it has more than {MAX_COLUMNS} columns")));
        }
        let mut rows = Vec::new();
        for row in reader.records() {
            let row = row.map_err(|error| malformed(error.to_string()))?;
            if rows.len() == MAX_ROWS {
                return Err(LoadError::TooManyRows(path.to_path_buf()));
            }
            rows.push((row.position().map_or(0, csv::Position::line), row));
        }
        Ok(Self {
            path: path.to_path_buf(),
            unit: "line",
            header,
            rows,
        })
    }

    /// The position of the first of `names` that is there. A name that stands twice is an error.
    pub fn column(&self, names: &[&'static str]) -> Result<Option<usize>, LoadError> {
        for name in names {
            let mut places = (0..self.header.len()).filter(|&place| self.header[place] == *name);
            match (places.next(), places.next()) {
                (Some(place), None) => return Ok(Some(place)),
                (Some(_), Some(_)) => return Err(self.column_error(name)),
                _ => {}
            }
        }
        Ok(None)
    }

    /// As [`Self::column`], of a column that must be there.
    pub fn needed(&self, names: &[&'static str]) -> Result<usize, LoadError> {
        self.column(names)?
            .ok_or_else(|| self.column_error(names[0]))
    }

    fn column_error(&self, column: &'static str) -> LoadError {
        LoadError::Column {
            path: self.path.clone(),
            column,
            found: self
                .header
                .iter()
                .take(COLUMNS_SHOWN)
                .map(|name| shown(name))
                .collect(),
        }
    }
}

/// The text with LF for CR LF: rows that end in both are counted one line late by the reader.
pub(super) fn line_feeds(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.dedup_by(|next, kept| {
        let is_end = *kept == b'\r' && *next == b'\n';
        if is_end {
            *kept = b'\n';
        }
        is_end
    });
    bytes
}

/// The field in a column that may be absent; empty then.
pub(crate) fn field(row: &csv::StringRecord, column: Option<usize>) -> &str {
    column.and_then(|column| row.get(column)).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<Table, String> {
        Table::parse(Path::new("t.csv"), bytes).map_err(|error| error.to_string())
    }

    #[test]
    fn marks_delimiters_and_case_do_not_matter() {
        for text in [
            "Image,LABEL\na.jpg, nv \n",
            "\u{feff}image;label\r\na.jpg;nv\r\n",
            "IMAGE\tLabel\na.jpg\tnv\n",
            "image|label\na.jpg|nv\n",
        ] {
            let table = parse(text.as_bytes()).unwrap();
            assert_eq!(table.header, ["image", "label"]);
            assert_eq!(table.rows.len(), 1);
            assert_eq!(table.rows[0].0, 2);
            assert_eq!(
                field(&table.rows[0].1, table.column(&["label"]).unwrap()),
                "nv"
            );
        }
    }

    #[test]
    fn what_is_no_table_is_named() {
        assert!(parse(b"\xff\xfei\0m\0").err().unwrap().contains("UTF-16"));
        assert!(parse(b"a,b\n1\n").err().unwrap().contains("line: 2"));
        assert!(parse(b"a,b\n\xff,1\n").err().unwrap().contains("t.csv"));
        let table = parse(b"label,Label,c\n1,2,3\n").unwrap();
        let error = table.column(&["label"]).unwrap_err().to_string();
        assert!(error.contains("`label` exactly once"), "{error}");
        let error = table.needed(&["image", "file"]).unwrap_err().to_string();
        assert!(
            error.contains("`image`") && error.contains("\"c\""),
            "{error}"
        );
        assert!(
            parse(",".repeat(2000).as_bytes())
                .err()
                .unwrap()
                .contains("columns")
        );
    }
}

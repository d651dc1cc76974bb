//! A directory of X-rays: a table of findings and the images it names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{LabelSet, Record};
use crate::skin::directory::{check_size, shown};
use crate::skin::open::{ENDINGS, collect, is_image};
use crate::skin::table::{Table, field};
use crate::skin::{LoadError, Problem};

/// Tables that are looked for, the first found is read: the original's, NIH's own two, any other's.
const TABLES: [&str; 4] = [
    "Data_Entry.csv",
    "Data_Entry_2017.csv",
    "Data_Entry_2017_v2020.csv",
    "metadata.csv",
];

/// What the columns are called, in lower case. Further columns are left alone.
const IMAGE: [&str; 3] = ["image_name", "image index", "image_id"];
const FINDINGS: [&str; 2] = ["label", "finding labels"];
const PATIENT: [&str; 2] = ["patient_id", "patient id"];

/// Longest name of an image or a patient, in bytes.
const MAX_NAME: usize = 128;

/// What a directory holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// One for each row whose image is there, in the order of the rows.
    pub records: Vec<Record>,
    /// Names of the images that the table names and the directory lacks, in the order of the rows.
    pub absent: Vec<String>,
}

/// Opens a directory of X-rays: the layout of NIH ChestX-ray14 (`Data_Entry.csv` with `image_name` and `label`, or with
/// NIH's own column names) or `metadata.csv` with `image_id`, `label` and `patient_id`. The images lie anywhere below
/// the directory, as archives unpack them; a row whose image is not there is left out and told.
///
/// Who the patient is stands in the name of an NIH image (`00000013_005.png`), or in a column. Images are not decoded.
///
/// # Errors
/// What is missing or wrong, with the file, the line and the value. An unknown label is an error, never a finding.
pub fn open(directory: &Path, labels: &LabelSet) -> Result<Opened, LoadError> {
    if !directory.is_dir() {
        return Err(LoadError::NoDirectory(directory.to_path_buf()));
    }
    let path = TABLES
        .into_iter()
        .map(|name| directory.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| LoadError::NoFindings(directory.to_path_buf()))?;
    let table = Table::read(&path)?;
    let (image, findings) = (table.needed(&IMAGE)?, table.needed(&FINDINGS)?);
    let patient = table.column(&PATIENT)?;
    let files = Files::below(directory)?;
    let mut opened = Opened {
        records: Vec::new(),
        absent: Vec::new(),
    };
    let mut problems = Vec::new();
    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    for (line, row) in &table.rows {
        let fields = [Some(image), Some(findings), patient].map(|column| field(row, column));
        let read = read_row(fields, labels, &files).and_then(|(name, record)| {
            match lines.insert(name.clone(), *line) {
                Some(first) => Err(format!("image {} stands on line {first} too", shown(&name))),
                None => Ok((name, record)),
            }
        });
        match read {
            Ok((_, Some(record))) => opened.records.push(record),
            Ok((name, None)) => opened.absent.push(name),
            Err(what) => problems.push(Problem { line: *line, what }),
        }
    }
    if !problems.is_empty() {
        return Err(LoadError::Rows { path, problems });
    }
    match (opened.records.is_empty(), opened.absent.is_empty()) {
        (true, true) => Err(LoadError::Empty(path)),
        (true, false) => Err(LoadError::AllAbsent(path)),
        _ => Ok(opened),
    }
}

/// The name of a row's image, and its record where the image is there.
fn read_row(
    [name, findings, patient]: [&str; 3],
    labels: &LabelSet,
    files: &Files,
) -> Result<(String, Option<Record>), String> {
    check_name("image", name)?;
    let findings = labels.read(findings).map_err(|error| error.to_string())?;
    let patient_id = match nih_patient(name) {
        Some(patient) => patient,
        None => {
            check_name("patient", patient)
                .map_err(|what| format!("{what}; of an image that NIH did not name, say whose it is in a column patient_id"))?;
            patient
        }
    };
    let record = match files.find(name)? {
        None => None,
        Some(path) => {
            check_size(path)?;
            Some(Record {
                image_id: name.to_owned(),
                patient_id: patient_id.to_owned(),
                path: path.to_owned(),
                findings,
            })
        }
    };
    Ok((name.to_owned(), record))
}

/// The patient in NIH's name of an image: eight digits before `_`.
fn nih_patient(name: &str) -> Option<&str> {
    let (patient, rest) = name.split_once('_')?;
    let visit = rest.split_once('.').map_or(rest, |(visit, _)| visit);
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = patient.len() == 8 && visit.len() == 3;
    (fits && are_digits(patient) && are_digits(visit)).then_some(patient)
}

/// A name is compared with names of files and becomes no path, but it is shown and stored.
fn check_name(what: &str, name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_alphanumeric() || "._- ()".contains(c);
    match (1..=MAX_NAME).contains(&name.len()) && name.chars().all(plain) {
        true => Ok(()),
        false => Err(format!(
            "{what} {} must be 1 to {MAX_NAME} letters, digits, `.`, `_`, `-`, spaces or parentheses",
            shown(name)
        )),
    }
}

/// The images below a directory, by file name. A name that stands in two folders has no path.
struct Files(BTreeMap<String, Option<PathBuf>>);

impl Files {
    fn below(directory: &Path) -> Result<Self, LoadError> {
        let mut paths = Vec::new();
        collect(directory, 0, &is_image, &mut paths)?;
        let mut files = BTreeMap::new();
        for path in paths {
            let name = path.file_name().unwrap_or_default();
            let entry = files.entry(name.to_string_lossy().into_owned());
            entry.and_modify(|path| *path = None).or_insert(Some(path));
        }
        Ok(Self(files))
    }

    /// The file of this name, which may lack its ending.
    fn find(&self, name: &str) -> Result<Option<&Path>, String> {
        let endings = ENDINGS.iter().map(|ending| format!("{name}.{ending}"));
        let mut names = std::iter::once(name.to_owned()).chain(endings);
        match names.find_map(|name| self.0.get(&name)) {
            None => Ok(None),
            Some(Some(path)) => Ok(Some(path)),
            Some(None) => Err(format!("there are two images called {}", shown(name))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A directory with a table and empty files.
    fn directory(table: &str, text: &str, images: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(table), text).unwrap();
        for image in images {
            let path = directory.path().join(image);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"pixels").unwrap();
        }
        directory
    }

    fn refused(text: &str, images: &[&str]) -> String {
        let directory = directory("metadata.csv", text, images);
        let labels: LabelSet = "pneumonia".parse().unwrap();
        open(directory.path(), &labels).unwrap_err().to_string()
    }

    #[test]
    fn all_layouts_are_read() {
        let nih = LabelSet::nih();
        for (table, text) in [
            (
                "Data_Entry.csv",
                "image_name,label\n00000013_005.png,Mass|Edema\n00000013_006.png,No Finding\n00030805_000.png,Hernia\n",
            ),
            (
                "Data_Entry_2017.csv",
                "Image Index,Finding Labels,Follow-up #,Patient ID\n00000013_005.png,Edema|Mass,5,13\n00000013_006.png,No Finding,6,13\n00030805_000.png,Hernia,0,30805\n",
            ),
        ] {
            let images = [
                "images/00000013_005.png",
                "images_002/images/00000013_006.png",
            ];
            let directory = directory(table, text, &images);
            let opened = open(directory.path(), &nih).unwrap();
            assert_eq!(opened.absent, ["00030805_000.png"]);
            let [first, second] = opened.records.try_into().unwrap();
            assert_eq!(first.patient_id, "00000013");
            assert_eq!(first.findings.labels().collect::<Vec<_>>(), [3, 9]);
            assert_eq!(first.path, directory.path().join(images[0]));
            assert_eq!(second.findings.count(), 0);
        }
        let text =
            "image_id,label,subtype,patient_id\nIM-1,normal,x,N-1\nP 2 (b),pneumonia,y,N-2\n";
        let directory = directory(
            "metadata.csv",
            text,
            &["images/IM-1.jpg", "images/P 2 (b).jpeg"],
        );
        let labels: LabelSet = "pneumonia".parse().unwrap();
        let opened = open(directory.path(), &labels).unwrap();
        let found = opened.records.iter();
        let found: Vec<_> = found
            .map(|record| (&*record.patient_id, record.findings.bits()))
            .collect();
        assert_eq!(found, [("N-1", 0), ("N-2", 1)]);
    }

    #[test]
    fn what_is_wrong_is_named_and_nothing_is_guessed() {
        let image = &["images/a.png"][..];
        for (text, images, said) in [
            (
                "image_id,label,patient_id\na,mass,p\n",
                image,
                "line 2: \"mass\" is not a label",
            ),
            (
                "image_id,label,patient_id\na,,p\n",
                image,
                "\"\" is not a label",
            ),
            ("image_id,label\na,normal\n", image, "say whose it is"),
            (
                "image_id,label,patient_id\na,normal,\n",
                image,
                "say whose it is",
            ),
            (
                "image_id,label,patient_id\n../a,normal,p\n",
                image,
                "image \"../a\" must be",
            ),
            ("image_id,patient_id\na,p\n", image, "the column `label`"),
            ("image_id,label,patient_id\n", image, "has no rows"),
            (
                "image_id,label,patient_id\nb,normal,p\n",
                image,
                "none of its images",
            ),
            (
                "image_id,label,patient_id\na,normal,p\na,normal,p\n",
                image,
                "line 3: image \"a\" stands on line 2 too",
            ),
            (
                "image_id,label,patient_id\na,normal,p\n",
                &["one/a.png", "two/a.png"],
                "two images called \"a\"",
            ),
        ] {
            let error = refused(text, images);
            assert!(error.contains(said), "{text}: {error}");
        }
        let empty = tempfile::tempdir().unwrap();
        let error = open(empty.path(), &LabelSet::nih())
            .unwrap_err()
            .to_string();
        assert!(error.contains("Data_Entry.csv"), "{error}");
        assert!(open(&empty.path().join("absent"), &LabelSet::nih()).is_err());
    }

    #[test]
    fn only_nihs_names_tell_the_patient() {
        assert_eq!(nih_patient("00000013_005.png"), Some("00000013"));
        assert_eq!(nih_patient("00000013_005"), Some("00000013"));
        for name in [
            "0000001_005.png",
            "00000013_05.png",
            "c19_0001",
            "0000001a_005.png",
            "",
        ] {
            assert_eq!(nih_patient(name), None, "{name}");
        }
    }
}

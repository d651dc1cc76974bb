//! Chest X-rays with their findings: any number of labels an image, out of a list that is configuration.
//!
//! The usual list is that of NIH ChestX-ray14 ([`LabelSet::nih`]). Nothing is guessed: a label that is neither on the
//! list nor one of the words for a healthy chest is an error that names it.

mod directory;
mod labels;
mod overlap;
pub mod synthetic;

use std::path::{Path, PathBuf};

pub use directory::{Opened, open};
pub use labels::{Findings, LabelSet, LabelSetError, MAX_LABELS, NIH, UnknownLabel};
pub use overlap::{Overlap, OverlapError, overlap};

use crate::groups::Ties;
use crate::split::{self, Member, Shares, Split, SplitError};

/// One X-ray; as a path, its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Name of the image, unique in its data set.
    pub image_id: String,
    /// Name of the patient; one patient may have several images.
    pub patient_id: String,
    /// The image file.
    pub path: PathBuf,
    /// What was found.
    pub findings: Findings,
}

impl AsRef<Path> for Record {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

/// How many records have each of a number of labels.
pub fn counts(records: &[Record], labels: usize) -> Vec<usize> {
    let count = |label: usize| {
        let found = records.iter();
        found
            .filter(|record| record.findings.contains(label))
            .count()
    };
    (0..labels).map(count).collect()
}

/// Splits records by patient, so that each part has its share of the patients of every label. A patient with several
/// counts for the rarest.
///
/// # Errors
/// When the shares make no sense, or there are too few patients.
pub fn split(records: &[Record], shares: &Shares, seed: u64) -> Result<Split, SplitError> {
    let counts = counts(records, MAX_LABELS);
    let rarest = |findings: Findings| findings.labels().min_by_key(|&label| counts[label]);
    let members: Vec<Member<'_, _>> = records
        .iter()
        .map(|record| Member {
            name: &record.patient_id,
            class: rarest(record.findings),
        })
        .collect();
    split::divide(&members, &patients(records), shares, seed)
}

/// Whether no patient stands in two parts.
pub fn disjoint(records: &[Record], split: &Split) -> bool {
    split::is_disjoint(&patients(records), split)
}

/// For each record the position of the first one of its patient.
pub fn patients(records: &[Record]) -> Vec<usize> {
    let mut ties = Ties::new(records.len());
    ties.tie_by_name(records.iter().map(|record| Some(&*record.patient_id)));
    (0..records.len())
        .map(|member| ties.first(member))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::split::Part;

    const PARTS: [Part; 3] = [Part::Training, Part::Selection, Part::Judging];

    fn real(name: &str) -> Option<PathBuf> {
        let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
        let found = Some(shared.join(name)).filter(|path| path.is_dir());
        if found.is_none() {
            eprintln!("SKIPPED: no {name} beside the project");
        }
        found
    }

    /// `patients` patients of up to three images; every ninth has the rare label 1, every third label 0.
    fn records(patients: usize) -> Vec<Record> {
        let mut records = Vec::new();
        for patient in 0..patients {
            for visit in 0..=patient % 3 {
                let labels = [
                    (patient % 3 == 0).then_some(0),
                    // Seen at the last visit only.
                    (patient % 9 == 2 && visit == 2).then_some(1),
                ];
                records.push(Record {
                    image_id: format!("{patient}_{visit}"),
                    patient_id: patient.to_string(),
                    path: PathBuf::new(),
                    findings: labels.into_iter().flatten().collect(),
                });
            }
        }
        records
    }

    #[test]
    fn patients_stay_together_and_rare_labels_are_in_every_part() {
        let records = records(180);
        for seed in 0..10 {
            let split = split(&records, &Shares::default(), seed).unwrap();
            assert!(disjoint(&records, &split));
            let all: usize = PARTS.iter().map(|&part| split.part(part).len()).sum();
            assert_eq!(all, records.len());
            let rare = PARTS.map(|part| {
                let places = split.part(part).iter();
                places
                    .filter(|&&at| records[at].findings.contains(1))
                    .count()
            });
            // Of twenty patients.
            assert_eq!(rare, [12, 3, 5]);
        }
        let apart = split(&records, &Shares::default(), 1).unwrap();
        assert_ne!(apart, split(&records, &Shares::default(), 2).unwrap());
    }

    #[test]
    fn real_x_rays_are_read_and_split_by_patient() {
        if let Some(directory) = real("chest_pneumonia") {
            let labels: LabelSet = "pneumonia".parse().unwrap();
            let opened = open(&directory, &labels).unwrap();
            assert_eq!((opened.records.len(), opened.absent.len()), (1196, 0));
            assert_eq!(counts(&opened.records, 1), [717]);
            let names: BTreeSet<_> = opened.records.iter().map(|r| &r.patient_id).collect();
            assert_eq!(names.len(), 1016);
            let split = split(&opened.records, &Shares::default(), 1).unwrap();
            assert!(disjoint(&opened.records, &split));
        }
        if let Some(directory) = real("chest_covid") {
            let labels: LabelSet = "covid19,pneumonia".parse().unwrap();
            let opened = open(&directory, &labels).unwrap();
            assert_eq!(counts(&opened.records, 2), [157, 451]);
            let fewer: LabelSet = "pneumonia".parse().unwrap();
            let error = open(&directory, &fewer).unwrap_err().to_string();
            assert!(error.contains("\"covid19\" is not a label"), "{error}");
        }
    }
}

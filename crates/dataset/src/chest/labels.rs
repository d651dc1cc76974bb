//! The labels that are asked for, and which of them an image has.

use std::fmt;
use std::str::FromStr;

/// The findings of NIH ChestX-ray14, in alphabetical order: the order of a model's output.
pub const NIH: [&str; 14] = [
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Effusion",
    "Emphysema",
    "Fibrosis",
    "Hernia",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pleural_Thickening",
    "Pneumonia",
    "Pneumothorax",
];

/// Most labels of a set.
pub const MAX_LABELS: usize = 32;

/// Longest name of a label, in bytes.
const MAX_NAME: usize = 64;

/// What tables say of an image without findings.
const NOTHING: [&str; 2] = ["no finding", "normal"];

/// What is between the labels of one image.
const SEPARATOR: char = '|';

/// The labels of a competition, in the order of a model's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelSet(Vec<String>);

/// Why a list of labels cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelSetError {
    /// None, or too many.
    #[error("{0} labels; 1 to {MAX_LABELS} can be asked for")]
    Count(usize),
    /// A name that tables cannot hold, or that means no finding.
    #[error(
        "{0:?} cannot be a label: it is empty or long, holds a comma, a quote or a `|`, or means that nothing was found"
    )]
    Name(String),
    /// A name that stands twice.
    #[error("the label {0:?} stands twice")]
    Twice(String),
}

/// A table's label that is not asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{label:?} is not a label; there are {known}, and No Finding or normal for none")]
pub struct UnknownLabel {
    label: String,
    known: String,
}

impl LabelSet {
    /// These labels, in this order.
    ///
    /// # Errors
    /// When there are none or too many, or one cannot be a label.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, LabelSetError> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if !(1..=MAX_LABELS).contains(&names.len()) {
            return Err(LabelSetError::Count(names.len()));
        }
        for (position, name) in names.iter().enumerate() {
            let plain = plain(name);
            let breaks = |c: char| c.is_control() || [SEPARATOR, ',', '"'].contains(&c);
            if plain.is_empty()
                || name.len() > MAX_NAME
                || name.contains(breaks)
                || NOTHING.contains(&&*plain)
            {
                let name = name.chars().take(MAX_NAME).collect();
                return Err(LabelSetError::Name(name));
            }
            if names[..position]
                .iter()
                .any(|other| self::plain(other) == plain)
            {
                return Err(LabelSetError::Twice(name.clone()));
            }
        }
        Ok(Self(names))
    }

    /// The fourteen findings of NIH ChestX-ray14.
    pub fn nih() -> Self {
        Self(NIH.map(str::to_owned).to_vec())
    }

    /// The names, in order.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// How many there are: at least one.
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Reads what a table says of an image: labels with `|` between them, or that nothing was found. Case and the
    /// difference between a space and `_` do not matter.
    ///
    /// # Errors
    /// When a label is not one of these.
    pub fn read(&self, text: &str) -> Result<Findings, UnknownLabel> {
        let mut findings = Findings::default();
        for label in text.split(SEPARATOR) {
            let wanted = plain(label);
            if NOTHING.contains(&&*wanted) {
                continue;
            }
            let found = self.0.iter().position(|name| plain(name) == wanted);
            let found = found.ok_or_else(|| UnknownLabel {
                label: label.chars().take(MAX_NAME).collect(),
                known: self.to_string(),
            })?;
            findings.insert(found);
        }
        Ok(findings)
    }

    /// What [`read`](Self::read) reads as these findings.
    pub fn write(&self, findings: Findings) -> String {
        let names: Vec<&str> = findings.labels().map(|label| &*self.0[label]).collect();
        match names.is_empty() {
            true => "No Finding".to_owned(),
            false => names.join("|"),
        }
    }
}

impl fmt::Display for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

impl FromStr for LabelSet {
    type Err = LabelSetError;

    /// `nih`, or names with commas between them.
    fn from_str(text: &str) -> Result<Self, LabelSetError> {
        match text {
            "nih" => Ok(Self::nih()),
            list => Self::new(list.split(',').map(str::trim)),
        }
    }
}

/// A label as it is compared.
fn plain(label: &str) -> String {
    label.trim().to_lowercase().replace('_', " ")
}

/// A set of labels, by their places in a [`LabelSet`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Findings(u32);

impl Findings {
    /// Whether a label is in it.
    pub fn contains(self, label: usize) -> bool {
        label < MAX_LABELS && self.0 >> label & 1 == 1
    }

    /// Puts a label below [`MAX_LABELS`] into it.
    pub fn insert(&mut self, label: usize) {
        debug_assert!(label < MAX_LABELS);
        self.0 |= 1 << label;
    }

    /// Its labels, ascending.
    pub fn labels(self) -> impl Iterator<Item = usize> {
        (0..MAX_LABELS).filter(move |&label| self.contains(label))
    }

    /// How many labels are in it.
    pub fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// The labels that are in both.
    pub fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The sum of 2^label, as training is told it.
    pub fn bits(self) -> usize {
        self.0 as usize
    }

    /// The set of these bits; what is above [`MAX_LABELS`] is left out.
    pub fn from_bits(bits: usize) -> Self {
        Self(bits as u32)
    }
}

impl FromIterator<usize> for Findings {
    /// The labels must be below [`MAX_LABELS`].
    fn from_iter<I: IntoIterator<Item = usize>>(labels: I) -> Self {
        let mut findings = Self::default();
        labels.into_iter().for_each(|label| findings.insert(label));
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fourteen_findings_stand_in_alphabetical_order() {
        assert!(NIH.is_sorted());
        let nih = LabelSet::nih();
        assert_eq!("nih".parse(), Ok(nih.clone()));
        let read = |text: &str| nih.read(text).unwrap().labels().collect::<Vec<_>>();
        assert!(read("No Finding").is_empty());
        assert_eq!(read("Hernia"), [7]);
        assert_eq!(
            read("Pneumothorax|Atelectasis|Pleural_Thickening"),
            [0, 11, 13]
        );
        assert_eq!(nih.write(nih.read("Mass|Edema").unwrap()), "Edema|Mass");
        assert_eq!(nih.write(Findings::default()), "No Finding");
        let wrong = nih.read("Hernia|Covid").unwrap_err().to_string();
        assert!(wrong.starts_with("\"Covid\" is not a label"), "{wrong}");
        for wrong in ["", "Hernia|", "|", "hernias"] {
            assert!(nih.read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn any_list_can_be_asked_for_if_its_names_can_be_told_apart() {
        let set: LabelSet = "covid19, pneumonia".parse().unwrap();
        assert_eq!(set.names(), ["covid19", "pneumonia"]);
        assert_eq!(set.read("no_finding"), Ok(Findings::default()));
        assert_eq!(set.read("normal"), Ok(Findings::default()));
        assert_eq!(set.read("Pneumonia").unwrap().bits(), 2);
        for (text, error) in [
            ("", LabelSetError::Name(String::new())),
            ("a,,b", LabelSetError::Name(String::new())),
            ("a|b", LabelSetError::Name("a|b".into())),
            ("normal", LabelSetError::Name("normal".into())),
            ("a_b,A b", LabelSetError::Twice("A b".into())),
        ] {
            assert_eq!(text.parse::<LabelSet>(), Err(error));
        }
        let many = (0..33).map(|number| number.to_string());
        assert_eq!(LabelSet::new(many), Err(LabelSetError::Count(33)));
    }

    #[test]
    fn findings_are_sets() {
        let findings: Findings = [3, 31, 3].into_iter().collect();
        assert_eq!(findings.labels().collect::<Vec<_>>(), [3, 31]);
        assert_eq!((findings.count(), findings.bits()), (2, 1 << 31 | 8));
        assert!(!findings.contains(32) && !findings.contains(usize::MAX));
        let other: Findings = [3, 4].into_iter().collect();
        assert_eq!(findings.common(other).bits(), 8);
    }
}

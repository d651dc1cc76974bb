//! What was not taken as it is: by reason, with every place.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// How many places a line names; a report has them all.
const PLACES_SHOWN: usize = 3;

/// What a reader did not take as it is, by reason.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Tally(BTreeMap<String, Vec<String>>);

impl Tally {
    /// Remembers a place of `what`.
    pub fn add(&mut self, what: String, place: impl FnOnce() -> String) {
        self.0.entry(what).or_default().push(place());
    }

    /// Adds what another remembers.
    pub fn extend(&mut self, other: Self) {
        for (what, places) in other.0 {
            self.0.entry(what).or_default().extend(places);
        }
    }

    /// As remarks about a data set.
    pub fn remarks(self, source: &str) -> impl Iterator<Item = Remark> + '_ {
        self.0.into_iter().map(|(what, places)| Remark {
            source: source.to_owned(),
            what,
            count: places.len(),
            first: places.first().cloned().unwrap_or_default(),
            places,
        })
    }
}

/// What was not taken as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The data set.
    pub source: String,
    /// What it is, with the value.
    pub what: String,
    /// How often.
    pub count: usize,
    /// The first place: a file, or a table with its line.
    pub first: String,
    /// All places.
    pub places: Vec<String>,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<&str> = self.places.iter().map(String::as_str).collect();
        let shown = shown[..shown.len().min(PLACES_SHOWN)].join(", ");
        write!(f, "{}: {} (", self.source, self.what)?;
        match self.count {
            0 | 1 => write!(f, "{shown})"),
            count if count <= PLACES_SHOWN => write!(f, "{count} times: {shown})"),
            count => write!(f, "{count} times: {shown}, …)"),
        }
    }
}

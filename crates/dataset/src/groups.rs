//! What belongs together: records tied by a lesion, a patient, a look or a file of the same bytes.

use std::collections::HashMap;

use crate::skin::Record;

/// Sets that grow together (union-find with path halving).
pub(crate) struct Ties {
    parents: Vec<usize>,
}

impl Ties {
    /// `count` sets of one.
    pub fn new(count: usize) -> Self {
        Self {
            parents: (0..count).collect(),
        }
    }

    /// The smallest member of the set that `member` is in.
    pub fn first(&mut self, mut member: usize) -> usize {
        while self.parents[member] != member {
            self.parents[member] = self.parents[self.parents[member]];
            member = self.parents[member];
        }
        member
    }

    /// Makes the sets of two members one.
    pub fn tie(&mut self, a: usize, b: usize) {
        let (a, b) = (self.first(a), self.first(b));
        self.parents[a.max(b)] = a.min(b);
    }

    /// Ties every member to the first one with the same name.
    pub fn tie_by_name<'a>(&mut self, names: impl Iterator<Item = Option<&'a str>>) {
        let mut owners: HashMap<&str, usize> = HashMap::new();
        for (member, name) in names.enumerate() {
            if let Some(name) = name {
                let owner = *owners.entry(name).or_insert(member);
                self.tie(owner, member);
            }
        }
    }
}

/// For each record the position of the first record that it is tied to, directly or through others, by its lesion, its
/// patient, its group or its digest.
pub fn groups(records: &[Record]) -> Vec<usize> {
    let mut ties = Ties::new(records.len());
    ties.tie_by_name(records.iter().map(|record| Some(record.lesion_id.as_str())));
    ties.tie_by_name(records.iter().map(|record| record.patient_id.as_deref()));
    ties.tie_by_name(records.iter().map(|record| record.group.as_deref()));
    ties.tie_by_name(records.iter().map(|record| record.digest.as_deref()));
    (0..records.len())
        .map(|member| ties.first(member))
        .collect()
}

//! Parts of a network that training leaves as they are.

use std::ops::BitOrAssign;

use agon_model::architecture::TRUNK;

/// Which parameters and running statistics stay as they are, by how their names start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frozen {
    prefixes: Vec<String>,
}

impl Frozen {
    /// Everything is trained.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// The trunk of the networks of [`agon_model::architecture`].
    pub fn trunk() -> Self {
        Self::starting_with([TRUNK])
    }

    /// All names that start with one of these.
    pub fn starting_with(prefixes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let prefixes = prefixes.into_iter().map(Into::into).collect();
        Self { prefixes }
    }

    /// Whether the parameter or statistic of this name is frozen.
    pub fn holds(&self, name: &str) -> bool {
        self.prefixes.iter().any(|prefix| name.starts_with(prefix))
    }

    /// A prefix that no name has.
    pub(super) fn without_parameter<'a, I>(&self, names: impl Fn() -> I) -> Option<&str>
    where
        I: Iterator<Item = &'a str>,
    {
        let absent = |prefix: &&String| !names().any(|name| name.starts_with(prefix.as_str()));
        self.prefixes.iter().find(absent).map(String::as_str)
    }
}

/// On what kinds of parameters a value depends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dependence {
    frozen: bool,
    learned: bool,
}

impl Dependence {
    pub fn of_parameter(frozen: bool) -> Self {
        Self {
            frozen,
            learned: !frozen,
        }
    }

    /// Whether the value belongs to a frozen part: it depends on frozen parameters alone.
    pub fn is_frozen(self) -> bool {
        self.frozen && !self.learned
    }
}

impl BitOrAssign for Dependence {
    fn bitor_assign(&mut self, other: Self) {
        self.frozen |= other.frozen;
        self.learned |= other.learned;
    }
}

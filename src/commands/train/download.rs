//! The section `download` of a run's settings: what `agon data download` fetches for it.

use super::layers::{nearest, tree};
use agon_dataset::source::{CATALOGUE, Kind};
use anyhow::{Context, anyhow};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What stood in the section and means nothing here, and what to do.
const GONE: [(&str, &str); 5] = [
    ("skip_kaggle", "choose sources with --source"),
    ("create_synthetic", "use synthetic.enabled"),
    (
        "balance_dataset",
        "classes are balanced by the sampler, after the split: augmentation.weighted_sampling",
    ),
    (
        "max_per_class",
        "nothing is thrown away: augmentation.weighted_sampling balances",
    ),
    (
        "min_per_class",
        "nothing is repeated: augmentation.weighted_sampling balances",
    ),
];

/// The section.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Where data sets are put.
    pub output_dir: Option<PathBuf>,
    /// The data sets that are switched on.
    pub datasets: Vec<&'static str>,
}

impl Section {
    /// Reads it from a file of settings.
    pub fn of_file(path: &Path) -> anyhow::Result<Self> {
        let read = tree(path).and_then(|tree| match tree.get("download") {
            None | Some(Value::Null) => Ok(Self::default()),
            Some(section) => Self::read(section),
        });
        read.with_context(|| format!("cannot use the settings in {}", path.display()))
    }

    /// Reads it.
    pub fn read(section: &Value) -> anyhow::Result<Self> {
        let Value::Object(entries) = section else {
            return Err(anyhow!("download must be a section"));
        };
        let mut found = Self::default();
        for (name, value) in entries {
            if let Some((_, advice)) = GONE.iter().find(|(gone, _)| gone == name) {
                return Err(anyhow!("download.{name} is not used: {advice}"));
            }
            match (name.as_str(), value) {
                ("output_dir", Value::String(path)) => found.output_dir = Some(path.into()),
                ("output_dir", _) => return Err(anyhow!("download.output_dir: it must be a path")),
                ("kaggle", _) => found.switches(Kind::Kaggle, name, value)?,
                ("huggingface", _) => found.switches(Kind::HuggingFace, name, value)?,
                ("direct", _) => found.switches(Kind::Direct, name, value)?,
                _ => {
                    let known = ["output_dir", "kaggle", "huggingface", "direct"];
                    let near = nearest(name, known.into_iter());
                    return Err(anyhow!("download.{name} is the name of no setting{near}"));
                }
            }
        }
        Ok(found)
    }

    /// The data sets of one source, each switched on or off.
    fn switches(&mut self, kind: Kind, source: &str, value: &Value) -> anyhow::Result<()> {
        let entries = match value {
            Value::Null => return Ok(()),
            Value::Object(entries) => entries,
            _ => return Err(anyhow!("download.{source} must be a section")),
        };
        let of_source = || CATALOGUE.iter().filter(|set| set.kind() == kind);
        for (name, value) in entries {
            let Some(set) = of_source().find(|set| set.key == name) else {
                let near = nearest(name, of_source().map(|set| set.key));
                return Err(anyhow!("download.{source}.{name} is no data set{near}"));
            };
            match value {
                Value::Bool(true) => self.datasets.push(set.key),
                Value::Bool(false) => {}
                _ => {
                    return Err(anyhow!(
                        "download.{source}.{name}: it must be true or false"
                    ));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn switches_choose_data_sets_and_mistakes_are_named() {
        let section = json!({
            "output_dir": "raw",
            "kaggle": {"ham10000": true, "isic_2019": false, "isic_2020": true},
            "direct": null,
        });
        let read = Section::read(&section).unwrap();
        assert_eq!(read.output_dir, Some("raw".into()));
        assert_eq!(read.datasets, ["ham10000", "isic_2020"]);
        let refused = |section: Value| Section::read(&section).unwrap_err().to_string();
        let said = refused(json!({"kaggle": {"ham1000": true}}));
        assert!(said.contains("is ham10000 meant?"), "{said}");
        let said = refused(json!({"kagle": {}}));
        assert!(said.contains("is kaggle meant?"), "{said}");
        let said = refused(json!({"max_per_class": 3000}));
        assert!(said.contains("weighted_sampling"), "{said}");
        let said = refused(json!({"kaggle": {"ham10000": "yes"}}));
        assert!(said.contains("true or false"), "{said}");
    }
}

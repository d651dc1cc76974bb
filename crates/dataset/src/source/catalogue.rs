//! The public data sets, and which of them a command means.

use serde::Serialize;

/// Where a data set comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Kaggle, with a token of the user.
    Kaggle,
    /// The Hugging Face Hub.
    HuggingFace,
    /// Plain addresses.
    Direct,
}

impl Kind {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kaggle => "kaggle",
            Self::HuggingFace => "huggingface",
            Self::Direct => "direct",
        }
    }
}

/// A file with an address of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DirectFile {
    /// Its name here.
    pub name: &'static str,
    /// Its address.
    pub url: &'static str,
}

/// The source and what the set is called there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// `owner/name` on Kaggle.
    Kaggle(&'static str),
    /// `owner/name` of a data set on the Hub.
    HuggingFace(&'static str),
    /// Files with addresses of their own.
    Direct(&'static [DirectFile]),
}

/// One public data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DataSet {
    /// Its name on the command line and of its directory.
    pub key: &'static str,
    /// Where it comes from.
    pub origin: Origin,
    /// About how many megabytes are transferred.
    pub megabytes: u64,
    /// What it holds.
    pub holds: &'static str,
    /// The licence its authors state.
    pub licence: &'static str,
}

impl DataSet {
    /// Where it comes from.
    pub fn kind(&self) -> Kind {
        match self.origin {
            Origin::Kaggle(_) => Kind::Kaggle,
            Origin::HuggingFace(_) => Kind::HuggingFace,
            Origin::Direct(_) => Kind::Direct,
        }
    }

    /// What it is called there.
    pub fn id(&self) -> &'static str {
        match self.origin {
            Origin::Kaggle(id) | Origin::HuggingFace(id) => id,
            Origin::Direct(files) => files.first().map_or("", |file| file.url),
        }
    }

    /// The same set from another repository of the Hub: `owner/name`, or the address of its page.
    ///
    /// # Errors
    /// When the link names no data set of the Hub.
    pub fn linked(self, link: &str) -> Result<Self, NoLink> {
        let name = link.trim().trim_end_matches('/');
        let name = name.strip_prefix("https://huggingface.co/").unwrap_or(name);
        let name = name.strip_prefix("datasets/").unwrap_or(name);
        let is_plain = |part: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !part.is_empty() && !part.starts_with('.') && part.bytes().all(allowed)
        };
        match name.split_once('/') {
            Some((owner, set)) if is_plain(owner) && is_plain(set) => Ok(Self {
                // Once a process: the catalogue's own names live as long.
                origin: Origin::HuggingFace(name.to_owned().leak()),
                ..self
            }),
            _ => Err(NoLink(link.chars().take(120).collect())),
        }
    }
}

/// The text is no data set of the Hub.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no data set of the Hub: write owner/name")]
pub struct NoLink(String);

/// The data sets of chest X-rays.
pub const CHEST: &[DataSet] = &[DataSet {
    key: "chest_xray14",
    origin: Origin::HuggingFace("cogent-demon/miner_dataset"),
    megabytes: 42_000,
    holds: "NIH ChestX-ray14: up to 112,120 X-rays of 30,805 patients, 14 findings; the original's miners train on it",
    licence: "NIH Clinical Center: free with attribution",
}];

/// The data sets of skin lesions, the best fitting first; [`crate::skin::prepare`] prefers pictures of the first.
pub const CATALOGUE: &[DataSet] = &[
    DataSet {
        key: "milk10k",
        origin: Origin::Direct(&[
            DirectFile {
                name: "MILK10k_Training_Input.zip",
                url: "https://isic-archive.s3.amazonaws.com/challenges/milk10k/MILK10k_Training_Input.zip",
            },
            DirectFile {
                name: "MILK10k_Training_GroundTruth.csv",
                url: "https://isic-archive.s3.amazonaws.com/challenges/milk10k/MILK10k_Training_GroundTruth.csv",
            },
            DirectFile {
                name: "MILK10k_Training_Metadata.csv",
                url: "https://isic-archive.s3.amazonaws.com/challenges/milk10k/MILK10k_Training_Metadata.csv",
            },
        ]),
        megabytes: 315,
        holds: "5,240 lesions, a clinical and a dermoscopic image each; exactly the eleven classes, age, sex, site",
        licence: "CC BY-NC 4.0",
    },
    DataSet {
        key: "ham10000",
        origin: Origin::Kaggle("kmader/skin-cancer-mnist-ham10000"),
        megabytes: 5_200,
        holds: "10,015 images of 7,470 lesions, 7 classes; age, sex, site",
        licence: "CC BY-NC-SA 4.0",
    },
    DataSet {
        key: "isic_2019",
        origin: Origin::Kaggle("andrewmvd/isic-2019"),
        megabytes: 9_000,
        holds: "25,331 images, 8 classes, HAM10000 among them; age, sex, site, lesion",
        licence: "CC BY-NC 4.0",
    },
    DataSet {
        key: "isic_2020",
        origin: Origin::Kaggle("cdeotte/jpeg-melanoma-256x256"),
        megabytes: 2_000,
        holds: "33,126 images of 256 pixels, most without a diagnosis (those are left out); patient, age, sex, site",
        licence: "CC BY-NC 4.0",
    },
    DataSet {
        key: "isic_2018",
        origin: Origin::Kaggle("kmader/skin-cancer-isic"),
        megabytes: 2_000,
        holds: "about 10,000 images of the 2018 challenge",
        licence: "CC BY-NC 4.0",
    },
    DataSet {
        key: "skin_cancer_9class",
        origin: Origin::Kaggle("nodoubttome/skin-cancer9-classesisic"),
        megabytes: 800,
        holds: "ISIC images in nine folders; no patient data",
        licence: "not stated",
    },
    DataSet {
        key: "skin_lesion_7class",
        origin: Origin::Kaggle("surajghuwalewala/ham1000-segmentation-and-classification"),
        megabytes: 2_800,
        holds: "HAM10000 again, with masks (the masks are left out)",
        licence: "CC BY-NC-SA 4.0",
    },
    DataSet {
        key: "dermnet",
        origin: Origin::Kaggle("shubhamgoel27/dermnet"),
        megabytes: 1_800,
        holds: "about 19,500 clinical photographs in 23 folders, most of inflammations; folders of mixed classes are left out",
        licence: "not stated",
    },
    DataSet {
        key: "marmal88_skin",
        origin: Origin::HuggingFace("marmal88/skin_cancer"),
        megabytes: 3_000,
        holds: "HAM10000 again, as Parquet",
        licence: "CC BY-NC-SA 4.0",
    },
    DataSet {
        key: "isic_hf",
        origin: Origin::HuggingFace("NeuronZero/Skin-Cancer-ISIC"),
        megabytes: 1_000,
        holds: "ISIC images as the Hub stores them, in nine classes; no patient data",
        licence: "not stated",
    },
    DataSet {
        key: "ph2",
        origin: Origin::Direct(&[DirectFile {
            name: "PH2Dataset.rar",
            url: "https://www.dropbox.com/s/k88qukc20ljnbuo/PH2Dataset.rar?dl=1",
        }]),
        megabytes: 425,
        holds: "200 images: 40 melanomas, 80 atypical and 80 common naevi; a RAR archive of BMP files, to be unpacked by hand, and labels to be written into a table",
        licence: "research only",
    },
];

/// What was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Keys; empty means all of the source.
    pub keys: Vec<String>,
    /// One source only.
    pub kind: Option<Kind>,
    /// Everything, of the source if there is one.
    pub all: bool,
}

/// Why nothing was selected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// No such set.
    #[error("no data set is called {name:?}{}; there are: {keys}", suggested(.nearest))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What could have been.
        keys: String,
        /// A key that is spelt nearly so.
        nearest: Option<&'static str>,
    },
    /// The set comes from another source.
    #[error("{key} comes from {}, not from {}; leave --source out", .actual.name(), .asked.name())]
    OtherSource {
        /// The set.
        key: &'static str,
        /// Where it comes from.
        actual: Kind,
        /// What was asked for.
        asked: Kind,
    },
    /// Nothing was asked for.
    #[error(
        "say which: --dataset KEY, --source SOURCE or --all; `agon data list tricorder` shows them"
    )]
    Nothing,
}

fn suggested(nearest: &Option<&'static str>) -> String {
    nearest.map_or(String::new(), |key| format!("; did you mean {key}?"))
}

impl Selection {
    /// The sets of a catalogue that were asked for, in its order: exactly those, whatever else a configuration says.
    pub fn resolve<'a>(&self, catalogue: &'a [DataSet]) -> Result<Vec<&'a DataSet>, SelectError> {
        let keys: Vec<&'static str> = catalogue.iter().map(|set| set.key).collect();
        for name in &self.keys {
            let Some(set) = catalogue.iter().find(|set| set.key == name) else {
                return Err(SelectError::Unknown {
                    name: name.clone(),
                    nearest: nearest(name, &keys),
                    keys: keys.join(", "),
                });
            };
            if let Some(asked) = self.kind.filter(|kind| *kind != set.kind()) {
                return Err(SelectError::OtherSource {
                    key: set.key,
                    actual: set.kind(),
                    asked,
                });
            }
        }
        if self.keys.is_empty() && self.kind.is_none() && !self.all {
            return Err(SelectError::Nothing);
        }
        let is_asked = |set: &&DataSet| match self.keys.is_empty() {
            true => self.kind.is_none_or(|kind| kind == set.kind()),
            false => self.keys.iter().any(|key| key == set.key),
        };
        Ok(catalogue.iter().filter(is_asked).collect())
    }
}

/// The key with the same letters and digits, or one that begins or ends like it.
fn nearest(name: &str, keys: &[&'static str]) -> Option<&'static str> {
    let plain = |text: &str| -> String {
        let kept = text.chars().filter(char::is_ascii_alphanumeric);
        kept.map(|c| c.to_ascii_lowercase()).collect()
    };
    let name = plain(name);
    let keys = || keys.iter().copied();
    let is_like = |key: &&str| {
        let key = plain(key);
        name.len() >= 3
            && (key.starts_with(&name) || name.starts_with(&key) || key.ends_with(&name))
    };
    keys()
        .find(|key| plain(key) == name)
        .or_else(|| keys().find(is_like))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(keys: &[&str], kind: Option<Kind>, all: bool) -> Result<Vec<&'static str>, String> {
        let selection = Selection {
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            kind,
            all,
        };
        match selection.resolve(CATALOGUE) {
            Ok(sets) => Ok(sets.into_iter().map(|set| set.key).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn each_flag_selects_what_it_says() {
        assert_eq!(resolve(&["ph2"], None, false).unwrap(), ["ph2"]);
        assert_eq!(
            resolve(&["ham10000", "milk10k"], None, false).unwrap(),
            ["milk10k", "ham10000"]
        );
        assert_eq!(
            resolve(&[], Some(Kind::HuggingFace), false).unwrap(),
            ["marmal88_skin", "isic_hf"]
        );
        assert_eq!(resolve(&[], None, true).unwrap().len(), CATALOGUE.len());
        assert_eq!(
            resolve(&[], Some(Kind::Direct), true).unwrap(),
            ["milk10k", "ph2"]
        );
        assert!(resolve(&[], None, false).unwrap_err().contains("--dataset"));
        let said = resolve(&["ham"], None, false).unwrap_err();
        assert!(said.contains("did you mean ham10000?"), "{said}");
        let said = resolve(&["isic2019"], None, false).unwrap_err();
        assert!(said.contains("did you mean isic_2019?"), "{said}");
        let said = resolve(&["ph2"], Some(Kind::Kaggle), false).unwrap_err();
        assert!(said.contains("comes from direct"), "{said}");
    }

    #[test]
    fn a_set_can_come_from_another_repository() {
        for link in [
            "me/x-rays",
            "datasets/me/x-rays",
            "https://huggingface.co/datasets/me/x-rays/",
        ] {
            assert_eq!(CHEST[0].linked(link).unwrap().id(), "me/x-rays");
        }
        for wrong in ["", "me", "me/..", "me/a/b", "https://example.org/me/a"] {
            assert!(CHEST[0].linked(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn keys_are_plain_and_stand_once() {
        let all = || CATALOGUE.iter().chain(CHEST);
        let mut keys: Vec<&str> = all().map(|set| set.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all().count());
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(keys.iter().all(|key| key.chars().all(is_plain)));
    }
}

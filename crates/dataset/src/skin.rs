//! Skin lesion images with patient data, and the vocabulary of the lesion competition.

pub(crate) mod directory;
pub mod manifest;
pub(crate) mod open;
mod parquet;
pub mod prepare;
mod raw;
pub mod released;
mod remarks;
pub mod synthetic;
pub(crate) mod table;
mod verify;
pub mod vocabulary;
mod workspace;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use directory::{LoadError, MAX_METADATA_BYTES, MAX_ROWS, Problem, load};
pub use open::open;
pub use verify::verify;

/// The classes of the competition, in the fixed order of a model's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LesionClass {
    /// Actinic keratosis and intraepidermal carcinoma.
    Akiec,
    /// Basal cell carcinoma.
    Bcc,
    /// Other benign growths.
    BenOth,
    /// Benign keratosis.
    Bkl,
    /// Dermatofibroma.
    Df,
    /// Inflammatory and infectious conditions.
    Inf,
    /// Other malignant growths.
    MalOth,
    /// Melanoma.
    Mel,
    /// Melanocytic naevus.
    Nv,
    /// Squamous cell carcinoma and keratoacanthoma.
    Sccka,
    /// Vascular lesions and haemorrhage.
    Vasc,
}

/// How much a class counts in the competition's weighted F1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Weight 1.
    Benign,
    /// Weight 2.
    Medium,
    /// Weight 3.
    High,
}

impl LesionClass {
    /// All classes; the position is the index of the model's output.
    pub const ALL: [Self; 11] = [
        Self::Akiec,
        Self::Bcc,
        Self::BenOth,
        Self::Bkl,
        Self::Df,
        Self::Inf,
        Self::MalOth,
        Self::Mel,
        Self::Nv,
        Self::Sccka,
        Self::Vasc,
    ];

    /// Index of the model's output, 0 to 10.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The competition's short code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Akiec => "AKIEC",
            Self::Bcc => "BCC",
            Self::BenOth => "BEN_OTH",
            Self::Bkl => "BKL",
            Self::Df => "DF",
            Self::Inf => "INF",
            Self::MalOth => "MAL_OTH",
            Self::Mel => "MEL",
            Self::Nv => "NV",
            Self::Sccka => "SCCKA",
            Self::Vasc => "VASC",
        }
    }

    /// The group whose mean F1 the class belongs to.
    pub fn risk(self) -> Risk {
        match self {
            Self::Bcc | Self::MalOth | Self::Mel | Self::Sccka => Risk::High,
            Self::Akiec | Self::Bkl | Self::Vasc => Risk::Medium,
            Self::BenOth | Self::Df | Self::Inf | Self::Nv => Risk::Benign,
        }
    }
}

/// Sex of the patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sex {
    /// Female.
    Female,
    /// Male.
    Male,
    /// Not recorded.
    Unknown,
}

/// Where on the body the lesion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Site {
    /// Arm without the hand.
    Arm,
    /// Feet.
    Feet,
    /// Genitalia.
    Genitalia,
    /// Hand.
    Hand,
    /// Head and neck.
    Head,
    /// Leg without the foot.
    Leg,
    /// Torso.
    Torso,
    /// Not recorded, or a site the competition has no code for.
    Unknown,
}

/// What is known of the patient besides the image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Demographics {
    /// Age in years, 0 to 120.
    pub age: Option<f32>,
    /// Sex.
    pub sex: Sex,
    /// Site of the lesion.
    pub site: Site,
}

impl Demographics {
    /// The model's second input: age in years (0 if unknown), sex (female 0, male 1, unknown -1), site (arm 1,
    /// feet 2, genitalia 3, hand 4, head 5, leg 6, torso 7, unknown -1).
    pub fn encode(&self) -> [f32; 3] {
        let sex = match self.sex {
            Sex::Female => 0.0,
            Sex::Male => 1.0,
            Sex::Unknown => -1.0,
        };
        let site = match self.site {
            Site::Arm => 1.0,
            Site::Feet => 2.0,
            Site::Genitalia => 3.0,
            Site::Hand => 4.0,
            Site::Head => 5.0,
            Site::Leg => 6.0,
            Site::Torso => 7.0,
            Site::Unknown => -1.0,
        };
        [self.age.unwrap_or(0.0), sex, site]
    }
}

/// One image of a lesion; as a path, its file.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Name of the image, unique in its data set.
    pub image_id: String,
    /// Name of the lesion; several images may show one lesion.
    pub lesion_id: String,
    /// Name of the patient, where it is known; one patient may have several lesions.
    pub patient_id: Option<String>,
    /// What else must stay together: images that look alike, and what they are tied to.
    pub group: Option<String>,
    /// The data set it comes from; empty if that is not recorded.
    pub source: String,
    /// SHA-256 of the image file in hex, where it is recorded.
    pub digest: Option<String>,
    /// The image file.
    pub path: PathBuf,
    /// Diagnosis.
    pub class: LesionClass,
    /// The patient.
    pub demographics: Demographics,
}

impl AsRef<Path> for Record {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_stand_in_the_order_of_the_competition() {
        let codes = LesionClass::ALL.map(LesionClass::code);
        assert_eq!(
            codes.join(" "),
            "AKIEC BCC BEN_OTH BKL DF INF MAL_OTH MEL NV SCCKA VASC"
        );
        for (position, class) in LesionClass::ALL.into_iter().enumerate() {
            assert_eq!(class.index(), position);
            assert_eq!(
                serde_json::to_string(&class).unwrap(),
                format!("\"{}\"", class.code())
            );
        }
        let group = |risk| {
            LesionClass::ALL
                .into_iter()
                .filter(|class| class.risk() == risk)
                .map(LesionClass::code)
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(group(Risk::High), "BCC MAL_OTH MEL SCCKA");
        assert_eq!(group(Risk::Medium), "AKIEC BKL VASC");
        assert_eq!(group(Risk::Benign), "BEN_OTH DF INF NV");
    }

    /// The golden vectors of the competition.
    #[test]
    fn demographics_are_encoded_as_the_competition_does() {
        let known = Demographics {
            age: Some(50.0),
            sex: Sex::Female,
            site: Site::Torso,
        };
        assert_eq!(known.encode(), [50.0, 0.0, 7.0]);
        let missing = Demographics {
            age: None,
            sex: Sex::Unknown,
            site: Site::Unknown,
        };
        assert_eq!(missing.encode(), [0.0, -1.0, -1.0]);
        let male = Demographics {
            age: Some(35.0),
            sex: Sex::Male,
            site: Site::Arm,
        };
        assert_eq!(male.encode(), [35.0, 1.0, 1.0]);
    }
}

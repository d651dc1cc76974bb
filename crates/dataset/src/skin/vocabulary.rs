//! What the words of the data sets mean: diagnoses, body sites, sexes and ages.
//!
//! Every name is listed. Upper and lower case are one, and `_`, `-` and `/` count as spaces; beyond that a word is in
//! the table or it is unknown. Nothing is found inside another word and no class stands in for an unknown one.

use super::{LesionClass, Sex, Site};

/// Oldest patient the competition accepts, in years.
pub const MAX_AGE: f32 = 120.0;

/// Longest word that is looked up, in bytes.
const MAX_WORD: usize = 128;

/// What a diagnosis of a data set means in the competition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Diagnosis {
    /// One of the eleven classes.
    Class(LesionClass),
    /// The name is known and no class follows from it, for this reason. Such images are left out, and it is said.
    NoClass(&'static str),
}

const UNDECIDED: Diagnosis = Diagnosis::NoClass("says that no diagnosis is known");
const DIGNITY: Diagnosis = Diagnosis::NoClass("tells benign from malignant, not what it is");
const MIXED: Diagnosis = Diagnosis::NoClass("holds several classes");
const NO_LESION: Diagnosis = Diagnosis::NoClass("is not about a lesion of the skin");

/// Diagnoses by their names: the competition's codes, HAM10000, the ISIC challenges of 2018 to 2020, MILK10k, the nine
/// ISIC folders, PH2 and the 23 DermNet folders.
const DIAGNOSES: &[(&str, Diagnosis)] = {
    use Diagnosis::Class;
    use LesionClass::*;
    &[
        // The competition, MILK10k; HAM10000 and ISIC 2018 use seven of them.
        ("akiec", Class(Akiec)),
        ("bcc", Class(Bcc)),
        ("ben oth", Class(BenOth)),
        ("bkl", Class(Bkl)),
        ("df", Class(Df)),
        ("inf", Class(Inf)),
        ("mal oth", Class(MalOth)),
        ("mel", Class(Mel)),
        ("nv", Class(Nv)),
        ("sccka", Class(Sccka)),
        ("vasc", Class(Vasc)),
        // ISIC 2019.
        ("ak", Class(Akiec)),
        ("scc", Class(Sccka)),
        ("unk", UNDECIDED),
        // Full names: ISIC 2020, the nine ISIC folders, PH2 and others.
        ("actinic keratosis", Class(Akiec)),
        ("actinic keratoses", Class(Akiec)),
        ("bowen disease", Class(Akiec)),
        ("bowen's disease", Class(Akiec)),
        ("actinic keratosis intraepidermal carcinoma", Class(Akiec)),
        ("basal cell carcinoma", Class(Bcc)),
        ("benign keratosis", Class(Bkl)),
        ("benign keratosis like lesions", Class(Bkl)),
        ("benign keratinocytic lesion", Class(Bkl)),
        ("pigmented benign keratosis", Class(Bkl)),
        ("seborrheic keratosis", Class(Bkl)),
        ("lichenoid keratosis", Class(Bkl)),
        ("solar lentigo", Class(Bkl)),
        ("lentigo nos", Class(Bkl)),
        ("lentigo simplex", Class(Bkl)),
        ("dermatofibroma", Class(Df)),
        ("melanoma", Class(Mel)),
        ("melanoma in situ", Class(Mel)),
        // Excised as melanomas are; the competition's reference training does the same.
        ("atypical melanocytic proliferation", Class(Mel)),
        ("nevus", Class(Nv)),
        ("naevus", Class(Nv)),
        ("melanocytic nevus", Class(Nv)),
        ("melanocytic nevi", Class(Nv)),
        ("common nevus", Class(Nv)),
        ("atypical nevus", Class(Nv)),
        ("squamous cell carcinoma", Class(Sccka)),
        ("keratoacanthoma", Class(Sccka)),
        ("squamous cell carcinoma keratoacanthoma", Class(Sccka)),
        ("vascular lesion", Class(Vasc)),
        ("vascular lesions", Class(Vasc)),
        ("vascular lesions and hemorrhage", Class(Vasc)),
        ("angioma", Class(Vasc)),
        ("cafe au lait macule", Class(BenOth)),
        ("other benign", Class(BenOth)),
        ("other benign proliferations", Class(BenOth)),
        ("other malignant", Class(MalOth)),
        ("other malignant proliferations", Class(MalOth)),
        ("merkel cell carcinoma", Class(MalOth)),
        ("inflammatory and infectious conditions", Class(Inf)),
        // Known words that no class follows from. In ISIC 2020 most images are "unknown" and "benign".
        ("unknown", UNDECIDED),
        ("other", UNDECIDED),
        ("benign", DIGNITY),
        ("malignant", DIGNITY),
        ("indeterminate", UNDECIDED),
        // DermNet, by folder.
        ("acne and rosacea photos", Class(Inf)),
        (
            "actinic keratosis basal cell carcinoma and other malignant lesions",
            MIXED,
        ),
        ("atopic dermatitis photos", Class(Inf)),
        ("bullous disease photos", Class(Inf)),
        (
            "cellulitis impetigo and other bacterial infections",
            Class(Inf),
        ),
        ("eczema photos", Class(Inf)),
        ("exanthems and drug eruptions", Class(Inf)),
        (
            "hair loss photos alopecia and other hair diseases",
            NO_LESION,
        ),
        ("herpes hpv and other stds photos", Class(Inf)),
        ("light diseases and disorders of pigmentation", MIXED),
        ("lupus and other connective tissue diseases", Class(Inf)),
        ("melanoma skin cancer nevi and moles", MIXED),
        ("nail fungus and other nail disease", NO_LESION),
        ("poison ivy photos and other contact dermatitis", Class(Inf)),
        (
            "psoriasis pictures lichen planus and related diseases",
            Class(Inf),
        ),
        (
            "scabies lyme disease and other infestations and bites",
            Class(Inf),
        ),
        ("seborrheic keratoses and other benign tumors", MIXED),
        ("systemic disease", MIXED),
        (
            "tinea ringworm candidiasis and other fungal infections",
            Class(Inf),
        ),
        ("urticaria hives", Class(Inf)),
        ("vascular tumors", Class(Vasc)),
        ("vasculitis photos", Class(Inf)),
        ("warts molluscum and other viral infections", Class(Inf)),
    ]
};

/// Body sites by their names. A name that covers several of the seven sites has no code, so it is `Unknown`.
const SITES: &[(&str, Site)] = &[
    // The competition.
    ("arm", Site::Arm),
    ("feet", Site::Feet),
    ("genitalia", Site::Genitalia),
    ("hand", Site::Hand),
    ("head", Site::Head),
    ("leg", Site::Leg),
    ("torso", Site::Torso),
    ("unknown", Site::Unknown),
    // HAM10000.
    ("abdomen", Site::Torso),
    ("acral", Site::Unknown),
    ("back", Site::Torso),
    ("chest", Site::Torso),
    ("ear", Site::Head),
    ("face", Site::Head),
    ("foot", Site::Feet),
    ("genital", Site::Genitalia),
    ("lower extremity", Site::Leg),
    ("neck", Site::Head),
    ("scalp", Site::Head),
    ("trunk", Site::Torso),
    ("upper extremity", Site::Arm),
    // ISIC 2019 and 2020.
    ("anterior torso", Site::Torso),
    ("head neck", Site::Head),
    ("lateral torso", Site::Torso),
    ("oral genital", Site::Unknown),
    ("palms soles", Site::Unknown),
    ("posterior torso", Site::Torso),
    // MILK10k.
    ("head neck face", Site::Head),
];

/// Words that stand for "not recorded", besides an empty field.
const NOTHING: &[&str] = &["", "na", "n a", "nan", "none", "null", "unknown"];

/// The meaning of a diagnosis; `None` if the name is in no table.
pub fn diagnosis(name: &str) -> Option<Diagnosis> {
    look_up(name, DIAGNOSES)
}

/// The body site; `None` if the name is in no table. Not recorded is [`Site::Unknown`].
pub fn site(name: &str) -> Option<Site> {
    if is_nothing(name) {
        return Some(Site::Unknown);
    }
    look_up(name, SITES)
}

/// The sex; `None` if it is none of the names. Not recorded is [`Sex::Unknown`].
pub fn sex(name: &str) -> Option<Sex> {
    match plain(name).as_str() {
        "female" | "f" => Some(Sex::Female),
        "male" | "m" => Some(Sex::Male),
        word if NOTHING.contains(&word) => Some(Sex::Unknown),
        _ => None,
    }
}

/// The age in years, 0 to [`MAX_AGE`]; `45` and `45.0` are one number. The inner `None` is an age that is not
/// recorded, the outer one a text that is no such age.
pub fn age(text: &str) -> Option<Option<f32>> {
    if is_nothing(text) {
        return Some(None);
    }
    match text.trim().parse::<f32>() {
        Ok(age) if (0.0..=MAX_AGE).contains(&age) => Some(Some(age)),
        _ => None,
    }
}

/// Whether the field says that nothing was recorded.
pub fn is_nothing(text: &str) -> bool {
    NOTHING.contains(&plain(text).as_str())
}

fn look_up<T: Copy>(name: &str, table: &[(&str, T)]) -> Option<T> {
    let name = plain(name);
    table
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, meaning)| *meaning)
}

/// Lower case, with single spaces for white space, `_`, `-` and `/`.
fn plain(name: &str) -> String {
    if name.len() > MAX_WORD {
        return name.to_owned();
    }
    let is_gap = |c: char| c.is_whitespace() || matches!(c, '_' | '-' | '/');
    let words: Vec<&str> = name.split(is_gap).filter(|word| !word.is_empty()).collect();
    words.join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_stands_once_and_in_the_form_that_is_looked_up() {
        fn check<T>(table: &[(&str, T)]) {
            let names: BTreeSet<&str> = table.iter().map(|(name, _)| *name).collect();
            assert_eq!(names.len(), table.len());
            for name in names {
                assert_eq!(plain(name), name);
            }
        }
        check(DIAGNOSES);
        check(SITES);
    }

    #[test]
    fn the_codes_of_the_competition_mean_themselves() {
        for class in LesionClass::ALL {
            assert_eq!(diagnosis(class.code()), Some(Diagnosis::Class(class)));
        }
    }

    #[test]
    fn names_of_the_sources_are_known() {
        let class = |name| match diagnosis(name) {
            Some(Diagnosis::Class(class)) => class.code(),
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(class("AK"), "AKIEC");
        assert_eq!(class("SCC"), "SCCKA");
        assert_eq!(class("lentigo NOS"), "BKL");
        assert_eq!(class("cafe-au-lait macule"), "BEN_OTH");
        assert_eq!(class(" Melanoma "), "MEL");
        assert_eq!(class("Common Nevus"), "NV");
        assert_eq!(class("Urticaria Hives"), "INF");
        assert_eq!(site("head/neck"), Some(Site::Head));
        assert_eq!(site("head_neck_face"), Some(Site::Head));
        assert_eq!(site("lower_extremity"), Some(Site::Leg));
        assert_eq!(site("palms/soles"), Some(Site::Unknown));
        assert_eq!(site(""), Some(Site::Unknown));
        assert_eq!(sex("M"), Some(Sex::Male));
    }

    #[test]
    fn nothing_is_found_inside_a_word_and_no_class_stands_in() {
        for name in ["break", "nvx", "envy", "melan", "basal", "0", "", "a k"] {
            assert_eq!(diagnosis(name), None, "{name}");
        }
        for name in ["unknown", "UNK", "benign", "malignant"] {
            assert!(
                matches!(diagnosis(name), Some(Diagnosis::NoClass(_))),
                "{name}"
            );
        }
        assert_eq!(site("backside"), None);
        assert_eq!(sex("males"), None);
        assert_eq!(diagnosis(&"mel ".repeat(1000)), None);
    }

    #[test]
    fn ages_are_numbers_or_nothing() {
        assert_eq!(age("45"), Some(Some(45.0)));
        assert_eq!(age("45.0"), Some(Some(45.0)));
        assert_eq!(age(""), Some(None));
        assert_eq!(age("NaN"), Some(None));
        for wrong in ["-1", "121", "4O", "inf", "forty", "1e9", "45,0"] {
            assert_eq!(age(wrong), None, "{wrong}");
        }
    }
}

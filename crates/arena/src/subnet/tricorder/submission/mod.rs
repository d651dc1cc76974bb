//! What the original competition's validators want of a submission beside a good model: names within limits, the code's
//! archive beside the model, a licence, a public repository, and a record of the commitment.
//!
//! [`Shelf`] is where a submission's files stand, on this machine or on the Hub; [`objections`] says what a validator
//! would hold against what stands there. The model itself is judged as ever, in the sandbox ([`check`]).

mod shelf;

pub use shelf::{Found, PublishError, Shelf};

use super::Tricorder;
use crate::commitment::{ClaimError, File, Form, Statement};
use crate::competition::Judgement;
use crate::sandbox::{Sandbox, SandboxError};
use agon_dataset::skin::synthetic::{GenerateError, Synthetic, generate};
use agon_dataset::skin::{self, LoadError};
use agon_keys::AccountId;
use agon_model::digest::Digest;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The file that says where the commitment stands.
pub const RECORD: &str = "extrinsic_record.json";
/// The file that says what the licence is.
pub const CARD: &str = "README.md";
/// The only licence that is taken.
pub const LICENCE: &str = "mit";
/// A commitment counts for data sets that are released at least so long after its block.
pub const CUTOFF: Duration = Duration::from_secs(120 * 60);

/// Most bytes of the names of repository, model and code.
const MAX_REPOSITORY: usize = 32;
const MAX_MODEL: usize = 32;
const MAX_CODE: usize = 31;

/// What a submission is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// `owner/name` of the Hub, or the word for the local store.
    pub repository: String,
    /// The model's file without `.onnx`, and the code's without `.zip`.
    pub stem: String,
    /// The competition.
    pub competition: String,
}

/// Why a submission cannot be called so.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The model's file has another ending.
    #[error("the model's file {0:?} must end in .onnx")]
    Ending(String),
    /// The code's archive has another name.
    #[error("the code's archive is called {found:?}, but must be called {wanted:?}: as the model")]
    Code {
        /// Its name.
        found: String,
        /// What it must be.
        wanted: String,
    },
    /// Longer than the original's tools and validators take.
    #[error("{what} {text:?} has {} bytes; at most {most} are taken", text.len())]
    TooLong {
        /// What it names.
        what: &'static str,
        /// The name.
        text: String,
        /// The most bytes.
        most: usize,
    },
    /// No commitment can be made of it.
    #[error(transparent)]
    Claim(#[from] ClaimError),
}

impl Names {
    /// Names within the original's limits.
    ///
    /// # Errors
    /// See [`NameError`].
    pub fn new(repository: &str, model_file: &str, competition: &str) -> Result<Self, NameError> {
        let stem = model_file.strip_suffix(".onnx").unwrap_or_default();
        if stem.is_empty() {
            return Err(NameError::Ending(model_file.to_owned()));
        }
        let names = Self {
            repository: repository.to_owned(),
            stem: stem.to_owned(),
            competition: competition.to_owned(),
        };
        let at_most = |what, text: &str, most| match text.len() > most {
            true => Err(NameError::TooLong {
                what,
                text: text.to_owned(),
                most,
            }),
            false => Ok(()),
        };
        at_most("the repository", repository, MAX_REPOSITORY)?;
        at_most("the model's file", model_file, MAX_MODEL)?;
        at_most("the code's archive", &names.code_file(), MAX_CODE)?;
        // What a validator could not read is not committed to.
        let statement = names.statement(Digest::of(b"")).to_string();
        Statement::read(statement.as_bytes(), &[Form::File])?;
        Ok(names)
    }

    /// What a submission in two phases is called: the files are named after the model's digest, and the limits of the
    /// original do not hold.
    pub fn sealed(repository: &str, digest: Digest, competition: &str) -> Self {
        Self {
            repository: repository.to_owned(),
            stem: digest.to_string(),
            competition: competition.to_owned(),
        }
    }

    /// The model's file.
    pub fn model_file(&self) -> String {
        format!("{}.onnx", self.stem)
    }

    /// The code's archive.
    pub fn code_file(&self) -> String {
        format!("{}.zip", self.stem)
    }

    /// That the archive is called as the model.
    ///
    /// # Errors
    /// When it is not.
    pub fn check_code(&self, file: &str) -> Result<(), NameError> {
        match self.code_file() {
            wanted if wanted != file => Err(NameError::Code {
                found: file.to_owned(),
                wanted,
            }),
            _ => Ok(()),
        }
    }

    /// What is committed on chain to a model of this digest.
    pub fn statement(&self, digest: Digest) -> Statement {
        Statement::File(File {
            repository: self.repository.clone(),
            stem: self.stem.clone(),
            competition: self.competition.clone(),
            digest,
        })
    }

    /// The card of a repository that has none.
    fn card(&self) -> String {
        let Self {
            stem, competition, ..
        } = self;
        format!(
            "---\nlicense: {LICENCE}\ntags:\n- onnx\n---\n\n# {stem}\n\nA model submitted to the competition {competition}. \
             `{}` holds the code that it was made with.\n",
            self.code_file()
        )
    }
}

/// Where the commitment stands, as the original's validators look it up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Who committed.
    pub hotkey: AccountId,
    /// `<block>-<index>`.
    pub extrinsic: String,
}

impl Record {
    /// The record of a commitment.
    pub fn new(hotkey: AccountId, block: u64, index: u32) -> Self {
        Self {
            hotkey,
            extrinsic: format!("{block}-{index}"),
        }
    }

    /// Block and index; the index may be hexadecimal.
    pub fn place(&self) -> Option<(u64, u32)> {
        let (block, index) = self.extrinsic.split_once('-')?;
        let index = match index.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => index.parse().ok()?,
        };
        Some((block.parse().ok()?, index))
    }
}

/// What a validator of the original would hold against a submission; nothing if it takes it. `placed` is where the
/// commitment stands and the record must say that it does; nothing for one in two phases, which needs no record.
pub fn objections(
    names: &Names,
    digest: Digest,
    hotkey: &AccountId,
    placed: Option<(u64, Option<u32>)>,
    found: &Found,
) -> Vec<String> {
    let mut objections = Vec::new();
    let mut object = |objection: String| objections.push(objection);
    match found.model.as_deref() {
        None => object(format!("there is no {}", names.model_file())),
        Some(model) if model != digest.to_string() => object(format!(
            "{} is not the committed file: its SHA-256 is {model}",
            names.model_file()
        )),
        Some(_) => {}
    }
    if !found.has_code {
        object(format!("there is no {} with the code", names.code_file()));
    }
    match found.licence.as_deref() {
        Some(licence) if licence.eq_ignore_ascii_case(LICENCE) => {}
        Some(licence) => object(format!(
            "the licence is {licence:?}; only {LICENCE} is taken"
        )),
        None => object(format!("{CARD} names no licence; only {LICENCE} is taken")),
    }
    if !found.is_public {
        object("the repository is private, so no validator can read it".to_owned());
    }
    let Some((block, index)) = placed else {
        return objections;
    };
    let mut object = |objection: String| objections.push(objection);
    match &found.record {
        None => object(format!("there is no readable {RECORD}")),
        Some(record) if record.hotkey != *hotkey => object(format!(
            "{RECORD} names the hotkey {}, which is another one",
            record.hotkey
        )),
        // A node that no longer knows the index knows the block.
        Some(record) => match record.place() {
            Some((at, of)) if at == block && index.is_none_or(|index| index == of) => {}
            _ => object(format!(
                "{RECORD} names the extrinsic {:?}, but the commitment stands in block {block}",
                record.extrinsic
            )),
        },
    }
    objections
}

/// Why a model could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// There are no images to ask it about.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// The images cannot be read back.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The sandbox failed.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

/// Whether validators would run the model: its size, its operators, its inputs and outputs, and answers in time to two
/// generated images, which are put into `directory`. The score of the judgement means nothing.
pub async fn check(
    sandbox: &Sandbox,
    directory: &Path,
    model: &[u8],
) -> Result<Judgement, CheckError> {
    let images = Synthetic {
        images: 2,
        ..Synthetic::default()
    };
    generate(directory, &images, &|_, _| {})?;
    let records = skin::load(directory)?;
    let items: Vec<usize> = (0..records.len()).collect();
    let competition = Arc::new(Tricorder::new(records, items.len()));
    Ok(sandbox.judge(competition, model, &items).await?.judgement)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_within_the_originals_limits() {
        let names = Names::new("someone/skin", "lesions.onnx", "tricorder-3").unwrap();
        assert_eq!(names.code_file(), "lesions.zip");
        assert!(names.check_code("lesions.zip").is_ok());
        assert!(names.check_code("code.zip").is_err());
        let text = names.statement(Digest::of(b"weights")).to_string();
        let sha = Digest::of(b"weights");
        assert_eq!(text, format!("someone/skin:lesions:tricorder-3:{sha}"));

        let longest = format!("{}.onnx", "n".repeat(27));
        assert!(Names::new(&format!("o/{}", "r".repeat(30)), &longest, "c").is_ok());
        let said = |repository: &str, file: &str| {
            let error = Names::new(repository, file, "c").unwrap_err();
            error.to_string()
        };
        assert!(said(&format!("o/{}", "r".repeat(31)), "m.onnx").contains("33 bytes"));
        assert!(said("o/r", &format!("{}.onnx", "n".repeat(28))).contains("33 bytes"));
        assert!(said("o/r", "model.pt").contains(".onnx"));
        assert!(said("o/r", ".onnx").contains(".onnx"));
        assert!(said("skin", "m.onnx").contains("owner/name"));
        assert!(said("o/r", "a:b.onnx").contains("5 fields"));
        // Each is short enough, but together they are not.
        let competition = "c".repeat(30);
        let error = Names::new(&format!("o/{}", "r".repeat(30)), "m.onnx", &competition);
        assert!(matches!(
            error,
            Err(NameError::Claim(ClaimError::TooLong(_)))
        ));
    }

    #[test]
    fn the_record_is_the_originals() {
        let hotkey = AccountId::from([7; 32]);
        let record = Record::new(hotkey, 1234, 5);
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(
            text,
            format!("{{\"hotkey\":\"{hotkey}\",\"extrinsic\":\"1234-5\"}}")
        );
        assert_eq!(record.place(), Some((1234, 5)));
        let of = |extrinsic: &str| {
            let extrinsic = extrinsic.to_owned();
            Record { hotkey, extrinsic }.place()
        };
        assert_eq!(of("1234-0x1f"), Some((1234, 31)));
        for wrong in ["", "12", "12-", "-1", "a-b", "1-2-3"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn everything_that_is_missing_is_named() {
        let names = Names::new("someone/skin", "lesions.onnx", "c").unwrap();
        let hotkey = AccountId::from([7; 32]);
        let digest = Digest::of(b"weights");
        let whole = Found {
            model: Some(digest.to_string()),
            has_code: true,
            licence: Some("MIT".into()),
            is_public: true,
            record: Some(Record::new(hotkey, 9, 2)),
        };
        let of = |found: &Found, placed| objections(&names, digest, &hotkey, Some(placed), found);
        assert_eq!(of(&whole, (9, Some(2))), Vec::<String>::new());
        assert_eq!(of(&whole, (9, None)), Vec::<String>::new());
        assert!(of(&whole, (9, Some(3)))[0].contains("9-2"));
        let wrong = Found {
            model: Some("00".into()),
            has_code: false,
            licence: Some("limited".into()),
            is_public: false,
            record: Some(Record::new(AccountId::from([8; 32]), 9, 2)),
        };
        assert_eq!(of(&wrong, (9, Some(2))).len(), 5);
        assert_eq!(of(&Found::default(), (9, Some(2))).len(), 5);
        let sealed = objections(&names, digest, &hotkey, None, &Found::default());
        assert_eq!(sealed.len(), 4);
    }
}

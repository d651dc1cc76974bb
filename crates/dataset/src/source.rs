//! Public data sets: what there is, and how it gets here whole.
//!
//! [`CATALOGUE`] and [`CHEST`] list the sets; [`fetch`] brings one into a directory of its name, from Kaggle, the Hugging Face Hub
//! or plain addresses. A set appears under its name only when everything was transferred, checked and unpacked; until
//! then it lies in a hidden directory beside, from where an interrupted transfer goes on. [`verify`] compares what is
//! there with the receipt that was written then. [`HubFile`] is one file of a model repository, [`Repository`] one that
//! the user fills, [`Listing`] what lies in a repository of data and since when. [`unzip`] unpacks an archive that came in another way.
//!
//! What it refuses to do: it fetches nothing that was not asked for by name, sends credentials to no host but the one
//! they are for, and unpacks nothing outside its directory or beyond its limits.

mod access;
mod archive;
mod catalogue;
mod fetch;
mod hub;
mod listing;
mod receipt;
mod repository;
pub(crate) mod transfer;

use std::io;
use std::path::{Path, PathBuf};

pub use access::Access;
#[cfg(feature = "s3")]
pub(crate) use access::parse_endpoint;
pub(crate) use archive::inside;
pub use archive::{Caps, MAX_ENTRIES, MAX_RATIO, UnpackError, unzip};
pub use catalogue::{
    CATALOGUE, CHEST, DataSet, DirectFile, Kind, NoLink, Origin, SelectError, Selection,
};
pub use fetch::{Outcome, Progress, Settings, Step, Watch, fetch, steps};
pub use hub::{HubFile, ParseHubFileError, Patience, Wanted};
pub use listing::{Collection, ListedFile, Listing};
pub use receipt::{RECEIPT, Receipt, ReceiptFile, Verified, verify};
pub use repository::{Repository, State, Upload};
pub use transfer::MAX_FILE_BYTES;

/// Why a data set is not here.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Credentials are absent, not readable or not accepted; the text says what to do.
    #[error("{0}")]
    Credentials(String),
    /// An endpoint of the environment cannot be used.
    #[error("{name}={value:?} cannot be used: {reason}")]
    Endpoint {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is nothing at the address.
    #[error("{url}: there is nothing (status 404); the address may have moved")]
    NotFound {
        /// The address, without its query.
        url: String,
    },
    /// The server's answer cannot be used, or it failed until the attempts were spent.
    #[error("{url}: {reason}")]
    Transfer {
        /// The address, without its query.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// What arrived is not what was announced.
    #[error("{name}: the {what} is {found}, but should be {wanted}; what arrived was removed")]
    Mismatch {
        /// The file.
        name: String,
        /// "size", "SHA-256" or "MD5".
        what: &'static str,
        /// What arrived.
        found: String,
        /// What was announced.
        wanted: String,
    },
    /// What arrived is plainly not what was asked for, though the server said that it was.
    #[error("{name}: the answer is {what} (a login or consent page?); it was removed. {advice}")]
    NotData {
        /// The file.
        name: String,
        /// What it is instead.
        what: &'static str,
        /// What to do.
        advice: String,
    },
    /// More arrives, or is announced, than is taken.
    #[error("{name}: it has {size} bytes or more; at most {limit} are taken")]
    TooLarge {
        /// The file.
        name: String,
        /// What was announced, or what had arrived.
        size: u64,
        /// The most that is taken.
        limit: u64,
    },
    /// An archive cannot be unpacked.
    #[error("{}: {reason}", path.display())]
    Unpack {
        /// The archive.
        path: PathBuf,
        /// Why.
        reason: UnpackError,
    },
    /// Another process fetches the same set into the same directory.
    #[error("another agon is downloading into {}", .0.display())]
    Busy(PathBuf),
    /// There is no receipt, or it cannot be read.
    #[error("{} cannot be verified: {reason}", path.display())]
    NoReceipt {
        /// The directory.
        path: PathBuf,
        /// What is wrong with its receipt.
        reason: String,
    },
    /// Told to stop.
    #[error("stopped; the same command goes on from here")]
    Stopped,
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or directory concerned.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl SourceError {
    /// Whether the user can mend it: credentials, endpoints, consent, names of directories.
    pub fn is_users(&self) -> bool {
        matches!(
            self,
            Self::Credentials(_)
                | Self::Endpoint { .. }
                | Self::NotData { .. }
                | Self::Busy(_)
                | Self::NoReceipt { .. }
        )
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> SourceError + '_ {
    move |source| SourceError::Io {
        path: path.to_path_buf(),
        source,
    }
}

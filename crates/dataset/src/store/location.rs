//! What a user calls a store.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{ArtefactStore, Cache, LocalStore, StoreError};

/// How the names of buckets begin.
const BUCKET: &str = "s3://";

/// Where a store is: a directory or, with the feature `s3`, `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// On this machine.
    Directory(PathBuf),
    /// On a server that speaks S3.
    #[cfg(feature = "s3")]
    Bucket(super::BucketPlace),
}

/// The text names no store that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseLocationError {
    /// A bucket, and this program cannot use any.
    #[error(
        "this agon was built without buckets; build it with cargo build --release --features s3, or name a directory"
    )]
    NotBuilt,
    /// No bucket has such a name.
    #[error("it names no bucket; write s3://bucket or s3://bucket/prefix")]
    NoBucket,
}

impl TryFrom<OsString> for Location {
    type Error = ParseLocationError;

    fn try_from(text: OsString) -> Result<Self, ParseLocationError> {
        // What is no text is no bucket either.
        match text.to_str().and_then(|text| text.strip_prefix(BUCKET)) {
            None => Ok(Self::Directory(text.into())),
            #[cfg(feature = "s3")]
            Some(place) => place.parse().map(Self::Bucket),
            #[cfg(not(feature = "s3"))]
            Some(_) => Err(ParseLocationError::NotBuilt),
        }
    }
}

impl Location {
    /// The directory, if it is one.
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Self::Directory(directory) => Some(directory),
            #[cfg(feature = "s3")]
            Self::Bucket(_) => None,
        }
    }

    /// Opens the store; a directory that is absent is made. How to reach a bucket is read through `variable` (see
    /// `S3Store::open`), and what comes from one is kept in `cache`, if there is one.
    ///
    /// # Errors
    /// When the directory cannot be made, or the environment says what cannot be used.
    #[cfg_attr(
        not(feature = "s3"),
        expect(unused_variables, reason = "only buckets need it")
    )]
    pub fn open(
        &self,
        variable: &dyn Fn(&str) -> Option<String>,
        cache: Option<Cache>,
    ) -> Result<Arc<dyn ArtefactStore>, StoreError> {
        Ok(match self {
            Self::Directory(directory) => Arc::new(LocalStore::open(directory)?),
            #[cfg(feature = "s3")]
            Self::Bucket(place) => {
                let patience = crate::source::Patience::default();
                Arc::new(super::S3Store::open(place, variable, patience, cache)?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_bucket_is_a_directory() {
        for text in [".agon/store", "/tmp/s3:/x", "s3:", "S3://x"] {
            let location = Location::try_from(OsString::from(text)).unwrap();
            assert_eq!(location.directory(), Some(Path::new(text)));
        }
    }

    #[cfg(not(feature = "s3"))]
    #[test]
    fn a_bucket_is_refused_with_what_to_do() {
        for text in ["s3://bucket/prefix", "s3://"] {
            let refused = Location::try_from(OsString::from(text)).unwrap_err();
            assert!(refused.to_string().contains("--features s3"), "{refused}");
        }
    }
}

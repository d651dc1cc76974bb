//! The store that was named, whatever it is.

use crate::failure::Failure;
use agon_dataset::store::{ArtefactStore, Cache, Location};
use std::sync::Arc;

/// Opens the store. What comes from a server is kept in `cache`, if there is one.
pub fn open(location: &Location, cache: Option<Cache>) -> Result<Arc<dyn ArtefactStore>, Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    location.open(&variable, cache).map_err(Failure::user)
}

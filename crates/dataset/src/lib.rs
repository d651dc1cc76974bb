//! Bytes from the world into samples.
//!
//! This crate fetches and reads data sets and artefacts that other people made and turns them into checked records
//! and pixels: public data sets, transferred and unpacked ([`source`]); one prepared directory of them
//! ([`skin::prepare`]); whatever a competitor has, opened ([`skin::open`]); a procedural stand-in
//! ([`skin::synthetic`]); chest X-rays with any number of findings ([`chest`]); pictures that look alike
//! ([`duplicates`]); the division into parts that share no lesion and no patient ([`split`]); decoding and resizing
//! exactly as the judges do it ([`image`]); decoded images kept in memory ([`cache`]); training augmentation
//! ([`augment`]), images to be asked about ([`disguise`]); the content-addressed store of model files ([`store`]) and the code beside them as one archive
//! ([`pack`]); files written whole or not at all ([`files`]).
//!
//! What it refuses to do: it never guesses a label, a body site or an age; it never opens a path outside the directory
//! it was given because a data file spells it out; it never decodes, reads or unpacks past its limits; it never hands
//! out bytes whose digest is not the one asked for. It knows nothing of models, chains or scores.

pub mod augment;
pub mod cache;
pub mod chest;
pub mod disguise;
pub mod duplicates;
pub mod files;
mod groups;
pub mod image;
pub mod pack;
mod seed;
pub mod skin;
pub mod source;
pub mod split;
pub mod store;

pub use groups::groups;

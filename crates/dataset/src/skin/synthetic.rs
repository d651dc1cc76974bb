//! Generated lesion images in the HAM10000 layout, for a machine without real data.
//!
//! They are drawn, not photographed: useful to see a network learn and a competition run, worthless as medicine.
//! Seven classes are drawn with overlapping distributions of size, outline, colours and structures (see
//! `appearance.rs`), some lesions lean towards another class, some are shown several times, and hairs, lighting and
//! lens shadow disturb the view, so that a small network can learn them but not perfectly. Age, sex and site lean a
//! little with the class, as in the real data.
//!
//! Equal parameters give equal files on one machine; the last bit of a sine may differ between platforms, so share
//! the files, not the seed, where bytes must agree.

mod appearance;
mod render;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};
use rand::{Rng, RngExt};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{files, seed};
use appearance::Lesion;

/// Changes when the same parameters give other files.
const VERSION: u32 = 1;
const MANIFEST: &str = "synthetic.json";
const MAX_MANIFEST_BYTES: u64 = 4096;
const JPEG_QUALITY: u8 = 92;

/// What to generate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Synthetic {
    /// Everything random comes from here.
    pub seed: u64,
    /// How many images, at most [`super::MAX_ROWS`].
    pub images: usize,
    /// Width of each, in pixels, 8 to 1024.
    pub width: usize,
    /// Height of each, in pixels, 8 to 1024.
    pub height: usize,
}

impl Default for Synthetic {
    /// 1,200 images of 96x72.
    fn default() -> Self {
        Self {
            seed: 0,
            images: 1200,
            width: 96,
            height: 72,
        }
    }
}

/// Why nothing was generated.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The parameters are out of range.
    #[error(
        "{images} generated images of {width}x{height} pixels: 1 to 1,000,000 images with sides of 8 to 1024 are possible"
    )]
    Parameters {
        /// How many images were asked for.
        images: usize,
        /// Their width.
        width: usize,
        /// Their height.
        height: usize,
    },
    /// The directory holds something that was not generated here; it is left alone.
    #[error(
        "{} is not empty and was not made by the generator; choose another directory or remove it",
        .0.display()
    )]
    Occupied(PathBuf),
    /// The operating system refused.
    #[error("cannot write generated images to {}: {source}", path.display())]
    Io {
        /// File or directory concerned.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Which generated files a directory holds. Without the table's digest it is unfinished.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    version: u32,
    parameters: Synthetic,
    metadata_sha256: Option<String>,
}

/// Fills `directory` with generated images, to be read by [`super::load`].
///
/// A directory that already holds them whole is left as it is; one that was interrupted or has other parameters is
/// done again. `progress` is called with the number of images done and their total, from several threads and not
/// always in order.
pub fn generate(
    directory: &Path,
    parameters: &Synthetic,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<(), GenerateError> {
    let Synthetic {
        seed,
        images,
        width,
        height,
    } = *parameters;
    let side = 8..=1024;
    if !(1..=super::MAX_ROWS).contains(&images) || !side.contains(&width) || !side.contains(&height)
    {
        return Err(GenerateError::Parameters {
            images,
            width,
            height,
        });
    }
    let samples = draw_samples(seed, images);
    let table = table(&samples);
    let mut manifest = Manifest {
        version: VERSION,
        parameters: parameters.clone(),
        metadata_sha256: Some(hex::encode(Sha256::digest(&table))),
    };
    let found = read_manifest(directory)?;
    if found.as_ref() == Some(&manifest) && is_complete(directory, &samples) {
        progress(images, images);
        return Ok(());
    }

    let folder = directory.join("images");
    let finished = manifest.metadata_sha256.take();
    fs::create_dir_all(directory).map_err(at(directory))?;
    files::remove_unfinished(directory).map_err(at(directory))?;
    write_manifest(directory, &manifest)?;
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&folder)(error)),
        _ => {}
    }
    fs::create_dir(&folder).map_err(at(&folder))?;
    let done = AtomicUsize::new(0);
    samples.par_iter().try_for_each(|sample| {
        let path = folder.join(format!("{}.jpg", sample.image_id));
        let mut view = seed::stream("generated view", seed, &[sample.image]);
        let pixels = render::draw(&sample.lesion, height, width, &mut view);
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY)
            .write_image(
                &pixels,
                width as u32,
                height as u32,
                ExtendedColorType::Rgb8,
            )
            .map_err(|error| at(&path)(io::Error::other(error)))?;
        fs::write(&path, bytes).map_err(at(&path))?;
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, images);
        Ok(())
    })?;
    let metadata = directory.join("metadata.csv");
    files::write_atomically(&metadata, table.as_bytes()).map_err(at(&metadata))?;
    manifest.metadata_sha256 = finished;
    write_manifest(directory, &manifest)
}

/// One image to draw.
struct Sample {
    image: u64,
    image_id: String,
    lesion_id: String,
    lesion: Lesion,
}

/// The lesions in the order of their images: one image for most, two or three for some.
fn draw_samples(seed: u64, images: usize) -> Vec<Sample> {
    let mut samples = Vec::with_capacity(images);
    for number in 0.. {
        let random = &mut seed::stream("generated lesion", seed, &[number]);
        let lesion = Lesion::draw(random);
        let views = match random.random::<f32>() {
            share if share < 0.7 => 1,
            share if share < 0.92 => 2,
            _ => 3,
        };
        for _ in 0..views {
            if samples.len() == images {
                return samples;
            }
            let image = samples.len() as u64;
            samples.push(Sample {
                image,
                image_id: format!("SYN_{image:07}"),
                lesion_id: format!("SYNLES_{number:07}"),
                lesion: lesion.clone(),
            });
        }
    }
    samples
}

/// `metadata.csv`.
fn table(samples: &[Sample]) -> String {
    let mut table = String::from("lesion_id,image_id,dx,dx_type,age,sex,localization\n");
    for sample in samples {
        let Lesion {
            kind,
            age,
            sex,
            localization,
            ..
        } = &sample.lesion;
        let age = age.map_or(String::new(), |age| format!("{age:.1}"));
        table += &format!(
            "{},{},{},synthetic,{age},{sex},{localization}\n",
            sample.lesion_id, sample.image_id, kind.dx
        );
    }
    table
}

/// Draws a position with these weights.
fn weighted(weights: impl Iterator<Item = f32> + Clone, random: &mut impl Rng) -> usize {
    let total: f32 = weights.clone().sum();
    let mut left = random.random::<f32>() * total;
    let mut last = 0;
    for (position, weight) in weights.enumerate() {
        last = position;
        left -= weight;
        if left < 0.0 {
            break;
        }
    }
    last
}

/// The manifest of a directory that is ours; `None` for an absent one, or one without finished files.
fn read_manifest(directory: &Path) -> Result<Option<Manifest>, GenerateError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(directory)(error)),
    };
    let mut is_empty = true;
    for entry in entries {
        let name = entry.map_err(at(directory))?.file_name();
        is_empty &= name.to_string_lossy().starts_with(files::TEMPORARY_PREFIX);
    }
    if is_empty {
        return Ok(None);
    }
    files::read_capped(&directory.join(MANIFEST), MAX_MANIFEST_BYTES)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .map(Some)
        .ok_or_else(|| GenerateError::Occupied(directory.to_path_buf()))
}

fn write_manifest(directory: &Path, manifest: &Manifest) -> Result<(), GenerateError> {
    let path = directory.join(MANIFEST);
    let text = serde_json::to_string_pretty(manifest).map_err(io::Error::other);
    text.and_then(|text| files::write_atomically(&path, text.as_bytes()))
        .map_err(at(&path))
}

/// Whether every file the manifest promises is there and not empty.
fn is_complete(directory: &Path, samples: &[Sample]) -> bool {
    let present = |path: PathBuf| fs::metadata(path).is_ok_and(|file| file.len() > 0);
    let folder = directory.join("images");
    present(directory.join("metadata.csv"))
        && samples
            .iter()
            .all(|sample| present(folder.join(format!("{}.jpg", sample.image_id))))
}

fn at(path: &Path) -> impl Fn(io::Error) -> GenerateError + '_ {
    move |source| GenerateError::Io {
        path: path.to_path_buf(),
        source,
    }
}

#[cfg(test)]
mod tests;

//! Generated X-rays in the layout of NIH ChestX-ray14, for tests and for a machine without real data.
//!
//! They are drawn, not photographed: two dark lungs between ribs, and for each label a faint shape of its own form at
//! its own place, with noise over all. A small network can learn them in a minute, and they say nothing about medicine.
//! Labels occur together, the later ones of the list more rarely, and a patient has up to three images.
//!
//! Equal parameters give equal files on one machine; the last bit of a sine may differ between platforms.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use rand::{Rng, RngExt};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Findings, LabelSet};
use crate::skin::MAX_ROWS;
use crate::skin::synthetic::GenerateError;
use crate::{files, seed};

/// Changes when the same parameters give other files.
const VERSION: u32 = 1;
const MANIFEST: &str = "synthetic.json";
const TABLE: &str = "Data_Entry.csv";
const MAX_MANIFEST_BYTES: u64 = 16 << 10;

/// How often the first label occurs; the others do more rarely.
const PREVALENCE: f32 = 0.35;
/// How much brighter a sign is than what is around it, at least and at most, of 255.
const CONTRAST: [f32; 2] = [28.0, 60.0];
/// Height of the noise, of 255.
const NOISE: f32 = 14.0;

/// What to generate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synthetic {
    /// Everything random comes from here.
    pub seed: u64,
    /// How many images, at most a million.
    pub images: usize,
    /// Height and width of each, in pixels, 32 to 1024.
    pub side: usize,
    /// The labels, each with its own sign.
    pub labels: LabelSet,
}

impl Default for Synthetic {
    /// 600 images of 64x64 with the fourteen labels of NIH.
    fn default() -> Self {
        Self {
            seed: 0,
            images: 600,
            side: 64,
            labels: LabelSet::nih(),
        }
    }
}

/// Which generated files a directory holds.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    version: u32,
    seed: u64,
    images: usize,
    side: usize,
    labels: String,
    finished: bool,
}

/// Fills `directory` with generated X-rays, to be read by [`super::open`].
///
/// A directory that already holds them is left as it is; one that was interrupted or has other parameters is done
/// again. `progress` is called with the number of images done and their total, from several threads and not always in
/// order.
///
/// # Errors
/// When the parameters are out of range, the directory holds something else, or the operating system refuses.
pub fn generate(
    directory: &Path,
    parameters: &Synthetic,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<(), GenerateError> {
    let Synthetic { images, side, .. } = *parameters;
    if !(1..=MAX_ROWS).contains(&images) || !(32..=1024).contains(&side) {
        return Err(GenerateError::Parameters {
            images,
            width: side,
            height: side,
        });
    }
    let mut manifest = Manifest {
        version: VERSION,
        seed: parameters.seed,
        images,
        side,
        labels: parameters.labels.to_string(),
        finished: true,
    };
    if read_manifest(directory)?.as_ref() == Some(&manifest) {
        progress(images, images);
        return Ok(());
    }
    manifest.finished = false;
    let folder = directory.join("images");
    fs::create_dir_all(directory).map_err(at(directory))?;
    files::remove_unfinished(directory).map_err(at(directory))?;
    write_manifest(directory, &manifest)?;
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&folder)(error)),
        _ => {}
    }
    fs::create_dir(&folder).map_err(at(&folder))?;
    let samples = draw_samples(parameters);
    let done = AtomicUsize::new(0);
    samples
        .par_iter()
        .enumerate()
        .try_for_each(|(number, sample)| {
            let path = folder.join(&sample.name);
            let random = &mut seed::stream("generated x-ray", parameters.seed, &[number as u64]);
            let pixels = draw(side, parameters.labels.len(), sample.findings, random);
            let mut bytes = Vec::new();
            let encoder = PngEncoder::new(&mut bytes);
            encoder
                .write_image(&pixels, side as u32, side as u32, ExtendedColorType::L8)
                .map_err(|error| at(&path)(io::Error::other(error)))?;
            fs::write(&path, bytes).map_err(at(&path))?;
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, images);
            Ok(())
        })?;
    let mut table = String::from("image_name,label\n");
    for Sample { name, findings } in &samples {
        table += &format!("{name},{}\n", parameters.labels.write(*findings));
    }
    let path = directory.join(TABLE);
    files::write_atomically(&path, table.as_bytes()).map_err(at(&path))?;
    manifest.finished = true;
    write_manifest(directory, &manifest)
}

/// One image to draw.
struct Sample {
    name: String,
    findings: Findings,
}

/// Patients with one image, some with two or three. At a further visit a finding may have gone.
fn draw_samples(parameters: &Synthetic) -> Vec<Sample> {
    let mut samples = Vec::with_capacity(parameters.images);
    for patient in 1.. {
        let random = &mut seed::stream("generated patient", parameters.seed, &[patient]);
        let has = |label: &usize| {
            let prevalence = PREVALENCE / (1.0 + 0.25 * *label as f32);
            random.random::<f32>() < prevalence
        };
        let findings: Findings = (0..parameters.labels.len()).filter(has).collect();
        let visits = match random.random::<f32>() {
            share if share < 0.6 => 1,
            share if share < 0.9 => 2,
            _ => 3,
        };
        for visit in 0..visits {
            if samples.len() == parameters.images {
                return samples;
            }
            let stays = |_: &usize| visit == 0 || random.random::<f32>() < 0.8;
            samples.push(Sample {
                name: format!("{patient:08}_{visit:03}.png"),
                findings: findings.labels().filter(stays).collect(),
            });
        }
    }
    samples
}

/// A chest with its signs, one byte a pixel.
fn draw(side: usize, labels: usize, findings: Findings, random: &mut impl Rng) -> Vec<u8> {
    // Where the patient stands, how wide the lungs and how dark the film: positions are in sides of the image.
    let mut vary = |amount: f32| (random.random::<f32>() * 2.0 - 1.0) * amount;
    let shift = [vary(0.04), vary(0.04)];
    let size = 1.0 + vary(0.08);
    let exposure = 1.0 + vary(0.15);
    let phase = vary(1.0);
    let signs: Vec<Sign> = findings
        .labels()
        .map(|label| Sign::draw(label, labels, shift, random))
        .collect();
    let mut pixels = Vec::with_capacity(side * side);
    for row in 0..side {
        for column in 0..side {
            let at = [column, row].map(|place| (place as f32 + 0.5) / side as f32);
            let [x, y] = [at[0] - shift[0], at[1] - shift[1]];
            let lung = |centre: f32| {
                let away =
                    ((x - centre) / (0.17 * size)).powi(2) + ((y - 0.5) / (0.33 * size)).powi(2);
                1.0 / (1.0 + (8.0 * (away - 1.0)).exp())
            };
            let lungs = lung(0.29) + lung(0.71);
            let ribs = (y * 55.0 + (x - 0.5).abs() * 12.0 + phase).sin();
            let tissue = 165.0 - 90.0 * lungs.min(1.0) + 10.0 * ribs;
            let sign: f32 = signs.iter().map(|sign| sign.at(at)).sum();
            let noise = (random.random::<f32>() * 2.0 - 1.0) * NOISE;
            pixels.push((tissue * exposure + sign + noise).clamp(0.0, 255.0) as u8);
        }
    }
    pixels
}

/// The form of a label's sign.
#[derive(Clone, Copy)]
enum Form {
    Patch,
    Ring,
    Streaks,
}

/// A sign in one image.
struct Sign {
    form: Form,
    centre: [f32; 2],
    radius: f32,
    contrast: f32,
}

impl Sign {
    /// Every label has one of three forms at one of twelve places; labels beyond that share them at another size. The
    /// fewer labels there are, the larger are their signs.
    fn draw(label: usize, labels: usize, shift: [f32; 2], random: &mut impl Rng) -> Self {
        let mut vary = |amount: f32| (random.random::<f32>() * 2.0 - 1.0) * amount;
        let place = label % 12;
        let x = if place.is_multiple_of(2) { 0.29 } else { 0.71 };
        let y = 0.25 + 0.1 * (place / 2) as f32;
        let [least, most] = CONTRAST;
        let size = (0.3 / (labels as f32).sqrt()).clamp(0.08, 0.16);
        Self {
            form: [Form::Patch, Form::Ring, Form::Streaks][label % 3],
            centre: [x + shift[0] + vary(0.03), y + shift[1] + vary(0.03)],
            radius: if label < 12 { size } else { 1.7 * size } * (1.0 + vary(0.2)),
            contrast: (least + most) / 2.0 + vary((most - least) / 2.0),
        }
    }

    /// How much brighter it makes a place.
    fn at(&self, [x, y]: [f32; 2]) -> f32 {
        let away =
            ((x - self.centre[0]).powi(2) + (y - self.centre[1]).powi(2)).sqrt() / self.radius;
        let strength = match self.form {
            Form::Patch => (-away * away).exp(),
            Form::Ring => (-16.0 * (away - 0.8).powi(2)).exp(),
            Form::Streaks => (-away * away).exp() * (1.0 + (60.0 * (x + y)).sin()),
        };
        self.contrast * strength
    }
}

/// The manifest of a directory that is ours; `None` for an absent or empty one.
fn read_manifest(directory: &Path) -> Result<Option<Manifest>, GenerateError> {
    match fs::read_dir(directory).map(|mut entries| entries.next().is_none()) {
        Ok(false) => {}
        Ok(true) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(directory)(error)),
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

fn at(path: &Path) -> impl Fn(io::Error) -> GenerateError + '_ {
    move |source| GenerateError::Io {
        path: path.to_path_buf(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{counts, open, patients};
    use super::*;
    use crate::image;

    fn small() -> Synthetic {
        Synthetic {
            images: 200,
            side: 32,
            ..Synthetic::default()
        }
    }

    #[test]
    fn what_is_generated_is_a_data_set_with_every_label() {
        let directory = tempfile::tempdir().unwrap();
        generate(directory.path(), &small(), &|_, _| {}).unwrap();
        let opened = open(directory.path(), &small().labels).unwrap();
        assert_eq!((opened.records.len(), opened.absent.len()), (200, 0));
        let counts = counts(&opened.records, 14);
        assert!(counts.iter().all(|&count| count >= 3), "{counts:?}");
        assert!(counts[0] > counts[13], "{counts:?}");
        let several = opened.records.iter().filter(|r| r.findings.count() > 1);
        assert!(several.count() > 20);
        let patients = patients(&opened.records);
        assert!(
            patients
                .iter()
                .enumerate()
                .any(|(own, &first)| own != first)
        );
        let image = image::open(&opened.records[0].path).unwrap();
        assert_eq!((image.width(), image.height()), (32, 32));
    }

    #[test]
    fn equal_parameters_give_equal_files_and_others_are_left_alone() {
        let directories = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let [one, two, other] = directories.each_ref().map(tempfile::TempDir::path);
        let few = Synthetic {
            images: 12,
            ..small()
        };
        generate(one, &few, &|_, _| {}).unwrap();
        generate(two, &few, &|_, _| {}).unwrap();
        generate(
            other,
            &Synthetic {
                seed: 1,
                ..few.clone()
            },
            &|_, _| {},
        )
        .unwrap();
        let read = |directory: &Path| {
            let opened = open(directory, &few.labels).unwrap();
            let bytes = opened.records.iter().map(|r| fs::read(&r.path).unwrap());
            bytes.collect::<Vec<_>>()
        };
        assert_eq!(read(one), read(two));
        assert_ne!(read(one), read(other));
        // What is finished is not drawn again, what is not is.
        let first = one.join("images/00000001_000.png");
        fs::write(&first, b"mine").unwrap();
        generate(one, &few, &|_, _| {}).unwrap();
        assert_eq!(fs::read(&first).unwrap(), b"mine");
        let more = Synthetic { images: 13, ..few };
        generate(one, &more, &|_, _| {}).unwrap();
        assert_ne!(fs::read(&first).unwrap(), b"mine");
        fs::remove_file(two.join(MANIFEST)).unwrap();
        let error = generate(two, &more, &|_, _| {}).unwrap_err();
        assert!(matches!(error, GenerateError::Occupied(_)));
        let error = generate(two, &Synthetic { side: 8, ..more }, &|_, _| {}).unwrap_err();
        assert!(matches!(error, GenerateError::Parameters { .. }));
    }
}

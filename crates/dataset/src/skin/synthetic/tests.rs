use std::collections::{BTreeMap, BTreeSet};

use super::appearance::KINDS;
use super::*;
use crate::image::{self as pixels, judging_image};
use crate::skin::{self, LoadError, Record};

fn small(seed: u64) -> Synthetic {
    Synthetic {
        seed,
        images: 60,
        width: 48,
        height: 36,
    }
}

fn make(directory: &Path, parameters: &Synthetic) -> usize {
    let done = AtomicUsize::new(0);
    generate(directory, parameters, &|_, _| {
        done.fetch_add(1, Ordering::Relaxed);
    })
    .unwrap();
    done.into_inner()
}

/// All files with their digests.
fn content(directory: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for folder in [directory.to_path_buf(), directory.join("images")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.strip_prefix(directory).unwrap().display().to_string();
                files.insert(name, hex::encode(Sha256::digest(fs::read(&path).unwrap())));
            }
        }
    }
    files
}

#[test]
fn the_layout_is_that_of_the_real_data() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(make(directory.path(), &small(1)), 60);
    let records = skin::load(directory.path()).unwrap();
    assert_eq!(records.len(), 60);
    for record in &records {
        let image = pixels::open(&record.path).unwrap();
        assert_eq!((image.height(), image.width()), (36, 48));
    }
    let lesions: BTreeSet<&str> = records.iter().map(|r| r.lesion_id.as_str()).collect();
    assert!(
        (30..60).contains(&lesions.len()),
        "some lesions are shown several times"
    );
}

#[test]
fn the_default_set_has_every_class_in_numbers() {
    let samples = draw_samples(0, Synthetic::default().images);
    let mut lesions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for sample in &samples {
        let names = lesions.entry(sample.lesion.kind.dx).or_default();
        names.insert(&sample.lesion_id);
    }
    assert_eq!(lesions.len(), KINDS.len());
    assert!(lesions.values().all(|names| names.len() >= 30));
    assert!(lesions["nv"].len() > 2 * lesions["df"].len());
}

#[test]
fn equal_parameters_give_equal_files_and_other_seeds_others() {
    let [first, second, third] = [1, 1, 2].map(|seed| {
        let directory = tempfile::tempdir().unwrap();
        make(directory.path(), &small(seed));
        content(directory.path())
    });
    assert_eq!(first.len(), 62);
    assert_eq!(first, second);
    assert_ne!(
        first["images/SYN_0000000.jpg"],
        third["images/SYN_0000000.jpg"]
    );
    assert_ne!(first["metadata.csv"], third["metadata.csv"]);
}

#[test]
fn a_complete_directory_is_kept_and_a_partial_one_done_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    make(path, &small(1));
    let whole = content(path);
    fs::remove_dir_all(path).unwrap();

    // As after a kill while the very first file was written.
    fs::create_dir(path).unwrap();
    let unfinished = path.join(format!("{}x", files::TEMPORARY_PREFIX));
    fs::write(&unfinished, b"{").unwrap();
    make(path, &small(1));
    assert!(!unfinished.exists());
    assert_eq!(content(path), whole);
    assert_eq!(make(path, &small(1)), 1, "one report, nothing drawn");

    fs::remove_file(path.join("images/SYN_0000007.jpg")).unwrap();
    assert_eq!(make(path, &small(1)), 60);
    assert_eq!(content(path), whole);

    // As after a kill in the middle: the manifest is unfinished, the table absent.
    let mut manifest = read_manifest(path).unwrap().unwrap();
    manifest.metadata_sha256 = None;
    write_manifest(path, &manifest).unwrap();
    fs::remove_file(path.join("metadata.csv")).unwrap();
    assert!(matches!(skin::load(path), Err(LoadError::Missing(_))));
    assert_eq!(make(path, &small(1)), 60);
    assert_eq!(content(path), whole);

    // Other parameters replace the files, and no old image stays.
    let fewer = Synthetic {
        images: 10,
        ..small(1)
    };
    make(path, &fewer);
    assert_eq!(content(path).len(), 12);
}

#[test]
fn a_directory_of_somebody_else_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    fs::create_dir(path.join("images")).unwrap();
    fs::write(path.join("images/mine.jpg"), b"precious").unwrap();
    let error = generate(path, &small(1), &|_, _| {}).unwrap_err();
    assert!(matches!(error, GenerateError::Occupied(_)), "{error}");
    assert_eq!(content(path).len(), 1);
}

#[test]
fn impossible_parameters_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    for (images, width, height) in [
        (0, 48, 36),
        (10, 0, 36),
        (10, 48, 5000),
        (usize::MAX, 48, 36),
    ] {
        let parameters = Synthetic {
            seed: 0,
            images,
            width,
            height,
        };
        assert!(matches!(
            generate(directory.path(), &parameters, &|_, _| {}),
            Err(GenerateError::Parameters { .. })
        ));
    }
}

/// The classes can be told apart, but not by the plainest means: the nearest class mean of 6x6 pixels is clearly
/// better than chance (one in seven) and far from perfect.
#[test]
fn the_signal_is_there_but_not_trivial() {
    let directory = tempfile::tempdir().unwrap();
    let parameters = Synthetic {
        images: 700,
        ..small(3)
    };
    make(directory.path(), &parameters);
    let records = skin::load(directory.path()).unwrap();
    let features = |record: &Record| {
        let image = judging_image(&pixels::open(&record.path).unwrap(), 6, 6).unwrap();
        image
            .into_pixels()
            .into_iter()
            .map(f32::from)
            .collect::<Vec<f32>>()
    };
    let (known, asked) = records.split_at(400);
    let mut sums: BTreeMap<_, (Vec<f32>, f32)> = BTreeMap::new();
    for record in known {
        let (sum, count) = sums.entry(record.class).or_insert((vec![0.0; 108], 0.0));
        sum.iter_mut()
            .zip(features(record))
            .for_each(|(s, value)| *s += value);
        *count += 1.0;
    }
    let mut hits: BTreeMap<_, (f32, f32)> = BTreeMap::new();
    for record in asked {
        let own = features(record);
        let distance = |(sum, count): &(Vec<f32>, f32)| -> f32 {
            sum.iter()
                .zip(&own)
                .map(|(s, value)| (s / count - value).powi(2))
                .sum()
        };
        let nearest = sums
            .iter()
            .min_by(|a, b| distance(a.1).total_cmp(&distance(b.1)));
        let (right, all) = hits.entry(record.class).or_default();
        *right += f32::from(u8::from(nearest.unwrap().0 == &record.class));
        *all += 1.0;
    }
    let recalls: f32 = hits.values().map(|(right, all)| right / all).sum();
    let balanced = recalls / hits.len() as f32;
    println!("balanced accuracy of the nearest mean: {balanced:.3}");
    assert!((0.2..0.7).contains(&balanced), "{balanced}");
}

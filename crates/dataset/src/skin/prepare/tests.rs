use std::sync::Mutex;

use ::image::codecs::jpeg::JpegEncoder;
use tempfile::TempDir;

use super::*;
use crate::skin::synthetic::{Synthetic, generate};

/// Generated images in the HAM10000 layout.
fn ham(seed: u64, images: usize) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let parameters = Synthetic {
        seed,
        images,
        ..Synthetic::default()
    };
    generate(directory.path(), &parameters, &|_, _| {}).unwrap();
    directory
}

fn source(name: &str, directory: &TempDir) -> Source {
    Source {
        name: name.to_owned(),
        directory: directory.path().to_path_buf(),
    }
}

fn run(sources: &[Source], output: &Path, options: &Options) -> Result<Report, PrepareError> {
    prepare(
        sources,
        output,
        options,
        &AtomicBool::new(false),
        &|_, _| {},
    )
}

/// Options under which only copies are found: the looks of generated lesions are too much alike.
fn exact() -> Options {
    Options {
        near: 0,
        ..Options::default()
    }
}

fn count(report: &Report, source: &str, what: &str) -> usize {
    let remarks = report.left_out.iter();
    remarks
        .filter(|remark| remark.source == source && remark.what == what)
        .map(|remark| remark.count)
        .sum()
}

/// An image file scaled and compressed again.
fn scaled(from: &Path, to: &Path) {
    let image = image::resize(&image::open(from).unwrap(), 300, 400).unwrap();
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 80)
        .encode(image.pixels(), 400, 300, ::image::ExtendedColorType::Rgb8)
        .unwrap();
    fs::write(to, bytes).unwrap();
}

#[test]
fn a_prepared_directory_opens_and_every_image_is_what_it_was() {
    let raw = ham(1, 120);
    let place = tempfile::tempdir().unwrap();
    let output = place.path().join("prepared");
    let progress = Mutex::new(0);
    let report = prepare(
        &[source("generated", &raw)],
        &output,
        &exact(),
        &AtomicBool::new(false),
        &|_, total| *progress.lock().unwrap() = total,
    )
    .unwrap();
    assert_eq!(*progress.lock().unwrap(), 120);
    assert_eq!((report.images, report.sources[0].found), (120, 120));
    assert!(
        report
            .parts
            .is_some_and(|parts| parts.iter().sum::<usize>() == 120)
    );
    let records = open(&output, None).unwrap();
    let before = crate::skin::load(raw.path()).unwrap();
    for (record, before) in records.iter().zip(&before) {
        let bytes = fs::read(&record.path).unwrap();
        assert_eq!(bytes, fs::read(&before.path).unwrap());
        let digest = hex::encode(Sha256::digest(&bytes));
        assert_eq!(record.digest.as_deref(), Some(digest.as_str()));
        assert_eq!(record.class, before.class);
        assert_eq!(record.demographics, before.demographics);
        assert_eq!(record.lesion_id, format!("generated:{}", before.lesion_id));
    }
    // Nothing else is left lying about, and what is there is not overwritten.
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    let error = run(&[source("generated", &raw)], &output, &exact()).unwrap_err();
    assert!(matches!(error, PrepareError::Occupied(_)), "{error}");
}

#[test]
fn the_same_picture_is_taken_once_across_sources() {
    let first = ham(1, 40);
    let second = tempfile::tempdir().unwrap();
    for class in ["nv", "mel"] {
        fs::create_dir(second.path().join(class)).unwrap();
    }
    let records = crate::skin::load(first.path()).unwrap();
    let of = |class| {
        let of_class = records.iter().filter(move |record| record.class == class);
        of_class.map(|record| &record.path)
    };
    let nv: Vec<_> = of(LesionClass::Nv).collect();
    // The same bytes; scaled and compressed again; the same bytes under another label.
    fs::copy(nv[0], second.path().join("nv/copy.jpg")).unwrap();
    scaled(nv[1], &second.path().join("nv/scaled.jpg"));
    fs::copy(nv[2], second.path().join("mel/other.jpg")).unwrap();
    fs::write(second.path().join("nv/broken.jpg"), b"\xff\xd8\xff\xe0 cut").unwrap();
    let place = tempfile::tempdir().unwrap();
    let sources = [source("poor", &second), source("rich", &first)];
    let report = run(&sources, &place.path().join("out"), &Options::default()).unwrap();
    assert_eq!(count(&report, "poor", Fate::Copy.what()), 1);
    assert_eq!(count(&report, "poor", Fate::LooksAlike.what()), 1);
    assert_eq!(count(&report, "poor", Fate::Contradicted.what()), 1);
    assert_eq!(count(&report, "rich", Fate::Contradicted.what()), 1);
    let unreadable = report
        .left_out
        .iter()
        .find(|remark| remark.what.contains("unreadable"));
    assert!(unreadable.is_some_and(|remark| remark.first.ends_with("nv/broken.jpg")));
    assert_eq!((report.sources[0].kept, report.sources[1].kept), (0, 39));

    let strict = Options {
        strict: true,
        ..Options::default()
    };
    let error = run(&sources, &place.path().join("strict"), &strict).unwrap_err();
    assert!(error.to_string().contains("the same picture"), "{error}");
    assert!(!place.path().join("strict").exists());
}

#[test]
fn what_looks_alike_in_one_source_stays_and_stays_together() {
    let raw = ham(3, 60);
    let records = crate::skin::load(raw.path()).unwrap();
    // A second lesion of the same class whose picture is the first one's, scaled.
    let lesions: Vec<&Record> = records
        .iter()
        .filter(|record| record.class == LesionClass::Nv)
        .collect();
    let (a, b) = (
        lesions[0],
        *lesions
            .iter()
            .find(|b| b.lesion_id != lesions[0].lesion_id)
            .unwrap(),
    );
    scaled(&a.path, &b.path);
    let place = tempfile::tempdir().unwrap();
    let output = place.path().join("out");
    let report = run(&[source("s", &raw)], &output, &Options::default()).unwrap();
    assert_eq!(report.images, 60);
    let opened = open(&output, None).unwrap();
    let group = |lesion: &str| {
        let name = format!("s:{lesion}");
        let record = opened
            .iter()
            .find(|record| record.lesion_id == name)
            .unwrap();
        record.group.clone()
    };
    assert!(group(&a.lesion_id).is_some());
    assert_eq!(group(&a.lesion_id), group(&b.lesion_id));
    for seed in 0..10 {
        let split = split::split(&opened, &Shares::default(), seed).unwrap();
        assert!(split::disjoint(&opened, &split));
    }
}

#[test]
fn classes_are_capped_but_never_filled_up() {
    let raw = ham(4, 200);
    let place = tempfile::tempdir().unwrap();
    let options = Options {
        max_per_class: Some(20),
        min_per_class: 10,
        ..exact()
    };
    let report = run(&[source("s", &raw)], &place.path().join("a"), &options).unwrap();
    let nv = &report.classes[LesionClass::Nv.index()];
    assert_eq!((nv.images, nv.is_thin), (20, false));
    let inf = &report.classes[LesionClass::Inf.index()];
    assert_eq!((inf.images, inf.is_thin), (0, true));
    assert!(report.classes.iter().all(|class| class.images <= 20));
    // The same seed takes the same images.
    run(&[source("s", &raw)], &place.path().join("b"), &options).unwrap();
    let manifest = |name: &str| fs::read(place.path().join(name).join(manifest::MANIFEST)).unwrap();
    assert_eq!(manifest("a"), manifest("b"));
}

#[test]
fn stopping_and_bad_names_leave_nothing() {
    let raw = ham(5, 10);
    let place = tempfile::tempdir().unwrap();
    let output = place.path().join("out");
    let stop = AtomicBool::new(true);
    let stopped = prepare(&[source("s", &raw)], &output, &exact(), &stop, &|_, _| {});
    assert!(matches!(stopped, Err(PrepareError::Stopped)));
    for name in ["", "../x", "a/b", ".hidden"] {
        let error = run(&[source(name, &raw)], &output, &exact()).unwrap_err();
        assert!(matches!(error, PrepareError::Name(_)), "{name}");
    }
    let twice = [source("s", &raw), source("s", &raw)];
    assert!(matches!(
        run(&twice, &output, &exact()),
        Err(PrepareError::Name(_))
    ));
    let empty = tempfile::tempdir().unwrap();
    let error = run(&[source("s", &empty)], &output, &exact()).unwrap_err();
    assert!(error.to_string().contains("no images found"), "{error}");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

/// As after a kill: what the next process for the same directory finds, and what is not its own.
#[test]
fn what_a_killed_process_left_is_removed_and_nothing_that_is_held() {
    let raw = ham(6, 20);
    let place = tempfile::tempdir().unwrap();
    let (left, other) = (
        place.path().join(".unfinished-prepare-out"),
        place.path().join(".unfinished-out"),
    );
    for folder in [&left, &other] {
        fs::create_dir_all(folder.join("prepared/images")).unwrap();
        fs::write(folder.join("prepared/manifest.csv"), b"half").unwrap();
    }
    let output = place.path().join("out");
    let held = File::create(left.join(".lock")).unwrap();
    held.lock().unwrap();
    let error = run(&[source("s", &raw)], &output, &exact()).unwrap_err();
    assert!(matches!(error, PrepareError::Busy(_)), "{error}");
    assert!(left.join("prepared/manifest.csv").exists());
    drop(held);
    run(&[source("s", &raw)], &output, &exact()).unwrap();
    assert!(!left.exists() && other.join("prepared/manifest.csv").exists());
}

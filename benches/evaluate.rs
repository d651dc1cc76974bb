//! A whole evaluation through the sandbox beside a Python loop over PIL and onnxruntime that does the same, on the same
//! machine in the same run.
//!
//! `PYTHON=… cargo bench --bench evaluate`, where the interpreter has `onnxruntime` and `pillow`; without it only ours
//! is measured. `DATA=DIR` takes the first images of a directory in the HAM10000 layout instead of generated ones of
//! 600x450. Both sides have all cores: one process with one thread for each. Both are timed from the start of their
//! workers' first image to the last answer, ours with starting the sandbox and loading the model.

use agon_arena::competition::Competition;
use agon_arena::sandbox::{Asking, Sandbox};
use agon_arena::subnet::tricorder::Tricorder;
use agon_dataset::skin::{self, Record, synthetic};
use agon_model::architecture::{LesionClassifier, lesion_classifier};
use agon_model::metrics::argmax;
use serde::Deserialize;
use std::env;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many images are judged.
const IMAGES: usize = 400;
/// How often; the median counts.
const TIMES: usize = 3;

#[derive(Deserialize)]
struct Theirs {
    seconds: f64,
    answers: Vec<usize>,
}

fn main() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let records = records(place.path());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    println!("{} images, {cores} cores, images/s", records.len());
    let preparing = median(|| prepare(&records));
    println!("reading, decoding and resizing to 512x512 alone: {preparing:.1}");
    for (name, network) in [
        ("64x64, 16 channels", LesionClassifier::default()),
        (
            "512x512, 8 channels",
            LesionClassifier {
                image_size: 512,
                width: 8,
                ..LesionClassifier::default()
            },
        ),
    ] {
        let mut model = lesion_classifier(&network).expect("a network");
        agon_train::init::initialise(&mut model, 1).expect("its weights");
        model.strip_training();
        let path = place.path().join("model.onnx");
        let bytes = model.to_bytes();
        std::fs::write(&path, &bytes).expect("the model is written");
        let mut answers = Vec::new();
        let ours = median(|| {
            let began = Instant::now();
            answers = runtime.block_on(judge(&records, &bytes, cores));
            began.elapsed()
        });
        let one = median(|| {
            let began = Instant::now();
            runtime.block_on(judge(&records, &bytes, 1));
            began.elapsed()
        });
        print!("{name}: {ours:.1} with {cores} workers, {one:.1} with one");
        match env::var_os("PYTHON") {
            None => println!("; set PYTHON to measure Python"),
            Some(python) => {
                let table = place.path().join("metadata.csv");
                let mut agreed = 0;
                let theirs = median(|| {
                    let run = Command::new(&python)
                        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/evaluate.py"))
                        .args([&path, &table])
                        .arg(cores.to_string())
                        .output()
                        .expect("PYTHON starts");
                    let said = String::from_utf8_lossy(&run.stderr);
                    let theirs: Theirs = serde_json::from_slice(&run.stdout).expect(&said);
                    let pairs = theirs.answers.iter().zip(&answers);
                    agreed = pairs.filter(|(a, b)| a == b).count();
                    Duration::from_secs_f64(theirs.seconds)
                });
                println!(
                    "; Python {theirs:.1}, ratio {:.2}; {agreed} of {} answers agree",
                    ours / theirs,
                    records.len()
                );
            }
        }
    }
}

/// Images a second, the median of several runs.
fn median(mut run: impl FnMut() -> Duration) -> f64 {
    let mut rates: Vec<f64> = (0..TIMES)
        .map(|_| IMAGES as f64 / run().as_secs_f64())
        .collect();
    rates.sort_by(f64::total_cmp);
    rates[TIMES / 2]
}

/// The records, and a table of them in `place` beside a folder of their images.
fn records(place: &Path) -> Vec<Record> {
    let data = match env::var_os("DATA") {
        Some(directory) => PathBuf::from(directory),
        None => {
            let generated = place.join("generated");
            let parameters = synthetic::Synthetic {
                images: IMAGES,
                width: 600,
                height: 450,
                ..synthetic::Synthetic::default()
            };
            synthetic::generate(&generated, &parameters, &|_, _| {}).expect("generated images");
            generated
        }
    };
    let mut records = skin::load(&data).expect("a data directory");
    assert!(records.len() >= IMAGES, "too few images");
    records.truncate(IMAGES);
    std::os::unix::fs::symlink(
        data.join("images").canonicalize().expect("images"),
        place.join("images"),
    )
    .expect("a link");
    let whole = std::fs::read_to_string(data.join("metadata.csv")).expect("a table");
    let mut table = String::new();
    whole.lines().take(IMAGES + 1).for_each(|line| {
        let _ = writeln!(table, "{line}");
    });
    std::fs::write(place.join("metadata.csv"), table).expect("the table is written");
    records
}

/// Only what a judge does before the model, on all cores.
fn prepare(records: &[Record]) -> Duration {
    let began = Instant::now();
    let list: Vec<&Record> = records.iter().collect();
    let images = agon_dataset::cache::DecodedImages::decode(&list, 512, 512, &|_, _| {});
    assert_eq!(images.expect("readable images").len(), records.len());
    began.elapsed()
}

async fn judge(records: &[Record], model: &[u8], workers: usize) -> Vec<usize> {
    let competition: Arc<dyn Competition> =
        Arc::new(Tricorder::new(records.to_vec(), records.len()));
    let items: Vec<usize> = (0..records.len()).collect();
    let asking = Asking {
        workers,
        ..Asking::default()
    };
    let sandbox = Sandbox::new(PathBuf::from(env!("CARGO_BIN_EXE_agon")));
    let asked = sandbox
        .answers(&competition, model, &items, &asking)
        .await
        .expect("the sandbox works");
    let answers = asked.answers.expect("the model is accepted").into_iter();
    answers
        .map(|row| argmax(&row.expect("readable images")).expect("eleven values"))
        .collect()
}

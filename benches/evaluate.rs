//! A whole evaluation through the sandbox beside a Python loop over PIL and onnxruntime that does the same, on the same
//! machine in the same run.
//!
//! `PYTHON=… cargo bench --bench evaluate`, where the interpreter has `onnxruntime` and `pillow`; without it only ours
//! is measured. `ENGINE=onnxruntime` judges with the library of ONNX Runtime instead of `rten` (`.ci/onnxruntime` gives one,
//! `--features onnxruntime` builds it in). `DATA=DIR` takes the first images of a directory in the HAM10000 layout instead of generated ones of
//! 600x450. Both sides have all cores: one process with one thread for each. Both are timed from the start of their
//! workers' first image to the last answer, ours with starting the sandbox and loading the model.

use agon_arena::competition::Competition;
use agon_arena::sandbox::{Asking, Sandbox};
use agon_arena::subnet::tricorder::Tricorder;
use agon_dataset::skin::{self, Record, synthetic};
use agon_model::architecture::{LesionClassifier, lesion_classifier};
use agon_model::inference::{Engine, NO_TELEMETRY};
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
/// How often, the two sides in turn; the median counts, the best is told.
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
    let engine = match env::var("ENGINE").as_deref() {
        Err(_) | Ok("rten") => Engine::Rten,
        Ok("onnxruntime") => Engine::OnnxRuntime,
        Ok(other) => panic!("there is no engine {other}"),
    };
    let python = env::var_os("PYTHON");
    let mut preparing = Rates::default();
    (0..TIMES).for_each(|_| preparing.add(prepare(&records)));
    println!("{engine}; reading, decoding and resizing to 512x512 alone: {preparing}");
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
        let mut ours = Rates::default();
        let mut theirs = Rates::default();
        let mut agreed = 0;
        for _ in 0..TIMES {
            let began = Instant::now();
            let answers = runtime.block_on(judge(engine, &records, &bytes, cores));
            ours.add(began.elapsed());
            if let Some(python) = &python {
                let table = place.path().join("metadata.csv");
                let run = Command::new(python)
                    .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/evaluate.py"))
                    .args([&path, &table])
                    .arg(cores.to_string())
                    // Official builds report to their maker, with a thread of their own.
                    .envs([NO_TELEMETRY])
                    .output()
                    .expect("PYTHON starts");
                let said = String::from_utf8_lossy(&run.stderr);
                let run: Theirs = serde_json::from_slice(&run.stdout).expect(&said);
                theirs.add(Duration::from_secs_f64(run.seconds));
                let pairs = run.answers.iter().zip(&answers);
                agreed = pairs.filter(|(a, b)| a == b).count();
            }
        }
        let mut one = Rates::default();
        let mut start = Duration::MAX;
        for _ in 0..TIMES {
            let began = Instant::now();
            runtime.block_on(judge(engine, &records, &bytes, 1));
            one.add(began.elapsed());
            let began = Instant::now();
            runtime.block_on(judge(engine, &records[..1], &bytes, 1));
            start = start.min(began.elapsed());
        }
        print!("{name}: {ours} with {cores} workers, {one} with one");
        print!("; one image with starting and loading {start:.0?}");
        match &python {
            None => println!("; set PYTHON to measure Python"),
            Some(_) => println!(
                "; Python {theirs}, ratio {:.2} (best {:.2}); {agreed} of {} answers agree",
                ours.median() / theirs.median(),
                ours.best() / theirs.best(),
                records.len()
            ),
        }
    }
}

/// Images a second, of several runs.
#[derive(Default)]
struct Rates(Vec<f64>);

impl Rates {
    fn add(&mut self, elapsed: Duration) {
        self.0.push(IMAGES as f64 / elapsed.as_secs_f64());
        self.0.sort_by(f64::total_cmp);
    }

    fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    fn best(&self) -> f64 {
        self.0[self.0.len() - 1]
    }
}

impl std::fmt::Display for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} (best {:.1})", self.median(), self.best())
    }
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

async fn judge(engine: Engine, records: &[Record], model: &[u8], workers: usize) -> Vec<usize> {
    let competition: Arc<dyn Competition> =
        Arc::new(Tricorder::new(records.to_vec(), records.len()).with_engine(engine));
    let items: Vec<usize> = (0..records.len()).collect();
    let asking = Asking {
        workers,
        ..Asking::default()
    };
    let sandbox = Sandbox::new(PathBuf::from(env!("CARGO_BIN_EXE_agon")))
        .with_library(env::var_os("ORT_DYLIB_PATH").map(PathBuf::from));
    let asked = sandbox
        .answers(&competition, model, &items, &asking)
        .await
        .expect("the sandbox works");
    let answers = asked.answers.expect("the model is accepted").into_iter();
    answers
        .map(|row| argmax(&row.expect("readable images")).expect("eleven values"))
        .collect()
}

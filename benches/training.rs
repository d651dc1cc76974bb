//! What training spends its time on, beside PIL, torchvision and PyTorch on the same machine in the same run.
//!
//! `PYTHON=… cargo bench --bench training -- images frozen full`, where the interpreter has `torch`, `torchvision` and
//! `pillow`; without it only ours is measured, without words everything. `DATA=DIR` takes the images of a directory in the
//! HAM10000 layout instead of generated ones of 600x450; `ENGINE=libtorch` computes with libtorch, where it is built in.
//!
//! - `images`: from JPEG files to floats `[3, 512, 512]` in 0 to 1 on one thread, as the judges do it.
//! - `frozen`, `full`: training steps of the original `balanced` network at 512x512 on two threads, without and with
//!   gradients of its trunk, from JPEG files to new weights; the first step is not counted.
//!
//! Each measurement is a process of its own, whose peak memory is told, and the competitors take turns.

use agon_arena::competition::Competition;
use agon_arena::subnet::tricorder::Tricorder;
use agon_arena::subnet::tricorder::lesions::{Lesions, Preparation};
use agon_dataset::augment::Augmentation;
use agon_dataset::image::JUDGING_SIDE;
use agon_dataset::skin::{self, Record, synthetic};
use agon_model::architecture::{TricorderModel, TricorderOptions};
use agon_train::checkpoint::{OnOtherRun, Policy};
use agon_train::engine::Device;
use agon_train::fit::{Checkpoints, Progress, Task, fit};
use agon_train::options::FitOptions;
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde::{Deserialize, Serialize};
use std::env;
use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Images that are prepared in one measurement.
const IMAGES: usize = 300;
/// Samples of a training step.
const BATCH: usize = 4;
/// Training steps of one measurement, the first for warming up.
const STEPS: usize = 4;
/// How often the competitors take turns; medians count.
const TURNS: usize = 3;
/// Threads of a training step, and as many that prepare images.
const THREADS: usize = 2;
/// Learned parameters of the network on both sides.
const PARAMETERS: f64 = 12_455_655.0;

/// What a child process has to say.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Measured {
    /// Samples a second.
    rate: f64,
    /// The same in the second epoch, where there is one.
    again: Option<f64>,
    /// By what it is seen that all did the same work.
    figure: f64,
    /// Peak memory of the process in MiB.
    peak: f64,
    /// Peak memory of its largest worker process in MiB.
    worker: Option<f64>,
}

/// One way to do the work, and how to start it.
struct Competitor {
    name: &'static str,
    program: OsString,
    arguments: Vec<OsString>,
}

fn main() {
    let words: Vec<String> = env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["child", "images", directory] => return say(&images(Path::new(directory))),
        ["child", kind, shards, directory] => {
            let shards = shards.parse().expect("a number of shards");
            return say(&steps(*kind == "frozen", shards, Path::new(directory)));
        }
        _ => {}
    }
    let is_wanted = |part: &str| words.is_empty() || words.contains(&part);
    let place = tempfile::tempdir().expect("a temporary directory");
    let data = data(place.path());
    if env::var_os("PYTHON").is_none() {
        println!("only ours; set PYTHON to measure Python");
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("{}; load before: {}", device(), load.trim());
    if is_wanted("images") {
        println!("images: {IMAGES} from JPEG files to [3, 512, 512], images/s on one thread");
        let mut competitors = vec![ours("ours", &["images"], &data)];
        let count = IMAGES.to_string();
        for (name, kind) in [
            ("PIL, numpy", "pil"),
            ("torchvision, tensors", "torchvision"),
            ("torchvision over PIL", "compose"),
        ] {
            competitors.extend(python(name, &["images", kind], &data, &[&count]));
        }
        let figures = take_turns(&competitors);
        let differs = figures
            .iter()
            .any(|figure| (figure - figures[0]).abs() > 0.002);
        assert!(!differs, "these are other pixels: {figures:?}");
    }
    for kind in ["frozen", "full"] {
        if !is_wanted(kind) {
            continue;
        }
        println!(
            "step, {kind} trunk: {} steps of {BATCH}, samples/s",
            STEPS - 1
        );
        let mut competitors = vec![
            ours("ours, 2 shards", &[kind, "2"], &data),
            ours("ours, 1 shard", &[kind, "1"], &data),
        ];
        let (batch, steps) = (BATCH.to_string(), STEPS.to_string());
        competitors.extend(python("PyTorch", &["step", kind], &data, &[&batch, &steps]));
        for figure in take_turns(&competitors) {
            assert_eq!(figure, PARAMETERS, "this is another network");
        }
    }
}

/// A directory with enough images.
fn data(place: &Path) -> PathBuf {
    if let Some(directory) = env::var_os("DATA") {
        return PathBuf::from(directory);
    }
    let parameters = synthetic::Synthetic {
        images: IMAGES,
        width: 600,
        height: 450,
        ..synthetic::Synthetic::default()
    };
    synthetic::generate(place, &parameters, &|_, _| {}).expect("generated images");
    place.to_owned()
}

fn ours(name: &'static str, words: &[&str], data: &Path) -> Competitor {
    let own = env::current_exe().expect("the path of this program");
    let mut arguments = vec![OsString::from("child")];
    arguments.extend(words.iter().map(OsString::from));
    arguments.push(data.into());
    Competitor {
        name,
        program: own.into(),
        arguments,
    }
}

/// None without an interpreter.
fn python(name: &'static str, words: &[&str], data: &Path, numbers: &[&str]) -> Option<Competitor> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/training.py");
    let mut arguments = vec![OsString::from(script)];
    arguments.extend(words.iter().map(OsString::from));
    arguments.push(data.into());
    arguments.extend(numbers.iter().map(OsString::from));
    Some(Competitor {
        name,
        program: env::var_os("PYTHON")?,
        arguments,
    })
}

/// Measures all competitors a few times in turn and prints a line for each; returns their figures.
fn take_turns(competitors: &[Competitor]) -> Vec<f64> {
    let mut measured: Vec<Vec<Measured>> = vec![Vec::new(); competitors.len()];
    for _ in 0..TURNS {
        for (competitor, measured) in competitors.iter().zip(&mut measured) {
            let run = Command::new(&competitor.program)
                .args(&competitor.arguments)
                .output()
                .expect("the program starts");
            let said = String::from_utf8_lossy(&run.stderr);
            measured.push(serde_json::from_slice(&run.stdout).expect(&said));
        }
    }
    let first = sorted(&measured[0], |turn| turn.rate)[TURNS / 2];
    for (competitor, turns) in competitors.iter().zip(&measured) {
        let rate = sorted(turns, |turn| turn.rate)[TURNS / 2];
        // In their order: on a busy machine only what stands at the same place can be compared.
        let rates: Vec<String> = turns
            .iter()
            .map(|turn| format!("{:.2}", turn.rate))
            .collect();
        print!(
            "  {:22} {rate:8.2} ({}), ours is {:.2} times that; peak {:.0} MiB",
            competitor.name,
            rates.join(", "),
            first / rate,
            sorted(turns, |turn| turn.peak)[TURNS / 2],
        );
        if turns
            .iter()
            .any(|turn| turn.worker.is_some_and(|worker| worker > 0.0))
        {
            let workers = sorted(turns, |turn| turn.worker.unwrap_or(0.0));
            print!(", each worker {:.0} MiB", workers[TURNS / 2]);
        }
        if turns.iter().all(|turn| turn.again.is_some()) {
            let again = sorted(turns, |turn| turn.again.unwrap_or(0.0));
            print!("; second epoch {:.2}", again[TURNS / 2]);
        }
        println!();
    }
    measured.iter().map(|turns| turns[0].figure).collect()
}

fn sorted(turns: &[Measured], value: impl Fn(&Measured) -> f64) -> Vec<f64> {
    let mut values: Vec<f64> = turns.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values
}

fn say(measured: &Measured) {
    println!("{}", serde_json::to_string(measured).expect("JSON"));
}

/// The most memory that this process ever had, in MiB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux system");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kibibytes.expect("a peak").parse::<f64>().expect("a number") / 1024.0
}

/// The first records by the names of their files, as Python takes them.
fn records(directory: &Path, count: usize) -> Vec<Record> {
    let mut records = skin::load(directory).expect("a data directory");
    assert!(records.len() >= count, "too few images");
    records.sort_by(|a, b| a.path.cmp(&b.path));
    records.truncate(count);
    records
}

/// What computes, by the environment.
fn device() -> Device {
    match env::var("ENGINE").as_deref() {
        Err(_) | Ok("burn") => Device::Processor,
        Ok("libtorch") => Device::Libtorch,
        Ok(other) => panic!("there is no engine {other:?}"),
    }
}

fn pool(threads: usize) -> ThreadPool {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("threads")
}

/// What a judge does before the model, on one thread.
fn images(directory: &Path) -> Measured {
    let competition = Tricorder::new(records(directory, IMAGES), IMAGES);
    let declared = vec![vec![Some(1), Some(3), Some(512), Some(512)], vec![None; 2]];
    let centre = |channel: usize| (channel * JUDGING_SIDE + JUDGING_SIDE / 2) * JUDGING_SIDE;
    let centre = |channel: usize| centre(channel) + JUDGING_SIDE / 2;
    pool(1).install(|| {
        let began = Instant::now();
        let mut total = 0.0;
        for item in 0..IMAGES {
            let inputs = competition.inputs(item, &declared).expect("an image");
            let pixels = &inputs[0].data;
            total += (0..3)
                .map(|channel| f64::from(pixels[centre(channel)]))
                .sum::<f64>();
        }
        Measured {
            rate: IMAGES as f64 / began.elapsed().as_secs_f64(),
            again: None,
            figure: total / IMAGES as f64 / 3.0,
            peak: peak(),
            worker: None,
        }
    })
}

/// Training steps; with a frozen trunk two epochs, as its features are kept for the second.
fn steps(is_frozen: bool, shards: usize, directory: &Path) -> Measured {
    let options = TricorderOptions::default();
    let mut model = TricorderModel::Balanced.build(&options).expect("a network");
    agon_train::init::initialise(&mut model, 1).expect("its weights");
    let records = records(directory, BATCH * STEPS);
    let preparation = Preparation {
        side: options.image_size,
        augmentation: Augmentation::default(),
        workers: Some(Arc::new(pool(THREADS))),
    };
    let began = Instant::now();
    let (training, _) = Lesions::load(&records, &preparation, &|_, _| {}).expect("images");
    let reading = began.elapsed();
    let (selection, _) = Lesions::load(&records[..1], &preparation, &|_, _| {}).expect("an image");
    let epochs = if is_frozen { 2 } else { 1 };
    let options = FitOptions {
        epochs,
        batch_size: BATCH,
        shards,
        learning_rate: 1e-4,
        frozen_epochs: if is_frozen { epochs } else { 0 },
        frozen_views: 1,
        device: device(),
        threads: Some(THREADS),
        ..FitOptions::default()
    };
    let place = tempfile::tempdir().expect("a temporary directory");
    let checkpoints = Checkpoints {
        directory: place.path(),
        on_other_run: OnOtherRun::StartAnew,
        policy: Policy::default(),
    };
    let mut stamps = vec![Vec::new(); epochs];
    let mut peak_of_steps = 0.0;
    let mut observer = |progress: Progress<'_>| {
        match progress {
            Progress::Step { epoch, .. } => {
                stamps[epoch - 1].push(Instant::now());
                peak_of_steps = peak();
            }
            // What is measured would be another thing.
            Progress::Split { .. } => panic!("there is not enough free memory"),
            Progress::Opened { .. } | Progress::Epoch { .. } => {}
        }
        ControlFlow::Continue(())
    };
    let task = Task {
        model: &model,
        training: &training,
        selection: &selection,
        objective: &|_| 0.0.into(),
    };
    fit(&task, &options, &checkpoints, &mut observer).expect("a trained network");
    let counted = STEPS - 1;
    let rate = |epoch: usize, reading: Duration| {
        assert_eq!(stamps[epoch].len(), STEPS);
        let steps = stamps[epoch][counted] - stamps[epoch][0];
        (BATCH * counted) as f64 / (steps + reading).as_secs_f64()
    };
    Measured {
        // Images are read before the first step, once for all epochs.
        rate: rate(0, reading.mul_f64(counted as f64 / STEPS as f64)),
        again: is_frozen.then(|| rate(1, Duration::ZERO)),
        figure: model.learned_parameter_count() as f64,
        peak: peak_of_steps,
        worker: None,
    }
}

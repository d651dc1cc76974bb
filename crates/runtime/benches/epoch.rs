//! The Yuma epoch: sparse, dense, and the same formulas in NumPy, on the same subnets in the same run.
//!
//! A subnet of V validators and N neurons (validators among them): nine of ten validators weigh a quarter of the
//! neurons, the same for all, by their quality and some disagreement; bonds are those of the epoch before. The last
//! line's validators weigh nearly all neurons. NumPy keeps V x N
//! matrices of doubles and starts from them, without reading stored rows. It runs where a `python3` with NumPy is
//! found (or the interpreter in `PYTHON`), and its dividends and incentives must be ours.

use std::hint::black_box;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use agon_runtime::yuma::{BondsUpdate, EpochError, EpochInput, EpochOutput, Row, dense, sparse};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};

/// Validators and neurons.
const SUBNETS: [(u16, u16); 3] = [(64, 256), (64, 1024), (256, 4096)];
/// The dense form keeps about ten N x N matrices, gigabytes for the largest subnet.
const DENSE_NEURONS: u16 = 1024;
/// How far NumPy's doubles may be from our shares of 65535.
const TOLERANCE: f64 = 1e-4;

/// Numbers from a seed (SplitMix64), so that every run has the same subnets.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)) % end
    }
}

/// A subnet in which one neuron in `one_in` is worth a weight and nine of ten validators give it one, with the bonds of
/// one epoch.
fn subnet(validators: u16, neurons: u16, one_in: u64) -> EpochInput {
    let mut numbers = Numbers(u64::from(neurons));
    let n = usize::from(neurons);
    let quality: Vec<u64> = (0..n).map(|_| 1000 + numbers.below(30_000)).collect();
    let mut row = |from: u16| -> Row {
        (0..neurons)
            .filter(|&to| to != from && u64::from(to) % one_in == 0 && numbers.below(10) != 0)
            .collect::<Vec<_>>()
            .into_iter()
            .map(|to| {
                (
                    to,
                    (quality[usize::from(to)] + numbers.below(10_000)) as u16,
                )
            })
            .collect()
    };
    let weights: Vec<Row> = (0..neurons)
        .map(|from| {
            if from < validators {
                row(from)
            } else {
                Row::new()
            }
        })
        .collect();
    let is_validator = |uid: &u16| *uid < validators;
    let mut input = EpochInput {
        n: neurons,
        block: 1000,
        tempo: 360,
        activity_cutoff: 5000,
        last_mechanism_step_block: 640,
        last_update: vec![900; n],
        block_at_registration: vec![10; n],
        stake: (0..neurons)
            .map(|uid| {
                if is_validator(&uid) {
                    1_000_000_000 * (1 + u64::from(uid % 50))
                } else {
                    0
                }
            })
            .collect(),
        stake_threshold: 0,
        validator_permit: (0..neurons).map(|uid| is_validator(&uid)).collect(),
        max_allowed_validators: validators,
        weights,
        bonds: vec![Row::new(); n],
        earliest_commit: vec![None; n],
        kappa: 32767,
        bonds_penalty: 65535,
        bonds_moving_average: 900_000,
        liquid_alpha: None,
        yuma3: true,
        owner_uid: None,
        rao_emission: 295_200_000_000,
    };
    let output = sparse::epoch(&input).expect("a consistent subnet");
    for (row, update) in input.bonds.iter_mut().zip(output.bonds) {
        if let BondsUpdate::Store(stored) = update {
            *row = stored;
        }
    }
    input
}

/// The median of some runs.
fn time(runs: usize, mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[runs / 2]
}

/// The median time NumPy takes; none without NumPy.
fn numpy(input: &EpochInput, validators: u16, expected: &EpochOutput) -> Option<Duration> {
    let head = &usize::from(validators);
    let subnet = json!({
        "n": input.n,
        "stake": input.stake[..*head],
        "weights": input.weights[..*head],
        "bonds": input.bonds[..*head],
        "kappa": input.kappa,
        "bonds_moving_average": input.bonds_moving_average,
    });
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let mut child = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/epoch.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    // Without NumPy the script is gone before it has read anything.
    let sent = child.stdin.take()?.write_all(subnet.to_string().as_bytes());
    let output = child.wait_with_output().ok()?;
    if sent.is_err() || !output.status.success() {
        return None;
    }
    let result: Value = serde_json::from_slice(&output.stdout).expect("the script writes JSON");
    for (name, ours) in [
        ("incentive", &expected.incentive),
        ("dividends", &expected.dividends),
    ] {
        let theirs = result[name].as_array().expect("one number a neuron");
        assert_eq!(theirs.len(), ours.len(), "{name}");
        for (theirs, ours) in theirs.iter().zip(ours) {
            let (theirs, ours) = (
                theirs.as_f64().expect("a number"),
                f64::from(*ours) / 65535.0,
            );
            assert!(
                (theirs - ours).abs() < TOLERANCE,
                "{name}: NumPy {theirs}, ours {ours}"
            );
        }
    }
    Some(Duration::from_secs_f64(
        result["seconds"].as_f64().expect("a time"),
    ))
}

fn epochs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("epoch");
    group.sample_size(20);
    for (validators, neurons) in SUBNETS {
        let input = subnet(validators, neurons, 4);
        group.bench_function(format!("{validators}x{neurons} sparse"), |bencher| {
            bencher.iter(|| sparse::epoch(black_box(&input)))
        });
    }
    group.finish();

    let show = |time: Option<Duration>| {
        time.map_or("-".into(), |time| {
            format!("{:.2} ms", time.as_secs_f64() * 1e3)
        })
    };
    println!("\nmedians            weights     sparse      dense      NumPy");
    for (validators, neurons, one_in) in SUBNETS
        .map(|(validators, neurons)| (validators, neurons, 4))
        .into_iter()
        .chain([(256, 4096, 1)])
    {
        let input = subnet(validators, neurons, one_in);
        let expected = sparse::epoch(&input).expect("a consistent subnet");
        let runs = |form: fn(&EpochInput) -> Result<EpochOutput, EpochError>, count| {
            time(count, || {
                assert!(form(black_box(&input)).is_ok_and(|output| output == expected))
            })
        };
        let sparse = runs(sparse::epoch, 11);
        let dense = (neurons <= DENSE_NEURONS).then(|| runs(dense::epoch, 3));
        let cells: usize = input.weights.iter().map(Vec::len).sum();
        println!(
            "{:<18} {cells:>7} {:>10} {:>10} {:>10}",
            format!("{validators}x{neurons}"),
            show(Some(sparse)),
            show(dense),
            show(numpy(&input, validators, &expected)),
        );
    }
}

criterion_group!(benches, epochs);
criterion_main!(benches);

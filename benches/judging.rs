//! What judging takes beside the models themselves: the sandbox, copies looked for among a thousand models, a ledger of a
//! million rows.
//!
//! `cargo bench --bench judging`; words after `--` choose parts (`sandbox`, `copies`, `ledger`). `ENGINE=onnxruntime` as in
//! `evaluate`. Every figure is the median of several turns, with the best.

use agon_arena::competition::Competition;
use agon_arena::ledger::{Ledger, Records};
use agon_arena::likeness::{Portrait, first_alike};
use agon_arena::sandbox::Sandbox;
use agon_arena::seed::{SampleSource, Seed};
use agon_arena::subnet::tricorder::Tricorder;
use agon_dataset::skin::{self, Record, synthetic};
use agon_keys::AccountId;
use agon_model::architecture::{LesionClassifier, TricorderOptions, lesion_classifier, tricorder};
use agon_model::digest::Digest;
use agon_model::inference::Engine;
use agon_model::{Model, canonical, inspect};
use futures::{StreamExt, stream};
use rand::RngExt;
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use std::env;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Images a model is asked about.
const IMAGES: usize = 100;
/// Models of a round.
const MODELS: u64 = 4;
/// How often each thing is measured.
const TIMES: usize = 5;
/// How often a round of models is.
const ROUNDS: usize = 3;

#[tokio::main]
async fn main() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let engine = match env::var("ENGINE").as_deref() {
        Err(_) | Ok("rten") => Engine::Rten,
        Ok("onnxruntime") => Engine::OnnxRuntime,
        Ok(other) => panic!("there is no engine {other}"),
    };
    let records = records(&place.path().join("images"));
    let competition: Arc<dyn Competition> =
        Arc::new(Tricorder::new(records, IMAGES).with_engine(engine));
    let words: Vec<String> = env::args().skip(1).collect();
    let chosen: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let wanted = |part: &str| chosen.is_empty() || chosen.iter().any(|word| *word == part);
    if wanted("sandbox") {
        networks(&competition).await;
    }
    if wanted("copies") {
        copies(&place.path().join("copies")).await;
    }
    if wanted("ledger") {
        ledger(&place.path().join("ledger")).await;
    }
}

async fn networks(competition: &Arc<dyn Competition>) {
    println!("{}", competition.engine());
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
        let models: Vec<Model> = (0..MODELS).map(|seed| untrained(&network, seed)).collect();
        sandbox(competition, name, &models).await;
    }
}

fn untrained(network: &LesionClassifier, seed: u64) -> Model {
    let mut model = lesion_classifier(network).expect("a network");
    agon_train::init::initialise(&mut model, seed).expect("its weights");
    model.strip_training();
    model
}

fn records(directory: &Path) -> Vec<Record> {
    let parameters = synthetic::Synthetic {
        images: IMAGES,
        width: 600,
        height: 450,
        ..synthetic::Synthetic::default()
    };
    synthetic::generate(directory, &parameters, &|_, _| {}).expect("generated images");
    skin::load(directory).expect("a data directory")
}

/// Durations of several turns.
#[derive(Default)]
struct Turns(Vec<Duration>);

impl Turns {
    fn add(&mut self, since: Instant) {
        self.put(since.elapsed());
    }

    fn put(&mut self, turn: Duration) {
        self.0.push(turn);
        self.0.sort();
    }

    fn median(&self) -> Duration {
        self.0[self.0.len() / 2]
    }
}

impl std::fmt::Display for Turns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3?} (best {:.3?})", self.median(), self.0[0])
    }
}

/// Processor time of this process.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The same work in the sandbox and in this process, in turns; and how many models an hour.
async fn sandbox(competition: &Arc<dyn Competition>, name: &str, models: &[Model]) {
    let library = env::var_os("ORT_DYLIB_PATH").map(PathBuf::from);
    let sandbox =
        Sandbox::new(PathBuf::from(env!("CARGO_BIN_EXE_agon"))).with_library(library.clone());
    let items: Vec<usize> = (0..IMAGES).collect();
    let runtime = competition
        .engine()
        .start(library.as_deref())
        .expect("an engine");
    let first = &models[0];
    let bytes = first.to_bytes();
    let declared = vec![vec![None, Some(3), None, None], vec![None, Some(3)]];
    let declared: Vec<Vec<Option<usize>>> = first
        .inputs()
        .iter()
        .zip(declared)
        .map(|(input, otherwise)| {
            let sizes = input.dims.iter().zip(otherwise);
            let fixed = |(size, otherwise): (&agon_model::Dim, Option<usize>)| match size {
                agon_model::Dim::Fixed(size) => Some(*size),
                agon_model::Dim::Named(_) => otherwise,
            };
            sizes.map(fixed).collect()
        })
        .collect();
    let mut times = [const { [const { Turns(Vec::new()) }; 2] }; 2];
    let mut processor = [const { Turns(Vec::new()) }; 2];
    for _ in 0..TIMES {
        for (at, count) in [1, IMAGES].into_iter().enumerate() {
            let (began, used) = (Instant::now(), processor_time());
            let judged = sandbox
                .judge(competition.clone(), &bytes, &items[..count])
                .await;
            let judged = judged.expect("the sandbox works");
            assert!(judged.judgement.score.is_some());
            times[at][0].add(began);
            let child = Duration::from_secs_f64(judged.seconds);
            if count == IMAGES {
                processor[0].put(processor_time() - used + child);
            }
            // What the child does, here: inspected, loaded, asked one by one, each image prepared before.
            let (began, used) = (Instant::now(), processor_time());
            let model = inspect::inspect(&bytes, &competition.limits())
                .expect("accepted")
                .model;
            let (contract, limits) = (competition.contract(), competition.limits());
            inspect::check_contract(&model, &contract).expect("accepted");
            inspect::check_work(&model, &contract, &limits).expect("accepted");
            black_box(canonical::digest(&model));
            let session = runtime.load(bytes.clone()).expect("a session");
            for &item in &items[..count] {
                let inputs = competition
                    .inputs(item, &declared)
                    .expect("readable images");
                black_box(session.run(&inputs).expect("an answer"));
            }
            times[at][1].add(began);
            if count == IMAGES {
                processor[1].put(processor_time() - used);
            }
        }
    }
    let [[one, one_here], [all, all_here]] = &times;
    println!(
        "{name}: one image {one} in the sandbox, {one_here} in this process; {IMAGES} images {all}, {all_here}"
    );
    let [there, here] = &processor;
    println!(
        "{name}: processor time of {IMAGES} images {there} in the sandbox, {here} in this process"
    );
    for at_once in [1, 2] {
        let mut turns = Turns::default();
        for _ in 0..ROUNDS {
            let began = Instant::now();
            let judge = |model: &Model| {
                let (sandbox, competition, bytes) =
                    (sandbox.clone(), competition.clone(), model.to_bytes());
                let items = items.clone();
                async move { sandbox.judge(competition, &bytes, &items).await }
            };
            let judged: Vec<_> = stream::iter(models)
                .map(judge)
                .buffered(at_once)
                .collect()
                .await;
            assert!(judged.into_iter().all(|judged| judged.is_ok()));
            turns.add(began);
        }
        let seconds = turns.median().as_secs_f64();
        let models = models.len() as f64;
        println!(
            "{name}, {at_once} at once: {:.0} models/h, {:.1} images/s",
            models / seconds * 3600.0,
            models * IMAGES as f64 / seconds
        );
    }
}

/// One more model, held against a thousand.
async fn copies(directory: &Path) {
    const STORED: u16 = 1000;
    const SAMPLES: usize = 400;
    let classes: Vec<usize> = (0..SAMPLES).map(|at| at % 11).collect();
    let answers = |number: u16| -> Vec<Vec<f32>> {
        let mut stream = Seed::derive("bench", &[&number.to_le_bytes()]).stream();
        let mut answer = || (0..11).map(|_| stream.random::<f32>()).collect();
        (0..SAMPLES).map(|_| answer()).collect()
    };
    let mut ledger = Ledger::open(directory, &[7; 32], "bench")
        .await
        .expect("a ledger");
    let opened =
        json!({"number": 1, "epoch": 1, "cutoff_block": 1, "cutoff_hash": H256, "seed_hash": H256});
    let event = json!({"event": "round_opened", "of": opened});
    ledger
        .record(&serde_json::from_value(event).expect("an event"))
        .await
        .expect("recorded");
    for number in 0..STORED {
        let row = json!({
            "round": 1,
            "hotkey": hotkey(number),
            "commit_block": number,
            "extrinsic_index": 0,
            "artefact": Digest::of(&number.to_le_bytes()),
            "canonical": Digest::of(&u32::from(number).to_le_bytes()),
            "portrait": Portrait::new(&answers(number), &classes, Seed([1; 32])),
            "sample": Digest::of(b"sample"),
            "bytes": 1,
            "engine": "bench",
            "outcome": "scored",
            "reason": null,
            "score": 0.5,
            "metrics": {},
        });
        let event = json!({"event": "evaluated", "of": row});
        ledger
            .record(&serde_json::from_value(event).expect("an event"))
            .await
            .expect("recorded");
    }
    let earlier = ledger.records().evaluations(1).await.expect("rows");
    let network = tricorder("balanced", &TricorderOptions::default()).expect("a network");
    let file = network.to_bytes();
    let mut turns = Turns::default();
    let mut canonical_form = Turns::default();
    for _ in 0..TIMES {
        let began = Instant::now();
        black_box(canonical::digest(&network));
        canonical_form.add(began);
        let began = Instant::now();
        let portrait = Portrait::new(&answers(STORED), &classes, Seed([1; 32]));
        let committed = (u64::from(STORED), 0, hotkey(STORED));
        let owner = ledger
            .records()
            .owner(
                committed,
                Digest::of(&file),
                Some(Digest::of(b"no such network")),
            )
            .await
            .expect("an answer");
        assert!(owner.is_none() && first_alike(&portrait, &earlier).is_none());
        turns.add(began);
    }
    println!(
        "one model beside {STORED}: {turns} for file, network and likeness, and {canonical_form} for the canonical form of {} MiB",
        file.len() >> 20
    );
}

const H256: &str = "0x0101010101010101010101010101010101010101010101010101010101010101";

fn hotkey(number: u16) -> AccountId {
    let mut bytes = [3; 32];
    bytes[..2].copy_from_slice(&number.to_le_bytes());
    AccountId::from(bytes)
}

/// What validators and people ask of a ledger, of 4,000 rounds with 250 submissions each.
async fn ledger(directory: &Path) {
    const ROUNDS: u64 = 4000;
    const MINERS: u16 = 250;
    let ledger = Ledger::open(directory, &[7; 32], "bench")
        .await
        .expect("a ledger");
    ledger.close().await;
    fill(&directory.join("ledger.sqlite"), ROUNDS, MINERS).await;
    let records = Records::open(directory, None).await.expect("a ledger");
    let somebody = hotkey(MINERS / 2);
    let mut turns: [Turns; 5] = Default::default();
    for turn in 0..TIMES as u64 {
        let round = ROUNDS / 2 + 97 * turn;
        let began = Instant::now();
        assert!(records.last_round().await.expect("an answer").is_some());
        turns[0].add(began);
        let began = Instant::now();
        assert_eq!(
            records.evaluations(round).await.expect("rows").len(),
            usize::from(MINERS)
        );
        turns[1].add(began);
        let began = Instant::now();
        assert_eq!(records.history(somebody, 50).await.expect("rows").len(), 50);
        turns[2].add(began);
        let began = Instant::now();
        let committed = (u64::from(MINERS), 0, hotkey(MINERS));
        let file = Digest::of(&1u16.to_le_bytes());
        assert!(
            records
                .owner(committed, file, Some(file))
                .await
                .expect("an answer")
                .is_some()
        );
        turns[3].add(began);
        let began = Instant::now();
        assert_eq!(
            records
                .past(round, 9, SampleSource::Chain)
                .await
                .expect("rows")
                .len(),
            9
        );
        turns[4].add(began);
    }
    let [last, rows, history, owner, past] = &turns;
    println!(
        "a ledger of {} rows: last round {last}; a round's {MINERS} rows {rows}; 50 rounds of one hotkey {history}; \
         whose a file is {owner}; nine rounds for the shares {past}",
        ROUNDS * u64::from(MINERS)
    );
}

/// Rows by the million, past the journal.
async fn fill(path: &Path, rounds: u64, miners: u16) {
    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(path));
    let pool = pool.await.expect("the ledger");
    let genesis = hex::encode([7; 32]);
    let number =
        "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?) ";
    let rows = format!(
        "{number}INSERT INTO rounds (genesis, competition, round, epoch, cutoff_block, cutoff_hash, seed_hash, abstained) \
         SELECT ?, 'bench', n, n, n, '{H256}', '{H256}', 1 FROM number"
    );
    let insert = sqlx::query(sqlx::AssertSqlSafe(rows))
        .bind(rounds as i64)
        .bind(&genesis);
    insert.execute(&pool).await.expect("rounds");
    for miner in 0..miners {
        let insert = format!(
            "{number}INSERT INTO evaluations (genesis, competition, round, hotkey, commit_block, extrinsic_index, \
             artefact, canonical, portrait, evidence, sample, bytes, engine, outcome, score, metrics) \
             SELECT ?, 'bench', n, ?, ?, 0, ?, ?, '[1,2,3]', zeroblob(400), ?, 1, 'bench', 'scored', 0.5, '{{}}' FROM number"
        );
        let file = Digest::of(&miner.to_le_bytes()).to_string();
        sqlx::query(sqlx::AssertSqlSafe(insert))
            .bind(rounds as i64)
            .bind(&genesis)
            .bind(hotkey(miner).to_string())
            .bind(i64::from(miner))
            .bind(&file)
            .bind(&file)
            .bind(&file)
            .execute(&pool)
            .await
            .expect("rows");
    }
    pool.close().await;
}

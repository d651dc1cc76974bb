//! One training step of a small network: through the executor, and written by hand with Burn's modules.
//!
//! Both do the same: forward, loss, backward, AdamW. The ratio of the medians is printed at the end; the executor
//! should be within 5 % of the hand-written network.

use std::hint::black_box;
use std::time::{Duration, Instant};

use agon_model::Model;
use agon_model::architecture::{LesionClassifier, lesion_classifier};
use agon_model::builder::{Convolution, GraphBuilder};
use agon_model::{Dim, builder::Value};
use agon_train::engine::Engine;
use agon_train::examples::{Array, Batch, Examples, Identity, Unavailable};
use agon_train::init::initialise;
use agon_train::loss::{Loss, Targets};
use agon_train::optimiser::{self, AdamW};
use agon_train::program::Program;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData, activation};
use criterion::{Criterion, criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const BATCH: usize = 16;
const SIZE: usize = 32;
const CLASSES: usize = 10;
/// Channels after the stem and after each stage.
const CHANNELS: [usize; 4] = [16, 16, 32, 64];

/// A residual network: a stem, then three stages of one block.
fn graph() -> Model {
    let mut graph = GraphBuilder::new("small");
    let g = &mut graph;
    let side = Dim::Fixed(SIZE);
    let x = g.input(
        "image",
        vec![
            Dim::Named("batch".into()),
            Dim::Fixed(3),
            side.clone(),
            side,
        ],
    );
    let normalised = |g: &mut GraphBuilder, x: &Value, channels, kernel, stride| {
        let x = g.convolution(x, Convolution::new(channels, kernel, stride));
        g.batch_normalisation(&x)
    };
    let x = normalised(g, &x, CHANNELS[0], 3, 1);
    let mut x = g.relu(&x);
    for channels in &CHANNELS[1..] {
        let y = normalised(g, &x, *channels, 3, 2);
        let y = g.relu(&y);
        let y = normalised(g, &y, *channels, 3, 1);
        let shortcut = normalised(g, &x, *channels, 1, 2);
        let sum = g.add(&y, &shortcut);
        x = g.relu(&sum);
    }
    let x = g.global_average_pool(&x);
    let x = g.flatten(&x);
    let x = g.linear(&x, CLASSES);
    let x = g.softmax(&x);
    g.output(&x, "probabilities");
    let mut model = graph.finish().expect("the architecture fits");
    initialise(&mut model, 1).expect("placeholders fit");
    model
}

#[derive(Module, Debug)]
struct Normalised {
    convolution: Conv2d,
    normalisation: BatchNorm,
}

impl Normalised {
    fn new(from: usize, to: usize, kernel: usize, stride: usize, device: &Device) -> Self {
        let padding = kernel / 2;
        let convolution = Conv2dConfig::new([from, to], [kernel; 2])
            .with_stride([stride; 2])
            .with_padding(PaddingConfig2d::Explicit(
                padding, padding, padding, padding,
            ))
            .with_bias(false)
            .init(device);
        let normalisation = BatchNormConfig::new(to).init(device);
        Self {
            convolution,
            normalisation,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.normalisation.forward(self.convolution.forward(x))
    }
}

#[derive(Module, Debug)]
struct Block {
    first: Normalised,
    second: Normalised,
    shortcut: Normalised,
}

#[derive(Module, Debug)]
struct ByHand {
    stem: Normalised,
    blocks: Vec<Block>,
    pool: AdaptiveAvgPool2d,
    head: Linear,
}

impl ByHand {
    fn new(device: &Device) -> Self {
        let blocks = CHANNELS.windows(2).map(|pair| Block {
            first: Normalised::new(pair[0], pair[1], 3, 2, device),
            second: Normalised::new(pair[1], pair[1], 3, 1, device),
            shortcut: Normalised::new(pair[0], pair[1], 1, 2, device),
        });
        Self {
            stem: Normalised::new(3, CHANNELS[0], 3, 1, device),
            blocks: blocks.collect(),
            pool: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            head: LinearConfig::new(CHANNELS[3], CLASSES).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let mut x = activation::relu(self.stem.forward(x));
        for block in &self.blocks {
            let y = activation::relu(block.first.forward(x.clone()));
            let sum = block.second.forward(y) + block.shortcut.forward(x);
            x = activation::relu(sum);
        }
        self.head.forward(self.pool.forward(x).flatten(1, 3))
    }
}

/// A step through the executor, with everything it needs.
struct Executed<'a> {
    program: &'a Program,
    engine: Engine<'a>,
    weights: agon_train::program::Weights,
    optimiser: AdamW,
    masks: ChaCha8Rng,
}

impl Executed<'_> {
    fn step(&mut self, batch: &Array, targets: &Targets<'_>) -> f64 {
        let inputs = vec![batch.clone()];
        let gradient = self
            .engine
            .gradient(&self.weights, inputs, targets, &mut self.masks);
        let gradient = gradient.expect("the batch fits");
        let parameters = &gradient.parameters;
        self.optimiser
            .step(self.program, &mut self.weights, parameters, 1e-3, 1e-4);
        let running = &mut self.weights.statistics;
        optimiser::update_statistics(self.program, running, &gradient.statistics);
        gradient.loss
    }
}

/// A step of the hand-written network.
struct Written {
    device: Device,
    network: Option<ByHand>,
    optimiser: ModuleOptimizer,
}

impl Written {
    /// `wanted` is one at each sample's class, divided by their number.
    fn step(&mut self, batch: &Array, wanted: &[f32]) -> f64 {
        let network = self.network.take().expect("put back after every step");
        let data = TensorData::new(batch.data.clone(), batch.shape.clone());
        let x = Tensor::<4>::from_data(data, &self.device);
        let wanted = TensorData::new(wanted.to_vec(), [BATCH, CLASSES]);
        let wanted = Tensor::<2>::from_data(wanted, &self.device);
        let loss = -(activation::log_softmax(network.forward(x), 1) * wanted).sum();
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        self.network = Some(self.optimiser.step(1e-3, network, gradients));
        f64::from(loss.into_scalar::<f32>())
    }
}

fn samples(count: usize, size: usize) -> Array {
    let mut stream = ChaCha8Rng::seed_from_u64(1);
    Array {
        shape: vec![count, 3, size, size],
        data: (0..count * 3 * size * size)
            .map(|_| stream.random::<f32>())
            .collect(),
    }
}

fn step(criterion: &mut Criterion) {
    let model = graph();
    let (program, weights) = Program::compile(&model).expect("the graph is supported");
    let mut executed = Executed {
        program: &program,
        engine: Engine::new(&program),
        optimiser: AdamW::new(&weights),
        weights,
        masks: ChaCha8Rng::seed_from_u64(0),
    };
    let device = Device::flex().autodiff();
    let mut written = Written {
        network: Some(ByHand::new(&device)),
        optimiser: AdamWConfig::new().init(),
        device,
    };
    let batch = samples(BATCH, SIZE);
    let labels: Vec<usize> = (0..BATCH).map(|index| index % CLASSES).collect();
    let loss = Loss::default();
    let targets = Targets::new(&loss, CLASSES, &labels);
    let wanted: Vec<f32> = labels
        .iter()
        .flat_map(|&label| (0..CLASSES).map(move |class| f32::from(u8::from(class == label))))
        .map(|hit| hit / BATCH as f32)
        .collect();

    // One thread, as a worker of the training loop has it.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .expect("one thread");
    let mut group = criterion.benchmark_group("step");
    group.sample_size(20);
    group.bench_function("executor", |bencher| {
        bencher.iter(|| pool.install(|| executed.step(&batch, &targets)));
    });
    group.bench_function("by hand", |bencher| {
        bencher.iter(|| pool.install(|| written.step(&batch, &wanted)));
    });
    group.finish();

    // Interleaved, so that a busy machine disturbs both alike.
    let (ours, theirs) = pool.install(|| {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..60 {
            ours.push(timed(|| executed.step(&batch, &targets)));
            theirs.push(timed(|| written.step(&batch, &wanted)));
        }
        (median(ours), median(theirs))
    });
    println!(
        "executor {ours:.2?}, by hand {theirs:.2?}: ratio {:.3}",
        ours.as_secs_f64() / theirs.as_secs_f64()
    );
}

/// Random samples for the lesion classifier.
struct Noise(Array);

impl Examples for Noise {
    fn len(&self) -> usize {
        self.0.shape[0]
    }

    fn label(&self, index: usize) -> usize {
        index % 11
    }

    fn batch(&self, indices: &[usize], _augment: Option<u64>) -> Result<Batch, Unavailable> {
        let size = self.0.data.len() / self.len();
        let pixels = indices
            .iter()
            .flat_map(|&i| &self.0.data[i * size..(i + 1) * size]);
        let image = Array {
            shape: [&[indices.len()], &self.0.shape[1..]].concat(),
            data: pixels.copied().collect(),
        };
        let demographics = Array {
            shape: vec![indices.len(), 3],
            data: [50.0, 1.0, 3.0].repeat(indices.len()),
        };
        Ok(Batch {
            inputs: vec![image, demographics],
            labels: indices.iter().map(|&index| self.label(index)).collect(),
        })
    }

    fn identity(&self, _augmented: bool) -> Identity {
        Identity::new()
    }
}

/// Images a second of the whole loop, default classifier, two shards on two threads.
fn throughput(_: &mut Criterion) {
    use agon_train::checkpoint::{OnOtherRun, Policy};
    use agon_train::fit::{Checkpoints, Progress, Task, fit};
    use agon_train::options::FitOptions;

    let mut model = lesion_classifier(&LesionClassifier::default()).expect("the defaults fit");
    initialise(&mut model, 1).expect("placeholders fit");
    let home = tempfile::tempdir().expect("a temporary directory");
    let noise = Noise(samples(512, 64));
    let selection = Noise(samples(32, 64));
    let task = Task {
        model: &model,
        training: &noise,
        selection: &selection,
        objective: &|_| 0.0.into(),
    };
    let options = FitOptions {
        epochs: 2,
        ..FitOptions::default()
    };
    let checkpoints = Checkpoints {
        directory: home.path(),
        on_other_run: OnOtherRun::Refuse,
        begin_from: None,
        policy: Policy::default(),
    };
    let mut times = vec![Instant::now()];
    let result = fit(&task, &options, &checkpoints, &mut |progress| {
        if matches!(progress, Progress::Step { .. }) {
            times.push(Instant::now());
        }
        std::ops::ControlFlow::Continue(())
    });
    result.expect("the run finishes");
    let steps = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let rate = options.batch_size as f64 / median(steps).as_secs_f64();
    println!("lesion classifier, 64x64, two workers: {rate:.0} images/s in training");
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

criterion_group!(benches, step, throughput);
criterion_main!(benches);

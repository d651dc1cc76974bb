//! The executor against finite differences and against the judging runtime.

mod common;

use std::sync::LazyLock;

use agon_model::architecture::{LesionClassifier, lesion_classifier};
use agon_model::proto::{NodeProto, TensorProto};
use agon_model::{Model, training_attributes};
use agon_train::engine::{Device, Engine, ExecuteError, Gradient};
use agon_train::examples::{Array, Batch};
use agon_train::export::export;
use agon_train::init::initialise;
use agon_train::loss::{Loss, Targets};
use agon_train::program::{CompileError, Program, Weights};
use common::cases::{BATCH, cases, float, int, model_of};
use common::{array, floats, graph, node, weight};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn targets() -> Targets<'static> {
    static LOSS: LazyLock<Loss> = LazyLock::new(|| Loss {
        label_smoothing: 0.1,
        ..Loss::default()
    });
    Targets::new(&LOSS, 5, &[0, 4, 2, 2])
}

fn loss(engine: &Engine<'_>, weights: &Weights, x: &Array) -> f64 {
    let masks = &mut ChaCha8Rng::seed_from_u64(0);
    engine
        .gradient(weights, vec![x.clone()], &targets(), masks)
        .unwrap()
        .loss
}

#[test]
fn gradients_agree_with_finite_differences() {
    for device in common::devices() {
        agree_with_finite_differences(device);
    }
}

fn agree_with_finite_differences(device: Device) {
    let x = array(11, &[BATCH, 2, 4, 4]);
    for case in cases() {
        let model = model_of(&case);
        let (program, weights) = Program::compile(&model).unwrap();
        let engine = Engine::on(&program, device).unwrap();
        let masks = &mut ChaCha8Rng::seed_from_u64(0);
        let gradient = engine
            .gradient(&weights, vec![x.clone()], &targets(), masks)
            .unwrap();
        for (index, parameter) in program.parameters.iter().enumerate() {
            // A step along the gradient's own signs: one direction tests all elements at once.
            let direction: Vec<f32> = gradient.parameters[index]
                .iter()
                .map(|g| g.signum())
                .collect();
            let length = 2e-3;
            let moved = |sign: f32| {
                let mut moved = weights.clone();
                for (value, d) in moved.parameters[index].iter_mut().zip(&direction) {
                    *value += sign * length * d;
                }
                loss(&engine, &moved, &x)
            };
            let measured = (moved(1.0) - moved(-1.0)) / (2.0 * f64::from(length));
            let expected: f64 = gradient.parameters[index]
                .iter()
                .map(|g| f64::from(g.abs()))
                .sum();
            let error = (measured - expected).abs();
            assert!(
                error < 2e-3 + 0.03 * expected,
                "{device}: {}: {}: measured {measured}, computed {expected}",
                case.name,
                parameter.name
            );
        }
    }
}

/// The largest distance of two lists of numbers of one length.
fn apart(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    // Not a number is far from everything.
    apart.fold(0.0, |most, apart| match apart.is_nan() {
        true => f32::INFINITY,
        false => most.max(apart),
    })
}

#[test]
fn engines_agree_with_each_other() {
    let built = cfg!(feature = "libtorch");
    assert_eq!(common::devices().contains(&Device::Libtorch), built);
    for case in cases() {
        let model = model_of(&case);
        let (program, weights) = Program::compile(&model).unwrap();
        let x = array(13, &[BATCH, 2, 4, 4]);
        let by = |device| {
            let engine = Engine::on(&program, device).unwrap();
            let masks = &mut ChaCha8Rng::seed_from_u64(0);
            let output = engine.evaluate(&weights, vec![x.clone()]).unwrap();
            let gradient = engine.gradient(&weights, vec![x.clone()], &targets(), masks);
            (output, gradient.unwrap())
        };
        let (output, gradient) = by(Device::Processor);
        for device in common::devices() {
            let what = format!("{device}: {}", case.name);
            let (other, other_gradient) = by(device);
            assert_eq!(output.shape, other.shape, "{what}");
            assert!(apart(&output.data, &other.data) < 1e-4, "{what}: output");
            same_gradient(&gradient, &other_gradient, &what);
        }
    }
}

fn same_gradient(a: &Gradient, b: &Gradient, what: &str) {
    assert!((a.loss - b.loss).abs() < 1e-4, "{what}: loss");
    for (a, b) in a.parameters.iter().zip(&b.parameters) {
        assert!(apart(a, b) < 1e-4, "{what}: gradient");
    }
    assert_eq!(a.statistics.len(), b.statistics.len(), "{what}");
    for (a, b) in a.statistics.iter().zip(&b.statistics) {
        assert!(apart(&a.mean, &b.mean) < 1e-4, "{what}: mean");
        assert!(apart(&a.variance, &b.variance) < 1e-4, "{what}: variance");
    }
}

#[test]
fn a_pass_that_needs_more_memory_than_it_may_take_is_an_error() {
    let model = common::small_network(0.0, 0.0);
    let (program, weights) = Program::compile(&model).unwrap();
    let loss = Loss::default();
    for device in common::devices() {
        let engine = Engine::on(&program, device).unwrap().with_memory(100_000);
        let gradient = |samples: usize| {
            let targets = Targets::new(&loss, 3, &vec![1; samples]);
            let x = array(1, &[samples, 1, 16, 16]);
            let masks = &mut ChaCha8Rng::seed_from_u64(0);
            engine.gradient(&weights, vec![x], &targets, masks)
        };
        assert!(gradient(2).is_ok(), "{device}");
        let error = gradient(200).unwrap_err();
        assert!(
            matches!(error, ExecuteError::Memory(_)),
            "{device}: {error}"
        );
        // What has no way back keeps nothing.
        let x = array(1, &[200, 1, 16, 16]);
        assert!(engine.evaluate(&weights, vec![x]).is_ok(), "{device}");
    }
}

#[test]
fn outputs_agree_with_the_judging_runtime() {
    for case in cases() {
        let model = model_of(&case);
        let (_, weights) = Program::compile(&model).unwrap();
        let batch = Batch {
            inputs: vec![array(12, &[BATCH, 2, 4, 4])],
            labels: vec![0; BATCH],
        };
        // The export compares every output.
        if let Err(error) = export(&model, &weights, batch) {
            panic!("{}: {error}", case.name);
        }
    }
}

#[test]
fn the_lesion_classifier_agrees_with_the_judging_runtime() {
    let mut model = lesion_classifier(&LesionClassifier::default()).unwrap();
    initialise(&mut model, 5).unwrap();
    let (program, mut weights) = Program::compile(&model).unwrap();
    assert_eq!(
        program.parameter_count()
            + 2 * weights
                .statistics
                .iter()
                .map(|m| m.mean.len())
                .sum::<usize>(),
        model.parameter_count()
    );
    // Larger last-layer weights and odd statistics: the outputs must not all be equal.
    for values in &mut weights.parameters {
        values.iter_mut().for_each(|v| *v *= 1.5);
    }
    for (index, moments) in weights.statistics.iter_mut().enumerate() {
        moments.mean = common::noise(index as u64, moments.mean.len());
        moments.variance = common::noise(index as u64 + 99, moments.mean.len())
            .iter()
            .map(|v| 1.0 + v * 0.5)
            .collect();
    }
    let mut image = array(1, &[3, 3, 64, 64]);
    image.data.iter_mut().for_each(|v| *v = *v * 0.5 + 0.5);
    let demographics = Array {
        shape: vec![3, 3],
        data: vec![0.0, -1.0, -1.0, 44.0, 1.0, 5.0, 83.0, 0.0, 7.0],
    };
    let batch = Batch {
        inputs: vec![image, demographics],
        labels: vec![0; 3],
    };
    let output = Engine::new(&program)
        .evaluate(&weights, batch.inputs.clone())
        .unwrap();
    assert_eq!(output.shape, [3, 11]);
    assert!(output.data.iter().any(|p| *p > 0.15), "{:?}", output.data);
    export(&model, &weights, batch).unwrap();
}

#[test]
fn constants_are_not_learned() {
    let model = lesion_classifier(&LesionClassifier::small()).unwrap();
    let (program, _) = Program::compile(&model).unwrap();
    let initialisers = model.graph().initializer.len();
    assert_eq!(
        program.parameters.len() + 2 * program.statistics.len(),
        initialisers
    );
    // An initialiser that normalises the input is not learned; the same after a learned layer is.
    let nodes = vec![
        node("Mul", &["x", "before"], "n", vec![]),
        node("Conv", &["n", "kernel"], "h", vec![]),
        node("Mul", &["h", "after"], "m", vec![]),
        node("Flatten", &["m"], "f", vec![]),
        node("Gemm", &["f", "matrix"], "z", vec![]),
        node("Softmax", &["z"], "p", vec![]),
    ];
    let weights = vec![
        weight("before", &[2, 1, 1], 1),
        weight("kernel", &[3, 2, 1, 1], 2),
        weight("after", &[3, 1, 1], 3),
        weight("matrix", &[48, 5], 4),
    ];
    let model = graph(&[2, 4, 4], &[5], nodes, weights, 18);
    let (program, _) = Program::compile(&model).unwrap();
    let names: Vec<&str> = program.parameters.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["kernel", "after", "matrix"]);
}

/// x -> Gemm with a unit matrix -> softmax, with train-only behaviour on the Gemm.
fn dropping(attribute: Option<(&str, f32)>) -> Model {
    let mut unit = vec![0.0; 64];
    (0..8).for_each(|i| unit[i * 9] = 1.0);
    let attributes = attribute
        .into_iter()
        .map(|(name, p)| float(name, p))
        .collect();
    let nodes = vec![
        node("Gemm", &["x", "unit"], "h", attributes),
        node("Gemm", &["h", "matrix"], "z", vec![]),
        node("Softmax", &["z"], "p", vec![]),
    ];
    let weights = vec![
        TensorProto::from_f32("unit", &[8, 8], &unit),
        weight("matrix", &[8, 3], 1),
    ];
    graph(&[8], &[3], nodes, weights, 18)
}

#[test]
fn dropout_and_drop_path_act_in_training_only() {
    let x = Array {
        shape: vec![200, 8],
        data: vec![1.0; 1600],
    };
    let loss = Loss::default();
    let targets = Targets::new(&loss, 3, &[0; 200]);
    let gradient = |model: &Model, seed| {
        let (program, weights) = Program::compile(model).unwrap();
        let masks = &mut ChaCha8Rng::seed_from_u64(seed);
        let engine = Engine::new(&program);
        let gradient = engine
            .gradient(&weights, vec![x.clone()], &targets, masks)
            .unwrap();
        let output = engine.evaluate(&weights, vec![x.clone()]).unwrap();
        (gradient, output)
    };
    let (plain, plain_output) = gradient(&dropping(None), 1);
    for name in [training_attributes::DROPOUT, training_attributes::DROP_PATH] {
        let model = dropping(Some((name, 0.4)));
        let (dropped, output) = gradient(&model, 1);
        assert_eq!(output, plain_output, "{name} acts in evaluation");
        assert_ne!(dropped.loss, plain.loss, "{name} does not act in training");
        assert_eq!(
            gradient(&model, 1).0.loss,
            dropped.loss,
            "{name} does not follow its seed"
        );
        assert_ne!(
            gradient(&model, 2).0.loss,
            dropped.loss,
            "{name} ignores its seed"
        );
        // The gradient of the unit matrix by input row is zero where everything was dropped; on average the scale
        // stays: the mean absolute gradient is near the plain one.
        let mass = |g: &[f32]| g.iter().map(|v| f64::from(v.abs())).sum::<f64>();
        let ratio = mass(&dropped.parameters[1]) / mass(&plain.parameters[1]);
        assert!((0.7..1.5).contains(&ratio), "{name}: {ratio}");
    }
    // The operator behaves as the attribute does: it exists for training alone.
    let mut model = dropping(None);
    model
        .graph_mut()
        .node
        .insert(1, node("Dropout", &["h", "ratio"], "d", vec![]));
    model
        .graph_mut()
        .node
        .insert(1, floats("ratio", &[], &[0.4]));
    model.graph_mut().node[3].input[0] = "d".into();
    let (dropped, output) = gradient(&model, 1);
    assert_eq!(output, plain_output);
    let model = dropping(Some((training_attributes::DROPOUT, 0.4)));
    assert_eq!(dropped.loss, gradient(&model, 1).0.loss);
    // Stochastic depth drops whole samples: a dropped sample gives the loss of zero features.
    let single = |seed| {
        let (program, weights) =
            Program::compile(&dropping(Some((training_attributes::DROP_PATH, 0.5)))).unwrap();
        let one = Array {
            shape: vec![1, 8],
            data: vec![1.0; 8],
        };
        let loss = Loss::default();
        let targets = Targets::new(&loss, 3, &[0]);
        let masks = &mut ChaCha8Rng::seed_from_u64(seed);
        Engine::new(&program)
            .gradient(&weights, vec![one], &targets, masks)
            .unwrap()
            .loss
    };
    let losses: std::collections::BTreeSet<u64> =
        (0..20).map(|seed| single(seed).to_bits()).collect();
    assert_eq!(losses.len(), 2, "kept or dropped");
    let dropped = 3.0f64.ln();
    assert!(
        losses
            .iter()
            .any(|bits| (f64::from_bits(*bits) - dropped).abs() < 1e-6)
    );
}

#[test]
fn a_wrong_shape_names_the_node() {
    let nodes = vec![
        node("Conv", &["x", "kernel"], "h", vec![]),
        floats("c", &[7], &[0.0; 7]),
        node("Add", &["h", "c"], "odd", vec![]),
        node("Flatten", &["odd"], "f", vec![]),
        node("Gemm", &["f", "matrix"], "z", vec![]),
        node("Softmax", &["z"], "p", vec![]),
    ];
    let weights = vec![
        weight("kernel", &[3, 2, 3, 3], 1),
        weight("matrix", &[12, 5], 2),
    ];
    let model = graph(&[2, 4, 4], &[5], nodes, weights, 18);
    let (program, weights) = Program::compile(&model).unwrap();
    let engine = Engine::new(&program);
    let error = engine
        .evaluate(&weights, vec![array(1, &[1, 2, 4, 4])])
        .unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("Add \"the_odd\"") && message.contains("do not broadcast"),
        "{message}"
    );
    // A batch that is not what the graph declares is refused before anything runs.
    let error = engine
        .evaluate(&weights, vec![array(1, &[1, 2, 4, 5])])
        .unwrap_err();
    assert!(
        matches!(error, ExecuteError::Input(ref m) if m.contains("\"x\"")),
        "{error}"
    );
    assert!(engine.evaluate(&weights, vec![]).is_err());
}

#[test]
fn what_cannot_be_trained_is_named() {
    let compile = |nodes: Vec<NodeProto>, opset| {
        let weights = vec![weight("kernel", &[3, 2, 3, 3], 1)];
        Program::compile(&graph(&[2, 4, 4], &[5], nodes, weights, opset))
            .map(|_| ())
            .unwrap_err()
    };
    let conv = || node("Conv", &["x", "kernel"], "h", vec![]);
    let error = compile(vec![conv(), node("Einsum", &["h"], "p", vec![])], 18);
    assert!(
        matches!(&error, CompileError::UnsupportedOperator { operator, .. } if operator == "Einsum")
    );
    assert!(error.to_string().contains("the_p"), "{error}");
    let error = compile(vec![conv(), node("Relu", &["nowhere"], "p", vec![])], 18);
    assert!(matches!(&error, CompileError::UndefinedValue { value, .. } if value == "nowhere"));
    assert!(matches!(
        compile(vec![conv()], 9),
        CompileError::Opset(Some(9))
    ));
    let odd = vec![node("Conv", &["x", "kernel"], "p", vec![int("group", 0)])];
    assert!(compile(odd, 18).to_string().contains("group"));
    let odd = vec![
        conv(),
        node("Relu", &["h"], "p", vec![float("train_dropout", 1.0)]),
    ];
    assert!(compile(odd, 18).to_string().contains("drop probability"));
    // Dead branches are not looked at.
    let dead = vec![
        conv(),
        node("Einsum", &["h"], "unused", vec![]),
        node("Relu", &["h"], "p", vec![]),
    ];
    let weights = vec![weight("kernel", &[3, 2, 3, 3], 1)];
    Program::compile(&graph(&[2, 4, 4], &[5], dead, weights, 18)).unwrap();
}

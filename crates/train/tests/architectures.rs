//! The networks of the competitions in the executor: they agree with the judging runtime, learn, and can be frozen.

mod common;

use agon_model::architecture::{ChestModel, ChestOptions, TRUNK, TricorderModel, TricorderOptions};
use agon_model::builder::GraphBuilder;
use agon_model::proto::{AttributeProto, TensorProto};
use agon_model::split::split;
use agon_model::{Dim, Model, training_attributes};
use agon_train::engine::{Engine, Gradient};
use agon_train::examples::{Array, Batch};
use agon_train::export::export;
use agon_train::init::initialise;
use agon_train::loss::{Loss, Targets};
use agon_train::pretrained::{PretrainedError, load_trunk};
use agon_train::program::{CompileError, Frozen, Program, Weights};
use common::{array, graph, node, noise, weight};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn built(model: TricorderModel, image_size: usize, trunk_size: Option<usize>) -> Model {
    let options = TricorderOptions {
        image_size,
        trunk_size,
        dropout: None,
    };
    let mut model = model.build(&options).unwrap();
    initialise(&mut model, 3).unwrap();
    model
}

fn inputs(side: usize) -> Vec<Array> {
    let mut image = array(1, &[3, 3, side, side]);
    image.data.iter_mut().for_each(|v| *v = *v * 0.5 + 0.5);
    let demographics = Array {
        shape: vec![3, 3],
        data: vec![0.0, -1.0, -1.0, 44.0, 1.0, 5.0, 83.0, 0.0, 7.0],
    };
    vec![image, demographics]
}

/// Odd statistics, and a louder last layer: the outputs must not all be equal.
fn disturb(program: &Program, weights: &mut Weights) {
    for (index, moments) in weights.statistics.iter_mut().enumerate() {
        let channels = moments.mean.len();
        moments.mean = noise(index as u64, channels)
            .iter()
            .map(|v| v * 0.2)
            .collect();
        let variance = noise(index as u64 + 999, channels);
        moments.variance = variance.iter().map(|v| 1.0 + v * 0.3).collect();
    }
    for (parameter, values) in program.parameters.iter().zip(&mut weights.parameters) {
        if parameter.name.contains("classifier") {
            values.iter_mut().for_each(|v| *v *= 5.0);
        }
    }
}

fn gradient(model: &Model, frozen: &Frozen, weights: Option<&Weights>) -> (Program, Gradient) {
    let (program, initial) = Program::compile_with(model, frozen).unwrap();
    let loss = Loss {
        label_smoothing: 0.1,
        ..Loss::default()
    };
    let targets = Targets::new(&loss, 11, &[0, 4, 7]);
    let masks = &mut ChaCha8Rng::seed_from_u64(0);
    let engine = Engine::new(&program);
    let weights = weights.unwrap_or(&initial);
    let gradient = engine.gradient(weights, inputs(64), &targets, masks);
    let gradient = gradient.unwrap();
    (program, gradient)
}

#[test]
fn networks_agree_with_the_judging_runtime() {
    agree(&[TricorderModel::Lightweight, TricorderModel::AgonSmall]);
}

#[test]
#[ignore = "slow: initialises 90 million weights"]
fn every_network_agrees_with_the_judging_runtime() {
    agree(&TricorderModel::ALL);
}

fn agree(networks: &[TricorderModel]) {
    for &name in networks {
        // The agon networks shrink: 80 is halved no more, so the rest is bilinear.
        let trunk = name.name().starts_with("agon").then_some(64);
        let model = built(name, 80, trunk);
        let (program, mut weights) = Program::compile(&model).unwrap();
        disturb(&program, &mut weights);
        let inputs = inputs(80);
        let output = Engine::new(&program).evaluate(&weights, inputs.clone());
        let output = output.unwrap();
        assert_eq!(output.shape, [3, 11], "{name}");
        let spread = output.data.iter().copied().fold(0.0, f32::max);
        assert!(spread > 0.1, "{name}: {:?}", output.data);
        for device in common::devices() {
            let engine = Engine::on(&program, device).unwrap();
            let other = engine.evaluate(&weights, inputs.clone()).unwrap();
            let apart = output.data.iter().zip(&other.data);
            let apart = apart.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(apart < 1e-4, "{name}, {device}: {apart}");
        }
        let labels = vec![0; 3];
        if let Err(error) = export(&model, &weights, Batch { inputs, labels }) {
            panic!("{name}: {error}");
        }
    }
}

#[test]
fn the_chest_networks_learn_and_agree_with_the_judging_runtime() {
    for network in ChestModel::ALL {
        let options = ChestOptions {
            image_size: 64,
            labels: 3,
            dropout: None,
        };
        let mut model = network.build(&options).unwrap();
        initialise(&mut model, 3).unwrap();
        let (program, mut weights) = Program::compile(&model).unwrap();
        disturb(&program, &mut weights);
        let image = vec![inputs(64).swap_remove(0)];
        let engine = Engine::new(&program);
        let output = engine.evaluate(&weights, image.clone()).unwrap();
        assert_eq!(output.shape, [3, 3], "{network}");
        let apart = output
            .data
            .iter()
            .any(|p| (p - output.data[0]).abs() > 1e-3);
        assert!(apart, "{network}: {:?}", output.data);
        let loss = Loss::binary();
        let targets = Targets::new(&loss, 3, &[0b001, 0b110, 0]);
        let masks = &mut ChaCha8Rng::seed_from_u64(0);
        let gradient = engine.gradient(&weights, image.clone(), &targets, masks);
        let gradient = gradient.unwrap();
        // The logits are what the sigmoid is taken of: the loss is near that of one half.
        assert!(
            (0.2..2.0).contains(&gradient.loss),
            "{network}: {}",
            gradient.loss
        );
        for (parameter, gradient) in program.parameters.iter().zip(&gradient.parameters) {
            let learns = gradient.iter().any(|&g| g != 0.0);
            // Normalisation takes a bias before it away again, all but the rounding.
            let counts = parameter.role.decays();
            assert!(learns || !counts, "{network}: {}", parameter.name);
        }
        let batch = Batch {
            inputs: image,
            labels: vec![0; 3],
        };
        if let Err(error) = export(&model, &weights, batch) {
            panic!("{network}: {error}");
        }
    }
}

#[test]
fn everything_learns_but_what_cannot() {
    for name in [TricorderModel::Lightweight, TricorderModel::AgonSmall] {
        let model = built(name, 64, None);
        let (program, gradient) = gradient(&model, &Frozen::nothing(), None);
        for (parameter, gradient) in program.parameters.iter().zip(&gradient.parameters) {
            let silent = gradient.iter().all(|&g| g == 0.0);
            // The original's only key leaves its attention no choice.
            let dead = ["fusion.query.", "fusion.key."];
            let dead = name == TricorderModel::Lightweight
                && dead.iter().any(|prefix| parameter.name.starts_with(prefix));
            // No sample is of these sexes and sites; silent rows do not make the table silent.
            assert_eq!(silent, dead, "{name}: {}", parameter.name);
        }
    }
}

#[test]
fn a_frozen_trunk_gets_no_gradient_and_keeps_its_statistics() {
    let model = built(TricorderModel::AgonSmall, 64, None);
    let (_, mut weights) = Program::compile(&model).unwrap();
    let (open, _) = Program::compile(&model).unwrap();
    disturb(&open, &mut weights);
    let (program, frozen) = gradient(&model, &Frozen::trunk(), Some(&weights));
    let mut kept = 0;
    for (parameter, gradient) in program.parameters.iter().zip(&frozen.parameters) {
        assert_eq!(parameter.frozen, parameter.name.starts_with(TRUNK));
        assert_eq!(gradient.is_empty(), parameter.frozen, "{}", parameter.name);
        kept += usize::from(parameter.frozen);
    }
    assert!(kept > 200, "{kept}");
    for (statistics, moments) in program.statistics.iter().zip(&frozen.statistics) {
        assert!(statistics.frozen && moments.mean.is_empty() && moments.variance.is_empty());
    }
    // The order of the weights is the same whatever is frozen.
    let names = |program: &Program| -> Vec<String> {
        program.parameters.iter().map(|p| p.name.clone()).collect()
    };
    assert_eq!(names(&program), names(&open));
    // The frozen trunk has no masks of its own and does not look at its batch: one sample's loss does not depend on
    // the others.
    let steps = program.steps.iter().filter(|step| step.frozen).count();
    assert!(steps > 200, "{steps}");
}

#[test]
fn features_of_a_frozen_trunk_can_be_computed_once() {
    for name in [TricorderModel::Lightweight, TricorderModel::AgonSmall] {
        let options = TricorderOptions {
            image_size: 64,
            trunk_size: None,
            dropout: Some(0.0),
        };
        let mut model = name.build(&options).unwrap();
        initialise(&mut model, 3).unwrap();
        for node in &mut model.graph_mut().node {
            node.attribute
                .retain(|a| a.name != training_attributes::UNKNOWN);
        }
        let (whole, with_trunk) = gradient(&model, &Frozen::trunk(), None);
        let parts = split(&model).unwrap();
        let [image, demographics] = inputs(64).try_into().unwrap();
        let (trunk, weights) = Program::compile(&parts.trunk).unwrap();
        let features = Engine::new(&trunk).evaluate(&weights, vec![image]).unwrap();
        let (head, weights) = Program::compile(&parts.head).unwrap();
        let loss = Loss {
            label_smoothing: 0.1,
            ..Loss::default()
        };
        let targets = Targets::new(&loss, 11, &[0, 4, 7]);
        let masks = &mut ChaCha8Rng::seed_from_u64(0);
        let inputs = vec![features, demographics];
        let without = Engine::new(&head)
            .gradient(&weights, inputs, &targets, masks)
            .unwrap();
        assert!((without.loss - with_trunk.loss).abs() < 1e-6, "{name}");
        for (parameter, gradient) in head.parameters.iter().zip(&without.parameters) {
            let place = whole
                .parameters
                .iter()
                .position(|p| p.name == parameter.name);
            let other = &with_trunk.parameters[place.unwrap()];
            let apart = gradient.iter().zip(other).map(|(a, b)| (a - b).abs());
            let apart = apart.fold(0.0, f32::max);
            assert!(apart < 1e-5, "{name}: {}: {apart}", parameter.name);
        }
    }
}

#[test]
fn a_frozen_part_does_not_change_the_gradient_of_the_rest() {
    // Without running statistics, frozen or not must make no difference to what is learned.
    let nodes = vec![
        node("Flatten", &["x"], "f", vec![]),
        node("Gemm", &["f", "trunk.matrix"], "h", vec![]),
        node("Tanh", &["h"], "t", vec![]),
        node("Gemm", &["t", "matrix"], "z", vec![]),
        node("Softmax", &["z"], "p", vec![]),
    ];
    let weights = vec![
        weight("trunk.matrix", &[6, 8], 1),
        weight("matrix", &[8, 3], 2),
    ];
    let model = graph(&[6], &[3], nodes, weights, 18);
    let loss = Loss::default();
    let targets = Targets::new(&loss, 3, &[0, 1, 2, 1]);
    let gradient = |frozen: &Frozen| {
        let (program, weights) = Program::compile_with(&model, frozen).unwrap();
        let masks = &mut ChaCha8Rng::seed_from_u64(0);
        let inputs = vec![array(5, &[4, 6])];
        Engine::new(&program)
            .gradient(&weights, inputs, &targets, masks)
            .unwrap()
    };
    let (open, frozen) = (gradient(&Frozen::nothing()), gradient(&Frozen::trunk()));
    assert_eq!(open.loss, frozen.loss);
    assert!(frozen.parameters[0].is_empty() && open.parameters[0].len() == 48);
    assert_eq!(open.parameters[1], frozen.parameters[1]);
}

#[test]
fn training_hides_answers_at_the_declared_rate() {
    let mut builder = GraphBuilder::new("hidden");
    let g = &mut builder;
    let x = g.input("x", vec![Dim::Named("batch".into()), Dim::Fixed(2)]);
    let x = g.train_unknown(&x, 0.25, &[-1.0, 50.0]);
    let x = g.linear(&x, 2);
    g.output(&x, "y");
    let mut model = builder.finish().unwrap();
    let unit = TensorProto::from_f32(
        &model.graph().initializer[0].name,
        &[2, 2],
        &[1.0, 0.0, 0.0, 0.0],
    );
    model.graph_mut().initializer[0] = unit;
    let (program, weights) = Program::compile(&model).unwrap();
    let engine = Engine::new(&program);
    let rows = 4000;
    let batch = || Array {
        shape: vec![rows, 2],
        data: [3.0, 7.0].repeat(rows),
    };
    // Evaluation sees everything.
    let output = engine.evaluate(&weights, vec![batch()]).unwrap();
    assert!(output.data.chunks(2).all(|row| row == [3.0, 0.0]));
    // The loss is -log softmax of (x, 0) at class 1: log(1 + e^x), with x 3 or -1.
    let loss = Loss::default();
    let targets = Targets::new(&loss, 2, &vec![1; rows]);
    let masks = &mut ChaCha8Rng::seed_from_u64(9);
    let loss = engine
        .gradient(&weights, vec![batch()], &targets, masks)
        .unwrap()
        .loss;
    let of = |x: f64| (1.0 + x.exp()).ln();
    let share = (of(3.0) - loss) / (of(3.0) - of(-1.0));
    assert!((share - 0.25).abs() < 0.03, "{share}");
    model.strip_training();
    assert!(
        model
            .graph()
            .node
            .iter()
            .all(|node| node.op_type != "Identity" || node.attribute.is_empty())
    );
    let odd = AttributeProto::from_float(training_attributes::UNKNOWN, 0.5);
    model.graph_mut().node[0].attribute.push(odd);
    assert!(Program::compile(&model).is_err(), "no values");
}

#[test]
fn a_file_of_weights_is_loaded_or_named() {
    let mut model = built(TricorderModel::AgonSmall, 64, None);
    let before = model.clone();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("weights.pth");
    let error = load_trunk(&mut model, &path).unwrap_err();
    assert!(error.to_string().contains("weights.pth"), "{error}");
    std::fs::write(&path, b"<html>").unwrap();
    let error = load_trunk(&mut model, &path).unwrap_err();
    assert!(matches!(error, PretrainedError::Weights { .. }), "{error}");
    assert_eq!(model, before);
}

#[test]
fn what_cannot_be_frozen_is_named() {
    let model = built(TricorderModel::Lightweight, 64, None);
    let error = Program::compile_with(&model, &Frozen::starting_with(["stem."])).unwrap_err();
    assert!(
        matches!(&error, CompileError::NothingFrozen(p) if p == "stem."),
        "{error}"
    );
    let everything = Frozen::starting_with([""]);
    let error = Program::compile_with(&model, &everything).unwrap_err();
    assert!(matches!(error, CompileError::NothingToLearn), "{error}");
}

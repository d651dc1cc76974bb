//! The tricorder networks in the executor: they agree with the judging runtime, learn, and can be frozen.

mod common;

use agon_model::Model;
use agon_model::architecture::{TRUNK, TricorderModel, TricorderOptions};
use agon_train::engine::burn::{Engine, Gradient};
use agon_train::examples::{Array, Batch};
use agon_train::export::export;
use agon_train::init::initialise;
use agon_train::loss::Targets;
use agon_train::program::{CompileError, Frozen, Program, Weights};
use common::{array, noise};
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
        moments.variance = variance.iter().map(|v| 0.6 + v * 0.3).collect();
    }
    for (parameter, values) in program.parameters.iter().zip(&mut weights.parameters) {
        if parameter.name.contains("classifier") {
            values.iter_mut().for_each(|v| *v *= 10.0);
        }
    }
}

fn gradient(model: &Model, frozen: &Frozen, weights: Option<&Weights>) -> (Program, Gradient) {
    let (program, initial) = Program::compile_with(model, frozen).unwrap();
    let targets = Targets::new(&[0, 4, 7], 11, 0.1, &[], 3.0);
    let masks = &mut ChaCha8Rng::seed_from_u64(0);
    let engine = Engine::new(&program);
    let weights = weights.unwrap_or(&initial);
    let gradient = engine.gradient(weights, inputs(64), &targets, masks);
    let gradient = gradient.unwrap();
    (program, gradient)
}

#[test]
fn every_network_agrees_with_the_judging_runtime() {
    for name in TricorderModel::ALL {
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
        assert!(spread > 0.12, "{name}: {:?}", output.data);
        let labels = vec![0; 3];
        if let Err(error) = export(&model, &weights, Batch { inputs, labels }) {
            panic!("{name}: {error}");
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

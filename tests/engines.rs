//! The library of ONNX Runtime beside the default engine, on the networks of this project.

mod common;

use agon_model::architecture::{
    LesionClassifier, TricorderModel, TricorderOptions, lesion_classifier,
};
use agon_model::inference::{Engine, LoadError, RunError, Session, Tensor};
use agon_model::inspect::RefusalKind;
use agon_model::{Model, half_precision};

const BATCH: usize = 2;

/// Untrained, but with the last layer's first values large enough to tell classes apart.
fn network(mut model: Model) -> Model {
    agon_train::init::initialise(&mut model, 1).unwrap();
    model.strip_training();
    let graph = model.graph_mut();
    let last = graph.node.iter().rfind(|node| node.op_type == "Gemm");
    let weights = last.unwrap().input[1].clone();
    let mut initialisers = graph.initializer.iter_mut();
    let weights = initialisers.find(|tensor| tensor.name == weights).unwrap();
    let larger: Vec<f32> = weights.to_f32().unwrap().iter().map(|w| 30.0 * w).collect();
    weights.set_f32(&larger).unwrap();
    model
}

fn inputs(side: usize) -> Vec<Tensor> {
    let elements = BATCH * 3 * side * side;
    vec![
        Tensor {
            shape: vec![BATCH, 3, side, side],
            data: (0..elements).map(|i| (i % 97) as f32 / 96.0).collect(),
        },
        Tensor {
            shape: vec![BATCH, 3],
            data: [47.0, 1.0, 3.0].repeat(BATCH),
        },
    ]
}

fn spread(values: &[f32]) -> f32 {
    let most = values.iter().copied().fold(f32::MIN, f32::max);
    most - values.iter().copied().fold(f32::MAX, f32::min)
}

#[test]
fn both_engines_compute_the_same() {
    if !common::has_onnxruntime("ONNX Runtime beside rten") {
        return;
    }
    let library = common::library().unwrap();
    let runtime = Engine::OnnxRuntime.start(Some(&library)).unwrap();
    assert!(runtime.name().starts_with("onnxruntime "));

    let plain = lesion_classifier(&LesionClassifier::default()).unwrap();
    let mut networks = vec![("plain".to_owned(), network(plain))];
    for name in TricorderModel::ALL {
        let options = TricorderOptions {
            image_size: 64,
            ..TricorderOptions::default()
        };
        networks.push((name.to_string(), network(name.build(&options).unwrap())));
    }
    let halved = half_precision::store(&networks[0].1).unwrap();
    networks.push(("plain in 16 bits".into(), halved));
    for (name, model) in networks {
        let bytes = model.to_bytes();
        let ours = Session::load(bytes.clone()).unwrap();
        let theirs = runtime.load(bytes).unwrap();
        assert_eq!(ours.input_specs(), theirs.input_specs());
        let (ours, theirs) = (ours.run(&inputs(64)), theirs.run(&inputs(64)));
        let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
        assert_eq!(ours.shape, theirs.shape, "{name}");
        assert!(spread(&ours.data) > 0.01, "{name}: {:?}", ours.data);
        let pairs = ours.data.iter().zip(&theirs.data);
        let furthest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{name}: {furthest:e}");
        assert!(furthest < 1e-4, "{name}: {furthest}");
    }

    // What is wrong is told as the default engine tells it, and the process goes on.
    let refused = runtime.load(b"no model".to_vec()).unwrap_err();
    assert!(matches!(refused, LoadError::Refused(r) if r.kind == RefusalKind::Malformed));
    let model = network(lesion_classifier(&LesionClassifier::default()).unwrap());
    let session = runtime.load(model.to_bytes()).unwrap();
    let wrong = session.run(&inputs(32)).unwrap_err();
    assert!(matches!(wrong, RunError::Input(_)));
    assert!(session.run(&inputs(64)).is_ok());

    // There is one library in a process.
    let other = Engine::OnnxRuntime.start(Some("another.so".as_ref()));
    assert!(other.err().unwrap().to_string().contains("loaded already"));
}

//! Built graphs run in the engine and compute what their builder says.

use agon_model::architecture::{LESION_CLASSES, LesionClassifier, lesion_classifier};
use agon_model::builder::{BuildError, Convolution, GraphBuilder, Hat, Value};
use agon_model::inference::{LoadError, RunError, Session, Tensor};
use agon_model::inspect::{Limits, RefusalKind, inspect};
use agon_model::proto::{ElementType, ModelProto};
use agon_model::{Dim, Model, training_attributes};

fn batch() -> Dim {
    Dim::Named("batch".into())
}

/// Replaces every trainable tensor by numbers that differ, so that mistakes show.
fn with_weights(mut model: Model) -> Model {
    let mut state = 1u32;
    for tensor in &mut model.graph_mut().initializer {
        let positive = tensor.name.ends_with(".var") || tensor.name.ends_with(".scale");
        let count = tensor.element_count().unwrap();
        let values: Vec<f32> = (0..count)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let unit = (state >> 8) as f32 / (1u32 << 24) as f32;
                if positive {
                    0.5 + unit
                } else {
                    0.4 * (unit - 0.5)
                }
            })
            .collect();
        tensor.set_f32(&values).unwrap();
    }
    model
}

fn session(mut model: Model) -> Session {
    model.strip_training();
    Session::load(model.to_bytes()).unwrap()
}

/// Builds a graph of one input and runs it on one tensor.
fn compute(
    shape: &[usize],
    data: Vec<f32>,
    build: impl FnOnce(&mut GraphBuilder, &Value) -> Value,
) -> Tensor {
    let mut g = GraphBuilder::new("test");
    let dims = std::iter::once(batch()).chain(shape[1..].iter().map(|&d| Dim::Fixed(d)));
    let x = g.input("x", dims.collect());
    let y = build(&mut g, &x);
    g.output(&y, "y");
    let model = with_weights(g.finish().unwrap());
    let declared = model.outputs()[0].dims.clone();
    let shape = shape.to_vec();
    let output = session(model).run(&[Tensor { shape, data }]).unwrap();
    for (size, dim) in output.shape.iter().zip(&declared).skip(1) {
        assert_eq!(&Dim::Fixed(*size), dim, "the builder knows the shape");
    }
    assert_eq!(output.shape.len(), declared.len());
    output
}

fn ramp(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 0.37).sin()).collect()
}

fn assert_close(a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
}

#[test]
fn elementwise_operators_compute_their_formulas() {
    let x = ramp(8);
    let check = |build: fn(&mut GraphBuilder, &Value) -> Value, formula: fn(f32) -> f32| {
        let expected: Vec<f32> = x.iter().map(|&x| formula(x)).collect();
        assert_close(&compute(&[2, 4], x.clone(), build).data, &expected);
    };
    check(|g, x| g.relu(x), |x| x.max(0.0));
    check(|g, x| g.abs(x), f32::abs);
    check(|g, x| g.sigmoid(x), |x| 1.0 / (1.0 + (-x).exp()));
    check(|g, x| g.silu(x), |x| x / (1.0 + (-x).exp()));
    check(
        |g, x| g.hard_swish(x),
        |x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
    );
    check(|g, x| g.add(x, x), |x| 2.0 * x);
    check(|g, x| g.sub(x, x), |_| 0.0);
    check(|g, x| g.mul(x, x), |x| x * x);
}

#[test]
fn pools_and_shapes_compute_their_formulas() {
    let x: Vec<f32> = (0..16).map(|i| i as f32).collect();
    let shape = [1, 1, 4, 4];
    let pooled = compute(&shape, x.clone(), |g, x| g.max_pool(x, 2, 2));
    assert_eq!(pooled.data, [5.0, 7.0, 13.0, 15.0]);
    let pooled = compute(&shape, x.clone(), |g, x| g.average_pool(x, 2, 2));
    assert_eq!(pooled.data, [2.5, 4.5, 10.5, 12.5]);
    let pooled = compute(&shape, x.clone(), |g, x| g.global_average_pool(x));
    assert_eq!((pooled.shape, pooled.data), (vec![1, 1, 1, 1], vec![7.5]));
    let flat = compute(&shape, x.clone(), |g, x| g.flatten(x));
    assert_eq!((flat.shape, &flat.data), (vec![1, 16], &x));
    let folded = compute(&shape, x.clone(), |g, x| g.reshape(x, &[2, 8]));
    assert_eq!((folded.shape, &folded.data), (vec![1, 2, 8], &x));
    let twice = compute(&shape, x.clone(), |g, x| g.concat(&[x, x], 3));
    assert_eq!(twice.shape, [1, 1, 4, 8]);
    let softmax = compute(&[2, 3], ramp(6), |g, x| g.softmax(x));
    for row in softmax.data.chunks(3) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
}

#[test]
fn layers_run_on_odd_sizes_and_agree_with_their_shapes() {
    let shape = [2, 4, 7, 5];
    let x = ramp(2 * 4 * 7 * 5);
    let y = compute(&shape, x.clone(), |g, x| {
        g.convolution(x, Convolution::new(6, 3, 2))
    });
    assert_eq!(y.shape, [2, 6, 4, 3]);
    let y = compute(&shape, x.clone(), |g, x| g.depthwise(x, 5, 1));
    assert_eq!(y.shape, shape);
    let y = compute(&shape, x.clone(), |g, x| g.batch_normalisation(x));
    assert_eq!(y.shape, shape);
    let y = compute(&shape, x.clone(), |g, x| g.squeeze_excite(x, 2));
    assert_eq!(y.shape, shape);
    assert!(
        y.data.iter().zip(&x).all(|(y, x)| y.abs() <= x.abs()),
        "gates are below one"
    );
    let y = compute(&[3, 4], ramp(12), |g, x| g.linear(x, 5));
    assert_eq!(y.shape, [3, 5]);
}

#[test]
fn hats_are_one_at_their_centre_and_fall_linearly() {
    let hats = [
        Hat {
            column: 0,
            centre: 0.0,
            width: 1.0,
        },
        Hat {
            column: 0,
            centre: 30.0,
            width: 20.0,
        },
        Hat {
            column: 1,
            centre: -1.0,
            width: 1.0,
        },
    ];
    let rows = vec![0.0, -1.0, 30.0, 0.0, 45.0, 7.0];
    let output = compute(&[3, 2], rows, |g, x| g.hats(x, &hats));
    assert_close(
        &output.data,
        &[1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.25, 0.0],
    );
}

#[test]
fn mistakes_in_a_graph_are_reported_once_at_the_end() {
    let build = |add: fn(&mut GraphBuilder, &Value) -> Value| {
        let mut g = GraphBuilder::new("test");
        let x = g.input(
            "x",
            vec![batch(), Dim::Fixed(3), Dim::Fixed(8), Dim::Fixed(8)],
        );
        let y = add(&mut g, &x);
        g.output(&y, "y");
        g.finish().unwrap_err()
    };
    let mistakes: [fn(&mut GraphBuilder, &Value) -> Value; 8] = [
        |g, x| g.linear(x, 3),
        |g, x| g.convolution(x, Convolution::new(8, 2, 1)),
        |g, x| {
            g.convolution(
                x,
                Convolution {
                    groups: 2,
                    ..Convolution::new(8, 3, 1)
                },
            )
        },
        |g, x| g.reshape(x, &[5]),
        |g, x| g.max_pool(x, 2, 0),
        |g, x| g.concat(&[x], 0),
        |g, x| {
            let small = g.max_pool(x, 2, 2);
            g.add(x, &small)
        },
        |g, x| {
            let y = g.relu(x);
            g.train_dropout(1.0);
            y
        },
    ];
    for mistake in mistakes {
        assert!(matches!(build(mistake), BuildError::Invalid { .. }));
    }
}

/// Images in [0, 1] and plausible demographics.
fn patients(count: usize, size: usize) -> [Tensor; 2] {
    let pixels = count * 3 * size * size;
    let image = (0..pixels)
        .map(|i| (i as f32 * 0.013).sin() * 0.5 + 0.5)
        .collect();
    let rows = [[50.0, 0.0, 7.0], [0.0, -1.0, -1.0], [85.0, 1.0, 1.0]];
    let rows = rows.iter().cycle().take(count).flatten().copied().collect();
    [
        Tensor {
            shape: vec![count, 3, size, size],
            data: image,
        },
        Tensor {
            shape: vec![count, 3],
            data: rows,
        },
    ]
}

#[test]
fn the_lesion_classifier_gives_probabilities_for_every_batch_size() {
    for parameters in [LesionClassifier::default(), LesionClassifier::small()] {
        let model = with_weights(lesion_classifier(&parameters).unwrap());
        let names: Vec<String> = model.inputs().into_iter().map(|input| input.name).collect();
        assert_eq!(names, ["image", "demographics"]);
        let output = &model.outputs()[0];
        assert_eq!(output.name, "probabilities");
        assert_eq!(output.dims, [batch(), Dim::Fixed(LESION_CLASSES)]);
        assert_eq!(Model::from_bytes(&model.to_bytes()).unwrap(), model);

        let session = session(model);
        let three = session.run(&patients(3, parameters.image_size)).unwrap();
        assert_eq!(three.shape, [3, LESION_CLASSES]);
        for row in three.data.chunks(LESION_CLASSES) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
            assert!(row.iter().all(|p| (0.0..=1.0).contains(p)));
        }
        let one = session.run(&patients(1, parameters.image_size)).unwrap();
        assert_eq!(one.shape, [1, LESION_CLASSES]);
        assert_close(&one.data, &three.data[..LESION_CLASSES]);
    }
}

#[test]
fn the_lesion_classifier_reads_image_and_demographics() {
    let parameters = LesionClassifier::small();
    let session = session(with_weights(lesion_classifier(&parameters).unwrap()));
    let [image, demographics] = patients(1, parameters.image_size);
    let base = session.run(&[image.clone(), demographics.clone()]).unwrap();
    for (column, value) in [
        (0, 20.0),
        (0, 0.0),
        (1, 1.0),
        (1, -1.0),
        (2, 3.0),
        (2, -1.0),
    ] {
        let mut changed = demographics.clone();
        changed.data[column] = value;
        let output = session.run(&[image.clone(), changed]).unwrap();
        assert_ne!(output, base, "column {column} set to {value}");
    }
    let mut dark = image;
    dark.data.fill(0.0);
    assert_ne!(session.run(&[dark, demographics]).unwrap(), base);
}

#[test]
fn the_lesion_classifier_declares_what_training_needs() {
    let model = lesion_classifier(&LesionClassifier::default()).unwrap();
    let graph = model.graph();
    let declared = |name: &str| {
        let nodes = graph.node.iter();
        nodes
            .filter_map(|node| node.attribute(name)?.f)
            .collect::<Vec<f32>>()
    };
    assert_eq!(declared(training_attributes::DROPOUT), [0.3]);
    let paths = declared(training_attributes::DROP_PATH);
    assert_eq!(paths.len(), 3);
    assert!(paths.is_sorted() && paths[2] == 0.1);
    let operators: std::collections::BTreeSet<&str> = graph
        .node
        .iter()
        .map(|node| node.op_type.as_str())
        .collect();
    let expected = [
        "Abs",
        "Add",
        "BatchNormalization",
        "Concat",
        "Constant",
        "Conv",
        "Flatten",
        "Gemm",
        "GlobalAveragePool",
        "Mul",
        "Relu",
        "Softmax",
        "Sub",
    ];
    assert!(operators.iter().eq(expected.iter()), "{operators:?}");
    let variances = graph
        .initializer
        .iter()
        .filter(|t| t.name.ends_with(".var"));
    for tensor in variances {
        assert!(tensor.to_f32().unwrap().iter().all(|&v| v == 1.0));
    }
    let bytes = model.to_bytes();
    let inspection = inspect(&bytes, &Limits::default()).unwrap();
    assert!(
        (250_000..400_000).contains(&inspection.parameters),
        "{}",
        inspection.parameters
    );
    let stronger = LesionClassifier {
        blocks: 2,
        ..LesionClassifier::default()
    };
    assert!(lesion_classifier(&stronger).unwrap().parameter_count() > inspection.parameters);
}

#[test]
fn parameters_out_of_range_are_errors() {
    let default = LesionClassifier::default;
    let wrong = [
        LesionClassifier {
            image_size: 8,
            ..default()
        },
        LesionClassifier {
            width: usize::MAX,
            ..default()
        },
        LesionClassifier {
            blocks: 0,
            ..default()
        },
        LesionClassifier {
            dropout: 1.0,
            ..default()
        },
        LesionClassifier {
            drop_path: 2.0,
            ..default()
        },
        LesionClassifier {
            drop_path: -0.5,
            ..default()
        },
        LesionClassifier {
            dropout: f32::NAN,
            ..default()
        },
    ];
    for parameters in wrong {
        assert!(lesion_classifier(&parameters).is_err(), "{parameters:?}");
    }
}

#[test]
fn inputs_that_do_not_fit_are_errors() {
    let session = session(lesion_classifier(&LesionClassifier::small()).unwrap());
    let [image, demographics] = patients(1, 32);
    let mut short = image.clone();
    short.data.pop();
    let wrong_size = patients(1, 64)[0].clone();
    let wrong = [
        vec![],
        vec![image.clone()],
        vec![demographics.clone(), image.clone()],
        vec![short, demographics.clone()],
        vec![wrong_size, demographics],
    ];
    for inputs in wrong {
        assert!(matches!(session.run(&inputs), Err(RunError::Input(_))));
    }
    assert_eq!(session.input_specs().len(), 2);
    assert_eq!(session.input_specs()[0].element_type, ElementType::Float);
}

#[test]
fn models_that_fail_while_running_are_errors() {
    // The weight fits no input of four features: only running can tell.
    let mut g = GraphBuilder::new("test");
    let x = g.input("x", vec![batch(), Dim::Fixed(4)]);
    let y = g.linear(&x, 3);
    g.output(&y, "y");
    let mut model = g.finish().unwrap();
    let weight = &mut model.graph_mut().initializer[0];
    weight.dims = vec![2, 6];
    let session = Session::load(model.to_bytes()).unwrap();
    let input = Tensor {
        shape: vec![1, 4],
        data: vec![0.0; 4],
    };
    assert!(matches!(session.run(&[input]), Err(RunError::Engine(_))));
}

#[test]
fn a_model_that_returns_nan_is_found_by_quantising() {
    let mut g = GraphBuilder::new("test");
    let x = g.input("x", vec![batch(), Dim::Fixed(1)]);
    let nan = g.constant(&[1], &[f32::NAN]);
    let y = g.add(&x, &nan);
    g.output(&y, "y");
    let session = session(g.finish().unwrap());
    let mut output = session
        .run(&[Tensor {
            shape: vec![1, 1],
            data: vec![1.0],
        }])
        .unwrap();
    assert!(agon_model::metrics::quantise(&mut output.data).is_err());
}

#[test]
fn refused_models_are_never_loaded() {
    let refused = Session::load(vec![]).unwrap_err();
    assert!(matches!(refused, LoadError::Refused(r) if r.kind == RefusalKind::Malformed));
    let mut model = lesion_classifier(&LesionClassifier::small()).unwrap();
    model.graph_mut().node[0].op_type = "RandomNormal".into();
    let refused = Session::load(model.to_bytes()).unwrap_err();
    assert!(matches!(refused, LoadError::Refused(r) if r.kind == RefusalKind::ForbiddenOperator));
}

#[test]
fn what_runs_is_what_was_inspected() {
    // Two graphs in one file: readers of the format may merge them or take either one.
    let mut model = Model::from_bytes(
        &lesion_classifier(&LesionClassifier::small())
            .unwrap()
            .to_bytes(),
    )
    .unwrap();
    model.strip_training();
    let honest = model.to_bytes();
    let hidden = ModelProto {
        graph: model.graph().clone(),
        ..ModelProto::default()
    };
    let mut both = honest;
    both.extend(prost::Message::encode_to_vec(&hidden));
    let refused = Session::load(both).unwrap_err();
    assert!(matches!(refused, LoadError::Refused(r) if r.kind == RefusalKind::Malformed));
}

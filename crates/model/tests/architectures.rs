//! What the networks are made of: published sizes, names, interfaces.

use agon_model::architecture::{
    ChestModel, ChestOptions, EfficientNet, TRUNK, TricorderModel, TricorderOptions,
    efficientnet_features, tricorder,
};
use agon_model::builder::BuildError;
use agon_model::inference::{Session, Tensor};
use agon_model::inspect::{Limits, inspect, multiply_adds};
use agon_model::{Dim, Model};

fn small() -> TricorderOptions {
    TricorderOptions {
        image_size: 64,
        ..TricorderOptions::default()
    }
}

/// Learned elements of the initialisers whose names start with `prefix`.
fn part(model: &Model, prefix: &str) -> usize {
    let initialisers = model.graph().initializer.iter();
    initialisers
        .filter(|t| t.name.starts_with(prefix))
        .filter(|t| !t.name.ends_with(".mean") && !t.name.ends_with(".var"))
        .map(|t| t.element_count().unwrap())
        .sum()
}

#[test]
fn the_trunks_have_the_published_sizes() {
    // timm's counts without the classifier.
    let published = [
        (EfficientNet::b0(), 4_007_548),
        (EfficientNet::b1(), 6_513_184),
        (EfficientNet::b2(), 7_700_994),
        (EfficientNet::b3(), 10_696_232),
    ];
    for (trunk, parameters) in published {
        let model = efficientnet_features(&trunk, 32).unwrap();
        assert_eq!(part(&model, TRUNK), parameters);
        assert_eq!(model.learned_parameter_count(), parameters);
    }
}

#[test]
fn the_original_networks_have_the_original_sizes() {
    let sizes = [
        ("lightweight", 11_465_191),
        ("balanced", 12_455_655),
        ("larger", 14_961_291),
    ];
    for (name, parameters) in sizes {
        let model = tricorder(name, &TricorderOptions::default()).unwrap();
        assert_eq!(model.learned_parameter_count(), parameters, "{name}");
    }
    let balanced = TricorderModel::Balanced.build(&small()).unwrap();
    let parts = [
        (TRUNK, 4_007_548),
        ("demographics.", 110_944),
        ("fusion.", 6_890_240),
        ("head.", 1_446_923),
    ];
    for (prefix, parameters) in parts {
        assert_eq!(part(&balanced, prefix), parameters, "{prefix}");
    }
}

#[test]
fn ours_are_smaller_than_what_they_are_compared_with() {
    use TricorderModel::{AgonBase, AgonLarge, AgonSmall, Balanced, Larger, Lightweight};
    let size = |model: TricorderModel| model.build(&small()).unwrap().learned_parameter_count();
    for (ours, parameters, original) in [
        (AgonSmall, 5_697_607, Lightweight),
        (AgonBase, 10_296_269, Balanced),
        (AgonLarge, 13_521_907, Larger),
    ] {
        assert_eq!(size(ours), parameters, "{ours}");
        assert!(parameters <= size(original), "{ours} and {original}");
    }
}

#[test]
fn every_network_has_the_interface_of_the_competition() {
    for model in TricorderModel::ALL {
        assert_eq!(model.name().parse(), Ok(model));
        let built = model.build(&TricorderOptions::default()).unwrap();
        let batch = || Dim::Named("batch".into());
        let [image, demographics] = built.inputs().try_into().unwrap();
        assert_eq!(
            (&*image.name, &*demographics.name),
            ("image", "demographics")
        );
        let side = Dim::Fixed(512);
        assert_eq!(image.dims, [batch(), Dim::Fixed(3), side.clone(), side]);
        assert_eq!(demographics.dims, [batch(), Dim::Fixed(3)]);
        let [output] = built.outputs().try_into().unwrap();
        assert_eq!(output.name, "output");
        assert_eq!(output.dims, [batch(), Dim::Fixed(11)]);
    }
    let error = "enormous".parse::<TricorderModel>().unwrap_err();
    assert!(error.to_string().contains("agon-small"), "{error}");
    assert!(tricorder("enormous", &small()).is_err());
}

#[test]
fn every_network_is_accepted_and_runs_with_any_batch() {
    for model in TricorderModel::ALL {
        let mut built = model.build(&small()).unwrap();
        built.strip_training();
        let bytes = built.to_bytes();
        inspect(&bytes, &Limits::default()).unwrap();
        let session = Session::load(bytes).unwrap();
        for batch in [1, 3] {
            let image = Tensor {
                shape: vec![batch, 3, 64, 64],
                data: (0..batch * 3 * 64 * 64)
                    .map(|i| (i % 97) as f32 / 96.0)
                    .collect(),
            };
            let demographics = Tensor {
                shape: vec![batch, 3],
                data: [0.0, -1.0, -1.0].repeat(batch),
            };
            let output = session.run(&[image, demographics]).unwrap();
            assert_eq!(output.shape, [batch, 11], "{model}");
            for row in output.data.chunks(11) {
                let sum: f32 = row.iter().sum();
                assert!((sum - 1.0).abs() < 1e-5, "{model}: {sum}");
            }
        }
    }
}

#[test]
fn weights_do_not_depend_on_the_image_size() {
    let options = |image_size, trunk_size| TricorderOptions {
        image_size,
        trunk_size,
        dropout: None,
    };
    let shapes = |options: &TricorderOptions| -> Vec<(String, Vec<i64>)> {
        let model = TricorderModel::AgonSmall.build(options).unwrap();
        let initialisers = model.graph().initializer.iter();
        initialisers
            .map(|t| (t.name.clone(), t.dims.clone()))
            .collect()
    };
    let trained = shapes(&options(96, Some(96)));
    assert_eq!(trained, shapes(&options(512, Some(96))));
    assert_eq!(trained, shapes(&options(512, None)));
    let refused = [
        options(16, None),
        options(2048, None),
        options(64, Some(96)),
    ];
    for options in refused {
        let error = TricorderModel::AgonSmall.build(&options).unwrap_err();
        assert!(matches!(error, BuildError::Invalid { .. }), "{error}");
    }
    let error = TricorderModel::Balanced.build(&options(512, Some(224)));
    assert!(error.is_err(), "original networks do not resize");
}

/// Elements of everything that a file of Keras counts: running statistics are among them.
fn counted(model: ChestModel, options: &ChestOptions) -> usize {
    model.build(options).unwrap().parameter_count()
}

#[test]
fn the_chest_networks_have_the_original_sizes() {
    let sizes = [
        (ChestModel::Cnn, 50_469_646),
        (ChestModel::Vgg, 15_254_350),
        (ChestModel::Res, 25_700_238),
        // Keras counts the mean, the variance and the counter of its normalisation: 5,375,665.
        (ChestModel::Efficient, 5_375_658),
        (ChestModel::Mobile, 4_292_814),
    ];
    for (model, parameters) in sizes {
        assert_eq!(
            counted(model, &ChestOptions::default()),
            parameters,
            "{model}"
        );
    }
    // The parts: a trunk of the published size, a layer of 1024, a row for each label.
    let statistics = |model: ChestModel| {
        let built = model.build(&ChestOptions::default()).unwrap();
        (
            built.parameter_count() - built.learned_parameter_count(),
            part(&built, TRUNK),
        )
    };
    assert_eq!(statistics(ChestModel::Vgg), (0, 14_714_688));
    assert_eq!(statistics(ChestModel::Res), (53_120, 23_508_032 + 26_560));
    assert_eq!(statistics(ChestModel::Efficient), (42_016, 4_007_548));
    assert_eq!(statistics(ChestModel::Mobile), (21_888, 3_206_976));
    let one = ChestOptions {
        labels: 1,
        ..ChestOptions::default()
    };
    for model in ChestModel::ALL {
        let hidden = if model.has_trunk() { 1024 } else { 128 };
        let saved = counted(model, &ChestOptions::default()) - counted(model, &one);
        assert_eq!(saved, 13 * (hidden + 1), "{model}");
    }
}

#[test]
fn every_chest_network_is_accepted_and_answers_with_independent_probabilities() {
    let options = ChestOptions {
        image_size: 64,
        labels: 3,
        dropout: Some(0.2),
    };
    for model in ChestModel::ALL {
        assert_eq!(model.name().to_uppercase().parse(), Ok(model));
        let mut built = model.build(&options).unwrap();
        built.strip_training();
        // A network of zeros would answer one half whatever it is shown.
        let classifier = "head.classifier.bias";
        let mut tensors = built.graph_mut().initializer.iter_mut();
        let bias = tensors.find(|tensor| tensor.name == classifier).unwrap();
        bias.set_f32(&[3.0, 0.0, 2.0]).unwrap();
        let bytes = built.to_bytes();
        inspect(&bytes, &Limits::default()).unwrap();
        let session = Session::load(bytes).unwrap();
        for batch in [1, 3] {
            let image = Tensor {
                shape: vec![batch, 3, 64, 64],
                data: (0..batch * 3 * 64 * 64)
                    .map(|i| (i % 97) as f32 / 96.0)
                    .collect(),
            };
            let output = session.run(&[image]).unwrap();
            assert_eq!(output.shape, [batch, 3], "{model}");
            for row in output.data.chunks(3) {
                assert!(row.iter().all(|p| (0.0..=1.0).contains(p)), "{model}");
                assert!(row[0] > 0.9 && row[2] > 0.8, "{model}: {row:?}");
            }
        }
    }
    let error = "vit".parse::<ChestModel>().unwrap_err();
    assert!(error.to_string().contains("mobile"), "{error}");
    for refused in [
        ChestOptions {
            image_size: 16,
            ..options
        },
        ChestOptions {
            labels: 0,
            ..options
        },
        ChestOptions {
            image_size: 2048,
            ..options
        },
    ] {
        let error = ChestModel::Mobile.build(&refused).unwrap_err();
        assert!(matches!(error, BuildError::Invalid { .. }), "{error}");
    }
}

#[test]
fn the_chest_networks_take_the_size_that_is_judged() {
    for model in ChestModel::ALL {
        let built = model.build(&ChestOptions::default()).unwrap();
        let [image] = built.inputs().try_into().unwrap();
        let batch = || Dim::Named("batch".into());
        let side = Dim::Fixed(224);
        assert_eq!(image.dims, [batch(), Dim::Fixed(3), side.clone(), side]);
        let [output] = built.outputs().try_into().unwrap();
        assert_eq!(output.dims, [batch(), Dim::Fixed(14)]);
    }
}

#[test]
fn the_work_of_a_network_is_the_published_one() {
    // Of the networks without their classifiers, which are small: Simonyan and Zisserman, He et al. as torchvision has it,
    // Tan and Le, Howard et al.
    let published = [
        (ChestModel::Vgg, 15.347e9),
        (ChestModel::Res, 4.087e9),
        (ChestModel::Efficient, 0.385e9),
        (ChestModel::Mobile, 0.568e9),
    ];
    for (network, published) in published {
        let model = network.build(&ChestOptions::default()).unwrap();
        let work = multiply_adds(&model, &[vec![1, 3, 224, 224]]) as f64;
        let ratio = work / published;
        assert!(
            (0.99..1.01).contains(&ratio),
            "{network:?}: {work} is {ratio} of it"
        );
        let twice = multiply_adds(&model, &[vec![2, 3, 224, 224]]) as f64;
        assert!(
            (1.99..2.01).contains(&(twice / work)),
            "{network:?}: {twice}"
        );
    }
    // EfficientNet-B1 at 512x512, and B0 at the 224x224 to which the graph resizes by itself.
    for (name, billions) in [("balanced", 1.9..4.0), ("agon-small", 0.385..0.45)] {
        let model = tricorder(name, &TricorderOptions::default()).unwrap();
        let work = multiply_adds(&model, &[vec![1, 3, 512, 512], vec![1, 3]]);
        assert!(billions.contains(&(work as f64 / 1e9)), "{name}: {work}");
    }
}

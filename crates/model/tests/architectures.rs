//! What the networks are made of: published sizes, names, interfaces.

use agon_model::architecture::{
    EfficientNet, TRUNK, TricorderModel, TricorderOptions, efficientnet_features, tricorder,
};
use agon_model::builder::BuildError;
use agon_model::inference::{Session, Tensor};
use agon_model::inspect::{Limits, inspect};
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
    for (ours, original) in [
        (AgonSmall, Lightweight),
        (AgonBase, Balanced),
        (AgonLarge, Larger),
    ] {
        assert!(size(ours) <= size(original), "{ours} and {original}");
    }
    assert!(size(AgonSmall) < size(AgonBase) && size(AgonBase) < size(AgonLarge));
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

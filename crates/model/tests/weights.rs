//! Weights from other libraries: the same features as there, or an error that says what differs.

use std::collections::BTreeSet;

use agon_model::architecture::{
    ChestModel, ChestOptions, EfficientNet, Stage, TRUNK, TricorderModel, TricorderOptions,
    efficientnet_features,
};
use agon_model::half_precision::{self, HalfError};
use agon_model::inference::{Session, Tensor};
use agon_model::split::split;
use agon_model::weights::{Stored, Tensors, WeightsError, load_trunk, read, transfer};
use agon_model::{Dim, Model};

const TIMM: &[u8] = include_bytes!("fixtures/efficientnet/timm.safetensors");
const TIMM_HALF: &[u8] = include_bytes!("fixtures/efficientnet/timm-half.safetensors");
const TIMM_CHECKPOINT: &[u8] = include_bytes!("fixtures/efficientnet/timm.pth");
const TORCHVISION: &[u8] = include_bytes!("fixtures/efficientnet/torchvision.pth");
const EXPECTED: &[u8] = include_bytes!("fixtures/efficientnet/expected.safetensors");

/// The network of `make.py`.
fn tiny() -> EfficientNet {
    let stage = |expansion, kernel, stride, channels, blocks| Stage {
        expansion,
        kernel,
        stride,
        channels,
        blocks,
    };
    EfficientNet {
        stem: 8,
        stages: vec![
            stage(1, 3, 1, 8, 1),
            stage(2, 3, 2, 16, 2),
            stage(3, 5, 2, 24, 2),
        ],
        head: 40,
    }
}

fn run(model: &Model, inputs: &[Tensor]) -> Vec<f32> {
    let session = Session::load(model.to_bytes()).unwrap();
    session.run(inputs).unwrap().data
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, f32::max)
}

/// The largest difference from the features that the library computed.
fn difference(file: &[u8], library: &str) -> f32 {
    let expected = read(EXPECTED).unwrap();
    let image = Tensor {
        shape: expected["image"].dims.clone(),
        data: expected["image"].data.clone(),
    };
    let mut model = efficientnet_features(&tiny(), 45).unwrap();
    load_trunk(&mut model, &read(file).unwrap()).unwrap();
    let features = run(&model, &[image]);
    assert!(features.iter().any(|v| v.abs() > 0.1), "{features:?}");
    distance(&features, &expected[library].data)
}

#[test]
fn features_are_those_of_the_library() {
    assert!(difference(TIMM, "timm") < 1e-4);
    assert!(difference(TIMM_CHECKPOINT, "timm") < 1e-4);
    assert!(difference(TORCHVISION, "torchvision") < 1e-4);
    // Sixteen bits keep three digits.
    let half = difference(TIMM_HALF, "timm");
    assert!(half > 0.0 && half < 2e-2, "{half}");
}

#[test]
fn what_does_not_fit_is_listed_and_changes_nothing() {
    let before = efficientnet_features(&tiny(), 45).unwrap();
    let complete = read(TIMM).unwrap();
    let mut model = before.clone();
    let mut refused = |change: &dyn Fn(&mut Tensors)| {
        let mut tensors = complete.clone();
        change(&mut tensors);
        let error = load_trunk(&mut model, &tensors).unwrap_err();
        assert_eq!(model, before, "{error}");
        error
    };
    let error = refused(&|tensors| {
        tensors.remove("blocks.1.0.bn2.running_var");
        let odd = tensors["bn1.weight"].clone();
        tensors.insert("blocks.9.0.conv_pw.weight".into(), odd);
        tensors.get_mut("conv_head.weight").unwrap().dims = vec![24, 40, 1, 1];
    });
    let message = error.to_string();
    for part in [
        "1 missing: trunk.blocks.1.0.bn2.var",
        "1 unexpected: trunk.blocks.9.0.conv_pw.weight",
        "1 of another shape: trunk.conv_head.weight ([24, 40, 1, 1], not [40, 24, 1, 1])",
    ] {
        assert!(message.contains(part), "{message}");
    }
    let error = refused(&|tensors| tensors.get_mut("bn1.bias").unwrap().data[0] = f32::NAN);
    assert!(matches!(error, WeightsError::NotFinite(name) if name == "trunk.bn1.bias"));
    let error = refused(&|tensors| tensors.clear());
    assert!(matches!(error, WeightsError::Unknown(0)));
    // Another size of the same family.
    let mut other = efficientnet_features(&EfficientNet::b0(), 32).unwrap();
    let error = load_trunk(&mut other, &complete).unwrap_err();
    assert!(error.to_string().contains(" more"), "{error}");
}

#[test]
fn broken_files_are_errors() {
    for bytes in [&b""[..], b"PK", b"GIF89a", b"\x80\x02}q\x00."] {
        assert!(
            matches!(read(bytes), Err(WeightsError::Format)),
            "{bytes:?}"
        );
    }
    for file in [TIMM, TIMM_CHECKPOINT] {
        for length in [9, 100, 1000, file.len() / 2, file.len() - 1] {
            assert!(read(&file[..length]).is_err(), "{length}");
        }
        // Whatever a changed byte does, it does not panic.
        for place in (0..file.len()).step_by(file.len() / 300) {
            let mut changed = file.to_vec();
            changed[place] ^= 0xff;
            let _ = read(&changed);
        }
    }
}

/// A zip with one stored entry, as `torch.save` lays it out.
fn checkpoint(pickle: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(vec![]));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    writer.start_file("archive/data.pkl", stored).unwrap();
    std::io::Write::write_all(&mut writer, pickle).unwrap();
    writer.start_file("archive/data/0", stored).unwrap();
    std::io::Write::write_all(&mut writer, &[0; 16]).unwrap();
    writer.finish().unwrap().into_inner()
}

/// A dictionary with one tensor of these sizes and strides over a storage of four floats.
fn tensor_pickle(dims: &[i32], strides: &[i32]) -> Vec<u8> {
    let integers = |values: &[i32]| {
        let mut bytes = b"(".to_vec();
        for value in values {
            bytes.push(b'J');
            bytes.extend(value.to_le_bytes());
        }
        bytes.push(b't');
        bytes
    };
    let mut pickle = b"\x80\x02}(X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n(".to_vec();
    pickle.extend(b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000");
    pickle.extend(b"X\x03\x00\x00\x00cpuK\x04tQK\x00");
    pickle.extend(integers(dims));
    pickle.extend(integers(strides));
    pickle.extend(b"\x89}tRu.");
    pickle
}

#[test]
fn a_checkpoint_cannot_do_more_than_describe_tensors() {
    let read = |pickle: &[u8]| read(&checkpoint(pickle));
    let sound = read(&tensor_pickle(&[2, 2], &[1, 2])).unwrap();
    assert_eq!(sound["w"].dims, [2, 2]);
    // Beyond the storage, negative, or too much for so small a file.
    for (dims, strides) in [
        (&[2, 3][..], &[3, 1][..]),
        (&[-1, 2], &[2, 1]),
        (&[2, 2], &[-1, 1]),
        (&[1 << 30, 1 << 30], &[0, 0]),
        (&[1 << 29], &[0]),
        (&[1; 9], &[1; 9]),
    ] {
        assert!(read(&tensor_pickle(dims, strides)).is_err(), "{dims:?}");
    }
    // A call that is not ours is not made, and its result means nothing.
    let target = std::env::temp_dir().join(format!("agon-pickle-{}", std::process::id()));
    let command = format!("touch {}", target.display());
    let mut pickle = b"\x80\x02cos\nsystem\n(X".to_vec();
    pickle.extend((command.len() as u32).to_le_bytes());
    pickle.extend(command.as_bytes());
    pickle.extend(b"tR.");
    let error = read(&pickle).unwrap_err();
    assert!(error.to_string().contains("state_dict"), "{error}");
    assert!(!target.exists());
    // Instructions out of order, endless growth, references to nothing.
    for pickle in [
        &b"."[..],
        b"t.",
        b"u.",
        b"h\x00.",
        b"R.",
        b"Q.",
        b"(((",
        b"\x8a\xff.",
        b"i",
    ] {
        assert!(read(pickle).is_err(), "{pickle:?}");
    }
    assert!(read(&b"N".repeat(1 << 21)).is_err());
    assert!(read(&b"]q\x00h\x00a.".repeat(3)).is_err());
}

/// Some numbers in every initialiser.
fn filled(mut model: Model) -> Model {
    for (index, tensor) in model.graph_mut().initializer.iter_mut().enumerate() {
        let count = tensor.element_count().unwrap();
        let fan_in: i64 = tensor.dims.iter().skip(1).product();
        let scale = 1.0 / (fan_in as f32).sqrt();
        let vector = tensor.dims.len() == 1;
        let value = |place: usize| {
            let wave = ((place * 7 + index * 13) as f32 * 0.37).sin();
            if vector {
                1.0 + 0.1 * wave
            } else {
                wave * scale
            }
        };
        let values: Vec<f32> = (0..count).map(value).collect();
        tensor.set_f32(&values).unwrap();
    }
    model
}

fn inputs(side: usize) -> Vec<Tensor> {
    let image = (0..2 * 3 * side * side).map(|i| ((i as f32 * 0.013).sin() + 1.0) / 2.0);
    let image = Tensor {
        shape: vec![2, 3, side, side],
        data: image.collect(),
    };
    let demographics = Tensor {
        shape: vec![2, 3],
        data: vec![55.0, 1.0, 5.0, 0.0, -1.0, -1.0],
    };
    vec![image, demographics]
}

fn built(model: TricorderModel, image_size: usize) -> Model {
    let options = TricorderOptions {
        image_size,
        ..TricorderOptions::default()
    };
    let mut model = filled(model.build(&options).unwrap());
    model.strip_training();
    model
}

#[test]
fn sixteen_bits_halve_the_file_and_keep_the_outputs() {
    for name in [TricorderModel::Lightweight, TricorderModel::AgonSmall] {
        let single = built(name, 64);
        let half = half_precision::store(&single).unwrap();
        let ratio = half.to_bytes().len() as f64 / single.to_bytes().len() as f64;
        assert!((0.5..0.52).contains(&ratio), "{name}: {ratio}");
        // Inspection, and the engine, accept it; inputs and outputs stay as they were.
        assert_eq!(
            (half.inputs(), half.outputs()),
            (single.inputs(), single.outputs())
        );
        let apart = distance(&run(&half, &inputs(64)), &run(&single, &inputs(64)));
        assert!(apart < 5e-3, "{name}: {apart}");
        assert_eq!(
            half.learned_parameter_count(),
            single.learned_parameter_count()
        );
        // Back again: the same graph, rounded weights; storing those once more changes nothing.
        let restored = half_precision::restore(&half).unwrap();
        assert_eq!(restored.graph().node, single.graph().node);
        assert_eq!(half_precision::store(&restored).unwrap(), half);
    }
    let mut loud = built(TricorderModel::AgonSmall, 64);
    let tensors = &mut loud.graph_mut().initializer;
    let kernel = tensors.iter_mut().find(|t| t.dims.len() == 4).unwrap();
    let count = kernel.element_count().unwrap();
    kernel.set_f32(&vec![7e4; count]).unwrap();
    let error = half_precision::store(&loud).unwrap_err();
    assert!(
        matches!(error, HalfError::Range { value: 7e4, .. }),
        "{error}"
    );
}

#[test]
fn a_cut_network_computes_the_same() {
    for name in TricorderModel::ALL {
        let whole = built(name, 64);
        let parts = split(&whole).unwrap();
        let inputs = inputs(64);
        let features = Session::load(parts.trunk.to_bytes()).unwrap();
        assert_eq!(features.input_specs().len(), 1);
        let features = features.run(&inputs[..1]).unwrap();
        let [declared, demographics] = parts.head.inputs().try_into().unwrap();
        assert_eq!(
            (&declared.name, &*demographics.name),
            (&parts.features, "demographics")
        );
        let sizes = declared.dims.iter().zip(&features.shape).skip(1);
        for (dim, size) in sizes {
            assert_eq!(*dim, Dim::Fixed(*size), "{name}");
        }
        let output = run(&parts.head, &[features, inputs[1].clone()]);
        assert_eq!(output, run(&whole, &inputs), "{name}");
        // Every weight stands in one of the parts, trunk and rest.
        let names = |model: &Model| -> BTreeSet<String> {
            let initialisers = model.graph().initializer.iter();
            initialisers.map(|tensor| tensor.name.clone()).collect()
        };
        let (trunk, head) = (names(&parts.trunk), names(&parts.head));
        assert!(trunk.iter().all(|name| name.starts_with(TRUNK)));
        assert!(!head.iter().any(|name| name.starts_with(TRUNK)));
        assert_eq!(&trunk | &head, names(&whole));
    }
    assert!(split(&efficientnet_features(&tiny(), 45).unwrap()).is_err());
}

#[test]
fn weights_move_between_image_sizes_and_from_a_part_to_the_whole() {
    let small = built(TricorderModel::AgonSmall, 64);
    let options = TricorderOptions {
        image_size: 96,
        trunk_size: Some(64),
        dropout: None,
    };
    let mut large = TricorderModel::AgonSmall.build(&options).unwrap();
    transfer(&small, &mut large).unwrap();
    assert_eq!(large.graph().initializer, small.graph().initializer);
    let mut whole = TricorderModel::AgonSmall.build(&options).unwrap();
    let parts = split(&small).unwrap();
    transfer(&parts.head, &mut whole).unwrap();
    transfer(&parts.trunk, &mut whole).unwrap();
    assert_eq!(whole, large);
    let mut other = built(TricorderModel::AgonBase, 64);
    let before = other.clone();
    assert!(matches!(
        transfer(&small, &mut other),
        Err(WeightsError::Mismatch { .. })
    ));
    assert_eq!(other, before);
}

/// A file with a library's names for the trunk of one of our networks, numbers of its own in each tensor. Torchvision
/// and timm call every tensor alike but those of the batch normalisations.
fn published(model: &Model, classifier: &str, biased: bool) -> Tensors {
    let mut tensors = Tensors::new();
    for (number, tensor) in model.graph().initializer.iter().enumerate() {
        let Some(name) = tensor.name.strip_prefix(TRUNK) else {
            continue;
        };
        let dims = tensor.shape().unwrap();
        let is_norm = ["bn", "downsample.1"]
            .iter()
            .any(|norm| name.contains(norm));
        if !biased && !is_norm && name.ends_with(".bias") {
            continue;
        }
        let name = match name.rsplit_once('.') {
            Some((module, "scale")) => format!("{module}.weight"),
            Some((module, "mean")) => format!("{module}.running_mean"),
            Some((module, "var")) => format!("{module}.running_var"),
            _ => name.to_owned(),
        };
        let count: usize = dims.iter().product();
        let data = vec![1.0 + number as f32 / 1024.0; count];
        tensors.insert(name, Stored { dims, data });
    }
    let last = Stored {
        dims: vec![2, 2],
        data: vec![0.5; 4],
    };
    tensors.insert(format!("{classifier}.weight"), last);
    tensors
}

#[test]
fn published_weights_fit_the_trunks_of_the_chest_networks() {
    let options = ChestOptions {
        image_size: 32,
        ..ChestOptions::default()
    };
    // Names as they stand in the libraries' files: the first, some inside, and how many there are.
    let libraries: [(ChestModel, &str, bool, usize, &[&str]); 3] = [
        (
            ChestModel::Vgg,
            "classifier.0",
            true,
            26,
            &[
                "features.0.weight",
                "features.10.bias",
                "features.28.weight",
            ],
        ),
        (
            ChestModel::Res,
            "fc",
            false,
            265,
            &[
                "conv1.weight",
                "bn1.running_var",
                "layer1.0.downsample.1.running_mean",
                "layer3.5.conv2.weight",
                "layer4.2.bn3.weight",
            ],
        ),
        (
            ChestModel::Mobile,
            "classifier",
            false,
            135,
            &[
                "conv_stem.weight",
                "blocks.0.0.conv_dw.weight",
                "blocks.3.5.bn2.running_var",
                "blocks.4.1.conv_pw.weight",
            ],
        ),
    ];
    for (network, classifier, biased, count, names) in libraries {
        let mut model = network.build(&options).unwrap();
        let file = published(&model, classifier, biased);
        assert_eq!(file.len(), count + 1, "{network}");
        for name in names {
            assert!(file.contains_key(*name), "{network}: {name}");
        }
        let prefixed = file
            .iter()
            .map(|(name, tensor)| (format!("module.{name}"), tensor.clone()));
        load_trunk(&mut model, &prefixed.collect()).unwrap();
        for tensor in &model.graph().initializer {
            let values = tensor.to_f32().unwrap();
            let is_loaded = values.iter().all(|&value| value >= 1.0);
            let is_bias = tensor.name.ends_with(".bias") && !tensor.name.contains("bn");
            if tensor.name.starts_with(TRUNK) && (biased || !is_bias) {
                assert!(is_loaded, "{network}: {}", tensor.name);
            }
        }
        // Of another network nothing fits.
        let mut other = ChestModel::Efficient.build(&options).unwrap();
        let error = load_trunk(&mut other, &file).unwrap_err();
        assert!(matches!(error, WeightsError::Mismatch { .. }), "{error}");
    }
}

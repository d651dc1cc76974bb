//! Graphs and samples for the tests.
#![allow(dead_code)] // every test file uses a part of it

pub mod cases;

use agon_model::builder::{Convolution, GraphBuilder};
use agon_model::digest::Digest;
use agon_model::proto::{
    AttributeProto, DimensionProto, ElementType, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use agon_model::{Dim, Model};
use agon_train::engine::{Device, DeviceError, Engine};
use agon_train::examples::{Array, Batch, Examples, Identity, Unavailable};
use agon_train::program::Program;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The devices that are built in and there, the default one first.
pub fn devices() -> Vec<Device> {
    let model = small_network(0.0, 0.0);
    let (program, _) = Program::compile(&model).unwrap();
    let others = [Device::Libtorch, Device::Cuda(0), Device::Wgpu(0)];
    let mut devices = vec![Device::Processor];
    for device in others.into_iter().chain([Device::LibtorchCuda(0)]) {
        match Engine::on(&program, device) {
            Ok(_) => devices.push(device),
            Err(DeviceError::NotBuilt { .. }) => {}
            Err(error) => eprintln!("SKIPPED: {error}"),
        }
    }
    devices
}

/// Numbers in [-1, 1).
pub fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut stream = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| stream.random::<f32>() * 2.0 - 1.0)
        .collect()
}

pub fn array(seed: u64, shape: &[usize]) -> Array {
    Array {
        shape: shape.to_vec(),
        data: noise(seed, shape.iter().product()),
    }
}

pub fn node(
    operator: &str,
    inputs: &[&str],
    output: &str,
    attributes: Vec<AttributeProto>,
) -> NodeProto {
    NodeProto {
        name: format!("the_{output}"),
        op_type: operator.into(),
        input: inputs.iter().map(|&name| name.into()).collect(),
        output: vec![output.into()],
        attribute: attributes,
        ..NodeProto::default()
    }
}

pub fn integers(output: &str, values: &[i64]) -> NodeProto {
    let tensor = TensorProto::from_i64("", &[values.len()], values);
    node(
        "Constant",
        &[],
        output,
        vec![AttributeProto::from_tensor("value", tensor)],
    )
}

pub fn integer(output: &str, value: i64) -> NodeProto {
    let tensor = TensorProto::from_i64("", &[], &[value]);
    node(
        "Constant",
        &[],
        output,
        vec![AttributeProto::from_tensor("value", tensor)],
    )
}

pub fn floats(output: &str, dims: &[usize], values: &[f32]) -> NodeProto {
    let tensor = TensorProto::from_f32("", dims, values);
    node(
        "Constant",
        &[],
        output,
        vec![AttributeProto::from_tensor("value", tensor)],
    )
}

pub fn weight(name: &str, dims: &[usize], seed: u64) -> TensorProto {
    let count = dims.iter().product();
    let values: Vec<f32> = noise(seed, count).iter().map(|v| v * 0.5).collect();
    TensorProto::from_f32(name, dims, &values)
}

fn value(name: &str, dims: &[usize]) -> ValueInfoProto {
    let batch = DimensionProto {
        dim_param: Some("batch".into()),
        ..DimensionProto::default()
    };
    let fixed = dims.iter().map(|&d| DimensionProto {
        dim_value: Some(d as i64),
        ..DimensionProto::default()
    });
    let shape = TensorShapeProto {
        dim: std::iter::once(batch).chain(fixed).collect(),
    };
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type: ElementType::Float as i32,
                shape: Some(shape),
            }),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}

/// A graph from `x`, [batch, `input`...], to `p`, [batch, `output`...].
pub fn graph(
    input: &[usize],
    output: &[usize],
    nodes: Vec<NodeProto>,
    initializer: Vec<TensorProto>,
    opset: i64,
) -> Model {
    Model::from_proto(ModelProto {
        ir_version: 8,
        graph: GraphProto {
            name: "test".into(),
            node: nodes,
            initializer,
            input: vec![value("x", input)],
            output: vec![value("p", output)],
            ..GraphProto::default()
        },
        opset_import: vec![OperatorSetIdProto {
            domain: String::new(),
            version: opset,
        }],
        ..ModelProto::default()
    })
    .unwrap()
}

/// A small convolutional network with batch normalisation for 16x16 images of one channel and three classes.
pub fn small_network(dropout: f32, drop_path: f32) -> Model {
    let mut graph = GraphBuilder::new("small");
    let g = &mut graph;
    let dims = vec![
        Dim::Named("batch".into()),
        Dim::Fixed(1),
        Dim::Fixed(16),
        Dim::Fixed(16),
    ];
    let x = g.input("image", dims);
    let x = g.convolution(&x, Convolution::new(8, 3, 2));
    let x = g.batch_normalisation(&x);
    // Where it can be cut.
    g.declare(&x);
    let x = g.relu(&x);
    let y = g.convolution(&x, Convolution::new(8, 3, 1));
    let y = g.batch_normalisation(&y);
    g.train_drop_path(drop_path);
    let x = g.add(&x, &y);
    let x = g.relu(&x);
    let x = g.max_pool(&x, 2, 2);
    let x = g.flatten(&x);
    g.train_dropout(dropout);
    let x = g.linear(&x, 3);
    let x = g.softmax(&x);
    g.output(&x, "probabilities");
    graph.finish().unwrap()
}

/// Three classes of 16x16 images in noise: horizontal stripes, vertical stripes, a checkerboard, each at a random
/// phase.
pub struct Patterns {
    pub images: Vec<Vec<f32>>,
    pub labels: Vec<usize>,
}

impl Patterns {
    pub fn new(count: usize, seed: u64) -> Self {
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        let (mut images, mut labels) = (Vec::new(), Vec::new());
        for index in 0..count {
            let label = index % 3;
            let (shift_x, shift_y) = (stream.random_range(0..4), stream.random_range(0..4));
            let image = (0..256).map(|pixel| {
                let (x, y) = (
                    (pixel % 16 + shift_x) / 2 % 2,
                    (pixel / 16 + shift_y) / 2 % 2,
                );
                let on = [y, x, x ^ y][label];
                on as f32 + (stream.random::<f32>() - 0.5) * 1.5
            });
            images.push(image.collect());
            labels.push(label);
        }
        Self { images, labels }
    }
}

impl Examples for Patterns {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn label(&self, index: usize) -> usize {
        self.labels[index]
    }

    fn batch(&self, indices: &[usize], augment: Option<u64>) -> Result<Batch, Unavailable> {
        let mut data: Vec<f32> = indices
            .iter()
            .flat_map(|&i| self.images[i].clone())
            .collect();
        if let Some(seed) = augment {
            for (value, noise) in data.iter_mut().zip(noise(seed, indices.len() * 256)) {
                *value += noise * 0.1;
            }
        }
        Ok(Batch {
            inputs: vec![Array {
                shape: vec![indices.len(), 1, 16, 16],
                data,
            }],
            labels: indices.iter().map(|&i| self.labels[i]).collect(),
        })
    }

    fn identity(&self, augmented: bool) -> Identity {
        let values = self.images.iter().flatten();
        let bytes: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
        let images = Digest::of(&bytes).to_string();
        let mut identity = Identity::from([("images".to_owned(), images.into())]);
        if augmented {
            identity.insert("noise".to_owned(), 0.1.into());
        }
        identity
    }
}

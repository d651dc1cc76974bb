//! Files and messages: what is written is read back, byte for byte.

use agon_model::proto::{
    AttributeProto, DimensionProto, ElementType, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, StringStringEntryProto, TensorError, TensorProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};
use agon_model::{Dim, Model, training_attributes};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..6)
}

fn finite() -> impl Strategy<Value = f32> {
    -1e6f32..1e6
}

fn entry() -> impl Strategy<Value = StringStringEntryProto> {
    (".{0,4}", ".{0,4}").prop_map(|(key, value)| StringStringEntryProto { key, value })
}

fn tensor() -> impl Strategy<Value = TensorProto> {
    let numbers = (
        vec(any::<i64>(), 0..3),
        vec(finite(), 0..3),
        vec(any::<i32>(), 0..3),
        vec(any::<i64>(), 0..3),
        vec(-1e9f64..1e9, 0..3),
        vec(any::<u64>(), 0..3),
    );
    let rest = (
        any::<i32>(),
        ".{0,4}",
        proptest::option::of(bytes()),
        vec(bytes(), 0..2),
        vec(entry(), 0..2),
        proptest::option::of(bytes()),
    );
    (numbers, rest).prop_map(|(numbers, rest)| TensorProto {
        dims: numbers.0,
        float_data: numbers.1,
        int32_data: numbers.2,
        int64_data: numbers.3,
        double_data: numbers.4,
        uint64_data: numbers.5,
        data_type: rest.0,
        name: rest.1,
        raw_data: rest.2,
        string_data: rest.3,
        external_data: rest.4.clone(),
        segment: rest.5,
        doc_string: "about".into(),
        data_location: 1,
        metadata_props: rest.4,
    })
}

fn attribute() -> impl Strategy<Value = AttributeProto> {
    let scalars = (
        proptest::option::of(finite()),
        proptest::option::of(any::<i64>()),
        proptest::option::of(bytes()),
        proptest::option::of(tensor()),
        proptest::option::of(bytes()),
    );
    let lists = (
        vec(finite(), 0..3),
        vec(any::<i64>(), 0..3),
        vec(bytes(), 0..3),
        vec(tensor(), 0..2),
        vec(bytes(), 0..2),
    );
    (".{0,4}", scalars, lists, any::<i32>()).prop_map(|(name, scalars, lists, kind)| {
        AttributeProto {
            name,
            f: scalars.0,
            i: scalars.1,
            s: scalars.2,
            t: scalars.3,
            g: scalars.4.clone(),
            floats: lists.0,
            ints: lists.1,
            strings: lists.2,
            tensors: lists.3,
            graphs: lists.4.clone(),
            doc_string: "about".into(),
            tp: scalars.4.clone(),
            type_protos: lists.4.clone(),
            r#type: kind,
            ref_attr_name: "reference".into(),
            sparse_tensor: scalars.4,
            sparse_tensors: lists.4,
        }
    })
}

fn node() -> impl Strategy<Value = NodeProto> {
    let names = vec(".{0,4}", 0..3);
    (
        names.clone(),
        names,
        ".{0,4}",
        vec(attribute(), 0..3),
        entry(),
    )
        .prop_map(|(input, output, text, attribute, entry)| NodeProto {
            input,
            output,
            name: text.clone(),
            op_type: "Relu".into(),
            attribute,
            doc_string: text.clone(),
            domain: text.clone(),
            overload: text,
            metadata_props: vec![entry],
            device_configurations: vec![vec![1, 2]],
        })
}

fn value() -> impl Strategy<Value = ValueInfoProto> {
    let size = proptest::option::of(any::<i64>());
    let dims = vec((size, proptest::option::of(".{0,4}")), 0..4);
    (".{0,4}", any::<i32>(), dims, entry()).prop_map(|(name, elem_type, dims, entry)| {
        let dim = dims
            .into_iter()
            .map(|(dim_value, dim_param)| DimensionProto {
                dim_value,
                dim_param,
                denotation: "channel".into(),
            });
        let tensor_type = TensorTypeProto {
            elem_type,
            shape: Some(TensorShapeProto { dim: dim.collect() }),
        };
        ValueInfoProto {
            name,
            r#type: Some(TypeProto {
                tensor_type: Some(tensor_type),
                sequence_type: Some(vec![1]),
                map_type: None,
                denotation: "image".into(),
                sparse_tensor_type: Some(vec![2]),
                optional_type: Some(vec![3]),
            }),
            doc_string: "about".into(),
            metadata_props: vec![entry],
        }
    })
}

fn model() -> impl Strategy<Value = ModelProto> {
    let graph = (vec(node(), 0..4), vec(tensor(), 0..3), vec(value(), 0..3));
    (graph, any::<i64>(), ".{0,4}", entry(), bytes()).prop_map(
        |((node, initializer, values), number, text, entry, blob)| ModelProto {
            ir_version: number,
            producer_name: text.clone(),
            producer_version: text.clone(),
            domain: text.clone(),
            model_version: number,
            doc_string: text.clone(),
            graph: GraphProto {
                node,
                name: text.clone(),
                initializer,
                doc_string: text.clone(),
                input: values.clone(),
                output: values.clone(),
                value_info: values,
                quantization_annotation: vec![blob.clone()],
                sparse_initializer: vec![blob.clone()],
                metadata_props: vec![entry.clone()],
            },
            opset_import: vec![OperatorSetIdProto {
                domain: text,
                version: number,
            }],
            metadata_props: vec![entry],
            training_info: vec![blob.clone()],
            functions: vec![blob.clone()],
            configuration: vec![blob],
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn decoding_what_was_encoded_gives_the_same_messages(model in model()) {
        let bytes = model.encode_to_vec();
        let decoded = ModelProto::decode(bytes.as_slice()).unwrap();
        prop_assert_eq!(&decoded, &model);
        prop_assert_eq!(decoded.encode_to_vec(), bytes);
    }

    #[test]
    fn float_and_integer_tensors_keep_their_values(
        floats in vec(finite(), 0..20),
        integers in vec(any::<i64>(), 0..20),
    ) {
        let tensor = TensorProto::from_f32("t", &[floats.len()], &floats);
        prop_assert_eq!(tensor.to_f32().unwrap(), floats);
        let tensor = TensorProto::from_i64("t", &[integers.len()], &integers);
        prop_assert_eq!(tensor.to_i64().unwrap(), integers);
    }
}

#[test]
fn the_bytes_of_a_small_file_are_those_of_the_format() {
    // Written by hand from onnx.proto: ir_version 8; graph { node { input "x" output "y" op_type "Relu" } name "g"
    // input x: float [N, 2], output y }; opset_import { version 18 }.
    let value = |name: u8| {
        let dims = [0x0a, 0x03, 0x12, 0x01, b'N', 0x0a, 0x02, 0x08, 0x02];
        let mut bytes = vec![
            0x0a, 0x01, name, 0x12, 0x0f, 0x0a, 0x0d, 0x08, 0x01, 0x12, 0x09,
        ];
        bytes.extend(dims);
        bytes
    };
    let node = [
        0x0a, 0x0c, 0x0a, 1, b'x', 0x12, 1, b'y', 0x22, 4, b'R', b'e', b'l', b'u',
    ];
    let mut graph = node.to_vec();
    graph.extend([0x12, 1, b'g']);
    for (tag, name) in [(0x5a, b'x'), (0x62, b'y')] {
        let value = value(name);
        graph.extend([tag, value.len() as u8]);
        graph.extend(value);
    }
    let mut file = vec![0x08, 8, 0x3a, graph.len() as u8];
    file.extend(graph);
    file.extend([0x42, 0x02, 0x10, 18]);

    let model = Model::from_bytes(&file).unwrap();
    assert_eq!(model.opset_version(), Some(18));
    assert_eq!(model.graph().node[0].op_type, "Relu");
    let inputs = model.inputs();
    assert_eq!(inputs[0].element_type, ElementType::Float);
    assert_eq!(inputs[0].dims, [Dim::Named("N".into()), Dim::Fixed(2)]);
    assert_eq!(inputs[0].to_string(), "x Float[N, 2]");
    assert_eq!(model.outputs()[0].name, "y");
    assert_eq!(model.to_bytes(), file);
}

#[test]
fn tensors_are_read_from_typed_fields_too() {
    let tensor = TensorProto {
        name: "t".into(),
        dims: vec![2],
        data_type: ElementType::Int32 as i32,
        int32_data: vec![-5, 7],
        ..TensorProto::default()
    };
    assert_eq!(tensor.to_i64().unwrap(), [-5, 7]);
    assert!(matches!(tensor.to_f32(), Err(TensorError::Type { .. })));
    let tensor = TensorProto {
        data_type: ElementType::Float as i32,
        float_data: vec![0.5, 1.5],
        ..tensor
    };
    assert_eq!(tensor.to_f32().unwrap(), [0.5, 1.5]);
    let short = TensorProto {
        dims: vec![3],
        ..tensor.clone()
    };
    assert!(matches!(short.to_f32(), Err(TensorError::Length { .. })));
    let mut changed = tensor;
    changed.set_f32(&[2.0, 3.0]).unwrap();
    assert_eq!(changed.to_f32().unwrap(), [2.0, 3.0]);
    assert!(changed.set_f32(&[1.0]).is_err());
}

#[test]
fn stripping_removes_training_attributes_and_dropout_nodes() {
    let mut g = agon_model::builder::GraphBuilder::new("g");
    let x = g.input("x", vec![Dim::Named("batch".into()), Dim::Fixed(2)]);
    let x = g.relu(&x);
    g.train_dropout(0.5);
    g.train_drop_path(0.1);
    let y = g.abs(&x);
    g.output(&y, "y");
    let clean = {
        let mut model = g.finish().unwrap();
        let node = &model.graph().node[0];
        assert_eq!(node.float(training_attributes::DROPOUT, 0.0), 0.5);
        assert_eq!(node.float(training_attributes::DROP_PATH, 0.0), 0.1);
        model.strip_training();
        assert!(
            model
                .graph()
                .node
                .iter()
                .all(|node| node.attribute.is_empty())
        );
        model
    };

    let mut model = clean.clone();
    let dropout = |input: &str, output: &str| NodeProto {
        op_type: "Dropout".into(),
        input: vec![input.into(), "ratio".into()],
        output: vec![output.into()],
        ..NodeProto::default()
    };
    let graph = model.graph_mut();
    let relu = graph.node[0].output[0].clone();
    graph.node[1].input[0] = "second".into();
    graph.node.insert(1, dropout(&relu, "first"));
    graph.node.insert(2, dropout("first", "second"));
    model.strip_training();
    assert_eq!(model, clean);

    let graph = model.graph_mut();
    graph.node[1].output[0] = "before".into();
    graph.node.push(dropout("before", "y"));
    model.strip_training();
    let last = model.graph().node.last().unwrap();
    assert_eq!(
        (last.op_type.as_str(), last.input.as_slice()),
        ("Identity", &["before".into()][..])
    );
}

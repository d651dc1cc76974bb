//! Files from strangers: each is refused with its kind and a reason, and none makes inspection panic.

use agon_model::builder::GraphBuilder;
use agon_model::inspect::{
    Contract, Limits, Refusal, RefusalKind, TensorContract, check_contract, check_size, check_work,
    inspect, multiply_adds,
};
use agon_model::operators::ALLOWED;
use agon_model::proto::{
    AttributeProto, ElementType, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto,
};
use agon_model::{Dim, Model, ReadError};
use proptest::prelude::*;

/// input [batch, 4] -> linear -> softmax -> output [batch, 3]
fn classifier() -> Model {
    let mut g = GraphBuilder::new("classifier");
    let x = g.input("input", vec![Dim::Named("batch".into()), Dim::Fixed(4)]);
    let x = g.linear(&x, 3);
    let x = g.softmax(&x);
    g.output(&x, "output");
    g.finish().unwrap()
}

/// What inspection says about the classifier after a change.
fn after(change: impl FnOnce(&mut ModelProto)) -> Refusal {
    let mut model = classifier();
    change(model.proto_mut());
    inspect(&model.to_bytes(), &Limits::default()).unwrap_err()
}

fn assert_refused(kind: RefusalKind, words: &str, change: impl FnOnce(&mut ModelProto)) {
    let refusal = after(change);
    assert_eq!(refusal.kind, kind, "{refusal}");
    assert!(refusal.reason.contains(words), "{refusal}");
}

/// A node in front of the others that feeds nothing.
fn prepend(
    proto: &mut ModelProto,
    operator: &str,
    inputs: &[&str],
    attributes: Vec<AttributeProto>,
) {
    let node = NodeProto {
        name: "planted".into(),
        op_type: operator.into(),
        input: inputs.iter().map(|&name| name.into()).collect(),
        output: vec!["planted_output".into()],
        attribute: attributes,
        ..NodeProto::default()
    };
    proto.graph.node.insert(0, node);
}

#[test]
fn a_plain_classifier_is_accepted() {
    let bytes = classifier().to_bytes();
    let inspection = inspect(&bytes, &Limits::default()).unwrap();
    assert_eq!(inspection.bytes, bytes.len() as u64);
    assert_eq!(inspection.nodes, 2);
    assert_eq!(inspection.parameters, 4 * 3 + 3);
    assert_eq!(inspection.operators["Gemm"], 1);
}

#[test]
fn size_is_checked_before_reading() {
    let limits = Limits::default();
    assert!(check_size(150 << 20, &limits).is_ok());
    let large = check_size((150 << 20) + 1, &limits).unwrap_err();
    assert_eq!(large.kind, RefusalKind::TooLarge);
    assert_eq!(
        check_size(0, &limits).unwrap_err().kind,
        RefusalKind::Malformed
    );
    let small = Limits {
        bytes: 10,
        ..limits
    };
    let refusal = inspect(&classifier().to_bytes(), &small).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::TooLarge);
    let too_large = Model::from_bytes(&vec![0; (150 << 20) + 1]).unwrap_err();
    assert!(matches!(too_large, ReadError::TooLarge { .. }));
}

#[test]
fn zero_bytes_and_every_truncation_are_refused() {
    let bytes = classifier().to_bytes();
    for length in 0..bytes.len() {
        let refusal = inspect(&bytes[..length], &Limits::default()).unwrap_err();
        assert!(!refusal.reason.is_empty());
    }
}

#[test]
fn random_control_flow_and_unknown_operators_are_refused() {
    for operator in [
        "RandomNormal",
        "RandomUniformLike",
        "Loop",
        "If",
        "Scan",
        "Dropout",
        "Surprise",
        "",
    ] {
        assert_refused(RefusalKind::ForbiddenOperator, operator, |proto| {
            prepend(proto, operator, &[], vec![]);
        });
    }
}

#[test]
fn custom_domains_are_refused() {
    assert_refused(RefusalKind::ForbiddenOperator, "com.example", |proto| {
        proto.graph.node[0].domain = "com.example".into();
    });
    assert_refused(RefusalKind::ForbiddenOperator, "com.example", |proto| {
        proto.opset_import.push(OperatorSetIdProto {
            domain: "com.example".into(),
            version: 1,
        });
    });
}

#[test]
fn versions_out_of_range_are_refused() {
    assert_refused(RefusalKind::ForbiddenOperator, "version 7", |proto| {
        proto.opset_import[0].version = 7;
    });
    assert_refused(RefusalKind::ForbiddenOperator, "version 99", |proto| {
        proto.opset_import[0].version = 99;
    });
    assert_refused(RefusalKind::Malformed, "file format version 99", |proto| {
        proto.ir_version = 99
    });
    assert_refused(RefusalKind::Malformed, "0 operator set versions", |proto| {
        proto.opset_import.clear();
    });
}

#[test]
fn what_is_not_a_plain_graph_is_refused() {
    assert_refused(RefusalKind::ForbiddenContent, "functions", |proto| {
        proto.functions.push(vec![]);
    });
    assert_refused(
        RefusalKind::ForbiddenContent,
        "training information",
        |proto| {
            proto.training_info.push(vec![]);
        },
    );
    assert_refused(RefusalKind::ForbiddenContent, "sparse", |proto| {
        proto.graph.sparse_initializer.push(vec![]);
    });
    assert_refused(RefusalKind::ForbiddenContent, "subgraph", |proto| {
        let mut attribute = AttributeProto::from_int("body", 0);
        attribute.g = Some(vec![]);
        prepend(proto, "Relu", &["input"], vec![attribute]);
    });
}

#[test]
fn external_data_are_refused() {
    assert_refused(
        RefusalKind::ForbiddenContent,
        "outside the model file",
        |proto| {
            let tensor = &mut proto.graph.initializer[0];
            tensor.raw_data = None;
            tensor.data_location = 1;
            tensor.external_data.push(StringStringEntryProto {
                key: "location".into(),
                value: "../../secret".into(),
            });
        },
    );
}

#[test]
fn odd_tensors_are_refused() {
    assert_refused(RefusalKind::ForbiddenContent, "element type 8", |proto| {
        proto.graph.initializer[0].data_type = ElementType::String as i32;
    });
    assert_refused(RefusalKind::ForbiddenContent, "element type 77", |proto| {
        proto.graph.initializer[0].data_type = 77;
    });
    assert_refused(
        RefusalKind::Malformed,
        "declares 1048576 elements and holds 12",
        |proto| {
            proto.graph.initializer[0].dims = vec![1024, 1024];
        },
    );
    assert_refused(RefusalKind::Malformed, "impossible dimensions", |proto| {
        proto.graph.initializer[0].dims = vec![-1, 4];
    });
    assert_refused(RefusalKind::Malformed, "impossible dimensions", |proto| {
        proto.graph.initializer[0].dims = vec![i64::MAX, i64::MAX];
    });
    assert_refused(RefusalKind::TooLarge, "dimensions", |proto| {
        proto.graph.initializer[0].dims = vec![1; 9];
    });
    assert_refused(RefusalKind::Malformed, "holds 11", |proto| {
        proto.graph.initializer[0].raw_data.as_mut().unwrap().pop();
    });
}

#[test]
fn giant_shapes_are_refused() {
    let side = 1 << 20;
    let cases: [(&str, &[&str], &[i64]); 6] = [
        ("ConstantOfShape", &["sizes"], &[side, side]),
        ("Expand", &["input", "sizes"], &[side, side]),
        ("Reshape", &["input", "sizes"], &[0, side, side]),
        ("Tile", &["input", "sizes"], &[side, side]),
        ("Pad", &["input", "sizes"], &[0, side, 0, side]),
        ("Resize", &["input", "", "", "sizes"], &[side, side]),
    ];
    for (operator, inputs, sizes) in cases {
        assert_refused(RefusalKind::GiantShape, "more than", |proto| {
            prepend(proto, operator, inputs, vec![]);
            let tensor = TensorProto::from_i64("sizes", &[sizes.len()], sizes);
            proto.graph.initializer.push(tensor);
        });
    }
    assert_refused(RefusalKind::GiantShape, "more than", |proto| {
        prepend(proto, "Resize", &["input", "", "scales"], vec![]);
        let tensor = TensorProto::from_f32("scales", &[2], &[1e6, 1e6]);
        proto.graph.initializer.push(tensor);
    });
    assert_refused(RefusalKind::GiantShape, "more than", |proto| {
        prepend(proto, "ConstantOfShape", &["sizes"], vec![]);
        let mut constant = AttributeProto::from_ints("value_ints", &[side, side]);
        constant.r#type = 7;
        let node = NodeProto {
            op_type: "Constant".into(),
            output: vec!["sizes".into()],
            attribute: vec![constant],
            ..NodeProto::default()
        };
        proto.graph.node.insert(0, node);
    });
    assert_refused(RefusalKind::GiantShape, "input", |proto| {
        let r#type = proto.graph.input[0].r#type.as_mut().unwrap();
        let shape = r#type.tensor_type.as_mut().unwrap().shape.as_mut().unwrap();
        shape.dim[1].dim_value = Some(i64::MAX);
    });
}

#[test]
fn windows_out_of_range_are_refused() {
    for (name, values) in [
        ("strides", [0, 1]),
        ("kernel_shape", [1, 1 << 30]),
        ("pads", [-1, 0]),
    ] {
        assert_refused(RefusalKind::Malformed, name, |proto| {
            let attributes = vec![AttributeProto::from_ints(name, &values)];
            prepend(proto, "MaxPool", &["input"], attributes);
        });
    }
    assert_refused(RefusalKind::Malformed, "group", |proto| {
        prepend(
            proto,
            "Conv",
            &["input"],
            vec![AttributeProto::from_int("group", 0)],
        );
    });
}

#[test]
fn cycles_and_double_names_are_refused() {
    assert_refused(RefusalKind::Malformed, "cycle", |proto| {
        let last = proto.graph.node[1].output[0].clone();
        proto.graph.node[0].input[0] = last;
    });
    assert_refused(RefusalKind::Malformed, "cycle", |proto| {
        proto.graph.node.reverse()
    });
    assert_refused(RefusalKind::Malformed, "two values", |proto| {
        let copy = proto.graph.node[0].clone();
        proto.graph.node.insert(0, copy);
    });
    assert_refused(RefusalKind::Malformed, "two values", |proto| {
        let copy = proto.graph.initializer[0].clone();
        proto.graph.initializer.push(copy);
    });
    assert_refused(RefusalKind::Malformed, "two values", |proto| {
        let copy = proto.graph.input[0].clone();
        proto.graph.input.push(copy);
    });
    assert_refused(RefusalKind::Malformed, "stands twice", |proto| {
        let copy = proto.graph.node[0].attribute[0].clone();
        proto.graph.node[0].attribute.push(copy);
    });
}

#[test]
fn absent_and_uncomputed_values_are_refused() {
    assert_refused(RefusalKind::Malformed, "no nodes", |proto| {
        proto.graph.node.clear()
    });
    assert_refused(RefusalKind::Malformed, "no outputs", |proto| {
        proto.graph.output.clear()
    });
    assert_refused(RefusalKind::Malformed, "has no outputs", |proto| {
        proto.graph.node[1].output.clear();
    });
    assert_refused(RefusalKind::WrongOutputs, "elsewhere", |proto| {
        proto.graph.output[0].name = "elsewhere".into();
    });
    assert_refused(RefusalKind::WrongInputs, "no inputs", |proto| {
        proto.graph.input.clear()
    });
    assert_refused(RefusalKind::Malformed, "no shape", |proto| {
        let r#type = proto.graph.input[0].r#type.as_mut().unwrap();
        r#type.tensor_type.as_mut().unwrap().shape = None;
    });
    assert_refused(RefusalKind::Malformed, "not a tensor", |proto| {
        proto.graph.output[0].r#type.as_mut().unwrap().tensor_type = None;
    });
}

#[test]
fn too_many_parts_are_refused() {
    let bytes = classifier().to_bytes();
    let limits = Limits::default();
    for small in [
        Limits { nodes: 1, ..limits },
        Limits {
            parameters: 14,
            ..limits
        },
    ] {
        assert_eq!(
            inspect(&bytes, &small).unwrap_err().kind,
            RefusalKind::TooLarge
        );
    }
    let small = Limits {
        tensor_elements: 11,
        ..limits
    };
    assert_eq!(
        inspect(&bytes, &small).unwrap_err().kind,
        RefusalKind::GiantShape
    );
}

#[test]
fn too_much_work_is_refused_before_it_is_done() {
    let number = |size: usize| TensorContract {
        element_type: ElementType::Float,
        dims: vec![1..=1, size..=size],
    };
    let contract = Contract {
        inputs: vec![number(4)],
        required_inputs: 1,
        output: number(3),
    };
    // One row of four values to three classes; the open batch is as small as the task supplies it.
    let model = classifier();
    let limits = |multiply_adds| Limits {
        multiply_adds,
        ..Limits::default()
    };
    check_work(&model, &contract, &limits(12)).unwrap();
    let refusal = check_work(&model, &contract, &limits(11)).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::TooLarge);
    assert!(refusal.reason.contains("multiplications"), "{refusal}");
}

#[test]
fn a_reason_is_short_whatever_the_file_says() {
    let refusal = after(|proto| proto.graph.node[0].op_type = "X".repeat(1 << 20));
    assert_eq!(refusal.kind, RefusalKind::ForbiddenOperator);
    assert!(refusal.reason.chars().count() <= 300);
}

#[test]
fn a_refusal_travels_as_json() {
    let refusal = after(|proto| proto.graph.node.clear());
    let json = serde_json::to_string(&refusal).unwrap();
    assert!(json.contains("\"malformed\""), "{json}");
    assert_eq!(serde_json::from_str::<Refusal>(&json).unwrap(), refusal);
}

/// Up to two inputs, as the tricorder competition has them, with other sizes.
fn contract() -> Contract {
    let float = |dims: &[std::ops::RangeInclusive<usize>]| TensorContract {
        element_type: ElementType::Float,
        dims: dims.to_vec(),
    };
    Contract {
        inputs: vec![float(&[1..=1, 1..=8]), float(&[1..=1, 3..=3])],
        required_inputs: 1,
        output: float(&[1..=1, 3..=3]),
    }
}

#[test]
fn the_contract_of_a_task_is_checked_by_position() {
    assert_eq!(check_contract(&classifier(), &contract()), Ok(()));
    type Change = fn(&mut Contract);
    let cases: [(Change, RefusalKind, &str); 5] = [
        (
            |c| c.required_inputs = 2,
            RefusalKind::WrongInputs,
            "1 inputs",
        ),
        (
            |c| c.inputs[0].dims = vec![1..=1, 5..=8],
            RefusalKind::WrongInputs,
            "input 0 is input Float[batch, 4]; expected Float[1, 5 to 8]",
        ),
        (
            |c| c.inputs[0].dims = vec![1..=1],
            RefusalKind::WrongInputs,
            "expected Float[1]",
        ),
        (
            |c| c.inputs[0].element_type = ElementType::Int64,
            RefusalKind::WrongInputs,
            "expected Int64",
        ),
        (
            |c| c.output.dims[1] = 11..=11,
            RefusalKind::WrongOutputs,
            "output 0 is output Float[batch, 3]; expected Float[1, 11]",
        ),
    ];
    for (change, kind, words) in cases {
        let mut contract = contract();
        change(&mut contract);
        let refusal = check_contract(&classifier(), &contract).unwrap_err();
        assert_eq!(refusal.kind, kind);
        assert!(refusal.reason.contains(words), "{refusal}");
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(inspect(&bytes, &Limits::default()).is_err());
    }

    #[test]
    fn changed_bytes_never_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = classifier().to_bytes();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(inspection) = inspect(&bytes, &Limits::default()) {
            // What is accepted is accepted again after it was written anew.
            let again = inspect(&inspection.model.to_bytes(), &Limits::default()).unwrap();
            prop_assert_eq!(again.model.to_bytes(), inspection.model.to_bytes());
            multiply_adds(&inspection.model, &[vec![3, 4]]);
        }
    }

    #[test]
    fn the_work_of_any_graph_is_counted_without_a_panic(
        nodes in proptest::collection::vec(
            (
                any::<prop::sample::Index>(),
                proptest::collection::vec(0usize..12, 0..4),
                proptest::collection::vec((any::<prop::sample::Index>(), -2i64..5), 0..3),
            ),
            1..12,
        ),
        constant in proptest::collection::vec(prop_oneof![-2i64..5, any::<i64>()], 0..4),
        input in proptest::collection::vec(prop_oneof![0usize..9, any::<usize>()], 0..5),
    ) {
        let mut model = classifier();
        let graph = &mut model.proto_mut().graph;
        graph.initializer.push(TensorProto::from_i64("0", &[constant.len()], &constant));
        graph.initializer.push(TensorProto::from_f32("1", &[2, 3, 1, 1], &[1.5; 6]));
        graph.node = nodes
            .into_iter()
            .enumerate()
            .map(|(number, (operator, inputs, attributes))| NodeProto {
                op_type: operator.get(ALLOWED).to_string(),
                // Among them the input, the weights, and what no node has given.
                input: inputs
                    .into_iter()
                    .map(|input| if input == 11 { "input".into() } else { input.to_string() })
                    .collect(),
                output: vec![(number + 2).to_string()],
                attribute: attributes
                    .into_iter()
                    .map(|(name, value)| {
                        let name = name.get(&ATTRIBUTES);
                        let mut attribute = AttributeProto::from_ints(name, &[value; 4]);
                        attribute.i = Some(value);
                        attribute
                    })
                    .collect(),
                ..NodeProto::default()
            })
            .collect();
        multiply_adds(&model, &[input]);
    }
}

/// Attributes that sizes depend on.
const ATTRIBUTES: [&str; 14] = [
    "axis",
    "axes",
    "strides",
    "pads",
    "dilations",
    "kernel_shape",
    "group",
    "perm",
    "keepdims",
    "split",
    "ceil_mode",
    "output_padding",
    "blocksize",
    "hidden_size",
];

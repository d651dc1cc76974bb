//! Small networks, one for each operator.

use super::{floats, graph, integer, integers, node, weight};
use agon_model::Model;
use agon_model::proto::{AttributeProto, AttributeType, NodeProto, TensorProto};

/// Samples in a batch.
pub const BATCH: usize = 4;

/// One way from `h`, [batch, 3, 4, 4], to `y`.
pub struct Case {
    pub name: &'static str,
    pub nodes: Vec<NodeProto>,
    pub weights: Vec<TensorProto>,
    /// Elements of `y` per sample.
    pub features: usize,
    pub opset: i64,
}

fn case(name: &'static str, features: usize, nodes: Vec<NodeProto>) -> Case {
    Case {
        name,
        nodes,
        weights: vec![],
        features,
        opset: 18,
    }
}

pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto::from_ints(name, values)
}

pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto::from_int(name, value)
}

pub fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto::from_float(name, value)
}

fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        s: Some(value.into()),
        r#type: AttributeType::String as i32,
        ..AttributeProto::default()
    }
}

/// convolution -> the case -> linear layer -> softmax.
pub fn model_of(case: &Case) -> Model {
    let mut nodes = vec![node(
        "Conv",
        &["x", "kernel", "bias"],
        "h",
        vec![ints("kernel_shape", &[3, 3]), ints("pads", &[1; 4])],
    )];
    nodes.extend(case.nodes.clone());
    nodes.push(node("Flatten", &["y"], "flat", vec![]));
    nodes.push(node("Gemm", &["flat", "matrix", "shift"], "z", vec![]));
    nodes.push(node("Softmax", &["z"], "p", vec![]));
    let mut weights = vec![
        weight("kernel", &[3, 2, 3, 3], 1),
        weight("bias", &[3], 2),
        weight("matrix", &[case.features, 5], 3),
        weight("shift", &[5], 4),
    ];
    weights.extend(case.weights.clone());
    graph(&[2, 4, 4], &[5], nodes, weights, case.opset)
}

fn unary(name: &'static str, attributes: Vec<AttributeProto>) -> Case {
    case(name, 48, vec![node(name, &["h"], "y", attributes)])
}

/// Every operator that is trained through, in the ways that networks use it.
pub fn cases() -> Vec<Case> {
    let ramp: Vec<f32> = (0..48).map(|i| (i as f32 - 20.3) / 40.0).collect();
    let other = || floats("c", &[3, 4, 4], &ramp);
    let binary = |name| {
        case(
            name,
            48,
            vec![other(), node(name, &["h", "c"], "y", vec![])],
        )
    };
    let scalar = |name, inputs: &[&str]| {
        case(
            name,
            48,
            vec![floats("c", &[], &[1.7]), node(name, inputs, "y", vec![])],
        )
    };
    let mut cases = vec![
        unary("Relu", vec![]),
        unary("Sigmoid", vec![]),
        unary("Tanh", vec![]),
        unary("Erf", vec![]),
        unary("Abs", vec![]),
        unary("Neg", vec![]),
        unary("Exp", vec![]),
        unary("HardSigmoid", vec![float("alpha", 0.3)]),
        unary("HardSwish", vec![]),
        unary("LeakyRelu", vec![float("alpha", 0.1)]),
        case(
            "global average pool",
            3,
            vec![node("GlobalAveragePool", &["h"], "y", vec![])],
        ),
        unary("Softmax", vec![int("axis", 1)]),
        unary("LogSoftmax", vec![int("axis", -1)]),
        unary("Identity", vec![]),
        binary("Add"),
        binary("Sub"),
        binary("Mul"),
        binary("Min"),
        binary("Max"),
        scalar("Add", &["c", "h"]),
        scalar("Sub", &["c", "h"]),
        scalar("Sub", &["h", "c"]),
        scalar("Mul", &["h", "c"]),
        scalar("Div", &["h", "c"]),
        scalar("Max", &["h", "c"]),
        scalar("Min", &["c", "h"]),
        case(
            "silu",
            48,
            vec![
                node("Sigmoid", &["h"], "s", vec![]),
                node("Mul", &["h", "s"], "y", vec![]),
            ],
        ),
        case(
            "clip",
            48,
            vec![
                floats("low", &[], &[-0.6]),
                floats("high", &[], &[0.7]),
                node("Clip", &["h", "low", "high"], "y", vec![]),
            ],
        ),
        case(
            "clip without upper bound",
            48,
            vec![
                floats("low", &[], &[-0.6]),
                node("Clip", &["h", "low"], "y", vec![]),
            ],
        ),
        case(
            "square root",
            48,
            vec![
                node("Exp", &["h"], "e", vec![]),
                node("Sqrt", &["e"], "y", vec![]),
            ],
        ),
        case(
            "logarithm of a quotient",
            48,
            vec![
                node("Exp", &["h"], "e", vec![]),
                floats("one", &[1], &[1.0]),
                node("Add", &["e", "one"], "d", vec![]),
                node("Div", &["one", "d"], "q", vec![]),
                node("Log", &["q"], "y", vec![]),
            ],
        ),
        case(
            "reciprocal",
            48,
            vec![
                node("Exp", &["h"], "e", vec![]),
                node("Reciprocal", &["e"], "y", vec![]),
            ],
        ),
        case(
            "square",
            48,
            vec![
                floats("two", &[], &[2.0]),
                node("Pow", &["h", "two"], "y", vec![]),
            ],
        ),
        case(
            "max pool",
            12,
            vec![node(
                "MaxPool",
                &["h"],
                "y",
                vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])],
            )],
        ),
        case(
            "max pool, padded",
            12,
            vec![node(
                "MaxPool",
                &["h"],
                "y",
                vec![
                    ints("kernel_shape", &[3, 3]),
                    ints("strides", &[2, 2]),
                    ints("pads", &[1; 4]),
                ],
            )],
        ),
        case(
            "average pool",
            12,
            vec![node(
                "AveragePool",
                &["h"],
                "y",
                vec![
                    ints("kernel_shape", &[3, 3]),
                    ints("strides", &[2, 2]),
                    ints("pads", &[1; 4]),
                ],
            )],
        ),
        case(
            "average pool, padding counted",
            12,
            vec![node(
                "AveragePool",
                &["h"],
                "y",
                vec![
                    ints("kernel_shape", &[3, 3]),
                    ints("strides", &[2, 2]),
                    ints("pads", &[1; 4]),
                    int("count_include_pad", 1),
                ],
            )],
        ),
        case(
            "mean without its axes",
            3,
            vec![
                integers("axes", &[2, 3]),
                node("ReduceMean", &["h", "axes"], "y", vec![int("keepdims", 0)]),
            ],
        ),
        case(
            "sum",
            12,
            vec![
                integers("axes", &[-1]),
                node("ReduceSum", &["h", "axes"], "y", vec![]),
            ],
        ),
        case(
            "concat",
            96,
            vec![node("Concat", &["h", "h"], "y", vec![int("axis", 1)])],
        ),
        case(
            "slice",
            16,
            vec![
                integers("starts", &[1, -4]),
                integers("ends", &[3, 1000]),
                integers("axes", &[1, 2]),
                integers("steps", &[1, 2]),
                node(
                    "Slice",
                    &["h", "starts", "ends", "axes", "steps"],
                    "y",
                    vec![],
                ),
            ],
        ),
        case(
            "gather",
            32,
            vec![
                integers("rows", &[2, 0]),
                node("Gather", &["h", "rows"], "y", vec![int("axis", 1)]),
            ],
        ),
        case(
            "gather one row",
            16,
            vec![
                integer("row", -1),
                node("Gather", &["h", "row"], "y", vec![int("axis", 1)]),
            ],
        ),
        case(
            "rank five",
            48,
            vec![
                integers("axes", &[1]),
                node("Unsqueeze", &["h", "axes"], "u", vec![]),
                floats("c", &[1, 1, 3, 1, 1], &[0.5, -1.0, 2.0]),
                node("Mul", &["u", "c"], "m", vec![]),
                node("Squeeze", &["m", "axes"], "y", vec![]),
            ],
        ),
        case(
            "shape arithmetic",
            48,
            vec![
                node("Shape", &["h"], "s", vec![]),
                integer("zero", 0),
                node("Gather", &["s", "zero"], "n", vec![]),
                integers("axis", &[0]),
                node("Unsqueeze", &["n", "axis"], "n1", vec![]),
                integers("rest", &[-1]),
                node("Concat", &["n1", "rest"], "target", vec![int("axis", 0)]),
                node("Reshape", &["h", "target"], "y", vec![]),
            ],
        ),
        case(
            "attention",
            9,
            vec![
                integers("target", &[0, 3, 16]),
                node("Reshape", &["h", "target"], "q", vec![]),
                node("Transpose", &["q"], "k", vec![ints("perm", &[0, 2, 1])]),
                node("MatMul", &["q", "k"], "s", vec![]),
                floats("scale", &[], &[0.25]),
                node("Mul", &["s", "scale"], "t", vec![]),
                node("Softmax", &["t"], "y", vec![int("axis", -1)]),
            ],
        ),
        case(
            "resize, larger and smaller",
            54,
            vec![
                floats("scales", &[4], &[1.0, 1.0, 1.5, 0.75]),
                node(
                    "Resize",
                    &["h", "", "scales"],
                    "y",
                    vec![text("mode", "linear")],
                ),
            ],
        ),
        case(
            "resize to sizes, corners aligned",
            45,
            vec![
                integers("sizes", &[BATCH as i64, 3, 3, 5]),
                node(
                    "Resize",
                    &["h", "", "", "sizes"],
                    "y",
                    vec![
                        text("mode", "linear"),
                        text("coordinate_transformation_mode", "align_corners"),
                    ],
                ),
            ],
        ),
        case(
            "resize to the nearest",
            192,
            vec![
                floats("scales", &[4], &[1.0, 1.0, 2.0, 2.0]),
                node(
                    "Resize",
                    &["h", "", "scales"],
                    "y",
                    vec![
                        text("mode", "nearest"),
                        text("coordinate_transformation_mode", "asymmetric"),
                        text("nearest_mode", "floor"),
                    ],
                ),
            ],
        ),
        case(
            "squeeze and excitation",
            48,
            vec![
                node("GlobalAveragePool", &["h"], "g", vec![]),
                node("Mul", &["h", "g"], "y", vec![]),
            ],
        ),
    ];
    cases.push(Case {
        weights: vec![weight("table", &[4, 6], 7)],
        ..case(
            "embedding of codes",
            24,
            vec![
                floats("codes", &[4], &[-1.0, 0.0, 2.9, 7.0]),
                floats("low", &[], &[0.0]),
                floats("high", &[], &[3.0]),
                node("Clip", &["codes", "low", "high"], "clipped", vec![]),
                node("Cast", &["clipped"], "indices", vec![int("to", 7)]),
                node("Gather", &["table", "indices"], "rows", vec![]),
                integers("features", &[1, 24]),
                node("Reshape", &["rows", "features"], "row", vec![]),
                integers("half", &[0, 24, 2]),
                node("Reshape", &["h", "half"], "pairs", vec![]),
                integers("last", &[2]),
                node(
                    "ReduceMean",
                    &["pairs", "last"],
                    "means",
                    vec![int("keepdims", 0)],
                ),
                node("Mul", &["means", "row"], "y", vec![]),
            ],
        )
    });
    cases.push(Case {
        opset: 20,
        ..unary("Gelu", vec![])
    });
    cases.push(Case {
        weights: vec![weight("scale", &[4], 7), weight("offset", &[4], 8)],
        ..case(
            "layer normalisation",
            48,
            vec![node(
                "LayerNormalization",
                &["h", "scale", "offset"],
                "y",
                vec![],
            )],
        )
    });
    cases.push(Case {
        weights: vec![
            weight("scale", &[3], 7),
            weight("offset", &[3], 8),
            TensorProto::from_f32("mean", &[3], &[0.1, -0.2, 0.3]),
            TensorProto::from_f32("variance", &[3], &[0.5, 1.5, 2.0]),
        ],
        ..case(
            "batch normalisation",
            48,
            vec![node(
                "BatchNormalization",
                &["h", "scale", "offset", "mean", "variance"],
                "y",
                vec![],
            )],
        )
    });
    cases.push(Case {
        weights: vec![weight("depthwise", &[3, 1, 3, 3], 7)],
        ..case(
            "grouped, strided, dilated convolution",
            12,
            vec![node(
                "Conv",
                &["h", "depthwise"],
                "y",
                vec![
                    int("group", 3),
                    ints("kernel_shape", &[3, 3]),
                    ints("pads", &[2, 2, 2, 2]),
                    ints("strides", &[2, 2]),
                    ints("dilations", &[2, 2]),
                ],
            )],
        )
    });
    cases.push(Case {
        weights: vec![weight("asymmetric", &[2, 3, 2, 2], 7)],
        ..case(
            "unevenly padded convolution",
            32,
            vec![node(
                "Conv",
                &["h", "asymmetric"],
                "y",
                vec![ints("kernel_shape", &[2, 2]), ints("pads", &[0, 1, 1, 0])],
            )],
        )
    });
    cases.push(Case {
        weights: vec![weight("inner", &[6, 4], 7), weight("added", &[6], 8)],
        ..case(
            "matrix product of rank four and a bias",
            72,
            vec![
                node("Transpose", &["h"], "t", vec![ints("perm", &[0, 1, 3, 2])]),
                node("Transpose", &["inner"], "inner_t", vec![]),
                node("MatMul", &["t", "inner_t"], "m", vec![]),
                node("Add", &["m", "added"], "y", vec![]),
            ],
        )
    });
    cases.push(Case {
        weights: vec![weight("inner", &[6, 48], 7), weight("added", &[1, 6], 8)],
        ..case(
            "scaled Gemm",
            6,
            vec![
                node("Flatten", &["h"], "f", vec![]),
                node(
                    "Gemm",
                    &["f", "inner", "added"],
                    "y",
                    vec![int("transB", 1), float("alpha", 0.5), float("beta", 2.0)],
                ),
            ],
        )
    });
    cases
}

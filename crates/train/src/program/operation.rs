//! One operator with its attributes parsed, independent of the engine that executes it.

use agon_model::proto::{ElementType, NodeProto};

use super::Constant;

/// An elementwise function of one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unary {
    /// |x|
    Abs,
    /// min(max(x, lower), upper)
    Clip(f32, f32),
    /// The error function.
    Erf,
    /// e^x
    Exp,
    /// Gaussian error linear unit; true: its tanh approximation.
    Gelu(bool),
    /// min(max(alpha x + beta, 0), 1)
    HardSigmoid(f32, f32),
    /// x times the hard sigmoid with alpha 1/6 and beta 1/2
    HardSwish,
    /// x where positive, alpha x elsewhere
    LeakyRelu(f32),
    /// Natural logarithm.
    Log,
    /// -x
    Neg,
    /// x to a fixed power.
    Pow(f32),
    /// 1 / x
    Reciprocal,
    /// max(x, 0)
    Relu,
    /// 1 / (1 + e^-x)
    Sigmoid,
    /// Square root.
    Sqrt,
    /// Hyperbolic tangent.
    Tanh,
}

/// An elementwise function of two values that broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the variants are ONNX's own names
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Min,
    Max,
}

/// How a window moves over height and width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Height and width of the window; of a convolution's kernel only if the node names them.
    pub kernel: Option<[usize; 2]>,
    /// Steps.
    pub strides: [usize; 2],
    /// Padding before and after, of height and of width.
    pub padding: [(usize, usize); 2],
    /// Distance between the taps.
    pub dilations: [usize; 2],
}

/// Which side of a [`Binary`] is a fixed number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FixedSide {
    /// The number.
    pub value: f32,
    /// The rank it was written with: the result has at least this rank.
    pub rank: usize,
    /// Whether it is the left side.
    pub left: bool,
}

/// Where the centres of a resized axis stand in the given one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Centres {
    /// Pixels are squares: (i + 1/2) / scale - 1/2.
    HalfPixel,
    /// The first and the last centres stay where they are.
    AlignCorners,
    /// Only the first corner stays: i / scale.
    Asymmetric,
}

/// What stands between two centres.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// The weighted mean of both.
    Linear,
    /// The nearer one, of two equally near ones the first.
    Nearest,
    /// The first one.
    First,
}

/// An operator with its attributes.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // the fields are ONNX's attributes
pub enum Operation {
    Unary(Unary),
    /// With a fixed side, that input is not read.
    Binary(Binary, Option<FixedSide>),
    Convolution {
        window: Window,
        groups: usize,
    },
    Gemm {
        alpha: f32,
        beta: f32,
        transpose_a: bool,
        transpose_b: bool,
    },
    MatMul,
    /// `statistics` numbers the running statistics in [`Program::statistics`](super::Program::statistics).
    BatchNormalization {
        epsilon: f32,
        statistics: usize,
    },
    /// Over the last axis.
    LayerNormalization {
        axis: i64,
        epsilon: f32,
    },
    MaxPool {
        window: Window,
        ceil: bool,
    },
    AveragePool {
        window: Window,
        ceil: bool,
        count_padding: bool,
    },
    GlobalAveragePool,
    /// A mean or a sum. Axes come from the attribute, or from the second input.
    Reduce {
        mean: bool,
        axes: Option<Vec<i64>>,
        keep_dimensions: bool,
        nothing_if_empty: bool,
    },
    Softmax {
        axis: i64,
        logarithm: bool,
    },
    Concat {
        axis: i64,
    },
    Flatten {
        axis: i64,
    },
    Reshape {
        allow_zero: bool,
    },
    Transpose {
        permutation: Option<Vec<i64>>,
    },
    Squeeze,
    Unsqueeze,
    /// Of height and width alone, by the scales or to the sizes of an input.
    Resize {
        centres: Centres,
        between: Between,
    },
    Slice,
    Gather {
        axis: i64,
    },
    Shape {
        start: i64,
        end: Option<i64>,
    },
    /// To floats, or to integers.
    Cast {
        to_float: bool,
    },
    /// The value itself: a place for train-only behaviour.
    Identity,
}

/// Why a node could not be parsed.
pub(super) enum Trouble {
    /// The operator is not one of ours.
    Unknown,
    /// The operator is known, this use of it is not.
    Reason(String),
}

impl From<String> for Trouble {
    fn from(reason: String) -> Self {
        Self::Reason(reason)
    }
}

impl From<&str> for Trouble {
    fn from(reason: &str) -> Self {
        Self::Reason(reason.into())
    }
}

/// Parses one node. `constant` finds values that are known without running the graph; running statistics get number
/// `statistics`.
pub(super) fn parse<'a>(
    node: &NodeProto,
    statistics: usize,
    constant: &dyn Fn(usize) -> Option<&'a Constant>,
) -> Result<Operation, Trouble> {
    if !node.is_default_domain() {
        return Err(Trouble::Unknown);
    }
    let unary = |function| Ok(Operation::Unary(function));
    let binary = |function| match node.input.len() {
        2 => Ok(Operation::Binary(function, fixed_side(constant))),
        n => Err(Trouble::Reason(format!(
            "has {n} inputs, two are supported"
        ))),
    };
    let flag = |name, default| node.int(name, default) != 0;
    match node.op_type.as_str() {
        "Abs" => unary(Unary::Abs),
        "Erf" => unary(Unary::Erf),
        "Exp" => unary(Unary::Exp),
        "Log" => unary(Unary::Log),
        "Neg" => unary(Unary::Neg),
        "Reciprocal" => unary(Unary::Reciprocal),
        "Relu" => unary(Unary::Relu),
        "Sigmoid" => unary(Unary::Sigmoid),
        "Sqrt" => unary(Unary::Sqrt),
        "Tanh" => unary(Unary::Tanh),
        "HardSwish" => unary(Unary::HardSwish),
        "LeakyRelu" => unary(Unary::LeakyRelu(node.float("alpha", 0.01))),
        "HardSigmoid" => unary(Unary::HardSigmoid(
            node.float("alpha", 0.2),
            node.float("beta", 0.5),
        )),
        "Gelu" => unary(Unary::Gelu(node.string("approximate") == Some("tanh"))),
        "Clip" => {
            let bound = |index, default| match node.present_input(index) {
                None => Ok(default),
                Some(_) => constant(index)
                    .and_then(Constant::as_scalar)
                    .ok_or("its bounds must be constant numbers"),
            };
            unary(Unary::Clip(
                bound(1, f32::NEG_INFINITY)?,
                bound(2, f32::INFINITY)?,
            ))
        }
        "Pow" => {
            let exponent = constant(1).and_then(Constant::as_scalar);
            unary(Unary::Pow(
                exponent.ok_or("its exponent must be a constant number")?,
            ))
        }
        "Add" => binary(Binary::Add),
        "Sub" => binary(Binary::Sub),
        "Mul" => binary(Binary::Mul),
        "Div" => binary(Binary::Div),
        "Min" => binary(Binary::Min),
        "Max" => binary(Binary::Max),
        "Conv" => Ok(Operation::Convolution {
            window: window(node)?,
            groups: positive(node.int("group", 1), "group")?,
        }),
        "Gemm" => Ok(Operation::Gemm {
            alpha: node.float("alpha", 1.0),
            beta: node.float("beta", 1.0),
            transpose_a: flag("transA", 0),
            transpose_b: flag("transB", 0),
        }),
        "MatMul" => Ok(Operation::MatMul),
        "BatchNormalization" => {
            if flag("training_mode", 0) {
                return Err("training_mode must be 0: the executor decides about the mode".into());
            }
            Ok(Operation::BatchNormalization {
                epsilon: node.float("epsilon", 1e-5),
                statistics,
            })
        }
        "LayerNormalization" => Ok(Operation::LayerNormalization {
            axis: node.int("axis", -1),
            epsilon: node.float("epsilon", 1e-5),
        }),
        "MaxPool" => Ok(Operation::MaxPool {
            window: pool_window(node)?,
            ceil: flag("ceil_mode", 0),
        }),
        "AveragePool" => Ok(Operation::AveragePool {
            window: pool_window(node)?,
            ceil: flag("ceil_mode", 0),
            count_padding: flag("count_include_pad", 0),
        }),
        "GlobalAveragePool" => Ok(Operation::GlobalAveragePool),
        operator @ ("ReduceMean" | "ReduceSum") => Ok(Operation::Reduce {
            mean: operator == "ReduceMean",
            axes: node.ints("axes").map(<[i64]>::to_vec),
            keep_dimensions: flag("keepdims", 1),
            nothing_if_empty: flag("noop_with_empty_axes", 0),
        }),
        operator @ ("Softmax" | "LogSoftmax") => Ok(Operation::Softmax {
            axis: node.int("axis", -1),
            logarithm: operator == "LogSoftmax",
        }),
        "Concat" => match node.attribute("axis").and_then(|a| a.i) {
            Some(axis) => Ok(Operation::Concat { axis }),
            None => Err("has no axis".into()),
        },
        "Flatten" => Ok(Operation::Flatten {
            axis: node.int("axis", 1),
        }),
        "Reshape" => Ok(Operation::Reshape {
            allow_zero: flag("allowzero", 0),
        }),
        "Transpose" => Ok(Operation::Transpose {
            permutation: node.ints("perm").map(<[i64]>::to_vec),
        }),
        "Squeeze" => Ok(Operation::Squeeze),
        "Unsqueeze" => Ok(Operation::Unsqueeze),
        "Resize" => resize(node).map_err(Trouble::Reason),
        "Slice" => Ok(Operation::Slice),
        "Gather" => Ok(Operation::Gather {
            axis: node.int("axis", 0),
        }),
        "Shape" => Ok(Operation::Shape {
            start: node.int("start", 0),
            end: node.attribute("end").and_then(|a| a.i),
        }),
        "Cast" => match ElementType::try_from(node.int("to", 0) as i32) {
            Ok(ElementType::Float) => Ok(Operation::Cast { to_float: true }),
            Ok(ElementType::Int32 | ElementType::Int64) => Ok(Operation::Cast { to_float: false }),
            _ => Err("casts only to 32-bit floats and to integers".into()),
        },
        "Identity" | "Dropout" => Ok(Operation::Identity),
        _ => Err(Trouble::Unknown),
    }
}

/// A one-element constant on either side: the engine then needs no tensor for it.
fn fixed_side<'a>(constant: &dyn Fn(usize) -> Option<&'a Constant>) -> Option<FixedSide> {
    [(0, true), (1, false)]
        .into_iter()
        .find_map(|(index, left)| {
            let constant = constant(index)?;
            Some(FixedSide {
                value: constant.as_scalar()?,
                rank: constant.dims().len(),
                left,
            })
        })
}

fn window(node: &NodeProto) -> Result<Window, String> {
    if let Some(how @ ("SAME_UPPER" | "SAME_LOWER")) = node.string("auto_pad") {
        return Err(format!(
            "auto_pad {how} is not supported; write explicit pads"
        ));
    }
    let pair = |name: &str| match node.ints(name) {
        None => Ok(None),
        Some(&[a, b]) => Ok(Some([positive(a, name)?, positive(b, name)?])),
        Some(other) => Err(format!(
            "{name} {other:?}: only two spatial dimensions are supported"
        )),
    };
    let padding = match node.ints("pads").unwrap_or(&[0; 4]) {
        &[top, left, bottom, right] => {
            let size = |value: i64| {
                usize::try_from(value).map_err(|_| format!("pads holds the negative size {value}"))
            };
            [(size(top)?, size(bottom)?), (size(left)?, size(right)?)]
        }
        other => {
            return Err(format!(
                "pads {other:?}: only two spatial dimensions are supported"
            ));
        }
    };
    Ok(Window {
        kernel: pair("kernel_shape")?,
        strides: pair("strides")?.unwrap_or([1; 2]),
        padding,
        dilations: pair("dilations")?.unwrap_or([1; 2]),
    })
}

fn pool_window(node: &NodeProto) -> Result<Window, String> {
    let window = window(node)?;
    match window.kernel {
        Some(kernel) => {
            let fits = |i: usize| window.padding[i].0.max(window.padding[i].1) < kernel[i];
            if fits(0) && fits(1) {
                Ok(window)
            } else {
                Err("its padding is as large as its window".into())
            }
        }
        None => Err("has no kernel_shape".into()),
    }
}

fn resize(node: &NodeProto) -> Result<Operation, String> {
    if node.int("antialias", 0) != 0 || node.attribute("axes").is_some() {
        return Err("resizes with antialiasing or chosen axes, which is not supported".into());
    }
    let centres = match node.string("coordinate_transformation_mode") {
        None | Some("half_pixel") => Centres::HalfPixel,
        Some("align_corners") => Centres::AlignCorners,
        Some("asymmetric") => Centres::Asymmetric,
        Some(other) => return Err(format!("coordinates {other:?} are not supported")),
    };
    let between = match (node.string("mode"), node.string("nearest_mode")) {
        (Some("linear"), _) => Between::Linear,
        (None | Some("nearest"), None | Some("round_prefer_floor")) => Between::Nearest,
        (None | Some("nearest"), Some("floor")) => Between::First,
        (mode, nearest) => {
            return Err(format!("mode {mode:?} ({nearest:?}) is not supported"));
        }
    };
    Ok(Operation::Resize { centres, between })
}

fn positive(value: i64, name: &str) -> Result<usize, String> {
    usize::try_from(value)
        .ok()
        .filter(|&v| v > 0)
        .ok_or_else(|| format!("{name} holds {value}, which is not positive"))
}

//! Which ONNX operators a model may use.
//!
//! One list serves inspection and inference, so a graph that is accepted has no operator that the engine was not given.
//! Left out on purpose: random operators and `Dropout` (two validators must see the same output), control flow and
//! sequences (unbounded work), everything outside the default domain, deprecated operators and Fourier transforms.

/// The oldest version of the standard operators that is accepted; older ones differ in meaning.
pub const MIN_OPSET: i64 = 11;
/// The newest version of the standard operators that is accepted.
pub const MAX_OPSET: i64 = 21;

macro_rules! operators {
    ($($name:ident)*) => {
        /// The operators of the default domain that a model may use, in alphabetical order.
        pub const ALLOWED: &[&str] = &[$(stringify!($name)),*];

        /// The same operators for the engine.
        pub(crate) fn registry() -> rten::OpRegistry {
            rten::OpRegistry::with_ops(&[$(operators!(@key $name)),*])
        }
    };
    // The engine reads constants while it loads the graph and has no key for them.
    (@key Constant) => { &NoKey };
    (@key $name:ident) => { &rten::op_types::$name };
}

/// Registers nothing.
struct NoKey;

impl rten::RegisterOp for NoKey {
    fn register(&self, _: &mut rten::OpRegistry) {}
}

operators! {
    Abs Acos Add And ArgMax ArgMin Asin Atan AveragePool BatchNormalization Cast CastLike Ceil Clip Concat Constant
    ConstantOfShape Conv ConvInteger ConvTranspose Cos CumSum DepthToSpace DequantizeLinear Div DynamicQuantizeLinear
    Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm
    GlobalAveragePool Greater GreaterOrEqual GridSample HardSigmoid HardSwish Identity InstanceNormalization IsInf
    IsNaN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization MatMul MatMulInteger Max
    MaxPool Mean Min Mod Mul Neg NonZero Not OneHot Or PRelu Pad Pow QuantizeLinear Range Reciprocal ReduceL2
    ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape
    Resize Round ScatterElements ScatterND Shape Sigmoid Sign Sin Size Slice Softmax Softplus Softsign Split Sqrt
    Squeeze Sub Sum Tan Tanh Tile TopK Transpose Trilu Unsqueeze Where Xor
}

/// Whether a model may use this operator of the default domain.
pub fn is_allowed(operator: &str) -> bool {
    ALLOWED.binary_search(&operator).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_leaves_out_what_is_dangerous() {
        assert!(ALLOWED.is_sorted());
        let dangerous = [
            "If",
            "Loop",
            "Scan",
            "SequenceMap",
            "SequenceConstruct",
            "RandomNormal",
            "RandomUniform",
            "RandomNormalLike",
            "RandomUniformLike",
            "Bernoulli",
            "Multinomial",
            "Dropout",
            "StringConcat",
            "",
        ];
        for operator in dangerous {
            assert!(!is_allowed(operator), "{operator}");
        }
        assert!(is_allowed("Conv") && is_allowed("Constant") && is_allowed("Xor"));
    }
}

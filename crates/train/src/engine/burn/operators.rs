//! The lowering of every operator to Burn. What can be checked is checked here, because Burn answers with a panic.

use ::burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use ::burn::tensor::{Device, Int, Slice, Tensor, TensorData, activation, module};

use super::inputs::{Inputs, Lowered};
use super::resize;
use super::value::{Float, Integers, Value, map_tensor};
use crate::program::{Binary, FixedSide, Operation, Unary, Window};
use crate::shape::{
    broadcasts, element_count, fits, reshape_target, resolve_axes, resolve_axis, squeezed,
    unsqueezed,
};

/// Mean and population variance of the batch, by the number of the batch normalisation.
pub(super) type BatchMoments = Vec<(usize, Tensor<1>, Tensor<1>)>;

/// Executes one operator. With `moments` it is trained and batch normalisation uses and reports the batch's statistics.
pub(super) fn lower(
    operation: &Operation,
    inputs: &mut Inputs<'_>,
    moments: Option<&mut BatchMoments>,
) -> Lowered<Value> {
    let float = match operation {
        Operation::Unary(function) => unary(*function, inputs.float(0)?),
        Operation::Binary(function, Some(side)) => return with_number(*function, side, inputs),
        Operation::Binary(function, None) => match (inputs.value(0)?, inputs.value(1)?) {
            (Value::Float(a), Value::Float(b)) => binary(*function, a, b)?,
            (Value::Integers(a), Value::Integers(b)) => {
                return integer_binary(*function, &a, &b).map(Value::Integers);
            }
            _ => return Err("mixes floats and integers".into()),
        },
        Operation::Convolution { window, groups } => convolution(inputs, window, *groups)?,
        Operation::Gemm {
            alpha,
            beta,
            transpose_a,
            transpose_b,
        } => gemm(inputs, [*alpha, *beta], [*transpose_a, *transpose_b])?,
        Operation::MatMul => matrix_product(inputs.float(0)?, inputs.float(1)?)?,
        Operation::BatchNormalization {
            epsilon,
            statistics,
        } => batch_normalization(inputs, f64::from(*epsilon), *statistics, moments)?,
        Operation::LayerNormalization { axis, epsilon } => {
            layer_normalization(inputs, *axis, f64::from(*epsilon))?
        }
        Operation::MaxPool { window, ceil } => {
            let x = inputs.image(0)?;
            let kernel = pool_kernel(&x, window)?;
            let options = MaxPoolOptions::new(kernel)
                .with_stride(window.strides)
                .with_padding_pairs(window.padding)
                .with_dilation(window.dilations)
                .with_ceil_mode(*ceil);
            Float::Rank4(module::max_pool2d(x, options))
        }
        Operation::AveragePool {
            window,
            ceil,
            count_padding,
        } => {
            let x = inputs.image(0)?;
            let kernel = pool_kernel(&x, window)?;
            if window.dilations != [1; 2] {
                return Err("dilated averages are not supported".into());
            }
            let mut options = AvgPoolOptions::new(kernel)
                .with_stride(window.strides)
                .with_padding_pairs(window.padding)
                .with_count_include_pad(*count_padding);
            options.ceil_mode = *ceil;
            Float::Rank4(module::avg_pool2d(x, options))
        }
        Operation::GlobalAveragePool => {
            Float::Rank4(module::adaptive_avg_pool2d(inputs.image(0)?, [1, 1]))
        }
        Operation::Reduce {
            mean,
            axes,
            keep_dimensions,
            nothing_if_empty,
        } => {
            let axes = match axes {
                Some(axes) => axes.clone(),
                None => inputs.list(1)?.unwrap_or_default(),
            };
            let x = inputs.float(0)?;
            if axes.is_empty() && *nothing_if_empty {
                x
            } else {
                reduce(x, *mean, &axes, *keep_dimensions)?
            }
        }
        Operation::Softmax { axis, logarithm } => {
            let x = inputs.float(0)?;
            let axis = resolve_axis(*axis, x.rank())?;
            if *logarithm {
                map_tensor!(x, t => activation::log_softmax(t, axis))
            } else {
                map_tensor!(x, t => activation::softmax(t, axis))
            }
        }
        Operation::Concat { axis } => return concat(inputs, *axis),
        Operation::Flatten { axis } => {
            let x = inputs.float(0)?;
            let dims = x.dims();
            // The axis may lie just behind the last dimension.
            let axis = if *axis == dims.len() as i64 {
                dims.len()
            } else {
                resolve_axis(*axis, dims.len())?
            };
            let (before, after) = dims.split_at(axis);
            x.reshape(&[element_count(before), element_count(after)])?
        }
        Operation::Reshape { allow_zero } => {
            let target = inputs.integers(1)?.data;
            let value = inputs.value(0)?;
            let dims = reshape_target(&value.dims(), &target, *allow_zero)?;
            return reshape_value(value, &dims);
        }
        Operation::Transpose { permutation } => {
            transpose(inputs.float(0)?, permutation.as_deref())?
        }
        Operation::Squeeze => {
            let axes = inputs.list(1)?;
            let value = inputs.value(0)?;
            let dims = squeezed(&value.dims(), axes.as_deref())?;
            return reshape_value(value, &dims);
        }
        Operation::Unsqueeze => {
            let axes = inputs.integers(1)?.data;
            let value = inputs.value(0)?;
            let dims = unsqueezed(&value.dims(), &axes)?;
            return reshape_value(value, &dims);
        }
        Operation::Resize { centres, between } => resize::resize(inputs, *centres, *between)?,
        Operation::Slice => return slice(inputs),
        Operation::Gather { axis } => return gather(inputs, *axis),
        Operation::Shape { start, end } => {
            let dims = inputs.value(0)?.dims();
            let bound = |at: i64| {
                at.saturating_add(if at < 0 { dims.len() as i64 } else { 0 })
                    .clamp(0, dims.len() as i64) as usize
            };
            let (start, end) = (bound(*start), end.map_or(dims.len(), bound));
            let data: Vec<i64> = dims[start.min(end)..end]
                .iter()
                .map(|&d| d as i64)
                .collect();
            return Ok(Value::Integers(Integers {
                dims: vec![data.len()],
                data,
            }));
        }
        Operation::Cast { to_float } => return cast(inputs.value(0)?, *to_float),
        Operation::Identity => return inputs.value(0),
    };
    Ok(Value::Float(float))
}

fn unary(function: Unary, x: Float) -> Float {
    map_tensor!(x, t => match function {
        Unary::Abs => t.abs(),
        Unary::Clip(lower, upper) => clip(t, lower, upper),
        Unary::Erf => t.erf(),
        Unary::Exp => t.exp(),
        Unary::Gelu(false) => activation::gelu(t),
        Unary::Gelu(true) => activation::gelu_approximate(t),
        Unary::HardSigmoid(alpha, beta) => (t * alpha + beta).clamp(0.0, 1.0),
        Unary::HardSwish => t.clone() * (t / 6.0 + 0.5).clamp(0.0, 1.0),
        Unary::LeakyRelu(slope) => activation::leaky_relu(t, f64::from(slope)),
        Unary::Log => t.log(),
        Unary::Neg => t.neg(),
        Unary::Pow(exponent) => t.powf_scalar(exponent),
        Unary::Reciprocal => t.recip(),
        Unary::Relu => activation::relu(t),
        Unary::Sigmoid => activation::sigmoid(t),
        Unary::Sqrt => t.sqrt(),
        Unary::Tanh => t.tanh(),
    })
}

/// Only real bounds are applied: a bound at infinity would cost a pass over the data.
fn clip<const D: usize>(t: Tensor<D>, lower: f32, upper: f32) -> Tensor<D> {
    match (lower > f32::MIN, upper < f32::MAX) {
        (true, true) => t.clamp(lower, upper),
        (true, false) => t.clamp_min(lower),
        (false, true) => t.clamp_max(upper),
        (false, false) => t,
    }
}

/// A binary function of a value and a fixed number.
fn with_number(function: Binary, side: &FixedSide, inputs: &mut Inputs<'_>) -> Lowered<Value> {
    let x = inputs.float(usize::from(side.left))?;
    let x = x.at_least(side.rank);
    let c = side.value;
    Ok(Value::Float(
        map_tensor!(x, t => match (function, side.left) {
            (Binary::Add, _) => t + c,
            (Binary::Sub, false) => t - c,
            (Binary::Sub, true) => t.neg() + c,
            (Binary::Mul, _) => t * c,
            (Binary::Div, false) => t / c,
            (Binary::Div, true) => t.recip() * c,
            (Binary::Min, _) => t.clamp_max(c),
            (Binary::Max, _) => t.clamp_min(c),
        }),
    ))
}

fn binary(function: Binary, a: Float, b: Float) -> Lowered<Float> {
    let (left, right) = (a.dims(), b.dims());
    if !broadcasts(&left, &right) {
        return Err(format!("{left:?} and {right:?} do not broadcast"));
    }
    Ok(aligned(function, a, b))
}

/// The product of two values that broadcast.
pub(super) fn multiply(a: Float, b: Float) -> Float {
    aligned(Binary::Mul, a, b)
}

/// The sum of two values that broadcast.
pub(super) fn add(a: Float, b: Float) -> Float {
    aligned(Binary::Add, a, b)
}

fn aligned(function: Binary, a: Float, b: Float) -> Float {
    match a.rank().max(b.rank()) {
        0 => Float::Rank0(combine(function, a.rank1(), b.rank1())),
        1 => Float::Rank1(combine(function, a.rank1(), b.rank1())),
        2 => Float::Rank2(combine(function, a.rank2(), b.rank2())),
        3 => Float::Rank3(combine(function, a.rank3(), b.rank3())),
        4 => Float::Rank4(combine(function, a.rank4(), b.rank4())),
        _ => Float::Rank5(combine(function, a.rank5(), b.rank5())),
    }
}

fn combine<const D: usize>(function: Binary, a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    match function {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Min => a.min_pair(b),
        Binary::Max => a.max_pair(b),
    }
}

/// Arithmetic on shapes: of equal length, or with a single number.
fn integer_binary(function: Binary, a: &Integers, b: &Integers) -> Lowered<Integers> {
    let dims = if a.data.len() >= b.data.len() {
        &a.dims
    } else {
        &b.dims
    };
    let length = a.data.len().max(b.data.len());
    let at = |side: &Integers, index: usize| match side.data.len() {
        1 => Ok(side.data[0]),
        n if n == length => Ok(side.data[index]),
        _ => Err(format!("{:?} and {:?} do not broadcast", a.dims, b.dims)),
    };
    let mut data = Vec::with_capacity(length);
    for index in 0..length {
        let (x, y) = (at(a, index)?, at(b, index)?);
        let result = match function {
            Binary::Add => x.checked_add(y),
            Binary::Sub => x.checked_sub(y),
            Binary::Mul => x.checked_mul(y),
            Binary::Div => x.checked_div(y),
            Binary::Min => Some(x.min(y)),
            Binary::Max => Some(x.max(y)),
        };
        data.push(result.ok_or_else(|| format!("{function:?} of {x} and {y} overflows"))?);
    }
    Ok(Integers {
        dims: dims.clone(),
        data,
    })
}

fn convolution(inputs: &mut Inputs<'_>, window: &Window, groups: usize) -> Lowered<Float> {
    let x = inputs.image(0)?;
    let weight = inputs.image(1)?;
    let [_, channels, height, width] = x.dims();
    let [out, per_group, kernel_height, kernel_width] = weight.dims();
    if channels != per_group * groups || out % groups != 0 {
        return Err(format!(
            "{channels} channels do not fit a kernel {:?} in {groups} groups",
            weight.dims()
        ));
    }
    let kernel = [kernel_height, kernel_width];
    if window.kernel.is_some_and(|declared| declared != kernel) {
        return Err(format!(
            "declares a kernel {:?} and holds {kernel:?}",
            window.kernel
        ));
    }
    fits(window, kernel, [height, width])?;
    let bias = if inputs.has(2) {
        Some(inputs.vector(2, out, "bias")?)
    } else {
        None
    };
    let options =
        ConvOptions::new_with_padding(window.strides, window.padding, window.dilations, groups);
    Ok(Float::Rank4(module::conv2d(x, weight, bias, options)))
}

fn pool_kernel(x: &Tensor<4>, window: &Window) -> Lowered<[usize; 2]> {
    let kernel = window.kernel.ok_or("has no kernel_shape")?;
    let [_, _, height, width] = x.dims();
    fits(window, kernel, [height, width])?;
    Ok(kernel)
}

fn gemm(
    inputs: &mut Inputs<'_>,
    [alpha, beta]: [f32; 2],
    [transpose_a, transpose_b]: [bool; 2],
) -> Lowered<Float> {
    let mut matrix = |index: usize, transpose: bool| match inputs.float(index)? {
        Float::Rank2(tensor) if transpose => Ok(tensor.transpose()),
        Float::Rank2(tensor) => Ok(tensor),
        other => Err(format!(
            "input {index} has shape {:?}, a matrix is wanted",
            other.dims()
        )),
    };
    let (a, b) = (matrix(0, transpose_a)?, matrix(1, transpose_b)?);
    let ([rows, inner], [other_inner, columns]) = (a.dims(), b.dims());
    if inner != other_inner {
        return Err(format!(
            "{:?} and {:?} cannot be multiplied",
            a.dims(),
            b.dims()
        ));
    }
    let c = if inputs.has(2) {
        Some(inputs.float(2)?)
    } else {
        None
    };
    match c {
        Some(Float::Rank1(bias)) if bias.dims() == [columns] && alpha == 1.0 && beta == 1.0 => {
            Ok(Float::Rank2(module::linear(a, b, Some(bias))))
        }
        c => {
            let product = module::linear(a, b, None);
            let product = if alpha == 1.0 {
                product
            } else {
                product * alpha
            };
            let Some(c) = c else {
                return Ok(Float::Rank2(product));
            };
            let c = if beta == 1.0 {
                c
            } else {
                map_tensor!(c, t => t * beta)
            };
            if c.rank() > 2 || !broadcasts(&[rows, columns], &c.dims()) {
                return Err(format!(
                    "{:?} cannot be added to [{rows}, {columns}]",
                    c.dims()
                ));
            }
            binary(Binary::Add, Float::Rank2(product), c)
        }
    }
}

fn matrix_product(a: Float, b: Float) -> Lowered<Float> {
    let (left, right) = (a.dims(), b.dims());
    let (Some([batch_a @ .., _, inner]), Some([batch_b @ .., other_inner, _])) = (
        (left.len() >= 2).then_some(left.as_slice()),
        (right.len() >= 2).then_some(right.as_slice()),
    ) else {
        return Err(format!("{left:?} and {right:?} are not both matrices"));
    };
    if inner != other_inner || !broadcasts(batch_a, batch_b) {
        return Err(format!("{left:?} and {right:?} cannot be multiplied"));
    }
    Ok(match (a, b) {
        // A shared right side is one product over all rows.
        (Float::Rank2(a), Float::Rank2(b)) => Float::Rank2(module::linear(a, b, None)),
        (Float::Rank3(a), Float::Rank2(b)) => Float::Rank3(module::linear(a, b, None)),
        (Float::Rank4(a), Float::Rank2(b)) => Float::Rank4(module::linear(a, b, None)),
        (a, b) => match left.len().max(right.len()) {
            3 => Float::Rank3(a.rank3().matmul(b.rank3())),
            4 => Float::Rank4(a.rank4().matmul(b.rank4())),
            _ => Float::Rank5(a.rank5().matmul(b.rank5())),
        },
    })
}

fn batch_normalization(
    inputs: &mut Inputs<'_>,
    epsilon: f64,
    statistics: usize,
    moments: Option<&mut BatchMoments>,
) -> Lowered<Float> {
    let x = inputs.float(0)?;
    let dims = x.dims();
    let Some(&channels) = dims.get(1) else {
        return Err(format!("input 0 has shape {dims:?}, which has no channels"));
    };
    let scale = inputs.vector(1, channels, "scale")?;
    let bias = inputs.vector(2, channels, "bias")?;
    let Some(moments) = moments else {
        let mean = inputs.vector(3, channels, "running mean")?;
        let variance = inputs.vector(4, channels, "running variance")?;
        return Ok(match x {
            Float::Rank2(t) => {
                Float::Rank2(module::batch_norm(t, scale, bias, mean, variance, epsilon))
            }
            Float::Rank3(t) => {
                Float::Rank3(module::batch_norm(t, scale, bias, mean, variance, epsilon))
            }
            Float::Rank4(t) => {
                Float::Rank4(module::batch_norm(t, scale, bias, mean, variance, epsilon))
            }
            other => Float::Rank5(module::batch_norm(
                other.rank5(),
                scale,
                bias,
                mean,
                variance,
                epsilon,
            )),
        });
    };
    macro_rules! trained {
        ($variant:ident, $tensor:expr) => {{
            let result = module::batch_norm_train($tensor, scale, bias, epsilon);
            moments.push((statistics, result.mean, result.variance));
            Float::$variant(result.output)
        }};
    }
    Ok(match x {
        Float::Rank2(t) => trained!(Rank2, t),
        Float::Rank3(t) => trained!(Rank3, t),
        Float::Rank4(t) => trained!(Rank4, t),
        other => trained!(Rank5, other.rank5()),
    })
}

fn layer_normalization(inputs: &mut Inputs<'_>, axis: i64, epsilon: f64) -> Lowered<Float> {
    let x = inputs.float(0)?;
    let dims = x.dims();
    let axis = resolve_axis(axis, dims.len())?;
    if axis + 1 != dims.len() {
        return Err(format!(
            "normalises axis {axis} of {dims:?}; only the last axis is supported"
        ));
    }
    let scale = inputs.vector(1, dims[axis], "scale")?;
    let bias = if inputs.has(2) {
        Some(inputs.vector(2, dims[axis], "bias")?)
    } else {
        None
    };
    Ok(map_tensor!(x, t => module::layer_norm(t, scale, bias, epsilon)))
}

fn reduce(x: Float, mean: bool, axes: &[i64], keep_dimensions: bool) -> Lowered<Float> {
    let dims = x.dims();
    let mut axes = match axes {
        [] => (0..dims.len()).collect(),
        axes => resolve_axes(axes, dims.len())?,
    };
    // From the back: the innermost axis is contiguous.
    axes.sort_unstable_by(|a, b| b.cmp(a));
    let mut x = x;
    for &axis in &axes {
        x = if mean {
            map_tensor!(x, t => t.mean_dim(axis))
        } else {
            map_tensor!(x, t => t.sum_dim(axis))
        };
    }
    if keep_dimensions {
        return Ok(x);
    }
    let kept: Vec<usize> = (0..dims.len())
        .filter(|axis| !axes.contains(axis))
        .map(|axis| dims[axis])
        .collect();
    x.reshape(&kept)
}

fn concat(inputs: &mut Inputs<'_>, axis: i64) -> Lowered<Value> {
    let values: Vec<Value> = (0..inputs.count())
        .map(|index| inputs.value(index))
        .collect::<Lowered<_>>()?;
    if values.iter().all(|v| matches!(v, Value::Integers(_))) {
        let mut data = Vec::new();
        for value in values {
            if let Value::Integers(integers) = value {
                data.extend(integers.data);
            }
        }
        return Ok(Value::Integers(Integers {
            dims: vec![data.len()],
            data,
        }));
    }
    let mut floats = Vec::with_capacity(values.len());
    for value in values {
        match value {
            Value::Float(float) => floats.push(float),
            Value::Integers(_) => return Err("mixes floats and integers".into()),
        }
    }
    let Some(first) = floats.first().map(Float::dims) else {
        return Err("has no inputs".into());
    };
    let axis = resolve_axis(axis, first.len())?;
    for float in &floats {
        let mut dims = float.dims();
        if dims.len() == first.len() {
            dims[axis] = first[axis];
        }
        if dims != first {
            return Err(format!(
                "{:?} and {first:?} differ beside axis {axis}",
                float.dims()
            ));
        }
    }
    macro_rules! joined {
        ($variant:ident, $rank:ident) => {
            Float::$variant(Tensor::cat(
                floats.into_iter().map(Float::$rank).collect(),
                axis,
            ))
        };
    }
    Ok(Value::Float(match first.len() {
        1 => joined!(Rank1, rank1),
        2 => joined!(Rank2, rank2),
        3 => joined!(Rank3, rank3),
        4 => joined!(Rank4, rank4),
        _ => joined!(Rank5, rank5),
    }))
}

fn reshape_value(value: Value, dims: &[usize]) -> Lowered<Value> {
    Ok(match value {
        Value::Float(float) => Value::Float(float.reshape(dims)?),
        Value::Integers(integers) => Value::Integers(Integers {
            dims: dims.to_vec(),
            data: integers.data,
        }),
    })
}

fn transpose(x: Float, permutation: Option<&[i64]>) -> Lowered<Float> {
    let rank = x.rank();
    let permutation = match permutation {
        Some(permutation) => resolve_axes(permutation, rank)?,
        None => (0..rank).rev().collect(),
    };
    if permutation.len() != rank {
        return Err(format!(
            "permutes {permutation:?} axes of a value of rank {rank}"
        ));
    }
    if rank < 2 {
        return Ok(x);
    }
    Ok(map_tensor!(x, t => t.permute(std::array::from_fn(|axis| permutation[axis] as isize))))
}

fn slice(inputs: &mut Inputs<'_>) -> Lowered<Value> {
    let (starts, ends) = (inputs.integers(1)?.data, inputs.integers(2)?.data);
    let axes = inputs
        .list(3)?
        .unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = inputs.list(4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err("starts, ends, axes and steps differ in length".into());
    }
    let mut value = inputs.value(0)?;
    let dims = value.dims();
    let axes = resolve_axes(&axes, dims.len())?;
    for (index, &axis) in axes.iter().enumerate() {
        let size = dims[axis] as i64;
        let step = steps[index];
        if step <= 0 {
            return Err(format!("step {step} is not supported"));
        }
        let bound = |at: i64| if at < 0 { at.saturating_add(size) } else { at }.clamp(0, size);
        let (start, end) = (bound(starts[index]), bound(ends[index]));
        if start >= end {
            return Err(format!("cuts nothing from axis {axis} of {dims:?}"));
        }
        value = match value {
            Value::Integers(integers) => {
                if integers.dims.len() != 1 {
                    return Err("integers of more than one axis cannot be cut".into());
                }
                let kept = integers.data[start as usize..end as usize].iter();
                let data: Vec<i64> = kept.step_by(step as usize).copied().collect();
                Value::Integers(Integers {
                    dims: vec![data.len()],
                    data,
                })
            }
            Value::Float(float) => {
                let cut = Slice::with_step(start as isize, Some(end as isize), step as isize);
                Value::Float(map_tensor!(float, t => t.slice_dim(axis, cut)))
            }
        };
    }
    Ok(value)
}

fn gather(inputs: &mut Inputs<'_>, axis: i64) -> Lowered<Value> {
    let indices = inputs.integers(1)?;
    let value = inputs.value(0)?;
    let dims = value.dims();
    let axis = resolve_axis(axis, dims.len())?;
    let mut rows = Vec::with_capacity(indices.data.len());
    for &index in &indices.data {
        let row = if index < 0 {
            index + dims[axis] as i64
        } else {
            index
        };
        if !(0..dims[axis] as i64).contains(&row) {
            return Err(format!(
                "index {index} lies outside axis {axis} of {dims:?}"
            ));
        }
        rows.push(row);
    }
    match value {
        Value::Integers(integers) => {
            if dims.len() != 1 {
                return Err("integers of more than one axis cannot be gathered".into());
            }
            let data = rows
                .iter()
                .map(|&row| integers.data[row as usize])
                .collect();
            Ok(Value::Integers(Integers {
                dims: indices.dims,
                data,
            }))
        }
        Value::Float(float) => {
            let device: Device = float.device();
            let count = rows.len();
            let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [count]), &device);
            let picked = map_tensor!(float, t => t.select(axis, rows));
            let mut shape = dims[..axis].to_vec();
            shape.extend(&indices.dims);
            shape.extend(&dims[axis + 1..]);
            Ok(Value::Float(picked.reshape(&shape)?))
        }
    }
}

fn cast(value: Value, to_float: bool) -> Lowered<Value> {
    match (value, to_float) {
        (Value::Integers(integers), true) => {
            let data = integers.data.iter().map(|&v| v as f32).collect();
            Ok(Value::Float(Float::from_host(
                data,
                &integers.dims,
                &Device::flex(),
            )))
        }
        (Value::Float(float), false) => {
            let dims = float.dims();
            let data = float.into_host()?.into_iter().map(|v| v as i64).collect();
            Ok(Value::Integers(Integers { dims, data }))
        }
        (value, _) => Ok(value),
    }
}

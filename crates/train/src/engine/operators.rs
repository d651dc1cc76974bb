//! The lowering of every operator. What can be checked is checked here, because a library answers with a panic.

use super::backend::Backend;
use super::inputs::{Inputs, Lowered};
use super::resize;
use super::value::{Integers, Value};
use crate::program::{Binary, FixedSide, MAX_RANK, Operation, Window};
use crate::shape::{
    broadcasts, element_count, fits, reshape_target, resolve_axes, resolve_axis, squeezed,
    unsqueezed,
};

/// Mean and population variance of the batch, by the number of the batch normalisation.
pub(super) type BatchMoments<T> = Vec<(usize, [T; 2])>;

/// Executes one operator. With `moments` it is trained and batch normalisation uses and reports the batch's statistics.
pub(super) fn lower<B: Backend>(
    operation: &Operation,
    inputs: &mut Inputs<'_, B>,
    moments: Option<&mut BatchMoments<B::Tensor>>,
) -> Lowered<Value<B::Tensor>> {
    let backend = inputs.backend;
    let float = match operation {
        Operation::Unary(function) => backend.unary(*function, inputs.float(0)?),
        Operation::Binary(function, Some(side)) => return with_number(*function, side, inputs),
        Operation::Binary(function, None) => match (inputs.value(0)?, inputs.value(1)?) {
            (Value::Float(a), Value::Float(b)) => binary(backend, *function, a, b)?,
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
        Operation::MatMul => matrix_product(backend, inputs.float(0)?, inputs.float(1)?)?,
        Operation::BatchNormalization {
            epsilon,
            statistics,
        } => batch_normalization(inputs, f64::from(*epsilon), *statistics, moments)?,
        Operation::LayerNormalization { axis, epsilon } => {
            layer_normalization(inputs, *axis, f64::from(*epsilon))?
        }
        Operation::MaxPool { window, ceil } => {
            let (x, kernel) = pooled(inputs, window)?;
            backend.max_pool(x, kernel, window, *ceil)
        }
        Operation::AveragePool {
            window,
            ceil,
            count_padding,
        } => {
            let (x, kernel) = pooled(inputs, window)?;
            if window.dilations != [1; 2] {
                return Err("dilated averages are not supported".into());
            }
            backend.average_pool(x, kernel, window, *ceil, *count_padding)
        }
        Operation::GlobalAveragePool => backend.global_average(inputs.image(0)?.0),
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
                reduce(backend, x, *mean, &axes, *keep_dimensions)?
            }
        }
        Operation::Softmax { axis, logarithm } => {
            let x = inputs.float(0)?;
            let axis = resolve_axis(*axis, backend.dims(&x).len())?;
            backend.softmax(x, axis, *logarithm)
        }
        Operation::Concat { axis } => return concat(inputs, *axis),
        Operation::Flatten { axis } => {
            let x = inputs.float(0)?;
            let dims = backend.dims(&x);
            // The axis may lie just behind the last dimension.
            let axis = if *axis == dims.len() as i64 {
                dims.len()
            } else {
                resolve_axis(*axis, dims.len())?
            };
            let (before, after) = dims.split_at(axis);
            backend.reshape(x, &[element_count(before), element_count(after)])
        }
        Operation::Reshape { allow_zero } => {
            let target = inputs.integers(1)?.data;
            let value = inputs.value(0)?;
            let dims = reshape_target(&value.dims(backend), &target, *allow_zero)?;
            return reshape_value(backend, value, &dims);
        }
        Operation::Transpose { permutation } => {
            transpose(backend, inputs.float(0)?, permutation.as_deref())?
        }
        Operation::Squeeze => {
            let axes = inputs.list(1)?;
            let value = inputs.value(0)?;
            let dims = squeezed(&value.dims(backend), axes.as_deref())?;
            return reshape_value(backend, value, &dims);
        }
        Operation::Unsqueeze => {
            let axes = inputs.integers(1)?.data;
            let value = inputs.value(0)?;
            let dims = unsqueezed(&value.dims(backend), &axes)?;
            return reshape_value(backend, value, &dims);
        }
        Operation::Resize { centres, between } => resize::resize(inputs, *centres, *between)?,
        Operation::Slice => return slice(inputs),
        Operation::Gather { axis } => return gather(inputs, *axis),
        Operation::Shape { start, end } => {
            let dims = inputs.value(0)?.dims(backend);
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
        Operation::Cast { to_float } => return cast(backend, inputs.value(0)?, *to_float),
        Operation::Identity => return inputs.value(0),
    };
    Ok(Value::Float(float))
}

/// A binary function of a value and a fixed number.
fn with_number<B: Backend>(
    function: Binary,
    side: &FixedSide,
    inputs: &mut Inputs<'_, B>,
) -> Lowered<Value<B::Tensor>> {
    let backend = inputs.backend;
    let mut x = inputs.float(usize::from(side.left))?;
    let dims = backend.dims(&x);
    if dims.len() < side.rank {
        let mut longer = vec![1; side.rank - dims.len()];
        longer.extend(dims);
        x = reshape(backend, x, &longer)?;
    }
    let x = backend.with_number(function, x, side.value, side.left);
    Ok(Value::Float(x))
}

fn binary<B: Backend>(
    backend: &B,
    function: Binary,
    a: B::Tensor,
    b: B::Tensor,
) -> Lowered<B::Tensor> {
    let (left, right) = (backend.dims(&a), backend.dims(&b));
    if !broadcasts(&left, &right) {
        return Err(format!("{left:?} and {right:?} do not broadcast"));
    }
    Ok(backend.binary(function, a, b))
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

fn convolution<B: Backend>(
    inputs: &mut Inputs<'_, B>,
    window: &Window,
    groups: usize,
) -> Lowered<B::Tensor> {
    let (x, [_, channels, height, width]) = inputs.image(0)?;
    let (weight, weight_dims) = inputs.image(1)?;
    let [out, per_group, kernel_height, kernel_width] = weight_dims;
    if channels != per_group * groups || out % groups != 0 {
        return Err(format!(
            "{channels} channels do not fit a kernel {weight_dims:?} in {groups} groups"
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
    let bias = inputs.optional_vector(2, out, "bias")?;
    Ok(inputs.backend.convolution(x, weight, bias, window, groups))
}

/// What is pooled, and the size of the window.
fn pooled<B: Backend>(
    inputs: &mut Inputs<'_, B>,
    window: &Window,
) -> Lowered<(B::Tensor, [usize; 2])> {
    let (x, [_, _, height, width]) = inputs.image(0)?;
    let kernel = window.kernel.ok_or("has no kernel_shape")?;
    fits(window, kernel, [height, width])?;
    Ok((x, kernel))
}

fn gemm<B: Backend>(
    inputs: &mut Inputs<'_, B>,
    [alpha, beta]: [f32; 2],
    [transpose_a, transpose_b]: [bool; 2],
) -> Lowered<B::Tensor> {
    let backend = inputs.backend;
    let mut matrix = |index: usize, transpose: bool| {
        let x = inputs.float(index)?;
        match (backend.dims(&x).as_slice(), transpose) {
            (&[rows, columns], true) => Ok((backend.permute(x, &[1, 0]), [columns, rows])),
            (&[rows, columns], false) => Ok((x, [rows, columns])),
            (dims, _) => Err(format!(
                "input {index} has shape {dims:?}, a matrix is wanted"
            )),
        }
    };
    let (a, left) = matrix(0, transpose_a)?;
    let (b, right) = matrix(1, transpose_b)?;
    let ([rows, inner], [other_inner, columns]) = (left, right);
    if inner != other_inner {
        return Err(format!("{left:?} and {right:?} cannot be multiplied"));
    }
    let c = if inputs.has(2) {
        Some(inputs.float(2)?)
    } else {
        None
    };
    let Some(c) = c else {
        return Ok(scaled(backend, backend.linear(a, b, None), alpha));
    };
    let dims = backend.dims(&c);
    if dims == [columns] && alpha == 1.0 && beta == 1.0 {
        return Ok(backend.linear(a, b, Some(c)));
    }
    if dims.len() > 2 || !broadcasts(&[rows, columns], &dims) {
        return Err(format!("{dims:?} cannot be added to [{rows}, {columns}]"));
    }
    let product = scaled(backend, backend.linear(a, b, None), alpha);
    binary(backend, Binary::Add, product, scaled(backend, c, beta))
}

fn scaled<B: Backend>(backend: &B, x: B::Tensor, factor: f32) -> B::Tensor {
    if factor == 1.0 {
        x
    } else {
        backend.with_number(Binary::Mul, x, factor, false)
    }
}

fn matrix_product<B: Backend>(backend: &B, a: B::Tensor, b: B::Tensor) -> Lowered<B::Tensor> {
    let (left, right) = (backend.dims(&a), backend.dims(&b));
    let (Some([batch_a @ .., _, inner]), Some([batch_b @ .., other_inner, _])) = (
        (left.len() >= 2).then_some(left.as_slice()),
        (right.len() >= 2).then_some(right.as_slice()),
    ) else {
        return Err(format!("{left:?} and {right:?} are not both matrices"));
    };
    if inner != other_inner || !broadcasts(batch_a, batch_b) {
        return Err(format!("{left:?} and {right:?} cannot be multiplied"));
    }
    // A shared right side is one product over all rows.
    Ok(match right.len() {
        2 => backend.linear(a, b, None),
        _ => backend.matrix_product(a, b),
    })
}

fn batch_normalization<B: Backend>(
    inputs: &mut Inputs<'_, B>,
    epsilon: f64,
    statistics: usize,
    moments: Option<&mut BatchMoments<B::Tensor>>,
) -> Lowered<B::Tensor> {
    let backend = inputs.backend;
    let x = inputs.float(0)?;
    let dims = backend.dims(&x);
    let Some(&channels) = dims.get(1) else {
        return Err(format!("input 0 has shape {dims:?}, which has no channels"));
    };
    let affine = [
        inputs.vector(1, channels, "scale")?,
        inputs.vector(2, channels, "bias")?,
    ];
    let Some(moments) = moments else {
        let running = [
            inputs.vector(3, channels, "running mean")?,
            inputs.vector(4, channels, "running variance")?,
        ];
        return Ok(backend.batch_norm(x, affine, running, epsilon));
    };
    let (normalised, of_batch) = backend.batch_norm_trained(x, affine, epsilon);
    moments.push((statistics, of_batch));
    Ok(normalised)
}

fn layer_normalization<B: Backend>(
    inputs: &mut Inputs<'_, B>,
    axis: i64,
    epsilon: f64,
) -> Lowered<B::Tensor> {
    let x = inputs.float(0)?;
    let dims = inputs.backend.dims(&x);
    let axis = resolve_axis(axis, dims.len())?;
    if axis + 1 != dims.len() {
        return Err(format!(
            "normalises axis {axis} of {dims:?}; only the last axis is supported"
        ));
    }
    let scale = inputs.vector(1, dims[axis], "scale")?;
    let bias = inputs.optional_vector(2, dims[axis], "bias")?;
    Ok(inputs.backend.layer_norm(x, scale, bias, epsilon))
}

fn reduce<B: Backend>(
    backend: &B,
    x: B::Tensor,
    mean: bool,
    axes: &[i64],
    keep_dimensions: bool,
) -> Lowered<B::Tensor> {
    let dims = backend.dims(&x);
    let mut axes = match axes {
        [] => (0..dims.len()).collect(),
        axes => resolve_axes(axes, dims.len())?,
    };
    // From the back: the innermost axis is contiguous.
    axes.sort_unstable_by(|a, b| b.cmp(a));
    let x = backend.reduce(x, mean, &axes);
    if keep_dimensions {
        return Ok(x);
    }
    let kept: Vec<usize> = (0..dims.len())
        .filter(|axis| !axes.contains(axis))
        .map(|axis| dims[axis])
        .collect();
    Ok(backend.reshape(x, &kept))
}

fn concat<B: Backend>(inputs: &mut Inputs<'_, B>, axis: i64) -> Lowered<Value<B::Tensor>> {
    let backend = inputs.backend;
    let values: Vec<Value<_>> = (0..inputs.count())
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
    let Some(first) = floats.first().map(|float| backend.dims(float)) else {
        return Err("has no inputs".into());
    };
    let axis = resolve_axis(axis, first.len())?;
    for float in &floats {
        let dims = backend.dims(float);
        let mut wanted = first.clone();
        if dims.len() == first.len() {
            wanted[axis] = dims[axis];
        }
        if dims != wanted {
            return Err(format!("{dims:?} and {first:?} differ beside axis {axis}"));
        }
    }
    Ok(Value::Float(backend.concat(floats, axis)))
}

/// The same numbers in another shape, which has as many.
fn reshape<B: Backend>(backend: &B, x: B::Tensor, dims: &[usize]) -> Lowered<B::Tensor> {
    if dims.len() > MAX_RANK {
        return Err(format!("rank {} is not supported", dims.len()));
    }
    Ok(backend.reshape(x, dims))
}

fn reshape_value<B: Backend>(
    backend: &B,
    value: Value<B::Tensor>,
    dims: &[usize],
) -> Lowered<Value<B::Tensor>> {
    Ok(match value {
        Value::Float(float) => Value::Float(reshape(backend, float, dims)?),
        Value::Integers(integers) => Value::Integers(Integers {
            dims: dims.to_vec(),
            data: integers.data,
        }),
    })
}

fn transpose<B: Backend>(
    backend: &B,
    x: B::Tensor,
    permutation: Option<&[i64]>,
) -> Lowered<B::Tensor> {
    let rank = backend.dims(&x).len();
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
    Ok(backend.permute(x, &permutation))
}

fn slice<B: Backend>(inputs: &mut Inputs<'_, B>) -> Lowered<Value<B::Tensor>> {
    let backend = inputs.backend;
    let (starts, ends) = (inputs.integers(1)?.data, inputs.integers(2)?.data);
    let axes = inputs
        .list(3)?
        .unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = inputs.list(4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err("starts, ends, axes and steps differ in length".into());
    }
    let mut value = inputs.value(0)?;
    let dims = value.dims(backend);
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
                let [start, end, step] = [start, end, step].map(|at| at as usize);
                Value::Float(backend.slice(float, axis, start, end, step))
            }
        };
    }
    Ok(value)
}

fn gather<B: Backend>(inputs: &mut Inputs<'_, B>, axis: i64) -> Lowered<Value<B::Tensor>> {
    let backend = inputs.backend;
    let indices = inputs.integers(1)?;
    let value = inputs.value(0)?;
    let dims = value.dims(backend);
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
            let picked = backend.select(float, axis, &rows);
            let mut shape = dims[..axis].to_vec();
            shape.extend(&indices.dims);
            shape.extend(&dims[axis + 1..]);
            Ok(Value::Float(reshape(backend, picked, &shape)?))
        }
    }
}

fn cast<B: Backend>(
    backend: &B,
    value: Value<B::Tensor>,
    to_float: bool,
) -> Lowered<Value<B::Tensor>> {
    match (value, to_float) {
        (Value::Integers(integers), true) => {
            let data = integers.data.iter().map(|&v| v as f32).collect();
            Ok(Value::Float(backend.upload(data, &integers.dims)))
        }
        (Value::Float(float), false) => {
            let dims = backend.dims(&float);
            let data = backend.download(float)?;
            let data = data.into_iter().map(|v| v as i64).collect();
            Ok(Value::Integers(Integers { dims, data }))
        }
        (value, _) => Ok(value),
    }
}

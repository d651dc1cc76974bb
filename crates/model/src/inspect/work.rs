//! What a graph costs to run at least, as far as its shapes can be read from the file.
//!
//! Sizes are followed from the inputs through the operators of usual networks. Where they depend on data, or an operator is
//! not followed, nothing is known behind it and weights are counted once: the true cost is never less than what is said here,
//! and may be more. What hides its cost is left to the limits on time.

use super::Shapes;
use crate::model::Model;
use crate::proto::NodeProto;
use std::collections::BTreeMap;

type Shape = Vec<usize>;

/// Multiplications with an addition that convolutions, matrix products and recurrent cells do in one run, at least.
/// `inputs` are the sizes of the model's inputs, by position.
pub fn multiply_adds(model: &Model, inputs: &[Shape]) -> u64 {
    let graph = model.graph();
    let stored = graph.initializer.iter();
    let stored = stored.filter_map(|tensor| Some((tensor.name.clone(), tensor.shape().ok()?)));
    let inputs = model.inputs().into_iter().zip(inputs);
    let inputs = inputs.map(|(input, shape)| (input.name, shape.clone()));
    let mut values = Values {
        known: stored.chain(inputs).collect(),
        constants: Shapes::of(graph),
    };
    let mut sum = 0u64;
    for node in &graph.node {
        let outputs = values.outputs(node);
        let first = outputs.first().and_then(Option::as_ref);
        sum = sum.saturating_add(values.cost(node, first));
        for (name, shape) in node.output.iter().zip(outputs) {
            if let Some(shape) = shape {
                values.known.insert(name.clone(), shape);
            }
        }
    }
    sum
}

/// What is known of the values of a graph.
struct Values<'a> {
    /// Shapes by name.
    known: BTreeMap<String, Shape>,
    constants: Shapes<'a>,
}

impl Values<'_> {
    fn shape(&self, node: &NodeProto, input: usize) -> Option<&Shape> {
        self.known.get(node.present_input(input)?)
    }

    fn integers(&self, node: &NodeProto, input: usize) -> Option<&[i64]> {
        let name = node.present_input(input)?;
        self.constants.integers.get(name).map(Vec::as_slice)
    }

    fn floats(&self, node: &NodeProto, input: usize) -> Option<&[f32]> {
        let name = node.present_input(input)?;
        self.constants.floats.get(name).map(Vec::as_slice)
    }

    /// Elements of an input; one where they are not known.
    fn elements(&self, node: &NodeProto, input: usize) -> u64 {
        self.shape(node, input).map_or(1, |shape| count(shape))
    }

    /// What a node costs whose first output has this shape.
    fn cost(&self, node: &NodeProto, output: Option<&Shape>) -> u64 {
        match node.op_type.as_str() {
            // Every place of the output takes a whole filter.
            "Conv" | "ConvInteger" => {
                let filters = self.shape(node, 1).and_then(|filters| filters.first());
                let filter = self.elements(node, 1) / filters.map_or(1, |&n| (n as u64).max(1));
                match output {
                    Some(output) => count(output).saturating_mul(filter),
                    None => self.elements(node, 1),
                }
            }
            // Every place of the input gives to one.
            "ConvTranspose" => match self.shape(node, 0).map(Vec::as_slice) {
                Some([batch, _, places @ ..]) => (*batch as u64)
                    .saturating_mul(count(places))
                    .saturating_mul(self.elements(node, 1)),
                _ => self.elements(node, 1),
            },
            "MatMul" | "MatMulInteger" | "Gemm" => {
                let inner = self.shape(node, 0).and_then(|left| {
                    let transposed = node.op_type == "Gemm" && node.int("transA", 0) != 0;
                    match transposed {
                        true => left.first(),
                        false => left.last(),
                    }
                });
                match (output, inner) {
                    (Some(output), Some(&inner)) => count(output).saturating_mul(inner as u64),
                    _ => self.elements(node, 0).max(self.elements(node, 1)),
                }
            }
            // Every step takes both matrices.
            "LSTM" | "GRU" => {
                let weights = self
                    .elements(node, 1)
                    .saturating_add(self.elements(node, 2));
                let steps = match self.shape(node, 0).map(Vec::as_slice) {
                    Some([steps, batch, _]) => (*steps as u64).saturating_mul(*batch as u64),
                    _ => 1,
                };
                weights.saturating_mul(steps)
            }
            _ => 0,
        }
    }

    /// The shapes of a node's outputs, as far as they are known.
    fn outputs(&self, node: &NodeProto) -> Vec<Option<Shape>> {
        match node.op_type.as_str() {
            "Split" => self
                .split(node)
                .unwrap_or_default()
                .into_iter()
                .map(Some)
                .collect(),
            "LSTM" | "GRU" => vec![self.recurrent(node)],
            _ => vec![self.output(node)],
        }
    }

    fn output(&self, node: &NodeProto) -> Option<Shape> {
        let first = self.shape(node, 0);
        match node.op_type.as_str() {
            "Abs"
            | "Acos"
            | "Asin"
            | "Atan"
            | "BatchNormalization"
            | "Cast"
            | "CastLike"
            | "Ceil"
            | "Clip"
            | "Cos"
            | "CumSum"
            | "DequantizeLinear"
            | "Elu"
            | "Erf"
            | "Exp"
            | "EyeLike"
            | "Floor"
            | "Gelu"
            | "HardSigmoid"
            | "HardSwish"
            | "Identity"
            | "InstanceNormalization"
            | "IsInf"
            | "IsNaN"
            | "LayerNormalization"
            | "LeakyRelu"
            | "Log"
            | "LogSoftmax"
            | "LpNormalization"
            | "Neg"
            | "Not"
            | "PRelu"
            | "QuantizeLinear"
            | "DynamicQuantizeLinear"
            | "Reciprocal"
            | "Relu"
            | "Round"
            | "Sigmoid"
            | "Sign"
            | "Sin"
            | "Softmax"
            | "Softplus"
            | "Softsign"
            | "Sqrt"
            | "Tan"
            | "Tanh"
            | "Trilu"
            | "ScatterElements"
            | "ScatterND" => first.cloned(),
            "Add" | "And" | "Div" | "Equal" | "Greater" | "GreaterOrEqual" | "Less"
            | "LessOrEqual" | "Max" | "Mean" | "Min" | "Mod" | "Mul" | "Or" | "Pow" | "Sub"
            | "Sum" | "Where" | "Xor" => {
                let mut shapes = (0..node.input.len()).map(|input| self.shape(node, input));
                shapes.try_fold(Shape::new(), |sum, shape| broadcast(&sum, shape?))
            }
            "Conv" | "ConvInteger" => {
                let (image, filters) = (first?, self.shape(node, 1)?);
                let mut shape = vec![*image.first()?, *filters.first()?];
                shape.extend(windows(node, image.get(2..)?, filters.get(2..)?)?);
                Some(shape)
            }
            "ConvTranspose" => self.widened(node),
            "MaxPool" | "AveragePool" => {
                let kernel: Option<Shape> = node.ints("kernel_shape")?.iter().map(size).collect();
                let mut shape = first?.get(..2)?.to_vec();
                shape.extend(windows(node, first?.get(2..)?, &kernel?)?);
                Some(shape)
            }
            "GlobalAveragePool" => {
                let mut shape = first?.clone();
                shape.iter_mut().skip(2).for_each(|size| *size = 1);
                Some(shape)
            }
            "MatMul" | "MatMulInteger" => product(first?, self.shape(node, 1)?),
            "Gemm" => {
                let turned = |name| node.int(name, 0) != 0;
                let side = |shape: &Shape, axis: usize| match shape.len() {
                    2 => Some(shape[axis]),
                    _ => None,
                };
                let rows = side(first?, usize::from(turned("transA")))?;
                let columns = side(self.shape(node, 1)?, usize::from(!turned("transB")))?;
                Some(vec![rows, columns])
            }
            "Constant" => node.tensor("value")?.shape().ok(),
            "Reshape" => reshaped(
                first?,
                self.integers(node, 1)?,
                node.int("allowzero", 0) != 0,
            ),
            "Expand" => {
                let wanted: Option<Shape> = self.integers(node, 1)?.iter().map(size).collect();
                broadcast(first?, &wanted?)
            }
            "Flatten" => {
                let axis = place(node.int("axis", 1), first?.len() + 1)?;
                let (rows, columns) = first?.split_at(axis);
                Some(vec![whole(rows)?, whole(columns)?])
            }
            "Transpose" => match node.ints("perm") {
                Some(order) => {
                    let taken = order.iter().map(|&axis| {
                        let axis = usize::try_from(axis).ok()?;
                        first?.get(axis).copied()
                    });
                    taken.collect()
                }
                None => first.map(|shape| shape.iter().rev().copied().collect()),
            },
            "Concat" => {
                let mut shape = first?.clone();
                let axis = place(node.attribute("axis")?.i?, shape.len())?;
                for input in 1..node.input.len() {
                    let more = self.shape(node, input)?.get(axis)?;
                    shape[axis] = shape[axis].checked_add(*more)?;
                }
                Some(shape)
            }
            "Squeeze" | "Unsqueeze" => self.axes_changed(node),
            "ReduceL2" | "ReduceLogSum" | "ReduceLogSumExp" | "ReduceMax" | "ReduceMean"
            | "ReduceMin" | "ReduceProd" | "ReduceSum" | "ReduceSumSquare" | "ArgMax"
            | "ArgMin" => self.reduced(node),
            "Resize" => match (self.integers(node, 3), self.floats(node, 2)) {
                _ if node.attribute("axes").is_some() => None,
                (Some(sizes), _) => sizes.iter().map(size).collect(),
                (None, Some(scales)) if scales.len() == first?.len() => {
                    let scaled = first?.iter().zip(scales);
                    Some(
                        scaled
                            .map(|(&size, &scale)| (size as f32 * scale) as usize)
                            .collect(),
                    )
                }
                _ => None,
            },
            "Pad" => {
                let pads = self.integers(node, 1)?;
                let shape = first?;
                let plain = node.present_input(3).is_none() && pads.len() == 2 * shape.len();
                let padded = shape.iter().enumerate().map(|(axis, &size)| {
                    let around = pads[axis].checked_add(pads[axis + shape.len()])?;
                    size.checked_add_signed(isize::try_from(around).ok()?)
                });
                plain.then(|| padded.collect())?
            }
            "Gather" => {
                let axis = place(node.int("axis", 0), first?.len())?;
                let mut shape = first?[..axis].to_vec();
                shape.extend(self.shape(node, 1)?);
                shape.extend(&first?[axis + 1..]);
                Some(shape)
            }
            "DepthToSpace" => {
                let block = usize::try_from(node.int("blocksize", 1)).ok()?.max(1);
                match first?[..] {
                    [batch, channels, height, width] => Some(vec![
                        batch,
                        channels / block.checked_mul(block)?,
                        height.checked_mul(block)?,
                        width.checked_mul(block)?,
                    ]),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// What a transposed convolution gives.
    fn widened(&self, node: &NodeProto) -> Option<Shape> {
        let (image, filters) = (self.shape(node, 0)?, self.shape(node, 1)?);
        let groups = usize::try_from(node.int("group", 1)).ok()?;
        let mut shape = vec![*image.first()?, filters.get(1)?.checked_mul(groups)?];
        let plain = node.string("auto_pad").is_none_or(|pad| pad == "NOTSET");
        if !plain || node.attribute("output_shape").is_some() {
            return None;
        }
        let (places, kernel) = (image.get(2..)?, filters.get(2..)?);
        for (axis, (&size, &window)) in places.iter().zip(kernel).enumerate() {
            let of =
                |name, default| usize::try_from(along(node, name, axis).unwrap_or(default)).ok();
            let reach = window.checked_sub(1)?.checked_mul(of("dilations", 1)?)?;
            let widened = size.checked_sub(1)?.checked_mul(of("strides", 1)?)?;
            let begin = of("pads", 0)?;
            let end =
                usize::try_from(along(node, "pads", axis + places.len()).unwrap_or(0)).ok()?;
            let more = of("output_padding", 0)?.checked_add(1)?;
            let whole = widened.checked_add(reach)?.checked_add(more)?;
            shape.push(whole.checked_sub(begin.checked_add(end)?)?);
        }
        Some(shape)
    }

    /// The axes that a node names, as attribute or input; `None` where they are not known, empty where there are none.
    fn axes(&self, node: &NodeProto, rank: usize) -> Option<Vec<usize>> {
        let named = match (node.ints("axes"), node.present_input(1)) {
            (Some(axes), _) => axes,
            (None, Some(_)) => self.integers(node, 1)?,
            (None, None) => &[],
        };
        named.iter().map(|&axis| place(axis, rank)).collect()
    }

    fn axes_changed(&self, node: &NodeProto) -> Option<Shape> {
        let shape = self.shape(node, 0)?;
        let squeezed = node.op_type == "Squeeze";
        let named = node.ints("axes").or_else(|| self.integers(node, 1));
        let rank = match squeezed {
            true => shape.len(),
            false => shape.len() + named?.len(),
        };
        let axes = self.axes(node, rank)?;
        if squeezed {
            let all = axes.is_empty();
            let gone = |(axis, size): &(usize, usize)| match all {
                true => *size == 1,
                false => axes.contains(axis),
            };
            let kept = shape.iter().copied().enumerate().filter(|pair| !gone(pair));
            return Some(kept.map(|(_, size)| size).collect());
        }
        let mut rest = shape.iter().copied();
        let sizes = (0..rank).map(|axis| match axes.contains(&axis) {
            true => Some(1),
            false => rest.next(),
        });
        sizes.collect()
    }

    fn reduced(&self, node: &NodeProto) -> Option<Shape> {
        let shape = self.shape(node, 0)?;
        let axes = match node.op_type.as_str() {
            "ArgMax" | "ArgMin" => vec![place(node.int("axis", 0), shape.len())?],
            _ => self.axes(node, shape.len())?,
        };
        if axes.is_empty() && node.int("noop_with_empty_axes", 0) != 0 {
            return Some(shape.clone());
        }
        let keeps = node.int("keepdims", 1) != 0;
        let sizes = shape.iter().enumerate().filter_map(|(axis, &size)| {
            match axes.is_empty() || axes.contains(&axis) {
                true => keeps.then_some(1),
                false => Some(size),
            }
        });
        Some(sizes.collect())
    }

    fn split(&self, node: &NodeProto) -> Option<Vec<Shape>> {
        let shape = self.shape(node, 0)?;
        let axis = place(node.int("axis", 0), shape.len())?;
        let parts = node.output.len().max(1);
        let sizes: Shape = match (node.ints("split"), node.present_input(1)) {
            (Some(sizes), _) => sizes.iter().map(size).collect::<Option<_>>()?,
            (None, Some(_)) => self
                .integers(node, 1)?
                .iter()
                .map(size)
                .collect::<Option<_>>()?,
            (None, None) => {
                let each = shape[axis].div_ceil(parts);
                let before = |part| shape[axis].saturating_sub(part * each);
                (0..parts).map(|part| before(part).min(each)).collect()
            }
        };
        let with = |size| {
            let mut part = shape.clone();
            part[axis] = size;
            part
        };
        Some(sizes.into_iter().map(with).collect())
    }

    fn recurrent(&self, node: &NodeProto) -> Option<Shape> {
        let hidden = usize::try_from(node.attribute("hidden_size")?.i?).ok()?;
        match (&self.shape(node, 0)?[..], &self.shape(node, 1)?[..]) {
            ([steps, batch, _], [directions, ..]) => {
                Some(vec![*steps, *directions, *batch, hidden])
            }
            _ => None,
        }
    }
}

/// A size that is none of the special values.
fn size(size: &i64) -> Option<usize> {
    usize::try_from(*size).ok()
}

/// How many elements, or the largest number.
fn count(shape: &[usize]) -> u64 {
    shape
        .iter()
        .fold(1u64, |product, &size| product.saturating_mul(size as u64))
}

/// How many elements.
fn whole(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1usize, |product, &size| product.checked_mul(size))
}

/// An axis that may be counted from the end.
fn place(axis: i64, rank: usize) -> Option<usize> {
    let axis = match axis < 0 {
        true => usize::try_from(axis.checked_add_unsigned(rank as u64)?).ok()?,
        false => usize::try_from(axis).ok()?,
    };
    (axis < rank).then_some(axis)
}

/// What an attribute says of one axis.
fn along(node: &NodeProto, name: &str, axis: usize) -> Option<i64> {
    node.ints(name)?.get(axis).copied()
}

fn broadcast(left: &[usize], right: &[usize]) -> Option<Shape> {
    let rank = left.len().max(right.len());
    let at = |shape: &[usize], axis: usize| match (axis + shape.len()).checked_sub(rank) {
        Some(axis) => shape[axis],
        None => 1,
    };
    let sizes = (0..rank).map(|axis| match (at(left, axis), at(right, axis)) {
        (1, size) | (size, 1) => Some(size),
        (size, other) => (size == other).then_some(size),
    });
    sizes.collect()
}

/// The shape of a matrix product as NumPy has it.
fn product(left: &[usize], right: &[usize]) -> Option<Shape> {
    let (rows, columns) = (left.len() > 1, right.len() > 1);
    let split = |shape: &[usize], matrix: bool| match matrix {
        true => shape[..shape.len() - 2].to_vec(),
        false => Shape::new(),
    };
    let mut shape = broadcast(&split(left, rows), &split(right, columns))?;
    if rows {
        shape.push(left[left.len() - 2]);
    }
    if columns {
        shape.push(right[right.len() - 1]);
    }
    (!left.is_empty() && !right.is_empty()).then_some(shape)
}

fn reshaped(shape: &[usize], wanted: &[i64], zero_is_zero: bool) -> Option<Shape> {
    let fixed = wanted
        .iter()
        .enumerate()
        .map(|(axis, &wanted)| match wanted {
            -1 => Some(1),
            0 if !zero_is_zero => shape.get(axis).copied(),
            wanted => size(&wanted),
        });
    let mut fixed: Shape = fixed.collect::<Option<_>>()?;
    if let Some(open) = wanted.iter().position(|&wanted| wanted == -1) {
        fixed[open] = whole(shape)?.checked_div(whole(&fixed)?)?;
    }
    Some(fixed)
}

/// How often a window of a convolution or a pool fits along each axis.
fn windows(node: &NodeProto, places: &[usize], kernel: &[usize]) -> Option<Shape> {
    if places.len() != kernel.len() {
        return None;
    }
    let fits = |(axis, (&size, &window)): (usize, (&usize, &usize))| {
        let stride = usize::try_from(along(node, "strides", axis).unwrap_or(1)).ok()?;
        let dilation = usize::try_from(along(node, "dilations", axis).unwrap_or(1)).ok()?;
        let reach = window
            .checked_sub(1)?
            .checked_mul(dilation)?
            .checked_add(1)?;
        let pad = |axis| usize::try_from(along(node, "pads", axis).unwrap_or(0)).ok();
        let pads = match node.string("auto_pad") {
            Some("SAME_UPPER" | "SAME_LOWER") => return Some(size.div_ceil(stride.max(1))),
            Some("VALID") => 0,
            _ => pad(axis)?.checked_add(pad(axis + places.len())?)?,
        };
        let free = size.checked_add(pads)?.checked_sub(reach)?;
        let steps = match node.int("ceil_mode", 0) {
            0 => free.checked_div(stride)?,
            _ => free.div_ceil(stride.max(1)),
        };
        steps.checked_add(1)
    };
    places.iter().zip(kernel).enumerate().map(fits).collect()
}

//! The layers of attention and of codes: matrices over tokens, embeddings, layer normalisation, resizing.

use super::{GraphBuilder, Value, fixed, size};
use crate::model::Dim;
use crate::proto::{AttributeProto, AttributeType, ElementType, TensorProto};
use crate::training_attributes;

impl GraphBuilder {
    /// Gaussian error linear unit (Hendrycks and Gimpel 2016), exact: x / 2 * (1 + erf(x / sqrt(2))).
    pub fn gelu(&mut self, x: &Value) -> Value {
        let [root, one, half] = [std::f32::consts::FRAC_1_SQRT_2, 1.0, 0.5].map(|v| [v]);
        let root = self.constant(&[1], &root);
        let scaled = self.mul(x, &root);
        let erf = self.elementwise("Erf", &[&scaled]);
        let one = self.constant(&[1], &one);
        let gate = self.add(&erf, &one);
        let half = self.constant(&[1], &half);
        let x = self.mul(x, &half);
        self.mul(&x, &gate)
    }

    /// Layer normalisation over the last axis, with scale and bias (Ba et al. 2016).
    pub fn layer_normalisation(&mut self, x: &Value) -> Value {
        let node = self.next_name("layernorm");
        let Some(features) = x.dims.last().and_then(size) else {
            self.mistake(&node, format!("{:?} has no known last axis", x.dims));
            return x.clone();
        };
        let mut inputs = vec![x.name.clone()];
        for (role, value) in [("scale", 1.0), ("bias", 0.0)] {
            inputs.push(self.initialiser(&node, role, &[features], value));
        }
        let attributes = vec![
            AttributeProto::from_int("axis", -1),
            AttributeProto::from_float("epsilon", 1e-5),
        ];
        let dims = x.dims.clone();
        self.push_named(node, "LayerNormalization", inputs, attributes, dims)
    }

    /// Columns of [N, F], in the given order: [N, number of columns].
    pub fn columns(&mut self, x: &Value, columns: &[usize]) -> Value {
        let node = self.next_name("columns");
        let (batch, features) = self.matrix(&node, x);
        if columns.iter().any(|&column| column >= features) {
            self.mistake(&node, format!("{columns:?} are not all below {features}"));
        }
        let indices: Vec<i64> = columns.iter().map(|&column| column as i64).collect();
        let indices = self.integers(&[columns.len()], &indices);
        let attributes = vec![AttributeProto::from_int("axis", 1)];
        let dims = vec![batch, Dim::Fixed(columns.len())];
        self.push(node, "Gather", &[x, &indices], attributes, dims)
    }

    /// A learned row for the code in one column of [N, F]: [N, `width`]. Codes are cut to an integer towards zero and
    /// bound to 0 to `rows` - 1.
    pub fn embedding(&mut self, x: &Value, column: usize, rows: usize, width: usize) -> Value {
        let node = self.next_name("embedding");
        let (batch, features) = self.matrix(&node, x);
        if column >= features || rows == 0 {
            self.mistake(&node, format!("no column {column}, or no rows"));
        }
        // A scalar index takes the axis away.
        let index = self.integers(&[], &[column as i64]);
        let name = self.next_name("code");
        let attributes = vec![AttributeProto::from_int("axis", 1)];
        let code = self.push(
            name,
            "Gather",
            &[x, &index],
            attributes,
            vec![batch.clone()],
        );
        let low = self.constant(&[], &[0.0]);
        let high = self.constant(&[], &[rows.saturating_sub(1) as f32]);
        let name = self.next_name("clip");
        let code = self.push(
            name,
            "Clip",
            &[&code, &low, &high],
            vec![],
            code.dims.clone(),
        );
        let name = self.next_name("cast");
        let attributes = vec![AttributeProto::from_int("to", ElementType::Int64 as i64)];
        let code = self.push(name, "Cast", &[&code], attributes, code.dims.clone());
        let table = self.initialiser(&node, "weight", &[rows, width], 0.0);
        let attributes = vec![AttributeProto::from_int("axis", 0)];
        let dims = vec![batch, Dim::Fixed(width)];
        self.push_named(node, "Gather", vec![table, code.name], attributes, dims)
    }

    /// The product of matrices along the last two axes; leading axes broadcast when one side has none.
    pub fn matrix_product(&mut self, a: &Value, b: &Value) -> Value {
        let node = self.next_name("matmul");
        let (Some((left, [rows, inner])), Some((right, [other, columns]))) =
            (a.dims.split_last_chunk(), b.dims.split_last_chunk())
        else {
            self.mistake(&node, "both sides must be matrices".into());
            return a.clone();
        };
        let batch = if left.is_empty() { right } else { left };
        if inner != other || !(left.is_empty() || right.is_empty() || left == right) {
            let problem = format!("{:?} and {:?} cannot be multiplied", a.dims, b.dims);
            self.mistake(&node, problem);
        }
        let matrix = [rows.clone(), columns.clone()];
        let dims = batch.iter().cloned().chain(matrix).collect();
        self.push(node, "MatMul", &[a, b], vec![], dims)
    }

    /// A linear layer without bias over the last axis of tokens: [N, T, F] to [N, T, `features`]. The weight is
    /// stored as [F, `features`].
    pub fn project(&mut self, x: &Value, features: usize) -> Value {
        let node = self.next_name("project");
        let (Some(Dim::Fixed(inner)), Some((_, rest))) = (x.dims.last(), x.dims.split_last())
        else {
            self.mistake(&node, format!("{:?} has no known last axis", x.dims));
            return x.clone();
        };
        let dims = rest.iter().cloned().chain([Dim::Fixed(features)]).collect();
        let weight = self.initialiser(&node, "weight", &[*inner, features], 0.0);
        self.push_named(node, "MatMul", vec![x.name.clone(), weight], vec![], dims)
    }

    /// The axes in another order.
    pub fn transpose(&mut self, x: &Value, order: &[usize]) -> Value {
        let node = self.next_name("transpose");
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..x.dims.len()) {
            self.mistake(&node, format!("{order:?} does not order {:?}", x.dims));
            return x.clone();
        }
        let permutation: Vec<i64> = order.iter().map(|&axis| axis as i64).collect();
        let dims = order.iter().map(|&axis| x.dims[axis].clone()).collect();
        let attributes = vec![AttributeProto::from_ints("perm", &permutation)];
        self.push(node, "Transpose", &[x], attributes, dims)
    }

    /// The mean over one axis, which disappears.
    pub fn mean(&mut self, x: &Value, axis: usize) -> Value {
        let node = self.next_name("mean");
        if axis >= x.dims.len() {
            self.mistake(&node, format!("{:?} has no axis {axis}", x.dims));
            return x.clone();
        }
        let axes = self.integers(&[1], &[axis as i64]);
        let mut dims = x.dims.clone();
        dims.remove(axis);
        let attributes = vec![AttributeProto::from_int("keepdims", 0)];
        self.push(node, "ReduceMean", &[x, &axes], attributes, dims)
    }

    /// Bilinear resizing of [N, C, H, W] to `side` by `side`, with centres aligned and without antialiasing: shrink
    /// by whole factors with [`average_pool`](Self::average_pool) first.
    pub fn resize(&mut self, x: &Value, side: usize) -> Value {
        let node = self.next_name("resize");
        let (batch, channels, height, width) = self.image(&node, x);
        let (Some(height), Some(width), 1..) = (size(&height), size(&width), side) else {
            self.mistake(&node, format!("{:?} has unknown sides", x.dims));
            return x.clone();
        };
        let scales = [1.0, 1.0, ratio(height, side), ratio(width, side)];
        let scales = self.constant(&[4], &scales);
        let text = |name: &str, value: &str| AttributeProto {
            name: name.into(),
            s: Some(value.into()),
            r#type: AttributeType::String as i32,
            ..AttributeProto::default()
        };
        let attributes = vec![
            text("mode", "linear"),
            text("coordinate_transformation_mode", "half_pixel"),
        ];
        let side = Dim::Fixed(side);
        let dims = vec![batch, Dim::Fixed(channels), side.clone(), side];
        let inputs = vec![x.name.clone(), String::new(), scales.name];
        self.push_named(node, "Resize", inputs, attributes, dims)
    }

    /// The value itself; during training each column of each sample is replaced with its unknown value with this
    /// probability, so that the network learns what to do without it.
    pub fn train_unknown(&mut self, x: &Value, probability: f32, unknown: &[f32]) -> Value {
        let node = self.next_name("maybe_unknown");
        let (_, columns) = self.matrix(&node, x);
        if columns != unknown.len() {
            self.mistake(&node, format!("{unknown:?} for {columns} columns"));
        }
        let values = AttributeProto {
            name: training_attributes::UNKNOWN_VALUES.into(),
            floats: unknown.to_vec(),
            r#type: AttributeType::Floats as i32,
            ..AttributeProto::default()
        };
        let value = self.push(node, "Identity", &[x], vec![values], x.dims.clone());
        self.training_attribute(training_attributes::UNKNOWN, probability);
        value
    }

    /// A constant of integers.
    pub(super) fn integers(&mut self, dims: &[usize], values: &[i64]) -> Value {
        let tensor = TensorProto::from_i64("", dims, values);
        let attributes = vec![AttributeProto::from_tensor("value", tensor)];
        let name = self.next_name("constant");
        self.push(name, "Constant", &[], attributes, fixed(dims))
    }
}

/// The factor from one size to another. Runtimes cut the product down to an integer, so it must not fall below.
fn ratio(from: usize, to: usize) -> f32 {
    let mut ratio = to as f32 / from as f32;
    while (f64::from(ratio) * from as f64) < to as f64 || ratio * (from as f32) < to as f32 {
        ratio = ratio.next_up();
    }
    ratio
}

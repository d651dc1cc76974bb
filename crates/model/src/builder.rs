//! Building a graph node by node.
//!
//! Weights are initialisers with the right dimensions and placeholder values (zero; one for the scale and variance of
//! batch normalisation): training sets the real initial values. Fixed numbers are `Constant` nodes, so that whatever
//! is an initialiser is learned.

mod attention;

use std::collections::BTreeSet;

use crate::model::{Dim, Model, ReadError};
use crate::proto::{
    AttributeProto, DimensionProto, ElementType, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use crate::training_attributes;

/// The version of the standard operators that built graphs use.
pub const OPSET: i64 = 18;
/// The version of the file format that built graphs use.
pub const IR_VERSION: i64 = 8;

/// A value in a graph under construction: its name and what is known of its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    name: String,
    dims: Vec<Dim>,
}

impl Value {
    /// The name in the graph.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shape, outermost dimension first.
    pub fn dims(&self) -> &[Dim] {
        &self.dims
    }
}

/// How a square convolution moves over its input.
#[derive(Clone, Copy, Debug)]
pub struct Convolution {
    /// Channels of the output.
    pub channels: usize,
    /// Height and width of the kernel; odd.
    pub kernel: usize,
    /// Step in both directions.
    pub stride: usize,
    /// Zeros on every side; half the kernel keeps the size when the stride is one.
    pub padding: usize,
    /// Groups that do not see each other; the number of input channels makes the convolution depthwise.
    pub groups: usize,
    /// Whether a bias is added; not needed before batch normalisation.
    pub bias: bool,
}

impl Convolution {
    /// A dense convolution without bias, padded by half its kernel.
    pub fn new(channels: usize, kernel: usize, stride: usize) -> Self {
        Self {
            channels,
            kernel,
            stride,
            padding: kernel / 2,
            groups: 1,
            bias: false,
        }
    }
}

/// Why a graph could not be built.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A parameter is out of range, or an operation does not fit the shape of its input.
    #[error("{place}: {problem}")]
    Invalid {
        /// The parameter, or the node that was to be added.
        place: String,
        /// Why it does not fit.
        problem: String,
    },
    /// The finished graph is not a model.
    #[error(transparent)]
    Model(#[from] ReadError),
}

/// Appends nodes and initialisers to a graph.
///
/// Methods never fail: the first mistake is kept and returned by [`finish`](Self::finish), so that an architecture
/// reads as one expression after the other.
#[derive(Debug)]
pub struct GraphBuilder {
    graph: GraphProto,
    mistake: Option<BuildError>,
    /// What all names start with at present.
    scope: String,
    /// The name of the next node, if it was given one.
    next: Option<String>,
}

impl GraphBuilder {
    /// An empty graph of this name.
    pub fn new(name: &str) -> Self {
        Self {
            graph: GraphProto {
                name: name.into(),
                ..GraphProto::default()
            },
            mistake: None,
            scope: String::new(),
            next: None,
        }
    }

    /// Builds a part of the graph in which every name starts with `scope` and a dot.
    pub fn scope<T>(&mut self, scope: &str, build: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.scope.len();
        self.scope.push_str(scope);
        self.scope.push('.');
        let built = build(self);
        self.scope.truncate(length);
        built
    }

    /// Names the next node, within the scope. Initialisers are named after their node, so a name that does not change
    /// when the graph around it does is what weights can be found by. Without it nodes are numbered.
    pub fn name(&mut self, name: &str) -> &mut Self {
        self.next = Some(format!("{}{name}", self.scope));
        self
    }

    /// A float input.
    pub fn input(&mut self, name: &str, dims: Vec<Dim>) -> Value {
        let value = Value {
            name: name.into(),
            dims,
        };
        self.graph.input.push(value_info(&value));
        value
    }

    /// A fixed float tensor that is never trained. `values` are row-major.
    pub fn constant(&mut self, dims: &[usize], values: &[f32]) -> Value {
        let node = self.next_name("constant");
        if dims.iter().product::<usize>() != values.len() {
            self.mistake(&node, format!("{} values for {dims:?}", values.len()));
        }
        let tensor = TensorProto::from_f32("", dims, values);
        let attributes = vec![AttributeProto::from_tensor("value", tensor)];
        self.push(node, "Constant", &[], attributes, fixed(dims))
    }

    /// A square convolution of [N, C, H, W].
    pub fn convolution(&mut self, x: &Value, how: Convolution) -> Value {
        let node = self.next_name("conv");
        let Convolution {
            channels,
            kernel,
            stride,
            padding,
            groups,
            bias,
        } = how;
        let (batch, input_channels, height, width) = self.image(&node, x);
        if groups == 0 || input_channels % groups != 0 || channels % groups != 0 {
            let problem =
                format!("{groups} groups do not divide {input_channels} and {channels} channels");
            self.mistake(&node, problem);
        }
        if kernel % 2 == 0 || stride == 0 {
            let problem = format!("kernel {kernel} must be odd and stride {stride} positive");
            self.mistake(&node, problem);
        }
        let weight = [channels, input_channels / groups.max(1), kernel, kernel];
        let mut inputs = vec![x.name.clone()];
        inputs.push(self.initialiser(&node, "weight", &weight, 0.0));
        if bias {
            inputs.push(self.initialiser(&node, "bias", &[channels], 0.0));
        }
        let attributes = window(kernel, stride, padding)
            .into_iter()
            .chain((groups != 1).then(|| AttributeProto::from_int("group", groups as i64)))
            .collect();
        let [height, width] = [height, width].map(|d| strided(&d, kernel, stride, padding));
        let dims = vec![batch, Dim::Fixed(channels), height, width];
        self.push_named(node, "Conv", inputs, attributes, dims)
    }

    /// A convolution in which every channel has its own kernel.
    pub fn depthwise(&mut self, x: &Value, kernel: usize, stride: usize) -> Value {
        let channels = self.channels("depthwise", x);
        let how = Convolution {
            groups: channels,
            ..Convolution::new(channels, kernel, stride)
        };
        self.convolution(x, how)
    }

    /// Batch normalisation over the channels (axis 1).
    pub fn batch_normalisation(&mut self, x: &Value) -> Value {
        let node = self.next_name("norm");
        let channels = self.channels(&node, x);
        let mut inputs = vec![x.name.clone()];
        let roles = [("scale", 1.0), ("bias", 0.0), ("mean", 0.0), ("var", 1.0)];
        for (role, value) in roles {
            inputs.push(self.initialiser(&node, role, &[channels], value));
        }
        let attributes = vec![AttributeProto::from_float("epsilon", 1e-5)];
        self.push_named(
            node,
            "BatchNormalization",
            inputs,
            attributes,
            x.dims.clone(),
        )
    }

    /// max(x, 0).
    pub fn relu(&mut self, x: &Value) -> Value {
        self.elementwise("Relu", &[x])
    }

    /// min(max(x, 0), 6).
    pub fn relu6(&mut self, x: &Value) -> Value {
        let [zero, six] = [0.0, 6.0].map(|bound| self.constant(&[], &[bound]));
        let node = self.next_name("clip");
        self.push(node, "Clip", &[x, &zero, &six], vec![], x.dims.clone())
    }

    /// x * max(0, min(1, x / 6 + 1/2)).
    pub fn hard_swish(&mut self, x: &Value) -> Value {
        self.elementwise("HardSwish", &[x])
    }

    /// 1 / (1 + exp(-x)).
    pub fn sigmoid(&mut self, x: &Value) -> Value {
        self.elementwise("Sigmoid", &[x])
    }

    /// x * sigmoid(x).
    pub fn silu(&mut self, x: &Value) -> Value {
        let gate = self.sigmoid(x);
        self.mul(x, &gate)
    }

    /// |x|.
    pub fn abs(&mut self, x: &Value) -> Value {
        self.elementwise("Abs", &[x])
    }

    /// The sum, with broadcasting.
    pub fn add(&mut self, a: &Value, b: &Value) -> Value {
        self.elementwise("Add", &[a, b])
    }

    /// The difference, with broadcasting.
    pub fn sub(&mut self, a: &Value, b: &Value) -> Value {
        self.elementwise("Sub", &[a, b])
    }

    /// The product, with broadcasting.
    pub fn mul(&mut self, a: &Value, b: &Value) -> Value {
        self.elementwise("Mul", &[a, b])
    }

    /// The maximum of each window of [N, C, H, W], without padding.
    pub fn max_pool(&mut self, x: &Value, kernel: usize, stride: usize) -> Value {
        self.padded_max_pool(x, kernel, stride, 0)
    }

    /// The maximum of each window of [N, C, H, W]. What pads it is smaller than every number.
    pub fn padded_max_pool(
        &mut self,
        x: &Value,
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> Value {
        self.pool("MaxPool", x, kernel, stride, padding)
    }

    /// The mean of each window of [N, C, H, W], without padding.
    pub fn average_pool(&mut self, x: &Value, kernel: usize, stride: usize) -> Value {
        self.pool("AveragePool", x, kernel, stride, 0)
    }

    /// The mean over height and width: [N, C, H, W] to [N, C, 1, 1].
    pub fn global_average_pool(&mut self, x: &Value) -> Value {
        let node = self.next_name("globalaveragepool");
        let (batch, channels, ..) = self.image(&node, x);
        let dims = vec![batch, Dim::Fixed(channels), Dim::Fixed(1), Dim::Fixed(1)];
        self.push(node, "GlobalAveragePool", &[x], vec![], dims)
    }

    /// All axes after the first joined into one.
    pub fn flatten(&mut self, x: &Value) -> Value {
        let node = self.next_name("flatten");
        let features = x.dims.iter().skip(1).map(size).product::<Option<usize>>();
        let batch = x.dims.first().cloned();
        let (Some(batch), Some(features)) = (batch, features) else {
            self.mistake(&node, format!("{:?} has unknown dimensions", x.dims));
            return x.clone();
        };
        let attributes = vec![AttributeProto::from_int("axis", 1)];
        let dims = vec![batch, Dim::Fixed(features)];
        self.push(node, "Flatten", &[x], attributes, dims)
    }

    /// A linear layer with bias: [N, F] to [N, `features`]. The weight is stored as [`features`, F].
    pub fn linear(&mut self, x: &Value, features: usize) -> Value {
        let node = self.next_name("linear");
        let (batch, input_features) = self.matrix(&node, x);
        let weight = self.initialiser(&node, "weight", &[features, input_features], 0.0);
        let bias = self.initialiser(&node, "bias", &[features], 0.0);
        let inputs = vec![x.name.clone(), weight, bias];
        let attributes = vec![AttributeProto::from_int("transB", 1)];
        let dims = vec![batch, Dim::Fixed(features)];
        self.push_named(node, "Gemm", inputs, attributes, dims)
    }

    /// One feature per hat: max(0, 1 - |x\[column\] - centre| / width), from [N, F] to [N, number of hats].
    ///
    /// A hat of width one around an integer is the indicator of that integer, so a code becomes one-hot with
    /// arithmetic alone; wide hats that overlap interpolate a number piecewise linearly.
    pub fn hats(&mut self, x: &Value, hats: &[Hat]) -> Value {
        let node = self.next_name("hats");
        let (batch, columns) = self.matrix(&node, x);
        let mut scale = vec![0.0; columns * hats.len()];
        for (index, hat) in hats.iter().enumerate() {
            match scale.get_mut(hat.column * hats.len() + index) {
                Some(entry) if hat.column < columns => *entry = 1.0 / hat.width,
                _ => self.mistake(&node, format!("there is no column {}", hat.column)),
            }
        }
        let offset: Vec<f32> = hats.iter().map(|hat| -hat.centre / hat.width).collect();
        let scale = self.constant(&[columns, hats.len()], &scale);
        let offset = self.constant(&[hats.len()], &offset);
        let one = self.constant(&[1], &[1.0]);
        let dims = vec![batch, Dim::Fixed(hats.len())];
        let distance = self.push(node, "Gemm", &[x, &scale, &offset], vec![], dims);
        let distance = self.abs(&distance);
        let height = self.sub(&one, &distance);
        self.relu(&height)
    }

    /// The values side by side along `axis`.
    pub fn concat(&mut self, values: &[&Value], axis: usize) -> Value {
        let node = self.next_name("concat");
        let total = values
            .iter()
            .map(|v| v.dims.get(axis).and_then(size))
            .sum::<Option<usize>>();
        let first = values.first().map(|v| v.dims.clone());
        let (Some(mut dims), Some(total)) = (first, total) else {
            self.mistake(&node, format!("the sizes along axis {axis} are not known"));
            return Value {
                name: node,
                dims: vec![],
            };
        };
        dims[axis] = Dim::Fixed(total);
        let attributes = vec![AttributeProto::from_int("axis", axis as i64)];
        self.push(node, "Concat", values, attributes, dims)
    }

    /// Squeeze and excitation (Hu et al. 2018): channels are scaled by gates computed from their means.
    pub fn squeeze_excite(&mut self, x: &Value, reduced_channels: usize) -> Value {
        let channels = self.channels("squeeze_excite", x);
        let biased = |channels| Convolution {
            bias: true,
            ..Convolution::new(channels, 1, 1)
        };
        let mean = self.global_average_pool(x);
        let hidden = self.convolution(&mean, biased(reduced_channels));
        let hidden = self.relu(&hidden);
        let gates = self.convolution(&hidden, biased(channels));
        let gates = self.sigmoid(&gates);
        self.mul(x, &gates)
    }

    /// Softmax over the last axis.
    pub fn softmax(&mut self, x: &Value) -> Value {
        let node = self.next_name("softmax");
        let attributes = vec![AttributeProto::from_int("axis", -1)];
        self.push(node, "Softmax", &[x], attributes, x.dims.clone())
    }

    /// The same elements in another shape; the first dimension stays as it is.
    pub fn reshape(&mut self, x: &Value, rest: &[usize]) -> Value {
        let node = self.next_name("reshape");
        let held = x.dims.iter().skip(1).map(size).product::<Option<usize>>();
        if held != Some(rest.iter().product()) {
            self.mistake(&node, format!("{:?} cannot become {rest:?}", x.dims));
        }
        // ONNX: zero copies the input's dimension.
        let target: Vec<i64> = std::iter::once(0)
            .chain(rest.iter().map(|&d| d as i64))
            .collect();
        let shape = self.integers(&[target.len()], &target);
        let dims = x.dims.iter().take(1).cloned().chain(fixed(rest)).collect();
        self.push(node, "Reshape", &[x, &shape], vec![], dims)
    }

    /// Declares dropout during training on the output of the last node.
    pub fn train_dropout(&mut self, probability: f32) {
        self.training_attribute(training_attributes::DROPOUT, probability);
    }

    /// Declares stochastic depth during training on the output of the last node.
    pub fn train_drop_path(&mut self, probability: f32) {
        self.training_attribute(training_attributes::DROP_PATH, probability);
    }

    /// Writes the shape of an inner value into the file: where a graph may be cut in two.
    pub fn declare(&mut self, value: &Value) {
        self.graph.value_info.push(value_info(value));
    }

    /// Makes a value an output of the graph under this name.
    pub fn output(&mut self, value: &Value, name: &str) {
        for node in &mut self.graph.node {
            for used in node.input.iter_mut().chain(&mut node.output) {
                if *used == value.name {
                    name.clone_into(used);
                }
            }
        }
        self.graph.output.push(value_info(&Value {
            name: name.into(),
            dims: value.dims.clone(),
        }));
    }

    /// The finished model.
    ///
    /// # Errors
    /// The first operation that did not fit, or what makes the graph unusable.
    pub fn finish(self) -> Result<Model, BuildError> {
        let graph = self.graph;
        let mut names = BTreeSet::new();
        let twice = graph.node.iter().find(|node| !names.insert(&node.name));
        let twice = twice.map(|node| BuildError::Invalid {
            place: node.name.clone(),
            problem: "the name is given to two nodes".into(),
        });
        if let Some(mistake) = self.mistake.or(twice) {
            return Err(mistake);
        }
        let proto = ModelProto {
            ir_version: IR_VERSION,
            producer_name: "agon".into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph,
            opset_import: vec![OperatorSetIdProto {
                domain: String::new(),
                version: OPSET,
            }],
            ..ModelProto::default()
        };
        Ok(Model::from_proto(proto)?)
    }

    fn training_attribute(&mut self, name: &str, probability: f32) {
        if !(0.0..1.0).contains(&probability) {
            self.mistake(
                name,
                format!("{probability} is not a probability below one"),
            );
        }
        match self.graph.node.last_mut() {
            Some(node) => node
                .attribute
                .push(AttributeProto::from_float(name, probability)),
            None => self.mistake(name, "there is no node yet".into()),
        }
    }

    fn pool(
        &mut self,
        operator: &str,
        x: &Value,
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> Value {
        let node = self.next_name(&operator.to_lowercase());
        let (batch, channels, height, width) = self.image(&node, x);
        if kernel == 0 || stride == 0 || padding >= kernel.max(1) {
            let problem = "kernel and stride must be positive, padding below the kernel";
            self.mistake(&node, problem.into());
        }
        let [height, width] = [height, width].map(|d| strided(&d, kernel, stride, padding));
        let dims = vec![batch, Dim::Fixed(channels), height, width];
        self.push(node, operator, &[x], window(kernel, stride, padding), dims)
    }

    fn elementwise(&mut self, operator: &str, inputs: &[&Value]) -> Value {
        let node = self.next_name(&operator.to_lowercase());
        let mut dims = inputs[0].dims.clone();
        for other in &inputs[1..] {
            match broadcast(&dims, &other.dims) {
                Some(joined) => dims = joined,
                None => {
                    let problem = format!("{dims:?} and {:?} do not broadcast", other.dims);
                    self.mistake(&node, problem);
                }
            }
        }
        self.push(node, operator, inputs, vec![], dims)
    }

    fn push(
        &mut self,
        node: String,
        operator: &str,
        inputs: &[&Value],
        attributes: Vec<AttributeProto>,
        dims: Vec<Dim>,
    ) -> Value {
        let names = inputs.iter().map(|v| v.name.clone()).collect();
        self.push_named(node, operator, names, attributes, dims)
    }

    fn push_named(
        &mut self,
        node: String,
        operator: &str,
        input: Vec<String>,
        attribute: Vec<AttributeProto>,
        dims: Vec<Dim>,
    ) -> Value {
        self.graph.node.push(NodeProto {
            name: node.clone(),
            op_type: operator.into(),
            input,
            output: vec![node.clone()],
            attribute,
            ..NodeProto::default()
        });
        Value { name: node, dims }
    }

    fn initialiser(&mut self, node: &str, role: &str, dims: &[usize], value: f32) -> String {
        let name = format!("{node}.{role}");
        let values = vec![value; dims.iter().product()];
        let tensor = TensorProto::from_f32(&name, dims, &values);
        self.graph.initializer.push(tensor);
        name
    }

    /// Numbered names are unique because the number of nodes only grows between two calls with one prefix.
    fn next_name(&mut self, prefix: &str) -> String {
        let numbered = || format!("{}{prefix}_{}", self.scope, self.graph.node.len());
        self.next.take().unwrap_or_else(numbered)
    }

    /// Batch, channels, height and width of [N, C, H, W].
    fn image(&mut self, node: &str, x: &Value) -> (Dim, usize, Dim, Dim) {
        let channels = self.channels(node, x);
        match x.dims.as_slice() {
            [batch, _, height, width] => (batch.clone(), channels, height.clone(), width.clone()),
            _ => {
                self.mistake(node, format!("{:?} is not [N, C, H, W]", x.dims));
                let unknown = || Dim::Named(String::new());
                (unknown(), channels, unknown(), unknown())
            }
        }
    }

    /// Batch and features of [N, F].
    fn matrix(&mut self, node: &str, x: &Value) -> (Dim, usize) {
        match x.dims.as_slice() {
            [batch, Dim::Fixed(features)] => (batch.clone(), *features),
            _ => {
                self.mistake(node, format!("{:?} is not [N, features]", x.dims));
                (Dim::Named(String::new()), 1)
            }
        }
    }

    /// The size of axis 1.
    fn channels(&mut self, node: &str, x: &Value) -> usize {
        match x.dims.get(1) {
            Some(Dim::Fixed(channels)) => *channels,
            _ => {
                self.mistake(node, format!("{:?} has no known axis 1", x.dims));
                1
            }
        }
    }

    fn mistake(&mut self, node: &str, problem: String) {
        let place = node.to_owned();
        self.mistake
            .get_or_insert(BuildError::Invalid { place, problem });
    }
}

/// One feature of [`GraphBuilder::hats`].
#[derive(Clone, Copy, Debug)]
pub struct Hat {
    /// The column that is read.
    pub column: usize,
    /// Where the feature is one.
    pub centre: f32,
    /// How far from the centre it becomes zero.
    pub width: f32,
}

fn size(dim: &Dim) -> Option<usize> {
    match dim {
        Dim::Fixed(size) => Some(*size),
        Dim::Named(_) => None,
    }
}

fn fixed(dims: &[usize]) -> Vec<Dim> {
    dims.iter().map(|&d| Dim::Fixed(d)).collect()
}

/// The attributes that convolutions and pools share.
fn window(kernel: usize, stride: usize, padding: usize) -> Vec<AttributeProto> {
    let [kernel, stride, padding] = [kernel, stride, padding].map(|v| v as i64);
    vec![
        AttributeProto::from_ints("kernel_shape", &[kernel; 2]),
        AttributeProto::from_ints("strides", &[stride; 2]),
        AttributeProto::from_ints("pads", &[padding; 4]),
    ]
}

/// The size after a window has moved over a dimension.
fn strided(dim: &Dim, kernel: usize, stride: usize, padding: usize) -> Dim {
    match dim {
        Dim::Fixed(size) => {
            let room = (size + 2 * padding).checked_sub(kernel);
            Dim::Fixed(room.map_or(0, |room| room / stride.max(1) + 1))
        }
        Dim::Named(_) => Dim::Named(String::new()),
    }
}

/// The shape of an elementwise result: axes are aligned at the end and a size of one stretches.
fn broadcast(a: &[Dim], b: &[Dim]) -> Option<Vec<Dim>> {
    let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    let mut dims = long.to_vec();
    let offset = long.len() - short.len();
    for (dim, other) in dims[offset..].iter_mut().zip(short) {
        match (&*dim, other) {
            (_, Dim::Fixed(1)) => {}
            (Dim::Fixed(1), _) => *dim = other.clone(),
            (a, b) if a == b => {}
            _ => return None,
        }
    }
    Some(dims)
}

fn value_info(value: &Value) -> ValueInfoProto {
    let dim = value.dims.iter().map(|dim| match dim {
        Dim::Fixed(size) => DimensionProto {
            dim_value: Some(*size as i64),
            ..DimensionProto::default()
        },
        Dim::Named(name) => DimensionProto {
            dim_param: Some(name.clone()),
            ..DimensionProto::default()
        },
    });
    let tensor = TensorTypeProto {
        elem_type: ElementType::Float as i32,
        shape: Some(TensorShapeProto { dim: dim.collect() }),
    };
    ValueInfoProto {
        name: value.name.clone(),
        r#type: Some(TypeProto {
            tensor_type: Some(tensor),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}

//! Reading a file from a stranger: what is refused, and why, before anything runs.
//!
//! Inspection answers with a reason that the author can act on. It does not bound what a graph costs to run: sizes
//! that depend on the data are only known then, so models run in a sandbox with limits on memory and time. What costs too much
//! by the shapes that can be read is refused here, the same on every machine.

mod work;

pub use work::multiply_adds;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::model::{Dim, MAX_BYTES, Model, ReadError, ValueSpec};
use crate::operators::{self, MAX_OPSET, MIN_OPSET};
use crate::proto::{
    ElementType, GraphProto, NodeProto, TensorError, TensorProto, is_default_domain,
};

/// The file format versions that are accepted.
const IR_VERSIONS: RangeInclusive<i64> = 3..=13;
/// The largest kernel, stride, dilation or padding of a convolution or pool.
const MAX_WINDOW: i64 = 4096;
/// Elements of an integer constant that may be a shape; longer ones are data.
const MAX_SHAPE_ELEMENTS: usize = 64;

/// What a model may be at most.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: u64,
    /// Nodes of the graph.
    pub nodes: usize,
    /// Elements of all stored tensors together.
    pub parameters: usize,
    /// Elements of one tensor whose shape can be read from the graph.
    pub tensor_elements: usize,
    /// Dimensions of one tensor.
    pub rank: usize,
    /// Inputs, and outputs.
    pub values: usize,
    /// Multiplications with an addition in one run, as far as shapes tell.
    pub multiply_adds: u64,
}

impl Default for Limits {
    /// The limits of the competitions: 150 MiB; room for the largest networks of that size.
    fn default() -> Self {
        Self {
            bytes: MAX_BYTES,
            nodes: 20_000,
            parameters: 150 << 20,
            tensor_elements: 1 << 27,
            rank: 8,
            values: 16,
            // Three times an EfficientNet-B7 at 600x600; what takes minutes for one image.
            multiply_adds: 100_000_000_000,
        }
    }
}

/// The class of a refusal, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// The file, or the number of its parts, exceeds a limit.
    TooLarge,
    /// The bytes are not a model, or the graph contradicts itself.
    Malformed,
    /// An operator is not on the list, or belongs to a custom domain.
    ForbiddenOperator,
    /// Something other than operators that is not accepted: external data, functions, subgraphs, element types.
    ForbiddenContent,
    /// A shape in the graph asks for more memory than allowed.
    GiantShape,
    /// The inputs are not those of the task.
    WrongInputs,
    /// The output is not that of the task.
    WrongOutputs,
}

impl fmt::Display for RefusalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "too large",
            Self::Malformed => "malformed",
            Self::ForbiddenOperator => "forbidden operator",
            Self::ForbiddenContent => "forbidden content",
            Self::GiantShape => "giant shape",
            Self::WrongInputs => "wrong inputs",
            Self::WrongOutputs => "wrong outputs",
        })
    }
}

/// Why a model is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{kind}: {reason}")]
pub struct Refusal {
    /// For programs.
    pub kind: RefusalKind,
    /// For people: what is wrong and where.
    pub reason: String,
}

impl Refusal {
    fn new(kind: RefusalKind, reason: impl Into<String>) -> Self {
        // Names come from the file, so the reason is cut to what a ledger row and a screen can hold.
        let reason: String = reason.into();
        let reason = reason.chars().take(300).collect();
        Self { kind, reason }
    }

    fn malformed(reason: impl Into<String>) -> Self {
        Self::new(RefusalKind::Malformed, reason)
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        let kind = match error {
            ReadError::TooLarge { .. } | ReadError::TooMany { .. } => RefusalKind::TooLarge,
            ReadError::Malformed(_) | ReadError::Empty(_) | ReadError::Value { .. } => {
                RefusalKind::Malformed
            }
        };
        Self::new(kind, error.to_string())
    }
}

impl From<TensorError> for Refusal {
    fn from(error: TensorError) -> Self {
        let kind = match error {
            TensorError::External { .. } | TensorError::Type { .. } => {
                RefusalKind::ForbiddenContent
            }
            TensorError::Dimensions { .. } | TensorError::Length { .. } => RefusalKind::Malformed,
        };
        Self::new(kind, error.to_string())
    }
}

/// An accepted model and what inspection saw of it.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The decoded model. Its re-encoded bytes hold nothing that was not inspected.
    pub model: Model,
    /// The size of the file.
    pub bytes: u64,
    /// The number of nodes.
    pub nodes: usize,
    /// The number of elements of all stored tensors.
    pub parameters: usize,
    /// How often each operator is used.
    pub operators: BTreeMap<String, usize>,
}

/// Checks the size of a file, to be asked before the file is read.
///
/// # Errors
/// When it exceeds the limit or is zero.
pub fn check_size(bytes: u64, limits: &Limits) -> Result<(), Refusal> {
    if bytes > limits.bytes {
        let reason = format!(
            "the file has {bytes} bytes; at most {} are allowed",
            limits.bytes
        );
        return Err(Refusal::new(RefusalKind::TooLarge, reason));
    }
    if bytes == 0 {
        return Err(Refusal::malformed("the file is empty"));
    }
    Ok(())
}

/// Decodes a model and checks everything that can be checked without running it.
///
/// # Errors
/// The first reason not to accept it.
pub fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspection, Refusal> {
    check_size(bytes.len() as u64, limits)?;
    let model = Model::from_bytes(bytes)?;
    check_file(&model)?;
    let graph = model.graph();
    at_most("nodes", graph.node.len(), limits.nodes)?;
    at_most("inputs", model.inputs().len(), limits.values)?;
    at_most("outputs", graph.output.len(), limits.values)?;
    if model.inputs().is_empty() {
        return Err(Refusal::new(
            RefusalKind::WrongInputs,
            "the model has no inputs",
        ));
    }
    let mut parameters = 0usize;
    for tensor in &graph.initializer {
        check_tensor(tensor, limits)?;
        parameters = parameters.saturating_add(tensor.element_count()?);
    }
    at_most("parameters", parameters, limits.parameters)?;
    for node in &graph.node {
        check_node(node, limits)?;
    }
    check_names(graph)?;
    check_declared_shapes(graph, limits)?;
    let shapes = Shapes::of(graph);
    for node in &graph.node {
        shapes.check(node, limits)?;
    }
    let mut operators = BTreeMap::new();
    for node in &graph.node {
        *operators.entry(node.op_type.clone()).or_insert(0) += 1;
    }
    Ok(Inspection {
        bytes: bytes.len() as u64,
        nodes: graph.node.len(),
        parameters,
        operators,
        model,
    })
}

/// What a task expects of a tensor. A dimension that the model leaves open fits every range.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TensorContract {
    /// The type of the elements.
    pub element_type: ElementType,
    /// The allowed sizes, outermost dimension first.
    pub dims: Vec<RangeInclusive<usize>>,
}

/// The inputs and the output of a task's models. Values are bound by position, not by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Contract {
    /// All inputs that the task supplies.
    pub inputs: Vec<TensorContract>,
    /// How many of them a model must take at least; it takes them from the front.
    pub required_inputs: usize,
    /// The first output; further outputs are ignored.
    pub output: TensorContract,
}

/// Checks that a model takes what a task supplies and returns what it reads.
///
/// # Errors
/// [`RefusalKind::WrongInputs`] or [`RefusalKind::WrongOutputs`].
pub fn check_contract(model: &Model, contract: &Contract) -> Result<(), Refusal> {
    let inputs = model.inputs();
    let count = contract.required_inputs..=contract.inputs.len();
    if !count.contains(&inputs.len()) {
        let reason = format!(
            "the model has {} inputs; this task supplies {} and needs at least {} used",
            inputs.len(),
            count.end(),
            count.start()
        );
        return Err(Refusal::new(RefusalKind::WrongInputs, reason));
    }
    for (position, (input, expected)) in inputs.iter().zip(&contract.inputs).enumerate() {
        if !fits(input, expected) {
            let reason = format!("input {position} is {input}; expected {expected}");
            return Err(Refusal::new(RefusalKind::WrongInputs, reason));
        }
    }
    let outputs = model.outputs();
    let output = outputs
        .first()
        .ok_or_else(|| Refusal::new(RefusalKind::WrongOutputs, "the model has no outputs"))?;
    if !fits(output, &contract.output) {
        let reason = format!("output 0 is {output}; expected {}", contract.output);
        return Err(Refusal::new(RefusalKind::WrongOutputs, reason));
    }
    Ok(())
}

/// Checks that one run of a model is not too much work. What it leaves open of its inputs is taken to be as small as the task
/// supplies it.
///
/// # Errors
/// [`RefusalKind::TooLarge`].
pub fn check_work(model: &Model, contract: &Contract, limits: &Limits) -> Result<(), Refusal> {
    let inputs = model.inputs();
    let sizes = inputs
        .iter()
        .zip(&contract.inputs)
        .map(|(input, expected)| {
            let dims = input.dims.iter().zip(&expected.dims);
            let size = |(dim, range): (&Dim, &RangeInclusive<usize>)| match dim {
                Dim::Fixed(size) => *size,
                Dim::Named(_) => *range.start(),
            };
            dims.map(size).collect()
        });
    let work = multiply_adds(model, &sizes.collect::<Vec<_>>());
    if work <= limits.multiply_adds {
        return Ok(());
    }
    let (work, limit) = (work as f64 / 1e9, limits.multiply_adds as f64 / 1e9);
    let reason = format!(
        "one run takes at least {work:.1} billion multiplications and additions; at most {limit:.1} are allowed"
    );
    Err(Refusal::new(RefusalKind::TooLarge, reason))
}

fn fits(value: &ValueSpec, expected: &TensorContract) -> bool {
    value.element_type == expected.element_type
        && value.dims.len() == expected.dims.len()
        && value
            .dims
            .iter()
            .zip(&expected.dims)
            .all(|(dim, range)| match dim {
                Dim::Fixed(size) => range.contains(size),
                Dim::Named(_) => true,
            })
}

impl fmt::Display for TensorContract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dims: Vec<String> = self
            .dims
            .iter()
            .map(|range| match (range.start(), range.end()) {
                (low, high) if low == high => low.to_string(),
                (low, high) => format!("{low} to {high}"),
            })
            .collect();
        write!(f, "{:?}[{}]", self.element_type, dims.join(", "))
    }
}

/// Versions, and what may not stand beside the graph.
fn check_file(model: &Model) -> Result<(), Refusal> {
    let proto = model.proto();
    if !IR_VERSIONS.contains(&proto.ir_version) {
        let reason = format!(
            "file format version {} is not within {IR_VERSIONS:?}",
            proto.ir_version
        );
        return Err(Refusal::malformed(reason));
    }
    if let Some(import) = proto
        .opset_import
        .iter()
        .find(|i| !is_default_domain(&i.domain))
    {
        let reason = format!(
            "operators of the custom domain {:?} are not accepted",
            import.domain
        );
        return Err(Refusal::new(RefusalKind::ForbiddenOperator, reason));
    }
    let [import] = proto.opset_import.as_slice() else {
        let reason = format!(
            "{} operator set versions are named; one is needed",
            proto.opset_import.len()
        );
        return Err(Refusal::malformed(reason));
    };
    if !(MIN_OPSET..=MAX_OPSET).contains(&import.version) {
        let reason = format!(
            "operator set version {} is not within {MIN_OPSET} to {MAX_OPSET}; export the model with one of these",
            import.version
        );
        return Err(Refusal::new(RefusalKind::ForbiddenOperator, reason));
    }
    let beside = [
        ("functions", proto.functions.is_empty()),
        ("training information", proto.training_info.is_empty()),
        ("device configurations", proto.configuration.is_empty()),
        ("sparse tensors", proto.graph.sparse_initializer.is_empty()),
    ];
    for (what, absent) in beside {
        forbid(absent, || format!("the file holds {what}"))?;
    }
    Ok(())
}

fn forbid(absent: bool, reason: impl FnOnce() -> String) -> Result<(), Refusal> {
    if absent {
        return Ok(());
    }
    Err(Refusal::new(RefusalKind::ForbiddenContent, reason()))
}

fn at_most(what: &str, count: usize, limit: usize) -> Result<(), Refusal> {
    if count <= limit {
        return Ok(());
    }
    let reason = format!("the model has {count} {what}; at most {limit} are allowed");
    Err(Refusal::new(RefusalKind::TooLarge, reason))
}

fn giant(place: impl fmt::Display, limit: usize) -> Refusal {
    let reason = format!("{place} asks for a tensor of more than {limit} elements");
    Refusal::new(RefusalKind::GiantShape, reason)
}

fn check_tensor(tensor: &TensorProto, limits: &Limits) -> Result<(), Refusal> {
    at_most("dimensions in one tensor", tensor.dims.len(), limits.rank)?;
    use ElementType::{Bool, Double, Float, Float16, Int8, Int32, Int64, Uint8};
    let accepted = [Float, Float16, Double, Int8, Uint8, Int32, Int64, Bool];
    forbid(
        tensor.element_type().is_some_and(|t| accepted.contains(&t)),
        || {
            format!(
                "tensor {:?} has element type {}",
                tensor.name, tensor.data_type
            )
        },
    )?;
    tensor.check_data()?;
    if tensor.element_count()? > limits.tensor_elements {
        return Err(giant(
            format_args!("tensor {:?}", tensor.name),
            limits.tensor_elements,
        ));
    }
    Ok(())
}

/// The operator and the attributes of a node.
fn check_node(node: &NodeProto, limits: &Limits) -> Result<(), Refusal> {
    let operator = &node.op_type;
    if !node.is_default_domain() || !operators::is_allowed(operator) {
        let advice = match operator.as_str() {
            "Dropout" => "; export the model in evaluation mode",
            _ => "",
        };
        let domain = match node.domain.as_str() {
            "" => String::new(),
            domain => format!(" of domain {domain:?}"),
        };
        let reason = format!(
            "{}: operator {operator:?}{domain} is not accepted{advice}",
            place(node)
        );
        return Err(Refusal::new(RefusalKind::ForbiddenOperator, reason));
    }
    let mut names = BTreeSet::new();
    for attribute in &node.attribute {
        let name = &attribute.name;
        if !names.insert(name.as_str()) {
            return Err(Refusal::malformed(format!(
                "{}: attribute {name:?} stands twice",
                place(node)
            )));
        }
        let plain = attribute.g.is_none()
            && attribute.graphs.is_empty()
            && attribute.tp.is_none()
            && attribute.type_protos.is_empty()
            && attribute.sparse_tensor.is_none()
            && attribute.sparse_tensors.is_empty()
            && attribute.ref_attr_name.is_empty();
        forbid(plain, || {
            format!(
                "{}: attribute {name:?} is a subgraph, a type or sparse",
                place(node)
            )
        })?;
        for tensor in attribute.t.iter().chain(&attribute.tensors) {
            check_tensor(tensor, limits)?;
        }
        let lowest = match name.as_str() {
            "kernel_shape" | "strides" | "dilations" => 1,
            "pads" | "output_padding" => 0,
            _ => continue,
        };
        if let Some(value) = attribute
            .ints
            .iter()
            .find(|v| !(lowest..=MAX_WINDOW).contains(v))
        {
            let reason = format!(
                "{}: {name} has {value}, not within {lowest} to {MAX_WINDOW}",
                place(node)
            );
            return Err(Refusal::malformed(reason));
        }
    }
    if node.int("group", 1) < 1 {
        return Err(Refusal::malformed(format!(
            "{}: group must be positive",
            place(node)
        )));
    }
    Ok(())
}

/// How a node is named in a reason.
fn place(node: &NodeProto) -> String {
    match (node.name.as_str(), node.output.first()) {
        ("", Some(output)) => format!("the node of {output:?}"),
        (name, _) => format!("node {name:?}"),
    }
}

/// Every name is given once, and used only after it was given: the graph has no cycles.
fn check_names(graph: &GraphProto) -> Result<(), Refusal> {
    let mut given: BTreeSet<&str> = BTreeSet::new();
    for tensor in &graph.initializer {
        if tensor.name.is_empty() || !given.insert(&tensor.name) {
            return Err(twice(&tensor.name));
        }
    }
    let initialised = given.clone();
    let mut inputs = BTreeSet::new();
    for input in &graph.input {
        let fresh = inputs.insert(input.name.as_str());
        if input.name.is_empty() || !fresh {
            return Err(twice(&input.name));
        }
        // An old file lists its initialisers among the inputs.
        given.insert(&input.name);
    }
    for node in &graph.node {
        for input in node.input.iter().filter(|name| !name.is_empty()) {
            if !given.contains(input.as_str()) {
                let reason = format!(
                    "{}: {input:?} is used before it is computed; the graph has a cycle, is not sorted, or lacks a node",
                    place(node)
                );
                return Err(Refusal::malformed(reason));
            }
        }
        if node.output.iter().all(String::is_empty) {
            return Err(Refusal::malformed(format!(
                "{} has no outputs",
                place(node)
            )));
        }
        for output in node.output.iter().filter(|name| !name.is_empty()) {
            if !given.insert(output) {
                return Err(twice(output));
            }
        }
    }
    let mut outputs = BTreeSet::new();
    for output in &graph.output {
        let name = output.name.as_str();
        let computed =
            given.contains(name) && !initialised.contains(name) && !inputs.contains(name);
        if !computed || !outputs.insert(name) {
            let reason = format!("output {name:?} is not computed by a node, or stands twice");
            return Err(Refusal::new(RefusalKind::WrongOutputs, reason));
        }
    }
    Ok(())
}

fn twice(name: &str) -> Refusal {
    Refusal::malformed(match name {
        "" => "a tensor or input has no name".to_owned(),
        name => format!("the name {name:?} is given to two values"),
    })
}

/// The shapes that the file declares for its values.
fn check_declared_shapes(graph: &GraphProto, limits: &Limits) -> Result<(), Refusal> {
    let values = graph
        .input
        .iter()
        .chain(&graph.output)
        .chain(&graph.value_info);
    for value in values {
        let shape = value
            .r#type
            .as_ref()
            .and_then(|t| t.tensor_type.as_ref())
            .and_then(|t| t.shape.as_ref());
        let Some(shape) = shape else { continue };
        at_most("dimensions in one tensor", shape.dim.len(), limits.rank)?;
        let sizes = shape.dim.iter().filter_map(|dim| dim.dim_value);
        if product(sizes).is_none_or(|elements| elements > limits.tensor_elements) {
            return Err(giant(
                format_args!("value {:?}", value.name),
                limits.tensor_elements,
            ));
        }
    }
    Ok(())
}

/// The product of sizes; negative ones (special values of some operators) count as one. `None` on overflow.
fn product(sizes: impl Iterator<Item = i64>) -> Option<usize> {
    sizes
        .filter(|&size| size >= 0)
        .try_fold(1usize, |product, size| {
            product.checked_mul(usize::try_from(size).ok()?)
        })
}

/// The small constants of a graph that can be shapes.
struct Shapes<'a> {
    integers: BTreeMap<&'a str, Vec<i64>>,
    floats: BTreeMap<&'a str, Vec<f32>>,
}

impl<'a> Shapes<'a> {
    fn of(graph: &'a GraphProto) -> Self {
        let initialised = graph.initializer.iter().map(|t| (t.name.as_str(), t));
        let constants = graph.node.iter().filter(|node| node.op_type == "Constant");
        let computed = constants
            .filter_map(|node| Some((node.output.first()?.as_str(), node.tensor("value")?)));
        let mut shapes = Self {
            integers: BTreeMap::new(),
            floats: BTreeMap::new(),
        };
        for (name, tensor) in initialised.chain(computed) {
            let small = tensor
                .element_count()
                .is_ok_and(|count| count <= MAX_SHAPE_ELEMENTS);
            if !small {
                continue;
            }
            if let Ok(values) = tensor.to_i64() {
                shapes.integers.insert(name, values);
            } else if let Ok(values) = tensor.to_f32() {
                shapes.floats.insert(name, values);
            }
        }
        for node in &graph.node {
            let (Some(output), "Constant") = (node.output.first(), node.op_type.as_str()) else {
                continue;
            };
            if let Some(attribute) = node.attribute("value_int") {
                shapes
                    .integers
                    .insert(output, attribute.i.into_iter().collect());
            } else if let Some(values) = node.ints("value_ints") {
                shapes.integers.insert(output, values.to_vec());
            }
        }
        shapes
    }

    /// Refuses a node whose constant operands alone make its output giant, whatever its other inputs are.
    fn check(&self, node: &NodeProto, limits: &Limits) -> Result<(), Refusal> {
        let integers = |index| {
            let name = node.present_input(index)?;
            self.integers.get(name).map(Vec::as_slice)
        };
        let elements = match node.op_type.as_str() {
            "ConstantOfShape" => integers(0).map(|v| product(v.iter().copied())),
            "Expand" | "Reshape" | "Tile" => integers(1).map(|v| {
                // Zero copies a dimension in Reshape.
                product(v.iter().copied().filter(|&size| size != 0))
            }),
            "OneHot" => integers(1).map(|v| product(v.iter().copied())),
            "Pad" => integers(1).map(|v| product(v.iter().map(|pad| pad.saturating_add(1)))),
            "Resize" => integers(3).map(|v| product(v.iter().copied())).or_else(|| {
                let scales = self.floats.get(node.present_input(2)?)?;
                let elements: f64 = scales.iter().map(|&s| f64::from(s)).product();
                Some((elements < limits.tensor_elements as f64).then_some(1))
            }),
            "Range" => match (integers(0), integers(1), integers(2)) {
                (Some(&[start]), Some(&[end]), Some(&[step])) if step != 0 => {
                    let steps = (i128::from(end) - i128::from(start)) / i128::from(step);
                    Some(usize::try_from(steps.max(0)).ok())
                }
                _ => None,
            },
            _ => None,
        };
        match elements {
            Some(count) if count.is_none_or(|count| count > limits.tensor_elements) => {
                Err(giant(place(node), limits.tensor_elements))
            }
            _ => Ok(()),
        }
    }
}

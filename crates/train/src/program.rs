//! A graph compiled once: names resolved to numbered slots, attributes parsed, dead nodes left out, last uses known.
//!
//! A program knows no engine. Training runs it up to the logits, evaluation up to the output.

mod frozen;
mod operation;
pub(crate) mod parameters;

use std::collections::{BTreeMap, BTreeSet};

use agon_model::proto::{ElementType, NodeProto, TensorError, TensorProto};
use agon_model::{Dim, Model, training_attributes};

pub use frozen::Frozen;
pub use operation::{Between, Binary, Centres, FixedSide, Operation, Unary, Window};
pub use parameters::Role;

/// The largest rank of a float value.
pub const MAX_RANK: usize = 5;

/// The oldest version of the standard operators whose rules are followed here.
pub const MIN_OPSET: i64 = 13;

/// A compiled graph.
#[derive(Clone, Debug)]
pub struct Program {
    /// What a batch must supply, in order.
    pub inputs: Vec<Input>,
    /// What is learned.
    pub parameters: Vec<Parameter>,
    /// Running statistics of the batch normalisations.
    pub statistics: Vec<Statistics>,
    /// Values known without running, with their slots.
    pub constants: Vec<(usize, Constant)>,
    /// What is executed, in order.
    pub steps: Vec<Step>,
    /// How many of the steps lead to the logits.
    pub training_steps: usize,
    /// The slot the loss is computed from: the input of a final softmax or sigmoid, otherwise the output.
    pub logits: usize,
    /// The slot of the graph's output.
    pub output: usize,
    /// The number of slots.
    pub slots: usize,
}

/// An input of the graph.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its dimensions; `None` is known only when it comes.
    pub dims: Vec<Option<usize>>,
    /// Its slot.
    pub slot: usize,
}

/// A learned tensor.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// The initialiser's name.
    pub name: String,
    /// Its dimensions.
    pub dims: Vec<usize>,
    /// What it is for.
    pub role: Role,
    /// Its slot.
    pub slot: usize,
    /// Whether it stays as it is: no gradient is computed for it, its place in a gradient is empty.
    pub frozen: bool,
    /// Its share of the learning rate; one, unless somebody says otherwise.
    pub rate: f64,
}

/// The running statistics of one batch normalisation.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// The initialiser that holds the means.
    pub mean: String,
    /// The initialiser that holds the variances.
    pub variance: String,
    /// The number of channels.
    pub channels: usize,
    /// How much of the old value stays at each step (ONNX's meaning: 0.9 keeps nine tenths).
    pub momentum: f32,
    /// Slots of mean and variance.
    pub slots: [usize; 2],
    /// Whether they stay as they are: training normalises with them, the batch's own are not reported (both vectors
    /// are empty).
    pub frozen: bool,
}

/// A tensor that is known without running the graph.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // dimensions and row-major elements
pub enum Constant {
    Float { dims: Vec<usize>, data: Vec<f32> },
    Integer { dims: Vec<usize>, data: Vec<i64> },
}

/// One executed node.
#[derive(Clone, Debug)]
pub struct Step {
    /// The node's operator and name, for messages.
    pub label: String,
    /// What is computed.
    pub operation: Operation,
    /// What it reads; `None` is an absent optional input.
    pub inputs: Vec<Option<Use>>,
    /// Where the result goes.
    pub output: usize,
    /// Probability with which training drops each element of the result.
    pub dropout: f32,
    /// Probability with which training drops the result of each sample.
    pub drop_path: f32,
    /// What training hides of the result, [batch, columns].
    pub unknown: Option<Unknown>,
    /// Whether it belongs to a frozen part: training runs it as evaluation does.
    pub frozen: bool,
}

/// Columns that training replaces now and then with what stands for a missing answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Unknown {
    /// The probability for each column of each sample.
    pub probability: f32,
    /// What stands for a missing answer in each column.
    pub values: Vec<f32>,
}

/// The reading of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// The slot.
    pub slot: usize,
    /// Whether nobody reads it afterwards.
    pub last: bool,
}

/// The numbers that training changes, in the order of the program's parameters and statistics.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// Elements of each parameter, row-major.
    pub parameters: Vec<Vec<f32>>,
    /// Mean and variance of each batch normalisation.
    pub statistics: Vec<Moments>,
}

/// Mean and variance of each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Means.
    pub mean: Vec<f32>,
    /// Population variances.
    pub variance: Vec<f32>,
}

/// Why a graph cannot be trained.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The model follows rules of the operators that are not implemented.
    #[error("the model uses operator set {0:?}; convert it to version {MIN_OPSET} or later")]
    Opset(Option<i64>),
    /// An operator that the executor does not have.
    #[error("{node}: the executor has no operator {operator}")]
    UnsupportedOperator {
        /// The node.
        node: String,
        /// Its operator.
        operator: String,
    },
    /// A use of an operator that the executor does not have, or that is wrong.
    #[error("{node}: {reason}")]
    Node {
        /// The node.
        node: String,
        /// What is wrong.
        reason: String,
    },
    /// A node reads a value that nothing before it produces.
    #[error("{node}: reads {value:?}, which no earlier node produces")]
    UndefinedValue {
        /// The node, or "the graph's output".
        node: String,
        /// The value's name.
        value: String,
    },
    /// Inputs or outputs that a batch cannot fill.
    #[error("{0}")]
    Interface(String),
    /// A stored tensor is broken.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// Nothing in the graph can be learned.
    #[error("the graph holds nothing that can be learned")]
    NothingToLearn,
    /// Something was to be frozen that the graph does not have.
    #[error("no parameter of the graph starts with {0:?}, so it cannot be frozen")]
    NothingFrozen(String),
}

impl Constant {
    /// Reads a stored tensor.
    fn read(tensor: &TensorProto) -> Result<Self, CompileError> {
        let dims = tensor.shape()?;
        if tensor.element_type() == Some(ElementType::Float) {
            let data = tensor.to_f32()?;
            if dims.len() > MAX_RANK {
                let reason = format!("has rank {}; at most {MAX_RANK} is supported", dims.len());
                let node = format!("tensor {:?}", tensor.name);
                return Err(CompileError::Node { node, reason });
            }
            return Ok(Self::Float { dims, data });
        }
        let data = tensor.to_i64()?;
        Ok(Self::Integer { dims, data })
    }

    /// Its dimensions.
    pub fn dims(&self) -> &[usize] {
        match self {
            Self::Float { dims, .. } | Self::Integer { dims, .. } => dims,
        }
    }

    /// The number, if this is a single float.
    pub fn as_scalar(&self) -> Option<f32> {
        match self {
            Self::Float { data, .. } if data.len() == 1 => Some(data[0]),
            _ => None,
        }
    }
}

impl Program {
    /// Compiles a model for training and evaluation, and reads its present weights.
    ///
    /// # Errors
    /// See [`CompileError`].
    pub fn compile(model: &Model) -> Result<(Self, Weights), CompileError> {
        Self::compile_with(model, &Frozen::nothing())
    }

    /// The same with a part of the parameters frozen. The weights keep their order whatever is frozen, so that training
    /// can go on with another program of the same model.
    ///
    /// # Errors
    /// See [`CompileError`].
    pub fn compile_with(model: &Model, frozen: &Frozen) -> Result<(Self, Weights), CompileError> {
        Self::compile_as(model, frozen, model)
    }

    /// Compiles a part of a model: what is learned in the whole is learned in the part.
    pub(crate) fn compile_part(
        part: &Model,
        whole: &Model,
    ) -> Result<(Self, Weights), CompileError> {
        Self::compile_as(part, &Frozen::nothing(), whole)
    }

    fn compile_as(
        model: &Model,
        frozen: &Frozen,
        whole: &Model,
    ) -> Result<(Self, Weights), CompileError> {
        let opset = model.opset_version();
        if opset.is_none_or(|version| version < MIN_OPSET) {
            return Err(CompileError::Opset(opset));
        }
        let roles = parameters::roles(whole.graph());
        let mut compiler = Compiler::new(model, frozen, roles)?;
        let live = live_nodes(model);
        for (node, _) in model
            .graph()
            .node
            .iter()
            .zip(live)
            .filter(|(_, live)| *live)
        {
            compiler.node(node)?;
        }
        compiler.finish(model)
    }

    /// The number of elements of all parameters, frozen ones included.
    pub fn parameter_count(&self) -> usize {
        self.parameters
            .iter()
            .map(|p| p.dims.iter().product::<usize>())
            .sum()
    }
}

/// Whether each node contributes to an output.
fn live_nodes(model: &Model) -> Vec<bool> {
    let graph = model.graph();
    let mut wanted: BTreeSet<&str> = graph.output.iter().map(|o| o.name.as_str()).collect();
    let mut live = vec![false; graph.node.len()];
    for (node, live) in graph.node.iter().zip(&mut live).rev() {
        *live = node
            .output
            .iter()
            .any(|name| wanted.contains(name.as_str()));
        if *live {
            wanted.extend(node.input.iter().map(String::as_str));
        }
    }
    live
}

/// A name for messages.
fn label(node: &NodeProto) -> String {
    let name = if node.name.is_empty() {
        node.output.first().map_or("", String::as_str)
    } else {
        &node.name
    };
    format!("{} {name:?}", node.op_type)
}

struct Compiler<'a> {
    tensors: BTreeMap<&'a str, &'a TensorProto>,
    roles: parameters::Roles,
    frozen: &'a Frozen,
    /// How each slot depends on parameters.
    dependence: BTreeMap<usize, frozen::Dependence>,
    slots: BTreeMap<String, usize>,
    constants: BTreeMap<usize, Constant>,
    next_slot: usize,
    inputs: Vec<Input>,
    parameters: Vec<Parameter>,
    statistics: Vec<Statistics>,
    weights: Weights,
    steps: Vec<Step>,
}

impl<'a> Compiler<'a> {
    fn new(
        model: &'a Model,
        frozen: &'a Frozen,
        roles: parameters::Roles,
    ) -> Result<Self, CompileError> {
        let graph = model.graph();
        let mut compiler = Self {
            tensors: graph
                .initializer
                .iter()
                .map(|t| (t.name.as_str(), t))
                .collect(),
            roles,
            frozen,
            dependence: BTreeMap::new(),
            slots: BTreeMap::new(),
            constants: BTreeMap::new(),
            next_slot: 0,
            inputs: Vec::new(),
            parameters: Vec::new(),
            statistics: Vec::new(),
            weights: Weights {
                parameters: Vec::new(),
                statistics: Vec::new(),
            },
            steps: Vec::new(),
        };
        for input in model.inputs() {
            if input.element_type != ElementType::Float || input.dims.len() > MAX_RANK {
                return Err(CompileError::Interface(format!(
                    "input {input} is not a float tensor of rank {MAX_RANK} or less"
                )));
            }
            let dims = input.dims.iter().map(|dim| match dim {
                Dim::Fixed(size) => Some(*size),
                Dim::Named(_) => None,
            });
            let dims = dims.collect();
            let slot = compiler.new_slot(&input.name);
            let name = input.name;
            compiler.inputs.push(Input { name, dims, slot });
        }
        Ok(compiler)
    }

    fn new_slot(&mut self, name: &str) -> usize {
        let slot = self.next_slot;
        self.next_slot += 1;
        self.slots.insert(name.to_owned(), slot);
        slot
    }

    /// The slot of a value; an initialiser gets one when it is first read.
    fn slot(&mut self, name: &str) -> Result<Option<usize>, CompileError> {
        if let Some(&slot) = self.slots.get(name) {
            return Ok(Some(slot));
        }
        let Some(tensor) = self.tensors.get(name).copied() else {
            return Ok(None);
        };
        let constant = Constant::read(tensor)?;
        let slot = self.new_slot(name);
        match (self.roles.learned.get(name), constant) {
            (Some(&(role, _)), Constant::Float { dims, data }) => {
                let frozen = self.frozen.holds(name);
                let name = name.to_owned();
                let parameter = Parameter {
                    name,
                    dims,
                    role,
                    slot,
                    frozen,
                    rate: 1.0,
                };
                let dependence = frozen::Dependence::of_parameter(frozen);
                self.dependence.insert(slot, dependence);
                self.parameters.push(parameter);
                self.weights.parameters.push(data);
            }
            (_, constant) => {
                self.constants.insert(slot, constant);
            }
        }
        Ok(Some(slot))
    }

    fn node(&mut self, node: &NodeProto) -> Result<(), CompileError> {
        let label = label(node);
        let fail = |reason: &str| CompileError::Node {
            node: label.clone(),
            reason: reason.into(),
        };
        let Some(output) = node.output.first() else {
            return Err(fail("has no output"));
        };
        if node.op_type == "Constant" && node.is_default_domain() {
            let constant =
                constant_of(node).ok_or_else(|| fail("holds no supported constant"))??;
            let slot = self.new_slot(output);
            self.constants.insert(slot, constant);
            return Ok(());
        }
        let mut slots = Vec::with_capacity(node.input.len());
        for name in &node.input {
            let undefined = || CompileError::UndefinedValue {
                node: label.clone(),
                value: name.clone(),
            };
            slots.push(match name.as_str() {
                "" => None,
                name => Some(self.slot(name)?.ok_or_else(undefined)?),
            });
        }
        let constant = |index: usize| self.constants.get(&(*slots.get(index)?)?);
        let operation = operation::parse(node, self.statistics.len(), &constant);
        let mut operation = operation.map_err(|trouble| match trouble {
            operation::Trouble::Unknown => CompileError::UnsupportedOperator {
                node: label.clone(),
                operator: node.op_type.clone(),
            },
            operation::Trouble::Reason(reason) => fail(&reason),
        })?;
        let mut dropout = node.float(training_attributes::DROPOUT, 0.0);
        if node.op_type == "Dropout" {
            // Like the attribute, the operator exists for training alone and is stripped at export.
            dropout = constant(1).and_then(Constant::as_scalar).unwrap_or(0.5);
            slots.truncate(1);
        }
        let drop_path = node.float(training_attributes::DROP_PATH, 0.0);
        if [dropout, drop_path].iter().any(|p| !(0.0..1.0).contains(p)) {
            return Err(fail("a drop probability is not in [0, 1)"));
        }
        let unknown = unknown_of(node).map_err(|reason| fail(&reason))?;
        let plain = dropout == 0.0 && drop_path == 0.0 && unknown.is_none();
        if operation == Operation::Identity && plain {
            let source = slots.first().copied().flatten();
            let source = source.ok_or_else(|| fail("has no input"))?;
            self.slots.insert(output.clone(), source);
            return Ok(());
        }
        match &mut operation {
            Operation::BatchNormalization { .. } => self.statistics_of(node, &label, &slots)?,
            // The fixed side is part of the operation: no slot is read for it.
            Operation::Binary(_, Some(side)) => slots[usize::from(!side.left)] = None,
            Operation::Unary(_) => slots.truncate(1),
            _ => {}
        }
        let mut dependence = frozen::Dependence::default();
        for slot in slots.iter().flatten() {
            dependence |= self.dependence.get(slot).copied().unwrap_or_default();
        }
        let frozen = match operation {
            Operation::BatchNormalization { statistics, .. } => self.statistics[statistics].frozen,
            _ => dependence.is_frozen(),
        };
        let uses = slots
            .into_iter()
            .map(|slot| slot.map(|slot| Use { slot, last: false }));
        let inputs = uses.collect();
        let output = self.new_slot(output);
        self.dependence.insert(output, dependence);
        self.steps.push(Step {
            label,
            operation,
            inputs,
            output,
            dropout,
            drop_path,
            unknown,
            frozen,
        });
        Ok(())
    }

    /// Takes the running statistics of a batch normalisation out of the constants.
    fn statistics_of(
        &mut self,
        node: &NodeProto,
        label: &str,
        slots: &[Option<usize>],
    ) -> Result<(), CompileError> {
        let fail = |reason: &str| CompileError::Node {
            node: label.into(),
            reason: reason.into(),
        };
        let mut take = |index: usize| {
            let slot = slots.get(index).copied().flatten();
            let slot = slot.ok_or_else(|| fail("has no running mean and variance"))?;
            // Statistics that two nodes share could not be updated by both.
            let Some(Constant::Float { dims, data }) = self.constants.remove(&slot) else {
                return Err(fail(
                    "its running statistics are not float initialisers of its own",
                ));
            };
            if dims != [data.len()] {
                return Err(fail("its running statistics are not vectors"));
            }
            let mut names = self.tensors.keys();
            let name = names.find(|&&name| self.slots.get(name) == Some(&slot));
            let name = name.ok_or_else(|| fail("its running statistics are not initialisers"))?;
            Ok(((*name).to_owned(), slot, data))
        };
        let (mean, mean_slot, means) = take(3)?;
        let (variance, variance_slot, variances) = take(4)?;
        if means.len() != variances.len() {
            return Err(fail("its running mean and variance differ in length"));
        }
        self.statistics.push(Statistics {
            frozen: self.frozen.holds(&mean),
            mean,
            variance,
            channels: means.len(),
            momentum: node.float("momentum", 0.9),
            slots: [mean_slot, variance_slot],
        });
        self.weights.statistics.push(Moments {
            mean: means,
            variance: variances,
        });
        Ok(())
    }

    fn finish(mut self, model: &Model) -> Result<(Program, Weights), CompileError> {
        let [output] = model.graph().output.as_slice() else {
            let count = model.graph().output.len();
            return Err(CompileError::Interface(format!(
                "the graph has {count} outputs; a classifier has one"
            )));
        };
        let slot = self.slot(&output.name)?;
        let slot = slot.ok_or_else(|| CompileError::UndefinedValue {
            node: "the graph's output".into(),
            value: output.name.clone(),
        })?;
        if self.parameters.iter().all(|parameter| parameter.frozen) {
            return Err(CompileError::NothingToLearn);
        }
        let names = || self.parameters.iter().map(|parameter| &*parameter.name);
        if let Some(prefix) = self.frozen.without_parameter(names) {
            return Err(CompileError::NothingFrozen(prefix.into()));
        }
        let logits = self.logits(slot);
        let training_steps = self
            .steps
            .iter()
            .position(|step| step.output == logits)
            .map_or(0, |index| index + 1);
        self.mark_last_uses(&[slot, logits]);
        let program = Program {
            inputs: self.inputs,
            parameters: self.parameters,
            statistics: self.statistics,
            constants: self.constants.into_iter().collect(),
            steps: self.steps,
            training_steps,
            logits,
            output: slot,
            slots: self.next_slot,
        };
        Ok((program, self.weights))
    }

    /// The input of the softmax or sigmoid that produces the output, or the output itself.
    fn logits(&self, output: usize) -> usize {
        let producer = self.steps.iter().find(|step| step.output == output);
        match producer.map(|step| (&step.operation, step.inputs.first())) {
            Some((
                Operation::Softmax { .. } | Operation::Unary(Unary::Sigmoid),
                Some(Some(input)),
            )) => input.slot,
            _ => output,
        }
    }

    /// Marks the last reading of every slot that is not kept, so that values are freed early.
    fn mark_last_uses(&mut self, kept: &[usize]) {
        let mut seen: BTreeSet<usize> = kept.iter().copied().collect();
        for step in self.steps.iter_mut().rev() {
            for used in step.inputs.iter_mut().rev().flatten() {
                used.last = seen.insert(used.slot);
            }
        }
    }
}

/// What a node says about missing answers.
fn unknown_of(node: &NodeProto) -> Result<Option<Unknown>, String> {
    let probability = node.float(training_attributes::UNKNOWN, 0.0);
    if probability == 0.0 {
        return Ok(None);
    }
    let values = node.attribute(training_attributes::UNKNOWN_VALUES);
    let values = values.map_or(&[][..], |attribute| &attribute.floats);
    if !(0.0..1.0).contains(&probability) || values.is_empty() {
        let name = training_attributes::UNKNOWN;
        return Err(format!(
            "{name} is {probability} with {} values",
            values.len()
        ));
    }
    Ok(Some(Unknown {
        probability,
        values: values.to_vec(),
    }))
}

/// The value of a `Constant` node.
fn constant_of(node: &NodeProto) -> Option<Result<Constant, CompileError>> {
    if let Some(tensor) = node.tensor("value") {
        return Some(Constant::read(tensor));
    }
    let float = |dims, data| Some(Ok(Constant::Float { dims, data }));
    let integer = |dims, data| Some(Ok(Constant::Integer { dims, data }));
    let attribute = |name| node.attribute(name);
    if let Some(value) = attribute("value_float").and_then(|a| a.f) {
        return float(vec![], vec![value]);
    }
    if let Some(value) = attribute("value_int").and_then(|a| a.i) {
        return integer(vec![], vec![value]);
    }
    if let Some(a) = attribute("value_floats") {
        return float(vec![a.floats.len()], a.floats.clone());
    }
    attribute("value_ints").and_then(|a| integer(vec![a.ints.len()], a.ints.clone()))
}

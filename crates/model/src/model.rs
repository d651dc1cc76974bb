//! A decoded ONNX file with bounds that hold for every model, trusted or not.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;

use crate::proto::{ElementType, GraphProto, ModelProto, ValueInfoProto};
use crate::training_attributes;
use crate::wire;

/// The largest model file, in bytes: 150 MiB, where the tricorder competition's size score reaches zero.
pub const MAX_BYTES: u64 = 150 << 20;

/// A decoded ONNX model: one graph whose inputs and outputs are tensors of declared rank.
///
/// Nothing more is promised: a file from outside goes through [`inspect`](crate::inspect::inspect) before it is used.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    proto: ModelProto,
}

/// One dimension of an input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dim {
    /// A size that is part of the graph.
    Fixed(usize),
    /// A size known only when the model runs; the name is empty where the file gives none.
    Named(String),
}

/// What a model declares about one of its inputs or outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueSpec {
    /// The value's name in the graph.
    pub name: String,
    /// The type of its elements.
    pub element_type: ElementType,
    /// Its shape, outermost dimension first.
    pub dims: Vec<Dim>,
}

/// Why bytes are not a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The file is larger than [`MAX_BYTES`].
    #[error("the file has {bytes} bytes; at most {limit} are read")]
    TooLarge {
        /// The size of the file.
        bytes: u64,
        /// The largest size that is read.
        limit: u64,
    },
    /// The file holds more messages or numbers than any model needs; decoding it would exhaust memory.
    #[error("the file holds more than {limit} {what}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// The bytes are not an ONNX message.
    #[error("not an ONNX file: {0}")]
    Malformed(String),
    /// There is no graph, or it has no nodes or no outputs.
    #[error("the model has {0}")]
    Empty(&'static str),
    /// An input or output is not a tensor with a declared shape.
    #[error("{role} {name:?} {problem}")]
    Value {
        /// "input" or "output".
        role: &'static str,
        /// The value's name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Model {
    /// Decodes an ONNX file. Size, message counts and nesting are checked before anything is allocated for them.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ReadError> {
        let length = bytes.len() as u64;
        if length > MAX_BYTES {
            return Err(ReadError::TooLarge {
                bytes: length,
                limit: MAX_BYTES,
            });
        }
        wire::scan(bytes)?;
        let proto = ModelProto::decode(bytes).map_err(|e| ReadError::Malformed(e.to_string()))?;
        Self::from_proto(proto)
    }

    /// Takes decoded messages as a model.
    ///
    /// # Errors
    /// When the graph is empty or its inputs or outputs are not tensors with declared shapes.
    pub fn from_proto(proto: ModelProto) -> Result<Self, ReadError> {
        if proto.graph.node.is_empty() {
            return Err(ReadError::Empty("no nodes"));
        }
        if proto.graph.output.is_empty() {
            return Err(ReadError::Empty("no outputs"));
        }
        let model = Self { proto };
        for value in model.input_infos() {
            value_spec(value, "input")?;
        }
        for value in &model.proto.graph.output {
            value_spec(value, "output")?;
        }
        Ok(model)
    }

    /// The model as the bytes of an ONNX file. The same model always gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.proto.encode_to_vec()
    }

    /// The decoded messages.
    pub fn proto(&self) -> &ModelProto {
        &self.proto
    }

    /// The decoded messages, to be changed (weights written back, metadata set).
    pub fn proto_mut(&mut self) -> &mut ModelProto {
        &mut self.proto
    }

    /// The graph.
    pub fn graph(&self) -> &GraphProto {
        &self.proto.graph
    }

    /// The graph, to be changed.
    pub fn graph_mut(&mut self) -> &mut GraphProto {
        &mut self.proto.graph
    }

    /// The inputs a caller must supply, in order; initialisers that the file also lists as inputs are left out.
    pub fn inputs(&self) -> Vec<ValueSpec> {
        self.input_infos()
            .into_iter()
            .filter_map(|value| value_spec(value, "input").ok())
            .collect()
    }

    /// The outputs, in order.
    pub fn outputs(&self) -> Vec<ValueSpec> {
        let outputs = &self.proto.graph.output;
        outputs
            .iter()
            .filter_map(|value| value_spec(value, "output").ok())
            .collect()
    }

    /// The version of the standard operators that the model uses, if it names one.
    pub fn opset_version(&self) -> Option<i64> {
        let imports = &self.proto.opset_import;
        let standard = imports
            .iter()
            .find(|import| crate::proto::is_default_domain(&import.domain));
        standard.map(|import| import.version)
    }

    /// The number of elements in all initialisers.
    pub fn parameter_count(&self) -> usize {
        let initialisers = self.proto.graph.initializer.iter();
        initialisers
            .map(|tensor| tensor.element_count().unwrap_or(0))
            .fold(0, usize::saturating_add)
    }

    /// The number of elements of all initialisers but the running statistics of batch normalisations: what the field
    /// calls the parameters of a network.
    pub fn learned_parameter_count(&self) -> usize {
        let graph = &self.proto.graph;
        let norms = graph.node.iter();
        let norms = norms.filter(|node| node.op_type == "BatchNormalization");
        let statistics: BTreeSet<&str> = norms
            .flat_map(|node| node.input.iter().skip(3).map(String::as_str))
            .collect();
        let learned = graph.initializer.iter();
        learned
            .filter(|tensor| !statistics.contains(tensor.name.as_str()))
            .map(|tensor| tensor.element_count().unwrap_or(0))
            .fold(0, usize::saturating_add)
    }

    /// Removes everything that exists only for training: the attributes of [`training_attributes`] and `Dropout`
    /// nodes, whose consumers then read the node's input.
    pub fn strip_training(&mut self) {
        let graph = &mut self.proto.graph;
        for node in &mut graph.node {
            node.attribute
                .retain(|a| !training_attributes::ALL.contains(&a.name.as_str()));
        }
        let outputs: BTreeSet<&str> = graph.output.iter().map(|o| o.name.as_str()).collect();
        let mut replaced: BTreeMap<String, String> = BTreeMap::new();
        let mut kept = Vec::with_capacity(graph.node.len());
        for mut node in std::mem::take(&mut graph.node) {
            for input in &mut node.input {
                if let Some(source) = replaced.get(input) {
                    input.clone_from(source);
                }
            }
            let drops = node.op_type == "Dropout" && node.is_default_domain();
            match (drops, node.input.first(), node.output.as_slice()) {
                (true, Some(input), [output]) if outputs.contains(output.as_str()) => {
                    node.op_type = "Identity".into();
                    node.input = vec![input.clone()];
                    node.attribute.clear();
                    kept.push(node);
                }
                (true, Some(input), [output]) => {
                    replaced.insert(output.clone(), input.clone());
                }
                // A Dropout whose mask is used stays, and inspection refuses it.
                _ => kept.push(node),
            }
        }
        graph.node = kept;
    }

    fn input_infos(&self) -> Vec<&ValueInfoProto> {
        let graph = &self.proto.graph;
        let initialised: BTreeSet<&str> =
            graph.initializer.iter().map(|t| t.name.as_str()).collect();
        graph
            .input
            .iter()
            .filter(|value| !initialised.contains(value.name.as_str()))
            .collect()
    }
}

fn value_spec(value: &ValueInfoProto, role: &'static str) -> Result<ValueSpec, ReadError> {
    let refuse = |problem| ReadError::Value {
        role,
        name: value.name.clone(),
        problem,
    };
    let tensor = value
        .r#type
        .as_ref()
        .and_then(|t| t.tensor_type.as_ref())
        .ok_or_else(|| refuse("is not a tensor"))?;
    let element_type = ElementType::try_from(tensor.elem_type)
        .ok()
        .filter(|&t| t != ElementType::Undefined)
        .ok_or_else(|| refuse("has an unknown element type"))?;
    let shape = tensor
        .shape
        .as_ref()
        .ok_or_else(|| refuse("declares no shape"))?;
    let dims = shape.dim.iter().map(|dim| match dim.dim_value {
        Some(size) => usize::try_from(size)
            .map(Dim::Fixed)
            .map_err(|_| refuse("declares a negative dimension")),
        None => Ok(Dim::Named(dim.dim_param.clone().unwrap_or_default())),
    });
    Ok(ValueSpec {
        name: value.name.clone(),
        element_type,
        dims: dims.collect::<Result<_, _>>()?,
    })
}

impl std::fmt::Display for ValueSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dims: Vec<String> = self
            .dims
            .iter()
            .map(|dim| match dim {
                Dim::Fixed(size) => size.to_string(),
                Dim::Named(name) if name.is_empty() => "?".into(),
                Dim::Named(name) => name.clone(),
            })
            .collect();
        let element = self.element_type;
        write!(f, "{} {element:?}[{}]", self.name, dims.join(", "))
    }
}

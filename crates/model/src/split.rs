//! Cutting a network where its trunk ends.
//!
//! The features of a frozen trunk never change, so they are computed once and the rest of the network is trained on
//! them alone: the same weights, the same names, in two graphs.

use std::collections::BTreeSet;

use crate::architecture::TRUNK;
use crate::model::{Model, ReadError};
use crate::proto::{GraphProto, NodeProto, ValueInfoProto};

/// A network in two parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// From the image to the features, its only output.
    pub trunk: Model,
    /// From the features, its first input, and the other inputs to the output.
    pub head: Model,
    /// The name of the features in both.
    pub features: String,
}

/// Why a network cannot be cut.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// No declared inner value has all of the trunk before it and the rest behind it.
    #[error("the model has no trunk that ends in one place")]
    NoTrunk,
    /// A part is not a model.
    #[error(transparent)]
    Model(#[from] ReadError),
}

/// Cuts a network of [`architecture`](crate::architecture) at the end of its trunk.
///
/// # Errors
/// See [`SplitError`].
pub fn split(model: &Model) -> Result<Split, SplitError> {
    let graph = model.graph();
    let output = graph.output.first().ok_or(SplitError::NoTrunk)?;
    let candidates = graph.value_info.iter().rev();
    // All ways to the trunk lead through the features, and nothing but the trunk leads to them.
    let mut candidates = candidates.filter(|value| {
        let behind = part(graph, &output.name, Some(&value.name));
        let before = part(graph, &value.name, None);
        !behind
            .initialisers
            .iter()
            .any(|name| name.starts_with(TRUNK))
            && !before.initialisers.is_empty()
            && before
                .initialisers
                .iter()
                .all(|name| name.starts_with(TRUNK))
    });
    let features = candidates.next().ok_or(SplitError::NoTrunk)?;
    let trunk = cut(model, features, None)?;
    let head = cut(model, output, Some(features))?;
    Ok(Split {
        trunk,
        head,
        features: features.name.clone(),
    })
}

/// What a value is computed from.
struct Part<'a> {
    nodes: BTreeSet<usize>,
    initialisers: BTreeSet<&'a str>,
    inputs: BTreeSet<&'a str>,
}

/// Everything behind `output`, without what stands before `stop`.
fn part<'a>(graph: &'a GraphProto, output: &'a str, stop: Option<&str>) -> Part<'a> {
    let initialised: BTreeSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let mut part = Part {
        nodes: BTreeSet::new(),
        initialisers: BTreeSet::new(),
        inputs: BTreeSet::new(),
    };
    let mut wanted: BTreeSet<&str> = BTreeSet::from([output]);
    // Nodes are sorted: whoever reads a value stands behind the node that computes it.
    for (index, node) in graph.node.iter().enumerate().rev() {
        let mut outputs = node.output.iter().map(String::as_str);
        if !outputs.any(|name| wanted.contains(name) && Some(name) != stop) {
            continue;
        }
        part.nodes.insert(index);
        wanted.extend(node.input.iter().map(String::as_str));
    }
    for name in wanted {
        if initialised.contains(name) {
            part.initialisers.insert(name);
        } else if graph.input.iter().any(|input| input.name == name) {
            part.inputs.insert(name);
        }
    }
    part
}

/// The model of one part, with `features` as a further input.
fn cut(
    model: &Model,
    output: &ValueInfoProto,
    features: Option<&ValueInfoProto>,
) -> Result<Model, ReadError> {
    let graph = model.graph();
    let part = part(
        graph,
        &output.name,
        features.map(|value| value.name.as_str()),
    );
    let nodes = part.nodes.iter();
    let nodes: Vec<NodeProto> = nodes.map(|&index| graph.node[index].clone()).collect();
    let initialisers = graph.initializer.iter();
    let inputs = graph.input.iter();
    let inputs = inputs.filter(|value| part.inputs.contains(value.name.as_str()));
    let graph = GraphProto {
        name: graph.name.clone(),
        node: nodes,
        initializer: initialisers
            .filter(|tensor| part.initialisers.contains(tensor.name.as_str()))
            .cloned()
            .collect(),
        input: features.into_iter().chain(inputs).cloned().collect(),
        output: vec![output.clone()],
        ..GraphProto::default()
    };
    // The weights of the other part are not copied on the way.
    let proto = crate::proto::ModelProto {
        ir_version: model.proto().ir_version,
        producer_name: model.proto().producer_name.clone(),
        producer_version: model.proto().producer_version.clone(),
        opset_import: model.proto().opset_import.clone(),
        graph,
        ..crate::proto::ModelProto::default()
    };
    Model::from_proto(proto)
}

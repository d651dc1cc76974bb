//! Which tensors of a graph are learned, and in what role.
//!
//! Learned are 32-bit float initialisers, by the operator that reads them: weights and biases of `Conv`, `Gemm` and
//! `MatMul`, scales and biases of the normalisations, tables of `Gather`, and operands of `Add` and `Mul` with more
//! than one element. `Constant` nodes are never learned, nor are initialisers that meet a value which does not depend
//! on anything learned (a normalisation of the input, say) in `Add` or `Mul`. The running statistics of
//! `BatchNormalization` are kept apart.

use std::collections::{BTreeMap, BTreeSet};

use agon_model::proto::{ElementType, GraphProto, NodeProto};

/// What a learned tensor is for; decides its initial values and whether weight decay applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Kernel of a convolution, [out, in / groups, height, width].
    Kernel,
    /// Matrix of a linear layer; `transposed` when stored as [out, in].
    Matrix {
        /// Whether the rows are the outputs.
        transposed: bool,
    },
    /// Rows that are looked up.
    Table,
    /// Factor, neutral at one.
    Scale,
    /// Summand, neutral at zero.
    Bias,
}

impl Role {
    /// Whether weight decay applies: to what multiplies features, not to scales and biases.
    pub fn decays(self) -> bool {
        matches!(self, Self::Kernel | Self::Matrix { .. })
    }
}

/// The names of what training changes.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    /// Learned initialisers and the node that decided their role.
    pub learned: BTreeMap<String, (Role, usize)>,
    /// Initialisers that hold running means and variances.
    pub statistics: BTreeSet<String>,
}

/// Names through which `Identity` only passes on another value.
pub(crate) fn aliases(graph: &GraphProto) -> BTreeMap<&str, &str> {
    let mut aliases = BTreeMap::new();
    for node in &graph.node {
        let plain = node.op_type == "Identity" && node.attribute.is_empty();
        if let (true, [input], [output]) = (plain, node.input.as_slice(), node.output.as_slice()) {
            let source = aliases.get(input.as_str()).copied();
            aliases.insert(output.as_str(), source.unwrap_or(input.as_str()));
        }
    }
    aliases
}

/// Finds the roles of all initialisers.
pub(crate) fn roles(graph: &GraphProto) -> Roles {
    let aliases = aliases(graph);
    let resolve = |name: &str| aliases.get(name).copied().unwrap_or(name).to_owned();
    let elements: BTreeMap<&str, usize> = graph
        .initializer
        .iter()
        .filter(|t| t.element_type() == Some(ElementType::Float))
        .map(|t| (t.name.as_str(), t.element_count().unwrap_or(0)))
        .collect();
    let mut roles = Roles::default();
    // Values that depend on something learned.
    let mut depends: BTreeSet<String> = BTreeSet::new();
    for (index, node) in graph.node.iter().enumerate() {
        let inputs: Vec<String> = node.input.iter().map(|name| resolve(name)).collect();
        for (position, name) in inputs.iter().enumerate() {
            let Some(&count) = elements.get(name.as_str()) else {
                continue;
            };
            if node.op_type == "BatchNormalization" && position >= 3 {
                roles.statistics.insert(name.clone());
                continue;
            }
            let beside_learned = inputs.iter().any(|other| depends.contains(other));
            if let Some(role) = role(node, position, count, beside_learned) {
                depends.insert(name.clone());
                roles.learned.entry(name.clone()).or_insert((role, index));
            }
        }
        if inputs.iter().any(|name| depends.contains(name)) {
            depends.extend(node.output.iter().cloned());
        }
    }
    roles
}

fn role(node: &NodeProto, position: usize, count: usize, beside_learned: bool) -> Option<Role> {
    match (node.op_type.as_str(), position) {
        ("Conv", 1) => Some(Role::Kernel),
        ("Gemm", 1) => Some(Role::Matrix {
            transposed: node.int("transB", 0) != 0,
        }),
        ("Gemm", 0) => Some(Role::Matrix {
            transposed: node.int("transA", 0) == 0,
        }),
        ("MatMul", position) => Some(Role::Matrix {
            transposed: position == 0,
        }),
        ("Gather", 0) => Some(Role::Table),
        ("BatchNormalization" | "LayerNormalization", 1) => Some(Role::Scale),
        ("Conv" | "Gemm" | "BatchNormalization" | "LayerNormalization", 2) => Some(Role::Bias),
        ("Add", _) if count > 1 && beside_learned => Some(Role::Bias),
        ("Mul", _) if count > 1 && beside_learned => Some(Role::Scale),
        _ => None,
    }
}

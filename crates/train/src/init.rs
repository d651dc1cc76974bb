//! Initial weights, by the role of each tensor.
//!
//! Every tensor has its own random stream, named after it: the values do not depend on the order of the tensors, and
//! a tensor that two graphs share starts equal in both.

use std::collections::BTreeMap;

use agon_model::Model;
use agon_model::proto::{GraphProto, NodeProto, TensorError};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::program::Role;
use crate::program::parameters::{self, aliases};
use crate::seed::{self, Part};

/// How much smaller the last layer starts than its neighbours: first predictions are then nearly uniform, and the
/// first steps do not have to undo a random opinion.
const LAST_LAYER: f32 = 0.1;

/// Deviation of the rows that codes are looked up in.
const TABLE: f32 = 0.02;

/// Gives every learned tensor of the model a fresh value, and every running statistic its neutral one.
///
/// - Kernels: normal, variance 2 / fan-in before a rectifier (He et al. 2015), 1 / fan-in elsewhere.
/// - Matrices: uniform within the square root of 6 / (fan-in + fan-out) (Glorot and Bengio 2010).
/// - Tables: normal, deviation 0.02, the field's habit. Scales one, biases zero, running means zero, running variances one.
/// - The layer that yields the logits: a tenth of that.
///
/// # Errors
/// When a tensor's data and dimensions disagree.
pub fn initialise(model: &mut Model, seed: u64) -> Result<(), TensorError> {
    let graph = model.graph();
    let roles = parameters::roles(graph);
    let last = last_layer(graph);
    let consumers = consumers(graph);
    let gains: BTreeMap<String, (Role, f32)> = roles
        .learned
        .iter()
        .map(|(name, &(role, node))| {
            let rectified = feeds_rectifier(graph, &consumers, node);
            let gain = if rectified && role == Role::Kernel {
                2.0f32.sqrt()
            } else {
                1.0
            };
            let gain = if last == Some(node) {
                gain * LAST_LAYER
            } else {
                gain
            };
            (name.clone(), (role, gain))
        })
        .collect();
    let variances = variances(graph);
    for tensor in &mut model.graph_mut().initializer {
        let values = if let Some(&(role, gain)) = gains.get(&tensor.name) {
            let dims = tensor.shape()?;
            let count = tensor.element_count()?;
            let mut stream = seed::stream("initial weights", seed, &[Part::Name(&tensor.name)]);
            sample(role, gain, &dims, count, &mut stream)
        } else if roles.statistics.contains(&tensor.name) {
            let neutral = if variances.contains(&tensor.name) {
                1.0
            } else {
                0.0
            };
            vec![neutral; tensor.element_count()?]
        } else {
            continue;
        };
        tensor.set_f32(&values)?;
    }
    Ok(())
}

fn sample(
    role: Role,
    gain: f32,
    dims: &[usize],
    count: usize,
    stream: &mut ChaCha8Rng,
) -> Vec<f32> {
    let mut normal = |deviation: f32| -> Vec<f32> {
        (0..count)
            .map(|_| stream.sample::<f32, _>(StandardNormal) * deviation)
            .collect()
    };
    let product = |dims: &[usize]| dims.iter().product::<usize>().max(1) as f32;
    match role {
        Role::Scale => vec![1.0; count],
        Role::Bias => vec![0.0; count],
        Role::Table => normal(TABLE),
        Role::Kernel => normal(gain / product(dims.get(1..).unwrap_or(&[])).sqrt()),
        Role::Matrix { .. } => {
            // Symmetric in fan-in and fan-out, so it does not matter which of them is stored first.
            let fans: usize = dims.iter().rev().take(2).sum();
            let limit = gain * (6.0 / fans.max(1) as f32).sqrt();
            (0..count)
                .map(|_| (stream.random::<f32>() * 2.0 - 1.0) * limit)
                .collect()
        }
    }
}

/// The nodes that read each value, by index.
fn consumers(graph: &GraphProto) -> BTreeMap<String, Vec<usize>> {
    let aliases = aliases(graph);
    let mut consumers: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, node) in graph.node.iter().enumerate() {
        for input in &node.input {
            let source = aliases.get(input.as_str()).copied().unwrap_or(input);
            consumers.entry(source.to_owned()).or_default().push(index);
        }
    }
    consumers
}

/// Whether a node's result goes into an activation that silences about half of it, directly or after a
/// normalisation.
fn feeds_rectifier(
    graph: &GraphProto,
    consumers: &BTreeMap<String, Vec<usize>>,
    node: usize,
) -> bool {
    let readers = |node: &NodeProto| -> Vec<&NodeProto> {
        let output = node.output.first();
        let found = output.and_then(|name| consumers.get(name));
        found
            .into_iter()
            .flatten()
            .map(|&index| &graph.node[index])
            .collect()
    };
    readers(&graph.node[node]).into_iter().any(|reader| {
        is_rectifier(reader)
            || (reader.op_type == "BatchNormalization"
                && readers(reader).into_iter().any(is_rectifier))
    })
}

/// `Sigmoid` and `Erf` count because they are the halves of SiLU and GELU that a graph shows next to a convolution.
fn is_rectifier(node: &NodeProto) -> bool {
    let names = [
        "Relu",
        "LeakyRelu",
        "Clip",
        "HardSwish",
        "HardSigmoid",
        "Gelu",
        "Sigmoid",
        "Erf",
    ];
    names.contains(&node.op_type.as_str())
}

/// The node whose weights yield the logits: the first linear layer on the way back from the output.
fn last_layer(graph: &GraphProto) -> Option<usize> {
    let mut name = graph.output.first()?.name.as_str();
    for _ in 0..graph.node.len() {
        let index = graph
            .node
            .iter()
            .position(|n| n.output.iter().any(|o| o == name))?;
        let node = &graph.node[index];
        if ["Conv", "Gemm", "MatMul"].contains(&node.op_type.as_str()) {
            return Some(index);
        }
        name = node.input.first()?;
    }
    None
}

/// Initialisers that hold running variances.
fn variances(graph: &GraphProto) -> std::collections::BTreeSet<String> {
    let aliases = aliases(graph);
    let nodes = graph
        .node
        .iter()
        .filter(|n| n.op_type == "BatchNormalization");
    let names = nodes.filter_map(|n| n.input.get(4));
    names
        .map(|name| {
            aliases
                .get(name.as_str())
                .copied()
                .unwrap_or(name)
                .to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use agon_model::architecture::{LesionClassifier, lesion_classifier};

    use super::*;
    use crate::program::Program;

    fn deviation(values: &[f32]) -> f32 {
        (values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32).sqrt()
    }

    #[test]
    fn every_role_gets_its_distribution() {
        let mut model = lesion_classifier(&LesionClassifier::default()).unwrap();
        initialise(&mut model, 1).unwrap();
        let (program, weights) = Program::compile(&model).unwrap();
        let mut kernels = 0;
        for (parameter, values) in program.parameters.iter().zip(&weights.parameters) {
            match parameter.role {
                Role::Scale => assert!(values.iter().all(|&v| v == 1.0)),
                Role::Bias => assert!(values.iter().all(|&v| v == 0.0)),
                Role::Kernel if values.len() > 4000 => {
                    let fan_in: usize = parameter.dims[1..].iter().product();
                    let variance = deviation(values).powi(2) * fan_in as f32;
                    // 2 before a rectifier, 1 where the sum with the shortcut comes first.
                    let close = |wanted: f32| (variance / wanted - 1.0).abs() < 0.15;
                    assert!(close(1.0) || close(2.0), "{}: {variance}", parameter.name);
                    kernels += 1;
                }
                _ => {}
            }
        }
        assert!(kernels > 3);
        // The last layer is small, the other matrix is not.
        let matrices = program.parameters.iter().zip(&weights.parameters);
        let matrices = matrices.filter(|(p, _)| matches!(p.role, Role::Matrix { .. }));
        for (parameter, values) in matrices {
            let last = parameter.dims[0] == 11;
            assert_eq!(deviation(values) < 0.05, last, "{}", parameter.name);
        }
        for moments in &weights.statistics {
            assert!(moments.mean.iter().all(|&v| v == 0.0));
            assert!(moments.variance.iter().all(|&v| v == 1.0));
        }
    }

    #[test]
    fn values_depend_on_seed_and_name_alone() {
        let initialised = |seed| {
            let mut model = lesion_classifier(&LesionClassifier::small()).unwrap();
            initialise(&mut model, seed).unwrap();
            model
        };
        let first = initialised(1);
        assert_eq!(first, initialised(1));
        assert_ne!(first, initialised(2));
        let mut reversed = lesion_classifier(&LesionClassifier::small()).unwrap();
        reversed.graph_mut().initializer.reverse();
        initialise(&mut reversed, 1).unwrap();
        reversed.graph_mut().initializer.reverse();
        assert_eq!(first, reversed);
    }
}

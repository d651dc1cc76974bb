//! The identity of what a model computes, whatever its file looks like.
//!
//! Two files have the same canonical digest when one can be made from the other by renaming, by another order of nodes,
//! initialisers or attributes, by weights that stand in `Constant` nodes or in another field of their message, by nodes
//! that do nothing, by unused parts, and by the order of the two sides of a sum or product. It is a Merkle tree over the
//! graph: the digest of a value is that of its operator, its attributes and the digests of what it reads.
//!
//! It refuses to say that two models are alike: whoever moves one weight by the least step has another digest.

use std::collections::BTreeMap;

use prost::Message;
use sha2::{Digest as _, Sha256};

use crate::Model;
use crate::digest::Digest;
use crate::proto::{AttributeProto, ElementType, NodeProto, TensorProto};
use crate::training_attributes;

/// Operators whose inputs may stand in any order.
const COMMUTATIVE: [&str; 5] = ["Add", "Max", "Mean", "Min", "Mul"];

/// The canonical digest of a model.
pub fn digest(model: &Model) -> Digest {
    let graph = model.graph();
    let mut values: BTreeMap<&str, Digest> = BTreeMap::new();
    for tensor in &graph.initializer {
        values.insert(&tensor.name, of_tensor(tensor));
    }
    let inputs = model.inputs();
    for (index, input) in inputs.iter().enumerate() {
        // Fixed sizes are part of what is computed, names of open ones are not.
        let dims = input.dims.iter().map(|dim| match dim {
            crate::Dim::Fixed(size) => size.to_string(),
            crate::Dim::Named(_) => "?".to_owned(),
        });
        let shape = dims.collect::<Vec<_>>().join(",");
        let mut hash = Hash::new("input");
        hash.part(&(index as u64).to_le_bytes());
        hash.part(shape.as_bytes());
        values.insert(&input.name, hash.finish());
    }
    for node in &graph.node {
        let digest = of_node(node, &values);
        for (place, output) in node.output.iter().enumerate() {
            let of_output = match passes_on(node) {
                true => digest,
                false => {
                    let mut hash = Hash::new("output");
                    hash.part(&digest.0);
                    hash.part(&(place as u64).to_le_bytes());
                    hash.finish()
                }
            };
            values.insert(output, of_output);
        }
    }
    let mut hash = Hash::new("model");
    hash.part(&model.opset_version().unwrap_or_default().to_le_bytes());
    for output in &graph.output {
        hash.part(&read(&values, &output.name).0);
    }
    hash.finish()
}

/// Whether the output of a node is its input.
fn passes_on(node: &NodeProto) -> bool {
    let nothing = ["Identity", "Dropout"].contains(&node.op_type.as_str());
    let constant = node.op_type == "Constant" && node.tensor("value").is_some();
    node.is_default_domain() && (nothing || constant) && node.output.len() == 1
}

/// What stands for a value; one that nothing produces is known by its name.
fn read(values: &BTreeMap<&str, Digest>, name: &str) -> Digest {
    values.get(name).copied().unwrap_or_else(|| {
        let mut hash = Hash::new("unknown");
        hash.part(name.as_bytes());
        hash.finish()
    })
}

fn of_node(node: &NodeProto, values: &BTreeMap<&str, Digest>) -> Digest {
    if passes_on(node) {
        return match (node.tensor("value"), node.input.first()) {
            (Some(tensor), _) => of_tensor(tensor),
            (None, Some(input)) => read(values, input),
            (None, None) => Hash::new("nothing").finish(),
        };
    }
    let mut hash = Hash::new("node");
    let domain = if node.is_default_domain() {
        ""
    } else {
        &node.domain
    };
    hash.part(domain.as_bytes());
    hash.part(node.op_type.as_bytes());
    let mut attributes: Vec<Vec<u8>> = node
        .attribute
        .iter()
        .filter(|attribute| !training_attributes::ALL.contains(&attribute.name.as_str()))
        .map(of_attribute)
        .collect();
    attributes.sort_unstable();
    hash.part(&(attributes.len() as u64).to_le_bytes());
    for attribute in attributes {
        hash.part(&attribute);
    }
    let mut inputs: Vec<Digest> = node.input.iter().map(|name| read(values, name)).collect();
    if node.is_default_domain() && COMMUTATIVE.contains(&node.op_type.as_str()) {
        inputs.sort_unstable();
    }
    for input in inputs {
        hash.part(&input.0);
    }
    hash.finish()
}

fn of_attribute(attribute: &AttributeProto) -> Vec<u8> {
    let mut plain = attribute.clone();
    plain.doc_string.clear();
    if let Some(tensor) = plain.t.take() {
        plain.strings.push(of_tensor(&tensor).0.to_vec());
    }
    plain.encode_to_vec()
}

/// Of type, dimensions and elements; where the elements stand in the message makes no difference.
fn of_tensor(tensor: &TensorProto) -> Digest {
    let mut hash = Hash::new("tensor");
    hash.part(&tensor.data_type.to_le_bytes());
    let dims: Vec<u8> = tensor.dims.iter().flat_map(|d| d.to_le_bytes()).collect();
    hash.part(&dims);
    // Most weights stand in `raw_data`, which is hashed as it lies: a copy of a large model would cost its memory again.
    let typed = match (tensor.element_type(), &tensor.raw_data) {
        (Some(ElementType::Float | ElementType::Int64), Some(raw)) => {
            hash.part(raw);
            return hash.finish();
        }
        (Some(ElementType::Float), None) => little_endian(&tensor.float_data, |x| x.to_le_bytes()),
        (Some(ElementType::Int64), None) => little_endian(&tensor.int64_data, |x| x.to_le_bytes()),
        _ => {
            let mut plain = tensor.clone();
            plain.name.clear();
            plain.doc_string.clear();
            plain.metadata_props.clear();
            plain.encode_to_vec()
        }
    };
    hash.part(&typed);
    hash.finish()
}

fn little_endian<T: Copy, const N: usize>(values: &[T], bytes: fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|&value| bytes(value)).collect()
}

/// A digest over parts, each preceded by its length.
struct Hash(Sha256);

impl Hash {
    fn new(kind: &str) -> Self {
        let mut hash = Self(Sha256::new());
        hash.part(kind.as_bytes());
        hash
    }

    fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::{LesionClassifier, lesion_classifier};

    fn model() -> Model {
        let mut model = lesion_classifier(&LesionClassifier::small()).unwrap();
        for (index, tensor) in model.graph_mut().initializer.iter_mut().enumerate() {
            let count = tensor.element_count().unwrap();
            let values: Vec<f32> = (0..count).map(|i| (i * 7 + index) as f32 * 0.01).collect();
            if tensor.element_type() == Some(ElementType::Float) {
                tensor.set_f32(&values).unwrap();
            }
        }
        model
    }

    /// Another name for everything but inputs and outputs.
    fn renamed(model: &mut Model) {
        let graph = model.graph_mut();
        let fixed: Vec<String> = graph
            .input
            .iter()
            .chain(&graph.output)
            .map(|value| value.name.clone())
            .collect();
        let rename = |name: &mut String| {
            if !name.is_empty() && !fixed.contains(name) {
                name.insert_str(0, "other_");
            }
        };
        for node in &mut graph.node {
            node.name = "mine".into();
            node.input.iter_mut().for_each(rename);
            node.output.iter_mut().for_each(rename);
            node.attribute.reverse();
        }
        graph
            .initializer
            .iter_mut()
            .for_each(|t| rename(&mut t.name));
        graph.initializer.reverse();
        graph.value_info.clear();
        model.proto_mut().producer_name = "somebody else".into();
    }

    #[test]
    fn another_file_of_the_same_network_has_the_same_digest() {
        let model = model();
        let wanted = digest(&model);
        let mut other = model.clone();
        renamed(&mut other);
        assert_ne!(other.to_bytes(), model.to_bytes());
        assert_eq!(digest(&other), wanted, "renamed");

        let mut other = model.clone();
        let graph = other.graph_mut();
        // A node that does nothing, and one that nobody reads.
        let read = graph.node[3].input[0].clone();
        let nothing = |output: &str| NodeProto {
            op_type: "Identity".into(),
            input: vec![read.clone()],
            output: vec![output.into()],
            ..NodeProto::default()
        };
        let nodes = [nothing("same"), nothing("unused")];
        graph.node[3].input[0] = "same".into();
        graph.node.splice(3..3, nodes);
        assert_eq!(digest(&other), wanted, "with nodes that do nothing");

        let mut other = model.clone();
        let graph = other.graph_mut();
        // A weight in a node instead of an initialiser, its numbers in the other field.
        let mut tensor = graph.initializer.remove(0);
        let name = std::mem::take(&mut tensor.name);
        tensor.float_data = tensor.to_f32().unwrap();
        tensor.raw_data = None;
        let constant = NodeProto {
            op_type: "Constant".into(),
            output: vec![name],
            attribute: vec![AttributeProto::from_tensor("value", tensor)],
            ..NodeProto::default()
        };
        graph.node.insert(0, constant);
        assert_eq!(digest(&other), wanted, "with a constant");

        let mut other = model.clone();
        let sums = other.graph_mut().node.iter_mut();
        let swapped = sums.filter(|node| node.op_type == "Add");
        assert!(swapped.map(|node| node.input.reverse()).count() > 0);
        assert_eq!(digest(&other), wanted, "with sums the other way round");
    }

    #[test]
    fn another_network_has_another_digest() {
        let model = model();
        let wanted = digest(&model);
        let mut other = model.clone();
        let tensor = &mut other.graph_mut().initializer[2];
        let mut values = tensor.to_f32().unwrap();
        values[0] += 1e-6;
        tensor.set_f32(&values).unwrap();
        assert_ne!(digest(&other), wanted, "one weight moved");

        let mut other = model.clone();
        let mut nodes = other.graph_mut().node.iter_mut();
        let node = nodes.find(|node| node.op_type == "Relu").unwrap();
        node.op_type = "Tanh".into();
        assert_ne!(digest(&other), wanted, "another operator");

        let mut other = model.clone();
        let mut nodes = other.graph_mut().node.iter_mut();
        let strided = nodes.find_map(|node| {
            let mut attributes = node.attribute.iter_mut();
            attributes.find(|a| a.name == "strides" && a.ints.first() == Some(&2))
        });
        strided.unwrap().ints = vec![1, 1];
        assert_ne!(digest(&other), wanted, "another stride");
    }
}

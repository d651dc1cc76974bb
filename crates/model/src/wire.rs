//! A walk over the protobuf bytes of an ONNX file before it is decoded.
//!
//! Decoding allocates a struct for every message, so a few bytes can ask for hundreds: two bytes are enough for an
//! empty node. The walk allocates nothing and refuses files with more messages or varint numbers than any model needs.

use crate::model::ReadError;

/// Messages and strings in one file. A node has about a dozen; the largest networks have some ten thousand nodes.
const MAX_MESSAGES: usize = 1 << 19;
/// Numbers stored as varints (packed or not): they can be eight times larger in memory than in the file.
const MAX_VARINTS: usize = 1 << 23;

/// The messages that are decoded; everything else is kept as bytes.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    /// A message with only scalar fields.
    Flat,
}

/// What a length-delimited field holds.
enum Content {
    Message(Kind),
    PackedVarints,
    Bytes,
}

fn content(kind: Kind, field: u64) -> Content {
    use Content::{Bytes, Message, PackedVarints};
    match (kind, field) {
        (Kind::Model, 7) => Message(Kind::Graph),
        (Kind::Model, 8 | 14) => Message(Kind::Flat),
        (Kind::Graph, 1) => Message(Kind::Node),
        (Kind::Graph, 5) => Message(Kind::Tensor),
        (Kind::Graph, 11..=13) => Message(Kind::ValueInfo),
        (Kind::Graph, 16) => Message(Kind::Flat),
        (Kind::Node, 5) => Message(Kind::Attribute),
        (Kind::Node, 9) => Message(Kind::Flat),
        (Kind::Attribute, 5 | 10) => Message(Kind::Tensor),
        (Kind::Attribute, 8) => PackedVarints,
        (Kind::Tensor, 1 | 5 | 7 | 11) => PackedVarints,
        (Kind::Tensor, 13 | 16) => Message(Kind::Flat),
        (Kind::ValueInfo, 2) => Message(Kind::Type),
        (Kind::ValueInfo, 4) => Message(Kind::Flat),
        (Kind::Type, 1) => Message(Kind::TensorType),
        (Kind::TensorType, 2) => Message(Kind::Shape),
        (Kind::Shape, 1) => Message(Kind::Flat),
        _ => Bytes,
    }
}

/// Counts what decoding `bytes` as a model would allocate.
///
/// # Errors
/// When the bytes are not protobuf or hold too much.
pub(crate) fn scan(bytes: &[u8]) -> Result<(), ReadError> {
    let mut scan = Scan {
        messages: 0,
        varints: 0,
    };
    scan.message(bytes, Kind::Model)
}

struct Scan {
    messages: usize,
    varints: usize,
}

impl Scan {
    /// The depth of the recursion is bounded by the depth of [`Kind`]: no kind contains itself.
    fn message(&mut self, mut bytes: &[u8], kind: Kind) -> Result<(), ReadError> {
        while !bytes.is_empty() {
            let tag = varint(&mut bytes)?;
            match tag & 7 {
                0 => {
                    varint(&mut bytes)?;
                    self.count_varints(1)?;
                }
                1 => {
                    take(&mut bytes, 8)?;
                }
                2 => {
                    let length = varint(&mut bytes)?;
                    let inner = take(&mut bytes, length)?;
                    self.messages += 1;
                    limit("messages and strings", self.messages, MAX_MESSAGES)?;
                    match content(kind, tag >> 3) {
                        Content::Message(kind) => self.message(inner, kind)?,
                        Content::PackedVarints => {
                            self.count_varints(inner.iter().filter(|&&b| b < 0x80).count())?;
                        }
                        Content::Bytes => {}
                    }
                }
                5 => {
                    take(&mut bytes, 4)?;
                }
                other => {
                    return Err(ReadError::Malformed(format!(
                        "protobuf wire type {other} is not used by ONNX"
                    )));
                }
            }
        }
        Ok(())
    }

    fn count_varints(&mut self, more: usize) -> Result<(), ReadError> {
        self.varints += more;
        limit("numbers stored as varints", self.varints, MAX_VARINTS)
    }
}

fn limit(what: &'static str, count: usize, limit: usize) -> Result<(), ReadError> {
    if count > limit {
        return Err(ReadError::TooMany { what, limit });
    }
    Ok(())
}

fn varint(bytes: &mut &[u8]) -> Result<u64, ReadError> {
    prost::encoding::decode_varint(bytes).map_err(|e| ReadError::Malformed(e.to_string()))
}

fn take<'a>(bytes: &mut &'a [u8], length: u64) -> Result<&'a [u8], ReadError> {
    let (head, tail) = usize::try_from(length)
        .ok()
        .and_then(|length| bytes.split_at_checked(length))
        .ok_or_else(|| ReadError::Malformed("the file ends in the middle of a field".into()))?;
    *bytes = tail;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_empty_nodes_are_refused_before_decoding() {
        let graph = [0x0a, 0x00].repeat(MAX_MESSAGES + 1);
        let mut file = vec![0x3a];
        prost::encoding::encode_varint(graph.len() as u64, &mut file);
        file.extend(graph);
        let refused = scan(&file).unwrap_err();
        assert!(matches!(refused, ReadError::TooMany { limit, .. } if limit == MAX_MESSAGES));
    }

    #[test]
    fn many_packed_numbers_are_refused_before_decoding() {
        let mut tensor = vec![0x3a]; // int64_data
        prost::encoding::encode_varint((MAX_VARINTS + 1) as u64, &mut tensor);
        tensor.extend(vec![0u8; MAX_VARINTS + 1]);
        let mut graph = vec![0x2a];
        prost::encoding::encode_varint(tensor.len() as u64, &mut graph);
        graph.extend(tensor);
        let mut file = vec![0x3a];
        prost::encoding::encode_varint(graph.len() as u64, &mut file);
        file.extend(graph);
        let refused = scan(&file).unwrap_err();
        assert!(matches!(refused, ReadError::TooMany { limit, .. } if limit == MAX_VARINTS));
    }

    #[test]
    fn a_length_beyond_the_end_is_malformed() {
        assert!(matches!(
            scan(&[0x3a, 0x7f, 0x00]),
            Err(ReadError::Malformed(_))
        ));
    }
}

//! The messages of an ONNX file, written by hand from the public `onnx.proto` (IR version 8 to 10).
//!
//! `prost` drops fields that are not declared, so every field that must survive a round trip stands here. What Agon
//! refuses to interpret (functions, training information, sequence types, device configurations) is kept as bytes:
//! it can be detected and refused, and it costs nothing to decode. Sub-messages that ONNX allows once are plain
//! fields where their absence means the same as their default.

use prost::{Enumeration, Message};

/// The element types of ONNX tensors that have a name here; other numbers are refused wherever a type matters.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Enumeration,
    serde::Serialize,
    serde::Deserialize,
)]
#[repr(i32)]
#[allow(missing_docs)] // the variants are ONNX's own names
pub enum ElementType {
    Undefined = 0,
    Float = 1,
    Uint8 = 2,
    Int8 = 3,
    Uint16 = 4,
    Int16 = 5,
    Int32 = 6,
    Int64 = 7,
    String = 8,
    Bool = 9,
    Float16 = 10,
    Double = 11,
    Uint32 = 12,
    Uint64 = 13,
    Bfloat16 = 16,
}

impl ElementType {
    /// Bytes of one element in `raw_data`; `None` where elements have no fixed size.
    pub fn size(self) -> Option<usize> {
        match self {
            Self::Uint8 | Self::Int8 | Self::Bool => Some(1),
            Self::Uint16 | Self::Int16 | Self::Float16 | Self::Bfloat16 => Some(2),
            Self::Float | Self::Int32 | Self::Uint32 => Some(4),
            Self::Int64 | Self::Double | Self::Uint64 => Some(8),
            Self::Undefined | Self::String => None,
        }
    }
}

/// Which field of an [`AttributeProto`] holds its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumeration)]
#[repr(i32)]
#[allow(missing_docs)] // the variants are ONNX's own names
pub enum AttributeType {
    Undefined = 0,
    Float = 1,
    Int = 2,
    String = 3,
    Tensor = 4,
    Graph = 5,
    Floats = 6,
    Ints = 7,
    Strings = 8,
    Tensors = 9,
    Graphs = 10,
    SparseTensor = 11,
    SparseTensors = 12,
    TypeProto = 13,
    TypeProtos = 14,
}

/// A whole ONNX file: one graph and what is needed to read it.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)] // fields are ONNX's own
pub struct ModelProto {
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    #[prost(string, tag = "2")]
    pub producer_name: String,
    #[prost(string, tag = "3")]
    pub producer_version: String,
    #[prost(string, tag = "4")]
    pub domain: String,
    #[prost(int64, tag = "5")]
    pub model_version: i64,
    #[prost(string, tag = "6")]
    pub doc_string: String,
    #[prost(message, required, tag = "7")]
    pub graph: GraphProto,
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
    /// Kept as bytes, refused by inspection.
    #[prost(bytes = "vec", repeated, tag = "20")]
    pub training_info: Vec<Vec<u8>>,
    /// Kept as bytes, refused by inspection.
    #[prost(bytes = "vec", repeated, tag = "25")]
    pub functions: Vec<Vec<u8>>,
    /// Kept as bytes, refused by inspection.
    #[prost(bytes = "vec", repeated, tag = "26")]
    pub configuration: Vec<Vec<u8>>,
}

/// A key and its value.
#[derive(Clone, PartialEq, Eq, Message)]
#[allow(missing_docs)] // fields are ONNX's own
pub struct StringStringEntryProto {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

/// The version of an operator domain that a model uses; the default domain is empty or `ai.onnx`.
#[derive(Clone, PartialEq, Eq, Message)]
#[allow(missing_docs)] // fields are ONNX's own
pub struct OperatorSetIdProto {
    #[prost(string, tag = "1")]
    pub domain: String,
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// Nodes in topological order, the tensors they start from, and the declared inputs and outputs.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)] // fields are ONNX's own
pub struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    #[prost(string, tag = "10")]
    pub doc_string: String,
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "13")]
    pub value_info: Vec<ValueInfoProto>,
    /// Kept as bytes: nothing here reads it.
    #[prost(bytes = "vec", repeated, tag = "14")]
    pub quantization_annotation: Vec<Vec<u8>>,
    /// Kept as bytes, refused by inspection.
    #[prost(bytes = "vec", repeated, tag = "15")]
    pub sparse_initializer: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "16")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// One operator applied to named values. An empty input name means that an optional input is absent.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)] // fields are ONNX's own
pub struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(string, tag = "4")]
    pub op_type: String,
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
    #[prost(string, tag = "6")]
    pub doc_string: String,
    #[prost(string, tag = "7")]
    pub domain: String,
    #[prost(string, tag = "8")]
    pub overload: String,
    #[prost(message, repeated, tag = "9")]
    pub metadata_props: Vec<StringStringEntryProto>,
    /// Kept as bytes: nothing here reads it.
    #[prost(bytes = "vec", repeated, tag = "10")]
    pub device_configurations: Vec<Vec<u8>>,
}

/// A named constant of a node. Scalars are optional because a present zero differs from an absent value.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)] // fields are ONNX's own
pub struct AttributeProto {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub s: Option<Vec<u8>>,
    #[prost(message, optional, tag = "5")]
    pub t: Option<TensorProto>,
    /// A subgraph, kept as bytes and refused by inspection.
    #[prost(bytes = "vec", optional, tag = "6")]
    pub g: Option<Vec<u8>>,
    #[prost(float, repeated, packed = "false", tag = "7")]
    pub floats: Vec<f32>,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub strings: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "10")]
    pub tensors: Vec<TensorProto>,
    /// Subgraphs, kept as bytes and refused by inspection.
    #[prost(bytes = "vec", repeated, tag = "11")]
    pub graphs: Vec<Vec<u8>>,
    #[prost(string, tag = "13")]
    pub doc_string: String,
    /// Kept as bytes, refused by inspection.
    #[prost(bytes = "vec", optional, tag = "14")]
    pub tp: Option<Vec<u8>>,
    /// Kept as bytes, refused by inspection.
    #[prost(bytes = "vec", repeated, tag = "15")]
    pub type_protos: Vec<Vec<u8>>,
    #[prost(int32, tag = "20")]
    pub r#type: i32,
    #[prost(string, tag = "21")]
    pub ref_attr_name: String,
    /// Kept as bytes, refused by inspection.
    #[prost(bytes = "vec", optional, tag = "22")]
    pub sparse_tensor: Option<Vec<u8>>,
    /// Kept as bytes, refused by inspection.
    #[prost(bytes = "vec", repeated, tag = "23")]
    pub sparse_tensors: Vec<Vec<u8>>,
}

/// A dense tensor stored in the file.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)] // fields are ONNX's own
pub struct TensorProto {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// Kept as bytes, refused by inspection.
    #[prost(bytes = "vec", optional, tag = "3")]
    pub segment: Option<Vec<u8>>,
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub string_data: Vec<Vec<u8>>,
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    pub name: String,
    /// The elements in row-major order, little-endian.
    #[prost(bytes = "vec", optional, tag = "9")]
    pub raw_data: Option<Vec<u8>>,
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    #[prost(uint64, repeated, tag = "11")]
    pub uint64_data: Vec<u64>,
    #[prost(string, tag = "12")]
    pub doc_string: String,
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<StringStringEntryProto>,
    /// 0: the data stand in this message; 1: in another file (refused).
    #[prost(int32, tag = "14")]
    pub data_location: i32,
    #[prost(message, repeated, tag = "16")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// The name and the type of a value.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)] // fields are ONNX's own
pub struct ValueInfoProto {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
    #[prost(string, tag = "3")]
    pub doc_string: String,
    #[prost(message, repeated, tag = "4")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// The type of a value; only tensors are read, the other kinds are kept as bytes.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)] // fields are ONNX's own
pub struct TypeProto {
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorTypeProto>,
    #[prost(bytes = "vec", optional, tag = "4")]
    pub sequence_type: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub map_type: Option<Vec<u8>>,
    #[prost(string, tag = "6")]
    pub denotation: String,
    #[prost(bytes = "vec", optional, tag = "8")]
    pub sparse_tensor_type: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "9")]
    pub optional_type: Option<Vec<u8>>,
}

/// Element type and shape of a tensor value.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)] // fields are ONNX's own
pub struct TensorTypeProto {
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// The dimensions of a tensor value.
#[derive(Clone, PartialEq, Message)]
#[allow(missing_docs)] // fields are ONNX's own
pub struct TensorShapeProto {
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<DimensionProto>,
}

/// A dimension: a number, a name, or neither (unknown).
#[derive(Clone, PartialEq, Eq, Message)]
#[allow(missing_docs)] // fields are ONNX's own
pub struct DimensionProto {
    #[prost(int64, optional, tag = "1")]
    pub dim_value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub dim_param: Option<String>,
    #[prost(string, tag = "3")]
    pub denotation: String,
}

/// Why the content of a [`TensorProto`] cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    /// A dimension is negative, or the product of the dimensions does not fit.
    #[error("tensor {name:?} has impossible dimensions {dims:?}")]
    Dimensions {
        /// The tensor's name.
        name: String,
        /// Its dimensions as they stand in the file.
        dims: Vec<i64>,
    },
    /// Dimensions and data disagree.
    #[error("tensor {name:?} declares {declared} elements and holds {held}")]
    Length {
        /// The tensor's name.
        name: String,
        /// The product of the dimensions.
        declared: usize,
        /// The number of stored elements.
        held: usize,
    },
    /// The element type is not the one asked for.
    #[error("tensor {name:?} has element type {data_type}, which cannot be read as {wanted}")]
    Type {
        /// The tensor's name.
        name: String,
        /// ONNX's number of the element type.
        data_type: i32,
        /// What the caller asked for.
        wanted: &'static str,
    },
    /// The data are not (only) in this file's message.
    #[error("tensor {name:?} keeps its data outside the model file; store the weights in the file")]
    External {
        /// The tensor's name.
        name: String,
    },
}

impl TensorProto {
    /// A 32-bit float tensor in `raw_data`. `values` are row-major and their number is the product of `dims`.
    pub fn from_f32(name: &str, dims: &[usize], values: &[f32]) -> Self {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self::raw(name, ElementType::Float, dims, raw)
    }

    /// A 64-bit integer tensor in `raw_data`. `values` are row-major and their number is the product of `dims`.
    pub fn from_i64(name: &str, dims: &[usize], values: &[i64]) -> Self {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self::raw(name, ElementType::Int64, dims, raw)
    }

    /// A 16-bit float tensor in `raw_data`, each value rounded to the nearest. `values` are row-major and their number is
    /// the product of `dims`.
    pub fn from_f16(name: &str, dims: &[usize], values: &[f32]) -> Self {
        let halves = values.iter().map(|&v| half::f16::from_f32(v));
        let raw = halves.flat_map(|v| v.to_le_bytes()).collect();
        Self::raw(name, ElementType::Float16, dims, raw)
    }

    fn raw(name: &str, element_type: ElementType, dims: &[usize], raw: Vec<u8>) -> Self {
        Self {
            name: name.into(),
            dims: dims.iter().map(|&d| d as i64).collect(),
            data_type: element_type as i32,
            raw_data: Some(raw),
            ..Self::default()
        }
    }

    /// Replaces the data of a float tensor, keeping name, dimensions and everything else.
    ///
    /// # Errors
    /// When the tensor is not a float tensor or `values` does not have its number of elements.
    pub fn set_f32(&mut self, values: &[f32]) -> Result<(), TensorError> {
        self.expect_type(ElementType::Float, "32-bit float")?;
        self.expect_length(values.len())?;
        self.float_data = Vec::new();
        self.raw_data = Some(values.iter().flat_map(|v| v.to_le_bytes()).collect());
        Ok(())
    }

    /// The element type, if it is one that has a name here.
    pub fn element_type(&self) -> Option<ElementType> {
        ElementType::try_from(self.data_type).ok()
    }

    /// The dimensions as sizes.
    ///
    /// # Errors
    /// When one is negative.
    pub fn shape(&self) -> Result<Vec<usize>, TensorError> {
        self.dims
            .iter()
            .map(|&d| usize::try_from(d).map_err(|_| self.bad_dimensions()))
            .collect()
    }

    /// The declared number of elements: the product of the dimensions, 1 for a scalar.
    ///
    /// # Errors
    /// When a dimension is negative or the product overflows.
    pub fn element_count(&self) -> Result<usize, TensorError> {
        self.shape()?
            .iter()
            .try_fold(1usize, |product, &d| product.checked_mul(d))
            .ok_or_else(|| self.bad_dimensions())
    }

    /// The elements of a 32-bit float tensor, row-major.
    ///
    /// # Errors
    /// When the type is another one, the data are external, or length and dimensions disagree.
    pub fn to_f32(&self) -> Result<Vec<f32>, TensorError> {
        self.expect_type(ElementType::Float, "32-bit float")?;
        let values = match self.raw_elements()? {
            Some(chunks) => chunks
                .map(|c| f32::from_le_bytes(c.try_into().expect("chunks have the element's size")))
                .collect(),
            None => self.float_data.clone(),
        };
        self.expect_length(values.len())?;
        Ok(values)
    }

    /// The elements of a 16-bit float tensor in `raw_data`, row-major.
    ///
    /// # Errors
    /// When the type is another one, the data stand elsewhere, or length and dimensions disagree.
    pub fn to_f32_from_f16(&self) -> Result<Vec<f32>, TensorError> {
        self.expect_type(ElementType::Float16, "16-bit float")?;
        let chunks = self.raw_elements()?;
        let chunks = chunks.ok_or_else(|| self.bad_type("16-bit floats in raw_data"))?;
        let values: Vec<f32> = chunks
            .map(|c| {
                half::f16::from_le_bytes(c.try_into().expect("chunks have the element's size"))
            })
            .map(half::f16::to_f32)
            .collect();
        self.expect_length(values.len())?;
        Ok(values)
    }

    /// The elements of a 64-bit or 32-bit integer or boolean tensor, row-major.
    ///
    /// # Errors
    /// When the type is another one, the data are external, or length and dimensions disagree.
    pub fn to_i64(&self) -> Result<Vec<i64>, TensorError> {
        let raw = self.raw_elements()?;
        let values: Vec<i64> = match (self.element_type(), raw) {
            (Some(ElementType::Int64), Some(chunks)) => chunks
                .map(|c| i64::from_le_bytes(c.try_into().expect("chunks have the element's size")))
                .collect(),
            (Some(ElementType::Int32), Some(chunks)) => chunks
                .map(|c| i32::from_le_bytes(c.try_into().expect("chunks have the element's size")))
                .map(i64::from)
                .collect(),
            (Some(ElementType::Bool), Some(chunks)) => chunks.map(|c| i64::from(c[0])).collect(),
            (Some(ElementType::Int64), None) => self.int64_data.clone(),
            (Some(ElementType::Int32 | ElementType::Bool), None) => {
                self.int32_data.iter().map(|&v| i64::from(v)).collect()
            }
            _ => return Err(self.bad_type("integers")),
        };
        self.expect_length(values.len())?;
        Ok(values)
    }

    /// Checks that the data stand in the file and are exactly as many as the dimensions say, for any element type.
    ///
    /// # Errors
    /// As in [`TensorError`]; element types without a fixed size are refused.
    pub fn check_data(&self) -> Result<(), TensorError> {
        let held = match self.raw_elements()? {
            Some(chunks) => chunks.len(),
            None => match self.element_type() {
                Some(ElementType::Float) => self.float_data.len(),
                Some(ElementType::Int64) => self.int64_data.len(),
                Some(ElementType::Double) => self.double_data.len(),
                Some(ElementType::Uint32 | ElementType::Uint64) => self.uint64_data.len(),
                _ => self.int32_data.len(),
            },
        };
        self.expect_length(held)
    }

    /// `raw_data` cut into elements, or `None` when the typed fields hold the data.
    fn raw_elements(&self) -> Result<Option<std::slice::ChunksExact<'_, u8>>, TensorError> {
        if self.data_location != 0 || !self.external_data.is_empty() || self.segment.is_some() {
            return Err(TensorError::External {
                name: self.name.clone(),
            });
        }
        let size = self
            .element_type()
            .and_then(ElementType::size)
            .ok_or_else(|| self.bad_type("numbers"))?;
        let Some(raw) = &self.raw_data else {
            return Ok(None);
        };
        if raw.len() % size != 0 {
            return Err(TensorError::Length {
                name: self.name.clone(),
                declared: self.element_count()?,
                held: raw.len() / size,
            });
        }
        Ok(Some(raw.chunks_exact(size)))
    }

    fn expect_type(&self, wanted: ElementType, words: &'static str) -> Result<(), TensorError> {
        if self.element_type() == Some(wanted) {
            Ok(())
        } else {
            Err(self.bad_type(words))
        }
    }

    fn expect_length(&self, held: usize) -> Result<(), TensorError> {
        let declared = self.element_count()?;
        if held == declared {
            return Ok(());
        }
        Err(TensorError::Length {
            name: self.name.clone(),
            declared,
            held,
        })
    }

    fn bad_dimensions(&self) -> TensorError {
        TensorError::Dimensions {
            name: self.name.clone(),
            dims: self.dims.clone(),
        }
    }

    fn bad_type(&self, wanted: &'static str) -> TensorError {
        TensorError::Type {
            name: self.name.clone(),
            data_type: self.data_type,
            wanted,
        }
    }
}

impl NodeProto {
    /// The attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.attribute.iter().find(|a| a.name == name)
    }

    /// An integer attribute, or `default` where it is absent.
    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).and_then(|a| a.i).unwrap_or(default)
    }

    /// A list of integers, if the attribute is present.
    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|a| a.ints.as_slice())
    }

    /// A float attribute, or `default` where it is absent.
    pub fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).and_then(|a| a.f).unwrap_or(default)
    }

    /// A string attribute, if it is present and valid UTF-8.
    pub fn string(&self, name: &str) -> Option<&str> {
        let bytes = self.attribute(name)?.s.as_deref()?;
        std::str::from_utf8(bytes).ok()
    }

    /// A tensor attribute, if it is present.
    pub fn tensor(&self, name: &str) -> Option<&TensorProto> {
        self.attribute(name)?.t.as_ref()
    }

    /// The name of input `index`, if it is present (an empty name means absent).
    pub fn present_input(&self, index: usize) -> Option<&str> {
        self.input
            .get(index)
            .map(String::as_str)
            .filter(|name| !name.is_empty())
    }

    /// Whether the operator belongs to the default domain.
    pub fn is_default_domain(&self) -> bool {
        is_default_domain(&self.domain)
    }
}

/// Whether a domain's name means the standard operators of ONNX.
pub fn is_default_domain(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}

impl AttributeProto {
    /// A float attribute.
    pub fn from_float(name: &str, value: f32) -> Self {
        Self {
            f: Some(value),
            ..Self::typed(name, AttributeType::Float)
        }
    }

    /// An integer attribute.
    pub fn from_int(name: &str, value: i64) -> Self {
        Self {
            i: Some(value),
            ..Self::typed(name, AttributeType::Int)
        }
    }

    /// An attribute that is a list of integers.
    pub fn from_ints(name: &str, values: &[i64]) -> Self {
        Self {
            ints: values.to_vec(),
            ..Self::typed(name, AttributeType::Ints)
        }
    }

    /// A tensor attribute.
    pub fn from_tensor(name: &str, tensor: TensorProto) -> Self {
        Self {
            t: Some(tensor),
            ..Self::typed(name, AttributeType::Tensor)
        }
    }

    fn typed(name: &str, kind: AttributeType) -> Self {
        Self {
            name: name.into(),
            r#type: kind as i32,
            ..Self::default()
        }
    }
}

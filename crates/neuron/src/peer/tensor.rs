//! Tensors as values of requests and answers, as the Python SDK writes them: a JSON object of a buffer, a type and a
//! shape. The buffer is base64 of a MessagePack map in the form that NumPy's extension has made usual.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rmp::encode::ValueWriteError;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

/// The most dimensions of a tensor.
const MAX_DIMENSIONS: usize = 32;

/// What a tensor is made of. Bytes are little endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// Two bytes, IEEE 754 binary16.
    F16,
    /// Four bytes, IEEE 754 binary32.
    F32,
    /// Eight bytes, IEEE 754 binary64.
    F64,
    /// One byte without a sign.
    U8,
    /// One byte.
    I8,
    /// Two bytes.
    I16,
    /// Four bytes.
    I32,
    /// Eight bytes.
    I64,
    /// One byte, 0 or 1.
    Bool,
}

/// Each element with its name in JSON and in NumPy.
const ELEMENTS: [(Element, &str, &str); 9] = [
    (Element::F16, "float16", "<f2"),
    (Element::F32, "float32", "<f4"),
    (Element::F64, "float64", "<f8"),
    (Element::U8, "uint8", "|u1"),
    (Element::I8, "int8", "|i1"),
    (Element::I16, "int16", "<i2"),
    (Element::I32, "int32", "<i4"),
    (Element::I64, "int64", "<i8"),
    (Element::Bool, "bool", "|b1"),
];

impl Element {
    /// Bytes of one.
    pub fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::F16 | Self::I16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }

    /// Its names in JSON and in NumPy.
    fn names(self) -> (&'static str, &'static str) {
        let known = ELEMENTS.iter().find(|(element, _, _)| *element == self);
        known.map_or(("", ""), |(_, name, numpy)| (name, numpy))
    }
}

/// A tensor in row-major order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    element: Element,
    shape: Vec<usize>,
    data: Vec<u8>,
    /// Whether the Python side makes a torch tensor of it; otherwise a NumPy array.
    torch: bool,
}

/// Why something is no tensor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    /// The shape does not have as many elements as there are.
    #[error("a tensor of shape {shape:?} does not have {bytes} bytes of {element:?}")]
    Shape {
        /// The shape.
        shape: Vec<usize>,
        /// The element.
        element: Element,
        /// How many bytes there are.
        bytes: usize,
    },
    /// A type of elements that cannot be sent.
    #[error("elements of type {0} cannot be sent")]
    Element(String),
    /// The buffer is not of its form.
    #[error("the tensor's buffer cannot be read")]
    Buffer,
}

impl Tensor {
    /// A tensor from its bytes, row-major and little endian.
    ///
    /// # Errors
    /// When they are not as many as the shape needs, or there are more than 32 dimensions.
    pub fn new(element: Element, shape: Vec<usize>, data: Vec<u8>) -> Result<Self, TensorError> {
        let bytes = shape
            .iter()
            .try_fold(element.size(), |all, &length| all.checked_mul(length));
        if bytes != Some(data.len()) || shape.len() > MAX_DIMENSIONS {
            return Err(TensorError::Shape {
                bytes: data.len(),
                element,
                shape,
            });
        }
        Ok(Self {
            element,
            shape,
            data,
            torch: false,
        })
    }

    /// A tensor of 32-bit floats.
    ///
    /// # Errors
    /// As [`Tensor::new`].
    pub fn from_f32(shape: Vec<usize>, values: &[f32]) -> Result<Self, TensorError> {
        let data = values.iter().flat_map(|value| value.to_le_bytes());
        Self::new(Element::F32, shape, data.collect())
    }

    /// What it is made of.
    pub fn element(&self) -> Element {
        self.element
    }

    /// Its shape; empty for a single number.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Its bytes, row-major and little endian.
    pub fn bytes(&self) -> &[u8] {
        &self.data
    }

    /// Its values, if they are 32-bit floats.
    pub fn to_f32(&self) -> Option<Vec<f32>> {
        (self.element == Element::F32).then(|| {
            let values = self.data.as_chunks::<4>().0.iter();
            values.map(|bytes| f32::from_le_bytes(*bytes)).collect()
        })
    }

    /// The same, to be made a torch tensor by a Python program.
    pub fn torch(mut self) -> Self {
        self.torch = true;
        self
    }

    fn buffer(&self) -> Vec<u8> {
        let mut buffer = Vec::with_capacity(self.data.len() + 64);
        let out = &mut buffer;
        // Writing into memory does not fail.
        let mut write = || -> Result<(), ValueWriteError> {
            rmp::encode::write_map_len(out, 5)?;
            rmp::encode::write_bin(out, b"nd")?;
            rmp::encode::write_bool(out, true).map_err(ValueWriteError::InvalidMarkerWrite)?;
            rmp::encode::write_bin(out, b"type")?;
            rmp::encode::write_str(out, self.element.names().1)?;
            rmp::encode::write_bin(out, b"kind")?;
            rmp::encode::write_bin(out, b"")?;
            rmp::encode::write_bin(out, b"shape")?;
            rmp::encode::write_array_len(out, self.shape.len() as u32)?;
            for &length in &self.shape {
                rmp::encode::write_uint(out, length as u64)?;
            }
            rmp::encode::write_bin(out, b"data")?;
            rmp::encode::write_bin(out, &self.data)
        };
        let _ = write();
        buffer
    }

    fn read_buffer(mut buffer: &[u8]) -> Option<(Element, Vec<usize>, Vec<u8>)> {
        let input = &mut buffer;
        let (mut element, mut shape, mut data) = (None, None, None);
        for _ in 0..rmp::decode::read_map_len(input).ok()?.min(16) {
            match bytes(input)? {
                b"nd" => rmp::decode::read_bool(input)
                    .ok()
                    .filter(|is_array| *is_array)
                    .map(drop)?,
                b"type" => {
                    let text = std::str::from_utf8(bytes(input)?).ok()?;
                    // The byte order is unsaid where there is but one.
                    let bare = |name: &str| name.trim_start_matches(['<', '|', '=']).to_owned();
                    let known = ELEMENTS
                        .iter()
                        .find(|(_, _, numpy)| bare(numpy) == bare(text));
                    element = Some(known.filter(|_| !text.starts_with('>'))?.0);
                }
                b"kind" => drop(bytes(input)?),
                b"shape" => {
                    let dimensions = rmp::decode::read_array_len(input).ok()? as usize;
                    if dimensions > MAX_DIMENSIONS {
                        return None;
                    }
                    let mut lengths = Vec::new();
                    for _ in 0..dimensions {
                        lengths.push(rmp::decode::read_int(input).ok()?);
                    }
                    shape = Some(lengths);
                }
                b"data" => data = Some(bytes(input)?.to_vec()),
                _ => return None,
            }
        }
        input.is_empty().then_some((element?, shape?, data?))
    }
}

/// A run of bytes, as one or as a text.
fn bytes<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut ahead = *input;
    let length = match rmp::decode::read_bin_len(&mut ahead) {
        Ok(length) => length,
        Err(_) => {
            ahead = *input;
            rmp::decode::read_str_len(&mut ahead).ok()?
        }
    };
    let (bytes, rest) = ahead.split_at_checked(length as usize)?;
    *input = rest;
    Some(bytes)
}

/// As it stands in JSON.
#[derive(Serialize, Deserialize)]
struct Wire {
    buffer: String,
    dtype: String,
    shape: Vec<usize>,
}

impl Serialize for Tensor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.shape.len() > MAX_DIMENSIONS {
            return Err(ser::Error::custom("too many dimensions"));
        }
        let name = self.element.names().0;
        let prefix = if self.torch { "torch." } else { "" };
        Wire {
            buffer: STANDARD.encode(self.buffer()),
            dtype: format!("{prefix}{name}"),
            // A single number's shape is written so.
            shape: match self.shape.is_empty() {
                true => vec![0],
                false => self.shape.clone(),
            },
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Tensor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        let name = wire.dtype.strip_prefix("torch.");
        let torch = name.is_some();
        let name = name.unwrap_or(&wire.dtype);
        let known = ELEMENTS.iter().find(|(_, known, _)| *known == name);
        let (stated, _, _) =
            known.ok_or_else(|| de::Error::custom(TensorError::Element(wire.dtype.clone())))?;
        let buffer = STANDARD.decode(&wire.buffer).ok();
        let read = buffer.and_then(|buffer| Self::read_buffer(&buffer));
        let (element, shape, data) = read
            .filter(|(element, _, _)| element == stated)
            .ok_or_else(|| de::Error::custom(TensorError::Buffer))?;
        let tensor = Self::new(element, shape, data).map_err(de::Error::custom)?;
        Ok(Self { torch, ..tensor })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn floats() -> Tensor {
        Tensor::from_f32(vec![2, 2], &[1.5, 2.0, 3.0, 4.0]).unwrap()
    }

    #[test]
    fn the_bytes_are_those_of_the_public_clients() {
        let expected = json!({
            "buffer": "hcQCbmTDxAR0eXBlozxmNMQEa2luZMQAxAVzaGFwZZICAsQEZGF0YcQQAADAPwAAAEAAAEBAAACAQA==",
            "dtype": "torch.float32",
            "shape": [2, 2],
        });
        assert_eq!(serde_json::to_value(floats().torch()).unwrap(), expected);
        let read: Tensor = serde_json::from_value(expected).unwrap();
        assert_eq!(read, floats().torch());
        assert_eq!(read.to_f32().unwrap(), [1.5, 2.0, 3.0, 4.0]);
        let theirs = json!({
            "buffer": "hcQCbmTDxAR0eXBlozxpOMQEa2luZMQAxAVzaGFwZZEDxARkYXRhxBgBAAAAAAAAAAIAAAAAAAAAAwAAAAAAAAA=",
            "dtype": "int64",
            "shape": [3],
        });
        let read: Tensor = serde_json::from_value(theirs).unwrap();
        assert_eq!((read.element(), read.shape()), (Element::I64, &[3][..]));
        assert_eq!(read.bytes()[8], 2);
    }

    #[test]
    fn a_single_number_has_no_dimensions() {
        let tensor = Tensor::from_f32(vec![], &[7.0]).unwrap();
        let written = serde_json::to_value(&tensor).unwrap();
        assert_eq!(written["shape"], json!([0]));
        assert_eq!(serde_json::from_value::<Tensor>(written).unwrap(), tensor);
    }

    #[test]
    fn what_is_no_tensor_is_refused() {
        let wrong = |change: &dyn Fn(&mut Value)| {
            let mut value = serde_json::to_value(floats()).unwrap();
            change(&mut value);
            serde_json::from_value::<Tensor>(value).is_err()
        };
        assert!(wrong(&|value| value["dtype"] = "object".into()));
        assert!(wrong(&|value| value["dtype"] = "int64".into()));
        assert!(wrong(&|value| value["buffer"] = "!".into()));
        assert!(wrong(&|value| value["buffer"] = "gA==".into()));
        assert!(Tensor::from_f32(vec![usize::MAX, 2], &[1.0]).is_err());
        assert!(Tensor::from_f32(vec![1; 33], &[1.0]).is_err());
    }

    proptest! {
        #[test]
        fn any_buffer_is_read_or_refused(buffer: Vec<u8>) {
            let _ = Tensor::read_buffer(&buffer);
        }

        #[test]
        fn what_is_written_is_read(which in 0..ELEMENTS.len(), lengths in prop::collection::vec(0_usize..5, 0..4)) {
            let element = ELEMENTS[which].0;
            let bytes = lengths.iter().product::<usize>() * element.size();
            let data = (0..bytes).map(|at| at as u8).collect();
            let tensor = Tensor::new(element, lengths, data).unwrap();
            let written = serde_json::to_string(&tensor).unwrap();
            prop_assert_eq!(serde_json::from_str::<Tensor>(&written).unwrap(), tensor);
        }
    }
}

//! What a node reads.

use ::burn::tensor::Tensor;

use super::value::{Float, Integers, Value};
use crate::program::Use;

/// Reasons are put together with the node's name by the caller.
pub(super) type Lowered<T> = Result<T, String>;

/// The inputs of one node; a value that nobody reads afterwards is moved out.
pub(super) struct Inputs<'a> {
    uses: &'a [Option<Use>],
    values: &'a mut [Option<Value>],
}

impl<'a> Inputs<'a> {
    pub fn new(uses: &'a [Option<Use>], values: &'a mut [Option<Value>]) -> Self {
        Self { uses, values }
    }

    pub fn count(&self) -> usize {
        self.uses.len()
    }

    pub fn has(&self, index: usize) -> bool {
        self.uses.get(index).is_some_and(Option::is_some)
    }

    pub fn value(&mut self, index: usize) -> Lowered<Value> {
        let used = self.uses.get(index).copied().flatten();
        let used = used.ok_or_else(|| format!("input {index} is missing"))?;
        let value = &mut self.values[used.slot];
        let value = if used.last {
            value.take()
        } else {
            value.clone()
        };
        value.ok_or_else(|| format!("input {index} has no value"))
    }

    pub fn float(&mut self, index: usize) -> Lowered<Float> {
        match self.value(index)? {
            Value::Float(float) => Ok(float),
            Value::Integers(_) => Err(format!("input {index} holds integers, floats are wanted")),
        }
    }

    pub fn integers(&mut self, index: usize) -> Lowered<Integers> {
        match self.value(index)? {
            Value::Integers(integers) => Ok(integers),
            Value::Float(_) => Err(format!("input {index} holds floats, integers are wanted")),
        }
    }

    /// The elements of an optional integer input.
    pub fn list(&mut self, index: usize) -> Lowered<Option<Vec<i64>>> {
        if self.has(index) {
            Ok(Some(self.integers(index)?.data))
        } else {
            Ok(None)
        }
    }

    /// A float input of this shape, as a vector.
    pub fn vector(&mut self, index: usize, length: usize, what: &str) -> Lowered<Tensor<1>> {
        match self.float(index)? {
            Float::Rank1(tensor) if tensor.dims() == [length] => Ok(tensor),
            other => Err(format!(
                "the {what} has shape {:?}, [{length}] is wanted",
                other.dims()
            )),
        }
    }

    /// A float input of rank four.
    pub fn image(&mut self, index: usize) -> Lowered<Tensor<4>> {
        match self.float(index)? {
            Float::Rank4(tensor) => Ok(tensor),
            other => Err(format!(
                "input {index} has shape {:?}, rank 4 is wanted",
                other.dims()
            )),
        }
    }
}

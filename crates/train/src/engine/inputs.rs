//! What a node reads.

use super::backend::Backend;
use super::value::{Integers, Value};
use crate::program::Use;

/// Reasons are put together with the node's name by the caller.
pub(super) type Lowered<T> = Result<T, String>;

/// The inputs of one node; a value that nobody reads afterwards is moved out.
pub(super) struct Inputs<'a, B: Backend> {
    /// What computes.
    pub backend: &'a B,
    uses: &'a [Option<Use>],
    values: &'a mut [Option<Value<B::Tensor>>],
}

impl<'a, B: Backend> Inputs<'a, B> {
    pub fn new(
        backend: &'a B,
        uses: &'a [Option<Use>],
        values: &'a mut [Option<Value<B::Tensor>>],
    ) -> Self {
        Self {
            backend,
            uses,
            values,
        }
    }

    pub fn count(&self) -> usize {
        self.uses.len()
    }

    pub fn has(&self, index: usize) -> bool {
        self.uses.get(index).is_some_and(Option::is_some)
    }

    pub fn value(&mut self, index: usize) -> Lowered<Value<B::Tensor>> {
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

    pub fn float(&mut self, index: usize) -> Lowered<B::Tensor> {
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
    pub fn vector(&mut self, index: usize, length: usize, what: &str) -> Lowered<B::Tensor> {
        let float = self.float(index)?;
        let dims = self.backend.dims(&float);
        if dims == [length] {
            return Ok(float);
        }
        Err(format!(
            "the {what} has shape {dims:?}, [{length}] is wanted"
        ))
    }

    /// The same if the node has the input at all.
    pub fn optional_vector(
        &mut self,
        index: usize,
        length: usize,
        what: &str,
    ) -> Lowered<Option<B::Tensor>> {
        let present = self.has(index);
        present
            .then(|| self.vector(index, length, what))
            .transpose()
    }

    /// A float input of rank four, and its sizes.
    pub fn image(&mut self, index: usize) -> Lowered<(B::Tensor, [usize; 4])> {
        let float = self.float(index)?;
        let dims = self.backend.dims(&float);
        match <[usize; 4]>::try_from(dims) {
            Ok(dims) => Ok((float, dims)),
            Err(dims) => Err(format!(
                "input {index} has shape {dims:?}, rank 4 is wanted"
            )),
        }
    }
}

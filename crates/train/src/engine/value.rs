//! What flows along an edge of the graph.

use super::backend::Backend;
use crate::program::Constant;

/// Integers live on the host: in the graphs we run they are shapes and indices, never features.
#[derive(Clone, Debug)]
pub(super) struct Integers {
    pub dims: Vec<usize>,
    pub data: Vec<i64>,
}

/// Floats of an engine, or integers.
#[derive(Clone, Debug)]
pub(super) enum Value<T> {
    Float(T),
    Integers(Integers),
}

impl<T> Value<T> {
    /// A constant of the program.
    pub fn of_constant<B: Backend<Tensor = T>>(constant: &Constant, backend: &B) -> Self {
        match constant {
            Constant::Float { dims, data } => Self::Float(backend.upload(data.clone(), dims)),
            Constant::Integer { dims, data } => Self::Integers(Integers {
                dims: dims.clone(),
                data: data.clone(),
            }),
        }
    }

    pub fn dims<B: Backend<Tensor = T>>(&self, backend: &B) -> Vec<usize> {
        match self {
            Self::Float(float) => backend.dims(float),
            Self::Integers(integers) => integers.dims.clone(),
        }
    }
}

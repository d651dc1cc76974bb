//! Values whose rank is known only when the graph runs, over tensors whose rank is part of their type.

use ::burn::tensor::{Device, Tensor, TensorData};

/// A float tensor of rank 0 to 5. Rank 0 is stored as one element of rank 1.
#[derive(Clone, Debug)]
pub(in crate::engine) enum Float {
    Rank0(Tensor<1>),
    Rank1(Tensor<1>),
    Rank2(Tensor<2>),
    Rank3(Tensor<3>),
    Rank4(Tensor<4>),
    Rank5(Tensor<5>),
}

/// Evaluates one expression with the tensor of whatever rank.
macro_rules! with_tensor {
    ($float:expr, $tensor:ident => $body:expr) => {
        match $float {
            Float::Rank0($tensor) | Float::Rank1($tensor) => $body,
            Float::Rank2($tensor) => $body,
            Float::Rank3($tensor) => $body,
            Float::Rank4($tensor) => $body,
            Float::Rank5($tensor) => $body,
        }
    };
}

/// Maps the tensor to another of the same rank.
macro_rules! map_tensor {
    ($float:expr, $tensor:ident => $body:expr) => {
        match $float {
            Float::Rank0($tensor) => Float::Rank0($body),
            Float::Rank1($tensor) => Float::Rank1($body),
            Float::Rank2($tensor) => Float::Rank2($body),
            Float::Rank3($tensor) => Float::Rank3($body),
            Float::Rank4($tensor) => Float::Rank4($body),
            Float::Rank5($tensor) => Float::Rank5($body),
        }
    };
}

pub(super) use map_tensor;

/// Access at a fixed rank; a lower rank gets leading ones, as broadcasting does.
macro_rules! at_rank {
    ($name:ident, $rank:literal, $($variant:ident)|+) => {
        pub fn $name(self) -> Tensor<$rank> {
            match self {
                $(Float::$variant(tensor))|+ => tensor,
                other => {
                    let dims = other.dims();
                    assert!(dims.len() < $rank, "rank {} is above {}", dims.len(), $rank);
                    let mut padded = [1; $rank];
                    padded[$rank - dims.len()..].copy_from_slice(&dims);
                    with_tensor!(other, tensor => tensor.reshape(padded))
                }
            }
        }
    };
}

impl Float {
    /// A tensor from the host. `data` has as many elements as `dims` say.
    pub fn from_host(data: Vec<f32>, dims: &[usize], device: &Device) -> Self {
        let shape: Vec<usize> = if dims.is_empty() {
            vec![1]
        } else {
            dims.to_vec()
        };
        let data = TensorData::new(data, shape);
        match dims.len() {
            0 => Self::Rank0(Tensor::from_data(data, device)),
            1 => Self::Rank1(Tensor::from_data(data, device)),
            2 => Self::Rank2(Tensor::from_data(data, device)),
            3 => Self::Rank3(Tensor::from_data(data, device)),
            4 => Self::Rank4(Tensor::from_data(data, device)),
            _ => Self::Rank5(Tensor::from_data(data, device)),
        }
    }

    /// Its elements, row-major.
    pub fn into_host(self) -> Result<Vec<f32>, String> {
        with_tensor!(self, tensor => tensor.try_into_vec_as::<f32>()).map_err(|e| e.to_string())
    }

    pub fn rank(&self) -> usize {
        match self {
            Self::Rank0(_) => 0,
            Self::Rank1(_) => 1,
            Self::Rank2(_) => 2,
            Self::Rank3(_) => 3,
            Self::Rank4(_) => 4,
            Self::Rank5(_) => 5,
        }
    }

    pub fn dims(&self) -> Vec<usize> {
        match self {
            Self::Rank0(_) => vec![],
            other => with_tensor!(other, tensor => tensor.dims().to_vec()),
        }
    }

    at_rank!(rank1, 1, Rank0 | Rank1);
    at_rank!(rank2, 2, Rank2);
    at_rank!(rank3, 3, Rank3);
    at_rank!(rank4, 4, Rank4);
    at_rank!(rank5, 5, Rank5);

    /// The same elements in another shape, which has as many, of rank 5 at most.
    pub fn reshape(self, dims: &[usize]) -> Self {
        if self.dims() == dims {
            return self;
        }
        let dim = |index: usize| dims[index];
        with_tensor!(self, tensor => match dims.len() {
            0 => Self::Rank0(tensor.reshape([1])),
            1 => Self::Rank1(tensor.reshape([dim(0)])),
            2 => Self::Rank2(tensor.reshape(std::array::from_fn::<_, 2, _>(dim))),
            3 => Self::Rank3(tensor.reshape(std::array::from_fn::<_, 3, _>(dim))),
            4 => Self::Rank4(tensor.reshape(std::array::from_fn::<_, 4, _>(dim))),
            _ => Self::Rank5(tensor.reshape(std::array::from_fn::<_, 5, _>(dim))),
        })
    }
}

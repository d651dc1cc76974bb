//! The engine on libtorch, PyTorch's library.
//!
//! Images and kernels lie in memory with their channels last, which its convolutions on the processor are fastest with.

use tch::{Kind, Tensor};

use super::backend::Backend;
use super::{Device, DeviceError};
use crate::program::{Binary, Unary, Window};

/// Tensors of libtorch on one device.
pub(super) struct Libtorch(tch::Device);

/// A tensor that is cloned as all others are: by sharing its numbers.
pub(super) struct Shared(Tensor);

impl Clone for Shared {
    fn clone(&self) -> Self {
        Self(self.0.shallow_clone())
    }
}

impl Libtorch {
    pub fn new(device: Device) -> Result<Self, DeviceError> {
        let Device::LibtorchCuda(index) = device else {
            return Ok(Self(tch::Device::Cpu));
        };
        let count = tch::Cuda::device_count();
        if (index as i64) < count {
            return Ok(Self(tch::Device::Cuda(index)));
        }
        let reason = format!("libtorch sees {count} of them");
        Err(DeviceError::Absent { device, reason })
    }
}

impl Backend for Libtorch {
    type Tensor = Shared;
    /// Derivatives lie in the leaves.
    type Gradients = ();

    fn enter(&self) {
        // Each shard computes in a pool of its own; libtorch shall use no more threads than that has.
        tch::set_num_threads(rayon::current_num_threads() as i32);
    }

    fn upload(&self, data: Vec<f32>, dims: &[usize]) -> Shared {
        let x = Tensor::from_slice(&data)
            .reshape(sizes(dims))
            .to_device(self.0);
        Shared(match dims.len() {
            4 => x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]),
            _ => x,
        })
    }

    fn download(&self, x: Shared) -> Result<Vec<f32>, String> {
        let x = x.0.detach().to_device(tch::Device::Cpu).reshape([-1]);
        Vec::<f32>::try_from(x).map_err(|error| error.to_string())
    }

    fn dims(&self, x: &Shared) -> Vec<usize> {
        x.0.size().into_iter().map(|size| size as usize).collect()
    }

    fn leaf(&self, x: Shared) -> Shared {
        Shared(x.0.set_requires_grad(true))
    }

    fn detached(&self, x: Shared) -> Shared {
        Shared(x.0.detach())
    }

    fn backward(&self, x: Shared, slopes: Shared) {
        (x.0 * slopes.0).sum(Kind::Float).backward();
    }

    fn gradient(&self, leaf: Shared, (): &mut ()) -> Option<Shared> {
        let gradient = leaf.0.grad();
        gradient.defined().then_some(Shared(gradient))
    }

    fn unary(&self, function: Unary, x: Shared) -> Shared {
        let x = x.0;
        Shared(match function {
            Unary::Abs => x.abs(),
            Unary::Clip(lower, upper) => x.clamp(f64::from(lower), f64::from(upper)),
            Unary::Erf => x.erf(),
            Unary::Exp => x.exp(),
            Unary::Gelu(false) => x.gelu("none"),
            Unary::Gelu(true) => x.gelu("tanh"),
            Unary::HardSigmoid(alpha, beta) => {
                (x * f64::from(alpha) + f64::from(beta)).clamp(0.0, 1.0)
            }
            Unary::HardSwish => x.hardswish(),
            Unary::LeakyRelu(slope) => x.prelu(&Tensor::from_slice(&[slope]).to_device(self.0)),
            Unary::Log => x.log(),
            Unary::Neg => x.neg(),
            Unary::Pow(exponent) => x.pow_tensor_scalar(f64::from(exponent)),
            Unary::Reciprocal => x.reciprocal(),
            Unary::Relu => x.relu(),
            Unary::Sigmoid => x.sigmoid(),
            Unary::Sqrt => x.sqrt(),
            Unary::Tanh => x.tanh(),
        })
    }

    fn with_number(&self, function: Binary, x: Shared, number: f32, left: bool) -> Shared {
        let (x, number) = (x.0, f64::from(number));
        Shared(match (function, left) {
            (Binary::Add, _) => x + number,
            (Binary::Sub, false) => x - number,
            (Binary::Sub, true) => x.neg() + number,
            (Binary::Mul, _) => x * number,
            (Binary::Div, false) => x / number,
            (Binary::Div, true) => x.reciprocal() * number,
            (Binary::Min, _) => x.clamp_max(number),
            (Binary::Max, _) => x.clamp_min(number),
        })
    }

    fn binary(&self, function: Binary, a: Shared, b: Shared) -> Shared {
        let (a, b) = (a.0, b.0);
        Shared(match function {
            Binary::Add => a + b,
            Binary::Sub => a - b,
            Binary::Mul => a * b,
            Binary::Div => a / b,
            Binary::Min => a.minimum(&b),
            Binary::Max => a.maximum(&b),
        })
    }

    fn linear(&self, a: Shared, matrix: Shared, bias: Option<Shared>) -> Shared {
        Shared(a.0.linear(&matrix.0.transpose(0, 1), bias.map(|bias| bias.0)))
    }

    fn matrix_product(&self, a: Shared, b: Shared) -> Shared {
        Shared(a.0.matmul(&b.0))
    }

    fn convolution(
        &self,
        x: Shared,
        kernel: Shared,
        bias: Option<Shared>,
        window: &Window,
        groups: usize,
    ) -> Shared {
        let (x, padding) = symmetric(x.0, window, usize::MAX, 0.0);
        Shared(x.conv2d(
            &kernel.0,
            bias.map(|bias| bias.0),
            sizes(&window.strides),
            padding,
            sizes(&window.dilations),
            groups as i64,
        ))
    }

    fn batch_norm(
        &self,
        x: Shared,
        affine: [Shared; 2],
        moments: [Shared; 2],
        epsilon: f64,
    ) -> Shared {
        let [scale, bias] = affine.map(|part| Some(part.0));
        let [mean, variance] = moments.map(|part| Some(part.0));
        let cudnn = true;
        Shared(x.0.batch_norm(scale, bias, mean, variance, false, 0.0, epsilon, cudnn))
    }

    fn batch_norm_trained(
        &self,
        x: Shared,
        affine: [Shared; 2],
        epsilon: f64,
    ) -> (Shared, [Shared; 2]) {
        let [scale, bias] = affine.map(|part| part.0);
        let channels = scale.size();
        // Running statistics that take over everything of this batch are its own.
        let mean = scale.detach().zeros_like();
        let variance = mean.zeros_like();
        let (training, momentum, cudnn) = (true, 1.0, true);
        let normalised = x.0.batch_norm(
            Some(&scale),
            Some(&bias),
            Some(&mean),
            Some(&variance),
            training,
            momentum,
            epsilon,
            cudnn,
        );
        // Libtorch's is the sample's variance; ours is the population's.
        let count = (x.0.numel() as i64 / channels[0]) as f64;
        let variance = if count > 1.0 {
            variance * ((count - 1.0) / count)
        } else {
            variance.zeros_like()
        };
        (Shared(normalised), [Shared(mean), Shared(variance)])
    }

    fn layer_norm(&self, x: Shared, scale: Shared, bias: Option<Shared>, epsilon: f64) -> Shared {
        let axis = scale.0.size();
        let cudnn = true;
        let bias = bias.map(|bias| bias.0);
        Shared(x.0.layer_norm(axis, Some(scale.0), bias, epsilon, cudnn))
    }

    fn max_pool(&self, x: Shared, kernel: [usize; 2], window: &Window, ceil: bool) -> Shared {
        let limit = kernel[0].min(kernel[1]) / 2;
        let (x, padding) = symmetric(x.0, window, limit, f64::NEG_INFINITY);
        let (strides, dilations) = (sizes(&window.strides), sizes(&window.dilations));
        Shared(x.max_pool2d(sizes(&kernel), strides, padding, dilations, ceil))
    }

    fn average_pool(
        &self,
        x: Shared,
        kernel: [usize; 2],
        window: &Window,
        ceil: bool,
        count_padding: bool,
    ) -> Shared {
        let limit = kernel[0].min(kernel[1]) / 2;
        let strides = sizes(&window.strides);
        let pool = |x: &Tensor, padding: Vec<i64>, count: bool| {
            x.avg_pool2d(sizes(&kernel), &strides, padding, ceil, count, None::<i64>)
        };
        let ones = x.0.ones_like();
        let (padded, padding) = symmetric(x.0, window, limit, 0.0);
        let was_padded = padded.size() != ones.size();
        let mean = pool(&padded, padding.clone(), count_padding);
        if !was_padded || count_padding {
            return Shared(mean);
        }
        // What was padded by hand counts for nothing.
        let (ones, _) = symmetric(ones, window, limit, 0.0);
        Shared(mean / pool(&ones, padding, count_padding))
    }

    fn global_average(&self, x: Shared) -> Shared {
        Shared(x.0.adaptive_avg_pool2d([1, 1]))
    }

    fn reduce(&self, x: Shared, mean: bool, axes: &[usize]) -> Shared {
        let axes = sizes(axes);
        if axes.is_empty() {
            return x;
        }
        Shared(match mean {
            true => x.0.mean_dim(axes, true, None::<Kind>),
            false => x.0.sum_dim_intlist(axes, true, None::<Kind>),
        })
    }

    fn softmax(&self, x: Shared, axis: usize, logarithm: bool) -> Shared {
        Shared(match logarithm {
            true => x.0.log_softmax(axis as i64, None::<Kind>),
            false => x.0.softmax(axis as i64, None::<Kind>),
        })
    }

    fn concat(&self, parts: Vec<Shared>, axis: usize) -> Shared {
        let parts: Vec<Tensor> = parts.into_iter().map(|part| part.0).collect();
        Shared(Tensor::cat(&parts, axis as i64))
    }

    fn reshape(&self, x: Shared, dims: &[usize]) -> Shared {
        Shared(x.0.reshape(sizes(dims)))
    }

    fn permute(&self, x: Shared, order: &[usize]) -> Shared {
        Shared(x.0.permute(sizes(order)))
    }

    fn slice(&self, x: Shared, axis: usize, start: usize, end: usize, step: usize) -> Shared {
        Shared(x.0.slice(axis as i64, start as i64, end as i64, step as i64))
    }

    fn select(&self, x: Shared, axis: usize, rows: &[i64]) -> Shared {
        let rows = Tensor::from_slice(rows).to_device(self.0);
        Shared(x.0.index_select(axis as i64, &rows))
    }
}

/// Sizes or axes as libtorch wants them.
fn sizes(dims: &[usize]) -> Vec<i64> {
    dims.iter().map(|&dim| dim as i64).collect()
}

/// Libtorch pads both sides alike, and pools at most by half a window: what is not so, or above the limit, is padded
/// with this value beforehand. Returns the padding that is left.
fn symmetric(x: Tensor, window: &Window, limit: usize, value: f64) -> (Tensor, Vec<i64>) {
    let [(top, bottom), (left, right)] = window.padding;
    if top == bottom && left == right && top.max(left) <= limit {
        return (x, sizes(&[top, left]));
    }
    let around = sizes(&[left, right, top, bottom]);
    (x.pad(around, "constant", value), vec![0, 0])
}

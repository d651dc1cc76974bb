//! The engine on [Burn](https://burn.dev): on the processor, and by feature on graphics cards.

mod float;

use std::panic::{AssertUnwindSafe, catch_unwind};

use ::burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use ::burn::tensor::{self, Gradients, Int, Slice, Tensor, TensorData, activation, module};

use self::float::{Float, map_tensor};
use super::backend::Backend;
use super::pass::panic_message;
use super::{Device, DeviceError};
use crate::program::{Binary, Unary, Window};

/// Tensors of Burn on one device.
pub(super) struct Burn(tensor::Device);

impl Burn {
    pub fn processor() -> Self {
        Self(tensor::Device::flex())
    }

    /// A graphics card, which is tried out.
    pub fn card(device: Device) -> Result<Self, DeviceError> {
        let burn = Self(named(device)?);
        // A missing driver or card is a panic of the library.
        let attempt = || burn.download(burn.upload(vec![1.0], &[1]));
        let reason = match catch_unwind(AssertUnwindSafe(attempt)) {
            Ok(Ok(_)) => return Ok(burn),
            Ok(Err(reason)) => reason,
            Err(panic) => panic_message(&*panic),
        };
        Err(DeviceError::Absent { device, reason })
    }

    fn rows(&self, rows: &[i64]) -> Tensor<1, Int> {
        let data = TensorData::new(rows.to_vec(), [rows.len()]);
        Tensor::from_data(data, &self.0)
    }
}

impl Backend for Burn {
    type Tensor = Float;
    type Gradients = Gradients;

    fn upload(&self, data: Vec<f32>, dims: &[usize]) -> Float {
        Float::from_host(data, dims, &self.0)
    }

    fn download(&self, x: Float) -> Result<Vec<f32>, String> {
        x.into_host()
    }

    fn dims(&self, x: &Float) -> Vec<usize> {
        x.dims()
    }

    fn leaf(&self, x: Float) -> Float {
        map_tensor!(x, t => t.autodiff().require_grad())
    }

    fn detached(&self, x: Float) -> Float {
        map_tensor!(x, t => t.inner())
    }

    fn backward(&self, x: Float, slopes: Float) -> Gradients {
        (x.rank2() * slopes.rank2()).sum().backward()
    }

    fn gradient(&self, leaf: Float, gradients: &mut Gradients) -> Option<Float> {
        Some(map_tensor!(leaf, t => t.grad_remove(gradients)?))
    }

    fn unary(&self, function: Unary, x: Float) -> Float {
        map_tensor!(x, t => match function {
            Unary::Abs => t.abs(),
            Unary::Clip(lower, upper) => clip(t, lower, upper),
            Unary::Erf => t.erf(),
            Unary::Exp => t.exp(),
            Unary::Gelu(false) => activation::gelu(t),
            Unary::Gelu(true) => activation::gelu_approximate(t),
            Unary::HardSigmoid(alpha, beta) => (t * alpha + beta).clamp(0.0, 1.0),
            Unary::HardSwish => t.clone() * (t / 6.0 + 0.5).clamp(0.0, 1.0),
            Unary::LeakyRelu(slope) => activation::leaky_relu(t, f64::from(slope)),
            Unary::Log => t.log(),
            Unary::Neg => t.neg(),
            Unary::Pow(exponent) => t.powf_scalar(exponent),
            Unary::Reciprocal => t.recip(),
            Unary::Relu => activation::relu(t),
            Unary::Sigmoid => activation::sigmoid(t),
            Unary::Sqrt => t.sqrt(),
            Unary::Tanh => t.tanh(),
        })
    }

    fn with_number(&self, function: Binary, x: Float, number: f32, left: bool) -> Float {
        map_tensor!(x, t => match (function, left) {
            (Binary::Add, _) => t + number,
            (Binary::Sub, false) => t - number,
            (Binary::Sub, true) => t.neg() + number,
            (Binary::Mul, _) => t * number,
            (Binary::Div, false) => t / number,
            (Binary::Div, true) => t.recip() * number,
            (Binary::Min, _) => t.clamp_max(number),
            (Binary::Max, _) => t.clamp_min(number),
        })
    }

    fn binary(&self, function: Binary, a: Float, b: Float) -> Float {
        match a.rank().max(b.rank()) {
            0 => Float::Rank0(combine(function, a.rank1(), b.rank1())),
            1 => Float::Rank1(combine(function, a.rank1(), b.rank1())),
            2 => Float::Rank2(combine(function, a.rank2(), b.rank2())),
            3 => Float::Rank3(combine(function, a.rank3(), b.rank3())),
            4 => Float::Rank4(combine(function, a.rank4(), b.rank4())),
            _ => Float::Rank5(combine(function, a.rank5(), b.rank5())),
        }
    }

    fn linear(&self, a: Float, matrix: Float, bias: Option<Float>) -> Float {
        let (matrix, bias) = (matrix.rank2(), bias.map(Float::rank1));
        map_tensor!(a, t => module::linear(t, matrix, bias))
    }

    fn matrix_product(&self, a: Float, b: Float) -> Float {
        match a.rank().max(b.rank()) {
            2 => Float::Rank2(a.rank2().matmul(b.rank2())),
            3 => Float::Rank3(a.rank3().matmul(b.rank3())),
            4 => Float::Rank4(a.rank4().matmul(b.rank4())),
            _ => Float::Rank5(a.rank5().matmul(b.rank5())),
        }
    }

    fn convolution(
        &self,
        x: Float,
        kernel: Float,
        bias: Option<Float>,
        window: &Window,
        groups: usize,
    ) -> Float {
        let options =
            ConvOptions::new_with_padding(window.strides, window.padding, window.dilations, groups);
        let bias = bias.map(Float::rank1);
        Float::Rank4(module::conv2d(x.rank4(), kernel.rank4(), bias, options))
    }

    fn batch_norm(&self, x: Float, affine: [Float; 2], moments: [Float; 2], epsilon: f64) -> Float {
        let [scale, bias] = affine.map(Float::rank1);
        let [mean, variance] = moments.map(Float::rank1);
        map_tensor!(x, t => module::batch_norm(t, scale, bias, mean, variance, epsilon))
    }

    fn batch_norm_trained(
        &self,
        x: Float,
        affine: [Float; 2],
        epsilon: f64,
    ) -> (Float, [Float; 2]) {
        let [scale, bias] = affine.map(Float::rank1);
        let moments;
        let normalised = map_tensor!(x, t => {
            let result = module::batch_norm_train(t, scale, bias, epsilon);
            moments = [result.mean, result.variance].map(Float::Rank1);
            result.output
        });
        (normalised, moments)
    }

    fn layer_norm(&self, x: Float, scale: Float, bias: Option<Float>, epsilon: f64) -> Float {
        let (scale, bias) = (scale.rank1(), bias.map(Float::rank1));
        map_tensor!(x, t => module::layer_norm(t, scale, bias, epsilon))
    }

    fn max_pool(&self, x: Float, kernel: [usize; 2], window: &Window, ceil: bool) -> Float {
        let options = MaxPoolOptions::new(kernel)
            .with_stride(window.strides)
            .with_padding_pairs(window.padding)
            .with_dilation(window.dilations)
            .with_ceil_mode(ceil);
        Float::Rank4(module::max_pool2d(x.rank4(), options))
    }

    fn average_pool(
        &self,
        x: Float,
        kernel: [usize; 2],
        window: &Window,
        ceil: bool,
        count_padding: bool,
    ) -> Float {
        let mut options = AvgPoolOptions::new(kernel)
            .with_stride(window.strides)
            .with_padding_pairs(window.padding)
            .with_count_include_pad(count_padding);
        options.ceil_mode = ceil;
        Float::Rank4(module::avg_pool2d(x.rank4(), options))
    }

    fn global_average(&self, x: Float) -> Float {
        Float::Rank4(module::adaptive_avg_pool2d(x.rank4(), [1, 1]))
    }

    fn reduce(&self, x: Float, mean: bool, axes: &[usize]) -> Float {
        axes.iter().fold(
            x,
            |x, &axis| map_tensor!(x, t => if mean { t.mean_dim(axis) } else { t.sum_dim(axis) }),
        )
    }

    fn softmax(&self, x: Float, axis: usize, logarithm: bool) -> Float {
        map_tensor!(x, t => match logarithm {
            true => activation::log_softmax(t, axis),
            false => activation::softmax(t, axis),
        })
    }

    fn concat(&self, parts: Vec<Float>, axis: usize) -> Float {
        macro_rules! joined {
            ($variant:ident, $rank:ident) => {{
                let parts = parts.into_iter().map(Float::$rank).collect();
                Float::$variant(Tensor::cat(parts, axis))
            }};
        }
        match parts.first().map_or(0, Float::rank) {
            0 | 1 => joined!(Rank1, rank1),
            2 => joined!(Rank2, rank2),
            3 => joined!(Rank3, rank3),
            4 => joined!(Rank4, rank4),
            _ => joined!(Rank5, rank5),
        }
    }

    fn reshape(&self, x: Float, dims: &[usize]) -> Float {
        x.reshape(dims)
    }

    fn permute(&self, x: Float, order: &[usize]) -> Float {
        map_tensor!(x, t => t.permute(std::array::from_fn(|axis| order[axis] as isize)))
    }

    fn slice(&self, x: Float, axis: usize, start: usize, end: usize, step: usize) -> Float {
        let cut = Slice::with_step(start as isize, Some(end as isize), step as isize);
        map_tensor!(x, t => t.slice_dim(axis, cut))
    }

    fn select(&self, x: Float, axis: usize, rows: &[i64]) -> Float {
        map_tensor!(x, t => t.select(axis, self.rows(rows)))
    }
}

/// Burn's device of this name.
fn named(device: Device) -> Result<tensor::Device, DeviceError> {
    #[cfg(feature = "cuda")]
    if let Device::Cuda(index) = device {
        return Ok(tensor::Device::cuda(index));
    }
    #[cfg(feature = "wgpu")]
    if let Device::Wgpu(index) = device {
        return Ok(tensor::Device::wgpu(match index {
            0 => tensor::DeviceKind::DefaultDevice,
            index => tensor::DeviceKind::DiscreteGpu(index),
        }));
    }
    let feature = match device {
        Device::Wgpu(_) => "wgpu",
        _ => "cuda",
    };
    Err(DeviceError::NotBuilt { device, feature })
}

/// Only real bounds are applied: a bound at infinity would cost a pass over the data.
fn clip<const D: usize>(t: Tensor<D>, lower: f32, upper: f32) -> Tensor<D> {
    match (lower > f32::MIN, upper < f32::MAX) {
        (true, true) => t.clamp(lower, upper),
        (true, false) => t.clamp_min(lower),
        (false, true) => t.clamp_max(upper),
        (false, false) => t,
    }
}

fn combine<const D: usize>(function: Binary, a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    match function {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Min => a.min_pair(b),
        Binary::Max => a.max_pair(b),
    }
}

//! What an engine must be able to do with dense float tensors.

use crate::program::{Binary, Unary, Window};

/// Float tensors of rank 0 to 5 and their derivatives.
///
/// Whoever calls has looked at every argument: shapes fit, axes exist, windows find room. What a library refuses in
/// spite of that it may answer with a panic; the [pass](super::pass) turns it into an error that names the node.
pub(super) trait Backend: Send + Sync {
    /// A tensor; a clone shares the numbers.
    type Tensor: Clone;
    /// The derivatives of one backward pass.
    type Gradients;

    /// Called in the thread that computes, before it does.
    fn enter(&self) {}

    /// A tensor of numbers from the host, row-major; `data` has as many as `dims` say.
    fn upload(&self, data: Vec<f32>, dims: &[usize]) -> Self::Tensor;

    /// The numbers of a tensor, row-major.
    fn download(&self, x: Self::Tensor) -> Result<Vec<f32>, String>;

    /// Its sizes.
    fn dims(&self, x: &Self::Tensor) -> Vec<usize>;

    /// The same numbers, from now on with a derivative.
    fn leaf(&self, x: Self::Tensor) -> Self::Tensor;

    /// The same numbers without a derivative.
    fn detached(&self, x: Self::Tensor) -> Self::Tensor;

    /// Goes back from `x`, where the loss has these slopes.
    fn backward(&self, x: Self::Tensor, slopes: Self::Tensor) -> Self::Gradients;

    /// The derivative by a leaf, if it took part.
    fn gradient(&self, leaf: Self::Tensor, gradients: &mut Self::Gradients)
    -> Option<Self::Tensor>;

    /// A function of each number.
    fn unary(&self, function: Unary, x: Self::Tensor) -> Self::Tensor;

    /// A function of each number and a fixed one, which stands on the left or on the right.
    fn with_number(
        &self,
        function: Binary,
        x: Self::Tensor,
        number: f32,
        left: bool,
    ) -> Self::Tensor;

    /// A function of two tensors that broadcast.
    fn binary(&self, function: Binary, a: Self::Tensor, b: Self::Tensor) -> Self::Tensor;

    /// The product over the last axis of `a` with a matrix [in, out], plus a bias [out].
    fn linear(
        &self,
        a: Self::Tensor,
        matrix: Self::Tensor,
        bias: Option<Self::Tensor>,
    ) -> Self::Tensor;

    /// The product of the matrices in the last two axes; the axes before them broadcast.
    fn matrix_product(&self, a: Self::Tensor, b: Self::Tensor) -> Self::Tensor;

    /// A convolution of [batch, in, height, width] with a kernel [out, in / groups, height, width].
    fn convolution(
        &self,
        x: Self::Tensor,
        kernel: Self::Tensor,
        bias: Option<Self::Tensor>,
        window: &Window,
        groups: usize,
    ) -> Self::Tensor;

    /// Normalised over all axes but the second with these means and variances.
    fn batch_norm(
        &self,
        x: Self::Tensor,
        affine: [Self::Tensor; 2],
        moments: [Self::Tensor; 2],
        epsilon: f64,
    ) -> Self::Tensor;

    /// Normalised with its own means and population variances, which are returned too.
    fn batch_norm_trained(
        &self,
        x: Self::Tensor,
        affine: [Self::Tensor; 2],
        epsilon: f64,
    ) -> (Self::Tensor, [Self::Tensor; 2]);

    /// Normalised over the last axis.
    fn layer_norm(
        &self,
        x: Self::Tensor,
        scale: Self::Tensor,
        bias: Option<Self::Tensor>,
        epsilon: f64,
    ) -> Self::Tensor;

    /// The largest number of each window of this size.
    fn max_pool(
        &self,
        x: Self::Tensor,
        kernel: [usize; 2],
        window: &Window,
        ceil: bool,
    ) -> Self::Tensor;

    /// The mean of each window of this size, with or without its padding. Dilations are one.
    fn average_pool(
        &self,
        x: Self::Tensor,
        kernel: [usize; 2],
        window: &Window,
        ceil: bool,
        count_padding: bool,
    ) -> Self::Tensor;

    /// The mean of each channel of an image, [batch, channels, 1, 1].
    fn global_average(&self, x: Self::Tensor) -> Self::Tensor;

    /// Means or sums over these axes, which stay with size one. They come in falling order.
    fn reduce(&self, x: Self::Tensor, mean: bool, axes: &[usize]) -> Self::Tensor;

    /// Probabilities along an axis, or their logarithms.
    fn softmax(&self, x: Self::Tensor, axis: usize, logarithm: bool) -> Self::Tensor;

    /// One behind the other along an axis. There is at least one.
    fn concat(&self, parts: Vec<Self::Tensor>, axis: usize) -> Self::Tensor;

    /// The same numbers in another shape.
    fn reshape(&self, x: Self::Tensor, dims: &[usize]) -> Self::Tensor;

    /// The axes in another order.
    fn permute(&self, x: Self::Tensor, order: &[usize]) -> Self::Tensor;

    /// Every `step`-th row of an axis from `start` up to before `end`.
    fn slice(
        &self,
        x: Self::Tensor,
        axis: usize,
        start: usize,
        end: usize,
        step: usize,
    ) -> Self::Tensor;

    /// These rows of an axis.
    fn select(&self, x: Self::Tensor, axis: usize, rows: &[i64]) -> Self::Tensor;
}
